"""Every device service of the schedule, one row a test: from its DUIS request to the verified Response of an emulated Device.

The requests are the published templates, each through the arrival checks, the transform, the user's signature where it is critical,
the MAC, the SM WAN channel and the Device's own checks and objects, and back. One home does all of it, once, in a fixture.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.verify import check_message
from firmware_emu.ids import Eui64
from hil.coverage.lived_home import LivedHome, templates_in_order
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.base.services import Service, UserRole, schedule
from hil.dcc.duis import read_request
from hil.dcc.duis.element_types import element_type
from hil.dcc.duis.request import VARIANTS, Node
from hil.dcc.gateway import arrival as checks
from hil.dcc.gateway.arrival import Arrival
from tests.dcc.services.home_of_eight import HOME, make_world

ROWS = Path(__file__).parents[2] / "requirements.csv"
GONE = frozenset({"6.19"})
"""Services of the 2013 schedule that DUIS 5.4 does not have any more (tests/uncovered.csv)."""
OWN = frozenset({"5.1", "5.2", "5.3", "8.2", "8.3", "8.4", "8.6", "8.13", "11.1", "12.1", "12.2", "A1", "A2"})
"""Rows without a Command to a Device, or proven elsewhere (tests/dcc)."""
TYPES = {"T1": "1", "T2": "2"}
"""The forms of 8.7 and 8.8: for Type 1 and Type 2 Devices, as variants."""
RETURNED = frozenset({"ECS17b_4.1.1"})
"""Templates whose command variant asks for the Command to come back for local delivery."""
KEYS = frozenset({"6.15", "6.21", "6.23", "8.5"})
"""Services that change whom a Device knows: their templates are future dated themselves, or that is the Device's business."""
POLYPHASE = frozenset({"ECS29b_6.5_SUCCESS", "ECS29d_6.5_SUCCESS"})
"""Templates with settings of single phases, which the home's twin element meter does not have."""
PREPAYMENT = frozenset({"SVC-1.1-P", "SVC-1.2-P"})
"""Rows of the prepayment form, which DUIS 5.4 does not tell from the credit form: the meter's mode does."""


def rows() -> Iterator[str]:
    """The service rows of requirements.csv that are about a Device."""
    with ROWS.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["row"].startswith("SVC-") and row["row"].split("-")[1] not in OWN | GONE:
                yield row["row"]


def variants_of(row: str) -> list[Service]:
    """The variants of DUIS 5.4 that a row of the 2013 schedule stands for."""
    _, reference, *form = row.split("-")
    wanted = TYPES.get(form[0]) if form else None
    found = (service for service in schedule().values() if service.reference == reference and service.device_service)
    return [service for service in found if wanted is None or service.variant.endswith(f".{wanted}")]


@dataclass
class Done:
    """Outcomes of every template in credit mode, of tariffs in prepayment mode, of future dated ones, and of other roles."""

    world: LivedHome
    templates: dict[str, bytes]
    all_templates: dict[str, bytes]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    prepayment: dict[str, Outcome] = field(default_factory=dict)
    future: dict[str, Outcome] = field(default_factory=dict)
    refused: dict[tuple[str, UserRole], Outcome] = field(default_factory=dict)
    code_of: dict[tuple[str, UserRole], str | None] = field(default_factory=dict)
    """Answer of CK-2 in each role."""
    code_of_2013: dict[tuple[str, UserRole], str | None] = field(default_factory=dict)
    """The same where the bench follows the 2013 schedule."""

    def __post_init__(self) -> None:
        self.variants = {name: schedule()[read_request(one).service_reference_variant] for name, one in self.templates.items()}

    def of(self, service: Service) -> list[str]:
        """The templates of a variant."""
        return [name for name, variant in self.variants.items() if variant == service]


def asked_for(request: pytest.FixtureRequest) -> set[str] | None:
    """Variants of the rows that the selected tests are about; None where one of them is about all."""
    rows: set[str] = set()
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path == request.path:
            row = item.callspec.params.get("row") if hasattr(item, "callspec") else None
            if row is None:
                return None
            rows.add(row)
    return {service.variant for row in rows for service in variants_of(row)}


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest, duis: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    world = make_world(tmp_path_factory.mktemp("services"), duis / "templates")
    wanted = asked_for(request)
    every = {name: template for name, template in templates_in_order(duis / "templates").items() if ours(template)}
    chosen = {n: one for n, one in every.items() if wanted is None or read_request(one).service_reference_variant in wanted}
    found = Done(world, chosen, every)

    async def everything() -> None:
        await world.start()
        await in_prepayment_mode(found)
        for name, template in found.templates.items():
            await refuse_other_roles(found, found.variants[name], template)
            await hold(found, found.variants[name], template)
            if name not in found.outcomes:
                found.outcomes[name] = await world.perform(template)
        await world.close()

    world.clock.run(everything())
    return found


