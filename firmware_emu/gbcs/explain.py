"""Explains a message octet by octet: offset, octets, field, value, meaning, clause. Sans-IO; rendering is the console's.

The nodes hold every octet of the message exactly once. With a keystore, MAC and signature are checked and ciphertexts opened as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.alerts import DeliveryFailure, GbzAlert, alert_name
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.axdr import Structure
from firmware_emu.gbcs.cosem_time import describe_date_time
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, DataNotification, obis_text
from firmware_emu.gbcs.envelope import SIGNATURE_LENGTH, Message
from firmware_emu.gbcs.explain_asn1 import explain_asn1
from firmware_emu.gbcs.explain_dlms import explain_data, explain_notification, explain_request, explain_response
from firmware_emu.gbcs.explain_gbz import CIPHERTEXT, explain_alert, explain_fields, explain_gbz
from firmware_emu.gbcs.names import cosem_class, cosem_member, cosem_object
from firmware_emu.gbcs.protect import ENCRYPTED_HEADER
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode
from firmware_emu.gbcs.use_cases import Payload, ProtectedItem, decode_payload, find
from firmware_emu.gbcs.verify import EncryptedPart, ProtectionCheck, ProtectionState, check_message
from firmware_emu.gbcs.zcl_layouts import ZclCommand
from firmware_emu.ids import Eui64

__all__ = ["Tree", "TreeNode", "explain"]

_HEADER = "reference gbcs-messages 1.2"
_CIPHERING = "reference gbcs-messages 1.1"


def fields_of(message: bytes) -> list[tuple[str, int, int]]:
    """Every field with octets of its own: its path of names, offset and size. Raises DecodeError."""
    return [found for node in explain(message).nodes for found in _leaves(node, "")]


def _leaves(node: TreeNode, above: str) -> Iterator[tuple[str, int, int]]:
    path = f"{above}/{node.field}".lstrip("/")
    if node.octets:
        yield path, node.offset, len(node.octets)
    for child in node.children:
        yield from _leaves(child, path)


def explain(data: bytes, keystore: Keystore | None = None) -> Tree:
    """The explanation of one message. Raises DecodeError where envelope or payload cannot be read."""
    message = Message.decode(data)
    payload = decode_payload(message)
    verdict = None if keystore is None else check_message(message, keystore)
    cursor = Cursor(data)
    nodes: list[TreeNode] = []
    if message.mac is not None:
        nodes.append(ciphering_header(cursor))
    nodes.extend(grouping_header(cursor, message, keystore))
    content = content_node(Cursor(message.payload, cursor.offset), message, payload)
    cursor.position += len(message.payload)
    if verdict is not None:
        parts = {part.offset: part for part in verdict.encrypted}
        content = _with_plaintext(content, parts, message.message_code)
    nodes.append(content)
    if message.signature is not None:
        size = len(message.signature)
        nodes.append(cursor.node(1, "signature length", str(size), clause=_HEADER))
        if size == SIGNATURE_LENGTH:
            outcome = "" if verdict is None else _outcome(verdict.signature)
            nodes.append(cursor.node(size, "signature r || s", None, outcome, "reference gbcs-messages 2.1"))
    if message.mac is not None:
        outcome = "" if verdict is None else _outcome(verdict.mac)
        nodes.append(cursor.node(12, "MAC", None, outcome, "reference gbcs-messages 2.2"))
    return Tree(title(message), tuple(nodes))


def content_node(cursor: Cursor, message: Message, payload: Payload) -> TreeNode:
    """Node of the content, which begins at the cursor."""
    use_case = find(message.message_code)
    start = cursor.offset
    body = _payload(cursor, message, payload)
    return TreeNode(start, b"", "content", type(payload).__name__, use_case.title if use_case else "", "", body)


def title(message: Message) -> str:
    """``ECS44 command, supplier to meter, counter 1000`` in one line, identifiers in hexadecimal."""
    use_case = find(message.message_code)
    name = use_case.name if use_case else f"message {message.message_code:04x}"
    header = message.header
    return f"{name} {header.cra.name.lower()}, {header.originator} to {header.recipient}, counter {header.counter}"


def _outcome(check: ProtectionCheck) -> str:
    text = check.state.value if check.state is ProtectionState.VALID else f"{check.state.value}: {check.reason}"
    return f"{text}; it holds with {check.would_hold}" if check.would_hold else text


def ciphering_header(cursor: Cursor) -> TreeNode:
    """Node of the general-ciphering header at the cursor. Raises IndexError where its length is cut off."""
    parts = (
        cursor.node(1, "general-ciphering tag"),
        cursor.node(1, "transaction id", "empty"),
        cursor.node(1, "originator", "empty"),
        cursor.node(1, "recipient", "empty"),
        cursor.node(1, "date-time", "empty"),
        cursor.node(1, "other information", "empty"),
        cursor.node(1, "key information", "absent"),
        cursor.sized("ciphered-service length"),
        cursor.node(1, "security control", None, "authentication only, suite 1"),
        cursor.node(4, "invocation counter", "0"),
    )
    return TreeNode(0, b"", "general-ciphering header", clause=_CIPHERING, children=parts)


def grouping_header(cursor: Cursor, message: Message, keystore: Keystore | None) -> list[TreeNode]:
    """Nodes from the general-signing tag to the length of the content. Raises IndexError where that length is cut off."""
    header = message.header
    nodes = [
        cursor.node(1, "general-signing tag", clause=_HEADER),
        cursor.node(1, "transaction-id length", "9"),
        cursor.node(1, "CRA flag", f"{header.cra:02x}", header.cra.name.lower(), _HEADER),
        cursor.node(8, "originator counter", str(header.counter), clause="reference gbcs-messages 1.5"),
        cursor.node(1, "originator length", "8"),
        cursor.node(8, "originator", str(header.originator), _who(header.originator, keystore)),
        cursor.node(1, "recipient length", "8"),
        cursor.node(8, "recipient", str(header.recipient), _who(header.recipient, keystore)),
        cursor.node(1, "date-time length", str(len(header.date_time))),
    ]
    if header.date_time:
        nodes.append(cursor.node(12, "header date-time", None, describe_date_time(header.date_time), "reference gbcs-messages 1.3"))
    nodes.append(cursor.sized("other-information length"))
    use_case = find(message.message_code)
    meaning = f"{use_case.name}: {use_case.title}" if use_case else "not in the catalogue"
    clause = "reference gbcs-messages 1.4"
    nodes.append(cursor.node(2, "message code", f"{message.message_code:04x}", meaning, clause))
    other = header.other
    if other.supplementary_party is not None:
        party = other.supplementary_party
        nodes.append(cursor.node(8, "supplementary remote party id", str(party), _who(party, keystore), clause))
    if other.supplementary_counter is not None:
        nodes.append(cursor.node(8, "supplementary remote party counter", str(other.supplementary_counter), clause=clause))
    if other.supplementary_originator_counter is not None:
        nodes.append(cursor.node(8, "supplementary originator counter", str(other.supplementary_originator_counter), clause=clause))
    if other.supplementary_certificate is not None:
        certificate = other.supplementary_certificate
        shown = f"{len(certificate)} octets of DER"
        nodes.append(cursor.node(len(certificate), "supplementary key agreement certificate", shown, clause=clause))
    nodes.append(cursor.sized("content length"))
    return nodes


def _who(party: Eui64, keystore: Keystore | None) -> str:
    role = None if keystore is None else keystore.role(party)
    return "" if role is None else role.name.lower().replace("_", " ")


def _payload(cursor: Cursor, message: Message, payload: Payload) -> tuple[TreeNode, ...]:
    match payload:
        case AccessRequest():
            return explain_request(cursor, payload)
        case AccessResponse():
            return explain_response(cursor, payload, message.message_code)
        case DataNotification():
            return explain_notification(cursor, payload, message.message_code)
        case GbzAlert():
            return explain_alert(cursor, payload, message.message_code)
        case Asn1Payload():
            return explain_asn1(cursor, payload, message.message_code)
        case DeliveryFailure():
            return _delivery_failure(cursor, payload)
        case _:
            return explain_gbz(cursor, payload)


def _delivery_failure(cursor: Cursor, payload: DeliveryFailure) -> tuple[TreeNode, ...]:
    identifier = payload.identifier
    return (
        cursor.node(2, "SEQUENCE", clause="reference gbcs-messages 7.2"),
        cursor.node(5, "alert code", f"{payload.alert_code:04x}", alert_name(payload.alert_code)),
        cursor.node(17, "alert time stamp", payload.at),
        cursor.node(2, "message identifier"),
        cursor.node(8, "originator of the message", str(identifier.originator)),
        cursor.node(8, "recipient of the message", str(identifier.recipient)),
        cursor.node(1, "CRA flag of the message", identifier.cra.name.lower()),
        cursor.node(8, "counter of the message", str(identifier.counter)),
    )


def _with_plaintext(node: TreeNode, parts: Mapping[int, EncryptedPart], message_code: int) -> TreeNode:
    """The node, with the plaintext of the ciphertext that it, or a node below it, holds; ``parts`` by their offset."""
    children = tuple(_with_plaintext(child, parts, message_code) for child in node.children)
    part = _sealed_in(node, parts)
    if part is not None:
        decrypted = _plaintext(part, part.offset + len(ENCRYPTED_HEADER), message_code)
        return replace(node, children=children, meaning=part.problem or node.meaning, decrypted=decrypted)
    return replace(node, children=children) if children else node


def _sealed_in(node: TreeNode, parts: Mapping[int, EncryptedPart]) -> EncryptedPart | None:
    """The ciphertext a node shows: that of a GBZ component alone, that of a DLMS octet-string behind tag and length."""
    if node.field == CIPHERTEXT:
        return parts.get(node.offset - len(ENCRYPTED_HEADER))
    behind = (parts.get(node.offset + head) for head in (2, 3, 4) if len(node.octets) > head)
    return next((part for part in behind if part is not None and node.octets.endswith(part.octets)), None)


def _plaintext(part: EncryptedPart, offset: int, message_code: int) -> tuple[TreeNode, ...]:
    if part.plaintext is None:
        return ()
    cursor = Cursor(part.plaintext, offset)
    if isinstance(part.values, ZclCommand):
        return explain_fields(cursor, part.values, part.cluster)
    if isinstance(part.values, Structure):
        node = explain_data(cursor, part.values, "decrypted attributes")
        names = _protected_names(message_code, len(node.children))
        return (replace(node, children=tuple(replace(child, field=name) for child, name in zip(node.children, names, strict=True))),)
    return (cursor.node(len(part.plaintext), "plaintext", None, part.problem),)


def _protected_names(message_code: int, count: int) -> list[str]:
    """Names of the attributes a protected read of that use case asks for, where it asks for as many."""
    use_case = find(message_code)
    for listed in () if use_case is None else use_case.access_lists:
        for item in listed.items:
            if len(item.protected) == count:
                return [_object_name(part) for part in item.protected]
    return [f"element {index}" for index in range(count)]


def _object_name(part: ProtectedItem) -> str:
    obis = obis_text(part.obis)
    name = cosem_object(part.class_id, obis) or f"{cosem_class(part.class_id)} {obis}"
    return f"{name}, {cosem_member(part.class_id, part.attribute, method=False)}"
