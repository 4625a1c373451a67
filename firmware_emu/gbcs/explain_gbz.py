"""Explains GBZ payloads, component by component and ZCL field by field."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.alerts import BILLING_DATA_GBZ, GbzAlert, alert_name
from firmware_emu.gbcs.cosem_time import describe_utc_seconds
from firmware_emu.gbcs.envelope import Reader
from firmware_emu.gbcs.gbz import CLUSTER_COMMAND, DISABLE_DEFAULT_RESPONSE, SERVER_TO_CLIENT, Component, Control, Gbz
from firmware_emu.gbcs.names import attribute_meaning, field_meaning, zcl_attribute, zcl_cluster
from firmware_emu.gbcs.tree import Cursor, TreeNode
from firmware_emu.gbcs.zcl_layouts import LayoutValue, ZclCommand, ZclField, decode_zcl, layout_of
from firmware_emu.zse.zcl import status_name

CIPHERTEXT = "ciphertext"
"""Field name of the node that a component's plaintext belongs to."""
_SEE = "reference gbcs-messages 7A"
_ALERT = "reference gbcs-messages 7.2"


def explain_gbz(cursor: Cursor, payload: Gbz) -> tuple[TreeNode, ...]:
    """Nodes of a GBZ command or response."""
    nodes = [cursor.node(2, "ZigBee profile id", "0109", "ZigBee Smart Energy", _SEE)]
    nodes.append(cursor.node(1, "number of components", str(len(payload.components))))
    nodes.extend(explain_component(cursor, item, f"component {index}") for index, item in enumerate(payload.components))
    return tuple(nodes)


def explain_component(cursor: Cursor, item: Component, field: str) -> TreeNode:
    """Nodes of one component, starting at its extended header control field."""
    layout = layout_of(item.cluster, item.frame_control, item.command)
    title = layout.name.replace("_", " ") if layout else f"command {item.command:02x}"
    cluster = zcl_cluster(item.cluster)
    head = cursor.node(0, field, f"{cluster} {title}".strip(), clause=_SEE)
    control = cursor.octets[cursor.position]
    flags = ", ".join((flag.name or "").lower().replace("_", " ") for flag in Control if control & flag) or "more follow"
    length = int.from_bytes(cursor.octets[cursor.position + 3 : cursor.position + 5], "big")
    parts = [
        cursor.node(1, "extended header control field", f"{control:02x}", flags),
        cursor.node(2, "cluster id", f"{item.cluster:04x}", cluster),
        cursor.node(2, "component length", str(length)),
    ]
    if item.encrypted:
        parts.append(cursor.node(1, "additional header control"))
        parts.append(cursor.node(1, "additional header frame counter", str(item.frame_counter)))
    elif item.from_date_time is not None:
        parts.append(cursor.node(4, "from date time", str(item.from_date_time), describe_utc_seconds(item.from_date_time)))
    parts.append(cursor.node(1, "ZCL frame control", f"{item.frame_control:02x}", _frame_control(item.frame_control)))
    parts.append(cursor.node(1, "ZCL sequence number", str(item.sequence)))
    parts.append(cursor.node(1, "ZCL command id", f"{item.command:02x}", title))
    if item.encrypted:
        parts.append(cursor.node(2, "ciphered information length", str(len(item.payload))))
        parts.append(cursor.node(5, "security control and invocation counter", clause="reference gbcs-messages 2.4"))
        parts.append(cursor.node(len(item.payload) - 17, CIPHERTEXT))
        parts.append(cursor.node(12, "GCM tag"))
        return replace(head, children=tuple(parts))
    parts.extend(_zcl_payload(cursor, item))
    return replace(head, children=tuple(parts))


def _zcl_payload(cursor: Cursor, item: Component) -> tuple[TreeNode, ...]:
    """The fields of a clear payload; as one node, with what is wrong with it, where it does not follow its layout."""
    problem = "no layout is declared for it"
    try:
        command = decode_zcl(item, item.payload, cursor.offset)
    except DecodeError as error:
        command, problem = None, str(error)
    if command is not None:
        return explain_fields(cursor, command, item.cluster)
    return (cursor.node(len(item.payload), "ZCL payload", None, problem, _SEE),) if item.payload else ()


def _frame_control(octet: int) -> str:
    parts = ["cluster command" if octet & 0x03 == CLUSTER_COMMAND else "profile-wide"]
    parts.append("server to client" if octet & SERVER_TO_CLIENT else "client to server")
    if octet & DISABLE_DEFAULT_RESPONSE:
        parts.append("no default response")
    return ", ".join(parts)


