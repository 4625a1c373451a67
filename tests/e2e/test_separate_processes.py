"""A DCC, a home and a user's client in processes of their own: what was asked of the DCC outlives its end, and each is told once."""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import httpx
import pytest
from lxml import etree

from firmware_emu.board import Board, board_folders, load_board
from firmware_emu.crypto import primitives
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.ids import Eui64
from hil.bench import dcc_board as from_board
from hil.bench.far_end import BenchKeys
from hil.dcc.base.profile import profile
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.duis import ServiceRequest, new_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant
from hil.dcc.parties.acb import OriginatorCounters
from hil.dcc.parties.users import User
from hil.devices.base.ota_client import HARDWARE, image_identity
from tests.dcc.service.duis_client import texts
from tests.outside.duis.judges import Inbox, RunningDcc
from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
IMAGE = bytes(range(256)) * 8
NEXT = "02000000"
"""Firmware version of the image."""


@dataclass
class Bench:
    """One electricity meter on a hub, a DCC that may end and come back at the same port, and the supplier's receiving service."""

    folder: Path
    board: Board
    keys: BenchKeys
    inbox: Inbox
    address: str
    port: int
    dcc: RunningDcc | None = None
    home: subprocess.Popen[bytes] | None = None

    @property
    def store(self) -> Path:
        return self.folder / "dcc.sqlite"

    def up(self) -> None:
        options = ["--store", str(self.store), "--hubs", f"127.0.0.1:{self.port}", "--port", "0", "--gap", "0", "--json"]
        command = [*CHUB, "dcc", "up", "--board", str(self.folder / "board.toml"), *options, "--receive"]
        command.append(f"{self.board.parties.supplier}={self.address}")  # the network operator is told too, elsewhere
        program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        self.dcc = RunningDcc(program, json.loads(program.stdout.readline()), self.store)

    def kill(self) -> None:
        """The DCC ends without a chance to put anything in order."""
        assert self.dcc is not None
        self.dcc.program.kill()
        self.dcc.program.wait()

    def chub(self, *words: str) -> str:
        done = subprocess.run([*CHUB, *words], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, f"{words}: {done.stdout} {done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def records(self) -> Iterator[Iterator[str]]:
        """Records of the DCC from now on, a line each."""
        command = [*CHUB, "dcc", "listen", "--board", str(self.folder / "board.toml"), "--store", str(self.store), "--json"]
        listening = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert listening.stdout is not None
        assert "listening" in listening.stdout.readline()
        try:
            yield iter(listening.stdout)
        finally:
            listening.terminate()
            listening.wait()

    def go(self, span: str) -> None:
        self.chub("dcc", "go", span, "--store", str(self.store))

    def now(self) -> datetime:
        return datetime.fromisoformat(json.loads(self.chub("dcc", "go", "0s", "--store", str(self.store), "--json"))["time"])

    def post(self, variant: str, target: Eui64 | None = None, content: dict[str, Content] | None = None) -> str:
        """Post a request of the supplier, signed, and its pre-command where there is one; returns its RequestID."""
        user = User(self.board.parties.supplier, UserRole.IS, self.keys.keystore)
        store = DccStore(self.store, owner=False)
        counter = OriginatorCounters(store, int(profile().first_counter)).next(user.eui64)
        store.close()
        request = new_request(variant, user.eui64, target or self.board.parties.access_control_broker, counter, content or {})
        answer = self._say(user.sign(request))
        if "GBCSPayload" in answer:
            self._say(user.answer(request, base64.b64decode(answer["GBCSPayload"]), CommandVariant.SIGNED_SEND))
        return str(request.request_id)

    def _say(self, request: ServiceRequest) -> dict[str, str]:
        assert self.dcc is not None
        with httpx.Client(timeout=PATIENCE_S) as client:
            answer = texts(etree.fromstring(self.dcc.post(write_request(request), request.command_variant, client).content))
        assert answer["ResponseCode"].startswith("I"), answer
        return answer

    def ask(self, variant: str, target: Eui64, content: dict[str, Content] | None = None) -> None:
        """The same, and wait for its Response."""
        request = self.post(variant, target, content)
        self.until(lambda told: told[request] == 1)

    def told(self) -> Counter[str]:
        """Number of times that each was told: a Response by its RequestID, an alert by its code."""
        return tally(self.inbox.taken)

    def until(self, enough: object) -> None:
        assert callable(enough)
        self.inbox.wait_until(lambda taken: bool(enough(tally(taken))))


def tally(documents: list[bytes]) -> Counter[str]:
    found = (texts(etree.fromstring(one)) for one in documents)
    return Counter(one.get("RequestID") or one.get("AlertCode") or one["DCCAlertCode"] for one in found)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A DCC, a home whose meter is commissioned, and a client at an address that takes what comes."""
    folder = tmp_path_factory.mktemp("processes")
    written = next(one / "simulated.toml" for one in board_folders() if (one / "simulated.toml").exists()).read_text(encoding="utf-8")
    (folder / "board.toml").write_text("[[device]]".join(written.split("[[device]]")[:2]), encoding="utf-8")
    board = load_board(str(folder / "board.toml"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    inbox = Inbox()
    with inbox.listening() as address:
        bench = Bench(folder, board, BenchKeys.of(None, str(folder / "board.toml")), inbox, address, port)
        try:
            bench.up()
            _bring_into_service(bench)
            yield bench
        finally:
            for program in (bench.home, None if bench.dcc is None else bench.dcc.program):
                if program is not None and program.poll() is None:
                    program.send_signal(signal.SIGCONT)
                    program.terminate()
                    program.wait()


def _bring_into_service(bench: Bench) -> None:
    (meter,) = bench.board.device
    words = ["--board", str(bench.folder / "board.toml"), "--wan", f"127.0.0.1:{bench.port}", "--state", str(bench.folder / "home")]
    out = (bench.folder / "home.out").open("wb")
    bench.home = subprocess.Popen([*CHUB, "run", "home", *words], stdout=out, stderr=subprocess.STDOUT)
    bench.post("12.2", content=from_board.notification(meter))
    listen = ["--board", words[1], "--store", str(bench.store), "--for", str(PATIENCE_S)]
    bench.chub("dcc", "listen", *listen, "--until", "chf=Commissioned")
    bench.ask("8.11", bench.board.hub.chf, from_board.addition(meter, 600))
    bench.chub("dcc", "listen", *listen, "--until", "esme=InstalledNotCommissioned")
    bench.ask("8.1.1", meter.eui, {"CurrentDateTime": bench.now() - timedelta(minutes=1), "TolerancePeriod": 3600})


def _image(bench: Bench) -> bytes:
    key = bench.keys.keystore.private_key(bench.board.parties.supplier, KeyUsage.DIGITAL_SIGNATURE)
    maker, kind = image_identity(DeviceType.ESME)
    numbers = (0x0BEEF11E, 0x0100, 60, 4, maker, kind, int(NEXT, 16), 2, bytes(32), 60 + len(IMAGE) + 66, HARDWARE, HARDWARE)
    return struct.pack("<IHHHHHIH32sIHH", *numbers) + IMAGE + b"\x00\x40" + primitives.sign(key, IMAGE)


def test_an_outage_that_was_watched_when_the_dcc_died_is_told_once_when_its_time_is_up(bench: Bench) -> None:
    before = bench.told()
    console = ["console", "--attach", str(bench.folder / "home" / "console.sock"), "-c"]
    with bench.records() as records:
        bench.chub(*console, "jig mains off")
        assert any("power lost" in record for record in records)
    bench.kill()
    bench.up()
    assert bench.told()["AD1"] == 0
    bench.go("10m")
    bench.until(lambda told: told["AD1"] == 1)
    bench.chub(*console, "jig mains on")
    bench.ask("11.2", bench.board.device[0].eui)
    assert (bench.told() - before)["AD1"] == 1


def test_what_waits_outlives_the_death_of_the_dcc_and_each_is_told_once(bench: Bench) -> None:
    (meter,) = bench.board.device
    assert bench.home is not None
    before = bench.told()
    campaign: dict[str, Content] = {"FirmwareImage": _image(bench), "FirmwareVersion": NEXT, "DeviceIDList": meter.eui.duis}
    bench.chub("dcc", "products", "set", "ESME", meter.manufacturer, meter.model, NEXT, "--store", str(bench.store))
    dated = bench.post("11.2", meter.eui, {"ExecutionDateTime": bench.now() + timedelta(hours=2)})
    bench.home.send_signal(signal.SIGSTOP)  # the hub takes nothing of the image before the DCC dies
    bench.post("11.1", content=campaign)
    bench.kill()
    bench.home.send_signal(signal.SIGCONT)
    bench.up()
    bench.until(lambda told: told["8F72"] == 1)
    bench.inbox.status = 503
    bench.go("3h")
    assert bench.told()[dated] == 0
    bench.inbox.status = 204
    bench.go("2m")
    bench.until(lambda told: told[dated] == 1)
    assert dict(bench.told() - before) == {"8F72": 1, dated: 1}


def test_a_schedule_runs_three_times_in_three_days_and_each_run_is_told_once(bench: Bench) -> None:
    before = bench.told()
    content: dict[str, Content] = {
        "ScheduleFrequency": "Daily",
        "ScheduleStartDate": date.today() + timedelta(days=1),
        "ScheduleExecutionStartTime": time(18, 0),
        "DSPScheduledServiceReference": "4.12",
        "DSPScheduledServiceReferenceVariant": "4.12.1",
        "DeviceID": bench.board.device[0].eui,
        "DSPReadMaximumDemandImportRegisters": {},
    }
    bench.post("5.1", content=content)
    now = bench.now()
    end = datetime.combine(date.today() + timedelta(days=4), time(0), tzinfo=UTC)
    bench.go(f"{(end - now).total_seconds():.0f}s")
    bench.until(lambda told: len(told - before) == 3)
    assert list((bench.told() - before).values()) == [1, 1, 1]
