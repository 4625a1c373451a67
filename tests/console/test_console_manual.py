"""The manual is the help: command and section cannot disagree, nor can README, ``chub --help`` and what is there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from firmware_emu.console import BlockingBench
from firmware_emu.console.commands.console import console
from firmware_emu.console.manual import chapters, examples, sections, text, usage_line
from firmware_emu.console.prompt import PROMPT_WORDS

ROOT = Path(__file__).resolve().parents[2]


def declared(bench: BlockingBench) -> dict[str, str]:
    """Heading to the usage that must stand under it."""
    verbs = {verb.section: verb for noun in bench.handle.core.nouns.values() for verb in noun.verbs().values()}
    return {title: usage_line(title, verb) for title, verb in verbs.items()}


def test_every_verb_has_its_section_and_every_section_its_verb(home: BlockingBench) -> None:
    assert set(sections()) == set(declared(home)) | set(PROMPT_WORDS)


def test_each_section_begins_with_the_usage_that_is_declared(home: BlockingBench) -> None:
    shown = {title: sections()[title].splitlines()[0] for title in declared(home)}
    assert shown == declared(home)
    for word in PROMPT_WORDS:
        assert sections()[word].startswith(f"`{word}")


def test_every_noun_has_its_chapter(home: BlockingBench) -> None:
    titles = {noun.title or noun.name for noun in home.handle.core.nouns.values()}
    assert titles <= set(chapters())


def test_the_plain_words_of_the_manual_are_those_that_are_declared(home: BlockingBench) -> None:
    named = {match for usage in declared(home).values() for match in re.findall(r", `([a-z]+)", usage)}
    assert named == set(home.handle.core.plain)
    assert {"go", "speed", "until", "watch", "explain", "why", "ladder", "diff", "help"} == named


def test_help_shows_the_section_as_the_manual_has_it(home: BlockingBench) -> None:
    assert sections()["time go"] in str(home.help("go").raw)
    assert sections()["time go"] in str(home.help("time", "go").raw)
    assert sections()["gsme wake"] in str(home.help("gsme").raw)
    assert sections()["device add"] in str(home.help("esme").raw)
    assert all(name in str(home.help()) for name in home.handle.core.nouns)


def test_every_verb_says_in_a_sentence_what_it_does(home: BlockingBench) -> None:
    for noun in home.handle.core.nouns.values():
        for verb in noun.verbs().values():
            assert verb.summary.endswith("."), verb.section
            assert len(verb.summary) < 160, verb.section


def test_options_of_the_manual_are_those_of_the_command_and_the_readme_names_it() -> None:
    options = {option for parameter in console.params for option in parameter.opts}
    named = set(re.findall(r"`(?:chub console )?(--?[a-z]+)", text())) | {"--board"}
    assert named <= options
    assert "console" in CliRunner().invoke(chub, ["--help"]).output
    assert "`chub console`" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.requirement("CH-34")
@pytest.mark.parametrize("program", examples(), ids=["program", "script_or_notebook"])
def test_the_programs_that_the_manual_shows_run(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(program, "manual.md", "exec"), {"__name__": "example"})
    assert "Commissioned" in capsys.readouterr().out or "success" in capsys.readouterr().out or "async def" in program


@pytest.mark.requirement("CH-34")
def test_the_script_that_the_manual_shows_ends_as_it_says(tmp_path: Path) -> None:
    script = re.findall(r"```\n(# join\.txt.*?)```", text(), re.DOTALL)[0]
    path = tmp_path / "join.txt"
    path.write_text(script, encoding="utf-8")
    done = CliRunner().invoke(chub, ["console", "--seed", "7", "--script", str(path)])
    assert done.exit_code == 1, done.output
    assert "esme added: Commissioned" in done.output
    assert "7.2 esme: success" in done.output
    assert done.output.strip().endswith("no alert 8F35 within 1 min")


def test_a_notebooks_cell_awaits_without_a_loop_of_the_bench(home: BlockingBench) -> None:
    from firmware_emu.console import Bench

    async def cell() -> object:
        return (await Bench(home.handle).esme.status())["at the DCC"]

    assert asyncio.run(cell()) == "Commissioned"
