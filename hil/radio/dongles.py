"""Virtual dongles by family, and a Device's radio as its board row names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, RadioError
from firmware_emu.han import family as families
from firmware_emu.han.base import HanNode
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.air.phy import ALL_SUB_GHZ, CHANNELS
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.joiner import EzspNode
from hil.radio.nodes.node import StackNode
from hil.radio.personality import Personality
from hil.radio.port.dongle_server import DongleServer
from hil.radio.port.faults import NcpFaults

if TYPE_CHECKING:
    from firmware_emu.board import DeviceTable


class VirtualDongle(Protocol):
    """Maker of a family's virtual dongle; ``version`` is the EZSP version, for those who speak that."""

    def __call__(
        self,
        air: Air,
        eui64: Eui64,
        version: int,
        tokens: Path | None,
        clock: Clock | None,
        faults: NcpFaults | None,
        firmware: Personality | None,
    ) -> DongleServer: ...


ON_THE_AIR, VIRTUAL_DONGLE = "air", "virtual-dongle"
SUB_GHZ_BAND = "sub-GHz"


def virtual_dongle(
    family: str,
    air: Air,
    eui64: Eui64,
    version: int,
    tokens: Path | None,
    clock: Clock | None = None,
    faults: NcpFaults | None = None,
    firmware: Personality | None = None,
) -> DongleServer:
    """A dongle of the family of that name; ``version`` is the EZSP version. ``firmware``: which, in place of both.

    Raises RadioError; NotAvailable, which names the families there are.
    """
    declared = families.family(family if firmware is None else firmware.family)
    made: VirtualDongle = declared.part(declared.virtual)
    return made(air, eui64, version, tokens, clock, faults, firmware)


class DeviceRadio:
    """The radio of one Device of a board, and the virtual dongle under it where there is one."""

    def __init__(self, row: DeviceTable, node: HanNode, dongle: NcpServer | None = None) -> None:
        self.row = row
        self.node = node
        self.dongle = dongle
        self.on_lost: Callable[[RadioError], None] | None = None
        """Called when a dongle that was open goes away."""
        if isinstance(node, EzspNode):
            node.on_lost = self._lost

    def _lost(self, problem: RadioError) -> None:
        if self.on_lost is not None:
            self.on_lost(problem)

    async def close(self) -> None:
        """Let go of dongle and port."""
        if isinstance(self.node, EzspNode):
            await self.node.stop()
        if self.dongle is not None:
            await self.dongle.close()

    async def check(self) -> None:
        """Open a dongle for once. Raises NotAvailable or RadioError; BoardError where it is not the one that the row describes."""
        if isinstance(self.node, EzspNode):
            await self.node.start()
            if self.node.eui64 != self.row.eui:
                found = self.node.eui64
                await self.node.stop()
                raise BoardError(self.row.name, "device.eui", f'the dongle at {self.node.path} is {found}: write eui = "{found}"')


async def device_radio(row: DeviceTable, air: Air, clock: Clock, folder: Path) -> DeviceRadio:
    """The radio that ``row.node`` names: on the simulated air itself, behind a virtual dongle on that air, or behind a USB dongle."""
    if row.node == ON_THE_AIR:
        return DeviceRadio(row, StackNode(air, row.eui, channels=ALL_SUB_GHZ if row.band == SUB_GHZ_BAND else CHANNELS))
    if row.band == SUB_GHZ_BAND:
        raise BoardError(row.name, "device.band", f'read {row.band!r} for a Device behind a dongle: expected node = "air", or 2.4 GHz')
    if row.node != VIRTUAL_DONGLE:
        return DeviceRadio(row, EzspNode(row.node, clock=clock))
    dongle = NcpServer(air, row.eui, tokens=folder / f"{row.name}.tokens", clock=clock)
    return DeviceRadio(row, EzspNode(str(await dongle.serve_pty()), clock=clock), dongle)
