"""A dongle whose firmware has no room for a part of what it is asked: the hub's messages go through, each of them once."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, NetworkSettings, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.ncp.refusals import CROWDED
from hil.radio.nodes.node import StackNode
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack.status import Status
from tests.radio.custody_rig import Rig
from tests.radio.radio_bench import DISPLAY, HUB, LINK_KEY, METER, OTHER_KEY

OWN = NetworkSettings(Eui64.parse("00db1234567890a1"), 15, 0x1234, bytes(range(16)))
MESSAGES = [bytes([number, number]) * (300 if number % 10 == 0 else 20) for number in range(1, 61)]
"""Most fit one frame, each tenth goes in pieces."""


@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_fifth_of_the_commands_refused_costs_no_message_and_doubles_none(clock: Clock, family: str, tmp_path: Path) -> None:
    rig = Rig(family, tmp_path, clock)
    dongle = rig.dongle(HUB)
    meter = StackNode(rig.air, METER)
    meter.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702, 0x0704, 0x0800), (0x000A,)))
    heard: list[bytes] = []
    meter.receiver = lambda sender, frame: heard.append(frame.payload)
    async with rig.radio(dongle, SimpleDescriptor(1, 0x0508, (0x000A,), (0x0704,))) as radio:
        await radio.form(OWN)
        dongle.faults = NcpFaults(busy=0.2, seed=3)
        await radio.permit(DISPLAY, OTHER_KEY, 60)
        await radio.permit(METER, LINK_KEY, 60)
        assert await meter.join(LINK_KEY, extended_pan_id=OWN.extended_pan_id) == HUB
        for message in MESSAGES:
            await radio.send(METER, ApsFrame(0x0704, message, 1, 1))
            if len(message) > 100:
                await radio.broadcast(ApsFrame(0x000A, b"\x18\x01\x0a\x00\x00\xe2", 1, 0xFF, secured=False))
        await radio.forbid()
        refusals = dongle.ncp.crowd.refusals
    assert [one for one in heard if one in MESSAGES] == MESSAGES
    assert len({status for _, status in refusals}) == {"ezsp": 3, "znp": 5}[family]


def test_a_crowded_firmware_gives_each_of_its_statuses_in_turn_and_a_roomy_one_none() -> None:
    crowd = Crowd(NcpFaults(busy=1.0))
    told = [crowd.status("sendUnicast", CROWDED["sendUnicast"]) for _ in range(4)]
    assert set(told) == {Status.NO_BUFFERS, Status.MAX_MESSAGE_LIMIT_REACHED}
    assert crowd.status("nop", ()) is None
    assert Crowd(NcpFaults()).status("sendUnicast", CROWDED["sendUnicast"]) is None
