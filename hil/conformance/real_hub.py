"""A real hub under test: the checks see what instruments see. What wants its inside or a private protocol is not applicable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Record
from hil.conformance.bench import UP_WITHIN_S, ConformanceBench
from hil.conformance.runner import Need
from hil.conformance.station import ConformanceStation
from ichis.bench_link import BenchLink, FrameKind, NoAnswer
from ichis.connector import Level
from ichis.instrument.drivers import InstrumentRecord, InstrumentSupply
from ichis.jig import Jig
from ichis.manual import Engineer
from ichis.real_hub_jig import RealHubJig

_LOOK_S = 0.05
_INSIDE = "a real hub does not show it at its connector: only the emulated hub can be asked"


def _inside(what: str) -> NoReturn:
    raise NotAvailable(what, _INSIDE)


class RealHubBench(ConformanceBench):
    """A hub counts as running when it was off in this check, draws current, and shows itself with Device Present, which was not there."""

    waveform_at = "at the supply's terminals, as it recorded them"
    _real: RealHubJig | None = None
    _shown_while_off = False
    _course: Sequence[tuple[float, float]] = ()
    told = ""
    """Identity that the hub states over the bench link, where it speaks that."""
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
        await self.begin_off()
        self.lacks = {
            Need.INSIDE: _INSIDE,
            Need.NEVER_RUN: "a real one cannot be put back; take one out of its box and start it by hand",
            **(await self._link_lacks()),
        }

    async def _link_lacks(self) -> dict[Need, str]:
        """Why the serial pair is not asked, if it is not. Its protocol is not established, and the pair itself is optional at a host."""
        if self.board.jig.data is None:
            return {Need.BENCH_LINK: "the board names no port for it: give jig.data the port that pins 7 and 8 go to"}
        await self._normalise()
        try:
            await self._run()
            self.told = (await self.link().ask(FrameKind.IDENTIFY)).decode("utf-8", "replace")
        except NoAnswer:
            return {Need.BENCH_LINK: "this hub does not answer it: the messages of its serial pair are its maker's own"}
        except NotAvailable as wrong:
            return {Need.BENCH_LINK: f"nobody saw that this hub runs: {wrong}"}
        finally:
            await self._off()
        return {}

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
            "hub": "real" if not self.told else f"real, it says: {self.told}",
        }

    async def _normalise(self) -> None:
        await self.connector_at_rest()

    async def _off(self) -> None:
        await super()._off()
        self._shown_while_off = await self.jig.lines.read("CH_PR") is Level.LOW

    async def _run(self) -> None:
        await self._off()
        await self.jig.supply.output(True)
        await self.until_running()
        await self.clock.sleep(2)
        await self.measured_running()

    async def is_running(self) -> bool:
        """Raises NotAvailable for a hub whose Device Present says nothing: it was there without supply."""
        if self._shown_while_off:
            raise NotAvailable("whether the hub runs", "its Device Present is low without supply too: this unit has it hard-wired")
        amperes = await self.jig.supply.measure_current()
        return amperes.value > self.profile["current_off_max"] and await self.jig.lines.read("CH_PR") is Level.LOW

    async def shows_itself(self) -> bool:
        if self._shown_while_off:
            raise NotAvailable("whether the hub runs", "its Device Present is low without supply too: this unit has it hard-wired")
        return await super().shows_itself()

    async def until_running(self, within_s: float = UP_WITHIN_S) -> None:
        until = self.clock.now() + within_s
        while not await self.is_running():
            if self.clock.now() > until:
                raise NotAvailable("a hub that runs", f"it did not show itself with Device Present within {within_s:g} s")
            await self.clock.sleep(_LOOK_S)

    def begin(self) -> None:
        self._began = self.clock.now()
        self.doubts = []
        self.present = []
        self.values = {}

    def noted(self, area: str, event: str) -> list[Record]:
        """Raises NotAvailable: nobody notes what a real hub does inside."""
        _inside(f"the hub's {area} {event}")

    async def begin_waveform(self) -> None:
        self._course = []
        if (record := self._record()) is not None:
            await record.begin()

    async def fetch_waveform(self) -> None:
        if (record := self._record()) is not None:
            self._course = await record.fetch()

    def _record(self) -> InstrumentRecord | None:
        supply = self.jig.supply
        return supply.record if isinstance(supply, InstrumentSupply) else None

    def waveform(self) -> list[tuple[float, float]]:
        """Seconds since the check began, and volts at the supply's terminals as it recorded them; nothing from a supply that keeps none."""
        return [(when - self._began, volts) for when, volts in self._course]

    def link(self) -> BenchLink:
        return BenchLink(self.jig.data)
