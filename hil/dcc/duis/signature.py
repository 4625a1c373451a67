"""XML signatures on service requests: ECDSA P-256 with SHA-256, enveloped (reference dcc-side 1, duis-gateway 4.1, DUIS templates).

A signature is verified against the certificate the verifier pins; whatever certificate the document carries is not trusted. What a
signature proves are the canonical octets it was made over, so a verified request is read from these and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from firmware_emu.errors import ProtectionError
from hil.dcc.duis.document import as_request, parse_document
from hil.dcc.duis.request import SIGNATURE_NAMESPACE, ServiceRequest

T = TypeVar("T")

_DS: Final = f"{{{SIGNATURE_NAMESPACE}}}"
_ENVELOPED: Final = f"{SIGNATURE_NAMESPACE}enveloped-signature"
_TRANSFORMS: Final = frozenset(
    {
        _ENVELOPED,
        CanonicalizationMethod.CANONICAL_XML_1_0.value,
        CanonicalizationMethod.CANONICAL_XML_1_1.value,
        CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0.value,
    }
)
"""The transforms of a service request's signature: the signature is taken out, and what is left becomes canonical."""


@dataclass(frozen=True, slots=True)
class Verified(Generic[T]):
    """Proven content: ``value`` was read from ``octets``, and ``octets`` are exactly what was signed.

    Only the verifier makes one (:func:`verify_request`)."""

    value: T
    octets: bytes


def sign_request(request: ServiceRequest, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> ServiceRequest:
    """The same request with an enveloped signature; KeyInfo names issuer and serial number of ``certificate``."""
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = signer.sign(request.document, key=key, cert=[certificate])
    return as_request(parse_document(etree.tostring(signed)))


def verify_request(request: ServiceRequest, certificate: x509.Certificate) -> Verified[ServiceRequest]:
    """Check the signature with the pinned ``certificate``, and read the request again from the octets it covers.

    ``document`` of the verified request stays the signed document. Raises ProtectionError: none there, wrong key, changed document,
    a signature over anything but this whole document."""
    if not request.signed:
        raise ProtectionError("the request carries no XML signature")
    if (wrong := _not_over_the_document(request.document)) is not None:
        raise ProtectionError(f"the XML signature does not cover the request: {wrong}")
    expectation = SignatureConfiguration(
        location="./",
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        expect_references=1,
    )
    try:
        result = XMLVerifier().verify(etree.tostring(request.document), x509_cert=certificate, expect_config=expectation)
    except (SignXMLException, etree.LxmlError, ValueError) as trouble:
        raise ProtectionError(f"the XML signature does not verify: {trouble}") from trouble
    octets = result.signed_data if not isinstance(result, list) else b""
    root = parse_document(octets)
    if root.tag != request.document.tag:
        raise ProtectionError(f"the XML signature covers {etree.QName(root).localname}, expected {etree.QName(request.document).localname}")
    return Verified(replace(as_request(root), document=request.document), octets)


def _not_over_the_document(document: etree._Element) -> str | None:
    signatures = list(document.iter(f"{_DS}Signature"))
    if len(signatures) != 1 or signatures[0].getparent() is not document:
        return f"{len(signatures)} signatures, expected one, a child of the document element"
    signature = signatures[0]
    if signature.find(f".//{_DS}Object") is not None:
        return "it carries a ds:Object, expected none"
    references = list(signature.iter(f"{_DS}Reference"))
    if len(references) != 1 or references[0].get("URI") != "":
        return f'references {[one.get("URI") for one in references]}, expected one with URI="", the document'
    named = [one.get("Algorithm", "") for one in references[0].iter(f"{_DS}Transform")]
    if _ENVELOPED not in named or not _TRANSFORMS.issuperset(named):
        return f"transforms {named}, expected enveloped-signature and a canonicalisation without comments"
    return None
