"""Files by XMODEM to a scripted bootloader: right bytes at right places, or an error that says what is."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from flash.images import made_image
from flash.terminal import terminal
from flash.we2_bootloader import MENU, READY, Bootloader, Faults, Line

from edgekit import board as boards
from edgekit import flash
from edgekit.device import ports
from edgekit.errors import DoesNotFitError, FlashError, PortError, ProjectError, UsageError
from edgekit.flash import xmodem
from edgekit.flash._hearing import Listener
from edgekit.flash._we2_session import Patience
from edgekit.flash.xmodem import File

V2 = boards.load("grove_vision_ai_v2")
FACTS = xmodem._read(V2)
FIRMWARE = File("the firmware", 0, random.Random(1).randbytes(3_000))
MODEL = File("model", 0x400000, random.Random(2).randbytes(1_280))
SECOND = File("labels", 0x500000, b"one\ntwo\n")
FILES = (FIRMWARE, MODEL, SECOND)


def send(
    bootloader: Bootloader, files: tuple[File, ...] = FILES, *, presses: int = 99
) -> tuple[list[str], list[int]]:
    """Send files; a person presses RESET when told to, up to `presses` times. Return notes and progress."""
    notes: list[str] = []
    counts: list[int] = []
    line = Line(bootloader)

    def on_note(text: str) -> None:
        notes.append(text)
        if "RESET" in text and sum("RESET" in note for note in notes) <= presses:
            bootloader.press_reset()

    def progress(done: int, whole: int) -> None:
        assert whole == sum(len(file.content) for file in files)
        counts.append(done)

    xmodem.send_files(line, files, FACTS, V2, progress, on_note, Patience(), line.clock)
    return notes, counts


def padded(content: bytes) -> bytes:
    return content.ljust(-(-len(content) // 128) * 128, b"\x1a")


def assert_all_there(bootloader: Bootloader, files: tuple[File, ...] = FILES) -> None:
    assert bootloader.flash == {file.address: padded(file.content) for file in files}
    assert bootloader.rebooted


def test_several_files_in_one_session() -> None:
    bootloader = Bootloader()
    notes, counts = send(bootloader)
    assert_all_there(bootloader)
    assert bootloader.files == [0, 0x400000, 0x500000]
    assert len(notes) == 1
    assert "press the board's RESET" in notes[0]
    assert counts == sorted(counts)
    assert counts[0] == 128
    assert counts[-1] == sum(len(file.content) for file in FILES)
    bootloader.now += 1
    bootloader.tick()
    assert bootloader.state == "application", "no key may be pressed while it restarts"


def test_a_model_alone_leaves_the_firmware() -> None:
    bootloader = Bootloader(flash={0: b"stock"})
    send(bootloader, (MODEL,))
    assert bootloader.flash == {0: b"stock", 0x400000: padded(MODEL.content)}
    assert bootloader.files == [0x400000]


def test_the_preamble_names_the_address() -> None:
    packet = xmodem.preamble(MODEL, FACTS)
    assert packet == bytes.fromhex("c05a 00004000 00000000 5ac0") + b"\xff" * 116


@pytest.mark.parametrize(
    "faults",
    [
        Faults(nak=0.2),
        Faults(flipped=0.0005),
        Faults(duplicate_ack=0.5),
        Faults(lost_packet=0.1),
        Faults(lost_ack=0.1),
        Faults(noise=0.02),
        Faults(garbled_text=0.05),
        Faults(nak_first_eot=True),
        Faults(lost_eot_ack=True),
        Faults(deaf_to_answers=2),
        Faults(other_words=(MENU, READY)),
        Faults(cancel_at=frozenset({5})),
        Faults(cancel_at=frozenset({5}), hangs_after_cancel=True),
        Faults(cancel_at=frozenset({5, 12, 45})),
        Faults(noise=0.01, nak=0.05, duplicate_ack=0.1, lost_ack=0.03, lost_packet=0.03, flipped=0.0001),
    ],
    ids=lambda faults: ",".join(k for k, v in vars(faults).items() if v),
)
@pytest.mark.parametrize("seed", range(5))
def test_faults_are_overcome(faults: Faults, seed: int) -> None:
    bootloader = Bootloader(replace(faults, seed=seed))
    send(bootloader)
    assert_all_there(bootloader)


@pytest.mark.parametrize("seed", range(60))
def test_a_bad_line_never_gives_wrong_bytes_and_success(seed: int) -> None:
    chance = random.Random(seed)
    faults = Faults(
        seed=seed,
        noise=chance.choice([0, 0.05, 0.3]),
        garbled_text=chance.choice([0, 0.1, 0.5]),
        flipped=chance.choice([0, 0.0005, 0.003]),
        nak=chance.choice([0, 0.3]),
        duplicate_ack=chance.choice([0, 0.9]),
        lost_packet=chance.choice([0, 0.3]),
        lost_ack=chance.choice([0, 0.3]),
        cancel_at=frozenset(chance.sample(range(1, 120), chance.randrange(5))),
    )
    bootloader = Bootloader(faults)
    try:
        send(bootloader)
    except FlashError as error:
        assert "on the board now" in error.message or "as it was" in error.message
        if "the firmware (3,000 B at 0x0): written" in error.message:
            assert bootloader.flash[0] == padded(FIRMWARE.content)
        if "as it was" in error.message:
            assert bootloader.flash == {}
    else:
        assert bootloader.flash == {file.address: padded(file.content) for file in FILES}


def test_a_last_packet_that_only_noise_acknowledged_is_sent_again() -> None:
    bootloader = Bootloader(Faults(false_acks=frozenset({24})))
    send(bootloader, (FIRMWARE,))
    assert_all_there(bootloader, (FIRMWARE,))
    assert bootloader.packets == 24 + 1


def test_a_late_answer_does_not_count_for_the_next_packet() -> None:
    # Packet 5 is sent again because of noise, as 6; both answers are late, and 7 gets lost.
    faults = Faults(early_naks=frozenset({5}), late_acks=frozenset({6}), lost_at=frozenset({7}))
    bootloader = Bootloader(faults)
    notes, _ = send(bootloader, (FIRMWARE,))
    assert_all_there(bootloader, (FIRMWARE,))
    assert len(notes) == 1, "the file got through at once"


def test_on_a_quiet_line_nothing_is_sent_twice() -> None:
    bootloader = Bootloader()
    send(bootloader)
    assert bootloader.packets == 24 + (1 + 10) + (1 + 1)
    assert bootloader.junk == b""


def test_who_waits_for_a_file_is_sent_no_more_keys() -> None:
    bootloader = Bootloader(Faults(other_words=(MENU,)))
    send(bootloader)
    assert_all_there(bootloader)
    assert bootloader.junk == b""


def test_files_that_are_done_are_not_sent_again() -> None:
    bootloader = Bootloader(Faults(cancel_at=frozenset({24 + 1 + 3})))
    notes, _ = send(bootloader)
    assert bootloader.files == [0, 0x400000, 0x500000]
    assert any(
        "model (1,280 B at 0x400000) did not get through: the board cancelled" in note for note in notes
    )


def test_a_board_that_misses_the_last_answer_is_told_again() -> None:
    bootloader = Bootloader(Faults(deaf_to_answers=2))
    notes, _ = send(bootloader, (FIRMWARE,))
    assert_all_there(bootloader, (FIRMWARE,))
    assert len(notes) == 1


def test_a_board_that_does_not_restart_has_all_files() -> None:
    bootloader = Bootloader(Faults(deaf_to_answers=9))
    notes, _ = send(bootloader, (FIRMWARE,), presses=1)
    assert bootloader.flash == {0: padded(FIRMWARE.content)}
    assert "all is written" in notes[-1]


def test_a_silent_board() -> None:
    bootloader = Bootloader(Faults(silent_after=0))
    with pytest.raises(FlashError, match="bootloader does not answer; nothing was written") as caught:
        send(bootloader)
    assert "RESET" in caught.value.hint
    assert 60 <= bootloader.now < 61


def test_nobody_presses_reset() -> None:
    bootloader = Bootloader()
    with pytest.raises(FlashError, match="the board is as it was"):
        send(bootloader, presses=0)


def test_a_board_that_falls_silent_midway() -> None:
    bootloader = Bootloader(Faults(silent_after=24 + 1 + 3))
    with pytest.raises(FlashError) as caught:
        send(bootloader, presses=1)
    assert (
        "on the board now: the firmware (3,000 B at 0x0): written; "
        "model (1,280 B at 0x400000): broken, to be written again; labels (8 B at 0x500000): not written"
        in caught.value.message
    )


def test_a_file_that_never_gets_through_is_given_up() -> None:
    bootloader = Bootloader(Faults(cancel_at=frozenset(range(25, 99))))
    with pytest.raises(FlashError, match=r"cancelled the transfer, 3 times; .* 0x0\): written") as caught:
        send(bootloader)
    assert "broken" not in caught.value.message, "its preamble failed: nothing of it was begun"
    assert "model (1,280 B at 0x400000), labels (8 B at 0x500000): not written" in caught.value.message


def test_an_address_that_the_board_rejects() -> None:
    bootloader = Bootloader(Faults(rejected=frozenset({0x400000})))
    with pytest.raises(FlashError, match="written"):
        send(bootloader)
    assert bootloader.files == [0]


def test_an_interrupt_tells_the_board_to_stop() -> None:
    bootloader = Bootloader()
    bootloader_line = Line(bootloader)

    def interrupt(done: int, whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        xmodem.send_files(
            bootloader_line,
            (FIRMWARE,),
            FACTS,
            V2,
            interrupt,
            lambda _: bootloader.press_reset(),
            Patience(),
            bootloader_line.clock,
        )
    assert bootloader.state == "menu"


def test_a_sentence_is_heard_through_noise() -> None:
    sentence = "Send data using the xmodem protocol"
    for heard, expected in (
        (sentence, True),
        ("..." + sentence.replace("data", "d\x80ta") + "...", True),
        (sentence.replace("xmodem", "xmdem"), True),
        (sentence.replace(" the ", " t\x00he\x07 "), True),
        (sentence[:20], False),
        ("Do you want to end file transmission and reboot system", False),
    ):
        listener = Listener(sentence)
        assert any(map(listener.hears, heard.encode("latin-1"))) is expected, heard


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ([File("the firmware", 0, b"")], FlashError, "is empty"),
        ([File("model", 0x400000, b"")], FlashError, "is empty"),
        ([File("the firmware", 0, bytes(0x100001))], DoesNotFitError, "takes 1,048,576 bytes"),
        ([File("model", 0xFFF000, bytes(0x1001))], DoesNotFitError, "takes 4,096 bytes"),
        ([File("model", 0x1000000, b"x")], DoesNotFitError, "takes 0 bytes"),
        ([File("model", 0x400010, b"x")], FlashError, "multiples of 0x1000"),
        ([File("model", 0x1000, b"x")], FlashError, "begin at 0x200000 or more"),
        ([File("a", 0x200000, bytes(0x1001)), File("b", 0x201000, b"x")], FlashError, "over the one before"),
    ],
)
def test_what_cannot_be_written_is_refused(files: list[File], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        xmodem.check(files, FACTS, V2)


def test_it_is_refused_before_the_port_is_touched(tmp_path: Path) -> None:
    with pytest.raises(FlashError, match="is empty"):
        flash.flash_model(b"", V2, "/dev/no-such-port")
    with pytest.raises(PortError, match="no port '/dev/no-such-port'"):
        flash.flash_model(b"model", V2, "/dev/no-such-port")
    with pytest.raises(UsageError, match="no slot 2"):
        flash.flash_model(b"model", V2, "/dev/no-such-port", slot=2)
    with pytest.raises(UsageError, match="as it is"):
        flash.flash_model(b"model", V2, "/dev/no-such-port", header="sensecapai")
    image = made_image(tmp_path, V2, bytes(0x100001))
    with pytest.raises(DoesNotFitError):
        flash.flash(image, V2, "/dev/no-such-port")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("baud", 300, "flash.facts.baud is '300'"),
        ("menu_text", "x", "flash.facts.menu_text"),
        ("preamble_begin", "C0", "lower-case hex"),
        ("speed", 1, "unknown key 'flash.facts.speed'"),
        ("model_address", 0x1000, "model_address lies outside"),
    ],
)
def test_facts_are_read_strictly(key: str, value: str | int, message: str) -> None:
    wrong = replace(V2, flash=replace(V2.flash, facts={**V2.flash.facts, key: value}))
    with pytest.raises(ProjectError, match=message):
        flash.flash_model(b"model", wrong, "/dev/no-such-port")


def test_an_image_with_a_model_goes_over_a_real_serial_port(tmp_path: Path) -> None:
    image = made_image(tmp_path, V2, FIRMWARE.content, {0x400000: MODEL.content})
    bootloader = Bootloader(Faults(seed=3, nak=0.05), window_s=60)
    with terminal(bootloader) as (path, press):
        flash.flash(image, V2, path, on_note=lambda _: press())
    assert_all_there(bootloader, (FIRMWARE, MODEL))


def test_a_port_that_is_pulled_out(tmp_path: Path) -> None:
    image = made_image(tmp_path, V2, FIRMWARE.content)
    bootloader = Bootloader(Faults(silent_after=3), window_s=60)
    with (
        terminal(bootloader, until=lambda: bootloader.state == "dead") as (path, press),
        pytest.raises(FlashError, match=r"the firmware \(3,000 B at 0x0\): broken"),
    ):
        flash.flash(image, V2, path, on_note=lambda _: press())


def test_of_several_ports_the_user_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuple(ports.Port(f"/dev/ttyACM{i}", "CH343", "1a86:55d3") for i in range(2))
    monkeypatch.setattr(xmodem, "list_ports", lambda: found)
    # A boot loader cannot be asked who it is.
    with pytest.raises(PortError, match=r"^several ports match: /dev/ttyACM0 .*/dev/ttyACM1") as caught:
        flash.flash_model(b"model", V2)
    assert "--port" in caught.value.hint
