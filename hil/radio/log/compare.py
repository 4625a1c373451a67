"""The commands of a log, put to a virtual dongle: every field that a real one answered differently."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError, NotAvailable
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.log import ezsp_words
from hil.radio.log.ezsp_words import Words
from hil.radio.log.lines import HOST
from hil.radio.log.reading import Entry, Log
from hil.radio.ncp.ezsp import Ncp
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.personality import Personality, of_version, personality
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack.tokens import Tokens
from hil.radio.znp.firmware import Znp
from hil.radio.znp.handlers import HANDLERS as ZNP_HANDLERS
from hil.radio.znp.mt import MtFrame, MtKind, Parser
from hil.radio.znp.nvram import EXTADDR

NOBODY = Eui64.parse("02000000000000fe")
"""Address of the virtual dongle where the log does not tell the real one's."""
_READ = ("SYS.OSALNVRead.Rsp", "SYS.OSALNVReadExt.Rsp")
ANSWER_S = 1.0
"""Bench seconds for an answer: that of a scan or a formation comes later, as a callback."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one answer. ``real`` is the log's; None: there was no answer, or no such field."""

    line: int
    command: str
    field: str
    real: str | None
    virtual: str | None

    def as_json(self) -> dict[str, object]:
        return {"line": self.line, "command": self.command, "field": self.field, "real": self.real, "virtual": self.virtual}


@dataclass(frozen=True, slots=True)
class Comparison:
    """``asked``: commands put; ``alike``: answers that are the same in every field."""

    firmware: str
    asked: int
    alike: int
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, object]:
        head = {"firmware": self.firmware, "asked": self.asked, "alike": self.alike}
        return head | {"differences": [one.as_json() for one in self.differences]}


def _address(log: Log) -> Eui64:
    """The dongle's EUI-64 as the log tells it."""
    asked = ""
    for one in log.entries:
        if one.sender == HOST:
            asked = dict(one.fields).get("Id", "")
        elif one.name == "getEui64" and one.kind == "response" and len(one.octets) >= 8:
            return Eui64.from_zigbee(one.octets[-8:])
        elif (one.name == "SYS.GetExtAddr.Rsp" and len(one.octets) == 13) or (
            one.name in _READ and asked == str(EXTADDR) and len(one.octets) == 15
        ):
            return Eui64.from_zigbee(one.octets[-9:-1])  # before the check
    return NOBODY


def compare(log: Log, firmware: str | None) -> Comparison:
    """Put each command of the log to a virtual dongle at the log's times; ``firmware`` names its personality.

    Raises NotAvailable for a log without octets, RadioError for a personality that there is not.
    """
    if log.family not in ("ezsp", "znp"):
        raise NotAvailable("a comparison", "the log holds no octets of the line: log at the level that writes them")
    played = (
        personality(firmware) if firmware is not None else of_version(log.version or 13) if log.family == "ezsp" else personality("znp")
    )
    if played.family != log.family:
        raise NotAvailable(f"a comparison with {played.name}", f"the log is of a dongle of family {log.family}")
    clock = Clock(warp=True)
    return clock.run(_compare(log, played, clock))


async def _compare(log: Log, played: Personality, clock: Clock) -> Comparison:
    dongle = _EzspDongle(log, played, clock) if log.family == "ezsp" else _ZnpDongle(log, played, clock)
    began = next((one.time for one in log.entries if one.time is not None), 0.0)
    start = clock.now()
    differences: list[Difference] = []
    asked = alike = 0
    for at, one in enumerate(log.entries):
        if one.layer == "ash" and one.name == "RST":
            dongle.reset()
        if one.sender != HOST or one.layer not in ("ezsp", "mt"):
            continue
        if one.time is not None:
            await clock.sleep(max(0.0, start + one.time - began - clock.now()))
        real = dongle.answer_in_log(at)
        if real is None:
            dongle.put(one)
            continue
        asked += 1
        virtual = await dongle.ask(one)
        found = _differences(one, real, virtual)
        differences += found
        alike += not found
    return Comparison(played.name, asked, alike, tuple(differences))


