"""Responses from Devices: matched with an outstanding command, proven, recorded; everything else is a stray and stays here.

Late, repeated, unasked, forged or misrouted Responses are recorded with the reason and never reach a user as an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from firmware_emu.errors import CommsHubError, ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier
from hil.dcc.base.requests import LifeStep, RequestEvent, RequestState, StoredRequest, may_happen
from hil.dcc.base.store import DccStore
from hil.dcc.duis import read_request
from hil.dcc.gateway.context import GatewayContext
from hil.dcc.parties.protection import Proof, check_protection
from hil.dcc.parties.smki import Repository, certificate_in

_REPEATED_OTHER_INFORMATION = 18
"""A Response repeats so many octets of the Command's other information (reference gbcs-messages 1.5)."""


class StrayKind(StrEnum):
    """Why a message reached nobody."""

    UNREADABLE = "unreadable"
    COMMAND = "command"
    """A hub sends no Commands to the DCC."""
    UNASKED = "unasked"
    REPEATED = "repeated"
    MISFIT = "misfit"
    NOT_AUTHENTIC = "not authentic"


@dataclass(frozen=True, slots=True)
class Stray:
    """A message that reached nobody, with the reason."""

    time: float
    chf: Eui64 | None
    kind: StrayKind
    message: str | None
    reason: str
    octets: bytes


class Responses:
    """The matching desk. Every call runs inside the transaction that takes the frame from the SM WAN."""

    def __init__(self, context: GatewayContext, repository: Repository) -> None:
        self._context = context
        self._repository = repository

    def take(self, chf: Eui64 | None, message: Message, octets: bytes) -> tuple[str, LifeStep] | None:
        """The request that this Response answers, and the step that it took with it; None for a stray. ``chf`` None: brought by a user
        (8.13)."""
        header = message.header
        command = MessageIdentifier(header.recipient, header.originator, CraFlag.COMMAND, header.counter)
        stored = self._context.requests.of_command(str(command))
        if stored is None:
            self.stray(chf, StrayKind.UNASKED, message, octets, "no command of the DCC has this identifier")
            return None
        if not may_happen(stored.state, RequestEvent.RESPOND):
            self.stray(chf, StrayKind.REPEATED, message, octets, f"request {stored.name} is {stored.state} already")
            return None
        if (problem := self._misfit(chf, stored, message)) is not None:
            self.stray(chf, StrayKind.MISFIT, message, octets, problem)
            return None
        try:
            proof = self._proof(stored, message)
        except CommsHubError as error:
            self.stray(chf, StrayKind.NOT_AUTHENTIC, message, octets, str(error))
            return None
        step = self._context.requests.move(stored.name, RequestEvent.RESPOND, response=octets)
        late = step.to is RequestState.LATE
        self._context.trace.emit(
            "dcc", "responses", "verified", message=str(header.identifier), request=stored.name, proof=str(proof), late=late
        )
        return stored.name, step

    def _proof(self, stored: StoredRequest, message: Message) -> Proof:
        """Proof of the parts that the DCC can check. The answer to a new certificate may be signed with the key it certifies. Raises
        ProtectionError."""
        try:
            return check_protection(message, self._context.keystore)
        except ProtectionError:
            taken = certificate_in(read_request(stored.xml))
            if taken is None:
                raise
            with self._repository.as_if_taken(taken):
                proof = check_protection(message, self._context.keystore)
            self._repository.publish(taken)
            return proof

    def _misfit(self, chf: Eui64 | None, stored: StoredRequest, message: Message) -> str | None:
        sent = Message.decode(stored.command or b"")
        asked = sent.header.other.encode()[:_REPEATED_OTHER_INFORMATION]
        answered = message.header.other.encode()[:_REPEATED_OTHER_INFORMATION]
        if answered != asked:
            return f"its other information begins {answered.hex()}, the command's {asked.hex()}"
        hub = self._context.inventory.hub_of(message.header.originator)
        if chf is not None and hub != chf:
            return f"it came through hub {chf}, and {message.header.originator} is on hub {hub}"
        return None

    def stray(self, chf: Eui64 | None, kind: StrayKind, message: Message | None, octets: bytes, reason: str) -> None:
        """Record what is not delivered."""
        name = None if message is None else str(message.header.identifier)
        self._context.store.insert(
            "strays",
            time=self._context.clock.now(),
            chf=str(chf) if chf else None,
            kind=kind.value,
            message=name,
            reason=reason,
            octets=octets,
        )
        self._context.trace.emit("dcc", "responses", "refused", message=name, kind=kind.value, reason=reason)

    def refused_by_user(self, request: str, octets: bytes, reason: str) -> None:
        """The user's own keys disproved it: the command is outstanding again."""
        with self._context.store.transaction():
            self._context.requests.move(request, RequestEvent.DISPROVE)
            self.stray(None, StrayKind.NOT_AUTHENTIC, Message.decode(octets), octets, f"refused by the user: {reason}")

    def strays(self) -> tuple[Stray, ...]:
        """Messages that reached nobody, oldest first."""
        return tuple(
            Stray(
                row["time"],
                Eui64.parse(row["chf"]) if row["chf"] else None,
                StrayKind(row["kind"]),
                row["message"],
                row["reason"],
                bytes(row["octets"]),
            )
            for row in self._context.store.rows("SELECT * FROM strays ORDER BY number")
        )


def strays_from(store: DccStore, chf: Eui64) -> int:
    """Number of messages from this hub that reached nobody."""
    row = store.row("SELECT count(*) AS n FROM strays WHERE chf = ?", (str(chf),))
    return 0 if row is None else int(row["n"])
