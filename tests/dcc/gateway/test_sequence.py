"""Requests that wait for another one: released by its success, refused by its failure, cancelled by their user."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.dlms import AccessResult
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.duis import RequestId, ServiceRequest
from hil.dcc.duis.request import CANCELLATION
from tests.dcc.far_end import CHF, ESME, SUPPLIER, FarEnd
from tests.dcc.messages import send


def pair(far_end: FarEnd, first: str = "7.3", then: str = "11.2") -> tuple[ServiceRequest, ServiceRequest]:
    """Two requests to the meter, the second of which waits for the first."""
    one = far_end.dcc.request(far_end.supplier, first, ESME)
    return one, far_end.dcc.request(far_end.supplier, then, ESME, preceding=one.request_id)


def started(work: Awaitable[Outcome]) -> asyncio.Future[Outcome]:
    return asyncio.ensure_future(work)


@pytest.mark.requirement("GW-47")
async def test_a_request_waits_for_its_predecessor_and_its_clock_starts_when_it_is_released(far_end: FarEnd) -> None:
    await far_end.in_service()
    one, two = pair(far_end)
    second = started(far_end.dcc.send(far_end.supplier, two))
    await far_end.clock.sleep(600)
    assert far_end.home.received == []
    assert not second.done()
    first = await far_end.dcc.send(far_end.supplier, one)
    outcome = await second
    assert (first.verdict, outcome.verdict) == (Verdict.SUCCESS, Verdict.SUCCESS), outcome.why
    assert len(far_end.home.received) == 2
    assert outcome.started >= first.finished
    assert outcome.within_target is True


@pytest.mark.requirement("GW-47")
async def test_a_request_whose_predecessor_failed_is_refused_and_never_runs(far_end: FarEnd) -> None:
    await far_end.in_service()
    one, two = pair(far_end)
    far_end.home.answers[ESME].result = AccessResult.READ_WRITE_DENIED
    second = started(far_end.dcc.send(far_end.supplier, two))
    assert (await far_end.dcc.send(far_end.supplier, one)).verdict is Verdict.FAILED
    outcome = await second
    assert outcome.refusal is not None
    assert outcome.refusal.check == "sequence"
    assert "READ_WRITE_DENIED" in outcome.why
    assert "send 7.3 again" in outcome.refusal.next_step
    assert len(far_end.home.received) == 1


async def test_a_refused_predecessor_and_one_that_never_comes_refuse_the_request_too(far_end: FarEnd) -> None:
    await far_end.in_service()
    one, two = pair(far_end)
    second = started(far_end.dcc.send(far_end.supplier, two))
    await far_end.clock.sleep(1)
    assert (await far_end.dcc.send(far_end.network, one)).verdict is Verdict.REFUSED  # signed by somebody else
    await far_end.clock.sleep(1)
    assert not second.done()  # a forged predecessor is none
    outcome = await second
    assert "never received" in outcome.why
    assert outcome.finished - outcome.started <= 1
    assert far_end.home.received == []


async def test_a_circle_and_a_strangers_request_are_refused_at_once(far_end: FarEnd) -> None:
    await far_end.in_service()
    later = RequestId(SUPPLIER, ESME, 5000)
    waiting = far_end.dcc.request(far_end.supplier, "11.2", ESME, preceding=later)
    task = started(far_end.dcc.send(far_end.supplier, waiting))
    await far_end.clock.sleep(1)
    far_end.dcc.counters.saw(SUPPLIER, 4999)
    closing = far_end.dcc.request(far_end.supplier, "11.2", ESME, preceding=waiting.request_id)
    assert closing.request_id == later
    outcome = await far_end.dcc.send(far_end.supplier, closing)
    assert "neither would ever run" in outcome.why
    own = far_end.dcc.request(far_end.supplier, "11.2", ESME, preceding=RequestId(SUPPLIER, ESME, 5001))
    assert "it is this request itself" in (await far_end.dcc.send(far_end.supplier, own)).why
    strange = far_end.dcc.request(far_end.network, "11.2", ESME, preceding=waiting.request_id)
    assert f"it is a request of {SUPPLIER}" in (await far_end.dcc.send(far_end.network, strange)).why
    task.cancel()


async def test_a_service_of_the_dcc_waits_for_its_predecessor_as_well(far_end: FarEnd) -> None:
    await far_end.in_service()
    one = far_end.dcc.request(far_end.supplier, "7.3", ESME)
    look = far_end.dcc.request(far_end.supplier, "8.2", None, {"DeviceID": ESME}, preceding=one.request_id)
    second = started(far_end.dcc.send(far_end.supplier, look))
    await far_end.clock.sleep(5)
    assert not second.done()
    await far_end.dcc.send(far_end.supplier, one)
    assert (await second).result["devices"]


@pytest.mark.requirement("GW-63")
async def test_a_user_cancels_what_the_dcc_holds_and_its_sender_is_told(far_end: FarEnd) -> None:
    await far_end.in_service()
    held = far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": far_end.clock.datetime() + timedelta(days=1)})
    first = started(far_end.dcc.send(far_end.supplier, held))
    follower = far_end.dcc.request(far_end.supplier, "11.2", ESME, preceding=held.request_id)
    second = started(far_end.dcc.send(far_end.supplier, follower))
    await far_end.clock.sleep(60)
    assert not far_end.dcc.cancel(far_end.network, held.request_id)  # not its own
    assert far_end.dcc.cancel(far_end.supplier, held.request_id)
    outcome, after = await first, await second
    assert outcome.refusal is not None
    assert outcome.refusal.check == "cancellation"
    assert "ended without success: cancelled" in after.why
    assert far_end.home.received == []


@pytest.mark.requirement("GW-63")
async def test_a_request_that_waits_for_another_can_be_cancelled_too(far_end: FarEnd) -> None:
    await far_end.in_service()
    one, two = pair(far_end)
    second = started(far_end.dcc.send(far_end.supplier, two))
    await far_end.clock.sleep(60)
    assert far_end.dcc.cancel(far_end.supplier, two.request_id)
    await far_end.clock.sleep(1)
    assert second.done()
    assert "was cancelled by its user" in (await second).why
    assert (await far_end.dcc.send(far_end.supplier, one)).ok
    assert len(far_end.home.received) == 1


@pytest.mark.requirement("GW-63")
async def test_the_date_that_stands_for_never_cancels_what_is_held_of_the_same_service_for_the_same_device(far_end: FarEnd) -> None:
    await far_end.in_service()
    at = far_end.clock.datetime() + timedelta(days=1)
    first = started(send(far_end, "11.2", body={"ExecutionDateTime": at}))
    await far_end.clock.sleep(60)
    never = {"ExecutionDateTime": CANCELLATION}
    done = await send(far_end, "11.2", body=never)
    assert (done.verdict, done.result["cancelled"]) == (Verdict.SUCCESS, [(await first).request]), done.why
    again = await send(far_end, "11.2", body=never)
    assert "nothing of this user waits there" in again.why


async def test_a_request_that_waits_outlives_the_dcc(clock: Clock, tmp_path: Path, keystore: Keystore) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")

    await far_end.in_service()
    one, two = pair(far_end)
    task = started(far_end.dcc.send(far_end.supplier, two))
    await far_end.clock.sleep(60)
    task.cancel()
    await far_end.dcc.close()
    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    await far_end.clock.sleep(120)
    assert (await far_end.dcc.send(far_end.supplier, one)).verdict is Verdict.SUCCESS
    await far_end.clock.sleep(30)
    assert [delivery.request for delivery in far_end.supplier.inbox] == [str(one.request_id), str(two.request_id)]
    await far_end.close()
