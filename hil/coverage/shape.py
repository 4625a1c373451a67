"""The shape of a payload: its kind, results, types and counts without its values, and where two shapes part.

A *record* has a fixed number of named members. A *series* is as long as the data it holds (log entries, device lists, readings, the
parts of an array), which is an accident of the Device's life: its elements are compared by the shapes that occur among them, and its
length not at all, but that each shape which the reference shows must occur ("not found" apart, which is what lies beyond the last entry).
What the command itself fixes (the items of an access response, the components answered, attribute ids, results and statuses) is
compared one to one. The length of a string is part of its value. Components of one command that ask for the same (a log, offset by
offset) are answered by one series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import Asn1Record as Asn1Record
from firmware_emu.gbcs.axdr import Array, CompactArray, Data, Structure
from firmware_emu.gbcs.dlms import AccessResponse, Protected, ProtectionParameters
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.gbcs.verify import EncryptedPart, MessageVerdict
from firmware_emu.gbcs.zcl_layouts import LayoutValue as ZclTyped
from firmware_emu.gbcs.zcl_layouts import ZclCommand, ZclField, decode_zcl

Shape: TypeAlias = "Leaf | Members | Series"

_RESULT_FIELDS = frozenset({"code", "status", "join_code", "mode", "outcome"})
"""ASN.1 members whose number is a result or a mode, compared by value (reference gbcs-messages 6)."""
_VALUES_COMPARED = frozenset("acz")
"""ZCL field kinds compared by value: attribute ids, command ids, statuses."""
_ATTRIBUTE_RECORDS = (0x01,)
"""General commands whose repeated group is one record for each attribute that the command asked for."""
_NOT_FOUND = 0x8B


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value without parts; ``text`` says its type, or the value itself where it counts. ``status`` is that of a status field."""

    text: str
    status: int | None = None

    def __str__(self) -> str:
        return self.text


SEALED = Leaf("sealed")
"""A part that nobody here can open: it is compared with nothing."""


