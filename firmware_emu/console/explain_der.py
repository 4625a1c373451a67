"""Explains DER: tags, lengths and values; a certificate is named by its subject, a GBCS identity by its EUI-64."""

from __future__ import annotations

from firmware_emu.crypto.certificates import entity_of, parse_certificate, role_of, usage_of
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode

_UNIVERSAL = {
    0x01: "BOOLEAN",
    0x02: "INTEGER",
    0x03: "BIT STRING",
    0x04: "OCTET STRING",
    0x05: "NULL",
    0x06: "OBJECT IDENTIFIER",
    0x0A: "ENUMERATED",
    0x0C: "UTF8String",
    0x13: "PrintableString",
    0x16: "IA5String",
    0x17: "UTCTime",
    0x18: "GeneralizedTime",
    0x30: "SEQUENCE",
    0x31: "SET",
}
_TEXT = frozenset({0x0C, 0x13, 0x16, 0x17, 0x18})
_OBJECTS = {
    "1.2.840.10045.2.1": "EC public key",
    "1.2.840.10045.3.1.7": "curve P-256",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "2.5.4.3": "common name",
    "2.5.4.11": "organisational unit",
    "2.5.4.45": "unique identifier",
    "2.5.29.14": "subject key identifier",
    "2.5.29.15": "key usage",
    "2.5.29.17": "subject alternative name",
    "2.5.29.19": "basic constraints",
    "2.5.29.32": "certificate policies",
    "2.5.29.35": "authority key identifier",
    "1.3.6.1.5.5.7.8.4": "hardware module name",
}
_DEPTH = 24


def explain_der(octets: bytes) -> Tree:
    """One DER value to the last octet. Raises DecodeError."""
    cursor = Cursor(octets)
    node = _value(cursor, len(octets), 0)
    if cursor.remaining:
        raise DecodeError(cursor.offset, "DER", f"{cursor.remaining} octets after the value, expected none")
    return Tree(_title(octets), (node,))


def _title(octets: bytes) -> str:
    try:
        certificate = parse_certificate(octets)
        role = role_of(certificate)
        return f"certificate of {entity_of(certificate)}, {usage_of(certificate).name.lower()}" + (f", {role.name.lower()}" if role else "")
    except CommsHubError:
        return "DER"


def _value(cursor: Cursor, end: int, depth: int) -> TreeNode:
    start = cursor.position
    if depth > _DEPTH:
        raise DecodeError(cursor.offset, "DER", f"nested more than {_DEPTH} deep")
    head, length = _header(cursor, end)
    tag = cursor.octets[start]
    name = _UNIVERSAL.get(tag, f"[{tag & 0x1F}]" if tag & 0x80 else f"tag {tag:02x}")
    inside = cursor.position + length
    if tag & 0x20:
        children = []
        while cursor.position < inside:
            children.append(_value(cursor, inside, depth + 1))
        return TreeNode(head.offset, head.octets, name, f"{length} octets", children=tuple(children))
    contents = cursor.octets[cursor.position : inside]
    value, meaning = _leaf(tag, contents)
    cursor.position = inside
    return TreeNode(head.offset, head.octets + contents, name, value, meaning)


def _header(cursor: Cursor, end: int) -> tuple[TreeNode, int]:
    octets, at = cursor.octets, cursor.position
    if at + 2 > end:
        raise DecodeError(cursor.offset, "DER tag and length", f"{end - at} octets left, expected 2 or more")
    first, count = octets[at + 1], 0
    length = first
    if first & 0x80:
        count = first & 0x7F
        if not 1 <= count <= 4 or at + 2 + count > end:
            raise DecodeError(cursor.offset + 1, "DER length", f"read {first:02x}, expected a length of 1 to 4 octets")
        length = int.from_bytes(octets[at + 2 : at + 2 + count], "big")
    if at + 2 + count + length > end:
        raise DecodeError(cursor.offset + 1, "DER length", f"read {length}, but {end - at - 2 - count} octets are left")
    return cursor.node(2 + count, "tag and length"), length


def _leaf(tag: int, contents: bytes) -> tuple[str, str]:
    if tag == 0x06:
        dotted = _dotted(contents)
        return dotted, _OBJECTS.get(dotted, "")
    if tag in _TEXT:
        return contents.decode("utf-8", "replace"), ""
    if tag in (0x02, 0x0A) and len(contents) <= 8:
        return str(int.from_bytes(contents, "big", signed=True)), ""
    return contents.hex(), ""


def _dotted(contents: bytes) -> str:
    """The arcs of an object identifier; nothing where no arc ends."""
    numbers, value = list[int](), 0
    for octet in contents:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return ""
    first = min(numbers[0] // 40, 2)  # two arcs share the first number (X.690 8.19.4)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))
