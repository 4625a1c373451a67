"""Rows that cannot lie: each proof names a door that exists and a line that stands, and a proof that proves nothing is told."""

from __future__ import annotations

import ast
import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUSPENDED = "tests/dcc/gateway/test_checks.py::test_a_suspended_user_is_refused_with_e3_and_a_reinstated_one_is_not"
WIRE = "wire: DUIS request"
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
FILE, FUNCTION = "hil/dcc/gateway/arrival.py", "user"


@pytest.fixture
def row_proofs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools" / "proving")
    monkeypatch.syspath_prepend(ROOT / "tools")
    import row_proofs

    return row_proofs


@pytest.fixture(scope="module")
def doors() -> set[str]:
    """Names of all doors."""
    path = os.pathsep.join((str(ROOT / "tools" / "proving"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "proving" / "doors.py")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return {door for functions in json.loads(done.stdout).values() for door in functions.values()}


def test_a_surface_of_a_row_is_a_command_a_verb_a_page_or_a_wire_that_exists(doors: set[str]) -> None:
    with (ROOT / "tests" / "requirements.csv").open(encoding="utf-8") as lines:
        surfaces = {row["surface"] for row in csv.DictReader(lines)} - {""}
    assert surfaces - doors == set()
    assert {"command: chub dcc send", "verb: time go", "page: /incidents", "wire: GBCS message at a Device"} <= doors


def test_a_proof_changes_a_line_that_stands_in_its_function(row_proofs: ModuleType) -> None:
    from through_doors import Watched, changed

    stale = []
    for proof in row_proofs.proofs().values():
        try:
            changed((ROOT / proof.file).read_text(encoding="utf-8"), Watched(**proof.watched))
        except (ValueError, OSError) as gone:
            stale.append(f"{proof.row}: {gone}")
    assert stale == [], "take these out of tests/proofs.csv, and find others: tools/coverage --find"


def test_a_proof_is_kept_for_rows_with_a_surface_alone(row_proofs: ModuleType) -> None:
    with (ROOT / "tests" / "requirements.csv").open(encoding="utf-8") as lines:
        with_surface = {row["row"] for row in csv.DictReader(lines) if row["surface"]}
    assert set(row_proofs.proofs()) == with_surface


def functions_of(file: Path) -> set[str]:
    """Names of the functions of a test file."""
    return {node.name for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, FUNCTIONS)}


def test_a_proof_names_a_test_that_exists(row_proofs: ModuleType) -> None:
    gone = []
    for proof in row_proofs.proofs().values():
        file, _, name = proof.test.partition("::")
        if not (ROOT / file).is_file() or name.partition("[")[0] not in functions_of(ROOT / file):
            gone.append(f"{proof.row}: {proof.test}")
    assert gone == [], "name the test that has taken its place in tests/proofs.csv"


def test_a_row_is_proved_unreached_or_survived_and_says_why(
    row_proofs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "if sender.suspended is not None:"
    proofs = [
        row_proofs.Proof("R-1", SUSPENDED, FILE, FUNCTION, line, "if sender.suspended is None:"),
        row_proofs.Proof("R-2", SUSPENDED, FILE, FUNCTION, line, "if sender.suspended is None:"),
        row_proofs.Proof("R-3", SUSPENDED, FILE, FUNCTION, line, "if sender.suspended is not None and True:"),
    ]
    monkeypatch.setattr(row_proofs, "PROOFS", tmp_path / "proofs.csv")
    row_proofs.write(proofs, ["R-1", "R-2", "R-3"])
    found = {row: (fate, seen) for row, fate, seen in row_proofs.prove({"R-1": WIRE, "R-2": "page: /incidents", "R-3": WIRE})}
    assert found["R-1"][0] == "proved"
    assert found["R-2"] == ("unreached", f"{FUNCTION} is not entered by page: /incidents (but by: {WIRE})")
    assert found["R-3"][0] == "survived"
    other = SUSPENDED.replace("suspended_user_is_refused_with_e3_and_a_reinstated_one_is_not", "stranger_is_refused_with_e1")
    (before,) = row_proofs.prove({"R-1": WIRE}, [("R-1", other)])
    assert before[1] == "survived", "a test that named the row before may prove nothing"


def test_an_old_mark_is_of_a_row_that_has_a_proof_now_by_a_test_that_is_still_there(row_proofs: ModuleType) -> None:
    with (ROOT / "tests" / "old_marks.csv").open(encoding="utf-8", newline="") as lines:
        marks = [(line["row"], line["test"]) for line in csv.DictReader(lines)]
    kept = row_proofs.proofs()
    assert {row for row, _ in marks} <= set(kept)
    for row, test in filter(lambda mark: mark[1], marks):
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), test
        assert kept[row].test.partition("[")[0] != test, row
