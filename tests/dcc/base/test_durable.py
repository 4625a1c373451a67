"""One wait for the medium for many commits, and nothing that leaves the DCC before it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import SqliteFile
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello
from firmware_emu.wan.virtual import memory_pair
from hil.dcc.base.store import Bus, DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.service.app import Durable
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.outbox import MessageState, PushOutbox, ReceivingAddresses
from hil.dcc.service.push import Pushed, Pusher
from hil.dcc.service.settings import service_settings
from hil.dcc.wan.headend import HeadEnd
from tests.databases import place_in

CHF, GPF, USER = (Eui64.parse(text) for text in ("00db1234567890a2", "00db1234567890a1", "90b3d51f30010000"))


@pytest.fixture(params=["sqlite", "postgresql"])
def batched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DccStore]:
    place = tmp_path / "dcc.sqlite"
    if request.param == "postgresql":
        place = Path(place_in(request.getfixturevalue("postgresql"), f"durable_{abs(hash(request.node.name))}"))
    store = DccStore(place)
    store.batch()
    yield store
    store.close()


class Medium:
    """Holds back each wait for the medium of a store until it is let go, and counts them."""

    def __init__(self, store: DccStore, patch: pytest.MonkeyPatch) -> None:
        self.waits, self.begun, self.go = 0, asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()
        self._real: Callable[[], None] = store._file.sync
        patch.setattr(store._file, "sync", self._sync)

    def _sync(self) -> None:
        self.waits += 1
        self._loop.call_soon_threadsafe(self.begun.set)
        self.go.wait()
        self._real()


def _fails(_: int) -> None:
    raise OSError(5, "Input/output error")


def _refuses() -> None:
    raise NotAvailable("the store", "no room")


async def _turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_many_commits_share_one_wait_and_those_that_come_during_it_share_the_next(
    batched: DccStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium, values = Medium(batched, monkeypatch), batched.named("x/")
    told: list[int] = []

    async def one(number: int) -> None:
        with batched.transaction():
            values.put(f"{number:02}", b"a")
        await batched.durable()
        told.append(number)

    first = asyncio.gather(*(one(number) for number in range(10)))
    await _turns()
    second = asyncio.gather(*(one(number) for number in range(10, 20)))
    await _turns()
    assert told == []
    medium.go.set()
    await asyncio.gather(first, second)
    assert sorted(told) == list(range(20))
    assert medium.waits <= 3
    assert len(values.keys("")) == 20


async def test_whoever_comes_in_the_instant_in_which_a_wait_ends_gets_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, ends = DccStore(tmp_path / "dcc.sqlite"), asyncio.Event()
    store.batch()
    store.named("x/").put("1", b"a")
    real = store._sync

    async def sync() -> None:
        await real()
        ends.set()

    monkeypatch.setattr(store, "_sync", sync)

    async def comes() -> None:
        await ends.wait()
        store.named("x/").put("2", b"a")
        await store.durable()

    late = asyncio.create_task(comes())
    await _turns()
    await store.durable()
    await late
    store.close()


async def test_where_a_warp_clock_leads_the_wait_is_right_there_and_none_comes_for_what_is_on_the_medium_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, waits = DccStore(tmp_path / "dcc.sqlite"), list[int]()
    if not isinstance(store._file, SqliteFile):
        pytest.skip("with --postgresql another process may have written, so it looks each time")
    store.batch(at_once=True)
    real = store._file.sync

    def sync() -> None:
        waits.append(threading.get_ident())
        real()

    monkeypatch.setattr(store._file, "sync", sync)
    for number in range(3):
        store.named("x/").put(str(number), b"a")
    await store.durable()
    await store.durable()
    assert waits == [threading.get_ident()]
    store.named("x/").put("3", b"a")
    await store.durable()
    assert len(waits) == 2
    store.close()


async def test_whoever_gives_up_waiting_takes_nothing_from_the_others(batched: DccStore, monkeypatch: pytest.MonkeyPatch) -> None:
    medium = Medium(batched, monkeypatch)
    batched.named("x/").put("1", b"a")
    one, other = asyncio.create_task(batched.durable()), asyncio.create_task(batched.durable())
    await _turns()
    one.cancel()
    medium.go.set()
    await other
    assert one.cancelled()


async def test_a_medium_that_fails_is_told_to_whoever_waits_and_nothing_is_written_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DccStore(tmp_path / "dcc.sqlite")
    if not isinstance(store._file, SqliteFile):
        pytest.skip("with --postgresql there is no file")
    store.batch()
    store.named("x/").put("1", b"a")

    monkeypatch.setattr(os, "fdatasync", _fails)
    for _ in range(2):
        with pytest.raises(NotAvailable, match="Input/output error at making it durable: see to the medium and start again"):
            await store.durable()
    monkeypatch.undo()

    def write() -> None:
        with store.transaction():
            store.named("x/").put("2", b"a")

    with pytest.raises(NotAvailable, match="start again"):
        write()
    store.close()


def test_a_server_that_breaks_off_before_it_was_durable_ends_the_store_and_after_it_does_not(postgresql: str) -> None:
    store = DccStore(Path(place_in(postgresql, "broken_off")))
    store.batch()
    for durable in (True, False):
        store.named("x/").put(str(durable), b"a")
        if durable:
            asyncio.run(store.durable())
        store._file.connection.close()  # type: ignore[attr-defined]
        if durable:
            assert store.named("x/").get("True") == b"a"
    with pytest.raises(NotAvailable, match="broke before the last commits were on its medium: start again"):
        store.named("x/").get("True")
    store.close()


async def test_no_frame_goes_to_a_hub_before_what_it_tells_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock = DccStore(tmp_path / "dcc.sqlite"), Clock()
    store.batch()
    medium = Medium(store, monkeypatch)
    hub, dcc = memory_pair(clock)
    head_end = HeadEnd(store, clock, Trace(clock.now), Bus())
    head_end.attach(dcc, CHF)
    head_end.post(CHF, b"command")
    await hub.connect()
    await hub.send(WanFrame(WanKind.HELLO, 7, Hello(CHF, GPF, 1).encode()))
    heard = asyncio.create_task(hub.receive())
    await medium.begun.wait()
    await _turns()
    assert not heard.done(), "TIME tells the epoch of an outbox that a power cut would take away"
    medium.go.set()
    assert (await heard).kind is WanKind.TIME
    assert (await hub.receive()).body == b"command"
    medium.go.clear()
    await hub.send(WanFrame(WanKind.MESSAGE, 1, b"alert"))
    heard = asyncio.create_task(hub.receive())
    await _turns()
    assert not heard.done(), "an acknowledgement before the frame is kept"
    medium.go.set()
    assert (await heard) == WanFrame(WanKind.ACKNOWLEDGE, 1)
    await head_end.close()
    store.close()


async def test_no_user_is_answered_before_what_it_is_told_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DccStore(tmp_path / "dcc.sqlite")
    store.batch()
    medium = Medium(store, monkeypatch)

    async def take(_: Request) -> Response:
        store.named("x/").put("1", b"a")
        return PlainTextResponse("kept")

    app = Durable(Starlette(routes=[Route("/", take)]), store)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dcc") as client:
        answer = asyncio.create_task(client.get("/"))
        await medium.begun.wait()
        await _turns()
        assert not answer.done()
        medium.go.set()
        assert (await answer).text == "kept"
        monkeypatch.setattr(store._file, "sync", _refuses)
        failed = await client.get("/")
        assert failed.status_code == 503
        assert "the store is not available: no room" in failed.text
    monkeypatch.undo()
    store.close()


def pushing(
    store: DccStore, clock: Clock, bus: Bus, outbox: PushOutbox, take: Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
) -> Pusher:
    """A pusher at work on one Response, whose user's receiving service is ``take``."""
    trace, addresses = Trace(clock.now), ReceivingAddresses(store)
    addresses.set(USER, "http://user")
    faults = BoundaryFaults(clock, trace, lambda _: lambda: 0.0)
    client = httpx.AsyncClient(transport=httpx.MockTransport(take))
    pusher = Pusher(bus, outbox, addresses, service_settings(), clock, trace, faults, client=client)
    outbox.put(USER, "h", "I0", b"<Response/>", request=None, due=0.0)
    pusher.start()
    return pusher


