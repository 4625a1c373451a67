"""MMC XML of responses and alerts (Message Mapping Catalogue schema 5.4)."""

from __future__ import annotations

from .document import MmcError, gaps, to_mmc

__all__ = ["MmcError", "gaps", "to_mmc"]
