"""Where edgekit's own files and its cache are."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit import resources
from edgekit.errors import ProjectError


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert resources.cache() == Path("/a")
    monkeypatch.delenv("EDGEKIT_CACHE")
    assert resources.cache() == Path("/b/edgekit")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert resources.cache() == Path("/c/.cache/edgekit")


def test_a_user_without_a_home_is_told_what_to_set() -> None:
    # Nobody has this number, so the password database has no home for it either.
    code = (
        "import os\n"
        "from edgekit import resources\n"
        "from edgekit.errors import ProjectError\n"
        "os.getuid = lambda: 3999999999\n"
        "try:\n    resources.cache()\n"
        "except ProjectError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})
    assert done.stdout.strip() == "set EDGEKIT_CACHE to a folder", done.stderr


def test_a_folder_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_BOARDS", "/nowhere")
    with pytest.raises(ProjectError, match="EDGEKIT_BOARDS names '/nowhere'"):
        resources.boards()
    monkeypatch.setenv("EDGEKIT_TEMPLATES", "/etc")
    with pytest.raises(ProjectError, match="EDGEKIT_TEMPLATES names '/etc', which has no folder 'runtime'"):
        resources.firmware_templates()
    monkeypatch.delenv("EDGEKIT_TEMPLATES")
    assert (resources.examples() / "digits").is_dir()
    assert (resources.firmware_templates() / "runtime").is_dir()
