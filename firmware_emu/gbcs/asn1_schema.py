"""``gbcs.asn1`` compiled by asn1tools, and its types with member names for explaining and converting values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Protocol, TypeAlias, TypedDict, cast

import asn1tools

Native: TypeAlias = "int | str | bytes | datetime | tuple[bytes, int] | list[Native] | dict[str, Native] | None"
"""What asn1tools reads and writes."""


class Compiled(Protocol):
    """The part of asn1tools' compiled specification that is used."""

    def encode(self, name: str, data: Native, check_constraints: bool) -> bytes: ...

    def decode(self, name: str, data: bytes, check_constraints: bool) -> Native: ...


class _Tag(TypedDict):
    number: int


class _Declared(TypedDict, total=False):
    type: str
    name: str
    optional: bool
    tag: _Tag
    members: list[_Declared]
    element: _Declared
    values: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of the schema. ``base`` is INTEGER, SEQUENCE, ANY ...; ``name`` its own name, or the base's where it has none."""

    name: str
    base: str
    members: tuple[Member, ...] = ()
    element: Kind | None = None
    values: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a SEQUENCE; ``tag`` is its context tag number."""

    name: str
    kind: Kind
    optional: bool
    tag: int | None


def schema_text() -> str:
    """The schema as it stands in the package."""
    return files(__package__).joinpath("gbcs.asn1").read_text("utf-8")


@cache
def compiled() -> Compiled:
    """The DER codec (about 70 ms the first time)."""
    return cast("Compiled", asn1tools.compile_string(schema_text(), "der"))


@cache
def kinds() -> dict[str, Kind]:
    """Every named type of the schema."""
    declared = cast("dict[str, _Declared]", asn1tools.parse_string(schema_text())["GBCS"]["types"])
    return {name: _kind(declared[name], declared, name) for name in declared}


def _kind(declaration: _Declared, declared: dict[str, _Declared], name: str) -> Kind:
    base = declaration["type"]
    if base in declared:
        referred = _kind(declared[base], declared, base)
        return referred if name == base else Kind(base, referred.base, referred.members, referred.element, referred.values)
    members = tuple(
        Member(member["name"], _kind(member, declared, member["type"]), member.get("optional", False), _number(member))
        for member in declaration.get("members", [])
    )
    element = declaration.get("element")
    inner = None if element is None else _kind(element, declared, element["type"])
    return Kind(name, base, members, inner, tuple((text, number) for text, number in declaration.get("values", [])))


def _number(member: _Declared) -> int | None:
    tag = member.get("tag")
    return None if tag is None else tag["number"]
