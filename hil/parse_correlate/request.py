"""A service request as its signed octets say it: own reading of the XML, independent of whoever turned it into a message.

Give the octets whose signature was verified: what was verified is what is read here. No document type or entity is taken, and no comment or
processing instruction may stand where a value is, so that no two readers can see two values. Comments between elements are passed over.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NoReturn, cast

from lxml import etree

from .errors import RequestError
from .message.envelope import Entity

_NAMESPACE: Final = "http://www.dccinterface.co.uk/ServiceUserGateway"
_LARGEST, _DEEPEST, _MARKS = 4 * 1024 * 1024, 32, 400_000
"""Bounds of our own: a critical request of the reference set has 60 kB and 13 levels."""
CANCELLATION: Final = datetime(3000, 12, 31, tzinfo=UTC)
"""The date-time that stands for "never" (reference gbcs-messages 11)."""
ANY_YEAR: Final = 65535
"""The year that stands for any year in dates without wildcards (DUIS templates of 2.1)."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_DATE = re.compile(r"([0-9]{4,5})-([0-9]{2})-([0-9]{2})(?:Z|[+-]00:00)?")
_END_OF_DAY = (24, 0, 0)
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:Z|[+-]00:00)?")


@dataclass(slots=True, eq=False)
class Node:
    """One element. Paths are local names joined by ``/``; an empty path is the element itself. What is read is marked as read."""

    name: str
    content: str
    attributes: dict[str, str]
    parts: list[Node]
    line: int
    read: set[str] = field(default_factory=set)

    def children(self) -> list[Node]:
        """The elements inside, in order."""
        return list(self.parts)

    def nodes(self, path: str) -> list[Node]:
        """Every element at ``path``."""
        found = [self]
        for name in path.split("/") if path else ():
            found = [part for node in found for part in node.parts if part.name == name]
        return found

    def find(self, path: str) -> Node | None:
        """The element at ``path``. Raises RequestError where there are several: readers could take one or the other."""
        found = self.nodes(path)
        if len(found) > 1:
            raise RequestError(f"{self.name}/{path}", found[1].line, f"occurs {len(found)} times, expected once")
        return found[0] if found else None

    def node(self, path: str) -> Node:
        """The one element at ``path``. Raises RequestError where there is none."""
        found = self.find(path)
        if found is None:
            raise RequestError(f"{self.name}/{path}", self.line, "missing")
        return found

    def has(self, path: str) -> bool:
        return bool(self.nodes(path))

    def text(self, path: str = "") -> str:
        """Text as written."""
        found = self.node(path)
        if found.parts:
            raise RequestError(f"{self.name}/{path}".rstrip("/"), found.line, "holds elements, expected text")
        found.read.add("")
        return found.content

    def word(self, path: str = "") -> str:
        """Text without the blanks around it."""
        return self.text(path).strip()

    def one_of(self, path: str, numbers: Mapping[str, int]) -> int:
        """The number that stands for a word. Raises RequestError for any other word."""
        word = self.word(path)
        return numbers[word] if word in numbers else self._bad(path, " or ".join(numbers))

    def _bad(self, path: str, expected: str) -> NoReturn:
        found = self.node(path)
        raise RequestError(f"{self.name}/{path}".rstrip("/"), found.line, f"read {found.content[:60]!r}, expected {expected}")

    def integer(self, path: str = "") -> int:
        """A whole number. Raises RequestError."""
        text = self.word(path)
        return int(text) if _WHOLE.fullmatch(text) else self._bad(path, "a whole number")

    def scaled(self, path: str, factor: int) -> int:
        """A decimal times ``factor``. Raises RequestError where digits would be lost."""
        text = self.word(path)
        if not _DECIMAL.fullmatch(text):
            self._bad(path, "a decimal")
        value = Decimal(text) * factor
        return int(value) if value == value.to_integral_value() else self._bad(path, f"a multiple of 1/{factor}")

    def boolean(self, path: str = "") -> bool:
        found = {"true": True, "1": True, "false": False, "0": False}.get(self.word(path))
        return self._bad(path, "true or false") if found is None else found

    def octets(self, path: str = "") -> bytes:
        """Hexadecimal text."""
        text = self.word(path)
        return bytes.fromhex(text) if re.fullmatch("([0-9A-Fa-f]{2})*", text) else self._bad(path, "hexadecimal digits")

    def base64(self, path: str = "") -> bytes:
        """Base64 text."""
        try:
            return base64.b64decode("".join(self.text(path).split()), validate=True)
        except (binascii.Error, ValueError):
            self._bad(path, "base64")

    def entity(self, path: str = "") -> Entity:
        try:
            return Entity.parse(self.word(path))
        except ValueError:
            self._bad(path, "an EUI-64 as 90-B3-D5-1F-30-01-00-00")

    def attribute(self, name: str) -> int:
        """A whole number in an attribute. Raises RequestError."""
        value = self.attributes.get(name, "")
        if not re.fullmatch("[0-9]{1,9}", value):
            raise RequestError(f"{self.name}/@{name}", self.line, f"read {value!r}, expected a whole number")
        self.read.add(name)
        return int(value)

    def moment(self, path: str) -> datetime:
        """A date-time in UTC; fractions of a second are dropped, and 24:00:00 begins the next day (XML Schema). Raises RequestError."""
        found = _MOMENT.fullmatch(self.word(path))
        if found is None:
            self._bad(path, "a date-time as 2030-01-15T09:00:00.00Z")
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        try:
            late = (hour, minute, second) == _END_OF_DAY
            moment = datetime(year, month, day, 0 if late else hour, minute, second, tzinfo=UTC) + timedelta(days=late)
            zone = found.group(7)
            if zone not in (None, "Z"):
                ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
                moment = moment - ahead if zone[0] == "+" else moment + ahead
        except (ValueError, OverflowError):
            self._bad(path, "a date-time of the calendar")
        return moment

    def window(self, start: str, seconds: str) -> tuple[datetime, datetime]:
        """A date-time and the one so many seconds after it. Raises RequestError."""
        begins = self.moment(start)
        try:
            return begins, begins + timedelta(seconds=self.integer(seconds))
        except OverflowError:
            self._bad(seconds, "seconds that end before the year 10000")

    def day(self, path: str) -> tuple[int, int, int]:
        """Year, month, day; the year may be :data:`ANY_YEAR`. Raises RequestError."""
        found = _DATE.fullmatch(self.word(path))
        if found is None:
            self._bad(path, "a date in UTC as 2015-03-28Z")
        year, month, day = (int(part) for part in found.groups())
        try:
            date(2000 if year == ANY_YEAR else year, month, day)
        except ValueError:
            self._bad(path, "a date of the calendar")
        return year, month, day

    def clock(self, path: str) -> time:
        """A time of day in UTC; 24:00:00 is midnight. Raises RequestError."""
        found = _CLOCK.fullmatch(self.word(path))
        if found is None:
            self._bad(path, "a time in UTC as 07:30:00.00Z")
        try:
            hour, minute, second = (int(part) for part in found.groups())
            return time(0 if (hour, minute, second) == _END_OF_DAY else hour, minute, second)
        except ValueError:
            self._bad(path, "a time of day")

    def unread(self, path: str = "") -> Iterator[tuple[str, str]]:
        """Path and value of every text and attribute below that nobody has read."""
        here = f"{path}/{self.name}".lstrip("/")
        for name, value in self.attributes.items():
            if name not in self.read:
                yield f"{here}/@{name}", value
        if not self.parts and self.content.strip() and "" not in self.read:
            yield here, self.content.strip()
        for part in self.parts:
            yield from part.unread(here)


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """Sender, recipient and wish of a request: EUI-64s and counter of the RequestID, service reference and variant, the element in the
    body."""

    originator: Entity
    target: Entity
    counter: int
    service: str
    variant: str
    body: Node


