"""Responses that users owe: Commands given out for local delivery that change the inventory, until 8.13 brings the answer (LC-04 [194])."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.answers.effects import EFFECTS
from hil.dcc.base.requests import Requests, RequestState
from hil.dcc.base.services import schedule


@dataclass(frozen=True, slots=True)
class Outstanding:
    """One Command whose Response its user has not returned. ``overdue``: for longer than the profile's ``owed_after_s``."""

    request: str
    user: Eui64
    device: Eui64
    variant: str
    since: float
    overdue: bool


def outstanding(requests: Requests, now: float, after_s: float) -> tuple[Outstanding, ...]:
    """Every outstanding Response, oldest first."""
    returned = sorted(requests.in_state(RequestState.RETURNED), key=lambda one: one.sent or 0.0)
    return tuple(
        Outstanding(one.name, one.user, one.target, one.variant, one.sent or 0.0, now - (one.sent or 0.0) > after_s)
        for one in returned
        if schedule()[one.variant].reference in EFFECTS
    )
