"""Parse reads what the product's encoders write: two implementations of each layout; zigpy is the second party for the types of ZCL."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import zigpy.types as t
from hypothesis import given, settings
from hypothesis import strategies as st
from zigpy.zcl.foundation import DataType, DataTypeId, Status

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs import alert_contents, asn1_types, axdr
from firmware_emu.gbcs.asn1 import Asn1Payload, LengthForm
from firmware_emu.gbcs.asn1_schema import schema_text
from firmware_emu.gbcs.envelope import GroupingHeader, Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.ids import Eui64
from hil.parse_correlate import DecodeError
from hil.parse_correlate.message import asn1, gbz
from hil.parse_correlate.message.alerts import read_alert
from hil.parse_correlate.message.asn1 import DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_CERT_SIGN, read_asn1_alert, read_asn1_response
from hil.parse_correlate.message.dlms import DataNotification, Value, read_value
from hil.parse_correlate.message.envelope import Entity, Octets, read_message
from hil.parse_correlate.message.zcl import Typed, read_zcl
from hil.parse_correlate.parse.mmc.hub import CONTENTS, credentials_outcome
from hil.parse_correlate.parse.mmc.reading import Answer
from hil.parse_correlate.parse.mmc.tree import Element
from hil.parse_correlate.parse.reading import ZCL_STATUSES
from tests.gbcs.gbcs_strategies import FIXED, NUMBERS, clear, headers, sealed, signatures, values
from tests.parse_correlate.numbered import leaves

_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_EUIS = [Eui64(bytes(range(start, start + 8))) for start in range(0x10, 0x90, 8)]
_KEYS = [bytes(range(start, start + 8)) for start in range(0x90, 0xF0, 8)]


def entity(eui: Eui64) -> Entity:
    return Entity(eui.octets)


def response(code: int, type_name: str, value: asn1_types.Asn1Value) -> asn1.Asn1Value:
    """The value that Parse reads, the same from both forms of length."""
    read = [read_asn1_response(code, Asn1Payload(type_name, value, form).encode()).value for form in LengthForm]
    assert read[0] == read[1]
    return read[0]


_CELL = asn1_types.TrustAnchorCell(2, KeyUsage.KEY_AGREEMENT, 1)
_OUTCOME = asn1_types.CredentialsOutcome(
    901,
    7,
    (
        asn1_types.SeqChange(4, 902),
        asn1_types.SeqChange(2, 903, (asn1_types.SpecialistSeq(0, 904),)),
        asn1_types.SeqChange(3, 905, ()),
    ),
    (
        asn1_types.ReplacementOutcome(_CELL, asn1_types.StatusCode.SUCCESS, _EUIS[0], _KEYS[0], _EUIS[1], _KEYS[1]),
        asn1_types.ReplacementOutcome(
            asn1_types.TrustAnchorCell(8, KeyUsage.DIGITAL_SIGNATURE),
            asn1_types.StatusCode.BAD_CERTIFICATE,
            *(_EUIS[2], _KEYS[2], _EUIS[3], _KEYS[3]),
        ),
    ),
)
_READ_OUTCOME = asn1.CredentialsOutcome(
    901,
    7,
    (asn1.CounterChange(4, 902, None), asn1.CounterChange(2, 903, 904), asn1.CounterChange(3, 905, None)),
    (
        asn1.Replacement(asn1.Cell(2, KEY_AGREEMENT, 1), 0, entity(_EUIS[0]), _KEYS[0], entity(_EUIS[1]), _KEYS[1]),
        asn1.Replacement(asn1.Cell(8, DIGITAL_SIGNATURE, 0), 5, entity(_EUIS[2]), _KEYS[2], entity(_EUIS[3]), _KEYS[3]),
    ),
)
_ENTRIES = tuple(asn1_types.DeviceLogEntry(eui, kind) for kind, eui in enumerate(_EUIS[:7]))
_READ_ENTRIES = tuple(asn1.LogEntry(entity(eui), kind) for kind, eui in enumerate(_EUIS[:7]))
_MODES = (*range(0x0100, 0x010A), 0x0125, 0x0126)
"""Message codes of CS02b by credentials replacement mode and of CS02g (GBCS use cases)."""


@pytest.mark.parametrize("code", _MODES)
def test_a_credentials_update_is_read_with_each_of_its_fields(code: int) -> None:
    assert response(code, "UpdateCredentialsResponse", asn1_types.UpdateCredentialsResponse(_OUTCOME)) == asn1.CredentialsUpdated(
        _READ_OUTCOME
    )
    assert response(code, "UpdateCredentialsResponse", asn1_types.UpdateCredentialsResponse()) == asn1.CredentialsUpdated(None)


@pytest.mark.parametrize("code", [0x0008, 0x011B])
def test_credentials_held_are_read_role_by_role(code: int) -> None:
    cells = (
        asn1_types.TrustAnchorCellDetails(KeyUsage.KEY_CERT_SIGN, None, _EUIS[4], _KEYS[4]),
        asn1_types.TrustAnchorCellDetails(KeyUsage.KEY_AGREEMENT, 1, _EUIS[5], _KEYS[5]),
    )
    told = (
        asn1_types.RemotePartyDetails(1, asn1_types.StatusCode.SUCCESS, 77, cells),
        asn1_types.RemotePartyDetails(8, asn1_types.StatusCode.TRUST_ANCHOR_NOT_FOUND),
        asn1_types.RemotePartyDetails(5, asn1_types.StatusCode.SUCCESS, 78),
    )
    assert response(code, "ProvideCredentialsResponse", told) == (
        asn1.RoleDetails(
            1,
            0,
            77,
            (asn1.HeldCell(KEY_CERT_SIGN, 0, entity(_EUIS[4]), _KEYS[4]), asn1.HeldCell(KEY_AGREEMENT, 1, entity(_EUIS[5]), _KEYS[5])),
        ),
        asn1.RoleDetails(8, 25, None, ()),
        asn1.RoleDetails(5, 0, 78, ()),
    )


def test_logs_clocks_and_versions_are_read_with_each_of_their_fields() -> None:
    assert response(0x0013, "ReadDeviceLogResponse", asn1_types.ReadDeviceLogResponse(0, _ENTRIES)) == asn1.DeviceLog(0, _READ_ENTRIES)
    assert response(0x0013, "ReadDeviceLogResponse", asn1_types.ReadDeviceLogResponse(1)) == asn1.DeviceLog(1, None)
    outcomes = tuple(asn1_types.RestoreOutcome(entry, 10 + place) for place, entry in enumerate(_ENTRIES))
    restored = response(0x008C, "RestoreDeviceLogResponse", asn1_types.RestoreDeviceLogResponse(outcomes))
    assert restored == asn1.RestoredLog(tuple((entry, 10 + place) for place, entry in enumerate(_READ_ENTRIES)))
    assert response(0x007F, "SetTimeResponse", asn1_types.SetTimeResponse(_AT, 2)) == asn1.ClockSet(_AT, 2)
    assert response(0x0129, "FirmwareVersionResponse", asn1_types.FirmwareVersionResponse(b"\1\2\3\4", 1)) == asn1.Version(b"\1\2\3\4", 1)
    activated = asn1_types.ActivateFirmwareOutcome(3, b"\5\6\7\x08")
    assert response(0x0012, "ActivateFirmwareOutcome", activated) == asn1.Activated(3, b"\5\6\7\x08")
    assert response(0x0012, "NoContent", None) is None


@pytest.mark.parametrize("code", [0x000A, 0x000B, 0x000C, 0x000D, 0x00AB, 0x000E, 0x00AF, 0x000F, 0x0010])
def test_a_status_alone_is_read_as_its_number(code: int) -> None:
    assert response(code, "ResponseCode", 9) == 9
    if code in (0x000A, 0x000C):
        assert response(code, "Certificate", b"\x30\x03\x02\x01\x07") == b"\x30\x03\x02\x01\x07"


@pytest.mark.parametrize("code", [0x0007, 0x0009, 0x0011, 0x010A, 0x0124, 0x0127, 0x012A, 0x0014])
def test_a_response_of_another_notation_is_refused(code: int) -> None:
    with pytest.raises(DecodeError, match=rf"1 values in a response {code:04x}, expected one of a code"):
        read_asn1_response(code, Asn1Payload("ResponseCode", 9).encode())
    with pytest.raises(DecodeError, match="2 values in a response 000b"):
        read_asn1_response(0x000B, Asn1Payload("ResponseCode", 9).encode() * 2)


@pytest.mark.parametrize(
    ("code", "type_name", "value", "content"),
    [
        (0x00CB, "UpdateCredentialsAlert", asn1_types.UpdateCredentialsAlert(0x8F66, _AT, _OUTCOME), asn1.DelayedUpdate(_READ_OUTCOME)),
        (0x0124, "UpdateCredentialsAlert", asn1_types.UpdateCredentialsAlert(0x8F66, _AT, _OUTCOME), asn1.DelayedUpdate(_READ_OUTCOME)),
        (
            0x00CA,
            "ActivateFirmwareAlert",
            asn1_types.ActivateFirmwareAlert(0x8F66, _AT, 801, asn1_types.ActivateFirmwareOutcome(2, b"\1\2\3\4")),
            asn1.DelayedActivation(801, asn1.Activated(2, b"\1\2\3\4")),
        ),
        (0x00B2, "DeviceLogBackupAlert", asn1_types.DeviceLogBackupAlert(0x8F66, _AT, _ENTRIES), asn1.LogBackup(_READ_ENTRIES)),
        (
            0x0128,
            "FirmwareTransferAlert",
            asn1_types.FirmwareTransferAlert(0x8F66, _AT, _EUIS[6], b"\1\2\3\4", 3),
            asn1.ImageTransfer(entity(_EUIS[6]), b"\1\2\3\4", 3),
        ),
        (
            0x012B,
            "FirmwareActivationAlert",
            asn1_types.FirmwareActivationAlert(0x8F66, _AT, b"\1\2\3\4", 1),
            asn1.ActivationReport(b"\1\2\3\4", 1),
        ),
    ],
)
def test_an_alert_of_asn1_is_read_with_each_of_its_fields(
    code: int, type_name: str, value: asn1_types.Asn1Value, content: asn1.Asn1Content
) -> None:
    read = read_asn1_alert(code, Asn1Payload(type_name, value).encode())
    assert (read.code, read.at, read.content) == (0x8F66, _AT, content)
    with pytest.raises(DecodeError, match=r"expected one of a code"):
        read_asn1_alert(code + 0x1000, Asn1Payload(type_name, value).encode())
    with pytest.raises(DecodeError, match=r"2 values in an alert"):
        read_asn1_alert(code, Asn1Payload(type_name, value).encode() * 2)


def mmc(use_case: str, value: asn1.Asn1Value) -> list[tuple[str, str]]:
    return list(leaves(CONTENTS[use_case](_answer(value))))


def _answer(value: asn1.Asn1Value) -> Answer:
    class Of(Answer):
        @property
        def value(self) -> asn1.Asn1Value:
            return value

    return Of(None, (), (), (), {})  # type: ignore[arg-type]


def named_numbers(type_name: str) -> dict[str, int]:
    """Names of an enumeration of ``gbcs.asn1``."""
    found = re.search(rf"{type_name} ::= \w+ \{{(.*?)\}}", schema_text(), re.DOTALL)
    assert found is not None
    return {name: int(number) for name, number in re.findall(r"(\w+) \((\d+)\)", found[1])}


def test_a_status_of_credentials_is_named_as_the_notation_names_it() -> None:
    for name, number in named_numbers("StatusCode").items():
        told = mmc("CS02a", (asn1.RoleDetails(2, number, None, ()),))
        assert told == [("RemotePartyDetails/RemotePartyRole", "Supplier"), (f"RemotePartyDetails/StatusCode[{number}]/ASN1Status", name)]
    assert mmc("CS02a", (asn1.RoleDetails(2, 1, None, ()),))[1] == ("RemotePartyDetails/StatusCode[1]/ASN1Status", "notKnown")


@pytest.mark.parametrize(
    ("use_case", "element", "names"),
    [
        (
            "CS03A1",
            "joinResponseCode",
            [
                *("success", "invalidMessageCodeForJoinMethodAndRole", "invalidJoinMethodAndRole", "incompatibleWithExistingEntry"),
                *("deviceLogFull", "writeFailure", "keyAgreementNoResources", "keyAgreementUnknownIssuer", "keyAgreementUnsupportedSuite"),
                *("keyAgreementBadMessage", "keyAgreementBadKeyConfirm", "invalidOrMissingCertificate", "noPartnerLinkKeyReceived"),
                *("noCBKEResponse", "notKnown"),
            ],
        ),
        ("CS04B", "unjoinResponseCode", ["success", "otherDeviceNotInDeviceLog", "otherFailure", "notKnown"]),
        (
            "CS02c",
            "IssueCredentialsResponseCode",
            ["success", "invalidKeyUsage", "keyPairGenerationFailed", "cRProductionFailed", "notKnown"],
        ),
        (
            "CS02e",
            "RetrieveDeviceSecurityCredentialsStatusCode",
            ["success", "invalidKeyUsage", "noCertificateHeld", "certificateRetrievalFailure", "notKnown"],
        ),
    ],
)
def test_a_response_code_has_its_name_and_its_number(use_case: str, element: str, names: list[str]) -> None:
    """Order of the names: reference gbcs-messages 6."""
    for number, name in enumerate(names):
        assert mmc(use_case, number) == [(f"{element}[{number}]/ASN1Status", name)]
    assert mmc(use_case, -1) == [(f"{element}[-1]/ASN1Status", "notKnown")]
    if use_case in ("CS02c", "CS02e"):
        assert mmc(use_case, b"\1\2\3") == [
            (f"{element}[0]/ASN1Status", "success"),
            ("CertificationRequest" if use_case == "CS02c" else "Certificate", "AQID"),
        ]
        assert mmc(use_case, None) == []


def test_a_response_without_a_code_is_told_as_one_that_no_name_stands_for() -> None:
    for use_case, element in (
        ("CS03A1", "joinResponseCode"),
        ("CS04B", "unjoinResponseCode"),
        ("CS02d", "UpdateSecurityCredentialsResponseCode"),
    ):
        assert mmc(use_case, None) == [(f"{element}[127]/ASN1Status", "notKnown")]


def test_roles_modes_and_usages_have_their_names() -> None:
    """Role numbers and replacement modes: reference gbcs-messages 6; key usages: RFC 5280 4.2.1.3."""
    roles = {0: "Root", 1: "Recovery", 2: "Supplier", 3: "NetworkOperator", 4: "ACB", 5: "TransCoS", 8: "LoadController"}
    for number in range(10):
        told = dict(mmc("CS02a", (asn1.RoleDetails(number, 0, None, ()),)))
        assert told.get("RemotePartyDetails/RemotePartyRole") == roles.get(number)
    modes = {
        2: "SupplierBySupplier",
        3: "NetworkOperatorByNetworkOperator",
        4: "ACBByACB",
        7: "SupplierByTransCoS",
        11: "LoadControllerBySupplier",
    }
    for number in range(13):
        outcome = dict(leaves(credentials_outcome("Outcome", asn1.CredentialsOutcome(1, number, (), ()))))
        assert outcome.get("Outcome/CredentialsReplacementMode") == modes.get(number)
    usages = [(DIGITAL_SIGNATURE, 0, "DigitalSigning"), (KEY_AGREEMENT, 0, "KeyAgreement"), (KEY_AGREEMENT, 1, "KeyAgreementTopUp")]
    for usage, top_up, name in [*usages, (KEY_CERT_SIGN, 0, "KeyCertSign")]:
        held = asn1.RoleDetails(2, 0, 5, (asn1.HeldCell(usage, top_up, entity(_EUIS[0]), _KEYS[0]),))
        assert dict(mmc("CS02a", (held,)))["RemotePartyDetails/CertificateUsage"] == name


def test_the_outcome_of_an_update_holds_one_change_of_counters_and_three_replacements() -> None:
    four = asn1.CredentialsOutcome(901, 7, _READ_OUTCOME.changes[1:], _READ_OUTCOME.replacements * 2)
    told = list(leaves(credentials_outcome("Outcome", four)))
    assert ("Outcome/RemotePartySeqNumberChange/RemotePartyFloorSeqNumber", "903") in told
    assert ("Outcome/RemotePartySeqNumberChange/RemotePartyPrepaymentTopUpFloorSeqNumber", "904") in told
    assert sum("RemotePartyFloorSeqNumber" in path for path, _ in told) == 1
    assert sum(path.endswith("NewCertificateHash") for path, _ in told) == 3


def test_a_device_of_a_log_has_the_name_of_its_type() -> None:
    """Device types: reference gbcs-messages 6."""
    kinds = ["GSME", "ESME", "CHF", "GPF", "HCALCS", "PPMID", "Type2"]
    told = mmc("CS07", asn1.DeviceLog(0, (*_READ_ENTRIES, asn1.LogEntry(entity(_EUIS[8]), 7))))
    assert [text for path, text in told if path.endswith("DeviceType")] == kinds
    restored = mmc("GCS59", asn1.RestoredLog(((_READ_ENTRIES[5], 4),)))
    assert restored[1:] == [
        ("RestoreDeviceLogOutcome/DeviceLogEntry/DeviceType", "PPMID"),
        ("RestoreDeviceLogOutcome/joinResponseCode[4]/ASN1Status", "deviceLogFull"),
    ]


def test_clock_and_firmware_codes_have_their_names() -> None:
    for number, name in enumerate(("reliable", "invalid", "unreliable", "notKnown")):
        assert mmc("GCS28", asn1.ClockSet(_AT, number)) == [
            ("DeviceTime", "2026-03-04T05:06:07Z"),
            (f"Gas/GasClockTimeStatus[{number}]/ASN1Status", name),
        ]
    for number, name in enumerate(("success", "noImageHeld", "hashMismatch", "activationFailure", "notKnown")):
        assert mmc("CS06", asn1.Activated(number, b"\1\2\3\4")) == [
            (f"ActivateImageResponseCode[{number}]/ASN1Status", name),
            ("FirmwareVersion", "01020304"),
        ]


# -- A-XDR


@pytest.mark.parametrize("number", [one for one in NUMBERS if one is not axdr.Bcd])
def test_a_number_of_each_type_is_read_at_its_bounds(number: type[axdr.Number]) -> None:
    bits = number.octet_count * 8
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if number.signed else (0, (1 << bits) - 1)
    for value in (low, low + 1, 1, 0x12, high):
        octets = axdr.encode_data(number(value))
        assert read_value(Octets(octets)) == Value(number.type_name, value, octets)


def plain(value: axdr.Data) -> object:
    """A value of the product in the terms of Parse."""
    match value:
        case axdr.Array() | axdr.Structure() | axdr.CompactArray():
            return tuple(plain(one) for one in value.elements)
        case axdr.Boolean():
            return value.value
        case axdr.BitString():
            return value.bits
        case axdr.Null():
            return None
        case axdr.OctetString():
            return value.octets
        case axdr.VisibleString() | axdr.Utf8String():
            return value.text
        case axdr.Number():
            return value.value
        case other:
            raise AssertionError(other)


def of_parse(value: Value) -> object:
    if isinstance(value.content, tuple):
        return tuple(of_parse(one) for one in value.content)
    return bool(value.content) if value.kind == "boolean" else value.content


_UNUSED = (axdr.DontCare, axdr.Bcd, *FIXED)


def used(value: axdr.Data) -> bool:
    """True if GBCS uses every type in it."""
    if isinstance(value, axdr.Array | axdr.Structure):
        return all(used(one) for one in value.elements)
    return not isinstance(value, _UNUSED)


@settings(max_examples=25)
@given(values.filter(used))
def test_a_nested_value_is_read_as_it_was_written(value: axdr.Data) -> None:
    octets = axdr.encode_data(value)
    source = Octets(octets)
    read = read_value(source)
    assert (of_parse(read), read.octets, source.left) == (plain(value), octets, 0)


@pytest.mark.parametrize(("deep", "taken"), [(16, True), (17, False)])
def test_a_value_nests_sixteen_levels_and_no_deeper(deep: int, taken: bool) -> None:
    octets = b"\x01\x01" * deep + b"\x11\x05"
    if taken:
        assert read_value(Octets(octets)).octets == octets
    else:
        with pytest.raises(DecodeError, match="nested deeper than 16"):
            read_value(Octets(octets))


# -- envelope, GBZ and ZCL


@settings(max_examples=25)
@given(headers, st.binary(max_size=300), signatures, st.binary(min_size=12, max_size=12))
def test_an_envelope_is_read_field_by_field(header: GroupingHeader, payload: bytes, signature: bytes, mac: bytes) -> None:
    octets = Message(header, payload, signature, mac).encode()
    read = read_message(octets)
    other = header.other
    assert (read.payload, read.signature, read.mac) == (payload, signature, mac)
    assert octets[read.payload_offset : read.payload_offset + len(payload)] == payload
    found = read.header
    assert (found.kind, found.counter, found.originator.octets, found.recipient.octets, found.date_time) == (
        *(int(header.cra), header.counter, header.originator.octets, header.recipient.octets),
        header.date_time,
    )
    assert found.message_code == other.message_code


@settings(max_examples=25)
@given(st.lists(st.one_of(clear, sealed), min_size=1, max_size=5))
def test_a_gbz_payload_is_read_component_by_component(components: list[Component]) -> None:
    written = [component for component in components if not (component.encrypted and component.header_control)]
    if not written:
        return
    read = gbz.read_gbz(Gbz(tuple(written)).encode())
    assert [(one.cluster, one.frame_control, one.sequence, one.command, one.starts, one.encrypted, one.profile_wide) for one in read] == [
        (one.cluster, one.frame_control, one.sequence, one.command, one.from_date_time, one.encrypted, one.profile_wide) for one in written
    ]
    bare = [one.payload.removeprefix(gbz.SEALED_HEADER) if one.encrypted else one.payload for one in written]
    assert [one.payload for one in read] == bare


def attribute(type_id: int, octets: bytes) -> int | bytes:
    """Value of an attribute that a Read Attributes Response carries."""
    payload = b"\x34\x12\x00" + bytes((type_id,)) + octets
    component = gbz.Component(1, 0x0702, b"", None, 0x08, 0, 0x01, payload, 0)
    command = read_zcl(component, payload)
    assert command is not None
    (value,) = command.attributes().values()
    return value


_READ = [*range(0x10, 0x11), *range(0x18, 0x30), 0x30, 0x31, 0xE0, 0xE1, 0xE2, 0xF0]


_STRUCTURED = {0xE0: t.TimeOfDay(1, 2, 3, 4).serialize(), 0xE1: t.Date(1, 2, 3, 4).serialize(), 0xF0: t.EUI64(bytes(8)).serialize()}


@pytest.mark.parametrize("type_id", _READ)
def test_a_zcl_number_has_the_width_and_sign_that_zigpy_gives_its_type(type_id: int) -> None:
    kind = DataType.from_type_id(DataTypeId(type_id)).python_type
    signed = issubclass(kind, t.int_t)
    octets = bytes(range(0xF1, 0xF1 + len(_STRUCTURED.get(type_id) or kind(0).serialize())))
    assert attribute(type_id, octets) == int.from_bytes(octets, "little", signed=signed)
    with pytest.raises(DecodeError):
        attribute(type_id, octets[:-1])


def test_a_zcl_string_stands_behind_its_length_and_ff_says_that_there_is_none() -> None:
    for type_id in (0x41, 0x42):
        assert attribute(type_id, b"\x03abc") == b"abc"
        assert attribute(type_id, b"\xff") == b""
        assert attribute(type_id, b"\xfe" + bytes(0xFE)) == bytes(0xFE)
    for type_id in (0x40, 0x43, 0x17, 0x32, 0xE3, 0xF1):
        with pytest.raises(DecodeError, match=f"read {type_id:02x}, expected a ZCL data type"):
            attribute(type_id, bytes(20))
    assert Typed(0x20, 5) != Typed(0x21, 5)


def test_a_zcl_status_is_named_as_zigpy_names_its_number() -> None:
    theirs = {int(status): status.name.lower().replace("_", " ") for status in Status}
    assert {number: theirs.get(number) for number in ZCL_STATUSES} == ZCL_STATUSES


# -- alerts


def notified(code: int, content: alert_contents.DlmsContent) -> object:
    """Content that Parse reads of an alert with the product's content."""
    stamp = bytes.fromhex("07ea0304ff0506070080 0000".replace(" ", ""))
    items = (axdr.LongUnsigned(0x8F0A), axdr.OctetString(stamp), *content.items())
    alert = read_alert(code, DataNotification(1, read_value(Octets(axdr.encode_data(axdr.Structure(items))))))
    assert (alert.code, alert.at) == (0x8F0A, datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    return alert.content


def test_the_content_of_a_dlms_alert_is_read_field_by_field() -> None:
    from hil.parse_correlate.message import alerts as theirs

    obis, hashed, start, end = bytes(range(1, 7)), bytes(range(32)), bytes(range(12)), bytes(range(20, 32))
    assert notified(0x00CC, alert_contents.FutureDatedDlms(0x1234, 0x1122334455667788, 9000, obis, 7)) == theirs.DelayedDlms(
        0x1234, 0x1122334455667788, 9000, obis, 7
    )
    assert notified(0x00CE, alert_contents.FirmwareReceipt(hashed)) == theirs.ImageReceived(hashed)
    assert notified(0x00F0, alert_contents.MeterIntegrity(9)) == theirs.Integrity(9)
    assert notified(0x0067, alert_contents.SupplyOutage(start, end)) == theirs.Outage(start, end)
    assert notified(0x0120, alert_contents.CommandNotSupported(0x2345, 0x1122334455667788)) == theirs.NotSupported(
        0x2345, 0x1122334455667788
    )
    assert notified(0x0121, alert_contents.LimitProcessed(0x12, end, start, 55)) == theirs.LimitStarted(0x12, end, start, 55)
    assert notified(0x0122, alert_contents.LimitEnded(0x21, 56)) == theirs.LimitEnded(0x21, 56)
    assert notified(0x0123, alert_contents.OperationalUpdate("as told")) == theirs.Operational("as told")
    assert notified(0x0110, alert_contents.SubGhzDevice(_EUIS[0])) == theirs.Unnamed("a Device at sub-GHz (DBCH06, DBCH11)")


def test_an_element_of_mmc_is_text_or_children() -> None:
    assert list(leaves((Element("a", 5), Element("b", None, (Element("c", True),), {"n": "1"})))) == [("a", "5"), ("b[1]/c", "true")]
