"""``chub ncp certify``: verdicts, hosts that are not there, and patience that only idle time uses up."""

from __future__ import annotations

import ast
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64
from hil.commands.ncp_certify import certify
from hil.hosts import matrix, session
from hil.hosts.matrix import FAIL, PASS, REFUSED, SKIP, VERBS, ForeignHost, MatrixCell
from hil.hosts.session import HostOutcome, Rig, drive, once
from hil.radio.personality import Personality, personality

WAITS = (
    "import sys, json; print(json.dumps({'verb': 'start', 'ok': True, 'said': 'up'}), flush=True); sys.stdin.readline(); print(json.dumps"
)


async def certified(clock: Clock, host: ForeignHost) -> AsyncIterator[MatrixCell]:
    """The cells of one host of a test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "HOSTS", (host,))
        async for cell in matrix.certify(clock, firmwares=("zbt-1-7.4",), transports=("pty",)):
            yield cell


@pytest.fixture
def wall_clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock())


def cells(outcomes: Sequence[HostOutcome], missing: str | None = None, has: str = "") -> dict[str, tuple[str, str]]:
    host = ForeignHost("bellows", ("ezsp",), lambda: missing, matrix._bellows, has)
    made = matrix._cells(host, "pty", "zbdongle-e-7.4", outcomes, missing)
    assert [one.verb for one in made] == list(VERBS)
    return {one.verb: (one.verdict, one.source) for one in made}


def test_a_verb_passes_fails_is_refused_as_the_firmware_or_skipped_with_the_reason() -> None:
    told = cells(
        [
            HostOutcome("start", True, "7.4"),
            HostOutcome("bind", False, "status 132"),
            HostOutcome("packet capture", None, "the library has no such function"),
            HostOutcome("EUI write", False, "it is still 00:00"),
        ],
        has="start and bind",
    )
    assert told["start"] == (PASS, "7.4")
    assert told["bind"] == (FAIL, "status 132")
    assert told["packet capture"] == (SKIP, "the library has no such function")
    assert told["EUI write"][0] == REFUSED
    assert "ember-zli#15" in told["EUI write"][1]
    assert told["key change"] == (SKIP, "bellows has no such function: start and bind")


def test_nothing_passes_by_silence() -> None:
    assert {verdict for verdict, _ in cells([], "not installed: pip install it").values()} == {SKIP}
    told = cells([HostOutcome("start", False, "no answer")])
    assert set(told.values()) == {(FAIL, "no answer"), (FAIL, "the session ended before it: no answer")}


class StuckOnce(session.Patience):
    """Finds the host idle after the first thing that it told, until it is told to go on."""

    moves = looks = 0

    def look(self) -> float:
        self.looks += self.moves == 1
        return 2 * session.STUCK_S if self.looks == 1 and self.moves == 1 else 0.0

    def moved(self) -> float:
        self.moves += 1
        return 0.0


async def test_a_verb_that_is_stuck_is_told_to_end_and_the_session_goes_on(wall_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "Patience", StuckOnce)
    monkeypatch.setattr(session, "_LOOK_S", 0.05)
    async with Rig(personality("zbdongle-e-7.4"), "pty", wall_clock) as rig:
        told = await drive(rig, [sys.executable, "-c", f"{WAITS}({{'verb': 'stop', 'ok': False, 'said': 'ended'}}), flush=True)"])
    assert told == [HostOutcome("start", True, "up"), HostOutcome("stop", False, "ended")]


async def test_a_command_is_ended_when_it_is_stuck_or_has_said_enough(
    wall_clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(session, "_LOOK_S", 0.05)
    done = await once([sys.executable, "-c", "print('done')"])
    assert (done.code, done.said) == (0, "done\n")
    told = "import signal, sys; print('there it is', file=sys.stderr, flush=True); signal.pause()"
    log = tmp_path / "host.log"
    log.write_text("before it is here\n")
    assert (await once([sys.executable, "-c", told], log, enough="it is")).said == "there it is\n"
    assert log.read_text() == "before it is here\nthere it is\n"
    monkeypatch.setattr(session, "STUCK_S", -1.0)
    ended = await once([sys.executable, "-c", "import signal; signal.pause()"])
    assert ended.code == 124
    assert "nothing moved" in ended.said


def test_the_cells_are_one_json_object_and_a_failure_is_exit_code_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(rig: Rig, firmware: Personality) -> list[HostOutcome]:
        assert Path(rig.first).exists()
        return [HostOutcome("start", False, "no answer")]

    monkeypatch.setattr(matrix, "HOSTS", (ForeignHost("bellows", ("ezsp",), lambda: None, run),))
    done = CliRunner().invoke(certify, ["--firmware", "zbt-1-7.4", "--transport", "pty", "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)["cells"]
    assert len(told) == len(VERBS)
    assert told[0] == {
        "host": "bellows",
        "transport": "pty",
        "firmware": "zbt-1-7.4",
        "verb": "start",
        "verdict": "fail",
        "source": "no answer",
    }


@pytest.mark.parametrize(("starved_s", "sessions"), [(0.0, 1), (5.0, 2)])
async def test_a_session_that_failed_on_a_starved_host_is_held_again(wall_clock: Clock, starved_s: float, sessions: int) -> None:
    held: list[Rig] = []

    async def run(rig: Rig, firmware: Personality) -> list[HostOutcome]:
        held.append(rig)
        return [HostOutcome("start", len(held) > 1, "TimeoutError", starved_s)]

    told = [cell async for cell in certified(wall_clock, ForeignHost("bellows", ("ezsp",), lambda: None, run))]
    assert (len(held), told[0].verdict) == (sessions, PASS if sessions > 1 else FAIL)


async def test_a_session_that_fails_each_time_on_a_starved_host_fails(wall_clock: Clock) -> None:
    async def run(rig: Rig, firmware: Personality) -> list[HostOutcome]:
        return [HostOutcome("start", False, "TimeoutError", 60.0)]

    told = [cell async for cell in certified(wall_clock, ForeignHost("bellows", ("ezsp",), lambda: None, run))]
    assert {cell.verdict for cell in told} == {FAIL}


async def test_the_meter_tries_again_until_the_network_is_open(wall_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_AGAIN_S", 0.0)
    async with Rig(personality("zbdongle-e-7.4"), "pty", wall_clock) as rig:
        tried: list[bytes] = []

        async def join(link_key: bytes) -> Eui64:
            tried.append(link_key)
            if len(tried) < 3:
                raise RadioError("cannot join the network", "NO_BEACONS")
            return session.FIRST

        monkeypatch.setattr(rig.esme.node, "join", join)
        await rig.join(bytes(16))
        assert len(tried) == 3
        assert "NO_BEACONS" in rig.refused


def test_what_the_drivers_take_from_one_another_is_there() -> None:
    """They run under interpreters of other hosts, where no type checker follows them."""
    defined = {
        name
        for node in ast.parse((matrix.DRIVERS / "zigpy_app.py").read_text()).body
        for name in (
            [node.name] if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) else [one.id for one in _assigned(node)]
        )
    }
    taken = {
        node.attr
        for node in ast.walk(ast.parse((matrix.DRIVERS / "zha_app.py").read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "below"
    }
    assert taken
    assert taken <= defined


def _assigned(node: ast.stmt) -> list[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [one for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]


async def test_sessions_that_are_broken_off_are_taken_down(wall_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Rig] = []
    second = asyncio.Event()

    async def run(rig: Rig, firmware: Personality) -> list[HostOutcome]:
        taken.append(rig)
        if len(taken) == 2:
            second.set()
            await asyncio.Event().wait()
        return [HostOutcome("start", True, "up")]

    monkeypatch.setattr(matrix, "HOSTS", (ForeignHost("bellows", ("ezsp",), lambda: None, run),))
    made = matrix.certify(wall_clock, firmwares=("zbt-1-7.4",), jobs=1)
    assert (await anext(made)).verdict == PASS
    await second.wait()
    await made.aclose()
    assert [dongle.on for rig in taken for dongle in rig.dongles] == [False] * 4
