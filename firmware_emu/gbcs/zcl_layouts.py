"""ZCL payloads inside GBZ components (reference gbcs-messages 7A).

The layouts are those of the clusters' declarations (:mod:`firmware_emu.zse.clusters`); what GBCS adds stands here: which commands its
messages carry and the names it has for their fields (``zcl_fields.csv``), the snapshot inside two of them, and the profile-wide commands.

``zcl_fields.csv`` lists names in the order of the declaration, those of a repeated group in brackets behind its own. ``?`` marks a group
that may be missing, and as the last name what may follow the declared fields.

A field's kind is one letter: ``u`` unsigned, ``i`` signed, ``b`` bitmap, ``e`` enumeration, all little-endian; ``t`` UTC time (seconds
since 2000), ``d`` date of 4 octets, ``s`` length-prefixed string, ``x`` all that is left, ``a`` attribute id, ``c`` command id, ``z``
status, ``v`` typed attribute value (absent after a status other than success).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from firmware_emu.errors import IdentifierError, one_of
from firmware_emu.gbcs.envelope import Reader
from firmware_emu.gbcs.gbz import CLUSTER_COMMAND, SERVER_TO_CLIENT, Component
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.clusters.prepayment import GB_PREPAY_SNAPSHOT, PREPAYMENT
from firmware_emu.zse.declare import Field, Layout, Repeat
from firmware_emu.zse.zcl import BY_IDENTIFIER, ValueKind, ZclStatus

SUCCESS = ZclStatus.SUCCESS
NOT_FOUND = ZclStatus.NOT_FOUND
_STRINGS = frozenset(one.identifier for one in BY_IDENTIFIER.values() if one.kind in (ValueKind.STRING, ValueKind.TEXT) and one.width == 1)
_SIGNED = frozenset(one.identifier for one in BY_IDENTIFIER.values() if one.kind is ValueKind.SIGNED)
_NUMBERS = (ValueKind.UNSIGNED, ValueKind.SIGNED, ValueKind.BOOLEAN, ValueKind.EUI64)
_WIDTHS = {one.identifier: one.width for one in BY_IDENTIFIER.values() if one.kind in _NUMBERS or one.name == "date"}
"""Octets of the types whose values are carried as little-endian numbers."""
_LETTERS = {"uint": "u", "int": "i", "bitmap": "b", "enum": "e", "utc": "t", "date": "d", "octets": "s", "string": "s"}
"""Kind of a field by its ZCL type, without the width in the type's name."""
_SNAPSHOTS: dict[tuple[int, bool, int], Layout] = {
    (METERING.id, True, 0x06): GB_SNAPSHOT.layout or (),
    (PREPAYMENT.id, True, 0x01): GB_PREPAY_SNAPSHOT.layout or (),
}
"""Commands that end in a snapshot whose layout depends on its type, with the one that GBCS messages carry."""


@dataclass(frozen=True, slots=True)
class LayoutValue:
    """A ZCL attribute value with its data type. ``value`` is a number, or the octets of a string or of a type that is no number."""

    type_id: int
    value: int | bytes


ZclValue: TypeAlias = "int | bytes | LayoutValue | tuple[tuple[ZclField, ...], ...] | None"
Given: TypeAlias = "int | str | bytes | LayoutValue | Sequence[Mapping[str, Given]] | None"
"""Values that :func:`encode_zcl` takes for a field: repeated groups as a sequence of mappings."""


@dataclass(frozen=True, slots=True)
class ZclField:
    """One field read. ``kind`` is its type letter (``group`` for repetitions); ``offset`` counts in the outermost message."""

    name: str
    kind: str
    value: ZclValue
    offset: int
    length: int
    declared: Field | None = None


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """One field. ``declared`` is the cluster's declaration of it, None for what GBCS adds."""

    name: str
    kind: str
    width: int
    optional: bool
    declared: Field | None = None


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """A declared repetition; ``count`` is a number, the name of an earlier field, or None for "to the end"."""

    name: str
    count: int | str | None
    items: tuple[FieldLayout | GroupLayout, ...]
    optional: bool


