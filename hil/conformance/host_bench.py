"""The rig as a hub, with the port of a meter or a hot shoe as the thing under test: states, verbs and readings of its checks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, JigError, NotAvailable
from firmware_emu.trace import Trace
from hil.conformance.bench import rule_of
from hil.conformance.contacts import highest_volts, lowest_ohms, ohms, ripple, volts
from hil.conformance.runner import Need, Vocabulary
from ichis.conformance.check import Value, evaluate
from ichis.connector import Level, signal
from ichis.host_port import HostCondition
from ichis.hub_jig import InstrumentHubJig, open_hub_jig
from ichis.instrument.drivers import ContactWatch, InstrumentProbes
from ichis.jig import HubJig
from ichis.manual import Engineer, ManualMains, ManualProbes
from ichis.measuring.calibration import Calibration
from ichis.measuring.reading import Plain, Reading, Sample, between, highest, lowest
from ichis.profile import InterfaceProfile

_NOT_GONE = "neither AC Lost nor the supply shows that the mains went: only what switches it says so"
_NOT_COME = "neither AC Lost nor the supply shows that the mains came: only what switches it says so"
_SETTLED_S = 2.0
_DISCHARGED_S = 5.0
_LOOK_S = 0.1
_DEAD_V, _APART_V = 1.0, 1.0
_AFTER_PULSE_S = 0.1
_EXCURSION_S = 0.05
"""Shortest excursion of the supply that a watch of a pulse claims to see. The bench's own figure."""


