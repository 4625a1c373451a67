"""The rig as a hub, with the port of a meter or a hot shoe as the thing under test: states, verbs and readings of its checks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, NotAvailable
from firmware_emu.trace import Trace
from hil.conformance.contacts import highest_volts, lowest_ohms, ohms, ripple, volts
from hil.conformance.runner import Vocabulary
from ichis.conformance.check import Value, evaluate
from ichis.connector import Level, signal
from ichis.host_port import HostCondition
from ichis.hub_jig import open_hub_jig
from ichis.jig import HubJig
from ichis.manual import Engineer, ManualMains
from ichis.profile import Profile

_SETTLED_S = 2.0
_DISCHARGED_S = 5.0
_LOOK_S = 0.1
_NEVER_S = 9999.0
"""Read where something never happened, in place of when."""


class HostBench:
    """One port under test. Implements :class:`hil.conformance.runner.CheckBench`."""

    engineer: Engineer | None = None
    """Engineer who is asked where no instrument is named; the console if None."""

    def __init__(self, board: Board, profile: Profile, condition: HostCondition, clock: Clock, trace: Trace) -> None:
        """``condition`` is of the modelled port; a real one has its own."""
        self.board, self.profile, self.condition = board, profile, condition
        self.clock, self._trace = clock, trace
        self._jig: HubJig | None = None
        self._began = clock.now()
        self.mark = clock.now()
        self.values: dict[str, float] = {}
        self.seen: list[tuple[float, float]] = []
        """Bench time and volts of the last course that a step watched."""
        self.changes: dict[str, Sequence[tuple[float, Level]]] = {}
        """Changes that the host made to its lines meanwhile, by symbol."""

    @property
    def jig(self) -> HubJig:
        """The open rig. Raises NotAvailable."""
        if self._jig is None:
            raise NotAvailable("the rig", "it is not open")
        return self._jig

    async def open(self) -> None:
        """Open the rig; the host's mains off, nothing drawn."""
        self._jig = await open_hub_jig(self.board.jig, self.profile, self.clock, self._trace, self.condition, self.engineer)
        await self.jig.mains.switch(False)

    async def close(self) -> None:
        """Nothing drawn, everything let go."""
        jig, self._jig = self._jig, None
        if jig is not None:
            await jig.close()

    async def identities(self) -> dict[str, str]:
        """Identities that the instruments state, and the unit under test."""
        jig = self.jig
        return {
            "jig": jig.identity,
            "load": await jig.load.identity(),
            "probes": await jig.probes.identity(),
            "under test": f"host port of a {self.profile.host}",
        }

    async def make_safe(self) -> None:
        """Draw nothing, and the load still answers. Raises JigError."""
        await self.jig.load.draw(0)
        await self.jig.load.measure_voltage()

    async def reach(self, state: str) -> None:
        """``dead``: the host without mains; ``open``: mains, nothing in the socket; ``seated``: mains, and a hub shows itself."""
        jig = self.jig
        await jig.load.draw(0)
        await jig.lines.drive("CH_PR", state == "seated")
        await jig.mains.switch(state != "dead")
        if state != "dead":
            await self._until_fed()
        await self.clock.sleep(_DISCHARGED_S if state == "dead" else _SETTLED_S)
        self._began = self.mark = self.clock.now()
        self.values, self.seen, self.changes = {}, [], {}

    async def _until_fed(self) -> None:
        within_s = 4 * self.profile["host_start_time"]
        until = self.clock.now() + within_s
        while await self.jig.load.measure_voltage() < self.profile["brownout_threshold"]:
            if self.clock.now() > until:
                raise NotAvailable("a supply at the port", f"none came within {within_s:g} s of the mains")
            await self.clock.sleep(_LOOK_S)

    def waveform(self) -> list[tuple[float, float]]:
        """Seconds since the check began, and volts at the port."""
        return [(when - self._began, volt) for when, volt in self.jig.waveform() if when >= self._began - 1e-9]

    async def switch_and_watch(self, on: bool, seconds: float) -> None:
        """Switch the mains, having begun to watch volts and lines. Raises NotAvailable where a hand is on the switch."""
        jig = self.jig
        if isinstance(jig.mains, ManualMains):
            raise NotAvailable("the moment at which the mains went", "it is switched by hand: give jig.mains a relay that obeys OUTPut")
        watched = ("AC LO", "MT_PR")
        lines = [asyncio.create_task(jig.lines.watch(symbol, seconds)) for symbol in watched]
        course = asyncio.create_task(jig.load.observe(seconds))
        await asyncio.sleep(0)
        self.mark = self.clock.now()
        await jig.mains.switch(on)
        self.changes = dict(zip(watched, await asyncio.gather(*lines), strict=True))
        self.seen = await course

    def became(self, symbol: str, active: bool) -> float:
        """Seconds from the mark to a line's being so, by what was watched."""
        level = signal(symbol).level(active)
        times = [when for when, seen in self.changes.get(symbol, ()) if seen is level and when >= self.mark - 1e-9]
        return times[0] - self.mark if times else _NEVER_S

    def fell_below(self, limit: float) -> float:
        """Seconds from the mark to the first volts below a limit, by what was watched."""
        times = [when for when, volt in self.seen if volt < limit and when >= self.mark - 1e-9]
        return times[0] - self.mark if times else _NEVER_S


