"""Key establishment (cluster 0x0800) as a table: states, events, steps. No I/O, no clock, no radio.

An :class:`EstablishmentSession` is one side of one run. Feed it events; it returns the actions to perform: send a command, wait so long,
take the key, give up. Both suites. Checks and statuses: reference cbke 7; computation: :mod:`firmware_emu.crypto`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TypeAlias

from firmware_emu.crypto import ecmqv
from firmware_emu.crypto.binary_curve import Point
from firmware_emu.crypto.ecqv import CERTIFICATE_LENGTH, CbkeCredentials, ImplicitCertificate, extract_public_key
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.ids import Eui64
from firmware_emu.zse.zcl import ZclReader

GENERATE_TIME_S = 10
"""Seconds we announce for making ephemeral data and for confirming: the C hub's figure (reference cbke 7)."""
UNKNOWN_TIME = 0xFF
"""A generate time that the partner does not know (reference cbke 7); :data:`GENERATE_TIME_S` is used."""
SLACK_S = 5
"""Waiting time beyond the announced time, for the way there and back. Our own figure: the source only says "plus slack"."""
BUSY_WAIT_S = 30
"""Wait time of a Terminate sent because another session is under way: the C hub's figure (reference cbke 7)."""

POINT_LENGTH = {1: 22, 2: 37}
_MAC_LENGTH = 16


class KeCommand(IntEnum):
    """Command ids, the same in both directions."""

    INITIATE = 0x00
    EPHEMERAL_DATA = 0x01
    CONFIRM_KEY_DATA = 0x02
    TERMINATE = 0x03


class TerminateStatus(IntEnum):
    """Why a session ends without a key."""

    UNKNOWN_ISSUER = 1
    BAD_KEY_CONFIRM = 2
    BAD_MESSAGE = 3
    NO_RESOURCES = 4
    NO_SUPPORTED_SUITE = 5
    INVALID_CERTIFICATE = 6


class Role(Enum):
    INITIATOR = "initiator"
    RESPONDER = "responder"


class EstablishmentState(Enum):
    """State of a session; it waits for the message it is named after."""

    IDLE = "idle"
    INITIATE = "initiate"
    EPHEMERAL = "ephemeral"
    CONFIRM = "confirm"
    ESTABLISHED = "established"
    FAILED = "failed"


class EstablishmentEvent(Enum):
    """Event that moves a session on."""

    START = "start"
    INITIATE = "initiate"
    EPHEMERAL = "ephemeral"
    CONFIRM = "confirm"
    TERMINATE = "terminate"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


class EstablishmentStep(Enum):
    """Step on the way to the next state."""

    OFFER = "offer the certificate"
    ACCEPT_CERTIFICATE = "check the certificate, send or answer with ephemeral data"
    ANSWER_CERTIFICATE = "check the certificate, answer with ours"
    ANSWER_EPHEMERAL = "agree, answer with ephemeral data"
    SEND_CONFIRM = "agree, send the confirmation"
    ANSWER_CONFIRM = "check the confirmation, answer with ours"
    FINISH = "check the confirmation"
    GIVE_UP = "the partner ended it"
    EXPIRE = "the partner is silent"
    OUT_OF_ORDER = "not the message that is due"
    IGNORE = "over already"


_ENDS: Mapping[EstablishmentEvent, tuple[EstablishmentStep, EstablishmentState]] = {
    EstablishmentEvent.TERMINATE: (EstablishmentStep.GIVE_UP, EstablishmentState.FAILED),
    EstablishmentEvent.TIMEOUT: (EstablishmentStep.EXPIRE, EstablishmentState.FAILED),
}

