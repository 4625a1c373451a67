"""Names of COSEM objects, ZCL clusters and the parts of well-known values, as data."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files


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


@cache
def _zcl() -> tuple[dict[int, str], dict[tuple[int, int], str]]:
    clusters: dict[int, str] = {}
    attributes: dict[tuple[int, int], str] = {}
    for row in _rows("zcl_names.csv"):
        cluster = int(row["cluster_id"], 16)
        clusters[cluster] = row["cluster"]
        if row["kind"] == "attribute":
            attributes[cluster, int(row["id"], 16)] = row["name"]
    return clusters, attributes


def zcl_cluster(cluster: int) -> str:
    """``Metering``, empty where the table has no name."""
    return _zcl()[0].get(cluster, "")


def zcl_attribute(cluster: int, attribute: int) -> str:
    """Name of an attribute, empty where the table has none."""
    return _zcl()[1].get((cluster, attribute), "")


@cache
def _data() -> dict[tuple[str, str, str], str]:
    return {(row["where"], row["key"], row["path"]): row["name"] for row in _rows("data_names.csv")}


def data_name(where: str, key: str, path: str) -> str:
    """Name of one element of a value: ``where`` is request, response, selection or alert, ``path`` its place with ``*`` for array elements.

    ``key`` is the object's class, OBIS code and member, or an alert's message code; a name for the whole class stands under its first word.
    """
    names = _data()
    return names.get((where, key, path)) or names.get((where, key.split(" ", 1)[0], path), "")
