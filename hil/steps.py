"""Steps of a run: each named, timed and judged; the first failure is remembered and ends the run."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from firmware_emu.errors import CommsHubError
from firmware_emu.trace import Scalar
from hil.report.verdict import Step


class StepFailed(CommsHubError):
    """A step did not show what it must; the text is its ``why``."""


class Steps:
    """Collects the steps of a run. ``on_step`` hears of each as it ends, ``on_begin`` as it begins."""

    def __init__(self, on_step: Callable[[Step], None], on_begin: Callable[[str], None]) -> None:
        self.done: list[Step] = []
        self._on_step = on_step
        self._on_begin = on_begin

    @contextlib.asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[dict[str, Scalar]]:
        """``async with steps.step("boot") as values``: the body fills ``values``; an error fails the step.

        Raises StepFailed after recording it, so that nothing runs on a bench that is not in the state it expects.
        """
        values: dict[str, Scalar] = {}
        self._on_begin(name)
        began = time.monotonic()
        try:
            yield values
        except (CommsHubError, TimeoutError) as wrong:
            why = str(wrong) or f"{type(wrong).__name__}: nothing came in time"
            self._end(Step(name, "fail", (time.monotonic() - began) * 1000, values, why))
            raise StepFailed(f"{name}: {why}") from wrong
        self._end(Step(name, "pass", (time.monotonic() - began) * 1000, values))

    def _end(self, step: Step) -> None:
        self.done.append(step)
        self._on_step(step)


def expect(holds: bool, why: str) -> None:
    """Raises StepFailed with ``why`` unless ``holds``."""
    if not holds:
        raise StepFailed(why)
