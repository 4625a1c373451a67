"""The checks on arrival: each failure names check, rule with its source, value, next step, and its code where one is published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_signature
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Outcome, Refusal, Verdict
from hil.dcc.base.services import UserRole, response_codes, schedule
from hil.dcc.duis import new_request, signed_pre_command, write_request
from hil.dcc.gateway.arrival import CHECKS
from hil.dcc.gateway.gateway import UserEntryError
from hil.dcc.parties.users import User
from tests.dcc.far_end import ACB, CHF, ESME, GPF, MPAN, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import send

Checks = Callable[[FarEnd], Awaitable[Any]]


def refused(far_end: FarEnd, outcome: Outcome, check: str, code: str | None, says: str) -> None:
    """``check`` refuses with ``code`` and says ``says``, and nothing reaches the hub."""
    assert outcome.refusal is not None, outcome
    assert (outcome.refusal.check, outcome.response_code) == (check, code), outcome.why
    assert says in outcome.why
    assert "[" in outcome.refusal.rule or "DUIS" in outcome.refusal.rule or "choice" in outcome.refusal.rule
    assert outcome.refusal.next_step
    assert far_end.home.received == []
    assert [record for record in far_end.records if record.event == "refused" and record.detail.get("check") == check]


@pytest.mark.requirement("GW-24")
async def test_a_command_variant_that_does_not_suit_the_service_is_refused_with_e12(far_end: FarEnd) -> None:
    await far_end.in_service()
    refused(far_end, await send(far_end, "7.3", command_variant=1), "CK-1 structure", "E12", "command variant 1 for a critical service")


async def test_a_counter_that_no_device_takes_is_refused_on_arrival(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await far_end.dcc.send(far_end.supplier, new_request("11.2", SUPPLIER, ESME, 1 << 63))
    assert outcome.refusal is not None, outcome
    assert outcome.refusal.check == "CK-1 structure"
    assert str(1 << 63) in outcome.why
    assert far_end.home.received == []


@pytest.mark.requirement("GW-25")
async def test_a_stranger_is_refused_with_e1(far_end: FarEnd, keystore: Any) -> None:
    stranger = User(Eui64.parse("90b3d51f30010008"), UserRole.OU, keystore)
    await far_end.in_service()
    refused(far_end, await send(far_end, "11.2", user=stranger), "CK-2 user", "E1", "is no user")


@pytest.mark.requirement("GW-08")
async def test_a_role_that_may_not_send_the_service_is_refused_with_e2(far_end: FarEnd) -> None:
    await far_end.in_service()
    refused(far_end, await send(far_end, "7.3", user=far_end.other), "CK-2 user", "E2", "role OU may not send 7.3")


@pytest.mark.requirement("GW-25")
async def test_a_suspended_user_is_refused_with_e3_and_a_reinstated_one_is_not(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.gateway.suspend(SUPPLIER, "M8 event of default")
    outcome = await send(far_end, "11.2")
    refused(far_end, outcome, "CK-2 user", "E3", "M8 event of default")


@pytest.mark.requirement("GW-09")
async def test_one_identifier_stands_for_one_role(far_end: FarEnd, keystore: Any) -> None:
    await far_end.in_service()
    with pytest.raises(UserEntryError, match="one identifier stands for one role"):
        far_end.dcc.add_user(User(SUPPLIER, UserRole.GS, keystore))


@pytest.mark.requirement("GW-10")
async def test_the_dccs_own_identifier_cannot_become_a_user(far_end: FarEnd, keystore: Any) -> None:
    await far_end.in_service()
    with pytest.raises(UserEntryError, match="own identifier"):
        far_end.dcc.add_user(User(ACB, UserRole.OU, keystore))


@pytest.mark.requirement("GW-26")
async def test_an_unknown_device_is_refused_with_e19(far_end: FarEnd) -> None:
    unknown = Eui64.parse("00db1234567890ff")
    await far_end.in_service()
    refused(far_end, await send(far_end, "11.2", unknown), "CK-3 device status", "E19", "not in the inventory")


async def test_a_service_that_does_not_suit_the_device_is_refused_with_e11(far_end: FarEnd) -> None:
    await far_end.in_service()
    refused(far_end, await send(far_end, "8.9", ESME), "CK-3 device status", "E11", "8.9 does not go to")


@pytest.mark.requirement("GW-26")
@pytest.mark.parametrize("event", ["decommissioned", "withdrawn", "suspended"])
async def test_a_device_out_of_service_is_refused_with_e5(far_end: FarEnd, event: str) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.move(ESME, event, reason="test")
    outcome = await send(far_end, "7.3")
    refused(far_end, outcome, "CK-3 device status", "E5", "ESME")


async def test_a_suspended_device_still_tells_its_firmware_version(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.move(ESME, "suspended", reason="test")
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS


@pytest.mark.requirement("GW-51")
@pytest.mark.requirement("GW-52")
async def test_local_commands_follow_role_and_status(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.move(ESME, "decommissioned", reason="test")
    far_end.dcc.inventory.pre_notify(ESME, DeviceType.ESME, manufacturer="BENCH", model="BENCH", firmware="00000001", user=SUPPLIER)
    assert (await send(far_end, "11.2", command_variant=2)).verdict is Verdict.RETURNED
    outcome = await send(far_end, "11.2", command_variant=2, user=far_end.network)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E17")
    assert "[406]" in outcome.why


@pytest.mark.requirement("GW-27")
async def test_a_supplier_who_is_not_registered_for_the_mpan_is_refused_with_e4(far_end: FarEnd) -> None:
    await far_end.in_service()
    refused(far_end, await send(far_end, "11.2", user=far_end.second), "CK-4 registration", "E4", MPAN)


async def test_an_agent_is_asked_whether_it_was_nominated_for_the_mpan(far_end: FarEnd, keystore: Any) -> None:
    await far_end.in_service()
    agent = User(Eui64.parse("90b3d51f30010008"), UserRole.RSA, keystore)
    far_end.dcc.add_user(agent)
    refused(far_end, await send(far_end, "6.2.1", user=agent), "CK-4 registration", "E4", MPAN)
    far_end.dcc.register_supply(MPAN, UserRole.RSA, agent.eui64)
    outcome = await send(far_end, "6.2.1", user=agent, wait_s=20)
    assert outcome.refusal is None or outcome.refusal.check != "CK-4 registration"


@pytest.mark.requirement("GW-27")
async def test_registration_is_not_asked_for_a_critical_request_since_the_device_itself_rejects_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "7.3", user=far_end.second, wait_s=20)
    assert outcome.refusal is None or outcome.refusal.check != "CK-4 registration"
    assert far_end.home.answers[ESME].executed == []


@pytest.mark.requirement("GW-28")
@pytest.mark.requirement("GW-54")
async def test_a_request_signed_by_another_is_refused(far_end: FarEnd) -> None:
    await far_end.in_service()
    forged = far_end.second.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME))
    outcome = await far_end.dcc.send(far_end.supplier, forged)
    refused(far_end, outcome, "CK-5 credentials", None, "signature")


@pytest.mark.requirement("GW-28")
async def test_a_request_changed_after_signing_is_refused(far_end: FarEnd) -> None:
    await far_end.in_service()
    signed = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME))
    changed = far_end.dcc.gateway.read(write_request(signed).replace(b":1000<", b":1001<"))
    assert not isinstance(changed, Refusal)
    outcome = await far_end.dcc.send(far_end.supplier, changed)
    refused(far_end, outcome, "CK-5 credentials", None, "signature")


@pytest.mark.requirement("GW-29")
async def test_a_certificate_that_has_run_out_is_refused(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.clock._elapsed += 200 * 366 * 86400
    outcome = await send(far_end, "11.2")
    refused(far_end, outcome, "CK-6 certificate", None, "is valid")


@pytest.mark.requirement("GW-30")
@pytest.mark.requirement("GW-32")
async def test_a_volume_above_the_threshold_is_quarantined_and_goes_on_when_released(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.context.thresholds.agree(SUPPLIER, "11.2", 2, 3600)
    outcomes = [await send(far_end, "11.2") for _ in range(3)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.SUCCESS, Verdict.SUCCESS, Verdict.QUARANTINED]
    assert outcomes[2].within_target is None
    (held,) = far_end.dcc.quarantine.messages()
    released = await far_end.dcc.release(held.number)
    assert released is not None
    assert released.verdict is Verdict.SUCCESS, released.why
    assert far_end.dcc.quarantine.messages()[0].state == "released"
    await far_end.clock.sleep(3601)
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS


@pytest.mark.requirement("GW-32")
async def test_responses_go_through_anomaly_detection_too(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.context.thresholds.agree(SUPPLIER, "response", 0, 3600)
    outcome = await send(far_end, "7.3")
    assert outcome.verdict is Verdict.QUARANTINED
    assert far_end.supplier.inbox == []
    await far_end.dcc.release(far_end.dcc.quarantine.messages()[0].number)
    assert len(far_end.supplier.inbox) == 1


@pytest.mark.requirement("GW-54")
async def test_a_repeated_request_identifier_is_refused(far_end: FarEnd) -> None:
    await far_end.in_service()
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    assert (await far_end.dcc.send(far_end.supplier, request)).verdict is Verdict.SUCCESS
    outcome = await far_end.dcc.send(far_end.supplier, request)
    assert outcome.refusal is not None
    assert outcome.refusal.check == "CK-8 duplicate"
    assert len(far_end.home.received) == 1


@pytest.mark.parametrize("counter", [1 << 63, (1 << 64) - 1])
async def test_a_request_identifier_at_the_end_of_its_range_is_refused_by_its_counter(far_end: FarEnd, counter: int) -> None:
    await far_end.in_service()
    request = new_request("11.2", SUPPLIER, ESME, counter)
    refused(far_end, await far_end.dcc.send(far_end.supplier, request), "CK-1 structure", None, str(counter))  # no published code says it
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS, "the user's own counter has not moved"


async def test_the_last_counter_that_a_device_takes_is_served(far_end: FarEnd) -> None:
    await far_end.in_service()
    request = new_request("11.2", SUPPLIER, ESME, (1 << 63) - 1)
    assert (await far_end.dcc.send(far_end.supplier, request)).verdict is Verdict.SUCCESS


@pytest.mark.requirement("GW-17")
async def test_a_signed_pre_command_that_differs_from_the_one_issued_is_refused(far_end: FarEnd, keystore: Any) -> None:
    await far_end.in_service()

    def tamper(request: Any, pre_command: bytes, command_variant: int = 5, **_: Any) -> Any:
        other = bytearray(pre_command)
        other[-1] ^= 1
        signed = with_signature(Message.decode(bytes(other)), keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
        return far_end.supplier.sign(signed_pre_command(request, signed.encode()))

    far_end.supplier.answer = tamper  # type: ignore[method-assign]
    outcome = await send(far_end, "7.3")
    assert outcome.refusal is not None
    assert "not those of the pre-command issued" in outcome.why
    assert far_end.home.received == []


@pytest.mark.requirement("GW-17")
async def test_a_pre_command_signed_with_another_key_is_refused(far_end: FarEnd, keystore: Any) -> None:
    await far_end.in_service()

    def wrong_key(request: Any, pre_command: bytes, command_variant: int = 5, **_: Any) -> Any:
        signed = with_signature(Message.decode(pre_command), keystore.private_key(SECOND, KeyUsage.DIGITAL_SIGNATURE))
        return far_end.supplier.sign(signed_pre_command(request, signed.encode()))

    far_end.supplier.answer = wrong_key  # type: ignore[method-assign]
    outcome = await send(far_end, "7.3")
    assert outcome.refusal is not None
    assert outcome.refusal.check == "signed pre-command"
    assert far_end.home.received == []


@pytest.mark.requirement("GW-17")
async def test_a_signed_pre_command_nobody_issued_is_refused(far_end: FarEnd, keystore: Any) -> None:
    await far_end.in_service()
    request = far_end.dcc.request(far_end.supplier, "7.3", ESME)
    outcome = await far_end.dcc.send(far_end.supplier, request)
    again = far_end.supplier.answer(request, next(one.octets for one in outcome.messages if one.kind == "c"))
    refusal = far_end.dcc.gateway.receive(again)
    assert isinstance(refusal, Refusal)
    assert refusal.check == "CK-8 duplicate"


def test_octets_that_are_no_request_fail_the_structure_check(far_end: FarEnd) -> None:
    refusal = far_end.dcc.gateway.read(b"<sr:Request/>")
    assert isinstance(refusal, Refusal)
    assert refusal.check == "CK-1 structure"


@pytest.mark.requirement("GW-33")
async def test_a_non_device_service_goes_to_the_dcc_itself_and_no_other_target(far_end: FarEnd) -> None:
    await far_end.in_service()
    refused(far_end, await send(far_end, "8.2", ESME, {"DeviceID": ESME}), "CK-1 structure", None, "which the DCC itself executes")


@pytest.mark.requirement("GW-68")
def test_every_check_is_listed_and_every_code_used_is_a_published_one() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "structure",
        "user",
        "device_status",
        "registration",
        "credentials",
        "certificate",
        "anomaly",
        "duplicate",
    ]
    for code in ("E1", "E2", "E3", "E4", "E5", "E11", "E12", "E17", "E19", "E20", "E21", "I0", "I99", "E120201"):
        assert response_codes()[code].confidence == "Q"


@pytest.mark.requirement("GW-12")
@pytest.mark.requirement("GW-11")
def test_the_schedule_holds_every_variant_with_roles_kind_and_criticality() -> None:
    services = schedule()
    assert len(services) == 129
    assert sum(service.critical for service in services.values()) == 37
    assert sum(not service.device_service for service in services.values()) == 16
    assert {service.variant for service in services.values() if service.roles == {UserRole.LC}} == {"7.16"}
    assert all(service.roles for service in services.values())
    assert all(not service.critical for service in services.values() if UserRole.OU in service.roles)


STRANGER_MPAN = "1312345678222"


async def a_stranger(far_end: FarEnd) -> None:
    """Another supplier, registered for a meter of its own; the Device holds the first one alone."""
    await far_end.in_service()
    far_end.dcc.register_supply(STRANGER_MPAN, UserRole.IS, SECOND)


@pytest.mark.parametrize("kind", ["Add", "Remove"])
async def test_a_supplier_makes_no_meter_of_another_its_own_by_adding_it_to_a_hub_or_removing_it(far_end: FarEnd, kind: str) -> None:
    await a_stranger(far_end)
    added = {"JoinTimePeriod": 90, "InstallCode": bytes(16), "ImportMPxN": STRANGER_MPAN}
    body = {"DeviceID": ESME, "RequestType": kind} | ({"AddDeviceToCHFWhitelist": added} if kind == "Add" else {})
    outcome = await send(far_end, "8.11", CHF, body, user=far_end.second)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E4"), outcome.why
    device = far_end.dcc.inventory.listed(ESME)
    assert (device.import_mpxn, device.status, far_end.dcc.inventory.hub_of(ESME)) == (MPAN, "Commissioned", CHF)
    assert (await send(far_end, "7.4", ESME, user=far_end.second)).response_code == "E4"
    assert (await send(far_end, "8.3", None, {"DeviceID": ESME}, user=far_end.second)).verdict is Verdict.REFUSED


async def test_a_supplier_makes_no_gas_proxy_of_another_home_its_own_by_joining_a_meter_of_its_own_with_it(far_end: FarEnd) -> None:
    await a_stranger(far_end)
    hub, meter = Eui64.parse("00db1234567890f1"), Eui64.parse("00db1234567890f2")
    for eui, kind in ((hub, DeviceType.CHF), (meter, DeviceType.ESME)):
        far_end.dcc.pre_notify(eui, kind)
    inventory = far_end.dcc.inventory
    inventory.associate(meter, "chf", hub)
    inventory.describe(meter, import_mpxn=STRANGER_MPAN)
    inventory.put_back("Commissioned", (hub, meter))
    outcome = await send(far_end, "8.7.2", meter, {"OtherDeviceID": GPF}, user=far_end.second)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E4"), outcome.why
    assert "CK-4" in outcome.why
    assert inventory.meters_of(GPF) == ()
