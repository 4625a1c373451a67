"""One contract, two databases: a SQLite file and PostgreSQL. The whole folder runs over the second with ``pytest --postgresql``."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import NotAvailable, StoreTrouble
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import SqliteFile
from hil.dcc.anomaly.thresholds import AnomalyThresholds
from hil.dcc.base.postgres import PostgresDatabase, translated, without_password
from hil.dcc.base.requests import RequestEvent, Requests, RequestState
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.parties.acb import LARGEST_COUNTER, OriginatorCounters
from hil.dcc.parties.users import EnteredUsers
from hil.dcc.registration.register import Registration
from hil.dcc.service.outbox import PushOutbox, ReceivingAddresses
from tests.databases import place_in

ROOT = Path(__file__).parents[3]
USER, OTHER = Eui64.parse("90b3d51f30010000"), Eui64.parse("90b3d51f30020000")
METER, HUB = Eui64.parse("00db1234567890a3"), Eui64.parse("00db1234567890a2")
PACKAGES = tuple(
    ".".join(path.relative_to(ROOT).parent.parts) for path in sorted((ROOT / "hil").rglob("schema.sql")) if path.parent.name != "base"
)
Open = Callable[[], DccStore]


@pytest.mark.parametrize(
    "asked",
    [
        "SELECT * FROM connections WHERE user = 'x' ORDER BY number",
        "SELECT count(*) AS n FROM volumes WHERE service = '4.1' AND time > 1.0",
        "SELECT count(*) AS n FROM volumes WHERE user = 'x' AND time > 1.0 AND service = '4.1'",
    ],
)
def test_what_each_message_asks_is_found_without_going_through_a_table(tmp_path: Path, asked: str) -> None:
    store = DccStore(tmp_path / "dcc.sqlite")
    if not isinstance(store._file, SqliteFile):
        pytest.skip("the plan is SQLite's: with --postgresql there is no file")
    plan = [row["detail"] for row in store.rows(f"EXPLAIN QUERY PLAN {asked}")]
    assert all(step.startswith("SEARCH") for step in plan), plan
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open the same store, each time anew."""
    place = tmp_path / "dcc.sqlite"
    if request.param == "postgresql":
        place = Path(place_in(request.getfixturevalue("postgresql"), f"contract_{abs(hash(request.node.name))}"))
    stores: list[DccStore] = []

    def open_() -> DccStore:
        stores.append(DccStore(place))
        return stores[-1]

    yield open_
    for one in stores:
        one.close()


def test_what_is_written_after_a_savepoint_goes_if_it_raises_and_the_rest_of_the_transaction_stays(opened: Open) -> None:
    store = opened()
    values = store.named("x/")

    def refused(key: str) -> None:
        with store.savepoint():
            values.put(key, b"a")
            raise KeyError(key)

    with store.transaction():
        values.put("before", b"")
        with pytest.raises(KeyError):
            refused("within")
        with store.savepoint():
            values.put("kept", b"")
        values.put("after", b"")
    with pytest.raises(KeyError):
        refused("alone")
    assert sorted(values.keys("")) == ["after", "before", "kept"]


def test_a_transaction_reads_once_what_it_asks_for_again_until_something_changes_it(opened: Open) -> None:
    store, asked = opened(), list[str]()
    users = EnteredUsers(store)

    def look(eui: str) -> bool:
        asked.append(eui)
        return store.row("SELECT * FROM users WHERE eui = ?", (eui,)) is not None

    def taken_back() -> None:
        with store.savepoint():
            users.enter(OTHER, [UserRole.IS])
            assert store.once("users", str(OTHER), look)
            raise KeyError

    with store.transaction():
        assert [store.once("users", str(USER), look) for _ in range(2)] == [False, False]
        assert len(asked) == 1
        store.insert("customer_numbers", request="other", number="1")
        store.once("users", str(USER), look)
        assert len(asked) == 1
        users.enter(USER, [UserRole.IS])
        assert store.once("users", str(USER), look)
        with pytest.raises(KeyError):
            taken_back()
        assert not store.once("users", str(OTHER), look)
    before = len(asked)
    assert [store.once("users", str(USER), look) for _ in range(2)] == [True, True]
    assert len(asked) == before + 2
    with store.transaction():
        assert store.once("users", str(USER), look)


