"""Attacks on the SM WAN: frames that no honest far end sends, at the hub; octets that are no frames, at the framing."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from firmware_emu.errors import DecodeError
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.framing import LONGEST_BODY, FrameReader, encode
from hil.attacks.arena import Arena, Attack, AttackOutcome, expects

_HUB = "hub, SM WAN"
_FRAMING = "WAN framing"
_ENDS = expects(AttackOutcome.LINK_ENDED)
_FAR = 1 << 40


def _time(seconds: int, epoch: int = 5) -> WanFrame:
    return WanFrame(WanKind.TIME, epoch, struct.pack(">I", seconds))


_FRAMES: tuple[tuple[str, str, frozenset[AttackOutcome], tuple[WanFrame, ...]], ...] = (
    ("time-again", "the time, anew, in the middle of a connection", _ENDS, (_time(1), _time(0xFFFFFFFF))),
    ("hello-to-hub", "HELLO from the side that never says it", _ENDS, (WanFrame(WanKind.HELLO, 1, bytes(20)),)),
    (
        "replayed-frames",
        "sequences that were used long ago",
        expects(AttackOutcome.REPEATED),
        tuple(WanFrame(WanKind.MESSAGE, sequence, b"\xdf\x09") for sequence in (0, 1, 2)),
    ),
    (
        "acknowledge-unsent",
        "acknowledgements of frames that were never sent",
        expects(AttackOutcome.SILENCE),
        tuple(WanFrame(WanKind.ACKNOWLEDGE, sequence) for sequence in (0, _FAR, (1 << 64) - 1)),
    ),
)


_POSTED: tuple[tuple[str, str, frozenset[AttackOutcome], tuple[tuple[WanKind, bytes], ...]], ...] = (
    (
        "empty-message",
        "a message of no octets, and of one",
        expects(AttackOutcome.REFUSED),
        ((WanKind.MESSAGE, b""), (WanKind.MESSAGE, b"\xdf")),
    ),
    ("long-message", "a message of 200,000 octets", expects(AttackOutcome.REFUSED), ((WanKind.MESSAGE, b"\xdf" + bytes(200_000)),)),
    (
        "image-pieces",
        "pieces of a firmware image that belong to none, end early or lie about their place",
        expects(AttackOutcome.REFUSED, AttackOutcome.SILENCE),
        tuple((WanKind.IMAGE, body) for body in (b"", bytes(3), b"\xff" * 64, bytes(5000))),
    ),
)
_OCTETS: tuple[tuple[str, str, tuple[bytes, ...]], ...] = (
    ("length-too-long", "a length over what the protocol has", (struct.pack(">I", LONGEST_BODY + 100), b"\xff" * 8)),
    ("length-too-short", "a length that does not hold the head", (struct.pack(">I", 0), struct.pack(">I", 8) + bytes(8))),
    (
        "unknown-kind",
        "kinds that there are not",
        (
            encode(WanFrame(WanKind.MESSAGE, 1, b"x"))[:4] + b"\x00" + bytes(9),
            encode(WanFrame(WanKind.MESSAGE, 1, b"x"))[:4] + b"\xee" + bytes(9),
        ),
    ),
)


def attacks() -> Iterator[Attack]:
    """Frames at the hub and octets at the framing."""
    for name, how, outcomes, frames in _FRAMES:

        async def send(arena: Arena, frames: tuple[WanFrame, ...] = frames) -> int:
            for frame in frames:
                await arena.try_to(arena.station.dcc_wan.send(frame))
                await arena.station.clock.sleep(2)
            return len(frames)

        yield Attack(f"wan/{name}", "SM WAN", _HUB, how, outcomes | {AttackOutcome.NOT_TAKEN}, send)
    for name, how, outcomes, posted in _POSTED:

        async def post(arena: Arena, posted: tuple[tuple[WanKind, bytes], ...] = posted) -> int:
            for kind, body in posted:
                if kind is WanKind.MESSAGE:  # by the head end's own numbering, so that honest frames go on after it
                    arena.post(body)
                else:
                    arena.station.dcc.head_end.post_image(arena.journey.chf, body)
            return len(posted)

        yield Attack(f"wan/{name}", "SM WAN", _HUB, how, outcomes, post)
    for name, how, octets in _OCTETS:

        async def feed(arena: Arena, octets: tuple[bytes, ...] = octets) -> int:
            for one in octets:
                try:
                    FrameReader().feed(one)
                except DecodeError as problem:
                    arena.tell(AttackOutcome.LINK_ENDED, f"framing: {problem}")
            return len(octets)

        yield Attack(f"wan/{name}", "SM WAN framing", _FRAMING, how, _ENDS, feed)

    async def truncated(arena: Arena) -> int:
        whole = encode(WanFrame(WanKind.MESSAGE, 7, b"a message"))
        for end in range(len(whole)):
            if FrameReader().feed(whole[:end]):
                arena.tell(AttackOutcome.ANSWERED, f"a frame of {end} octets was taken for whole")
        return len(whole)

    yield Attack("wan/truncated", "SM WAN framing", _FRAMING, "a frame cut at each octet", expects(AttackOutcome.SILENCE), truncated)
