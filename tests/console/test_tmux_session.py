"""A session as a person has it: real keys, in a real terminal, on ``chub console``; recorded, and saved as a test that passes alone."""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.console.manual import sections
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ["env", f"PYTHONPATH={ROOT}", sys.executable]
CHUB = [*PYTHON, "-c", "from firmware_emu.cli import main; main()"]


class Terminal:
    """A terminal of 50 lines in tmux; what a program writes to it is recorded in ``typescript``."""

    def __init__(self, folder: Path, command: list[str], columns: int = 130) -> None:
        self._sockets = Path(tempfile.mkdtemp(prefix="chub-tmux-"))
        own = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}  # the terminal says how wide it is
        self._environment = {
            **own,
            "TMUX_TMPDIR": str(self._sockets),
            "CHUB_RUNS": str(folder / "runs"),
            "XDG_STATE_HOME": str(folder / "state"),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
        }
        self.typescript = bytearray()
        os.mkfifo(folder / "written")
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", "50", "-c", str(folder), "cat")
        self._written = os.open(folder / "written", os.O_RDONLY | os.O_NONBLOCK)
        self._tmux("pipe-pane", "-o", f"exec cat > {shlex.quote(str(folder / 'written'))}")
        self._tmux("respawn-pane", "-k", "-c", str(folder), f'{shlex.join(command)}; echo "ended with $?"; exec cat')

    def _tmux(self, *arguments: str) -> str:
        return subprocess.run(
            ["tmux", *arguments], env=self._environment, capture_output=True, text=True, check=True, timeout=PATIENCE_S
        ).stdout

    def keys(self, *names: str) -> None:
        """Press keys by their tmux names (Enter, Tab, C-c)."""
        self._tmux("send-keys", *names)

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._tmux("send-keys", "-l", line)
        self.keys("Enter")

    def screen(self, *more: str) -> str:
        """Text on the screen, without the blanks at the ends of lines; ``-S -``: and the text that has scrolled off it."""
        return "\n".join(line.rstrip() for line in self._tmux("capture-pane", "-p", *more).splitlines())

    def until(self, pattern: str, *more: str, after: str = "") -> str:
        """Wait until the screen shows ``pattern``, behind the last ``after`` if given; what is there then."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            shown = self.screen(*more)
            if (not after or after in shown) and re.search(pattern, text := shown.rpartition(after)[2] if after else shown, re.MULTILINE):
                return text
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} within {PATIENCE_S:.0f} s; the screen shows:\n{shown}"
            if select.select([self._written], [], [], min(left, 1.0))[0]:
                self.typescript += os.read(self._written, 1 << 16)

    def say(self, line: str, pattern: str) -> str:
        """Type a line and wait for what it must show and for the next prompt; what stands behind the line then."""
        self.type(line)
        return self.until(rf"(?s)(?:{pattern}).*\nsimulated> *\n", "-S", "-", after=f"simulated> {line}\n")

    def close(self) -> None:
        self._tmux("kill-server")
        os.close(self._written)
        shutil.rmtree(self._sockets)


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not here: apt-get install tmux")
    made = Terminal(tmp_path, [*CHUB, "console", "--board", "simulated", "--seed", "7"], getattr(request, "param", 130))
    yield made
    made.close()


@pytest.mark.requirement("CH-34")
def test_a_session_with_real_keys_is_recorded_and_its_saved_test_passes_on_its_own(terminal: Terminal, tmp_path: Path) -> None:
    assert "board simulated, seed 7" in terminal.until(r"simulated> *\n")

    terminal.keys("h", "u", "Tab")
    terminal.until(r"simulated> hub$")
    terminal.type(" form")
    formed = terminal.until(r"(?s)HAN formed on channel 20.*\nsimulated> *\n")
    assert re.search(r"^06:00:00\.\d{3} @\d+ hub    chf commissioned", formed, re.MULTILINE), formed  # the live log, above the prompt

    added = terminal.say("esme add", "esme added: Commissioned")
    assert re.search(r"han    esme 02e53e0000000001 joined", added)
    assert "8.1.1 commission  success" in added

    read = terminal.say("dcc read esme", "Import Register Collection, Wh +0")
    assert "4.1.1 esme: success" in read

    explained = terminal.say("explain @-1", "MAC +valid")
    assert "ECS17b response, 02e53e0000000001 to" in explained
    assert "ECS17b: Read ESME Energy Registers (Import" in explained  # the rest stands on the next line
    assert "decrypted attributes" in explained

    terminal.keys("C-l")
    terminal.keys("-l", "fault add han dro")
    terminal.keys("Tab")
    terminal.until(r"> fault add han drop")
    terminal.type(" 100% to esme in 1h for 3h")
    terminal.until(r"fault 1: han drop 100% to esme in 1h for 3h")

    went = terminal.say("go 1d", "1 d went by")
    assert "hub lost" in went

    told = terminal.say("why", "next ")
    assert "hub lost at esme" in told
    assert "fault 1: han drop 100% to esme in 1h for 3h (acted" in told

    drawn = terminal.say("ladder last=12", "12 hops, the last 12")
    assert "│" in drawn
    assert "▶" in drawn

    unending = "watch han; until alert 8F36 within=36000d"
    terminal.keys("C-l")
    terminal.type(unending)
    terminal.until(r"^\d\d:\d\d:\d\d\.\d{3} @\d+ han ", "-S", "-", after=f"simulated> {unending}\n")
    terminal.keys("C-c")
    terminal.until("interrupted; the bench goes on")
    terminal.say("watch quiet", "watching what goes wrong")
    wrong = terminal.say("esme sing", "expected a verb of esme: add, join")
    assert "read 'sing'" in wrong

    terminal.say("session save test_session.py", r"test_session.py: 5 calls; run it with `pytest test_session.py`")
    terminal.type("exit")
    terminal.until("ended with 0")
    assert b"HAN formed on channel 20" in terminal.typescript
    assert list((tmp_path / "runs").glob("*-console/trace.jsonl"))

    alone = subprocess.run(
        [*PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "test_session.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "CHUB_RUNS": str(tmp_path / "alone")},
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "1 passed" in alone.stdout


@pytest.mark.parametrize("terminal", [80], indirect=True)
def test_explain_ladder_and_every_page_of_help_fit_a_terminal_of_80_columns(terminal: Terminal) -> None:
    terminal.until(r"simulated> *\n")
    terminal.say("hub form", "HAN formed")
    terminal.say("esme add", "esme added: Commissioned")
    terminal.say("dcc read esme", "4.1.1 esme: success")
    nouns = sorted({section.split()[0] for section in sections()} - {"device"} | {"esme"})
    assert len(nouns) > 10
    said = ["help", "ladder", "explain --brief @-1", *(f"explain @-{back}" for back in (1, 2, 5, 9)), *(f"help {noun}" for noun in nouns)]
    for line in said:
        terminal.keys("C-l")
        terminal.say(line, ".")  # keys that come before the prompt is back stand among what is told
        terminal.type(f"# {line} is told")  # a remark, which is all that marks the end
        shown = terminal.until(
            rf"(?s)simulated> # {re.escape(line)} is told\nsimulated> *\n", "-J", "-S", "-", after=f"simulated> {line}\n"
        )
        assert [one for one in shown.splitlines() if len(one) > 80] == [], line
        assert "…" not in shown, line
