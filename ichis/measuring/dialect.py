"""Dialects of instruments: one TOML file a family, the words to send, the form of each answer, the error queue, models with accuracy.

Files are looked for in every package that the entry point group ``commshub.instrument`` names.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, resources
from importlib.metadata import entry_points

from firmware_emu.errors import BoardError, one_of
from ichis.measuring.reading import Accuracy, Basis, Span

GROUP = "commshub.instrument"
KINDS = ("supply", "load", "meter", "relay")
_KEYS = {
    "family", "kind", "match", "source", "joins", "pace_s", "answer_end", "list", "least_step_s", "switch_bit", "first_channel",
    "renewal_s", "setup", "words", "also", "idle", "answers", "error", "model", "record",
}  # fmt: skip
_NUMBER = r"([-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[Ee][-+]?\d+)?)"
_SWITCH = {"on": r"(ON|OFF|0|1)", "d": r"(ON|OFF|0|1)", "hex": r"(0[xX][0-9A-Fa-f]+)"}


@dataclass(frozen=True, slots=True)
class Errors:
    """The error queue: what asks for it, what it says when it is empty, and what a stand-in says otherwise."""

    query: str
    none: str
    refused: str
    unknown: str

    def empty(self, answer: str) -> bool:
        """True if an answer says that there is no error: ``0,"No error"``, ``+0 ...``, the words alone; a bare 0 where that is the form."""
        if self.is_number:
            return re.fullmatch(r"\s*0+\s*", answer) is not None
        return re.fullmatch(r'\s*([+-]?0\s*,.*|[+-]?0\s+\D.*|"?no error"?)\s*', answer, re.IGNORECASE) is not None

    def fits(self, answer: str) -> bool:
        """True if an answer can be one of the error queue at all: a number and a text, words, or a bare number where that is the form."""
        if self.is_number:
            return re.fullmatch(r"\s*\d+\s*", answer) is not None
        return re.fullmatch(r'\s*([+-]?\d+\s*,\s*\D.*|[+-]?\d+\s+\D.*|"?[A-Za-z]+( [A-Za-z]+)+"?)\s*', answer) is not None

    @property
    def is_number(self) -> bool:
        """True if the answer is a bare number, which could be taken for a reading's."""
        return re.fullmatch(r"\d+", self.none) is not None


@dataclass(frozen=True, slots=True)
class ListWords:
    """A list that the supply plays itself. ``volts``, ``seconds`` and, where it is wanted, ``amperes`` take ``{points}``."""

    volts: str
    seconds: str
    start: tuple[str, ...]
    """The last one starts it."""
    stop: tuple[str, ...]
    amperes: str = ""
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordWords:
    """A record of volts that the instrument keeps by itself, one point each ``period_s``, for ``longest_s`` at most.

    ``start`` may take ``{seconds}`` and ``{period}``, its last line begins it; ``fetch`` takes ``{count}``: so many points, the oldest of
    those not fetched yet.
    """

    start: tuple[str, ...]
    stop: tuple[str, ...]
    fetch: str
    period_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a family: identity as a stand-in tells it, channels, what it can give, how well it reads."""

    name: str
    idn: str
    channels: tuple[int, ...]
    most_volts: float | None
    most_amperes: float | None
    accuracy: Mapping[str, Accuracy]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family. ``words`` and ``answers`` are templates by action; an action without a word is not to be had from this family."""

    family: str
    kind: str
    match: str
    source: str
    words: Mapping[str, str]
    answers: Mapping[str, str]
    error: Errors
    models: Mapping[str, Model]
    joins: bool = False
    pace_s: float = 0.0
    answer_end: str = "\n"
    least_step_s: float = 0.0
    """Shortest step of a list that the instrument plays itself; 0 where it plays none."""
    switch_bit: int | None = None
    """Bit of channel 1 where the output's state is a hexadecimal status; the next channel has the next bit."""
    first_channel: int = 0
    """Added to a contact's number for the scanner's channel."""
    renewal_s: float = 0.0
    """Age that a reading may have."""
    setup: tuple[str, ...] = ()
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further words by action: this bench does not use them, other programs do, and a stand-in understands them."""
    idle: tuple[str, ...] = ()
    """Lines of other programs that change nothing a stand-in models."""
    playing: ListWords | None = None
    record: RecordWords | None = None

    def word(self, action: str, **keys: float | int) -> str | None:
        """The line for an action; None where the family has none."""
        template = self.words.get(action)
        return None if template is None else template.format(**keys)

    def answer(self, action: str, **keys: float | int) -> re.Pattern[str]:
        """The pattern of a whole answer, its figure or state as the only group; a unit may be glued on."""
        return _pattern(self.answers[action], tuple(sorted(keys.items())))

    def model_of(self, idn: str) -> Model:
        """The model that an identity names; the family's first where it names none of those that the file has, without accuracy."""
        for model in self.models.values():
            if model.idn.split(",")[1].strip().lower() in idn.lower():
                return model
        first = next(iter(self.models.values()))
        return Model("not in the dialect's file", idn, first.channels, None, None, {})


