"""ASH octet by octet: reserved octets, limits, windows, times of UG101 (reference ezsp-ncp 1); EZSP frames by bellows' structures."""

from __future__ import annotations

import binascii

import bellows.ash
import bellows.types as t
import pytest

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.ncp import ash
from hil.radio.ncp.ash import Ash, AshState, Code, Deliver, Write
from hil.radio.ncp.ezsp import (
    ApsHead,
    NetworkParameters,
    Schema,
    Value,
    decode_frame,
    decode_request,
    encode_frame,
    encode_response,
    field_spans,
)
from hil.radio.stack.status import EzspStatus, Status
from tests.radio.radio_bench import METER

RST = ash.frame(0xC0)


def started() -> Ash:
    link = Ash()
    link.receive(RST, 0.0)
    return link


def written(events: list[ash.Event]) -> list[bytes]:
    return [event.octets for event in events if isinstance(event, Write)]


def data(number: int, acknowledge: int, payload: bytes = b"abcd", *, again: bool = False) -> bytes:
    return ash.frame(number << 4 | again << 3 | acknowledge, ash.randomise(payload))


def test_reserved_octets_are_those_of_bellows_and_go_over_escaped() -> None:
    theirs = {int(one) for one in bellows.ash.Reserved}
    assert theirs == {ash.FLAG, ash.ESCAPE, ash.XON, ash.XOFF, ash.SUBSTITUTE, ash.CANCEL}
    for octet in range(256):
        whole = ash.frame(0x80, bytes([octet]))
        body = whole[:-1]
        assert whole[-1] == 0x7E
        assert not {*body} & (theirs - {0x7D}), octet
        assert ash.unstuff(body) == bytes([0x80, octet])
        assert (bytes([0x7D, octet ^ 0x20]) in body) or octet not in theirs
    assert ash.frame(0xC0).hex() == "c038bc7e"


@pytest.mark.parametrize("body", [b"", b"\x80", b"\x80\x00", b"\x7d", ash.frame(0x80)[:-1] + b"\x7d"])
def test_what_is_too_short_or_ends_in_an_escape_is_no_frame(body: bytes) -> None:
    assert ash.unstuff(body) is None
    assert binascii.crc_hqx(b"\xc0", 0xFFFF) == 0x38BC


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\x00" + bytes(256), "DATA"),
        (b"\x7f" + bytes(3), "DATA"),
        (b"\x00" + bytes(257), "BAD"),
        (b"\x80", "ACK"),
        (b"\x9f", "ACK"),
        (b"\xa0", "NAK"),
        (b"\xbf", "NAK"),
        (b"\xc0", "RST"),
        (b"\xc1", "OTHER"),
        (b"\xc2", "OTHER"),
        (b"\xe0", "OTHER"),
    ],
)
def test_a_frame_is_of_the_kind_that_its_control_octet_says(body: bytes, kind: str) -> None:
    assert ash.classify(body).name == kind


def test_octets_of_the_line_itself_are_passed_over_and_a_spoilt_frame_is_skipped() -> None:
    link = started()
    good = data(0, 0)
    with_flow = b"".join(bytes([octet, 0x11, 0x13]) for octet in good[:-1]) + good[-1:]
    assert Deliver(b"abcd") in link.receive(with_flow, 0.0)
    assert link.receive(b"\x7e\x7e\x7e", 0.0) == []
    assert link.receive(b"\x01\x02\x18\x03" + b"\x7e", 0.0) == [], "substituted: up to the flag"
    assert Deliver(b"abcd") in link.receive(b"\x01\x02\x1a" + data(1, 0), 0.0), "cancelled: what came before"
    assert Deliver(b"abcd") in link.receive(b"\x18\x01\x1a" + data(2, 0), 0.0)
    assert link.counters == {"framing": 0, "overflow": 0, "timeouts": 0}


@pytest.mark.parametrize(("octets", "overflows"), [(1024, 0), (1025, 1)])
def test_a_frame_of_more_than_1024_octets_overflows(octets: int, overflows: int) -> None:
    link = started()
    link.receive(b"a" * octets, 0.0)
    assert link.counters["overflow"] == overflows
    events = link.receive(b"\x7e", 0.0)
    assert (link.counters["framing"], written(events)) == ((0, []) if overflows else (1, [ash.frame(0xA0)]))
    assert Deliver(b"abcd") in link.receive(data(0, 0), 0.0)


