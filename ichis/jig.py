"""What a jig can do: a supply, the lines, the serial pair. Real drivers and the simulated jig stand behind these."""

from __future__ import annotations

from typing import Protocol

from ichis.connector import Level


class Supply(Protocol):
    """A laboratory supply on pins 1 to 4. Raises JigError when the instrument does not answer or refuses."""

    async def set_voltage(self, volts: float) -> None: ...

    async def set_current_limit(self, amperes: float) -> None: ...

    async def output(self, on: bool) -> None: ...

    async def measure_voltage(self) -> float:
        """Volts at the supply's terminals."""
        ...

    async def measure_current(self) -> float:
        """Amperes out of the supply."""
        ...


class Lines(Protocol):
    """The presence lines and AC Lost, by the symbol of the meter's side (``MT_PR``, ``CH_PR``, ``AC LO``)."""

    async def drive(self, symbol: str, active: bool) -> None:
        """Drive a line that the jig's end drives."""
        ...

    async def release(self, symbol: str) -> None:
        """Let go of a line: the far end sees an open contact."""
        ...

    async def read(self, symbol: str) -> Level: ...


class DataLink(Protocol):
    """One end of the serial pair on pins 7 and 8."""

    async def write(self, octets: bytes) -> None: ...

    async def read(self, count: int, timeout_s: float) -> bytes:
        """Up to ``count`` octets, fewer when ``timeout_s`` real seconds pass first."""
        ...


class Jig(Protocol):
    """Supply, lines and serial pair with one identity."""

    @property
    def identity(self) -> str: ...
    @property
    def supply(self) -> Supply: ...
    @property
    def lines(self) -> Lines: ...
    @property
    def data(self) -> DataLink: ...

    async def close(self) -> None:
        """Switch the supply off and let go of everything."""
        ...
