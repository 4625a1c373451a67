"""An exchange that a kill cuts off: what was not written may come again, what was written is told again, and each request has its end."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from hil.dcc.base.requests import RequestMoved, RequestState
from hil.dcc.dcc import AnsweredLater
from hil.dcc.duis import ServiceRequest, write_request
from hil.dcc.duis.request import CommandVariant
from hil.dcc.service.exchange import SERVED
from hil.dcc.service.push import MEDIA_TYPE
from tests.dcc.far_end import CHF, ESME, SUPPLIER, FarEnd
from tests.dcc.service.duis_client import Client, texts


class Killed(Exception):
    """The DCC dies here: a transaction that is open is never durable."""


def dies(event: object) -> None:
    raise Killed(str(event))


class Bench:
    """A client of a DCC that may die; the next one has its store."""

    def __init__(self, keystore: Keystore, clock: Clock, path: Path) -> None:
        self.far_end = FarEnd(keystore, clock, path)
        self.clock = clock

    async def begin(self) -> None:
        await self.far_end.in_service()
        self.client = Client(self.far_end)

    async def again(self) -> None:
        """The DCC is dead; the next one starts."""
        await self.client.exchange.pusher.close()
        await self.far_end.dcc.close()
        self.far_end.dcc = self.far_end.new_dcc()
        self.client.exchange, self.client.addresses = self.client.new_service()
        await self.far_end.dcc.start()
        self.far_end.dcc.attach_hub(self.far_end.wan.dcc, CHF)
        await self.clock.sleep(5)

    async def post(self, request: ServiceRequest) -> dict[str, str]:
        """Post what is signed already."""
        place = next(one for one, variants in SERVED.items() if request.command_variant in variants)
        answer = await self.client.post(write_request(request), place, MEDIA_TYPE)
        assert answer.status_code == 200, answer.text
        return texts(etree.fromstring(answer.content))

    def told(self) -> list[dict[str, str]]:
        return [texts(etree.fromstring(octets)) for octets in self.client.taken]

    def signed(self, variant: str, body: dict[str, object] | None = None, **more: object) -> ServiceRequest:
        request = self.client.request(variant, None if variant == "8.2" else ESME, body, **more)
        return self.far_end.supplier.sign(request)

    def state(self, request: ServiceRequest) -> RequestState | None:
        return self.far_end.dcc.requests.state(str(request.request_id))

    async def end(self) -> None:
        await self.client.exchange.pusher.close()
        await self.far_end.close()


@pytest.fixture
async def bench(keystore: Keystore, clock: Clock, tmp_path: Path) -> Bench:
    bench = Bench(keystore, clock, tmp_path / "dcc.sqlite")
    await bench.begin()
    return bench


async def test_a_pre_command_that_was_not_heard_is_given_again_and_goes_on(bench: Bench) -> None:
    request = bench.signed("7.2")
    first = await bench.post(request)
    await bench.again()
    again = await bench.post(request)
    assert (again["ResponseCode"], again["GBCSPayload"]) == ("I0", first["GBCSPayload"])
    await bench.post(bench.client.signed(request, base64.b64decode(again["GBCSPayload"])))
    await bench.clock.sleep(5)
    assert [(one["RequestID"], one["ResponseCode"]) for one in bench.told()] == [(str(request.request_id), "I0")]
    assert (await bench.post(request))["ResponseCode"][0] == "E"
    await bench.end()


async def test_another_request_of_the_same_name_gets_no_pre_command(bench: Bench) -> None:
    request = bench.signed("7.2")
    await bench.post(request)
    other = bench.far_end.supplier.sign(bench.client.request("7.3", ESME))
    other.document.find(".//{*}RequestID").text = str(request.request_id)  # type: ignore[union-attr]
    answer = await bench.client.say(other)
    assert texts(answer)["ResponseCode"][0] == "E"
    await bench.end()


@pytest.mark.parametrize("critical", [True, False])
async def test_a_command_for_local_delivery_that_was_not_heard_is_given_again(bench: Bench, critical: bool) -> None:
    if critical:
        request = bench.signed("7.2")
        pre_command = base64.b64decode((await bench.post(request))["GBCSPayload"])
        returned = bench.client.signed(request, pre_command, CommandVariant.SIGNED_RETURN)
    else:
        returned = bench.signed("4.1.1", command_variant=CommandVariant.RETURN)
    first = await bench.post(returned)
    await bench.again()
    again = await bench.post(returned)
    assert (again["ResponseCode"], again["GBCSPayload"]) == ("I0", first["GBCSPayload"])
    assert bench.state(returned) is RequestState.RETURNED
    await bench.end()


async def test_a_pre_command_that_never_comes_back_has_its_end_with_a_dcc_that_started_meanwhile(bench: Bench) -> None:
    request = bench.signed("7.2")
    await bench.post(request)
    await bench.clock.sleep(3600)
    await bench.again()
    await bench.clock.sleep(80_000)
    assert bench.told() == []
    await bench.clock.sleep(5000)
    assert [(one["RequestID"], one["ResponseCode"][0]) for one in bench.told()] == [(str(request.request_id), "E")]
    assert bench.state(request) is RequestState.REFUSED
    await bench.end()


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("variant", ["7.2", "4.1.1", "8.2"])
async def test_an_exchange_that_is_killed_at_any_step_was_never_there_and_may_come_again(bench: Bench, variant: str, nth: int) -> None:
    request = bench.signed(variant, {"DeviceID": ESME} if variant == "8.2" else None)
    moves = list[RequestMoved]()

    def at_the_nth(moved: RequestMoved) -> None:
        moves.append(moved)
        if len(moves) == nth:
            raise Killed(str(moved.step))

    bench.far_end.dcc.bus.on(RequestMoved, at_the_nth)
    with pytest.raises(Killed):
        await bench.post(request)
    await bench.again()
    assert bench.state(request) is None
    assert (await bench.post(request))["ResponseCode"][0] == "I"
    await bench.end()


async def test_a_critical_request_that_a_dcc_before_accepted_gets_its_pre_command_in_the_outbox(bench: Bench) -> None:
    request = bench.signed("7.2")
    bench.far_end.dcc.gateway.receive(request)
    await bench.again()
    (told,) = bench.told()
    assert (told["RequestID"], told["ResponseCode"]) == (str(request.request_id), "I0")
    assert (await bench.post(bench.client.signed(request, base64.b64decode(told["GBCSPayload"]))))["ResponseCode"] == "I99"
    await bench.clock.sleep(5)
    assert bench.state(request) is RequestState.RESPONDED
    await bench.end()


async def test_a_critical_request_that_waited_for_another_gets_its_pre_command_in_the_outbox(bench: Bench) -> None:
    first = bench.signed("4.1.1")
    after = bench.signed("7.2", preceding=first.request_id)
    assert (await bench.post(after))["ResponseCode"] == "I99"
    await bench.post(first)
    await bench.clock.sleep(5)
    assert [(one["RequestID"], one["ResponseCode"]) for one in bench.told()] == [
        (str(first.request_id), "I0"),
        (str(after.request_id), "I0"),
    ]
    assert bench.state(after) is RequestState.PRE_COMMAND
    await bench.end()


async def test_a_service_of_the_dcc_that_waited_for_another_tells_its_result(bench: Bench) -> None:
    first = bench.signed("4.1.1")
    after = bench.signed("8.2", {"DeviceID": ESME}, preceding=first.request_id)
    assert (await bench.post(after))["ResponseCode"] == "I99"
    await bench.post(first)
    await bench.clock.sleep(5)
    (told,) = (one for one in bench.told() if one["RequestID"] == str(after.request_id))
    assert told["ResponseCode"] == "I0"
    assert told["DeviceType"]
    await bench.end()


def of_a_lost_right(bench: Bench) -> None:
    bench.far_end.dcc.gateway.suspend(SUPPLIER, "M8")


def of_a_hub_without_link(bench: Bench) -> None:
    bench.far_end.dcc.head_end.known = lambda chf: False  # type: ignore[method-assign]


@pytest.mark.parametrize("refused", [of_a_lost_right, of_a_hub_without_link])
async def test_a_refusal_and_that_it_is_told_are_written_together(bench: Bench, refused: Callable[[Bench], None]) -> None:
    later = bench.clock.datetime() + timedelta(hours=2)
    request = bench.signed("11.2", {"ExecutionDateTime": later})
    assert (await bench.post(request))["ResponseCode"] == "I99"
    bench.far_end.dcc.bus.on(AnsweredLater, dies)
    refused(bench)
    await bench.clock.sleep(7300)
    assert bench.state(request) is not RequestState.REFUSED
    await bench.again()
    await bench.clock.sleep(600)
    assert len([one for one in bench.told() if one["RequestID"] == str(request.request_id)]) == 1
    await bench.end()


async def test_a_cancellation_and_that_it_is_told_are_written_together(bench: Bench) -> None:
    later = bench.clock.datetime() + timedelta(hours=2)
    request = bench.signed("11.2", {"ExecutionDateTime": later})
    await bench.post(request)
    await bench.clock.sleep(60)
    bench.far_end.dcc.bus.on(AnsweredLater, dies)
    with pytest.raises(Killed):
        bench.far_end.dcc.cancel(bench.far_end.supplier, request.request_id)
    assert bench.state(request) is RequestState.DEFERRED
    await bench.end()


async def test_a_release_from_quarantine_and_its_answer_are_written_together(bench: Bench) -> None:
    dcc = bench.far_end.dcc
    dcc.context.thresholds.agree(SUPPLIER, "7.2", 0, 3600)
    request = bench.signed("7.2")
    assert (await bench.post(request))["ResponseCode"][0] == "E"
    (held,) = dcc.quarantine.messages()
    dcc.bus.on(AnsweredLater, dies)
    with pytest.raises(Killed):
        await dcc.release(held.number)
    await bench.again()
    assert [one.state for one in bench.far_end.dcc.quarantine.messages()] == ["held"]
    assert await bench.far_end.dcc.release(held.number) is None
    await bench.clock.sleep(5)
    assert [(one["RequestID"], one["ResponseCode"]) for one in bench.told()] == [(str(request.request_id), "I0")]
    await bench.end()
