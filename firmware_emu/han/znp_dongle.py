"""A dongle with Z-Stack 3 ZNP firmware behind :class:`~firmware_emu.han.dongle.Dongle`, through unmodified zigpy-znp.

Z-Stack fragments by itself; what zigpy-znp does not do is added here: messages too long for one MT frame, link keys of Smart Energy,
the network key. Its firmware neither tells of a Device that was refused nor takes back an install code, and passes no inter-PAN frames.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import zigpy.exceptions
import zigpy.state
import zigpy.types
import zigpy.zdo.types
import zigpy_znp.commands as c
import zigpy_znp.types as t
from zigpy_znp.exceptions import CommandNotRecognized, InvalidCommandResponse, SecurityError

from firmware_emu.crypto.entropy import Entropy
from firmware_emu.errors import NotAvailable, RadioError, fault_named
from firmware_emu.han import zigpy_backup
from firmware_emu.han.base import ZDO_PROFILE, ApsFrame, NetworkSettings
from firmware_emu.han.custody import Backup, DongleContent
from firmware_emu.han.dongle import DongleUser
from firmware_emu.han.ezsp import eui64_of, ezsp_eui64, opening_problem, while_busy
from firmware_emu.han.inter_pan import InterPanFrame
from firmware_emu.han.key_establishment import KeyAgreement
from firmware_emu.han.znp_application import AT_ONCE, ZnpApplication
from firmware_emu.ids import Eui64

zt: Any = zigpy.types  # its constructors carry no types

SENT_TIMEOUT_S = 20.0
"""As for EZSP: our own figure."""
_NO_ROOM = ("MEM_ERROR", "BUFFER_FULL", "MAC_NO_RESOURCES", "NWK_TABLE_FULL", "MAC_TRANSACTION_OVERFLOW")
"""Statuses of a message that was not sent because there was no room for it, in a reply or in a confirmation."""
_BROADCAST_RX_ON, _BROADCAST_ROUTERS, _EVERYBODY, _NO_SHORT = 0xFFFD, 0xFFFC, 0xFFFF, 0xFFFE
_UNEXPECTED = (AssertionError, KeyError, ValueError, SecurityError)
"""Exceptions that zigpy-znp raises where a dongle answers or holds what it does not expect."""
_TROUBLE = (TimeoutError, InvalidCommandResponse, CommandNotRecognized, zigpy.exceptions.ZigbeeException, RuntimeError, OSError)
"""Exceptions that zigpy-znp lets out of a request: RuntimeError is a dongle that is gone."""


class _Announced(t.LongBytes):  # type: ignore[misc]
    """The length of data that follows in frames of its own."""

    def serialize(self) -> bytes:
        length: bytes = t.uint16_t(len(self)).serialize()
        return length


def _unlike(error: Exception) -> Exception:
    """The dongle's fault where zigpy-znp raised ``error``; one of our own code stays what it is."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None or not str(place.tb_frame.f_globals.get("__name__")).startswith("zigpy"):
        return error
    return RadioError(f"the dongle answers otherwise than Z-Stack 3.30 does ({fault_named(error)}): flash that, or erase its memory")


