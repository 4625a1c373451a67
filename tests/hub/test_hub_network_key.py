"""The network key of the HAN is changed: with mains and sleepy Devices, over a power cut, by its period."""

from __future__ import annotations

import pytest

from firmware_emu.gbcs.axdr import Null
from firmware_emu.gbcs.dlms import AccessRequest, Choice, Specification, invoke_id, parse_obis
from hil.devices.esme.esme import Esme
from hil.devices.gsme.gsme import Gsme
from hil.radio.nodes.node import StackNode
from tests.hub.dongle_bench import DongleBench, meter
from tests.hub.hub_bench import ESME, GSME

SPREAD_S = 3600
READ_IMPORT = AccessRequest(invoke_id(1), (Specification(Choice.GET, 3, parse_obis("1-0:1.8.0"), 2),), (Null(),)).encode()


@pytest.fixture
def bench(dongle_bench: DongleBench) -> DongleBench:
    return dongle_bench


def key_of(device: Esme | Gsme) -> bytes | None:
    assert isinstance(device.node, StackNode)
    return device.node.stack.tokens.network_key


def network_key(bench: DongleBench) -> bytes | None:
    network = bench.hub.status.network
    return None if network is None else network.network_key


@pytest.mark.parametrize("cut", [False, True])
async def test_every_device_takes_the_new_key_awake_or_asleep_and_a_power_cut_between_loses_nothing(bench: DongleBench, cut: bool) -> None:
    esme, gsme = await meter(bench, Esme, ESME, 0), await meter(bench, Gsme, GSME, 1)
    await bench.clock.sleep(60)
    old = network_key(bench)
    assert key_of(esme) == key_of(gsme) == old
    bench.hub.rotate_network_key()
    await bench.clock.sleep(SPREAD_S / 2)
    assert key_of(esme) == old
    if cut:
        await bench.cut()
        await bench.power_on()
    await bench.clock.sleep(SPREAD_S / 2 + 60)
    new = network_key(bench)
    assert new not in (None, old)
    assert key_of(esme) == new
    await bench.clock.sleep(SPREAD_S)
    assert key_of(gsme) == new
    begun = bench.clock.now()
    await bench.clock.sleep(3700)
    assert [one.event for one in bench.records if one.time > begun and one.event in ("awake", "wake step failed")] == ["awake", "awake"]
    assert (await bench.ask_device(0x0027, READ_IMPORT, ESME)).header.originator == ESME
    assert "hub lost" not in [one.event for one in bench.records]


async def test_the_key_changes_by_itself_when_its_period_is_over(bench: DongleBench) -> None:
    old = network_key(bench)
    await bench.clock.sleep(30 * 24 * 3600 + SPREAD_S + 60)
    assert network_key(bench) not in (None, old)
    (given, switched) = (
        [one.time for one in bench.records if one.event == event] for event in ("network key given", "network key switched")
    )
    assert len(given) == len(switched) == 1
