"""``chub ichis sweep`` and ``chub ichis check``: which cases are run, what a journal keeps, how a finding ends the command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import BoardError, NotAvailable
from hil.commands import ichis_check, ichis_sweep
from hil.conformance.proofs.alone import ProofFinding
from hil.report.measurements import CheckVerdict

RAN: list[str] = []


@dataclass(frozen=True)
class Case:
    """A case of a proof that finds what it is given."""

    name: str
    wrong: bool = False

    def __str__(self) -> str:
        return self.name

    def find(self) -> list[ProofFinding]:
        RAN.append(self.name)
        return [ProofFinding(self.name, CheckVerdict.PASS, CheckVerdict.FAIL if self.wrong else CheckVerdict.PASS, "so it is")]


@pytest.fixture(autouse=True)
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Sequence[str]]]:
    """Every proof has six cases, of which the last is wrong where the seed is 9."""
    RAN.clear()
    asked: list[tuple[str, int, Sequence[str]]] = []

    def cases(name: str, seed: int, checked: Sequence[str]) -> list[Case]:
        asked.append((name, seed, checked))
        return [Case(f"{name} {number}", wrong=seed == 9 and number == 5) for number in range(6)]

    for name in ichis_sweep.PROOFS:
        monkeypatch.setitem(ichis_sweep.PROOFS, name, lambda seed, checked, name=name: cases(name, seed, checked))  # type: ignore[arg-type]
    for name in ichis_sweep.COVERING:
        monkeypatch.setitem(
            ichis_sweep.COVERING,  # type: ignore[arg-type]
            name,
            lambda seed, checked, name=name: cases(f"covering {name}", seed, checked),
        )
    return asked


def test_a_sweep_runs_every_case_of_both_sides_by_itself(proofs: list[tuple[str, int, Sequence[str]]]) -> None:
    done = CliRunner().invoke(ichis_sweep.sweep, ["--json"])
    assert done.exit_code == 0
    assert proofs == [("faults", 1, ("hub", "host"))]
    assert json.loads(done.stdout) == {"cases": 6, "findings": 6, "counts": {"pass -> pass": 6}, "wrong": []}
    CliRunner().invoke(ichis_sweep.sweep, ["limits", "--of", "hub", "--seed", "3"])
    assert proofs[-1] == ("limits", 3, ("hub",))


def test_a_wrong_finding_is_told_and_ends_with_one() -> None:
    done = CliRunner().invoke(ichis_sweep.sweep, ["--seed", "9"])
    assert done.exit_code == 1
    assert "wrong: faults 5: fail so it is" in done.stderr
    assert done.stdout == "wrong: faults 5: fail so it is\n     1 pass -> fail\n     5 pass -> pass\n1 of 6 findings in 6 cases are wrong\n"


@pytest.mark.parametrize(("count", "ran"), [(1, 1), (5, 5), (6, 6), (7, 6)])
def test_a_sample_has_so_many_cases_each_once_and_never_more_than_there_are(count: int, ran: int) -> None:
    CliRunner().invoke(ichis_sweep.sweep, ["--cases", str(count)])
    assert len(RAN) == len({*RAN}) == ran


def test_a_covering_sample_is_one_of_faults_or_units(proofs: list[tuple[str, int, Sequence[str]]]) -> None:
    CliRunner().invoke(ichis_sweep.sweep, ["units", "--covering"])
    assert proofs[-1][0] == "covering units"
    refused = CliRunner().invoke(ichis_sweep.sweep, ["limits", "--covering"])
    assert refused.exit_code == 2
    assert "limits is small enough to run whole: expected with faults or units" in refused.output


def test_what_a_journal_has_already_is_not_run_again_and_is_told_all_the_same(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    CliRunner().invoke(ichis_sweep.sweep, ["--seed", "9", "--cases", "6", "--journal", str(journal)])
    assert len(journal.read_text().splitlines()) == len(RAN) == 6
    RAN.clear()
    kept = [line for line in journal.read_text().splitlines() if "faults 2" not in line]
    journal.write_text("\n".join(kept) + "\n")
    done = CliRunner().invoke(ichis_sweep.sweep, ["--seed", "9", "--journal", str(journal), "--json"])
    assert RAN == ["faults 2"]
    assert (done.exit_code, json.loads(done.stdout)["findings"]) == (1, 6)
    journal.write_text(kept[0] + "\n{}\n")
    with pytest.raises(BoardError, match="line 2"):
        CliRunner().invoke(ichis_sweep.sweep, ["--journal", str(journal)], catch_exceptions=False)


def test_a_check_of_many_boards_gives_each_the_words_that_it_was_given() -> None:
    assert ichis_check._options(None, "hub", (), 1, None, False, False, 0) == ["--of", "hub", "--repeat", "1"]
    whole = ichis_check._options("a.toml", "host", ("power", "serial"), 2, 0, True, True, 2)
    options = "--of host --repeat 2 --select power --select serial --profile a.toml --cycles 0"
    assert " ".join(whole) == f"{options} --loopback --overdue --verbose --verbose"


def test_two_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(ichis_check.datetime):
        @classmethod
        def now(cls, tz: object = None) -> ichis_check.datetime:
            return ichis_check.datetime(2026, 1, 2, 3, 4, 5)

    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ichis_check, "datetime", Stopped)
    names = [ichis_check._folder().name for _ in range(3)]
    assert names == ["20260102-030405-ichis", "20260102-030405-ichis-2", "20260102-030405-ichis-3"]
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "file"))
    with pytest.raises(NotAvailable, match="point CHUB_RUNS at a folder"):
        ichis_check._folder()
