"""A session with one instrument, which keeps question and answer together.

Every exchange ends with a question whose answer is known by its form (the error queue, or the identity): an answer too many, too few or
too late shows there, before the reading is used. After any trouble the session is cleared, opened again and proved by the identity, twice,
with nothing behind it; where that does not come, the instrument is given up. A reading that cannot be paired raises, so its check is void.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable
from ichis.instrument.link import InstrumentLine
from ichis.measuring.dialect import FIGURES, Dialect, Model, figure, named, recognise

TIMEOUT_S = 2.0
_IDENTITY = "*IDN?"
_LONGEST_LATE_S = 10.0
"""Time for which an answer may still be on its way when a session is proved anew."""
_QUIET_S = 0.2
_MOST_TROUBLES = 6
"""After so many in one run an instrument is no measuring instrument any more."""
_MOST_ERRORS = 30


class InstrumentTrouble(JigError):
    """An answer that cannot be paired with its question, cannot be read, or did not come. What was read from it is void."""


class InstrumentGivenUp(JigError):
    """The session could not be proved anew: nothing this instrument says counts any more."""


class CommandRefused(JigError):
    """The instrument said that it does not do what it was told."""


@dataclass(slots=True)
class Statistics:
    """Statistics of a session: exchanges, longest round trip (bench seconds), troubles, errors found in its queue."""

    exchanges: int = 0
    longest_s: float = 0.0
    troubles: int = 0
    errors: int = 0


class InstrumentSession:
    """Exchanges with one instrument, one at a time and in order. Made by :meth:`open`."""

    def __init__(self, link: InstrumentLine, clock: Clock, dialect: Dialect, idn: str, timeout_s: float) -> None:
        self.link, self._clock, self.dialect, self.idn, self._timeout_s = link, clock, dialect, idn, timeout_s
        self.model: Model = dialect.model_of(idn)
        self.seen = Statistics()
        self._doubtful = False
        self._lost = ""

    @classmethod
    async def open(
        cls, link: InstrumentLine, clock: Clock, kind: str, *, dialect: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> InstrumentSession:
        """Recognise the instrument by its identity, or take the dialect that the board names; clear its errors, set it up.

        Raises NotAvailable for one that no dialect knows or that is of another kind, InstrumentTrouble.
        """
        await link.send(_IDENTITY)
        idn = await link.receive(timeout_s)
        if not idn:
            raise InstrumentTrouble(
                f"{link.resource}: {_IDENTITY}: no usable answer within {timeout_s:g} s: is it on, and is its baud right?"
            )
        known = named(dialect)[0] if dialect is not None else recognise(idn, kind)
        if known is None or known.kind != kind:
            found = f"it says it is {idn[:80]!r}, which is no {kind} of any dialect"
            raise NotAvailable(
                f"a {kind} at {link.resource}", f"{found}: name its dialect on the board, or add a file (chub ichis instruments)"
            )
        session = cls(link, clock, known, idn, timeout_s)
        await session.resynchronise()
        for line in known.setup:
            await session.tell(line)
        return session

    @property
    def resource(self) -> str:
        """The instrument's address."""
        return self.link.resource

    async def number(self, action: str, low: float, high: float, *, overrange: float | None = None, **keys: float | int) -> float:
        """A figure between ``low`` and ``high``; SCPI's infinity gives ``overrange`` where that is a result.

        Raises InstrumentTrouble, NotAvailable for what the family has no word for.
        """
        question = self._word(action, **keys)
        value = figure((await self.ask(question, self.dialect.answer(action, **keys)))[1])
        if overrange is not None and 9.0e37 <= value <= 1e38:  # 9.91E37 is not a number, 9.9E37 infinity (SCPI-1999)
            return overrange
        if not low <= value <= high:
            raise InstrumentTrouble(f"{self.resource}: {question}: answered {value:g}, which cannot be: expected {low:g} to {high:g}")
        return value

    async def figures(self, question: str) -> list[float]:
        """The figures of an answer that has many, or none. Raises InstrumentTrouble, InstrumentGivenUp."""
        text = (await self.ask(question, FIGURES))[1]
        return [] if text is None else [float(one) for one in text.split(",")]

    async def switch(self, channel: int) -> bool:
        """The output's state as the instrument tells it."""
        text = (await self.ask(self._word("ask_switch", channel=channel), self.dialect.answer("ask_switch", channel=channel)))[1]
        if self.dialect.switch_bit is not None:
            return bool(int(text, 16) >> (self.dialect.switch_bit + channel - 1) & 1)
        return text in ("1", "ON")

    def _word(self, action: str, **keys: float | int) -> str:
        word = self.dialect.word(action, **keys)
        if word is None:
            raise NotAvailable(f"{action} from {self.idn[:40]}", f"the dialect {self.dialect.family} has no word for it")
        return word

    async def ask(self, question: str, form: re.Pattern[str]) -> re.Match[str]:
        """The answer to a question, in its form. Raises InstrumentTrouble, InstrumentGivenUp."""
        await self._ready()
        try:
            answer = await self._exchange(question)
            found = form.fullmatch(answer)
            if found is None:
                raise InstrumentTrouble(f"{self.resource}: {question}: answered {answer[:80]!r}, which is not in the form of its answer")
            problem = await self._mark(question)
        except JigError:
            self._doubt()
            raise
        if problem:
            raise InstrumentTrouble(f"{self.resource}: {question}: the instrument told an error with its answer: {problem[:80]}")
        return found

    async def tell(self, command: str) -> None:
        """A command, and no error in the queue behind it. Raises Refused, InstrumentTrouble, InstrumentGivenUp."""
        await self._ready()
        try:
            await self.link.send(command)
            await self._pace()
            problem = await self._mark(command)
        except JigError:
            self._doubt()
            raise
        if problem:
            raise CommandRefused(f"{self.resource}: {command}: the instrument refused: {problem[:80]}")

    async def command(self, action: str, **keys: float | int) -> None:
        """A command by its action."""
        await self.tell(self._word(action, **keys))

    async def resynchronise(self) -> None:
        """Clear, open again, prove by the identity. Raises InstrumentGivenUp."""
        try:
            await self.link.reopen()
            await self.link.send(_IDENTITY)
            until = self._clock.now() + _LONGEST_LATE_S
            line = await self.link.receive(self._timeout_s)
            for _ in range(_MOST_ERRORS):  # late answers to earlier questions, and silence
                if line == self.idn or self._clock.now() > until:
                    break
                line = await self.link.receive(self._timeout_s)
            if line != self.idn:
                raise InstrumentTrouble(f"{_IDENTITY} was not answered within {_LONGEST_LATE_S:g} s")
            await self._quiet()
            if (line := await self._exchange(_IDENTITY)) != self.idn:
                raise InstrumentTrouble(f"{_IDENTITY} was answered {str(line)[:60]!r}")
            await self._quiet()
            self._doubtful = False
            await self._drain_errors()
        except JigError as wrong:
            self._doubtful = True
            self._lost = f"{self.resource}: given up, question and answer could not be brought together again: {wrong}"
            raise InstrumentGivenUp(self._lost) from wrong

    async def _quiet(self) -> None:
        """Nothing further comes for a while."""
        for _ in range(_MOST_ERRORS):
            if await self.link.receive(max(_QUIET_S, 2 * self.seen.longest_s)) is None:
                return
        raise InstrumentTrouble("it does not stop talking")

    async def _ready(self) -> None:
        if self._lost:
            raise InstrumentGivenUp(self._lost)
        if self._doubtful:
            await self.resynchronise()

    def _doubt(self) -> None:
        self._doubtful = True
        self.seen.troubles += 1
        if self.seen.troubles > _MOST_TROUBLES:
            self._lost = f"{self.resource}: given up after {self.seen.troubles} answers that could not be used"

    async def _exchange(self, question: str) -> str:
        began = self._clock.now()
        await self.link.send(question)
        answer = await self.link.receive(self._timeout_s)
        if answer is None:
            raise InstrumentTrouble(
                f"{self.resource}: {question}: no usable answer within {self._timeout_s:g} s: is it on, is its cable in?"
            )
        self.seen.exchanges += 1
        self.seen.longest_s = max(self.seen.longest_s, self._clock.now() - began)
        await self._pace()
        return answer

    async def _pace(self) -> None:
        if self.dialect.pace_s:
            await self._clock.sleep(self.dialect.pace_s)

    async def _mark(self, after: str) -> str:
        """Ask what only one answer fits; the first error of the queue, empty where there is none."""
        errors = self.dialect.error
        if errors.is_number and (answer := await self._exchange(_IDENTITY)) != self.idn:
            raise InstrumentTrouble(
                f"{self.resource}: after {after}: {_IDENTITY} was answered {answer[:60]!r}: an answer is too many or too late"
            )
        first = await self._exchange(errors.query)
        if errors.empty(first):
            return ""
        if not errors.fits(first):
            raise InstrumentTrouble(
                f"{self.resource}: after {after}: {errors.query} was answered {first[:60]!r}: not an error queue's answer"
            )
        self.seen.errors += 1
        await self._drain_errors()
        return first

    async def _drain_errors(self) -> None:
        """Read the queue until it is empty, at most 30 times."""
        for _ in range(_MOST_ERRORS):
            if self.dialect.error.empty(answer := await self._exchange(self.dialect.error.query)):
                return
            self.seen.errors += 1
        raise InstrumentTrouble(f"{self.resource}: its error queue does not come to an end: {answer[:60]}")

    def close(self) -> None:
        """Let go of the instrument."""
        self.link.close()
