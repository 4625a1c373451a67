"""The journey of the demo from DUIS XML files: a home in one process, `chub dcc send FILE.xml` in others, as a user types them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.ids import Eui64
from hil.commands.dcc.dcc import dcc
from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
ESME, GSME, PPMID, IHD = "02-E5-3E-00-00-00-00-01", "02-65-3E-00-00-00-00-01", "02-99-1D-00-00-00-00-01", "02-1D-D0-00-00-00-00-01"
CHF, GPF = "02-C4-B0-00-00-00-00-01", "02-C4-B0-00-00-00-00-02"
NAMES = ("esme", "gsme", "ppmid", "ihd")


@dataclass
class Bench:
    """A folder with a store and request files, and a home that runs."""

    folder: Path
    port: int
    home: subprocess.Popen[str]
    files: int = 0

    def chub(self, *arguments: str, exit_code: int = 0) -> str:
        assert self.home.poll() is None, (self.folder / "home.err").read_text(encoding="utf-8")[-1500:]
        done = subprocess.run([*CHUB, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == exit_code, f"{arguments}: {done.stdout[-1500:]} {done.stderr[-1500:]}"
        return done.stdout

    def here(self, *arguments: str) -> str:
        """``chub dcc`` in this process, for its speed: what touches the store alone."""
        done = CliRunner().invoke(dcc, [*arguments, "--store", str(self.folder / "dcc.sqlite")], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def request(self, variant: str, *arguments: str) -> str:
        """Write one request file; returns its name."""
        made = self.here("request", variant, *arguments, "--board", "simulated")
        self.files += 1
        name = f"{self.files:02d}_{variant}.xml"
        (self.folder / name).write_text(made, encoding="utf-8")
        return name

    def send(self, *files: str, exit_code: int = 0) -> list[dict[str, object]]:
        """``chub dcc send FILE.xml...`` to this home."""
        read = json.loads(self.chub("dcc", "send", *files, *self._common(), "--wait", "30", "--json", exit_code=exit_code))
        return read if isinstance(read, list) else [read]

    def listen(self, *statuses: str) -> None:
        self.chub("dcc", "listen", *self._common(), "--for", "40", *(word for status in statuses for word in ("--until", status)))

    def _common(self) -> tuple[str, ...]:
        return ("--board", "simulated", "--store", "dcc.sqlite", "--listen", f"127.0.0.1:{self.port}")

    def inventory(self) -> dict[str, dict[str, object]]:
        return {row["eui"]: row for row in json.loads(self.here("inventory", "--json"))}

    def told(self) -> list[dict[str, object]]:
        """Records of the home's trace."""
        return [json.loads(line) for line in (self.folder / "home.jsonl").read_text(encoding="utf-8").splitlines()]


def _plain(eui: str) -> str:
    """As store and trace write it."""
    return str(Eui64.parse(eui))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _home(folder: Path, port: int) -> Iterator[Bench]:
    arguments = [*CHUB, "run", "home", "--wan", f"127.0.0.1:{port}", "--state", "state", "--trace", "home.jsonl", "--json"]
    with (folder / "home.out").open("w") as out, (folder / "home.err").open("w") as err:
        home = subprocess.Popen(arguments, cwd=folder, stdout=out, stderr=err, text=True)
        try:
            yield Bench(folder, port, home)
        finally:
            if home.poll() is None:
                home.kill()
            home.wait()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Everything up to the joined and commissioned home: 12.2 and 8.11 for each Device, 8.1.1 for both meters, the four joins."""
    folder = tmp_path_factory.mktemp("from-xml")
    with _home(folder, _free_port()) as bench:
        bench.here("prepare", "--board", "simulated")
        listed = [bench.request("12.2", "--device", name) for name in NAMES]
        listed += [bench.request("8.11", "chf", "--device", name) for name in NAMES]
        began = f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S.00Z}"
        interval = json.dumps({"CurrentDateTime": began, "TolerancePeriod": 3600})
        clocks = [bench.request("8.1.1", name, "--body", interval) for name in ("esme", "gsme")]
        pairs = (("8.7.1", "esme", PPMID), ("8.7.1", "ppmid", ESME), ("8.7.2", "gsme", GPF), ("8.7.2", "gpf", GSME), ("8.7.2", "esme", IHD))
        joins = [bench.request(variant, name, "--body", json.dumps({"OtherDeviceID": other})) for variant, name, other in pairs]
        for outcome in bench.send(*listed):
            assert outcome["verdict"] == "success", outcome["why"]
        bench.listen(*(f"{name}=InstalledNotCommissioned" for name in NAMES))
        for outcome in bench.send(*clocks, *joins):
            assert outcome["verdict"] == "success", outcome["why"]
        yield bench


def _opened(fields: object) -> Iterator[dict[str, object]]:
    """Every field of a parsed message that the user's key decrypted, in order."""
    if isinstance(fields, list):
        for field in fields:
            yield from _opened(field)
    elif isinstance(fields, dict):
        for part in ("content", "items"):
            yield from _opened(fields.get(part))
        for field in fields.get("decrypted", ()):
            yield from _fields(field)


