"""The medium with time: frames take as long as at their bit rate, radios listen before they send, and what overlaps collides.

It costs some timers a frame, so a home has it only where its board asks for it. Not modelled: fading, antenna directions, adjacent
channels. Sensitivity and capture are values of this bench.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from firmware_emu.clock import Clock
from hil.radio.air.air import Air, Link, Outcome, Radio, SelfAcknowledging
from hil.radio.air.frames import MacKind, MacPdu
from hil.radio.air.phy import phy_of

MIN_EXPONENT, MAX_EXPONENT, MAX_BACKOFFS = 3, 5, 4
"""macMinBE, macMaxBE, macMaxCSMABackoffs (IEEE 802.15.4-2006 7.4.2)."""
BUSY_DBM = -82
"""Strength from which clear channel assessment takes a signal for another's frame."""
CAPTURE_DB = 3
"""A frame so much stronger than what overlaps with it is still read."""
_MEMORY_S = 0.05


@dataclass(slots=True, eq=False)
class _Sending:
    source: Radio
    channel: int
    begin: float
    end: float


class TimedAir(Air):
    """An :class:`Air` with air time, carrier sense, collisions and half-duplex radios."""

    def __init__(self, clock: Clock, seed: int = 0, default: Link | None = None) -> None:
        super().__init__(clock, seed, default)
        self.collisions = 0
        """Receptions lost to another frame, or to the hearer's own."""
        self.no_access = 0
        """Frames that were not sent because the channel was never clear."""
        self.air_s: dict[Radio, float] = {}
        """Seconds each radio has sent, as a duty cycle counts them."""
        self._sendings: list[_Sending] = []
        self._backoffs = self.random("backoff")

    def inject(self, source: Radio, octets: bytes, outcome: Outcome | None = None, channel: int | None = None) -> None:
        channel = source.channel if channel is None else channel
        if channel is not None:
            self._back_off(source, channel, octets, outcome, 0)

    def _back_off(self, source: Radio, channel: int, octets: bytes, outcome: Outcome | None, tries: int) -> None:
        exponent = min(MIN_EXPONENT + tries, MAX_EXPONENT)
        wait_s = self._backoffs.randrange(1 << exponent) * phy_of(channel).backoff_s
        asyncio.get_running_loop().call_later(wait_s, self._sense, source, channel, octets, outcome, tries)

    def _sense(self, source: Radio, channel: int, octets: bytes, outcome: Outcome | None, tries: int) -> None:
        if source.channel != channel and not isinstance(source, SelfAcknowledging):  # which names the channel with each frame
            return
        if not self._busy(source, channel):
            sending = self._begin(source, channel, len(octets), 0.0)
            self._show(channel, octets, self.default, sending.begin)
            asyncio.get_running_loop().call_at(sending.end, self._heard, source, channel, octets, outcome, sending)
        elif tries < MAX_BACKOFFS:
            self._back_off(source, channel, octets, outcome, tries + 1)
        else:
            self.no_access += 1
            if outcome is not None:
                outcome(False, False)

    def _begin(self, source: Radio, channel: int, octets: int, after_s: float) -> _Sending:
        now = asyncio.get_running_loop().time()
        air_s = phy_of(channel).air_s(octets)
        self._sendings = [one for one in self._sendings if one.end > now - _MEMORY_S]
        sending = _Sending(source, channel, now + after_s, now + after_s + air_s)
        self._sendings.append(sending)
        self.air_s[source] = self.air_s.get(source, 0.0) + air_s
        return sending

    def _strength(self, sending: _Sending, hearer: Radio) -> int | None:
        link = self.link(sending.source.eui64, hearer.eui64, sending.channel)
        return None if link.loss >= 1.0 else link.rssi

    def _busy(self, radio: Radio, channel: int) -> bool:
        now = asyncio.get_running_loop().time()
        for one in self._sendings:
            if one.channel == channel and one.end > now:
                if one.source is radio:
                    return True
                strength = self._strength(one, radio)
                if one.begin <= now and strength is not None and strength >= BUSY_DBM:
                    return True
        return self.energy(channel) >= BUSY_DBM

    def _spoiled(self, radio: Radio, link: Link, sending: object) -> bool:
        assert isinstance(sending, _Sending), "this air gives each arrival what was sent"
        for other in self._sendings:
            if other is sending or other.channel != sending.channel or other.begin >= sending.end or other.end <= sending.begin:
                continue
            strength = self._strength(other, radio)
            if other.source is radio or (strength is not None and strength > link.rssi - CAPTURE_DB):
                self.collisions += 1
                return True
        return False

    def _acknowledge(self, radio: Radio, source: Radio, channel: int, frame: MacPdu, link: Link, outcome: Outcome | None) -> bool:
        pending = frame.kind is MacKind.COMMAND and radio.pending_for(frame.source)
        octets = MacPdu(MacKind.ACK, frame.sequence, pending=pending).encode()
        sending = self._begin(radio, channel, len(octets), phy_of(channel).turnaround_s)
        loop = asyncio.get_running_loop()

        def arrived() -> None:
            self._show(channel, octets, link, sending.begin)
            back = self.link(radio.eui64, source.eui64, channel)
            heard = not self._lost(radio.eui64, source.eui64, back, channel) and not self._spoiled(source, back, sending)
            if outcome is not None:
                outcome(heard, pending and heard)

        loop.call_at(sending.end, arrived)
        return True
