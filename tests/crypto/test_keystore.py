from __future__ import annotations

import base64
import json
import shutil
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import Issuer, Validity, organisation_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, ORGANISATION_YEARS, VALID_FROM
from firmware_emu.crypto.roles import NO_ENTITY, CellUsage, KeyUsage, RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64

DS, KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT
TOP_UP = CellUsage.PREPAYMENT_TOP_UP
BROKER = Eui64.parse("90b3d51f30000002")
SUPPLIER = Eui64.parse("90b3d51f30010000")
SECOND_SUPPLIER = Eui64.parse("90b3d51f30030000")
WAN_PROVIDER = Eui64.parse("90b3d51f30000007")
METER = Eui64.parse("00db1234567890a0")
HUB = Eui64.parse("00db1234567890a2")
VALID = Validity(VALID_FROM, VALID_FROM.replace(year=VALID_FROM.year + ORGANISATION_YEARS))

Made = tuple[Path, Keystore]


def test_the_published_keys_load_and_are_found_by_role(rtds: Path) -> None:
    store = Keystore.load(rtds / "keys")
    assert store.find(RemotePartyRole.SUPPLIER) == (SUPPLIER, SECOND_SUPPLIER)
    assert store.find(RemotePartyRole.ACCESS_CONTROL_BROKER) == (BROKER,)
    assert store.role(SUPPLIER) is RemotePartyRole.SUPPLIER
    assert store.role(METER) is None
    assert len(store.entities()) == 27
    assert store.public_key(SUPPLIER, KA) != store.public_key(SUPPLIER, KA, TOP_UP)


def test_the_misfiled_published_pair_is_kept_from_the_wan_provider_and_told(rtds: Path) -> None:
    store = Keystore.load(rtds / "keys")
    assert len(store.warnings) == 1
    assert "90b3d51f30000007-ka.pem: named as 90b3d51f30000007-ka but is 90b3d51f30030000's for key agreement" in store.warnings[0]
    with pytest.raises(KeystoreError, match="no certificate of 90b3d51f30000007 for key agreement"):
        store.certificate(WAN_PROVIDER, KA)
    assert not store.has_private_key(WAN_PROVIDER, KA)
    assert store.has_private_key(SECOND_SUPPLIER, KA)


def test_a_misfiled_pair_alone_is_filed_under_what_it_carries(rtds: Path, tmp_path: Path) -> None:
    for ending in ("pem", "key"):
        shutil.copyfile(rtds / f"keys/90b3d51f30000007-ka.{ending}", tmp_path / f"90b3d51f30000007-ka.{ending}")
    store = Keystore.load(tmp_path)
    assert store.entities() == (SECOND_SUPPLIER,)
    assert store.has_private_key(SECOND_SUPPLIER, KA)
    assert "filed as that" in store.warnings[0]


def test_either_side_of_the_published_keys_gives_the_worked_secret(rtds: Path) -> None:
    store = Keystore.load(rtds / "keys")
    expected = "9689fab9f5e2642a4543b3bb8bd2f55c7ab31e45dfa566b18beead0bd46394ed"
    assert store.shared_secret(BROKER, HUB).hex() == expected
    assert store.shared_secret(HUB, BROKER).hex() == expected


def test_a_made_keystore_survives_saving_and_loading(bench_pki: Made, tmp_path: Path) -> None:
    folder, made = bench_pki
    loaded = Keystore.load(folder)
    loaded.save(tmp_path / "again")
    again = Keystore.load(tmp_path / "again")
    for store in (loaded, again):
        assert store.warnings == []
        assert store.entities() == made.entities()
        assert set(store.authorities()) == set(made.authorities())
        for entity in made.entities():
            assert store.role(entity) == made.role(entity)
            for usage, cell in ((DS, CellUsage.MANAGEMENT), (KA, CellUsage.MANAGEMENT), (KA, TOP_UP)):
                assert store.has_private_key(entity, usage, cell) == made.has_private_key(entity, usage, cell)
                if made.has_certificate(entity, usage, cell):
                    assert store.certificate(entity, usage, cell) == made.certificate(entity, usage, cell)
        for device in DEFAULT_DEVICES:
            assert store.cbke(device) == made.cbke(device)
        assert store.cbke_authority() == made.cbke_authority()
        assert store.xml_signing_certificate(SUPPLIER) == made.xml_signing_certificate(SUPPLIER)
        assert all(store.has_authority_key(cert) for cert in store.authorities())


