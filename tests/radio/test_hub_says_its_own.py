"""Speech of a hub's dongle on the air: its own and the stack's, nothing that the library below it adds for home automation."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.han.base import SMART_ENERGY, ZDO_PROFILE, ApsFrame, NetworkSettings, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.frames import ApsPdu
from hil.radio.stack.aps import Aps, Sent
from hil.radio.stack.status import Status
from tests.radio.custody_rig import Rig
from tests.radio.radio_bench import HUB, LINK_KEY, METER

OWN = NetworkSettings(Eui64.parse("00db1234567890a1"), 15, 0x1234, bytes(range(16)))


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_permit_and_a_broadcast_carry_smart_energy_and_zdo_only(
    clock: Clock, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(family, tmp_path, clock)
    dongle = rig.dongle(HUB)
    said: list[tuple[int, int, int]] = []
    plain = Aps.send

    def send(aps: Aps, destination: int, pdu: ApsPdu, sent: Sent, radius: int = 0) -> Status:
        said.append((destination, pdu.profile, pdu.destination_endpoint))
        return plain(aps, destination, pdu, sent, radius)

    monkeypatch.setattr(Aps, "send", send)
    async with rig.radio(dongle, SimpleDescriptor(1, 0x0508, (0x000A,), (0x0702,))) as radio:
        await radio.form(OWN)
        await radio.permit(METER, LINK_KEY, 60)
        await radio.broadcast(ApsFrame(0x000A, b"\x18\x01\x0a\x00\x00\xe2", 1, 0xFF, secured=False))
        await radio.forbid()
    assert {profile for _, profile, _ in said} == {SMART_ENERGY, ZDO_PROFILE}
    assert 242 not in {endpoint for _, _, endpoint in said}
