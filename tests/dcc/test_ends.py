"""Every request has an end, and its user is told it once: also where nobody waits for it any more, or what came was not from the Device."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from firmware_emu.errors import ProtectionError, StoreTrouble
from firmware_emu.gbcs.envelope import Message
from hil.dcc.base.requests import RequestState
from hil.dcc.dcc import AnsweredLater
from hil.dcc.duis import ServiceRequest
from hil.dcc.parties.users import User
from tests.dcc.far_end import ESME, SUPPLIER, FarEnd


def told_of_no_answer(far_end: FarEnd, request: ServiceRequest) -> list[str]:
    return [one.code for one in far_end.supplier.inbox if one.kind == "j" and one.detail.get("request") == str(request.request_id)]


def disprove(user: User, message: Message) -> None:
    raise ProtectionError("the MAC is not the Device's")


async def test_a_request_whose_sender_waits_no_longer_is_told_at_its_deadline(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.change = lambda messages: []
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(5)
    task.cancel()
    await far_end.clock.sleep(1000)
    assert far_end.dcc.requests.state(str(request.request_id)) is RequestState.UNANSWERED
    assert told_of_no_answer(far_end, request) == ["N13"]


async def test_a_response_that_its_user_disproves_after_the_wait_ends_as_no_answer(
    far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    await far_end.in_service()
    far_end.wan.latency_s = 10
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(5)
    far_end.dcc.remove_user(SUPPLIER)
    await task
    monkeypatch.setattr(User, "prove", disprove)
    far_end.dcc.add_user(far_end.supplier)
    await far_end.clock.sleep(1000)
    assert far_end.dcc.requests.state(str(request.request_id)) is RequestState.UNANSWERED
    assert told_of_no_answer(far_end, request) == ["N13"]


async def test_a_late_response_that_its_user_disproves_leaves_the_end_that_was_told(
    far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    await far_end.in_service()
    late = list[bytes]()
    far_end.home.change = lambda messages: late.extend(messages) or []
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    await far_end.dcc.send(far_end.supplier, request)
    monkeypatch.setattr(User, "prove", disprove)
    far_end.home.say(late[0])
    await far_end.clock.sleep(5)
    assert far_end.dcc.requests.state(str(request.request_id)) is RequestState.UNANSWERED
    far_end.dcc.answers.resume()
    await far_end.clock.sleep(1000)
    assert told_of_no_answer(far_end, request) == ["N13"]


async def test_a_deferred_request_that_the_dcc_fails_at_is_told_as_set_aside(far_end: FarEnd) -> None:
    await far_end.in_service()
    told = list[AnsweredLater]()
    far_end.dcc.bus.on(AnsweredLater, told.append)
    later = far_end.clock.datetime() + timedelta(hours=2)
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": later})
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(60)
    task.cancel()
    far_end.dcc.store.execute("UPDATE requests SET xml = ?", (b"<poison/>",))
    far_end.dcc.deferred.resume(far_end.dcc.processing.go_on, far_end.dcc.processing.refused_later)
    await far_end.clock.sleep(60)
    ((name, refusal),) = [(one.request, one.answered.refusal) for one in told]
    assert (name, refusal and refusal.name) == (str(request.request_id), "set-aside")


async def test_a_request_that_waits_for_another_and_is_cancelled_while_the_dcc_starts_is_told_so(far_end: FarEnd) -> None:
    await far_end.in_service()
    first = far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": far_end.clock.datetime() + timedelta(hours=2)})
    after = far_end.dcc.request(far_end.supplier, "4.1.1", ESME, preceding=first.request_id)
    tasks = [asyncio.create_task(far_end.dcc.send(far_end.supplier, one)) for one in (first, after)]
    await far_end.clock.sleep(60)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    told = list[AnsweredLater]()
    far_end.dcc.bus.on(AnsweredLater, told.append)
    far_end.dcc.deferred.resume(far_end.dcc.processing.go_on, far_end.dcc.processing.refused_later)
    assert far_end.dcc.cancel(far_end.supplier, after.request_id)
    await far_end.clock.sleep(60)
    assert [(one.request, one.answered.refusal and one.answered.refusal.name) for one in told] == [(str(after.request_id), "cancelled")]


async def test_a_deferred_request_that_meets_a_full_store_goes_on_when_there_is_room(
    far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    await far_end.in_service()
    later = far_end.clock.datetime() + timedelta(hours=2)
    request = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": later}))
    assert (await far_end.dcc.take(request)).code == "I99"
    await far_end.clock.sleep(7100)

    def full() -> None:
        raise StoreTrouble("the DCC's store", "disk I/O error: make room on the medium")

    with monkeypatch.context() as medium:
        medium.setattr(far_end.dcc.store._file, "begin", full)
        await far_end.clock.sleep(300)
    await far_end.clock.sleep(200)
    assert [(one.kind, one.request) for one in far_end.supplier.inbox] == [("h", str(request.request_id))]
