"""The certificate profiles: forty cases of which each breaks one rule or none, the published certificates, and arbitrary octets."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.console.commands.pki import pki
from firmware_emu.crypto.certificate_profile import CertificateProfile, Severity, lint, refusals, rules
from firmware_emu.crypto.implicit_profile import lint_implicit
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.errors import KeystoreError
from tests.crypto.odd_certificates import (
    AGREE,
    APEX,
    BASIC_CA,
    CN,
    EUI,
    ISSUER_NAME,
    METER,
    OU,
    POINT,
    ROOT_NAME,
    SHA384,
    UNIQUE_ID,
    Odd,
    authority,
    device,
    extension,
    general,
    hardware,
    key_id,
    name,
    other_keys,
    public_key,
    sequence,
    subject,
    tlv,
    utc,
)

ORG, DEV, ICA, ROOT = CertificateProfile.ORGANISATION, CertificateProfile.DEVICE, CertificateProfile.ISSUING, CertificateProfile.ROOT
OFF_CURVE = POINT[:-1] + bytes([POINT[-1] ^ 1])
HUNDRED = sequence(utc("180101000000Z"), general("21180101000000Z"))
LONG_AUTHORITY = tlv(0x80, key_id(POINT)) + tlv(0xA1, tlv(0xA4, ISSUER_NAME)) + tlv(0x82, b"\x01")
CASES = [
    ("T01", ORG, Odd(), Severity.NOTICE, ""),
    ("T02", DEV, device(), Severity.NOTICE, ""),
    ("T03", ICA, authority(), Severity.NOTICE, ""),
    ("T04", ROOT, authority(issuer=ROOT_NAME, subject=ROOT_NAME, authority=None, more=BASIC_CA + APEX), Severity.NOTICE, ""),
    ("T05", ORG, Odd(subject=subject(b"7F"), usage=AGREE, more=extension("551d13", sequence(), critical=True)), Severity.NOTICE, "BC-02"),
    ("T06", ORG, Odd(subject=subject(b"87"), authority=None, validity=HUNDRED), Severity.WARN, "KID-06"),
    ("T07", DEV, device(AGREE, policy_critical=False), Severity.WARN, "POL-03"),
    ("T08", DEV, device(wide_s=True), Severity.WARN, "SIG-02"),
    ("T09", ORG, Odd(subject=subject(b"7F"), parameters=b"\x05\x00"), Severity.WARN, "ALG-03"),
    ("T10", ORG, Odd(key=other_keys()["P-384"]), Severity.ERROR, "KEY-02"),
    ("T11", ORG, Odd(algorithm=SHA384), Severity.ERROR, "ALG-01"),
    ("T12", ORG, Odd(key=other_keys()["RSA"]), Severity.ERROR, "KEY-01"),
    ("T13", ORG, Odd(key=other_keys()["Ed25519"]), Severity.ERROR, "KEY-01"),
    ("T14", ORG, Odd(usage=AGREE, key=public_key(b"\x02" + POINT[1:33])), Severity.ERROR, "KEY-03"),
    ("T15", ORG, Odd(usage=AGREE, key=public_key(OFF_CURVE)), Severity.ERROR, "KEY-04"),
    ("T16", ORG, Odd(more=BASIC_CA), Severity.ERROR, "BC-01"),
    ("T17", ORG, Odd(more=extension("2b060104018686" + "1f01", b"\x05\x00", critical=True)), Severity.ERROR, "EXT-02"),
    ("T18", ORG, Odd(more=extension("551d25", sequence(bytes.fromhex("06082b06010505070302")), critical=True)), Severity.ERROR, "EXT-03"),
    ("T19", ORG, Odd(more=extension("551d1e", sequence(), critical=True)), Severity.ERROR, "EXT-05"),
    ("T20", ORG, Odd(policy=None), Severity.ERROR, "POL-01"),
    ("T21", ORG, Odd(policy="06032a0304"), Severity.ERROR, "POL-06"),
    ("T22", ORG, Odd(usage=bytes.fromhex("03020388")), Severity.ERROR, "KU-04"),
    ("T23", ORG, Odd(usage=bytes.fromhex("03020328")), Severity.ERROR, "KU-08"),
    ("T24", DEV, device(bytes.fromhex("03020640")), Severity.ERROR, "KU-03"),
    ("T25", ORG, Odd(usage_critical=False), Severity.ERROR, "KU-02"),
    ("T26", ORG, Odd(subject=subject(b"0x02")), Severity.ERROR, "ORG-02"),
    ("T27", ORG, Odd(subject=subject(identifier=b"\x00" + EUI[:7])), Severity.ERROR, "ORG-06"),
    ("T28", ORG, Odd(subject=subject(identifier=bytes(9))), Severity.ERROR, "EUI-01"),
    ("T28 ones", ORG, Odd(subject=subject(identifier=b"\x00" + b"\xff" * 8)), Severity.ERROR, "EUI-01"),
    ("T30", DEV, device(AGREE, validity=sequence(utc("150101000000Z"), utc("491231235959Z"))), Severity.ERROR, "DEV-02"),
    ("T31", DEV, device(subject=name((CN, 0x0C, b"meter")), more=hardware(critical=False)), Severity.ERROR, "DEV-01"),
    ("T31 also", DEV, device(subject=name((CN, 0x0C, b"meter")), more=hardware(critical=False)), Severity.ERROR, "SAN-02"),
    ("T32", ORG, Odd(identifier=bytes(20)), Severity.ERROR, "KID-03"),
    ("T32 also", ORG, Odd(identifier=bytes(20)), Severity.ERROR, "KID-04"),
    ("T33", ORG, Odd(authority=LONG_AUTHORITY), Severity.ERROR, "KID-08"),
    ("T34", ORG, Odd(serial=b"\x80" + bytes(15)), Severity.ERROR, "FLD-02"),
    ("T38", DEV, Odd(), Severity.ERROR, "SAN-01"),
    ("T40", ORG, Odd(tail=b"\x00"), Severity.FATAL, "DER-01"),
    ("leaf as authority", ICA, Odd(), Severity.ERROR, "BC-05"),
    (
        "no characters",
        ORG,
        Odd(subject=name((CN, 0x0C, b"\xff\xfe"), (OU, 0x0C, b"02"), (UNIQUE_ID, 3, b"\0" + EUI))),
        Severity.ERROR,
        "NAM-04",
    ),
    ("month 13", ORG, Odd(validity=sequence(utc("201301000000Z"), utc("300101000000Z"))), Severity.ERROR, "DER-08"),
    ("two units", ORG, Odd(subject=name((OU, 0x0C, b"02"), (OU, 0x0C, b"03"), (UNIQUE_ID, 3, b"\0" + EUI))), Severity.ERROR, "ORG-01"),
    ("odd serial number", DEV, device(more=hardware(METER[:7])), Severity.ERROR, "SAN-05"),
]


@pytest.mark.parametrize(("profile", "made", "worst", "rule"), [pytest.param(*row[1:], id=f"{row[0]} {row[4]}") for row in CASES])
def test_each_case_gives_its_verdict_and_its_rule(profile: CertificateProfile, made: Odd, worst: Severity, rule: str) -> None:
    found = lint(made.der(), profile)
    if rule:
        assert rule in {one.rule for one in found}
        assert next(one.severity for one in found if one.rule == rule) is worst
    assert bool(refusals(found)) is worst.refuses, [str(one) for one in found]
    if not rule:
        assert [str(one) for one in found if one.severity is not Severity.NOTICE] == []


def test_every_published_certificate_passes_with_its_known_oddities_as_warnings(rtds: Path) -> None:
    rules_broken = set()
    for path in sorted((rtds / "keys").glob("*.pem")):
        profile = DEV if path.name.startswith("00db") else ORG
        found = lint(ssl.PEM_cert_to_DER_cert(path.read_text()), profile)
        assert refusals(found) == (), path.name
        rules_broken |= {one.rule for one in found}
    assert {"KID-06", "ORG-11", "SIG-02"} >= rules_broken


def test_every_rule_has_a_name_of_its_own_and_a_source() -> None:
    assert len({one.id for one in rules()}) == len(rules()) > 80
    assert all(one.clause and one.profiles for one in rules())


@given(st.binary(max_size=500), st.sampled_from(list(CertificateProfile)))
def test_arbitrary_octets_are_judged_and_never_raise(octets: bytes, profile: CertificateProfile) -> None:
    assert refusals(lint(octets, profile))


@given(st.integers(0, 430), st.integers(0, 255), st.sampled_from(list(CertificateProfile)))
def test_a_certificate_with_one_octet_changed_is_judged_and_never_raises(at: int, octet: int, profile: CertificateProfile) -> None:
    good = Odd().der()
    lint(good[:at] + bytes([octet]) + good[at + 1 :], profile)
    lint(good[:at] + good[at + 1 :], profile)


def test_the_certificates_that_chub_pki_makes_pass(tmp_path: Path) -> None:
    make_pki(tmp_path / "keys", devices=DEFAULT_DEVICES)
    files = sorted((tmp_path / "keys").glob("*-ds.pem")) + sorted((tmp_path / "keys").glob("*-ka.pem"))
    devices = [one for one in files if one.name.startswith("00db")]
    for profile, chosen in (
        (DEV, devices),
        (ORG, [one for one in files if one not in devices]),
    ):
        assert chosen
        done = CliRunner().invoke(pki, ["lint", *map(str, chosen), "--profile", profile.value])
        assert done.exit_code == 0, done.output


def test_the_linter_is_a_command_with_an_exit_code_and_json(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.der", tmp_path / "bad.der"
    good.write_bytes(Odd().der())
    bad.write_bytes(Odd(key=other_keys()["P-384"]).der())
    done = CliRunner().invoke(pki, ["lint", str(good), str(bad), "--profile", "organisation", "--json"])
    assert done.exit_code == 1
    assert [row["refused"] for row in json.loads(done.output)] == [False, True]
    told = CliRunner().invoke(pki, ["lint", str(bad), "--profile", "organisation"])
    assert "KEY-02 error: a curve that is not NIST P-256 by name (GBCS 12)" in told.output


def test_an_implicit_certificate_is_judged_field_by_field(tmp_path: Path) -> None:
    make_pki(tmp_path / "keys", devices=DEFAULT_DEVICES)
    device_eui = next(iter(DEFAULT_DEVICES))
    good = Keystore.load(tmp_path / "keys").cbke(device_eui).certificate
    assert refusals(lint_implicit(good)) == ()
    assert [one.rule for one in refusals(lint_implicit(good[:36] + b"\x80" + good[37:]))] == ["CB-08"]
    assert [one.rule for one in refusals(lint_implicit(good[:9] + b"\x0e" + good[10:]))] == ["CB-03"]
    assert [one.rule for one in refusals(lint_implicit(good[:37] + b"\x04" + good[38:]))] == ["CB-06"]
    assert [one.rule for one in refusals(lint_implicit(good[:40]))] == ["CB-01"]


def test_a_keystore_refuses_a_certificate_that_breaks_its_profile_by_rule(tmp_path: Path) -> None:
    (tmp_path / "90b3d51f30010000-ds.pem").write_text(ssl.DER_cert_to_PEM_cert(Odd(usage_critical=False).der()))
    with pytest.raises(KeystoreError, match=r"KU-02.*chub pki lint"):
        Keystore.load(tmp_path)
