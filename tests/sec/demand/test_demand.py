"""Forecasts, counts on the 15th and monthly reports out of a DCC's store."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.clock import EPOCH
from hil.commands.dcc.forecast import forecast
from hil.dcc.base.months import Month
from hil.sec.demand.demand import Demand, DemandError
from tests.dcc.far_end import ESME, MPAN, NETWORK, OTHER, SUPPLIER, FarEnd
from tests.sec.demand.demand_bench import Desk

MARCH = Month(2026, 3)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.requirement("DM-01")
@pytest.mark.requirement("TR-9")
def test_a_user_forecasts_each_of_the_next_six_months(desk: Desk) -> None:
    months = desk.demand.next_months()
    assert list(map(str, months)) == ["2026-03", "2026-04", "2026-05", "2026-06", "2026-07", "2026-08"]
    desk.demand.forecast(SUPPLIER, "4.8", dict(zip(months, range(6), strict=True)))
    assert desk.demand.forecast_of(SUPPLIER, "4.8", MARCH + 5) == 5
    desk.demand.forecast(SUPPLIER, "4.8", dict.fromkeys(months, 7))
    assert desk.demand.forecast_of(SUPPLIER, "4.8", MARCH + 5) == 7
    with pytest.raises(DemandError, match="for each of 2026-03"):
        desk.demand.forecast(SUPPLIER, "4.8", dict.fromkeys(months[:5], 7))
    with pytest.raises(DemandError, match="none that role OU sends"):
        desk.demand.forecast(OTHER, "7.2", dict.fromkeys(months, 7))
    with pytest.raises(DemandError, match="is no user"):
        desk.demand.forecast(ESME, "4.8", dict.fromkeys(months, 7))


@pytest.mark.requirement("DM-02")
def test_each_user_gets_its_usage_by_service_with_its_forecast(desk: Desk) -> None:
    desk.demand.forecast(SUPPLIER, "4.8", dict.fromkeys(desk.demand.next_months(), 2))
    desk.sent(SUPPLIER, "4.8.1", MARCH, 2)
    desk.sent(SUPPLIER, "4.8.2", MARCH, 1)
    desk.sent(SUPPLIER, "7.4", MARCH, 3)
    desk.sent(NETWORK, "4.8.1", MARCH, 50)
    report = desk.demand.report(SUPPLIER, MARCH)
    used = {line.service: (line.used, line.forecast) for line in report.lines}
    assert (used["4.8"], used["7.4"], used["3.1"]) == ((3, 2), (3, None), (0, None))
    assert report.missing_forecasts == ("7.4",)
    assert [str(one.against) for one in report.findings] == ["the forecast"]
    assert report.as_json()["part_year_reading"] == "sensible"


@pytest.mark.requirement("DM-03")
def test_aggregate_usage_names_no_user(desk: Desk) -> None:
    desk.sent(SUPPLIER, "4.8.1", MARCH, 2)
    desk.sent(NETWORK, "4.8.1", MARCH, 5)
    desk.sent(NETWORK, "4.10", MARCH, 1)
    desk.sent(NETWORK, "4.10", MARCH + 1, 9)
    assert desk.demand.aggregate(MARCH) == {"4.8": 7, "4.10": 1}


@pytest.mark.requirement("DM-04")
@pytest.mark.requirement("TR-8")
def test_all_users_at_or_above_110_per_cent_are_reported(desk: Desk) -> None:
    for user in (SUPPLIER, NETWORK):
        desk.sent(user, "7.4" if user == SUPPLIER else "4.17", Month(2025, 1))
        for back in range(-11, 1):
            desk.enrolled(user, MARCH + back, 1)
    desk.sent(SUPPLIER, "4.8.1", MARCH, 34)
    desk.sent(NETWORK, "4.10", MARCH, 1)
    assert desk.demand.over(MARCH)[0].against == "threshold TH-6"
    assert len(desk.demand.over(MARCH)) == 1
    desk.sent(SUPPLIER, "4.8.2", MARCH)
    assert {one.against for one in desk.demand.over(MARCH)} == {"threshold TH-6", "threshold TH-2"}


@pytest.mark.requirement("DM-06")
async def test_enrolled_systems_are_counted_on_the_15th_of_each_month(far_end: FarEnd) -> None:
    await far_end.in_service()
    demand = Demand(far_end.dcc.store, far_end.clock.now)
    counting = asyncio.create_task(demand.count_each_month(far_end.clock, far_end.dcc.inventory, far_end.dcc.registration))
    await far_end.clock.sleep(86400 * 50)
    counting.cancel()
    usage = demand.usage(SUPPLIER)
    assert usage.enrolled == {Month(2026, 1): 1, Month(2026, 2): 1}
    assert demand.usage(NETWORK).enrolled == {Month(2026, 1): 1, Month(2026, 2): 1}
    assert demand.usage(OTHER).enrolled == {Month(2026, 1): 0, Month(2026, 2): 0}
    times = {row["counted"] for row in far_end.dcc.store.rows("SELECT counted FROM enrolled_counts")}
    assert times == {Month(2026, 1).begins + 14 * 86400, Month(2026, 2).begins + 14 * 86400}
    assert far_end.dcc.registration.all_at(far_end.clock.now())[0][0] == MPAN


def test_the_command_line_gives_forecasts_and_reads_reports(tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    desk = Desk(path)
    this_month = Month.at((datetime.now(UTC) - EPOCH).total_seconds())
    desk.sent(SUPPLIER, "4.8.1", this_month + 1, 3)
    desk.store.close()

    def said(*words: str, code: int = 0) -> object:
        result = CliRunner().invoke(forecast, [*words, "--json"], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return json.loads(result.output)

    store = ("--store", str(path))
    assert len(said("give", str(SUPPLIER), "4.8", "1", "2", "3", "4", "5", "6", *store)) == 6  # type: ignore[arg-type]
    report = said("report", str(SUPPLIER), str(this_month + 1), *store)
    assert {one["service"]: one["used"] for one in report["services"]}["4.8"] == 3  # type: ignore[index]
    assert said("aggregate", str(this_month + 1), *store) == [{"service": "4.8", "requests": 3}]
    assert said("over", str(this_month + 1), *store, code=1)[0]["against"] == "the forecast"  # type: ignore[index]
    assert said("count", *store) == []
    assert len(said("thresholds")) == 7  # type: ignore[arg-type]
    assert sum(one["requests"] for one in said("allocate", "100", *["1"] * 12)) == 100  # type: ignore[attr-defined]
