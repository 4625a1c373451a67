"""Whole documents and payloads of messages that the product's encoders wrote: header, clock status, success, results, refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from lxml import etree

from firmware_emu.gbcs import asn1_types, axdr
from firmware_emu.gbcs import dlms as ours
from firmware_emu.gbcs.alerts import GbzAlert, delivery_failure
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier
from hil.parse_correlate import DecodeError, MmcError, gaps, parse, to_mmc
from hil.parse_correlate.message import der, dlms, gbz
from hil.parse_correlate.message.alerts import Unnamed, read_alert, read_undelivered
from hil.parse_correlate.message.envelope import Entity, Octets
from hil.parse_correlate.message.moments import date_time, date_time_text, generalized_time, seconds_text
from hil.parse_correlate.parse.mmc.tree import NAMESPACE

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
USER, METER, HUB = (Eui64.parse(text) for text in ("90b3d51f30010000", "00db1234567890a0", "00db1234567890a2"))


def message(
    code: int, payload: bytes, kind: CraFlag = CraFlag.RESPONSE, date_time: bytes = b"", other: OtherInformation | None = None
) -> bytes:
    header = GroupingHeader(kind, 77, METER, USER, other or OtherInformation(code), date_time)
    return Message(header, payload, b"", bytes(12)).encode()


def document(octets: bytes, variant: str | None = None) -> etree._Element:
    return etree.fromstring(to_mmc(parse(octets), variant))


def words(root: etree._Element, name: str) -> list[str | None]:
    return [element.text for element in root.iter(f"{{{NAMESPACE}}}{name}")]


def answered(*results: ours.AccessResult, choice: ours.Choice = ours.Choice.GET, data: axdr.Data | None = None) -> bytes:
    outcomes = tuple(ours.AccessOutcome(choice, result) for result in results)
    return ours.AccessResponse(ours.invoke_id(5), (data or axdr.Null(),) * len(results), outcomes).encode()


@pytest.mark.parametrize(("status", "word"), [(0x00, "reliable"), (0x02, "unreliable"), (0x04, "reliable"), (0x01, None), (0xFF, None)])
def test_a_time_stamp_tells_the_status_of_the_clock(status: int, word: str | None) -> None:
    """The last octet of the header's date-time (reference gbcs-messages 1.3)."""
    root = document(
        message(0x0053, answered(ours.AccessResult.SUCCESS), date_time=bytes.fromhex("07ea0304ff050607008000") + bytes((status,)))
    )
    (stamp,) = root.iter(f"{{{NAMESPACE}}}Timestamp")
    assert (stamp.text, stamp.get("ClockStatus")) == ("2026-03-04T05:06:07Z", word)


def test_a_header_tells_who_whom_and_which() -> None:
    other = OtherInformation(0x0053, HUB, 88, 99)
    root = document(message(0x0053, answered(ours.AccessResult.SUCCESS), other=other))
    assert words(root, "BusinessOriginatorID") == ["00-DB-12-34-56-78-90-A0"]
    assert words(root, "BusinessTargetID") == ["90-B3-D5-1F-30-01-00-00"]
    assert words(root, "SupplementaryRemotePartyID") == ["00-DB-12-34-56-78-90-A2"]
    names = ("OriginatorCounter", "SupplementaryRemotePartyCounter", "SupplementaryOriginatorCounter", "GBCSHexadecimalMessageCode")
    assert [words(root, name) for name in names] == [["77"], ["88"], ["99"], ["0053"]]
    assert words(root, "Timestamp") == []


