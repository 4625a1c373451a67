"""XML signatures on service requests: ECDSA P-256 with SHA-256, enveloped (reference dcc-side 1, DUIS templates).

A signature is verified against the certificate the verifier pins; whatever certificate the document carries is not trusted.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from firmware_emu.errors import ProtectionError
from hil.dcc.duis.document import as_request, parse_document
from hil.dcc.duis.request import ServiceRequest


def sign_request(request: ServiceRequest, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> ServiceRequest:
    """The same request with an enveloped signature; KeyInfo names issuer and serial number of ``certificate``."""
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = signer.sign(request.document, key=key, cert=[certificate])
    return as_request(parse_document(etree.tostring(signed)))


def verify_request(request: ServiceRequest, certificate: x509.Certificate) -> None:
    """Check the signature with the pinned ``certificate``. Raises ProtectionError (none there, wrong key, changed document)."""
    if not request.signed:
        raise ProtectionError("the request carries no XML signature")
    expectation = SignatureConfiguration(
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        expect_references=1,
    )
    try:
        XMLVerifier().verify(etree.tostring(request.document), x509_cert=certificate, expect_config=expectation)
    except (SignXMLException, etree.LxmlError, ValueError) as trouble:
        raise ProtectionError(f"the XML signature does not verify: {trouble}") from trouble
