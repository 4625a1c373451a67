"""``chub dcc incidents``: an incident from diagnosis to its report on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from firmware_emu.crypto.roles import DeviceType
from hil.commands.dcc.incidents import incidents
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration import Registration
from hil.sec.incidents.rules import incident_rules
from tests.dcc.far_end import CHF, ESME, MPAN, OTHER, SUPPLIER


def test_an_incident_goes_its_whole_way_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    store = DccStore(path)
    store.execute("INSERT INTO users (eui, role) VALUES (?, 'IS')", (str(SUPPLIER),))
    inventory = Inventory(store, lambda: 0.0)
    for eui, kind in ((CHF, DeviceType.CHF), (ESME, DeviceType.ESME)):
        inventory.certify(kind, "B", "B", "1")
        inventory.pre_notify(eui, kind, manufacturer="B", model="B", firmware="1")
    inventory.associate(ESME, "chf", CHF)
    inventory.describe(ESME, import_mpxn=MPAN)
    Registration(store).register(MPAN, UserRole.IS, SUPPLIER)
    store.close()

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(incidents, [*words, "--store", str(path), "--json"])
        assert result.exit_code == code, (result.output, result.exception)
        return json.loads(result.output) if result.output else None

    me = ("--as", str(SUPPLIER))
    diagnostic = str(run("diagnose", str(ESME), *me)["diagnostic"])
    raised = run("raise", "no reads", *me, "--device", str(ESME), "--diagnostic", diagnostic)[0]
    assert (raised["owner"], raised["area"], raised["state"]) == (str(SUPPLIER), "smart meter", "allocated")
    assert run("categorise", "1", "2")[0]["category"] == 2
    states = [run("step", "1", step, "because", *me)[0]["state"] for step in ("note", "visit", "resolve", "reopen", "resolve", "close")]
    assert states == ["investigating", "allocated", "resolved", "investigating", "resolved", "closed"]
    assert run("list", *me)[0]["number"] == 1
    assert run("list", "--as", str(OTHER)) == []
    assert run("show", "1", *me)["entries"][0]["text"] == "raised: no reads"
    assert CliRunner().invoke(incidents, ["show", "1", "--as", str(OTHER), "--store", str(path)]).exit_code == 1

    run("raise", "the region is down", "--category", "1", "--area", "communications network")
    assert run("major", "2", "--managers", "A. Jones", "B. Smith", "--affected", str(OTHER))[0]["dcc_manager"] == "B. Smith"
    run("step", "2", "resolve", "it is back")
    report = tmp_path / "report.json"
    report.write_text(json.dumps(dict.fromkeys(incident_rules().major_report, "said")))
    assert run("major", "2", "--report", str(report))[0]["reported"]
    assert "Incidents" in CliRunner().invoke(incidents, ["list", "--store", str(path)]).output
    assert CliRunner().invoke(incidents, ["step", "2", "reopen", "why", "--store", str(path)]).exit_code == 2
