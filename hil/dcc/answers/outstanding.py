"""Responses that users owe: Commands given out for local delivery that change the inventory, until 8.13 brings the answer (LC-04 [194])."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.answers.effects import changes_the_inventory
from hil.dcc.base.services import schedule
from hil.dcc.base.store import DccStore


@dataclass(frozen=True, slots=True)
class Owed:
    """One Command whose Response its user has not returned. ``overdue``: for longer than the profile's ``owed_after_s``."""

    request: str
    user: Eui64
    device: Eui64
    variant: str
    since: float
    overdue: bool


def owed(store: DccStore, now: float, after_s: float) -> tuple[Owed, ...]:
    """Every Response owed, oldest first."""
    rows = store.rows("SELECT request, user, target, variant, sent FROM requests WHERE state = 'returned' ORDER BY sent")
    return tuple(
        Owed(
            row["request"],
            Eui64.parse(row["user"]),
            Eui64.parse(row["target"]),
            row["variant"],
            row["sent"],
            now - row["sent"] > after_s,
        )
        for row in rows
        if changes_the_inventory(schedule()[row["variant"]].reference)
    )
