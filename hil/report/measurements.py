"""A measurement is declared (quantity, unit, limits) before it is taken; verdict and margin follow from value, uncertainty and rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ichis.measuring.reading import Basis, Plain, Reading, reading

_OPEN = 1e9
"""Ohms from which on contacts are not joined."""


def is_open(value: float | None) -> bool:
    """True for the resistance between contacts that are not joined: no instrument gives a figure for it."""
    return value is not None and value >= _OPEN


def figure(value: float | None, unit: str = "", digits: int = 4) -> str:
    """A value as people read it, with its unit; ``open`` where there is no figure, nothing where nothing was measured."""
    if value is None:
        return ""
    return "open" if is_open(value) else f"{value:.{digits}g} {unit}".rstrip()


class CheckVerdict(StrEnum):
    """Verdict of a check; why stands beside it wherever it is not ``PASS``."""

    PASS = "pass"
    FAIL = "fail"
    INDETERMINATE = "indeterminate"
    """It was measured, and the limit lies within the guard band, or what was done to the unit is not sure enough."""
    INCONCLUSIVE = "inconclusive"
    """It could not be measured, or what was measured is void."""
    NOT_TESTED = "not tested"
    """It was not carried out, or this bench has nothing to carry it out with."""
    NOT_APPLICABLE = "not applicable"
    """It asks for what a unit of this kind does not show."""


class Rule(StrEnum):
    """Decision rules (ILAC-G8:09/2019 4.2): how the uncertainty counts in a verdict."""

    SIMPLE = "simple"
    """Up to the limit passes; at the limit the risk is up to half."""
    GUARD = "guard"
    """Passes and fails beyond a guard band of w = r U either side of the limit, indeterminate within."""
    NONBINARY = "nonbinary"
    """As the guard band, and within it a conditional pass or fail is named."""


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """A rule and its factor r of the guard band."""

    rule: Rule = Rule.GUARD
    factor: float = 1.0

    def __str__(self) -> str:
        if self.rule is Rule.SIMPLE:
            return "simple acceptance (w = 0)"
        named = ", conditional outcomes named" if self.rule is Rule.NONBINARY else ""
        return f"guard band w = {self.factor:g} U (k = 2) on both sides of each limit, indeterminate within{named}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lowest and highest value that passes, both included; None: unbounded. At least one is given."""

    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise ValueError("bounds without a low or a high accept anything: give at least one")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")

    def margin(self, value: float) -> float:
        """Distance to the nearer bound; negative outside."""
        distances = [] if self.low is None else [value - self.low]
        distances += [] if self.high is None else [self.high - value]
        return min(distances)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"= {self.low:g}"
        if self.low is None:
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high is None else f"{self.low:g} .. {self.high:g}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Quantity to be measured."""

    name: str
    unit: str
    bounds: Bounds

    def judge(self, value: Reading | Plain | float, rule: DecisionRule | None = None) -> Measurement:
        """The measurement with its verdict; by the guard band where no rule is given."""
        return Measurement(self, value if isinstance(value, Plain) else reading(value), rule or DecisionRule())


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of a quantity."""

    quantity: Quantity
    found: Reading | Plain
    rule: DecisionRule = DecisionRule()

    @property
    def value(self) -> float | None:
        """None for a result that is no figure."""
        return self.found.value if isinstance(self.found, Reading) else None

    @property
    def margin(self) -> float | None:
        return None if self.value is None else self.quantity.bounds.margin(self.value)

    @property
    def guard(self) -> float:
        """Half of the guard band: 0 for exact values, under simple acceptance, and where nobody states an uncertainty."""
        if not isinstance(self.found, Reading) or self.rule.rule is Rule.SIMPLE or self.found.basis in (Basis.EXACT, Basis.NONE):
            return 0.0
        return self.rule.factor * self.found.u

    @property
    def outcome(self) -> str:
        """``pass``, ``conditional pass``, ``conditional fail`` or ``fail``. By less than rounding (1e-9 of the value) outside is inside."""
        if isinstance(self.found, Plain):
            return "pass" if self.found.passes else "fail"
        margin, rounding = self.quantity.bounds.margin(self.found.value), 1e-9 * max(1.0, abs(self.found.value))
        inside = "pass" if margin >= -rounding else "fail"
        return inside if abs(margin) >= self.guard - rounding else f"conditional {inside}"

    @property
    def verdict(self) -> CheckVerdict:
        """``INDETERMINATE`` where the outcome is conditional."""
        return {"pass": CheckVerdict.PASS, "fail": CheckVerdict.FAIL}.get(self.outcome, CheckVerdict.INDETERMINATE)

    @property
    def why(self) -> str:
        """Finding and expectation; empty for a pass."""
        bounds, unit = self.quantity.bounds, self.quantity.unit
        if isinstance(self.found, Plain):
            return "" if self.found.passes else f"{self.found.words}, expected {bounds} {unit}"
        told = f"measured {figure(self.found.value, unit, 6)}, expected {bounds} {unit}"
        if self.verdict is CheckVerdict.INDETERMINATE:
            named = f": {self.outcome}" if self.rule.rule is Rule.NONBINARY else ""
            return f"{told}: within the guard band of {self.guard:.3g} {unit}{named}"
        return "" if self.verdict is CheckVerdict.PASS else told
