"""Mutants at random: one token of one file changed, drawn by a seed; a test must fail.

Where all tests were recorded (``tools/test --lines``) those that ran the line judge, the ones that mirror its file first, as many as took
two minutes then; for a line that runs at import, those that ran a line which names what it defines, or its function, and cheap ones of the
folder. A change inside a function is made in a process that has all of them loaded (tools/proving), any other in a copy of the tree. A
mutant that goes round for ever is noticed: its tests take more seconds of processor than they may. What lives goes to the tests of the
whole path.

Options of a dataclass (frozen, slots) are not drawn: they say what may be written, not what happens.
``tests/survivors.csv`` keeps why a mutant may live, by the text of its line.
"""

import ast
import csv
import random
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from mutant_places import changed, compiles, places
from prepare import ROOT
from row_proofs import run
from security_mutants import Mutant, copied, run_in

PACKAGES = ("firmware_emu", "ichis", "hil")
WIDER = ["tests/e2e/test_journey.py", "tests/e2e/test_alert_rows.py", "tests/contract"]
"""Tests of the whole path, for what the file's own folder lets live."""
WIDER_S = 240
"""Seconds of processor that one of them may take."""
LINES, COSTS = ROOT / "runs" / "lines.coverage", ROOT / "runs" / "tests.xml"
"""The lines that each test ran, and what it cost, as ``tools/test --lines`` leaves them."""
SURVIVORS = ROOT / "tests" / "survivors.csv"
TRIED_S = 120.0
"""Seconds of processor that the tests of one mutant took when they were recorded (some twice of what they take): no more are tried."""
_TICK_S = 0.01
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Drawn(Mutant):
    """A mutant of one token of a line; ``function`` its qualified name, empty for a line that runs at import. ``equivalent`` says why it
    may live, ``everywhere`` that programs which tests start may run the line, and ``asked`` tests are those of the whole path then."""

    line: int = 0
    function: str = ""
    seconds: float = 0.0
    """Those that its tests took when they were recorded, and the dearest of them."""
    dearest: float = 0.0
    everywhere: bool = True

    @property
    def text(self) -> str:
        """The line as it stands, without its indent."""
        return self.old.splitlines()[self.line - 1].strip()


def defined(source: str, line: int) -> tuple[str, str, str]:
    """Function whose body holds the line, by its qualified name; else class and name that the line defines at import, each empty where
    there is none."""

    def within(body: Sequence[ast.stmt], names: tuple[str, ...]) -> tuple[str, str, str]:
        for node in body:
            decorators = getattr(node, "decorator_list", [])
            first = min((node.lineno, *(one.lineno for one in decorators)))
            if not first <= line <= (node.end_lineno or node.lineno):
                continue
            if isinstance(node, ast.ClassDef):
                return within(node.body, (*names, node.name)) if line >= node.body[0].lineno else ("", "", node.name)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = line >= node.body[0].lineno
                return (".".join((*names, node.name)), "", "") if inside else ("", ".".join(names), node.name)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            named = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            return "", ".".join(names), "|".join(named)
        return "", ".".join(names), ""

    return within(ast.parse(source).body, ())


