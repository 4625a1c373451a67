"""ASN.1 pre-commands: the DER values, one by one, against what the request asks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256

from ..errors import DecodeError
from ..keys import AGREEMENT, entity_of, usage_of
from ..message import der
from ..message.envelope import Entity
from ..request import CANCELLATION, Node
from .comparison import Comparison, Known, Meaning

_DIGITAL_SIGNATURE, _KEY_AGREEMENT = "bits 0780", "bits 0308"
_ROLE_NUMBERS = {"Root": 0, "Recovery": 1, "Supplier": 2, "NetworkOperator": 3, "ACB": 4, "TransCoS": 5, "LoadController": 8}
SET_GAS_CLOCK = 0x007F
_KINDS = {der.INTEGER: "integer", 0x83: "sequence number", 0x84: "floor", 0x81: "checks"}


def values(items: tuple[der.Item, ...]) -> list[Meaning]:
    """DER as nested lists: a constructed value is ``[tag, parts...]``, a certificate its octets, a leaf text that names its type. Raises
    DecodeError for a length that is not in its shortest form: commands write no other."""
    found: list[Meaning] = []
    for item in items:
        if not item.shortest:
            raise DecodeError(item.offset, "DER length", "is not in its shortest form")
        found.append(_value(item))
    return found


def _value(item: der.Item) -> Meaning:
    if item.is_certificate:
        return item.octets
    if item.items or item.tag & 0x20:
        return [f"{item.tag:02x}", *values(item.items)]
    content = item.content
    if item.tag in _KINDS:
        spare = len(content) > 1 and ((content[0] == 0 and content[1] < 0x80) or (content[0] == 0xFF and content[1] >= 0x80))
        return f"{_KINDS[item.tag]} {item.number}" if content and not spare else f"{_KINDS[item.tag]} {item.octets.hex()}"
    if item.tag == der.BIT_STRING:
        return f"bits {content.hex()}"
    if item.tag == der.GENERALIZED_TIME:
        return f"time {content.decode('latin-1')}"
    return f"{item.tag:02x} {content.hex()}"


def _cell(role: int, usage: str, top_up: bool = False) -> list[Meaning]:
    return [f"integer {role}", usage, *(["integer 1"] if top_up else [])]


def _time(moment: datetime) -> Meaning:
    return f"time {moment.year:04}{moment:%m%d%H%M%S}Z"  # the system's own year has as many digits as it needs


def _execution(body: Node) -> list[Meaning]:
    if not body.has("ExecutionDateTime"):
        return []
    moment = body.moment("ExecutionDateTime")
    return ["time 99991231235959Z" if moment == CANCELLATION else _time(moment)]


_Asked = Callable[[Node, int], list[Meaning]]


def _update(mode: int, authority: int | None, floors_in_changes: bool) -> _Asked:
    """Wish of CS02b and CS02g; without an ``authority`` no cell is named, since the access control broker's MAC is the proof."""

    def asked(body: Node, counter: int) -> list[Meaning]:
        coming = body.has("SupplierReplacementCertificates")
        role = 2 if coming else body.one_of("RemotePartyRole", _ROLE_NUMBERS)
        certificates = body.node("SupplierReplacementCertificates" if coming else "ReplacementCertificates")
        certificates = certificates.find("SupplierOrNetworkOperatorCertificates") or certificates
        prefix = "Supplier" if coming else "RemoteParty"
        floor, top_up = f"{prefix}FloorSeqNumber", f"{prefix}PrepaymentTopUpFloorSeqNumber"
        control: list[Meaning] = ["30", f"integer {mode}"]
        if not body.boolean("ApplyTimeBasedCPVChecks"):
            control.append("checks 1")
        control += [] if authority is None else [["a2", *_cell(authority, _DIGITAL_SIGNATURE)]]
        control.append(f"sequence number {counter}")
        special: Meaning = ["30", "integer 0", f"integer {body.integer(top_up)}"] if body.has(top_up) else None
        if floors_in_changes:
            change: list[Meaning] = ["30", f"integer {role}", f"integer {body.integer(floor) if body.has(floor) else 0}"]
            change += [["30", special]] if special is not None else []
            control += [["a6", change]] if body.has(floor) else []
        else:
            control += [f"floor {body.integer(floor)}"] if body.has(floor) else []
            control += [["a5", special]] if special is not None else []
        replacements: list[Meaning] = ["30"]
        for name, usage, top in (
            ("DigitalSigningCertificate", _DIGITAL_SIGNATURE, False),
            ("KeyAgreementCertificate", _KEY_AGREEMENT, False),
            ("KeyAgreementTopUpCertificate", _KEY_AGREEMENT, True),
        ):
            if certificates.has(name):
                replacements.append(["30", certificates.base64(name), ["30", *_cell(role, usage, top)]])
        path: list[Meaning] = ["30", *(node.base64() for node in body.nodes("CertificationPathCertificates/Certificate"))]
        return [["30", control, replacements, path, *_execution(body)]]

    return asked


