"""Service requests as documents: reading, refusing, building, signing."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from firmware_emu.errors import IdentifierError, ProtectionError
from firmware_emu.ids import Eui64
from hil.dcc.duis import (
    VARIANTS,
    RequestError,
    RequestId,
    ServiceRequest,
    new_request,
    read_request,
    sign_request,
    signed_pre_command,
    validate,
    verify_request,
    write_request,
)
from hil.dcc.duis.request import SERVICE_NAMESPACE, CommandVariant, Node

SUPPLIER = Eui64.parse("90b3d51f30010000")
METER = Eui64.parse("00db1234567890a0")


def disable_supply() -> ServiceRequest:
    return new_request("7.2", SUPPLIER, METER, 1000)


def test_every_template_is_read_and_written_with_the_same_meaning(duis: Path) -> None:
    files = sorted((duis / "templates").glob("*.XML"))
    assert files
    for file in files:
        request = read_request(file.read_bytes())
        again = read_request(write_request(request))
        assert again.request_id == request.request_id, file.name
        assert etree.tostring(again.body, method="c14n") == etree.tostring(request.body, method="c14n"), file.name


def test_every_template_validates_against_the_schema_after_reading(duis: Path) -> None:
    for file in sorted((duis / "templates").glob("*.XML")):
        validate(read_request(file.read_bytes()), duis / "xsd")


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8), st.integers(0, (1 << 64) - 1))
def test_a_request_id_survives_its_text_form(originator: bytes, target: bytes, counter: int) -> None:
    identifier = RequestId(Eui64(originator), Eui64(target), counter)
    assert RequestId.parse(str(identifier)) == identifier


@pytest.mark.parametrize("text", ["", "a:b", "90-B3-D5-1F-30-01-00-00:00-DB-12-34-56-78-90-A0:-1", "1:2:3:4"])
def test_text_that_is_no_request_id_is_refused(text: str) -> None:
    with pytest.raises(IdentifierError):
        RequestId.parse(text)


def test_a_built_request_is_in_schema_order_whatever_the_order_of_the_mapping(duis: Path) -> None:
    body = {"AddDeviceToCHFWhitelist": {"InstallCode": bytes(16), "JoinTimePeriod": 90}, "RequestType": "Add", "DeviceID": METER}
    request = new_request("8.11", SUPPLIER, METER, 7, body)
    assert [etree.QName(child).localname for child in request.body] == ["DeviceID", "RequestType", "AddDeviceToCHFWhitelist"]
    validate(request, duis / "xsd")


def test_command_variants_follow_the_kind_of_service() -> None:
    assert disable_supply().command_variant == 4
    assert new_request("7.4", SUPPLIER, METER, 1).command_variant == 1
    hub = {"DeviceID": METER, "DeviceManufacturer": "AB01", "DeviceModel": "010A030B", "DeviceType": "ESME"}
    assert new_request("12.2", SUPPLIER, METER, 1, hub).command_variant == 8
    assert new_request("7.4", SUPPLIER, METER, 1, command_variant=3).command_variant == 3
    assert len(VARIANTS) == 129


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"RequestType": "Sideways", "DeviceID": METER}, "RequestType"),
        ({"RequestType": "Remove"}, "DeviceID"),
        ({"RequestType": "Remove", "DeviceID": METER, "Colour": "red"}, "Colour"),
        ({"RequestType": "Add", "DeviceID": METER, "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 3601, "InstallCode": bytes(16)}}, "Join"),
    ],
)
def test_a_wrong_element_is_named_with_what_was_expected(body: dict[str, object], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        new_request("8.11", SUPPLIER, METER, 1, body)  # type: ignore[arg-type]


def test_an_error_in_a_document_names_its_line() -> None:
    text = write_request(disable_supply()).replace(b"<sr:CommandVariant>4", b"<sr:CommandVariant>14")
    with pytest.raises(RequestError) as caught:
        read_request(text)
    assert "CommandVariant" in caught.value.element
    assert caught.value.line == next(number for number, line in enumerate(text.splitlines(), 1) if b"CommandVariant" in line)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 200 + b"</a>" * 200,
    ],
)
def test_documents_with_entities_external_parts_or_bottomless_nesting_are_refused(document: bytes) -> None:
    with pytest.raises(RequestError):
        read_request(document)


@given(st.binary(max_size=300))
def test_arbitrary_octets_raise_nothing_but_a_request_error(octets: bytes) -> None:
    with pytest.raises(RequestError):
        read_request(octets)


def test_header_and_body_must_name_the_same_service() -> None:
    text = write_request(disable_supply())
    with pytest.raises(RequestError, match="ArmSupply"):
        read_request(text.replace(b"7.2", b"7.3"))
    with pytest.raises(RequestError, match="ServiceReference"):
        read_request(text.replace(b"<sr:ServiceReference>7.2<", b"<sr:ServiceReference>7.3<"))


def certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test user")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    return builder.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


def test_a_signed_request_verifies_with_the_pinned_certificate_alone() -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    signed = read_request(write_request(sign_request(disable_supply(), key, certificate(key))))
    assert signed.signed
    verify_request(signed, certificate(key))
    with pytest.raises(ProtectionError):
        verify_request(signed, certificate(other))


def test_a_changed_document_no_longer_verifies() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    octets = write_request(sign_request(disable_supply(), key, certificate(key)))
    with pytest.raises(ProtectionError):
        verify_request(read_request(octets.replace(b":1000<", b":1001<")), certificate(key))
    with pytest.raises(ProtectionError):
        verify_request(disable_supply(), certificate(key))


def test_a_signed_pre_command_keeps_the_request_id_and_the_execution_time() -> None:
    request = new_request("1.6", SUPPLIER, METER, 5, {"ExecutionDateTime": "2030-01-15T09:00:00.00Z", "Credit": None})
    returned = signed_pre_command(request, b"\xdf\x09", 6)
    assert returned.is_signed_pre_command
    assert returned.request_id == request.request_id
    assert returned.command_variant == 6
    assert returned.service_reference_variant == "1.6"
    assert b"2030-01-15T09:00:00.00Z" in write_request(returned)


def test_a_command_variant_is_read_as_its_name_also_the_one_that_no_user_may_send() -> None:
    written = write_request(new_request("7.3", SUPPLIER, Eui64.parse("00db1234567890a0"), 1))
    assert read_request(written).command_variant is CommandVariant.TRANSFORM
    internal = written.replace(b"CommandVariant>4<", b"CommandVariant>9<")
    assert read_request(internal).command_variant is CommandVariant.INTERNAL
    with pytest.raises(RequestError, match="CommandVariant: read '0'"):
        read_request(written.replace(b"CommandVariant>4<", b"CommandVariant>0<"))


def _holding(text: str) -> Node:
    return Node(etree.fromstring(f'<a xmlns="{SERVICE_NAMESPACE}"><b>{text}</b></a>'))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2030-01-15T24:00:00Z", datetime(2030, 1, 16, tzinfo=UTC)),
        ("2030-12-31T24:00:00.00+01:00", datetime(2030, 12, 31, 23, tzinfo=UTC)),
        ("2030-01-15T09:00:00.50-02:00", datetime(2030, 1, 15, 11, tzinfo=UTC)),
    ],
)
def test_a_date_time_of_any_zone_and_the_end_of_a_day_are_read(text: str, read: datetime) -> None:
    assert _holding(text).moment("b") == read


@pytest.mark.parametrize(
    "text", ["2030-01-15T09:00:00", "2030-01-15T24:00:01Z", "2030-01-15T25:00:00Z", "9999-12-31T24:00:00Z", "２030-01-15T09:00:00Z"]
)
def test_a_date_time_without_its_zone_or_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=text):
        _holding(text).moment("b")


@pytest.mark.parametrize("text", ["2015-03-28+05:00", "2015-03-2٨Z"])
def test_a_date_of_another_zone_or_other_digits_is_refused(text: str) -> None:
    assert _holding("2015-03-28Z").day("b") == (2015, 3, 28)
    with pytest.raises(RequestError, match="expected a date in UTC"):
        _holding(text).day("b")


@pytest.mark.parametrize("text", ["07:30:00-01:00", "07:3٠:00Z"])
def test_a_time_of_day_of_another_zone_or_other_digits_is_refused(text: str) -> None:
    assert _holding("24:00:00Z").clock("b") == time(0)
    with pytest.raises(RequestError, match="expected a time in UTC"):
        _holding(text).clock("b")


def test_a_time_before_the_year_1000_is_written_with_four_digits() -> None:
    at = datetime(9, 1, 15, tzinfo=UTC)
    assert b">0009-01-15T00:00:00.00Z<" in write_request(new_request("11.2", SUPPLIER, METER, 1, {"ExecutionDateTime": at}))


def test_a_time_of_another_zone_is_written_as_the_same_moment() -> None:
    at = datetime(2030, 1, 15, 11, tzinfo=timezone(timedelta(hours=2)))
    assert b"2030-01-15T09:00:00.00Z" in write_request(new_request("11.2", SUPPLIER, METER, 1, {"ExecutionDateTime": at}))


@pytest.mark.parametrize(
    ("variant", "body", "read"),
    [
        ("1.5", {"PrepaymentMode": {}}, "read none of them, expected one of AdjustMeterBalance, ResetMeterBalance"),
        ("1.5", {}, "read none of them, expected one of PrepaymentMode, CreditMode"),
        ("1.5", {"PrepaymentMode": {"AdjustMeterBalance": 1, "ResetMeterBalance": {}}}, "read AdjustMeterBalance and ResetMeterBalance"),
        ("1.6", {}, "read none of them, expected one of Credit, Prepayment"),
    ],
)
def test_of_a_choice_exactly_one_stands_in_a_request(variant: str, body: dict[str, object], read: str) -> None:
    """Else the DCC takes one of the two for what was asked: 1.5 without either was a reset of the balance."""
    with pytest.raises(RequestError, match=read):
        new_request(variant, SUPPLIER, METER, 5, body)  # type: ignore[arg-type]
