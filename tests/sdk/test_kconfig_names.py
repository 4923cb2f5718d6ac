"""The script that holds our sdkconfig.defaults to ESP-IDF's names, also those of the ESP-IDF in IDF_PATH."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

_VERSION = "set(IDF_VERSION_MAJOR 5)\nset(IDF_VERSION_MINOR 4)\nset(IDF_VERSION_PATCH 1)\n"
SCRIPT = Path(__file__).parents[2] / "scripts" / "kconfig_names.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    found = importlib.util.spec_from_file_location("kconfig_names", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def tree(folder: Path, names: set[str]) -> Path:
    """Write an ESP-IDF tree with these names, and some that do not count."""
    files = {
        "tools/cmake/version.cmake": _VERSION,
        "Kconfig": "".join(f"    config {name}\n        bool\n" for name in sorted(names)[::2]),
        "components/esp_system/port/soc/esp32s3/Kconfig.cpu": "".join(
            f"menuconfig {name}\n" for name in sorted(names)[1::2]
        ),
        "components/esp_system/port/soc/esp32c3/Kconfig.cpu": "config ONLY_ON_ANOTHER_CHIP\n",
        "components/mqtt/Kconfig": "config OF_NO_INTEREST\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_reads_the_names_of_the_chip_alone(script: ModuleType, tmp_path: Path) -> None:
    assert script.names(tree(tmp_path, {"ONE", "TWO_3", "THREE"})) == {"ONE", "TWO_3", "THREE"}


def test_says_which_names_are_unknown(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = script.used()
    assert {"SPIRAM_MODE_OCT", "ESPTOOLPY_FLASHSIZE_16MB", "ESP_TASK_WDT_CHECK_IDLE_TASK_CPU1"} <= used
    assert script.main([str(tree(tmp_path / "a", used)), "--check"]) == 0
    assert capsys.readouterr().out == f"ESP-IDF 5.4.1 knows all {len(used)} names\n"
    assert script.main([str(tree(tmp_path / "b", used - {"SPIRAM_MODE_OCT"})), "--check"]) == 1
    assert capsys.readouterr().err == "ESP-IDF 5.4.1 does not know: SPIRAM_MODE_OCT\n"
    assert script.main([]) == 2
    assert script.main([str(tmp_path / "a"), "--chek"]) == 2


def test_the_list_is_what_the_script_writes(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = script.used()
    assert used <= set(script.LIST.read_text("utf-8").splitlines())
    monkeypatch.setattr(script, "LIST", tmp_path / "list")
    assert script.main([str(tree(tmp_path / "a", used))]) == 0
    lines = (tmp_path / "list").read_text("utf-8").splitlines()
    assert lines[0] == "# Configuration names of ESP-IDF 5.4.1, by scripts/kconfig_names.py."
    assert lines[1:] == sorted(used)


@pytest.mark.skipif("IDF_PATH" not in os.environ, reason="no ESP-IDF is named by IDF_PATH")
def test_the_esp_idf_at_hand_knows_them(script: ModuleType) -> None:
    assert script.main([os.environ["IDF_PATH"], "--check"]) == 0
