"""The response to one Command: header, encryption for the party that reads it, protection (reference gbcs-messages 1, 2.4, 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from cryptography import x509

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.certificate_profile import Profile
from firmware_emu.crypto.certificates import entity_of, usage_of
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device.alerting import Originator
from firmware_emu.device.credentials import sound_certificate
from firmware_emu.device.profile import PipelineProfile
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.gbcs import cosem_time, protect
from firmware_emu.gbcs.axdr import Null
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, AccessResult, Choice, Protected, ProtectionParameters, Result
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.reader import MAX_LENGTH
from firmware_emu.ids import CraFlag, Eui64

_DLMS_REQUEST = 0xD9
_GBZ_PROFILE = b"\x01\x09"
_DEFAULT_RESPONSE = 0x0B
_ZCL_FAILURE = 0x01
_NO_COMMAND = 0xFF
LONGEST_PAYLOAD = MAX_LENGTH - 256
"""Octets of payload that surely leave room for the rest of a response: header, signature and MAC take less than 256."""
_GAS = (DeviceType.GSME, DeviceType.GPF)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Encrypted octets ``31 00000000 || ciphertext || tag`` and the protection parameters a DLMS answer writes beside them."""

    octets: bytes
    parameters: ProtectionParameters

    @property
    def item(self) -> Protected:
        """As a data item of an access response."""
        return Protected(self.parameters, self.octets)


class Responder(Originator, Protocol):
    """The Device that answers a Command."""

    profile: PipelineProfile
    clock_status: int


class Reply:
    """One response while its payload is being made."""

    def __init__(self, device: Responder, message: Message) -> None:
        self._device = device
        self._message = message
        self._supplementary_counter: int | None = None

    def seal(self, plaintext: bytes) -> Sealed:
        """Encrypt for the header's originator, or for the unknown party that sent its certificate along.

        Raises ProtectionError if no key agreement certificate of the reader is held or the one sent is not the reader's.
        """
        header = self._message.header
        other = header.other
        credentials = self._device.credentials
        if other.supplementary_party is None:
            reader, z, counter = header.originator, credentials.z(header.originator), header.counter
        else:
            reader = other.supplementary_party
            if other.supplementary_certificate is None:  # RTDS GCS61 and GCS15d: no counter of its own for a party it knows
                z, counter = credentials.z(reader), header.counter
            else:
                z = credentials.z_with(_sent_certificate(other.supplementary_certificate, reader))
                counter = self._reader_counter()
        octets = protect.encrypt(plaintext, z, originator=self._device.eui64, counter=counter, recipient=reader)
        return Sealed(octets, ProtectionParameters(header.counter, self._device.eui64, header.originator))

    def _reader_counter(self) -> int:
        """The counter under which a party that sent its certificate decrypts."""
        header = self._message.header
        if header.message_code in self._device.profile.no_reader_counter:
            return header.counter
        if self._supplementary_counter is None:
            self._supplementary_counter = self._device.credentials.next_counter()
        return self._supplementary_counter

    def build(self, payload: bytes, *, signed: bool) -> Message:
        """The response: the Command's counter and first 18 octets of other information, parties swapped, protected."""
        header = self._message.header
        other = OtherInformation(
            header.message_code,
            header.other.supplementary_party,
            header.other.supplementary_counter,
            self._supplementary_counter,
        )
        response = Message(
            GroupingHeader(CraFlag.RESPONSE, header.counter, self._device.eui64, header.originator, other, self._date_time()),
            payload,
        )
        return self._device.protect(response, signed=signed)

    def _date_time(self) -> bytes:
        """The Device's time where the use case wants it; only gas Devices state the clock status (reference 1.3)."""
        device = self._device
        code = self._message.message_code
        if code not in device.profile.date_time_codes:
            return b""
        states = device.device_type in _GAS and not 0x0100 <= code <= 0x0126
        status = device.clock_status if states else cosem_time.STATUS_NOT_STATED
        return cosem_time.encode_date_time(EPOCH + timedelta(seconds=device.now()), status)


def _sent_certificate(der: bytes, party: Eui64) -> x509.Certificate:
    certificate = sound_certificate(der, Profile.ORGANISATION)
    if entity_of(certificate) != party or usage_of(certificate) is not KeyUsage.KEY_AGREEMENT:
        raise ProtectionError(f"the certificate in the Command is not a key agreement certificate of {party}")
    return certificate


def failure_payload(message: Message, result: AccessResult = AccessResult.OTHER_REASON) -> bytes | None:
    """Answer to a Command whose execution broke down: every item failed, by ``result`` where it is an access request.

    None where no such answer is defined.
    """
    payload = message.payload
    try:
        if payload[:1] == bytes((_DLMS_REQUEST,)):
            request = AccessRequest.decode(payload)
            results = tuple(
                Result(Choice.GET if item.choice is Choice.GET_WITH_SELECTION else item.choice, result) for item in request.specifications
            )
            return AccessResponse(request.invoke_id, tuple(Null() for _ in results), results).encode()
        if payload[:2] == _GBZ_PROFILE:
            return Gbz(tuple(default_response(part, _ZCL_FAILURE) for part in Gbz.decode(payload).components)).encode()
    except DecodeError:
        return None
    return ASN1_FAILURES.get(message.message_code)


def not_tried(part: Component) -> Component:
    """Answer to a component that follows a failed one (RTDS GCS01a, GCS15b ERROR: command FF, FAILURE)."""
    direction = 0x00 if part.from_server else 0x08
    return Component(part.cluster, direction, part.sequence, _DEFAULT_RESPONSE, bytes((_NO_COMMAND, _ZCL_FAILURE)))


def default_response(part: Component, status: int) -> Component:
    """ZCL Default Response to one component of a Command, from the other side of the cluster (reference gbcs-messages 7A)."""
    direction = 0x00 if part.from_server else 0x08
    return Component(part.cluster, direction, part.sequence, _DEFAULT_RESPONSE, bytes((part.command, status)))


ASN1_FAILURES: dict[int, bytes] = {
    0x000A: bytes.fromhex("020102"),  # key pair generation failed
    0x000B: bytes.fromhex("020106"),  # storage failed
    0x000C: bytes.fromhex("020103"),  # retrieval failure
    0x000D: bytes.fromhex("020105"),  # write failure
    0x000E: bytes.fromhex("020105"),
    0x000F: bytes.fromhex("020102"),  # other failure
    0x0010: bytes.fromhex("020102"),
    0x0013: bytes.fromhex("3003020101"),  # read failure, no list
    0x00AB: bytes.fromhex("020105"),
    0x00AF: bytes.fromhex("020105"),
}
"""Failure answers of the ASN.1 use cases that define one (reference gbcs-messages 6)."""
