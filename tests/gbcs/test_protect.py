"""MAC, signature and encryption against the printed known answers, and with keys of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto import primitives
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64

SECTION_18_4 = bytes.fromhex(
    "DD00000000000081A91100000000DF0901000000000000000108123456789ABCDEF008FFFFFFFFFFFFFFFE000200B335D92000000100030300700000130A00FF"
    "020300700000130A01FF020300700000130A02FF02030500000000050000000005000000004059045AB0F554622B0360340B9D87B5A23ED5723B41DE3F206E58"
    "CDD10F915B9FE2E12E2DA3632478A8DF678E418895869AC1E55318CCE04D120D2D6B44DC167B5D832D15B57A56D620F198B3"
)
"""The critical command of GBCS 18.4 (gbcs-vectors.json), with the keys printed there."""
SECRET_18_4 = bytes.fromhex("9AACF2E6D51BD5FF8F37BF368019A691CB5B2FCB7B5F030A00063647B20E13FE")
SUPPLIER_POINT = bytes.fromhex(
    "0476628E1C84EF7935548AE5D62C7BB3AD28964CF794F0387A697EEC19CDD98F460A4D5E19087EF7216ED89C29831A6EE838C8DE88EF34F11D3F41F36D80B2A5D5"
)
CCS01_RESPONSE = bytes.fromhex(
    "dd000000000000561100000000df090200000000000005160800db1234567890a20890b3d51f3000000200120001"
    "90b3d51f3001000000000000000003ea12da200005160000030000000303000200020000ca0e10505772e5e67f0c8fc4"
)
"""Reference gbcs-messages 12.2."""
CCS01_SECRET = bytes.fromhex("9689fab9f5e2642a4543b3bb8bd2f55c7ab31e45dfa566b18beead0bd46394ed")

METER = Eui64.parse("00db12345678ff01")
USER = Eui64.parse("90b3d51f30ff1000")


def _message(payload: bytes = b"\x05\x00", cra: CraFlag = CraFlag.COMMAND) -> Message:
    return Message(GroupingHeader(cra, 77, USER, METER, OtherInformation(0x0013)), payload)


@pytest.mark.clause("GBCS 18.4")
def test_the_sample_command_of_the_specification_verifies() -> None:
    message = Message.decode(SECTION_18_4)
    protect.check_mac(message, SECRET_18_4)
    protect.check_signature(message, primitives.public_key_from_point(SUPPLIER_POINT))


def test_the_mac_of_a_response_uses_its_own_direction() -> None:
    message = Message.decode(CCS01_RESPONSE)
    protect.check_mac(message, CCS01_SECRET)
    assert protect.mac_other_info(message.header).hex() == "6085740608030000db1234567890a209020000000000000516" + "90b3d51f30000002"


@pytest.mark.parametrize("place", [30, 60, 70, -1])
def test_a_changed_octet_breaks_the_mac(place: int) -> None:
    octets = bytearray(CCS01_RESPONSE)
    octets[place] ^= 1
    with pytest.raises(ProtectionError):
        protect.check_mac(Message.decode(bytes(octets)), CCS01_SECRET)


def test_a_signed_pre_command_becomes_a_command_by_its_mac_alone() -> None:
    key = primitives.generate()
    pre_command = Message(_message().header, b"\x05\x00", None)
    signed = protect.with_signature(pre_command, key)
    assert signed.encode() == pre_command.encode() + b"\x40" + (signed.signature or b"")
    command = protect.with_mac(signed, bytes(32))
    assert command.signing_block == signed.encode()
    protect.check_signature(command, key.public_key())
    protect.check_mac(command, bytes(32))


def test_signing_again_drops_the_mac_that_would_no_longer_hold() -> None:
    key = primitives.generate()
    assert protect.with_signature(protect.with_mac(_message(), bytes(32)), key).mac is None


def test_a_message_without_protection_does_not_pass_for_protected() -> None:
    with pytest.raises(ProtectionError, match="carries no"):
        protect.check_mac(_message(), bytes(32))
    with pytest.raises(ProtectionError, match="carries no"):
        protect.check_signature(_message(), primitives.generate().public_key())


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1))
def test_what_is_encrypted_opens_for_the_party_it_is_for(plaintext: bytes, counter: int) -> None:
    z = bytes(range(32))
    octets = protect.encrypt(plaintext, z, originator=METER, counter=counter, recipient=USER)
    assert octets[:5].hex() == "3100000000"
    assert len(octets) == len(plaintext) + 17
    assert protect.decrypt(octets, z, originator=METER, counter=counter, recipient=USER) == plaintext
    with pytest.raises(ProtectionError):
        protect.decrypt(octets, z, originator=METER, counter=counter ^ 1, recipient=USER)


@pytest.mark.parametrize("octets", [b"", b"\x31\0\0\0\0", b"\x30" + bytes(30)])
def test_octets_that_are_no_ciphertext_are_refused(octets: bytes) -> None:
    with pytest.raises(ProtectionError):
        protect.decrypt(octets, bytes(32), originator=METER, counter=1, recipient=USER)
