"""Voltage of the phases of an electricity meter: averages, their log and counters, and the events of going beyond a threshold.

Reference smets 5: averages compare with their thresholds on crossing; extremes, sag and swell when the voltage stays beyond for longer
than their period, and again on return. Voltages are whole volts, as ECS29a sets them (RTDS).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from firmware_emu.device.store import Store
from firmware_emu.gbcs.axdr import Number
from hil.devices.metering.registers import Ring
from hil.devices.metering.tariff import Read

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
        self.log = Ring(store, name + "/average", "II", AVERAGE_DEPTH)
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
        """When an extreme will have lasted for its period."""
        moments = [since + period for since, (_, period) in zip(self._since, thresholds.extremes, strict=True) if since is not None]
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
