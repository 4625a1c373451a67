"""An HCALCS follows the auxiliary switch of the meter it is joined with, over the HAN."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.dlms import parse_obis
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.drlc import DRLC
from hil.devices import Esme, Hcalcs
from tests.devices.device_home import SUPPLIER, Home, at_hub, join


async def pair(home: Home) -> tuple[Esme, Hcalcs]:
    esme, hcalcs = Esme(*home.parts(DeviceType.ESME)), Hcalcs(*home.parts(DeviceType.HCALCS))
    await at_hub(home, esme)
    await at_hub(home, hcalcs)
    await home.answer()
    await home.hub.clients[esme.eui64].transfer(home.command(esme.eui64, 0x000D, join(0, hcalcs), signed=True))
    await home.answer()
    await home.hub.clients[hcalcs.eui64].transfer(home.command(hcalcs.eui64, 0x00AB, join(1, esme), signed=True, originator=SUPPLIER))
    await home.answer()
    await home.clock.sleep(120)
    return esme, hcalcs


def force(esme: Esme, level: int, number: int = 1) -> None:
    """Override a switch for an hour."""
    now = int(esme.now())
    switch = esme.controls.switches[number]
    switch.forced, switch.forced_from, switch.forced_until = level, now, now + 3600
    esme.update()


def is_closed(hcalcs: Hcalcs) -> bool:
    return hcalcs.closed


async def test_a_switch_follows_its_meter_and_reports_that_it_does(home: Home) -> None:
    esme, hcalcs = await pair(home)
    assert not is_closed(hcalcs)
    force(esme, 100)
    await home.clock.sleep(1)
    assert is_closed(hcalcs)
    assert esme.load_controller.reported == {hcalcs.eui64: (2, 100)}
    await home.clock.sleep(3600)
    esme.update()
    await home.clock.sleep(1)
    assert not is_closed(hcalcs)
    assert esme.load_controller.reported == {hcalcs.eui64: (2, 0)}
    force(esme, 100, number=2)
    await home.clock.sleep(1)
    assert not is_closed(hcalcs)
    await asyncio.gather(esme.stop(), hcalcs.stop())


async def test_a_switch_that_was_without_power_asks_what_it_missed(home: Home) -> None:
    esme, hcalcs = await pair(home)
    hcalcs.power(False)
    force(esme, 100)
    await home.clock.sleep(60)
    assert not is_closed(hcalcs)
    hcalcs.power(True)
    await home.clock.sleep(5)
    assert is_closed(hcalcs)
    await asyncio.gather(esme.stop(), hcalcs.stop())


async def test_a_device_that_is_not_the_meter_moves_nothing(home: Home) -> None:
    esme, hcalcs = await pair(home)
    payload = esme.load_controller._event(1)
    answer = await home.hub.zcl.request(hcalcs.eui64, 0x51, DRLC.id, 0x00, payload, source_endpoint=123, to_server=False)
    assert answer.default_response is not None
    assert answer.default_response.status == 0x7E
    with pytest.raises(RadioError):
        await home.hub.zcl.find_endpoint(hcalcs.eui64, DRLC.id)
    await asyncio.gather(esme.stop(), hcalcs.stop())


async def test_the_switch_that_a_meter_is_set_to_decides_who_follows_it_not_the_order_of_joining(home: Home) -> None:
    esme, hcalcs = await pair(home)
    assert esme.controls.number_of(hcalcs.eui64) == 1
    for number, identity in ((1, b""), (4, hcalcs.eui64.octets)):
        esme.model.write((1, parse_obis(f"0-0:94.44.0.2{number}"), 2), OctetString(identity))
    force(esme, 100)
    await home.clock.sleep(1)
    assert not is_closed(hcalcs)
    force(esme, 100, number=4)
    await home.clock.sleep(1)
    assert is_closed(hcalcs)
    other = Eui64.parse("00db1234567890bf")
    joins.add(esme.gbcs, other, DeviceType.HCALCS.value, 0)
    esme.log_may_have_changed()
    assert (esme.controls.number_of(hcalcs.eui64), esme.controls.number_of(other)) == (4, 2)
    await asyncio.gather(esme.stop(), hcalcs.stop())
