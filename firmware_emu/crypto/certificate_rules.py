"""The rules of the SMKI certificate profiles, one a clause, each with a severity and a source (reference smki-profiles)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final

from firmware_emu.crypto import der
from firmware_emu.crypto.certificate_facts import AKI, BASIC, KEY_USAGE, OU, POLICIES, SAN, SKI, UNIQUE_ID, Extension, Facts
from firmware_emu.crypto.der import DerReader


class CertificateProfile(StrEnum):
    """Profile that a certificate is to follow. ``issuing`` and ``root`` are those of organisations."""

    ORGANISATION = "organisation"
    DEVICE = "device"
    ISSUING = "issuing"
    ROOT = "root"


class Severity(Enum):
    """Severity of a finding; ``ERROR`` and ``FATAL`` refuse."""

    NOTICE = "notice"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"

    @property
    def refuses(self) -> bool:
        return self in (Severity.ERROR, Severity.FATAL)


@dataclass(frozen=True, slots=True)
class CertificateRule:
    """One rule of the table. ``check`` gives the problem, None where the certificate keeps the rule."""

    id: str
    profiles: frozenset[CertificateProfile]
    severity: Severity
    clause: str
    check: Callable[[Facts], str | None]


ORGANISATION_POLICIES: Final = frozenset({"1.2.826.0.1.8641679.1.2.1.4"})
DEVICE_POLICIES: Final = frozenset({"1.2.826.0.1.1800000.1.2.1.4"})
"""The test environment's (reference smki-profiles 2); those of production are not established."""

_ALL: Final = frozenset(CertificateProfile)
_LEAF: Final = frozenset({CertificateProfile.ORGANISATION, CertificateProfile.DEVICE})
_CA: Final = frozenset({CertificateProfile.ISSUING, CertificateProfile.ROOT})
_ORG, _DEV = frozenset({CertificateProfile.ORGANISATION}), frozenset({CertificateProfile.DEVICE})
_ICA, _ROOT = frozenset({CertificateProfile.ISSUING}), frozenset({CertificateProfile.ROOT})
_GBCS: Final = "GBCS 12"
RULES: Final[list[CertificateRule]] = []
"""In the order in which they are asked."""

_ECDSA_SHA256, _EC_KEY = "1.2.840.10045.4.3.2", "1.2.840.10045.2.1"
_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_CN = "2.5.4.3"
_EKU, _NAMES, _APEX = "2.5.29.37", "2.5.29.30", "1.3.6.1.5.5.7.1.20"
_FOR_AUTHORITIES: Final = frozenset({"2.5.29.33", "2.5.29.36", "2.5.29.54"})
_KNOWN: Final = frozenset({KEY_USAGE, BASIC, POLICIES, SKI, AKI, SAN, _EKU, _NAMES, _APEX}) | _FOR_AUTHORITIES
_MODULE_TYPE: Final = bytes.fromhex("060d2a863a0001848fb90f01020201")
_TIME_LENGTHS: Final = {der.UTC_TIME: 13, der.GENERALIZED_TIME: 15}
_NO_END: Final = (der.GENERALIZED_TIME, "99991231235959Z")
_PRIME: Final = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SIGNATURE, _AGREEMENT, _CERT_SIGN, _CRL_SIGN = 0x80, 0x08, 0x04, 0x02
_ROLES: Final = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7F, 0x87, 0x89})
_ARTEFACT_OUS: Final = frozenset({b"08", b"87", b"89", b"137"})
_OTHER_USER: Final = b"7F"


def _rule(
    number: str, profiles: frozenset[CertificateProfile], severity: Severity, clause: str
) -> Callable[[Callable[[Facts], str | None]], None]:
    def add(check: Callable[[Facts], str | None]) -> None:
        RULES.append(CertificateRule(number, profiles, severity, clause, check))

    return add


def _must(
    number: str, profiles: frozenset[CertificateProfile], severity: Severity, clause: str, holds: Callable[[Facts], bool], problem: str
) -> None:
    RULES.append(CertificateRule(number, profiles, severity, clause, lambda facts: None if holds(facts) else problem))


def _artefact(facts: Facts) -> bool:
    """One of the seven published test certificates of 2018 to 2118 without an authority key identifier."""
    return facts.ou() in _ARTEFACT_OUS and facts.not_before[1].startswith("18") and facts.not_after[1].startswith("2118")


