"""``wan``: the hub's end of the SM WAN."""

from __future__ import annotations

from firmware_emu.console.core import Noun
from firmware_emu.console.declare import verb
from firmware_emu.console.nouns.hub import HubNoun
from firmware_emu.console.result import Result


class Wan(Noun):
    """The SM WAN as the hub has it."""

    name = "wan"
    about = "the SM WAN: connection, what waits, frames there and back"

    @verb(looks=True)
    async def status(self) -> Result:
        """Tell whether the hub is connected and what waits to be sent."""
        status = HubNoun(self.bench).firmware().status
        frames = [record for record in self.bench.records if record.area == "wan"]
        sent = sum(record.event == "sent" and record.source == "hub" for record in frames)
        received = sum(record.event == "received" and record.source == "hub" for record in frames)
        return Result(
            "connected" if status.wan_connected else "not connected",
            {
                "waiting": status.wan_waiting,
                "frames sent": sent,
                "frames received": received,
                "lost connections": sum(record.event == "lost" for record in frames),
            },
            ok=True,
        )

    @verb()
    async def wait(self) -> Result:
        """Wait until the hub is connected."""
        station = self.bench.station
        await station.until("the SM WAN connection", lambda: station.hub is not None and station.hub.status.wan_connected, 600)
        return Result("connected")
