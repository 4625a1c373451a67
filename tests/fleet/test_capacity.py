"""The plan for a region: what follows from measured costs, and that the page which is kept was made from such a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.fleet.capacity import DAY_S, FULL, PEAK, READS_A_DAY, SIZES, Costs, limits, needs, plan_in_words, write_plots

COSTS = Costs(100, 0.01, 0.05, 0.004, 0.002, 0.1, 0.5, 10_000.0, 4_000.0, 8.0, 4.0, 0.0001, 0.003)


def test_needs_grow_with_hubs_and_with_each_cost() -> None:
    one, many = (needs(COSTS, size) for size in SIZES)
    assert many.cores == pytest.approx(one.cores * SIZES[1] / SIZES[0])
    assert one.requests_s == SIZES[0] * READS_A_DAY / DAY_S * PEAK
    assert one.memory_gb == 500.0
    by_themselves = SIZES[0] * COSTS.idle_s / DAY_S
    assert one.cores > (one.requests_s * COSTS.read_s + by_themselves) / FULL


def test_the_page_names_each_size_and_what_breaks_first(tmp_path: Path) -> None:
    said = plan_in_words(COSTS, 2, 16.0)
    assert all(f"| {size:,} |" in said for size in SIZES)
    assert max(len(line) for line in said.splitlines() if not line.startswith("|")) <= 140
    numbers = [hubs for hubs, _ in limits(COSTS, 2, 16.0)]
    assert numbers == sorted(numbers)
    assert 16.0 * 1000 / COSTS.home_mb in numbers
    write_plots([COSTS], tmp_path / "plots.svg")
    assert "requests a second" in (tmp_path / "plots.svg").read_text() or (tmp_path / "plots.svg").stat().st_size > 1000
