"""The metering of a gas meter: flow into registers, rates and blocks, their cost into balance or bill, the valve; exact and in the store.

As :mod:`.esme_metering`: time is cut at half hours, tariff switches and the seconds at which credit thresholds are crossed; within a piece
flow and price are constant, so that integers and fractions say everything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Protocol

from hil.devices.gsme import tariff as gsme_tariff
from hil.devices.gsme import terms as gsme_terms
from hil.devices.gsme.flow import UNCONTROLLED, FlowLimit, FlowWatch
from hil.devices.gsme.network import Sampling
from hil.devices.gsme.part import GasSettings
from hil.devices.gsme.tariff import GAS_BLOCKS, GAS_TIERS, SUPPLY_STAYS
from hil.devices.metering.billing import DISABLEMENT_SUSPENDED, Account, Terms
from hil.devices.metering.part import MeterPart
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, HOUR_S, LoadProfile, Register
from hil.devices.metering.tariff import SwitchingTable, Tariff, TariffRegisters, watt_hours

SUPPLY_ARMED = 0x8F32
_LITRE_SECONDS_A_CUBIC_METRE = 1000 * HOUR_S


class Valve(IntEnum):
    """State of the valve as attribute SupplyStatus tells it (RTDS GCS33: 2 is on)."""

    OFF = 0
    ARMED = 1
    ON = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was set and steers the metering, as objects."""

    tariff: Tariff
    terms: Terms
    non_disablement: SwitchingTable
    network: Sampling | None
    flow_limit: FlowLimit

    @classmethod
    def read(cls, settings: GasSettings) -> Settings:
        """From the attributes in force and what was published."""
        return cls(
            gsme_tariff.read_tariff(settings),
            gsme_terms.read_terms(settings),
            gsme_tariff.non_disablement(settings.published),
            Sampling.read(settings.published),
            FlowLimit.read(settings),
        )


class Measured(MeterPart, Protocol):
    """A gas meter whose gas is measured."""

    def settings(self) -> Settings:
        """What is set, read off the model."""
        ...

    def valve_moves(self, state: Valve) -> bool:
        """Move the valve; whether it did."""
        ...

    def sampled(self, sampling: Sampling, moment: int) -> None:
        """A sample of the network data log falls due."""
        ...

    def midnight(self, moment: int) -> bool:
        """Take a midnight's snapshots; whether the block counters begin anew."""
        ...


