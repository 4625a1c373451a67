"""A station with its meters joined and commissioned, and faults laid on it."""

from __future__ import annotations

from firmware_emu.device.profile import may_come_again
from firmware_emu.trace import Record
from hil.bench.station import Station
from hil.dcc.base.results import Outcome
from hil.devices.esme.esme import Esme
from hil.faults import Faults
from hil.journeys.demo import HomeJourney


class Rig:
    """A station with its meters joined and commissioned."""

    def __init__(self, station: Station, records: list[Record], journey: HomeJourney) -> None:
        self.station, self.records, self.journey = station, records, journey
        self.esme = station.one(Esme)
        self.faults = Faults(station, 1)

    async def settle(self, seconds: float = 30) -> None:
        """Every fault off, the home as it was, everything that was kept delivered."""
        await self.faults.close()
        station = self.station
        await station.until("the hub", lambda: station.hub is not None and station.hub.status.network is not None, 300)
        await station.until("the WAN", lambda: station.dcc.head_end.connected(self.journey.chf), 300)
        await station.clock.sleep(seconds)

    async def read(self) -> Outcome:
        """4.1.1 to the ESME: down the WAN, the line and the air, and back."""
        return await self.station.ask(self.station.supplier, "4.1.1", self.esme.eui64)

    async def read_until_answered(self, tries: int = 6) -> Outcome:
        """The same, asked again as a user would, until it is answered."""
        for _ in range(tries):
            outcome = await self.read()
            if outcome.ok:
                return outcome
            await self.station.clock.sleep(60)
        raise AssertionError(f"no answer after {tries} requests: {outcome.why}")

    def executions(self, since: int) -> list[str | None]:
        """Commands with protection against replay that a meter executed since that record."""
        done = [record for record in self.records[since:] if record.area == "device" and record.event == "executed"]
        return [record.message for record in done if record.message is not None and not may_come_again(record)]

    def effects(self, verb: str | None = None, since: int = 0) -> int:
        return sum(
            record.area == "bench"
            and record.source.startswith("fault ")
            and record.event not in ("added", "cleared", "laid on")
            and verb in (None, record.event)
            for record in self.records[since:]
        )
