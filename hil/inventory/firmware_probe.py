"""Firmware of a radio dongle: asked in the languages that such dongles speak, the one this bench uses first.

Only questions that change nothing are put, but EZSP begins with a reset: never ask a dongle that a program uses. What a dongle
answers before its baud rate is right is not readable, so every question goes out at the rates at which such firmware is built.
Not asked: deCONZ, ZiGate, Z-Wave.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from firmware_emu.errors import CommsHubError
from firmware_emu.han.family import families
from firmware_emu.ids import Eui64
from hil.radio.ncp import ash
from hil.radio.ncp.ezsp import decode_frame, encode_frame
from ichis.jig import DataLink
from ichis.uart import LineProfile

T = TypeVar("T")

EZSP_WAIT_S = 1.5
"""A dongle restarts before it answers a reset (bellows waits 2.5 s for it, reference ezsp-ncp 1)."""
ANSWER_S = 0.4
_PIECE_S = 0.05
_RST, _RSTACK, _ACK = 0xC0, 0xC1, 0x80
_VERSION, _GET_EUI64 = 0x0000, 0x0026
_ROUTER, _BOOTLOADER = "Zigbee router", "Gecko Bootloader"
_CANCEL, _FLAG = b"\x1a", 0x7E


@dataclass(frozen=True, slots=True)
class Firmware:
    """Firmware that answered, and at which rate. ``version`` is its own text; ``ezsp`` the EZSP version where it speaks that.

    ``family`` names the family of dongles that it is, "" stands for firmware that this bench has no use for. ``eui64``: its address,
    where it told one.
    """

    name: str
    version: str
    baudrate: int
    ezsp: int | None = None
    family: str = ""
    eui64: Eui64 | None = None

    def __str__(self) -> str:
        spoken = "" if self.ezsp is None else f", EZSP {self.ezsp}"
        return f"{self.name} {self.version}{spoken} at {self.baudrate} baud"


Question = Callable[[DataLink, int], Awaitable[Firmware | None]]
"""Ask a dongle for one kind of firmware, at a rate that is set already; None: it does not run that."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Fitness of firmware of a family, and why."""

    serves: bool
    why: str


async def probe(link: DataLink, line: LineProfile, first: int = 115200) -> Firmware | None:
    """Ask at ``first`` and then at the other usual rates; ``line`` gives the other settings. None: nothing readable came back.

    Raises JigError where the port goes away.
    """
    asked = questions()
    for baudrate in sorted(asked, key=lambda rate: rate != first):
        await link.set_line(LineProfile(baudrate, line.bits, line.parity, line.stop, line.inverted))
        for ask in asked[baudrate]:
            found = await ask(link, baudrate)
            if found is not None:
                return found
    return None


async def _answer(link: DataLink, seconds: float, read: Callable[[bytes], T | None]) -> T | None:
    """Collect octets until ``read`` makes something of them, at most so long."""
    octets = b""
    for _ in range(round(seconds / _PIECE_S)):
        octets += await link.read(512, _PIECE_S)
        found = read(octets)
        if found is not None:
            return found
    return None


# -- EZSP (reference ezsp-ncp 1 and 2)


def _ash_frames(octets: bytes) -> list[bytes]:
    """Control octet and data of every intact frame."""
    frames = (ash.unstuff(piece.rpartition(_CANCEL)[2]) for piece in octets.split(bytes([_FLAG]))[:-1])
    return [frame for frame in frames if frame]


def _rstack(octets: bytes) -> bool | None:
    return any(frame[0] == _RSTACK for frame in _ash_frames(octets)) or None


def _version(octets: bytes) -> tuple[int, int] | None:
    """EZSP version and stack version of a ``version`` reply in its legacy form."""
    for frame in _ash_frames(octets):
        reply = ash.randomise(frame[1:])
        if not frame[0] & 0x80 and len(reply) >= 7 and reply[2] == 0:
            return reply[3], int.from_bytes(reply[5:7], "little")
    return None


class _EzspTalk:
    """Commands to a dongle that was just reset, one after the other."""

    def __init__(self, link: DataLink) -> None:
        self._link = link
        self._number = 0

    async def ask(self, command: bytes, read: Callable[[bytes], T | None]) -> T | None:
        """Send an EZSP frame; what ``read`` makes of the octets that come back."""
        number, self._number = self._number, self._number + 1
        await self._link.write(ash.frame(number << 4 | number, ash.randomise(command)))
        told = await _answer(self._link, ANSWER_S, read)
        await self._link.write(ash.frame(_ACK | self._number))
        return told


