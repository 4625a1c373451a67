"""The inventory's rules as data: statuses, the moves between them, and the status tables of CK-3 and LC-02 (``inventory.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from firmware_emu.errors import CommsHubError
from hil.dcc.base.refusals import because


class InventoryRefusal(CommsHubError):
    """A change of the inventory that the rules do not allow. ``reasons`` holds every reason, each with its source."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed change of status; an empty ``types`` means every kind but ``not_types``."""

    event: str
    sources: frozenset[str]
    to: str
    types: frozenset[str]
    not_types: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class InventoryRules:
    """The content of inventory.toml."""

    statuses: dict[str, str]
    moves: tuple[Move, ...]
    service_status: dict[str, tuple[str, ...]]
    local_status: dict[str, tuple[str, ...]]


@cache
def rules() -> InventoryRules:
    """Statuses, moves and the status tables of CK-3 and LC-02."""
    data = tomllib.loads(resources.files(__package__).joinpath("inventory.toml").read_text(encoding="utf-8"))
    return InventoryRules(
        {row["name"]: row["meaning"] for row in data["status"]},
        tuple(
            Move(
                row["event"],
                frozenset(row["from"]),
                row["to"],
                frozenset(row.get("types", ())),
                frozenset(row.get("not_types", ())),
                row["source"],
            )
            for row in data["move"]
        ),
        {status: tuple(services) for status, services in data["service_status"].items()},
        {who: tuple(statuses) for who, statuses in data["local_status"].items()},
    )


@cache
def move_of(event: str) -> Move:
    """The move of this event. Raises InventoryRefusal for an event that inventory.toml does not have."""
    for move in rules().moves:
        if move.event == event:
            return move
    raise InventoryRefusal((because("inv-no-such-move", event=repr(event), events=", ".join(one.event for one in rules().moves)),))
