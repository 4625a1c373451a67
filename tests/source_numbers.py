"""Numbers of the wire by the names that their sources give them: events and message codes from the field's parser, commands and attributes
from the tables of ZigBee."""

from __future__ import annotations

import csv
from functools import cache
from importlib import import_module, resources

from firmware_emu.zse.declare import Cluster


@cache
def rows_of(package: str, file: str) -> list[dict[str, str]]:
    """Rows of a table that comes with a package."""
    with resources.files(package).joinpath(file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def event(name: str) -> int:
    """Code of an event or alert by its whole name in the parser's table."""
    (code,) = (row["code"] for row in rows_of("hil.parse_correlate.names", "alert_codes.csv") if row["name"] == name)
    return int(code, 16)


def message(use_case: str) -> int:
    """Message code of a use case."""
    (code,) = (row["message_code"] for row in rows_of("hil.parse_correlate.names", "use_cases.csv") if row["use_case"] == use_case)
    return int(code, 16)


def attribute(class_id: int, name: str) -> int:
    """Number of an attribute of a COSEM class by its name."""
    rows = rows_of("hil.parse_correlate.names", "cosem.csv")
    (number,) = {row["id"] for row in rows if row["class_id"] == str(class_id) and row["kind"] == "attribute" and row["name"] == name}
    return int(number)


def to_server(cluster: Cluster, name: str) -> int:
    """Number of a command that a cluster's server takes, by its name."""
    (number,) = (number for number, one in cluster.to_server.items() if one.name == name)
    return number


def to_client(cluster: Cluster, name: str) -> int:
    """Number of a command that a cluster's server sends, by its name."""
    (number,) = (number for number, one in cluster.to_client.items() if one.name == name)
    return number


def constant(place: str) -> object:
    """Value that a module, or a class of it, calls by a name: ``package.module:Class.NAME``."""
    module, _, names = place.partition(":")
    found: object = import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found
