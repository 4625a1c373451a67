"""zigpy-znp's application, cut down as :mod:`firmware_emu.han.ezsp_dongle` does bellows': the dongle and the network, not the Devices."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import zigpy.types
import zigpy.zdo.types
import zigpy_znp.commands as c
import zigpy_znp.types as t
from zigpy_znp.api import ZNP
from zigpy_znp.exceptions import InvalidCommandResponse
from zigpy_znp.zigbee.application import ControllerApplication

from firmware_emu.clock import RADIO_HOLD, Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.base import SMART_ENERGY
from firmware_emu.han.dongle import DongleUser
from firmware_emu.han.ezsp import eui64_of
from firmware_emu.supervised import supervised

# Below INFO it writes every command, and so keys, into the log.
logging.getLogger("zigpy_znp").setLevel(logging.INFO)
LOGGER = logging.getLogger(__name__)

zt: Any = zigpy.types  # its constructors carry no types

AT_ONCE = 220
"""Octets of a message that go in one MT frame; longer ones go and come in pieces."""
_HELD_REAL_S, _PING_HELD_REAL_S = 1.0, 0.1
"""A ping is often sent to a dongle that is not there, and is repeated: it is held for less."""
_JOINED, _LEFT, _ADMITTED = 1, 2, 0


class HeldZnp(ZNP):  # type: ignore[misc]
    """zigpy-znp's API object, holding the warp clock from each request to its response, and reading what it cannot."""

    def __init__(self, clock: Clock, config: Any, long_message: Any) -> None:
        super().__init__(config)
        self._clock = clock
        self._long_message = long_message

    async def request(self, request: Any, timeout: int | None = None, **response_params: Any) -> Any:
        with self._clock.hold(RADIO_HOLD, _PING_HELD_REAL_S if isinstance(request, c.SYS.Ping.Req) else _HELD_REAL_S):
            return await super().request(request, timeout, **response_params)

    def frame_received(self, frame: Any) -> Any:
        if frame.header == c.AF.IncomingMsgExt.Callback.header:
            self._long_message(bytes(frame.data))
            return True
        return super().frame_received(frame)


