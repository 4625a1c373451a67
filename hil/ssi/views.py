"""Content of the page: plain rows out of the DCC's store, each limited to what the user asking is entitled to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from firmware_emu.clock import moment_text
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.alerts import alert_name
from firmware_emu.gbcs.dlms import AccessResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.answers.alert_table import DCC_ALERT, AlertRecord, AlertTable
from hil.dcc.base.months import Month
from hil.dcc.base.requests import STANDING, Requests, StoredRequest, said_steps
from hil.dcc.base.services import schedule
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.device_log import DeviceLogCopy, LogDifference, LogVersion, read_log
from hil.dcc.inventory.inventory import AuditLine, Device, Inventory
from hil.dcc.own_services.wan_matrix import WanMatrix
from hil.dcc.registration import Registration
from hil.sec.demand.demand import Demand, UsageReport
from hil.sec.incidents import IncidentLog
from hil.sec.incidents.desk import ServiceDesk
from hil.sec.measures import Performance, levels
from hil.sec.measures.performance import Statement
from hil.ssi.archive import RequestArchive
from hil.ssi.entitlement import Entitlement
from hil.ssi.hops import Hops
from hil.ssi.orders import HubOrders
from hil.ssi.settings import PageSettings

MOST_ALERTS = 500
"""A page of alerts holds no more. The bench's own figure."""
FOREIGN = "a Device of another party"


@dataclass(frozen=True, slots=True)
class TimedStep:
    """One step of a request as the store has it: when, and how long after the step before."""

    at: float
    after_s: float
    text: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One Device in the three-way comparison; a cell says what that source has."""

    device: str
    copy: str
    hub: str
    inventory: str


@dataclass(frozen=True, slots=True)
class LogComparison:
    """Copy, hub and inventory of one hub."""

    chf: Eui64
    version: LogVersion | None
    read_at: float | None
    lines: tuple[LogLine, ...]
    differences: tuple[LogDifference, ...]


class Views:
    """Everything the page reads. Built on a running DCC's store, or on one that another process writes."""

    def __init__(self, store: DccStore, now: Callable[[], float], settings: PageSettings, trace: Trace | None = None) -> None:
        self.store = store
        self.now = now
        self.inventory = Inventory(store, now)
        self.registration = Registration(store)
        self.logs = DeviceLogCopy(store, self.inventory, now)
        self.incidents = IncidentLog(store, self.inventory, self.registration, self.logs, now, trace)
        self.desk = ServiceDesk(store, self.incidents, now)
        self.performance = Performance(store, self.incidents, now)
        self.demand = Demand(store, now)
        self.coverage = WanMatrix(store)
        self.requests_table = Requests(store, now)
        self.alert_table = AlertTable(store)
        self.archive = RequestArchive(store, now, settings)
        self.orders = HubOrders(store, now)
        self.entitlement = Entitlement(self.inventory, self.registration)
        self.hops = Hops(trace)

    def stamp(self, user: Eui64) -> str:
        """Changes when something of this user's does, and with nobody else's."""
        changed = self.store.row(  # one read over three tables, which their modules could only answer row by row
            "SELECT max(number) AS line FROM audit JOIN devices ON devices.eui = audit.device JOIN registration ON registration.user = ? "
            "AND registration.mpxn IN (devices.import_mpxn, devices.export_mpan, devices.secondary_mpan)",
            (str(user),),
        )
        return "/".join(
            (
                self.requests_table.fingerprint(user),
                self.alert_table.fingerprint(user),
                self.incidents.fingerprint(user),
                str(None if changed is None else changed["line"]),
            )
        )

    # Inventory

    def devices(self, user: Eui64, search: str = "") -> tuple[Device, ...]:
        """The user's Devices, those that have ``search`` in identifier, type, status, MPxN, model or postcode."""
        words = search.upper().split()
        return tuple(one for one in self.entitlement.devices(user, self.now()) if all(word in _text(one) for word in words))

    def device(self, user: Eui64, eui: Eui64) -> Device | None:
        """One of the user's Devices."""
        return self.entitlement.device(user, eui, self.now())

    def history(self, user: Eui64, device: Device) -> tuple[AuditLine, ...]:
        """A Device's audit lines; the request that made a change is the user's own to see only."""
        lines = self.inventory.audit(device.eui)
        return tuple(line if line.user in (None, user) else replace(line, request=None, user=None) for line in lines)

    # Device log

    def comparison(self, user: Eui64, chf: Eui64) -> LogComparison | None:
        """The DCC's copy, the hub's own log as this user last read it (8.9), and the inventory; None for another party's hub."""
        own = {one.eui for one in self.entitlement.devices(user, self.now())}
        if chf not in own:
            return None
        copy, (hub, read_at) = self.logs.copy(chf), self._hub_log(user, chf)
        copied = {} if copy is None else copy.entries
        listed = set(self.inventory.on_hub(chf))
        known = {one.eui for one in self.inventory.devices()}
        lines = []
        for eui in sorted({*copied, *(hub or {}), *listed}):
            device = self.inventory.device(eui)
            shown = str(eui) if eui in own or eui not in known else FOREIGN
            inventory = f"{device.type.name}, {device.status}" if device is not None and eui in listed else "on another hub"
            inventory = "not listed" if device is None else inventory if eui in own else "not yours to see"
            lines.append(LogLine(shown, _entry(copied, eui), "not read" if hub is None else _entry(hub, eui), inventory))
        differences = tuple(one for one in self.logs.compare(chf, hub) if one.device in own or one.device not in known)
        return LogComparison(chf, copy, read_at, tuple(lines), differences)

    def _hub_log(self, user: Eui64, chf: Eui64) -> tuple[Mapping[Eui64, bytes | None] | None, float | None]:
        for one in self.requests_table.answered(user, chf, "8.9"):
            try:
                message = Message.decode(one.response or b"")
                payload = decode_payload(message)
                if isinstance(payload, AccessResponse):
                    return read_log(message.message_code, payload)[0], one.responded
            except DecodeError:
                continue  # an answer that says no holds no log; an older one may
        return None, None

    # Requests

    def requests(self, user: Eui64) -> list[dict[str, object]]:
        """The user's live requests."""
        return [_request(row) for row in self.archive.live(user)]

    def request(self, user: Eui64, name: str) -> tuple[dict[str, object], tuple[TimedStep, ...]] | None:
        """One of the user's own requests with its steps."""
        stored = self.requests_table.find(name)
        if stored is None or stored.user != user:
            return None
        found = [(at, text) for column, text in said_steps() if (at := stored.stamps[column]) is not None]
        found.sort(key=lambda one: one[0])  # steps of one moment stay in their order
        steps = [TimedStep(found[0][0], 0.0, found[0][1])] if found else []
        steps += [TimedStep(now, now - before, text) for (before, _), (now, text) in pairwise(found)]
        return _request(stored), tuple(steps)

    # Alerts

    def alerts(self, user: Eui64) -> list[dict[str, object]]:
        """Alerts to this user, the newest first."""
        return [
            {
                "time": moment(one.time),
                "kind": "DCC Alert" if one.kind == DCC_ALERT else "Device Alert",
                "code": one.code,
                "meaning": _meaning(one),
                "device": str(one.device),
                "state": one.state.value,
                "reason": one.reason,
                "after_s": None if one.delivered is None else round(one.delivered - one.clock_start, 1),
                "throttled": one.throttled_count,
            }
            for one in self.alert_table.last_to(user, MOST_ALERTS)
        ]

    # Measures and demand

    def measures(self, month: Month) -> tuple[Statement, ...]:
        """The five measures of the whole system."""
        return tuple(self.performance.statement(one.number, month) for one in levels())

    def usage(self, user: Eui64, month: Month) -> UsageReport:
        """The user's own usage against its forecast."""
        return self.demand.report(user, month)

    # Portfolio

    def portfolio(self, user: Eui64) -> list[dict[str, str | int]]:
        """The user's Devices counted by kind, maker, model, firmware and status (SSI-13 [241])."""
        counted = Counter(
            (one.type.name, one.manufacturer, one.model, one.firmware, one.status) for one in self.entitlement.devices(user, self.now())
        )
        return [
            {"type": kind, "manufacturer": maker, "model": model, "firmware": firmware, "status": status, "devices": count}
            for (kind, maker, model, firmware, status), count in sorted(counted.items())
        ]

    def diagnose(self, user: Eui64, text: str) -> tuple[int, Sequence[str], Eui64] | None:
        """Remote diagnostics on one of the user's Devices."""
        try:
            eui = Eui64.parse(text)
        except CommsHubError:
            return None
        if self.device(user, eui) is None:
            return None
        found = self.incidents.diagnose(user, eui)
        return found.number, found.findings, eui


