"""Names of use cases, alerts, COSEM objects and ZCL attributes, and what DLMS commands access (reference use-cases, alert-codes,
cosem-names, zcl-names, dlms-access)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((files(__package__) / name).read_text(encoding="utf-8").splitlines()))


@dataclass(frozen=True, slots=True)
class UseCase:
    """Short name and title."""

    name: str
    title: str


@cache
def _use_cases() -> dict[int, UseCase]:
    return {int(row["message_code"], 16): UseCase(row["use_case"], row["title"]) for row in _rows("use_cases.csv")}


def use_case(message_code: int) -> UseCase:
    """The use case of a message code; its number is the name where the table has none."""
    return _use_cases().get(message_code) or UseCase(f"{message_code:04x}", "")


@cache
def _alerts() -> dict[int, str]:
    return {int(row["code"], 16): row["name"] for row in _rows("alert_codes.csv")}


def alert_name(code: int) -> str:
    """Empty where the table has none."""
    return _alerts().get(code, "")


@cache
def _cosem() -> dict[tuple[int, str, str], str]:
    return {(int(row["class_id"]), row["kind"], row["id"]): row["name"] for row in _rows("cosem.csv")}


@cache
def _classes() -> dict[int, str]:
    return {int(row["class_id"]): row["class"] for row in _rows("cosem.csv")}


def cosem_object(class_id: int, obis: str) -> str:
    """Name of an object; class and OBIS code where the table has none. The table may leave the last group out."""
    names = _cosem()
    found = names.get((class_id, "instance", obis)) or names.get((class_id, "instance", obis.rsplit(".", 1)[0]))
    return found or f"{_classes().get(class_id, f'class {class_id}')} {obis}"


def cosem_member(class_id: int, number: int, method: bool) -> str:
    """Name of an attribute or method."""
    kind = "method" if method else "attribute"
    return _cosem().get((class_id, kind, str(number)), f"{kind} {number}")


@cache
def _zcl() -> tuple[dict[int, str], dict[tuple[int, int], str]]:
    rows = _rows("zcl.csv")
    clusters = {int(row["cluster"], 16): row["cluster_name"] for row in rows}
    return clusters, {(int(row["cluster"], 16), int(row["id"], 16)): row["name"] for row in rows if row["kind"] == "attribute"}


def zcl_cluster(cluster: int) -> str:
    """Empty where the table has none."""
    return _zcl()[0].get(cluster, "")


def zcl_attribute(cluster: int, identifier: int) -> str:
    """Empty where the table has none."""
    return _zcl()[1].get((cluster, identifier), "")


@cache
def _accesses() -> dict[int, list[list[str]]]:
    lists: dict[tuple[int, str], list[str]] = {}
    for row in _rows("accesses.csv"):
        class_id, method = int(row["class_id"]), row["access"] == "action"
        name = f"{cosem_object(class_id, row['obis'])}, {cosem_member(class_id, int(row['member']), method)}"
        lists.setdefault((int(row["message_code"], 16), row["variant"]), []).append(name)
    found: dict[int, list[list[str]]] = {}
    for (code, _), names in lists.items():
        found.setdefault(code, []).append(names)
    return found


def accessed(message_code: int, count: int) -> list[str]:
    """Names of what the accesses of a use case reach, where it makes that many; none otherwise."""
    return next((names for names in _accesses().get(message_code, []) if len(names) == count), [])


@cache
def _protected() -> dict[int, list[list[str]]]:
    lists: dict[tuple[int, str], list[str]] = {}
    for row in _rows("protected.csv"):
        class_id = int(row["class_id"])
        name = f"{cosem_object(class_id, row['obis'])}, {cosem_member(class_id, int(row['attribute']), False)}"
        lists.setdefault((int(row["message_code"], 16), row["variant"]), []).append(name)
    found: dict[int, list[list[str]]] = {}
    for (code, _), names in lists.items():
        found.setdefault(code, []).append(names)
    return found


def protected(message_code: int, count: int) -> list[str]:
    """Names of the protected attributes that a use case reads, where it reads that many; none otherwise."""
    return next((names for names in _protected().get(message_code, []) if len(names) == count), [])