@dataclass(frozen=True, slots=True)
class CommandLayout:
    """One ZCL command. ``cluster`` is None for profile-wide commands, whose ``declared`` name is empty."""

    cluster: int | None
    from_server: bool
    command: int
    name: str
    fields: tuple[FieldLayout | GroupLayout, ...]
    declared: str = ""


@dataclass(frozen=True, slots=True)
class ZclCommand:
    """A payload read by its layout."""

    layout: CommandLayout
    fields: tuple[ZclField, ...]

    def __getitem__(self, name: str) -> ZclValue:
        return next(field.value for field in self.fields if field.name == name)


_ATTRIBUTE, _STATUS = FieldLayout("attribute", "a", 2, False), FieldLayout("status", "z", 1, False)
_COMMAND, _VALUE = FieldLayout("command", "c", 1, False), FieldLayout("value", "v", 0, False)
_PROFILE_WIDE = (
    CommandLayout(None, False, 0x00, "read_attributes", (GroupLayout("attributes", None, (_ATTRIBUTE,), False),)),
    CommandLayout(None, False, 0x01, "read_attributes_response", (GroupLayout("attributes", None, (_ATTRIBUTE, _STATUS, _VALUE), False),)),
    CommandLayout(None, False, 0x0A, "report_attributes", (GroupLayout("attributes", None, (_ATTRIBUTE, _VALUE), False),)),
    CommandLayout(None, False, 0x0B, "default_response", (_COMMAND, _STATUS)),
)
_TOKEN = re.compile(r"\??\w+|\(|\)")


@cache
def layouts() -> dict[tuple[int | None, bool, int], CommandLayout]:
    """Every command of GBCS messages by cluster (None: profile-wide), whether the server sends it, and command id."""
    rows = csv.DictReader(files(__package__).joinpath("zcl_fields.csv").read_text("utf-8").splitlines())
    named = [_command(int(row["cluster"], 16), row["direction"] == "s", int(row["command"], 16), row["fields"]) for row in rows]
    return {(layout.cluster, layout.from_server, layout.command): layout for layout in (*named, *_PROFILE_WIDE)}


def _command(identifier: int, from_server: bool, command: int, names: str) -> CommandLayout:
    cluster = clusters.BY_ID.get(identifier)
    declared = None if cluster is None else cluster.command(command, to_client=from_server)
    if declared is None:
        raise IdentifierError("a declared ZCL command", f"{identifier:04x}/{command:02x}", "a command of firmware_emu.zse.clusters")
    title = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", declared.name).lower()
    tokens = iter(_TOKEN.findall(names))
    items = named((declared.layout or ()) + _SNAPSHOTS.get((identifier, from_server, command), ()), tokens, title)
    further = tuple(FieldLayout(name.removeprefix("?"), "x", 0, True) for name in tokens)
    return CommandLayout(identifier, from_server, command, title, items + further, declared.name)


def named(layout: Layout, tokens: Iterator[str], owner: str) -> tuple[FieldLayout | GroupLayout, ...]:
    """The fields of a declared layout under the names that come next in ``tokens``; names past the last field are left there.

    Raises IdentifierError where the names do not fit the fields.
    """
    found: list[FieldLayout | GroupLayout] = []
    renamed: dict[str, str] = {}
    for item in layout:
        name = next(tokens, "")
        if not name.isidentifier() and not name.startswith("?"):
            raise IdentifierError(f"a name for {owner} {item.name}", name, "a name in zcl_fields.csv for every declared field")
        optional, name = name.startswith("?"), name.removeprefix("?")
        renamed[item.name] = name
        found.append(_group(item, name, optional, renamed, tokens) if isinstance(item, Repeat) else _field(item, name))
    return tuple(found)


