"""A hand-held terminal: what an installer brings into a home to hand over Commands that a user got for local delivery (LC-03 [193]).

It introduces itself to a hub by inter-PAN, joins as any Device does, hands Commands over and fetches their Responses. It has no GBCS
credentials: Commands and Responses are octets to it, and what it brings back is for its user's keys and 8.13.
How it introduces itself and that it speaks GET and PUT in a tunnel of its own is profile-supplied (:mod:`firmware_emu.hub.hand_held`).
Not modelled: its screen, how Commands get into it and Responses out of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

from firmware_emu.clock import Clock
from firmware_emu.crypto import ecqv
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.gbcs.envelope import message_of
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanReceiver, InterPanSender
from firmware_emu.han.inter_pan_port import ENDPOINT, InterPanPort
from firmware_emu.han.introduction import Admission, Introduction
from firmware_emu.han.key_establishment import establish
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.tunnel import TunnelClient
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import CraFlag, Eui64, InstallCode, MessageIdentifier
from firmware_emu.trace import Trace
from hil.devices.base.han_device import HanDevice
from hil.radio.stack.joining import FoundNetwork

TERMINAL_ENDPOINT = 0x71
ANSWER_S = 30.0
"""Waiting time for the hub's answer to an introduction, or to a GET. The bench's own figure."""
FETCH_PAUSE_S = 2.0
"""Pause between two GETs that found nothing. The bench's own figure."""
_BASIS = "profile-supplied: no source states how a terminal tells its identity and install code"


@runtime_checkable
class InterPanNode(HanNode, Protocol):
    """A Device's radio that also speaks to a network it is not on."""

    inter_pan_receiver: InterPanReceiver | None

    async def beacons(self, channels: tuple[int, ...] | None = None) -> list[FoundNetwork]:
        """Active scan."""
        ...

    def listen_inter_pan(self, channel: int) -> None:
        """Radio on without a network; ``power(False)`` ends it."""
        ...

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        """One inter-PAN frame. Raises RadioError where it is not acknowledged."""
        ...


def certify_terminal(keystore: Keystore, terminal: Eui64) -> None:
    """Give ``terminal`` key establishment credentials of the test PKI's authority, once. Raises KeystoreError where that is not there."""
    if not keystore.has_cbke(terminal):
        keystore.add_cbke(terminal, ecqv.issue(keystore.cbke_authority(), terminal))


