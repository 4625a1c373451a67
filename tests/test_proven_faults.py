"""The list of faults that were proven once (``proven_faults.csv``) names a test of today for each."""

from __future__ import annotations

import ast
import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS = list(csv.DictReader((ROOT / "tests" / "proven_faults.csv").open(encoding="utf-8")))


@pytest.mark.parametrize("row", ROWS, ids=[row["fault"] for row in ROWS])
def test_a_fault_that_was_proven_once_has_its_test(row: dict[str, str]) -> None:
    file, _, name = row["test"].partition("::")
    defined = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    assert name in {one.name for one in defined if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
