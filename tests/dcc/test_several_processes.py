"""Several processes as one DCC on one database: what one of them does meanwhile, the others neither undo, nor repeat, nor miss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import StoreTrouble
from firmware_emu.wan.base import WanKind
from firmware_emu.wan.virtual import MemoryWan
from hil.bench.standing_dcc import seeded
from hil.dcc.answers.alert_table import OutageTable
from hil.dcc.base.postgres import PostgresDatabase
from hil.dcc.base.requests import RequestState
from hil.dcc.base.results import Verdict
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.dcc import AnsweredLater, Dcc
from hil.dcc.duis import write_request
from hil.dcc.duis.request import CANCELLATION
from hil.dcc.gateway.gateway import Travel
from hil.dcc.gateway.quarantine import MessageDirection, NotQuarantined
from hil.dcc.service.companions import Company
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.outbox import PushOutbox, ReceivingAddresses
from hil.dcc.service.push import Pusher
from hil.dcc.service.settings import service_settings
from tests.databases import place_in
from tests.dcc.certificates import held, self_made
from tests.dcc.far_end import CHF, ESME, SUPPLIER, FarEnd
from tests.dcc.messages import create, send


@pytest.fixture
async def shared(keystore: Keystore, clock: Clock, postgresql: str, request: pytest.FixtureRequest) -> AsyncIterator[tuple[FarEnd, Dcc]]:
    """A far end on PostgreSQL, whose DCC leads, and a second process of it."""
    far_end = FarEnd(keystore, clock, Path(place_in(postgresql, f"shared_{abs(hash(request.node.name))}")))
    other = far_end.new_dcc()
    yield far_end, other
    await other.close()
    await far_end.close()


def cut(dcc: Dcc) -> None:
    """The server ends the process's connection."""
    database = dcc.store._file
    assert isinstance(database, PostgresDatabase)
    with psycopg.connect(database.url, autocommit=True) as operator:
        operator.execute("SELECT pg_terminate_backend(%s)", (database.connection.info.backend_pid,))
    with suppress(StoreTrouble):
        dcc.store.row("SELECT 1")


async def test_a_schedule_that_another_process_removed_runs_no_more_though_the_leader_had_read_it(far_end: FarEnd) -> None:
    await far_end.in_service()
    number = (await create(far_end)).result["DSPScheduleID"]
    await far_end.clock.sleep(3600)
    far_end.dcc.store.execute("UPDATE schedules SET removed = 1, removal = 'by 5.3', next_run = NULL WHERE number = ?", (int(str(number)),))
    await far_end.clock.sleep(3 * 86400)
    assert far_end.home.received == []
    assert [one.next_run for one in far_end.dcc.schedules.all()] == [None]


async def test_a_schedule_removed_by_one_process_is_told_to_the_leader(shared: tuple[FarEnd, Dcc]) -> None:
    far_end, other = shared
    heard: list[str] = []
    far_end.notify()
    assert far_end.dcc.store.leads
    assert not other.store.leads
    assert far_end.dcc.store.companions is not None
    far_end.dcc.store.companions.hear(heard.append)
    number = other.store.insert(
        "schedules",
        user=str(SUPPLIER),
        device=str(ESME),
        variant="4.8.1",
        frequency="Daily",
        xml=b"",
        created=0.0,
        first_run=0.0,
        next_run=1.0,
    )
    (one,) = other.schedules.of(SUPPLIER, ESME)
    assert one.number == number
    other.gateway.suspend(SUPPLIER, "M8")
    far_end.dcc.store.row("SELECT 1")
    await far_end.clock.sleep(1)
    assert "schedules" in heard


