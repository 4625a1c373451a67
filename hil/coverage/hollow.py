"""Hollow places of Devices: objects that can be set and that no code names, events that are routed and that no code raises, handlers that
answer success and change nothing.

All are looked for in the source of the Devices and of the hub. A row of ``hollow.csv`` excuses a place, and says why.
"""

from __future__ import annotations

import ast
import csv
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from firmware_emu.device.object_model import is_activation
from firmware_emu.gbcs.dlms import parse_obis

SETTING, EVENT, SUCCESS = "setting", "event", "success"
_STEERING = ("hil.devices.esme", "hil.devices.metering", "hil.devices.base")
"""Packages that give an electricity meter's settings their effect."""
_RAISING = ("firmware_emu.device", "firmware_emu.hub", "hil.devices.esme", "hil.devices.gsme", "hil.devices.metering", "hil.devices.base")
_EVENTS = range(0x8000, 0x9000)
_ANYTHING = "[0-9]+"
_OBIS = re.compile(r"[0-9]+-[0-9]+:[0-9.]+")


@dataclass(frozen=True, slots=True)
class Hollow:
    """One place: its kind, what it is (an OBIS code, an event code, a function), and why it is excused ("": it is not)."""

    kind: str
    what: str
    excuse: str


def hollow() -> list[Hollow]:
    """Every hollow place, the excused ones too; and excuses of places that are hollow no longer, as places of the kind ``excuse``."""
    excuses = {(row["kind"], row["what"]): row["why"] for row in _rows(__package__, "hollow.csv")}
    looked_for = {SETTING: _settings, EVENT: _events, SUCCESS: _successes}
    places = [(kind, what) for kind, look in looked_for.items() for what in look()]
    found = [Hollow(kind, what, excuses.get((kind, what), "")) for kind, what in places]
    return found + [Hollow("excuse", f"{kind} {what}", "") for kind, what in excuses if (kind, what) not in places]


def _settings() -> list[str]:
    """OBIS codes of objects that can be set, and that no code names, nor anything that they are copied to when they become active."""
    named = [_pattern(node) for package in _STEERING for node in _nodes(package) if _pattern(node)]
    copied: dict[str, set[str]] = {}
    for row in _rows("hil.devices.esme", "activations.csv"):
        copied.setdefault(_plain(row["from_obis"]), set()).add(_plain(row["to_obis"]))
    found: list[str] = []
    for row in _rows("hil.devices.esme", "objects.csv"):
        key = int(row["class"]), parse_obis(row["obis"]), int(row["attribute"])
        obis = _plain(row["obis"])
        if "w" not in row["access"] or is_activation(key) or obis in found:
            continue
        if not any(re.fullmatch(pattern, name) for name in (obis, *copied.get(obis, ())) for pattern in named):
            found.append(obis)
    return found


def _events() -> list[str]:
    """Event codes that are routed to a log or an alert, and that stand nowhere in the code or in its tables."""
    raised = {node.value for package in _RAISING for node in _nodes(package) if isinstance(node, ast.Constant)}
    raised |= {int(row["code"], 16) for row in _rows("hil.devices.esme", "voltage_events.csv")}
    profile = tomllib.loads(resources.files("firmware_emu.device").joinpath("pipeline_profile.toml").read_text(encoding="utf-8"))
    raised |= set(_numbers(profile))
    routed = sorted({int(row["code"], 16) for row in _rows("firmware_emu.device", "events.csv")})
    return [f"{code:04x}" for code in routed if code not in raised]


_STATUSES = ("AccessResult", "ZclStatus")
_LOOKING = frozenset({"isinstance", "len", "int", "bool", "bytes", "any", "all", "tuple", "get", "decode", "read", "emit"})
"""Calls that only look at what they are given, or tell of it."""


def _successes() -> list[str]:
    """Functions that return success as a status, and neither set anything nor call what might."""
    found = []
    for name, text in _sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _answers_success(node) and not _acts(node):
                found.append(f"{name}:{'lambda' if isinstance(node, ast.Lambda) else node.name}")
    return sorted(found)


def _sources() -> Iterator[tuple[str, str]]:
    """The modules of Devices and hub, by name."""
    for package in _RAISING:
        for file in _files(resources.files(package).iterdir()):
            yield f"{package}.{file.name.removesuffix('.py')}", file.read_text(encoding="utf-8")


def _answers_success(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    bodies = [function.body] if isinstance(function, ast.Lambda) else [one.value for one in _own(function) if isinstance(one, ast.Return)]
    answers = [part for body in bodies for part in ((body.body, body.orelse) if isinstance(body, ast.IfExp) else (body,))]
    return any(
        isinstance(one, ast.Attribute) and one.attr == "SUCCESS" and isinstance(one.value, ast.Name) and one.value.id in _STATUSES
        for one in answers
    )


def _acts(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    """True if something is set, or something is called that may set it."""
    for node in _own(function):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target] if isinstance(node, ast.AugAssign) else []
        if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
            return True
        if isinstance(node, ast.Call) and _called(node.func) not in _LOOKING and not _called(node.func)[:1].isupper():
            return True
    return False


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function but for those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own(child)


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _rows(package: str | None, name: str) -> list[dict[str, str]]:
    text = resources.files(str(package)).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _nodes(package: str) -> Iterator[ast.AST]:
    for file in _files(resources.files(package).iterdir()):
        yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def _files(entries: Iterable[Traversable]) -> Iterator[Traversable]:
    return (entry for entry in entries if entry.name.endswith(".py"))


def _pattern(node: ast.AST) -> str:
    """A regular expression of the OBIS codes that a text may be, "" for no such text; what is put in at run time may be any number."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(_plain(node.value)) if _OBIS.fullmatch(node.value) else ""
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else _number(part) for part in node.values]
        return "".join(parts) if ":" in "".join(parts) else ""
    return ""


def _number(part: ast.AST) -> str:
    """Numbers that a value put in at run time may be: those with as many digits as a number that it is added to, else any."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    added = value.left if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) else None
    if isinstance(added, ast.Constant) and isinstance(added.value, int):
        return f"[0-9]{{{len(str(added.value))}}}"
    return _ANYTHING


def _plain(obis: str) -> str:
    """An OBIS code without its last group where that is 255."""
    return obis.removesuffix(".255")


def _numbers(value: object) -> Iterator[int]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _numbers(one)
    elif isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int) and value in _EVENTS:
        yield value
