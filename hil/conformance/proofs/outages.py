"""Outages from 179.0 to 181.0 s in steps of 0.1 s, begun at ten phases of the hub's second: told right, or indeterminate, never wrong.

Each is a check of its own on a healthy hub: 8F35 where it was shorter than the threshold, 8F36 and AD1 from it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firmware_emu.errors import CommsHubError
from hil.conformance.proofs.alone import ProofFinding, own_limits, run_alone
from hil.conformance.proofs.faults import instruments
from hil.conformance.steps import OUTAGE_RESOLUTION_S
from hil.report.measurements import CheckVerdict
from ichis.conformance.check import Check, Value, load_checks

LENGTHS_S = tuple(tenth / 10 for tenth in range(1790, 1811))
PHASES = tuple(tenth / 10 for tenth in range(10))
BENCHES = ("", "scpi-supply 5", "scpi-supply 100", "rigol-dp832 5", "tti-ql355 20")
"""Models of supplies with their latency in ms; empty: the bench's model, which switches without delay."""


@dataclass(frozen=True, slots=True)
class OutageCase:
    """Every length at one phase of the second, on one bench."""

    phase: float
    bench: str
    lengths_s: tuple[float, ...] = LENGTHS_S

    def __str__(self) -> str:
        return f"outages at {self.phase:g} of a second, {self.bench or 'the exact bench'}"

    def find(self) -> list[ProofFinding]:
        """Run them one after another on one hub. On the exact bench there must be a verdict, but at the threshold itself."""
        model, _, latency_ms = self.bench.partition(" ")
        settings = instruments("hub", model, float(latency_ms)) if self.bench else ()
        checks = [outage_check(seconds, self.phase) for seconds in self.lengths_s]
        try:
            results = run_alone(checks, None, settings)
        except CommsHubError as trouble:
            return [ProofFinding(str(self), CheckVerdict.PASS, CheckVerdict.INCONCLUSIVE, str(trouble), True)]
        threshold_s = own_limits()["outage_threshold"]
        return [
            ProofFinding(
                f"{one.check.id}, {self.bench or 'exact'}",
                CheckVerdict.PASS,
                one.verdict,
                one.why,
                must_decide=not self.bench and abs(seconds - threshold_s) > OUTAGE_RESOLUTION_S,
            )
            for seconds, one in zip(self.lengths_s, results, strict=True)
        ]


def outage_check(seconds: float, phase: float) -> Check:
    """The check of one outage, begun at a phase of the hub's second."""
    like = next(check for check in load_checks() if check.id == "ACL-09")
    code = "8F35" if seconds < own_limits()["outage_threshold"] else "8F36"
    outage: Value = {"seconds": seconds, "apart": 60, "phase": phase}
    return replace(like, id=f"outage of {seconds:g} s at {phase:g}", stimulus=(("outage", outage),), of=code, waveform=False)


def cases(_: int, under_test: Sequence[str] = ("hub", "host")) -> list[OutageCase]:
    """Ten phases on each bench; nothing is drawn. A host has no outages to tell."""
    return [OutageCase(phase, bench) for bench in BENCHES for phase in PHASES] if "hub" in under_test else []
