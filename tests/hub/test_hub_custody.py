"""The hub at a dongle that is not its own: refused in one sentence and untouched; its own network brought to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.console.commands.dongle import move
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import NotAvailable
from firmware_emu.han.custody import Custody
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from tests.hub.custody_bench import STRANGER, CustodyBench
from tests.hub.hub_bench import ESME, GPF

NEXT_DONGLE = Eui64.parse("00db1234567890c7")


@pytest.fixture
async def bench(family: str, hub_keystore: Keystore, clock: Clock, tmp_path: Path) -> AsyncIterator[CustodyBench]:
    bench = CustodyBench(hub_keystore, clock)
    bench.family = family
    async with bench.running(powered=False):
        bench.air = Air(clock, seed=7)
        bench.store = SqliteStore(tmp_path / "nvm")
        yield bench


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_row_2_a_strangers_network_is_refused_saved_and_left_untouched(family: str, bench: CustodyBench, tmp_path: Path) -> None:
    dongle = await bench.with_strangers_network(tmp_path)
    await bench.plug(dongle, tmp_path)
    with pytest.raises(NotAvailable) as refused:
        await bench.power_on()
    said = str(refused.value)
    assert "it holds the network dddddddddddddddd on PAN 1A62, channel 11" in said
    assert "--take-over" in said
    assert "--restore" in said
    assert len(said.splitlines()) == 1
    assert len(list((tmp_path / "backups").glob("*.json"))) == 1
    tokens = dongle.ncp.stack.tokens
    assert (tokens.pan, tokens.extended_pan, tokens.network_key) == (0x1A62, STRANGER.extended_pan_id, STRANGER.network_key)
    assert not dongle.ncp.stack.running
    await dongle.close()


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_strangers_network_is_taken_over_when_told_to_after_a_backup(family: str, bench: CustodyBench, tmp_path: Path) -> None:
    dongle = await bench.with_strangers_network(tmp_path)
    await bench.plug(dongle, tmp_path)
    bench.config = replace(bench.config, custody=Custody.TAKE_OVER)
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.network, 60)
    assert dongle.ncp.stack.tokens.extended_pan == GPF
    assert len(list((tmp_path / "backups").glob("*dddddddddddddddd*.json"))) == 1
    await bench.cut()
    await dongle.close()


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_row_3_a_network_moved_to_another_dongle_runs_on_there_with_its_devices_joined(
    family: str, bench: CustodyBench, tmp_path: Path
) -> None:
    first, esme = await bench.with_a_meter(tmp_path)
    await bench.cut()
    await first.close()

    second = bench.dongle(NEXT_DONGLE)
    first.power(True)
    radios = [bench.host(str(await dongle.serve_pty()), tmp_path) for dongle in (first, second)]
    told = await move(*radios)
    assert told["dongle"] == str(GPF)
    assert told["same_eui"]
    assert not second.ncp.stack.running
    await first.close()
    await second.close()

    second.power(True)
    await bench.plug(second, tmp_path)
    joins = bench.joins()
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,), 1800)
    assert bench.joins() == joins
    await bench.cut()
    await esme.stop()
    await second.close()


@pytest.mark.parametrize("family", ["ezsp", "znp"])
async def test_a_swapped_dongle_is_refused_and_after_restore_its_devices_are_still_joined(
    family: str, bench: CustodyBench, tmp_path: Path
) -> None:
    first, esme = await bench.with_a_meter(tmp_path)
    before = first.ncp.stack.tokens.network_key
    await bench.cut()
    await first.close()

    second = bench.dongle(NEXT_DONGLE)
    await bench.plug(second, tmp_path)
    with pytest.raises(NotAvailable, match=f"it is the dongle {NEXT_DONGLE}, and this hub's network was on {GPF}"):
        await bench.power_on()
    assert second.ncp.stack.tokens.network_key is None
    bench.config = replace(bench.config, custody=Custody.RESTORE)
    await bench.plug(second, tmp_path)
    joins = bench.joins()
    await bench.power_on()
    await bench.wait_for(lambda: bench.hub.status.tunnels == (ESME,), 1800)
    assert second.eui64 == GPF
    assert second.ncp.stack.tokens.network_key == before
    assert bench.joins() == joins
    await bench.cut()
    await esme.stop()
    await second.close()
    await asyncio.sleep(0)
