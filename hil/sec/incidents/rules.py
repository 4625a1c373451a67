"""The rules of the incident log as data (``rules.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources

import holidays

from firmware_emu.clock import EPOCH

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Area:
    """Place of a fault. ``whose`` and ``on_visit``: DCC, meter, gas meter or lead; ``source`` the paragraph."""

    name: str
    whose: str
    on_visit: str
    source: str


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """All of ``rules.toml``. Times in seconds."""

    areas: Mapping[str, Area]
    states: Mapping[str, tuple[str, ...]]
    target_s: Mapping[int, float]
    diagnostics_valid_s: float
    delay_s: float
    report_working_days: int
    days_off: Container[date]
    major_report: Mapping[str, str]


@cache
def incident_rules() -> IncidentRules:
    """The rules as they are shipped; ``dataclasses.replace`` makes a bench's own."""
    content = tomllib.loads(resources.files("hil.sec.incidents").joinpath("rules.toml").read_text(encoding="utf-8"))
    settings = content["settings"]
    return IncidentRules(
        {name: Area(name, row["whose"], row["on_visit"], row["source"]) for name, row in content["area"].items()},
        {name: tuple(after) for name, after in content["states"].items()},
        {int(category): hours * HOUR_S for category, hours in content["target_hours"].items()},
        settings["diagnostics_valid_hours"] * HOUR_S,
        settings["delay_hours"] * HOUR_S,
        settings["report_working_days"],
        _days_off(settings["holidays_of"], settings["holidays"]),
        content["major_report"],
    )


def _days_off(place: Mapping[str, str], more: Sequence[str]) -> Container[date]:
    """The bank holidays of a place, of every year that is asked for, and a bench's own days."""
    found = holidays.country_holidays(place["country"], subdiv=place["part"])
    found.append([date.fromisoformat(day) for day in more])
    return found


def after_working_days(seconds: float, days: int, days_off: Container[date]) -> float:
    """The end of the ``days``-th working day after the day of a bench time; Saturdays, Sundays and ``days_off`` do not count."""
    day = (EPOCH + timedelta(seconds=seconds)).date()
    left = days
    while left:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in days_off:
            left -= 1
    return (datetime(day.year, day.month, day.day, tzinfo=EPOCH.tzinfo) + timedelta(days=1) - EPOCH).total_seconds()
