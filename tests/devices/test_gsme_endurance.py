"""A gas meter over time: a month to the penny and the litre, a clock that is set, power cuts, a battery taken out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.joining import ServedTime
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.declare import FieldValue
from hil.devices import Gsme, Valve
from hil.devices.metering.registers import DAY_S, HOUR_S, boiler
from tests.devices.device_home import Home
from tests.devices.gas_money import (
    BLOCKS,
    KWH_A_LITRE,
    POUND,
    SUMMATION,
    TARIFF,
    TIERS,
    WEEKENDS,
    Bench,
    prices,
)


@pytest.fixture
def bench(device_pki: Keystore) -> Bench:
    return Bench(device_pki)


def test_a_month_adds_up_to_the_penny_and_the_litre(device_pki: Keystore) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    bench = Bench(device_pki, boiler, begin)
    bench.do(TARIFF, *WEEKENDS, *prices(9_613, 10_207, 10_751, standing=22_465))
    bench.adjust(900 * POUND)
    bench.prepay()
    bench.owe(1, 30 * POUND, rate=71_003, frequency=1)
    bench.owe(5, 10 * POUND, share=2500)
    change = datetime(2026, 1, 20, 6, tzinfo=UTC)
    when = int((change - EPOCH).total_seconds())
    bench.do(TARIFF, *prices(11_111, 13_131, start=when, standing=31_000, thresholds=(200,)))

    litres, cost, debt, owed, credit = [0, 0, 0], Fraction(0), 30 * POUND, 10 * POUND, 900 * POUND
    in_blocks, threshold = 0, -(-(200 * KWH_A_LITRE.denominator) // KWH_A_LITRE.numerator)
    for number in range(31):
        today = date(2026, 1, 1) + timedelta(days=number)
        rate = 2 if today == date(2026, 1, 5) else int(today.weekday() >= 5)
        for half_hour in range(48):
            flow = boiler(half_hour) // 2
            if (today, half_hour) < (change.date(), 12):
                litres[rate] += flow
                cost += flow * KWH_A_LITRE * (9_613, 10_207, 10_751)[rate]
            else:
                cheap = max(0, min(flow, threshold - in_blocks))
                cost += (cheap * 11_111 + (flow - cheap) * 13_131) * KWH_A_LITRE
                in_blocks += flow
        cost += 22_465 if today < change.date() else 31_000  # at the midnight that ends the day
        paid = min(debt, 71_003)
        debt -= paid
        cost += paid
        bench.go(DAY_S)
        if today.weekday() == 2:
            bench.top_up(20)
            share = min(owed, 5 * POUND)
            owed -= share
            credit += 20 * POUND - share

    assert bench.balance == credit - cost
    assert bench.all(TIERS) == [*litres, 0]
    assert bench.all(BLOCKS) == [threshold, in_blocks - threshold, 0, 0]
    assert bench.read(*SUMMATION) == sum(litres) + in_blocks == 31 * sum(boiler(half_hour) for half_hour in range(48)) // 2
    assert (bench.read(0x0705, 0x0211), bench.read(0x0705, 0x0231)) == (debt, owed)
    assert sum(period.amount for period in bench.gsme.register.profile) == bench.read(*SUMMATION)


SNAPSHOT: dict[str, FieldValue] = {
    "summation": 3 * DAY_S,
    "tiers": 4,
    "tier_summations": ({"value": 2 * DAY_S}, {"value": DAY_S}, {"value": 0}, {"value": 0}),
    "tiers_and_blocks": 4,
    "block_summations": ({"value": 0},) * 4,
}
"""Snapshot that Saturday's end finds."""


def shown(bench: Bench) -> list[object]:
    """All that must survive."""
    metering = bench.gsme.metering
    return [
        bench.all(TIERS),
        bench.all(BLOCKS),
        bench.read(*SUMMATION),
        metering.account.state(),
        metering.bill,
        metering.supply,
        list(bench.gsme.register.profile),
        list(bench.gsme.register.snapshots),
        bench.gsme.register.today,
    ]


