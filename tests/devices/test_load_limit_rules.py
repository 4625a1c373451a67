"""The load limit, and maximum demand, each rule at its edge (SMETS load limiting: above the limit for the whole period)."""

import pytest

from hil.devices.esme.metering import ABOVE_LIMIT, LIMIT_DISABLED, LIMIT_RESTORED, LoadLimit, LoadLimiter, LoadSwitch, MaximumDemand

LIMIT = LoadLimit(watts=1_000, period=60, restoration=300, disables=True)
ONLY_TELLS = LoadLimit(watts=1_000, period=60, restoration=300, disables=False)


class _Meter:
    """A load switch that moves, or refuses the states in ``stuck``."""

    def __init__(self, *stuck: LoadSwitch) -> None:
        self.told: list[int] = []
        self.moved: list[LoadSwitch] = []
        self._stuck = stuck
        self.limiter = LoadLimiter(self.told.append, self._move)

    def _move(self, state: LoadSwitch) -> bool:
        self.moved.append(state)
        return state not in self._stuck

    def watch(self, now: int, watts: int, limit: LoadLimit = LIMIT, switch: LoadSwitch = LoadSwitch.ENABLED) -> None:
        self.limiter.watch(now, lambda: watts, switch, limit)


@pytest.mark.parametrize(("watts", "counted"), [(999, 0), (1_000, 0), (1_001, 1)])
def test_only_power_above_the_limit_counts(watts: int, counted: int) -> None:
    meter = _Meter()
    meter.watch(0, watts, ONLY_TELLS)
    meter.watch(60, watts, ONLY_TELLS)
    assert (meter.limiter.counter, meter.told) == (counted, [ABOVE_LIMIT] * counted)


@pytest.mark.parametrize(("after", "counted"), [(59, 0), (60, 1), (61, 1)])
def test_power_counts_once_it_was_above_the_limit_for_the_whole_period(after: int, counted: int) -> None:
    meter = _Meter()
    meter.watch(10, 2_000, ONLY_TELLS)
    meter.watch(10 + after, 2_000, ONLY_TELLS)
    assert meter.limiter.counter == counted


def test_a_limit_of_no_watts_watches_nothing() -> None:
    meter = _Meter()
    nothing = LoadLimit(0, 0, 0, True)
    meter.watch(0, 2_000, nothing)
    assert (meter.told, meter.limiter.next_moment(nothing)) == ([], None)


def test_one_excess_is_told_once_and_the_next_after_a_return_is_told_again() -> None:
    meter = _Meter()
    for now, watts in ((0, 2_000), (60, 2_000), (200, 2_000), (201, 500), (202, 2_000), (262, 2_000)):
        meter.watch(now, watts, ONLY_TELLS)
    assert (meter.limiter.counter, meter.moved) == (2, [])


@pytest.mark.parametrize(("after", "told"), [(299, []), (300, [LIMIT_RESTORED]), (301, [LIMIT_RESTORED])])
def test_supply_returns_when_the_restoration_period_is_over(after: int, told: list[int]) -> None:
    meter = _Meter()
    meter.watch(0, 2_000)
    meter.watch(60, 2_000)
    assert meter.moved == [LoadSwitch.DISABLED, LoadSwitch.ARMED]
    assert meter.limiter.next_moment(LIMIT) == 60 + 300
    meter.watch(60 + after, 0, switch=LoadSwitch.ARMED)
    assert meter.told == [ABOVE_LIMIT, LIMIT_DISABLED, *told]


@pytest.mark.parametrize("stuck", [LoadSwitch.DISABLED, LoadSwitch.ARMED], ids=["disabled", "armed"])
def test_a_switch_that_does_not_move_tells_of_no_disablement(stuck: LoadSwitch) -> None:
    meter = _Meter(stuck)
    meter.watch(0, 2_000)
    meter.watch(60, 2_000)
    assert (meter.told, meter.limiter.restore_at, meter.limiter.tripped) == ([ABOVE_LIMIT], None, True)


def test_a_switch_that_somebody_else_moved_is_left_alone() -> None:
    meter = _Meter()
    meter.watch(0, 2_000)
    meter.watch(60, 2_000)
    meter.watch(400, 0, switch=LoadSwitch.ENABLED)
    assert (meter.told, meter.limiter.restore_at) == ([ABOVE_LIMIT, LIMIT_DISABLED], None)


def test_it_looks_again_at_the_end_of_the_period_and_not_once_it_has_told() -> None:
    meter = _Meter()
    meter.watch(5, 2_000, ONLY_TELLS)
    assert meter.limiter.next_moment(ONLY_TELLS) == 5 + 60
    meter.watch(65, 2_000, ONLY_TELLS)
    assert meter.limiter.next_moment(ONLY_TELLS) is None


def test_maximum_demand_is_the_mean_power_of_the_first_of_the_largest_half_hours() -> None:
    demand = MaximumDemand()
    for end, watt_hours in ((1_800, 500), (3_600, 7_000), (5_400, 7_000), (7_200, 100)):
        demand.offer(end, watt_hours)
    assert (demand.watts, demand.at, demand.reset_at) == (14_000, 3_600, 0)
    demand.reset(9_000)
    assert (demand.watts, demand.at, demand.reset_at) == (0, 9_000, 9_000)


def test_a_meter_that_has_measured_nothing_has_no_maximum_demand() -> None:
    assert MaximumDemand().state() == {"watts": 0, "at": 0, "reset_at": 0}


def test_power_that_stays_above_the_limit_though_supply_was_disabled_is_a_new_excess() -> None:
    meter = _Meter()
    for now in (0, 60):
        meter.watch(now, 2_000)
    for now in (61, 121):
        meter.watch(now, 2_000, switch=LoadSwitch.ARMED)
    assert meter.limiter.counter == 2
