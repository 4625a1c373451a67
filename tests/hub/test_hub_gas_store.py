"""The gas proxy's memory by itself: what a push of the meter adds to each log, what is missed, and what the meter's own logs put right."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from firmware_emu.device.store import MemoryStore
from firmware_emu.hub.gas_store import GasStore, Missing, OctetRing, RegisterSample
from firmware_emu.hub.profile import standard_profile
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import Cluster
from firmware_emu.zse.zcl import AttributeRecord

DAY, HALF_HOUR = 86400, 1800
MIDNIGHT = 9000 * DAY


def _entry(time: int, text: bytes = b"") -> bytes:
    return struct.pack(">I", time) + text


@pytest.mark.parametrize(("written", "kept"), [(0, []), (1, [0]), (3, [0, 1, 2]), (4, [1, 2, 3]), (7, [4, 5, 6])])
def test_a_ring_keeps_the_newest_and_gives_them_newest_first(written: int, kept: list[int]) -> None:
    ring = OctetRing(MemoryStore(), "x", 3)
    for number in range(written):
        ring.add(bytes([number]))
    assert [one[0] for one in ring.newest_first()] == kept[::-1]
    assert len(ring) == len(kept)


def test_entries_go_to_their_place_by_time_and_one_of_the_same_time_is_replaced() -> None:
    ring = OctetRing(MemoryStore(), "x", 4)
    for time in (10, 20, 40):
        ring.add(_entry(time, b"a"))
    ring.merge({})
    ring.merge({30: _entry(30, b"b"), 20: _entry(20, b"b")})
    assert list(ring.newest_first()) == [_entry(40, b"a"), _entry(30, b"b"), _entry(20, b"b"), _entry(10, b"a")]
    ring.merge({50: _entry(50)})
    assert [struct.unpack(">I", one[:4])[0] for one in ring.newest_first()] == [50, 40, 30, 20]
    ring.merge({5: _entry(5)})
    assert [struct.unpack(">I", one[:4])[0] for one in ring.newest_first()] == [50, 40, 30, 20], "too old for a full ring"


@pytest.fixture
def gas() -> GasStore:
    return GasStore(MemoryStore(), replace(standard_profile(), profile_data_log_capacity=8, daily_read_log_capacity=3))


def _record(cluster: Cluster, number: int, value: int) -> AttributeRecord:
    declared = cluster.attribute(number)
    assert declared is not None
    return AttributeRecord(number, declared.type, value)


def push(gas: GasStore, at: int, total: int, **more: int) -> None:
    gas.report(METERING.id, [_record(METERING, 0x0000, total), _record(METERING, 0x0007, at)], at + 5)


def _samples(gas: GasStore) -> list[tuple[int, int]]:
    return [(one.start - MIDNIGHT, one.volume) for one in gas.samples(gas.profile_data, 0, 0)]


def test_a_half_hour_is_from_its_first_reading_to_the_first_of_the_next(gas: GasStore) -> None:
    for minutes, total in ((0, 100), (10, 104), (29, 107), (30, 110), (59, 111), (60, 111), (65, 130)):
        push(gas, MIDNIGHT + minutes * 60, total)
    assert _samples(gas) == [(0, 10), (HALF_HOUR, 1)]
    push(gas, MIDNIGHT + 65 * 60, 500)
    push(gas, MIDNIGHT + 64 * 60, 500)
    assert _samples(gas) == [(0, 10), (HALF_HOUR, 1)], "a reading that is no later says nothing"
    push(gas, MIDNIGHT + 90 * 60, 120)
    assert _samples(gas)[-1] == (2 * HALF_HOUR, 9)


def test_samples_are_given_from_a_time_on_the_oldest_first_and_so_many(gas: GasStore) -> None:
    for number in range(6):
        push(gas, MIDNIGHT + number * HALF_HOUR, 10 * number)
    assert gas.samples(gas.profile_data, MIDNIGHT + HALF_HOUR, 2) == (
        RegisterSample(MIDNIGHT + HALF_HOUR, 10),
        RegisterSample(MIDNIGHT + 2 * HALF_HOUR, 10),
    )
    assert len(gas.samples(gas.profile_data, MIDNIGHT + HALF_HOUR, 0)) == 4
    assert len(gas.samples(gas.profile_data, MIDNIGHT + HALF_HOUR + 1, 0)) == 3
    assert gas.samples(gas.profile_data, MIDNIGHT + DAY, 0) == ()


def test_a_new_proxy_misses_all_and_a_gap_the_half_hours_in_it(gas: GasStore) -> None:
    assert [gas.missing(what) for what in Missing] == [None] * 5
    push(gas, MIDNIGHT, 1)
    assert [gas.missing(what) for what in Missing] == [0] * 5
    for what in Missing:
        gas.found(what)
    push(gas, MIDNIGHT + HALF_HOUR, 2)
    assert gas.missing(Missing.SAMPLES) is None, "the next half hour is no gap"
    push(gas, MIDNIGHT + 3 * HALF_HOUR, 3)
    assert gas.missing(Missing.SAMPLES) == MIDNIGHT + HALF_HOUR
    push(gas, MIDNIGHT + 6 * HALF_HOUR, 3)
    assert gas.missing(Missing.SAMPLES) == MIDNIGHT + HALF_HOUR, "the first gap is kept"


def test_the_first_push_of_a_day_keeps_the_registers_of_the_last_one_before_it(gas: GasStore) -> None:
    push(gas, MIDNIGHT + 23 * 3600, 50)
    for what in Missing:
        gas.found(what)
    push(gas, MIDNIGHT + DAY + 60, 60)
    (read,) = gas.daily_read.newest_first()
    assert struct.unpack(">I", read[:4])[0] == MIDNIGHT + DAY
    assert int.from_bytes(read[4:10], "little") == 50
    assert gas.samples(gas.daily_consumption, 0, 0) == (RegisterSample(MIDNIGHT, 0),)
    assert gas.missing(Missing.SNAPSHOTS) == MIDNIGHT + 23 * 3600
    assert gas.missing(Missing.PREPAYMENT_SNAPSHOTS) is None, "the meter is not in prepayment mode"
    push(gas, MIDNIGHT + 2 * DAY, 75)
    assert gas.samples(gas.daily_consumption, 0, 0)[-1] == RegisterSample(MIDNIGHT + DAY, 10)


def test_a_snapshot_that_the_meter_published_is_the_midnights(gas: GasStore) -> None:
    push(gas, MIDNIGHT + 23 * 3600, 50)
    gas.found(Missing.SNAPSHOTS)
    gas.fill_snapshots({MIDNIGHT + DAY: (55).to_bytes(6, "little") + bytes(56)})
    push(gas, MIDNIGHT + DAY + 60, 60)
    assert len(gas.daily_read) == 1
    assert gas.missing(Missing.SNAPSHOTS) is None
    assert gas.samples(gas.daily_consumption, 0, 0) == (RegisterSample(MIDNIGHT, 5),)


def test_registers_at_midnights_of_the_meters_own_log_give_the_days_between_them(gas: GasStore) -> None:
    push(gas, MIDNIGHT + 2 * DAY + 60, 100)
    bodies = {MIDNIGHT + day * DAY: (10 * day * day).to_bytes(6, "little") + bytes(56) for day in (0, 1, 2)}
    gas.fill_snapshots(bodies)
    assert gas.samples(gas.daily_consumption, 0, 0) == (RegisterSample(MIDNIGHT, 10), RegisterSample(MIDNIGHT + DAY, 30))
    push(gas, MIDNIGHT + 3 * DAY, 105)
    assert gas.samples(gas.daily_consumption, 0, 0)[-1] == RegisterSample(MIDNIGHT + 2 * DAY, 60), "from the midnight's 40"


def test_half_hours_of_the_meters_own_log_are_taken_up_to_the_one_under_way(gas: GasStore) -> None:
    push(gas, MIDNIGHT + 3 * HALF_HOUR, 100)
    gas.fill_samples(MIDNIGHT, [7, 8, 9, 10])
    assert _samples(gas) == [(0, 7), (HALF_HOUR, 8), (2 * HALF_HOUR, 9)]


def test_a_snapshot_of_the_registers_is_the_total_four_tiers_and_four_blocks(gas: GasStore) -> None:
    """RTDS GCS16a: 6 octets each, the lowest first; 04 tiers, then 14: one tier of four blocks."""
    numbers = {0x0000: 1, 0x0100: 2, 0x0102: 3, 0x0104: 4, 0x0106: 5, 0x0700: 6, 0x0701: 7, 0x0702: 8, 0x0703: 9}
    gas.report(METERING.id, [_record(METERING, number, value) for number, value in numbers.items()], MIDNIGHT)
    six = [value.to_bytes(6, "little") for value in range(1, 10)]
    assert gas.snapshot() == six[0] + b"\x04" + b"".join(six[1:5]) + b"\x14" + b"".join(six[5:])


@pytest.mark.parametrize(("mode", "prepaying"), [(0x0C94, False), (0x0497, True), (0x0C97, True), (0x0000, False)])
def test_balances_are_kept_in_prepayment_mode_alone(gas: GasStore, mode: int, prepaying: bool) -> None:
    """Reference gbcs-messages 7A: 0C94 credit, 0497 and 0C97 prepayment; debts unsigned, balance and accumulated debt signed."""
    values = {0x0005: -5, 0x0211: 1, 0x0221: 2, 0x0231: 3, 0x0002: 4, 0x0001: -6}
    assert gas.prepayment_snapshot() is None
    records = [_record(PREPAYMENT, number, value) for number, value in {0x0000: mode, **values}.items()]
    gas.report(PREPAYMENT.id, records, MIDNIGHT)
    expected = b"".join(value.to_bytes(4, "little", signed=value < 0) for value in (-5, 1, 2, 3, 4, -6))
    assert gas.prepayment_snapshot() == (expected if prepaying else None)
    assert gas.missing(Missing.SAMPLES) is None, "the mode is no reading of the register"
    gas.report(PREPAYMENT.id, [_record(PREPAYMENT, number, 3_000_000_000) for number in (0x0211, 0x0221, 0x0231)], MIDNIGHT)
    more = (3_000_000_000).to_bytes(4, "little")
    assert (gas.prepayment_snapshot() or b"")[4:16] == (3 * more if prepaying else b"")


def test_a_midnights_balances_are_kept_and_told_as_missing(gas: GasStore) -> None:
    gas.report(PREPAYMENT.id, [_record(PREPAYMENT, 0x0000, 0x0497), _record(PREPAYMENT, 0x0001, 77)], MIDNIGHT)
    push(gas, MIDNIGHT + 60, 1)
    gas.found(Missing.PREPAYMENT_SNAPSHOTS)
    push(gas, MIDNIGHT + DAY, 2)
    (kept,) = gas.prepayment_daily_read.newest_first()
    assert (kept[:4], kept[-4:]) == (struct.pack(">I", MIDNIGHT + DAY), (77).to_bytes(4, "little"))
    assert gas.missing(Missing.PREPAYMENT_SNAPSHOTS) == MIDNIGHT + 60
    assert (gas.number(PREPAYMENT.id, 0x0001), gas.number(PREPAYMENT.id, 0x0005)) == (77, None)


def test_the_billing_log_keeps_twelve_periods_five_top_ups_and_ten_payments(gas: GasStore) -> None:
    """Reference chts 5."""
    rings = {gas.billing: 12, gas.prepayment_billing: 12, gas.top_ups: 5, gas.debt_payments: 10}
    for ring, depth in rings.items():
        for time in range(20):
            gas.bill(ring, {time: b"x"})
        assert [struct.unpack(">I", one[:4])[0] for one in ring.newest_first()] == list(range(19, 19 - depth, -1))


def test_what_was_never_reported_is_nought_in_a_snapshot_and_the_meters_own_balances_stand_behind_their_time(gas: GasStore) -> None:
    assert gas.snapshot() == bytes(6) + b"\x04" + bytes(24) + b"\x14" + bytes(24)
    gas.report(PREPAYMENT.id, [_record(PREPAYMENT, 0x0000, 0x0497)], MIDNIGHT)
    assert gas.prepayment_snapshot() == bytes(24)
    gas.fill_prepayment_snapshots({MIDNIGHT: b"balances"})
    assert list(gas.prepayment_daily_read.newest_first()) == [_entry(MIDNIGHT, b"balances")]
