"""Coroutine tests, and the asynchronous fixtures they ask for, run on the clock that is followed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from firmware_emu.clock import Clock

_followed: list[Clock] = []


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of the clock that is followed, or a plain one."""
    return _followed[-1].new_event_loop() if _followed else asyncio.new_event_loop()


@contextlib.contextmanager
def followed(clock: Clock) -> Iterator[Clock]:
    """Loops that pytest makes meanwhile follow ``clock``."""
    _followed.append(clock)
    yield clock
    _followed.remove(clock)
