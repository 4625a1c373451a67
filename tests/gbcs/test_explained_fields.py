"""An explanation names each field with its octets, its value and its meaning: components, alerts, ASN.1, keys of a MAC."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs import asn1_types, protect
from firmware_emu.gbcs.alerts import GbzAlert
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.tree import Cursor
from firmware_emu.ids import CraFlag, Eui64

ONE, OTHER = Eui64.parse("00db1234567890a1"), Eui64.parse("90b3d51f30010000")
COUNTER = 0x0102030405060708


def message(code: int, payload: bytes, kind: CraFlag) -> Message:
    return Message(GroupingHeader(kind, COUNTER, ONE, OTHER, OtherInformation(code)), payload)


def told(code: int, payload: bytes, kind: CraFlag = CraFlag.COMMAND) -> list[tuple[str, str, str]]:
    """Field, octets and value with meaning of each node of the payload that has octets."""
    whole = message(code, payload, kind)
    nodes = [node for _, node in explain(whole.encode()).walk() if node.octets and node.offset >= whole.payload_offset]
    assert b"".join(node.octets for node in nodes)[: len(payload)] == payload
    return [(node.field, node.octets.hex(), f"{node.value} {node.meaning}".strip()) for node in nodes][:-1]


def test_a_sealed_component_is_explained_octet_by_octet() -> None:
    """Reference gbcs-messages 7A and 2.4."""
    component = Component(0x0702, 0x19, 5, 0x06, b"\x31\0\0\0\0" + b"\xaa" * 3 + b"\xbb" * 12, None, True, 9)
    assert told(0x006B, Gbz((component,)).encode()) == [
        ("ZigBee profile id", "0109", "0109 ZigBee Smart Energy"),
        ("number of components", "01", "1"),
        ("extended header control field", "03", "03 last, encrypted"),
        ("cluster id", "0702", "0702 Metering"),
        ("component length", "001b", "27"),
        ("additional header control", "00", "00"),
        ("additional header frame counter", "09", "9"),
        ("ZCL frame control", "19", "19 cluster command, server to client, no default response"),
        ("ZCL sequence number", "05", "5"),
        ("ZCL command id", "06", "06 publish snapshot"),
        ("ciphered information length", "0014", "20"),
        ("security control and invocation counter", "3100000000", "3100000000"),
        ("ciphertext", "aaaaaa", "aaaaaa"),
        ("GCM tag", "bb" * 12, "bb" * 12),
    ]


def test_a_clear_component_is_explained_with_its_start_and_its_records() -> None:
    payload = bytes.fromhex("0100" + "00" + "21" + "0503" + "0500" + "86")
    read = Component(0x0705, 0x08, 1, 0x01, payload, 5)
    first = Component(0x0705, 0x00, 0, 0x0B, b"\x06\x8b")
    shown = told(0x006B, Gbz((first, read)).encode(), CraFlag.RESPONSE)
    assert ("extended header control field", "00", "00 more follow") in shown
    assert ("ZCL frame control", "00", "00 profile-wide, client to server") in shown
    assert ("status", "8b", "8b not found") in shown
    assert ("from date time", "00000005", "5 2000-01-01T00:00:05Z") in shown
    assert ("ZCL frame control", "08", "08 profile-wide, server to client") in shown
    assert [one for one in shown if one[0] in ("attribute", "status", "value")][1:] == [
        ("attribute", "0100", "0001 credit remaining"),
        ("status", "00", "00 success"),
        ("value", "210503", "773 type 21"),
        ("attribute", "0500", "0005 accumulated debt"),
        ("status", "86", "86 unsupported attribute"),
    ]


@pytest.mark.parametrize(
    ("code", "rest", "fields"),
    [
        (0x00CD, "0e" + "0102" + "0304050607080910" + "1112" + "13" + "14", ["0e", "0102", "0304050607080910", "1112", "13", "14"]),
        (0x00CF, "0920" + "ab" * 32, ["0920", "ab" * 32]),
        (0x00F2, "0009", ["0009"]),
        (0x1000, "", []),
    ],
)
def test_an_alert_of_gas_is_explained_by_its_message_code(code: int, rest: str, fields: list[str]) -> None:
    """Reference gbcs-messages 7.1 and 7.2."""
    octets = GbzAlert(0x8F0A, 6, bytes.fromhex(rest)).encode()
    nodes = [node for _, node in explain(message(code, octets, CraFlag.ALERT).encode()).walk() if node.octets]
    start = next(place for place, node in enumerate(nodes) if node.field == "ZigBee profile id")
    shown = nodes[start : start + 4 + len(fields)]
    assert [node.octets.hex() for node in shown] == ["0109", f"{int(bool(rest)):02x}", "8f0a", "00000006", *fields]
    assert (shown[3].value, shown[3].meaning) == ("6", "2000-01-01T00:00:06Z")


def test_a_value_of_asn1_is_explained_with_its_names() -> None:
    """Reference gbcs-messages 6: roles, uses, statuses and device types have names."""
    cells = (asn1_types.TrustAnchorCellDetails(asn1_types.KeyBits(b"\x40", 2), 1, ONE, bytes(8)),)
    details = (asn1_types.RemotePartyDetails(8, asn1_types.StatusCode.BAD_CERTIFICATE, 7, cells),)
    shown = {
        field: value for field, _, value in told(0x0008, Asn1Payload("ProvideCredentialsResponse", details).encode(), CraFlag.RESPONSE)
    }
    assert shown["remotePartyRole"] == "8 load controller"
    assert shown["statusCode"] == "5 badCertificate"
    assert shown["cellUsage"] == "1 prepayment top up"
    assert shown["currentSeqNumber"] == "7"
    assert shown["existingSubjectUniqueID"] == str(ONE)
    log = asn1_types.ReadDeviceLogResponse(0, (asn1_types.DeviceLogEntry(ONE, 5),))
    shown = {field: value for field, _, value in told(0x0013, Asn1Payload("ReadDeviceLogResponse", log).encode(), CraFlag.RESPONSE)}
    assert shown["deviceType"] == "5 ppmid"


def test_a_length_is_shown_as_one_node_in_each_form() -> None:
    for octets, size, value in (("7f", 1, "127"), ("8180", 2, "128"), ("820100", 3, "256")):
        cursor = Cursor(bytes.fromhex(octets) + bytes(3), 50)
        node = cursor.sized("length")
        assert (node.offset, node.length, node.value, cursor.offset, cursor.remaining) == (50, size, value, 50 + size, 3)


# -- protection


def test_a_mac_is_the_gmac_that_cryptography_makes() -> None:
    """Reference gbcs-messages 2.2 and 2.3."""
    made = message(0x0019, b"payload", CraFlag.COMMAND)
    secret = bytes(range(32))
    information = bytes.fromhex("60857406080300") + ONE.octets + b"\x09\x01" + COUNTER.to_bytes(8, "big") + OTHER.octets
    assert protect.mac_other_info(made.header) == information
    assert len(information) == 33
    key = ConcatKDFHash(SHA256(), 16, information).derive(secret)
    wanted = AESGCM(key).encrypt(ONE.octets + bytes(4), b"", bytes.fromhex("110000000000") + made.signing_block)[:12]
    assert protect.mac_of(made, secret) == wanted
    protect.check_mac(protect.with_mac(made, secret), secret)
    with pytest.raises(ProtectionError, match="carries no MAC"):
        protect.check_mac(made, secret)
    with pytest.raises(ProtectionError, match="carries no signature"):
        protect.check_signature(replace(made, signature=b""), None)  # type: ignore[arg-type]


def test_a_ciphertext_is_what_cryptography_makes() -> None:
    """Reference gbcs-messages 2.4: use 4, additional data 31."""
    secret = bytes(range(32))
    sealed = protect.encrypt(b"plain", secret, originator=ONE, counter=COUNTER, recipient=OTHER)
    information = bytes.fromhex("60857406080300") + ONE.octets + b"\x09\x04" + COUNTER.to_bytes(8, "big") + OTHER.octets
    key = ConcatKDFHash(SHA256(), 16, information).derive(secret)
    whole = AESGCM(key).encrypt(ONE.octets + bytes(4), b"plain", b"\x31")
    assert sealed == bytes.fromhex("3100000000") + whole[: 5 + 12]
    assert protect.decrypt(sealed, secret, originator=ONE, counter=COUNTER, recipient=OTHER) == b"plain"
    empty = protect.encrypt(b"", secret, originator=ONE, counter=COUNTER, recipient=OTHER)
    assert (len(empty), protect.decrypt(empty, secret, originator=ONE, counter=COUNTER, recipient=OTHER)) == (17, b"")
    for wrong in (empty[:-1], b"\x32" + sealed[1:], b""):
        with pytest.raises(ProtectionError, match=f"{len(wrong)} octets that do not start with 3100000000"):
            protect.decrypt(wrong, secret, originator=ONE, counter=COUNTER, recipient=OTHER)
