"""The shared medium: real 802.15.4 octets between radios, with seeded loss, delay and signal strength per link.

A frame is on its channel for as long as its octets take at the bit rate, arrives when it ends, and is acknowledged a turnaround later.
Radios of one channel take turns without a word: a frame begins when the one before it, and its acknowledgement, have ended. Not modelled
here: backoff, carrier sense and collisions, which :class:`hil.radio.air.timed_air.TimedAir` has; and not at all: adjacent channels.
Acknowledgements are made here, as radio hardware does, and are real frames in the capture.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import BROADCAST, Address, MacKind, MacPdu
from hil.radio.air.phy import SUB_GHZ, phy_of

ACK_WAIT_S = 0.000864
"""macAckWaitDuration at 2.4 GHz, 54 symbols (IEEE 802.15.4-2006 7.4.2)."""
ACK_OCTETS = 3
ACK_REQUEST = 0x20
"""Bit of a frame control field's first octet (IEEE 802.15.4-2006 7.2.1.1)."""


@dataclass(frozen=True, slots=True)
class MacFrame:
    """One MPDU as a sniffer sees it: bench time in s since 2000, channel, octets without FCS, RSSI in dBm, LQI 0..255."""

    time: float
    channel: int
    octets: bytes
    rssi: int
    lqi: int


SENSITIVITY_DBM, STRONG_DBM = -97, -47
"""Strengths at which half of the frames are lost, and at which link quality is full: values of this bench, as a CC2652 or EFR32 at 2.4
GHz."""
NOISE_DBM = -95
INTERFERENCE_DB = 4
"""By so much a frame has to be over what else is on the channel for half of the frames to be read; a value of this bench."""


def error_rate(margin_db: float) -> float:
    """Share of frames lost, so many dB over where half are: 1 % at 4.6 dB, none to speak of from 10 dB on, all below -10 dB."""
    if margin_db >= 10:
        return 0.0
    return 1.0 if margin_db <= -10 else 1 / (1 + math.exp(margin_db))


@dataclass(frozen=True, slots=True)
class Link:
    """One direction between two radios. ``loss`` 0..1 per frame; 1.0 is out of range. ``delay_s`` per frame."""

    loss: float = 0.0
    delay_s: float = 0.0
    rssi: int = -45
    lqi: int = 255

    @classmethod
    def at(cls, rssi: int, delay_s: float = 0.0) -> Link:
        """A link of that strength in dBm: its loss from the distance to the sensitivity, its quality from the strength."""
        quality = round(255 * (rssi - SENSITIVITY_DBM) / (STRONG_DBM - SENSITIVITY_DBM))
        return cls(error_rate(rssi - SENSITIVITY_DBM), delay_s, rssi, max(0, min(255, quality)))


class Radio(Protocol):
    """View that the medium has of a radio."""

    eui64: Eui64
    channel: int | None
    """None: off."""
    listening: bool

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        """The address filter."""
        ...

    def pending_for(self, source: Address | None) -> bool:
        """The frame pending bit of an acknowledgement to ``source``."""
        ...

    def receive(self, frame: MacPdu, link: Link) -> None:
        """A frame that passed the filter."""
        ...


ALL_CHANNELS = -1
"""The channel of a radio that hears all of them, as no real one does."""


@runtime_checkable
class SelfAcknowledging(Protocol):
    """A radio whose firmware is elsewhere: it is given whole frames, and acknowledges by itself."""

    def overhear(self, channel: int, octets: bytes, link: Link, done: Callable[[], None]) -> None:
        """A frame on the air; ``done`` is called once the radio's firmware has nothing more to say to it."""
        ...


class _Answers:
    """Acknowledgements of one frame by radios elsewhere: the first counts, and none is known once all are done with the frame."""

    def __init__(self, radios: int, sequence: int, outcome: Outcome | None) -> None:
        self.sequence = sequence
        self._left = radios
        self._outcome = outcome

    def acknowledged(self, end: float, heard: bool, pending: bool) -> None:
        """An acknowledgement ends at ``end``, loop time."""
        if heard and self._outcome is not None:
            asyncio.get_running_loop().call_at(end, self._outcome, True, pending)
            self._outcome = None

    def done(self) -> None:
        """One radio has done with the frame."""
        self._left -= 1
        if not self._left and self._outcome is not None:
            asyncio.get_running_loop().call_later(ACK_WAIT_S, self._outcome, False, False)


Outcome = Callable[[bool, bool], None]
"""Called once for a frame that asked for an acknowledgement: (acknowledged, frame pending)."""
Disturbance = Callable[[Eui64, Eui64, bytes], Sequence[tuple[float, bytes]]]
"""Called with sender, hearer and octets of a frame; gives what is heard of it, each after so many seconds. Nothing: it is lost."""


