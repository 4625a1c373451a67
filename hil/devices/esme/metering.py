"""The metrology of an electricity meter: load into registers, rates, costs, balances, supply and logs, exact and kept in the store.

Time is cut at half hours, tariff switches, ends of billing periods and the seconds at which a threshold is crossed; within a piece load
and price are constant, so that integers and fractions say everything and a year of half hours is quick. The load switch with the load
limit that opens it (reference smets 4), and maximum demand (reference smets 5), are here too.

Voltage of the phases of an electricity meter: averages, their log and counters, and the events of going beyond a threshold.

Reference smets 5: averages compare with their thresholds on crossing; extremes, sag and swell when the voltage stays beyond for longer
than their period, and again on return. Voltages are whole volts, as ECS29a sets them (RTDS).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any, Protocol

from firmware_emu.device.object_model import ObjectModel
from firmware_emu.device.store import Store
from firmware_emu.gbcs.axdr import Array, Boolean, Data, Number
from hil.devices.esme.variant import EsmeVariant
from hil.devices.metering.billing import BillingCalendar, BillingLogs, Past, Snapshot, Terms, is_midnight
from hil.devices.metering.local_time import is_local_midnight
from hil.devices.metering.maker import Maker
from hil.devices.metering.meter import SUPPLY_ARMED, Metrology, States
from hil.devices.metering.part import MeterPart
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, OTHER_PROFILE_DEPTH, LoadProfile, RecordRing, Register, house, nothing
from hil.devices.metering.tariff import Offset, Read, SwitchSchedule, Tariff, randomised_offset

AVERAGE_DEPTH = 4_320
"""Entries of the average RMS voltage profile log of a phase (SMETS 5.7.5.9, reference smets 2)."""
NOMINAL_V = 230
LONG_OUTAGE_S = 180
"""An outage of a phase of three minutes or more has a code of its own, as that of the meter (alert codes 8F38, 8F3A, 8F3C)."""
PHASE_OBIS = (32, 52, 72)
"""Value group C of the voltage objects of phases 1 to 3 (reference smets 11)."""
EXTREMES = ("extreme over", "extreme under", "sag", "swell")
"""Thresholds 0-0:17.0.1 to 0-0:17.0.4, in this order."""


@cache
def event_codes() -> Mapping[tuple[str, str, int], int]:
    """(quantity, ``beyond`` or ``back``, phase) to event code; phase 0 is that of a meter with one phase (``voltage_events.csv``)."""
    text = resources.files(__package__).joinpath("voltage_events.csv").read_text(encoding="utf-8")
    return {(row["quantity"], row["direction"], int(row["phase"])): int(row["code"], 16) for row in csv.DictReader(text.splitlines())}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Settings of ECS29 for one phase: average over and under, averaging period, and (threshold, period) of each extreme. 0: not
    watched."""

    over: int
    under: int
    period: int
    extremes: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, read: Read, phase: int) -> Thresholds:
        """From the model; ``phase`` counts from 0."""

        def number(class_id: int, obis: str, attribute: int) -> int:
            value = read(class_id, obis, attribute)
            return int(value) if isinstance(value, Number) else 0

        group = PHASE_OBIS[phase]
        extremes = tuple((number(71, f"0-0:17.0.{place}", 4), number(71, f"0-0:17.0.{place}", 6)) for place in (1, 2, 3, 4))
        return cls(
            number(1, f"1-0:{group}.35.0.4", 2),
            number(1, f"1-0:{group}.31.0.4", 2),
            number(7, f"1-0:{group}.24.0", 4),
            extremes,
        )


