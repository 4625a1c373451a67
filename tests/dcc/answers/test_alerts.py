"""Alerts: enrolment, proof, routing, storms, power outages, and the 60 s clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.wan.base import WanKind
from tests.dcc.far_end import ACB, CHF, ESME, NETWORK, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import alert_of, backup


@pytest.mark.requirement("GW-21")
@pytest.mark.requirement("SVC-A1")
@pytest.mark.requirement("GW-40")
async def test_an_alert_reaches_the_party_it_names_unchanged_and_within_its_clock(far_end: FarEnd) -> None:
    await far_end.in_service()
    octets = alert_of(far_end, ESME, SUPPLIER)
    far_end.home.say(octets)
    await far_end.clock.sleep(1)
    (delivery,) = far_end.supplier.inbox
    assert (delivery.kind, delivery.code, delivery.octets) == ("i", "8F3F", octets)
    assert far_end.network.inbox == []
    (record,) = far_end.dcc.alerts.records()
    assert record.delivered is not None
    assert 0 <= record.delivered - record.clock_start <= 60


@pytest.mark.requirement("GW-40")
async def test_the_clock_of_an_alert_starts_when_the_hub_was_notified_of_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    octets = alert_of(far_end, ESME, SUPPLIER)
    await far_end.clock.sleep(100)  # the meter could not tell its hub before
    notified = int(far_end.clock.now())
    far_end.wan.coverage = False
    far_end.wan.cut()
    far_end.home.channel.post(WanKind.ALERT, notified.to_bytes(4, "big") + octets)
    await far_end.clock.sleep(30)
    far_end.wan.coverage = True
    await far_end.clock.sleep(100)
    (record,) = far_end.dcc.alerts.records()
    assert (record.octets, record.clock_start) == (octets, notified)
    assert record.delivered is not None
    assert record.delivered - record.clock_start >= 30


@pytest.mark.requirement("GW-35")
async def test_an_alert_of_a_system_that_is_not_enrolled_is_dropped_and_recorded(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.inventory.move(ESME, "suspended", reason="test")
    far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
    await far_end.clock.sleep(1)
    (record,) = far_end.dcc.alerts.records()
    assert record.state == "dropped"
    assert "[138]" in record.reason
    assert far_end.supplier.inbox == []


async def test_a_forged_alert_is_dropped(far_end: FarEnd) -> None:
    await far_end.in_service()
    octets = alert_of(far_end, ESME, SUPPLIER)
    far_end.home.say(octets[:-1] + bytes([octets[-1] ^ 1]))
    await far_end.clock.sleep(1)
    assert far_end.dcc.alerts.records()[0].reason.startswith("not authentic")
    assert far_end.supplier.inbox == []


async def test_a_repeated_alert_is_delivered_once(far_end: FarEnd) -> None:
    await far_end.in_service()
    octets = alert_of(far_end, ESME, SUPPLIER)
    far_end.home.say(octets)
    far_end.home.say(octets)
    await far_end.clock.sleep(1)
    assert len(far_end.supplier.inbox) == 1


async def test_an_alert_for_a_user_who_is_away_waits_for_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.remove_user(SUPPLIER)
    far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
    await far_end.clock.sleep(100)
    assert far_end.dcc.alerts.records()[0].state == "waiting"
    far_end.dcc.add_user(far_end.supplier)
    assert len(far_end.supplier.inbox) == 1
    (record,) = far_end.dcc.alerts.records()
    assert record.delivered is not None
    assert record.delivered - record.clock_start > 60


@pytest.mark.requirement("GW-05")
async def test_a_storm_of_one_code_from_one_device_is_thinned_with_sequence_and_count(clock: Clock, keystore: Keystore) -> None:
    far_end = FarEnd(keystore, clock)
    figures = replace(far_end.dcc.settings, storm_threshold=5, storm_one_in=10, storm_window_s=600)
    far_end.dcc.alerts._context = replace(far_end.dcc.context, profile=figures)

    await far_end.in_service()
    for _ in range(35):
        far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
    far_end.home.say(alert_of(far_end, ESME, SUPPLIER, 0x8F1E))
    await far_end.clock.sleep(1)
    told = [(delivery.sequence, delivery.count) for delivery in far_end.supplier.inbox if delivery.code == "8F3F"]
    assert told == [(None, None)] * 5 + [(1, 10), (2, 10), (3, 10)]
    assert len([delivery for delivery in far_end.supplier.inbox if delivery.code == "8F1E"]) == 1
    assert len(far_end.dcc.alerts.records()) == 36
    await far_end.clock.sleep(601)
    far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
    await far_end.clock.sleep(1)
    assert far_end.supplier.inbox[-1].sequence is None
    await far_end.close()


@pytest.mark.requirement("GW-22")
@pytest.mark.requirement("GW-58")
@pytest.mark.requirement("SVC-A2")
@pytest.mark.requirement("ALERT-A21")
async def test_an_outage_of_three_minutes_raises_ad1_to_the_users_of_the_hub_and_to_nobody_else(far_end: FarEnd) -> None:
    await far_end.in_service()
    began = int(far_end.clock.now())
    far_end.home.channel.post(WanKind.POWER_LOST, began.to_bytes(4, "big"))
    await far_end.clock.sleep(1)
    far_end.wan.coverage = False
    far_end.wan.cut()
    await far_end.clock.sleep(170)
    assert far_end.supplier.inbox == []
    await far_end.clock.sleep(15)
    (delivery,) = far_end.supplier.inbox
    assert (delivery.kind, delivery.code, delivery.device, delivery.detail["began"]) == ("j", "AD1", CHF, began)
    assert [delivery.code for delivery in far_end.network.inbox] == ["AD1"]
    assert far_end.second.inbox == []


async def test_a_shorter_outage_raises_no_dcc_alert(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.channel.post(WanKind.POWER_LOST, int(far_end.clock.now()).to_bytes(4, "big"))
    await far_end.clock.sleep(1)
    far_end.wan.cut()
    await far_end.clock.sleep(400)
    assert far_end.supplier.inbox == []


async def test_an_outage_that_outlives_the_dcc_is_told_by_the_next_one(clock: Clock, tmp_path: Path, keystore: Keystore) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")

    await far_end.in_service()
    far_end.home.channel.post(WanKind.POWER_LOST, int(far_end.clock.now()).to_bytes(4, "big"))
    await far_end.clock.sleep(1)
    await far_end.home.leave()
    await far_end.dcc.close()
    await far_end.clock.sleep(60)
    far_end.dcc = far_end.new_dcc()
    await far_end.dcc.start()
    await far_end.clock.sleep(100)
    assert far_end.supplier.inbox == []
    await far_end.clock.sleep(30)
    assert [delivery.code for delivery in far_end.supplier.inbox] == ["AD1"]
    await far_end.dcc.close()


@pytest.mark.requirement("ALERT-A24")
@pytest.mark.requirement("ALERT-A25")
@pytest.mark.parametrize("code", [0x8F35, 0x8F36])
async def test_the_hubs_own_restored_alert_ends_the_outage_and_reaches_the_users_of_the_hub(far_end: FarEnd, code: int) -> None:
    await far_end.in_service()
    far_end.home.channel.post(WanKind.POWER_LOST, int(far_end.clock.now()).to_bytes(4, "big"))
    await far_end.clock.sleep(5)
    far_end.home.say(alert_of(far_end, CHF, ACB, code, signed=False))
    await far_end.clock.sleep(400)
    assert [delivery.code for delivery in far_end.supplier.inbox] == [f"{code:04X}"]
    assert [delivery.code for delivery in far_end.network.inbox] == [f"{code:04X}"]


@pytest.mark.requirement("INV-21")
@pytest.mark.requirement("INV-15")
@pytest.mark.requirement("CH-06")
async def test_each_cs14_makes_a_version_of_the_copy_and_the_inventory_follows(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.connect()
    far_end.home.say(backup(far_end, (ESME, b"")))
    await far_end.clock.sleep(1)
    assert far_end.dcc.inventory.listed(ESME).status == "Whitelisted"
    assert far_end.dcc.inventory.hub_of(ESME) == CHF
    far_end.home.say(backup(far_end, (ESME, bytes(16))))
    await far_end.clock.sleep(1)
    assert far_end.dcc.inventory.listed(ESME).status == "InstalledNotCommissioned"
    far_end.home.say(backup(far_end, (ESME, bytes(16))))
    far_end.home.say(backup(far_end))
    await far_end.clock.sleep(1)
    assert far_end.dcc.inventory.listed(ESME).status == "Pending"
    versions = far_end.dcc.device_log_copy.versions(CHF)
    assert [dict(version.entries) for version in versions] == [{ESME: b""}, {ESME: bytes(16)}, {}]
    assert {record.state for record in far_end.dcc.alerts.records()} == {"internal"}


async def test_a_cs14_changes_nothing_for_a_commissioned_meter_that_left_the_log_but_its_place(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.say(backup(far_end, (ESME, bytes(16))))
    far_end.home.say(backup(far_end))
    await far_end.clock.sleep(1)
    assert far_end.dcc.inventory.listed(ESME).status == "Commissioned"
    assert far_end.dcc.inventory.hub_of(ESME) is None


async def test_the_alert_of_a_party_without_a_user_waits(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.hold(ESME, RemotePartyRole.SUPPLIER, SECOND)
    far_end.home.say(alert_of(far_end, ESME, NETWORK))
    await far_end.clock.sleep(1)
    assert [delivery.kind for delivery in far_end.network.inbox] == ["i"]
