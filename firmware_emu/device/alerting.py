"""Alerts of a Device: DLMS data notifications from electricity Devices, GBZ alerts from the ZigBee ones (reference gbcs-messages 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import Data, LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.dlms import DataNotification, invoke_id
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64

CRITICAL = 0x1000
NON_CRITICAL = 0x1001
"""Generic message codes of alerts that carry code and time alone."""
NOT_SUPPORTED = 0x8F85
_NOT_SUPPORTED_CODE = 0x0120
_ZIGBEE = (DeviceType.GSME, DeviceType.GPF, DeviceType.PPMID)


@dataclass(frozen=True, slots=True)
class AlertRequest:
    """One alert to build: ``code`` to ``recipient``, signed or MACed.

    ``extras`` follow code and time in a DLMS alert; ``payload`` replaces the payload altogether; ``message_code`` None
    means the generic one. ``supplementary_*`` go into the other information.
    """

    code: int
    recipient: Eui64
    signed: bool
    extras: tuple[Data, ...] = ()
    message_code: int | None = None
    payload: bytes | None = None
    supplementary_party: Eui64 | None = None
    supplementary_counter: int | None = None


class Originator(Protocol):
    """The Device that a message is from."""

    eui64: Eui64
    device_type: DeviceType
    credentials: Credentials
    now: Callable[[], float]

    def protect(self, message: Message, *, signed: bool) -> Message:
        """Sign or MAC one of this Device's own messages. Raises KeystoreError or ProtectionError if the key is not held."""
        ...

    def alert(self, code: int, extras: tuple[Data, ...] = (), *, message_code: int | None = None) -> bytes:
        """One alert to the party that the event table or the profile names. Raises ProtectionError or KeystoreError."""
        ...


def build(device: Originator, request: AlertRequest) -> bytes:
    """The protected alert, under a fresh counter of the Device. Raises KeystoreError or ProtectionError where a key is missing."""
    counter = device.credentials.next_counter()
    code = request.message_code or (CRITICAL if request.signed else NON_CRITICAL)
    if request.payload is not None:
        payload = request.payload
    elif device.device_type in _ZIGBEE and not request.extras:
        payload = gbz_alert(request.code, device.now())
    else:
        payload = dlms_alert(request.code, device.now(), counter, request.extras)
    other = OtherInformation(code, request.supplementary_party, request.supplementary_counter)
    header = GroupingHeader(CraFlag.ALERT, counter, device.eui64, request.recipient, other)
    return device.protect(Message(header, payload), signed=request.signed).encode()


def gbz_alert(code: int, now: float, rest: bytes | None = None) -> bytes:
    """``01 09 | 00 or 01 | code | seconds since 2000 | rest`` (reference gbcs-messages 7.1)."""
    return b"\x01\x09" + bytes((rest is not None,)) + code.to_bytes(2, "big") + int(now).to_bytes(4, "big") + (rest or b"")


def dlms_alert(code: int, now: float, counter: int, extras: tuple[Data, ...] = ()) -> bytes:
    """A data notification {code, time, extras}; ``counter`` is the alert's own (long-invoke-id)."""
    return DataNotification(invoke_id(counter), Structure((LongUnsigned(code), date_time(now), *extras))).encode()


def date_time(now: float) -> OctetString:
    """Bench seconds since 2000 as the 12-octet date-time of an alert."""
    return OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=now)))


def not_supported(device: Originator, message: Message) -> bytes:
    """ECS100 (0120, 8F85): names code and counter of the Command that this Device does not have.

    Goes to the originator if it is a Known Remote Party, the user then standing as supplementary party of an ACB's
    Command; to the party of the profile otherwise (reference gbcs-spec-notes 6.2).
    """
    header = message.header
    content = OctetString(message.message_code.to_bytes(2, "big") + header.counter.to_bytes(8, "big"))
    known = device.credentials.roles_of(header.originator)
    if RemotePartyRole.ACCESS_CONTROL_BROKER in known and header.other.supplementary_party is not None:
        return build(
            device,
            AlertRequest(
                NOT_SUPPORTED,
                header.originator,
                True,
                (content,),
                _NOT_SUPPORTED_CODE,
                supplementary_party=header.other.supplementary_party,
                supplementary_counter=header.other.supplementary_counter,
            ),
        )
    if known:
        return build(device, AlertRequest(NOT_SUPPORTED, header.originator, True, (content,), _NOT_SUPPORTED_CODE))
    return device.alert(NOT_SUPPORTED, (content,), message_code=_NOT_SUPPORTED_CODE)
