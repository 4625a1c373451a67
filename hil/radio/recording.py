"""Record what hub and dongle say to each other, and play it later as a dongle of its own: a fault in the field becomes a test.

A recording is JSON lines: a head (format, version, kind, EZSP version or family, whether it holds secrets), then one line for each EZSP
or MT frame, reset and error with its time in seconds. It is taken from the octets of the serial line, of a real dongle or a virtual one.
Keys are blanked by the declarations of the commands that carry them, unless secrets are asked for: a played dongle then gives out keys of
zeros.

What is not recorded: octets that ASH dropped (damaged frames), acknowledgements and repeats. They are the link's own business.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable, in_words
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.ncp.ash import FLAG, AshFrameKind, classify, randomise, unstuff
from hil.radio.ncp.ezsp import VERSIONS, Ncp, Request, Schema, decode_frame, field_spans, schemas_by_id
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.ncp.server import NcpServer
from hil.radio.personality import of_version, personality
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack.tokens import Tokens
from hil.radio.znp.commands import commands
from hil.radio.znp.firmware import Znp
from hil.radio.znp.handlers import HANDLERS as ZNP_HANDLERS
from hil.radio.znp.mt import MtFrame, Parser
from hil.radio.znp.secrets import blank
from hil.radio.znp.server import ZnpServer

FORMAT, VERSION = "chub-recording", 1
HOST, DONGLE = "host", "dongle"
_RSTACK, _ERROR = 0xC1, 0xC2
_NOBODY = Eui64.parse("02000000000000ff")


class RecordingError(CommsHubError):
    """A file that is no recording, or one that this release cannot play: names file, line and expectation."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line: who spoke when, and an EZSP or MT frame or what else it was (``rst``, ``rstack``, ``error`` with its code)."""

    time: float
    sender: str
    frame: bytes = b""
    other: str = ""
    code: int = 0

    def as_json(self) -> str:
        out: dict[str, object] = {"t": round(self.time, 6), "from": self.sender}
        if self.other:
            out[self.other] = self.code
        else:
            out["frame"] = self.frame.hex()
        return json.dumps(out)


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording. ``ezsp`` is the version, 0 for a dongle of another family."""

    ezsp: int
    secrets: bool
    spoken: tuple[Spoken, ...]
    family: str = "ezsp"


def blank_keys(frame: bytes, version: int, *, answer: bool) -> bytes:
    """The frame with every key in it as zeros; one that cannot be read is left out whole, for what it may hold."""
    if len(frame) > 3 and frame[2] == 0x00:  # the older form, in which only `version` is spoken here
        return frame
    try:
        request = decode_frame(frame, version)
    except DecodeError:
        return b""
    schema = schemas_by_id(version).get(request.frame_id)
    if schema is None:
        return frame[: len(frame) - len(request.parameters)] + bytes(len(request.parameters))
    blank = bytearray(frame)
    start = len(frame) - len(request.parameters)
    for kind, first, last in field_spans(schema.response if answer else schema.request, request.parameters, version):
        if kind in ("key", "?"):
            blank[start + first : start + last] = bytes(last - first)
    return bytes(blank)


class _Side:
    """Speech of one end: octets in, EZSP frames and resets out."""

    def __init__(self, sender: str) -> None:
        self._sender = sender
        self._octets = bytearray()
        self.next = 0

    def feed(self, octets: bytes) -> list[tuple[bytes, str, int]]:
        """Each new (frame, other, code), repeats and damaged ones left out."""
        self._octets += octets
        found: list[tuple[bytes, str, int]] = []
        while (end := self._octets.find(FLAG)) >= 0:
            body = unstuff(bytes(self._octets[:end]).lstrip(b"\x1a\x11\x13"))
            del self._octets[: end + 1]
            if body is None:
                continue
            kind = classify(body)
            if kind is AshFrameKind.DATA and body[0] >> 4 & 7 == self.next:
                self.next = self.next + 1 & 7
                found.append((randomise(body[1:]), "", 0))
            elif kind is AshFrameKind.RST:
                found.append((b"", "rst", 0))
            elif kind is AshFrameKind.OTHER and self._sender == DONGLE and body[0] in (_RSTACK, _ERROR) and len(body) > 2:
                found.append((b"", "rstack" if body[0] == _RSTACK else "error", body[2]))
        return found


class _MtSide:
    """Speech of one end of a ZNP's line: octets in, MT frames out."""

    def __init__(self) -> None:
        self._parser = Parser()
        self.next = 0

    def feed(self, octets: bytes) -> list[tuple[bytes, str, int]]:
        """Each new frame, as (frame, "", 0)."""
        return [(frame.encode(), "", 0) for frame in self._parser.feed(octets)]