def test_the_result_of_each_access_is_told_by_its_code_and_place() -> None:
    """DLMS data access and action results (reference gbcs-messages 5.2)."""
    results = list(ours.AccessResult)
    root = document(message(0x0053, answered(*results)))
    told = [(one.get("Position"), one.get("ResponseCode")) for one in root.iter(f"{{{NAMESPACE}}}COSEMResponse")]
    assert told == [(str(place), str(int(result))) for place, result in enumerate(results, 1)]
    named = {int(result): word for result, word in zip(results, words(root, "DataAccessResult"), strict=True)}
    assert (named[0], named[1], named[15], named[16], named[17], named[250]) == (
        *("success", "hardware-fault", "long-get-aborted", "no-long-get-in-progress", "long-set-aborted", "other-reason"),
    )
    acted = document(message(0x0053, answered(*results, choice=ours.Choice.ACTION)))
    named = {int(result): word for result, word in zip(results, words(acted, "ActionResult"), strict=True)}
    assert [named[code] for code in (0, 15, 16, 17, 18, 19)] == [
        *("success", "long-action-aborted", "no-long-action-in-progress"),
        *("response-code-not-known",) * 3,
    ]


def success(octets: bytes) -> list[str]:
    return [value for element in document(octets).iter() if (value := element.get("MessageSuccess")) is not None]


def component(status: int, command: int = 0x0B) -> Component:
    return Component(0x0702, 0x18, 0, command, bytes((6, status)))


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (message(0x0053, answered(ours.AccessResult.SUCCESS, ours.AccessResult.SUCCESS)), "true"),
        (message(0x0053, answered(ours.AccessResult.SUCCESS, ours.AccessResult.OTHER_REASON)), "false"),
        (message(0x006B, Gbz((component(0), component(0x8B))).encode()), "true"),
        (message(0x006B, Gbz((component(0), component(0x01))).encode()), "false"),
        (message(0x000D, Asn1Payload("ResponseCode", 0).encode()), "true"),
        (message(0x000D, Asn1Payload("ResponseCode", 1).encode()), "false"),
        (message(0x0012, Asn1Payload("NoContent", None).encode()), "true"),
        (message(0x007F, Asn1Payload("SetTimeResponse", asn1_types.SetTimeResponse(AT, 0)).encode()), "true"),
        (message(0x007F, Asn1Payload("SetTimeResponse", asn1_types.SetTimeResponse(AT, 2)).encode()), "false"),
        (message(0x0013, Asn1Payload("ReadDeviceLogResponse", asn1_types.ReadDeviceLogResponse(1)).encode()), "false"),
    ],
)
def test_a_message_succeeds_where_all_of_it_did(octets: bytes, told: str) -> None:
    assert success(octets) == [told]


def test_statuses_of_gas_components_are_told_with_cluster_and_command() -> None:
    root = document(message(0x006B, Gbz((component(0x86), component(0x99))).encode()))
    assert words(root, "ZCLStatus") == ["UNSUPPORTED_ATTRIBUTE", "RESPONSE_CODE_NOT_KNOWN"]
    assert words(root, "CommandID") == ["06", "06"]
    assert [one.get("ResponseCode") for one in root.iter(f"{{{NAMESPACE}}}Status")] == ["86", "99"]
    assert [(one.text, one.get("id")) for one in root.iter(f"{{{NAMESPACE}}}ClusterName")] == [("Metering", "0702")] * 2
    data = [(one.get("sequence"), one.get("name"), one.get("type"), one.get("format")) for one in root.iter(f"{{{NAMESPACE}}}GBCSData")]
    assert data == [
        *(
            ("0", "GBCS message", "gbcs", "plain"),
            ("1", "component 0", "zigbeePlain", "plain"),
            ("2", "component 1", "zigbeePlain", "plain"),
        ),
    ]


def test_a_document_holds_at_most_a_hundred_pieces_of_data() -> None:
    root = document(message(0x0053, answered(*[ours.AccessResult.SUCCESS] * 120)))
    assert [one.get("sequence") for one in root.iter(f"{{{NAMESPACE}}}GBCSData")] == [str(place) for place in range(100)]


