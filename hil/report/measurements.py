"""A measurement is declared (quantity, unit, limits) before it is taken; the verdict and the margin follow from the value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """``INCONCLUSIVE``: it could not be measured, and why is said beside it."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


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

    def judge(self, value: float) -> Measurement:
        """The measurement with its verdict."""
        return Measurement(self, value)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of a quantity."""

    quantity: Quantity
    value: float

    @property
    def margin(self) -> float:
        return self.quantity.bounds.margin(self.value)

    @property
    def verdict(self) -> Verdict:
        """Outside the bounds by less than rounding (1e-9 of the value) still passes."""
        return Verdict.PASS if self.margin >= -1e-9 * max(1.0, abs(self.value)) else Verdict.FAIL
