"""A DCC for the time of one command: what the store says is due runs while it listens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from hil.bench.far_end import BenchKeys, open_far_end
from hil.dcc.base.requests import RequestState
from tests.dcc.far_end import CHF, ESME, FarEnd


async def test_while_it_listens_a_dcc_does_what_its_store_owes(clock: Clock, tmp_path: Path, keys: Path, keystore: Keystore) -> None:
    path = tmp_path / "dcc.sqlite"
    before = FarEnd(keystore, clock, path)
    await before.in_service()
    dated = before.dcc.request(before.supplier, "11.2", ESME, {"ExecutionDateTime": clock.datetime() + timedelta(hours=2)})
    task = asyncio.create_task(before.dcc.send(before.supplier, dated))
    await clock.sleep(1)
    with before.dcc.store.transaction():
        before.dcc.alerts._outages.lost(CHF, clock.now(), clock.now(), clock.now() + 180)
    task.cancel()
    await before.close()

    async with open_far_end(BenchKeys(keys, keystore), path, clock, before.trace) as end:
        end.add_known_users()
        await clock.sleep(600)
        assert end.dcc.requests.state(str(dated.request_id)) is RequestState.DEFERRED, "no hub can connect yet"
        await end.listen("127.0.0.1", 0)
        await clock.sleep(1)
        assert [one.code for one in end.dcc.alerts.records(CHF)][-1] == "AD1", "an outage that ended its threshold meanwhile is told"
        await clock.sleep(7200)
        assert end.dcc.requests.state(str(dated.request_id)) is RequestState.UNANSWERED, "it was sent at its time, and no hub fetched it"
        assert [one.code for one in end.dcc.alerts.records(ESME)][-1] == "N12"
