"""What the content of an MMC document is made from: the parts of a parsed response, by place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from firmware_emu.gbcs.axdr import Array, BitString, Boolean, CompactArray, Data, Number, OctetString, Structure, Utf8String, VisibleString
from firmware_emu.gbcs.dlms import AccessResponse, AccessResult
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.zcl_layouts import TypedValue, ZclCommand, ZclField, decode_zcl
from hil.parse_correlate.parse.reading import Parsed

_Kind = TypeVar("_Kind", bound=Data)


@dataclass(frozen=True, slots=True)
class Zcl:
    """One ZCL command of a GBZ response, decrypted where it was encrypted and a key fits."""

    cluster: int
    command: ZclCommand

    def number(self, name: str) -> int | None:
        """A numeric field."""
        found = self._field(name)
        return found.value if found is not None and isinstance(found.value, int) else None

    def octets(self, name: str) -> bytes | None:
        """A string field."""
        found = self._field(name)
        return found.value if found is not None and isinstance(found.value, bytes) else None

    def rows(self, name: str) -> list[dict[str, int | bytes]]:
        """A repeated group, each row by field name."""
        found = self._field(name)
        if found is None or not isinstance(found.value, tuple):
            return []
        return [{item.name: item.value for item in row if isinstance(item.value, int | bytes)} for row in found.value]

    def _field(self, name: str) -> ZclField | None:
        return next((field for field in self.command.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed response. ``items`` are the DLMS data by index (None where the access failed), ``opened`` the decrypted attributes,
    ``commands`` the ZCL commands, ``attributes`` ZCL attribute values by (cluster, id)."""

    parsed: Parsed
    items: tuple[Data | None, ...]
    opened: tuple[Data, ...]
    commands: tuple[Zcl, ...]
    attributes: dict[tuple[int, int], int | bytes]

    @property
    def value(self) -> object:
        """The value of an ASN.1 response."""
        return getattr(self.parsed.payload, "value", None)

    def item(self, index: int) -> Data | None:
        """A data item that was read."""
        return self.items[index] if index < len(self.items) else None

    def number(self, index: int) -> int | None:
        return number(self.item(index))

    def octets(self, index: int) -> bytes | None:
        return octets(self.item(index))

    def attribute(self, cluster: int, identifier: int) -> int | None:
        """A numeric ZCL attribute."""
        value = self.attributes.get((cluster, identifier))
        return value if isinstance(value, int) else None

    def string(self, cluster: int, identifier: int) -> bytes | None:
        """A ZCL string attribute."""
        value = self.attributes.get((cluster, identifier))
        return value if isinstance(value, bytes) else None

    def all(self, cluster: int, command: int) -> list[Zcl]:
        """Every command of a kind."""
        return [zcl for zcl in self.commands if zcl.cluster == cluster and zcl.command.layout.command == command]

    def first(self, cluster: int, command: int) -> Zcl | None:
        return next(iter(self.all(cluster, command)), None)


def answer_of(parsed: Parsed) -> Answer:
    """Arrange the parts of a response."""
    payload = parsed.payload
    items: tuple[Data | None, ...] = ()
    commands: list[Zcl] = []
    if isinstance(payload, AccessResponse):
        pairs = zip(payload.data, payload.results, strict=True)
        items = tuple(data if result.code is AccessResult.SUCCESS else None for data, result in pairs)
    if isinstance(payload, Gbz):
        plain = [zcl for part in parsed.opened if isinstance(part.values, ZclCommand) for zcl in (Zcl(part.cluster, part.values),)]
        for component in payload.components:
            if not component.encrypted:
                command = decode_zcl(component, component.payload)
                if command is not None:
                    commands.append(Zcl(component.cluster, command))
        commands += plain
    opened = tuple(element for part in parsed.opened if isinstance(part.values, Structure) for element in part.values.elements)
    return Answer(parsed, items, opened, tuple(commands), _attributes(commands))


def _attributes(commands: list[Zcl]) -> dict[tuple[int, int], int | bytes]:
    found: dict[tuple[int, int], int | bytes] = {}
    for zcl in commands:
        for field in zcl.command.fields:
            if field.name != "attributes" or not isinstance(field.value, tuple):
                continue
            for row in field.value:
                values = {item.name: item.value for item in row}
                identifier, value = values.get("attribute"), values.get("value")
                if isinstance(identifier, int) and isinstance(value, TypedValue):
                    found[zcl.cluster, identifier] = value.value
    return found


def number(data: Data | None) -> int | None:
    """A number of any type."""
    return data.value if isinstance(data, Number) else None


def octets(data: Data | None) -> bytes | None:
    return data.octets if isinstance(data, OctetString) else None


def boolean(data: Data | None) -> bool | None:
    return data.value if isinstance(data, Boolean) else None


def text(data: Data | None) -> str | None:
    """Text of a visible, UTF-8 or ASCII octet string."""
    if isinstance(data, VisibleString | Utf8String):
        return data.text
    found = octets(data)
    return found.decode("ascii", "replace") if found is not None else None


def bits(data: Data | None) -> str | None:
    return data.bits if isinstance(data, BitString) else None


def elements(data: Data | None) -> tuple[Data, ...]:
    """Elements of an array, compact array or structure; nothing for anything else."""
    return data.elements if isinstance(data, Array | Structure | CompactArray) else ()


def at(data: Data | None, *path: int) -> Data | None:
    """The value inside nested structures and arrays, None where there is none."""
    for index in path:
        inner = elements(data)
        if not 0 <= index < len(inner):
            return None
        data = inner[index]
    return data
