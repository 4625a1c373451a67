"""The verbs of a check's stimulus. Values are numbers or expressions over the profile."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from firmware_emu.errors import BoardError, NotAvailable
from hil.conformance.bench import ConformanceBench
from ichis.conformance.check import Value, evaluate
from ichis.connector import Level
from ichis.measuring.reading import Plain, Reading
from ichis.uart import LineProfile

Step = Callable[[ConformanceBench, Value], Awaitable[None]]
OUTAGE_RESOLUTION_S = 0.001
"""Resolution of a hub's record of an outage: the emulated one keeps milliseconds."""
_RAMP_STEP_S = 0.05
_RAMP_STEP_V = 0.25
"""A ramp in coarser steps is another thing than a slow rise or fall. The bench's own figure."""
_APART_S = 60.0
_STRETCHED = 1.25
"""Cycles that take longer than so many times what was asked are other cycles."""
_AT_PINS_V = 0.15
"""Largest distance of the volts at the pins from what was asked for."""


def number(bench: ConformanceBench, value: Value) -> float:
    """A number of a step. Raises BoardError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BoardError("conformance checks", str(value), "expected a number or an expression over profile values")
    return evaluate(value, bench.profile)


def _numbers(bench: ConformanceBench, value: Value, *names: str) -> tuple[float, ...]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise BoardError("conformance checks", str(value), f"expected a table with {', '.join(names)}")
    return tuple(number(bench, value[name]) for name in names)


async def wait(bench: ConformanceBench, value: Value) -> None:
    """Let bench seconds pass."""
    await bench.clock.sleep(number(bench, value))


async def supply(bench: ConformanceBench, value: Value) -> None:
    """Set the supply's volts."""
    await bench.jig.supply.set_voltage(number(bench, value))


async def pin_volts(bench: ConformanceBench, value: Value) -> None:
    """Set the supply so that the hub's pins see these volts: measured and corrected once."""
    target, jig = number(bench, value), bench.jig
    await jig.supply.set_voltage(target)
    found = (await jig.probes.volts(1)).value
    if found > 0:
        await jig.supply.set_voltage(target + (target - found))
        if abs((now := (await jig.probes.volts(1)).value) - target) > _AT_PINS_V:
            bench.doubts.append(f"{target:g} V were asked for at the pins, there are {now:.4g} V")


async def output(bench: ConformanceBench, value: Value) -> None:
    """Supply output on or off; ``switched`` is when."""
    bench.values["switched"] = await bench.switch(bool(value))


async def limit(bench: ConformanceBench, value: Value) -> None:
    """Current limit of the supply, amperes."""
    await bench.jig.supply.set_current_limit(number(bench, value))


async def ramp(bench: ConformanceBench, value: Value) -> None:
    """Volts from one value to another, in steps of 50 ms, or as long as the supply needs for one."""
    start, end, seconds = _numbers(bench, value, "from", "to", "seconds")
    count = max(1, math.floor(seconds / max(_RAMP_STEP_S, bench.jig.supply.least_step_s)))
    if abs(end - start) / count > _RAMP_STEP_V:
        raise NotAvailable(f"a ramp of {seconds:g} s", f"this supply would give it in {count} steps, of more than {_RAMP_STEP_V:g} V each")
    await bench.jig.supply.play([(start + (end - start) * (index + 1) / count, seconds / count) for index in range(count)])


async def rise(bench: ConformanceBench, value: Value) -> None:
    """Volts up in steps until the hub runs; ``found`` is the volts at which it did, anywhere within the last step."""
    start, end, step = _numbers(bench, value, "from", "to", "step")
    volts = start
    while volts <= end + 1e-9:
        await bench.jig.supply.set_voltage(volts)
        await bench.clock.sleep(2 * bench.profile["power_on_delay_after_presence"])
        if await bench.jig.lines.read("CH_PR") is Level.LOW:
            given = await bench.jig.supply.measure_voltage()
            bench.values["found"] = Reading(volts - step / 2, given.u, given.basis).widened(step / 2)
            return
        volts += step
    bench.values["found"] = Plain(False, f"the hub did not run up to {end:g} V")


async def dip(bench: ConformanceBench, value: Value) -> None:
    """Volts at the pins down to a value for a time, then nominal."""
    volts, seconds = _numbers(bench, value, "to", "seconds")
    nominal = bench.profile["supply_nominal"]
    scale = nominal / max(1.0, (await bench.jig.probes.volts(1)).value)  # what is lost on the way is added
    await bench.jig.supply.play([(volts * scale, seconds), (nominal, 0.0)])