class ZnpApplication(ControllerApplication):  # type: ignore[misc]
    """zigpy-znp's application, telling ``user`` what zigpy must not see."""

    def __init__(self, user: DongleUser, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._user = user
        self._waiting: list[Any] = []
        self._fetching: asyncio.Task[None] | None = None
        self.started = False

    @property
    def znp(self) -> Any:
        if self._znp is None:
            raise RadioError("the dongle is not open", "RESET")
        return self._znp

    async def connect(self) -> None:
        # As zigpy-znp's, with an object that holds the warp clock.
        znp = HeldZnp(self._user.clock, self.config, self._long_message)
        await znp.connect()
        self._znp = znp
        znp.set_application(self)
        self._bind_callbacks()
        znp.callback_for_response(c.SYS.ResetInd.Callback(partial=True), self._was_reset)

    def _was_reset(self, told: Any) -> None:
        if self.started:
            self.started = False
            self._user.connection_lost(RadioError(f"the dongle reset by itself ({told.Reason.name})", "RESET"))

    async def register_endpoints(self) -> None:
        for descriptor in self._user.endpoints:
            await self.add_endpoint(
                zigpy.zdo.types.SimpleDescriptor(
                    endpoint=descriptor.endpoint,
                    profile=descriptor.profile,
                    device_type=descriptor.device_id,
                    device_version=0,
                    input_clusters=list(descriptor.servers),
                    output_clusters=list(descriptor.clients),
                )
            )

    def packet_received(self, packet: Any) -> None:
        if packet.src.address == self.state.node_info.nwk:
            super().packet_received(packet)  # zigpy asks the coordinator's own ZDO while it starts
        self._user.packet_received(packet)

    async def on_af_message(self, msg: Any) -> None:
        self._in_order(
            self._packet(
                int(msg.SrcAddr),
                int(msg.SrcEndpoint),
                int(msg.DstEndpoint),
                int(msg.ClusterId),
                int(msg.TSN),
                bool(msg.WasBroadcast),
                bool(msg.SecurityUse),
                int(msg.LQI),
                bytes(msg.Data),
            )
        )

    def _packet(
        self,
        source: int,
        from_endpoint: int,
        to_endpoint: int,
        cluster: int,
        tsn: int,
        broadcast: bool,
        secured: bool,
        lqi: int,
        payload: bytes,
    ) -> Any:
        """MT does not tell the profile: it is that of the endpoint."""
        profile = next((one.profile for one in self._user.endpoints if one.endpoint == to_endpoint), SMART_ENERGY)
        mode = zt.AddrMode.Broadcast if broadcast else zt.AddrMode.NWK
        to = zt.BroadcastAddress.RX_ON_WHEN_IDLE if broadcast else self.state.node_info.nwk
        return zt.ZigbeePacket(
            src=zt.AddrModeAddress(addr_mode=zt.AddrMode.NWK, address=source),
            src_ep=from_endpoint,
            dst=zt.AddrModeAddress(addr_mode=mode, address=to),
            dst_ep=to_endpoint,
            tsn=tsn,
            profile_id=profile,
            cluster_id=cluster,
            data=zt.SerializableBytes(payload),
            lqi=lqi,
            rssi=None,
            tx_options=zt.TransmitOptions.APS_Encryption if secured else zt.TransmitOptions.NONE,
        )

    def _long_message(self, data: bytes) -> None:
        """AF_INCOMING_MSG_EXT: the message itself may have to be fetched."""
        if len(data) >= 27:
            self._in_order(data)

    def _in_order(self, message: Any) -> None:
        """Messages that came while a long one is fetched wait for it."""
        self._waiting.append(message)
        if self._fetching is None or self._fetching.done():
            self._fetching = supervised(self._deliver(), "the delivery of long messages")

    async def _deliver(self) -> None:
        while self._waiting:
            message = self._waiting.pop(0)
            if isinstance(message, bytes):
                try:
                    message = await self._fetched(message)
                except (RadioError, TimeoutError, InvalidCommandResponse) as problem:
                    LOGGER.info("a long message is lost in the dongle: %s", problem)
                    continue
            self.packet_received(message)

    async def _fetched(self, data: bytes) -> Any:
        length = int.from_bytes(data[25:27], "little")
        payload = data[27:-3]
        if len(payload) != length:
            stamp = t.uint32_t(int.from_bytes(data[20:24], "little"))
            payload = b""
            while len(payload) < length:
                piece = await self.znp.request(
                    c.AF.DataRetrieve.Req(TimeStamp=stamp, Index=len(payload), Length=min(AT_ONCE, length - len(payload))),
                    RspStatus=t.Status.SUCCESS,
                )
                if not piece.Data:
                    raise RadioError("the dongle gives no more of a message")
                payload += bytes(piece.Data)
            await self.znp.request(c.AF.DataRetrieve.Req(TimeStamp=stamp, Index=0, Length=0))
        return self._packet(
            int.from_bytes(data[5:7], "little"),
            data[13],
            data[16],
            int.from_bytes(data[2:4], "little"),
            data[24],
            bool(data[17]),
            bool(data[19]),
            data[18],
            payload,
        )

    def on_zdo_tc_device_join(self, msg: Any) -> None:
        self._user.trust_centre_join(int(msg.SrcNwk), eui64_of(msg.SrcIEEE), _JOINED, _ADMITTED)

    def on_zdo_device_leave(self, msg: Any) -> None:
        self._user.trust_centre_join(int(msg.NWK), eui64_of(msg.IEEE), _LEFT, _ADMITTED)

    def handle_join(self, nwk: Any, ieee: Any, parent_nwk: Any, *, handle_rejoin: bool = True) -> None:
        """zigpy would interview the Device; the hub does not want that."""

    def handle_relays(self, nwk: Any, relays: Any) -> None:
        """zigpy would ask an unknown Device for its address; the address book does that when it is needed."""

    def connection_lost(self, exc: Exception) -> None:
        self.started = False
        self._user.connection_lost(exc)
