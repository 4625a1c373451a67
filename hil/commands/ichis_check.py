"""``chub ichis check``: the conformance checks on a board."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.extras import Choice
from hil.bench.keys import state_folder
from hil.conformance.boards import BoardRun, check_boards, exit_code_of, verdict_of
from hil.conformance.run import ConformanceRun, carry_out, clear_state, selected, sign_run
from hil.conformance.runner import CheckResult
from hil.report.conformance import VERDICTS, RunRecord, headline
from hil.report.measurements import figure
from ichis.conformance.check import check_folders
from ichis.profile import load_profile

_STYLE = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "indeterminate": "yellow",
    "not tested": "dim",
    "not applicable": "dim",
}
_JSON_FIELDS = ("id", "group", "verdict", "value", "u", "limit", "unit", "margin", "source", "why")


@click.command()
@click.option(
    "--board",
    "boards",
    multiple=True,
    default=("simulated",),
    show_default=True,
    help="board name or path of a .toml file; repeatable: several boards are checked at the same time, each with a report of its own",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as jig.supply=...")
@click.option("--profile", "profile_name", default=None, help="profile name or path; the board's if not given")
@click.option(
    "--of",
    "under_test",
    type=Choice(["hub", "host"]),
    default="hub",
    show_default=True,
    help="the part under test: a hub, or the port of a meter or hot shoe, with the rig as the hub",
)
@click.option("--select", multiple=True, metavar="GROUP", help="groups or checks, by the beginning of their name; repeatable")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, show_default=True, help="rounds of all checks")
@click.option("--cycles", type=click.IntRange(1, 1_000_000), help="power cycles of END-01, in place of the profile's; counted on disk")
@click.option(
    "--resume",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="RUN",
    help="go on with the power cycles that the run in this folder had counted when it was broken off",
)
@click.option("--loopback", is_flag=True, help="measure the supply's latency first, with a plug that you put into the socket")
@click.option("--overdue", is_flag=True, help="run although the calibration of an instrument has run out; the report says so")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("-v", "--verbose", count=True, help="log lines on stderr")
def check(
    boards: tuple[str, ...],
    settings: tuple[str, ...],
    profile_name: str | None,
    under_test: str,
    select: tuple[str, ...],
    repeat: int,
    cycles: int | None,
    resume: Path | None,
    loopback: bool,
    overdue: bool,
    as_json: bool,
    verbose: int,
) -> None:
    """Run the interface checks; write and sign the report. Exit code 1 unless every check passed.

    Several boards: an instrument belongs to one of them alone, and what wants a hand is not tested.
    """
    if len(boards) > 1:
        if resume is not None:
            raise click.BadParameter("goes on with the run of one board: give one --board", param_hint="--resume")
        options = _options(profile_name, under_test, select, repeat, cycles, loopback, overdue, verbose)
        runs = check_boards(boards, settings, options, lambda line: click.echo(line, err=True))
        _tell_boards(runs, as_json)
        sys.exit(exit_code_of(runs))
    board = load_board(boards[0], settings)
    profile = load_profile(profile_name or board.jig.profile)
    if cycles is not None:
        asked = replace(profile.limits["endurance_cycles"], value=float(cycles), source="the command line")
        profile = replace(profile, limits={**profile.limits, "endurance_cycles": asked})
    logging.basicConfig(level={0: logging.CRITICAL, 1: logging.INFO}.get(verbose, logging.DEBUG), stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:  # libraries set levels of their own loggers
        handler.setLevel(logging.getLogger().level)
    folder = _folder()
    console = Console(stderr=True)
    clock = Clock(start=board.clock.start, warp=board.warp, speed=board.clock.speed)
    run = ConformanceRun(
        board,
        profile,
        folder,
        clock,
        selected(select, under_test),
        repeat,
        allow_overdue=overdue,
        loop_back=loopback,
        resume=resume,
        progress=lambda result, done, total: _show(console, result, done, total),
    )
    head = f"board {board.name}, profile {profile.name}, {len(run.checks) * repeat} checks, run {folder}"
    console.print(head, highlight=False, soft_wrap=True)
    try:
        record = carry_out(run, check_folders())
    except CommsHubError:
        with contextlib.suppress(OSError):  # nothing was written: it was refused before it began
            folder.rmdir()
        raise
    sign_run(folder, state_folder() / "report-signing.pem")
    clear_state(folder)
    for problem in record["problems"]:
        click.echo(click.style(f"NOT SAFE TO LEAVE OR NOT COMPLETE: {problem}", fg="red", bold=True), err=True)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "checks": [{name: row[name] for name in _JSON_FIELDS} for row in record["checks"]],  # type: ignore[literal-required]
                    "verdict": record["verdict"],
                    "problems": record["problems"],
                    "report": str(folder / "report.html"),
                }
            )
        )
    else:
        _summary(record, folder)
    sys.exit(0 if record["verdict"] == "pass" else 1)


def _options(
    profile: str | None,
    under_test: str,
    select: Sequence[str],
    repeat: int,
    cycles: int | None,
    loopback: bool,
    overdue: bool,
    verbose: int,
) -> list[str]:
    """The command's options but for boards and settings, as words of a command line."""
    words = ["--of", under_test, "--repeat", str(repeat), *(word for group in select for word in ("--select", group))]
    words += ["--profile", profile] if profile is not None else []
    words += ["--cycles", str(cycles)] if cycles is not None else []
    return words + ["--loopback"] * loopback + ["--overdue"] * overdue + ["--verbose"] * verbose


def _folder() -> Path:
    """A new folder for a run: several may begin in one second."""
    base = Path(os.environ.get("CHUB_RUNS", "runs"))
    name, number = f"{datetime.now():%Y%m%d-%H%M%S}-ichis", 1
    folder = base / name
    while True:
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            folder = base / f"{name}-{number}"
        except OSError as wrong:
            raise NotAvailable(
                f"room for a report in {base}", f"{wrong.strerror}; point CHUB_RUNS at a folder that can be written"
            ) from wrong
        else:
            return folder


def _show(console: Console, result: CheckResult, done: int, total: int) -> None:
    value = "" if result.value is None else f"{figure(result.value, result.check.unit)} (limit {result.quantity.bounds})"
    style = _STYLE[result.verdict.value]
    console.print(
        f"[dim]{done}/{total}[/] [{style}]{result.verdict.value}[/] {result.check.id} {result.check.title}  [dim]{value}[/]"
        + (f"\n     {result.why}" if result.why else ""),
        highlight=False,
        soft_wrap=True,
    )


def _tell_boards(runs: Sequence[BoardRun], as_json: bool) -> None:
    if as_json:
        rows = [{"board": run.board, "exit_code": run.code, **run.told} for run in runs]
        click.echo(json.dumps({"verdict": verdict_of(runs), "runs": rows}))
        return
    for run in runs:
        rows = run.told.get("checks", [])
        counted = f", {sum(row['verdict'] == 'pass' for row in rows)} of {len(rows)} checks passed" if rows else ""
        click.echo(f"{run.board}: {run.told.get('verdict', 'no result')}{counted}  {run.told.get('report', '')}".rstrip())


def _summary(record: RunRecord, folder: Path) -> None:
    verdicts = [row["verdict"] for row in record["checks"]]
    counts = ", ".join(f"{verdicts.count(one)} {'failed' if one == 'fail' else one}" for one in VERDICTS[1:] if one in verdicts)
    click.echo(f"{record['verdict']}: {verdicts.count('pass')} of {len(verdicts)} checks passed{', ' if counts else ''}{counts}")
    click.echo(headline(record))
    click.echo(str(folder / "report.html"))
