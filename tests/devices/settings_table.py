"""Rows of the tables that the electricity meter is built from."""

from __future__ import annotations

import csv
from importlib import resources


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(resources.files("hil.devices.esme").joinpath(name).read_text(encoding="utf-8").splitlines()))
