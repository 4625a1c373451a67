"""The hub dies at writes of the demo's journey, cleanly and with the write torn; `chub run power-cuts` does it at every one."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from firmware_emu.hub.power import LOST_AT
from hil.bench.medium import torn
from hil.commands.deaths.power_cuts import power_cuts
from hil.journeys.power_cuts import Cut, CutResult, all_cuts, run_cut, some_cuts, summary


@pytest.mark.requirement("CH-03")
def test_a_journey_goes_through_whatever_write_the_hub_dies_at_and_the_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    ran = CliRunner().invoke(power_cuts, ["--cuts", "4", "--json"], catch_exceptions=False)
    *cuts, last = map(json.loads, ran.stdout.splitlines())
    with capsys.disabled():
        print(f"\n{last['summary']}")
    assert [cut["wrong"] for cut in cuts] == [[]] * 4
    assert ran.exit_code == 0
    assert all(cut["happened"] and cut["recovery_s"] < 5 for cut in cuts)
    assert {cut["kept"] is None for cut in cuts} == {True, False}
    assert re.match(r"4 cuts, [123] of them torn writes; 0 with something wrong; worst recovery \d\.\d\d s of bench time", last["summary"])


def test_every_write_is_cut_once_cleanly_and_once_torn_and_a_selection_hangs_on_the_seed() -> None:
    cuts = all_cuts(50)
    assert [cut.write for cut in cuts if cut.kept is None] == [cut.write for cut in cuts if cut.kept is not None] == list(range(1, 51))
    assert some_cuts(50, 10, seed=1) == some_cuts(50, 10, seed=1) != some_cuts(50, 10, seed=2)
    assert some_cuts(2, 100) == all_cuts(2)


def test_a_cut_beyond_the_last_write_does_not_happen_and_a_summary_counts_what_is_wrong() -> None:
    results = [CutResult(9, None, False, None, ()), CutResult(3, 0.5, True, 1.25, ("a thing",)), CutResult(4, None, True, 0.5, ())]
    assert summary(results, 3.2) == (
        "2 cuts, 1 of them torn writes; 1 with something wrong; worst recovery 1.25 s of bench time from boot to HAN and SM WAN up; 3 s"
    )


@pytest.mark.parametrize(("before", "after"), [(b"", bytes(range(256)) * 8), (b"A" * 4096, b"A" * 1024 + b"B" * 1024 + b"A" * 2048)])
def test_a_torn_write_keeps_the_share_of_what_changed_and_the_old_octets_behind_it(before: bytes, after: bytes) -> None:
    assert torn(before, after, 0.0) == (after[:1024] + before[1024:] if before else b"")
    half = torn(before, after, 0.5)
    assert half == (after[:1536] + before[1536:] if before else after[:1024])
    assert torn(before, after, 1.0) == after


def test_a_medium_that_does_not_hold_what_was_durable_is_told_by_the_names_of_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = itertools.count()
    monkeypatch.setattr("hil.journeys.power_cuts.durable", lambda path: {"hub/power/boots": bytes([next(seen)]), LOST_AT: b""})
    result, _ = run_cut(load_board("simulated"), Cut(40, None))
    assert result.wrong == ("the medium does not hold what was durable before the write: hub/power/boots",)
