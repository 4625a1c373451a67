"""The seams of the HAN: :class:`ApsPort` and its two kinds, the coordinator's :class:`HanRadio` and the Device's :class:`HanNode`.

Everything above (ZCL transactions, key establishment, tunnels) is written against :class:`ApsPort` and runs unchanged
in the hub and in a Device, over a real dongle, the virtual dongle, or a node bound directly to the simulated stack.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from firmware_emu.ids import Eui64

SMART_ENERGY = 0x0109
"""Profile id of ZigBee Smart Energy (reference zigbee-han 1)."""

ZDO_PROFILE = 0x0000


@dataclass(frozen=True, slots=True)
class SimpleDescriptor:
    """An endpoint as ZDO tells it: SE device id and the clusters it serves (``servers``) and uses (``clients``)."""

    endpoint: int
    device_id: int
    servers: tuple[int, ...] = ()
    clients: tuple[int, ...] = ()
    profile: int = SMART_ENERGY


@dataclass(frozen=True, slots=True)
class ApsFrame:
    """One APS data unit. ``payload`` is the whole ASDU (a ZCL frame, or a ZDO frame with profile 0), reassembled.

    ``secured`` means APS encryption with the link key of the other party (needed on all SE clusters after key
    establishment, reference zigbee-han 5); on a received frame it says whether it came so.
    """

    cluster: int
    payload: bytes
    source_endpoint: int
    destination_endpoint: int
    secured: bool = True
    profile: int = SMART_ENERGY
    lqi: int | None = None
    rssi: int | None = None


Receiver = Callable[[Eui64, ApsFrame], None]
"""Called with the sender and the frame, on the event loop, never re-entered; it must not block."""


Passage = Callable[[Eui64, Eui64, ApsFrame], AsyncIterator[ApsFrame]]
"""Called with the sender, the receiver and a frame between them; gives what goes on of it, when it does."""


class ApsPort(Protocol):
    """A place on the HAN from which APS frames are sent and where they arrive."""

    @property
    def eui64(self) -> Eui64:
        """This radio's own address."""
        ...

    @property
    def receiver(self) -> Receiver | None:
        """Receiver of the frames; set by the owner before :meth:`send` is used."""
        ...

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None: ...

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Register an endpoint, before start or join. ZDO below the port answers Match_Desc and the like from these."""
        ...

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        """Send and wait for the APS acknowledgement; payloads over one frame are fragmented (61 octets a piece).

        Raises RadioError when the frame cannot be delivered (status as the stack names it).
        """
        ...

    async def broadcast(self, frame: ApsFrame) -> None:
        """Send to all (0xFFFF or 0xFFFD), no acknowledgement. Network key only."""
        ...

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        """ZDO Match_Desc_req, profile 0x0109: endpoints of ``destination`` that serve (or use) ``cluster``."""
        ...

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        """Make ``key`` (16 octets) the APS link key with ``partner``; replaces an earlier one and resets its counters."""
        ...


class HanEventKind(Enum):
    """Kind of event that the coordinator reports about a Device's radio."""

    JOINED = "joined"
    """Associated, authenticated by the link key that was permitted for it, and given the network key."""
    REJOINED = "rejoined"
    LEFT = "left"
    REFUSED = "refused"
    """A Device that asked to join and was not let in (no key held for it)."""
    RESET = "reset"
    """The dongle reset or went away; the network is resumed or :class:`RadioError` follows."""
    FAILED = "failed"
    """A part of the radio ended by a fault of its own: it may hear or send nothing any more."""


