"""Trace records as a console shows and picks them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.text import Text

from firmware_emu.clock import EPOCH
from firmware_emu.errors import NotAvailable, in_words
from firmware_emu.trace import Record

BAD = frozenset(
    {
        "refused",
        "failed",
        "lost",
        "not delivered",
        "not sent",
        "not joined",
        "not established",
        "discarded",
        "crashed",
        "unanswered",
        "dropped",
        "corrupted",
        "given up",
        "tunnel refused",
        "tunnel lost",
        "no tunnel",
        "key establishment failed",
        "alert not sent",
        "poll failed",
        "wake step failed",
        "response not taken",
        "radio failed",
        "not resumed",
        "hub lost",
        "not sealed",
    }
)
"""Events after which something did not go on."""
_COLOURS = {
    "dcc": "cyan",
    "wan": "blue",
    "hub": "green",
    "han": "magenta",
    "device": "yellow",
    "power": "red",
    "ichis": "red",
    "nvm": "white",
    "fault": "bold red",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records: an empty field takes all. ``device`` is looked for in source and target, ``message`` in the identifier."""

    areas: frozenset[str] = frozenset()
    devices: tuple[str, ...] = ()
    message: str = ""
    events: frozenset[str] = frozenset()

    def __call__(self, record: Record) -> bool:
        if self.areas and record.area not in self.areas:
            return False
        if self.events and record.event not in self.events:
            return False
        if self.devices and not any(one in f"{record.source} {record.target} {record.message}" for one in self.devices):
            return False
        return not self.message or self.message in (record.message or "")


def alert_code(text: str) -> int | None:
    """The number of an alert code as anyone writes it (8F36, 0x8f36); None for what is none."""
    try:
        return int(text.strip(), 16)
    except ValueError:
        return None


def detail(record: Record) -> str:
    """The named scalars in one line."""
    return " ".join(f"{name}={value}" for name, value in record.detail.items() if value is not None)


def hop(record: Record) -> str:
    """Which hop a record is, in one phrase: ``esme 00db1234567890a0 sent to hub, Metering PublishSnapshot, under the link key``."""
    way = f"{record.source} {record.event}" + ("" if record.target is None else f" {record.target}")
    named = [str(record.detail[word]) for word in ("cluster", "command") if record.detail.get(word)]
    secured = record.detail.get("secured")
    key = [] if secured is None else ["under the link key" if secured else "under the network key alone"]
    return ", ".join((way, *([" ".join(named)] if named else []), *key))


def when(record: Record) -> str:
    """Bench time of a record to a millisecond: ``00:00:14.301``."""
    time = EPOCH + timedelta(seconds=record.time)
    return f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"


def line(record: Record) -> Text:
    """One record as one coloured line."""
    event_style = "bold red" if record.event in BAD else "bold"
    text = Text.assemble(
        (f"{when(record)} ", "dim"),
        (f"@{record.number} ", "dim"),
        (f"{record.area:<6} ", _COLOURS.get(record.area, "")),
        record.source,
        " ",
        (record.event, event_style),
    )
    if record.target:
        text.append(f" {record.target}")
    said = detail(record)
    if said:
        text.append(f"  {said}", "dim")
    if record.message:
        text.append(f"  {record.message}", "dim cyan")
    return text


def last_bad(records: Sequence[Record]) -> Record | None:
    """The newest record of something that did not go on; a fault that acts (area bench) is a cause, and not meant."""
    return next((record for record in reversed(records) if record.event in BAD and record.area != "bench"), None)


def of_message(records: Iterable[Record], message: str) -> list[Record]:
    """The hops of one message, by its identifier or a part of it."""
    return [record for record in records if record.message and message in record.message]


def of_exchange(records: Sequence[Record], message: str) -> list[Record]:
    """The hops of a whole exchange: the Command that ``message`` belongs to, its Response, and the service request behind both."""
    known = {record.message for record in records if record.message and message in record.message}
    while True:
        more = {_counterpart(one) for one in known}
        for record in records:
            request = record.detail.get("request")
            if record.message and isinstance(request, str) and (record.message in known or request in known):
                more |= {record.message, request}
        if more <= known:
            return [record for record in records if record.message in known]
        known |= more


def _counterpart(message: str) -> str:
    """The identifier of the Response to a Command, or of the Command of a Response; of anything else its own."""
    match message.split(":"):
        case [originator, recipient, "command", counter]:
            return f"{recipient}:{originator}:response:{counter}"
        case [originator, recipient, "response", counter]:
            return f"{recipient}:{originator}:command:{counter}"
    return message


_TOLD = BAD | {"formed", "joined", "commissioned", "boot", "ac lost", "supply off", "alert", "left", "removed"}


def quiet(record: Record) -> bool:
    """True for a record that a prompt shows unasked: trouble, joins and alerts; not what faults do, and nothing twice."""
    return _waiting(record) or (record.event in _TOLD and record.area != "bench" and record.source != "radio")


def halted(record: Record) -> bool:
    """True for a Command, a Response or a service request that did not go on: what a verb that waits for its answer is told at once,
    and how it can stop waiting."""
    if record.area == "bench":
        return _waiting(record)
    return record.event in BAD and record.message is not None and ":alert:" not in record.message


def _waiting(record: Record) -> bool:
    """True for the bench's word on a verb that still waits."""
    return record.area == "bench" and record.event == "waiting"


def read_trace(folder: Path) -> list[Record]:
    """The trace of a run's folder (or the file itself). Raises NotAvailable where there is none."""
    path = folder / "trace.jsonl" if folder.is_dir() else folder
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [record_of(json.loads(line)) for line in lines if line]
    except (OSError, ValueError, KeyError) as wrong:
        raise NotAvailable(f"a trace in {folder}", f"{in_words(wrong)}; name the folder of a run (runs/...) or its trace.jsonl") from None


def record_of(row: dict[str, object]) -> Record:
    """The record of a line of a trace. Raises KeyError or ValueError for what is none."""
    data = row.get("data")
    detail = row.get("detail") or {}
    assert isinstance(detail, dict)
    return Record(
        int(str(row["number"])),
        float(str(row["time"])),
        str(row["area"]),
        str(row["source"]),
        str(row["event"]),
        None if row.get("target") is None else str(row["target"]),
        None if row.get("message") is None else str(row["message"]),
        None if data is None else bytes.fromhex(str(data)),
        detail,
    )
