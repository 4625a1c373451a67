"""Content and faults of a keystore: the reading behind ``chub pki show`` and ``chub pki check``."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from firmware_emu.crypto import ecqv, tls_credentials
from firmware_emu.crypto import keystore_files as files
from firmware_emu.crypto.certificates import check_dates, check_path, name_of, role_of
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, KeyUsage
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64

_PAIRS: Final = (
    ("ds", KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
    ("ka", KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
    ("pp-ka", KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
)


@dataclass(frozen=True, slots=True)
class PairSummary:
    """One certificate (or a private key alone, ``certificate`` None) and whether its private key is held."""

    kind: str
    certificate: x509.Certificate | None
    private_key_held: bool


@dataclass(frozen=True, slots=True)
class PartySummary:
    """Holdings of one party. ``role`` is in words; ``device`` where it has no role."""

    entity: Eui64
    role: str
    pairs: tuple[PairSummary, ...]
    key_establishment: bool


@dataclass(frozen=True, slots=True)
class KeystoreFinding:
    """Something that does not hold: ``what`` it is about and the ``problem``."""

    what: str
    problem: str


def role_words(cert: x509.Certificate) -> str:
    """An authority's role in words."""
    role = role_of(cert)
    return "device authority" if role is None else role.name.lower().replace("_", " ")


def _pairs(store: Keystore, entity: Eui64) -> Iterator[PairSummary]:
    for kind, usage, cell in _PAIRS:
        has_certificate = store.has_certificate(entity, usage, cell)
        has_key = store.has_private_key(entity, usage, cell)
        if has_certificate or has_key:
            yield PairSummary(kind, store.certificate(entity, usage, cell) if has_certificate else None, has_key)
    if store.has_xml_signing_certificate(entity):
        yield PairSummary("xml", store.xml_signing_certificate(entity), store.has_xml_signing_key(entity))


def parties(store: Keystore) -> tuple[PartySummary, ...]:
    """Every party of a keystore, sorted by EUI-64."""
    found = []
    for entity in store.entities():
        role = store.role(entity)
        words = "device" if role is None else role.name.lower().replace("_", " ")
        found.append(PartySummary(entity, words, tuple(_pairs(store, entity)), store.has_cbke(entity)))
    return tuple(found)


def check(path: Path, store: Keystore, at: datetime | None) -> tuple[KeystoreFinding, ...]:
    """Check a keystore read from ``path``, dates at ``at`` (aware UTC; None: not checked). Empty where all holds.

    Checked are: what loading warned of, each certificate's path to a root held here, dates, each key establishment credential against
    its own certificate, TLS credentials, and that no file can be read by others.
    """
    findings = [KeystoreFinding(*warning.split(": ", 1)) for warning in store.warnings]
    findings += _certificate_findings(store, at)
    findings += _key_establishment_findings(store)
    if path.is_dir():
        findings += _tls_findings(path)
        findings += _permission_findings(path)
    return tuple(findings)


def _certificate_findings(store: Keystore, at: datetime | None) -> Iterator[KeystoreFinding]:
    authorities = store.authorities()
    roots = [cert for cert in authorities if cert.subject == cert.issuer]
    held = [(name_of(cert), cert) for cert in authorities]
    for party in parties(store):
        held += [(f"{party.entity}-{pair.kind}", pair.certificate) for pair in party.pairs if pair.certificate is not None]
    known = {cert.subject for cert in authorities}
    orphans: Counter[str] = Counter()
    for what, cert in held:
        try:
            if cert.issuer in known:
                check_path(cert, authorities, at, anchors=roots)
            else:
                orphans[cert.issuer.rfc4514_string()] += 1
                check_dates(cert, at)
        except CommsHubError as problem:
            yield KeystoreFinding(what, str(problem))
    for issuer, count in orphans.items():
        yield KeystoreFinding(f"issuer {issuer}", f"its certificate is not here: the paths of {count} certificates cannot be checked")


def _key_establishment_findings(store: Keystore) -> Iterator[KeystoreFinding]:
    for entity in store.entities():
        if not store.has_cbke(entity):
            continue
        what = f"{entity}-cbke"
        held = store.cbke(entity)
        try:
            decoded = ecqv.ImplicitCertificate.decode(held.certificate, held.suite)
            public = ecqv.extract_public_key(held.certificate, held.ca_public_key, held.suite)
        except CommsHubError as problem:
            yield KeystoreFinding(what, str(problem))
            continue
        curve = ecqv.curve_of(held.suite)
        if decoded.subject != entity:
            yield KeystoreFinding(what, f"the certificate is for {decoded.subject}")
        if not decoded.may_agree_keys:
            yield KeystoreFinding(what, f"key usage {decoded.key_usage:02x} does not allow key agreement")
        if curve.multiply(held.private_key, curve.generator) != public:
            yield KeystoreFinding(what, "the private key does not fit the certificate")


def _tls_findings(path: Path) -> Iterator[KeystoreFinding]:
    if not (path / tls_credentials.FOLDER).is_dir():
        return
    for who in (None, *tls_credentials.hubs_of(path)):
        try:
            found = tls_credentials.tls_credentials(path, who)
            if who is None:
                found.server_context()
            else:
                found.client_context()
        except CommsHubError as problem:
            yield KeystoreFinding(f"SM WAN TLS of {who or 'the server'}", str(problem))


def _permission_findings(path: Path) -> Iterator[KeystoreFinding]:
    for folder in (path, path / tls_credentials.FOLDER):
        if not folder.is_dir():
            continue
        yield from _open_to_others(folder)
        for file in sorted(folder.iterdir()):
            if file.suffix == ".key" or (file.suffix == ".json" and files.is_keystore_file(file)):
                yield from _open_to_others(file)


def _open_to_others(path: Path) -> Iterator[KeystoreFinding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        wanted = files.DIRECTORY_MODE if path.is_dir() else files.FILE_MODE
        yield KeystoreFinding(str(path), f"mode {mode:04o} lets others in: chmod {wanted:o}")
