"""Explains DLMS payloads, value by value."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.gbcs.alerts import alert_name
from firmware_emu.gbcs.axdr import (
    KINDS,
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    LongUnsigned,
    OctetString,
    Structure,
    TypeDescription,
    Utf8String,
    VisibleString,
    pack,
)
from firmware_emu.gbcs.cosem_time import decode_date_time, describe_date_time
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, Choice, DataNotification, Specification, obis_text
from firmware_emu.gbcs.envelope import length_octets
from firmware_emu.gbcs.names import cosem_class, cosem_member, cosem_object, data_name, number_meaning, octets_meaning
from firmware_emu.gbcs.tree import Cursor, TreeNode
from firmware_emu.gbcs.use_cases import AccessItem, find

_DATE_TIMES = (bytes.fromhex("0000000000000000008000ff"), bytes.fromhex("ffffffffffffffffff8000ff"))
EVENT_CODE = "event code"
"""The name in ``data_names.csv`` of the element that holds an event or alert code."""
_SEE_DATA = "reference gbcs-messages 5.3"
_SEE_REQUEST = "reference gbcs-messages 5.1"
_SEE_RESPONSE = "reference gbcs-messages 5.2"


def explain_request(cursor: Cursor, request: AccessRequest) -> tuple[TreeNode, ...]:
    """Nodes of an access request."""
    nodes = [cursor.node(1, "access-request tag", clause=_SEE_REQUEST), _invoke_id(cursor), cursor.node(1, "date-time", "none")]
    nodes.append(cursor.node(len(length_octets(len(request.data))), "specification count", str(len(request.data))))
    nodes.extend(_specification(cursor, index, item) for index, item in enumerate(request.specifications))
    nodes.append(cursor.node(len(length_octets(len(request.data))), "data count", str(len(request.data))))
    for index, (specification, item) in enumerate(zip(request.specifications, request.data, strict=True)):
        key = _key(specification.class_id, specification.obis_text, specification.attribute, specification.choice)
        title = _title(specification.class_id, specification.obis_text, specification.attribute, specification.choice)
        nodes.append(explain_data(cursor, item, f"data {index}: {title}", "request", key))
    return tuple(nodes)


def explain_response(cursor: Cursor, response: AccessResponse, message_code: int) -> tuple[TreeNode, ...]:
    """Nodes of an access response; objects are named from the access list of the use case that has as many items."""
    nodes = [cursor.node(1, "access-response tag", clause=_SEE_RESPONSE), _invoke_id(cursor), cursor.node(1, "date-time", "none")]
    nodes.append(cursor.node(1, "echo of the specifications", "none"))
    count = len(length_octets(len(response.data)))
    nodes.append(cursor.node(count, "data count", str(len(response.data))))
    items = _asked(message_code, response)
    for index, data in enumerate(response.data):
        asked = items[index] if items else None
        title, key = f"data {index}", ""
        if asked is not None:
            place = (asked.class_id, obis_text(asked.obis), asked.attribute, asked.choice)
            title, key = f"data {index}: {_title(*place)}", _key(*place)
        nodes.append(explain_data(cursor, data, title, "response", key))
    nodes.append(cursor.node(count, "result count", str(len(response.results))))
    for index, result in enumerate(response.results):
        text = f"{result.choice.name.lower()} {result.code}"
        nodes.append(cursor.node(2, f"result {index}", text, result.code.name.lower().replace("_", " "), _SEE_RESPONSE))
    return tuple(nodes)


def explain_notification(cursor: Cursor, notification: DataNotification, message_code: int) -> tuple[TreeNode, ...]:
    """Nodes of an alert's data notification."""
    nodes = [cursor.node(1, "data-notification tag", clause="reference gbcs-messages 7.1"), _invoke_id(cursor)]
    nodes.append(cursor.node(1, "date-time", "none"))
    body = explain_data(cursor, notification.body, "alert", "alert", f"{message_code:04x}")
    first = body.children[0] if body.children else None
    code = notification.body.elements[0] if isinstance(notification.body, Structure) and notification.body.elements else None
    if first is not None and isinstance(code, LongUnsigned):
        named = replace(first, field="alert code", value=f"{code.value:04x}", meaning=alert_name(code.value))
        rest = body.children[1:]
        if rest:
            rest = (replace(rest[0], field="alert time stamp"), *rest[1:])
        body = replace(body, children=(named, *rest))
    return (*nodes, body)


def _invoke_id(cursor: Cursor) -> TreeNode:
    meaning = "20 and the low 24 bits of the originator counter"
    return cursor.node(4, "long-invoke-id", meaning=meaning, clause="reference gbcs-messages 1.5")


def _asked(message_code: int, response: AccessResponse) -> tuple[AccessItem, ...]:
    use_case = find(message_code)
    for candidate in () if use_case is None else use_case.access_lists:
        if len(candidate.items) == len(response.data):
            return candidate.items
    return ()


def _key(class_id: int, obis: str, attribute: int, choice: Choice) -> str:
    return f"{class_id} {obis} {'method' if choice is Choice.ACTION else 'attribute'} {attribute}"


def _title(class_id: int, obis: str, attribute: int, choice: Choice) -> str:
    name = cosem_object(class_id, obis) or f"{cosem_class(class_id)} {obis}"
    return f"{name}, {cosem_member(class_id, attribute, method=choice is Choice.ACTION)}"


