"""The inventory's services and rules through the gateway: look-ups, statuses by role, withdrawal, reactivation, exempt areas, systems."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Outcome, Refusal, Verdict
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.duis.request import CommandVariant, RequestError
from hil.dcc.gateway import arrival as checks
from hil.dcc.gateway.arrival import Arrival
from hil.dcc.inventory.systems import system_of
from hil.dcc.parties.users import User
from tests.dcc.far_end import ACB, CHF, ESME, GPF, GSME, HCALCS, MPAN, PPMID, SUPPLIER, FarEnd
from tests.dcc.messages import COMMISSION, notification, send

NEW = Eui64.parse("00db1234567890f0")
TYPE_2 = Eui64.parse("00db1234567890b0")
OWN_BODIES: dict[str, dict[str, Any]] = {
    "8.2": {"DeviceID": ESME},
    "8.3": {"DeviceID": ESME},
    "8.4": {"DeviceID": NEW, "DeleteDevice": None},
    "8.6": {"DeviceID": ESME, "DeviceType": "ESME", "MPxNs": {"ImportMPxN": MPAN}, "OptInDate": "2026-02-01"},
    "12.2": notification(NEW),
    "5.2": {"DeviceID": ESME},
    "5.3": {"DeviceID": ESME},
    "12.1": {"UPRN": "1"},
}


def in_role(far_end: FarEnd, role: UserRole) -> User:
    """A user in that role; its identity and keys are those of the bench's own parties."""
    there = {UserRole.IS: far_end.supplier, UserRole.ED: far_end.network, UserRole.OU: far_end.other}
    if role in there:
        return there[role]
    far_end.dcc.store.execute("UPDATE users SET role = ? WHERE eui = ?", (role.value, str(far_end.second.eui64)))
    return far_end.second


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param("8.2", marks=pytest.mark.requirement("SVC-8.2")),
        "8.3",
        "8.4",
        pytest.param("8.6", marks=pytest.mark.requirement("SVC-8.6")),
        pytest.param("12.2", marks=pytest.mark.requirement("SVC-12.2")),
        "5.2",
        "5.3",
        "12.1",
    ],
)
@pytest.mark.requirement("GW-76")
async def test_a_service_of_the_dcc_is_open_to_its_roles_and_to_no_other_and_answers_within_its_time(far_end: FarEnd, variant: str) -> None:
    service = schedule()[variant]
    allowed = service.roles or service.roles_2013
    await far_end.in_service()
    far_end.dcc.inventory.certify(DeviceType.ESME, "BENCH", "BENCH", "00000001")
    for role in sorted(set(UserRole) - allowed):
        outcome = await send(far_end, variant, None, OWN_BODIES[variant], user=in_role(far_end, role))
        assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E2"), f"{role}: {outcome.why}"
    for role in sorted(allowed):
        outcome = await send(far_end, variant, None, OWN_BODIES[variant], user=in_role(far_end, role))
        assert outcome.refusal is None or outcome.refusal.check != "CK-2 user", f"{role}: {outcome.why}"
    if variant == "8.4":
        assert (await send(far_end, "12.2", None, notification(NEW))).ok
    if variant in ("8.3", "8.4", "12.2"):
        far_end.dcc.store.execute("DELETE FROM devices WHERE eui = ?", (str(NEW),) if variant == "12.2" else ("",))
        far_end.dcc.store.execute("UPDATE devices SET status = 'Commissioned' WHERE eui = ?", (str(ESME),))
    if variant == "12.1":
        return  # test_own_services checks the answer
    done = await send(far_end, variant, None, OWN_BODIES[variant])
    assert (done.verdict, done.within_target) == (Verdict.SUCCESS, True), done.why
    assert done.target_s == (service.on_demand_s or service.future_dated_s)


@pytest.mark.requirement("INV-07")
@pytest.mark.requirement("INV-08")
@pytest.mark.requirement("INV-34")
async def test_type_1_devices_are_held_and_found_with_their_meter_and_type_2_may_be_tied_to_one(far_end: FarEnd) -> None:
    await far_end.in_service()
    inventory = far_end.dcc.inventory
    for eui, kind in ((PPMID, DeviceType.PPMID), (HCALCS, DeviceType.HCALCS), (GSME, DeviceType.GSME), (TYPE_2, DeviceType.TYPE_2)):
        far_end.dcc.pre_notify(eui, kind)
        inventory.associate(eui, "chf", CHF)
    for eui in (PPMID, HCALCS, TYPE_2):
        inventory.associate(eui, "meter", ESME)
    inventory.associate(GPF, "meter", GSME)
    found = await send(far_end, "8.2", None, {"MPxN": MPAN})
    listed = {row["eui"]: row for row in found.result["devices"]}  # type: ignore[attr-defined]
    assert set(listed) == {str(eui) for eui in (ESME, CHF, PPMID, HCALCS)}
    assert listed[str(PPMID)]["meters"] == [str(ESME)]
    assert {one.eui for one in inventory.look_up(mpxn=MPAN)} - {TYPE_2} == {ESME, CHF, PPMID, HCALCS}
    electricity, gas = system_of(inventory, ESME), system_of(inventory, GSME)
    assert [one.type.name for one in electricity.devices] == ["ESME", "CHF", "PPMID", "HCALCS"]
    assert [one.type.name for one in gas.devices] == ["GSME", "CHF", "GPF"]
    assert electricity.complete
    assert gas.complete
    inventory.dissociate(GPF, "meter", GSME)
    assert not system_of(inventory, GSME).complete
    untied = inventory.listed(TYPE_2)
    inventory.dissociate(TYPE_2, "meter", ESME)
    assert (inventory.listed(TYPE_2), inventory.meters_of(TYPE_2)) == (untied, ())


