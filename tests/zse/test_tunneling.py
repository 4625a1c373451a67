from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.zse.tunneling import Get, GetResponse, MailboxItem, Put, decode_mailbox, encode_mailbox


@pytest.mark.parametrize(
    ("item", "octets"),
    [(Get(), "01"), (GetResponse(0, b""), "0200"), (GetResponse(3, b"\xdd"), "0203dd"), (Put(b"\xdf\x09"), "03df09")],
)
def test_the_gas_meters_header_is_one_octet(item: MailboxItem, octets: str) -> None:
    assert encode_mailbox(item).hex() == octets
    assert decode_mailbox(bytes.fromhex(octets)) == item


@pytest.mark.parametrize("octets", ["", "0100", "02", "03", "04", "ff00"])
def test_anything_else_is_a_decode_error(octets: str) -> None:
    with pytest.raises(DecodeError):
        decode_mailbox(bytes.fromhex(octets))


@given(st.binary(max_size=20))
def test_what_is_readable_encodes_to_the_same_octets(octets: bytes) -> None:
    try:
        item = decode_mailbox(octets)
    except DecodeError:
        return
    assert encode_mailbox(item) == octets
