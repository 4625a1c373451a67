"""From a service request to a GBCS command: use case, header, payload (reference gbcs-messages 3 and 11)."""

from __future__ import annotations

from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from hil.dcc.duis.node import Node
from hil.dcc.duis.request import ServiceRequest
from hil.dcc.transform import asn1, dlms, gbz
from hil.dcc.transform.context import TransformContext, TransformError
from hil.dcc.transform.selection import Selection, select
from hil.dcc.transform.source import Source


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
