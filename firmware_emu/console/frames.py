"""Frames by hand: a declared ZCL command or attribute, by its name, from one radio to another."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cache
from typing import Annotated

from firmware_emu.console.declare import WordError, WordKind
from firmware_emu.console.explain_zcl import explain_zcl
from firmware_emu.console.result import Result, plain
from firmware_emu.errors import RadioError
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse import clusters
from firmware_emu.zse.declare import Cluster, ClusterAttribute, ClusterCommand, Field, FieldValue
from firmware_emu.zse.zcl import Value, status_name


@cache
def attributes() -> dict[str, tuple[Cluster, ClusterAttribute]]:
    """Every declared server attribute as ``Cluster.name``."""
    return {f"{_word(cluster)}.{one.name}": (cluster, one) for cluster in clusters.ALL for one in cluster.attributes}


@cache
def commands() -> dict[str, tuple[Cluster, ClusterCommand, bool]]:
    """Every declared command as ``Cluster.Name``, and whether it goes to the server."""
    return {
        f"{_word(cluster)}.{one.name}": (cluster, one, to_server)
        for cluster in clusters.ALL
        for to_server, side in ((False, cluster.to_client), (True, cluster.to_server))
        for one in side.values()
    }


def _word(cluster: Cluster) -> str:
    return cluster.name.replace(" ", "")


def _known(table: Mapping[str, object], text: str) -> str:
    if text not in table:
        raise ValueError(text)
    return text


AttributeName = Annotated[
    str, WordKind("an attribute such as Time.time (tab lists them)", lambda text: _known(attributes(), text), "attributes")
]
CommandName = Annotated[
    str, WordKind("a command such as Price.GetCurrentPrice (tab lists them)", lambda text: _known(commands(), text), "commands")
]

OFFERS: Mapping[str, Mapping[str, str]] = {
    "attributes": {name: f"{cluster.id:04x}:{one.id:04x}" for name, (cluster, one) in attributes().items()},
    "commands": {
        name: f"{cluster.id:04x}:{one.id:02x} to the {'server' if to_server else 'client'}"
        for name, (cluster, one, to_server) in commands().items()
    },
}


async def read_attribute(zcl: ZclPort, partner: Eui64, name: str) -> Result:
    """Read one attribute of ``partner`` over the air. Raises RadioError."""
    cluster, declared = attributes()[name]
    endpoint = await zcl.find_endpoint(partner, cluster.id)
    own = _own_endpoint(zcl, cluster, server=False)
    values = await zcl.read_attributes(partner, endpoint, cluster.id, (declared.id,), source_endpoint=own, secured=cluster.secured)
    there = declared.id in values
    said = plain(values[declared.id]) if there else f"{partner} does not have it"
    return Result(f"{name}: {said}", {"value": values.get(declared.id), "endpoint": endpoint}, ok=there)


async def send_command(zcl: ZclPort, partner: Eui64, name: str, fields: Mapping[str, str]) -> Result:
    """Send one command to ``partner`` and wait for its answer. Raises RadioError, or WordError for fields that do not fit."""
    cluster, command, to_server = commands()[name]
    payload = _payload(command, fields)
    endpoint = await zcl.find_endpoint(partner, cluster.id, server=to_server)
    own = _own_endpoint(zcl, cluster, server=not to_server)
    answer = await zcl.request(partner, endpoint, cluster.id, command.id, payload, source_endpoint=own, to_server=to_server)
    told = answer.default_response
    tree = explain_zcl(answer.encode(), cluster.id, lambda _: ())
    said = tree.title if told is None else f"default response {status_name(told.status)}"
    values: dict[str, object] = {"sent": payload, "endpoint": endpoint, "answer": answer.encode()}
    values |= {node.field: node.value for _, node in tree.walk() if node.value and not node.field.startswith("ZCL")}
    return Result(f"{name}: {said}", values, ok=told is None or told.status == 0, raw=answer)


def _own_endpoint(zcl: ZclPort, cluster: Cluster, *, server: bool) -> int:
    """The endpoint that has the cluster; by hand also one that has it not, since to see how the partner takes that is the purpose."""
    for one in (cluster, *clusters.ALL):
        for side in (server, not server):
            with contextlib.suppress(RadioError):
                return zcl.endpoint_for(one.id, server=side)
    raise RadioError(f"{zcl.eui64} has no endpoint")


def _payload(command: ClusterCommand, fields: Mapping[str, str]) -> bytes:
    if set(fields) == {"payload"}:
        try:
            return bytes.fromhex(fields["payload"])
        except ValueError:
            raise WordError(f"payload: read {fields['payload']!r}, expected hex digits in pairs") from None
    declared = {one.name: one for one in command.layout or () if isinstance(one, Field)}
    expected = ", ".join(f"{one.name} ({one.type.name})" for one in declared.values()) or "no field"
    unknown = [name for name in fields if name not in declared]
    if unknown:
        raise WordError(f"{command.name}: read field {unknown[0]!r}, expected {expected}, or payload=HEX")
    values: dict[str, FieldValue] = {name: _value(text, octets=declared[name].type.name == "octets") for name, text in fields.items()}
    try:
        return command.encode(values)
    except ValueError as wrong:
        raise WordError(f"{wrong}; expected {expected}, or payload=HEX") from None


def _value(text: str | int | bytes, *, octets: bool = False) -> Value:
    """``octets``: it is hex digits, even where they could be read as a number."""
    if not isinstance(text, str):
        return text
    try:
        if not octets:
            return int(text, 0)
    except ValueError:
        pass
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text