def test_an_alert_is_told_by_its_code_its_name_and_its_time() -> None:
    stamp = bytes.fromhex("07ea0304ff050607008000ff")
    body = axdr.Structure((axdr.LongUnsigned(0x8F12), axdr.OctetString(stamp)))
    root = document(message(0x1000, ours.DataNotification(1, body).encode(), CraFlag.ALERT))
    assert words(root, "GBCSHexAlertCode") == ["8F12"]
    assert words(root, "AlertDescription") == ["CHF Device Log Changed"]
    assert words(root, "Timestamp") == ["2026-03-04T05:06:07Z"]
    failure = delivery_failure(0x8F84, AT, MessageIdentifier(USER, METER, CraFlag.COMMAND, 3))
    told = parse(message(0x00D5, failure.encode(), CraFlag.ALERT))
    assert words(etree.fromstring(to_mmc(told)), "GBCSHexAlertCode") == ["8F84"]
    assert (gaps(told) or "").endswith("the message that was not delivered (8F84)")
    read = read_undelivered(failure.encode())
    assert (read.code, read.at, read.originator, read.recipient, read.kind, read.counter) == (
        *(0x8F84, AT, Entity(USER.octets), Entity(METER.octets), 1, 3),
    )


def test_a_command_or_an_unknown_message_has_no_place() -> None:
    request = ours.AccessRequest(1, (ours.Specification(ours.Choice.GET, 3, bytes(range(6)), 2),), (axdr.Null(),)).encode()
    with pytest.raises(MmcError, match="message 0053: is a command"):
        to_mmc(parse(message(0x0053, request, CraFlag.COMMAND)))
    strange = parse(message(0x7777, answered(ours.AccessResult.SUCCESS)))
    assert gaps(strange) == "no service's response element belongs to message code 7777"
    assert gaps(parse(message(0x0053, answered(ours.AccessResult.SUCCESS)))) is None


# -- payloads


