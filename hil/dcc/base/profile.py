"""Figures of the DCC that a bench may change, each with the text that says where it comes from (``profile.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class DccProfile:
    """Times are bench seconds. ``dataclasses.replace(profile(), outage_threshold_s=60)`` makes a bench's own."""

    on_demand_target_s: float
    alert_target_s: float
    response_wait_s: float
    sleepy_response_wait_s: float
    outage_threshold_s: float
    owed_after_s: float
    sequence_hold_s: float
    schedule_duis_54: float
    scheduled_target_s: float
    firmware_target_s: float
    firmware_piece_octets: float
    firmware_window: float
    storm_window_s: float
    storm_threshold: float
    storm_one_in: float
    first_counter: float
    edition_2013: float
    request_signatures: float
    certificate_paths: float
    request_ids_once: float
    pre_command_open_s: float


@cache
def _content() -> dict[str, dict[str, float | str]]:
    return tomllib.loads(resources.files(__package__).joinpath("profile.toml").read_text(encoding="utf-8"))


@cache
def profile() -> DccProfile:
    """The values of profile.toml."""
    return DccProfile(**{field.name: float(_content()[field.name]["value"]) for field in fields(DccProfile)})


def profile_sources() -> dict[str, str]:
    """Source of each value, for reports."""
    return {name: str(entry["source"]) for name, entry in _content().items()}
