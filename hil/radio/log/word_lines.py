"""Lines that tell a frame in a host's own words, without its octets: name, kind and fields of it, and the statuses that tell of a failure.

zigbee-herdsman writes so at its debug level (ember: name and length of a command, fields of a callback; zstack: fields as JSON), and
zigpy-znp below its trace level. What may be a key is not shown.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bellows.types as t

from hil.radio.log.ezsp_words import no_failure

SECRET_OCTETS = 16
"""A value of non-volatile memory so long may hold a key: it is not shown."""
_ZSTACK_FINE = {0x00, 0x09, 0x0A}
"""Success, and an item that was not there or is now (reference ncp-real 11)."""
_BDB = "APP_CNF"
"""Subsystem whose notifications have statuses of their own: restored, formation failed."""
Told = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WordLine:
    """A frame as a line tells it. ``layer``: of the frame (ezsp, ash, mt); ``failed``: statuses that tell of a failure."""

    layer: str
    name: str
    kind: str
    fields: Told = ()
    failed: tuple[str, ...] = ()


def read_words(words: str, *, from_host: bool) -> WordLine | None:
    """The frame that a line tells; None for words that tell none."""
    for pattern, reader in _READERS:
        match = pattern.search(words)
        if match is not None:
            return reader(match, from_host)
    return None


def _camel(name: str) -> str:
    first, *more = name.lower().split("_")
    return first + "".join(part.capitalize() for part in more)


def _ember_frame(match: re.Match[str], from_host: bool) -> WordLine:
    kind = "command" if from_host else "callback" if match["callback"] else "response"
    return WordLine("ezsp", _camel(match["name"]), kind, (("sequence", match["sequence"]), ("octets", match["octets"])))


def _ember_link(match: re.Match[str], from_host: bool) -> WordLine:
    fields = tuple(re.findall(r"(\w+)=(\w+)", match["fields"]))
    failed = ("sent again",) if ("reTx", "1") in fields or ("retx", "1") in fields else ("rejected",) if match["kind"] == "NAK" else ()
    failed = ("the dongle has failed and waits for a reset",) if match["kind"] == "ERROR" else failed
    return WordLine("ash", match["kind"], "", fields, failed)


def _ember_callback(match: re.Match[str], from_host: bool) -> WordLine:
    fields = tuple(re.findall(r"(\w+)[=:](\{.*?\}|\S+)", match["fields"]))
    name = match["name"]
    return WordLine("ezsp", name[:1].lower() + name[1:], "callback", fields, _failed_status(fields))


def _ember_outcome(match: re.Match[str], from_host: bool) -> WordLine:
    """A setting, or a message that was not sent: both with the status that the dongle gave."""
    fields = (("what", match["what"]), ("status", match["status"]))
    return WordLine("ezsp", "outcome", "", fields, _failed_status(fields))


def _failed_status(fields: Told) -> tuple[str, ...]:
    """Statuses of the stack among the fields; those of other enumerations have names of their own."""
    known = (t.sl_Status.__members__, t.EmberStatus.__members__, t.EzspStatus.__members__)
    return tuple(value for field, value in fields if field == "status" and any(value in names for names in known) and not no_failure(value))


def _unpi(match: re.Match[str], from_host: bool) -> WordLine:
    kind = {"SREQ": "command", "SRSP": "response"}.get(match["kind"], "command" if from_host else "callback")
    name = f"{match['subsystem']}.{match['name']}"
    try:
        values = json.loads(match["fields"] or "{}")
    except ValueError:  # cut off, or not of this form
        values = {}
    fields = tuple((field, _shown(name, field, value)) for field, value in values.items())
    status = values.get("status")
    own = match["subsystem"] == _BDB and kind == "callback"
    failed = () if own or not isinstance(status, int) or status in _ZSTACK_FINE else (_zstack_status(status),)
    return WordLine("mt", name, kind, fields, failed)


def _zstack_status(status: int) -> str:
    import zigpy_znp.types as zt  # which a log of an EZSP dongle does not need

    return str(zt.Status(status).name)


def _shown(command: str, field: str, value: object) -> str:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return _octets(command, field, bytes(value["data"]))
    return str(value)


def _octets(command: str, field: str, octets: bytes) -> str:
    if len(octets) >= SECRET_OCTETS and ("nv" in command.lower() or "key" in (command + field).lower() or "code" in field.lower()):
        return f"{len(octets)} octets, not shown"
    return octets.hex() or "none"


def _zigpy_znp(match: re.Match[str], from_host: bool) -> WordLine:
    kind = {"Req": "command", "Rsp": "response", "Callback": "callback"}[match["kind"]]
    fields, failed = list[tuple[str, str]](), list[str]()
    for part in _parts(match["fields"]):
        field, _, value = part.partition("=")
        named = re.fullmatch(r"<(\w+)\.(\w+): \w+>", value)
        if named is not None:
            if named[1] == "Status" and named[2] not in ("SUCCESS", "NV_ITEM_UNINIT", "NV_ITEM_INITIALIZED"):
                failed.append(named[2])
            value = named[2]
        elif value[:2] in ("b'", 'b"'):
            value = _literal(match["name"], field, value)
        elif "key" in field.lower() and len(value) >= 2 * SECRET_OCTETS:
            value = "a key, not shown"
        fields.append((field, value))
    return WordLine("mt", f"{match['name']}.{match['kind']}", kind, tuple(fields), () if from_host else tuple(failed))


def _literal(command: str, field: str, text: str) -> str:
    try:
        return _octets(command, field, ast.literal_eval(text))
    except (ValueError, SyntaxError):  # cut off
        return "octets, not shown"


def _parts(text: str) -> Iterator[str]:
    """Fields of a call, which commas part where no bracket and no string is open."""
    depth, quote, begin, escaped = 0, "", 0, False
    for at, letter in enumerate(text):
        if quote:
            quote, escaped = ("" if letter == quote and not escaped else quote), letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        elif letter in "([{<":
            depth += 1
        elif letter in ")]}>":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[begin:at].strip()
            begin = at + 1
    if text[begin:].strip():
        yield text[begin:].strip()


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], bool], WordLine]], ...] = (
    (re.compile(r"\[(?P<callback>CB)?FRAME:? ID=\d+:\"(?P<name>\w+)\" Seq=(?P<sequence>\d+) Len=(?P<octets>\d+)\]"), _ember_frame),
    (re.compile(r"\[FRAME type=(?P<kind>\w+)(?P<fields>.*)"), _ember_link),
    (re.compile(r"^ezsp(?P<name>\w+Handler): (?P<fields>.*)"), _ember_callback),
    (re.compile(r"(?P<what>SET '.*|Failed to .*) with status=(?P<status>\w+)"), _ember_outcome),
    (re.compile(r"^(?P<kind>SREQ|SRSP|AREQ): (?P<subsystem>\w+) - (?P<name>\w+)(?: - (?P<fields>\{.*))?"), _unpi),
    (re.compile(r"^(?P<name>\w+\.\w+)\.(?P<kind>Req|Rsp|Callback)\((?P<fields>.*)\)"), _zigpy_znp),
)
