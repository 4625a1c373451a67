"""Reading values out of a request: paths of local names, typed, with errors that name element and line."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from lxml import etree

from firmware_emu.errors import IdentifierError
from firmware_emu.ids import Eui64
from hil.dcc.duis.request import SERVICE_NAMESPACE, RequestError, line_of

_MOMENT = re.compile(r"(\d{4,})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?")
CANCELLATION = datetime(3000, 12, 31, tzinfo=UTC)
"""The date-time that stands for "never": it cancels what was future-dated (DUIS templates, reference gbcs-messages 11)."""
UNSPECIFIED_YEAR = 65535
"""The year that stands for "any year" in a schedule's dates without wildcards (DUIS templates of 2.1)."""


@lru_cache(maxsize=2048)
def _qualified(path: str) -> str:
    return "/".join(f"{{{SERVICE_NAMESPACE}}}{name}" for name in path.split("/"))


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
        if value is None or not value.isdecimal():
            raise RequestError(f"{self.name}/@{name}", self.line, f"read {value!r}, expected a whole number")
        return int(value)

    def moment(self, path: str) -> datetime:
        """A date-time in UTC; fractions of a second are dropped. Raises RequestError."""
        found = _MOMENT.fullmatch(self.text(path).strip())
        if found is None:
            raise self._bad(path, "a date-time as 2030-01-15T09:00:00.00Z")
        try:
            numbers = [int(part) for part in found.groups()[:6]]
            moment = datetime(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], tzinfo=UTC)
        except ValueError:
            raise self._bad(path, "a date-time of the calendar") from None
        zone = found.group(7)
        if zone in (None, "Z"):
            return moment
        return datetime.fromisoformat(f"{moment:%Y-%m-%dT%H:%M:%S}{zone}").astimezone(UTC)

    def day(self, path: str) -> tuple[int, int, int]:
        """Year, month, day of a date; the year may be :data:`UNSPECIFIED_YEAR`. Raises RequestError."""
        text = self.text(path).strip()
        found = re.fullmatch(r"(\d{4,})-(\d\d)-(\d\d)(Z|[+-]\d\d:\d\d)?", text)
        if found is None:
            raise self._bad(path, "a date as 2015-03-28Z")
        year, month, day = int(found.group(1)), int(found.group(2)), int(found.group(3))
        try:
            date(2000 if year == UNSPECIFIED_YEAR else year, month, day)
        except ValueError:
            raise self._bad(path, "a date of the calendar") from None
        return year, month, day

    def clock(self, path: str) -> time:
        """A time of day. Raises RequestError."""
        found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?", self.text(path).strip())
        try:
            if found is not None:
                return time(int(found.group(1)), int(found.group(2)), int(found.group(3)))
        except ValueError:
            pass
        raise self._bad(path, "a time as 07:30:00.00Z")
