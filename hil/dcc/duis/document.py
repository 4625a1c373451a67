"""Service requests as XML documents: secure reading, checking against the structure, writing, building, signing, schema validation.

The parser takes no DTD, no entities, no processing instructions and nothing from the network; size and depth are bounded. The tree
that is read is the tree a signature covers: Canonical XML drops comments and joins the text on both sides, so a comment inside a value
is refused, and the others are taken out before anything is read.

XML signatures on service requests: ECDSA P-256 with SHA-256, enveloped (reference dcc-side 1, duis-gateway 4.1, DUIS templates).
A signature is verified against the certificate the verifier pins; whatever certificate the document carries is not trusted. What a
signature proves are the canonical octets it was made over, so a verified request is read from these and from nothing else.

Requests are built from nested mappings, in schema order.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from firmware_emu.crypto.primitives import sign, verify
from firmware_emu.errors import IdentifierError, NotAvailable, ProtectionError, one_of
from firmware_emu.ids import Eui64, InstallCode, Mpxn
from hil.dcc.duis.element_types import ElementType, element_type, is_base64, wrong_value, wrong_version
from hil.dcc.duis.request import (
    SCHEMA_VERSION,
    SERVICE_NAMESPACE,
    SIGNATURE_NAMESPACE,
    VARIANTS,
    CommandVariant,
    RequestError,
    RequestId,
    ServiceRequest,
    line_of,
)

MAX_OCTETS: Final = 16 * 1024 * 1024
"""Bound on a request: a firmware image of 10,240,000 octets in base64 plus the device list still fits (DUIS 11.1)."""

MAX_MARKS: Final = 400_000
"""Bound on the signs ``<`` and ``=`` of a document, so on its elements and attributes, looked at before any memory is spent on them
(4 MB of empty elements took 200 MB; own limit: a list of 190,000 Devices fits)."""

MAX_DEPTH: Final = 24
"""Bound on nesting; the deepest request of the schema has 13 levels."""


_PARSER: Final = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, dtd_validation=False, huge_tree=True)


def parse_document(octets: bytes) -> etree._Element:
    """Parse without DTD, entities, processing instructions or network, and drop the comments between elements.

    Raises RequestError naming line and problem, also for a comment inside a value."""
    if len(octets) > MAX_OCTETS:
        raise RequestError("document", 0, f"{len(octets)} octets, expected at most {MAX_OCTETS}")
    if (marks := octets.count(b"<") + octets.count(b"=")) > MAX_MARKS:
        raise RequestError("document", 0, f"{marks} signs of elements and attributes (< and =), expected at most {MAX_MARKS}")
    try:
        root = etree.fromstring(octets, _PARSER)
    except etree.XMLSyntaxError as trouble:
        raise RequestError("document", trouble.lineno or 1, f"not well-formed XML: {trouble.msg}") from trouble
    if cast("Any", root.getroottree().docinfo).doctype:
        raise RequestError("document", 1, "carries a document type declaration, expected none")
    _drop_comments(root)
    deepest = [root]
    for _ in range(MAX_DEPTH):
        deepest = [child for element in deepest for child in element]
        if not deepest:
            return root
    raise RequestError(_path(deepest[0]), line_of(deepest[0]), f"nested deeper than {MAX_DEPTH} levels")


def _drop_comments(root: etree._Element) -> None:
    beside = [*root.itersiblings(preceding=True), *root.itersiblings()]
    holders = set[etree._Element]()
    """Elements that hold elements, each looked at once however many comments it holds too."""
    for found in [*beside, *root.iter(etree.ProcessingInstruction, etree.Comment)]:
        if isinstance(found, etree._ProcessingInstruction):
            raise RequestError("document", line_of(found), "carries a processing instruction, expected none")
        holder = found.getparent()
        if holder is None or holder in holders:
            continue
        holders.add(holder)
        if not any(isinstance(child.tag, str) for child in holder):
            raise RequestError(_path(holder), line_of(found), "carries a comment inside a value, expected the value alone")
    etree.strip_tags(root, etree.Comment)


def read_request(octets: bytes) -> ServiceRequest:
    """Read and check a service request. Raises RequestError naming element, line and expectation."""
    root = parse_document(octets)
    if root.tag != f"{{{SERVICE_NAMESPACE}}}Request":
        raise RequestError(_path(root), line_of(root), f"expected Request of {SERVICE_NAMESPACE}")
    _check(root, element_type("Request"))
    if (served := wrong_version(root.get("schemaVersion", ""))) is not None:
        raise RequestError("Request/@schemaVersion", line_of(root), served)
    return as_request(root)


def read_stored(octets: bytes) -> ServiceRequest:
    """As :func:`read_request`, one that was checked before it was stored. Raises RequestError for octets that are none."""
    return as_request(parse_document(octets))


def as_request(root: etree._Element) -> ServiceRequest:
    """The request of a document whose structure holds. Raises RequestError where header and body disagree."""
    header = root.find(f"{{{SERVICE_NAMESPACE}}}Header")
    body = root.find(f"{{{SERVICE_NAMESPACE}}}Body")
    assert header is not None, "the structure check found it"
    assert body is not None, "the structure check found it"

    told = {child.tag: child.text or "" for child in reversed(header)}  # of several of one name the first

    def text(name: str) -> str | None:
        found = told.get(f"{{{SERVICE_NAMESPACE}}}{name}")
        return None if found is None else found.strip()

    content = [child for child in body if isinstance(child.tag, str)]
    if len(content) != 1:
        raise RequestError("Request/Body", line_of(body), f"{len(content)} elements, expected one service request")
    variant_text = text("ServiceReferenceVariant") or ""
    variant = VARIANTS.get(variant_text)
    line = line_of(header)
    if variant is None:
        raise RequestError("Request/Header/ServiceReferenceVariant", line, f"read {variant_text!r}, expected a known variant")
    name = etree.QName(content[0]).localname
    if name not in (variant.element, "SignedPreCommand"):
        raise RequestError(_path(content[0]), line_of(content[0]), f"expected {variant.element} for {variant_text}")
    if text("ServiceReference") != variant.service:
        raise RequestError("Request/Header/ServiceReference", line, f"read {text('ServiceReference')!r}, expected {variant.service}")
    try:
        command_variant = CommandVariant(int(text("CommandVariant") or 0))
    except ValueError:
        problem = f"read {text('CommandVariant')!r}, expected {one_of(text('CommandVariant'), [int(one) for one in CommandVariant])}"
        raise RequestError("Request/Header/CommandVariant", line, problem) from None
    try:
        request_id = RequestId.parse(text("RequestID") or "")
        preceding_text = text("PrecedingServiceRequestID")
        preceding = RequestId.parse(preceding_text) if preceding_text else None
    except IdentifierError as trouble:
        raise RequestError("Request/Header/RequestID", line, str(trouble)) from trouble
    return ServiceRequest(
        request_id=request_id,
        command_variant=command_variant,
        service_reference=variant.service,
        service_reference_variant=variant_text,
        body=content[0],
        document=root,
        first_in_sequence=text("FirstInSequence") in ("true", "1"),
        preceding=preceding,
    )


def write_request(request: ServiceRequest) -> bytes:
    """The document as UTF-8 with an XML declaration. A signed document is written as it is: its octets carry the signature."""
    return etree.tostring(request.document, xml_declaration=True, encoding="UTF-8")


def validate(request: ServiceRequest, schema: Path) -> None:
    """Validate against ``DUIS.xsd`` (a file, or the folder that holds it). Raises RequestError, NotAvailable."""
    file = schema / "DUIS.xsd" if schema.is_dir() else schema
    if not file.is_file():
        raise NotAvailable("the DUIS schema", f"point at DUIS.xsd or its folder; {file} is not there")
    rules = load_schema(file)
    if not rules.validate(request.document):
        first = cast("Any", rules.error_log)[0]
        raise RequestError(first.path or "document", first.line, first.message)


@cache
def load_schema(file: Path) -> etree.XMLSchema:
    """A W3C schema with its imports from the same folder, nothing from the network."""
    parser = etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False)
    return etree.XMLSchema(etree.parse(str(file), parser))


def _path(element: etree._Element) -> str:
    names = [etree.QName(element).localname]
    parent = element.getparent()
    while parent is not None:
        names.append(etree.QName(parent).localname)
        parent = parent.getparent()
    return "/".join(reversed(names))


def _check(element: etree._Element, kind: ElementType) -> None:
    for name in element.keys():  # noqa: SIM118 (an element's own iteration gives its children)
        if not str(name).startswith("{") and name not in kind.attributes:
            raise RequestError(_path(element), line_of(element), f"attribute {name!s} is not of this element")
    for attribute, (value_kind, required) in kind.attributes.items():
        value = element.get(attribute)
        if value is None and required:
            raise RequestError(_path(element), line_of(element), f"attribute {attribute} is missing")
        wrong = None if value is None else wrong_value(value_kind, value)
        if wrong:
            raise RequestError(f"{_path(element)}/@{attribute}", line_of(element), wrong)
    children = [child for child in element if isinstance(child.tag, str)]
    if kind.text is not None and not kind.parts:
        if children:
            raise RequestError(_path(children[0]), line_of(children[0]), "expected text, no element")
        wrong = wrong_value(kind.text, element.text or "")
        if wrong:
            raise RequestError(_path(element), line_of(element), wrong)
        return
    _check_children(element, kind, children)


def _check_children(element: etree._Element, kind: ElementType, children: list[etree._Element]) -> None:
    if kind.text is None and (stray := "".join([element.text or "", *(child.tail or "" for child in element)]).strip()):
        raise RequestError(_path(element), line_of(element), f"read the text {stray[:60]!r}, expected elements alone")
    counts: Counter[str] = Counter()
    position = 0
    for child in children:
        namespace, _, local = child.tag[1:].rpartition("}")
        part = kind.part(local)
        known = namespace == SERVICE_NAMESPACE or (namespace == SIGNATURE_NAMESPACE and local == "Signature")
        if part is None or not known:
            wanted = ", ".join([part.name for part in kind.parts[position:]]) or "nothing"
            raise RequestError(_path(child), line_of(child), f"not expected here; expected {wanted[:200]}")
        place = kind.places[local]
        if place < position and part.most == 1:
            raise RequestError(_path(child), line_of(child), f"out of order, expected before {kind.parts[position].name}")
        position = max(position, place)
        counts[local] += 1
        if part.most != -1 and counts[local] > part.most:
            raise RequestError(_path(child), line_of(child), f"occurs more than {part.most} times")
        if not part.type.startswith("ref:"):
            _check(child, element_type(part.type))
    for part in kind.needed:
        if counts[part.name] < part.least:
            raise RequestError(
                _path(element), line_of(element), f"{part.name} occurs {counts[part.name]} times, expected at least {part.least}"
            )
    for choice in kind.choices:
        given = choice.given(counts)
        if len(given) > 1 or (choice.needed and not given):
            read = " and ".join(name for names in given for name in names if counts[name]) or "none of them"
            wanted = ", ".join(" with ".join(names) for names in choice.alternatives)
            raise RequestError(_path(element), line_of(element), f"read {read}, expected one of {wanted}"[:400])


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
    """The same request with an enveloped signature; KeyInfo names issuer and serial number of ``certificate``. Blanks between elements
    go: the field's own tool does not see them (reference duis-gateway 4.2)."""
    document = sign_document(deepcopy(request.document), key, certificate)
    return replace(request, document=document, body=_body_of(document))


