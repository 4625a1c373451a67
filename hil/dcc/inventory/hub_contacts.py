"""When each hub greeted the DCC, first and last."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore


@dataclass(frozen=True, slots=True)
class HubContacts:
    """The greetings in the DCC's store. Times are bench seconds since 2000."""

    store: DccStore

    def greeted(self, chf: Eui64, gpf: Eui64, boots: int, now: float) -> None:
        """The hub has greeted, after so many boots."""
        self.store.execute(
            "INSERT INTO hubs VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (chf) DO UPDATE SET gpf = excluded.gpf, boots = excluded.boots, last_contact = excluded.last_contact",
            (str(chf), str(gpf), boots, now, now),
        )

    def last(self, chf: Eui64) -> float | None:
        """When the hub greeted last, None if it never did."""
        row = self.store.row("SELECT last_contact FROM hubs WHERE chf = ?", (str(chf),))
        return None if row is None else float(row["last_contact"])