class Recorder:
    """Writes a recording while it goes on. :meth:`heard` is the tap of a dongle's line, of the family ``ezsp`` or ``znp``."""

    def __init__(self, path: Path, clock: Clock, ezsp: int, *, family: str = "ezsp", secrets: bool = False) -> None:
        """Raises NotAvailable where the file cannot be written."""
        try:
            path.touch(mode=0o600 if secrets else 0o644)
            self._file: TextIO = path.open("w", encoding="utf-8")
        except OSError as wrong:
            raise NotAvailable(f"a recording in {path}", f"{wrong.strerror}: name a file that can be written") from wrong
        self._clock, self._ezsp, self._secrets = clock, ezsp, secrets
        self._began = clock.now()
        self._family = family
        self._sides: Mapping[str, _Side | _MtSide] = (
            {HOST: _Side(HOST), DONGLE: _Side(DONGLE)} if family == "ezsp" else {HOST: _MtSide(), DONGLE: _MtSide()}
        )
        head: dict[str, object] = {"format": FORMAT, "version": VERSION, "kind": "serial", "secrets": secrets}
        head |= {"ezsp": ezsp} if family == "ezsp" else {"family": family}
        self._file.write(json.dumps(head) + "\n")

    def heard(self, sender: str, octets: bytes) -> None:
        """Octets of the line, by ``host`` or ``dongle``."""
        for frame, other, code in self._sides[sender].feed(octets):
            if other:
                for side in self._sides.values():
                    side.next = 0
            elif not self._secrets and self._family != "ezsp":
                frame = blank(frame)
            elif not self._secrets:
                frame = blank_keys(frame, self._ezsp, answer=sender == DONGLE)
            if frame or other:
                spoken = Spoken(self._clock.now() - self._began, sender, frame, other, code)
                self._file.write(spoken.as_json() + "\n")
                self._file.flush()

    def close(self) -> None:
        self._file.close()


