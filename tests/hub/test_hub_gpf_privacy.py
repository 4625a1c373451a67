"""After a change of tenancy the consumer's Devices see nothing of the GPF's logs from before it; the supplier sees everything."""

from __future__ import annotations

import pytest

from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Ppmid
from tests.hub.gas_home import display, gas, gas_meter, part
from tests.hub.hub_bench import GPF, GSME, Bench

DAY, HOUR, FOREVER = 86_400, 3600, 0xFFFFFFFE
CHANGE_OF_TENANCY, PAYMENT_MODE, DAILY_LOG = 0x0072, 0x006D, 0x00A0
PERIOD: dict[str, FieldValue] = {"from": 0, "to": FOREVER, "offset": 0, "cause": 1}


def samples_of(sample: int) -> dict[str, FieldValue]:
    return {"sample": sample, "earliest": 0, "sample_type": 0, "count": 0}


READS: tuple[tuple[str, Cluster, int, dict[str, FieldValue], str], ...] = (
    ("profile data log", METERING, 0x08, samples_of(0), "count"),
    ("daily consumption log", METERING, 0x08, samples_of(1), "count"),
    ("daily read log", METERING, 0x06, PERIOD, "total_found"),
    ("prepayment daily read log", PREPAYMENT, 0x07, PERIOD, "total_found"),
)


async def seen(reader: Ppmid) -> dict[str, int]:
    """Number of entries of each log that the display sees."""
    found = {}
    (endpoint, *_) = await reader.zcl.port.match_descriptors(GPF, METERING.id, server=True)
    for name, cluster, command, fields, count in READS:
        answer = await reader.zcl.request(GPF, endpoint, cluster.id, command, cluster.to_server[command].encode(fields))
        told = {} if answer.default_response is not None else cluster.to_client[answer.command].decode(answer.payload)
        found[name] = int(str(told.get(count, 0)))
    return found


async def prepaying(bench: Bench) -> Ppmid:
    """A home of three days and an hour in prepayment mode, and its display."""
    gsme = await gas_meter(bench, lambda half_hour: 1800)
    mode = part(PREPAYMENT, "ChangePaymentMode", provider=0, event=1, implementation=0, configuration=0x0C97, cut_off_value=-2_000_000_000)
    await gas(bench, gsme, PAYMENT_MODE, mode, target=GSME)
    ppmid = await display(bench)
    await bench.clock.sleep(3 * DAY + HOUR)
    return ppmid


async def change(bench: Bench, when: int) -> None:
    fields: dict[str, FieldValue] = {"provider": 0, "event": 1, "tariff_type": 0, "implementation": when, "control": 0}
    (answer,) = await gas(bench, None, CHANGE_OF_TENANCY, part(DEVICE_MANAGEMENT, "PublishChangeOfTenancy", **fields))
    assert (answer.command, answer.payload) == (0x0B, b"\x00\x00")


async def for_the_supplier(bench: Bench) -> int:
    """Days in GCS61."""
    read = Component(METERING.id, 0x01, 0, 0x08, METERING.to_server[0x08].encode(samples_of(1)))
    (answer,) = await gas(bench, None, DAILY_LOG, read)
    return int(str(METERING.to_client[0x07].decode(answer.payload)["count"]))


@pytest.mark.requirement("SVC-3.2")
@pytest.mark.requirement("GPF-14")
async def test_no_log_shows_the_consumer_what_was_before_the_change(bench: Bench) -> None:
    ppmid = await prepaying(bench)
    before = await seen(ppmid)
    assert before["profile data log"] >= 144
    assert (before["daily consumption log"], before["daily read log"], before["prepayment daily read log"]) == (3, 3, 3)
    now = int(bench.clock.now())
    await change(bench, now - now % DAY)
    after = await seen(ppmid)
    assert (after["daily consumption log"], after["daily read log"], after["prepayment daily read log"]) == (0, 1, 1)
    assert 2 <= after["profile data log"] <= 3
    assert await for_the_supplier(bench) == 3
    await bench.cut()
    await bench.power_on()
    assert await seen(ppmid) == after


@pytest.mark.requirement("SVC-3.2")
async def test_a_change_for_later_hides_nothing_until_its_moment(bench: Bench) -> None:
    ppmid = await prepaying(bench)
    before = await seen(ppmid)
    await change(bench, int(bench.clock.now()) + 6 * HOUR)
    assert await seen(ppmid) == before
    await bench.clock.sleep(8 * HOUR)
    after = await seen(ppmid)
    assert 3 <= after.pop("profile data log") <= 4
    assert set(after.values()) == {0}


async def test_a_change_for_later_leaves_an_earlier_one_in_force(bench: Bench) -> None:
    ppmid = await prepaying(bench)
    await change(bench, 0)
    hidden = await seen(ppmid)
    assert set(hidden.values()) == {0}
    await change(bench, int(bench.clock.now()) + 6 * HOUR)
    assert await seen(ppmid) == hidden
