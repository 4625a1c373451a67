from __future__ import annotations

import difflib
import sys
from pathlib import Path

import pytest

_TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(_TOOLS))

import sampled_mutants  # noqa: E402  # tools is no package: programs run from a checkout
from sampled_mutants import WIDER, changed, compiles, judges_of, places, sample  # noqa: E402

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


def test_a_mutant_that_its_folder_lets_live_goes_to_the_tests_of_the_whole_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tried: list[list[str]] = []

    def fate(mutant: sampled_mutants.Mutant, tree: Path) -> str:
        tried.append(mutant.tests)
        return "killed" if mutant.tests == WIDER else "survives"

    monkeypatch.setattr(sampled_mutants, "fate", fate)
    monkeypatch.setattr(sampled_mutants, "copied", lambda folder: tmp_path)
    monkeypatch.setattr(sampled_mutants, "_pass", lambda tests, tree: tests != ["tests/red"])
    mutants = [sampled_mutants.Mutant(name, "a.py", "1", "2", [f"tests/{name}"]) for name in ("green", "red")]
    found = {mutant.name: what for mutant, what in sampled_mutants.sampled_fates(mutants)}
    assert found == {"green": "killed", "red": "not judged: tests/red fail without a mutant"}
    assert tried == [["tests/green"], WIDER]
