"""A hub that ends by itself says so and why; what it failed at is set aside; times outside the rule are refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.console.commands.hub import hub as hub_commands
from firmware_emu.errors import HubFault, StoreTrouble
from firmware_emu.han.base import HanEvent, HanEventKind
from firmware_emu.hub.hub import faults_outlived, frames_set_aside, last_failure
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.hub.power import PowerEvent
from firmware_emu.hub.profile import standard_profile
from firmware_emu.hub.routing import Router
from firmware_emu.hub.running import RunningHub
from firmware_emu.wan.base import WanKind
from tests.hub.hub_bench import Bench

SECRET = "00112233445566778899aabbccddeeff"


async def test_a_frame_that_the_hub_fails_at_is_set_aside_and_named_and_the_next_one_is_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []

    def take(self: Router, message: bytes) -> None:
        if message == b"poison":
            raise KeyError(SECRET)
        taken.append(message)

    monkeypatch.setattr(Router, "from_wan", take)

    bench.dcc.post(WanKind.MESSAGE, b"poison")
    bench.dcc.post(WanKind.MESSAGE, b"honest")
    await bench.wait_for(lambda: b"honest" in taken)
    assert [(one.body, one.kind) for one in bench.hub.status.set_aside] == [(b"poison", WanKind.MESSAGE)]
    told = next(record for record in bench.records if record.event == "set aside")
    assert "KeyError at" in str(told.detail["reason"])
    assert SECRET not in str(told.detail)
    await bench.clock.sleep(1)
    assert bench.dcc.waiting() == ()
    assert [one.body for one in frames_set_aside(bench.store)] == [b"poison"]


@pytest.mark.parametrize("utc", [0, 1, 86400, (1 << 32) - 4, (1 << 32) - 1, 3_155_760_000])
async def test_a_time_of_2000_or_2100_or_the_end_of_its_32_bits_is_refused_and_the_hub_lives_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, utc: int
) -> None:
    running = bench.hub._running
    assert running is not None
    before = running.time.now()
    running._told_the_time(utc)
    running._told_the_time(utc)  # a jump inside the rule would be taken now
    await bench.clock.sleep(10)
    assert running.time.now() - before == pytest.approx(10)
    assert any("the WAN provider tells" in str(record.detail.get("reason")) for record in bench.records)


@pytest.mark.parametrize("jump", [-10 * 366 * 86400, -86402, 86402, 12 * 366 * 86400, 60 * 366 * 86400])
async def test_a_time_that_jumps_is_taken_when_it_is_told_again_and_no_other_one(bench: Bench, jump: int) -> None:
    running = bench.hub._running
    assert running is not None
    before = running.time.now()
    running._told_the_time(int(before) + jump)
    running._told_the_time(int(before))  # the provider has its time again: what it said before counts no more
    running._told_the_time(int(before) + jump)
    other = int(before) + jump + (3600 if jump > 0 else -3600)
    running._told_the_time(other)
    assert running.time.now() == pytest.approx(before, abs=1)
    running._told_the_time(other)
    assert running.time.now() == pytest.approx(other, abs=1)


@pytest.mark.parametrize("jump", [-86000, -3600, 30, 3600, 86000])
async def test_a_time_within_a_day_of_the_hubs_own_is_taken_at_once(bench: Bench, jump: int) -> None:
    running = bench.hub._running
    assert running is not None
    before = running.time.now()
    running._told_the_time(int(before) + jump)
    assert running.time.now() == pytest.approx(before + jump, abs=1)


async def test_a_time_of_2038_is_inside_the_rule_and_taken_when_it_is_told_again(bench: Bench) -> None:
    running = bench.hub._running
    assert running is not None
    before = running.time.now()
    running._told_the_time(1_200_798_847)
    assert running.time.now() == pytest.approx(before, abs=1)
    await bench.clock.sleep(5)
    running._told_the_time(1_200_798_852)
    assert running.time.now() == pytest.approx(1_200_798_852, abs=1)
    profile = standard_profile()
    assert profile.latest_time + 20 * 366 * 86400 < 1 << 32


async def test_a_fault_of_the_hubs_own_is_told_kept_and_raised_by_name(bench_without_power: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: RunningHub) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(RunningHub, "_stay_alive", fails)

    bench = bench_without_power
    with pytest.raises(HubFault, match="ZeroDivisionError at"):
        await bench.hub.run()
    failure = last_failure(bench.store)
    assert failure is not None
    assert "ZeroDivisionError at" in failure.reason
    assert SECRET not in failure.reason
    assert [record for record in bench.records if (record.area, record.event) == ("hub", "failed")]


async def test_a_store_that_takes_nothing_when_the_mains_goes_ends_the_hub_and_not_who_tells_of_the_supply(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = StoreTrouble("the hub's store", "disk I/O error: make room")

    def full() -> None:
        raise trouble

    monkeypatch.setattr(bench.store, "transaction", full)
    bench.hub.power_event(PowerEvent.AC_LOST)
    with pytest.raises(StoreTrouble, match="make room") as told:
        await bench.task
    assert told.value is trouble
    failure = last_failure(bench.store)
    assert failure is not None
    assert failure.reason == str(trouble)
    bench.hub.power_event(PowerEvent.AC_RESTORED)


def test_hub_status_is_a_command_that_tells_what_is_in_the_memory(tmp_path: Path) -> None:
    nvm = tmp_path / "hub.sqlite"
    store = SqliteStore(nvm)
    done = CliRunner().invoke(hub_commands, ["status", "--nvm", str(nvm)])
    assert done.exit_code == 0
    assert "runs on it" in done.output
    store.put(
        "hub/failure", json.dumps({"time": 820_454_400, "reason": "the hub ended by a fault of its own: KeyError at x.py:1"}).encode()
    )
    store.put("wan/dcc/aside/00000000000000000007", bytes([WanKind.MESSAGE]) + b"KeyError at y.py:2\0" + b"poison")
    store.close()
    done = CliRunner().invoke(hub_commands, ["status", "--nvm", str(nvm), "--json"])
    assert done.exit_code == 1
    shown = json.loads(done.output)
    assert shown["running"] is None
    assert shown["failure"]["reason"].endswith("x.py:1")
    assert shown["set_aside"] == [{"sequence": 7, "kind": "message", "reason": "KeyError at y.py:2"}]
    assert "set aside: message frame 7, 6 octets" in CliRunner().invoke(hub_commands, ["status", "--nvm", str(nvm)]).output


async def test_a_fault_that_the_hub_outlives_is_kept_with_the_latest_others(bench: Bench) -> None:
    running = bench.hub._running
    assert running is not None
    assert running.zcl.on_fault is not None
    for number in range(25):
        running.zcl.on_fault(f"a frame was let go of by a fault of its own: number {number}")
    assert [one.reason[-2:].strip() for one in bench.hub.status.faults] == [str(number) for number in range(5, 25)]
    assert faults_outlived(bench.store) == bench.hub.status.faults


async def test_a_radio_whose_own_task_died_ends_the_hub_by_name(bench_without_power: Bench) -> None:
    bench = bench_without_power
    life = asyncio.ensure_future(bench.hub.run())
    await bench.wait_for(lambda: bench.hub.status.network is not None)
    running = bench.hub._running
    assert running is not None
    running._on_radio(HanEvent(HanEventKind.FAILED, running.config.gpf, "a task of the radio ended"))
    with pytest.raises(HubFault, match="deaf: a task of the radio ended"):
        await life
    failure = last_failure(bench.store)
    assert failure is not None
    assert "deaf" in failure.reason


def test_hub_status_tells_faults_that_the_hub_outlived(tmp_path: Path) -> None:
    nvm = tmp_path / "hub.sqlite"
    store = SqliteStore(nvm)
    store.put("hub/fault/0000000001", json.dumps({"time": 820_454_400, "reason": "a frame was let go of"}).encode())
    store.close()
    done = CliRunner().invoke(hub_commands, ["status", "--nvm", str(nvm)])
    assert done.exit_code == 1
    assert "outlived: 2025-12-31 00:00:00 a frame was let go of" in done.output
    assert json.loads(CliRunner().invoke(hub_commands, ["status", "--nvm", str(nvm), "--json"]).output)["faults"][0]["time"] == 820_454_400
