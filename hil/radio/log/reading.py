"""A debug log read whole: its frames in words, the version from its own exchange, what went wrong, and the log as a recording."""

from __future__ import annotations

import binascii
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from pathlib import Path

from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable
from hil.radio.aps_recording import KIND, load_messages
from hil.radio.log import ezsp_words
from hil.radio.log.ezsp_words import Words
from hil.radio.log.lines import DONGLE, HOST, LoggedLine, OctetForm, believed, said
from hil.radio.ncp.ash import FLAG, randomise, unstuff
from hil.radio.recording import FORMAT, VERSION, Spoken, blank_keys, load_recording
from hil.radio.znp.mt import SOF, MtFrame, Parser

SILENCE_S = 3.0
"""A command whose answer takes longer counts as a silence: hosts wait 3 s and more (reference ncp-real 7)."""
_FULL = (
    "FULL",
    "NO_BUFFERS",
    "ALLOCATION_FAILED",
    "MAX_MESSAGE_LIMIT",
    "NO_MORE_RESOURCE",
    "TOO_MANY",
    "OVERFLOW",
    "NWK_TABLE",
    "MAC_NO_RESOURCES",
)
_RSTACK, _ERROR = 0xC1, 0xC2
_CODES = {
    0: "unknown",
    1: "external",
    2: "power-on",
    3: "watchdog",
    6: "assert",
    9: "boot loader",
    0x0B: "software",
    0x51: "ack time-outs exceeded",
}
"""Codes of RSTACK and ERROR (reference ncp-real 1)."""


class LogError(CommsHubError):
    """A file that is no log of a dongle's host: names it and what was expected."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing said: a frame in words, or what the link did."""

    line: int
    time: float | None
    sender: str
    layer: str
    """``ezsp``, ``mt``, ``ash`` or ``words`` (the library's own, without octets)."""
    name: str
    kind: str = ""
    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    octets: bytes = b""
    code: int = 0

    def as_json(self) -> dict[str, object]:
        told: dict[str, object] = {"line": self.line, "time": self.time, "from": self.sender, "layer": self.layer, "name": self.name}
        told |= {"kind": self.kind} if self.kind else {}
        told |= {"fields": dict(self.fields)} if self.fields else {}
        return told | ({"text": self.text} if self.text and not self.fields else {})


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that went wrong, and the line that shows it."""

    line: int
    what: str
    why: str

    def as_json(self) -> dict[str, object]:
        return {"line": self.line, "what": self.what, "why": self.why}


@dataclass(slots=True)
class Log:
    """A whole log. ``family``: ezsp, znp, or "" where it holds words alone. ``version``: of EZSP, and whether the log itself told it."""

    family: str
    version: int | None = None
    told: bool = False
    entries: list[Entry] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        head = {"family": self.family, "version": self.version, "version_told": self.told}
        return head | {"entries": [one.as_json() for one in self.entries], "wrong": [one.as_json() for one in self.wrong]}


def read_log(path: Path) -> Log:
    """Read a log, or a recording. Raises LogError, RecordingError."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as trouble:
        raise LogError(f"{path}: cannot be read: {trouble.strerror}") from trouble
    if lines and f'"format": "{FORMAT}"' in lines[0]:
        return _recorded(path, lines[0])
    return read_lines(lines, str(path))


def _recorded(path: Path, head: str) -> Log:
    """A recording of ours, of the line or of the messages."""
    if f'"kind": "{KIND}"' in head:
        return _messages(path)
    recording = load_recording(path)
    form = OctetForm.CLEAR if recording.family == "ezsp" else OctetForm.WIRE
    kept = [LoggedLine(line, one.time, one.sender, form, one.frame) for line, one in enumerate(recording.spoken, 2) if one.frame]
    return _ezsp(kept) if recording.family == "ezsp" else _znp(kept)


def _messages(path: Path) -> Log:
    log = Log("")
    for line, one in enumerate(load_messages(path), 2):
        fields = (("from", one.sender), ("to", one.destination or "everybody"))
        text = f"{one.sender} to {one.destination or 'everybody'}: {one.text}"
        log.entries.append(Entry(line, one.time, one.sender, "aps", one.name, text=text, fields=fields))
    return log


