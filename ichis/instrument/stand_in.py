"""An instrument that is not there: it speaks a dialect over models of what it measures, with a latency, and misbehaves as it is told.

What it does not model: noise of its readings, the time an output takes to rise and fall, ranges, averaging. It knows the words of its
dialect's file in their short or long form, and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import string
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from firmware_emu.supervised import supervised
from ichis.instrument.drivers import Standards
from ichis.instrument.fault import Concerns, InstrumentFault, Misbehaviour
from ichis.jig import Load, Mains, Probes, Supply
from ichis.measuring.dialect import Dialect, Model, RecordWords
from ichis.measuring.reading import reading

STANDARDS = Standards(volts_contact=21, volts=5.0, ohms_contacts=(22, 23), ohms=100.0)
"""Standards that prove a stand-in's scanner."""
_SETTINGS = ("set_volts", "set_amperes")
_READINGS = ("volts", "amperes", "peak", "ripple", "ohms")
_LATE_AT = 0.5
"""Of the latency passes before a line acts, the rest before its answer is out."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Models behind the terminals, as far as the kind of instrument has them."""

    supply: Supply | None = None
    load: Load | None = None
    mains: Mains | None = None
    probes: Probes | None = None
    begin_list: Callable[[Sequence[tuple[float, float]]], Awaitable[None]] | None = None
    """Begins a list whose time passes in another process, and returns once it has begun; None: the supply plays it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A line that the instrument says, ``late_s`` later than its latency."""

    text: str
    late_s: float = 0.0


