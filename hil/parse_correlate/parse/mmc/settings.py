"""Which events the schema names for electricity, and their settings out of a bit-string (MMC SupplierESMECommon and its like)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from .tree import Content, group, leaf


@cache
def _events() -> dict[str, list[tuple[str, list[str]]]]:
    """Party -> groups in order, each with its event names."""
    table: dict[str, list[tuple[str, list[str]]]] = {}
    text = (files(__package__) / "events.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        table.setdefault(row["party"], []).append((row["group"], row["events"].split()))
    return table


def event_groups(name: str, party: str, bits: str | None) -> Content:
    """One kind of setting: the events whose bit is known, the bit of event 8xnn being nn from the end. A network operator's settings are
    those of one phase or of three: three where any event of three phases is enabled."""
    if bits is None or len(bits) != 256:
        return ()
    found: list[Content] = []
    single = not any(_enabled(bits, event) for group_name, events in _events()[party] if "PolyPhase" in group_name for event in events)
    for group_name, events in _events()[party]:
        if party == "network" and group_name.endswith("PolyPhase" if single else "SinglePhase"):
            continue
        settings = (leaf(event, "Enable" if _enabled(bits, event) else "Disable") for event in events)
        found.append(group(group_name, *settings))
    return group(name, *found)


def _enabled(bits: str, event: str) -> bool:
    return bits[-1 - (int(event[1:], 16) & 0xFF)] == "1"
