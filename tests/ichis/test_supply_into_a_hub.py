"""The model between a supply and a hub by its datasheet (:class:`ichis.condition.Condition`): each volt, watt and second, and beside it."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.hub_input import HubInput
from ichis.hub_side import HubSide


class Unit:
    """The model, and when its hub ran and stopped."""

    def __init__(self, clock: Clock, **facts: Any) -> None:
        self.clock, self.side = clock, HubSide()
        self.side.host_present = True
        self.power: list[tuple[float, bool]] = []
        self.began = clock.now()
        self.side.listen(power=lambda on: self.power.append((round(clock.now() - self.began, 6), on)))
        self.input = HubInput(clock, self.side, Trace(clock.now), Condition(**facts))

    def give(self, volts: float, limit_a: float = 2.0, on: bool = True) -> None:
        self.input.source(volts, limit_a, on)

    @property
    def runs(self) -> bool:
        return self.side.powered


@pytest.mark.parametrize(("volts", "runs"), [(9.99, False), (10.0, True), (12.0, True)])
async def test_a_hub_starts_cold_from_ten_volts(clock: Clock, volts: float, runs: bool) -> None:
    unit = Unit(clock, cold_start_v=10.0, cable_ohm=0.0)
    unit.give(volts)
    assert unit.runs is runs


@pytest.mark.parametrize(("volts", "runs"), [(8.49, False), (8.5, True), (9.0, True)])
async def test_a_running_hub_resets_below_its_brown_out(clock: Clock, volts: float, runs: bool) -> None:
    unit = Unit(clock, brownout_v=8.5, cable_ohm=0.0)
    unit.give(12.0)
    unit.give(volts)
    assert unit.runs is runs


@pytest.mark.parametrize(("volts", "runs"), [(9.79, False), (9.8, True)])
async def test_after_a_brown_out_it_starts_again_from_its_recovery(clock: Clock, volts: float, runs: bool) -> None:
    unit = Unit(clock, recovery_v=9.8, cold_start_v=10.5, cable_ohm=0.0)
    unit.give(12.0)
    unit.give(8.0)
    unit.give(volts)
    assert not unit.runs, "not at once"
    await clock.sleep(0.19)
    assert not unit.runs
    await clock.sleep(0.02)
    assert unit.runs is runs


@pytest.mark.parametrize("trip", [None, 13.0])
async def test_an_overvoltage_stops_and_keeps_it_from_starting(clock: Clock, trip: float | None) -> None:
    unit = Unit(clock, overvoltage_trip_v=trip, cable_ohm=0.0)
    unit.give(13.0)
    assert unit.runs
    unit.give(13.01)
    assert unit.runs is (trip is None)
    fresh = Unit(clock, overvoltage_trip_v=trip, cable_ohm=0.0)
    fresh.give(13.01)
    assert fresh.runs is (trip is None)


@pytest.mark.parametrize(("load_w", "holdup_s"), [(2.4, 0.5), (4.8, 0.5), (2.4, 1.0)])
async def test_the_store_carries_the_hub_for_its_hold_up_from_the_nominal_volts(clock: Clock, load_w: float, holdup_s: float) -> None:
    unit = Unit(clock, load_w=load_w, holdup_s=holdup_s, cable_ohm=0.0)
    unit.give(12.0)
    unit.give(12.0, on=False)
    await clock.sleep(5)
    (started, _), (stopped, on) = unit.power
    assert stopped - started == pytest.approx(holdup_s, abs=1e-5)
    assert not on
    of_its_own = Unit(clock, capacitance_f=2 * load_w * holdup_s / (144 - 72.25), load_w=load_w, holdup_s=99, cable_ohm=0.0)
    of_its_own.give(12.0)
    of_its_own.give(12.0, on=False)
    await clock.sleep(5)
    assert of_its_own.power[1][0] == pytest.approx(holdup_s, abs=1e-5)


async def test_the_store_falls_as_the_square_root_and_bleeds_slowly_without_a_hub(clock: Clock) -> None:
    unit = Unit(clock, capacitance_f=0.1, load_w=2.4, cable_ohm=0.0, cut_off_v=8.0)
    unit.give(12.0)
    unit.give(12.0, on=False)
    assert unit.input.pin_volts() == pytest.approx(12.0)
    await clock.sleep(1.0)
    assert unit.input.pin_volts() == pytest.approx((144 - 2 * 2.4 * 1.0 / 0.1) ** 0.5)
    await clock.sleep(1.0)
    stopped, _ = unit.power[-1]
    assert stopped == pytest.approx((144 - 64) * 0.1 / 4.8)
    since = clock.now() - unit.began - stopped
    assert unit.input.pin_volts() == pytest.approx((64 - 2 * 0.5 * since / 0.1) ** 0.5)
    await clock.sleep(100)
    assert unit.input.pin_volts() == 0.0


async def test_what_flows_is_the_power_by_the_volts_and_what_the_unit_adds(clock: Clock) -> None:
    facts = {"load_w": 2.4, "input_loss_w": 1.2, "low_volts_extra_a": 0.5, "leakage_a": 0.003, "open_data_extra_a": 0.1, "cable_ohm": 0.15}
    unit = Unit(clock, supply_gain=1.0, **facts)
    unit.give(5.0)
    assert (unit.runs, unit.input.amperes()) == (False, 0.003)
    unit.give(12.0)
    assert unit.input.amperes() == pytest.approx(3.6 / 12)
    assert unit.input.pin_volts() == pytest.approx(12.0 - 0.15 * 3.6 / 12)
    for volts, amperes in ((11.5, 2.4 / 11.5), (11.51, 3.6 / 11.51), (11.0, 2.4 / 11.0), (10.99, 2.4 / 10.99 + 0.5)):
        unit.give(volts)
        assert unit.input.amperes() == pytest.approx(amperes), volts
    unit.give(12.0)
    unit.input.wire_data(False)
    assert unit.input.amperes() == pytest.approx(3.6 / 12 + 0.1)
    unit.input.wire_data(True)
    gained = Unit(clock, supply_gain=1.1)
    gained.give(12.0)
    assert gained.input.terminal_volts() == pytest.approx(13.2)
    gained.give(12.0, on=False)
    assert (gained.input.terminal_volts(), gained.input.amperes()) == (0.0, 0.0)


@pytest.mark.parametrize(("limit_a", "collapses"), [(0.2, False), (0.199, True)])
async def test_a_supply_limited_below_what_the_hub_needs_collapses(clock: Clock, limit_a: float, collapses: bool) -> None:
    unit = Unit(clock, load_w=2.4)
    unit.give(12.0)
    unit.give(12.0, limit_a)
    if not collapses:
        assert unit.input.terminal_volts() == 12.0
        return
    assert (unit.input.terminal_volts(), unit.input.amperes()) == (0.5, limit_a)
    await clock.sleep(2)
    assert not unit.runs
    assert unit.input.terminal_volts() == 0.5, "it stays in its limit"
    unit.give(12.0, 2.0)
    assert unit.runs


@pytest.mark.parametrize("latch", [True, False])
async def test_a_unit_may_stay_off_after_an_overload_until_it_was_switched_off(clock: Clock, latch: bool) -> None:
    unit = Unit(clock, load_w=2.4, overload_latch=latch)
    unit.give(12.0)
    unit.give(12.0, 0.1)
    await clock.sleep(2)
    unit.give(12.0, 2.0)
    await clock.sleep(2)
    assert unit.runs is not latch
    unit.give(12.0, 2.0, on=False)
    await clock.sleep(2)
    unit.give(12.0, 2.0)
    await clock.sleep(2)
    assert unit.runs


@pytest.mark.parametrize(
    ("open_pins", "fed"), [(set(), True), ({1}, True), ({2, 3}, True), ({1, 2}, False), ({3, 4}, False), ({1, 2, 3}, False), ({7, 8}, True)]
)
async def test_a_pair_of_contacts_carries_while_one_of_them_does(clock: Clock, open_pins: set[int], fed: bool) -> None:
    unit = Unit(clock, open_pins=frozenset(open_pins))
    unit.give(12.0)
    assert (unit.input.feeding, unit.runs) == (fed, fed)
    unit.input.seat(False)
    assert not unit.input.feeding


@pytest.mark.parametrize(("peak_a", "limit_a", "runs"), [(0.0, 0.3, True), (1.0, 1.0, True), (1.0, 0.99, False)])
async def test_a_cold_start_needs_the_current_of_its_peak(clock: Clock, peak_a: float, limit_a: float, runs: bool) -> None:
    unit = Unit(clock, start_peak_a=peak_a)
    unit.give(12.0, limit_a)
    assert unit.runs is runs


async def test_the_inrush_shows_once_as_far_as_the_limit_lets_it(clock: Clock) -> None:
    unit = Unit(clock, inrush_a=1.1)
    unit.give(12.0, 2.0)
    assert unit.input.peak_a == 1.1
    unit.give(12.0, 2.0, on=False)
    unit.give(12.0, 2.0)
    assert unit.input.peak_a == 0.0, "the store was full still"
    limited = Unit(clock, inrush_a=1.1)
    limited.give(12.0, 0.7)
    assert limited.input.peak_a == 0.7


@pytest.mark.parametrize(("off_s", "reset"), [(0.009, False), (0.01, True), (0.02, True), (0.021, False)])
async def test_interruptions_of_a_length_between_two_reset_the_hub(clock: Clock, off_s: float, reset: bool) -> None:
    unit = Unit(clock, glitch_reset_s=(0.0095, 0.0205))
    unit.give(12.0)
    unit.give(12.0, on=False)
    await clock.sleep(off_s)
    unit.give(12.0)
    assert (len(unit.power) > 1) is reset
    await clock.sleep(1)
    assert unit.runs


@pytest.mark.parametrize(("short_s", "latched"), [(0.3, False), (0.7, True)])
async def test_a_dip_shorter_than_its_latch_keeps_the_hub_off(clock: Clock, short_s: float, latched: bool) -> None:
    unit = Unit(clock, short_dip_latch_s=short_s, cable_ohm=0.0)
    unit.give(12.0)
    unit.give(8.0)
    await clock.sleep(0.5)
    unit.give(12.0)
    await clock.sleep(1)
    assert unit.runs is not latched


@pytest.mark.parametrize(("rise_s", "starts"), [(0.9, True), (1.1, False)])
async def test_a_rise_that_takes_too_long_locks_a_cold_start_out(clock: Clock, rise_s: float, starts: bool) -> None:
    unit = Unit(clock, slow_ramp_lockout_s=1.0, cable_ohm=0.0)
    unit.give(2.9)
    await clock.sleep(5)
    unit.give(3.0)
    await clock.sleep(rise_s)
    unit.give(12.0)
    assert unit.runs is starts


@pytest.mark.parametrize(("count", "last"), [(3, False), (4, True)])
async def test_so_many_starts_in_so_many_seconds_are_all(clock: Clock, count: int, last: bool) -> None:
    unit = Unit(clock, starts_in_window=(count, 60.0), cable_ohm=0.0)
    for _ in range(4):
        unit.give(12.0)
        await clock.sleep(1)
        ran = unit.runs
        unit.give(0.0)
        await clock.sleep(3)
    assert ran is last
    await clock.sleep(60)
    unit.give(12.0)
    assert unit.runs, "the window has passed"


@pytest.mark.parametrize(
    ("needs", "there"), [("needs_host_present", True), ("needs_host_present", False), ("needs_data_pair", True), ("needs_data_pair", False)]
)
async def test_a_unit_may_need_the_hosts_lines_to_start(clock: Clock, needs: str, there: bool) -> None:
    unit = Unit(clock, **{needs: True})
    unit.side.host_present = there
    unit.input.wire_data(there)
    unit.give(12.0)
    assert unit.runs is there
    free = Unit(clock)
    free.side.host_present = False
    free.input.wire_data(False)
    free.give(12.0)
    assert free.runs


@pytest.mark.parametrize(("lockup", "live", "runs"), [(True, True, False), (True, False, True), (False, True, True)])
async def test_a_unit_may_lock_up_when_it_is_put_into_a_live_socket(clock: Clock, lockup: bool, live: bool, runs: bool) -> None:
    unit = Unit(clock, hot_insertion_lockup=lockup)
    unit.input.seat(False)
    if live:
        unit.give(12.0)
    unit.input.seat(True)
    unit.input.reconsider()
    unit.give(12.0)
    assert unit.runs is runs


async def test_points_are_played_in_turn_and_others_in_their_place(clock: Clock) -> None:
    unit = Unit(clock, cable_ohm=0.0)
    unit.give(12.0)
    unit.input.play([(11.0, 0.5), (10.0, 0.5), (12.0, 0.0)])
    seen = []
    for _ in range(3):
        await clock.sleep(0.4)
        seen.append(unit.input.terminal_volts())
    assert seen == [11.0, 10.0, 12.0]
    unit.input.play([(11.0, 0.5), (9.0, 0.5)])
    unit.input.play([(12.0, 0.5)])
    await clock.sleep(2)
    assert unit.input.terminal_volts() == 12.0
    unit.input.play([(11.0, 0.5), (9.0, 0.5)])
    await clock.sleep(0.1)
    unit.input.close()
    await clock.sleep(2)
    assert unit.input.terminal_volts() == 11.0, "nothing is to come any more"
