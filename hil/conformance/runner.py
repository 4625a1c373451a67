"""Runs checks one by one on an open bench: precondition, stimulus, reading, verdict. It never leaves the supply on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from firmware_emu.errors import BoardError, CommsHubError, JigError, NotAvailable, in_words, one_of
from hil.report.measurements import Bounds, CheckVerdict, DecisionRule, Measurement, Quantity
from ichis.conformance.check import Check, Value
from ichis.measuring.calibration import Calibration
from ichis.measuring.reading import Basis, Plain, Reading
from ichis.profile import InterfaceProfile

CHECK_TIMEOUT_S = 4 * 3600.0
"""Bench seconds after which a check is given up: each knows its own, this catches what none of them sees."""
_LONGEST_CYCLE_S = 60.0


class Need(Enum):
    """Need of a verb or a reading, of the unit under test, beyond its connector."""

    INSIDE = "the inside of the hub, its HAN and its DCC"
    BENCH_LINK = "the bench link, a private protocol of this project on the serial pair"
    NEVER_RUN = "a hub that has never run"


class CheckBench(Protocol):
    """A bench that a runner can work with: one thing under test, and states to reach."""

    profile: InterfaceProfile
    rule: DecisionRule
    doubts: list[str]
    """Actions on the unit since the check began that lack the certainty the check wants."""
    lacks: Mapping[Need, str]
    """Features that the unit under test does not show, and why."""
    waveform_at: str
    """Place of the volts that :meth:`waveform` tells, as ``at the hub's pins``."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def identities(self) -> dict[str, str]: ...

    async def reach(self, state: str) -> None: ...

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        """Of the instruments that have a file."""
        ...

    async def confirm(self) -> None:
        """Every instrument still does what it was told. Raises CommsHubError where one does not: what was read is void."""
        ...

    async def make_safe(self) -> None:
        """Nothing is powered by the rig any more. Raises CommsHubError where that cannot be confirmed."""
        ...

    async def begin_waveform(self) -> None:
        """Have the course of the volts kept from now on, where an instrument keeps one. Raises CommsHubError where it does not."""
        ...

    async def fetch_waveform(self) -> None:
        """Fetch what was kept. Raises CommsHubError where it cannot be had."""
        ...

    def waveform(self) -> list[tuple[float, float]]:
        """Seconds since the check began, and volts at the connector."""
        ...


