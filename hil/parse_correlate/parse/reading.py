"""One message as named fields, proven, opened, and with its original octets kept.

Kind, message code and first octets tell the layout of a payload (reference gbcs-messages 4); MACs, signatures and encrypted parts are
checked and opened with the keys held (2, 5.5, 7A); every value becomes a field for people and for ``--json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as declared
from functools import lru_cache
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from ..errors import DecodeError
from ..keys import AGREEMENT, SIGNING, Keys, role_of
from ..message import asn1, der, dlms
from ..message.alerts import Undelivered, read_undelivered
from ..message.asn1 import Asn1Alert, Asn1Command, Asn1Response
from ..message.dlms import RESULTS, Access, AccessRequest, AccessResponse, DataNotification, Value, read_value
from ..message.envelope import ALERT, COMMAND, KINDS, RESPONSE, Entity, Header, Message, Octets, read_message
from ..message.gbz import SEALED_HEADER, TAG_SIZE, Component, GbzAlert, read_component, read_gbz, read_gbz_alert
from ..message.moments import NEVER, NOW, date_time, date_time_text, seconds_text
from ..message.zcl import Typed, ZclCommand, ZclField, read_zcl
from ..names import tables
from ..names.tables import use_case

VALID, INVALID, UNCHECKED, ABSENT = "valid", "invalid", "unchecked", "absent"
_ALGORITHM = bytes.fromhex("60857406080300")
_ENCRYPTION = 4
_SEALED_DATA = b"\x31"
_KEY_SIZE, _MAC_SIZE = 16, 12


def _key(secret: bytes, originator: Entity, use: int, counter: int, recipient: Entity) -> bytes:
    info = _ALGORITHM + originator.octets + b"\x09" + bytes((use,)) + counter.to_bytes(8, "big") + recipient.octets
    return ConcatKDFHash(SHA256(), _KEY_SIZE, info).derive(secret)


def _secrets(own: list[ec.EllipticCurvePrivateKey], certificates: list[x509.Certificate]) -> Iterator[bytes]:
    for certificate in certificates:
        public = certificate.public_key()
        for key in own:
            if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, type(key.curve)):
                yield _agreed(key, certificate)


@lru_cache(maxsize=1024)
def _agreed(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    """Shared secret of a private key and the holder of a certificate on its curve, remembered by the certificate's octets."""
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return key.exchange(ec.ECDH(), public)


def _between(one: Entity, other: Entity, keys: Keys) -> Iterator[bytes]:
    """Shared secrets of two entities, with the private key of whichever is held."""
    for mine, theirs in ((one, other), (other, one)):
        yield from _secrets(list(keys.agreement_keys(mine)), list(keys.certificates(theirs, AGREEMENT)))


def mac_state(message: Message, keys: Keys) -> str:
    """State of the MAC; ``unchecked`` where no key is held for it. The MAC of a command is the access control broker's, whichever
    party originated it; between two Devices it is theirs."""
    header = message.header
    if message.mac is None:
        return ABSENT
    checked = False
    for secret in _mac_secrets(header, keys):
        checked = True
        key = _key(secret, header.originator, header.kind, header.counter, header.recipient)
        if AESGCM(key).encrypt(_nonce(header), b"", message.mac_data)[:_MAC_SIZE] == message.mac:
            return VALID
    return INVALID if checked else UNCHECKED


def _mac_secrets(header: Header, keys: Keys) -> Iterator[bytes]:
    yield from _between(header.originator, header.recipient, keys)
    if header.kind == COMMAND and not _is_device(header.originator, keys):
        for broker in keys.brokers():
            yield from _between(broker, header.recipient, keys)


def _is_device(entity: Entity, keys: Keys) -> bool:
    return any(role_of(certificate) is None for usage in (AGREEMENT, SIGNING) for certificate in keys.certificates(entity, usage))


def signature_state(message: Message, keys: Keys) -> str:
    """State of the signature of the header's originator; ``unchecked`` without its certificate."""
    if not message.signature:
        return ABSENT
    half = len(message.signature) // 2
    r, s = int.from_bytes(message.signature[:half], "big"), int.from_bytes(message.signature[half:], "big")
    certificates = keys.certificates(message.header.originator, SIGNING)
    for certificate in certificates:
        public = certificate.public_key()
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(encode_dss_signature(r, s), message.signed_octets, ec.ECDSA(SHA256()))
                return VALID
        except InvalidSignature:
            continue
    return INVALID if certificates else UNCHECKED


