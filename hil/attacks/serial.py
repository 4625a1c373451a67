"""Attacks on the dongle's serial line: a host that sends nonsense to the dongle, a dongle that sends nonsense to the hub (ASH, EZSP)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hil.attacks.arena import Arena, Attack, AttackOutcome, expects
from hil.attacks.mutations import truncated
from hil.faults.effects import dongle_of
from hil.radio.ncp.ash import CANCEL, FLAG, MAX_FRAME, SUBSTITUTE, frame

HUB, DONGLE = "hub, dongle's line", "virtual dongle"
_HUB = expects(AttackOutcome.SILENCE, AttackOutcome.REFUSED, AttackOutcome.LINK_ENDED)
_DONGLE = expects(AttackOutcome.SILENCE)


def _damaged() -> Iterator[bytes]:
    """Frames whose CRC does not fit, that end in an escape, are empty, or carry a length that none has."""
    whole = frame(0x25, b"\x00\x00\x00\x02")
    for octets in truncated(whole, range(1, len(whole) - 1)):
        yield octets + bytes([FLAG])
    yield bytes([FLAG]) * 5
    yield b"\x7d\x7e"
    yield bytes([SUBSTITUTE, FLAG, CANCEL, FLAG])
    yield b"\x25\x00\x00\x12\x34\x7e"


def _endless() -> Iterator[bytes]:
    """Octets without a flag, over what a frame may have, then one."""
    yield b"\x55" * (3 * MAX_FRAME)
    yield bytes([FLAG])


def _wrong_kinds() -> Iterator[bytes]:
    """Whole frames that only the other end sends, or nobody."""
    for control in (0xC1, 0xC2, 0xE5, 0xFF):
        yield frame(control, b"\x02\x0b")


def _out_of_sequence() -> Iterator[bytes]:
    """Whole DATA frames with frame numbers that are not next, and acknowledgements of what was never sent."""
    for number in (5, 6, 7, 3):
        yield frame(number << 4 & 0x70 | 0x08, b"\x00\x00\x00\x02")
    for number in range(8):
        yield frame(0x80 | number)


def _ezsp() -> Iterator[bytes]:
    """EZSP frames, in order, that are cut, of ids that there are not, callbacks that lie about lengths."""
    yield b""
    yield b"\x00"
    yield b"\x00\x90\x01"
    yield bytes.fromhex("0090 01 ffff") + bytes(30)
    for identifier in (0x0045, 0x0019, 0x0024, 0x0023, 0x003F, 0x00C5):  # callbacks: message, status, trust centre join, child, sent, EUI
        for length in (0, 1, 5, 11):
            yield bytes.fromhex("009001") + identifier.to_bytes(2, "little") + bytes(range(length))
        yield bytes.fromhex("009001") + identifier.to_bytes(2, "little") + b"\xff" * 120


def _attack(
    name: str,
    layer: str,
    target: str,
    how: str,
    outcomes: frozenset[AttackOutcome],
    make: Callable[[], Iterator[bytes]],
    say: Callable[[Arena, bytes], None],
) -> Attack:
    async def act(arena: Arena) -> int:
        count = 0
        for octets in make():
            say(arena, octets)
            count += 1
            await arena.station.clock.sleep(0.05)
        await arena.station.clock.sleep(5)
        return count

    return Attack(name, layer, target, how, outcomes, act)


def attacks() -> Iterator[Attack]:
    """At the hub as a dongle, at the dongle as a host."""

    def at_hub(arena: Arena, octets: bytes) -> None:
        dongle_of(arena.station).say(octets)

    def at_dongle(arena: Arena, octets: bytes) -> None:
        dongle_of(arena.station).octets(octets)

    def ezsp_at_hub(arena: Arena, octets: bytes) -> None:
        dongle_of(arena.station).say_frame(octets)

    for end, target, outcomes, say in (("hub", HUB, _HUB, at_hub), ("dongle", DONGLE, _DONGLE, at_dongle)):
        yield _attack(f"ash/damaged/{end}", "ASH", target, "frames with a wrong CRC, cut, empty, cancelled", outcomes, _damaged, say)
        yield _attack(f"ash/endless/{end}", "ASH", target, "octets without a flag, over what a frame has", outcomes, _endless, say)
        yield _attack(
            f"ash/out-of-sequence/{end}",
            "ASH",
            target,
            "DATA and ACK frames with numbers that are not next",
            outcomes,
            _out_of_sequence,
            say,
        )
    yield _attack("ash/wrong-kinds/dongle", "ASH", DONGLE, "frames that only a dongle sends, or nobody", _DONGLE, _wrong_kinds, at_dongle)
    yield _attack("ash/reset-and-error/hub", "ASH", HUB, "RSTACK and ERROR unasked, frames of no kind", _HUB, _wrong_kinds, at_hub)
    yield _attack("ezsp/callbacks/hub", "EZSP", HUB, "callbacks and answers cut, too long or of no known id", _HUB, _ezsp, ezsp_at_hub)