B = TypeVar("B", bound=CheckBench)


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[B]):
    """The verbs that a stimulus may use and the readings, on one kind of bench; ``needs`` of those that want more than the connector."""

    steps: Mapping[str, Callable[[B, Value], Awaitable[None]]]
    readings: Mapping[str, Callable[[B, Value | None], Awaitable[Reading | Plain | float]]]
    needs: Mapping[str, Need] = field(default_factory=dict)

    def lacking(self, check: Check, lacks: Mapping[Need, str]) -> str:
        """Why the check is not applicable to a unit that lacks these; empty where it is."""
        words = (*(verb for verb, _ in check.stimulus), check.reading)
        wanted = [Need.NEVER_RUN] if check.precondition == "factory" else []
        wanted += [self.needs[word] for word in words if word in self.needs]
        return next((f"{need.value}: {lacks[need]}" for need in wanted if need in lacks), "")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check carried out, or not: then ``why`` says so and ``value`` is None. ``waveform``: seconds, volts; ``waveform_at``: where."""

    check: Check
    quantity: Quantity
    verdict: CheckVerdict
    value: float | None = None
    why: str = ""
    round: int = 1
    waveform: Sequence[tuple[float, float]] = ()
    limit_sources: tuple[str, ...] = field(default=())
    u: float | None = None
    """Expanded uncertainty of the value (k = 2); None where the value has none or nobody states one."""
    basis: str = ""
    outcome: str = ""
    waveform_at: str = ""

    @property
    def margin(self) -> float | None:
        return None if self.value is None else self.quantity.bounds.margin(self.value)

    @property
    def profile_supplied(self) -> bool:
        """True if the limit stands on a profile value that no source states."""
        return self.check.source == "profile" or any(text.endswith(": profile") for text in self.limit_sources)


def quantity_of(check: Check, profile: InterfaceProfile) -> Quantity:
    """Quantity that the check measures, declared before it is taken. Raises BoardError."""
    low, high = check.limits(profile)
    return Quantity(check.title, check.unit, Bounds(low, high))


def not_tested(check: Check, profile: InterfaceProfile, why: str, round_: int = 1) -> CheckResult:
    """A check that was not carried out."""
    return CheckResult(check, quantity_of(check, profile), CheckVerdict.NOT_TESTED, None, f"not tested: {why}", round_)


class Runner(Generic[B]):
    """Carries out checks. After a failure of the bench itself (``broken``) every further check is not tested."""

    def __init__(self, bench: B, vocabulary: Vocabulary[B]) -> None:
        self.bench = bench
        self._words = vocabulary
        self.broken = ""
        self.missed: list[str] = []
        """Waveforms that could not be had, and why: a picture is no part of a verdict."""

    async def run(self, check: Check, round_: int = 1) -> CheckResult:
        """The result of one check. Raises BoardError for a check that names what is not there."""
        steps, readings = self._words.steps, self._words.readings
        for verb, _ in check.stimulus:
            if verb not in steps:
                raise BoardError("conformance checks", f"{check.id}.stimulus", f"no step {verb!r}: expected {one_of(verb, steps)}")
        if check.reading not in readings:
            raise BoardError("conformance checks", f"{check.id}.reading", f"{check.reading!r}: expected {one_of(check.reading, readings)}")
        profile = self.bench.profile
        quantity = quantity_of(check, profile)
        if lacking := self._words.lacking(check, self.bench.lacks):
            return CheckResult(check, quantity, CheckVerdict.NOT_APPLICABLE, None, f"not applicable: {lacking}", round_)
        if self.broken:
            return not_tested(check, profile, self.broken, round_)
        self.bench.doubts = []
        try:
            async with asyncio.timeout(max(CHECK_TIMEOUT_S, _LONGEST_CYCLE_S * profile["endurance_cycles"])):
                measurement = await self._measure(check, quantity)
                await self.bench.confirm()
                if check.waveform:
                    await self._drawn(check, self.bench.fetch_waveform)
        except BoardError:
            raise
        except (CommsHubError, TimeoutError, OSError, ZeroDivisionError) as wrong:
            await self._look_after(wrong, check)
            if isinstance(wrong, NotAvailable):
                verdict, why = CheckVerdict.NOT_TESTED, f"not tested: {in_words(wrong)}"
            else:
                verdict, why = CheckVerdict.INCONCLUSIVE, in_words(wrong) or "nothing came in time"
            return CheckResult(check, quantity, verdict, None, why, round_, self._waveform(check), waveform_at=self.bench.waveform_at)
        return self._judged(check, measurement, round_)

    def _judged(self, check: Check, measurement: Measurement, round_: int) -> CheckResult:
        verdict, why, found = measurement.verdict, measurement.why, measurement.found
        if self.bench.doubts:
            verdict, why = CheckVerdict.INDETERMINATE, "; ".join(dict.fromkeys((*self.bench.doubts, why))).rstrip("; ")
        figure = found if isinstance(found, Reading) else None
        stated = figure is not None and figure.basis not in (Basis.EXACT, Basis.NONE)
        return CheckResult(
            check,
            measurement.quantity,
            verdict,
            measurement.value,
            why if verdict is not CheckVerdict.PASS else found.words if isinstance(found, Plain) else "",
            round_,
            self._waveform(check),
            check.limit_sources(self.bench.profile),
            figure.u if figure is not None and stated else None,
            "" if figure is None else figure.basis.name.lower(),
            measurement.outcome,
            self.bench.waveform_at,
        )

    async def _measure(self, check: Check, quantity: Quantity) -> Measurement:
        bench = self.bench
        try:
            await bench.reach(check.precondition)
        except JigError:
            raise
        except CommsHubError as wrong:
            raise JigError(f"the precondition {check.precondition!r} was not reached: {wrong}") from wrong
        if check.waveform:
            await self._drawn(check, bench.begin_waveform)
        for verb, value in check.stimulus:
            await self._words.steps[verb](bench, value)
        return quantity.judge(await self._words.readings[check.reading](bench, check.of), bench.rule)

    async def _drawn(self, check: Check, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except CommsHubError as wrong:
            self.missed.append(f"no waveform of {check.id}: {wrong}")

    async def _look_after(self, wrong: BaseException, check: Check) -> None:
        """After trouble: is the bench still one? If its supply does not answer or the disk is full, nothing further is tried."""
        if isinstance(wrong, OSError) and not isinstance(wrong, TimeoutError):
            self.broken = f"the run ended at {check.id}: {wrong.strerror or wrong}"
            return
        try:
            await self.bench.make_safe()
        except CommsHubError as worse:
            self.broken = f"the run ended at {check.id}: {worse}"

    def _waveform(self, check: Check) -> Sequence[tuple[float, float]]:
        if not check.waveform:
            return ()
        try:
            return tuple(self.bench.waveform())
        except CommsHubError:  # the bench is gone: there is nothing left to draw, and why is in the result
            return ()
