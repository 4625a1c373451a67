"""Certificates with a sound path: changed, they have none, and nothing is raised but what is declared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificate_profile import CertificateProfile, lint, refusals
from firmware_emu.crypto.certificates import check_path, parse_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.attacks.siege.search import Mutation, octets_changed


class Certificates:
    """A certificate with a sound path: changed, it has none, and nothing is raised but what is declared."""

    kinds = ("set", "flip", "drop", "put")

    def __init__(self, keystore: Keystore, user: Eui64) -> None:
        self._octets = keystore.certificate(user, KeyUsage.DIGITAL_SIGNATURE).public_bytes(Encoding.DER)
        self._path = [keystore.authority(RemotePartyRole.ISSUING_AUTHORITY)]
        self._root = keystore.authority(RemotePartyRole.ROOT)

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        octets = self._octets
        for change in changes:
            octets = octets_changed(octets, change)
        if octets == self._octets or refusals(lint.__wrapped__(octets, CertificateProfile.ORGANISATION)):
            return None
        try:
            check_path(parse_certificate(octets), self._path, datetime(2026, 1, 1, tzinfo=UTC), anchors=(self._root,))
        except CommsHubError:
            return None
        return f"a changed certificate has a sound path: {octets.hex()[:120]}"
