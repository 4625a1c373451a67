"""The Python API: the same nouns and verbs as at the prompt.

::

    async with Bench.open("simulated", seed=7) as bench:      # in a program
        await bench.hub.form()
        reading = await bench.dcc.read("esme")

    with Bench.open("simulated", seed=7) as bench:             # in a script, a notebook, a test
        bench.hub.form()
        reading = bench.dcc.read("esme")

A bench has an event loop and a thread of its own, so that both forms work anywhere, and a dongle is served while nobody asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.console.attach import console_socket
from firmware_emu.console.core import Call, Core, FirmwareStation, Noun, Opened, call_of, openers
from firmware_emu.console.declare import Verb, WordError
from firmware_emu.console.nouns.typed import AwaitedNouns, BlockingNouns
from firmware_emu.console.records import halted, line
from firmware_emu.console.result import Result
from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Record, Trace

T = TypeVar("T")
_log = logging.getLogger("chub")


class Handle:
    """A bench that is open on a thread of its own. :class:`Bench` and :class:`BlockingBench` are its two faces."""

    def __init__(self, board: str, settings: Sequence[str], seed: int | None, speed: float | None, faults: Sequence[str]) -> None:
        self.board: Board = load_board(board, tuple(settings))
        self.seed = self.board.seed if seed is None else seed
        self.opened = Opened(board, tuple(settings), tuple(faults))
        warp = self.board.warp if speed is None else False
        self.clock = Clock(start=self.board.clock.start, warp=warp, speed=speed or self.board.clock.speed)
        self.trace = Trace(self.clock.now)
        self.core: Core
        self.show: Callable[[Record], None] | None = lambda record: _log.warning(line(record).plain)
        """Receiver of watched records; None: nobody looks. A program's, a notebook's and a test's is the log."""
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._opened: Future[None] = Future()
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="bench", daemon=True)

    def open(self) -> None:
        """Start the thread and wait until the station is open. Raises what opening raises."""
        self._thread.start()
        self._opened.result()

    def close(self) -> None:
        """Tear the station down. Raises what that raises."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        if self._trouble is not None:
            raise self._trouble

    def _live(self) -> None:
        try:
            self.clock.run(self._main())
        except BaseException as trouble:  # whoever opened the bench, or closes it, is told, whatever it is
            if self._opened.done():
                self._trouble = trouble
            else:
                self._opened.set_exception(trouble)

    async def _main(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        records: list[Record] = []
        self.trace.subscribe(records.append)
        opener = next(iter(openers().values()), None)
        if opener is None:
            raise NotAvailable("a bench", "install the rig (package hil), or attach to a hub that runs")
        async with opener(self.board, self.clock, self.trace, self.seed) as station:
            self.core = Core(self.board, self.clock, self.trace, self.seed, station, records, self.opened)
            self.core.watching = halted
            self.trace.subscribe(self._watched)
            try:
                for sentence in self.opened.faults:
                    await self.core.say(f"fault add {sentence}")
                self.core.said.clear()  # nobody has said anything yet
                self._opened.set_result(None)
                await self._over.wait()
            finally:
                await self.core.close()

    def _watched(self, record: Record) -> None:
        if self.show is not None and self.core.watching is not None and self.core.watching(record):
            self.show(record)

    def say(self, line: str) -> Iterator[Result]:
        """Do what a line says, call after call; the rest is left out after a bad one. Raises WordError before anything is done."""
        for call in self.core.parse(line):
            done = self.wait(self.core.perform(call))
            yield done
            if not done.ok:
                return

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the bench's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the bench's loop and wait for it; an interrupt cancels it, and the bench goes on."""
        future = self.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise


@contextlib.contextmanager
def listening(handle: Handle, path: Path) -> Iterator[Path]:
    """While in the context further consoles, and ``chub watch``, can attach to the bench at ``path``. Raises NotAvailable."""
    socket = console_socket(handle.core, path)
    handle.submit(socket.__aenter__()).result()
    try:
        yield path
    finally:
        handle.submit(socket.__aexit__(None, None, None)).result()


class NounFace:
    """A noun as an object: its verbs are methods."""

    def __init__(self, face: _Face, noun: Noun) -> None:
        self._face = face
        self._noun = noun

    @property
    def name(self) -> str:
        """Its word at the prompt."""
        return self._noun.name

    def __getattr__(self, name: str) -> Callable[..., Any]:
        for verb in self._noun.verbs().values():
            if name in (verb.name, verb.method):
                return self._face.method(self._noun, verb)
        raise AttributeError(f"{self._noun.name} has no verb {name!r}: {', '.join(self._noun.verbs())}")

    def __dir__(self) -> list[str]:
        return [verb.method for verb in self._noun.verbs().values()]

    def __repr__(self) -> str:
        return f"{self._noun.name}: {', '.join(self._noun.verbs())}"


def _word(value: object) -> object:
    """A noun where a word is expected stands for its name: ``bench.dcc.read(bench.esme)``."""
    return value.name if isinstance(value, NounFace) else value


