"""The prompt under keys from a pipe: completion, hints, lines that go on, interrupts, history; and the Python prompt behind it."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from firmware_emu.console import BlockingBench, Result
from firmware_emu.console.core import Noun
from firmware_emu.console.declare import verb
from firmware_emu.console.offers import hint, offers
from firmware_emu.console.prompt import Prompt, _Completer, history
from firmware_emu.console.python_prompt import PythonPrompt
from firmware_emu.console.talk import LocalTalk


@pytest.fixture
def typed(home: BlockingBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Types keys at a prompt and ends it; what it printed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(keys: str) -> str:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            prompt = Prompt(LocalTalk(home.handle))
            prompt.console = Console(record=True, width=150, file=open("/dev/null", "w"))  # noqa: SIM115 - ends with the test
            pipe.send_text(keys)
            prompt.run()
            return prompt.console.export_text()

    yield run
    home.handle.show = None
    home.handle.core.watching = None


def test_a_line_is_done_and_its_result_shown(typed: Callable[[str], str]) -> None:
    assert "ESME esme" in typed("esme status\rexit\r")


def test_what_cannot_be_read_is_one_line_and_the_prompt_goes_on(typed: Callable[[str], str]) -> None:
    said = typed("hub fomr\resme status\r\x04")
    assert said.splitlines()[0] == "read 'fomr', expected a verb of hub: form, status, log, reset; did you mean form?"
    assert "ESME esme" in said


def test_a_line_goes_on_while_a_quote_is_open(typed: Callable[[str], str]) -> None:
    said = typed("explain '18 02\r0b 00 81' as=zcl\rexit\r")
    assert "5 octets: read as zcl" in said


def test_ctrl_c_clears_the_line_and_ends_nothing(typed: Callable[[str], str]) -> None:
    assert "ESME esme" in typed("nonsense\x03esme status\rexit\r")


def test_ctrl_c_right_behind_enter_ends_the_line_that_was_entered(typed: Callable[[str], str], home: BlockingBench) -> None:
    began = home.clock.now()
    said = typed("until alert 8F36 within=100000d\rnever done\x03esme status\rexit\r")
    assert said.splitlines()[0] == "interrupted; the bench goes on"
    assert "ESME esme" in said
    assert "never" not in said
    assert home.clock.now() == began


def test_words_of_the_prompt_itself_are_checked_too(typed: Callable[[str], str]) -> None:
    said = typed("exit now\rattach\rattach /nowhere/s\rexit\r")
    assert "exit: read 'now' too many, expected nothing more" in said
    assert "attach: expected SOCKET" in said
    assert "a hub at /nowhere/s is not available" in said


def test_records_that_are_watched_stand_above_the_prompt(typed: Callable[[str], str]) -> None:
    said = typed("watch event=unpowered,powered; ihd power off; ihd power on; watch off\rexit\r")
    assert "type_2 021dd00000000001 unpowered" in said


def test_a_defect_of_a_verb_is_shown_whole_and_the_prompt_goes_on(
    typed: Callable[[str], str],
    home: BlockingBench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @verb(looks=True)
    async def broken(self: Noun) -> Result:
        """Tell nothing."""
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(type(home.handle.core.nouns["wan"]), "broken", broken, raising=False)
    said = typed("wan broken\resme status\rexit\r")
    assert "ZeroDivisionError: a defect" in said
    assert "ESME esme" in said


def test_the_history_is_kept_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Callable[[str], str]) -> None:
    typed("esme status\rexit\r")
    kept = tmp_path / "chub" / "history"
    assert "esme status" in kept.read_text(encoding="utf-8")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert isinstance(history(), FileHistory)
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    assert isinstance(history(), InMemoryHistory)


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("", {"hub", "dcc", "esme", "go", "why", "exit"}),
        ("hu", {"hub"}),
        ("hub ", {"form", "status", "log", "reset"}),
        ("dcc read ", {"esme", "gsme", "chf", "gpf"}),
        ("dcc read es", {"esme"}),
        ("dcc send 7.", {"7.2", "7.4"}),
        ("dcc send 7.2 esme ", {"json="}),
        ("esme read Time.", {"Time.time"}),
        ("ihd send Price.", {"Price.GetCurrentPrice"}),
        ("until ", {"alert", "joined", "what=", "within="}),
        ("until alert 8F3", {"8F35", "8F36"}),
        ("until alert 8F36 within=", {"within=30m", "within=1d"}),
        ("fault add ", {"han", "wan", "nvm", "supply", "dongle"}),
        ("fault add han drop 20% to ", {"gsme", "esme"}),
        ("watch ", {"han", "all", "quiet", "off", "device="}),
        ("watch device=", {"device=esme"}),
        ("help ", {"hub", "go", "why"}),
        ("hub form; esme ", {"add", "status"}),
        ("speed 100 ", set()),
    ],
)
def test_what_may_be_typed_is_offered_from_the_declarations(home: BlockingBench, line: str, some: set[str]) -> None:
    offered = {offer.word for offer in offers(home.handle.core, line, [])} | ({"exit"} if not line else set())
    assert some <= offered
    assert bool(offered) is bool(some)


def test_what_is_offered_says_what_it_means(home: BlockingBench) -> None:
    core = home.handle.core
    meanings = {offer.word: offer.meaning for line in ("until alert 8F36", "dcc send 7.2", "dcc read esme") for offer in offers(core, line)}
    assert meanings["8F36"].startswith("Supply")
    assert meanings["7.2"]
    assert meanings["esme"] == "ESME 02e53e0000000001"


def test_the_foot_tells_the_usage_of_what_is_being_typed(home: BlockingBench) -> None:
    assert hint(home.handle.core, "go") == "go SPAN  Let so much bench time pass: hub, Devices, air and DCC together."
    assert hint(home.handle.core, "hub form; dcc read es").startswith("dcc read DEVICE [WHAT]")
    assert hint(home.handle.core, "hu") == ""


def test_completions_replace_the_word_that_was_begun(home: BlockingBench) -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        found = list(_Completer(Prompt(LocalTalk(home.handle))).get_completions(Document("dcc read es"), None))  # type: ignore[arg-type]
    assert [(one.text, one.start_position) for one in found] == [("esme", -2)]


def python(home: BlockingBench, *lines: str) -> tuple[str, PythonPrompt]:
    shown = Console(record=True, width=150, file=open("/dev/null", "w"))  # noqa: SIM115 - ends with the test
    prompt = PythonPrompt(home.handle, shown)
    for line in lines:
        prompt.do(line)
    return shown.export_text(), prompt


def test_python_awaits_the_same_verbs_and_keeps_its_names(home: BlockingBench) -> None:
    said, prompt = python(
        home,
        "read = await dcc.read('esme')",
        "status = await bench.esme.status()",
        "spans = []",
        "for span in ('1s', '2s'):\n    spans.append(await bench.go(span))",
    )
    assert said == ""
    assert prompt.names["status"]["at the DCC"] == "Commissioned"  # type: ignore[index]
    assert prompt.names["read"].ok  # type: ignore[attr-defined]
    assert len(prompt.names["spans"]) == 2  # type: ignore[arg-type]


def test_python_shows_errors_as_python_does_and_goes_on(home: BlockingBench) -> None:
    said, prompt = python(home, "1 / 0", "await bench.go('soon')", "x = (", "kept = 1")
    assert "ZeroDivisionError: division by zero" in said
    assert "read 'soon', expected a time such as 30m" in said
    assert "SyntaxError" in said
    assert prompt.names["kept"] == 1


def test_python_knows_when_a_statement_goes_on(home: BlockingBench) -> None:
    prompt = PythonPrompt(home.handle, Console())
    assert prompt._unfinished("for x in y:")
    assert prompt._unfinished("(1 +")
    assert not prompt._unfinished("1 + 1")
    assert not prompt._unfinished("for x in y:\n    pass\n")
    assert not prompt._unfinished("1 +* 2")


def test_python_is_left_with_exit_and_reached_from_the_prompt(typed: Callable[[str], str]) -> None:
    said = typed("python\rexit()\resme status\rexit\r")
    assert "Ctrl-D goes back" in said
    assert "ESME esme" in said