class HostBench:
    """One port under test. Implements :class:`hil.conformance.runner.CheckBench`."""

    waveform_at = "at the host's port"
    engineer: Engineer | None = None
    """Engineer who is asked where no instrument is named; the console if None."""

    def __init__(self, board: Board, profile: InterfaceProfile, condition: HostCondition, clock: Clock, trace: Trace) -> None:
        """``condition`` is of the modelled port; a real one has its own."""
        self.board, self.profile, self.condition = board, profile, condition
        self.rule = rule_of(board)
        self.doubts: list[str] = []
        self.lacks: Mapping[Need, str] = {}
        self.clock, self._trace = clock, trace
        self._jig: HubJig | None = None
        self._began = clock.now()
        self.mark = Reading(clock.now())
        """When the mains was last switched."""
        self.unwatched = False
        """The mains was switched off, and nothing has shown yet that it went."""
        self.values: dict[str, Reading] = {}
        self.seen: list[Sample] = []
        """Volts of the last course that a step watched."""
        self._fed_pin = 1
        """Contact of the supply that gave the most volts when the state was reached."""
        self.changes: dict[str, Sequence[tuple[float, Level]]] = {}
        """Changes that the host made to its lines meanwhile, by symbol."""

    @property
    def jig(self) -> HubJig:
        """The open rig. Raises NotAvailable."""
        if self._jig is None:
            raise NotAvailable("the rig", "it is not open")
        return self._jig

    @property
    def contact(self) -> ContactWatch | None:
        """A multimeter on the contact of the supply, where it is as quick as the load: it watches while the load is told things."""
        if not isinstance(self.jig.probes, InstrumentProbes):
            return None
        found = ContactWatch(self.jig.probes, self._fed_pin, self.clock)
        return found if found.resolution_s <= self.jig.load.resolution_s else None

    async def observe(self, seconds: float) -> None:
        """Watch the supply for so long; ``seen`` has its course."""
        self.seen = await (self.contact or self.jig.load).observe(seconds)

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
        """Draw nothing, as measured. Raises JigError."""
        await self.jig.load.draw(0)
        await self.jig.load.confirm()

    @property
    def calibrations(self) -> Mapping[str, Calibration]:
        return self.jig.calibrations

    async def confirm(self) -> None:
        """The load draws what it was last told, and the mains that was switched off went. Raises JigError."""
        await self.jig.load.confirm()
        await self.prove_loss(3 * self.profile["host_holdup_time"])

    async def prove_loss(self, within_s: float) -> None:
        """AC Lost or the supply shows within so long that a mains switched off unwatched went, or the check is in doubt."""
        until = self.clock.now() + within_s
        while self.unwatched and await self.jig.lines.read("AC LO") is not signal("AC LO").active:
            if (await self.jig.load.observe(0))[-1].found.value < self.profile["brownout_threshold"]:
                break
            if self.clock.now() >= until:
                self.doubts.append(_NOT_GONE)
                break
            await self.clock.sleep(_LOOK_S)
        self.unwatched = False

    async def reach(self, state: str) -> None:
        """``dead``: the host without mains; ``open``: mains, nothing in the socket; ``seated``: mains, and a hub shows itself."""
        jig = self.jig
        await jig.load.draw(0)
        await jig.lines.drive("CH_PR", state == "seated")
        await jig.mains.switch(state != "dead")
        if state != "dead":
            await self._until_fed()
        await self.clock.sleep(_DISCHARGED_S if state == "dead" else _SETTLED_S)
        await self._measured(state)
        self._began = self.clock.now()
        self.mark = Reading(self._began)
        self.values, self.seen, self.changes, self.unwatched = {}, [], {}, False

    async def _measured(self, state: str) -> None:
        """The port is dead, or fed, as load and multimeter both say. Raises JigError."""
        if not isinstance(self.jig.probes, ManualProbes):
            at = {pin: (await self.jig.probes.volts(pin)).value for pin in (1, 2)}
            self._fed_pin = max(at, key=lambda pin: at[pin])
        volts = await self.port_volts()
        if state == "dead" and volts > _DEAD_V:
            raise JigError(f"the mains is off and the port gives {volts:.3g} V after {_DISCHARGED_S:g} s: is it switched off?")

    async def port_volts(self) -> float:
        """Volts at the port, steady, as load and multimeter both say. Raises JigError where they do not agree."""
        volts = (await self.jig.load.measure_voltage()).value
        if isinstance(self.jig.probes, ManualProbes):
            return volts
        other = (await self.jig.probes.volts(self._fed_pin)).value
        if abs(other - volts) > _APART_V:
            raise JigError(f"the load reads {volts:.3g} V at the port and the multimeter {other:.3g} V: one of them is wrong")
        return volts

    async def _until_fed(self) -> None:
        within_s = 4 * self.profile["host_start_time"]
        until = self.clock.now() + within_s
        while (await self.jig.load.observe(0))[-1].found.value < self.profile["brownout_threshold"]:  # volts that change meanwhile
            if self.clock.now() > until:
                raise NotAvailable("a supply at the port", f"none came within {within_s:g} s of the mains")
            await self.clock.sleep(_LOOK_S)

    async def begin_waveform(self) -> None:
        if isinstance(self.jig, InstrumentHubJig):
            await self.jig.begin_record()

    async def fetch_waveform(self) -> None:
        if isinstance(self.jig, InstrumentHubJig):
            await self.jig.fetch_record()

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
        course = asyncio.create_task(self.observe(seconds))
        await asyncio.sleep(0)
        began = self.clock.now()
        await jig.mains.switch(on)
        self.mark = between(began, self.clock.now())
        self.changes = dict(zip(watched, await asyncio.gather(*lines), strict=True))
        await course

    def became(self, symbol: str, active: bool) -> Reading | None:
        """The bench time at which a line became so, by what was watched since the mains was switched; None: it did not."""
        level = signal(symbol).level(active)
        times = [when for when, seen in self.changes.get(symbol, ()) if seen is level and when >= self.mark.value - self.mark.u - 1e-9]
        return Reading(times[0]).widened(self.jig.lines.resolution_s) if times else None

    def fell_below(self, limit: float) -> Reading | None:
        """The bench time of the first volts below a limit, by what was watched; None: they did not fall."""
        return self._first(lambda volts: volts < limit)

    def rose_to(self, limit: float) -> Reading | None:
        """The bench time of the first volts at or above a limit, by what was watched; None: they did not rise."""
        return self._first(lambda volts: volts >= limit)

    def _first(self, holds: Callable[[float], bool]) -> Reading | None:
        earliest = self.mark.value - self.mark.u - 1e-9
        for index, one in enumerate(self.seen):
            if one.ended < earliest:
                continue
            if holds(one.found.value):
                if any(not holds(following.found.value) for following in self.seen[index + 1 : index + 2]):
                    raise JigError(f"one reading alone of {one.found.value:.3g} V stands between others: it is no finding")
                return between(earliest, max(earliest, one.ended))
            earliest = max(earliest, one.began)
        return None

    def extreme(self, found: Reading) -> Reading:
        """A highest or lowest reading of what was watched, less sure by as much as its nearest neighbour differs."""
        at = next(index for index, one in enumerate(self.seen) if one.found is found)
        near = [self.seen[index].found.value for index in (at - 1, at + 1) if 0 <= index < len(self.seen)]
        return found.widened(min((abs(found.value - one) for one in near), default=0.0))


