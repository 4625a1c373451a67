"""Rows played on a bench: what is agreement, what a disagreement says, and that no row spoils the next."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub, exit_code
from hil.book import Report, load_book, play, play_with
from hil.book.rows import Book, BookSetting, read_rows

HUB = BookSetting("hub", "simulated", (), ("hub form",))
ROW = """
[[row]]
number = {number}
behaviour = "behaviour {number}"
device = "CHF"
clause = "CHTS {number}"
certainty = "{certainty}"
source = "a source"
bench = "hub"
{more}
"""


def report(*rows: tuple[str, str]) -> Report:
    texts = [ROW.format(number=number, certainty=certainty, more=more) for number, (certainty, more) in enumerate(rows, 1)]
    book = Book(read_rows({"rows.toml": "".join(texts)}, {"hub": HUB}), {"hub": HUB})
    return play(book, book.chosen(None, ()))


@pytest.fixture(scope="module")
def played() -> Report:
    return report(
        ("quoted", 'steps = [{ say = "hub status", value = { channel = 20 }, least = { boots = 1 }, keep = { boots = "boots" } },'
         '{ say = "hub status", value = { boots = "{boots}" }, absent = ["colour"] }]'),
        ("quoted", 'steps = [{ say = "hub status", value = { channel = 11 } }]'),
        ("recalled", 'steps = [{ say = "hub log", rows = [["esme"]] }]'),
        ("not established", 'profile = "a.b"\nsteps = [{ say = "hub status", said = "running" }]'),
        ("quoted", 'steps = [{ say = "esme join", ok = false }]'),
        ("quoted", 'steps = [{ say = "go 1h", no_records = [{ area = "han", event = "formed" }], no_alerts = ["8F12"] }]'),
        ("quoted", 'steps = [{ say = "go 1h", alerts = ["8F12"] }]'),
        ("quoted", 'steps = [{ say = "hub status", value = { boots = "{never}" } }]'),
    )  # fmt: skip


def test_rows_agree_disagree_or_go_by_their_profile(played: Report) -> None:
    assert [row.number for row in played.agreeing] == [1, 5, 6]
    assert sorted(played.disagreeing) == [2, 3, 7, 8]
    assert [row.number for row in played.profile] == [4]


def test_a_disagreement_says_the_line_what_was_expected_and_what_came(played: Report) -> None:
    found = {finding.row.number: finding.as_json() for finding in played.findings}
    assert (found[2]["said"], found[2]["expected"], found[2]["got"]) == ("hub status", "channel is 11", "20")
    assert found[3]["expected"] == "a row with esme"
    assert found[7]["expected"] == "an alert 8F12"
    assert "never" in str(found[8]["got"])


def test_the_report_as_json_has_the_four_counts_and_the_profile_rows(played: Report) -> None:
    told = played.as_json()
    assert (told["rows"], told["agree"], told["disagree"], told["profile"]) == (8, 3, 4, 1)
    assert told["profile_rows"] == [{"row": 4, "behaviour": "behaviour 4", "value": "a.b"}]


def test_agreement_is_told_by_clause(played: Report) -> None:
    assert played.by(lambda row: row.clause)["CHTS 2"] == (0, 1, 0)


def test_a_row_after_one_that_disagrees_begins_on_a_new_bench() -> None:
    found = report(
        ("quoted", 'steps = ["go 1d", { say = "hub status", value = { channel = 11 } }]'),
        ("quoted", 'steps = [{ say = "time now", has = { time = "2026-01-05" } }]'),
    )
    assert sorted(found.disagreeing) == [1]


def test_a_row_is_shown_with_its_clause_its_lines_and_what_must_come() -> None:
    shown = CliRunner().invoke(chub, ["book", "show", "74"])
    assert shown.exit_code == 0
    assert "esme power off" in shown.output
    assert "8F35" in shown.output
    assert "SMETS 5.5.12.6" in shown.output


def test_a_number_that_there_is_not_is_told_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: chub.main(["book", "show", "99999"], standalone_mode=False)) == 2
    assert "read 99999, expected one of the" in capsys.readouterr().err


def test_the_list_names_every_row_of_a_kind_of_device() -> None:
    told = json.loads(CliRunner().invoke(chub, ["book", "list", "--device", "gsme", "--json"]).output)
    assert {row["device"] for row in told["rows"]} == {"GSME"}


def test_one_row_is_run_alone() -> None:
    told = CliRunner().invoke(chub, ["book", "run", "--row", "108", "--json"])
    assert json.loads(told.stdout)["agree"] == 1
    assert told.exit_code == 0


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(89, id="a tampering at the console locks the supply"),
        pytest.param(93, id="a maker that does not tell what acted"),
        pytest.param(400, id="a maker that does not log a repeated token"),
        pytest.param(446, id="a token for gas at a display"),
        pytest.param(523, id="the first value inside a part of an answer is read"),
        pytest.param(533, id="logging of what was executed can be switched off"),
    ],
)
def test_a_row_that_once_found_a_fault_agrees(number: int) -> None:
    book = load_book()
    assert not play(book, book.chosen(None, (number,))).findings


def test_a_row_that_meters_of_one_maker_do_not_follow_is_found_with_it_and_not_with_another() -> None:
    book = load_book()
    (row,) = book.chosen(None, (400,))
    plain = replace(row, variants=())
    for maker, broken in (("maker-silent", [400]), ("standard", [])):
        found = play_with(maker, book, [plain])
        assert [finding.row.number for finding in found.findings] == broken
        assert all(finding.maker == maker for finding in found.findings)
    assert play_with("maker-silent", book, [row]).findings == [], "its variant says what such a meter does"


def test_the_command_takes_no_maker_that_there_is_not() -> None:
    ran = CliRunner().invoke(chub, ["book", "makers", "--maker", "nobody"])
    assert ran.exit_code == 2
    assert "maker-silent" in ran.output