_ALGORITHMS: Final = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0, SignatureMethod.ECDSA_SHA256, DigestAlgorithm.SHA256
_CANONICAL, _SIGNED_BY, _DIGESTED_BY = (one.value for one in _ALGORITHMS)
_DECLARED: Final = f' xmlns:ds="{SIGNATURE_NAMESPACE}"'
_SIGNED_INFO: Final = (
    f'<ds:SignedInfo{_DECLARED}><ds:CanonicalizationMethod Algorithm="{_CANONICAL}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="{_SIGNED_BY}"></ds:SignatureMethod><ds:Reference URI=""><ds:Transforms>'
    f'<ds:Transform Algorithm="{_ENVELOPED}"></ds:Transform><ds:Transform Algorithm="{_CANONICAL}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{_DIGESTED_BY}"></ds:DigestMethod><ds:DigestValue>{{}}</ds:DigestValue></ds:Reference></ds:SignedInfo>'
)
"""The canonical octets of what is signed, but for the digest of the document."""
_SIGNATURE: Final = (
    f"<ds:Signature{_DECLARED}>{{}}<ds:SignatureValue>{{}}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
    "<ds:X509IssuerSerial><ds:X509IssuerName>{}</ds:X509IssuerName><ds:X509SerialNumber>{}</ds:X509SerialNumber></ds:X509IssuerSerial>"
    "</ds:X509Data></ds:KeyInfo></ds:Signature>"
)


