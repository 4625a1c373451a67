"""Explains ASN.1 payloads, every tag and length with the name the schema gives it."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.crypto.roles import CellUsage, DeviceType, RemotePartyRole
from firmware_emu.gbcs.alerts import alert_name
from firmware_emu.gbcs.asn1 import Asn1Payload, header
from firmware_emu.gbcs.asn1_schema import Asn1Kind, kinds
from firmware_emu.gbcs.names import number_meaning
from firmware_emu.gbcs.tree import Cursor, TreeNode

_SEE = "reference gbcs-messages 6"
_KEY_USAGES = {"0780": "digital signature", "0308": "key agreement", "0204": "certificate signing"}


def explain_asn1(cursor: Cursor, payload: Asn1Payload, message_code: int) -> tuple[TreeNode, ...]:
    """Nodes of an ASN.1 payload; the message code says what a bare response code means."""
    return (_value(cursor, kinds()[payload.type_name], payload.type_name, f"response {message_code:04x}"),)


def _value(cursor: Cursor, kind: Asn1Kind, field: str, place: str) -> TreeNode:
    start, stop = header(cursor.octets, cursor.position, len(cursor.octets))
    if kind.base not in ("SEQUENCE", "SEQUENCE OF"):
        contents = cursor.octets[start:stop]
        value, meaning = _leaf(kind, contents, place)
        return cursor.node(stop - cursor.position, field, value, meaning, _SEE)
    head = cursor.node(start - cursor.position, field, f"{kind.base}, {stop - start} octets", clause=_SEE)
    children: list[TreeNode] = []
    if kind.element is not None:
        while cursor.position < stop:
            children.append(_value(cursor, kind.element, f"{_plain(kind.element.name)} {len(children)}", place))
    for member in kind.members:
        if cursor.position < stop and cursor.octets[cursor.position] == member.tag:
            children.append(_value(cursor, member.kind, member.name, f"asn1 {member.name}"))
    return replace(head, children=tuple(children))


def _plain(name: str) -> str:
    return name[0].lower() + name[1:] if name.isascii() and " " not in name else name


def _leaf(kind: Asn1Kind, contents: bytes, place: str) -> tuple[str, str]:
    match kind.base:
        case "INTEGER" | "ENUMERATED":
            number = int.from_bytes(contents, "big", signed=True)
            return str(number), _number(kind, number) or number_meaning(place, number)
        case "GeneralizedTime":
            text = contents.decode("ascii", "replace")
            return text, "never: cancels" if text.startswith("99991231") else ""
        case "BIT STRING":
            return contents.hex(), _KEY_USAGES.get(contents.hex(), "")
        case "NULL":
            return "NULL", ""
        case "ANY":
            return f"{len(contents)} octets of DER", "certificate" if kind.name == "Certificate" else ""
        case _:
            return contents.hex(), ""


def _number(kind: Asn1Kind, number: int) -> str:
    if kind.name == "AlertCode":
        return alert_name(number)
    for name, enumeration in (("RemotePartyRole", RemotePartyRole), ("DeviceType", DeviceType), ("CellUsage", CellUsage)):
        if kind.name == name and number in {int(member) for member in enumeration}:
            return enumeration(number).name.lower().replace("_", " ")
    return next((text for text, value in kind.values if value == number), "")
