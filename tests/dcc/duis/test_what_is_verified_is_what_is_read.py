"""A keyless attacker changes nothing: the request that is read is exactly the request that the signature covers."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from firmware_emu.errors import IdentifierError, ProtectionError
from firmware_emu.ids import Eui64, Mpxn
from hil.dcc.duis import RequestError, ServiceRequest, new_request, read_request, sign_request, verify_request, write_request
from hil.dcc.duis.document import _proven, _proven_in_own_form, as_request, parse_document
from hil.dcc.duis.request import SIGNATURE_NAMESPACE, Node

SUPPLIER, METER, HUB = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0"), Eui64.parse("00db1234567890a2")
DS = f"{{{SIGNATURE_NAMESPACE}}}"


def certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test user")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    return builder.serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def add_device() -> ServiceRequest:
    body = {"DeviceID": METER, "RequestType": "Add", "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 600, "InstallCode": bytes(16)}}
    return new_request("8.11", SUPPLIER, HUB, 1001, body)


def signed(request: ServiceRequest, key: ec.EllipticCurvePrivateKey) -> bytes:
    return write_request(sign_request(request, key, certificate(key)))


@pytest.mark.parametrize("text", ["BENCH", " two  blanks ", "<&>\"'", "\tline\r\nend\u00a0\u20ac"])
def test_a_signature_has_the_form_that_signxml_gives_it_and_signxml_verifies_it(key: ec.EllipticCurvePrivateKey, text: str) -> None:
    request = add_device()
    request.body[0].text = text
    octets = signed(request, key)
    signature = etree.fromstring(octets).find(f"{DS}Signature")
    bare = etree.fromstring(octets)
    bare.remove(bare[-1])
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    own = signer.sign(bare, key=key, cert=[certificate(key)]).find(f"{DS}Signature")
    assert signature is not None
    assert own is not None
    assert etree.tostring(signature[0], method="c14n", exclusive=True) == etree.tostring(own[0], method="c14n", exclusive=True)
    assert [one.tag for one in signature] == [one.tag for one in own]
    proven = XMLVerifier().verify(octets, x509_cert=certificate(key), expect_config=SignatureConfiguration(location="./"))
    assert not isinstance(proven, list)
    assert proven.signed_data == etree.tostring(bare, method="c14n", exclusive=True)
    verify_request(as_request(parse_document(octets)), certificate(key))


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (b"", b""),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue> "),
        (b"</ds:SignatureValue>", b"\n</ds:SignatureValue>"),
        (b"<ds:KeyInfo>", b'<ds:KeyInfo Id="k">'),
        (b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>k</ds:KeyName>"),
        (b"<ds:KeyInfo>", b"<ds:Other/><ds:KeyInfo>"),
        (b"CN=test user", b"CN=another user"),
        (b"</ds:Signature>", b"</ds:Signature>\n"),
        (b"<ds:SignedInfo>", b"<ds:SignedInfo >"),
        (b"><ds:SignatureMethod", b">\n<ds:SignatureMethod"),
        (b"ecdsa-sha256", b"ecdsa-sha512"),
        (b"JoinTimePeriod>600<", b"JoinTimePeriod>601<"),
        (b"JoinTimePeriod>600<", b"JoinTimePeriod> 600<"),
        (b"<sr:Body>", b"<sr:Body >"),
        (b"<sr:Body>", b"<sr:Body>\n"),
        (b"<sr:Body>", b'<sr:Body xmlns:x="urn:x">'),
    ],
)
def test_a_signature_is_proven_in_its_own_form_only_where_signxml_proves_the_same_octets(
    key: ec.EllipticCurvePrivateKey, value: bytes, changed: bytes
) -> None:
    octets = signed(add_device(), key)
    assert not value or octets.count(value) == 1
    document, pinned = parse_document(octets.replace(value, changed)), certificate(key)
    try:
        general = _proven(document, pinned)
    except ProtectionError:
        general = None
    own = _proven_in_own_form(document, pinned)
    assert own in (None, general)
    assert own is not None or value
    assert _proven_in_own_form(document, certificate(ec.generate_private_key(ec.SECP256R1()))) is None


@pytest.mark.parametrize("at", [0, 31, 32, 63])
def test_a_value_of_a_signature_that_does_not_hold_is_refused(key: ec.EllipticCurvePrivateKey, at: int) -> None:
    request = read_request(signed(add_device(), key))
    said = request.document.find(f"{DS}Signature/{DS}SignatureValue")
    assert said is not None
    value = bytearray(base64.b64decode(said.text or ""))
    value[at] ^= 1
    said.text = base64.b64encode(value).decode()
    with pytest.raises(ProtectionError, match="does not verify"):
        verify_request(request, certificate(key))


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (b":1001</sr:RequestID>", b":100<!---->1</sr:RequestID>"),
        (b"JoinTimePeriod>600<", b"JoinTimePeriod>6<!---->00<"),
        (b"JoinTimePeriod>600<", b"JoinTimePeriod><!---->600<"),
        (b"JoinTimePeriod>600<", b"JoinTimePeriod>600<!----><"),
        (b"JoinTimePeriod>600<", b"JoinTimePeriod>6<?x y?>00<"),
        (b"RequestType>Add<", b"RequestType>A<!-- dd -->dd<"),
    ],
)
def test_a_comment_or_an_instruction_inside_a_value_of_a_signed_request_is_refused(
    key: ec.EllipticCurvePrivateKey, value: bytes, changed: bytes
) -> None:
    octets = signed(add_device(), key)
    assert octets.count(value) == 1
    with pytest.raises(RequestError, match=r"comment inside a value|processing instruction"):
        read_request(octets.replace(value, changed))


def test_a_comment_between_elements_changes_neither_the_proof_nor_what_is_read(key: ec.EllipticCurvePrivateKey) -> None:
    octets = signed(add_device(), key).replace(b"<sr:Body>", b"<!-- the body --><sr:Body>")
    request = read_request(octets)
    proven = verify_request(request, certificate(key))
    assert Node(proven.value.body).integer("AddDeviceToCHFWhitelist/JoinTimePeriod") == 600
    assert b"the body" not in write_request(request)


def test_a_processing_instruction_beside_the_document_element_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    octets = signed(add_device(), key)
    with pytest.raises(RequestError, match="processing instruction"):
        read_request(octets + b"<?x y?>")


def test_text_between_elements_is_refused() -> None:
    with pytest.raises(RequestError, match="elements alone"):
        read_request(write_request(add_device()).replace(b"<sr:Body>", b"600<sr:Body>"))


def test_the_verified_request_is_read_from_the_signed_octets_and_not_from_the_tree_beside_them(key: ec.EllipticCurvePrivateKey) -> None:
    request = read_request(signed(add_device(), key))
    # The tree that travelled with the request is changed after reading: the verifier does not look at it.
    stray = copy.deepcopy(request.body)
    next(stray.iter("{*}JoinTimePeriod")).text = "6"
    object.__setattr__(request, "body", stray)
    proven = verify_request(request, certificate(key))
    assert Node(proven.value.body).integer("AddDeviceToCHFWhitelist/JoinTimePeriod") == 600
    assert b"Signature" not in proven.octets
    assert b">600<" in proven.octets


def with_signature(request: ServiceRequest, signature: etree._Element) -> ServiceRequest:
    root = copy.deepcopy(request.document)
    for old in root.findall(f"{DS}Signature"):
        root.remove(old)
    root.append(copy.deepcopy(signature))
    return read_request(etree.tostring(root))


def enveloping(key: ec.EllipticCurvePrivateKey) -> etree._Element:
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloping,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return signer.sign(etree.fromstring(b'<thing Id="x"/>'), key=key, cert=[certificate(key)], reference_uri="x")


def of_another(key: ec.EllipticCurvePrivateKey) -> etree._Element:
    found = read_request(signed(new_request("7.2", SUPPLIER, METER, 1000), key)).document.find(f"{DS}Signature")
    assert found is not None
    return found


@pytest.mark.parametrize("made", [enveloping, of_another])
def test_a_good_signature_over_something_else_makes_no_request_signed(
    key: ec.EllipticCurvePrivateKey, made: Callable[[ec.EllipticCurvePrivateKey], etree._Element]
) -> None:
    with pytest.raises(ProtectionError):
        verify_request(with_signature(add_device(), made(key)), certificate(key))


def test_two_signatures_or_an_object_beside_the_reference_are_refused(key: ec.EllipticCurvePrivateKey) -> None:
    octets = signed(add_device(), key)
    start = octets.index(b"<ds:Signature")
    twice = octets[:start] + octets[start:].replace(b"</sr:Request>", b"") * 2 + b"</sr:Request>"
    with pytest.raises(RequestError):
        read_request(twice)
    with pytest.raises(ProtectionError, match="Object"):
        verify_request(read_request(octets.replace(b"</ds:Signature>", b"<ds:Object/></ds:Signature>")), certificate(key))


@pytest.mark.parametrize("uri", ['URI="#x"', ""])
def test_a_reference_to_anything_but_the_whole_document_is_refused(key: ec.EllipticCurvePrivateKey, uri: str) -> None:
    octets = signed(add_device(), key)
    assert octets.count(b'URI=""') == 1
    with pytest.raises(ProtectionError, match="does not cover the request"):
        verify_request(read_request(octets.replace(b'URI=""', uri.encode())), certificate(key))


def test_a_signature_over_a_form_that_keeps_comments_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS,
    )
    document = signer.sign(copy.deepcopy(add_device().document), key=key, cert=[certificate(key)])
    with pytest.raises(ProtectionError, match="a canonicalisation without comments"):
        verify_request(read_request(etree.tostring(document)), certificate(key))


@pytest.mark.parametrize("version", ["5.1", "5.2", "5.4", "5.40"])
def test_a_schema_version_that_the_field_sends_is_served(version: str) -> None:
    octets = write_request(add_device()).replace(b'schemaVersion="5.4"', f'schemaVersion="{version}"'.encode())
    assert read_request(octets).service_reference_variant == "8.11"


@pytest.mark.parametrize("version", ["5.3", "99.9", "0", "-5.4", "6.0"])
def test_a_schema_version_that_is_not_served_is_refused_with_those_that_are(version: str) -> None:
    octets = write_request(add_device()).replace(b'schemaVersion="5.4"', f'schemaVersion="{version}"'.encode())
    with pytest.raises(RequestError, match=r"5\.1, 5\.2, 5\.4"):
        read_request(octets)


def test_no_value_of_a_published_template_can_be_split_by_a_comment(duis: Path) -> None:
    for file in sorted((duis / "templates").glob("*.XML"))[::10]:
        octets = file.read_bytes()
        value = re.compile(rb">[^<>\s]+(?=</)").search(octets)
        assert value is not None
        at = value.end()
        with pytest.raises(RequestError, match="comment inside a value"):
            read_request(octets[:at] + b"<!---->" + octets[at:])


LONG = "1" * 5000


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (":1001</sr:RequestID>", ":１００１</sr:RequestID>"),
        (":1001</sr:RequestID>", f":{LONG}</sr:RequestID>"),
        ("JoinTimePeriod>600<", "JoinTimePeriod>６００<"),
        ("JoinTimePeriod>600<", "JoinTimePeriod>\u0666\u0660\u0660<"),
        ("JoinTimePeriod>600<", "JoinTimePeriod>\u00a0600<"),
        ("JoinTimePeriod>600<", f"JoinTimePeriod>{LONG}<"),
        ('schemaVersion="5.4"', 'schemaVersion="5.４"'),
    ],
)
def test_a_number_is_written_in_few_digits_of_ascii_or_it_is_none(value: str, other: str) -> None:
    text = write_request(add_device()).decode()
    assert value in text
    with pytest.raises(RequestError):
        read_request(text.replace(value, other).encode())


@pytest.mark.parametrize("text", ["１２３４５６７８９０", "\u0661" * 13])
def test_an_mpxn_has_the_digits_of_ascii(text: str) -> None:
    with pytest.raises(IdentifierError):
        Mpxn(text)
