"""ASH, the link of a UART dongle: the co-processor's end, without any I/O (reference ezsp-ncp 1).

:class:`Ash` takes octets and times and gives events; :data:`TRANSITIONS` says what each frame does in each state.
"""

from __future__ import annotations

import binascii
from collections import deque
from dataclasses import dataclass
from enum import Enum, IntEnum

FLAG, ESCAPE, XON, XOFF, SUBSTITUTE, CANCEL = 0x7E, 0x7D, 0x11, 0x13, 0x18, 0x1A
_RESERVED = frozenset({FLAG, ESCAPE, XON, XOFF, SUBSTITUTE, CANCEL})
VERSION = 2
WINDOW = 5
ACK_INIT_S, ACK_MIN_S, ACK_MAX_S = 1.6, 0.4, 3.2
ACK_TIMEOUTS = 4
"""Unanswered sendings in a row before ERROR (the host's library allows five, reference ezsp-ncp 1)."""
MAX_FRAME = 1024
MAX_DATA = 256
MOST_QUEUED = 256
"""Frames that wait for a host that is not ready, or that acknowledges slowly (own limit: a co-processor has some hundred buffers)."""


class Code(IntEnum):
    """Reset and error codes."""

    POWER_ON = 0x02
    WATCHDOG = 0x03
    ASSERT = 0x06
    SOFTWARE = 0x0B
    ACK_TIMEOUTS = 0x51


class AshState(Enum):
    WAITING = "waiting for RST"
    CONNECTED = "connected"
    FAILED = "failed: ERROR is the answer until RST"


class AshFrameKind(Enum):
    DATA = "DATA"
    ACK = "ACK"
    NAK = "NAK"
    RST = "RST"
    OTHER = "a frame that only the co-processor sends"
    BAD = "damaged"


TRANSITIONS: dict[AshState, dict[AshFrameKind, str]] = {
    AshState.WAITING: {AshFrameKind.RST: "_reset"},
    AshState.CONNECTED: {
        AshFrameKind.DATA: "_data",
        AshFrameKind.ACK: "_ack",
        AshFrameKind.NAK: "_nak",
        AshFrameKind.RST: "_reset",
        AshFrameKind.BAD: "_reject",
    },
    AshState.FAILED: {AshFrameKind.RST: "_reset", AshFrameKind.DATA: "_complain"},
}
"""State -> frame -> method; a pair that is not here is ignored."""


