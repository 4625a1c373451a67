"""Several boards checked at the same time, each by a ``chub ichis check`` in a process of its own. Nobody is asked at the console."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

import click

from firmware_emu.board import load_board

_CHUB = (sys.executable, "-c", "from firmware_emu.cli import main; main()")


@dataclass(frozen=True, slots=True)
class BoardRun:
    """The run of one board: exit code of its process, and what it told in JSON (empty where it told nothing)."""

    board: str
    code: int
    told: Mapping[str, Any]


def check_boards(boards: Sequence[str], settings: tuple[str, ...], options: Sequence[str]) -> list[BoardRun]:
    """Run ``chub ichis check`` on each board at once, with these settings and further options; its lines are shown as they come.

    Raises BoardError for a board that cannot be read, before anything is started.
    """
    for board in boards:
        load_board(board, settings)
    more = [word for setting in settings for word in ("--set", setting)]
    with ThreadPoolExecutor(len(boards)) as all_of_them:
        return list(all_of_them.map(lambda board: _check(board, [*more, *options]), boards))


def _check(board: str, options: Sequence[str]) -> BoardRun:
    words = [*_CHUB, "ichis", "check", "--board", board, *options, "--json"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert run.stdout is not None
        teller = threading.Thread(target=_tell, args=(board, run.stderr))
        teller.start()
        out = run.stdout.read()
        teller.join()
    told: Any = {}
    with contextlib.suppress(ValueError):  # it ended without a result: its line said why
        told = json.loads(out)
    return BoardRun(board, run.returncode, told)


def _tell(board: str, lines: IO[str]) -> None:
    for line in lines:
        click.echo(f"{board}: {line.rstrip()}", err=True)


def tell_boards(runs: Sequence[BoardRun], as_json: bool) -> int:
    """Tell what came of each board; the exit code: 0 where every run passed, 2 where one could not begin, else 1."""
    if as_json:
        rows = [{"board": run.board, "exit_code": run.code, **run.told} for run in runs]
        click.echo(json.dumps({"verdict": _verdict(runs), "runs": rows}))
    else:
        for run in runs:
            click.echo(f"{run.board}: {run.told.get('verdict', 'no result')}{_counted(run)}  {run.told.get('report', '')}".rstrip())
    return max((run.code for run in runs if run.code > 0), default=1 if any(run.code for run in runs) else 0)


def _counted(run: BoardRun) -> str:
    checks = run.told.get("checks", [])
    return f", {sum(row['verdict'] == 'pass' for row in checks)} of {len(checks)} checks passed" if checks else ""


def _verdict(runs: Sequence[BoardRun]) -> str:
    verdicts = {run.told.get("verdict", "inconclusive") for run in runs}
    return "fail" if "fail" in verdicts else "pass" if verdicts == {"pass"} else "inconclusive"
