"""Messages that anomaly detection holds back, until an operator releases or discards them (sec2-rules CK-10, CK-11, PR-05 [135, 136]).

A quarantined message is left out of response times and listed apart (choice).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore


class MessageDirection(StrEnum):
    """Which way a message was going."""

    REQUEST = "request"
    RESPONSE = "response"


class NotQuarantined(CommsHubError):
    """There is no such message in quarantine."""


@dataclass(frozen=True, slots=True)
class QuarantinedMessage:
    """One message. ``state``: held, released or discarded."""

    number: int
    time: float
    user: Eui64 | None
    direction: MessageDirection
    request: str | None
    reason: str
    octets: bytes
    state: str


class Quarantine:
    """The DCC's quarantine in its store."""

    def __init__(self, store: DccStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    def hold(self, user: Eui64 | None, direction: MessageDirection, request: str | None, reason: str, octets: bytes) -> int:
        """Hold a message back; returns its number."""
        return self._store.insert(
            "quarantine",
            time=self._now(),
            user=str(user) if user else None,
            direction=direction.value,
            request=request,
            reason=reason,
            octets=octets,
            state="held",
        )

    def messages(self) -> tuple[QuarantinedMessage, ...]:
        """Everything ever held, oldest first."""
        return tuple(
            QuarantinedMessage(
                row["number"],
                row["time"],
                Eui64.parse(row["user"]) if row["user"] else None,
                MessageDirection(row["direction"]),
                row["request"],
                row["reason"],
                bytes(row["octets"]),
                row["state"],
            )
            for row in self._store.rows("SELECT * FROM quarantine ORDER BY number")
        )

    def held(self, number: int) -> QuarantinedMessage:
        """The message of that number, which waits for an operator. Raises NotQuarantined."""
        held = [one for one in self.messages() if one.state == "held"]
        found = next((one for one in held if one.number == number), None)
        if found is None:
            raise NotQuarantined(f"no message {number} is held: ask for one of {[one.number for one in held]}")
        return found

    def settle(self, number: int, state: str) -> None:
        """Mark a held message ``released`` or ``discarded``. Raises NotQuarantined where another has done that meanwhile."""
        if not self._store.execute("UPDATE quarantine SET state = ? WHERE number = ? AND state = 'held'", (state, number)):
            raise NotQuarantined(f"message {number} is held no longer: somebody has released or discarded it")