@dataclass(frozen=True, slots=True)
class HanEvent:
    """A change below the APS: ``device`` and the reason in words where there is one."""

    kind: HanEventKind
    device: Eui64
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Settings that a HAN is formed with. Extended PAN ID is the GPF's entity id (GBCS v1 text, reference chts 1)."""

    extended_pan_id: Eui64
    channel: int = 11
    pan_id: int | None = None
    """None: drawn by the dongle."""
    network_key: bytes | None = None
    """None: drawn afresh. Never logged."""
    key_sequence: int = field(default=0, compare=False)
    frame_counter: int = field(default=0, compare=False)
    """Of the NWK layer, outgoing, when it was read."""
    update_id: int = field(default=0, compare=False)

    def __repr__(self) -> str:
        return f"NetworkSettings({self.extended_pan_id}, channel={self.channel}, pan_id={self.pan_id})"


class HanRadio(ApsPort, Protocol):
    """The coordinator's radio: a dongle, real or virtual, driven by the hub."""

    async def start(self, on_event: Callable[[HanEvent], None] | None = None) -> None:
        """Open the dongle, probe it and configure it; ``on_event`` hears what happens on the HAN until :meth:`stop`.

        Raises RadioError or NotAvailable with what to do."""
        ...

    async def resume(self) -> NetworkSettings | None:
        """Bring up the network the dongle remembers; None if it remembers none."""
        ...

    async def form(self, settings: NetworkSettings) -> NetworkSettings:
        """Form a network as coordinator and trust centre; returns the settings in force. Forgets an earlier network."""
        ...

    async def permit(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        """Let ``device`` join with ``link_key`` (its hashed install code) for ``seconds``. Nobody else gets in."""
        ...

    async def forbid(self) -> None:
        """Close joining."""
        ...

    async def remove(self, device: Eui64) -> None:
        """Tell ``device`` to leave and forget its key."""
        ...

    async def stop(self) -> None:
        """Let go of the dongle; the network stays in it."""
        ...


@runtime_checkable
class SubGhzRadio(Protocol):
    """A coordinator's radio that may have a second interface, on the pages below 1 GHz. A page and a number are one channel of it.

    Each method raises RadioError; NotAvailable where the dongle has no such interface.
    """

    async def start_sub_ghz(self, page: int, number: int) -> None:
        """Go on with the network on that channel too, or move there; again after each start of the dongle."""
        ...

    async def sub_ghz_energy(self, mask: int) -> dict[tuple[int, int], int]:
        """Energy in dBm on each channel of ``mask``: page in the upper 5 bits, a bit for each channel (reference gbcs-spec-notes 10.6)."""
        ...

    async def sub_ghz_duty_cycle(self) -> tuple[int, dict[Eui64, int]]:
        """Share of the last hour that it has sent below 1 GHz, in hundredths of a percent: in all, and by the Device it sent to."""
        ...

    async def on_sub_ghz(self) -> frozenset[Eui64]:
        """Children that were last heard below 1 GHz."""
        ...


class HanNode(ApsPort, Protocol):
    """A joining Device's radio: a node of the simulated stack, or an EZSP dongle, virtual or real."""

    @property
    def joined(self) -> bool: ...

    async def join(
        self,
        link_key: bytes,
        *,
        extended_pan_id: Eui64 | None = None,
        sleepy: bool = False,
        timeout_s: float = 30.0,
    ) -> Eui64:
        """Scan, associate, be given the network key under ``link_key``, announce. Returns the coordinator's EUI-64.

        Raises RadioError: no beacon that permits joining, association refused, no transport key within ``timeout_s``.
        """
        ...

    async def resume(self) -> bool:
        """After a power cut: go on with the stored network (a rejoin where needed). False if none is stored."""
        ...

    async def poll(self) -> None:
        """A sleepy node fetches what its parent holds for it; returns when nothing more is pending."""
        ...

    async def request_link_key(self, partner: Eui64) -> None:
        """Let the trust centre give this node and ``partner`` a link key of their own, each under its own link key with the centre.

        Raises RadioError: this node or the partner holds none with the trust centre, or it gives none.
        """
        ...

    async def leave(self) -> None: ...

    def power(self, on: bool) -> None:
        """Power of the radio; off loses what a real one loses (RAM, not the tokens)."""
        ...