_E, _W, _N, _F = Severity.ERROR, Severity.WARN, Severity.NOTICE, Severity.FATAL
_RFC: Final = "RFC 5280 4.1.2"

# Encoding and fields


@_rule("DER-02", _ALL, _E, "X.690 10.1, 11.1")
def _(facts: Facts) -> str | None:
    return "; ".join(facts.loose) or None


@_rule("DER-03", _ALL, _E, "X.690 11.5")
def _(facts: Facts) -> str | None:
    return "a default written out: critical FALSE" if any(one.explicit_false for one in facts.extensions) else None


@_rule("DER-07", _ALL, _E, "X.690 11.2")
def _(facts: Facts) -> str | None:
    found = facts.extension(KEY_USAGE)
    if found is None:
        return None
    content = DerReader().only(found.value).content
    if not content or content[0] > 7 or content[-1] & ((1 << content[0]) - 1) or not content[-1] >> content[0] & 1:
        return f"key usage {found.value.hex()} has trailing zero bits or a wrong count of unused bits"
    return None


@_rule("DER-08", _ALL, _E, "RFC 5280 4.1.2.5")
def _(facts: Facts) -> str | None:
    for tag, text in (facts.not_before, facts.not_after):
        if len(text) != _TIME_LENGTHS.get(tag) or not text.endswith("Z") or not text[:-1].isdecimal():
            return f"time {text!r}, expected digits to the second and Z"
        try:
            datetime.strptime(text[-11:-1], "%m%d%H%M%S").replace(year=_year((tag, text)))
        except ValueError:
            return f"time {text!r}, which no calendar has"
    return None


_must("DER-11", _ALL, _W, "own limit", lambda f: len(f.octets) <= 600, "over 600 octets; published ones have 387 to 433")
_must("FLD-01", _ALL, _E, _RFC + ".1", lambda f: f.version == 2, "not version 3")
_must(
    "FLD-02",
    _ALL,
    _E,
    _RFC + ".2",
    lambda f: bool(f.serial) and f.serial[0] < 0x80 and any(f.serial),
    "a serial number that is not positive",
)
_must("FLD-03", _ALL, _E, _RFC + ".2", lambda f: len(f.serial) <= 20, "a serial number of more than 20 octets")
_must("FLD-04", _ALL, _W, "published certificates", lambda f: 15 <= len(f.serial) <= 16, "a serial number that has not 16 octets")
_must("FLD-06", _ALL, _E, "RFC 5280 4.1.1.2", lambda f: f.inner_algorithm == f.outer_algorithm, "two different signature algorithms")
_must("FLD-07", _ALL, _E, _RFC + ".8", lambda f: not f.unique_ids, "a unique identifier of issuer or subject")
_must("ALG-01", _ALL, _E, _GBCS, lambda f: f.algorithm == _ECDSA_SHA256, "not signed by ECDSA with SHA-256")
_must(
    "ALG-02",
    _ALL,
    _E,
    "RFC 5758 3.2",
    lambda f: not f.algorithm_parameters or f.ou() == _OTHER_USER,
    "parameters of the signature algorithm",
)
_must(
    "ALG-03",
    _ORG,
    _W,
    "RFC 5758 3.2",
    lambda f: not f.algorithm_parameters or f.ou() != _OTHER_USER,
    "parameters of the signature algorithm",
)
_must("SIG-05", _ALL, _E, "RFC 5280 4.1.1.3", lambda f: f.signature_unused_bits == 0, "unused bits in the signature")


@_rule("SIG-01", _ALL - _DEV, _E, "RFC 3279 2.2.3")
def _(facts: Facts) -> str | None:
    return _loose_signature(facts)


@_rule("SIG-02", _DEV, _W, "RFC 3279 2.2.3; two published certificates")
def _(facts: Facts) -> str | None:
    return _loose_signature(facts)


def _loose_signature(facts: Facts) -> str | None:
    if facts.algorithm != _ECDSA_SHA256:
        return None
    return None if all(map(der.minimal_integer, facts.signature_numbers())) else "a number of the signature with a needless leading octet"


@_rule("SIG-03", _ALL, _E, "SEC 1 4.1.4")
def _(facts: Facts) -> str | None:
    if facts.algorithm != _ECDSA_SHA256:
        return None
    inside = all(0 < int.from_bytes(one, "big", signed=True) < _ORDER for one in facts.signature_numbers())
    return None if inside else "a number of the signature outside 1 to the order of the curve"


