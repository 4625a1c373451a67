"""The users' receiving services: who is there now, and what the DCC pushes to them (reference dcc-notes 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.dcc.base.bus import Bus
from hil.dcc.base.outcome import Delivery
from hil.dcc.parties.smki import CertificatePublished
from hil.dcc.parties.users import User


@dataclass(frozen=True, slots=True)
class Delivered:
    """Told on the bus of everything that goes out to a user."""

    user: Eui64
    octets: int


@dataclass(slots=True)
class Receivers:
    """The users that are there."""

    bus: Bus
    trace: Trace
    _there: dict[Eui64, User] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bus.on(CertificatePublished, self._learn)

    def __iter__(self) -> Iterator[User]:
        return iter(tuple(self._there.values()))

    def add(self, user: User) -> None:
        """The user's receiving service is there."""
        self._there[user.eui64] = user

    def remove(self, eui: Eui64) -> None:
        """It is away."""
        self._there.pop(eui, None)

    def get(self, eui: Eui64) -> User | None:
        """The user, if it is there."""
        return self._there.get(eui)

    def deliver(self, party: Eui64, delivery: Delivery) -> bool:
        """Push to a user; False if it is not there. What is not meant for that user it reports and discards."""
        user = self._there.get(party)
        if user is None:
            return False
        self.bus.tell(Delivered(party, len(delivery.octets or b"")))
        if not user.deliver(delivery):
            self.trace.emit("dcc", f"user {party}", "reported", target="dcc", code=delivery.code, reason="not meant for this user")
        return True

    def _learn(self, published: CertificatePublished) -> None:
        for user in self:
            user.learn(published.certificate)
