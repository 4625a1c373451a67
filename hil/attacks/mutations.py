"""Ways to spoil octets, from where their fields begin and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.explain import explain


def field_offsets(message: bytes) -> list[int]:
    """Offsets of the fields of a GBCS message, from its declarations; every eighth octet where it cannot be read."""
    try:
        tree = explain(message)
    except DecodeError:
        return list(range(0, len(message), 8))
    return sorted({node.offset for top in tree.nodes for _, node in top.walk() if node.octets})


def truncated(message: bytes, offsets: Iterable[int]) -> Iterator[bytes]:
    """The message cut at each of ``offsets``."""
    return (message[:offset] for offset in offsets if offset < len(message))


def flipped(message: bytes, offsets: Iterable[int], bit: int = 0) -> Iterator[bytes]:
    """The message with one bit flipped at each of ``offsets``."""
    for offset in offsets:
        if offset < len(message):
            yield message[:offset] + bytes([message[offset] ^ 1 << bit]) + message[offset + 1 :]


def spread(message: bytes, count: int) -> list[int]:
    """``count`` offsets over the message, the first and the last octet among them."""
    last = len(message) - 1
    return sorted({round(last * step / max(1, count - 1)) for step in range(count)}) if message else []
