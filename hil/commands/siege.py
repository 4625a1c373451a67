"""``chub siege``: search the edges of the layers for what breaks an invariant."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from firmware_emu.extras import Choice
from hil.attacks.siege.crew import Crew, Guide, TrialTally, coverage_guides
from hil.attacks.siege.search import Find, trial
from hil.attacks.siege.siege import LAYERS, Siege

UNTRIED: Final = 3
"""Exit code of a search that could not try a layer, and found nothing."""


@click.command()
@click.argument("layers", nargs=-1)
@click.option("--seed", default=1, show_default=True, help="Seed of the changes.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="How long to search.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Worker processes at once.")
@click.option("--guide", type=Choice(["both", "coverage", "grammar"]), default="both", show_default=True, help="Guide of the changes.")
@click.option("--trials", type=click.IntRange(1), help="So many trials by grammar in this process instead: one seed gives one search.")
@click.option("--again", "again", metavar="LAYER/SEED", help="Make one trial again, as a find names it.")
@click.option("--first", is_flag=True, help="Stop at the first find.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def siege(
    layers: tuple[str, ...],
    seed: int,
    minutes: float,
    jobs: int,
    guide: Guide,
    trials: int | None,
    again: str | None,
    first: bool,
    as_json: bool,
) -> None:
    """Search requests, certificates, Commands, both stores, the air and whole homes for what breaks an invariant.

    LAYERS: requests, meanings, certificates, commands, hub-store, dcc-store, air, home; all without one. Changes are drawn by a grammar
    from the seed and, where atheris is installed, grown by the coverage they reach (homes by grammar alone). A find is shrunk to the fewest
    changes, and printed with its seed and a test. Exit code 1 on a find; 3 where a layer had no trial, so that nothing is known of it.
    """
    began, finds = time.monotonic(), list[Find]()
    with TemporaryDirectory(prefix="chub-siege-", dir=_memory()) as folder:
        if again is not None:
            layer, _, of = again.partition("/")
            found = trial(layer, Siege(Path(folder)).layer(layer), of)
            search: Iterator[Find | None] = iter([found])
            tallies = {layer: TrialTally(grammar=1)}
        elif trials is not None:
            tallies = {name: TrialTally() for name in layers or LAYERS}
            search = _here(Path(folder), tallies, seed, trials)
        else:
            crew = Crew(Path(folder), layers, seed, 60 * minutes, jobs, guide)
            search, tallies = crew.run(), crew.tallies
        told = began
        for find in search:
            if find is not None:
                finds.append(find)
                if not as_json:
                    click.echo(f"found by {find.layer}/{find.seed}: {find.broken}\n{find.as_test()}")
                if first:
                    break
            if sys.stderr.isatty() and time.monotonic() - told > 1:
                told = time.monotonic()
                count = sum(tally.trials for tally in tallies.values())
                click.echo(f"\r{told - began:.0f} s, {count} trials, {len(finds)} finds ", nl=False, err=True)
    _tell(tallies, finds, time.monotonic() - began, as_json)
    if finds:
        raise SystemExit(1)
    if any(not tally.trials for tally in tallies.values()) and not first:
        raise SystemExit(UNTRIED)


def _memory() -> str | None:
    """A folder that is in memory, where there is one: a store's syncs cost nothing there, and power is lost below SQLite anyhow."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None


def _here(folder: Path, tallies: dict[str, TrialTally], seed: int, trials: int) -> Iterator[Find | None]:
    names = tuple(tallies)
    for count, find in Siege(folder).run(names, str(seed), lambda done: done >= trials):
        tally = tallies[names[(count - 1) % len(names)]]
        tally.grammar += 1
        tally.finds += find is not None
        yield find


def _tell(tallies: dict[str, TrialTally], finds: list[Find], seconds: float, as_json: bool) -> None:
    count = sum(tally.trials for tally in tallies.values())
    untried = [name for name, tally in tallies.items() if not tally.trials]
    if as_json:
        found = [asdict(one) | {"test": one.as_test()} for one in finds]
        shown = {name: asdict(tally) for name, tally in tallies.items()}
        click.echo(
            json.dumps(
                {
                    "trials": count,
                    "seconds": round(seconds, 1),
                    "atheris": coverage_guides(),
                    "untried": untried,
                    "layers": shown,
                    "finds": found,
                },
                indent=1,
            )
        )
        return
    for name, tally in tallies.items():
        trials = f"{tally.coverage:>9} trials by coverage {tally.grammar:>9} by grammar"
        click.echo(f"{name:13} {trials}, {tally.finds} finds, at most {tally.mib:.0f} MiB a worker")
    guide = "" if coverage_guides() else "; atheris is not installed, so no coverage guided it (commshub[fuzz])"
    click.echo(f"{count} trials in {seconds:.0f} s, {len(finds)} finds{guide}")
    if untried:
        click.echo(f"nothing is known of {', '.join(untried)}: not one trial was made there in the time; give it more --minutes")
