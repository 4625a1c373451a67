"""Replays the fuzzer's corpus, and bounds the work that ten kilobytes of anything can cause."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import pytest

from firmware_emu.gbcs.asn1 import Asn1Payload, LengthForm
from firmware_emu.gbcs.asn1_types import DeviceLogEntry, ReadDeviceLogResponse
from firmware_emu.gbcs.axdr import Array, Data, Null, OctetString, Structure, Unsigned
from firmware_emu.gbcs.dlms import AccessOutcome, AccessRequest, AccessResponse, AccessResult, Choice, DataNotification, Specification
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.ids import CraFlag, Eui64
from tests.fuzz.gbcs_decoders import decode

_CORPUS = sorted((Path(__file__).parent / "corpus" / "gbcs").iterdir())
_ESME, _SUPPLIER = Eui64.parse("00db1234567890a0"), Eui64.parse("90b3d51f30010000")
_SIZE = 10_000
LINES_PER_OCTET = 200
"""Lines of Python that one octet of a message may cost to read, explain and check: 10,000 octets then stay near a million and a half
lines, a tenth of a second on the machines this is developed on."""


@pytest.mark.parametrize("file", _CORPUS, ids=lambda file: file.name)
def test_every_input_of_the_corpus_is_read_or_refused(file: Path) -> None:
    read = decode(file.read_bytes())
    assert read or file.name.startswith("crash"), "a seed is a message that can be read"


@pytest.mark.parametrize("file", [file for file in _CORPUS if file.stat().st_size < 400], ids=lambda file: file.name)
def test_a_seed_with_any_octet_changed_or_its_end_missing_is_read_or_refused(file: Path) -> None:
    octets = file.read_bytes()
    for place in range(len(octets)):
        for value in {octets[place] ^ 0x01, octets[place] ^ 0x80, 0x00, 0xFF} - {octets[place]}:
            decode(octets[:place] + bytes((value,)) + octets[place + 1 :])
        decode(octets[:place])


def _message(code: int, cra: CraFlag, payload: bytes) -> bytes:
    header = GroupingHeader(cra, 1, _SUPPLIER, _ESME, OtherInformation(code))
    return Message(header, payload, b"", bytes(12)).encode()


def _nested(leaves: int) -> Data:
    """Structures as deep as they may be, each beside its share of the leaves."""
    value: Data = Unsigned(1)
    for _ in range(30):
        value = Structure((value, *(Null() for _ in range(leaves // 30))))
    return value


def _hostile(size: int) -> dict[str, bytes]:
    """Messages of about ``size`` octets whose every octet is one more thing to read."""
    nulls = (Null(),) * (size // 3)
    results = (AccessOutcome(Choice.GET, AccessResult(0)),) * (size // 3)
    gets = (Specification(Choice.GET, 1, bytes(6), 2),) * (size // 11)
    log = (DeviceLogEntry(_ESME, 1),) * (size // 15)
    report = Component(0x0702, 0x18, 0, 0x0A, bytes.fromhex("000010 01".replace(" ", "")) * (size // 4))
    small = tuple(Component(0x0702, 0x00, 0, 0x0B, b"\0\0") for _ in range(min(255, size // 10)))
    entries = Asn1Payload("ReadDeviceLogResponse", ReadDeviceLogResponse(0, log), LengthForm.DEVICE)
    empty = Array((OctetString(b""),) * (size // 2))
    compact = b"\x13\x02\x02\x11\x11\x82" + size.to_bytes(2, "big") + bytes(size)
    return {
        "an answer of nulls": _message(0x0024, CraFlag.RESPONSE, AccessResponse(1, nulls, results).encode()),
        "a request of gets": _message(0x0024, CraFlag.COMMAND, AccessRequest(1, gets, (Null(),) * len(gets)).encode()),
        "an array of nulls": _message(0x1000, CraFlag.ALERT, DataNotification(1, Array(nulls * 3)).encode()),
        "an array of empty strings": _message(0x1000, CraFlag.ALERT, DataNotification(1, empty).encode()),
        "nested structures": _message(0x1000, CraFlag.ALERT, DataNotification(1, _nested(size)).encode()),
        "a compact array": _message(0x1000, CraFlag.ALERT, b"\x0f" + bytes(5) + compact),
        "a report of attributes": _message(0x0074, CraFlag.RESPONSE, Gbz((report,)).encode()),
        "many components": _message(0x0074, CraFlag.RESPONSE, Gbz(small).encode()),
        "a device log": _message(0x0013, CraFlag.RESPONSE, entries.encode()),
        "octets that mean nothing": _message(0x0013, CraFlag.RESPONSE, b"\x30\x82" + size.to_bytes(2, "big") + b"\x30\x00" * (size // 2)),
        "encrypted headers": _message(0x0074, CraFlag.RESPONSE, b"\x01\x09\xff" + bytes.fromhex("3100000000") * (size // 5)),
        "text for the message code": _message(0x00D5, CraFlag.ALERT, b"\x30" * size),
        "lengths that lie": _message(0x1000, CraFlag.ALERT, b"\x0f" + bytes(5) + b"\x01\x82\xff\xff" * (size // 4)),
    }


def _lines(octets: bytes) -> int:
    """Number of lines of Python that reading, explaining and checking these octets runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decode(octets)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", _hostile(100))
def test_ten_kilobytes_cost_no_more_than_their_size_allows(name: str) -> None:
    decode(_hostile(100)[name])  # tables are read once, and not counted
    whole, half = _hostile(_SIZE)[name], _hostile(_SIZE // 2)[name]
    lines = _lines(whole)
    assert lines <= LINES_PER_OCTET * _SIZE
    assert lines <= 2.5 * _lines(half) + 2000, "twice the octets, twice the work"