@dataclass(frozen=True, slots=True)
class Members:
    """A record: named members in order."""

    name: str
    members: tuple[tuple[str, Shape], ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{name} {shape}' if name else str(shape) for name, shape in self.members)})"


@dataclass(frozen=True, slots=True)
class Series:
    """A list; ``elements`` are the different shapes that occur in it."""

    name: str
    elements: frozenset[Shape]

    def __str__(self) -> str:
        return f"{self.name}[{' | '.join(sorted(map(str, self.elements)))}]"


@dataclass(frozen=True, slots=True)
class Parting:
    """Point where two shapes part."""

    path: str
    expected: str
    got: str


def of_message(verdict: MessageVerdict, command: bytes) -> Shape:
    """The shape of a checked response to a command with the payload ``command``. Raises DecodeError."""
    message = verdict.message
    header = message.header
    supplements = (
        header.other.supplementary_party is not None,
        header.other.supplementary_originator_counter is not None,
    )
    return Members(
        "response",
        (
            ("code", Leaf(f"{message.message_code:04x}")),
            ("date-time", Leaf("present" if header.date_time else "absent")),
            ("supplementary", Leaf("party and counter of its own" if all(supplements) else "party" if supplements[0] else "none")),
            ("protection", Leaf(" and ".join(_protection(message)) or "none")),
            ("payload", _payload(message, verdict.encrypted, command)),
        ),
    )


def _protection(message: Message) -> Iterator[str]:
    if message.signature:
        yield "signature"
    if message.mac is not None:
        yield "MAC"


def _payload(message: Message, parts: tuple[EncryptedPart, ...], command: bytes) -> Shape:
    payload = decode_payload(message)
    opened = {part.octets: part for part in parts}
    if isinstance(payload, AccessResponse):
        return _access_response(payload, opened)
    if isinstance(payload, Gbz):
        return _gbz(payload, parts, Gbz.decode(command))
    if isinstance(payload, Asn1Payload):
        return Members("ASN.1", ((payload.type_name, _asn1(payload.type_name, payload.value)),))
    raise DecodeError(message.payload_offset, "payload", f"a response carries a {type(payload).__name__}")


# --- DLMS


def _access_response(payload: AccessResponse, opened: dict[bytes, EncryptedPart]) -> Shape:
    items = []
    for number, (item, result) in enumerate(zip(payload.data, payload.results, strict=True)):
        protected = Protected.of(item.elements) if isinstance(item, Structure) else None
        data = _data(item) if protected is None else _protected(protected, opened)
        outcome = Leaf(f"{result.choice.name} {int(result.code)}")
        items.append((str(number), Members("item", (("result", outcome), ("data", data)))))
    return Members("access response", tuple(items))


def _protected(item: Protected, opened: dict[bytes, EncryptedPart]) -> Shape:
    part = opened.get(item.octets)
    inside = _data(part.values) if part is not None and isinstance(part.values, Data) else SEALED
    return Members("protected", (("parameters", Leaf(ProtectionParameters.__name__)), ("inside", inside)))


def _data(value: Data) -> Shape:
    if isinstance(value, Structure):
        return Members("structure", tuple(("", _data(element)) for element in value.elements))
    if isinstance(value, Array):
        return Series("array", frozenset(_data(element) for element in value.elements))
    if isinstance(value, CompactArray):
        return Series(f"compact array of {value.description.encode().hex()}", frozenset(_data(element) for element in value.elements))
    return Leaf(value.type_name)


# --- GBZ


def _gbz(payload: Gbz, parts: tuple[EncryptedPart, ...], command: Gbz) -> Shape:
    sealed = iter(parts)
    asked = {component.sequence: _asked(component) for component in command.components}
    groups: dict[str, set[Shape]] = {}
    for component in payload.components:
        part = next(sealed, None) if component.encrypted else None
        question = asked.get(component.sequence, f"no component {component.sequence}")
        groups.setdefault(question, set()).add(_component(component, part))
    return Members("GBZ", tuple((question, Series("answers", frozenset(found))) for question, found in groups.items()))


def _asked(component: Component) -> str:
    """Request of a component: cluster and command, with the attribute ids of a read."""
    ids = component.payload.hex() if component.profile_wide else ""
    return f"{component.cluster:04x}/{component.command:02x}{' ' if ids else ''}{ids}"


def _component(component: Component, part: EncryptedPart | None) -> Shape:
    if part is not None:
        inside = _zcl(part.values) if isinstance(part.values, ZclCommand) else SEALED
    else:
        command = decode_zcl(component, component.payload)
        inside = Leaf(f"{len(component.payload)} octets") if command is None else _zcl(command)
    return Members(
        "component",
        (
            ("cluster", Leaf(f"{component.cluster:04x}")),
            ("frame control", Leaf(f"{component.frame_control:02x}")),
            ("command", Leaf(f"{component.command:02x}")),
            ("encryption", Leaf("encrypted" if component.encrypted else "clear")),
            ("payload", inside),
        ),
    )


def _zcl(command: ZclCommand) -> Shape:
    records = command.layout.cluster is None and command.layout.command in _ATTRIBUTE_RECORDS
    return Members(command.layout.name, tuple((field.name, _zcl_field(field, records)) for field in command.fields))


def _zcl_field(field: ZclField, records: bool) -> Shape:
    value = field.value
    if isinstance(value, tuple):
        elements = tuple(Members("", tuple((one.name, _zcl_field(one, False)) for one in group)) for group in value)
        if records:
            return Members("", tuple((str(number), element) for number, element in enumerate(elements)))
        return Series("", frozenset(elements))
    if isinstance(value, ZclTyped):
        return Leaf(f"type {value.type_id:02x}")
    if value is None:
        return Leaf("absent")
    if field.kind in _VALUES_COMPARED and isinstance(value, int):
        return Leaf(f"status {value:02x}", value) if field.kind == "z" else Leaf(f"{value:04x}")
    return Leaf(field.kind)


# --- ASN.1


def _asn1(name: str, value: object) -> Shape:
    if isinstance(value, Asn1Record):
        members = ((one.name, getattr(value, one.name)) for one in fields(value))  # type: ignore[arg-type]
        return Members(type(value).__name__, tuple((member, _asn1(member, inside)) for member, inside in members))
    if isinstance(value, tuple):
        return Series("", frozenset(_asn1(name, element) for element in value))
    if value is None:
        return Leaf("absent")
    if isinstance(value, int):
        counts = name in _RESULT_FIELDS or name[:1].isupper()  # a whole payload that is one number is a result
        return Leaf(f"{int(value)}" if counts else "number")
    return Leaf(type(value).__name__)


# --- comparison


def partings(expected: Shape, got: Shape, path: str = "") -> Iterator[Parting]:
    """Every place where ``got`` is not of the expected shape, outermost first; nothing where they agree, or the expected is sealed."""
    if expected == SEALED:
        return
    if isinstance(expected, Members) and isinstance(got, Members) and expected.name == got.name:
        yield from _members(expected, got, path)
    elif isinstance(expected, Series) and isinstance(got, Series) and expected.name == got.name:
        yield from _series(expected, got, path)
    elif expected != got:
        yield Parting(path, str(expected), str(got))


def _members(expected: Members, got: Members, path: str) -> Iterator[Parting]:
    names, there = [name for name, _ in expected.members], [name for name, _ in got.members]
    if names != there:
        missing, surplus = [name for name in names if name not in there], [name for name in there if name not in names]
        if missing or surplus:
            yield Parting(
                path,
                f"{len(names)} members with {', '.join(missing)}".rstrip(" with"),
                f"{len(there)} members with {', '.join(surplus)}".rstrip(" with"),
            )
        else:
            yield Parting(path, f"{len(names)} members", f"{len(there)} members")
    for number, ((name, one), (other_name, other)) in enumerate(zip(expected.members, got.members, strict=False)):
        if name == other_name:
            yield from partings(one, other, f"{path}/{name or number}")


def _series(expected: Series, got: Series, path: str) -> Iterator[Parting]:
    if not expected.elements:
        return
    if not got.elements:
        yield Parting(path, str(expected), "an empty list")
        return
    for element in got.elements:
        if not any(same(one, element) for one in expected.elements):
            nearest = min((list(partings(one, element, path + "[]")) for one in expected.elements), key=len)
            yield from nearest
    for one in expected.elements:
        if not _not_found(one) and not any(same(one, element) for element in got.elements):
            yield Parting(path + "[]", str(one), "no element of this shape")


def _not_found(shape: Shape) -> bool:
    """True if a status anywhere in the shape says that nothing was found."""
    match shape:
        case Leaf():
            return shape.status == _NOT_FOUND
        case Members():
            return any(_not_found(member) for _, member in shape.members)
        case Series():
            return any(map(_not_found, shape.elements))


def same(expected: Shape, got: Shape) -> bool:
    """True if the two shapes agree."""
    return next(partings(expected, got), None) is None
