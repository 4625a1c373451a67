"""Steps of a run: each named, timed and judged; the first failure is remembered and ends the run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

from firmware_emu.console.why import earliest
from firmware_emu.errors import CommsHubError
from firmware_emu.trace import Record, Scalar
from hil.report.verdict import Step


class StepFailed(CommsHubError):
    """A step did not show what it must; the text is its ``why``."""


class Steps:
    """Collects the steps of a run. ``on_step`` hears of each as it ends, ``on_begin`` as it begins; ``records`` is the run's trace."""

    def __init__(self, records: Sequence[Record], on_step: Callable[[Step], None], on_begin: Callable[[str], None]) -> None:
        self.done: list[Step] = []
        self._records = records
        self._on_step = on_step
        self._on_begin = on_begin
        self._running: asyncio.Task[object] | None = None
        self._trouble: CommsHubError | None = None

    def break_off(self, trouble: CommsHubError) -> None:
        """A part of the bench is gone: the step that runs, or else the next one, fails of it at once."""
        if self._trouble is None:
            self._trouble = trouble
            if self._running is not None:
                self._running.cancel()

    def skip(self, name: str, why: str) -> None:
        """A step that the bench does not allow, and why."""
        at = len(self._records)
        self.done.append(Step(name, "skip", 0.0, why=why, records=(at, at)))
        self._on_step(self.done[-1])

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[dict[str, Scalar]]:
        """``async with steps.step("boot") as values``: the body fills ``values``; an error fails the step.

        Raises StepFailed after recording it, so that nothing runs on a bench that is not in the state it expects.
        """
        values: dict[str, Scalar] = {}
        self._on_begin(name)
        began, first = time.monotonic(), len(self._records)

        def ended(verdict: str, why: str = "") -> None:
            step = Step(name, verdict, (time.monotonic() - began) * 1000, values, why, (first, len(self._records)))
            self.done.append(step)
            self._on_step(step)

        self._running = running = asyncio.current_task()
        try:
            if self._trouble is not None:
                raise self._trouble
            yield values
        except (CommsHubError, TimeoutError) as wrong:
            why = str(self._trouble or wrong) or f"{type(wrong).__name__}: nothing came in time"
            cause = earliest(self._records[first:])
            ended("fail", f"{why}\nEarliest cause: {cause}" if cause and self._trouble is None else why)
            raise StepFailed(f"{name}: {why}") from wrong
        except asyncio.CancelledError:
            if self._trouble is None or running is None:
                raise
            running.uncancel()
            ended("fail", str(self._trouble))
            raise StepFailed(f"{name}: {self._trouble}") from self._trouble
        finally:
            self._running = None
        ended("pass")


def expect(holds: bool, why: str) -> None:
    """Raises StepFailed with ``why`` unless ``holds``."""
    if not holds:
        raise StepFailed(why)
