"""Limits of the connector, each ``{value, unit, source, confidence}``; nothing invented is ever called a specification."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.board import board_folders
from firmware_emu.errors import BoardError, in_toml, one_of
from ichis.uart import LineProfile

_NUMBERS = {
    "supply_nominal": "V",
    "supply_tolerance_low": "V",
    "supply_tolerance_high": "V",
    "supply_difference_max": "V",
    "ripple_max": "V",
    "current_continuous_max": "A",
    "current_peak_max": "A",
    "current_off_max": "A",
    "power_max": "W",
    "inrush_peak": "A",
    "input_capacitance_max": "F",
    "holdup_time": "s",
    "brownout_threshold": "V",
    "brownout_recovery": "V",
    "host_holdup_time": "s",
    "host_start_time": "s",
    "signal_voh": "V",
    "signal_vol": "V",
    "signal_vih": "V",
    "signal_vil": "V",
    "contact_resistance_max": "ohm",
    "open_resistance_min": "ohm",
    "presence_debounce": "s",
    "power_on_delay_after_presence": "s",
    "ac_lost_assert_time": "s",
    "ac_lost_release_time": "s",
    "last_gasp_time": "s",
    "outage_threshold": "s",
    "installation_time": "s",
    "endurance_cycles": "cycles",
    "uart_baud": "baud",
    "uart_bits": "bits",
    "uart_stop": "bits",
    "uart_baud_tolerance": "%",
    "hub_reading_error_max": "V",
}
_TEXTS = {"uart_parity": ("none", "even", "odd"), "uart_polarity": ("inverted", "normal")}
_RISING = (
    ("brownout_threshold", "brownout_recovery"),
    ("brownout_recovery", "supply_tolerance_low"),
    ("supply_tolerance_low", "supply_nominal"),
    ("supply_nominal", "supply_tolerance_high"),
    ("current_continuous_max", "current_peak_max"),
    ("signal_vol", "signal_vil"),
    ("signal_vil", "signal_vih"),
    ("signal_vih", "signal_voh"),
    ("contact_resistance_max", "open_resistance_min"),
)
_CONFIDENCE = ("quoted", "inferred", "recalled", "not established")
_HOSTS = ("meter", "hot shoe")


@dataclass(frozen=True, slots=True)
class ProfileLimit:
    """One figure with where it comes from."""

    value: float
    unit: str
    source: str
    confidence: str

    @property
    def profile_supplied(self) -> bool:
        """True if no published source states the figure."""
        return self.source == "profile"


@dataclass(frozen=True, slots=True)
class ProfileChoice:
    """One choice with where it comes from; the unit in the file is ``text``."""

    value: str
    source: str
    confidence: str

    @property
    def profile_supplied(self) -> bool:
        """True if no published source states it."""
        return self.source == "profile"


@dataclass(frozen=True, slots=True)
class InterfaceProfile:
    """One profile file. ``host`` is ``meter`` or ``hot shoe``; ``version`` says which interface text it stands on."""

    name: str
    version: str
    host: str
    limits: Mapping[str, ProfileLimit]
    choices: Mapping[str, ProfileChoice]
    not_measured: tuple[str, ...] = ()
    """Points that a full specification would limit and no check of this bench measures."""

    def __getitem__(self, key: str) -> float:
        """The value of a limit."""
        return self.limits[key].value

    @property
    def line(self) -> LineProfile:
        """Settings of the serial pair."""
        return LineProfile(
            self["uart_baud"],
            int(self["uart_bits"]),
            self.choices["uart_parity"].value,
            self["uart_stop"],
            self.choices["uart_polarity"].value == "inverted",
        )


def load_profile(name: str) -> InterfaceProfile:
    """The profile of that name (``board_configs/NAME.toml``) or path.

    Raises BoardError with the key for a missing, mistyped or contradictory value.
    """
    path = (
        Path(name)
        if name.endswith(".toml")
        else next((folder / f"{name}.toml" for folder in board_folders() if (folder / f"{name}.toml").is_file()), Path(f"{name}.toml"))
    )
    file = str(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise BoardError(file, "", f"cannot be read ({wrong.strerror}): expected a profile such as ichis_default") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise BoardError(file, "", f"not TOML: {wrong}") from wrong
    limits = {key: _limit(file, key, table.get(key), unit) for key, unit in _NUMBERS.items()}
    choices = {key: _choice(file, key, table.get(key), expected) for key, expected in _TEXTS.items()}
    left_out = tuple(table.get("not_measured", ()))
    profile = InterfaceProfile(table.get("name", ""), table.get("version", ""), table.get("host", ""), limits, choices, left_out)
    for below, above in _RISING:
        if profile[below] >= profile[above]:
            raise BoardError(file, below, f"{profile[below]:g} is not below {above} = {profile[above]:g}")
    unknown = sorted(set(table) - set(limits) - set(choices) - {"name", "version", "host", "not_measured"})
    if unknown:
        raise BoardError(file, unknown[0], f"no such limit: expected {one_of(unknown[0], (*limits, *choices))}")
    if profile.host == "gas meter":
        raise BoardError(file, "host", "a gas meter as host is an option that is switched off: expected 'meter' or 'hot shoe'")
    if profile.host not in _HOSTS:
        raise BoardError(file, "host", f"{in_toml(profile.host)}: expected 'meter' or 'hot shoe'")
    for key in ("name", "version"):
        if not isinstance(table.get(key), str):
            raise BoardError(file, key, f"{in_toml(table.get(key))}: expected text")
    try:
        _ = profile.line
    except ValueError as wrong:
        raise BoardError(file, "uart_bits", str(wrong)) from wrong
    return profile


def _row(file: str, key: str, row: object, unit: str) -> dict[str, object]:
    if not isinstance(row, dict):
        raise BoardError(file, key, f"missing: expected a table with value, unit = {unit!r}, source and confidence")
    for field in ("value", "unit", "source", "confidence"):
        if field not in row:
            raise BoardError(file, f"{key}.{field}", "missing")
    if row["unit"] != unit:
        raise BoardError(file, f"{key}.unit", f"{in_toml(row['unit'])}: expected {unit!r}")
    if row["confidence"] not in _CONFIDENCE:
        raise BoardError(file, f"{key}.confidence", f"{in_toml(row['confidence'])}: expected {one_of(row['confidence'], _CONFIDENCE)}")
    return row


def _limit(file: str, key: str, table: object, unit: str) -> ProfileLimit:
    row = _row(file, key, table, unit)
    value = row["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BoardError(file, f"{key}.value", f"{in_toml(value)}: expected a number that is not negative")
    return ProfileLimit(float(value), unit, str(row["source"]), str(row["confidence"]))


def _choice(file: str, key: str, table: object, expected: tuple[str, ...]) -> ProfileChoice:
    row = _row(file, key, table, "text")
    if row["value"] not in expected:
        raise BoardError(file, f"{key}.value", f"{in_toml(row['value'])}: expected {one_of(row['value'], expected)}")
    return ProfileChoice(str(row["value"]), str(row["source"]), str(row["confidence"]))
