"""Judgement of a Device's Response: done or not, read from what the DCC may see (reference gbcs-messages 5.2, 6, 7A).

The DCC holds no user's keys: encrypted parts stay closed, and only their status is judged.

Outcome of one service request: verdict, code, the hop that stopped it, times of every leg, the messages themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import (
    ActivateFirmwareOutcome,
    FirmwareVersionResponse,
    ReadDeviceLogResponse,
    RemotePartyDetails,
    RestoreDeviceLogResponse,
    SetTimeResponse,
    StatusCode,
    UpdateCredentialsResponse,
)
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.dlms import AccessResponse, AccessResult
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import Eui64

_CERTIFICATE_ANSWERS = frozenset({0x000A, 0x000C})
"""CS02c and CS02e answer with a certificate or request; an integer in its place is an error (reference gbcs-messages 6)."""
_DEFAULT_RESPONSE = 0x0B
_READ_RESPONSE = 0x01
_NOT_FOUND = 0x8B


@dataclass(frozen=True, slots=True)
class ResponseJudgement:
    """``done`` and a short sentence that names what the Device answered."""

    done: bool
    text: str


def judge(message: Message) -> ResponseJudgement:
    """Judgement of the Response. A payload that cannot be read counts as not done, with the reason."""
    try:
        payload = decode_payload(message)
    except DecodeError as error:
        return ResponseJudgement(False, f"the Response cannot be read: {error}")
    match payload:
        case AccessResponse():
            return _dlms(payload)
        case Gbz():
            return _gbz(payload)
        case Asn1Payload():
            return _asn1(payload, message.message_code)
        case _:
            return ResponseJudgement(False, f"a {type(payload).__name__} where a Response was expected")


def _dlms(response: AccessResponse) -> ResponseJudgement:
    failed = [
        f"item {index} {result.code.name}" for index, result in enumerate(response.results) if result.code is not AccessResult.SUCCESS
    ]
    return ResponseJudgement(not failed, "; ".join(failed) or f"{len(response.results)} accesses succeeded")


def _gbz(response: Gbz) -> ResponseJudgement:
    """A log is read entry by entry: components beyond its last one find nothing (8B), which is no failure as long as others found some
    (so in the reference responses to 4.4 and 4.6)."""
    found = [(one, _zcl_error(one)) for one in response.components]
    good = sum(status is None for _, status in found)
    failed = [
        f"component {one.sequence} of cluster {one.cluster:04x}: {status.text}"
        for one, status in found
        if status is not None and not (good and status.beyond_the_last)
    ]
    beyond = len(found) - good - len(failed)
    said = f"{good} components succeeded" + (f", {beyond} lie beyond the last entry" if beyond else "")
    return ResponseJudgement(not failed, "; ".join(failed) or said)


@dataclass(frozen=True, slots=True)
class _ZclError:
    code: int
    text: str
    default_response: bool

    @property
    def beyond_the_last(self) -> bool:
        """A log has no such entry: the default response says so, with its status."""
        return self.default_response and self.code == _NOT_FOUND


def _zcl_error(component: Component) -> _ZclError | None:
    if component.encrypted or not component.profile_wide:
        return None
    if component.command == _DEFAULT_RESPONSE and len(component.payload) == 2 and component.payload[1]:
        command, status = component.payload
        return _ZclError(status, f"status {status:02X} to command {command:02X}", default_response=True)
    if component.command == _READ_RESPONSE and len(component.payload) == 3 and component.payload[2]:
        attribute, status = int.from_bytes(component.payload[:2], "little"), component.payload[2]
        return _ZclError(status, f"attribute {attribute:04X} status {status:02X}", default_response=False)
    return None


def _asn1(payload: Asn1Payload, code: int) -> ResponseJudgement:
    value = payload.value
    match value:
        case bool() | None:
            return ResponseJudgement(True, "accepted")
        case int():
            return ResponseJudgement(value == 0 and code not in _CERTIFICATE_ANSWERS, f"response code {int(value)}")
        case UpdateCredentialsResponse(outcome=None):
            return ResponseJudgement(True, "accepted for a later execution")
        case UpdateCredentialsResponse(outcome=outcome) if outcome is not None:
            return _statuses(tuple(one.status for one in outcome.replacements))
        case ActivateFirmwareOutcome() | ReadDeviceLogResponse() | FirmwareVersionResponse():
            return ResponseJudgement(value.code == 0, f"response code {value.code}")
        case SetTimeResponse():
            return ResponseJudgement(
                value.status == 0,
                {0: "clock reliable", 1: "clock invalid", 2: "clock unreliable"}.get(value.status, f"status {value.status}"),
            )
        case RestoreDeviceLogResponse():
            failed = [f"{one.entry.device_id} code {one.join_code}" for one in value.outcomes if one.join_code]
            return ResponseJudgement(not failed, "; ".join(failed) or f"{len(value.outcomes)} entries restored")
        case tuple():
            return _statuses(tuple(one.status for one in value if isinstance(one, RemotePartyDetails)))
        case _:
            return ResponseJudgement(True, f"answered with {payload.type_name}")


def _statuses(statuses: tuple[StatusCode, ...]) -> ResponseJudgement:
    failed = [status.name for status in statuses if status is not StatusCode.SUCCESS]
    return ResponseJudgement(not failed, ", ".join(failed) or f"{len(statuses)} cells or roles: success")


def firmware_version(message: Message) -> str | None:
    """The firmware version in the answer to 11.2 or 11.3, as hexadecimal; None where there is none."""
    try:
        payload = decode_payload(message)
    except DecodeError:
        return None
    if isinstance(payload, Asn1Payload) and isinstance(payload.value, FirmwareVersionResponse | ActivateFirmwareOutcome):
        return payload.value.firmware_version.hex().upper()
    if isinstance(payload, AccessResponse) and payload.data and isinstance(payload.data[0], OctetString):
        return payload.data[0].octets.hex().upper()
    return None


if TYPE_CHECKING:
    from hil.parse_correlate import Parsed


class Verdict(StrEnum):
    """End of a request."""

    SUCCESS = "success"
    FAILED = "failed"
    """The Device answered, and its answer says no."""
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    NO_ANSWER = "no answer"
    RETURNED = "returned"
    """A Command for local delivery was given to the user (GW-16)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a hop went no further.

    ``check`` names it (``CK-3 device status``), ``rule`` is the rule in words with its source, ``value`` what was read,
    ``next_step`` what to try; ``code`` the response code where a source gives one. ``name`` is its key in ``refusals.toml``: the only
    part that a decision may read. Never holds a secret.
    """

    hop: str
    check: str
    rule: str
    value: str
    next_step: str
    code: str | None = None
    name: str = ""

    def __str__(self) -> str:
        code = f" [{self.code}]" if self.code else ""
        return f"at {self.hop}, {self.check}{code}: {self.value}. Rule: {self.rule}. Next: {self.next_step}"


@dataclass(frozen=True, slots=True)
class LegMessage:
    """One message of the exchange: its type letter of sec2-rules 3 (a to j), who to whom, and its octets."""

    kind: str
    name: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one request.

    ``legs`` are milliseconds per leg in order; ``target_s`` the target response time and ``within_target`` whether the
    DCC's legs together (the user's thinking time left out, sec2-rules RT-07) kept it, None where the clock does not apply.
    ``started`` and ``finished`` are bench seconds since 2000 at the gateway.
    """

    verdict: Verdict
    request: str
    variant: str
    response_code: str | None
    hop: str
    reason: str
    parsed: Parsed | None = None
    refusal: Refusal | None = None
    messages: tuple[LegMessage, ...] = ()
    legs: Mapping[str, float] = field(default_factory=dict)
    started: float = 0.0
    finished: float = 0.0
    target_s: float | None = None
    within_target: bool | None = None
    result: Mapping[str, object] = field(default_factory=dict)
    """Result of a service that the DCC itself executed (8.2, 12.2 ...)."""

    @property
    def ok(self) -> bool:
        """True if the request did what it asked."""
        return self.verdict in (Verdict.SUCCESS, Verdict.RETURNED)

    @property
    def why(self) -> str:
        """One paragraph: the hop, the rule with its clause and the next thing to try; for a success, what happened."""
        return str(self.refusal) if self.refusal is not None else f"{self.verdict} at {self.hop}: {self.reason}"

    def as_json(self) -> dict[str, object]:
        """For ``--json``; octets as hex."""
        return {
            "verdict": str(self.verdict),
            "request": self.request,
            "variant": self.variant,
            "response_code": self.response_code,
            "hop": self.hop,
            "reason": self.reason,
            "why": self.why,
            "parsed": self.parsed.as_json() if self.parsed is not None else None,
            "messages": [{"kind": one.kind, "name": one.name, "octets": one.octets.hex()} for one in self.messages],
            "legs_ms": {name: round(ms, 3) for name, ms in self.legs.items()},
            "started": self.started,
            "finished": self.finished,
            "target_s": self.target_s,
            "within_target": self.within_target,
            "result": dict(self.result),
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something the DCC pushed to the user. ``kind`` is the type letter of sec2-rules 3: h service response, i Device alert,
    j DCC alert. A DCC alert has no ``octets`` but ``detail``. ``late`` is a response after the DCC had reported none.
    ``sequence`` and ``count`` are those of a throttled alert."""

    kind: str
    time: float
    code: str
    device: Eui64
    octets: bytes | None = None
    request: str | None = None
    late: bool = False
    sequence: int | None = None
    count: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
