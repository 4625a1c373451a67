"""The alerts of the requirements, row by row: something happens at a Device, the alert goes through hub and DCC, and those whom the row and
the event table name are told, verified with their own keys, and nobody else.

Not here: A21, A24 and A25, which the hub and the SM WAN raise (test_journey).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.gbcs.axdr import Array, BitString, DoubleLongUnsigned, LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.gbz import Component
from firmware_emu.gbcs.utrn import ValueClass, make_utrn
from firmware_emu.ids import CraFlag
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Esme
from hil.devices.base.tampering import Tampering, tamper
from hil.devices.gsme.hardware import LOW_BATTERY_DAYS
from tests.devices.meter_bench import Item, at_once, entry, flat, limit, put, run
from tests.devices.prepaying_meter import adjust, configuration, prepayment_mode
from tests.e2e.alert_home import ESME, GSME, POLY, AlertHome, Told, alert_home

POUND = 100_000
"""Millipence."""
SUPPLIER, GAS, NETWORK = "supplier", "gas supplier", "network operator"
CREDIT_EVENTS = (0x810D, 0x810E, 0x8119)
SWITCH_EVENTS = (0x811A,)
VOLTAGE = {"over": 35, "under": 31}
EXTREMES = {"extreme over": (1, 260), "extreme under": (2, 190), "sag": (3, 207), "swell": (4, 253)}
GSME_NAMED = {ESME: SUPPLIER, POLY: SUPPLIER, GSME: GAS}


@dataclass(frozen=True)
class Row:
    """One row at one Device: what happens, and whom which code must reach."""

    row: str
    meter: str
    cause: Callable[[AlertHome], object]
    codes: dict[str, tuple[str, ...]]

    @property
    def expected(self) -> set[Told]:
        return {(user, code, self.meter) for code, users in self.codes.items() for user in users}

    def __str__(self) -> str:
        return f"{self.row}-{self.meter}-{'+'.join(self.codes)}"


# --- settings


def events_on(group: str, low: tuple[int, ...]) -> Item:
    """These codes, and no others, are alerts on the WAN."""
    mask = sum(1 << (code & 0xFF) for code in low)
    return put(1, f"{group}:97.98.11", 2, BitString((mask << 256 | mask).to_bytes(64, "big"), 512))


def part(cluster: Cluster, name: str, /, **fields: FieldValue) -> Component:
    command = cluster.command_named(name)
    from_server = cluster.to_client.get(command.id) is command
    return Component(cluster.id, 0x09 if from_server else 0x01, 0, command.id, command.encode(fields))


def adjusted(amount: int) -> Component:
    return part(PREPAYMENT, "CreditAdjustment", event=1, start=0, adjustment_type=0, value=amount)


def configure(home: AlertHome) -> None:
    """Both kinds of meter in prepayment mode with a hundred pounds, limits, and the alerts on that can be switched off."""
    for esme in (home.esme, home.poly):
        home.set(esme, 0x00AE, [events_on("0-33", tuple(range(0x8000, 0x8100)))])
        home.set(esme, 0x00AC, [events_on("0-30", CREDIT_EVENTS + SWITCH_EVENTS)])
    esme = home.esme
    home.set(esme, 0x0019, flat(10_000))
    home.set(esme, 0x001C, adjust(100 * POUND))
    home.set(esme, 0x00DE, configuration(limit=5 * POUND, threshold=50 * POUND, low=80 * POUND))
    home.set(esme, 0x001B, prepayment_mode())
    home.set_gas(
        0x00AD,
        part(
            DEVICE_MANAGEMENT,
            "SetEventConfiguration",
            event=1,
            start=0,
            configuration=0x08,
            control=0,
            count=len(CREDIT_EVENTS),
            events=tuple({"event": code} for code in CREDIT_EVENTS),
        ),
    )
    home.set_gas(
        0x006B,
        part(
            PRICE,
            "PublishPriceMatrix",
            provider=0,
            event=1,
            start=0,
            tariff=1,
            command_index=0,
            command_count=1,
            sub_payload=1,
            prices=({"tier_block": 1, "price": 1000},),
        ),
    )
    home.set_gas(0x0086, adjusted(100 * POUND))
    home.set_gas(
        0x006F,
        part(PREPAYMENT, "EmergencyCreditSetup", event=1, start=0, limit=5 * POUND, threshold=50 * POUND),
        part(PREPAYMENT, "SetLowCreditWarningLevel", level=80 * POUND),
    )
    home.set_gas(
        0x006D, part(PREPAYMENT, "ChangePaymentMode", provider=0, event=1, implementation=0, configuration=0x0C97, cut_off_value=0)
    )
    home.set_gas(0x007D, part(METERING, "SetSupplyStatus", event=1, tamper=3, depletion=3, uncontrolled_flow=0, load_limit=0))


def credit(meter: str, pounds: float) -> Callable[[AlertHome], None]:
    """An adjustment of the balance to this much."""

    def cause(home: AlertHome) -> None:
        amount = int(pounds * POUND)
        if meter == GSME:
            home.set_gas(0x0086, adjusted(amount - int(home.gsme.metering.account.balance)))
        else:
            home.set(home.esme, 0x001C, adjust(amount - int(home.esme.metering.account.balance)))

    return cause


def supplied(home: AlertHome) -> None:
    """Credit is restored after a cut, and the consumer presses the button."""
    for meter in (ESME, GSME):
        credit(meter, 100)(home)
    home.esme.enable_supply()
    home.gsme.enable_supply()


def kept_on(meter: str) -> Callable[[AlertHome], None]:
    """Credit runs out in a non-disablement period."""

    def cause(home: AlertHome) -> None:
        if meter == ESME:
            calendar = (entry(1, "0-0:10.0.106", 32, 0),)
            home.set(home.esme, 0x00DE, configuration(limit=5 * POUND, threshold=50 * POUND, low=80 * POUND, calendar=calendar))
        else:
            issued: dict[str, FieldValue] = {"provider": 0, "event": 1, "calendar": 8}
            once: dict[str, FieldValue] = {"command_index": 0, "command_count": 1}
            home.set_gas(
                0x006F,
                part(
                    CALENDAR, "PublishCalendar", **issued, start=0, calendar_type=3, time_reference=0, name=b"", seasons=1, weeks=1, days=1
                ),
                part(CALENDAR, "PublishDayProfile", **issued, **once, day=1, total=1, calendar_type=3, entries=(ALWAYS_ON,)),
                part(CALENDAR, "PublishWeekProfile", **issued, week=1, days=({"day": 1},) * 7),
                part(CALENDAR, "PublishSeasons", **issued, **once, seasons=({"date": b"\xff\x01\x01\xff", "week": 1},)),
            )
        credit(meter, 0.01)(home)

    return cause


def token(meter: str) -> Callable[[AlertHome], object]:
    """The consumer types a token in."""

    def cause(home: AlertHome) -> bool:
        device, keystore = home.meter(meter), home.station.keystore
        supplier = home.user_for(device.eui64).eui64
        secret = keystore.shared_secret(supplier, device.eui64, CellUsage.PREPAYMENT_TOP_UP)
        utrn = make_utrn(secret, supplier=supplier, meter=device.eui64, counter=7 << 32, value=5, value_class=ValueClass.PENCE)
        return home.gsme.enter_token(utrn) if meter == GSME else home.esme.enter_token(utrn)

    return cause


def volts(meter: str, quantity: str, value: int) -> Callable[[AlertHome], object]:
    """One threshold is set, the voltage of a phase goes beyond it, and stays."""
    phase = 2 if meter == POLY else 1
    group = {1: 32, 2: 52}[phase]

    async def cause(home: AlertHome) -> None:
        esme = home.poly if meter == POLY else home.esme
        numbers = {"over": 0, "under": 0}
        extremes = {name: (place, 0) for name, (place, _) in EXTREMES.items()}
        if quantity in numbers:
            numbers[quantity] = {"over": 250, "under": 210}[quantity]
        else:
            extremes[quantity] = EXTREMES[quantity]
        home.set(
            esme,
            0x0045,
            [
                put(7, f"1-0:{group}.24.0", 4, DoubleLongUnsigned(60 if quantity in numbers else 0)),
                *(put(1, f"1-0:{group}.{VOLTAGE[name]}.0.4", 2, DoubleLongUnsigned(number)) for name, number in numbers.items()),
                *(put(71, f"0-0:17.0.{place}", 4, DoubleLongUnsigned(number)) for place, number in extremes.values()),
                *(put(71, f"0-0:17.0.{place}", 6, DoubleLongUnsigned(10)) for place, _ in extremes.values()),
            ],
        )
        esme.set_voltage(value, phase)
        await counted(home, esme)

    return cause


async def counted(home: AlertHome, esme: Esme) -> None:
    """Averaging periods end. The meter looks at averages whenever it counts, at the half hour at the latest: that is not waited for."""
    await home.station.clock.sleep(150)
    esme.update()


def back(meter: str) -> Callable[[AlertHome], object]:
    async def cause(home: AlertHome) -> None:
        esme = home.poly if meter == POLY else home.esme
        esme.set_voltage(230, 2 if meter == POLY else 1)
        await counted(home, esme)

    return cause


async def out(home: AlertHome) -> None:
    """A phase has no voltage for a minute; of that there is no alert."""
    home.poly.set_voltage(0, 2)
    await home.station.clock.sleep(60)


def over_the_limit(*, disables: bool) -> Callable[[AlertHome], None]:
    def cause(home: AlertHome) -> None:
        home.set(home.esme, 0x0043, limit(3000, 60, 30, disables=disables))

    return cause


def no_limit(home: AlertHome) -> None:
    home.set(home.esme, 0x0043, limit(0, 60, 30, disables=False))


def billed(home: AlertHome) -> None:
    """A billing period ends within the hour."""
    hour = (home.station.clock.datetime().hour + 1) % 24
    calendar = Array((Structure((OctetString(bytes((hour, 0, 0, 0))), OctetString(b"\xff" * 5))),))
    home.set(home.esme, 0x0046, [put(22, "0-0:15.0.0", 4, calendar)])


async def outage(home: AlertHome) -> None:
    home.esme.power(False)
    await home.station.clock.sleep(20)
    home.esme.power(True)


def override(home: AlertHome) -> None:
    """The supplier closes switch 1 for a minute; the HCALCS that is to follow it is stuck."""
    home.hcalcs.stuck = True
    home.set(home.esme, 0x0055, [put(1, "0-0:94.44.117.1", 2, LongUnsigned(1)), run(9, "0-0:10.0.103", 1, LongUnsigned(0x111))])


def scheduled(home: AlertHome) -> None:
    """The calendar says that switch 1 has been closed since this hour began; the HCALCS that is to follow it has no power."""
    home.hcalcs.power(False)
    calendar = Array((entry(1, "0-0:10.0.103", 0x101, home.station.clock.datetime().hour),))
    home.set(
        home.esme,
        0x0054,
        [
            put(11, "0-1:11.0.3", 2, Array(())),
            put(10, "0-1:12.0.2", 2, calendar),
            put(9000, "0-0:94.44.128.26", 6, at_once()),
            put(9000, "0-0:94.44.128.35", 6, at_once()),
        ],
    )


async def ended(home: AlertHome) -> None:
    """The override ends."""
    await home.station.clock.sleep(90)
    home.esme.update()


def close_and_arm(home: AlertHome) -> None:
    """The supplier closes the valve and arms it (GCS32, GCS39)."""
    for code, state in ((0x0081, 0), (0x0085, 1)):
        home.set_gas(code, part(METERING, "ChangeSupply", provider=0, event=1, requested=0, implementation=0, status=state, control=0))


def misrouted(meter: str) -> Callable[[AlertHome], object]:
    """A Command for another Device is handed to this one."""

    def cause(home: AlertHome) -> None:
        other = home.poly if meter == ESME else home.esme
        home.meter(meter).receive(home.forged(meter, recipient=other.eui64))

    return cause


def answered(meter: str) -> Callable[[AlertHome], object]:
    """A Response in the supplier's name is handed to a Device: nobody may speak to it so."""
    return lambda home: home.meter(meter).receive(home.forged(meter, cra=CraFlag.RESPONSE))


