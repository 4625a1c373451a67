"""Billing of a meter: the account with its balance, credit and debts; snapshots, daily reads and payments; values for displays.

The account is exact, in millipence, and its thresholds switch the supply (reference smets 3): which charge is taken from which credit is
the credit charge configuration that ECS02 and ECS03 set, and a balance is a :class:`~fractions.Fraction` of a thousandth of a penny, so
that a year of half hours adds up without rounding. Depths of logs: reference smets 2. Registers in Wh; times in seconds since 2000 UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction

from firmware_emu.device.store import Store
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.gbcs.axdr import Array, BitString, Data, Number, OctetString, Structure
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import parse_obis
from hil.devices.metering.local_time import local_day
from hil.devices.metering.registers import DAILY_DEPTH, DAY_S, RecordRing, watt_hours
from hil.devices.metering.tariff import (
    BLOCK_SETS,
    BLOCKS,
    SECONDARY_RATES,
    TOU_RATES,
    Read,
    TariffRegisters,
    day_of,
    falls_on,
    midnight_of,
    time_of_day,
    unit_charge,
)

METER_BALANCE, EMERGENCY_CREDIT, ACCUMULATED_DEBT = (parse_obis(f"0-0:19.10.{n}") for n in range(3))
STANDING = parse_obis("0-0:19.20.4")
TIME_DEBTS = (parse_obis("0-0:19.20.1"), parse_obis("0-0:19.20.2"))
PREPAYMENT_MODE = 2
"""Payment mode of class 111 attribute 2: 1 credit, 2 prepayment (RTDS ECS02, ECS03)."""
POUND = 100_000
"""Millipence in a pound: the debt recovery rate cap is in whole pounds (reference smets 3)."""
_WHOLE_PAYMENT = 10_000
"""Debt recovery per payment counts hundredths of a per cent."""
_WEEK_S, _FIRST_MONDAY = 7 * DAY_S, 2 * DAY_S

CREDIT_ADDED_LOCALLY = 0x810E
LOW_CREDIT, EMERGENCY_AVAILABLE, BELOW_DISABLEMENT, DISABLEMENT_SUSPENDED = 0x810D, 0x8119, 0x8F0F, 0x8F83
EMERGENCY_EXHAUSTED, EMERGENCY_ACTIVATED, ARMED_BY_EMERGENCY = 0x81AA, 0x81AB, 0x8168
DEBT_PAID = (0x81A7, 0x81A8, 0x81A9)
"""Time debt 1, time debt 2, payment debt."""
OVER_MAX_CREDIT, OVER_MAX_BALANCE = 0x8F5B, 0x8F47


def over_limit(refusal: int) -> TopUpResult:
    """Result of a top-up that a limit refuses, by the event that tells it."""
    return TopUpResult.VALUE_TOO_LARGE if refusal == OVER_MAX_CREDIT else TopUpResult.MAXIMUM_CREDIT_REACHED


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms that were set: thresholds and limits in millipence, debt rates in millipence a period, periods in seconds."""

    prepayment: bool
    taken_from: frozenset[tuple[bytes, bytes]]
    disablement: int
    emergency_limit: int
    emergency_threshold: int
    low_credit: int
    max_credit: int
    max_balance: int
    cap: int
    cap_period: int
    debt_rates: tuple[Fraction, Fraction]
    debt_periods: tuple[int, int]
    proportion: int
    suspend_emergency: bool = False
    """Time-based charges build up as accumulated debt while emergency credit is in use."""
    cap_calendar_week: bool = False
    """The cap's week begins on Mondays; else it is the 7 x 24 h before each payment."""

    @classmethod
    def read(cls, read: Read, *, cap_calendar_week: bool = False) -> Terms:
        """From the active attributes of the model."""

        def number(class_id: int, obis: str, attribute: int) -> int:
            value = read(class_id, obis, attribute)
            return int(value) if isinstance(value, Number) else 0

        def debts(attribute: int) -> list[Data]:
            return [read(113, f"0-0:19.20.{place}", attribute) for place in (1, 2)]

        mode = read(111, "0-0:19.0.0", 2)
        rates = [unit_charge(value).get(0, Fraction(0)) for value in debts(5)]
        periods = [int(value) if isinstance(value, Number) else 0 for value in debts(8)]
        threshold = read(21, "0-0:16.0.1", 2)
        return cls(
            prepayment=isinstance(mode, Structure) and mode.elements[:1] == (DlmsEnum(PREPAYMENT_MODE),),
            taken_from=_taken(read(111, "0-0:19.0.0", 11)),
            disablement=int(threshold[0]) if isinstance(threshold, Array) and len(threshold) and isinstance(threshold[0], Number) else 0,
            emergency_limit=number(112, "0-0:19.10.1", 9),
            emergency_threshold=number(112, "0-0:19.10.1", 10),
            low_credit=number(111, "0-0:19.0.0", 16),
            max_credit=number(9000, "0-0:94.44.2.10", 2),
            max_balance=number(9000, "0-0:94.44.2.20", 2),
            cap=number(111, "0-0:19.0.0", 18) * POUND,
            cap_period=number(111, "0-0:19.0.0", 19),
            debt_rates=(rates[0], rates[1]),
            debt_periods=(periods[0], periods[1]),
            proportion=number(113, "0-0:19.20.3", 13),
            suspend_emergency=_suspends(read(111, "0-0:19.0.0", 11)),
            cap_calendar_week=cap_calendar_week,
        )

    def takes(self, credit: bytes, charge: bytes) -> bool:
        """True if ``charge`` is taken from ``credit``. Before anything was set the standing charge is, as in credit mode (RTDS ECS02)."""
        if not self.taken_from:
            return (credit, charge) == (METER_BALANCE, STANDING)
        return (credit, charge) in self.taken_from


