"""The values of ``chub gbcs build``: KEY=VALUE texts into what the builder takes, by what the catalogue says a use case carries.

A KEY is the place of a data item (``1``) in a DLMS command, component and field (``0.start_time``) in a GBZ command, a member
(``execution``) in an ASN.1 command.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click

from firmware_emu.console.commands import gbcs_shapes
from firmware_emu.console.commands.gbcs_literals import certificate, moment, number, octets
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import IdentifierError, one_of
from firmware_emu.gbcs.asn1 import types_by_code
from firmware_emu.gbcs.asn1_schema import Asn1Kind, kinds
from firmware_emu.gbcs.asn1_types import NEVER, RECORDS, Asn1Value
from firmware_emu.gbcs.axdr import Data
from firmware_emu.gbcs.cosem_time import UTC_NEVER, encode_utc_seconds
from firmware_emu.gbcs.dlms import Choice, obis_text
from firmware_emu.gbcs.gbz import CLUSTER_COMMAND
from firmware_emu.gbcs.names import cosem_member, cosem_object, zcl_cluster
from firmware_emu.gbcs.use_cases import AccessItem, GbzItem, UseCase
from firmware_emu.gbcs.zcl_layouts import FieldLayout, Given, GroupLayout, LayoutValue, layout_of
from firmware_emu.ids import CraFlag, Eui64

NOW_WORD, NEVER_WORD = "now", "never"
FROM_DATE_TIME = "from_date_time"
_KINDS = {
    "t": "time",
    "s": "text",
    "x": "octets",
    "d": "date (4 octets)",
    "v": "TYPE:number or octets",
    "a": "attribute id",
    "c": "command id",
}


@dataclass(frozen=True, slots=True)
class Values:
    """Values that :func:`firmware_emu.gbcs.build.build_command` takes beside the header."""

    data: Mapping[int, Data] = field(default_factory=dict)
    components: Sequence[Mapping[str, Given] | None] = ()
    value: Asn1Value = None


@dataclass(frozen=True, slots=True)
class Key:
    """One KEY of a use case: what it takes, what the use case fixes where it may be left out, and what it stands for."""

    name: str
    takes: str
    fixed: str
    what: str


def parse(use_case: UseCase, variant: str | None, texts: Sequence[str]) -> Values:
    """The values for a use case. Raises IdentifierError or UsageError naming the key."""
    pairs: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{text!r}: expected KEY=VALUE; `chub gbcs use-cases {use_case.name}` lists the KEYs")
        if key in pairs:
            raise click.UsageError(f"{key}: given twice")
        pairs[key] = value
    known = {key.name: key for key in keys_of(use_case, variant)}
    for key in pairs:
        if key not in known:
            raise IdentifierError(f"a KEY of {use_case.name}", key, one_of(key, known) if known else "none: the use case fixes everything")
    if use_case.access_lists:
        items = use_case.access_list(variant).items
        given = {int(key): _loaded(text) for key, text in pairs.items()}
        return Values(data={place: gbcs_shapes.read(f"item {place}", items[place].shape, value) for place, value in given.items()})
    if use_case.gbz_lists:
        return Values(components=_components(use_case.gbz_list(variant).items, pairs))
    return Values(value=_asn1_value(use_case, pairs))


def _loaded(text: str) -> Any:
    """A text that is JSON of a structure as its value; ``@FILE`` as what the file holds; any other as it stands."""
    if text.startswith("@") and not text.endswith((".pem", ".der")):
        text = Path(text[1:]).read_text("utf-8").strip()
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise IdentifierError("JSON", text[:40], f"{error.msg} at character {error.pos}") from None
    return text


def keys_of(use_case: UseCase, variant: str | None) -> tuple[Key, ...]:
    """The KEYs of a use case."""
    if use_case.access_lists:
        items = enumerate(use_case.access_list(variant).items)
        return tuple(_access_key(place, item) for place, item in items if item.choice not in (Choice.GET, Choice.GET_WITH_SELECTION))
    if use_case.gbz_lists:
        return tuple(key for place, item in enumerate(use_case.gbz_list(variant).items) for key in _component_keys(place, item))
    kind = _asn1_kind(use_case)
    if kind is None or kind.base == "NULL":
        return ()
    if kind.base != "SEQUENCE":
        return (Key("value", kind.name, "", kind.name),)
    names = [part.name for part in fields(RECORDS[kind.name])]  # type: ignore[arg-type]  # every Record is a dataclass
    members = [member for member in kind.members if member.kind.base != "NULL"]
    return tuple(
        Key(name, _asn1_takes(member.kind), "may be left out" if member.optional else "", member.name)
        for name, member in zip(names, members, strict=True)
    )


# -- DLMS


def _access_key(place: int, item: AccessItem) -> Key:
    obis = obis_text(item.obis)
    member = cosem_member(item.class_id, item.attribute, method=item.choice is Choice.ACTION)
    what = f"{item.choice.name.lower()} {cosem_object(item.class_id, obis) or obis}: {member}"
    if item.protected:
        fixed = "from the header and the period"
    elif item.shape == "null":
        fixed = "null"
    else:
        fixed = "" if item.constant is None else str(item.constant)
    return Key(str(place), item.shape if len(item.shape) < 120 else f"{item.shape[:117]}...", fixed, what)


# -- GBZ


def _component_keys(place: int, item: GbzItem) -> list[Key]:
    keys: list[Key] = []
    title = f"{zcl_cluster(item.cluster) or f'{item.cluster:04x}'}: {item.title}"
    if item.from_date_time:
        keys.append(Key(f"{place}.{FROM_DATE_TIME}", "time", "start of the period, where one is given", title))
    layout = layout_of(item.cluster, item.frame_control, item.command)
    if layout is None:
        return keys
    for part in layout.fields:
        fixed = "may be left out" if part.optional else ""
        if part.name == "attributes" and item.attributes and item.frame_control & 0x03 != CLUSTER_COMMAND:
            fixed = " ".join(f"{attribute:04x}" for attribute in item.attributes)
        keys.append(Key(f"{place}.{part.name}", _zcl_takes(part), fixed, title))
    return keys


def _zcl_takes(part: FieldLayout | GroupLayout) -> str:
    if isinstance(part, GroupLayout):
        return "[{" + ", ".join(f"{inner.name}: {_zcl_takes(inner)}" for inner in part.items) + "}, ...]"
    return _KINDS.get(part.kind) or f"{'signed ' if part.kind == 'i' else ''}{part.width * 8} bits"


def _components(items: tuple[GbzItem, ...], pairs: Mapping[str, str]) -> list[Mapping[str, Given] | None]:
    components: list[dict[str, Given]] = [{} for _ in items]
    for key, text in pairs.items():
        place, _, name = key.partition(".")
        item = items[int(place)]
        if name == FROM_DATE_TIME:
            components[int(place)][name] = _utc(key, text)
            continue
        layout = layout_of(item.cluster, item.frame_control, item.command)
        assert layout is not None, "keys_of lists fields of layouts alone"
        part = next(part for part in layout.fields if part.name == name)
        components[int(place)][name] = _zcl(key, part, _loaded(text))
    return list(components)


def _utc(name: str, given: object) -> int:
    if given == NOW_WORD:
        return 0
    if given == NEVER_WORD:
        return UTC_NEVER
    if isinstance(given, str) and "T" in given:
        return encode_utc_seconds(moment(given))
    return number(name, given)


def _zcl(name: str, part: FieldLayout | GroupLayout, given: Any) -> Given:
    if isinstance(part, GroupLayout):
        if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
            raise IdentifierError(name, given, f"JSON {_zcl_takes(part)}")
        return [_entry(name, part, entry) for entry in given]
    if part.kind == "t":
        return _utc(name, given)
    if part.kind == "s":
        return str(given)
    if part.kind in "xd":
        return octets(str(given))
    if part.kind == "v":
        kind, _, value = str(given).partition(":")
        type_id = number(f"{name} type", kind)
        return LayoutValue(type_id, octets(value) if type_id in (0x41, 0x42) else number(name, value))
    return number(name, given)


def _entry(name: str, group: GroupLayout, entry: Mapping[str, Any]) -> dict[str, Given]:
    parts = {part.name: part for part in group.items}
    unknown = sorted(set(entry) - set(parts))
    if unknown:
        raise IdentifierError(f"a field of {name}", ", ".join(unknown), one_of(unknown[0], parts))
    return {key: _zcl(f"{name}.{key}", parts[key], value) for key, value in entry.items()}


# -- ASN.1


def _asn1_kind(use_case: UseCase) -> Asn1Kind | None:
    names = [name for (code, cra, _), name in types_by_code().items() if (code, cra) == (use_case.code, CraFlag.COMMAND)]
    return kinds()[names[0]] if names else None


def _asn1_takes(kind: Asn1Kind) -> str:
    if kind.base == "SEQUENCE":
        parts = zip(fields(RECORDS[kind.name]), [m for m in kind.members if m.kind.base != "NULL"], strict=True)  # type: ignore[arg-type]
        return "{" + ", ".join(f"{part.name}{'?' if member.optional else ''}: {_asn1_takes(member.kind)}" for part, member in parts) + "}"
    if kind.element is not None:
        return f"[{_asn1_takes(kind.element)}, ...]"
    if kind.base == "ANY":
        return "@certificate.pem"
    return "time or never" if kind.base == "GeneralizedTime" else kind.name


def _asn1_value(use_case: UseCase, pairs: Mapping[str, str]) -> Asn1Value:
    kind = _asn1_kind(use_case)
    if kind is None or kind.base == "NULL":
        return None
    if kind.base != "SEQUENCE":
        if "value" not in pairs:
            raise IdentifierError(f"the value of {use_case.name}", None, f"value={kind.name}")
        return _asn1(use_case.name, kind, _loaded(pairs["value"]))
    return _asn1(use_case.name, kind, {key: _loaded(text) for key, text in pairs.items()})


def _asn1(name: str, kind: Asn1Kind, given: Any) -> Asn1Value:
    match kind.base:
        case "SEQUENCE":
            return _record(name, kind, given)
        case "SEQUENCE OF":
            if not isinstance(given, list) or kind.element is None:
                raise IdentifierError(name, given, f"JSON {_asn1_takes(kind)}")
            return tuple(_asn1(f"{name}[{place}]", kind.element, item) for place, item in enumerate(given))
        case "INTEGER" | "ENUMERATED":
            return number(name, given)
        case "BIT STRING":
            words = [usage.name.lower() for usage in KeyUsage]
            if str(given).lower() not in words:
                raise IdentifierError(name, given, one_of(given, words))
            return KeyUsage[str(given).upper()]
        case "GeneralizedTime":
            return NEVER if given == NEVER_WORD else moment(str(given))
        case "ANY":
            return certificate(str(given)[1:]) if str(given).startswith("@") else octets(str(given))
        case _:
            return Eui64.parse(str(given)) if kind.name == "EntityId" else octets(str(given))


def _record(name: str, kind: Asn1Kind, given: Any) -> Asn1Value:
    record = RECORDS[kind.name]
    names = [part.name for part in fields(record)]  # type: ignore[arg-type]  # every Record is a dataclass
    if not isinstance(given, dict) or not set(given) <= set(names):
        raise IdentifierError(name, given, f"JSON {_asn1_takes(kind)}")
    values: list[Asn1Value] = []
    for key, member in zip(names, [member for member in kind.members if member.kind.base != "NULL"], strict=True):
        if given.get(key) is not None:
            values.append(_asn1(f"{name} {key}", member.kind, given[key]))
        elif member.optional:
            values.append(None)
        else:
            raise IdentifierError(f"{name} {key}", None, _asn1_takes(member.kind))
    return record(*values)
