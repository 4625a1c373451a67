"""bellows under a bench clock: a warp clock stands still while octets are on their way to a dongle and back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import bellows.ezsp

from firmware_emu.clock import RADIO_HOLD, Clock
from firmware_emu.errors import fault_named

P = ParamSpec("P")
R = TypeVar("R")
LOGGER = logging.getLogger(__name__)

_HELD_REAL_S = 1.0
_WATCH_REAL_S = 0.05
_WATCH_IDLE_TURNS = 20
_REAL_TIME = threading.Event()
"""Never set: waiting for it is how a thread waits in real time, which the bench clock does not rule."""
_RESET_HELD_REAL_S = 0.1
"""A reset is often sent to a dongle that is not there, and is repeated by bellows: it is held for less."""


class LimitedHold:
    """Holds a warp clock while octets are on their way to or from a dongle, for so much real time at most.

    The limit lets the bench time pass that a retransmission needs when octets are lost. One thread watches, and only in busy times.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[int, tuple[float, Callable[[], None]]] = {}
        self._number = 0
        self._watcher: threading.Thread | None = None

    @contextlib.contextmanager
    def __call__(self, limit_s: float) -> Iterator[None]:
        if not self._clock.warp:
            yield
            return
        release = self._clock.take(RADIO_HOLD)
        self._number = number = self._number + 1
        self._open[number] = (time.monotonic() + limit_s, release)
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._watch, args=(asyncio.get_running_loop(),), name="hold limit", daemon=True)
            self._watcher.start()
        try:
            yield
        finally:
            self._open.pop(number, None)
            release()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        idle = 0
        while idle < _WATCH_IDLE_TURNS and not loop.is_closed():
            _REAL_TIME.wait(_WATCH_REAL_S)
            idle = 0 if self._open else idle + 1
            now = time.monotonic()
            for number, (end, release) in list(self._open.items()):
                if end < now and self._open.pop(number, None) is not None:
                    with contextlib.suppress(RuntimeError):  # the loop may have closed since
                        loop.call_soon_threadsafe(release)


_AT_ONCE_S = 0.1
"""Real seconds that the loop waits for a thread, which opens or closes a port: what runs next must not hang on how soon it has, or two runs
differ."""


class HeldThreads(concurrent.futures.ThreadPoolExecutor):
    """Threads of an event loop that hold its clock while they work: serialx opens and closes a port in one."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(max_workers=4, thread_name_prefix="port")
        self._clock = clock
        self._loop = loop

    def submit(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[R]:
        release = self._clock.take("a thread")
        future = super().submit(work, *args, **kwargs)
        concurrent.futures.wait([future], _AT_ONCE_S)

        def done(_: concurrent.futures.Future[R]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self._loop.call_soon_threadsafe(release)

        future.add_done_callback(done)
        return future


class HeldEzsp(bellows.ezsp.EZSP):  # type: ignore[misc]
    """bellows' EZSP object, holding the warp clock from each command to its response."""

    def __init__(self, clock: Clock, device: dict[str, Any], application: object | None = None) -> None:
        super().__init__(device, application)
        self._clock = clock
        self._held = LimitedHold(clock)

    async def connect(self, *, use_thread: bool = False) -> None:
        if self._clock.warp:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(HeldThreads(self._clock, loop))
        await super().connect(use_thread=False)
        ash = self._gw._obj._transport  # behind bellows' proxy for threads
        ash._send_data_frame = _heard_out(ash._send_data_frame)

    async def reset(self) -> None:
        with self._held(_RESET_HELD_REAL_S):
            await super().reset()

    def _switch_protocol_version(self, version: int) -> None:
        super()._switch_protocol_version(version)
        command = self._protocol.command

        async def held_command(name: str, *args: object, **kwargs: object) -> Any:
            with self._held(_HELD_REAL_S):
                return await command(name, *args, **kwargs)

        self._protocol.command = held_command
        self._protocol._send_fragment_ack = _heard_out(self._protocol._send_fragment_ack)


def _heard_out(work: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """``work``, which bellows does in a task that nobody may await any more when it fails: that the line is gone is told by
    ``connection_lost``, and Python need not complain of an exception that nobody has retrieved."""

    async def heard(*args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(_look_at)
        return await work(*args, **kwargs)

    return heard


def _look_at(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (fault := task.exception()) is not None:
        LOGGER.debug("the line to the dongle: %s", fault_named(fault))
