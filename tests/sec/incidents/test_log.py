"""The incident log: diagnostics first, who is responsible, life cycle, rights, notices, delay."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.sec.incidents import IncidentError
from hil.sec.incidents.responsibility import default_area
from hil.sec.incidents.rules import incident_rules
from tests.dcc.far_end import CHF, ESME, GPF, GSME, MPAN, NETWORK, OTHER, SUPPLIER
from tests.sec.incidents.incident_bench import GAS, Bench

HOUR = 3600.0


@pytest.mark.requirement("IM-04")
def test_an_incident_is_raised_only_after_remote_diagnostics_of_that_device_by_that_user(bench: Bench) -> None:
    facts = {"area": "smart meter", "category": 3, "device": ESME}
    with pytest.raises(IncidentError, match="run the remote diagnostics first"):
        bench.log.raise_incident(SUPPLIER, "no reads", **facts)  # type: ignore[arg-type]
    for diagnosis in (bench.log.diagnose(GAS, ESME), bench.log.diagnose(SUPPLIER, CHF)):
        with pytest.raises(IncidentError, match="run the remote diagnostics first"):
            bench.log.raise_incident(SUPPLIER, "no reads", diagnostic=diagnosis.number, **facts)  # type: ignore[arg-type]
    mine = bench.log.diagnose(SUPPLIER, ESME)
    bench.now += 24 * HOUR + 1
    with pytest.raises(IncidentError, match="older than 24 h"):
        bench.log.raise_incident(SUPPLIER, "no reads", diagnostic=mine.number, **facts)  # type: ignore[arg-type]
    fresh = bench.log.diagnose(SUPPLIER, ESME)
    incident = bench.log.raise_incident(SUPPLIER, "no reads", diagnostic=fresh.number, **facts)  # type: ignore[arg-type]
    diagnostics = [one.text for one in bench.log.entries(incident.number) if one.kind == "diagnostic"]
    assert diagnostics == list(fresh.findings)


def test_diagnostics_say_status_contact_outage_unanswered_requests_and_what_the_device_log_lacks(bench: Bench) -> None:
    found = bench.log.diagnose(SUPPLIER, ESME).findings
    assert found[0].startswith(f"ESME {ESME} is Pending since 2026-01-05 12:00:00, not enrolled")
    assert f"hub {CHF} never connected" in found
    assert any("whose log does not have it" in one for one in found)
    bench.store.insert("hubs", chf=str(CHF), gpf=str(GPF), boots=1, first_contact=bench.now, last_contact=bench.now)
    bench.store.insert("outages", chf=str(CHF), began=bench.now, heard=bench.now, due=bench.now)
    bench.store.insert(
        "requests", request="r", user=str(SUPPLIER), target=str(ESME), variant="4.1.1", received=bench.now, state="unanswered", xml=b""
    )
    bench.store.insert("strays", time=bench.now, chf=str(CHF), kind="unasked", reason="", octets=b"")
    found = bench.log.diagnose(SUPPLIER, ESME).findings
    unanswered = "service 4.1.1 of 2026-01-05 12:00:00 was not answered"
    for words in ("greeted last at 2026-01-05", "loss of supply", unanswered, "1 messages from"):
        assert any(words in one for one in found), words
    assert bench.log.diagnose(SUPPLIER, Eui64(bytes(8))).findings[:1] == ("0000000000000000 is not in the inventory",)


@pytest.mark.requirement("IM-06")
@pytest.mark.parametrize("area", ["communications network", "data services", "remote maintenance", "remote upgrade"])
def test_the_dcc_closes_hub_and_sm_wan_data_services_remote_maintenance_and_upgrades(bench: Bench, area: str) -> None:
    number = bench.raised(area, CHF)
    incident = bench.log.incident(number)
    assert (incident.owner, incident.state) == (None, "allocated")
    assert "[228]" in incident.rule
    bench.log.resolve(None, number, "replaced a modem at the data centre")
    with pytest.raises(IncidentError, match="is closed by the DCC"):
        bench.log.close(SUPPLIER, number)
    assert bench.log.close(None, number).state == "closed"


@pytest.mark.requirement("IM-07")
@pytest.mark.requirement("GPF-11")
@pytest.mark.parametrize(
    ("area", "device", "owner"),
    [("smart meter", ESME, SUPPLIER), ("smart meter", GSME, GAS), ("in-home display", ESME, SUPPLIER), ("gas proxy", GPF, GAS)],
)
def test_the_supplier_closes_meter_display_and_gas_proxy(bench: Bench, area: str, device: Eui64, owner: Eui64) -> None:
    number = bench.raised(area, device)
    incident = bench.log.incident(number)
    assert incident.owner == owner
    assert "[229]" in incident.rule
    bench.log.resolve(owner, number, "exchanged")
    with pytest.raises(IncidentError, match="is closed by"):
        bench.log.close(None, number)
    assert bench.log.close(owner, number).state == "closed"


@pytest.mark.requirement("IM-07")
@pytest.mark.requirement("IM-08")
def test_a_hub_fault_that_needs_a_visit_goes_to_the_lead_supplier(bench: Bench) -> None:
    number = bench.raised("communications network", CHF, GAS)
    assert bench.log.incident(number).owner is None
    visit = bench.log.visit_needed(None, number, "three resets by radio failed")
    assert (visit.owner, visit.shared, visit.visit) == (SUPPLIER, True, True)
    assert "Lead Supplier" in visit.rule
    assert bench.log.seen_by(SUPPLIER, number) is not None


@pytest.mark.requirement("IM-08")
def test_electricity_import_leads_over_gas_and_gas_over_export(bench: Bench) -> None:
    def leader() -> Eui64 | None:
        return bench.log.incident(bench.raised("premises HAN", CHF, GAS)).owner

    assert leader() == SUPPLIER
    bench.store.execute("DELETE FROM registration WHERE role = 'IS'")
    bench.registration.register(MPAN, UserRole.ES, OTHER)
    assert leader() == GAS
    bench.store.execute("DELETE FROM registration WHERE role = 'GS'")
    assert leader() == OTHER
    bench.store.execute("DELETE FROM registration")
    kept = bench.log.incident(bench.raised("premises HAN", CHF, GAS))
    assert kept.owner is None
    assert "nobody is registered" in kept.rule


@pytest.mark.requirement("IM-05")
@pytest.mark.requirement("IM-17")
def test_interested_and_responsible_parties_are_told_of_every_step(bench: Bench) -> None:
    number = bench.raised("smart meter", ESME, GAS)
    assert set(bench.log.parties(number)) == {GAS, SUPPLIER, NETWORK}
    bench.log.note(SUPPLIER, number, "the meter is looked at")
    bench.log.resolve(SUPPLIER, number, "exchanged")
    bench.log.close(SUPPLIER, number)
    told = [(one.to, one.text.partition(":")[0]) for one in bench.log.entries(number) if one.kind == "notice"]
    for party in (GAS, SUPPLIER, NETWORK):
        assert [text for to, text in told if to == party] == [f"allocated to {SUPPLIER}", "resolved", "closed"]


@pytest.mark.requirement("IM-01")
def test_an_incident_goes_from_raised_to_closed_and_no_other_way(bench: Bench) -> None:
    number = bench.raised("smart meter")
    with pytest.raises(IncidentError, match="is allocated: next comes investigating or resolved, not closed"):
        bench.log.close(SUPPLIER, number)
    bench.now += HOUR
    assert bench.log.note(SUPPLIER, number, "asked the meter").state == "investigating"
    assert bench.log.resolve(SUPPLIER, number, "exchanged").resolved == bench.now
    assert bench.log.reopen(SUPPLIER, number, "still no reads").state == "investigating"
    assert bench.log.incident(number).resolved is None
    bench.log.resolve(SUPPLIER, number, "exchanged again")
    assert bench.log.close(SUPPLIER, number).closed == bench.now
    states = [one.text.partition(":")[0] for one in bench.log.entries(number) if one.kind == "state"]
    assert states == ["raised", "investigating", "resolved", "investigating", "resolved", "closed"]
    with pytest.raises(IncidentError, match="next comes nothing"):
        bench.log.reopen(SUPPLIER, number, "again")
    with pytest.raises(IncidentError, match="no incident 99"):
        bench.log.incident(99)


@pytest.mark.requirement("IM-02")
def test_incidents_are_categorised_with_their_times_and_the_most_urgent_come_first(bench: Bench) -> None:
    slow, fast = bench.raised("smart meter", category=5), bench.raised("smart meter", category=2)
    assert [one.number for one in bench.log.incidents()] == [fast, slow]
    assert bench.log.incident(slow).due == bench.now + 240 * HOUR
    assert bench.log.categorise(slow, 1).due == bench.now + 4 * HOUR
    assert [one.number for one in bench.log.incidents()] == [slow, fast]
    with pytest.raises(IncidentError, match="expected one of 1, 2, 3, 4, 5"):
        bench.log.categorise(slow, 6)
    with pytest.raises(IncidentError, match="expected one of communications network"):
        bench.raised("weather")


@pytest.mark.requirement("IM-03")
def test_only_the_allocated_user_keeps_the_incident_updated(bench: Bench) -> None:
    number = bench.raised("smart meter", ESME, GAS)
    bench.log.note(SUPPLIER, number, "RSSI -91 dBm", kind="diagnostic")
    bench.log.note(None, number, "the DCC adds what it knows")
    with pytest.raises(IncidentError, match=f"is {SUPPLIER}'s to work on, not {GAS}'s"):
        bench.log.note(GAS, number, "hurry")
    kinds = [(one.who, one.kind) for one in bench.log.entries(number)][-2:]
    assert kinds == [(str(SUPPLIER), "diagnostic"), ("DCC", "activity")]


@pytest.mark.requirement("IM-12")
def test_a_user_sees_the_incidents_it_raised_owns_or_is_interested_in(bench: Bench) -> None:
    number = bench.raised("smart meter", ESME, GAS)
    assert {user for user in (SUPPLIER, GAS, NETWORK, OTHER) if bench.log.seen_by(user, number) is not None} == {SUPPLIER, GAS, NETWORK}
    assert bench.log.incidents(OTHER) == ()
    assert len(bench.log.incidents()) == 1


@pytest.mark.requirement("IM-09")
def test_shared_equipment_on_which_nothing_is_done_is_flagged(bench: Bench) -> None:
    shared, own = bench.raised("premises HAN", CHF), bench.raised("smart meter", ESME)
    assert bench.log.incident(shared).shared
    assert not bench.log.incident(own).shared
    bench.now += 24 * HOUR
    assert bench.log.delayed() == ()
    bench.now += 1
    assert [one.number for one in bench.log.delayed()] == [shared]
    bench.log.note(SUPPLIER, shared, "a visit is booked")
    assert bench.log.delayed() == ()


@pytest.mark.requirement("SV-11")
def test_a_service_request_is_tied_by_its_own_user_only(bench: Bench) -> None:
    bench.store.insert("requests", request="r", user=str(GAS), target=str(GSME), variant="4.1.1", received=0.0, state="unanswered", xml=b"")
    assert bench.log.incident(bench.raised("smart meter", GSME, GAS, request="r")).request == "r"
    with pytest.raises(IncidentError, match="is no Service Request of"):
        bench.raised("smart meter", ESME, SUPPLIER, request="r")
    with pytest.raises(IncidentError, match="is no user"):
        bench.log.raise_incident(Eui64(bytes(8)), "hello", area="data services", category=5)


def test_every_area_has_its_paragraph_and_every_kind_of_device_an_area() -> None:
    rules = incident_rules()
    assert all("[" in area.source for area in rules.areas.values())
    assert {default_area(kind) for kind in (None, *DeviceType)} <= set(rules.areas)
