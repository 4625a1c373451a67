"""``han``: the hub's end of the ZigBee network."""

from __future__ import annotations

from rich.console import Group

from firmware_emu.console.declare import Noun, verb
from firmware_emu.console.nouns.hub import Hub
from firmware_emu.console.records import Filter, line
from firmware_emu.console.result import Result, count

LAST = 20


class Han(Noun):
    """The HAN as the hub has it."""

    name = "han"
    about = "the ZigBee network: settings, members, what was refused on it"

    @verb(looks=True)
    async def status(self) -> Result:
        """Tell the network's settings and its members."""
        hub = Hub(self.bench)
        status = hub.firmware().status
        network = status.network
        if network is None:
            return Result("no HAN is formed")
        rows = [(hub.device_name(entry.device), str(entry.device), entry.membership.value) for entry in status.device_log]
        return Result(
            f"channel {network.channel}, extended PAN id {network.extended_pan_id}, PAN id {network.pan_id:04x}",
            columns=("Device", "EUI-64", "membership"), rows=rows, raw=network)

    @verb(looks=True)
    async def events(self, last: int = LAST) -> Result:
        """Show the last records of the HAN: who joined, what was refused, what was lost."""
        found = [record for record in self.bench.records if Filter(areas=frozenset({"han"}))(record)][-last:]
        return Result(count(len(found), "record"), columns=("record",), rows=[(line(record).plain,) for record in found],
                      picture=Group(*map(line, found)), raw=found)
