"""Steps of a run: what fails one, and what one that is skipped says."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.errors import RadioError
from hil.journeys.steps import StepFailed, Steps
from hil.report.verdict import Run, Step


def quiet() -> Steps:
    return Steps([], lambda step: None, lambda name: None)


async def test_a_dongle_that_is_pulled_fails_the_running_step_at_once_and_is_named() -> None:
    steps = quiet()
    pulled = RadioError("esme: the dongle at /dev/ttyUSB1 was pulled")
    asyncio.get_running_loop().call_soon(steps.break_off, pulled)
    with pytest.raises(StepFailed, match="a wait without end: esme: the dongle at /dev/ttyUSB1 was pulled"):
        async with steps.step("a wait without end"):
            await asyncio.Event().wait()
    with pytest.raises(StepFailed, match="was pulled"):
        async with steps.step("the next one"):
            raise AssertionError("it must not begin")
    assert [step.verdict for step in steps.done] == ["fail", "fail"]
    assert not asyncio.current_task().cancelling()  # type: ignore[union-attr]


async def test_a_journey_that_is_cancelled_is_not_taken_for_a_pulled_dongle() -> None:
    steps = quiet()

    async def walk() -> None:
        async with steps.step("a wait without end"):
            await asyncio.Event().wait()

    task = asyncio.create_task(walk())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps.done == []


def test_a_skipped_step_spoils_no_run_and_makes_none() -> None:
    steps = quiet()
    steps.skip("a gas meter is read", "no GSME of this bench is on the board")
    assert Run("a run", {}, steps.done).verdict == "fail", "nothing was shown"
    assert Run("a run", {}, [Step("boot", "pass", 1.0), *steps.done]).verdict == "pass"
    assert steps.done[0].why == "no GSME of this bench is on the board"