def _group(item: Repeat, name: str, optional: bool, renamed: Mapping[str, str], tokens: Iterator[str]) -> GroupLayout:
    if next(tokens, "") != "(":
        raise IdentifierError(f"the fields of {name}", "", "their names in brackets in zcl_fields.csv")
    items = named(item.fields, tokens, name)
    if next(tokens, "") != ")":
        raise IdentifierError(f"the fields of {name}", "", f"{len(items)} names in brackets in zcl_fields.csv")
    return GroupLayout(name, renamed[item.count] if isinstance(item.count, str) else item.count, items, optional)


def _field(item: Field, name: str) -> FieldLayout:
    kind = _LETTERS[item.type.name.rstrip("0123456789")]
    return FieldLayout(name, kind, 0 if kind in "ds" else item.type.width, item.optional, item)


def layout_of(cluster: int, frame_control: int, command: int) -> CommandLayout | None:
    """The layout of a command, or None where none is declared."""
    if frame_control & 0x03 == CLUSTER_COMMAND:
        return layouts().get((cluster, bool(frame_control & SERVER_TO_CLIENT), command))
    return layouts().get((None, False, command))


def decode_zcl(component: Component, payload: bytes, offset: int = 0) -> ZclCommand | None:
    """Read a payload (the component's own, or its decrypted one) to its last octet; None without a layout. Raises DecodeError."""
    layout = layout_of(component.cluster, component.frame_control, component.command)
    if layout is None:
        return None
    reader = Reader(payload, offset)
    fields = _read_items(reader, layout.fields)
    reader.finish(layout.name)
    return ZclCommand(layout, fields)


def _read_items(reader: Reader, items: tuple[FieldLayout | GroupLayout, ...]) -> tuple[ZclField, ...]:
    fields: list[ZclField] = []
    for item in items:
        if item.optional and not reader.remaining:
            continue
        start = reader.offset
        if isinstance(item, GroupLayout):
            value: ZclValue = _read_group(reader, item, fields)
            kind = "group"
        else:
            if item.kind == "v" and fields and fields[-1].kind == "z" and fields[-1].value != SUCCESS:
                continue
            value = _read_value(reader, item)
            kind = item.kind
        declared = item.declared if isinstance(item, FieldLayout) else None
        fields.append(ZclField(item.name, kind, value, start, reader.offset - start, declared))
    return tuple(fields)


def _read_group(reader: Reader, group: GroupLayout, earlier: list[ZclField]) -> tuple[tuple[ZclField, ...], ...]:
    if group.count is None:
        entries: list[tuple[ZclField, ...]] = []
        while reader.remaining:
            entries.append(_read_items(reader, group.items))
        return tuple(entries)
    count = group.count
    if isinstance(count, str):
        value = next(field.value for field in earlier if field.name == count)
        count = value if isinstance(value, int) else 0
    if count > reader.remaining:
        reader.fail(group.name, f"{count} entries, {reader.remaining} octets are left")
    return tuple([_read_items(reader, group.items) for _ in range(count)])


def _read_value(reader: Reader, field: FieldLayout) -> ZclValue:
    match field.kind:
        case "s":
            return reader.take(reader.u8(field.name), field.name)
        case "x":
            return reader.rest()
        case "d":
            return reader.take(4, field.name)
        case "v":
            return _read_typed(reader, field.name)
        case kind:
            return int.from_bytes(reader.take(field.width, field.name), "little", signed=kind == "i")


def _read_typed(reader: Reader, name: str) -> LayoutValue:
    type_id = reader.u8(f"{name} type")
    if type_id in _STRINGS:
        return LayoutValue(type_id, reader.take(reader.u8(name), name))
    octets = _WIDTHS.get(type_id)
    if octets is None:
        reader.fail(f"{name} type", f"{type_id:02x} is no ZCL data type met in GBCS", back=1)
    return LayoutValue(type_id, int.from_bytes(reader.take(octets, name), "little", signed=type_id in _SIGNED))