@dataclass(frozen=True, slots=True)
class Write:
    """Octets for the wire."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """The payload of an in-sequence DATA frame."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """The host asked for a reset: what runs above starts afresh."""


Event = Write | Deliver | Reset


def _sequence(length: int) -> bytes:
    out, value = bytearray(), 0x42
    for _ in range(length):
        out.append(value)
        value = value >> 1 ^ (0xB8 if value & 1 else 0)
    return bytes(out)


_PSEUDO_RANDOM = _sequence(MAX_DATA)


def randomise(payload: bytes) -> bytes:
    """XOR with the pseudo-random sequence, its own inverse."""
    return bytes(a ^ b for a, b in zip(payload, _PSEUDO_RANDOM, strict=False))


def frame(control: int, data: bytes = b"") -> bytes:
    """Control and data with CRC, stuffed, closed by a flag."""
    body = bytes([control]) + data
    body += binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")
    out = bytearray()
    for octet in body:
        if octet in _RESERVED:
            out += bytes((ESCAPE, octet ^ 0x20))
        else:
            out.append(octet)
    out.append(FLAG)
    return bytes(out)


def unstuff(body: bytes) -> bytes | None:
    """Control and data of what stood before a flag; None where escape or CRC is wrong."""
    out, escaped = bytearray(), False
    for octet in body:
        if escaped:
            out.append(octet ^ 0x20)
            escaped = False
        elif octet == ESCAPE:
            escaped = True
        else:
            out.append(octet)
    if escaped or len(out) < 3 or binascii.crc_hqx(bytes(out), 0xFFFF) != 0:
        return None
    return bytes(out[:-2])


def classify(body: bytes) -> AshFrameKind:
    """Kind of an intact body."""
    control = body[0]
    if not control & 0x80:
        return AshFrameKind.DATA if len(body) - 1 <= MAX_DATA else AshFrameKind.BAD
    if control & 0xE0 == 0x80:
        return AshFrameKind.ACK
    if control & 0xE0 == 0xA0:
        return AshFrameKind.NAK
    return AshFrameKind.RST if control == 0xC0 else AshFrameKind.OTHER


@dataclass(slots=True)
class _Sent:
    number: int
    payload: bytes
    at: float


def _rstack(code: int) -> bytes:
    """A cancel octet and RSTACK, as a co-processor begins (reference ncp-real 1)."""
    return bytes([CANCEL]) + frame(0xC1, bytes([VERSION, code]))


class Ash:
    """The co-processor's end of the link."""

    def __init__(self) -> None:
        self.state = AshState.WAITING
        self.reset_code = int(Code.SOFTWARE)
        """The cause that RSTACK gives after RST."""
        self.counters = {"framing": 0, "overflow": 0, "timeouts": 0}
        self._buffer = bytearray()
        self._skipping = False
        self._clear()

    def _clear(self) -> None:
        self._send_next = 0
        self._receive_next = 0
        self._rejecting = False
        self._unacknowledged: deque[_Sent] = deque()
        self._queue: deque[bytes] = deque()
        self._wait_s = ACK_INIT_S
        self._timeouts = 0
        self._host_ready = True
        self._error = Code.ACK_TIMEOUTS

    @property
    def idle(self) -> bool:
        """Nothing is on its way to the host."""
        return not self._unacknowledged and not self._queue

    @property
    def deadline(self) -> float | None:
        """When :meth:`tick` has to be called, if nothing comes before."""
        return self._unacknowledged[0].at + self._wait_s if self._unacknowledged else None

    def power_up(self, *, announce: bool, code: Code = Code.POWER_ON) -> list[Event]:
        """After power on or a reset of its own: wait for RST; ``announce`` sends the RSTACK with ``code``."""
        self._buffer.clear()
        self._clear()
        self.state = AshState.WAITING
        return [Write(_rstack(code))] if announce else []

    def fail(self, code: Code) -> list[Event]:
        """Give up the link: ERROR now, and for each DATA frame until RST."""
        self._clear()
        self.state = AshState.FAILED
        self._error = code
        return self._complain(b"", 0.0)

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """Octets from the host, in any pieces."""
        out: list[Event] = []
        for octet in octets:
            if octet == FLAG:
                body, self._buffer = bytes(self._buffer), bytearray()
                if self._skipping:
                    self._skipping = False
                elif body:
                    out += self._frame(body, now)
            elif octet == CANCEL:
                self._buffer.clear()
                self._skipping = False
            elif octet == SUBSTITUTE:
                self._buffer.clear()
                self._skipping = True
            elif octet not in (XON, XOFF) and not self._skipping:
                self._buffer.append(octet)
                if len(self._buffer) > MAX_FRAME:
                    self.counters["overflow"] += 1
                    self._buffer.clear()
                    self._skipping = True
        return out

    def _frame(self, raw: bytes, now: float) -> list[Event]:
        body = unstuff(raw)
        kind = AshFrameKind.BAD if body is None else classify(body)
        if kind is AshFrameKind.BAD:
            self.counters["framing"] += 1
        action = TRANSITIONS[self.state].get(kind)
        if action is None:
            return []
        events: list[Event] = getattr(self, action)(body or b"", now)
        return events

    def send(self, payload: bytes, now: float) -> list[Event]:
        """One EZSP frame for the host. Dropped where no host is connected, and, counted, where one is not ready for too many."""
        if self.state is not AshState.CONNECTED:
            return []
        if len(self._queue) >= MOST_QUEUED:
            self.counters["overflow"] += 1
            return []
        self._queue.append(payload)
        return self._fill(now)

    def tick(self, now: float) -> list[Event]:
        """The deadline has come: send again, or fail."""
        deadline = self.deadline
        if self.state is not AshState.CONNECTED or deadline is None or now < deadline:
            return []
        self._timeouts += 1
        self.counters["timeouts"] += 1
        if self._timeouts > ACK_TIMEOUTS:
            self._clear()
            self.state = AshState.FAILED
            return self._complain(b"", now)
        self._wait_s = min(2 * self._wait_s, ACK_MAX_S)
        return self._repeat(now)

    def _fill(self, now: float) -> list[Event]:
        out: list[Event] = []
        while self._queue and len(self._unacknowledged) < WINDOW and self._host_ready:
            sent = _Sent(self._send_next, self._queue.popleft(), now)
            self._send_next = self._send_next + 1 & 7
            self._unacknowledged.append(sent)
            out.append(self._data_frame(sent, again=False))
        return out

    def _data_frame(self, sent: _Sent, *, again: bool) -> Write:
        return Write(frame(sent.number << 4 | again << 3 | self._receive_next, randomise(sent.payload)))

    def _repeat(self, now: float) -> list[Event]:
        for sent in self._unacknowledged:
            sent.at = now
        return [self._data_frame(sent, again=True) for sent in self._unacknowledged]

    def _take_ack(self, number: int, now: float) -> None:
        numbers = [sent.number for sent in self._unacknowledged]
        last = number - 1 & 7
        if last not in numbers:
            return
        while self._unacknowledged:
            sent = self._unacknowledged.popleft()
            if sent.number == last:
                self._wait_s = max(ACK_MIN_S, min(ACK_MAX_S, 7 / 8 * self._wait_s + (now - sent.at) / 2))
                break
        self._timeouts = 0

    # what each frame does

    def _reset(self, body: bytes, now: float) -> list[Event]:
        self._clear()
        self.state = AshState.CONNECTED
        return [Reset(), Write(_rstack(self.reset_code))]

    def _complain(self, body: bytes, now: float) -> list[Event]:
        return [Write(frame(0xC2, bytes([VERSION, self._error])))]

    def _data(self, body: bytes, now: float) -> list[Event]:
        control = body[0]
        self._take_ack(control & 7, now)
        number, again = control >> 4 & 7, bool(control & 8)
        if number == self._receive_next:
            self._receive_next = number + 1 & 7
            self._rejecting = False
            return [self._acknowledgement(), Deliver(randomise(body[1:])), *self._fill(now)]
        if again:
            return [self._acknowledgement(), *self._fill(now)]
        return [*self._reject(body, now), *self._fill(now)]

    def _acknowledgement(self) -> Write:
        return Write(frame(0x80 | self._receive_next))

    def _ack(self, body: bytes, now: float) -> list[Event]:
        self._host_ready = not body[0] & 0x08
        self._take_ack(body[0] & 7, now)
        return self._fill(now)

    def _nak(self, body: bytes, now: float) -> list[Event]:
        self._host_ready = not body[0] & 0x08
        self._take_ack(body[0] & 7, now)
        return [*self._repeat(now), *self._fill(now)]

    def _reject(self, body: bytes, now: float) -> list[Event]:
        if self._rejecting:
            return []
        self._rejecting = True
        return [Write(frame(0xA0 | self._receive_next))]
