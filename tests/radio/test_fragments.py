"""Fragments of a message: joined when every number is there, and never across APS security."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import ApsKind, ApsPdu, FragmentHeader
from hil.radio.stack.aps import IncomingApdu, Reassembly

METER = Eui64.parse("02bad00000000002")


def piece(number: int, payload: bytes, *, total: int = 0, secured: bool = True) -> IncomingApdu:
    """Fragment ``number``; the first one, 0, tells the ``total``."""
    block = FragmentHeader(number == 0, number or total)
    pdu = ApsPdu(ApsKind.DATA, 7, secured=secured, cluster=0x0707, profile=0x0109, block=block, payload=payload)
    return IncomingApdu(0x1234, METER, pdu, False, Link())


async def test_a_message_is_whole_when_every_number_is_there_and_not_when_their_count_is() -> None:
    pieces = Reassembly()
    assert pieces.add(piece(0, b"a", total=3)) is None
    assert pieces.add(piece(9, b"x")) is None
    assert pieces.add(piece(2, b"c")) is None
    assert pieces.add(piece(1, b"b")) == b"abc"


async def test_a_fragment_without_aps_security_is_no_part_of_a_secured_message() -> None:
    pieces = Reassembly()
    assert pieces.add(piece(0, b"forged", total=2, secured=False)) is None
    assert pieces.add(piece(1, b"b")) is None
    assert pieces.add(piece(0, b"a", total=2)) == b"ab"


async def test_fragments_of_two_senders_under_one_short_address_are_two_messages() -> None:
    pieces = Reassembly()
    other = replace(piece(0, b"x", total=2), eui64=Eui64.parse("02bad00000000003"))
    assert pieces.add(other) is None
    assert pieces.add(piece(1, b"b")) is None
    assert pieces.add(piece(0, b"a", total=2)) == b"ab"
