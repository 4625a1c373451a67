"""Requests that the DCC holds until their execution time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from hil.dcc.base.requests import RequestState
from hil.dcc.base.results import Verdict
from tests.dcc.far_end import CHF, ESME, SUPPLIER, FarEnd
from tests.dcc.messages import send


async def test_a_future_dated_read_waits_for_its_time_and_its_clock_starts_then(far_end: FarEnd) -> None:
    await far_end.in_service()
    at = far_end.clock.datetime() + timedelta(hours=2)
    began = far_end.clock.now()
    outcome = await send(far_end, "11.2", body={"ExecutionDateTime": at})
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert outcome.started - began == pytest.approx(7200, abs=2)
    assert (outcome.target_s, outcome.within_target) == (86400.0, True)
    assert outcome.legs["held until its execution time"] == pytest.approx(7_200_000, rel=0.01)


async def test_rights_are_asked_again_at_the_execution_time(far_end: FarEnd) -> None:
    await far_end.in_service()
    loop_time = far_end.clock.datetime() + timedelta(hours=2)
    asyncio.get_running_loop().call_later(3600, far_end.dcc.gateway.suspend, SUPPLIER, "M8")
    outcome = await send(far_end, "11.2", body={"ExecutionDateTime": loop_time})
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E3")
    assert far_end.home.received == []


async def test_a_held_request_outlives_the_dcc(clock: Clock, tmp_path: Path, keystore: Keystore) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")

    await far_end.in_service()
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": far_end.clock.datetime() + timedelta(hours=2)})
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(60)
    task.cancel()
    await far_end.dcc.close()
    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    await far_end.clock.sleep(7300)
    assert [(delivery.kind, delivery.request) for delivery in far_end.supplier.inbox] == [("h", str(request.request_id))]
    await far_end.close()


async def test_a_held_request_that_a_new_dcc_fails_at_is_set_aside_by_name_and_the_others_go_on(
    clock: Clock, tmp_path: Path, keystore: Keystore
) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")
    await far_end.in_service()
    later = {"ExecutionDateTime": far_end.clock.datetime() + timedelta(hours=2)}
    poisoned, honest = (far_end.dcc.request(far_end.supplier, "11.2", ESME, later) for _ in range(2))
    tasks = [asyncio.create_task(far_end.dcc.send(far_end.supplier, one)) for one in (poisoned, honest)]
    await far_end.clock.sleep(60)
    for task in tasks:
        task.cancel()
    far_end.dcc.store.execute("UPDATE requests SET xml = ? WHERE request = ?", (b"<poison/>", str(poisoned.request_id)))
    await far_end.dcc.close()
    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    await far_end.clock.sleep(7300)
    assert far_end.dcc.requests.state(str(poisoned.request_id)) is RequestState.REFUSED
    assert [delivery.request for delivery in far_end.supplier.inbox] == [str(honest.request_id)]
    await far_end.close()
