"""Scenarios over many homes: a power cut, a storm of alerts."""

from __future__ import annotations

import asyncio
import struct

from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device import firmware
from firmware_emu.device.firmware import OtaImage
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record
from hil.dcc.own_services.firmware import FAILED, VERIFIED
from hil.devices.esme.esme import Esme
from hil.journeys.steps import expect
from hil.scenarios.estate import Dwelling, Plan
from hil.scenarios.scenario import Scenario, Stage

_LONG_S, _SHORT_S = 240.0, 60.0
NEW_VERSION = 0x00000101
_DAY_S = 86400.0
_CODE = bytes(range(256)) * 8
"""The new firmware: as good as any, since no meter of the bench runs it."""


async def power_cut(stage: Stage) -> None:
    """50 homes lose their mains for four minutes, half of them once more for one."""
    estate, step = stage.estate, stage.steps.step
    async with step(f"{len(estate.dwellings)} homes are installed") as values:
        await estate.install()
        values["commissioned meters"] = sum(estate.status(row.eui) == "Commissioned" for one in estate.boards for row in one.device)
    before = len(estate.dcc.alerts.records())
    async with step("the mains goes everywhere, for four minutes") as values:
        await estate.each(lambda one: one.mains_lost())
        await estate.clock.sleep(_LONG_S)
        values["outages that the DCC tells (AD1)"] = _devices(stage, before, "AD1")
        expect(_devices(stage, before, "AD1") == len(estate.dwellings), "not every hub that is silent for three minutes is told")
    async with step("the mains is back: each hub and each meter tells its outage once") as values:
        await estate.each(lambda one: one.mains_restored())
        told = 2 * len(estate.dwellings)  # each hub tells the DCC, each meter its supplier
        await estate.until("every hub's and meter's alert 8F36", lambda: _devices(stage, before, "8F36") == told, 600)
        values["alerts 8F36"], values["alerts 8F35"] = _alerts(stage, before, "8F36"), _devices(stage, before, "8F35")
        expect(_alerts(stage, before, "8F36") == told, "an outage was told more than once")
        expect(_devices(stage, before, "8F35") == 0, "a long outage was told as a short one")
    half = estate.dwellings[::2]
    before = len(estate.dcc.alerts.records())
    async with step(f"{len(half)} of them lose it again, for one minute") as values:
        await estate.each(lambda one: one.mains_lost(), half)
        await estate.clock.sleep(_SHORT_S)
        await estate.each(lambda one: one.mains_restored(), half)
        await estate.until("the alerts 8F35", lambda: _devices(stage, before, "8F35") == 2 * len(half), 600)
        await estate.clock.sleep(_LONG_S)
        values["alerts 8F35"], values["alerts AD1"] = _alerts(stage, before, "8F35"), _devices(stage, before, "AD1")
        values["alerts 8F36"] = _alerts(stage, before, "8F36")
        expect(_devices(stage, before, "AD1") + _devices(stage, before, "8F36") == 0, "a short outage was told as a long one")
    async with step("every home answers a read") as values:
        read = 0

        async def ask(one: Dwelling) -> None:
            nonlocal read
            outcome = await estate.ask(one, "4.1.1", one.devices["ESME"].eui64)
            expect(outcome.ok, outcome.why)
            read += 1

        await estate.each(ask)
        values["answers"] = read


def _devices(stage: Stage, before: int, code: str) -> int:
    return len({record.device for record in stage.estate.dcc.alerts.records()[before:] if record.code == code})


def _alerts(stage: Stage, before: int, code: str) -> int:
    return len({record.told for record in stage.estate.dcc.alerts.records()[before:] if record.code == code})


def image_for(keystore: Keystore, supplier: Eui64) -> bytes:
    """An OTA file with a firmware signed by the meters' supplier."""
    signature = primitives.sign(keystore.private_key(supplier, KeyUsage.DIGITAL_SIGNATURE), _CODE)
    size = 60 + len(_CODE) + 66
    numbers = (0x0BEEF11E, 0x0100, 60, 0x0004, 0x10D4, int(DeviceType.ESME), NEW_VERSION, 2, bytes(32), size, 1, 1)
    return struct.pack("<IHHHHHIH32sIHH", *numbers) + _CODE + b"\x00\x40" + signature


def version_of(home: Dwelling) -> int:
    meter = home.devices["ESME"]
    assert isinstance(meter, Esme)
    return int.from_bytes(firmware.running_version(meter.gbcs), "big")


