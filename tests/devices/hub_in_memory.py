"""A HAN in memory, and a hub's side of it: key establishment, time, keep-alive, mirror, tunnels both ways."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.base import ApsFrame, Receiver, SimpleDescriptor
from firmware_emu.han.key_establishment import KeyEstablishmentServer
from firmware_emu.han.tunnel import TunnelClient, TunnelServer
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.keep_alive import KEEP_ALIVE
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.time import TIME
from firmware_emu.zse.tunneling import Get, GetResponse, Put, decode_mailbox, encode_mailbox
from firmware_emu.zse.zcl import AttributeRecord, ZclStatus


@dataclass
class MemoryHan:
    """Nodes by address. ``coordinator`` is who a join leads to."""

    coordinator: Eui64
    nodes: dict[Eui64, MemoryNode] = field(default_factory=dict)

    def node(self, eui64: Eui64) -> MemoryNode:
        self.nodes[eui64] = MemoryNode(eui64, self)
        return self.nodes[eui64]


class MemoryNode:
    """A HanNode: frames arrive on the next turn of the loop; a secured frame needs equal link keys at both ends."""

    def __init__(self, eui64: Eui64, han: MemoryHan) -> None:
        self.eui64 = eui64
        self.receiver: Receiver | None = None
        self.descriptors: list[SimpleDescriptor] = []
        self.link_keys: dict[Eui64, bytes] = {}
        self.joined = False
        self.on = True
        self._han = han

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self.descriptors.append(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        other = self._han.nodes.get(destination)
        await asyncio.sleep(0)
        if other is None or not other.on or not self.on:
            raise RadioError(f"{destination} does not acknowledge", "DELIVERY_FAILED")
        if frame.secured and self.link_keys.get(destination) != other.link_keys.get(self.eui64, b""):
            raise RadioError(f"{destination} cannot decrypt", "NO_LINK_KEY")
        if other.receiver is not None:
            asyncio.get_running_loop().call_soon(other.receiver, self.eui64, frame)

    async def broadcast(self, frame: ApsFrame) -> None:
        raise RadioError("no broadcasts here")

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        await asyncio.sleep(0)
        other = self._han.nodes[destination]
        if not other.on:
            return ()
        return tuple(one.endpoint for one in other.descriptors if cluster in (one.servers if server else one.clients))

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        self.link_keys[partner] = key

    async def join(
        self,
        link_key: bytes,
        *,
        extended_pan_id: Eui64 | None = None,
        sleepy: bool = False,
        timeout_s: float = 30.0,
    ) -> Eui64:
        self.joined = True
        return self._han.coordinator

    async def resume(self) -> bool:
        return self.joined

    async def poll(self) -> None:
        await asyncio.sleep(0)

    async def leave(self) -> None:
        self.joined = False

    def power(self, on: bool) -> None:
        self.on = on


class HubSide:
    """Hub's services on its HAN, enough for a Device to live."""

    def __init__(self, han: MemoryHan, keystore: Keystore, clock: Clock) -> None:
        self.clock = clock
        self.node = han.node(han.coordinator)
        self.zcl = ZclPort(self.node, clock)
        self.zcl.add_endpoint(
            SimpleDescriptor(
                123,
                0x0508,
                servers=(0x0000, 0x0800, 0x000A, 0x0025, 0x0704),
                clients=(0x0800, 0x0704),
            )
        )
        self.zcl.add_endpoint(SimpleDescriptor(124, 0x0500, servers=(0x0702,), clients=(0x0702,)))
        self.zcl.serve(123, TIME.id, None, attributes=Attributes(TIME, {0x0000: lambda: int(clock.now()), 0x0001: 0x09}))
        self.zcl.serve(123, KEEP_ALIVE.id, None, attributes=Attributes(KEEP_ALIVE, {0x0000: 10, 0x0001: 300}))
        self.zcl.serve(124, METERING.id, self._mirror, server=False, reports=self._report)
        for cluster in (0x0000, 0x0705):
            self.zcl.serve(124, cluster, None, server=False, reports=self._report)
        self.established = asyncio.Event()
        self._ke = KeyEstablishmentServer(self.zcl, keystore.cbke(han.coordinator), self._established)
        self.server = TunnelServer(self.zcl, 123, lambda partner: True, self._from_gsme, blocks=gbt)
        self.clients: dict[Eui64, TunnelClient] = {}
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.mailbox: list[bytes] = []
        self.mirrored: dict[tuple[int, int], object] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def _established(self, partner: Eui64, key: bytes) -> None:
        self.established.set()

    async def open(self, device: Eui64) -> TunnelClient:
        client = TunnelClient(self.zcl, device, blocks=gbt, on_data=self.received.put_nowait, source_endpoint=123)
        await client.open()
        self.clients[device] = client
        return client

    def _from_gsme(self, partner: Eui64, data: bytes) -> None:
        item = decode_mailbox(data)
        if isinstance(item, Put):
            self.received.put_nowait(item.message)
        elif isinstance(item, Get):
            message = self.mailbox.pop(0) if self.mailbox else b""
            task = asyncio.ensure_future(self.server.transfer(partner, encode_mailbox(GetResponse(len(self.mailbox), message))))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _mirror(self, incoming: Incoming) -> Answer:
        if incoming.frame.command == 0x01:
            return Reply(0x01, (124).to_bytes(2, "little"))
        return ZclStatus.SUCCESS

    def _report(self, incoming: Incoming, records: tuple[AttributeRecord, ...]) -> ZclStatus:
        for record in records:
            self.mirrored[incoming.cluster, record.attribute] = record.value
        return ZclStatus.SUCCESS
