"""The bench behind a prompt: clock, trace, station and nouns on one event loop.

Time is a command here: on a warp clock no time passes while nothing is asked. A verb lets time run until it is done;
``go`` and ``until`` are the verbs that do nothing else.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from firmware_emu.board import Board
from firmware_emu.clock import Clock, moment_text
from firmware_emu.console.declare import Verb, WordError, declared
from firmware_emu.console.result import Result
from firmware_emu.console.words import read_line, values
from firmware_emu.errors import CommsHubError, NotAvailable, nearest
from firmware_emu.extras import load
from firmware_emu.trace import Record, Trace

if TYPE_CHECKING:
    from firmware_emu.crypto.keystore import Keystore
    from firmware_emu.hub.hub import Hub

_SETTLE_S = 0.00073
"""Bench time after each verb in which what is under way comes to rest, so that a session is repeatable. No other delay is a multiple
of it: what is due at the same instant would be under way still."""


class SupplySwitch(Protocol):
    """Switch of the hub's supply."""

    async def power_up(self) -> None: ...


class FirmwareStation(Protocol):
    """Parts of a bench that the firmware's nouns need; the rig's nouns know what else it is."""

    @property
    def hub(self) -> Hub | None: ...

    @property
    def host(self) -> SupplySwitch: ...

    @property
    def folder(self) -> Path: ...

    @property
    def keystore(self) -> Keystore: ...

    def han_keys(self) -> Mapping[str, bytes]:
        """The keys of this test HAN by label; secrets, for opening its frames."""
        ...

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.05) -> None: ...


class Stops(Protocol):
    """Breakpoints that are set."""

    async def watch(self, work: Coroutine[object, object, Result]) -> Result:
        """Result of ``work``, or of the stop at a breakpoint that comes before it is done."""
        ...


Opener = Callable[[Board, Clock, Trace, int], AbstractAsyncContextManager[FirmwareStation]]
"""Entry point of the group ``chub.bench``: opens the station of a board with that seed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The words with which a bench was opened: what another one needs to be the same."""

    board: str
    settings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Noun:
    """A noun at the prompt. ``name`` is its word; ``about`` what stands in the list of nouns."""

    name: str
    about: ClassVar[str]
    title: ClassVar[str | None] = None
    """The word of the manual's headings where it is not ``name`` (a noun per Device)."""

    def __init__(self, bench: Core) -> None:
        self.bench = bench

    async def close(self) -> None:
        """The bench is about to be torn down."""

    @classmethod
    def on(cls, bench: Core) -> Iterable[Noun]:
        """The nouns of this class that the bench has; one unless the class says otherwise."""
        return (cls(bench),)

    @classmethod
    def verbs(cls) -> Mapping[str, Verb]:
        """The declared verbs by name."""
        found = {}
        for owner in reversed(cls.__mro__):
            for method in vars(owner).values():
                marked = getattr(method, "__dict__", {}).get("console_verb")
                if marked is not None:
                    found[marked[0]] = declared(owner, method, *marked)
        return found