def _rows(value: Data) -> dict[tuple[bytes, bytes], str]:
    """Collection configuration of each pair of credit and charge that a meter is given."""
    rows: dict[tuple[bytes, bytes], str] = {}
    for item in value.elements if isinstance(value, Array) else ():
        match item:
            case Structure(elements=(OctetString(octets=credit), OctetString(octets=charge), BitString(bits=bits))) if any(credit):
                rows[credit, charge] = bits
    return rows


def _suspends(value: Data) -> bool:
    """True where rows of accumulated debt say that debts are not taken from emergency credit (RTDS ECS03)."""
    return any(credit == ACCUMULATED_DEBT for credit, _ in _rows(value))


def _taken(value: Data) -> frozenset[tuple[bytes, bytes]]:
    """Which charge is taken from which credit, out of the rows that a meter is given (RTDS ECS03): rows of accumulated debt say that
    debts are not taken from emergency credit, a third bit of 0 that a debt is not taken while supply is disabled. The standing charge
    builds up in any case."""
    rows = _rows(value)
    taken = {pair for pair in rows if pair[0] != ACCUMULATED_DEBT}
    if not any(credit == EMERGENCY_CREDIT for credit, _ in rows):
        return frozenset(taken)
    if any(credit == ACCUMULATED_DEBT for credit, _ in rows):
        taken -= {(EMERGENCY_CREDIT, debt) for debt in TIME_DEBTS}
    taken |= {(ACCUMULATED_DEBT, debt) for debt in TIME_DEBTS if rows.get((METER_BALANCE, debt), "").endswith("1")}
    return frozenset(taken | {(ACCUMULATED_DEBT, STANDING)})


@dataclass(frozen=True, slots=True)
class Payment:
    """Use of one top-up, in millipence: the order of reference smets 3."""

    amount: int
    to_payment_debt: int
    to_accumulated_debt: int
    to_emergency_credit: int


