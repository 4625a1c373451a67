"""Check of this installation against its release.

A release carries ``RELEASE.json``: the SHA-256 of every file of the package, signed (Ed25519) over its octets, with the public key. The key
that signs is named by its fingerprint; a user compares it once with the one the publisher states, as with the detached signature of the
wheel (``openssl pkeyutl -verify``, README).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RELEASE: Final = "RELEASE.json"
_PASSED_OVER: Final = frozenset({"__pycache__", RELEASE})


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """The verdict, with a line that says it."""

    good: bool
    text: str


def digests(folder: Traversable, path: str = "") -> dict[str, str]:
    """SHA-256 of every file below ``folder`` by its path, compiled files and the list itself left out."""
    found: dict[str, str] = {}
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.name in _PASSED_OVER:
            continue
        here = f"{path}{entry.name}"
        if entry.is_dir():
            found.update(digests(entry, f"{here}/"))
        else:
            found[here] = hashlib.sha256(entry.read_bytes()).hexdigest()
    return found


def listed(found: dict[str, str]) -> bytes:
    """The list as it is signed."""
    return json.dumps(found, sort_keys=True, separators=(",", ":")).encode()


def fingerprint(key: bytes) -> str:
    """SHA-256 of a raw public key, in groups of four digits."""
    digits = hashlib.sha256(key).hexdigest()
    return " ".join(digits[place : place + 4] for place in range(0, 32, 4))


def verify_self() -> SelfCheck:
    """Compare every file of the package with the signed list of the release."""
    package = files(__package__)
    here = package / RELEASE
    if not here.is_file():
        return SelfCheck(False, f"not a release: {RELEASE} is missing, this package was not built by tools/release-parse-correlate")
    try:
        record = json.loads(here.read_text(encoding="utf-8"))
        wanted = {str(name): str(digest) for name, digest in record["files"].items()}
        key, signature = (base64.b64decode(record[name], validate=True) for name in ("key", "signature"))
        Ed25519PublicKey.from_public_bytes(key).verify(signature, listed(wanted))
    except InvalidSignature:
        return SelfCheck(False, f"changed: the signature of {RELEASE} does not hold")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as trouble:
        return SelfCheck(False, f"changed: {RELEASE} cannot be read ({trouble})")
    found = digests(package)
    wrong = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    if wrong:
        return SelfCheck(False, f"changed: {len(wrong)} of {len(wanted)} files are not those of the release: {', '.join(wrong[:5])}")
    return SelfCheck(True, f"released: {len(wanted)} files as signed by the key {fingerprint(key)}")
