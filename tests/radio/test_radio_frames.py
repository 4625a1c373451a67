"""Frame codecs: vectors, round trips, refusals."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.ids import Eui64
from hil.radio.air.frames import AirReader, ApsKind, ApsPdu, Beacon, DeliveryMode, FragmentHeader, MacKind, MacPdu, NwkPdu
from hil.radio.stack.nwk import Auxiliary, KeyId, protect, unprotect

euis = st.binary(min_size=8, max_size=8).map(Eui64)
shorts = st.integers(0, 0xFFFF)
octets = st.integers(0, 255)
addresses = st.one_of(shorts, euis)


@st.composite
def mac_pdus(draw: st.DrawFn) -> MacPdu:
    destination = draw(st.none() | addresses)
    source = draw(st.none() | addresses)
    compressed = destination is not None and source is not None and draw(st.booleans())
    return MacPdu(
        draw(st.sampled_from(MacKind)),
        draw(octets),
        None if destination is None else draw(shorts),
        destination,
        None if source is None or compressed else draw(shorts),
        source,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.binary(max_size=60)),
    )


@given(mac_pdus())
def test_a_mac_frame_survives_encoding(pdu: MacPdu) -> None:
    assert MacPdu.decode(pdu.encode()) == pdu


nwk_pdus = st.builds(
    NwkPdu,
    shorts,
    shorts,
    octets,
    octets,
    st.booleans(),
    st.booleans(),
    st.none() | euis,
    st.none() | euis,
    st.none() | st.just(b"\x02\x00\x34\x12\x78\x56"),
    st.booleans(),
    st.binary(max_size=60),
)


@given(nwk_pdus)
def test_a_nwk_frame_survives_encoding(pdu: NwkPdu) -> None:
    assert NwkPdu.decode(pdu.encode()) == pdu


@st.composite
def aps_pdus(draw: st.DrawFn) -> ApsPdu:
    kind = draw(st.sampled_from(ApsKind))
    addressed = kind is ApsKind.DATA or (kind is ApsKind.ACK and draw(st.booleans()))
    group = kind is ApsKind.DATA and draw(st.booleans())
    block = draw(st.none() | st.builds(FragmentHeader, st.booleans(), octets, octets if kind is ApsKind.ACK else st.none()))
    return ApsPdu(
        kind,
        draw(octets),
        DeliveryMode.GROUP if group else DeliveryMode.UNICAST,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(octets) if addressed and not group else 0,
        draw(shorts) if group else 0,
        draw(shorts) if addressed else 0,
        draw(shorts) if addressed else 0,
        draw(octets) if addressed else 0,
        block,
        addressed,
        draw(st.binary(max_size=60)),
    )


@given(aps_pdus())
def test_an_aps_frame_survives_encoding(pdu: ApsPdu) -> None:
    assert ApsPdu.decode(pdu.encode()) == pdu


@given(st.binary(max_size=40))
def test_any_octets_are_read_or_refused_by_a_decode_error(data: bytes) -> None:
    for decode in (MacPdu.decode, NwkPdu.decode, ApsPdu.decode):
        with contextlib.suppress(DecodeError):
            decode(data)


def test_a_unicast_data_frame_has_the_control_field_of_zigbee() -> None:
    pdu = MacPdu(MacKind.DATA, 7, 0x1A62, 0x0000, None, 0x7F25, True, False, b"x")
    assert pdu.encode().hex() == "618807621a0000257f78"


def test_a_beacon_tells_network_and_permission() -> None:
    beacon = Beacon(0x1A62, 0, True, Eui64.parse("00db1234567890a0"), True)
    frame = MacPdu.decode(MacPdu(MacKind.BEACON, 1, None, None, 0x1A62, 0, payload=beacon.payload()).encode())
    assert Beacon.decode(frame) == beacon
    assert beacon.payload().hex() == "ffcf000000" + "2284" + "a09078563412db00" + "ffffff" + "00"


@given(st.binary(min_size=16, max_size=16), st.sampled_from(KeyId), st.integers(0, 2**32 - 1), euis, st.binary(max_size=90))
def test_protected_octets_open_under_the_same_key_only(key: bytes, key_id: KeyId, counter: int, source: Eui64, payload: bytes) -> None:
    auxiliary = Auxiliary(key_id, counter, source)
    read = AirReader(protect(key, b"header", auxiliary, source, payload))
    seen = Auxiliary.read(read)
    assert seen == auxiliary
    sealed = read.rest()
    assert unprotect(key, b"header", seen, source, sealed) == payload
    other = bytes([key[0] ^ 1]) + key[1:]
    with pytest.raises(ProtectionError):
        unprotect(other, b"header", seen, source, sealed)
    with pytest.raises(ProtectionError):
        unprotect(key, b"headex", seen, source, sealed)
