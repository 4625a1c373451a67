"""ASN.1 payloads: typed values, both forms of length, arbitrary octets."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import asn1tools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs import asn1_types as types
from firmware_emu.gbcs.asn1 import Asn1Payload, LengthForm, types_by_code
from firmware_emu.gbcs.asn1_schema import kinds, schema_text
from firmware_emu.ids import CraFlag, Eui64
from tests.gbcs.gbcs_strategies import HOSTILE_SECONDS, outcome

euis = st.binary(min_size=8, max_size=8).map(Eui64)
moments = st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
numbers = st.integers(0, 2**64 - 1)
usages = st.one_of(st.sampled_from(KeyUsage), st.builds(types.KeyBits, st.just(b"\x40"), st.just(2)))
cells = st.builds(types.TrustAnchorCell, st.integers(0, 127), usages, st.one_of(st.none(), st.integers(0, 1)))
compact_certificates = st.binary(min_size=130, max_size=250).map(lambda body: bytes((0x30, 0x81, len(body))) + body)
certificates = st.one_of(
    compact_certificates,
    st.binary(min_size=256, max_size=600).map(lambda body: b"\x30\x82" + len(body).to_bytes(2, "big") + body),
)
"""Certificates whose contents are of no concern here, with either form of length."""
entries = st.builds(types.DeviceLogEntry, euis, st.integers(0, 6))
specialists = st.lists(st.builds(types.SpecialistSeq, st.just(0), numbers), max_size=2).map(tuple)
changes = st.lists(st.builds(types.SeqChange, st.integers(0, 8), numbers, st.one_of(st.none(), specialists)), max_size=5).map(tuple)
keys = st.binary(min_size=8, max_size=8)
outcomes = st.builds(
    types.CredentialsOutcome,
    numbers,
    st.integers(0, 11),
    changes,
    st.lists(st.builds(types.ReplacementOutcome, cells, st.sampled_from(types.StatusCode), euis, keys, euis, keys), max_size=9).map(tuple),
)
controls = st.builds(
    types.AuthorisingRemotePartyControl,
    st.integers(0, 11),
    st.one_of(st.none(), st.binary(max_size=32)),
    st.one_of(st.none(), st.just(1)),
    st.one_of(st.none(), cells),
    numbers,
    st.one_of(st.none(), numbers),
    st.one_of(st.none(), specialists),
    st.one_of(st.none(), changes),
)
details = st.builds(types.TrustAnchorCellDetails, usages, st.one_of(st.none(), st.integers(0, 1)), euis, keys)
parties = st.one_of(
    st.builds(types.RemotePartyDetails, st.integers(0, 127), st.just(types.StatusCode.TRUST_ANCHOR_NOT_FOUND)),
    st.builds(
        types.RemotePartyDetails,
        st.integers(0, 127),
        st.just(types.StatusCode.SUCCESS),
        numbers,
        st.lists(details, max_size=4).map(tuple),
    ),
)
replacements = st.lists(st.builds(types.TrustAnchorReplacement, certificates, cells), max_size=3).map(tuple)
values: dict[str, st.SearchStrategy[types.Asn1Value]] = {
    "ProvideCredentialsCommand": st.builds(types.ProvideCredentialsCommand, cells, st.lists(st.integers(0, 127), max_size=8).map(tuple)),
    "ProvideCredentialsResponse": st.lists(parties, max_size=8).map(tuple),
    "UpdateCredentialsCommand": st.builds(
        types.UpdateCredentialsCommand,
        controls,
        replacements,
        st.lists(certificates, max_size=2).map(tuple),
        st.one_of(st.none(), moments, st.just(types.NEVER)),
    ),
    "UpdateCredentialsResponse": st.builds(types.UpdateCredentialsResponse, st.one_of(st.none(), outcomes)),
    "UpdateCredentialsAlert": st.builds(types.UpdateCredentialsAlert, st.just(0x8F66), moments, outcomes),
    "KeyUsageCommand": st.builds(types.KeyUsageCommand, usages),
    "ResponseCode": st.integers(0, 20),
    "Certificate": certificates,
    "CertificationRequest": certificates,
    "JoinCommand": st.builds(types.JoinCommand, st.integers(0, 3), euis, st.integers(0, 6), st.one_of(st.none(), certificates)),
    "UnjoinCommand": euis,
    "ActivateFirmwareCommand": st.builds(
        types.ActivateFirmwareCommand, st.binary(min_size=32, max_size=32), numbers, st.one_of(st.none(), moments)
    ),
    "ActivateFirmwareOutcome": st.builds(types.ActivateFirmwareOutcome, st.integers(0, 3), st.binary(min_size=4, max_size=4)),
    "ActivateFirmwareAlert": st.builds(
        types.ActivateFirmwareAlert,
        st.just(0x8F66),
        moments,
        numbers,
        st.builds(types.ActivateFirmwareOutcome, st.integers(0, 3), st.binary(min_size=4, max_size=4)),
    ),
    "ReadDeviceLogResponse": st.builds(
        types.ReadDeviceLogResponse, st.integers(0, 1), st.one_of(st.none(), st.lists(entries, max_size=30).map(tuple))
    ),
    "FirmwareVersionResponse": st.builds(types.FirmwareVersionResponse, st.binary(min_size=4, max_size=4), st.integers(0, 1)),
    "SetTimeCommand": st.builds(types.SetTimeCommand, moments, moments),
    "SetTimeResponse": st.builds(types.SetTimeResponse, moments, st.integers(0, 2)),
    "RestoreDeviceLogCommand": st.builds(types.RestoreDeviceLogCommand, st.lists(entries, max_size=30).map(tuple)),
    "RestoreDeviceLogResponse": st.builds(
        types.RestoreDeviceLogResponse, st.lists(st.builds(types.RestoreOutcome, entries, st.integers(0, 13)), max_size=20).map(tuple)
    ),
    "DeviceLogBackupAlert": st.builds(types.DeviceLogBackupAlert, st.just(0x8071), moments, st.lists(entries, max_size=20).map(tuple)),
    "FirmwareTransferAlert": st.builds(
        types.FirmwareTransferAlert, st.just(0x8F8A), moments, euis, st.binary(min_size=4, max_size=4), st.integers(0, 3)
    ),
    "FirmwareActivationAlert": st.builds(
        types.FirmwareActivationAlert, st.just(0x8F8B), moments, st.binary(min_size=4, max_size=4), st.integers(0, 1)
    ),
    "NoContent": st.none(),
}


@pytest.mark.parametrize("type_name", sorted(set(types_by_code().values())))
@given(data=st.data())
def test_every_value_decodes_to_itself_in_either_form_of_length(type_name: str, data: st.DataObject) -> None:
    value = data.draw(values[type_name])
    octets = Asn1Payload(type_name, value).encode()
    assert Asn1Payload.decode_as(type_name, octets) == Asn1Payload(type_name, value)
    device = Asn1Payload(type_name, value, LengthForm.DEVICE).encode()
    again = Asn1Payload.decode_as(type_name, device)
    assert again.value == value
    assert again.encode() == device
    assert b"\x81\x80" not in device[:4]


ORACLE = asn1tools.compile_string(schema_text(), "der")
"""The same schema in a DER codec that is not ours."""


@pytest.mark.parametrize("type_name", sorted(name for name in values if kinds()[name].base != "ANY"))
@given(data=st.data())
def test_another_der_codec_reads_every_value_and_writes_the_same_octets(type_name: str, data: st.DataObject) -> None:
    octets = Asn1Payload(type_name, data.draw(values[type_name])).encode()
    native = ORACLE.decode(type_name, octets, check_constraints=True)
    assert ORACLE.encode(type_name, native, check_constraints=True) == octets


@pytest.mark.parametrize(
    ("type_name", "octets", "field"),
    [
        ("ResponseCode", "02020001", "ResponseCode"),
        ("ResponseCode", "0202ff80", "ResponseCode"),
        ("ResponseCode", "0200", "ResponseCode"),
        ("ResponseCode", "02810101", "ResponseCode"),
        ("ResponseCode", "0282000101", "ResponseCode"),
        ("KeyUsageCommand", "3004030207ff", "keyUsage"),
        ("KeyUsageCommand", "300403020880", "keyUsage"),
        ("KeyUsageCommand", "300403020800", "keyUsage"),
        ("KeyUsageCommand", "30020300", "keyUsage"),
        ("KeyUsageCommand", "3003030107", "keyUsage"),
        ("ProvideCredentialsResponse", "300830060201000a0106", "statusCode"),
        ("NoContent", "050100", "NoContent"),
        ("FirmwareVersionResponse", "30080403000000020100", "firmwareVersion"),
        ("UnjoinCommand", "040700112233445566", "UnjoinCommand"),
        ("SetTimeResponse", (b"\x30\x14\x18\x0f20240230000000Z\x02\x01\0").hex(), "deviceTime"),
        ("SetTimeResponse", (b"\x30\x14\x18\x0f2024010100000 Z\x02\x01\0").hex(), "deviceTime"),
        ("SetTimeResponse", (b"\x30\x16\x18\x1120240101000000.5Z\x02\x01\0").hex(), "deviceTime"),
        ("ResponseCode", "02010000", "ResponseCode"),
    ],
)
def test_what_is_not_in_the_distinguished_encoding_is_refused_at_its_field(type_name: str, octets: str, field: str) -> None:
    with pytest.raises(DecodeError) as refused:
        Asn1Payload.decode_as(type_name, bytes.fromhex(octets), 100)
    assert refused.value.field == field
    assert 100 <= refused.value.offset <= 100 + len(octets) // 2


def test_a_payload_keeps_to_one_form_of_length() -> None:
    log = types.RestoreDeviceLogResponse(tuple(types.RestoreOutcome(types.DeviceLogEntry(Eui64(bytes(8)), 1), 0) for _ in range(8)))
    octets = Asn1Payload("RestoreDeviceLogResponse", log).encode()
    assert octets[:2] == b"\x30\x81"
    mixed = octets[:1] + b"\x82\x00" + octets[2:]
    with pytest.raises(DecodeError, match="after one as"):
        Asn1Payload.decode_as("RestoreDeviceLogResponse", mixed)


@pytest.mark.parametrize("key", sorted(types_by_code()), ids=str)
@given(tail=st.binary(max_size=60))
@example(tail=b"\x82\x00")
@example(tail=b"\x80")
@example(tail=b"\x83\x00\x00\x01")
def test_arbitrary_octets_raise_decode_errors_only(key: tuple[int, int, int], tail: bytes) -> None:
    code, cra, first = key
    octets = bytes((first, len(tail))) + tail if len(tail) < 128 and len(tail) % 2 else bytes((first,)) + tail
    result = outcome(lambda: Asn1Payload.decode(octets, code, CraFlag(cra), 50))
    assert 50 <= result.offset <= 50 + len(octets) if isinstance(result, DecodeError) else result.encode() == octets


@given(st.data())
def test_a_damaged_value_raises_a_decode_error_or_encodes_as_it_is(data: st.DataObject) -> None:
    value = data.draw(values["UpdateCredentialsCommand"])
    octets = bytearray(Asn1Payload("UpdateCredentialsCommand", value).encode())
    place = data.draw(st.integers(0, min(len(octets) - 1, 120)))
    octets[place] ^= data.draw(st.integers(1, 255))
    try:
        payload = Asn1Payload.decode_as("UpdateCredentialsCommand", bytes(octets))
    except DecodeError:
        return
    assert payload.encode() == octets


def test_the_response_of_the_reference_keeps_its_three_long_lengths() -> None:
    start = "308200ca0500308200c4020203e80201023012301002010202010030083006020100020100308200a5"
    items = (
        "30343007020102030207800a0100040890b3d51f30010000040844899792d196f4b8040890b3d51f30010000040843046b4fb7c4f11b"
        "30343007020102030203080a0100040890b3d51f3001000004" + "08405b8c62687d8f70040890b3d51f300100000408429667c1b8bb1e34"
        "3037300a020102030203080201010a0100040890b3d51f30010000040841fb49221588c570040890b3d51f3001000004084eb07a1bca0dd58c"
    )
    octets = bytes.fromhex(start + items)
    payload = Asn1Payload.decode(octets, 0x0102, CraFlag.RESPONSE)
    assert payload.form is LengthForm.DEVICE
    assert isinstance(payload.value, types.UpdateCredentialsResponse)
    assert payload.value.outcome is not None
    assert [part.affected_cell.cell_usage for part in payload.value.outcome.replacements] == [None, None, 1]
    assert payload.encode() == octets


def test_a_certificate_keeps_its_own_lengths_inside_a_devices_payload() -> None:
    certificate = b"\x30\x81\xc8" + bytes(200)
    octets = Asn1Payload("JoinCommand", types.JoinCommand(3, Eui64(bytes(8)), 5, certificate), LengthForm.DEVICE).encode()
    assert octets[:4] == b"\x30\x82\x00\xdb"
    assert octets.endswith(certificate)


def test_a_value_of_another_type_is_not_written() -> None:
    with pytest.raises(IdentifierError):
        Asn1Payload("SetTimeCommand", types.JoinCommand(0, Eui64(bytes(8)), 0)).encode()
    with pytest.raises(IdentifierError):
        Asn1Payload("ActivateFirmwareCommand", types.ActivateFirmwareCommand(b"short", 1)).encode()
    with pytest.raises(IdentifierError):
        Asn1Payload("Nothing", None).encode()


def test_every_sequence_of_the_schema_has_its_dataclass() -> None:
    assert {name for name, kind in kinds().items() if kind.base == "SEQUENCE"} == set(types.RECORDS)


def test_a_symmetric_key_is_not_shown() -> None:
    control = types.AuthorisingRemotePartyControl(9, b"\xaa" * 16, None, None, 5)
    assert "aa" * 4 not in repr(control)
    assert "\\xaa" not in repr(control)


@pytest.mark.parametrize(
    "octets",
    [b"\x30\x82\x27\x10" + b"\x30\x80" * 5000, b"\x30\x82\x27\x0e" + b"\x30\x00" * 4999, b"\x30\x82\x26\xfe" + b"\x02\x01\x00" * 3328],
)
def test_hostile_input_is_refused_quickly(octets: bytes) -> None:
    Asn1Payload.decode_as("NoContent", b"\x05\x00")
    started = time.process_time()
    with pytest.raises(DecodeError):
        Asn1Payload.decode(octets, 0x0008, CraFlag.COMMAND)
    assert time.process_time() - started < HOSTILE_SECONDS
