"""``chub console``: a prompt on a bench, a script, or single commands."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console

from firmware_emu.console import records
from firmware_emu.console.attach import AttachedTalk, socket_in
from firmware_emu.console.bench import Bench, listening
from firmware_emu.console.declare import WordError
from firmware_emu.console.prompt import Prompt
from firmware_emu.console.result import columns
from firmware_emu.console.talk import LocalTalk, Talk
from firmware_emu.errors import BoardError, CommsHubError, IdentifierError


@click.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as hub.channel=15")
@click.option("--seed", type=int, default=None, help="seed of air, loads and faults; the board's if not given")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="bench seconds per second; without it the board's clock")
@click.option("--fault", "faults", multiple=True, metavar="SENTENCE", help="a fault from the start, as 'han drop 20% to gsme'")
@click.option("--script", type=click.File("r"), help="do the lines of this file (- is standard input) instead of prompting")
@click.option("-c", "commands", multiple=True, metavar="LINE", help="do this line instead of prompting; may be repeated")
@click.option("--keep-going", is_flag=True, help="do the lines that follow a bad one all the same")
@click.option("--keep-run", is_flag=True, help="leave a run folder after -c, as a prompt and a script do")
@click.option("--attach", "socket", type=click.Path(path_type=Path), help="talk to a running hub at this socket instead of a bench")
@click.option("-v", "--verbose", count=True, help="log lines on stderr; twice for every detail")
@click.option("--json", "as_json", is_flag=True, help="one JSON object for each result (with --script or -c)")
def console(
    board_name: str,
    settings: tuple[str, ...],
    seed: int | None,
    speed: float | None,
    faults: tuple[str, ...],
    script: TextIO | None,
    commands: tuple[str, ...],
    keep_going: bool,
    keep_run: bool,
    socket: Path | None,
    verbose: int,
    as_json: bool,
) -> None:
    """A prompt on a bench: nouns and verbs, time that bends, faults as sentences. `help` at the prompt tells the rest.

    With --script or -c it reads all lines, does them, and ends: 0 all good, 1 a verdict is bad or a step failed, 2 a line it could not
    read, with nothing done.
    """
    _log({0: logging.CRITICAL, 1: logging.INFO}.get(verbose, logging.DEBUG))
    lines = None
    if script is not None or commands:
        where = "" if script is None else script.name
        written = [] if script is None else script.read().splitlines()
        numbered = [(f"{where}:{number}", line) for number, line in enumerate(written, 1)]
        lines = [*numbered, *(("-c", line) for line in commands)]
    if socket is not None:
        talk = AttachedTalk(socket)
        try:
            code = _serve(talk, lines, as_json, keep_going)
        finally:
            talk.close()
    else:
        kept = keep_run or script is not None or not commands or "CHUB_RUNS" in os.environ
        opening = Bench.open(board_name, seed=seed, speed=speed, settings=settings, faults=faults)
        with contextlib.nullcontext() if kept else _no_run_kept(), opening as bench:
            local = LocalTalk(bench.handle)
            bench.handle.show = lambda record: click.echo(records.line(record).plain, err=True)
            for left_out in bench.handle.core.absent.values():
                click.echo(f"left out: {left_out}", err=True)
            if lines is None:
                click.echo(f"board {local.name}, seed {bench.seed}, run {bench.folder}; `help` tells what can be said", err=True)
            with contextlib.nullcontext() if lines is not None else listening(bench.handle, socket_in(bench.folder)):
                code = _serve(local, lines, as_json, keep_going)
    sys.exit(code)


@contextlib.contextmanager
def _no_run_kept() -> Iterator[None]:
    """While in the context a run's folder is made where it goes with the context."""
    with tempfile.TemporaryDirectory(prefix="chub-run-") as folder:
        os.environ["CHUB_RUNS"] = folder
        try:
            yield
        finally:
            del os.environ["CHUB_RUNS"]


class _Stderr(logging.Handler):
    """Log lines to what stderr is at the time: above the prompt where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), file=sys.stderr)


def _log(level: int) -> None:
    handler = _Stderr(level)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _serve(talk: Talk, lines: list[tuple[str, str]] | None, as_json: bool, keep_going: bool) -> int:
    if lines is not None:
        return run_lines(talk, lines, as_json, keep_going=keep_going)
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to prompt on: use --script FILE, --script - or -c LINE")
    Prompt(talk).run()
    return 0


def run_lines(talk: Talk, lines: Iterable[tuple[str, str]], as_json: bool, *, keep_going: bool = False) -> int:
    """Read all lines, then do them, each with where it stands, up to the first that is bad; the exit code."""
    whole = list(_joined(lines))
    unread = [where for where, line in whole if not _read(talk, where, line)]
    if unread:
        if len(whole) > 1:
            click.echo(f"nothing was done of {len(whole)} lines", err=True)
        return 2
    shown, worst = Console(highlight=False), 0
    for number, (where, line) in enumerate(whole, 1):
        code = _do(talk, where, line, shown, as_json)
        worst = max(worst, code)
        left = sum(bool(rest.strip()) and not rest.lstrip().startswith("#") for _, rest in whole[number:])
        if code and not keep_going:
            if left:
                click.echo(f"{where}: stopped here, {left} {'line' if left == 1 else 'lines'} not done", err=True)
            break
    return worst


def _read(talk: Talk, where: str, line: str) -> bool:
    try:
        talk.check(line)
    except (WordError, IdentifierError, BoardError) as wrong:
        click.echo(f"{where}: {wrong}", err=True)
        return False
    except CommsHubError:  # it can be read, and says why it fails when its turn comes
        return True
    return True


def _do(talk: Talk, where: str, line: str, shown: Console, as_json: bool) -> int:
    try:
        for result in talk.say(line):
            if as_json:
                click.echo(json.dumps(result.as_json(), default=str))
            elif shown.is_terminal:
                shown.print(result)
            else:
                click.echo(result.as_text(columns()), nl=False)
            if not result.ok:
                return 1
    except (WordError, IdentifierError, BoardError) as wrong:
        click.echo(f"{where}: {wrong}", err=True)
        return 2
    except CommsHubError as failed:
        click.echo(f"{where}: {line.strip()}: {failed}", err=True)
        return 1
    return 0


def _joined(lines: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Lines that end with a backslash go on in the next."""
    begun, at = "", ""
    for where, line in lines:
        at = at or where
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        yield at, begun + line
        begun, at = "", ""
    if begun:
        yield at, begun
