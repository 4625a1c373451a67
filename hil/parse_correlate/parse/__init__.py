"""Parse: what a Device answered or reported, in names and values, with encrypted parts opened by the user's key."""

from __future__ import annotations

from .fields import Field
from .mmc import MmcError, gaps, to_mmc
from .reading import Parsed, parse

__all__ = ["Field", "MmcError", "Parsed", "gaps", "parse", "to_mmc"]
