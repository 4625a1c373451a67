"""Settings of the registration data feed (``settings.toml``), each with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """Times are bench seconds. ``dataclasses.replace(feed_settings(), master="DCC")`` makes a bench's own."""

    format: str
    transfer: str
    frequency_s: float
    overdue_after_s: float
    master: str
    refresh_days: int
    rows_per_file: int
    files_per_window: int
    window_s: float
    peak_files: int
    peak_s: float
    batch_rows: int
    spacing_s: float
    recurrence: int
    non_domestic_source: str
    supplier_figures: bool


@cache
def _content() -> dict[str, dict[str, str | int | float | bool]]:
    return tomllib.loads(resources.files("hil.dcc.registration").joinpath("settings.toml").read_text(encoding="utf-8"))


@cache
def feed_settings() -> FeedSettings:
    """The values of settings.toml."""
    return FeedSettings(**{field.name: _content()[field.name]["value"] for field in fields(FeedSettings)})  # type: ignore[arg-type]


def feed_setting_sources() -> dict[str, str]:
    """Source of each value."""
    return {name: str(entry["source"]) for name, entry in _content().items()}