def _eui64(octets: bytes, version: int) -> Eui64 | None:
    for frame in _ash_frames(octets):
        if not frame[0] & 0x80 and len(frame) > 4:
            reply = decode_frame(ash.randomise(frame[1:]), version)
            if reply.frame_id == _GET_EUI64 and len(reply.parameters) >= 8:
                return Eui64.from_zigbee(reply.parameters[:8])
    return None


async def ask_ezsp(link: DataLink, baudrate: int) -> Firmware | None:
    await link.write(_CANCEL * 32 + ash.frame(_RST))
    if await _answer(link, EZSP_WAIT_S, _rstack) is None:
        return None
    talk = _EzspTalk(link)
    told = await talk.ask(bytes((0, 0, 0, 4)), _version)
    if told is None:
        return None
    ezsp, stack = told
    if ezsp > 4:  # a host says once more which version it takes, in the form of that version
        again = encode_frame(1, _VERSION, bytes([ezsp]), ezsp, control=0)
        await talk.ask(again, lambda octets: any(not frame[0] & 0x80 for frame in _ash_frames(octets)) or None)
    address = await talk.ask(encode_frame(2, _GET_EUI64, b"", ezsp, control=0), lambda octets: _eui64(octets, ezsp))
    return Firmware("EmberZNet NCP", ".".join(f"{stack:04x}"), baudrate, ezsp, "ezsp", address)


def judge_ezsp(firmware: Firmware, port: str) -> Judgement:
    """By the version that it speaks."""
    from firmware_emu.han.ezsp import RECOMMENDED_VERSION, check_version  # these import bellows, which asking does not need

    assert firmware.ezsp is not None
    try:
        check_version(firmware.ezsp, port)
    except CommsHubError as old:
        return Judgement(False, str(old))
    if firmware.ezsp > RECOMMENDED_VERSION:
        lost = f"long messages of Devices are lost from EZSP {RECOMMENDED_VERSION + 1} on: better flash 7.4"
        return Judgement(True, f"{firmware}; {lost}")
    return Judgement(True, str(firmware))


# -- ZNP: MT frames, SYS_PING and SYS_VERSION (zigbee-herdsman 11.1.1, adapter/z-stack/unpi and znp/definition)


def _mt(command: bytes, data: bytes = b"") -> bytes:
    body = bytes([len(data)]) + command + data
    check = 0
    for octet in body:
        check ^= octet
    return b"\xfe" + body + bytes([check])


def _mt_answer(octets: bytes, command: bytes) -> bytes | None:
    start = octets.find(b"\xfe")
    while start >= 0:
        frame = octets[start:]
        if len(frame) > 4 and frame[2:4] == command and len(frame) >= frame[1] + 5:
            data = frame[4 : 4 + frame[1]]
            if _mt(command, data) == frame[: frame[1] + 5]:
                return data
        start = octets.find(b"\xfe", start + 1)
    return None


async def ask_znp(link: DataLink, baudrate: int) -> Firmware | None:
    await link.write(_mt(b"\x21\x01"))
    if await _answer(link, ANSWER_S, lambda octets: _mt_answer(octets, b"\x61\x01")) is None:
        return None
    await link.write(_mt(b"\x21\x02"))
    version = await _answer(link, ANSWER_S, lambda octets: _mt_answer(octets, b"\x61\x02")) or b""
    await link.write(_mt(b"\x21\x04"))
    told = await _answer(link, ANSWER_S, lambda octets: _mt_answer(octets, b"\x61\x04")) or b""
    address = Eui64.from_zigbee(told) if len(told) == 8 else None
    text = ".".join(str(part) for part in version[2:5]) or "of unknown version"
    return Firmware("Z-Stack ZNP", text, baudrate, family="znp", eui64=address)


def judge_znp(firmware: Firmware, port: str) -> Judgement:
    """By its version: 2.7 is Z-Stack 3.30."""
    if not re.match(r"2\.([7-9]|\d\d)|[3-9]", firmware.version):
        return Judgement(False, f"it runs {firmware}: expected 2.7 or newer, which is Z-Stack 3.30: flash that coordinator firmware")
    return Judgement(True, str(firmware))


# -- Spinel in HDLC: PROP_VALUE_GET of NCP_VERSION (zigbee-on-host 0.3.0, spinel/)

_GET_VERSION, _VERSION_IS = b"\x81\x02\x02", b"\x81\x06\x02"
_HDLC_RESERVED = frozenset((0x7E, 0x7D, 0x11, 0x13, 0xF8))


def _fcs(octets: bytes) -> bytes:
    """CRC-16/X-25, low octet first."""
    crc = 0xFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return (crc ^ 0xFFFF).to_bytes(2, "little")


