"""``chub console`` without a prompt: exit codes for a build, one line for what cannot be read, JSON."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_emu.cli import chub
from firmware_emu.console.nouns.time import events


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(chub, ["console", "--seed", "7", *arguments], input=text)


def test_a_script_that_is_good_ends_with_0_and_tells_each_result_as_json(tmp_path: Path) -> None:
    script = tmp_path / "join.txt"
    script.write_text("# a meter joins\nhub form\n\nesme add; dcc read \\\n  esme\n", encoding="utf-8")
    done = run("--script", str(script), "-c", "time now", "--json")
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["ok"] for one in told] == [True] * 4
    assert told[2]["values"]["Import Register Collection, Wh"] == 0
    assert told[3]["values"]["seed"] == 7


def test_a_bad_verdict_ends_it_with_1_and_what_follows_is_left_out() -> None:
    done = run("-c", "hub form; dcc send 4.1.1 gpf; go 1d", "-c", "go 1d")
    assert done.exit_code == 1
    assert "refused" in done.stdout
    assert "went by" not in done.stdout


def test_a_step_that_fails_ends_it_with_1_and_names_the_line() -> None:
    done = run("--script", "-", text="hub form\nesme join\n")
    assert done.exit_code == 1
    assert done.stderr.strip().splitlines()[-1].startswith("<stdin>:2: esme join: 02e53e0000000001 ")
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hub fomr", "-c: read 'fomr', expected a verb of hub: form, status, log, reset"),
        ("go soon", "-c: span: read 'soon', expected a time such as 30m, 1d or 250ms"),
        ("fault add han dorp", "-c: fault 'han dorp': word 2 is 'dorp': expected one of drop"),
    ],
)
def test_a_line_that_cannot_be_read_ends_it_with_2_and_one_line(line: str, said: str) -> None:
    done = run("-c", line)
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith(said)


def test_a_fault_from_the_start_that_cannot_be_read_is_one_line_too() -> None:
    done = run("--fault", "han dorp", "-c", "hub form")
    assert done.exit_code != 0
    assert "expected one of drop" in str(done.exception) + done.stderr


def test_a_prompt_without_a_terminal_says_what_to_use_instead() -> None:
    done = CliRunner().invoke(chub, ["console"], input="")
    assert done.exit_code == 2
    assert "--script" in done.stderr


def test_time_runs_beside_the_clock_on_the_wall_at_the_speed_that_is_asked_for() -> None:
    done = run("--speed", "2000", "-c", "time now; go 20s", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[0])["values"]["warp"] is False


def test_the_body_of_a_request_is_said_by_names_and_values() -> None:
    said = "hub form; esme add; ihd add; dcc send 8.7.2 esme OtherDeviceID=ihd; dcc send 8.7.2 esme OtherDeviceID=nobody"
    done = run("-c", said, "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["ok"] for one in told] == [True] * 4, told[-1]
    assert done.exit_code == 1
    assert "OtherDeviceID" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_board_whose_dongle_is_not_here_is_one_line(tmp_path: Path) -> None:
    said = CliRunner().invoke(chub, ["console", "--board", "dongle_efr32", "-c", "hub form"])
    assert said.exit_code != 0
    assert "\n" not in str(said.exception)


def test_a_script_is_read_whole_before_its_first_line_is_done(tmp_path: Path) -> None:
    done = run("--script", "-", text="hub form\nhub fomr\nuntil alart\n")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert [line.partition(" expected")[0] for line in done.stderr.strip().splitlines()] == [
        "<stdin>:2: read 'fomr',",
        "<stdin>:3: event: read 'alart',",
        "nothing was done of 3 lines",
    ]
    assert "did you mean alert?" in done.stderr


def test_a_script_that_stops_says_where_and_how_much_is_not_done_and_goes_on_where_that_is_asked() -> None:
    text = "esme join\n# a remark\ntime now\ntime now\n"
    stopped = run("--script", "-", text=text)
    assert stopped.exit_code == 1
    assert stopped.stderr.strip().splitlines()[-1] == "<stdin>:1: stopped here, 2 lines not done"
    went_on = run("--script", "-", "--keep-going", "--json", text=text)
    assert went_on.exit_code == 1
    assert len(went_on.stdout.splitlines()) == 2


def test_a_refusal_is_told_under_the_running_verb_when_it_happens_and_leaves_the_json_alone() -> None:
    done = run("--json", "-c", "hub form; esme add; fault add response 4.1.1 with a wrong MAC; dcc read esme")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["ok"] for one in told] == [True, True, True, False]
    first, *_, last = done.stderr.splitlines()
    assert "responses refused" in first
    assert "the MAC does not hold" in first
    assert "code=E21" in last
    hour, other = (int(line[:2]) for line in (first, last))
    assert other - hour == 2
    assert f" at {first.split()[0]}, 0.1 s after the exchange began)" in told[3]["values"]["cause"]


def test_a_single_line_leaves_no_run_folder_unless_one_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHUB_RUNS", raising=False)
    assert run("-c", "time now").exit_code == 0
    assert list(tmp_path.iterdir()) == []
    assert run("-c", "time now", "--keep-run").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_every_word_for_an_event_can_be_waited_for() -> None:
    """The list of events is what the code calls its records."""
    root = Path(__file__).resolve().parents[2]
    named: set[str] = set()
    for file in (path for floor in ("firmware_emu", "ichis", "hil") for path in (root / floor).rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "emit" and len(call.args) >= 3:
                event = call.args[2]
                either = (event.body, event.orelse) if isinstance(event, ast.IfExp) else (event,)
                named |= {one.value for one in either if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    assert len(named) > 100
    assert sorted(named - events()) == []
