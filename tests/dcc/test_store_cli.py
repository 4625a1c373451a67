"""chub dcc requests, schedules, firmware, quarantine, device-log, connections and users, on a store that a DCC has written."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from hil.commands.dcc.dcc import dcc
from hil.dcc.base.results import Verdict
from hil.dcc.base.store import DccStore
from hil.dcc.gateway.quarantine import Quarantine
from tests.dcc.far_end import CHF, ESME, GPF, NETWORK, SUPPLIER, FarEnd
from tests.dcc.messages import backup, create, send


@pytest.fixture(autouse=True)
def _stores_in_postgresql() -> None:
    """Not here, whatever was asked for: the store of these tests is made once, in a file."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, keystore: Keystore) -> Path:
    """A DCC that holds a request, another that waits for it, two schedules, a quarantined request, a log and a connection."""
    path = tmp_path_factory.mktemp("store") / "dcc.sqlite"
    far_end = FarEnd(keystore, Clock(start=datetime(2026, 1, 5, 12, tzinfo=UTC), warp=True), path)

    async def scenario() -> None:
        await far_end.in_service()
        far_end.home.say(backup(far_end, (ESME, bytes(range(16)))))
        held = far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": far_end.clock.datetime() + timedelta(days=1)})
        waiting = far_end.dcc.request(far_end.supplier, "11.2", ESME, preceding=held.request_id)
        tasks = [asyncio.create_task(far_end.dcc.send(far_end.supplier, one)) for one in (held, waiting)]
        await far_end.clock.sleep(60)
        assert (await create(far_end)).ok
        assert (await create(far_end, "4.10", user=far_end.network)).ok
        far_end.dcc.gateway.suspend(NETWORK, "M8")
        far_end.dcc.gateway.reinstate(NETWORK)
        far_end.dcc.connections.notify(SUPPLIER, "low volume")
        assert (await send(far_end, "8.11", CHF, REMOVAL, command_variant=2)).verdict is Verdict.RETURNED
        assert (await send(far_end, "7.4", command_variant=2)).verdict is Verdict.RETURNED
        far_end.dcc.context.thresholds.agree(SUPPLIER, "7.4", 0, 3600)
        assert (await send(far_end, "7.4")).verdict is Verdict.QUARANTINED
        for task in tasks:
            task.cancel()
        await far_end.close()

    far_end.clock.run(scenario())
    return path


REMOVAL = {"DeviceID": ESME, "RequestType": "Remove"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dcc, list(arguments), env={"COLUMNS": "200"})


