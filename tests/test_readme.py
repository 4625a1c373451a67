"""The README, ``chub --help`` and what is there agree."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from firmware_emu.cli import chub
from tests.chub_words import command

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOUNS = sorted(entry.name for entry in entry_points(group="chub.nouns"))
TABLE = dict(re.findall(r"^\| `chub ([a-z]+)` \| (.+) \|$", README, re.MULTILINE))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [line for language, block in FENCED.findall(README) if not language for line in block.splitlines()]
INLINE = [" ".join(one.split()) for one in re.findall(r"`(chub [^`]*--[^`]*)`", FENCED.sub("", README)) if "NOUN" not in one]


def _typed(line: str) -> str:
    """A command as its words: without a remark, what a shell does with it, and brackets of what may be left out."""
    return re.split(r" #|  +#| > | &$|\\?\|", line)[0].strip().replace("[", "").replace("]", "")


COMMANDS = [_typed(line) for line in (*BLOCKS, *INLINE) if line.lstrip().startswith("chub ")]


def test_the_table_names_every_noun_that_chub_has() -> None:
    assert sorted(TABLE) == NOUNS


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_and_verb_has_help(noun: str) -> None:
    found, _ = command([noun])
    group = isinstance(found, click.Group)
    verbs = [found.get_command(click.Context(found), name) for name in found.list_commands(click.Context(found))] if group else [found]  # type: ignore[attr-defined]
    assert CliRunner().invoke(chub, [noun, "--help"]).exit_code == 0
    assert [verb.name for verb in verbs if verb is None or not verb.help] == []


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_has_the_options_it_shows(line: str) -> None:
    found, words = command(shlex.split(line)[1:])
    assert not isinstance(found, click.Group), f"{line}: the verb is missing"
    options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in words if word.startswith("--") and word.split("=")[0] not in options] == []


@pytest.mark.parametrize(
    "line",
    ['chub console --seed 7 -c "hub form; esme add; dcc read esme"', "chub run scenario", "chub cite GBCS 6.2.4", "chub guide first-hour"],
)
def test_a_command_of_the_readme_that_ends_by_itself_runs_as_written(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(word in README for word in line.split())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ran = CliRunner().invoke(chub, shlex.split(line)[1:])
    assert ran.exit_code == 0, ran.output


def test_the_readme_plays_a_recording_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = CliRunner().invoke(chub, ["run", "demo", "--record", "demo.jsonl", "--set", "device=[]"])
    assert made.exit_code == 0, made.output
    line = next(line for line in COMMANDS if "replay:demo.jsonl" in line)
    played = CliRunner().invoke(chub, shlex.split(line)[1:])
    assert played.exit_code == 0, played.output
    assert "HAN formed" in played.output


def test_the_readme_asks_for_a_day_as_the_command_takes_it() -> None:
    line = next(line for line in COMMANDS if "day=" in line)
    _, words = command(shlex.split(line)[1:])
    assert {"--wan", "--no-hub"} & set(words), "a home needs its far end, or to be told that it has no hub"
    assert load_board("simulated", [words[words.index("--set") + 1]]).name == "simulated"


def test_no_page_for_users_names_a_folder_that_only_its_authors_have() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/guide/*.md"), ROOT / "firmware_emu/console/manual.md"]
    assert [str(page) for page in pages if "../shared" in page.read_text("utf-8")] == []


def test_every_folder_of_the_map_is_there_and_every_folder_is_on_the_map() -> None:
    named = set(re.findall(r"^\| `([a-z_]+)/` \|", README, re.MULTILINE))
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__")) and path.name != "runs"}
    assert named == packages - {"dist", "build"}


@pytest.mark.parametrize("program", ["demo", "test", "coverage", "bench"])
def test_every_program_of_tools_that_the_readme_names_can_be_run(program: str) -> None:
    path = ROOT / "tools" / program
    assert f"tools/{program}" in README or f"`{program}`" in README
    assert path.stat().st_mode & 0o111
