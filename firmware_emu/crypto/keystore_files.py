"""Reading and writing the files of a keystore. What they mean is decided in :mod:`firmware_emu.crypto.keystore`.

Folder: ``<eui>-ds``, ``<eui>-ka``, ``<eui>-pp-ka`` (prepayment key agreement) and ``<eui>-xml`` (signing of XML), each ``.pem`` for the
certificate and ``.key`` for the private key (PKCS#8 PEM, not encrypted); any other ``*.pem`` holds authorities, its ``.key`` beside it;
``<eui>-cbke.json`` holds key establishment credentials and ``cbke-authority.json`` who issued them. Other files and sub-folders are left
alone.

JSON: one file with entries in lists or objects, however deep. DCC Boxed's has them by EUI-64, use and serial number (reference
duis-gateway 6). An entry is an object with ``certificate`` and, where held, ``privateKey`` (or ``private_key``), each PEM text or base64 of
DER. A certificate itself says whom it speaks for; of the rest only ``prepayment`` (true) and ``name`` are read: ``PP-`` in it marks a
prepayment key agreement pair, and ``Z1b-`` at its beginning the second generation, which gives way to the first.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from firmware_emu.crypto.certificate_profile import CertificateProfile, check_profile
from firmware_emu.crypto.certificates import UNREADABLE, key_id_of, parse_certificate
from firmware_emu.crypto.ecqv import CbkeCredentials, ImplicitAuthority
from firmware_emu.crypto.primitives import PrivateKey
from firmware_emu.crypto.roles import CellUsage, KeyUsage
from firmware_emu.errors import DecodeError, KeystoreError, ProtectionError
from firmware_emu.ids import Eui64

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600

_PAIR: Final = re.compile(r"([0-9a-fA-F]{16})-(ds|ka|pp-ka|xml)")
_CBKE: Final = re.compile(r"([0-9a-fA-F]{16})-cbke")

_SECOND_GENERATION: Final = "Z1b-"
_DEEPEST: Final = 4
"""Levels of a JSON file above its entries; DCC Boxed's has three."""
CBKE_AUTHORITY: Final = "cbke-authority.json"

