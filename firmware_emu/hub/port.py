"""The hub's own view of its radio: who may be heard, when each was heard last, and keys durable before they are in the dongle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from firmware_emu.han.base import SMART_ENERGY, ApsFrame, HanRadio, Receiver, SimpleDescriptor
from firmware_emu.ids import Eui64


class GuardedPort:
    """An ``ApsPort`` over the coordinator's radio.

    A Smart Energy frame goes up only if ``admit(sender, frame)`` says so. A link key that key establishment gives goes through
    ``store_key`` (durable) on its way to the radio.
    """

    def __init__(
        self,
        radio: HanRadio,
        admit: Callable[[Eui64, ApsFrame], bool],
        store_key: Callable[[Eui64, bytes], Awaitable[None]],
    ) -> None:
        self._radio = radio
        self._admit = admit
        self._store_key = store_key
        self._receiver: Receiver | None = None

    @property
    def eui64(self) -> Eui64:
        return self._radio.eui64

    @property
    def receiver(self) -> Receiver | None:
        return self._receiver

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None:
        self._receiver = receiver
        self._radio.receiver = None if receiver is None else self._received

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self._radio.add_endpoint(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        await self._radio.send(destination, frame)

    async def broadcast(self, frame: ApsFrame) -> None:
        await self._radio.broadcast(frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        return await self._radio.match_descriptors(destination, cluster, server=server)

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        await self._store_key(partner, key)
        await self._radio.import_link_key(partner, key)

    def _received(self, sender: Eui64, frame: ApsFrame) -> None:
        if self._receiver is not None and (frame.profile != SMART_ENERGY or self._admit(sender, frame)):
            self._receiver(sender, frame)
