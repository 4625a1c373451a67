"""The MAC of one node: sending with retries, the indirect queue for sleepy children, polling, beacons, association frames."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol, TypeVar

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import BROADCAST, Address, AirReader, Beacon, MacCommand, MacKind, MacPdu
from hil.radio.air.phy import phy_of

RETRIES = 3
"""macMaxFrameRetries (IEEE 802.15.4-2006 7.4.2)."""
RETRY_S = 0.002
INDIRECT_S = 7.68
"""Seconds for which a parent keeps a frame for a sleepy child (bellows configures 7,680 ms, reference ezsp-ncp 3)."""
_SENDERS = 1024
"""Senders whose last sequence number is known, the latest (own limit): anybody may send in any name."""
POLL_WAIT_S = 0.05
"""Seconds for which a child listens after an acknowledgement with the frame pending bit."""

DUTY_CYCLE_S = 3600.0
"""Over so long a duty cycle is measured (ETSI EN 300 220: one hour; recalled)."""

Done = Callable[[bool], None]
T = TypeVar("T")


class Poll(Enum):
    """End of one data request."""

    NO_ACK = "the parent did not acknowledge"
    NO_DATA = "nothing pending"
    DATA = "a frame came"
    MISSED = "a frame was announced and did not come"


class MacUser(Protocol):
    """The layer above."""

    def mac_data(self, frame: MacPdu, link: Link) -> None: ...
    def mac_poll(self, source: Address) -> None: ...
    def mac_unknown_child(self, source: Address) -> bool: ...
    def beacon(self) -> Beacon | None: ...
    def associate(self, device: Eui64, capability: int) -> tuple[int, int] | None: ...
    def association_sent(self, device: Eui64, ok: bool) -> None: ...
    def associated(self, short: int, status: int) -> None: ...


def resolve(future: asyncio.Future[T]) -> Callable[[T], None]:
    """A callback that gives ``future`` its result, if nobody has."""

    def done(result: T) -> None:
        if not future.done():
            future.set_result(result)

    return done


@dataclass(slots=True, eq=False)
class _Held:
    kind: MacKind
    payload: bytes
    done: Done | None
    expiry: asyncio.TimerHandle | None
    sent: MacPdu | None = None
    """As it was sent first: a repetition has the same sequence number."""
    on_air: bool = False


class Mac:
    """One radio on the air. ``rx_on`` False is a sleepy node: it listens only while it polls."""

    __slots__ = (
        "_air",
        "_beyond",
        "_busy",
        "_detach",
        "_dup",
        "_indirect",
        "_life",
        "_poll",
        "_poll_timer",
        "_queue",
        "_sequence",
        "_user",
        "channel",
        "counters",
        "eui64",
        "listening",
        "on_beacon",
        "pan",
        "rx_on",
        "second",
        "short",
    )

    def __init__(self, air: Air, eui64: Eui64, user: MacUser) -> None:
        self._air = air
        self._user = user
        self.eui64 = eui64
        self.channel: int | None = None
        self.listening = False
        self.rx_on = True
        self.pan = 0xFFFF
        self.short = 0xFFFE
        self.on_beacon: Callable[[Beacon, Link], None] | None = None
        self.counters: dict[str, int] = {}
        self._sequence = air.random(f"{eui64} mac").randrange(256)
        self._queue: deque[tuple[MacPdu, Done | None]] = deque()
        self._busy = False
        self._life = 0
        self._indirect: dict[Address, deque[_Held]] = {}
        self._poll: Callable[[Poll], None] | None = None
        self._poll_timer: asyncio.TimerHandle | None = None
        self._dup: dict[Address, int] = {}
        self._detach: Callable[[], None] | None = None
        self.second: SecondPhy | None = None
        """The other band of a dual-band node."""
        self._beyond: set[Address] = set()
        """Neighbours that were last heard on the other band."""

    def start(self, channel: int, *, rx_on: bool = True) -> None:
        """Radio on."""
        if self._detach is None:
            self._detach = self._air.attach(self)
        self.channel = channel
        self.rx_on = rx_on
        self.listening = rx_on

    def stop(self) -> None:
        """Radio off; what was queued is gone, and its callers are told."""
        self._life += 1
        self.channel, self.listening, self._busy = None, False, False
        lost = [done for _, done in self._queue] + [held.done for queue in self._indirect.values() for held in queue]
        for queue in self._indirect.values():
            for held in queue:
                if held.expiry is not None:
                    held.expiry.cancel()
        self._queue.clear()
        self._indirect.clear()
        self._dup.clear()
        self.stop_second()
        self._end_poll(Poll.NO_ACK)
        if self._detach is not None:
            self._detach()
            self._detach = None
        for done in lost:
            if done is not None:
                done(False)

    def start_second(self, channel: int) -> None:
        """The other band's radio on, or on another channel; the network goes on on both."""
        if self.second is None:
            self.second = SecondPhy(self._air, self)
        self.second.channel = channel

    def stop_second(self) -> None:
        """The other band's radio off."""
        if self.second is not None:
            self.second.stop()
            self.second = None
        self._beyond.clear()

    def heard_beyond(self, frame: MacPdu, link: Link) -> None:
        """A frame on the other band."""
        if frame.source is not None:
            self._beyond.add(frame.source)
        self._received(frame, link)

    def is_beyond(self, neighbour: Address) -> bool:
        """True if the neighbour was last heard on the other band."""
        return neighbour in self._beyond

    def _transmit(self, frame: MacPdu, outcome: Callable[[bool, bool], None]) -> None:
        """On the band of the neighbour; on both what is for everybody, since who hears it may be on either."""
        if self.second is None:
            self._air.transmit(self, frame, outcome)
        elif frame.destination is not None and frame.destination != BROADCAST:
            if frame.destination in self._beyond:
                self.second.transmit(frame, outcome)
            else:
                self._air.transmit(self, frame, outcome)
        else:
            self.second.transmit(frame, None)
            self._air.transmit(self, frame, outcome)

    def count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    # sending

    def _next(self) -> int:
        self._sequence = self._sequence + 1 & 0xFF
        return self._sequence

    def send(self, payload: bytes, destination: int, done: Done | None = None) -> None:
        """A data frame to a short address; to 0xFFFF unacknowledged."""
        frame = MacPdu(MacKind.DATA, self._next(), self.pan, destination, None, self.short, destination != BROADCAST, False, payload)
        self._put(frame, done)

    def send_raw(self, frame: MacPdu, done: Done | None = None) -> None:
        """A frame of the host's own making; the sequence number is this radio's."""
        self._put(replace(frame, sequence=self._next()), done)

    def _put(self, frame: MacPdu, done: Done | None) -> None:
        if self.channel is None:
            if done is not None:
                asyncio.get_running_loop().call_soon(done, False)
            return
        self._queue.append((frame, done))
        if not self._busy:
            self._busy = True
            self._attempt(frame, done, 0)

    def _attempt(self, frame: MacPdu, done: Done | None, tries: int) -> None:
        life = self._life
        loop = asyncio.get_running_loop()
        if not frame.ack_request:
            self.count("tx_broadcast")
            self._transmit(frame, lambda acked, pending: self._sent(life, done, True))
            return

        def outcome(acked: bool, pending: bool) -> None:
            if life != self._life:
                return
            if acked:
                self.count("tx_unicast")
                self._sent(life, done, True)
            elif tries < RETRIES:
                self.count("tx_retry")
                loop.call_later(RETRY_S, self._again, life, frame, done, tries + 1)
            else:
                self.count("tx_failed")
                self._sent(life, done, False)

        self._transmit(frame, outcome)

    def _again(self, life: int, frame: MacPdu, done: Done | None, tries: int) -> None:
        if life == self._life:
            self._attempt(frame, done, tries)

    def _sent(self, life: int, done: Done | None, ok: bool) -> None:
        if life != self._life:
            return
        self._queue.popleft()
        if self._queue:
            frame, after = self._queue[0]
            self._attempt(frame, after, 0)
        else:
            self._busy = False
        if done is not None:
            done(ok)

    # the indirect queue of a parent

    def hold(self, payload: bytes, child: Address, done: Done | None = None, kind: MacKind = MacKind.DATA) -> None:
        """Keep a frame until ``child`` asks for it; ``done(False)`` after :data:`INDIRECT_S`."""
        held = _Held(kind, payload, done, None)
        held.expiry = asyncio.get_running_loop().call_later(INDIRECT_S, self._expire, child, held)
        self._indirect.setdefault(child, deque()).append(held)

    def _expire(self, child: Address, held: _Held) -> None:
        queue = self._indirect.get(child)
        if queue is not None and held in queue:
            self._drop(child, queue, held)
        if held.done is not None:
            held.done(False)

    def release(self, child: Address) -> None:
        """Drop what is kept for a child that is gone."""
        for held in self._indirect.pop(child, ()):
            if held.expiry is not None:
                held.expiry.cancel()
            if held.done is not None:
                held.done(False)

    def pending_for(self, source: Address | None) -> bool:
        return source in self._indirect or (source is not None and self._user.mac_unknown_child(source))

    def _serve(self, child: Address) -> None:
        """A poll of ``child``: the first frame held for it goes out, and is held on until it was acknowledged (IEEE 802.15.4 7.5.6.4)."""
        queue = self._indirect.get(child)
        if not queue or queue[0].on_air:
            return
        held = queue[0]
        if held.sent is None:
            source: Address = self.eui64 if isinstance(child, Eui64) else self.short
            held.sent = MacPdu(held.kind, self._next(), self.pan, child, None, source, True, len(queue) > 1, held.payload)
        held.on_air = True
        self._put(held.sent, lambda ok: self._served(child, held, ok))

    def _served(self, child: Address, held: _Held, ok: bool) -> None:
        held.on_air = False
        queue = self._indirect.get(child)
        if not ok or queue is None or held not in queue:
            return
        self._drop(child, queue, held)
        if held.expiry is not None:
            held.expiry.cancel()
        if held.done is not None:
            held.done(True)

    def _drop(self, child: Address, queue: deque[_Held], held: _Held) -> None:
        queue.remove(held)
        if not queue:
            del self._indirect[child]

    # the child's side

    def poll(self, parent: int, done: Callable[[Poll], None], *, long: bool = False) -> None:
        """Ask ``parent`` for a held frame; the frame itself goes up the usual way before ``done``."""
        if self._poll is not None:
            asyncio.get_running_loop().call_soon(done, Poll.NO_DATA)
            return
        self._poll = done
        source: Address = self.eui64 if long else self.short
        frame = MacPdu(MacKind.COMMAND, self._next(), self.pan, parent, None, source, True, False, bytes([MacCommand.DATA_REQUEST]))
        self._poll_attempt(frame, 0, self._life)

    def _poll_attempt(self, frame: MacPdu, tries: int, life: int) -> None:
        if life != self._life:
            return

        def outcome(acked: bool, pending: bool) -> None:
            if life != self._life:
                return
            if not acked:
                if tries < RETRIES:
                    asyncio.get_running_loop().call_later(RETRY_S, self._poll_attempt, frame, tries + 1, life)
                else:
                    self._end_poll(Poll.NO_ACK)
            elif not pending:
                self._end_poll(Poll.NO_DATA)
            else:
                self.listening = True
                self._poll_timer = asyncio.get_running_loop().call_later(POLL_WAIT_S, self._end_poll, Poll.MISSED)

        if self.channel is None:
            self._end_poll(Poll.NO_ACK)
        else:
            if self._queue:
                asyncio.get_running_loop().call_later(RETRY_S, self._poll_attempt, frame, tries, life)
            else:
                self._air.transmit(self, frame, outcome)

    def _end_poll(self, how: Poll) -> None:
        done, self._poll = self._poll, None
        if self._poll_timer is not None:
            self._poll_timer.cancel()
            self._poll_timer = None
        if self.channel is not None:
            self.listening = self.rx_on or self.on_beacon is not None
        if done is not None:
            done(how)

    def request_beacons(self, channel: int) -> None:
        """Active scan of one channel: beacons go to ``on_beacon`` from now on."""
        self.start(channel, rx_on=self.rx_on)
        self.listening = True
        self.count("tx_broadcast")
        self._air.transmit(self, MacPdu(MacKind.COMMAND, self._next(), BROADCAST, BROADCAST, payload=bytes([MacCommand.BEACON_REQUEST])))

    def request_association(self, pan: int, parent: int, capability: int, done: Done) -> None:
        payload = bytes([MacCommand.ASSOCIATION_REQUEST, capability])
        self._put(MacPdu(MacKind.COMMAND, self._next(), pan, parent, BROADCAST, self.eui64, True, False, payload), done)

    # receiving

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        if destination is None:
            return True
        if pan not in (self.pan, BROADCAST):
            return False
        if isinstance(destination, Eui64):
            return destination == self.eui64
        return destination in (self.short, BROADCAST)

    def receive(self, frame: MacPdu, link: Link) -> None:
        if self._beyond and frame.source is not None:
            self._beyond.discard(frame.source)
        self._received(frame, link)

    def _received(self, frame: MacPdu, link: Link) -> None:
        if self.channel is None:
            return
        if frame.kind is MacKind.DATA:
            self._data(frame, link)
        elif frame.kind is MacKind.COMMAND:
            self._command(frame)
        elif frame.kind is MacKind.BEACON and self.on_beacon is not None:
            try:
                self.on_beacon(Beacon.decode(frame), link)
            except DecodeError:
                self.count("bad_beacon")

    def _data(self, frame: MacPdu, link: Link) -> None:
        broadcast = frame.destination == BROADCAST
        self.count("rx_broadcast" if broadcast else "rx_unicast")
        if frame.source is not None and not broadcast:
            if self._dup.get(frame.source) == frame.sequence:
                return
            self._dup[frame.source] = frame.sequence
            if len(self._dup) > _SENDERS:
                del self._dup[next(iter(self._dup))]
        self._user.mac_data(frame, link)
        if self._poll_timer is not None and not broadcast:
            self._end_poll(Poll.DATA)

    def _command(self, frame: MacPdu) -> None:
        read = AirReader(frame.payload)
        try:
            command = read.uint(1, "MAC command")
            if command == MacCommand.BEACON_REQUEST:
                beacon = self._user.beacon()
                if beacon is not None and self.short < 0xFFF8:
                    self._put(MacPdu(MacKind.BEACON, self._next(), None, None, self.pan, self.short, payload=beacon.payload()), None)
            elif command == MacCommand.DATA_REQUEST and frame.source is not None:
                self._user.mac_poll(frame.source)
                self._serve(frame.source)
            elif command == MacCommand.ASSOCIATION_REQUEST and isinstance(frame.source, Eui64):
                device = frame.source
                self.release(device)  # an earlier answer nobody fetched: told before the new one is made, so that it ends the old child
                answer = self._user.associate(device, read.uint(1, "capability"))
                if answer is not None:
                    short, status = answer
                    payload = bytes([MacCommand.ASSOCIATION_RESPONSE]) + short.to_bytes(2, "little") + bytes([status])
                    self.hold(payload, device, lambda ok: self._user.association_sent(device, ok), MacKind.COMMAND)
            elif command == MacCommand.ASSOCIATION_RESPONSE:
                self._user.associated(read.uint(2, "short address"), read.uint(1, "association status"))
                if self._poll_timer is not None:
                    self._end_poll(Poll.DATA)
        except DecodeError:
            self.count("bad_command")


