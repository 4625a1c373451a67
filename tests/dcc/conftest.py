"""The far end of tests/dcc/core, for the rules that stand beside the gateway (registration, incidents, measures, page ...)."""

from __future__ import annotations

from core.conftest import far_end, keys, keystore, run

__all__ = ["far_end", "keys", "keystore", "run"]
