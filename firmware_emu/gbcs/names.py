"""Names of COSEM objects and the parts of well-known values, as data; those of ZCL clusters from their declarations."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

from firmware_emu.zse import clusters


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
    declared = clusters.by_id(cluster)
    return "" if declared is None else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", declared.name)


def zcl_attribute(cluster: int, attribute: int) -> str:
    """Name of a server's attribute, ``standing charge``; empty where none is declared."""
    declared = clusters.by_id(cluster)
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
