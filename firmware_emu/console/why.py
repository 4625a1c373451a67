"""Why a message was refused or lost: the hop, the rule with its clause, the octets that differ, and the next thing to try."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from rich.console import Group
from rich.text import Text

from firmware_emu.console.records import BAD, detail, last_bad, line, of_exchange, of_message, when
from firmware_emu.console.records import hop as phrase
from firmware_emu.console.result import Result, count
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import mac_of
from firmware_emu.gbcs.verify import ProtectionState, check_message, mac_secret
from firmware_emu.trace import Record

ENDS = frozenset({"executed", "delivered", "parsed", "discarded", "unanswered"}) | BAD
"""Events with which a message has come to an end."""
_RULES = ("rule", "clause", "ground", "check", "step", "code")
_SHOWN_HOPS = 12
_LATE_S = 0.01
"""Difference in time that is one: below it is what the air takes. The bench's own figure."""
_SHOWN_DIFFERENCES = 8
_FAULT, _STOP = "fault ", "break "


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. ``record`` is the hop where it began to end, None where nothing did; ``hops`` those of the whole exchange."""

    record: Record | None
    said: str
    rule: str = ""
    differing: tuple[str, ...] = ()
    acted: tuple[str, ...] = ()
    """Stops and faults that acted on the exchange itself."""
    in_force: tuple[str, ...] = ()
    """The other faults that were in force."""
    next_step: str = ""
    hops: tuple[Record, ...] = field(default=())

    @property
    def faults(self) -> tuple[str, ...]:
        """All of them, what acted on the exchange first."""
        return (*self.acted, *self.in_force)


def why(
    records: Sequence[Record],
    keystore: Keystore | None = None,
    *,
    message: str | None = None,
    record: Record | None = None,
) -> Reason:
    """The reason for ``record``, for the last trouble of ``message``, or for the last trouble of all."""
    upto = len(records) if record is None and message is None else 0
    if record is None:
        record = _trouble(records, message)
    if record is None:
        said = "nothing was refused or lost" if message is None else f"{message}: it was neither refused nor lost"
        return Reason(None, said, in_force=_faults(records, len(records), ())[1])
    hops = of_exchange(records, record.message) if record.message else [record]
    end, record = record, _cause(record, hops)
    acted, in_force = _faults(records, max(upto, end.number), hops)
    lost = record.event not in BAD
    where = f"{record.source}{f' to {record.target}' if record.target else ''}"
    if lost:
        said = f"lost after {where}: {record.event}, the last hop at which it was seen"
    else:
        reason = next((str(record.detail[name]) for name in ("reason", "value") if record.detail.get(name)), detail(record))
        said = f"{record.event} at {where}: {reason}" if reason else f"{record.event} at {where}"
        if end is not record:
            said += f"; in the end {end.event} at {end.source}, @{end.number}"
    return Reason(record, said, _rule(record), differing(record, hops, keystore), acted, in_force, _next(record), tuple(hops))


def _trouble(records: Sequence[Record], message: str | None) -> Record | None:
    if message is not None:
        hops = of_message(records, message)
        return last_bad(of_exchange(records, message)) or (hops[-1] if hops and not any(hop.event in ENDS for hop in hops) else None)
    refused = last_bad(records)
    if refused is not None:
        return refused
    ends: dict[str, Record] = {}
    over: set[str] = set()
    for record in records:
        if record.message:
            ends[record.message] = record
            if record.event in ENDS:
                over.add(record.message)
    open_ = [record for name, record in ends.items() if name not in over]
    return open_[-1] if open_ else None


def _cause(record: Record, hops: Sequence[Record]) -> Record:
    """The first trouble of the exchange that nothing made good: its source did not get on with that message afterwards."""
    before = [hop for hop in hops if hop.number < record.number and hop.area != "bench"]
    for at, hop in enumerate(before):
        if hop.event in BAD and not any(
            later.event not in BAD and (later.source, later.message) == (hop.source, hop.message) for later in before[at + 1 :]
        ):
            return hop
    return record


def _rule(record: Record) -> str:
    said = {name: str(record.detail[name]) for name in _RULES if record.detail.get(name)}
    parts = [said[name] for name in ("rule", "clause", "ground") if name in said]
    parts += [f"{name} {said[name]}" for name in ("check", "step", "code") if name in said]
    return "; ".join(parts)


def _next(record: Record) -> str:
    if record.detail.get("next"):
        return str(record.detail["next"])
    named = {**record.detail, "event": record.event, "area": record.area}
    row = next(row for row in _steps() if all(named.get(name) == value for name, value in row.items() if name != "next"))
    return row["next"].replace("{number}", str(record.number))


@cache
def _steps() -> list[dict[str, str]]:
    table = tomllib.loads(resources.files("firmware_emu.console").joinpath("why_next.toml").read_text("utf-8"))
    rows: list[dict[str, str]] = table["row"]
    return rows


def _faults(records: Sequence[Record], upto: int, hops: Sequence[Record]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Stops and faults that acted on the exchange itself, and the others in force at that record, with how often they had acted."""
    changes = [hop for hop in hops if hop.source.startswith(_STOP) and hop.event in ("changed", "dropped")]
    stops = [f"{hop.source}: {hop.event} by hand (@{hop.number}) {detail(hop)}".rstrip() for hop in changes]
    own = {hop.source: f", on this message @{hop.number}" for hop in reversed(hops) if hop.source.startswith(_FAULT)}
    acted: dict[str, int] = {}
    sentences: dict[str, str] = {}
    for one in records[:upto]:
        if not one.source.startswith(_FAULT):
            continue
        if one.event == "cleared":
            acted.pop(one.source, None)
        else:
            acted[one.source] = acted.get(one.source, -1) + 1
            sentences[one.source] = str(one.detail.get("sentence", ""))
    told = {source: f"{source}: {sentences[source]} (acted {count(times, 'time')}{own.get(source, '')})" for source, times in acted.items()}
    here = tuple(line for source, line in told.items() if source in own)
    return (*stops, *here), tuple(line for source, line in told.items() if source not in own)


