"""The DCC's remote diagnostics, which a user tries before it raises an incident (IM-04 [226, 227])."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.clock import moment_text
from firmware_emu.ids import Eui64
from hil.dcc.answers.alert_table import OutageTable
from hil.dcc.answers.answers import strays_from
from hil.dcc.base.requests import Requests
from hil.dcc.base.store import DccStore
from hil.dcc.dcc import Dcc
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.hub_contacts import HubContacts
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.parties.users import User


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Findings of remote diagnosis of one Device, in sentences. ``number`` is named when an incident is raised."""

    number: int
    time: float
    user: Eui64
    device: Eui64
    findings: tuple[str, ...]


class Diagnostics:
    """Reads what the DCC knows of a Device: status, hub contact, outage, device log, unanswered requests, strays."""

    def __init__(self, store: DccStore, inventory: Inventory, logs: DeviceLogCopy, now: Callable[[], float]) -> None:
        self._store = store
        self._inventory = inventory
        self._logs = logs
        self._now = now

    def run(self, user: Eui64, device: Eui64, asked: str | None = None) -> Diagnosis:
        """Diagnose, and record that ``user`` did. ``asked`` is what the Device itself said (:func:`ask`), None where nobody asked it."""
        findings = (*self._findings(device), asked or "the Device itself was not asked")
        number = self._store.insert(
            "incident_diagnostics", time=self._now(), user=str(user), device=str(device), findings=json.dumps(findings)
        )
        return Diagnosis(number, self._now(), user, device, findings)

    def recorded(self, number: int) -> Diagnosis | None:
        """A diagnosis made before."""
        row = self._store.row("SELECT * FROM incident_diagnostics WHERE number = ?", (number,))
        if row is None:
            return None
        found = tuple(json.loads(row["findings"]))
        return Diagnosis(number, row["time"], Eui64.parse(row["user"]), Eui64.parse(row["device"]), found)

    def _findings(self, eui: Eui64) -> list[str]:
        device = self._inventory.device(eui)
        if device is None:
            return [f"{eui} is not in the inventory"]
        hub = self._inventory.hub_of(eui)
        enrolled = "enrolled" if self._inventory.enrolled(eui) else "not enrolled"
        found = [f"{device.type.name} {eui} is {device.status} since {moment_text(device.since)}, {enrolled}"]
        if hub is None:
            return [*found, "it is on no hub: nothing can be asked of it over the SM WAN"]
        contact = HubContacts(self._store).last(hub)
        found.append(f"hub {hub} never connected" if contact is None else f"hub {hub} greeted last at {moment_text(contact)}")
        outage = OutageTable(self._store).of(hub)
        if outage is not None:
            found.append(f"hub {hub} reported a loss of supply at {moment_text(outage.began)} and has not come back")
        found += [difference.sentence for difference in self._logs.compare(hub) if eui in (hub, difference.device)]
        unanswered = Requests(self._store, self._now).unanswered_by(eui, 3)
        found += [f"service {one.variant} of {moment_text(one.received)} was not answered" for one in unanswered]
        if astray := strays_from(self._store, hub):
            found.append(f"{astray} messages from hub {hub} reached nobody")
        return found


async def ask(dcc: Dcc, user: User, device: Eui64, wait_s: float | None = None) -> str:
    """Ask the Device itself over the whole chain, in the user's name, for the firmware it runs (11.2), and tell what came of it [226].

    ``wait_s``: bench seconds to wait for its answer, the profile's if None."""
    outcome = await dcc.send(user, dcc.request(user, "11.2", device), wait_s=wait_s)
    if not outcome.ok:
        return f"the Device was asked (11.2) and gave no answer: {outcome.why}"
    took = outcome.finished - outcome.started
    return f"the Device was asked (11.2) and answered after {took:.1f} s: it runs firmware {dcc.inventory.listed(device).firmware}"
