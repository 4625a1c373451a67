"""A word that a closed vocabulary does not have is refused with all that it has, and the one that was meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from firmware_emu.errors import nearest, one_of

ROOT = Path(__file__).resolve().parent.parent

TYPED = [
    (["consle"], "console"),
    (["run", "dmo"], "demo"),
    (["board", "show", "simulatd"], "simulated"),
    (["run", "demo", "--set", "radio.kind=ezps"], "ezsp"),
    (["run", "demo", "--set", "raido.kind=ezsp"], "radio"),
    (["run", "demo", "--set", "hub.gbcs=4x"], "4.x"),
    (["run", "demo", "--fault", "han dorp 20% to gsme"], "drop"),
    (["run", "demo", "--fault", "han drop 20% to gsm"], "gsme"),
    (["run", "demo", "--taek-over"], "--take-over"),
    (["run", "scenario", "instal"], "install"),
    (["explain", "--as", "gbsc", "00"], "gbcs"),
    (["guide", "frist-hour"], "first-hour"),
    (["ncp", "--family", "zpn"], "znp"),
    (["ncp", "--personality", "zbt1-7.4"], "zbt-1-7.4"),
    (["ncp", "--fault", "lst=0.1"], "lost"),
    (["gbcs", "use-cases", "--kind", "comand"], "command"),
    (["gbcs", "use-cases", "ECS17f"], "ECS17"),
    (["dcc", "request", "4.1.1x", "esme"], "4.1.1"),
    (["dcc", "services", "--group", "enrollment"], "enrolment"),
    (["attack", "run", "gbcs/replaid"], "gbcs/replay"),
    (["book", "list", "--device", "esem"], "ESME"),
    (["console", "-c", "huv form"], "hub"),
    (["console", "-c", "hub fom"], "form"),
    (["console", "-c", "help huv"], "hub"),
    (["console", "-c", "help hub fom"], "form"),
]


@pytest.mark.parametrize(("words", "meant"), TYPED, ids=lambda one: " ".join(one) if isinstance(one, list) else one)
def test_a_word_that_is_nearly_one_is_refused_with_the_one_that_was_meant(words: list[str], meant: str) -> None:
    made = CliRunner().invoke(chub, words)
    told = f"{made.output} {made.exception if made.exception is not None else ''}"
    assert made.exit_code != 0, told
    assert re.search(rf"[Dd]id you mean '?{re.escape(meant)}", told), told


def test_the_word_that_was_meant_is_found_in_any_case_and_nothing_is_guessed() -> None:
    assert one_of("ESMEE", ["esme", "gsme"]) == "one of esme, gsme; did you mean esme?"
    assert one_of("teapot", ["esme", "gsme"]) == "one of esme, gsme"
    assert one_of("anything", []) == "none: there is none"
    assert nearest(16, [17, 4]) == ""


def test_no_refusal_lists_a_vocabulary_but_by_the_one_function() -> None:
    own = re.compile(r"(expected|choose|name) one of:? \{', '|not one of \{|click\.Choice\(")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in ("firmware_emu", "hil", "ichis")
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if own.search(line)
    ]
    assert found == []
