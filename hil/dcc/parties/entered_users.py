"""The users of the DCC as its store knows them: identifier, role, and whether their rights are suspended."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore


@dataclass(frozen=True, slots=True)
class EnteredUser:
    """One identifier, which stands for one role [116]. ``suspended`` says why its rights are suspended, None if they are not."""

    eui: Eui64
    role: UserRole
    suspended: str | None


@dataclass(frozen=True, slots=True)
class UserSuspended:
    """Told on the bus when a user's rights are suspended (M8 [125])."""

    eui: Eui64


@dataclass(frozen=True, slots=True)
class EnteredUsers:
    """The table of users."""

    store: DccStore

    def find(self, eui: Eui64) -> EnteredUser | None:
        """The user of that identifier, None for a stranger."""
        row = self.store.row("SELECT * FROM users WHERE eui = ?", (str(eui),))
        return None if row is None else EnteredUser(eui, UserRole(row["role"]), row["suspended"])

    def role(self, eui: Eui64) -> UserRole | None:
        """The role of that identifier, None for a stranger."""
        found = self.find(eui)
        return None if found is None else found.role

    def all(self) -> tuple[EnteredUser, ...]:
        """Every user in the order of their identifiers."""
        rows = self.store.rows("SELECT * FROM users ORDER BY eui")
        return tuple(EnteredUser(Eui64.parse(row["eui"]), UserRole(row["role"]), row["suspended"]) for row in rows)

    def enter(self, eui: Eui64, role: UserRole) -> None:
        """Note a user; one that is known stays as it is."""
        self.store.execute("INSERT OR IGNORE INTO users (eui, role) VALUES (?, ?)", (str(eui), role.value))

    def suspend(self, eui: Eui64, reason: str | None) -> None:
        """Suspend the user's rights, or end that with None."""
        self.store.execute("UPDATE users SET suspended = ? WHERE eui = ?", (reason, str(eui)))
