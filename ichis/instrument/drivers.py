"""Supply, electronic load, multimeter and relay in their dialects: what they are told is read back, what they read is proved.

A reading stands between readings whose result is known (Common to itself, a check standard where the board names one, the volts that
the supply was set to), so that an instrument that hangs or reads something else shows. What cannot be proved raises, and voids its check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable, one_of
from ichis.instrument.session import InstrumentSession, InstrumentTrouble
from ichis.jig import OPEN_OHM
from ichis.measuring.dialect import RecordWords
from ichis.measuring.latency import OffLatency
from ichis.measuring.reading import Accuracy, Reading, Sample

_TOLD_BACK = 0.011
"""Largest distance of a setting read back from what was set, V or A: the coarsest of the dialects tells hundredths."""
_GROSS_V = 0.6
"""Volts further from their setting than this are no question of accuracy: the setting does not act. The bench's own figure."""
_ZERO_V, _ZERO_OHM = 0.05, 0.1
_AGREE = 0.02
_SETTLES_S = 1.0
"""Time in which an output must be where it was told to be."""
_COMMON = 3
_PIECE = 500
"""Points asked for at once: an answer stays shorter than what a line may be."""
_SOFTWARE_STEPS = 5
"""A step that software times must last so many settings: shorter ones are left to instruments that play lists."""


class NotObeyed(JigError):
    """An instrument that was told something, told no error, and did not do it."""


@dataclass(frozen=True, slots=True)
class Standards:
    """Standards wired to the scanner to prove it: contacts with known volts and known ohms. None: there is nothing such."""

    volts_contact: int | None = None
    volts: float = 0.0
    ohms_contacts: tuple[int, int] | None = None
    ohms: float = 0.0


class InstrumentRecord:
    """The record of volts that an instrument keeps by itself while a check runs, of one channel. ``begin`` forgets what was kept before."""

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


class _Driver:
    def __init__(self, session: InstrumentSession, clock: Clock, channel: int | None, accuracy: Mapping[str, Accuracy] | None) -> None:
        self.session, self._clock = session, clock
        self.accuracy = session.model.accuracy if accuracy is None else accuracy
        self._channel = session.model.channels[0] if channel is None else channel
        if session.model.channels and self._channel not in session.model.channels:
            raise NotAvailable(
                f"channel {self._channel} of {session.idn[:40]}", f"expected {one_of(self._channel, session.model.channels)}"
            )
        self.record = None if session.dialect.record is None else InstrumentRecord(session, clock, self._channel)
        """The record that the instrument keeps by itself; None where the family keeps none."""

    async def identity(self) -> str:
        return self.session.idn

    async def _told(self, action: str, volts_or_amperes: float, back: str) -> None:
        await self.session.command(action, channel=self._channel, value=volts_or_amperes)
        found = await self.session.number(back, -1, 1000, channel=self._channel)
        if abs(found - volts_or_amperes) > _TOLD_BACK:
            raise NotObeyed(f"{self.session.resource}: told {action.replace('_', ' ')} {volts_or_amperes:g}, it says {found:g}")

    async def _switched(self, on: bool) -> None:
        await self.session.command("switch_on" if on else "switch_off", channel=self._channel)
        if await self.session.switch(self._channel) is not on:
            raise NotObeyed(f"{self.session.resource}: told to switch {'on' if on else 'off'}, it says that it did not")

    def _reading(self, quantity: str, value: float) -> Reading:
        return self.accuracy.get(quantity, Accuracy()).of(value)

    async def _one(self, quantity: str, low: float, high: float) -> Reading:
        return self._reading(quantity, await self.session.number(quantity, low, high, channel=self._channel))


