"""The life of a request: its table, the page written from it, and a machine that tries every event in every state and crashes anywhere."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import hil.dcc
from firmware_emu.ids import Eui64
from hil.commands.dcc.dcc import dcc
from hil.dcc.base.processing import WALKS, document, steps_of
from hil.dcc.base.requests import (
    LIFE,
    OPEN,
    STANDING,
    LifeStep,
    RequestEvent,
    RequestMoved,
    Requests,
    RequestState,
    Resume,
    StoredRequest,
    WrongEvent,
    may_happen,
)
from hil.dcc.base.store import Bus, DccStore, Value

USER, DEVICE = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")
HIL = Path(hil.dcc.__file__).parent.parent
GIVEN: dict[str, Value] = {
    "execute_at": 500.0,
    "pre_command": b"pre",
    "command": b"command",
    "command_id": "one:two:command:3",
    "deadline": 900.0,
    "chf": "00db1234567890a2",
    "sequence": 7,
    "response": b"response",
}


def columns_of(state: RequestState, event: RequestEvent) -> dict[str, Value]:
    step = next((one for one in LIFE if (one.state, one.event) == (state, event)), None)
    return {} if step is None else {name: GIVEN[name] for name in step.writes}


class Lives(RuleBasedStateMachine):
    """One request, every event at any time, and a DCC that dies before or after what it wrote is durable."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "dcc.sqlite"
        self.now = 0.0
        self.told: list[RequestMoved] = []
        self.delivered_of_response = 0
        self.open()
        self.requests.accept("r", USER, DEVICE, "7.3", b"<r/>", received=self.now)
        self.before: StoredRequest | None = None

    def open(self) -> None:
        bus = Bus()
        bus.on(RequestMoved, self.told.append)
        self.store = DccStore(self.path)
        self.requests = Requests(self.store, lambda: self.now, bus)

    @rule(event=st.sampled_from(RequestEvent), dies=st.sampled_from(("no", "before it is durable", "after")))
    def happens(self, event: RequestEvent, dies: str) -> None:
        self.now += 1.0
        before = self.requests.get("r")
        allowed = may_happen(before.state, event)
        try:
            with self.store.transaction():
                step = self.requests.move("r", event, **columns_of(before.state, event))
                if dies == "before it is durable":
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.restart()
            assert self.requests.get("r") == before, "nothing of a step that was not durable stays"
        except WrongEvent:
            assert not allowed or before.delivered is not None
            assert self.requests.get("r") == before, "an event without a row changes nothing"
        else:
            assert allowed
            if dies == "after":
                self.restart()
            after = self.requests.get("r")
            assert after.state is step.to
            if event is RequestEvent.DELIVER:
                assert before.response is not None
                assert before.delivered is None, "a Response is delivered once"
            if event is RequestEvent.TIME_OUT:
                assert before.response is None, "what was answered is not told as unanswered"
            if before.response is not None and after.response is None:
                assert event is RequestEvent.DISPROVE, "a Response goes away only when its user disproves it"

    def restart(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def what_is_sent_can_be_sent_again_by_nobody(self) -> None:
        stored = self.requests.get("r")
        if stored.sent is not None:
            assert not may_happen(stored.state, RequestEvent.POST)
            assert not may_happen(stored.state, RequestEvent.GIVE_COMMAND)

    @invariant()
    def a_new_dcc_knows_what_to_do_with_it(self) -> None:
        stored = self.requests.get("r")
        moved_by_people = {RequestState.PRE_COMMAND, RequestState.RETURNED, RequestState.QUARANTINED}
        if stored.state in OPEN and stored.state not in moved_by_people:
            assert STANDING[stored.state].resume is not Resume.NOTHING

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("step", [pytest.param(step, id=f"{step.state} {step.event}") for step in LIFE])
def test_what_a_transaction_keeps_of_a_request_after_a_step_is_what_the_store_holds(step: LifeStep) -> None:
    store = DccStore(None)
    requests = Requests(store, lambda: 10.5)
    with store.transaction():
        requests.accept("one", USER, DEVICE, "4.1.1", b"<one/>", received=2.5)
        requests.accept("two", USER, DEVICE, "4.1.1", b"<two/>", received=3.5, execute_at=500.0)
        assert [requests.get("one"), requests.get("two")] == list(requests.all())
        if step.event is not RequestEvent.ACCEPT:
            store.execute("UPDATE requests SET state = ? WHERE request = 'two'", (step.state.value,))
            requests.move("two", step.event, **columns_of(step.state, step.event))
        assert requests.get("two").state is step.to
        assert [requests.get("one"), requests.get("two")] == list(requests.all())
    store.close()


def test_no_state_has_two_rows_for_one_event_and_every_state_says_what_it_waits_for() -> None:
    assert len({(step.state, step.event) for step in LIFE}) == len(LIFE)
    assert set(STANDING) == set(RequestState)
    assert {step.event for step in LIFE} == set(RequestEvent)


def test_every_state_is_reached_from_a_new_request_and_leads_to_an_end() -> None:
    reached, ends = {RequestState.NEW}, set(RequestState) - {step.state for step in LIFE} | {RequestState.RESPONDED, RequestState.LATE}
    for _ in RequestState:
        reached |= {step.to for step in LIFE if step.state in reached}
        ends |= {step.state for step in LIFE if step.to in ends}
    assert reached == set(RequestState)
    assert ends == set(RequestState)


def test_a_step_tells_the_bus_once_and_a_wrong_event_tells_nothing() -> None:
    bus, told = Bus(), list[RequestMoved]()
    bus.on(RequestMoved, told.append)
    requests = Requests(DccStore(None), lambda: 1.0, bus)
    requests.accept("r", USER, DEVICE, "11.2", b"", received=0.0)
    with pytest.raises(WrongEvent, match="request r is accepted: read the event deliver, expected one of await predecessor"):
        requests.move("r", RequestEvent.DELIVER)
    with pytest.raises(WrongEvent, match="unknown"):
        requests.move("unknown", RequestEvent.EXECUTE)
    requests.move("r", RequestEvent.EXECUTE)
    assert [one.step.to for one in told] == [RequestState.ACCEPTED, RequestState.EXECUTED]


def test_the_walks_of_the_page_follow_the_table_and_the_page_is_current() -> None:
    for walk in WALKS.values():
        assert steps_of(walk)[0].event is RequestEvent.ACCEPT
    assert (Path(hil.dcc.__file__).with_name("processing.md")).read_text(encoding="utf-8") == document(), (
        "write it anew: chub dcc life --markdown > hil/dcc/processing.md"
    )
    assert CliRunner().invoke(dcc, ["life", "--markdown"]).output == document()


TABLES = {
    "requests": {"hil/dcc/base/requests.py"},
    "customer_numbers": {"hil/dcc/base/requests.py"},
    "users": {"hil/dcc/parties/users.py"},
    "volume_thresholds": {"hil/dcc/anomaly/thresholds.py"},
    "volumes": {"hil/dcc/anomaly/thresholds.py"},
    "held_parties": {"hil/dcc/inventory/inventory.py"},
    "hubs": {"hil/dcc/inventory/hub_contacts.py"},
    "device_logs": {"hil/dcc/inventory/device_log.py"},
    "alerts": {"hil/dcc/answers/alert_table.py"},
    "outages": {"hil/dcc/answers/alert_table.py"},
    "strays": {"hil/dcc/answers/answers.py"},
    "quarantine": {"hil/dcc/gateway/quarantine.py"},
    "schedules": {"hil/dcc/own_services/schedules.py"},
    "schedule_runs": {"hil/dcc/own_services/schedules.py"},
    "firmware_targets": {"hil/dcc/own_services/firmware.py"},
    "firmware_campaigns": {"hil/dcc/own_services/firmware.py"},
    "connections": {"hil/dcc/gateway/connections.py"},
}
"""Tables that other parts ask for: each is read and written in one module."""


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_read_and_written_in_one_module(table: str) -> None:
    touches = re.compile(rf"\b(FROM|INTO|UPDATE|JOIN) {table}\b|insert\(\s*\"{table}\"")
    found = {str(path.relative_to(HIL.parent)) for path in HIL.rglob("*.py") if touches.search(path.read_text(encoding="utf-8"))}
    assert found == TABLES[table]
