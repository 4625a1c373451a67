"""Explains ZCL frames field by field, and the GBCS message inside a tunnel's TransferData."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.names import attribute_meaning, field_meaning
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode
from firmware_emu.zse import clusters
from firmware_emu.zse.declare import Cluster, FieldValue, Layout, Repeat
from firmware_emu.zse.tunneling import decode_mailbox
from firmware_emu.zse.zcl import GeneralCommand, ZclFrame, ZclReader, read_type, read_value, status_name

Inner = Callable[[bytes], tuple[TreeNode, ...]]
"""Explains a GBCS message. Raises DecodeError."""

_CLAUSE = "ZCL 2.4"
_TUNNELING = 0x0704
_MAILBOX = "reference zigbee-han 7"
_LISTS = {
    GeneralCommand.READ_ATTRIBUTES_RESPONSE: (True, True),
    GeneralCommand.REPORT_ATTRIBUTES: (False, True),
    GeneralCommand.WRITE_ATTRIBUTES: (False, True),
    GeneralCommand.WRITE_ATTRIBUTES_UNDIVIDED: (False, True),
    GeneralCommand.WRITE_ATTRIBUTES_NO_RESPONSE: (False, True),
}
"""General commands that are a list of attributes with values: whether each has a status first."""


def explain_zcl(octets: bytes, cluster_id: int | None, inner: Inner) -> Tree:
    """One ZCL frame. Raises DecodeError."""
    frame = ZclFrame.decode(octets)
    title, nodes = zcl_nodes(Cursor(octets), frame, cluster_id, inner)
    return Tree(title, nodes)


def zcl_nodes(cursor: Cursor, frame: ZclFrame, cluster_id: int | None, inner: Inner) -> tuple[str, tuple[TreeNode, ...]]:
    """Title and nodes of a frame that starts at the cursor. Raises DecodeError."""
    cluster = None if cluster_id is None else clusters.BY_ID.get(cluster_id)
    kind = "cluster command" if frame.is_cluster_command else "general command"
    way = "server to client" if frame.to_client else "client to server"
    quiet = ", no default response" if frame.no_default_response else ""
    nodes = [cursor.node(1, "ZCL frame control", None, f"{kind}, {way}{quiet}", _CLAUSE)]
    if frame.manufacturer is not None:
        nodes.append(cursor.node(2, "manufacturer code", f"{frame.manufacturer:04x}"))
    nodes.append(cursor.node(1, "ZCL sequence number", str(frame.sequence)))
    name = _name(frame, cluster)
    nodes.append(cursor.node(1, "ZCL command id", f"{frame.command:02x}", name))
    nodes.extend(_payload(cursor, frame, cluster, inner))
    where = cluster.name if cluster is not None else "ZCL" if cluster_id is None else f"cluster {cluster_id:04x}"
    return f"{where} {name}, {way}", tuple(nodes)


def _name(frame: ZclFrame, cluster: Cluster | None) -> str:
    if not frame.is_cluster_command:
        known = frame.command in GeneralCommand._value2member_map_
        return GeneralCommand(frame.command).name.replace("_", " ").lower() if known else "unknown general command"
    command = None if cluster is None else cluster.command(frame.command, to_client=frame.to_client)
    return command.name if command is not None else f"command {frame.command:02x}"


def _payload(cursor: Cursor, frame: ZclFrame, cluster: Cluster | None, inner: Inner) -> list[TreeNode]:
    if not frame.payload:
        return []
    if not frame.is_cluster_command:
        return _general(cursor, frame, cluster)
    command = None if cluster is None else cluster.command(frame.command, to_client=frame.to_client)
    if command is None or command.layout is None:
        return [cursor.node(cursor.remaining, "payload", None, "its layout is not known: name the cluster" if cluster is None else "")]
    reader = ZclReader(frame.payload, base=cursor.offset)
    nodes = _fields(cursor, reader, command.layout, _Place(0 if cluster is None else cluster.id, command.name))
    if cursor.remaining:
        if cluster is not None and cluster.id == _TUNNELING and command.name.startswith("TransferData"):
            nodes.append(TreeNode(cursor.offset, b"", "tunnel data", children=explain_tunnel_data(cursor, inner)))
        else:
            nodes.append(cursor.node(cursor.remaining, "octets after the declared fields"))
    return nodes


@dataclass(frozen=True, slots=True)
class _Place:
    """The command whose fields are read."""

    cluster: int
    command: str


def _fields(cursor: Cursor, reader: ZclReader, layout: Layout, place: _Place) -> list[TreeNode]:
    nodes: list[TreeNode] = []
    values: dict[str, FieldValue] = {}
    for item in layout:
        if isinstance(item, Repeat):
            count = values.get(item.count) if isinstance(item.count, str) else item.count
            number = 0
            while reader.left if count is None else number < int(str(count)):
                head = cursor.node(0, f"{item.name} {number}")
                nodes.append(replace(head, children=tuple(_fields(cursor, reader, item.fields, place))))
                number += 1
        elif reader.left or not item.optional:
            before = reader.offset
            values[item.name] = value = read_value(reader, item.type, item.name)
            means = field_meaning(place.cluster, f"{place.command}.{item.name}", item.type, value) or item.type.name
            nodes.append(cursor.node(reader.offset - before, item.name.replace("_", " "), _shown(value), means))
    return nodes


def _general(cursor: Cursor, frame: ZclFrame, cluster: Cluster | None) -> list[TreeNode]:
    reader = ZclReader(frame.payload, base=cursor.offset)
    nodes: list[TreeNode] = []
    if frame.command == GeneralCommand.READ_ATTRIBUTES:
        while reader.left:
            nodes.append(_attribute(cursor, reader, cluster)[0])
    elif frame.command == GeneralCommand.DEFAULT_RESPONSE:
        answered = reader.number(1, "command id")
        nodes.append(cursor.node(1, "command answered", f"{answered:02x}"))
        status = reader.number(1, "status")
        nodes.append(cursor.node(1, "status", f"{status:02x}", status_name(status)))
    elif frame.command in _LISTS:
        with_status, _ = _LISTS[GeneralCommand(frame.command)]
        while reader.left:
            node, attribute = _attribute(cursor, reader, cluster)
            nodes.append(node)
            if with_status:
                status = reader.number(1, "status")
                nodes.append(cursor.node(1, "status", f"{status:02x}", status_name(status)))
                if status:
                    continue
            kind = read_type(reader, "data type")
            nodes.append(cursor.node(1, "data type", f"{kind.identifier:02x}", kind.name))
            before = reader.offset
            value = read_value(reader, kind, "value")
            known = "" if cluster is None else attribute_meaning(cluster.id, attribute, kind.identifier, value)
            nodes.append(cursor.node(reader.offset - before, "value", _shown(value), known))
    if cursor.remaining:
        nodes.append(cursor.node(cursor.remaining, "payload"))
    return nodes


def _attribute(cursor: Cursor, reader: ZclReader, cluster: Cluster | None) -> tuple[TreeNode, int]:
    number = reader.number(2, "attribute id")
    known = None if cluster is None else cluster.attribute(number) or cluster.attribute(number, server=False)
    return cursor.node(2, "attribute", f"{number:04x}", "" if known is None else known.name.replace("_", " ")), number


def explain_tunnel_data(cursor: Cursor, inner: Inner) -> tuple[TreeNode, ...]:
    """The data of a tunnel to its end: a GBCS message, behind the gas meter's mailbox octet where there is one. Raises DecodeError."""
    octets = cursor.octets[cursor.position :]
    if not octets:
        raise DecodeError(cursor.offset, "tunnel data", "no octets, expected a GBCS message or a mailbox octet")
    nodes: list[TreeNode] = []
    if octets[0] in (0x01, 0x02, 0x03):
        decode_mailbox(octets)
        nodes.append(cursor.node(1, "mailbox header", None, {1: "GET", 2: "GET-RESPONSE", 3: "PUT"}[octets[0]], _MAILBOX))
        if octets[0] == 0x02:
            nodes.append(cursor.node(1, "messages that still wait", str(octets[1])))
    rest = cursor.octets[cursor.position :]
    if rest:
        at = cursor.offset
        try:
            nodes.extend(moved(node, at) for node in inner(rest))
        except DecodeError as problem:
            nodes.append(TreeNode(at, rest, "GBCS message", rest.hex(), f"cannot be read: {problem}"))
        cursor.position += len(rest)
    return tuple(nodes)


def moved(node: TreeNode, by: int) -> TreeNode:
    """The node with what is below it, ``by`` octets further on."""
    return replace(
        node,
        offset=node.offset + by,
        children=tuple(moved(child, by) for child in node.children),
        decrypted=tuple(moved(child, by) for child in node.decrypted),
    )


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
