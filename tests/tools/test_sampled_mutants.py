from __future__ import annotations

import ast
import difflib
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from coverage import CoverageData

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(_TOOLS))

import sampled_mutants  # noqa: E402  # tools is no package: programs run from a checkout
from sampled_mutants import (  # noqa: E402
    ROOT,
    WIDER,
    Drawn,
    Mutant,
    Recorded,
    changed,
    compiles,
    defined,
    judges_of,
    of_statement,
    places,
    recorded,
    sample,
    survivors,
)

SOURCE = '"""1 + 1 < 2 in words."""\nHIGH = 0x0F\n\n\ndef low(a: float) -> bool:\n    return not a >= 1.5 and a + 2 != HIGH  # 3 - 1\n'


def test_every_operator_word_and_whole_number_has_a_mutant_and_no_comment_nor_string() -> None:
    found = [(place.old, place.new) for place in places(SOURCE)]
    assert found == [("0x0F", "0x10"), ("not", ""), (">=", ">"), ("and", "or"), ("+", "-"), ("2", "3"), ("!=", "==")]
    for place in places(SOURCE):
        mutant = changed(SOURCE, place)
        assert compiles(SOURCE, mutant)
        marks = [line for line in difflib.ndiff(SOURCE.splitlines(), mutant.splitlines()) if line[0] in "+-"]
        assert len(marks) == 2, "one line is another one"


def test_what_is_no_program_or_the_same_one_is_no_mutant() -> None:
    assert not compiles("a = 1\n", "a = = 1\n")
    assert not compiles("a = 1\n", "a = 1  # 2\n")


def test_one_seed_draws_one_sample_and_another_another() -> None:
    one, again, other = (sample(5, seed, "firmware_emu/ids.py") for seed in (1, 1, 2))
    assert one == again != other
    assert {mutant.file for mutant in one} == {"firmware_emu/ids.py"}
    assert len({mutant.name for mutant in one}) == 5


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("firmware_emu/ids.py", ["tests/test_ids.py"]),
        ("firmware_emu/crypto/ecqv.py", ["tests/crypto"]),
        ("hil/dcc/gateway/gateway.py", ["tests/dcc/gateway"]),
        ("hil/radio/ncp/ash.py", ["tests/radio"]),
        ("hil/bench/station.py", WIDER),
    ],
)
def test_the_tests_of_a_file_are_those_of_the_nearest_folder(file: str, tests: list[str]) -> None:
    assert judges_of(Path(file)) == tests


def test_the_tests_that_ran_the_line_judge_the_cheapest_first_and_no_more_than_two_minutes_of_them() -> None:
    file, other = Path("firmware_emu/crypto/a.py"), Path("hil/b.py")
    sources = {
        file: "LIMIT = 3\n\n\ndef over(one):\n    return one > LIMIT\n",
        other: "from firmware_emu.crypto.a import LIMIT\n\nMORE = LIMIT\n",
    }
    cheap, dear, long, far = (
        f"tests/{name}"
        for name in (
            "crypto/test_a.py::test_cheap[a/b.py::c]",
            "crypto/test_a.py::test_dear",
            "crypto/test_a.py::test_long",
            "x/test_b.py::test_far",
        )
    )
    seconds = {
        "tests.crypto.test_a::test_dear": 3.0,
        "tests.crypto.test_a::test_cheap[a/b.py::c]": 0.1,
        "tests.crypto.test_a::test_long": 118.0,
        "tests.x.test_b::test_far": 0.01,
    }
    known = Recorded({str(file): {1: {""}, 5: {dear, cheap, long, ""}}, str(other): {3: {far}}}, seconds)
    assert known.judges(sources, file, 5) == ([cheap, dear], 3.1)
    assert known.judges(sources, file, 1) == ([cheap, dear, far], 3.11), "a line that runs at import: who runs what names it"
    table, body = "tests/crypto/test_table.py::test_table", "tests/y/test_body.py::test_body"
    sources[file] += "\n\n@click.option('-n', default=3)\ndef rest(n):\n    return n\n"
    known = Recorded({**known.ran, str(file): {**known.ran[str(file)], 10: {body}}}, seconds | {"tests.crypto.test_table::test_table": 0.2})
    assert known.judges(sources, file, 8)[0] == [body, cheap, dear, long, table], "who runs the function, and cheap ones of the folder"
    assert known.by_programs(file, 5)
    assert not known.by_programs(other, 3)


