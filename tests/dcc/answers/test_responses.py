"""Responses that are late, repeated, unasked, forged or misrouted: recorded with the reason, never delivered as an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_mac
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Verdict
from hil.dcc.parties import users
from hil.dcc.parties.users import Proof, check_protection
from hil.dcc.wan.headend import HubMessage
from tests.dcc.far_end import ACB, ESME, SUPPLIER, FarEnd
from tests.dcc.messages import send


async def test_a_response_nobody_asked_for_is_recorded_and_not_delivered(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    answers: list[bytes] = []
    far_end.home.change = lambda messages: answers.extend(messages) or messages
    await send(far_end, "11.2", user=far_end.other)
    message = Message.decode(answers[0])
    unasked = replace(message, header=replace(message.header, counter=message.header.counter + 50))
    far_end.home.say(with_mac(unasked, keystore.shared_secret(ESME, ACB)).encode())
    await far_end.clock.sleep(1)
    assert [stray.kind for stray in far_end.dcc.strays()] == ["unasked"]
    assert len(far_end.other.inbox) == 1


async def test_a_response_that_comes_twice_is_delivered_once(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.change = lambda messages: [*messages, *messages]
    assert (await send(far_end, "7.3")).verdict is Verdict.SUCCESS
    await far_end.clock.sleep(1)
    assert [stray.kind for stray in far_end.dcc.strays()] == ["repeated"]
    assert len(far_end.supplier.inbox) == 1


async def test_a_late_response_is_recorded_delivered_as_late_and_changes_no_outcome(far_end: FarEnd) -> None:
    await far_end.in_service()
    held: list[bytes] = []
    far_end.home.change = lambda messages: held.extend(messages) or []
    outcome = await send(far_end, "7.3", wait_s=20)
    assert outcome.verdict is Verdict.NO_ANSWER
    far_end.home.say(held[0])
    await far_end.clock.sleep(1)
    assert [(delivery.kind, delivery.late) for delivery in far_end.supplier.inbox] == [("j", False), ("h", True)]
    far_end.home.say(held[0])
    await far_end.clock.sleep(1)
    assert [stray.kind for stray in far_end.dcc.strays()] == ["repeated"]


@pytest.mark.requirement("GW-59")
async def test_a_response_with_a_broken_signature_is_no_answer(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.change = lambda messages: [message[:-1] + bytes([message[-1] ^ 1]) for message in messages]
    outcome = await send(far_end, "7.3", wait_s=20)
    assert outcome.verdict is Verdict.NO_ANSWER
    (stray,) = far_end.dcc.strays()
    assert stray.kind == "not authentic"
    assert [delivery.kind for delivery in far_end.supplier.inbox] == ["j"]


async def test_a_mac_only_the_user_can_check_is_checked_by_the_user_and_the_true_answer_still_counts(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.change = lambda messages: [messages[0][:-1] + bytes([messages[0][-1] ^ 1]), messages[0]]
    outcome = await send(far_end, "11.2")
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    (stray,) = far_end.dcc.strays()
    assert "refused by the user" in stray.reason
    assert len(far_end.supplier.inbox) == 1


async def test_a_response_through_another_hub_is_not_taken(far_end: FarEnd) -> None:
    await far_end.in_service()
    held: list[bytes] = []
    far_end.home.change = lambda messages: held.extend(messages) or []
    assert (await send(far_end, "7.3", wait_s=5)).verdict is Verdict.NO_ANSWER
    with far_end.dcc.store.transaction():
        far_end.dcc.hub_side.message(HubMessage(Eui64.parse("00db1234567890ff"), held[0]))
    (stray,) = far_end.dcc.strays()
    assert (stray.kind, "came through hub" in stray.reason) == ("misfit", True)


async def test_a_response_with_another_message_code_is_not_taken(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()

    def recode(messages: list[bytes]) -> list[bytes]:
        message = Message.decode(messages[0])
        other = replace(message.header.other, message_code=0x0042)
        changed = replace(message, header=replace(message.header, other=other))
        return [with_mac(changed, keystore.shared_secret(ESME, SUPPLIER)).encode()]

    far_end.home.change = recode
    outcome = await send(far_end, "11.2", wait_s=5)
    assert outcome.verdict is Verdict.NO_ANSWER
    assert far_end.dcc.strays()[0].kind == "misfit"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=200))
def test_no_octets_from_a_hub_raise_or_reach_a_user(far_end: FarEnd, octets: bytes) -> None:
    with far_end.dcc.store.transaction():
        far_end.dcc.hub_side.message(HubMessage(Eui64.parse("00db1234567890a2"), octets))
    assert far_end.dcc.strays()[-1].octets == octets
    assert far_end.supplier.inbox == []


async def test_a_cut_message_is_a_stray_and_the_channel_goes_on(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.say(b"\xdf\x09\x02")
    await far_end.clock.sleep(1)
    assert far_end.dcc.strays()[0].kind == "unreadable"
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS


async def test_a_user_proves_each_message_that_is_not_the_one_it_has_just_proven(far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    await far_end.in_service()
    proven: list[Message] = []

    def noted(message: Message, keystore: Keystore) -> Proof:
        proven.append(message)
        return check_protection(message, keystore)

    monkeypatch.setattr(users, "check_protection", noted)
    outcome = await send(far_end, "4.1.1", ESME)
    assert outcome.verdict is Verdict.SUCCESS
    (taken,) = far_end.supplier.inbox
    assert len(proven) == 1  # delivered and read
    forged = (taken.octets or b"")[:-1] + bytes([(taken.octets or b"")[-1] ^ 1])
    for _ in range(2):
        with pytest.raises(ProtectionError):
            far_end.supplier.read(forged)
    far_end.supplier.read(taken.octets or b"")
    assert len(proven) == 3  # the true one is still the last that was proven
    far_end.supplier.learn(far_end.keystore.certificate(ESME, KeyUsage.KEY_AGREEMENT))
    far_end.supplier.read(taken.octets or b"")
    assert len(proven) == 4
