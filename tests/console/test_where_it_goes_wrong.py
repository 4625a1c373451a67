"""Octets that are wrong in one place: what is said names the offset at which they are, what was read there and what was expected."""

from __future__ import annotations

import pytest

from firmware_emu.console.commands.pasted import Pasted, forms, take_apart
from firmware_emu.console.explain_der import explain_der
from firmware_emu.console.layers import LayerKnowledge, _dlms, explain_any
from firmware_emu.errors import DecodeError
from hil.console.explain_serial import explain_ash, explain_mt
from hil.console.explain_xml import explain_xml

KNOWN = LayerKnowledge()


def _nested(depth: int) -> bytes:
    """So many sequences about a null."""
    octets = b"\x05\x00"
    for _ in range(depth):
        octets = b"\x30" + (bytes([len(octets)]) if len(octets) < 0x80 else b"\x81" + bytes([len(octets)])) + octets
    return octets


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        ("", "at offset 0, DER tag and length: 0 octets left, expected 2 or more"),
        ("30", "at offset 0, DER tag and length: 1 octets left, expected 2 or more"),
        ("30850000000000", "at offset 1, DER length: read 85, expected a length of 1 to 4 octets"),
        ("3080", "at offset 1, DER length: read 80, expected a length of 1 to 4 octets"),
        ("3004020101", "at offset 1, DER length: read 4, but 3 octets are left"),
        ("30818005", "at offset 1, DER length: read 128, but 1 octets are left"),
        ("30030201010000", "at offset 5, DER: 2 octets after the value, expected none"),
        ("300502010102", "at offset 1, DER length: read 5, but 4 octets are left"),
        ("3003020201", "at offset 3, DER length: read 2, but 1 octets are left"),
        ("300302010130", "at offset 5, DER: 1 octets after the value, expected none"),
    ],
)
def test_der_that_is_cut_or_too_long_is_told_at_its_octet(octets: str, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        explain_der(bytes.fromhex(octets))
    assert str(refused.value) == told


@pytest.mark.parametrize("octets", ["0500", "02810101", "3003020101", "30840000000302017f", _nested(20).hex()])
def test_der_that_holds_is_told_octet_for_octet(octets: str) -> None:
    """Each octet stands once, at its offset."""
    data = bytes.fromhex(octets)
    tree = explain_der(data)
    told = b"".join(node.octets for top in tree.nodes for _, node in top.walk())
    assert told == data
    at = 0
    for top in tree.nodes:
        for _, node in top.walk():
            assert node.offset == at
            at += len(node.octets)


def test_der_that_goes_too_deep_is_told_where_it_does() -> None:
    explain_der(_nested(24))
    with pytest.raises(DecodeError, match=r"^at offset \d+, DER: nested more than 24 deep$"):
        explain_der(_nested(26))


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        ("7e", "at offset 0, ASH frame: flags alone, expected a frame"),
        ("7e7e", "at offset 0, ASH frame: flags alone, expected a frame"),
        ("ff00", "at offset 0, ASH frame: no flag behind it and no check that holds: it is cut off"),
    ],
)
def test_what_is_no_frame_of_ash_is_told_at_its_beginning(octets: str, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        explain_ash(bytes.fromhex(octets), KNOWN)
    assert str(refused.value) == told


@pytest.mark.parametrize("octets", ["", "fe0000", "fe000001", "fe00210121", "ff00210120", "fe01210120"])
def test_what_is_no_frame_of_mt_is_told_with_what_one_has(octets: str) -> None:
    """TI MT API: start FE, length, command of two octets, the exclusive or of all that stands between."""
    with pytest.raises(DecodeError) as refused:
        explain_mt(bytes.fromhex(octets), KNOWN)
    assert str(refused.value) == "at offset 0, MT frame: expected fe, a length, a command of 2 octets and a check that holds"


def test_a_frame_of_mt_that_holds_is_told_octet_for_octet() -> None:
    octets = bytes.fromhex("fe00210120")
    (frame,) = explain_mt(octets, KNOWN).nodes
    told = [(node.offset, node.octets.hex(), node.field) for node in frame.children]
    assert told == [(0, "fe", "start"), (1, "00", "length"), (2, "2101", "command"), (4, "20", "check")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"abc", "read 3 hexadecimal digits, 'abc': expected two for each octet"),
        (b"1,2", "read 2 hexadecimal digits, '1,2': expected two for each octet"),
        (b"-----BEGIN CERTIFICATE-----\nAA==", "begins with BEGIN CERTIFICATE, expected the line END CERTIFICATE behind it"),
        (b"  \n", "read nothing, expected what one of these reads: {}"),
        (b"what is this?", "read 'what is this?', expected what one of these reads: {}"),
        (b"?" * 60, "read '" + "?" * 40 + "', expected what one of these reads: {}"),
    ],
)
def test_what_was_pasted_and_is_of_no_form_is_told_by_its_beginning(text: bytes, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        take_apart(Pasted(text))
    assert str(refused.value) == "at offset 0, what was pasted: " + told.format(", ".join(form.name for form in forms()))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            b"<!DOCTYPE a><a/>",
            "at offset 1, XML (line): carries a document type declaration, whose entities may stand for anything: expected none",
        ),
        (b"<a>\n<b></a>", "at offset 2, XML (line): "),
        (b"<a>", "at offset 1, XML (line): "),
    ],
)
def test_xml_that_is_wrong_is_told_by_its_line(text: bytes, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        explain_xml(text, KNOWN)
    assert str(refused.value).startswith(told)


def test_octets_of_no_layer_are_told_by_their_first_four() -> None:
    with pytest.raises(DecodeError) as refused:
        explain_any(b"\xff\xfe\xfd\xfc\xfb", KNOWN)
    assert str(refused.value) == "at offset 0, octets: ff fe fd fc ...: no layer begins like this; name one with as="


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (b"dd00\ndf01\n", ["line 1", "line 2"]),
        (b"\n\nDF 01\n\nDD 02\n", ["line 3", "line 5"]),
        (b"0x1 0x2", ["2 octets"]),
        (b"00 01 02", ["3 octets"]),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n<a/>", ["the XML"]),
        (b"POST /x HTTP/1.1\r\nA: b\r\n\r\n<a>\r\n\r\n</a>", ["the XML"]),
        (b'{"number": 7, "event": "sent", "source": "hub", "data": "00ff"}\n{"number": 8, "event": "x"}\n', ["@7 hub sent"]),
    ],
)
def test_pieces_of_what_was_pasted_are_named_by_their_place(text: bytes, pieces: list[str]) -> None:
    assert [piece.where for piece in take_apart(Pasted(text))[1]] == pieces


def test_the_body_of_an_http_message_is_all_that_stands_behind_its_head() -> None:
    (piece,) = take_apart(Pasted(b"POST /x HTTP/1.1\r\nA: b\r\n\r\n<a>\r\n\r\n</a>"))[1]
    assert piece.octets == b"<a>\r\n\r\n</a>"


@pytest.mark.parametrize(("octets", "read"), [("", "nothing"), ("77", "77")])
def test_what_is_no_apdu_is_told_by_its_tag(octets: str, read: str) -> None:
    with pytest.raises(DecodeError) as refused:
        _dlms(bytes.fromhex(octets), KNOWN)
    assert str(refused.value) == f"at offset 0, DLMS APDU tag: read {read}, expected d9, da or 0f"
