"""edgekit/install.py: the command of a hint, for each way in which a copy gets onto a machine."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement

import edgekit
from edgekit import install

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UV = Path(sys.executable).with_name("uv")
# Neither a space nor a dollar may get lost between the hint and the shell.
ODD = "mine, $HOME & co"
COMMIT = "0e5a6fb1d3f2c47e1cd1a6f7b8b6a9d7c3a5e210"


def test_code_and_project_file_agree() -> None:
    assert PROJECT["name"] == install.DISTRIBUTION
    assert PROJECT["version"] == edgekit.__version__
    for extra in PROJECT["optional-dependencies"].values():
        for line in extra:
            assert Requirement(line).name != "edgekit"


# --- what the installers record, and what comes of it


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of metadata of a copy in a site-packages of its own."""
    info = tmp_path / "edgekit_mcu-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: edgekit-mcu\nVersion: 0.1.0\n")
    monkeypatch.setattr(install, "_PACKAGE", tmp_path / "edgekit")
    return info


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", "{}", '{"url": 7}', '{"url": "https://x", "vcs_info": {}}', "[" * 100_000, "\0"]
)
def test_a_damaged_record_is_none(installed: Path, text: str) -> None:
    (installed / "direct_url.json").write_text(text)
    assert "edgekit-mcu[convert]" in install.command("convert")
    assert "--upgrade edgekit-mcu" in install.newer()
    assert install.restored("boards").endswith("edgekit-mcu")


@pytest.mark.parametrize(
    ("recorded", "again", "newer"),
    [
        (None, "edgekit-mcu[convert]", "pip --upgrade edgekit-mcu"),
        (
            {"url": "https://example.org/edgekit_mcu-0.1.0-py3-none-any.whl", "archive_info": {"hashes": {}}},
            "edgekit-mcu[convert] @ https://example.org/edgekit_mcu-0.1.0-py3-none-any.whl",
            "install a newer one; this one came from https://example.org/edgekit_mcu-0.1.0-py3-none-any.whl",
        ),
        (
            {"url": "file:///", "dir_info": {}},
            "edgekit-mcu[convert] @ file:///",
            "install a newer one; this one came from file:///",
        ),
        (
            {"url": "file:///", "archive_info": {}, "subdirectory": "python"},
            "edgekit-mcu[convert] @ file:///#subdirectory=python",
            "install a newer one; this one came from file:///",
        ),
        (
            {
                "url": "ssh://git@example.org/edgekit",
                "vcs_info": {"vcs": "git", "requested_revision": "v0.1", "commit_id": COMMIT},
                "subdirectory": "python",
            },
            f"edgekit-mcu[convert] @ git+ssh://git@example.org/edgekit@{COMMIT}#subdirectory=python",
            "pip --upgrade edgekit-mcu @ git+ssh://git@example.org/edgekit#subdirectory=python",
        ),
    ],
)
def test_every_origin(
    installed: Path, monkeypatch: pytest.MonkeyPatch, recorded: dict | None, again: str, newer: str
) -> None:
    if recorded is not None:
        (installed / "direct_url.json").write_text(json.dumps(recorded))
    assert shlex.split(install.command("convert"))[-1] == again
    monkeypatch.setattr(install, "pip", lambda *words: " ".join(("pip", *words)))
    assert install.newer() == newer
    assert install.restored("boards") == f"pip --force-reinstall --no-deps {again.replace('[convert]', '')}"


def test_a_copy_whose_origin_is_gone(installed: Path) -> None:
    with (installed / "METADATA").open("a") as file:
        file.write("Requires-Dist: click<9,>=8.5\nRequires-Dist: one<2,>=1; extra == 'convert'\n")
        file.write("Requires-Dist: two>=2; (sys_platform == 'linux') and extra == \"convert\"\n")
        file.write("Requires-Dist: three; extra == 'torch'\n")
    url = f"file://{installed}/gone.whl"
    (installed / "direct_url.json").write_text(json.dumps({"url": url, "archive_info": {}}))
    assert shlex.split(install.command("convert"))[-2:] == ["one<2,>=1", "two>=2"]
    assert install.restored("boards") == f"install edgekit again; this one came from {url}, which is gone"