def _nonce(header: Header) -> bytes:
    return header.originator.octets + bytes(4)


def reader_of(header: Header) -> Entity:
    """Party that may read encrypted content: the supplementary party, else the recipient."""
    return header.party or header.recipient


def open_sealed(sealed: bytes, header: Header, keys: Keys) -> tuple[bytes | None, str]:
    """The plaintext of ciphertext and tag, or None and why. ``sealed`` may begin with its security header."""
    sealed = sealed.removeprefix(SEALED_HEADER)
    reader = reader_of(header)
    counter = header.counter if header.party_originator_counter is None else header.party_originator_counter
    problem = f"no key of {reader} is held"
    for secret in _between(header.originator, reader, keys):
        problem = f"the key between {header.originator} and {reader} does not open it"
        key = _key(secret, header.originator, _ENCRYPTION, counter, reader)
        body, tag = sealed[:-TAG_SIZE], sealed[-TAG_SIZE:]
        if len(tag) != TAG_SIZE:
            return None, f"{len(sealed)} octets, expected at least a tag of {TAG_SIZE}"
        opener = Cipher(AES(key), GCM(_nonce(header), tag, min_tag_length=TAG_SIZE)).decryptor()
        opener.authenticate_additional_data(_SEALED_DATA)
        try:
            return opener.update(body) + opener.finalize(), ""
        except InvalidTag:
            continue
    return None, problem


Payload: TypeAlias = (
    "AccessRequest | AccessResponse | DataNotification | tuple[Component, ...] | GbzAlert | Asn1Command | Asn1Response | Asn1Alert | "
    "Undelivered"
)
_UNDELIVERED = 0x00D5
_PROFILE = bytes.fromhex("0109")


def read_payload(message: Message) -> Payload:
    """Raises DecodeError, offsets counted in the whole message."""
    octets, at, code, kind = message.payload, message.payload_offset, message.header.message_code, message.header.kind
    if kind == COMMAND and code in asn1.COMMAND_CODES:
        return asn1.read_asn1_command(octets, at)
    if kind == RESPONSE and code in asn1.COMMAND_CODES:
        return asn1.read_asn1_response(code, octets, at)
    if kind == ALERT and code in asn1.ALERT_CODES:
        return asn1.read_asn1_alert(code, octets, at)
    if kind == ALERT and code == _UNDELIVERED:
        return read_undelivered(octets, at)
    if octets[:2] == _PROFILE:
        return read_gbz_alert(octets, at) if kind == ALERT else read_gbz(octets, at)
    match octets[:1], kind:
        case b"\xd9", 1:
            return dlms.read_access_request(octets, at)
        case b"\xda", 2:
            return dlms.read_access_response(octets, at)
        case b"\x0f", 3:
            return dlms.read_notification(octets, at)
    raise DecodeError(at, "content", f"begins with {octets[:2].hex() or 'nothing'}: no payload of a {KINDS[kind]} {code:04x}")


@dataclass(frozen=True, slots=True)
class Opened:
    """One ciphertext. ``field`` says where it stands; ``plaintext`` is None where no key opened it, ``problem`` then says why.

    ``values`` is the plaintext read by its layout; ``component`` the GBZ component it stands in. The plaintext is left out of ``repr``."""

    field: str
    plaintext: bytes | None = declared(repr=False)
    values: Value | ZclCommand | None = declared(repr=False)
    problem: str
    component: Component | None = None

    @property
    def cluster(self) -> int:
        return 0 if self.component is None else self.component.cluster


def opened_parts(message: Message, payload: Payload, keys: Keys | None) -> tuple[Opened, ...]:
    """Every ciphertext of a payload, in order."""
    return tuple(_open(message, name, octets, component, keys) for name, octets, component in _sealed(payload))


def _sealed(payload: Payload) -> Iterator[tuple[str, bytes, Component | None]]:
    match payload:
        case AccessResponse():
            for place, answer in enumerate(payload.answers):
                found = _behind_parameters(answer.data.values)
                if found is not None:
                    yield f"data {place}", found, None
        case DataNotification():
            found = _behind_parameters(payload.body.values[2:])
            if found is not None:
                yield "alert data", found, None
        case GbzAlert() if SEALED_HEADER in payload.rest:
            try:
                component = read_component(Octets(payload.rest, payload.offset), True)
            except DecodeError:
                return
            if component.encrypted:
                yield "alert component", component.payload, component
        case tuple():
            for place, component in enumerate(payload):
                if component.encrypted:
                    yield f"component {place}", component.payload, component


