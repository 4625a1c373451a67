"""Billing of an electricity meter: calendar, snapshots at its ends and at changes, daily reads, payments, values for displays.

Depths: reference smets 2. Registers in Wh, money in millipence; time stamps in seconds since 2000 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction

from firmware_emu.device.store import Store
from firmware_emu.gbcs.axdr import Array, Data, OctetString, Structure
from hil.devices.metering.calendar import day_of, falls_on, midnight_of, time_of_day
from hil.devices.metering.prepayment import Account
from hil.devices.metering.registers import DAILY_DEPTH, DAY_S, Ring
from hil.devices.metering.tariff import BLOCK_SETS, BLOCKS, SECONDARY_RATES, TOU_RATES, TariffRegisters, watt_hours

BILLING_DEPTH, CREDIT_DEPTH, DEBT_PAYMENT_DEPTH = 12, 5, 10
DAYS_KEPT, WEEKS_KEPT, MONTHS_KEPT = 8, 5, 13
"""Past values kept for displays (reference smets 2, cumulative and historical value store)."""
_CALENDAR_AHEAD_DAYS = 366
_REGISTERS = 2 + TOU_RATES + SECONDARY_RATES + BLOCKS * BLOCK_SETS
_BALANCES = 6
_LIMIT = 0x7FFFFFFF


class BillingCalendar:
    """When a billing period ends (class 22): times of day with dates that may have wildcards."""

    def __init__(self, entries: Data) -> None:
        self._entries = [
            (time_of_day(at.octets), date.octets)
            for at, date in (
                (item[0], item[1])
                for item in (entries.elements if isinstance(entries, Array) else ())
                if isinstance(item, Structure) and len(item) == 2
            )
            if isinstance(at, OctetString) and isinstance(date, OctetString) and len(at.octets) == 4 and any(date.octets)
        ]

    def __bool__(self) -> bool:
        return bool(self._entries)

    def next(self, now: int) -> int | None:
        """The first end of a period after ``now``, None if none is set within a year."""
        if not self._entries:
            return None
        today = day_of(now)
        for ahead in range(_CALENDAR_AHEAD_DAYS + 1):
            day = today + timedelta(days=ahead)
            moments = [midnight_of(day) + at for at, date in self._entries if falls_on(date, day)]
            later = [moment for moment in moments if moment > now]
            if later:
                return min(later)
        return None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One entry of a register log in Wh: import, import of the secondary element, rates of both, block registers by block."""

    time: int
    total: int
    secondary_total: int
    tou: tuple[int, ...]
    secondary: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]

    @classmethod
    def take(cls, now: int, total: int, secondary_total: int, registers: TariffRegisters) -> Snapshot:
        """What the registers show at ``now``."""
        return cls(
            now,
            total,
            secondary_total,
            tuple(map(watt_hours, registers.tou)),
            tuple(map(watt_hours, registers.secondary)),
            tuple(tuple(map(watt_hours, row)) for row in registers.blocks),
        )

    def record(self) -> tuple[int, ...]:
        """As the store keeps it."""
        return (self.time, self.total, self.secondary_total, *self.tou, *self.secondary, *(one for row in self.blocks for one in row))

    @classmethod
    def of(cls, record: Sequence[int]) -> Snapshot:
        """From the store."""
        split = 3 + TOU_RATES
        blocks = record[split + SECONDARY_RATES : split + SECONDARY_RATES + BLOCKS * BLOCK_SETS]
        rows = tuple(tuple(blocks[start : start + BLOCK_SETS]) for start in range(0, len(blocks), BLOCK_SETS))
        return cls(record[0], record[1], record[2], tuple(record[3:split]), tuple(record[split : split + SECONDARY_RATES]), rows)


