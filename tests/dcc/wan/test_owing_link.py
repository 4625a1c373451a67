"""Bench time is held while a hub in another process owes an answer."""

from __future__ import annotations

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import WanError
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag
from firmware_emu.wan.base import WanFrame, WanKind
from hil.bench.owing_link import OwingLink
from tests.dcc.far_end import ACB, ESME


class Link:
    """A link whose far end says what a test lists."""

    connected = True

    def __init__(self, *frames: WanFrame) -> None:
        self.frames = list(frames)

    async def connect(self) -> None:
        pass

    async def send(self, frame: WanFrame) -> None:
        pass

    async def receive(self) -> WanFrame:
        if not self.frames:
            raise WanError("gone")
        return self.frames.pop(0)

    async def close(self) -> None:
        pass


def message(flag: CraFlag, counter: int) -> WanFrame:
    ends = (ACB, ESME) if flag is CraFlag.COMMAND else (ESME, ACB)
    return WanFrame(WanKind.MESSAGE, counter, Message(GroupingHeader(flag, counter, *ends, OtherInformation(0x0062)), b"\x00").encode())


def held(clock: Clock) -> int:
    return sum(clock._holds.values())


async def test_time_is_held_from_a_command_to_its_acknowledgement_and_its_response(clock: Clock) -> None:
    link = OwingLink(Link(WanFrame(WanKind.ACKNOWLEDGE, 5), message(CraFlag.RESPONSE, 4), message(CraFlag.RESPONSE, 5)), clock)
    before = held(clock)
    await link.send(message(CraFlag.COMMAND, 5))
    counts = [held(clock)]
    for _ in range(3):
        await link.receive()
        counts.append(held(clock))
    assert [count - before for count in counts] == [2, 1, 1, 0], "a Response to another Command pays nothing"


async def test_a_hub_that_went_away_owes_nothing(clock: Clock) -> None:
    link = OwingLink(Link(), clock)
    before = held(clock)
    await link.send(message(CraFlag.COMMAND, 5))
    with pytest.raises(WanError):
        await link.receive()
    assert held(clock) == before