def test_numbers_come_round_after_eight_both_ways() -> None:
    link = started()
    for number in range(20):
        events = link.receive(data(number % 8, number % 8), number)
        assert events == [Write(ash.frame(0x80 | (number + 1) % 8)), Deliver(b"abcd")]
        (sent,) = written(link.send(bytes([number] * 3), number))
        body = ash.unstuff(sent[:-1])
        assert body is not None
        assert (body[0], ash.randomise(body[1:])) == (number % 8 << 4 | (number + 1) % 8, bytes([number] * 3))
    assert not link.idle
    link.receive(ash.frame(0x80 | 20 % 8), 21)
    assert link.idle


def test_five_frames_may_wait_for_their_acknowledgement_and_256_behind_them() -> None:
    link = started()
    sent = [written(link.send(bytes(3), 0.0)) for _ in range(6)]
    assert [len(one) for one in sent] == [1, 1, 1, 1, 1, 0]
    for _ in range(255):
        assert link.send(bytes(3), 0.0) == []
    assert link.counters["overflow"] == 0
    link.send(bytes(3), 0.0)
    assert link.counters["overflow"] == 1
    assert len(written(link.receive(ash.frame(0x85), 0.0))) == 5
    assert written(link.receive(ash.frame(0x83), 0.0)) == [], "an old number acknowledges nothing"


def test_a_host_that_is_not_ready_says_so_in_either_acknowledgement() -> None:
    for not_ready, ready in ((0x88, 0x80), (0xA8, 0xA0)):
        link = started()
        link.receive(ash.frame(not_ready), 0.0)
        assert link.send(b"abc", 0.0) == []
        assert len(written(link.receive(ash.frame(ready), 0.0))) == 1


def test_what_is_rejected_is_sent_again_with_the_mark_and_what_follows_anew() -> None:
    link = started()
    first, second = (written(link.send(bytes([one] * 3), 0.0))[0] for one in (1, 2))
    assert link.deadline == 1.6
    repeated = written(link.receive(ash.frame(0xA1), 1.0))
    assert repeated == [ash.frame(0x18, ash.randomise(bytes([2] * 3)))]
    assert first != second
    assert link.deadline is not None
    assert link.deadline == pytest.approx(1.0 + 7 / 8 * 1.6 + 0.5), "the wait follows the round trip"


@pytest.mark.parametrize(("took_s", "wait_s"), [(0.0, 1.4), (1.0, 1.9), (1.5, 2.15)])
def test_the_wait_for_an_acknowledgement_follows_the_last_one(took_s: float, wait_s: float) -> None:
    """UG101: seven eighths of the wait before and half of what it took."""
    link = started()
    link.send(b"abc", 0.0)
    link.receive(ash.frame(0x81), took_s)
    link.send(b"abc", 10.0)
    assert link.deadline == pytest.approx(10.0 + wait_s)


def test_the_wait_stays_between_its_limits_and_doubles_at_each_time_out() -> None:
    link = started()
    for number in range(1, 40):
        link.send(b"abc", 0.0)
        link.receive(ash.frame(0x80 | number % 8), 0.0)
    link.send(b"abc", 0.0)
    assert link.deadline == pytest.approx(0.4)
    waits = []
    at = 0.0
    for _ in range(4):
        deadline = link.deadline
        assert deadline is not None
        waits.append(round(deadline - at, 6))
        assert link.tick(deadline - 0.001) == []
        assert len(link.tick(deadline)) == 1
        at = deadline
    assert waits == [0.4, 0.8, 1.6, 3.2]
    assert link.counters["timeouts"] == 4
    assert link.deadline is not None
    assert link.deadline - at == pytest.approx(3.2)
    assert written(link.tick(link.deadline)) == [ash.frame(0xC2, b"\x02\x51")]
    assert link.state is AshState.FAILED
    assert link.idle
    slow = started()
    slow.send(b"abc", 0.0)
    slow.receive(ash.frame(0x81), 100.0)
    slow.send(b"abc", 200.0)
    assert slow.deadline == pytest.approx(203.2)


