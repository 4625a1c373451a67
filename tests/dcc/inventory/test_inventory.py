"""The inventory: statuses, moves, refusals, associations, audit."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.inventory.rules import InventoryRefusal, rules
from tests.dcc.inventory.known_home import CHF, ESME, GPF, GSME, OTHER_ESME, PPMID, connect, notify


def notified(*devices: Eui64) -> Inventory:
    inventory = Inventory(DccStore(None), lambda: 1000.0)
    notify(inventory, *devices)
    return inventory


def home() -> Inventory:
    """A commissioned hub with an electricity and a gas meter, a GPF and a PPMID on it, none of these commissioned."""
    inventory = notified()
    connect(inventory)
    return inventory


@pytest.mark.requirement("INV-14")
def test_a_pre_notified_device_is_pending() -> None:
    assert {device.status for device in notified().devices()} == {"Pending"}


@pytest.mark.requirement("INV-02")
def test_a_model_off_the_certified_products_list_is_not_listed() -> None:
    inventory = Inventory(DccStore(None), lambda: 0.0)
    with pytest.raises(InventoryRefusal, match="certified products list"):
        inventory.pre_notify(ESME, DeviceType.ESME, manufacturer="AB01", model="M")
    assert inventory.device(ESME) is None


def test_a_model_taken_off_the_list_suspends_its_devices_and_back_restores_them() -> None:
    inventory = home()
    inventory.move(ESME, "commissioned", reason="test")
    inventory.certify(DeviceType.ESME, "AB01", "M", "01", "Withdrawn")
    assert inventory.listed(ESME).status == "Suspended"
    inventory.certify(DeviceType.ESME, "AB01", "M", "01", "Active")
    assert inventory.listed(ESME).status == "Commissioned"


def test_a_hub_named_as_its_own_gas_proxy_is_refused() -> None:
    inventory = notified(ESME)
    with pytest.raises(InventoryRefusal, match="same identifier"):
        inventory.pre_notify(CHF, DeviceType.CHF, manufacturer="AB01", model="M", firmware="01", gpf=CHF)


@pytest.mark.requirement("INV-16")
def test_an_unlisted_device_is_not_commissioned() -> None:
    assert "not in the inventory" in notified(CHF).commission_refusals(ESME)[0]


@pytest.mark.requirement("INV-17")
@pytest.mark.parametrize("event", ["decommissioned", "withdrawn"])
def test_a_device_out_of_service_is_not_commissioned(event: str) -> None:
    inventory = home()
    inventory.move(ESME, event, reason="test")
    assert inventory.commission_refusals(ESME)[0].startswith("(b)")


@pytest.mark.requirement("INV-18")
def test_a_meter_is_not_commissioned_before_its_hub() -> None:
    inventory = notified()
    inventory.associate(ESME, "chf", CHF)
    assert inventory.commission_refusals(ESME) == (
        f"(c) its hub {CHF} is not Commissioned: connect the hub to the SM WAN first [170, 187]",
    )


@pytest.mark.requirement("INV-19")
def test_a_second_meter_on_the_same_mpxn_is_not_commissioned() -> None:
    inventory = home()
    inventory.associate(OTHER_ESME, "chf", CHF)
    for eui in (ESME, OTHER_ESME):
        inventory.describe(eui, import_mpxn="1312345678111")
    inventory.move(ESME, "commissioned", reason="test")
    (reason,) = inventory.commission_refusals(OTHER_ESME)
    assert reason.startswith("(d)")
    assert "1312345678111" in reason


@pytest.mark.requirement("INV-20")
@pytest.mark.requirement("GPF-05")
@pytest.mark.parametrize(("device", "meter"), [(GPF, GSME), (PPMID, ESME)])
def test_a_gas_proxy_or_type_1_device_is_not_commissioned_before_its_meter(device: Eui64, meter: Eui64) -> None:
    inventory = home()
    (reason,) = inventory.commission_refusals(device, (meter,))
    assert reason.startswith("(e)")
    inventory.move(meter, "commissioned", reason="test")
    assert inventory.commission_refusals(device, (meter,)) == ()


@pytest.mark.requirement("INV-06")
def test_every_reason_against_commissioning_is_given_at_once() -> None:
    inventory = notified()
    inventory.associate(PPMID, "chf", CHF)
    inventory.associate(PPMID, "meter", ESME)
    inventory.move(PPMID, "decommissioned", reason="test")
    assert [reason[:3] for reason in inventory.commission_refusals(PPMID)] == ["(b)", "(c)", "(e)"]


@pytest.mark.requirement("INV-03")
@pytest.mark.requirement("GPF-04")
def test_a_gas_system_is_enrolled_with_three_commissioned_devices_and_an_electricity_system_with_two() -> None:
    inventory = home()
    inventory.move(ESME, "commissioned", reason="test")
    inventory.move(GSME, "commissioned", reason="test")
    assert inventory.enrolled(ESME)
    assert not inventory.enrolled(GSME)
    inventory.associate(GPF, "meter", GSME)
    assert not inventory.enrolled(GSME)
    inventory.move(GPF, "commissioned", reason="test")
    assert inventory.enrolled(GSME)
    assert inventory.enrolled(GPF)


def test_a_suspended_meter_is_not_enrolled() -> None:
    inventory = home()
    inventory.move(ESME, "commissioned", reason="test")
    inventory.move(ESME, "suspended", reason="test")
    assert not inventory.enrolled(ESME)


@pytest.mark.requirement("INV-10")
def test_a_replacement_is_a_decommissioning_and_a_commissioning() -> None:
    inventory = home()
    inventory.associate(OTHER_ESME, "chf", CHF)
    for eui in (ESME, OTHER_ESME):
        inventory.describe(eui, import_mpxn="1312345678111")
    inventory.move(ESME, "commissioned", reason="test")
    inventory.move(ESME, "decommissioned", reason="test")
    assert inventory.commission_refusals(OTHER_ESME) == ()


@pytest.mark.requirement("INV-11")
def test_a_decommissioned_device_may_be_notified_again() -> None:
    inventory = home()
    inventory.move(ESME, "decommissioned", reason="test")
    inventory.pre_notify(ESME, DeviceType.ESME, manufacturer="AB01", model="M", firmware="01")
    assert inventory.listed(ESME).status == "Pending"


@pytest.mark.requirement("INV-24")
def test_a_lookup_by_device_reaches_three_steps_of_association() -> None:
    inventory = home()
    inventory.associate(PPMID, "meter", ESME)
    inventory.dissociate(PPMID, "chf", CHF)
    inventory.associate(GPF, "meter", GSME)
    assert {device.eui for device in inventory.look_up(device=PPMID)} == {PPMID, ESME, CHF, GSME, GPF}


@pytest.mark.requirement("INV-25")
def test_a_lookup_by_mpxn_finds_the_meter_and_what_is_associated_with_it() -> None:
    inventory = home()
    inventory.describe(ESME, import_mpxn="1312345678111")
    inventory.associate(PPMID, "meter", ESME)
    assert {device.eui for device in inventory.look_up(mpxn="1312345678111")} == {ESME, CHF, PPMID}


@pytest.mark.requirement("INV-26")
@pytest.mark.requirement("INV-27")
def test_a_lookup_by_address_or_uprn_finds_the_meters_there() -> None:
    inventory = home()
    inventory.describe(ESME, postcode="M22 0RR", premises="1", uprn="12345")
    assert ESME in {device.eui for device in inventory.look_up(postcode="M22 0RR", premises="1")}
    assert ESME in {device.eui for device in inventory.look_up(uprn="12345")}
    assert inventory.look_up(postcode="M22 0RR", premises="2") == ()


@pytest.mark.requirement("INV-13")
def test_a_type_1_device_in_service_without_a_meter_is_an_exception() -> None:
    inventory = home()
    inventory.associate(PPMID, "meter", ESME)
    inventory.move(ESME, "commissioned", reason="test")
    inventory.move(PPMID, "commissioned", reason="test")
    assert inventory.exceptions() == ()
    inventory.dissociate(PPMID, "meter", ESME)
    assert inventory.exceptions() == (f"PPMID {PPMID} is Commissioned and tied to no meter",)


@pytest.mark.requirement("INV-31")
@given(events=st.lists(st.sampled_from([move.event for move in rules().moves]), max_size=12))
def test_every_change_of_status_leaves_one_audit_line_and_no_move_leaves_the_table(events: list[str]) -> None:
    inventory = notified(ESME)
    done = 0
    for event in events:
        before = inventory.listed(ESME).status
        try:
            after = inventory.move(ESME, event, reason="test").status
        except InventoryRefusal:
            assert inventory.listed(ESME).status == before
        else:
            done += 1
            assert before in next(move for move in rules().moves if move.event == event).sources
            assert after in rules().statuses
    lines = inventory.audit(ESME)
    assert len(lines) == 1 + done
    assert all(earlier.to_status == later.from_status for earlier, later in itertools.pairwise(lines))


@pytest.mark.requirement("INV-01")
def test_the_five_minimum_statuses_are_in_the_table() -> None:
    assert {"Pending", "InstalledNotCommissioned", "Commissioned", "Withdrawn", "Decommissioned"} <= set(rules().statuses)


def test_a_change_that_fails_half_way_changes_nothing() -> None:
    inventory = home()

    def half() -> None:
        with inventory._store.transaction():
            inventory.move(ESME, "commissioned", reason="test")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert inventory.listed(ESME).status == "InstalledNotCommissioned"
    assert inventory.audit(ESME)[-1].to_status == "InstalledNotCommissioned"
