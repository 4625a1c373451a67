"""The checks as data: one TOML file a group, read and checked for what can be known without a bench."""

from __future__ import annotations

import ast
import operator
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path

from firmware_emu.errors import BoardError, one_of
from ichis.profile import InterfaceProfile

GROUP = "commshub.check"
"""Entry points of packages that have checks, this one's among them."""
Value = str | int | float | bool | list["Value"] | dict[str, "Value"]

_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CHAPTERS = ("physical", "electrical", "data")
_PRECONDITIONS = {"hub": ("empty", "off", "running", "factory"), "host": ("dead", "open", "seated")}
"""States to reach, by what is under test: a hub, or the port of a host."""
_FIELDS = {
    "id",
    "title",
    "source",
    "requirement",
    "precondition",
    "stimulus",
    "reading",
    "of",
    "unit",
    "low",
    "high",
    "chapter",
    "waveform",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a ``hub`` or a ``host`` (``under_test``).

    ``stimulus`` are steps in order, each a verb with its value; ``low`` and ``high`` are expressions over the profile.

    ``source`` says where the requirement or limit comes from: a reference, or ``profile`` for a limit that no source states.
    """

    id: str
    group: str
    under_test: str
    chapter: str
    title: str
    source: str
    requirement: tuple[str, ...]
    precondition: str
    stimulus: tuple[tuple[str, Value], ...]
    reading: str
    of: Value | None
    unit: str
    low: str | float | None
    high: str | float | None
    waveform: bool

    def limits(self, profile: InterfaceProfile) -> tuple[float | None, float | None]:
        """Lowest and highest value that passes."""
        return _number(self.low, profile, self.id), _number(self.high, profile, self.id)

    def limit_sources(self, profile: InterfaceProfile) -> tuple[str, ...]:
        """Each profile value that the limit or the stimulus is made from, with its source."""
        names = dict.fromkeys(name for text in _expressions(self) for name in _names(text))
        return tuple(f"{name}: {profile.limits[name].source}" for name in names if name in profile.limits)

    @property
    def stimulus_names(self) -> frozenset[str]:
        """The profile values that the stimulus is made from."""
        return frozenset(name for _, value in self.stimulus for text in _texts(value) for name in _names(text))


def _expressions(check: Check) -> Iterable[str]:
    yield from (text for text in (check.low, check.high) if isinstance(text, str))
    for _, value in check.stimulus:
        yield from _texts(value)


def _texts(value: Value) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def names_in(limit: str | float | None) -> list[str]:
    """The profile values that a limit is made from."""
    return _names(limit) if isinstance(limit, str) else []


def _names(text: str) -> list[str]:
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return []
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def evaluate(expression: str | float, profile: InterfaceProfile) -> float:
    """The number that an expression over profile values is: ``"holdup_time * 0.9"``. Raises BoardError naming what is wrong."""
    if not isinstance(expression, str):
        return float(expression)

    def value(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in profile.limits:
                return profile[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
        raise BoardError("conformance checks", expression, "expected numbers and profile values with + - * /")

    try:
        return value(ast.parse(expression, mode="eval").body)
    except SyntaxError as wrong:
        raise BoardError("conformance checks", expression, "expected numbers and profile values with + - * /") from wrong


def _number(expression: str | float | None, profile: InterfaceProfile, check: str) -> float | None:
    try:
        return None if expression is None else evaluate(expression, profile)
    except BoardError as wrong:
        raise BoardError(wrong.file, f"{check}: {wrong.key}", wrong.problem) from wrong


def check_packages() -> list[str]:
    """Packages with check files, this project's own first."""
    return sorted((entry.value for entry in entry_points(group=GROUP)), key=lambda name: (name != __package__, name))


def check_folders() -> list[Path]:
    """The folders of check files of all packages that are installed, this project's own first."""
    return [Path(str(resources.files(name))) for name in check_packages()]


def load_checks(under_test: str = "hub", folder: Path | None = None) -> tuple[Check, ...]:
    """All checks of hubs, or of hosts, in the order of file names. Raises BoardError with file and key."""
    places = check_folders() if folder is None else [folder]
    files = sorted((path for place in places for path in place.glob("*.toml")), key=lambda path: path.name)
    checks = [check for entry in files for check in read_checks(entry.name, entry.read_text(encoding="utf-8"))]
    seen: set[str] = set()
    for check in checks:
        if check.id in seen:
            raise BoardError("conformance checks", check.id, "two checks have this id")
        seen.add(check.id)
    return tuple(check for check in checks if check.under_test == under_test)


def read_checks(file: str, text: str) -> tuple[Check, ...]:
    """The checks of one file. Raises BoardError with the key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BoardError(file, "", f"not TOML: {wrong}") from wrong
    group, chapter = table.get("group"), table.get("chapter")
    if not isinstance(group, str) or chapter not in _CHAPTERS:
        raise BoardError(file, "group", f"expected group, and chapter as one of {', '.join(_CHAPTERS)}")
    under_test = table.get("under_test", "hub")
    if under_test not in _PRECONDITIONS:
        raise BoardError(file, "under_test", f"{under_test!r}: expected {one_of(under_test, _PRECONDITIONS)}")
    return tuple(_check(file, group, under_test, str(chapter), row) for row in table.get("check", ()))


def _check(file: str, group: str, under_test: str, chapter: str, row: Mapping[str, Value]) -> Check:
    name = str(row.get("id", "check"))
    for key in ("id", "title", "source", "requirement", "precondition", "reading", "unit"):
        if key not in row:
            raise BoardError(file, f"{name}.{key}", "missing")
    if unknown := sorted(set(row) - _FIELDS):
        raise BoardError(file, f"{name}.{unknown[0]}", f"no such key: expected {one_of(unknown[0], sorted(_FIELDS))}")
    states = _PRECONDITIONS[under_test]
    if row["precondition"] not in states:
        raise BoardError(file, f"{name}.precondition", f"{row['precondition']!r}: expected {one_of(row['precondition'], states)}")
    if "low" not in row and "high" not in row:
        raise BoardError(file, f"{name}.low", "a check without a limit passes anything: give low, high or both")
    steps = row.get("stimulus", [])
    if not isinstance(steps, list) or not all(isinstance(step, dict) and len(step) == 1 for step in steps):
        raise BoardError(file, f"{name}.stimulus", "expected a list of tables with one verb each, as { wait = 5 }")
    stimulus = tuple(next(iter(step.items())) for step in steps if isinstance(step, dict))
    requirement = row["requirement"]
    rows = tuple(str(item) for item in requirement) if isinstance(requirement, list) else (str(requirement),)
    return Check(
        str(row["id"]),
        group,
        under_test,
        str(row.get("chapter", chapter)),
        str(row["title"]),
        str(row["source"]),
        rows,
        str(row["precondition"]),
        stimulus,
        str(row["reading"]),
        row.get("of"),
        str(row["unit"]),
        _limit(row.get("low")),
        _limit(row.get("high")),
        bool(row.get("waveform", False)),
    )


def _limit(value: Value | None) -> str | float | None:
    return value if isinstance(value, str) or value is None else float(value)  # type: ignore[arg-type]
