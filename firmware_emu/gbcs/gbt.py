"""Plain DLMS general block transfer (reference gbcs-messages 8A, general knowledge: no GBCS source shows it or its thresholds).

A block is ``E0 | control | block number(2) | acknowledged number(2) | length | data``; control bit 7 marks the last block, bit 6 streaming,
bits 0 to 5 the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs.envelope import Reader, length_octets

TAG = 0xE0
_LAST = 0x80
_STREAMING = 0x40
_WINDOW = 0x3F
MAX_BLOCKS = 0xFFFF
_BLOCK_HEAD = 9
"""Octets of a block before its data, with the longest form of its length."""


@dataclass(frozen=True, slots=True)
class TransferBlock:
    """One block. Numbers start at 1; ``acknowledged`` is the highest number received in the other direction."""

    number: int
    data: bytes
    last: bool
    acknowledged: int = 0
    streaming: bool = False
    window: int = 1

    def encode(self) -> bytes:
        """Raises IdentifierError for a window or a number out of range."""
        if not 0 <= self.window <= _WINDOW or not 0 <= self.number <= MAX_BLOCKS or not 0 <= self.acknowledged <= MAX_BLOCKS:
            raise IdentifierError("a transfer block", self.number, f"window 0 to {_WINDOW}, numbers 0 to {MAX_BLOCKS}")
        control = (_LAST if self.last else 0) | (_STREAMING if self.streaming else 0) | self.window
        numbers = self.number.to_bytes(2, "big") + self.acknowledged.to_bytes(2, "big")
        return bytes((TAG, control)) + numbers + length_octets(len(self.data)) + self.data

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        reader.expect(bytes((TAG,)), "general-block-transfer tag")
        control = reader.u8("block control")
        number, acknowledged = reader.uint(2, "block number"), reader.uint(2, "acknowledged block number")
        data = reader.take(reader.length("block length"), "block data")
        reader.finish("transfer block")
        return cls(number, data, bool(control & _LAST), acknowledged, bool(control & _STREAMING), control & _WINDOW)


def segment(message: bytes, size: int, window: int = 1) -> tuple[TransferBlock, ...]:
    """A message in blocks of at most ``size`` octets of data. Raises IdentifierError for a size that cannot carry it."""
    if size < 1 or len(message) > size * MAX_BLOCKS or size > 0xFFFF:
        raise IdentifierError("a block size", size, "1 to 65535 octets, and at most 65,535 blocks")
    parts = [message[start : start + size] for start in range(0, len(message), size)] or [b""]
    return tuple(TransferBlock(number, part, number == len(parts), window=window) for number, part in enumerate(parts, 1))


class BlockReassembly:
    """Collects the blocks of one message. Blocks come in order; one that repeats the number just taken is ignored.

    ``max_octets`` bounds what is kept.
    """

    def __init__(self, max_octets: int = 1 << 20) -> None:
        self.max_octets = max_octets
        self._parts: list[bytes] = []
        self._octets = 0
        self._done = False

    @property
    def received(self) -> int:
        """Number of the last block taken: what to acknowledge."""
        return len(self._parts)

    def add(self, block: TransferBlock) -> bytes | None:
        """Take a block; the whole message once the last is here, else None. Raises DecodeError for a gap or too much data."""
        if block.number == self.received and self._parts and block.data == self._parts[-1]:
            return b"".join(self._parts) if self._done else None
        if self._done or block.number != self.received + 1:
            raise DecodeError(2, "block number", f"read {block.number}, expected {self.received + 1}")
        if self._octets + len(block.data) > self.max_octets:
            raise DecodeError(6, "block data", f"more than {self.max_octets} octets in one message")
        self._parts.append(block.data)
        self._octets += len(block.data)
        self._done = block.last
        return b"".join(self._parts) if block.last else None


def pieces(data: bytes, limit: int) -> tuple[bytes, ...]:
    """``data`` as the transfers of a tunnel that carry it, none longer than ``limit`` octets."""
    if limit <= _BLOCK_HEAD:
        return (data,)
    return tuple(block.encode() for block in segment(data, limit - _BLOCK_HEAD))


class ArrivingBlocks:
    """Puts the blocks that come through one tunnel together."""

    def __init__(self) -> None:
        self._message: BlockReassembly | None = None

    def take(self, octets: bytes) -> bytes | None:
        """A whole message, or None while blocks are missing. Raises DecodeError for a block that does not follow."""
        block = TransferBlock.decode(octets)
        if self._message is None or (block.number == 1 and self._message.received > 1):
            self._message = BlockReassembly()
        whole = self._message.add(block)
        if whole is not None:
            self._message = None
        return whole


def arriving() -> ArrivingBlocks:
    """Puts the blocks of one tunnel together."""
    return ArrivingBlocks()
