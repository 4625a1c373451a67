"""Requirement rows proved: the test of a row goes through a door that a user has, and a change of the code behind it turns the test red.

``tests/proofs.csv`` names for each row one function, one changed line in it, and the test that must fail. :func:`prove` runs each of them;
:func:`find` looks for those of rows that have none yet, first on lines that few other rows' tests run.
"""

from __future__ import annotations

import ast
import contextlib
import csv
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from mutant_places import Place, places
from prepare import ROOT

PROVING = ROOT / "tools" / "proving"
PROOFS = ROOT / "tests" / "proofs.csv"
FIELDS = ("row", "test", "file", "function", "old", "new")
KINDS = ("command", "verb", "page", "wire")
"""Kinds of doors, the ones a user has in hand first."""
DCC, HUB = ("hil/dcc/",), ("firmware_emu/hub/", "firmware_emu/wan/", "firmware_emu/han/", "hil/radio/")
DEVICES = ("firmware_emu/device/", "hil/devices/")
PARTS = {
    "CH": (*HUB, *DEVICES, *DCC, "firmware_emu/zse/"),
    "GPF": (*HUB, *DEVICES, *DCC),
    "ICHIS": ("ichis/", "hil/conformance/", "firmware_emu/hub/", "hil/sec/maintenance/"),
    "P&C": ("hil/parse_correlate/", "hil/commands/dcc/parse_correlate.py"),
    "SSI": ("hil/ssi/",),
    "charging": ("hil/sec/charging/",),
    "commercial": ("hil/sec/charging/", "hil/sec/"),
    "demand mgmt": ("hil/sec/demand/", "hil/dcc/anomaly/"),
    "incident mgmt": ("hil/sec/incidents/", "hil/dcc/registration/"),
    "performance": ("hil/sec/measures/",),
    "registration data": ("hil/dcc/registration/",),
    "security": ("hil/sec/security/", "hil/sec/incidents/", "hil/dcc/", "firmware_emu/"),
    "service mgmt": ("hil/sec/maintenance/", "hil/sec/", "hil/dcc/"),
}
"""Folders in which the code of a side's rows is; the DCC's where none is named. A proof changes a line there."""
_CALL = re.compile(r"(await )?[a-z_.]+\(.*\)$")
"""A call on one line whose value is not used."""
MUTANTS_A_ROW = 16
Line = tuple[str, str, int]
"""File, function and number."""


@dataclass(frozen=True)
class Proof:
    """A row, its test, and the line of a function that is changed."""

    row: str
    test: str
    file: str
    function: str
    old: str
    new: str

    @property
    def watched(self) -> dict[str, str]:
        return {"file": self.file, "function": self.function, "old": self.old, "new": self.new}


def proofs() -> dict[str, Proof]:
    """The proofs that are kept, by row."""
    if not PROOFS.exists():
        return {}
    with PROOFS.open(encoding="utf-8", newline="") as lines:
        return {line["row"]: Proof(**line) for line in csv.DictReader(lines)}


def write(kept: Iterable[Proof], rows: Sequence[str]) -> None:
    """Write the proofs in the order of the rows."""
    by_row = {proof.row: proof for proof in kept}
    with PROOFS.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, FIELDS, lineterminator="\n")
        out.writeheader()
        out.writerows(asdict(by_row[row]) for row in rows if row in by_row)


def run(told: dict[str, Any], tests: Sequence[str] = ("tests",)) -> Iterator[dict[str, Any]]:
    """Answers of the pytest plugin in tools/proving to what it is told, as they come. Raises RuntimeError where pytest ends early."""
    with TemporaryDirectory(prefix="chub-proofs-") as folder:
        doors, task, out, log = (Path(folder) / name for name in ("doors.json", "task.json", "answers", "log"))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(PROVING), str(ROOT)))}
        with doors.open("w", encoding="utf-8") as file:
            subprocess.run([sys.executable, str(PROVING / "doors.py")], env=environment, cwd=ROOT, stdout=file, check=True)
        task.write_text(json.dumps({**told, "out": str(out)}), encoding="utf-8")
        environment |= {"CHUB_DOORS": str(doors), "CHUB_PROVE": str(task)}
        out.touch()
        plugins = ("-p", "row_prover", "-p", "no:cacheprovider", "-p", "no:xdist")
        with log.open("w", encoding="utf-8") as said, out.open(encoding="utf-8") as answers:
            pytest = subprocess.Popen([sys.executable, "-m", "pytest", "-q", *plugins, *tests], env=environment, cwd=ROOT, stdout=said)
            part = ""
            while True:
                ended = pytest.poll() is not None
                part += answers.readline()
                if part.endswith("\n"):
                    yield json.loads(part)
                    part = ""
                elif ended:
                    break
                else:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        pytest.wait(0.2)
        if pytest.returncode not in (0, 5):  # 5: it ran no test by itself
            raise RuntimeError(f"pytest ended with {pytest.returncode}: {log.read_text(encoding='utf-8')[-2000:]}")


