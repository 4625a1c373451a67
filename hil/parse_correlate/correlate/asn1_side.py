"""ASN.1 pre-commands: the DER values, one by one, against what the request asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from firmware_emu.crypto.certificates import entity_of, usage_of
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.ids import Eui64
from hil.dcc.duis.node import CANCELLATION, Node
from hil.parse_correlate.correlate.comparison import Comparison, Known, Meaning

_DIGITAL_SIGNATURE, _KEY_AGREEMENT = "bits 0780", "bits 0308"
_ROLE_NUMBERS = {"Root": 0, "Recovery": 1, "Supplier": 2, "NetworkOperator": 3, "ACB": 4, "TransCoS": 5, "LoadController": 8}


_MAX_DEPTH = 8
"""Nesting of the deepest payload is 5; the bound is ours."""


def _length(octets: bytes, at: int) -> tuple[int, int]:
    """A length in its shortest form, as commands write it, and where the content starts. Raises DecodeError."""
    first = octets[at] if at < len(octets) else 0xFF
    if first < 0x80:
        return first, at + 1
    size = first & 0x7F
    length = int.from_bytes(octets[at + 1 : at + 1 + size], "big")
    if size not in (1, 2) or at + 1 + size > len(octets) or length < (0x80 if size == 1 else 0x100):
        raise DecodeError(at, "DER length", f"read {octets[at : at + 3].hex() or 'nothing'}, expected the shortest form")
    return length, at + 1 + size


def values(octets: bytes, depth: int = 0) -> list[Meaning]:
    """DER as nested lists: a constructed value is ``[tag, parts...]``, a certificate its octets, a leaf text that names its type."""
    if depth > _MAX_DEPTH:
        raise DecodeError(0, "DER value", f"nested deeper than {_MAX_DEPTH}")
    found: list[Meaning] = []
    at = 0
    while at < len(octets):
        tag = octets[at]
        size, start = _length(octets, at + 1)
        content = octets[start : start + size]
        if len(content) != size:
            raise DecodeError(at, "DER value", f"{size} octets announced, {len(content)} left")
        whole = octets[at : start + size]
        found.append(_value(tag, content, whole, depth))
        at = start + size
    return found


def _value(tag: int, content: bytes, whole: bytes, depth: int) -> Meaning:
    if tag == 0x30 and _is_certificate(content):
        return whole
    if tag & 0x20:
        return [f"{tag:02x}", *values(content, depth + 1)]
    kinds = {0x02: "integer", 0x83: "sequence number", 0x84: "floor", 0x81: "checks"}
    if tag in kinds:
        minimal = len(content) == 1 or (len(content) > 1 and not (content[0] == 0 and content[1] < 0x80))
        return f"{kinds[tag]} {int.from_bytes(content, 'big', signed=True)}" if minimal else f"{kinds[tag]} {whole.hex()}"
    if tag == 0x03:
        return f"bits {content.hex()}"
    if tag == 0x18:
        return f"time {content.decode('latin-1')}"
    return f"{tag:02x} {content.hex()}"


def _is_certificate(content: bytes) -> bool:
    """A certificate begins with a sequence that begins with version [0]; nothing else in these messages does."""
    if content[:1] != b"\x30" or len(content) < 8:
        return False
    header = 2 + (content[1] & 0x7F if content[1] & 0x80 else 0)
    return content[header : header + 2] == b"\xa0\x03"


def _cell(role: int, usage: str, top_up: bool = False) -> list[Meaning]:
    return [f"integer {role}", usage, *(["integer 1"] if top_up else [])]


def _execution(body: Node) -> list[Meaning]:
    if not body.has("ExecutionDateTime"):
        return []
    moment = body.moment("ExecutionDateTime")
    return ["time 99991231235959Z" if moment == CANCELLATION else f"time {moment:%Y%m%d%H%M%S}Z"]


_Asked = Callable[[Node, int], list[Meaning]]


def _update(mode: int, authority: int, floors_in_changes: bool) -> _Asked:
    def asked(body: Node, counter: int) -> list[Meaning]:
        coming = body.has("SupplierReplacementCertificates")
        role = 2 if coming else _ROLE_NUMBERS[body.text("RemotePartyRole").strip()]
        certificates = body.node("SupplierReplacementCertificates" if coming else "ReplacementCertificates")
        certificates = certificates.find("SupplierOrNetworkOperatorCertificates") or certificates
        prefix = "Supplier" if coming else "RemoteParty"
        floor, top_up = f"{prefix}FloorSeqNumber", f"{prefix}PrepaymentTopUpFloorSeqNumber"
        control: list[Meaning] = ["30", f"integer {mode}"]
        if not body.boolean("ApplyTimeBasedCPVChecks"):
            control.append("checks 1")
        control += [["a2", *_cell(authority, _DIGITAL_SIGNATURE)], f"sequence number {counter}"]
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
    return [["30", {"Digital Signature": _DIGITAL_SIGNATURE, "Key Agreement": _KEY_AGREEMENT}[body.text("CredentialType").strip()]]]


def _clock(body: Node, _: int) -> list[Meaning]:
    start = body.moment("CurrentDateTime")
    end = start + timedelta(seconds=body.integer("TolerancePeriod"))
    return [["30", f"time {start:%Y%m%d%H%M%S}Z", f"time {end:%Y%m%d%H%M%S}Z"]]


def _firmware(body: Node, counter: int) -> list[Meaning]:
    return [["30", f"04 {body.octets('FirmwareHash').hex()}", f"integer {counter}", *_execution(body)]]


_ASKED: dict[int, _Asked] = {
    0x0100: _update(0, 2, False),
    0x0102: _update(2, 2, False),
    0x0103: _update(3, 3, False),
    0x0104: _update(4, 4, False),
    0x0106: _update(6, 5, False),
    0x0107: _update(7, 5, True),
    0x0108: _update(8, 1, False),
    0x0125: _update(10, 8, False),
    0x0126: _update(11, 2, True),
    0x000A: _usage,
    0x000B: lambda body, _: [body.base64("DeviceCertificate")],
    0x000C: _usage,
    0x000F: lambda body, _: [f"04 {body.eui('OtherDeviceID').octets.hex()}"],
    0x0012: _firmware,
    0x007F: _clock,
}
_JOINS = {0x000D: 0, 0x00AB: 1, 0x000E: 2, 0x00AF: 3}
_DEVICE_TYPES = {"0": {"4", "5"}, "1": {"1"}, "2": {"3", "6"}, "3": {"0", "5"}}
"""Types that the other Device of a join can have, by method and role: a meter joins auxiliary devices or a PPMID by method A, a PPMID or
switch joins an electricity meter; by C a gas meter and a PPMID join each other (reference gbcs-messages 6, RTDS CS03)."""


def covers(message_code: int) -> bool:
    """Whether the meaning of this message code is known here."""
    return message_code in _ASKED or message_code in _JOINS


def compare(payload: bytes, message_code: int, counter: int, body: Node, comparison: Comparison, known: Known) -> None:
    """Compare a DER payload with the body of the service request."""
    try:
        stated = values(payload)
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
    other = body.eui("OtherDeviceID")
    comparison.equal("join method", f"integer {method}", parts[1])
    comparison.equal("OtherDeviceID", f"04 {other.octets.hex()}", parts[2])
    kinds = _DEVICE_TYPES[str(method)]
    device_type = known.device_type_of(other) if known.device_type_of else None
    if device_type is not None:
        kinds = {str(int(device_type))}
    if str(parts[3]).removeprefix("integer ") not in kinds:
        comparison.add("type of the other Device", " or ".join(sorted(kinds)), str(parts[3]))
    if len(parts) == 5:
        certificate = parts[4]
        if method != 3 or not isinstance(certificate, bytes):
            comparison.add("certificate", "none", str(certificate)[:80])
        else:
            _compare_certificate(certificate, other, comparison, known)


def _compare_certificate(certificate: bytes, entity: Eui64, comparison: Comparison, known: Known) -> None:
    held = known.certificate_of(entity) if known.certificate_of else None
    if held is not None:
        comparison.equal("certificate", held, certificate)
        return
    try:
        read = x509.load_der_x509_certificate(certificate)
        comparison.equal("certificate of", str(entity), str(entity_of(read)))
        comparison.equal("certificate for", KeyUsage.KEY_AGREEMENT.name, usage_of(read).name)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm, CommsHubError) as trouble:
        comparison.add("certificate", "a device certificate", str(trouble))