class InstrumentSupply(_Driver):
    """Implements :class:`ichis.jig.Supply`."""

    def __init__(
        self,
        session: InstrumentSession,
        clock: Clock,
        *,
        channel: int | None = None,
        accuracy: Mapping[str, Accuracy] | None = None,
        peak: bool = True,
        off_latency: OffLatency | None = None,
    ) -> None:
        """``peak``: the board lets the highest current be asked for where the dialect has a word for it. ``off_latency``: as measured."""
        super().__init__(session, clock, channel, accuracy)
        self._volts, self._limit_a, self._on = 0.0, 0.0, False
        self._most_v, self._most_a = session.model.most_volts or 1000.0, session.model.most_amperes or 1000.0
        self._peak = peak
        self.off_latency = off_latency
        self._setting_s = 0.0
        self.acted = (clock.now(), clock.now())

    async def open(self) -> None:
        """Ask for limits, and begin switched off. Raises InstrumentTrouble, NotObeyed."""
        if "most_volts" in self.session.dialect.words:
            self._most_v = await self.session.number("most_volts", 0, 1000, channel=self._channel)
            self._most_a = await self.session.number("most_amperes", 0, 1000, channel=self._channel)
        await self.output(False)

    @property
    def least_step_s(self) -> float:
        """Shortest step of volts that this supply gives as it was asked for: its list's, or what software can time."""
        return self.session.dialect.least_step_s if self.session.dialect.playing is not None else self.least_software_step_s

    @property
    def least_software_step_s(self) -> float:
        """Shortest step that software times with this instrument: some of its settings long."""
        return _SOFTWARE_STEPS * max(self._setting_s, self.session.seen.longest_s)

    async def set_voltage(self, volts: float) -> None:
        if not 0 <= volts <= self._most_v:
            raise JigError(f"{self.session.resource}: {volts:g} V is outside what this supply gives: 0 to {self._most_v:g} V")
        began = self._clock.now()
        await self._told("set_volts", volts, "ask_volts")
        self._setting_s = max(self._setting_s, self._clock.now() - began)
        self._volts = volts

    async def set_current_limit(self, amperes: float) -> None:
        """A limit above what the supply can give is set to that: it limits there anyway."""
        given = min(amperes, self._most_a)
        await self._told("set_amperes", given, "ask_amperes")
        self._limit_a = given

    async def output(self, on: bool) -> None:
        began = self._clock.now()
        self._on = on
        await self.session.command("switch_on" if on else "switch_off", channel=self._channel)
        await self._settle()
        self.acted = (began, self._clock.now())
        if not on and self.off_latency is not None:
            self.acted = self.off_latency.acted(*self.acted)
        if await self.session.switch(self._channel) is not on:
            raise NotObeyed(f"{self.session.resource}: told to switch {'on' if on else 'off'}, it says that it did not")

    async def confirm(self) -> None:
        """The output is what was last told: switched so, set so, and its volts and amperes say so. Raises NotObeyed, InstrumentTrouble."""
        if await self.session.switch(self._channel) is not self._on:
            raise NotObeyed(f"{self.session.resource}: its output is not {'on' if self._on else 'off'} any more, and nobody switched it")
        for back, wanted in (("ask_volts", self._volts), ("ask_amperes", self._limit_a)):
            found = await self.session.number(back, -1, 1000, channel=self._channel)
            if self._limit_a and abs(found - wanted) > _TOLD_BACK:
                raise NotObeyed(f"{self.session.resource}: set to {wanted:g}, it says {found:g}, and nobody set it so")
        await self._settle()

    async def _settle(self) -> None:
        """Wait until volts and amperes say that the output is what it was told. Raises NotObeyed after a second."""
        until = self._clock.now() + _SETTLES_S
        while problem := self._astray((await self._one("volts", -1, 1000)).value, (await self._one("amperes", -100, 100)).value):
            if self._clock.now() > until:
                raise NotObeyed(f"{self.session.resource}: {problem}")
            await self._clock.sleep(0.05)

    def _astray(self, volts: float, amperes: float) -> str:
        if not self._on:
            gives = abs(amperes) > 0.01 + self._reading("amperes", amperes).u
            return f"told to switch off, it still gives {volts:.3g} V and {amperes:.3g} A" if gives else ""
        if abs(volts - self._volts) > _GROSS_V and amperes < 0.8 * self._limit_a:
            return f"set to {self._volts:g} V and switched on, it gives {volts:.3g} V and {amperes:.3g} A"
        if amperes > self._limit_a * 1.05 + 0.02 + self._reading("amperes", amperes).u:
            return f"it says {amperes:.3g} A above its limit of {self._limit_a:g} A"
        return ""

    async def measure_voltage(self) -> Reading:
        return (await self._proved())[0]

    async def measure_current(self) -> Reading:
        return (await self._proved())[1]

    async def _proved(self) -> tuple[Reading, Reading]:
        """Volts and amperes in turn, twice: an instrument that hangs gives one for the other."""
        first_v, first_a = await self._one("volts", -1, 1000), await self._one("amperes", -100, 100)
        second_v, second_a = await self._one("volts", -1, 1000), await self._one("amperes", -100, 100)
        for first, second, unit in ((first_v, second_v, "V"), (first_a, second_a, "A")):
            if abs(first.value - second.value) > max(2 * first.u, _AGREE * abs(first.value), _AGREE):
                raise InstrumentTrouble(f"{self.session.resource}: two readings disagree: {first.value:g} and {second.value:g} {unit}")
        if self._on and (problem := self._astray(second_v.value, second_a.value)):
            raise NotObeyed(f"{self.session.resource}: {problem}")
        return second_v, second_a

    async def measure_peak_current(self) -> Reading:
        """Raises NotAvailable where the dialect has no word for it."""
        if not self._peak or "peak" not in self.session.dialect.words:
            raise NotAvailable("the peak of the current", f"{self.session.idn[:40]} does not tell it: use a load, a fast meter or a scope")
        value = await self.session.number("peak", -100, 100, channel=self._channel)
        again = await self.session.number("peak", -100, 100, channel=self._channel)
        await self._proved()
        if abs(value - again) > _AGREE:
            raise InstrumentTrouble(f"{self.session.resource}: two readings of the peak disagree: {value:g} and {again:g} A")
        return self._reading("amperes", again).widened(self.accuracy["amperes"].of(again).u if "amperes" in self.accuracy else 0.0)

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        """By its own list, else step by step where software can time that. Raises NotAvailable for a step that neither can."""
        if not points:
            return
        steps = [seconds for _, seconds in points if seconds > 0]
        if steps and min(steps) < self.least_step_s - 1e-9:
            how = "its list's shortest step is" if self.session.dialect.playing is not None else "software needs"
            raise NotAvailable(
                f"a step of {min(steps):g} s", f"{how} {self.least_step_s:.3g} s on {self.session.idn[:40]}: take a supply that plays lists"
            )
        if self.session.dialect.playing is None:
            for volts, seconds in points:
                until = self._clock.now() + seconds
                await self.set_voltage(volts)
                await self._clock.sleep(max(0.0, until - self._clock.now()))
            return
        await self._play_list([(volts, max(seconds, self.session.dialect.least_step_s)) for volts, seconds in points])

    async def _play_list(self, points: Sequence[tuple[float, float]]) -> None:
        words = self.session.dialect.playing
        assert words is not None
        columns = (
            (words.volts, [volts for volts, _ in points]),
            (words.amperes, [self._limit_a for _ in points]),
            (words.seconds, [seconds for _, seconds in points]),
        )
        loads = [word.format(points=",".join(f"{one:.4f}" for one in figures), channel=self._channel) for word, figures in columns if word]
        for line in (*words.before, *loads, *words.start):
            await self.session.tell(line.format(channel=self._channel))
        await self._clock.sleep(sum(seconds for _, seconds in points))
        for line in words.stop:
            await self.session.tell(line.format(channel=self._channel))
        await self.set_voltage(points[-1][0])

    def close(self) -> None:
        self.session.close()