def load_recording(path: Path) -> Recording:
    """Read a recording. Raises RecordingError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise RecordingError(f"{path}: cannot be read: {in_words(wrong)}") from wrong
    number = 1
    try:
        head = json.loads(lines[0])
        family = head.get("family", "ezsp")
        known = head.get("ezsp") in VERSIONS if family == "ezsp" else family == "znp"
        if head.get("format") != FORMAT or head.get("version") != VERSION or head.get("kind") != "serial" or not known:
            raise RecordingError(f"{path}: line 1: expected the head of a {FORMAT}, version {VERSION}, read {lines[0][:80]}")
        spoken = []
        for number, line in enumerate(lines[1:], 2):  # noqa: B007
            row = json.loads(line)
            other = next((name for name in ("rst", "rstack", "error") if name in row), "")
            frame = bytes.fromhex(row["frame"]) if not other else b""
            if row["from"] not in (HOST, DONGLE):
                raise ValueError(f"from {row['from']!r}")
            spoken.append(Spoken(float(row["t"]), row["from"], frame, other, int(row[other]) if other else 0))
    except (IndexError, KeyError, ValueError, AttributeError, TypeError) as wrong:
        raise RecordingError(f"{path}: line {number}: expected a line of a recording: {wrong}") from wrong
    return Recording(int(head.get("ezsp", 0)), bool(head["secrets"]), tuple(spoken), family)


class PlayedNcp(Ncp):
    """Answers as the recorded dongle did: a command is looked for from where the recording stands, by its id, and all that the dongle
    said from it to the next one is said again, at the recorded distances."""

    def __init__(self, recording: Recording, air: Air, send: Callable[[bytes], None], restart: Callable[[int], None]) -> None:
        self.recording = recording
        self.place = 0
        """Place in the recording: the next line."""
        self.unanswered: list[str] = []
        """Commands that the recording does not hold from there on."""
        self._say = send
        self._restart = restart
        self._due: list[asyncio.TimerHandle] = []
        self._asked = False
        super().__init__(air, Tokens(_NOBODY), of_version(recording.ezsp), send, HANDLERS, Crowd(NcpFaults()))

    def receive(self, data: bytes) -> None:
        try:
            request = decode_frame(data, self.version)
        except DecodeError:
            return
        self._asked = True
        at = self._find(request)
        if at is None:
            schema: Schema | None = schemas_by_id(self.version).get(request.frame_id)
            self.unanswered.append(f"0x{request.frame_id:04x}" if schema is None else schema.name)
            super().receive(data)
            return
        asked = self.recording.spoken[at]
        self.place = at + 1
        for spoken in self.recording.spoken[self.place :]:
            if spoken.sender == HOST:
                break
            self.place += 1
            self._later(spoken.time - asked.time, spoken, request.sequence if spoken.frame[:1] == asked.frame[:1] else None)

    def _find(self, request: Request) -> int | None:
        for at in range(self.place, len(self.recording.spoken)):
            spoken = self.recording.spoken[at]
            if spoken.sender == HOST and spoken.frame and decode_frame(spoken.frame, self.version).frame_id == request.frame_id:
                return at
        return None

    def _later(self, seconds: float, spoken: Spoken, sequence: int | None) -> None:
        frame = spoken.frame if sequence is None or not spoken.frame else bytes([sequence]) + spoken.frame[1:]
        loop = asyncio.get_running_loop()
        self._due = [timer for timer in self._due if not timer.cancelled() and timer.when() >= loop.time()]
        self._due.append(loop.call_later(max(0.0, seconds), self._speak, frame, spoken))

    def _speak(self, frame: bytes, spoken: Spoken) -> None:
        if spoken.other == "rstack":
            self._restart(spoken.code)
        elif frame:
            self._say(frame)

    def reset(self) -> None:
        """The host reset the dongle, or it has no power: what was due is not said; the recording goes on behind its next reset."""
        for timer in getattr(self, "_due", ()):
            timer.cancel()
        super().reset()
        asked, self._asked = getattr(self, "_asked", False), False
        if not asked:  # it was silent since the last reset: the same one, told twice
            return
        behind = [at for at, spoken in enumerate(self.recording.spoken) if at >= self.place and spoken.other == "rst"]
        if behind:
            self.place = behind[0] + 1


class PlayedDongle(NcpServer):
    """A dongle out of a recording, on a pseudo-terminal: to the hub it is the one that was recorded."""

    ncp: PlayedNcp

    def __init__(self, recording: Recording, clock: Clock) -> None:
        air = Air(clock)
        super().__init__(air, _NOBODY, recording.ezsp, None, clock)
        self.ncp = PlayedNcp(recording, air, self._to_host, lambda code: self._act(self.ash.power_up(announce=True)))


class PlayedZnp(Znp):
    """Answers as the recorded ZNP did, in the way of :class:`PlayedNcp`."""

    def __init__(self, recording: Recording, air: Air, send: Callable[[MtFrame], None], restart: Callable[[], None], crowd: Crowd) -> None:
        self.recording = recording
        self.place = 0
        self.unanswered: list[str] = []
        self._say = send
        self._due: list[asyncio.TimerHandle] = []
        super().__init__(air, Tokens(_NOBODY), send, restart, personality("znp"), ZNP_HANDLERS, crowd)

    def receive(self, frame: MtFrame) -> None:
        wanted = frame.kind, frame.subsystem, frame.command
        spoken = self.recording.spoken
        at = next((at for at in range(self.place, len(spoken)) if spoken[at].sender == HOST and _mt_head(spoken[at].frame) == wanted), None)
        if at is None:
            self.unanswered.append(f"{frame.subsystem}/{frame.command:02x}")
            super().receive(frame)
            return
        self.place = at + 1
        for one in spoken[self.place :]:
            if one.sender == HOST:
                break
            self.place += 1
            for said in Parser().feed(one.frame):
                self._due = [timer for timer in self._due if not timer.cancelled()][-64:]
                self._due.append(asyncio.get_running_loop().call_later(max(0.0, one.time - spoken[at].time), self._say, said))

    def reset(self) -> None:
        """The host reset the dongle, or it has no power: what was due is not said."""
        for timer in getattr(self, "_due", ()):
            timer.cancel()
        super().reset()


def _mt_head(octets: bytes) -> tuple[int, int, int] | None:
    frame = next(iter(Parser().feed(octets)), None)
    return None if frame is None else (frame.kind, frame.subsystem, frame.command)


class PlayedZnpDongle(ZnpServer):
    """A ZNP out of a recording, on a pseudo-terminal."""

    ncp: PlayedZnp

    def __init__(self, recording: Recording, clock: Clock) -> None:
        air = Air(clock)
        super().__init__(air, _NOBODY, clock=clock)
        self.ncp = PlayedZnp(recording, air, self._to_host, self.reset, self._crowd)


REPLAY = "replay:"
"""Before the name of a recording, in place of a radio's path: ``--set radio.path=replay:field.jsonl``."""


def played(path: str, clock: Clock) -> PlayedDongle | PlayedZnpDongle:
    """The dongle of ``replay:FILE``. Raises RecordingError."""
    recording = load_recording(Path(path.removeprefix(REPLAY)))
    return PlayedDongle(recording, clock) if recording.family == "ezsp" else PlayedZnpDongle(recording, clock)


def conversation(recording: Recording) -> Sequence[str]:
    """One line for each frame, in words, for reading a recording."""
    told = []
    for spoken in recording.spoken:
        name = spoken.other
        if recording.family == "znp":
            head = _mt_head(spoken.frame)
            row = None if head is None else next((one for one in commands().values() if (one.subsystem, one.number) == head[1:]), None)
            name = "" if row is None else row.name
        elif not name and spoken.frame[2:3] == b"\x00":
            name = "version"
        elif not name:
            with contextlib.suppress(DecodeError):
                request = decode_frame(spoken.frame, recording.ezsp)
                schema = schemas_by_id(recording.ezsp).get(request.frame_id)
                name = f"0x{request.frame_id:04x}" if schema is None else schema.name
        told.append(f"{spoken.time:10.3f} {spoken.sender:6} {name} {spoken.frame.hex()}".rstrip())
    return told
