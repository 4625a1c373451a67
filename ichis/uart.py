"""Octets on a wire and back: what a UART sends as levels, and what another UART with its own settings reads from them.

Sans-IO. Used by the model of the serial pair, so that a wrong polarity, parity or bit clock does what it does on a wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_PARITIES = ("none", "even", "odd")


@dataclass(frozen=True, slots=True)
class LineProfile:
    """Settings of one end. ``inverted``: logic 0 is the high level, so the pair idles low (pins 7 and 8, reference ichis 1)."""

    baud: float = 115200.0
    bits: int = 8
    parity: str = "none"
    stop: float = 1.0
    inverted: bool = True

    def __post_init__(self) -> None:
        if self.baud <= 0 or self.bits not in (5, 6, 7, 8) or self.parity not in _PARITIES or self.stop not in (1, 1.5, 2):
            raise ValueError(f"{self} is not a line profile: expected baud above 0, 5 to 8 bits, parity {_PARITIES}, stop 1, 1.5 or 2")

    @property
    def idle_high(self) -> bool:
        """The level of the line while nothing is sent (logic 1)."""
        return not self.inverted


@dataclass(frozen=True, slots=True)
class Received:
    """Reading of the levels by a UART."""

    octets: bytes
    framing_errors: int
    parity_errors: int


def _parity_bit(octet: int, line: LineProfile) -> int:
    ones = (octet & ((1 << line.bits) - 1)).bit_count()
    return ones & 1 if line.parity == "even" else 1 - (ones & 1)


def levels_of(octets: bytes, line: LineProfile) -> list[tuple[float, bool]]:
    """The wire as (seconds, high) pieces, with one bit of idle before and two characters of idle after."""
    bit = 1 / line.baud
    high = not line.inverted  # the level of logic 1
    out: list[tuple[float, bool]] = [(bit, high)]
    for octet in octets:
        bits = [0, *((octet >> place) & 1 for place in range(line.bits))]
        if line.parity != "none":
            bits.append(_parity_bit(octet, line))
        out += [(bit, bool(value) is high) for value in bits]
        out.append((bit * line.stop, high))
    out.append((20 * bit, high))
    return out


def octets_of(levels: Sequence[tuple[float, bool]], line: LineProfile) -> Received:
    """Octets that a UART with these settings reads: sampled in the middle of each bit after each start edge."""
    edges: list[float] = [0.0]
    for seconds, _ in levels:
        edges.append(edges[-1] + seconds)
    bit = 1 / line.baud
    high = not line.inverted
    place = 0

    def logic(at: float) -> int | None:
        nonlocal place
        while place < len(levels) and edges[place + 1] <= at:
            place += 1
        return None if place >= len(levels) else int(levels[place][1] is high)

    octets, framing, parity = bytearray(), 0, 0
    at = 0.0
    while (now := logic(at)) is not None:
        if now == 1:
            at = edges[place + 1]
            continue
        start = at
        samples = [logic(start + bit * (index + 1.5)) for index in range(line.bits + (line.parity != "none") + 1)]
        if None in samples:
            break
        value = sum((sample or 0) << index for index, sample in enumerate(samples[: line.bits]))
        if samples[-1] == 0:
            framing += 1
        elif line.parity != "none" and samples[line.bits] != _parity_bit(value, line):
            parity += 1
        else:
            octets.append(value)
        at = start + bit * (len(samples) + 0.5)
        while logic(at) == 0 and samples[-1] == 0:  # a broken stop bit: wait for the line to idle again
            at = edges[place + 1]
    return Received(bytes(octets), framing, parity)


def carried(octets: bytes, sender: LineProfile, receiver: LineProfile) -> Received:
    """Octets that ``receiver`` reads when ``sender`` sends ``octets`` over one wire."""
    if sender == receiver and (sender.bits == 8 or all(octet < 1 << sender.bits for octet in octets)):
        return Received(octets, 0, 0)
    return octets_of(levels_of(octets, sender), receiver)


class HubUart:
    """The hub's UART: its settings, and what an octet that it could not read does to those after it."""

    def __init__(self, line: LineProfile, swallowed: frozenset[int], deaf_octets_after_error: int) -> None:
        """``swallowed``: octets that it never hears."""
        self.line = line
        self._swallowed, self._deaf_after_error = swallowed, deaf_octets_after_error
        self._deaf = 0

    def heard(self, octets: bytes, sender: LineProfile) -> bytes:
        """Octets that the hub reads when a UART with those settings sends these."""
        received = carried(octets, sender, self.line)
        if received.framing_errors + received.parity_errors:
            self._deaf = self._deaf_after_error
        left = received.octets[self._deaf :]
        self._deaf = max(0, self._deaf - len(received.octets))
        return bytes(octet for octet in left if octet not in self._swallowed)
