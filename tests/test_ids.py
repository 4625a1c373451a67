"""Identifiers: every spelling that the field uses, and sentences for what cannot be one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import IdentifierError
from firmware_emu.ids import CraFlag, Eui64, InstallCode, MessageIdentifier, Mpxn, install_code_crc


@given(st.binary(min_size=8, max_size=8))
def test_an_eui64_reads_back_from_each_of_its_spellings(octets: bytes) -> None:
    eui = Eui64(octets)
    assert Eui64.parse(str(eui)) == Eui64.parse(eui.duis) == Eui64.parse(octets.hex(":")) == Eui64.from_zigbee(eui.zigbee) == eui


def test_the_zigbee_order_is_the_reverse_of_the_gbcs_order() -> None:
    assert Eui64.parse("00db1234567890a0").zigbee.hex() == "a09078563412db00"


@pytest.mark.parametrize("text", ["", "00db1234567890a", "00db1234567890a00", "00db1234567890ag", "0x00db1234567890"])
def test_text_that_is_no_eui64_is_named_in_the_error(text: str) -> None:
    with pytest.raises(IdentifierError, match="16 hexadecimal digits") as caught:
        Eui64.parse(text)
    assert repr(text) in str(caught.value)


def test_the_crc_of_an_install_code_is_that_of_the_published_example() -> None:
    """Reference zigbee-han 5."""
    assert install_code_crc(bytes.fromhex("83FED3407A939723A5C639B26916D505")).hex().upper() == "C3B5"


def test_an_install_code_with_a_wrong_crc_is_refused_without_showing_the_code() -> None:
    with pytest.raises(IdentifierError, match="expected CRC C3B5") as caught:
        InstallCode.parse("83FED3407A939723A5C639B26916D505C3B6")
    assert "D3407A" not in str(caught.value)
    assert InstallCode.parse("83FED3407A939723A5C639B26916D505C3B5").octets[0] == 0x83


def test_an_install_code_does_not_show_itself() -> None:
    assert "83" not in repr(InstallCode.parse("83FED3407A939723A5C639B26916D505"))


def test_a_message_identifier_is_twenty_five_octets() -> None:
    identifier = MessageIdentifier(Eui64(bytes(8)), Eui64(b"\x01" * 8), CraFlag.ALERT, 4000)
    assert bytes(identifier) == bytes(8) + b"\x01" * 8 + b"\x03" + (4000).to_bytes(8, "big")
    assert str(identifier).endswith(":alert:4000")


@pytest.mark.parametrize("digits", ["123", "12345678901", "12a4567"])
def test_a_number_of_no_point_is_refused(digits: str) -> None:
    with pytest.raises(IdentifierError, match="MPAN"):
        Mpxn(digits)


@pytest.mark.parametrize(
    "text",
    [
        "83FE\u2011D340\u20117A93\u20119723\u2011A5C6\u201139B2\u20116916\u2011D505\u2011C3B5",
        "83FE D340\t7A93\u00a09723 A5C6 39B2 6916 D505 C3B5\u200b\r\n",
        "83FE\u2013D340 \u2014 7A93\u22129723-A5C6\u201039B2\u00ad6916\u2012D505",
        "0x83FED3407A939723A5C639B26916D505",
        "Z$A:00DB1234567890A0$I:83FED3407A939723A5C639B26916D505C3B5",
        "Z:00DB1234567890A0$I:83FED3407A939723A5C639B26916D505C3B5%M:1021",
        "G$M:ESME%S:123%Z$A:00-DB-12-34-56-78-90-A0$I:83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5%L$1",
    ],
)
def test_row_36_an_install_code_is_read_as_labels_and_their_qr_codes_have_it(text: str) -> None:
    assert InstallCode.parse(text).octets.hex().upper() == "83FED3407A939723A5C639B26916D505"
    if "$" in text:
        assert Eui64.parse(text) == Eui64.parse("00db1234567890a0")


@pytest.mark.parametrize("text", ["Z$A:00DB1234567890A0", "83FE/D340", "Z$I:83FED3407A939723A5C639B26916D5", "0x", "", "$I:"])
def test_row_36_what_is_no_install_code_stays_refused(text: str) -> None:
    with pytest.raises(IdentifierError):
        InstallCode.parse(text)
