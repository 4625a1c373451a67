"""One step of a row held against what came of it: the first thing that is not as expected, in words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from firmware_emu.console.declare import seconds
from firmware_emu.console.result import Result
from firmware_emu.trace import Record
from hil.book.rows import BookError, BookStep, Plain
from hil.console.readings import readings
from hil.dcc.base.results import Outcome
from hil.parse_correlate import ParseCorrelateError, to_mmc

_NAME = re.compile(r"\{([a-z_]+)([+-]\w+)?\}")
_TAG = re.compile(rb"<(?:\w+:)?(\w+)[^<>]*>([^<>]*)(?=<)")
_ISO = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An expectation of a step, and what came in its place."""

    say: str
    expected: str
    got: str


class Kept:
    """Values that steps of one row kept, and the bench's time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.values: dict[str, object] = {}

    def fill(self, text: str) -> str:
        """The text with every name in braces given its value. Raises BookError for one that was not kept."""
        return _NAME.sub(lambda found: str(self._one(found[1], found[2] or "")), text)

    def of(self, expected: Plain) -> object:
        """An expected value; a text that is one name alone keeps the kind of what was kept."""
        if isinstance(expected, list):
            return [self.of(one) for one in expected]
        if not isinstance(expected, str):
            return expected
        alone = _NAME.fullmatch(expected)
        return self._one(alone[1], alone[2] or "") if alone else self.fill(expected)

    def _one(self, name: str, more: str) -> object:
        if name in ("now", "day"):
            moment = self._now() if name == "now" else self._now().replace(hour=0, minute=0, second=0, microsecond=0)
            span = timedelta(seconds=seconds(more[1:])) if more else timedelta()
            return (moment - span if more.startswith("-") else moment + span).strftime(_ISO)
        if name not in self.values:
            raise BookError(
                f"read {{{name}}}, expected now, day or what an earlier step of the row kept: {', '.join(self.values) or 'nothing'}"
            )
        kept = self.values[name]
        if not more:
            return kept
        assert isinstance(kept, int | float), f"{name} is {kept!r}: no number to add to"
        return kept + float(more) if "." in more else kept + int(more)


def values_of(result: Result) -> dict[str, object]:
    """All named values of a result: its own; of a service request also what the Device answered, by the names of its fields and by those
    of MMC. A name that comes again gets a number, and ``count of NAME`` says how often it came."""
    found: dict[str, object] = {}
    outcome = result.raw
    if isinstance(outcome, Outcome):
        if outcome.parsed is not None:
            with contextlib.suppress(ParseCorrelateError):  # MMC has no place for every answer; its fields still have their own names
                found |= dict(_numbered(_mmc(to_mmc(outcome.parsed, outcome.variant))))
        found |= readings(outcome)
        found["verdict"], found["why"] = str(outcome.verdict), outcome.why
    return found | dict(result.values)


def _mmc(document: bytes) -> Iterator[tuple[str, object]]:
    for name, text in _TAG.findall(document):
        if text.strip():
            plain = text.decode("utf-8").strip()
            yield name.decode(), int(plain) if re.fullmatch(r"-?[1-9]\d{0,17}|0", plain) else plain


def _numbered(pairs: Iterator[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    seen: dict[str, int] = {}
    for name, value in pairs:
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} {seen[name]}"), value
    for name, count in seen.items():
        yield f"count of {name}", count


def judge(
    step: BookStep, line: str, result: Result, records: Sequence[Record], alerts: Sequence[str], kept: Kept
) -> Iterator[Disagreement]:
    """Everything that is not as the step expects it. ``records`` and ``alerts``: those since the row began."""
    values = values_of(result)

    def wrong(expected: str, got: object) -> Disagreement:
        return Disagreement(line, expected, str(got)[:400])

    if step.ok is not None and result.ok is not step.ok:
        yield wrong("it succeeds" if step.ok else "it fails", result.said)
    if step.said and kept.fill(step.said) not in result.said:
        yield wrong(f"an answer with {kept.fill(step.said)!r}", result.said)
    checks: tuple[tuple[Mapping[str, Plain], str, Callable[[object, object], bool]], ...] = (
        (step.value, "is", _same),
        (step.least, "is at least", lambda got, wanted: _number(got) >= _number(wanted)),
        (step.most, "is at most", lambda got, wanted: _number(got) <= _number(wanted)),
        (dict(step.has), "holds", lambda got, wanted: str(wanted) in str(got)),
    )
    for expectations, words, holds in checks:
        for name, expected in expectations.items():
            wanted = kept.of(expected)
            if name not in values:
                yield wrong(f"{name} {words} {wanted!r}", f"no {name} among {', '.join(values) or 'no values'}")
            elif not holds(values[name], wanted):
                yield wrong(f"{name} {words} {wanted!r}", repr(values[name]))
    for name in step.absent:
        if name in values:
            yield wrong(f"no {name}", repr(values[name]))
    table = [[str(cell) for cell in row] for row in result.rows]
    for cells in step.rows:
        filled = [kept.fill(cell) for cell in cells]
        if not any(set(filled) <= set(row) for row in table):
            yield wrong(f"a row with {', '.join(filled)}", table[-6:] or "no row")
    for cells in step.no_rows:
        filled = [kept.fill(cell) for cell in cells]
        if found := [row for row in table if set(filled) <= set(row)]:
            yield wrong(f"no row with {', '.join(filled)}", found[0])
    if step.count is not None and len(table) != step.count:
        yield wrong(f"{step.count} rows", len(table))
    for description in step.records:
        if not any(_is(record, description, kept) for record in records):
            yield wrong(f"a record {dict(description)}", _near(records, description))
    for description in step.no_records:
        if found_records := [record for record in records if _is(record, description, kept)]:
            yield wrong(f"no record {dict(description)}", found_records[0].as_json())
    for code in step.alerts:
        if code.upper() not in alerts:
            yield wrong(f"an alert {code}", ", ".join(alerts) or "no alert")
    for code in step.no_alerts:
        if code.upper() in alerts:
            yield wrong(f"no alert {code}", ", ".join(alerts))


def keep(step: BookStep, result: Result, kept: Kept) -> None:
    """Keep what the step says. Raises BookError for a value that the result does not have."""
    values = values_of(result) if step.keep else {}
    for name, wanted in step.keep.items():
        if wanted not in values:
            raise BookError(f"keep {wanted!r}: the answer has only {', '.join(values) or 'no values'}")
        kept.values[name] = values[wanted]


def _same(got: object, wanted: object) -> bool:
    return got == wanted or str(got) == str(wanted)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _is(record: Record, description: Mapping[str, Plain], kept: Kept) -> bool:
    return all(_same(_of(record, name), kept.of(wanted)) or (name == "source" and str(record.source).split()[0] == wanted)
               for name, wanted in description.items())  # fmt: skip


def _of(record: Record, name: str) -> object:
    if name in ("area", "source", "event", "target", "message"):
        return getattr(record, name)
    return record.detail.get(name)


def _near(records: Sequence[Record], description: Mapping[str, Plain]) -> str:
    event = description.get("event")
    close = [record for record in records if record.event == event]
    return "; ".join(record.as_json()[:160] for record in close[-3:]) or f"no {event} among {len(records)} records"
