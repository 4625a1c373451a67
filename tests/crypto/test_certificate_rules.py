"""Each rule of the certificate profiles at, below and above its limit: a certificate breaks the rules named and no other.

The limits are those of the clause that a rule names (``chub pki lint`` tells it); certificates are written octet by octet.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.crypto.certificate_facts import read
from firmware_emu.crypto.certificate_profile import CertificateProfile, Severity, lint
from firmware_emu.crypto.der import DerReader, NotDer, Value, minimal_integer, oid
from tests.crypto.odd_certificates import (
    AGREE,
    APEX,
    AUTHORITY,
    BASIC_CA,
    CN,
    DEVICE_POLICY,
    EUI,
    ISSUER_NAME,
    METER,
    ORGANISATION_POLICY,
    OU,
    POINT,
    ROOT_NAME,
    SHA384,
    SIGN,
    UNIQUE_ID,
    Odd,
    authority,
    device,
    extension,
    general,
    hardware,
    key_id,
    name,
    number,
    other_keys,
    public_key,
    sequence,
    subject,
    tlv,
    utc,
)

ORG, DEV, ICA, ROOT = CertificateProfile.ORGANISATION, CertificateProfile.DEVICE, CertificateProfile.ISSUING, CertificateProfile.ROOT
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256: FIPS 186-4 D.1.2.3."""
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
TEN = sequence(utc("200101000000Z"), utc("300101000000Z"))


def years(first: bytes, last: bytes) -> Odd:
    return Odd(validity=sequence(first, last))


def without_authority(role: bytes, begins: str, ends: str) -> Odd:
    """An organisation's certificate without the authority's key identifier, as one of a root is."""
    return Odd(subject=subject(role), authority=None, validity=sequence(utc(begins), general(ends)))


def root(**odd: object) -> Odd:
    fields: dict[str, object] = {"issuer": ROOT_NAME, "subject": ROOT_NAME, "authority": None, "more": BASIC_CA + APEX, **odd}
    return authority(**fields)  # type: ignore[arg-type]


def signed(*numbers: bytes) -> bytes:
    """A certificate whose signature is of these integers."""
    made = Odd()
    return sequence(made.body(), made.identified(), tlv(0x03, b"\x00" + sequence(*numbers)))


def with_point(point: bytes) -> Odd:
    return Odd(key=public_key(point), identifier=key_id(point))


