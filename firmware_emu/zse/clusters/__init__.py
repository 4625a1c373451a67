"""The clusters of the GB HAN: a file a cluster, and the registry that finds one by id.

Cluster and command ids, and the layouts of commands that GBCS messages carry, are those of the references (zigbee-han 3 and 6,
gbcs-messages 7A, zcl-names.csv). Attributes beyond them, and the layouts of Basic, Identify, Alarms, Commissioning, OTA and fast
polling, are the ZCL's as remembered and in part as zigpy has them: confirm them in ZSE 07-5356 before a verdict rests on one.
"""

from __future__ import annotations

from firmware_emu.zse.clusters.alarms import ALARMS
from firmware_emu.zse.clusters.basic import BASIC
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.commissioning import COMMISSIONING
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.drlc import DRLC
from firmware_emu.zse.clusters.energy_management import ENERGY_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.identify import IDENTIFY
from firmware_emu.zse.clusters.keep_alive import KEEP_ALIVE
from firmware_emu.zse.clusters.key_establishment import KEY_ESTABLISHMENT
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.ota import OTA
from firmware_emu.zse.clusters.power_configuration import POWER_CONFIGURATION
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.clusters.time import TIME
from firmware_emu.zse.clusters.tunneling import TUNNELING
from firmware_emu.zse.declare import Cluster

ALL: tuple[Cluster, ...] = (
    BASIC,
    POWER_CONFIGURATION,
    IDENTIFY,
    ALARMS,
    TIME,
    COMMISSIONING,
    OTA,
    KEEP_ALIVE,
    PRICE,
    DRLC,
    METERING,
    MESSAGING,
    TUNNELING,
    PREPAYMENT,
    ENERGY_MANAGEMENT,
    CALENDAR,
    DEVICE_MANAGEMENT,
    EVENTS,
    SUB_GHZ,
    KEY_ESTABLISHMENT,
)

BY_ID = {cluster.id: cluster for cluster in ALL}
"""The clusters of the GB HAN by their ids."""


def named(name: str) -> int | None:
    """The id of a cluster as records name it: ``Metering``, or ``0x0FFE`` for one that is not one of the GB HAN's."""
    if name.startswith("0x"):
        return int(name, 16)
    return next((cluster.id for cluster in ALL if cluster.name == name), None)


NEEDS_LINK_KEY = frozenset(cluster.id for cluster in ALL if cluster.secured)
"""Clusters whose unicasts need APS encryption with the link key (ZSE 5.4.6 through reference gbcs-spec-notes 10.5)."""