def differing(record: Record, hops: Sequence[Record], keystore: Keystore | None) -> tuple[str, ...]:
    """The octets that are not what they were at an earlier hop, or not what the keys say."""
    if record.data is None:
        return ()
    same = [hop for hop in hops if hop.data is not None and hop.number < record.number and hop.message == record.message]
    before = next((hop for hop in same if hop.data != record.data), None)
    found = (
        []
        if before is None or before.data is None
        else [f"{text} (against @{before.number}, {before.source} {before.event})" for text in octet_differences(before.data, record.data)]
    )
    return (*found, *_protection(record.data, keystore))


def octet_differences(before: bytes, after: bytes) -> list[str]:
    """Differences between two strings of octets: ``offset 17: 00 was, 01 is``."""
    found = [f"offset {at}: {old:02x} was, {new:02x} is" for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new]
    if len(before) != len(after):
        found.append(f"{len(before)} octets were, {len(after)} are")
    if len(found) > _SHOWN_DIFFERENCES:
        found = [*found[:_SHOWN_DIFFERENCES], f"and {len(found) - _SHOWN_DIFFERENCES} more"]
    return found


def _protection(data: bytes, keystore: Keystore | None) -> list[str]:
    if keystore is None:
        return []
    try:
        message = Message.decode(data)
        verdict = check_message(message, keystore)
    except DecodeError:
        return []
    found = []
    if verdict.mac.state is ProtectionState.INVALID and message.mac is not None:
        if verdict.mac.would_hold:
            found.append(f"MAC: it holds with {verdict.mac.would_hold}")
        try:
            expected = mac_of(message, mac_secret(message.header, keystore))
        except CommsHubError as wrong:
            found.append(f"MAC: {wrong}")
        else:
            at = len(data) - len(message.mac)
            found += [
                f"offset {at + number}, MAC: {read:02x} read, {held:02x} expected"
                for number, (read, held) in enumerate(zip(message.mac, expected, strict=True))
                if read != held
            ][:_SHOWN_DIFFERENCES]
    if verdict.signature.state is ProtectionState.INVALID:
        found.append(
            f"signature: {verdict.signature.reason}"
            + (f"; it holds with {verdict.signature.would_hold}" if verdict.signature.would_hold else "")
        )
    return found


def earliest(records: Sequence[Record], message: str | None = None) -> str:
    """The earliest cause of the last trouble in ``records`` (of ``message``) with its time, in one line; nothing where there was none."""
    reason = why(records, message=message) if message is None or of_message(records, message) else None
    if reason is None or reason.record is None:
        return ""
    acted = "".join(f"; {line}" for line in reason.acted)
    after = reason.record.time - reason.hops[0].time if reason.hops else 0.0
    behind = f", {after:.1f} s after the exchange began" if after >= _LATE_S else ""
    return f"{reason.said} (@{reason.record.number} at {when(reason.record)}{behind}){acted}"


def first_difference(reason: Reason, good: Sequence[Record]) -> str:
    """The first hop of the exchange that is another than in a good run, or another time behind the first; nothing where none is."""
    message = next((one.message for one in reason.hops if one.message), "")
    here = [one for one in reason.hops if one.area != "bench"]
    there = [one for one in of_exchange(good, message) if one.area != "bench"] if message else []
    for mine, its in zip(here, there, strict=False):
        late = (mine.time - here[0].time) - (its.time - there[0].time)
        same = (phrase(mine), mine.message) == (phrase(its), its.message)
        if not same or abs(late) >= _LATE_S:
            return f"@{mine.number} {phrase(mine)}{f', {late:+.3f} s' if same else ''} (in the good run @{its.number} {phrase(its)})"
    return "" if there else "the good run has no such exchange"


def told(reason: Reason) -> Result:
    """The reason as a result."""
    record = reason.record
    if record is None:
        return Result(reason.said, {"faults": "\n".join(reason.faults)} if reason.faults else {})
    values: dict[str, object] = {"hop": f"@{record.number} {record.source}"}
    if record.message:
        values["message"] = record.message
    for name, value in (
        ("rule", reason.rule),
        ("octets", "\n".join(reason.differing)),
        ("faults", "\n".join(reason.faults)),
        ("next", reason.next_step),
    ):
        if value:
            values[name] = value
    hops = reason.hops[-_SHOWN_HOPS:]
    left_out = len(reason.hops) - len(hops)
    title = f"hops of the message{f', the last {len(hops)} of {len(reason.hops)}' if left_out else ''}:"
    picture = Group(Text(title, "dim"), *(line(hop) for hop in hops)) if record.message else None
    return Result(reason.said, values, picture=picture, raw=reason)