@pytest.mark.clause("SMETS 4.6.5.7")
def test_a_daily_snapshot_tells_the_rates(bench: Bench) -> None:
    bench.do(TARIFF, *WEEKENDS, *prices(10_000, 20_000, 30_000))
    bench.go(3 * DAY_S)
    asked = METERING.to_server[0x06].encode({"from": 0, "to": 0xFFFFFFFE, "offset": 2, "cause": 1})
    answers = bench.gsme.model.logs.snapshot(Component(METERING.id, 0x01, 0, 0x06, asked))
    assert isinstance(answers, list)
    (answer,) = answers
    found = METERING.to_client[0x06].decode(answer.payload)
    assert found["total_found"] == 3
    body = answer.payload[-len(GB_SNAPSHOT.encode(dict(SNAPSHOT))) :]
    assert GB_SNAPSHOT.decode(body) == SNAPSHOT


def test_a_clock_that_is_set_moves_the_count_and_nothing_flows_or_is_lost_by_it(bench: Bench) -> None:
    bench.go(HOUR_S)
    bench.gsme.hub_time = ServedTime(600, True)  # the hub's clock is ten minutes ahead of the bench's
    assert bench.gsme.set_clock(0, bench.gsme.now() + 1000)
    bench.gsme.update()
    assert round(bench.gsme.clock_offset) == 600
    assert bench.read(*SUMMATION) == HOUR_S
    bench.go(60)
    assert bench.read(*SUMMATION) == HOUR_S + 60


async def test_a_battery_taken_out_stops_the_count_and_put_in_again_all_is_there(home: Home) -> None:
    gsme = Gsme(*home.parts(DeviceType.GSME))
    await gsme.start()
    await home.clock.go(HOUR_S)
    gsme.power(False)
    total = gsme.register.total
    assert gsme.metering.tiers() == (total, 0, 0, 0)
    assert total > 0
    await home.clock.go(DAY_S)
    gsme.power(True)
    assert (gsme.register.total, gsme.metering.tiers()[0]) == (total, total)
    await home.clock.go(HOUR_S)
    gsme.update()
    assert gsme.register.total == gsme.metering.tiers()[0] > total
    await gsme.stop()


def test_a_power_cut_and_a_restart_lose_nothing_and_count_nothing_between(bench: Bench) -> None:
    bench.do(TARIFF, *WEEKENDS, *prices(10_000, 20_000, 30_000, standing=5_000))
    bench.adjust(2000 * POUND)
    bench.prepay()
    bench.owe(3, 5000 * POUND, rate=50, frequency=0)
    bench.go(3 * DAY_S + 777)
    before = shown(bench)
    bench.build()
    assert shown(bench) == before
    tiers, total = bench.all(TIERS), bench.read(*SUMMATION)
    bench.clock.moved += HOUR_S
    bench.build()
    assert (bench.all(TIERS), bench.read(*SUMMATION)) == (tiers, total), "nobody knows what flowed meanwhile"
    bench.go(100)
    assert bench.read(*SUMMATION) == total + 100


def test_a_valve_that_was_closed_for_lack_of_credit_stays_so_over_a_restart_and_is_armed_by_credit(bench: Bench) -> None:
    bench.do(TARIFF, *prices(10_000))
    bench.prepay()
    bench.go(HOUR_S)
    assert bench.gsme.valve is Valve.OFF
    bench.build()
    assert bench.gsme.valve is Valve.OFF
    total = bench.gsme.register.total
    bench.go(HOUR_S)
    assert bench.gsme.register.total == total
    bench.top_up(10)
    assert bench.gsme.valve is Valve.ARMED


def test_a_command_that_fails_leaves_the_account_as_it_was(bench: Bench) -> None:
    bench.adjust(POUND)

    def fail() -> None:
        with bench.store.transaction():
            bench.adjust(POUND)
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert bench.balance == POUND
