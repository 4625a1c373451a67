"""Outages, hold-up, boots."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.axdr import OctetString, Structure
from firmware_emu.gbcs.cosem_time import decode_date_time
from firmware_emu.gbcs.dlms import DataNotification
from firmware_emu.gbcs.protect import check_signature
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.hub.power import TRANSITIONS, BootReason, PowerEvent, PowerMonitor, PowerState
from firmware_emu.wan.base import WanKind
from tests.hub.hub_bench import ACB, CHF, CONFIG, ESME, GPF, Bench, Meter, add_device, codes, joined_meter, read_logs


def last_gasps(bench: Bench) -> list[int]:
    return [int.from_bytes(frame.body, "big") // 1000 for _, frame in bench.frames if frame.kind is WanKind.POWER_LOST]


@pytest.mark.requirement("CH-11")
async def test_ac_lost_sends_the_last_gasp_with_its_time_within_the_hold_up(bench: Bench) -> None:
    lost_at = bench.clock.now()
    bench.hub.power_event(PowerEvent.AC_LOST)
    await bench.wait_for(lambda: last_gasps(bench) or None, bench.config.profile.hold_up_s)
    assert last_gasps(bench) == [int(lost_at)]
    assert bench.frames[-1][0] - lost_at < 1


@pytest.mark.requirement("CH-12")
@pytest.mark.requirement("CH-13")
@pytest.mark.parametrize(("seconds", "code"), [(60, 0x8F35), (179, 0x8F35), (180, 0x8F36), (3600, 0x8F36)])
async def test_a_supply_that_returns_raises_the_restored_alert_of_its_length(bench: Bench, seconds: int, code: int) -> None:
    lost_at = int(bench.clock.now())
    bench.hub.power_event(PowerEvent.AC_LOST)
    await bench.clock.sleep(1)
    await bench.cut()
    await bench.clock.sleep(seconds - 1)
    await bench.power_on()
    assert bench.hub.status.boot_reason is BootReason.OUTAGE
    assert [len(bench.alerts(one)) for one in (0x8F35, 0x8F36)] == [int(code == one) for one in (0x8F35, 0x8F36)]
    alert = bench.alerts(code)[0]
    assert alert.header.recipient == ACB
    check_signature(alert, bench.keystore.public_key(CHF, KeyUsage.DIGITAL_SIGNATURE))
    if code == 0x8F36:
        notification = decode_payload(alert)
        assert isinstance(notification, DataNotification)
        match notification.body:
            case Structure(elements=(_, _, OctetString(octets=start), OctetString(octets=end))):
                begin, finish = decode_date_time(start), decode_date_time(end)
                assert begin is not None
                assert finish is not None
                assert (finish - begin).total_seconds() == seconds
            case other:
                raise AssertionError(other)
    assert last_gasps(bench) == [lost_at]


@pytest.mark.requirement("CH-12")
async def test_mains_that_return_within_the_hold_up_raise_the_short_alert_without_a_boot(bench: Bench) -> None:
    bench.hub.power_event(PowerEvent.AC_LOST)
    await bench.clock.sleep(3)
    bench.hub.power_event(PowerEvent.AC_RESTORED)
    await bench.wait_for(lambda: bench.alerts(0x8F35) or None)
    assert bench.hub.status.boots == 1
    assert bench.hub.status.power is PowerState.RUNNING
    await bench.clock.sleep(60)
    assert bench.hub.status.power is PowerState.RUNNING


async def test_a_used_up_hold_up_stops_everything_until_the_mains_return(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(2)
    bench.hub.power_event(PowerEvent.AC_LOST)
    await bench.clock.sleep(bench.config.profile.hold_up_s + 1)
    assert bench.hub.status.power is PowerState.EXHAUSTED
    assert not bench.radio.on
    assert not bench.dcc.in_use
    await bench.clock.sleep(600)
    bench.hub.power_event(PowerEvent.AC_RESTORED)
    await bench.clock.sleep(5)
    assert bench.hub.status.power is PowerState.RUNNING
    assert bench.hub.status.boots == 2
    assert len(bench.alerts(0x8F36)) == 1
    assert bench.hub.status.tunnels == (meter.device,)


@pytest.mark.requirement("CH-13")
@pytest.mark.parametrize(("seconds", "code"), [(10, 0x8F35), (170, 0x8F35), (1000, 0x8F36)])
async def test_a_supply_that_goes_without_warning_is_told_as_long_only_when_it_certainly_was(bench: Bench, seconds: int, code: int) -> None:
    await bench.clock.sleep(1000)
    await bench.cut()
    await bench.clock.sleep(seconds)
    await bench.power_on()
    assert bench.hub.status.boot_reason is BootReason.UNEXPECTED
    assert [len(bench.alerts(one)) for one in (0x8F35, 0x8F36)] == [int(code == one) for one in (0x8F35, 0x8F36)]
    assert last_gasps(bench) == []
    told = next(record for record in bench.records if record.event == "outage over")
    assert told.detail["warned"] is False
    assert max(0, seconds - 300) <= float(str(told.detail["seconds"])) <= seconds


async def test_an_outage_is_reported_once_however_often_the_hub_boots(bench: Bench) -> None:
    bench.wan.coverage = False
    bench.wan.cut()
    bench.hub.power_event(PowerEvent.AC_LOST)
    await bench.cut()
    await bench.clock.sleep(500)
    await bench.power_on()
    await bench.cut()
    await bench.power_on()
    bench.wan.coverage = True
    await bench.wait_for(lambda: bench.alerts(0x8F35) or None, 120)
    assert len(bench.alerts(0x8F36)) == 1
    assert len(bench.alerts(0x8F35)) == 1  # the second cut, a few seconds long


async def test_a_first_power_on_is_no_outage(bench: Bench) -> None:
    assert bench.hub.status.boot_reason is BootReason.FIRST
    assert bench.alerts(0x8F35) + bench.alerts(0x8F36) == []


async def test_hold_up_and_threshold_of_the_board_stand_before_those_of_the_profile(hub_keystore: Keystore, clock: Clock) -> None:
    async with Bench(hub_keystore, clock, config=replace(CONFIG, hold_up_s=2, outage_threshold_s=3)).running() as bench:
        bench.hub.power_event(PowerEvent.AC_LOST)
        await bench.clock.sleep(3)
        assert bench.hub.status.power is PowerState.EXHAUSTED
        bench.hub.power_event(PowerEvent.AC_RESTORED)
        await bench.clock.sleep(5)
        assert len(bench.alerts(0x8F36)) == 1


@pytest.mark.requirement("CH-02")
async def test_a_power_cut_keeps_network_keys_and_log(bench: Bench) -> None:
    meter = await joined_meter(bench)
    network = bench.radio.network
    await bench.cut()
    await bench.clock.sleep(10)
    await bench.power_on()
    assert bench.radio.network == network
    assert bench.radio.formed == 1
    assert bench.radio.link_keys[ESME] == meter.node.link_keys[GPF]
    assert [entry.device for entry in bench.hub.status.device_log] == [ESME]


async def test_a_dongle_that_was_swapped_gets_the_same_network_and_keys(bench: Bench) -> None:
    meter = await joined_meter(bench)
    before = bench.radio.network
    await bench.cut()
    bench.radio.network = None
    bench.radio.link_keys.clear()
    await bench.power_on()
    assert before is not None
    assert bench.radio.network is not None
    assert bench.radio.network.network_key == before.network_key
    assert bench.radio.link_keys == {ESME: meter.node.link_keys[GPF]}


async def test_a_joining_window_goes_on_after_a_power_cut_for_the_time_it_has_left(bench: Bench) -> None:
    await bench.ask(add_device(bench, ESME, seconds=300))
    await bench.cut()
    bench.radio.permitted.clear()
    await bench.clock.sleep(100)
    await bench.power_on()
    _, until = bench.radio.permitted[ESME]
    assert until == pytest.approx(bench.clock.elapsed() + 300 - 105, abs=3)
    await Meter(bench, ESME).join()


@pytest.mark.requirement("CH-14")
async def test_the_hub_takes_its_time_from_the_wan_and_serves_it_as_master(bench: Bench) -> None:
    meter = await joined_meter(bench)
    (endpoint, *_) = await meter.node.match_descriptors(GPF, 0x000A, server=True)
    values = await meter.zcl.read_attributes(GPF, endpoint, 0x000A, (0, 1), secured=True)
    assert values[1] == 0x09
    assert values[0] == pytest.approx(bench.clock.now(), abs=2)
    (endpoint, *_) = await meter.node.match_descriptors(GPF, 0x0025, server=True)
    assert await meter.zcl.read_attributes(GPF, endpoint, 0x0025, (0, 1), secured=True) == {0: 10, 1: 300}


@pytest.mark.requirement("CH-23")
async def test_a_factory_reset_leaves_nothing_of_the_former_life(bench: Bench) -> None:
    await joined_meter(bench)
    network = bench.radio.network
    await bench.hub.factory_reset()
    await bench.clock.sleep(5)
    status = bench.hub.status
    assert (status.boots, status.boot_reason) == (1, BootReason.RESET)
    assert status.device_log == ()
    assert status.historic_log == ()
    assert bench.radio.network is not None
    assert network is not None
    assert bench.radio.network.network_key != network.network_key
    assert bench.radio.link_keys == {}
    bench.counter = 0  # its counters have gone too
    assert codes(await bench.ask(read_logs(bench))) == [0, 0]


def test_every_event_in_every_state_is_answered_by_the_table_or_ignored() -> None:
    monitor = PowerMonitor(MemoryStore())
    for state in PowerState:
        for event in PowerEvent:
            monitor.state = state
            actions = monitor.on(event)
            expected = TRANSITIONS.get((state, event), (state, ()))
            assert (monitor.state, actions) == expected
