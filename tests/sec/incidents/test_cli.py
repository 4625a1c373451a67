"""``chub dcc incidents``: an incident from diagnosis to its report on the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.crypto.roles import DeviceType
from hil.commands.dcc.dcc import dcc
from hil.commands.dcc.incidents import incidents
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration import Registration
from hil.sec.incidents.diagnostics import ask
from hil.sec.incidents.rules import incident_rules
from tests.dcc.far_end import CHF, ESME, MPAN, OTHER, SUPPLIER, FarEnd


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


async def test_the_device_itself_is_asked_and_its_answer_or_its_silence_is_told(far_end: FarEnd) -> None:
    await far_end.in_service()
    said = await ask(far_end.dcc, far_end.supplier, ESME)
    assert re.fullmatch(r"the Device was asked \(11\.2\) and answered after \d\.\d s: it runs firmware 0B0C0D0E", said)
    far_end.wan.coverage = False
    far_end.wan.cut()
    assert "gave no answer: at SM WAN, response [E20]" in await ask(far_end.dcc, far_end.supplier, ESME, 5)


def test_with_the_users_keys_the_diagnostics_ask_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    store = ["--store", str(tmp_path / "dcc.sqlite")]
    assert CliRunner().invoke(dcc, ["prepare", "--board", "simulated", *store]).exit_code == 0
    words = ["incidents", "diagnose", str(ESME), "--as", "02-d0-00-00-00-00-00-10", *store, "--json"]
    told = [
        json.loads(CliRunner().invoke(dcc, [*words, *keys], catch_exceptions=False).stdout)["findings"]
        for keys in ([], ["--board", "simulated"])
    ]
    assert told[0][-1] == "the Device itself was not asked"
    assert told[1][-1].startswith("the Device was asked (11.2) and gave no answer: at gateway, CK-3 device status [E19]")
