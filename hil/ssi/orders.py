"""Suppliers forecast and order hubs (SSI-09 [248])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.services import SUPPLIERS
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.own_services.wan_matrix import WanMatrix
from hil.dcc.parties.users import EnteredUsers
from hil.sec.charging.distribution import Distribution, hub_distribution

KINDS = ("forecast", "order")
MOST_HUBS = 1_000_000


class OrderError(CommsHubError):
    """A forecast or order of hubs that cannot be taken."""


@dataclass(frozen=True, slots=True)
class HubOrder:
    """So many hubs for a postcode in a month; a forecast or an order."""

    number: int
    kind: str
    month: Month
    postcode: str
    hubs: int


class HubOrders:
    """Forecasts and orders in the DCC's store."""

    def __init__(self, store: DccStore, now: Callable[[], float]) -> None:
        create_tables(store, "hil.ssi")
        self._store = store
        self._now = now

    def place(self, user: Eui64, kind: str, month: Month, postcode: str, hubs: int) -> HubOrder:
        """Forecast or order. Raises OrderError."""
        if not EnteredUsers(self._store).roles(user) & SUPPLIERS:
            raise OrderError("suppliers forecast and order hubs [248]")
        if kind not in KINDS or not 0 < hubs <= MOST_HUBS or not 5 <= len(postcode.strip()) <= 8:
            raise OrderError(f"read {kind} of {hubs} hubs for {postcode!r}, expected {' or '.join(KINDS)} of 1 or more for a full postcode")
        if month < Month.at(self._now()):
            raise OrderError(f"{month} is over: choose this month or a later one")
        number = self._store.insert(
            "hub_orders", user=str(user), kind=kind, month=str(month), postcode=postcode.strip().upper(), hubs=hubs, placed=self._now()
        )
        return next(one for one in self.placed(user) if one.number == number)

    def placed(self, user: Eui64) -> tuple[HubOrder, ...]:
        """The user's own, by month."""
        rows = self._store.rows("SELECT * FROM hub_orders WHERE user = ? ORDER BY month, number", (str(user),))
        return tuple(HubOrder(row["number"], row["kind"], Month.parse(row["month"]), row["postcode"], row["hubs"]) for row in rows)

    def distribution(self, user: Eui64, month: Month) -> Distribution:
        """Which hubs the user's orders of a month need, by the coverage data."""
        wanted: dict[str, int] = {}
        for one in self.placed(user):
            if one.kind == "order" and one.month == month:
                wanted[one.postcode] = wanted.get(one.postcode, 0) + one.hubs
        return hub_distribution(WanMatrix(self._store), wanted)
