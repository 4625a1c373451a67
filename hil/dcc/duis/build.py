"""Building service requests from nested mappings, in schema order."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TypeAlias

from lxml import etree

from firmware_emu.ids import Eui64, Mpxn
from hil.dcc.duis.document import as_request, read_request
from hil.dcc.duis.request import SCHEMA_VERSION, SERVICE_NAMESPACE, VARIANTS, CommandVariant, RequestError, RequestId, ServiceRequest
from hil.dcc.duis.structure import ElementType, element_type, is_base64

Value: TypeAlias = str | bytes | int | bool | Decimal | float | datetime | date | time | Eui64 | Mpxn | None
"""A leaf: None gives an empty element; octets are written as the schema type says (hexadecimal or base64)."""

Content: TypeAlias = "Value | Mapping[str, Content] | Sequence[Content]"
"""An element's content. In a mapping ``@name`` is an attribute and ``#`` the text beside attributes; a sequence repeats the element."""


def new_request(
    variant: str,
    originator: Eui64,
    target: Eui64,
    counter: int,
    body: Mapping[str, Content] | None = None,
    command_variant: int | None = None,
    *,
    preceding: RequestId | None = None,
) -> ServiceRequest:
    """Build a service request. ``body`` holds what is inside the service's own element, as
    ``{"DeviceID": esme, "RequestType": "Add", "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 90, "InstallCode": code}}``; the order
    of its keys does not matter. ``preceding`` names the request that has to succeed before this one runs.

    Raises RequestError naming the element that is unknown, missing or has a wrong value."""
    row = VARIANTS.get(variant)
    if row is None:
        raise RequestError("ServiceReferenceVariant", 0, f"read {variant!r}, expected one of the schema, as 4.1.1")
    chosen = row.default_command_variant if command_variant is None else command_variant
    return _request(variant, RequestId(originator, target, counter), chosen, row.element, body or {}, preceding)


def signed_pre_command(
    request: ServiceRequest, message: bytes, command_variant: CommandVariant = CommandVariant.SIGNED_SEND
) -> ServiceRequest:
    """The service request that returns a signed pre-command to the DCC (command variant 5, 6 or 7), with the RequestID of the
    request it came from. Raises RequestError."""
    content: dict[str, Content] = {"GBCSPayload": message}
    moment = request.body.findtext(f"{{{SERVICE_NAMESPACE}}}ExecutionDateTime")
    if moment is not None:
        content["ExecutionDateTime"] = moment
    return _request(request.service_reference_variant, request.request_id, command_variant, "SignedPreCommand", content)


def _request(
    variant: str,
    request_id: RequestId,
    command_variant: int,
    element: str,
    body: Mapping[str, Content],
    preceding: RequestId | None = None,
) -> ServiceRequest:
    root = etree.Element(f"{{{SERVICE_NAMESPACE}}}Request", nsmap={"sr": SERVICE_NAMESPACE}, schemaVersion=SCHEMA_VERSION)
    content: dict[str, Content] = {
        "Header": {
            "RequestID": str(request_id),
            **({} if preceding is None else {"PrecedingServiceRequestID": str(preceding)}),
            "CommandVariant": command_variant,
            "ServiceReference": VARIANTS[variant].service,
            "ServiceReferenceVariant": variant,
        },
        "Body": {element: body},
    }
    _fill(root, element_type("Request"), content, "Request")
    etree.indent(root)
    read_request(etree.tostring(root))
    return as_request(root)


def _fill(element: etree._Element, kind: ElementType, content: Content, path: str) -> None:
    if not isinstance(content, Mapping):
        if isinstance(content, Sequence) and not isinstance(content, str | bytes):
            raise RequestError(path, 0, "a sequence where one element stands")
        text = written(content, kind.text)
        element.text = text or None
        return
    for name, value in content.items():
        if name.startswith("@"):
            element.set(name[1:], written(_leaf(value, path), None))
        elif name == "#":
            element.text = written(_leaf(value, path), kind.text)
        elif kind.part(name) is None:
            wanted = ", ".join(part.name for part in kind.parts) or "nothing"
            raise RequestError(f"{path}/{name}", 0, f"not an element of {path.rpartition('/')[2]}; expected {wanted[:300]}")
    repeated = [(part, item) for part in kind.parts if part.name in content for item in _repeated(content[part.name])]
    for part, item in repeated:
        child = etree.SubElement(element, f"{{{SERVICE_NAMESPACE}}}{part.name}")
        _fill(child, element_type(part.type), item, f"{path}/{part.name}")


def _repeated(content: Content) -> Sequence[Content]:
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return content
    return (content,)


def _leaf(content: Content, path: str) -> Value:
    if isinstance(content, Mapping) or (isinstance(content, Sequence) and not isinstance(content, str | bytes)):
        raise RequestError(path, 0, "expected a value")
    return content


def written(value: Value, kind: str | None) -> str:
    """A value as DUIS writes it: UTC times with two decimals and Z, EUIs hyphenated, octets by the type."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode() if is_base64(kind) else value.hex().upper()
        case Eui64():
            return value.duis
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.00Z")
        case date():
            return value.strftime("%Y-%m-%dZ")
        case time():
            return value.strftime("%H:%M:%S.00Z")
        case _:
            return str(value)
