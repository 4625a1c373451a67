"""Limits of the connector, each ``{value, unit, source, confidence}``; nothing invented is ever called a specification."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.board import board_folders
from firmware_emu.errors import BoardError

_REQUIRED = {
    "supply_nominal": "V", "supply_tolerance_low": "V", "supply_tolerance_high": "V",
    "current_continuous_max": "A", "current_peak_max": "A", "power_max": "W", "input_capacitance_max": "F",
    "holdup_time": "s", "brownout_threshold": "V", "brownout_recovery": "V", "host_holdup_time": "s",
    "ac_lost_assert_time": "s", "ac_lost_release_time": "s", "presence_debounce": "s", "outage_threshold": "s",
    "uart_baud": "baud",
}
_RISING = (
    ("brownout_threshold", "brownout_recovery"), ("brownout_recovery", "supply_tolerance_low"),
    ("supply_tolerance_low", "supply_nominal"), ("supply_nominal", "supply_tolerance_high"), ("current_continuous_max", "current_peak_max"),
)
_CONFIDENCE = ("quoted", "inferred", "recalled", "not established")


@dataclass(frozen=True, slots=True)
class Limit:
    """One figure with where it comes from."""

    value: float
    unit: str
    source: str
    confidence: str

    @property
    def profile_supplied(self) -> bool:
        """Whether no published source states the figure."""
        return self.source == "profile"


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile file. ``host`` is ``meter`` or ``hot shoe``; ``version`` says which interface text it stands on."""

    name: str
    version: str
    host: str
    limits: Mapping[str, Limit]

    def __getitem__(self, key: str) -> float:
        """The value of a limit."""
        return self.limits[key].value


def load_profile(name: str) -> Profile:
    """The profile of that name (``board_configs/NAME.toml``) or path.

    Raises BoardError with the key for a missing, mistyped or contradictory value.
    """
    path = Path(name) if name.endswith(".toml") else next(
        (folder / f"{name}.toml" for folder in board_folders() if (folder / f"{name}.toml").is_file()), Path(f"{name}.toml"))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise BoardError(str(path), "", f"cannot be read ({wrong.strerror}): expected a profile such as ichis_default") from wrong
    except tomllib.TOMLDecodeError as wrong:
        raise BoardError(str(path), "", f"not TOML: {wrong}") from wrong
    limits = {key: _limit(str(path), key, table.get(key), unit) for key, unit in _REQUIRED.items()}
    for below, above in _RISING:
        if limits[below].value >= limits[above].value:
            raise BoardError(str(path), below, f"{limits[below].value} is not below {above} = {limits[above].value}")
    unknown = sorted(set(table) - set(_REQUIRED) - {"name", "version", "host"})
    if unknown:
        raise BoardError(str(path), unknown[0], f"no such limit: expected one of {', '.join(_REQUIRED)}")
    if table.get("host") not in ("meter", "hot shoe"):
        raise BoardError(str(path), "host", f"{table.get('host')!r}: expected 'meter' or 'hot shoe'")
    for key in ("name", "version"):
        if not isinstance(table.get(key), str):
            raise BoardError(str(path), key, f"{table.get(key)!r}: expected text")
    return Profile(table["name"], table["version"], table["host"], limits)


def _limit(file: str, key: str, row: object, unit: str) -> Limit:
    if not isinstance(row, dict):
        raise BoardError(file, key, f"missing: expected a table with value, unit = {unit!r}, source and confidence")
    for field in ("value", "unit", "source", "confidence"):
        if field not in row:
            raise BoardError(file, f"{key}.{field}", "missing")
    if isinstance(row["value"], bool) or not isinstance(row["value"], int | float) or row["value"] < 0:
        raise BoardError(file, f"{key}.value", f"{row['value']!r}: expected a number that is not negative")
    if row["unit"] != unit:
        raise BoardError(file, f"{key}.unit", f"{row['unit']!r}: expected {unit!r}")
    if row["confidence"] not in _CONFIDENCE:
        raise BoardError(file, f"{key}.confidence", f"{row['confidence']!r}: expected one of {', '.join(_CONFIDENCE)}")
    return Limit(float(row["value"]), row["unit"], str(row["source"]), row["confidence"])
