from __future__ import annotations

import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from firmware_emu.crypto import ecqv, inspection, primitives, tls_credentials
from firmware_emu.crypto.certificates import DEVICE_POLICY, ORGANISATION_POLICY, check_path, key_id_of, organisational_unit
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import CBKE_ISSUER, DEFAULT_DEVICES, DEFAULT_ORGANISATIONS, add_devices, make_pki
from firmware_emu.crypto.roles import CellUsage, DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64

DS, KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT
HUB = Eui64.parse("00db1234567890a2")
SECOND_HUB = Eui64.parse("00db1234567890c2")
SUPPLIER = Eui64.parse("90b3d51f30010000")
BROKER = Eui64.parse("90b3d51f30000002")
AT = datetime(2030, 1, 1, tzinfo=UTC)

Made = tuple[Path, Keystore]


def test_every_default_party_has_its_pairs_and_a_path_to_a_root(bench_pki: Made) -> None:
    _, store = bench_pki
    for role, entity in DEFAULT_ORGANISATIONS.values():
        assert store.role(entity) is role
        assert store.has_private_key(entity, DS)
        assert store.has_private_key(entity, KA) == (role not in (RemotePartyRole.RECOVERY, RemotePartyRole.TRANSITIONAL_COS))
        assert store.has_private_key(entity, KA, CellUsage.PREPAYMENT_TOP_UP) == (role is RemotePartyRole.SUPPLIER)
        path = check_path(store.certificate(entity, DS), store.authorities(), AT, anchors=[store.authority(RemotePartyRole.ROOT)])
        assert len(path) == 3
    for entity, device_type in DEFAULT_DEVICES.items():
        for usage in (DS, KA):
            assert store.has_private_key(entity, usage) == (device_type is not DeviceType.TYPE_2)
        credentials = store.cbke(entity)
        decoded = ecqv.ImplicitCertificate.decode(credentials.certificate, 2)
        assert (decoded.subject, decoded.issuer, credentials.suite) == (entity, CBKE_ISSUER, 2)


def test_certificates_follow_the_smki_profile(bench_pki: Made) -> None:
    _, store = bench_pki
    issuing = store.authority(RemotePartyRole.ISSUING_AUTHORITY)
    for entity, policy in ((SUPPLIER, ORGANISATION_POLICY), (HUB, DEVICE_POLICY)):
        for usage in (DS, KA):
            cert = store.certificate(entity, usage)
            stated = cert.extensions.get_extension_for_class(x509.KeyUsage)
            assert stated.critical
            assert (stated.value.digital_signature, stated.value.key_agreement) == (usage is DS, usage is KA)
            policies = cert.extensions.get_extension_for_class(x509.CertificatePolicies)
            assert policies.critical
            assert [found.policy_identifier for found in policies.value] == [policy]
            assert len(key_id_of(cert)) == 8
            authority = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
            assert authority is not None
            assert len(authority) == 8
    supplier = store.certificate(SUPPLIER, DS)
    assert supplier.issuer == issuing.subject
    assert supplier.subject.get_attributes_for_oid(x509.NameOID.X500_UNIQUE_IDENTIFIER)[0].value == b"\x00" + SUPPLIER.octets
    assert supplier.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == "02"


def test_users_sign_xml_with_unit_87_and_the_dcc_with_89(bench_pki: Made) -> None:
    _, store = bench_pki
    assert organisational_unit(store.xml_signing_certificate(SUPPLIER)) == 0x87
    assert organisational_unit(store.xml_signing_certificate(BROKER)) == 0x89
    primitives.verify(
        store.xml_signing_certificate(SUPPLIER).public_key(),  # type: ignore[arg-type]
        primitives.sign(store.xml_signing_key(SUPPLIER), b"request"),
        b"request",
    )
    with pytest.raises(KeystoreError, match="signing of XML"):
        store.xml_signing_key(HUB)


def test_every_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_pki(tmp_path / "pki", devices={HUB: DeviceType.CHF})
    finally:
        os.umask(before)
    for path in (tmp_path / "pki").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


def test_a_made_pki_has_no_findings(bench_pki: Made) -> None:
    folder, _ = bench_pki
    assert inspection.check(folder, Keystore.load(folder), AT) == ()


def test_an_existing_pki_is_not_overwritten_unless_forced(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    first = make_pki(folder, devices={HUB: DeviceType.CHF})
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(KeystoreError, match="use another folder, or --force"):
        make_pki(folder, devices={})
    assert Keystore.load(folder).certificate(HUB, DS) == first.certificate(HUB, DS)
    make_pki(folder, devices={SECOND_HUB: DeviceType.CHF}, force=True)
    again = Keystore.load(folder)
    assert HUB not in again.entities()
    assert again.certificate(SUPPLIER, DS) != first.certificate(SUPPLIER, DS)
    assert (folder / "notes.txt").read_text() == "mine"
    assert tls_credentials.hubs_of(folder) == (SECOND_HUB,)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("")
    with pytest.raises(KeystoreError, match="is a file: expected a folder"):
        make_pki(tmp_path / "pki", devices={})


def test_parties_that_share_an_identity_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match="organisation supplier: has the EUI-64 of the CHF 00db1234567890a2"):
        make_pki(tmp_path, organisations={"supplier": (RemotePartyRole.SUPPLIER, HUB)}, devices={HUB: DeviceType.CHF})
    with pytest.raises(KeystoreError, match="role ROOT is an authority's"):
        make_pki(tmp_path, organisations={"boss": (RemotePartyRole.ROOT, SUPPLIER)}, devices={})
    assert list(tmp_path.iterdir()) == []