def _fields(field: dict[str, object]) -> Iterator[dict[str, object]]:
    yield field
    for child in field.get("items", ()):  # type: ignore[attr-defined]
        yield from _fields(child)


def _shown(bench: Bench, meter: str, value: str) -> list[Any]:
    """Values that the meter's own display showed, oldest first."""
    records = [record for record in bench.told() if record["event"] == "display" and str(record["source"]).startswith(meter)]
    return [record["detail"][value] for record in records]  # type: ignore[index]


@pytest.mark.requirement("SHP-01")
@pytest.mark.requirement("CH-31")
@pytest.mark.requirement("SVC-8.1")
@pytest.mark.requirement("SVC-8.11")
def test_requests_from_files_bring_every_device_to_its_status(bench: Bench) -> None:
    inventory = bench.inventory()
    assert {eui: row["status"] for eui, row in inventory.items()} == {
        _plain(eui): "InstalledNotCommissioned" if eui == IHD else "Commissioned" for eui in (ESME, GSME, PPMID, IHD, CHF, GPF)
    }
    assert {row["hub"] for row in inventory.values()} == {_plain(CHF)}


@pytest.mark.requirement("SVC-8.7-T1")
@pytest.mark.requirement("SVC-8.7-T2")
def test_joins_by_method_a_and_b_were_executed_by_every_device_named(bench: Bench) -> None:
    paired = {(str(record["source"]).split()[0], record["target"]) for record in bench.told() if record["event"] == "paired"}
    assert paired >= {("esme", _plain(PPMID)), ("ppmid", _plain(ESME)), ("gsme", _plain(GPF)), ("gpf", _plain(GSME)), ("esme", _plain(IHD))}


@pytest.mark.requirement("SVC-4.1")
@pytest.mark.requirement("GPF-09")
@pytest.mark.requirement("GPF-12")
@pytest.mark.requirement("CH-15")
@pytest.mark.requirement("SVC-8.9")
@pytest.mark.requirement("GW-15")
@pytest.mark.requirement("GW-17")
def test_reads_and_a_critical_command_from_files_are_answered_with_the_meters_own_values(bench: Bench) -> None:
    files = [bench.request(variant, name) for variant, name in (("4.1.1", "esme"), ("4.1.1", "gpf"), ("8.9", "chf"), ("7.2", "esme"))]
    read, proxy, log, opened = bench.send(*files)
    assert [outcome["verdict"] for outcome in (read, proxy, log, opened)] == ["success"] * 4
    values = [str(field.get("value", "")) for field in _opened(read["parsed"])]
    registers = [int(value.split()[1]) for value in values if value.startswith("double-long-unsigned")]
    assert registers[0] in _shown(bench, "esme", "import_wh")
    rows = {
        field["items"][0]["value"]: field["items"][2]["value"]  # type: ignore[index]
        for field in _opened(proxy["parsed"])
        if str(field["field"]).startswith("attributes ")
    }
    shown = _shown(bench, "gsme", "register")  # as it fell asleep: what it told the proxy a moment before may lie between two
    assert shown[0] <= int(rows["0000"]) <= shown[-1]
    assert all(_plain(eui) in json.dumps(log["parsed"]) for eui in (ESME, GSME, PPMID, IHD))
    assert [message["name"] for message in opened["messages"]] == [  # type: ignore[attr-defined]
        "pre-command",
        "signed pre-command",
        "command",
        "response",
    ]
    assert _shown(bench, "esme", "load_switch")[-1] == "disabled"


@pytest.mark.requirement("SVC-8.11")
def test_a_removed_device_leaves_and_a_file_that_was_sent_before_is_refused_and_ends_the_row(bench: Bench) -> None:
    remove = bench.request("8.11", "chf", "--body", json.dumps({"DeviceID": IHD, "RequestType": "Remove"}))
    (removed,) = bench.send(remove)
    assert removed["verdict"] == "success", removed["why"]
    assert bench.inventory()[_plain(IHD)]["status"] == "Pending"
    (again,) = bench.send(remove, bench.request("7.4", "esme"), exit_code=1)
    assert "CK-8 duplicate" in str(again["why"])
    assert "next originator counter" in str(again["why"])


def test_ctrl_c_switches_the_supply_off_and_ends_the_home_well(bench: Bench) -> None:
    bench.home.send_signal(signal.SIGINT)
    assert bench.home.wait(timeout=PATIENCE_S) == 0, (bench.folder / "home.err").read_text(encoding="utf-8")[-1500:]
    printed = [json.loads(line) for line in (bench.folder / "home.out").read_text(encoding="utf-8").splitlines()]
    assert printed[0]["event"] == "ready"
    assert ("hub", "supply off") in [(line["source"], line["event"]) for line in printed]
    assert (bench.folder / "home.err").read_text(encoding="utf-8") == ""
    assert (bench.folder / "state" / "hub.sqlite").is_file()
