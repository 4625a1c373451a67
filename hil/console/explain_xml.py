"""Explains XML: its elements and values by line, and, of a DUIS service request, who asks whom for what."""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

from lxml import etree

from firmware_emu.console.layers import LayerKnowledge, explain_any
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.tree import Tree, TreeNode
from hil.dcc.base.services import schedule
from hil.dcc.duis import read_request


def explain_xml(octets: bytes, known: LayerKnowledge) -> Tree:
    """The elements; the offset of a node is its line. Raises DecodeError."""
    try:
        # A value is what its signature covers: without the comments that split it.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as wrong:
        raise DecodeError(wrong.position[0], "XML (line)", wrong.msg or "not well-formed") from None
    if cast("Any", root.getroottree().docinfo).doctype:
        raise DecodeError(1, "XML (line)", "carries a document type declaration, whose entities may stand for anything: expected none")
    return Tree(_title(octets, root), (_node(root, known),))


def _title(octets: bytes, root: etree._Element) -> str:
    try:
        request = read_request(octets)
    except CommsHubError:
        return f"XML, {etree.QName(root).localname}"
    variant = request.service_reference_variant
    service = schedule().get(variant)
    identity = request.request_id
    signed = "signed" if request.signed else "not signed"
    return (
        f"service request {variant} {service.name if service else ''}, {identity.originator} to {identity.target}, "
        f"counter {identity.counter}, {signed}"
    )


def _node(element: etree._Element, known: LayerKnowledge) -> TreeNode:
    children = tuple(_node(child, known) for child in element if isinstance(child.tag, str))
    text = (element.text or "").strip()
    name = etree.QName(element).localname
    if "InstallCode" in name or name.endswith("PrivateKey"):
        text = "(a secret, not shown)" if text else ""
    attributes = ", ".join(f"{key!s}={value!s}" for key, value in element.attrib.items())
    line = int(str(element.sourceline))
    if (message := _message(text, known)) is not None:
        return TreeNode(line, b"", name, message.title, attributes, children=(*children, *message.nodes))
    return TreeNode(line, b"", name, text, attributes, children=children)


def _message(text: str, known: LayerKnowledge) -> Tree | None:
    """The GBCS message or certificate that an element carries in base64; None where it carries none."""
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
        layer = {b"\xdd": "gbcs", b"\xdf": "gbcs", b"\x30": "der"}.get(octets[:1])
        return None if layer is None else explain_any(octets, known, layer).tree
    except (binascii.Error, ValueError, DecodeError):
        return None