async def interrupt(bench: ConformanceBench, value: Value) -> None:
    """No supply for so long; a list is one interruption after another, three seconds apart.

    The output is switched where software can time that (high impedance), else the supply plays 0 V by its list (low impedance).
    Raises NotAvailable where neither gives it.
    """
    wanted = [number(bench, seconds) for seconds in (value if isinstance(value, list) else [value])]
    supply = bench.jig.supply
    if min(wanted) < supply.least_software_step_s:
        await supply.play([point for seconds in wanted for point in ((0.0, seconds), (bench.profile["supply_nominal"], 3.0))])
        return
    for seconds in wanted:
        await bench.switch(False)
        began = supply.acted
        await bench.clock.sleep(began[1] + seconds - bench.clock.now() if began[1] + seconds > bench.clock.now() else 0)
        await bench.switch(True)
        bench.lasted("an interruption", seconds, began, supply.acted)
        await bench.clock.sleep(3)


async def cycles(bench: ConformanceBench, value: Value) -> None:
    """Supply off and on, so many times; the hub must run at the end of each where ``on`` is 0.

    ``counted``: in the bench's checkpoint, so that a later run goes on with the count of one that was broken off.
    """
    counted = isinstance(value, dict) and bool(value.get("counted"))
    plain = {key: one for key, one in value.items() if key != "counted"} if isinstance(value, dict) else value
    times, off_s, on_s = _numbers(bench, plain, "times", "off", "on")
    count = bench.checkpoint if counted else None
    already = 0 if count is None else count.done
    reached, began = 0 if count is None else count.reached, bench.clock.now()
    supply = bench.jig.supply
    for _ in range(already, round(times)):
        await supply.output(False)
        went = supply.acted
        await bench.clock.sleep(max(0.0, went[1] + off_s - bench.clock.now()))
        await supply.output(True)
        if off_s >= 1:  # of shorter ones their number in a time counts, which is looked at below
            bench.lasted("a time without supply", off_s, went, supply.acted)
        if on_s:
            await bench.clock.sleep(on_s)
            continue
        await bench.clock.sleep(1)
        runs = await bench.is_running()
        reached += runs
        if count is not None:
            count.note(runs)
            bench.forget()
    took, asked = bench.clock.now() - began, (times - already) * (off_s + (on_s or 1.0))
    if took > _STRETCHED * asked:
        bench.doubts.append(f"{times:g} cycles of {asked:g} s in all took {took:.4g} s with this supply")
    bench.values["reached"] = Reading(float(reached))


async def insert(bench: ConformanceBench, _: Value) -> None:
    """The hub into the socket."""
    await bench.seat(True)


async def withdraw(bench: ConformanceBench, _: Value) -> None:
    """The hub out of the socket."""
    await bench.seat(False)


async def data_wired(bench: ConformanceBench, value: Value) -> None:
    """Set if the host has pins 7 and 8."""
    await bench.jig.mating.wire_data(bool(value))


async def host_present(bench: ConformanceBench, value: Value) -> None:
    """Drive Host Present."""
    await bench.jig.lines.drive("MT_PR", bool(value))


async def ac_lost(bench: ConformanceBench, value: Value) -> None:
    """Drive AC Lost."""
    bench.values["lost" if value else "restored"] = await bench.drive("AC LO", bool(value))


async def release(bench: ConformanceBench, value: Value) -> None:
    """Let go of a line: an open contact."""
    await bench.jig.lines.release(str(value))


async def outage(bench: ConformanceBench, value: Value) -> None:
    """AC Lost for so long, the supply gone after the host's hold-up; begins wherever the hub's clock is in its second.

    ``phase``: at this part of a second instead.
    """
    phase = None
    if isinstance(value, dict):
        seconds, apart = _numbers(bench, {key: one for key, one in value.items() if key != "phase"}, "seconds", "apart")
        phase = number(bench, value["phase"]) if "phase" in value else None
    else:
        seconds, apart = number(bench, value), _APART_S
    await bench.clock.sleep(apart)
    if phase is not None:
        await bench.clock.sleep((phase - bench.clock.now()) % 1.0)
    before = bench.clock.now()
    bench.values["lost"] = await bench.drive("AC LO", True)
    began = (before, bench.clock.now())
    await bench.clock.sleep(bench.profile["host_holdup_time"])
    await bench.switch(False)
    await bench.clock.sleep(max(0.0, began[1] + seconds - bench.clock.now()))
    await bench.switch(True)
    _sure_side(bench, seconds, began, bench.jig.supply.acted)
    await bench.clock.sleep(bench.profile["ac_lost_release_time"])
    await bench.jig.lines.drive("AC LO", False)
    await bench.clock.sleep(5)


