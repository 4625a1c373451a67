"""zigpy's application, cut down to what a Smart Energy hub wants of it: the dongle and the network, not the Devices.

zigpy knows home automation (reference ezsp-ncp 6): it drops profile 0x0109 and interviews whoever joins. Packets are therefore
taken before zigpy's device layer, the hub's own endpoints are registered, and zigpy is kept from talking to Devices.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import zigpy.exceptions
import zigpy.state
import zigpy.types
import zigpy.zdo.types
from bellows.zigbee.application import ControllerApplication

from firmware_emu.crypto.entropy import Entropy
from firmware_emu.errors import RadioError
from firmware_emu.han import zigpy_backup
from firmware_emu.han.base import SMART_ENERGY, NetworkSettings
from firmware_emu.han.custody import Backup, Held
from firmware_emu.han.dongle import DongleUser
from firmware_emu.han.ezsp import OPENING_ERRORS, HeldEzsp, command, eui64_of, ezsp_key, radio_call
from firmware_emu.ids import Eui64

zt: Any = zigpy.types  # its constructors carry no types

KEY_TABLE_SIZE = 32
"""Link keys asked of the dongle: 16 Devices of the log (reference chts 2) and room for those that come back."""


_STACK_ERRORS = (zigpy.exceptions.ZigbeeException, zigpy.exceptions.RadioException, AssertionError)
"""Exceptions that bellows and zigpy raise where a dongle refuses; bellows asserts on statuses it does not expect."""


class CallbackListener(Protocol):
    """Receiver of every callback of the EZSP object."""

    def callback(self, version: int, name: str, args: list[Any]) -> None: ...


class HanApplication(ControllerApplication):  # type: ignore[misc]
    """bellows' application, telling ``user`` what zigpy must not see and ``listener`` what bellows has no name for."""

    def __init__(self, listener: CallbackListener, user: DongleUser, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._listener = listener
        self._user = user

    async def connect(self) -> None:
        # As bellows', with an EZSP object that holds the warp clock.
        ezsp: Any = HeldEzsp(self._user.clock, self.config["device"], self)
        self._ezsp = ezsp
        try:
            await ezsp.connect(use_thread=False)
            await ezsp.write_config(self.config["ezsp_config"])
            self._created_device_endpoints.clear()
            await self.register_endpoints()
        except BaseException:  # also a cancelled start: the port is let go of, and the error goes on
            self._ezsp = None
            await ezsp.disconnect()
            raise

    @property
    def ezsp(self) -> Any:
        """The EZSP object, None when closed."""
        return self._ezsp

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
        if all(descriptor.endpoint != 1 for descriptor in self._user.endpoints):
            # bellows looks for an endpoint 1 in its own picture of the dongle; the dongle need not have one.
            self._created_device_endpoints.append(
                zigpy.zdo.types.SimpleDescriptor(
                    endpoint=1,
                    profile=SMART_ENERGY,
                    device_type=0,
                    device_version=0,
                    input_clusters=[],
                    output_clusters=[],
                )
            )

    async def _reset(self) -> None:
        # Endpoints do not outlive a reset, and can be added only before the network is up. bellows adds them when it connects only.
        await super()._reset()
        self._created_device_endpoints.clear()
        await self.register_endpoints()

    def packet_received(self, packet: Any) -> None:
        if packet.src.address == self.state.node_info.nwk:
            super().packet_received(packet)  # zigpy asks the coordinator's own ZDO while it starts
        self._user.packet_received(packet)

    def ezsp_callback_handler(self, frame_name: str, args: list[Any]) -> None:
        if self._ezsp is not None:
            self._listener.callback(self._ezsp.ezsp_version, frame_name, args)
            super().ezsp_callback_handler(frame_name, args)

    def _handle_tc_join_handler(self, nwk: Any, ieee: Any, device_update_status: Any, decision: Any, parent_nwk: Any) -> None:
        self._user.trust_centre_join(int(nwk), eui64_of(ieee), int(device_update_status), int(decision))

    def handle_join(self, nwk: Any, ieee: Any, parent_nwk: Any, *, handle_rejoin: bool = True) -> None:
        """zigpy would interview the Device; the hub does not want that."""

    def handle_leave(self, nwk: Any, ieee: Any) -> None:
        """Told to the radio from the trust centre handler."""

    def handle_relays(self, nwk: Any, relays: Any) -> None:
        """zigpy would ask an unknown Device for its address; the address book does that when it is needed."""

    def connection_lost(self, exc: Exception) -> None:
        self._user.connection_lost(exc)

    async def form(self, settings: NetworkSettings, entropy: Entropy) -> None:
        """Write and start a network; what ``settings`` leave open is drawn. Raises RadioError."""
        info = zigpy.state.NetworkInfo(
            extended_pan_id=zt.ExtendedPanId.deserialize(settings.extended_pan_id.zigbee)[0],
            pan_id=zt.PanId(1 + entropy.below(0xFFFE) if settings.pan_id is None else settings.pan_id),
            nwk_update_id=zt.uint8_t(0),
            nwk_manager_id=zt.NWK(0),
            channel=zt.uint8_t(settings.channel),
            channel_mask=zt.Channels.from_channel_list([settings.channel]),
            security_level=zt.uint8_t(5),
            network_key=zigpy.state.Key(key=ezsp_key(settings.network_key or entropy.octets(16))),
            tc_link_key=zigpy.state.Key(key=ezsp_key(b"ZigBeeAlliance09")),  # what bellows demands; nothing is let in by it
            stack_specific={"ezsp": {"hashed_tclk": entropy.octets(16).hex()}},
        )
        node = zigpy.state.NodeInfo(nwk=zt.NWK(0), ieee=zt.EUI64.UNKNOWN, logical_type=zigpy.zdo.types.LogicalType.Coordinator)
        try:
            await radio_call(self.write_network_info(network_info=info, node_info=node))
            await radio_call(self.start_network())
        except _STACK_ERRORS as error:
            raise RadioError(f"the dongle did not form a network on channel {settings.channel}: {error}") from error

    async def resume(self) -> NetworkSettings | None:
        """Start the stored network; None where there is none. Raises RadioError."""
        try:
            await radio_call(self.start_network())
        except zigpy.exceptions.NetworkNotFormed:
            return None
        except _STACK_ERRORS as error:
            raise RadioError(f"the dongle did not resume its network: {error}") from error
        return self.settings

    async def held(self) -> Held:
        """See Dongle.held: the firmware tells of its network only when it is up."""
        (address,) = await radio_call(self._ezsp.getEui64())
        try:
            await radio_call(self._ensure_network_running())
            node_type, parameters = await command(self._ezsp.getNetworkParameters(), "tell its network")
            if node_type != zigpy.zdo.types.LogicalType.Coordinator + 1:
                extended = Eui64.from_zigbee(parameters.extendedPanId.serialize())
                return Held(eui64_of(address), NetworkSettings(extended, int(parameters.radioChannel), int(parameters.panId)), False)
            await radio_call(self.load_network_info(load_devices=False))
        except zigpy.exceptions.NetworkNotFormed:
            return Held(eui64_of(address))
        except _STACK_ERRORS as error:
            raise RadioError(f"the dongle does not tell which network it holds: {error}") from error
        return Held(eui64_of(address), self.settings)

    async def silence(self) -> None:
        """See Dongle.silence."""
        await radio_call(self._reset())

    async def backup(self) -> Backup:
        """See Dongle.backup."""
        try:
            await radio_call(self.load_network_info(load_devices=True))
        except zigpy.exceptions.NetworkNotFormed:
            raise RadioError("the dongle holds no network: there is nothing to save") from None
        except _STACK_ERRORS as error:
            raise RadioError(f"the dongle does not tell its network: {error}") from error
        return zigpy_backup.encode(self)

    async def restore(self, backup: Backup, *, own_eui64: bool) -> None:
        """See Dongle.restore."""
        try:
            await radio_call(zigpy_backup.write(self, backup, own_eui64=own_eui64))
            await radio_call(self.start_network())
        except _STACK_ERRORS as error:
            raise RadioError(f"the dongle did not take the backup: {error}") from error

    @property
    def settings(self) -> NetworkSettings:
        """The network in force."""
        return zigpy_backup.settings_of(self)

    async def close(self) -> None:
        """Let go of the port; a dongle that is gone cannot hinder it."""
        with contextlib.suppress(*OPENING_ERRORS):
            await self.shutdown(db=False)