def _behind_parameters(values: tuple[Value, ...]) -> bytes | None:
    """The ciphertext of a structure of protection parameters and an octet-string that begins with the security header."""
    if len(values) != 2 or values[0].kind != "array" or not isinstance(values[1].content, bytes):
        return None
    return values[1].content if values[1].content.startswith(SEALED_HEADER) else None


def _open(message: Message, name: str, octets: bytes, component: Component | None, keys: Keys | None) -> Opened:
    if keys is None:
        return Opened(name, None, None, "no keys were given", component)
    plaintext, problem = open_sealed(octets, message.header, keys)
    if plaintext is None:
        return Opened(name, None, None, problem, component)
    try:
        if component is None:
            source = Octets(plaintext)
            values: Value | ZclCommand | None = read_value(source)
            source.end("decrypted attributes")
        else:
            values = read_zcl(component, plaintext)
    except DecodeError as trouble:
        return Opened(name, plaintext, None, str(trouble), component)
    return Opened(name, plaintext, values, "", component)


Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
ZCL_STATUSES = {
    0x00: "success",
    0x01: "failure",
    0x7E: "not authorized",
    0x7F: "reserved field not zero",
    0x80: "malformed command",
    0x81: "unsup cluster command",
    0x82: "unsup general command",
    0x83: "unsup manuf cluster command",
    0x84: "unsup manuf general command",
    0x85: "invalid field",
    0x86: "unsupported attribute",
    0x87: "invalid value",
    0x88: "read only",
    0x89: "insufficient space",
    0x8A: "duplicate exists",
    0x8B: "not found",
    0x8D: "invalid data type",
    0x8F: "write only",
    0x94: "timeout",
    0xC0: "hardware failure",
    0xC1: "software failure",
    0xC2: "calibration error",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``value`` is what its octets say, ``meaning`` what that stands for; ``decrypted`` what stands in a ciphertext.

    ``data`` is the DLMS value behind it, where there is one."""

    field: str
    value: str = ""
    meaning: str = ""
    children: tuple[Field, ...] = ()
    decrypted: tuple[Field, ...] = ()
    data: Value | None = declared(default=None, repr=False, compare=False)

    def as_json(self) -> dict[str, Json]:
        """Empty parts are left out."""
        result: dict[str, Json] = {"field": self.field}
        if self.value:
            result["value"] = self.value
        if self.meaning:
            result["meaning"] = self.meaning
        if self.children:
            result["items"] = [child.as_json() for child in self.children]
        if self.decrypted:
            result["decrypted"] = [child.as_json() for child in self.decrypted]
        return result


def fields_of(payload: Payload, message_code: int, opened: Sequence[Opened]) -> tuple[Field, ...]:
    """The named fields of a payload, with what was opened below its ciphertext."""
    plain = {part.field: _plaintext(part, message_code) for part in opened}
    match payload:
        case AccessRequest():
            return tuple(_access(place, access) for place, access in enumerate(payload.accesses))
        case AccessResponse():
            return _response(payload, message_code, plain)
        case DataNotification():
            return (_notification(payload, plain),)
        case GbzAlert():
            return _gbz_alert(payload, opened, plain)
        case Asn1Command() | Asn1Response() | Asn1Alert():
            return tuple(_asn1(item) for item in payload.items)
        case Undelivered():
            message = Field("message", f"{payload.originator} to {payload.recipient}, counter {payload.counter}")
            return (Field("alert code", f"{payload.code:04x}", tables.alert_name(payload.code)), message)
        case _:
            return tuple(_component(f"component {place}", part, plain.get(f"component {place}", ())) for place, part in enumerate(payload))


def _access(place: int, access: Access) -> Field:
    member = tables.cosem_member(access.class_id, access.member, access.choice == "action")
    name = f"access {place}: {tables.cosem_object(access.class_id, access.obis)}, {member}"
    parts = () if access.selection is None else (data_field(access.selection, "selection"),)
    return Field(name, access.choice, children=(*parts, data_field(access.data, "data")))


def _response(payload: AccessResponse, message_code: int, plain: dict[str, tuple[Field, ...]]) -> tuple[Field, ...]:
    names = tables.accessed(message_code, len(payload.answers)) or [""] * len(payload.answers)
    found: list[Field] = []
    for place, (answer, name) in enumerate(zip(payload.answers, names, strict=True)):
        title = f"data {place}"
        shown = data_field(answer.data, f"{title}: {name}" if name else title)
        found.append(replace(shown, decrypted=plain.get(title, ())))
    results = (
        Field(f"result {place}", f"{answer.choice} {answer.result}", RESULTS[answer.result].replace("-", " "))
        for place, answer in enumerate(payload.answers)
    )
    return (*found, *results)


def _notification(payload: DataNotification, plain: dict[str, tuple[Field, ...]]) -> Field:
    shown = data_field(payload.body, "alert")
    parts = list(shown.children)
    values = payload.body.values
    if values and isinstance(values[0].content, int):
        parts[0] = Field("alert code", f"{values[0].content:04x}", tables.alert_name(values[0].content))
    if len(parts) > 1:
        parts[1] = replace(parts[1], field="alert time stamp")
    return replace(shown, children=tuple(parts), decrypted=plain.get("alert data", ()))


def data_field(value: Value, name: str) -> Field:
    """A DLMS value with everything in it."""
    if value.values or value.kind in ("array", "structure", "compact-array"):
        inner = tuple(data_field(part, f"element {place}") for place, part in enumerate(value.values))
        return Field(name, value.text(), children=inner, data=value)
    match value.content:
        case bytes() as octets:
            return Field(name, f"octet-string({len(octets)}) {octets.hex()}".rstrip(), _meaning(octets), data=value)
        case str() as text if value.kind == "bit-string":
            return Field(name, f"bit-string({len(text.partition('.')[0])}) {text}", data=value)
        case str() as text:
            return Field(name, f"{value.kind} {text!r}", data=value)
        case _:
            return Field(name, value.text(), data=value)


def _meaning(octets: bytes) -> str:
    if len(octets) == 12 and (octets in (NOW, NEVER) or date_time(octets) is not None):
        return date_time_text(octets)
    printable = len(octets) > 2 and octets.isascii() and octets.decode("ascii").isprintable()
    return f'"{octets.decode("ascii")}"' if printable else ""


def _plaintext(part: Opened, message_code: int) -> tuple[Field, ...]:
    if isinstance(part.values, ZclCommand):
        return zcl_fields(part.values)
    if isinstance(part.values, Value):
        shown = data_field(part.values, "decrypted attributes")
        names = tables.protected(message_code, len(shown.children))
        named = tuple(replace(child, field=name) for child, name in zip(shown.children, names, strict=True)) if names else shown.children
        return (replace(shown, children=named),)
    return (Field("ciphertext", "", part.problem),)


def _component(name: str, part: Component, plain: tuple[Field, ...]) -> Field:
    head = [
        Field("cluster id", f"{part.cluster:04x}", tables.zcl_cluster(part.cluster)),
        Field("ZCL frame control", f"{part.frame_control:02x}"),
        Field("ZCL sequence number", str(part.sequence)),
        Field("ZCL command id", f"{part.command:02x}"),
    ]
    if part.starts is not None:
        head.insert(1, Field("from date time", str(part.starts), seconds_text(part.starts)))
    if part.encrypted:
        return Field(name, tables.zcl_cluster(part.cluster), children=(*head, Field("ciphertext", part.payload.hex(), decrypted=plain)))
    try:
        command = read_zcl(part, part.payload, part.offset)
    except DecodeError as trouble:
        return Field(name, tables.zcl_cluster(part.cluster), children=(*head, Field("ZCL payload", part.payload.hex(), str(trouble))))
    if command is None:
        payload = (Field("ZCL payload", part.payload.hex(), "no layout is known for it"),) if part.payload else ()
        return Field(name, tables.zcl_cluster(part.cluster), children=(*head, *payload))
    title = f"{tables.zcl_cluster(part.cluster)} {command.name.replace('_', ' ')}".strip()
    return Field(name, title, children=(*head, *zcl_fields(command)))


def zcl_fields(command: ZclCommand) -> tuple[Field, ...]:
    """The fields of a ZCL command."""
    return tuple(_zcl(field, command.cluster) for field in command.fields)


def _zcl(field: ZclField, cluster: int) -> Field:
    name = field.name.replace("_", " ")
    match field.value:
        case tuple() as rows:
            entries = (Field(f"{name} {place}", children=tuple(_zcl(part, cluster) for part in row)) for place, row in enumerate(rows))
            return Field(name, f"{len(rows)} entries", children=tuple(entries))
        case Typed(type_id=type_id, value=value):
            return Field(name, _octets(value) if isinstance(value, bytes) else str(value), f"type {type_id:02x}")
        case bytes() as octets:
            return Field(name, _octets(octets))
        case int() as number if field.kind == "t":
            return Field(name, str(number), seconds_text(number))
        case int() as number if field.kind == "a":
            return Field(name, f"{number:04x}", tables.zcl_attribute(cluster, number))
        case int() as number if field.kind == "z":
            return Field(name, f"{number:02x}", ZCL_STATUSES.get(number, ""))
        case int() as number if field.kind == "b":
            return Field(name, f"{number:x}")
        case other:
            return Field(name, str(other))


def _octets(octets: bytes) -> str:
    text = octets.decode("ascii", "replace")
    return repr(text) if octets.isascii() and text.isprintable() else octets.hex()


def _gbz_alert(alert: GbzAlert, opened: Sequence[Opened], plain: dict[str, tuple[Field, ...]]) -> tuple[Field, ...]:
    head = (
        Field("alert code", f"{alert.code:04x}", tables.alert_name(alert.code)),
        Field("alert time stamp", str(alert.seconds), seconds_text(alert.seconds)),
    )
    if opened and opened[0].component is not None:
        return (*head, _component("component", opened[0].component, plain.get(opened[0].field, ())))
    return (*head, Field("further content", alert.rest.hex())) if alert.rest else head


def _asn1(item: der.Item) -> Field:
    name = der.NAMES.get(item.tag, f"tag {item.tag:02x}")
    return Field(name, item.text(), children=tuple(_asn1(inner) for inner in item.items))


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message, read. ``octets`` are the original ones; ``opened`` the encrypted parts; ``mac`` and ``signature`` are ``valid``,
    ``invalid``, ``absent``, or ``unchecked`` without keys."""

    octets: bytes
    message: Message
    payload: Payload
    use_case: str
    title: str
    opened: tuple[Opened, ...]
    mac: str
    signature: str

    @property
    def content(self) -> tuple[Field, ...]:
        """The named fields of the payload, decrypted ones below their ciphertext; made for each who looks."""
        return fields_of(self.payload, self.message.header.message_code, self.opened)

    def as_json(self) -> dict[str, Json]:
        """For people and programs: header in words, content as nested fields, the original octets in hexadecimal."""
        header = self.message.header
        result: dict[str, Json] = {
            "use_case": self.use_case,
            "title": self.title,
            "kind": KINDS[header.kind],
            "message_code": f"{header.message_code:04x}",
            "originator": str(header.originator),
            "recipient": str(header.recipient),
            "counter": header.counter,
        }
        if header.date_time:
            result["time"] = date_time_text(header.date_time)
        if header.party is not None:
            result["for"] = str(header.party)
            result["for_counter"] = header.party_counter
        result["mac"], result["signature"] = self.mac, self.signature
        result["content"] = [field.as_json() for field in self.content]
        result["octets"] = self.octets.hex()
        return result

    def as_text(self) -> str:
        """The same for reading in a terminal: one field a line, indented."""
        lines = [f"{self.use_case} {self.title}".strip()]
        for key, value in self.as_json().items():
            if key not in ("use_case", "title", "content", "octets"):
                lines.append(f"  {key}: {value}")
        for field in self.content:
            _lines(field, 1, lines)
        return "\n".join(lines)


def _lines(field: Field, depth: int, lines: list[str]) -> None:
    shown = " ".join(part for part in (field.value, f"({field.meaning})" if field.meaning else "") if part)
    lines.append(f"{'  ' * depth}{field.field}{': ' if shown else ''}{shown}")
    for child in (*field.children, *field.decrypted):
        _lines(child, depth + 1, lines)


def parse(octets: bytes, keys: Keys | None = None) -> Parsed:
    """Read one message to its last octet. Raises DecodeError; a ciphertext that no key opens stays closed and says why."""
    message = read_message(octets)
    payload = read_payload(message)
    case = use_case(message.header.message_code)
    return Parsed(
        octets=octets,
        message=message,
        payload=payload,
        use_case=case.name,
        title=case.title,
        opened=opened_parts(message, payload, keys),
        mac=mac_state(message, keys) if keys is not None else UNCHECKED if message.mac else ABSENT,
        signature=signature_state(message, keys) if keys is not None else UNCHECKED if message.signature else ABSENT,
    )
