"""Protocol of a dongle for the hub's radio: one class for each family of firmware stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from firmware_emu.clock import Clock
from firmware_emu.crypto.entropy import Entropy
from firmware_emu.han.base import ApsFrame, NetworkSettings, SimpleDescriptor
from firmware_emu.han.custody import Backup, DongleContent
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.han.key_establishment import KeyAgreement
from firmware_emu.ids import Eui64


class DongleUser(Protocol):
    """Owner of the dongle, who is told what comes from it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def endpoints(self) -> Sequence[SimpleDescriptor]: ...
    def packet_received(self, packet: Any) -> None:
        """zigpy's ZigbeePacket, put together from its fragments."""
        ...

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int) -> None:
        """EmberDeviceUpdate (0 secured rejoin, 1 join, 2 left, 3 trust centre rejoin) and EmberJoinDecision (2 denied)."""
        ...

    def inter_pan_received(self, sender: InterPanSender, frame: InterPanFrame) -> None: ...
    def connection_lost(self, problem: BaseException | None) -> None: ...


@runtime_checkable
class SubGhzDongle(Protocol):
    """A family whose firmware may have a second interface below 1 GHz; see :class:`~firmware_emu.han.base.SubGhzRadio`. The duty cycle
    and the children are told by short address."""

    async def start_sub_ghz(self, page: int, number: int) -> None: ...
    async def sub_ghz_energy(self, mask: int) -> dict[tuple[int, int], int]: ...
    async def sub_ghz_duty_cycle(self) -> dict[int, int]: ...
    async def on_sub_ghz(self) -> frozenset[Eui64]: ...


class Dongle(Protocol):
    """One opened dongle as coordinator and trust centre. Every method that talks to it raises RadioError where it refuses."""

    async def open(self) -> Eui64:
        """Open, check and configure it; its address. Raises NotAvailable or RadioError, one sentence that says what to do."""
        ...

    async def close(self) -> None:
        """Let go of the port, whatever state it is in."""
        ...

    async def address(self) -> Eui64:
        """Its EUI-64 now: writing a network may change it."""
        ...

    @property
    def firmware(self) -> str:
        """The firmware by its own account, as ``EZSP 13``."""
        ...

    @property
    def warning(self) -> str | None:
        """Warning about this firmware before it is used."""
        ...

    @property
    def settings(self) -> NetworkSettings:
        """The network in force."""
        ...

    async def held(self) -> DongleContent:
        """The dongle's content, before anything is changed."""
        ...

    async def silence(self) -> None:
        """After :meth:`held`: its network is down, as it was before."""
        ...

    async def backup(self) -> Backup:
        """Its network, the keys of its Devices with it."""
        ...

    async def restore(self, backup: Backup, *, own_eui64: bool) -> None:
        """Write a network in place of what it holds, and start it. ``own_eui64``: without the EUI-64 of the backup.

        Raises NotAvailable for a backup that is not whole; RadioError also where the firmware takes no other EUI-64.
        """
        ...

    async def form(self, settings: NetworkSettings, entropy: Entropy) -> None: ...
    async def resume(self) -> NetworkSettings | None: ...

    async def send(self, short: int, partner: Eui64, frame: ApsFrame) -> None:
        """See ApsPort.send."""
        ...

    async def broadcast(self, frame: ApsFrame) -> None: ...
    def abandon(self, reason: str) -> None:
        """It went away: whoever waits for what became of a frame is told ``reason``."""
        ...

    async def lookup_short(self, device: Eui64) -> int | None:
        """Answer of its tables, without asking the air."""
        ...

    async def lookup_device(self, short: int) -> Eui64 | None: ...
    async def import_link_key(self, partner: Eui64, key: bytes) -> None: ...
    async def forget_link_key(self, partner: Eui64) -> None: ...
    async def permit_device(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        """Let in ``device`` alone, under ``link_key``, beside those that were permitted before."""
        ...

    async def forget_permits(self) -> None:
        """No key of :meth:`permit_device` is held any more."""
        ...

    async def close_joining(self) -> None: ...
    async def remove_device(self, device: Eui64, short: int) -> None: ...
    async def ping(self) -> None: ...

    async def key_agreement(self, certificate: bytes) -> KeyAgreement | None:
        """Key establishment in the dongle under ``certificate``; None where it has none, or another certificate."""
        ...

    async def give_network_key(self, key: bytes) -> None:
        """Broadcast the next network key. It is not used before :meth:`switch_network_key`."""
        ...

    async def switch_network_key(self) -> NetworkSettings:
        """All take the key that was given out; returns the settings with it."""
        ...

    async def send_inter_pan(self, destination: Eui64 | int, pan: int, frame: InterPanFrame) -> None: ...
