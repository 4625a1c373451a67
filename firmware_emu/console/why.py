"""Why a message was refused or lost: the hop, the rule with its clause, the octets that differ, and the next thing to try."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from rich.console import Group
from rich.text import Text

from firmware_emu.console.records import BAD, detail, last_bad, line, of_exchange, of_message
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
_SHOWN_DIFFERENCES = 8
_FAULT = "fault "


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. ``record`` is the hop where it began to end, None where nothing did; ``hops`` those of the whole exchange."""

    record: Record | None
    said: str
    rule: str = ""
    differing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    next_step: str = ""
    hops: tuple[Record, ...] = field(default=())


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
        return Reason(None, said, faults=_faults(records, len(records)))
    hops = of_exchange(records, record.message) if record.message else [record]
    end, record = record, _cause(record, hops)
    acted = _faults(records, max(upto, record.number))
    lost = record.event not in BAD
    where = f"{record.source}{f' to {record.target}' if record.target else ''}"
    if lost:
        said = f"lost after {where}: {record.event}, the last hop at which it was seen"
    else:
        reason = next((str(record.detail[name]) for name in ("reason", "value") if record.detail.get(name)), detail(record))
        said = f"{record.event} at {where}: {reason}" if reason else f"{record.event} at {where}"
        if end is not record:
            said += f"; in the end {end.event} at {end.source} (@{end.number})"
    return Reason(record, said, _rule(record), differing(record, hops, keystore), acted, _next(record), tuple(hops))


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
    """The first trouble of those of the exchange that led without a good hop between them to ``record``."""
    cause = record
    for hop in reversed([hop for hop in hops if hop.number < record.number]):
        if hop.event not in BAD or record.event not in BAD:
            break
        cause = hop
    return cause


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


def _faults(records: Sequence[Record], upto: int) -> tuple[str, ...]:
    """Faults that were in force at that record, with how often they had acted."""
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
    return tuple(f"{source}: {sentences[source]} (acted {count(times, 'time')})" for source, times in acted.items())


def differing(record: Record, hops: Sequence[Record], keystore: Keystore | None) -> tuple[str, ...]:
    """The octets that are not what they were at an earlier hop, or not what the keys say."""
    if record.data is None:
        return ()
    before = next((hop for hop in hops if hop.data is not None and hop.number < record.number and hop.data != record.data), None)
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
