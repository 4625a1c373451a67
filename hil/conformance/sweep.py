"""No instrument fault turns one verdict into another: checks x faults of instruments x latencies, on good units and on bad ones.

A case runs one check alone on a bench of its own, with stand-ins of instruments between the models and the check. Its verdict may be
the one that sound instruments give, or none at all (indeterminate, inconclusive, not tested); never the other one.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from firmware_emu.trace import Trace
from hil.conformance.bench import Bench
from hil.conformance.host_bench import HOST_CHECKS, HostBench
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.runner import Result, Runner
from hil.report.measurements import Verdict
from ichis.bad_units import BAD_HOSTS, BAD_HUBS
from ichis.condition import Condition
from ichis.conformance.check import Check, load_checks
from ichis.host_port import HostCondition
from ichis.instrument.fault import Concerns, Misbehaviour
from ichis.profile import Profile, load_profile

LATENCIES_MS = (5, 100, 600)
SUPPLIES = ("scpi-supply", "rigol-dp832", "tti-ql355")
LOADS = ("scpi-load", "aim-tti-ld400p")
_MOST_BEFORE = 40
"""A fault strikes at one of the first so many of what it concerns: the precondition has some, the reading has the rest."""
_AMOUNT = {Misbehaviour.LATE: "3", Misbehaviour.OFF_LATE: "30", Misbehaviour.HIGH: "20"}
_WHO = {"hub": ("supply", "probe"), "host": ("load", "probe", "relay")}
_FAULTS_OF = {
    "supply": tuple(one for one in Misbehaviour if one is not Misbehaviour.WRONG_CONTACT),
    "load": tuple(one for one in Misbehaviour if one not in (Misbehaviour.WRONG_CONTACT, Misbehaviour.OFF_LATE)),
    "probe": tuple(one for one in Misbehaviour if one.concerns in (Concerns.READING, Concerns.LINE)),
    "relay": (Misbehaviour.OFF_IGNORED, Misbehaviour.ON_IGNORED, Misbehaviour.GONE),
}
_DECIDED = (Verdict.PASS, Verdict.FAIL)


@dataclass(frozen=True, slots=True)
class Case:
    """One check, on a good unit or on the bad one of that check, with these instruments."""

    check: Check
    bad: bool
    fault: str
    """Empty: sound instruments."""
    latency_ms: float
    instrument: str
    """Model of the supply, or of the load where a host is under test."""

    def __str__(self) -> str:
        unit = "bad" if self.bad else "good"
        return f"{self.check.id} on a {unit} unit, {self.instrument}, {self.latency_ms:g} ms, {self.fault or 'no fault'}"

    @property
    def board(self) -> Board:
        """The board of the case."""
        faults = [f'jig.stand_in.faults=["{self.fault}"]'] if self.fault else []
        if self.check.under_test == "host":
            settings = [f"jig.stand_in.load={self.instrument}", "jig.stand_in.relay=scpi-relay"]
        else:
            settings = [f"jig.stand_in.supply={self.instrument}"]
        return load_board(
            "simulated", (*settings, "jig.stand_in.probes=scpi-scanner", f"jig.stand_in.latency_ms={self.latency_ms:g}", *faults)
        )


@dataclass(frozen=True, slots=True)
class Swept:
    """A case and its verdict. ``expected``: what sound instruments tell of this unit."""

    case: Case
    verdict: Verdict
    expected: Verdict
    why: str

    @property
    def turned(self) -> bool:
        """True if the fault made one verdict into the other."""
        return self.verdict in _DECIDED and self.verdict is not self.expected


def sentence(who: str, what: Misbehaviour, number: int, once: bool) -> str:
    """The sentence of a fault."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in (11, 12, 13) else 0, "th")
    return f"{who} {what.words.replace('{}', _AMOUNT.get(what, ''))} {'at' if once else 'from'} {number}{ending}"


def cases(seed: int, under_test: Sequence[str] = ("hub", "host"), count: int | None = None) -> list[Case]:
    """Every check x fault x latency once on its good unit and, where it has one, once on its bad unit; or a sample of ``count``.

    When a fault strikes, and on which model, is drawn from the seed.
    """
    drawn = random.Random(seed)
    every = list(_every(drawn, under_test))
    return every if count is None or count >= len(every) else drawn.sample(every, count)


def _every(drawn: random.Random, under_test: Sequence[str]) -> Iterator[Case]:
    for kind in under_test:
        models, bad_units = (SUPPLIES, BAD_HUBS) if kind == "hub" else (LOADS, BAD_HOSTS)
        for check in load_checks(kind):
            for who in _WHO[kind]:
                for what in _FAULTS_OF[who]:
                    for latency_ms in LATENCIES_MS:
                        for bad in (False, True) if check.id in bad_units else (False,):
                            fault = sentence(who, what, drawn.randint(1, _MOST_BEFORE), drawn.random() < 0.5)
                            yield Case(check, bad, fault, latency_ms, drawn.choice(models))


def carry_out(case: Case, profile: Profile | None = None) -> Swept:
    """Run one case in a folder of its own. A bench that does not come up with these instruments tests nothing."""
    board, limits = case.board, profile or load_profile("ichis_default")
    clock = Clock(start=board.clock.start, warp=True)
    expected = Verdict.FAIL if case.bad else Verdict.PASS
    with tempfile.TemporaryDirectory(prefix="sweep") as folder:
        bench = _bench(case, board, limits, clock, Path(folder))

        async def main() -> Result | None:
            found = None
            try:
                await bench.open()
                runner: Runner[Any] = Runner(bench, HOST_CHECKS if case.check.under_test == "host" else HUB_CHECKS)
                found = await runner.run(case.check)
            finally:
                await bench.close()
            return found

        try:
            result = clock.run(main())
        except CommsHubError as trouble:  # loud: the run that meets this does not pass, whatever its checks say
            return Swept(case, Verdict.INCONCLUSIVE, expected, str(trouble))
    assert result is not None
    return Swept(case, result.verdict, expected, result.why)


def _bench(case: Case, board: Board, profile: Profile, clock: Clock, folder: Path) -> Bench | HostBench:
    trace, name = Trace(clock.now), case.check.id
    if case.check.under_test == "host":
        return HostBench(board, profile, BAD_HOSTS[name] if case.bad else HostCondition(), clock, trace)
    condition = BAD_HUBS[name] if case.bad else Condition()
    return Bench(board, profile, condition, clock, trace, folder, in_memory=True)
