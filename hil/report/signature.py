"""A detached signature over the files of a run: ``report.sig`` names each file with its SHA-256 and is signed with Ed25519.

The key is the bench's own: it says that the files are as this bench left them. Whose bench it was says the list of known signers; a
signature by a key that is not on it proves nothing, since whoever changes a report can sign it again with a key of his own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from firmware_emu.errors import KeystoreError, NotAvailable, in_words

NAME = "report.sig"
FORMAT = "commshub report signature 1"
_SIGNED = ("report.html", "report.json", "junit.xml", "trace.jsonl", "log.jsonl")
WAVEFORMS = "waveforms"
"""Folder of a run with one file of points for each check that has a course of volts."""
SIGNERS = "known-signers.json"
"""Beside the bench's own key: whose reports this machine takes, name by fingerprint."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings of a verification. ``problems`` is empty where every file is as it was signed."""

    fingerprint: str
    files: tuple[str, ...]
    problems: tuple[str, ...]


def bench_key(path: Path) -> Ed25519PrivateKey:
    """The bench's signing key at ``path``, made there at first use (mode 0600). Raises KeystoreError."""
    try:
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        return _new_key(path)
    except (OSError, ValueError, TypeError) as wrong:
        raise KeystoreError(str(path), f"cannot be read as the bench's signing key: {in_words(wrong)}") from wrong
    if not isinstance(loaded, Ed25519PrivateKey):
        raise KeystoreError(str(path), f"expected an Ed25519 private key, read {type(loaded).__name__}")
    return loaded


def _new_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bench_key(path)
    except OSError as wrong:
        raise KeystoreError(str(path), f"cannot be written: {wrong.strerror}") from wrong
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return key


def known_signers(path: Path) -> dict[str, str]:
    """Name by fingerprint; empty where the file is not there. Raises KeystoreError."""
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as wrong:
        raise KeystoreError(str(path), f"cannot be read as the list of known signers: {in_words(wrong)}") from wrong
    return {str(one): str(name) for one, name in read.items()} if isinstance(read, dict) else {}


def trust(path: Path, one: str, name: str) -> None:
    """Take reports of this signer from now on. Raises KeystoreError."""
    known = known_signers(path)
    if known.get(one) != name:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(json.dumps({**known, one: name}, indent=1) + "\n", encoding="utf-8")
        path.chmod(0o600)


def fingerprint(key: Ed25519PublicKey) -> str:
    """First 16 octets of the SHA-256 of the raw public key, hex."""
    return hashlib.sha256(_raw(key)).hexdigest()[:32]


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _statement(files: dict[str, str]) -> bytes:
    return json.dumps({"format": FORMAT, "files": files}, sort_keys=True).encode()


def sign(folder: Path, key: Ed25519PrivateKey) -> Path:
    """Sign the run's files; returns the path of ``report.sig``."""
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in _to_sign(folder)}
    out = {
        "format": FORMAT,
        "files": files,
        "public_key": base64.b64encode(_raw(key.public_key())).decode(),
        "signature": base64.b64encode(key.sign(_statement(files))).decode(),
    }
    path = folder / NAME
    path.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    return path


def _to_sign(folder: Path) -> list[str]:
    """The files of a run that a signature must name."""
    courses = sorted(path.name for path in (folder / WAVEFORMS).glob("*") if path.is_file())
    return [*(name for name in _SIGNED if (folder / name).is_file()), *(f"{WAVEFORMS}/{name}" for name in courses)]


def verify(folder: Path) -> Checked:
    """Check signature and files. Raises NotAvailable without a signature, KeystoreError for one that cannot be read."""
    path = folder / NAME
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(read["public_key"], validate=True))
        signature, files = base64.b64decode(read["signature"], validate=True), read["files"]
        if read["format"] != FORMAT or not isinstance(files, dict):
            raise ValueError(f"expected format {FORMAT!r}")
    except OSError as wrong:
        raise NotAvailable(f"the signature {path}", f"{wrong.strerror}: give the folder of a signed run") from wrong
    except (ValueError, KeyError, TypeError) as wrong:
        raise KeystoreError(str(path), f"cannot be read as a signature: {wrong}") from wrong
    problems: list[str] = []
    try:
        public.verify(signature, _statement(files))
    except InvalidSignature:
        problems.append("the signature does not hold")
    for name, wanted in sorted(files.items()):
        inside = (folder / name.replace("\0", "")).resolve()
        if folder.resolve() not in inside.parents or not inside.is_file():
            problems.append(f"{name} is not there")
        elif hashlib.sha256(inside.read_bytes()).hexdigest() != wanted:
            problems.append(f"{name} is not what was signed")
    problems += [f"{name} is not signed" for name in _to_sign(folder) if name not in files]
    return Checked(fingerprint(public), tuple(sorted(files)), tuple(problems))
