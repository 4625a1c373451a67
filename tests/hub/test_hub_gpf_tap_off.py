"""Suppliers' publications to the gas meter are read off the GPF by the Devices that it is joined with, once the meter has taken them."""

from __future__ import annotations

from firmware_emu.device.event_log import LogName
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import ZclStatus
from tests.hub.gas_home import display, gas, gas_meter, part
from tests.hub.hub_bench import GPF, GSME, Bench
from tests.hub.publications import SINCE, TARIFFS, calendar, day, tariff

SET_TARIFF, PREPAYMENT_SETTINGS, MESSAGE, CONVERSION, CONTACT, SET_PRICE = 0x006B, 0x006F, 0x0071, 0x007C, 0x0088, 0x00A3


def none(half_hour: int) -> int:
    return 0


async def test_tariff_message_contact_and_factors_reach_the_displays_as_they_were_published(bench: Bench) -> None:
    gsme = await gas_meter(bench, none)
    reader = (await display(bench)).reader
    assert await reader.published(GPF, PRICE, "GetTariffInformation", TARIFFS) is None
    text: dict[str, FieldValue] = {
        "message": 5,
        "control": 0,
        "start": 0,
        "duration_minutes": 60,
        "text": "Your meter will be read",
        "extended_control": 0,
    }
    contact: dict[str, FieldValue] = {
        "current_provider": 0,
        "event": 1,
        "tariff_type": 0,
        "proposed_provider": 7,
        "implementation": 0,
        "control": 0,
        "name": b"Bench Gas",
        "contact": b"0800 000000",
    }
    factor: dict[str, FieldValue] = {"event": 1, "start": 0, "factor": 102264, "trailing_digit": 0x50}
    value: dict[str, FieldValue] = {"event": 1, "start": 0, "value": 39500, "unit": 1, "trailing_digit": 0x30}
    for code, *parts in (
        (
            SET_TARIFF,
            part(CALENDAR, "PublishCalendar", **calendar()),
            part(CALENDAR, "PublishDayProfile", **day(1)),
            part(CALENDAR, "PublishDayProfile", **day(2)),
            part(PRICE, "PublishTariffInformation", **tariff(25_000)),
        ),
        (MESSAGE, part(MESSAGING, "DisplayMessage", **text)),
        (CONTACT, part(DEVICE_MANAGEMENT, "PublishChangeOfSupplier", **contact)),
        (CONVERSION, part(PRICE, "PublishConversionFactor", **factor), part(PRICE, "PublishCalorificValue", **value)),
    ):
        await gas(bench, gsme, code, *parts, target=GSME)
    asked: dict[str, FieldValue] = {"provider": 7, "calendar": 0xFFFFFFFF, "first_day": 2, "count": 1}
    for wanted, cluster, name, fields in (
        (tariff(25_000), PRICE, "GetTariffInformation", TARIFFS),
        (day(2), CALENDAR, "GetDayProfiles", asked),
        (text, MESSAGING, "GetLastMessage", None),
        (contact, DEVICE_MANAGEMENT, "GetChangeOfSupplier", None),
        (factor, PRICE, "GetConversionFactor", SINCE),
        (value, PRICE, "GetCalorificValue", SINCE),
    ):
        assert await reader.published(GPF, cluster, name, fields) == wanted
    await bench.cut()
    await bench.power_on()
    assert await reader.published(GPF, MESSAGING, "GetLastMessage") == text
    await gsme.stop()


async def test_a_device_that_the_gpf_is_not_joined_with_reads_nothing(bench: Bench) -> None:
    gsme = await gas_meter(bench, none)
    reader = (await display(bench, gpf=False)).reader
    await gas(bench, gsme, SET_PRICE, part(PRICE, "PublishTariffInformation", **tariff(1)), target=GSME)
    assert await reader.published(GPF, PRICE, "GetTariffInformation", TARIFFS) is None
    await gsme.stop()


async def test_what_the_meter_refuses_is_not_copied_and_is_logged(bench: Bench) -> None:
    gsme = await gas_meter(bench, none)
    reader = (await display(bench)).reader
    gsme.model.zcl.commands[PRICE.id, 0x04, True] = lambda part: ZclStatus.FAILURE
    answers = await gas(bench, gsme, SET_PRICE, part(PRICE, "PublishTariffInformation", **tariff(1)), target=GSME)
    assert answers[0].payload == b"\x04\x01"
    assert await reader.published(GPF, PRICE, "GetTariffInformation", TARIFFS) is None
    assert bench.hub._running is not None
    assert 0x819E in [entry.code for entry in bench.hub._running.gpf.device.logs[LogName.EVENT].entries()]
    await gsme.stop()


async def test_of_prepayment_settings_only_the_calendar_is_copied(bench: Bench) -> None:
    gsme = await gas_meter(bench, none)
    reader = (await display(bench)).reader
    await gas(
        bench,
        gsme,
        PREPAYMENT_SETTINGS,
        part(PREPAYMENT, "EmergencyCreditSetup", event=1, start=0, limit=1, threshold=1),
        part(CALENDAR, "PublishCalendar", **calendar(4, 3)),
        part(CALENDAR, "PublishDayProfile", **day(1, 4, 3)),
        target=GSME,
    )
    asked: dict[str, FieldValue] = {"provider": 7, "calendar": 0xFFFFFFFE, "first_day": 1, "count": 1}
    assert await reader.published(GPF, CALENDAR, "GetDayProfiles", asked) == day(1, 4, 3)
    assert await reader.published(GPF, CALENDAR, "GetDayProfiles", asked | {"calendar": 0xFFFFFFFF}) is None
    await gsme.stop()


async def test_a_price_for_later_is_copied_when_the_meter_tells_that_it_acts(bench: Bench) -> None:
    gsme = await gas_meter(bench, none)
    reader = (await display(bench)).reader
    await gas(bench, gsme, SET_PRICE, part(PRICE, "PublishTariffInformation", **tariff(1)), target=GSME)
    later = int(bench.clock.now()) + 3000
    await gas(bench, gsme, SET_PRICE, part(PRICE, "PublishTariffInformation", **tariff(2, later)), target=GSME)
    assert await reader.published(GPF, PRICE, "GetTariffInformation", TARIFFS) == tariff(1)
    await bench.clock.sleep(7200)
    assert bench.alerts(0x8F66)
    assert await reader.published(GPF, PRICE, "GetTariffInformation", TARIFFS) == tariff(2, later)
    await gsme.stop()
