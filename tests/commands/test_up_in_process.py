"""``chub dcc up`` and what looks at it, without a process of its own: places, settings, faults, receivers, the outbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.bench.far_end import VISIT
from hil.bench.standing_dcc import Places, seeded
from hil.commands.dcc import up
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.service.faults import PATTERNS, BoundaryFaults
from hil.dcc.service.outbox import PushOutbox, ReceivingAddresses

USER = Eui64.parse("90b3d51f30010000")


class Reached(Exception):
    """The command has got as far as to open its DCC."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Places, Any]]:
    """Arguments that ``up`` makes of its words: its places, and the DCC's settings."""
    seen: dict[str, Any] = {}

    def places(**given: Any) -> Places:
        seen["places"] = Places(**given)
        return seen["places"]

    @asynccontextmanager
    async def no_dcc(bench: object, store: Path, clock: object, trace: object, settings: object) -> AsyncIterator[None]:
        seen["settings"] = settings
        raise Reached
        yield

    board = load_board("simulated")
    monkeypatch.setattr(up, "BenchKeys", SimpleNamespace(of=lambda keys, name: SimpleNamespace(board=board)))
    monkeypatch.setattr(up, "Places", places)
    monkeypatch.setattr(up, "open_far_end", no_dcc)

    def ask(*words: str) -> tuple[Places, Any]:
        done = CliRunner().invoke(up.up, ["--store", str(tmp_path / "dcc.sqlite"), *words])
        assert isinstance(done.exception, Reached), done.output
        return seen["places"], seen["settings"]

    return ask


def _places(hubs: str, service: int, smki: int, page: int, *, host: str = "127.0.0.1", tls: bool = False) -> Places:
    at, _, port = hubs.partition(":")
    return Places(host=host, hubs=(at, int(port)), service=service, smki=smki, page=page, tls=tls)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], _places("127.0.0.1:4059", 8079, 8083, 8765)),
        (["--port", "0"], _places("127.0.0.1:0", 0, 0, 0)),
        (["--port", "1"], _places("127.0.0.1:4059", 1, 8083, 8765)),
        (["--smki-port", "0", "--page-port", "0"], _places("127.0.0.1:4059", 8079, 0, 0)),
        (["--port", "0", "--smki-port", "5", "--page-port", "6"], _places("127.0.0.1:0", 0, 5, 6)),
        (["--hubs", "10.0.0.1:7", "--mtls", "--host", "::1"], _places("10.0.0.1:7", 8079, 8083, 8765, host="::1", tls=True)),
    ],
)
def test_a_dcc_listens_at_the_ports_that_its_help_names_and_at_any_where_the_first_is_any(
    asked: Callable[..., tuple[Places, Any]], words: list[str], expected: Places
) -> None:
    """8079 and 8083 are those of DCC Boxed (reference duis-gateway 1.1, 5); the other two stand in the help."""
    assert asked(*words)[0] == expected
    for port in (8079, 8083, 8765, 4059):
        assert str(port) in CliRunner().invoke(up.up, ["--help"]).output


def test_signatures_and_edition_are_as_the_board_says_but_where_a_word_says_otherwise(asked: Callable[..., tuple[Places, Any]]) -> None:
    own = asked()[1]
    assert asked("--no-signatures")[1].request_signatures == 0
    assert asked("--signatures")[1].request_signatures == 1
    assert asked("--edition", "2013")[1].edition_2013 == 1
    assert asked("--edition", "DUIS 5.4")[1].edition_2013 == 0
    assert (own.request_signatures, own.edition_2013) == (1, 0), "a board checks signatures, and follows the newest edition"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:1880/duis", "http://127.0.0.1:1880/duis"),
        ("http://a/b", "http://a/b"),
        ("https://a/b", "https://a/b"),
        ("ftp://a/b", None),
        ("http://", None),
        ("", None),
    ],
)
def test_an_address_is_a_url_with_or_without_its_scheme(text: str, url: str | None) -> None:
    if url is None:
        with pytest.raises(click.BadParameter, match="expected an address as http://127"):
            up.url_of(text)
    else:
        assert up.url_of(text) == url


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (f"{USER}=a:1/duis", (USER, "http://a:1/duis")),
        ("a:1/duis", (None, "http://a:1/duis")),
        ("http://a/duis?x=1", (None, "http://a/duis?x=1")),
        (f"{USER}=http://a/duis?x=1", (USER, "http://a/duis?x=1")),
    ],
)
def test_a_receiver_is_a_users_where_a_name_stands_before_the_address(text: str, taken: tuple[Eui64 | None, str]) -> None:
    receiver = up._Receiver()
    assert receiver.convert(text, None, None) == taken
    assert receiver.convert(taken, None, None) == taken


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"": True, "90b3": False}, "all others connected, 90b3 not connected"),
        ({}, "none"),
        ([], "none"),
        (["a", 2], "a; 2"),
        (True, "connected"),
        (7, "7"),
        ({"waiting": 3}, "waiting 3"),
    ],
)
def test_what_a_dcc_says_of_itself_is_put_in_words(value: object, words: str) -> None:
    assert up._plain(value) == words