async def test_a_user_is_told_of_a_request_cancelled_by_another_process_than_the_one_that_defers_it(shared: tuple[FarEnd, Dcc]) -> None:
    far_end, other = shared
    await far_end.in_service()
    told: list[AnsweredLater] = []
    other.bus.on(AnsweredLater, told.append)
    far_end.dcc.bus.on(AnsweredLater, told.append)
    later, never = ({"ExecutionDateTime": at} for at in (far_end.clock.datetime() + timedelta(hours=2), CANCELLATION))
    deferred = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME, later))
    assert (await far_end.dcc.take(write_request(deferred))).code == "I99"
    await far_end.clock.sleep(60)
    cancelling = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME, never))
    await other.take(write_request(cancelling))
    assert far_end.dcc.requests.state(str(deferred.request_id)) is RequestState.CANCELLED
    await far_end.clock.sleep(3 * 3600)
    assert [one.request for one in told] == [str(deferred.request_id)]
    assert far_end.home.received == []


async def test_a_sender_hears_the_answer_that_another_process_takes_from_the_hub(shared: tuple[FarEnd, Dcc]) -> None:
    far_end, other = shared
    await far_end.in_service()
    far_end.dcc.remove_user(SUPPLIER)
    other.attach_hub(MemoryWan(far_end.clock).dcc, CHF)  # it listens as well, and the hub is connected to the one that leads
    leading, sending = far_end.dcc.store.companions, other.store.companions
    assert leading is not None
    assert sending is not None
    leading.hear(far_end.dcc.heard)
    sending.hear(other.heard)
    sender = asyncio.create_task(other.send(far_end.supplier, other.request(far_end.supplier, "7.4", ESME)))
    while not sender.done():
        await far_end.clock.sleep(1)
        for dcc in (far_end.dcc, other):
            dcc.store.row("SELECT 1")  # each hears what the database has for it
    outcome = await sender
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    assert outcome.finished - outcome.started < 10


async def test_a_process_whose_connection_broke_takes_up_what_the_others_told_meanwhile(shared: tuple[FarEnd, Dcc]) -> None:
    far_end, other = shared
    await far_end.in_service()
    new, dcc = self_made(held(far_end, ESME)), far_end.dcc
    create_tables(dcc.store, "hil.dcc.service")
    assert dcc.store.companions is not None
    faults = BoundaryFaults(far_end.clock, far_end.trace, seeded(1))
    outbox, addresses = PushOutbox(dcc.store, dcc.clock.now), ReceivingAddresses(dcc.store)
    company = Company(dcc, Pusher(dcc.bus, outbox, addresses, service_settings(), dcc.clock, far_end.trace, faults), dcc.store.companions)
    await company._look()
    cut(dcc)
    other.repository.publish(new)
    await company._look()
    assert dcc.keystore.certificate(ESME, KeyUsage.DIGITAL_SIGNATURE) == new


async def test_an_outage_is_told_once_and_in_its_time_though_the_supply_came_back_and_went_again_at_another_process(
    far_end: FarEnd,
) -> None:
    await far_end.in_service()
    far_end.home.channel.post(WanKind.POWER_LOST, int(far_end.clock.now()).to_bytes(4, "big"))
    await far_end.clock.sleep(1)
    far_end.wan.coverage = False
    far_end.wan.cut()
    await far_end.clock.sleep(100)
    outages, now = OutageTable(far_end.dcc.store), far_end.clock.now()
    outages.restored(CHF)
    outages.lost(CHF, now, now, now + 180)
    await far_end.clock.sleep(170)
    assert far_end.supplier.inbox == [], "the first outage was over"
    await far_end.clock.sleep(20)
    assert [one.detail["began"] for one in far_end.supplier.inbox] == [now]
    far_end.dcc.alerts.watch_outages()
    await far_end.clock.sleep(400)
    assert len(far_end.supplier.inbox) == 1


