"""The hub's ZigBee endpoints: gas ESI, gas mirror, remote communications device (reference zigbee-han 1 and 2).

Numbers are a vendor's (1, 2, 3); Devices find them by Match_Desc.
"""

from __future__ import annotations

from firmware_emu.han.attributes import Attributes
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.profile import HubConfig
from firmware_emu.zse.clusters.basic import BASIC
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.keep_alive import KEEP_ALIVE
from firmware_emu.zse.clusters.key_establishment import KEY_ESTABLISHMENT
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.ota import OTA
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.clusters.time import TIME
from firmware_emu.zse.clusters.tunneling import TUNNELING

ESI_ENDPOINT = 1
MIRROR_ENDPOINT = 2
CHF_ENDPOINT = 3
_ESI, _METERING_DEVICE, _REMOTE_COMMUNICATIONS = 0x0500, 0x0501, 0x0508
MIRROR_CAPACITY = 0x01
"""Basic PhysicalEnvironment, bit 0: a mirror can be had (GBCS wants 0x01, reference zigbee-han 6)."""
_MAINS = 0x01


def declare_endpoints(zcl: ZclPort) -> None:
    """Register the three endpoints; before the radio starts."""
    zcl.add_endpoint(
        SimpleDescriptor(
            CHF_ENDPOINT,
            _REMOTE_COMMUNICATIONS,
            clients=(KEY_ESTABLISHMENT.id, TUNNELING.id),
            servers=(BASIC.id, KEY_ESTABLISHMENT.id, TIME.id, OTA.id, KEEP_ALIVE.id, TUNNELING.id, SUB_GHZ.id),
        )
    )
    zcl.add_endpoint(
        SimpleDescriptor(
            ESI_ENDPOINT,
            _ESI,
            clients=(METERING.id,),
            servers=(BASIC.id, TIME.id, METERING.id, PREPAYMENT.id, PRICE.id, MESSAGING.id, CALENDAR.id, DEVICE_MANAGEMENT.id, EVENTS.id),
        )
    )
    zcl.add_endpoint(SimpleDescriptor(MIRROR_ENDPOINT, _METERING_DEVICE, servers=(BASIC.id, METERING.id, PREPAYMENT.id)))


def serve_basic(zcl: ZclPort, config: HubConfig) -> None:
    """Answer reads of the Basic cluster. The mirror endpoint's is the gas meter's (:mod:`firmware_emu.hub.mirror`)."""
    attributes = Attributes(
        BASIC,
        {
            "zcl_version": 3,
            "manufacturer_name": config.manufacturer.decode("ascii", "replace"),
            "model_identifier": config.model.decode("ascii", "replace"),
            "power_source": _MAINS,
            "physical_environment": MIRROR_CAPACITY,
        },
    )
    for endpoint in (ESI_ENDPOINT, CHF_ENDPOINT):
        zcl.serve(endpoint, BASIC.id, None, attributes=attributes)