def _usage(body: Node, _: int) -> list[Meaning]:
    usages = (_DIGITAL_SIGNATURE, _KEY_AGREEMENT)
    return [["30", usages[body.one_of("CredentialType", {"Digital Signature": 0, "Key Agreement": 1})]]]


def _clock(body: Node, _: int) -> list[Meaning]:
    return [["30", *(_time(moment) for moment in body.window("CurrentDateTime", "TolerancePeriod"))]]


def _firmware(body: Node, counter: int) -> list[Meaning]:
    return [["30", f"04 {body.octets('FirmwareHash').hex()}", f"integer {counter}", *_execution(body)]]


_ASKED: dict[int, _Asked] = {
    0x0100: _update(0, 2, False),
    0x0102: _update(2, 2, False),
    0x0103: _update(3, 3, False),
    0x0104: _update(4, None, False),
    0x0106: _update(6, 5, False),
    0x0107: _update(7, 5, True),
    0x0108: _update(8, 1, False),
    0x0125: _update(10, 8, False),
    0x0126: _update(11, 2, True),
    0x000A: _usage,
    0x000B: lambda body, _: [body.base64("DeviceCertificate")],
    0x000C: _usage,
    0x000F: lambda body, _: [f"04 {body.entity('OtherDeviceID').octets.hex()}"],
    0x0012: _firmware,
    SET_GAS_CLOCK: _clock,
}
_JOINS = {0x000D: 0, 0x00AB: 1, 0x000E: 2, 0x00AF: 3}
_WITH_CERTIFICATE = 3
_DEVICE_TYPES = {0: {"4", "5"}, 1: {"1"}, 2: {"3", "6"}, 3: {"0", "5"}}
"""Types that the other Device of a join can have, by method and role: a meter joins auxiliary devices or a PPMID by method A, a PPMID or
switch joins an electricity meter; by C a gas meter and a PPMID join each other (reference gbcs-messages 6, RTDS CS03)."""


def covers(message_code: int) -> bool:
    """True if the meaning of this message code is known here."""
    return message_code in _ASKED or message_code in _JOINS


def compare(payload: bytes, base: int, message_code: int, counter: int, body: Node, comparison: Comparison, known: Known) -> None:
    """Compare a DER payload with the body of the service request."""
    try:
        stated = values(der.read_der(payload, base))
    except DecodeError as trouble:
        comparison.add("payload", "DER", str(trouble))
        return
    if message_code in _JOINS:
        _compare_join(stated, _JOINS[message_code], body, comparison, known)
        return
    comparison.equal("payload", _ASKED[message_code](body, counter), stated)


def _compare_join(stated: list[Meaning], method: int, body: Node, comparison: Comparison, known: Known) -> None:
    """The request names the other Device alone: its type must be one that the method joins, a certificate must be its own."""
    parts = stated[0] if len(stated) == 1 else None
    if not isinstance(parts, list) or len(parts) not in (4, 5) or parts[0] != "30":
        comparison.add("payload", "a join", str(stated)[:80])
        return
    other = body.entity("OtherDeviceID")
    comparison.equal("join method", f"integer {method}", parts[1])
    comparison.equal("OtherDeviceID", f"04 {other.octets.hex()}", parts[2])
    kinds, stated_kind = _DEVICE_TYPES[method], str(parts[3]).removeprefix("integer ")
    device_type = known.device_type_of(other)
    if device_type is not None:
        kinds = {str(device_type)}
    if stated_kind not in kinds:
        comparison.add("type of the other Device", " or ".join(sorted(kinds)), str(parts[3]))
    elif len(kinds) > 1:
        comparison.open("type of the other Device", stated_kind, "the request does not say which it is")
    if len(parts) == 5:
        certificate = parts[4]
        if method != _WITH_CERTIFICATE or not isinstance(certificate, bytes):
            comparison.add("certificate", "none", str(certificate)[:80])
        else:
            _compare_certificate(certificate, other, comparison, known)
    elif method == _WITH_CERTIFICATE:
        comparison.open("certificate", "none", "a join of this method can carry one of the other Device")


def _compare_certificate(certificate: bytes, entity: Entity, comparison: Comparison, known: Known) -> None:
    held = known.certificates_of(entity)
    if held:
        if certificate not in held:
            comparison.add("certificate", " or ".join(one.hex() for one in held), certificate.hex())
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the library warns of what RFC 5280 forbids, a serial number that is not positive
            read = x509.load_der_x509_certificate(certificate)
        comparison.equal("certificate of", str(entity), str(entity_of(read)))
        comparison.equal("certificate for", AGREEMENT, usage_of(read))
        finger = read.fingerprint(SHA256()).hex()
    except (ValueError, UserWarning, x509.InvalidVersion, UnsupportedAlgorithm) as trouble:
        comparison.add("certificate", "a device certificate", str(trouble))
        return
    comparison.open("certificate", f"SHA-256 {finger}", f"no certificate of {entity} was given to hold it against")