def opt_out(far_end: FarEnd) -> dict[str, Any]:
    certificate = far_end.keystore.certificate(SUPPLIER, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER)
    authority = far_end.keystore.authority(RemotePartyRole.ISSUING_AUTHORITY).public_bytes(Encoding.DER)
    return {
        "ExecutionDateTime": far_end.clock.datetime(),
        "ACBFloorSeqNumber": 0,
        "ReplacementCertificates": {"KeyAgreementCertificate": certificate},
        "CertificationPathCertificates": {"Certificate": [authority]},
        "ApplyTimeBasedCPVChecks": True,
    }


@pytest.mark.requirement("INV-09")
async def test_a_meter_is_withdrawn_at_non_domestic_premises_alone_and_by_its_registered_supplier(far_end: FarEnd) -> None:
    await far_end.in_service()

    async def ask(**options: Any) -> Outcome:
        return await send(far_end, "8.5", ESME, opt_out(far_end), **options)

    domestic = await ask()
    assert domestic.refusal is not None
    assert "at domestic premises" in domestic.refusal.value
    assert "[175, fn18]" in domestic.refusal.rule
    far_end.dcc.inventory.describe(ESME, domestic=False)  # type: ignore[arg-type]
    stranger = await ask(user=far_end.second)
    assert (stranger.verdict, stranger.response_code) == (Verdict.REFUSED, "E4")
    assert far_end.dcc.inventory.listed(ESME).status == "Commissioned"
    allowed = await ask()
    assert allowed.refusal is None or allowed.refusal.hop != "gateway", "the gateway lets it through to the Device"


@pytest.mark.requirement("INV-36")
@pytest.mark.parametrize("way", ["decommissioned", "withdrawn"])
async def test_a_device_that_left_comes_back_by_a_new_notification_and_is_commissioned_again(far_end: FarEnd, way: str) -> None:
    await far_end.in_service()
    inventory = far_end.dcc.inventory
    if way == "decommissioned":
        assert (await send(far_end, "8.3", None, {"DeviceID": ESME})).ok
    else:
        inventory.move(ESME, "withdrawn", reason="test")
    before = await send(far_end, "8.1.1", ESME, COMMISSION)
    assert before.verdict is Verdict.REFUSED
    assert (await send(far_end, "12.2", None, notification(ESME))).ok
    assert inventory.listed(ESME).status == "Pending"
    inventory.move(ESME, "joined", reason="test")
    assert inventory.commission_refusals(ESME) == ()
    inventory.move(ESME, "commissioned", reason="test")
    statuses = [line.to_status for line in inventory.audit(ESME) if line.from_status != line.to_status]
    assert statuses[-4:] == [way.capitalize(), "Pending", "InstalledNotCommissioned", "Commissioned"]


