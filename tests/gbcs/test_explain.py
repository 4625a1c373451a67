"""Explanations: every octet once, with names and clauses, as text or JSON."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.alerts import delivery_failure
from firmware_emu.gbcs.axdr import Data, decode_data
from firmware_emu.gbcs.build import alert_message
from firmware_emu.gbcs.cosem_time import EPOCH
from firmware_emu.gbcs.dlms import AccessRequest, Choice, Specification, invoke_id
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.tree import Tree
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier
from tests.gbcs.gbcs_strategies import CCS01, HOSTILE_SECONDS, clear, headers, outcome, sealed, values

HEADER = GroupingHeader(CraFlag.COMMAND, 5, Eui64(bytes(8)), Eui64(bytes(8)), OtherInformation(0x0019))


def _covered(tree: Tree) -> bytes:
    octets = b""
    for _, node in tree.walk():
        assert node.offset == len(octets)
        octets += node.octets
    return octets


def test_the_command_of_the_reference_is_explained_field_by_field() -> None:
    tree = explain(CCS01)
    assert _covered(tree) == CCS01
    named = {node.field: node for _, node in tree.walk()}
    assert named["originator counter"].value == "1302"
    assert named["message code"].meaning == "CCS01: Add Device to CHF device log"
    assert named["ieee address"].offset == 104
    assert named["key type"].value == "enum 1"
    assert named["data 1: Device Log (CHF), Join Timeout"].value == "long-unsigned 90"
    assert tree.title == "CCS01 command, 90b3d51f30000002 to 00db1234567890a2, counter 1302"


def test_an_explanation_is_json() -> None:
    tree = json.loads(json.dumps(explain(CCS01).as_json()))
    assert tree["nodes"][0]["field"] == "general-ciphering header"
    assert sum(node["length"] for node in tree["nodes"]) == len(CCS01)


@given(headers, values)
def test_any_dlms_value_is_covered(header: GroupingHeader, value: Data) -> None:
    request = AccessRequest(invoke_id(1), (Specification(Choice.SET, 1, bytes(6), 2),), (value,))
    other = OtherInformation(0x0019, *(getattr(header.other, name) for name in OtherInformation.__slots__[1:]))
    command = GroupingHeader(CraFlag.COMMAND, header.counter, header.originator, header.recipient, other, header.date_time)
    octets = Message(command, request.encode()).encode()
    assert decode_data(value.encode()) == value
    assert _covered(explain(octets)) == octets


@given(st.lists(st.one_of(clear, sealed), min_size=1, max_size=5).map(tuple).map(Gbz))
def test_any_gbz_component_is_covered(payload: Gbz) -> None:
    octets = Message(HEADER, payload.encode()).encode()
    assert _covered(explain(octets)) == octets


def test_a_zcl_payload_that_breaks_its_layout_is_shown_with_what_is_wrong() -> None:
    payload = Gbz((Component(0x0709, 1, 0, 1, b"\x01\x02"),))
    nodes = {node.field: node for _, node in explain(Message(HEADER, payload.encode()).encode()).walk()}
    assert "left over" in nodes["ZCL payload"].meaning


def test_a_delivery_failure_is_covered() -> None:
    identifier = MessageIdentifier(Eui64(bytes(8)), Eui64(bytes(8)), CraFlag.COMMAND, 3)
    payload = delivery_failure(0x8F84, EPOCH, identifier).encode()
    octets = alert_message(0x00D5, 1, Eui64(bytes(8)), Eui64(bytes(8)), payload).encode()
    assert _covered(explain(octets)) == octets


@given(st.binary(max_size=100))
def test_arbitrary_payloads_raise_decode_errors_only(payload: bytes) -> None:
    for cra in CraFlag:
        octets = Message(GroupingHeader(cra, 5, HEADER.originator, HEADER.recipient, HEADER.other), payload).encode()
        result = outcome(lambda octets=octets: explain(octets))
        assert result.offset <= len(octets) if isinstance(result, DecodeError) else _covered(result) == octets


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(DecodeError):
        explain(b"not a message")


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01\x09\xff" + b"\x00\x07\x02\x00\x03\x00\x00\x00" * 254 + b"\x01\x07\x02\x1f\x00\x00\x00\x00" + bytes(0x1EFD),
        b"\xd9\x20\0\0\x01\0\x01\x02\0\x01\0\0\0\0\0\0\x02\x01\x01\x82\x20\x00" + bytes(0x2000),
        b"\xd9\x20\0\0\x01\0\x01\x02\0\x01\0\0\0\0\0\0\x02\x01" + b"\x02\x01" * 5000,
        b"\xd9\x20\0\0\x01\0\x82\x13\x88" + b"\x01\0\x01\0\0\0\0\0\0\x02" * 1000,
    ],
)
def test_ten_hostile_kilobytes_are_read_or_refused_quickly(payload: bytes) -> None:
    octets = Message(HEADER, payload).encode()
    explain(CCS01)
    started = time.process_time()
    outcome(lambda: decode_payload(Message.decode(octets)))
    assert time.process_time() - started < HOSTILE_SECONDS
