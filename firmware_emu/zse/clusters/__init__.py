"""The clusters of the GB HAN: a file a cluster, and the registry that finds one by id."""

from __future__ import annotations

from firmware_emu.zse.clusters.key_establishment import KEY_ESTABLISHMENT
from firmware_emu.zse.clusters.tunneling import TUNNELING
from firmware_emu.zse.declare import Cluster

ALL: tuple[Cluster, ...] = (
    KEY_ESTABLISHMENT,
    TUNNELING,
)

_BY_ID = {cluster.id: cluster for cluster in ALL}


def by_id(identifier: int) -> Cluster | None:
    """The cluster of that id, None where it is not one of the GB HAN's."""
    return _BY_ID.get(identifier)


def needs_link_key(identifier: int) -> bool:
    """Whether the cluster's unicasts need APS encryption with the link key (ZSE 5.4.6 through reference gbcs-spec-notes 10.5)."""
    cluster = _BY_ID.get(identifier)
    return cluster is not None and cluster.secured
