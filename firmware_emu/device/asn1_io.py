"""Reading and writing the ASN.1 payloads of one Command, in the length form of Devices."""

from __future__ import annotations

from typing import TypeVar

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1 import Asn1Payload, LengthForm
from firmware_emu.gbcs.asn1_types import Asn1Value
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag

T = TypeVar("T")


def read(message: Message, kind: type[T]) -> T:
    """The Command's value, which must be of the Python type ``kind``. Raises DecodeError."""
    value = Asn1Payload.decode(message.payload, message.message_code, CraFlag.COMMAND, message.payload_offset).value
    if not isinstance(value, kind):
        raise DecodeError(message.payload_offset, "ASN.1 payload", f"expected a {kind.__name__}")
    return value


def write(type_name: str, value: Asn1Value) -> bytes:
    """Response or alert payload: Devices write lengths from 128 to 255 as ``82 00 nn`` (reference gbcs-messages 6)."""
    return Asn1Payload(type_name, value, LengthForm.DEVICE).encode()


def code(value: int) -> bytes:
    """A response that is one INTEGER."""
    return write("ResponseCode", value)
