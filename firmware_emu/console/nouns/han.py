"""``han``: the hub's end of the ZigBee network."""

from __future__ import annotations

from rich.console import Group

from firmware_emu.console.core import Core, Noun
from firmware_emu.console.declare import Device, WordError, verb
from firmware_emu.console.frames import OFFERS, AttributeName, CommandName, read_attribute, send_command
from firmware_emu.console.nouns.hub import HubNoun
from firmware_emu.console.records import Filter, line
from firmware_emu.console.result import Result, count
from firmware_emu.errors import one_of
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64

LAST = 20


class HanNoun(Noun):
    """The HAN as the hub has it."""

    name = "han"
    about = "the ZigBee network: settings, members, what was refused on it"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        for name, words in OFFERS.items():
            bench.offers[name] = lambda _, words=words: words  # type: ignore[misc]

    @verb()
    async def read(self, device: Device, attribute: AttributeName) -> Result:
        """Let the hub read an attribute of a Device over the air, by cluster and name."""
        return await read_attribute(self._zcl(), self._device(device), attribute)

    @verb()
    async def send(self, device: Device, command: CommandName, **fields: str) -> Result:
        """Let the hub send a Device a ZCL command, and show the answer."""
        return await send_command(self._zcl(), self._device(device), command, fields)

    def _zcl(self) -> ZclPort:
        zcl = HubNoun(self.bench).firmware().zcl
        if zcl is None:
            raise WordError("the hub is not running: `hub status` tells why")
        return zcl

    def _device(self, name: str) -> Eui64:
        known = {row.name: row.eui for row in self.bench.board.device}
        if name not in known:
            raise WordError(f"device: read {name!r}, expected {one_of(name, known)}")
        return known[name]

    @verb(looks=True)
    async def status(self) -> Result:
        """Tell the network's settings and its members."""
        hub = HubNoun(self.bench)
        status = hub.firmware().status
        network = status.network
        if network is None:
            return Result("no HAN is formed")
        rows = [(hub.device_name(entry.device), str(entry.device), entry.membership.value) for entry in status.device_log]
        return Result(
            f"channel {network.channel}, extended PAN id {network.extended_pan_id}, PAN id {network.pan_id:04x}",
            columns=("Device", "EUI-64", "membership"),
            rows=rows,
            raw=network,
        )

    @verb(looks=True)
    async def events(self, last: int = LAST) -> Result:
        """Show the last records of the HAN: who joined, what was refused, what was lost."""
        found = [record for record in self.bench.records if Filter(areas=frozenset({"han"}))(record)][-last:]
        return Result(
            count(len(found), "record"),
            columns=("record",),
            rows=[(line(record).plain,) for record in found],
            picture=Group(*map(line, found)),
            raw=found,
        )
