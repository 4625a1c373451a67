"""The fields of MT commands: octets to named values and back, from ``commands.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import AirReader
from hil.radio.port.dongle_server import Fields

Value = int | bytes | Eui64 | tuple[int, ...]
_UINT = {"u8": 1, "u16": 2, "u32": 4}
_EMPTY: dict[str, Value] = {"eui": Eui64(bytes(8)), "key": bytes(16), "addr": bytes(9), "W": (), "L": b"", "rest": b""}


@dataclass(frozen=True, slots=True)
class MtCommand:
    """One command or indication. ``kind``: S, A or I (see the table)."""

    name: str
    kind: str
    subsystem: int
    number: int
    fields: tuple[tuple[str, str], ...]
    response: tuple[tuple[str, str], ...]


@cache
def commands() -> Mapping[str, MtCommand]:
    """All of them, by name."""

    def pairs(text: str) -> tuple[tuple[str, str], ...]:
        return tuple((name, kind) for name, _, kind in (one.partition(":") for one in text.split()))

    table = tomllib.loads(files("hil.radio.znp").joinpath("commands.toml").read_text("utf-8"))
    return {name: MtCommand(name, row[0], row[1], row[2], pairs(row[3]), pairs(row[4])) for name, row in table.items()}


@cache
def requests() -> Mapping[tuple[int, int], MtCommand]:
    """Requests that a host may send, by subsystem and number."""
    return {(one.subsystem, one.number): one for one in commands().values() if one.kind != "I"}


def _read(read: AirReader, name: str, kind: str) -> Value:
    if kind in _UINT:
        return read.uint(_UINT[kind], name)
    if kind == "eui":
        return read.eui(name)
    if kind == "W":
        return tuple(read.uint(2, name) for _ in range(read.uint(1, f"count of {name}")))
    if kind == "rest":
        return read.rest()
    return read.take({"key": 16, "addr": 9}.get(kind) or read.uint(2 if kind == "LL" else 1, f"length of {name}"), name)


def decode(fields: tuple[tuple[str, str], ...], data: bytes) -> Fields:
    """Raises DecodeError."""
    read = AirReader(data)
    values = {name: _read(read, name, kind) for name, kind in fields}
    if read.offset != len(data):
        raise DecodeError(read.offset, "end of the command", f"{len(data) - read.offset} octets are left")
    return Fields(values)


def encode(fields: tuple[tuple[str, str], ...], values: Mapping[str, Value]) -> bytes:
    """Fields in wire order; one that ``values`` does not name is zero or empty."""
    out = b""
    for name, kind in fields:
        value = values.get(name, _EMPTY.get(kind, 0))
        if isinstance(value, Eui64):
            out += value.zigbee
        elif isinstance(value, bytes):
            out += bytes([len(value)]) + value if kind == "L" else value
        elif isinstance(value, tuple):
            out += bytes([len(value)]) + b"".join(one.to_bytes(2, "little") for one in value)
        else:
            out += value.to_bytes(_UINT[kind], "little")
    return out
