"""Areas in which no system is enrolled: the statement of service exemptions (sec2-rules; H5.4)."""

from __future__ import annotations

from dataclasses import dataclass

from hil.dcc.base.store import DccStore


@dataclass(frozen=True, slots=True)
class Exemptions:
    """Postcode areas by their beginning, each with the statement that exempts it."""

    store: DccStore

    def exempt(self, area: str, statement: str) -> None:
        """Premises whose postcode begins with ``area`` are exempt."""
        self.store.execute("INSERT OR REPLACE INTO exempt_areas VALUES (?, ?)", (_plain(area), statement))

    def area_of(self, postcode: str | None) -> str | None:
        """The exempt area that a postcode is in, None outside all of them."""
        if not postcode:
            return None
        rows = self.store.rows("SELECT area FROM exempt_areas ORDER BY length(area) DESC")
        return next((str(row["area"]) for row in rows if _plain(postcode).startswith(row["area"])), None)


def _plain(postcode: str) -> str:
    return "".join(postcode.split()).upper()
