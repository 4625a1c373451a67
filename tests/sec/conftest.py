"""The far end, for tests of the DCC and of what stands beside it."""

from __future__ import annotations

from tests.dcc.far_end import clock, far_end, run

__all__ = ["clock", "far_end", "run"]
