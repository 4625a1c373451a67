from __future__ import annotations

from typing import Any

import pytest
import zigpy.types
import zigpy.util
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto.aes_mmo import aes_mmo, install_code_link_key, keyed_hash, load_key, transport_key
from firmware_emu.ids import InstallCode


@given(st.binary(max_size=100))
def test_the_hash_is_that_of_zigpy(data: bytes) -> None:
    assert aes_mmo(data) == zigpy.util.aes_mmo_hash(data).serialize()


@pytest.mark.parametrize("length", [8191, 8192, 8200, 9000])
def test_long_data_hash_to_one_block_and_every_octet_counts(length: int) -> None:
    assert len(aes_mmo(bytes(length))) == 16
    assert aes_mmo(bytes(length)) != aes_mmo(bytes(length - 1) + b"\x01")


def test_certificates_hash_to_the_known_values(known: dict[str, Any]) -> None:
    for suite in ("suite1", "suite2"):
        for side in ("initiator", "responder"):
            party = known[suite][side]
            assert aes_mmo(bytes.fromhex(party["cert"])).hex() == party["cert_hash_aes_mmo_computed"]


def test_an_install_code_gives_the_published_link_key(known: dict[str, Any]) -> None:
    code = InstallCode.parse(known["install_code"]["code_with_crc"])
    assert install_code_link_key(code).hex() == known["install_code"]["link_key"]


def test_transport_and_load_key_are_keyed_hashes_of_zero_and_two() -> None:
    link_key = bytes(range(16))
    assert transport_key(link_key) == keyed_hash(link_key, b"\x00")
    assert load_key(link_key) == keyed_hash(link_key, b"\x02")
    # HMAC written out, on zigpy's hash
    inner = zigpy.util.aes_mmo_hash(bytes(octet ^ 0x36 for octet in link_key) + b"\x00").serialize()
    assert transport_key(link_key) == zigpy.util.aes_mmo_hash(bytes(octet ^ 0x5C for octet in link_key) + inner).serialize()
