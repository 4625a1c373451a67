"""The published templates in an order in which none spoils the next."""

from __future__ import annotations

from pathlib import Path

SPOILS = ("8.3_", "8.4_", "8.14.", "CS02b", "CS04", "CCS01", "CCS02")
"""Beginnings of the templates after which the home is another."""


def in_order(duis: Path) -> list[Path]:
    """The templates, those last after which the home is another."""
    return sorted((duis / "templates").glob("*.XML"), key=lambda path: (path.name.startswith(SPOILS), path.name))