def read_lines(lines: Iterable[str], name: str) -> Log:
    """The same from lines; ``name`` is for the error."""
    kept = believed(said(lines))
    if not kept:
        raise LogError(
            f"{name}: no line says what went over a dongle's line: expected a debug log of bellows, ZHA, Zigbee2MQTT or zigpy-znp "
            "(switch on debug of bellows, zigpy_znp, or Zigbee2MQTT's log_level debug)"
        )
    octets = [one for one in kept if one.form is not OctetForm.WORDS]
    if not octets:
        return _words_alone(kept)
    return _znp(kept) if any(_is_mt(one.octets) for one in octets) else _ezsp(kept)


def _is_mt(octets: bytes) -> bool:
    return len(octets) >= 5 and octets[0] == SOF and octets[1] + 5 <= len(octets) and not reduce(xor, octets[1 : octets[1] + 5])


def _words_alone(kept: list[LoggedLine]) -> Log:
    from hil.radio.log.word_lines import read_words  # brings zigpy-znp, which a log with octets does not need

    log = Log("")
    asked: dict[str, float | None] = {}
    for one in kept:
        told = read_words(one.words, from_host=one.sender == HOST)
        if told is None:
            log.wrong.append(Wrong(one.line, "not understood", one.words[:80]))
            log.entries.append(Entry(one.line, one.time, one.sender, "words", "unknown"))
            continue
        text = ", ".join(f"{field} {value}" for field, value in told.fields)
        log.entries.append(Entry(one.line, one.time, one.sender, told.layer, told.name, told.kind, text, told.fields))
        for status in told.failed:
            link = told.layer == "ash"
            what = "the link" if link else "full" if any(word in status for word in _FULL) else "failed"
            log.wrong.append(Wrong(one.line, what, f"{told.name}: {status}"))
        question = told.name.rpartition(".")[0] if told.name.endswith((".Req", ".Rsp")) else told.name
        if told.kind == "command":
            asked[question] = one.time
        elif told.kind == "response":
            at = asked.pop(question, None)
            if at is not None and one.time is not None and one.time - at > SILENCE_S:
                log.wrong.append(Wrong(one.line, "silence", f"{question} was answered after {one.time - at:.1f} s"))
    return log


# --- EZSP


