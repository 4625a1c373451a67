"""Service requests: identifier, service reference variant, command variant, body.

The variants with their body elements are data (``variants.csv``; DUIS schema 5.4, reference service-requests.csv); command variants
by reference dcc-side 1. ``Node`` reads values out of a body by paths of local names, typed, with errors that name element and line.
"""

from __future__ import annotations

import base64
import binascii
import csv
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from functools import lru_cache
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
        if len(fields) != 3 or not re.fullmatch("[0-9]{1,20}", fields[2]):
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


@lru_cache(maxsize=2048)
def _qualified(path: str) -> str:
    return "/".join(f"{{{SERVICE_NAMESPACE}}}{name}" for name in path.split("/"))


def text(request: ServiceRequest, *path: str) -> str | None:
    """The text of the first element at ``path`` (local names) below the body, anywhere under the body's element."""
    found = request.body.find(f".//{_qualified('/'.join(path))}")
    return None if found is None else (found.text or "").strip()


def has(request: ServiceRequest, name: str) -> bool:
    """True if an element of this local name is in the body."""
    return request.body.find(f".//{_qualified(name)}") is not None


def other_device(request: ServiceRequest, name: str) -> Eui64 | None:
    """The EUI-64 in the element ``name``, None where there is none."""
    found = text(request, name)
    try:
        return None if found is None else Eui64.parse(found)
    except IdentifierError:
        return None


_MOMENT = re.compile(r"(\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"(\d{4,})-(\d\d)-(\d\d)(?:Z|[+-]00:00)?", re.ASCII)
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-]00:00)?", re.ASCII)
"""A moment with its zone, a date and a time of day in UTC: whose local time another would be is nowhere said."""
_END_OF_DAY = (24, 0, 0)
CANCELLATION = datetime(3000, 12, 31, tzinfo=UTC)
"""The date-time that stands for "never": it cancels what was future-dated (DUIS templates, reference gbcs-messages 11)."""
UNSPECIFIED_YEAR = 65535
"""The year that stands for "any year" in a schedule's dates without wildcards (DUIS templates of 2.1)."""


@dataclass(frozen=True, slots=True)
class Node:
    """One element of a request. Paths are local names joined by ``/``; an empty path is the element itself."""

    element: etree._Element

    @property
    def name(self) -> str:
        return etree.QName(self.element).localname

    @property
    def line(self) -> int:
        return line_of(self.element)

    def children(self) -> list[Node]:
        """The child elements in order."""
        return [Node(child) for child in self.element if isinstance(child.tag, str)]

    def find(self, path: str) -> Node | None:
        """The first element at ``path``."""
        if not path:
            return self
        found = self.element.find(_qualified(path))
        return None if found is None else Node(found)

    def node(self, path: str) -> Node:
        """The first element at ``path``. Raises RequestError where there is none."""
        found = self.find(path)
        if found is None:
            raise RequestError(f"{self.name}/{path}", self.line, "missing")
        return found

    def nodes(self, path: str) -> list[Node]:
        """Every element at ``path``."""
        return [Node(found) for found in self.element.findall(_qualified(path))]

    def has(self, path: str) -> bool:
        return self.find(path) is not None

    def text(self, path: str = "") -> str:
        """Text of the element at ``path``, as written (inner spaces count)."""
        return self.node(path).element.text or ""

    def _bad(self, path: str, expected: str) -> RequestError:
        return RequestError(f"{self.name}/{path}".rstrip("/"), self.node(path).line, f"read {self.text(path)[:60]!r}, expected {expected}")

    def integer(self, path: str = "") -> int:
        """Raises RequestError unless a whole number."""
        try:
            return int(self.text(path))
        except ValueError:
            raise self._bad(path, "a whole number") from None

    def scaled(self, path: str, factor: int) -> int:
        """A decimal times ``factor`` as a whole number. Raises RequestError where digits would be lost."""
        try:
            value = Decimal(self.text(path).strip()) * factor
        except InvalidOperation:
            raise self._bad(path, "a decimal") from None
        if value != value.to_integral_value():
            raise self._bad(path, f"a multiple of 1/{factor}")
        return int(value)

    def boolean(self, path: str = "") -> bool:
        text = self.text(path).strip()
        if text not in ("true", "false", "1", "0"):
            raise self._bad(path, "true or false")
        return text in ("true", "1")

    def octets(self, path: str = "") -> bytes:
        """Hexadecimal text as octets."""
        try:
            return bytes.fromhex(self.text(path).strip())
        except ValueError:
            raise self._bad(path, "hexadecimal digits") from None

    def base64(self, path: str = "") -> bytes:
        """Base64 text as octets."""
        try:
            return base64.b64decode("".join(self.text(path).split()), validate=True)
        except (binascii.Error, ValueError):
            raise self._bad(path, "base64") from None

    def eui(self, path: str = "") -> Eui64:
        try:
            return Eui64.parse(self.text(path))
        except IdentifierError as trouble:
            raise RequestError(f"{self.name}/{path}", self.node(path).line, str(trouble)) from trouble

    def attribute(self, name: str) -> int:
        """A whole-number attribute, as ``index``. Raises RequestError."""
        value = self.element.get(name)
        if value is None or not re.fullmatch("[0-9]{1,20}", value):
            raise RequestError(f"{self.name}/@{name}", self.line, f"read {value!r}, expected a whole number")
        return int(value)

    def moment(self, path: str) -> datetime:
        """A date-time in UTC; fractions of a second are dropped, and 24:00:00 begins the next day (XML Schema). Raises RequestError."""
        found = _MOMENT.fullmatch(self.text(path).strip())
        if found is None:
            raise self._bad(path, "a date-time with its zone, as 2030-01-15T09:00:00.00Z")
        try:
            year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
            late = (hour, minute, second) == _END_OF_DAY
            moment = datetime(year, month, day, 0 if late else hour, minute, second, tzinfo=UTC) + timedelta(days=late)
            zone = found.group(7)
            return moment if zone == "Z" else datetime.fromisoformat(f"{moment.replace(tzinfo=None).isoformat()}{zone}").astimezone(UTC)
        except (ValueError, OverflowError):
            raise self._bad(path, "a date-time of the calendar") from None

    def window(self, start: str, seconds: str) -> tuple[datetime, datetime]:
        """A date-time and the one that is so many seconds later. Raises RequestError."""
        begins = self.moment(start)
        try:
            return begins, begins + timedelta(seconds=self.integer(seconds))
        except OverflowError:
            raise self._bad(seconds, "seconds that end before the year 10000") from None

    def day(self, path: str) -> tuple[int, int, int]:
        """Year, month, day of a date; the year may be :data:`UNSPECIFIED_YEAR`. Raises RequestError."""
        found = _DATE.fullmatch(self.text(path).strip())
        if found is None:
            raise self._bad(path, "a date in UTC as 2015-03-28Z")
        year, month, day = int(found.group(1)), int(found.group(2)), int(found.group(3))
        try:
            date(2000 if year == UNSPECIFIED_YEAR else year, month, day)
        except ValueError:
            raise self._bad(path, "a date of the calendar") from None
        return year, month, day

    def clock(self, path: str) -> time:
        """A time of day; 24:00:00 is midnight. Raises RequestError."""
        found = _CLOCK.fullmatch(self.text(path).strip())
        try:
            if found is not None:
                hour, minute, second = (int(part) for part in found.groups()[:3])
                return time(0 if (hour, minute, second) == _END_OF_DAY else hour, minute, second)
        except ValueError:
            pass
        raise self._bad(path, "a time in UTC as 07:30:00.00Z")
