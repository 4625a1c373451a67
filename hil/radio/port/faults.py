"""Faults of a dongle and its serial line, as one value that may be set on a running dongle.

Faults of the line are drawn once for each ASH frame, from the seed: the same frames in the same order are hit in the same way (what
a host sends again, and when, is its own affair). They are honest: a damaged frame has one bit turned over and is found by its CRC, a
lost one costs the sender its acknowledgement timer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeVar

from firmware_emu.errors import RadioError, nearest

S = TypeVar("S")
_NO_PROBABILITY = frozenset({"late_s", "rstack", "resets_after_s", "fails_after_s"})
_OF_ASH = ("rstack", "garbage", "resets_after_s", "fails_after_s", "flow")
_FLOW_CONTROL = frozenset({0x11, 0x13})
BOOT_TEXT = b"\r\nGecko Bootloader v1.12.00\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > "
"""As a Gecko boot loader greets on a serial line (silabs-flasher#38)."""


@dataclass(frozen=True, slots=True)
class NcpFaults:
    """Faults of one virtual dongle; ``NcpFaults()`` is a sound one.

    Lay it on with ``server.faults = NcpFaults(lost=0.1)``, at any time; ``server.faults = NcpFaults()`` takes all of it off. A reset of
    the dongle is no state and so a call: :meth:`NcpServer.reset`, or :meth:`NcpServer.fail` for an ERROR frame.

    Probabilities 0..1 a frame of the serial line, from the dongle to the host:

    - ``damaged``: one bit is turned over (the host answers NAK);
    - ``lost``: it never arrives;
    - ``doubled``: it arrives twice;

    and from the host to the dongle:

    - ``refused``: one bit is turned over, so the dongle answers NAK;
    - ``missed``: it never arrives;
    - ``repeated``: it arrives twice.

    ``late_s``: seconds the processor takes for each EZSP command (its ASH acknowledgement comes at once). ``mute``: commands are
    acknowledged by ASH and never answered. ``silent``: hung, nothing is taken and nothing is said, a reset frame does not help;
    :meth:`NcpServer.power` off and on does.

    ``busy`` (0..1): of the commands that need room in the firmware, this part is refused for want of it, with each of the statuses that
    it has for that in turn, and does nothing.

    Of a dongle with ASH: ``rstack``: the code of its RSTACK after RST in place of 11 (2 and 9 are on record). ``garbage``: the text of a
    boot loader comes before it. ``resets_after_s``, ``fails_after_s``: so many seconds after each RST it resets by itself, or gives up
    with an ERROR frame. ``flow``: a damaged octet may come out as XON or XOFF, which the other end takes for flow control.

    Raises RadioError for a probability outside 0..1, or a negative number.
    """

    damaged: float = 0.0
    lost: float = 0.0
    doubled: float = 0.0
    refused: float = 0.0
    missed: float = 0.0
    repeated: float = 0.0
    late_s: float = 0.0
    mute: bool = False
    silent: bool = False
    busy: float = 0.0
    rstack: float = 0.0
    garbage: bool = False
    resets_after_s: float = 0.0
    fails_after_s: float = 0.0
    flow: bool = False
    seed: int = field(default=0, compare=False)
    """Two values that differ by their seed alone are the same faults."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.type == "float" and (value < 0 or (value > 1 and one.name not in _NO_PROBABILITY)):
                expected = "0 or more" if one.name in _NO_PROBABILITY else "0..1"
                raise RadioError(f"fault {one.name} of a dongle is {value:g}, expected {expected}")

    @property
    def of_ash(self) -> tuple[str, ...]:
        """Names of those that only a dongle with ASH has."""
        return tuple(name for name in _OF_ASH if getattr(self, name))

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> NcpFaults:
        """From ``lost=0.1,late_s=0.05,mute``, as ``chub ncp --fault`` takes it. Raises RadioError."""
        known = {one.name: one.type for one in fields(cls) if one.name != "seed"}
        values: dict[str, float | bool] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = part.partition("=")
            kind = known.get(name)
            if kind is None or (kind == "bool") == bool(equals):
                usages = ", ".join(_usage(*one) for one in known.items())
                raise RadioError(f"fault {part!r} of a dongle: expected one of {usages}{nearest(name, known)}")
            try:
                values[name] = True if kind == "bool" else float(value)
            except ValueError:
                raise RadioError(f"fault {name} of a dongle is {value!r}, expected a number") from None
        return cls(**values, seed=seed)  # type: ignore[arg-type]


def _usage(name: str, kind: object) -> str:
    return name if kind == "bool" else f"{name}=NUMBER"


class Crowd:
    """Room in a firmware, where ``NcpFaults.busy`` says that there is not enough of it."""

    def __init__(self, faults: NcpFaults) -> None:
        self.lay(faults)

    def lay(self, faults: NcpFaults) -> None:
        """Lay other faults on; the draws begin anew."""
        self.busy = faults.busy
        """Part of the commands that find no room; with 0 nobody need ask."""
        self._draw = random.Random(f"{faults.seed} dongle crowd")
        self._turns: Counter[str] = Counter()
        self.refusals: Counter[tuple[str, object]] = Counter()
        """Refusals given, by command and status."""

    def status(self, command: str, statuses: Sequence[S]) -> S | None:
        """The one of ``statuses`` with which ``command`` is refused this time; None where there is room."""
        if not self.busy or not statuses or self._draw.random() >= self.busy:
            return None
        self._turns[command] += 1
        status = statuses[self._turns[command] % len(statuses)]
        self.refusals[command, status] += 1
        return status


class FaultyLine:
    """The line under one :class:`NcpFaults`: octets in, what arrives of them out."""

    def __init__(self, faults: NcpFaults, frame_length: Callable[[bytes], int]) -> None:
        """``frame_length``: octets of the first whole frame of the host, 0 where none is whole yet."""
        self.faults = faults
        self.sound = faults == NcpFaults()
        """Nothing is wrong."""
        self._frame_length = frame_length
        self.spoiled = False
        """True if a frame was lost or damaged since the owner set it False: somebody's timer has to run out now."""
        self._draw = random.Random(f"{faults.seed} dongle line")
        self._from_host = bytearray()

    def to_host(self, frame: bytes) -> bytes:
        """Octets that arrive of one whole frame; nothing for a lost one."""
        faults = self.faults
        return self._passed(frame, faults.lost, faults.damaged, faults.doubled)

    def from_host(self, octets: bytes) -> Iterator[bytes]:
        """Octets that arrive, a frame at a time; a frame that has not ended yet waits."""
        faults = self.faults
        if not (faults.refused or faults.missed or faults.repeated):
            if self._from_host:
                octets, self._from_host = bytes(self._from_host) + octets, bytearray()
            yield octets
            return
        self._from_host += octets
        while length := self._frame_length(bytes(self._from_host)):
            frame = bytes(self._from_host[:length])
            del self._from_host[:length]
            if passed := self._passed(frame, faults.missed, faults.refused, faults.repeated):
                yield passed

    def _passed(self, frame: bytes, lost: float, damaged: float, doubled: float) -> bytes:
        if lost and self._draw.random() < lost:
            self.spoiled = True
            return b""
        if damaged and self._draw.random() < damaged:
            self.spoiled = True
            frame = self._damage(frame)
        if doubled and self._draw.random() < doubled:
            frame += frame
        return frame

    def _damage(self, frame: bytes) -> bytes:
        """One bit of the frame's body turned over; never its last octet, which closes an ASH frame, so that the next one is whole."""
        at = self._draw.randrange(max(1, len(frame) - 1))
        first = self._draw.randrange(8)
        turned = [frame[at] ^ 1 << (first + more & 7) for more in range(8)]
        octet = next(one for one in turned if self.faults.flow or one not in _FLOW_CONTROL)
        return frame[:at] + bytes([octet]) + frame[at + 1 :]
