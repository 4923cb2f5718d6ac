"""How to get more of edgekit: the command that works for this copy, wherever it came from."""

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

DISTRIBUTION = "edgekit-mcu"
"""The name on the package index, where `edgekit`, the name of command and import, is another project's."""

_PACKAGE = Path(__file__).parent
# What means something to a shell even between double quotes.
_NEEDS_SINGLE_QUOTES = re.compile(r'["$`\\!]')


def command(extra: str) -> str:
    """Return the command that adds an extra, such as `convert`, to this copy."""
    checkout = _checkout()
    if checkout is None:
        return pip(*_requirements(extra))
    made = Path(sys.prefix)
    # By the set-up without torch: it has the packages of every other extra.
    if made == checkout / ".venv" and [file.name for file in made.glob(".edgekit-*")] == [".edgekit-base"]:
        return f"{_word(str(checkout / 'scripts' / 'setup.sh'))} torch"
    return pip("-e", f"{checkout}[{extra}]")


def newer() -> str:
    """Return the command that installs a newer edgekit; where there is none, what to do."""
    checkout, origin = _checkout(), _origin()
    if checkout is not None:
        return f"git -C {_word(str(checkout))} pull"
    if origin and "vcs_info" not in origin:
        return f"install a newer one; this one came from {origin['url']}"
    return pip("--upgrade", _named("", origin, newest=True))


def restored(folder: str) -> str:
    """Return the command that puts back a folder of edgekit's own; where there is none, what to do."""
    checkout, origin = _checkout(), _origin()
    if checkout is not None:
        return f"git -C {_word(str(checkout))} checkout HEAD -- {folder}"
    if _is_gone(origin):
        return f"install edgekit again; this one came from {origin['url']}, which is gone"
    return pip("--force-reinstall", "--no-deps", _named("", origin))


def pip(*arguments: str) -> str:
    """Return the command that installs into this very Python, quoted for a shell."""
    from importlib.util import find_spec
    from shutil import which

    python = _word(sys.executable)
    if find_spec("pip") is None:  # as in an environment that uv made
        words = f"uv pip install --python {python}"
    elif sys.prefix != sys.base_prefix and which("pip") == str(Path(sys.executable).with_name("pip")):
        words = "pip install"
    else:
        words = f"{python} -m pip install"
    return " ".join([words, *map(_word, arguments)])


def _word(text: str) -> str:
    if shlex.quote(text) == text or _NEEDS_SINGLE_QUOTES.search(text):
        return shlex.quote(text)
    return f'"{text}"'


def _checkout() -> Path | None:
    """Return the checkout that this package is run from, whether installed in place or not at all."""
    try:
        project = (_PACKAGE.parent / "pyproject.toml").read_text("utf-8")
    except (OSError, ValueError):
        return None
    return _PACKAGE.parent if f'\nname = "{DISTRIBUTION}"\n' in project else None


def _metadata() -> "Distribution | None":
    """Return what the installer wrote beside this package, not beside another copy."""
    from importlib.metadata import Distribution

    return next(iter(Distribution.discover(name=DISTRIBUTION, path=[str(_PACKAGE.parent)])), None)


def _origin() -> dict[str, Any]:
    """Return PEP 610's record of where this copy was installed from; empty if from an index, or damaged."""
    import json

    found = _metadata()
    try:
        origin = json.loads((found and found.read_text("direct_url.json")) or "{}")
    except (ValueError, RecursionError):
        return {}
    is_good = isinstance(origin, dict) and isinstance(origin.get("url"), str)
    vcs = origin.get("vcs_info", {"vcs": "", "commit_id": ""}) if is_good else None
    is_good = isinstance(vcs, dict) and all(isinstance(vcs.get(key), str) for key in ("vcs", "commit_id"))
    return origin if is_good else {}


def _is_gone(origin: dict[str, Any]) -> bool:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(origin.get("url", ""))
    return parts.scheme == "file" and not Path(url2pathname(parts.path)).exists()


def _requirements(extra: str) -> list[str]:
    """Return what to install for an extra: this copy again, with it, or what it stands for."""
    origin, found = _origin(), _metadata()
    if found is None or not _is_gone(origin):
        return [_named(f"[{extra}]", origin)]
    marker = re.compile(rf"""extra == ['"]{extra}['"]""")
    return [line.partition(";")[0].strip() for line in found.requires or () if marker.search(line)]


def _named(extras: str, origin: dict[str, Any], newest: bool = False) -> str:
    """Return this distribution as PEP 508 writes it."""
    if not origin:
        return DISTRIBUTION + extras
    url = origin["url"]
    if vcs := origin.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}" + ("" if newest else f"@{vcs['commit_id']}")
    if folder := origin.get("subdirectory"):
        url += f"#subdirectory={folder}"
    return f"{DISTRIBUTION}{extras} @ {url}"
