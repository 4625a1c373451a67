"""Key establishment without a network: an :class:`~firmware_emu.han.base.ApsPort` whose frames go by inter-PAN.

A hand-held terminal agrees a key with a hub this way before it is on the HAN (reference chts 3). That the frames are those of the
Key Establishment cluster on the HAN, in inter-PAN frames as they are, is inferred: the reference names the exchange only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from firmware_emu.errors import DecodeError
from firmware_emu.han.base import ApsFrame, Receiver, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanReceiver, InterPanSender
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.key_establishment import KEY_ESTABLISHMENT
from firmware_emu.zse.zcl import GeneralCommand, ZclFrame

ENDPOINT = 1
"""Inter-PAN frames name no endpoint; above the port it is this one at both ends."""
NO_PAN = 0xFFFF
_REMEMBERED = 16
"""Partners whose PAN is remembered. Chosen here: anybody may send, and none may fill the memory."""
_LENGTHS = {0: (52, 78), 1: (22, 37), 2: (16,), 3: (4,)}
"""Octets of each command of key establishment in suite 1 and 2 (reference cbke 4, 7)."""


@runtime_checkable
class InterPanRadio(Protocol):
    """A radio that sends and receives frames of no network."""

    inter_pan_receiver: InterPanReceiver | None

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None:
        """One frame to an EUI-64, or a short address on ``pan``. Raises RadioError where it is not acknowledged."""
        ...


class InterPanPort:
    """Carries the Key Establishment cluster and nothing else. What is no message of it is not answered: anybody may send."""

    def __init__(self, eui64: Eui64, send: Callable[[Eui64, int, InterPanFrame], Awaitable[None]]) -> None:
        self.eui64 = eui64
        self.receiver: Receiver | None = None
        self._send = send
        self._pans: dict[Eui64, int] = {}

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Nobody asks for descriptors without a network."""

    def learn(self, partner: Eui64, pan: int) -> None:
        """On which PAN ``partner`` is (:data:`NO_PAN`: on none)."""
        self._pans.pop(partner, None)
        self._pans[partner] = pan
        while len(self._pans) > _REMEMBERED:
            del self._pans[next(iter(self._pans))]

    def received(self, sender: InterPanSender, frame: InterPanFrame) -> bool:
        """An inter-PAN frame; False (and nothing happens) if it is none of key establishment."""
        if sender.broadcast or frame.cluster != KEY_ESTABLISHMENT.id or self.receiver is None:
            return False
        try:
            zcl = ZclFrame.decode(frame.payload)
        except DecodeError:
            return False
        if zcl.is_cluster_command and len(zcl.payload) not in _LENGTHS.get(zcl.command, ()):
            return False
        self.learn(sender.eui64, sender.pan)
        self.receiver(sender.eui64, ApsFrame(frame.cluster, frame.payload, ENDPOINT, ENDPOINT, secured=False, profile=frame.profile))
        return True

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        """Raises RadioError."""
        zcl = ZclFrame.decode(frame.payload)
        if not zcl.is_cluster_command and zcl.command == GeneralCommand.DEFAULT_RESPONSE:
            return
        await self._send(destination, self._pans.get(destination, NO_PAN), InterPanFrame(frame.cluster, frame.payload, frame.profile))

    async def broadcast(self, frame: ApsFrame) -> None:
        """Key establishment has no message to all: nothing is sent."""

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        """There is the one endpoint."""
        return (ENDPOINT,) if cluster == KEY_ESTABLISHMENT.id else ()

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        """The key is for the two introductions alone and never goes into a radio."""
