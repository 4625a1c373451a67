"""Facts of a certificate, read field by field without judging it, also where a library would refuse it."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.crypto import der
from firmware_emu.crypto.der import DerReader, NotDer, Value, oid

OU, UNIQUE_ID = "2.5.4.11", "2.5.4.45"
KEY_USAGE, BASIC, POLICIES, SKI, AKI, SAN = "2.5.29.15", "2.5.29.19", "2.5.29.32", "2.5.29.14", "2.5.29.35", "2.5.29.17"
MODULE_NAME = bytes.fromhex("06082b06010505070804")
NameParts = tuple[tuple[str, int, bytes], ...]
"""Attributes of a name: object identifier, string tag, octets."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension; ``explicit_false``: "not critical" is written out, which DER forbids."""

    oid: str
    critical: bool
    explicit_false: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """The fields of one certificate. Algorithms are raw AlgorithmIdentifiers; times are (tag, text)."""

    octets: bytes
    loose: tuple[str, ...]
    version: int
    serial: bytes
    inner_algorithm: bytes
    outer_algorithm: bytes
    algorithm: str
    algorithm_parameters: bytes
    issuer: NameParts
    subject: NameParts
    multi_valued: bool
    not_before: tuple[int, str]
    not_after: tuple[int, str]
    key_algorithm: str
    key_parameters: bytes
    key_unused_bits: int
    point: bytes
    unique_ids: bool
    extensions: tuple[Extension, ...]
    signature_unused_bits: int
    signature: bytes

    def extension(self, number: str) -> Extension | None:
        """The first extension of that kind."""
        return next((one for one in self.extensions if one.oid == number), None)

    def values(self, number: str) -> list[tuple[int, bytes]]:
        """Tag and octets of each attribute of that kind in the subject."""
        return [(tag, octets) for kind, tag, octets in self.subject if kind == number]

    def ou(self) -> bytes:
        """The only organisational unit of the subject; empty where there are none or several."""
        found = self.values(OU)
        return found[0][1] if len(found) == 1 else b""

    def critical(self, number: str) -> bool:
        """True if the certificate has that extension and it is critical."""
        found = self.extension(number)
        return found is not None and found.critical

    def usage(self) -> int | None:
        """The bits of the key usage, None where there is none. Raises NotDer."""
        found = self.extension(KEY_USAGE)
        if found is None:
            return None
        value = DerReader().only(found.value)
        if value.tag != der.BIT_STRING or len(value.content) < 2:
            raise NotDer(f"key usage {found.value.hex()}, expected a bit string")
        return int.from_bytes(value.content[1:2], "big") | (0x100 if len(value.content) > 2 else 0)

    def basic(self) -> tuple[bool, int | None] | None:
        """True if it says that it is an authority, and its path length. Raises NotDer."""
        found = self.extension(BASIC)
        if found is None:
            return None
        parts = DerReader().parts(DerReader().only(found.value), der.SEQUENCE)
        authority = bool(parts) and parts[0].tag == der.BOOLEAN and parts[0].content != b"\x00"
        length = next((int.from_bytes(one.content, "big") for one in parts if one.tag == der.INTEGER), None)
        return authority, length

    def policy_ids(self) -> tuple[list[str], bool]:
        """The policies, and True if any has a qualifier. Raises NotDer."""
        found = self.extension(POLICIES)
        if found is None:
            return [], False
        reader = DerReader()
        each = [reader.parts(one, der.SEQUENCE) for one in reader.parts(reader.only(found.value), der.SEQUENCE)]
        if any(not parts or parts[0].tag != der.OID for parts in each):
            raise NotDer("certificate policies without identifiers")
        return [oid(parts[0].content) for parts in each], any(len(parts) > 1 for parts in each)

    def key_id(self) -> bytes | None:
        """The subject key identifier. Raises NotDer."""
        found = self.extension(SKI)
        return None if found is None else DerReader().only(found.value).content

    def authority_parts(self) -> list[Value] | None:
        """The parts of the authority key identifier. Raises NotDer."""
        found = self.extension(AKI)
        return None if found is None else DerReader().parts(DerReader().only(found.value), der.SEQUENCE)

    def signature_numbers(self) -> list[bytes]:
        """r and s of the signature. Raises NotDer."""
        parts = DerReader().parts(DerReader().only(self.signature), der.SEQUENCE)
        if len(parts) != 2 or any(one.tag != der.INTEGER or not one.content for one in parts):
            raise NotDer("a signature that is not two integers")
        return [one.content for one in parts]

    def module_names(self) -> list[Value]:
        """The subject's alternative names. Raises NotDer."""
        found = self.extension(SAN)
        return [] if found is None else DerReader().parts(DerReader().only(found.value), der.SEQUENCE)

    def hardware_serial(self) -> tuple[bytes, bytes]:
        """Type and serial number inside the hardwareModuleName. Raises NotDer."""
        names = self.module_names()
        if len(names) != 1 or names[0].tag != 0xA0 or not names[0].content.startswith(MODULE_NAME):
            raise NotDer("no hardwareModuleName")
        reader = DerReader()
        wrapped = reader.all(names[0].content)
        inner = reader.parts(reader.only(wrapped[1].content), der.SEQUENCE) if len(wrapped) == 2 else []
        if len(inner) != 2 or inner[0].tag != der.OID or inner[1].tag != der.OCTETS:
            raise NotDer("a hardwareModuleName without type and serial number")
        return inner[0].raw, inner[1].content

    def entity(self) -> bytes:
        """The 8 octets that a leaf speaks for; empty where there are none."""
        found = self.values(UNIQUE_ID)
        if found:
            return found[0][1][1:]
        try:
            return self.hardware_serial()[1]
        except NotDer:
            return b""


