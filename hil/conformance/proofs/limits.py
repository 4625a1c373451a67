"""Each numeric limit, moved past what the unit's own datasheet says, fails a good unit, and moved the other way passes it.

A limit that is an expression over the profile is moved in the profile, so that a unit which took its values from there would move along;
where the check's stimulus uses the same value, and where the limit is a plain number, the limit of the check itself is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from firmware_emu.errors import CommsHubError
from hil.conformance.proofs.alone import ProofFinding, own_limits, run_alone
from hil.conformance.runner import CheckResult
from hil.report.measurements import CheckVerdict
from ichis.conformance.check import Check, load_checks, names_in
from ichis.profile import InterfaceProfile

_FAR = 0.01
"""Part of the reading by which a limit is moved past it, beside three times its uncertainty."""


@dataclass(frozen=True, slots=True)
class LimitCase:
    """The limits of some checks, all of a hub or all of a host."""

    group: str
    checks: tuple[Check, ...]

    def __str__(self) -> str:
        return f"limits of {self.group}"

    def find(self) -> list[ProofFinding]:
        """The truth by the profile as it is, then each limit tightened past it and loosened, on one good unit."""
        try:
            truths = run_alone(self.checks)
            moved = [one for check, truth in zip(self.checks, truths, strict=True) for one in _moved(check, truth)]
            results = run_alone([one.check for one in moved], profiles=[one.profile for one in moved])
        except CommsHubError as trouble:
            return [ProofFinding(str(self), CheckVerdict.PASS, CheckVerdict.INCONCLUSIVE, str(trouble), True)]
        found = [ProofFinding(f"{one.check.id} as it is", CheckVerdict.PASS, one.verdict, one.why, True) for one in truths]
        return found + [
            ProofFinding(one.name, one.expected, result.verdict, result.why, True) for one, result in zip(moved, results, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class MovedLimit:
    """A check with one limit moved, in the check or in the profile it is judged by, and its true verdict then."""

    name: str
    expected: CheckVerdict
    check: Check
    profile: InterfaceProfile


def _moved(check: Check, truth: CheckResult) -> list[MovedLimit]:
    if truth.value is None:  # no figure: what was to happen did, or it was not tested
        return []
    exact = not truth.u and float(truth.value).is_integer()  # a count, or a state
    beyond = 1.0 if exact else 3 * (truth.u or 0.0) + _FAR * max(abs(truth.value), _FAR)
    found = []
    for side, inward in (("low", 1), ("high", -1)):
        if getattr(check, side) is not None:
            for what, expected, limit in (
                ("tightened", CheckVerdict.FAIL, truth.value + inward * beyond),
                ("loosened", CheckVerdict.PASS, truth.value - inward * beyond),
            ):
                found.append(MovedLimit(f"{check.id} {side} {what} to {limit:.6g}", expected, *_with_limit(check, side, limit)))
    return found


def _with_limit(check: Check, side: str, limit: float) -> tuple[Check, InterfaceProfile]:
    """The check and the profile by which the limit of this side is ``limit``. The other side gives way where it would be crossed."""
    profile = own_limits()
    low, high = check.limits(profile)
    now, across = (low, high) if side == "low" else (high, low)
    assert now is not None
    names = tuple(dict.fromkeys(names_in(getattr(check, side))))
    if across is not None and (limit > across if side == "low" else limit < across):
        check = replace(check, high=None) if side == "low" else replace(check, low=None)
    if len(names) != 1 or names[0] in check.stimulus_names or not now:
        return replace(check, low=limit) if side == "low" else replace(check, high=limit), profile
    name = names[0]  # the limit is this value, times a number where there is one
    changed = replace(profile.limits[name], value=profile[name] * limit / now)
    return check, replace(profile, limits={**profile.limits, name: changed})


def cases(_: int, under_test: Sequence[str] = ("hub", "host")) -> list[LimitCase]:
    """Every limit of every check, by groups of checks; nothing is drawn."""
    checks = [check for kind in under_test for check in load_checks(kind)]
    groups = dict.fromkeys(check.group for check in checks)
    return [LimitCase(group, tuple(check for check in checks if check.group == group)) for group in groups]
