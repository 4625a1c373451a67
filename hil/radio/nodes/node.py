"""A Device's radio bound directly to the simulated stack: the same ZigBee node as behind the virtual dongle, without a dongle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han import inter_pan
from firmware_emu.han.base import ZDO_PROFILE, ApsFrame, Receiver, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanReceiver
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from hil.radio.air import phy
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import BROADCAST, ApsKind, ApsPdu, DeliveryMode, MacPdu
from hil.radio.air.phy import CHANNELS
from hil.radio.stack import joining, zdo
from hil.radio.stack.aps import IncomingApdu, Reassembly
from hil.radio.stack.mac import Poll, resolve
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import KeyStatus, request_key

ROUTER, END_DEVICE, SLEEPY = 2, 3, 4
ZDO_WAIT_S = 3.0
KEY_WAIT_S = 10.0
"""Waiting time of a node for a link key that it asked for; a value of this bench, no clause."""
FIRST_POLL_S, LONGEST_POLL_S, AWAKE_S = 0.01, 1.0, 5.0
"""A sleepy node that has sent or received polls at growing intervals for AWAKE_S; values of this bench, no clause."""


class StackNode:
    """A :class:`firmware_emu.han.base.HanNode` on an :class:`Air`. ``tokens`` names the file of its non-volatile state, None: memory.

    A node that is not sleepy joins as a router, and below 1 GHz as an end device: there the network is a star. ``channels`` are scanned
    when it joins. ``on_left`` is called when the network is gone for good: it left, or was told to.
    """

    def __init__(self, air: Air, eui64: Eui64, *, tokens: Path | None = None, channels: tuple[int, ...] = CHANNELS) -> None:
        self.stack = Stack(air, Tokens(eui64) if tokens is None else Tokens.load(tokens, eui64), self)
        self.stack.rules = zdo.DEVICE
        self._keys: dict[Eui64, asyncio.Future[None]] = {}
        self.receiver: Receiver | None = None
        self.inter_pan_receiver: InterPanReceiver | None = None
        self.on_left: Callable[[], None] | None = None
        self._channels = channels
        self._endpoints: dict[int, SimpleDescriptor] = {}
        self._on = True
        self._status: asyncio.Future[Status] | None = None
        self._zdo: dict[tuple[int, int], asyncio.Future[bytes]] = {}
        self._pieces = Reassembly()
        self._strangers: dict[int, list[IncomingApdu]] = {}
        self._awake_until = 0.0
        self._poll_s = FIRST_POLL_S
        self._poller: asyncio.Task[None] | None = None

    @property
    def eui64(self) -> Eui64:
        return self.stack.tokens.eui64

    @property
    def joined(self) -> bool:
        return self.stack.running and not self.stack.busy

    @property
    def sleepy(self) -> bool:
        return self.stack.tokens.node_type == SLEEPY

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self._endpoints[descriptor.endpoint] = descriptor
        self.stack.endpoints[descriptor.endpoint] = descriptor

    # network

    async def join(
        self,
        link_key: bytes,
        *,
        extended_pan_id: Eui64 | None = None,
        sleepy: bool = False,
        timeout_s: float = 30.0,
    ) -> Eui64:
        """See :class:`HanNode`. Raises RadioError."""
        self._require_power()
        tokens = self.stack.tokens
        if self.stack.running:
            raise RadioError(f"{self.eui64} is on a network already: leave it first")
        tokens.tc_link_key = link_key
        tokens.link_keys.clear()
        node_type = SLEEPY if sleepy else END_DEVICE if phy.below_1_ghz(self._channels) else ROUTER
        await self._until_up(lambda: self.stack.join(node_type, self._channels, extended_pan_id, None), "join", timeout_s)
        if tokens.tc_eui64 is None:
            raise RadioError(f"{self.eui64} joined a network without a trust centre")
        if sleepy:
            self._stay_awake()
        return tokens.tc_eui64

    async def _until_up(self, start: Callable[[], Status], what: str, timeout_s: float) -> None:
        self._status = asyncio.get_running_loop().create_future()
        status = start()
        if status is Status.SUCCESS:
            try:
                async with asyncio.timeout(timeout_s):
                    status = await self._status
            except TimeoutError:
                self.stack.power_off()
                self._register()
                raise RadioError(f"{self.eui64} did not {what} within {timeout_s:g} s") from None
            finally:
                self._status = None
        if status is not Status.NETWORK_UP:
            raise RadioError(f"{self.eui64} cannot {what} the network", status.name)

    async def resume(self) -> bool:
        """See :class:`HanNode`. Raises RadioError where an end device's parent does not take it back."""
        self._require_power()
        if self.stack.running:
            return True
        if not self.stack.tokens.joined:
            return False
        if self.sleepy:
            await self._until_up(
                self.stack.rejoin, "rejoin", 2 * joining.REJOIN_S + 1 + joining.scan_s(joining.SCAN) * (1 + len(self._channels))
            )
            self._stay_awake()
        else:
            await self._until_up(self.stack.initialise, "resume", 1.0)
        return True

    async def rejoin(self, *, timeout_s: float = 60.0) -> Eui64:
        """Trust centre rejoin on the stored extended PAN id, for a node that has missed a new network key or whose hub was swapped.

        Returns the trust centre's EUI-64: another than before is a swap-out, and the hash of the old link key is the key with it.
        Raises RadioError.
        """
        self._require_power()
        await self._until_up(lambda: self.stack.rejoin(secured=False, channels=self._channels), "rejoin", timeout_s)
        centre = self.stack.tokens.tc_eui64
        assert centre is not None, "a rejoin ends with the trust centre's word"
        self._stay_awake()
        return centre

    # without a network

    async def beacons(self, channels: tuple[int, ...] | None = None) -> list[joining.FoundNetwork]:
        """Active scan; who answers on ``channels`` (None: the node's own)."""
        self._require_power()
        return await joining.scan(self.stack, channels or self._channels, 3)

    def listen_inter_pan(self, channel: int) -> None:
        """Radio on without a network; inter-PAN frames go to ``inter_pan_receiver``. ``power(False)`` ends it."""
        self._require_power()
        self.stack.nwk.mac.start(channel)

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        """One inter-PAN frame to an EUI-64 or a short address on ``pan``. Raises RadioError where it is not acknowledged."""
        self._require_power()
        mac = self.stack.nwk.mac
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        octets = inter_pan.encode(frame, self.eui64, mac.pan if self.stack.running else 0xFFFF, destination, pan)
        mac.send_raw(MacPdu.decode(octets), resolve(ended))
        if not await ended:
            raise RadioError(f"no acknowledgement of an inter-PAN frame from {destination}", Status.MAC_NO_ACK_RECEIVED.name)

    def move(self, mask: int) -> None:
        """Go to the one channel of ``mask`` with the network, as the trust centre said that it will."""
        channels = phy.in_mask(mask)
        if len(channels) == 1 and self.stack.running:
            self.stack.tokens.channel = channels[0]
            self.stack.tokens.save()
            self.stack.nwk.mac.start(channels[0], rx_on=self.stack.nwk.mac.rx_on)

    async def leave(self) -> None:
        if not self.stack.running:
            return
        gone: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._status = gone
        self.stack.leave()
        await gone
        self._status = None

    def power(self, on: bool) -> None:
        if on == self._on:
            return
        self._on = on
        if on:
            self._register()
            return
        if self._poller is not None:
            self._poller.cancel()
            self._poller = None
        self.stack.power_off()
        self._pieces.clear()
        self._strangers.clear()
        for waiting in self._zdo.values():
            if not waiting.done():
                waiting.set_exception(RadioError(f"{self.eui64} lost power", Status.NETWORK_DOWN.name))
        if self._status is not None and not self._status.done():
            self._status.set_result(Status.NETWORK_DOWN)

    def _register(self) -> None:
        self.stack.endpoints.update(self._endpoints)

    def _require_power(self) -> None:
        if not self._on:
            raise RadioError(f"{self.eui64} has no power: power(True) first", Status.NETWORK_DOWN.name)

    def _require_network(self) -> None:
        self._require_power()
        if not self.joined:
            raise RadioError(f"{self.eui64} is on no network", Status.NETWORK_DOWN.name)

    # sending

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        """See :class:`ApsPort`. Raises RadioError with the stack's status."""
        self._require_network()
        short = await self._short(destination)
        aps = self.stack.aps
        counter = aps.next_sequence()
        whole = ApsPdu(
            ApsKind.DATA,
            counter,
            secured=frame.secured,
            ack_request=True,
            destination_endpoint=frame.destination_endpoint,
            cluster=frame.cluster,
            profile=frame.profile,
            source_endpoint=frame.source_endpoint,
            payload=frame.payload,
        )
        status = await self.stack.aps.send_whole(short, whole, self._stay_awake)
        if status is not Status.SUCCESS:
            raise RadioError(f"{self.eui64} could not deliver a message of cluster 0x{frame.cluster:04x} to {destination}", status.name)

    async def broadcast(self, frame: ApsFrame) -> None:
        self._require_network()
        aps = self.stack.aps
        pdu = ApsPdu(
            ApsKind.DATA,
            aps.next_sequence(),
            DeliveryMode.BROADCAST,
            destination_endpoint=frame.destination_endpoint,
            cluster=frame.cluster,
            profile=frame.profile,
            source_endpoint=frame.source_endpoint,
            payload=frame.payload,
        )
        status = aps.send(BROADCAST, pdu, lambda _: None)
        if status is not Status.SUCCESS:
            raise RadioError(f"{self.eui64} could not broadcast a message of cluster 0x{frame.cluster:04x}", status.name)
        self._stay_awake()

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        """See :class:`ApsPort`. Raises RadioError where ``destination`` does not answer."""
        self._require_network()
        short = await self._short(destination)
        sequence = self.stack.aps.next_sequence()
        request = zdo.match_request(sequence, short, 0x0109, cluster, server=server)
        answer = await self._ask(short, zdo.MATCH_DESC, sequence, request)
        try:
            return zdo.read_matches(answer)
        except DecodeError as problem:
            raise RadioError(f"the Match_Desc_rsp of {destination} cannot be read: {problem}") from None

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        table = self.stack.tokens.link_keys
        index = next((one for one, (device, _) in table.items() if device == partner), None)
        if index is None:
            index = next(one for one in range(len(table) + 1) if one not in table)
        self.stack.import_link_key(index, partner, key)

    async def _ask(self, short: int, cluster: int, sequence: int, request: bytes) -> bytes:
        key = (cluster | zdo.ANSWER, sequence)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._zdo[key] = answer
        try:
            self.stack.send_zdo(short, cluster, request, lambda _: None)
            self._stay_awake()
            async with asyncio.timeout(ZDO_WAIT_S):
                return await answer
        except TimeoutError:
            raise RadioError(f"no answer to ZDO request 0x{cluster:04x} from 0x{short:04x} within {ZDO_WAIT_S:g} s") from None
        finally:
            del self._zdo[key]

    async def _short(self, device: Eui64) -> int:
        short = self.stack.nwk.shorts.get(device)
        if short is None:
            sequence = self.stack.aps.next_sequence()
            await self._ask(0xFFFD, zdo.NWK_ADDR, sequence, bytes([sequence]) + device.zigbee + b"\x00\x00")
            short = self.stack.nwk.shorts.get(device)
        if short is None:
            raise RadioError(f"{device} is not on the network of {self.eui64}", "ID_DISCOVERY_FAILED")
        return short

    # polling

    async def poll(self) -> None:
        """See :class:`HanNode`. Raises RadioError where the parent does not answer."""
        self._require_network()
        if self.stack.nwk.mac.rx_on:
            return
        while True:
            ended = await joining.poll(self.stack, self.stack.tokens.parent_short)
            if ended is Poll.NO_ACK:
                raise RadioError(f"the parent of {self.eui64} does not answer", Status.MAC_NO_ACK_RECEIVED.name)
            if ended is not Poll.DATA:
                return
            self._stay_awake()

    def _stay_awake(self) -> None:
        if not self.sleepy:
            return
        loop = asyncio.get_running_loop()
        self._awake_until = loop.time() + AWAKE_S
        self._poll_s = FIRST_POLL_S
        if self._poller is None or self._poller.done():
            self._poller = supervised(self._keep_polling(), f"the polling of {self.eui64}")

    async def _keep_polling(self) -> None:
        loop = asyncio.get_running_loop()
        while self.stack.running and (loop.time() < self._awake_until or self.stack.aps.waiting):
            await asyncio.sleep(self._poll_s)
            if not self.joined:
                return
            if await joining.poll(self.stack, self.stack.tokens.parent_short) is Poll.DATA:
                self._awake_until = loop.time() + AWAKE_S
                self._poll_s = 0.0
            else:
                self._poll_s = min(max(2 * self._poll_s, FIRST_POLL_S), LONGEST_POLL_S)

    # from the stack

    def inter_pan(self, frame: MacPdu, link: Link) -> None:
        if self.inter_pan_receiver is not None:
            try:
                sender, received = inter_pan.decode(frame.encode())
            except DecodeError:
                self.stack.nwk.mac.count("aps_bad_frame")
                return
            asyncio.get_running_loop().call_soon(self.inter_pan_receiver, sender, received)

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None:
        """A Device's node is no concentrator."""

    def key_switched(self, sequence: int) -> None:
        """A Device's node has nobody to tell."""

    async def request_link_key(self, partner: Eui64) -> None:
        """Get a link key with ``partner`` from the trust centre, which gives it to both (ZigBee PRO r21 4.4.6, 4.4.3).

        Raises RadioError: this node holds none with the trust centre, or nothing came in time.
        """
        waiting = self._keys.setdefault(partner, asyncio.get_running_loop().create_future())
        status = request_key(self.stack, partner)
        if status is not Status.SUCCESS:
            raise RadioError(f"{self.eui64} cannot ask for a link key with {partner}", status.name)
        try:
            async with asyncio.timeout(KEY_WAIT_S):
                await waiting
        except TimeoutError:
            raise RadioError(f"the trust centre gave no link key with {partner}", "TIMEOUT") from None
        finally:
            self._keys.pop(partner, None)

    def key_told(self, partner: Eui64, status: int) -> None:
        waiting = self._keys.get(partner)
        if status == KeyStatus.APP_LINK_KEY_ESTABLISHED and waiting is not None and not waiting.done():
            waiting.set_result(None)

    def stack_status(self, status: Status) -> None:
        if status is not Status.CHANNEL_CHANGED and self._status is not None and not self._status.done():
            self._status.set_result(status)
        if status is Status.NETWORK_DOWN and self.on_left is not None:
            self.on_left()

    def incoming(self, message: IncomingApdu) -> None:
        pdu = message.pdu
        if pdu.profile == ZDO_PROFILE and pdu.destination_endpoint == 0:
            waiting = self._zdo.get((pdu.cluster, pdu.payload[0] if pdu.payload else -1))
            if waiting is not None and not waiting.done():
                waiting.set_result(pdu.payload)
            if pdu.cluster in (zdo.NWK_ADDR | zdo.ANSWER, zdo.IEEE_ADDR | zdo.ANSWER, zdo.DEVICE_ANNCE):
                self._acquainted()
            return
        if pdu.block is not None:
            self.stack.aps.acknowledge(message.source, pdu)
            whole = self._pieces.add(message)
            if whole is None:
                return
            message = replace(message, pdu=replace(pdu, block=None, payload=whole))
        sender = message.eui64
        if sender is None:
            self._stranger(message)
        elif self.receiver is not None:
            frame = ApsFrame(
                message.pdu.cluster,
                message.pdu.payload,
                pdu.source_endpoint,
                pdu.destination_endpoint,
                pdu.secured,
                pdu.profile,
                message.link.lqi,
                message.link.rssi,
            )
            asyncio.get_running_loop().call_soon(self.receiver, sender, frame)

    def _stranger(self, message: IncomingApdu) -> None:
        """A sender known by its short address only: ask for its EUI-64 first."""
        waiting = self._strangers.setdefault(message.source, [])
        waiting.append(message)
        if len(waiting) == 1:
            sequence = self.stack.aps.next_sequence()
            request = bytes([sequence]) + message.source.to_bytes(2, "little") + b"\x00\x00"
            self.stack.send_zdo(message.source, zdo.IEEE_ADDR, request, lambda _: None)
            self._stay_awake()

    def _acquainted(self) -> None:
        for short in [short for short in self._strangers if short in self.stack.nwk.addresses]:
            for message in self._strangers.pop(short):
                self.incoming(replace(message, eui64=self.stack.nwk.addresses[short]))

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None:
        """A Device's node is no trust centre."""

    def child_join(self, device: Eui64, child: Child, joining: bool) -> None:
        """Children of a router are the stack's affair."""

    def polled(self, short: int) -> None:
        """Polls of children are the stack's affair."""
