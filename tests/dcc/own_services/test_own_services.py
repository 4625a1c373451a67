"""Services the DCC carries out itself: inventory, pre-notification, decommissioning, hub status, opt in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.wan.channel import Hello
from hil.dcc.base.refusals import OwnServiceRefused
from hil.dcc.base.results import Verdict
from hil.dcc.base.services import schedule
from hil.dcc.gateway.arrival import Arrival
from hil.dcc.own_services.own_services import _ACTIONS, OwnServices, Result
from hil.dcc.own_services.wan_matrix import WanCoverage
from hil.dcc.wan.headend import HubGreeted
from tests.dcc.far_end import ACB, CHF, ESME, GPF, MPAN, NETWORK, PPMID, SUPPLIER, FarEnd
from tests.dcc.messages import NEW, notification, send


@pytest.mark.requirement("INV-14")
@pytest.mark.requirement("GW-33")
async def test_a_pre_notification_lists_the_device_as_pending_with_its_parties_and_is_acknowledged(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "12.2", None, notification(NEW))
    assert (outcome.verdict, outcome.response_code, outcome.within_target) == (Verdict.SUCCESS, "I99", True), outcome.why
    device = far_end.dcc.inventory.listed(NEW)
    assert (device.status, device.notified_by) == ("Pending", SUPPLIER)
    assert far_end.dcc.known_parties.knows(NEW, SUPPLIER)
    again = await send(far_end, "12.2", None, notification(NEW))
    assert again.verdict is Verdict.REFUSED
    assert "listed already" in again.why


@pytest.mark.parametrize(("kind", "registered"), [("ESME", 0), ("PPMID", 132), ("IHD", 128), ("CAD", 130)])
async def test_a_device_is_added_to_the_hubs_log_as_the_kind_that_was_pre_notified(far_end: FarEnd, kind: str, registered: int) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.certify(DeviceType.PPMID, "BENCH", "BENCH", "00000001")
    body = notification(NEW, "IHD" if kind == "CAD" else kind) | {"DeviceType": kind}
    outcome = await send(far_end, "12.2", None, body)
    assert outcome.ok, outcome.why
    added = {"DeviceID": NEW, "RequestType": "Add", "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 90, "InstallCode": bytes(range(16))}}
    outcome = await send(far_end, "8.11", CHF, added)
    command = next(message.octets for message in outcome.messages if message.name == "command")
    assert bytes(range(16)) + bytes([0x16, registered]) in command
    assert far_end.dcc.inventory.registered_type(CHF) is None


@pytest.mark.requirement("INV-02")
async def test_a_model_off_the_certified_products_list_is_refused(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "12.2", None, notification(NEW, DeviceModel="UNKNOWN"))
    assert (outcome.verdict, outcome.hop) == (Verdict.REFUSED, "inventory")
    assert far_end.dcc.inventory.device(NEW) is None


@pytest.mark.requirement("INV-14")
async def test_only_suppliers_pre_notify_meters(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "12.2", None, notification(NEW), user=far_end.network)
    assert "only suppliers add meters" in outcome.why
    assert (await send(far_end, "12.2", None, notification(NEW, "IHD"), user=far_end.network)).verdict is Verdict.SUCCESS


async def test_equal_hub_and_gas_proxy_identifiers_are_refused_with_their_published_code(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "12.2", None, notification(NEW, "CHF", AssociatedGPFDeviceID=NEW))
    assert outcome.response_code == "E120201"


@pytest.mark.requirement("INV-24")
@pytest.mark.requirement("INV-28")
async def test_reading_the_inventory_gives_rows_with_status_history_and_associations_but_no_type_2(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.pre_notify(NEW, DeviceType.TYPE_2)
    far_end.dcc.inventory.associate(NEW, "meter", ESME)
    outcome = await send(far_end, "8.2", None, {"DeviceID": ESME}, user=far_end.other)
    assert (outcome.verdict, outcome.response_code) == (Verdict.SUCCESS, "I0")
    rows = {row["eui"]: row for row in outcome.result["devices"]}  # type: ignore[attr-defined]
    assert set(rows) == {str(ESME), str(CHF), str(GPF)}
    assert (rows[str(ESME)]["status"], rows[str(ESME)]["chf"], rows[str(ESME)]["enrolled"]) == ("Commissioned", str(CHF), True)
    assert [entry["status"] for entry in rows[str(ESME)]["history"]] == ["Pending", "InstalledNotCommissioned", "Commissioned"]


@pytest.mark.requirement("INV-25")
async def test_the_inventory_is_read_by_mpxn_too(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "8.2", None, {"MPxN": MPAN})
    assert {row["eui"] for row in outcome.result["devices"]} == {str(ESME), str(CHF)}  # type: ignore[attr-defined]


@pytest.mark.requirement("INV-29")
async def test_decommissioning_a_meter_tells_its_network_operator(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "8.3", None, {"DeviceID": ESME})
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert far_end.dcc.inventory.listed(ESME).status == "Decommissioned"
    (delivery,) = far_end.network.inbox
    assert (delivery.kind, delivery.code, delivery.device) == ("j", "N1", ESME)
    assert not far_end.dcc.inventory.enrolled(ESME)
    assert far_end.network.eui64 == NETWORK


@pytest.mark.requirement("INV-12")
async def test_an_update_cannot_make_a_device_commissioned(far_end: FarEnd) -> None:
    far_end.notify()
    far_end.home.connect()
    outcome = await send(far_end, "8.4", None, {"DeviceID": CHF, "UpdateDeviceStatusCH": "Commissioned"})
    assert outcome.verdict is Verdict.REFUSED
    assert "first SM WAN contact" in outcome.why
    outcome = await send(far_end, "8.4", None, {"DeviceID": ESME, "UpdateDeviceStatusExceptCH": "InstalledNotCommissioned"})
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert far_end.dcc.inventory.listed(ESME).status == "InstalledNotCommissioned"


async def test_an_update_by_an_other_user_reaches_type_2_devices_only(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "8.4", None, {"DeviceID": ESME, "DeleteDevice": None}, user=far_end.other)
    assert "Type 2 Devices only" in outcome.why
    far_end.dcc.pre_notify(PPMID, DeviceType.TYPE_2)
    assert (await send(far_end, "8.4", None, {"DeviceID": PPMID, "DeleteDevice": None}, user=far_end.other)).verdict is Verdict.SUCCESS
    assert far_end.dcc.inventory.device(PPMID) is None


@pytest.mark.requirement("INV-33")
async def test_opting_in_hands_out_the_brokers_certificates(far_end: FarEnd) -> None:
    await far_end.in_service()
    body = {
        "DeviceID": ESME,
        "DeviceType": "ESME",
        "MPxNs": {"ImportMPxN": MPAN, "SecondaryImportMPAN": "1312345678222", "ExportMPAN": "1312345678333"},
        "OptInDate": datetime(2026, 2, 1, tzinfo=UTC).date(),
    }
    outcome = await send(far_end, "8.6", None, body)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert outcome.result["access_control_broker"] == str(ACB)


def test_the_dcc_carries_out_every_service_that_is_for_no_device() -> None:
    assert set(_ACTIONS) == {variant for variant, service in schedule().items() if not service.device_service}


@pytest.mark.requirement("SVC-12.1")
async def test_the_wan_matrix_tells_what_is_held_about_an_address_and_invents_nothing(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.wan_matrix.cover(WanCoverage("North", True, "Cellular", "High"), postcode="M22 0RR")
    far_end.dcc.wan_matrix.cover(WanCoverage("South", False, "Mesh", "Low", anticipated="2027-01-01"), uprn="100")
    place = {"PostCode": "m220rr", "AddressIdentifier": "1"}
    for user in (far_end.supplier, far_end.network, far_end.other):
        outcome = await send(far_end, "12.1", None, {"PartialAddress": place}, user=user)
        assert (outcome.response_code, outcome.within_target) == ("I0", True), outcome.why
        (found,) = outcome.result["DSPWANMatrixResponse"]  # type: ignore[attr-defined]
        assert (found["CSPRegion"], found["CoverageAvailability"]) == ("North", True)
    by_number = await send(far_end, "12.1", None, {"UPRN": "100"})
    assert by_number.result["DSPWANMatrixResponse"][0]["AnticipatedCoverageDate"] == "2027-01-01"  # type: ignore[index]
    unknown = await send(far_end, "12.1", None, {"UPRN": "7"})
    assert (unknown.verdict, unknown.reason) == (Verdict.REFUSED, "nothing is held about UPRN 7")


REPORTS = {
    "8.14.1": {
        "CHFInstallType": "New CHF Install",
        "MPxN": MPAN,
        "AerialInstall": True,
        "CHFLocation": "Basement or Cellar",
    },
    "8.14.3": {
        "CHFFaultReturnType": "Fault identified prior to installation",
        "OtherDeviceID": ESME,
        "CHFConnectionMethod": "Hot-shoe",
        "CHFFaultReason": "Damaged case",
    },
    "8.14.4": {"CHFNoFaultReturnType": "No Fault Return (general)"},
}


@pytest.mark.parametrize(("variant", "status"), [("8.14.1", "Pending"), ("8.14.3", "Decommissioned"), ("8.14.4", "Decommissioned")])
async def test_what_a_supplier_reports_of_a_hub_is_kept_in_its_words_and_a_returned_hub_is_decommissioned(
    far_end: FarEnd, variant: str, status: str
) -> None:
    far_end.notify()
    far_end.home.connect()
    outcome = await send(far_end, variant, None, {"DeviceID": CHF, **REPORTS[variant]})
    assert (outcome.response_code, far_end.dcc.inventory.listed(CHF).status) == ("I99", status), outcome.why
    (report,) = far_end.dcc.hub_reports.of(CHF)
    assert (report.variant, report.user, report.mpxn) == (variant, SUPPLIER, MPAN if variant == "8.14.1" else None)
    assert report.details["DeviceID"] == CHF.duis
    first, told = next(iter(REPORTS[variant].items()))
    assert report.details[first] == told
    unknown = await send(far_end, variant, None, {"DeviceID": NEW, **REPORTS[variant]})
    assert unknown.response_code == "E19"


@pytest.mark.parametrize("variant", ["8.3", "8.4"])
async def test_a_supplier_of_somebody_elses_device_changes_nothing(far_end: FarEnd, variant: str) -> None:
    await far_end.in_service()
    body = {"DeviceID": ESME} | ({} if variant == "8.3" else {"UpdateDeviceStatusExceptCH": "Pending"})
    outcome = await send(far_end, variant, None, body, user=far_end.second)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E4")
    assert far_end.dcc.inventory.listed(ESME).status == "Commissioned"


async def test_a_service_that_is_refused_after_it_wrote_takes_back_what_it_wrote(far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    await far_end.in_service()
    before = _ACTIONS["12.2"]

    def refused_late(own: OwnServices, arrival: Arrival) -> Result:
        before(own, arrival)
        raise OwnServiceRefused("local-not-asked")

    monkeypatch.setitem(_ACTIONS, "12.2", refused_late)
    outcome = await send(far_end, "12.2", None, notification(NEW))
    assert outcome.refusal is not None
    assert far_end.dcc.inventory.device(NEW) is None
    signed = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "12.2", None, notification(NEW)))
    answered = await far_end.dcc.take(signed)
    assert answered.refusal is not None
    assert answered.refusal.name == outcome.refusal.name == "local-not-asked"
    assert far_end.dcc.inventory.device(NEW) is None


async def test_a_supplier_reports_no_hub_of_another_home_as_returned(far_end: FarEnd) -> None:
    await far_end.in_service()
    for variant in ("8.14.3", "8.14.4"):
        outcome = await send(far_end, variant, None, {"DeviceID": CHF, **REPORTS[variant]}, user=far_end.second)
        assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E4"), outcome.why
    assert far_end.dcc.inventory.listed(CHF).status == "Commissioned"


async def test_a_hub_that_is_pre_notified_takes_no_gpf_from_another(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.certify(DeviceType.CHF, "BENCH", "BENCH", "00000001")
    body = notification(NEW, "CHF") | {"AssociatedGPFDeviceID": GPF}
    outcome = await send(far_end, "12.2", None, body, user=far_end.second)
    assert "is listed already" in outcome.why, outcome.why
    assert far_end.dcc.inventory.hub_of(GPF) == CHF


async def test_a_hub_that_greets_takes_no_gpf_from_another(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.pre_notify(NEW, DeviceType.CHF)
    far_end.dcc.bus.tell(HubGreeted(Hello(NEW, GPF, 1)))
    assert far_end.dcc.inventory.listed(NEW).status == "Commissioned"
    assert far_end.dcc.inventory.hub_of(GPF) == CHF