SUFFIXES: Final = {
    "ds": (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
    "ka": (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
    "pp-ka": (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
    "xml": (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
}


@dataclass(frozen=True, slots=True)
class Label:
    """Claim of a file name about its content: the pair and its party, by its suffix in SUFFIXES."""

    entity: Eui64
    suffix: str


@dataclass(frozen=True, slots=True)
class FiledCertificate:
    """A certificate, where it was read, what its file name claims, and whether it was marked as the prepayment pair."""

    where: str
    certificate: x509.Certificate
    label: Label | None
    cell: CellUsage


@dataclass(frozen=True, slots=True)
class FiledKey:
    """A private key and where it was read."""

    where: str
    key: PrivateKey = field(repr=False)
    label: Label | None


@dataclass(slots=True)
class Contents:
    """Everything a keystore's files hold, in the order of the file names."""

    certificates: list[FiledCertificate] = field(default_factory=list)
    keys: list[FiledKey] = field(default_factory=list)
    cbke: dict[Eui64, CbkeCredentials] = field(default_factory=dict)
    cbke_authority: ImplicitAuthority | None = None
    warnings: list[str] = field(default_factory=list)


def read(path: Path) -> Contents:
    """Read a folder or a JSON file. Raises KeystoreError naming the file, what is wrong with it and what to do."""
    if path.is_dir():
        return _read_folder(path)
    if path.is_file():
        return _read_json(path)
    raise KeystoreError(str(path), "is not here: expected a folder of PEM files or a JSON file; make one with `chub pki make`")


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as trouble:
        raise KeystoreError(str(path), f"cannot be read ({trouble.strerror}): check owner and permissions") from trouble


def _certificates(octets: bytes, where: str) -> list[x509.Certificate]:
    try:
        if b"-----BEGIN" not in octets:
            return [parse_certificate(octets)]
        return [parse_certificate(found.public_bytes(Encoding.DER)) for found in x509.load_pem_x509_certificates(octets)]
    except (*UNREADABLE, DecodeError) as wrong:
        raise KeystoreError(where, f"is not an X.509 certificate ({wrong}): expected PEM or DER; fetch it again or remove it") from wrong


def _check_leaf(certificate: x509.Certificate, where: str) -> None:
    """A party's or a Device's own certificate, by its profile; a Device's subject is empty. Warnings are for ``chub pki lint``."""
    profile = CertificateProfile.ORGANISATION if len(list(certificate.subject)) else CertificateProfile.DEVICE
    try:
        check_profile(certificate.public_bytes(Encoding.DER), profile)
    except ProtectionError as wrong:
        raise KeystoreError(where, f"{wrong.reason}; `chub pki lint --profile {profile} {where}` shows each rule") from wrong


def _private_key(octets: bytes, where: str) -> PrivateKey:
    try:
        key = load_pem_private_key(octets, None) if b"-----BEGIN" in octets else load_der_private_key(octets, None)
    except TypeError as wrong:
        raise KeystoreError(where, "is an encrypted private key: decrypt it first, as with `openssl pkey`") from wrong
    except (ValueError, UnsupportedAlgorithm) as wrong:
        raise KeystoreError(where, "is not a private key: expected PKCS#8 in PEM or DER; fetch it again or remove it") from wrong
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeystoreError(where, "is a private key of another kind: GBCS uses NIST P-256 only")
    return key


def _label(stem: str) -> Label | None:
    match = _PAIR.fullmatch(stem)
    return Label(Eui64.parse(match[1]), match[2]) if match else None


def _read_folder(folder: Path) -> Contents:
    contents = Contents()
    for path in sorted(folder.iterdir()):
        label = _label(path.stem)
        if path.suffix == ".pem":
            cell = SUFFIXES[label.suffix][1] if label else CellUsage.MANAGEMENT
            for found in _certificates(_octets(path), str(path)):
                if label is not None:
                    _check_leaf(found, str(path))
                contents.certificates.append(FiledCertificate(str(path), found, label, cell))
        elif path.suffix == ".key":
            contents.keys.append(FiledKey(str(path), _private_key(_octets(path), str(path)), label))
        elif path.suffix == ".json" and (match := _CBKE.fullmatch(path.stem)):
            contents.cbke[Eui64.parse(match[1])] = read_cbke(path)
        elif path.name == CBKE_AUTHORITY:
            contents.cbke_authority = _read_cbke_authority(path)
    return contents


def read_cbke(path: Path) -> CbkeCredentials:
    """Credentials for key establishment from ``EUI-cbke.json``. Raises KeystoreError."""
    try:
        stored = json.loads(_octets(path))
        return CbkeCredentials(
            certificate=bytes.fromhex(stored["certificate"]),
            private_key=int(stored["private_key"], 16),
            ca_public_key=bytes.fromhex(stored["ca_public_key"]),
            suite=int(stored["suite"]),
        )
    except (ValueError, KeyError, TypeError) as wrong:
        expected = "expected an object with suite, certificate, private_key and ca_public_key in hex"
        raise KeystoreError(str(path), f"does not hold key establishment credentials: {expected}") from wrong


def _read_cbke_authority(path: Path) -> ImplicitAuthority:
    try:
        stored = json.loads(_octets(path))
        return ImplicitAuthority(
            issuer=Eui64.parse(stored["issuer"]),
            private_key=int(stored["private_key"], 16),
            public_key=bytes.fromhex(stored["public_key"]),
            suite=int(stored["suite"]),
        )
    except (ValueError, KeyError, TypeError) as wrong:
        expected = "expected an object with suite, issuer, private_key and public_key in hex"
        raise KeystoreError(str(path), f"does not hold the key establishment authority: {expected}") from wrong


def cbke_text(credentials: CbkeCredentials) -> str:
    """The content of ``<eui>-cbke.json``."""
    stored = {
        "suite": credentials.suite,
        "certificate": credentials.certificate.hex(),
        "private_key": f"{credentials.private_key:x}",
        "ca_public_key": credentials.ca_public_key.hex(),
    }
    return json.dumps(stored, indent=1) + "\n"


def cbke_authority_text(authority: ImplicitAuthority) -> str:
    """The content of ``cbke-authority.json``."""
    stored = {
        "suite": authority.suite,
        "issuer": str(authority.issuer),
        "private_key": f"{authority.private_key:x}",
        "public_key": authority.public_key.hex(),
    }
    return json.dumps(stored, indent=1) + "\n"


def _read_json(path: Path) -> Contents:
    try:
        tree: object = json.loads(_octets(path))
    except ValueError as wrong:
        raise KeystoreError(str(path), f"is not JSON ({wrong}): expected a list of entries with certificate and privateKey") from wrong
    contents = Contents()
    entries = [(entry, f"{path}: entry {number}") for number, entry in enumerate(_entries(tree), 1)]
    for entry, where in sorted(entries, key=lambda pair: not _name(pair[0]).startswith(_SECOND_GENERATION)):
        try:
            _read_entry(entry, where, contents)
        except KeystoreError as trouble:
            if not _name(entry):
                raise
            contents.warnings.append(
                f"{trouble}; left out"
            )  # two of DCC Boxed's have a form that X.509 does not (reference duis-gateway 6)
    return contents


def _entries(tree: object, depth: int = 0) -> Iterator[object]:
    """The entries of a tree; what is neither list nor object is handed on to be refused."""
    inner = tree if isinstance(tree, list) else list(tree.values()) if isinstance(tree, dict) else []
    if not inner or (isinstance(tree, dict) and not all(isinstance(one, dict | list) for one in inner)) or depth > _DEEPEST:
        yield tree
        return
    for one in inner:
        yield from _entries(one, depth + 1)


def _name(entry: object) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else ""


def _read_entry(entry: object, where: str, contents: Contents) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("certificate"), str):
        expected = "expected an object with certificate (PEM or base64 of DER) and perhaps privateKey"
        raise KeystoreError(where, f"holds no certificate: {expected}")
    prepayment = entry.get("prepayment") is True or "PP-" in _name(entry)
    cell = CellUsage.PREPAYMENT_TOP_UP if prepayment else CellUsage.MANAGEMENT
    for found in _certificates(_from_text(entry["certificate"], where), where):
        contents.certificates.append(FiledCertificate(where, found, None, cell))
    key = entry.get("privateKey", entry.get("private_key"))
    if isinstance(key, str) and key:
        contents.keys.append(FiledKey(where, _private_key(_from_text(key, where), where), None))


def _from_text(text: str, where: str) -> bytes:
    if "-----BEGIN" in text:
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as wrong:
        raise KeystoreError(where, "holds text that is neither PEM nor base64") from wrong


def certificate_text(certificate: x509.Certificate) -> str:
    """A certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def key_text(key: PrivateKey) -> str:
    """A private key as PKCS#8 PEM, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def authority_stem(certificate: x509.Certificate) -> str:
    """File name, without ending, of an authority: its common name and the start of its key identifier."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = names[0].value if names and isinstance(names[0].value, str) else "unnamed"
    return f"authority-{re.sub('[^a-z0-9]+', '-', name.lower())}-{key_id_of(certificate)[:4].hex()}"


def is_keystore_file(path: Path) -> bool:
    """True if a file in a keystore's folder bears a name that :meth:`Keystore.save` gives."""
    stem = path.stem
    pair = path.suffix in (".pem", ".key") and (_PAIR.fullmatch(stem) is not None or stem.startswith("authority-"))
    return pair or path.name == CBKE_AUTHORITY or (path.suffix == ".json" and _CBKE.fullmatch(stem) is not None)


def make_directory(path: Path) -> None:
    """Make ``path`` with mode 0700, or bring an existing folder to that mode."""
    path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    path.chmod(DIRECTORY_MODE)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (0600), whatever the umask; never readable by others in between."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
