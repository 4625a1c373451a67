"""The inventory's services and rules through the gateway: look-ups, statuses by role, withdrawal, reactivation, exempt areas, systems."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.duis import new_request
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
        pytest.param("8.3", marks=pytest.mark.requirement("SVC-8.3")),
        pytest.param("8.4", marks=pytest.mark.requirement("SVC-8.4")),
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


@pytest.mark.requirement("CH-09")
async def test_no_service_goes_to_a_type_2_device_itself(far_end: FarEnd) -> None:
    """8.7 and 8.8 (Type 2) name it to another Device, and 8.11 to its hub; everything else is refused."""

    await far_end.in_service()
    far_end.dcc.pre_notify(TYPE_2, DeviceType.TYPE_2)
    far_end.dcc.inventory.associate(TYPE_2, "chf", CHF)
    far_end.dcc.store.execute("UPDATE devices SET status = 'Commissioned' WHERE eui = ?", (str(TYPE_2),))
    plain = far_end.dcc.request(far_end.supplier, "7.4", TYPE_2)
    for variant, service in schedule().items():
        request = replace(plain, service_reference_variant=variant)
        arrival = Arrival(request, service, far_end.dcc.inventory.listed(TYPE_2))
        refusal = checks.device_status(far_end.dcc.context, arrival) if service.device_service and service.roles else None
        assert not service.device_service or not service.roles or (refusal is not None and refusal.code == "E11"), variant


@pytest.mark.requirement("GPF-13")
async def test_the_gas_supplier_is_told_when_the_gas_proxy_becomes_commissioned(far_end: FarEnd) -> None:
    await far_end.in_service()
    dcc = far_end.dcc
    dcc.pre_notify(GSME, DeviceType.GSME)
    dcc.inventory.associate(GSME, "chf", CHF)
    dcc.inventory.describe(GSME, import_mpxn="1000999888")
    dcc.store.execute("UPDATE devices SET status = 'Commissioned' WHERE eui = ?", (str(GSME),))
    dcc.register_supply("1000999888", UserRole.GS, far_end.second.eui64)
    join = new_request("8.7.2", far_end.second.eui64, GSME, 1, {"OtherDeviceID": GPF})
    dcc.answers.effects.apply(join, Message(GroupingHeader(CraFlag.RESPONSE, 1, GSME, ACB, OtherInformation(0x000E)), b"\x05\x00"))
    assert dcc.inventory.listed(GPF).status == "Commissioned"
    told = [(delivery.code, delivery.device) for delivery in far_end.second.inbox]
    assert told == [("N16", GPF)]
