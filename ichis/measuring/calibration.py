"""The file of one instrument: serial number, when it was calibrated and is due again, by whom, and its accuracy by range."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from firmware_emu.errors import BoardError, one_of
from ichis.measuring.dialect import accuracy_of
from ichis.measuring.latency import OffLatency
from ichis.measuring.reading import Accuracy

_KEYS = {"serial", "calibrated", "due", "certificate", "laboratory", "accuracy", "off_latency"}


@dataclass(frozen=True, slots=True)
class Calibration:
    """One instrument's calibration. ``accuracy`` is empty where the file leaves that to the dialect's data sheet."""

    serial: str
    calibrated: date
    due: date
    certificate: str
    laboratory: str
    accuracy: Mapping[str, Accuracy]
    off_latency: OffLatency | None = None
    """As `chub ichis loopback` measured it with this instrument on this station."""

    def overdue(self, today: date) -> bool:
        """True if its calibration has run out."""
        return today > self.due


def load_calibration(path: Path, idn: str) -> Calibration:
    """The file of the instrument that answers ``idn``. Raises BoardError for a file that cannot be used or is another instrument's."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise BoardError(str(path), "", f"cannot be read ({wrong.strerror}): expected the file of an instrument") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise BoardError(str(path), "", f"not TOML: {wrong}") from wrong
    if unknown := sorted(set(table) - _KEYS):
        raise BoardError(str(path), unknown[0], f"no such key: expected {one_of(unknown[0], sorted(_KEYS))}")
    for key in ("calibrated", "due"):
        if type(table.get(key)) is not date:
            raise BoardError(str(path), key, f"{table.get(key)!r}: expected a date such as 2026-03-31")
    serial = str(table.get("serial", ""))
    if not serial or serial not in idn:
        raise BoardError(str(path), "serial", f"{serial!r} is not in the identity {idn!r}: this is the file of another instrument")
    try:
        accuracy = accuracy_of(table.get("accuracy", {}))
    except (KeyError, TypeError) as wrong:
        raise BoardError(
            str(path), "accuracy", f"cannot be read ({wrong}): expected source, basis and a list of ranges a quantity"
        ) from wrong
    try:
        latency = OffLatency(**table["off_latency"]) if "off_latency" in table else None
    except TypeError as wrong:
        raise BoardError(str(path), "off_latency", f"cannot be read ({wrong}): take what `chub ichis loopback` prints") from wrong
    return Calibration(
        serial, table["calibrated"], table["due"], str(table.get("certificate", "")), str(table.get("laboratory", "")), accuracy, latency
    )
