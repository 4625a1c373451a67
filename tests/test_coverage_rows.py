"""Every requirement row is proven by a test that names it, or says in uncovered.csv why it is not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def listed(name: str, column: str) -> dict[str, str]:
    with (HERE / name).open(encoding="utf-8") as lines:
        return {row["row"]: row[column] for row in csv.DictReader(lines)}


@pytest.fixture
def marked(request: pytest.FixtureRequest) -> set[str]:
    """The rows that the tests of this run name; only a run of the whole suite can tell."""
    there = set(HERE.rglob("test_*.py"))
    collected = {item.path for item in request.session.items}
    if len(there - collected) > 2:  # a module may skip as a whole where something is missing
        pytest.skip(f"{len(there - collected)} test modules are not part of this run: tools/test runs all")
    return {str(mark.args[0]) for item in request.session.items for mark in item.iter_markers("requirement")}


def test_a_row_is_marked_or_has_a_reason(marked: set[str]) -> None:
    tiers, reasons = listed("requirements.csv", "tier"), listed("uncovered.csv", "reason")
    missing = [row for row in tiers if row not in marked and row not in reasons]
    assert missing == [], "name these in a test that proves them, or give the reason in tests/uncovered.csv"


def test_no_mark_names_an_unknown_row(marked: set[str]) -> None:
    assert marked - set(listed("requirements.csv", "tier")) == set()


def test_a_reason_is_given_only_for_a_row_without_a_test(marked: set[str]) -> None:
    assert set(listed("uncovered.csv", "reason")) & marked == set()


def test_a_reason_is_a_sentence_about_a_row_that_exists() -> None:
    rows = listed("requirements.csv", "tier")
    for row, reason in listed("uncovered.csv", "reason").items():
        assert row in rows
        assert reason.endswith(".")
        assert len(reason.split()) >= 8, f"{row}: say why, so that a reader can judge it"


def test_at_least_95_rows_in_100_of_tiers_a_and_b_are_to_be_proven() -> None:
    rows = listed("requirements.csv", "tier")
    heart = {row for row, tier in rows.items() if tier in "AB"}
    assert len(heart & set(listed("uncovered.csv", "reason"))) <= 0.05 * len(heart)


@pytest.mark.clause("a row or clause travels into the JUnit file")
def test_a_mark_travels_into_the_junit_file_where_the_table_of_rows_reads_it(request: pytest.FixtureRequest) -> None:
    assert ("clause", "a row or clause travels into the JUnit file") in request.node.user_properties
