"""A message that cannot be read is explained field by field up to its fault, and what is wrong stands there."""

from __future__ import annotations

import pytest

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import ReadDeviceLogResponse
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.explain_fault import FAULT, explain_to_fault
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.tree import Tree
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import CraFlag, Eui64
from tests.gbcs.gbcs_strategies import CCS01

ONE, OTHER = Eui64.parse("00db1234567890a1"), Eui64.parse("90b3d51f30010000")


def message(code: int, payload: bytes, kind: CraFlag = CraFlag.COMMAND) -> bytes:
    return Message(GroupingHeader(kind, 5, ONE, OTHER, OtherInformation(code)), payload).encode()


GAS = message(0x0082, Gbz((Component(0x0702, 0x00, 1, 0x00, bytes.fromhex("14000000")), Component(0x0702, 0, 2, 0, b"\x07\0"))).encode())
LOG = message(0x0013, Asn1Payload("ReadDeviceLogResponse", ReadDeviceLogResponse(0, ())).encode(), CraFlag.RESPONSE)
MESSAGES = {"DLMS under a MAC": CCS01, "GBZ": GAS, "ASN.1": LOG}


def faulty(octets: bytes) -> Tree:
    """The explanation of octets that are no message."""
    with pytest.raises(DecodeError) as wrong:
        decode_payload(Message.decode(octets))
    return explain_to_fault(octets, wrong.value)


def fields(tree: Tree) -> list[tuple[int, str]]:
    return [(node.offset, node.field) for _, node in tree.walk()]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_that_ends_early_has_the_fields_that_are_there_and_says_how_much_of_its_content_is_missing(name: str) -> None:
    whole = MESSAGES[name]
    read = Message.decode(whole)
    start, size = read.payload_offset, len(read.payload)
    every, shown = fields(explain(whole)), list[int]()
    for end in range(start, start + size):
        tree = faulty(whole[:end])
        assert b"".join(node.octets for _, node in tree.walk()) == whole[:end]
        *before, (at, field) = fields(tree)
        assert (at, field) == (end, FAULT)
        if before[-1][1] == "octets before the fault":  # zeros behind them would make no content
            before.pop()
        shown.append(len(before))
        assert before == every[: len(before)], end
        assert all(offset < end for offset, _ in before)
        last = tree.nodes[-1]
        assert (last.value, last.meaning) == (
            "",
            f"content: the message ends here, {start + size - end} of its {size} octets are missing",
        )
        assert tree.title.endswith(f", with a fault at octet {end}")
    assert name != "DLMS under a MAC" or shown[-1] == len(every) - 2, "all but signature length and MAC"


@pytest.mark.parametrize("end", range(1, 34))
def test_a_message_without_its_whole_header_is_told_as_octets_before_the_fault(end: int) -> None:
    tree = faulty(GAS[:end])
    assert b"".join(node.octets for _, node in tree.walk()) == GAS[:end]
    assert tree.nodes[-1].field == FAULT
    assert tree.title == f"GBCS message, with a fault at octet {tree.nodes[-1].offset}"
    assert [node.field for node in tree.nodes[:-1]] in ([], ["octets before the fault"])


@pytest.mark.parametrize(
    ("name", "place", "octet"),
    [("DLMS under a MAC", 0, 0xDA), ("DLMS under a MAC", 5, 0x01), ("GBZ", 0, 0x02), ("GBZ", 3, 0xE0), ("ASN.1", 0, 0x31)],
)
def test_a_wrong_octet_of_the_content_is_where_the_fault_is(name: str, place: int, octet: int) -> None:
    whole = bytearray(MESSAGES[name])
    start = Message.decode(bytes(whole)).payload_offset
    whole[start + place] = octet
    with pytest.raises(DecodeError) as wrong:
        decode_payload(Message.decode(bytes(whole)))
    tree = faulty(bytes(whole))
    assert b"".join(node.octets for _, node in tree.walk()) == whole
    last = tree.nodes[-1]
    assert (last.field, last.offset) == (FAULT, wrong.value.offset)
    assert last.meaning == f"{wrong.value.field}: {wrong.value.problem}"
    assert last.value == bytes(whole[last.offset :]).hex()
    every = fields(explain(MESSAGES[name]))
    before = fields(tree)[:-1]
    assert before[: len(before) - 1] == every[: len(before) - 1]
