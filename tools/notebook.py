"""Run a notebook whole and make a Markdown page of it with what its cells gave: ``python tools/notebook.py NOTEBOOK PAGE``.

A cell that raises stops it: exit code 1, and the cell and its traceback on stderr. Needs nbclient and ipykernel (``commshub[docs]``).
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

from firmware_emu.console.commands.guides import in_markdown

SLOW_S = 600
"""Seconds that a busy machine may need to start a kernel."""


def play(notebook: Path, page: Path) -> None:
    """Both sides are at home in one folder, which has the kernel's sockets (a free port may be taken before it listens) and the runs."""
    played = nbformat.read(notebook, 4)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(JUPYTER_RUNTIME_DIR=folder, IPYTHONDIR=folder, CHUB_RUNS=str(Path(folder) / "runs"))
        os.chdir(folder)
        sockets = Config({"KernelManager": {"transport": "ipc"}})
        NotebookClient(played, config=sockets, timeout=None, startup_timeout=SLOW_S, iopub_timeout=SLOW_S).execute()
    page.write_text(in_markdown(played), "utf-8")


if __name__ == "__main__":
    play(*(Path(word).resolve() for word in sys.argv[1:3]))
