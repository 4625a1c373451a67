"""Single values read out of a request's body, by the local name of their element."""

from __future__ import annotations

from lxml import etree

from firmware_emu.errors import IdentifierError
from firmware_emu.ids import Eui64
from hil.dcc.duis.request import ServiceRequest


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
