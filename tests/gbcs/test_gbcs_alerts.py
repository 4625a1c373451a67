"""Alerts built and read without the reference set."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs import alert_contents as contents
from firmware_emu.gbcs.alerts import (
    DeliveryFailure,
    GbzAlert,
    GbzContent,
    alert_codes,
    alert_name,
    delivery_failure,
    dlms_alert,
    gbz_alert,
    read_alert,
)
from firmware_emu.gbcs.axdr import BitString, LongUnsigned, OctetString, Structure, Unsigned
from firmware_emu.gbcs.dlms import DataNotification, Protected, ProtectionParameters
from firmware_emu.gbcs.gbz import Component
from firmware_emu.gbcs.use_cases import decode_octets
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier

NEW_YEAR = datetime(2015, 1, 1, tzinfo=UTC)
DEVICE = Eui64.parse("00db12345678ff01")
USER = Eui64.parse("90b3d51f30ff1000")
WHEN = bytes.fromhex("07df0101ff000000008000ff")
IDENTIFIER = MessageIdentifier(USER, DEVICE, CraFlag.COMMAND, 12)
SEALED = b"\x31\0\0\0\0" + bytes(20)

DLMS_CASES: list[tuple[int, int, contents.DlmsContent | None]] = [
    (0x1000, 0x8F30, None),
    (0x1001, 0x810E, None),
    (0x0018, 0x8F12, contents.WhitelistBackup(WHEN, bytes(8), ((DEVICE, bytes(16)), (USER, b"")))),
    (0x0061, 0x8F0A, contents.BillingData(Protected(ProtectionParameters(9, DEVICE, USER), SEALED))),
    (0x0067, 0x8F36, contents.SupplyOutage(WHEN, WHEN)),
    (0x00CC, 0x8F66, contents.FutureDatedDlms(0x19, 1000, 20, bytes(6), 10)),
    (0x00CE, 0x8F72, contents.FirmwareReceipt(bytes(32))),
    (0x00F0, 0x81A0, contents.MeterIntegrity(5)),
    (0x0110, 0x8F20, contents.SubGhzDevice(DEVICE)),
    (0x0115, 0x8F2D, contents.SubGhzDevice(DEVICE)),
    (0x0111, 0x8F26, contents.ChannelChanged(BitString(bytes.fromhex("e0000002"), 32), 1)),
    (0x0112, 0x8F28, contents.ScanAssessed(0, 0)),
    (0x0113, 0x8F2A, contents.SubGhzConfiguration(Structure(tuple(Unsigned(n) for n in range(15))))),
    (0x0114, 0x8F2C, contents.MessageDiscarded(IDENTIFIER)),
    (0x0120, 0x8F85, contents.CommandNotSupported(0x11E, 1)),
    (0x0121, 0x8F86, contents.LimitProcessed(21, WHEN, WHEN, 3)),
    (0x0122, 0x8F87, contents.LimitEnded(33, 1)),
    (0x0123, 0x8F88, contents.OperationalUpdate('{"output": 1}')),
]
GBZ_CASES: list[tuple[int, int, GbzContent | None]] = [
    (0x1000, 0x8F30, None),
    (0x00CD, 0x8F66, contents.FutureDatedGbz(0x6B, 1005, 0x0700, 9, 6)),
    (0x00CF, 0x8F72, contents.FirmwareReceipt(bytes(32))),
    (0x00F2, 0x81A0, contents.MeterIntegrity(5)),
    (0x008B, 0x8F0A, Component(0x0702, 0x19, 0, 6, SEALED, None, True)),
]


@pytest.mark.parametrize(("message_code", "alert_code", "content"), DLMS_CASES)
def test_every_dlms_layout_reads_back(message_code: int, alert_code: int, content: contents.DlmsContent | None) -> None:
    octets = dlms_alert(4000, alert_code, NEW_YEAR, content).encode()
    payload = decode_octets(octets, message_code, CraFlag.ALERT)
    assert isinstance(payload, DataNotification)
    alert = read_alert(message_code, payload)
    assert (alert.alert_code, alert.at, alert.content) == (alert_code, NEW_YEAR, content)
    assert payload.invoke_id == 0x20000FA0


@pytest.mark.parametrize(("message_code", "alert_code", "content"), GBZ_CASES)
def test_every_gbz_layout_reads_back(message_code: int, alert_code: int, content: GbzContent | None) -> None:
    octets = gbz_alert(alert_code, NEW_YEAR, content).encode()
    assert octets[2] == (content is not None)
    payload = decode_octets(octets, message_code, CraFlag.ALERT)
    assert isinstance(payload, GbzAlert)
    alert = read_alert(message_code, payload)
    assert (alert.alert_code, alert.at, alert.content) == (alert_code, NEW_YEAR, content)


def test_the_whitelist_alert_of_the_reference_is_built_octet_for_octet() -> None:
    log = ((Eui64.parse("00db1234567890a0"), bytes.fromhex("83fed3407a939723a5c639b26916d506")),)
    content = contents.WhitelistBackup(WHEN, bytes(range(8)), (*log, (Eui64.parse("00db1234567890a1"), log[0][1][:-1] + b"\x05")))
    assert dlms_alert(4000, 0x8F12, NEW_YEAR, content).encode().hex() == (
        "0f20000fa0000203128f12090c07df0101ff000000008000ff0203090c07df0101ff000000008000ff090800010203040506070102"
        "0202090800db1234567890a0091083fed3407a939723a5c639b26916d5060202090800db1234567890a1091083fed3407a939723a5c639b26916d505"
    )


def test_a_delivery_failure_reads_back() -> None:
    payload = delivery_failure(0x8F84, NEW_YEAR, IDENTIFIER)
    again = decode_octets(payload.encode(), 0x00D5, CraFlag.ALERT)
    assert isinstance(again, DeliveryFailure)
    assert again == payload
    assert read_alert(0x00D5, again).content == IDENTIFIER


@given(st.sampled_from([code for code, _, _ in DLMS_CASES + GBZ_CASES] + [0x00D5]), st.binary(max_size=60))
def test_arbitrary_content_raises_decode_errors_only(message_code: int, tail: bytes) -> None:
    for octets in (
        tail,
        b"\x01\x09\x01\x8f\x66\x1c\x37\x4a\x80" + tail,
        b"\x0f\x20\0\0\0\0\x02\x03\x12\x8f\x66\x09\x0c" + WHEN + tail,
        bytes((0x30, 46)) + b"\x02\x03\x00\x8f\x84\x18\x0f20150101000000Z" + tail,
    ):
        try:
            payload = decode_octets(octets, message_code, CraFlag.ALERT)
            assert payload.encode() == octets
            assert isinstance(payload, DataNotification | GbzAlert | DeliveryFailure)
            read_alert(message_code, payload)
        except DecodeError:
            continue


def test_an_alert_of_another_layout_is_refused() -> None:
    payload = DataNotification(0, Structure((LongUnsigned(0x8F20), OctetString(WHEN), OctetString(bytes(7)))))
    with pytest.raises(DecodeError, match="device id"):
        read_alert(0x0110, payload)
    with pytest.raises(DecodeError, match="has none"):
        read_alert(0x1000, payload)


def test_every_alert_code_has_a_name() -> None:
    assert alert_name(0x8F12) == "CHF Device Log Changed"
    assert alert_name(0x8FFF) == "alert 8fff"
    assert all(entry.name and entry.source for entry in alert_codes().values())
