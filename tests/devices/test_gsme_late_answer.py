"""A message that the hub was told has arrived is acted on, however late the meter looks."""

from __future__ import annotations

from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.tunneling import GetResponse, encode_mailbox
from firmware_emu.zse.zcl import encode_attribute_ids
from tests.devices.device_home import Home, joined


async def test_a_get_response_that_comes_too_late_is_executed_with_the_next(home: Home) -> None:
    gsme = await joined(home)
    read = Gbz((Component(METERING.id, 0x00, 0, 0x00, encode_attribute_ids((0x0014,))),)).encode()
    late = home.command(gsme.eui64, 0x0082, read)
    assert gsme.tunnel is not None
    await gsme.tunnel.open()
    await home.hub.server.transfer(gsme.eui64, encode_mailbox(GetResponse(0, late)))
    await gsme.wake()
    assert (await home.answer()).header.counter == 1001
    await gsme.stop()
