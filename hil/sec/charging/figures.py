"""The figures of the calculators (``figures.toml``), each with unit and source, so that a bench may read or replace one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class ChargeFigure:
    """One figure. ``source`` names the paragraph, or says that it is profile-supplied."""

    name: str
    value: Decimal
    unit: str
    source: str


@cache
def figures() -> Mapping[str, ChargeFigure]:
    """All of them by name."""
    content = tomllib.loads(resources.files("hil.sec.charging").joinpath("figures.toml").read_text(encoding="utf-8"))
    return {name: ChargeFigure(name, Decimal(row["value"]), row["unit"], row["source"]) for name, row in content.items()}


def figure(name: str) -> Decimal:
    """The value of one figure. Raises KeyError."""
    return figures()[name].value
