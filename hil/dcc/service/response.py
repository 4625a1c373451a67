"""Documents of the DCC: Responses and alerts as DUIS 5.4 has them, on one line, signed with the DCC's key (reference duis-gateway 3, 4).

A tree is a sequence of (element, content); content is text, or a tree. None leaves the element out.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from cryptography import x509
from lxml import etree

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.primitives import PrivateKey
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64
from hil.dcc.duis import RequestId
from hil.dcc.duis.document import sign_document
from hil.dcc.duis.request import SERVICE_NAMESPACE, Node
from hil.dcc.inventory.inventory import COMMISSIONED
from hil.dcc.service.settings import ServiceSettings

Tree: TypeAlias = "Sequence[tuple[str, str | Tree | None]]"


@dataclass(frozen=True, slots=True)
class Signer:
    """Key and certificate with which the DCC signs XML."""

    key: PrivateKey
    certificate: x509.Certificate

    @classmethod
    def of(cls, keystore: Keystore, dcc: Eui64) -> Signer:
        """The DCC's XML signing pair; without one its digital signature pair, which the field's own tool does not know (reference
        duis-gateway 4.5). Raises KeystoreError."""
        try:
            return cls(keystore.xml_signing_key(dcc), keystore.xml_signing_certificate(dcc))
        except KeystoreError:
            usage = KeyUsage.DIGITAL_SIGNATURE
            return cls(keystore.private_key(dcc, usage), keystore.certificate(dcc, usage))


@dataclass(frozen=True, slots=True)
class Documents:
    """Maker of the DCC's documents. ``now`` is bench time, seconds since 2000."""

    signer: Signer
    settings: ServiceSettings
    now: Callable[[], float]
    only_schema: Callable[[], str | None] = lambda: None
    """schemaVersion of a fault in force, instead of the settings'."""

    def message(self, kind: str, code: str, content: Tree, *, request: str | None = None, response: str | None = None) -> bytes:
        """A signed document. ``kind`` is ResponseMessage, DeviceAlertMessage or DCCAlertMessage; ``request`` and ``response`` are
        RequestID and ResponseID."""
        root = etree.Element(
            _name("Response"), nsmap={"sr": SERVICE_NAMESPACE}, schemaVersion=self.only_schema() or self.settings.schema_version
        )
        header: Tree = (
            ("RequestID", request),
            ("ResponseID", response),
            ("ResponseCode", code),
            ("ResponseDateTime", moment_of(self.now())),
        )
        _fill(root, (("Header", header), ("Body", ((kind, content),))))
        signed = sign_document(root, self.signer.key, self.signer.certificate)
        return etree.tostring(signed, xml_declaration=True, encoding="UTF-8", standalone=False)

    def response(
        self, request: str | None, variant: str, reference: str, code: str, payload: Tree = (), *, from_device: bool = False
    ) -> bytes:
        """A Response to ``request``; ``payload`` is the one element after the service reference variant. ``from_device``: it brings a
        Device's Response, whose ResponseID names the Device first (reference duis-gateway 3.1)."""
        content: Tree = (("ServiceReference", reference), ("ServiceReferenceVariant", variant), *payload)
        response = None if request is None or not from_device else _turned(RequestId.parse(request))
        return self.message("ResponseMessage", code, content, request=request, response=response)


def _turned(identifier: RequestId) -> str:
    return str(RequestId(identifier.target, identifier.originator, identifier.counter))


def _name(local: str) -> str:
    return f"{{{SERVICE_NAMESPACE}}}{local}"


def _fill(element: etree._Element, tree: Tree) -> None:
    for name, content in tree:
        if content is None:
            continue
        child = etree.SubElement(element, _name(name))
        if isinstance(content, str):
            child.text = content
        else:
            _fill(child, content)


def moment_of(seconds: float) -> str:
    """Bench time as DUIS answers write it: UTC, milliseconds, Z."""
    moment = EPOCH + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def day_of(seconds: float) -> str:
    """Bench time as a date."""
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%d}Z"


def base64_of(octets: bytes) -> str:
    """Octets in one piece: a line break inside would break the signature (reference duis-gateway 4.2)."""
    return base64.b64encode(octets).decode()


def gbcs(octets: bytes) -> Tree:
    """A Response's GBCS message."""
    return (("GBCSPayload", base64_of(octets)),)


# The data of services that the DCC carries out itself