def y_of(x: int) -> int:
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    return pow((x**3 - 3 * x + b) % PRIME, (PRIME + 1) // 4, PRIME)


def at(x: int, y: int) -> bytes:
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def changed(made: Odd, old: bytes, new: bytes) -> bytes:
    octets = made.der()
    assert old in octets
    return octets.replace(old, new, 1)


def padded(octets: int) -> bytes:
    """A certificate of so many octets: an unknown extension fills it up."""
    for size in range(300):
        made = replace(Odd(), more=extension("2a0304", bytes(size))).body()
        whole = sequence(made, Odd().identified(), tlv(0x03, b"\x00" + sequence(number(1 << 240), number(1 << 240))))
        if len(whole) == octets:
            return whole
    raise AssertionError(octets)


NOT_CRITICAL = extension("2a0304", b"\x05\x00")
EKU = extension("551d25", sequence(bytes.fromhex("06082b06010505070302")))
EKU_CRITICAL = extension("551d25", sequence(bytes.fromhex("06082b06010505070302")), critical=True)


def policies(*each: bytes, critical: bool = True) -> bytes:
    return extension("551d20", sequence(*each), critical=critical)


POLICY_O, POLICY_D, POLICY_X, ANY = (
    sequence(bytes.fromhex(one)) for one in (ORGANISATION_POLICY, DEVICE_POLICY, "06032a0304", "0604551d2000")
)
QUALIFIED = sequence(bytes.fromhex(ORGANISATION_POLICY), sequence(sequence(bytes.fromhex("06082b06010505070201"), tlv(0x16, b"x"))))


def with_empty(kind: str, value: bytes = b"\x30\x00", *, critical: bool = False) -> bytes:
    return extension(kind, value, critical=critical)


CASES: list[tuple[CertificateProfile, Odd | bytes, str]] = [
    # encoding
    (ORG, padded(600), "EXT-09"),
    (ORG, padded(601), "DER-11 EXT-09"),
    (ORG, changed(Odd(), bytes.fromhex("a003020102"), bytes.fromhex("a003020101")), "FLD-01"),
    (ORG, changed(Odd(), bytes.fromhex("a003020102"), bytes.fromhex("a003020103")), "FLD-01"),
    (ORG, Odd(usage=bytes.fromhex("0303078000")), "DER-07 KU-04"),
    (ORG, Odd(usage=bytes.fromhex("03020680")), "DER-07"),
    (ORG, Odd(usage=bytes.fromhex("03020880")), "DER-07"),
    (ORG, Odd(usage=bytes.fromhex("03020788")), "DER-07 KU-04"),
    (ORG, Odd(usage=bytes.fromhex("03020700")), "DER-07 KU-04"),
    (ORG, Odd(usage=bytes.fromhex("030100")), "DER-07 KU-04 KU-07 KU-08"),
    (ORG, years(utc("200101000000Z"), utc("300101000000")), "DER-08"),
    (ORG, years(utc("200101000000Z"), utc("3001010000Z")), "DER-08"),
    (ORG, years(utc("200101000000Z"), utc("30010100000xZ")), "DER-08"),
    (ORG, years(utc("200101000000Z"), utc("300230000000Z")), "DER-08"),
    (ORG, years(utc("200229000000Z"), utc("300101000000Z")), "DER-08"),
    (ORG, years(utc("210229000000Z"), utc("310101000000Z")), "DER-08"),
    (ORG, years(utc("200101000000Z"), tlv(0x16, b"300101000000Z")), "DER-08 VAL-02"),
    # serial number
    (ORG, Odd(serial=b"\x7f" + bytes(15)), ""),
    (ORG, Odd(serial=bytes(16)), "FLD-02"),
    (ORG, Odd(serial=b""), "FLD-02 FLD-04"),
    (ORG, Odd(serial=b"\x01" * 14), "FLD-04"),
    (ORG, Odd(serial=b"\x01" * 15), ""),
    (ORG, Odd(serial=b"\x01" * 17), "FLD-04"),
    (ORG, Odd(serial=b"\x01" * 20), "FLD-04"),
    (ORG, Odd(serial=b"\x01" * 21), "FLD-03 FLD-04"),
    # algorithms and signature
    (ORG, Odd(parameters=b"\x05\x00"), "ALG-02"),
    (ORG, Odd(subject=subject(b"7F"), parameters=b"\x05\x00"), "ALG-03"),
    (DEV, device(parameters=b"\x05\x00"), "ALG-02"),
    (ORG, signed(number(1), number(ORDER - 1)), ""),
    (ORG, signed(number(0), number(1)), "SIG-03"),
    (ORG, signed(number(1), number(ORDER)), "SIG-03"),
    (ORG, signed(number(1), tlv(2, b"\x80")), "SIG-03"),
    (ORG, signed(tlv(2, b"\x00\x01"), number(1)), "SIG-01"),
    (ORG, signed(tlv(2, b"\x00\x80"), number(1)), ""),
    (ORG, signed(tlv(2, b"\xff\x80"), number(1)), "SIG-01 SIG-03"),
    (ORG, signed(tlv(2, b"\xff\x7f"), number(1)), "SIG-03"),
    (ORG, signed(number(1)), "SIG-01 SIG-03"),
    (ORG, signed(number(1), tlv(4, b"\x01")), "SIG-01 SIG-03"),
    (ORG, signed(number(1), tlv(2, b"")), "SIG-01 SIG-03"),
    # key
    (ORG, with_point(POINT + b"\x00"), "KEY-03"),
    (ORG, with_point(POINT[:-1]), "KEY-03"),
    (ORG, with_point(b"\x06" + POINT[1:]), "KEY-03"),
    (ORG, with_point(at(0, y_of(0))), ""),
    (ORG, with_point(at(PRIME, y_of(0))), "KEY-04"),
    (ORG, with_point(at(5, y_of(5))), ""),
    (ORG, with_point(at(5, PRIME - y_of(5))), ""),
    (ORG, with_point(at(5, y_of(5) + 1)), "KEY-04"),
    (ORG, changed(Odd(), b"\x00" + POINT, b"\x01" + POINT), "KEY-06"),
    (ORG, Odd(key=other_keys()["P-384"]), "KEY-02 KID-04"),
    (ORG, Odd(key=other_keys()["RSA"]), "DER-11 KEY-01 KID-04"),
    # extensions
    (ORG, Odd(usage=None, policy=None, authority=None), "KID-05 KU-01 POL-01"),
    (ORG, Odd(more=extension("551d0e", tlv(4, key_id(POINT)))), "EXT-01"),
    (ORG, Odd(more=NOT_CRITICAL), "EXT-09"),
    (ORG, Odd(more=extension("2a0304", b"\x05\x00", critical=True)), "EXT-02"),
    (ORG, Odd(more=EKU), "EXT-04"),
    (DEV, device(more=hardware() + EKU), "EXT-04"),
    (ICA, authority(more=extension("551d13", bytes.fromhex("30060101ff020100"), critical=True) + EKU), "EXT-04"),
    (ICA, authority(more=extension("551d13", bytes.fromhex("30060101ff020100"), critical=True) + EKU_CRITICAL), "EXT-03"),
    (ICA, authority(more=extension("551d13", bytes.fromhex("30060101ff020100"), critical=True) + with_empty("551d1e")), "EXT-06"),
    (ORG, Odd(more=with_empty("551d1e")), "EXT-05"),
    (ORG, Odd(more=with_empty("551d21")), "EXT-07"),
    (ORG, Odd(more=with_empty("551d24")), "EXT-07"),
    (ORG, Odd(more=with_empty("551d36")), "EXT-07"),
    (
        ICA,
        authority(more=extension("551d13", bytes.fromhex("30060101ff020100"), critical=True) + with_empty("551d24", critical=True)),
        "EXT-08",
    ),
    (ICA, authority(more=extension("551d13", bytes.fromhex("30060101ff020100"), critical=True) + with_empty("551d24", critical=False)), ""),
    (ORG, Odd(usage=None), "KU-01"),
    (DEV, device(usage_critical=False), "KU-02"),
    (ORG, Odd(usage=AGREE), ""),
    (ORG, Odd(usage=bytes.fromhex("03020640")), "KU-04"),
    (ORG, Odd(usage=bytes.fromhex("03020520")), "KU-04 KU-08"),
    (ORG, Odd(usage=bytes.fromhex("03020410")), "KU-04 KU-08"),
    (ORG, Odd(usage=bytes.fromhex("03020204")), "KU-04 KU-07"),
    (ORG, Odd(usage=bytes.fromhex("0303070080")), "KU-04"),
    (ORG, Odd(usage=bytes.fromhex("0303068041")), "DER-07 KU-04"),
    (DEV, device(bytes.fromhex("03020520")), "KU-03 KU-08"),
    (ICA, authority(usage=bytes.fromhex("03020204")), "KU-06"),
    (ICA, authority(usage=SIGN), "KU-05 KU-06"),
    (ICA, authority(usage=bytes.fromhex("03020186")), "KU-06"),
    (ICA, authority(usage=None), "KU-01 KU-05"),
    (ROOT, root(usage=SIGN), "KU-05 KU-06"),
    # basic constraints
    (ORG, Odd(more=with_empty("551d13")), "BC-02"),
    (DEV, device(more=hardware() + with_empty("551d13")), "BC-03"),
    (DEV, device(more=hardware() + with_empty("551d13", bytes.fromhex("3003020100"))), "BC-03 BC-04"),
    (ORG, Odd(more=with_empty("551d13", bytes.fromhex("3003010100"))), "BC-02"),
    (ICA, authority(more=with_empty("551d13", bytes.fromhex("30030101ff"), critical=True)), "BC-06"),
    (ICA, authority(bytes.fromhex("30060101ff020101")), "BC-06"),
    (ICA, authority(more=with_empty("551d13", bytes.fromhex("30060101ff020100"))), "BC-05"),
    (ICA, authority(more=b""), "BC-05 KU-07"),
    # policies
    (ORG, Odd(policy=None, more=policies(POLICY_O, POLICY_O)), "POL-01 POL-05"),
    (ORG, Odd(policy=None, more=policies(POLICY_O, POLICY_X)), "POL-05"),
    (ORG, Odd(policy=None, more=policies(POLICY_O, ANY)), "POL-05 POL-08"),
    (ORG, Odd(policy=None, more=policies(QUALIFIED)), "POL-10"),
    (ORG, Odd(policy_critical=False), "POL-02"),
    (ORG, Odd(policy=DEVICE_POLICY), "POL-06"),
    (DEV, device(policy=ORGANISATION_POLICY), "POL-07"),
    (DEV, device(policy=None), "POL-01"),
    (DEV, device(policy=None, more=hardware() + policies(POLICY_D, POLICY_X)), "POL-04"),
    (ICA, authority(policy=None), "POL-01"),
    (ICA, authority(policy="06032a0304"), "POL-06"),
    (ROOT, root(policy=None), "ROOT-07"),
    (ROOT, root(policy_critical=False), "ROOT-07"),
    (ORG, Odd(policy=None, more=policies(tlv(0x30))), "POL-01 POL-05 POL-06 POL-08 POL-10"),
    # key identifiers
    (ORG, Odd(identifier=key_id(POINT)[:7]), "KID-03 KID-04"),
    (ORG, Odd(identifier=bytes(8)), "KID-04"),
    (ORG, Odd(authority=None), "KID-05"),
    (ORG, Odd(subject=subject(b"87"), authority=None), "KID-05"),
    (ORG, without_authority(b"08", "180101000000Z", "21180101000000Z"), "KID-06 ORG-11"),
    (ORG, without_authority(b"89", "180101000000Z", "21180101000000Z"), "KID-06 ORG-11"),
    (ORG, without_authority(b"137", "180101000000Z", "21180101000000Z"), "KID-06 ORG-03 ORG-11"),
    (ORG, without_authority(b"02", "180101000000Z", "21180101000000Z"), "KID-05 ORG-11"),
    (ORG, without_authority(b"87", "180101000000Z", "21170101000000Z"), "KID-05 ORG-11"),
    (ORG, without_authority(b"87", "190101000000Z", "21180101000000Z"), "KID-05 ORG-11"),
    (ORG, Odd(authority=tlv(0x80, bytes(7))), "KID-09"),
    (ORG, Odd(authority=tlv(0x81, bytes(8))), "KID-08"),
    (ORG, Odd(authority=b""), ""),
    # names
    (ORG, Odd(issuer=name()), "NAM-01 ORG-10"),
    (ORG, Odd(issuer=name((OU, 0x14, b"07"), (CN, 0x13, b"Z1"))), "NAM-02"),
    (ORG, Odd(issuer=name((OU, 0x13, b"\xff7"), (CN, 0x13, b"Z1"))), "NAM-04"),
    (ORG, Odd(issuer=name((CN, 0x13, b"Z1"))), "ORG-10"),
    (ORG, Odd(issuer=sequence(tlv(0x31, name((OU, 0x13, b"07"))[4:], name((CN, 0x13, b"Z1"))[4:]))), "NAM-03"),
    (ORG, Odd(subject=subject(b"7f")), "ORG-04"),
    (ORG, Odd(subject=subject(b"0A")), "ORG-05"),
    (ORG, Odd(subject=subject(b"0G")), "ORG-02"),
    (ORG, Odd(subject=subject(b"137")), "ORG-03"),
    (ORG, Odd(subject=subject(b"002")), "ORG-02"),
    (ORG, Odd(subject=subject(b"00")), ""),
    (ORG, Odd(subject=subject(b"01")), ""),
    (ORG, Odd(subject=subject(b"03")), ""),
    (ORG, Odd(subject=subject(b"04")), ""),
    (ORG, Odd(subject=subject(b"05")), ""),
    (ORG, Odd(subject=subject(b"06")), ""),
    (ORG, Odd(subject=subject(b"07")), ""),
    (ORG, Odd(subject=subject(b"08")), ""),
    (ORG, Odd(subject=subject(b"7F")), ""),
    (ORG, Odd(subject=subject(b"87")), ""),
    (ORG, Odd(subject=subject(b"89")), ""),
    (ORG, Odd(subject=subject(b"09")), "ORG-05"),
    (ORG, Odd(subject=subject(b"7E")), "ORG-05"),
    (ORG, Odd(subject=subject(b"80")), "ORG-05"),
    (ORG, Odd(subject=subject(b"86")), "ORG-05"),
    (ORG, Odd(subject=subject(b"88")), "ORG-05"),
    (ORG, Odd(subject=subject(b"8A")), "ORG-05"),
    (ORG, Odd(subject=name((UNIQUE_ID, 3, b"\0" + EUI))), "ORG-01"),
    (ORG, Odd(subject=name((OU, 0x0C, b"02"))), "ORG-06"),
    (ORG, Odd(subject=subject(identifier=b"\x01" + EUI)), "ORG-06"),
    (ORG, Odd(subject=subject(identifier=b"\x00" + EUI + b"\1")), "ORG-06"),
    (ORG, Odd(subject=name((OU, 0x0C, b"02"), (UNIQUE_ID, 4, b"\0" + EUI))), "ORG-06"),
    (ORG, Odd(subject=name((CN, 0x0C, b"a"), (OU, 0x0C, b"02"), (UNIQUE_ID, 3, b"\0" + EUI))), ""),
    (ORG, Odd(subject=name(("0603550406", 0x13, b"GB"), (OU, 0x0C, b"02"), (UNIQUE_ID, 3, b"\0" + EUI))), "ORG-08"),
    (ORG, Odd(more=hardware()), "ORG-13"),
    (ORG, Odd(subject=subject(b"87"), usage=AGREE), "XML-01"),
    (ORG, Odd(subject=subject(b"89"), usage=AGREE), "XML-01"),
    (ORG, Odd(subject=subject(b"88"), usage=AGREE), "ORG-05"),
    (ORG, Odd(subject=subject(identifier=b"\x00\x01" + EUI[1:])), "EUI-02"),
    (ORG, Odd(subject=subject(identifier=b"\x00\x02" + EUI[1:])), ""),
    # validity
    (ORG, years(utc("200101000000Z"), utc("290101000000Z")), "ORG-11"),
    (ORG, years(utc("200101000000Z"), utc("310101000000Z")), "ORG-11"),
    (ORG, years(utc("200101000000Z"), utc("200101000000Z")), "ORG-11"),
    (ORG, years(utc("200101000001Z"), utc("200101000000Z")), "ORG-11 VAL-01"),
    (ORG, years(utc("400101000000Z"), general("20500101000000Z")), ""),
    (ORG, years(utc("390101000000Z"), general("20490101000000Z")), "VAL-02"),
    (ORG, years(utc("400101000000Z"), utc("500101000000Z")), "ORG-11 VAL-01"),
    (ORG, years(utc("390101000000Z"), utc("490101000000Z")), ""),
    (ORG, years(general("20500101000000Z"), general("20600101000000Z")), ""),
    # devices
    (DEV, device(issuer=ISSUER_NAME), "DEV-03"),
    (DEV, device(subject=subject(), more=hardware()), "DEV-01"),
    (DEV, device(more=b""), "SAN-01"),
    (DEV, device(more=hardware(critical=False)), "SAN-02"),
    (DEV, device(more=hardware(METER + b"\0")), "SAN-05"),
    (DEV, device(more=hardware(bytes(8))), "EUI-01"),
    (DEV, device(more=hardware(b"\x01" + METER[1:])), "EUI-02"),
    (DEV, device(more=hardware(b"")), "SAN-05"),
    (DEV, device(more=extension("551d11", sequence(tlv(0x82, b"meter")), critical=True)), "SAN-03 SAN-05 SAN-06"),
    (DEV, device(more=hardware().replace(bytes.fromhex("01020201"), bytes.fromhex("01020202"))), "SAN-06"),
    (DEV, device(validity=sequence(utc("150101000000Z"), general("99991231235958Z"))), "DEV-02"),
    # authorities
    (ICA, authority(subject=name((OU, 0x13, b"08"), (CN, 0x13, b"Z1"))), "ICA-01"),
    (ICA, authority(subject=name((OU, 0x13, b"07"), (UNIQUE_ID, 3, b"\0" + EUI))), "ICA-01"),
    (ICA, authority(subject=name()), "ICA-01 ICA-02"),
    (ICA, authority(authority=None), "KID-05"),
    (ICA, authority(policy_critical=False), "POL-02"),
    (ROOT, root(issuer=ISSUER_NAME), "ROOT-01"),
    (ROOT, root(issuer=ISSUER_NAME, subject=ISSUER_NAME), "ROOT-02"),
    (ROOT, root(issuer=(odd := name((OU, 0x13, b"00"), (UNIQUE_ID, 3, b"\0" + EUI))), subject=odd), "ROOT-03"),
    (ROOT, root(more=BASIC_CA), "ROOT-04"),
    (ROOT, root(more=BASIC_CA + extension("2b06010505070114", b"\x30\x00", critical=True)), "ROOT-05"),
]


@pytest.mark.parametrize(("profile", "made", "broken"), CASES)
def test_a_certificate_breaks_the_rules_named_and_no_other(profile: CertificateProfile, made: Odd | bytes, broken: str) -> None:
    octets = made if isinstance(made, bytes) else made.der()
    assert " ".join(sorted(one.rule for one in lint(octets, profile))) == broken


def body_with(*parts: bytes) -> bytes:
    """A certificate whose body is of these parts."""
    made = Odd()
    return sequence(sequence(*parts), made.identified(), tlv(0x03, b"\x00" + sequence(number(1), number(1))))


def parts() -> list[bytes]:
    """Version, serial number, algorithm, issuer, validity, subject, key and extensions of a certificate that breaks no rule."""
    return [one.raw for one in DerReader().parts(DerReader().only(Odd().body()), 0x30)]


def broken_by(octets: bytes) -> set[str]:
    return {one.rule for one in lint(octets, ORG)}


def test_unique_identifiers_stand_before_the_extensions_and_break_a_rule() -> None:
    whole = parts()
    assert broken_by(body_with(*whole)) == set()
    for tags in ((0x81,), (0x82,), (0x81, 0x82)):
        assert broken_by(body_with(*whole[:7], *(tlv(tag, b"\x00\x01") for tag in tags), whole[7])) == {"FLD-07"}
    for tags in ((0x82, 0x81), (0x81, 0x81), (0x84,), (0x80,)):
        assert broken_by(body_with(*whole[:7], *(tlv(tag, b"\x00\x01") for tag in tags), whole[7])) == {"DER-01"}
    assert broken_by(body_with(*whole, tlv(0x81, b"\x00\x01"))) == {"DER-01"}


def test_key_identifiers_are_there_and_not_critical() -> None:
    whole = parts()
    usage, policy, subject_id, authority_id = (one.raw for one in read_extensions(whole[7]))
    subjects = extension("551d0e", tlv(0x04, key_id(POINT)), critical=True)
    authorities = extension("551d23", sequence(tlv(0x80, bytes(8))), critical=True)
    for chosen, broken in (
        ((usage, policy, subject_id, authority_id), set()),
        ((usage, policy, authority_id), {"KID-01"}),
        ((usage, policy, subjects, authority_id), {"KID-02"}),
        ((usage, policy, subject_id, authorities), {"KID-07"}),
    ):
        assert broken_by(body_with(*whole[:7], tlv(0xA3, sequence(*chosen)))) == broken


def read_extensions(wrapped: bytes) -> list[Value]:
    reader = DerReader()
    return reader.parts(reader.only(reader.only(wrapped).content), 0x30)


def test_a_body_has_its_six_fields_and_two_times() -> None:
    whole = parts()
    assert broken_by(body_with(*whole[:7])) >= {"EXT-01"}
    assert broken_by(body_with(*whole[1:])) == {"FLD-01"}
    assert broken_by(body_with(*whole[:6])) == {"DER-01"}
    for place in range(1, 7):
        assert broken_by(body_with(*whole[:place], *whole[place + 1 :])) == {"DER-01"}, place
    one, three = sequence(utc("200101000000Z")), sequence(*[utc("200101000000Z")] * 3)
    for validity in (one, three):
        assert broken_by(body_with(*whole[:4], validity, *whole[5:])) == {"DER-01"}


def test_signature_and_algorithms_are_held_against_each_other() -> None:
    made = Odd()
    numbers = sequence(number(1), number(1))
    assert broken_by(sequence(made.body(), made.identified(), tlv(0x03, b"\x01" + numbers))) == {"SIG-05"}
    assert broken_by(sequence(made.body(), sequence(bytes.fromhex(SHA384)), tlv(0x03, b"\x00" + numbers))) == {"ALG-01", "FLD-06"}
    assert broken_by(sequence(made.body(), made.identified(), tlv(0x04, b"\x00" + numbers))) == {"DER-01"}
    assert broken_by(sequence(made.body(), made.identified(), tlv(0x03))) == {"DER-01"}
    assert broken_by(sequence(made.body(), made.identified())) == {"DER-01"}


def test_a_truth_value_is_ff_and_false_is_not_written() -> None:
    for flag, broken in ((b"\xff", "EXT-02"), (b"\x00", "DER-03 EXT-09"), (b"\x01", "DER-02 EXT-02"), (b"\xfe", "DER-02 EXT-02")):
        more = sequence(tlv(0x06, bytes.fromhex("2a0304")), tlv(0x01, flag), tlv(0x04, b"\x05\x00"))
        assert " ".join(sorted(broken_by(Odd(more=more).der()))) == broken
    for odd in (tlv(0x01, b"\xff\xff"), tlv(0x01), tlv(0x02, b"\xff"), tlv(0x01, b"\xff") * 2):
        assert broken_by(Odd(more=sequence(tlv(0x06, bytes.fromhex("2a0304")), odd, tlv(0x04, b"\x05\x00"))).der()) == {"DER-01"}
    assert broken_by(Odd(more=sequence(tlv(0x06, bytes.fromhex("2a0304")))).der()) == {"DER-01"}
    assert broken_by(Odd(more=sequence(tlv(0x06, bytes.fromhex("2a0304")), tlv(0x03, b"\x00"))).der()) == {"DER-01"}


@pytest.mark.parametrize(
    ("octets", "content", "loose"),
    [
        ("0400", "", 0),
        ("04017f", "7f", 0),
        ("0481027f7f", "7f7f", 1),
        ("047f" + "11" * 127, "11" * 127, 0),
        ("04817f" + "11" * 127, "11" * 127, 1),
        ("048180" + "11" * 128, "11" * 128, 0),
        ("04820080" + "11" * 128, "11" * 128, 1),
        ("0482010011" + "11" * 255, "11" * 256, 0),
        ("04840000000111", "11", 1),
        ("1e0111", "11", 0),
    ],
)
def test_a_length_is_read_and_told_loose_where_it_is_longer_than_it_need_be(octets: str, content: str, loose: int) -> None:
    """X.690 10.1: the definite form, in as few octets as can be."""
    reader = DerReader()
    value = reader.only(bytes.fromhex(octets))
    assert (value.tag, value.content.hex(), value.raw.hex(), len(reader.loose)) == (int(octets[:2], 16), content, octets, loose)


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        ("", "0 values in 0 octets"),
        ("04", "at octet 0: cut short"),
        ("040004", "at octet 2: cut short"),
        ("1f0100", "at octet 0: cut short, or a tag of more than one octet"),
        ("0480", "an indefinite length"),
        ("04850000000000", "a length of 5 octets"),
        ("048201", "a length of 2 octets"),
        ("0402ff", "at octet 0: 2 octets announced, 1 there"),
        ("04000400", "2 values in 4 octets, expected one"),
    ],
)
def test_what_is_no_value_is_told_with_its_place(octets: str, problem: str) -> None:
    with pytest.raises(NotDer, match=problem):
        DerReader().only(bytes.fromhex(octets))


