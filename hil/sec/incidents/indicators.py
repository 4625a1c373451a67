"""Key performance indicators of incident management: a month's incidents by category (IM-19 [224]).

Which indicators a policy has no paragraph says; these follow from what it must cover: categories, allocation, how soon each is resolved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from hil.dcc.base.months import Month
from hil.sec.incidents.log import IncidentLog

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class CategoryIndicators:
    """One category in one month. ``overdue``: past their target at the month's end and not resolved; hours are from raised to resolved."""

    category: int
    target_h: float
    raised: int
    resolved: int
    in_target: int
    overdue: int
    mean_hours: float | None

    @property
    def percent_in_target(self) -> Fraction | None:
        """Share of the resolved that were resolved in their target time; None where none was."""
        return Fraction(100 * self.in_target, self.resolved) if self.resolved else None


def indicators(log: IncidentLog, month: Month, now: float) -> Sequence[CategoryIndicators]:
    """Every category's, the most severe first. What is resolved counts in the month of its resolution; ``now`` ends a month that runs."""
    ends = min(month.ends, now)
    found = []
    for category, target_s in sorted(log.rules.target_s.items()):
        all_of_it = [one for one in log.incidents() if one.category == category]
        ended = [(one, one.resolved) for one in all_of_it if one.resolved is not None and month.begins <= one.resolved < month.ends]
        hours = [(resolved - one.raised) / HOUR_S for one, resolved in ended]
        found.append(
            CategoryIndicators(
                category,
                target_s / HOUR_S,
                sum(month.begins <= one.raised < month.ends for one in all_of_it),
                len(ended),
                sum(resolved <= one.due for one, resolved in ended),
                sum(one.due < ends and (one.resolved is None or one.resolved > ends) for one in all_of_it),
                sum(hours) / len(hours) if hours else None,
            )
        )
    return found