def explain_fields(cursor: Cursor, command: ZclCommand, cluster: int) -> tuple[TreeNode, ...]:
    """Nodes of a ZCL payload read by its layout; the cursor stands at its start."""
    return _fields(cursor, command.fields, command.layout.declared, cluster)


def _fields(cursor: Cursor, fields: tuple[ZclField, ...], command: str, cluster: int) -> tuple[TreeNode, ...]:
    """Nodes of fields that follow one another: an attribute's id says what the value behind it means."""
    nodes: list[TreeNode] = []
    attribute = 0
    for field in fields:
        if field.kind == "a" and isinstance(field.value, int):
            attribute = field.value
        nodes.append(_field(cursor, field, command, cluster, attribute))
    return tuple(nodes)


def _field(cursor: Cursor, field: ZclField, command: str, cluster: int, attribute: int) -> TreeNode:
    name = field.name.replace("_", " ")
    if isinstance(field.value, tuple):
        head = cursor.node(0, name, f"{len(field.value)} entries")
        entries = []
        for index, entry in enumerate(field.value):
            top = cursor.node(0, f"{name} {index}")
            entries.append(replace(top, children=_fields(cursor, entry, command, cluster)))
        return replace(head, children=tuple(entries))
    text, meaning = _describe(field, command, cluster, attribute)
    return cursor.node(field.length, name, text, meaning, _SEE)


def _describe(field: ZclField, command: str, cluster: int, attribute: int) -> tuple[str, str]:
    value = field.value
    if isinstance(value, LayoutValue):
        shown = _octets(value.value) if isinstance(value.value, bytes) else str(value.value)
        meaning = attribute_meaning(cluster, attribute, value.type_id, value.value)
        return shown, ", ".join(part for part in (meaning, f"type {value.type_id:02x}") if part)
    if isinstance(value, bytes):
        return _octets(value), "" if field.declared is None else field_meaning(cluster, field.declared.name, field.declared.type, value)
    number = value if isinstance(value, int) else 0
    match field.kind:
        case "t":
            return str(number), describe_utc_seconds(number)
        case "a":
            return f"{number:04x}", zcl_attribute(cluster, number)
        case "z":
            return f"{number:02x}", status_name(number).lower().replace("_", " ")
        case "c":
            return f"{number:02x}", ""
    if field.declared is None:
        return str(number), ""
    meaning = field_meaning(cluster, f"{command}.{field.declared.name}", field.declared.type, number)
    return f"{number:0{2 * field.length}x}" if field.kind == "b" else str(number), meaning


def _octets(octets: bytes) -> str:
    text = octets.decode("ascii", "replace")
    return repr(text) if octets.isascii() and text.isprintable() else octets.hex()


def explain_alert(cursor: Cursor, payload: GbzAlert, message_code: int) -> tuple[TreeNode, ...]:
    """Nodes of a GBZ alert; what follows the time stamp is told by the message code."""
    nodes = [
        cursor.node(2, "ZigBee profile id", "0109", "ZigBee Smart Energy", "reference gbcs-messages 7.1"),
        cursor.node(1, "number of components", str(cursor.octets[2])),
        cursor.node(2, "alert code", f"{payload.alert_code:04x}", alert_name(payload.alert_code)),
        cursor.node(4, "alert time stamp", str(payload.timestamp), describe_utc_seconds(payload.timestamp)),
    ]
    if message_code == BILLING_DATA_GBZ and payload.rest:
        nodes.append(explain_component(cursor, _component(payload.rest), "component"))
    for count, field in _REST.get(message_code, ()):
        if cursor.remaining >= count:
            nodes.append(cursor.node(count, field, clause=_ALERT))
    if cursor.remaining:
        nodes.append(cursor.node(cursor.remaining, "further content", clause=_ALERT))
    return tuple(nodes)


_REST = {
    0x00CD: (
        *((1, "length of the instruction"), (2, "message code"), (8, "originator counter")),
        *((2, "cluster id"), (1, "ZCL frame control"), (1, "ZCL command id")),
    ),
    0x00CF: ((2, "octet-string tag and length"), (32, "manufacturer image hash")),
    0x00F2: ((2, "meter integrity issue"),),
}


def _component(rest: bytes) -> Component:
    return Component.read(Reader(rest), last=True)