def sign_document(root: etree._Element, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> etree._Element:
    """``root`` with an enveloped signature in the form of reference duis-gateway 4.1, in place of one that is there, without blanks
    between elements and in its canonical form.

    The form is filled in here: of all that a general signer may sign it is one case, and a fifth of the work."""
    for before in root.findall(f"{_DS}Signature"):
        root.remove(before)
    for element in root.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None
    octets = _canonical(root)
    info = _info_of(octets)
    signature = _signature_of(info, _base64(sign(key, info.encode())), certificate)
    end = octets.rindex(b"</")
    return parse_document(octets[:end] + signature + octets[end:])


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _info_of(octets: bytes) -> str:
    return _SIGNED_INFO.format(_base64(hashlib.sha256(octets).digest()))


def _signature_of(info: str, value: str, certificate: x509.Certificate) -> bytes:
    inside = info.replace(_DECLARED, "", 1)  # declared by what is around it
    return _SIGNATURE.format(inside, value, escape(_issuer_of(certificate)), certificate.serial_number).encode()


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@lru_cache(maxsize=256)
def _issuer_of(certificate: x509.Certificate) -> str:
    return certificate.issuer.rfc4514_string()


def verify_request(request: ServiceRequest, certificate: x509.Certificate) -> Verified[ServiceRequest]:
    """Check the signature with the pinned ``certificate``, and read the request again from the octets it covers.

    ``document`` of the verified request stays the signed document. Raises ProtectionError: none there, wrong key, changed document,
    a signature over anything but this whole document."""
    if not request.signed:
        raise ProtectionError("the request carries no XML signature")
    if (wrong := _not_over_the_document(request.document)) is not None:
        raise ProtectionError(f"the XML signature does not cover the request: {wrong}")
    octets = _proven_in_own_form(request.document, certificate) or _proven(request.document, certificate)
    root = parse_document(octets)
    if root.tag != request.document.tag:
        raise ProtectionError(f"the XML signature covers {etree.QName(root).localname}, expected {etree.QName(request.document).localname}")
    return Verified(replace(as_request(root), document=request.document), octets)


def _proven_in_own_form(document: etree._Element, certificate: x509.Certificate) -> bytes | None:
    """The signed octets of a document with a signature that holds and is, but for its value, octet for octet what :func:`sign_document`
    writes: of all that a general verifier may meet the one case that is frequent, and a fifth of the work. None leaves it to that."""
    value = document.findtext(f"{_DS}Signature/{_DS}SignatureValue") or ""
    key, whole = certificate.public_key(), _canonical(document)
    start, end = whole.rfind(b"<ds:Signature "), whole.rindex(b"</")
    octets = whole[:start] + whole[end:]
    info = _info_of(octets)
    if not isinstance(key, EllipticCurvePublicKey) or whole[start:end] != _signature_of(info, value, certificate):
        return None
    try:
        verify(key, base64.b64decode(value), info.encode())
    except (ProtectionError, ValueError):
        return None
    return octets


def _proven(document: etree._Element, certificate: x509.Certificate) -> bytes:
    """The signed octets, whatever the signature looks like. Raises ProtectionError."""
    expectation = SignatureConfiguration(
        location="./",
        verification_time=certificate.not_valid_before_utc,  # whether it is in date is a check of its own, in bench time (CK-6)
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        expect_references=1,
    )
    try:
        result = XMLVerifier().verify(etree.tostring(document), x509_cert=certificate, expect_config=expectation)
    except (SignXMLException, etree.LxmlError, ValueError) as trouble:
        raise ProtectionError(f"the XML signature does not verify: {trouble}") from trouble
    return result.signed_data if not isinstance(result, list) else b""


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


Value: TypeAlias = str | bytes | int | bool | Decimal | float | datetime | date | time | Eui64 | Mpxn | None
"""A leaf: None gives an empty element; octets are written as the schema type says (hexadecimal or base64)."""

Content: TypeAlias = "Value | Mapping[str, Content] | Sequence[Content]"
"""An element's content. In a mapping ``@name`` is an attribute and ``#`` the text beside attributes; a sequence repeats the element."""


def new_request(
    variant: str,
    originator: Eui64,
    target: Eui64,
    counter: int,
    body: Mapping[str, Content] | None = None,
    command_variant: int | None = None,
    *,
    preceding: RequestId | None = None,
) -> ServiceRequest:
    """Build a service request. ``body`` holds what is inside the service's own element, as
    ``{"DeviceID": esme, "RequestType": "Add", "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 90, "InstallCode": code}}``; the order
    of its keys does not matter. ``preceding`` names the request that has to succeed before this one runs.

    Raises RequestError naming the element that is unknown, missing or has a wrong value."""
    row = VARIANTS.get(variant)
    if row is None:
        raise RequestError("ServiceReferenceVariant", 0, f"read {variant!r}, expected one of the schema, as 4.1.1")
    chosen = row.default_command_variant if command_variant is None else command_variant
    request_id = RequestId(originator, target, counter)
    if body or preceding is not None:
        return _request(variant, request_id, chosen, row.element, body or {}, preceding)
    return _with_id(_bare(variant, chosen, row.element), request_id)


@lru_cache(maxsize=256)
def _bare(variant: str, command_variant: int, element: str) -> ServiceRequest:
    """A request that has nothing of its own but its RequestID, built and checked once."""
    return _request(variant, _NOBODY, command_variant, element, {})


_NOBODY: Final = RequestId(Eui64(bytes(8)), Eui64(bytes(8)), 0)


def _with_id(form: ServiceRequest, request_id: RequestId) -> ServiceRequest:
    document = deepcopy(form.document)
    named = document.find(f"{{{SERVICE_NAMESPACE}}}Header/{{{SERVICE_NAMESPACE}}}RequestID")
    assert named is not None, "every request has one"
    named.text = str(request_id)
    return replace(form, request_id=request_id, body=_body_of(document), document=document)


def _body_of(document: etree._Element) -> etree._Element:
    body = document.find(f"{{{SERVICE_NAMESPACE}}}Body/*")
    assert body is not None, "every request has one"
    return body


def signed_pre_command(
    request: ServiceRequest, message: bytes, command_variant: CommandVariant = CommandVariant.SIGNED_SEND
) -> ServiceRequest:
    """The service request that returns a signed pre-command to the DCC (command variant 5, 6 or 7), with the RequestID of the
    request it came from. Raises RequestError."""
    content: dict[str, Content] = {"GBCSPayload": message}
    moment = request.body.findtext(f"{{{SERVICE_NAMESPACE}}}ExecutionDateTime")
    if moment is not None:
        content["ExecutionDateTime"] = moment
    return _request(request.service_reference_variant, request.request_id, command_variant, "SignedPreCommand", content)


def _request(
    variant: str,
    request_id: RequestId,
    command_variant: int,
    element: str,
    body: Mapping[str, Content],
    preceding: RequestId | None = None,
) -> ServiceRequest:
    root = etree.Element(f"{{{SERVICE_NAMESPACE}}}Request", nsmap={"sr": SERVICE_NAMESPACE}, schemaVersion=SCHEMA_VERSION)
    content: dict[str, Content] = {
        "Header": {
            "RequestID": str(request_id),
            **({} if preceding is None else {"PrecedingServiceRequestID": str(preceding)}),
            "CommandVariant": command_variant,
            "ServiceReference": VARIANTS[variant].service,
            "ServiceReferenceVariant": variant,
        },
        "Body": {element: body},
    }
    _fill(root, element_type("Request"), content, "Request")
    etree.indent(root)
    _check(root, element_type("Request"))
    return as_request(root)


def _fill(element: etree._Element, kind: ElementType, content: Content, path: str) -> None:
    if not isinstance(content, Mapping):
        if isinstance(content, Sequence) and not isinstance(content, str | bytes):
            raise RequestError(path, 0, "a sequence where one element stands")
        text = written(content, kind.text)
        element.text = text or None
        return
    for name, value in content.items():
        if name.startswith("@"):
            element.set(name[1:], written(_leaf(value, path), None))
        elif name == "#":
            element.text = written(_leaf(value, path), kind.text)
        elif kind.part(name) is None:
            wanted = ", ".join(part.name for part in kind.parts) or "nothing"
            raise RequestError(f"{path}/{name}", 0, f"not an element of {path.rpartition('/')[2]}; expected {wanted[:300]}")
    repeated = [(part, item) for part in kind.parts if part.name in content for item in _repeated(content[part.name])]
    for part, item in repeated:
        child = etree.SubElement(element, f"{{{SERVICE_NAMESPACE}}}{part.name}")
        _fill(child, element_type(part.type), item, f"{path}/{part.name}")


def _repeated(content: Content) -> Sequence[Content]:
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return content
    return (content,)


def _leaf(content: Content, path: str) -> Value:
    if isinstance(content, Mapping) or (isinstance(content, Sequence) and not isinstance(content, str | bytes)):
        raise RequestError(path, 0, "expected a value")
    return content


_EUIS: Final = frozenset({"EUI", "UpdateFirmware.DeviceIDList", "UpdatePPMIDFirmware.DeviceIDList"})
"""Types whose text is an EUI-64, or several with commas between them."""


def _hyphenated(text: str) -> str:
    """EUIs in whichever spelling somebody typed; what is none stays as it is, for :func:`validate` to tell."""
    try:
        return ",".join(Eui64.parse(one).duis for one in text.split(","))
    except IdentifierError:
        return text


def _bare_code(text: str) -> str:
    """An install code as its label prints it, without its CRC; the shorter ones of DUIS as they stand. Raises IdentifierError."""
    if re.fullmatch(r"\s*[0-9A-Fa-f]{0,32}\s*", text):
        return text
    return InstallCode.parse(text).octets.hex().upper()


def written(value: Value, kind: str | None) -> str:
    """A value as DUIS writes it: UTC times with two decimals and Z, EUIs hyphenated, octets by the type. Raises IdentifierError for an
    install code whose CRC does not hold."""
    match value:
        case str() if kind in _EUIS:
            return _hyphenated(value)
        case str() if kind == "AddDeviceToCHFWhitelist.InstallCode":
            return _bare_code(value)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes():
            return base64.b64encode(value).decode() if is_base64(kind) else value.hex().upper()
        case Eui64():
            return value.duis
        case datetime():
            utc = value if value.tzinfo is None else value.astimezone(UTC)
            return f"{utc.replace(tzinfo=None).isoformat(timespec='seconds')}.00Z"
        case date():
            return f"{value.isoformat()}Z"
        case time():
            return value.strftime("%H:%M:%S.00Z")
        case _:
            return str(value)
