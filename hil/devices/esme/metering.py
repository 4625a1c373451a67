"""The metrology of an electricity meter: load into registers, rates, costs, balances, supply and logs, exact and kept in the store.

Time is cut at half hours, tariff switches, ends of billing periods and the seconds at which a threshold is crossed; within a piece load
and price are constant, so that integers and fractions say everything and a year of half hours is quick. The load switch with the load
limit that opens it (reference smets 4), and maximum demand (reference smets 5), are here too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from firmware_emu.device.store import Store
from firmware_emu.gbcs.axdr import Array, Boolean, Data, Number
from hil.devices.esme.voltage import Phase, Thresholds
from hil.devices.metering.billing import DISABLEMENT_SUSPENDED, Account, BillingCalendar, BillingLogs, Past, Snapshot, Terms, is_midnight
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, HOUR_S, OTHER_PROFILE_DEPTH, LoadProfile, Register, house, nothing
from hil.devices.metering.tariff import Read, Schedule, Tariff, TariffRegisters

SUPPLY_ARMED = 0x8F32
ABOVE_LIMIT, LIMIT_DISABLED, LIMIT_RESTORED = 0x8F01, 0x8F33, 0x8F34


class LoadSwitch(IntEnum):
    """State of the load switch, as class 70 tells it (reference smets 4)."""

    DISABLED = 0
    ENABLED = 1
    ARMED = 2


@dataclass(frozen=True, slots=True)
class Limit:
    """What ECS28a set: watts, seconds above it, seconds until supply returns, and whether supply is disabled at all."""

    watts: int
    period: int
    restoration: int
    disables: bool

    @classmethod
    def read(cls, read: Read) -> Limit:
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

    def watch(self, now: int, power: Callable[[], int], switch: LoadSwitch, limit: Limit) -> None:
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

    def next_moment(self, limit: Limit) -> int | None:
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
class Demand:
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
        switches = Schedule(entries, Array(())).switches
        starts = [switch.at for switch in switches if switch.selector == _START]
        ends = [switch.at for switch in switches if switch.selector == _END]
        self._span = (starts[0], ends[0]) if starts and ends and starts[0] != ends[0] else None

    def holds(self, end: int) -> bool:
        """Whether the half hour that ended at ``end`` lies in the window, which may run over midnight."""
        if self._span is None:
            return True
        first, last = self._span
        begin = (end - HALF_HOUR_S) % DAY_S
        offset, length = (begin - first) % DAY_S, (last - first) % DAY_S
        return offset + HALF_HOUR_S <= length


BILLING_UPDATED = 0x8F0A
_START_SUPPLY, _STOP_SUPPLY = 32, 33
"""Scripts of the non-disablement calendar: supply is not disabled from the first to the second (RTDS ECS08)."""
_WATT_SECONDS_PER_KWH = 1000 * HOUR_S


def _third(half_hour: int) -> int:
    return house(half_hour) // 3


class EsmeRegisters:
    """What the meter counts: active energy in Wh, reactive in varh. ``active_import`` is that of all elements together."""

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
class Settings:
    """Everything that was set and steers the metering, as objects."""

    tariff: Tariff
    terms: Terms
    limit: Limit
    thresholds: tuple[Thresholds, ...]
    billing: BillingCalendar
    block_reset: BillingCalendar
    non_disablement: Schedule
    window: Window

    @classmethod
    def read(cls, read: Read, phases: int) -> Settings:
        """From the active attributes of the model."""
        return cls(
            Tariff.read(read),
            Terms.read(read),
            Limit.read(read),
            tuple(Thresholds.read(read, phase) for phase in range(phases)),
            BillingCalendar(read(22, "0-0:15.0.0", 4)),
            BillingCalendar(read(22, "0-0:15.1.0", 4)),
            Schedule(read(10, "0-0:12.0.1", 2), read(11, "0-0:11.0.2", 2)),
            Window(read(10, "0-0:12.0.0", 2)),
        )


class Metering:
    """All that the meter measures and accounts for. ``tell`` is called with event codes as they happen, ``moved`` when the switch moved."""

    def __init__(
        self,
        store: Store,
        name: str,
        registers: EsmeRegisters,
        read: Read,
        phases: int,
        elements: int,
        tell: Callable[[int], None],
        moved: Callable[[LoadSwitch], bool],
    ) -> None:
        self.registers = registers
        self.elements = elements
        self.tell = tell
        self._moved = moved
        self._store, self._key, self._read = store, name + "metering", read
        self.rates = TariffRegisters()
        self.account = Account(tell)
        self.past = Past()
        self.logs = BillingLogs(store, name + "billing")
        self.limiter = LoadLimiter(tell, self.move)
        numbers = (0,) if phases == 1 else tuple(range(1, phases + 1))
        self.phases = tuple(Phase(store, f"{name}phase/{number}", number, tell) for number in numbers)
        self.demands = {"import": Demand(), "window": Demand(), "export": Demand()}
        self.switch = LoadSwitch.ENABLED
        self.cut_off = False
        """Supply is off because credit ran out; credit arms it again. Not so where a Command disabled it."""
        self._handled = False
        self._suspended = False
        self._powered = True
        self._settings: Settings | None = None
        self._next: dict[str, int | None] = {}
        self._known = b""
        """What the store held when this object last agreed with it."""
        self.on_billing: Callable[[], None] = lambda: None
        self._parts: Mapping[str, Account | Past | LoadLimiter | Demand | Phase] = {
            "account": self.account,
            "past": self.past,
            "limiter": self.limiter,
            **{f"demand {key}": demand for key, demand in self.demands.items()},
            **{f"phase {number}": phase for number, phase in zip(numbers, self.phases, strict=True)},
        }
        self.recall()

    # --- the store

    def recall(self) -> None:
        """Take up what the store holds, if that is not what was put there last."""
        octets = self._store.get(self._key)
        if octets is None or octets == self._known:
            return
        state = json.loads(octets)
        self._known = octets
        for key, part in self._parts.items():
            part.restore(state[key])
        self.rates = TariffRegisters(**state["rates"])
        self.switch = LoadSwitch(state["switch"])
        self.cut_off, self._handled, self._suspended = state["cut_off"], state["handled"], state["suspended"]

    def forget(self) -> None:
        """What was changed in memory may have been rolled back in the store: it is read anew before anything else is counted."""
        self._known = b""
        self.settings_changed()

    def save(self) -> None:
        """Make everything durable."""
        state: dict[str, object] = {key: part.state() for key, part in self._parts.items()}
        state |= {
            "rates": self.rates.state(),
            "switch": int(self.switch),
            "cut_off": self.cut_off,
            "handled": self._handled,
            "suspended": self._suspended,
        }
        self._known = json.dumps(state).encode()
        self._store.put(self._key, self._known)
        for register in self.registers.all():
            register.save()

    # --- settings

    @property
    def settings(self) -> Settings:
        """What is set, read from the model once until it changes."""
        if self._settings is None:
            self._settings = Settings.read(self._read, len(self.phases))
        return self._settings

    def settings_changed(self) -> None:
        """Something in the model was written."""
        self._settings = None
        self._next.clear()

    # --- time

    def update(self, now: float) -> None:
        """Bring everything up to ``now`` (seconds since 2000 of the Device's own clock) and make it durable."""
        if self._known and self.registers.active_import.until == int(now) and self._store.get(self._key) == self._known:
            return
        with self._store.transaction():
            for register in self.registers.all():
                register.recall()
                if register.until is None:
                    register.begin(int(now))
            self.recall()
            self._look()
            while self._until < int(now):
                self._advance(min(self._piece_end(), int(now)))
            self.save()

    @property
    def _until(self) -> int:
        until = self.registers.active_import.until
        assert until is not None
        return until

    def next_moment(self) -> int:
        """When something will happen if nothing changes: the end of the half hour at the latest."""
        return self._piece_end()

    def _piece_end(self) -> int:
        now, settings = self._until, self.settings
        ends: list[int | None] = [(now // HALF_HOUR_S + 1) * HALF_HOUR_S, settings.tariff.table.at(now)[1]]
        if self.elements > 1:
            ends.append(settings.tariff.secondary_table.at(now)[1])
        ends += [self._cached("billing", settings.billing.next), self._cached("blocks", settings.block_reset.next)]
        ends += [self._cached("non-disablement", settings.non_disablement.next), self.limiter.next_moment(settings.limit)]
        ends += [phase.next_moment(thresholds) for phase, thresholds in zip(self.phases, settings.thresholds, strict=True)]
        ends.append(self._crossing())
        return min(end for end in ends if end is not None and end > now)

    def _cached(self, name: str, find: Callable[[int], int | None]) -> int | None:
        known = self._next.get(name)
        if name not in self._next or (known is not None and known <= self._until):
            self._next[name] = known = find(self._until)
        return known

    def _crossing(self) -> int | None:
        """The first whole second after a credit threshold will be crossed at the present load and price."""
        room = self.account.next_threshold(self.settings.terms)
        if room is None:
            return None
        now, tariff = self._until, self.settings.tariff
        script = tariff.table.at(now)[0]
        secondary = self.registers.secondary_import.rate(now) if self.elements > 1 else 0
        primary = self.registers.active_import.rate(now) - secondary
        cost = self.rates.price(tariff, script) * primary
        if secondary:
            cost += self.rates.price(tariff, tariff.secondary_table.at(now)[0]) * secondary
        seconds = int(room * _WATT_SECONDS_PER_KWH / cost) + 1 if cost > 0 else None
        block = self.rates.room(tariff, script)
        if block is not None and primary:
            to_block = -(-block // primary)
            seconds = to_block if seconds is None else min(seconds, to_block)
        return None if seconds is None else now + seconds

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
        self.past.add(energy, cost)
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
        """What a moment ends: periods of charges, the day, the billing period, the block period."""
        settings = self.settings
        self.account.fall_due(end, settings.tariff.standing_charge, settings.terms)
        if is_midnight(end):
            self.past.midnight(end)
            self.logs.midnight(self.snapshot(), self.account, settings.terms.prepayment)
        if self._next.get("billing") == end:
            self.logs.period_end(self.snapshot(), self.account)
            self.rates.reset_counters()
            self.on_billing()
        if self._next.get("blocks") == end:
            self.rates.reset_counters()

    def snapshot(self) -> Snapshot:
        """What the registers show now."""
        return Snapshot.take(self._until, self.registers.active_import.total, self.registers.secondary_import.total, self.rates)

    def changed(self) -> None:
        """A change of tariff, payment mode or supplier: snapshot."""
        self.logs.change(self.snapshot(), self.account)

    # --- supply

    def look(self, armed: int = SUPPLY_ARMED) -> None:
        """Act on what was changed from outside, and make it durable. ``armed``: the event if that arms a supply that credit had cut off."""
        with self._store.transaction():
            self._look(armed)
            self.save()

    def _look(self, armed: int = SUPPLY_ARMED) -> None:
        settings, now = self.settings, self._until
        self.account.check(settings.terms)
        if self.account.out and not self._handled:
            if settings.non_disablement.last(now, (_START_SUPPLY, _STOP_SUPPLY)) == _START_SUPPLY:
                if not self._suspended:
                    self.tell(DISABLEMENT_SUSPENDED)
                self._suspended = True
            else:
                self._handled, self._suspended = True, False
                if self.switch is not LoadSwitch.DISABLED and self.move(LoadSwitch.DISABLED):
                    self.cut_off = True
        elif not self.account.out:
            self._handled = self._suspended = False
            if self.cut_off:
                self.cut_off = False
                if self.switch is LoadSwitch.DISABLED and self.move(LoadSwitch.ARMED):
                    self.tell(armed)
        self.limiter.watch(now, lambda: self.registers.active_import.rate(now), self.switch, settings.limit)

    def move(self, state: LoadSwitch) -> bool:
        """Move the contactor at the moment up to which everything is counted; False if it does not."""
        if not self._moved(state):
            return False
        self.switch = state
        self.set_flow(self._powered)
        return True

    def set_flow(self, powered: bool) -> None:
        """Let energy flow or not: only an enabled switch of a powered meter does."""
        self._powered = powered
        for register in self.registers.all():
            register.flowing = powered and self.switch is LoadSwitch.ENABLED

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
