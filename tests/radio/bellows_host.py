"""The application of bellows on a dongle, with its packets kept."""

from __future__ import annotations

import zigpy.types as zt
from bellows.zigbee.application import ControllerApplication

from firmware_emu.ids import Eui64


def config(path: str) -> dict[str, object]:
    device = {"path": path, "baudrate": 115200, "flow_control": None}
    return {
        "database_path": None,
        "device": device,
        "backup_enabled": False,
        "startup_energy_scan": False,
        "use_thread": False,
        "network": {"channel": 15},
    }


def theirs(eui64: Eui64) -> zt.EUI64:
    return zt.EUI64(eui64.zigbee)


class Host(ControllerApplication):  # type: ignore[misc]
    """bellows' application, with the packets kept instead of looked up in zigpy's device table."""

    def __init__(self, path: str) -> None:
        super().__init__(config(path))
        self.packets: list[zt.ZigbeePacket] = []

    def packet_received(self, packet: zt.ZigbeePacket) -> None:
        self.packets.append(packet)
        super().packet_received(packet)

    async def form(self) -> None:
        await self.connect()
        await self.form_network()
        await self.disconnect()
        await self.connect()
        await self.start_network()

    async def give(self, short: int, payload: bytes, *, secured: bool = True) -> None:
        options = zt.TransmitOptions.ACK | (zt.TransmitOptions.APS_Encryption if secured else zt.TransmitOptions.NONE)
        await self.send_packet(
            zt.ZigbeePacket(
                src=zt.AddrModeAddress(zt.AddrMode.NWK, 0),
                src_ep=1,
                dst=zt.AddrModeAddress(zt.AddrMode.NWK, short),
                dst_ep=1,
                tsn=9,
                profile_id=0x0109,
                cluster_id=0x0702,
                data=zt.SerializableBytes(payload),
                tx_options=options,
                radius=0,
            )
        )

    def got(self, cluster: int = 0x0702) -> list[bytes]:
        return [packet.data.serialize() for packet in self.packets if packet.cluster_id == cluster]