@pytest.mark.parametrize("code", Code)
def test_a_reset_and_a_failure_give_their_code(code: Code) -> None:
    link = Ash()
    assert written(link.power_up(announce=True, code=code)) == [b"\x1a" + ash.frame(0xC1, bytes([2, code]))]
    assert link.power_up(announce=False) == []
    assert written(link.power_up(announce=True)) == [b"\x1a" + ash.frame(0xC1, b"\x02\x02")]
    link.receive(RST, 0.0)
    assert written(link.fail(code)) == [ash.frame(0xC2, bytes([2, code]))]
    assert written(link.receive(data(0, 0), 0.0)) == [ash.frame(0xC2, bytes([2, code]))]
    assert link.receive(ash.frame(0x80), 0.0) == []
    assert link.send(b"abc", 0.0) == []
    assert {one.value for one in Code} <= {int(one) for one in t.NcpResetCode}


# EZSP frames


@pytest.mark.parametrize(
    ("octets", "version", "told"),
    [
        ("070002aa", 4, (7, 0x02, "aa", True, 0x00)),
        ("070002aa", 7, (7, 0x02, "aa", True, 0x00)),
        ("0700ff0002aa", 7, (7, 0x02, "aa", False, 0x00)),
        ("0700ff0002", 5, (7, 0x02, "", False, 0x00)),
        ("0700ff0002", 4, (7, 0xFF, "0002", True, 0x00)),
        ("0700ff00", 5, (7, 0xFF, "00", True, 0x00)),
        ("0781010203aa", 8, (7, 0x0302, "aa", False, 0x81)),
        ("0700000d", 13, (7, 0x00, "0d", True, 0x00)),
        ("0701000d00", 13, (7, 0x000D, "", False, 0x01)),
    ],
)
def test_a_frame_is_read_in_the_form_of_its_version(octets: str, version: int, told: tuple[object, ...]) -> None:
    one = decode_frame(bytes.fromhex(octets), version)
    assert (one.sequence, one.frame_id, one.parameters.hex(), one.legacy, one.control) == told
    assert one.length == 5 + len(one.parameters)


@pytest.mark.parametrize(
    ("octets", "version", "said"),
    [
        ("0700", 13, "at offset 0, EZSP frame: 2 octets, expected 3 or more"),
        ("070001", 13, "at offset 3, EZSP frame id: 3 octets, expected 5 or more"),
        ("07000102", 13, "at offset 4, EZSP frame id: 4 octets, expected 5 or more"),
        ("0700", 4, "at offset 0, EZSP frame: 2 octets, expected 3 or more"),
    ],
)
def test_a_frame_that_is_too_short_is_refused(octets: str, version: int, said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode_frame(bytes.fromhex(octets), version)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("version", "legacy", "octets"),
    [
        (4, False, "078052aa"),
        (5, False, "0780ff0052aa"),
        (7, False, "0780ff0052aa"),
        (8, False, "0780015200aa"),
        (13, True, "078052aa"),
    ],
)
def test_a_frame_is_written_in_the_form_of_its_version(version: int, legacy: bool, octets: str) -> None:
    assert encode_frame(7, 0x52, b"\xaa", version, legacy=legacy).hex() == octets


FIELDS = Schema(
    "a command",
    1,
    (("a", "u8"), ("b", "u16"), ("c", "u32"), ("d", "s8"), ("e", "eui"), ("f", "L"), ("g", "W"), ("h", "D"), ("i", "key"), ("j", "bool")),
    (("st", "st"), ("sl", "sl"), ("d", "s8"), ("b", "u16"), ("e", "eui"), ("f", "L"), ("h", "D"), ("k", "key"), ("o", "L?")),
)
PARAMETERS = "01030207060504fe" + METER.zigbee.hex() + "02aabb021111222203000000ccddee" + bytes(range(16)).hex() + "0199"


