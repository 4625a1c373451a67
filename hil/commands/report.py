"""``chub report``: read, check and compare what conformance runs left behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from hil.bench.keys import state_folder
from hil.report.compare import compare, facts_moved
from hil.report.conformance import cross_check, read_record
from hil.report.signature import SIGNERS, known_signers
from hil.report.signature import trust as trust_signer
from hil.report.signature import verify as verify_signature

_FOLDER = click.Path(path_type=Path)


@click.group()
def report() -> None:
    """Reports of conformance runs."""


@report.command()
@click.argument("run", type=_FOLDER)
@click.option("--fingerprint", help="the key must have this fingerprint, known or not")
@click.option("--any-signer", is_flag=True, help="take a key that this machine does not know")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def verify(run: Path, fingerprint: str | None, any_signer: bool, as_json: bool) -> None:
    """Check signature and signer of RUN, its log's chain, and page and record against each other."""
    checked = verify_signature(run)
    problems = list(checked.problems)
    if fingerprint is not None and fingerprint.lower() != checked.fingerprint:
        problems.append(f"signed with the key {checked.fingerprint}, expected {fingerprint}")
    signer = known_signers(state_folder() / SIGNERS).get(checked.fingerprint, "")
    if not signer and fingerprint is None and not any_signer:
        problems.append(
            f"signed with the key {checked.fingerprint}, which this machine does not know: compare it with what the signer tells you, then "
            f"`chub report trust {checked.fingerprint} NAME`"
        )
    if (run / "report.json").is_file() and not checked.problems:
        problems += cross_check(run)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "valid": not problems,
                    "fingerprint": checked.fingerprint,
                    "signer": signer,
                    "files": list(checked.files),
                    "problems": problems,
                }
            )
        )
    else:
        for problem in problems:
            click.echo(problem)
        by = f"signed by {signer or 'nobody known'}"
        click.echo(f"{'does not hold' if problems else 'holds'}: {len(checked.files)} files, {by}, key {checked.fingerprint}")
    sys.exit(1 if problems else 0)


@report.command()
@click.argument("fingerprint")
@click.argument("name")
def trust(fingerprint: str, name: str) -> None:
    """Take reports signed with the key FINGERPRINT as those of NAME."""
    trust_signer(state_folder() / SIGNERS, fingerprint.lower(), name)
    click.echo(f"reports signed with {fingerprint.lower()} are those of {name}")


@report.command()
@click.argument("before", type=_FOLDER)
@click.argument("after", type=_FOLDER)
@click.option("--threshold", type=float, default=0.02, show_default=True, help="part of a value by which it must move to be shown")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def diff(before: Path, after: Path, threshold: float, as_json: bool) -> None:
    """Verdicts and measurements that moved from BEFORE to AFTER. Exit code 1 where a verdict moved."""
    one, other = read_record(before), read_record(after)
    moved, facts = compare(one, other, threshold), facts_moved(one, other)
    if as_json:
        click.echo(json.dumps({"moved": [item.as_json() for item in moved], "facts": facts}))
    else:
        for name, (old, new) in facts.items():
            click.echo(f"{name}: {old} -> {new}")
        for item in moved:
            click.echo(f"{item.id} {'' if item.round == 1 else f'round {item.round} '}{item.what}: {item.before} -> {item.after}")
        click.echo(f"{len(moved)} differences in {len(other['checks'])} checks")
    sys.exit(1 if any(item.what in ("verdict", "only in one run") for item in moved) else 0)


@report.command()
@click.argument("run", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="the record as it is")
def show(run: Path, as_json: bool) -> None:
    """The verdicts of RUN."""
    record = read_record(run)
    if as_json:
        click.echo(json.dumps(record))
        return
    table = Table("check", "what", "verdict", "value", "limit", "margin", title=f"{record['verdict']}, {record['when']['started']}")
    for row in record["checks"]:
        value = "" if row["value"] is None else f"{row['value']:.4g} {row['unit']}"
        margin = "" if row["margin"] is None else f"{row['margin']:.3g}"
        table.add_row(row["id"], row["title"] + (f"\n{row['why']}" if row["why"] else ""), row["verdict"], value, row["limit"], margin)
    Console().print(table)
    for problem in record["problems"]:
        click.echo(problem)
