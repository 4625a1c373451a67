"""Major incidents with their managers and report; the service desk; security incidents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firmware_emu.clock import EPOCH
from hil.sec.incidents import IncidentError
from hil.sec.incidents.rules import after_working_days, incident_rules
from tests.dcc.far_end import CHF, NETWORK, OTHER, SUPPLIER
from tests.sec.incidents.incident_bench import GAS, Bench


def seconds(*moment: int) -> float:
    return (datetime(*moment, tzinfo=UTC) - EPOCH).total_seconds()  # type: ignore[misc, arg-type]


@pytest.mark.requirement("IM-10")
def test_a_major_incident_has_two_named_managers_and_everyone_affected_is_told(bench: Bench) -> None:
    number = bench.raised("communications network", CHF)
    with pytest.raises(IncidentError, match="two named managers"):
        bench.major.declare(number, responsible_manager="A. Jones", dcc_manager=" ", affected=(), at=bench.now)
    major = bench.major.declare(number, responsible_manager="A. Jones", dcc_manager="B. Smith", affected=(OTHER,), at=bench.now)
    assert (major.responsible_manager, major.dcc_manager) == ("A. Jones", "B. Smith")
    assert bench.log.incident(number).major
    told = {one.to for one in bench.log.entries(number) if one.kind == "notice" and "B. Smith for the DCC" in one.text}
    assert told == {SUPPLIER, GAS, NETWORK, OTHER}
    assert bench.log.seen_by(OTHER, number) is not None


@pytest.mark.requirement("IM-11")
@pytest.mark.requirement("IM-18")
def test_its_report_goes_to_panel_and_ofgem_within_two_working_days_of_resolution_with_every_field(bench: Bench) -> None:
    number = bench.raised("communications network", CHF)
    bench.major.declare(number, responsible_manager="A. Jones", dcc_manager="B. Smith", affected=(), at=bench.now)
    fields = {name: f"about {name}" for name in incident_rules().major_report}
    assert {"weaknesses", "controls", "repeat_risk", "proposed_changes", "nature", "cause", "impact", "actions"} == set(fields)
    with pytest.raises(IncidentError, match="is not resolved"):
        bench.major.report(number, fields, bench.now)
    bench.now = seconds(2026, 1, 8, 12)  # a Thursday
    bench.log.resolve(None, number, "the region is back")
    due = seconds(2026, 1, 13)  # the end of Monday
    assert bench.major.major(number).report_due == due
    assert bench.major.overdue(due) == ()
    assert [one.incident for one in bench.major.overdue(due + 1)] == [number]
    with pytest.raises(IncidentError, match=r"lacks: repeat_risk \(how likely"):
        bench.major.report(number, {**fields, "repeat_risk": ""}, bench.now)
    reported = bench.major.report(number, fields, bench.now)
    assert (reported.report, reported.reported) == (fields, bench.now)
    assert bench.major.overdue(due + 1) == ()
    assert any("SEC Panel and Ofgem" in one.text for one in bench.log.entries(number))
    with pytest.raises(IncidentError, match="no major one"):
        bench.major.major(number + 1)


def test_holidays_and_weekends_are_no_working_days() -> None:
    thursday = seconds(2026, 4, 2, 9)
    assert after_working_days(thursday, 2, frozenset()) == seconds(2026, 4, 7)
    assert after_working_days(thursday, 2, incident_rules().days_off) == seconds(2026, 4, 9)  # Good Friday, Easter Monday
    christmas = seconds(2031, 12, 23, 9)
    assert after_working_days(christmas, 2, incident_rules().days_off) == seconds(2031, 12, 30)


@pytest.mark.requirement("SEC-03")
def test_a_security_incident_is_recorded_apart_and_a_major_one_is_reported(bench: Bench) -> None:
    incident = bench.log.raise_incident(None, "forged responses", area="data services", category=1, device=CHF, security=True)
    assert incident.security
    assert bench.log.parties(incident.number) == ()
    assert all(bench.log.seen_by(user, incident.number) is None for user in (SUPPLIER, GAS, NETWORK, OTHER))
    bench.major.declare(incident.number, responsible_manager="B. Smith", dcc_manager="C. Lee", affected=(), at=bench.now)
    bench.log.resolve(None, incident.number, "keys replaced")
    fields = {name: f"about {name}" for name in incident_rules().major_report}
    assert bench.major.report(incident.number, fields, bench.now).report["weaknesses"] == "about weaknesses"


@pytest.mark.requirement("SV-10")
@pytest.mark.requirement("SV-14")
def test_the_desk_records_contacts_of_users_and_of_other_parties_by_telephone_email_and_interface(bench: Bench) -> None:
    call = bench.desk.contact("telephone", "A consultant", "general query", "what is a hub?")
    mail = bench.desk.contact("email", "Other Party Ltd", "general query", "when is the next release?")
    bench.desk.contact("SSI", "Supplier", "general query", "a question", user=SUPPLIER)
    bench.desk.answer(call.number, "a Communications Hub")
    assert [(one.channel, one.party, one.answer) for one in bench.desk.contacts()] == [
        ("telephone", "A consultant", "a Communications Hub"),
        ("email", "Other Party Ltd", None),
        ("SSI", "Supplier", None),
    ]
    assert (mail.user, bench.desk.contacts(SUPPLIER)[0].user) == (None, SUPPLIER)
    with pytest.raises(IncidentError, match="expected telephone or email or SSI"):
        bench.desk.contact("pigeon", "A", "general query", "coo")
    with pytest.raises(IncidentError, match="no contact 99"):
        bench.desk.answer(99, "hello")


@pytest.mark.requirement("SV-11")
def test_other_parties_ask_general_queries_only(bench: Bench) -> None:
    with pytest.raises(IncidentError, match="incidents are raised by users"):
        bench.desk.contact("telephone", "A consultant", "incident", "my hub is off")
    with pytest.raises(IncidentError, match="the self-service interface is for users"):
        bench.desk.contact("SSI", "A consultant", "general query", "hello")


@pytest.mark.requirement("SSI-12")
def test_a_user_tries_the_interface_before_the_desk_and_gives_feedback_on_it(bench: Bench) -> None:
    number = bench.raised("smart meter")
    with pytest.raises(IncidentError, match="try it before the desk"):
        bench.desk.contact("telephone", "Supplier", "incident", "still no reads", user=SUPPLIER, incident=number)
    bench.desk.contact("telephone", "Supplier", "incident", "still no reads", user=SUPPLIER, incident=number, tried_ssi=True)
    bench.desk.contact("SSI", "Supplier", "feedback", "the inventory is slow", user=SUPPLIER)
    assert [one.kind for one in bench.desk.contacts(SUPPLIER)] == ["incident", "feedback"]
    with pytest.raises(IncidentError, match="there is no incident"):
        bench.desk.contact("telephone", "Other", "incident", "what is it?", user=OTHER, incident=number, tried_ssi=True)