def refused(read: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(DecodeError) as caught:
        read()
    return caught.value.offset, caught.value.place, caught.value.problem


SPECIFICATIONS = (
    ours.Specification(ours.Choice.GET, 0x0102, bytes(range(1, 7)), 0x0B),
    ours.Specification(ours.Choice.SET, 7, bytes(range(2, 8)), 3),
    ours.Specification(ours.Choice.ACTION, 9000, bytes(range(3, 9)), 1),
    ours.Specification(ours.Choice.GET_WITH_SELECTION, 7, bytes(range(4, 10)), 2, 1, axdr.Unsigned(9)),
)


def test_an_access_request_is_read_as_the_product_writes_it() -> None:
    data = tuple(axdr.Unsigned(place) for place in range(4))
    octets = ours.AccessRequest(0x20304050, SPECIFICATIONS, data).encode()
    read = dlms.read_access_request(octets, 100)
    assert read.invoke_id == 0x20304050
    assert [(one.choice, one.class_id, one.obis, one.member, one.data.content) for one in read.accesses] == [
        *(("get", 0x0102, "1-2:3.4.5.6", 11, 0), ("set", 7, "2-3:4.5.6.7", 3, 1), ("action", 9000, "3-4:5.6.7.8", 1, 2)),
        ("get", 7, "4-5:6.7.8.9", 2, 3),
    ]
    assert [one.selection and one.selection.content for one in read.accesses] == [None, None, None, 9]
    assert refused(lambda: dlms.read_access_request(octets + b"\0", 100))[::2] == (100 + len(octets), "1 octets more than expected")
    wrong = octets[:7] + b"\x05" + octets[8:]
    assert refused(lambda: dlms.read_access_request(wrong, 100))[1:] == ("choice", "read 05, expected 01 to 04")
    assert refused(lambda: dlms.read_access_request(octets[:6] + b"\x7f" + octets[7:], 0))[1:] == (
        *("specification count", f"read 127, {len(octets) - 7} octets left"),
    )


def test_an_access_response_is_read_as_the_product_writes_it() -> None:
    octets = answered(ours.AccessResult.SUCCESS, ours.AccessResult.OBJECT_UNDEFINED, choice=ours.Choice.SET, data=axdr.Unsigned(7))
    read = dlms.read_access_response(octets, 0)
    assert [(one.choice, one.result, one.data.content) for one in read.answers] == [("set", 0, 7), ("set", 4, 7)]
    for place, octet, problem in (
        (-1, 5, "read 5, expected a data access result"),
        (-2, 4, "read 04, expected 01 to 03"),
        (-5, 3, "read 3, expected 2"),
    ):
        changed = bytearray(octets)
        changed[place] = octet
        assert refused(lambda changed=changed: dlms.read_access_response(bytes(changed)))[2] == problem  # type: ignore[misc]


def test_an_alert_of_gas_says_whether_more_follows() -> None:
    for rest in (b"", b"\x01\x02"):
        read = gbz.read_gbz_alert(GbzAlert(0x8F0A, 0x01020304, rest).encode(), 100)
        assert (read.code, read.seconds, read.rest, read.offset) == (0x8F0A, 0x01020304, rest, 109)
    for more, rest in ((0, b"\x01"), (1, b""), (2, b"\x01")):
        octets = bytes.fromhex("0109") + bytes((more,)) + bytes(6) + rest
        assert refused(lambda octets=octets: gbz.read_gbz_alert(octets))[2] == f"read {more:02x}, {len(rest)} octets follow"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("place", "octet", "problem"),
    [
        (3, 0x21, "read 21, expected bits 0, 1 and 4 alone"),
        (3, 0x02, "read 02, expected the last-component bit 1"),
        (8, 1, "read 01, expected 00"),
        (14, 18, "read 18, 17 octets left"),
        (15, 0x32, "read 3200000000, expected 3100000000"),
    ],
)
def test_a_sealed_component_that_is_not_as_it_should_be_is_told(place: int, octet: int, problem: str) -> None:
    octets = bytearray(Gbz((Component(0x0702, 1, 5, 6, b"\x31\0\0\0\0" + bytes(12), None, True, 9),)).encode())
    assert gbz.read_gbz(bytes(octets))[0].header == b"\x00\x09"
    octets[place] = octet
    assert refused(lambda: gbz.read_gbz(bytes(octets)))[2] == problem


def test_der_is_read_value_by_value() -> None:
    item = der.read_der(bytes.fromhex("300702010502020080"), 100)[0]
    assert [(one.number, one.offset, one.octets.hex()) for one in item.items] == [(5, 104, "020105"), (128, 107, "02020080")][
        : len(item.items)
    ]
    assert der.read_der(bytes.fromhex("02017f"))[0].shortest
    assert not der.read_der(bytes.fromhex("0281017f"))[0].shortest
    assert not der.read_der(bytes.fromhex("04820080") + bytes(128))[0].shortest
    assert der.read_der(bytes.fromhex("048180") + bytes(128))[0].shortest
    assert der.read_der(bytes.fromhex("04820100") + bytes(256))[0].shortest
    assert [der.read_der(octets)[0].text() for octets in (b"\x02\x01\xff", b"\x0a\x01\x05", b"\x04\x01\xab", b"\x18\x03abc")] == [
        "-1",
        "5",
        "ab",
        "abc",
    ]
    certificate = bytes.fromhex("3009" + "3007" + "a003020102" + "0500")
    assert der.read_der(certificate)[0].is_certificate
    assert der.read_der(certificate)[0].text() == "certificate of 11 octets"
    assert not der.read_der(bytes.fromhex("3005" + "3003" + "020101"))[0].is_certificate
    nested = b"\x05\x00"
    for deep in range(10):
        if deep < 9:
            assert der.read_der(nested)
        else:
            assert refused(lambda nested=nested: der.read_der(nested))[2] == "nested deeper than 8"  # type: ignore[misc]
        nested = bytes((0x30, len(nested))) + nested
    for wrong in ("1f0100", "0480", "0402ff"):
        with pytest.raises(DecodeError):
            der.read_der(bytes.fromhex(wrong))