def _sure_side(bench: ConformanceBench, asked: float, began: tuple[float, float], ended: tuple[float, float]) -> None:
    """Doubt an outage that by this supply's times may have been on the other side of the threshold, or another one altogether."""
    bench.lasted("an outage", asked, began, ended)
    threshold, resolution = bench.profile["outage_threshold"], OUTAGE_RESOLUTION_S
    shortest, longest = ended[0] - began[1] - resolution, ended[1] - began[0] + resolution
    if shortest < threshold <= longest:
        bench.doubts.append(f"the outage of {asked:g} s lasted from {shortest:.4f} to {longest:.4f} s: on which side of {threshold:g} s?")


async def outages(bench: ConformanceBench, value: Value) -> None:
    """So many outages of so many seconds, each a second of supply apart."""
    times, seconds = _numbers(bench, value, "times", "seconds")
    for _ in range(round(times)):
        await outage(bench, {"seconds": seconds, "apart": 1})


async def watch_present(bench: ConformanceBench, value: Value) -> None:
    """Watch Device Present for so long, as a host does."""
    async with bench.watched("CH_PR") as seen:
        await bench.clock.sleep(number(bench, value))
    _note_present(bench, seen)


def _note_present(bench: ConformanceBench, seen: list[tuple[float, Level]]) -> None:
    for when, level in seen:
        active = level is Level.LOW
        if not bench.present or bench.present[-1][1] is not active:
            bench.present.append((when, active))


async def switch_and_watch(bench: ConformanceBench, value: Value) -> None:
    """Switch the supply on while Device Present is watched, and for so long after; ``switched`` is when it acted."""
    async with bench.watched("CH_PR") as seen:
        bench.values["switched"] = await bench.switch(True)
        await bench.clock.sleep(number(bench, value))
    _note_present(bench, seen)


async def mark(bench: ConformanceBench, _: Value) -> None:
    """The time that a delay is counted from, where no switching of the supply is."""
    bench.values["switched"] = Reading(bench.clock.now())


async def until_running(bench: ConformanceBench, _: Value) -> None:
    """Wait for a hub that runs. Raises NotAvailable."""
    await bench.until_running()


async def coverage(bench: ConformanceBench, value: Value) -> None:
    """SM WAN coverage there or not; without it a connection is cut."""
    wan = bench.station.sm_wan
    wan.coverage = bool(value)
    if not value:
        await wan.cut("no SM WAN coverage")


async def keep(bench: ConformanceBench, _: Value) -> None:
    """Note what the hub keeps now; ``kept_same`` compares with it."""
    bench.kept_before = bench.kept()
    bench.counter_before = bench.own_counter()


async def line(bench: ConformanceBench, value: Value) -> None:
    """The rig's bit clock off by so many percent."""
    own = bench.profile.line
    percent = number(bench, value)
    await bench.jig.data.set_line(LineProfile(own.baud * (1 + percent / 100), own.bits, own.parity, own.stop, own.inverted))


async def noise(bench: ConformanceBench, value: Value) -> None:
    """Octets at another bit clock: framing errors at the far end."""
    own = bench.profile.line
    await bench.jig.data.set_line(LineProfile(own.baud / 3, own.bits, own.parity, own.stop, own.inverted))
    await bench.jig.data.write(bytes(round(number(bench, value))))
    await bench.jig.data.read(64, 0.05)
    await bench.jig.data.set_line(own)


STEPS: Mapping[str, Step] = {
    step.__name__: step
    for step in (
        wait,
        supply,
        pin_volts,
        output,
        limit,
        ramp,
        rise,
        dip,
        interrupt,
        cycles,
        insert,
        withdraw,
        data_wired,
        host_present,
        ac_lost,
        release,
        outage,
        outages,
        watch_present,
        switch_and_watch,
        mark,
        until_running,
        coverage,
        keep,
        line,
        noise,
    )
}
