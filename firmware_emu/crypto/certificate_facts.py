"""Facts of a certificate, read field by field without judging it, also where a library would refuse it."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.crypto import der
from firmware_emu.crypto.der import NotDer, Reader, Value, oid

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


def read(octets: bytes) -> Facts:
    """Read a certificate. Raises NotDer where its structure is not that of one (RFC 5280 4.1)."""
    reader = Reader()
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


def _name(reader: Reader, name: Value) -> tuple[NameParts, bool]:
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


def _extensions(reader: Reader, wrapped: Value) -> tuple[Extension, ...]:
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
