"""Several boards checked at the same time, each by a ``chub ichis check`` in a process of its own. Nobody is asked at the console."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

from firmware_emu.board import load_board

_CHUB = (sys.executable, "-c", "from firmware_emu.cli import main; main()")


@dataclass(frozen=True, slots=True)
class BoardRun:
    """The run of one board: exit code of its process, and what it told in JSON (empty where it told nothing)."""

    board: str
    code: int
    told: Mapping[str, Any]


def check_boards(boards: Sequence[str], settings: tuple[str, ...], options: Sequence[str], tell: Callable[[str], None]) -> list[BoardRun]:
    """Run ``chub ichis check`` on each board at once, with these settings and further options; ``tell`` hears each line as it comes.

    Raises BoardError for a board that cannot be read, before anything is started.
    """
    for board in boards:
        load_board(board, settings)
    more = [word for setting in settings for word in ("--set", setting)]
    with ThreadPoolExecutor(len(boards)) as all_of_them:
        return list(all_of_them.map(lambda board: _check(board, [*more, *options], tell), boards))


def _check(board: str, options: Sequence[str], tell: Callable[[str], None]) -> BoardRun:
    words = [*_CHUB, "ichis", "check", "--board", board, *options, "--json"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert run.stdout is not None
        teller = threading.Thread(target=_tell, args=(board, run.stderr, tell))
        teller.start()
        out = run.stdout.read()
        teller.join()
    told: Any = {}
    with contextlib.suppress(ValueError):  # it ended without a result: its line said why
        told = json.loads(out)
    return BoardRun(board, run.returncode, told)


def _tell(board: str, lines: IO[str], tell: Callable[[str], None]) -> None:
    for line in lines:
        tell(f"{board}: {line.rstrip()}")


def verdict_of(runs: Sequence[BoardRun]) -> str:
    """``pass`` where every board passed, ``fail`` where one failed, else ``inconclusive``."""
    verdicts = {run.told.get("verdict", "inconclusive") for run in runs}
    return "fail" if "fail" in verdicts else "pass" if verdicts == {"pass"} else "inconclusive"


def exit_code_of(runs: Sequence[BoardRun]) -> int:
    """0 where every run passed, 2 where one could not begin, else 1."""
    return max((run.code for run in runs if run.code > 0), default=1 if any(run.code for run in runs) else 0)
