from __future__ import annotations

import asyncio

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.device.event_log import LogName
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import FirmwareVersionResponse
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.dlms import parse_obis
from firmware_emu.ids import CraFlag
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.zcl import ZclStatus
from hil.devices import Esme, Hcalcs, Ihd, LoadSwitch, Ppmid
from tests.devices.device_home import ACB, SUPPLIER, Home, at_hub, join


@pytest.mark.requirement("CH-30")
@pytest.mark.parametrize("kind", [(Ppmid, DeviceType.PPMID), (Hcalcs, DeviceType.HCALCS)])
async def test_two_devices_joined_by_method_a_agree_a_link_key_of_their_own(home: Home, kind: tuple[type, DeviceType]) -> None:
    esme = Esme(*home.parts(DeviceType.ESME))
    other = kind[0](*home.parts(kind[1]))
    await at_hub(home, esme)
    await at_hub(home, other)
    await home.answer()
    await home.hub.clients[esme.eui64].transfer(home.command(esme.eui64, 0x000D, join(0, other), signed=True))
    assert (await home.answer()).payload == bytes.fromhex("020100")
    await home.clock.sleep(5)
    assert esme.pairing.established == set()
    originator = SUPPLIER if kind[1] is DeviceType.HCALCS else ACB
    command = home.command(other.eui64, 0x00AB, join(1, esme), signed=True, originator=originator)
    await home.hub.clients[other.eui64].transfer(command)
    assert (await home.answer()).payload == bytes.fromhex("020100")
    await home.clock.sleep(120)
    assert (esme.pairing.established, other.pairing.established) == ({other.eui64}, {esme.eui64})
    if isinstance(other, Ppmid):
        reading = await other.reader.metering(esme.eui64)
        esme.update()
        assert reading.total == esme.registers.active_import.total
        unjoin = home.command(esme.eui64, 0x000F, b"\x04\x08" + other.eui64.octets, signed=True)
        await home.hub.clients[esme.eui64].transfer(unjoin)
        assert (await home.answer()).payload == bytes.fromhex("020100")
        with pytest.raises(RadioError):
            await other.reader.metering(esme.eui64)
        assert esme.pairing.established == set()
    await asyncio.gather(esme.stop(), other.stop())


async def test_a_display_without_a_link_key_to_the_meter_reads_nothing(home: Home) -> None:
    esme, ihd = Esme(*home.parts(DeviceType.ESME)), Ihd(*home.parts(DeviceType.TYPE_2))
    await at_hub(home, esme)
    await at_hub(home, ihd)
    with pytest.raises(RadioError):
        await ihd.reader.metering(esme.eui64)
    await asyncio.gather(esme.stop(), ihd.stop())


async def test_a_ppmid_tells_its_firmware_version(home: Home) -> None:
    ppmid = Ppmid(*home.parts(DeviceType.PPMID))
    await at_hub(home, ppmid)
    await home.hub.clients[ppmid.eui64].transfer(home.command(ppmid.eui64, 0x0129, bytes.fromhex("0500"), originator=ACB))
    value = Asn1Payload.decode((await home.answer()).payload, 0x0129, CraFlag.RESPONSE).value
    assert value == FirmwareVersionResponse(bytes.fromhex("01000000"), 0)
    await ppmid.stop()


async def test_a_device_that_loses_its_hub_says_so_after_three_misses_and_again_when_it_is_back(home: Home) -> None:
    ihd = Ihd(*home.parts(DeviceType.TYPE_2))
    await at_hub(home, ihd)
    home.hub.node.on = False
    await home.clock.sleep(3 * 3600)
    home.hub.node.on = True
    await home.clock.sleep(3600)
    events = [record.event for record in home.records if record.event.startswith("hub ")]
    assert events == ["hub lost", "hub found"]
    await ihd.stop()


async def test_a_commissioning_alert_raised_before_the_tunnel_follows_as_soon_as_the_tunnel_is_there(home: Home) -> None:
    esme = Esme(*home.parts(DeviceType.ESME))
    await esme.start()
    await esme.join()
    await home.clock.sleep(3)
    before = home.clock.now()
    await home.hub.open(esme.eui64)
    await home.answer()
    assert home.clock.now() - before < 2
    assert joins.entries(esme.gbcs) == []
    await esme.stop()


async def test_a_ppmid_shows_the_meter_and_asks_it_for_credit_and_supply_over_the_han(home: Home) -> None:
    esme, ppmid = Esme(*home.parts(DeviceType.ESME)), Ppmid(*home.parts(DeviceType.PPMID))
    await at_hub(home, esme)
    await at_hub(home, ppmid)
    await home.answer()
    with pytest.raises(RadioError):
        await ppmid.reader.metering(esme.eui64)
    await home.hub.clients[esme.eui64].transfer(home.command(esme.eui64, 0x000D, join(0, ppmid), signed=True))
    await home.answer()
    await home.hub.clients[ppmid.eui64].transfer(home.command(ppmid.eui64, 0x00AB, join(1, esme), signed=True, originator=ACB))
    await home.answer()
    await home.clock.sleep(120)
    esme.model.write((1, parse_obis("0-2:96.13.1"), 2), OctetString(b"Tea is at four"))
    reader, eui64 = ppmid.reader, esme.eui64
    assert await reader.values(eui64, PRICE, "currency", "price_trailing_digits") == {"currency": 826, "price_trailing_digits": 0x50}
    price = await reader.published(eui64, PRICE, "GetCurrentPrice", {"options": 0})
    assert price is not None
    assert (price["unit"], price["trailing_digit_and_tier"]) == (0, 0x51)
    message = await reader.published(eui64, MESSAGING, "GetLastMessage")
    assert message is not None
    assert message["text"] == "Tea is at four"
    names = ("current_summation_delivered", "previous_day_consumption_delivered", "supply_status")
    assert set(await reader.values(eui64, METERING, *names)) == set(names)
    assert await reader.values(eui64, PREPAYMENT, "payment_control_configuration") == {"payment_control_configuration": 0x0094}
    assert (await ppmid.top_up_electricity(eui64, "73943333457189043313"))["result"] == 1
    assert await ppmid.activate_electricity_emergency_credit(eui64) is ZclStatus.FAILURE
    esme.move_supply(LoadSwitch.ARMED)
    assert await ppmid.enable_electricity_supply(eui64) is ZclStatus.SUCCESS
    assert esme.load_switch is LoadSwitch.ENABLED
    codes = [int.from_bytes(one.other[1:], "big") for one in esme.gbcs.logs[LogName.EVENT].entries() if one.code in (0x8154, 0x8155)]
    assert codes[-3:] == [0x0116, 0x0117, 0x0118]
    await asyncio.gather(esme.stop(), ppmid.stop())
