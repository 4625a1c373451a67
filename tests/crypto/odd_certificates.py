"""Certificates with one thing odd, written octet by octet, because no library makes them (reference smki-profiles, its 40 cases)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SHA256, SHA384 = "06082a8648ce3d040302", "06082a8648ce3d040303"
ORGANISATION_POLICY, DEVICE_POLICY = "060d2a863a0001848fb90f01020104", "060c2a863a0001edee4001020104"
KEY = ec.derive_private_key(7, ec.SECP256R1())
ISSUER = ec.derive_private_key(9, ec.SECP256R1())
EUI = bytes.fromhex("90b3d51f30010000")
METER = bytes.fromhex("00db1234567890a0")


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def number(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def name(*attributes: tuple[str, int, bytes]) -> bytes:
    return sequence(*(tlv(0x31, sequence(bytes.fromhex(kind), tlv(tag, octets))) for kind, tag, octets in attributes))


CN, OU, UNIQUE_ID = "0603550403", "060355040b", "060355042d"


def subject(unit: bytes = b"02", identifier: bytes = b"\x00" + EUI) -> bytes:
    return name((OU, 0x0C, unit), (UNIQUE_ID, 0x03, identifier))


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return sequence(tlv(0x06, bytes.fromhex(kind)), tlv(0x01, b"\xff") if critical else b"", tlv(0x04, value))


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def key_id(point: bytes) -> bytes:
    digest = hashlib.sha1(point, usedforsecurity=False).digest()[-8:]
    return bytes([0x40 | digest[0] & 0x0F]) + digest[1:]


def public_key(point: bytes, parameters: str = "06082a8648ce3d030107") -> bytes:
    return sequence(sequence(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex(parameters)), tlv(0x03, b"\x00" + point))


POINT = point_of(KEY)
SIGN, AGREE, AUTHORITY = bytes.fromhex("03020780"), bytes.fromhex("03020308"), bytes.fromhex("03020106")
ISSUER_NAME = name((OU, 0x13, b"07"), (CN, 0x13, b"Z1"))


def utc(text: str) -> bytes:
    return tlv(0x17, text.encode())


def general(text: str) -> bytes:
    return tlv(0x18, text.encode())


@dataclass
class Odd:
    """A certificate's fields as octets; the defaults are a plain supplier's signature certificate."""

    serial: bytes = bytes.fromhex("4bd67f5a7c24e1f0aa01020304050607")
    algorithm: str = SHA256
    parameters: bytes = b""
    issuer: bytes = ISSUER_NAME
    validity: bytes = sequence(utc("200101000000Z"), utc("300101000000Z"))
    subject: bytes = field(default_factory=subject)
    key: bytes = field(default_factory=lambda: public_key(POINT))
    usage: bytes | None = SIGN
    usage_critical: bool = True
    policy: str | None = ORGANISATION_POLICY
    policy_critical: bool = True
    identifier: bytes = key_id(POINT)
    authority: bytes | None = tlv(0x80, key_id(point_of(ISSUER)))
    more: bytes = b""
    wide_s: bool = False
    tail: bytes = b""

    def body(self) -> bytes:
        extensions = b"".join(
            (
                extension("551d0f", self.usage, critical=self.usage_critical) if self.usage is not None else b"",
                extension("551d20", sequence(sequence(bytes.fromhex(self.policy))), critical=self.policy_critical) if self.policy else b"",
                extension("551d0e", tlv(0x04, self.identifier)),
                extension("551d23", sequence(self.authority)) if self.authority is not None else b"",
                self.more,
            )
        )
        return sequence(
            bytes.fromhex("a003020102"),
            tlv(0x02, self.serial),
            self.identified(),
            self.issuer,
            self.validity,
            self.subject,
            self.key,
            tlv(0xA3, sequence(extensions)),
        )

    def identified(self) -> bytes:
        return sequence(bytes.fromhex(self.algorithm), self.parameters)

    def der(self, signer: ec.EllipticCurvePrivateKey = ISSUER) -> bytes:
        body = self.body()
        digest = hashes.SHA384() if self.algorithm == SHA384 else hashes.SHA256()
        r, s = decode_dss_signature(signer.sign(body, ec.ECDSA(digest)))
        wide = number(s)
        if self.wide_s:
            wide = tlv(0x02, b"\x00" + wide[2:])
        return sequence(body, self.identified(), tlv(0x03, b"\x00" + sequence(number(r), wide))) + self.tail


def hardware(eui: bytes = METER, *, critical: bool = True) -> bytes:
    inner = sequence(bytes.fromhex("060d2a863a0001848fb90f01020201"), tlv(0x04, eui))
    other = tlv(0xA0, bytes.fromhex("06082b06010505070804"), tlv(0xA0, inner))
    return extension("551d11", sequence(other), critical=critical)


def device(usage: bytes = SIGN, **odd: object) -> Odd:
    fields: dict[str, object] = {
        "issuer": name((CN, 0x13, b"E357")),
        "validity": sequence(utc("150101000000Z"), general("99991231235959Z")),
        "subject": name(),
        "usage": usage,
        "policy": DEVICE_POLICY,
        "more": hardware(),
    }
    return Odd(**{**fields, **odd})  # type: ignore[arg-type]


def authority(basic: bytes = bytes.fromhex("30060101ff020100"), **odd: object) -> Odd:
    fields: dict[str, object] = {
        "issuer": name((OU, 0x13, b"00"), (CN, 0x13, b"ZA")),
        "validity": sequence(utc("150101000000Z"), utc("400101000000Z")),
        "subject": ISSUER_NAME,
        "usage": AUTHORITY,
        "more": extension("551d13", basic, critical=True),
    }
    return Odd(**{**fields, **odd})  # type: ignore[arg-type]


ROOT_NAME = name((OU, 0x13, b"00"), (CN, 0x13, b"ZA"))
BASIC_CA = extension("551d13", bytes.fromhex("30060101ff020101"), critical=True)
APEX = extension("2b060105050701" + "14", sequence(sequence(bytes.fromhex("0603550403")), tlv(0x04, bytes(40))))


def other_keys() -> dict[str, bytes]:
    """SubjectPublicKeyInfo of keys that GBCS has no use for."""
    form = {"encoding": Encoding.DER, "format": PublicFormat.SubjectPublicKeyInfo}
    return {
        "P-384": ec.derive_private_key(7, ec.SECP384R1()).public_key().public_bytes(**form),
        "RSA": rsa.generate_private_key(65537, 2048).public_key().public_bytes(**form),
        "Ed25519": ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(**form),
    }