class InstrumentLoad(_Driver):
    """Implements :class:`ichis.jig.Load`: constant current."""

    def __init__(self, session: InstrumentSession, clock: Clock, *, accuracy: Mapping[str, Accuracy] | None = None) -> None:
        super().__init__(session, clock, None, accuracy)
        self.curve: list[tuple[float, float]] = []
        self._drawn_a = 0.0

    @property
    def resolution_s(self) -> float:
        """Half of the time from one reading to the next."""
        return max(self.session.dialect.renewal_s, 3 * self.session.seen.longest_s) / 2

    async def draw(self, amperes: float) -> None:
        most = self.session.model.most_amperes
        if most is not None and amperes > most:
            raise NotAvailable(f"a load of {amperes:g} A", f"{self.session.idn[:40]} draws at most {most:g} A")
        await self._told("set_amperes", amperes, "ask_amperes")
        await self._switched(bool(amperes))
        self._drawn_a = amperes

    async def confirm(self) -> None:
        """It draws what it was told, as far as there is anything to draw from. Raises NotObeyed, InstrumentTrouble."""
        volts, amperes = await self._one("volts", -1, 1000), await self._one("amperes", -100, 100)
        if await self.session.switch(self._channel) is not bool(self._drawn_a):
            raise NotObeyed(
                f"{self.session.resource}: its input is not {'on' if self._drawn_a else 'off'} any more, and nobody switched it"
            )
        back = await self.session.number("ask_amperes", -1, 1000, channel=self._channel)
        if abs(back - self._drawn_a) > _TOLD_BACK:
            raise NotObeyed(f"{self.session.resource}: set to {self._drawn_a:g} A, it says {back:g} A")
        wrong = abs(amperes.value - self._drawn_a) > max(0.05, 0.05 * self._drawn_a) + amperes.u
        if wrong and (volts.value > 1 or amperes.value > self._drawn_a):
            raise NotObeyed(f"{self.session.resource}: told to draw {self._drawn_a:g} A, it draws {amperes.value:.3g} A")

    async def measure_voltage(self) -> Reading:
        first = await self._one("volts", -1, 1000)
        await self.confirm()
        second = await self._one("volts", -1, 1000)
        if abs(first.value - second.value) > max(2 * first.u, 2 * _AGREE * abs(first.value), _AGREE):
            raise InstrumentTrouble(f"{self.session.resource}: two readings disagree: {first.value:g} and {second.value:g} V")
        return second

    async def measure_current(self) -> Reading:
        found = await self._one("amperes", -100, 100)
        await self.confirm()
        return found

    async def observe(self, seconds: float) -> list[Sample]:
        """One reading after another: shorter events than an exchange with the instrument takes are not seen."""
        seen = await _course(self.session, self._clock, seconds, lambda: self._one("volts", -1, 1000))
        await self.confirm()
        self.curve += [(one.when, one.found.value) for one in seen]
        return seen

    def close(self) -> None:
        self.session.close()


