"""User entry: what a party completes before any service is given to it (SEC-01 [281], order of reference dcc-notes 12)."""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.gateway.connections import Connections
from hil.dcc.gateway.gateway import Gateway, UserEntryError

STEPS = (
    "accession to the SEC",
    "gateway connection",
    "SMKI and repository tests",
    "user entry process tests",
    "security demonstration",
)
"""In this order; the gateway connection comes before the tests over it [98]."""
_OVER_THE_GATEWAY = STEPS[2:4]


class UserEntry:
    """The record of each party's steps. Until all are done the gateway knows no such user and refuses everything (CK-2)."""

    def __init__(self, store: DccStore, gateway: Gateway, now: Callable[[], float], connections: Connections | None = None) -> None:
        """``connections``: those that a party must have notified before its tests over the gateway begin (None: not asked)."""
        create_tables(store, "hil.sec.security")
        self._connections = connections
        self._store = store
        self._gateway = gateway
        self._now = now

    def complete(self, eui: Eui64, step: str, evidence: str) -> tuple[str, ...]:
        """A step is done; returns what is left. Raises UserEntryError for a step out of order, NotConnected for a test over no
        connection."""
        left = self.left(eui)
        if step not in STEPS or not left or step != left[0]:
            wanted = left[0] if left else "nothing, all steps are done"
            raise UserEntryError(f"read step {step!r} of {eui}, expected next: {wanted}")
        if self._connections is not None and step in _OVER_THE_GATEWAY:
            self._connections.may_test(eui)
        self._store.insert("user_entry", eui=str(eui), step=step, time=self._now(), evidence=evidence)
        return self.left(eui)

    def left(self, eui: Eui64) -> tuple[str, ...]:
        """The steps that are still to do."""
        done = {row["step"] for row in self._store.rows("SELECT step FROM user_entry WHERE eui = ?", (str(eui),))}
        return tuple(step for step in STEPS if step not in done)

    def enter(self, eui: Eui64, role: UserRole) -> None:
        """Make it a user. Raises UserEntryError while a step is left."""
        if left := self.left(eui):
            raise UserEntryError(f"{eui} is no user yet: no service before user entry [281]; still to do: {'; '.join(left)}")
        self._gateway.enter_user(eui, role)
