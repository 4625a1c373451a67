"""Bench time. The event loop *is* the clock, so ``asyncio.sleep`` and every timeout of every library follow it.

Three ways for time to pass:

- **wall**: real seconds;
- **scaled**: ``speed`` bench seconds per real second;
- **warp**: time stands still while anything is ready or held, and jumps to the next timer when nothing is. A day of
  half-hourly pushes takes as long as its work takes.

Warp needs to know about work that the event loop cannot see: octets on a pseudo-terminal, a thread, another process.
Whoever starts such work wraps it in :meth:`Clock.hold`. Nothing in the project sleeps outside this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import selectors
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from firmware_emu.errors import TaskFault, fault_named

T = TypeVar("T")
LOGGER = logging.getLogger(__name__)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Zero of GBCS, ZCL and trace times."""


def moment_text(seconds: float) -> str:
    """A bench time as every text and table shows it, UTC: ``2026-01-05 07:01:30``."""
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"


def iso_text(moment: datetime) -> str:
    """A time as JSON shows it: ISO 8601 in UTC, with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_SPANS = (("d", 86400), ("h", 3600), ("min", 60))


def span_text(seconds: float) -> str:
    """A duration as every text shows it: ``1 d``, ``1 min 30 s``, ``0.25 s``."""
    parts, rest = [], round(seconds, 3)
    for unit, size in _SPANS:
        number, rest = int(rest // size), rest % size
        parts += [f"{number} {unit}"] if number else []
    return " ".join([*parts, f"{round(rest, 3):g} s"] if rest or not parts else parts)


SUPERVISED = "supervised"
"""Key of an exception handler's context: a task of ours ended by a fault, and the program's exit code says so."""
_RESOLUTION_S = 1e-6
"""A timer that is due within this is run. asyncio's nanosecond is lost beside half a year of seconds in a float: no timer would run."""
RADIO_HOLD = "radio"
"""Reason of a hold from a command of a dongle to its answer."""
_HELD_POLL_S = 0.02
_HELD_TOO_LONG_S = 60.0


