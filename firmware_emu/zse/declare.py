"""Declarations of clusters: attributes and commands as data, with the codec that follows from the declaration.

A command's fields are declared as text, one a field: ``"provider uint32"``; ``"extended_control bitmap8 ?"`` may be absent at
the end. :func:`repeat` declares a repeated group, counted by an earlier field or running to the end of the frame. A wrong
declaration fails at import, not at the first bad frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from firmware_emu.errors import DecodeError
from firmware_emu.zse.zcl import BY_NAME, DataType, Value, ZclReader, encode_value, read_value

FieldValue: TypeAlias = "Value | tuple[Mapping[str, FieldValue], ...]"
Fields: TypeAlias = Mapping[str, FieldValue]


def number(fields: Fields, name: str) -> int:
    """A field that is a number. Raises DecodeError where it is none, or is not there."""
    value = fields.get(name)
    if not isinstance(value, int):
        raise DecodeError(0, name, f"read {value!r}, expected a number")
    return value


TRAILING = "trailing"
"""Key of octets after the declared fields. ZCL lets later versions append fields, which a reader ignores; kept for byte-exact encoding."""


@dataclass(frozen=True, slots=True)
class ClusterAttribute:
    """One attribute: id, field-style name, ZCL type."""

    id: int
    name: str
    type: DataType


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a command payload. ``optional``: may be missing together with all that follow."""

    name: str
    type: DataType
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """A repeated group. ``count``: name of the earlier field that counts it; None: to the end of the payload; a number: that often."""

    name: str
    count: str | int | None
    fields: Layout


Layout: TypeAlias = "tuple[Field | Repeat, ...]"


@dataclass(frozen=True, slots=True)
class ClusterCommand:
    """One cluster command. ``layout`` None: not known, the payload is opaque. ``answered_by``: ids of the opposite direction's
    commands that answer it; empty: a default response does. ``carries`` names the octets that follow the declared fields to the end of
    the payload, as part of the command (under :data:`TRAILING`); empty: none do."""

    id: int
    name: str
    layout: Layout | None = None
    answered_by: tuple[int, ...] = ()
    carries: str = ""

    def decode(self, payload: bytes, base: int = 0) -> dict[str, FieldValue]:
        """Fields by name; octets beyond the layout under :data:`TRAILING`. Raises DecodeError; ``base`` is added to its offset."""
        reader = ZclReader(payload, base=base)
        values = _decode(reader, self.layout or (), self.name)
        if reader.left:
            values[TRAILING] = payload[reader.offset :]
        return values

    def encode(self, values: Fields | None = None) -> bytes:
        """The payload. Raises ValueError for a missing, unknown or unfitting field."""
        given = dict(values or {})
        trailing = given.pop(TRAILING, b"")
        octets = _encode(self.layout or (), given, self.name)
        if not isinstance(trailing, bytes):
            raise ValueError(f"{self.name}: {TRAILING} is {trailing!r}, expected octets")
        return octets + trailing


def _decode(reader: ZclReader, layout: Layout, owner: str) -> dict[str, FieldValue]:
    values: dict[str, FieldValue] = {}
    for item in layout:
        if isinstance(item, Repeat):
            values[item.name] = _decode_repeat(reader, item, values, owner)
        elif reader.left or not item.optional:
            values[item.name] = read_value(reader, item.type, f"{owner}.{item.name}")
    return values


def _decode_repeat(reader: ZclReader, item: Repeat, values: Fields, command: str) -> tuple[dict[str, FieldValue], ...]:
    count = values[item.count] if isinstance(item.count, str) else item.count
    groups: list[dict[str, FieldValue]] = []
    while reader.left if count is None else len(groups) < int(str(count)):
        groups.append(_decode(reader, item.fields, f"{command}.{item.name}[{len(groups)}]"))
    return tuple(groups)


def _encode(layout: Layout, values: Fields, owner: str) -> bytes:
    given = dict(values)
    octets = bytearray()
    for item in layout:
        if isinstance(item, Repeat):
            octets += _encode_repeat(item, given, owner)
        elif item.name in given:
            octets += _encode_field(item, given.pop(item.name), owner)
        elif not item.optional:
            raise ValueError(f"{owner}: field {item.name} is missing")
    if given:
        raise ValueError(f"{owner} has no field {', '.join(sorted(given))}")
    return bytes(octets)


