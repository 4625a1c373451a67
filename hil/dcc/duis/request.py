"""Service requests: identifier, service reference variant, body.

The variants with their body elements are data (``variants.csv``; DUIS schema 5.4, reference service-requests.csv).

The DUIS command variants: what the gateway is to do with a request (DUIS schema 5.4; reference dcc-side 1).

Single values read out of a request's body, by the local name of their element.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Self, cast

from lxml import etree

from firmware_emu.errors import CommsHubError, IdentifierError
from firmware_emu.ids import Eui64

SERVICE_NAMESPACE: Final = "http://www.dccinterface.co.uk/ServiceUserGateway"
SIGNATURE_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"
SCHEMA_VERSION: Final = "5.4"


class RequestError(CommsHubError):
    """A service request that cannot be used as it stands: ``element`` (path), ``line`` of the document (0: not from a
    document), ``problem`` with what was read and what was expected."""

    def __init__(self, element: str, line: int, problem: str) -> None:
        super().__init__(f"{element}: {problem}" if not line else f"line {line}, {element}: {problem}")
        self.element = element
        self.line = line
        self.problem = problem


def line_of(element: etree._Element) -> int:
    """Line of the document the element stands on, 0 where it was not read from one. The stubs of lxml do not know its type."""
    return int(cast("Any", element).sourceline or 0)


@dataclass(frozen=True, slots=True)
class RequestId:
    """``originator:target:counter``: EUIs as hyphenated hex, counter decimal (DUIS RequestIDType)."""

    originator: Eui64
    target: Eui64
    counter: int

    def __post_init__(self) -> None:
        if not 0 <= self.counter < 1 << 64:
            raise IdentifierError("an originator counter", self.counter, "0 to 18446744073709551615")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form. Raises IdentifierError."""
        fields = text.strip().split(":")
        if len(fields) != 3 or not fields[2].isdecimal():
            raise IdentifierError("a RequestID", text, "originator:target:counter, as 90-B3-...:00-DB-...:1000")
        return cls(Eui64.parse(fields[0]), Eui64.parse(fields[1]), int(fields[2]))

    def __str__(self) -> str:
        return f"{self.originator.duis}:{self.target.duis}:{self.counter}"


class CommandVariant(IntEnum):
    """Of a service request, or of the signed pre-command with which a critical one comes back."""

    SEND = 1
    RETURN = 2
    """Return the Command to the user for local delivery."""
    SEND_AND_RETURN = 3
    TRANSFORM = 4
    """Of a critical request: return its pre-command."""
    SIGNED_SEND = 5
    SIGNED_RETURN = 6
    SIGNED_SEND_AND_RETURN = 7
    NON_DEVICE = 8
    INTERNAL = 9
    """Inside the DCC's own systems; no request of a user has it."""

    @property
    def local(self) -> bool:
        """True if the Command goes back to the user for local delivery."""
        return self in _LOCAL

    @property
    def over_wan(self) -> bool:
        """True if the Command goes to the hub."""
        return self in _OVER_WAN


_LOCAL = frozenset(
    {CommandVariant.RETURN, CommandVariant.SEND_AND_RETURN, CommandVariant.SIGNED_RETURN, CommandVariant.SIGNED_SEND_AND_RETURN}
)
_OVER_WAN = frozenset(
    {CommandVariant.SEND, CommandVariant.SEND_AND_RETURN, CommandVariant.SIGNED_SEND, CommandVariant.SIGNED_SEND_AND_RETURN}
)
SIGNED = frozenset({CommandVariant.SIGNED_SEND, CommandVariant.SIGNED_RETURN, CommandVariant.SIGNED_SEND_AND_RETURN})
"""Of a signed pre-command."""
NON_CRITICAL = frozenset({CommandVariant.SEND, CommandVariant.RETURN, CommandVariant.SEND_AND_RETURN})


_DEFAULTS: Final = {"critical": CommandVariant.TRANSFORM, "non_device": CommandVariant.NON_DEVICE}


@dataclass(frozen=True, slots=True)
class Variant:
    """A service reference variant. ``kind`` is ``critical``, ``non_critical`` or ``non_device``."""

    variant: str
    service: str
    element: str
    kind: str

    @property
    def default_command_variant(self) -> CommandVariant:
        """Transform for a critical service, non-device for one of the DCC, else send (reference gbcs-messages 3)."""
        return _DEFAULTS.get(self.kind, CommandVariant.SEND)


def _load() -> MappingProxyType[str, Variant]:
    table = (files(__package__) / "variants.csv").read_text(encoding="utf-8")
    return MappingProxyType({row["variant"]: Variant(**row) for row in csv.DictReader(table.splitlines())})


VARIANTS: Final = _load()
"""Every service reference variant by its number, as ``4.1.1``."""


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One service request. ``body`` is the element below ``Body`` (for example ``ReadSupplyStatus``), ``document`` the whole
    request as read or built; ``preceding`` names the request this one waits for."""

    request_id: RequestId
    command_variant: CommandVariant
    service_reference: str
    service_reference_variant: str
    body: etree._Element
    document: etree._Element
    first_in_sequence: bool = False
    preceding: RequestId | None = None

    @property
    def element(self) -> str:
        """Local name of the body element."""
        return etree.QName(self.body).localname

    @property
    def is_signed_pre_command(self) -> bool:
        """True if the body is a SignedPreCommand, that is, a GBCS message that the user signed."""
        return self.element == "SignedPreCommand"

    @property
    def variant(self) -> Variant:
        """The row of this service reference variant."""
        return VARIANTS[self.service_reference_variant]

    @property
    def signed(self) -> bool:
        """True if the document carries an XML signature (nothing is said about its validity)."""
        return self.document.find(f"{{{SIGNATURE_NAMESPACE}}}Signature") is not None


def text(request: ServiceRequest, *path: str) -> str | None:
    """The text of the first element at ``path`` (local names) below the body, anywhere under the body's element."""
    found = request.body.xpath(".//" + "/".join(f"*[local-name()='{name}']" for name in path))
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):
        return None
    return (found[0].text or "").strip()


def has(request: ServiceRequest, name: str) -> bool:
    """True if an element of this local name is in the body."""
    return bool(request.body.xpath(f".//*[local-name()='{name}']"))


def other_device(request: ServiceRequest, name: str) -> Eui64 | None:
    """The EUI-64 in the element ``name``, None where there is none."""
    found = text(request, name)
    try:
        return None if found is None else Eui64.parse(found)
    except IdentifierError:
        return None
