"""Frames of no network, octet by octet: ZigBee Smart Energy 1.2 annex B over IEEE 802.15.4-2006 7.2 (recalled, as tshark reads them)."""

from __future__ import annotations

import pytest

from firmware_emu.errors import DecodeError
from firmware_emu.han.inter_pan import MAX_PAYLOAD, InterPanFrame, InterPanSender, decode, encode
from firmware_emu.ids import Eui64

ONE, OTHER = Eui64(bytes(range(0x11, 0x19))), Eui64(bytes(range(0x21, 0x29)))
ONE_SENT, OTHER_SENT = "1817161514131211", "2827262524232221"
BODY = "02080901"
"""Cluster 0x0802 of profile 0x0109."""


@pytest.mark.parametrize(
    ("octets", "destination", "group", "to_many"),
    [
        ("21cc4d621a" + OTHER_SENT + "631b" + ONE_SENT + "0b0003" + BODY + "ee", OTHER, None, False),
        ("21c84d621a3412631b" + ONE_SENT + "0b0003" + BODY + "ee", 0x1234, None, False),
        ("21c84d621aff12631b" + ONE_SENT + "0b0003" + BODY + "ee", 0x12FF, None, False),
        ("01c84d621affff631b" + ONE_SENT + "0b000b" + BODY + "ee", 0xFFFF, None, True),
        ("01c84d621affff631b" + ONE_SENT + "0b000f7856" + BODY + "ee", 0xFFFF, 0x5678, True),
        ("21cc4d621a" + OTHER_SENT + "631b" + ONE_SENT + "0b000f7856" + BODY + "ee", OTHER, 0x5678, True),
    ],
)
def test_a_frame_of_no_network_has_its_addresses_and_stubs_in_their_places(
    octets: str, destination: Eui64 | int, group: int | None, to_many: bool
) -> None:
    frame = InterPanFrame(0x0802, b"\xee", group=group)
    assert encode(frame, ONE, 0x1B63, destination, 0x1A62, 0x4D).hex() == octets
    assert decode(bytes.fromhex(octets)) == (InterPanSender(ONE, 0x1B63, to_many), frame)


def test_the_pan_of_a_compressed_frame_is_that_of_its_destination() -> None:
    for head, address in (("61cc4d621a", OTHER_SENT), ("61c84d621a", "3412")):
        sender, frame = decode(bytes.fromhex(head + address + ONE_SENT + "0b0003" + BODY + "ee"))
        assert sender == InterPanSender(ONE, 0x1A62)
        assert frame == InterPanFrame(0x0802, b"\xee")


def test_a_frame_counts_from_0_and_its_profile_is_its_own() -> None:
    frame = InterPanFrame(0x0802, b"", profile=0xC05E)
    octets = encode(frame, ONE, 0xFFFF, OTHER, 0xFFFF)
    assert octets[2] == 0
    assert octets[-4:].hex() == "02085ec0"
    assert decode(octets)[1] == frame


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        ("", "at offset 0, MAC frame control: 0x0000, expected data with an EUI-64 as its source"),
        ("21cc", "at offset 0, MAC frame control: 0xcc21, expected data with an EUI-64 as its source"),
        ("22cc4d", "at offset 0, MAC frame control: 0xcc22, expected data with an EUI-64 as its source"),
        ("25cc4d", "at offset 0, MAC frame control: 0xcc25, expected data with an EUI-64 as its source"),
        ("21c04d", "at offset 0, MAC frame control: 0xc021, expected data with an EUI-64 as its source"),
        ("21c44d", "at offset 0, MAC frame control: 0xc421, expected data with an EUI-64 as its source"),
        ("218c4d", "at offset 0, MAC frame control: 0x8c21, expected data with an EUI-64 as its source"),
        ("210c4d", "at offset 0, MAC frame control: 0x0c21, expected data with an EUI-64 as its source"),
        (
            "21c84d621a3412631b" + ONE_SENT + "080003" + BODY,
            "at offset 17, NWK and APS stub: 080003, expected frame type 3 in both",
        ),
        (
            "21c84d621a3412631b" + ONE_SENT + "0b0002" + BODY,
            "at offset 17, NWK and APS stub: 0b0002, expected frame type 3 in both",
        ),
        ("21c84d621a3412631b" + ONE_SENT + "0b00", "at offset 17, NWK and APS stub: 0b00, expected frame type 3 in both"),
        ("21cc4d621a" + OTHER_SENT + "631b" + ONE_SENT + "0b", "at offset 23, NWK and APS stub: 0b, expected frame type 3 in both"),
        ("21cc4d", "at offset 23, NWK and APS stub: , expected frame type 3 in both"),
        (
            "21c84d621a3412631b" + ONE_SENT + "0b0003",
            "at offset 20, APS stub: 0 octets after its control, expected cluster and profile",
        ),
        ("61c84d621a3412" + ONE_SENT + "0b00", "at offset 15, NWK and APS stub: 0b00, expected frame type 3 in both"),
        (
            "21c84d621a3412631b" + ONE_SENT + "0b0003020809",
            "at offset 23, APS stub: 3 octets after its control, expected cluster and profile",
        ),
        (
            "21c84d621a3412631b" + ONE_SENT + "0b000f7856020809",
            "at offset 25, APS stub: 3 octets after its control, expected cluster and profile",
        ),
    ],
)
def test_what_is_no_frame_of_no_network_is_refused_with_what_was_read(octets: str, said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(bytes.fromhex(octets))
    assert str(refused.value) == said


def test_the_longest_payload_fills_a_frame_of_127_octets_with_two_eui64() -> None:
    """Two octets of check follow."""
    assert len(encode(InterPanFrame(1, bytes(MAX_PAYLOAD)), ONE, 1, OTHER, 1)) + 2 == 127