class SecondPhy:
    """The radio of a dual-band node on the band that its MAC is not on: another channel, the same addresses and the same queues."""

    def __init__(self, air: Air, mac: Mac) -> None:
        self._air, self._mac = air, mac
        self.eui64 = mac.eui64
        self.channel: int | None = None
        self.listening = True
        self.sent: list[tuple[float, Address | None, float]] = []
        """Frames of the last hour: loop time, destination, seconds on the air."""
        self._detach = air.attach(self)

    def stop(self) -> None:
        """Off."""
        self.channel, self.listening = None, False
        self._detach()

    def transmit(self, frame: MacPdu, outcome: Callable[[bool, bool], None] | None) -> None:
        """Send one frame on this band."""
        if self.channel is None:
            return
        now = asyncio.get_running_loop().time()
        self.sent = [one for one in self.sent if one[0] > now - DUTY_CYCLE_S]
        self.sent.append((now, frame.destination, phy_of(self.channel).air_s(len(frame.encode()))))
        self._air.transmit(self, frame, outcome)

    def duty_cycle(self) -> dict[Address | None, float]:
        """Share of the last hour that this radio has sent, 0 to 1, by whom it sent to; None: to everybody."""
        now = asyncio.get_running_loop().time()
        found: dict[Address | None, float] = {}
        for at, destination, seconds in self.sent:
            if at > now - DUTY_CYCLE_S:
                found[destination] = found.get(destination, 0.0) + seconds / DUTY_CYCLE_S
        return found

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        return self._mac.hears(pan, destination)

    def pending_for(self, source: Address | None) -> bool:
        return self._mac.pending_for(source)

    def receive(self, frame: MacPdu, link: Link) -> None:
        self._mac.heard_beyond(frame, link)
