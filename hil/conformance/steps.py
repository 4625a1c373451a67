"""The verbs of a check's stimulus. Values are numbers or expressions over the profile."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from firmware_emu.errors import BoardError
from hil.conformance.bench import Bench
from ichis.conformance.check import Value, evaluate
from ichis.connector import Level
from ichis.uart import LineProfile

Step = Callable[[Bench, Value], Awaitable[None]]
_RAMP_STEP_S = 0.05
_ALIGNED_S = 0.0005
"""Into the hub's whole second, so that outages of whole seconds are counted as such."""
_APART_S = 60.0


def number(bench: Bench, value: Value) -> float:
    """A number of a step. Raises BoardError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BoardError("conformance checks", str(value), "expected a number or an expression over profile values")
    return evaluate(value, bench.profile)


def _numbers(bench: Bench, value: Value, *names: str) -> tuple[float, ...]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise BoardError("conformance checks", str(value), f"expected a table with {', '.join(names)}")
    return tuple(number(bench, value[name]) for name in names)


async def wait(bench: Bench, value: Value) -> None:
    """Let bench seconds pass."""
    await bench.clock.sleep(number(bench, value))


async def supply(bench: Bench, value: Value) -> None:
    """Set the supply's volts."""
    await bench.jig.supply.set_voltage(number(bench, value))


async def pin_volts(bench: Bench, value: Value) -> None:
    """Set the supply so that the hub's pins see these volts: measured and corrected once."""
    target, jig = number(bench, value), bench.jig
    await jig.supply.set_voltage(target)
    found = await jig.probes.volts(1)
    if found > 0:
        await jig.supply.set_voltage(target + (target - found))


async def output(bench: Bench, value: Value) -> None:
    """Supply output on or off."""
    await bench.jig.supply.output(bool(value))


async def limit(bench: Bench, value: Value) -> None:
    """Current limit of the supply, amperes."""
    await bench.jig.supply.set_current_limit(number(bench, value))


async def ramp(bench: Bench, value: Value) -> None:
    """Volts from one value to another, in steps of 50 ms."""
    start, end, seconds = _numbers(bench, value, "from", "to", "seconds")
    count = max(1, round(seconds / _RAMP_STEP_S))
    await bench.jig.supply.play([(start + (end - start) * (index + 1) / count, seconds / count) for index in range(count)])


async def rise(bench: Bench, value: Value) -> None:
    """Volts up in steps until the hub runs; ``found`` is the volts at its pins then."""
    start, end, step = _numbers(bench, value, "from", "to", "step")
    volts = start
    while volts <= end + 1e-9:
        await bench.jig.supply.set_voltage(volts)
        await bench.clock.sleep(2 * bench.profile["power_on_delay_after_presence"])
        if await bench.jig.lines.read("CH_PR") is Level.LOW:
            bench.values["found"] = volts
            return
        volts += step
    bench.values["found"] = math.ceil(end) + 1.0


async def dip(bench: Bench, value: Value) -> None:
    """Volts at the pins down to a value for a time, then nominal."""
    volts, seconds = _numbers(bench, value, "to", "seconds")
    nominal = bench.profile["supply_nominal"]
    scale = nominal / max(1.0, await bench.jig.probes.volts(1))  # what is lost on the way is added
    await bench.jig.supply.play([(volts * scale, seconds), (nominal, 0.0)])


async def interrupt(bench: Bench, value: Value) -> None:
    """No supply for so long; a list is one interruption after another, three seconds apart."""
    for seconds in value if isinstance(value, list) else [value]:
        await bench.jig.supply.output(False)
        await bench.clock.sleep(number(bench, seconds))
        await bench.jig.supply.output(True)
        await bench.clock.sleep(3)


async def cycles(bench: Bench, value: Value) -> None:
    """Supply off and on, so many times; the hub must run at the end of each where ``on`` is 0."""
    times, off_s, on_s = _numbers(bench, value, "times", "off", "on")
    reached = 0
    for _ in range(round(times)):
        await bench.jig.supply.output(False)
        await bench.clock.sleep(off_s)
        await bench.jig.supply.output(True)
        if on_s:
            await bench.clock.sleep(on_s)
            continue
        await bench.clock.sleep(1)
        reached += await bench.is_running()
    bench.values["reached"] = float(reached)