def _differences(asked: Entry, real: tuple[tuple[str, str], ...], virtual: Words | None) -> list[Difference]:
    if virtual is None:
        return [Difference(asked.line, asked.name, "answer", "given", None)]
    ours, theirs = dict(virtual.fields), dict(real)
    names = [*theirs, *(name for name in ours if name not in theirs)]
    return [
        Difference(asked.line, asked.name, name, theirs.get(name), ours.get(name)) for name in names if theirs.get(name) != ours.get(name)
    ]


class _EzspDongle:
    """A virtual EZSP dongle without a line: EZSP frames in, EZSP frames out."""

    def __init__(self, log: Log, played: Personality, clock: Clock) -> None:
        self._log = log
        self._said: list[bytes] = []
        self._version = played.version
        self._ncp = Ncp(Air(clock), Tokens(_address(log)), played, self._said.append, HANDLERS, Crowd(NcpFaults()))

    def reset(self) -> None:
        """A reset by the host."""
        self._ncp.reset()

    def answer_in_log(self, at: int) -> tuple[tuple[str, str], ...] | None:
        """The real dongle's answer to the command at that place."""
        asked = self._log.entries[at]
        for one in self._log.entries[at + 1 :]:
            if one.sender == HOST and one.octets[:1] == asked.octets[:1]:
                return None
            if one.kind == "response" and one.octets[:1] == asked.octets[:1]:
                return one.fields
        return None

    def put(self, asked: Entry) -> None:
        """A command whose answer the log does not hold."""
        self._ncp.receive(asked.octets)

    async def ask(self, asked: Entry) -> Words | None:
        """The virtual dongle's answer."""
        self._said.clear()
        self._ncp.receive(asked.octets)
        return await _first(self._read_answer, asked)

    def _read_answer(self, asked: Entry) -> Words | None:
        for octets in self._said:
            try:
                words = ezsp_words.words(octets, self._version, from_host=False)
            except DecodeError:
                continue
            if words.kind == "response" and words.sequence == asked.octets[0]:
                return words
        return None


class _ZnpDongle:
    """A virtual ZNP without a line: MT frames in, MT frames out."""

    def __init__(self, log: Log, played: Personality, clock: Clock) -> None:
        self._log = log
        self._said: list[MtFrame] = []
        tokens = Tokens(_address(log))
        self._znp = Znp(Air(clock), tokens, self._said.append, self.reset, played, ZNP_HANDLERS, Crowd(NcpFaults()))

    def reset(self) -> None:
        """A reset by the host."""
        self._znp.reset()

    def answer_in_log(self, at: int) -> tuple[tuple[str, str], ...] | None:
        """The real dongle's answer to the request at that place."""
        asked = self._log.entries[at].octets
        if asked[2] >> 5 != MtKind.SREQ:
            return None
        for one in self._log.entries[at + 1 :]:
            if one.sender != HOST and one.octets[2:4] == bytes([asked[2] & 0x1F | MtKind.SRSP << 5, asked[3]]):
                return one.fields
            if one.sender == HOST and one.octets[2:4] == asked[2:4]:
                return None
        return None

    def put(self, asked: Entry) -> None:
        """A request whose answer the log does not hold, or that has none."""
        for frame in Parser().feed(asked.octets):
            self._znp.receive(frame)

    async def ask(self, asked: Entry) -> Words | None:
        """The virtual dongle's answer."""
        self._said.clear()
        self.put(asked)
        return await _first(self._read_answer, asked)

    def _read_answer(self, asked: Entry) -> Words | None:
        from hil.radio.log import mt_words  # brings zigpy-znp, which an EZSP log does not need

        for frame in self._said:
            if frame.kind is MtKind.SRSP and frame.command == asked.octets[3]:
                return mt_words.words(frame, from_host=False)
        return None


async def _first(read: Callable[[Entry], Words | None], asked: Entry) -> Words | None:
    """The answer, at once or a little later."""
    answer = read(asked)
    waited = 0.0
    while answer is None and waited < ANSWER_S:
        await asyncio.sleep(ANSWER_S / 20)
        waited += ANSWER_S / 20
        answer = read(asked)
    return answer