class GasMetering:
    """All that the meter measures and accounts for.

    ``account`` is what prepayment mode counts down; ``bill`` (millipence) what credit mode counts up. A change of mode moves nothing
    from one to the other (reference smets 3: a gas meter keeps them apart).
    """

    def __init__(self, gsme: Measured, load: LoadProfile) -> None:
        self._gsme = gsme
        self._key = gsme.gbcs.prefix + "metering"
        self.register = Register(load, store=gsme.store, name=gsme.gbcs.prefix + "register/gas")
        self.rates = TariffRegisters()
        self.account = Account(gsme.tell)
        self.bill = Fraction(0)
        self.valve = Valve.ON
        self.cut_off = False
        """The valve is closed because credit ran out; credit arms it again. Not so where a Command closed it."""
        self.flow = FlowWatch()
        self._handled = False
        self._suspended = False
        self._powered = True
        self._settings: Settings | None = None
        self._known = b""
        """What the store held when this object last agreed with it."""
        self.recall()

    # --- the store

    def recall(self) -> None:
        """Take up what the store holds: after a power cut, or after a Command that was rolled back."""
        octets = self._gsme.store.get(self._key)
        if octets is None or octets == self._known:
            return
        state = json.loads(octets)
        self._known = octets
        self.account.restore(state["account"])
        self.rates = TariffRegisters(**state["rates"])
        self.bill, self.valve = Fraction(state["bill"]), Valve(state["valve"])
        self.cut_off, self._handled, self._suspended = state["cut_off"], state["handled"], state["suspended"]
        self.flow.restore(state["flow"])
        self.set_flow(self._powered)

    def save(self) -> None:
        """Make everything durable."""
        state = {
            "account": self.account.state(),
            "rates": self.rates.state(),
            "bill": str(self.bill),
            "valve": int(self.valve),
            "cut_off": self.cut_off,
            "handled": self._handled,
            "suspended": self._suspended,
            "flow": self.flow.state(),
        }
        self._known = json.dumps(state).encode()
        self._gsme.store.put(self._key, self._known)
        self.register.save()

    # --- settings

    @property
    def settings(self) -> Settings:
        """What is set, read from the model once until it changes."""
        if self._settings is None:
            self._settings = self._gsme.settings()
        return self._settings

    def settings_changed(self) -> None:
        """Something that was set, was set anew, or was rolled back in the store with all that a Command did: it is read afresh."""
        self._settings = None
        self._known = b""

    # --- what it shows

    def tiers(self) -> tuple[int, ...]:
        """The tariff time-of-use registers in litres."""
        return tuple(map(watt_hours, self.rates.tou[:GAS_TIERS]))

    def blocks(self) -> tuple[int, ...]:
        """The block counters of the period under way in litres."""
        return tuple(watt_hours(self.rates.counters[block][0]) for block in range(GAS_BLOCKS))

    def script(self) -> int:
        """What the tariff has in force: a tier from 1, or the block script."""
        return self.settings.tariff.table.at(self._until)[0]

    def block(self) -> int:
        """The block in use, from 0."""
        return self.rates.block(self.settings.tariff, 0)[0]

    # --- time

    def update(self, now: float) -> None:
        """Bring everything up to ``now`` (seconds since 2000 of the Device's own clock) and make it durable."""
        if self._known and self.register.until == int(now) and self._gsme.store.get(self._key) == self._known:
            return
        with self._gsme.store.transaction():
            self.register.recall()
            if self.register.until is None:
                self.register.begin(int(now))
            self.recall()
            self._look()
            while self._until < int(now):
                self._advance(min(self._piece_end(), int(now)))
            self.save()

    @property
    def _until(self) -> int:
        until = self.register.until
        assert until is not None
        return until

    def next_moment(self) -> int:
        """When something will happen if nothing changes: the end of the half hour at the latest."""
        return self._piece_end()

    def _piece_end(self) -> int:
        now, settings = self._until, self.settings
        ends = [(now // HALF_HOUR_S + 1) * HALF_HOUR_S, settings.tariff.table.at(now)[1], settings.non_disablement.at(now)[1]]
        crossing = self._crossing()
        sample = None if settings.network is None else settings.network.next_moment(now)
        return min(*ends, *(moment for moment in (crossing, sample, self.flow.next_moment(now)) if moment is not None))

    def _crossing(self) -> int | None:
        """The first whole second after a credit threshold or block threshold will be crossed at the present flow and price."""
        room = self.account.next_threshold(self.settings.terms)
        now, tariff = self._until, self.settings.tariff
        flow = self.register.rate(now)
        if room is None or not flow:
            return None
        script = tariff.table.at(now)[0]
        cost = self.rates.price(tariff, script) * flow
        seconds = int(room * _LITRE_SECONDS_A_CUBIC_METRE / cost) + 1 if cost > 0 else None
        block = self.rates.room(tariff, script)
        if block is not None:
            to_block = -(-block // flow)
            seconds = to_block if seconds is None else min(seconds, to_block)
        return None if seconds is None else now + seconds

    def _advance(self, end: int) -> None:
        settings = self.settings
        script = settings.tariff.table.at(self._until)[0]
        cost = self.rates.add(settings.tariff, script, self.register.advance(end))
        if settings.network is not None and settings.network.takes(end):
            self._gsme.sampled(settings.network, end)
        if self.flow.passed(end, self.register.total, settings.flow_limit) and self.valve is Valve.ON and self.move(Valve.OFF):
            self.move(Valve.ARMED)
            self._gsme.tell(UNCONTROLLED)
        if settings.terms.prepayment:
            self.account.use(cost, settings.terms)
            self.account.fall_due(end, settings.tariff.standing_charge, settings.terms)
        else:
            self.bill += cost + (settings.tariff.standing_charge if end % DAY_S == 0 else 0)
        if end % DAY_S == 0 and self._gsme.midnight(end):
            self.rates.reset_counters()
        self._look()

    # --- supply

    def look(self, armed: int = SUPPLY_ARMED) -> None:
        """Act on what was changed from outside, and make it durable. ``armed``: the event if that arms a valve that credit had closed."""
        with self._gsme.store.transaction():
            self._look(armed)
            self.save()

    def _look(self, armed: int = SUPPLY_ARMED) -> None:
        settings = self.settings
        self.account.check(settings.terms)
        if self.account.out and not self._handled:
            if settings.non_disablement.at(self._until)[0] == SUPPLY_STAYS:
                if not self._suspended:
                    self._gsme.tell(DISABLEMENT_SUSPENDED)
                self._suspended = True
            else:
                self._handled, self._suspended = True, False
                if self.valve is not Valve.OFF and self.move(Valve.OFF):
                    self.cut_off = True
        elif not self.account.out:
            self._handled = self._suspended = False
            if self.cut_off:
                self.cut_off = False
                if self.valve is Valve.OFF and self.move(Valve.ARMED):
                    self._gsme.tell(armed)

    def move(self, state: Valve) -> bool:
        """Move the valve at the moment up to which everything is counted; False if it does not."""
        if not self._gsme.valve_moves(state):
            return False
        self.valve = state
        self.set_flow(self._powered)
        return True

    def set_flow(self, powered: bool) -> None:
        """Let gas be counted or not: only an open valve of a powered meter does."""
        self._powered = powered
        self.register.flowing = powered and self.valve is Valve.ON
