"""``chub book``: what it says of rows that were played, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from hil.book import Report, load_book
from hil.book.rows import BookRow
from hil.book.second import EndsDifference, Opinions
from hil.commands import book as command
from hil.devices.metering.maker import makers


@pytest.fixture(autouse=True)
def _loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.logging, "disable", lambda: None)


@pytest.mark.parametrize("good", [True, False])
def test_each_row_that_was_played_is_told_on_stderr_and_the_verdict_is_the_exit_code(monkeypatch: pytest.MonkeyPatch, good: bool) -> None:
    first = load_book().chosen(None, ())[0]
    wrong = _finding(first)

    def play(book: object, rows: list[BookRow], *, board: str | None, told: Callable[[BookRow, bool], None]) -> Report:
        told(rows[0], good)
        return Report(rows, [] if good else [wrong])

    monkeypatch.setattr(command, "play", play)
    done = CliRunner().invoke(command.book, ["run", "--row", str(first.number), "--json"])
    assert done.exit_code == (0 if good else 1)
    assert f"row {first.number} {'agrees' if good else 'disagrees'}" in done.stderr
    assert json.loads(done.stdout)["disagree"] == (0 if good else 1)
    plain = CliRunner().invoke(command.book, ["run", "--row", str(first.number)])
    assert ("expected: five" in plain.stdout) is not good
    assert plain.stdout.endswith("1 rows: 1 agree, 0 disagree, 0 profile\n" if good else "1 rows: 0 agree, 1 disagree, 0 profile\n") or (
        "profile" in first.certainty
    )


def _finding(row: BookRow) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(
        row=row,
        maker="",
        wrong=(SimpleNamespace(say="read it", expected="five", got="six"), SimpleNamespace(say="again", expected="seven", got="eight")),
        as_json=lambda: {"row": row.number},
    )


def test_makers_are_all_played_or_those_that_are_named_and_what_breaks_is_told_by_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    played = []

    def play_with(name: str, book: object, rows: list[BookRow], *, told: Callable[[BookRow, bool], None]) -> Report:
        played.append((name, len(rows)))
        told(rows[0], name != "broken")
        return Report(list(rows), [])

    monkeypatch.setattr(command, "play_with", play_with)
    every = CliRunner().invoke(command.book, ["makers", "--json"])
    assert every.exit_code == 0
    assert [name for name, _ in played] == list(makers())
    meters = [row for row in load_book().chosen(None, ()) if row.bench in ("esme", "gas", "prepay")]
    assert {count for _, count in played} == {len(meters)}, "rows of the meters alone"
    assert json.loads(every.stdout)["makers"] == {name: {"rows": len(meters), "breaks": 0} for name in makers()}
    one = next(iter(makers()))
    played.clear()
    said = CliRunner().invoke(command.book, ["makers", "--maker", one, "--row", str(meters[0].number)])
    assert played == [(one, 1)]
    assert said.stdout.endswith(f"{one}: 1 of 1 rows as the book says\n")
    assert f"{one}: row {meters[0].number} agrees" in said.stderr
    assert CliRunner().invoke(command.book, ["makers", "--maker", "nobody"]).exit_code == 2


@pytest.mark.parametrize("differences", [(), (EndsDifference("gsme read", "balance", "1", "2"),)])
def test_meter_and_proxy_are_compared_and_a_difference_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, differences: tuple[EndsDifference, ...]
) -> None:
    def compare(book: object, told: Callable[[str], None]) -> Opinions:
        told("gsme read")
        return Opinions(3, differences)

    monkeypatch.setattr(command, "compare", compare)
    done = CliRunner().invoke(command.book, ["compare", "--json"])
    assert done.exit_code == len(differences)
    assert done.stderr == "gsme read\n"
    assert json.loads(done.stdout)["asked"] == 3
    table = CliRunner().invoke(command.book, ["compare"])
    assert f"3 questions, {len(differences)} differences" in table.stdout