async def test_nothing_is_pushed_before_it_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock = DccStore(tmp_path / "dcc.sqlite"), Clock()
    create_tables(store, "hil.dcc.service")
    store.batch()
    medium = Medium(store, monkeypatch)
    taken, over = [], asyncio.Event()

    async def take(request: httpx.Request) -> httpx.Response:
        taken.append(request.content)
        over.set()
        return httpx.Response(204)

    pusher = pushing(store, clock, Bus(), PushOutbox(store, clock.now), take)
    await medium.begun.wait()
    await _turns()
    assert taken == []
    medium.go.set()
    await over.wait()
    assert taken == [b"<Response/>"]
    await pusher.close()
    store.close()


class Endless(httpx.AsyncByteStream):
    """A body that goes on far beyond what anybody asked for."""

    def __init__(self) -> None:
        self.pieces = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.pieces < 10_000:
            self.pieces += 1
            yield bytes(4096)


async def test_of_an_answer_of_a_receiving_service_no_more_is_read_than_a_limit(tmp_path: Path) -> None:
    store, clock, body, over = DccStore(tmp_path / "dcc.sqlite"), Clock(), Endless(), asyncio.Event()
    create_tables(store, "hil.dcc.service")

    async def take(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=body)

    bus, outbox = Bus(), PushOutbox(store, clock.now)
    bus.on(Pushed, lambda _: over.set())
    pusher = pushing(store, clock, bus, outbox, take)
    await over.wait()
    assert outbox.count(MessageState.DELIVERED) == 1
    assert body.pieces < 100
    await pusher.close()
    store.close()
