"""Readings of a check once its stimulus is done: each gives one number in the check's unit. Raises CommsHubError where it cannot."""

from __future__ import annotations

from itertools import pairwise

from firmware_emu.errors import NotAvailable
from firmware_emu.gbcs.cosem_time import decode_date_time
from hil.conformance.bench import ConformanceBench
from hil.conformance.contacts import highest_volts, listed, lowest_ohms, ohms, pin, ripple, volts
from hil.conformance.runner import Need, Vocabulary
from hil.conformance.steps import STEPS, number
from ichis.bench_link import FrameKind, JigFrame, NoAnswer
from ichis.conformance.check import Value
from ichis.connector import Level
from ichis.measuring.reading import Plain, Reading, between

_FRAMES = 16
_TEXT = b"The quick brown fox jumps over the lazy dog"
_PATTERN = b"\x55\xaa\xff\x00" * 4
_SPACE_S, _LONGEST_SPACE_S = 0.5, 60.0
_LONGEST_HOLDUP_S = 30.0


# --- volts, amperes, ohms; those of single contacts are in :mod:`hil.conformance.contacts`


async def path_ohms(bench: ConformanceBench, _: Value | None) -> Reading:
    """Resistance of cable and contacts from the drop between supply and hub."""
    amperes = await bench.jig.supply.measure_current()
    if amperes.value <= 0:
        raise NotAvailable("the resistance of the supply path", "no current flows: is the hub running?")
    return (await bench.jig.supply.measure_voltage() - await bench.jig.probes.volts(1)) / amperes


async def volts_soon(bench: ConformanceBench, of: Value | None) -> Reading:
    """Volts of a contact now. Raises NotAvailable where the multimeter takes so long that it is not now any more."""
    began, within_s = bench.clock.now(), 4 * bench.profile["presence_debounce"]
    found_volts = await bench.jig.probes.volts(pin(of))
    if (took := bench.clock.now() - began) > within_s:
        raise NotAvailable(f"volts within {within_s:g} s", f"this multimeter took {took:.3g} s for a reading")
    return found_volts


async def setting_error(bench: ConformanceBench, _: Value | None) -> Reading:
    """Distance of the volts at the supply's terminals from the nominal that was set."""
    return abs(await bench.jig.supply.measure_voltage() - bench.profile["supply_nominal"])


async def amperes(bench: ConformanceBench, _: Value | None) -> Reading:
    return await bench.jig.supply.measure_current()


async def peak_amperes(bench: ConformanceBench, _: Value | None) -> Reading:
    return await bench.jig.supply.measure_peak_current()


async def watts(bench: ConformanceBench, _: Value | None) -> Reading:
    return await bench.jig.supply.measure_voltage() * await bench.jig.supply.measure_current()


async def farads(bench: ConformanceBench, of: Value | None) -> Reading:
    """The hub's store, from the power it takes and the fall of its volts in so many seconds without supply."""
    seconds = number(bench, 0.2 if of is None else of)
    power = await bench.jig.probes.volts(1) * await bench.jig.supply.measure_current()
    before = await bench.jig.probes.volts(1)
    went = await bench.switch(False)
    await bench.clock.sleep(max(0.0, bench.jig.supply.acted[1] + seconds - bench.clock.now()))
    began = bench.clock.now()
    after = await bench.jig.probes.volts(1, moving=True)
    fell_s = between(began, bench.clock.now()) - went
    await bench.switch(True)
    if after.value >= before.value - 2 * before.u:
        raise NotAvailable("the input capacitance", f"the volts did not fall in {seconds:g} s")
    if await bench.jig.lines.read("CH_PR") is not Level.LOW or after.value < bench.profile["brownout_threshold"]:
        raise NotAvailable("the input capacitance", f"the hub stopped within the {fell_s.value:.3g} s that this took")
    return power * 2.0 * fell_s / (before * before - after * after)


