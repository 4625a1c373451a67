"""Rows of the book, read from its TOML files: pure data, checked when they are read.

::

    [[row]]
    number = 51                       # for good
    behaviour = "Set Clock inside its interval: the clock is the hub's, 8145 in the event log"
    device = "ESME"
    clause = "GBCS 9.1"
    certainty = "quoted"              # quoted, message, recalled, or not established: then ``profile`` names the value that decides
    source = "behaviour-audit 51"
    bench = "home"                    # a bench of benches.toml; rows of one bench are played one after the other
    steps = [
      { say = "esme do clock -60" },
      { say = "dcc send 6.11 esme CurrentDateTime={now} TolerancePeriod=120" },
      { say = "esme look clock", value = { value = 0 } },
    ]
    undo = ["esme do load 500"]       # what brings the bench back for the rows that follow

A step says one line at the console and holds its result against what is expected (:class:`BookStep`).
"""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import TypeAlias

from firmware_emu.errors import CommsHubError, in_toml, one_of

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain]"

CERTAINTIES = ("quoted", "message", "recalled", "not established")
DEVICES = ("CHF", "GPF", "ESME", "GSME", "PPMID", "HCALCS", "IHD", "NCP")
PROFILE = "not established"


class BookError(CommsHubError):
    """A row that cannot be read: which, what was read, what was expected."""


@dataclass(frozen=True, slots=True)
class BookStep:
    """One line said, and what must come of it. Values may hold ``{name}`` and ``{name+N}`` of what earlier steps of the row kept, and
    ``{now}``, ``{now+1h}`` (ISO 8601), ``{day}``, ``{day+1d}`` (the midnight before now, and later)."""

    say: str
    json: Mapping[str, Plain] = field(default_factory=dict)
    """The parts of a service request's body that have parts: said as ``json=``."""
    ok: bool | None = True
    """Verdict of the line, False also where it is refused; None: either."""
    said: str = ""
    """Words that the answer must hold."""
    value: Mapping[str, Plain] = field(default_factory=dict)
    """Values of the result by name that must be so."""
    least: Mapping[str, Plain] = field(default_factory=dict)
    most: Mapping[str, Plain] = field(default_factory=dict)
    has: Mapping[str, str] = field(default_factory=dict)
    """Texts that values must hold."""
    absent: Sequence[str] = ()
    """Names that the result must not have."""
    rows: Sequence[Sequence[str]] = ()
    """Cells of which some row of the result's table must hold all, for each list."""
    no_rows: Sequence[Sequence[str]] = ()
    count: int | None = None
    """Number of rows of the table."""
    records: Sequence[Mapping[str, Plain]] = ()
    """Records of the trace that must have come since the row began: each names area, source, event, target or details."""
    no_records: Sequence[Mapping[str, Plain]] = ()
    alerts: Sequence[str] = ()
    """Codes of alerts that must have reached the DCC since the row began."""
    no_alerts: Sequence[str] = ()
    keep: Mapping[str, str] = field(default_factory=dict)
    """Name to the name of the value that is kept under it."""

    @property
    def line(self) -> str:
        """The line as it is typed."""
        return f"{self.say} json={shlex.quote(json.dumps(self.json))}" if self.json else self.say


@dataclass(frozen=True, slots=True)
class MakerVariant:
    """The row with the meter of a maker (a profile of ``makers.toml`` of the meters): its own steps, or those of the row."""

    maker: str
    source: str
    steps: tuple[BookStep, ...]