# -- building


def encode_zcl(cluster: int, frame_control: int, command: int, values: Mapping[str, Given]) -> bytes:
    """The payload of a declared command. Raises IdentifierError: no layout, a missing or unknown field, a value out of range."""
    layout = layout_of(cluster, frame_control, command)
    if layout is None:
        raise IdentifierError("a ZCL command with a layout", f"{cluster:04x}/{command:02x}", "a command of zcl_fields.csv")
    known = {item.name for item in layout.fields}
    if unknown := sorted(set(values) - known):
        raise IdentifierError(f"a field of {layout.name}", ", ".join(unknown), one_of(unknown[0], sorted(known)))
    return _write_items(layout.name, layout.fields, values)


def _write_items(owner: str, items: tuple[FieldLayout | GroupLayout, ...], values: Mapping[str, Given]) -> bytes:
    parts: list[bytes] = []
    for item in items:
        given = values.get(item.name)
        if given is None:
            if item.optional or (isinstance(item, FieldLayout) and item.kind == "v" and values.get("status", SUCCESS) != SUCCESS):
                continue
            raise IdentifierError(f"{owner} {item.name}", None, "a value")
        parts.append(_write_group(item, given, values) if isinstance(item, GroupLayout) else _write_value(owner, item, given))
    return b"".join(parts)


def _write_group(group: GroupLayout, given: Given, values: Mapping[str, Given]) -> bytes:
    if isinstance(given, str | bytes | int | LayoutValue) or given is None:
        raise IdentifierError(group.name, type(given).__name__, "a list of entries")
    count = values.get(group.count) if isinstance(group.count, str) else group.count
    if isinstance(count, int) and len(given) != count:
        raise IdentifierError(group.name, f"{len(given)} entries", f"{count} entries")
    return b"".join(_write_items(group.name, group.items, entry) for entry in given)


def _write_value(owner: str, field: FieldLayout, given: Given) -> bytes:
    if isinstance(given, str):
        given = given.encode("utf-8")
    if field.kind == "v" and isinstance(given, LayoutValue):
        return _write_typed(owner, given)
    if isinstance(given, bytes) and field.kind in "sxd":
        if field.kind == "s" and len(given) > 0xFE:
            raise IdentifierError(f"{owner} {field.name}", f"<{len(given)} octets>", "at most 254 octets")
        if field.kind == "d" and len(given) != 4:
            raise IdentifierError(f"{owner} {field.name}", given.hex(), "4 octets")
        return bytes((len(given),)) + given if field.kind == "s" else given
    if isinstance(given, int) and field.width:
        try:
            return given.to_bytes(field.width, "little", signed=field.kind == "i")
        except OverflowError:
            raise IdentifierError(f"{owner} {field.name}", int(given), f"{field.width * 8} bits") from None
    raise IdentifierError(f"{owner} {field.name}", type(given).__name__, "octets or text" if field.kind in "sxd" else "a number")


def _write_typed(owner: str, given: LayoutValue) -> bytes:
    octets = _WIDTHS.get(given.type_id, 0)
    if isinstance(given.value, bytes):
        return bytes((given.type_id, len(given.value))) + given.value
    try:
        return bytes((given.type_id,)) + given.value.to_bytes(octets, "little", signed=given.type_id in _SIGNED)
    except OverflowError:
        raise IdentifierError(f"{owner} attribute value", given.value, f"{octets * 8} bits") from None


def given(fields: tuple[ZclField, ...]) -> dict[str, Given]:
    """The fields of a payload read as :func:`encode_zcl` takes them."""
    values: dict[str, Given] = {}
    for field in fields:
        values[field.name] = [given(entry) for entry in field.value] if isinstance(field.value, tuple) else field.value
    return values
