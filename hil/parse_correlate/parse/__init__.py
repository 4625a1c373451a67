"""Parse: what a Device answered or reported, in names and values, with encrypted parts opened by the user's key.

Imports nothing of the transform: a reader must not inherit a writer's mistakes.
"""

from __future__ import annotations

from hil.parse_correlate.parse.mmc import gaps, to_mmc
from hil.parse_correlate.parse.reading import Parsed, parse

__all__ = ["Parsed", "gaps", "parse", "to_mmc"]
