"""Choosing the board's port."""

import pytest

from edgekit.device.ports import Port, choose, list_ports, matching
from edgekit.errors import PortError

PORTS = (
    Port("/dev/ttyACM0", "Board", "303a:1001"),
    Port("/dev/ttyACM1", "Board", "303a:1001"),
    Port("/dev/ttyS0", "ttyS0", ""),
    Port("/dev/ttyUSB0", "Bridge", "1a86:55d3"),
)


def never(path: str) -> bool:
    raise AssertionError(path)


def test_one_match_is_taken_without_asking() -> None:
    assert choose(PORTS, ["1A86:55d3"], never) == "/dev/ttyUSB0"


def test_of_several_the_one_that_answers_is_taken() -> None:
    assert choose(PORTS, ["303a:1001"], lambda path: path.endswith("1")) == "/dev/ttyACM1"


@pytest.mark.parametrize(
    ("usb_ids", "answers", "message"),
    [
        (["303a:1001"], True, "several boards answer: /dev/ttyACM0 .* /dev/ttyACM1"),
        (["303a:1001"], False, "several ports match and no board answers: /dev/ttyACM0"),
        ([], False, "several ports match .* /dev/ttyUSB0"),
        (["0000:0001"], False, "no serial port with USB id 0000:0001 .*ttyS0"),
    ],
)
def test_otherwise_all_are_listed(usb_ids: list[str], answers: bool, message: str) -> None:
    with pytest.raises(PortError, match=message):
        choose(PORTS, usb_ids, lambda path: answers)


def test_no_ports_at_all() -> None:
    with pytest.raises(PortError, match=r"no USB serial port was found \(ports of this computer: none\)"):
        choose((), (), never)


def test_this_computer_can_be_asked() -> None:
    assert all(port.path for port in list_ports())
    assert set(matching(["ffff:ffff"])) == set()
