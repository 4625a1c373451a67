"""Schedules: the six services, runs built and checked at their time, and the four events that remove one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.envelope import Message
from hil.dcc.base.profile import profile
from hil.dcc.base.results import Verdict
from hil.dcc.base.services import UserRole
from hil.dcc.duis import new_request, read_request
from hil.dcc.duis.request import Node
from hil.dcc.own_services.recurrence import Recurrence, period
from tests.dcc.far_end import ACB, CHF, ESME, MPAN, NETWORK, OTHER, SUPPLIER, FarEnd
from tests.dcc.messages import CONTENT, body, create, send


@pytest.mark.requirement("SVC-5.1")
@pytest.mark.requirement("GW-78")
@pytest.mark.parametrize("variant", [variant for variant in CONTENT if variant != "4.6.1"])
async def test_each_of_the_six_services_can_be_scheduled_and_its_run_reaches_the_device(far_end: FarEnd, variant: str) -> None:
    await far_end.in_service()
    user = far_end.network if variant == "4.16" else far_end.supplier  # the Device gives active power to its network operator alone
    outcome = await create(far_end, variant, user=user)
    assert (outcome.verdict, outcome.response_code, outcome.target_s) == (Verdict.SUCCESS, "I0", 86400.0), outcome.why
    assert far_end.home.received == []
    await far_end.clock.sleep(7 * 3600)
    command = Message.decode(far_end.home.received[0])
    assert command.header.recipient == ESME
    assert [delivery.detail for delivery in user.inbox] == [{"DSPScheduleID": outcome.result["DSPScheduleID"]}]


@pytest.mark.requirement("SVC-5.1")
async def test_any_other_service_is_refused_where_the_bench_follows_the_consultation(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end, "4.6.1")).ok
    own = far_end.dcc.schedules
    own.context = replace(own.context, profile=replace(profile(), schedule_duis_54=0.0))
    outcome = await create(far_end, "4.6.1")
    assert outcome.refusal is not None
    assert (outcome.refusal.check, outcome.reason) == ("5.1", "a schedule for service 4.6.1")
    assert len(own.all()) == 1


@pytest.mark.requirement("GW-42")
@pytest.mark.requirement("GW-39")
async def test_a_run_is_built_by_the_dcc_at_its_time_and_its_data_go_to_the_owner(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end)).ok
    await far_end.clock.sleep(3 * 86400)
    assert len(far_end.home.received) == 3
    assert len(far_end.supplier.inbox) == 3
    rows = far_end.dcc.store.rows("SELECT * FROM requests WHERE state = 'responded' ORDER BY received")
    due = [(EPOCH + timedelta(seconds=row["received"])) for row in rows]
    assert due == [datetime(2026, 1, day, 18, tzinfo=UTC) for day in (5, 6, 7)]
    assert all(row["delivered"] - row["received"] < 10 for row in rows)
    outcome = await far_end.dcc.outcome(far_end.supplier, read_request(rows[0]["xml"]).request_id)
    assert (outcome.target_s, outcome.within_target) == (86400.0, True)


@pytest.mark.requirement("GW-42")
async def test_the_checks_are_made_again_for_every_run(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end)).ok
    far_end.dcc.register_supply(MPAN, UserRole.IS, OTHER, far_end.clock.now() + 86400)
    await far_end.clock.sleep(2 * 86400)
    assert len(far_end.home.received) == 1
    (refusal,) = (row["refusal"] for row in far_end.dcc.store.rows("SELECT refusal FROM schedule_runs WHERE refusal IS NOT NULL"))
    assert "CK-4 registration [E4]" in refusal


async def test_a_run_without_an_answer_is_told_with_the_schedule_it_belongs_to(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.change = lambda messages: []
    number = (await create(far_end)).result["DSPScheduleID"]
    await far_end.clock.sleep(7 * 3600)
    (told,) = far_end.supplier.inbox
    assert (told.kind, told.code, told.detail["DSPScheduleID"]) == ("j", "N13", number)


async def test_a_party_the_device_does_not_hold_gets_its_runs_through_the_broker(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end, "4.8.1", user=far_end.other)).ok
    await far_end.clock.sleep(7 * 3600)
    header = Message.decode(far_end.home.received[0]).header
    assert (header.originator, header.other.supplementary_party) == (ACB, OTHER)


@pytest.mark.requirement("SVC-5.2")
async def test_a_user_reads_its_own_schedules_alone(far_end: FarEnd) -> None:
    await far_end.in_service()
    number = (await create(far_end)).result["DSPScheduleID"]
    theirs = (await create(far_end, "4.8.1", user=far_end.other)).result["DSPScheduleID"]
    own = await send(far_end, "5.2", None, {"DeviceID": ESME})
    assert [one["DSPScheduleID"] for one in own.result["schedules"]] == [number]  # type: ignore[union-attr,attr-defined]
    assert (await send(far_end, "5.2", None, {"DSPScheduleID": number})).result == own.result
    other = await send(far_end, "5.2", None, {"DSPScheduleID": theirs})
    assert other.reason == f"no schedule {theirs} of {SUPPLIER}"


@pytest.mark.requirement("SVC-5.3")
@pytest.mark.requirement("GW-43")
async def test_the_owner_deletes_a_schedule_and_it_runs_no_more(far_end: FarEnd) -> None:
    await far_end.in_service()
    number = (await create(far_end)).result["DSPScheduleID"]
    refused = await send(far_end, "5.3", None, {"DSPScheduleID": number}, user=far_end.other)
    assert refused.verdict is Verdict.REFUSED
    await far_end.clock.sleep(86400)
    assert (await send(far_end, "5.3", None, {"DSPScheduleID": number})).response_code == "I99"
    await far_end.clock.sleep(3 * 86400)
    assert len(far_end.home.received) == 1
    (one,) = far_end.dcc.schedules.all()
    assert one.removal is not None
    assert one.removal.startswith("SCH-05a")


@pytest.mark.requirement("GW-44")
async def test_a_change_of_tenancy_removes_the_schedules_of_other_users_for_the_mpxn_and_keeps_the_rest(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end)).ok
    assert (await create(far_end, "4.8.1", user=far_end.other)).ok
    assert (await create(far_end, "4.10", user=far_end.network)).ok
    outcome = await send(far_end, "3.2", ESME, {"RestrictionDateTime": datetime(2026, 1, 5, tzinfo=UTC)})
    assert outcome.ok, outcome.why
    kept = {one.user for one in far_end.dcc.schedules.all() if one.removed is None}
    assert kept == {SUPPLIER, NETWORK}
    (gone,) = (one for one in far_end.dcc.schedules.all() if one.removed is not None)
    assert (gone.user, gone.removal) == (OTHER, f"SCH-05b: change of tenancy for {MPAN}")


@pytest.mark.requirement("GW-45")
@pytest.mark.parametrize("event", ["decommissioned", "withdrawn", "hub withdrawn"])
async def test_withdrawal_of_the_system_or_decommissioning_removes_the_devices_schedules(far_end: FarEnd, event: str) -> None:
    await far_end.in_service()
    assert (await create(far_end)).ok
    if event == "decommissioned":
        assert (await send(far_end, "8.3", None, {"DeviceID": ESME})).ok
    elif event == "withdrawn":
        far_end.dcc.inventory.move(ESME, "withdrawn", reason="test")
    else:
        assert (await send(far_end, "8.4", None, {"DeviceID": CHF, "UpdateDeviceStatusCH": "Withdrawn"})).ok
    (one,) = far_end.dcc.schedules.all()
    assert one.removal is not None
    assert one.removal.startswith("SCH-05c")
    await far_end.clock.sleep(2 * 86400)
    assert far_end.home.received == []


@pytest.mark.requirement("GW-46")
async def test_the_suspension_of_the_owner_removes_its_schedules(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end)).ok
    assert (await create(far_end, "4.10", user=far_end.network)).ok
    far_end.dcc.gateway.suspend(SUPPLIER, "M8")
    far_end.dcc.gateway.reinstate(SUPPLIER)
    assert [one.removal and one.removal[:7] for one in far_end.dcc.schedules.all()] == ["SCH-05d", None]


async def test_a_schedule_outlives_the_dcc_and_a_missed_run_is_made_once(clock: Clock, tmp_path: Path, keystore: Keystore) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")

    await far_end.in_service()
    assert (await create(far_end)).ok
    await far_end.dcc.close()
    await far_end.clock.sleep(3 * 86400)
    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    await far_end.clock.sleep(600)
    assert len(far_end.home.received) == 1
    await far_end.clock.sleep(86400)
    assert len(far_end.home.received) == 2
    await far_end.close()


async def test_a_schedule_that_the_dcc_fails_at_is_set_aside_by_name_and_the_others_run_on(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end)).ok
    assert (await create(far_end)).ok
    poisoned, honest = far_end.dcc.schedules.all()
    far_end.dcc.store.execute("UPDATE schedules SET frequency = 'never', xml = ? WHERE number = ?", (b"<poison/>", poisoned.number))
    await far_end.clock.sleep(86400 + 600)
    first, second = far_end.dcc.schedules.all()
    assert first.removal is not None
    assert first.removal.startswith("set aside: ")
    assert (second.removed, second.runs > honest.runs) == (None, True)


async def test_the_last_day_of_a_schedule_ends_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await create(far_end, ScheduleEndDate=date(2026, 1, 6))).ok
    await far_end.clock.sleep(5 * 86400)
    assert len(far_end.home.received) == 2
    assert far_end.dcc.schedules.all()[0].removal == "it came to its last day"
    assert "before its first run" in (await create(far_end, ScheduleEndDate=date(2026, 1, 6))).why


@pytest.mark.parametrize(
    ("frequency", "third"),
    [
        ("Daily", "2026-02-02"),
        ("Weekly", "2026-02-14"),
        ("Monthly", "2026-03-31"),
        ("Quarterly", "2026-07-31"),
        ("Half-Yearly", "2027-01-31"),
        ("Yearly", "2028-01-31"),
    ],
)
def test_a_frequency_counts_days_or_calendar_months(frequency: str, third: str) -> None:
    found = Recurrence(frequency, datetime(2026, 1, 31, 6, tzinfo=UTC)).run(2)
    assert found is not None
    assert (found.date().isoformat(), found.hour) == (third, 6)


def test_a_month_that_is_too_short_runs_on_its_last_day() -> None:
    monthly = Recurrence("Monthly", datetime(2026, 1, 31, tzinfo=UTC))
    assert [f"{due:%d.%m}" for number in range(4) if (due := monthly.run(number)) is not None] == ["31.01", "28.02", "31.03", "30.04"]


def test_the_period_of_a_run_is_counted_from_its_own_day() -> None:
    request = new_request("5.1", SUPPLIER, ACB, 1, body("4.8.1"))
    found = period(Node(request.body).node("DSPReadActiveImportProfileData"), datetime(2026, 3, 1, 18, tzinfo=UTC))
    assert found == {"StartDateTime": datetime(2026, 2, 28, tzinfo=UTC), "EndDateTime": datetime(2026, 3, 1, tzinfo=UTC)}