# The public key


def _on_p256(facts: Facts) -> bool:
    return facts.key_algorithm == _EC_KEY and facts.key_parameters == _P256


_must("KEY-01", _ALL, _E, _GBCS, lambda f: f.key_algorithm == _EC_KEY, "a key that is not an elliptic curve's")
_must(
    "KEY-02", _ALL, _E, _GBCS, lambda f: f.key_algorithm != _EC_KEY or f.key_parameters == _P256, "a curve that is not NIST P-256 by name"
)
_must("KEY-06", _ALL, _E, "RFC 5480 2.2", lambda f: f.key_unused_bits == 0, "unused bits in the public key")


@_rule("KEY-03", _ALL, _E, _GBCS)
def _(facts: Facts) -> str | None:
    if not _on_p256(facts) or (len(facts.point) == 65 and facts.point[0] == 4):
        return None
    return f"a point of {len(facts.point)} octets that begins with {facts.point[:1].hex()}, expected 65 and 04"


@_rule("KEY-04", _ALL, _E, "SEC 1 3.2.2")
def _(facts: Facts) -> str | None:
    if not _on_p256(facts) or len(facts.point) != 65 or facts.point[0] != 4:
        return None
    x, y = int.from_bytes(facts.point[1:33], "big"), int.from_bytes(facts.point[33:], "big")
    on_curve = x < _PRIME and y < _PRIME and (y * y - (x * x * x - 3 * x + _B)) % _PRIME == 0
    return None if on_curve else "a point that is not on the curve"


# Extensions


@_rule("EXT-01", _ALL, _E, "RFC 5280 4.2")
def _(facts: Facts) -> str | None:
    numbers = [one.oid for one in facts.extensions]
    if not numbers:
        return "no extensions"
    return None if len(set(numbers)) == len(numbers) else "an extension twice"


@_rule("EXT-02", _ALL, _E, "RFC 5280 4.2")
def _(facts: Facts) -> str | None:
    unknown = [one.oid for one in facts.extensions if one.critical and one.oid not in _KNOWN]
    return f"critical extension {unknown[0]}, which is not known" if unknown else None