class StandIn:
    """One instrument. ``channel``: the one that is wired; others read nothing."""

    def __init__(
        self, dialect: Dialect, model: Model, behind: Behind, faults: Sequence[InstrumentFault] = (), latency_s: float = 0.0
    ) -> None:
        self.dialect, self.model, self._behind, self.latency_s = dialect, model, behind, latency_s
        self._faults = [fault for fault in faults if fault.who in (None, dialect.kind)]
        self.counts: Counter[Concerns] = Counter()
        """Events so far that faults may concern."""
        self._errors: deque[str] = deque(maxlen=20)
        self._volts, self._amperes, self._on = 0.0, model.most_amperes or 0.0, False
        self._last = 0.0
        self._gone = False
        self._list: dict[str, list[float]] = {}
        self._recorded: list[float] = []
        self._recording: asyncio.Task[None] | None = None
        self._timers: set[asyncio.Task[None]] = set()
        words = [*dialect.words.items(), *((action, word) for action, more in dialect.also.items() for word in more)]
        self._words = [(action, _grammar(word)) for action, word in words]
        self._quiet = [_grammar(line) for line in (*dialect.setup, *dialect.idle, *self._list_lines())]

    def _list_lines(self) -> tuple[str, ...]:
        words = self.dialect.playing
        return () if words is None else (*words.before, *words.start[:-1], *words.stop)

    async def line(self, text: str) -> list[Answer]:
        """Carry out one line; what it says."""
        if self._gone:
            return []
        for fault in self._struck(Concerns.LINE):
            if fault.what is Misbehaviour.GONE:
                self._gone = True
                return []
            await self._reset()
        parts = [part.strip() for part in text.split(";") if part.strip()]
        if len(parts) > 1 and not self.dialect.joins:
            self._errors.append(self.dialect.error.unknown)
            return []
        said = [answer for part in parts for answer in await self._one(part)]
        if len(parts) > 1 and said:
            return [Answer(";".join(answer.text for answer in said), max(answer.late_s for answer in said))]
        return said

    async def _one(self, text: str) -> list[Answer]:
        plain = _plain(text)
        if plain == "*IDN?":
            return [Answer(self.model.idn)]
        if plain == _plain(self.dialect.error.query):
            return [Answer(self._errors.popleft() if self._errors else self.dialect.error.none)]
        if plain == "*OPC?":
            return [Answer("1")]
        if plain == "*CLS":
            self._errors.clear()
            return []
        try:
            for action, grammar in self._words:
                found = grammar.fullmatch(plain)
                if found is not None:
                    return await self._do(action, {key: float(value) for key, value in found.groupdict().items()})
            if (told := self._of_record(plain)) is not None:
                return told
            if await self._of_list(plain) or any(grammar.fullmatch(plain) for grammar in self._quiet):
                return []
            self._errors.append(self.dialect.error.unknown)
        except (CommsHubError, ValueError, IndexError):
            self._errors.append(self.dialect.error.refused)
        return []

    # --- words

    async def _do(self, action: str, keys: Mapping[str, float]) -> list[Answer]:
        if action in _READINGS:
            return await self._read(action, keys)
        if action in self.dialect.answers:
            told = {"ask_volts": self._volts, "ask_amperes": self._amperes, "most_volts": self.model.most_volts or 0.0}
            told["most_amperes"] = self.model.most_amperes or 0.0
            return [Answer(self._form(action, told.get(action, 0.0), keys))]
        if action in _SETTINGS:
            if not self._struck_by(Concerns.SETTING, Misbehaviour.SET_IGNORED):
                await self._set(action, keys["value"])
            return []
        await self._switch(action == "switch_on")
        return []

    async def _set(self, action: str, value: float) -> None:
        most = self.model.most_volts if action == "set_volts" else self.model.most_amperes
        if not 0 <= value <= (1000.0 if most is None else most) + 1e-9:
            raise ValueError(value)
        behind = self._behind
        if action == "set_volts":
            assert behind.supply is not None
            await behind.supply.set_voltage(value)
            self._volts = value
            return
        self._amperes = value
        if behind.supply is not None:
            await behind.supply.set_current_limit(value)
        elif behind.load is not None and self._on:
            await behind.load.draw(value)

    async def _switch(self, on: bool) -> None:
        self._on = on
        struck = self._struck(Concerns.ON if on else Concerns.OFF)
        for fault in struck:
            if fault.what in (Misbehaviour.OFF_IGNORED, Misbehaviour.ON_IGNORED):
                return
            if fault.what is Misbehaviour.OFF_LATE:
                self._later(fault.amount, on)
                return
        await self._act(on)

    def _later(self, seconds: float, on: bool) -> None:
        async def act() -> None:
            await asyncio.sleep(seconds)
            if self._on is on:
                await self._act(on)

        task = supervised(act(), "an output switched late")
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    async def _act(self, on: bool) -> None:
        behind = self._behind
        if behind.supply is not None and self.dialect.kind == "supply":
            await behind.supply.output(on)
        elif behind.load is not None and self.dialect.kind == "load":
            await behind.load.draw(self._amperes if on else 0.0)
        elif behind.mains is not None and self.dialect.kind == "relay":
            await behind.mains.switch(on)

    async def _reset(self) -> None:
        self._on = False
        await self._act(False)
        self._volts = 0.0
        if self._behind.supply is not None and self.dialect.kind == "supply":
            await self._behind.supply.set_voltage(0.0)

    # --- readings

    async def _read(self, action: str, keys: Mapping[str, float]) -> list[Answer]:
        struck = {fault.what: fault for fault in self._struck(Concerns.READING)}
        shift = 1 if Misbehaviour.WRONG_CONTACT in struck else 0
        value = self._last if Misbehaviour.HANGS in struck else await self._figure(action, keys, shift)
        if (high := struck.get(Misbehaviour.HIGH)) is not None:
            value *= 1 + high.amount / 100
        self._last = value
        text = self._form(action, value, keys)
        if Misbehaviour.ERROR in struck:
            self._errors.append(self.dialect.error.refused)
        if Misbehaviour.NO_ANSWER in struck:
            return []
        if Misbehaviour.GARBAGE in struck:
            return [Answer("\xfe\x07banana")]
        if Misbehaviour.HALF in struck:
            return [Answer(text[: max(0, len(text) // 2 - 1)] + "\x15")]
        if Misbehaviour.OVERLOAD in struck:
            text = "9.90000000E+37"
        late_s = struck[Misbehaviour.LATE].amount if Misbehaviour.LATE in struck else 0.0
        said = [Answer(text, late_s)]
        if Misbehaviour.TWICE in struck:
            said.append(Answer(text))
        return [Answer(self._form(action, 0.5, keys)), *said] if Misbehaviour.UNASKED in struck else said

    async def _figure(self, action: str, keys: Mapping[str, float], shift: int) -> float:
        behind = self._behind
        if self.dialect.kind == "meter":
            contact = int(keys["contact"]) - self.dialect.first_channel + shift
            return await self._contact(action, contact, int(keys.get("other", 0)) - self.dialect.first_channel)
        source = behind.supply if self.dialect.kind == "supply" else behind.load
        assert source is not None
        if action == "peak":
            assert behind.supply is not None
            return reading(await behind.supply.measure_peak_current()).value
        return reading(await (source.measure_voltage() if action == "volts" else source.measure_current())).value

    async def _contact(self, action: str, contact: int, other: int) -> float:
        probes = self._behind.probes
        assert probes is not None
        if action == "volts" and contact == STANDARDS.volts_contact:
            return STANDARDS.volts
        if action == "ohms" and (contact, other) == STANDARDS.ohms_contacts:
            return STANDARDS.ohms
        if action == "ohms":
            return reading(await probes.ohms(contact, other)).value
        return reading(await (probes.volts(contact) if action == "volts" else probes.ripple(contact))).value

    def _form(self, action: str, value: float, keys: Mapping[str, float]) -> str:
        made = []
        for text, name, form, _ in string.Formatter().parse(self.dialect.answers[action]):
            made.append(text)
            if name == "value":
                made.append(format(value, form or ""))
            elif name == "switch":
                bit = (self.dialect.switch_bit or 0) + self.model.channels[0] - 1
                words = {"on": ("OFF", "ON"), "d": ("0", "1"), "hex": ("0x0", hex(1 << bit))}
                made.append(words[form or "d"][self._on])
            elif name is not None:
                made.append(str(int(keys[name])))
        return "".join(made)

    # --- lists

    async def _of_list(self, plain: str) -> bool:
        words = self.dialect.playing
        if words is None:
            return False
        for column in ("volts", "seconds", "amperes"):
            template = getattr(words, column)
            found = _grammar(template).fullmatch(plain) if template else None
            if found is not None:
                self._list[column] = [float(one) for one in found["points"].split(",")]
                return True
        if _grammar(words.start[-1]).fullmatch(plain) is None:
            return False
        volts, seconds = self._list["volts"], self._list["seconds"]
        if len(volts) != len(seconds) or min(seconds) < self.dialect.least_step_s - 1e-9:
            raise ValueError("no list to play")
        assert self._behind.supply is not None
        points = list(zip(volts, seconds, strict=True))
        if self._behind.begin_list is not None:
            await self._behind.begin_list(points)  # the next answer says that the list runs: it must not be out before
        else:
            self._later_list(points, self._behind.supply)
        self._volts = volts[-1]
        return True

    # --- records

    def _of_record(self, plain: str) -> list[Answer] | None:
        """The answer to a line that concerns the record; None for another line."""
        words = self.dialect.record
        if words is None:
            return None
        found = _grammar(words.fetch).fullmatch(plain)
        if found is not None:
            count = int(float(found["count"]))
            some, self._recorded = self._recorded[:count], self._recorded[count:]
            return [Answer(",".join(f"{volts:+.4E}" for volts in some))]
        if any(_grammar(line).fullmatch(plain) for line in (*words.start, *words.stop)):
            begins = _grammar(words.start[-1]).fullmatch(plain) is not None
            if begins or any(_grammar(line).fullmatch(plain) for line in words.stop):
                self._end_record()
            if begins:
                self._recorded = []
                self._recording = supervised(self._record(words), "a record of volts")
            return []
        return None

    async def _record(self, words: RecordWords) -> None:
        source = self._behind.supply if self.dialect.kind == "supply" else self._behind.load
        assert source is not None
        while len(self._recorded) < words.longest_s / words.period_s:
            await asyncio.sleep(words.period_s)
            self._recorded.append(reading(await source.measure_voltage()).value)

    def _end_record(self) -> None:
        if self._recording is not None:
            self._recording.cancel()
            self._recording = None

    def _later_list(self, points: list[tuple[float, float]], supply: Supply) -> None:
        task = supervised(supply.play(points), "a list of the supply")
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    # --- faults

    def _struck(self, concerns: Concerns) -> list[InstrumentFault]:
        self.counts[concerns] += 1
        count = self.counts[concerns]
        return [fault for fault in self._faults if fault.what.concerns is concerns and fault.strikes(count)]

    def _struck_by(self, concerns: Concerns, what: Misbehaviour) -> bool:
        return any(fault.what is what for fault in self._struck(concerns))

    def close(self) -> None:
        self._end_record()
        for task in self._timers:
            task.cancel()


class StandInLink:
    """Implements :class:`ichis.instrument.link.InstrumentLine` to a stand-in in this process, in bench time."""

    def __init__(self, stand_in: StandIn, clock: Clock) -> None:
        self.resource = f"stand-in {stand_in.model.name}"
        self.stand_in, self._clock = stand_in, clock
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self._task = supervised(serve(stand_in, self._lines.get, self._said.put_nowait), self.resource)

    async def send(self, line: str) -> None:
        self._lines.put_nowait(line)

    async def receive(self, timeout_s: float) -> str | None:
        try:
            async with asyncio.timeout(timeout_s):
                return (await self._said.get()).strip("\r\0 ")
        except TimeoutError:
            return None

    async def reopen(self) -> None:
        while not self._said.empty():
            self._said.get_nowait()

    def close(self) -> None:
        self._task.cancel()
        self.stand_in.close()


async def serve(stand_in: StandIn, next_line: Callable[[], Awaitable[str]], say: Callable[[str], None]) -> None:
    """Take lines one by one and answer, until cancelled. Half of the latency lies before a line acts, half behind."""
    while True:
        line = await next_line()
        if stand_in.latency_s:
            await asyncio.sleep(stand_in.latency_s * _LATE_AT)
        answers = await stand_in.line(line)
        if stand_in.latency_s and answers:
            await asyncio.sleep(stand_in.latency_s * (1 - _LATE_AT))
        for answer in answers:
            if answer.late_s:
                await asyncio.sleep(answer.late_s)
            say(answer.text)


_PLACES = {"points": r"(?P<points>[-+0-9.,Ee]+?)"}


def _grammar(template: str) -> re.Pattern[str]:
    parts = []
    for text, name, _, _ in string.Formatter().parse(template):
        literal = re.escape(_plain(text, strip=False)) if text else ""
        literal = re.sub(r"(?<![A-Z0-9])ON(?![A-Z0-9])", "(?:ON|1)", re.sub(r"(?<![A-Z0-9])OFF(?![A-Z0-9])", "(?:OFF|0)", literal))
        parts.append(literal)
        if name is not None:
            parts.append(_PLACES.get(name, rf"(?P<{name}>[-+]?\d*\.?\d+(?:E[-+]?\d+)?)"))
    return re.compile("".join(parts).replace(r"\ ", r"\ ?").removeprefix(":"))


@lru_cache(4096)
def _plain(text: str, *, strip: bool = True) -> str:
    """Upper case, short forms, no leading colon, no blank after a comma: as a command is compared."""
    short = re.sub(r"[A-Z]{5,}", lambda word: _short(word[0]), text.upper())
    tight = re.sub(r"\s*,\s*", ",", short)
    return tight.strip().lstrip(":") if strip else tight


def _short(word: str) -> str:
    """The short form of a SCPI word: four letters, three where the fourth is a vowel."""
    return word[:3] if word[3] in "AEIOU" else word[:4]
