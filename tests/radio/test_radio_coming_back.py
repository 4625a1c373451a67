"""A Device whose supply comes back before its hub is there: its parent does not take it back yet, and it asks again until it does."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.han.base import HanNode
from firmware_emu.ids import InstallCode
from firmware_emu.trace import Record, Trace
from hil.devices.ihd import Ihd
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.joiner import EzspNode
from hil.radio.nodes.node import StackNode
from tests.radio.radio_bench import HUB, LINK_KEY, METER, Coordinator


@pytest.mark.parametrize("behind_a_dongle", [False, True])
async def test_a_sleepy_device_whose_hub_starts_later_than_it_comes_back_by_itself(
    behind_a_dongle: bool, clock: Clock, keystore: Keystore
) -> None:
    air, records = Air(clock), list[Record]()
    dongle = NcpServer(air, METER, 13, None, clock)
    node: HanNode = EzspNode(str(await dongle.serve_pty()), clock=clock) if behind_a_dongle else StackNode(air, METER)
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    hub = Coordinator(air)
    device = Ihd(METER, InstallCode(bytes(16)), keystore, node, clock, trace)
    device.radio_sleeps = True
    await device.start()
    hub.form()
    hub.permit(METER)
    device.coordinator = await node.join(LINK_KEY, sleepy=True)
    device.power(False)
    hub.stack.power_off()
    device.power(True)
    await asyncio.sleep(20)
    told = [one.event for one in records if one.event in ("resumed", "not resumed")]
    assert set(told) == {"not resumed"}
    assert not node.joined
    hub.stack.initialise()
    await asyncio.sleep(120)
    assert node.joined
    assert device.coordinator == HUB
    told = [one.event for one in records if one.event in ("resumed", "not resumed")]
    assert told.count("resumed") == 1
    await device.stop()
    if isinstance(node, EzspNode):
        await node.stop()
    await dongle.close()