_must("EXT-03", _LEAF | _ICA, _E, "profile; RFC 5280 4.2.1.12", lambda f: not f.critical(_EKU), "a critical extended key usage")
_must(
    "EXT-04", _LEAF | _ICA, _W, "published certificates", lambda f: f.extension(_EKU) is None or f.critical(_EKU), "an extended key usage"
)
_must("EXT-05", _LEAF, _E, "RFC 5280 4.2.1.10", lambda f: f.extension(_NAMES) is None, "name constraints, which are for authorities")
_must("EXT-06", _ICA, _E, "RFC 5280 4.2.1.10", lambda f: f.extension(_NAMES) is None, "name constraints, which are not processed here")
_must(
    "EXT-07",
    _LEAF,
    _E,
    "RFC 5280 4.2.1",
    lambda f: not any(one.oid in _FOR_AUTHORITIES for one in f.extensions),
    "policy rules for authorities",
)
_must(
    "EXT-08",
    _ICA,
    _E,
    "RFC 5280 6.1.4",
    lambda f: not any(one.oid in _FOR_AUTHORITIES and one.critical for one in f.extensions),
    "critical policy rules, which are not processed here",
)
_must(
    "EXT-09",
    _ALL,
    _W,
    "published certificates",
    lambda f: all(one.oid in _KNOWN or one.critical for one in f.extensions),
    "an extra extension",
)
_must("KU-01", _ALL, _E, _GBCS, lambda f: f.extension(KEY_USAGE) is not None, "no key usage")
_must("KU-02", _ALL, _E, _GBCS, lambda f: f.extension(KEY_USAGE) is None or f.critical(KEY_USAGE), "key usage that is not critical")
_must("KU-03", _DEV, _E, _GBCS, lambda f: f.usage() in (None, _SIGNATURE, _AGREEMENT), "not one of digital signature and key agreement")
_must(
    "KU-04",
    _ORG,
    _E,
    "SEC App. M app. F",
    lambda f: f.usage() in (None, _SIGNATURE, _AGREEMENT),
    "not one of digital signature and key agreement",
)
_must("KU-05", _CA, _E, "RFC 5280 4.2.1.3", lambda f: bool((f.usage() or 0) & _CERT_SIGN), "no certificate signing")
_must(
    "KU-06",
    _CA,
    _W,
    "published certificate",
    lambda f: f.usage() in (None, _CERT_SIGN | _CRL_SIGN),
    "other uses than signing certificates and lists",
)
_must(
    "KU-07",
    _ALL,
    _E,
    "RFC 5280 4.2.1.9",
    lambda f: not (f.usage() or 0) & _CERT_SIGN or (f.basic() or (False, None))[0],
    "signs certificates, is no authority",
)
_must("KU-08", _ALL, _E, "RFC 8813", lambda f: not (f.usage() or 0) & 0x30, "encipherment by an elliptic curve key")
_must("BC-01", _LEAF, _E, "RFC 5280 4.2.1.9", lambda f: not (f.basic() or (False, None))[0], "calls itself an authority")
_must("BC-02", _ORG, _N, "RFC 5280 4.2.1.9", lambda f: f.basic() is None, "basic constraints")
_must("BC-03", _DEV, _W, "published certificates", lambda f: f.basic() is None, "basic constraints")
_must("BC-04", _LEAF, _E, "RFC 5280 4.2.1.9", lambda f: (f.basic() or (False, None))[1] is None, "a path length")
_must(
    "BC-05",
    _CA,
    _E,
    "RFC 5280 4.2.1.9",
    lambda f: (f.basic() or (False, None))[0] and f.critical(BASIC),
    "no critical word that it is an authority",
)
_must("BC-06", _ICA, _W, "published certificate", lambda f: (f.basic() or (False, 0))[1] == 0, "a path length other than 0")
_must(
    "POL-01",
    _LEAF | _ICA,
    _E,
    _GBCS,
    lambda f: bool(f.policy_ids()[0]) and len(set(f.policy_ids()[0])) == len(f.policy_ids()[0]),
    "no policy, or one twice",
)
_must("POL-02", _ORG | _ICA, _E, _GBCS, lambda f: f.extension(POLICIES) is None or f.critical(POLICIES), "policies that are not critical")
_must(
    "POL-03",
    _DEV,
    _W,
    _GBCS + "; a published certificate",
    lambda f: f.extension(POLICIES) is None or f.critical(POLICIES),
    "policies that are not critical",
)
_must("POL-04", _DEV, _E, _GBCS, lambda f: len(f.policy_ids()[0]) < 2, "more than one policy")
_must("POL-05", _ORG | _ICA, _W, "published certificates", lambda f: len(f.policy_ids()[0]) < 2, "more than one policy")
_must(
    "POL-06",
    _ORG | _ICA,
    _E,
    "RFC 5280 6.1.1 c",
    lambda f: not set(f.policy_ids()[0]) or bool(ORGANISATION_POLICIES & set(f.policy_ids()[0])),
    "the policy of another environment",
)
_must(
    "POL-07",
    _DEV,
    _W,
    _GBCS,
    lambda f: not set(f.policy_ids()[0]) or bool(DEVICE_POLICIES & set(f.policy_ids()[0])),
    "the policy of another environment",
)
_must("POL-08", _LEAF | _ICA, _E, "profile", lambda f: "2.5.29.32.0" not in f.policy_ids()[0], "any policy")
_must("POL-10", _ALL, _W, "RFC 5280 4.2.1.4", lambda f: not f.policy_ids()[1], "a policy with a qualifier")
_must("KID-01", _ALL, _E, _GBCS, lambda f: f.extension(SKI) is not None, "no subject key identifier")
_must("KID-02", _ALL, _E, _GBCS, lambda f: not f.critical(SKI), "a critical subject key identifier")
_must("KID-03", _ALL, _E, _GBCS, lambda f: len(f.key_id() or bytes(8)) == 8, "a subject key identifier that has not 8 octets")


@_rule("KID-04", _ALL, _E, _GBCS)
def _(facts: Facts) -> str | None:
    stated = facts.key_id()
    digest = hashlib.sha1(facts.point, usedforsecurity=False).digest()[-8:]
    made = bytes([0x40 | digest[0] & 0x0F]) + digest[1:]
    return None if stated in (None, made) else f"subject key identifier {(stated or b'').hex()}, expected {made.hex()} (method 2)"


