"""EZSP frames and the schemas of each version: octets to named fields and back (reference ezsp-ncp 2 and 4)."""

from __future__ import annotations

import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import Reader
from hil.radio.port.fields import Fields
from hil.radio.stack.status import EzspStatus, Status

VERSIONS = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19)
FIRST_SL_STATUS = 14
REPLY, CALLBACK = 0x80, 0x90
_FIXED = {
    "aps": 11,
    "net": 20,
    "ctx12": 17,
    "ctx": 18,
    "meta": 12,
    "key": 16,
    "bind": 14,
    "near": 14,
    "way": 8,
    "tok": 8,
    "cert": 48,
    "cert2": 74,
}
_UINT = {"u8": 1, "u16": 2, "u32": 4}

Value = int | bytes | Eui64 | Status | EzspStatus


@dataclass(frozen=True, slots=True)
class Schema:
    """One command of one version; fields as (name, type)."""

    name: str
    frame_id: int
    request: tuple[tuple[str, str], ...]
    response: tuple[tuple[str, str], ...]


def _fields(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (one.split(":") for one in text.split())
    return tuple((name, kind) for name, kind in pairs)


@cache
def schemas(version: int) -> Mapping[str, Schema]:
    """The commands and callbacks of ``version``, by name."""
    table: dict[str, Schema] = {}
    layers = tomllib.loads(files("hil.radio.ncp").joinpath("commands.toml").read_text("utf-8"))
    for level, layer in sorted(layers.items(), key=lambda item: int(item[0])):
        if int(level) > version:
            break
        for name, entry in layer.items():
            if entry == "-":
                table.pop(name, None)
            else:
                table[name] = Schema(name, entry[0], _fields(entry[1]), _fields(entry[2]))
    return table


@cache
def schemas_by_id(version: int) -> Mapping[int, Schema]:
    return {schema.frame_id: schema for schema in schemas(version).values()}


def _read(read: Reader, name: str, kind: str) -> Value:
    if kind in _UINT:
        return read.uint(_UINT[kind], name)
    if kind == "bool":
        return read.uint(1, name)
    if kind == "s8":
        return struct.unpack("b", read.take(1, name))[0]  # type: ignore[no-any-return]
    if kind == "eui":
        return read.eui(name)
    if kind == "L":
        return read.take(read.uint(1, f"length of {name}"), name)
    if kind == "D":
        return read.take(read.uint(4, f"length of {name}"), name)
    if kind == "W":
        return read.take(2 * read.uint(1, f"count of {name}"), name)
    if kind == "raw":
        return read.rest()
    return read.take(_FIXED[kind], name)


def decode_request(schema: Schema, parameters: bytes) -> Fields:
    """Raises DecodeError. Octets after the last field are left alone, as firmware does."""
    read = Reader(parameters)
    return Fields({name: _read(read, name, kind) for name, kind in schema.request})


def field_spans(fields: tuple[tuple[str, str], ...], parameters: bytes, version: int) -> list[tuple[str, int, int]]:
    """Type, first and last + 1 octet of each field. Octets that no field takes, or that end in the middle of one, are of type ``?``."""
    read, spans = Reader(parameters), list[tuple[str, int, int]]()
    status = 4 if version >= FIRST_SL_STATUS else 1
    try:
        for name, kind in fields:
            before = read.offset
            if kind in ("st", "es", "sl"):
                read.take(4 if kind == "sl" else status, name)
            elif kind not in _OPTIONAL or before < len(parameters):
                _read(read, name, _OPTIONAL.get(kind, kind))
            spans.append((kind, before, read.offset))
    except DecodeError:
        pass
    last = spans[-1][2] if spans else 0
    return [*spans, ("?", last, len(parameters))] if last < len(parameters) else spans


def _write(value: Value, kind: str, version: int) -> bytes:
    if isinstance(value, Status | EzspStatus):
        wide = kind == "sl" or version >= FIRST_SL_STATUS
        return value.sl.to_bytes(4, "little") if wide else bytes([value.ember])
    if isinstance(value, Eui64):
        return value.zigbee
    if isinstance(value, bytes):
        return len(value).to_bytes(_PREFIX[kind], "little") + value if kind in _PREFIX else value
    if kind == "s8":
        return struct.pack("b", max(-128, min(127, value)))
    return int(value).to_bytes(_UINT.get(kind, 1), "little")


_EMPTY: dict[str, Value] = {"L": b"", "raw": b"", "eui": Eui64(bytes(8))}
_OPTIONAL = {"L?": "L", "D?": "D"}
"""Not in a reply that has failed."""
_PREFIX = {"L": 1, "L?": 1, "D": 4, "D?": 4}
"""Octets of a length in front."""


def encode_response(schema: Schema, values: Mapping[str, Value], version: int) -> bytes:
    """Fields in wire order; one that ``values`` does not name is zero, as firmware answers beside a failure."""
    out = b""
    for name, kind in schema.response:
        value = values.get(name)
        if value is None:
            if kind in _OPTIONAL:
                continue
            value = _EMPTY.get(kind, bytes(_FIXED[kind]) if kind in _FIXED else 0)
        out += _write(value, kind, version)
    return out


@dataclass(frozen=True, slots=True)
class Request:
    """One EZSP frame from the host."""

    sequence: int
    frame_id: int
    parameters: bytes
    legacy: bool
    control: int = 0
    """Low octet of the frame control."""

    @property
    def length(self) -> int:
        """Octets of the frame, as if in the form of version 8 and later."""
        return 5 + len(self.parameters)


def decode_frame(data: bytes, version: int) -> Request:
    """Raises DecodeError. ``version`` always may come in the legacy form (reference ezsp-ncp 2)."""
    if len(data) < 3:
        raise DecodeError(0, "EZSP frame", f"{len(data)} octets, expected 3 or more")
    if len(data) == 4 and data[2] == 0 and data[1] == 0:
        return Request(data[0], 0, data[3:], True, data[1])
    if version < 8:
        if version > 4 and data[2] == 0xFF and len(data) >= 5:
            return Request(data[0], data[4], data[5:], False, data[1])
        return Request(data[0], data[2], data[3:], True, data[1])
    if len(data) < 5:
        raise DecodeError(len(data), "EZSP frame id", f"{len(data)} octets, expected 5 or more")
    return Request(data[0], int.from_bytes(data[3:5], "little"), data[5:], False, data[1])


def encode_frame(sequence: int, frame_id: int, parameters: bytes, version: int, *, control: int = REPLY, legacy: bool = False) -> bytes:
    """One EZSP frame to the host."""
    if legacy or version < 5:
        return bytes([sequence, control, frame_id]) + parameters
    if version < 8:
        return bytes([sequence, control, 0xFF, 0x00, frame_id]) + parameters
    return bytes([sequence, control, 0x01]) + frame_id.to_bytes(2, "little") + parameters


@dataclass(frozen=True, slots=True)
class ApsHead:
    """EmberApsFrame, 11 octets."""

    profile: int
    cluster: int
    source_endpoint: int
    destination_endpoint: int
    options: int
    group: int
    sequence: int

    def encode(self) -> bytes:
        return struct.pack(
            "<HHBBHHB", self.profile, self.cluster, self.source_endpoint, self.destination_endpoint, self.options, self.group, self.sequence
        )

    @classmethod
    def decode(cls, octets: bytes) -> ApsHead:
        return cls(*struct.unpack("<HHBBHHB", octets))


@dataclass(frozen=True, slots=True)
class NetworkParameters:
    """EmberNetworkParameters, 20 octets."""

    extended_pan: Eui64
    pan: int
    power: int
    channel: int
    method: int
    manager: int
    update_id: int
    channels: int

    def encode(self) -> bytes:
        return self.extended_pan.zigbee + struct.pack(
            "<HBBBHBI", self.pan, self.power, self.channel, self.method, self.manager, self.update_id, self.channels
        )

    @classmethod
    def decode(cls, octets: bytes) -> NetworkParameters:
        return cls(Eui64.from_zigbee(octets[:8]), *struct.unpack("<HBBBHBI", octets[8:]))
