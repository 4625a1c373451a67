"""Each check fails when its own thing is wrong, and no other check does: a check that no defect can fail does not count.

The healthy bench has the dongle of every bench. The hubs with a defect are on a HAN in memory: what is wrong with them is in the
connector, in the hub or on the board, and they boot thousands of times.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.conformance.bench import Bench
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.runner import Result, Runner
from hil.conformance.station import ConformanceStation
from hil.radio.nodes.memory_han import Han, MemoryRadio
from hil.report.measurements import Verdict
from ichis.conformance.check import load_checks
from ichis.profile import load_profile
from tests.conformance.seeded_defects import DEFECTS, Defect, _ends, _last_end

CHECKS = load_checks()


def on_a_han_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each station gets a radio that remembers its network over power cuts as a dongle does."""
    up = ConformanceStation.bring_up

    async def bring_up(station: ConformanceStation) -> None:
        radio = MemoryRadio(Han(), station.board.hub.gpf)
        monkeypatch.setattr("hil.bench.home.radio_of", lambda *of_the_board: radio)
        await up(station)

    monkeypatch.setattr(ConformanceStation, "bring_up", bring_up)


def outcome(defect: Defect, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """The whole suite on a bench with this defect."""
    _last_end[0] = 0
    _ends.clear()
    monkeypatch.setattr("hil.bench.home.Hub", defect.hub)
    up = ConformanceStation.bring_up

    async def bring_up(station: ConformanceStation) -> None:
        await up(station)
        if defect.station is not None:
            defect.station(station)

    monkeypatch.setattr(ConformanceStation, "bring_up", bring_up)
    board = load_board("simulated", defect.board)
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> list[Result]:
        bench = Bench(board, load_profile("ichis_default"), defect.condition, clock, Trace(clock.now), folder)
        await bench.open()
        runner = Runner(bench, HUB_CHECKS)
        try:
            return [await runner.run(check) for check in CHECKS]
        finally:
            await bench.close()

    return clock.run(main())


@pytest.mark.requirement("ICH-09")
def test_every_check_passes_on_a_healthy_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = outcome(Defect(), tmp_path, monkeypatch)
    assert [(result.check.id, result.why) for result in results if result.verdict is not Verdict.PASS] == []
    assert len(results) >= 40


def test_every_check_has_a_defect() -> None:
    assert set(DEFECTS) == {check.id for check in CHECKS}


@pytest.mark.parametrize("name", DEFECTS)
def test_the_seeded_defect_makes_exactly_its_check_fail(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_han_in_memory(monkeypatch)
    results = outcome(DEFECTS[name], tmp_path, monkeypatch)
    assert {result.check.id: result.why for result in results if result.verdict is Verdict.FAIL}.keys() == {name}
    unsure = {result.check.id: result.why for result in results if result.verdict is Verdict.INCONCLUSIVE}
    assert not unsure
