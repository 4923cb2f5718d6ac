"""A firmware project: what is in it, that it is the same every time, and how it reaches a folder."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tflite_builder import Value, build

from edgekit import board, contract, resources
from edgekit.codegen.generator import GeneratedModel, generate
from edgekit.errors import OutputError, ProjectError, ToolError
from edgekit.firmware import build as building
from edgekit.firmware import manifest, project
from edgekit.firmware.options import Firmware
from edgekit.graph import tflite
from edgekit.ops.step import PORTABLE

HOST = board.load("host")


def classifier(inputs: int, seed: int = 1) -> GeneratedModel:
    """Return the C of a fully connected layer from `inputs` values to 3 scores."""
    rng = np.random.default_rng(seed)
    data = build(
        "FULLY_CONNECTED",
        inputs=[
            Value((1, inputs), scales=(0.5,), zero_points=(0,)),
            Value((3, inputs), scales=(0.01,), zero_points=(0,), data=rng.integers(-127, 128, (3, inputs))),
            Value((3,), "int32", scales=(0.005,), zero_points=(0,), data=rng.integers(-99, 99, 3)),
        ],
        outputs=[Value((1, 3), scales=(0.25,), zero_points=(0,))],
    )
    graph = tflite.parse(data)
    return generate(graph, contract.of(graph))


def pooling(folders: Sequence[str] = (PORTABLE,)) -> GeneratedModel:
    """Return the C of a model that calls another kernel."""
    data = build(
        "MAX_POOL_2D",
        inputs=[Value((1, 4, 4, 3), scales=(0.5,), zero_points=(0,))],
        outputs=[Value((1, 2, 2, 3), scales=(0.5,), zero_points=(0,))],
        options={"padding": "VALID", "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2},
    )
    graph = tflite.parse(data)
    return generate(graph, contract.of(graph), folders=folders)


def listing(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_holds_the_model_its_kernels_and_the_boards_own_files() -> None:
    made = project.assemble(classifier(8), HOST)
    assert made.kernels == {"ek_fully_connected_s8": "ref"}
    kernels = [name for name in made.files if name.startswith("runtime/src/")]
    assert kernels == ["runtime/src/ref/ek_fully_connected_s8.c"]
    assert {"model/model.c", "model/model.h", "runtime/include/ek_nn.h", "app/ek_app.c"} <= set(made.files)
    assert {"app/ek_config.h", "main.c", "port.c", "Makefile"} <= set(made.files)
    assert not [name for name in made.files if name.endswith(".j2")]
    assert list(made.files) == sorted(made.files)


def test_settings_of_the_board_reach_the_application() -> None:
    small = replace(HOST.build, frame_buffers=1, rx_window_bytes=777)
    ticks = board.Ticks(board.TickUnit.INSTRUCTIONS, exact=True)
    made = project.assemble(classifier(8), replace(HOST, id="other", build=small, ticks=ticks))
    text = made.files["app/ek_config.h"].decode()
    for line in (
        '#define EK_BOARD_ID "other"',
        '#define EK_RUNTIME "compiled"',
        "#define EK_FRAME_BUFFERS 1",
        "#define EK_RX_WINDOW 777",
        "#define EK_TICKS_UNIT 1",
        "#define EK_TICKS_EXACT 1",
    ):
        assert line in text.splitlines()


def test_a_debug_build_differs_in_its_flags_alone() -> None:
    plain, debug = (project.assemble(classifier(8), HOST, Firmware(debug=flag)) for flag in (False, True))
    different = [name for name in plain.files if plain.files[name] != debug.files[name]]
    assert different == ["Makefile"]
    assert b"-DEK_TRACE=1" in debug.files["Makefile"]
    assert json.loads(debug.manifest)["debug"] is True


def test_equal_input_gives_equal_bytes_without_times_or_places(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        project.write(project.assemble(classifier(8), HOST), tmp_path / name)
        written.append(listing(tmp_path / name))
    assert written[0] == written[1]
    root = str(resources.firmware_templates().parent).encode()
    assert not [name for name, content in written[0].items() if root in content]


def test_the_manifest_says_what_is_there(tmp_path: Path) -> None:
    model = classifier(8)
    made = project.assemble(model, HOST)
    project.write(made, tmp_path)
    found = manifest.read(tmp_path)
    assert found is not None
    assert (found.board_id, found.debug, found.complete) == ("host", False, True)
    assert (found.model_digest, found.contract_digest) == (model.model_digest, model.contract_digest)
    assert set(found.files) | {"edgekit.json"} == set(listing(tmp_path))
    assert set(found.sources) == {name for name in made.files if name.endswith(".c")}
    fields = json.loads(made.manifest)
    assert fields["memory"]["arena_bytes"] == model.plan.arena_bytes
    assert fields["kernels"] == {"ek_fully_connected_s8": "ref"}


def test_a_preferred_kernel_folder_wins_where_it_has_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = tmp_path / "templates"
    for path in resources.firmware_templates().rglob("*"):
        if path.is_file():
            copy = templates / path.relative_to(resources.firmware_templates())
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    fast = templates / "runtime" / "src" / "fast"
    fast.mkdir()
    (fast / "ek_max_pool_2d_s8.c").write_text("/* fast */\n")
    (fast / "fast.h").write_text("/* shared by the fast ones */\n")
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(templates))
    quick = replace(HOST, build=replace(HOST.build, kernels=("fast", "ref")))
    made = project.assemble(pooling(quick.build.kernels), quick)
    assert made.kernels == {"ek_max_pool_2d_s8": "fast"}
    assert made.files["runtime/src/fast/ek_max_pool_2d_s8.c"] == b"/* fast */\n"
    assert "runtime/src/fast" in project.include_folders(made.files)
    assert project.assemble(classifier(8), quick).kernels == {"ek_fully_connected_s8": "ref"}
    with pytest.raises(ProjectError, match="no kernel ek_fully_connected_s8: not in fast"):
        project.assemble(classifier(8), replace(quick, build=replace(quick.build, kernels=("fast",))))


def test_a_wrong_template_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = tmp_path / "templates"
    for name in ("app", "host", "runtime/include", "runtime/src/ref"):
        (templates / name).mkdir(parents=True)
    (templates / "runtime/src/ref/ek_max_pool_2d_s8.c").touch()
    (templates / "host/board.h.j2").write_text("{{ board.nonsense }}")
    monkeypatch.setenv("EDGEKIT_TEMPLATES", str(templates))
    with pytest.raises(ProjectError, match=r"the template 'board\.h\.j2' is wrong: .*nonsense"):
        project.assemble(pooling(), HOST)


def test_the_same_again_touches_nothing(tmp_path: Path) -> None:
    made = project.assemble(classifier(8), HOST)
    project.write(made, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    project.write(made, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_another_model_replaces_what_differs_and_removes_what_is_stale(tmp_path: Path) -> None:
    project.write(project.assemble(classifier(8), HOST), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "runtime" / "mine.txt").write_text("mine")
    app = (tmp_path / "app" / "ek_app.c").stat().st_mtime_ns
    made = project.assemble(pooling(), HOST)
    project.write(made, tmp_path)
    extra = {"notes.txt", "runtime/mine.txt", "edgekit.json"}
    assert set(listing(tmp_path)) == set(made.files) | extra
    assert (tmp_path / "app" / "ek_app.c").stat().st_mtime_ns == app


def test_folders_that_became_empty_go(tmp_path: Path) -> None:
    made = project.assemble(classifier(8), HOST)
    more = replace(made, files={**made.files, "old/deep/file.c": b""})
    fields = json.loads(made.manifest)
    fields["files"]["old/deep/file.c"] = "0" * 64
    project.write(replace(more, manifest=json.dumps(fields).encode()), tmp_path)
    assert (tmp_path / "old/deep/file.c").is_file()
    project.write(made, tmp_path)
    assert not (tmp_path / "old").exists()


def test_files_of_others_are_not_clobbered(tmp_path: Path) -> None:
    made = project.assemble(classifier(8), HOST)
    (tmp_path / "main.c").write_text("mine")
    with pytest.raises(OutputError, match=r"files that edgekit did not write: main\.c") as caught:
        project.write(made, tmp_path)
    assert "-o" in caught.value.hint
    assert listing(tmp_path) == {"main.c": b"mine"}


def test_a_file_of_others_inside_a_project_is_not_clobbered(tmp_path: Path) -> None:
    project.write(project.assemble(classifier(8), HOST), tmp_path)
    mine = tmp_path / "runtime" / "src" / "ref" / "ek_max_pool_2d_s8.c"
    mine.write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(OutputError, match="ek_max_pool_2d_s8"):
        project.write(project.assemble(pooling(), HOST), tmp_path)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 2, "files": {}}', "[" * 9999])
def test_a_manifest_that_is_not_ours_is_not_trusted(tmp_path: Path, text: str) -> None:
    (tmp_path / "edgekit.json").write_text(text)
    with pytest.raises(OutputError):
        project.write(project.assemble(classifier(8), HOST), tmp_path)
    assert listing(tmp_path) == {"edgekit.json": text.encode()}


@pytest.mark.parametrize(
    "name", ["../victim", "/victim", "a/../../victim", "./x", "a//b", "", ".hidden", "a b"]
)
def test_a_manifest_cannot_name_files_outside(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    project.write(project.assemble(classifier(8), HOST), out)
    fields = json.loads((out / "edgekit.json").read_bytes())
    fields["files"][name] = "0" * 64
    (out / "edgekit.json").write_text(json.dumps(fields))
    (tmp_path / "victim").write_text("stays")
    with pytest.raises(OutputError, match="wrong entry"):
        project.write(project.assemble(pooling(), HOST), out)
    assert (tmp_path / "victim").read_text() == "stays"


def test_nothing_is_written_or_removed_behind_a_link(tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    project.write(project.assemble(classifier(8), HOST), out)
    outside.mkdir()
    (outside / "ek_fully_connected_s8.c").write_text("mine")
    for path in sorted((out / "runtime" / "src").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (out / "runtime" / "src" / "ref").symlink_to(outside)
    for made in (pooling(), classifier(8)):
        with pytest.raises(ToolError, match="is a link that leads out of the project"):
            project.write(project.assemble(made, HOST), out)
    assert [path.read_text() for path in outside.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "name", ["app/stdint.h", "app/STDINT.H", "app/ek_app.h.gch", "vector", "sys/types.h"]
)
def test_a_foreign_file_that_a_build_could_read_is_refused(tmp_path: Path, name: str) -> None:
    made = project.assemble(classifier(8), HOST)
    project.write(made, tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('#error "compiled"')
    for run in (lambda: project.write(made, tmp_path), lambda: building.build(tmp_path, HOST)):
        with pytest.raises(ToolError, match="is not a file of the project") as caught:
            run()
        assert str(tmp_path / Path(name).parts[0]) in caught.value.message
        assert caught.value.hint == "move it away"


def test_links_and_notes_that_no_build_reads_are_left_alone(tmp_path: Path) -> None:
    made = project.assemble(classifier(8), HOST)
    out = tmp_path / "out"
    project.write(made, out)
    (tmp_path / "model.tflite").touch()
    (out / "model.tflite").symlink_to(tmp_path / "model.tflite")
    (out / "README").write_text("mine")
    (out / ".git").mkdir()
    (out / "pictures").mkdir()
    (out / "pictures" / "cat.png").touch()
    project.write(made, out)
    building.build(out, HOST)


def test_an_interrupted_write_never_looks_complete_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = project.assemble(classifier(8), HOST)
    made = project.assemble(pooling(), HOST)
    steps = len(made.files) + 2
    real = project.write_whole
    for stop in range(1, steps):
        out = tmp_path / str(stop)
        project.write(first, out)
        count = iter(range(stop))

        def write(path: Path, content: bytes, count=count, **options: bool) -> None:  # type: ignore[no-untyped-def]
            if next(count, None) is None:
                raise KeyboardInterrupt
            real(path, content, **options)

        monkeypatch.setattr(project, "write_whole", write)
        try:
            project.write(made, out)
        except KeyboardInterrupt:
            found = manifest.read(out)
            assert found is not None
            assert not found.complete
        monkeypatch.setattr(project, "write_whole", real)
        project.write(made, out)
        assert set(listing(out)) == {*made.files, "edgekit.json"}
        assert (out / "edgekit.json").read_bytes() == made.manifest


def test_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="cannot write '.*out'"):  # noqa: RUF043
        project.write(project.assemble(classifier(8), HOST), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
