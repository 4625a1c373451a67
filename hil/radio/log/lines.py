"""Lines of debug logs: what each host writes of its dongle's line, as octets or as words (reference ncp-real 13).

One table has the forms. What a library writes twice, once as it is on the wire and once in the clear, counts once: the wire first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

HOST, DONGLE = "host", "dongle"


class OctetForm(IntEnum):
    """State of the octets of a line, the one that is believed first in front."""

    WIRE = 0
    """As on the line, in chunks of any size."""
    SERIAL = 1
    """The same, as told by the library of serial ports below the radio's."""
    ASH = 2
    """One ASH frame without its stuffing."""
    RANDOM = 3
    """The data of an ASH frame, still randomised."""
    CLEAR = 4
    """An EZSP frame."""
    WORDS = 5
    """No octets: the library's own words."""


@dataclass(frozen=True, slots=True)
class LoggedLine:
    """One line of a log that says something of the dongle's line. ``time`` in seconds since 1970 or midnight; None: none was written."""

    line: int
    time: float | None
    sender: str
    form: OctetForm
    octets: bytes = b""
    words: str = ""


_HEX = r"(?P<hex>(?:[0-9a-fA-F]{2})+)"
_LIST = r"\[(?P<list>\d+(?:,\s*\d+)+)\]"
_FORMS: tuple[tuple[str, OctetForm, str], ...] = (
    # bellows 1.x
    (rf"Received data {_HEX}\b", OctetForm.WIRE, DONGLE),
    (rf"Sending data\s+{_HEX}\b", OctetForm.WIRE, HOST),
    (r"Received frame DataFrame\(.*ezsp_frame=(?P<repr>b'.*?'|b\".*?\")\)", OctetForm.CLEAR, DONGLE),
    (r"Sending frame\s+DataFrame\(.*ezsp_frame=(?P<repr>b'.*?'|b\".*?\")\)", OctetForm.CLEAR, HOST),
    # bellows before 0.35
    (rf"Sending: b'{_HEX}'", OctetForm.WIRE, HOST),
    (rf"Data frame: b'{_HEX}'", OctetForm.ASH, DONGLE),
    (rf"(?:RSTACK Version|ACK frame|NAK frame|Error code|CRC error in frame).*b'{_HEX}'", OctetForm.ASH, DONGLE),
    # zigbee-herdsman, ember
    (rf"<<<< \[FRAME raw={_HEX}\]", OctetForm.WIRE, DONGLE),
    (rf">>>> \[FRAME raw={_HEX}\]", OctetForm.WIRE, HOST),
    (r"(?P<words>={3}> \[FRAME: ID=.*?\]|-{3}> \[FRAME type=.*)", OctetForm.WORDS, HOST),
    (r"(?P<words><={3} \[(?:CB)?FRAME:? ID=.*?\].*|<-{3} \[FRAME type=.*)", OctetForm.WORDS, DONGLE),
    (r"zh:ember:ezsp: (?P<words>ezsp\w+Handler: .*)", OctetForm.WORDS, DONGLE),
    (r"zh:ember: (?P<words>(?:~x~> )?\[.*(?:SET '|Failed to ).* with status=\w+.*)", OctetForm.WORDS, DONGLE),
    # zigbee-herdsman, ezsp
    (rf"(?:--> DATA \(.*?\)|Send DATA frame \(.*?\)):? {_HEX}\b", OctetForm.CLEAR, HOST),
    (rf"(?:<-- DATA \(.*?\)|Recv DATA frame \(.*?\)):? {_HEX}\b", OctetForm.RANDOM, DONGLE),
    (rf"<={{2,3}} Frame: {_HEX}\b", OctetForm.CLEAR, DONGLE),
    (rf"--> \[{_HEX}\]", OctetForm.WIRE, HOST),
    (rf"<-- \[{_HEX}\]", OctetForm.WIRE, DONGLE),
    # zigbee-herdsman, z-stack
    (rf"--> (?:frame )?{_LIST}", OctetForm.WIRE, HOST),
    (rf"<-- {_LIST}", OctetForm.WIRE, DONGLE),
    (r"--> (?P<words>(?:SREQ|AREQ): .*)", OctetForm.WORDS, HOST),
    (r"<-- (?P<words>(?:SRSP|AREQ): .*)", OctetForm.WORDS, DONGLE),
    # zigpy-znp: with octets at its lowest level alone
    (r"Sending data: (?P<repr>b'.*')", OctetForm.WIRE, HOST),
    (r"Received data: (?P<repr>b'.*')", OctetForm.WIRE, DONGLE),
    (r"Sending request: (?P<words>\w+\.\w+\.Req\(.*)", OctetForm.WORDS, HOST),
    (r"Received command: (?P<words>\w+\.\w+\.(?:Rsp|Callback)\(.*)", OctetForm.WORDS, DONGLE),
    # serialx, below bellows and zigpy-znp
    (r"serialx.*?Immediately writing (?P<repr>b'.*'|b\".*\")", OctetForm.SERIAL, HOST),
    (r"serialx.*?Received (?P<repr>b'.*'|b\".*\")", OctetForm.SERIAL, DONGLE),
)
_COMPILED = tuple((re.compile(text), form, sender) for text, form, sender in _FORMS)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))?")
_CLOCK = re.compile(r"\b(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?")


def _time(text: str) -> float | None:
    dated = _DATE.search(text)
    if dated is not None:
        whole = datetime.fromisoformat(f"{dated[1]}T{dated[2]}").replace(tzinfo=UTC).timestamp()
        return whole + float(f"0.{dated[3] or 0}")
    clocked = _CLOCK.search(text)
    if clocked is None:
        return None
    return int(clocked[1]) * 3600 + int(clocked[2]) * 60 + int(clocked[3]) + float(f"0.{clocked[4] or 0}")


def _octets(match: re.Match[str]) -> bytes:
    """Octets of a line, b"" where they cannot be read."""
    found = match.groupdict()
    try:
        if found.get("hex"):
            return bytes.fromhex(found["hex"])
        if found.get("list"):
            return bytes(int(number) for number in found["list"].split(","))
        if found.get("repr"):
            value = ast.literal_eval(found["repr"])
            return value if isinstance(value, bytes) else b""
    except (ValueError, SyntaxError):
        return b""
    return b""


def said(lines: Iterable[str]) -> Iterator[LoggedLine]:
    """Each line that says something, in order."""
    for number, text in enumerate(lines, 1):
        for pattern, form, sender in _COMPILED:
            match = pattern.search(text)
            if match is None:
                continue
            octets = _octets(match)
            words = match.groupdict().get("words") or ""
            if octets or words:
                yield LoggedLine(number, _time(text[: match.start()]), sender, form, octets, words.strip())
            break


def believed(all_said: Iterable[LoggedLine]) -> list[LoggedLine]:
    """The lines that count: of each end, those in the form nearest the wire that the log has."""
    kept = list(all_said)
    best = {sender: min((one.form for one in kept if one.sender == sender), default=OctetForm.WORDS) for sender in (HOST, DONGLE)}
    return [one for one in kept if one.form is best[one.sender] or (one.form is OctetForm.ASH and best[one.sender] is OctetForm.ASH)]