def flipped(meter: str) -> Callable[[AlertHome], object]:
    return lambda home: home.inject(home.forged(meter, flip=True))


def unauthorised(meter: str) -> Callable[[AlertHome], object]:
    return lambda home: home.inject(home.forged(meter, home.station.other_supplier))


def taken_off(meter: str, how: Tampering) -> Callable[[AlertHome], object]:
    return lambda home: home.gsme.hardware.tamper(how) if meter == GSME else tamper(home.meter(meter), how)


ROWS = [
    *(Row("ALERT-A1", meter, taken_off(meter, Tampering.METER_COVER), {"8F74": (named,)}) for meter, named in GSME_NAMED.items()),
    Row("ALERT-A1", ESME, taken_off(ESME, Tampering.TERMINAL_COVER), {"8F76": (SUPPLIER, NETWORK)}),
    Row("ALERT-A1", GSME, taken_off(GSME, Tampering.DETECTED), {"8F3F": (GAS,)}),
    Row("ALERT-A2", ESME, flipped(ESME), {"8F3D": (SUPPLIER,)}),
    Row("ALERT-A2", GSME, flipped(GSME), {"8F3D": (GAS,)}),
    Row("ALERT-A3", ESME, misrouted(ESME), {"8F3E": (SUPPLIER,)}),
    Row("ALERT-A3", GSME, misrouted(GSME), {"8F3E": (GAS,)}),
    Row("ALERT-A4", ESME, unauthorised(ESME), {"8F30": (SUPPLIER,)}),
    Row("ALERT-A4", GSME, unauthorised(GSME), {"8F30": (GAS,)}),
    Row("ALERT-A5", GSME, lambda home: home.gsme.hardware.wear(LOW_BATTERY_DAYS - 1), {"8F1F": (GAS,)}),
    Row("ALERT-A14", ESME, answered(ESME), {"8F3E": (SUPPLIER,)}),
    Row("ALERT-A14", GSME, answered(GSME), {"8F3E": (GAS,)}),
    Row("ALERT-A10", ESME, credit(ESME, 79.99), {"810D": (SUPPLIER,)}),
    Row("ALERT-A10", GSME, credit(GSME, 79.99), {"810D": (GAS,)}),
    Row("ALERT-A9", ESME, credit(ESME, 49.99), {"8119": (SUPPLIER,)}),
    Row("ALERT-A9", GSME, credit(GSME, 49.99), {"8119": (GAS,)}),
    Row("ALERT-A11", ESME, credit(ESME, 0.01), {"8F0F": (SUPPLIER,)}),
    Row("ALERT-A11", GSME, credit(GSME, 0.01), {"8F0F": (GAS,)}),
    Row("ALERT-A23 ALERT-A28", ESME, token(ESME), {"810E": (SUPPLIER,), "8F32": (SUPPLIER,)}),
    Row("ALERT-A23 ALERT-A28", GSME, token(GSME), {"810E": (GAS,), "8F32": (GAS,)}),
    Row("", GSME, supplied, {}),
    Row("ALERT-A28", GSME, close_and_arm, {"8F32": (GAS,)}),
    Row("", GSME, supplied, {}),
    Row("ALERT-A6", ESME, over_the_limit(disables=False), {"8F01": (SUPPLIER,)}),
    Row("", ESME, no_limit, {}),
    Row("ALERT-A7 ALERT-A8", ESME, over_the_limit(disables=True), {"8F01": (SUPPLIER,), "8F33": (SUPPLIER,), "8F34": (SUPPLIER, NETWORK)}),
    Row("", ESME, no_limit, {}),
    Row("ALERT-A12", ESME, kept_on(ESME), {"8F83": (SUPPLIER,), "8F0F": (SUPPLIER,), "810D": (SUPPLIER,), "8119": (SUPPLIER,)}),
    Row("ALERT-A12", GSME, kept_on(GSME), {"8F83": (GAS,), "8F0F": (GAS,), "810D": (GAS,), "8119": (GAS,)}),
    Row("", ESME, supplied, {}),
    Row("ALERT-A13", ESME, billed, {"8F0A": (SUPPLIER,)}),
    Row("ALERT-A22", ESME, outage, {"8F35": (NETWORK,)}),
    Row("ALERT-A15", ESME, volts(ESME, "over", 252), {"8002": (NETWORK,)}),
    Row("ALERT-A15", ESME, back(ESME), {"8085": (NETWORK,)}),
    Row("ALERT-A16", ESME, volts(ESME, "under", 208), {"8006": (NETWORK,)}),
    Row("ALERT-A16", ESME, back(ESME), {"8089": (NETWORK,)}),
    Row("ALERT-A17", ESME, volts(ESME, "extreme over", 262), {"8020": (NETWORK,)}),
    Row("ALERT-A17", ESME, back(ESME), {"808D": (NETWORK,)}),
    Row("ALERT-A18", ESME, volts(ESME, "extreme under", 180), {"8028": (NETWORK,)}),
    Row("ALERT-A18", ESME, back(ESME), {"8095": (NETWORK,)}),
    Row("ALERT-A19", ESME, volts(ESME, "swell", 255), {"8024": (NETWORK,)}),
    Row("ALERT-A19", ESME, back(ESME), {"8091": (NETWORK,)}),
    Row("ALERT-A20", ESME, volts(ESME, "sag", 200), {"802C": (NETWORK,)}),
    Row("ALERT-A20", ESME, back(ESME), {"8099": (NETWORK,)}),
    Row("", POLY, out, {}),
    Row("ALERT-A29", POLY, back(POLY), {"8F39": (NETWORK,)}),
    Row("ALERT-A30", POLY, volts(POLY, "over", 252), {"8004": (NETWORK,)}),
    Row("ALERT-A30", POLY, back(POLY), {"8087": (NETWORK,)}),
    Row("ALERT-A31", POLY, volts(POLY, "under", 208), {"8008": (NETWORK,)}),
    Row("ALERT-A31", POLY, back(POLY), {"808B": (NETWORK,)}),
    Row("ALERT-A32", POLY, volts(POLY, "extreme over", 262), {"8022": (NETWORK,)}),
    Row("ALERT-A32", POLY, back(POLY), {"808F": (NETWORK,)}),
    Row("ALERT-A33", POLY, volts(POLY, "extreme under", 180), {"802A": (NETWORK,)}),
    Row("ALERT-A33", POLY, back(POLY), {"8097": (NETWORK,)}),
    Row("ALERT-A34", POLY, volts(POLY, "swell", 255), {"8026": (NETWORK,)}),
    Row("ALERT-A34", POLY, back(POLY), {"8093": (NETWORK,)}),
    Row("ALERT-A35", POLY, volts(POLY, "sag", 200), {"802E": (NETWORK,)}),
    Row("ALERT-A35", POLY, back(POLY), {"809B": (NETWORK,)}),
    Row("ALERT-A26", ESME, override, {"811A": (SUPPLIER,)}),
    Row("", ESME, ended, {}),
    Row("ALERT-A27", ESME, scheduled, {"811A": (SUPPLIER,)}),
]
ALWAYS_ON: dict[str, FieldValue] = {"minute": 0, "value": 1}
SECURITY = {f"ALERT-A{number}" for number in (1, 2, 3, 4, 14)}