def balances(account: Account) -> tuple[int, ...]:
    """Accumulated debt, emergency credit, balance, payment debt, time debts 1 and 2 in whole millipence (order: RTDS ECS20c)."""
    values = (
        account.accumulated,
        account.emergency,
        account.balance,
        Fraction(account.payment_debt),
        *account.time_debts,
    )
    return tuple(max(-_LIMIT - 1, min(_LIMIT, value.numerator // value.denominator)) for value in values)


class BillingLogs:
    """The logs in the store. ``billing`` at the ends of periods, ``changes`` at changes of mode, tariff or supplier."""

    def __init__(self, store: Store, name: str) -> None:
        registers, money = f"I{_REGISTERS}I", f"I{_BALANCES}i"
        self.daily = Ring(store, name + "/daily", registers, DAILY_DEPTH, 8)
        self.prepayment_daily = Ring(store, name + "/prepayment-daily", money, DAILY_DEPTH)
        self.billing = Ring(store, name + "/billing", registers, BILLING_DEPTH)
        self.billing_balances = Ring(store, name + "/billing-balances", money, BILLING_DEPTH)
        self.changes = Ring(store, name + "/changes", f"{registers}{_BALANCES}i", BILLING_DEPTH)
        self.credits = Ring(store, name + "/credits", "II", CREDIT_DEPTH)
        self.debt_payments = Ring(store, name + "/debt-payments", "II", DEBT_PAYMENT_DEPTH)

    def midnight(self, snapshot: Snapshot, account: Account, prepayment: bool) -> None:
        """The daily read, and in prepayment mode that of the balances."""
        self.daily.append(*snapshot.record())
        if prepayment:
            self.prepayment_daily.append(snapshot.time, *balances(account))

    def period_end(self, snapshot: Snapshot, account: Account) -> None:
        """The end of a billing period."""
        self.billing.append(*snapshot.record())
        self.billing_balances.append(snapshot.time, *balances(account))

    def change(self, snapshot: Snapshot, account: Account) -> None:
        """A change of tariff, payment mode or supplier; one entry if several happen in the same second."""
        if not any(record[0] == snapshot.time for record in self.changes):
            self.changes.append(*snapshot.record(), *balances(account))


@dataclass
class Past:
    """Energy in watt-seconds and cost in millipence of the day, week and month under way and of those before, newest last."""

    current: dict[str, tuple[int, Fraction]] = field(default_factory=dict)
    past: dict[str, list[tuple[int, Fraction]]] = field(default_factory=dict)

    def add(self, energy: int, cost: Fraction) -> None:
        """Count what was used."""
        for span in ("day", "week", "month"):
            before = self.current.get(span, (0, Fraction(0)))
            self.current[span] = (before[0] + energy, before[1] + cost)

    def midnight(self, now: int) -> None:
        """Close the day, on Mondays the week, on the first of a month the month (UTC)."""
        day = day_of(now)
        for span, ends, kept in (("day", True, DAYS_KEPT), ("week", day.weekday() == 0, WEEKS_KEPT), ("month", day.day == 1, MONTHS_KEPT)):
            if ends:
                closed = self.current.pop(span, (0, Fraction(0)))
                self.past[span] = [*self.past.get(span, []), closed][-kept:]

    def state(self) -> dict[str, object]:
        """For the store."""
        return {
            "current": {span: [energy, str(cost)] for span, (energy, cost) in self.current.items()},
            "past": {span: [[energy, str(cost)] for energy, cost in entries] for span, entries in self.past.items()},
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        current, past = state["current"], state["past"]
        self.current = {str(span): _pair(pair) for span, pair in current.items()} if isinstance(current, dict) else {}
        self.past = {str(span): [_pair(pair) for pair in pairs] for span, pairs in past.items()} if isinstance(past, dict) else {}


def _pair(value: Sequence[object]) -> tuple[int, Fraction]:
    return int(str(value[0])), Fraction(str(value[1]))


def is_midnight(now: int) -> bool:
    """Whether ``now`` is a midnight UTC."""
    return now % DAY_S == 0
