from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.axdr import CompactArray, DoubleLongUnsigned, Structure, decode_data
from firmware_emu.gbcs.dlms import parse_obis
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices import Esme
from hil.devices.esme.variant import SINGLE_ELEMENT, TWIN_ELEMENT, EsmeVariant
from hil.devices.metering.registers import RecordRing, Register, house
from tests.devices.hub_in_memory import MemoryHan
from tests.devices.meter_bench import Bench

DAY = 86_400
ESME = Eui64.parse("00db1234567890a0")


@given(st.lists(st.floats(min_value=0.1, max_value=5000), min_size=1, max_size=40))
def test_a_register_counts_the_same_however_often_it_is_read(steps: list[float]) -> None:
    often, once = Register(house), Register(house)
    now = 800_000_000.0
    often.update(now)
    once.update(now)
    for step in steps:
        now += step
        often.update(now)
    once.update(now)
    assert often.parts == once.parts
    assert [period.end for period in often.profile] == [period.end for period in once.profile]


def test_half_hours_add_up_to_the_day_and_days_to_the_total() -> None:
    register = Register(house)
    start = 820_454_400 - 820_454_400 % DAY
    register.update(start)
    register.update(start + 3 * DAY)
    assert len(register.profile) == 144
    assert sum(period.amount for period in register.profile) == register.total
    assert sum(period.amount for period in register.days) == register.total
    assert [period.end for period in register.snapshots] == [start + DAY, start + 2 * DAY, start + 3 * DAY]
    assert register.today == 0


@given(st.integers(min_value=1, max_value=30), st.integers(min_value=1, max_value=12), st.integers(min_value=0, max_value=100))
def test_a_ring_keeps_its_newest_records_in_order(depth: int, per_page: int, count: int) -> None:
    ring = RecordRing(MemoryStore(), "ring", "Iq", depth, per_page)
    for number in range(count):
        ring.append(number, -number)
    expected = [(number, -number) for number in range(max(0, count - depth), count)]
    assert (list(ring), len(ring)) == (expected, len(expected))


@pytest.mark.parametrize(("variant", "members"), [(SINGLE_ELEMENT, 1), (TWIN_ELEMENT, 2)])
def test_the_time_of_use_registers_have_a_member_for_each_element(device_pki: Keystore, variant: EsmeVariant, members: int) -> None:
    value = Bench(device_pki, variant=variant).read(1, "0-0:94.44.34.1")
    assert isinstance(value, Structure)
    assert [len(one.elements) for one in value.elements] == [48, 4][:members]  # type: ignore[attr-defined]


def test_nothing_is_counted_while_nothing_flows() -> None:
    register = Register(house, flowing=False)
    register.update(0)
    register.update(DAY)
    assert (register.total, len(register.profile)) == (0, 48)


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=datetime(2026, 1, 1, tzinfo=UTC), warp=True))


async def test_the_logs_of_a_meter_are_packed_as_declared_and_cut_to_the_asked_range(device_pki: Keystore, clock: Clock) -> None:
    esme = Esme(ESME, InstallCode(bytes(16)), device_pki, MemoryHan(ESME).node(ESME), clock, Trace(clock.now), {})
    begin = int(clock.now())
    await clock.sleep(2 * DAY + 60)
    for obis, expected in (("0-0:99.1.0", 48), ("0-0:98.1.9", 1), ("0-0:99.1.3", 1)):
        select = esme.model.selections[7, parse_obis(obis), 2]
        value = select(1, Structure((DoubleLongUnsigned(begin + 1), DoubleLongUnsigned(begin + DAY))))
        assert isinstance(value, CompactArray)
        assert decode_data(value.encode()) == value
        assert len(value.elements) == expected, obis
