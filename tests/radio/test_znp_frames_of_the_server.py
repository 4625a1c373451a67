"""MT frames where the virtual ZNP parts what comes from its host, and those that it is given to say."""

from __future__ import annotations

import pytest

from firmware_emu.clock import Clock
from hil.radio.air.air import Air
from hil.radio.port.faults import FaultyLine, NcpFaults
from hil.radio.znp.mt import MtFrame, MtKind
from hil.radio.znp.server import ZnpServer
from tests.radio.radio_bench import HUB

PING = bytes.fromhex("fe00210120")


@pytest.mark.parametrize(
    ("octets", "length"),
    [
        ("", 0),
        ("fe", 0),
        ("00", 1),
        ("00fe", 1),
        ("fe00", 0),
        ("fe002101", 0),
        ("fe00210120", 5),
        ("fe00210120fe", 5),
        ("fe03210801000029", 8),
        ("fe032108010000", 0),
    ],
)
def test_a_frame_ends_after_start_length_command_data_and_check_and_another_octet_is_a_piece_by_itself(octets: str, length: int) -> None:
    """TI Monitor and Test API: SOF 0xFE, length of the data, two octets of command, data, check."""
    assert ZnpServer._frame_length(bytes.fromhex(octets)) == length


def test_a_frame_that_comes_octet_by_octet_passes_a_faulty_line_as_one() -> None:
    line = FaultyLine(NcpFaults(repeated=1.0), ZnpServer._frame_length)
    assert [one for octet in PING for one in line.from_host(bytes([octet]))] == [PING + PING]


async def test_what_a_server_is_given_to_say_goes_out_between_start_and_check_while_it_is_on(clock: Clock) -> None:
    said: list[bytes] = []
    server = ZnpServer(Air(clock, 1), HUB, clock=clock)
    server._put = said.append  # type: ignore[assignment,method-assign]
    server.say_frame(bytes.fromhex("2101"))
    server.say_frame(bytes.fromhex("2108010000"))
    server._to_host(MtFrame(MtKind.SREQ, 1, 1, b""))
    assert said == [PING, bytes.fromhex("fe0321080100002b"), PING]
    server.power(False)
    server.say_frame(bytes.fromhex("2101"))
    server._to_host(MtFrame(MtKind.SREQ, 1, 1, b""))
    assert len(said) == 3
    await server.close()


async def test_a_dongle_that_resets_again_or_is_off_before_it_is_up_does_not_say_that_it_is(clock: Clock) -> None:
    """SYS_RESET_IND (41 80) with its reason, 2 for the watchdog."""
    said: list[bytes] = []
    server = ZnpServer(Air(clock, 1), HUB, clock=clock)
    server._put = said.append  # type: ignore[assignment,method-assign]
    server.reset()
    await clock.sleep(0.03)
    server.reset()
    await clock.sleep(0.03)
    assert not said, "the second is not up yet"
    await clock.sleep(0.1)
    assert [one[2:5].hex() for one in said] == ["418002"]
    server.reset()
    server.power(False)
    await clock.sleep(0.2)
    assert len(said) == 1
    await server.close()