def marks(row: Row) -> list[pytest.MarkDecorator]:
    """The rows proven; CH-20 speaks of the security events, CH-18 of the supplier whose credential a Device holds."""
    found = [pytest.mark.requirement(name) for name in row.row.split()]
    found += [pytest.mark.requirement("CH-20")] if row.row in SECURITY else []
    named = {user for users in row.codes.values() for user in users}
    return found + ([pytest.mark.requirement("CH-18")] if named & {SUPPLIER, GAS} else [])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Told]]:
    """Alerts that every user heard, row by row, in one life of the home."""
    heard: dict[int, list[Told]] = {}
    clock = Clock(start=datetime(2026, 1, 5, 6, tzinfo=UTC), warp=True)

    async def life() -> None:
        async with alert_home(clock, tmp_path_factory.mktemp("alerts")) as home:
            configure(home)
            await home.station.clock.sleep(60)
            await home.gsme.wake()
            for number, row in enumerate(ROWS):
                heard[number] = await home.told(row.cause, row.expected, within_s=4000 if row.row == "ALERT-A13" else 600)

    clock.run(life())
    return heard


@pytest.mark.parametrize("number", [pytest.param(number, id=str(row), marks=marks(row)) for number, row in enumerate(ROWS) if row.row])
def test_what_happens_at_a_device_is_told_to_those_whom_it_concerns_and_to_nobody_else(
    told: dict[int, list[Told]],
    number: int,
) -> None:
    assert set(told[number]) == ROWS[number].expected
    assert len(told[number]) == len(set(told[number])), "told twice"
