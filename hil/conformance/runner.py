"""Runs checks one by one on an open bench: precondition, stimulus, reading, verdict. It never leaves the supply on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from firmware_emu.errors import BoardError, CommsHubError, JigError
from hil.report.measurements import Bounds, Measurement, Quantity, Verdict
from ichis.conformance.check import Check, Value
from ichis.profile import Profile

CHECK_TIMEOUT_S = 4 * 3600.0
"""Bench seconds after which a check is given up: each knows its own, this catches what none of them sees."""


class CheckBench(Protocol):
    """A bench that a runner can work with: one thing under test, and states to reach."""

    profile: Profile

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def identities(self) -> dict[str, str]: ...

    async def reach(self, state: str) -> None: ...

    async def make_safe(self) -> None:
        """Nothing is powered by the rig any more. Raises CommsHubError where that cannot be confirmed."""
        ...

    def waveform(self) -> list[tuple[float, float]]:
        """Seconds since the check began, and volts at the connector."""
        ...


B = TypeVar("B", bound=CheckBench)


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[B]):
    """The verbs that a stimulus may use and the readings, on one kind of bench."""

    steps: Mapping[str, Callable[[B, Value], Awaitable[None]]]
    readings: Mapping[str, Callable[[B, Value | None], Awaitable[float]]]


@dataclass(frozen=True, slots=True)
class Result:
    """One check carried out, or not: then ``why`` says so and ``value`` is None. ``waveform``: seconds, volts at the hub's pins."""

    check: Check
    quantity: Quantity
    verdict: Verdict
    value: float | None = None
    why: str = ""
    round: int = 1
    waveform: Sequence[tuple[float, float]] = ()
    limit_sources: tuple[str, ...] = field(default=())

    @property
    def margin(self) -> float | None:
        return None if self.value is None else self.quantity.bounds.margin(self.value)

    @property
    def profile_supplied(self) -> bool:
        """True if the limit stands on a profile value that no source states."""
        return self.check.source == "profile" or any(text.endswith(": profile") for text in self.limit_sources)


def quantity_of(check: Check, profile: Profile) -> Quantity:
    """Quantity that the check measures, declared before it is taken. Raises BoardError."""
    low, high = check.limits(profile)
    return Quantity(check.title, check.unit, Bounds(low, high))


def not_tested(check: Check, profile: Profile, why: str, round_: int = 1) -> Result:
    """A check that was not carried out."""
    return Result(check, quantity_of(check, profile), Verdict.INCONCLUSIVE, None, f"not tested: {why}", round_)


class Runner(Generic[B]):
    """Carries out checks. After a failure of the bench itself (``broken``) every further check is not tested."""

    def __init__(self, bench: B, vocabulary: Vocabulary[B]) -> None:
        self.bench = bench
        self._steps, self._readings = vocabulary.steps, vocabulary.readings
        self.broken = ""

    async def run(self, check: Check, round_: int = 1) -> Result:
        """The result of one check. Raises BoardError for a check that names what is not there."""
        for verb, _ in check.stimulus:
            if verb not in self._steps:
                known = ", ".join(self._steps)
                raise BoardError("conformance checks", f"{check.id}.stimulus", f"no step {verb!r}: expected one of {known}")
        if check.reading not in self._readings:
            known = ", ".join(self._readings)
            raise BoardError("conformance checks", f"{check.id}.reading", f"{check.reading!r}: expected one of {known}")
        profile = self.bench.profile
        quantity = quantity_of(check, profile)
        if self.broken:
            return not_tested(check, profile, self.broken, round_)
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                measurement = await self._measure(check, quantity)
        except BoardError:
            raise
        except (CommsHubError, TimeoutError, OSError) as wrong:
            why = str(wrong) or "nothing came in time"
            await self._look_after(wrong, check)
            return Result(check, quantity, Verdict.INCONCLUSIVE, None, why, round_, self._waveform(check))
        return Result(
            check,
            quantity,
            measurement.verdict,
            measurement.value,
            "" if measurement.verdict is Verdict.PASS else self._why(measurement),
            round_,
            self._waveform(check),
            check.limit_sources(profile),
        )

    async def _measure(self, check: Check, quantity: Quantity) -> Measurement:
        bench = self.bench
        try:
            await bench.reach(check.precondition)
        except CommsHubError as wrong:
            raise (
                type(wrong)(*wrong.args)
                if isinstance(wrong, JigError)
                else JigError(f"the precondition {check.precondition!r} was not reached: {wrong}")
            ) from wrong
        for verb, value in check.stimulus:
            await self._steps[verb](bench, value)
        return quantity.judge(await self._readings[check.reading](bench, check.of))

    async def _look_after(self, wrong: BaseException, check: Check) -> None:
        """After trouble: is the bench still one? If its supply does not answer or the disk is full, nothing further is tried."""
        if isinstance(wrong, OSError) and not isinstance(wrong, TimeoutError):
            self.broken = f"the run ended at {check.id}: {wrong.strerror or wrong}"
            return
        try:
            await self.bench.make_safe()
        except CommsHubError as worse:
            self.broken = f"the run ended at {check.id}: {worse}"

    @staticmethod
    def _why(measurement: Measurement) -> str:
        quantity = measurement.quantity
        return f"measured {measurement.value:.6g} {quantity.unit}, expected {quantity.bounds} {quantity.unit}"

    def _waveform(self, check: Check) -> Sequence[tuple[float, float]]:
        if not check.waveform:
            return ()
        try:
            return tuple(self.bench.waveform())
        except CommsHubError:  # the bench is gone: there is nothing left to draw, and why is in the result
            return ()