class HandHeldTerminal(HanDevice):
    """A terminal for the home whose network has ``extended_pan_id`` and whose hub's radio is ``hub``.

    ``loaded`` are the Commands that have no Response yet, ``responses`` what was fetched.
    """

    device_type: ClassVar[DeviceType] = DeviceType.TYPE_2
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(TERMINAL_ENDPOINT, 0x0508, servers=(0x0000, 0x0800), clients=(0x0800, 0x000A, 0x0025, 0x0704)),
    )

    def __init__(
        self,
        eui64: Eui64,
        install_code: InstallCode,
        keystore: Keystore,
        node: InterPanNode,
        clock: Clock,
        trace: Trace,
        *,
        hub: Eui64,
        extended_pan_id: Eui64 | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace)
        self.name = f"hand-held terminal {eui64}"
        self._inter_pan = node
        self._hub = hub
        self._extended_pan_id = extended_pan_id or hub
        self._tunnel: TunnelClient | None = None
        self._mailbox: MailboxClient | None = None
        self.loaded: dict[MessageIdentifier, bytes] = {}
        self.responses: list[bytes] = []

    def load(self, *commands: bytes) -> None:
        """Take Commands that a user got for local delivery. Raises DecodeError for octets that are none."""
        for command in commands:
            self.loaded[message_of(command).header.identifier] = command

    # --- onto the HAN

    async def join(self) -> None:
        """Introduce itself by inter-PAN, then join. Raises RadioError (no such network, no answer: the window may be over),
        ProtectionError."""
        admission = await self.introduce()
        self.trace.emit("han", self.name, "let in", target=str(self._hub), seconds=admission.seconds, basis=_BASIS)
        await super().join()
        assert self.coordinator is not None, "join() ends with a coordinator"
        self._tunnel = TunnelClient(self.zcl, self.coordinator, blocks=gbt, source_endpoint=TERMINAL_ENDPOINT)
        self._mailbox = MailboxClient(self._tunnel, on_late=self._took, on_unreadable=self._discard, timeout_s=ANSWER_S)

    async def introduce(self) -> Admission:
        """Key establishment by inter-PAN, then identity and install code under that key. Raises as :meth:`join`."""
        node, found = self._inter_pan, await self._find()
        port = InterPanPort(self.eui64, node.send_inter_pan)
        zcl = ZclPort(port, self.clock, trace=self.trace, source=self.name)
        zcl.add_endpoint(SimpleDescriptor(ENDPOINT, 0x0508, clients=(0x0800,)))
        port.learn(self._hub, found.beacon.pan)
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        cluster = standard_profile().hand_held_cluster

        def received(sender: InterPanSender, frame: InterPanFrame) -> None:
            if sender.eui64 == self._hub and frame.cluster == cluster and not told.done():
                told.set_result(frame.payload)
            else:
                port.received(sender, frame)

        node.inter_pan_receiver = received
        node.listen_inter_pan(found.channel)
        try:
            key = await establish(zcl, self._hub, self.keystore.cbke(self.eui64))
            self.trace.emit("han", self.name, "key established", target=str(self._hub), way="inter-PAN")
            introduction = Introduction(self.eui64, self.install_code)
            await node.send_inter_pan(self._hub, found.beacon.pan, InterPanFrame(cluster, introduction.seal(key)))
            async with asyncio.timeout(ANSWER_S):
                return Admission.unseal(key, self.eui64, await told)
        except TimeoutError:
            raise RadioError(f"{self._hub} does not answer the introduction of a hand-held terminal", "TIMEOUT") from None
        finally:
            node.inter_pan_receiver = None
            await zcl.close()
            node.power(False)
            node.power(True)

    async def _find(self) -> FoundNetwork:
        for found in await self._inter_pan.beacons():
            if found.beacon.extended_pan == self._extended_pan_id:
                return found
        raise RadioError(f"no beacon of the network {self._extended_pan_id} is heard")

    async def leave(self) -> None:
        """Off the HAN: the visit is over."""
        await self._cancel_tasks()
        if self._tunnel is not None:
            self._tunnel.forget()
            self._tunnel = self._mailbox = None
        await self.node.leave()
        self.coordinator = None

    # --- Commands and Responses

    async def deliver(self, *, wait_s: float = 60.0) -> Sequence[bytes]:
        """Hand over what is loaded and fetch Responses until each has one, or ``wait_s`` of bench time are over. Returns those of this
        call. A Command without a Response stays loaded. Raises RadioError: not joined, or the hub does not take it.
        """
        for command in tuple(self.loaded.values()):
            await self.put(command)
        return await self.collect(wait_s=wait_s)

    async def put(self, octets: bytes) -> None:
        """Hand over octets as they are. Raises RadioError."""
        await (await self._open()).put(octets)
        self.trace.emit("device", self.name, "handed over", target=str(self._hub), message=_identifier(octets))

    async def collect(self, *, wait_s: float = 60.0) -> Sequence[bytes]:
        """Fetch Responses, as :meth:`deliver` does."""
        deadline, fetched = self.clock.now() + wait_s, list[bytes]()
        while self.loaded:
            got = await (await self._open()).fetch_one()
            if got.message:
                fetched.append(got.message)
                self._took(got.message)
            elif self.clock.now() >= deadline:
                break
            else:
                await self.clock.sleep(FETCH_PAUSE_S)
        return fetched

    async def _open(self) -> MailboxClient:
        if self._tunnel is None or self._mailbox is None:
            raise RadioError("not joined", "NOT_JOINED")
        if not self._tunnel.is_open:
            await self._tunnel.open()
        return self._mailbox

    def _discard(self, problem: DecodeError, data: bytes) -> None:
        self.trace.emit("device", self.name, "discarded", reason=str(problem), data=data)

    def _took(self, octets: bytes) -> None:
        header = message_of(octets).header
        command = MessageIdentifier(header.recipient, header.originator, CraFlag.COMMAND, header.counter)
        self.loaded.pop(command, None)
        self.responses.append(octets)
        self.trace.emit("device", self.name, "fetched", target=str(self._hub), message=str(header.identifier), data=octets)


def _identifier(octets: bytes) -> str | None:
    try:
        return str(message_of(octets).header.identifier)
    except DecodeError:
        return None