def test_fields_of_a_request_are_read_by_their_kinds_and_what_is_behind_them_is_left() -> None:
    fields = decode_request(FIELDS, bytes.fromhex(PARAMETERS))
    assert [fields.u(one) for one in ("a", "b", "c", "j")] == [1, 0x0203, 0x04050607, 1]
    assert fields.eui("e") == METER
    assert [fields.octets(one).hex() for one in ("f", "g", "h", "i")] == ["aabb", "11112222", "ccddee", bytes(range(16)).hex()]
    whole = bytes.fromhex(PARAMETERS)
    for length in range(len(whole) - 1):
        with pytest.raises(DecodeError):
            decode_request(FIELDS, whole[:length])


@pytest.mark.parametrize(("version", "width"), [(13, 1), (14, 4)])
def test_a_reply_is_written_by_the_kinds_of_its_fields(version: int, width: int) -> None:
    values: dict[str, Value] = {
        "st": Status.INVALID_CALL,
        "sl": Status.SUCCESS,
        "d": -2,
        "b": 0x0203,
        "e": METER,
        "f": b"\xaa\xbb",
        "h": b"\xcc",
        "k": b"k" * 16,
    }
    octets = encode_response(FIELDS, values, version)
    head = Status.INVALID_CALL.sl.to_bytes(4, "little").hex() if width == 4 else "70"
    assert octets.hex() == head + "00000000fe0302" + METER.zigbee.hex() + "02aabb01000000cc" + (b"k" * 16).hex()
    optional = encode_response(FIELDS, {**values, "o": b"\xdd", "d": 300, "st": EzspStatus.SUCCESS}, version)
    assert optional.hex().endswith("01dd")
    assert optional[width + 4] == 127, "as much as fits"
    assert encode_response(FIELDS, {**values, "d": -300}, version)[width + 4] == 0x80


@pytest.mark.parametrize(("version", "status"), [(13, 1), (14, 4)])
def test_the_place_of_each_field_is_known(version: int, status: int) -> None:
    kinds = (("s", "st"), ("t", "sl"), ("k", "key"), ("f", "L"))
    octets = bytes(status) + bytes(4) + bytes(16) + b"\x02ab"
    ends = [status, status + 4, status + 20, status + 23]
    spans = [(kind, begin, end) for (_, kind), begin, end in zip(kinds, [0, *ends], ends, strict=False)]
    assert field_spans(kinds, octets, version) == spans
    assert field_spans(kinds, octets + b"xyz", version) == [*spans, ("?", ends[-1], ends[-1] + 3)]
    assert field_spans(kinds, octets[:-1], version) == [*spans[:3], ("?", ends[2], ends[2] + 2)]
    assert field_spans((*kinds, ("o", "L?")), octets, version) == [*spans, ("L?", ends[-1], ends[-1])]
    assert field_spans((*kinds, ("o", "L?")), octets + b"\x01z", version) == [*spans, ("L?", ends[-1], ends[-1] + 2)]


def test_an_aps_frame_and_the_parameters_of_a_network_are_bellows_own() -> None:
    head = ApsHead(0x0109, 0x0702, 1, 2, 0x1140, 0x3344, 0x55)
    theirs, rest = t.EmberApsFrame.deserialize(head.encode())
    assert not rest
    told = theirs.profileId, theirs.clusterId, theirs.sourceEndpoint, theirs.destinationEndpoint, theirs.options, theirs.groupId
    assert told == (0x0109, 0x0702, 1, 2, 0x1140, 0x3344)
    assert theirs.sequence == 0x55
    assert ApsHead.decode(theirs.serialize()) == head
    network = NetworkParameters(Eui64(bytes(range(8))), 0x1A62, 8, 15, 1, 0x2345, 7, 0x07FFF800)
    parameters, rest = t.EmberNetworkParameters.deserialize(network.encode())
    assert not rest
    assert (parameters.panId, parameters.radioTxPower, parameters.radioChannel, parameters.joinMethod) == (0x1A62, 8, 15, 1)
    assert (parameters.nwkManagerId, parameters.nwkUpdateId, parameters.channels) == (0x2345, 7, 0x07FFF800)
    assert parameters.extendedPanId.serialize() == bytes(reversed(range(8)))
    assert NetworkParameters.decode(parameters.serialize()) == network
