"""The verdict over a whole pre-command: the message codes a request can become (``use_cases.csv``), header, payload.

The table is the correlator's own; layout by reference gbcs-messages 3.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from ..errors import DecodeError, RequestError
from ..message.dlms import read_access_request
from ..message.envelope import COMMAND, KINDS, Message, read_message
from ..message.gbz import read_gbz
from ..request import ServiceRequest, read_request
from . import asn1_side, dlms_side, gbz_side
from .comparison import ESME, GSME, Comparison, Correlation, Known


@cache
def _rows() -> tuple[tuple[str, str, frozenset[int]], ...]:
    text = (files(__package__) / "use_cases.csv").read_text(encoding="utf-8")
    return tuple(
        (row["variant"], row["content"], frozenset(int(code, 16) for code in row["codes"].split()))
        for row in csv.DictReader(text.splitlines())
    )


def codes_for(request: ServiceRequest) -> frozenset[int]:
    """Message codes that can stand for this request; more than one where the type of the Device or its GBCS version decides."""
    body = request.body
    for variant, content, codes in _rows():
        path, _, value = content.partition("=")
        if variant != request.variant:
            continue
        if not content or any(not value or node.word() == value for node in body.nodes(path)):
            return codes
    return frozenset()


_CHANGE_OF_SUPPLIER = "6.23"


def correlate(request: bytes, pre_command: bytes, *, known: Known | None = None) -> Correlation:
    """Compare a pre-command with the request: every field that does not say what the request asks, and every field that cannot be decided.

    ``request``: the octets of the service request whose signature was verified (or that the caller is about to sign). ``known``: facts of
    the signatory's own about fields that no request holds. A pre-command with a trailing signature-length octet 00 is accepted (reference
    gbcs-messages 3). Raises RequestError for a request that cannot be read; a bad pre-command is a difference.
    """
    return correlate_read(read_request(request), pre_command, known or Known())


def correlate_read(request: ServiceRequest, pre_command: bytes, known: Known) -> Correlation:
    """The same for a request that :func:`read_request` has read, once: it remembers what was looked at."""
    comparison = Comparison()
    try:
        message = read_message(pre_command)
    except DecodeError as trouble:
        comparison.add("pre-command", "a message", str(trouble))
        return comparison.result()
    if message.mac is not None or message.signature:
        comparison.add("protection", "none", "a MAC" if message.mac is not None else "a signature")
    _compare_header(request, message, comparison, known)
    try:
        _compare_payload(request, message, comparison, known)
    except RequestError as trouble:
        comparison.add(trouble.element, f"line {trouble.line}: {trouble.problem}", "a value of its own")
    except DecodeError as trouble:
        comparison.add("payload", "a payload of this use case", str(trouble))
    else:
        for path, value in request.body.unread():
            comparison.open(path, "", f"the request says {value[:60]!r}, and nothing in the pre-command is held against it")
    return comparison.result()


def _compare_header(request: ServiceRequest, message: Message, comparison: Comparison, known: Known) -> None:
    header = message.header
    comparison.equal("CRA flag", KINDS[COMMAND], KINDS[header.kind])
    comparison.equal("recipient", str(request.target), str(header.recipient))
    comparison.equal("header date-time", b"", header.date_time)
    if request.service != _CHANGE_OF_SUPPLIER:
        comparison.equal("originator", str(request.originator), str(header.originator))
        comparison.equal("originator counter", request.counter, header.counter)
    else:
        # The change-of-supplier party commands in its own name, with a counter of its own that no request holds.
        if known.originator is not None:
            comparison.equal("originator", str(known.originator), str(header.originator))
        else:
            comparison.open("originator", str(header.originator), "the change-of-supplier party that commands is not known")
        if known.counter is not None:
            comparison.equal("originator counter", known.counter, header.counter)
        else:
            comparison.open("originator counter", str(header.counter), "the counter of the change-of-supplier party is not known")
    comparison.equal("supplementary party", None, None if header.party is None else str(header.party))


def _compare_payload(request: ServiceRequest, message: Message, comparison: Comparison, known: Known) -> None:
    code, counter, body = message.header.message_code, message.header.counter, request.body
    allowed = _of_device(codes_for(request), known.device_type_of(request.target))
    if code not in allowed:
        wanted = " or ".join(f"{number:04x}" for number in sorted(allowed)) or "no pre-command at all"
        comparison.add("message code", wanted, f"{code:04x}")
        return
    others = " or ".join(f"{number:04x}" for number in sorted(allowed - {code}))
    if others:
        missing = f"the request also allows {others}: the Device's type or GBCS version, or the sender's role, decides"
        comparison.open("message code", f"{code:04x}", missing)
    payload, at = message.payload, message.payload_offset
    if dlms_side.covers(code):
        dlms_side.compare(read_access_request(payload, at), code, counter, body, comparison, known)
    elif gbz_side.covers(code):
        gbz_side.compare(read_gbz(payload, at), code, body, comparison, known)
    elif asn1_side.covers(code):
        asn1_side.compare(payload, at, code, counter, body, comparison, known)
    else:
        comparison.add("message code", "one whose meaning is known", f"{code:04x}")


def _of_device(codes: frozenset[int], device_type: int | None) -> frozenset[int]:
    """Codes that a Device of that type can take: an ESME no ZigBee command, a GSME no DLMS one."""
    if device_type == ESME:
        return frozenset(code for code in codes if not gbz_side.covers(code) and code != asn1_side.SET_GAS_CLOCK)
    if device_type == GSME:
        return frozenset(code for code in codes if not dlms_side.covers(code))
    return codes