class Clock:
    """Bench time in seconds since 2000-01-01T00:00:00Z.

    Example: ``Clock(start=datetime(2026, 1, 1, tzinfo=UTC), warp=True).run(main())``.
    """

    def __init__(
        self,
        *,
        start: datetime | None = None,
        start_s: float | None = None,
        warp: bool = False,
        speed: float = 1.0,
        grace_s: float = 0.002,
    ) -> None:
        """``start``: bench time at creation (now if None), or ``start_s``, seconds since 2000. ``speed``: bench seconds per real second,
        wall mode only. ``grace_s``: real seconds that a jump of the warp clock waits after :meth:`stir` for octets in flight in the
        kernel."""
        if speed <= 0:
            raise ValueError(f"speed is {speed}: expected more than 0")
        self._start = ((start or datetime.now(UTC)) - EPOCH).total_seconds() if start_s is None else start_s
        self.warp = warp
        self.speed = speed
        self._grace_s = grace_s
        self._elapsed = 0.0
        self._real = time.monotonic()
        self._stirred = False
        self._holds: Counter[str] = Counter()
        self._excused: Counter[str] = Counter()
        self._limited: dict[_Release, float] = {}
        """Holds that end by themselves, and the real seconds that the loop still waits for them."""
        self._held_s = 0.0
        """Real seconds that the loop has waited since something holds the clock."""
        self.faults: list[str] = []
        """Faults by which background tasks have ended."""
        self.horizon: float | None = None
        """Warp never jumps past this bench time (seconds since 2000); None: no limit."""
        self._idles: Callable[[float | None], None] | None = None

    def now(self) -> float:
        """Bench time, seconds since 2000-01-01T00:00:00Z."""
        return self._start + self.elapsed()

    def datetime(self) -> datetime:
        """Bench time as an aware UTC datetime."""
        return EPOCH + timedelta(seconds=self.now())

    def elapsed(self) -> float:
        """Bench seconds since the clock was made; this is the event loop's time."""
        if self.warp:
            return self._elapsed
        real = time.monotonic()
        self._elapsed += (real - self._real) * self.speed
        self._real = real
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Sleep bench seconds."""
        await asyncio.sleep(seconds)

    async def go(self, seconds: float) -> None:
        """Let exactly ``seconds`` of bench time pass, then stop jumping (warp), for a prompt where time is a command."""
        self.horizon = self.now() + seconds
        await asyncio.sleep(seconds)

    async def hurry(self, seconds: float) -> None:
        """Let ``seconds`` of bench time pass as fast as the work allows, as on a warp clock; then time passes as it did before."""
        warp, horizon = self.warp, self.horizon
        self.elapsed()
        self.warp, self.horizon = True, self.now() + seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self.warp, self.horizon, self._real = warp, horizon, time.monotonic()

    def lead(self, idles: Callable[[float | None], None]) -> None:
        """Another process's clock leads this one: bench time stands where :meth:`led_to` put it last.

        ``idles`` is called when nothing is left to do before the next timer: its bench time, None where there is none.
        """
        self.horizon, self._idles = self.now(), idles

    def led_to(self, seconds: float) -> None:
        """Bench time has come this far at the one who leads, seconds since 2000."""
        if self.horizon is None or seconds > self.horizon:
            self.horizon = seconds
            self._elapsed = max(self._elapsed, seconds - self._start)

    @contextlib.contextmanager
    def hold(self, reason: str, limit_s: float | None = None) -> Iterator[None]:
        """While held, warp time stands still: work is under way that the event loop cannot see.

        ``limit_s``: real seconds that the loop waits for it at most, for what may never come. Time that the loop has no processor for does
        not count: on a busy machine the other end has none either.
        """
        release = self.take(reason, limit_s)
        try:
            yield
        finally:
            release()

    def take(self, reason: str, limit_s: float | None = None) -> _Release:
        """As :meth:`hold` where begin and end lie in different functions; call the result to release (once counts)."""
        if not self._holds:
            self._held_s = 0.0
        self._holds[reason] += 1
        release = _Release(self, reason)
        if limit_s is not None:
            self._limited[release] = limit_s
        return release

    def excuse(self, reason: str) -> Callable[[], None]:
        """Holds for that reason do not count until the result is called: what they wait for is a timer of this loop."""
        self._excused[reason] += 1

        def again() -> None:
            self._excused[reason] -= 1

        return again

    def _held(self) -> bool:
        return any(self._excused[reason] <= 0 for reason in self._holds)

    def stir(self) -> None:
        """Octets are in the kernel, on their way to somebody on this loop: the next jump waits a moment for them."""
        self._stirred = True

    def _let_go(self, release: _Release, reason: str) -> None:
        self._limited.pop(release, None)
        self._holds[reason] -= 1
        if self._holds[reason] <= 0:
            del self._holds[reason]

    def _poll(self, selector: _ClockSelector) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait a moment in real time, as something holds the clock; end the holds that have lasted to their limit."""
        began = time.monotonic()
        ready = selector.really_select(_HELD_POLL_S)
        waited = min(time.monotonic() - began, _HELD_POLL_S)
        self._held_s += waited
        for release, left in list(self._limited.items()):
            self._limited[release] = left - waited
            if left <= waited:
                release()
        if self._held_s >= _HELD_TOO_LONG_S and self._holds:
            LOGGER.warning("the warp clock was held for over %.0f s by %s: released", _HELD_TOO_LONG_S, ", ".join(self._holds))
            self._holds.clear()
            self._limited.clear()
        return ready

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """An event loop whose ``time()`` is this clock."""
        return _ClockLoop(self)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """As ``asyncio.run``, on this clock. Raises TaskFault at the end where a background task ended by a fault meanwhile."""
        horizon = self.horizon
        before = len(self.faults)
        try:
            with asyncio.Runner(loop_factory=self.new_event_loop) as runner:
                try:
                    done = runner.run(main)
                finally:
                    self.horizon = self.now()  # while the loop is taken down, what is left on it does not live on
        finally:
            self.horizon = horizon
        if len(self.faults) > before:
            raise TaskFault(self.faults[before], len(self.faults) - before)
        return done

    def nothing_due(self) -> None:
        """The loop waits for octets alone: no timer is set."""
        if self._idles is not None:
            self._idles(None)

    def _idle(self, selector: _ClockSelector, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ready and the next timer is ``timeout`` bench seconds away."""
        if not self.warp:
            return selector.really_select(timeout / self.speed)
        ready = selector.really_select(self._grace_s if self._stirred else 0)
        self._stirred = False
        if ready:
            return ready
        if self._held():
            return self._poll(selector)
        if self._idles is not None and self.horizon is not None and self.now() + timeout > self.horizon + _RESOLUTION_S:
            self._idles(self.now() + timeout)
            return selector.really_select(None)
        if self.horizon is not None and self.now() + timeout > self.horizon:
            if self.horizon > self.now():
                self._elapsed = self.horizon - self._start
            return selector.really_select(_HELD_POLL_S)
        self._elapsed += timeout
        return []


class _Release:
    __slots__ = ("_clock", "_reason")

    def __init__(self, clock: Clock, reason: str) -> None:
        self._clock: Clock | None = clock
        self._reason = reason

    def __call__(self) -> None:
        if self._clock is not None:
            clock, self._clock = self._clock, None
            clock._let_go(self, self._reason)


class _ClockSelector(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def really_select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            self._clock.nothing_due()
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        return self._clock._idle(self, timeout)


class _Timer(asyncio.TimerHandle):
    """Timers of one moment run in the order in which they were set: a heap alone leaves that to what else is in it."""

    __slots__ = ("turn",)
    turn: tuple[float, int]
    """Its moment and its number."""

    def __lt__(self, other: _Timer) -> bool:  # type: ignore[override]
        return self.turn < other.turn


class _ClockLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self._bench_clock = clock
        super().__init__(_ClockSelector(clock))
        self._clock_resolution = _RESOLUTION_S
        self._timers = 0

    def time(self) -> float:
        return self._bench_clock.elapsed()

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As any loop's, with timers that know their order."""
        self._check_closed()  # type: ignore[attr-defined]
        timer = _Timer(when, callback, args, self, context)
        self._timers += 1
        timer.turn = when, self._timers
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """One line for what nobody has caught: the text of a foreign exception stays out, what it quotes may be a key."""
        if SUPERVISED in context:
            self._bench_clock.faults.append(context["message"])
            LOGGER.error("%s", context["message"])
        elif isinstance(fault := context.get("exception"), Exception):
            LOGGER.error("%s: %s", context["message"], fault_named(fault))
        else:
            super().default_exception_handler(context)

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """As any loop's; a thread at work holds warp time, since the loop cannot see it."""
        release = self._bench_clock.take("work in a thread")
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: release())
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """As any loop's (Python 3.12 and later give a timeout); threads that end hold warp time as those at work do."""
        with self._bench_clock.hold("threads that end"):
            await super().shutdown_default_executor(*timeout)