def read_request(octets: bytes) -> ServiceRequest:
    """Read a service request. Raises RequestError naming element, line and expectation."""
    root = _tree(octets)
    header, body = root.node("Header"), root.node("Body")
    parts = body.children()
    if len(parts) != 1:
        raise RequestError("Request/Body", body.line, f"holds {len(parts)} elements, expected one")
    words = header.word("RequestID").split(":")
    line = header.node("RequestID").line
    if len(words) != 3 or not re.fullmatch("[0-9]{1,20}", words[2]):
        raise RequestError("Request/Header/RequestID", line, f"read {':'.join(words)[:80]!r}, expected originator:target:counter")
    try:
        originator, target = Entity.parse(words[0]), Entity.parse(words[1])
    except ValueError as trouble:
        raise RequestError("Request/Header/RequestID", line, str(trouble)) from trouble
    return ServiceRequest(
        originator, target, int(words[2]), header.word("ServiceReference"), header.word("ServiceReferenceVariant"), parts[0]
    )


def _tree(octets: bytes) -> Node:
    if len(octets) > _LARGEST:
        raise RequestError("document", 0, f"{len(octets)} octets, expected at most {_LARGEST}")
    if (marks := octets.count(b"<") + octets.count(b"=")) > _MARKS:  # a node of each element is kept
        raise RequestError("document", 0, f"{marks} signs of elements and attributes (< and =), expected at most {_MARKS}")
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True)
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as trouble:
        raise RequestError("document", trouble.lineno or 1, f"not well-formed XML: {trouble.msg}") from trouble
    if cast("Any", root.getroottree().docinfo).doctype:
        raise RequestError("document", 1, "carries a document type declaration, expected none")
    if root.tag != f"{{{_NAMESPACE}}}Request":
        raise RequestError("document", 1, f"begins with {root.tag}, expected Request of {_NAMESPACE}")
    return _node(root, 0)


def _node(element: etree._Element, depth: int) -> Node:
    name = etree.QName(element)
    # The stubs of lxml do not know the type of a line number.
    line = int(cast("Any", element).sourceline or 0)
    if depth > _DEEPEST:
        raise RequestError(name.localname, line, f"nested deeper than {_DEEPEST}")
    inner = [child for child in element if isinstance(child.tag, str)]
    if len(inner) != len(element) and not (inner and all(isinstance(child, etree._Comment) for child in element if child not in inner)):
        raise RequestError(name.localname, line, "holds a comment, a processing instruction or an entity where a value is")
    parts = [_node(child, depth + 1) for child in inner if etree.QName(child).namespace == _NAMESPACE]
    texts = [element.text or "", *(child.tail or "" for child in element)]
    if inner and any(text.strip() for text in texts):
        raise RequestError(name.localname, line, f"holds text between its elements: {' '.join(' '.join(texts).split())[:40]!r}")
    attributes = {str(key): str(value) for key, value in element.attrib.items() if not str(key).startswith("{")}
    return Node(name.localname, "" if inner else texts[0], attributes, parts, line)
