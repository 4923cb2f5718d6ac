"""scripts/setup.sh, run for real on packages of this environment, without a network; and its lock."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "scripts" / "setup.sh").read_text("utf-8")
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
BUILDERS = re.findall(r"for name in (.*); do locked", SCRIPT)[0].split()


# --- what is written


def test_every_package_of_the_lock_has_hashes() -> None:
    rest = re.sub(r"(?m)^[a-z0-9._-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", "", LOCK)
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []
    for name in ("uv", "torch", *BUILDERS):
        assert re.search(rf"(?m)^{name}==", LOCK), name


def test_what_builds_packages_is_whole() -> None:
    for name in BUILDERS:
        for line in distribution(name).requires or ():
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert need.name in BUILDERS, f"{name} needs {need.name}"


def test_nothing_is_installed_without_a_hash_but_this_checkout() -> None:
    found = [line for line in SCRIPT.splitlines() if re.search(r"(\$pip|\$uv|pip) (install|download)", line)]
    assert len(found) == 7
    for line in found:
        if " download " in line:
            # Checked when it is installed; until then nothing of it may run.
            assert "--no-deps" in line and "--only-binary :all:" in line, line
        elif "--editable ." in line:
            assert "--no-deps" in line and "--no-build-isolation" in line, line
        else:
            assert "--require-hashes" in line, line
            assert "--no-build-isolation" in line or "--only-binary :all:" in line or "--no-index" in line, (
                line
            )


# --- what is done


def packed(folder: Path, name: str, version: str, files: dict[str, bytes]) -> None:
    """Write a wheel that pip and uv take."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    content = {f"{info}/METADATA": about.encode(), **files}
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content[f"{info}/RECORD"] = "".join(f"{place},,\n" for place in [*content, f"{info}/RECORD"]).encode()
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as file:
        for place, data in content.items():
            entry = zipfile.ZipInfo(place)
            entry.external_attr = 0o100755 << 16  # pip makes a program of what is one in the archive
            file.writestr(entry, data)


def repacked(folder: Path, name: str) -> None:
    """Write a package that is installed here as a wheel."""
    found = distribution(name)
    files = {}
    for entry in found.files or ():
        place = str(entry)
        if entry.name == "uv":
            place = f"uv-{found.version}.data/scripts/uv"
        elif place.startswith("../") or "__pycache__" in place or entry.name in ("RECORD", "direct_url.json"):
            continue
        files[place] = Path(str(found.locate_file(entry))).read_bytes()
    packed(folder, found.name, found.version, files)


