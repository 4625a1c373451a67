"""Parts of a parsed response, by place, that the content of an MMC document is made from."""

from __future__ import annotations

from dataclasses import dataclass

from ...message.asn1 import Asn1Response, Asn1Value
from ...message.dlms import NUMBER_KINDS, AccessResponse, Value
from ...message.gbz import Component
from ...message.zcl import ZclCommand, read_zcl
from ..reading import Parsed


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed response. ``items`` are the DLMS data by index (None where the access failed), ``opened`` the decrypted attributes,
    ``commands`` the ZCL commands, ``attributes`` ZCL attribute values by (cluster, id)."""

    parsed: Parsed
    items: tuple[Value | None, ...]
    opened: tuple[Value, ...]
    commands: tuple[ZclCommand, ...]
    attributes: dict[tuple[int, int], int | bytes]

    @property
    def value(self) -> Asn1Value:
        """The value of an ASN.1 response."""
        return self.parsed.payload.value if isinstance(self.parsed.payload, Asn1Response) else None

    def item(self, index: int) -> Value | None:
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

    def all(self, cluster: int, command: int) -> list[ZclCommand]:
        """Every command of a kind."""
        return [zcl for zcl in self.commands if zcl.cluster == cluster and zcl.command == command]

    def first(self, cluster: int, command: int) -> ZclCommand | None:
        return next(iter(self.all(cluster, command)), None)


def answer_of(parsed: Parsed) -> Answer:
    """Arrange the parts of a response."""
    payload = parsed.payload
    items: tuple[Value | None, ...] = ()
    commands: list[ZclCommand] = []
    if isinstance(payload, AccessResponse):
        items = tuple(answer.data if answer.result == 0 else None for answer in payload.answers)
    for component in payload if isinstance(payload, tuple) else ():
        command = _readable(component)
        if command is not None:
            commands.append(command)
    commands += [part.values for part in parsed.opened if isinstance(part.values, ZclCommand)]
    opened = tuple(value for part in parsed.opened if isinstance(part.values, Value) for value in part.values.values)
    return Answer(parsed, items, opened, tuple(commands), _attributes(commands))


def _readable(component: Component) -> ZclCommand | None:
    return None if component.encrypted else read_zcl(component, component.payload, component.offset)


def _attributes(commands: list[ZclCommand]) -> dict[tuple[int, int], int | bytes]:
    return {(zcl.cluster, identifier): value for zcl in commands for identifier, value in zcl.attributes().items()}


def number(data: Value | None) -> int | None:
    """A number of any type."""
    return data.content if data is not None and data.kind in NUMBER_KINDS and isinstance(data.content, int) else None


def octets(data: Value | None) -> bytes | None:
    return data.content if data is not None and isinstance(data.content, bytes) else None


def boolean(data: Value | None) -> bool | None:
    return bool(data.content) if data is not None and data.kind == "boolean" else None


def text(data: Value | None) -> str | None:
    """Text of a visible, UTF-8 or ASCII octet string."""
    if data is not None and data.kind in ("visible-string", "utf8-string") and isinstance(data.content, str):
        return data.content
    found = octets(data)
    return found.decode("ascii", "replace") if found is not None else None


def bits(data: Value | None) -> str | None:
    return data.content.partition(".")[0] if data is not None and data.kind == "bit-string" and isinstance(data.content, str) else None


def elements(data: Value | None) -> tuple[Value, ...]:
    """Elements of an array, compact array or structure; nothing for anything else."""
    return () if data is None else data.values


def at(data: Value | None, *path: int) -> Value | None:
    """The value inside nested structures and arrays, None where there is none."""
    for index in path:
        inner = elements(data)
        if not 0 <= index < len(inner):
            return None
        data = inner[index]
    return data