@pytest.mark.requirement("INV-32")
async def test_nothing_is_enrolled_in_an_area_that_the_statement_of_exemptions_names(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.connect()
    inventory = far_end.dcc.inventory
    inventory.associate(ESME, "chf", CHF)
    inventory.describe(ESME, import_mpxn=MPAN, postcode="ZE2 9HD")
    inventory.move(ESME, "joined", reason="test")
    inventory.exemptions.exempt("ZE2", "statement of 1 January 2026")
    outcome = await send(far_end, "8.1.1", ESME, COMMISSION)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E5")
    assert "(f) postcode ZE2 9HD is in exempt area ZE2" in outcome.reason
    assert not inventory.enrolled(ESME)
    inventory.describe(ESME, postcode="ZE1 0AA")
    assert inventory.commission_refusals(ESME) == ()


@pytest.mark.requirement("INV-35")
async def test_duties_after_installation_are_a_list_that_the_bench_fills(far_end: FarEnd) -> None:
    await far_end.in_service()
    duties = far_end.dcc.check_list
    assert duties.open(ESME) == ()
    duties.add("the meter's MPAN is recorded", lambda device: device.import_mpxn is not None)
    duties.add("the premises are recorded", lambda device: device.postcode is not None)
    assert duties.open(ESME) == ("the premises are recorded",)
    assert duties.all_open() == {ESME: ("the premises are recorded",)}
    far_end.dcc.inventory.describe(ESME, postcode="M22 0RR")
    assert duties.all_open() == {}


@pytest.mark.requirement("SVC-8.6")
async def test_opting_in_gives_the_dccs_public_credentials(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "8.6", None, OWN_BODIES["8.6"])
    assert (outcome.response_code, outcome.result["access_control_broker"]) == ("I0", str(ACB))
    assert {"digital_signature", "key_agreement"} <= set(outcome.result)


@pytest.mark.requirement("SVC-8.3")
async def test_a_decommissioned_meter_is_in_no_service_and_its_network_operator_is_told(far_end: FarEnd) -> None:
    await far_end.in_service()
    stranger = await send(far_end, "8.3", None, {"DeviceID": ESME}, user=far_end.second)
    assert (stranger.verdict, far_end.dcc.inventory.listed(ESME).status) == (Verdict.REFUSED, "Commissioned")
    assert (await send(far_end, "8.3", None, {"DeviceID": ESME})).response_code == "I99"
    assert far_end.dcc.inventory.listed(ESME).status == "Decommissioned"
    assert [delivery.code for delivery in far_end.network.inbox] == ["N1"]
    assert (await send(far_end, "11.2")).response_code == "E5"


@pytest.mark.requirement("SVC-8.4")
async def test_an_update_gives_a_device_the_status_that_it_names_but_never_commissioned(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await send(far_end, "12.2", None, notification(NEW))).ok

    async def update(status: str, **options: Any) -> Outcome:
        return await send(far_end, "8.4", None, {"DeviceID": NEW, "UpdateDeviceStatusExceptCH": status}, **options)

    assert (await update("InstalledNotCommissioned")).response_code == "I99"
    assert far_end.dcc.inventory.listed(NEW).status == "InstalledNotCommissioned"
    with pytest.raises(RequestError, match="expected one of Pending, InstalledNotCommissioned"):
        await update("Commissioned")
    assert (await update("Pending", user=far_end.second)).verdict is Verdict.REFUSED, "another supplier's Device"
    assert (await update("Pending")).ok
    assert [line.to_status for line in far_end.dcc.inventory.audit(NEW)] == ["Pending", "InstalledNotCommissioned", "Pending"]


@pytest.mark.requirement("SVC-12.2")
async def test_a_notified_device_is_pending_with_the_details_it_was_notified_with(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.certify(DeviceType.ESME, "BENCH", "BENCH", "00000001")
    assert (await send(far_end, "12.2", None, notification(NEW))).response_code == "I99"
    listed = far_end.dcc.inventory.listed(NEW)
    assert (listed.status, listed.type, listed.manufacturer, listed.model, listed.firmware, listed.notified_by) == (
        "Pending",
        DeviceType.ESME,
        "BENCH",
        "BENCH",
        "00000001",
        SUPPLIER,
    )
    assert (await send(far_end, "12.2", None, notification(NEW))).verdict is Verdict.REFUSED, "it is listed already"


@pytest.mark.requirement("CH-09")
async def test_a_type_2_device_is_named_by_8_11_and_by_join_and_unjoin_and_no_service_goes_to_itself(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await send(far_end, "12.2", None, notification(TYPE_2, "IHD"))).ok
    addition = {"JoinTimePeriod": 90, "InstallCode": bytes(range(16))}
    added = await send(far_end, "8.11", CHF, {"DeviceID": TYPE_2, "RequestType": "Add", "AddDeviceToCHFWhitelist": addition})
    assert added.ok, added.why
    assert far_end.dcc.inventory.hub_of(TYPE_2) == CHF
    far_end.home.received.clear()
    plain = far_end.dcc.request(far_end.supplier, "7.4", TYPE_2)
    for variant, service in schedule().items():
        if not service.device_service or not service.roles:
            continue
        kind = CommandVariant.TRANSFORM if service.critical else CommandVariant.SEND
        request = replace(plain, service_reference_variant=variant, command_variant=kind)
        arrival = far_end.dcc.gateway.receive(request)
        assert isinstance(arrival, Refusal), variant
        assert arrival.name in ("ck3-device-type", "ck2-role", "ck1-not-on-demand"), variant
        device = checks.device_status(far_end.dcc.context, Arrival(request, service, far_end.dcc.inventory.listed(TYPE_2)))
        assert device is not None, variant
        assert device.code == "E11", variant
    outcome = await send(far_end, "7.4", TYPE_2)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E11")
    assert far_end.home.received == []
