"""The README, ``chub --help`` and what is there agree."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from tests.chub_words import command

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOUNS = sorted(entry.name for entry in entry_points(group="chub.nouns"))
TABLE = dict(re.findall(r"^\| `chub ([a-z]+)` \| (.+) \|$", README, re.MULTILINE))
BLOCKS = [line for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
COMMANDS = [line.split("#")[0].strip() for line in BLOCKS if line.startswith("chub ")]


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


def test_every_folder_of_the_map_is_there_and_every_folder_is_on_the_map() -> None:
    named = set(re.findall(r"^\| `([a-z_]+)/` \|", README, re.MULTILINE))
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__")) and path.name != "runs"}
    assert named == packages - {"dist", "build"}


@pytest.mark.parametrize("program", ["demo", "test", "coverage", "bench"])
def test_every_program_of_tools_that_the_readme_names_can_be_run(program: str) -> None:
    path = ROOT / "tools" / program
    assert f"tools/{program}" in README or f"`{program}`" in README
    assert path.stat().st_mode & 0o111
