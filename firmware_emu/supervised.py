"""Background tasks that do not die in silence.

A task that ends by a fault is told at once: in the trace, on the terminal (the log), and in the exit code of the program, which
:meth:`firmware_emu.clock.Clock.run` makes. Faults are told by name and place: what a foreign exception quotes may be a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from firmware_emu.clock import SUPERVISED
from firmware_emu.errors import fault_named
from firmware_emu.trace import Trace

P = ParamSpec("P")
T = TypeVar("T")
Told = Callable[[str], None]


def tell_fault(what: str, fault: BaseException, trace: Trace | None, area: str, told: Told | None) -> None:
    """Tell a fault that nobody expected and that the program outlives: in the trace, to ``told``, on the terminal, in the exit code."""
    reason = f"{what} by a fault of its own: {fault_named(fault)}"
    if trace is not None:
        trace.emit(area, "supervisor", "failed", reason=reason)
    if told is not None:
        told(reason)
    asyncio.get_running_loop().call_exception_handler({"message": reason, SUPERVISED: True, "exception": fault})


def supervised(
    work: Coroutine[Any, Any, T], what: str, trace: Trace | None = None, *, area: str = "bench", told: Told | None = None
) -> asyncio.Task[T]:
    """Run ``work`` by itself; ``what`` names it in the report of a fault, which ``trace`` (in ``area``) and ``told`` get too.

    For work that nobody awaits: what is awaited raises where it is.
    """
    task = asyncio.get_running_loop().create_task(work, name=what)

    def ended(task: asyncio.Task[T]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            tell_fault(f"{what} ended", fault, trace, area, told)

    task.add_done_callback(ended)
    return task


def called_back(act: Callable[P, None]) -> Callable[P, None]:
    """``act`` for a library that calls it: power that goes meanwhile cancels what is under way, and no task ends by it here."""

    def called(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(*args, **kwargs)
        except asyncio.CancelledError:
            if asyncio.current_task() is not None:
                raise

    return called
