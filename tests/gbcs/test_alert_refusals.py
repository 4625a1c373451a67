"""Alerts and ZCL payloads: each refusal names the item, what was read and where; layouts hold their widths."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs import alert_contents as contents
from firmware_emu.gbcs.alerts import Alert, DeliveryFailure, GbzAlert, delivery_failure, dlms_alert, gbz_alert, read_alert
from firmware_emu.gbcs.axdr import Array, BitString, Data, LongUnsigned, OctetString, Structure, Unsigned, Utf8String, VisibleString
from firmware_emu.gbcs.dlms import DataNotification, Protected, ProtectionParameters
from firmware_emu.gbcs.gbz import Component
from firmware_emu.gbcs.zcl_layouts import LayoutValue, decode_zcl, encode_zcl, layout_of
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
STAMP = bytes.fromhex("07ea0304ff050607008000ff")
ONE, OTHER = Eui64(bytes(range(1, 9))), Eui64(bytes(range(11, 19)))


def refused(read: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(DecodeError) as caught:
        read()
    return caught.value.offset, caught.value.field, caught.value.problem


def alert(code: int, *items: Data) -> Alert:
    return read_alert(code, DataNotification(1, Structure((LongUnsigned(0x8F0A), OctetString(STAMP), *items))), 100)


def octets(size: int) -> OctetString:
    return OctetString(bytes(size))


@pytest.mark.parametrize(
    ("code", "items", "field", "problem"),
    [
        (0x00CC, (), "alert", "0 items after the time stamp, expected 1"),
        (0x00CC, (octets(19), octets(1)), "alert", "2 items after the time stamp, expected 1"),
        (0x00CC, (octets(18),), "future dated instruction", "expected an octet-string of 19 as item 1 after the time stamp"),
        (0x00CE, (octets(31),), "image hash", "expected an octet-string of 32 as item 1 after the time stamp"),
        (0x00F0, (octets(3),), "meter integrity issue", "expected an octet-string of 2 as item 1 after the time stamp"),
        (0x0061, (Array(()), octets(20)), "billing data", "expected protection parameters and an encrypted octet-string"),
        (0x0067, (octets(12), octets(11)), "restoration", "expected an octet-string of 12 as item 2 after the time stamp"),
        (0x0067, (octets(13), octets(12)), "outage start", "expected an octet-string of 12 as item 1 after the time stamp"),
        (0x0067, (octets(12),), "alert", "1 items after the time stamp, expected 2"),
        (0x0018, (Structure((octets(12), octets(8))),), "backup", "expected a structure of 3 after the time stamp"),
        (0x0018, (Structure((octets(12), octets(8), octets(1))),), "device log", "expected an array of devices"),
        (
            0x0018,
            (Structure((octets(12), octets(7), Array(()))),),
            "extended PAN id",
            "expected an octet-string of 8 as item 2 after the time stamp",
        ),
        (0x0018, (Structure((octets(12), octets(8), Array((octets(8),)))),), "device log entry", "expected a structure of device and hash"),
        (
            0x0018,
            (Structure((octets(12), octets(8), Array((Structure((octets(7), octets(0))),)))),),
            "device id",
            "expected an octet-string of 8 as item 1 after the time stamp",
        ),
        (
            0x0018,
            (Structure((octets(12), octets(8), Array((Structure((octets(8), Unsigned(1))),)))),),
            "hashed link key",
            "expected an octet-string as item 2 after the time stamp",
        ),
        (0x0110, (octets(9),), "device id", "expected an octet-string of 8 as item 1 after the time stamp"),
        (0x0111, (Structure((BitString(bytes(4), 31), octets(1))),), "channel", "expected a bit-string of 32"),
        (
            0x0111,
            (Structure((BitString(bytes(4), 32), octets(2))),),
            "trigger",
            "expected an octet-string of 1 as item 2 after the time stamp",
        ),
        (0x0112, (Structure((octets(1), octets(0))),), "trigger", "expected an octet-string of 1 as item 2 after the time stamp"),
        (0x0112, (Structure((octets(1),)),), "scan assessment", "expected a structure of 2 after the time stamp"),
        (0x0113, (Structure((Unsigned(1),) * 14),), "sub-GHz configuration", "expected a structure of 15 after the time stamp"),
        (0x0114, (octets(24),), "message identifier", "expected an octet-string of 25 as item 1 after the time stamp"),
        (0x0114, (octets(25),), "CRA flag", "read 0, expected 1 command, 2 response or 3 alert"),
        (0x0120, (octets(11),), "unsupported command", "expected an octet-string of 10 as item 1 after the time stamp"),
        (0x0121, (octets(1), octets(12), octets(12), Unsigned(1)), "controller", "expected an unsigned as item 1 after the time stamp"),
        (0x0121, (Unsigned(1), octets(12), octets(12), octets(1)), "level", "expected an unsigned as item 4 after the time stamp"),
        (
            0x0121,
            (Unsigned(1), octets(12), octets(11), Unsigned(1)),
            "start",
            "expected an octet-string of 12 as item 3 after the time stamp",
        ),
        (0x0121, (Unsigned(1), octets(12), octets(12)), "alert", "3 items after the time stamp, expected 4"),
        (0x0122, (Unsigned(1), octets(1)), "level", "expected an unsigned as item 2 after the time stamp"),
        (0x0123, (VisibleString("x"),), "operational update", "expected a utf8-string"),
        (0x1000, (Unsigned(1),), "alert", "1 items after the time stamp, message 1000 has none"),
    ],
)
def test_an_item_that_an_alert_must_not_have_is_told_by_its_place(code: int, items: tuple[Data, ...], field: str, problem: str) -> None:
    """Layouts: reference gbcs-messages 7.2. The items begin 25 octets into the payload."""
    assert refused(lambda: alert(code, *items)) == (125, field, problem)


@pytest.mark.parametrize(
    ("body", "offset", "field", "problem"),
    [
        (Unsigned(1), 106, "alert", "expected a structure of alert code, time stamp and content"),
        (Structure((LongUnsigned(1),)), 106, "alert", "expected a structure of alert code, time stamp and content"),
        (Structure((Unsigned(1), OctetString(STAMP))), 108, "alert code", "a unsigned, expected a long-unsigned"),
        (Structure((LongUnsigned(1), octets(11))), 111, "alert time stamp", "expected an octet-string of 12"),
        (Structure((LongUnsigned(1), Utf8String("x" * 12))), 111, "alert time stamp", "expected an octet-string of 12"),
    ],
)
def test_code_and_time_of_an_alert_come_first(body: Data, offset: int, field: str, problem: str) -> None:
    assert refused(lambda: read_alert(0x1000, DataNotification(1, body), 100)) == (offset, field, problem)


def test_each_field_of_an_alert_keeps_its_own_octets() -> None:
    """The octets of 7.2, each field with others."""
    obis, end, start = bytes(range(1, 7)), bytes(range(12)), bytes(range(20, 32))
    for code, content, written in (
        (
            0x00CC,
            contents.FutureDatedDlms(0x0102, 0x0304050607080910, 0x1112, obis, 0x13),
            "0913" + "0102" + "0304050607080910" + "1112" + obis.hex() + "13",
        ),
        (0x0067, contents.SupplyOutage(start, end), "090c" + start.hex() + "090c" + end.hex()),
        (0x0120, contents.CommandNotSupported(0x0102, 0x0304050607080910), "090a" + "0102" + "0304050607080910"),
        (0x0121, contents.LimitProcessed(0x21, end, start, 9), "1121" + "090c" + end.hex() + "090c" + start.hex() + "1109"),
        (0x0122, contents.LimitEnded(0x12, 8), "1112" + "1108"),
        (0x0112, contents.ScanAssessed(3, 4), "0202" + "090103" + "090104"),
        (
            0x0114,
            contents.MessageDiscarded(MessageIdentifier(ONE, OTHER, CraFlag.RESPONSE, 0x55)),
            "0919" + str(ONE) + str(OTHER) + "02" + "0000000000000055",
        ),
    ):
        head = f"0f200000050002{2 + len(content.items()):02x}" + "128f0a" + "090c" + STAMP.hex()
        assert dlms_alert(5, 0x8F0A, AT, content).encode().hex() == head + written
        assert alert(code, *content.items()).content == content


def test_an_alert_of_gas_is_laid_out_as_the_reference_prints_it() -> None:
    content = contents.FutureDatedGbz(0x0102, 0x0304050607080910, 0x1112, 0x13, 0x14)
    written = gbz_alert(0x8F66, AT, content)
    seconds = int((AT - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())
    instruction = "0e" + "0102" + "0304050607080910" + "1112" + "13" + "14"
    assert written.encode().hex() == "010901" + "8f66" + f"{seconds:08x}" + instruction
    assert read_alert(0x00CD, written).content == content
    assert gbz_alert(0x8F66, AT).encode()[2] == 0
    octets_ = bytearray(written.encode())
    octets_[2] = 0
    assert refused(lambda: GbzAlert.decode(bytes(octets_), 50)) == (52, "number of components", "read 0, 15 octets follow the time stamp")
    assert refused(lambda: GbzAlert.decode(bytes.fromhex("010902") + bytes(7), 50))[::2] == (52, "read 2, 1 octets follow the time stamp")
    assert refused(lambda: read_alert(0x00CD, GbzAlert(1, 1, b"\x0d" + bytes(14)), 50)) == (
        59,
        "length of the instruction",
        "read 0d, expected 0e",
    )
    assert refused(lambda: read_alert(0x00F2, GbzAlert(1, 1, bytes(3)), 50)) == (61, "alert", "1 octets are left over after the last field")
    assert refused(lambda: read_alert(0x1000, GbzAlert(1, 1, bytes(3)), 50))[0] == 59


def test_a_delivery_failure_is_laid_out_octet_for_octet() -> None:
    made = delivery_failure(0x8F84, AT, MessageIdentifier(ONE, OTHER, CraFlag.COMMAND, 7))
    written = made.encode()
    assert (
        written.hex()
        == "3031" + "0203008f84" + "180f" + b"20260304050607Z".hex() + "3019" + str(ONE) + str(OTHER) + "01" + "0000000000000007"
    )
    assert DeliveryFailure.decode(written) == made
    for place, octet, told in (
        (0, 0x31, (50, "SEQUENCE tag")),
        (1, 0x30, (52, "SEQUENCE length")),
        (4, 1, (52, "alert code")),
        (7, 0x17, (57, "alert time stamp")),
        (9, 0x41, (59, "alert time stamp")),
        (23, 0x41, (59, "alert time stamp")),
        (25, 0x18, (74, "message identifier")),
        (42, 9, (76, "CRA flag")),
    ):
        changed = written[:place] + bytes((octet,)) + written[place + 1 :]
        assert refused(lambda changed=changed: DeliveryFailure.decode(changed, 50))[:2] == told, place  # type: ignore[misc]


# -- ZCL

READ = {"attributes": [{"attribute": 0x0102, "status": 0, "value": LayoutValue(0x21, 0x0304)}, {"attribute": 5, "status": 0x86}]}


def test_a_read_attributes_response_has_a_value_only_after_success() -> None:
    """ZCL 2.5.2."""
    written = encode_zcl(0x0702, 0x18, 0x01, READ)  # type: ignore[arg-type]
    assert written.hex() == "0201" + "00" + "21" + "0403" + "0500" + "86"
    read = decode_zcl(Component(0x0702, 0x18, 0, 0x01), written, 50)
    assert read is not None
    (rows,) = [field.value for field in read.fields]
    assert isinstance(rows, tuple)
    assert [[(field.name, field.offset, field.length) for field in row] for row in rows] == [
        [("attribute", 50, 2), ("status", 52, 1), ("value", 53, 3)],
        [("attribute", 56, 2), ("status", 58, 1)],
    ]


def value(type_id: int, octets_: bytes) -> object:
    read = decode_zcl(Component(0x0702, 0x18, 0, 0x0A), b"\x01\x00" + bytes((type_id,)) + octets_, 50)
    assert read is not None
    (rows,) = [field.value for field in read.fields]
    assert isinstance(rows, tuple)
    return rows[0][1].value


def test_typed_values_have_width_and_sign() -> None:
    assert value(0x2B, b"\xff\xff\xff\xff") == LayoutValue(0x2B, -1)
    assert value(0x23, b"\xff\xff\xff\xff") == LayoutValue(0x23, 0xFFFFFFFF)
    assert value(0x41, b"\x02ab") == LayoutValue(0x41, b"ab")
    assert refused(lambda: value(0x48, b"")) == (52, "value type", "48 is no ZCL data type met in GBCS")
    for given, problem in ((LayoutValue(0x20, 256), "8 bits"), (LayoutValue(0x28, 128), "8 bits"), (LayoutValue(0x21, -1), "16 bits")):
        with pytest.raises(IdentifierError, match=problem):
            encode_zcl(0x0702, 0x18, 0x0A, {"attributes": [{"attribute": 1, "value": given}]})
    assert encode_zcl(0x0702, 0x18, 0x0A, {"attributes": [{"attribute": 1, "value": LayoutValue(0x28, -128)}]}).hex() == "01002880"


def test_a_command_without_a_layout_or_with_other_fields_is_refused() -> None:
    assert layout_of(0x0702, 0x01, 0xEE) is None
    assert decode_zcl(Component(0x0702, 0x01, 0, 0xEE), b"") is None
    assert layout_of(0x0702, 0x00, 0x0B) is layout_of(0x0700, 0x18, 0x0B)
    with pytest.raises(IdentifierError, match="0702/ee"):
        encode_zcl(0x0702, 0x01, 0xEE, {})
    with pytest.raises(IdentifierError, match="default_response status"):
        encode_zcl(0x0702, 0x18, 0x0B, {"command": 1})
    with pytest.raises(IdentifierError, match="a field of default_response"):
        encode_zcl(0x0702, 0x18, 0x0B, {"command": 1, "status": 0, "colour": 5})
    with pytest.raises(IdentifierError, match="8 bits"):
        encode_zcl(0x0702, 0x18, 0x0B, {"command": 256, "status": 0})
    assert encode_zcl(0x0702, 0x18, 0x0B, {"command": 255, "status": 0}).hex() == "ff00"
    with pytest.raises(IdentifierError, match="a list of entries"):
        encode_zcl(0x0702, 0x00, 0x00, {"attributes": 5})
    assert refused(lambda: decode_zcl(Component(0x0702, 0x18, 0, 0x0B), b"\x01\x02\x03", 50)) == (
        52,
        "default_response",
        "1 octets are left over after the last field",
    )


@pytest.mark.parametrize(
    ("command", "octets_", "field"),
    [
        (0x0B, "01", "status"),
        (0x0B, "", "command"),
        (0x00, "01", "attribute"),
        (0x01, "0100", "status"),
        (0x01, "010000", "value type"),
        (0x0A, "0100", "value type"),
    ],
)
def test_a_field_that_must_be_there_is_missed(command: int, octets_: str, field: str) -> None:
    assert refused(lambda: decode_zcl(Component(0x0702, 0x18, 0, command), bytes.fromhex(octets_), 50))[1] == field


def test_protected_attributes_are_parameters_and_a_ciphertext_behind_its_header() -> None:
    """Reference gbcs-messages 5.5."""
    made = Protected(ProtectionParameters(7, ONE, OTHER), b"\x31\0\0\0\0" + bytes(20))
    parameters, sealed = made.data().elements
    assert Protected.of((parameters, sealed)) == made
    for items in (
        (parameters,),
        (parameters, sealed, sealed),
        (parameters, Unsigned(1)),
        (sealed, sealed),
        *((parameters, OctetString(wrong)) for wrong in (b"\x31\0\0\0\1" + bytes(20), b"\x31\0\0\0", b"")),
    ):
        assert Protected.of(items) is None


def test_a_field_is_found_by_its_name_and_a_value_is_owed_after_success_alone() -> None:
    read = decode_zcl(Component(0x0702, 0x18, 0, 0x0B), b"\x05\x86")
    assert read is not None
    assert (read["command"], read["status"]) == (5, 0x86)
    assert encode_zcl(0x0702, 0x18, 0x01, {"attributes": [{"attribute": 1, "status": 0x86}]}).hex() == "010086"
    for entry in ({"attribute": 1, "status": 0}, {"attribute": 1}, {"status": 0x86}):
        with pytest.raises(IdentifierError, match="a value"):
            encode_zcl(0x0702, 0x18, 0x01, {"attributes": [entry]})