@cache
def _pattern(template: str, keys: tuple[tuple[str, float | int], ...]) -> re.Pattern[str]:
    known = dict(keys)
    parts = [r"\s*"]
    for text, name, form, _ in string.Formatter().parse(template):
        parts.append(r"\s*".join(re.escape(piece) for piece in text.split(" ")))
        if name == "value":
            parts.append(_NUMBER + ("" if _glued(template) else r"\s?(?:V|A|W|Ohm|OHM)?"))
        elif name == "switch":
            parts.append(_SWITCH[form or "d"])
        elif name is not None:
            parts.append(re.escape(str(known[name])))
    return re.compile("".join(parts) + r"\s*")


def _glued(template: str) -> bool:
    """True if the template itself says which unit is glued on: then another one is another quantity."""
    return template.endswith(("}V", "}A"))


_ONE = r"[-+]?\d*\.?\d+(?:[Ee][-+]?\d+)?"
FIGURES = re.compile(rf"\s*({_ONE}(?:\s*,\s*{_ONE})*)?\s*")
"""Figures with commas between, or none: a comma is never a decimal one here."""


def figure(text: str) -> float:
    """A number as an instrument writes it: a decimal comma is one."""
    return float(text.replace(",", "."))


def read_dialect(file: str, text: str) -> Dialect:
    """One file. Raises BoardError with file and key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BoardError(file, "", f"not TOML: {wrong}") from wrong
    for key in ("family", "kind", "match", "source", "words", "answers", "error", "model"):
        if key not in table:
            raise BoardError(file, key, "missing from the dialect")
    if unknown := sorted(set(table) - _KEYS):
        raise BoardError(file, unknown[0], f"no such key: expected {one_of(unknown[0], sorted(_KEYS))}")
    if table["kind"] not in KINDS:
        raise BoardError(file, "kind", f"{table['kind']!r}: expected {one_of(table['kind'], KINDS)}")
    asked = [action for action, word in table["words"].items() if "?" in word]
    for action in asked:
        if action not in table["answers"]:
            raise BoardError(file, f"answers.{action}", "missing: a word that asks needs the form of its answer")
    try:
        re.compile(table["match"])
        error = Errors(**table["error"])
        models = {name: _model(name, row) for name, row in table["model"].items()}
        playing = None
        if "list" in table:
            row = table["list"]
            start, stop, before = (tuple(row.get(key, ())) for key in ("start", "stop", "before"))
            playing = ListWords(row["volts"], row["seconds"], start, stop, row.get("amperes", ""), before)
        record = None
        if "record" in table:
            row = table["record"]
            record = RecordWords(tuple(row["start"]), tuple(row["stop"]), row["fetch"], float(row["period_s"]), float(row["longest_s"]))
    except (TypeError, KeyError, ValueError, re.error) as wrong:
        raise BoardError(file, "model", f"cannot be read: {wrong}") from wrong
    plain = {key: table[key] for key in _KEYS & set(table) - {"error", "model", "setup", "list", "also", "idle", "record"}}
    setup, idle = tuple(table.get("setup", ())), tuple(table.get("idle", ()))
    also = {action: tuple(words) for action, words in table.get("also", {}).items()}
    if unknown := sorted(set(also) - set(table["words"])):
        raise BoardError(file, f"also.{unknown[0]}", "no such action among the words")
    return Dialect(**plain, setup=setup, idle=idle, error=error, models=models, also=also, playing=playing, record=record)


def _model(name: str, row: Mapping[str, object]) -> Model:
    channels, volts, amperes = row.get("channels", [1]), row.get("most_volts"), row.get("most_amperes")
    assert isinstance(channels, list)
    assert volts is None or isinstance(volts, int | float)
    assert amperes is None or isinstance(amperes, int | float)
    accuracy = row.get("accuracy", {})
    assert isinstance(accuracy, dict)
    return Model(name, str(row["idn"]), tuple(channels), volts, amperes, accuracy_of(accuracy))


def accuracy_of(table: Mapping[str, object]) -> dict[str, Accuracy]:
    """Limits of error by quantity, from a table with ``source``, ``basis`` and a list of ranges a quantity. Raises KeyError, TypeError."""
    basis = Basis[str(table.get("basis", "none")).upper()]
    return {
        quantity: Accuracy(tuple(Span(**span) for span in spans), basis, str(table["source"]))
        for quantity, spans in table.items()
        if isinstance(spans, list)
    }


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect of every package that the entry points name, by family. Raises BoardError for two files of one family."""
    found: dict[str, Dialect] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.value):
        folder = resources.files(import_module(entry.value))
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.name.endswith(".toml"):
                dialect = read_dialect(f"{entry.value}/{file.name}", file.read_text(encoding="utf-8"))
                if dialect.family in found:
                    raise BoardError(file.name, "family", f"two dialects are named {dialect.family!r}")
                found[dialect.family] = dialect
    return found


def recognise(idn: str, kind: str | None = None) -> Dialect | None:
    """The dialect of an identity, of one kind if given; None where no file knows it."""
    fitting = (one for one in dialects().values() if re.match(one.match, idn) and kind in (None, one.kind))
    return next(fitting, None)


def named(name: str) -> tuple[Dialect, Model]:
    """The dialect and model by the name of either. Raises BoardError naming those there are."""
    for dialect in dialects().values():
        if name in dialect.models:
            return dialect, dialect.models[name]
        if name == dialect.family:
            return dialect, next(iter(dialect.models.values()))
    known = [model for dialect in dialects().values() for model in dialect.models]
    raise BoardError("instruments", name, f"no instrument is named so: expected {one_of(name, known)}")
