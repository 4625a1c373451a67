"""A performance desk on a store of its own, with requests, alerts and incidents put into it."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.ids import Eui64
from hil.dcc.base.months import Month
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration import Registration
from hil.sec.incidents import IncidentLog
from hil.sec.measures import Performance
from tests.dcc.far_end import ESME, SUPPLIER

HUB = Eui64.parse("00db1234567890a2")
MARCH = Month(2026, 3)


class Desk:
    """A performance desk on a store of its own, in April about March."""

    def __init__(self, path: Path | None = None) -> None:
        self.now = Month(2026, 4).begins + 86400 * 20
        self.store = DccStore(path)
        self.store.execute("INSERT INTO users (eui, role) VALUES (?, 'IS')", (str(SUPPLIER),))
        inventory = Inventory(self.store, lambda: self.now)
        logs = DeviceLogCopy(self.store, inventory, lambda: self.now)
        self.log = IncidentLog(self.store, inventory, Registration(self.store), logs, lambda: self.now)
        self.performance = Performance(self.store, self.log, lambda: self.now)
        self.count = 0

    def request(
        self, took_s: float | None, *, variant: str = "4.1.1", state: str = "responded", at: float = MARCH.begins + 60, **more: object
    ) -> None:
        self.count += 1
        facts: dict[str, object] = {"responded": None if took_s is None else at + took_s, "chf": str(HUB), **more}
        self.store.insert(
            "requests",
            request=f"r{self.count}",
            user=str(SUPPLIER),
            target=str(ESME),
            variant=variant,
            received=at,
            state=state,
            xml=b"",
            **facts,  # type: ignore[arg-type]
        )

    def alert(self, took_s: float | None, state: str = "delivered", code: str = "8F35") -> None:
        self.count += 1
        at = MARCH.begins + 60
        self.store.insert(
            "alerts",
            time=at + (took_s or 5),
            kind="device",
            code=code,
            device=str(ESME),
            party=str(SUPPLIER),
            state=state,
            reason="",
            identifier=f"a{self.count}",
            clock_start=at,
            delivered=None if took_s is None else at + took_s,
        )

    def incident(self, category: int, resolved_after_s: float | None, *, month: Month = MARCH) -> None:
        target = self.log.rules.target_s[category]
        april, self.now = self.now, month.begins + 86400 * 15 - target
        number = self.log.raise_incident(None, "x", area="data services", category=category).number
        if resolved_after_s is not None:
            self.now += resolved_after_s
            self.log.resolve(None, number, "done")
        self.now = april

    def figure(self, number: int) -> tuple[int, int]:
        found = self.performance.figure(number, MARCH)
        return found.within, found.counted