def test_a_checkout_that_the_set_up_made_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / ODD
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    monkeypatch.setattr(install, "_PACKAGE", checkout / "edgekit")
    assert shlex.split(install.command("torch"))[-2:] == ["-e", f"{checkout}[torch]"]
    assert shlex.split(install.newer()) == ["git", "-C", str(checkout), "pull"]
    assert shlex.split(install.restored("boards"))[2:] == [str(checkout), "checkout", "HEAD", "--", "boards"]
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".edgekit-base").touch()
    monkeypatch.setattr(sys, "prefix", str(checkout / ".venv"))
    program, argument = shlex.split(install.command("torch"))
    assert (program, argument) == (str(checkout / "scripts" / "setup.sh"), "torch")
    assert os.access(program, os.X_OK)
    (checkout / ".venv" / ".edgekit-torch").touch()
    assert shlex.split(install.command("torch"))[-2:] == ["-e", f"{checkout}[torch]"]


# --- real copies: the hint is asked of them, and pasted


def run(*command: str | Path, path: str | Path = "", shell: bool = False) -> str:
    """Run a program that sees neither the edgekit nor the environment of the tests; return its output."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "UV_", "PIP_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    env["PATH"] = f"{path}:/usr/bin:/bin"
    words = command[0] if shell else command
    done = subprocess.run(words, env=env, shell=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def hint(python: Path, path: str | Path = "") -> str:
    code = "from edgekit.errors import MissingExtraError as E; print(E('onnx', 'convert', 'this').hint)"
    return run(python, "-I", "-c", code, path=path)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout, with its history, in a folder of an odd name."""
    folder = tmp_path_factory.mktemp("origins") / ODD
    for name in ("edgekit", "boards", "examples", "firmware_templates"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_resources")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    git = ("git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org")
    run("git", "init", "-q", folder)
    run(*git, "add", ".")
    run(*git, "commit", "-qm", "All")
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    run(
        UV,
        "build",
        "--quiet",
        "--offline",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--wheel",
        checkout,
    )
    (found,) = (checkout / "dist").glob("edgekit_mcu-*.whl")
    return found


def environment(folder: Path, *packages: str) -> Path:
    """Make an environment with packages of this one in it; return the folder of its programs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for name in packages:
        (site / name).symlink_to(
            next(Path(entry) / name for entry in sys.path if (Path(entry) / name).exists())
        )
    return folder / "bin"


def test_a_wheel_that_pip_installed(wheel: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / ODD, "pip")
    script = programs / "pip"
    script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
    script.chmod(0o755)
    offline = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--quiet")
    run(script, "install", *offline, wheel)
    said = hint(programs / "python", programs)
    assert said == f'pip install "edgekit-mcu[convert] @ {wheel.as_uri()}"'
    run(" ".join((said, *offline)), path=programs, shell=True)
    said = hint(programs / "python")
    assert said.startswith(f"'{programs}/python' -m pip install ")
    run(" ".join((said, *offline)), shell=True)
    assert hint(programs / "python") == said


@pytest.mark.parametrize("kind", ["wheel", "directory", "git", "editable"])
def test_a_copy_in_an_environment_without_pip(kind: str, wheel: Path, checkout: Path, tmp_path: Path) -> None:
    builder = ("hatchling", "editables", "packaging", "pathspec", "pluggy", "trove_classifiers")
    python = environment(tmp_path / ODD, *builder) / "python"
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet")
    commit = run("git", "-C", checkout, "rev-parse", "HEAD")
    given, again = {
        "wheel": ([wheel], f"edgekit-mcu[convert] @ file://{wheel}"),
        "directory": ([checkout], f"edgekit-mcu[convert] @ file://{checkout}"),
        "git": (
            [f"edgekit-mcu @ git+{checkout.as_uri()}"],
            f"edgekit-mcu[convert] @ git+file://{checkout}@{commit}",
        ),
        "editable": (["-e", checkout], f"{checkout}[convert]"),
    }[kind]
    run(UV, "pip", "install", "--python", python, *offline, *given)
    said = hint(python)
    words = shlex.split(said)
    assert words[:5] == ["uv", "pip", "install", "--python", str(python)]
    assert unquote(words[-1]) == again
    assert words[5:-1] == (["-e"] if kind == "editable" else [])
    run(" ".join((said, "--reinstall", *offline)), path=UV.parent, shell=True)
    assert hint(python) == said


def test_a_wheel_that_is_gone_names_what_its_extra_needs(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env") / "python"
    gone = Path(shutil.copy(wheel, tmp_path))
    run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-index", gone)
    gone.unlink()
    words = shlex.split(hint(python))
    assert words[:5] == ["uv", "pip", "install", "--python", str(python)]
    extras = PROJECT["optional-dependencies"]
    wanted = [Requirement(line) for line in (*extras["convert"], *extras["prove"])]
    assert set(map(Requirement, words[5:])) == {need for need in wanted if need.name != install.DISTRIBUTION}