def _specification(cursor: Cursor, index: int, item: Specification) -> TreeNode:
    title = _title(item.class_id, item.obis_text, item.attribute, item.choice)
    head = cursor.node(0, f"specification {index}", item.choice.name.lower().replace("_", " "), title, _SEE_REQUEST)
    member = "method" if item.choice is Choice.ACTION else "attribute"
    parts = [
        cursor.node(1, "choice", item.choice.name.lower().replace("_", " ")),
        cursor.node(2, "class", str(item.class_id), cosem_class(item.class_id)),
        cursor.node(6, "OBIS code", item.obis_text, cosem_object(item.class_id, item.obis_text)),
        cursor.node(1, member, str(item.attribute), cosem_member(item.class_id, item.attribute, method=item.choice is Choice.ACTION)),
    ]
    if item.selector is not None and item.selection is not None:
        parts.append(cursor.node(1, "selector", str(item.selector), "range" if item.selector == 1 else ""))
        parts.append(explain_data(cursor, item.selection, "selection", "selection", "range"))
    return replace(head, children=tuple(parts))


def explain_data(cursor: Cursor, value: Data, field: str, where: str = "", key: str = "", path: str = "") -> TreeNode:
    """One value with everything in it; ``where``, ``key`` and ``path`` look up the names of elements."""
    if isinstance(value, Structure | Array):
        size = len(value.elements)
        head = cursor.node(1 + len(length_octets(size)), field, f"{value.type_name} of {size}", clause=_SEE_DATA)
        children = []
        for index, element in enumerate(value.elements):
            step = "*" if isinstance(value, Array) else str(index)
            below = f"{path}.{step}" if path else step
            children.append(explain_data(cursor, element, data_name(where, key, below) or f"element {index}", where, key, below))
        return replace(head, children=tuple(children))
    if isinstance(value, CompactArray):
        return _compact(cursor, value, field, where, key, path)
    text, meaning = _leaf(value, where, key, path)
    return cursor.node(len(value.encode()), field, text, meaning, _SEE_DATA)


def _compact(cursor: Cursor, value: CompactArray, field: str, where: str, key: str, path: str) -> TreeNode:
    description = value.description.encode()
    head = len(description) + 1 + len(length_octets(len(value.contents())))
    node = cursor.node(head, field, f"compact-array of {len(value.elements)}", f"of {_describe_type(value.description)}", _SEE_DATA)
    below = f"{path}.*" if path else "*"
    kind = value.description
    parts = (_packed(cursor, kind, item, f"element {index}", where, key, below) for index, item in enumerate(value.elements))
    return replace(node, children=tuple(parts))


def _packed(cursor: Cursor, description: TypeDescription, value: Data, field: str, where: str, key: str, path: str) -> TreeNode:
    if isinstance(value, Structure | Array):
        kinds = description.elements if isinstance(value, Structure) else description.elements * len(value.elements)
        head = cursor.node(0, field, f"{value.type_name} of {len(value.elements)}", clause=_SEE_DATA)
        parts = []
        for index, (kind, element) in enumerate(zip(kinds, value.elements, strict=True)):
            below = f"{path}.{'*' if isinstance(value, Array) else index}"
            parts.append(_packed(cursor, kind, element, data_name(where, key, below) or f"element {index}", where, key, below))
        return replace(head, children=tuple(parts))
    text, meaning = _leaf(value, where, key, path)
    return cursor.node(len(pack(description, value)), field, text, meaning, _SEE_DATA)


def _leaf(value: Data, where: str, key: str, path: str) -> tuple[str, str]:
    """Value and meaning of a leaf, its meaning by its place where it is an enumeration, a date or a time."""
    text, meaning = describe(value)
    place = meaning_place(where, key, path)
    if isinstance(value, OctetString):
        return text, octets_meaning(place, value.octets) or meaning
    number = getattr(value, "value", None)
    if isinstance(number, int) and not isinstance(number, bool):
        if data_name(where, key, path) == EVENT_CODE:
            return f"{value.type_name} {number:04x}", alert_name(number)
        return text, number_meaning(place, number) or meaning
    return text, meaning


def meaning_place(where: str, key: str, path: str) -> str:
    """The place of a leaf as ``meanings.toml`` writes it, for its place as ``data_names.csv`` does: without the OBIS code."""
    words = key.split(" ")
    named = f"alert {key}" if where == "alert" else f"{where} {' '.join((words[0], *words[2:]))}"
    return f"{named} {path}".rstrip()


def _describe_type(description: TypeDescription) -> str:
    if not description.elements:
        return _TYPE_NAMES[description.tag]
    inner = ", ".join(_describe_type(element) for element in description.elements)
    return f"structure({inner})" if description.tag == Structure.tag else f"array[{description.count}]({inner})"


_TYPE_NAMES = {kind.tag: kind.type_name for kind in KINDS.values()}


def describe(value: Data) -> tuple[str, str]:
    """(type and value, meaning) of a value without elements."""
    match value:
        case OctetString(octets=octets):
            text = f"octet-string({len(octets)}) {octets.hex()}".rstrip()
            if len(octets) == 12 and (octets in _DATE_TIMES or decode_date_time(octets) is not None):
                return text, describe_date_time(octets)
            printable = octets.isascii() and octets.decode("ascii").isprintable() and len(octets) > 2
            return text, f'"{octets.decode("ascii")}"' if printable else ""
        case VisibleString(text=string) | Utf8String(text=string):
            return f"{value.type_name} {string!r}", ""
        case BitString():
            return f"bit-string({value.size}) {value.bits}", ""
        case Boolean(value=truth):
            return f"boolean {str(truth).lower()}", ""
        case _:
            number = getattr(value, "value", None)
            return value.type_name if number is None else f"{value.type_name} {number}", ""