@dataclass(frozen=True, slots=True)
class Call:
    """A verb of a noun with its values, and the words it came from (made up where it came from Python)."""

    noun: Noun
    verb: Verb
    words: tuple[str, ...]
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The words as one would type them."""
        return shlex.join(self.words)


class Core:
    """Everything a verb can reach. Made on the event loop of ``clock`` by :func:`firmware_emu.console.bench.Bench.open`."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        trace: Trace,
        seed: int,
        station: FirmwareStation,
        records: list[Record],
        opened: Opened | None = None,
        kinds: Sequence[type[Noun]] | None = None,
    ) -> None:
        """``kinds``: the nouns there are; None: all that are installed."""
        self.board = board
        self.opened = opened or Opened(board.name)
        self.clock = clock
        self.trace = trace
        self.seed = seed
        self.station = station
        self.records = records
        """The run's growing trace."""
        self.said: list[SaidCall] = []
        """Lines that were said at this console, with their results: the session."""
        self.offers: dict[str, Callable[[Sequence[str]], Sequence[str] | Mapping[str, str]]] = {
            "devices": lambda _: {row.name: f"{row.type} {row.eui}" for row in board.device}
        }
        """Lists to complete words from, given the words of the call so far; nouns add theirs."""
        self.watching: Callable[[Record], bool] | None = None
        """Which records are shown as they come; None: none."""
        self.stops: Stops | None = None
        """Breakpoints, while there are some: a verb whose message stops at one is left under way, and the prompt is free."""
        self._active = 0
        self.nouns: dict[str, Noun] = {}
        self.absent: dict[str, NotAvailable] = {}
        """Nouns that cannot be used, each with the reason: a library that is not installed, a fault in a further package."""
        if kinds is None:
            kinds, self.absent = noun_classes()
        for kind in kinds:
            try:
                self.nouns.update({noun.name: noun for noun in kind.on(self)})
            except CommsHubError:
                raise
            except Exception as fault:  # a noun of a further package; the bench opens without it, and says so
                self.absent[kind.name] = _broken(kind.name, kind.__module__, fault)
        self.offers["topics"] = lambda _: [*self.nouns, *self.plain]
        self.plain: dict[str, tuple[Noun, Verb]] = {
            verb.plain: (noun, verb) for noun in self.nouns.values() for verb in noun.verbs().values() if verb.plain is not None
        }
        self._freeze()

    async def close(self) -> None:
        """Let every noun end what it keeps; then the station may be torn down."""
        for noun in self.nouns.values():
            await noun.close()

    def find(self, noun: str, verb: str) -> tuple[Noun, Verb]:
        """Raises WordError with the nearest word there is; NotAvailable for a noun whose libraries are not installed."""
        if noun not in self.nouns:
            raise self.unknown(noun)
        verbs = self.nouns[noun].verbs()
        if verb not in verbs:
            raise WordError(f"read {verb!r}, expected a verb of {noun}: {', '.join(verbs)}{nearest(verb, verbs)}")
        return self.nouns[noun], verbs[verb]

    def unknown(self, noun: str) -> CommsHubError:
        """Refusal of a word that is no noun here."""
        told = f"read {noun!r}, expected a noun{nearest(noun, [*self.nouns, *self.plain])}; `help` lists them"
        return self.absent.get(noun) or WordError(told)

    def parse(self, line: str) -> list[Call]:
        """The calls of a line: words to noun, verb and values. Raises WordError."""
        return [bind(self, words) for words in read_line(line)]

    async def say(self, line: str) -> Result:
        """Do what a line says, ``;`` between several, and give back the last result. Raises WordError and what a verb raises."""
        done = Result("")
        for call in self.parse(line):
            done = await self.perform(call)
            if not done.ok:
                break
        return done

    async def perform(self, call: Call) -> Result:
        """One call. Time runs while it lasts, unless it only looks."""
        first = len(self.records)
        work: Coroutine[object, object, Result] = getattr(call.noun, call.verb.method)(*call.args, **call.kwargs)
        try:
            done = await (work if call.verb.looks else self._act(work))
        except CommsHubError as trouble:
            if not isinstance(trouble, WordError):
                self.said.append(SaidCall(call, Result(str(trouble), ok=False), first, len(self.records), type(trouble)))
            raise
        self.said.append(SaidCall(call, done, first, len(self.records)))
        return done

    async def look(self, call: Call) -> Result:
        """One call that only looks, for who keeps looking: it is no line of the session. Raises WordError for one that does something."""
        if not call.verb.looks:
            raise WordError(f"read {call.line!r}, expected what only looks")
        looked: Result = await getattr(call.noun, call.verb.method)(*call.args, **call.kwargs)
        return looked

    async def _act(self, work: Coroutine[object, object, Result]) -> Result:
        with self.running():
            try:
                return await (work if self.stops is None else self.stops.watch(work))
            finally:
                if self.clock.warp:
                    await asyncio.sleep(_SETTLE_S)

    def state(self) -> str:
        """One line: time, pace, seed."""
        pace = "stands still" if self.clock.warp else f"x {self.clock.speed:g}"
        return f"{moment_text(self.clock.now())} ({pace})   seed {self.seed}   {len(self.records)} records"

    @contextmanager
    def running(self) -> Iterator[None]:
        """While in the context time runs."""
        self._active += 1
        self.clock.horizon = None
        try:
            yield
        finally:
            self._active -= 1
            self._freeze()

    def _freeze(self) -> None:
        if self._active == 0:
            self.clock.horizon = self.clock.now()