TABLE: Mapping[Role, Mapping[EstablishmentState, Mapping[EstablishmentEvent, tuple[EstablishmentStep, EstablishmentState]]]] = {
    Role.INITIATOR: {
        EstablishmentState.IDLE: {EstablishmentEvent.START: (EstablishmentStep.OFFER, EstablishmentState.INITIATE)},
        EstablishmentState.INITIATE: {
            EstablishmentEvent.INITIATE: (EstablishmentStep.ACCEPT_CERTIFICATE, EstablishmentState.EPHEMERAL),
            **_ENDS,
        },
        EstablishmentState.EPHEMERAL: {EstablishmentEvent.EPHEMERAL: (EstablishmentStep.SEND_CONFIRM, EstablishmentState.CONFIRM), **_ENDS},
        EstablishmentState.CONFIRM: {EstablishmentEvent.CONFIRM: (EstablishmentStep.FINISH, EstablishmentState.ESTABLISHED), **_ENDS},
    },
    Role.RESPONDER: {
        EstablishmentState.IDLE: {
            EstablishmentEvent.INITIATE: (EstablishmentStep.ANSWER_CERTIFICATE, EstablishmentState.EPHEMERAL),
            EstablishmentEvent.TERMINATE: (EstablishmentStep.GIVE_UP, EstablishmentState.FAILED),
        },
        EstablishmentState.EPHEMERAL: {
            EstablishmentEvent.EPHEMERAL: (EstablishmentStep.ANSWER_EPHEMERAL, EstablishmentState.CONFIRM),
            **_ENDS,
        },
        EstablishmentState.CONFIRM: {
            EstablishmentEvent.CONFIRM: (EstablishmentStep.ANSWER_CONFIRM, EstablishmentState.ESTABLISHED),
            **_ENDS,
        },
    },
}
"""State and event give step and next state. An event that has no row is OUT_OF_ORDER and ends the session, except after its end."""

_EVENT_OF = {
    KeCommand.INITIATE: EstablishmentEvent.INITIATE,
    KeCommand.EPHEMERAL_DATA: EstablishmentEvent.EPHEMERAL,
    KeCommand.CONFIRM_KEY_DATA: EstablishmentEvent.CONFIRM,
    KeCommand.TERMINATE: EstablishmentEvent.TERMINATE,
}


@dataclass(frozen=True, slots=True)
class Send:
    """Send this command: the initiator to the server, the responder as the answer to what came."""

    command: KeCommand
    payload: bytes


@dataclass(frozen=True, slots=True)
class Await:
    """The partner's next message is due within ``seconds``; else report TIMEOUT."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Established:
    """Both sides hold ``key`` (16 octets), the new APS link key; empty where this side's is in its dongle."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """No key. ``status`` is what was sent or received in a Terminate, None for silence; try again after ``wait_s``."""

    reason: str
    status: TerminateStatus | None
    wait_s: int = 0


Action: TypeAlias = "Send | Await | Established | Failed"


@dataclass(frozen=True, slots=True)
class Terminate:
    """TerminateKeyEstablishment. ``status`` and ``suite`` are kept as numbers: a partner may send any."""

    status: int
    wait_s: int
    suite: int

    def encode(self) -> bytes:
        return bytes([self.status, self.wait_s]) + self.suite.to_bytes(2, "little")

    @classmethod
    def decode(cls, payload: bytes) -> Terminate:
        """Read the payload. Raises DecodeError."""
        reader = ZclReader(payload)
        return cls(reader.number(1, "terminate status"), reader.number(1, "wait time"), reader.number(2, "suite"))


@dataclass(frozen=True, slots=True)
class Computed:
    """A responder's part, worked out elsewhere: its ephemeral point and both confirmations. The key stays there."""

    ephemeral: bytes
    mac_initiator: bytes
    mac_responder: bytes


class _Refused(Exception):
    def __init__(self, status: TerminateStatus, reason: str) -> None:
        self.status = status
        self.reason = reason


def event_of(command: int) -> EstablishmentEvent:
    """The event that a received command is."""
    return _EVENT_OF[KeCommand(command)] if command in KeCommand._value2member_map_ else EstablishmentEvent.UNKNOWN