async def _course(
    session: InstrumentSession,
    clock: Clock,
    seconds: float,
    read: Callable[[], Awaitable[Reading]],
    beside: asyncio.Task[None] | None = None,
) -> list[Sample]:
    """One reading after another for so long; where ``beside`` runs, from its end on. An answer may be as old as readings renew."""
    until, seen = clock.now() + seconds, []
    while True:
        if beside is not None and not beside.done():
            until = clock.now() + seconds
        began = clock.now() - session.dialect.renewal_s
        found = await read()
        seen.append(Sample(began, clock.now(), found))
        if clock.now() >= until:
            return seen
        await clock.sleep(0.002)


class InstrumentRelay(_Driver):
    """The host's mains through a relay, or an a.c. source, that obeys ``OUTPut``."""

    async def switch(self, on: bool) -> None:
        await self._switched(on)


class InstrumentMating:
    """Implements :class:`ichis.jig.Mating` with an actuator behind a relay: on is in. It leaves the serial pair joined as it is."""

    def __init__(self, relay: InstrumentRelay) -> None:
        self._relay = relay

    async def insert(self) -> None:
        await self._relay.switch(True)

    async def withdraw(self) -> None:
        await self._relay.switch(False)

    async def wire_data(self, wired: bool) -> None:
        """Raises NotAvailable where the pair is to be opened."""
        if not wired:
            raise NotAvailable(
                "an open serial pair", "the actuator moves the whole connector: open the pair by hand, with jig.mating = manual"
            )


class ContactWatch:
    """Implements :class:`ichis.jig.Watch` with one contact of a scanner."""

    def __init__(self, probes: InstrumentProbes, pin: int, clock: Clock) -> None:
        self._probes, self._pin, self._clock = probes, pin, clock

    @property
    def resolution_s(self) -> float:
        session = self._probes.session
        return max(session.dialect.renewal_s, 3 * session.seen.longest_s) / 2

    async def observe(self, seconds: float, beside: asyncio.Task[None] | None = None) -> list[Sample]:
        """As a watch does; where another instrument is told things ``beside`` it, until so many seconds after that."""
        try:
            seen = await _course(self._probes.session, self._clock, seconds, lambda: self._probes.moving(self._pin), beside)
            await self._probes.proved()
        finally:
            if beside is not None:
                await asyncio.wait({beside})
        return seen


