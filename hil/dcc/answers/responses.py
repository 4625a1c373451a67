"""Responses from Devices: matched with an outstanding command, proven, recorded; everything else is a stray and stays here.

Late, repeated, unasked, forged or misrouted Responses are recorded with the reason and never reach a user as an answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier
from firmware_emu.trace import Trace
from hil.dcc.base.store import DccStore
from hil.dcc.duis import read_request
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.parties.protection import Proof, check_protection
from hil.dcc.parties.smki import Repository, certificate_in

_REPEATED_OTHER_INFORMATION = 18
"""A Response repeats so many octets of the Command's other information (reference gbcs-messages 1.5)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A Response that belongs to a request of ours. ``late``: the user had been told that none came."""

    request: str
    message: Message
    octets: bytes
    proof: Proof
    late: bool


@dataclass(frozen=True, slots=True)
class Stray:
    """A message that reached nobody, with the reason."""

    time: float
    chf: Eui64 | None
    kind: str
    message: str | None
    reason: str
    octets: bytes


class Responses:
    """The matching desk. Every call runs inside the transaction that takes the frame from the SM WAN."""

    def __init__(
        self, store: DccStore, keystore: Keystore, repository: Repository, inventory: Inventory, trace: Trace, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._repository = repository
        self._keystore = keystore
        self._inventory = inventory
        self._trace = trace
        self._now = now

    def take(self, chf: Eui64 | None, message: Message, octets: bytes) -> Answer | None:
        """The request that this Response answers, now recorded as responded; None for a stray. ``chf`` None: brought by a user (8.13)."""
        header = message.header
        command = MessageIdentifier(header.recipient, header.originator, CraFlag.COMMAND, header.counter)
        row = self._store.row("SELECT * FROM requests WHERE command_id = ?", (str(command),))
        if row is None:
            self.stray(chf, "unasked", message, octets, "no command of the DCC has this identifier")
            return None
        if row["state"] not in ("sent", "unanswered", "returned"):
            self.stray(chf, "repeated", message, octets, f"request {row['request']} is {row['state']} already")
            return None
        if (problem := self._misfit(chf, row, message)) is not None:
            self.stray(chf, "misfit", message, octets, problem)
            return None
        try:
            proof = self._proof(row, message)
        except CommsHubError as error:
            self.stray(chf, "not authentic", message, octets, str(error))
            return None
        late = row["state"] == "unanswered"
        self._store.execute(
            "UPDATE requests SET state = ?, response = ?, responded = ? WHERE request = ?",
            ("late" if late else "responded", octets, self._now(), row["request"]),
        )
        self._trace.emit(
            "dcc", "responses", "verified", message=str(header.identifier), request=row["request"], proof=str(proof), late=late
        )
        return Answer(row["request"], message, octets, proof, late)

    def _proof(self, row: sqlite3.Row, message: Message) -> Proof:
        """What the DCC can check. The answer to a new certificate may be signed with the key it certifies. Raises ProtectionError."""
        try:
            return check_protection(message, self._keystore)
        except ProtectionError:
            taken = certificate_in(read_request(row["xml"]))
            if taken is None:
                raise
            with self._repository.as_if_taken(taken):
                proof = check_protection(message, self._keystore)
            self._repository.publish(taken)
            return proof

    def _misfit(self, chf: Eui64 | None, row: sqlite3.Row, message: Message) -> str | None:
        sent = Message.decode(row["command"])
        asked = sent.header.other.encode()[:_REPEATED_OTHER_INFORMATION]
        answered = message.header.other.encode()[:_REPEATED_OTHER_INFORMATION]
        if answered != asked:
            return f"its other information begins {answered.hex()}, the command's {asked.hex()}"
        hub = self._inventory.hub_of(message.header.originator)
        if chf is not None and hub != chf:
            return f"it came through hub {chf}, and {message.header.originator} is on hub {hub}"
        return None

    def stray(self, chf: Eui64 | None, kind: str, message: Message | None, octets: bytes, reason: str) -> None:
        """Record what is not delivered."""
        name = None if message is None else str(message.header.identifier)
        self._store.insert("strays", time=self._now(), chf=str(chf) if chf else None, kind=kind, message=name, reason=reason, octets=octets)
        self._trace.emit("dcc", "responses", "refused", message=name, kind=kind, reason=reason)

    def refused_by_user(self, request: str, octets: bytes, reason: str) -> None:
        """The user's own keys disproved it: the command is outstanding again."""
        with self._store.transaction():
            self._store.execute("UPDATE requests SET state = 'sent', response = NULL, responded = NULL WHERE request = ?", (request,))
            self.stray(None, "not authentic", Message.decode(octets), octets, f"refused by the user: {reason}")

    def strays(self) -> tuple[Stray, ...]:
        """Messages that reached nobody, oldest first."""
        return tuple(
            Stray(
                row["time"],
                Eui64.parse(row["chf"]) if row["chf"] else None,
                row["kind"],
                row["message"],
                row["reason"],
                bytes(row["octets"]),
            )
            for row in self._store.rows("SELECT * FROM strays ORDER BY number")
        )
