"""A Device's radio behind an EZSP dongle, real or virtual, through bellows' ``EZSP`` object.

zigpy is left out: it refuses a network whose coordinator is not its own (reference ezsp-ncp 6). Unlike a node bound to the
simulated stack it has to be opened: :meth:`EzspNode.start` before the first :meth:`EzspNode.join` or :meth:`EzspNode.resume`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import bellows.types as t

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, RadioError
from firmware_emu.han import zdo
from firmware_emu.han.address_book import AddressBook
from firmware_emu.han.base import ZDO_PROFILE, ApsFrame, Receiver, SimpleDescriptor
from firmware_emu.han.ezsp import (
    OPENING_ERRORS,
    ApsSender,
    HeldEzsp,
    check_version,
    command,
    device_config,
    eui64_of,
    ezsp_eui64,
    ezsp_key,
    import_link_key,
    opening_problem,
    radio_call,
    status_text,
    succeeded,
)
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from hil.radio.nodes.node import KEY_WAIT_S

LOGGER = logging.getLogger(__name__)

SCAN_DURATION = 3
"""Beacon wait of the active scan: 138 ms a channel."""
POLL_S = 0.25
AWAKE_S = 5.0
"""A sleepy node that has sent or received polls every POLL_S for so long; values of this bench, no clause."""
_SECURITY = t.EmberInitialSecurityBitmask.HAVE_PRECONFIGURED_KEY | t.EmberInitialSecurityBitmask.REQUIRE_ENCRYPTED_KEY
_ROUTER, _SLEEPY = t.EmberNodeType.ROUTER, t.EmberNodeType.SLEEPY_END_DEVICE
_UP_S = 10.0
_GONE = ("NETWORK_DOWN", "NOT_JOINED", "CLOSED")


class EzspNode:
    """A :class:`firmware_emu.han.base.HanNode` on the dongle at ``path`` (a serial port or ``socket://host:port``).

    ``channels`` are scanned when it joins. ``on_left`` is called when the network is gone. A USB dongle keeps its supply:
    ``power(False)`` closes it, and the next :meth:`start` resets it, which loses what a power cut loses.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock,
        baudrate: int = 115200,
        flow_control: str | None = None,
        channels: tuple[int, ...] = tuple(range(11, 27)),
    ) -> None:
        self.path = path
        self.receiver: Receiver | None = None
        self.on_left: Callable[[], None] | None = None
        self.on_lost: Callable[[RadioError], None] | None = None
        """Called when the dongle was pulled, or has reset by itself, while it was open."""
        self._clock = clock
        self._channels = channels
        self._config = device_config(path, baudrate, flow_control)
        self._endpoints: list[SimpleDescriptor] = []
        self._ezsp: Any = None
        self._eui64: Eui64 | None = None
        self._tag = 0
        self._sender = ApsSender(self._open_ezsp, self._next_tag)
        self._book = AddressBook(self)
        self._joined = False
        self._sleepy = False
        self._status: asyncio.Future[str] | None = None
        self._polled: asyncio.Future[str] | None = None
        self._keys: dict[Eui64, asyncio.Future[Any]] = {}
        self._polling = asyncio.Lock()
        self._awake_until = 0.0
        self._sending = 0
        """Messages on their way: a node stays awake for each, however long its acknowledgements take."""
        self._poller: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    # life of the dongle

    async def start(self) -> None:
        """Open, reset and configure the dongle. Raises NotAvailable or RadioError, one sentence that says what to do."""
        if self._closing is not None:
            await self._closing
        if self._ezsp is not None:
            return
        ezsp: Any = HeldEzsp(self._clock, self._config, self)
        try:
            await ezsp.connect()
            check_version(ezsp.ezsp_version, self.path)
            self._ezsp = ezsp
            await self._configure()
            (address,) = await ezsp.getEui64()
        except OPENING_ERRORS as error:
            await self._abandon(ezsp)
            raise opening_problem(error, self.path) from error
        except BaseException:  # also a cancelled start: the port is let go of, and the error goes on
            await self._abandon(ezsp)
            raise
        ezsp.add_callback(self._callback)
        self._eui64 = eui64_of(address)

    async def stop(self) -> None:
        """Let go of the dongle; the network stays in it."""
        self.power(False)
        if self._closing is not None:
            await self._closing

    def power(self, on: bool) -> None:
        """Off: closed at once. On: nothing yet; :meth:`resume` opens it again."""
        if on or self._ezsp is None:
            return
        ezsp, self._ezsp = self._ezsp, None
        self._joined = False
        self._sender.abandon("CLOSED")
        self._book.stop()
        if self._poller is not None:
            self._poller.cancel()
        self._closing = supervised(self._abandon(ezsp), f"the closing of {self.path}")

    def connection_lost(self, problem: BaseException | None) -> None:
        """From bellows: the port is gone, or the dongle has reset by itself. One that was closed on purpose does not count."""
        if self._ezsp is None:
            return
        self.power(False)
        if self.on_lost is not None:
            because = "" if problem is None else f" ({str(problem) or type(problem).__name__})"
            self.on_lost(RadioError(f"the dongle at {self.path} was pulled or has reset by itself{because}: plug it in again", "CLOSED"))

    async def _abandon(self, ezsp: Any) -> None:
        self._ezsp = None
        try:
            await ezsp.disconnect()
        except OPENING_ERRORS as error:
            LOGGER.info("the dongle at %s could not be closed: %s", self.path, error)

    async def _configure(self) -> None:
        await self._ezsp.write_config({})
        for one in self._endpoints:
            await command(
                self._ezsp.addEndpoint(
                    endpoint=one.endpoint,
                    profileId=one.profile,
                    deviceId=one.device_id,
                    deviceVersion=0,
                    inputClusterCount=len(one.servers),
                    outputClusterCount=len(one.clients),
                    inputClusterList=list(one.servers),
                    outputClusterList=list(one.clients),
                ),
                f"take endpoint {one.endpoint}",
            )

    def _open_ezsp(self) -> Any:
        if self._ezsp is None:
            raise RadioError(f"the dongle at {self.path} is not open: call start() first", "CLOSED")
        return self._ezsp

    def _next_tag(self) -> int:
        self._tag = (self._tag + 1) % 256
        return self._tag

    # ApsPort

    @property
    def eui64(self) -> Eui64:
        """The dongle's address. Raises RadioError before :meth:`start`."""
        if self._eui64 is None:
            raise RadioError(f"the dongle at {self.path} is not open: call start() first", "CLOSED")
        return self._eui64

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Register an endpoint, before :meth:`start`, in place of an earlier one of its number. Raises RadioError after it."""
        if self._ezsp is not None:
            raise RadioError(f"the dongle at {self.path} is open: add endpoint {descriptor.endpoint} before start()")
        self._endpoints[:] = [other for other in self._endpoints if other.endpoint != descriptor.endpoint]
        self._endpoints.append(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        self._sending += 1
        self._stay_awake()
        try:
            short = await self._book.short_of(destination)
            await self._sender.send(short, destination, frame)
        except RadioError:
            self._book.doubt(destination)
            raise
        finally:
            self._sending -= 1
        self._stay_awake()

    async def broadcast(self, frame: ApsFrame) -> None:
        await self._sender.broadcast(frame)
        self._stay_awake()

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        self._stay_awake()
        short = await self._book.short_of(destination)
        answer = await self._book.ask(
            short, zdo.MATCH_DESCRIPTOR_REQUEST, lambda sequence: zdo.encode_match(sequence, short, cluster, server=server)
        )
        return zdo.decode_match_response(answer)

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        await import_link_key(self._open_ezsp(), partner, key)

    async def request_link_key(self, partner: Eui64) -> None:
        """See :class:`HanNode`; the dongle tells what came of it."""
        told = self._keys[partner] = asyncio.get_running_loop().create_future()
        try:
            await command(self._open_ezsp().requestLinkKey(partner=ezsp_eui64(partner)), f"ask for a link key with {partner}")
            async with asyncio.timeout(KEY_WAIT_S):
                status = await told
        except TimeoutError:
            raise RadioError(f"the trust centre gave no link key with {partner}", "TIMEOUT") from None
        finally:
            self._keys.pop(partner, None)
        if status != t.EmberKeyStatus.APP_LINK_KEY_ESTABLISHED:
            raise RadioError(f"there is no link key with {partner}", status.name)

    # HanNode

    @property
    def joined(self) -> bool:
        return self._joined

    async def join(
        self,
        link_key: bytes,
        *,
        extended_pan_id: Eui64 | None = None,
        sleepy: bool = False,
        timeout_s: float = 30.0,
    ) -> Eui64:
        """See :class:`HanNode`; forgets an earlier network."""
        await self.start()
        ezsp = self._ezsp
        if self._joined:
            raise RadioError(f"{self.eui64} is on a network already: leave it first")
        await command(ezsp.clearKeyTable(), "clear its key table")
        state = t.EmberInitialSecurityState(
            bitmask=_SECURITY,
            preconfiguredKey=ezsp_key(link_key),
            networkKey=ezsp_key(bytes(16)),
            networkKeySequenceNumber=t.uint8_t(0),
            preconfiguredTrustCenterEui64=t.EUI64.deserialize(bytes(8))[0],
        )
        await command(ezsp.setInitialSecurityState(state=state), "take the link key")
        try:
            async with asyncio.timeout(timeout_s):
                network = await self._find(extended_pan_id)
                await self._until_up(lambda: ezsp.joinNetwork(nodeType=_SLEEPY if sleepy else _ROUTER, parameters=network), "join")
        except TimeoutError:
            raise RadioError(f"{self.eui64} did not join within {timeout_s:g} s", "TIMEOUT") from None
        return await self._on_network(sleepy)

    async def resume(self) -> bool:
        """See :class:`HanNode`. Raises RadioError where an end device's parent does not take it back."""
        await self.start()
        if self._joined:
            return True
        if not await self._initialised():
            return False
        kind = await self._node_type()
        if kind == _SLEEPY:
            await self._until_up(lambda: self._find_and_rejoin(kind, 0, secured=True), "rejoin")
        await self._on_network(kind == _SLEEPY)
        return True

    async def rejoin(self, *, timeout_s: float = 60.0) -> Eui64:
        """Trust centre rejoin, for a node that has missed a new network key or whose hub was swapped.

        Returns the trust centre's EUI-64. Raises RadioError.
        """
        await self.start()
        if not self._joined and not await self._initialised():
            raise RadioError(f"{self.eui64} has no network to come back to", "NOT_JOINED")
        self._joined = False
        kind, mask = await self._node_type(), t.Channels.from_channel_list(list(self._channels))
        await self._until_up(lambda: self._find_and_rejoin(kind, mask, secured=False), "rejoin", timeout_s)
        return await self._on_network(kind == _SLEEPY)

    async def _initialised(self) -> bool:
        """The stored network is up, though no parent has been asked yet; False where there is none."""
        self._status = asyncio.get_running_loop().create_future()
        status = status_text(await radio_call(self._ezsp.initialize_network()))
        if status == "NOT_JOINED":
            return False
        if status != "OK":
            raise RadioError(f"{self.eui64} cannot resume the network", status)
        await self._await_status("resume")
        return True

    async def _node_type(self) -> Any:
        kind, _ = await command(self._ezsp.getNetworkParameters(), "tell its network")
        return kind

    def _find_and_rejoin(self, kind: Any, mask: int, *, secured: bool) -> Any:
        arguments = {"haveCurrentNetworkKey": secured, "channelMask": mask}
        if self._ezsp.ezsp_version >= 14:
            arguments |= {"reason": 0, "nodeType": kind}
        return self._ezsp.findAndRejoinNetwork(**arguments)

    async def poll(self) -> None:
        """See :class:`HanNode`. Raises RadioError where the parent does not answer."""
        if not self._sleepy:
            return
        async with self._polling:
            await self._poll_until_empty()

    async def _poll_until_empty(self) -> None:
        while True:
            self._polled = asyncio.get_running_loop().create_future()
            await command(
                self._open_ezsp()._command("pollForData", interval=0, units=t.EmberEventUnits.EVENT_INACTIVE, failureLimit=3), "poll"
            )
            try:
                async with asyncio.timeout(_UP_S):
                    ended = await self._polled
            except TimeoutError:
                raise RadioError(f"the dongle of {self.eui64} does not say how its poll ended", "TIMEOUT") from None
            if ended == "MAC_NO_DATA":
                return
            if ended != "OK":
                raise RadioError(f"the parent of {self.eui64} does not answer", ended)
            self._awake_until = self._clock.now() + AWAKE_S  # a piece of a message, perhaps: more may come

    async def leave(self) -> None:
        if not self._joined:
            return
        self._joined = False
        await radio_call(self._open_ezsp().leaveNetwork())
        self._book.clear()

    # below

    async def _find(self, extended_pan_id: Eui64 | None) -> Any:
        """The strongest beacon that permits joining. Raises RadioError."""
        mask = t.Channels.from_channel_list(list(self._channels))
        found: asyncio.Queue[tuple[str, list[Any]]] = asyncio.Queue()
        ends = {"networkFoundHandler", "scanCompleteHandler"}
        with self._ezsp.callback_for_commands(ends, lambda name, args: found.put_nowait((name, args))):
            await command(
                self._ezsp._command("startScan", scanType=t.EzspNetworkScanType.ACTIVE_SCAN, channelMask=mask, duration=SCAN_DURATION),
                "scan",
            )
            heard = []
            while (item := await found.get())[0] != "scanCompleteHandler":
                heard.append(item[1])
        beacons: list[tuple[Any, Any]] = [
            (network, lqi)
            for network, lqi, _ in heard
            if network.allowingJoin
            and network.stackProfile == 2
            and (extended_pan_id is None or eui64_of(network.extendedPanId) == extended_pan_id)
        ]
        if not beacons:
            raise RadioError(f"{self.eui64} hears no network that permits joining: permit it at the hub, or check channels", "NO_BEACONS")
        network = max(beacons, key=lambda one: int(one[1]))[0]
        return t.EmberNetworkParameters(
            extendedPanId=network.extendedPanId,
            panId=network.panId,
            radioTxPower=t.uint8_t(8),
            radioChannel=network.channel,
            joinMethod=t.EmberJoinMethod.USE_MAC_ASSOCIATION,
            nwkManagerId=t.EmberNodeId(0),
            nwkUpdateId=network.nwkUpdateId,
            channels=t.Channels(0),
        )

    async def _until_up(self, start: Callable[[], Any], what: str, timeout_s: float = _UP_S + AWAKE_S) -> None:
        self._status = asyncio.get_running_loop().create_future()
        await command(start(), what)
        await self._await_status(what, timeout_s)

    async def _await_status(self, what: str, timeout_s: float = _UP_S + AWAKE_S) -> None:
        assert self._status is not None, "set before the command whose outcome is awaited"
        try:
            async with asyncio.timeout(timeout_s):
                status = await self._status
        except TimeoutError:
            raise RadioError(f"the dongle of {self.eui64} does not say whether it could {what}", "TIMEOUT") from None
        finally:
            self._status = None
        if status != "NETWORK_UP":
            raise RadioError(f"{self.eui64} cannot {what} the network", status)

    async def _on_network(self, sleepy: bool) -> Eui64:
        (short,) = await radio_call(self._ezsp.getNodeId())
        (state,) = await command(self._ezsp.getCurrentSecurityState(), "tell its trust centre")
        centre = eui64_of(state.trustCenterLongAddress)
        self._book.clear()
        self._book.learn(self.eui64, int(short))
        self._book.learn(centre, 0)
        self._joined, self._sleepy = True, sleepy
        self._stay_awake()
        return centre

    def _stay_awake(self) -> None:
        if not self._sleepy or not self._joined:
            return
        self._awake_until = self._clock.now() + AWAKE_S
        if self._poller is None or self._poller.done():
            self._poller = supervised(self._keep_polling(), f"the polling of {self._eui64}")

    async def _keep_polling(self) -> None:
        while self._joined and (self._sending or self._clock.now() < self._awake_until):
            try:
                await self.poll()
            except CommsHubError as error:
                LOGGER.info("%s could not poll: %s", self._eui64, error)
                return
            await self._clock.sleep(POLL_S)

    def _callback(self, name: str, args: list[Any]) -> None:
        if self._ezsp is None:
            return
        version = self._ezsp.ezsp_version
        self._sender.handle(version, name, args)
        if name == "incomingMessageHandler":
            if version >= 14:
                kind, aps, short, _, _, _, lqi, rssi, _, message = args
            else:
                kind, aps, lqi, rssi, short, _, _, message = args
            self._incoming(kind, aps, int(short), int(lqi), int(rssi), bytes(message))
        elif name == "stackStatusHandler":
            status = status_text(args[0])
            if self._status is not None and not self._status.done():
                self._status.set_result(status)
            elif status in _GONE and self._joined:
                self._joined = False
                if self.on_left is not None:
                    self.on_left()
        elif name == "zigbeeKeyEstablishmentHandler":
            waiting = self._keys.get(eui64_of(args[0]))
            if waiting is not None and not waiting.done():
                waiting.set_result(args[1])
        elif name == "pollCompleteHandler" and self._polled is not None and not self._polled.done():
            self._polled.set_result(status_text(args[0]))

    def _incoming(self, kind: Any, aps: Any, short: int, lqi: int, rssi: int, message: bytes) -> None:
        if aps.profileId == ZDO_PROFILE:
            self._book.answered(short, int(aps.clusterId), message)
            return
        if aps.destinationEndpoint != 0xFF and all(one.endpoint != aps.destinationEndpoint for one in self._endpoints):
            return  # a dongle hands up what is for an endpoint that was not registered, such as zigpy's Green Power broadcasts
        self._stay_awake()
        unicast = kind in (t.EmberIncomingMessageType.INCOMING_UNICAST, t.EmberIncomingMessageType.INCOMING_UNICAST_REPLY)
        frame = ApsFrame(
            int(aps.clusterId),
            message,
            int(aps.sourceEndpoint),
            int(aps.destinationEndpoint) if unicast else 0xFF,
            secured=bool(aps.options & t.EmberApsOption.APS_OPTION_ENCRYPTION),
            profile=int(aps.profileId),
            lqi=lqi,
            rssi=rssi,
        )
        self._book.with_device(short, lambda device: self._deliver(device, frame))

    def _deliver(self, device: Eui64, frame: ApsFrame) -> None:
        if self.receiver is not None:
            self.receiver(device, frame)

    # what the address book needs

    async def send_zdo(self, short: int | None, cluster: int, payload: bytes) -> None:
        """A ZDO frame to a short address; None: broadcast."""
        frame = ApsFrame(cluster, payload, 0, 0, secured=False, profile=ZDO_PROFILE)
        if short is None:
            await self._sender.broadcast(frame)
        else:
            await self._sender.send(short, self.eui64, frame)

    async def lookup_short(self, device: Eui64) -> int | None:
        """Answer of the dongle's tables."""
        (*_, short) = await radio_call(self._open_ezsp().lookupNodeIdByEui64(eui64=ezsp_eui64(device)))
        return int(short) if int(short) < 0xFFF8 else None

    async def lookup_device(self, short: int) -> Eui64 | None:
        """Answer of the dongle's tables."""
        status, address = await radio_call(self._open_ezsp().lookupEui64ByNodeId(nodeId=short))
        return eui64_of(address) if succeeded(status) else None
