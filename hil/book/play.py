"""Plays rows of the book: one bench for all rows that share it, line after line as at the console, judged step by step.

A row that disagrees, or whose lines break, costs the bench: the rows that follow begin on a new one, so that none spoils another.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.result import Result
from firmware_emu.errors import CommsHubError
from hil.bench.station import Station
from hil.book.judge import Disagreement, Kept, judge, keep
from hil.book.rows import PROFILE, Book, BookError, BookRow, BookSetting, BookStep, MakerVariant

BROKEN = "the line can be done"
_METERS = ('type = "ESME"', 'type = "GSME"')


@dataclass(frozen=True, slots=True)
class BookFinding:
    """One row that the Devices do not follow, and the step that shows it. ``maker``: with that maker's profile."""

    row: BookRow
    wrong: tuple[Disagreement, ...]
    maker: str = ""

    def as_json(self) -> dict[str, object]:
        first = self.wrong[0]
        return {
            "row": self.row.number,
            "behaviour": self.row.behaviour,
            "device": self.row.device,
            "clause": self.row.clause,
            "certainty": self.row.certainty,
            **({"maker": self.maker} if self.maker else {}),
            "said": first.say,
            "expected": first.expected,
            "got": first.got,
        }


@dataclass(slots=True)
class Report:
    """Rows that were played, in their order, and what is wrong with them."""

    played: list[BookRow] = field(default_factory=list)
    findings: list[BookFinding] = field(default_factory=list)

    @property
    def disagreeing(self) -> set[int]:
        """Numbers of the rows that the Devices do not follow."""
        return {one.row.number for one in self.findings}

    @property
    def profile(self) -> list[BookRow]:
        """Rows that are not established and go as their profile value says."""
        return [row for row in self.played if row.certainty == PROFILE and row.number not in self.disagreeing]

    @property
    def agreeing(self) -> list[BookRow]:
        """Rows that are established and followed."""
        return [row for row in self.played if row.certainty != PROFILE and row.number not in self.disagreeing]

    def by(self, key: Callable[[BookRow], str]) -> dict[str, tuple[int, int, int]]:
        """Rows that agree, disagree and are profile, by clause or Device."""
        counts = Counter((key(row), self._fate(row)) for row in self.played)
        return {name: (counts[name, 0], counts[name, 1], counts[name, 2]) for name in sorted({key(row) for row in self.played})}

    def _fate(self, row: BookRow) -> int:
        return 1 if row.number in self.disagreeing else 2 if row.certainty == PROFILE else 0

    def as_json(self) -> dict[str, object]:
        return {
            "rows": len(self.played),
            "agree": len(self.agreeing),
            "disagree": len(self.disagreeing),
            "profile": len(self.profile),
            "profile_rows": [{"row": row.number, "behaviour": row.behaviour, "value": row.profile} for row in self.profile],
            "findings": [finding.as_json() for finding in self.findings],
        }


def play(
    book: Book, rows: Sequence[BookRow], *, board: str | None = None, told: Callable[[BookRow, bool], None] = lambda row, good: None
) -> Report:
    """Play rows and report. ``board``: in place of the benches' own; ``told`` hears of each row. Raises BoardError, NotAvailable."""
    report = Report()
    for name in dict.fromkeys(row.bench for row in rows):
        setting = book.benches[name]
        shared = _Bench(setting, board)
        try:
            for row in (row for row in rows if row.bench == name):
                report.played.append(row)
                found = list(_row(row, shared, setting, board))
                report.findings += found
                told(row, not found)
        finally:
            shared.close()
    report.played.sort(key=lambda row: row.number)
    report.findings.sort(key=lambda finding: finding.row.number)
    return report


def play_with(maker: str, book: Book, rows: Sequence[BookRow], *, told: Callable[[BookRow, bool], None] = lambda row, good: None) -> Report:
    """The rows at one hub whose meters have the habits of ``maker``; a row's own variant for that maker in place of the row. What
    disagrees is what breaks with such meters. Raises BoardError, NotAvailable."""
    report = Report()
    for name in dict.fromkeys(row.bench for row in rows):
        setting = book.benches[name]
        shared = _Bench(setting, None, maker)
        try:
            for row in (row for row in rows if row.bench == name):
                report.played.append(row)
                own = next((one for one in row.variants if one.maker == maker and one.steps), None)
                steps = row.steps if own is None else own.steps
                wrong = _apart(row, setting, None, maker, steps) if row.alone else shared.play(row, steps)
                if wrong:
                    report.findings.append(BookFinding(row, wrong, maker))
                told(row, not wrong)
        finally:
            shared.close()
    return report


def _row(row: BookRow, shared: _Bench, setting: BookSetting, board: str | None) -> Iterator[BookFinding]:
    if wrong := _alone(row, setting, board, None) if row.alone else shared.play(row, row.steps):
        yield BookFinding(row, wrong)
    if board is not None:
        return  # whoever brings a board brings its makers
    for variant in row.variants:
        if wrong := _alone(row, setting, board, variant):
            yield BookFinding(row, wrong, variant.maker)


