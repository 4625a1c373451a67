"""Keys in MT frames: what a recording must not hold."""

from __future__ import annotations

from hil.radio.znp.commands import commands
from hil.radio.znp.mt import MtFrame, MtKind, Parser
from hil.radio.znp.structures import NIB

_ZDO = 5
_LONGEST_HARMLESS = 15
"""A value of non-volatile memory that is longer may hold a key."""
_IN_NIB = next(at for at, part in enumerate(NIB.subcons) if part.name == "spare_keys")
_NIB_KEYS = slice(sum(part.sizeof() for part in NIB.subcons[:_IN_NIB]), sum(part.sizeof() for part in NIB.subcons[: _IN_NIB + 1]))
"""The one place of the NIB that may hold keys. The rest of it says which network there is, and nothing can be played without that. No other
item has its length."""


def _keys(fields: tuple[tuple[str, str], ...], data: bytes, *, memory: bool) -> bytes:
    """``data`` with each field that is a key, or a long value of non-volatile memory, as zeros."""
    blank, at = bytearray(data), 0
    sizes = {"u8": 1, "u16": 2, "u32": 4, "eui": 8, "key": 16, "addr": 9}
    for _, kind in fields:
        if at >= len(data):
            break
        if kind in ("L", "LL", "W"):
            head = 2 if kind == "LL" else 1
            size = int.from_bytes(data[at : at + head], "little") * (2 if kind == "W" else 1)
            if memory and size > _LONGEST_HARMLESS:
                first, last = (_NIB_KEYS.start, _NIB_KEYS.stop) if size == NIB.sizeof() else (0, size)
                blank[at + head + first : at + head + last] = bytes(len(blank[at + head + first : at + head + last]))
            at += head + size
        else:
            size = sizes.get(kind, len(data) - at)
            if kind == "key":
                blank[at : at + size] = bytes(len(blank[at : at + size]))
            at += size
    return bytes(blank)


def blank(octets: bytes) -> bytes:
    """A whole MT frame, its keys as zeros and its check made anew; one that no table has is left without its data."""
    frame = next(iter(Parser().feed(octets)), None)
    if frame is None:
        return b""
    command = next((one for one in commands().values() if (one.subsystem, one.number) == (frame.subsystem, frame.command)), None)
    if command is None and frame.kind is MtKind.AREQ and frame.subsystem == _ZDO:  # an answer of ZDO: no such one carries a key
        return octets
    if command is None:
        return MtFrame(frame.kind, frame.subsystem, frame.command, bytes(len(frame.data))).encode()
    answer = frame.kind is MtKind.SRSP
    memory = "NV_" in command.name
    data = _keys(command.response if answer else command.fields, frame.data, memory=memory)
    return MtFrame(frame.kind, frame.subsystem, frame.command, data).encode()
