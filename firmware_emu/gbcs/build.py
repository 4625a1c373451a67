"""Builds commands from the catalogue and the answers to them.

What a use case fixes (access list, constants, read-attributes lists, control structures) comes from the catalogue; what a request says
comes from the caller. The result carries no protection yet: a critical command is a pre-command (no signature-length octet), any other is
unsigned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.asn1 import Asn1Payload, types_by_code
from firmware_emu.gbcs.asn1_types import Asn1Record, Asn1Value
from firmware_emu.gbcs.axdr import KINDS, Data, DoubleLongUnsigned, Null, OctetString
from firmware_emu.gbcs.cosem_time import encode_date_time, encode_utc_seconds
from firmware_emu.gbcs.dlms import (
    RANGE_SELECTOR,
    AccessRequest,
    Choice,
    ProtectedAttribute,
    ProtectionParameters,
    Specification,
    invoke_id,
    protected_request,
    range_selection,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import AccessItem, GbzItem, Protection, UseCase
from firmware_emu.gbcs.zcl_layouts import Given, encode_zcl
from firmware_emu.ids import CraFlag, Eui64

Period = tuple[datetime, datetime]


def build_command(
    use_case: UseCase,
    header: GroupingHeader,
    *,
    variant: str | None = None,
    data: Mapping[int, Data] | None = None,
    components: Sequence[Mapping[str, Given] | Component | None] = (),
    value: Asn1Value = None,
    period: Period | None = None,
    parameters: ProtectionParameters | None = None,
) -> Message:
    """A command of any use case.

    ``data`` gives the data items of a DLMS command by their place (those the use case fixes may be left out); ``components`` the ZCL fields
    of each GBZ component (None where there are none to give), or whole components where their number is the request's; ``value`` the ASN.1
    value; ``period`` the range of a log read or protected read; ``parameters`` those of a protected read, by default the header's counter,
    the user (the supplementary party, or the originator without one) and the device. Raises IdentifierError naming what is missing.
    """
    if header.cra is not CraFlag.COMMAND or header.message_code != use_case.code:
        raise IdentifierError(f"the header of a {use_case.name} command", header.identifier, f"a command with code {use_case.code}")
    if use_case.access_lists:
        payload = _dlms(use_case, header, variant, data or {}, period, parameters)
    elif use_case.gbz_lists:
        payload = _gbz(use_case, variant, components, period)
    else:
        payload = _asn1(use_case, value)
    return Message(header, payload, None if use_case.protection is Protection.SIGNATURE else b"")


def respond(command: Message, payload: bytes, *, date_time: bytes = b"", originator_counter: int | None = None) -> Message:
    """The answer to a command, unprotected: parties exchanged, counter and first 18 octets of the other information repeated.

    ``originator_counter`` is the device's own, drawn where content is encrypted for a party it does not know (reference gbcs-messages 1.4).
    """
    header = command.header
    other = header.other
    if originator_counter is not None and other.supplementary_counter is None:
        raise IdentifierError("a supplementary originator counter", originator_counter, "a command with supplementary fields")
    answer = OtherInformation(other.message_code, other.supplementary_party, other.supplementary_counter, originator_counter)
    return Message(GroupingHeader(CraFlag.RESPONSE, header.counter, header.recipient, header.originator, answer, date_time), payload, b"")


def alert_message(
    message_code: int, counter: int, originator: Eui64, recipient: Eui64, payload: bytes, *, supplementary_party: Eui64 | None = None
) -> Message:
    """An alert, unprotected; ``counter`` is the device's own."""
    other = OtherInformation(message_code, supplementary_party)
    return Message(GroupingHeader(CraFlag.ALERT, counter, originator, recipient, other), payload, b"")


# -- DLMS


def _dlms(
    use_case: UseCase,
    header: GroupingHeader,
    variant: str | None,
    data: Mapping[int, Data],
    period: Period | None,
    parameters: ProtectionParameters | None,
) -> bytes:
    items = use_case.access_list(variant).items
    unknown = [place for place in data if not 0 <= place < len(items)]
    if unknown:
        raise IdentifierError(f"a data item of {use_case.name}", unknown, f"0 to {len(items) - 1}")
    user = header.other.supplementary_party or header.originator
    parameters = parameters or ProtectionParameters(header.counter, user, header.recipient)
    specifications = tuple(_specification(use_case, item, period) for item in items)
    values = tuple(data[place] if place in data else _fixed(use_case, place, item, period, parameters) for place, item in enumerate(items))
    return AccessRequest(invoke_id(header.counter), specifications, values).encode()


