"""Attribute servers: what answers reads, writes and discovery on one side of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from firmware_emu.zse.declare import Cluster
from firmware_emu.zse.zcl import (
    DataType,
    DiscoveredAttributes,
    GeneralCommand,
    ReadRecord,
    TypedValue,
    Value,
    WriteStatus,
    ZclFrame,
    ZclStatus,
    decode_attribute_ids,
    decode_discover,
    decode_records,
    encode_discover_response,
    encode_read_response,
    encode_write_response,
)


class AttributeServer(Protocol):
    """The attributes of one side of a cluster."""

    def ids(self) -> tuple[int, ...]:
        """Every attribute there is, rising."""
        ...

    def read(self, attribute: int) -> TypedValue | ZclStatus:
        """The value, or why not."""
        ...

    def write(self, attribute: int, type: DataType, value: Value) -> ZclStatus:
        """Write; SUCCESS or why not."""
        ...


class Attributes:
    """An attribute server over values: constants, or functions called at each read.

    ``values`` is keyed by attribute id or by the declared name; types come from the cluster's declaration. ``writable`` maps an
    attribute id to what takes the value written and says SUCCESS or why not.
    """

    def __init__(
        self,
        cluster: Cluster,
        values: Mapping[int | str, Value | Callable[[], Value]],
        *,
        server: bool = True,
        writable: Mapping[int, Callable[[Value], ZclStatus]] | None = None,
    ) -> None:
        """Raises KeyError for an attribute that the cluster does not declare."""
        self.values: dict[int, Value | Callable[[], Value]] = {}
        self._types: dict[int, DataType] = {}
        self._writable = dict(writable or {})
        for key, value in values.items():
            declared = cluster.attribute_named(key, server=server) if isinstance(key, str) else cluster.attribute(key, server=server)
            if declared is None:
                raise KeyError(f"{cluster.name} declares no attribute {key}")
            self.values[declared.id] = value
            self._types[declared.id] = declared.type

    def ids(self) -> tuple[int, ...]:
        return tuple(sorted(self.values))

    def read(self, attribute: int) -> TypedValue | ZclStatus:
        if attribute not in self.values:
            return ZclStatus.UNSUPPORTED_ATTRIBUTE
        value = self.values[attribute]
        return TypedValue(self._types[attribute], value() if callable(value) else value)

    def write(self, attribute: int, type: DataType, value: Value) -> ZclStatus:
        if attribute not in self.values:
            return ZclStatus.UNSUPPORTED_ATTRIBUTE
        if attribute not in self._writable:
            return ZclStatus.READ_ONLY
        if type != self._types[attribute]:
            return ZclStatus.INVALID_DATA_TYPE
        return self._writable[attribute](value)


class Refusing:
    """The attributes of a supported cluster that this partner may not have: each is refused by a status of its own."""

    def ids(self) -> tuple[int, ...]:
        return ()

    def read(self, attribute: int) -> TypedValue | ZclStatus:
        return ZclStatus.NOT_AUTHORIZED

    def write(self, attribute: int, type: DataType, value: Value) -> ZclStatus:
        return ZclStatus.NOT_AUTHORIZED


def answer_general(frame: ZclFrame, attributes: AttributeServer | None) -> ZclFrame | ZclStatus | None:
    """The answer to a general command; None where none is due. Raises DecodeError for a malformed one."""
    unsupported = ZclStatus.UNSUP_GENERAL_COMMAND if frame.manufacturer is None else ZclStatus.UNSUP_MANUFACTURER_GENERAL_COMMAND
    if attributes is None:
        return unsupported
    if frame.command == GeneralCommand.READ_ATTRIBUTES:
        records = [_read(attributes, attribute) for attribute in decode_attribute_ids(frame.payload)]
        return frame.answered_by(GeneralCommand.READ_ATTRIBUTES_RESPONSE, encode_read_response(records), general=True)
    if frame.command in (GeneralCommand.WRITE_ATTRIBUTES, GeneralCommand.WRITE_ATTRIBUTES_NO_RESPONSE):
        written = [
            WriteStatus(attributes.write(one.attribute, one.type, one.value), one.attribute) for one in decode_records(frame.payload)
        ]
        if frame.command == GeneralCommand.WRITE_ATTRIBUTES_NO_RESPONSE:
            return None
        failures = [one for one in written if one.status != ZclStatus.SUCCESS]
        return frame.answered_by(GeneralCommand.WRITE_ATTRIBUTES_RESPONSE, encode_write_response(failures), general=True)
    if frame.command == GeneralCommand.DISCOVER_ATTRIBUTES:
        found = encode_discover_response(_discover(frame, attributes))
        return frame.answered_by(GeneralCommand.DISCOVER_ATTRIBUTES_RESPONSE, found, general=True)
    return unsupported


def _discover(frame: ZclFrame, attributes: AttributeServer) -> DiscoveredAttributes:
    start, maximum = decode_discover(frame.payload)
    known = [(identifier, attributes.read(identifier)) for identifier in attributes.ids() if identifier >= start]
    found = tuple((identifier, one.type) for identifier, one in known if isinstance(one, TypedValue))
    return DiscoveredAttributes(len(found) <= maximum, found[:maximum])


def _read(attributes: AttributeServer, attribute: int) -> ReadRecord:
    found = attributes.read(attribute)
    if isinstance(found, ZclStatus):
        return ReadRecord(attribute, found)
    return ReadRecord(attribute, ZclStatus.SUCCESS, found.type, found.value)