def payload_of(variant: str, result: Mapping[str, object], request: etree._Element) -> Tree:
    """The element that holds the result of a service of the DCC, nothing for one without data. ``request`` is the body's element, of
    which some answers repeat parts."""
    reference = ".".join(variant.split(".")[:2])
    match reference:
        case "5.1" if "DSPScheduleID" in result:
            return (("DSPScheduleID", str(result["DSPScheduleID"])),)
        case "5.2":
            rows = _rows(result, "schedules")
            return (("DSPSchedulesRead", tuple(("DSPSchedules", _schedule(row)) for row in rows)),) if rows else ()
        case "8.2":
            devices = _rows(result, "devices")[:MOST_DEVICES]
            return (("DSPInventory", tuple(("Device", _device(row)) for row in devices)),) if devices else ()
        case "8.6" if result:
            return (("DSPOptIn", _opt_in(result, request)),)
        case "11.1" | "11.4":
            name = "DSPUpdateFirmwareWarning" if reference == "11.1" else "DSPUpdatePPMIDFirmwareWarning"
            lists = tuple((key, ",".join(map(str, value))) for key in WARNINGS if isinstance(value := result.get(key), list) and value)
            return ((name, lists),) if lists else ()
        case "12.1":
            found = tuple(("DSPWANMatrixResponse", _coverage(row)) for row in _rows(result, "DSPWANMatrixResponse"))
            return (("DSPWANMatrix", (("Request", _repeated(request)), *found)),)
        case _:
            return ()


MOST_DEVICES = 17
"""Devices of one DSPInventory (DUIS 5.4)."""
WARNINGS = (
    "InvalidDeviceIDList",
    "NotCommissionedDeviceIDList",
    "NotApplicableFirmwareDeviceIDList",
    "OtherRequestInProgressList",
    "InvalidGBCSVersionList",
)
"""Lists of a firmware warning, in the order of DUIS 5.4."""


def _rows(result: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    found = result.get(name)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, Sequence) else []


def _text(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def _device(row: Mapping[str, object]) -> Tree:
    """One Device of 8.2, in the order of DUIS 5.4. ``row`` is that of the DCC's inventory."""
    commissioned = next((one["time"] for one in _rows(row, "history") if one["status"] == COMMISSIONED), None)
    place = _text(row.get("postcode")), _text(row.get("premises"))
    return (
        ("DeviceID", Eui64.parse(str(row["eui"])).duis),
        ("DeviceType", _text(row.get("kind")) or str(row["type"])),
        ("DeviceStatus", None if row["type"] == "TYPE_2" else _text(row.get("status"))),
        ("DeviceManufacturer", str(row.get("manufacturer", ""))),
        ("DeviceModel", str(row.get("model", ""))),
        ("SMETSCHTSVersion", _text(row.get("version"))),
        ("DeviceFirmwareVersion", _text(row.get("firmware"))),
        ("DateCommissioned", day_of(commissioned) if isinstance(commissioned, float) else None),
        ("ImportMPxN", _text(row.get("import_mpxn"))),
        ("SecondaryImportMPAN", _text(row.get("secondary_mpan"))),
        ("ExportMPAN", _text(row.get("export_mpan"))),
        ("ESMEVariant", _text(row.get("esme_variant"))),
        ("UPRN", _text(row.get("uprn"))),
        ("PropertyFilter", (("PostCode", place[0]), ("AddressIdentifier", place[1])) if all(place) else None),
    )


def _schedule(row: Mapping[str, object]) -> Tree:
    xml = row.get("details")
    details = _repeated(xml) if isinstance(xml, etree._Element) else ()
    return (("DSPScheduleID", str(row["DSPScheduleID"])), ("DSPScheduleDetails", details))


def _repeated(element: etree._Element) -> Tree:
    """The content of a request, once more."""
    return tuple(
        (etree.QName(child).localname, _repeated(child) if len(child) else (child.text or "").strip())
        for child in element
        if isinstance(child.tag, str)
    )


def _opt_in(result: Mapping[str, object], request: etree._Element) -> Tree:
    return (
        ("DeviceID", Node(request).text("DeviceID")),
        ("DSPBrokerSecurityCredentialsDigitalSigning", _text(result.get("digital_signature"))),
        ("DSPBrokerSecurityCredentialsKeyAgreement", _text(result.get("key_agreement"))),
    )


def _coverage(row: Mapping[str, object]) -> Tree:
    covered = row.get("CoverageAvailability")
    return (
        ("CSPRegion", str(row["CSPRegion"])),
        ("CSPRegionResponseCode", "I0"),
        ("CoverageAvailability", None if covered is None else "true" if covered else "false"),
        ("AnticipatedCoverageDate", _text(row.get("AnticipatedCoverageDate"))),
        ("WANTechnology", _text(row.get("WANTechnology"))),
        ("ConnectivityLikelihood", _text(row.get("ConnectivityLikelihood"))),
        ("AuxiliaryEquipmentRequired", _text(row.get("AuxiliaryEquipmentRequired"))),
    )
