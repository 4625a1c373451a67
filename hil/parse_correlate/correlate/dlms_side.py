"""DLMS pre-commands: every access against its meaning, in order, none missing and none more."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from ..message.dlms import Access, AccessRequest, Value
from ..request import Node
from . import said_dlms as said
from .asked import activation, indexed, instant
from .charges import compare_charges
from .comparison import Comparison, Known, Unreadable
from .dlms_readers import READERS

Accesses = list[Access]


@cache
def _meanings() -> dict[str, list[str]]:
    table: dict[str, list[str]] = tomllib.loads((files(__package__) / "dlms_meanings.toml").read_text(encoding="utf-8"))
    return table


def covers(message_code: int) -> bool:
    """True if the meaning of this message code is known here."""
    return f"{message_code:04x}" in _meanings()


def compare(request: AccessRequest, message_code: int, counter: int, body: Node, comparison: Comparison, known: Known) -> None:
    """Compare an access request with the body of the service request."""
    comparison.equal("long-invoke-id", 0x20000000 + counter % (1 << 24), request.invoke_id)
    accesses = list(request.accesses)
    for line in _lines(f"{message_code:04x}"):
        if line.startswith("many "):
            accesses = _MANY[line.removeprefix("many ")](accesses, body, comparison)
        elif not accesses:
            comparison.add(line, "this access", "nothing")
        else:
            _compare_access(line, accesses.pop(0), body, comparison, known)
    for access in accesses:
        comparison.add(access.place, "nothing", "an access more")


def _lines(key: str) -> list[str]:
    return [inner for line in _meanings()[key] for inner in (_lines(line.removeprefix("also ")) if line.startswith("also ") else [line])]


def _compare_access(line: str, access: Access, body: Node, comparison: Comparison, known: Known) -> None:
    verb, class_id, obis, attribute, kind, *rest = line.split(" ", 5)
    place = f"{verb} {class_id} {obis} {attribute}"
    comparison.equal(f"access {place}", place, access.place)
    if access.selection is not None:
        comparison.add(place, "no selection", "a selection")
    meaning = rest[0] if rest else ""
    try:
        _compare_value(place, kind, meaning, access.data, body, comparison, known)
    except Unreadable as trouble:
        comparison.add(f"{place} {meaning}".strip(), trouble.expected, trouble.found)


def _compare_value(place: str, kind: str, meaning: str, data: Value, body: Node, comparison: Comparison, known: Known) -> None:
    if kind == "null":
        said.nothing(data)
    elif meaning == "when":
        comparison.equal(f"ExecutionDateTime ({place})", activation(body), said.activation(data))
    elif meaning.startswith("="):
        comparison.equal(place, int(meaning[1:]), said.number(data, kind))
    elif meaning == "charges":
        compare_charges(place, data, body, comparison, known)
    elif meaning.startswith("@"):
        name, _, operand = meaning[1:].partition(" ")
        requested, stated = READERS[name](data, body, operand)
        comparison.equal(operand.split(" ")[0] or name, requested, stated)
    else:
        comparison.equal(meaning, body.integer(meaning), said.number(data, kind))


def _take(accesses: Accesses, wanted: list[tuple[str, str, Callable[[Value], object], object]], comparison: Comparison) -> Accesses:
    """Compare the next accesses with (place, name, reader, value asked); what is left comes back."""
    for place, name, read, asked in wanted:
        if not accesses:
            comparison.add(name, str(asked), "nothing")
            continue
        access = accesses.pop(0)
        comparison.equal(f"access {place}", place, access.place)
        if access.selection is not None:
            comparison.add(place, "no selection", "a selection")
        try:
            stated = read(access.data)
        except Unreadable as trouble:
            comparison.add(name, trouble.expected, trouble.found)
            continue
        if stated != asked:
            comparison.add(name, str(asked), str(stated))
    return accesses


def _labels(accesses: Accesses, body: Node, comparison: Comparison) -> Accesses:
    wanted = [
        (f"set 1 0-0:94.44.0.{10 + node.attribute('index')} 2", "SwitchDescription", said.visible, node.text("SwitchDescription"))
        for node in indexed(body.nodes("ALCSHCALCSDescription"))
    ]
    return _take(accesses, list(wanted), comparison)


def _switch_identity(data: Value) -> str:
    octets = said.octets(data, 8)
    return "ALCS" if octets == bytes(8) else octets.hex()


def _switch_types(accesses: Accesses, body: Node, comparison: Comparison) -> Accesses:
    wanted = [
        (
            f"set 1 0-0:94.44.0.{20 + node.attribute('index')} 2",
            "SwitchTypeAndId",
            _switch_identity,
            str(node.entity("HCALCS")) if node.has("HCALCS") else "ALCS",
        )
        for node in indexed(body.nodes("SwitchTypeAndId"))
    ]
    return _take(accesses, list(wanted), comparison)


def _long_unsigned(data: Value) -> int:
    return said.number(data, "long-unsigned")


_SWITCH_SCRIPTS = "action 9 0-0:10.0.103.255 1"
_LIMIT_SCRIPTS = "action 9 0-0:10.0.107.255 1"


def _switch_command(accesses: Accesses, body: Node, comparison: Comparison) -> Accesses:
    kinds = {"ActivateALCSHCALCS": (1, 17), "DeactivateALCSHCALCS": (2, 18), "ResetALCSHCALCS": (0, 32)}
    name = next((name for name in kinds if body.has(name)), "ActivateALCSHCALCS")
    node, (attribute, action) = body.node(name), kinds[name]
    number = node.attribute("index")
    wanted: list[tuple[str, str, Callable[[Value], object], object]] = []
    if attribute:
        wanted.append((f"set 1 0-0:94.44.{116 + number}.{attribute} 2", "Duration", _long_unsigned, node.integer("Duration")))
    wanted.append((_SWITCH_SCRIPTS, node.name, _long_unsigned, number * 256 + action))
    return _take(accesses, wanted, comparison)


def _controller(first: int, scripts: str) -> Callable[[Accesses, Node, Comparison], Accesses]:
    def read(accesses: Accesses, body: Node, comparison: Comparison) -> Accesses:
        number = body.attribute("auxiliaryControllerN")
        direction = 2 if body.has("InputFromControlledLoad") else 1
        selector = direction * 4096 + number * 256 + body.integer("CommandedStateLevel")
        wanted: list[tuple[str, str, Callable[[Value], object], object]] = [
            (f"set 1 0-0:94.44.{116 + number}.{first + place} 2", name, said.moment, instant(body.moment(name)))
            for place, name in enumerate(("StartDateTime", "EndDateTime"))
        ]
        return _take(accesses, [*wanted, (scripts, "CommandedStateLevel", _long_unsigned, selector)], comparison)

    return read


_MANY: dict[str, Callable[[Accesses, Node, Comparison], Accesses]] = {
    "labels": _labels,
    "switch_types": _switch_types,
    "switch_command": _switch_command,
    "controller_state": _controller(1, _SWITCH_SCRIPTS),
    "controller_limit": _controller(3, _LIMIT_SCRIPTS),
}
