"""`edgekit export` and what it says; tests/arduino compiles and runs what it writes."""

import zipfile
from collections.abc import Callable
from pathlib import Path


def test_export_writes_a_zip_and_says_what_is_in_it(cli: Callable, model: Path) -> None:
    done = cli("export", model, "--format", "arduino", "--name", "Kit", "--json")
    assert done.code == 0, done.out
    assert (done.json["file"], done.json["name"], done.json["steps"]) == ("Kit.zip", "Kit", 7)
    with zipfile.ZipFile("Kit.zip") as archive:
        assert sorted(archive.namelist()) == [f"Kit/{name}" for name in done.json["files"]]
        labels = archive.read("Kit/src/edgekit/ek_labels.c").decode()
    assert '"cat",\n    "dog",\n    "bird"' in labels
    again = cli("export", model, "--name", "Kit", "-o", "again.zip")
    assert "add .zip library" in again.out.lower()
    assert Path("again.zip").read_bytes() == Path("Kit.zip").read_bytes()


def test_a_name_that_is_taken(cli: Callable, model: Path) -> None:
    done = cli("export", model, "--name", "Arduino", "--json")
    assert (done.code, done.json["error"]["id"]) == (2, "usage")
    assert not Path("Arduino.zip").exists()


def test_an_output_that_is_a_folder(cli: Callable, model: Path) -> None:
    Path("out").mkdir()
    done = cli("export", model, "-o", "out", "--json")
    assert done.code == 7
    assert "it is a folder" in done.json["error"]["message"]


def test_arduinos_tools_are_not_driven(cli: Callable, model: Path) -> None:
    made = cli("generate", model, "--board", "arduino", "-o", "out")
    assert made.code == 0
    assert f"next: edgekit export {model} --format arduino" in made.out
    built = cli("build", "--board", "arduino", "out", "--json")
    assert built.code == 7
    assert "edgekit export" in built.json["error"]["hint"]


def test_the_kernels_of_a_chip_are_taken_when_asked(cli: Callable, model: Path) -> None:
    import json

    for arguments, folder in (((), "ref"), (("--kernels", "esp_nn"), "esp_nn")):
        done = cli("generate", model, "--board", "xiao_esp32s3", *arguments, "-o", folder, "--json")
        assert done.code == 0, done.out
        kernels = json.loads(Path(folder, "edgekit.json").read_text())["kernels"]
        assert set(kernels.values()) == {folder}
    assert cli("generate", model, "--board", "host", "--kernels", "esp_nn").code == 2
