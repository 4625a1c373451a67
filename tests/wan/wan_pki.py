"""TLS files of a DCC and some hubs, made by the test PKI."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from firmware_emu.crypto.certificates import Validity
from firmware_emu.crypto.tls_credentials import FOLDER, issue_hubs, make_authority
from firmware_emu.ids import Eui64
from firmware_emu.wan.tls import DCC_NAME, TlsFiles, files_of

VALID = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC))


def issue_tls(directory: Path, hubs: Iterable[Eui64]) -> dict[str, TlsFiles]:
    """By common name. They lie in the folder ``tls`` of ``directory``."""
    hubs = tuple(hubs)
    directory.mkdir(exist_ok=True)
    issue_hubs(directory, make_authority(directory, VALID), hubs, VALID)
    return {name: files_of(directory / FOLDER, name) for name in (DCC_NAME, *map(str, hubs))}