class _Stream:
    """One end of an ASH line: octets in chunks to frames, each with the line of the log that ends it."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, octets: bytes) -> Iterator[tuple[bytes, bool]]:
        """Each frame without its check, and whether the check held."""
        self._octets += octets
        while (end := self._octets.find(FLAG)) >= 0:
            raw = bytes(self._octets[:end]).rpartition(b"\x1a")[2].translate(None, b"\x11\x13")
            del self._octets[: end + 1]
            if raw:
                yield plain(raw)


def plain(raw: bytes) -> tuple[bytes, bool]:
    """A frame of ASH without flag and check, stuffed or not, and whether its check holds."""
    body = unstuff(raw)
    if body is not None:
        return body, True
    if len(raw) >= 3 and binascii.crc_hqx(raw, 0xFFFF) == 0:
        return raw[:-2], True
    return raw[:-2], False


def _frames(kept: list[LoggedLine], wrong: list[Wrong]) -> Iterator[tuple[LoggedLine, bytes, str]]:
    """Each EZSP frame or, with the name of it, what else the link did."""
    streams = {HOST: _Stream(), DONGLE: _Stream()}
    for one in kept:
        if one.form is OctetForm.CLEAR:
            yield one, one.octets, ""
        elif one.form is OctetForm.RANDOM:
            yield one, randomise(one.octets), ""
        elif one.form is not OctetForm.WORDS:
            apart = one.form is OctetForm.ASH
            whole = one.octets + bytes([FLAG]) if apart and not one.octets.endswith(bytes([FLAG])) else one.octets
            stream = _Stream() if apart else streams[one.sender]
            for body, intact in stream.feed(whole):
                if not intact:
                    wrong.append(Wrong(one.line, "damaged", f"a frame of the {one.sender} whose check fails: {body.hex()}"))
                elif body:
                    yield one, *_ash(one, body, wrong)


def _ash(one: LoggedLine, body: bytes, wrong: list[Wrong]) -> tuple[bytes, str]:
    control = body[0]
    if not control & 0x80:
        if control & 0x08:
            wrong.append(
                Wrong(one.line, "sent again", f"the {one.sender} sends DATA {control >> 4 & 7} once more: it was not acknowledged in time")
            )
        return randomise(body[1:]), ""
    if control & 0xE0 == 0xA0:
        wrong.append(Wrong(one.line, "rejected", f"the {one.sender} rejects what came and expects DATA {control & 7} again (NAK)"))
        return b"", "NAK"
    names = {0xC0: "RST", _RSTACK: "RSTACK", _ERROR: "ERROR"}
    if control == _ERROR:
        code = body[2] if len(body) > 2 else -1
        wrong.append(
            Wrong(one.line, "ERROR", f"the dongle has failed and waits for a reset: code 0x{code:02X}, {_CODES.get(code, 'not known')}")
        )
    return body[2:3], names.get(control, "ACK")


def _ezsp(kept: list[LoggedLine]) -> Log:
    log = Log("ezsp")
    parts = list(_frames(kept, log.wrong))
    frames = [(octets, one.sender == HOST) for one, octets, other in parts if not other and octets]
    told = [version for octets, from_host in frames if not from_host and (version := ezsp_words.version_told(octets)) is not None]
    log.told = bool(told)
    log.version = told[-1] if told else ezsp_words.best_version(frames)
    asked: dict[int, tuple[str, float | None]] = {}
    seen: Counter[str] = Counter()
    again: set[tuple[str, bytes]] = set()
    for one, octets, other in parts:
        if other:
            code = octets[0] if octets else 0
            text = _CODES.get(code, f"{code:02x}") if other in ("RSTACK", "ERROR") else ""
            log.entries.append(Entry(one.line, one.time, one.sender, "ash", other, text=text, code=code))
            if other == "RSTACK" and asked:
                log.wrong.append(
                    Wrong(one.line, "reset", f"the dongle was reset ({text}) while {', '.join(name for name, _ in asked.values())} waited")
                )
            asked = {} if other in ("RST", "RSTACK") else asked
            continue
        repeated = (one.sender, octets)
        if repeated in again:
            continue
        again = {repeated}
        entry = _ezsp_entry(one, octets, log, seen)
        log.entries.append(entry)
        if one.sender == HOST and octets:
            asked[octets[0]] = entry.name, one.time
        elif entry.kind == "response" and octets[0] in asked:
            name, at = asked.pop(octets[0])
            if at is not None and one.time is not None and one.time - at > SILENCE_S:
                log.wrong.append(Wrong(one.line, "silence", f"{name} was answered after {one.time - at:.1f} s"))
    log.wrong.sort(key=lambda wrong: wrong.line)
    return log


def _ezsp_entry(one: LoggedLine, octets: bytes, log: Log, seen: Counter[str]) -> Entry:
    assert log.version is not None
    try:
        words = ezsp_words.words(octets, log.version, from_host=one.sender == HOST)
    except DecodeError as problem:
        log.wrong.append(Wrong(one.line, "not understood", str(problem)))
        return Entry(one.line, one.time, one.sender, "ezsp", "unknown", text=octets.hex(), octets=octets)
    seen[words.name] += 1
    _judge(one, words, log.wrong)
    return Entry(one.line, one.time, one.sender, "ezsp", words.name, words.kind, words.text, words.fields, octets)


def _judge(one: LoggedLine, words: Words, wrong: list[Wrong]) -> None:
    for status in words.failed:
        full = any(word in status for word in _FULL)
        wrong.append(Wrong(one.line, "full" if full else "failed", f"{words.name}: {status}"))
    if words.name == "invalidCommand":
        wrong.append(Wrong(one.line, "failed", f"the firmware refuses a command: {words.text}"))
    if words.overflow:
        wrong.append(Wrong(one.line, "full", "the dongle ran out of memory and has lost callbacks (overflow bit)"))


# --- ZNP


def _znp(kept: list[LoggedLine]) -> Log:
    from hil.radio.log import mt_words  # brings zigpy-znp, which a log of an EZSP dongle does not need

    log = Log("znp")
    parsers = {HOST: Parser(), DONGLE: Parser()}
    asked: dict[tuple[int, int], tuple[str, float | None]] = {}
    for one in kept:
        if one.form is OctetForm.WORDS:
            continue
        parser = parsers[one.sender]
        damaged = parser.damaged
        for frame in parser.feed(one.octets):
            try:
                words = mt_words.words(frame, from_host=one.sender == HOST)
            except DecodeError as problem:
                log.wrong.append(Wrong(one.line, "not understood", str(problem)))
                words = Words("unknown", "", (("octets", frame.encode().hex()),), (), b"", -1)
            entry = Entry(one.line, one.time, one.sender, "mt", words.name, words.kind, words.text, words.fields, frame.encode())
            log.entries.append(entry)
            _judge(one, words, log.wrong)
            _silence(one, frame, words.name, asked, log.wrong)
        if parser.damaged > damaged:
            log.wrong.append(Wrong(one.line, "damaged", f"octets of the {one.sender} that are no frame"))
    log.wrong.sort(key=lambda wrong: wrong.line)
    return log


def _silence(
    one: LoggedLine, frame: MtFrame, name: str, asked: dict[tuple[int, int], tuple[str, float | None]], wrong: list[Wrong]
) -> None:
    key = frame.subsystem, frame.command
    if one.sender == HOST and frame.kind.name == "SREQ":
        asked[key] = name, one.time
    elif frame.kind.name == "SRSP" and key in asked:
        began, at = asked.pop(key)
        if at is not None and one.time is not None and one.time - at > SILENCE_S:
            wrong.append(Wrong(one.line, "silence", f"{began} was answered after {one.time - at:.1f} s"))


# --- the log as a recording


def write_replay(log: Log, path: Path) -> int:
    """Write the log as a recording that ``radio.path=replay:`` plays, its keys blanked; the number of frames.

    Raises NotAvailable for a log without frames, and where the file cannot be written.
    """
    spoken = [one for one in (_spoken(entry, log) for entry in log.entries) if one is not None]
    if not spoken or log.family not in ("ezsp", "znp"):
        raise NotAvailable("a replay of this log", "it holds no octets of the line: log at the level that writes them")
    began = next((one.time for one in spoken if one.time), 0.0)
    head: dict[str, object] = {"format": FORMAT, "version": VERSION, "kind": "serial", "secrets": False}
    head |= {"ezsp": log.version} if log.family == "ezsp" else {"family": "znp"}
    rows = [json.dumps(head)]
    latest = 0.0
    for one in spoken:
        latest = max(latest, one.time - began)
        rows.append(Spoken(latest, one.sender, one.frame, one.other, one.code).as_json())
    try:
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    except OSError as trouble:
        raise NotAvailable(f"a recording in {path}", f"{trouble.strerror}: name a file that can be written") from trouble
    return len(spoken)


def _spoken(entry: Entry, log: Log) -> Spoken | None:
    at = entry.time or 0.0
    if entry.layer == "ash" and entry.name in ("RST", "RSTACK", "ERROR"):
        return Spoken(at, entry.sender, other=entry.name.lower(), code=entry.code)
    if entry.layer == "ezsp" and log.version is not None:
        frame = (
            entry.octets if ezsp_words.version_told(entry.octets) else blank_keys(entry.octets, log.version, answer=entry.sender == DONGLE)
        )
        return Spoken(at, entry.sender, frame) if frame else None
    if entry.layer == "mt":
        return Spoken(at, entry.sender, blank_mt(entry.octets))
    return None


def blank_mt(octets: bytes) -> bytes:
    """An MT frame with what may be a key in it as zeros."""
    from hil.radio.znp.secrets import blank

    return blank(octets)
