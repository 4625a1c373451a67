from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import ProtectionError
from firmware_emu.ids import Eui64

KEYS = st.binary(min_size=16, max_size=16)
IVS = st.binary(min_size=12, max_size=12)


def test_the_published_example_encrypts_and_decrypts(known: dict[str, Any]) -> None:
    example = {name: bytes.fromhex(value) for name, value in known["gcm"].items()}
    sealed = example["ciphertext"] + example["tag12"]
    assert primitives.encrypt(example["key"], example["iv"], example["aad"], example["plaintext"]) == sealed
    assert primitives.decrypt(example["key"], example["iv"], example["aad"], sealed) == example["plaintext"]


@given(KEYS, IVS, st.binary(max_size=60), st.binary(max_size=200))
def test_decrypting_undoes_encrypting(key: bytes, iv: bytes, aad: bytes, plaintext: bytes) -> None:
    sealed = primitives.encrypt(key, iv, aad, plaintext)
    assert len(sealed) == len(plaintext) + 12
    assert primitives.decrypt(key, iv, aad, sealed) == plaintext


@given(KEYS, IVS, st.binary(max_size=20), st.binary(max_size=40), st.data())
def test_one_changed_bit_is_refused(key: bytes, iv: bytes, aad: bytes, plaintext: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(primitives.encrypt(key, iv, aad, plaintext))
    bit = draw.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtectionError):
        primitives.decrypt(key, iv, aad, bytes(sealed))


@given(KEYS, IVS, st.binary(max_size=100))
def test_a_mac_is_the_tag_of_encrypting_nothing(key: bytes, iv: bytes, aad: bytes) -> None:
    assert primitives.encrypt(key, iv, aad, b"") == primitives.tag(key, iv, aad)
    assert primitives.tag(key, iv, aad, 16)[:12] == primitives.tag(key, iv, aad)
    primitives.check_tag(key, iv, aad, primitives.tag(key, iv, aad))
    with pytest.raises(ProtectionError):
        primitives.check_tag(key, iv, aad + b"\x00", primitives.tag(key, iv, aad))


def test_octets_too_few_for_a_tag_are_refused() -> None:
    with pytest.raises(ProtectionError, match="11 encrypted octets"):
        primitives.decrypt(bytes(16), bytes(12), b"", bytes(11))
    with pytest.raises(ProtectionError, match="11 octets"):
        primitives.check_tag(bytes(16), bytes(12), b"", bytes(11))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=60))
def test_a_derived_key_is_the_start_of_a_hash_with_counter_one(z: bytes, other_info: bytes) -> None:
    hashed = hashlib.sha256()
    for part in ((1).to_bytes(4, "big"), z, other_info):
        hashed.update(part)
    assert primitives.derive_key(z, other_info) == hashed.digest()[:16]


def test_the_worked_example_derives_the_printed_key() -> None:
    z = bytes.fromhex("9689fab9f5e2642a4543b3bb8bd2f55c7ab31e45dfa566b18beead0bd46394ed")
    other_info = bytes.fromhex("60857406080300" + "90b3d51f30000002" + "0901" + "0000000000000516" + "00db1234567890a2")
    assert primitives.derive_key(z, other_info).hex() == "ef19f400cff3abb3692af5d54069eb47"


def test_the_mac_of_a_published_command_holds_with_the_published_key(rtds: Path) -> None:
    broker, hub = Eui64.parse("90b3d51f30000002"), Eui64.parse("00db1234567890a2")
    message = bytes.fromhex((rtds / "4.5.0/8.11_CCS01/CCS01_8.11_SUCCESS_COMMAND_GBCS.HEX").read_text())
    z = Keystore.load(rtds / "keys").shared_secret(broker, hub)
    key = primitives.derive_key(z, bytes.fromhex("60857406080300") + broker.octets + bytes.fromhex("09010000000000000516") + hub.octets)
    assert message[-12:].hex() == "7c0607034dc39f5f32153966"
    primitives.check_tag(key, broker.octets + bytes(4), bytes.fromhex("110000000000") + message[14:-12], message[-12:])