def read(octets: bytes) -> Facts:
    """Read a certificate. Raises NotDer where its structure is not that of one (RFC 5280 4.1)."""
    reader = DerReader()
    body, algorithm, signature = _three(reader.parts(reader.only(octets), der.SEQUENCE))
    fields = reader.parts(body, der.SEQUENCE)
    version = 0
    if fields and fields[0].tag == 0xA0:
        version = int.from_bytes(reader.only(fields.pop(0).content).content or b"\xff", "big")
    if len(fields) < 6 or fields[0].tag != der.INTEGER:
        raise NotDer(f"{len(fields)} fields in the body, expected at least 6 and a serial number first")
    serial, inner, issuer, validity, subject, key, *rest = fields
    tail = [one.tag & 0x1F for one in rest]
    if tail != sorted(set(tail)) or not set(tail) <= {1, 2, 3}:
        raise NotDer("a field behind the extensions, or one twice")
    extensions = next((one for one in rest if one.tag == 0xA3), None)
    names = [_name(reader, one) for one in (issuer, subject)]
    times = [(one.tag, one.content.decode("latin-1")) for one in reader.parts(validity, der.SEQUENCE)]
    key_parts = reader.parts(key, der.SEQUENCE)
    key_algorithm = reader.parts(key_parts[0], der.SEQUENCE) if len(key_parts) == 2 else []
    outer = reader.parts(algorithm, der.SEQUENCE)
    if len(times) != 2 or not key_algorithm or not outer or key_parts[1].tag != der.BIT_STRING or signature.tag != der.BIT_STRING:
        raise NotDer("validity, public key or algorithm without the parts each has")
    read_extensions = () if extensions is None else _extensions(reader, extensions)
    return Facts(
        octets,
        tuple(reader.loose),
        version,
        serial.content,
        inner.raw,
        algorithm.raw,
        oid(outer[0].content),
        b"".join(one.raw for one in outer[1:]),
        names[0][0],
        names[1][0],
        names[0][1] or names[1][1],
        times[0],
        times[1],
        oid(key_algorithm[0].content),
        b"".join(one.raw for one in key_algorithm[1:]),
        *_bits(key_parts[1]),
        unique_ids=bool({1, 2} & set(tail)),
        extensions=read_extensions,
        signature_unused_bits=_bits(signature)[0],
        signature=_bits(signature)[1],
    )


def _three(parts: list[Value]) -> tuple[Value, Value, Value]:
    if len(parts) != 3:
        raise NotDer(f"{len(parts)} parts, expected body, algorithm and signature")
    return parts[0], parts[1], parts[2]


def _bits(value: Value) -> tuple[int, bytes]:
    if not value.content:
        raise NotDer("a bit string without its first octet")
    return value.content[0], value.content[1:]


def _name(reader: DerReader, name: Value) -> tuple[NameParts, bool]:
    found: list[tuple[str, int, bytes]] = []
    several = False
    for relative in reader.parts(name, der.SEQUENCE):
        attributes = reader.parts(relative, der.SET)
        several = several or len(attributes) != 1
        for attribute in attributes:
            parts = reader.parts(attribute, der.SEQUENCE)
            if len(parts) != 2:
                raise NotDer("an attribute of a name without type and value")
            found.append((oid(parts[0].content), parts[1].tag, parts[1].content))
    return tuple(found), several


def _extensions(reader: DerReader, wrapped: Value) -> tuple[Extension, ...]:
    found = []
    for one in reader.parts(reader.only(wrapped.content), der.SEQUENCE):
        parts = reader.parts(one, der.SEQUENCE)
        if len(parts) < 2:
            raise NotDer("an extension without type and value")
        kind, *middle, value = parts
        if len(middle) > 1 or value.tag != der.OCTETS or (middle and (middle[0].tag != der.BOOLEAN or len(middle[0].content) != 1)):
            raise NotDer("an extension without type and value")
        flag = middle[0].content if middle else b""
        if flag not in (b"", b"\x00", b"\xff"):
            reader.loose.append(f"a truth value of {flag.hex()}")
        found.append(Extension(oid(kind.content), flag not in (b"", b"\x00"), flag == b"\x00", value.content))
    return tuple(found)