def _specification(use_case: UseCase, item: AccessItem, period: Period | None) -> Specification:
    if item.clock is None:
        return Specification(item.choice, item.class_id, item.obis, item.attribute)
    start, end = _ends(use_case, period, item.clock.end_type)
    clock = item.clock
    selection = range_selection(clock.class_id, clock.obis, clock.attribute, start, end, clock.data_index)
    return Specification(item.choice, item.class_id, item.obis, item.attribute, RANGE_SELECTOR, selection)


def _fixed(use_case: UseCase, place: int, item: AccessItem, period: Period | None, parameters: ProtectionParameters) -> Data:
    """The data item that needs nothing of the request, or only its period."""
    if item.choice in (Choice.GET, Choice.GET_WITH_SELECTION) or item.shape == "null":
        return Null()
    if item.protected:
        attributes = []
        for part in item.protected:
            kind = part.restriction.removeprefix("range ")
            restriction = None if part.restriction == "none" else _ends(use_case, period, kind)
            attributes.append(ProtectedAttribute(part.class_id, part.obis, part.attribute, part.data_index, restriction))
        return protected_request(tuple(attributes), parameters)
    if item.constant is None:
        raise IdentifierError(f"data item {place} of {use_case.name}", None, f"a {item.shape}")
    kind_of = KINDS[item.shape]
    return kind_of(item.constant)  # type: ignore[call-arg]  # every shape with a constant is a number, checked by a test over the catalogue


def _ends(use_case: UseCase, period: Period | None, type_name: str) -> tuple[Data, Data]:
    if period is None:
        raise IdentifierError(f"the period of {use_case.name}", None, "from and to")
    if type_name == OctetString.type_name:
        return OctetString(encode_date_time(period[0])), OctetString(encode_date_time(period[1]))
    return DoubleLongUnsigned(encode_utc_seconds(period[0])), DoubleLongUnsigned(encode_utc_seconds(period[1]))


# -- GBZ and ASN.1


def _gbz(
    use_case: UseCase, variant: str | None, components: Sequence[Mapping[str, Given] | Component | None], period: Period | None
) -> bytes:
    whole = [component for component in components if isinstance(component, Component)]
    if len(whole) == len(components) and whole:
        return Gbz(tuple(replace(component, sequence=index) for index, component in enumerate(whole))).encode()
    items = use_case.gbz_list(variant).items
    if components and len(components) != len(items):
        raise IdentifierError(f"the components of {use_case.name}", f"{len(components)} given", f"{len(items)}")
    given = list(components) or [None] * len(items)
    return Gbz(tuple(_component(index, item, given[index], period) for index, item in enumerate(items))).encode()


def _component(index: int, item: GbzItem, given: Mapping[str, Given] | Component | None, period: Period | None) -> Component:
    if isinstance(given, Component):
        return replace(given, sequence=index)
    values: dict[str, Given] = dict(given or {})
    moment = values.pop("from_date_time", None)
    if item.attributes and "attributes" not in values:
        values["attributes"] = [{"attribute": attribute} for attribute in item.attributes]
    payload = encode_zcl(item.cluster, item.frame_control, item.command, values)
    start: int | None = None
    if item.from_date_time:
        if not isinstance(moment, int):
            if period is None:
                raise IdentifierError(f"component {index}, {item.title}", moment, "from_date_time in seconds since 2000, or a period")
            moment = encode_utc_seconds(period[0])
        start = moment
    return Component(item.cluster, item.frame_control, index, item.command, payload, start)


def _asn1(use_case: UseCase, value: Asn1Value) -> bytes:
    names = [name for (code, cra, _), name in types_by_code().items() if (code, cra) == (use_case.code, CraFlag.COMMAND)]
    if not names:
        raise IdentifierError("a use case with commands", use_case.name, "one with an access list, GBZ components or an ASN.1 type")
    if isinstance(value, Asn1Record) and type(value).__name__ != names[0]:
        raise IdentifierError(f"the value of a {use_case.name} command", type(value).__name__, names[0])
    return Asn1Payload(names[0], value).encode()