@dataclass(frozen=True, slots=True)
class BookRow:
    """One behaviour."""

    number: int
    behaviour: str
    device: str
    clause: str
    certainty: str
    source: str
    bench: str
    steps: tuple[BookStep, ...]
    undo: tuple[str, ...] = ()
    profile: str = ""
    """The profile value that decides, of a row that is not established."""
    alone: bool = False
    """It wants a bench of its own: what it does cannot be undone."""
    variants: tuple[MakerVariant, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class BookSetting:
    """A bench that rows share: the board, values laid over it, and the lines that bring it to where its rows begin."""

    name: str
    board: str
    settings: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def path(self) -> str:
        """The board's file: one of the book's own, or the name of any board."""
        own = resources.files(__package__).joinpath("boards", f"{self.board}.toml")
        return str(own) if own.is_file() else self.board


@dataclass(frozen=True, slots=True)
class Book:
    """All rows by number, and the benches by name."""

    rows: Mapping[int, BookRow]
    benches: Mapping[str, BookSetting]

    def chosen(self, device: str | None, numbers: Iterable[int], benches: Iterable[str] = ()) -> list[BookRow]:
        """The rows of a kind of Device, those of the numbers, those of the benches; all without any. Raises BookError for a number or a
        bench that there is not."""
        wanted, places = list(numbers), list(benches)
        for bench in places:
            if bench not in self.benches:
                raise BookError(f"bench: read {bench!r}, expected {one_of(bench, self.benches)}")
        for number in wanted:
            if number not in self.rows:
                raise BookError(f"row: read {number}, expected one of the {len(self.rows)} numbers that `chub book list` prints")
        return [
            row
            for row in self.rows.values()
            if (not wanted or row.number in wanted) and (device is None or row.device == device) and (not places or row.bench in places)
        ]


def load_book() -> Book:
    """The book of the package. Raises BookError naming file and row."""
    folder = resources.files(__package__)
    texts = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml")}
    benches = _benches(texts.pop("benches.toml"))
    return Book(read_rows(texts, benches), benches)


def read_rows(texts: Mapping[str, str], benches: Mapping[str, BookSetting]) -> dict[int, BookRow]:
    """Rows of TOML texts by file, in the order of their numbers. Raises BookError."""
    found: dict[int, BookRow] = {}
    for file, text in sorted(texts.items()):
        for table in _tables(text, file, "row"):
            row = _row(table, file)
            if row.bench not in benches:
                raise BookError(f"{file}, row {row.number}: bench {row.bench!r}, expected {one_of(row.bench, benches)}")
            if row.number in found:
                raise BookError(f"{file}, row {row.number}: the number is taken by {found[row.number].behaviour!r}")
            found[row.number] = row
    return dict(sorted(found.items()))


def _tables(text: str, file: str, name: str) -> list[dict[str, object]]:
    try:
        tables = tomllib.loads(text).get(name, [])
    except tomllib.TOMLDecodeError as problem:
        raise BookError(f"{file}: not TOML: {problem}") from problem
    return list(tables)


def _benches(text: str) -> dict[str, BookSetting]:
    return {
        str(table["name"]): BookSetting(
            str(table["name"]),
            str(table["board"]),
            tuple(map(str, _list(table.get("settings", [])))),
            tuple(map(str, _list(table.get("lines", [])))),
        )
        for table in _tables(text, "benches.toml", "bench")
    }


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_STEP = {one.name for one in fields(BookStep)}
_ROW = {one.name for one in fields(BookRow)} - {"file", "variants"} | {"variant"}


def _row(table: dict[str, object], file: str) -> BookRow:
    where = f"{file}, row {table.get('number')}"
    if unknown := sorted(table.keys() - _ROW):
        raise BookError(f"{where}: read {unknown[0]!r}, expected {one_of(unknown[0], sorted(_ROW))}")
    if missing := [
        name for name in ("number", "behaviour", "device", "clause", "certainty", "source", "bench", "steps") if name not in table
    ]:
        raise BookError(f"{where}: {missing[0]} is missing")
    if table["certainty"] not in CERTAINTIES:
        raise BookError(f"{where}: certainty {in_toml(table['certainty'])}, expected {one_of(table['certainty'], CERTAINTIES)}")
    if table["device"] not in DEVICES:
        raise BookError(f"{where}: device {in_toml(table['device'])}, expected {one_of(table['device'], DEVICES)}")
    if (table["certainty"] == PROFILE) is not bool(table.get("profile")):
        raise BookError(f"{where}: a row that is not established names the profile value that decides, and no other row does")
    number = table["number"]
    assert isinstance(number, int), where
    variants = [
        MakerVariant(str(one["maker"]), str(one["source"]), _steps(_list(one["steps"]), where) if "steps" in one else ())
        for one in _list(table.get("variant", []))
        if isinstance(one, dict)
    ]
    behaviour, device, clause, certainty, source, bench = (
        str(table[name]) for name in ("behaviour", "device", "clause", "certainty", "source", "bench")
    )
    return BookRow(
        number,
        behaviour,
        device,
        clause,
        certainty,
        source,
        bench,
        _steps(_list(table["steps"]), where),
        tuple(map(str, _list(table.get("undo", [])))),
        str(table.get("profile", "")),
        table.get("alone") is True,
        tuple(variants),
        file,
    )


def _steps(tables: Sequence[object], where: str) -> tuple[BookStep, ...]:
    found = []
    for table in tables:
        if isinstance(table, str):
            table = {"say": table}
        if not isinstance(table, dict) or "say" not in table:
            raise BookError(f"{where}: read {in_toml(table)}, expected a step: a line, or a table with `say`")
        if unknown := sorted(table.keys() - _STEP):
            raise BookError(f"{where}: read {unknown[0]!r} in a step, expected {one_of(unknown[0], sorted(_STEP))}")
        if table.get("ok") == "either":
            table = {**table, "ok": None}
        found.append(BookStep(**table))
    if not found:
        raise BookError(f"{where}: it has no step")
    return tuple(found)
