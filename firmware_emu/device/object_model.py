"""A COSEM object model as data: objects, attributes with a type and access rights, methods as functions.

The model file is CSV with columns class, obis, attribute, access (r, w or rw), type, value. ``type`` is written as in
``structure[2](integer,enum)`` or ``array[3](long-unsigned)``, alternatives apart by ``|``; an
attribute starts as the zero of its type unless ``value`` holds A-XDR in hex. What is written survives in the Device's store.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from firmware_emu.device.store import Store
from firmware_emu.errors import BoardError, DecodeError
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Integer,
    Long,
    LongUnsigned,
    Null,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
    decode_data,
    read_description,
)
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from firmware_emu.gbcs.reader import Reader

Key = tuple[int, bytes, int]
"""Class id, OBIS code (6 octets), attribute or method number."""

Method = Callable[[Data], "AccessResult | Data"]
"""A method: its parameter to a result code, or to return data (which means success)."""

Selection = Callable[[int, Data], "AccessResult | Data"]
"""Selective access to one attribute: selector and selection data to the value, or why not."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute as declared. ``also``: zeros of further types that it takes, where use cases differ."""

    readable: bool
    writable: bool
    initial: Data
    also: tuple[Data, ...] = ()

    def takes(self, value: Data) -> bool:
        """True if ``value`` is of a type the attribute may hold."""
        return any(same_type(declared, value) for declared in (self.initial, *self.also))


class ObjectModel:
    """The objects of one Device. Live attributes (registers, clock, logs) are functions put in ``readers``."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix + "object/"
        self.attributes: dict[Key, Attribute] = {}
        self.classes: dict[bytes, set[int]] = {}
        self.readers: dict[Key, Callable[[], Data]] = {}
        self.writers: dict[Key, Callable[[Data], AccessResult]] = {}
        self.methods: dict[Key, Method] = {}
        self.selections: dict[Key, Selection] = {}
        self.broken: dict[Key, AccessResult] = {}
        """Attributes and methods whose hardware is out of order, and what any use of them answers."""
        self.activations: dict[Key, Callable[[], None]] = {}

    def declare(self, key: Key, attribute: Attribute) -> None:
        """Add an attribute to the model."""
        self.attributes[key] = attribute
        self.classes.setdefault(key[1], set()).add(key[0])

    def load(self, text: str, name: str) -> None:
        """Declare every row of a model file. Raises BoardError naming the file and the line."""
        for key, attribute in _parsed(text, name):
            self.declare(key, attribute)

    def read(self, key: Key) -> Data:
        """The present value, whatever the access rights say. Raises KeyError for an attribute that is not declared."""
        reader = self.readers.get(key)
        if reader is not None:
            return reader()
        stored = self._store.get(self._name(key))
        return self.attributes[key].initial if stored is None else decode_data(stored)

    def write(self, key: Key, value: Data) -> None:
        """Store a value, whatever the access rights say."""
        self._store.put(self._name(key), value.encode())

    def known(self, class_id: int, obis: bytes) -> AccessResult:
        """SUCCESS if the object is in the model, else which error a request for it gets."""
        classes = self.classes.get(obis)
        if classes is None:
            return AccessResult.OBJECT_UNDEFINED
        return AccessResult.SUCCESS if class_id in classes else AccessResult.OBJECT_CLASS_INCONSISTENT

    def _name(self, key: Key) -> str:
        return f"{self._prefix}{key[0]}/{key[1].hex()}/{key[2]}"


@lru_cache(maxsize=8)
def _parsed(text: str, name: str) -> tuple[tuple[Key, Attribute], ...]:
    """The rows of a model file, read once for all Devices of a type."""
    found: list[tuple[Key, Attribute]] = []
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            key = (int(row["class"]), parse_obis(row["obis"]), int(row["attribute"]))
            zeros = [zero_of(text) for text in row["type"].split("|")]
            initial = decode_data(bytes.fromhex(row["value"])) if row["value"] else zeros[0]
        except (ValueError, DecodeError) as problem:
            raise BoardError(name, f"line {number}", str(problem)) from problem
        found.append((key, Attribute("r" in row["access"], "w" in row["access"], initial, tuple(zeros[1:]))))
    return tuple(found)


def same_type(declared: Data, value: Data) -> bool:
    """True if ``value`` has the type of ``declared``: equal tags all the way, array lengths and string lengths free.

    An array that is declared empty takes any elements.
    """
    if isinstance(declared, Array) and isinstance(value, Array):
        return not declared.elements or all(same_type(declared.elements[0], element) for element in value.elements)
    if isinstance(declared, Structure) and isinstance(value, Structure):
        return len(declared) == len(value) and all(map(same_type, declared.elements, value.elements))
    return declared.tag == value.tag


_SCALARS: dict[str, Data] = {
    "null": Null(),
    "boolean": Boolean(False),
    "integer": Integer(0),
    "unsigned": Unsigned(0),
    "long": Long(0),
    "long-unsigned": LongUnsigned(0),
    "double-long": DoubleLong(0),
    "double-long-unsigned": DoubleLongUnsigned(0),
    "enum": Enum(0),
    "visible-string": VisibleString(""),
    "utf8-string": Utf8String(""),
    "octet-string": OctetString(b""),
    "bit-string": BitString(b"", 0),
}
_TOKEN = re.compile(r"\s*([a-z0-9-]+)(?:\[(\d+)\])?")
_SIZED = re.compile(r"(octet-string|visible-string|utf8-string|bit-string)\((\d+)\)")


def zero_of(text: str) -> Data:
    """The zero value of a type text. Raises ValueError naming what cannot be read."""
    compact = re.fullmatch(r"compact-array\(type description ([0-9a-f]+)\)", text)
    if compact:
        return CompactArray(read_description(Reader(bytes.fromhex(compact[1])), 0), ())
    value, rest = _parse(text)
    if rest.strip():
        raise ValueError(f"{text!r}: {rest!r} follows the type")
    return value


def _parse(text: str) -> tuple[Data, str]:
    sized = _SIZED.match(text.lstrip())
    if sized:
        rest = text.lstrip()[sized.end() :]
        length = int(sized[2])
        if sized[1] == "octet-string":
            return OctetString(bytes(length)), rest
        if sized[1] == "bit-string":
            return BitString(bytes((length + 7) // 8), length), rest
        return (VisibleString if sized[1] == "visible-string" else Utf8String)(" " * length), rest
    token = _TOKEN.match(text)
    if not token:
        raise ValueError(f"{text!r} does not begin with a type")
    name, rest = token[1], text[token.end() :]
    if name in ("structure", "array"):
        elements, rest = _parse_elements(rest)
        if name == "array":
            count = int(token[2] or 0)
            return Array(elements * count if len(elements) == 1 else elements[:count]), rest
        return Structure(elements), rest
    if name not in _SCALARS:
        raise ValueError(f"{name!r} is not a type")
    return _SCALARS[name], rest


def _parse_elements(text: str) -> tuple[tuple[Data, ...], str]:
    if not text.startswith("("):
        return (), text
    elements: list[Data] = []
    rest = text[1:]
    while True:
        element, rest = _parse(rest)
        elements.append(element)
        rest = rest.lstrip()
        if rest.startswith(")"):
            return tuple(elements), rest[1:]
        if not rest.startswith(","):
            raise ValueError(f"expected , or ) at {rest!r}")
        rest = rest[1:]
