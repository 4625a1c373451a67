"""Parse: what a Device answered or reported, in names and values, with encrypted parts opened by the user's key."""

from __future__ import annotations

from .mmc import MmcError, gaps, to_mmc
from .reading import Field, Parsed, parse

__all__ = ["Field", "MmcError", "Parsed", "gaps", "parse", "to_mmc"]
