"""Mutual TLS of the SM WAN: which files belong to whom.

The files are made with the test PKI (:mod:`firmware_emu.crypto.tls_credentials`). A hub's certificate carries its CHF EUI-64 as
common name, so that one hub cannot speak for another. How the real SM WAN protects its link is not published (reference
gbcs-messages 14): TLS 1.3 with P-256 certificates on both sides is this bench's own choice.
"""

from __future__ import annotations

from pathlib import Path

from firmware_emu.crypto.tls_credentials import SERVER_NAME, TlsCredentials
from firmware_emu.errors import KeystoreError

DCC_NAME = SERVER_NAME
"""Common name and DNS name of the DCC's certificate."""

TlsFiles = TlsCredentials
"""Paths of PEM files: the ``authority`` the far end's certificate must come from, own ``certificate`` and ``key``."""


def files_of(directory: Path, name: str) -> TlsFiles:
    """The files of ``name`` (``dcc`` or a CHF EUI-64 in hex) in the folder ``directory``. Raises KeystoreError where one is missing."""
    files = TlsFiles(directory / "authority.pem", directory / f"{name}.pem", directory / f"{name}.key")
    for path in (files.authority, files.certificate, files.key):
        if not path.is_file():
            raise KeystoreError(str(path), "no such file: make it with `chub pki make`, or `chub pki add` for one more hub")
    return files
