from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto import primitives
from firmware_emu.errors import ProtectionError

KEY = primitives.generate()


@given(st.binary(max_size=300))
def test_what_is_signed_verifies(data: bytes) -> None:
    signature = primitives.sign(KEY, data)
    assert len(signature) == 64
    primitives.verify(KEY.public_key(), signature, data)


@given(st.binary(min_size=1, max_size=80), st.data())
def test_one_changed_bit_in_data_or_signature_is_refused(data: bytes, draw: st.DataObject) -> None:
    signature = primitives.sign(KEY, data)
    bit = draw.draw(st.integers(0, 8 * (len(data) + 64) - 1))
    changed = bytearray(data + signature)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtectionError):
        primitives.verify(KEY.public_key(), bytes(changed[len(data) :]), bytes(changed[: len(data)]))


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(70), b"\xff" * 64])
def test_a_signature_that_cannot_be_one_is_refused(signature: bytes) -> None:
    with pytest.raises(ProtectionError):
        primitives.verify(KEY.public_key(), signature, b"data")


def test_both_sides_agree_on_the_same_secret() -> None:
    other = primitives.generate()
    secret = primitives.agree(KEY, other.public_key())
    assert len(secret) == 32
    assert secret == primitives.agree(other, KEY.public_key())


@pytest.mark.clause("GBCS 18.4")
def test_the_sample_command_of_gbcs_verifies_and_its_mac_recomputes(known: dict[str, Any]) -> None:
    command = {name: bytes.fromhex(value) for name, value in known["command"].items()}
    message = command["message"]
    signed, signature, mac = message[15:-77], message[-76:-12], message[-12:]
    assert message[-77] == 64
    supplier = primitives.public_key_from_point(command["supplier_ds_public_key_xy"])
    primitives.verify(supplier, signature, signed)
    own = primitives.private_key_from_scalar(int.from_bytes(command["supplier_ds_private_key"], "big"))
    assert own.public_key() == supplier

    broker = primitives.private_key_from_scalar(int.from_bytes(command["acb_ka_private_key"], "big"))
    z = primitives.agree(broker, primitives.public_key_from_point(command["device_ka_public_key_xy"]))
    assert z == command["shared_secret_Z"]
    other_info = bytes.fromhex("60857406080300") + command["originator_id"] + b"\x09\x01" + command["originator_counter"]
    key = primitives.derive_key(z, other_info + command["recipient_id"])
    assert key == command["derived_mac_key"]
    primitives.check_tag(key, command["mac_iv"], bytes.fromhex("110000000000") + message[14:-12], mac)


@pytest.mark.parametrize("octets", [b"", bytes(64), bytes(63), b"\x04" + bytes(64), b"\x02" + b"\xff" * 32])
def test_octets_that_are_no_point_of_the_curve_are_refused(octets: bytes) -> None:
    with pytest.raises(ProtectionError, match="P-256"):
        primitives.public_key_from_point(octets)


def test_a_signature_of_another_length_is_told_by_its_length() -> None:
    with pytest.raises(ProtectionError, match=r"a signature of 71 octets: expected r \|\| s, 64 octets"):
        primitives.verify(KEY.public_key(), bytes(71), b"data")


@pytest.mark.parametrize("scalar", [0, 2**256])
def test_a_scalar_out_of_range_is_refused(scalar: int) -> None:
    with pytest.raises(ProtectionError):
        primitives.private_key_from_scalar(scalar)
