"""A hub as a board describes it: its configuration, the parties its Devices hold, its radio."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.han.custody import Custody
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.hub.profile import HanVariant, HubConfig
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace

GAS = frozenset({DeviceType.GSME, DeviceType.GPF})
"""Devices that hold the gas supplier."""


def parties_of(board: Board, kind: DeviceType) -> dict[RemotePartyRole, Eui64]:
    """Parties that a Device of that kind holds when it leaves the factory."""
    parties = board.parties
    return {
        RemotePartyRole.SUPPLIER: parties.gas_supplier if kind in GAS else parties.supplier,
        RemotePartyRole.NETWORK_OPERATOR: parties.network_operator,
        RemotePartyRole.ACCESS_CONTROL_BROKER: parties.access_control_broker,
        RemotePartyRole.WAN_PROVIDER: parties.wan_provider,
        RemotePartyRole.TRANSITIONAL_COS: parties.cos_party,
        RemotePartyRole.RECOVERY: parties.recovery,
    }


def hub_config(board: Board) -> HubConfig:
    """The hub's firmware configuration."""
    parties = board.parties
    return HubConfig(
        chf=board.hub.chf,
        gpf=board.hub.gpf,
        channel=board.hub.channel,
        access_control_broker=parties.access_control_broker,
        wan_provider=parties.wan_provider,
        supplier=parties.gas_supplier,
        network_operator=parties.network_operator,
        recovery=parties.recovery,
        transitional_cos=parties.cos_party,
        hold_up_s=board.hub.hold_up_ms / 1000,
        outage_threshold_s=board.hub.outage_threshold_s,
        variant=HanVariant(board.hub.han_variant),
        custody=Custody(board.radio.custody),
        gbcs=board.hub.gbcs,
    )


def radio_of(board: Board, path: str, clock: Clock, trace: Trace, entropy: Entropy = SYSTEM, backups: Path | None = None) -> ZigpyRadio:
    """The driver of the coordinator's dongle at ``path`` (a serial device or ``socket://host:port``); ``entropy`` makes network keys.

    ``backups``: folder for what a dongle holds before the hub overwrites it.
    """
    flow = None if board.radio.flow_control == "none" else board.radio.flow_control
    return ZigpyRadio(
        path,
        baudrate=board.radio.baudrate,
        flow_control=flow,
        clock=clock,
        trace=trace,
        kind=board.radio.kind,
        entropy=entropy,
        backups=backups,
    )