class EstablishmentSession:
    """One side of one key establishment.

    ``ephemeral`` makes the ephemeral key pair (private scalar, compressed point); a test passes the one of a vector.
    """

    def __init__(
        self,
        role: Role,
        own: Eui64,
        partner: Eui64,
        credentials: CbkeCredentials,
        *,
        ephemeral: Callable[[int], tuple[int, bytes]] | None = None,
    ) -> None:
        self.role = role
        self.state = EstablishmentState.IDLE
        self.partner = partner
        self._own = own
        self._credentials = credentials
        self._make_ephemeral = ephemeral or (lambda suite: ecmqv.ephemeral(suite, credentials.entropy))
        self._issuer = ImplicitCertificate.decode(credentials.certificate, credentials.suite).issuer
        self.partner_certificate = b""
        """As it came, once it has been found right."""
        self.computed: Computed | None = None
        """Of a responder whose private key is in its dongle: to be set before the partner's ephemeral data are handled."""
        self._partner_static: Point | None = None
        self._partner_times = (GENERATE_TIME_S, GENERATE_TIME_S)
        self._ephemeral: tuple[int, bytes] | None = None
        self._key = b""
        self._mac_initiator = b""
        self._mac_responder = b""

    @property
    def over(self) -> bool:
        """True once the session has come to an end, good or bad."""
        return self.state in (EstablishmentState.ESTABLISHED, EstablishmentState.FAILED)

    def handle(self, event: EstablishmentEvent, payload: bytes = b"") -> list[Action]:
        """Perform the row of :data:`TABLE` for ``event``; ``payload`` is that of the received command. Never raises for bad input."""
        if self.over:
            return []
        step, following = TABLE[self.role][self.state].get(event, (EstablishmentStep.OUT_OF_ORDER, EstablishmentState.FAILED))
        try:
            actions = self._perform(step, event, payload)
        except _Refused as refused:
            following = EstablishmentState.FAILED
            actions = self._terminate(refused.status, refused.reason)
        except DecodeError as error:
            following = EstablishmentState.FAILED
            actions = self._terminate(TerminateStatus.BAD_MESSAGE, str(error))
        self.state = following
        if following in (EstablishmentState.ESTABLISHED, EstablishmentState.FAILED):
            self._forget()
        return actions

    def _perform(self, step: EstablishmentStep, event: EstablishmentEvent, payload: bytes) -> list[Action]:
        waited = self.state.value
        match step:
            case EstablishmentStep.OFFER:
                return [Send(KeCommand.INITIATE, self._initiate()), Await(GENERATE_TIME_S + SLACK_S)]
            case EstablishmentStep.ACCEPT_CERTIFICATE:
                self._take_certificate(payload)
                self._ephemeral = self._make_ephemeral(self._credentials.suite)
                return [Send(KeCommand.EPHEMERAL_DATA, self._ephemeral[1]), Await(self._patience(0))]
            case EstablishmentStep.ANSWER_CERTIFICATE:
                self._take_certificate(payload)
                return [Send(KeCommand.INITIATE, self._initiate()), Await(self._patience(0))]
            case EstablishmentStep.ANSWER_EPHEMERAL if self.computed is not None:
                self._mac_initiator, self._mac_responder = self.computed.mac_initiator, self.computed.mac_responder
                return [Send(KeCommand.EPHEMERAL_DATA, self.computed.ephemeral), Await(self._patience(1))]
            case EstablishmentStep.ANSWER_EPHEMERAL:
                self._ephemeral = self._make_ephemeral(self._credentials.suite)
                self._agree(payload)
                return [Send(KeCommand.EPHEMERAL_DATA, self._ephemeral[1]), Await(self._patience(1))]
            case EstablishmentStep.SEND_CONFIRM:
                self._agree(payload)
                return [Send(KeCommand.CONFIRM_KEY_DATA, self._mac_initiator), Await(self._patience(1))]
            case EstablishmentStep.ANSWER_CONFIRM:
                self._check_mac(payload, self._mac_initiator)
                return [Send(KeCommand.CONFIRM_KEY_DATA, self._mac_responder), Established(self._key)]
            case EstablishmentStep.FINISH:
                self._check_mac(payload, self._mac_responder)
                return [Established(self._key)]
            case EstablishmentStep.GIVE_UP:
                return [_given_up(payload)]
            case EstablishmentStep.EXPIRE:
                return [Failed(f"{self.partner} sent no {waited} message in time", None)]
            case _:
                raise _Refused(TerminateStatus.BAD_MESSAGE, f"read {event.value} while waiting for {waited}")

    def _terminate(self, status: TerminateStatus, reason: str) -> list[Action]:
        terminate = Terminate(status, 0, self._credentials.suite)
        return [Send(KeCommand.TERMINATE, terminate.encode()), Failed(reason, status)]

    def _forget(self) -> None:
        self._ephemeral = None
        self._key = self._mac_initiator = self._mac_responder = b""

    def _patience(self, which: int) -> int:
        announced = self._partner_times[which]
        return (GENERATE_TIME_S if announced == UNKNOWN_TIME else announced) + SLACK_S

    def _initiate(self) -> bytes:
        return self._credentials.suite.to_bytes(2, "little") + bytes([GENERATE_TIME_S, GENERATE_TIME_S]) + self._credentials.certificate

    def _take_certificate(self, payload: bytes) -> None:
        suite = self._credentials.suite
        reader = ZclReader(payload)
        offered = reader.number(2, "suite")
        if offered != suite:
            raise _Refused(TerminateStatus.NO_SUPPORTED_SUITE, f"read suite {offered}, expected {suite}")
        self._partner_times = (reader.number(1, "ephemeral generate time"), reader.number(1, "confirm generate time"))
        certificate = reader.take(CERTIFICATE_LENGTH[suite], "certificate")
        if reader.left:
            raise reader.problem("certificate", f"{reader.left} octets follow, expected none")
        try:
            found = ImplicitCertificate.decode(certificate, suite)
            if found.issuer != self._issuer:
                raise _Refused(TerminateStatus.UNKNOWN_ISSUER, f"read issuer {found.issuer}, expected {self._issuer}")
            if found.subject != self.partner:
                raise _Refused(TerminateStatus.INVALID_CERTIFICATE, f"the certificate is for {found.subject}, expected {self.partner}")
            if not found.may_agree_keys:
                raise _Refused(TerminateStatus.INVALID_CERTIFICATE, f"key usage {found.key_usage:02X} does not allow key agreement")
            self._partner_static = extract_public_key(certificate, self._credentials.ca_public_key, suite)
            self.partner_certificate = certificate
        except DecodeError as error:
            raise _Refused(TerminateStatus.INVALID_CERTIFICATE, str(error)) from None

    def _agree(self, payload: bytes) -> None:
        suite = self._credentials.suite
        assert self._ephemeral is not None, "the ephemeral pair is made before this step"
        assert self._partner_static is not None, "the certificate comes before the ephemeral data"
        private, own = self._ephemeral
        if len(payload) != POINT_LENGTH[suite]:
            raise _Refused(TerminateStatus.BAD_MESSAGE, f"read {len(payload)} octets of ephemeral data, expected {POINT_LENGTH[suite]}")
        try:
            z = ecmqv.agree(suite, self._credentials.private_key, private, own, self._partner_static, payload)
        except CommsHubError as error:
            raise _Refused(TerminateStatus.BAD_MESSAGE, str(error)) from None
        mac_key, self._key = ecmqv.derive(z)
        if self.role is Role.INITIATOR:
            macs = ecmqv.confirm_macs(mac_key, self._own.octets, self.partner.octets, own, payload)
        else:
            macs = ecmqv.confirm_macs(mac_key, self.partner.octets, self._own.octets, payload, own)
        self._mac_initiator, self._mac_responder = macs

    def _check_mac(self, payload: bytes, expected: bytes) -> None:
        if len(payload) != _MAC_LENGTH:
            raise _Refused(TerminateStatus.BAD_MESSAGE, f"read {len(payload)} octets of confirmation, expected {_MAC_LENGTH}")
        if not hmac.compare_digest(payload, expected):
            raise _Refused(TerminateStatus.BAD_KEY_CONFIRM, "the confirmation does not fit: the two sides hold different keys")


def _given_up(payload: bytes) -> Failed:
    terminate = Terminate.decode(payload)
    if terminate.status in TerminateStatus._value2member_map_:
        status = TerminateStatus(terminate.status)
        return Failed(f"the partner ended key establishment: {status.name}", status, terminate.wait_s)
    return Failed(f"the partner ended key establishment with status {terminate.status}", None, terminate.wait_s)
