"""Mutants at random: one token of one file changed, drawn by a seed; the tests of the file's own folder must notice, or a wider set."""

import os
import random
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

from prepare import ROOT
from security_mutants import Mutant, copied, fate

PACKAGES = ("firmware_emu", "ichis", "hil")
WIDER = ["tests/e2e/test_journey.py", "tests/e2e/test_alert_rows.py", "tests/contract"]
"""Tests of the whole path, for what the file's own folder lets live."""
_OTHER = {
    "==": "!=",
    "!=": "==",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "+": "-",
    "-": "+",
    "&": "|",
    "and": "or",
    "or": "and",
    "not": "",
    "True": "False",
    "False": "True",
}


@dataclass(frozen=True)
class Place:
    """One token that may be changed: where it stands, counted from 1 and 0, what it is and what it becomes."""

    line: int
    column: int
    old: str
    new: str


def places(source: str) -> list[Place]:
    """Tokens of a file that have a mutant, which still compiles and is another program."""
    found = []
    for token in tokenize.generate_tokens(StringIO(source).readline):
        new = _OTHER.get(token.string)
        if token.type == tokenize.NUMBER:
            new = _next_number(token.string)
        if new is not None and token.type in (tokenize.NUMBER, tokenize.OP, tokenize.NAME):
            found.append(Place(token.start[0], token.start[1], token.string, new))
    return found


def _next_number(text: str) -> str | None:
    try:
        return hex(int(text, 0) + 1) if text.lower().startswith("0x") else str(int(text, 0) + 1)
    except ValueError:  # a number with a point
        return None


def changed(source: str, place: Place) -> str:
    """The file's text with the mutant in it."""
    lines = source.splitlines(keepends=True)
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column] + place.new + line[place.column + len(place.old) :]
    return "".join(lines)


def compiles(source: str, mutant: str) -> bool:
    """True if the mutant is a program, and not the same one."""
    try:
        return compile(mutant, "mutant", "exec") != compile(source, "mutant", "exec")
    except SyntaxError:
        return False


def judges_of(file: Path) -> list[str]:
    """Tests that mirror a file: its own, or those of the nearest folder; else the wider set. ``file`` is relative to the checkout."""
    folders, own = file.parts[1:-1], f"test_{file.stem}.py"
    if not folders and (ROOT / "tests" / own).is_file():
        return [f"tests/{own}"]
    for deep in range(len(folders), 0, -1):
        folder = Path("tests", *folders[:deep])
        if (ROOT / folder).is_dir():
            return [str(folder)]
    return WIDER


def sample(count: int, seed: int, pattern: str = "") -> list[Mutant]:
    """``count`` mutants, each of a file drawn by its number of places; the same for the same seed and tree. Fewer where there are fewer."""
    sources = {file.relative_to(ROOT): file.read_text(encoding="utf-8") for name in PACKAGES for file in (ROOT / name).rglob("*.py")}
    there = [(file, place) for file in sorted(sources) if pattern in str(file) for place in places(sources[file])]
    drawn: list[Mutant] = []
    for file, place in random.Random(seed).sample(there, len(there)):
        if len(drawn) == count:
            break
        mutant = changed(sources[file], place)
        if compiles(sources[file], mutant):
            name = f"line {place.line}, column {place.column}: {place.old} becomes {place.new or 'nothing'}"
            drawn.append(Mutant(name, str(file), sources[file], mutant, judges_of(file)))
    return drawn


def sampled_fates(mutants: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and what became of it: ``killed``, ``survives``, or in words why nobody can tell (its tests fail without it)."""
    sound: dict[tuple[str, ...], bool] = {}
    with TemporaryDirectory(prefix="chub-mutants-") as folder:
        tree = copied(Path(folder))
        for mutant in mutants:
            what = "survives"
            for tests in (mutant.tests, WIDER):
                if sound.setdefault(tuple(tests), False) or _pass(tests, tree):
                    sound[tuple(tests)] = True
                    what = fate(Mutant(mutant.name, mutant.file, mutant.old, mutant.new, tests), tree)
                else:
                    what = f"not judged: {' '.join(tests)} fail without a mutant"
                if what != "survives" or tests == WIDER:
                    break
            yield mutant, what


def _pass(tests: list[str], tree: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode == 0