def _text(device: Device) -> str:
    words = (
        str(device.eui),
        device.eui.duis,
        device.type.name,
        device.status,
        *device.mpxns,
        device.manufacturer,
        device.model,
        device.firmware,
        device.postcode or "",
    )
    return " ".join(words).upper()


def _entry(entries: Mapping[Eui64, bytes | None], eui: Eui64) -> str:
    if eui not in entries:
        return "missing"
    held = entries[eui]
    return "listed" if held is None else "with link key" if held else "without link key"


def _request(stored: StoredRequest) -> dict[str, object]:
    service = schedule()[stored.variant]
    return {
        "request": stored.name,
        "variant": stored.variant,
        "name": service.name,
        "target": str(stored.target),
        "state": stored.state.value,
        "received": moment(stored.received),
        "critical": service.critical,
        "hub": None if stored.chf is None else str(stored.chf),
        "took_s": None if stored.responded is None else round(stored.responded - stored.received, 1),
        "waits_for": STANDING[stored.state].waits_for,
        "next": STANDING[stored.state].next,
    }


def moment(seconds: float | None) -> str:
    """A bench time for people, UTC."""
    return "" if seconds is None else moment_text(seconds)


def _meaning(alert: AlertRecord) -> str:
    """The name of its code: a DCC Alert has its own with it, GBCS names those of Devices."""
    return str(alert.detail.get("meaning", "")) if alert.kind == DCC_ALERT else alert_name(int(alert.code, 16))
