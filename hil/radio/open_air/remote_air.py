"""An air whose medium is in another process: each radio here is a visitor of an open air there.

Filters and acknowledgements are made here, as :class:`hil.radio.air.air.Air` makes them; links, losses and the capture are those of the
far end. With a clock that the far end leads (:func:`visit`), bench time here is bench time there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError, NotAvailable
from hil.radio.air.air import ACK_REQUEST, Air, Link, Outcome, Radio
from hil.radio.air.frames import BROADCAST, MacKind, MacPdu
from hil.radio.open_air.messages import (
    DONE,
    FRAME,
    JOIN,
    MONITOR,
    NEVER,
    RADIO,
    SENT,
    TRANSMIT,
    VERSION,
    Messages,
    fcs,
    message,
)

_CHUNK = 65536


class _Wire:
    """The connection of one radio."""

    def __init__(self, air: RemoteAir, radio: Radio) -> None:
        self._air = air
        self._radio = radio
        self._messages = Messages()
        self._queue: deque[tuple[int, bytes, Outcome | None]] = deque()
        self._acked: bool | None = None
        """The pending bit of the acknowledgement of what is being sent; None: there is none yet."""
        self.owed = 0
        """Events that the far end has sent and that were not said to be done."""
        try:
            self._socket = socket.create_connection((air.host, air.port))
        except OSError as wrong:
            raise NotAvailable(f"the open air at {air.host}:{air.port}", f"{wrong.strerror or wrong}: start it with --air") from wrong
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._say(JOIN, bytes([VERSION]) + radio.eui64.zigbee)
        self.listen(True)
        asyncio.get_running_loop().add_reader(self._socket, self._look)

    def _say(self, kind: bytes, body: bytes) -> None:
        with contextlib.suppress(OSError):  # the reader meets the end of the connection and tells of it
            self._socket.sendall(message(kind, body))

    def listen(self, on: bool) -> None:
        """The radio is on, or off: an off radio stays connected, since the far end leads its clock by this connection."""
        self._say(RADIO, bytes([MONITOR if on else 0]))

    def _look(self) -> None:
        try:
            octets = self._socket.recv(_CHUNK)
        except OSError:
            octets = b""
        if not octets:
            self.close()
            self._air.lost(self._radio)
            return
        for kind, body in self._messages.feed(octets):
            self.owed += 1
            self._air.time_is(int.from_bytes(body[:8], "little") / 1e6)
            if kind == FRAME:
                self._heard(body[8], int.from_bytes(body[9:10], "little", signed=True), body[10], body[11:-2])
            elif kind == SENT:
                self._over(body[8] == 0)
        self._air.settle()

    def done(self, wake: int) -> None:
        """Every event is done with; ``wake`` in microseconds."""
        for _ in range(self.owed):
            self._say(DONE, wake.to_bytes(8, "little"))
        self.owed = 0

    def _heard(self, channel: int, rssi: int, lqi: int, octets: bytes) -> None:
        try:
            frame = MacPdu.decode(octets)
        except DecodeError:
            return
        if frame.kind is MacKind.ACK:
            if self._queue and self._queue[0][1][2] == frame.sequence:
                self._acked = frame.pending
            return
        radio = self._radio
        if radio.channel != channel or not radio.listening or not radio.hears(frame.destination_pan, frame.destination):
            return
        if frame.ack_request and frame.destination != BROADCAST:
            pending = frame.kind is MacKind.COMMAND and radio.pending_for(frame.source)
            ack = MacPdu(MacKind.ACK, frame.sequence, pending=pending).encode()
            self._say(TRANSMIT, bytes([channel]) + ack + fcs(ack))
        radio.receive(frame, Link(rssi=rssi, lqi=lqi))

    def send(self, channel: int, octets: bytes, outcome: Outcome | None) -> None:
        """Frames go out one after the other."""
        self._queue.append((channel, octets, outcome))
        if len(self._queue) == 1:
            self._next()

    def _next(self) -> None:
        channel, octets, _ = self._queue[0]
        self._acked = None
        self._say(TRANSMIT, bytes([channel]) + octets + fcs(octets))

    def _over(self, sent: bool) -> None:
        if not self._queue:
            return
        _, _, outcome = self._queue.popleft()
        acked, self._acked = self._acked, None
        if self._queue:
            self._next()
        if outcome is not None:
            outcome(sent and acked is not None, bool(acked))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()


class RemoteAir(Air):
    """The air of another process at ``host:port``. Raises NotAvailable when a radio is switched on and nobody listens there."""

    def __init__(self, clock: Clock, host: str, port: int, seed: int = 0) -> None:
        super().__init__(clock, seed)
        self.host, self.port = host, port
        self._wires: dict[Radio, _Wire] = {}
        self.on_lost: Callable[[], None] | None = None
        """Called when the far end has closed a connection."""
        if clock.warp:
            clock.lead(self._idle)

    def attach(self, radio: Radio) -> Callable[[], None]:
        wire = self._wires.get(radio)
        if wire is None:
            self._wires[radio] = _Wire(self, radio)
        else:
            wire.listen(True)
        return lambda: self._leave(radio)

    def _leave(self, radio: Radio) -> None:
        wire = self._wires.get(radio)
        if wire is not None:
            wire.listen(False)

    def lost(self, radio: Radio) -> None:
        """The far end has closed the connection of a radio: it is on no air any more."""
        self._wires.pop(radio, None)
        if self.on_lost is not None:
            self.on_lost()

    def inject(self, source: Radio, octets: bytes, outcome: Outcome | None = None, channel: int | None = None) -> None:
        channel = source.channel if channel is None else channel
        wire = self._wires.get(source)
        if channel is None or wire is None:
            return
        wire.send(channel, octets, outcome)
        begin, _ = self._turn(channel, len(octets), acknowledged=bool(octets[0] & ACK_REQUEST))
        self._show(channel, octets, self.default, begin)

    # --- time

    def time_is(self, seconds: float) -> None:
        """Bench time at the far end, seconds since 2000."""
        if self.clock.warp:
            self.clock.led_to(seconds)

    def settle(self) -> None:
        """Events have been taken. On a wall clock they are done with at once; else when nothing is left to do now."""
        if not self.clock.warp:
            self._idle(None)

    def _idle(self, due: float | None) -> None:
        """Nothing is left to do before ``due``, seconds since 2000."""
        wake = NEVER if due is None else round(due * 1e6)
        for wire in self._wires.values():
            wire.done(wake)


def visit(host: str, port: int) -> tuple[Clock, RemoteAir]:
    """A clock that the open air at ``host:port`` leads, and its air. Raises NotAvailable."""
    messages = Messages()
    try:
        with socket.create_connection((host, port)) as asking:
            asking.sendall(message(JOIN, bytes([VERSION]) + bytes(8)))
            told: list[tuple[bytes, bytes]] = []
            while not told:
                octets = asking.recv(_CHUNK)
                if not octets:
                    raise NotAvailable(f"the open air at {host}:{port}", "it hung up: is it an open air, of this version?")
                told += messages.feed(octets)
    except OSError as wrong:
        raise NotAvailable(f"the open air at {host}:{port}", f"{wrong.strerror or wrong}: start it with --air") from wrong
    clock = Clock(start_s=int.from_bytes(told[0][1][:8], "little") / 1e6, warp=True)
    return clock, RemoteAir(clock, host, port)
