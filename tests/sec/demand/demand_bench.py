"""A demand desk on a store of its own, with requests and counts put into it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from firmware_emu.clock import EPOCH
from hil.dcc.base.months import Month
from hil.dcc.base.store import DccStore
from hil.sec.demand.demand import Demand
from tests.dcc.far_end import NETWORK, OTHER, SUPPLIER


class Desk:
    """A demand desk on a store of its own."""

    def __init__(self, path: Path | None = None) -> None:
        self.now = (datetime(2026, 2, 20, tzinfo=UTC) - EPOCH).total_seconds()
        self.store = DccStore(path)
        for eui, role in ((SUPPLIER, "IS"), (NETWORK, "ED"), (OTHER, "OU")):
            self.store.execute("INSERT INTO users (eui, role) VALUES (?, ?)", (str(eui), role))
        self.demand = Demand(self.store, lambda: self.now)

    def sent(self, user: object, variant: str, month: Month, times: int = 1) -> None:
        for n in range(times):
            name = f"{user}:{variant}:{month}:{n}"
            received = month.begins + 60 * n
            self.store.insert(
                "requests", request=name, user=str(user), target="", variant=variant, received=received, state="responded", xml=b""
            )

    def enrolled(self, user: object, month: Month, systems: int) -> None:
        self.store.insert("enrolled_counts", user=str(user), month=str(month), systems=systems, counted=0.0)
