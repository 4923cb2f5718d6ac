"""Reading flasher_args.json, which comes out of a build folder and is believed in nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import ToolError
from edgekit.firmware import flasher_args
from edgekit.firmware.flasher_args import FlashFile
from edgekit.firmware.image import RECORD, FirmwareImage, FlashSettings


def document(**changes: Any) -> dict[str, Any]:
    """Return what ESP-IDF writes for a project with a partition for its model."""
    fields: dict[str, Any] = {
        "write_flash_args": ["--flash-mode", "dio", "--flash-size", "8MB", "--flash-freq", "80m"],
        "flash_settings": {"flash_mode": "dio", "flash_size": "8MB", "flash_freq": "80m"},
        "flash_files": {
            "0x0": "bootloader/bootloader.bin",
            "0x10000": "firmware.bin",
            "0x8000": "partition_table/partition-table.bin",
            "0x300000": "model.tflite",
        },
        "bootloader": {"offset": "0x0", "file": "bootloader/bootloader.bin", "encrypted": "false"},
        "app": {"offset": "0x10000", "file": "firmware.bin", "encrypted": "false"},
        "partition-table": {
            "offset": "0x8000",
            "file": "partition_table/partition-table.bin",
            "encrypted": "false",
        },
        "extra_esptool_args": {
            "after": "hard-reset",
            "before": "default-reset",
            "stub": True,
            "chip": "esp32s3",
        },
    }
    return fields | changes


def parse(fields: object) -> flasher_args.FlasherArgs:
    return flasher_args.parse(json.dumps(fields))


def test_files_come_by_offset_with_the_names_of_the_build() -> None:
    found = parse(document())
    assert found.files == (
        FlashFile("bootloader", 0x0, "bootloader/bootloader.bin"),
        FlashFile("partition-table", 0x8000, "partition_table/partition-table.bin"),
        FlashFile("app", 0x10000, "firmware.bin"),
        FlashFile("model", 0x300000, "model.tflite"),
    )
    assert found.settings == FlashSettings(mode="dio", freq="80m", size="8MB", chip="esp32s3")
    assert found.settings.size_bytes == 8 << 20


def test_the_spelling_of_esp_idf_5_means_the_same() -> None:
    older = document(
        write_flash_args=["--flash_mode", "dio", "--flash_size", "8MB", "--flash_freq", "80m"],
        extra_esptool_args={
            "after": "hard_reset",
            "before": "default_reset",
            "stub": True,
            "chip": "esp32s3",
        },
    )
    assert parse(older) == parse(document())


def test_what_is_not_said_is_kept() -> None:
    found = parse({"write_flash_args": [], "flash_files": {"65536": "app.bin"}})
    assert found.settings == FlashSettings()
    assert found.settings.size_bytes is None
    assert found.files == (FlashFile("app", 0x10000, "app.bin"),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flash_files": {"0x0": "/etc/passwd"}}, "a path inside the build folder"),
        ({"flash_files": {"0x0": "../secret.bin"}}, "a path inside the build folder"),
        ({"flash_files": {"0x0": "a/../../b"}}, "a path inside the build folder"),
        ({"flash_files": {"0x0": "C:\\\\boot.bin"}}, "a path inside the build folder"),
        ({"flash_files": {"0x0": "--force"}}, "a path inside the build folder"),
        ({"flash_files": {"0x0": 7}}, "must be text"),
        ({"flash_files": {}}, "1 to 32 files"),
        ({"flash_files": {hex(i << 12): f"{i}.bin" for i in range(33)}}, "1 to 32 files"),
        ({"flash_files": []}, "flash_files is wrong; it must be an object"),
        ({"flash_files": {"0x0": "a.bin", "0x00": "b.bin"}}, "an offset of its own"),
        ({"flash_files": {"0x0": "a.bin", "0x1000": "a.bin"}}, "different paths and names"),
        ({"flash_files": {"0x0": "a/x.bin", "0x1000": "b/x.bin"}}, "different paths and names"),
        ({"flash_files": {"0x10": "a.bin"}}, "0x10 is wrong.*multiple of 4096"),
        ({"flash_files": {"-4096": "a.bin"}}, "an offset in flash"),
        ({"flash_files": {"0x8000000": "a.bin"}}, "0x8000000 is wrong"),
        ({"flash_files": {"٣": "a.bin"}}, "an offset in flash"),
        ({"write_flash_args": ["--flash-mode"]}, "a list of options"),
        ({"write_flash_args": ["--encrypt", "x"]}, "'--encrypt' is wrong"),
        ({"write_flash_args": ["--flash-mode", "dio", "--flash_mode", "dio"]}, "once"),
        ({"write_flash_args": ["--flash-mode", "quad"], "flash_settings": {}}, "mode 'quad'"),
        ({"write_flash_args": None}, "write_flash_args is wrong"),
        ({"flash_settings": {"flash_mode": "qio"}}, "'dio' as in write_flash_args"),
        ({"flash_settings": "dio"}, "flash_settings is wrong"),
        ({"extra_esptool_args": {"after": "explode"}}, "after 'explode'"),
        ({"extra_esptool_args": {"stub": "yes"}}, "true or false"),
        ({"extra_esptool_args": {"chip": "esp32s3; rm"}}, "chip 'esp32s3; rm'"),
        ({"extra_esptool_args": {"chip": 3}}, "must be text"),
        ({"app": {"offset": "0x20000", "file": "firmware.bin"}}, "app is wrong.*is not there"),
        ({"app": {"offset": "0x10000", "file": "firmware.bin", "encrypted": "true"}}, "is to be encrypted"),
        ({"two words": {"offset": "0x0", "file": "a.bin"}}, "two words is wrong"),
    ],
)
def test_wrong_fields_are_named(changes: dict[str, Any], message: str) -> None:
    fields = document(**changes)
    if "flash_files" in changes:
        fields = {key: fields[key] for key in ("write_flash_args", "flash_files")}
    with pytest.raises(ToolError, match=message):
        parse(fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[]", "must be an object"),
        (b"\xff\xfe\x00", "not valid JSON"),
        ('{"flash_files": {"0x0": "a.bin", "0x0": "b.bin"}, "write_flash_args": []}', "the same key twice"),
        ("[" * 60000, "not valid JSON"),
        (" " * 70000, "more than 65536 characters"),
    ],
)
def test_other_texts_are_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        flasher_args.parse(text)


def built(folder: Path, **sizes: int) -> flasher_args.FlasherArgs:
    """Write a build folder whose files have these sizes, and read it."""
    fields = document()
    for number, path in enumerate(fields["flash_files"].values()):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([number]) * sizes.get(file.stem, 100))
    (folder / flasher_args.NAME).write_text(json.dumps(fields))
    return flasher_args.read(folder)


def test_parts_have_sizes_and_digests(tmp_path: Path) -> None:
    parts = flasher_args.parts(built(tmp_path, firmware=4097), tmp_path)
    assert [(part.name, part.offset, part.size_bytes) for part in parts] == [
        ("bootloader", 0, 100),
        ("partition-table", 0x8000, 100),
        ("app", 0x10000, 4097),
        ("model", 0x300000, 100),
    ]
    assert len({part.sha256 for part in parts}) == 4


def test_files_that_touch_do_not_overlap(tmp_path: Path) -> None:
    flasher_args.parts(built(tmp_path, bootloader=0x8000), tmp_path)
    with pytest.raises(ToolError, match=r"bootloader.bin' takes flash up to 0x9000.*begins at 0x8000"):
        flasher_args.parts(built(tmp_path, bootloader=0x8001), tmp_path)


def test_an_image_keeps_its_settings_and_parts(tmp_path: Path) -> None:
    args = built(tmp_path)
    parts = flasher_args.parts(args, tmp_path)
    digest = "0" * 64
    image = FirmwareImage(
        path=tmp_path / "firmware.bin",
        board_id="xiao_esp32s3",
        model_digest=digest,
        contract_digest=digest,
        project_digest=digest,
        sha256=parts[2].sha256,
        size_bytes=parts[2].size_bytes,
        compiler="gcc",
        debug=False,
        parts=parts,
        flash_settings=args.settings,
    )
    image.save()
    assert FirmwareImage.load(tmp_path) == image
    record = tmp_path / RECORD
    record.write_text(record.read_text().replace('"dio"', '"dio --force"'))
    with pytest.raises(ToolError, match="flash_settings is wrong"):
        FirmwareImage.load(tmp_path)


def test_files_must_be_there_and_fit(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="is empty"):
        flasher_args.parts(built(tmp_path, firmware=0), tmp_path)
    with pytest.raises(ToolError, match="ends behind the flash's 8,388,608 B"):
        flasher_args.parts(built(tmp_path, model=0x500001), tmp_path)
    args = built(tmp_path)
    (tmp_path / "firmware.bin").unlink()
    with pytest.raises(ToolError, match=r"cannot read .*firmware.bin"):
        flasher_args.parts(args, tmp_path)
    with pytest.raises(ToolError, match=r"cannot read .*flasher_args.json"):
        flasher_args.read(tmp_path / "elsewhere")
