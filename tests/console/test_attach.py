"""Consoles that attach to a running hub over its socket: the same words, records as they come, an interrupt, a hub that goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.text import Text

from firmware_emu.cli import chub
from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.attach import AttachedTalk, console_socket, socket_in
from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError
from firmware_emu.console.lone_hub import NOUNS, LoneHub
from firmware_emu.console.offers import Offer
from firmware_emu.errors import CommsHubError, NotAvailable
from hil.bench.station import Station
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BlockingBench, Path]]:
    """A bench that warps, with its console's socket."""
    path = tmp_path_factory.mktemp("socket") / "console.sock"
    with Bench.open("simulated", seed=7) as bench:
        bench.hub.form()
        ready = threading.Event()

        async def serve() -> None:
            async with console_socket(bench.handle.core, path):
                ready.set()
                await asyncio.Event().wait()

        served: Future[None] = bench.handle.submit(serve())
        assert ready.wait(PATIENCE_S)
        yield bench, path
        served.cancel()
    assert not path.exists()


@pytest.fixture
def talk(running: tuple[BlockingBench, Path]) -> Iterator[AttachedTalk]:
    talk = AttachedTalk(running[1])
    yield talk
    talk.close()


def test_only_its_owner_may_open_the_socket(running: tuple[BlockingBench, Path]) -> None:
    assert stat.S_IMODE(running[1].stat().st_mode) == 0o600


def test_the_same_words_are_said_and_their_results_come_back(talk: AttachedTalk) -> None:
    results = list(talk.say("hub status; time now"))
    assert results[0]["channel"] == 20
    assert "channel" in results[0].as_text()
    assert results[1].as_json()["values"]["seed"] == 7
    assert talk.name == "simulated@console.sock"
    assert "seed 7" in talk.state()
    assert talk.hint("go ").startswith("go SPAN")


def test_words_are_offered_from_the_hubs_declarations_and_the_prompts_own(talk: AttachedTalk) -> None:
    assert Offer("status", "Tell the network's settings and its members.") in talk.offers("han st", [])
    assert [offer.word for offer in talk.offers("ex", [Offer("exit", "leave")])] == ["explain", "exit"]


def test_a_line_that_cannot_be_read_is_answered_as_here(talk: AttachedTalk) -> None:
    with pytest.raises(WordError, match="read 'fomr', expected a verb of hub"):
        list(talk.say("hub fomr"))
    with pytest.raises(CommsHubError, match="cannot join the network"):
        list(talk.say("ihd join"))


def test_records_are_shown_as_they_come(talk: AttachedTalk) -> None:
    shown: list[str] = []
    come = threading.Event()

    def show(line: Text) -> None:
        shown.append(line.plain)
        come.set()

    talk.watch(show)
    list(talk.say("watch event=powered,unpowered; esme power off; esme power on"))
    assert come.wait(PATIENCE_S)
    assert any("unpowered" in line for line in shown)
    list(talk.say("watch off"))


def test_an_interrupt_ends_what_runs_and_the_hub_goes_on(running: tuple[BlockingBench, Path], talk: AttachedTalk) -> None:
    began = running[0].clock.now()
    main = threading.main_thread().ident
    assert main is not None
    interrupt = threading.Timer(0.5, lambda: signal.pthread_kill(main, signal.SIGINT))
    interrupt.start()
    try:
        with pytest.raises(CommsHubError, match="interrupted; the hub goes on"):
            list(talk.say("until alert within=36000d"))
    finally:
        interrupt.cancel()
    assert running[0].clock.now() > began
    assert next(talk.say("hub status"))["channel"] == 20


def test_octets_that_are_no_console_are_left_alone(running: tuple[BlockingBench, Path], talk: AttachedTalk) -> None:
    for octets in (b"\xff\xfe\n", b"[]\n", b'{"say": "hub status"}\n', b'{"id": "x"}\n', b"{\n"):
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(running[1]))
            other.sendall(octets)
            other.settimeout(5)
            assert other.recv(100) == b""
    assert next(talk.say("hub status")).ok


def test_scripts_attach_too(running: tuple[BlockingBench, Path]) -> None:
    done = CliRunner().invoke(chub, ["console", "--attach", str(running[1]), "-c", "hub status", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["values"]["channel"] == 20
    assert CliRunner().invoke(chub, ["console", "--attach", str(running[1]), "-c", "hub fomr"]).exit_code == 2


def test_a_hub_that_is_not_there_is_said_with_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="start one with `chub run home`"):
        AttachedTalk(tmp_path / "console.sock")


def test_a_path_that_is_too_long_for_a_socket_becomes_a_short_one(tmp_path: Path) -> None:
    assert socket_in(tmp_path / ("x" * 100)).name == "console.sock"
    assert len(str(socket_in(tmp_path.joinpath(*["x" * 20] * 5)))) < 100


def test_a_home_opens_its_console_and_a_hub_that_goes_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "run", "home", "--wan", "127.0.0.1:9", "--state", "home"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as home:
        assert home.stdout is not None
        ready = next(line for line in home.stdout if "console=" in line)
        talk = AttachedTalk(tmp_path / ready.partition("console=")[2].strip())
        try:
            gone = threading.Event()
            talk.watch(lambda line: gone.set() if "the hub is gone" in line.plain else None)
            assert next(talk.say("jig status"))["Device present"]
            assert next(talk.say("fault list")).ok
            with pytest.raises(WordError, match="expected a noun"):
                list(talk.say("dcc list"))
            with pytest.raises(CommsHubError, match="the DCC is in another process"):
                list(talk.say("esme add"))
            home.send_signal(signal.SIGINT)
            assert gone.wait(PATIENCE_S)
            with pytest.raises(CommsHubError, match="the hub is gone"):
                list(talk.say("hub status"))
            assert "the hub is gone" in talk.state()
        finally:
            talk.close()
        assert home.wait(PATIENCE_S) == 0


def test_a_hub_alone_has_the_firmwares_nouns_and_answers_for_itself(running: tuple[BlockingBench, Path]) -> None:
    bench = running[0]

    async def ask(station: Station) -> list[str]:
        assert station.hub is not None
        alone = LoneHub(station.hub, station.folder, station.keystore, station.clock)
        core = Core(station.board, station.clock, station.trace, 7, alone, bench.handle.core.records, kinds=NOUNS)
        with pytest.raises(WordError, match="expected a noun"):
            core.parse("esme add")
        lines = ("hub form", "hub status", "hub log", "han status", "wan wait", "wan status", "trace show 3", "why", "help han")
        said = [(await core.say(line)).said for line in lines]
        assert set(alone.han_keys()) == {"network"}
        with core.running(), pytest.raises(NotAvailable, match="it did not happen within 1 s"):
            await alone.until("the impossible", lambda: False, 1)
        return said

    said = bench.call(ask)
    assert said[0] == "HAN formed on channel 20"
    assert said[5] == "connected"
