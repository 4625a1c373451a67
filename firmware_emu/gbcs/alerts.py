"""Alert codes as data, and alert payloads built and read (reference gbcs-messages 7)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Self, TypeAlias

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs import asn1_types
from firmware_emu.gbcs.alert_contents import (
    DLMS_CONTENTS,
    DlmsContent,
    FirmwareReceipt,
    FutureDatedGbz,
    MeterIntegrity,
    read_identifier,
)
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.axdr import LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.cosem_time import (
    decode_date_time,
    decode_generalized,
    decode_utc_seconds,
    encode_date_time,
    encode_generalized,
    encode_utc_seconds,
)
from firmware_emu.gbcs.dlms import DataNotification, invoke_id
from firmware_emu.gbcs.envelope import Reader, length_octets
from firmware_emu.gbcs.gbz import PROFILE, Component
from firmware_emu.ids import MessageIdentifier

GENERIC_CRITICAL = 0x1000
GENERIC_NON_CRITICAL = 0x1001
DELIVERY_FAILURE = 0x00D5
FUTURE_DATED_GBZ = 0x00CD
FIRMWARE_RECEIPT_GBZ = 0x00CF
METER_INTEGRITY_GBZ = 0x00F2
BILLING_DATA_GBZ = 0x008B


@dataclass(frozen=True, slots=True)
class AlertCode:
    """One alert or event code and where its name is from."""

    code: int
    name: str
    source: str


@cache
def alert_codes() -> dict[int, AlertCode]:
    """Every code of ``alert_codes.csv``."""
    rows = csv.DictReader(files(__package__).joinpath("alert_codes.csv").read_text("utf-8").splitlines())
    return {int(row["code"], 16): AlertCode(int(row["code"], 16), row["name"], row["source"]) for row in rows}


def alert_name(code: int) -> str:
    """The name, or ``alert 8f99`` for a code the table does not hold."""
    entry = alert_codes().get(code)
    return f"alert {code:04x}" if entry is None else entry.name


@dataclass(frozen=True, slots=True)
class GbzAlert:
    """``01 09 | k | alert code | time stamp | rest``; k is 1 where there is a rest. ``timestamp`` is in seconds since 2000."""

    alert_code: int
    timestamp: int
    rest: bytes = b""

    def encode(self) -> bytes:
        head = PROFILE + (b"\x01" if self.rest else b"\x00")
        return head + self.alert_code.to_bytes(2, "big") + self.timestamp.to_bytes(4, "big") + self.rest

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        reader.expect(PROFILE, "ZigBee profile id")
        count = reader.u8("number of components")
        code = reader.uint(2, "alert code")
        timestamp = reader.uint(4, "alert time stamp")
        if count != (1 if reader.remaining else 0):
            raise DecodeError(offset + 2, "number of components", f"read {count}, {reader.remaining} octets follow the time stamp")
        return cls(code, timestamp, reader.rest())


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """00D5 (8F84): a message that could not be delivered to the ESME.

    The layout is the published parser's, with no example to prove it: SEQUENCE { code, time, SEQUENCE of 25 bare octets }.
    """

    alert_code: int
    at: str
    identifier: MessageIdentifier

    def encode(self) -> bytes:
        time = self.at.encode("ascii")
        code = self.alert_code.to_bytes(3, "big")
        body = b"\x02\x03" + code + b"\x18" + length_octets(len(time)) + time + b"\x30\x19" + bytes(self.identifier)
        return b"\x30" + length_octets(len(body)) + body

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        reader.expect(b"\x30", "SEQUENCE tag")
        if reader.length("SEQUENCE length") != reader.remaining:
            reader.fail("SEQUENCE length", "octets are left over after the SEQUENCE")
        reader.expect(b"\x02\x03\x00", "alert code")
        code = reader.uint(2, "alert code")
        reader.expect(b"\x18\x0f", "alert time stamp")
        time = reader.take(15, "alert time stamp")
        if not time[:14].isdigit() or time[14:] != b"Z":
            reader.fail("alert time stamp", "expected YYYYMMDDhhmmssZ", back=15)
        reader.expect(b"\x30\x19", "message identifier")
        identifier = read_identifier(reader.take(25, "message identifier"), reader.offset - 25)
        reader.finish("alert")
        return cls(code, time.decode("ascii"), identifier)


GbzContent: TypeAlias = FutureDatedGbz | FirmwareReceipt | MeterIntegrity | Component
Asn1Alert: TypeAlias = (
    asn1_types.ActivateFirmwareAlert
    | asn1_types.UpdateCredentialsAlert
    | asn1_types.DeviceLogBackupAlert
    | asn1_types.FirmwareTransferAlert
    | asn1_types.FirmwareActivationAlert
)
Content: TypeAlias = DlmsContent | GbzContent | Asn1Alert | MessageIdentifier | None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert read: ``content`` is None for alerts of code and time alone; ``at`` is None where the time stamp names no moment."""

    message_code: int
    alert_code: int
    at: datetime | None
    content: Content

    @property
    def name(self) -> str:
        return alert_name(self.alert_code)