class InstrumentProbes:
    """Implements :class:`ichis.jig.Probes` with a multimeter behind a scanner."""

    def __init__(self, session: InstrumentSession, standards: Standards, *, accuracy: Mapping[str, Accuracy] | None = None) -> None:
        self.session, self._standards = session, standards
        self.accuracy = session.model.accuracy if accuracy is None else accuracy

    async def identity(self) -> str:
        return self.session.idn

    async def _one(self, quantity: str, low: float, high: float, contact: int, other: int | None = None) -> Reading:
        first = self.session.dialect.first_channel
        keys = {"contact": first + contact} | ({} if other is None else {"other": first + other})
        overrange = OPEN_OHM if quantity == "ohms" else None
        value = min(OPEN_OHM, await self.session.number(quantity, low, high, overrange=overrange, **keys))
        return self.accuracy.get(quantity, Accuracy()).of(value)

    async def volts(self, pin: int, *, moving: bool = False) -> Reading:
        await self._zero_volts()
        if moving:
            found = await self._one("volts", -1000, 1000, pin)
            await self._standard_volts()
            return found
        first = await self._one("volts", -1000, 1000, pin)
        await self._standard_volts()
        return self._same(first, await self._one("volts", -1000, 1000, pin), "V")

    async def moving(self, pin: int) -> Reading:
        """Volts of a contact, alone: whoever asks for :meth:`proved` afterwards may believe it."""
        return await self._one("volts", -1000, 1000, pin)

    async def proved(self) -> None:
        """The meter reads what it is asked for. Raises InstrumentTrouble."""
        await self._standard_volts()
        await self._zero_volts()

    async def _zero_volts(self) -> None:
        zero = await self._one("volts", -1000, 1000, _COMMON)
        if abs(zero.value) > _ZERO_V:
            raise InstrumentTrouble(
                f"{self.session.resource}: Common to itself reads {zero.value:g} V: the meter hangs, or reads another contact"
            )

    async def _standard_volts(self) -> None:
        if self._standards.volts_contact is not None:
            found, wanted = await self._one("volts", -1000, 1000, self._standards.volts_contact), self._standards.volts
            if abs(found.value - wanted) > max(2 * found.u, _AGREE * wanted):
                raise InstrumentTrouble(f"{self.session.resource}: the check standard of {wanted:g} V reads {found.value:g} V")

    def _same(self, first: Reading, second: Reading, unit: str) -> Reading:
        if abs(first.value - second.value) > max(2 * second.u, _AGREE * abs(second.value), _AGREE):
            raise InstrumentTrouble(f"{self.session.resource}: two readings disagree: {first.value:g} and {second.value:g} {unit}")
        return second

    async def ripple(self, pin: int) -> Reading:
        await self._zero_volts()
        first = await self._one("ripple", 0, 1000, pin)
        await self._standard_volts()
        return self._same(first, await self._one("ripple", 0, 1000, pin), "V")

    async def ohms(self, one: int, other: int) -> Reading:
        await self._standard_ohms()
        first = await self._one("ohms", 0, 1e12, one, other)
        zero = await self._one("ohms", 0, 1e12, _COMMON, _COMMON)
        if zero.value > _ZERO_OHM:
            raise InstrumentTrouble(
                f"{self.session.resource}: Common to itself reads {zero.value:g} ohm: the meter hangs, or reads another contact"
            )
        second = await self._one("ohms", 0, 1e12, one, other)
        await self._standard_ohms()
        return self._same(first, second, "ohm")

    async def _standard_ohms(self) -> None:
        if self._standards.ohms_contacts is not None:
            found, wanted = await self._one("ohms", 0, 1e12, *self._standards.ohms_contacts), self._standards.ohms
            if abs(found.value - wanted) > max(2 * found.u, _AGREE * wanted):
                raise InstrumentTrouble(f"{self.session.resource}: the check standard of {wanted:g} ohm reads {found.value:g} ohm")

    def close(self) -> None:
        self.session.close()
