"""A HAN in memory, for many homes in one process: joining by key, link keys checked on secured frames, sleepy nodes, radios that are
off, inter-PAN frames, a coordinator that keeps network and keys over a power cut, and another one that takes its place.

What it does not model: air, MAC, NWK layer, loss, encryption; a frame takes ten milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, HanEvent, HanEventKind, NetworkSettings, Receiver, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanReceiver, InterPanSender
from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.air.air import NOISE_DBM, Link
from hil.radio.air.frames import Beacon
from hil.radio.stack.joining import FoundNetwork
from hil.radio.stack.mac import DUTY_CYCLE_S

_NO_PAN = 0xFFFF
_HEADERS = 45
"""Octets of MAC, NWK and APS around a message, with their security; a figure of this bench."""


class Han:
    """The medium: every radio by address; the coordinator that was made last is the one there is."""

    def __init__(self) -> None:
        self.ports: dict[Eui64, Port] = {}
        self.coordinator: MemoryRadio | None = None


class Port:
    """An ApsPort on the medium. ``on`` False: nobody hears it and it hears nobody."""

    def __init__(self, han: Han, eui64: Eui64) -> None:
        self.han, self.eui64 = han, eui64
        self.receiver: Receiver | None = None
        self.inter_pan_receiver: InterPanReceiver | None = None
        self.on = True
        self.awake = True
        self.descriptors: dict[int, SimpleDescriptor] = {}
        self.link_keys: dict[Eui64, bytes] = {}
        self.held: list[tuple[Eui64, ApsFrame]] = []
        self.on_network = False
        self.sub_ghz: int | None = None
        """Channel of its radio below 1 GHz; a node that has one has no other."""
        han.ports[eui64] = self

    def meets(self, other: Port) -> bool:
        """True if both are where the hub is: a node below 1 GHz on the hub's channel there."""
        hub = self.han.coordinator
        below = [one.sub_ghz for one in (self, other) if one is not hub and one.sub_ghz is not None]
        return all(hub is not None and channel == hub.sub_ghz for channel in below)

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self.descriptors[descriptor.endpoint] = descriptor

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        await asyncio.sleep(0.01)
        other = self.han.ports.get(destination)
        if other is None or not other.on or not self.on or not (other.on_network and self.on_network) or not self.meets(other):
            raise RadioError(f"{destination} does not acknowledge", "DELIVERY_FAILED")
        self.sent_to(other, frame)
        if frame.secured and self.link_keys.get(destination) != other.link_keys.get(self.eui64, b"none"):
            raise RadioError(f"no common link key with {destination}", "SECURITY")
        if other.awake:
            other.deliver(self.eui64, frame)
        else:
            other.held.append((self.eui64, frame))

    def sent_to(self, other: Port, frame: ApsFrame) -> None:
        """A frame has gone out."""

    def deliver(self, sender: Eui64, frame: ApsFrame) -> None:
        ends = frame.source_endpoint, frame.destination_endpoint
        heard = ApsFrame(frame.cluster, frame.payload, *ends, frame.secured, frame.profile, lqi=200, rssi=-50)

        def arrive() -> None:
            if self.on and self.receiver is not None:
                self.receiver(sender, heard)

        asyncio.get_running_loop().call_soon(arrive)

    async def broadcast(self, frame: ApsFrame) -> None:
        for other in self.han.ports.values():
            if other is not self and other.on and other.awake:
                other.deliver(self.eui64, frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        await asyncio.sleep(0.01)
        other = self.han.ports.get(destination)
        if other is None or not other.on or not other.on_network or not self.meets(other):
            raise RadioError(f"{destination} does not answer", "TIMEOUT")
        found = other.descriptors.values()
        return tuple(one.endpoint for one in found if cluster in (one.servers if server else one.clients))

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        """To an EUI-64 only. Raises RadioError where nobody acknowledges it."""
        await asyncio.sleep(0.01)
        other = self.han.ports.get(destination) if isinstance(destination, Eui64) else None
        if other is None or not other.on or not self.on:
            raise RadioError(f"no acknowledgement of an inter-PAN frame from {destination}", "MAC_NO_ACK_RECEIVED")
        hub = self.han.coordinator
        own = hub.network.pan_id if hub is not None and hub.network is not None and self.on_network else None
        sender = InterPanSender(self.eui64, _NO_PAN if own is None else own)

        def arrive() -> None:
            if other.on and other.inter_pan_receiver is not None:
                other.inter_pan_receiver(sender, frame)

        asyncio.get_running_loop().call_soon(arrive)

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        self.link_keys[partner] = key


class MemoryRadio(Port):
    """The hub's dongle: remembers network and link keys over ``stop`` and a power cut."""

    def __init__(self, han: Han, eui64: Eui64) -> None:
        super().__init__(han, eui64)
        self._on_event: Callable[[HanEvent], None] | None = None
        self.network: NetworkSettings | None = None
        self.permitted: dict[Eui64, tuple[bytes, float]] = {}
        self.formed = 0
        self.on = False
        han.coordinator = self

    async def start(self, on_event: Callable[[HanEvent], None] | None = None) -> None:
        self._on_event = on_event
        await asyncio.sleep(0.1)
        self.on = True

    async def resume(self) -> NetworkSettings | None:
        await asyncio.sleep(0.1)
        self.on_network = self.network is not None
        return self.network

    async def form(self, settings: NetworkSettings) -> NetworkSettings:
        await asyncio.sleep(0.1)
        self.formed += 1
        key = settings.network_key or bytes([self.formed]) * 16
        self.network = replace(settings, pan_id=0x1234, network_key=key)
        self.link_keys.clear()
        self.on_network = True
        return self.network

    async def permit(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        self.permitted[device] = (link_key, asyncio.get_running_loop().time() + seconds)

    def admits(self, device: Eui64, key: bytes) -> bool:
        """True if ``device`` gets the network key under ``key`` when it comes back."""
        permitted, until = self.permitted.get(device, (b"", 0.0))
        return key in (self.link_keys.get(device), permitted if asyncio.get_running_loop().time() <= until else None)

    async def forbid(self) -> None:
        self.permitted.clear()

    async def remove(self, device: Eui64) -> None:
        self.permitted.pop(device, None)
        self.link_keys.pop(device, None)
        other = self.han.ports.get(device)
        if other is None or not other.on:
            raise RadioError(f"{device} does not answer", "TIMEOUT")
        other.on_network = False

    async def stop(self) -> None:
        self.on = False
        self._on_event = None

    def tell(self, kind: HanEventKind, device: Eui64, reason: str = "") -> None:
        def arrive() -> None:
            if self.on and self._on_event is not None:
                self._on_event(HanEvent(kind, device, reason))

        asyncio.get_running_loop().call_soon(arrive)


class DualBandRadio(MemoryRadio):
    """A dongle with a second radio below 1 GHz (:class:`~firmware_emu.han.base.SubGhzRadio`). A message is one frame there."""

    def __init__(self, han: Han, eui64: Eui64) -> None:
        super().__init__(han, eui64)
        self.energy: dict[tuple[int, int], int] = {}
        """dBm by channel, the noise floor where none is set."""
        self._spent: list[tuple[float, Eui64, float]] = []
        """Messages of the last hour: loop time, to whom, seconds on the air."""

    async def start_sub_ghz(self, page: int, number: int) -> None:
        """See SubGhzRadio."""
        self.sub_ghz = phy.sub_ghz(page, number)

    async def sub_ghz_energy(self, mask: int) -> dict[tuple[int, int], int]:
        await asyncio.sleep(1)
        return {phy.page_of(one): self.energy.get(phy.page_of(one), NOISE_DBM) for one in phy.in_mask(mask)}

    async def sub_ghz_duty_cycle(self) -> tuple[int, dict[Eui64, int]]:
        since = asyncio.get_running_loop().time() - DUTY_CYCLE_S
        self._spent = [one for one in self._spent if one[0] > since]
        shares: dict[Eui64, float] = {}
        for _, device, seconds in self._spent:
            shares[device] = shares.get(device, 0.0) + 10_000 * seconds / DUTY_CYCLE_S
        return round(sum(shares.values())), {device: round(share) for device, share in shares.items()}

    async def on_sub_ghz(self) -> frozenset[Eui64]:
        return frozenset(one.eui64 for one in self.han.ports.values() if one is not self and one.sub_ghz is not None and one.on_network)

    def sent_to(self, other: Port, frame: ApsFrame) -> None:
        if other.sub_ghz is not None:
            air_s = phy.GFSK.air_s(len(frame.payload) + _HEADERS)
            self._spent.append((asyncio.get_running_loop().time(), other.eui64, air_s))


class MemoryNode(Port):
    """A Device's radio. ``centre`` and ``extended_pan_id``: whose network it is on, or was. One below 1 GHz has ``sub_ghz`` set."""

    def __init__(self, han: Han, eui64: Eui64) -> None:
        super().__init__(han, eui64)
        self.centre: Eui64 | None = None
        self.extended_pan_id: Eui64 | None = None

    async def join(
        self,
        link_key: bytes,
        *,
        extended_pan_id: Eui64 | None = None,
        sleepy: bool = False,
        timeout_s: float = 30.0,
    ) -> Eui64:
        await asyncio.sleep(0.2)
        hub = self.han.coordinator
        assert hub is not None
        key, until = hub.permitted.get(self.eui64, (b"", 0.0))
        if not hub.on or not hub.on_network or not self._found(hub):
            raise RadioError("no beacon")
        if key != link_key or asyncio.get_running_loop().time() > until:
            hub.tell(HanEventKind.REFUSED, self.eui64, "no key is held for it")
            raise RadioError("no transport key", "TIMEOUT")
        self.link_keys[hub.eui64] = hub.link_keys[self.eui64] = link_key
        self.on_network = True
        self.centre, self.extended_pan_id = hub.eui64, None if hub.network is None else hub.network.extended_pan_id
        hub.tell(HanEventKind.JOINED, self.eui64)
        return hub.eui64

    def move(self, mask: int) -> None:
        """Go to the one channel of ``mask``."""
        (self.sub_ghz,) = phy.in_mask(mask)

    def _found(self, hub: MemoryRadio) -> bool:
        """A scan of its band: below 1 GHz it finds the hub's channel there, if the hub has one."""
        if self.sub_ghz is not None and hub.sub_ghz is not None:
            self.sub_ghz = hub.sub_ghz
        return self.sub_ghz is None or hub.sub_ghz is not None

    async def beacons(self, channels: tuple[int, ...] | None = None) -> list[FoundNetwork]:
        """The hub's, if it has a network and is on."""
        await asyncio.sleep(0.2)
        hub = self.han.coordinator
        if hub is None or hub.network is None or hub.network.pan_id is None or not (hub.on and hub.on_network):
            return []
        network = hub.network
        return [FoundNetwork(network.channel, Beacon(hub.network.pan_id, 0, bool(hub.permitted), network.extended_pan_id, True), Link())]

    def listen_inter_pan(self, channel: int) -> None:
        """It hears everybody on the medium in any case."""

    async def rejoin(self, *, timeout_s: float = 60.0) -> Eui64:
        """Come back under the link key or, to a coordinator that took the place of the old one, under its hash. Raises RadioError."""
        await asyncio.sleep(0.2)
        hub = self.han.coordinator
        assert hub is not None
        if self.centre is None:
            raise RadioError(f"{self.eui64} was on no network")
        if not hub.on or hub.network is None or not hub.on_network or hub.network.extended_pan_id != self.extended_pan_id:
            raise RadioError("no beacon")
        if not self._found(hub):
            raise RadioError("no beacon")
        key = self.link_keys[self.centre]
        if hub.eui64 != self.centre:
            key = aes_mmo(key)
        if not hub.admits(self.eui64, key):
            hub.tell(HanEventKind.REFUSED, self.eui64, "no key is held for it")
            raise RadioError("no transport key", "TIMEOUT")
        if hub.eui64 != self.centre:
            self.link_keys.clear()
            self.centre = hub.eui64
        self.link_keys[hub.eui64] = hub.link_keys[self.eui64] = key
        self.on_network = True
        hub.tell(HanEventKind.REJOINED, self.eui64)
        return hub.eui64

    @property
    def joined(self) -> bool:
        return self.on_network

    async def resume(self) -> bool:
        hub = self.han.coordinator
        assert hub is not None
        if self.on_network and hub.eui64 == self.centre:
            hub.tell(HanEventKind.REJOINED, self.eui64)
        return self.on_network

    async def poll(self) -> None:
        held, self.held = self.held, []
        for sender, frame in held:
            self.deliver(sender, frame)
        await asyncio.sleep(0.05)

    async def request_link_key(self, partner: Eui64) -> None:
        await asyncio.sleep(0.05)
        hub, other = self.han.coordinator, self.han.ports.get(partner)
        ready = hub is not None and hub.on and all(one is not None and one.on and one.on_network for one in (self, other))
        if not ready or other is None or hub is None or not {self.eui64, partner} <= set(hub.link_keys):
            raise RadioError(f"the trust centre gave no link key with {partner}", "TIMEOUT")
        self.link_keys[partner] = other.link_keys[self.eui64] = aes_mmo(self.eui64.octets + partner.octets)

    async def leave(self) -> None:
        self.on_network = False

    def power(self, on: bool) -> None:
        self.on = on