def hdlc(octets: bytes) -> bytes:
    """The octets as an HDLC frame."""
    stuffed = bytearray()
    for octet in octets + _fcs(octets):
        stuffed += bytes((0x7D, octet ^ 0x20)) if octet in _HDLC_RESERVED else bytes((octet,))
    return b"\x7e" + bytes(stuffed) + b"\x7e"


def _spinel_version(octets: bytes) -> str | None:
    for piece in octets.split(b"\x7e"):
        frame = re.sub(rb"\x7d(.)", lambda match: bytes((match[1][0] ^ 0x20,)), piece, flags=re.DOTALL)
        if frame.startswith(_VERSION_IS) and _fcs(frame[:-2]) == frame[-2:]:
            return frame[3:-2].split(b"\0")[0].decode("ascii", "replace")
    return None


async def _spinel(link: DataLink, baudrate: int) -> Firmware | None:
    await link.write(hdlc(_GET_VERSION))
    version = await _answer(link, ANSWER_S, _spinel_version)
    return None if version is None else Firmware("OpenThread RCP", version, baudrate)


# -- CPC: unnumbered PROP_VALUE_GET of SECONDARY_CPC_VERSION (universal-silabs-flasher 1.2.0, cpc.py and cpc_types.py)

_CPC_GET, _CPC_IS, _CPC_VERSION = 0x02, 0x06, 0x03


def cpc(command: int, value: bytes = b"") -> bytes:
    """An unnumbered frame to or from the system endpoint about the CPC version."""
    body = _CPC_VERSION.to_bytes(4, "little") + value
    payload = bytes((command, 0)) + len(body).to_bytes(2, "little") + body
    header = b"\x14\x00" + (len(payload) + 2).to_bytes(2, "little") + b"\xc4"
    return header + binascii.crc_hqx(header, 0).to_bytes(2, "little") + payload + binascii.crc_hqx(payload, 0).to_bytes(2, "little")


def _cpc_version(octets: bytes) -> str | None:
    start = octets.find(b"\x14")
    while start >= 0:
        frame = octets[start:]
        length = int.from_bytes(frame[2:4], "little")
        payload = frame[7 : 5 + length]
        intact = len(frame) >= 7 + length and binascii.crc_hqx(frame[:5], 0).to_bytes(2, "little") == frame[5:7]
        if intact and len(payload) >= 20 and payload[0] == _CPC_IS and payload[4] == _CPC_VERSION:
            return ".".join(str(int.from_bytes(payload[at : at + 4], "little")) for at in (8, 12, 16))
        start = octets.find(b"\x14", start + 1)
    return None


async def _cpc(link: DataLink, baudrate: int) -> Firmware | None:
    await link.write(cpc(_CPC_GET))
    version = await _answer(link, ANSWER_S, _cpc_version)
    return None if version is None else Firmware("multiprotocol RCP (CPC)", version, baudrate)


# -- prompts: a boot loader's menu, a router's command line (universal-silabs-flasher 1.2.0, gecko_bootloader.py and router.py)


def _prompt(octets: bytes) -> tuple[str, str] | None:
    menu = re.search(rb"(?:Gecko|Serial) Bootloader v(.*?)\r\n", octets)
    if menu is not None:
        return _BOOTLOADER, menu[1].decode("ascii", "replace")
    return (_ROUTER, "") if octets.rstrip().endswith(b">") else None


def _router_version(octets: bytes) -> str | None:
    told = re.search(rb"stack ver\. \[(.*?)\]", octets)
    return None if told is None else told[1].decode("ascii", "replace")


async def _prompts(link: DataLink, baudrate: int) -> Firmware | None:
    await link.write(b"\r\n")
    found = await _answer(link, ANSWER_S, _prompt)
    if found is None or found[0] == _BOOTLOADER:
        return None if found is None else Firmware(found[0], found[1], baudrate)
    await link.write(b"version\r\n")
    version = await _answer(link, ANSWER_S, _router_version)
    return None if version is None else Firmware(_ROUTER, version, baudrate)


_OTHERS: Mapping[int, tuple[tuple[int, Question], ...]] = {
    115200: ((10, _prompts), (90, _spinel), (91, _cpc)),
    460800: ((90, _spinel), (91, _cpc)),
    230400: ((91, _cpc),),
}
"""Firmware that this bench has no use for, by rate: its turn, and who asks for it."""


def questions() -> dict[int, list[Question]]:
    """Everything that is asked, by rate and in its turn: the families that are installed at theirs, the others where the sources above
    look for them."""
    turns: dict[int, list[tuple[int, Question]]] = {rate: list(asked) for rate, asked in _OTHERS.items()}
    for family in families():
        for rate in family.rates:
            turns.setdefault(rate, []).append((family.order, family.part(family.ask)))
    return {rate: [ask for _, ask in sorted(asked, key=lambda one: one[0])] for rate, asked in turns.items()}