def prove(surfaces: Mapping[str, str], other_tests: Iterable[tuple[str, str]] = ()) -> Iterator[tuple[str, str, str]]:
    """Row, ``proved``, ``unreached`` or ``survived``, and what was seen, for the rows that have a proof; given each row's surface.

    ``other_tests``: rows with tests that are judged by the change of the row's proof in place of the test that is kept."""
    kept = proofs()
    told = [(row, test, kept[row].watched) for row, test in other_tests if row in kept]
    told = told or [(row, kept[row].test, kept[row].watched) for row in surfaces if row in kept]
    files = sorted({test.partition("::")[0] for _, test, _ in told})
    for answer in run({"mode": "judge", "proofs": told}, files) if told else ():
        row = answer["row"]
        through = [door for door in answer["doors"] if door]
        if answer["sound"] != "passed":
            yield row, "survived", f"without a change its test is: {answer['sound']} ({answer['test']})"
        elif surfaces[row] not in through:
            others = ", ".join(through) or "no door"
            yield row, "unreached", f"{kept[row].function} is not entered by {surfaces[row] or 'a surface'} (but by: {others})"
        elif answer["mutant"] != "failed":
            yield row, "survived", f"{kept[row].function}: {kept[row].new!r} for {kept[row].old!r}: {answer['mutant']}"
        else:
            yield row, "proved", f"{surfaces[row]}; {answer['test'].partition('::')[2]}"


def find(sides: Mapping[str, str], traced: Sequence[dict[str, Any]], seed: int = 1) -> Iterator[tuple[str, Proof | None, str]]:
    """Each row with its proof and the surface, None and empty where no change that was tried turned its tests red; given the side of each
    row and the traces of tests that name it; the rows with the cheapest tests first."""
    sharing: dict[Line, set[str]] = defaultdict(set)
    of_row: dict[str, dict[Line, str]] = defaultdict(dict)
    for one in sorted(traced, key=itemgetter("seconds")):
        if one["outcome"] == "passed":
            for file, function, door, number in one["entered"]:
                line = file, function, number
                for row in one["rows"]:
                    sharing[line].add(row)
                    if door:
                        of_row[row].setdefault(line, one["test"])
    seconds = {one["test"]: one["seconds"] for one in traced}
    source = _Sources()
    wanted: dict[str, list[Any]] = {}
    for row, side in sides.items():
        parts = PARTS.get(side, DCC)
        draw = Random(f"{seed} {row}")
        lines = sorted((line for line in of_row[row] if line[0].startswith(parts)), key=lambda line: (len(sharing[line]), draw.random()))
        mutants = ((of_row[row][line], mutant) for line in lines for mutant in source.mutants(*line))
        if some := list(islice(mutants, MUTANTS_A_ROW)):
            wanted[row] = [(test, [mutant]) for test, mutant in some]
    cheapest_first = sorted(wanted, key=lambda row: min(seconds[test] for test, _ in wanted[row]))
    files = sorted({test.partition("::")[0] for tried in wanted.values() for test, _ in tried})
    told = {"mode": "find", "wanted": {row: wanted[row] for row in cheapest_first}}
    for answer in run(told, files) if wanted else ():
        if "test" in answer:
            yield answer["row"], Proof(answer["row"], answer["test"], **answer["watched"]), surface(answer["doors"])
        else:
            yield answer["row"], None, ""


def naming(rows: Iterable[str]) -> list[str]:
    """Test files that may name one of the rows: they have its name in quotes, or read the table of rows."""
    wanted = [f'"{row}' for row in rows]
    texts = {file: file.read_text(encoding="utf-8") for file in sorted((ROOT / "tests").rglob("test_*.py"))}
    return [str(file.relative_to(ROOT)) for file, text in texts.items() if any(one in text for one in (*wanted, "requirements.csv"))]


def surface(doors: Sequence[str]) -> str:
    """The one to name of some doors: what a user has in hand before what a wire carries."""
    return min((door for door in doors if door), key=lambda door: (KINDS.index(door.partition(":")[0]), door))


class _Sources:
    """The changes that a line of a function may have."""

    def __init__(self) -> None:
        sys.path.insert(0, str(PROVING))
        from through_doors import extents

        self._extents = extents
        self._read: dict[str, tuple[list[str], dict[str, list[tuple[int, int]]], dict[int, list[Place]]]] = {}

    def mutants(self, file: str, function: str, number: int) -> Iterator[dict[str, str]]:
        """The line with one operator or number changed, its value not returned, or its call not made, as :class:`Watched` has it; for a
        line that stands once in the function."""
        if file not in self._read:
            text = (ROOT / file).read_text(encoding="utf-8")
            by_line: dict[int, list[Place]] = defaultdict(list)
            for place in places(text):
                by_line[place.line].append(place)
            self._read[file] = text.splitlines(), self._extents(ast.parse(text)), by_line
        lines, extents, by_line = self._read[file]
        for first, last in extents.get(function, ())[:1]:
            old = lines[number - 1].strip()
            if not first < number <= last or sum(line.strip() == old for line in lines[first - 1 : last]) > 1:
                continue
            for new in _changes(lines[number - 1], by_line[number]):
                yield {"file": file, "function": function, "old": old, "new": new}  # one that is no program never turns a test red


def _changes(line: str, there: Sequence[Place]) -> Iterator[str]:
    for place in sorted(there, key=lambda place: place.old[0].isdigit()):
        yield (line[: place.column] + place.new + line[place.column + len(place.old) :]).strip()
    text = line.strip()
    if text.startswith("return ") and text != "return None":
        yield "return None"
    elif _CALL.match(text):
        yield "pass"
