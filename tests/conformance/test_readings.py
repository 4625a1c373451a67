"""Readings of checks, from a bench that answers what the test says: figures, limits and the words where there is no figure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, NotAvailable
from hil.conformance import contacts, host_bench, readings
from hil.conformance.host_bench import HostBench
from ichis.bench_link import FrameKind, NoAnswer
from ichis.connector import Level, signal
from ichis.host_port import HostCondition
from ichis.measuring.reading import Plain, Reading, Sample

PROFILE = {"presence_debounce": 0.5, "supply_nominal": 12.0, "brownout_threshold": 8.0, "installation_time": 10.0}


@dataclass
class Bench:
    """As much of a bench as readings look at."""

    clock: Clock
    volts: Any = 12.0
    terminal: float = 12.3
    amperes: float = 0.2
    takes_s: float = 0.0
    resolution_s: float = 0.0
    present: list[tuple[float, bool]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    told: dict[str, list[Any]] = field(default_factory=dict)
    profile: Any = field(default_factory=lambda: PROFILE)

    def __post_init__(self) -> None:
        self.jig = SimpleNamespace(
            supply=SimpleNamespace(
                measure_voltage=self._terminal, measure_current=self._amperes, measure_peak_current=self._amperes, acted=(0.0, 0.0)
            ),
            probes=SimpleNamespace(volts=self._volts),
            lines=SimpleNamespace(read=self._low, resolution_s=self.resolution_s),
        )

    async def _volts(self, pin: int, *, moving: bool = False) -> Reading:
        await self.clock.sleep(self.takes_s)
        return Reading(self.volts.pop(0) if isinstance(self.volts, list) else self.volts)

    async def _terminal(self) -> Reading:
        return Reading(self.terminal)

    async def _amperes(self) -> Reading:
        return Reading(self.amperes)

    async def _low(self, symbol: str) -> Level:
        return Level.LOW

    def events(self, what: str, active: bool) -> list[Any]:
        return self.told.get(f"{what} {active}", [])

    def noted(self, *what: str) -> list[Any]:
        return self.told.get(" ".join(what), [])

    def alerts(self, code: str) -> list[Any]:
        return self.told.get(code, [])


def bench(clock: Clock, **facts: Any) -> Any:
    return Bench(clock, **facts)


async def test_the_ohms_of_a_supply_path_are_the_drop_by_the_current(clock: Clock) -> None:
    assert (await readings.path_ohms(bench(clock), None)).value == pytest.approx(1.5)
    assert (await readings.path_ohms(bench(clock, amperes=0.001), None)).value == pytest.approx(300)
    for amperes in (0.0, -0.1):
        with pytest.raises(NotAvailable, match="no current flows"):
            await readings.path_ohms(bench(clock, amperes=amperes), None)
    assert (await readings.setting_error(bench(clock, terminal=11.8), None)).value == pytest.approx(0.2)
    assert (await readings.watts(bench(clock), None)).value == pytest.approx(12.3 * 0.2)
    assert (await readings.amperes(bench(clock), None)).value == (await readings.peak_amperes(bench(clock), None)).value == 0.2


@pytest.mark.parametrize(("takes_s", "soon"), [(0.0, True), (1.99, True), (2.01, False)])
async def test_volts_are_of_now_where_the_meter_takes_four_debounce_times_at_most(clock: Clock, takes_s: float, soon: bool) -> None:
    if soon:
        assert (await readings.volts_soon(bench(clock, takes_s=takes_s), 1)).value == 12.0
    else:
        with pytest.raises(NotAvailable, match=r"volts within 2 s.*took 2.01 s for a reading"):
            await readings.volts_soon(bench(clock, takes_s=takes_s), 1)


class Switching(Bench):
    """A bench whose supply may be switched, and whose hub then goes after so many seconds."""

    stops_s: float | None = 0.75
    there = True

    async def switch(self, on: bool) -> Reading:
        self.jig.supply.acted = (self.clock.now(), self.clock.now())
        return Reading(self.clock.now())

    @contextlib.asynccontextmanager
    async def watched(self, symbol: str) -> AsyncIterator[list[tuple[float, Level]]]:
        assert symbol == "CH_PR"
        seen = [(self.clock.now(), Level.LOW if self.there else Level.HIGH)]

        async def go(seconds: float) -> None:
            await self.clock.sleep(seconds)
            seen.append((self.clock.now(), Level.HIGH))

        going = None if self.stops_s is None else asyncio.create_task(go(self.stops_s))
        try:
            yield seen
        finally:
            if going is not None:
                going.cancel()


async def test_the_hold_up_ends_where_device_present_goes(clock: Clock) -> None:
    one: Any = Switching(clock)
    found = await readings.holdup(one, None)
    assert found.value == pytest.approx(0.75)
    assert found.u == pytest.approx(0)
    one.there = False
    with pytest.raises(NotAvailable, match="Device Present was not there before"):
        await readings.holdup(one, None)
    one.there, one.stops_s = True, 29.0
    assert (await readings.holdup(one, None)).value == pytest.approx(29.0)
    one.stops_s = None
    with pytest.raises(NotAvailable, match="Device Present stayed for 30 s without supply"):
        await readings.holdup(one, None)


@pytest.mark.parametrize(("of", "seconds"), [(None, 0.2), (0.5, 0.5)])
async def test_the_store_is_the_power_by_the_fall_of_the_squares(clock: Clock, of: float | None, seconds: float) -> None:
    one: Any = Switching(clock, volts=[12.0, 12.0, 10.0])
    began = clock.now()
    found = await readings.farads(one, of)
    assert found.value == pytest.approx(2 * 12.0 * 0.2 * seconds / (144 - 100))
    assert clock.now() - began == pytest.approx(seconds)
    with pytest.raises(NotAvailable, match=r"the volts did not fall in 0.2 s"):
        await readings.farads(Switching(clock, volts=[12.0, 12.0, 12.0]), None)  # type: ignore[arg-type]
    assert (await readings.farads(Switching(clock, volts=[12.0, 12.0, 8.0]), None)).value > 0  # type: ignore[arg-type]
    with pytest.raises(NotAvailable, match=r"the hub stopped within the 0.2 s"):
        await readings.farads(Switching(clock, volts=[12.0, 12.0, 7.9]), None)  # type: ignore[arg-type]


async def test_device_present_is_timed_from_the_switch_and_to_its_last_change(clock: Clock) -> None:
    switched = {"switched": Reading(10.0)}
    one = bench(clock, present=[(9.0, False), (10.7, True), (10.8, False), (10.9, True), (11.21, False)], values=switched)
    assert (await readings.present_delay(one, None)).value == pytest.approx(0.7)  # type: ignore[union-attr]
    assert (await readings.present_settle(one, None)).value == pytest.approx(0.2)
    assert (await readings.present_settle(one, 0.6)).value == pytest.approx(0.51)
    assert await readings.present_delay(bench(clock, values=switched), None) == Plain(False, "Device Present never came")
    with pytest.raises(NotAvailable, match="this unit has it hard-wired"):
        await readings.present_delay(bench(clock, present=[(9.0, True)], values=switched), None)
    with pytest.raises(NotAvailable, match="no step of this check noted when that was"):
        await readings.present_delay(bench(clock, present=[*[(10.0, True), (10.1, False)][1:], (10.2, True)]), None)
    with pytest.raises(NotAvailable, match="it never became active"):
        await readings.present_settle(bench(clock), None)
    blurred = bench(clock, present=[(9.0, False), (10.7, True), (10.9, True)], values=switched, resolution_s=0.1)
    assert (await readings.present_settle(blurred, None)).u == pytest.approx(Reading(0.0).widened(0.2).u)
    assert (await readings.present_delay(blurred, None)).u == pytest.approx(Reading(0.0).widened(0.1).u)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "inserted", "removed"),
    [
        ([(0.0, False), (1.0, True)], 1, 0),
        ([(0.0, False), (1.0, True), (1.5, False), (3.0, True)], 1, 0),
        ([(0.0, False), (1.0, True), (1.51, False), (3.0, True)], 2, 1),
        ([(0.0, True), (1.0, False)], 0, 1),
        ([(0.0, True), (1.0, False), (1.2, True)], 0, 0),
        ([(0.0, True)], 0, 0),
    ],
)
async def test_insertions_and_removals_count_where_they_outlast_the_debounce(
    clock: Clock, changes: list[tuple[float, bool]], inserted: int, removed: int
) -> None:
    one = bench(clock)
    one.clock = SimpleNamespace(now=lambda: 10.0)
    one.present = changes
    assert [await readings.told(one, of) for of in ("inserted", "removed")] == [inserted, removed]


async def test_what_the_hub_sees_and_does_is_counted(clock: Clock) -> None:
    side = SimpleNamespace(host_present=True, ac_lost=False)
    one = bench(clock, told={"power True": [1, 2], "power False": [1], "power boot": [1, 2, 3]})
    one.station = SimpleNamespace(bench_jig=SimpleNamespace(hub_side=side), hub=None)
    assert (await readings.hub_sees(one, "host present"), await readings.hub_sees(one, "ac lost")) == (1.0, 0.0)
    assert [await count(one, None) for count in (readings.starts, readings.stops, readings.boots, readings.on_han)] == [2.0, 1.0, 3.0, 0.0]
    one.station.hub = SimpleNamespace(status=SimpleNamespace(network=None))
    assert await readings.on_han(one, None) == 0.0
    one.station.hub.status.network = object()
    assert await readings.on_han(one, None) == 1.0
    one.kept_before, one.kept = {"a": 1, "b": 2, "c": 3}, lambda: {"a": 1, "b": 3, "d": 4}
    assert await readings.kept_same(one, None) == 3.0
    one.own_counter, one.counter_before = lambda: 5, 7
    assert await readings.counter_step(one, None) == -2.0


async def test_a_line_is_seen_after_it_was_driven(clock: Clock) -> None:
    one = bench(clock, values={"lost": Reading(5.0), "restored": Reading(8.0)}, told={"ac lost True": [4.0, 5.25], "ac lost False": [8.5]})
    assert (await readings.seen_after(one, "lost")).value == 0.25  # type: ignore[union-attr]
    assert (await readings.seen_after(one, "restored")).value == 0.5  # type: ignore[union-attr]
    one.told.clear()
    assert await readings.seen_after(one, "lost") == Plain(False, "the hub's end never saw a.c. lost")


async def test_outages_are_told_by_the_alerts_that_came(clock: Clock) -> None:
    one = bench(clock, told={"8F35": [1, 2], "8F36": [3], "AD1": []}, values={"lost": Reading(100.0)})
    assert await readings.alerts(one, ["8F35", "8F36"]) == 3.0
    assert await readings.alerts(one, "8F36") == 1.0
    assert await readings.alerts(one, None) == 0.0
    assert await readings.other_alerts(one, "8F36") == Plain(False, "the outage was told as 8F35")
    assert await readings.other_alerts(one, "8F35") == Plain(False, "the outage was told as 8F36")
    del one.told["8F35"]
    assert await readings.other_alerts(one, "8F36") == Reading(1.0)
    assert await readings.outage_start_error(one, None) == Plain(False, "no AD1 was raised")
    one.told["AD1"] = [SimpleNamespace(detail={}), SimpleNamespace(detail={"began": 99})]
    assert (await readings.outage_start_error(one, None)).value == 1.0  # type: ignore[union-attr]
    one.told["AD1"].append(SimpleNamespace(detail={}))
    with pytest.raises(NotAvailable, match="AD1 carries none"):
        await readings.outage_start_error(one, None)
    assert await readings.last_gasp_delay(one, None) == Plain(False, "no last gasp was sent")
    one.told["power last gasp"] = [SimpleNamespace(time=99.0), SimpleNamespace(time=102.5)]
    assert (await readings.last_gasp_delay(one, None)).value == 2.5  # type: ignore[union-attr]
    with pytest.raises(NotAvailable, match="no alert 8F36 arrived"):
        await readings.outage_length(bench(clock), None)


class Link:
    """A bench link that loses or changes the frames that it is told."""

    def __init__(self, lost: set[int] = frozenset(), changed: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.lost, self.changed = lost, changed
        self.asked: list[tuple[FrameKind, bytes]] = []

    async def ask(self, kind: FrameKind, payload: bytes) -> bytes:
        self.asked.append((kind, payload))
        number = len(self.asked) - 1
        if number in self.lost:
            raise NoAnswer("nothing came")
        return b"other" if number in self.changed else payload


@pytest.mark.parametrize(
    ("lost", "changed", "errors", "asked"),
    [
        (set(), set(), 0, 16),
        ({0}, set(), 1, 16),
        ({3, 7}, set(), 2, 16),
        ({0, 1, 2}, set(), 16, 3),
        ({5, 6, 7}, set(), 11, 8),
        (set(), {0, 1, 2, 3}, 4, 16),
        ({4}, {0, 1}, 14, 5),
    ],
)
async def test_echoes_are_counted_of_sixteen_and_given_up_after_three(
    clock: Clock, lost: set[int], changed: set[int], errors: int, asked: int
) -> None:
    one, link = bench(clock), Link(lost, changed)
    one.link = lambda: link
    assert await readings.echo_errors(one, "text") == errors
    assert len(link.asked) == asked


async def test_the_echoes_cover_every_octet_and_full_swings(clock: Clock) -> None:
    one, link = bench(clock), Link()
    one.link = lambda: link
    for of in ("text", "rest", "pattern"):
        assert await readings.echo_errors(one, of) == 0
    sent = [payload for _, payload in link.asked]
    assert set(b"".join(sent[:32])) == set(range(256))
    assert not set(sent[0]) & set(b"".join(sent[16:32]))
    assert sent[32] == bytes([0x55, 0xAA, 0xFF, 0x00] * 4), "as many edges as there are, and the longest without one"
    assert {kind for kind, _ in link.asked} == {FrameKind.PING}


@pytest.mark.parametrize(("lost", "errors", "asked"), [(set(), 0, 16), ({0, 9}, 2, 16), ({0, 1, 5}, 3, 6)])
async def test_answers_of_another_sequence_are_counted_up_to_three(clock: Clock, lost: set[int], errors: int, asked: int) -> None:
    one, link = bench(clock), Link(lost)
    one.link = lambda: link
    assert await readings.sequence_errors(one, None) == errors
    assert len(link.asked) == asked


@pytest.mark.parametrize(
    ("takes_s", "held_ms", "said"), [(0.0, 500, ""), (0.1, 500, ""), (0.2, 800, ""), (15.0, 60000, ""), (15.1, 0, "takes 15.1 s")]
)
async def test_a_contact_is_held_as_long_as_the_meter_needs_and_a_minute_at_most(
    clock: Clock, takes_s: float, held_ms: int, said: str
) -> None:
    one, link = bench(clock, takes_s=takes_s), Link()
    one.link = lambda: link
    if said:
        with pytest.raises(NotAvailable, match=said):
            await readings.space_volts(one, 8)
        assert not link.asked
        return
    began = clock.now()
    assert (await readings.space_volts(one, 8)).value == 12.0
    ((kind, payload),) = link.asked
    assert kind is FrameKind.SPACE
    assert abs(int.from_bytes(payload, "big") - held_ms) <= 1
    assert clock.now() - began == pytest.approx(2 * takes_s + held_ms / 1000, abs=0.01)


async def test_contacts_are_read_singly_in_lists_and_in_pairs(clock: Clock) -> None:
    asked: list[tuple[int, int]] = []

    async def of(pin: int) -> Reading:
        return Reading(float(pin))

    async def ohms(one: int, other: int) -> Reading:
        asked.append((one, other))
        return Reading(one * 10.0 + other)

    one: Any = SimpleNamespace(jig=SimpleNamespace(probes=SimpleNamespace(volts=of, ripple=of, ohms=ohms)))
    assert (await contacts.volts(one, 3)).value == (await contacts.ripple(one, 3)).value == 3.0
    assert (await contacts.highest_volts(one, [3, 7, 5])).value == 7.0
    assert (await contacts.ohms(one, [[1, 2], [3, 4]])).value == 34.0
    asked.clear()
    assert (await contacts.lowest_ohms(one, {"from": [3, 1], "to": [1, 2, 3]})).value == 12.0
    assert asked == [(1, 2), (1, 3), (2, 3)]
    for wrong in (True, "3", 3.5, None):
        with pytest.raises(BoardError, match="expected the number of a pin"):
            await contacts.volts(one, wrong)
    with pytest.raises(BoardError, match="expected a table with from and to"):
        await contacts.lowest_ohms(one, [1])


# what a rig has watched at a host's port


def watched(clock: Clock, *volts: tuple[float, float, float], mark: Reading | None = None) -> HostBench:
    """A rig that has seen volts from and to these seconds after the mains was switched at 100."""
    one = HostBench.__new__(HostBench)
    one.clock, one.condition = clock, HostCondition()
    one.mark = Reading(100.0) if mark is None else mark
    one.seen = [Sample(100.0 + began, 100.0 + ended, Reading(volt)) for began, ended, volt in volts]
    one.changes = {}
    one._jig = SimpleNamespace(lines=SimpleNamespace(resolution_s=0.0))
    one.profile = {"brownout_threshold": 8.0, "supply_tolerance_low": 11.0}  # type: ignore[assignment]
    return one


FALL = ((0.0, 0.1, 12.0), (0.1, 0.2, 12.0), (0.2, 0.3, 7.9), (0.3, 0.4, 3.0))


async def test_a_supply_falls_between_the_last_reading_above_and_the_first_below(clock: Clock) -> None:
    one = watched(clock, *FALL)
    fell = one.fell_below(8.0)
    assert fell is not None
    assert fell.value == pytest.approx(100.2)
    assert fell.u == pytest.approx(Reading(0.0).widened(0.1).u)
    assert one.fell_below(7.9) is not None
    assert one.fell_below(3.0) is None
    assert one.rose_to(12.0) is not None
    assert one.rose_to(12.1) is None
    held = await host_bench.supply_held(one, None)
    assert isinstance(held, Reading)
    assert held.value == pytest.approx(0.2)
    assert await host_bench.supply_held(watched(clock, (0.0, 0.1, 8.0)), None) == Plain(
        True, "the supply held for as long as it was watched"
    )
    back = await host_bench.supply_back(watched(clock, (0.0, 0.1, 3.0), (0.1, 0.2, 11.0), (0.2, 0.3, 12.0)), None)
    assert isinstance(back, Reading)
    assert back.value == pytest.approx(0.1)
    assert await host_bench.supply_back(watched(clock, (0.0, 0.1, 10.9)), None) == Plain(False, "the supply did not come back")
    early = watched(clock, (-0.5, -0.4, 3.0), *FALL)
    found = early.fell_below(8.0)
    assert found is not None
    assert found.value == pytest.approx(100.2), "what was before the switch is no finding"


async def test_one_low_reading_alone_is_no_finding(clock: Clock) -> None:
    from firmware_emu.errors import JigError

    with pytest.raises(JigError, match=r"one reading alone of 7.9 V stands between others"):
        watched(clock, (0.0, 0.1, 12.0), (0.1, 0.2, 7.9), (0.2, 0.3, 12.0)).fell_below(8.0)
    assert watched(clock, (0.0, 0.1, 12.0), (0.1, 0.2, 7.9)).fell_below(8.0) is not None


async def test_an_extreme_is_as_sure_as_its_nearest_neighbour_is_near(clock: Clock) -> None:
    one = watched(clock, (0.0, 0.1, 12.0), (0.1, 0.2, 11.0), (0.2, 0.3, 11.5), (0.3, 0.4, 13.0))
    low, high = await host_bench.lowest_watched(one, None), await host_bench.highest_watched(one, None)
    assert (low.value, high.value) == (11.0, 13.0)
    assert low.u == pytest.approx(Reading(0.0).widened(0.5).u)
    assert high.u == pytest.approx(Reading(0.0).widened(1.5).u)
    alone = await host_bench.lowest_watched(watched(clock, (0.0, 0.1, 12.0)), None)
    assert alone.u == 0.0


async def test_lines_are_timed_from_the_mains_and_from_the_supply(clock: Clock) -> None:
    lost, present = signal("AC LO"), signal("MT_PR")
    one = watched(clock, *FALL)
    one.changes = {"AC LO": [(99.9, lost.level(True)), (100.05, lost.level(True)), (100.5, lost.level(False))]}
    for read, seconds in (
        (host_bench.ac_lost_after, 0.05),
        (host_bench.ac_restored_after, 0.5),
        (host_bench.warned_before, 0.15),
    ):
        found = await read(one, None)
        assert isinstance(found, Reading)
        assert found.value == pytest.approx(seconds), read.__name__
    one.changes = {}
    assert await host_bench.ac_lost_after(one, None) == Plain(False, "AC Lost was not told")
    assert await host_bench.ac_restored_after(one, None) == Plain(False, "AC Lost was not released")
    assert await host_bench.warned_before(one, None) == Plain(False, "AC Lost was not told")
    assert await host_bench.present_after(one, None) == Plain(False, "Host Present did not come")
    one.changes = {"MT_PR": [(100.4, present.level(True))], "AC LO": [(100.05, lost.level(True))]}
    came = await host_bench.present_after(one, None)
    assert isinstance(came, Reading)
    assert came.value == pytest.approx(0.35)
    one.seen = [Sample(100.0, 100.1, Reading(9.0))]
    assert await host_bench.present_after(one, None) == Plain(False, "the supply did not come back")
    assert await host_bench.warned_before(one, None) == Plain(True, "the supply held for as long as it was watched")
