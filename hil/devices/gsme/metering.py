"""The metering of a gas meter: flow into registers, rates and blocks, their cost into balance or bill, the valve; exact and in the store.

As :mod:`.esme_metering`: time is cut at half hours, tariff switches and the seconds at which credit thresholds are crossed; within a piece
flow and price are constant, so that integers and fractions say everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any, Protocol

from hil.devices.gsme import tariff as gsme_tariff
from hil.devices.gsme import terms as gsme_terms
from hil.devices.gsme.flow import UNCONTROLLED, FlowLimit, FlowWatch
from hil.devices.gsme.network import Sampling
from hil.devices.gsme.part import GasSettings
from hil.devices.gsme.tariff import GAS_BLOCKS, GAS_TIERS, SUPPLY_STAYS
from hil.devices.metering.billing import Terms
from hil.devices.metering.meter import Metrology, States
from hil.devices.metering.part import MeterPart
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, LoadProfile, Register, watt_hours
from hil.devices.metering.tariff import SwitchingTable, Tariff


class Valve(IntEnum):
    """State of the valve as attribute SupplyStatus tells it (RTDS GCS33: 2 is on)."""

    OFF = 0
    ARMED = 1
    ON = 2


@dataclass(frozen=True, slots=True)
class GsmeSettings:
    """Everything that was set and steers the metering, as objects."""

    tariff: Tariff
    terms: Terms
    non_disablement: SwitchingTable
    network: Sampling | None
    flow_limit: FlowLimit

    @classmethod
    def read(cls, settings: GasSettings) -> GsmeSettings:
        """From the attributes in force and what was published."""
        return cls(
            gsme_tariff.read_tariff(settings),
            gsme_terms.read_terms(settings),
            gsme_tariff.non_disablement(settings.published),
            Sampling.read(settings.published),
            FlowLimit.read(settings),
        )


class GasMeasured(MeterPart, Protocol):
    """A gas meter whose gas is measured."""

    def settings(self) -> GsmeSettings:
        """Settings, read off the model."""
        ...

    def valve_moves(self, state: Valve) -> bool:
        """Move the valve; whether it did."""
        ...

    def sampled(self, sampling: Sampling, moment: int) -> None:
        """A sample of the network data log falls due."""
        ...

    def half_hour(self, moment: int) -> bool:
        """Take the snapshots of a midnight, and of a billing period that ends; whether the block counters begin anew."""
        ...


STATES = States(Valve.OFF, Valve.ARMED, Valve.ON)


class GasMetering(Metrology[Valve, GsmeSettings]):
    """Everything that a GSME measures and accounts for.

    ``account`` is what prepayment mode counts down; ``bill`` (millipence) what credit mode counts up. A change of mode moves nothing
    from one to the other (reference smets 3: a gas meter keeps them apart).
    """

    def __init__(self, gsme: GasMeasured, load: LoadProfile) -> None:
        prefix = gsme.gbcs.prefix
        super().__init__(gsme.store, prefix + "metering", STATES, gsme.tell, gsme.valve_moves)
        self._gsme = gsme
        self.register = Register(load, store=gsme.store, name=prefix + "register/gas")
        self.bill = Fraction(0)
        self.flow = FlowWatch()
        self.recall()

    def counting(self) -> tuple[Register, ...]:
        return (self.register,)

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.bill, self.supply = Fraction(state["bill"]), Valve(state["valve"])
        self.flow.restore(state["flow"])

    def _state(self) -> Mapping[str, object]:
        return {"bill": str(self.bill), "valve": int(self.supply), "flow": self.flow.state()}

    def _read_settings(self) -> GsmeSettings:
        return self._gsme.settings()

    def settings_changed(self) -> None:
        """As every meter's; what a Command did may have been rolled back in the store, so that is read afresh too."""
        super().settings_changed()
        self._known = b""

    # --- what it shows

    def tiers(self) -> tuple[int, ...]:
        """The tariff time-of-use registers in litres."""
        return tuple(map(watt_hours, self.rates.tou[:GAS_TIERS]))

    def blocks(self) -> tuple[int, ...]:
        """The block counters of the period under way in litres."""
        return tuple(watt_hours(self.rates.counters[block][0]) for block in range(GAS_BLOCKS))

    def script(self) -> int:
        """Tier or script that the tariff has in force: a tier from 1, or the block script."""
        return self.settings.tariff.table.at(self._until)[0]

    def block(self) -> int:
        """The block in use, from 0."""
        return self.rates.block(self.settings.tariff, 0)[0]

    # --- time

    def _piece_end(self) -> int:
        now, settings = self._until, self.settings
        ends = [(now // HALF_HOUR_S + 1) * HALF_HOUR_S, settings.tariff.table.at(now)[1], settings.non_disablement.at(now)[1]]
        crossing = self._threshold()
        sample = None if settings.network is None else settings.network.next_moment(now)
        return min(*ends, *(moment for moment in (crossing, sample, self.flow.next_moment(now)) if moment is not None))

    def _threshold(self) -> int | None:
        """The first whole second after a credit threshold will be crossed at the present flow and price, or a block be full."""
        now, tariff = self._until, self.settings.tariff
        flow = self.register.rate(now)
        if not flow:
            return None
        script = tariff.table.at(now)[0]
        return self._crossing(self.rates.price(tariff, script) * flow, flow, self.rates.room(tariff, script))

    def _advance(self, end: int) -> None:
        settings = self.settings
        script = settings.tariff.table.at(self._until)[0]
        cost = self.rates.add(settings.tariff, script, self.register.advance(end))
        if settings.network is not None and settings.network.takes(end):
            self._gsme.sampled(settings.network, end)
        if self.flow.passed(end, self.register.total, settings.flow_limit) and self.supply is Valve.ON and self.move(Valve.OFF):
            self.move(Valve.ARMED)
            self.tell(UNCONTROLLED)
        if settings.terms.prepayment:
            self.account.use(cost, settings.terms)
            self.account.fall_due(end, settings.tariff.standing_charge, settings.terms)
        else:
            self.bill += cost + (settings.tariff.standing_charge if end % DAY_S == 0 else 0)
        if end % HALF_HOUR_S == 0 and self._gsme.half_hour(end):
            self.rates.reset_counters()
        self._look()

    def _supply_stays(self) -> bool:
        return self.settings.non_disablement.at(self._until)[0] == SUPPLY_STAYS
