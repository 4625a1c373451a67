"""Service Request details: three months live, seven years archived (SSI-06, SSI-07 [248])."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firmware_emu.ids import Eui64
from hil.dcc.base.requests import Requests, StoredRequest
from hil.dcc.base.store import DccStore, Row
from hil.dcc.base.tables import create_tables
from hil.ssi.settings import PageSettings

DAY_S = 86400.0
YEAR_S = 366 * DAY_S
"""Leap years count whole: at least seven years are kept."""


class RequestArchive:
    """The archive beside the DCC's own table of requests, which the gateway needs for ever to know repeats."""

    def __init__(self, store: DccStore, now: Callable[[], float], settings: PageSettings) -> None:
        create_tables(store, "hil.ssi")
        self._store = store
        self._now = now
        self._requests = Requests(store, now)
        self._settings = settings

    @property
    def live_since(self) -> float:
        """Requests received since are live."""
        return self._now() - self._settings.live_days * DAY_S

    def live(self, user: Eui64) -> list[StoredRequest]:
        """The user's live requests, the newest first."""
        return sorted(self._requests.all(user, since=self.live_since), key=lambda one: one.received)[::-1]

    def archive(self) -> int:
        """Copy what is no longer live into the archive; returns how many were new there."""
        with self._store.transaction():
            return sum(map(self._archive_one, self._requests.all(before=self.live_since)))

    def _archive_one(self, one: StoredRequest) -> int:
        return self._store.execute(
            "INSERT OR IGNORE INTO archived_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                one.name,
                str(one.user),
                str(one.target),
                one.variant,
                one.received,
                one.state.value,
                one.responded,
                one.xml,
                one.response,
                self._now(),
            ),
        )

    def archived(self, user: Eui64) -> Sequence[Row]:
        """The user's archived requests, the newest first."""
        return self._store.rows("SELECT * FROM archived_requests WHERE user = ? ORDER BY received DESC", (str(user),))

    def purge(self) -> int:
        """Drop what has been kept for the whole time; never anything younger."""
        return self._store.execute(
            "DELETE FROM archived_requests WHERE received < ?", (self._now() - self._settings.archive_years * YEAR_S,)
        )
