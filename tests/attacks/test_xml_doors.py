"""Every door through which XML comes in refuses what its reader could see otherwise than its signature: entities, and comments and
processing instructions inside values; and none of them unfolds a document that grows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from decimal import Decimal

import pytest
from lxml import etree
from starlette.requests import Request

from firmware_emu.console.layers import LayerKnowledge
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.console.explain_xml import explain_xml
from hil.dcc.anomaly.thresholds import _values
from hil.dcc.duis import new_request, read_request, write_request
from hil.dcc.duis.document import parse_document
from hil.dcc.service.exchange import NotARequest, _named
from hil.dcc.service.smki import _text
from hil.parse_correlate import request as correlate_request
from hil.parse_correlate.errors import ParseCorrelateError

USER, METER = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")
HONEST = write_request(new_request("4.1.1", USER, METER, 1000, {}))


def _repository(octets: bytes) -> None:
    """The SMKI repository answers a query that it cannot use with None."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": octets, "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": [], "path": "/"}, receive)  # type: ignore[arg-type]
    if asyncio.run(_text(request, "Request", ("Header",))) is None:
        raise CommsHubError("refused")


DOORS: dict[str, Callable[[bytes], object]] = {
    "a request": read_request,
    "the web service": _named,
    "the SMKI repository": _repository,
    "parse and correlate": correlate_request.read_request,
    "explain": lambda octets: explain_xml(octets, LayerKnowledge()),
}


def _grows(where: str) -> bytes:
    """A document of 500 octets that stands for 10^9."""
    entities = '<!ENTITY a0 "ten octets">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    held = '<Request b="&a8;"/>' if where == "attribute" else "<Request>&a8;</Request>"
    return f'<?xml version="1.0"?><!DOCTYPE Request [{entities}]>{held}'.encode()


def _with_entity(octets: bytes) -> bytes:
    """The request with an entity for its last digit."""
    head, declaration, rest = octets.partition(b"?>")
    return head + declaration + b'<!DOCTYPE x [<!ENTITY e "1">]>' + rest.replace(b":1000<", b":100&e;<")


BROKEN = {
    "a document that grows in a value": _grows("value"),
    "a document that grows in an attribute": _grows("attribute"),
    "the same in UTF-16": _grows("value").decode().replace('"1.0"', '"1.0" encoding="utf-16"').encode("utf-16"),
    "an entity in a value": _with_entity(HONEST),
}
SPLIT = {
    "a comment in a value": HONEST.replace(b":1000<", b":100<!---->0<"),
    "a processing instruction in a value": HONEST.replace(b":1000<", b":100<?x?>0<"),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_no_door_takes_a_document_with_entities(door: Callable[[bytes], object], octets: bytes) -> None:
    with pytest.raises((CommsHubError, NotARequest, ParseCorrelateError)):
        door(octets)


@pytest.mark.parametrize(
    "door", [door for name, door in DOORS.items() if name != "explain"], ids=[name for name in DOORS if name != "explain"]
)
@pytest.mark.parametrize("octets", SPLIT.values(), ids=SPLIT)
def test_no_door_takes_a_value_that_is_split(door: Callable[[bytes], object], octets: bytes) -> None:
    assert octets != HONEST
    with pytest.raises((CommsHubError, NotARequest, ParseCorrelateError)):
        door(octets)


@pytest.mark.parametrize("name", ["a request", "the web service", "parse and correlate"])
def test_no_door_takes_more_elements_than_any_request_has(name: str) -> None:
    """A million of them in 4 MB had cost 200 MB before they were refused. Comments, so that nothing else is wrong with it."""
    octets = HONEST.replace(b"<sr:Body>", b"<!---->" * 400_001 + b"<sr:Body>")
    with pytest.raises((CommsHubError, NotARequest, ParseCorrelateError), match="signs of elements and attributes"):
        DOORS[name](octets)


def test_comments_cost_as_much_each_however_many_there_are() -> None:
    def steps(count: int) -> int:
        made = 0

        def seen(*_: object) -> None:
            nonlocal made
            made += 1

        octets = b"<a>" + b"<!---->" * count + b"<b/></a>"
        sys.setprofile(seen)
        try:
            parse_document(octets)
        finally:
            sys.setprofile(None)
        return made

    assert steps(800) < 3 * steps(400)


@pytest.mark.parametrize("octets", SPLIT.values(), ids=SPLIT)
def test_explain_shows_the_whole_of_a_value_that_is_split(octets: bytes) -> None:
    assert ":1000" in str(explain_xml(octets, LayerKnowledge()))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-Infinity", "x", ""])
def test_a_value_that_is_no_number_is_compared_with_no_limit(text: str) -> None:
    request = new_request("4.1.1", USER, METER, 1000, {})
    etree.SubElement(request.body, "Amount").text = text
    etree.SubElement(request.body, "Amount").text = "12.5"
    assert list(_values(request, "Amount")) == [Decimal("12.5")]


def test_the_honest_request_passes_every_door() -> None:
    for name, door in DOORS.items():
        if name != "the SMKI repository":
            assert door(HONEST) is not None
