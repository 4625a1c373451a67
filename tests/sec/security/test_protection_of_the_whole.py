"""Algorithms, the four properties of gateway messages, data at rest and in transit, separation of the DCC's parts."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import hil.sec.security.primitives as module
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.crypto.tls_credentials import TlsCredentials
from firmware_emu.errors import CommsHubError, KeystoreError, ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import Message
from firmware_emu.wan.tls import files_of
from hil.commands.dcc.security import security
from hil.dcc.base.results import Verdict
from hil.dcc.duis import read_request, verify_request, write_request
from hil.dcc.parties.cos_party import CosParty
from hil.dcc.parties.users import signing_certificate
from hil.sec.security.primitives import Primitive, primitives, taken
from tests.dcc.far_end import ACB, COS, ESME, NETWORK, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import COMMISSION, octets, send

ROOT = Path(__file__).resolve().parents[3]
FILES = {str(path.relative_to(ROOT)): path for package in ("firmware_emu", "hil", "ichis") for path in (ROOT / package).rglob("*.py")}


@pytest.mark.requirement("SEC-13")
def test_every_algorithm_and_generator_in_use_is_listed_with_its_limb_and_nothing_else_is_used() -> None:
    used = taken(FILES)
    listed = {name: one for one in primitives() for name in one.imports}
    unlisted = {(module, name) for module, names in used.items() for name in names if name not in listed}
    assert not unlisted
    gateway = {
        file: names for file, names in used.items() if file.startswith(("hil/dcc", "firmware_emu/gbcs", "firmware_emu/crypto/primitives"))
    }
    assert {"hil/dcc/duis/document.py", "firmware_emu/crypto/primitives.py"} <= set(gateway)
    assert {listed[name].scope for names in gateway.values() for name in names} == {"gateway"}
    assert all(one.limb.startswith(("Suite B", "NIST CAVP")) for one in primitives() if one.scope == "gateway")


@pytest.mark.requirement("SEC-13")
def test_the_command_lists_every_algorithm_of_the_gateway_with_its_limb_and_fails_where_one_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    primitives.cache_clear()
    told = CliRunner().invoke(security, ["algorithms", "--json"], catch_exceptions=False)
    rows = json.loads(told.output)
    assert {row["limb"].startswith(("Suite B", "NIST CAVP")) for row in rows if row["scope"] == "gateway"} == {True}
    table = tmp_path / "primitives.toml"
    table.write_text('[[primitive]]\nname = "RC4"\nimports = ["ARC4"]\nscope = "gateway"\nlimb = "everyone uses it"\n')
    primitives.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(module.resources, "files", lambda package: tmp_path)
        refused = CliRunner().invoke(security, ["algorithms"])
    primitives.cache_clear()
    assert "RC4 meets no limb" in str(refused.exception)


@pytest.mark.requirement("SEC-13")
def test_an_algorithm_without_a_limb_fails_the_self_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "primitives.toml"
    table.write_text('[[primitive]]\nname = "RC4"\nimports = ["ARC4"]\nscope = "gateway"\nlimb = "everyone uses it"\n')
    primitives.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(module.resources, "files", lambda package: tmp_path)
        with pytest.raises(CommsHubError, match="RC4 meets no limb"):
            primitives()
    assert Primitive("RC4", ("ARC4",), "gateway", "") not in primitives()
    sneaky = tmp_path / "sneaky.py"
    sneaky.write_text("from cryptography.hazmat.primitives.ciphers.algorithms import ARC4\nimport hashlib\nhashlib.md5()\n")
    assert taken({"sneaky": sneaky}) == {"sneaky": {"ARC4", "hashlib.md5"}}


@pytest.mark.requirement("SEC-13")
def test_randomness_with_a_seed_stays_out_of_the_gateway_and_of_cryptography() -> None:
    seeded = {name for name, path in FILES.items() if "import random" in path.read_text() or "from random import" in path.read_text()}
    assert not {name for name in seeded if name.startswith(("firmware_emu/crypto", "firmware_emu/gbcs", "hil/dcc"))}


@pytest.mark.requirement("SEC-14")
async def test_a_message_is_authentic_whole_confidential_and_cannot_be_denied(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "7.3", body={})
    request = outcome.request
    # Non-repudiation: what the DCC kept still proves, with the public certificate alone, who asked and who signed the Command.
    row = far_end.dcc.store.row("SELECT xml, command FROM requests WHERE request = ?", (request,))
    assert row is not None
    kept = read_request(row["xml"])
    verify_request(kept, signing_certificate(keystore, SUPPLIER))
    command = Message.decode(row["command"])
    protect.check_signature(command, keystore.public_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
    # Authenticity: nobody else's certificate fits. Integrity: one changed octet and nothing holds.
    with pytest.raises(ProtectionError):
        verify_request(kept, signing_certificate(keystore, SECOND))
    changed_xml = write_request(kept).replace(b"CommandVariant>4<", b"CommandVariant>5<")
    with pytest.raises(ProtectionError):
        verify_request(read_request(changed_xml), signing_certificate(keystore, SUPPLIER))
    with pytest.raises(ProtectionError):
        protect.check_signature(command, keystore.public_key(NETWORK, KeyUsage.DIGITAL_SIGNATURE))
    z = keystore.shared_secret(ACB, ESME)
    protect.check_mac(command, z)
    changed = bytearray(command.encode())
    changed[-1] ^= 1
    with pytest.raises(ProtectionError):
        protect.check_mac(Message.decode(bytes(changed)), z)
    assert octets(outcome, "f") == command.encode()


@pytest.mark.requirement("SEC-14")
def test_encrypted_data_of_a_device_opens_for_its_reader_and_not_for_the_dcc(keystore: Keystore) -> None:
    readings = b"consumption 0001234 kWh"
    named = {"originator": ESME, "counter": 1000, "recipient": SUPPLIER}
    sealed = protect.encrypt(readings, keystore.shared_secret(ESME, SUPPLIER), **named)  # type: ignore[arg-type]
    assert readings not in sealed
    assert protect.decrypt(sealed, keystore.shared_secret(SUPPLIER, ESME), **named) == readings  # type: ignore[arg-type]
    with pytest.raises(ProtectionError):
        protect.decrypt(sealed, keystore.shared_secret(ACB, ESME), **named)  # type: ignore[arg-type]


@pytest.mark.requirement("SEC-04")
async def test_what_the_dcc_keeps_is_closed_to_others_and_holds_no_private_key_or_secret(
    clock: Clock, keystore: Keystore, keys: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dcc.sqlite"
    far_end = FarEnd(keystore, clock, path)

    await far_end.in_service()
    assert (await send(far_end, "8.1.1", body=COMMISSION)).verdict in (Verdict.SUCCESS, Verdict.REFUSED)
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS
    await far_end.close()
    files = [one for one in path.parent.iterdir() if one.name.startswith("dcc.sqlite")]
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in files)
    kept = b"".join(one.read_bytes() for one in files)
    for eui in (SUPPLIER, SECOND, NETWORK, ACB, COS, ESME):
        for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
            if keystore.has_private_key(eui, usage):
                key = keystore.private_key(eui, usage)
                scalar = key.private_numbers().private_value.to_bytes(32, "big")
                assert scalar not in kept
                assert key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) not in kept
    assert keystore.shared_secret(SUPPLIER, ESME) not in kept
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in keys.rglob("*.key"))


@pytest.mark.requirement("SEC-04")
def test_what_is_under_way_goes_over_mutual_tls_1_3(keys: Path) -> None:
    import ssl

    credentials: TlsCredentials = files_of(keys / "tls", "dcc")
    server, client = credentials.server_context(), credentials.client_context()
    assert server.verify_mode is ssl.CERT_REQUIRED
    assert client.verify_mode is ssl.CERT_REQUIRED
    assert {server.minimum_version, client.minimum_version} == {ssl.TLSVersion.TLSv1_3}


@pytest.mark.requirement("SEC-05")
def test_the_dcc_the_cos_party_and_each_user_hold_no_private_key_of_another(far_end: FarEnd, keystore: Keystore) -> None:
    usage = KeyUsage.DIGITAL_SIGNATURE
    party = CosParty(COS, keystore, far_end.clock)
    holders = {ACB: far_end.dcc.keystore, COS: party._keystore, SUPPLIER: far_end.supplier._keystore}
    for holder, held in holders.items():
        for eui in (ACB, COS, SUPPLIER, SECOND, NETWORK):
            assert held.has_private_key(eui, usage) is (eui == holder), (holder, eui)
    with pytest.raises(KeystoreError):
        far_end.dcc.keystore.private_key(COS, usage)


@pytest.mark.requirement("SEC-05")
def test_correlate_and_parse_share_no_code_with_transform_and_the_dcc_makes_no_cos_party() -> None:
    def imports(package: str) -> set[str]:
        return {
            line.split()[1]
            for name, path in FILES.items()
            if name.startswith(package)
            for line in path.read_text().splitlines()
            if line.startswith(("from ", "import "))
        }

    for package in ("hil/parse_correlate",):
        assert not {one for one in imports(package) if one.startswith(("hil.dcc", "firmware_emu"))}
    assert not {one for one in imports("hil/dcc/transform") if one.startswith("hil.parse_correlate")}
    dcc = (ROOT / "hil/dcc/dcc.py").read_text()
    assert "CosSigner" in dcc
    assert "CosParty" not in dcc
