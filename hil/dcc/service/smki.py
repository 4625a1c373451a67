"""The SMKI repository as clients ask it for certificates: search by entity, retrieval by serial number (reference duis-gateway 5).

Answers are those of the DCC's keystore, which learns the certificates that Devices take in service. Documents have no namespace.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from firmware_emu.crypto.certificates import entity_of, organisational_unit, usage_of
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError, IdentifierError
from firmware_emu.ids import Eui64
from hil.dcc.duis.document import parse_document

MEDIA_TYPE = "application/xml"
NOTHING, BAD_SEARCH = 402, 401
"""Answers to a search that finds nothing, and to one without what to search for (reference duis-gateway 5)."""
_IN_USE = "I"
_USAGES = {KeyUsage.DIGITAL_SIGNATURE: "DS", KeyUsage.KEY_AGREEMENT: "KA"}
_LARGEST = 64 * 1024
"""Octets of a question (own limit; those of clients are under 1 KiB)."""


@dataclass
class SmkiRepository:
    """The service on a keystore, which is asked anew for every question."""

    keystore: Keystore
    _references: count[int] = field(default_factory=lambda: count(1))

    def app(self) -> Starlette:
        """The application: two addresses, any ``apikey``."""
        return Starlette(
            routes=[
                Route("/services/certificatesearch", self._search, methods=["POST"]),
                Route("/services/retrievecertificate", self._retrieve, methods=["POST"]),
            ]
        )

    async def _search(self, request: Request) -> Response:
        asked = await _text(request, "CertificateSearchRequest", ("CertificateSubjectAltName", "CertificateSubjectName"))
        try:
            entity = None if asked is None else Eui64.parse(asked)
        except IdentifierError:
            entity = None
        if entity is None:
            return PlainTextResponse("expected CertificateSearchRequest with the EUI-64 of a Device or organisation\n", BAD_SEARCH)
        found = self.keystore.certificates_of(entity)
        if not found:
            return Response(status_code=NOTHING)
        root = self._answer("CertificateSearchResponse")
        for certificate in found:
            _fill(etree.SubElement(root, "Result"), certificate, body=False)
        return _document(root)

    async def _retrieve(self, request: Request) -> Response:
        asked = await _text(request, "CertificateDataRequest", ("CertificateSerial",))
        try:
            serial = None if asked is None else int(asked, 16)
        except ValueError:
            serial = None
        if serial is None:
            return PlainTextResponse("expected CertificateDataRequest with a serial number in hexadecimal\n", BAD_SEARCH)
        found = self.keystore.certificate_of_serial(serial)
        if found is None:
            return Response(status_code=NOTHING)
        root = self._answer("CertificateDataResponse")
        _fill(etree.SubElement(root, "CertificateResponse"), found, body=True)
        return _document(root)

    def _answer(self, name: str) -> etree._Element:
        root = etree.Element(name)
        _add(root, (("ResponseCode", "200"), ("ResponseMessage", "Success"), ("AuditReference", str(next(self._references)))))
        return root


async def _text(request: Request, root: str, names: Sequence[str]) -> str | None:
    """The text of the element asked for, None for a document that is another."""
    octets = bytearray()
    async for piece in request.stream():
        octets += piece
        if len(octets) > _LARGEST:
            return None
    try:
        document = parse_document(bytes(octets))
    except CommsHubError:
        return None
    found = next((one for one in document if etree.QName(one).localname in names), None)
    return None if etree.QName(document).localname != root or found is None else (found.text or "").strip()


def _fill(element: etree._Element, certificate: x509.Certificate, *, body: bool) -> None:
    """An organisation is told by its subject's name, a Device by its alternative name (a client takes an empty one for the other)."""
    device = not len(list(certificate.subject))
    name = ("CertificateSubjectAltName" if device else "CertificateSubjectName", entity_of(certificate).duis)
    serial = ("CertificateSerial", f"{certificate.serial_number:X}")
    facts: list[tuple[str, str]] = [name, serial] if body else [serial, name]
    facts.append(("CertificateStatus", _IN_USE))
    if body:
        facts.append(("CertificateBody", base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()))
    facts.append(("CertificateUsage", _USAGES[usage_of(certificate)]))
    if not device:
        facts.append(("CertificateRole", str(organisational_unit(certificate))))
    _add(element, (*facts, ("ManufacturingFlag", "false")))


def _add(element: etree._Element, facts: Sequence[tuple[str, str]]) -> None:
    for name, text in facts:
        etree.SubElement(element, name).text = text


def _document(root: etree._Element) -> Response:
    return Response(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), media_type=MEDIA_TYPE)
