"""User entry before any service, and protective monitoring of what users and hubs try."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import Value
from hil.commands.dcc.dcc import dcc
from hil.dcc.answers.alerts import DropKind
from hil.dcc.answers.answers import StrayKind
from hil.dcc.base.refusals import catalogue
from hil.dcc.base.results import Verdict
from hil.dcc.base.services import UserRole
from hil.dcc.gateway.connections import NotConnected
from hil.dcc.gateway.gateway import UserEntryError
from hil.dcc.parties.users import User
from hil.sec.incidents import IncidentLog
from hil.sec.security.entry import STEPS, UserEntry
from hil.sec.security.monitor import ProtectiveMonitor, monitor_rules, security_events
from tests.dcc.far_end import CHF, ESME, SUPPLIER, FarEnd
from tests.dcc.messages import NEW, notification, send

NEWCOMER = Eui64.parse("90b3d51f30010008")


@pytest.mark.requirement("SEC-01")
async def test_no_service_before_user_entry_and_the_security_demonstration(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    entry = UserEntry(far_end.dcc.store, far_end.dcc.gateway, far_end.clock.now)
    newcomer = User(NEWCOMER, UserRole.OU, keystore)
    for number, step in enumerate(STEPS):
        refused = await send(far_end, "8.2", None, {"DeviceID": ESME}, user=newcomer)
        assert (refused.verdict, refused.response_code) == (Verdict.REFUSED, "E1")
        with pytest.raises(UserEntryError, match=f"still to do: {step}"):
            entry.enter(NEWCOMER, UserRole.OU)
        assert entry.complete(NEWCOMER, step, "letter of the Panel") == STEPS[number + 1 :]
    entry.enter(NEWCOMER, UserRole.OU)
    assert (await send(far_end, "8.2", None, {"DeviceID": ESME}, user=newcomer)).verdict is Verdict.SUCCESS


def test_the_steps_of_user_entry_are_taken_in_their_order(far_end: FarEnd) -> None:
    entry = UserEntry(far_end.dcc.store, far_end.dcc.gateway, far_end.clock.now)
    with pytest.raises(UserEntryError, match="expected next: accession to the SEC"):
        entry.complete(NEWCOMER, "security demonstration", "none")
    for step in STEPS:
        entry.complete(NEWCOMER, step, "letter")
    with pytest.raises(UserEntryError, match="all steps are done"):
        entry.complete(NEWCOMER, STEPS[0], "letter")


def watch(far_end: FarEnd, **options: object) -> tuple[IncidentLog, ProtectiveMonitor]:
    dcc = far_end.dcc
    log = IncidentLog(dcc.store, dcc.inventory, dcc.registration, dcc.device_log_copy, far_end.clock.now, far_end.trace)
    rules = replace(monitor_rules(), attack_events=3, window_s=60.0)
    return log, ProtectiveMonitor(dcc.store, log, far_end.trace, rules=rules, **options)  # type: ignore[arg-type]


@pytest.mark.requirement("SEC-06")
async def test_security_events_of_users_and_hubs_are_kept_with_time_kind_and_source(far_end: FarEnd, keystore: Keystore) -> None:
    await far_end.in_service()
    watch(far_end)
    await send(far_end, "11.2", user=User(NEWCOMER, UserRole.OU, keystore))
    await send(far_end, "11.2")
    request = far_end.dcc.request(far_end.supplier, "11.2", ESME)
    await far_end.dcc.send(far_end.supplier, request)
    await far_end.dcc.send(far_end.supplier, request)
    far_end.home.change = lambda messages: [message[:-1] + bytes([message[-1] ^ 1]) for message in messages]
    await send(far_end, "11.2", wait_s=5)
    kinds = [(one.kind, one.source) for one in security_events(far_end.dcc.store)]
    assert kinds == [
        ("unknown or suspended user", str(NEWCOMER)),
        ("replayed request", str(SUPPLIER)),
        ("forged or replayed response", "responses"),
    ]
    assert all(one.time > 0 and one.message and one.detail for one in security_events(far_end.dcc.store))


@pytest.mark.requirement("SEC-02")
async def test_many_unauthorised_attempts_become_a_security_incident_and_may_suspend_the_user(far_end: FarEnd) -> None:
    await far_end.in_service()
    log, _ = watch(far_end, respond=far_end.dcc.gateway.suspend)
    for attempt in range(3):
        assert log.incidents() == (), attempt
        outcome = await send(far_end, "11.2", user=far_end.second)
        assert outcome.refusal is not None
        assert outcome.refusal.check == "CK-4 registration"
    incident = log.incidents()[0]
    assert incident.security
    assert str(far_end.second.eui64) in incident.summary
    assert [one.incident for one in security_events(far_end.dcc.store)] == [incident.number] * 3
    suspended = await send(far_end, "11.2", user=far_end.second)
    assert suspended.response_code == "E3"
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS
    assert len(log.incidents()) == 1


async def test_attempts_that_are_far_apart_are_no_attack(far_end: FarEnd) -> None:
    await far_end.in_service()
    log, monitor = watch(far_end)
    for _ in range(4):
        await send(far_end, "11.2", user=far_end.second)
        await far_end.clock.sleep(31)
    assert log.incidents() == ()
    monitor.detach()
    await send(far_end, "11.2", user=far_end.second)
    assert len(security_events(far_end.dcc.store)) == 4


@pytest.mark.requirement("GOV-17")
@pytest.mark.parametrize(
    ("version", "listed"), [("SMETS V1.2", False), ("SMETS1", False), ("SMETS V1.58", True), ("SMETS V2.0", True), ("SMETS V5.2", True)]
)
async def test_smets_1_models_are_rejected_at_pre_notification(far_end: FarEnd, version: str, listed: bool) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "12.2", None, notification(NEW, SMETSCHTSVersion=version))
    assert outcome.ok is listed, outcome.why
    assert listed or "SMETS 1" in outcome.why
    assert (far_end.dcc.inventory.device(NEW) is not None) is listed
    assert far_end.dcc.inventory.device(CHF) is not None


def test_the_monitor_knows_events_by_names_that_the_dcc_gives() -> None:
    given = {*catalogue(), *StrayKind, *DropKind}
    assert {name for _, name in monitor_rules().events} <= given


@pytest.mark.requirement("GW-03")
@pytest.mark.requirement("SEC-01")
def test_user_entry_is_a_command_and_asks_for_a_connection_before_tests_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = ["--store", str(tmp_path / "dcc.sqlite"), "--board", "simulated"]
    party = "02-d0-00-00-00-00-00-99"

    def entry(*words: str) -> Result:
        return CliRunner().invoke(dcc, ["security", "entry", party, *words, *place, "--json"])

    early = entry("--enter", "OU")
    assert isinstance(early.exception, UserEntryError)
    for step in STEPS[:2]:
        assert entry("--complete", step).exit_code == 0
    assert isinstance(entry("--complete", STEPS[2]).exception, NotConnected)
    assert CliRunner().invoke(dcc, ["connections", "notify", party, "low volume", *place[:2]]).exit_code == 0
    for step in STEPS[2:]:
        assert entry("--complete", step).exit_code == 0
    assert all(row["done"] for row in json.loads(entry("--enter", "OU").stdout))


@pytest.mark.requirement("GW-09")
@pytest.mark.requirement("GW-10")
def test_an_identifier_is_one_user_in_one_role_and_that_of_the_dcc_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = ["--store", str(tmp_path / "dcc.sqlite"), "--board", "simulated"]
    broker, party = "02-d0-00-00-00-00-00-40", "02-d0-00-00-00-00-00-99"

    def entry(*words: str) -> Result:
        return CliRunner().invoke(dcc, ["security", "entry", *words, *place, "--json"])

    assert (wrong := entry("02-d0", "--enter", "OU")).exit_code == 2, wrong.output
    for one in (party, broker):
        for step in STEPS:
            if step == STEPS[2]:
                assert CliRunner().invoke(dcc, ["connections", "notify", one, "low volume", *place[:2]]).exit_code == 0
            assert entry(one, "--complete", step).exit_code == 0
    assert entry(party, "--enter", "OU").exit_code == 0
    assert "one identifier stands for one role" in str(entry(party, "--enter", "IS").exception)
    assert "own identifier" in str(entry(broker, "--enter", "OU").exception)


async def test_noticing_an_attack_costs_no_more_the_longer_it_lasts(far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can send what is refused."""
    await far_end.in_service()
    watch(far_end)
    changed: list[int] = []
    execute = far_end.dcc.store.execute

    def counted(sql: str, values: Sequence[Value] = ()) -> int:
        changed.append(execute(sql, values))
        return changed[-1]

    monkeypatch.setattr(far_end.dcc.store, "execute", counted)
    for number in range(40):
        far_end.trace.emit("dcc", "responses", "refused", message=str(number), kind="not authentic", reason="forged")
    assert len(security_events(far_end.dcc.store)) == 40
    assert sum(changed) < 100
