"""Values of a request are taken or refused as libxml2 takes or refuses them by the DUIS schema, at every bound of every type."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from hil.dcc.duis.element_types import ValueType, _tables, element_type, wrong_value, wrong_version
from hil.dcc.duis.request import SERVICE_NAMESPACE

_XS = "{http://www.w3.org/2001/XMLSchema}"
_BUILT_IN = {
    "boolean": ("true", "false", "1", "0", "TRUE", "2", ""),
    "date": ("2026-01-02", "2026-01-02Z", "2026-01-02+01:00", "2026-1-2", "26-01-02", "20260-01-02"),
    "time": ("01:02:03", "01:02:03.5Z", "1:02:03", "01:02", "01:02:03-01:00"),
    "dateTime": ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.25", "2026-01-02 03:04:05", "2026-01-02T03:04Z"),
    "hexBinary": ("", "0a", "0A1b", "0", "0g"),
    "decimal": ("1", "-1.5", "+.5", "1.", "1e5", ".", "a"),
    "short": ("-32769", "-32768", "32767", "32768"),
    "int": ("-2147483649", "-2147483648", "2147483647", "2147483648"),
    "unsignedShort": ("-1", "0", "65535", "65536"),
    "unsignedInt": ("-1", "0", "4294967295", "4294967296"),
    "unsignedLong": ("-1", "0", "18446744073709551615", "18446744073709551616"),
    "positiveInteger": ("0", "1", "99999999999999999999"),
    "nonNegativeInteger": ("-1", "0", "5"),
    "nonPositiveInteger": ("1", "0", "-5"),
    "integer": ("-5", "0", "+7", "1.0", "x"),
}


def root_of(rule: ValueType) -> str:
    base = rule.base
    while base in _tables()[1]:
        base = _tables()[1][base].base
    return base


def around(rule: ValueType) -> Iterator[str]:
    """Values at, below and above each bound of a type, and each word of an enumeration with one that is none."""
    yield from rule.enum
    if rule.enum:
        yield from ("Nothing", rule.enum[0] + " x")
        return
    digits = int(rule.bounds.get("fractionDigits", "0"))
    step = Decimal(1).scaleb(-digits)
    for facet, bound in rule.bounds.items():
        if facet.endswith(("Inclusive", "Exclusive")):
            yield from (str(Decimal(bound) + step * away) for away in (-1, 0, 1))
        elif facet in ("minLength", "maxLength", "length"):
            unit = {"hexBinary": "AB", "base64Binary": "QUJD"}.get(root_of(rule), "A")
            lengths = [int(bound) + away for away in (-1, 0, 1)]
            if unit == "QUJD":
                lengths = [length // 3 for length in lengths]
            yield from (unit * length for length in lengths if 0 <= length < 5000)
        elif facet == "totalDigits":
            yield from ("1" * (int(bound) + away - digits) + (f".{'1' * digits}" if digits else "") for away in (0, 1))
        elif facet == "fractionDigits":
            yield from (f"1.{'1' * (int(bound) + away)}" for away in (0, 1))


@pytest.fixture(scope="module")
def judged(duis: Path) -> etree.XMLSchema:
    """A schema with an element ``t`` and a number for each value type of the table, then one for each built-in type."""
    source = etree.parse(duis / "xsd" / "DUIS.xsd")
    schema = etree.Element(
        f"{_XS}schema", {"targetNamespace": SERVICE_NAMESPACE, "elementFormDefault": "qualified"}, nsmap={"sr": SERVICE_NAMESPACE}
    )
    etree.SubElement(schema, f"{_XS}include", schemaLocation="DUIS.xsd")
    for place, name in enumerate((*_tables()[1], *_BUILT_IN)):
        owner, _, child = name.rpartition(".")
        element = etree.SubElement(schema, f"{_XS}element", name=f"t{place}")
        if name in _BUILT_IN:
            element.set("type", f"xs:{name}")
        elif not owner:
            element.set("type", f"sr:{name}")
        else:
            inside = source.find(f".//{_XS}complexType[@name='{owner}']//{_XS}element[@name='{child}']/{_XS}simpleType")
            if inside is None:
                element.set("type", "xs:string")
                element.set("nillable", "true")  # told apart below: its type stands elsewhere
            else:
                element.append(inside)
    text = etree.tostring(schema).replace(b"<ns0:schema", b'<ns0:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"', 1)
    return etree.XMLSchema(etree.fromstring(text, base_url=str(duis / "xsd" / "tests.xsd")))


def test_the_bounds_of_every_type_are_those_of_the_schema(judged: etree.XMLSchema) -> None:
    elsewhere = compared = 0
    differing = []
    for place, name in enumerate((*_tables()[1], *_BUILT_IN)):
        values = _BUILT_IN[name] if name in _BUILT_IN else tuple(around(_tables()[1][name]))
        element = etree.Element(f"{{{SERVICE_NAMESPACE}}}t{place}")
        element.set("{http://www.w3.org/2001/XMLSchema-instance}nil", "true")
        if judged.validate(element):
            elsewhere += 1
            continue
        for value in values:
            element = etree.Element(f"{{{SERVICE_NAMESPACE}}}t{place}")
            element.text = value
            compared += 1
            if (wrong_value(name, value) is None) is not judged.validate(element):
                differing.append((name, value, wrong_value(name, value)))
    assert differing == []
    assert elsewhere < 20
    assert compared > 400


def test_a_version_is_a_decimal_that_is_served() -> None:
    for text, served in (("5.4", True), ("5.40", True), (" 5.4\n", True), ("5.41", False), ("x", False), ("\u0665.4", False), ("", False)):
        assert (wrong_version(text) is None) is served, text


def test_a_type_knows_its_children_by_name() -> None:
    request = element_type("Request")
    assert [part.name for part in request.parts][:2] == ["Header", "Body"]
    header = request.part("Header")
    assert header is not None
    assert (header.least, header.most, request.part("Nothing")) == (1, 1, None)
    body = element_type("Request").part("Body")
    assert body is not None
    (choice,) = element_type(body.type).choices
    assert choice.needed
    assert choice.given(["ReadSupplyStatus"]) == (("ReadSupplyStatus",),)
    assert choice.given(["Nothing"]) == ()