def of_statement(source: str, line: int) -> range:
    """Lines of the statement that the line is of, without those of statements within: a recording has not every line of a long one."""
    around = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case) and hasattr(node, "lineno")
        if node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    if not around:
        return range(line, line + 1)
    inmost = max(around, key=lambda node: (node.lineno, -(node.end_lineno or node.lineno)))
    body = getattr(inmost, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body and line < body[0].lineno else inmost.end_lineno or line
    return range(inmost.lineno, max(last, line) + 1)


def body_of(source: str, owner: str, name: str) -> range:
    """Lines of the body of a function whose decorators or defaults run at import; none where the name is of none."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = node.body[0].lineno
            if defined(source, first)[0] == f"{owner}.{name}".lstrip("."):
                return range(first, (node.end_lineno or first) + 1)
    return range(0)


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
    """Tests by the lines that they ran when all tests were recorded: ``{file: {line: tests}}``, an empty name for a program that a test
    started, and the processor seconds of each."""

    ran: Mapping[str, Mapping[int, Collection[str]]]
    seconds: Mapping[str, float]

    def judges(self, sources: Mapping[Path, str], file: Path, line: int) -> tuple[list[str], float]:
        """The tests that may notice a change of the line, and their seconds: as many as take ``TRIED_S``, tests of the file's folder before
        others and cheap ones before dear ones, those of a test file together; at import a third more of the folder's."""
        function, owner, name = defined(sources[file], line)
        near = [one for one in judges_of(file) if one not in WIDER]
        of_folder = {test for test in self._all if near and test.startswith(tuple(near))}
        tests = self._tests(file, of_statement(sources[file], line) if function else body_of(sources[file], owner, name))
        if not function and name:
            for other, text in sources.items():
                if other == file or ((owner.rpartition(".")[2] or name.partition("|")[0]) in text and file.stem in text):
                    word = re.compile(rf"\b(?:{name})\b")
                    tests |= self._tests(other, [number for number, one in enumerate(text.splitlines(), 1) if word.search(one)])
        chosen, took = list[str](), 0.0
        # the last hold a table to its source, and run no line of it
        for group, share in ((tests & of_folder, 2), (tests - of_folder, 3), (set() if function and tests else of_folder - tests, 4)):
            for test in sorted(group, key=lambda test: (self.cost(test), test)):
                if chosen and took + self.cost(test) > TRIED_S * share / 3:
                    break
                chosen.append(test)
                took += self.cost(test)
        order = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
        return sorted(chosen, key=lambda test: order.index(test.partition("::")[0])), took

    def by_programs(self, file: Path, line: int) -> bool:
        """True if a program that a test started ran the line."""
        return "" in self.ran.get(str(file), {}).get(line, ())

    def _tests(self, file: Path, lines: Iterable[int]) -> set[str]:
        ran = self.ran.get(str(file), {})
        return {test for line in lines for test in ran.get(line, ()) if test}

    def cost(self, test: str) -> float:
        """Seconds of processor that a test took; one where nobody has recorded it."""
        return self.seconds.get(_in_junit(test), 1.0)

    @cached_property
    def _all(self) -> set[str]:
        of_packages = {test for lines in self.ran.values() for tests in lines.values() for test in tests if test}
        named = (one.partition("::") for one in self.seconds)
        return of_packages | {
            f"{file.replace('.', '/')}.py::{name}" for file, _, name in named if file.rpartition(".")[2].startswith("test_")
        }


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
            line: {context.rpartition("|")[0] for context in contexts} for line, contexts in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
        if Path(file).is_relative_to(ROOT)
    }
    cases = ElementTree.parse(costs).iter("testcase")
    return Recorded(ran, {f"{case.get('classname')}::{case.get('name')}": _processor_s(case) for case in cases})


def _processor_s(case: ElementTree.Element) -> float:
    """Processor seconds of a test of a JUnit file, in ticks of a hundredth: its duration there says as much of the machine's other work."""
    said = (one.get("value", "") for one in case.iter("property") if one.get("name") == "processor_s")
    return max(_TICK_S / 2, float(next(said, 0.0)))


def survivors() -> dict[tuple[str, str, str, str], str]:
    """Reason for which a mutant may live, by file, text of its line, token and what it becomes."""
    with SURVIVORS.open(encoding="utf-8", newline="") as lines:
        return {(row["file"], row["line"], row["old"], row["new"]): row["why"] for row in csv.DictReader(lines)}


def sample(count: int, seed: int, pattern: str = "", known: Recorded | None = None) -> list[Drawn]:
    """``count`` mutants, each of a file drawn by its number of places; the same for the same seed and tree. Fewer where there are fewer."""
    sources = {file.relative_to(ROOT): file.read_text(encoding="utf-8") for name in PACKAGES for file in (ROOT / name).rglob("*.py")}
    there = [(file, place) for file in sorted(sources) if pattern in str(file) for place in places(sources[file])]
    reasons = survivors()
    drawn: list[Drawn] = []
    for file, place in random.Random(seed).sample(there, len(there)):
        if len(drawn) == count:
            break
        source = sources[file]
        mutant = changed(source, place)
        if compiles(source, mutant):
            name = f"line {place.line}, column {place.column}: {place.old} becomes {place.new or 'nothing'}"
            tests, seconds = known.judges(sources, file, place.line) if known is not None else (judges_of(file), 0.0)
            function = defined(source, place.line)[0]
            everywhere = known is None or not function or not tests or known.by_programs(file, place.line)
            why = reasons.get((str(file), source.splitlines()[place.line - 1].strip(), place.old, place.new), "")
            dearest = max(map(known.cost, tests), default=0.0) if known is not None else 0.0
            drawn.append(
                Drawn(name, str(file), source, mutant, tests or WIDER, why, [], "", place.line, function, seconds, dearest, everywhere)
            )
    return drawn