def locked(wheels: Path, name: str, *versions: str) -> str:
    """Return the lines of a lock for a package: the hashes of all its wheels, and one of nothing."""
    lines = [f"{name}=={(versions or (distribution(name).version,))[0]}"]
    for path in sorted(wheels.glob(f"{name.replace('-', '_')}-*.whl")):
        lines.append(f"    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    return " \\\n".join([*lines, f"    --hash=sha256:{'0' * 64}"]) + "\n"


class Checkout:
    """A checkout with a lock of few packages, all of them in a folder."""

    def __init__(self, folder: Path) -> None:
        self.wheels, self.root = folder / "wheels", folder / "check out"
        self.site = self.root / ".venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        self.wheels.mkdir()
        for name in ("boards", "examples", "firmware_templates", "edgekit"):
            (self.root / name).mkdir(parents=True)
            (self.root / name / "__init__.py").touch()
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, self.root)
        for name in ("uv", "six", *BUILDERS):
            repacked(self.wheels, name)
        packed(self.wheels, "torch", "9.1+cpu", {"torch.py": b""})
        packed(self.wheels, "nvidia-thing", "1.0", {"thing.py": b""})
        lock = "".join(locked(self.wheels, name) for name in ("six", "uv", *BUILDERS))
        lock += locked(self.wheels, "torch", "9.1") + "# CUDA builds of torch alone need these.\n"
        self.lock = lock + locked(self.wheels, "nvidia-thing", "1.0")

    def setup(self, *arguments: str, lock: str = "") -> subprocess.CompletedProcess[str]:
        """Run the set-up with a lock, else with the right one."""
        (self.root / "requirements.lock").write_text(lock or self.lock)
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.wheels),
            "EDGEKIT_PYTHON": sys._base_executable,
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "UV_CACHE_DIR": str(self.wheels / "cache"),
            "UV_FIND_LINKS": str(self.wheels),
            "UV_OFFLINE": "1",
        }
        words = [self.root / "scripts" / "setup.sh", *arguments]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False)

    def remove(self, name: str) -> None:
        """Uninstall a package behind the back of the set-up."""
        for path in self.site.glob(f"{name.replace('-', '_')}-*.dist-info"):
            shutil.rmtree(path)

    def has(self, name: str) -> bool:
        return any(self.site.glob(f"{name.replace('-', '_')}-*.dist-info"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout that was set up from nothing, with torch."""
    checkout = Checkout(tmp_path_factory.mktemp("setup"))
    done = checkout.setup("torch")
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.fixture
def ready(made: Checkout) -> Checkout:
    """Return the same, whatever the test before did to it."""
    done = made.setup("torch")
    assert done.returncode == 0, done.stderr
    return made


def test_a_set_up_is_whole_and_its_repetition_does_nothing(ready: Checkout) -> None:
    for name in ("six", "uv", "torch", "edgekit-mcu", *BUILDERS):
        assert ready.has(name), name
    assert not ready.has("nvidia-thing")
    assert (ready.root / ".venv" / "bin" / "edgekit").is_file()
    for arguments in ((), ("torch",)):
        done = ready.setup(*arguments)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_cuda_build_gets_what_it_needs(ready: Checkout) -> None:
    about = ready.site / "torch-9.1+cpu.dist-info" / "METADATA"
    about.write_text(about.read_text() + "Requires-Dist: nvidia-thing==1.0; platform_system == 'Linux'\n")
    done = ready.setup("torch", lock=ready.lock + "# changed\n")
    assert done.returncode == 0, done.stderr
    assert ready.has("nvidia-thing")
    ready.remove("torch")
    ready.remove("nvidia-thing")


@pytest.mark.parametrize("name", ["uv", "setuptools", "hatchling", "six", "torch"])
def test_a_file_with_another_hash_is_not_installed(ready: Checkout, name: str) -> None:
    ready.remove(name)
    if name == "uv":
        (ready.root / ".venv" / "bin" / "uv").unlink()
    path = next(ready.wheels.glob(f"{name}-*.whl"))
    lock = ready.lock.replace(hashlib.sha256(path.read_bytes()).hexdigest(), "1" * 64)
    done = ready.setup("torch", lock=lock)
    assert done.returncode == 7, done.stderr
    assert "setup: not installed, see above. If a hash is what differs" in done.stderr
    assert "1" * 64 in done.stderr
    assert not ready.has(name)
    assert list((ready.root / ".venv").glob(".edgekit-*")) == []


def test_the_old_name_goes_and_the_command_stays(ready: Checkout) -> None:
    uv, project = ready.root / ".venv" / "bin" / "uv", ready.root / "pyproject.toml"
    new = project.read_text()
    ready.remove("edgekit-mcu")
    project.write_text(new.replace('"edgekit-mcu', '"edgekit'))
    command = [
        uv,
        "pip",
        "install",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        ready.root,
    ]
    subprocess.run(command, check=True, env=os.environ | {"VIRTUAL_ENV": str(ready.root / ".venv")})
    project.write_text(new)
    assert (ready.site / "edgekit-0.1.0.dist-info").is_dir()
    done = ready.setup(lock=ready.lock + "# changed\n")
    assert done.returncode == 0, done.stderr
    assert not list(ready.site.glob("edgekit-*.dist-info"))
    assert ready.has("edgekit-mcu")
    assert (ready.root / ".venv" / "bin" / "edgekit").is_file()


def test_anothers_edgekit_is_left_alone(ready: Checkout) -> None:
    packed(ready.wheels, "edgekit", "2.0", {})
    with zipfile.ZipFile(ready.wheels / "edgekit-2.0-py3-none-any.whl") as file:
        file.extractall(ready.site)
    for origin in ("", '{"url": "file:///elsewhere", "dir_info": {"editable": true}}'):
        if origin:
            (ready.site / "edgekit-2.0.dist-info" / "direct_url.json").write_text(origin)
        done = ready.setup(lock=ready.lock + "# changed\n")
        assert done.returncode == 7
        assert "another distribution called 'edgekit' 2.0" in done.stderr
        assert ("/elsewhere" if origin else "the package index") in done.stderr
        assert "-m pip uninstall edgekit" in done.stderr
    ready.remove("edgekit")
