"""The tariff that steers a meter's registers: block thresholds, prices, and what they make of a use.

A day action is a time-of-use register (script 1 to 48), a set of block registers (101 to 108), or a register of the secondary element
(201 to 204). Prices are exact fractions of a thousandth of a penny for a kWh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from firmware_emu.gbcs.axdr import Array, Data, Integer, Long, Number, OctetString, Structure
from hil.devices.metering.registers import HOUR_S
from hil.devices.metering.schedules import SwitchingTable

Read = Callable[[int, str, int], Data]
"""Reads an attribute: class, OBIS text, attribute."""

TOU_RATES, SECONDARY_RATES, BLOCKS, BLOCK_SETS = 48, 4, 4, 8
NO_THRESHOLD = 0xFFFFFFFF
"""A threshold that is never reached (RTDS ECS01a)."""
_BLOCK_SCRIPT, _SECONDARY_SCRIPT = 100, 200
_BLOCK_PRICES = (0xA0, 0xB0, 0xC0, 0xD0)
"""Price matrix indexes: 1 to 48 for time of use, A1 to D8 for block (letter) and set (digit) (RTDS ECS01a)."""
_POUND_IN_MILLIPENCE = 5
_WATT_SECONDS_PER_KWH = 1000 * HOUR_S
PRIMARY_PRICES, SECONDARY_PRICES = "0-0:19.20.0", "0-0:19.20.5"
STANDING_CHARGE = "0-0:19.20.4"


def millipence(amount: int, scale: int) -> Fraction:
    """``amount`` x 10^``scale`` pounds in thousandths of a penny (a scale of -5 is one millipenny)."""
    power = scale + _POUND_IN_MILLIPENCE
    return Fraction(amount * 10**power) if power >= 0 else Fraction(amount, 10**-power)


def unit_charge(value: Data) -> Mapping[int, Fraction]:
    """A unit charge (class 113 attribute 5): index to millipence per kWh; a charge without index has index 0 and no commodity."""
    found: dict[int, Fraction] = {}
    match value:
        case Structure(elements=(Structure(elements=(Integer(value=commodity), Integer(value=scale))), Structure(), Array(elements=table))):
            for entry in table:
                match entry:
                    case Structure(elements=(OctetString(octets=index), Long(value=amount))):
                        per_kwh = Fraction(1000, 10**commodity) if commodity > 0 else 1
                        found[index[0] if index else 0] = millipence(amount, scale) * per_kwh
    return found


@dataclass(frozen=True, slots=True)
class Tariff:
    """The tariff in force: tables, prices in millipence per kWh, block thresholds in Wh per set, standing charge in millipence a day."""

    table: SwitchingTable
    secondary_table: SwitchingTable
    prices: Mapping[int, Fraction]
    secondary_prices: Mapping[int, Fraction]
    thresholds: tuple[tuple[int, ...], ...]
    standing_charge: Fraction

    @classmethod
    def read(cls, read: Read, delay: int = 0) -> Tariff:
        """From the active attributes of the model; switches come ``delay`` seconds late."""

        def table(number: int, scripts: range, extra: range = range(0)) -> SwitchingTable:
            obis = f"0-0:13.0.{number}"
            return SwitchingTable(
                read(20, obis, 3),
                read(20, obis, 4),
                read(20, obis, 5),
                read(11, f"0-0:11.0.{number}", 2),
                scripts,
                extra,
                delay,
            )

        return cls(
            table(0, range(1, TOU_RATES + 1), range(_BLOCK_SCRIPT + 1, _BLOCK_SCRIPT + BLOCK_SETS + 1)),
            table(1, range(_SECONDARY_SCRIPT + 1, _SECONDARY_SCRIPT + SECONDARY_RATES + 1)),
            unit_charge(read(113, PRIMARY_PRICES, 5)),
            unit_charge(read(113, SECONDARY_PRICES, 5)),
            tuple(_thresholds(read(21, f"0-0:16.0.{10 + number}", 2)) for number in range(1, BLOCK_SETS + 1)),
            unit_charge(read(113, STANDING_CHARGE, 5)).get(0, Fraction(0)),
        )


def _thresholds(value: Data) -> tuple[int, ...]:
    return tuple(int(item) for item in (value.elements if isinstance(value, Array) else ()) if isinstance(item, Number))


@dataclass
class TariffRegisters:
    """Use at each rate, in watt-seconds. Block registers go on for ever; block counters start anew each period."""

    tou: list[int] = field(default_factory=lambda: [0] * TOU_RATES)
    secondary: list[int] = field(default_factory=lambda: [0] * SECONDARY_RATES)
    blocks: list[list[int]] = field(default_factory=lambda: [[0] * BLOCK_SETS for _ in range(BLOCKS)])
    counters: list[list[int]] = field(default_factory=lambda: [[0] * BLOCK_SETS for _ in range(BLOCKS)])

    def reset_counters(self) -> None:
        """Begin a new block period (ECS05, the end of a billing period, or each day where ECS48 says so)."""
        self.counters = [[0] * BLOCK_SETS for _ in range(BLOCKS)]

    def block(self, tariff: Tariff, number: int) -> tuple[int, int | None]:
        """The block of set ``number`` in use (from 0) and the watt-seconds to its end, None if it has none."""
        used = sum(row[number] for row in self.counters)
        for place, threshold in enumerate(tariff.thresholds[number][: BLOCKS - 1]):
            if threshold == NO_THRESHOLD:
                return place, None
            if used < threshold * HOUR_S:
                return place, threshold * HOUR_S - used
        return min(len(tariff.thresholds[number]), BLOCKS - 1), None

    def price(self, tariff: Tariff, script: int) -> Fraction:
        """Millipence per kWh under ``script`` at present."""
        if script > _SECONDARY_SCRIPT:
            return tariff.secondary_prices.get(script - _SECONDARY_SCRIPT, Fraction(0))
        if script <= _BLOCK_SCRIPT:
            return tariff.prices.get(script, Fraction(0))
        number = script - _BLOCK_SCRIPT - 1
        return tariff.prices.get(_BLOCK_PRICES[self.block(tariff, number)[0]] + number + 1, Fraction(0))

    def room(self, tariff: Tariff, script: int) -> int | None:
        """Watt-seconds until the price changes by block, None if it does not."""
        in_blocks = _BLOCK_SCRIPT < script <= _BLOCK_SCRIPT + BLOCK_SETS
        return self.block(tariff, script - _BLOCK_SCRIPT - 1)[1] if in_blocks else None

    def add(self, tariff: Tariff, script: int, energy: int) -> Fraction:
        """Count ``energy`` watt-seconds under ``script``; returns what they cost, split exactly at block thresholds."""
        if script > _SECONDARY_SCRIPT:
            self.secondary[script - _SECONDARY_SCRIPT - 1] += energy
            return self.price(tariff, script) * energy / _WATT_SECONDS_PER_KWH
        if script <= _BLOCK_SCRIPT:
            self.tou[script - 1] += energy
            return self.price(tariff, script) * energy / _WATT_SECONDS_PER_KWH
        cost, number = Fraction(0), script - _BLOCK_SCRIPT - 1
        while energy:
            place, room = self.block(tariff, number)
            part = energy if room is None else min(energy, room)
            cost += self.price(tariff, script) * part / _WATT_SECONDS_PER_KWH
            self.blocks[place][number] += part
            self.counters[place][number] += part
            energy -= part
        return cost

    def state(self) -> dict[str, Sequence[object]]:
        """For the store."""
        return {"tou": self.tou, "secondary": self.secondary, "blocks": self.blocks, "counters": self.counters}
