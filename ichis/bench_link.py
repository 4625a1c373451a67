"""The bench link: this project's own protocol on the serial pair, for console access and measurements. It is not ICHIS.

No stored source gives the messages of pins 7 and 8 (reference ichis 4), so a hub whose firmware offers this one can be asked for
its identity, its own measurements and a console line; any other hub simply does not answer. Frame::

    C5 3A | version 01 | kind | sequence | length (2, big-endian) | payload | CRC-16/CCITT-FALSE of version..payload (2)

The reader is sans-IO and counts what it could not read.
"""

from __future__ import annotations

import asyncio
import binascii
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import construct

from firmware_emu.errors import CommsHubError, DecodeError, JigError
from ichis.condition import Condition
from ichis.jig import DataLink

LABEL = "bench link 1 (not ICHIS)"
MARK = b"\xc5\x3a"
_VERSION = 1
LONGEST = 1024


class FrameKind(IntEnum):
    """Question of a frame; the answer has the same kind with bit 7 set."""

    PING = 0x01
    IDENTIFY = 0x02
    MEASURE = 0x03
    COUNTERS = 0x04
    SPACE = 0x05
    CONSOLE = 0x06


_ANSWER = 0x80
_HEAD = construct.Struct(
    "version" / construct.Const(_VERSION, construct.Int8ub),
    "kind" / construct.Int8ub,
    "sequence" / construct.Int8ub,
    "length" / construct.Int16ub,
)
_FRAME = construct.Struct(
    "mark" / construct.Const(MARK),
    "checked" / construct.RawCopy(construct.Struct(*_HEAD.subcons, "payload" / construct.Bytes(construct.this.length))),
    "crc" / construct.Checksum(construct.Int16ub, lambda octets: binascii.crc_hqx(octets, 0xFFFF), construct.this.checked.data),
)
_ANSWER_S = 2.0
"""Real seconds for an answer: a rig that is busy with other work must not lose frames that were not lost."""
_RIG_LATE = 5.0
"""A wait that takes so many times what was asked tells of a rig whose processor was busy, maybe that of the far end too."""
_MILLIVOLTS = struct.Struct(">I")
_COUNTERS = struct.Struct(">II")
_OVERHEAD = 2 + 5 + 2


@dataclass(frozen=True, slots=True)
class JigFrame:
    """One frame. ``kind`` with bit 7 set is an answer."""

    kind: int
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The octets on the pair. Raises DecodeError where the payload is longer than a frame holds."""
        if len(self.payload) > LONGEST:
            raise DecodeError(5, "length", f"{len(self.payload)} octets of payload: expected at most {LONGEST}")
        fields = {"kind": self.kind, "sequence": self.sequence, "length": len(self.payload), "payload": self.payload}
        return bytes(_FRAME.build({"checked": {"value": fields}}))

    @classmethod
    def decode(cls, octets: bytes) -> JigFrame:
        """Exactly one frame. Raises DecodeError(offset, field)."""
        try:
            read = _FRAME.parse(octets)
        except construct.ChecksumError as wrong:
            raise DecodeError(len(octets) - 2, "crc", str(wrong).splitlines()[-1]) from wrong
        except construct.ConstructError as wrong:
            raise DecodeError(0, "frame", str(wrong).splitlines()[0]) from wrong
        if len(octets) != _OVERHEAD + read.checked.value.length:
            raise DecodeError(len(octets), "frame", "octets after the checksum")
        value = read.checked.value
        return cls(value.kind, value.sequence, bytes(value.payload))


class NoAnswer(JigError):
    """The pair works and the far end said nothing that could be read in time."""


class RigLate(JigError):
    """No answer was read, and the rig itself was too late to say that there was none."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts of a reader: frames read, frames with a wrong checksum."""

    frames: int
    damaged: int


