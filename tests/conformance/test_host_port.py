"""The rig as a hub: each check of a host's port fails when its own thing is wrong, and no other check does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.host_bench import HOST_CHECKS, HostBench
from hil.conformance.runner import Result, Runner
from hil.report.measurements import Verdict
from ichis.conformance.check import load_checks
from ichis.host_port import HostCondition
from ichis.hub_jig import SimulatedHubJig
from ichis.manual import Engineer
from ichis.profile import Profile, load_profile
from ichis.scpi_interpreter import ScpiInterpreter
from ichis.served_jig import ScpiTerminal

CHECKS = load_checks("host")
PROFILE = load_profile("ichis_default")
_C = HostCondition
DEFECTS = {
    "HSU-01": _C(unseated_volts=13.4),
    "HSU-02": _C(sag_v=1.6),
    "HSU-03": _C(peak_s=0.6),
    "HSU-04": _C(release_overshoot_v=1.2),
    "HSU-05": _C(pulse_limit_a=1.8),
    "HSU-06": _C(ripple_v_per_a=0.3),
    "HSU-07": _C(holdup_s=0.45),
    "HSU-08": _C(start_unseated_s=5.5),
    "HSU-09": _C(open_pins=frozenset({2})),
    "HSU-10": _C(misses_start_after=15),
    "HLI-01": _C(missing_pull_ups=frozenset({"CH_PR"})),
    "HLI-02": _C(level_volts={"MT_PR low": 0.6}),
    "HLI-03": _C(lets_go_when_seated=True),
    "HLI-04": _C(present_s=1.4),
    "HLI-05": _C(shorts=frozenset({(10, 11)})),
    "HLI-06": _C(idle_inverted=True),
    "HLI-07": _C(missing_pull_ups=frozenset({"RX_MT"})),
    "HLI-08": _C(shorts=frozenset({(3, 9)})),
    "HAC-01": _C(level_volts={"AC LO low": 0.7}),
    "HAC-02": _C(ac_lost_s=0.1),
    "HAC-03": _C(holdup_peak_s=0.025),
    "HAC-04": _C(ac_restored_s=0.2),
    "HAC-05": _C(level_volts={"AC LO high": 2.2}),
}


def outcome(condition: HostCondition, profile: Profile = PROFILE) -> list[Result]:
    """The whole suite on a port that is so."""
    board = load_board("simulated")
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> list[Result]:
        bench = HostBench(board, profile, condition, clock, Trace(clock.now))
        await bench.open()
        runner = Runner(bench, HOST_CHECKS)
        try:
            return [await runner.run(check) for check in CHECKS]
        finally:
            await bench.close()

    return clock.run(main())


@pytest.mark.requirement("ICH-03")
@pytest.mark.requirement("ICH-04")
@pytest.mark.requirement("ICH-05")
@pytest.mark.parametrize("host", ["meter", "hot shoe"])
def test_every_check_passes_on_a_healthy_port_whichever_host_it_belongs_to(host: str) -> None:
    results = outcome(HostCondition(), replace(PROFILE, host=host))
    assert [(result.check.id, result.why) for result in results if result.verdict is not Verdict.PASS] == []
    assert len(results) == 23


def test_every_check_of_a_port_has_a_defect() -> None:
    assert set(DEFECTS) == {check.id for check in CHECKS}


@pytest.mark.parametrize("name", DEFECTS)
def test_the_seeded_defect_of_a_port_makes_exactly_its_check_fail(name: str) -> None:
    results = outcome(DEFECTS[name])
    assert {result.check.id: result.why for result in results if result.verdict is not Verdict.PASS}.keys() == {name}


class _Knobs:
    """Commands that the load and the relay of the served port get, as an instrument does."""

    def __init__(self, set_to: object) -> None:
        self._set = set_to
        self._amperes, self._on = 0.0, False

    async def set_current_limit(self, amperes: float) -> None:
        self._amperes = amperes
        await self._tell()

    async def output(self, on: bool) -> None:
        self._on = on
        await self._tell()

    async def _tell(self) -> None:
        assert callable(self._set)
        await self._set(self._amperes, self._on)


class _LoadKnobs(_Knobs):
    def __init__(self, jig: SimulatedHubJig) -> None:
        super().__init__(lambda amperes, on: jig.load.draw(amperes if on else 0.0))
        self._jig = jig

    async def measure_voltage(self) -> float:
        return await self._jig.load.measure_voltage()

    async def measure_current(self) -> float:
        return await self._jig.load.measure_current()


async def test_load_multimeter_and_mains_relay_by_scpi_give_the_same_verdicts(clock: Clock, tmp_path: Path) -> None:
    """Pseudo-terminals through pyvisa-py; the engineer is asked for the lines."""
    asked: list[str] = []
    board = load_board(
        "simulated",
        (
            "jig.kind=instruments",
            f"jig.load=ASRL{tmp_path / 'load'}::INSTR",
            f"jig.probes=ASRL{tmp_path / 'probes'}::INSTR",
            f"jig.mains=ASRL{tmp_path / 'relay'}::INSTR",
        ),
    )

    port = SimulatedHubJig(PROFILE, clock, Trace(clock.now), HostCondition(ripple_v_per_a=0.3))
    load, relay = _LoadKnobs(port), _Knobs(lambda _, on: port.mains.switch(on))
    identity = "CHUB BENCH,SIMULATED {},0001,1.0"
    terminals = [
        ScpiTerminal(ScpiInterpreter(identity.format(name.upper()), knobs, port.probes), tmp_path / name)  # type: ignore[arg-type]
        for name, knobs in (("load", load), ("probes", load), ("relay", relay))
    ]
    tasks = [asyncio.create_task(terminal.run()) for terminal in terminals]
    bench = HostBench(board, PROFILE, HostCondition(), clock, Trace(clock.now))
    bench.engineer = Engineer(clock, lambda question: asked.append(question) or "")  # type: ignore[func-returns-value]
    await bench.open()
    runner = Runner(bench, HOST_CHECKS)
    try:
        results = [await runner.run(check) for check in CHECKS if check.id in ("HSU-01", "HSU-02", "HSU-06", "HSU-09", "HLI-02")]
    finally:
        await bench.close()
        for task in tasks:
            task.cancel()
        for terminal in terminals:
            terminal.close()
        await port.close()
    assert {result.check.id: str(result.verdict) for result in results} == {
        "HSU-01": "pass",
        "HSU-02": "pass",
        "HSU-06": "fail",
        "HSU-09": "pass",
        "HLI-02": "pass",
    }, [result.why for result in results]
    assert any("Device Present" in question for question in asked)