def sampled_fates(mutants: list[Drawn], jobs: int = 1) -> Iterator[tuple[Drawn, str]]:
    """Each mutant and what became of it: ``killed``, ``survives``, or in words why nobody can tell (its tests fail without it)."""
    within = [mutant for mutant in mutants if mutant.seconds and mutant.function]
    shards = [shard for number in range(jobs) if (shard := within[number::jobs])]
    outside = [mutant for mutant in mutants if mutant not in within]
    with TemporaryDirectory(prefix="chub-mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        told: SimpleQueue[tuple[Drawn, str] | None] = SimpleQueue()
        for number in range(jobs):
            (own := Path(folder) / str(number)).mkdir()
            trees.put(copied(own))
        sound: dict[tuple[str, ...], bool] = {}

        def in_a_tree(mutant: Drawn) -> None:
            tree = trees.get()
            try:
                told.put((mutant, _fate(mutant, tree, sound)))
            finally:
                trees.put(tree)

        def loaded(shard: list[Drawn]) -> None:
            for judged in _loaded_fates(shard):
                told.put(judged)

        work = [pool.submit(loaded, shard) for shard in shards] + [pool.submit(in_a_tree, mutant) for mutant in outside]
        for one in work:
            one.add_done_callback(lambda _: told.put(None))
        for _ in work:
            while (judged := told.get()) is not None:
                yield judged
        for one in work:
            one.result()


def _loaded_fates(mutants: list[Drawn]) -> Iterator[tuple[Drawn, str]]:
    """Fates of changes inside functions, each made where all tests are loaded already; the tests of the whole path judge at last."""

    def told(chosen: dict[int, Drawn], wider: bool) -> Iterator[tuple[int, Drawn, dict[str, Any]]]:
        facts = [
            (number, _watched(one), *(([], WIDER_S) if wider else (one.tests, 20 + 3 * one.dearest))) for number, one in chosen.items()
        ]
        files = WIDER if wider else sorted({test.partition("::")[0] for one in chosen.values() for test in one.tests})
        for answer in run({"mode": "kill", "mutants": facts}, files) if chosen else ():
            yield answer["number"], chosen[answer["number"]], answer

    left: dict[int, Drawn] = {}
    for number, mutant, answer in told(dict(enumerate(mutants)), wider=False):
        if answer["red"]:
            yield mutant, "killed"
        elif not answer["asked"]:
            yield mutant, f"not judged: {answer['unsound'] or 'none of its tests is there'}"
        elif mutant.everywhere:
            left[number] = mutant
        else:
            yield mutant, "survives"
    for _, mutant, answer in told(left, wider=True):
        yield mutant, "killed" if answer["red"] else "survives"


def _watched(mutant: Drawn) -> dict[str, object]:
    new = mutant.new.splitlines()[mutant.line - 1].strip()
    return {"file": mutant.file, "function": mutant.function, "old": mutant.text, "new": new, "number": mutant.line}


def _limit_s(mutant: Drawn) -> float:
    """Seconds of processor after which its tests are taken to go round for ever."""
    return 60 + 2 * (mutant.seconds or 600)


def _fate(mutant: Drawn, tree: Path, sound: dict[tuple[str, ...], bool]) -> str:
    for tests in [mutant.tests, WIDER] if mutant.everywhere and mutant.tests != WIDER else [mutant.tests]:
        done = run_in(mutant, tree, *_pytest(tests), processor_s=_limit_s(mutant))
        if done.returncode == 0:
            continue
        if done.returncode < 0:
            return "killed"  # it has gone round for ever
        first = _FAILED.findall(done.stdout)[:1]
        again = [*first] if first and "::" in first[0] else ["--collect-only", *tests]
        if tuple(again) not in sound:
            sound[tuple(again)] = run_in(replace(mutant, new=mutant.old), tree, *_pytest(again)).returncode == 0
        return "killed" if sound[tuple(again)] else f"not judged: {' '.join(again)} fails without a mutant"
    return "survives"


def _pytest(words: list[str]) -> list[str]:
    return ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words]
