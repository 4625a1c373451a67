"""Good units pass, and each bad unit fails its check and no other, in any order, on instruments of several dialects.

The instruments are sound. What one of them cannot do (a list of millisecond steps, a peak) leaves a check untested; it is counted.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from firmware_emu.errors import BoardError, CommsHubError
from hil.conformance.proofs.alone import ProofFinding, run_alone
from hil.conformance.proofs.bad_firmware import BAD_UNITS
from hil.conformance.proofs.faults import LOADS, SUPPLIES, instruments
from hil.report.measurements import CheckVerdict
from ichis.bad_units import BAD_HOSTS
from ichis.conformance.check import load_checks

SEEDS = 10
_OTHERS = 3
"""Checks that a bad unit must not fail, beside its own: as many are drawn, others for each seed."""
_LATENCY_MS = 5.0


@dataclass(frozen=True, slots=True)
class UnitCase:
    """One unit on one set of instruments, its checks in an order drawn from the seed. ``bad``: the check of the bad unit; empty: good."""

    under_test: str
    instrument: str
    seed: int
    bad: str = ""

    def __str__(self) -> str:
        unit = f"unit bad at {self.bad}" if self.bad else f"good {self.under_test}"
        return f"{unit}, {self.instrument}, order {self.seed}"

    def find(self) -> list[ProofFinding]:
        """Run it."""
        drawn, checks = random.Random(f"{self.seed} {self.bad}"), load_checks(self.under_test)
        if self.bad:
            others = drawn.sample([check for check in checks if check.id != self.bad], _OTHERS)
            chosen = [*others, *(check for check in checks if check.id == self.bad)]
        else:
            chosen = list(checks)
        drawn.shuffle(chosen)
        bad_units = BAD_HOSTS if self.under_test == "host" else None
        unit = None if not self.bad else bad_units[self.bad] if bad_units is not None else BAD_UNITS[self.bad]()
        expected = {check.id: CheckVerdict.FAIL if check.id == self.bad else CheckVerdict.PASS for check in chosen}
        try:
            results = run_alone(chosen, unit, instruments(self.under_test, self.instrument, _LATENCY_MS))
        except BoardError:  # of the proof, not of a bench
            raise
        except CommsHubError as trouble:
            return [
                ProofFinding(f"{name} of {self}", verdict, CheckVerdict.INCONCLUSIVE, str(trouble)) for name, verdict in expected.items()
            ]
        return [ProofFinding(f"{one.check.id} of {self}", expected[one.check.id], one.verdict, one.why) for one in results]


def cases(seed: int, under_test: Sequence[str] = ("hub", "host"), *, covering: bool = False) -> list[UnitCase]:
    """Good unit and every bad unit, on each dialect, in ten orders that are drawn from the seed.

    ``covering``: each on each dialect in one of the ten orders, which is drawn.
    """
    found, drawn = [], random.Random(seed)
    for kind in under_test:
        bad = tuple(BAD_UNITS if kind == "hub" else BAD_HOSTS)
        for model in SUPPLIES if kind == "hub" else LOADS:
            orders = range(seed, seed + SEEDS)
            if covering:
                found += [UnitCase(kind, model, drawn.choice(orders), name) for name in ("", *bad)]
            else:
                found += [UnitCase(kind, model, order, name) for order in orders for name in ("", *bad)]
    return found
