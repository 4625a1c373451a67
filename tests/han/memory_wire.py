"""APS ports joined in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, Receiver, SimpleDescriptor
from firmware_emu.ids import Eui64

HUB = Eui64.parse("00db1234567890a0")
METER = Eui64.parse("00db1234567890a1")
OTHER = Eui64.parse("00db1234567890a2")


@dataclass
class Wire:
    """Wire that joins the ports. ``filter`` may drop (None) or alter a frame on its way."""

    ports: dict[Eui64, MemoryPort] = field(default_factory=dict)
    filter: Callable[[Eui64, Eui64, ApsFrame], ApsFrame | None] = lambda source, destination, frame: frame
    sent: list[tuple[Eui64, Eui64, ApsFrame]] = field(default_factory=list)

    def port(self, eui64: Eui64) -> MemoryPort:
        self.ports[eui64] = MemoryPort(eui64, self)
        return self.ports[eui64]


class MemoryPort:
    """An ApsPort: frames arrive on the next turn of the loop. No link keys are checked, only the flag is carried."""

    def __init__(self, eui64: Eui64, wire: Wire) -> None:
        self.eui64 = eui64
        self.receiver: Receiver | None = None
        self.descriptors: list[SimpleDescriptor] = []
        self.link_keys: dict[Eui64, bytes] = {}
        self._wire = wire

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self.descriptors.append(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        self._wire.sent.append((self.eui64, destination, frame))
        other = self._wire.ports.get(destination)
        await asyncio.sleep(0)
        if other is None:
            raise RadioError(f"{destination} does not acknowledge", "DELIVERY_FAILED")
        passed = self._wire.filter(self.eui64, destination, frame)
        if passed is not None and other.receiver is not None:
            asyncio.get_running_loop().call_soon(other.receiver, self.eui64, passed)

    async def broadcast(self, frame: ApsFrame) -> None:
        for eui64, other in self._wire.ports.items():
            if eui64 != self.eui64 and other.receiver is not None:
                asyncio.get_running_loop().call_soon(other.receiver, self.eui64, frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        found = self._wire.ports[destination].descriptors
        return tuple(one.endpoint for one in found if cluster in (one.servers if server else one.clients))

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        self.link_keys[partner] = key
