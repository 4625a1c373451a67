"""The gateway as a whole: its message types, its documented steps, delivery, roles, encryption, and messages gone astray."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from pathlib import Path

import pytest

import hil.dcc
from firmware_emu.gbcs.envelope import Message
from hil.dcc.base.results import Verdict
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.duis import RequestError, new_request, read_request, write_request
from hil.dcc.duis.element_types import element_type
from hil.dcc.duis.request import SCHEMA_VERSION, VARIANTS
from hil.dcc.transform import use_cases_of
from tests.dcc.far_end import CHF, ESME, GPF, MPAN, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import alert_of, octets, send

STEPS = Path(hil.dcc.__file__).with_name("processing.md")


def documented(title: str) -> list[tuple[str, str]]:
    """Source and event of each step under a heading of processing.md."""
    text = STEPS.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [(found[0], found[1]) for found in re.findall(r"`(\w+) (\w+)`", text)]


@pytest.mark.requirement("GW-57")
@pytest.mark.parametrize(
    ("title", "variant"),
    [("A service that is not critical", "11.2"), ("A critical service", "7.3"), ("A service of the DCC itself", "8.2")],
)
async def test_a_request_takes_the_documented_steps_in_their_order(far_end: FarEnd, title: str, variant: str) -> None:
    await far_end.in_service()
    far_end.records.clear()
    target, body = (None, {"DeviceID": ESME}) if variant == "8.2" else (ESME, None)
    outcome = await send(far_end, variant, target, body)
    assert outcome.ok, outcome.why
    taken = iter([(record.source.split()[0], record.event) for record in far_end.records])
    wanted = documented(title)
    assert len(wanted) >= 3
    assert [step for step in wanted if step not in taken] == [], "a documented step that was not taken, or not in its place"


@pytest.mark.requirement("GW-01")
@pytest.mark.requirement("GW-61")
@pytest.mark.requirement("GW-20")
async def test_one_gateway_carries_requests_responses_and_alerts_asked_for_or_not(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "11.2")
    far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
    await far_end.clock.sleep(1)
    far_end.dcc.alerts.raise_dcc_alert("N16", ESME, (SUPPLIER,), event="commissioned")
    kinds = [(delivery.kind, delivery.request is not None) for delivery in far_end.supplier.inbox]
    assert kinds == [("h", True), ("i", False), ("j", False)]
    assert far_end.supplier.inbox[0].octets == octets(outcome, "g"), "the Device's form"
    assert (await send(far_end, "8.2", None, {"DeviceID": ESME})).result["devices"], "the gateway's form"


@pytest.mark.requirement("GW-13")
@pytest.mark.requirement("GW-14")
async def test_a_service_request_and_a_signed_pre_command_are_each_acknowledged(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.records.clear()
    assert (await send(far_end, "7.3")).ok
    told = [record.detail for record in far_end.records if record.event == "acknowledged"]
    assert [(detail["kind"], detail["code"]) for detail in told] == [("service request", "I99"), ("signed pre-command", "I99")]


def test_the_command_variant_of_a_request_that_names_none_is_that_of_sending() -> None:
    for name, variant in VARIANTS.items():
        assert variant.default_command_variant in {"critical": (4,), "non_device": (8,)}.get(variant.kind, (1,)), name


@pytest.mark.requirement("GW-48")
@pytest.mark.parametrize("variant", ["11.2", "7.3"])
async def test_without_another_wish_a_command_goes_over_the_sm_wan_and_not_to_its_user(far_end: FarEnd, variant: str) -> None:
    await far_end.in_service()
    outcome = await send(far_end, variant)
    assert outcome.ok, outcome.why
    assert far_end.home.received == [octets(outcome, "f")]
    assert "d" not in [message.kind for message in outcome.messages]


@pytest.mark.requirement("GW-07")
@pytest.mark.requirement("GW-70")
def test_every_service_has_a_schema_of_its_parameters_in_one_versioned_specification() -> None:
    body = element_type("Request").part("Body")
    assert body is not None
    for name, variant in VARIANTS.items():
        part = element_type(body.type).part(variant.element)
        assert part is not None, name
        with pytest.raises(RequestError, match=r"Nonsense|not an element"):
            new_request(name, SUPPLIER, ESME, 1, {"Nonsense": 1})
    made = new_request("7.4", SUPPLIER, ESME, 1)
    assert f'schemaVersion="{SCHEMA_VERSION}"' in write_request(made).decode()
    with pytest.raises(RequestError):
        read_request(write_request(made).replace(b"ReadSupplyStatus", b"ReadSupplyStates"))


@pytest.mark.requirement("GW-23")
async def test_a_message_that_does_not_conform_is_refused_by_element_and_line(far_end: FarEnd) -> None:
    await far_end.in_service()
    request = write_request(far_end.dcc.request(far_end.supplier, "8.2", None, {"DeviceID": ESME}))
    refusal = far_end.dcc.gateway.read(request.replace(ESME.duis.encode(), b"00-DB"))
    assert not hasattr(refusal, "body")
    assert refusal.check == "CK-1 structure"  # type: ignore[union-attr]
    assert "DeviceID" in refusal.value  # type: ignore[union-attr]


@pytest.mark.requirement("GW-65")
async def test_what_a_device_does_not_support_is_said_and_not_invented(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "7.4", CHF)
    assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E11")
    assert outcome.refusal is not None
    assert outcome.refusal.next_step.startswith("address it to ")
    assert far_end.home.received == []
    proxy = await send(far_end, "7.4", GPF)
    assert (proxy.verdict, proxy.response_code) == (Verdict.REFUSED, "E11"), "use case 0082 is the gas meter's alone"
    assert far_end.home.received == []


@pytest.mark.requirement("GW-75")
async def test_a_local_command_for_consumption_data_needs_the_same_right_as_one_over_the_wan(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.register_supply(MPAN, UserRole.IS, SUPPLIER)
    answers = [await send(far_end, "7.4", user=far_end.second, command_variant=way) for way in (1, 2, 3)]
    assert [(one.verdict, one.response_code) for one in answers] == [(Verdict.REFUSED, "E4")] * 3
    assert len({one.refusal and one.refusal.value for one in answers}) == 1
    assert (await send(far_end, "7.4", command_variant=2)).verdict is Verdict.RETURNED


@pytest.mark.requirement("GW-66")
async def test_a_user_reports_and_discards_what_is_not_meant_for_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.receivers._there[SUPPLIER] = far_end.network  # what is the supplier's comes to the network operator
    far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
    await far_end.clock.sleep(5)
    assert (far_end.supplier.inbox, far_end.network.inbox) == ([], [])
    (error,) = far_end.network.in_error
    assert (error.code, error.octets) == ("8F3F", None)
    (report,) = (record for record in far_end.records if record.event == "reported")
    assert (report.source, report.detail["code"]) == (f"user {SUPPLIER}", "8F3F")


async def test_a_message_through_the_broker_is_its_users_own(far_end: FarEnd) -> None:
    await far_end.in_service()
    assert (await send(far_end, "11.2", user=far_end.other)).ok
    assert [delivery.kind for delivery in far_end.other.inbox] == ["h"]
    assert far_end.other.in_error == []


@pytest.mark.requirement("PC-04")
def test_the_message_mapping_catalogue_is_data_for_every_service_that_has_a_gbcs_answer() -> None:
    table = files("hil.parse_correlate.parse.mmc").joinpath("services.csv").read_text(encoding="utf-8")
    mapped = {row["variant"] for row in csv.DictReader(table.splitlines())}
    missing = {variant for variant, service in schedule().items() if service.device_service and use_cases_of(variant)} - mapped
    assert missing == set()


@pytest.mark.requirement("PC-12")
async def test_the_pre_command_is_signed_with_the_users_own_key_at_the_user(far_end: FarEnd) -> None:
    await far_end.in_service()
    signed = Message.decode(octets(await send(far_end, "7.3"), "e"))
    assert signed.signature
    assert not far_end.dcc.keystore._private.keys() & {(SUPPLIER, "ds"), (SECOND, "ds")}, "the DCC holds no user's key"
    without = far_end.dcc.request(far_end.supplier, "7.3", ESME)
    far_end.supplier._keystore._private.clear()
    outcome = await far_end.dcc.send(far_end.supplier, without)
    assert outcome.refusal is not None
    assert (outcome.refusal.hop, outcome.refusal.check) == ("user", "signing")