async def holdup(bench: ConformanceBench, _: Value | None) -> Reading:
    """Seconds from the supply's loss to the hub's stop, which Device Present shows."""
    async with bench.watched("CH_PR") as seen:
        went = await bench.switch(False)
        while not any(level is Level.HIGH for _, level in seen):
            if bench.clock.now() - went.value > _LONGEST_HOLDUP_S:
                raise NotAvailable("the end of the hold-up", f"Device Present stayed for {_LONGEST_HOLDUP_S:g} s without supply")
            await bench.clock.sleep(0.1)
    if seen[0][1] is Level.HIGH:
        raise NotAvailable("the hold-up", "Device Present was not there before the supply went")
    stopped = next(when for when, level in seen if level is Level.HIGH)
    return (Reading(stopped) - went).widened(bench.jig.lines.resolution_s)


async def found(bench: ConformanceBench, _: Value | None) -> Reading | Plain:
    """Value that the last searching step found."""
    return bench.values["found"]


# --- lines and presence


def _since(bench: ConformanceBench, what: str) -> Reading:
    """The bench time of something that a step did. Raises NotAvailable."""
    when = bench.values.get(what)
    if not isinstance(when, Reading):
        raise NotAvailable(f"a time from {what!r}", "no step of this check noted when that was")
    return when


async def present_delay(bench: ConformanceBench, _: Value | None) -> Reading | Plain:
    """Seconds from the supply's switching on to Device Present."""
    if bench.present and bench.present[0][1]:
        raise NotAvailable("the delay of Device Present", "it was there before the supply was: this unit has it hard-wired")
    times = [when for when, active in bench.present if active]
    if not times:
        return Plain(False, "Device Present never came")
    return (Reading(times[0]) - _since(bench, "switched")).widened(bench.jig.lines.resolution_s)


async def present_settle(bench: ConformanceBench, of: Value | None) -> Reading:
    """Seconds from the first to the last change of Device Present within the first ``of`` seconds of it."""
    first = next((when for when, active in bench.present if active), None)
    if first is None:
        raise NotAvailable("Device Present", "it never became active")
    last = max(when for when, _ in bench.present if when - first <= number(bench, 0.5 if of is None else of))
    return Reading(last - first).widened(2 * bench.jig.lines.resolution_s) if bench.jig.lines.resolution_s else Reading(last - first)


async def told(bench: ConformanceBench, of: Value | None) -> float:
    """Number of insertions (``inserted``, 0x81A2) or removals (``removed``, 0x81A3) that the host would report, debounced."""
    changes, until = bench.present, bench.clock.now()
    ends = [*(when for when, _ in changes[1:]), until]
    steady = [active for (when, active), end in zip(changes, ends, strict=True) if end - when > bench.profile["presence_debounce"]]
    wanted = of == "inserted"
    edges = [after for before, after in pairwise(steady) if before is not after]
    return float(sum(after is wanted for after in edges))


async def hub_sees(bench: ConformanceBench, of: Value | None) -> float:
    """1 where the hub's end sees ``host present`` or ``ac lost`` as active."""
    side = bench.station.bench_jig.hub_side
    return float(side.host_present if of == "host present" else side.ac_lost)


async def seen_after(bench: ConformanceBench, of: Value | None) -> Reading | Plain:
    """Seconds from driving AC Lost to the hub's end seeing it as ``lost`` or ``restored``."""
    times = bench.events("ac lost", of == "lost")
    return Reading(times[-1]) - _since(bench, str(of)) if times else Plain(False, f"the hub's end never saw a.c. {of}")


# --- the hub


async def starts(bench: ConformanceBench, _: Value | None) -> float:
    """Number of starts of the hub since the check began."""
    return float(len(bench.events("power", True)))


async def stops(bench: ConformanceBench, _: Value | None) -> float:
    return float(len(bench.events("power", False)))


async def boots(bench: ConformanceBench, _: Value | None) -> float:
    """Number of boots of the hub's firmware since the check began."""
    return float(len(bench.noted("power", "boot")))


