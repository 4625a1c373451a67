"""Refreshes of the registration data: asked for by the DCC, due two calendar days later (sec2-rules RG-04 [90, 91])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.registration.files import Fuel
from hil.dcc.registration.settings import FeedSettings


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh that was asked for. ``due`` is the end of the second calendar day after it (choice: days, not hours)."""

    number: int
    provider: Eui64
    fuel: Fuel
    asked: float
    due: float
    reason: str
    given: float | None


class Refreshes:
    """Refreshes that were asked for, in the DCC's store."""

    def __init__(self, store: DccStore, now: Callable[[], float], settings: FeedSettings) -> None:
        self._store = store
        self._now = now
        self._settings = settings

    def ask(self, provider: Eui64, fuel: Fuel, reason: str) -> Refresh:
        """Ask a provider for a whole new copy. Weekends count: the clock is in calendar days [90]."""
        asked = self._now()
        midnight = (EPOCH + timedelta(seconds=asked)).replace(hour=0, minute=0, second=0, microsecond=0)
        due = (midnight + timedelta(days=1 + self._settings.refresh_days) - EPOCH).total_seconds()
        number = self._store.insert("rdp_refreshes", provider=str(provider), fuel=fuel.value, asked=asked, due=due, reason=reason)
        return next(one for one in self.all() if one.number == number)

    def all(self) -> tuple[Refresh, ...]:
        """Every refresh that was asked for, oldest first."""
        return tuple(
            Refresh(row["number"], Eui64.parse(row["provider"]), Fuel(row["fuel"]), row["asked"], row["due"], row["reason"], row["given"])
            for row in self._store.rows("SELECT * FROM rdp_refreshes ORDER BY number")
        )

    def overdue(self) -> tuple[Refresh, ...]:
        """Those that are due and not given."""
        now = self._now()
        return tuple(one for one in self.all() if one.given is None and now >= one.due)

    def given(self, provider: Eui64, fuel: Fuel) -> None:
        """A refresh file of this provider was taken."""
        self._store.execute(
            "UPDATE rdp_refreshes SET given = ? WHERE provider = ? AND fuel = ? AND given IS NULL", (self._now(), str(provider), fuel.value)
        )