async def firmware_campaign(stage: Stage) -> None:
    """20 meters get a new firmware: one hub is out of reach for six days, one hub's memory is damaged, one home loses its mains."""
    estate, step = stage.estate, stage.steps.step
    homes, dcc = estate.dwellings, estate.dcc
    unreached, damaged, cut = homes[3], homes[11], homes[16]
    image = image_for(estate.keystore, estate.suppliers[0])
    async with step(f"{len(homes)} homes are installed"):
        await estate.install()
        row = homes[0].rows["ESME"]
        dcc.inventory.certify(DeviceType.ESME, row.manufacturer, row.model, f"{NEW_VERSION:08X}")

    def damage(record: Record) -> None:
        """As soon as that hub has the image whole, before its meter asks for the first block."""
        if (record.event, record.target) == ("image complete", str(damaged.rows["ESME"].eui)):
            asyncio.get_running_loop().call_soon(_tip_a_bit, damaged)

    stop = estate.trace.subscribe(damage)
    async with step("11.1 with one image for all; one hub has no coverage, in another's memory a bit tips over") as values:
        unreached.wan.coverage = False
        await unreached.wan.cut("no SM WAN coverage")
        meters = ",".join(one.rows["ESME"].eui.duis for one in homes)
        outcome = await estate.ask(
            homes[0], "11.1", None, {"FirmwareImage": image, "FirmwareVersion": f"{NEW_VERSION:08X}", "DeviceIDList": meters}
        )
        expect(outcome.ok, outcome.why)
        values["octets"], values["Devices"] = len(image), len(homes)
    async with step("on the way a home loses its mains") as values:
        await estate.clock.sleep(0.5)
        await cut.mains_lost()
        await estate.clock.sleep(_LONG_S)
        await cut.mains_restored()
        await estate.until("the other meters' receipts", lambda: _in(stage, VERIFIED) == len(homes) - 2, 2 * _DAY_S, 60.0)
        values["verified"] = _in(stage, VERIFIED)
    stop()
    async with step("after five days the campaign has its end: 18 verified, two failed, each with its reason") as values:
        await estate.clock.sleep(6 * _DAY_S)
        targets = {target.device: target for target in dcc.firmware.targets()}
        for name, home in (("unreached", unreached), ("damaged", damaged)):
            target = targets[home.rows["ESME"].eui]
            values[name] = target.reason
            expect(target.state == FAILED, f"the {name} one is {target.state}")
        expect(_in(stage, VERIFIED) == len(homes) - 2, f"{_in(stage, VERIFIED)} are verified")
    async with step("nothing runs yet; 11.3 makes it run where it was verified, and nowhere else") as values:
        expect(not any(version_of(one) == NEW_VERSION for one in homes), "an image ran without 11.3")
        held = OtaImage.decode(image).hash
        unreached.wan.coverage = True
        await estate.until("the last hub", lambda: dcc.head_end.connected(unreached.board.hub.chf), 7200)
        for one in homes:
            outcome = await estate.ask(one, "11.3", one.rows["ESME"].eui, {"FirmwareHash": held})
            expect(outcome.ok is (one not in (unreached, damaged)), outcome.why)
        values["run the new one"] = sum(version_of(one) == NEW_VERSION for one in homes)
        expect(values["run the new one"] == len(homes) - 2, "not every verified image runs, or another one")
    async with step("the inventory has the version of each") as values:
        await estate.clock.sleep(60)
        listed = [dcc.inventory.listed(one.rows["ESME"].eui).firmware for one in homes]
        values["new"], values["old"] = listed.count(f"{NEW_VERSION:08X}"), len(listed) - listed.count(f"{NEW_VERSION:08X}")
        expect(values["old"] == 2, f"{values['old']} are listed with the old version")


def _in(stage: Stage, state: str) -> int:
    return sum(target.state == state for target in stage.estate.dcc.firmware.targets())


def _tip_a_bit(home: Dwelling) -> None:
    """A bit of what the hub keeps of the image is not what came."""
    key = next(key for key in home.store.keys("") if key.endswith("/image"))
    octets = home.store.get(key) or b""
    home.store.put(key, octets[:200] + bytes((octets[200] ^ 1,)) + octets[201:])


SCENARIOS = (
    Scenario("firmware-campaign", "A firmware campaign to 20 homes, of which two fail", Plan(20), firmware_campaign),
    Scenario("power-cut", "A power cut across 50 homes", Plan(50, 4), power_cut),
)
