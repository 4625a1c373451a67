"""Registration data: who supplies or distributes at which MPxN from when (sec2-rules section 8; GW-27)."""

from __future__ import annotations

from firmware_emu.ids import Eui64, Mpxn
from hil.dcc.base.services import SUPPLIERS, UserRole
from hil.dcc.base.store import DccStore

LEAD_ORDER = (UserRole.IS, UserRole.GS, UserRole.ES)
"""Electricity import before gas, import before export (sec2-rules LS-01 [230, 231])."""


class Registration:
    """The DCC's copy of the registration data, as a bench or the feed of the data providers puts it in."""

    def __init__(self, store: DccStore) -> None:
        self._store = store

    def register(self, mpxn: str, role: UserRole, user: Eui64, begins: float = 0.0) -> None:
        """``user`` is the party in ``role`` for ``mpxn`` from ``begins`` (seconds since 2000) on. Raises IdentifierError."""
        Mpxn(mpxn)
        self._store.execute("INSERT OR REPLACE INTO registration VALUES (?, ?, ?, ?)", (mpxn, role.value, str(user), begins))

    def forget(self, mpxn: str, role: UserRole) -> None:
        """Drop what is registered for ``mpxn`` in ``role``, at all times: a refresh replaces it."""
        self._store.execute("DELETE FROM registration WHERE mpxn = ? AND role = ?", (mpxn, role.value))

    def forget_from(self, mpxn: str, role: UserRole, begins: float) -> None:
        """Drop what is registered for ``mpxn`` in ``role`` from ``begins`` on."""
        self._store.execute("DELETE FROM registration WHERE mpxn = ? AND role = ? AND begins >= ?", (mpxn, role.value, begins))

    def withdraw(self, mpxn: str, role: UserRole, user: Eui64, begins: float) -> None:
        """Drop one registration."""
        self._store.execute(
            "DELETE FROM registration WHERE mpxn = ? AND role = ? AND user = ? AND begins = ?", (mpxn, role.value, str(user), begins)
        )

    def all_at(self, at: float) -> tuple[tuple[str, UserRole, Eui64], ...]:
        """Every registration that holds at ``at``: MPxN, role, user."""
        rows = self._store.rows(
            "SELECT mpxn, role, user FROM registration AS one WHERE begins = (SELECT max(begins) FROM registration AS other "
            "WHERE other.mpxn = one.mpxn AND other.role = one.role AND other.begins <= ?) ORDER BY mpxn, role",
            (at,),
        )
        return tuple((row["mpxn"], UserRole(row["role"]), Eui64.parse(row["user"])) for row in rows)

    def party(self, mpxn: str, role: UserRole, at: float) -> Eui64 | None:
        """Party that is registered in ``role`` for ``mpxn`` at ``at``."""
        row = self._store.row(
            "SELECT user FROM registration WHERE mpxn = ? AND role = ? AND begins <= ? ORDER BY begins DESC LIMIT 1", (mpxn, role.value, at)
        )
        return None if row is None else Eui64.parse(row["user"])

    def parties(self, mpxn: str, at: float) -> dict[UserRole, Eui64]:
        """Everyone registered for ``mpxn`` at ``at``."""
        found = {role: self.party(mpxn, role, at) for role in UserRole}
        return {role: party for role, party in found.items() if party is not None}

    def lead_supplier(self, mpxns: tuple[str, ...], at: float) -> Eui64 | None:
        """The Lead Supplier of equipment shared by these meters (LS-01)."""
        for role in LEAD_ORDER:
            for mpxn in mpxns:
                if (party := self.party(mpxn, role, at)) is not None:
                    return party
        return None

    def is_supplier_of(self, user: Eui64, mpxns: tuple[str, ...], at: float) -> bool:
        """True if ``user`` is a registered supplier of any of these."""
        return any(self.party(mpxn, role, at) == user for mpxn in mpxns for role in SUPPLIERS)
