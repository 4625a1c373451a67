"""chub dcc send, inventory and alerts, on a store that a DCC has written."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Trace
from firmware_emu.wan.tcp import TcpWanLink
from firmware_emu.wan.tls import files_of
from hil.dcc.service_cli import alerts, inventory, send

from .conftest import CHF, ESME, SUPPLIER, FarEnd, Home
from .test_alerts import alert_of


@pytest.fixture
def store(tmp_path: Path, keystore: Keystore) -> Path:
    """The store of a DCC with a home in service and one alert."""
    path = tmp_path / "dcc.sqlite"
    far_end = FarEnd(keystore, Clock(start=datetime(2026, 1, 5, 12, tzinfo=UTC), warp=True), path)

    async def scenario() -> None:
        await far_end.in_service()
        far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
        await far_end.clock.sleep(1)
        await far_end.close()

    far_end.clock.run(scenario())
    return path


def test_the_inventory_is_listed_with_status_hub_and_enrolment(store: Path) -> None:
    shown = CliRunner().invoke(inventory, ["--store", str(store)])
    assert shown.exit_code == 0
    line = next(line for line in shown.output.splitlines() if line.startswith(str(ESME)))
    assert "Commissioned" in line
    assert f"hub {CHF}" in line
    assert line.endswith("enrolled")
    rows = json.loads(CliRunner().invoke(inventory, [ESME.duis, "--store", str(store), "--json"]).output)
    assert [(row["eui"], row["type"], row["status"]) for row in rows] == [(str(ESME), "ESME", "Commissioned")]


def test_the_audit_tells_every_change(store: Path) -> None:
    shown = CliRunner().invoke(inventory, [str(CHF), "--store", str(store), "--audit"])
    assert [line.split("  ")[2] for line in shown.output.splitlines()] == ["- -> Pending", "Pending -> Commissioned"]


def test_alerts_are_listed_with_their_way(store: Path) -> None:
    rows = json.loads(CliRunner().invoke(alerts, ["--store", str(store), "--json"]).output)
    assert [(row["code"], row["party"], row["state"]) for row in rows] == [("8F3F", str(SUPPLIER), "delivered")]
    assert "8F3F" in CliRunner().invoke(alerts, ["--store", str(store)]).output


def test_a_store_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="name the store"):
        CliRunner().invoke(inventory, ["--store", str(tmp_path / "none.sqlite")], catch_exceptions=False)


def test_a_service_of_the_dcc_itself_is_sent_and_answered(store: Path, keys: Path) -> None:
    asked = [
        "8.2",
        "--store",
        str(store),
        "--keys",
        str(keys),
        "--as",
        str(SUPPLIER),
        "--body",
        json.dumps({"DeviceID": ESME.duis}),
        "--json",
    ]
    sent = CliRunner().invoke(send, asked)
    assert sent.exit_code == 0, sent.output
    answer = json.loads(sent.output)
    assert (answer["verdict"], answer["response_code"]) == ("success", "I0")
    assert {row["eui"] for row in answer["result"]["devices"]} >= {str(ESME), str(CHF)}


def test_a_refused_request_exits_with_1_and_says_why(store: Path, keys: Path) -> None:
    asked = ["8.9", str(ESME), "--store", str(store), "--keys", str(keys), "--as", str(SUPPLIER), "--wait", "0.2"]
    sent = CliRunner().invoke(send, asked)
    assert sent.exit_code == 1
    assert "E11" in sent.output
    assert "Next:" in sent.output


@pytest.mark.parametrize(("option", "value"), [("--listen", "nowhere"), ("--body", "{"), ("--as", "12")])
def test_a_wrong_option_is_a_usage_error(store: Path, keys: Path, option: str, value: str) -> None:
    asked = ["8.2", "--store", str(store), "--keys", str(keys), option, value]
    sent = CliRunner().invoke(send, asked)
    assert sent.exit_code == 2
    assert value in sent.output or "JSON" in sent.output


def test_a_request_reaches_a_hub_over_tls_and_its_answer_is_printed(store: Path, keys: Path, keystore: Keystore) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clock = Clock()
    link = TcpWanLink.client("127.0.0.1", port, files_of(keys / "tls", str(CHF)))
    home = Home(clock, Trace(clock.now), SimpleNamespace(hub=link), keystore)  # type: ignore[arg-type]
    over = threading.Event()

    async def hub() -> None:
        home.connect()
        await asyncio.to_thread(over.wait)
        await home.leave()

    thread = threading.Thread(target=lambda: clock.run(hub()))
    thread.start()
    try:
        asked = [
            "7.3",
            str(ESME),
            "--store",
            str(store),
            "--keys",
            str(keys),
            "--as",
            str(SUPPLIER),
            "--listen",
            f"127.0.0.1:{port}",
            "--wait",
            "30",
        ]
        sent = CliRunner().invoke(send, asked)
    finally:
        over.set()
        thread.join()
    assert sent.exit_code == 0, sent.output
    assert sent.output.splitlines()[1].startswith("success  7.3  I0")
    assert home.answers[ESME].executed == [0x0051]
