"""Results of a run in memory: steps with their verdicts, and the records they were drawn from. Everything here prints as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from firmware_emu.trace import Record, Scalar


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: ``ms`` is real time; ``why`` says what went wrong, where, and what to try; empty when it passed.
    ``records`` are the trace records made in it, as positions in the run's records (first, one past the last)."""

    name: str
    verdict: str
    ms: float
    values: Mapping[str, Scalar] = field(default_factory=dict)
    why: str = ""
    records: tuple[int, int] = (0, 0)

    def as_json(self) -> dict[str, object]:
        out: dict[str, object] = {"name": self.name, "verdict": self.verdict, "ms": round(self.ms, 1), "values": dict(self.values)}
        if self.why:
            out["why"] = self.why
        return out


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over what ``over`` says: ``series`` maps a name to points (over bench time: seconds since the run began; value)."""

    title: str
    unit: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    marks: Sequence[tuple[float, str]] = ()
    over: str = "bench time, s"
    from_zero: bool = False
    """True if the values' axis begins at zero."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that the report shows. ``lanes`` names the lane of the ladder for each identity and source in the trace; the
    order of its values is that of the lanes, and what has no lane is not drawn."""

    title: str
    facts: Mapping[str, Scalar]
    steps: Sequence[Step]
    records: Sequence[Record] = ()
    plots: Sequence[Plot] = ()
    notes: Sequence[str] = ()
    lanes: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``pass`` when every step passed that the board allowed, and there was one."""
        told = {step.verdict for step in self.steps} - {"skip"}
        return "pass" if told == {"pass"} else "fail"