# --- steps


def _number(bench: HostBench, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BoardError("conformance checks", str(value), "expected a number or an expression over profile values")
    return evaluate(value, bench.profile)


async def wait(bench: HostBench, value: Value) -> None:
    """Let bench seconds pass."""
    await bench.clock.sleep(_number(bench, value))


async def draw(bench: HostBench, value: Value) -> None:
    """Draw so many amperes from now on."""
    await bench.jig.load.draw(_number(bench, value))


async def pulse(bench: HostBench, value: Value) -> None:
    """Draw ``amperes`` for ``seconds`` after nothing, then nothing again, and watch the volts until 100 ms after."""
    if not isinstance(value, dict) or set(value) != {"amperes", "seconds"}:
        raise BoardError("conformance checks", str(value), "expected a table with amperes, seconds")
    amperes, seconds = _number(bench, value["amperes"]), _number(bench, value["seconds"])
    await bench.jig.load.draw(amperes)
    bench.seen = await bench.jig.load.observe(seconds)
    await bench.jig.load.draw(0)
    bench.seen += await bench.jig.load.observe(0.1)


async def lose_mains(bench: HostBench, value: Value) -> None:
    """The host's mains goes; volts and lines are watched for so long."""
    await bench.switch_and_watch(False, _number(bench, value))


async def restore_mains(bench: HostBench, value: Value) -> None:
    """The host's mains comes; volts and lines are watched for so long."""
    await bench.switch_and_watch(True, _number(bench, value))


async def mains_off(bench: HostBench, _: Value) -> None:
    """The host's mains off."""
    await bench.jig.mains.switch(False)


async def mains_cycles(bench: HostBench, value: Value) -> None:
    """Mains off and on so many times; ``reached``: how often the supply was back within its time."""
    reached = 0
    for _ in range(round(_number(bench, value))):
        await bench.jig.mains.switch(False)
        await bench.clock.sleep(_DISCHARGED_S)
        await bench.jig.mains.switch(True)
        await bench.clock.sleep(bench.profile["host_start_time"])
        reached += await bench.jig.load.measure_voltage() >= bench.profile["supply_tolerance_low"]
    bench.values["reached"] = float(reached)


async def seat(bench: HostBench, _: Value) -> None:
    """A hub shows itself: Device Present is pulled low."""
    await bench.jig.lines.drive("CH_PR", True)


# --- readings


async def supply_volts(bench: HostBench, _: Value | None) -> float:
    """Volts of the supply contacts now."""
    return await bench.jig.load.measure_voltage()


async def lowest_watched(bench: HostBench, _: Value | None) -> float:
    """Lowest volts of the course that was watched."""
    return min(volt for _, volt in bench.seen)


async def highest_watched(bench: HostBench, _: Value | None) -> float:
    """Highest volts of the course that was watched."""
    return max(volt for _, volt in bench.seen)


async def supply_held(bench: HostBench, _: Value | None) -> float:
    """Seconds from loss of mains to a supply below the hub's brown-out."""
    return bench.fell_below(bench.profile["brownout_threshold"])


async def supply_back(bench: HostBench, _: Value | None) -> float:
    """Seconds from mains to a supply within its tolerance."""
    low = bench.profile["supply_tolerance_low"]
    times = [when for when, volt in bench.seen if volt >= low and when >= bench.mark - 1e-9]
    return times[0] - bench.mark if times else _NEVER_S


async def ac_lost_after(bench: HostBench, _: Value | None) -> float:
    """Seconds from loss of mains to AC Lost."""
    return bench.became("AC LO", True)


async def ac_restored_after(bench: HostBench, _: Value | None) -> float:
    """Seconds from mains to AC Lost released."""
    return bench.became("AC LO", False)


async def warned_before(bench: HostBench, _: Value | None) -> float:
    """Seconds from AC Lost to a supply below the hub's brown-out: what a hub has to put itself in order."""
    return bench.fell_below(bench.profile["brownout_threshold"]) - bench.became("AC LO", True)


async def present_after(bench: HostBench, _: Value | None) -> float:
    """Seconds from a supply within its tolerance to Host Present."""
    return bench.became("MT_PR", True) - await supply_back(bench, None)


async def line_active(bench: HostBench, of: Value | None) -> float:
    """1 where a line that the host drives is at its active level."""
    symbol = signal(str(of))
    return float(await bench.jig.lines.read(symbol.symbol) is symbol.active)


async def reached(bench: HostBench, _: Value | None) -> float:
    """Number of rounds of the last repeating step that came where they should."""
    return bench.values["reached"]


HOST_CHECKS: Vocabulary[HostBench] = Vocabulary(
    {step.__name__: step for step in (wait, draw, pulse, lose_mains, restore_mains, mains_off, mains_cycles, seat)},
    {
        **{reading.__name__: reading for reading in (volts, highest_volts, ripple, ohms, lowest_ohms)},
        **{
            reading.__name__: reading
            for reading in (
                supply_volts,
                lowest_watched,
                highest_watched,
                supply_held,
                supply_back,
                ac_lost_after,
                ac_restored_after,
                warned_before,
                present_after,
                line_active,
                reached,
            )
        },
    },
)
