"""``chub dcc inventory`` on a DCC's store: statuses, enrolment, lookups, and why a Device would not be commissioned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.commands.dcc.inventory import inventory as command
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Inventory
from tests.dcc.inventory.known_home import CHF, ESME, GPF, GSME, OTHER_ESME, PPMID, connect, notify


class Home(Inventory):
    """A hub, two meters for electricity, one for gas, a GPF and a PPMID, all notified, in a store that the command opens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(DccStore(path), lambda: 1000.0)
        notify(self)

    def told(self, *words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command, [*words, "--store", str(self.path), "--json"], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return json.loads(result.output)

    def found(self, *words: str) -> set[Eui64]:
        return {Eui64.parse(row["eui"]) for row in self.told(*words)}

    def why_not(self, eui: Eui64) -> list[str]:
        return [reason[:3] for reason in self.told(str(eui), "--why-not", code=1)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "dcc.sqlite")
    yield made
    made._store.close()


@pytest.mark.requirement("INV-01")
def test_the_five_minimum_statuses_are_there_with_the_moves_between_them(home: Home) -> None:
    told = home.told("--statuses")
    assert {"Pending", "InstalledNotCommissioned", "Commissioned", "Withdrawn", "Decommissioned"} <= {
        row["status"] for row in told["statuses"]
    }
    assert all(move["source"] for move in told["moves"])


@pytest.mark.requirement("INV-16")
def test_a_device_that_is_not_listed_is_not_commissioned(home: Home) -> None:
    (reason,) = home.told("0000000000000001", "--why-not", code=1)
    assert "not in the inventory" in reason


@pytest.mark.requirement("INV-17")
@pytest.mark.parametrize("event", ["decommissioned", "withdrawn"])
def test_a_device_out_of_service_is_not_commissioned(home: Home, event: str) -> None:
    connect(home)
    assert home.told(str(ESME), "--why-not") == []
    home.move(ESME, event, reason="test")
    assert home.why_not(ESME)[0] == "(b)"


@pytest.mark.requirement("INV-18")
def test_a_meter_is_not_commissioned_before_its_hub(home: Home) -> None:
    home.associate(ESME, "chf", CHF)
    assert home.why_not(ESME) == ["(c)"]


@pytest.mark.requirement("INV-19")
def test_a_second_meter_on_an_mpxn_is_not_commissioned(home: Home) -> None:
    connect(home)
    home.associate(OTHER_ESME, "chf", CHF)
    for eui in (ESME, OTHER_ESME):
        home.describe(eui, import_mpxn="1312345678111")
    home.move(ESME, "commissioned", reason="test")
    assert home.why_not(OTHER_ESME) == ["(d)"]


@pytest.mark.requirement("INV-20")
@pytest.mark.requirement("GPF-05")
@pytest.mark.parametrize(("device", "meter"), [(GPF, GSME), (PPMID, ESME)])
def test_a_gas_proxy_or_display_is_not_commissioned_before_its_meter(home: Home, device: Eui64, meter: Eui64) -> None:
    connect(home)
    home.associate(device, "meter", meter)
    assert home.why_not(device) == ["(e)"]
    home.move(meter, "commissioned", reason="test")
    assert home.told(str(device), "--why-not") == []


@pytest.mark.requirement("INV-06")
def test_every_reason_is_given_at_once(home: Home) -> None:
    home.associate(PPMID, "chf", CHF)
    home.associate(PPMID, "meter", ESME)
    home.move(PPMID, "decommissioned", reason="test")
    assert home.why_not(PPMID) == ["(b)", "(c)", "(e)"]


@pytest.mark.requirement("INV-03")
@pytest.mark.requirement("GPF-04")
def test_two_devices_make_an_electricity_system_and_three_a_gas_system(home: Home) -> None:
    connect(home)
    home.associate(GPF, "meter", GSME)

    def enrolled() -> set[str]:
        return {row["eui"] for row in home.told() if row["enrolled"]}

    for eui in (ESME, GSME):
        home.move(eui, "commissioned", reason="test")
    assert str(ESME) in enrolled()
    assert str(GSME) not in enrolled()
    home.move(GPF, "commissioned", reason="test")
    assert {str(ESME), str(GSME), str(GPF)} <= enrolled()


@pytest.mark.requirement("INV-24")
@pytest.mark.requirement("INV-25")
@pytest.mark.requirement("INV-26")
@pytest.mark.requirement("INV-27")
def test_devices_are_looked_up_by_device_mpxn_address_and_uprn(home: Home) -> None:
    connect(home)
    home.describe(ESME, import_mpxn="1312345678111", postcode="M22 0RR", premises="1", uprn="12345")
    home.associate(GPF, "meter", GSME)
    assert home.found("--mpxn", "1312345678111") == home.found("--uprn", "12345") == {ESME, CHF}
    assert home.found("--postcode", "M22 0RR", "--premises", "1") == {ESME, CHF}
    assert home.found("--postcode", "M22 0RR", "--premises", "2") == set()
    assert home.found(str(ESME), "--associated") == {ESME, CHF, GSME, PPMID, GPF}
    assert home.found(str(ESME)) == {ESME}


@pytest.mark.requirement("INV-13")
def test_a_display_in_service_without_a_meter_is_an_exception(home: Home) -> None:
    connect(home)
    home.associate(PPMID, "meter", ESME)
    for eui in (ESME, PPMID):
        home.move(eui, "commissioned", reason="test")
    assert home.told("--exceptions") == []
    home.dissociate(PPMID, "meter", ESME)
    assert home.told("--exceptions", code=1) == [f"PPMID {PPMID} is Commissioned and tied to no meter"]


@pytest.mark.requirement("INV-11")
@pytest.mark.requirement("INV-31")
def test_every_change_is_in_the_audit_and_a_decommissioned_device_may_come_again(home: Home) -> None:
    connect(home)
    home.move(ESME, "decommissioned", reason="test")
    home.pre_notify(ESME, DeviceType.ESME, manufacturer="AB01", model="M", firmware="01")
    changes = [(line["from_status"], line["to_status"]) for line in home.told(str(ESME), "--audit")]
    assert changes == [
        ("", "Pending"),
        ("Pending", "InstalledNotCommissioned"),
        ("InstalledNotCommissioned", "Decommissioned"),
        ("Decommissioned", "Pending"),
    ]
    assert home.told(str(ESME))[0]["status"] == "Pending"


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--why-not"], "--why-not is about one DEVICE"), (["--premises", "1"], "--premises is looked up at a --postcode")],
)
def test_what_is_asked_by_halves_is_a_usage_error(home: Home, words: list[str], says: str) -> None:
    result = CliRunner().invoke(command, [*words, "--store", str(home.path)])
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.requirement("INV-35")
def test_what_is_open_after_installation_is_listed_meter_by_meter(home: Home) -> None:
    connect(home)
    left = {row["meter"]: row["open"] for row in home.told("--open", code=1)}
    assert left[str(ESME)] == ["its MPxN is recorded", "its premises are recorded", "it is Commissioned"]
    for number, eui in enumerate((ESME, GSME, OTHER_ESME)):
        home.describe(eui, import_mpxn=f"131234567811{number}", postcode="M22 0RR")
    home.move(ESME, "commissioned", reason="test")
    assert {row["meter"]: row["open"] for row in home.told("--open", code=1)} == {
        str(eui): ["it is Commissioned"] for eui in (GSME, OTHER_ESME)
    }


@pytest.mark.requirement("INV-10")
def test_a_meter_takes_the_place_of_another_after_that_one_is_decommissioned(home: Home) -> None:
    connect(home)
    home.associate(OTHER_ESME, "chf", CHF)
    home.move(OTHER_ESME, "joined", reason="test")
    for eui in (ESME, OTHER_ESME):
        home.describe(eui, import_mpxn="1312345678111")
    home.move(ESME, "commissioned", reason="test")
    assert home.why_not(OTHER_ESME) == ["(d)"]
    home.move(ESME, "decommissioned", reason="replaced")
    assert home.told(str(OTHER_ESME), "--why-not") == []
    home.move(OTHER_ESME, "commissioned", reason="test")
    statuses = {row["eui"]: row["status"] for row in home.told()}
    assert (statuses[str(ESME)], statuses[str(OTHER_ESME)]) == ("Decommissioned", "Commissioned")
    assert [row["reason"] for row in home.told(str(ESME), "--audit")][-1] == "replaced"
