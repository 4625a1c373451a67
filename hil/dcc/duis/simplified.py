"""DUIS documents as JSON, in the simplified form of the published parser (reference duis-gateway 7).

``{"header": {"type": "request", "requestId": {...}, "commandVariant": 4, ...}, "body": {...}}``: elements by their names without prefix,
each leaf is text, an attribute is ``@_name``, text beside attributes ``#text``, what comes several times an array. Lost are the
signature, FirstInSequence, PrecedingServiceRequestID and schemaVersion. Command variant and service reference variant are plain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lxml import etree

from firmware_emu.errors import IdentifierError, in_json
from firmware_emu.ids import Eui64
from hil.dcc.duis.document import parse_document
from hil.dcc.duis.request import SERVICE_NAMESPACE, RequestError, RequestId, line_of

Tree = Mapping[str, object]
_LARGEST_NUMBER: Final = 1 << 53
"""A larger counter is written as text: JSON readers keep no more (reference duis-gateway 7)."""
_IDS: Final = {"requestId": "RequestID", "responseId": "ResponseID"}
_FIELDS: Final = {
    "request": {
        "commandVariant": "CommandVariant",
        "serviceReference": "ServiceReference",
        "serviceReferenceVariant": "ServiceReferenceVariant",
    },
    "response": {"responseCode": "ResponseCode", "responseDateTime": "ResponseDateTime"},
}
_OBJECTS: Final = {"commandVariant": "number", "serviceReferenceVariant": "Service Reference Variant"}
"""Name of the plain value in the objects that the published parser writes."""


def simplified(document: bytes) -> dict[str, object]:
    """A request or a Response in JSON. Raises RequestError."""
    root = parse_document(document)
    kind = etree.QName(root).localname.lower()
    header, body = root.find(_name("Header")), root.find(_name("Body"))
    if kind not in _FIELDS or header is None or body is None:
        raise RequestError(
            "document", line_of(root), f"read {etree.QName(root).localname}, expected Request or Response with Header and Body"
        )
    told: dict[str, object] = {"type": kind}
    for name, element in _IDS.items():
        text = (header.findtext(_name(element)) or "").strip()
        if text:
            told[name] = _id(text, line_of(header))
    for name, element in _FIELDS[kind].items():
        value = (header.findtext(_name(element)) or "").strip()
        told[name] = int(value) if name == "commandVariant" and value.isdecimal() else value
    return {"header": told, "body": _content(body)}


def _name(local: str) -> str:
    return f"{{{SERVICE_NAMESPACE}}}{local}"


def _id(text: str, line: int) -> dict[str, object]:
    try:
        found = RequestId.parse(text)
    except IdentifierError as error:
        raise RequestError("RequestID", line, str(error)) from error
    counter = found.counter if found.counter <= _LARGEST_NUMBER else str(found.counter)
    return {"originatorId": found.originator.duis.lower(), "targetId": found.target.duis.lower(), "counter": counter}


def _content(element: etree._Element) -> str | dict[str, object]:
    found: dict[str, object] = {}
    for child in element.iterchildren("{*}*"):
        name, value = etree.QName(child).localname, _content(child)
        if name not in found:
            found[name] = value
        elif isinstance(several := found[name], list):
            several.append(value)
        else:
            found[name] = [found[name], value]
    text = (element.text or "").strip()
    attributes = {f"@_{etree.QName(name).localname}": value for name, value in element.attrib.items()}
    if not found and not attributes:
        return text
    return found | ({"#text": text} if text else {}) | attributes


def document_of(content: object, schema_version: str) -> bytes:
    """The unsigned document of a simplified form. Raises RequestError."""
    header, body = _part(content, "header"), _part(content, "body")
    kind = header.get("type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise RequestError("header.type", 0, f"read {in_json(kind)}, expected request or response")
    root = etree.Element(_name(kind.capitalize()), nsmap={"sr": SERVICE_NAMESPACE}, schemaVersion=schema_version)
    head = etree.SubElement(root, _name("Header"))
    for name, element in _IDS.items():
        if name in header:
            etree.SubElement(head, _name(element)).text = _id_of(_part(header, name), name)
    for name, element in _FIELDS[kind].items():
        value = header.get(name)
        if isinstance(value, Mapping):
            value = value.get(_OBJECTS.get(name, ""))
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise RequestError(f"header.{name}", 0, f"read {in_json(value)}, expected a text or a number")
        etree.SubElement(head, _name(element)).text = str(value)
    _fill(etree.SubElement(root, _name("Body")), body, "body")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=False)


def _part(content: object, name: str) -> Tree:
    part = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(part, Mapping):
        raise RequestError(name, 0, f"read {in_json(part)}, expected an object")
    return part


def _id_of(told: Tree, name: str) -> str:
    try:
        originator, target = (Eui64.parse(str(told.get(one))) for one in ("originatorId", "targetId"))
        return str(RequestId(originator, target, int(str(told.get("counter")))))
    except (IdentifierError, ValueError) as error:
        raise RequestError(
            f"header.{name}", 0, f"read {in_json(dict(told))}, expected originatorId, targetId and counter: {error}"
        ) from error


def _fill(element: etree._Element, content: object, path: str) -> None:
    if isinstance(content, str):
        element.text = content
        return
    if not isinstance(content, Mapping):
        raise RequestError(path, 0, f"read {in_json(content)}, expected text or an object: every leaf is text")
    for name, value in content.items():
        try:
            if name == "#text":
                element.text = str(value)
            elif name.startswith("@_"):
                element.set(name[2:], str(value))
            else:
                for one in value if isinstance(value, list) else [value]:
                    _fill(etree.SubElement(element, _name(name)), one, f"{path}.{name}")
        except ValueError as error:  # lxml: a name or a character that XML does not have
            raise RequestError(f"{path}.{name}", 0, f"read {in_json(value)[:80]}, expected what XML can hold: {error}") from error