class ZnpDongle:
    """See :class:`~firmware_emu.han.dongle.Dongle`. ``config``: device configuration as for EZSP."""

    def __init__(self, user: DongleUser, config: dict[str, Any]) -> None:
        self._user = user
        self._path = str(config["path"])
        self._app = ZnpApplication(
            user,
            {
                "database_path": None,
                "device": config,
                "backup_enabled": False,
                "startup_energy_scan": False,
                "ota": {"enabled": False},
            },
        )
        self._sent: dict[int, asyncio.Future[str]] = {}
        self._tsn = 0
        self._turn: dict[int, asyncio.Lock] = {}
        self._storing = asyncio.Lock()

    async def open(self) -> Eui64:
        try:
            await self._app.connect()
            address = (await self._app.znp.request(c.SYS.GetExtAddr.Req())).ExtAddr
        except TimeoutError as error:
            raise RadioError(
                f"the dongle at {self._path} does not answer as a ZNP: it has other firmware or another baud rate, flash Z-Stack 3.30"
            ) from error
        except OSError as error:
            raise opening_problem(error, self._path) from error
        except (InvalidCommandResponse, CommandNotRecognized) as error:
            raise RadioError(f"the dongle at {self._path} refused a command while it was opened ({error}): unplug it, try again") from error
        except _UNEXPECTED as error:
            raise _unlike(error) from None
        if self._app.znp.version < 3.0:
            raise RadioError(f"the dongle at {self._path} runs Z-Stack {self._app.znp.version}, expected 3.0 or newer: flash Z-Stack 3.30")
        self._app.znp.callback_for_response(c.AF.DataConfirm.Callback(partial=True), self._confirmed)
        return eui64_of(address)

    async def close(self) -> None:
        self._app.started = False
        with contextlib.suppress(*_TROUBLE):
            await self._app.shutdown(db=False)

    @property
    def firmware(self) -> str:
        return f"Z-Stack {self._app.znp.version:.2f}"

    @property
    def warning(self) -> str | None:
        return None

    @property
    def settings(self) -> NetworkSettings:
        return zigpy_backup.settings_of(self._app)

    async def address(self) -> Eui64:
        return eui64_of((await self._call(self._app.znp.request(c.SYS.GetExtAddr.Req()))).ExtAddr)

    async def held(self) -> DongleContent:
        address = await self.address()
        try:
            await self._call(self._app.load_network_info())
        except zigpy.exceptions.NetworkNotFormed:
            return DongleContent(address)
        coordinator = self._app.state.node_info.logical_type == zigpy.zdo.types.LogicalType.Coordinator
        return DongleContent(address, self.settings, coordinator)

    async def silence(self) -> None:
        """Reading its items has started nothing."""

    async def backup(self) -> Backup:
        try:
            await self._call(self._app.load_network_info(load_devices=True))
        except zigpy.exceptions.NetworkNotFormed:
            raise RadioError("the dongle holds no network: there is nothing to save") from None
        return zigpy_backup.encode(self._app)

    async def restore(self, backup: Backup, *, own_eui64: bool) -> None:
        self._app.started = False
        await self._call(zigpy_backup.write(self._app, backup, own_eui64=own_eui64))
        self._app.state.node_info = zigpy.state.NodeInfo()
        await self._start()

    async def form(self, settings: NetworkSettings, entropy: Entropy) -> None:
        self._app.started = False
        info = zigpy.state.NetworkInfo(
            extended_pan_id=zt.EUI64.deserialize(settings.extended_pan_id.zigbee)[0],
            pan_id=zt.PanId(1 + entropy.below(0xFFFE) if settings.pan_id is None else settings.pan_id),
            nwk_update_id=zt.uint8_t(0),
            nwk_manager_id=zt.NWK(0),
            channel=zt.uint8_t(settings.channel),
            channel_mask=zt.Channels.from_channel_list([settings.channel]),
            security_level=zt.uint8_t(5),
            network_key=zigpy.state.Key(key=zt.KeyData(settings.network_key or entropy.octets(16))),
            tc_link_key=zigpy.state.Key(key=zt.KeyData(b"ZigBeeAlliance09")),  # built into Z-Stack; nothing is let in by it
            stack_specific={"zstack": {"tclk_seed": entropy.octets(16).hex()}},
        )
        node = zigpy.state.NodeInfo(nwk=zt.NWK(0), ieee=zt.EUI64.UNKNOWN, logical_type=zigpy.zdo.types.LogicalType.Coordinator)
        await self._call(self._app.write_network_info(network_info=info, node_info=node))
        self._app.state.node_info = zigpy.state.NodeInfo()
        await self._start()

    async def resume(self) -> NetworkSettings | None:
        try:
            await self._call(self._app.load_network_info())
        except zigpy.exceptions.NetworkNotFormed:
            return None
        await self._start()
        return self.settings

    async def _start(self) -> None:
        self._app.started = False
        await self._call(self._app.start_network())
        await self._call(self._app.load_network_info())
        await self._request(c.AppConfig.BDBSetJoinUsesInstallCodeKey.Req(BdbJoinUsesInstallCodeKey=True), "ask for install codes")
        self._app.started = True

    async def _call(self, call: Any) -> Any:
        """Await what zigpy-znp does. Raises RadioError in place of its own errors; no answer is a dongle that is gone."""
        try:
            return await call
        except TimeoutError as error:
            if self._app.started:
                self._app.started = False
                self._user.connection_lost(error)
            raise RadioError("the dongle does not answer a command", "TIMEOUT") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise RadioError("the dongle went away while it was asked", "RESET") from None  # zigpy-znp cancels what waits when it closes
        except InvalidCommandResponse as error:
            raise RadioError("the dongle refused a command", getattr(error.response, "Status", t.Status.FAILURE).name) from error
        except _TROUBLE as error:
            raise RadioError(f"the dongle refused a command: {error}") from error
        except _UNEXPECTED as error:
            raise _unlike(error) from None

    async def _request(self, request: Any, what: str) -> Any:
        try:
            return await self._call(self._app.znp.request(request, RspStatus=t.Status.SUCCESS))
        except RadioError as error:
            raise RadioError(f"the dongle did not {what}", error.status) from error

    # messages

    async def send(self, short: int, partner: Eui64, frame: ApsFrame) -> None:
        options = c.af.TransmitOptions.ACK_REQUEST
        if frame.secured:
            options |= c.af.TransmitOptions.ENABLE_SECURITY
        # One message to a partner at a time: the stack reassembles one and may refuse a second.
        async with self._turn.setdefault(short, asyncio.Lock()):
            await while_busy(lambda: self._send(short, partner, frame, options), _NO_ROOM)

    async def _send(self, short: int, partner: Eui64, frame: ApsFrame, options: Any) -> None:
        """Once; what was not sent for want of room ends as a refusal does."""
        tsn = self._tsn = (self._tsn + 1) % 256
        told = self._sent[tsn] = asyncio.get_running_loop().create_future()
        try:
            address = t.AddrModeAddress(mode=t.AddrMode.NWK, address=t.NWK(short))
            await self._hand_over(address, frame, options, tsn, f"send to {partner}")
            if frame.profile == ZDO_PROFILE:
                return  # of these Z-Stack does not tell what became
            async with asyncio.timeout(SENT_TIMEOUT_S):
                status = await told
        except TimeoutError:
            raise RadioError(f"the dongle does not say what became of a frame to {partner}", "TIMEOUT") from None
        finally:
            self._sent.pop(tsn, None)
        if status != "SUCCESS":
            raise RadioError(f"{partner} did not acknowledge", status)

    async def _hand_over(self, address: Any, frame: ApsFrame, options: Any, tsn: int, what: str) -> None:
        whole = len(frame.payload) <= AT_ONCE
        request = c.AF.DataRequestExt.Req(
            DstAddrModeAddress=address,
            DstEndpoint=frame.destination_endpoint,
            DstPanId=0,
            SrcEndpoint=frame.source_endpoint,
            ClusterId=frame.cluster,
            TSN=tsn,
            Options=options,
            Radius=30,
            Data=(t.LongBytes if whole else _Announced)(frame.payload),
        )
        if whole:
            await self._request(request, what)
            return
        async with self._storing:
            await self._request(request, what)
            for at in range(0, len(frame.payload), AT_ONCE):
                await self._request(c.AF.DataStore.Req(Index=at, Data=t.ShortBytes(frame.payload[at : at + AT_ONCE])), what)
            await self._request(c.AF.DataStore.Req(Index=len(frame.payload), Data=t.ShortBytes(b"")), what)

    async def broadcast(self, frame: ApsFrame) -> None:
        self._tsn = (self._tsn + 1) % 256
        address = t.AddrModeAddress(mode=t.AddrMode.Broadcast, address=t.NWK(_BROADCAST_RX_ON))
        tsn = self._tsn
        await while_busy(lambda: self._hand_over(address, frame, c.af.TransmitOptions.NONE, tsn, "send a broadcast"), _NO_ROOM)

    def _confirmed(self, told: Any) -> None:
        waiting = self._sent.get(int(told.TSN))
        if waiting is not None and not waiting.done():
            waiting.set_result(t.Status(told.Status).name)

    def abandon(self, reason: str) -> None:
        for told in self._sent.values():
            if not told.done():
                told.set_result(reason)

    # keys and Devices

    async def lookup_short(self, device: Eui64) -> int | None:
        """Z-Stack tells of its children alone, so the air is asked."""
        return None

    async def lookup_device(self, short: int) -> Eui64 | None:
        return None

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        request = c.ZDO.SetLinkKey.Req(NWK=t.NWK(_NO_SHORT), IEEE=ezsp_eui64(partner), LinkKeyData=t.KeyData(key))
        await self._request(request, f"take a link key with {partner}")

    async def forget_link_key(self, partner: Eui64) -> None:
        with contextlib.suppress(RadioError):  # there may be none
            await self._request(c.ZDO.RemoveLinkKey.Req(IEEE=ezsp_eui64(partner)), f"forget the link key of {partner}")

    async def permit_device(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        code = c.AppConfig.BDBAddInstallCode.Req(
            InstallCodeFormat=c.app_config.InstallCodeFormat.KeyDerivedFromInstallCode,
            IEEE=ezsp_eui64(device),
            InstallCode=t.Bytes(link_key),
        )
        await self._request(code, f"take the key of {device}")
        await self._permit(seconds)

    async def forget_permits(self) -> None:
        """Z-Stack takes none back: they are of no use while joining is closed."""

    async def close_joining(self) -> None:
        await self._permit(0)

    async def _permit(self, seconds: int) -> None:
        request = c.ZDO.MgmtPermitJoinReq.Req(
            AddrMode=t.AddrMode.Broadcast, Dst=t.NWK(_BROADCAST_ROUTERS), Duration=seconds, TCSignificance=0
        )
        await self._request(request, "open or close joining")

    async def remove_device(self, device: Eui64, short: int) -> None:
        request = c.ZDO.MgmtLeaveReq.Req(DstAddr=t.NWK(short), IEEE=ezsp_eui64(device), RemoveChildren_Rejoin=c.zdo.LeaveOptions.NONE)
        await self._request(request, f"remove {device}")

    async def key_agreement(self, certificate: bytes) -> KeyAgreement | None:
        """Z-Stack 3 has none."""
        return None

    async def ping(self) -> None:
        await self._call(self._app.znp.request(c.SYS.Ping.Req()))

    def _next_sequence(self) -> int:
        return (int(self._app.state.network_info.network_key.seq) + 1) % 256

    async def give_network_key(self, key: bytes) -> None:
        request = c.ZDO.ExtUpdateNwkKey.Req(Dst=t.NWK(_EVERYBODY), KeySeqNum=self._next_sequence(), Key=t.KeyData(key))
        await self._request(request, "give out a network key")

    async def switch_network_key(self) -> NetworkSettings:
        request = c.ZDO.ExtSwitchNwkKey.Req(Dst=t.NWK(_EVERYBODY), KeySeqNum=self._next_sequence())
        await self._request(request, "switch the network key")
        await self._call(self._app.load_network_info())
        return self.settings

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        """Raises NotAvailable."""
        raise NotAvailable("inter-PAN frames through Z-Stack 3", "use a dongle with EmberZNet NCP firmware and kind = 'ezsp'")