def test_a_recording_of_a_run_names_the_tests_of_each_line(tmp_path: Path) -> None:
    lines, costs = tmp_path / "lines", tmp_path / "tests.xml"
    assert recorded(lines, costs) is None
    data = CoverageData(str(lines))
    for context in ("tests/test_ids.py::test_one|setup", "tests/test_ids.py::test_one|run", ""):
        data.set_context(context)
        data.add_lines({str(ROOT / "firmware_emu/ids.py"): [3, 4] if context else [1, 3]})
    data.write()
    spent = '<properties><property name="clause" value="1"/><property name="processor_s" value="0.5"/></properties>'
    cases = f'<testcase classname="tests.test_ids" name="test_one" time="7">{spent}</testcase>'
    costs.write_text(f"<testsuites>{cases}</testsuites>", encoding="utf-8")
    known = recorded(lines, costs)
    assert known is not None
    assert known.seconds == {"tests.test_ids::test_one": 0.5}
    assert known.ran["firmware_emu/ids.py"] == {1: {""}, 3: {"", "tests/test_ids.py::test_one"}, 4: {"tests/test_ids.py::test_one"}}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (1, ("", "", "A|B")),
        (5, ("", "Kind", "ONE")),
        (7, ("", "Kind", "name")),
        (8, ("Kind.name", "", "")),
        (11, ("", "", "")),
    ],
)
def test_a_line_is_of_a_functions_body_or_defines_a_name_at_import(line: int, found: tuple[str, str, str]) -> None:
    source = "A, B = 1, 2\n\n\nclass Kind:\n    ONE = 1\n\n    def name(self, one=2):\n        return one + 1\n\n\nif A == B:\n    B = 3\n"
    assert defined(source, line) == found


@pytest.mark.parametrize(("line", "lines"), [(1, [1, 2]), (2, [1, 2]), (3, [3]), (4, [4, 5]), (5, [4, 5]), (7, [7])])
def test_the_lines_of_a_statement_are_its_own_and_not_those_within(line: int, lines: list[int]) -> None:
    source = "def one(\n    two: int):\n    three = 3\n    if (three ==\n            4):\n        five = 5\n    return 6\n"
    assert list(of_statement(source, line)) == lines


def test_a_reason_for_a_survivor_is_a_sentence_about_a_place_that_exists() -> None:
    for (file, line, old, new), why in survivors().items():
        source = (ROOT / file).read_text(encoding="utf-8")
        there = {(source.splitlines()[place.line - 1].strip(), place.old, place.new) for place in places(source)}
        assert (line, old, new) in there, f"{file} has no such place now: take the line out of tests/survivors.csv"
        assert why.endswith(".")
        assert len(why.split()) >= 5, "say why nobody need notice it"


def test_a_change_inside_a_function_is_judged_where_all_tests_are_loaded() -> None:
    ids = Path("firmware_emu/ids.py")
    source = (ROOT / ids).read_text(encoding="utf-8")
    here = "tests/test_ids.py"
    names = [f"{here}::{node.name}" for node in ast.parse((ROOT / here).read_text()).body if isinstance(node, ast.FunctionDef)]
    (place,) = [place for place in places(source) if place.old == "!=" and "bytes([0xFF])" not in source.splitlines()[place.line - 1]][:1]
    made = {
        "seen": Drawn("seen", str(ids), source, changed(source, place), names, line=place.line, function=defined(source, place.line)[0]),
        "gone": Drawn("gone", str(ids), source, changed(source, place), [f"{here}::test_gone"], line=place.line, function="Eui64.parse"),
    }
    found = {
        mutant.name: fate
        for mutant, fate in sampled_mutants.sampled_fates([replace(one, seconds=1.0, everywhere=False) for one in made.values()])
    }
    assert found["seen"] == "killed"
    assert found["gone"].startswith("not judged: ")


def test_a_mutant_that_its_tests_let_live_goes_to_the_whole_path_and_a_test_that_fails_without_it_is_no_judge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[tuple[str, str]] = []

    def run_in(mutant: Mutant, tree: Path, *command: str, processor_s: float = 0) -> CompletedProcess[str]:
        what = command[-1]
        tried.append((mutant.new, what))
        fails = (mutant.new == "broken" and what != "tests/blind") or what.startswith("tests/red")
        return CompletedProcess(command, int(fails), f"FAILED {what}::test_it - no\n" if "::" not in what else "")

    monkeypatch.setattr(sampled_mutants, "run_in", run_in)
    monkeypatch.setattr(sampled_mutants, "copied", lambda folder: tmp_path)
    mutants = [Drawn(name, "a.py", "sound", "broken", [f"tests/{name}"]) for name in ("green", "blind", "red")]
    found = {mutant.name: what for mutant, what in sampled_mutants.sampled_fates(mutants)}
    assert found == {"green": "killed", "blind": "killed", "red": "not judged: tests/red::test_it fails without a mutant"}
    assert ("broken", WIDER[-1]) in tried
    assert ("sound", "tests/green::test_it") in tried
