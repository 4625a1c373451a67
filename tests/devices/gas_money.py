"""A gas meter whose account is looked at: its supplier's settings as components, a litre a second, a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.alerts import GbzAlert
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import by_code, decode_payload
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Gsme
from tests.devices.device_home import PARTIES, SUPPLIER
from tests.devices.hub_in_memory import MemoryHan
from tests.devices.meter_bench import Hand

GSME = Eui64.parse("00db1234567890a1")
PENNY, POUND = 1000, 100_000
KWH_A_LITRE = Fraction(395, 10) * Fraction(102264, 100_000) / Fraction(36, 10) / 1000
"""Factor from the values that the test publishes: 39.5 MJ a cubic metre, conversion factor 1.02264."""
TARIFF, MODE, DEBT, CONFIGURATION, ADJUST, SUPPLY = 0x006B, 0x006D, 0x006E, 0x006F, 0x0086, 0x0081
CREDIT, PREPAY = 0x0C94, 0x0C97
SUMMATION, TIERS, BLOCKS = (0x0702, 0x0000), (0x0100, 0x0102, 0x0104, 0x0106), (0x0700, 0x0701, 0x0702, 0x0703)
ISSUED: dict[str, FieldValue] = {"provider": 0, "event": 1}
Part = tuple[Cluster, str, dict[str, FieldValue]]


class Bench:
    """A gas meter without a radio, its supplier, and a clock that is set by hand. A litre a second flows unless said otherwise."""

    def __init__(
        self,
        pki: Keystore,
        load: Callable[[int], int] = lambda half_hour: 3600,
        start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.pki, self.load, self.store = pki, load, MemoryStore()
        self.clock = Hand(start)
        self.records: list[Record] = []
        self.counter = 0
        self.build()
        self.do(0x0000, (PRICE, "PublishCalorificValue", {"event": 1, "start": 0, "value": 395, "unit": 1, "trailing_digit": 0x10}))

    def build(self) -> None:
        """A meter that finds this store: the first time a new one, later the same after a restart of its software."""
        trace = Trace(self.clock.now)
        trace.subscribe(self.records.append)
        node = MemoryHan(GSME).node(GSME)
        self.gsme = Gsme(GSME, InstallCode(bytes(16)), self.pki, node, self.clock, trace, PARTIES, store=self.store, load=self.load)

    def do(self, code: int, *parts: Part) -> list[Component]:
        """One Command of these components; every default response must be SUCCESS."""
        components = []
        for number, (cluster, name, fields) in enumerate(parts):
            command = cluster.command_named(name)
            from_server = cluster.to_client.get(command.id) is command
            components.append(Component(cluster.id, 0x09 if from_server else 0x01, number, command.id, command.encode(fields)))
        self.counter += 1
        header = GroupingHeader(CraFlag.COMMAND, self.counter, SUPPLIER, GSME, OtherInformation(code))
        message = Message(header, Gbz(tuple(components)).encode())
        answers = list(Gbz.decode(self.gsme.execute(by_code(code) if code else by_code(TARIFF), message)).components)
        assert all(one.command != 0x0B or one.payload[-1] == 0 for one in answers), answers
        return answers

    def go(self, seconds: int) -> None:
        self.clock.moved += seconds
        self.gsme.update()

    def read(self, cluster: int, attribute: int) -> int:
        return self.gsme.model.number(cluster, attribute)

    def all(self, attributes: tuple[int, ...]) -> list[int]:
        return [self.read(0x0702, attribute) for attribute in attributes]

    @property
    def balance(self) -> Fraction:
        self.gsme.update()
        return self.gsme.metering.account.balance

    def prepay(self, configuration: int = PREPAY, cut_off: int = 0) -> None:
        self.do(
            MODE,
            (PREPAYMENT, "ChangePaymentMode", {**ISSUED, "implementation": 0, "configuration": configuration, "cut_off_value": cut_off}),
        )

    def adjust(self, amount: int, kind: int = 0) -> None:
        self.do(ADJUST, (PREPAYMENT, "CreditAdjustment", {"event": 1, "start": 0, "adjustment_type": kind, "value": amount}))

    def top_up(self, pounds: int) -> dict[str, FieldValue]:
        secret = self.pki.shared_secret(SUPPLIER, GSME, CellUsage.PREPAYMENT_TOP_UP)
        self.counter += 1
        utrn = make_utrn(secret, supplier=SUPPLIER, meter=GSME, counter=self.counter << 32, value=pounds)
        (answer,) = self.do(DEBT, (PREPAYMENT, "ConsumerTopUp", {"originating_device": 0, "code": utrn.encode()}))
        return PREPAYMENT.to_client[0x03].decode(answer.payload)

    def owe(self, kind: int, amount: int, *, rate: int = 0, frequency: int = 0, share: int = 0) -> None:
        self.do(
            DEBT,
            (
                PREPAYMENT,
                "ChangeDebt",
                {
                    "event": 1,
                    "label": b"",
                    "amount": amount,
                    "recovery_method": 0,
                    "amount_type": kind,
                    "recovery_start": 0,
                    "collection_time": 0,
                    "recovery_frequency": frequency,
                    "recovery_amount": rate,
                    "balance_percentage": share,
                },
            ),
        )

    def emergency(self, limit: int, threshold: int) -> None:
        self.do(CONFIGURATION, (PREPAYMENT, "EmergencyCreditSetup", {"event": 1, "start": 0, "limit": limit, "threshold": threshold}))

    def alerts(self) -> list[int]:
        """Codes of the alerts that wait to be sent, which are taken away."""
        found = []
        while (waiting := self.gsme.outbox.first()) is not None:
            self.gsme.outbox.done(waiting[0])
            alert = decode_payload(Message.decode(waiting[1]))
            assert isinstance(alert, GbzAlert)
            found.append(alert.alert_code)
        return found

    def codes(self) -> list[int]:
        return [entry.code for log in self.gsme.gbcs.logs.values() for entry in log.entries()]


def calendar(
    identifier: int,
    kind: int,
    days: dict[int, list[tuple[int, int]]],
    week: tuple[int, ...],
    specials: dict[int, bytes] | None = None,
) -> list[Part]:
    issued: dict[str, FieldValue] = {**ISSUED, "calendar": identifier}
    once: dict[str, FieldValue] = {"command_index": 0, "command_count": 1}
    profiles: list[Part] = [
        (
            CALENDAR,
            "PublishDayProfile",
            {
                **issued,
                **once,
                "day": number,
                "total": len(entries),
                "calendar_type": kind,
                "entries": tuple({"minute": minute, "value": value} for minute, value in entries),
            },
        )
        for number, entries in days.items()
    ]
    return [
        (
            CALENDAR,
            "PublishCalendar",
            {**issued, "start": 0, "calendar_type": kind, "time_reference": 0, "name": b"", "seasons": 1, "weeks": 1, "days": len(days)},
        ),
        *profiles,
        (CALENDAR, "PublishWeekProfile", {**issued, "week": 1, "days": tuple({"day": day} for day in week)}),
        (CALENDAR, "PublishSeasons", {**issued, **once, "seasons": ({"date": b"\xff\x01\x01\xff", "week": 1},)}),
        (
            CALENDAR,
            "PublishSpecialDays",
            {
                **issued,
                **once,
                "start": 0,
                "calendar_type": kind,
                "total": len(specials or {}),
                "days": tuple({"date": octets, "day": day} for day, octets in (specials or {}).items()),
            },
        ),
    ]


def prices(*amounts: int, standing: int = 0, start: int = 0, thresholds: tuple[int, ...] = ()) -> list[Part]:
    """A tariff by time of use, or by block where there are thresholds (kWh)."""
    blocks = bool(thresholds)
    issued: dict[str, FieldValue] = {**ISSUED, "tariff": 1, "start": start}
    parts: list[Part] = [
        (
            PRICE,
            "PublishTariffInformation",
            {
                **issued,
                "type_and_scheme": 0x10 * blocks,
                "label": b"",
                "price_tiers": 0 if blocks else len(amounts),
                "block_thresholds": len(thresholds),
                "unit": 0,
                "currency": 826,
                "trailing_digit": 0x50,
                "standing_charge": standing,
                "tier_block_mode": 0xFF,
                "multiplier": 1,
                "divisor": 1000,
            },
        )
    ]
    if blocks:
        parts.append(
            (
                PRICE,
                "PublishBlockThresholds",
                {
                    **issued,
                    "command_index": 0,
                    "command_count": 1,
                    "control": 1,
                    "tiers": ({"count": len(thresholds), "thresholds": tuple({"threshold": 1000 * kwh} for kwh in thresholds)},),
                },
            )
        )
    parts.append(
        (
            PRICE,
            "PublishPriceMatrix",
            {
                **issued,
                "command_index": 0,
                "command_count": 1,
                "sub_payload": 0 if blocks else 1,
                "prices": tuple({"tier_block": number, "price": price} for number, price in enumerate(amounts, start=not blocks)),
            },
        )
    )
    return parts


WEEKENDS = calendar(5, 0, {1: [(0, 1)], 2: [(0, 2)], 3: [(0, 3)]}, (1, 1, 1, 1, 1, 2, 2), {3: b"\x7e\x01\x05\xff"})
"""Rate 1 on working days, 2 at week ends, 3 on 5 January 2026, a Monday."""
