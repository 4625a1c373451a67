"""The list of refusals: it is the only place they come from, every one of them says what, why and what next."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import hil.dcc
from hil.commands.dcc.dcc import dcc
from hil.dcc.base.refusals import RefusalEntry, because, catalogue
from hil.dcc.base.services import response_codes

ROOT = Path(hil.dcc.__file__).parent
SOURCES = ("[", "choice", "DUIS", "GBCS", "profile-supplied", "H5", "H3", "inventory.toml", "section")
GIVEN_BY = {"refused", "because", "OwnServiceRefused"}
WORDS_FILLED_BY_PROGRAM = {"refused": {"ck3-commissioning", "ck3-commissioning-not-listed"}}


def calls() -> Iterator[tuple[str, int, str, ast.Call]]:
    """Every call in the DCC's code that makes a refusal: file, line, function, call."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield path.name, node.lineno, node.func.id, node


def names_in(argument: ast.expr) -> list[str]:
    return [node.value for node in ast.walk(argument) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def given() -> Iterator[tuple[str, ast.Call]]:
    for file, line, function, call in calls():
        if function in GIVEN_BY and call.args:
            found = names_in(call.args[0])
            if not found and isinstance(call.args[0], ast.Name) and file == "refusals.py":
                continue  # the functions themselves hand the name on
            named = found or WORDS_FILLED_BY_PROGRAM.get(function, set())
            assert named, f"{file}:{line}: name the refusal where it is given"
            for name in named:
                yield name, call


def test_no_code_makes_a_refusal_but_from_the_list() -> None:
    made = [(file, line) for file, line, function, _ in calls() if function == "Refusal"]
    assert {file for file, _ in made} <= {"refusals.py"}


def test_every_refusal_in_the_code_is_in_the_list_and_every_entry_is_given_somewhere() -> None:
    assert {name for name, _ in given()} == set(catalogue())


def test_the_words_a_call_fills_in_are_those_of_its_entry() -> None:
    for name, call in given():
        filled = {keyword.arg for keyword in call.keywords}
        assert filled == catalogue()[name].words, f"{name} in line {call.lineno}"


@pytest.mark.requirement("GW-68")
@pytest.mark.requirement("GW-31")
@pytest.mark.requirement("GW-69")
@pytest.mark.parametrize("entry", catalogue().values(), ids=lambda entry: entry.name)
def test_a_refusal_says_what_why_and_what_next(entry: RefusalEntry) -> None:
    shown = entry.fill(entry.example)
    assert set(entry.example) == entry.words
    for text in (shown.hop, shown.check, shown.rule, shown.value, shown.next_step):
        assert text.strip() == text
        assert len(text) > 2
        assert "{" not in text
    assert any(mark in entry.rule for mark in SOURCES), "a rule names its source"
    assert not shown.value.endswith("."), "one sentence is made of it"
    if entry.code is not None:
        assert response_codes()[entry.code].meaning, "only codes with a published meaning are given"


def test_no_two_refusals_say_the_same() -> None:
    said = [(entry.hop, entry.check, entry.rule, entry.value, entry.code) for entry in catalogue().values()]
    assert len(said) == len(set(said))


def test_a_reason_among_several_keeps_its_next_step_and_its_source() -> None:
    reason = because("inv-not-listed", eui="00db1234567890aa")
    assert reason == "00db1234567890aa is not in the inventory: pre-notify it first (12.2) [187 a]"
    assert reason.next_step == "pre-notify it first (12.2)"


@pytest.mark.requirement("GW-31")
@pytest.mark.requirement("GW-68")
@pytest.mark.requirement("GW-69")
def test_the_command_prints_the_list_and_narrows_it_down() -> None:
    everything = json.loads(CliRunner().invoke(dcc, ["refusals", "--json"]).output)
    assert [entry["name"] for entry in everything] == list(catalogue())
    assert set(everything[0]) == {"name", "hop", "check", "code", "rule", "message", "next", "example"}
    narrowed = CliRunner().invoke(dcc, ["refusals", "E17"], env={"COLUMNS": "200"})
    assert "1 refusal;" in narrowed.output
    assert "ck3-local" in narrowed.output
    narrow = CliRunner().invoke(dcc, ["refusals", "correlate"], env={"COLUMNS": "80"})
    assert "user-does-not-correlate" in narrow.output, "a name is told whole, however narrow the terminal"