async def running(bench: ConformanceBench, _: Value | None) -> float:
    """1 where the hub runs on its HAN and on the SM WAN."""
    return float(await bench.is_running())


async def powered(bench: ConformanceBench, _: Value | None) -> float:
    """1 where the hub shows itself with Device Present, which it did not before the supply came. Raises NotAvailable."""
    return float(await bench.shows_itself())


async def reached(bench: ConformanceBench, _: Value | None) -> Reading | Plain:
    """Number of rounds of the last repeating step that came where they should."""
    return bench.values["reached"]


async def on_han(bench: ConformanceBench, _: Value | None) -> float:
    """1 where the hub has formed its HAN."""
    hub = bench.station.hub
    return float(hub is not None and hub.status.network is not None)


async def commissioned_within(bench: ConformanceBench, _: Value | None) -> Reading | Plain:
    """Seconds from the supply's switching on, or the mark, to the CHF's status Commissioned."""

    def there() -> bool:
        device = bench.station.dcc.inventory.device(bench.board.hub.chf)
        return device is not None and str(device.status) == "Commissioned"

    within_s = 4 * bench.profile["installation_time"]
    try:
        await bench.until("the CHF's status Commissioned", there, within_s)
    except NotAvailable:
        return Plain(False, f"not commissioned after {within_s:g} s")
    return Reading(bench.clock.now()) - _since(bench, "switched")


async def kept_same(bench: ConformanceBench, _: Value | None) -> float:
    """Number of kept things that are not as they were."""
    before, now = bench.kept_before, bench.kept()
    return float(sum(before.get(key) != now.get(key) for key in before.keys() | now.keys()))


async def counter_step(bench: ConformanceBench, _: Value | None) -> float:
    """Advance of the CHF's own originator counter; negative where it fell back."""
    return float(bench.own_counter() - bench.counter_before)


# --- outages


async def alerts(bench: ConformanceBench, of: Value | None) -> float:
    """Alerts of these codes at the DCC."""
    return float(sum(len(bench.alerts(str(code))) for code in listed(of)))


async def other_alerts(bench: ConformanceBench, of: Value | None) -> Reading | Plain:
    """Alerts of code ``of``; where the outage was told by another code, that it was."""
    for code in ("8F35", "8F36"):
        if code != of and bench.alerts(code):
            return Plain(False, f"the outage was told as {code}")
    return Reading(float(len(bench.alerts(str(of)))))


async def outage_length(bench: ConformanceBench, _: Value | None) -> float:
    """Seconds between start and restoration in the last long alert."""
    raised = bench.alerts("8F36")
    if not raised:
        raise NotAvailable("the length of the outage", "no alert 8F36 arrived")
    outage = bench.outage_of(raised[-1])
    start, end = decode_date_time(outage.start), decode_date_time(outage.restored)
    if start is None or end is None:
        raise NotAvailable("the length of the outage", "alert 8F36 carries a time that is none")
    return (end - start).total_seconds()


async def outage_start_error(bench: ConformanceBench, _: Value | None) -> Reading | Plain:
    """Seconds between the start that AD1 carries and the moment AC Lost was driven; AD1 carries whole ones."""
    raised = bench.alerts("AD1")
    if not raised:
        return Plain(False, "no AD1 was raised")
    began = raised[-1].detail.get("began")
    if not isinstance(began, int | float):
        raise NotAvailable("the start of the outage", "AD1 carries none")
    return abs(Reading(began) - _since(bench, "lost"))


async def last_gasp_delay(bench: ConformanceBench, _: Value | None) -> Reading | Plain:
    """Seconds from driving AC Lost to the hub's last gasp."""
    sent = bench.noted("power", "last gasp")
    return Reading(sent[-1].time) - _since(bench, "lost") if sent else Plain(False, "no last gasp was sent")


# --- the serial pair, over the bench link


