"""A home with two suppliers (electricity and gas) in the inventory, without a hub that runs, and the incident log on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration import Registration
from hil.sec.incidents import IncidentLog
from hil.sec.incidents.desk import ServiceDesk
from hil.sec.incidents.major import MajorIncidents
from tests.dcc.far_end import CHF, ESME, GPF, GSME, MPAN, NETWORK, OTHER, SECOND, SUPPLIER

MPRN = "7400012345"


GAS = SECOND


class Bench:
    """``now`` is turned by the tests: Monday 5 January 2026, noon, at first."""

    def __init__(self, path: Path | None = None) -> None:
        self.now = (datetime(2026, 1, 5, 12, tzinfo=UTC) - EPOCH).total_seconds()
        self.store = DccStore(path)
        self.inventory = Inventory(self.store, lambda: self.now)
        self.registration = Registration(self.store)
        for eui, role in ((SUPPLIER, "IS"), (GAS, "GS"), (NETWORK, "ED"), (OTHER, "OU")):
            self.store.execute("INSERT INTO users (eui, role) VALUES (?, ?)", (str(eui), role))
        for eui, kind in ((CHF, DeviceType.CHF), (GPF, DeviceType.GPF), (ESME, DeviceType.ESME), (GSME, DeviceType.GSME)):
            self.inventory.certify(kind, "BENCH", "BENCH", "1")
            self.inventory.pre_notify(eui, kind, manufacturer="BENCH", model="BENCH", firmware="1")
            if eui != CHF:
                self.inventory.associate(eui, "chf", CHF)
        self.inventory.describe(ESME, import_mpxn=MPAN)
        self.inventory.describe(GSME, import_mpxn=MPRN)
        self.inventory.associate(GPF, "meter", GSME)
        self.registration.register(MPAN, UserRole.IS, SUPPLIER)
        self.registration.register(MPAN, UserRole.ED, NETWORK)
        self.registration.register(MPRN, UserRole.GS, GAS)
        logs = DeviceLogCopy(self.store, self.inventory, lambda: self.now)
        self.log = IncidentLog(self.store, self.inventory, self.registration, logs, lambda: self.now)
        self.major = MajorIncidents(self.store, self.log)
        self.desk = ServiceDesk(self.store, self.log, lambda: self.now)

    def raised(self, area: str, device: Eui64 = ESME, user: Eui64 = SUPPLIER, **more: object) -> int:
        """The number of an incident, raised after diagnostics."""
        diagnosis = self.log.diagnose(user, device)
        facts: dict[str, object] = {"category": 3, "diagnostic": diagnosis.number, **more}
        return self.log.raise_incident(user, f"trouble with {area}", area=area, device=device, **facts).number  # type: ignore[arg-type]
