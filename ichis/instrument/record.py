"""The record of volts that a supply or a load keeps by itself while a check runs, fetched when the check is over."""

from __future__ import annotations

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from ichis.instrument.session import InstrumentSession
from ichis.measuring.dialect import RecordWords

_PIECE = 500
"""Points asked for at once: an answer stays shorter than what a line may be."""


class InstrumentRecord:
    """Of one channel. ``begin`` forgets what was kept before."""

    def __init__(self, session: InstrumentSession, clock: Clock, channel: int) -> None:
        self._session, self._clock, self._channel = session, clock, channel
        self._began: float | None = None

    @property
    def _words(self) -> RecordWords:
        words = self._session.dialect.record
        if words is None:
            raise NotAvailable(f"a record from {self._session.idn[:40]}", f"the dialect {self._session.dialect.family} has no words for it")
        return words

    async def begin(self) -> None:
        """Raises NotAvailable where the family keeps no record, CommandRefused, InstrumentTrouble, InstrumentGivenUp."""
        words, self._began = self._words, None
        for line in words.start:
            await self._session.tell(line.format(channel=self._channel, seconds=words.longest_s, period=words.period_s))
        self._began = self._clock.now()

    async def fetch(self) -> list[tuple[float, float]]:
        """End it; bench time and volts of each point. Empty where none was begun. Raises as :meth:`begin`."""
        words, began = self._words, self._began
        if began is None:
            return []
        self._began = None
        count = int(min(self._clock.now() - began, words.longest_s) / words.period_s)
        for line in words.stop:
            await self._session.tell(line.format(channel=self._channel))
        volts: list[float] = []
        while len(volts) < count:
            asked = min(_PIECE, count - len(volts))
            some = await self._session.figures(words.fetch.format(channel=self._channel, count=asked))
            volts += some[:asked]
            if len(some) < asked:
                break
        return [(began + (number + 1) * words.period_s, one) for number, one in enumerate(volts)]
