"""Standing duties of a DCC while it runs, and its security on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from hil.bench.duties import standing_duties
from hil.commands.dcc.security import security
from hil.dcc.base.months import Month
from hil.sec.demand.demand import Demand
from hil.ssi.archive import RequestArchive
from hil.ssi.settings import page_settings
from tests.dcc.far_end import SUPPLIER, FarEnd
from tests.dcc.messages import send


async def test_a_running_dcc_monitors_counts_and_archives_until_it_ends(clock: Clock, keystore: Keystore, tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    far_end = FarEnd(keystore, clock, path)

    await far_end.in_service()
    async with standing_duties(far_end.dcc):
        await send(far_end, "11.2", user=far_end.second)
        await send(far_end, "11.2")
        await far_end.clock.sleep(95 * 86400)
    await send(far_end, "11.2", user=far_end.second)
    store, now = far_end.dcc.store, far_end.clock.now
    assert Demand(store, now).usage(SUPPLIER).enrolled == {Month(2026, number): 1 for number in (1, 2, 3)}
    assert len(RequestArchive(store, now, page_settings()).archived(SUPPLIER)) == 1
    await far_end.close()
    shown = CliRunner().invoke(security, ["events", "--store", str(path), "--json"])
    assert [one["kind"] for one in json.loads(shown.output)] == ["service outside eligibility"]
    listed = json.loads(CliRunner().invoke(security, ["algorithms", "--json"]).output)
    assert {one["scope"] for one in listed} == {"gateway", "HAN", "identifier", "evidence"}