class JigFrameReader:
    """Octets in, frames out; finds its feet again after anything that is not a frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.frames = 0
        self.damaged = 0

    @property
    def wanted(self) -> int:
        """Least number of further octets that the frame that has begun needs."""
        if len(self._buffer) < 7:
            return _OVERHEAD - len(self._buffer)
        return max(1, _OVERHEAD + int.from_bytes(self._buffer[5:7], "big") - len(self._buffer))

    @property
    def counters(self) -> Counters:
        return Counters(self.frames, self.damaged)

    def feed(self, octets: bytes) -> list[JigFrame]:
        """Take octets; the frames that are complete now."""
        self._buffer += octets
        found: list[JigFrame] = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> JigFrame | None:
        while True:
            start = self._buffer.find(MARK)
            del self._buffer[: start if start >= 0 else max(0, len(self._buffer) - 1)]
            if len(self._buffer) < 7:
                return None
            length = int.from_bytes(self._buffer[5:7], "big")
            if length <= LONGEST and len(self._buffer) < _OVERHEAD + length:
                return None
            try:
                frame = JigFrame.decode(bytes(self._buffer[: _OVERHEAD + length]))
            except DecodeError:
                self.damaged += 1
                del self._buffer[: len(MARK)]
                continue
            self.frames += 1
            del self._buffer[: _OVERHEAD + length]
            return frame


class BenchLink:
    """The rig's end: asks and waits for the answer. ``real_time``: seconds of the clock on the wall."""

    def __init__(self, data: DataLink, real_time: Callable[[], float] = time.monotonic) -> None:
        self._data, self._real_time = data, real_time
        self._sequence = 0
        self.reader = JigFrameReader()

    async def ask(self, kind: FrameKind, payload: bytes = b"", timeout_s: float = _ANSWER_S) -> bytes:
        """The payload of the answer; ``timeout_s`` in real seconds.

        Raises NoAnswer without one, RigLate where the rig cannot tell, JigError when the pair is gone.
        """
        self._sequence = (self._sequence + 1) & 0xFF
        await self._data.write(JigFrame(kind, self._sequence, payload).encode())
        while True:
            began = self._real_time()
            octets = await self._data.read(self.reader.wanted, timeout_s)
            if not octets:
                if (took := self._real_time() - began) > _RIG_LATE * timeout_s:
                    raise RigLate(
                        f"{LABEL}: the rig took {took:.3g} s for a wait of {timeout_s:g} s: nobody knows if an answer came. "
                        "Its machine is busy with other work: end that, and run this check again"
                    )
                raise NoAnswer(
                    f"{LABEL}: no answer to {kind.name} {self._sequence} within {timeout_s:g} s: "
                    "is it in the hub's firmware, and are line settings and polarity right?"
                )
            for frame in self.reader.feed(octets):
                if frame.kind == kind | _ANSWER and frame.sequence == self._sequence:
                    return frame.payload

    async def supply_volts(self) -> float:
        """The hub's own reading of its supply."""
        millivolts: int = _MILLIVOLTS.unpack(await self.ask(FrameKind.MEASURE))[0]
        return millivolts / 1000

    async def counters(self) -> Counters:
        """Counts of the hub's reader."""
        return Counters(*_COUNTERS.unpack(await self.ask(FrameKind.COUNTERS)))


class BenchLinkServer:
    """The hub's end. Serves while :meth:`run` runs; ``console`` answers a console line."""

    def __init__(
        self,
        data: DataLink,
        identity: str,
        volts: Callable[[], float],
        space: Callable[[bool], None],
        console: Callable[[str], str],
        condition: Condition | None = None,
    ) -> None:
        self._data, self._identity, self._volts, self._space, self._console = data, identity, volts, space, console
        self._condition = condition or Condition()
        self.reader = JigFrameReader()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            for frame in self.reader.feed(await self._data.read(2048, 3600.0)):
                sequence = 0 if self._condition.hub_repeats_sequence and frame.sequence > 8 else frame.sequence
                try:
                    answer = JigFrame(frame.kind | _ANSWER, sequence, await self._answer(frame))
                except CommsHubError:
                    continue  # a request that cannot be carried out gets no answer; its sender says so
                await self._data.write(answer.encode())

    async def _answer(self, frame: JigFrame) -> bytes:
        match frame.kind:
            case FrameKind.PING:
                return frame.payload
            case FrameKind.IDENTIFY:
                return f"{LABEL}; {self._identity}".encode()
            case FrameKind.MEASURE:
                return _MILLIVOLTS.pack(round(self._volts() * 1000))
            case FrameKind.COUNTERS:
                counters = self.reader.counters
                return _COUNTERS.pack(counters.frames, counters.damaged if self._condition.hub_counts_errors else 0)
            case FrameKind.SPACE:
                seconds = int.from_bytes(frame.payload, "big") / 1000
                self._space(True)
                asyncio.get_running_loop().call_later(seconds, self._space, False)
                return b""
            case FrameKind.CONSOLE:
                return self._console(frame.payload.decode("utf-8", "replace")).encode()
            case _:
                raise DecodeError(3, "kind", f"{frame.kind:02X} is none that this end knows")
