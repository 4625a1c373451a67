"""One ZigBee PRO node: the stack behind a virtual dongle, and behind a Device bound directly to the air.

Not modelled: green power, bindings that send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from hil.radio.air import phy
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode, MacPdu, NwkCommand, NwkPdu, Update
from hil.radio.stack import joining, trust, zdo, zdo_server
from hil.radio.stack.aps import Aps, IncomingApdu
from hil.radio.stack.nwk import COORDINATOR, KeyId, Nwk
from hil.radio.stack.stack_part import StackUser
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import RX_ON, Child, Tokens
from hil.radio.stack.trust import TrustCentre

LOGGER = logging.getLogger(__name__)


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
        self._missed_endpoints: set[int] = set()
        """Those that were asked for, are not here, and have been told of since the last reset."""
        self.manufacturer = 0x1049
        self.zdo_flags = 0
        self.any_endpoint = False
        """True if messages for endpoints that were not registered are handed up too."""
        self.rules = zdo.EMBER
        self.binds = False
        """True if the host lets others bind here although the firmware by itself does not."""
        self.bindings: list[bytes] = []
        self.running = False
        self.busy = False
        self.association: asyncio.Future[tuple[int, int]] | None = None
        self.awaited_key: asyncio.Future[tuple[bytes, int, Eui64]] | None = None
        self._candidates: tuple[bytes, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None

    @property
    def network_key(self) -> asyncio.Future[tuple[bytes, int, Eui64]]:
        """The network key a joining node waits for."""
        if self.awaited_key is None:
            self.awaited_key = asyncio.get_running_loop().create_future()
        return self.awaited_key

    # life

    def power_off(self) -> None:
        """Radio off, RAM lost; tokens stay."""
        self._end_task()
        self.running = self.busy = False
        self.endpoints.clear()
        self._missed_endpoints.clear()
        self.trust.forget_keys()
        self._down()

    def _end_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.association = self.awaited_key = None

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
        if not phy.known(channel):
            return Status.PHY_INVALID_CHANNEL
        draw = self.air.random(f"{tokens.eui64} form {tokens.nwk_counter}")
        tokens.node_type, tokens.short, tokens.channel, tokens.power = COORDINATOR, 0x0000, channel, power
        tokens.pan = pan if pan != 0xFFFF else draw.randrange(1, 0xFFF0)
        tokens.extended_pan = extended_pan if any(extended_pan.octets) else Eui64(draw.randbytes(8))
        tokens.network_key = tokens.network_key or draw.randbytes(16)
        tokens.update_id, tokens.parent, tokens.parent_short = update_id, None, 0xFFFF
        tokens.tc_eui64 = tokens.eui64
        tokens.alternate_key, tokens.depth = None, 0
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
        self.tokens.alternate_key = None
        self.awaited_key = None
        self._candidates = (self.tokens.tc_link_key,)
        self._task = supervised(self._join(node_type, channels, extended_pan, pan), "the joining of a network")
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
            self.association = self.awaited_key = None
        self.busy = False
        self._up()
        self.announce()
        if node_type in (3, 4):
            timeout = bytes([NwkCommand.END_DEVICE_TIMEOUT_REQUEST, 8, 0])
            self.nwk.send(self.tokens.parent_short, timeout, command=True, radius=1)
        self.user.stack_status(Status.NETWORK_UP)

    def rejoin(self, *, secured: bool = True, channels: tuple[int, ...] | None = None) -> Status:
        """Go back to the network; the outcome is a stack status.

        ``secured``: with the network key, to the parent or another one on the channel. Else a trust centre rejoin: whoever bears the
        stored extended PAN id on ``channels`` is asked for the network key, under the link key or, from another trust centre than
        before (a swap-out), under the AES-MMO hash of the link key, which is then the link key with the new one.
        """
        if not self.tokens.joined or self.busy:
            return Status.INVALID_CALL
        channels = phy.of_band(self.tokens.channel) if channels is None else channels
        if not secured:
            centre = self.tokens.tc_eui64
            key = None if centre is None else self.link_key(centre)
            if key is None:
                return Status.SECURITY_STATE_NOT_SET
            self._candidates = (key, aes_mmo(key))
            self.awaited_key = None
        if not self.running:
            self._up()
        self.busy = True
        self._task = supervised(self._rejoin(secured, channels), "the rejoining of a network")
        return Status.SUCCESS

    async def _rejoin(self, secured: bool, channels: tuple[int, ...]) -> None:
        try:
            if secured:
                await joining.rejoin(self)
            else:
                await joining.trust_centre_rejoin(self, channels, self._candidates)
        except joining.JoinFailure as failure:
            self.busy = False
            self._down()
            self.user.stack_status(failure.status)
            return
        finally:
            self.association = self.awaited_key = None
        self.busy = False
        if not secured:
            self._up()
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
        pdu = ApsPdu(
            ApsKind.DATA,
            self.aps.next_sequence(),
            DeliveryMode.BROADCAST if broadcast else DeliveryMode.UNICAST,
            ack_request=not broadcast and done is not None,
            cluster=cluster,
            payload=payload,
        )
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
        """Keys that may open a frame from ``partner``: while joining the trust centre is not known yet."""
        if partner is None:
            return ()
        if self.awaited_key is not None and self._candidates:
            return self._candidates
        key = self.link_key(partner)
        return () if key is None else (key,)

    def keep_link_key(self, partner: Eui64, key: bytes) -> None:
        """Over the partner's own entry of the key table, or in its first free place."""
        table = self.tokens.link_keys
        known = next((index for index, (device, _) in table.items() if device == partner), None)
        free = next(one for one in range(len(table) + 1) if one not in table)
        self.import_link_key(free if known is None else known, partner, key)

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

    def child_joined(self, device: Eui64, child: Child, update: Update) -> None:
        self.user.child_join(device, child, True)
        if self.tokens.node_type == COORDINATOR:
            self.trust.joined(device, child.short, update, self.tokens.short)
        else:
            trust.tell_trust_centre(self, device, child.short, update)

    def child_gone(self, device: Eui64, child: Child) -> None:
        self.user.child_join(device, child, False)

    def device_left(self, device: Eui64, short: int) -> None:
        if self.tokens.node_type == COORDINATOR:
            self.trust.left(device, short)
        elif device in self.tokens.children:
            trust.tell_trust_centre(self, device, short, Update.LEFT)

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

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None:
        self.user.route_recorded(short, device, relays, link)

    def inter_pan(self, frame: MacPdu, link: Link) -> None:
        self.user.inter_pan(frame, link)

    def key_switched(self) -> None:
        """The next network key comes into force."""
        self.tokens.switch_key()
        asyncio.get_running_loop().call_soon(self.user.key_switched, self.tokens.key_sequence)

    def aps_command(self, source: Eui64 | None, pdu: ApsPdu, key_id: KeyId | None, nwk_secured: bool) -> None:
        trust.received(self, self.trust, source, pdu, key_id, nwk_secured)

    def aps_data(self, message: IncomingApdu) -> bool:
        """True: taken, so acknowledge it."""
        pdu = message.pdu
        if pdu.profile == 0 and pdu.destination_endpoint == 0 and pdu.delivery is not DeliveryMode.GROUP:
            zdo_server.received(self, message)
            return True
        known = pdu.destination_endpoint == 0xFF or pdu.destination_endpoint in self.endpoints or self.any_endpoint
        if pdu.delivery is not DeliveryMode.GROUP and not known:
            self.nwk.mac.count("aps_no_endpoint")
            # A broadcast is for those that have the endpoint, as green power's 242: the others drop it, and nothing is wrong.
            if pdu.delivery is DeliveryMode.UNICAST and pdu.destination_endpoint not in self._missed_endpoints:
                self._missed_endpoints.add(pdu.destination_endpoint)
                LOGGER.warning(
                    "%s has no endpoint %d: messages for it are dropped, the first from 0x%04x (endpoints do not outlive a reset and "
                    "are added before the network is up)",
                    self.tokens.eui64,
                    pdu.destination_endpoint,
                    message.source,
                )
            return False
        self.user.incoming(message)
        return True

    def described(self) -> zdo.Described:
        tokens = self.tokens
        asleep = {device: child.short for device, child in tokens.children.items() if not child.capability & RX_ON and child.authenticated}
        return zdo.Described(
            tokens.eui64,
            tokens.short,
            tokens.node_type,
            self.manufacturer,
            tuple(self.endpoints.values()),
            asleep,
            tokens.extended_pan,
            self._neighbours(),
            tuple(self.nwk.routes.table),
            tuple(self.bindings),
        )

    def _neighbours(self) -> tuple[zdo.Neighbour, ...]:
        """Those heard directly and the end devices that joined here, as a Mgmt_Lqi_rsp tells them."""
        tokens, nwk = self.tokens, self.nwk
        unknown = Link()
        children = [
            zdo.Neighbour(
                device,
                child.short,
                1 if child.router else 2,
                int(bool(child.capability & RX_ON)),
                zdo.CHILD,
                2,
                tokens.depth + 1,
                nwk.neighbours.get(child.short, unknown).lqi,
            )
            for device, child in tokens.children.items()
            if child.authenticated
        ]
        known = {one.short for one in children}
        others = []
        for short, link in nwk.neighbours.items():
            if short in known or short == tokens.short or short not in nwk.addresses:
                continue
            relation = zdo.PARENT if short == tokens.parent_short else zdo.SIBLING
            others.append(
                zdo.Neighbour(nwk.addresses[short], short, 0 if not short else 1, 1, relation, 2, 0 if not short else 15, link.lqi)
            )
        return tuple([*children, *others] if self.rules.children_first else [*others, *children])

    def change_channel(self, channel: int, update_id: int) -> None:
        """Go to another channel with the network; an end device that missed the word finds its parent again by a scan."""
        if not self.running or not phy.known(channel) or channel == self.tokens.channel:
            return
        self.tokens.channel, self.tokens.update_id = channel, update_id
        self.tokens.save()
        self.nwk.mac.start(channel, rx_on=self.nwk.mac.rx_on)
        self.user.stack_status(Status.CHANNEL_CHANGED)
