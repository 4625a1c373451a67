"""Each bit and octet of a frame by itself, by IEEE 802.15.4-2006 7.2 and ZigBee PRO r21 2.2.5, 3.3 and 4.5.1; frames cut off at each
length; refusals that name what was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.air.frames import AirReader, ApsKind, ApsPdu, Beacon, DeliveryMode, FragmentHeader, MacKind, MacPdu, NwkPdu
from hil.radio.open_air.messages import LONGEST, Messages, message
from hil.radio.stack.nwk import Auxiliary, KeyId

ONE, OTHER = Eui64(bytes(range(0x11, 0x19))), Eui64(bytes(range(0x21, 0x29)))
ONE_SENT, OTHER_SENT = "1817161514131211", "2827262524232221"
Decode = Callable[[bytes], object]


@pytest.mark.parametrize("kind", MacKind)
@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("0000", MacPdu(MacKind.BEACON, 9)),
        ("1000", MacPdu(MacKind.BEACON, 9, pending=True)),
        ("2000", MacPdu(MacKind.BEACON, 9, ack_request=True)),
    ],
)
def test_the_first_octet_of_a_mac_frame_has_kind_pending_and_acknowledgement(kind: MacKind, octets: str, expected: MacPdu) -> None:
    expected = replace(expected, kind=kind)
    data = bytes([bytes.fromhex(octets)[0] | [0, 1, 2, 3][list(MacKind).index(kind)], 0, 9])
    assert MacPdu.decode(data) == expected
    assert expected.encode() == data


@pytest.mark.parametrize(
    ("octets", "frame"),
    [
        ("010809621a3412ee", MacPdu(MacKind.DATA, 9, 0x1A62, 0x1234, payload=b"\xee")),
        ("010c09621a" + ONE_SENT + "ee", MacPdu(MacKind.DATA, 9, 0x1A62, ONE, payload=b"\xee")),
        ("018009631b7856ee", MacPdu(MacKind.DATA, 9, source_pan=0x1B63, source=0x5678, payload=b"\xee")),
        ("01c009631b" + OTHER_SENT + "ee", MacPdu(MacKind.DATA, 9, source_pan=0x1B63, source=OTHER, payload=b"\xee")),
        ("018809621a3412631b7856", MacPdu(MacKind.DATA, 9, 0x1A62, 0x1234, 0x1B63, 0x5678)),
        ("418809621a34127856", MacPdu(MacKind.DATA, 9, 0x1A62, 0x1234, None, 0x5678)),
        ("41cc09621a" + ONE_SENT + OTHER_SENT, MacPdu(MacKind.DATA, 9, 0x1A62, ONE, None, OTHER)),
        ("01c809621a3412631b" + OTHER_SENT, MacPdu(MacKind.DATA, 9, 0x1A62, 0x1234, 0x1B63, OTHER)),
    ],
)
def test_each_pair_of_addresses_of_a_mac_frame_has_its_place(octets: str, frame: MacPdu) -> None:
    assert frame.encode().hex() == octets
    assert MacPdu.decode(bytes.fromhex(octets)) == frame


def test_a_mac_frame_without_its_networks_is_of_network_0_and_a_lone_source_is_never_compressed() -> None:
    assert MacPdu(MacKind.DATA, 9, destination=0x1234).encode().hex() == "01080900003412"
    assert MacPdu(MacKind.DATA, 9, source=0x1234).encode().hex() == "01800900003412"
    lone = MacPdu.decode(bytes.fromhex("418009621a3412"))  # compressed to a destination that it does not have
    assert (lone.source_pan, lone.source) == (0x1A62, 0x1234)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("2004", {}),
        ("0f04", {"stack_profile": 15}),
        ("2404", {"stack_profile": 4}),
        ("2200", {"router_capacity": False}),
        ("2204", {}),
        ("220c", {"depth": 1}),
        ("223c", {"depth": 7}),
        ("227c", {"depth": 15}),
        ("2284", {"end_device_capacity": True}),
        ("22fc", {"depth": 15, "end_device_capacity": True}),
    ],
)
@pytest.mark.parametrize(("superframe", "coordinator", "permit"), [("ff0f", False, False), ("ff4f", True, False), ("ff8f", False, True)])
def test_the_bits_of_a_beacon_are_those_of_zigbee(
    flags: str, told: dict[str, int], superframe: str, coordinator: bool, permit: bool
) -> None:
    payload = bytes.fromhex(superframe + "000000" + flags + ONE_SENT + "ffffff" + "07")
    profile = bytes.fromhex(flags)[0] & 0xF
    facts = {"depth": 0, "router_capacity": True, "end_device_capacity": False, "stack_profile": profile, **told}
    beacon = Beacon.decode(MacPdu(MacKind.BEACON, 1, source_pan=0x1A62, source=0x1234, payload=payload))
    assert beacon == Beacon(0x1A62, 0x1234, permit, ONE, coordinator, update_id=7, **facts)  # type: ignore[arg-type]
    assert beacon.payload()[:5].hex() == superframe + "000000"
    assert beacon.payload()[6:] == payload[6:]
    assert beacon.payload()[5] == 0x20 | profile, "protocol version 2 beside the stack profile"


def test_a_beacon_that_is_not_asked_to_say_more_tells_of_stack_profile_2_with_room_for_both() -> None:
    assert Beacon(1, 2, False, ONE, False).payload().hex() == "ff0f0000002284" + ONE_SENT + "ffffff" + "00"


NWK_ADDRESSES = "341278561e09"


@pytest.mark.parametrize(
    ("octets", "frame"),
    [
        ("0800" + NWK_ADDRESSES, NwkPdu(0x1234, 0x5678, 30, 9, secured=False)),
        ("0900" + NWK_ADDRESSES, NwkPdu(0x1234, 0x5678, 30, 9, command=True, secured=False)),
        ("4800" + NWK_ADDRESSES, NwkPdu(0x1234, 0x5678, 30, 9, secured=False, discover_route=True)),
        ("0802" + NWK_ADDRESSES, NwkPdu(0x1234, 0x5678, 30, 9)),
        ("0804" + NWK_ADDRESSES + "0100aabb", NwkPdu(0x1234, 0x5678, 30, 9, secured=False, relays=bytes.fromhex("0100aabb"))),
        ("0804" + NWK_ADDRESSES + "0200aabbccdd", NwkPdu(0x1234, 0x5678, 30, 9, secured=False, relays=bytes.fromhex("0200aabbccdd"))),
        ("0808" + NWK_ADDRESSES + ONE_SENT, NwkPdu(0x1234, 0x5678, 30, 9, secured=False, destination_eui=ONE)),
        ("0810" + NWK_ADDRESSES + ONE_SENT, NwkPdu(0x1234, 0x5678, 30, 9, secured=False, source_eui=ONE)),
        (
            "0818" + NWK_ADDRESSES + ONE_SENT + OTHER_SENT,
            NwkPdu(0x1234, 0x5678, 30, 9, secured=False, destination_eui=ONE, source_eui=OTHER),
        ),
    ],
)
def test_each_flag_of_a_network_frame_has_its_bit_and_its_field(octets: str, frame: NwkPdu) -> None:
    assert frame.encode().hex() == octets
    assert NwkPdu.decode(bytes.fromhex(octets)) == frame


APS_ADDRESSED = "020207090103"


@pytest.mark.parametrize(
    ("octets", "frame"),
    [
        ("00" + APS_ADDRESSED + "55", ApsPdu(ApsKind.DATA, 0x55)),
        ("02" + APS_ADDRESSED + "55", ApsPdu(ApsKind.ACK, 0x55)),
        ("08" + APS_ADDRESSED + "55", ApsPdu(ApsKind.DATA, 0x55, DeliveryMode.BROADCAST)),
        ("20" + APS_ADDRESSED + "55", ApsPdu(ApsKind.DATA, 0x55, secured=True)),
        ("40" + APS_ADDRESSED + "55", ApsPdu(ApsKind.DATA, 0x55, ack_request=True)),
        ("80" + APS_ADDRESSED + "550104", ApsPdu(ApsKind.DATA, 0x55, block=FragmentHeader(True, 4))),
        ("80" + APS_ADDRESSED + "550204", ApsPdu(ApsKind.DATA, 0x55, block=FragmentHeader(False, 4))),
        ("82" + APS_ADDRESSED + "5502041f", ApsPdu(ApsKind.ACK, 0x55, block=FragmentHeader(False, 4, 0x1F))),
    ],
)
def test_each_flag_of_an_aps_frame_has_its_bit(octets: str, frame: ApsPdu) -> None:
    frame = replace(frame, destination_endpoint=2, cluster=0x0702, profile=0x0109, source_endpoint=3)
    assert frame.encode().hex() == octets
    assert ApsPdu.decode(bytes.fromhex(octets)) == frame


@pytest.mark.parametrize(
    ("octets", "frame"),
    [
        ("0155", ApsPdu(ApsKind.COMMAND, 0x55, addressed=False)),
        ("1255", ApsPdu(ApsKind.ACK, 0x55, addressed=False)),
        (
            "0c3412020709010355",
            ApsPdu(ApsKind.DATA, 0x55, DeliveryMode.GROUP, group=0x1234, cluster=0x0702, profile=0x0109, source_endpoint=3),
        ),
        ("10" + APS_ADDRESSED + "55", ApsPdu(ApsKind.DATA, 0x55, destination_endpoint=2, cluster=0x702, profile=0x109, source_endpoint=3)),
    ],
)
def test_the_acknowledgement_format_takes_the_addresses_off_acknowledgements_alone(octets: str, frame: ApsPdu) -> None:
    assert ApsPdu.decode(bytes.fromhex(octets)) == frame
    assert frame.encode() == bytes([bytes.fromhex(octets)[0] & (0xEF if frame.kind is ApsKind.DATA else 0xFF)]) + bytes.fromhex(octets)[1:]


@pytest.mark.parametrize(
    ("decode", "octets", "said"),
    [
        (MacPdu.decode, "040009", "at offset 0, MAC frame type: 4, expected 0..3"),
        (MacPdu.decode, "070009", "at offset 0, MAC frame type: 7, expected 0..3"),
        (MacPdu.decode, "010409", "at offset 0, MAC addressing mode: 1 is reserved"),
        (MacPdu.decode, "014009", "at offset 0, MAC addressing mode: 1 is reserved"),
        (NwkPdu.decode, "0a02" + NWK_ADDRESSES, "at offset 0, NWK frame type: 2, expected 0 (data) or 1 (command)"),
        (NwkPdu.decode, "0b02" + NWK_ADDRESSES, "at offset 0, NWK frame type: 3, expected 0 (data) or 1 (command)"),
        (NwkPdu.decode, "0402" + NWK_ADDRESSES, "at offset 0, NWK protocol version: 1, expected 2"),
        (NwkPdu.decode, "0c02" + NWK_ADDRESSES, "at offset 0, NWK protocol version: 3, expected 2"),
        (NwkPdu.decode, "2802" + NWK_ADDRESSES, "at offset 0, NWK protocol version: 10, expected 2"),
        (NwkPdu.decode, "0803" + NWK_ADDRESSES, "at offset 0, NWK multicast flag: set, which is not in use here"),
        (ApsPdu.decode, "03" + APS_ADDRESSED + "55", "at offset 0, APS frame type: 3 (inter-PAN), expected data, command or ack"),
        (
            ApsPdu.decode,
            "04" + APS_ADDRESSED + "55",
            "at offset 0, APS delivery mode: 1 (indirect), expected unicast, broadcast or group",
        ),
    ],
)
def test_a_frame_that_is_none_is_refused_with_what_was_read(decode: Decode, octets: str, said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(bytes.fromhex(octets))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("octets", "source", "said"),
    [
        ("ff0f010000", True, "at offset 2, GTS and pending addresses: not 0, expected a beaconless PAN"),
        ("ff0f000100", True, "at offset 2, GTS and pending addresses: not 0, expected a beaconless PAN"),
        ("ff0f000001", True, "at offset 4, protocol id: not 0, expected ZigBee"),
        ("ff0f0000002284" + ONE_SENT + "ffffff00", False, "at offset 0, beacon source: no short address and PAN"),
    ],
)
def test_a_beacon_of_another_kind_of_network_is_refused(octets: str, source: bool, said: str) -> None:
    frame = MacPdu(MacKind.BEACON, 1, source_pan=0x1A62 if source else None, source=0x1234, payload=bytes.fromhex(octets))
    for one in (frame,) if source else (frame, replace(frame, source_pan=0x1A62, source=ONE)):
        with pytest.raises(DecodeError) as refused:
            Beacon.decode(one)
        assert str(refused.value) == said


def _beacon(payload: bytes) -> Beacon:
    return Beacon.decode(MacPdu(MacKind.BEACON, 1, source_pan=1, source=2, payload=payload))


def _auxiliary(octets: bytes) -> Auxiliary:
    return Auxiliary.read(AirReader(octets))


@pytest.mark.parametrize(
    ("decode", "octets", "fields"),
    [
        (
            MacPdu.decode,
            "01c809621a3412631b" + OTHER_SENT,
            [
                (2, "MAC frame control"),
                (1, "MAC sequence number"),
                (2, "MAC destination PAN"),
                (2, "MAC destination"),
                (2, "MAC source PAN"),
                (8, "MAC source"),
            ],
        ),
        (
            MacPdu.decode,
            "418c09621a" + ONE_SENT + "3412",
            [(2, "MAC frame control"), (1, "MAC sequence number"), (2, "MAC destination PAN"), (8, "MAC destination"), (2, "MAC source")],
        ),
        (
            _beacon,
            "ff0f0000002284" + ONE_SENT + "ffffff00",
            [
                (2, "superframe specification"),
                (1, "GTS specification"),
                (1, "pending addresses"),
                (1, "protocol id"),
                (2, "stack profile and capacity"),
                (8, "extended PAN id"),
                (3, "tx offset"),
                (1, "update id"),
            ],
        ),
        (
            NwkPdu.decode,
            "081e" + NWK_ADDRESSES + ONE_SENT + OTHER_SENT + "0200aabbccdd",
            [
                (2, "NWK frame control"),
                (2, "NWK destination"),
                (2, "NWK source"),
                (1, "NWK radius"),
                (1, "NWK sequence"),
                (8, "NWK destination EUI-64"),
                (8, "NWK source EUI-64"),
                (2, "source route"),
                (4, "relays"),
            ],
        ),
        (
            ApsPdu.decode,
            "82" + APS_ADDRESSED + "5502041f",
            [
                (1, "APS frame control"),
                (1, "APS destination endpoint"),
                (2, "APS cluster"),
                (2, "APS profile"),
                (1, "APS source endpoint"),
                (1, "APS counter"),
                (1, "APS extended control"),
                (1, "APS block number"),
                (1, "APS ack bits"),
            ],
        ),
        (
            ApsPdu.decode,
            "0c3412020709010355",
            [
                (1, "APS frame control"),
                (2, "APS group"),
                (2, "APS cluster"),
                (2, "APS profile"),
                (1, "APS source endpoint"),
                (1, "APS counter"),
            ],
        ),
        (
            _auxiliary,
            "2801000000" + ONE_SENT + "07",
            [(1, "security control"), (4, "frame counter"), (8, "security source"), (1, "key sequence")],
        ),
    ],
)
def test_a_frame_that_is_cut_off_names_the_field_its_place_and_what_is_left(
    decode: Decode, octets: str, fields: list[tuple[int, str]]
) -> None:
    whole = bytes.fromhex(octets)
    assert sum(width for width, _ in fields) == len(whole)
    decode(whole)
    begin = 0
    for width, field in fields:
        for there in range(width):
            with pytest.raises(DecodeError) as refused:
                decode(whole[: begin + there])
            assert str(refused.value) == f"at offset {begin}, {field}: {there} octets left, expected {width}"
        begin += width


@pytest.mark.parametrize(
    ("octets", "auxiliary"),
    [
        ("0004030201", Auxiliary(KeyId.LINK, 0x01020304, None)),
        ("2004030201" + ONE_SENT, Auxiliary(KeyId.LINK, 0x01020304, ONE)),
        ("080403020107", Auxiliary(KeyId.NETWORK, 0x01020304, None, 7)),
        ("2804030201" + ONE_SENT + "07", Auxiliary(KeyId.NETWORK, 0x01020304, ONE, 7)),
        ("3004030201" + ONE_SENT, Auxiliary(KeyId.TRANSPORT, 0x01020304, ONE)),
        ("3804030201" + ONE_SENT, Auxiliary(KeyId.LOAD, 0x01020304, ONE)),
    ],
)
def test_an_auxiliary_header_has_level_key_and_extended_nonce_in_their_bits(octets: str, auxiliary: Auxiliary) -> None:
    """ZigBee PRO r21 4.5.1: level in bits 0 to 2, key identifier in 3 and 4, extended nonce in 5."""
    assert auxiliary.encode(0).hex() == octets
    assert auxiliary.encode(5).hex() == f"{bytes.fromhex(octets)[0] | 5:02x}" + octets[2:]
    assert _auxiliary(bytes.fromhex(octets)) == auxiliary
    assert _auxiliary(auxiliary.encode(5)) == auxiliary


@pytest.mark.parametrize("length", [1, LONGEST])
def test_a_message_of_the_open_air_may_have_one_octet_and_as_many_as_its_protocol_says(length: int) -> None:
    """``protocol.md`` beside the program: the length is of kind and body, 1 to 160."""
    assert LONGEST == 160
    whole = message(b"T", bytes(range(length - 1)))
    assert whole[:2] == length.to_bytes(2, "little")
    messages = Messages()
    for octet in whole[:-1]:
        assert not list(messages.feed(bytes([octet])))
    assert list(messages.feed(whole[-1:] + whole)) == [(b"T", bytes(range(length - 1)))] * 2


@pytest.mark.parametrize("length", [0, 161, 0xFFFF])
def test_a_message_of_the_open_air_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(DecodeError) as refused:
        list(Messages().feed(length.to_bytes(2, "little") + b"T"))
    assert str(refused.value) == f"at offset 0, length of a message: {length}, expected 1 to 160"


@pytest.mark.parametrize(
    ("page", "number", "channel", "mask"),
    [
        (28, 0, 0x80, 0xE0000001),
        (28, 26, 0x9A, 0xE4000000),
        (29, 8, 0xA8, 0xE8000100),
        (30, 26, 0xDA, 0xF4000000),
        (31, 1, 0xE1, 0xF8000002),
    ],
)
def test_a_channel_below_1_ghz_is_one_octet_and_one_bit_of_its_page(page: int, number: int, channel: int, mask: int) -> None:
    assert phy.sub_ghz(page, number) == channel
    assert phy.page_of(channel) == (page, number)
    assert phy.in_mask(mask) == (channel,)
    assert phy.known(channel)
    assert phy.phy_of(channel) is phy.GFSK
    assert phy.of_band(channel) == phy.ALL_SUB_GHZ
    assert phy.below_1_ghz((channel,))
    assert not phy.below_1_ghz((channel, 15))


def test_bands_have_the_channels_that_zigbee_gives_them_and_no_more() -> None:
    """Zigbee 3.0 r22 annex D: 27 channels on pages 28, 30 and 31, 9 on page 29; IEEE 802.15.4: 11 to 26 at 2.4 GHz."""
    assert {channel for channel in range(0x80, 0x100) if phy.known(channel)} == set(phy.ALL_SUB_GHZ)
    assert [len(phy.in_mask(page << 27 | 0x7FFFFFF)) for page in (28, 29, 30, 31)] == [27, 9, 27, 27]
    assert len(set(phy.ALL_SUB_GHZ)) == 27 + 9 + 27 + 27
    assert [channel for channel in range(0x80) if phy.known(channel)] == list(range(11, 27))
    assert phy.in_mask(0x07FFFFFF) == phy.of_band(11) == phy.of_band(26) == tuple(range(11, 27))
    assert phy.phy_of(26) is phy.OQPSK
    for page, number in ((27, 0), (32, 0), (28, -1), (28, 27), (29, 9), (30, 27), (31, 27)):
        with pytest.raises(ValueError, match=f"channel {number} of page {page} is none: expected pages 28..31 with 27, 9, 27 and 27"):
            phy.sub_ghz(page, number)


@pytest.mark.parametrize(("dbm", "octet"), [(-120, 0), (-100, 0), (-99, 3), (-60, 102), (-1, 252), (0, 255), (10, 255)])
def test_an_energy_level_is_an_octet_from_minus_100_dbm_up(dbm: int, octet: int) -> None:
    assert phy.energy_octet(dbm) == octet
