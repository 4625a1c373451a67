"""``chub ichis sweep``: faults of instruments over every check, and what they make of its verdict."""

from __future__ import annotations

import json
import sys
from collections import Counter

import click
from rich.console import Console
from rich.progress import track

from hil.conformance.sweep import Swept, carry_out, cases


@click.command()
@click.option("--of", "under_test", type=click.Choice(["hub", "host", "both"]), default="both", show_default=True, help="whose checks")
@click.option("--cases", "count", type=click.IntRange(1), help="a sample of so many; every case if not given (takes an hour)")
@click.option("--seed", type=int, default=1, show_default=True, help="of the sample, and of when each fault strikes")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def sweep(under_test: str, count: int | None, seed: int, as_json: bool) -> None:
    """Run checks on stand-ins that misbehave: no fault may turn a pass into a fail or a fail into a pass. Exit code 1 where one does."""
    chosen = cases(seed, ("hub", "host") if under_test == "both" else (under_test,), count)
    console = Console(stderr=True)
    found: list[Swept] = [carry_out(case) for case in track(chosen, "checks x faults x latencies", console=console)]
    turned = [one for one in found if one.turned]
    counts = Counter(f"{one.expected.value} -> {one.verdict.value}" for one in found)
    if as_json:
        rows = [{"case": str(one.case), "verdict": one.verdict.value, "why": one.why} for one in turned]
        click.echo(json.dumps({"cases": len(found), "counts": counts, "turned": rows}))
    else:
        for one in turned:
            click.echo(f"turned: {one.case}: {one.verdict.value} {one.why}")
        for what, number in sorted(counts.items()):
            click.echo(f"{number:>6} {what}")
        click.echo(f"{len(turned)} of {len(found)} verdicts turned")
    sys.exit(1 if turned else 0)