async def echo_errors(bench: ConformanceBench, of: Value | None) -> float:
    """Echoes lost or changed, of 16: ``text`` is plain text, ``rest`` every octet value that is not in it, ``pattern`` full swings."""
    rest = bytes(octet for octet in range(256) if octet not in _TEXT)
    lost = 0
    for index in range(_FRAMES):
        payload = {"text": _TEXT, "rest": rest[index::_FRAMES]}.get(str(of), _PATTERN)
        try:
            lost += await bench.link().ask(FrameKind.PING, payload) != payload
        except NoAnswer:
            lost += 1
            if lost >= 3:
                return float(lost + _FRAMES - 1 - index)
    return float(lost)


async def sequence_errors(bench: ConformanceBench, _: Value | None) -> float:
    """Frames of 16 on one link whose answer does not carry their sequence."""
    link, lost = bench.link(), 0
    for _ in range(_FRAMES):
        try:
            await link.ask(FrameKind.PING, b"S")
        except NoAnswer:
            lost += 1
            if lost >= 3:
                break
    return float(lost)


async def counted_errors(bench: ConformanceBench, _: Value | None) -> float:
    """Damaged frames that the hub's end counted, of 3 sent."""
    link = bench.link()
    before = (await link.counters()).damaged
    for sequence in range(3):
        broken = bytearray(JigFrame(FrameKind.PING, sequence, b"damaged").encode())
        broken[-1] ^= 0x01
        await bench.jig.data.write(bytes(broken))
    return float((await link.counters()).damaged - before)


async def hub_reading_error(bench: ConformanceBench, _: Value | None) -> Reading:
    """Volts between the hub's own reading of its supply and the probe's."""
    return abs(await bench.jig.probes.volts(1) - await bench.link().supply_volts())


async def space_volts(bench: ConformanceBench, of: Value | None) -> Reading:
    """Volts of a contact while the hub's end holds logic 0: as long as the multimeter needs. Raises NotAvailable where that is too long."""
    began = bench.clock.now()
    await bench.jig.probes.volts(pin(of))
    held_s = max(_SPACE_S, 4 * (bench.clock.now() - began))
    if held_s > _LONGEST_SPACE_S:
        raise NotAvailable("volts of a contact held at logic 0", f"the multimeter takes {held_s / 4:.3g} s for a reading")
    began = bench.clock.now()
    await bench.link().ask(FrameKind.SPACE, round(held_s * 1000).to_bytes(2, "big"))
    found_volts = await bench.jig.probes.volts(pin(of))
    if bench.clock.now() - began > held_s:
        raise NotAvailable("volts of a contact held at logic 0", f"the multimeter took longer than the {held_s:.3g} s that it was held")
    await bench.clock.sleep(held_s)
    return found_volts


HUB_CHECKS: Vocabulary[ConformanceBench] = Vocabulary(
    STEPS,
    {
        reading.__name__: reading
        for reading in (
            volts,
            volts_soon,
            highest_volts,
            ripple,
            path_ohms,
            ohms,
            lowest_ohms,
            setting_error,
            amperes,
            peak_amperes,
            watts,
            farads,
            holdup,
            found,
            present_delay,
            present_settle,
            told,
            hub_sees,
            seen_after,
            starts,
            stops,
            boots,
            running,
            powered,
            reached,
            on_han,
            commissioned_within,
            kept_same,
            counter_step,
            alerts,
            other_alerts,
            outage_length,
            outage_start_error,
            last_gasp_delay,
            echo_errors,
            sequence_errors,
            counted_errors,
            hub_reading_error,
            space_volts,
        )
    },
    {
        **dict.fromkeys(
            (
                "coverage",
                "keep",
                "hub_sees",
                "seen_after",
                "starts",
                "stops",
                "boots",
                "on_han",
                "commissioned_within",
                "kept_same",
                "counter_step",
                "alerts",
                "other_alerts",
                "outage_length",
                "outage_start_error",
                "last_gasp_delay",
            ),
            Need.INSIDE,
        ),
        **dict.fromkeys(("echo_errors", "sequence_errors", "counted_errors", "hub_reading_error", "space_volts"), Need.BENCH_LINK),
    },
)
