"""Certificates at which the library raises exceptions of its own kinds: each door answers in its own words, none lets them through."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from firmware_emu.console.commands.gbcs_literals import certificate as certificate_of
from firmware_emu.console.commands.pki import pki
from firmware_emu.crypto.certificate_profile import CertificateProfile, lint
from firmware_emu.crypto.certificates import parse_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.credentials import sound_certificate
from firmware_emu.errors import DecodeError, IdentifierError, KeystoreError, ProtectionError
from hil.parse_correlate.keys import entity_of, role_of, usage_of
from tests.crypto.odd_certificates import POINT, SIGN, Odd, extension, key_id, sequence, tlv

PROFILE = {"lint": ["--profile", "organisation"], "check": []}
DUPLICATE = Odd(more=extension("551d0e", tlv(0x04, key_id(POINT))))
ODD = {
    "an extension twice (DuplicateExtension)": DUPLICATE,
    "the key usage twice (DuplicateExtension)": Odd(more=extension("551d0f", SIGN, critical=True)),
    "a general name of no type (UnsupportedGeneralNameType)": Odd(more=extension("551d11", sequence(tlv(0xA3, b"\x30\x00")))),
    "a general name that is no name (ValueError)": Odd(more=extension("551d11", sequence(tlv(0x82, b"\xff\xff")))),
    "an extension that is cut off (ValueError)": Odd(more=extension("551d13", b"\x30\x7f")),
    "a policy without an identifier (ValueError)": Odd(policy=None, more=extension("551d20", sequence(sequence()))),
    "a curve that nobody has (UnsupportedAlgorithm)": Odd(
        key=sequence(sequence(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06052b8104007f")), tlv(0x03, b"\x00" + POINT))
    ),
    "a key of no known kind (UnsupportedAlgorithm)": Odd(key=sequence(sequence(bytes.fromhex("06032b6571")), tlv(0x03, bytes(58)))),
    "version 9 (InvalidVersion)": Odd(serial=b"\x01"),
}


@pytest.mark.parametrize("odd", ODD)
def test_no_exception_of_the_library_gets_out(odd: str, tmp_path: Path) -> None:
    octets = ODD[odd].der()
    if odd.startswith("version"):
        octets = octets.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"))
    for profile in CertificateProfile:
        lint(octets, profile)
    with contextlib.suppress(DecodeError):
        parse_certificate(octets)
    pem = tmp_path / "90b3d51f30010000-ds.pem"
    pem.write_text(ssl.DER_cert_to_PEM_cert(octets))
    with pytest.raises(KeystoreError, match=r"90b3d51f30010000-ds\.pem"):
        Keystore.load(tmp_path)
    for command in ("lint", "check"):
        done = CliRunner().invoke(pki, [command, str(pem if command == "lint" else tmp_path), *PROFILE[command]])
        assert done.exception is None or isinstance(done.exception, SystemExit | KeystoreError), command
    with contextlib.suppress(IdentifierError):
        certificate_of(str(pem))
    with contextlib.suppress(ProtectionError):
        sound_certificate(octets, CertificateProfile.ORGANISATION)


@pytest.mark.parametrize("odd", ODD)
def test_parse_and_correlate_read_it_as_nobodys(odd: str) -> None:
    try:
        certificate = x509.load_der_x509_certificate(ODD[odd].der())
    except ValueError:
        return  # not read at all
    for ask in (entity_of, usage_of, role_of):
        ask(certificate)  # None or a value, no exception
