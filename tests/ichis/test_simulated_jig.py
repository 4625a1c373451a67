"""The model of supply, store, brown-out and lines, on the warp clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.connector import Level
from ichis.host import Host
from ichis.profile import load_profile
from ichis.simulated_jig import SimulatedJig

PROFILE = load_profile("ichis_default")


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=datetime(2026, 1, 5, tzinfo=UTC), warp=True))


@pytest.fixture
async def jig(clock: Clock) -> AsyncIterator[SimulatedJig]:
    jig = SimulatedJig(PROFILE, clock, Trace(clock.now))
    jig.hub_side.listen(power=jig.hub_side.drive_device_present)
    yield jig
    await jig.close()


@pytest.fixture
def host(jig: SimulatedJig) -> Host:
    return Host(jig, PROFILE)


@pytest.mark.requirement("ICH-02")
@pytest.mark.requirement("CH-32")
async def test_the_hub_runs_from_the_supply_and_shows_itself(jig: SimulatedJig, host: Host, clock: Clock) -> None:
    assert await jig.lines.read("CH_PR") is Level.HIGH
    await host.power_up()
    assert jig.hub_side.powered
    assert jig.hub_side.host_present
    assert not jig.hub_side.ac_lost
    assert await jig.lines.read("CH_PR") is Level.LOW
    assert jig.pin_volts() == pytest.approx(12 - 0.2 * 0.15)
    assert (await jig.supply.measure_current()).value == pytest.approx(0.2)


@pytest.mark.parametrize(("interruption_s", "stays_up"), [(0.001, True), (0.3, True), (0.49, True), (0.51, False), (2.0, False)])
async def test_the_store_carries_the_hub_for_its_hold_up_time_and_not_longer(
    jig: SimulatedJig, host: Host, clock: Clock, interruption_s: float, stays_up: bool
) -> None:
    await host.power_up()
    await jig.supply.output(False)
    await clock.sleep(interruption_s)
    assert jig.hub_side.powered is stays_up
    await jig.supply.output(True)
    await clock.sleep(0.3)
    assert jig.hub_side.powered
    assert min(volts for _, volts in jig.waveform()[4:]) < 12


async def test_a_lost_mains_is_told_before_the_supply_goes(jig: SimulatedJig, host: Host, clock: Clock) -> None:
    told: list[tuple[str, float]] = []
    await host.power_up()
    jig.hub_side.listen(
        ac_lost=lambda lost: told.append(("ac lost" if lost else "ac back", clock.elapsed())),
        power=lambda on: told.append(("up" if on else "down", clock.elapsed())),
    )
    await host.mains_lost()
    await clock.sleep(200)
    await host.mains_restored()
    assert [what for what, _ in told] == ["ac lost", "down", "up", "ac back"]
    assert told[1][1] - told[0][1] == pytest.approx(1.0, abs=0.01)


async def test_a_supply_that_cannot_carry_the_hub_folds_back(jig: SimulatedJig, host: Host, clock: Clock) -> None:
    await host.power_up()
    await jig.supply.set_current_limit(0.05)
    await clock.sleep(2)
    assert not jig.hub_side.powered


async def test_a_low_supply_never_starts_the_hub(jig: SimulatedJig, host: Host, clock: Clock) -> None:
    await jig.supply.set_voltage(9.5)
    await jig.supply.output(True)
    assert not jig.hub_side.powered
    await jig.supply.set_voltage(10.5)
    assert jig.hub_side.powered
    await jig.supply.set_voltage(9.0)
    assert jig.hub_side.powered
    await jig.supply.set_voltage(5.0)
    await clock.sleep(3)
    assert not jig.hub_side.powered


@pytest.fixture(params=[False, True], ids=["pseudo-terminal", "in memory"])
async def pair(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[SimulatedJig]:
    """A jig with either of the two serial pairs, before a hub that is deaf to an octet and loses two after one that it cannot read."""
    condition = Condition(swallowed_octets=frozenset({0x13}), deaf_octets_after_error=2)
    jig = SimulatedJig(PROFILE, clock, Trace(clock.now), condition, in_memory=request.param)
    yield jig
    await jig.close()


@pytest.mark.requirement("ICH-11")
async def test_octets_cross_the_serial_pair_both_ways(pair: SimulatedJig) -> None:
    assert pair.hub_side.data is not None
    await pair.data.write(b"\x00\x11\x7e\xffhost")
    assert await pair.hub_side.data.read(64, 5) == b"\x00\x11\x7e\xffhost"
    await pair.hub_side.data.write(b"hub\x13\r\n")
    assert await pair.data.read(6, 5) == b"hub\x13\r\n"
    assert await pair.data.read(1, 0.05) == b""


async def test_defects_of_the_hubs_uart_and_settings_that_do_not_fit_break_octets_on_either_pair(pair: SimulatedJig) -> None:
    own, hub = PROFILE.line, pair.hub_side.data
    assert hub is not None
    await pair.data.write(b"a\x13b")
    assert await hub.read(64, 5) == b"ab"
    await pair.data.set_line(replace(own, baud=own.baud / 3))
    await pair.data.write(b"\x00" * 4)
    garbled = await hub.read(64, 0.05)
    assert b"\x00" * 4 not in garbled
    await pair.data.set_line(own)
    await pair.data.write(b"12345678")
    assert await hub.read(64, 5) == b"345678"
