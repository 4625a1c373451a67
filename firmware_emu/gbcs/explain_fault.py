"""Explains a message that cannot be read, field by field up to its fault."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.explain import ciphering_header, content_node, grouping_header, title
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode
from firmware_emu.gbcs.use_cases import decode_octets

FAULT = "fault"
"""Field name of the octets from the fault on."""
_CIPHERING = b"\xdd"
_FIXED = 30
"""Octets of the grouping header from its tag to the length of its date-time."""
_MOST = 2000
"""Octets that are tried as the rest of a content whose end is not there."""


def explain_to_fault(data: bytes, wrong: DecodeError, keystore: Keystore | None = None) -> Tree:
    """The fields before the fault ``wrong`` that the explanation ended with, then the octets from it on, with what is wrong."""
    cursor = Cursor(data)
    try:
        nodes, message = _head(cursor, keystore)
    except (DecodeError, IndexError):
        nodes, message = [], None
    if message is not None:
        length = int(nodes[-1].value)
        start = cursor.position
        content = data[start : start + length]
        end = start + len(content)
        try:
            decode_octets(content, message.message_code, message.header.cra, start)
        except DecodeError as inside:
            end, wrong = max(start, min(inside.offset, end)), inside
        nodes += _content(message, content, start) or _content(message, data[start:end], start)
        if len(content) < length:
            wrong = DecodeError(len(data), "content", f"the message ends here, {length - len(content)} of its {length} octets are missing")
    done = sum(node.length for node in nodes)
    at = max(done, min(wrong.offset, len(data)))
    if at > done:
        nodes.append(TreeNode(done, data[done:at], "octets before the fault", data[done:at].hex()))
    nodes.append(TreeNode(at, data[at:], FAULT, data[at:].hex(), f"{wrong.field}: {wrong.problem}"))
    return Tree(f"{'GBCS message' if message is None else title(message)}, with a fault at octet {at}", tuple(nodes))


def _head(cursor: Cursor, keystore: Keystore | None) -> tuple[list[TreeNode], Message]:
    """The nodes of the headers, and a message of them without content. Raises DecodeError or IndexError where they are not whole."""
    data = cursor.octets
    nodes = [ciphering_header(cursor)] if data.startswith(_CIPHERING) else []
    start = cursor.position
    place = start + _FIXED + data[start + _FIXED - 1]
    message = Message.decode(data[start : place + 1 + data[place]] + bytes(2))
    return nodes + grouping_header(cursor, message, keystore), message


def _content(message: Message, octets: bytes, start: int) -> list[TreeNode]:
    """The fields of a content of which ``octets`` are there: those that it would have if zeros followed."""
    for further in range(_MOST):
        whole = octets + bytes(further)
        try:
            payload = decode_octets(whole, message.message_code, message.header.cra, start)
        except DecodeError:
            continue
        return list(before((content_node(Cursor(whole, start), message, payload),), start + len(octets)))
    return []


def before(nodes: tuple[TreeNode, ...], end: int) -> tuple[TreeNode, ...]:
    """The nodes that begin before ``end``, with the octets before it; what was to come is no field of this message."""
    kept = []
    for node in nodes:
        if node.offset >= end:
            break
        octets = node.octets[: end - node.offset]
        cut = len(octets) < len(node.octets)
        meaning = f"cut: {len(node.octets) - len(octets)} octets are missing" if cut else node.meaning
        value = octets.hex() if cut else node.value
        kept.append(replace(node, octets=octets, value=value, meaning=meaning, children=before(node.children, end), decrypted=()))
    return tuple(kept)
