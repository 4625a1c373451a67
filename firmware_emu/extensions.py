"""Packages bring more of a kind by entry point: a Device type (``commshub.device``), a dongle family (``commshub.radio``).

The entry points of this project are declared in the same way, so a package of somebody else's needs no place in any list.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from firmware_emu import extras
from firmware_emu.errors import NotAvailable, one_of

DEVICE, RADIO, NOUN = "commshub.device", "commshub.radio", "chub.console"
_KINDS = {DEVICE: "a Device of type", RADIO: "a radio of kind", NOUN: "a noun named"}


@cache
def _installed(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(group: str) -> list[str]:
    """Everything that is installed of a group, by name."""
    return sorted(_installed(group))


def load(group: str, name: str) -> object:
    """The declaration of that name. Raises NotAvailable, which tells the names there are or the library that is missing."""
    found = _installed(group).get(name)
    if found is None:
        raise NotAvailable(f"{_KINDS[group]} {name!r}", f"expected {one_of(name, names(group))}")
    return extras.load(found)
