"""Why a command differs from its reference message, where that can be proven; a difference that nothing proves has no reason.

Each proof puts the one thing in question aside, or gives the transform what the reference message shows, and demands that nothing else
differs then.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import product

from cryptography import x509

from firmware_emu.crypto.certificates import UNREADABLE
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import RestoreDeviceLogCommand
from firmware_emu.gbcs.axdr import Array, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessRequest
from firmware_emu.gbcs.envelope import GroupingHeader, Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import Eui64
from hil.dcc.duis import ServiceRequest
from hil.dcc.transform.context import DeviceProfile, Edition, KnownDevice, StoredLog, TransformContext
from hil.dcc.transform.message import transform

_CERTIFICATE = b"a certificate"


def proven_reason(stem: str, request: ServiceRequest, context: TransformContext, reference: Message, made: Message) -> str | None:
    """The reason, or None where nothing here proves one."""
    proofs: tuple[Callable[[], str | None], ...] = (
        lambda: _other_profile(request, context, reference),
        lambda: _stored_log(request, context, reference),
        lambda: _certificates(reference, made),
        lambda: _mismatch(stem, reference, made),
    )
    return next((found for proof in proofs if (found := proof()) is not None), None)


def _same(one: Message, other: Message) -> bool:
    return one.signed_bytes == other.signed_bytes


def _made(request: ServiceRequest, context: TransformContext) -> Message | None:
    try:
        return transform(request, context)
    except CommsHubError:
        return None


def _other_profile(request: ServiceRequest, context: TransformContext, reference: Message) -> str | None:
    for phases, elements, edition in product((1, 3), (1, 2), Edition):
        made = _made(request, replace(context, profile=DeviceProfile(phases, elements, edition)))
        if made is not None and _same(made, reference):
            return f"the reference is for a Device of {phases} phases, {elements} elements and the {edition.value} use cases"
    return None


def _stored_log(request: ServiceRequest, context: TransformContext, reference: Message) -> str | None:
    log = _log_in(reference)
    if log is None:
        return None
    made = _made(request, replace(context, device_log=lambda _: log))
    if made is None or not _same(made, reference):
        return None
    return "the stored device log, which the request only names: with that of the reference message the command is the same"


def _log_in(reference: Message) -> StoredLog | None:
    payload = decode_payload(reference)
    if isinstance(payload, Asn1Payload) and isinstance(payload.value, RestoreDeviceLogCommand):
        return StoredLog(tuple(KnownDevice(entry.device_id, device_type=DeviceType(entry.device_type)) for entry in payload.value.entries))
    if isinstance(payload, AccessRequest) and len(payload.data) == 1:
        match payload.data[0]:
            case Structure(elements=(OctetString(octets=pan), Array(elements=entries))):
                return StoredLog(tuple(_entries(entries)), pan)
    return None


def _entries(values: tuple[object, ...]) -> Iterator[KnownDevice]:
    for value in values:
        match value:
            case Structure(elements=(OctetString(octets=device), OctetString(octets=key_hash))):
                yield KnownDevice(Eui64(device), key_hash)


def _certificates(reference: Message, made: Message) -> str | None:
    one, other = _header(reference), _header(made)
    if one != other or _without_certificates(decode_payload(reference)) != _without_certificates(decode_payload(made)):
        return None
    return "certificates alone: those of the request or the keys are of 2025, those of the reference message of 2015/16"


def _header(message: Message) -> GroupingHeader:
    other = message.header.other
    certificate = None if other.supplementary_certificate is None else _CERTIFICATE
    return replace(message.header, other=replace(other, supplementary_certificate=certificate))


def _without_certificates(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(_without_certificates(getattr(value, one.name)) for one in fields(value))
    if isinstance(value, tuple):
        return tuple(_without_certificates(one) for one in value)
    return _CERTIFICATE if isinstance(value, bytes) and _is_certificate(value) else value


def _is_certificate(octets: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(octets)
    except UNREADABLE:
        return False
    return True


@cache
def _mismatches() -> list[dict[str, str]]:
    return list(csv.DictReader((files(__package__) / "rtds_mismatches.csv").read_text(encoding="utf-8").splitlines()))


def _mismatch(stem: str, reference: Message, made: Message) -> str | None:
    """A value of the reference message that is not the one of its request, as ``rtds_mismatches.csv`` lists them."""
    rows = [row for row in _mismatches() if stem.startswith(row["stem"])]
    one, other = decode_payload(reference), decode_payload(made)
    if not rows or not isinstance(one, Gbz) or not isinstance(other, Gbz) or _header(reference) != _header(made):
        return None
    return rows[0]["source"] if _masked(one, rows) == _masked(other, rows) else None


def _masked(payload: Gbz, rows: list[dict[str, str]]) -> tuple[object, ...]:
    masked = []
    for component in payload.components:
        octets = bytearray(component.payload)
        for row in rows:
            if (component.cluster, component.command) == (int(row["cluster"], 16), int(row["command"], 16)):
                octets[int(row["first"]) : int(row["last"]) + 1] = bytes(int(row["last"]) + 1 - int(row["first"]))
        masked.append(replace(component, payload=bytes(octets)))
    return tuple(masked)