_must("KID-05", _LEAF | _ICA, _E, _GBCS, lambda f: f.extension(AKI) is not None or _artefact(f), "no authority key identifier")
_must(
    "KID-06",
    _ORG,
    _W,
    "seven published test certificates",
    lambda f: f.extension(AKI) is not None or not _artefact(f),
    "no authority key identifier",
)
_must("KID-07", _ALL, _E, _GBCS, lambda f: not f.critical(AKI), "a critical authority key identifier")
_must(
    "KID-08",
    _ALL,
    _E,
    _GBCS,
    lambda f: [one.tag for one in f.authority_parts() or ()] in ([], [0x80]),
    "more in the authority key identifier than the identifier",
)
_must(
    "KID-09",
    _ALL,
    _E,
    _GBCS,
    lambda f: all(len(one.content) == 8 for one in f.authority_parts() or () if one.tag == 0x80),
    "an authority key identifier that has not 8 octets",
)

# Names

_must("NAM-01", _ALL, _E, _RFC + ".4", lambda f: bool(f.issuer), "no issuer")
_must(
    "NAM-02",
    _ALL,
    _E,
    _RFC + ".4",
    lambda f: all(tag in (der.UTF8, der.PRINTABLE) for kind, tag, _ in (*f.issuer, *f.subject) if kind != UNIQUE_ID),
    "a name in another kind of string than UTF8String and PrintableString",
)


@_rule("NAM-04", _ALL, _E, "X.690 8.23; RFC 5280 4.1.2.4")
def _(facts: Facts) -> str | None:
    try:
        for _kind, tag, octets in (*facts.issuer, *facts.subject):
            if tag in (der.UTF8, der.PRINTABLE):
                octets.decode("utf-8" if tag == der.UTF8 else "ascii")
    except UnicodeDecodeError:
        return "a name whose octets are no characters"
    return None


_must("NAM-03", _ALL, _W, "published certificates", lambda f: not f.multi_valued, "several attributes in one part of a name")
_must("ORG-01", _ORG, _E, "SEC App. M app. F", lambda f: len(f.values(OU)) == 1, "not one organisational unit")


def _two_digits(unit: bytes) -> bool:
    return len(unit) == 2 and all(digit in b"0123456789abcdefABCDEF" for digit in unit)


_must(
    "ORG-02",
    _ORG,
    _E,
    "SEC App. M app. F",
    lambda f: len(f.values(OU)) != 1 or _two_digits(f.ou()) or f.ou() == b"137",
    "an organisational unit that is not two hexadecimal digits",
)
_must("ORG-03", _ORG, _W, "a published certificate", lambda f: f.ou() != b"137", "the role 137 in decimal digits")
_must("ORG-04", _ORG, _W, "published certificates", lambda f: f.ou() == f.ou().upper(), "a role in lower case")
_must(
    "ORG-05",
    _ORG,
    _W,
    "reference smki-profiles 3",
    lambda f: not _two_digits(f.ou()) or int(f.ou(), 16) in _ROLES,
    "a role that no table names",
)
_must(
    "ORG-06",
    _ORG,
    _E,
    "SEC App. M app. F",
    lambda f: [(tag, octets[:1], len(octets)) for tag, octets in f.values(UNIQUE_ID)] == [(der.BIT_STRING, b"\x00", 9)],
    "not one uniqueIdentifier of 64 bits, the EUI-64",
)
_must(
    "ORG-08",
    _ORG,
    _W,
    "SEC App. M app. F",
    lambda f: {kind for kind, _, _ in f.subject} <= {_CN, OU, UNIQUE_ID},
    "another attribute in the subject",
)
_must(
    "ORG-10",
    _ORG,
    _W,
    "published certificates",
    lambda f: {kind for kind, _, _ in f.issuer} == {OU, _CN},
    "an issuer that is not OU and CN",
)
_must("ORG-11", _ORG, _W, "published certificates", lambda f: _years(f) == 10, "a validity that is not ten years")
_must("ORG-13", _ORG, _W, "published certificates", lambda f: f.extension(SAN) is None, "an alternative name")
_must(
    "XML-01",
    _ORG,
    _E,
    "published certificates",
    lambda f: f.ou() not in (b"87", b"89") or f.usage() in (None, _SIGNATURE),
    "signs XML and is not for signatures alone",
)


