"""Names of COSEM objects and the parts of well-known values, as data; those of ZCL clusters from their declarations."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

from firmware_emu.gbcs.alerts import alert_name
from firmware_emu.gbcs.cosem_time import describe_form, describe_utc_seconds
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters import meanings as zcl_meanings
from firmware_emu.zse.clusters.meanings import Meanings
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import BY_IDENTIFIER, DataType


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files(__package__).joinpath(name).read_text("utf-8").splitlines()))


@cache
def _cosem() -> tuple[dict[int, str], dict[tuple[int, str, str], str]]:
    classes: dict[int, str] = {}
    entries: dict[tuple[int, str, str], str] = {}
    for row in _rows("cosem_names.csv"):
        classes[int(row["class_id"])] = row["class"]
        entries[int(row["class_id"]), row["kind"], row["id"]] = row["name"]
    return classes, entries


def cosem_class(class_id: int) -> str:
    """``Profile Generic``, or ``class 8`` where the table has no name."""
    return _cosem()[0].get(class_id, f"class {class_id}")


def cosem_object(class_id: int, obis: str) -> str:
    """Name of an object, empty where the table has none; the sixth group of ``obis`` may be missing in the table."""
    entries = _cosem()[1]
    return entries.get((class_id, "instance", obis)) or entries.get((class_id, "instance", obis.rsplit(".", 1)[0]), "")


def cosem_member(class_id: int, number: int, *, method: bool) -> str:
    """Name of an attribute or method, ``attribute 2`` where the table has none."""
    kind = "method" if method else "attribute"
    return _cosem()[1].get((class_id, kind, str(number)), f"{kind} {number}")


def zcl_cluster(cluster: int) -> str:
    """``Device Management``, empty for a cluster that is not one of the GB HAN's."""
    declared = clusters.BY_ID.get(cluster)
    return "" if declared is None else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", declared.name)


def zcl_attribute(cluster: int, attribute: int) -> str:
    """Name of a server's attribute, ``standing charge``; empty where none is declared."""
    declared = clusters.BY_ID.get(cluster)
    found = None if declared is None else declared.attribute(attribute)
    return "" if found is None else found.name.replace("_", " ")


@cache
def _data() -> dict[tuple[str, str, str], str]:
    return {(row["where"], row["key"], row["path"]): row["name"] for row in _rows("data_names.csv")}


def data_name(where: str, key: str, path: str) -> str:
    """Name of one element of a value: ``where`` is request, response, selection or alert, ``path`` its place with ``*`` for array elements.

    ``key`` is the object's class, OBIS code and member, or an alert's message code; a name for the whole class stands under its first word.
    """
    names = _data()
    return names.get((where, key, path)) or names.get((where, key.split(" ", 1)[0], path), "")


@cache
def meanings() -> Meanings:
    """The sets of DLMS values and ASN.1 payloads."""
    return zcl_meanings.load("firmware_emu.gbcs")


def number_meaning(place: str, number: int) -> str:
    """Meaning of a number at ``place`` (``asn1 joinMethodAndRole``, ``dlms 70 attribute 3``); empty where it counts."""
    known = meanings().of(place)
    return "" if known is None or known.form else meanings().describe(known, number)


def octets_meaning(place: str, octets: bytes) -> str:
    """A date or a time in words, where the octets at ``place`` are one; empty elsewhere."""
    known = meanings().of(place)
    return "" if known is None or not known.form else describe_form(known.form, octets)


EVENTS = frozenset({"event"})
"""Declared fields of 2 octets that hold an event or alert code; those of 4 number an issuer's event."""


def field_meaning(cluster: int, place: str, kind: DataType, value: FieldValue) -> str:
    """Meaning of a value in a cluster command's field: its enumeration, a time, a date, an event code; empty where it counts."""
    if kind.name == "date" and isinstance(value, bytes):
        return describe_form("zcl-date", value)
    if not isinstance(value, int) or isinstance(value, bool):
        return ""
    if kind.name == "utc":
        return describe_utc_seconds(value)
    if kind.name == "uint16" and place.rpartition(".")[2] in EVENTS:
        return f"{value:04x}, {alert_name(value)}"
    if kind.name == "clusterid":
        return zcl_cluster(value)
    return zcl_meanings.meaning(cluster, place, value)


def attribute_meaning(cluster: int, attribute: int, type_id: int, value: FieldValue) -> str:
    """Meaning of an attribute's value, or that it is the invalid one of its type; empty where it counts."""
    kind = BY_IDENTIFIER[type_id]
    if zcl_meanings.is_invalid(kind, value):
        return "invalid: the Device has no value"
    declared = clusters.BY_ID.get(cluster)
    found = None if declared is None else declared.attribute(attribute) or declared.attribute(attribute, server=False)
    return "" if found is None else field_meaning(cluster, found.name, kind, value)