# --- steps


def _number(bench: HostBench, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BoardError("conformance checks", str(value), "expected a number or an expression over profile values")
    return evaluate(value, bench.profile)


async def wait(bench: HostBench, value: Value) -> None:
    """Let bench seconds pass."""
    await bench.clock.sleep(_number(bench, value))


async def draw(bench: HostBench, value: Value) -> None:
    """Draw so many amperes from now on, as the load measures. Raises JigError."""
    await bench.jig.load.draw(_number(bench, value))
    await bench.confirm()  # without a supply, nobody would see that it draws nothing


async def pulse(bench: HostBench, value: Value) -> None:
    """Draw ``amperes`` for ``seconds`` after nothing, then nothing again, and watch the volts until 100 ms after."""
    if not isinstance(value, dict) or set(value) != {"amperes", "seconds"}:
        raise BoardError("conformance checks", str(value), "expected a table with amperes, seconds")
    amperes, seconds = _number(bench, value["amperes"]), _number(bench, value["seconds"])
    load, contact = bench.jig.load, bench.contact
    apart_s = 2 * load.resolution_s
    if seconds < (apart_s if contact is not None else 2 * apart_s):
        raise NotAvailable(f"a pulse of {seconds:g} s", f"this load's readings are {apart_s:.3g} s apart: take a quicker one")
    if contact is not None:
        let_go = await _watched_beside(bench, contact, amperes, seconds)
    else:
        let_go = await _watched_by_the_load(bench, amperes, seconds)
    after = [one.when for one in bench.seen if one.when > let_go]
    blind_s = max((later - earlier for earlier, later in itertools.pairwise((let_go, *after))), default=_AFTER_PULSE_S)
    if blind_s > _EXCURSION_S:
        raise NotAvailable("the supply just after a pulse", f"it was not read for {blind_s:.3g} s: take a quicker load or multimeter")


async def _watched_beside(bench: HostBench, contact: ContactWatch, amperes: float, seconds: float) -> float:
    """Draw a pulse while the multimeter watches; the bench time from which on it went."""
    load, let_go = bench.jig.load, [bench.clock.now()]

    async def draw() -> None:
        await load.draw(amperes)
        await bench.clock.sleep(seconds)
        await load.confirm()
        let_go[0] = bench.clock.now()
        await load.draw(0)

    drawing = asyncio.create_task(draw())
    bench.seen = await contact.observe(_AFTER_PULSE_S, drawing)
    drawing.result()
    return let_go[0]


async def _watched_by_the_load(bench: HostBench, amperes: float, seconds: float) -> float:
    """Draw a pulse by a load that reads its own volts; the bench time from which on it went."""
    load = bench.jig.load
    await load.draw(amperes)
    during = await load.observe(seconds)
    let_go = bench.clock.now()
    await load.draw(0)
    bench.seen = during + await load.observe(_AFTER_PULSE_S)
    return let_go


async def lose_mains(bench: HostBench, value: Value) -> None:
    """The host's mains goes; volts and lines are watched for so long."""
    await bench.switch_and_watch(False, _number(bench, value))
    if bench.became("AC LO", True) is None and bench.fell_below(bench.profile["brownout_threshold"]) is None:
        bench.doubts.append(_NOT_GONE)


async def restore_mains(bench: HostBench, value: Value) -> None:
    """The host's mains comes; volts and lines are watched for so long."""
    await bench.prove_loss(0)
    await bench.switch_and_watch(True, _number(bench, value))
    if bench.became("AC LO", False) is None and bench.seen[-1].found.value < bench.profile["brownout_threshold"]:
        bench.doubts.append(_NOT_COME)


async def mains_off(bench: HostBench, _: Value) -> None:
    """The host's mains off."""
    await bench.jig.mains.switch(False)
    bench.unwatched = True


async def mains_cycles(bench: HostBench, value: Value) -> None:
    """Mains off and on so many times; ``reached``: how often the supply was back within its time.

    That the mains went and came is taken from the port alone, its volts by load and multimeter, and AC Lost: where neither shows it, the
    relay may not have obeyed.
    """
    reached, lines = 0, bench.jig.lines
    for _ in range(round(_number(bench, value))):
        await bench.jig.mains.switch(False)
        await bench.clock.sleep(_DISCHARGED_S)
        told = await lines.read("AC LO") is signal("AC LO").active
        if await bench.port_volts() >= bench.profile["brownout_threshold"] and not told:
            bench.doubts.append(_NOT_GONE)
        await bench.jig.mains.switch(True)
        await bench.clock.sleep(bench.profile["host_start_time"])
        back = await bench.port_volts() >= bench.profile["supply_tolerance_low"]
        reached += back
        if not back and not (told and await lines.read("AC LO") is not signal("AC LO").active):
            bench.doubts.append(_NOT_COME)
    bench.values["reached"] = Reading(float(reached))


async def seat(bench: HostBench, _: Value) -> None:
    """A hub shows itself: Device Present is pulled low."""
    await bench.jig.lines.drive("CH_PR", True)


# --- readings


async def supply_volts(bench: HostBench, _: Value | None) -> Reading:
    """Volts of the supply contacts now."""
    return await bench.jig.load.measure_voltage()


async def lowest_watched(bench: HostBench, _: Value | None) -> Reading:
    """Lowest volts of the course that was watched."""
    return bench.extreme(lowest(one.found for one in bench.seen))


async def highest_watched(bench: HostBench, _: Value | None) -> Reading:
    """Highest volts of the course that was watched."""
    return bench.extreme(highest(one.found for one in bench.seen))


async def supply_held(bench: HostBench, _: Value | None) -> Reading | Plain:
    """Seconds from loss of mains to a supply below the hub's brown-out."""
    fell = bench.fell_below(bench.profile["brownout_threshold"])
    return Plain(True, "the supply held for as long as it was watched") if fell is None else fell - bench.mark


async def supply_back(bench: HostBench, _: Value | None) -> Reading | Plain:
    """Seconds from mains to a supply within its tolerance."""
    rose = bench.rose_to(bench.profile["supply_tolerance_low"])
    return Plain(False, "the supply did not come back") if rose is None else rose - bench.mark


async def ac_lost_after(bench: HostBench, _: Value | None) -> Reading | Plain:
    """Seconds from loss of mains to AC Lost."""
    told = bench.became("AC LO", True)
    return Plain(False, "AC Lost was not told") if told is None else told - bench.mark


async def ac_restored_after(bench: HostBench, _: Value | None) -> Reading | Plain:
    """Seconds from mains to AC Lost released."""
    told = bench.became("AC LO", False)
    return Plain(False, "AC Lost was not released") if told is None else told - bench.mark


async def warned_before(bench: HostBench, _: Value | None) -> Reading | Plain:
    """Seconds from AC Lost to a supply below the hub's brown-out: what a hub has to put itself in order."""
    told, fell = bench.became("AC LO", True), bench.fell_below(bench.profile["brownout_threshold"])
    if told is None:
        return Plain(False, "AC Lost was not told")
    return Plain(True, "the supply held for as long as it was watched") if fell is None else fell - told


async def present_after(bench: HostBench, _: Value | None) -> Reading | Plain:
    """Seconds from a supply within its tolerance to Host Present."""
    came, rose = bench.became("MT_PR", True), bench.rose_to(bench.profile["supply_tolerance_low"])
    if came is None or rose is None:
        return Plain(False, "Host Present did not come" if rose is not None else "the supply did not come back")
    return came - rose


async def line_active(bench: HostBench, of: Value | None) -> float:
    """1 where a line that the host drives is at its active level."""
    symbol = signal(str(of))
    return float(await bench.jig.lines.read(symbol.symbol) is symbol.active)


async def reached(bench: HostBench, _: Value | None) -> Reading:
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
