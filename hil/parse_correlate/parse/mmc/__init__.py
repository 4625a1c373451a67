"""MMC XML of responses and alerts (Message Mapping Catalogue schema 5.4)."""

from __future__ import annotations

from hil.parse_correlate.parse.mmc.document import gaps, to_mmc

__all__ = ["gaps", "to_mmc"]
