"""Building MMC elements: small, ordered, written once."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from lxml import etree

from ...message.envelope import Entity
from ...message.moments import date_time, since_2000

NAMESPACE: Final = "http://www.dccinterface.co.uk/ResponseAndAlert"
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold; a Device may put them into a text."""

Text: TypeAlias = "str | int | bool | bytes | datetime | Entity"


@dataclass(frozen=True, slots=True)
class Element:
    """An element: text or children, never both."""

    name: str
    text: Text | None = None
    children: tuple[Element, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


Content: TypeAlias = tuple[Element, ...]
"""Result of reading one response."""


def leaf(name: str, value: Text | None, **attributes: object) -> tuple[Element, ...]:
    """An element with a value, or nothing where there is none."""
    if value is None:
        return ()
    return (Element(name, value, (), {key: written(given) for key, given in attributes.items()}),)


def group(name: str, *children: Iterable[Element], **attributes: object) -> tuple[Element, ...]:
    """An element with children; it is there even where it has none."""
    inner = tuple(element for part in children for element in part)
    return (Element(name, None, inner, {key: written(given) for key, given in attributes.items()}),)


def written(value: object) -> str:
    """A value as XML schema writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex().upper()
        case datetime():
            return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
        case Entity():
            return value.hyphenated
        case _:
            return str(value)


def base64_text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def seconds(count: int) -> datetime:
    """The moment of a count of seconds since 2000."""
    return since_2000(count)


def moment(octets: bytes | None) -> datetime | None:
    """A COSEM date-time, None where it names no moment."""
    return None if octets is None else date_time(octets)


def build(parent: etree._Element, elements: Iterable[Element]) -> None:
    """Append elements below ``parent``."""
    for element in elements:
        attributes = {name: _NOT_XML.sub("\ufffd", value) for name, value in element.attributes.items()}
        node = etree.SubElement(parent, f"{{{NAMESPACE}}}{element.name}", attributes)
        if element.text is not None:
            node.text = _NOT_XML.sub("\ufffd", written(element.text))
        build(node, element.children)
