"""ASN.1 payloads of commands, in DER (reference gbcs-messages 6): security credentials, joins, firmware, clock, device logs."""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.gbcs.cosem_time import GENERALIZED_NEVER, encode_generalized
from firmware_emu.gbcs.envelope import length_octets
from hil.dcc.duis.request import CANCELLATION, Node
from hil.dcc.transform.source import Source

_DIGITAL_SIGNATURE = bytes.fromhex("03020780")
_KEY_AGREEMENT = bytes.fromhex("03020308")
_NULL = b"\x05\x00"
_TOP_UP = 1
_ROLES = {
    "ACB": RemotePartyRole.ACCESS_CONTROL_BROKER,
    "NetworkOperator": RemotePartyRole.NETWORK_OPERATOR,
    "Recovery": RemotePartyRole.RECOVERY,
    "Root": RemotePartyRole.ROOT,
    "Supplier": RemotePartyRole.SUPPLIER,
    "TransCoS": RemotePartyRole.TRANSITIONAL_COS,
    "LoadController": RemotePartyRole.LOAD_CONTROLLER,
}
_LOAD_CONTROLLER_BY_SUPPLIER = 11
_SUPPLIER_BY_TRANSITIONAL_COS = 7
_BROKER_BY_BROKER = 4
_MODES = {
    0x0125: (10, RemotePartyRole.LOAD_CONTROLLER),
    0x0126: (_LOAD_CONTROLLER_BY_SUPPLIER, RemotePartyRole.SUPPLIER),
    0x0100: (0, RemotePartyRole.SUPPLIER),
    0x0102: (2, RemotePartyRole.SUPPLIER),
    0x0103: (3, RemotePartyRole.NETWORK_OPERATOR),
    0x0104: (_BROKER_BY_BROKER, RemotePartyRole.ACCESS_CONTROL_BROKER),
    0x0106: (6, RemotePartyRole.TRANSITIONAL_COS),
    0x0107: (_SUPPLIER_BY_TRANSITIONAL_COS, RemotePartyRole.TRANSITIONAL_COS),
    0x0108: (8, RemotePartyRole.RECOVERY),
}
"""Message code -> credentials replacement mode and role that authorises (reference gbcs-messages 6.1)."""
_METHODS = {"CS03A1": 0, "CS03A2": 1, "CS03B": 2, "CS03C": 3}


