"""Everything that an electricity and a gas meter have in common: the frame of their metrology, and the life of the meter around it.

Time is cut where something changes; within a piece load and price are constant. Credit that runs out cuts the supply off, credit that
comes back arms it, and a Command or the consumer's button moves it too (reference smets 3 and 4).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from firmware_emu.device.store import Store
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.metering.billing import ARMED_BY_EMERGENCY, DISABLEMENT_SUSPENDED, Account, Terms
from hil.devices.metering.maker import ORDINARY, Maker
from hil.devices.metering.registers import HOUR_S, Register
from hil.devices.metering.tariff import TariffRegisters

SUPPLY_ARMED = 0x8F32
_UNIT_SECONDS_A_PRICED_UNIT = 1000 * HOUR_S
"""Prices are for a thousand units (a kWh of Wh, a cubic metre of litres), which registers count in unit-seconds."""
S = TypeVar("S", bound=IntEnum)
"""State of the load switch or the valve."""


class Settings(Protocol):
    """Everything that was set and steers the metering."""

    @property
    def terms(self) -> Terms:
        """The prepayment terms."""
        ...


SET = TypeVar("SET", bound=Settings)


@dataclass(frozen=True, slots=True)
class States(Generic[S]):
    """The three states of a supply by the names of its kind of meter."""

    off: S
    armed: S
    on: S


class Metrology(ABC, Generic[S, SET]):
    """Counts, accounts and moves the supply. ``tell`` is called with event codes as they happen; ``moves`` moves the load switch or the
    valve and says whether it did.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        states: States[S],
        tell: Callable[[int], None],
        moves: Callable[[S], bool],
    ) -> None:
        self._store, self._key, self._states, self._moves = store, key, states, moves
        self.tell = tell
        self.rates = TariffRegisters()
        self.account = Account(tell)
        self.supply = states.on
        """State of the load switch or the valve."""
        self.cut_off = False
        """Supply is off because credit ran out; credit arms it again. Not so where a Command disabled it."""
        self._handled = False
        self._suspended = False
        self._powered = True
        self._settings: SET | None = None
        self._known = b""
        """Content of the store when this object last agreed with it."""

    # --- of each kind

    @abstractmethod
    def counting(self) -> tuple[Register, ...]:
        """Every register; the first is the one that tells how far time was counted."""

    @abstractmethod
    def _read_settings(self) -> SET:
        """Settings, read from the model."""

    @abstractmethod
    def _supply_stays(self) -> bool:
        """True if supply is not to be cut off at this time."""

    @abstractmethod
    def _piece_end(self) -> int:
        """When load, price or anything else changes next."""

    @abstractmethod
    def _advance(self, end: int) -> None:
        """Count up to ``end``, which is no later than the end of the piece."""

    @abstractmethod
    def _restore(self, state: Mapping[str, object]) -> None:
        """Take up what is this kind's own of what the store held."""

    @abstractmethod
    def _state(self) -> Mapping[str, object]:
        """State of this kind's own, for the store."""

    # --- the store

    def recall(self) -> None:
        """Take up what the store holds, if that is not what was put there last: after a power cut, or a Command that was rolled back."""
        octets = self._store.get(self._key)
        if octets is None or octets == self._known:
            return
        state = json.loads(octets)
        self._known = octets
        self.account.restore(state["account"])
        self.rates = TariffRegisters(**state["rates"])
        self.cut_off, self._handled, self._suspended = state["cut_off"], state["handled"], state["suspended"]
        self._restore(state)
        self.set_flow(self._powered)

    def save(self) -> None:
        """Make everything durable."""
        state = {
            **self._state(),
            "account": self.account.state(),
            "rates": self.rates.state(),
            "cut_off": self.cut_off,
            "handled": self._handled,
            "suspended": self._suspended,
        }
        self._known = json.dumps(state).encode()
        self._store.put(self._key, self._known)
        for register in self.counting():
            register.save()

    @property
    def stored(self) -> bytes:
        """State that the store holds but for the registers'."""
        return self._known

    # --- settings

    @property
    def settings(self) -> SET:
        """Settings, read from the model once until they change."""
        if self._settings is None:
            self._settings = self._read_settings()
        return self._settings

    def settings_changed(self) -> None:
        """Something that was set, was set anew."""
        self._settings = None

    def forget(self) -> None:
        """Forget changes in memory that may have been rolled back in the store: it is read anew before anything else is counted."""
        self._known = b""
        self.settings_changed()

    # --- time

    def update(self, now: float) -> None:
        """Bring everything up to ``now`` (seconds since 2000 of the Device's own clock) and make it durable."""
        if self._known and self.counting()[0].until == int(now) and self._store.get(self._key) == self._known:
            return
        with self._store.transaction():
            for register in self.counting():
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
        until = self.counting()[0].until
        assert until is not None
        return until

    def next_moment(self) -> int:
        """When something will happen if nothing changes: the end of the half hour at the latest."""
        return self._piece_end()

    def _crossing(self, cost: Fraction, rate: int, block: int | None) -> int | None:
        """The first whole second after a credit threshold will be crossed at this cost an hour of a thousand units, or at which a block
        with ``block`` unit-seconds left is full at this rate."""
        room = self.account.next_threshold(self.settings.terms)
        if room is None:
            return None
        seconds = int(room * _UNIT_SECONDS_A_PRICED_UNIT / cost) + 1 if cost > 0 else None
        if block is not None and rate:
            to_block = -(-block // rate)
            seconds = to_block if seconds is None else min(seconds, to_block)
        return None if seconds is None else self._until + seconds

    # --- supply

    def look(self, armed: int = SUPPLY_ARMED) -> None:
        """Act on what was changed from outside, and make it durable. ``armed``: the event if that arms a supply that credit had cut off."""
        with self._store.transaction():
            self._look(armed)
            self.save()

    def _look(self, armed: int = SUPPLY_ARMED) -> None:
        self.account.check(self.settings.terms)
        if self.account.out and not self._handled:
            if self._supply_stays():
                if not self._suspended:
                    self.tell(DISABLEMENT_SUSPENDED)
                self._suspended = True
            else:
                self._handled, self._suspended = True, False
                if self.supply is not self._states.off and self.move(self._states.off):
                    self.cut_off = True
        elif not self.account.out:
            self._handled = self._suspended = False
            if self.cut_off:
                self.cut_off = False
                if self.supply is self._states.off and self.move(self._states.armed):
                    self.tell(armed)

    def move(self, state: S) -> bool:
        """Move the supply at the moment up to which everything is counted; False if it does not move."""
        if not self._moves(state):
            return False
        self.supply = state
        self.set_flow(self._powered)
        return True

    def set_flow(self, powered: bool) -> None:
        """Let what is metered flow or not: it does only where the meter has power and its supply is on."""
        self._powered = powered
        for register in self.counting():
            register.flowing = powered and self.supply is self._states.on


class Meter(GbcsHanDevice, Generic[S, SET]):
    """Base of ESME and GSME: keeps up with time, and does what people and Commands do to every meter's supply and credit."""

    metering: Metrology[S, SET]
    states: States[S]

    maker: Maker = ORDINARY
    _clock_set_at: int | None = None
    _busy = False
    """Something is being counted or executed, in the course of which nobody else counts."""
    _stirred: asyncio.Event
    """Set when the next event may come earlier now."""

    @abstractmethod
    def tell(self, code: int) -> None:
        """One event, as it was configured."""

    # --- time

    def update(self) -> None:
        """Bring everything that is counted up to now."""
        if not self._busy:
            self._bring(self.now())

    def _bring(self, now: float) -> None:
        with self._alone():
            self._count(now)

    def _count(self, now: float) -> None:
        self.metering.update(now)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """In the context nobody else counts."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _next_moment(self) -> float:
        """When something will happen if nothing changes."""
        return self.metering.next_moment()

    def stir(self) -> None:
        """Something changed at the meter's terminals: look again when something will happen."""
        self._stirred.set()

    def set_clock(self, start: float, end: float) -> bool:
        """As every Device's; what is counted goes on at the adjusted time."""
        self.update()
        before = int(self.now())
        if self._clock_set_at is not None and before - self._clock_set_at < self.maker.set_clock_every_s:
            self.gbcs.note_failure(f"the clock was set less than {self.maker.set_clock_every_s} s ago")
            return False
        done = super().set_clock(start, end)
        if done:
            self._clock_set_at = int(self.now())
            for register in self.metering.counting():
                register.move(int(self.now()) - before)
                register.save()
            self._stirred.set()
        return done

    def compare_clock(self) -> None:
        """As every Device's. What is counted is not moved: seconds that are repeated count once, and those that are left out count too."""
        self.update()
        super().compare_clock()
        self._stirred.set()

    async def start(self) -> None:
        await super().start()
        self.spawn(self._follow_time())

    async def _follow_time(self) -> None:
        """Be there when something falls due: the end of a half hour, a tariff switch, the second at which credit runs out."""
        while True:
            self.update()
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._next_moment() - self.now(), 0.001)):
                    await self._stirred.wait()

    def power(self, on: bool) -> None:
        """Mains or battery off and on; nothing flows meanwhile."""
        if on == self.powered:
            return
        self.update()
        super().power(on)
        self.metering.set_flow(on)
        if on:
            self.spawn(self._follow_time())

    def _go_on(self) -> None:
        """Begin to count, or go on after the time in which this meter's store was not in use: nothing is known to have flowed then."""
        self._stirred = asyncio.Event()
        self.metering.set_flow(False)
        self.update()
        self.metering.set_flow(True)

    # --- supply and credit

    def move_supply(self, state: S) -> bool:
        """Move the load switch or the valve as a Command asks; False if it is stuck."""
        self.update()
        if not self.metering.move(state):
            return False
        self.metering.cut_off = False
        self.metering.save()
        if state is self.states.armed:
            self.tell(SUPPLY_ARMED)
        return True

    def enable_supply(self) -> bool:
        """The consumer's button switches a supply on that is armed; False if there is none."""
        self.update()
        return self.metering.supply is self.states.armed and self.move_supply(self.states.on)

    def activate_emergency_credit(self) -> bool:
        """At the meter, from a PPMID or by Command: whether it is active afterwards. Supply that lack of credit had cut off is armed."""
        self.update()
        active = self.metering.account.activate_emergency_credit(self.metering.settings.terms)
        self.metering.look(ARMED_BY_EMERGENCY)
        return active