def shown(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code in (0, 1), done.output
    return json.loads(done.output)


def test_requests_are_shown_with_what_they_wait_for(store: Path) -> None:
    rows = {row["state"]: row for row in shown("requests", "--store", str(store)) if row["variant"] == "11.2"}
    assert rows["held"]["waits for"] == "2026-01-06 12:00:01"
    assert rows["waiting"]["waits for"] == rows["held"]["request"]
    assert [row["state"] for row in shown("requests", "--store", str(store), "--state", "held")] == ["held"]
    assert shown("requests", "--store", str(store), "--user", str(GPF)) == []
    assert "waits for" in run("requests", "--store", str(store)).output


@pytest.mark.requirement("GW-50")
def test_the_responses_that_users_owe_are_listed_and_the_overdue_marked(store: Path) -> None:
    (row,) = shown("owed", "--store", str(store))
    assert (row["service"], row["device"], row["overdue"]) == ("8.11", str(CHF), True), "a read changes nothing and is not owed"
    assert run("owed", "--store", str(store)).exit_code == 1


def test_schedules_are_shown_with_the_event_that_removed_them(store: Path) -> None:
    assert [row["service"] for row in shown("schedules", "--store", str(store))] == ["4.12.1"]
    every = shown("schedules", str(ESME), "--store", str(store), "--all")
    assert [row["removed"][:7] for row in every] == ["", "SCH-05d"]
    assert shown("schedules", str(CHF), "--store", str(store)) == []


def test_firmware_campaigns_are_shown_with_a_bar_for_each_device(store: Path) -> None:
    assert "nothing" in run("firmware", "--store", str(store)).output
    memory = DccStore(store)
    memory.insert(
        "firmware_targets", request="r", device=str(ESME), chf=str(CHF), state="sending", posted=512, at_hub=512, total=1024, changed=0.0
    )
    memory.close()
    assert [(row["device"], row["at_hub"], row["total"]) for row in shown("firmware", "--store", str(store))] == [(str(ESME), 512, 1024)]
    bar = run("firmware", "r", "--store", str(store)).output
    assert str(ESME) in bar
    assert "0.5/1.0 kB" in bar
    assert "sending" in bar


def test_a_quarantined_message_is_shown_and_discarded_once(store: Path) -> None:
    (row,) = shown("quarantine", "show", "--store", str(store))
    assert (row["direction"], row["state"]) == ("request", "held")
    assert "threshold 0" in row["reason"]
    assert run("quarantine", "discard", str(row["number"]), "--store", str(store)).output == "message 1 is discarded\n"
    memory = DccStore(store)
    assert [one.state for one in Quarantine(memory, lambda: 0.0).messages()] == ["discarded"]
    memory.close()
    again = run("quarantine", "discard", str(row["number"]), "--store", str(store))
    assert again.exception is not None
    assert "no message 1 is held" in str(again.exception)


def test_a_hubs_log_is_compared_with_the_inventory(store: Path) -> None:
    found = shown("device-log", str(CHF), "--store", str(store))
    assert [(version["version"], version["source"], version["devices"]) for version in found["versions"]] == [(1, "CS14", str(ESME))]
    assert found["differences"] == []
    assert run("device-log", str(CHF), "--store", str(store)).exit_code == 0
    memory = DccStore(store)
    memory.insert("associations", device=str(NETWORK), role="chf", other=str(CHF))
    memory.insert("devices", eui=str(NETWORK), type="PPMID", status="Commissioned", since=0.0)
    memory.close()
    differing = run("device-log", str(CHF), "--store", str(store))
    assert differing.exit_code == 1
    assert "add it (8.11) or decommission it (8.3)" in " ".join(differing.output.split())


@pytest.mark.requirement("GW-02")
@pytest.mark.requirement("GW-03")
@pytest.mark.requirement("GW-62")
def test_connections_are_notified_and_shown_with_their_load(store: Path) -> None:
    assert "edition 1" in run("connections", "notify", str(NETWORK), "high volume", "--store", str(store)).output
    rows = shown("connections", "show", "--store", str(store))
    assert [(row["user"], row["means"]) for row in rows] == [(str(SUPPLIER), "low volume"), (str(NETWORK), "high volume")]
    assert {row["means"] for row in shown("connections", "codes")} == {"low volume", "high volume"}
    wrong = run("connections", "notify", str(NETWORK), "pigeon", "--store", str(store))
    assert "expected one of high volume, low volume" in str(wrong.exception)


@pytest.mark.requirement("GW-71")
def test_a_connection_that_carries_more_octets_than_its_code_expects_is_told_by_direction(store: Path) -> None:
    memory = DccStore(store)
    for direction, octets, ago_s in (("in", 5_000_001, 0), ("in", 7, 2 * 86400), ("out", 20_000_000, 0)):
        memory.insert("connection_traffic", connection=1, time=Clock().now() - ago_s, direction=direction, octets=octets)
    memory.close()
    row = shown("connections", "show", "--store", str(store))[0]
    assert (row["messages in"], row["octets in"], row["octets out"]) == (1, 5_000_001, 20_000_000)
    assert row["over"] == "5000001 octets in in a day, 5000000 expected"


@pytest.mark.requirement("GW-46")
def test_a_user_is_suspended_with_its_schedules_and_reinstated(store: Path, keys: Path) -> None:
    rows = shown("users", "--store", str(store), "--keys", str(keys), "--suspend", str(SUPPLIER), "--reason", "M8 vote")
    assert {row["user"]: row["suspended"] for row in rows}[str(SUPPLIER)] == "M8 vote"
    assert shown("schedules", "--store", str(store)) == []
    rows = shown("users", "--store", str(store), "--keys", str(keys), "--reinstate", str(SUPPLIER))
    assert {row["suspended"] for row in rows} == {""}


def test_a_model_goes_onto_the_certified_products_list_and_its_devices_follow_its_status(store: Path) -> None:
    assert run("products", "set", "esme", "AB01", "0000", "0200000a", "--store", str(store)).exit_code == 0
    rows = shown("products", "show", "--store", str(store))
    assert {"type": "ESME", "manufacturer": "AB01", "model": "0000", "firmware": "0200000A", "status": "Active"} in rows
    assert run("products", "set", "esme", "AB01", "0000", "0200000A", "--status", "Withdrawn", "--store", str(store)).exit_code == 0
    assert [row["status"] for row in shown("products", "show", "--store", str(store)) if row["firmware"] == "0200000A"] == ["Withdrawn"]
    assert run("products", "set", "KETTLE", "AB01", "0000", "02000000", "--store", str(store)).exit_code == 2
