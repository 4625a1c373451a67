"""Registration incidents with their steps, disputes about the master copy, and what registrations are counted for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError
from hil.dcc.base.services import UserRole
from hil.dcc.registration.counts import NonDomestic, enrolled_systems, registered_systems, smoothed
from hil.dcc.registration.disputes import DisputeError
from hil.dcc.registration.files import Fuel, Row
from hil.dcc.registration.incidents import FeedIncidentKind, RegistrationIncidentError, handling
from hil.dcc.registration.settings import feed_settings
from tests.dcc.far_end import ESME, MPAN, NETWORK, SECOND, SUPPLIER, FarEnd
from tests.dcc.registration.feed_bench import MPAN_2, RDP, Bench, row


@pytest.fixture
def bench(keystore: Keystore) -> Bench:
    return Bench(keystore)


@pytest.mark.requirement("REG-06")
@pytest.mark.requirement("REG-07")
@pytest.mark.parametrize("kind", list(FeedIncidentKind))
def test_an_incident_of_each_kind_is_raised_after_its_steps_recorded_and_resolved(bench: Bench, kind: FeedIncidentKind) -> None:
    steps = handling()[kind].steps
    with pytest.raises(RegistrationIncidentError, match=steps[-1]):
        bench.feed.incidents.open(RDP, Fuel.ELECTRICITY, kind, "sequence 3", steps[:-1])
    raised = bench.feed.incidents.open(RDP, Fuel.ELECTRICITY, kind, "sequence 3", steps)
    assert (raised.kind, raised.state, raised.steps, raised.time) == (kind, "open", steps, bench.now)
    assert bench.feed.incidents.resolve(raised.number, "the provider sent it again").state == "resolved"
    assert bench.feed.incidents.incidents(open_only=True) == ()
    with pytest.raises(RegistrationIncidentError, match="resolved already"):
        bench.feed.incidents.resolve(raised.number, "again")


@pytest.mark.requirement("REG-07")
def test_a_repeated_incident_is_resolved_only_with_what_prevents_the_next(bench: Bench) -> None:
    steps = handling()[FeedIncidentKind.MALFORMED].steps
    first, second = (bench.feed.incidents.open(RDP, Fuel.GAS, FeedIncidentKind.MALFORMED, "sequence 3", steps) for _ in range(2))
    bench.feed.incidents.resolve(first.number, "sent again")
    assert second.prevention_due
    with pytest.raises(RegistrationIncidentError, match="say what prevents it"):
        bench.feed.incidents.resolve(second.number, "sent again")
    assert bench.feed.incidents.resolve(second.number, "sent again", "the provider checks files before sending").state == "resolved"


@pytest.mark.requirement("REG-19")
def test_the_error_handling_says_what_becomes_of_an_incorrect_or_missing_file(bench: Bench) -> None:
    assert set(handling()) == set(FeedIncidentKind)
    assert all("389" in one.source for one in handling().values())
    assert handling()[FeedIncidentKind.MALFORMED].action == "nothing of the file is taken; its sequence number stays due"
    assert bench.feed.receive(b"rubbish", b"").state == "malformed"
    assert bench.send(bench.file(1, row())).state == "taken"
    assert handling()[FeedIncidentKind.ERRONEOUS].action.startswith("the sound rows are taken")


@pytest.mark.requirement("REG-08")
def test_while_a_registration_is_in_dispute_the_named_copy_is_master(keystore: Keystore) -> None:
    for master, meanwhile in (("RDP", SECOND), ("DCC", SUPPLIER)):
        bench = Bench(keystore, replace(feed_settings(), master=master))
        bench.send(bench.file(1, row()))
        dispute = bench.feed.disputes.open(Row(MPAN, UserRole.IS, SECOND, bench.now - 1))
        assert (dispute.master, dispute.dcc_says, dispute.provider_says) == (master, SUPPLIER, SECOND)
        assert bench.supplier() == meanwhile
        bench.send(bench.file(2, row(SECOND, begins=bench.now - 1)))
        assert bench.supplier() == meanwhile
        with pytest.raises(DisputeError, match="in dispute already"):
            bench.feed.disputes.open(Row(MPAN, UserRole.IS, NETWORK, bench.now))
        bench.feed.disputes.resolve(dispute.number, SUPPLIER, 0.0, "the change was withdrawn")
        assert bench.supplier() == SUPPLIER
        bench.send(bench.file(3, row(SECOND, begins=bench.now - 1)))
        assert bench.supplier() == SECOND


def test_the_party_in_dispute_may_be_agreed_from_a_later_date_than_its_provider_said(keystore: Keystore) -> None:
    bench = Bench(keystore, replace(feed_settings(), master="RDP"))
    bench.send(bench.file(1, row()))
    dispute = bench.feed.disputes.open(Row(MPAN, UserRole.IS, SECOND, bench.now - 1))
    bench.feed.disputes.resolve(dispute.number, SECOND, bench.now + 60, "it takes over a minute from now")
    assert bench.supplier() == SUPPLIER
    bench.now += 60
    assert bench.supplier() == SECOND


def test_a_row_that_proved_wrong_is_withdrawn_though_the_agreed_party_begins_after_it(keystore: Keystore) -> None:
    bench = Bench(keystore, replace(feed_settings(), master="RDP"))
    bench.send(bench.file(1, row()))
    dispute = bench.feed.disputes.open(Row(MPAN, UserRole.IS, SECOND, bench.now - 1))
    assert bench.supplier() == SECOND
    resolved = bench.feed.disputes.resolve(dispute.number, SUPPLIER, bench.now + 60, "the change was withdrawn")
    assert (resolved.state, resolved.resolution) == ("resolved", "the change was withdrawn")
    assert bench.supplier() == SUPPLIER
    assert not bench.feed.disputes.open_on(MPAN, UserRole.IS)
    with pytest.raises(DisputeError, match=f"dispute {dispute.number} is resolved already"):
        bench.feed.disputes.resolve(dispute.number, SECOND, 0.0, "again")


def test_there_is_no_dispute_where_both_copies_say_the_same(bench: Bench) -> None:
    bench.send(bench.file(1, row()))
    with pytest.raises(DisputeError, match="no dispute"):
        bench.feed.disputes.open(row())


@pytest.mark.requirement("REG-02")
async def test_registrations_feed_charging_and_enrolled_systems_its_shares(far_end: FarEnd) -> None:
    await far_end.in_service()
    now = far_end.clock.now()
    far_end.dcc.register_supply(MPAN_2, UserRole.IS, SECOND)
    assert registered_systems(far_end.dcc.registration, now) == {SUPPLIER: 1, SECOND: 1}
    counted = enrolled_systems(far_end.dcc.inventory, far_end.dcc.registration, now)
    assert (counted.by_supplier, counted.by_network) == ({SUPPLIER: 1}, {NETWORK: 1})
    far_end.dcc.inventory.move(ESME, "decommissioned", reason="test")
    assert enrolled_systems(far_end.dcc.inventory, far_end.dcc.registration, now).by_supplier == {}


@pytest.mark.requirement("REG-10")
def test_non_domestic_meters_are_counted_by_the_source_that_the_settings_name(bench: Bench) -> None:
    rows = Row(MPAN, UserRole.IS, SUPPLIER, 0.0, 3, "domestic"), Row(MPAN_2, UserRole.IS, SUPPLIER, 0.0, 1, "non-domestic")
    bench.send(bench.file(1, *rows))
    sources = ("profile class", "registration item", "supplier-given")
    by_source = {one: NonDomestic(bench.store, replace(feed_settings(), non_domestic_source=one)) for one in sources}
    by_source["supplier-given"].say(SUPPLIER, MPAN, "non-domestic")
    by_source["supplier-given"].say(SUPPLIER, MPAN_2, "non-domestic")
    assert {one: found.count() for one, found in by_source.items()} == {"profile class": 1, "registration item": 1, "supplier-given": 2}
    assert by_source["profile class"].is_non_domestic(MPAN)
    assert by_source["registration item"].is_non_domestic(MPAN) is False
    assert by_source["profile class"].is_non_domestic("1312345678333") is None


@pytest.mark.requirement("REG-23")
def test_suppliers_own_figures_count_until_they_are_switched_off(bench: Bench) -> None:
    on = NonDomestic(bench.store, replace(feed_settings(), non_domestic_source="supplier-given"))
    on.say(SUPPLIER, MPAN, "non-domestic")
    assert on.count() == 1
    off = NonDomestic(bench.store, replace(feed_settings(), supplier_figures=False))
    with pytest.raises(CommsHubError, match="switched off"):
        off.say(SUPPLIER, MPAN_2, "non-domestic")
    with pytest.raises(CommsHubError, match="expected domestic"):
        on.say(SUPPLIER, MPAN, "perhaps")


@pytest.mark.requirement("REG-21")
@pytest.mark.requirement("REG-13")
def test_a_large_delivery_is_sent_in_spaced_batches() -> None:
    batches = smoothed(25, replace(feed_settings(), batch_rows=10, spacing_s=600.0))
    assert [(one.first, one.rows, one.after_s) for one in batches] == [(0, 10, 0.0), (10, 10, 600.0), (20, 5, 1200.0)]
    assert smoothed(0) == ()
