"""The generated zigpy classes beside zigpy's own, and frames that zigpy reads and writes with them."""

from __future__ import annotations

import pytest
import zigpy.profiles
from zigpy.zcl import Cluster as ZigpyCluster
from zigpy.zcl.clusters import general, smartenergy
from zigpy.zcl.foundation import ZCLCommandDef

from firmware_emu.han.zigpy_clusters import SmartEnergyDevice, cluster_class, register
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.clusters.tunneling import TUNNELING
from firmware_emu.zse.declare import Cluster

COMPLETE_IN_ZIGPY = (
    smartenergy.Metering,
    general.KeepAlive,
    general.Time,
    general.Basic,
    general.Ota,
    general.Alarms,
    general.Identify,
    general.PowerConfiguration,
)


@pytest.mark.parametrize("theirs", COMPLETE_IN_ZIGPY, ids=lambda one: one.__name__)
def test_attribute_types_and_command_ids_agree_with_those_that_zigpy_defines(theirs: type[ZigpyCluster]) -> None:
    declared = clusters.BY_ID.get(theirs.cluster_id)
    assert declared is not None
    for server in (True, False):
        ours = {one.id: one for one in cluster_class(declared, server=server).AttributeDefs}
        shared = {one.id: one for one in theirs.AttributeDefs if one.id in ours}
        if server or theirs is general.Ota:  # zigpy lists OTA's attributes, which are the client's, in its one table
            assert {one.id: one.zcl_type for one in shared.values()} == {number: ours[number].zcl_type for number in shared}
    made = cluster_class(declared)
    for mine, zigpys in ((made.ServerCommandDefs, theirs.ServerCommandDefs), (made.ClientCommandDefs, theirs.ClientCommandDefs)):
        assert {one.id for one in mine} <= {one.id for one in zigpys}


def test_every_attribute_of_zigpys_metering_is_declared() -> None:
    declared = {one.id for one in METERING.attributes}
    assert {int(one.id) for one in smartenergy.Metering.AttributeDefs} <= declared


def test_metering_commands_are_read_by_zigpys_own_class_as_by_the_generated_one() -> None:
    """Field for field, for the commands whose schemas hold no list: the same octets go in and out."""
    made = cluster_class(METERING)
    for ours, theirs in (
        (made.ServerCommandDefs, smartenergy.Metering.ServerCommandDefs),
        (made.ClientCommandDefs, smartenergy.Metering.ClientCommandDefs),
    ):
        by_id = {one.id: one for one in ours}
        for command in theirs:
            octets = bytes(range(1, 60))
            assert rest_after(by_id[command.id], octets) == rest_after(command, octets), command.name


def rest_after(command: ZCLCommandDef, octets: bytes) -> int:
    try:
        _, rest = command.schema.deserialize(octets)
    except ValueError:
        return -1
    return len(rest)


@pytest.mark.parametrize("cluster", clusters.ALL, ids=lambda one: one.name)
def test_every_cluster_becomes_a_class_with_all_that_is_declared(cluster: Cluster) -> None:
    made, client = cluster_class(cluster), cluster_class(cluster, server=False)
    assert {int(one.id) for one in made.AttributeDefs} == {one.id for one in cluster.attributes}
    assert {int(one.id) for one in client.AttributeDefs} == {one.id for one in cluster.client_attributes}
    assert {int(one.id) for one in made.ServerCommandDefs} == set(cluster.to_server)
    assert {int(one.id) for one in made.ClientCommandDefs} == set(cluster.to_client)
    assert made.aps_encryption is cluster.secured


def test_what_zigpy_reads_with_a_generated_class_it_writes_as_the_same_octets() -> None:
    matrix = PRICE.command_named("PublishPriceMatrix")
    thresholds = PRICE.command_named("PublishBlockThresholds")
    head = {"provider": 1, "event": 2, "start": 3, "tariff": 4, "command_index": 0, "command_count": 1}
    prices = ({"tier_block": 1, "price": 5000}, {"tier_block": 2, "price": 4000})
    octets = {
        matrix.id: matrix.encode({**head, "sub_payload": 0, "prices": prices}),
        thresholds.id: thresholds.encode(
            {
                **head,
                "control": 0,
                "tiers": ({"count": 2, "thresholds": ({"threshold": 5}, {"threshold": 6})}, {"count": 0, "thresholds": ()}),
            }
        ),
    }
    made = cluster_class(PRICE)
    for command in made.ClientCommandDefs:
        if command.id in octets:
            read, rest = command.schema.deserialize(octets[command.id])
            assert rest == b""
            assert read.serialize() == octets[command.id]
    transfer = next(one for one in cluster_class(TUNNELING).ServerCommandDefs if one.name == "transfer_data_client")
    read, rest = transfer.schema.deserialize(b"\x05\x00GBCS")
    assert (read.tunnel, read.data, rest) == (5, b"GBCS", b"")


def test_registering_gives_zigpy_what_it_lacks_and_leaves_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ZigpyCluster, "_registry", dict(ZigpyCluster._registry))
    monkeypatch.setattr(zigpy.profiles, "PROFILES", dict(zigpy.profiles.PROFILES))
    added = {made.__name__ for made in register()}
    assert added == {
        "Price",
        "Drlc",
        "Messaging",
        "Tunneling",
        "Prepayment",
        "EnergyManagement",
        "Calendar",
        "DeviceManagement",
        "Events",
        "SubGhz",
        "KeyEstablishment",
    }
    assert ZigpyCluster._registry[0x0702] is smartenergy.Metering
    assert ZigpyCluster._registry[0x070B].__name__ == "SubGhz"
    assert zigpy.profiles.PROFILES[0x0109].DeviceType is SmartEnergyDevice
    assert register() == ()
