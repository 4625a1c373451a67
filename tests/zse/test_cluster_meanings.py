"""Every enumeration and bit field of the clusters has a meaning, or says that no source tells it."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator

import pytest

from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.meanings import is_invalid, meaning, meanings
from firmware_emu.zse.declare import Field, Layout, Repeat
from firmware_emu.zse.zcl import BY_NAME, ZclStatus


def _fields(layout: Layout) -> Iterator[Field]:
    for item in layout:
        if isinstance(item, Repeat):
            yield from _fields(item.fields)
        else:
            yield item


def _places() -> dict[str, str]:
    """Every attribute and field of a cluster by its place, with its type."""
    places: dict[str, str] = {}
    for cluster in clusters.ALL:
        for attribute in (*cluster.attributes, *cluster.client_attributes):
            places[f"{cluster.id:04x} {attribute.name}"] = attribute.type.name
        for command in (*cluster.to_server.values(), *cluster.to_client.values()):
            for field in _fields(command.layout or ()):
                places[f"{cluster.id:04x} {command.name}.{field.name}"] = field.type.name
    return places


def test_every_enumeration_and_bit_field_of_the_clusters_has_a_meaning() -> None:
    coded = [place for place, kind in _places().items() if kind.startswith(("enum", "bitmap"))]
    assert len(coded) > 200
    assert [place for place in coded if meanings().of(place) is None] == []


def test_every_meaning_belongs_to_a_field_that_is_declared() -> None:
    places = _places()
    named = {place.partition(" ")[2] for place in places}
    stray = [one for one in meanings().fields if one not in places and one.partition(" ")[2] not in named]
    assert stray == []


def test_a_meaning_without_values_says_why() -> None:
    silent = [one.name for one in meanings().sets.values() if not (one.values or one.parts or one.note)]
    assert silent == []
    assert all(one.source for one in meanings().sets.values())


@pytest.mark.parametrize(
    ("cluster", "place", "number", "told"),
    [
        (0x0702, "PublishSnapshot.cause", 0x2000, "change of Supplier"),
        (0x0705, "payment_control_configuration", 0x0C94, "debt Configuration, emergency Debt Configuration"),
        (0x0702, "supply_status", 2, "on (Enabled)"),
        (0x0700, "currency", 826, "GBP, pounds sterling"),
        (0x0700, "PublishTariffInformation.trailing_digit", 0x50, "digits behind the decimal point 5"),
        (0x0709, "GetEventLog.control_and_log", 0x31, "full information 1, log general event log"),
        (0x0702, "attribute_reporting_status", 1, "complete"),
        (0x0019, "ImageBlockResponse.status", ZclStatus.WAIT_FOR_DATA, "wait for data"),
        (0x0702, "supply_status", 9, "no value of supply state"),
        (0x0702, "PublishSnapshot.cause", 0, "none set"),
        (0x0702, "current_summation_delivered", 5, ""),
    ],
)
def test_a_number_is_told_by_its_field(cluster: int, place: str, number: int, told: str) -> None:
    said = meaning(cluster, place, number)
    assert said.endswith(told)
    assert bool(said) is bool(told)


@pytest.mark.parametrize(
    ("kind", "value", "invalid"),
    [
        ("uint24", 0xFFFFFF, True),
        ("uint24", 0xFFFFFE, False),
        ("int16", -0x8000, True),
        ("int16", -1, False),
        ("enum8", 0xFF, True),
        ("bitmap8", 0xFF, False),
        ("utc", 0xFFFFFFFF, True),
        ("bool", 0xFF, True),
        ("bool", True, False),
        ("octets", None, True),
        ("date", b"\xff\xff\xff\xff", True),
        ("single", math.nan, True),
    ],
)
def test_the_invalid_value_of_a_type_is_no_number(kind: str, value: bytes | int | float | None, invalid: bool) -> None:
    assert is_invalid(BY_NAME[kind], value) is invalid


@pytest.mark.needs("tshark")
def test_the_meanings_of_enumerations_taken_from_tshark_are_its_own() -> None:
    told: dict[str, dict[int, str]] = {}
    for line in subprocess.run(
        ["tshark", "-G", "values"], capture_output=True, text=True, check=True, errors="replace"
    ).stdout.splitlines():
        match line.split("\t"):
            case ["V", name, number, text] if name.startswith("zbee_zcl"):
                told.setdefault(name, {})[int(number, 0)] = text
            case ["R", name, first, _, text] if name.startswith("zbee_zcl"):
                told.setdefault(name, {})[int(first, 0)] = text
    from_tshark = [one for one in meanings().sets.values() if one.source.removeprefix("tshark ") in told and one.values]
    assert len(from_tshark) > 15
    for one in from_tshark:
        theirs = told[one.source.removeprefix("tshark ")]
        assert {number: text.lower() for number, text in one.values.items() if number in theirs} == {
            number: theirs[number].strip().lower().replace('"', "'") for number in one.values if number in theirs
        }, one.name
