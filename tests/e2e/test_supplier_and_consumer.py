"""Services whose effect shows beside the meter's answer: what displays see, what a log holds, where a clock stands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from firmware_emu.clock import Clock
from firmware_emu.device.event_log import LogName
from firmware_emu.zse.clusters.metering import METERING
from hil.dcc.duis.document import Content
from hil.devices import Ihd, Ppmid
from hil.devices.metering.registers import DAY_S
from hil.parse_correlate.message.dlms import AccessResponse
from tests.e2e.year_home import YearHome

START = datetime(2026, 1, 5, 6, tzinfo=UTC)
TOTAL, TODAY, YESTERDAY = 0x0000, 0x0401, 0x0403
CLEARED = 0x8F52


@pytest.fixture
def dark_home(follow: Callable[[Clock], Clock]) -> YearHome:
    home = YearHome(START, lambda half_hour: 500, lambda half_hour: 100)
    follow(home.clock)
    return home


@pytest.fixture
async def home(dark_home: YearHome) -> AsyncIterator[YearHome]:
    async with dark_home.living():
        yield dark_home


async def shown(home: YearHome, display: Ihd | Ppmid) -> tuple[object, ...]:
    """Readings of a display of the home off the electricity meter: total, today, yesterday."""
    esme = home.esme.eui64
    for endpoint in await display.node.match_descriptors(esme, METERING.id, server=True):
        values = await display.zcl.read_attributes(esme, endpoint, METERING.id, (TOTAL, TODAY, YESTERDAY))
        if values.get(TOTAL) is not None:
            return values[TOTAL], values[TODAY], values[YESTERDAY]
    raise AssertionError("it lets nothing be read")


def whole(home: YearHome, **more: Content) -> dict[str, Content]:
    period = {"StartDateTime": START - timedelta(days=1), "EndDateTime": home.clock.datetime() + timedelta(minutes=1)}
    return {"ReadLogPeriod": period, **more}


@pytest.mark.requirement("SVC-3.2")
async def test_after_a_change_of_tenancy_no_display_of_the_home_sees_what_was_before_and_the_supplier_still_does(home: YearHome) -> None:
    home.link(home.ihd, home.esme)
    await home.at(START.replace(hour=0, minute=0) + timedelta(days=2, hours=12, seconds=5))
    for display in (home.ihd, home.ppmid):
        assert await shown(home, display) == (27_000, 6_000, 12_000)
    await home.ask("3.2", home.esme.eui64, {"RestrictionDateTime": home.clock.datetime()})
    for display in (home.ihd, home.ppmid):
        assert await shown(home, display) == (27_000, 6_000, 0)
    log = (await home.ask("4.17", home.esme.eui64, whole(home))).parsed
    assert log is not None
    days = log.opened[0].values.values[0]  # type: ignore[union-attr]
    assert (days.kind, len(days.values)) == ("compact-array", 2)
    await home.clock.sleep(2 * DAY_S)
    assert (await shown(home, home.ihd))[2] == 12_000


@pytest.mark.requirement("SVC-3.3")
@pytest.mark.requirement("SVC-6.13")
async def test_a_cleared_event_log_is_read_empty_but_for_what_came_after_and_the_security_log_says_that_it_was_cleared(
    home: YearHome,
) -> None:
    esme = home.esme

    async def read(log: str) -> int:
        parsed = (await home.ask("6.13", esme.eui64, whole(home, LogToRead=log))).parsed
        assert parsed is not None
        assert isinstance(parsed.payload, AccessResponse)
        entries = parsed.payload.data[0]
        assert entries.kind == "compact-array"
        return len(entries.values)

    before = len(esme.log_codes(LogName.EVENT))
    assert await read("Event") == before > 2
    security = await read("Security")
    await home.ask("3.3", esme.eui64, {"ESMEEventLogType": "ESME"})
    assert await read("Event") == 1
    assert await read("Security") == security + 1
    assert esme.log_codes(LogName.SECURITY)[-1] == CLEARED


@pytest.mark.requirement("SVC-6.11")
async def test_a_meter_whose_clock_went_astray_is_set_to_the_hubs_time(home: YearHome) -> None:
    home.esme.clock_offset += 7
    await home.ask("6.11", home.esme.eui64, {"CurrentDateTime": home.clock.datetime() - timedelta(seconds=30), "TolerancePeriod": 60})
    assert abs(home.esme.now() - home.clock.now()) < 1
    home.esme.clock_offset += 7
    outcome = await home.dcc.send(
        home.users["supplier"],
        home.dcc.request(
            home.users["supplier"],
            "6.11",
            home.esme.eui64,
            {"CurrentDateTime": home.clock.datetime() - timedelta(days=1), "TolerancePeriod": 60},
        ),
        wait_s=600,
    )
    assert not outcome.ok
    assert home.esme.now() - home.clock.now() > 6
