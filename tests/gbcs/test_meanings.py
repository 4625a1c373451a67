"""Meanings of DLMS values and ASN.1 payloads: every enumeration, calendar dates, and a message told up to its fault."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1_schema import kinds
from firmware_emu.gbcs.axdr import Array, Data, Enum, LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.cosem_time import describe_form
from firmware_emu.gbcs.dlms import AccessRequest, Choice, Specification, invoke_id
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.explain_dlms import meaning_place
from firmware_emu.gbcs.explain_fault import FAULT, explain_to_fault
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.names import cosem_class, cosem_member, meanings
from firmware_emu.gbcs.tree import Tree
from firmware_emu.ids import CraFlag, Eui64
from tests.gbcs.gbcs_strategies import CCS01

_COUNTED = {"counter", "authorisingRemotePartySeqNumber", "newRemotePartyFloorSeqNumber", "otherRemotePartyFloorSeqNumber"}
_COUNTED |= {"currentSeqNumber", "seqNumber", "originatorCounter"}


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files("firmware_emu.gbcs").joinpath(name).read_text("utf-8").splitlines()))


def _leaves(shape: str) -> Iterator[tuple[str, str]]:
    """Path and type of every leaf of a shape such as ``structure[2](integer,enum)``."""
    stack: list[tuple[str, int]] = []
    last = ""
    for token in re.findall(r"[a-z][\w-]*(?:\[\d+\]|\(\d+\))?|[(),]", shape):
        if token == ")":
            stack.pop()
        elif token == ",":
            stack[-1] = (stack[-1][0], stack[-1][1] + 1)
        elif token == "(":
            stack.append((last, 0))
        else:
            last = re.sub(r"[\[(].*", "", token)
            if last not in ("structure", "array", "compact-array"):
                steps = [str(place) if owner == "structure" else "*" for owner, place in stack]
                yield ".".join(steps), last


def test_every_enumeration_that_a_use_case_reads_or_sets_has_a_meaning() -> None:
    answers = {(row["variant"].partition("/")[0], row["index"]): row["shape"] for row in _rows("response_lists.csv")}
    seen, missing = 0, set()
    for row in _rows("access_lists.csv"):
        member = f"{row['class_id']} {row['obis']} {'method' if row['access'] == 'action' else 'attribute'} {row['attribute']}"
        for where, shape in (("request", row["shape"]), ("response", answers.get((row["name"], row["index"]), ""))):
            if where == "response" and row["access"] == "set":
                continue
            for path, kind in _leaves(shape):
                if kind == "enum":
                    seen += 1
                    place = meaning_place(where, member, path)
                    if meanings().of(place) is None:
                        missing.add(place)
    assert seen > 30
    assert missing == set()


def test_every_class_and_member_that_a_use_case_names_has_a_name() -> None:
    unnamed = set()
    for row in _rows("access_lists.csv"):
        number, member = int(row["class_id"]), int(row["attribute"])
        name = cosem_member(number, member, method=row["access"] == "action")
        if cosem_class(number) == f"class {number}" or re.fullmatch(r"(attribute|method) \d+", name):
            unnamed.add((number, row["access"], member))
    assert unnamed == set()


def test_every_code_of_an_asn1_payload_has_a_meaning() -> None:
    codes = set()
    for kind in kinds().values():
        codes |= {member.name for member in kind.members if member.kind.name == member.kind.base == "INTEGER"}
    assert {name for name in codes - _COUNTED if meanings().of(f"asn1 {name}") is None} == set()
    bare = {row["message_code"] for row in _rows("asn1_types.csv") if row["type"] == "ResponseCode"}
    assert {code for code in bare if meanings().of(f"response {code}") is None} == set()


def _request(class_id: int, obis: str, attribute: int, value: Data) -> Tree:
    header = GroupingHeader(CraFlag.COMMAND, 5, Eui64(bytes(8)), Eui64(bytes(8)), OtherInformation(0x0019))
    octets = bytes(int(part) for part in re.split(r"[-:.]", obis))
    request = AccessRequest(invoke_id(5), (Specification(Choice.SET, class_id, octets, attribute),), (value,))
    return explain(Message(header, request.encode()).encode())


def test_the_dates_of_a_calendar_are_told_as_dates() -> None:
    entry = Structure((LongUnsigned(1), OctetString(bytes.fromhex("07ea0c19ff")), OctetString(b"\x01")))
    tree = _request(11, "0-0:11.0.0.255", 2, Array((entry,)))
    assert next(node.meaning for _, node in tree.walk() if node.field == "date") == "2026-12-25"
    assert _meaning(_request(8, "0-0:1.0.0.255", 9, Enum(1)), "Clock, Clock Base") == "internal crystal"


def _meaning(tree: Tree, field: str) -> str:
    return next(node.meaning for _, node in tree.walk() if node.field.endswith(field))


@pytest.mark.parametrize(
    ("form", "octets", "told"),
    [
        ("date", "07ea0401ff", "2026-04-01"),
        ("date", "ffff0401ff", "every year, month 4, day 1"),
        ("date", "ffffffff01", "every day, Monday"),
        ("date", "fffffdfeff", "every year, the month summer time ends, the last day"),
        ("time", "00 1e ff 00", "00:30:any"),
        ("zcl-date", "7e 04 01 ff", "2026-04-01"),
        ("zcl-date", "ff ff ff ff", "every day"),
        ("date-time", "ffff0401ff0000ffff8000ff", "every year, month 4, day 1, 00:00:any"),
        ("date", "00", ""),
    ],
)
def test_a_date_with_wildcards_is_told_in_words(form: str, octets: str, told: str) -> None:
    assert describe_form(form, bytes.fromhex(octets)) == told


def test_an_invalid_attribute_is_told_as_invalid_and_a_bit_field_by_its_bits() -> None:
    frame = bytes.fromhex("0000 00 25 ffffffffffff".replace(" ", ""))
    header = GroupingHeader(CraFlag.RESPONSE, 5, Eui64(bytes(8)), Eui64(bytes(8)), OtherInformation(0x0074))
    component = Component(0x0702, 0x18, 1, 0x01, frame)
    tree = explain(Message(header, Gbz((component,)).encode()).encode())
    assert _meaning(tree, "value").startswith("invalid: the Device has no value")


@given(st.integers(1, len(CCS01) - 1))
def test_a_message_cut_anywhere_is_told_up_to_its_end(at: int) -> None:
    cut = CCS01[:at]
    with pytest.raises(DecodeError) as wrong:
        explain(cut)
    tree = explain_to_fault(cut, wrong.value)
    assert b"".join(node.octets for _, node in tree.walk()) == cut
    assert tree.nodes[-1].field == FAULT
    if at > 104 + 10:
        assert next(node.value for _, node in tree.walk() if node.field == "ieee address").endswith("00db1234567890a0")


def test_a_message_with_a_wrong_octet_is_told_up_to_it() -> None:
    wrong = bytearray(CCS01)
    wrong[114] = 0xEE  # the type of the key's kind
    with pytest.raises(DecodeError) as fault:
        explain(bytes(wrong))
    tree = explain_to_fault(bytes(wrong), fault.value)
    assert "fault at octet 114" in tree.title
    assert _meaning(tree, "specification 0") == "Device Log (CHF), Register Device"
    assert "ee" in tree.nodes[-1].meaning
