"""Named firmwares that a virtual dongle plays: defaults, ranges, limits and habits, one file each in ``personalities/``.

Each value carries its source. A file may extend another; what it does not name is as there. :func:`personality` takes a name or the
path of a file, as ``chub inventory --learn`` writes them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from firmware_emu.errors import RadioError, in_words, one_of

_SECTIONS = ("configuration", "policies", "limits", "traits", "items")


@dataclass(frozen=True, slots=True)
class Setting:
    """One configuration id of EZSP. ``fixed``: the size is compiled in, a host may only make it smaller."""

    name: str
    id: int
    value: int
    least: int = 0
    most: int = 0xFFFF
    fixed: bool = False
    read_only: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class PolicyDefault:
    """One policy of EZSP. ``known``: the decisions it takes; none listed: any."""

    name: str
    id: int
    value: int
    known: tuple[int, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of Z-Stack's factory memory; ``value`` None: absent until a network was formed, "random": drawn."""

    name: str
    id: int
    length: int
    value: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Personality:
    """One firmware. ``version``: EZSP version, 0 for Z-Stack; ``stack``: its release, four numbers."""

    name: str
    family: str
    version: int
    stack: str
    source: str
    settings: Mapping[int, Setting] = field(repr=False)
    policies: Mapping[int, PolicyDefault] = field(repr=False)
    items: Mapping[int, Item] = field(repr=False)
    limits: Mapping[str, int] = field(repr=False)
    traits: Mapping[str, int] = field(repr=False)

    @property
    def stack_version(self) -> int:
        """The release as EZSP shows it: one hexadecimal digit a number."""
        value = 0
        for part in self.stack.split("."):
            value = value << 4 | int(part) & 0xF
        return value

    def has(self, trait: str) -> bool:
        return bool(self.traits.get(trait, 0))


def names() -> tuple[str, ...]:
    """The firmwares that come with this bench."""
    found = (one.name.removesuffix(".toml") for one in files("hil.radio.personalities").iterdir() if one.name.endswith(".toml"))
    return tuple(sorted(one for one in found if one != "ezsp"))


@cache
def personality(name: str) -> Personality:
    """The firmware of that name, or of that file. Raises RadioError."""
    read = _layers(name, ())
    try:
        settings = [Setting(name=key, **values) for key, values in read.get("configuration", {}).items()]
        policies = [
            PolicyDefault(name=key, **{**values, "known": tuple(values.get("known", ()))})
            for key, values in read.get("policies", {}).items()
        ]
        items = [Item(name=key, **values) for key, values in read.get("items", {}).items()]
        made = Personality(
            read["name"],
            read["family"],
            read["version"],
            read["stack"],
            read["source"],
            {one.id: one for one in settings},
            {one.id: one for one in policies},
            {one.id: one for one in items},
            {key: values["value"] for key, values in read.get("limits", {}).items()},
            {key: values["value"] for key, values in read.get("traits", {}).items()},
        )
        made.stack_version  # noqa: B018  a release that is not four numbers is told here
    except (KeyError, TypeError, ValueError) as problem:
        raise RadioError(f"the personality {name}: {type(problem).__name__} {problem}; see hil/radio/personalities/ezsp-13.toml") from None
    return made


def with_key_establishment(firmware: Personality) -> Personality:
    """``firmware`` built with the library for key establishment."""
    return replace(firmware, traits={**firmware.traits, "cbke": 1})


def of_version(version: int) -> Personality:
    """The family of that EZSP version."""
    return personality(f"ezsp-{version}")


def _layers(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    text = _text(name)
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise RadioError(f"the personality {name} is no TOML: {problem}") from None
    below = own.pop("extends", None)
    if below is None:
        return own
    if below in seen:
        raise RadioError(f"the personality {name} extends {below}, which extends it")
    merged = _layers(below, (*seen, name))
    for key, value in own.items():
        if key not in _SECTIONS:
            merged[key] = value
            continue
        section = merged.setdefault(key, {})
        for entry, values in value.items():
            section[entry] = {**section.get(entry, {}), **values}
    return merged


def _text(name: str) -> str:
    if name.endswith(".toml"):
        try:
            return Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise RadioError(f"the personality {name} cannot be read: {in_words(problem)}") from None
    file = files("hil.radio.personalities").joinpath(f"{name}.toml")
    if "/" in name or not file.is_file():
        raise RadioError(f"no personality {name!r}: expected a .toml file, or {one_of(name, names())}")
    return file.read_text("utf-8")