@dataclass
class Account:
    """Balances in millipence. ``tell`` is called with the code of each event as it happens.

    ``out`` says that credit is below the disablement threshold, ``arm`` that an armed supply awaits the consumer.
    """

    tell: Callable[[int], None]
    balance: Fraction = Fraction(0)
    emergency: Fraction = Fraction(0)
    emergency_active: bool = False
    accumulated: Fraction = Fraction(0)
    time_debts: list[Fraction] = field(default_factory=lambda: [Fraction(0), Fraction(0)])
    payment_debt: int = 0
    emergency_limit: int = 0
    cap_payments: list[tuple[int, int]] = field(default_factory=list)
    """Time and amount of each payment of debt that the cap still counts."""
    low: bool = False
    available: bool = False
    out: bool = False

    # --- credit in use

    def left(self, terms: Terms) -> Fraction:
        """Credit above the disablement threshold, emergency credit in use included."""
        return self.balance - terms.disablement + (self.emergency if self.emergency_active else 0)

    def _in_use(self, terms: Terms) -> bytes:
        if not terms.prepayment or self.balance > terms.disablement:
            return METER_BALANCE
        return EMERGENCY_CREDIT if self.emergency_active and self.emergency > 0 else ACCUMULATED_DEBT

    def use(self, cost: Fraction, terms: Terms) -> None:
        """Take what energy cost: the balance down to the disablement threshold, emergency credit, then the balance again."""
        if terms.prepayment and self.emergency_active and self.balance - cost < terms.disablement:
            own = max(self.balance - terms.disablement, Fraction(0))
            borrowed = min(self.emergency, cost - own)
            self.emergency -= borrowed
            cost -= borrowed
            if borrowed and not self.emergency:
                self.tell(EMERGENCY_EXHAUSTED)
        self.balance -= cost

    def take(self, charge: bytes, amount: Fraction, terms: Terms) -> Fraction:
        """Take a charge that falls due from the credit in use, or let it build up as accumulated debt; returns what was taken."""
        credit = self._in_use(terms)
        if credit == EMERGENCY_CREDIT and terms.suspend_emergency:
            self.accumulated += amount
            return amount
        if not terms.takes(credit, charge):
            return Fraction(0)
        if credit == METER_BALANCE:
            self.balance -= amount
        elif credit == EMERGENCY_CREDIT:
            taken = min(self.emergency, amount)
            self.emergency -= taken
            if not self.emergency:
                self.tell(EMERGENCY_EXHAUSTED)
            if amount > taken and terms.takes(ACCUMULATED_DEBT, charge):
                self.accumulated += amount - taken
                return amount
            return taken
        else:
            self.accumulated += amount
        return amount

    def fall_due(self, now: int, standing: Fraction, terms: Terms) -> None:
        """The charges of moment ``now``: the standing charge at midnight, each time debt at the end of its period."""
        if now % DAY_S == 0:
            self.take(STANDING, standing, terms)
        for place, charge in enumerate(TIME_DEBTS):
            period = terms.debt_periods[place]
            if period and self.time_debts[place] > 0 and now % period == 0:
                wanted = min(terms.debt_rates[place], self.time_debts[place])
                self.time_debts[place] -= self.take(charge, wanted, terms)
                if self.time_debts[place] == 0:
                    self.tell(DEBT_PAID[place])

    # --- thresholds

    def next_threshold(self, terms: Terms) -> Fraction | None:
        """Amount that may be used until a threshold is crossed: the nearest of low credit, emergency credit and disablement."""
        if not terms.prepayment:
            return None
        combined = self.balance + (self.emergency if self.emergency_active else 0)
        rooms = []
        if not self.low:
            rooms.append(combined - terms.low_credit)
        if not self.available and not self.emergency_active and terms.emergency_limit:
            rooms.append(self.balance - terms.emergency_threshold)
        if not self.out:
            rooms.append(self.left(terms))
        ahead = [room for room in rooms if room >= 0]
        return min(ahead) if ahead else None

    def check(self, terms: Terms) -> None:
        """Notice thresholds that were crossed, and crossed back, since the last time."""
        self.emergency_limit = terms.emergency_limit
        if not terms.prepayment:
            self.low = self.available = self.out = False
            return
        combined = self.balance + (self.emergency if self.emergency_active else 0)
        low = combined < terms.low_credit
        if low and not self.low:
            self.tell(LOW_CREDIT)
        available = bool(terms.emergency_limit) and not self.emergency_active and self.balance < terms.emergency_threshold
        if available and not self.available:
            self.tell(EMERGENCY_AVAILABLE)
        out = self.left(terms) < 0
        if out and not self.out:
            self.tell(BELOW_DISABLEMENT)
        self.low, self.available, self.out = low, available, out

    # --- what people do

    def activate_emergency_credit(self, terms: Terms) -> bool:
        """Lend the emergency credit limit; whether emergency credit is active afterwards (reference smets 3, ECS09)."""
        if self.emergency_active:
            return True
        self.check(terms)
        if not self.available:
            return False
        self.emergency_active, self.emergency, self.available = True, Fraction(terms.emergency_limit), False
        self.tell(EMERGENCY_ACTIVATED)
        return True

    def refusal(self, amount: int, terms: Terms) -> int | None:
        """The event of a top-up that is over a limit, None for one that may be taken. A limit of 0 is one that was never set."""
        if terms.max_credit and amount > terms.max_credit:
            return OVER_MAX_CREDIT
        return OVER_MAX_BALANCE if terms.max_balance and self.balance + amount > terms.max_balance else None

    def top_up(self, amount: int, now: int, terms: Terms) -> Payment:
        """Use a top-up: payment debt up to the cap, accumulated debt, the shortfall below the threshold, emergency credit, the balance."""
        rest = Fraction(amount)
        to_debt = self._payment_debt_share(amount, now, terms) if terms.prepayment else 0
        self.payment_debt -= to_debt
        if to_debt and not self.payment_debt:
            self.tell(DEBT_PAID[2])
        rest -= to_debt
        to_accumulated = min(rest, self.accumulated)
        self.accumulated -= to_accumulated
        rest -= to_accumulated
        shortfall = min(rest, max(terms.disablement - self.balance, Fraction(0))) if terms.prepayment else Fraction(0)
        self.balance += shortfall
        rest -= shortfall
        to_emergency = Fraction(0)
        if self.emergency_active:
            to_emergency = min(rest, terms.emergency_limit - self.emergency)
            self.emergency += to_emergency
            rest -= to_emergency
            if self.emergency >= terms.emergency_limit:
                self.emergency_active, self.emergency = False, Fraction(0)
        self.balance += rest
        return Payment(amount, to_debt, int(to_accumulated), int(to_emergency))

    def _payment_debt_share(self, amount: int, now: int, terms: Terms) -> int:
        share = min(amount * terms.proportion // _WHOLE_PAYMENT, self.payment_debt)
        if terms.cap_period:
            since = now - terms.cap_period
            if terms.cap_calendar_week:
                offset = _FIRST_MONDAY if terms.cap_period == _WEEK_S else 0
                since = (now - offset) // terms.cap_period * terms.cap_period + offset - 1
            self.cap_payments = [(time, paid) for time, paid in self.cap_payments if time > since]
            share = min(share, max(terms.cap - sum(paid for _, paid in self.cap_payments), 0))
            if share:
                self.cap_payments.append((now, share))
        return share

    @property
    def emergency_balance(self) -> Fraction:
        """Emergency credit that is left; all of it where none is owed (SMETS 4.5.3.19, 5.6.3.29)."""
        return self.emergency if self.emergency_active else Fraction(self.emergency_limit)

    def reset(self) -> None:
        """ECS04b, GCS40b: balance and accumulated debt to nothing; no emergency credit is owed any more, so that all of it is there."""
        self.balance = self.emergency = self.accumulated = Fraction(0)
        self.emergency_active = False

    # --- the store

    def state(self) -> dict[str, object]:
        """For the store: fractions as text."""
        return {
            "balance": str(self.balance),
            "emergency": str(self.emergency),
            "emergency_active": self.emergency_active,
            "accumulated": str(self.accumulated),
            "time_debts": [str(debt) for debt in self.time_debts],
            "payment_debt": self.payment_debt,
            "emergency_limit": self.emergency_limit,
            "cap_payments": self.cap_payments,
            "low": self.low,
            "available": self.available,
            "out": self.out,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        debts = state["time_debts"]
        self.balance, self.emergency = Fraction(str(state["balance"])), Fraction(str(state["emergency"]))
        self.accumulated = Fraction(str(state["accumulated"]))
        self.time_debts = [Fraction(str(debt)) for debt in debts] if isinstance(debts, list) else []
        self.payment_debt, self.emergency_limit = int(str(state["payment_debt"])), int(str(state.get("emergency_limit", 0)))
        payments = state.get("cap_payments")
        self.cap_payments = [(int(time), int(paid)) for time, paid in payments] if isinstance(payments, list) else []
        self.emergency_active, self.low = bool(state["emergency_active"]), bool(state["low"])
        self.available, self.out = bool(state["available"]), bool(state["out"])


BILLING_DEPTH, CREDIT_DEPTH, DEBT_PAYMENT_DEPTH = 12, 5, 10
DAYS_KEPT, WEEKS_KEPT, MONTHS_KEPT = 8, 5, 13
"""Past values kept for displays (reference smets 2, cumulative and historical value store)."""
SPANS = ("day", "week", "month")
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
        """Snapshot of the registers at ``now``."""
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
        account.emergency_balance,
        account.balance,
        Fraction(account.payment_debt),
        *account.time_debts,
    )
    return tuple(max(-_LIMIT - 1, min(_LIMIT, value.numerator // value.denominator)) for value in values)


def displayed(account: Account) -> dict[str, str]:
    """Balance and debt as a meter's own display shows them, in pence."""
    accumulated, _, balance, *debts = balances(account)
    return {"balance, pence": f"{balance / 1000:.2f}", "debt, pence": f"{(accumulated + sum(debts)) / 1000:.2f}"}


class BillingLogs:
    """The logs in the store. ``billing`` at the ends of periods, ``changes`` at changes of mode, tariff or supplier."""

    def __init__(self, store: Store, name: str) -> None:
        registers, money = f"I{_REGISTERS}I", f"I{_BALANCES}i"
        self.daily = RecordRing(store, name + "/daily", registers, DAILY_DEPTH, 8)
        self.prepayment_daily = RecordRing(store, name + "/prepayment-daily", money, DAILY_DEPTH)
        self.billing = RecordRing(store, name + "/billing", registers, BILLING_DEPTH)
        self.billing_balances = RecordRing(store, name + "/billing-balances", money, BILLING_DEPTH)
        self.changes = RecordRing(store, name + "/changes", f"{registers}{_BALANCES}i", BILLING_DEPTH)
        self.credits = RecordRing(store, name + "/credits", "II", CREDIT_DEPTH)
        self.debt_payments = RecordRing(store, name + "/debt-payments", "II", DEBT_PAYMENT_DEPTH)

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


@dataclass(frozen=True, slots=True)
class BilledSpan:
    """A day, week or month of the consumer: its first second, energy in watt-seconds and cost in millipence."""

    start: int
    energy: int
    cost: Fraction


@dataclass
class Past:
    """The day, week and month under way, and those before, newest last; they end at local midnights (SMETS of January 2013, 5.4.8.4)."""

    current: dict[str, BilledSpan] = field(default_factory=dict)
    past: dict[str, list[BilledSpan]] = field(default_factory=dict)

    def add(self, now: int, energy: int, cost: Fraction) -> None:
        """Count what was used up to ``now``."""
        for span in SPANS:
            before = self.current.get(span) or BilledSpan(now, 0, Fraction(0))
            self.current[span] = BilledSpan(before.start, before.energy + energy, before.cost + cost)

    def midnight(self, now: int) -> None:
        """Close the day, on Mondays the week, on the first of a month the month."""
        day = local_day(now)
        for span, ends, kept in (("day", True, DAYS_KEPT), ("week", day.weekday() == 0, WEEKS_KEPT), ("month", day.day == 1, MONTHS_KEPT)):
            if ends:
                closed = self.current.get(span) or BilledSpan(now, 0, Fraction(0))
                self.current[span] = BilledSpan(now, 0, Fraction(0))
                self.past[span] = [*self.past.get(span, []), closed][-kept:]

    def before(self, span: str, number: int, visible_from: int) -> BilledSpan:
        """The span ``number`` before the one under way (0: that itself); empty if it is not known or began before ``visible_from``."""
        past = self.past.get(span, [])
        found = self.current.get(span) if number == 0 else past[-number] if number <= len(past) else None
        return found if found is not None and found.start >= visible_from else BilledSpan(0, 0, Fraction(0))

    def state(self) -> dict[str, object]:
        """For the store."""
        return {
            "current": {span: _told(entry) for span, entry in self.current.items()},
            "past": {span: [_told(entry) for entry in entries] for span, entries in self.past.items()},
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        current, past = state["current"], state["past"]
        self.current = {str(span): _span(one) for span, one in current.items()} if isinstance(current, dict) else {}
        self.past = {str(span): [_span(one) for one in entries] for span, entries in past.items()} if isinstance(past, dict) else {}


def _told(span: BilledSpan) -> list[object]:
    return [span.start, span.energy, str(span.cost)]


def _span(value: Sequence[object]) -> BilledSpan:
    return BilledSpan(int(str(value[0])), int(str(value[1])), Fraction(str(value[2])))


def is_midnight(now: int) -> bool:
    """True if ``now`` is a midnight UTC."""
    return now % DAY_S == 0