def ours(template: bytes) -> bool:
    """True if the template addresses a Device of the home, and not as the load controller alone may."""
    request = read_request(template)
    service = schedule()[request.service_reference_variant]
    return request.request_id.target in HOME and bool((service.roles | service.roles_2013) - {UserRole.LC})


async def in_prepayment_mode(found: Done) -> None:
    """Run what needs prepayment mode: emergency credit, and tariffs and prices; afterwards the meters are in credit mode, as the rest finds
    them."""
    for name in (name for name, service in found.variants.items() if service.reference == "2.5"):
        found.outcomes[name] = await found.world.perform(found.templates[name])
    tariffs = [n for n, service in found.variants.items() if service.reference in ("1.1", "1.2") and "CANCELLATION" not in n]
    if not tariffs:
        return
    for name in ("ECS03_1.6_FUTURE_DATED_TWIN_SUCCESS", "GCS03_1.6_FUTURE_DATED_SUCCESS"):
        assert (await found.world.perform(found.all_templates[name], now=True)).ok
    for name in tariffs:
        found.prepayment[name] = await found.world.perform(found.templates[name])
    for name in ("ECS02_1.6_FUTURE_DATED_TWIN_SUCCESS", "GCS02_1.6_CANCELLATION_SUCCESS"):
        assert (await found.world.perform(found.all_templates[name], now=True)).ok


async def refuse_other_roles(found: Done, service: Service, template: bytes) -> None:
    """The template's request by a user in every role that may not send it; once for each variant."""
    found.world.reset()
    context = found.world.dcc.context
    context_2013 = replace(context, profile=replace(context.profile, edition_2013=1.0))
    request = read_request(template)
    for role, user in found.world.users.items():
        asked = replace(request, request_id=replace(request.request_id, originator=user.eui64))
        for codes, where in ((found.code_of, context), (found.code_of_2013, context_2013)):
            refusal = checks.user(where, Arrival(asked, service, None))
            codes[service.variant, role] = None if refusal is None else refusal.code
    for role in set(UserRole) - (service.roles or service.roles_2013):
        if (service.variant, role) not in found.refused:
            user, request = found.world.request(template, role)
            found.refused[service.variant, role] = await found.world.dcc.send(user, request)


async def hold(found: Done, service: Service, template: bytes) -> None:
    """The same service future dated, where that is for the DCC to do: it holds the request for two hours. Once for each variant."""
    if service.future_dated == {"dcc"} and service.variant not in found.future and service.reference not in KEYS:
        found.future[service.variant] = await found.world.perform(template, at=found.world.clock.datetime() + timedelta(hours=2))


def takes_time(variant: str) -> bool:
    """True if the service's element has an ExecutionDateTime (DUIS 5.4)."""
    body = element_type("Request").part("Body")
    assert body is not None
    part = element_type(body.type).part(VARIANTS[variant].element)
    return part is not None and element_type(part.type).part("ExecutionDateTime") is not None


def row_parameters() -> list[object]:
    return [pytest.param(row, marks=pytest.mark.requirement(row), id=row) for row in rows()]


@pytest.mark.parametrize("row", row_parameters())
def test_a_service_reaches_its_device_and_its_verified_response_comes_back_in_time(done: Done, row: str) -> None:
    performed = [name for service in variants_of(row) for name in done.of(service)]
    assert performed, f"no template of {row}"
    outcomes = done.prepayment if row in PREPAYMENT else done.outcomes
    assert set(performed) & set(outcomes)
    for name in set(performed) & set(outcomes) - POLYPHASE:
        outcome = outcomes[name]
        service = schedule()[outcome.variant]
        if name in RETURNED:
            assert outcome.verdict is Verdict.RETURNED
            continue
        assert outcome.verdict is Verdict.SUCCESS, f"{name}: {outcome.why}"
        assert outcome.response_code == "I0"
        assert outcome.parsed is not None, "the user has verified and read the Device's octets"
        assert outcome.within_target is True
        assert outcome.target_s in (service.on_demand_s, service.future_dated_s)
        kinds = [message.kind for message in outcome.messages]
        by_user = service.critical and "c" in kinds
        assert kinds == (["c", "e", "f", "g"] if by_user else ["f", "g"])


@pytest.mark.parametrize("row", row_parameters())
def test_a_role_that_is_not_eligible_is_refused_with_its_code(done: Done, row: str) -> None:
    for service in variants_of(row):
        if not done.of(service):
            continue
        others = set(UserRole) - (service.roles or service.roles_2013)
        for role in others:
            outcome = done.refused[service.variant, role]
            assert (outcome.verdict, outcome.response_code) == (Verdict.REFUSED, "E2"), f"{service.variant} by {role}: {outcome.why}"
            assert outcome.refusal is not None
            assert outcome.refusal.check == "CK-2 user"
        told = {role: done.code_of_2013[service.variant, role] for role in UserRole if service.roles_2013}
        assert told == {role: None if role in service.roles_2013 else "E2" for role in told}, "the row's own roles"