def test_devices_are_added_to_a_pki_and_what_was_there_stays(tmp_path: Path) -> None:
    first = make_pki(tmp_path / "pki", devices={HUB: DeviceType.CHF})
    add_devices(tmp_path / "pki", {SECOND_HUB: DeviceType.CHF})
    store = Keystore.load(tmp_path / "pki")
    assert store.certificate(HUB, KA) == first.certificate(HUB, KA)
    assert store.shared_secret(SECOND_HUB, BROKER)
    assert inspection.check(tmp_path / "pki", store, AT) == ()
    assert tls_credentials.hubs_of(tmp_path / "pki") == (HUB, SECOND_HUB)
    with pytest.raises(KeystoreError, match="holds 00db1234567890c2 already"):
        add_devices(tmp_path / "pki", {SECOND_HUB: DeviceType.CHF})


def test_devices_cannot_be_added_to_keys_of_another_making(bench_pki: Made, tmp_path: Path) -> None:
    _, made = bench_pki
    made.subset(private=[SUPPLIER]).save(tmp_path / "keys")
    with pytest.raises(KeystoreError, match="only who made the PKI can issue"):
        add_devices(tmp_path / "keys", {SECOND_HUB: DeviceType.CHF})


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    )
    waiting = list(reversed(ends))
    for _ in range(6):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    return ends


def test_hub_and_server_know_each_other_by_their_tls_credentials(bench_pki: Made) -> None:
    folder, _ = bench_pki
    server = tls_credentials.tls_credentials(folder, None).server_context()
    client = tls_credentials.tls_credentials(folder, HUB).client_context()
    at_server, at_client = _handshake(server, client, tls_credentials.SERVER_NAME)
    assert at_server.version() == "TLSv1.3"
    assert tls_credentials.peer_entity(at_server) == HUB
    with pytest.raises(KeystoreError, match="is for 'dcc': expected a hub's EUI-64"):
        tls_credentials.peer_entity(at_client)


def test_no_end_passes_for_the_other_nor_another_benchs_hub_for_one_of_ours(bench_pki: Made, tmp_path: Path) -> None:
    folder, _ = bench_pki
    hub = tls_credentials.tls_credentials(folder, HUB)
    posing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    posing.load_cert_chain(hub.certificate, hub.key)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(posing, hub.client_context(), tls_credentials.SERVER_NAME)
    server = tls_credentials.tls_credentials(folder, None)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        _handshake(server.server_context(), server.client_context(), tls_credentials.SERVER_NAME)
    make_pki(tmp_path / "other", devices={HUB: DeviceType.CHF})
    stranger = tls_credentials.tls_credentials(tmp_path / "other", HUB)
    mixed = tls_credentials.TlsCredentials(hub.authority, stranger.certificate, stranger.key).client_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(tls_credentials.tls_credentials(folder, None).server_context(), mixed, tls_credentials.SERVER_NAME)


def test_missing_or_broken_tls_credentials_are_named(bench_pki: Made, tmp_path: Path) -> None:
    folder, _ = bench_pki
    with pytest.raises(KeystoreError, match=r"00db1234567890c2\.pem: is not here"):
        tls_credentials.tls_credentials(folder, SECOND_HUB)
    make_pki(tmp_path / "pki", devices={HUB: DeviceType.CHF})
    found = tls_credentials.tls_credentials(tmp_path / "pki", HUB)
    found.key.write_text("nothing")
    with pytest.raises(KeystoreError, match="cannot be used for TLS"):
        found.client_context()


def test_what_is_wrong_with_a_keystore_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    make_pki(folder, devices={HUB: DeviceType.CHF, SECOND_HUB: DeviceType.ESME})
    (folder / f"{SECOND_HUB}-cbke.json").write_text((folder / f"{HUB}-cbke.json").read_text())
    (folder / f"{HUB}-ds.key").chmod(0o640)
    next(folder.glob("authority-bench-oca-*.pem")).unlink()
    (folder / "tls" / f"{HUB}.key").write_text("nothing")
    found = {finding.what: finding.problem for finding in inspection.check(folder, Keystore.load(folder), AT)}
    assert found[f"{SECOND_HUB}-cbke"] == f"the certificate is for {HUB}"
    assert found[str(folder / f"{HUB}-ds.key")] == "mode 0640 lets others in: chmod 600"
    assert found["issuer CN=BENCH-OCA,OU=07"].startswith("its certificate is not here: the paths of ")
    assert "cannot be used for TLS" in found[f"SM WAN TLS of {HUB}"]
    assert any("no certificate here holds its public key" in problem for problem in found.values())
