"""Every command of the guides is run, in the order of its guide; what needs hardware or runs for ever is held against its options."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.commands.guides import BAD, Block, guides, in_markdown, with_commands
from tests.chub_words import command

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "hil/guide/notebook.ipynb"
ELSEWHERE = {"client": "tests/dcc/service/test_guide_client.py", "notebook": "tests/console/test_guides.py"}
"""Guides whose program a test of its own runs."""
RUN = [name for name in guides() if name not in ELSEWHERE]


class Reader:
    """Somebody who types a guide from top to bottom."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bench: BlockingBench | None = None
        self._opening = Bench.open("simulated", seed=7)

    def close(self) -> None:
        if self.bench is not None:
            self._opening.__exit__()

    def do(self, block: Block) -> None:
        is_file = "." in block.title and " " not in block.title
        if is_file:
            (self.folder / block.title).write_text(block.text, "utf-8")
        match block.language:
            case "chub":
                self.prompt(block)
            case "sh":
                for line in block.text.splitlines():
                    self.check(line) if block.title else self.shell(line)
            case "python" if is_file and not block.title.startswith("test_"):
                self.program(block.title)
            case "python" | "toml":
                assert is_file, f"a block of {block.language} without a name is never read"
            case "text":
                pass
            case other:
                raise AssertionError(f"a block of {other}: nobody runs it")

    def prompt(self, block: Block) -> None:
        if self.bench is None:
            self.bench = self._opening.__enter__()
        lines = block.text.splitlines()
        for number, line in enumerate(lines, 1):
            done = self.bench.say(line)
            assert done.ok is not (block.title == BAD and number == len(lines)), f"{line}: {done}"

    def shell(self, line: str) -> None:
        words = shlex.split(line)
        if words[0] == "chub":
            ran = CliRunner().invoke(chub, words[1:])
            assert ran.exit_code == 0, f"{line}: {ran.output} {ran.exception}"
            return
        assert words[0] == "pytest", f"{line}: expected a line of chub or pytest"
        self.program("-m", *words, "-p", "no:cacheprovider", "--rootdir", str(self.folder))

    def program(self, *words: str) -> None:
        ran = subprocess.run(
            [sys.executable, *words], cwd=self.folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    @staticmethod
    def check(line: str) -> None:
        """Hold a line's options against its command; the words before them are nouns and verbs, or values of the last."""
        words = shlex.split(line)
        if words[0] != "chub":
            return
        verbs = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
        found, _ = command(words[1:verbs])
        rest = words[verbs:]
        options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert [word for word in rest if word.startswith("--") and word not in options] == [], line


@pytest.mark.parametrize("name", RUN)
def test_a_reader_who_types_the_guide_gets_through_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    reader = Reader(tmp_path)
    try:
        for block in guides()[name].blocks():
            reader.do(block)
    finally:
        reader.close()


@pytest.mark.parametrize("name", list(guides()))
def test_every_fence_of_a_guide_is_a_block_and_every_link_leads_to_a_file(name: str) -> None:
    guide = guides()[name]
    assert guide.text.startswith("# ")
    assert guide.text.count("\n```") == 2 * len(guide.blocks())
    place = next(path.parent for path in ROOT.glob(f"[!.]*/**/guide/{guide.file.name}"))  # other tests write in folders with a dot
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", guide.text) if "://" not in link]
    assert [link for link in links if not (place / link).is_file()] == []


@pytest.mark.parametrize("name", list(ELSEWHERE))
def test_the_test_that_runs_a_guide_elsewhere_is_there(name: str) -> None:
    assert guides()[name].file.name in (ROOT / ELSEWHERE[name]).read_text("utf-8")


def test_every_cell_of_the_notebook_runs_and_its_results_are_shown_as_at_the_prompt(tmp_path: Path) -> None:
    for library in ("nbclient", "ipykernel"):
        if find_spec(library) is None:
            pytest.skip(f"{library} is not here: pip install 'commshub[docs]'")
    page = tmp_path / "notebook.md"
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "notebook.py"), str(ROOT / NOTEBOOK), str(page)], capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stderr
    shown = page.read_text("utf-8")
    assert (shown.count("<pre"), shown.count('<pre style="font-family:monospace')) == (7, 7), "each result is shown once"
    assert "refused by the user: the MAC does not hold" in shown


def test_a_notebook_in_the_guide_holds_no_results_of_another_day() -> None:
    cells = json.loads((ROOT / NOTEBOOK).read_text("utf-8"))["cells"]
    assert [cell["source"] for cell in cells if cell.get("outputs")] == []


def test_what_a_notebook_holds_of_its_results_is_shown_below_the_cell() -> None:
    outputs = [{"data": {"text/html": ["<b>1</b>"], "text/plain": ["1"]}}, {"text": ["printed\n"]}, {"data": {"text/plain": "2"}}]
    cells = [{"cell_type": "markdown", "source": ["# A\n", "b"]}, {"cell_type": "code", "source": ["f()"], "outputs": outputs}]
    assert in_markdown({"cells": cells}) == (
        "# A\nb\n\n```python\nf()\n```\n\n<div>\n<b>1</b>\n</div>\n\n```text\nprinted\n```\n\n```text\n2\n```\n"
    )


def test_the_file_of_a_guide_is_saved_and_none_is_written_over(tmp_path: Path) -> None:
    words = ["guide", "notebook", "--save", str(tmp_path)]
    assert CliRunner().invoke(chub, words).exit_code == 0
    assert (tmp_path / "notebook.ipynb").read_bytes() == (ROOT / NOTEBOOK).read_bytes()
    again = CliRunner().invoke(chub, words)
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert CliRunner().invoke(chub, ["guide", "--save", str(tmp_path)]).exit_code == 2


def test_the_command_lists_the_guides_shows_one_and_names_the_nearest() -> None:
    assert "first-hour       First hour" in CliRunner().invoke(chub, ["guide"]).output
    assert CliRunner().invoke(chub, ["guide", "glossary"]).output == guides()["glossary"].text
    wrong = CliRunner().invoke(chub, ["guide", "glosary"])
    assert wrong.exit_code == 2
    assert "did you mean glossary?" in wrong.output


def test_a_link_to_another_guide_is_the_command_that_shows_it_on_a_terminal() -> None:
    found = guides()
    shown = {name: with_commands(one.text, found) for name, one in found.items()}
    assert "a developer's day (`chub guide developers-day`)" in shown["first-hour"]
    assert [name for name, text in shown.items() if any(f"{other}.md" in text for other in found)] == []