class _Face(ABC):
    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    @property
    def clock(self) -> Clock:
        """The bench's clock."""
        return self.handle.clock

    @property
    def seed(self) -> int:
        return self.handle.seed

    @property
    def records(self) -> Sequence[Record]:
        """The trace so far."""
        return self.handle.core.records

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.handle.core.station.folder

    @property
    def station(self) -> FirmwareStation:
        """The station itself; on the bench's own thread, so use :meth:`call` to do more than look."""
        return self.handle.core.station

    def noun(self, name: str) -> Any:
        """The noun of a further package, or of a Device with a name of its own, which no type checker knows. Raises AttributeError."""
        core = self.__dict__["handle"].core
        if name in core.plain:
            return self.method(*core.plain[name])
        if (plain := name.rstrip("_")) in core.nouns:  # `break` is a word of Python
            return NounFace(self, core.nouns[plain])
        raise AttributeError(f"the bench has no {name!r}: {', '.join([*core.nouns, *core.plain])}")

    if not TYPE_CHECKING:  # a checker knows the nouns, and refuses what is none

        def __getattr__(self, name: str) -> Any:
            return self.noun(name)

    def __dir__(self) -> list[str]:
        core = self.handle.core
        return [*super().__dir__(), *core.nouns, *core.plain]

    def method(self, noun: Noun, verb: Verb) -> Callable[..., Any]:
        """The verb as a function: its words or values in, its Result out (a Future of it in the asynchronous form)."""

        def done(*args: object, **kwargs: object) -> Any:
            said = {name: _word(value) for name, value in kwargs.items()}
            return self._run(self.handle.core.perform(call_of(noun, verb, [_word(value) for value in args], said)))

        done.__name__, done.__doc__ = verb.method, getattr(type(noun), verb.method).__doc__
        return done

    def say(self, line: str) -> Any:
        """Do what a line of the prompt says; the last Result."""
        return self._run(self.handle.core.say(line))

    def call(self, work: Callable[[Any], Coroutine[Any, Any, T] | T]) -> Any:
        """Run ``work(station)`` where the station lives, and give back its value; where it is to be awaited, time runs meanwhile.

        Whatever touches the station's memory belongs here: its stores refuse other threads.
        """

        async def run() -> T:
            with self.handle.core.running():
                found = work(self.handle.core.station)
                return await found if inspect.iscoroutine(found) else found  # type: ignore[return-value]

        return self._run(run())

    @abstractmethod
    def _run(self, work: Coroutine[Any, Any, T]) -> Any:
        """Carry out ``work`` on the bench's loop."""


class BlockingBench(_Face, BlockingNouns):
    """An open bench whose verbs return when they are done."""

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.handle.wait(work)


class Bench(_Face, AwaitedNouns):
    """An open bench whose verbs are awaited; :meth:`open` makes one.

    Its nouns are ``hub``, ``han``, ``dcc``, ``jig``, ``dongle``, ``time``, ``fault``, ``trace``, ``run``, ``board``, ``session``,
    ``break_`` and one for each Device of the board: ``esme``, ``gsme``, ``ppmid``, ``ihd`` ... ``bench.esme`` tells its verbs,
    ``help(bench.esme.add)`` one.
    """

    def _run(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        return asyncio.wrap_future(self.handle.submit(work))

    @staticmethod
    def open(
        board: str = "simulated",
        *,
        seed: int | None = None,
        speed: float | None = None,
        settings: Sequence[str] = (),
        faults: Sequence[str] = (),
    ) -> Opening:
        """A bench from a board file, for ``with`` or ``async with``.

        ``speed``: bench seconds per real second; without it the board's clock (a virtual bench warps). ``settings`` are laid over
        the board (``hub.channel=15``), ``faults`` are sentences as of ``fault add``. Raises BoardError, NotAvailable, KeystoreError.
        """
        return Opening(board, settings, seed, speed, faults)


class Opening:
    """Result of :meth:`Bench.open`: ``with`` makes a :class:`BlockingBench` of it, ``async with`` a :class:`Bench`."""

    def __init__(self, board: str, settings: Sequence[str], seed: int | None, speed: float | None, faults: Sequence[str]) -> None:
        self._wanted = (board, settings, seed, speed, faults)
        self._handle: Handle | None = None

    def __enter__(self) -> BlockingBench:
        self._handle = Handle(*self._wanted)
        self._handle.open()
        return BlockingBench(self._handle)

    def __exit__(self, *_: object) -> None:
        assert self._handle is not None
        self._handle.close()

    async def __aenter__(self) -> Bench:
        self._handle = Handle(*self._wanted)
        await asyncio.to_thread(self._handle.open)
        return Bench(self._handle)

    async def __aexit__(self, *_: object) -> None:
        assert self._handle is not None
        await asyncio.to_thread(self._handle.close)


__all__ = ["Bench", "BlockingBench", "Call", "Handle", "Opening", "Result", "WordError"]
