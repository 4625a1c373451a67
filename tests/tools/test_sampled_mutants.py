from __future__ import annotations

import difflib
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from coverage import CoverageData

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(_TOOLS))

import sampled_mutants  # noqa: E402  # tools is no package: programs run from a checkout
from sampled_mutants import ROOT, WIDER, Mutant, Recorded, changed, compiles, judges_of, places, recorded, sample  # noqa: E402

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


def test_the_tests_that_ran_the_line_judge_the_cheapest_first_and_no_more_than_a_minute_of_them() -> None:
    known = Recorded(
        {"hil/a.py": {7: ["tests/x/test_a.py::test_dear", "tests/x/test_a.py::test_cheap[a/b.py::c]", "tests/x/test_a.py::test_long"]}},
        {"tests.x.test_a::test_dear": 3.0, "tests.x.test_a::test_cheap[a/b.py::c]": 0.1, "tests.x.test_a::test_long": 58.0},
    )
    assert known.judges("hil/a.py", 7) == ["tests/x/test_a.py::test_cheap[a/b.py::c]", "tests/x/test_a.py::test_dear"]
    assert known.judges("hil/a.py", 8) == known.judges("hil/b.py", 7) == []


def test_a_recording_of_a_run_names_the_tests_of_each_line(tmp_path: Path) -> None:
    lines, costs = tmp_path / "lines", tmp_path / "tests.xml"
    assert recorded(lines, costs) is None
    data = CoverageData(str(lines))
    for context in ("tests/test_ids.py::test_one|setup", "tests/test_ids.py::test_one|run", ""):
        data.set_context(context)
        data.add_lines({str(ROOT / "firmware_emu/ids.py"): [3, 4] if context else [1, 3]})
    data.write()
    costs.write_text('<testsuites><testcase classname="tests.test_ids" name="test_one" time="0.5"/></testsuites>', encoding="utf-8")
    known = recorded(lines, costs)
    assert known is not None
    assert known.seconds == {"tests.test_ids::test_one": 0.5}
    assert known.judges("firmware_emu/ids.py", 3) == ["tests/test_ids.py::test_one"]
    assert known.judges("firmware_emu/ids.py", 1) == []


def test_a_mutant_that_its_tests_let_live_goes_to_the_whole_path_and_a_test_that_fails_without_it_is_no_judge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[tuple[str, str]] = []

    def run_in(mutant: Mutant, tree: Path, *command: str) -> CompletedProcess[str]:
        what = command[-1]
        tried.append((mutant.new, what))
        fails = (mutant.new == "broken" and what != "tests/blind") or what.startswith("tests/red")
        return CompletedProcess(command, int(fails), f"FAILED {what}::test_it - no\n" if "::" not in what else "")

    monkeypatch.setattr(sampled_mutants, "run_in", run_in)
    monkeypatch.setattr(sampled_mutants, "copied", lambda folder: tmp_path)
    mutants = [Mutant(name, "a.py", "sound", "broken", [f"tests/{name}"]) for name in ("green", "blind", "red")]
    found = {mutant.name: what for mutant, what in sampled_mutants.sampled_fates(mutants)}
    assert found == {"green": "killed", "blind": "killed", "red": "not judged: tests/red::test_it fails without a mutant"}
    assert ("broken", WIDER[-1]) in tried
    assert ("sound", "tests/green::test_it") in tried
