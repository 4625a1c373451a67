"""One ZigBee PRO node: the stack behind a virtual dongle, and behind a Device bound directly to the air.

Not modelled: network key update, source routes as sent frames, many-to-one routes, route discovery, green power, inter-PAN,
joining through a router, unsecured (trust centre) rejoin.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from firmware_emu.errors import DecodeError
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air import Air, Link
from hil.radio.ncp import joining, zdo
from hil.radio.ncp.aps import Aps, Incoming
from hil.radio.ncp.frames import ApsCommand, ApsKind, ApsPdu, Delivery, NwkCommand, NwkPdu, Reader
from hil.radio.ncp.nwk import COORDINATOR, Nwk
from hil.radio.ncp.security import KeyId
from hil.radio.ncp.status import Status
from hil.radio.ncp.tokens import Child, Tokens
from hil.radio.ncp.trust import NETWORK_KEY_TYPE, TrustCentre

LOGGER = logging.getLogger(__name__)
ZDO_RECEIVES, ZDO_UNSUPPORTED, ZDO_ENDPOINTS = 0x01, 0x02, 0x04
"""EmberZdoConfigurationFlags: the host sees requests the stack answers, gets those it does not know, answers endpoint ones itself."""
HASHED_LINK_KEY = 0x0084
CHANNELS = tuple(range(11, 27))


class StackUser(Protocol):
    """Who runs the node: the EZSP host or a :class:`hil.radio.node.StackNode`."""

    def stack_status(self, status: Status) -> None: ...
    def incoming(self, message: Incoming) -> None: ...
    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None: ...
    def child_join(self, device: Eui64, child: Child, joining: bool) -> None: ...
    def polled(self, short: int) -> None: ...


class Stack:
    """One node. Calls return at once; what comes of them is told to ``user``."""

    def __init__(self, air: Air, tokens: Tokens, user: StackUser) -> None:
        self.air = air
        self.tokens = tokens
        self.user = user
        self.nwk = Nwk(air, tokens, self)
        self.aps = Aps(self.nwk, self, air.random(f"{tokens.eui64} aps {tokens.nwk_counter}").randrange(256))
        self.trust = TrustCentre(self)
        self.endpoints: dict[int, SimpleDescriptor] = {}
        self.manufacturer = 0x1049
        self.zdo_flags = 0
        self.running = False
        self.busy = False
        self.association: asyncio.Future[tuple[int, int]] | None = None
        self._network_key: asyncio.Future[tuple[bytes, int, Eui64]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None

    @property
    def network_key(self) -> asyncio.Future[tuple[bytes, int, Eui64]]:
        """The network key a joining node waits for."""
        if self._network_key is None:
            self._network_key = asyncio.get_running_loop().create_future()
        return self._network_key

    # life

    def power_off(self) -> None:
        """Radio off, RAM lost; tokens stay."""
        self._end_task()
        self.running = self.busy = False
        self.endpoints.clear()
        self.trust.forget_keys()
        self._down()

    def _end_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.association = self._network_key = None

    def _down(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self.running = False
        self.aps.stop()
        self.nwk.stop()

    def _up(self) -> None:
        self.nwk.start()
        self.aps.start()
        self.running = True
        if self.tokens.tc_eui64 is not None and self.tokens.node_type != COORDINATOR:
            self.nwk.learn(0, self.tokens.tc_eui64)

    def _tell(self, status: Status) -> None:
        asyncio.get_running_loop().call_soon(self.user.stack_status, status)

    def initialise(self) -> Status:
        """Bring up the stored network. NOT_JOINED where there is none."""
        if self.running or self.busy:
            return Status.INVALID_CALL
        if not self.tokens.joined:
            return Status.NOT_JOINED
        self._up()
        self._tell(Status.NETWORK_UP)
        return Status.SUCCESS

    def form(self, extended_pan: Eui64, pan: int, channel: int, power: int, update_id: int) -> Status:
        """Become the coordinator of a new network, with the network key of the tokens or a fresh one."""
        tokens = self.tokens
        if self.running or self.busy:
            return Status.INVALID_CALL
        if channel not in CHANNELS:
            return Status.PHY_INVALID_CHANNEL
        draw = self.air.random(f"{tokens.eui64} form {tokens.nwk_counter}")
        tokens.node_type, tokens.short, tokens.channel, tokens.power = COORDINATOR, 0x0000, channel, power
        tokens.pan = pan if pan != 0xFFFF else draw.randrange(1, 0xFFF0)
        tokens.extended_pan = extended_pan if any(extended_pan.octets) else Eui64(draw.randbytes(8))
        tokens.network_key = tokens.network_key or draw.randbytes(16)
        tokens.update_id, tokens.parent, tokens.parent_short = update_id, None, 0xFFFF
        tokens.tc_eui64 = tokens.eui64
        tokens.children.clear()
        tokens.save()
        self._up()
        self._tell(Status.NETWORK_UP)
        return Status.SUCCESS

    def join(self, node_type: int, channels: tuple[int, ...], extended_pan: Eui64 | None, pan: int | None) -> Status:
        """Join by association under the link key of the tokens; the outcome is a stack status."""
        if self.running or self.busy:
            return Status.INVALID_CALL
        if self.tokens.tc_link_key is None:
            return Status.SECURITY_STATE_NOT_SET
        self.busy = True
        self.tokens.network_key, self.tokens.tc_eui64, self.tokens.node_type = None, None, 0
        self._network_key = None
        self._task = asyncio.get_running_loop().create_task(self._join(node_type, channels, extended_pan, pan))
        return Status.SUCCESS

    async def _join(self, node_type: int, channels: tuple[int, ...], extended_pan: Eui64 | None, pan: int | None) -> None:
        try:
            await joining.join(self, node_type, channels, extended_pan, pan)
        except joining.JoinFailure as failure:
            self.busy = False
            self._down()
            self.user.stack_status(failure.status)
            return
        finally:
            self.association = self._network_key = None
        self.busy = False
        self._up()
        self.announce()
        if node_type in (3, 4):
            timeout = bytes([NwkCommand.END_DEVICE_TIMEOUT_REQUEST, 8, 0])
            self.nwk.send(self.tokens.parent_short, timeout, command=True, radius=1)
        self.user.stack_status(Status.NETWORK_UP)

    def rejoin(self) -> Status:
        """Secured rejoin of an end device to its parent; the outcome is a stack status."""
        if not self.tokens.joined or self.busy:
            return Status.INVALID_CALL
        if not self.running:
            self._up()
        self.busy = True
        self._task = asyncio.get_running_loop().create_task(self._rejoin())
        return Status.SUCCESS

    async def _rejoin(self) -> None:
        try:
            await joining.rejoin(self)
        except joining.JoinFailure as failure:
            self.busy = False
            self._down()
            self.user.stack_status(failure.status)
            return
        self.busy = False
        self.announce()
        self.user.stack_status(Status.NETWORK_UP)

    def leave(self) -> Status:
        if not self.running:
            return Status.INVALID_CALL
        def said(_: bool) -> None:
            asyncio.get_running_loop().call_soon(self._left)

        self.nwk.leave(done=said)
        return Status.SUCCESS

    def _left(self) -> None:
        if self.running:
            self._down()
            self.tokens.forget_network()
            self.user.stack_status(Status.NETWORK_DOWN)

    def permit(self, seconds: int) -> Status:
        """Let Devices associate for ``seconds``; 0 closes, 255 leaves open."""
        if not self.running or not self.nwk.routes_for_others:
            return Status.INVALID_CALL
        loop = asyncio.get_running_loop()
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        was = self.nwk.children.permitting
        self.nwk.children.permit_until = float("inf") if seconds == 255 else loop.time() + seconds if seconds else 0.0
        if seconds:
            if seconds != 255:
                self._closing = loop.call_later(seconds, self._closed)
            if not was:
                self._tell(Status.NETWORK_OPENED)
        elif was:
            self._tell(Status.NETWORK_CLOSED)
        return Status.SUCCESS

    def _closed(self) -> None:
        self._closing = None
        self.user.stack_status(Status.NETWORK_CLOSED)

    def remove(self, device: Eui64, short: int) -> Status:
        """Tell a Device to leave; it is forgotten when it says so, or does not answer."""
        if not self.running:
            return Status.INVALID_CALL
        self.nwk.leave(self.nwk.shorts.get(device, short), done=lambda ok: None if ok else self.nwk.children.forget(device))
        return Status.SUCCESS

    def announce(self) -> None:
        """Device_annce to all that listen."""
        payload = zdo.announce(self.aps.next_sequence(), self.tokens.short, self.tokens.eui64, zdo.capability(self.tokens.node_type))
        self.send_zdo(0xFFFD, zdo.DEVICE_ANNCE, payload)

    def send_zdo(self, destination: int, cluster: int, payload: bytes, done: Callable[[Status], None] | None = None) -> None:
        broadcast = destination >= 0xFFF8
        pdu = ApsPdu(ApsKind.DATA, self.aps.next_sequence(), Delivery.BROADCAST if broadcast else Delivery.UNICAST,
                     ack_request=not broadcast and done is not None, cluster=cluster, payload=payload)
        self.aps.send(destination, pdu, done or (lambda _: None))

    # keys

    def link_key(self, partner: Eui64) -> bytes | None:
        """The key in force with ``partner``: imported, else permitted for its join, else this node's own trust centre link key."""
        for known, key in self.tokens.link_keys.values():
            if known == partner:
                return key
        if self.tokens.node_type == COORDINATOR:
            return self.trust.key_for(partner)
        return self.tokens.tc_link_key if partner == self.tokens.tc_eui64 else None

    def link_keys(self, partner: Eui64 | None) -> tuple[bytes, ...]:
        """What may open a frame from ``partner``: while joining the trust centre is not known yet."""
        if partner is None:
            return ()
        if self._network_key is not None and self.tokens.tc_link_key is not None:
            return (self.tokens.tc_link_key,)
        key = self.link_key(partner)
        return () if key is None else (key,)

    def import_link_key(self, index: int, partner: Eui64, key: bytes) -> None:
        """Put ``key`` at ``index`` of the table; an earlier key of the partner goes, and its counters begin again."""
        for known in [known for known, (device, _) in self.tokens.link_keys.items() if device == partner]:
            del self.tokens.link_keys[known]
        self.tokens.link_keys[index] = (partner, key)
        self.aps.reset_counters(partner)
        self.tokens.save()

    # from below

    def nwk_data(self, frame: NwkPdu, link: Link, secured: bool) -> None:
        self.aps.receive(frame, link, secured)

    def child_joined(self, device: Eui64, child: Child, rejoin: bool) -> None:
        self.user.child_join(device, child, True)
        if self.tokens.node_type == COORDINATOR:
            self.trust.joined(device, child, rejoin)

    def child_gone(self, device: Eui64, child: Child) -> None:
        self.user.child_join(device, child, False)

    def device_left(self, device: Eui64, short: int) -> None:
        if self.tokens.node_type == COORDINATOR:
            self.trust.left(device, short)

    def told_to_leave(self, rejoin: bool) -> None:
        if rejoin:
            self.rejoin()
        else:
            self.leave()

    def associated(self, short: int, status: int) -> None:
        if self.association is not None and not self.association.done():
            if not status:
                self.tokens.short = self.nwk.mac.short = short
            self.association.set_result((short, status))

    def polled(self, short: int) -> None:
        self.user.polled(short)

    def aps_command(self, source: Eui64 | None, pdu: ApsPdu, key_id: KeyId | None, nwk_secured: bool) -> None:
        """Transport-Key to a node that joins; only under the key-transport key of its link key."""
        try:
            read = Reader(pdu.payload)
            if read.uint(1, "APS command") != ApsCommand.TRANSPORT_KEY or read.uint(1, "key type") != NETWORK_KEY_TYPE:
                return
            key, sequence = read.take(16, "network key"), read.uint(1, "key sequence")
            destination, centre = read.eui("destination"), read.eui("trust centre")
        except DecodeError:
            self.nwk.mac.count("aps_bad_frame")
            return
        waiting = self._network_key
        if waiting is None or waiting.done() or key_id is not KeyId.TRANSPORT or destination != self.tokens.eui64:
            self.nwk.mac.count("aps_link_key_not_authorized")
            return
        waiting.set_result((key, sequence, centre))

    def aps_data(self, message: Incoming) -> bool:
        """True: taken, so acknowledge it."""
        pdu = message.pdu
        if pdu.profile == 0 and pdu.destination_endpoint == 0 and pdu.delivery is not Delivery.GROUP:
            self._zdo(message)
            return True
        if pdu.delivery is not Delivery.GROUP and pdu.destination_endpoint != 0xFF and pdu.destination_endpoint not in self.endpoints:
            self.nwk.mac.count("aps_no_endpoint")
            LOGGER.warning(
                "%s has no endpoint %d: a message from 0x%04x is dropped (endpoints do not outlive a reset and are added before "
                "the network is up)", self.tokens.eui64, pdu.destination_endpoint, message.source,
            )
            return False
        self.user.incoming(message)
        return True

    def described(self) -> zdo.Described:
        tokens = self.tokens
        asleep = {device: child.short for device, child in tokens.children.items() if not child.rx_on and child.authenticated}
        return zdo.Described(tokens.eui64, tokens.short, tokens.node_type, self.manufacturer, tuple(self.endpoints.values()), asleep)

    def _zdo(self, message: Incoming) -> None:
        cluster, payload = message.pdu.cluster, message.pdu.payload
        to_user = bool(cluster & zdo.ANSWER) or cluster == zdo.DEVICE_ANNCE or bool(self.zdo_flags & ZDO_RECEIVES)
        try:
            if cluster == zdo.DEVICE_ANNCE:
                short, device, _ = zdo.read_announce(payload)
                self.nwk.learn(short, device)
            elif cluster in (zdo.NWK_ADDR | zdo.ANSWER, zdo.IEEE_ADDR | zdo.ANSWER):
                pair = zdo.read_address(payload)
                if pair is not None:
                    self.nwk.learn(pair[1], pair[0])
            elif not cluster & zdo.ANSWER:
                to_user = self._answer(message, to_user)
        except DecodeError:
            self.nwk.mac.count("zdo_bad_frame")
            return
        if to_user:
            self.user.incoming(message)

    def _answer(self, message: Incoming, to_user: bool) -> bool:
        """Whether the host is to see the request. Raises DecodeError."""
        cluster, payload = message.pdu.cluster, message.pdu.payload
        if cluster in zdo.ENDPOINT_REQUESTS and self.zdo_flags & ZDO_ENDPOINTS:
            return True
        if cluster not in zdo.SUPPORTED and self.zdo_flags & ZDO_UNSUPPORTED:
            return True
        answer = zdo.answer(self.described(), cluster, payload, broadcast=message.broadcast)
        if answer is not None:
            self.send_zdo(message.source, cluster | zdo.ANSWER, answer)
        if message.source == self.tokens.short:
            return False
        if cluster == zdo.MGMT_PERMIT_JOINING and len(payload) >= 2:
            self.permit(payload[1])
        elif cluster == zdo.MGMT_LEAVE and payload[1:9] in (self.tokens.eui64.zigbee, bytes(8)):
            self.leave()
        return to_user
