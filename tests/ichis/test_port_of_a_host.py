"""The modelled port of a host by its datasheet: each volt, ohm and second of :class:`ichis.host_port.HostCondition`, at and beside it."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.trace import Trace
from ichis.connector import PINS, Level, signal
from ichis.host_port import HostCondition, HostPort
from ichis.jig import OPEN_OHM

SENDS = next(pin for pin in PINS if pin.symbol == "TX_MT")


def port(clock: Clock, **facts: Any) -> HostPort:
    return HostPort(clock, Trace(clock.now), HostCondition(**facts))


async def fed(clock: Clock, **facts: Any) -> HostPort:
    one = port(clock, **facts)
    one.mains(True)
    await clock.sleep(10)
    assert one.fed
    return one


async def until(clock: Clock, one: HostPort, on: bool) -> float:
    """Bench seconds until the supply is so."""
    began = clock.now()
    while one.fed is not on:
        await clock.sleep(0.01)
        assert clock.now() - began < 60
    return clock.now() - began


@pytest.mark.parametrize(
    ("facts", "seated", "seconds"),
    [
        ({"start_s": 0.5}, False, 0.5),
        ({"start_s": 0.5, "start_unseated_s": 2.0}, False, 2.0),
        ({"start_s": 0.5, "start_unseated_s": 2.0}, True, 0.5),
    ],
)
async def test_supply_and_host_present_come_after_the_mains(clock: Clock, facts: dict[str, float], seated: bool, seconds: float) -> None:
    one = port(clock, present_s=0.2, **facts)
    one.seat(seated)
    began = clock.now()
    one.mains(True)
    assert not one.fed
    assert one.volts() == one.contact_volts(1) == 0.0
    assert await until(clock, one, True) == pytest.approx(seconds, abs=0.011)
    assert one.level(signal("MT_PR")) is signal("MT_PR").reads_open
    await clock.sleep(0.5)
    assert one.level(signal("MT_PR")) is signal("MT_PR").level(True)
    ((at, level),) = one.changes("MT_PR", began)
    assert at - began == pytest.approx(seconds + 0.2, abs=1e-6)
    assert level is signal("MT_PR").level(True)
    assert one.changes("MT_PR", at) == [(at, level)]
    assert not one.changes("MT_PR", at + 0.001)


@pytest.mark.parametrize(("amperes", "seconds"), [(0.0, 0.7), (1.0, 0.7), (1.01, 0.3)])
async def test_supply_goes_after_the_mains_sooner_under_a_load_of_more_than_an_ampere(clock: Clock, amperes: float, seconds: float) -> None:
    one = await fed(clock, holdup_s=0.7, holdup_peak_s=0.3)
    one.load(amperes)
    one.mains(False)
    assert await until(clock, one, False) == pytest.approx(seconds, abs=0.011)
    assert one.level(signal("MT_PR")) is signal("MT_PR").level(False), "Host Present goes with the supply"
    plain = await fed(clock, holdup_s=0.7)
    plain.load(amperes)
    plain.mains(False)
    assert await until(clock, plain, False) == pytest.approx(0.7, abs=0.011)


async def test_the_loss_of_the_mains_is_told_and_its_return(clock: Clock) -> None:
    one = port(clock, ac_lost_s=0.03, ac_restored_s=0.05)
    lost = signal("AC LO")
    began = clock.now()
    one.mains(True)
    one.mains(True)
    await clock.sleep(1)
    one.mains(False)
    one.mains(False)
    await clock.sleep(0.2)
    assert one.fed, "it holds up for 0.7 s"
    one.mains(True)
    await clock.sleep(2)
    assert one.fed, "the mains came back in time"
    told = [(round(at - began, 3), level) for at, level in one.changes("AC LO", began)]
    assert told == [(0.05, lost.level(False)), (1.03, lost.level(True)), (1.25, lost.level(False))]


async def test_a_host_that_misses_a_start_does_so_after_that_many_losses_within_five_minutes(clock: Clock) -> None:
    for rest_s, missed in ((200.0, True), (298.0, True), (299.0, False), (400.0, False)):
        one = await fed(clock, misses_start_after=3)
        for number in range(3):
            one.mains(False)
            await clock.sleep(1)
            assert not one.fed
            one.mains(True)
            await clock.sleep(rest_s if number < 2 else 5)
        assert one.fed is not missed, rest_s
        if missed:
            one.mains(False)
            await clock.sleep(1)
            one.mains(True)
            await clock.sleep(5)
            assert one.fed, "once"


async def test_volts_fall_by_load_warmth_and_limit_and_rise_when_a_load_goes(clock: Clock) -> None:
    one = await fed(clock, open_volts=12.2, source_ohm=0.5, sag_v=0.3, limit_a=1.9, pulse_limit_a=2.6, release_overshoot_v=0.2)
    assert one.volts() == pytest.approx(12.2)
    assert (one.limit_a, one.amperes(), one.ripple()) == (1.9, 0.0, 0.0)
    one.load(1.0)
    assert one.volts() == pytest.approx(11.7)
    assert one.amperes() == 1.0
    assert one.ripple() == pytest.approx(0.08)
    await clock.sleep(5.0)
    assert one.volts() == pytest.approx(11.7)
    await clock.sleep(0.01)
    assert one.volts() == pytest.approx(11.4), "warm after five seconds"
    one.load(0.5)
    assert one.volts() == pytest.approx(12.2 - 0.3 - 0.25), "an ampere is no peak"
    one.load(0.0)
    assert one.volts() == pytest.approx(12.2), "without a load nothing sags"
    one.load(1.5)
    one.load(0.0)
    assert one.volts() == pytest.approx(12.4)
    await clock.sleep(0.049)
    assert one.volts() == pytest.approx(12.4)
    await clock.sleep(0.002)
    assert one.volts() == pytest.approx(12.2), "for 50 ms"
    one.load(2.6)
    assert one.volts() == pytest.approx(10.9), "out of its own capacitors"
    await clock.sleep(0.0099)
    assert one.volts() == pytest.approx(10.9)
    await clock.sleep(0.0002)
    assert (one.volts(), one.amperes()) == (0.5, 0.0), "for 10 ms"
    one.load(1.9)
    await clock.sleep(1)
    assert one.volts() == pytest.approx(12.2 - 0.95)
    one.load(2.61)
    assert one.volts() == 0.5


@pytest.mark.parametrize(("amperes", "after"), [(1.0, 11.9), (1.2, 0.5)])
async def test_a_host_that_tires_gives_more_than_an_ampere_for_its_time(clock: Clock, amperes: float, after: float) -> None:
    one = await fed(clock, peak_s=2.0, open_volts=12.2, source_ohm=0.3)
    one.load(amperes)
    await clock.sleep(2.0)
    assert one.volts() == pytest.approx(12.2 - 0.3 * amperes)
    await clock.sleep(0.01)
    assert one.volts() == pytest.approx(after)


@pytest.mark.parametrize(
    ("open_pins", "gives"), [({1}, True), ({2}, True), ({3, 1}, True), ({1, 2}, False), ({3, 4}, False), ({2, 3}, True), ({1, 2, 3}, False)]
)
async def test_a_pair_of_supply_contacts_carries_while_one_of_them_does(clock: Clock, open_pins: set[int], gives: bool) -> None:
    one = await fed(clock, open_pins=frozenset(open_pins))
    assert (one.volts() > 1) is gives
    for number in (1, 2):
        assert (one.contact_volts(number) > 1) is (gives and number not in open_pins)
    for number in (3, 4):
        assert one.contact_volts(number) == 0.0
    for pair, there in (((1, 2), not {1, 2} & open_pins), ((4, 3), not {3, 4} & open_pins)):
        assert one.ohms(*pair) == (0.02 if there else OPEN_OHM)


async def test_contacts_are_apart_unless_they_are_one_a_pair_or_short(clock: Clock) -> None:
    one = port(clock, shorts=frozenset({(5, 9)}))
    assert one.ohms(7, 7) == 0.0
    assert one.ohms(1, 3) == one.ohms(5, 8) == one.ohms(1, 4) == OPEN_OHM
    assert one.ohms(9, 5) == one.ohms(5, 9) == 0.5
    for number in (0, 21, -1):
        with pytest.raises(JigError, match=f"there is no pin {number}: expected 1 to 20"):
            one.ohms(1, number)
        with pytest.raises(JigError, match=f"there is no pin {number}: expected 1 to 20"):
            one.contact_volts(number)


async def test_lines_have_the_levels_of_their_state_and_the_volts_of_their_level(clock: Clock) -> None:
    one = await fed(clock)
    present, mine = signal("MT_PR"), signal("CH_PR")
    assert one.level(mine) is mine.reads_open
    one.seat(True)
    assert one.level(mine) is mine.level(True)
    assert one.contact_volts(mine.number) == {Level.LOW: 0.15, Level.HIGH: 3.1}[mine.level(True)]
    assert one.level(present) is present.level(True), "Host Present stays with a hub in the socket"
    assert one.level(SENDS) is Level.LOW
    other = await fed(
        clock,
        idle_inverted=True,
        lets_go_when_seated=True,
        missing_pull_ups=frozenset({"CH_PR"}),
        level_volts={"TX_MT high": 2.2},
        open_pins=frozenset({signal("AC LO").number}),
    )
    assert other.level(SENDS) is Level.HIGH
    assert other.contact_volts(SENDS.number) == 2.2
    assert other.level(mine) is Level.LOW, "nothing pulls it up"
    assert other.level(signal("AC LO")) is signal("AC LO").reads_open
    assert other.level(present) is present.level(True)
    other.seat(True)
    assert other.level(present) is present.level(False)
    other.seat(False)
    assert other.level(present) is present.level(True)


async def test_unseated_volts_are_those_without_a_hub(clock: Clock) -> None:
    one = await fed(clock, open_volts=12.2, unseated_volts=12.9)
    assert one.open_volts() == one.volts() == 12.9
    one.seat(True)
    assert one.open_volts() == one.volts() == 12.2


async def test_what_is_observed_is_a_point_a_millisecond_and_is_in_the_curve(clock: Clock) -> None:
    one = await fed(clock)
    before, began = len(one.curve), clock.now()
    seen = await one.observe(0.05)
    assert [round(at - began, 6) for at, _ in seen] == [round(number / 1000, 6) for number in range(51)]
    assert {volts for _, volts in seen} == {12.2}
    assert one.curve[before:] == seen
    one.mains(False)
    one.close()
    await clock.sleep(5)
    assert one.fed, "nothing further happens"
