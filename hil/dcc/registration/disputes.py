"""Disputes between the DCC's copy and the provider's: which of them is master until it is resolved (sec2-rules RG-05 [89])."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.registration.files import Row
from hil.dcc.registration.register import Registration
from hil.dcc.registration.settings import FeedSettings

RDP = "RDP"
DCC = "DCC"


class DisputeError(CommsHubError):
    """A dispute that cannot be opened or resolved as asked."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One disagreement. ``dcc_says`` and ``provider_says`` are the two parties' users; ``master`` the copy that counts meanwhile."""

    number: int
    mpxn: str
    role: UserRole
    opened: float
    master: str
    dcc_says: Eui64 | None
    provider_says: Eui64
    provider_begins: float
    state: str
    resolution: str | None


class Disputes:
    """The disputes, in the DCC's store."""

    def __init__(self, store: DccStore, registration: Registration, now: Callable[[], float], settings: FeedSettings) -> None:
        self._store = store
        self._registration = registration
        self._now = now
        self._settings = settings

    def open(self, row: Row) -> Dispute:
        """The provider says ``row``, the DCC's copy says otherwise. With the provider's copy as master its row counts at once."""
        now, master = self._now(), self._settings.master
        with self._store.transaction():
            if self.open_on(row.mpxn, row.role):
                raise DisputeError(f"{row.mpxn} in role {row.role} is in dispute already: resolve that one first")
            ours = self._registration.party(row.mpxn, row.role, now)
            if ours == row.user:
                raise DisputeError(f"both say {row.user} for {row.mpxn} in role {row.role}: there is no dispute")
            number = self._store.insert(
                "registration_disputes",
                mpxn=row.mpxn,
                role=row.role.value,
                opened=now,
                master=master,
                dcc_says=None if ours is None else str(ours),
                provider_says=str(row.user),
                provider_begins=row.begins,
                state="open",
            )
            if master == RDP:
                self._registration.register(row.mpxn, row.role, row.user, row.begins)
        return self.dispute(number)

    def holds_back(self, row: Row) -> bool:
        """True if a file's row is not taken now: its MPxN is in dispute and the DCC's copy is master."""
        return any(one.master == DCC for one in self._open(row.mpxn, row.role))

    def open_on(self, mpxn: str, role: UserRole) -> bool:
        """True if this registration is in dispute."""
        return bool(self._open(mpxn, role))

    def resolve(self, number: int, user: Eui64, begins: float, resolution: str) -> Dispute:
        """Both agree that ``user`` is the party from ``begins`` on. Raises DisputeError."""
        with self._store.transaction():
            dispute = self.dispute(number)
            if dispute.state != "open":
                raise DisputeError(f"dispute {number} is {dispute.state} already")
            self._registration.forget_from(dispute.mpxn, dispute.role, begins)
            self._registration.withdraw(dispute.mpxn, dispute.role, dispute.provider_says, dispute.provider_begins)
            self._registration.register(dispute.mpxn, dispute.role, user, begins)
            self._store.execute(
                "UPDATE registration_disputes SET state = 'resolved', resolution = ? WHERE number = ?", (resolution, number)
            )
        return self.dispute(number)

    def dispute(self, number: int) -> Dispute:
        """One of them. Raises DisputeError."""
        found = next((one for one in self.all() if one.number == number), None)
        if found is None:
            raise DisputeError(f"there is no dispute {number}: ask for the list")
        return found

    def all(self) -> tuple[Dispute, ...]:
        """Every dispute, oldest first."""
        return tuple(
            Dispute(
                row["number"],
                row["mpxn"],
                UserRole(row["role"]),
                row["opened"],
                row["master"],
                Eui64.parse(row["dcc_says"]) if row["dcc_says"] else None,
                Eui64.parse(row["provider_says"]),
                row["provider_begins"],
                row["state"],
                row["resolution"],
            )
            for row in self._store.rows("SELECT * FROM registration_disputes ORDER BY number")
        )

    def _open(self, mpxn: str, role: UserRole) -> tuple[Dispute, ...]:
        return tuple(one for one in self.all() if one.state == "open" and (one.mpxn, one.role) == (mpxn, role))
