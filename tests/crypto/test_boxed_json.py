"""A keystore in the JSON of DCC Boxed: entries by EUI-64, use and serial number."""

from __future__ import annotations

import json
from pathlib import Path

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.keystore_files import certificate_text, key_text
from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS, make_pki
from firmware_emu.crypto.roles import CellUsage, KeyUsage

SUPPLIER = DEFAULT_ORGANISATIONS["supplier"][1]
KA = KeyUsage.KEY_AGREEMENT


def _entry(store: Keystore, name: str, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> dict[str, dict[str, object]]:
    certificate = store.certificate(SUPPLIER, usage, cell)
    key = key_text(store.private_key(SUPPLIER, usage, cell))
    entry = {"certificate": certificate_text(certificate), "privateKey": key, "name": name, "role": 2}
    return {str(certificate.serial_number): entry}


def test_the_first_generation_and_the_prepayment_pair_are_told_by_their_names(tmp_path: Path) -> None:
    first, second = (make_pki(tmp_path / name, devices={}) for name in ("first", "second"))
    agreement = {
        **_entry(first, "Z1-supplier-ka", KA),
        **_entry(first, "Z1-supplierPP-ka", KA, CellUsage.PREPAYMENT_TOP_UP),
        **_entry(second, "Z1b-supplier-ka", KA),
    }
    tree = {str(SUPPLIER): {"keyAgreement": agreement, "digitalSignature": {"1": {"certificate": "no PEM", "name": "mdr-ds"}}}}
    file = tmp_path / "keystore.json"
    file.write_text(json.dumps(tree))
    store = Keystore.load(file)
    for cell in CellUsage:
        assert store.certificate(SUPPLIER, KA, cell) == first.certificate(SUPPLIER, KA, cell)
        assert store.has_private_key(SUPPLIER, KA, cell)
    assert any("left out" in warning for warning in store.warnings)
