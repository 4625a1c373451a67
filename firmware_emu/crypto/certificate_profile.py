"""The SMKI certificate profiles as a linter: one rule a clause, each with a severity and a source (reference smki-profiles).

:func:`lint` judges one certificate against the profile that the caller names; guessing it from the content would let a leaf that calls
itself an authority pass as one. Paths and cells are judged elsewhere (:func:`firmware_emu.crypto.certificates.check_path`, CS02b). Only
``error`` and ``fatal`` refuse. Times are no rule here but their form: whether a certificate is in date depends on when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto import certificate_facts
from firmware_emu.crypto.certificate_rules import RULES, CertificateProfile, CertificateRule, Severity
from firmware_emu.crypto.der import NotDer
from firmware_emu.errors import ProtectionError

__all__ = [
    "CertificateProfile",
    "CertificateRule",
    "Finding",
    "Severity",
    "check_certificate",
    "check_profile",
    "lint",
    "refusals",
    "rules",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a certificate breaks: ``problem`` says what was read and what was expected, ``clause`` where the rule is from."""

    rule: str
    severity: Severity
    problem: str
    clause: str

    def __str__(self) -> str:
        return f"{self.rule} {self.severity.value}: {self.problem} ({self.clause})"


def rules() -> tuple[CertificateRule, ...]:
    """The table, in the order in which it is asked."""
    return tuple(RULES)


@lru_cache(maxsize=4096)
def lint(octets: bytes, profile: CertificateProfile) -> tuple[Finding, ...]:
    """Every finding on one certificate in DER. Never raises: what cannot be read is one fatal finding."""
    try:
        facts = certificate_facts.read(octets)
    except NotDer as wrong:
        return (Finding("DER-01", Severity.FATAL, f"no certificate: {wrong}", "RFC 5280 4.1"),)
    found = []
    for rule in RULES:
        if profile in rule.profiles:
            try:
                problem = rule.check(facts)
            except NotDer as wrong:
                problem = f"cannot be read: {wrong}"
            if problem is not None:
                found.append(Finding(rule.id, rule.severity, problem, rule.clause))
    return tuple(found)


def refusals(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that refuse."""
    return tuple(one for one in findings if one.severity.refuses)


@lru_cache(maxsize=1024)
def check_certificate(certificate: x509.Certificate, profile: CertificateProfile) -> None:
    """As :func:`check_profile`, one that was read before: its octets are written once."""
    check_profile(certificate.public_bytes(Encoding.DER), profile)


@lru_cache(maxsize=1024)
def check_profile(octets: bytes, profile: CertificateProfile) -> None:
    """Raises ProtectionError with every finding that refuses. A certificate that passed is remembered: its octets stay what they are."""
    if found := refusals(lint(octets, profile)):
        raise ProtectionError(f"it is no {profile} certificate: " + "; ".join(f"{one.rule} {one.problem}" for one in found))