class Phase:
    """One phase. ``volts`` holds until it is set again; averages are of volt-seconds."""

    def __init__(self, store: Store, name: str, number: int, tell: Callable[[int], None]) -> None:
        """``number``: 0 for a meter with one phase, else 1 to 3."""
        self.log = RecordRing(store, name + "/average", "II", AVERAGE_DEPTH)
        self._number = number
        self._tell = tell
        self.volts = NOMINAL_V
        self.over_counter = self.under_counter = 0
        self._sum = 0
        self._period_start: int | None = None
        self._over = self._under = False
        self._beyond = [False] * len(EXTREMES)
        self._since: list[int | None] = [None] * len(EXTREMES)
        self._dead_since: int | None = None

    def _event(self, quantity: str, direction: str) -> None:
        self._tell(event_codes()[quantity, direction, self._number])

    def set_volts(self, now: int, volts: int, thresholds: Thresholds) -> None:
        """The voltage from ``now`` on. A phase without any is out."""
        if self._number and volts == 0 and self._dead_since is None:
            self._dead_since = now
            self._tell(event_codes()["supply", "beyond", self._number])
        elif volts and self._dead_since is not None:
            quantity = "long outage" if now - self._dead_since >= LONG_OUTAGE_S else "supply"
            self._dead_since = None
            self._tell(event_codes()[quantity, "back", self._number])
        self.volts = volts
        self._extremes(now, thresholds)

    def pass_time(self, start: int, end: int, thresholds: Thresholds) -> None:
        """``volts`` from ``start`` to ``end``."""
        if thresholds.period:
            self._average(start, end, thresholds)
        self._extremes(end, thresholds)

    def _average(self, start: int, end: int, thresholds: Thresholds) -> None:
        period = thresholds.period
        if self._period_start is None:
            self._period_start, self._sum = start, 0
        while start < end:
            boundary = (start // period + 1) * period
            step = min(boundary, end)
            self._sum += self.volts * (step - start)
            start = step
            if step == boundary:
                self._close(boundary, thresholds)

    def _close(self, boundary: int, thresholds: Thresholds) -> None:
        assert self._period_start is not None
        average = self._sum // max(boundary - self._period_start, 1)
        self._period_start, self._sum = boundary, 0
        self.log.append(boundary, average)
        over = bool(thresholds.over) and average > thresholds.over
        under = bool(thresholds.under) and average < thresholds.under
        self.over_counter += over and not self._over
        self.under_counter += under and not self._under
        for quantity, new, old in (("average over", over, self._over), ("average under", under, self._under)):
            if new != old:
                self._event(quantity, "beyond" if new else "back")
        self._over, self._under = over, under

    def _extremes(self, now: int, thresholds: Thresholds) -> None:
        for place, (limit, period) in enumerate(thresholds.extremes):
            quantity = EXTREMES[place]
            above = quantity in ("extreme over", "swell")
            beyond = bool(limit) and (self.volts > limit if above else self.volts < limit)
            since = self._since[place]
            if beyond == self._beyond[place]:
                self._since[place] = None
            elif since is None:
                self._since[place] = now
            elif now - since >= period:
                self._beyond[place], self._since[place] = beyond, None
                self._event(quantity, "beyond" if beyond else "back")

    def next_moment(self, thresholds: Thresholds) -> int | None:
        """When an extreme will have lasted for its period, or the average that is watched has its end."""
        moments = [since + period for since, (_, period) in zip(self._since, thresholds.extremes, strict=True) if since is not None]
        if thresholds.period and (thresholds.over or thresholds.under) and self._period_start is not None:
            moments.append(self._period_start + thresholds.period)
        return min(moments, default=None)

    def state(self) -> dict[str, object]:
        """For the store."""
        return {
            "volts": self.volts,
            "over_counter": self.over_counter,
            "under_counter": self.under_counter,
            "sum": self._sum,
            "period_start": self._period_start,
            "over": self._over,
            "under": self._under,
            "beyond": self._beyond,
            "since": self._since,
            "dead_since": self._dead_since,
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        self.volts, self.over_counter, self.under_counter, self._sum = (
            int(str(state[name])) for name in ("volts", "over_counter", "under_counter", "sum")
        )
        start = state["period_start"]
        self._period_start = None if start is None else int(str(start))
        self._over, self._under = bool(state["over"]), bool(state["under"])
        self._beyond = [bool(one) for one in _items(state["beyond"])]
        dead = state.get("dead_since")
        self._dead_since = None if dead is None else int(str(dead))
        self._since = [None if one is None else int(str(one)) for one in _items(state["since"])]


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


ABOVE_LIMIT, LIMIT_DISABLED, LIMIT_RESTORED = 0x8F01, 0x8F33, 0x8F34


class LoadSwitch(IntEnum):
    """State of the load switch, as class 70 tells it (reference smets 4)."""

    DISABLED = 0
    ENABLED = 1
    ARMED = 2


@dataclass(frozen=True, slots=True)
class LoadLimit:
    """Settings of ECS28a: watts, seconds above it, seconds until supply returns, and whether supply is disabled at all."""

    watts: int
    period: int
    restoration: int
    disables: bool

    @classmethod
    def read(cls, read: Read) -> LoadLimit:
        """From the active attributes of the model."""

        def number(attribute: int) -> int:
            value = read(71, "0-0:17.0.0", attribute)
            return int(value) if isinstance(value, Number) else 0

        return cls(number(4), number(6), number(7), read(9000, "0-0:94.44.0.3", 2) == Boolean(True))


@dataclass
class LoadLimiter:
    """Watches import power. ``counter`` counts the times it was above the limit for the whole period; a limit of 0 W watches nothing."""

    tell: Callable[[int], None]
    move: Callable[[LoadSwitch], bool]
    counter: int = 0
    over_since: int | None = None
    tripped: bool = False
    restore_at: int | None = None

    def watch(self, now: int, power: Callable[[], int], switch: LoadSwitch, limit: LoadLimit) -> None:
        """The state of things at ``now``: power in watts from now on, state of the load switch."""
        if self.restore_at is not None and switch is not LoadSwitch.ARMED:
            self.restore_at = None  # somebody else moved the switch meanwhile
        if self.restore_at is not None and now >= self.restore_at:
            self.restore_at = None
            if self.move(LoadSwitch.ENABLED):
                self.tell(LIMIT_RESTORED)
        if not limit.watts or power() <= limit.watts:
            self.over_since, self.tripped = None, False
            return
        if self.over_since is None:
            self.over_since = now
        if self.tripped or now - self.over_since < limit.period:
            return
        self.tripped = True
        self.counter += 1
        self.tell(ABOVE_LIMIT)
        if limit.disables and self.move(LoadSwitch.DISABLED) and self.move(LoadSwitch.ARMED):
            self.restore_at = now + limit.restoration
            self.over_since, self.tripped = None, False
            self.tell(LIMIT_DISABLED)

    def next_moment(self, limit: LoadLimit) -> int | None:
        """When it has to look again, power unchanged."""
        if self.restore_at is not None:
            return self.restore_at
        return self.over_since + limit.period if self.over_since is not None and not self.tripped else None

    def state(self) -> dict[str, object]:
        """For the store."""
        return {"counter": self.counter, "over_since": self.over_since, "tripped": self.tripped, "restore_at": self.restore_at}

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        self.counter = int(str(state["counter"]))
        self.over_since, self.restore_at = _moment(state["over_since"]), _moment(state["restore_at"])
        self.tripped = bool(state["tripped"])


def _moment(value: object) -> int | None:
    return int(str(value)) if value is not None else None


_START, _END = 1, 2
"""Scripts of the window's schedule entries (RTDS ECS37)."""


@dataclass
class MaximumDemand:
    """One maximum demand register: mean watts of the largest half hour, its end, and the last reset (seconds since 2000)."""

    watts: int = 0
    at: int = 0
    reset_at: int = 0

    def offer(self, end: int, watt_hours: int) -> None:
        """A half hour that ended at ``end``."""
        watts = watt_hours * 3600 // HALF_HOUR_S
        if watts > self.watts:
            self.watts, self.at = watts, end

    def reset(self, now: int) -> None:
        """Start anew."""
        self.watts, self.at, self.reset_at = 0, now, now

    def state(self) -> dict[str, object]:
        """For the store."""
        return {"watts": self.watts, "at": self.at, "reset_at": self.reset_at}

    def restore(self, state: Mapping[str, object]) -> None:
        """From the store."""
        self.watts, self.at, self.reset_at = (int(str(state[name])) for name in ("watts", "at", "reset_at"))


class Window:
    """The configurable daily window (ECS37); a meter without one has the whole day."""

    def __init__(self, entries: Data) -> None:
        switches = SwitchSchedule(entries, Array(())).switches
        starts = [switch.at for switch in switches if switch.selector == _START]
        ends = [switch.at for switch in switches if switch.selector == _END]
        self._span = (starts[0], ends[0]) if starts and ends and starts[0] != ends[0] else None

    def holds(self, end: int) -> bool:
        """True if the half hour that ended at ``end`` lies in the window, which may run over midnight."""
        if self._span is None:
            return True
        first, last = self._span
        begin = (end - HALF_HOUR_S) % DAY_S
        offset, length = (begin - first) % DAY_S, (last - first) % DAY_S
        return offset + HALF_HOUR_S <= length


BILLING_UPDATED = 0x8F0A
_START_SUPPLY, _STOP_SUPPLY = 32, 33
"""Scripts of the non-disablement calendar: supply is not disabled from the first to the second (RTDS ECS08)."""


def _third(half_hour: int) -> int:
    return house(half_hour) // 3


class EsmeRegisters:
    """Registers of the meter: active energy in Wh, reactive in varh. ``active_import`` is that of all elements together."""

    def __init__(self, store: Store, name: str, load: LoadProfile, secondary: LoadProfile, export: LoadProfile) -> None:
        def register(load: LoadProfile, part: str, depth: int = OTHER_PROFILE_DEPTH) -> Register:
            return Register(load, store=store, name=f"{name}register/{part}", profile_depth=depth)

        total = load if secondary is nothing else (lambda half_hour: load(half_hour) + secondary(half_hour))
        self.active_import = Register(total, store=store, name=f"{name}register/active-import")
        self.secondary_import = Register(secondary, store=store, name=f"{name}register/secondary-import")
        self.reactive_import = register(_third, "reactive-import")
        self.active_export = register(export, "active-export")
        self.reactive_export = register(nothing, "reactive-export")

    def all(self) -> tuple[Register, ...]:
        """Every register."""
        return self.active_import, self.secondary_import, self.reactive_import, self.active_export, self.reactive_export


@dataclass(frozen=True, slots=True)
class EsmeSettings:
    """Everything that was set and steers the metering, as objects."""

    tariff: Tariff
    terms: Terms
    limit: LoadLimit
    thresholds: tuple[Thresholds, ...]
    billing: BillingCalendar
    block_reset: BillingCalendar
    non_disablement: SwitchSchedule
    window: Window

    @classmethod
    def read(cls, read: Read, phases: int, delay: int, maker: Maker) -> EsmeSettings:
        """From the active attributes of the model; tariff switches come ``delay`` seconds late."""
        return cls(
            Tariff.read(read, delay),
            Terms.read(read, cap_calendar_week=maker.cap_calendar_week),
            LoadLimit.read(read),
            tuple(Thresholds.read(read, phase) for phase in range(phases)),
            BillingCalendar(read(22, "0-0:15.0.0", 4)),
            BillingCalendar(read(22, "0-0:15.1.0", 4)),
            SwitchSchedule(read(10, "0-0:12.0.1", 2), read(11, "0-0:11.0.2", 2)),
            Window(read(10, "0-0:12.0.0", 2)),
        )


STATES = States(LoadSwitch.DISABLED, LoadSwitch.ARMED, LoadSwitch.ENABLED)


class ElectricityMeasured(MeterPart, Offset, Protocol):
    """An electricity meter whose energy is measured."""

    variant: EsmeVariant
    registers: EsmeRegisters
    maker: Maker
    model: ObjectModel

    def contactor_moves(self, state: LoadSwitch) -> bool:
        """Move the contactor; False if it does not move."""
        ...

    def billed(self) -> None:
        """A billing period has ended."""
        ...


@dataclass(frozen=True, slots=True)
class _Reading:
    """Settings, and the values of the model that they were made of."""

    changes: int
    delay: int
    values: Mapping[tuple[int, str, int], Data]
    settings: EsmeSettings


class Metering(Metrology[LoadSwitch, EsmeSettings]):
    """Everything that an ESME measures and accounts for."""

    def __init__(self, esme: ElectricityMeasured) -> None:
        store, prefix = esme.store, esme.gbcs.prefix
        super().__init__(store, prefix + "metering", STATES, esme.tell, esme.contactor_moves)
        self._esme = esme
        self.registers = esme.registers
        self.elements = esme.variant.elements
        self.past = Past()
        self.logs = BillingLogs(store, prefix + "billing")
        self.limiter = LoadLimiter(esme.tell, self.move)
        numbers = (0,) if esme.variant.phases == 1 else tuple(range(1, esme.variant.phases + 1))
        self.phases = tuple(Phase(store, f"{prefix}phase/{number}", number, esme.tell) for number in numbers)
        self.demands = {"import": MaximumDemand(), "window": MaximumDemand(), "export": MaximumDemand()}
        self._next: dict[str, int | None] = {}
        self._read: _Reading | None = None
        self._parts: Mapping[str, Past | LoadLimiter | MaximumDemand | Phase] = {
            "past": self.past,
            "limiter": self.limiter,
            **{f"demand {key}": demand for key, demand in self.demands.items()},
            **{f"phase {number}": phase for number, phase in zip(numbers, self.phases, strict=True)},
        }
        self.recall()

    def counting(self) -> tuple[Register, ...]:
        return self.registers.all()

    def _restore(self, state: Mapping[str, Any]) -> None:
        for key, part in self._parts.items():
            part.restore(state[key])
        self.supply = LoadSwitch(state["switch"])

    def _state(self) -> Mapping[str, object]:
        return {"switch": int(self.supply)} | {key: part.state() for key, part in self._parts.items()}

    def _read_settings(self) -> EsmeSettings:
        maker, changes = self._esme.maker, self._esme.model.changes
        if self._read is not None and self._read.changes == changes:
            return self._read.settings
        delay = randomised_offset(self._esme) if maker.offset_tariff else 0
        last = self._read
        if last is None or last.delay != delay or any(self._esme.read(*place) is not value for place, value in last.values.items()):
            values: dict[tuple[int, str, int], Data] = {}

            def read(class_id: int, obis: str, attribute: int) -> Data:
                return values.setdefault((class_id, obis, attribute), self._esme.read(class_id, obis, attribute))

            last = _Reading(changes, delay, values, EsmeSettings.read(read, len(self.phases), delay, maker))
        self._read = replace(last, changes=changes)
        return last.settings

    def settings_changed(self) -> None:
        super().settings_changed()
        self._next.clear()

    # --- time

    def _piece_end(self) -> int:
        now, settings = self._until, self.settings
        ends: list[int | None] = [(now // HALF_HOUR_S + 1) * HALF_HOUR_S, settings.tariff.table.at(now)[1]]
        if self.elements > 1:
            ends.append(settings.tariff.secondary_table.at(now)[1])
        ends += [self._cached("billing", settings.billing.next), self._cached("blocks", settings.block_reset.next)]
        ends += [self._cached("non-disablement", settings.non_disablement.next), self.limiter.next_moment(settings.limit)]
        ends += [phase.next_moment(thresholds) for phase, thresholds in zip(self.phases, settings.thresholds, strict=True)]
        ends.append(self._threshold())
        return min(end for end in ends if end is not None and end > now)

    def _cached(self, name: str, find: Callable[[int], int | None]) -> int | None:
        known = self._next.get(name)
        if name not in self._next or (known is not None and known <= self._until):
            self._next[name] = known = find(self._until)
        return known

    def _threshold(self) -> int | None:
        """The first whole second after a credit threshold will be crossed at the present load and price, or a block be full."""
        now, tariff = self._until, self.settings.tariff
        script = tariff.table.at(now)[0]
        secondary = self.registers.secondary_import.rate(now) if self.elements > 1 else 0
        primary = self.registers.active_import.rate(now) - secondary
        cost = self.rates.price(tariff, script) * primary
        if secondary:
            cost += self.rates.price(tariff, tariff.secondary_table.at(now)[0]) * secondary
        return self._crossing(cost, primary, self.rates.room(tariff, script))

    def _advance(self, end: int) -> None:
        settings, now = self.settings, self._until
        registers, tariff = self.registers, settings.tariff
        script = tariff.table.at(now)[0]
        second_script = tariff.secondary_table.at(now)[0] if self.elements > 1 else 0
        energy = registers.active_import.advance(end)
        second = registers.secondary_import.advance(end)
        for register in (registers.reactive_import, registers.active_export, registers.reactive_export):
            register.advance(end)
        cost = self.rates.add(tariff, script, energy - second)
        if second:
            cost += self.rates.add(tariff, second_script, second)
        self.past.add(now, energy, cost)
        if cost:
            self.account.use(cost, settings.terms)
        for phase, thresholds in zip(self.phases, settings.thresholds, strict=True):
            phase.pass_time(now, end, thresholds)
        if end % HALF_HOUR_S == 0:
            self._half_hour(end)
        self._ends(end)
        self._look()

    def _half_hour(self, end: int) -> None:
        settings = self.settings
        imported, exported = self.registers.active_import.last_half_hour, self.registers.active_export.last_half_hour
        self.demands["import"].offer(end, imported)
        if settings.window.holds(end):
            self.demands["window"].offer(end, imported)
        self.demands["export"].offer(end, exported)

    def _ends(self, end: int) -> None:
        """End the periods that end at a moment: of charges, the day, the billing period, the block period."""
        settings = self.settings
        self.account.fall_due(end, settings.tariff.standing_charge, settings.terms)
        if is_local_midnight(end):
            self.past.midnight(end)
        if is_midnight(end):
            self.logs.midnight(self.snapshot(), self.account, settings.terms.prepayment)
        if self._next.get("billing") == end:
            self.logs.period_end(self.snapshot(), self.account)
            self.rates.reset_counters()
            self._esme.billed()
        if self._next.get("blocks") == end:
            self.rates.reset_counters()

    def snapshot(self) -> Snapshot:
        """Snapshot of the registers now."""
        return Snapshot.take(self._until, self.registers.active_import.total, self.registers.secondary_import.total, self.rates)

    def changed(self) -> None:
        """A change of tariff, payment mode or supplier: snapshot."""
        self.logs.change(self.snapshot(), self.account)

    # --- supply

    def _supply_stays(self) -> bool:
        return self.settings.non_disablement.last(self._until, (_START_SUPPLY, _STOP_SUPPLY)) == _START_SUPPLY

    def _look(self, armed: int = SUPPLY_ARMED) -> None:
        super()._look(armed)
        now = self._until
        self.limiter.watch(now, lambda: self.registers.active_import.rate(now), self.supply, self.settings.limit)

    # --- voltage

    def reset_voltage(self, place: int, *, over: bool) -> None:
        """Set the counter of average over or under voltage of a phase (from 0) to nothing; a phase that is not there has none."""
        if place < len(self.phases):
            if over:
                self.phases[place].over_counter = 0
            else:
                self.phases[place].under_counter = 0

    def set_voltage(self, place: int, volts: int) -> None:
        """The voltage of a phase (from 0) from the present moment on."""
        self.phases[place].set_volts(self._until, volts, self.settings.thresholds[place])
        self.save()
