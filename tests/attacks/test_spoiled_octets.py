"""Octets that attacks make of honest ones: each cut and each flipped bit is one, and none is the honest message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.tunneling import TUNNELING
from hil.attacks import radio
from hil.attacks.mutations import field_offsets, flipped, spread, truncated
from hil.radio.air.frames import ApsKind, ApsPdu, MacCommand, MacKind, MacPdu, NwkCommand, NwkPdu

ESME, GPF = Eui64.parse("00db1234567890a0"), Eui64.parse("00db1234567890c1")
PAN, SHORT = 0x1A2B, 0x3C4D


def test_a_message_is_cut_before_each_offset_that_it_has() -> None:
    assert list(truncated(b"abcd", (0, 1, 3, 4, 5))) == [b"", b"a", b"abc"], "cut at its end it is the message"


@pytest.mark.parametrize(("bit", "octet"), [(0, 0x60), (7, 0xE1)])
def test_one_bit_of_one_octet_is_flipped_at_a_time(bit: int, octet: int) -> None:
    assert list(flipped(b"axa", (0, 2, 3), bit)) == [bytes([octet]) + b"xa", b"ax" + bytes([octet])]
    assert list(flipped(b"a", (0,))) == [b"\x60"], "the lowest bit, where none is named"


@pytest.mark.parametrize(
    ("length", "count", "offsets"),
    [(9, 3, [0, 4, 8]), (2, 2, [0, 1]), (3, 5, [0, 1, 2]), (1, 4, [0]), (5, 1, [0]), (0, 3, []), (11, 6, [0, 2, 4, 6, 8, 10])],
)
def test_offsets_are_spread_from_the_first_octet_to_the_last(length: int, count: int, offsets: list[int]) -> None:
    assert spread(bytes(length), count) == offsets


def test_what_is_no_message_is_spoiled_at_each_eighth_octet() -> None:
    assert field_offsets(b"\xff" * 20) == [0, 8, 16]


@dataclass
class _Arena:
    """Arena as a generator of frames asks it: who the meter and the hub are, and where."""

    esme = SimpleNamespace(eui64=ESME)
    journey = SimpleNamespace(gpf=GPF)

    def stack_of(self, _device: object) -> SimpleNamespace:
        return SimpleNamespace(tokens=SimpleNamespace(pan=PAN, short=SHORT))


def _read(frames: Iterator[bytes]) -> list[tuple[MacPdu, NwkPdu]]:
    """Each frame as a radio reads it: its MAC and its network header."""
    return [(mac, NwkPdu.decode(mac.payload)) for mac in map(MacPdu.decode, frames)]


@pytest.mark.parametrize(("to_hub", "source", "destination"), [(True, SHORT, 0), (False, 0, SHORT)])
def test_frames_in_clear_are_tunnel_data_a_leave_a_rejoin_and_a_status_between_meter_and_hub(
    to_hub: bool, source: int, destination: int
) -> None:
    read = _read(radio._in_clear(to_hub)(_Arena()))  # type: ignore[arg-type]
    for mac, nwk in read:
        assert (mac.kind, mac.destination_pan, mac.destination, mac.source) == (MacKind.DATA, PAN, destination, source)
        assert (nwk.destination, nwk.source, nwk.secured) == (destination, source, False)
    assert [nwk.command for _, nwk in read] == [False, True, True, True]
    aps = ApsPdu.decode(read[0][1].payload)
    assert (aps.kind, aps.cluster, aps.profile, aps.ack_request, aps.destination_endpoint, aps.source_endpoint) == (
        ApsKind.DATA,
        TUNNELING.id,
        0x0109,
        True,
        1,
        1,
    )
    assert [nwk.payload[0] for _, nwk in read[1:3]] == [NwkCommand.LEAVE, NwkCommand.REJOIN_REQUEST]


def test_frames_from_elsewhere_name_the_meter_and_come_from_an_address_that_is_not_its() -> None:
    read = _read(radio._from_elsewhere(_Arena()))  # type: ignore[arg-type]
    assert len({nwk.sequence for _, nwk in read}) == len(read) == len({mac.sequence for mac, _ in read})
    for mac, nwk in read:
        assert (mac.destination_pan, mac.destination, mac.source, nwk.destination, nwk.source) == (PAN, 0, 0x4242, 0, 0x4242)
        assert (nwk.source_eui, nwk.secured) == (ESME, False)
    assert [nwk.command for _, nwk in read] == [False, True, True, True]
    assert [nwk.payload[0] for _, nwk in read[1:]] == [NwkCommand.REJOIN_REQUEST, NwkCommand.REJOIN_REQUEST, NwkCommand.LEAVE]


def test_each_of_forty_strangers_has_a_name_and_an_address_of_its_own_but_the_first_has_the_meters() -> None:
    read = _read(radio._strangers(_Arena()))  # type: ignore[arg-type]
    assert len({nwk.source_eui for _, nwk in read}) == len({nwk.source for _, nwk in read}) == len(read) == 40
    assert (read[0][1].source, read[0][0].source) == (SHORT, SHORT)
    assert all(mac.source == nwk.source and nwk.payload[0] == NwkCommand.REJOIN_REQUEST for mac, nwk in read)
    assert not any(nwk.secured for _, nwk in read)
    assert all(nwk.command for _, nwk in read)


def test_strangers_knock_by_turns_with_data_requests_and_associations() -> None:
    frames = [MacPdu.decode(one) for one in radio._knocks(_Arena())]  # type: ignore[arg-type]
    assert [one.payload[0] for one in frames] == [MacCommand.DATA_REQUEST, MacCommand.ASSOCIATION_REQUEST] * 20
    assert all((one.kind, one.destination_pan, one.destination) == (MacKind.COMMAND, PAN, 0) for one in frames)
    assert len({one.source for one in frames}) == 40


def test_the_mac_takes_a_captured_frame_with_another_number_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = [bytes([0x61, 0x88, number, 1, 2, 3]) for number in (*range(70), 200)]
    monkeypatch.setattr(radio, "_captured", lambda arena: captured)
    assert list(radio._replayed(_Arena())) == captured[:60]  # type: ignore[arg-type]
    renumbered = list(radio._replayed_renumbered(_Arena()))  # type: ignore[arg-type]
    assert [(one[:2], one[3:]) for one in renumbered] == [(one[:2], one[3:]) for one in captured[:60]]
    assert not {one[2] for one in renumbered} & {one[2] for one in captured[:60]}, "no sequence of the sixty comes again"


def test_a_frame_that_is_too_long_is_longer_than_a_radio_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """IEEE 802.15.4: aMaxPHYPacketSize is 127 octets."""
    monkeypatch.setattr(radio, "_captured", lambda arena: [b"short", b"the longest"])
    long, full = radio._long(_Arena())  # type: ignore[arg-type]
    assert long.startswith(b"the longest")
    assert min(len(long), len(full)) > 127
    assert list(radio._cut(_Arena())) == [b"the longest"[:end] for end in range(11)]  # type: ignore[arg-type]
    assert len({*radio._flips(_Arena())}) == 22, "two bits of each octet"  # type: ignore[arg-type]


def test_every_command_of_a_cluster_is_sent_with_nothing_cut_and_far_too_long_and_one_that_there_is_not() -> None:
    frames = list(radio._zcl_frames(METERING))
    assert len(frames) == 5 * len(METERING.to_server) + 1
    for number in METERING.to_server:
        assert [len(one) for one in frames if one[2] == number] == [3, 4, 7, 12, 73]
    assert frames[-1][2] not in METERING.to_server
    assert all(one[0] == 0x01 for one in frames), "cluster commands, from a client (ZCL 2.4.1.1)"
