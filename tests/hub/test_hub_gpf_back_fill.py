"""The GPF reads out of the gas meter's own logs what it missed: after an outage of the hub, and after its replacement."""

from __future__ import annotations

import pytest

from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.gbz import Component
from firmware_emu.hub.gas_store import GasStore, Missing
from firmware_emu.hub.profile import standard_profile
from firmware_emu.zse.clusters.metering import METERING
from hil.devices import Gsme
from tests.hub.gas_home import gas, gas_meter, link
from tests.hub.hub_bench import Bench

HOUR, DAY = 3600, 86_400
LOAD = (360, 7200, 1800, 720, 3600)


def load(half_hour: int) -> int:
    """A load whose half hours can be told apart."""
    return LOAD[half_hour % len(LOAD)]


def store_of(bench: Bench) -> GasStore:
    return GasStore(bench.store, standard_profile())


def logged(gsme: Gsme) -> dict[int, int]:
    """The meter's own half hours by their start."""
    return {record.end - 1800: record.amount for record in gsme.register.profile}


def mirrored(bench: Bench) -> dict[int, int]:
    gas_store = store_of(bench)
    found = [(one.start, one.volume) for one in gas_store.samples(gas_store.profile_data, 0, 0)]
    assert len(dict(found)) == len(found), "one entry a half hour"
    return dict(found)


async def days_read(bench: Bench) -> list[tuple[int, int]]:
    """GCS61: start and volume of each day that the supplier reads off the GPF."""
    read = Component(
        METERING.id, 0x01, 0, 0x08, METERING.to_server[0x08].encode({"sample": 1, "earliest": 0, "sample_type": 0, "count": 31})
    )
    (part,) = await gas(bench, None, 0x00A0, read)
    assert part.command == 0x07, part
    fields = METERING.to_client[0x07].decode(part.payload)
    start, samples = fields["start"], fields["samples"]
    assert isinstance(start, int)
    assert isinstance(samples, tuple)
    return [(start + number * DAY, int(str(one["value"]))) for number, one in enumerate(samples)]


async def test_half_hours_in_which_the_hub_was_off_are_filled_from_the_meters_log(bench: Bench) -> None:
    gsme = await gas_meter(bench, load)
    await bench.clock.sleep(3 * HOUR)
    await bench.cut()
    await bench.clock.sleep(5 * HOUR)
    lost = mirrored(bench)
    await bench.power_on()
    await bench.clock.sleep(2 * HOUR)
    own, copy = logged(gsme), mirrored(bench)
    assert len(copy) >= 19 > len(lost) + 9
    assert copy.items() <= own.items()
    assert sorted(copy) == list(range(min(copy), max(copy) + 1, 1800))
    assert [store_of(bench).missing(what) for what in Missing] == [None] * len(Missing)
    await gsme.stop()


async def test_a_midnight_that_was_missed_has_its_snapshot_and_both_days_their_consumption(bench: Bench) -> None:
    gsme = await gas_meter(bench, load)
    await bench.clock.sleep(2 * DAY - 2 * HOUR)
    await bench.cut()
    await bench.clock.sleep(4 * HOUR)
    await bench.power_on()
    await bench.clock.sleep(DAY)
    days = dict(await days_read(bench))
    own = logged(gsme)
    first = min(own) - min(own) % DAY
    for day in (first + DAY, first + 2 * DAY):
        assert days[day] == sum(amount for start, amount in own.items() if day <= start < day + DAY)
    midnights = [int.from_bytes(entry[:4], "big") for entry in store_of(bench).daily_read.newest_first()]
    assert midnights == [first + number * DAY for number in (3, 2, 1)]
    await gsme.stop()


@pytest.mark.requirement("GPF-07")
@pytest.mark.requirement("GPF-08")
@pytest.mark.requirement("GPF-06")
async def test_the_gpf_is_read_out_before_its_hub_is_replaced_and_the_new_one_is_linked_and_filled_anew(bench: Bench) -> None:
    gsme = await gas_meter(bench, load)
    await bench.clock.sleep(4 * DAY)
    before = await days_read(bench)
    assert len(before) == 4
    await bench.cut()
    bench.store, bench.radio.network = MemoryStore(), None
    bench.radio.link_keys.clear()
    await gsme.node.leave()
    await bench.power_on()
    assert mirrored(bench) == {}
    await link(bench, gsme)
    await bench.clock.sleep(2 * HOUR)
    assert await days_read(bench) == before[1:], "the start of the first day is in no log of the meter"
    assert set(logged(gsme)) == set(mirrored(bench))
    await gsme.stop()
