"""The GPF's copies of its gas meter's event and security logs (log ids 6 and 7), and the midnights that the meter publishes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from firmware_emu.device.event_log import LogName
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.profile import standard_profile
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.declare import FieldValue
from hil.devices.metering.registers import RecordRing
from tests.hub.gas_home import gas, gas_meter, part
from tests.hub.hub_bench import CONFIG, GPF, GSME, Bench

EVENT_LOG, SECURITY_LOG, METER_EVENT_LOG, METER_SECURITY_LOG = 3, 4, 6, 7
READ_EVENTS, READ_SECURITY, CLEAR = 0x0014, 0x00A1, 0x0015
FOREVER, DAY = 0xFFFFFFFE, 86_400
Entry = tuple[FieldValue, ...]


async def entries(bench: Bench, gsme: object, code: int, log: int, target: object, **more: int) -> list[Entry]:
    """Event, time and data of each entry of a log, as a read of it answers."""
    asked = {"control_and_log": 0x10 | log, "event": 0, "from": 0, "to": FOREVER, "count": 0, "offset": 0} | more
    (answer,) = await gas(bench, gsme if target == GSME else None, code, part(EVENTS, "GetEventLog", **asked), target=target)  # type: ignore[arg-type]
    if answer.command != 0x01:
        return []
    fields = EVENTS.to_client[0x01].decode(answer.payload)
    assert fields["control"] == 0, "its upper four bits are 0 in the published answers"
    events = fields["events"]
    assert isinstance(events, tuple)
    assert {one["log"] for one in events} == {log}
    return [(one["event"], one["time"], one["data"]) for one in events]


async def test_the_gpf_answers_for_the_gas_meters_logs_as_the_meter_does(bench: Bench) -> None:
    gsme = await gas_meter(bench, lambda half_hour: 0)
    gsme.gbcs.log(0x8F63)
    theirs = await entries(bench, gsme, READ_EVENTS, EVENT_LOG, GSME)
    await gsme.wake()
    copied = await entries(bench, gsme, READ_EVENTS, METER_EVENT_LOG, GPF)
    assert copied[: len(theirs)] == theirs
    assert theirs
    security = await entries(bench, gsme, READ_SECURITY, METER_SECURITY_LOG, GPF)
    assert 0x8F63 in [entry[0] for entry in security]
    own = await entries(bench, gsme, READ_EVENTS, EVENT_LOG, GPF)
    assert own != copied
    for log in (theirs, own, copied):
        assert all(first[1] <= second[1] for first, second in pairwise(log)), "the oldest comes first"  # type: ignore[operator]


@pytest.mark.parametrize(("log", "target"), [(EVENT_LOG, GSME), (METER_EVENT_LOG, GPF)])
async def test_both_ends_filter_by_event_and_take_the_newest_of_a_count(bench: Bench, log: int, target: object) -> None:
    gsme = await gas_meter(bench, lambda half_hour: 0)
    for _ in range(3):
        gsme.gbcs.log(0x8145)
    await gsme.wake()
    every = await entries(bench, gsme, READ_EVENTS, log, target, event=0x8145)
    assert [entry[0] for entry in every] == [0x8145] * 3
    newest = await entries(bench, gsme, READ_EVENTS, log, target, event=0x8145, count=1, offset=1)
    assert newest == [every[1]]


@pytest.mark.parametrize(("version", "cleared"), [("2.0", True), ("4.x", False)])
async def test_clearing_the_meters_log_clears_the_copy_where_the_version_of_gbcs_taps_it(bench: Bench, version: str, cleared: bool) -> None:
    bench.config = replace(CONFIG, gbcs=version)
    await bench.cut()
    await bench.power_on()
    gsme = await gas_meter(bench, lambda half_hour: 0)
    gsme.gbcs.log(0x8145)
    await gsme.wake()
    await gas(bench, gsme, CLEAR, part(EVENTS, "ClearEventLogRequest", log=EVENT_LOG), target=GSME)
    left = [entry[0] for entry in await entries(bench, gsme, READ_EVENTS, METER_EVENT_LOG, GPF)]
    assert (0x8145 not in left) is cleared


async def test_the_meter_publishes_its_midnights_and_the_gpf_asks_for_none(bench: Bench) -> None:
    gsme = await gas_meter(bench, lambda half_hour: 1000)
    await bench.clock.sleep(2.2 * DAY)
    first = len(bench.records)
    await bench.clock.sleep(2 * DAY)
    filled = [record for record in bench.records[first:] if record.event == "filled"]
    assert filled == []
    store = GasStore(bench.store, standard_profile())
    daily = list(store.daily_read.newest_first())
    prefix = gsme.gbcs.prefix + "log/gas/registers/1"
    kept = list(RecordRing(gsme.store, prefix, "II9Q", 31))
    assert [int.from_bytes(entry[:4], "big") for entry in daily] == [record[0] for record in reversed(kept)]
    assert [int.from_bytes(entry[4:10], "little") for entry in daily] == [record[2] for record in reversed(kept)]
    volumes = [int.from_bytes(entry[4:8], "big") for entry in store.daily_consumption.newest_first()]
    assert volumes[:3] == [24_000] * 3


async def test_whoever_follows_a_log_that_is_cleared_misses_nothing_of_what_comes_after(bench: Bench) -> None:
    gsme = await gas_meter(bench, lambda half_hour: 0)
    log = gsme.gbcs.logs[LogName.EVENT]
    _, newest = log.after(0)
    log.clear()
    gsme.gbcs.log(0x8145)
    found, after = log.after(newest)
    assert ([entry.code for _, entry in found], after) == ([0x8145], newest + 1)


@pytest.mark.clause("GBCS CS11")
async def test_the_proxys_event_log_is_cleared_by_a_command_and_its_security_log_never(bench: Bench) -> None:
    """Reference chts 5; the answer has a bit for each log that was cleared, and the security log says so (8F52)."""
    assert bench.hub._running is not None
    device = bench.hub._running.gpf.device
    device.log(0x8145)
    device.log(0x8F63)
    for log, cleared, left in ((SECURITY_LOG, 0, 1), (METER_EVENT_LOG, 0, 1), (EVENT_LOG, 1 << EVENT_LOG, 0)):
        (answer,) = await gas(bench, None, CLEAR, part(EVENTS, "ClearEventLogRequest", log=log))
        assert (answer.command, answer.payload) == (0x02, bytes((cleared,)))
        assert [one.code for one in device.logs[LogName.EVENT].entries()].count(0x8145) == left
    security = [one.code for one in device.logs[LogName.SECURITY].entries()]
    assert (0x8F63 in security, security.count(0x8F52)) == (True, 1)