def _tagged(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + length_octets(len(content)) + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _integer_octets(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def _integer(value: int, tag: int = 0x02) -> bytes:
    return _tagged(tag, _integer_octets(value))


def _octets(value: bytes) -> bytes:
    return _tagged(0x04, value)


def _time(text: str) -> bytes:
    return _tagged(0x18, text.encode("ascii"))


def _execution(source: Source) -> bytes:
    moment = source.execution
    if moment is None:
        return b""
    return _time(GENERALIZED_NEVER if moment == CANCELLATION else encode_generalized(moment))


def _cell(role: RemotePartyRole, usage: bytes, cell: int = 0) -> bytes:
    return _integer(role) + usage + (_integer(cell) if cell else b"")


def _credentials_details(source: Source) -> bytes:
    """Roles asked for, authorised by the access control broker's key agreement cell."""
    roles = (_integer(_ROLES[node.text().strip()]) for node in source.body.nodes("RemotePartyRole"))
    return _sequence(_sequence(_cell(RemotePartyRole.ACCESS_CONTROL_BROKER, _KEY_AGREEMENT)), _sequence(*roles))


def _replacements(role: RemotePartyRole, certificates: Node) -> bytes:
    kinds = (
        ("DigitalSigningCertificate", _DIGITAL_SIGNATURE, 0),
        ("KeyAgreementCertificate", _KEY_AGREEMENT, 0),
        ("KeyAgreementTopUpCertificate", _KEY_AGREEMENT, _TOP_UP),
    )
    return _sequence(
        *(
            _sequence(certificates.base64(name), _sequence(_cell(role, usage, cell)))
            for name, usage, cell in kinds
            if certificates.has(name)
        )
    )


def _specialist(floor: int) -> bytes:
    return _sequence(_sequence(_integer(0), _integer(floor)))


def _certificates_node(source: Source) -> tuple[RemotePartyRole, Node]:
    body = source.body
    if body.has("SupplierReplacementCertificates"):
        return RemotePartyRole.SUPPLIER, body.node("SupplierReplacementCertificates")
    certificates = body.node("ReplacementCertificates")
    if body.has("ACBFloorSeqNumber"):
        return RemotePartyRole.ACCESS_CONTROL_BROKER, certificates
    role = _ROLES[body.text("RemotePartyRole").strip()]
    return role, certificates.find("SupplierOrNetworkOperatorCertificates") or certificates


def _optional(node: Node, *paths: str) -> int | None:
    return next((node.integer(path) for path in paths if node.has(path)), None)


def _update_credentials(source: Source) -> bytes:
    """The authorising control, the replacements, the certification path, and when (reference gbcs-messages 6.1)."""
    body = source.body
    mode, authority = _MODES[source.header.message_code]
    role, certificates = _certificates_node(source)
    floor = _optional(body, "RemotePartyFloorSeqNumber", "ACBFloorSeqNumber", "SupplierFloorSeqNumber")
    top_up = _optional(body, "RemotePartyPrepaymentTopUpFloorSeqNumber", "SupplierPrepaymentTopUpFloorSeqNumber")
    control = _integer(mode)
    if not body.boolean("ApplyTimeBasedCPVChecks"):
        control += _integer(1, 0x81)
    if mode != _BROKER_BY_BROKER:
        control += _tagged(0xA2, _cell(authority, _DIGITAL_SIGNATURE))
    control += _integer(source.header.counter, 0x83)
    if mode in (_LOAD_CONTROLLER_BY_SUPPLIER, _SUPPLIER_BY_TRANSITIONAL_COS):
        change = _integer(role) + _integer(floor or 0) + (b"" if top_up is None else _specialist(top_up))
        control += _tagged(0xA6, _sequence(change)) if floor is not None else b""
    else:
        control += b"" if floor is None else _integer(floor, 0x84)
        control += b"" if top_up is None else _tagged(0xA5, _sequence(_integer(0), _integer(top_up)))
    path = _sequence(*(node.base64() for node in body.nodes("CertificationPathCertificates/Certificate")))
    at_device = source.request.service_reference in ("6.15", "6.23")
    return _sequence(_sequence(control), _replacements(role, certificates), path, _execution(source) if at_device else b"")


def _key_usage(source: Source) -> bytes:
    return _sequence(_DIGITAL_SIGNATURE if source.body.text("CredentialType").strip() == "Digital Signature" else _KEY_AGREEMENT)


def _join(source: Source) -> bytes:
    """Method and role, the other Device and its type, for method C its key agreement certificate where it is known."""
    other = source.body.eui("OtherDeviceID")
    lookup = source.context.device_type_of
    device_type = lookup(other) if lookup else None
    if device_type is None:
        raise source.fail(f"needs the device type of {other}, which the inventory holds")
    certificate = b""
    if source.use_case == "CS03C" and source.context.certificate_of is not None:
        certificate = source.context.certificate_of(other, KeyUsage.KEY_AGREEMENT)
    return _sequence(_integer(_METHODS[source.use_case]), _octets(other.octets), _integer(device_type), certificate)


def _activate_firmware(source: Source) -> bytes:
    return _sequence(_octets(source.body.octets("FirmwareHash")), _integer(source.header.counter), _execution(source))


def _set_clock(source: Source) -> bytes:
    start, end = source.body.window("CurrentDateTime", "TolerancePeriod")
    return _sequence(_time(encode_generalized(start)), _time(encode_generalized(end)))


def _restore_log(source: Source) -> bytes:
    gpf = source.body.eui("OldGPFID")
    log = source.context.device_log(gpf) if source.context.device_log else None
    if log is None:
        raise source.fail(f"needs the stored device log of {gpf}")
    entries = (_sequence(_octets(entry.device.octets), _integer(entry.device_type or DeviceType.GSME)) for entry in log.entries)
    return _sequence(_sequence(*entries))


_PAYLOADS: dict[str, Callable[[Source], bytes]] = {
    "CS02a": _credentials_details,
    "CS02b": _update_credentials,
    "CS02c": _key_usage,
    "CS02d": lambda source: source.body.base64("DeviceCertificate"),
    "CS02e": _key_usage,
    "CS02f": _credentials_details,
    "CS02g": _update_credentials,
    "CS03A1": _join,
    "CS03A2": _join,
    "CS03B": _join,
    "CS03C": _join,
    "CS04AC": lambda source: _octets(source.body.eui("OtherDeviceID").octets),
    "CS04B": lambda source: _octets(source.body.eui("OtherDeviceID").octets),
    "CS06": _activate_firmware,
    "CS07": lambda _: _NULL,
    "CS08": lambda _: _NULL,
    "GCS28": _set_clock,
    "GCS59": _restore_log,
}


def knows(use_case: str) -> bool:
    """True if the use case has an ASN.1 payload."""
    return use_case in _PAYLOADS


def payload(source: Source) -> bytes:
    """The DER payload of a use case. Raises TransformError, RequestError."""
    return _PAYLOADS[source.use_case](source)