def test_lengths_of_an_envelope_are_in_their_shortest_form() -> None:
    for octets, length in (("7f", 127), ("8180", 128), ("81ff", 255), ("820100", 256), ("82ffff", 65535), ("83010000", 65536)):
        assert Octets(bytes.fromhex(octets)).length("x") == length
    for octets in ("817f", "8200ff", "8300ffff"):
        assert "is not in its shortest form" in refused(lambda octets=octets: Octets(bytes.fromhex(octets)).length("x"))[2]  # type: ignore[misc]
    for octets in ("80", "84000000ff"):
        assert "at most three octets" in refused(lambda octets=octets: Octets(bytes.fromhex(octets)).length("x"))[2]  # type: ignore[misc]


def test_times_are_read_with_their_deviation_and_told_in_words() -> None:
    """IEC 62056-6-2 4.1.6.1: deviation in minutes from local time to UTC, 8000 not specified."""
    for octets, told in (
        ("0000", "2026-03-04T05:06:07Z"),
        ("003c", "2026-03-04T06:06:07Z"),
        ("ffc4", "2026-03-04T04:06:07Z"),
        ("8000", "2026-03-04T05:06:07Z"),
    ):
        assert date_time_text(bytes.fromhex(f"07ea0304ff05060700{octets}ff")) == told
    assert date_time_text(bytes(9) + bytes.fromhex("8000ff")) == "now"
    assert date_time_text(b"\xff" * 9 + bytes.fromhex("8000ff")) == "never"
    assert date_time_text(bytes.fromhex("ffff0304ff050607008000ff")) == "ffff0304ff050607008000ff"
    assert date_time(bytes(11)) is None
    assert date_time(bytes(13)) is None
    assert [seconds_text(count) for count in (0, 1, 0xFFFFFFFE, 0xFFFFFFFF)] == [
        "now",
        "2000-01-01T00:00:01Z",
        "2136-02-07T06:28:14Z",
        "never",
    ]
    assert generalized_time(b"20260304050607Z") == AT
    assert generalized_time(b"20261304050607Z") is None


def test_text_of_a_visible_string_is_ascii() -> None:
    assert dlms.read_value(Octets(b"\x0c\x02\xc3\xa9")).content == "\u00e9"
    assert refused(lambda: dlms.read_value(Octets(b"\x0a\x02\xc3\xa9")))[1] == "visible-string"
    assert refused(lambda: dlms.read_value(Octets(b"\x0c\x01\xc3")))[1] == "utf8-string"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        *((0x0018, "device log"), (0x0110, "a Device at sub-GHz"), (0x0115, "a Device at sub-GHz"), (0x0111, "sub-GHz channel")),
        *((0x0112, "channel scan"), (0x0113, "sub-GHz configuration"), (0x0114, "message that was discarded")),
    ],
)
def test_an_alert_whose_content_has_no_element_says_what_it_is(code: int, what: str) -> None:
    """Message codes: reference gbcs-messages 7.2."""
    stamp = axdr.OctetString(bytes.fromhex("07ea0304ff050607008000ff"))

    def of(*items: axdr.Data) -> dlms.DataNotification:
        return dlms.DataNotification(1, dlms.read_value(Octets(axdr.Structure((axdr.LongUnsigned(1), stamp, *items)).encode())))

    content = read_alert(code, of(axdr.Unsigned(1))).content
    assert isinstance(content, Unnamed)
    assert what in content.what
    assert refused(lambda: read_alert(code, of()))[2] == "0 values behind code and time, expected 1"
    assert refused(lambda: read_alert(code, of(*[axdr.Unsigned(1)] * 2)))[2] == "2 values behind code and time, expected 1"
