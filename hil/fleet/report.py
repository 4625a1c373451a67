"""The results of a fleet's partitions as one: percentiles, counts, and every problem with how to play its home again alone."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from firmware_emu.errors import CommsHubError
from hil.fleet import plots
from hil.fleet.partition import HomeResult, PartitionResult
from hil.fleet.phases import FAR_SCENARIOS, SCENARIOS, far_phases_of, phases_of
from hil.report.verdict import Plot, Run, Step

_PROBLEMS_SHOWN = 50


class NotOnce(CommsHubError):
    """A home has no result, or more than one: the merge lost or doubled it."""


@dataclass(frozen=True, slots=True)
class FleetReport:
    """A whole fleet. ``lost_workers`` counts the workers that went away while it played; ``done`` has the real second and the worker's
    process of each home's end, ``rates`` the number of workers and homes a second of each run of the same homes, this one's last."""

    scenario: str
    board: str
    seed: int
    workers: int
    homes: tuple[HomeResult, ...]
    partitions: tuple[PartitionResult, ...]
    real_s: float
    lost_workers: int = 0
    facts: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    done: tuple[tuple[float, int], ...] = ()
    rates: tuple[tuple[int, float], ...] = ()

    @property
    def problems(self) -> tuple[HomeResult, ...]:
        """Homes that did not pass."""
        return tuple(home for home in self.homes if home.problem)

    @property
    def passed(self) -> bool:
        """True if every home passed, and no request was answered twice."""
        return not self.problems and not any(one.doubled for one in self.partitions)

    def again(self, home: int) -> str:
        """The command that plays one home alone."""
        far = self.partitions[0].far if self.partitions else ""
        before = f" {far}" if far else ""
        return f"chub fleet run {self.scenario}{before} --home {home} --seed {self.seed} --board {self.board}"

    def as_json(self) -> dict[str, object]:
        """Figures and verdict."""
        processor = sum(one.processor_s for one in self.partitions)
        return {
            "scenario": self.scenario,
            "verdict": "pass" if self.passed else "fail",
            "homes": len(self.homes),
            "passed": len(self.homes) - len(self.problems),
            "workers": self.workers,
            "lost_workers": self.lost_workers,
            "partitions": len(self.partitions),
            "seed": self.seed,
            "board": self.board,
            "real_s": round(self.real_s, 2),
            "homes_per_real_s": round(len(self.homes) / self.real_s, 2) if self.real_s else None,
            "by_workers": [
                {"workers": workers, "homes_per_real_s": round(rate, 3), "times_the_first": round(rate / self.rates[0][1], 3)}
                for workers, rate in self.rates[1:] and self.rates
            ],
            "requests": sum(one.asked for one in self.partitions) or None,
            "answered_twice": [name for one in self.partitions for name in one.doubled],
            "pushed_again": sum(one.repeated for one in self.partitions),
            "processor_s": round(processor, 2),
            "processor_s_per_home": round(processor / len(self.homes), 4) if self.homes else None,
            "memory_mb": max((one.memory_mb for one in self.partitions), default=0.0),
            "phases": {name: self.percentiles(name) for name in self._phases()},
            "problems": [{**home.as_json(), "again": self.again(home.home)} for home in self.problems],
        }

    def _phases(self) -> tuple[str, ...]:
        far = any(one.asked for one in self.partitions) or self.scenario in FAR_SCENARIOS.keys() - SCENARIOS.keys()
        return tuple(phase.name for phase in (far_phases_of if far else phases_of)(self.scenario))

    def percentiles(self, phase: str) -> dict[str, float]:
        """Bench seconds that a phase took, of the homes that were in it."""
        values = [home.bench_s[phase] for home in self.homes if phase in home.bench_s]
        if len(values) < 2:
            return dict.fromkeys(("p50", "max"), values[0]) if values else {}
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return {"p50": round(cuts[49], 3), "p90": round(cuts[89], 3), "p99": round(cuts[98], 3), "max": round(max(values), 3)}

    def as_run(self) -> Run:
        """As steps, one a phase, for the report in HTML and JUnit."""
        failed = Counter(home.phase for home in self.problems)
        steps = []
        for name in self._phases():
            here = [home for home in self.homes if name in home.bench_s]
            shown = [f"home {home.home}: {home.problem} (again: {self.again(home.home)})" for home in self.problems if home.phase == name]
            steps.append(
                Step(
                    f"{len(here)} homes: {name}",
                    "fail" if failed[name] else "pass" if here else "skip",
                    0.0,
                    {
                        "homes": len(here),
                        "failed": failed[name],
                        **{f"{cut}, bench s": value for cut, value in self.percentiles(name).items()},
                    },
                    "; ".join(shown[:_PROBLEMS_SHOWN]),
                )
            )
        told = self.as_json()
        facts = {
            key: told[key]
            for key in ("homes", "workers", "lost_workers", "partitions", "seed", "board", "real_s", "processor_s", "memory_mb")
        }
        facts_shown = {**self.facts, **{key: str(value) for key, value in facts.items()}}
        return Run(f"fleet: {self.scenario}", facts_shown, steps, plots=self._plots())

    def _plots(self) -> list[Plot]:
        found = [plots.over_time(self.done)] if self.done else []
        if len(self.rates) > 1:
            found.append(plots.over_workers(self.rates))
        return [*found, plots.over_homes(self._phases(), self.homes), plots.memory(self.partitions), plots.slope(self.partitions)]


def merged(results: Sequence[PartitionResult], homes: int, first: int = 1) -> tuple[HomeResult, ...]:
    """Every home's result in the order of their numbers. Raises NotOnce."""
    counts = Counter(home.home for one in results for home in one.homes)
    wrong = [f"home {number} {counts[number]} times" for number in range(first, first + homes) if counts[number] != 1]
    if wrong or len(counts) != homes:
        raise NotOnce(f"results of the fleet: {', '.join(wrong[:20]) or 'homes that nobody asked for'}, expected each home once")
    return tuple(sorted((home for one in results for home in one.homes), key=lambda home: home.home))
