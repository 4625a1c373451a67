"""Service requests become the reference messages, octet by octet."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.ids import Eui64
from hil.commands.dcc.dcc import dcc
from hil.dcc.duis import VARIANTS, new_request
from hil.dcc.duis.document import Content
from hil.dcc.transform import (
    DeviceProfile,
    Edition,
    KnownDevice,
    StoredLog,
    TransformContext,
    TransformError,
    select,
    transform,
    use_cases_of,
)
from hil.dcc.transform.check import Checker, TransformReport, reference_devices, run

SUPPLIER, SECOND = Eui64.parse("90b3d51f30010000"), Eui64.parse("90b3d51f30030000")
NETWORK, BROKER = Eui64.parse("90b3d51f30020000"), Eui64.parse("90b3d51f30000002")
METER, GAS, HUB, PROXY = (Eui64.parse(f"00db1234567890a{n}") for n in range(4))
CREATED = datetime(2015, 1, 1, tzinfo=UTC)


def context(device_type: DeviceType, **changes: object) -> TransformContext:
    base = TransformContext(device_type, BROKER, 1302, CREATED)
    return replace(base, **changes)  # type: ignore[arg-type]


def made(variant: str, target: Eui64, device_type: DeviceType, body: dict[str, Content] | None = None, **changes: object) -> Message:
    return transform(new_request(variant, SUPPLIER, target, 1000, body), context(device_type, **changes))


@pytest.fixture(scope="module")
def report(rtds: Path, duis: Path) -> TransformReport:
    return run(duis / "templates", rtds / "4.5.0", Keystore.load(rtds / "keys"), reference_devices())


@pytest.mark.requirement("GW-36")
def test_nine_in_ten_reference_messages_come_out_the_same_and_none_is_unsupported(report: TransformReport) -> None:
    assert report.unsupported == []
    assert report.identical + report.identical_but_signature >= 0.9 * report.pairs


def test_every_message_that_differs_does_so_for_a_reason_that_is_proven(report: TransformReport) -> None:
    assert report.unexplained == []
    kinds = {difference.reason.partition(":")[0] for difference in report.differ}
    assert kinds == {"certificates alone", "the stored device log, which the request only names", "reference gbcs-messages 11"}


def test_a_difference_that_nothing_explains_is_told_and_fails_the_check(rtds: Path, duis: Path, tmp_path: Path) -> None:
    stem = "ECS38_7.12_SUCCESS"
    (tmp_path / "requests").mkdir()
    request = (duis / "templates" / f"{stem}_REQUEST_DUIS.XML").read_text(encoding="utf-8")
    head, tag, rest = request.partition("<sr:RandomisedOffsetLimit>")
    (tmp_path / "requests" / f"{stem}_REQUEST_DUIS.XML").write_text(f"{head}{tag}7<{rest.partition('<')[2]}", encoding="utf-8")
    arguments = [str(tmp_path / "requests"), str(rtds / "4.5.0"), "--keys", str(rtds / "keys")]
    told = CliRunner().invoke(dcc, ["transform-check", *arguments])
    assert told.exit_code == 1
    assert "unexplained" in told.output
    assert json.loads(CliRunner().invoke(dcc, ["transform-check", *arguments, "--json"]).output)["unexplained"]


def test_protection_parameters_name_the_user_that_the_broker_speaks_for(rtds: Path, duis: Path, report: TransformReport) -> None:
    assert "ECS21b_4.14_URP_SUCCESS" in {one.stem for one in report.differ if one.reason.startswith("certificates alone")}


def test_without_the_file_names_only_facts_of_the_device_are_missing(rtds: Path, duis: Path, report: TransformReport) -> None:
    strict = run(duis / "templates", rtds / "4.5.0", Keystore.load(rtds / "keys"), reference_devices(), names=False)
    same = report.identical + report.identical_but_signature
    assert strict.identical + strict.identical_but_signature == same - report.same_by_name
    assert strict.unsupported == []
    more = {difference.stem for difference in strict.differ} - {difference.stem for difference in report.differ}
    assert more == set(report.profile_from_name)
    assert all("the reference is for a Device of" in difference.reason for difference in strict.differ if difference.stem in more)


def test_a_told_device_type_reaches_the_check(rtds: Path, duis: Path) -> None:
    arguments = [str(duis / "templates"), str(rtds / "4.5.0"), "--keys", str(rtds / "keys"), "--no-names", "--json"]
    device = ["--device", f"{METER}=ESME,3phase,twin,user={SUPPLIER},user={NETWORK}"]
    outcome = json.loads(CliRunner().invoke(dcc, ["transform-check", *arguments, *device]).output)
    stems = {difference["stem"] for difference in outcome["differ"]}
    assert "ECS23b_4.10_SUCCESS" not in stems
    assert "ECS23_4.10_SUCCESS" in stems


def test_adding_a_device_is_the_message_of_the_worked_example() -> None:
    body: dict[str, Content] = {
        "DeviceID": METER,
        "RequestType": "Add",
        "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 90, "InstallCode": b"0123456789ABCDEF"},
    }
    request = new_request("8.11", SUPPLIER, HUB, 1002, body)
    expected = (
        "df0901000000000000051608" + "90b3d51f30000002" + "08" + "00db1234567890a2" + "0012000190b3d51f3001000000000000000003ea4d"
        "d920000516000303006800001e0300ff0102006800001e0300ff0302006800001e0300ff0203"
        "0204090800db1234567890a0160109103031323334353637383941424344454616001200" + "5a03ff00"
    )
    assert transform(request, context(DeviceType.CHF)).encode().hex() == expected


def test_a_device_is_added_as_the_kind_that_the_inventory_knows() -> None:
    body: dict[str, Content] = {
        "DeviceID": METER,
        "RequestType": "Add",
        "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 90, "InstallCode": b"0123456789ABCDEF"},
    }
    for told, octet in ((128, "80"), (132, "84"), (None, "00")):
        message = made("8.11", HUB, DeviceType.CHF, body, registered_type_of=lambda _, told=told: told)
        assert "0910" + b"0123456789ABCDEF".hex() + "16" + octet in message.encode().hex()


def test_a_gas_proxy_joins_and_unjoins_by_method_b() -> None:
    kinds = {"device_type_of": lambda _: DeviceType.GSME, "known_party": True}
    joined = made("8.7.2", PROXY, DeviceType.GPF, {"OtherDeviceID": GAS}, **kinds)
    assert joined.message_code == 0x000E
    assert joined.payload.hex() == "3010" + "020102" + "0408" + GAS.octets.hex() + "020100"
    assert made("8.8.2", PROXY, DeviceType.GPF, {"OtherDeviceID": GAS}, **kinds).message_code == 0x0010


def test_the_critical_worked_example_is_a_pre_command_without_a_signature_octet() -> None:
    expected = "df090100000000000003e80890b3d51f300100000800db1234567890a00002005115d9200003e8000103000900000a006aff0101120036"
    message = made("7.3", METER, DeviceType.ESME)
    assert message.signature is None
    assert message.encode().hex() == expected


@pytest.mark.parametrize(
    ("moment", "octets", "seconds"),
    [
        (None, "0000000000000000008000ff", "00000000"),
        ("2030-01-15T09:00:00.00Z", "07ee010fff090000008000ff", "90888138"),
        ("2030-01-15T11:00:00.00+02:00", "07ee010fff090000008000ff", "90888138"),
        ("3000-12-31T00:00:00.00Z", "ffffffffffffffffff8000ff", "ffffffff"),
    ],
)
def test_immediate_future_dated_and_cancelled_commands_carry_their_activation(moment: str | None, octets: str, seconds: str) -> None:
    body: dict[str, Content] = {"Credit": None} if moment is None else {"ExecutionDateTime": moment, "Credit": None}
    assert made("1.6", METER, DeviceType.ESME, body).payload.hex().endswith(octets)
    assert f"804a371c{seconds}940c" in made("1.6", GAS, DeviceType.GSME, body).payload.hex()


def test_an_unknown_party_is_spoken_for_by_the_broker() -> None:
    known, unknown = made("7.4", METER, DeviceType.ESME), made("7.4", METER, DeviceType.ESME, known_party=False)
    assert (known.header.originator, known.header.counter) == (SUPPLIER, 1000)
    assert (unknown.header.originator, unknown.header.counter) == (BROKER, 1302)
    assert unknown.header.other.supplementary_party == SUPPLIER
    assert unknown.header.other.supplementary_counter == 1000
    assert unknown.payload[1:5] == bytes.fromhex("20000516")


def test_a_key_agreement_certificate_in_the_request_makes_the_broker_pass_it_on() -> None:
    period: Content = {"StartDateTime": CREATED, "EndDateTime": CREATED}
    message = made("4.14", METER, DeviceType.ESME, {"ReadLogPeriod": period, "KAPublicSecurityCredentials": b"\x30\x82" + bytes(400)})
    assert message.header.originator == BROKER
    assert message.header.other.supplementary_certificate == b"\x30\x82" + bytes(400)


@pytest.mark.parametrize(
    ("variant", "device_type", "changes", "use_case"),
    [
        ("4.10", DeviceType.ESME, {}, "ECS23"),
        ("4.10", DeviceType.ESME, {"profile": DeviceProfile(phases=3)}, "ECS23b"),
        ("4.10", DeviceType.GSME, {}, "GCS18"),
        ("6.2.4", DeviceType.ESME, {"profile": DeviceProfile(edition=Edition.LEGACY)}, "ECS26e"),
        ("6.2.4", DeviceType.CHF, {}, "ECS26n"),
        ("6.2.10", DeviceType.ESME, {"originator_role": RemotePartyRole.NETWORK_OPERATOR}, "ECS25r2"),
        ("8.9", DeviceType.CHF, {"profile": DeviceProfile(edition=Edition.LEGACY)}, "CCS05"),
        ("8.9", DeviceType.GSME, {}, "CS07"),
        ("11.2", DeviceType.PPMID, {}, "CS08"),
    ],
)
def test_device_type_variant_and_role_decide_the_use_case(
    variant: str, device_type: DeviceType, changes: dict[str, object], use_case: str
) -> None:
    period: Content = {"ReadLogPeriod": {"StartDateTime": CREATED, "EndDateTime": CREATED}}
    body = period if variant == "4.10" else {}
    request = new_request(variant, SUPPLIER, METER, 1, body)  # type: ignore[arg-type]
    assert select(request, context(device_type, **changes)).use_case == use_case


def test_every_device_service_has_a_use_case_and_no_other_service_has() -> None:
    for variant in VARIANTS.values():
        assert bool(use_cases_of(variant.variant)) is (variant.kind != "non_device" or variant.variant in ("8.5",)), variant.variant


def test_what_cannot_be_transformed_says_what_is_missing() -> None:
    with pytest.raises(TransformError, match=r"cannot go to a GPF; expected ESME"):
        made("7.1", PROXY, DeviceType.GPF)
    with pytest.raises(TransformError, match="stored device log"):
        made("8.12.1", HUB, DeviceType.CHF, {"OldCHFID": HUB})
    with pytest.raises(TransformError, match="device type"):
        made("8.7.2", GAS, DeviceType.GSME, {"OtherDeviceID": PROXY})
    with pytest.raises(TransformError, match="counter"):
        made("8.9", HUB, DeviceType.CHF, acb_counter=None)
    with pytest.raises(TransformError, match="four digits"):
        made("9.1", METER, DeviceType.ESME)


def test_a_stored_device_log_is_restored_entry_by_entry() -> None:
    log = StoredLog((KnownDevice(METER, bytes(range(16))), KnownDevice(GAS, bytes(16))), bytes.fromhex("0000000000000140"))
    message = made("8.12.1", HUB, DeviceType.CHF, {"OldCHFID": PROXY}, device_log=lambda eui: log if eui == PROXY else None)
    data = "0202" + "09080000000000000140" + "0102" + "0202090800db1234567890a00910" + bytes(range(16)).hex()
    assert data in message.payload.hex()
    gpf = StoredLog((KnownDevice(METER, device_type=DeviceType.PPMID),))
    restored = made("8.12.2", PROXY, DeviceType.GPF, {"OldGPFID": PROXY}, device_log=lambda _: gpf)
    assert restored.payload.hex() == "3011300f300d040800db1234567890a0020105"


def test_billing_calendars_of_every_periodicity_name_their_dates() -> None:
    def dates(**periodicity: Content) -> list[str]:
        body: dict[str, Content] = {"ElectricityBillingCalendar": {"BillingTime": "06:30:00.00Z", **periodicity}}
        octets = made("6.8", METER, DeviceType.ESME, body).payload.hex()
        return [part[:10] for part in octets.split("0202" + "0904061e0000" + "0905")[1:]]

    assert dates(Daily=None) == ["ffffffffff"]
    assert dates(Weekly=3) == ["ffffffff03"]
    assert dates(Monthly=28) == ["ffffff1cff"]
    months = dates(Quarterly={"DayOfMonth": 2, "BillingPeriodStartMonth": 11})
    assert months == ["ffff0b02ff", "ffff0202ff", "ffff0502ff", "ffff0802ff"]
    assert len(dates(SixMonthly={"DayOfMonth": 2, "BillingPeriodStartMonth": 11})) == 2
    assert len(dates(Yearly={"DayOfMonth": 2, "BillingPeriodStartMonth": 11})) == 1


def test_event_settings_for_polyphase_meters_go_to_polyphase_meters_alone() -> None:
    body: dict[str, Content] = {
        "ElectricitySupplierAlerts": {"SupplierESMECommon": {"x810D": "Enable"}, "SupplierESMEPolyPhase": {"x81B7": "Enable"}}
    }
    single = made("6.22", METER, DeviceType.ESME, body)
    poly = made("6.22", METER, DeviceType.ESME, body, profile=DeviceProfile(phases=3))
    assert bin(int.from_bytes(single.payload[-64:])).count("1") == 2
    assert bin(int.from_bytes(poly.payload[-64:])).count("1") == 4


def test_debts_are_suspended_as_the_request_says_in_both_fuels() -> None:
    def payload(target: Eui64, kind: DeviceType, disabled: bool, emergency: bool) -> str:
        body: Content = {"SuspendDebtDisabled": disabled, "SuspendDebtEmergency": emergency, "DisablementThreshold": 0}
        return made("1.6", target, kind, {"Prepayment": body}).payload.hex()

    wanted = {(True, False): "970c", (False, True): "9700", (True, True): "9704", (False, False): "9708"}
    for (disabled, emergency), configuration in wanted.items():
        assert f"00000000{configuration}00000000" in payload(GAS, DeviceType.GSME, disabled, emergency)
    entries = {key: payload(METER, DeviceType.ESME, *key).count("0203" + "0906") for key in wanted}
    assert entries == {(True, False): 10, (False, True): 13, (True, True): 13, (False, False): 10}


def test_a_command_for_the_device_is_signed_and_maced_as_the_reference_is(rtds: Path) -> None:
    keystore = Keystore.load(rtds / "keys")
    checker = Checker(keystore, reference_devices())
    reference = Message.decode(bytes.fromhex(next(rtds.rglob("CCS02_8.11_SUCCESS_COMMAND_GBCS.HEX")).read_text().strip()))
    request = new_request("8.11", SUPPLIER, HUB, 1002, {"DeviceID": METER, "RequestType": "Remove"})
    message = checker.protected(transform(request, checker.context(request, reference.header.counter)))
    assert message.encode() == reference.encode()
    assert keystore.has_private_key(BROKER, KeyUsage.KEY_AGREEMENT)


@pytest.mark.parametrize(("log", "octet"), [("Event", 0x13), ("GSMEEvent", 0x16), ("Security", 0x04), ("GSMESecurity", 0x07)])
def test_the_gpfs_own_logs_and_its_copies_of_the_gas_meters_are_asked_for_by_different_numbers(log: str, octet: int) -> None:
    period = {"StartDateTime": datetime(2026, 1, 1, tzinfo=UTC), "EndDateTime": datetime(2026, 1, 2, tzinfo=UTC)}
    command = made("6.13", PROXY, DeviceType.GPF, {"ReadLogPeriod": period, "LogToRead": log})
    assert Gbz.decode(command.payload).components[0].payload[0] == octet
