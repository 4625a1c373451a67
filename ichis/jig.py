"""Abilities of a jig: supply, lines, serial pair, probes, mating. Real drivers and the simulated jig stand behind these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ichis.connector import Level
from ichis.measuring.calibration import Calibration
from ichis.measuring.reading import Reading, Sample
from ichis.uart import LineProfile

OPEN_OHM = 1e9
"""Reading of a probe between contacts that are not joined."""


class Supply(Protocol):
    """A laboratory supply on pins 1 to 4. Raises JigError when the instrument does not answer or refuses."""

    async def identity(self) -> str:
        """Maker, model, serial number, firmware, as the instrument gives them."""
        ...

    async def set_voltage(self, volts: float) -> None: ...

    async def set_current_limit(self, amperes: float) -> None: ...

    async def output(self, on: bool) -> None:
        """Switch, and have it measured that it is so. Raises JigError where it is not."""
        ...

    @property
    def acted(self) -> tuple[float, float]:
        """Bench times between which the last switching of the output acted."""
        ...

    async def confirm(self) -> None:
        """The output is what was last told, measured and read back. Raises JigError where it is not."""
        ...

    @property
    def least_step_s(self) -> float:
        """Shortest step that :meth:`play` gives; 0 where any can be given."""
        ...

    @property
    def least_software_step_s(self) -> float:
        """Shortest time between two settings of its output that whoever sets them one by one can keep."""
        ...

    async def measure_voltage(self) -> Reading:
        """Volts at the supply's terminals."""
        ...

    async def measure_current(self) -> Reading:
        """Amperes out of the supply."""
        ...

    async def measure_peak_current(self) -> Reading:
        """Highest amperes since the output was last switched on. Raises NotAvailable where the supply does not tell it."""
        ...

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        """Give each of ``(volts, seconds)`` in turn; returns at the end, with the last voltage still set.

        Raises NotAvailable for a step that this supply cannot time.
        """
        ...


class Lines(Protocol):
    """The presence lines and AC Lost, by the symbol of the meter's side (``MT_PR``, ``CH_PR``, ``AC LO``)."""

    @property
    def resolution_s(self) -> float:
        """Half of the time in which a change that :meth:`watch` tells may lie."""
        ...

    async def drive(self, symbol: str, active: bool) -> None:
        """Drive a line that the jig's end drives."""
        ...

    async def release(self, symbol: str) -> None:
        """Let go of a line: the far end sees an open contact. Raises JigError where the jig cannot."""
        ...

    async def read(self, symbol: str) -> Level: ...

    async def watch(self, symbol: str, seconds: float) -> list[tuple[float, Level]]:
        """The level now and each change of a line that the far end drives, with bench times, over so many seconds."""
        ...


class DataLink(Protocol):
    """One end of the serial pair on pins 7 and 8."""

    async def write(self, octets: bytes) -> None: ...

    async def read(self, count: int, timeout_s: float) -> bytes:
        """Up to ``count`` octets, fewer when the line was empty for ``timeout_s``: real seconds, unless both ends are in this process."""
        ...

    async def set_line(self, line: LineProfile) -> None:
        """Take other settings. Raises JigError for a polarity that this end's wiring does not give."""
        ...


class Probes(Protocol):
    """A multimeter on the contacts of the connector, by pin number."""

    async def identity(self) -> str: ...

    async def volts(self, pin: int, *, moving: bool = False) -> Reading:
        """Volts from the contact to Common (pin 3); ``moving``: they change while they are read, so one reading must do."""
        ...

    async def ripple(self, pin: int) -> Reading:
        """Volts peak to peak of what is not d.c. on the contact."""
        ...

    async def ohms(self, one: int, other: int) -> Reading:
        """Ohms between two contacts with the supply off; :data:`OPEN_OHM` when they are not joined."""
        ...


class Mating(Protocol):
    """Putting the hub into the connector and taking it out, and which contacts the host has."""

    async def insert(self) -> None: ...

    async def withdraw(self) -> None: ...

    async def wire_data(self, wired: bool) -> None:
        """Set if the host has pins 7 and 8 wired: an intimate meter has, a hot shoe need not."""
        ...


class Watch(Protocol):
    """An instrument that reads the volts of the supply again and again."""

    @property
    def resolution_s(self) -> float:
        """Half of the time from one reading to the next."""
        ...

    async def observe(self, seconds: float) -> list[Sample]:
        """Volts, as often as the instrument can, over so many seconds."""
        ...


class Load(Watch, Protocol):
    """An electronic load on pins 1 to 4, where the rig plays the hub. Raises JigError as a supply does."""

    async def identity(self) -> str: ...

    async def draw(self, amperes: float) -> None:
        """Draw so much from now on; 0: nothing."""
        ...

    async def confirm(self) -> None:
        """It draws what it was last told. Raises JigError where it does not."""
        ...

    async def measure_voltage(self) -> Reading: ...

    async def measure_current(self) -> Reading: ...


class Mains(Protocol):
    """The mains of the host under test."""

    async def switch(self, on: bool) -> None: ...


class Calibrated(Protocol):
    """A rig whose instruments may have files of their own."""

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        """By what the instrument is on the board; empty where nothing but models reads."""
        ...


class HubJig(Calibrated, Protocol):
    """The rig as a hub: load, lines, probes, and the host's mains, with one identity."""

    @property
    def identity(self) -> str: ...
    @property
    def load(self) -> Load: ...
    @property
    def mains(self) -> Mains: ...
    @property
    def lines(self) -> Lines: ...
    @property
    def probes(self) -> Probes: ...

    def waveform(self) -> list[tuple[float, float]]:
        """Bench time and volts at the port, as far as they were measured."""
        ...

    async def close(self) -> None:
        """Draw nothing and let go of everything."""
        ...


class Jig(Calibrated, Protocol):
    """Supply, lines, serial pair, probes and mating with one identity."""

    @property
    def identity(self) -> str: ...
    @property
    def supply(self) -> Supply: ...
    @property
    def lines(self) -> Lines: ...
    @property
    def data(self) -> DataLink: ...
    @property
    def probes(self) -> Probes: ...
    @property
    def mating(self) -> Mating: ...

    async def close(self) -> None:
        """Switch the supply off and let go of everything."""
        ...
