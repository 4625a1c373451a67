"""The verdict over a whole pre-command: header, then payload (reference gbcs-messages 3; requirements PC-02)."""

from __future__ import annotations

from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.dlms import AccessRequest
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.ids import CraFlag
from hil.dcc.duis.node import Node
from hil.dcc.duis.request import RequestError, ServiceRequest
from hil.parse_correlate.correlate import asn1_side, dlms_side, gbz_side
from hil.parse_correlate.correlate.comparison import Comparison, Correlation, Known
from hil.parse_correlate.correlate.use_cases import codes_for

_CHANGE_OF_SUPPLIER = "6.23"


def correlate(request: ServiceRequest, pre_command: bytes, *, known: Known | None = None) -> Correlation:
    """Whether a pre-command says what the request asks, and every field that does not.

    ``known`` holds facts of the signatory's own about fields that no request holds. A pre-command with a trailing signature-length octet
    00 is accepted (reference gbcs-messages 3). Raises nothing for a bad pre-command: that is a difference.
    """
    known = known or Known()
    comparison = Comparison()
    try:
        message = Message.decode(pre_command)
    except DecodeError as trouble:
        comparison.add("pre-command", "a message", str(trouble))
        return comparison.result()
    if message.mac is not None or message.signature:
        comparison.add("protection", "none", "a MAC" if message.mac is not None else "a signature")
    _compare_header(request, message, comparison, known)
    try:
        _compare_payload(request, message, comparison, known)
    except RequestError as trouble:
        comparison.add(trouble.element, trouble.problem, "another service")
    except CommsHubError as trouble:
        comparison.add("payload", "a payload of this use case", str(trouble))
    return comparison.result()


def _compare_header(request: ServiceRequest, message: Message, comparison: Comparison, known: Known) -> None:
    header, identifier = message.header, request.request_id
    comparison.equal("CRA flag", CraFlag.COMMAND.name, header.cra.name)
    comparison.equal("recipient", str(identifier.target), str(header.recipient))
    comparison.equal("header date-time", b"", header.date_time)
    if request.service_reference != _CHANGE_OF_SUPPLIER:
        # The change-of-supplier party commands in its own name, with a counter of its own that no request holds.
        comparison.equal("originator", str(identifier.originator), str(header.originator))
        comparison.equal("originator counter", identifier.counter, header.counter)
    elif known.originator is not None:
        comparison.equal("originator", str(known.originator), str(header.originator))
    party = header.other.supplementary_party
    comparison.equal("supplementary party", None, None if party is None else str(party))


def _compare_payload(request: ServiceRequest, message: Message, comparison: Comparison, known: Known) -> None:
    code, counter, body = message.message_code, message.header.counter, Node(request.body)
    allowed = codes_for(request)
    if code not in allowed:
        wanted = " or ".join(f"{number:04x}" for number in sorted(allowed)) or "no pre-command at all"
        comparison.add("message code", wanted, f"{code:04x}")
        return
    if dlms_side.covers(code):
        dlms_side.compare(AccessRequest.decode(message.payload), code, counter, body, comparison)
    elif gbz_side.covers(code):
        gbz_side.compare(Gbz.decode(message.payload), code, body, comparison, known)
    elif asn1_side.covers(code):
        asn1_side.compare(message.payload, code, counter, body, comparison, known)
    else:
        comparison.add("message code", "one whose meaning is known", f"{code:04x}")
