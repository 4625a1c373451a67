"""Values written as text on the command line: times, octets, numbers, certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificates import UNREADABLE
from firmware_emu.errors import IdentifierError


def moment(text: str) -> datetime:
    """An ISO time, UTC where it names no zone. Raises IdentifierError."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise IdentifierError("a time", text, "as 2026-01-01T00:00:00Z") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def certificate(path: str) -> bytes:
    """The DER octets of a certificate file in PEM or DER. Raises IdentifierError."""
    content = Path(path).read_bytes()
    try:
        cert = x509.load_pem_x509_certificate(content) if content.lstrip().startswith(b"-----") else x509.load_der_x509_certificate(content)
    except UNREADABLE:
        raise IdentifierError("a certificate", path, "PEM or DER") from None
    return cert.public_bytes(Encoding.DER)


def octets(text: str) -> bytes:
    """Hexadecimal, with or without separators, or ``text:`` and characters. Raises IdentifierError."""
    if text.startswith("text:"):
        return text.removeprefix("text:").encode("utf-8")
    digits = text.removeprefix("0x").replace(":", "").replace("-", "").replace(" ", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise IdentifierError("octets", text, "hexadecimal, or text:... for characters") from None


def number(name: str, given: object) -> int:
    """A number as JSON or text, decimal or 0x hexadecimal. Raises IdentifierError."""
    try:
        return int(given) if isinstance(given, int) else int(str(given), 0)
    except ValueError:
        raise IdentifierError(name, given, "a number, decimal or 0x hexadecimal") from None
