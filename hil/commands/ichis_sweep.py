"""``chub ichis sweep``: whole proofs that the checks are right, and whatever they find wrong."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import click
from rich.console import Console
from rich.progress import track

from firmware_emu.errors import BoardError
from firmware_emu.extras import Choice
from hil.conformance.proofs import faults, limits, outages, units
from hil.conformance.proofs.alone import ProofFinding
from hil.report.measurements import CheckVerdict


class SweepCase(Protocol):
    """One case of a proof; its text names it among all others."""

    def find(self) -> list[ProofFinding]: ...


PROOFS: Mapping[str, Callable[[int, Sequence[str]], Sequence[SweepCase]]] = {
    "faults": faults.cases,
    "units": units.cases,
    "limits": limits.cases,
    "outages": outages.cases,
}

COVERING: Mapping[str, Callable[[int, Sequence[str]], Sequence[SweepCase]]] = {
    "faults": partial(faults.cases, covering=True),
    "units": partial(units.cases, covering=True),
}
"""Samples that leave no check out."""


@click.command()
@click.argument("what", type=Choice(list(PROOFS)), default="faults")
@click.option("--of", "under_test", type=Choice(["hub", "host", "both"]), default="both", show_default=True, help="whose checks")
@click.option("--cases", "count", type=click.IntRange(1), help="a sample of so many; every case if not given")
@click.option("--covering", is_flag=True, help="of faults: every check x fault once; of units: every bad unit on each dialect once")
@click.option("--seed", type=int, default=1, show_default=True, help="of the sample, of orders, and of when each fault strikes")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="processes")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write each finding to this file as it comes; what is in it already is not run again",
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def sweep(what: str, under_test: str, count: int | None, covering: bool, seed: int, jobs: int, journal: Path | None, as_json: bool) -> None:
    """Prove the checks on models. Exit code 1 where a finding is wrong.

    faults: no fault of an instrument makes a pass of a fail or a fail of a pass. units: good units pass, bad ones fail, in ten orders on
    three dialects. limits: each limit tightened past the truth fails, loosened passes. outages: 179 to 181 s at ten phases of a second.
    """
    checked = ("hub", "host") if under_test == "both" else (under_test,)
    if covering and what not in COVERING:
        raise click.BadParameter(f"{what} is small enough to run whole: expected with {' or '.join(COVERING)}", param_hint="--covering")
    chosen = COVERING[what](seed, checked) if covering else PROOFS[what](seed, checked)
    if count is not None and count < len(chosen):
        chosen = Random(seed).sample(chosen, count)
    done = _read(journal)
    left = [case for case in chosen if str(case) not in done]
    found = [finding for case in chosen for finding in done.get(str(case), ())]
    console = Console(stderr=True)
    for name, findings in track(_carried_out(left, jobs), f"{what}, {len(left)} cases", len(left), console=console):
        found += findings
        if journal is not None:
            with journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"case": name, "findings": [asdict(one) for one in findings]}) + "\n")
        for one in findings:
            if one.wrong:
                console.print(f"wrong: {one.case}: {one.verdict.value} {one.why}", highlight=False, soft_wrap=True, markup=False)
    _tell(found, len(chosen), as_json)
    sys.exit(1 if any(one.wrong for one in found) else 0)


def _carried_out(cases: Sequence[SweepCase], jobs: int) -> Iterator[tuple[str, list[ProofFinding]]]:
    if jobs == 1:
        yield from map(_one, cases)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(_one, cases)


def _one(case: SweepCase) -> tuple[str, list[ProofFinding]]:
    return str(case), case.find()


def _read(journal: Path | None) -> dict[str, list[ProofFinding]]:
    """The findings of a journal by case. Raises BoardError for a file that is none."""
    if journal is None or not journal.exists():
        return {}
    done = {}
    for number, line in enumerate(journal.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            done[row["case"]] = [
                ProofFinding(**{**one, "expected": CheckVerdict(one["expected"]), "verdict": CheckVerdict(one["verdict"])})
                for one in row["findings"]
            ]
        except (ValueError, KeyError, TypeError) as wrong:
            raise BoardError(str(journal), f"line {number}", f"no finding of a sweep ({wrong}): name another file") from wrong
    return done


def _tell(found: Sequence[ProofFinding], cases: int, as_json: bool) -> None:
    wrong = [one for one in found if one.wrong]
    counts = Counter(f"{one.expected.value} -> {one.verdict.value}" for one in found)
    if as_json:
        rows = [{"case": one.case, "verdict": one.verdict.value, "why": one.why} for one in wrong]
        click.echo(json.dumps({"cases": cases, "findings": len(found), "counts": counts, "wrong": rows}))
        return
    for one in wrong:
        click.echo(f"wrong: {one.case}: {one.verdict.value} {one.why}")
    for what, number in sorted(counts.items()):
        click.echo(f"{number:>6} {what}")
    click.echo(f"{len(wrong)} of {len(found)} findings in {cases} cases are wrong")
