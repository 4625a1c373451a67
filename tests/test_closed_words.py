"""A word that a closed vocabulary does not have is refused with all that it has, and the one that was meant."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub, exit_code
from firmware_emu.errors import in_words, nearest, one_of

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


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 4999)"), "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), [Errno 111] Connect"), "Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "nonsense"), "No such file or directory: nonsense"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("no PEM"), "no PEM"),
    ],
)
def test_a_reason_has_the_words_of_an_error_and_no_python_object(error: Exception, words: str) -> None:
    assert in_words(error) == words


def test_every_reason_made_of_an_error_of_the_system_takes_its_words() -> None:
    """By ``in_words``: an OSError's own text has a number, and a tuple where a connection failed."""
    found = []
    for path in sorted(one for folder in ("firmware_emu", "hil", "ichis") for one in (ROOT / folder).rglob("*.py")):
        if "parse_correlate" in path.parts:  # a package of its own, which tells of files alone
            continue
        for handler in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(handler, ast.ExceptHandler) and handler.name and "OSError" in ast.unparse(handler.type or ast.Constant("")):
                told = (one for line in handler.body for one in ast.walk(line) if isinstance(one, ast.FormattedValue))
                found += [f"{path}:{one.lineno}" for one in told if isinstance(one.value, ast.Name) and one.value.id == handler.name]
    assert found == []


@pytest.mark.parametrize(
    "words", [["fleet", "keys", "out", "--store", ""], ["fleet", "keys", ""], ["fleet", "keys", "o", "--store="], [""]]
)
def test_an_empty_word_is_no_path_and_is_refused_in_a_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(lambda: chub.main(words, standalone_mode=False)) == 2
    assert "read an empty word after " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
