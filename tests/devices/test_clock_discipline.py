"""The routine comparison of a meter's clock with the hub's time: small differences are adjusted, large ones told; clocks that drift."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.event_log import LogName
from firmware_emu.device.joining import ServedTime
from hil.devices import Esme, Gsme
from hil.devices.metering.maker import maker
from hil.devices.metering.registers import DAY_S
from tests.devices.device_home import Home, at_hub

ADJUSTED, ASTRAY = 0x8145, 0x8F0C
Meter = Esme | Gsme


def compared(home: Home, meter: Meter, astray_s: float) -> None:
    """A meter whose clock was set, and stands that far from the hub's time at the next comparison."""
    now = home.clock.now()
    meter.hub_time, meter._hub_time_read_at = ServedTime(int(now), True), int(now)
    meter.clock_reliable = True
    meter.clock_offset = astray_s
    meter.compare_clock()


@pytest.fixture(params=[(Esme, DeviceType.ESME), (Gsme, DeviceType.GSME)], ids=["esme", "gsme"])
def meter(request: pytest.FixtureRequest, home: Home) -> Meter:
    kind, device_type = request.param
    made = kind(*home.parts(device_type))
    assert isinstance(made, Meter)
    return made


@pytest.mark.parametrize(("astray_s", "left_s", "events"), [(0.4, 0.4, []), (7.0, 0.0, [ADJUSTED]), (-10.0, 0.0, [ADJUSTED])])
async def test_a_difference_of_up_to_ten_seconds_is_adjusted_and_logged(
    home: Home, meter: Meter, astray_s: float, left_s: float, events: list[int]
) -> None:
    compared(home, meter, astray_s)
    assert round(meter.now() - home.clock.now(), 1) == left_s
    assert meter.log_codes(LogName.EVENT) == events
    assert meter.log_codes(LogName.SECURITY) == []
    assert meter.clock_reliable
    await meter.stop()


@pytest.mark.parametrize("astray_s", [10.5, -60.0])
async def test_a_larger_one_is_left_and_told_once_in_the_security_log_and_by_an_alert(home: Home, meter: Meter, astray_s: float) -> None:
    compared(home, meter, astray_s)
    assert round(meter.now() - home.clock.now(), 1) == astray_s
    assert meter.log_codes(LogName.SECURITY) == [ASTRAY]
    assert not meter.clock_reliable
    assert len(meter.outbox) == 1
    meter.compare_clock()
    assert meter.log_codes(LogName.SECURITY) == [ASTRAY]
    await meter.stop()


async def test_a_clock_that_was_never_set_is_compared_with_nothing(home: Home, meter: Meter) -> None:
    meter.hub_time, meter._hub_time_read_at = ServedTime(int(home.clock.now()) + 60, True), home.clock.now()
    meter.compare_clock()
    assert meter.log_codes(LogName.SECURITY) == []
    await meter.stop()


@pytest.mark.parametrize("name", ["maker-drift-fast", "maker-drift-slow"])
async def test_a_clock_that_drifts_is_kept_within_its_bounds_and_no_energy_comes_or_goes(home: Home, name: str) -> None:
    esme = Esme(*home.parts(DeviceType.ESME), load=lambda half_hour: 3600, maker=maker(name))
    await at_hub(home, esme)
    esme.clock_reliable = True
    esme.update()
    start, from_own = esme.registers.active_import.parts, int(esme.now())
    furthest = 0.0
    for _ in range(10 * 24):
        await home.clock.sleep(DAY_S / 24)
        furthest = max(furthest, abs(esme.now() - home.clock.now()))
    esme.update()
    assert 1 < furthest < 3
    assert esme.log_codes(LogName.EVENT).count(ADJUSTED) >= 8
    assert esme.registers.active_import.parts - start == 3600 * (max(int(esme.now()), esme.registers.active_import.until or 0) - from_own)
    ends = [period.end for period in esme.registers.active_import.profile]
    assert ends == list(range(ends[0], ends[-1] + 1, 1800)), "each half hour once"
    await asyncio.gather(esme.stop())


async def test_a_maker_may_let_its_clock_be_set_once_a_day(home: Home) -> None:
    esme = Esme(*home.parts(DeviceType.ESME), maker=maker("maker-clock-once"))
    now = home.clock.now()
    esme.hub_time, esme._hub_time_read_at = ServedTime(int(now), True), int(now)
    assert esme.set_clock(now - 60, now + 60)
    assert not esme.set_clock(now - 60, now + 60)
    esme.clock_offset += DAY_S
    assert esme.set_clock(now - 60, now + 60)
    await esme.stop()
