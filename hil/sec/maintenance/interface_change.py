"""The clock of a change to the ICHIS, from the publication of the review's report (ICH-13 [203, 204], H11.5 to H11.8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from hil.sec.maintenance.plan import MaintenanceError

APPEAL_DAYS = 10
"""Days for SEC Parties to consider the report and to appeal [204]. The paragraph says days, not working days."""
DIRECTION_DAYS = 20
"""Days after publication in which the Secretary of State or Ofgem may direct otherwise [H11.7, H11.8]."""


class Appeal(StrEnum):
    """Outcome of an appeal to Ofgem that the consultation was not conducted as specified [204]."""

    NONE = "none"
    PENDING = "pending"
    REJECTED = "rejected"
    UPHELD = "upheld"


@dataclass(frozen=True, slots=True)
class InterfaceChange:
    """Days of one change: the last to appeal, and the one from which the amendment is applied; ``applies`` None where it is not."""

    appeal_until: date
    directed_until: date
    applies: date | None
    next_step: str


def interface_change(
    published: date, *, appealed: date | None = None, appeal: Appeal = Appeal.NONE, longer_days: int = 0, directed_otherwise: bool = False
) -> InterfaceChange:
    """The clock of an amendment whose report was published on a day; ``longer_days`` as directed beyond the twenty.

    Raises MaintenanceError for an appeal after its days, or an outcome without an appeal.
    """
    appeal_until = published + timedelta(days=APPEAL_DAYS)
    directed_until = published + timedelta(days=DIRECTION_DAYS + longer_days)
    if (appealed is None) != (appeal is Appeal.NONE):
        raise MaintenanceError("an appeal has a day and an outcome: give both, or neither")
    if appealed is not None and not published <= appealed <= appeal_until:
        raise MaintenanceError(f"read an appeal of {appealed}, expected one from {published} to {appeal_until} [204]")
    if directed_otherwise:
        return InterfaceChange(appeal_until, directed_until, None, "the amendment is not applied, as was directed [H11.8]")
    if appeal is Appeal.UPHELD:
        return InterfaceChange(appeal_until, directed_until, None, "repeat the consultation [204]")
    if appeal is Appeal.PENDING:
        return InterfaceChange(appeal_until, directed_until, None, "wait for Ofgem's decision [204]")
    return InterfaceChange(appeal_until, directed_until, directed_until + timedelta(days=1), "apply the amendment [204, H11.8]")
