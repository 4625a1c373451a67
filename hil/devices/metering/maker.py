"""Habits of meters that the specifications leave open or that makers differ in, as data with their sources (``makers.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

from firmware_emu.errors import BoardError, one_of

STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Maker:
    """One meter's habits; ``makers.toml`` says of each what it means and where it comes from.

    ``offset_tariff``, ``offset_auxiliary``: the randomised offset delays tariff switches, auxiliary switches. ``cap_calendar_week``: the
    debt cap's week begins on Mondays. ``drift_ppm``: parts of a million by which the clock gains. ``set_clock_every_s``: Set Clock is
    taken once in that time. ``device_log_capacity``: Devices that it can be joined with. ``tells_done``: 8F66 is sent. ``ride_through_s``:
    an outage up to it goes unnoticed. ``tells_repeated_token``: 8F51 is logged.
    """

    name: str
    offset_tariff: bool
    offset_auxiliary: bool
    cap_calendar_week: bool
    drift_ppm: int
    set_clock_every_s: int
    device_log_capacity: int
    tells_done: bool
    ride_through_s: float
    tells_repeated_token: bool


@cache
def makers() -> Mapping[str, Maker]:
    """Every profile by its name, ``standard`` first. Raises BoardError naming a value without a source or of another type."""
    name = "makers.toml"
    data = tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
    found: dict[str, Maker] = {}
    for maker, rows in data.items():
        values = {} if maker == STANDARD else {one.name: getattr(found[STANDARD], one.name) for one in fields(Maker)[1:]}
        for key, row in rows.items():
            if not isinstance(row, dict) or "value" not in row or not row.get("source"):
                raise BoardError(name, f"{maker}.{key}", "expected a table with a value and a source")
            values[key] = row["value"]
        try:
            found[maker] = Maker(maker, **values)
        except TypeError as problem:
            raise BoardError(name, maker, str(problem)) from problem
    return found


def maker(name: str | None) -> Maker:
    """The profile of that name, None for the standard one. Raises BoardError for a name that there is not."""
    known = makers()
    if name is not None and name not in known:
        raise BoardError("makers.toml", name, f"expected {one_of(name, known)}")
    return known[name or STANDARD]


ORDINARY = maker(None)
"""The standard profile."""
