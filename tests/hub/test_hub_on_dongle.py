"""The hub over unmodified bellows and zigpy, a dongle on a pseudo-terminal, and meters on its air."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.device import asn1_io
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1_types import JoinCommand
from firmware_emu.gbcs.gbz import Component, Gbz, numbered
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.zse.zcl import decode_read_response
from hil.devices.esme.esme import Esme
from hil.devices.gsme.gsme import Gsme
from hil.radio.nodes.node import StackNode
from tests.hub.dongle_bench import PARTIES, DongleBench, meter
from tests.hub.hub_bench import (
    CODES,
    ESME,
    GPF,
    GSME,
    SUPPLIER,
    add_device,
    codes,
    read_logs,
)


@pytest.fixture
def bench(dongle_bench: DongleBench) -> DongleBench:
    return dongle_bench


@pytest.mark.requirement("CH-02")
@pytest.mark.requirement("CH-03")
@pytest.mark.requirement("CH-33")
async def test_a_meter_joins_through_the_dongle_answers_a_command_and_does_so_again_after_a_power_cut(bench: DongleBench) -> None:
    esme = await meter(bench, Esme, ESME, 0)
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,))
    assert bench.hub.status.network is not None
    assert bench.hub.status.network.extended_pan_id == GPF
    first = await bench.ask_device(0x0013, b"\x05\x00", ESME)
    assert first.header.originator == ESME
    await bench.cut()
    bench.dongle.power(False)
    await bench.clock.sleep(30)
    bench.dongle.power(True)
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,), 60)
    second = await bench.ask_device(0x0013, b"\x05\x00", ESME)
    assert second.payload == first.payload
    assert codes(await bench.ask(read_logs(bench))) == [0, 0]
    assert len(bench.alerts(0x8F35)) == 1
    await esme.stop()


@pytest.mark.requirement("GPF-02")
@pytest.mark.requirement("GPF-09")
async def test_a_sleepy_gas_meter_fetches_its_commands_and_its_register_is_read_from_the_gpf(bench: DongleBench) -> None:
    gsme = await meter(bench, Gsme, GSME, 1)
    assert isinstance(gsme, Gsme)
    join = asn1_io.write("JoinCommand", JoinCommand(2, GPF, 3))
    answer = await bench.ask_device(0x000E, join, GSME, 3700)
    assert answer.payload == asn1_io.code(0)
    await bench.clock.sleep(3700)
    read = Component(0x0702, 0x00, 0, 0x00, bytes.fromhex("0203010300030000"))
    response = await bench.ask_device(0x0074, numbered((read,)).encode(), GPF)
    payload = decode_payload(response)
    assert isinstance(payload, Gbz)
    z = bench.keystore.shared_secret(GPF, SUPPLIER)
    opened = protect.decrypt(payload.components[0].payload, z, originator=GPF, counter=response.header.counter, recipient=SUPPLIER)
    records = {record.attribute: record.value for record in decode_read_response(opened)}
    assert isinstance(records[0], int)
    assert records[0] > 0
    await gsme.stop()


async def test_the_supply_cut_while_a_meter_is_joining_does_not_spoil_the_home(bench: DongleBench) -> None:
    assert codes(await bench.ask(add_device(bench, ESME))) == [0, 0, 0]
    esme = Esme(ESME, CODES[ESME], bench.keystore, StackNode(bench.air, ESME), bench.clock, bench.trace, PARTIES)
    await esme.start()
    joining = asyncio.create_task(esme.join())
    await bench.wait_for(lambda: any(one.event == "joined" for one in bench.records), 60)
    await bench.cut()
    await asyncio.wait({joining})
    joining.exception()
    await bench.power_on()
    if esme.node.joined:
        await esme.node.leave()
    await esme.join()
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,), 60)
    await bench.ask_device(0x0013, b"\x05\x00", ESME)
    await esme.stop()
