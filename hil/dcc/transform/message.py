"""From a service request to a GBCS command: use case, header, payload (reference gbcs-messages 3 and 11).

Which use case a service request means: by service reference variant, type of the target and content (``selection.csv``).

The first row whose device types and conditions hold is taken. ``party`` says who originates: ``known`` the user, unless the Device
does not know the user; ``unknown`` the access control broker for the user, unless the context says that the Device knows the user;
``broker`` always the access control broker for the user; ``dcc`` the DCC in its own name; ``cos`` the transitional CoS party.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from hil.dcc.duis.request import Node, ServiceRequest
from hil.dcc.transform import asn1, dlms, gbz
from hil.dcc.transform.context import TransformContext, TransformError
from hil.dcc.transform.source import Source


@dataclass(frozen=True, slots=True)
class Selection:
    """One row: the use case, its message code, its originating party, and whether the originator signs."""

    variant: str
    devices: frozenset[DeviceType]
    conditions: tuple[str, ...]
    use_case: str
    message_code: int
    party: str
    signed: bool


@cache
def _rows() -> dict[str, list[Selection]]:
    rows: dict[str, list[Selection]] = {}
    text = (files(__package__) / "selection.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        chosen = Selection(
            row["variant"],
            frozenset(DeviceType[name] for name in row["devices"].split()),
            tuple(row["conditions"].split()),
            row["use_case"],
            int(row["message_code"], 16),
            row["party"],
            row["signed"] == "yes",
        )
        rows.setdefault(chosen.variant, []).append(chosen)
    return rows


_ROLES = {"supplier": RemotePartyRole.SUPPLIER, "network": RemotePartyRole.NETWORK_OPERATOR, "load": RemotePartyRole.LOAD_CONTROLLER}
_Test = Callable[[str, ServiceRequest, TransformContext], bool]


def _text(wanted: str, request: ServiceRequest) -> bool:
    path, _, value = wanted.partition("=")
    return any((node.element.text or "").strip() == value for node in Node(request.body).nodes(path))


def _other(wanted: str, request: ServiceRequest, context: TransformContext) -> bool:
    if context.device_type_of is None:
        return False
    found = context.device_type_of(Node(request.body).eui("OtherDeviceID"))
    return found is not None and found.name in wanted.split("|")


_TESTS: dict[str, _Test] = {
    "has": lambda wanted, request, _: Node(request.body).has(wanted),
    "not": lambda wanted, request, _: not Node(request.body).has(wanted),
    "text": lambda wanted, request, _: _text(wanted, request),
    "role": lambda wanted, _, context: (context.originator_role or RemotePartyRole.SUPPLIER) is _ROLES[wanted],
    "phases": lambda wanted, _, context: context.profile.phases == int(wanted),
    "edition": lambda wanted, _, context: context.profile.edition.value == wanted,
    "other": _other,
}


def select(request: ServiceRequest, context: TransformContext) -> Selection:
    """The row for this request. Raises TransformError naming what was asked and which device types can do it."""
    variant = request.service_reference_variant
    rows = _rows().get(variant)
    if rows is None:
        kind = request.variant.kind
        raise TransformError(variant, "is for the DCC, no GBCS message" if kind == "non_device" else "no use case is known for it")
    for row in rows:
        if context.device_type not in row.devices:
            continue
        if all(_TESTS[rule](wanted, request, context) for rule, _, wanted in (text.partition(":") for text in row.conditions)):
            return row
    able = sorted({device.name for row in rows for device in row.devices})
    if context.device_type.name not in able:
        raise TransformError(variant, f"cannot go to a {context.device_type.name}; expected {', '.join(able)}")
    wanted = "; ".join(" ".join(row.conditions) for row in rows if row.conditions)
    raise TransformError(variant, f"no use case fits the content; rows ask for {wanted}")


def use_cases_of(variant: str) -> tuple[str, ...]:
    """Every use case a service reference variant can mean."""
    return tuple(dict.fromkeys(row.use_case for row in _rows().get(variant, ())))


def codes_of(variant: str) -> dict[int, str]:
    """Message codes that a service reference variant can lead to, with their use cases."""
    return {row.message_code: row.use_case for row in _rows().get(variant, ())}


def transform(request: ServiceRequest, context: TransformContext) -> Message:
    """The command of a request for a Device, without MAC.

    ``signature`` is None where the originator named in the header signs (the user of a critical request, else the DCC party), and
    empty where the command is protected by the MAC alone. Raises TransformError, RequestError, IdentifierError.
    """
    if request.is_signed_pre_command:
        raise TransformError(request.service_reference_variant, "carries a signed pre-command: there is nothing to transform")
    chosen = select(request, context)
    header = _header(request, context, chosen)
    source = Source(request, context, header, chosen.use_case, Node(request.body))
    for kind in (dlms, gbz, asn1):
        if kind.knows(chosen.use_case):
            return Message(header, kind.payload(source), None if chosen.signed else b"")
    raise TransformError(request.service_reference_variant, f"no payload is known for {chosen.use_case}")


def originated_by_dcc(request: ServiceRequest, context: TransformContext) -> bool:
    """True if a DCC party originates the command, and so gives it a counter of its own. Raises TransformError."""
    return not _originated_by_user(request, context, select(request, context))


def _originated_by_user(request: ServiceRequest, context: TransformContext, chosen: Selection) -> bool:
    if chosen.party not in ("known", "unknown"):
        return False
    known = context.known_party if context.known_party is not None else chosen.party == "known"
    other_certificate = _key_agreement_certificate(request) is not None
    return known and not other_certificate and request.request_id.originator != context.access_control_broker


def _header(request: ServiceRequest, context: TransformContext, chosen: Selection) -> GroupingHeader:
    identifier = request.request_id
    certificate = _key_agreement_certificate(request)
    if _originated_by_user(request, context, chosen):
        other = OtherInformation(chosen.message_code)
        return GroupingHeader(CraFlag.COMMAND, identifier.counter, identifier.originator, identifier.target, other)
    counter = context.acb_counter
    if counter is None:
        raise TransformError(request.service_reference_variant, "needs a counter of the DCC party that originates the command")
    originator = context.access_control_broker
    if chosen.party in ("dcc", "cos"):
        other = OtherInformation(chosen.message_code)
        if chosen.party == "cos":
            if context.transitional_cos is None:
                raise TransformError(request.service_reference_variant, "needs the transitional change-of-supplier party")
            originator = context.transitional_cos
    else:
        speaker: Eui64 | None = identifier.originator
        if identifier.originator == context.access_control_broker:
            speaker = context.responsible_supplier or identifier.originator
        other = OtherInformation(chosen.message_code, speaker, identifier.counter, None, certificate)
    return GroupingHeader(CraFlag.COMMAND, counter, originator, identifier.target, other)


def _key_agreement_certificate(request: ServiceRequest) -> bytes | None:
    body = Node(request.body)
    return body.base64("KAPublicSecurityCredentials") if body.has("KAPublicSecurityCredentials") else None
