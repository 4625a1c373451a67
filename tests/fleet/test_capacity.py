"""The plan for a region: what follows from measured costs, and that the page which is kept was made from such a run."""

from __future__ import annotations

from dataclasses import replace
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


def test_the_needs_of_a_million_hubs_are_what_the_pages_assumptions_make_of_the_costs() -> None:
    """The page's own words: 4 requests and 0.5 alerts a home and day, ten times as many in the busiest second, 30 days kept, 1500 octets
    for each, filled to 70 %, a home installed once in ten years."""
    said = " ".join(plan_in_words(COSTS, 2, 16.0).split())
    assert "4 requests and 0.5 alerts a home and day, the busiest second 10 times the mean, 30 days of requests kept, 1500 octets" in said
    assert "processors and writers filled to 70 %, every home installed anew once in ten years" in said
    one = needs(COSTS, 1_000_000)
    requests, alerts, installs = 4e7 / 86400, 5e6 / 86400, 1e7 / 3650 / 86400
    assert (one.hubs, one.requests_s, one.alerts_s) == (1_000_000, pytest.approx(requests), pytest.approx(alerts))
    busy = requests * 0.004 + alerts * 0.002 + installs * (0.01 + 0.05) + 1e6 * 0.1 / 86400
    assert one.cores == pytest.approx(busy / 0.7)
    assert one.memory_gb == pytest.approx(1e6 * 0.5 / 1000)
    assert one.disk_gb == pytest.approx(1e6 * (10_000 + 4 * 30 * 4_000) / 1e9)
    assert one.network_mbit_s == pytest.approx((requests + alerts) * 1500 * 8 / 1e6)
    assert one.commits_s == pytest.approx(requests * 8 + alerts * 4)
    assert one.databases == pytest.approx((requests * 8 + alerts * 4) * 0.0001 / 0.7)


def test_a_store_that_shrank_while_it_was_measured_needs_no_disk_less_than_none() -> None:
    assert needs(replace(COSTS, home_octets=-1.0, request_octets=-1.0), 1).disk_gb == 0


def test_a_machine_ends_at_its_memory_its_cores_its_writer_and_the_numbers_of_homes() -> None:
    one = needs(COSTS, 1_000_000)
    found = {said.split(",")[0].split(":")[0].split(".")[0]: hubs for hubs, said in limits(COSTS, 2, 16.0)}
    assert found == {
        "Memory of emulated homes": pytest.approx(16e6 / one.memory_gb),
        "Processors": pytest.approx(2e6 / one.cores),
        "One writer of the store": pytest.approx(1e6 / one.databases),
        "Identities of one fleet": 2**15 - 1,
    }


def test_the_page_tells_costs_in_thousandths_and_millionths_of_a_second() -> None:
    said = plan_in_words(COSTS, 2, 16.0)
    for row in (
        "| Home (a hub and an electricity meter), installed | 60.0 ms, 0.50 MB |",
        "| Home in the DCC's store | 10.0 kB |",
        "| Request (read 4.1.1), whole chain | 4.00 ms, 8.0 commits |",
        "| Request in the DCC's store | 4.0 kB |",
        "| Alert, to its user | 2.00 ms, 4.0 commits |",
        "| Home left alone for a day: keep-alives, ticks, polls | 100 ms |",
        "| Commit of one row to the store | 100 µs |",
        "| Wait for the medium, shared by the commits of its time | 3.0 ms |",
    ):
        assert row in said
    assert "175 requests a second at the least, 378,000 hubs." in said, "0.7 of a core at 4 ms; 4 requests a day, ten times in the peak"
