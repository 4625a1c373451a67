"""A dongle with EmberZNet NCP firmware behind :class:`~firmware_emu.han.dongle.Dongle`, through unmodified bellows.

zigpy's application is cut down to what a Smart Energy hub wants of it: the dongle and the network, not the Devices. zigpy knows home
automation (reference ezsp-ncp 6): it drops profile 0x0109 and interviews whoever joins. Packets are therefore taken before zigpy's
device layer, the hub's own endpoints are registered, and zigpy is kept from talking to Devices.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Any, Protocol

import bellows.types as t
import zigpy.exceptions
import zigpy.state
import zigpy.types
import zigpy.zdo.types
from bellows.zigbee.application import ControllerApplication

from firmware_emu.crypto.entropy import Entropy
from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han import inter_pan, zdo, zigpy_backup
from firmware_emu.han.base import SMART_ENERGY, ZDO_PROFILE, ApsFrame, NetworkSettings
from firmware_emu.han.custody import Backup, DongleContent
from firmware_emu.han.dongle import DongleUser
from firmware_emu.han.ezsp import (
    OPENING_ERRORS,
    RECOMMENDED_VERSION,
    ApsSender,
    HeldEzsp,
    check_version,
    command,
    eui64_of,
    ezsp_eui64,
    ezsp_key,
    import_link_key,
    opening_problem,
    radio_call,
    status_text,
    succeeded,
    while_busy,
)
from firmware_emu.han.ezsp_agreement import FIRST_EXPORT, DongleAgreement
from firmware_emu.han.inter_pan import InterPanFrame
from firmware_emu.han.key_establishment import KeyAgreement
from firmware_emu.ids import Eui64

_SE_INTER_PAN = 0x01
_RAW_SENT_S = 5.0
_SECOND_PHY, _FIRST_PAGE = 1, 28
"""Index of the interface below 1 GHz, and its first page. A channel octet has the page above the first in bits 6 and 5."""
_SCAN = 3
"""Scan duration exponent: 138 ms a channel."""
_DUTY_PLACES, _NOBODY, _CHILDREN = 33, 0xFFFF, 64
"""Places of the duty cycle array, the node of a free one (UG100, recalled); children that an EmberZNet parent may have."""
_ROUTERS = 0xFFFC
_POLICY = (
    t.EzspDecisionBitmask.ALLOW_JOINS | t.EzspDecisionBitmask.ALLOW_UNSECURED_REJOINS | t.EzspDecisionBitmask.JOINS_USE_INSTALL_CODE_KEY
)
"""A Device that joins needs a key of its own; one that comes back without the network key gets it under its link key."""


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

    async def held(self) -> DongleContent:
        """See Dongle.held: the firmware tells of its network only when it is up."""
        (address,) = await radio_call(self._ezsp.getEui64())
        try:
            await radio_call(self._ensure_network_running())
            node_type, parameters = await command(self._ezsp.getNetworkParameters(), "tell its network")
            if node_type != zigpy.zdo.types.LogicalType.Coordinator + 1:
                extended = Eui64.from_zigbee(parameters.extendedPanId.serialize())
                return DongleContent(
                    eui64_of(address), NetworkSettings(extended, int(parameters.radioChannel), int(parameters.panId)), False
                )
            await radio_call(self.load_network_info(load_devices=False))
        except zigpy.exceptions.NetworkNotFormed:
            return DongleContent(eui64_of(address))
        except _STACK_ERRORS as error:
            raise RadioError(f"the dongle does not tell which network it holds: {error}") from error
        return DongleContent(eui64_of(address), self.settings)

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


class EzspDongle:
    """See :class:`~firmware_emu.han.dongle.Dongle`. ``config``: bellows' device configuration."""

    def __init__(self, user: DongleUser, config: dict[str, Any]) -> None:
        self._user = user
        self._path = str(config["path"])
        self._app = HanApplication(
            self,
            user,
            {
                "database_path": None,
                "device": config,
                "backup_enabled": False,
                "startup_energy_scan": False,
                "use_thread": False,
                "ota": {"enabled": False},
                "ezsp_config": {"CONFIG_KEY_TABLE_SIZE": KEY_TABLE_SIZE},
                "ezsp_policies": {
                    "TRUST_CENTER_POLICY": _POLICY,
                    "APP_KEY_REQUEST_POLICY": t.EzspDecisionId.ALLOW_APP_KEY_REQUESTS,
                },
            },
        )
        self._sender = ApsSender(lambda: self._app.ezsp, lambda: int(self._app.get_sequence()))
        self._own: Eui64 | None = None
        self._sub_ghz = False
        self._raw = asyncio.Lock()
        self._raw_sent: asyncio.Future[str] | None = None

    async def open(self) -> Eui64:
        try:
            await self._app.connect()
            check_version(self._ezsp.ezsp_version, self._path)
            return await self.address()
        except OPENING_ERRORS as error:
            raise opening_problem(error, self._path) from error

    async def address(self) -> Eui64:
        (address,) = await radio_call(self._ezsp.getEui64())
        self._own = eui64_of(address)
        return self._own

    async def close(self) -> None:
        await self._app.close()

    @property
    def _ezsp(self) -> Any:
        return self._app.ezsp

    @property
    def firmware(self) -> str:
        return f"EZSP {self._ezsp.ezsp_version}"

    @property
    def warning(self) -> str | None:
        version = int(self._ezsp.ezsp_version)
        if version <= RECOMMENDED_VERSION:
            return None
        return f"EZSP {version}: bellows does not reassemble long messages, use firmware 7.4 (EZSP 13)"

    @property
    def settings(self) -> NetworkSettings:
        return self._app.settings

    async def form(self, settings: NetworkSettings, entropy: Entropy) -> None:
        await self._app.form(settings, entropy)
        await self._network_up()

    async def resume(self) -> NetworkSettings | None:
        settings = await self._app.resume()
        if settings is not None:
            await self._network_up()
        return settings

    async def held(self) -> DongleContent:
        return await self._app.held()

    async def silence(self) -> None:
        await self._app.silence()

    async def backup(self) -> Backup:
        return await self._app.backup()

    async def restore(self, backup: Backup, *, own_eui64: bool) -> None:
        await self._app.restore(backup, own_eui64=own_eui64)
        await self._network_up()

    async def _network_up(self) -> None:
        flags = t.uint32_t(_SE_INTER_PAN).serialize()
        await command(self._ezsp.setValue(t.EzspValueId.VALUE_MAC_PASSTHROUGH_FLAGS, flags), "pass inter-PAN frames on")

    async def send(self, short: int, partner: Eui64, frame: ApsFrame) -> None:
        await self._sender.send(short, partner, frame)

    async def broadcast(self, frame: ApsFrame) -> None:
        await self._sender.broadcast(frame)

    def abandon(self, reason: str) -> None:
        self._sender.abandon(reason)

    async def lookup_short(self, device: Eui64) -> int | None:
        (*_, short) = await radio_call(self._ezsp.lookupNodeIdByEui64(eui64=ezsp_eui64(device)))
        return int(short) if int(short) < 0xFFF8 else None

    async def lookup_device(self, short: int) -> Eui64 | None:
        status, address = await radio_call(self._ezsp.lookupEui64ByNodeId(nodeId=short))
        return eui64_of(address) if succeeded(status) else None

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        await import_link_key(self._ezsp, partner, key)

    async def forget_link_key(self, partner: Eui64) -> None:
        (index,) = await radio_call(self._ezsp.findKeyTableEntry(address=ezsp_eui64(partner), linkKey=True))
        if index != 0xFF:
            await command(self._ezsp.eraseKeyTableEntry(index=index), f"forget the link key of {partner}")

    async def permit_device(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        # bellows' own way ends in a policy that keeps out who comes back, and in zigpy's call for Green Power Devices.
        await while_busy(lambda: self._take_transient_key(device, link_key))
        await command(self._ezsp.setPolicy(policyId=t.EzspPolicyId.TRUST_CENTER_POLICY, decisionId=_POLICY), "set its policy")
        permit = zdo.encode_permit(int(self._app.get_sequence()), seconds)
        await self._sender.broadcast(ApsFrame(zdo.PERMIT_JOINING_REQUEST, permit, 0, 0, secured=False, profile=ZDO_PROFILE), _ROUTERS)
        await command(self._ezsp.permitJoining(duration=seconds), "open joining")

    async def _take_transient_key(self, device: Eui64, link_key: bytes) -> None:
        status = await radio_call(self._ezsp.add_transient_link_key(ezsp_eui64(device), ezsp_key(link_key)))
        if not succeeded(status):
            raise RadioError(f"the dongle does not take the key of {device}", status_text(status))

    async def forget_permits(self) -> None:
        # Transient keys cannot be taken back one by one.
        await radio_call(self._ezsp.clearTransientLinkKeys())

    async def close_joining(self) -> None:
        await command(self._ezsp.permitJoining(duration=0), "close joining")
        await self.forget_permits()

    async def remove_device(self, device: Eui64, short: int) -> None:
        address = ezsp_eui64(device)
        await command(self._ezsp.removeDevice(destShort=short, destLong=address, targetLong=address), f"remove {device}")

    async def key_agreement(self, certificate: bytes) -> KeyAgreement | None:
        if int(self._ezsp.ezsp_version) < FIRST_EXPORT or not certificate:
            return None
        status, held = await radio_call(self._ezsp.getCertificate283k1())
        if status_text(status) != "OK" or held.serialize() != certificate:
            return None
        return DongleAgreement(self._ezsp)

    async def ping(self) -> None:
        await radio_call(self._ezsp.nop())

    async def give_network_key(self, key: bytes) -> None:
        await command(self._ezsp.broadcastNextNetworkKey(key=ezsp_key(key)), "give out a network key")

    async def switch_network_key(self) -> NetworkSettings:
        await command(self._ezsp.broadcastNetworkKeySwitch(), "switch the network key")
        await radio_call(self._app.load_network_info(load_devices=False))
        return self._app.settings

    async def start_sub_ghz(self, page: int, number: int) -> None:
        command_, extra = self._ezsp.multiPhyStart, {"power": t.int8s(0), "bitmask": t.EmberMultiPhyNwkConfig(0)}
        if self._sub_ghz:
            command_, extra = self._ezsp.multiPhySetRadioChannel, {}
        status, *_ = await radio_call(command_(phyIndex=_SECOND_PHY, page=page, channel=number, **extra))
        if not succeeded(status):
            raise RadioError(f"the dongle does not go to channel {number} of page {page}", status_text(status))
        self._sub_ghz = True

    async def sub_ghz_energy(self, mask: int) -> dict[tuple[int, int], int]:
        found = await radio_call(
            self._ezsp.startScan(scanType=t.EzspNetworkScanType.ENERGY_SCAN, channelMask=t.uint32_t(mask), duration=t.uint8_t(_SCAN))
        )
        return {(_FIRST_PAGE + (int(channel) >> 5 & 3), int(channel) & 0x1F): int(rssi) for channel, rssi, *_ in found}

    async def sub_ghz_duty_cycle(self) -> dict[int, int]:
        status, octets = await radio_call(self._ezsp.getCurrentDutyCycle(maxDevices=t.uint8_t(_DUTY_PLACES)))
        if not succeeded(status):
            raise RadioError("the dongle does not tell its duty cycle", status_text(status))
        pairs = struct.iter_unpack("<HH", bytes(octets)[: 4 * _DUTY_PLACES])
        return {short: share for short, share in pairs if short != _NOBODY}

    async def on_sub_ghz(self) -> frozenset[Eui64]:
        found: set[Eui64] = set()
        for index in range(_CHILDREN):
            status, child = await radio_call(self._ezsp.getChildData(index=t.uint8_t(index)))
            if not succeeded(status):
                break
            if int(child.phy) == _SECOND_PHY:
                found.add(eui64_of(child.eui64))
        return frozenset(found)

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        assert self._own is not None, "open() comes first"
        octets = inter_pan.encode(frame, self._own, self._app.settings.pan_id or 0, destination, pan)
        async with self._raw:
            self._raw_sent = asyncio.get_running_loop().create_future()
            if "sendRawMessage" in self._ezsp._protocol.COMMANDS:
                sending = self._ezsp._command("sendRawMessage", messageContents=octets)
            else:
                sending = self._ezsp._command("sendRawMessageExtended", message=octets, priority=0, useCca=True)
            await command(sending, "send a frame of no network")
            try:
                async with asyncio.timeout(_RAW_SENT_S):
                    status = await self._raw_sent
            except TimeoutError:
                raise RadioError("the dongle does not say what became of an inter-PAN frame", "TIMEOUT") from None
            finally:
                self._raw_sent = None
        if status != "OK":
            raise RadioError(f"{destination} did not acknowledge an inter-PAN frame", status)

    def callback(self, version: int, name: str, args: list[Any]) -> None:
        """A callback of the dongle."""
        self._sender.handle(version, name, args)
        if name == "rawTransmitCompleteHandler" and self._raw_sent is not None and not self._raw_sent.done():
            self._raw_sent.set_result(status_text(args[-1]))
        elif name == "macPassthroughMessageHandler" and int(args[0]) == _SE_INTER_PAN:
            try:
                self._user.inter_pan_received(*inter_pan.decode(bytes(args[-1])))
            except DecodeError:  # what anybody may send, and nothing to do with the network
                return