async def test_an_outage_that_another_process_has_told_is_not_told_again(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.channel.post(WanKind.POWER_LOST, int(far_end.clock.now()).to_bytes(4, "big"))
    await far_end.clock.sleep(1)
    far_end.wan.coverage = False
    far_end.wan.cut()
    OutageTable(far_end.dcc.store).told(CHF)
    await far_end.clock.sleep(400)
    assert far_end.supplier.inbox == []


async def test_an_outage_is_told_once_though_another_process_tells_it_at_the_same_moment(
    far_end: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    await far_end.in_service()
    now, outages = far_end.clock.now(), OutageTable(far_end.dcc.store)
    outages.lost(CHF, now - 200, now - 200, now - 20)
    begin = far_end.dcc.store._file.begin

    def waited() -> None:
        monkeypatch.undo()
        outages.told(CHF)
        begin()

    monkeypatch.setattr(far_end.dcc.store._file, "begin", waited)
    await far_end.dcc.alerts._tell_outage(CHF)
    assert far_end.supplier.inbox == []


async def test_a_response_that_another_process_takes_at_the_deadline_counts(far_end: FarEnd) -> None:
    await far_end.in_service()
    outcome = await send(far_end, "11.2")
    stored = far_end.dcc.requests.get(outcome.request)
    stale = replace(stored, state=RequestState.SENT, response=None, responded=None, delivered=None)
    assert far_end.dcc.answers._unanswered(stale, Travel(far_end.clock)) is None
    assert far_end.dcc.requests.get(outcome.request) == stored
    assert [one.kind for one in far_end.supplier.inbox] == ["h"]


def test_a_message_is_released_from_quarantine_or_discarded_once(far_end: FarEnd) -> None:
    desk = far_end.dcc.quarantine
    number = desk.hold(SUPPLIER, MessageDirection.REQUEST, "r", "volume", b"<r/>")
    desk.held(number)
    desk.settle(number, "released")
    with pytest.raises(NotQuarantined, match="somebody has released or discarded it"):
        desk.settle(number, "discarded")
    assert [one.state for one in desk.messages()] == ["released"]


def test_a_process_that_stands_still_inside_a_transaction_does_not_hold_up_the_others_for_ever(postgresql: str) -> None:
    place = Path(place_in(postgresql, "standing_still"))
    still, other = DccStore(place), DccStore(place)
    database = other._file
    assert isinstance(database, PostgresDatabase)
    for limit in ("idle_in_transaction_session_timeout", "lock_timeout"):
        row = database.connection.execute(f"SHOW {limit}".encode()).fetchone()
        assert row is not None
        assert row[0] == "1min"
    database.connection.execute("SET lock_timeout = 1")

    def write(key: str) -> None:
        with other.transaction():
            other.named("x").put(key, b"")

    with still.transaction():
        still.named("x").put("1", b"")
        with pytest.raises(StoreTrouble):
            write("2")
    write("3")
    assert other.named("x").keys("") == ["1", "3"]
    still.close()
    other.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.insert("volumes", user="a", service="b", time=1.0),
        lambda store: store.insert("strays", time=1.0, kind="unasked", reason="x", octets=b""),
        lambda store: store.revision(),
    ],
)
def test_the_first_statement_after_a_cut_connection_is_done_on_a_new_one_whatever_it_is(
    postgresql: str, ask: Callable[[DccStore], object]
) -> None:
    store = DccStore(Path(place_in(postgresql, "cut_before")))
    database = store._file
    assert isinstance(database, PostgresDatabase)
    database.connection.close()
    ask(store)
    assert database.connected == 2
    store.close()


def test_text_with_a_nul_in_it_is_no_fault_of_the_database(postgresql: str) -> None:
    store = DccStore(Path(place_in(postgresql, "nul_one")))
    assert store.row("SELECT * FROM devices WHERE postcode = ?", ("\0",)) is None
    store.insert("strays", time=1.0, kind="unasked", reason="a\0b", octets=b"\0")
    row = store.row("SELECT reason, octets FROM strays")
    assert row is not None
    assert (row["reason"], bytes(row["octets"])) == ("a\ufffdb", b"\0")
    store.close()