def _years(facts: Facts) -> int:
    """Whole years between the two times."""
    return _year(facts.not_after) - _year(facts.not_before)


def _year(time: tuple[int, str]) -> int:
    tag, text = time
    if not text[:4].isdecimal():
        return 0
    return int(text[:4]) if tag == der.GENERALIZED_TIME else 2000 + int(text[:2]) - (100 if text[:2] >= "50" else 0)


_must("DEV-01", _DEV, _E, _GBCS, lambda f: not f.subject, "a subject that is not empty")
_must("DEV-02", _DEV, _E, _GBCS, lambda f: f.not_after == _NO_END, "an end other than 99991231235959Z")
_must("DEV-03", _DEV, _W, "published certificates", lambda f: [kind for kind, _, _ in f.issuer] == [_CN], "an issuer that is not CN alone")
_must("SAN-01", _DEV, _E, _GBCS, lambda f: f.extension(SAN) is not None, "no alternative name")
_must("SAN-02", _DEV, _E, _GBCS, lambda f: f.extension(SAN) is None or f.critical(SAN), "an alternative name that is not critical")
_must(
    "SAN-03", _DEV, _E, _GBCS, lambda f: f.extension(SAN) is None or [one.tag for one in f.module_names()] == [0xA0], "not one other name"
)


@_rule("SAN-05", _DEV, _E, _GBCS)
def _(facts: Facts) -> str | None:
    if facts.extension(SAN) is None:
        return None
    serial = facts.hardware_serial()[1]
    return None if len(serial) == 8 else f"a hardware serial number of {len(serial)} octets, expected the 8 of an EUI-64"


@_rule("SAN-06", _DEV, _W, "published certificates")
def _(facts: Facts) -> str | None:
    if facts.extension(SAN) is None:
        return None
    return None if facts.hardware_serial()[0] == _MODULE_TYPE else "another hardware type than that of the published certificates"


_must("EUI-01", _LEAF, _E, "IEEE EUI-64", lambda f: f.entity() not in (bytes(8), b"\xff" * 8), "an EUI-64 of all zeros or all ones")
_must("EUI-02", _LEAF, _W, "IEEE EUI-64", lambda f: not f.entity()[:1] or not f.entity()[0] & 1, "the EUI-64 of a group")
_must("VAL-01", _ALL, _E, _RFC + ".5", lambda f: _moment(f.not_before) <= _moment(f.not_after), "ends before it begins")
_must(
    "VAL-02",
    _ALL,
    _E,
    _RFC + ".5",
    lambda f: all((tag == der.UTC_TIME) == (_year((tag, text)) < 2050) for tag, text in (f.not_before, f.not_after)),
    "a time in the form of the other half of the century",
)


def _moment(time: tuple[int, str]) -> str:
    return f"{_year(time):04d}{time[1][2:] if time[0] == der.UTC_TIME else time[1][4:]}"


_must("ICA-01", _ICA, _W, _GBCS, lambda f: f.ou() == b"07" and not f.values(UNIQUE_ID), "a subject that is not OU 07 and CN")
_must("ICA-02", _CA, _E, _RFC + ".6", lambda f: bool(f.subject), "no subject")
_must(
    "ROOT-01",
    _ROOT,
    _E,
    "RFC 5280 6.1",
    lambda f: [(k, o) for k, _, o in f.issuer] == [(k, o) for k, _, o in f.subject],
    "not issued by itself",
)
_must("ROOT-02", _ROOT, _E, _GBCS, lambda f: f.ou() == b"00", "an organisational unit other than 00")
_must("ROOT-03", _ROOT, _W, "reference smki-profiles 2", lambda f: not f.values(UNIQUE_ID), "a uniqueIdentifier")
_must("ROOT-04", _ROOT, _W, "SEC L10.30; RFC 5934", lambda f: f.extension(_APEX) is not None, "no wrapped contingency key")
_must("ROOT-05", _ROOT, _E, "RFC 5934 app. A", lambda f: not f.critical(_APEX), "a critical wrapped contingency key")


@_rule("ROOT-07", _ROOT, _W, _GBCS)
def _(facts: Facts) -> str | None:
    found: Extension | None = facts.extension(POLICIES)
    return None if found is not None and found.critical else "no critical policies"
