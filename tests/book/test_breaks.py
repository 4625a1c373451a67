"""Breaks of Devices that the book must find: the list fits the code and the rows, and the quickest is found here."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hil.book import load_book, play
from hil.devices.base.tampering import Tampering

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = tomllib.loads((ROOT / "tools" / "book_mutants.toml").read_text(encoding="utf-8"))["mutant"]


def test_ten_breaks_at_least_each_of_a_line_that_stands_once_and_with_its_row() -> None:
    rows = load_book().rows
    assert len(MUTANTS) >= 10
    for mutant in MUTANTS:
        assert (ROOT / mutant["file"]).read_text(encoding="utf-8").count(mutant["old"]) == 1, mutant["name"]
        assert mutant["old"] != mutant["new"]
        assert mutant["row"] in rows, mutant["name"]


def test_a_meter_that_breaks_a_row_is_found_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    book = load_book()
    rows = book.chosen(None, (331,))
    assert not play(book, rows).findings
    monkeypatch.setattr(Tampering.METER_COVER, "_value_", 0x8F79)
    (found,) = play(book, rows).findings
    assert (found.row.number, found.wrong[0].expected) == (331, "a row with 8F74")