async def insert(bench: Bench, _: Value) -> None:
    """The hub into the socket."""
    await bench.seat(True)


async def withdraw(bench: Bench, _: Value) -> None:
    """The hub out of the socket."""
    await bench.seat(False)


async def data_wired(bench: Bench, value: Value) -> None:
    """Set if the host has pins 7 and 8."""
    await bench.jig.mating.wire_data(bool(value))


async def host_present(bench: Bench, value: Value) -> None:
    """Drive Host Present."""
    await bench.jig.lines.drive("MT_PR", bool(value))


async def ac_lost(bench: Bench, value: Value) -> None:
    """Drive AC Lost."""
    bench.values["lost" if value else "restored"] = bench.clock.now()
    await bench.jig.lines.drive("AC LO", bool(value))


async def release(bench: Bench, value: Value) -> None:
    """Let go of a line: an open contact."""
    await bench.jig.lines.release(str(value))


async def outage(bench: Bench, value: Value) -> None:
    """AC Lost for so long, the supply gone after the host's hold-up; begins on a whole second of the hub's clock."""
    if isinstance(value, dict):
        seconds, apart = _numbers(bench, value, "seconds", "apart")
    else:
        seconds, apart = number(bench, value), _APART_S
    await bench.clock.sleep(apart)
    await align(bench)
    began = bench.clock.now()
    bench.values["lost"] = began
    await bench.jig.lines.drive("AC LO", True)
    await bench.clock.sleep(bench.profile["host_holdup_time"])
    await bench.jig.supply.output(False)
    await bench.clock.sleep(began + seconds - bench.clock.now())
    await bench.jig.supply.output(True)
    await bench.clock.sleep(bench.profile["ac_lost_release_time"])
    await bench.jig.lines.drive("AC LO", False)
    await bench.clock.sleep(5)


async def align(bench: Bench) -> None:
    """Wait until just after a whole second of the hub's clock."""
    hub = bench.station.hub
    now = bench.clock.now() if hub is None or hub.status.time is None else hub.status.time
    await bench.clock.sleep(math.ceil(now) - now + _ALIGNED_S)


async def outages(bench: Bench, value: Value) -> None:
    """So many outages of so many seconds, each a second of supply apart."""
    times, seconds = _numbers(bench, value, "times", "seconds")
    for _ in range(round(times)):
        await outage(bench, {"seconds": seconds, "apart": 1})


async def watch_present(bench: Bench, value: Value) -> None:
    """Watch Device Present for so long, as a host does."""
    for when, level in await bench.jig.lines.watch("CH_PR", number(bench, value)):
        active = level is Level.LOW
        if not bench.present or bench.present[-1][1] is not active:
            bench.present.append((when, active))


async def mark(bench: Bench, _: Value) -> None:
    """The time that a delay is counted from."""
    bench.values["mark"] = bench.clock.now()


async def until_running(bench: Bench, _: Value) -> None:
    """Wait for a hub that runs. Raises NotAvailable."""
    await bench.until_running()


async def coverage(bench: Bench, value: Value) -> None:
    """SM WAN coverage there or not; without it a connection is cut."""
    wan = bench.station.sm_wan
    wan.coverage = bool(value)
    if not value:
        await wan.cut("no SM WAN coverage")


async def keep(bench: Bench, _: Value) -> None:
    """Note what the hub keeps now; ``kept_same`` compares with it."""
    bench.kept_before = bench.kept()
    bench.counter_before = bench.own_counter()


async def line(bench: Bench, value: Value) -> None:
    """The rig's bit clock off by so many percent."""
    own = bench.profile.line
    percent = number(bench, value)
    await bench.jig.data.set_line(LineProfile(own.baud * (1 + percent / 100), own.bits, own.parity, own.stop, own.inverted))


async def noise(bench: Bench, value: Value) -> None:
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
        mark,
        until_running,
        coverage,
        keep,
        line,
        noise,
    )
}