def test_a_certificate_of_more_than_65536_octets_is_not_read() -> None:
    assert len(DerReader().only(tlv(0x04, bytes(65536 - 4))).raw) == 65536
    with pytest.raises(NotDer, match="65537 octets, expected at most 65536"):
        DerReader().only(tlv(0x04, bytes(65537 - 4)))


def test_an_object_identifier_is_read_arc_by_arc() -> None:
    """Examples of X.690 8.19 and of RFC 5280."""
    known = {
        "550403": "2.5.4.3",
        "2a8648ce3d030107": "1.2.840.10045.3.1.7",
        "883703": "2.999.3",
        "00": "0.0",
        "27": "0.39",
        "28": "1.0",
        "50": "2.0",
    }
    assert {octets: oid(bytes.fromhex(octets)) for octets in known} == known
    for wrong, problem in (("", "cut short"), ("2a86", "cut short"), ("2a8001", "begins with a zero"), ("80", "begins with a zero")):
        with pytest.raises(NotDer, match=problem):
            oid(bytes.fromhex(wrong))


def test_an_integer_is_shortest_where_its_first_nine_bits_differ() -> None:
    """X.690 8.3.2."""
    shortest = {"00": True, "7f": True, "80": True, "ff": True, "0080": True, "00ff": True, "ff7f": True, "0100": True, "fe80": True}
    longer = {"0000": False, "007f": False, "ff80": False, "ffff": False, "": False}
    for octets, whether in (shortest | longer).items():
        assert minimal_integer(bytes.fromhex(octets)) is whether, octets


