"""Mutants at random: one token of one file changed, drawn by a seed; a test must fail.

Where all tests were recorded (``tools/test --lines``) those that ran the line judge, the cheapest first; else the tests of the file's own
folder. What they let live goes to the tests of the whole path.
"""

import random
import re
import tokenize
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from prepare import ROOT
from security_mutants import Mutant, copied, run_in

PACKAGES = ("firmware_emu", "ichis", "hil")
WIDER = ["tests/e2e/test_journey.py", "tests/e2e/test_alert_rows.py", "tests/contract"]
"""Tests of the whole path, for what the file's own folder lets live."""
LINES, COSTS = ROOT / "runs" / "lines.coverage", ROOT / "runs" / "tests.xml"
"""The lines that each test ran, and what it cost, as ``tools/test --lines`` leaves them."""
TRIED_S = 60.0
"""Seconds that the tests of one mutant took when they were recorded: no more of them are tried."""
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
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


@dataclass(frozen=True)
class Recorded:
    """Tests by the lines that they ran when all tests were recorded: ``{file: {line: tests}}``, and the seconds of each."""

    ran: Mapping[str, Mapping[int, list[str]]]
    seconds: Mapping[str, float]

    def judges(self, file: str, line: int) -> list[str]:
        """The tests that ran a line, the cheapest first, as many as take ``TRIED_S``; none for a line that runs at import alone."""
        tests, left = [], TRIED_S
        for test in sorted(self.ran.get(file, {}).get(line, ()), key=lambda test: (self.seconds.get(_in_junit(test), 1.0), test)):
            left -= self.seconds.get(_in_junit(test), 1.0)
            if tests and left < 0:
                break
            tests.append(test)
        return tests


def _in_junit(test: str) -> str:
    file, _, name = test.partition(".py::")
    return f"{file.replace('/', '.')}::{name}"


def recorded(lines: Path = LINES, costs: Path = COSTS) -> Recorded | None:
    """The last recording; None where there is none."""
    if not (lines.exists() and costs.exists()):
        return None
    from coverage import CoverageData

    data = CoverageData(str(lines))
    data.read()
    ran = {
        str(Path(file).relative_to(ROOT)): {
            line: sorted({context.rpartition("|")[0] for context in contexts if context})
            for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
        if Path(file).is_relative_to(ROOT)
    }
    cases = ElementTree.parse(costs).iter("testcase")
    return Recorded(ran, {f"{case.get('classname')}::{case.get('name')}": float(case.get("time", 0)) for case in cases})


def sample(count: int, seed: int, pattern: str = "", known: Recorded | None = None) -> list[Mutant]:
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
            tests = known.judges(str(file), place.line) if known is not None else []
            drawn.append(Mutant(name, str(file), sources[file], mutant, tests or judges_of(file)))
    return drawn


def sampled_fates(mutants: list[Mutant], jobs: int = 1) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and what became of it: ``killed``, ``survives``, or in words why nobody can tell (its tests fail without it)."""
    with TemporaryDirectory(prefix="chub-mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            (own := Path(folder) / str(number)).mkdir()
            trees.put(copied(own))
        sound: dict[tuple[str, ...], bool] = {}

        def judged(mutant: Mutant) -> tuple[Mutant, str]:
            tree = trees.get()
            try:
                return mutant, _fate(mutant, tree, sound)
            finally:
                trees.put(tree)

        for done in as_completed([pool.submit(judged, mutant) for mutant in mutants]):
            yield done.result()


def _fate(mutant: Mutant, tree: Path, sound: dict[tuple[str, ...], bool]) -> str:
    for tests in [mutant.tests, WIDER] if mutant.tests != WIDER else [WIDER]:
        done = run_in(mutant, tree, *_pytest(tests))
        if done.returncode == 0:
            continue
        first = _FAILED.findall(done.stdout)[:1]
        again = [*first] if first and "::" in first[0] else ["--collect-only", *tests]
        if tuple(again) not in sound:
            sound[tuple(again)] = run_in(replace(mutant, new=mutant.old), tree, *_pytest(again)).returncode == 0
        return "killed" if sound[tuple(again)] else f"not judged: {' '.join(again)} fails without a mutant"
    return "survives"


def _pytest(words: list[str]) -> list[str]:
    return ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words]