def test_a_row_that_is_rewritten_is_known_as_it_is_now_and_the_others_of_its_table_need_no_second_look(opened: Open) -> None:
    store = opened()
    values, asked = store.named("x/"), list[str]()

    def look(key: str) -> bytes:
        asked.append(key)
        return b"looked at"

    def put_and_taken_back() -> None:
        with store.savepoint():
            values.put("one", b"taken back")
            raise KeyError

    values.put("one", b"before")
    with store.transaction():
        store.once("store", "x/other", look)
        values.put("one", b"now")
        assert (values.get("one"), store.once("store", "x/other", look)) == (b"now", b"looked at")
        values.delete("one")
        assert values.get("one") is None
        assert asked == ["x/other"]
        values.put("one", b"at last")
        with pytest.raises(KeyError):
            put_and_taken_back()
        assert values.get("one") == b"at last"
    assert values.get("one") == b"at last"


def test_a_transaction_that_follows_sees_what_another_process_has_written_or_what_was_taken_back(opened: Open) -> None:
    store, asked = opened(), list[str]()

    def look(eui: str) -> str | None:
        asked.append(eui)
        row = store.row("SELECT suspended FROM users WHERE eui = ?", (eui,))
        return None if row is None else row["suspended"]

    def seen() -> str | None:
        with store.transaction():
            return store.once("users", str(USER), look)

    def taken_back() -> None:
        with store.transaction():
            EnteredUsers(store).suspend(USER, "taken back")
            assert store.once("users", str(USER), look) == "taken back"
            raise KeyError

    EnteredUsers(store).enter(USER, [UserRole.IS])
    assert [seen() for _ in range(3)] == [None, None, None]
    assert len(asked) in (1, 3)  # of several processes each may have written meanwhile
    with contextlib.closing(DccStore(store.path, owner=False)) as beside:
        EnteredUsers(beside).suspend(USER, "by another process")
    assert seen() == "by another process"
    with pytest.raises(KeyError):
        taken_back()
    assert seen() == "by another process"
    EnteredUsers(store).suspend(USER, None)
    assert seen() is None