def test_saved_files_can_be_read_by_their_owner_only(bench_pki: Made, tmp_path: Path) -> None:
    _, made = bench_pki
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    (folder / f"{SUPPLIER}-ds.key").write_text("old")
    (folder / f"{SUPPLIER}-ds.key").chmod(0o644)
    made.save(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_secrets_are_agreed_with_the_pair_of_the_cell_asked_for(bench_pki: Made) -> None:
    _, made = bench_pki
    usual, top_up = made.shared_secret(SUPPLIER, METER), made.shared_secret(SUPPLIER, METER, TOP_UP)
    assert usual == primitives.agree(made.private_key(SUPPLIER, KA), made.public_key(METER, KA))
    assert top_up == primitives.agree(made.private_key(SUPPLIER, KA, TOP_UP), made.public_key(METER, KA))
    assert made.shared_secret(METER, SUPPLIER, TOP_UP) == top_up
    assert usual != top_up


def test_a_secret_is_agreed_once_a_pair_and_again_after_a_certificate_was_replaced(bench_pki: Made) -> None:
    _, made = bench_pki
    store = made.subset(private=[METER])
    first = store.shared_secret(METER, SUPPLIER)
    assert store.shared_secret(SUPPLIER, METER) is first
    key = primitives.generate()
    root = made.authority(RemotePartyRole.ISSUING_AUTHORITY)
    issuer = Issuer(root, made.authority_key(root))
    store.add_certificate(organisation_certificate(SUPPLIER, RemotePartyRole.SUPPLIER, KA, key.public_key(), issuer, VALID))
    assert store.shared_secret(METER, SUPPLIER) == primitives.agree(key, made.public_key(METER, KA)) != first


def test_a_subset_holds_the_private_keys_of_its_owners_only(bench_pki: Made) -> None:
    _, made = bench_pki
    device = made.subset(SUPPLIER, BROKER, private=[METER])
    assert device.entities() == (METER, BROKER, SUPPLIER)
    assert device.has_private_key(METER, DS)
    assert not device.has_private_key(SUPPLIER, DS)
    assert device.cbke(METER) == made.cbke(METER)
    assert device.shared_secret(METER, SUPPLIER) == made.shared_secret(SUPPLIER, METER)
    assert not device.has_cbke(HUB)
    assert not any(device.has_authority_key(cert) for cert in device.authorities())
    with pytest.raises(KeystoreError):
        device.cbke_authority()
    with pytest.raises(KeystoreError, match=f"no private key of {SUPPLIER}"):
        device.shared_secret(SUPPLIER, BROKER)
    assert made.subset(private=[HUB]).find(RemotePartyRole.SUPPLIER) == (SUPPLIER, SECOND_SUPPLIER)


def test_the_root_stands_for_no_entity(bench_pki: Made) -> None:
    _, made = bench_pki
    assert made.find(RemotePartyRole.ROOT) == (NO_ENTITY,)
    assert made.certificate(NO_ENTITY, KeyUsage.KEY_CERT_SIGN) == made.authority(RemotePartyRole.ROOT)
    assert NO_ENTITY not in made.entities()


def test_what_is_missing_is_named_with_what_to_do(bench_pki: Made) -> None:
    folder, made = bench_pki
    loaded = Keystore.load(folder).subset(private=[])
    with pytest.raises(KeystoreError) as raised:
        loaded.private_key(SUPPLIER, KA, TOP_UP)
    for part in (str(folder), "private key of 90b3d51f30010000", "prepayment key agreement", "90b3d51f30010000-pp-ka.key"):
        assert part in str(raised.value)
    with pytest.raises(KeystoreError, match="nothing is held for it"):
        made.certificate(Eui64(bytes(range(8))), DS)
    with pytest.raises(KeystoreError, match=r"0001020304050607-cbke\.json"):
        made.cbke(Eui64(bytes(range(8))))
    with pytest.raises(KeystoreError, match="no party holds such a pair"):
        made.certificate(SUPPLIER, DS, TOP_UP)
    with pytest.raises(KeystoreError, match="no certificate of the root"):
        Keystore().authority(RemotePartyRole.ROOT)


def test_a_key_that_does_not_fit_its_certificate_is_refused(bench_pki: Made) -> None:
    _, made = bench_pki
    store = made.subset(private=[])
    with pytest.raises(KeystoreError, match="does not fit the certificate held"):
        store.add_private_key(SUPPLIER, DS, primitives.generate())
    with pytest.raises(KeystoreError, match="no authority's certificate with this key"):
        store.add_authority_key(made.authority(RemotePartyRole.ROOT), primitives.generate())


def _folder_with(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def _pkcs8(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("90b3d51f30010000-ds.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is not an X.509 certificate"),
        ("90b3d51f30010000-ds.pem", b"", "is not an X.509 certificate"),
        ("90b3d51f30010000-ds.key", b"nothing", "is not a private key"),
        ("90b3d51f30010000-ds.key", _pkcs8(primitives.generate(), b"secret"), "is an encrypted private key: decrypt it first"),
        ("90b3d51f30010000-ds.key", _pkcs8(ec.generate_private_key(ec.SECP384R1())), "GBCS uses NIST P-256 only"),
        ("00db1234567890a0-cbke.json", b"{}", "expected an object with suite, certificate"),
        ("00db1234567890a0-cbke.json", b"[1]", "expected an object with suite, certificate"),
        ("cbke-authority.json", b"not json", "expected an object with suite, issuer"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    with pytest.raises(KeystoreError, match=problem) as raised:
        Keystore.load(_folder_with(tmp_path / "keys", name, content))
    assert raised.value.where == str(tmp_path / "keys" / name)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match="make one with `chub pki make`"):
        Keystore.load(tmp_path / "nowhere")


def test_a_private_key_without_its_certificate_is_filed_by_name_and_told(tmp_path: Path) -> None:
    key = primitives.generate()
    store = Keystore.load(_folder_with(tmp_path / "keys", f"{SUPPLIER}-ds.key", _pkcs8(key)))
    assert store.private_key(SUPPLIER, DS).public_key() == key.public_key()
    assert "filed by its name" in store.warnings[0]


def test_a_private_key_beside_anothers_certificate_is_left_out_and_told(bench_pki: Made, tmp_path: Path) -> None:
    folder, _ = bench_pki
    keys = _folder_with(tmp_path / "keys", f"{SUPPLIER}-ds.key", _pkcs8(primitives.generate()))
    shutil.copyfile(folder / f"{SUPPLIER}-ds.pem", keys / f"{SUPPLIER}-ds.pem")
    (keys / "stray.key").write_bytes(_pkcs8(primitives.generate()))
    store = Keystore.load(keys)
    assert not store.has_private_key(SUPPLIER, DS)
    assert [warning.split(": ", 1)[1].split(":")[0] for warning in store.warnings] == ["left out", "left out"]


def test_a_json_keystore_of_dcc_boxed_loads_in_both_spellings(bench_pki: Made, tmp_path: Path) -> None:
    _, made = bench_pki

    def entry(entity: Eui64, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> dict[str, object]:
        cert, key = made.certificate(entity, usage, cell), made.private_key(entity, usage, cell)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return {
            "eui": str(entity),
            "certificate": base64.b64encode(cert.public_bytes(Encoding.DER)).decode(),
            "privateKey": base64.b64encode(der).decode(),
            "prepayment": cell is TOP_UP,
        }

    entries = [entry(SUPPLIER, DS), entry(SUPPLIER, KA), entry(SUPPLIER, KA, TOP_UP), entry(METER, KA)]
    pem = {"certificate": made.certificate(METER, DS).public_bytes(Encoding.PEM).decode()}
    for shape in ([*entries, pem], {"suppliers": entries, "meter": pem}):
        path = tmp_path / "keystore.json"
        path.write_text(json.dumps(shape))
        store = Keystore.load(path)
        assert store.warnings == []
        assert store.shared_secret(SUPPLIER, METER, TOP_UP) == made.shared_secret(SUPPLIER, METER, TOP_UP)
        assert store.certificate(METER, DS) == made.certificate(METER, DS)
        assert not store.has_private_key(METER, DS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ('[{"eui": "1"}]', "entry 1: holds no certificate"),
        ('[{"certificate": "%%"}]', "neither PEM nor base64"),
        ("[3]", "entry 1"),
    ],
)
def test_a_json_keystore_that_cannot_be_read_says_where(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "keystore.json"
    path.write_text(text)
    with pytest.raises(KeystoreError, match=problem):
        Keystore.load(path)


def test_no_secret_is_shown(bench_pki: Made) -> None:
    _, made = bench_pki
    secret = made.private_key(SUPPLIER, DS).private_numbers().private_value
    assert str(secret) not in repr(made)
    assert f"{made.cbke(METER).private_key}" not in repr(made.cbke(METER))


def test_a_certificate_with_a_broken_extension_is_refused_with_its_file(rtds: Path, tmp_path: Path) -> None:
    cert = x509.load_pem_x509_certificate((rtds / "keys" / f"{SUPPLIER}-ds.pem").read_bytes())
    octets = bytearray(cert.public_bytes(Encoding.DER))
    place = octets.index(bytes.fromhex("0603551d0f"))  # the OID of key usage becomes that of certificate policies: twice the same
    octets[place + 4] = 0x20
    with pytest.raises(KeystoreError, match=r"is not an X\.509 certificate"):
        Keystore.load(_folder_with(tmp_path / "keys", f"{SUPPLIER}-ds.pem", bytes(octets)))