@pytest.mark.requirement("GW-53")
@pytest.mark.parametrize("row", row_parameters())
def test_a_category_that_is_not_available_cannot_be_asked_for(done: Done, row: str) -> None:
    for service in variants_of(row):
        for name in done.of(service)[:1]:
            request = read_request(done.templates[name])
            if not service.future_dated:
                assert not takes_time(service.variant), "the schema has no execution time where the schedule has none"
            if service.on_demand_s is None:
                for element in list(request.body):
                    if Node(element).name == "ExecutionDateTime":
                        request.body.remove(element)
                refusal = checks.structure(done.world.dcc.context, Arrival(request, service, None))  # asks no store
                assert refusal is not None
                assert refusal.value == f"service {service.variant} without an execution time, which is future dated only"


@pytest.mark.requirement("GW-39")
@pytest.mark.parametrize("row", row_parameters())
def test_a_service_that_the_dcc_future_dates_runs_at_its_time_with_24_hours_to_answer(done: Done, row: str) -> None:
    for service in variants_of(row):
        outcome = done.future.get(service.variant)
        if outcome is None:
            assert service.future_dated != {"dcc"} or not done.of(service) or service.reference in KEYS
            continue
        assert outcome.verdict is Verdict.SUCCESS, f"{service.variant}: {outcome.why}"
        assert outcome.legs["held until its execution time"] >= 7_000_000
        assert (outcome.target_s, outcome.within_target) == (86400.0, True)


def test_every_template_that_addresses_a_device_of_the_home_succeeds(done: Done) -> None:
    assert len(done.outcomes) > 230
    assert {name for name, outcome in done.outcomes.items() if not outcome.ok} == POLYPHASE


@pytest.mark.requirement("GW-76")
@pytest.mark.parametrize("row", row_parameters())
def test_every_eligible_role_is_given_the_service(done: Done, row: str) -> None:
    for service in variants_of(row):
        if done.of(service) and service.roles:
            assert {role for role in UserRole if done.code_of[service.variant, role] is None} == service.roles


@pytest.mark.requirement("SHP-03")
def test_the_bench_plays_every_actor(done: Done) -> None:
    euis = {user.eui64: role for role, user in done.world.users.items()}
    senders = {euis.get(Eui64.parse(name.split(":")[0])) for name in (outcome.request for outcome in done.outcomes.values() if outcome.ok)}
    assert {UserRole.IS, UserRole.GS, UserRole.ES, UserRole.ED, UserRole.GT, UserRole.OU} <= senders
    by_cos = [record for record in done.world.records if record.source == "CoS party" and record.event == "confirmed"]
    assert by_cos
    answered = {name.split(":")[1] for name in (outcome.request for outcome in done.outcomes.values() if outcome.ok)}
    assert len(answered) == 6, "hub, gas proxy, both meters, PPMID and HCALCS"


@pytest.mark.requirement("GW-23")
def test_import_consumption_travels_encrypted_to_its_reader_and_cannot_be_read_by_the_dcc(done: Done) -> None:
    outcome = done.outcomes["ECS22b_4.8.1_SINGLE_SUCCESS"]
    octets = next(message.octets for message in outcome.messages if message.kind == "g")
    read = check_message(Message.decode(octets), done.world.keystore)
    assert read.encrypted
    assert all(part.plaintext is not None for part in read.encrypted)
    at_the_dcc = check_message(Message.decode(octets), done.world.dcc.keystore)
    assert all(part.plaintext is None for part in at_the_dcc.encrypted)


@pytest.mark.requirement("INV-29")
def test_the_network_operator_is_told_of_a_meter_that_was_withdrawn(done: Done) -> None:
    assert done.outcomes["CS02bACBByACB_8.5_SUCCESS"].ok
    told = [one for one in done.world.users[UserRole.ED].inbox if one.code == "N1"]
    assert {(one.kind, one.detail["event"]) for one in told} == {("j", "withdrawn")}


def test_the_customer_identification_number_is_drawn_by_the_dcc_sent_to_the_meter_and_given_to_the_requester(done: Done) -> None:
    for name in ("ECS50_9.1_SUCCESS", "GCS36_9.1_SUCCESS"):
        outcome = done.outcomes[name]
        number = str(outcome.result["CustomerIdentificationNumber"])
        assert len(number) == 4
        assert number.isdecimal()
        command = next(message.octets for message in outcome.messages if message.kind == "f")
        assert number.encode() in command
        told = [one.detail for one in done.world.users[UserRole.OU].inbox if one.request == outcome.request]
        assert told == [{"CustomerIdentificationNumber": number}]
