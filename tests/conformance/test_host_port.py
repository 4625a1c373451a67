"""The rig as a hub: each check of a host's port fails when its own thing is wrong, and no other check does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.host_bench import HOST_CHECKS, HostBench
from hil.conformance.proofs.faults import LOADS, instruments
from hil.conformance.runner import CheckResult, Runner
from hil.report.measurements import CheckVerdict
from ichis.bad_units import BAD_HOSTS
from ichis.conformance.check import load_checks
from ichis.host_port import HostCondition
from ichis.profile import InterfaceProfile, load_profile

CHECKS = load_checks("host")
PROFILE = load_profile("ichis_default")
DEFECTS = BAD_HOSTS


def outcome(
    condition: HostCondition, profile: InterfaceProfile = PROFILE, *settings: str, wanted: tuple[str, ...] = ()
) -> list[CheckResult]:
    """The whole suite on a port that is so."""
    board = load_board("simulated", settings)
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> list[CheckResult]:
        bench = HostBench(board, profile, condition, clock, Trace(clock.now))
        await bench.open()
        runner = Runner(bench, HOST_CHECKS)
        try:
            return [await runner.run(check) for check in CHECKS if not wanted or check.id in wanted]
        finally:
            await bench.close()

    return clock.run(main())


@pytest.mark.requirement("ICH-03")
@pytest.mark.requirement("ICH-04")
@pytest.mark.requirement("ICH-05")
@pytest.mark.parametrize("host", ["meter", "hot shoe"])
def test_every_check_passes_on_a_healthy_port_whichever_host_it_belongs_to(host: str) -> None:
    results = outcome(HostCondition(), replace(PROFILE, host=host))
    assert [(result.check.id, result.why) for result in results if result.verdict is not CheckVerdict.PASS] == []
    assert len(results) == 23


def test_every_check_of_a_port_has_a_defect() -> None:
    assert set(DEFECTS) == {check.id for check in CHECKS}


@pytest.mark.parametrize("name", DEFECTS)
def test_the_seeded_defect_of_a_port_makes_exactly_its_check_fail(name: str) -> None:
    results = outcome(DEFECTS[name])
    assert {result.check.id: result.why for result in results if result.verdict is not CheckVerdict.PASS}.keys() == {name}


def test_load_multimeter_and_mains_relay_as_instruments_give_the_same_verdicts() -> None:
    wanted = ("HSU-01", "HSU-02", "HSU-06", "HSU-07", "HSU-09", "HLI-02", "HAC-03")
    behind = ("jig.stand_in.load=scpi-load", "jig.stand_in.probes=scpi-scanner", "jig.stand_in.relay=scpi-relay")
    results = outcome(HostCondition(ripple_v_per_a=0.3), PROFILE, *behind, wanted=wanted)
    assert {result.check.id: str(result.verdict) for result in results} == {name: "fail" if name == "HSU-06" else "pass" for name in wanted}


@pytest.mark.parametrize("load", LOADS)
def test_a_time_read_by_instruments_holds_the_truth_within_its_uncertainty(load: str) -> None:
    port, wanted = DEFECTS["HAC-03"], ("HSU-07", "HAC-03")
    truths = {"HSU-07": port.holdup_s, "HAC-03": (port.holdup_peak_s or 0.0) - port.ac_lost_s}
    for result in outcome(port, PROFILE, *instruments("host", load, 5.0), wanted=wanted):
        assert result.value is not None
        assert result.u is not None
        assert abs(result.value - truths[result.check.id]) <= result.u, result.check.id
        assert result.u < 0.02


@pytest.mark.parametrize("load", LOADS)
def test_a_multimeter_watches_a_pulse_that_the_load_itself_is_too_slow_to_watch(load: str) -> None:
    settings, wanted = instruments("host", load, 5.0), ("HSU-03", "HSU-04")
    assert [str(result.verdict) for result in outcome(HostCondition(), PROFILE, *settings, wanted=wanted)] == ["pass", "pass"]
    assert [str(result.verdict) for result in outcome(DEFECTS["HSU-04"], PROFILE, *settings, wanted=wanted)] == ["pass", "fail"]
