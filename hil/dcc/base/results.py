"""Judgement of a Device's Response: done or not, read from what the DCC may see (reference gbcs-messages 5.2, 6, 7A).

The DCC holds no user's keys: encrypted parts stay closed, and only their status is judged.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from firmware_emu.gbcs.payload import decode_payload

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
