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


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        ("", "at offset 0, mailbox header: no octet, expected GET 01, GET-RESPONSE 02 or PUT 03"),
        ("0100", "at offset 1, mailbox GET: 1 octets follow, expected none"),
        ("010000", "at offset 1, mailbox GET: 2 octets follow, expected none"),
        ("02", "at offset 1, mailbox GET-RESPONSE remaining: no octet, expected the count of messages that still wait"),
        ("03", "at offset 1, mailbox PUT message: no octets, expected a GBCS message"),
        ("04", "at offset 0, mailbox header: read 04, expected GET 01, GET-RESPONSE 02 or PUT 03"),
        ("ff00", "at offset 0, mailbox header: read FF, expected GET 01, GET-RESPONSE 02 or PUT 03"),
    ],
)
def test_anything_else_is_told_with_what_was_expected_where(octets: str, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode_mailbox(bytes.fromhex(octets))
    assert str(refused.value) == told


@given(st.binary(max_size=20))
def test_what_is_readable_encodes_to_the_same_octets(octets: bytes) -> None:
    try:
        item = decode_mailbox(octets)
    except DecodeError:
        return
    assert encode_mailbox(item) == octets
