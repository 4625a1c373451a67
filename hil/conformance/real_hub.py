"""A real hub under test: the checks see what instruments see. What only the emulated hub shows of its inside is not tested, and said so."""

from __future__ import annotations

from typing import NoReturn

from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Record
from hil.conformance.bench import UP_WITHIN_S, Bench
from hil.conformance.station import ConformanceStation
from ichis.bench_link import BenchLink
from ichis.connector import Level
from ichis.jig import Jig
from ichis.manual import Engineer
from ichis.real_hub_jig import RealHubJig

_LOOK_S = 0.05


def _inside(what: str) -> NoReturn:
    raise NotAvailable(what, "a real hub does not show it at its connector: only the emulated hub can be asked")


class RealHubBench(Bench):
    """A hub counts as running when it shows itself with Device Present."""

    _real: RealHubJig | None = None
    engineer: Engineer | None = None
    """Engineer who is asked where no instrument is named; the console if None."""

    @property
    def station(self) -> ConformanceStation:
        """Raises NotAvailable: there is none."""
        _inside("the inside of the hub, its HAN and its DCC")

    @property
    def jig(self) -> Jig:
        if self._real is None:
            raise NotAvailable("the bench", "it is not open")
        return self._real

    async def open(self) -> None:
        self._real = await RealHubJig.open(self.board.jig, self.profile, self.clock, self.engineer)
        await self.jig.supply.output(False)
        await self.seat(True)

    async def close(self) -> None:
        real, self._real = self._real, None
        if real is not None:
            await real.close()

    async def identities(self) -> dict[str, str]:
        jig = self.jig
        return {
            "jig": jig.identity,
            "supply": await jig.supply.identity(),
            "probes": await jig.probes.identity(),
            "hub": f"real, CHF {self.board.hub.chf}, GPF {self.board.hub.gpf} by the board file",
        }

    async def reach(self, state: str) -> None:
        """As of the emulated hub; a real one cannot be made one that never ran."""
        if state == "factory":
            raise NotAvailable("a hub that has never run", "a real hub cannot be put back; take one out of its box and start it by hand")
        await super().reach(state)

    async def _normalise(self) -> None:
        await self.connector_at_rest()

    async def _run(self) -> None:
        if self.seated and await self.is_running():
            return
        await self._off()
        await self.jig.supply.output(True)
        await self.until_running()
        await self.clock.sleep(2)

    async def is_running(self) -> bool:
        return await self.jig.lines.read("CH_PR") is Level.LOW

    async def until_running(self, within_s: float = UP_WITHIN_S) -> None:
        until = self.clock.now() + within_s
        while not await self.is_running():
            if self.clock.now() > until:
                raise NotAvailable("a hub that runs", f"it did not show itself with Device Present within {within_s:g} s")
            await self.clock.sleep(_LOOK_S)

    def begin(self) -> None:
        self._began = self.clock.now()
        self.present = []
        self.values = {}

    def noted(self, area: str, event: str) -> list[Record]:
        """Raises NotAvailable: nobody notes what a real hub does inside."""
        _inside(f"the hub's {area} {event}")

    def waveform(self) -> list[tuple[float, float]]:
        """None: a supply and a multimeter draw no course."""
        return []

    def link(self) -> BenchLink:
        return BenchLink(self.jig.data)