def test_where_no_dcc_runs_status_says_how_to_start_one_and_the_others_refuse(tmp_path: Path) -> None:
    store = str(tmp_path / "none.sqlite")
    said = f"no DCC runs on {store}: start one with `chub dcc up --store {store}`"
    told = CliRunner().invoke(up.status, ["--store", store, "--json"])
    assert told.exit_code == 1
    assert json.loads(told.stdout) == {
        "running": False,
        "problems": [f"no DCC runs on {store}: start one with `chub dcc up --store {store}`"],
    }
    assert CliRunner().invoke(up.status, ["--store", store]).stdout == said + "\n"
    for command, words in ((up.down, []), (up.go, ["1h"]), (up.outbox, []), (up.faults, ["show"]), (up.receiver, ["show"])):
        done = CliRunner().invoke(command, [*words, "--store", store])
        assert "none runs there" in str(done.exception), command.name


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A command's visit to a DCC that has a store, faults and a clock, and nothing else."""
    store = DccStore(tmp_path / "dcc.sqlite")
    create_tables(store, "hil.dcc.service")
    clock = Clock(warp=True)
    told: list[object] = []
    hurried: list[float] = []

    async def hurry(span: float) -> None:
        hurried.append(span)

    found = SimpleNamespace(
        end=SimpleNamespace(
            dcc=SimpleNamespace(store=store, bus=SimpleNamespace(tell=told.append)),
            clock=SimpleNamespace(hurry=hurry, now=lambda: 0.0, datetime=clock.datetime),
        ),
        faults=BoundaryFaults(clock, Trace(clock.now), seeded(1)),
        health=lambda: {"hubs": {"a": True}, "problems": []},
        stop=lambda: told.append("stop"),
        told=told,
        hurried=hurried,
    )

    def carry_out(work: Coroutine[Any, Any, Any]) -> Any:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(work)
        finally:
            loop.close()

    found.carry_out = carry_out
    before = VISIT.set(found)  # type: ignore[arg-type]
    yield found
    VISIT.reset(before)
    store.close()


def _json(command: click.Command, *words: str) -> Any:
    done = CliRunner().invoke(command, [*words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_status_ends_with_one_where_something_is_wrong(visit: SimpleNamespace) -> None:
    store = ["--store", "x"]
    assert _json(up.status, *store) == {"running": True, "hubs": {"a": True}, "problems": []}
    assert CliRunner().invoke(up.status, store).stdout == "hubs: a connected\nproblems: none\n"
    visit.health = lambda: {"problems": ["no hub"]}
    done = CliRunner().invoke(up.status, store)
    assert (done.exit_code, done.stdout) == (1, "problems: no hub\n")


def test_a_fault_is_laid_on_shown_and_cleared_by_its_number(visit: SimpleNamespace) -> None:
    plain = "duis response twice"
    assert CliRunner().invoke(up.faults, ["add", "--store", "x", *plain.split()]).stdout == f"1: {plain}\n"
    assert CliRunner().invoke(up.faults, ["add", "--store", "x", *plain.split()]).stdout == f"2: {plain}\n"
    assert _json(up.faults, "show", "--store", "x") == [{"number": number, "sentence": plain, "effects": 0} for number in (1, 2)]
    assert CliRunner().invoke(up.faults, ["clear", "1", "--store", "x"]).exit_code == 0
    assert [one["number"] for one in _json(up.faults, "show", "--store", "x")] == [2]
    assert CliRunner().invoke(up.faults, ["clear", "--store", "x"]).exit_code == 0
    assert _json(up.faults, "show", "--store", "x") == []
    wrong = CliRunner().invoke(up.faults, ["add", "--store", "x", "no", "such", "fault"])
    assert wrong.exit_code == 2
    assert len(_json(up.faults, "sentences")) == len(PATTERNS)


def test_a_receiver_is_set_for_a_user_and_for_all_others_and_what_waits_hears_of_it(visit: SimpleNamespace) -> None:
    assert CliRunner().invoke(up.receiver, ["set", f"{USER}=a:1/duis", "--store", "x"]).stdout == f"{USER}: http://a:1/duis\n"
    assert CliRunner().invoke(up.receiver, ["set", "b:2/duis", "--store", "x"]).stdout == "all others: http://b:2/duis\n"
    shown = _json(up.receiver, "show", "--store", "x")
    assert sorted((row["user"], row["address"]) for row in shown) == sorted(
        [(str(USER), "http://a:1/duis"), ("all others", "http://b:2/duis")]
    )
    assert len(visit.told) == 2
    assert len(list(ReceivingAddresses(visit.end.dcc.store).all())) == 2


def test_the_outbox_tells_what_waits_for_whom_and_gives_one_document_whole(visit: SimpleNamespace) -> None:
    assert _json(up.outbox, "--store", "x") == []
    outbox = PushOutbox(visit.end.dcc.store, lambda: 3.0)
    first, second = (outbox.put(USER, "response", "I0", xml, request=None, due=9.0) for xml in (b"<one/>", b"<two/>"))
    rows = _json(up.outbox, "--store", "x")
    assert [(row["number"], row["user"], row["kind"], row["code"], row["request"], row["state"], row["attempts"]) for row in rows] == [
        (number, str(USER), "response", "I0", "", "waiting", 0) for number in (first, second)
    ]
    assert _json(up.outbox, "--store", "x", "--state", "delivered") == []
    assert CliRunner().invoke(up.outbox, ["--store", "x", "--xml", str(second)]).stdout == "<two/>\n"
    assert _json(up.outbox, "--store", "x", "--xml", str(first)) == [{"xml": "<one/>"}]


def test_time_is_hurried_by_the_span_that_is_named(visit: SimpleNamespace) -> None:
    assert set(_json(up.go, "1h30m", "--store", "x")) == {"time"}
    assert visit.hurried == [5400.0]
    assert CliRunner().invoke(up.go, ["soon", "--store", "x"]).exit_code == 2
    assert CliRunner().invoke(up.down, ["--store", "x"]).exit_code == 0
    assert visit.told == ["stop"]
