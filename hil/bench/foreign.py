"""A Device whose firmware is a third party's, in another process: it joins the simulated air through the open air's socket.

Nothing of it is here but its label: it joins and answers by itself. Not modelled: its power, its display, its model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, Receiver, SimpleDescriptor
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from hil.devices.base.han_device import HanDevice

_IN, _OUT = ("joined", "rejoined"), ("left",)


class ForeignNode:
    """A radio that nobody here drives: whether it has joined is what the hub's radio tells. A :class:`firmware_emu.han.base.HanNode`."""

    def __init__(self, eui64: Eui64, trace: Trace) -> None:
        self.eui64 = eui64
        self.joined = False
        self.receiver: Receiver | None = None
        self.on_left: Callable[[], None] | None = None
        trace.subscribe(self._look)

    def _look(self, record: Record) -> None:
        if record.area == "han" and record.source == "radio" and record.target == str(self.eui64):
            self.joined = (self.joined or record.event in _IN) and record.event not in _OUT

    def _not_here(self) -> RadioError:
        return RadioError(f"{self.eui64} is a third party's Device on the open air: it does that by itself")

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Its endpoints are its own."""

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        raise self._not_here()

    async def broadcast(self, frame: ApsFrame) -> None:
        raise self._not_here()

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        raise self._not_here()

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        raise self._not_here()

    async def join(self, link_key: bytes, *, extended_pan_id: Eui64 | None = None, sleepy: bool = False, timeout_s: float = 30.0) -> Eui64:
        raise self._not_here()

    async def request_link_key(self, partner: Eui64) -> None:
        raise self._not_here()

    async def resume(self) -> bool:
        """It comes back by itself."""
        return self.joined

    async def poll(self) -> None:
        """It polls by itself."""

    async def leave(self) -> None:
        raise self._not_here()

    def power(self, on: bool) -> None:
        """Its power is not ours."""


class ForeignDevice(HanDevice):
    """The label of a third party's Device, of whatever type its row says."""

    visited: Callable[[], Awaitable[None]] | None = None
    """Waits until its radio is on the open air."""

    async def start(self) -> None:
        """It is switched on elsewhere."""

    async def join(self) -> None:
        """It joins by itself, as soon as the hub lets it in, and the hub tells when; bench time waits for its radio to come on the air."""
        if self.visited is not None:
            await self.visited()

    async def refresh_hub_time(self) -> None:
        """It asks by itself."""
