"""Standing duties of a DCC while it runs: protective monitoring, the count on each 15th, the archive of requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from firmware_emu.supervised import supervised
from hil.dcc.base.store import outliving
from hil.dcc.dcc import Dcc
from hil.sec.demand.demand import Demand
from hil.sec.incidents import IncidentLog
from hil.sec.security.monitor import ProtectiveMonitor
from hil.ssi.archive import DAY_S, RequestArchive
from hil.ssi.settings import page_settings


@asynccontextmanager
async def standing_duties(dcc: Dcc) -> AsyncIterator[None]:
    """Do them until the block ends."""
    log = IncidentLog(dcc.store, dcc.inventory, dcc.registration, dcc.device_log_copy, dcc.clock.now, dcc.trace)
    monitor = ProtectiveMonitor(dcc.store, log, dcc.trace)
    demand = Demand(dcc.store, dcc.clock.now)
    tasks = (
        _standing(dcc, "the monthly count", lambda: demand.count_each_month(dcc.clock, dcc.inventory, dcc.registration)),
        _standing(dcc, "the archive of requests", lambda: _archive_daily(dcc)),
    )
    try:
        yield
    finally:
        monitor.detach()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _standing(dcc: Dcc, what: str, duty: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    return supervised(outliving(duty, what, dcc.clock, dcc.trace), what, dcc.trace, area="dcc")


async def _archive_daily(dcc: Dcc) -> None:
    archive = RequestArchive(dcc.store, dcc.clock.now, page_settings())
    while True:
        archive.archive()
        await dcc.clock.sleep(DAY_S)
