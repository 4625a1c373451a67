"""Packages bring more of a kind by entry point: a Device type (``commshub.device``), a dongle family (``commshub.radio``), a fault.

The entry points of this project are declared in the same way, so a package of somebody else's needs no place in any list.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from firmware_emu import extras
from firmware_emu.errors import CommsHubError, NotAvailable, one_of

DEVICE, RADIO, NOUN, FAULT = "commshub.device", "commshub.radio", "chub.console", "commshub.fault"
_KINDS = {DEVICE: "a Device of type", RADIO: "a radio of kind", NOUN: "a noun named", FAULT: "a fault named"}


@cache
def _installed(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


@cache
def _loaded(entry: EntryPoint) -> object:
    return extras.load(entry)


def names(group: str) -> list[str]:
    """Everything that is installed of a group, by name."""
    return sorted(_installed(group))


def load(group: str, name: str) -> object:
    """The declaration of that name.

    Raises NotAvailable, which tells the names there are, the library that is missing, or what went wrong in the package.
    """
    found = _installed(group).get(name)
    if found is None:
        raise NotAvailable(f"{_KINDS[group]} {name!r}", f"expected {one_of(name, names(group))}")
    try:
        return _loaded(found)
    except CommsHubError:
        raise
    except Exception as wrong:  # code of somebody else's
        raise NotAvailable(f"{_KINDS[group]} {name!r}", f"{found.value} cannot be loaded: {type(wrong).__name__}: {wrong}") from wrong