class Air:
    """One medium. Deterministic for a ``seed``: each link with loss draws from its own stream."""

    def __init__(self, clock: Clock, seed: int = 0, default: Link | None = None) -> None:
        self.clock = clock
        self.seed = seed
        self.default = default or Link()
        self._radios: list[Radio] = []
        self._links: dict[tuple[Eui64, Eui64], Link] = {}
        self._below: dict[tuple[Eui64, Eui64], Link] = {}
        """Links that are others below 1 GHz."""
        self._draws: dict[tuple[Eui64, Eui64], random.Random] = {}
        self._captures: list[Callable[[MacFrame], None]] = []
        self._energy: dict[int, int] = {}
        self._clear: dict[int, float] = {}
        """Loop time from which a channel is free of what was sent on it."""
        self._elsewhere: dict[Radio, list[tuple[Radio, _Answers]]] = {}
        """Radios elsewhere, each with the frames that it works on: the sender, and what becomes of the frame."""
        self.disturbance: Disturbance | None = None
        """Disturbance of frames on their way, on top of their links."""

    def attach(self, radio: Radio) -> Callable[[], None]:
        """Put ``radio`` on the medium; returns the function that takes it off."""
        self._radios.append(radio)
        if isinstance(radio, SelfAcknowledging):
            self._elsewhere[radio] = []
        return lambda: self._detach(radio)

    def _detach(self, radio: Radio) -> None:
        self._radios.remove(radio)
        self._elsewhere.pop(radio, None)

    def capture(self, callback: Callable[[MacFrame], None]) -> Callable[[], None]:
        """Call ``callback`` with each frame that is sent; returns the function that ends it."""
        self._captures.append(callback)
        return lambda: self._captures.remove(callback)

    def set_link(self, a: Eui64, b: Eui64, link: Link, below: Link | None = None) -> None:
        """Both directions between ``a`` and ``b`` from now on; ``below``: below 1 GHz, where it is another."""
        for pair in ((a, b), (b, a)):
            self._links[pair] = link
            self._below.pop(pair, None)
            if below is not None:
                self._below[pair] = below

    def link(self, source: Eui64, target: Eui64, channel: int | None = None) -> Link:
        """The link from ``source`` to ``target`` on the band of ``channel``, None: at 2.4 GHz."""
        below = self._below.get((source, target)) if channel is not None and channel & SUB_GHZ else None
        return self._links.get((source, target), self.default) if below is None else below

    def set_energy(self, channel: int, dbm: int) -> None:
        """Set the strength that an energy scan measures on ``channel`` (default: the noise floor), and that its frames have to be heard
        over."""
        self._energy[channel] = dbm

    def energy(self, channel: int) -> int:
        """dBm on ``channel``."""
        return self._energy.get(channel, NOISE_DBM)

    def random(self, purpose: object) -> random.Random:
        """A stream of its own for ``purpose``, fixed by the seed."""
        return random.Random(f"{self.seed}:{purpose}")

    def transmit(self, source: Radio, frame: MacPdu, outcome: Outcome | None = None) -> None:
        """Send one frame, once. ``outcome`` is called if it asked for an acknowledgement."""
        self.inject(source, frame.encode(), outcome)

    def inject(self, source: Radio, octets: bytes, outcome: Outcome | None = None, channel: int | None = None) -> None:
        """Send octets as they are, whether they are a frame or not, on the radio's own channel if not on another."""
        channel = source.channel if channel is None else channel
        if channel is None:
            return
        acknowledged = bool(octets) and bool(octets[0] & ACK_REQUEST)
        begin, end = self._turn(channel, len(octets), acknowledged=acknowledged)
        asyncio.get_running_loop().call_at(end, self._arrive, source, channel, octets, outcome, begin)

    def _turn(self, channel: int, octets: int, *, acknowledged: bool) -> tuple[float, float]:
        """Take ``channel`` for a frame of so many octets, and for its acknowledgement: loop times at which the frame begins and ends."""
        phy = phy_of(channel)
        begin = max(asyncio.get_running_loop().time(), self._clear.get(channel, 0.0))
        end = begin + phy.air_s(octets)
        after_s = phy.turnaround_s + phy.air_s(ACK_OCTETS) if acknowledged else 0.0
        self._clear[channel] = end + after_s + phy.turnaround_s
        return begin, end

    def _show(self, channel: int, octets: bytes, link: Link, begin: float) -> None:
        """Tell those who capture of a frame that began at ``begin``, loop time."""
        if self._captures:
            seen = MacFrame(self.clock.now() - asyncio.get_running_loop().time() + begin, channel, octets, link.rssi, link.lqi)
            for callback in tuple(self._captures):
                callback(seen)

    def _lost(self, source: Eui64, target: Eui64, link: Link, channel: int) -> bool:
        loss = link.loss
        if channel in self._energy:
            loss = max(loss, error_rate(link.rssi - self._energy[channel] - INTERFERENCE_DB))
        if not loss:
            return False
        if loss >= 1.0:
            return True
        draw = self._draws.get((source, target))
        if draw is None:
            draw = self._draws[source, target] = self.random(f"{source}>{target}")
        return draw.random() < loss

    def _spoiled(self, radio: Radio, link: Link, sending: object) -> bool:
        """True if ``radio`` could not read a frame for what else was on the air meanwhile."""
        return False

    def _acknowledge(self, radio: Radio, source: Radio, channel: int, frame: MacPdu, link: Link, outcome: Outcome | None) -> bool:
        """Send the acknowledgement; whether ``outcome`` will be told of it."""
        loop = asyncio.get_running_loop()
        pending = frame.kind is MacKind.COMMAND and radio.pending_for(frame.source)
        octets = MacPdu(MacKind.ACK, frame.sequence, pending=pending).encode()
        begin = loop.time() + phy_of(channel).turnaround_s
        self._show(channel, octets, link, begin)
        if outcome is None or self._lost(radio.eui64, source.eui64, link, channel):
            return False
        loop.call_at(begin + phy_of(channel).air_s(len(octets)) + 2 * link.delay_s, outcome, True, pending)
        return True

    def _arrive(self, source: Radio, channel: int, octets: bytes, outcome: Outcome | None, begin: float) -> None:
        """A frame has ended that began at ``begin``, loop time: who hears it, and who acknowledges."""
        self._show(channel, octets, self.default, begin)
        self._heard(source, channel, octets, outcome)

    def _heard(self, source: Radio, channel: int, octets: bytes, outcome: Outcome | None, sending: object = None) -> None:
        loop = asyncio.get_running_loop()
        try:
            frame = MacPdu.decode(octets)
        except DecodeError:
            return
        waiting = outcome is not None and frame.ack_request
        elsewhere: list[tuple[Radio, Link]] = []
        for radio in tuple(self._radios):
            if radio is source or radio.channel not in (channel, ALL_CHANNELS) or not radio.listening:
                continue
            if not radio.hears(frame.destination_pan, frame.destination):
                continue
            link = self.link(source.eui64, radio.eui64, channel)
            if self._lost(source.eui64, radio.eui64, link, channel) or self._spoiled(radio, link, sending):
                continue
            if radio in self._elsewhere:
                elsewhere.append((radio, link))
                continue
            heard = [(0.0, frame)] if self.disturbance is None else self._disturbed(self.disturbance, source.eui64, radio, octets)
            if not heard:
                continue
            if frame.ack_request and frame.destination != BROADCAST:
                told = self._acknowledge(radio, source, channel, frame, link, outcome if waiting else None)
                waiting = waiting and not told
            for late_s, one in heard:
                if link.delay_s + late_s:
                    loop.call_later(link.delay_s + late_s, self._hand_over, radio, channel, one, link)
                else:
                    radio.receive(one, link)
        if elsewhere:
            answers = _Answers(len(elsewhere), frame.sequence, outcome if waiting else None)
            for radio, link in elsewhere:
                self._ask_elsewhere(radio, source, channel, octets, link, answers)
        elif waiting and outcome is not None:
            loop.call_later(ACK_WAIT_S, outcome, False, False)
        if outcome is not None and not frame.ack_request:
            loop.call_soon(outcome, False, False)

    def _ask_elsewhere(self, radio: Radio, source: Radio, channel: int, octets: bytes, link: Link, answers: _Answers) -> None:
        assert isinstance(radio, SelfAcknowledging)
        working, asked = self._elsewhere[radio], (source, answers)

        def done() -> None:
            working.remove(asked)
            answers.done()

        working.append(asked)
        radio.overhear(channel, octets, link, done)

    def acknowledged_by(self, radio: Radio, channel: int, octets: bytes) -> None:
        """The acknowledgement that a radio elsewhere makes, of the frame that it works on."""
        phy, now = phy_of(channel), asyncio.get_running_loop().time()
        self._show(channel, octets, self.default, now + phy.turnaround_s)
        for source, answers in self._elsewhere.get(radio, ()):
            if answers.sequence == octets[2]:
                lost = self._lost(radio.eui64, source.eui64, self.link(radio.eui64, source.eui64, channel), channel)
                answers.acknowledged(now + phy.turnaround_s + phy.air_s(len(octets)), not lost, bool(octets[0] & 0x10))
                return

    @staticmethod
    def _hand_over(radio: Radio, channel: int, frame: MacPdu, link: Link) -> None:
        """A frame that was late; a radio that was switched off meanwhile does not hear it."""
        if radio.channel == channel:
            radio.receive(frame, link)

    @staticmethod
    def _disturbed(disturbance: Disturbance, source: Eui64, radio: Radio, octets: bytes) -> list[tuple[float, MacPdu]]:
        heard = []
        for late_s, changed in disturbance(source, radio.eui64, octets):
            try:
                frame = MacPdu.decode(changed)
            except DecodeError:  # a radio drops what it cannot read
                continue
            if radio.hears(frame.destination_pan, frame.destination):
                heard.append((late_s, frame))
        return heard