def _encode_repeat(item: Repeat, given: dict[str, FieldValue], command: str) -> bytes:
    groups = given.pop(item.name, ())
    if not isinstance(groups, tuple):
        raise ValueError(f"{command}.{item.name} is {groups!r}, expected a tuple of mappings")
    if isinstance(item.count, int) and len(groups) != item.count:
        raise ValueError(f"{command}.{item.name} has {len(groups)} entries, expected {item.count}")
    return b"".join(_encode(item.fields, group, f"{command}.{item.name}") for group in groups)


def _encode_field(part: Field, value: FieldValue, command: str) -> bytes:
    if isinstance(value, tuple):
        raise ValueError(f"{command}.{part.name} is a group, expected {part.type}")
    try:
        return encode_value(part.type, value)
    except ValueError as error:
        raise ValueError(f"{command}.{part.name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster: both sides' attributes and commands, and whether it needs APS encryption with the link key.

    ``to_server`` are the commands a client sends, ``to_client`` those a server sends, by id.
    """

    id: int
    name: str
    secured: bool
    attributes: tuple[ClusterAttribute, ...] = ()
    client_attributes: tuple[ClusterAttribute, ...] = ()
    to_server: Mapping[int, ClusterCommand] = field(default_factory=dict)
    to_client: Mapping[int, ClusterCommand] = field(default_factory=dict)

    def attribute(self, identifier: int, *, server: bool = True) -> ClusterAttribute | None:
        """The attribute of that id on the given side."""
        return next((one for one in (self.attributes if server else self.client_attributes) if one.id == identifier), None)

    def attribute_named(self, name: str, *, server: bool = True) -> ClusterAttribute:
        """The attribute of that name. Raises KeyError."""
        for one in self.attributes if server else self.client_attributes:
            if one.name == name:
                return one
        raise KeyError(f"{self.name} has no attribute {name}")

    def command(self, identifier: int, *, to_client: bool) -> ClusterCommand | None:
        """The command of that id in that direction."""
        return (self.to_client if to_client else self.to_server).get(identifier)

    def is_answer(self, identifier: int, *, to_client: bool) -> bool:
        """True if the command of that id in that direction is declared as the answer to another."""
        asked = (self.to_server if to_client else self.to_client).values()
        return any(identifier in one.answered_by for one in asked)

    def command_named(self, name: str) -> ClusterCommand:
        """The command of that name, of either direction. Raises KeyError."""
        for one in (*self.to_server.values(), *self.to_client.values()):
            if one.name == name:
                return one
        raise KeyError(f"{self.name} has no command {name}")


def fields(*declarations: str | Repeat) -> Layout:
    """A layout from ``"name type"`` declarations."""
    return tuple(one if isinstance(one, Repeat) else _field(one) for one in declarations)


def repeat(name: str, count: str | int | None, *declarations: str | Repeat) -> Repeat:
    """A repeated group within a layout, which may hold groups itself."""
    return Repeat(name, count, fields(*declarations))


def commands(*declared: ClusterCommand) -> dict[int, ClusterCommand]:
    """Commands by id. Raises ValueError for a repeated id."""
    by_id = {one.id: one for one in declared}
    if len(by_id) != len(declared):
        raise ValueError(f"a command id is declared twice among {', '.join(one.name for one in declared)}")
    return by_id


def attributes(*declared: str) -> tuple[ClusterAttribute, ...]:
    """Attributes from ``"0x0000 name type"`` declarations."""
    found = []
    for one in declared:
        identifier, name, kind = one.split()
        found.append(ClusterAttribute(int(identifier, 16), name, BY_NAME[kind]))
    return tuple(found)


def numbered(first: int, step: int, count: int, name: str, kind: str, start: int = 1) -> tuple[ClusterAttribute, ...]:
    """``count`` attributes ``step`` apart; ``{}`` in ``name`` becomes the running number from ``start``."""
    return tuple(ClusterAttribute(first + step * n, name.format(start + n), BY_NAME[kind]) for n in range(count))


def _field(declaration: str) -> Field:
    name, kind, *rest = declaration.split()
    if rest not in ([], ["?"]):
        raise ValueError(f"{declaration!r} is not a field declaration: expected 'name type' or 'name type ?'")
    return Field(name, BY_NAME[kind], bool(rest))