def test_the_facts_of_a_certificate_are_those_it_was_made_of() -> None:
    facts = read(Odd().der())
    assert (facts.version, facts.serial.hex(), facts.algorithm) == (2, "4bd67f5a7c24e1f0aa01020304050607", "1.2.840.10045.4.3.2")
    assert facts.issuer == (("2.5.4.11", 0x13, b"07"), ("2.5.4.3", 0x13, b"Z1"))
    assert facts.subject == (("2.5.4.11", 0x0C, b"02"), ("2.5.4.45", 0x03, b"\0" + EUI))
    assert (facts.not_before, facts.not_after) == ((0x17, "200101000000Z"), (0x17, "300101000000Z"))
    assert (facts.key_algorithm, facts.point, facts.entity(), facts.usage(), facts.ou()) == ("1.2.840.10045.2.1", POINT, EUI, 0x80, b"02")
    assert (facts.unique_ids, facts.multi_valued, facts.key_unused_bits, facts.signature_unused_bits) == (False, False, 0, 0)
    assert read(device().der()).entity() == METER
    assert read(authority(usage=AUTHORITY).der()).basic() == (True, 0)


def test_severities_refuse_from_error_on() -> None:
    assert [one.refuses for one in (Severity.NOTICE, Severity.WARN, Severity.ERROR, Severity.FATAL)] == [False, False, True, True]
