"""The bench behind a prompt: clock, trace, station and nouns on one event loop.

Time is a command here: on a warp clock no time passes while nothing is asked. A verb lets time run until it is done;
``go`` and ``until`` are the verbs that do nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.console.declare import Noun, Verb, WordError
from firmware_emu.console.result import Result
from firmware_emu.console.words import Call, bind, nearest, read_line
from firmware_emu.errors import CommsHubError
from firmware_emu.trace import Record, Trace

if TYPE_CHECKING:
    from firmware_emu.crypto.keystore import Keystore
    from firmware_emu.hub.hub import Hub

_SETTLE_S = 0.00073
"""Bench time after each verb in which what is under way comes to rest, so that a session is repeatable. No other delay is a multiple
of it: what is due at the same instant would be under way still."""


class Supply(Protocol):
    """What switches the hub on."""

    async def power_up(self) -> None: ...


class Station(Protocol):
    """What the firmware's nouns need of a bench; the rig's nouns know what else it is."""

    @property
    def hub(self) -> Hub | None: ...

    @property
    def host(self) -> Supply: ...

    @property
    def folder(self) -> Path: ...

    @property
    def keystore(self) -> Keystore: ...

    def han_keys(self) -> Mapping[str, bytes]:
        """The keys of this test HAN by label; secrets, for opening its frames."""
        ...

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.05) -> None: ...


Opener = Callable[[Board, Clock, Trace, int], AbstractAsyncContextManager[Station]]
"""Entry point of the group ``chub.bench``: opens the station of a board with that seed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The words with which a bench was opened: what another one needs to be the same."""

    board: str
    settings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Core:
    """Everything a verb can reach. Made on the event loop of ``clock`` by :func:`firmware_emu.console.bench.Bench.open`."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        trace: Trace,
        seed: int,
        station: Station,
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
        self.said: list[Said] = []
        """What was said at this console, with what came of it: the session."""
        self.offers: dict[str, Callable[[Sequence[str]], Sequence[str] | Mapping[str, str]]] = {
            "devices": lambda _: {row.name: f"{row.type} {row.eui}" for row in board.device}
        }
        """Lists to complete words from, given the words of the call so far; nouns add theirs."""
        self.watching: Callable[[Record], bool] | None = None
        """Which records are shown as they come; None: none."""
        self._active = 0
        self.nouns: dict[str, Noun] = {}
        for kind in _noun_classes() if kinds is None else kinds:
            for noun in kind.on(self):
                self.nouns[noun.name] = noun
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
        """Raises WordError with the nearest word there is."""
        if noun not in self.nouns:
            raise WordError(f"read {noun!r}, expected a noun{nearest(noun, [*self.nouns, *self.plain])}; `help` lists them")
        verbs = self.nouns[noun].verbs()
        if verb not in verbs:
            raise WordError(f"read {verb!r}, expected a verb of {noun}: {', '.join(verbs)}")
        return self.nouns[noun], verbs[verb]

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
                self.said.append(Said(call, Result(str(trouble), ok=False), first, len(self.records), type(trouble)))
            raise
        self.said.append(Said(call, done, first, len(self.records)))
        return done

    async def _act(self, work: Coroutine[object, object, Result]) -> Result:
        with self.running():
            try:
                return await work
            finally:
                if self.clock.warp:
                    await asyncio.sleep(_SETTLE_S)

    def state(self) -> str:
        """One line: time, pace, seed."""
        pace = "stands still" if self.clock.warp else f"x {self.clock.speed:g}"
        return f"{self.clock.datetime():%Y-%m-%d %H:%M:%S} ({pace})   seed {self.seed}   {len(self.records)} records"

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
class Said:
    """One thing said: the call, its result, which records it made, and the error it ended with, if any."""

    call: Call
    result: Result
    first: int
    last: int
    error: type[CommsHubError] | None = None


def _noun_classes() -> list[type[Noun]]:
    found = []
    for entry in sorted(entry_points(group="chub.console"), key=lambda entry: entry.name):
        kind = entry.load()
        assert issubclass(kind, Noun), f"{entry.value} is not a noun"
        found.append(kind)
    return found


def openers() -> Mapping[str, Opener]:
    """Who can open a station, by name; a bench without a rig has none."""
    return {entry.name: entry.load() for entry in entry_points(group="chub.bench")}
