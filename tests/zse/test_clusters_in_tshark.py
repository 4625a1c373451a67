"""The declared clusters beside tshark's tables and dissectors, which others wrote."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from firmware_emu.zse import clusters
from firmware_emu.zse.declare import Cluster, ClusterCommand, Field, FieldValue, Layout
from firmware_emu.zse.zcl import ValueKind, ZclFrame

pytestmark = pytest.mark.needs("tshark")

TABLES: Mapping[int, str] = {
    0x0025: "keep_alive",
    0x0700: "price",
    0x0701: "drlc",
    0x0702: "met",
    0x0703: "msg",
    0x0704: "tun",
    0x0705: "pp",
    0x0706: "energy_management",
    0x0707: "calendar",
    0x0708: "device_management",
    0x0709: "events",
    0x070B: "sub_ghz",
    0x0800: "ke",
}
"""Names of the Smart Energy clusters in tshark's field names."""
CARRIED: Mapping[tuple[int, bool, int], bytes] = {
    (0x0702, True, 0x06): bytes(6) + b"\x01" + bytes(6) + b"\x00",
    (0x0705, True, 0x01): bytes(24),
    (0x0704, False, 0x02): b"GBCS",
    (0x0704, True, 0x01): b"GBCS",
    (0x0701, False, 0x00): bytes(42),
    (0x0800, False, 0x00): bytes(48),
    (0x0800, True, 0x00): bytes(48),
    (0x0800, False, 0x01): bytes(22),
    (0x0800, True, 0x01): bytes(22),
    (0x0800, False, 0x02): bytes(16),
    (0x0800, True, 0x02): bytes(16),
}
"""Octets that follow the declared fields of some commands (cluster, to client, command)."""

OPAQUE = {"Tunneling TransferDataClient", "Tunneling TransferDataServer"}
"""Their data are another protocol's, which tshark shows as octets."""
ZERO = {("Messaging", "CancelMessage", "control")}
"""Fields that tshark wants to be 0."""


@cache
def tshark_values() -> dict[str, set[int]]:
    told = subprocess.run(["tshark", "-G", "values"], capture_output=True, text=True, check=True).stdout
    found: dict[str, set[int]] = {}
    for line in told.splitlines():
        kind, *rest = line.split("\t")
        if kind == "V" and rest[0].startswith("zbee_zcl_se."):
            found.setdefault(rest[0].removeprefix("zbee_zcl_se."), set()).add(int(rest[1], 0))
    return found


@pytest.mark.parametrize("identifier", TABLES, ids=TABLES.values())
def test_attribute_and_command_ids_are_those_that_tshark_knows(identifier: int) -> None:
    cluster, name, table = clusters.BY_ID.get(identifier), TABLES[identifier], tshark_values()
    assert cluster is not None
    assert {one.id for one in cluster.attributes} <= table.get(f"{name}.attr_id", set()) | {0xFFFE}
    assert {one.id for one in cluster.client_attributes} <= table.get(f"{name}.attr_client_id", set()) | {0xFFFE}
    assert set(cluster.to_server) == table.get(f"{name}.cmd.srv_rx.id", set())
    assert set(cluster.to_client) == table.get(f"{name}.cmd.srv_tx.id", set())


def sample(layout: Layout) -> dict[str, FieldValue]:
    """Every field present; each group as often as its counter says, once where nothing counts it."""
    values: dict[str, FieldValue] = {}
    for item in layout:
        if isinstance(item, Field):
            values[item.name] = sample_value(item)
        else:
            count = values[item.count] if isinstance(item.count, str) else item.count or 1
            assert isinstance(count, int)
            values[item.name] = tuple(sample(item.fields) for _ in range(count))
    return values


def sample_value(item: Field) -> bool | int | bytes | str:
    if item.type.kind is ValueKind.BOOLEAN:
        return False
    if item.type.kind is ValueKind.STRING:
        return b"ab"
    if item.type.kind is ValueKind.TEXT:
        return "ab"
    if item.type.kind in (ValueKind.OCTETS, ValueKind.EUI64):
        return bytes(item.type.width)
    return 1


def frame(cluster: Cluster, command: ClusterCommand, to_client: bool) -> bytes:
    """The command in an 802.15.4 frame without security."""
    values = sample(command.layout or ())
    values |= {name: 0 for name in values if (cluster.name, command.name, name) in ZERO}
    payload = command.encode(values) + CARRIED.get((cluster.id, to_client, command.id), b"")
    zcl = ZclFrame.of_cluster(command.id, payload, sequence=1, to_client=to_client).encode()
    aps = struct.pack("<BBHHBB", 0x00, 1, cluster.id, 0x0109, 1, 1) + zcl
    nwk = struct.pack("<HHHBB", 0x0008, 0x0000, 0x0001, 30, 1) + aps
    return struct.pack("<HBHHH", 0x8841, 1, 0x1234, 0x0000, 0x0001) + nwk


def test_every_declared_smart_energy_command_is_dissected_to_its_last_octet(tmp_path: Path) -> None:
    sent = [
        (cluster, command, to_client)
        for cluster in map(clusters.BY_ID.get, TABLES)
        if cluster is not None
        for to_client, side in ((False, cluster.to_server), (True, cluster.to_client))
        for command in side.values()
    ]
    with (tmp_path / "all.pcap").open("wb") as file:
        file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 230))
        for cluster, command, to_client in sent:
            octets = frame(cluster, command, to_client)
            file.write(struct.pack("<IIII", 0, 0, len(octets), len(octets)) + octets)
    fields = ("zbee_aps.cluster", "_ws.malformed", "data.len", "_ws.expert.message")
    told = subprocess.run(
        ["tshark", "-r", tmp_path / "all.pcap", "-T", "fields", *(part for one in fields for part in ("-e", one))],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(told) == len(sent) > 100
    names = [f"{cluster.name} {command.name}" for cluster, command, _ in sent]
    wrong = {name: line for name, line in zip(names, told, strict=True) if any(line.split("\t")[1:]) and name not in OPAQUE}
    assert not wrong, "\n".join(f"{name}: {line}" for name, line in wrong.items())