def test_of_a_table_no_more_rows_are_kept_than_there_is_room_for(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.dcc.base.store._KEPT", 2)
    store, asked = opened(), list[str]()
    with store.transaction():
        for key in ("a", "b", "b", "c", "c", "a"):
            store.once("users", key, asked.append)
    assert asked == ["a", "b", "c", "a"]


def test_a_transaction_is_all_or_nothing_and_what_is_committed_outlives_the_process(opened: Open) -> None:
    store = opened()
    values = store.named("x/")

    def taken_back() -> None:
        with store.transaction():
            values.put("1", b"a")
            with store.transaction():
                values.put("2", b"b")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taken_back()
    assert values.keys("") == []
    with store.transaction():
        values.put("1", b"a")
        values.put("1", b"\x00b")
        values.put("Z", b"")
        values.put("a%?'", b"")
    store.close()
    again = opened().named("x/")
    assert (again.get("1"), again.keys("")) == (b"\x00b", ["1", "Z", "a%?'"])
    again.delete("1")
    assert again.get("1") is None


def test_counters_have_all_their_64_bits(opened: Open) -> None:
    counters = OriginatorCounters(opened(), 1000)
    assert [counters.next(USER), counters.next(USER)] == [1000, 1001]
    counters.saw(USER, LARGEST_COUNTER - 1)
    counters.saw(USER, 5)
    assert counters.next(USER) == LARGEST_COUNTER


def test_a_request_lives_its_life_and_is_found_by_each_question(opened: Open) -> None:
    store, now = opened(), 10.0
    requests = Requests(store, lambda: now)
    requests.accept("b", USER, METER, "4.1.1", b"<r/>", received=2.0)
    requests.accept("a", USER, METER, "4.1.1", b"<r/>", received=1.0)
    requests.move("b", RequestEvent.POST, command=b"\x01", command_id="c", deadline=9.0, chf=str(HUB), sequence=1)
    requests.move("b", RequestEvent.RESPOND, response=b"\x02")
    found = requests.get("b")
    assert (found.state, found.command, found.response, found.chf, found.sequence) == (RequestState.RESPONDED, b"\x01", b"\x02", HUB, 1)
    assert [one.name for one in requests.all()] == ["b", "a"], "in the order in which they came"
    assert [one.name for one in requests.all(USER, since=1.5)] == ["b"]
    assert [one.name for one in requests.in_state(RequestState.ACCEPTED, user=USER)] == ["a"]
    assert requests.of_command("c") == found
    assert requests.arrivals() == (("4.1.1", 1.0), ("4.1.1", 2.0))
    assert [one.name for one in requests.clocked(0.0, 5.0, (RequestState.ACCEPTED,))] == ["b"]
    before = requests.fingerprint(USER)
    requests.forget("a")
    assert requests.fingerprint(USER) != before
    revision = store.revision()
    requests.draw_number("b", "0042")
    assert store.revision() != revision
    assert requests.drawn_number("b") == "0042"


def test_registration_inventory_outbox_and_thresholds_say_the_same(opened: Open) -> None:
    store = opened()
    for package in PACKAGES:
        create_tables(store, package)
    register = Registration(store)
    register.register("1100000000001", UserRole.IS, USER, 1.0)
    register.register("1100000000001", UserRole.IS, OTHER, 5.0)
    assert [user for _, _, user in register.all_at(3.0)] == [USER]
    assert [user for _, _, user in register.all_at(7.0)] == [OTHER]
    inventory = Inventory(store, lambda: 1000.0)
    inventory.certify(DeviceType.CHF, "M", "A", "00000001")
    inventory.pre_notify(HUB, DeviceType.CHF, manufacturer="M", model="A", firmware="00000001")
    assert [one.eui for one in inventory.devices()] == [HUB]
    outbox = PushOutbox(store, lambda: 3.0)
    numbers = [outbox.put(USER, "h", "I0", b"<x/>", request=None, due=due) for due in (9.0, 4.0)]
    first = outbox.first(USER)
    assert first is not None
    assert (first.number, first.xml) == (numbers[1], b"<x/>")
    assert [one.number for one in outbox.all(USER)] == numbers
    addresses = ReceivingAddresses(store)
    addresses.set(None, "http://a")
    addresses.set(USER, "http://b")
    assert (addresses.of(USER), addresses.of(OTHER)) == ("http://b", "http://a")
    thresholds = AnomalyThresholds(store)
    thresholds.agree(USER, "4.1.1", 2, 60.0)
    thresholds.agree(USER, "4.1.1", 3, 60.0)
    store.execute(
        "INSERT OR REPLACE INTO major_incidents (incident, declared, responsible_manager, dcc_manager) VALUES (?, ?, ?, ?)",
        (1, 2.0, "a", "b"),
    )
    store.execute("UPDATE major_incidents SET report = 'x'")
    store.execute(
        "INSERT OR REPLACE INTO major_incidents (incident, declared, responsible_manager, dcc_manager) VALUES (?, ?, ?, ?)",
        (1, 3.0, "a", "b"),
    )
    row = store.row("SELECT * FROM major_incidents")
    assert row is not None
    assert (row["declared"], row["report"]) == (3.0, None), "what is replaced is gone as a whole"


def _statements() -> Iterator[tuple[str, str]]:
    """Every whole statement that the rules have, with its file."""
    begins = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b.*\b(FROM|INTO|SET)\b", re.DOTALL)
    for folder in ("dcc", "sec", "ssi"):
        for path in sorted((ROOT / "hil" / folder).rglob("*.py")):
            if path.name == "postgres.py":
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            whole = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in whole and begins.match(node.value):
                    yield str(path.relative_to(ROOT)), node.value


def test_postgresql_understands_every_statement_of_the_rules(postgresql: str) -> None:
    store = DccStore(Path(place_in(postgresql, "statements")))
    for package in PACKAGES:
        create_tables(store, package)
    database = store._file
    assert isinstance(database, PostgresDatabase)
    tried, wrong = 0, []
    for file, statement in _statements():
        text = statement
        if (found := re.search(r"INSERT OR (\w+) INTO (\w+)", text)) is not None:
            text = database._without_conflict(text, found[1], found[2])
        first, *others = translated(text).split("%s")
        words = (first + "".join(f"${number}{one}" for number, one in enumerate(others, 1))).replace("%%", "%")
        tried += 1
        try:
            database.connection.execute(f"PREPARE tried AS {words}".encode())
            database.connection.execute("DEALLOCATE tried")
        except psycopg.Error as error:
            wrong.append(f"{file}: {statement}: {error}")
    store.close()
    assert not wrong, "\n".join(wrong)
    assert tried > 150


def test_a_database_that_is_not_there_or_is_something_elses_is_one_line_without_its_password(postgresql: str) -> None:
    nowhere = "postgresql://chub:secret@127.0.0.1:1/none"
    assert "secret" not in without_password(nowhere)
    with pytest.raises(StoreTrouble, match="start the server, or name another database") as told:
        DccStore(Path(nowhere))
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
    place = place_in(postgresql, "foreign_one")
    with pytest.raises(NotAvailable, match="it is empty: name the store of a DCC that has run"):
        DccStore(Path(place), owner=False)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE TABLE invoices (number INTEGER)")
    with pytest.raises(NotAvailable, match="the store of something else"):
        DccStore(Path(place))
    later = place_in(postgresql, "later_one")
    DccStore(Path(later)).close()
    with psycopg.connect(later, autocommit=True) as connection:
        connection.execute("UPDATE form SET version = 999")
    with pytest.raises(NotAvailable, match="use a later release"):
        DccStore(Path(later))


def test_a_server_that_ends_the_connection_is_one_line_and_the_next_transaction_has_a_new_one(postgresql: str) -> None:
    place = place_in(postgresql, "ended_one")
    store = DccStore(Path(place))
    database = store._file
    assert isinstance(database, PostgresDatabase)
    assert database.lead()

    def cut() -> None:
        with store.transaction():
            store.named("x").put("1", b"a")
            with psycopg.connect(place, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (database.connection.info.backend_pid,))
            with pytest.raises(StoreTrouble):
                store.named("x").put("2", b"a")
            store.named("x").put("2", b"a")

    with pytest.raises(StoreTrouble, match="see the server's log"):
        cut()
    store.named("x").put("3", b"a")
    assert store.named("x").keys("") == ["3"]
    assert not store.leads, "who leads is found out again"
    store.close()


def test_of_two_processes_one_leads_each_hears_the_other_and_the_second_follows_when_the_first_is_gone(postgresql: str) -> None:
    place = Path(place_in(postgresql, "led_one"))
    first, second = DccStore(place), DccStore(place)
    one, two = first.companions, second.companions
    assert one is not None
    assert two is not None
    assert (one.lead(), two.lead(), first.leads, second.leads) == (True, False, True, False)
    assert len(one.members()) == 2
    first.close()
    assert two.lead()
    assert len(two.members()) == 1
    second.close()


@pytest.mark.asyncio
async def test_what_one_process_tells_is_heard_by_the_other_once_it_is_committed(postgresql: str) -> None:
    place = Path(place_in(postgresql, "heard_one"))
    first, second = DccStore(place), DccStore(place)
    heard: asyncio.Queue[str] = asyncio.Queue()
    own: list[str] = []
    assert first.companions is not None
    assert second.companions is not None
    first.companions.hear(own.append)
    second.companions.hear(heard.put_nowait)

    def taken_back() -> None:
        with first.transaction():
            first.tell("never")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taken_back()
    first.tell("hub 1")
    assert await heard.get() == "hub 1"
    assert own == []
    first.close()
    second.close()
