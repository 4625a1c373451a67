"""Suppliers' reports on Communications Hubs (8.14): installed, installed without SM WAN, returned faulty, returned without fault.

The reports are kept as they came, in the words of DUIS 5.4; charging and incidents read them. What they change in the inventory
(choices): an installation without SM WAN leaves the hub InstalledNotCommissioned (its first contact commissions it later), and a
returned hub is Decommissioned, since it has left the premises [177].
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.base.refusals import OwnServiceRefused
from hil.dcc.base.store import DccStore
from hil.dcc.duis.request import Node, text
from hil.dcc.gateway.arrival import Arrival
from hil.dcc.inventory.inventory import Inventory

INSTALLED, INSTALLED_NO_WAN, FAULT_RETURN, NO_FAULT_RETURN = "8.14.1", "8.14.2", "8.14.3", "8.14.4"


@dataclass(frozen=True, slots=True)
class HubReport:
    """One 8.14. ``details`` holds every element of its body by name."""

    number: int
    time: float
    chf: Eui64
    user: Eui64
    request: str
    variant: str
    mpxn: str | None
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HubReports:
    """The reports in the DCC's store."""

    store: DccStore
    inventory: Inventory
    now: Callable[[], float]

    def take(self, arrival: Arrival) -> Mapping[str, object]:
        """8.14.1 to 8.14.4. Raises OwnServiceRefused, InventoryRefusal."""
        body, variant = Node(arrival.request.body), arrival.service.variant
        chf, request = body.eui("DeviceID"), str(arrival.request.request_id)
        if self.inventory.device(chf) is None:
            raise OwnServiceRefused("own-not-listed", eui=chf)
        self.store.insert(
            "hub_reports",
            time=self.now(),
            chf=str(chf),
            user=str(arrival.sender),
            request=request,
            variant=variant,
            mpxn=text(arrival.request, "MPxN"),
            details=json.dumps({child.name: child.text().strip() for child in body.children()}),
        )
        event = {INSTALLED_NO_WAN: "8.4 InstalledNotCommissioned", FAULT_RETURN: "decommissioned", NO_FAULT_RETURN: "decommissioned"}
        if variant in event and self.inventory.may_move(chf, event[variant]):
            reason = f"{variant}: {arrival.service.name}"
            self.inventory.move(chf, event[variant], reason=reason, user=arrival.sender, request=request)
        return {}

    def of(self, chf: Eui64 | None = None) -> tuple[HubReport, ...]:
        """The reports about one hub, or about all, oldest first."""
        return tuple(
            HubReport(
                row["number"],
                row["time"],
                Eui64.parse(row["chf"]),
                Eui64.parse(row["user"]),
                row["request"],
                row["variant"],
                row["mpxn"],
                json.loads(row["details"]),
            )
            for row in self.store.rows("SELECT * FROM hub_reports ORDER BY number")
            if chf is None or row["chf"] == str(chf)
        )
