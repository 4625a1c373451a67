"""The types of ``gbcs.asn1``, parsed by asn1tools, as :mod:`.asn1` reads and writes values by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TypedDict, cast

import asn1tools

_CONSTRUCTED = 0x20
_CONTEXT = 0x80
_UNIVERSAL = {
    "INTEGER": 0x02,
    "BIT STRING": 0x03,
    "OCTET STRING": 0x04,
    "NULL": 0x05,
    "ENUMERATED": 0x0A,
    "GeneralizedTime": 0x18,
    "SEQUENCE": 0x30,
    "SEQUENCE OF": 0x30,
    "ANY": 0x30,
}


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
    size: list[int]


@dataclass(frozen=True, slots=True)
class Asn1Kind:
    """One type of the schema. ``base`` is INTEGER, SEQUENCE, ANY ...; ``name`` its own name, or the base's where it has none.

    ``tag`` is the universal tag, the first octet of a value; ``size`` the only length an OCTET STRING may have, None for any.
    """

    name: str
    base: str
    tag: int
    members: tuple[Member, ...] = ()
    element: Asn1Kind | None = None
    values: tuple[tuple[str, int], ...] = ()
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a SEQUENCE; ``tag`` is the first octet of its value: the kind's own, or the implicit context tag."""

    name: str
    kind: Asn1Kind
    optional: bool
    tag: int


def schema_text() -> str:
    """The schema as it stands in the package."""
    return files(__package__).joinpath("gbcs.asn1").read_text("utf-8")


@cache
def kinds() -> dict[str, Asn1Kind]:
    """Every named type of the schema."""
    declared = cast("dict[str, _Declared]", asn1tools.parse_string(schema_text())["GBCS"]["types"])
    return {name: _kind(declared[name], declared, name) for name in declared}


def _kind(declaration: _Declared, declared: dict[str, _Declared], name: str) -> Asn1Kind:
    base = declaration["type"]
    if base in declared:
        referred = _kind(declared[base], declared, base)
        return referred if name == base else replace(referred, name=base)
    members = tuple(
        Member(member["name"], kind, member.get("optional", False), _tag(member, kind))
        for member in declaration.get("members", [])
        for kind in (_kind(member, declared, member["type"]),)
    )
    element = declaration.get("element")
    inner = None if element is None else _kind(element, declared, element["type"])
    size = declaration.get("size")
    return Asn1Kind(name, base, _UNIVERSAL[base], members, inner, tuple(declaration.get("values", [])), None if size is None else size[0])


def _tag(member: _Declared, kind: Asn1Kind) -> int:
    tag = member.get("tag")
    return kind.tag if tag is None else _CONTEXT | (kind.tag & _CONSTRUCTED) | tag["number"]