def _alone(row: BookRow, setting: BookSetting, board: str | None, variant: MakerVariant | None) -> tuple[Disagreement, ...]:
    steps = row.steps if variant is None or not variant.steps else variant.steps
    return _apart(row, setting, board, None if variant is None else variant.maker, steps)


def _apart(row: BookRow, setting: BookSetting, board: str | None, maker: str | None, steps: Sequence[BookStep]) -> tuple[Disagreement, ...]:
    """The row on a bench of its own."""
    bench = _Bench(setting, board, maker)
    try:
        return bench.play(row, steps)
    finally:
        bench.close()


class OpenBench:
    """A bench as its setting says, for a ``with`` block."""

    def __init__(self, setting: BookSetting, board: str | None = None, maker: str | None = None) -> None:
        """``maker``: the meters of the book's own board have the habits of that profile."""
        path = board or setting.path
        if maker is not None:
            self._made = tempfile.TemporaryDirectory(prefix="chub-book-")
            made = Path(self._made.name) / "board.toml"
            text = Path(path).read_text(encoding="utf-8")
            for meter in _METERS:
                text = text.replace(meter, f'{meter}\nmaker = "{maker}"')
            made.write_text(text, encoding="utf-8")
            path = str(made)
        self._opening = Bench.open(path, seed=7, settings=setting.settings)
        self._lines = setting.lines

    def __enter__(self) -> BlockingBench:
        """Raises BoardError, NotAvailable, and BookError for a line that fails."""
        self._runs = _runs_elsewhere()
        self._runs.__enter__()
        bench = self._opening.__enter__()
        for line in self._lines:
            result = bench.say(line)
            if not result.ok:
                self.__exit__()
                raise BookError(f"{line}: {result.said}")
        return bench

    def __exit__(self, *_: object) -> None:
        self._opening.__exit__(None, None, None)
        self._runs.__exit__(None, None, None)


class _Bench:
    """A bench that is opened when the first row wants it, and again after one that broke it."""

    def __init__(self, setting: BookSetting, board: str | None, maker: str | None = None) -> None:
        self._setting, self._board, self._maker = setting, board, maker
        self._open: tuple[OpenBench, BlockingBench] | None = None

    def play(self, row: BookRow, steps: Sequence[BookStep]) -> tuple[Disagreement, ...]:
        """Everything wrong in the first step that is not as it should be; empty for a row that is followed."""
        try:
            bench = self._bench()
        except CommsHubError as problem:
            self.close()
            return (Disagreement("", f"the bench {self._setting.name} opens", str(problem)),)
        first, seen = len(bench.records), len(_alerts(bench))
        kept = Kept(bench.clock.datetime)
        wrong: tuple[Disagreement, ...] = ()
        for step in steps:
            wrong = _step(bench, step, kept, first, seen)
            if wrong:
                break
        if not wrong:
            wrong = tuple(problem for line in row.undo for problem in _step(bench, BookStep(line, ok=None), kept, first, seen))
        if wrong:
            self.close()
        return wrong

    def _bench(self) -> BlockingBench:
        if self._open is None:
            opening = OpenBench(self._setting, self._board, self._maker)
            self._open = (opening, opening.__enter__())
        return self._open[1]

    def close(self) -> None:
        """Tear it down."""
        if self._open is not None:
            opening, self._open = self._open[0], None
            opening.__exit__()


def _step(bench: BlockingBench, step: BookStep, kept: Kept, first: int, seen: int) -> tuple[Disagreement, ...]:
    line = step.say
    try:
        line = kept.fill(step.line)
        result: Result = bench.say(line)
    except BookError as problem:
        return (Disagreement(line, BROKEN, str(problem)),)
    except CommsHubError as problem:
        result = Result(str(problem), ok=False)
    try:
        wrong = tuple(judge(step, line, result, bench.records[first:], _alerts(bench)[seen:], kept))
        if not wrong:
            keep(step, result, kept)
    except BookError as problem:
        return (Disagreement(line, BROKEN, str(problem)),)
    return wrong


def _alerts(bench: BlockingBench) -> list[str]:
    """Codes of all alerts that reached the DCC."""

    def codes(station: Station) -> list[str]:
        return [one.code.upper() for one in station.dcc.alerts.records()]

    return list(bench.call(codes))


@contextmanager
def _runs_elsewhere() -> Iterator[None]:
    """Run folders of the benches go where they are forgotten: the report is what is kept."""
    before = os.environ.get("CHUB_RUNS")
    with tempfile.TemporaryDirectory(prefix="chub-book-") as folder:
        os.environ["CHUB_RUNS"] = str(Path(folder))
        try:
            yield
        finally:
            if before is None:
                del os.environ["CHUB_RUNS"]
            else:
                os.environ["CHUB_RUNS"] = before
