"""``chub siege``: search the edges of the layers for what breaks an invariant."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from hil.attacks.siege import Find, Siege


@click.command()
@click.argument("layers", nargs=-1)
@click.option("--seed", default=1, show_default=True, help="Seed of the changes; one seed gives one search.")
@click.option("--trials", type=click.IntRange(1), default=3000, show_default=True, help="How many trials.")
@click.option("--for", "for_s", type=click.FloatRange(min=0, min_open=True), help="Search for so many seconds instead of --trials.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def siege(layers: tuple[str, ...], seed: int, trials: int, for_s: float | None, as_json: bool) -> None:
    """Change signed requests, certificates and Commands by a grammar and a seed, and judge what the layers make of it.

    LAYERS: requests, certificates, commands; all without one. A find is shrunk, and printed with a test of it. Exit code 1 on a find.
    """
    began, finds, count = time.monotonic(), list[Find](), 0
    with TemporaryDirectory(prefix="chub-siege-") as folder:
        search = Siege(Path(folder))
        over = (lambda done: done >= trials) if for_s is None else (lambda done: time.monotonic() - began >= for_s)
        for count, find in search.run(layers or tuple(search.layers), seed, over):
            if find is not None:
                finds.append(find)
                if not as_json:
                    click.echo(f"found {find.layer} {find.seed}: {find.broken}\n{find.as_test()}")
            if count % 1000 == 0 and not as_json and sys.stderr.isatty():
                click.echo(f"{count} trials, {len(finds)} finds", err=True)
    if as_json:
        click.echo(
            json.dumps({"trials": count, "seconds": round(time.monotonic() - began, 1), "finds": [asdict(one) for one in finds]}, indent=1)
        )
    else:
        click.echo(f"{count} trials in {time.monotonic() - began:.0f} s, {len(finds)} finds")
    if finds:
        raise SystemExit(1)
