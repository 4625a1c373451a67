"""Method A joins between two meters or displays: key establishment with each other once both have the other in their logs.

Not modelled: methods B and C, whose partner link key comes from the Trust Centre; the codes 6 to 10, 12 and 13 of CS03, since the answer to
a join is given before the keys are agreed.
"""

from __future__ import annotations

from typing import Protocol

from firmware_emu.crypto.ecqv import CbkeCredentials
from firmware_emu.device import joins
from firmware_emu.errors import ProtectionError, RadioError
from firmware_emu.han.key_establishment import KeyEstablishmentServer, establish
from firmware_emu.ids import Eui64
from hil.devices.base.part import DevicePart

INITIATOR, RESPONDER = 0, 1
"""Method and role of a join by method A (reference gbcs-messages 6)."""
RETRY_S, TRIES = 60.0, 30
"""The other side may get its join command later. The bench's own figures."""


class Paired(DevicePart, Protocol):
    """A Device that is joined to others by method A."""

    def paired(self, partner: Eui64) -> None:
        """A link key was agreed with a Device of the log, on this one's initiative."""
        ...


class Pairing:
    """The partners of one Device by method A."""

    def __init__(self, device: Paired, credentials: CbkeCredentials) -> None:
        self._device = device
        self._credentials = credentials
        self._under_way: set[Eui64] = set()
        self.established: set[Eui64] = set()
        """Joined Devices with which a link key was agreed; the key itself is the radio's."""

    def serve(self) -> None:
        """Answer key establishment, but only with Devices that the log has as initiators."""
        self._server = KeyEstablishmentServer(self._device.zcl, self._credentials, self._on_established, accept=self._may_pair)

    def _may_pair(self, other: Eui64) -> bool:
        return joins.method_of(self._device.gbcs, other) == RESPONDER

    async def _on_established(self, partner: Eui64, key: bytes) -> None:
        self.established.add(partner)
        self._device.trace.emit("han", self._device.name, "key established", target=str(partner), role="responder")

    def start_new(self) -> None:
        """Begin with every partner toward which this Device is the initiator and has no key yet; forget those unjoined."""
        entries = joins.entries(self._device.gbcs)
        self.established &= {entry.device_id for entry in entries}
        for entry in entries:
            partner = entry.device_id
            done = partner in self._under_way or partner in self.established
            if not done and joins.method_of(self._device.gbcs, partner) == INITIATOR:
                self._under_way.add(partner)
                self._device.spawn(self._establish(partner))

    def begin_again(self) -> None:
        """The link keys are lost, those of both sides: agree new ones."""
        self.established.clear()
        self.start_new()

    async def _establish(self, partner: Eui64) -> None:
        device = self._device
        try:
            for _ in range(TRIES):
                try:
                    key = await establish(device.zcl, partner, self._credentials)
                    await device.node.import_link_key(partner, key)
                except (RadioError, ProtectionError) as problem:
                    device.trace.emit("han", device.name, "not established", target=str(partner), reason=str(problem))
                    await device.clock.sleep(RETRY_S)
                    continue
                self.established.add(partner)
                device.paired(partner)
                device.trace.emit("han", device.name, "key established", target=str(partner), role="initiator")
                return
        finally:
            self._under_way.discard(partner)
