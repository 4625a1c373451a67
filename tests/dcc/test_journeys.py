"""Whole journeys: a user's request through checks, transform, signature, MAC and SM WAN to a real Device and back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs.dlms import AccessResult
from firmware_emu.gbcs.envelope import Message
from hil.dcc.base.results import Verdict
from hil.dcc.duis.request import CommandVariant
from tests.dcc.far_end import ACB, CHF, COS, ESME, NETWORK, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import COMMISSION, octets, send


@pytest.mark.requirement("GW-18")
@pytest.mark.requirement("GW-19")
@pytest.mark.requirement("SVC-11.2")
async def test_a_read_by_a_known_party_goes_out_under_its_own_name_and_comes_back(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "11.2")
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    command = Message.decode(octets(outcome, "f"))
    assert (command.header.originator, command.header.other.supplementary_party) == (SUPPLIER, None)
    assert command.mac is not None
    assert far_end.dcc.inventory.listed(ESME).firmware == "0B0C0D0E"


@pytest.mark.requirement("GW-34")
async def test_a_party_the_device_does_not_hold_speaks_through_the_broker(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "11.2", user=far_end.other)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    header = Message.decode(octets(outcome, "f")).header
    assert header.originator == ACB
    assert header.other.supplementary_party == far_end.other.eui64
    again = await send(far_end, "11.2", user=far_end.other)
    assert Message.decode(octets(again, "f")).header.counter > header.counter


@pytest.mark.requirement("GW-36")
@pytest.mark.requirement("GW-15")
@pytest.mark.requirement("GW-17")
@pytest.mark.requirement("SHP-04")
async def test_a_critical_request_makes_the_round_trip_and_the_device_gets_the_octets_the_user_signed(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "7.3")
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    pre_command, signed, command = (octets(outcome, kind) for kind in "cef")
    assert signed == pre_command + b"\x40" + signed[-64:]
    assert Message.decode(command).signing_block == signed
    assert far_end.home.received == [command]
    assert far_end.home.answers[ESME].executed == [0x0051]
    assert [name for name in outcome.legs if "user" in name or "transform" in name]


@pytest.mark.requirement("GW-37")
async def test_the_user_gets_the_octets_of_the_device_unchanged(far_end: FarEnd) -> None:
    await far_end.in_service()
    sent: list[bytes] = []
    far_end.home.change = lambda messages: sent.extend(messages) or messages
    outcome = await send(far_end, "7.3")
    assert octets(outcome, "g") == sent[0]
    assert [delivery.octets for delivery in far_end.supplier.inbox] == [sent[0]]


async def test_a_device_that_says_no_is_a_failure_with_its_words(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.answers[ESME].result = AccessResult.READ_WRITE_DENIED
    outcome = await send(far_end, "7.3")
    assert outcome.verdict is Verdict.FAILED
    assert "READ_WRITE_DENIED" in outcome.why


@pytest.mark.requirement("INV-05")
@pytest.mark.requirement("INV-37")
@pytest.mark.requirement("SVC-8.1")
async def test_a_meter_is_commissioned_by_its_answer_and_its_supplier_is_told(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.connect()
    inventory = far_end.dcc.inventory
    inventory.associate(ESME, "chf", CHF)
    inventory.describe(ESME, import_mpxn="1312345678111")
    inventory.move(ESME, "joined", reason="test")
    assert not inventory.enrolled(ESME)
    outcome = await send(far_end, "8.1.1", body=COMMISSION)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert inventory.listed(ESME).status == "Commissioned"
    assert inventory.enrolled(ESME)
    assert [delivery.kind for delivery in far_end.supplier.inbox] == ["j", "h"]
    assert inventory.audit(ESME)[-1].user == SUPPLIER


async def test_a_meter_that_says_no_is_not_commissioned(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.connect()
    far_end.dcc.inventory.associate(ESME, "chf", CHF)
    far_end.dcc.inventory.move(ESME, "joined", reason="test")
    far_end.home.answers[ESME].result = AccessResult.TEMPORARY_FAILURE
    await send(far_end, "8.1.1", body=COMMISSION)
    assert far_end.dcc.inventory.listed(ESME).status == "InstalledNotCommissioned"


@pytest.mark.requirement("CH-31")
async def test_a_meter_whose_hub_never_connected_is_refused_with_every_reason(far_end: FarEnd) -> None:
    far_end.notify()
    far_end.home.connect()
    far_end.dcc.inventory.associate(ESME, "chf", CHF)
    outcome = await send(far_end, "8.1.1", body=COMMISSION)
    assert (outcome.verdict, outcome.response_code, outcome.hop) == (Verdict.REFUSED, "E5", "gateway")
    assert f"its hub {CHF} is not Commissioned" in outcome.why
    assert "[171, 187]" in outcome.why
    assert far_end.home.received == []


@pytest.mark.requirement("CH-01")
@pytest.mark.requirement("INV-04")
async def test_the_first_contact_commissions_the_hub_and_nothing_else_does(far_end: FarEnd) -> None:
    far_end.notify()
    assert far_end.dcc.inventory.listed(CHF).status == "Pending"
    await far_end.connect()
    assert far_end.dcc.inventory.listed(CHF).status == "Commissioned"
    assert "connected to the SM WAN" in far_end.dcc.inventory.audit(CHF)[-1].reason


@pytest.mark.requirement("SVC-8.11")
async def test_a_device_log_update_whitelists_the_meter_and_records_its_mpan(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.connect()
    body = {
        "DeviceID": ESME,
        "RequestType": "Add",
        "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 90, "InstallCode": bytes(range(16)), "ImportMPxN": "1312345678111"},
    }
    outcome = await send(far_end, "8.11", CHF, body)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    device = far_end.dcc.inventory.listed(ESME)
    assert (device.status, device.import_mpxn) == ("Whitelisted", "1312345678111")
    assert far_end.dcc.inventory.hub_of(ESME) == CHF
    assert "N24" in [delivery.code for delivery in far_end.supplier.inbox]
    outcome = await send(far_end, "8.11", CHF, {"DeviceID": ESME, "RequestType": "Remove"})
    assert far_end.dcc.inventory.listed(ESME).status == "Pending"
    assert far_end.dcc.inventory.hub_of(ESME) is None


@pytest.mark.requirement("GW-38")
@pytest.mark.requirement("GW-55")
@pytest.mark.requirement("GW-67")
async def test_a_silent_device_ends_in_e21_after_the_wait_and_outside_the_target(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.change = lambda messages: []
    began = far_end.clock.now()
    outcome = await send(far_end, "11.2", wait_s=45)
    assert far_end.clock.now() - began == pytest.approx(45, abs=1)
    assert (outcome.verdict, outcome.response_code, outcome.hop) == (Verdict.NO_ANSWER, "E21", "hub and Device")
    assert (outcome.target_s, outcome.within_target) == (30.0, False)
    assert [delivery.code for delivery in far_end.supplier.inbox] == ["N13"]


@pytest.mark.requirement("GW-55")
@pytest.mark.requirement("GW-67")
async def test_each_leg_has_its_time_from_the_stated_start_to_the_stated_finish(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.wan.latency_s = 7
    outcome = await send(far_end, "7.2")
    assert outcome.ok, outcome.why
    assert list(outcome.legs) == [
        "user signs the request",
        "arrival checks",
        "transform",
        "user correlates and signs",
        "signed pre-command checks",
        "protect and post",
        "SM WAN, hub and Device",
        "user verifies and parses",
    ]
    assert outcome.legs["SM WAN, hub and Device"] >= 14_000
    assert min(outcome.legs.values()) > 0
    assert outcome.finished - outcome.started == pytest.approx(14, abs=0.5)
    assert (outcome.target_s, outcome.within_target) == (30.0, True)


async def test_a_hub_out_of_reach_ends_in_e20_and_the_command_waits_for_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.wan.coverage = False
    far_end.wan.cut()
    outcome = await send(far_end, "11.2", wait_s=40)
    assert (outcome.verdict, outcome.response_code, outcome.hop) == (Verdict.NO_ANSWER, "E20", "SM WAN")
    far_end.wan.coverage = True
    await far_end.clock.sleep(200)
    assert len(far_end.home.received) == 1
    assert [delivery.late for delivery in far_end.supplier.inbox if delivery.kind == "h"] == [True]


async def test_a_command_that_never_left_for_its_hub_is_withdrawn_when_its_user_is_told_so(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.wan.coverage = False
    far_end.wan.cut()
    await far_end.clock.sleep(5)
    outcome = await send(far_end, "7.3", wait_s=40)
    assert outcome.response_code == "E20"
    assert "the Command was withdrawn" in outcome.why
    far_end.wan.coverage = True
    await far_end.clock.sleep(200)
    assert far_end.home.received == []
    assert (await send(far_end, "7.3")).ok  # the channel goes on behind the gap


async def test_a_slow_answer_is_told_as_outside_the_target(far_end: FarEnd) -> None:
    await far_end.in_service()
    loop = asyncio.get_running_loop()
    far_end.home.change = lambda messages: [loop.call_later(40, far_end.home.say, message) for message in messages] and []
    outcome = await send(far_end, "11.2")
    assert outcome.verdict is Verdict.SUCCESS
    assert outcome.within_target is False
    assert outcome.legs["SM WAN, hub and Device"] == pytest.approx(40_000, rel=0.1)


@pytest.mark.requirement("GW-16")
@pytest.mark.requirement("GW-49")
@pytest.mark.requirement("GW-50")
@pytest.mark.requirement("SVC-8.13")
async def test_a_local_command_is_returned_and_its_brought_back_response_counts(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "11.2", command_variant=2)
    assert outcome.verdict is Verdict.RETURNED
    assert far_end.home.received == []
    (response,) = far_end.home.devices[ESME].receive(octets(outcome, "d"))
    wrong = await send(far_end, "8.13", None, {"DeviceGBCSResponse": response}, user=far_end.second)
    assert "no Command that was returned to this user" in wrong.why
    brought = await send(far_end, "8.13", None, {"DeviceGBCSResponse": response})
    assert brought.verdict is Verdict.SUCCESS, brought.why
    assert far_end.dcc.inventory.listed(ESME).firmware == "0B0C0D0E"


@pytest.mark.requirement("GW-16")
@pytest.mark.requirement("GW-49")
@pytest.mark.parametrize(("returns", "sent"), [(6, 0), (7, 1)])
async def test_a_critical_command_is_signed_first_and_then_returned_for_local_delivery_or_both(
    far_end: FarEnd, returns: int, sent: int
) -> None:
    await far_end.in_service()
    request = far_end.dcc.request(far_end.supplier, "7.3", ESME)
    outcome = await far_end.dcc.send(far_end.supplier, request, returns=CommandVariant(returns))
    assert outcome.verdict is (Verdict.SUCCESS if sent else Verdict.RETURNED), outcome.why
    assert [message.kind for message in outcome.messages if message.kind in "cdef"] == ["c", "e", "f", "d"]
    assert octets(outcome, "d") == octets(outcome, "f")
    assert len(far_end.home.received) == sent
    if not sent:
        (response,) = far_end.home.devices[ESME].receive(octets(outcome, "d"))
        assert (await send(far_end, "8.13", None, {"DeviceGBCSResponse": response})).ok


@pytest.mark.requirement("GW-34")
@pytest.mark.requirement("GW-49")
@pytest.mark.parametrize(("returns", "sent"), [(6, 0), (7, 1)])
async def test_a_critical_command_that_the_dcc_signs_for_its_user_is_returned_as_that_user_wants(
    far_end: FarEnd, returns: int, sent: int
) -> None:
    await far_end.in_service()
    request = far_end.dcc.request(far_end.second, "7.3", ESME)
    outcome = await far_end.dcc.send(far_end.second, request, returns=CommandVariant(returns), wait_s=5)
    assert Message.decode(octets(outcome, "d")).header.originator == ACB
    assert len(far_end.home.received) == sent
    if not sent:
        assert outcome.verdict is Verdict.RETURNED, outcome.why


@pytest.mark.requirement("GW-51")
async def test_a_critical_command_for_local_delivery_needs_no_hub_on_the_sm_wan(far_end: FarEnd) -> None:
    far_end.notify()
    far_end.home.connect()
    request = far_end.dcc.request(far_end.supplier, "8.1.1", ESME, COMMISSION)
    assert (await far_end.dcc.send(far_end.supplier, request, returns=CommandVariant.SIGNED_RETURN)).verdict is Verdict.RETURNED
    again = far_end.dcc.request(far_end.supplier, "8.1.1", ESME, COMMISSION)
    assert (await far_end.dcc.send(far_end.supplier, again)).verdict is Verdict.REFUSED


async def test_the_dcc_holds_no_private_key_of_a_user_or_of_the_cos_party(far_end: FarEnd, keystore: Keystore) -> None:
    far_end.home.connect()
    for eui in (SUPPLIER, SECOND, NETWORK, COS, ESME):
        assert keystore.has_private_key(eui, KeyUsage.DIGITAL_SIGNATURE)
        for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
            assert not far_end.dcc.keystore.has_private_key(eui, usage)
    assert far_end.dcc.keystore.has_private_key(ACB, KeyUsage.KEY_AGREEMENT)


async def test_a_dcc_killed_with_a_command_outstanding_goes_on_with_it(clock: Clock, tmp_path: Path, keystore: Keystore) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")
    held: list[bytes] = []

    await far_end.in_service()
    far_end.home.change = lambda messages: held.extend(messages) or []
    request = far_end.dcc.request(far_end.supplier, "7.3", ESME)
    counter = far_end.dcc.counters.last(ACB)
    outcome = await far_end.dcc.send(far_end.supplier, request, wait_s=5)
    assert outcome.verdict is Verdict.NO_ANSWER
    second = far_end.dcc.request(far_end.supplier, "7.3", ESME)
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, second))
    await far_end.clock.sleep(2)
    task.cancel()
    await far_end.dcc.close()

    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    assert far_end.dcc.inventory.listed(ESME).status == "Commissioned"
    assert far_end.dcc.counters.last(ACB) >= counter
    far_end.home.say(held[1])
    outcome = await far_end.dcc.outcome(far_end.supplier, second.request_id)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    repeat = await far_end.dcc.send(far_end.supplier, second)
    assert "received before" in repeat.why
    await far_end.close()


async def test_a_response_for_a_user_who_is_away_waits_for_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.wan.latency_s = 10
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(5)
    far_end.dcc.remove_user(SUPPLIER)
    await far_end.clock.sleep(60)
    assert far_end.supplier.inbox == []
    assert far_end.dcc.inventory.listed(ESME).firmware == "00000001"
    far_end.dcc.add_user(far_end.supplier)
    outcome = await task
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert len(far_end.supplier.inbox) == 1
    assert far_end.dcc.inventory.listed(ESME).firmware == "0B0C0D0E"


async def test_a_response_that_its_away_user_does_not_take_is_kept_and_not_told_as_unanswered(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.wan.latency_s = 10
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    name = str(request.request_id)
    task = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(5)
    far_end.dcc.remove_user(SUPPLIER)
    outcome = await task
    assert outcome.verdict is Verdict.NO_ANSWER
    assert outcome.refusal is not None
    assert outcome.refusal.name == "receiver-away"
    assert far_end.dcc.requests.get(name).awaits_delivery
    far_end.dcc.add_user(far_end.supplier)
    assert [one.kind for one in far_end.supplier.inbox] == ["h"], "nobody told it that no answer came"


async def test_two_that_wait_for_one_request_are_both_told_at_once(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.wan.latency_s = 10
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    first = asyncio.create_task(far_end.dcc.send(far_end.supplier, request))
    await far_end.clock.sleep(5)
    far_end.dcc.remove_user(SUPPLIER)
    second = asyncio.create_task(far_end.dcc.outcome(far_end.supplier, request.request_id))
    settled = asyncio.create_task(far_end.dcc.answers.settle(str(request.request_id)))
    await settled
    far_end.dcc.add_user(far_end.supplier)
    began = far_end.clock.now()
    assert [(await one).verdict for one in (first, second)] == [Verdict.SUCCESS] * 2
    assert far_end.clock.now() - began < 1


async def test_every_hop_of_a_command_carries_its_identifier_in_the_trace(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "7.3")
    identifier = str(Message.decode(octets(outcome, "f")).header.identifier)
    hops = [(record.area, record.source, record.event) for record in far_end.records if record.message == identifier]
    wanted = [
        ("dcc", "transform", "transformed"),
        ("dcc", "gateway", "returned"),
        ("dcc", f"user {SUPPLIER}", "signed"),
        ("dcc", "acb", "protected"),
        ("wan", "dcc", "sent"),
        ("device", f"esme {ESME}", "verified"),
    ]
    assert [hop for hop in hops if hop in wanted] == wanted


def test_the_settings_of_a_bench_replace_the_profile(keystore: Keystore) -> None:
    from hil.dcc.base.profile import profile, profile_sources

    assert replace(profile(), response_wait_s=1.0).response_wait_s == 1.0
    assert all(profile_sources().values())


@pytest.mark.requirement("PC-01")
async def test_a_pre_command_that_does_not_say_what_was_asked_is_not_signed(far_end: FarEnd) -> None:
    await far_end.in_service()
    right = far_end.supplier.answer

    def swapped(request: Any, pre_command: bytes, command_variant: int = 5, **_: Any) -> Any:
        disable = pre_command.replace(b"\x00\x51", b"\x00\x50", 1)
        return right(request, disable, command_variant)

    far_end.supplier.answer = swapped  # type: ignore[method-assign]
    outcome = await send(far_end, "7.3")
    assert (outcome.verdict, outcome.hop) == (Verdict.REFUSED, "user")
    assert "[150, 156]" in outcome.why
    assert far_end.home.received == []


async def test_the_answer_is_parsed_with_the_users_own_keys(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "11.2")
    assert outcome.parsed is not None
    assert json.loads(json.dumps(outcome.as_json(), default=str))["parsed"]