def dlms_alert(counter: int, alert_code: int, at: datetime, content: DlmsContent | None = None) -> DataNotification:
    """A DLMS alert payload; ``counter`` is the alert's originator counter."""
    items = () if content is None else content.items()
    return DataNotification(invoke_id(counter), Structure((LongUnsigned(alert_code), OctetString(encode_date_time(at)), *items)))


def gbz_alert(alert_code: int, at: datetime, content: GbzContent | None = None) -> GbzAlert:
    """A GBZ alert payload; the content's class tells the layout of the rest."""
    return GbzAlert(alert_code, encode_utc_seconds(at), _gbz_rest(content))


def delivery_failure(alert_code: int, at: datetime, identifier: MessageIdentifier) -> DeliveryFailure:
    """The payload of 00D5."""
    return DeliveryFailure(alert_code, encode_generalized(at), identifier)


def read_alert(message_code: int, payload: DataNotification | GbzAlert | Asn1Payload | DeliveryFailure, offset: int = 0) -> Alert:
    """The alert that a decoded payload says; ``offset`` is the payload's place in its message. Raises DecodeError for another layout."""
    if isinstance(payload, DataNotification):
        return _read_dlms(message_code, payload, offset)
    if isinstance(payload, GbzAlert):
        content = _read_gbz(message_code, payload.rest, offset + 9)
        return Alert(message_code, payload.alert_code, decode_utc_seconds(payload.timestamp), content)
    if isinstance(payload, DeliveryFailure):
        return Alert(message_code, payload.alert_code, _moment(payload.at), payload.identifier)
    if not isinstance(payload.value, Asn1Alert):
        raise DecodeError(offset, "alert", f"a {payload.type_name} is no alert")
    return Alert(message_code, payload.value.alert_code, payload.value.at, payload.value)


def _moment(text: str) -> datetime | None:
    try:
        return decode_generalized(text)
    except IdentifierError:
        return None


def _read_dlms(message_code: int, payload: DataNotification, offset: int) -> Alert:
    body = payload.body
    if not isinstance(body, Structure) or len(body.elements) < 2:
        raise DecodeError(offset + 6, "alert", "expected a structure of alert code, time stamp and content")
    code, stamp, *items = body.elements
    if not isinstance(code, LongUnsigned):
        raise DecodeError(offset + 8, "alert code", f"a {code.type_name}, expected a long-unsigned")
    if not isinstance(stamp, OctetString) or len(stamp.octets) != 12:
        raise DecodeError(offset + 11, "alert time stamp", "expected an octet-string of 12")
    layout = DLMS_CONTENTS.get(message_code)
    content: DlmsContent | None = None
    if layout is not None:
        content = layout.of(tuple(items), offset + 25)
    elif items:
        raise DecodeError(offset + 25, "alert", f"{len(items)} items after the time stamp, message {message_code:04x} has none")
    return Alert(message_code, code.value, decode_date_time(stamp.octets), content)


def _gbz_rest(content: GbzContent | None) -> bytes:
    match content:
        case None:
            return b""
        case FutureDatedGbz():
            body = content.message_code.to_bytes(2, "big") + content.counter.to_bytes(8, "big") + content.cluster.to_bytes(2, "big")
            return bytes((14,)) + body + bytes((content.frame_control, content.command))
        case FirmwareReceipt():
            return content.items()[0].encode()
        case MeterIntegrity():
            return content.issue.to_bytes(2, "big")
        case Component():
            return content.encode(last=True)


def _read_gbz(message_code: int, rest: bytes, offset: int) -> GbzContent | None:
    reader = Reader(rest, offset)
    content: GbzContent | None = None
    if message_code == FUTURE_DATED_GBZ:
        reader.expect(b"\x0e", "length of the instruction")
        code, counter, cluster = reader.uint(2, "message code"), reader.uint(8, "originator counter"), reader.uint(2, "cluster id")
        content = FutureDatedGbz(code, counter, cluster, reader.u8("ZCL frame control"), reader.u8("ZCL command id"))
    elif message_code == FIRMWARE_RECEIPT_GBZ:
        reader.expect(b"\x09\x20", "image hash")
        content = FirmwareReceipt(reader.take(32, "image hash"))
    elif message_code == METER_INTEGRITY_GBZ:
        content = MeterIntegrity(reader.uint(2, "meter integrity issue"))
    elif message_code == BILLING_DATA_GBZ:
        content = Component.read(reader, last=True)
    reader.finish("alert")
    return content
