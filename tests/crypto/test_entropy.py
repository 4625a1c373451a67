"""Fresh keys come from the system, unless a simulated bench hands in its own source."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.crypto import ecqv, primitives
from firmware_emu.crypto.entropy import SYSTEM
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.bench.entropy import SeededEntropy

METER = Eui64.parse("00db000000000001")


def test_a_signature_follows_from_key_and_message_as_in_rfc_6979() -> None:
    # RFC 6979 A.2.5, P-256 with SHA-256, message "sample"
    key = primitives.private_key_from_scalar(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721)
    assert primitives.sign(key, b"sample").hex() == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


def test_seeded_entropy_repeats_itself_by_purpose_and_differs_by_seed() -> None:
    def drawn(seed: int, purpose: str) -> tuple[bytes, int]:
        source = SeededEntropy(seed).stream(purpose)
        return source.octets(16), source.below(1 << 200)

    assert drawn(1, "radio") == drawn(1, "radio")
    assert len({drawn(1, "radio"), drawn(2, "radio"), drawn(1, "cbke")}) == 3


def test_a_stream_goes_on_where_the_last_holder_stopped_and_is_not_moved_by_others() -> None:
    source, other = SeededEntropy(1), SeededEntropy(1)
    first = source.stream("a").octets(8)
    source.stream("b").octets(100)
    second = source.stream("a").octets(8)
    assert first + second == other.stream("a").octets(8) + other.stream("a").octets(8)
    assert first != second


def test_a_keystore_as_it_is_loaded_draws_from_the_system_and_only_its_view_from_what_was_handed_in(tmp_path: Path) -> None:
    store: Keystore = make_pki(tmp_path, organisations={}, devices={METER: DeviceType.ESME})
    view = store.drawing_from(SeededEntropy(1))
    assert store.entropy is SYSTEM
    assert store.cbke(METER).entropy is SYSTEM
    assert view.cbke(METER).entropy is not SYSTEM
    assert view.cbke(METER) == store.cbke(METER)
    assert ecqv.key_pair(2, view.cbke(METER).entropy) != ecqv.key_pair(2)
