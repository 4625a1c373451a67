"""The catalogue: complete, consistent, and readable by every name."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.asn1 import types_by_code
from firmware_emu.gbcs.axdr import KINDS, Integer
from firmware_emu.gbcs.build import build_command
from firmware_emu.gbcs.dlms import AccessRequest, Null, OctetString
from firmware_emu.gbcs.envelope import GroupingHeader, OtherInformation
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.use_cases import CATALOGUE, Protection, UseCase, UseCaseKind, by_code, by_name, decode_payload, find, for_alert
from firmware_emu.ids import CraFlag, Eui64

COMMANDS = [use_case for use_case in CATALOGUE.values() if use_case.kind is UseCaseKind.COMMAND]
PERIOD = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 1, 2, tzinfo=UTC))


def _header(use_case: UseCase) -> GroupingHeader:
    assert use_case.code is not None
    return GroupingHeader(CraFlag.COMMAND, 5, Eui64(b"\x90" + bytes(7)), Eui64(bytes(8)), OtherInformation(use_case.code))


def test_every_row_of_the_reference_is_in_the_catalogue(rtds: Path) -> None:
    rows = list(csv.DictReader((rtds.parent / "reference" / "use-cases.csv").read_text().splitlines()))
    assert len(CATALOGUE) == len(rows)
    for row in rows:
        if row["message_code"]:
            assert by_code(int(row["message_code"], 16)).title == row["title"]
        by_name(row["use_case"]) if row["use_case"] not in ("CS02b", "CS02g") else None


@pytest.mark.parametrize("use_case", CATALOGUE.values(), ids=lambda use_case: use_case.name)
def test_every_row_says_what_it_is_where_it_goes_and_where_it_is_from(use_case: UseCase) -> None:
    assert use_case.title
    assert use_case.targets
    assert use_case.source
    assert by_name(use_case.name) is use_case
    if use_case.code is not None:
        assert by_code(use_case.code) is use_case
    if use_case.kind is UseCaseKind.COMMAND:
        assert use_case.protection is not Protection.UNKNOWN
        assert use_case.payload_kind in ("dlms", "gbz", "asn1")
        assert (use_case.critical is True) is (use_case.protection is Protection.SIGNATURE)


@pytest.mark.parametrize("use_case", COMMANDS, ids=lambda use_case: use_case.name)
def test_every_command_has_a_form_that_its_payload_kind_needs(use_case: UseCase) -> None:
    if use_case.payload_kind == "dlms":
        assert use_case.access_lists
    elif use_case.payload_kind == "gbz":
        assert use_case.gbz_lists
    else:
        assert {cra for code, cra, _ in types_by_code() if code == use_case.code} == {CraFlag.COMMAND, CraFlag.RESPONSE}


@pytest.mark.parametrize("use_case", [u for u in COMMANDS if u.access_lists], ids=lambda use_case: use_case.name)
def test_every_dlms_command_builds_and_asks_only_for_what_its_request_says(use_case: UseCase) -> None:
    for chosen in use_case.access_lists:
        data = {
            place: OctetString(b"given")
            for place, item in enumerate(chosen.items)
            if item.choice.name in ("SET", "ACTION") and item.constant is None and not item.protected and item.shape != "null"
        }
        message = build_command(use_case, _header(use_case), variant=chosen.variant, data=data, period=PERIOD)
        payload = decode_payload(message)
        assert isinstance(payload, AccessRequest)
        assert [part.obis for part in payload.specifications] == [item.obis for item in chosen.items]
        assert (message.signature is None) is (use_case.protection is Protection.SIGNATURE)
        if data:
            with pytest.raises(IdentifierError, match="data item"):
                build_command(use_case, _header(use_case), variant=chosen.variant, period=PERIOD)


def test_every_constant_is_of_a_number_type() -> None:
    for use_case in COMMANDS:
        for chosen in use_case.access_lists:
            for item in chosen.items:
                assert item.constant is None or hasattr(KINDS[item.shape], "octet_count")


def test_reads_of_attributes_build_without_any_value() -> None:
    use_case = by_name("GCS13a")
    payload = decode_payload(build_command(use_case, _header(use_case)))
    assert isinstance(payload, Gbz)
    assert payload.components[0].payload.hex() == "0203010300030000"


def test_what_the_request_must_say_is_named_when_missing() -> None:
    with pytest.raises(IdentifierError, match="period"):
        build_command(by_name("ECS35c"), _header(by_name("ECS35c")))
    with pytest.raises(IdentifierError, match="0 to 0"):
        build_command(by_name("ECS44"), _header(by_name("ECS44")), data={3: Null()})
    with pytest.raises(IdentifierError, match="header"):
        build_command(by_name("ECS44"), _header(by_name("ECS43")))


def test_the_arm_command_of_the_reference_is_built_octet_for_octet() -> None:
    header = GroupingHeader(
        CraFlag.COMMAND, 1000, Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0"), OtherInformation(0x0051)
    )
    assert build_command(by_name("ECS44"), header).encode().hex() == (
        "df090100000000000003e80890b3d51f300100000800db1234567890a00002005115d9200003e8000103000900000a006aff0101120036"
    )
    assert build_command(by_name("ECS42"), GroupingHeader(header.cra, 1, *(header.originator, header.recipient), OtherInformation(0x4F)))
    explicit = build_command(by_name("ECS57"), _header(by_name("ECS57")), data={0: Integer(1)})
    assert Integer(1).encode() in explicit.payload


def test_a_name_is_found_in_any_case_and_by_its_alias() -> None:
    assert by_name("ecs17B").code == 0x0027
    assert by_name("CS02bNOByNO").code == 0x0103
    assert by_name("ECS70Commission") is by_name("ECS70")
    with pytest.raises(IdentifierError, match="CS02bSupplierBySupplier"):
        by_name("CS02b")
    with pytest.raises(IdentifierError):
        by_code(0xFFFF)
    assert find(0xFFFF) is None


def test_an_alert_code_finds_its_use_case_or_the_generic_one() -> None:
    assert for_alert(0x8F12, DeviceType.CHF, critical=False).name == "CS14"
    assert for_alert(0x8F72, DeviceType.GSME, critical=True).name == "FDRA-ZigBee"
    assert for_alert(0x8F1E, DeviceType.ESME, critical=True).code == 0x1000
    assert for_alert(0x810E, DeviceType.ESME, critical=False).code == 0x1001
    with pytest.raises(IdentifierError, match="FDA-CS06"):
        for_alert(0x8F66, DeviceType.ESME, critical=True)


def test_targets_tell_which_devices_a_use_case_is_for() -> None:
    assert by_name("ECS44").applies_to(DeviceType.ESME)
    assert not by_name("ECS44").applies_to(DeviceType.GSME)
    assert by_name("GCS13a").applies_to(DeviceType.GPF)