@dataclass(frozen=True, slots=True)
class SaidCall:
    """One thing said: the call, its result, which records it made, and the error it ended with, if any."""

    call: Call
    result: Result
    first: int
    last: int
    error: type[CommsHubError] | None = None


def bind(core: Core, words: Sequence[str]) -> Call:
    """The call that words make. Raises WordError."""
    if words[0] in core.plain:
        noun, verb = core.plain[words[0]]
        rest = words[1:]
    elif len(words) < 2:
        if words[0] in core.nouns:
            raise WordError(f"read {words[0]!r} alone, expected a verb after it: {', '.join(core.nouns[words[0]].verbs())}")
        raise core.unknown(words[0])
    else:
        noun, verb = core.find(words[0], words[1])
        rest = words[2:]
    args, kwargs = values(f"{noun.name} {verb.name}", verb.parameters, rest)
    return Call(noun, verb, tuple(words), args, kwargs)


def call_of(noun: Noun, verb: Verb, args: Sequence[object], kwargs: dict[str, object]) -> Call:
    """The call that Python makes; texts are read as words are. Raises WordError."""
    places = [parameter for parameter in verb.parameters if parameter.placed]
    rest = next((parameter for parameter in verb.parameters if parameter.many), None)
    pairs = next((parameter for parameter in verb.parameters if parameter.pairs), None)
    by_name = {parameter.name: parameter for parameter in verb.parameters}
    if rest is None and len(args) > len(places):
        raise WordError(f"{noun.name} {verb.name}: read {len(args)} values, expected {verb.usage or 'none'}")
    read: list[object] = []
    for number, value in enumerate(args):
        place = places[number] if number < len(places) else rest
        assert place is not None
        read.append(place.read(value))
    named: dict[str, object] = {}
    for name, value in kwargs.items():
        parameter = by_name.get(name.rstrip("_"), pairs)
        if parameter is None:
            raise WordError(f"{noun.name} {verb.name}: read {name!r}, expected {verb.usage or 'no value'}{nearest(name, by_name)}")
        named[name if parameter is pairs else parameter.python] = parameter.read(value)
    missing = [place for place in places[len(read) :] if place.needed and place.python not in named]
    if missing:
        raise WordError(f"{noun.name} {verb.name}: expected {missing[0].name.upper()}, {missing[0].kind.expected}")
    words = [*(str(value) for value in args), *(f"{name}={value}" for name, value in kwargs.items())]
    return Call(noun, verb, (noun.name, verb.name, *words), tuple(read), named)


def noun_classes() -> tuple[list[type[Noun]], dict[str, NotAvailable]]:
    """The nouns of all packages, and those whose libraries are not installed, each with what to do."""
    found: list[type[Noun]] = []
    absent: dict[str, NotAvailable] = {}
    for entry in sorted(entry_points(group="chub.console"), key=lambda entry: entry.name):
        try:
            kind = load(entry)
        except NotAvailable as lacking:
            absent[entry.name] = lacking
            continue
        except Exception as fault:  # of a further package
            absent[entry.name] = _broken(entry.name, entry.value, fault)
            continue
        if isinstance(kind, type) and issubclass(kind, Noun):
            found.append(kind)
        else:
            absent[entry.name] = NotAvailable(f"the noun {entry.name}", f"{entry.value} is no Noun")
    return found, absent


def _broken(name: str, place: str, fault: Exception) -> NotAvailable:
    return NotAvailable(f"the noun {name}", f"{place} ended with {type(fault).__name__}: {fault}")


def openers() -> Mapping[str, Opener]:
    """Openers of stations, by name; a bench without a rig has none. Raises NotAvailable where a library of one is not installed."""
    return {entry.name: cast("Opener", load(entry)) for entry in entry_points(group="chub.bench")}
