"""The stored channel, killed between any two frames and at any commit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.clock import Clock
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.errors import CommsHubError, WanError
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import PassingLink, WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan

CHF = Eui64.parse("00db1234567890a2")
GPF = Eui64.parse("00db1234567890a3")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process died here."""


class Life:
    """Counts the places at which a process can die, and dies at one of them."""

    def __init__(self, dies_after: int) -> None:
        self.left = dies_after

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    def before_commit(self, path: Path) -> None:
        self.step()

    def after_commit(self, path: Path) -> None:
        self.step()


class MortalLink(PassingLink):
    """A link whose process may die before or after each frame."""

    def __init__(self, link: WanLink, life: Life) -> None:
        super().__init__(link)
        self._life = life

    async def send(self, frame: WanFrame) -> None:
        self._life.step()
        await self._link.send(frame)
        self._life.step()

    async def receive(self) -> WanFrame:
        frame = await self._link.receive()
        self._life.step()
        return frame


class Process:
    """One end that keeps what it receives, and can be run again and again over the same file."""

    def __init__(self, side: WanSide, link: WanLink, path: Path, clock: Clock) -> None:
        self.side, self.link, self.path, self.clock = side, link, path, clock
        with contextlib.closing(SqliteStore(path)):
            pass

    async def live(self, dies_after: int, posts: list[bytes] | None = None) -> None:
        """Post what is left of ``posts``, exchange until death."""
        life = Life(dies_after)
        store = SqliteStore(self.path, life)

        def keep(frame: WanFrame) -> None:
            store.put(f"kept/{len(store.keys('kept/')):06d}", frame.body)

        channel = WanChannel(
            MortalLink(self.link, life),
            store,
            self.clock,
            side=self.side,
            name="peer",
            trace=Trace(self.clock.now),
            hello=(lambda: Hello(CHF, GPF, 0)) if self.side is WanSide.HUB else None,
            on_frame=keep,
        )
        try:
            for body in (posts or [])[len(store.keys("posted/")) :]:
                with store.transaction():
                    store.put(f"posted/{len(store.keys('posted/')):06d}", b"")
                    channel.post(WanKind.MESSAGE, body)
            await channel.run()
        except (Killed, CommsHubError):
            assert life.left <= 0  # the second: another task of the dead process met the closed store
        finally:
            store.close()

    def kept(self) -> list[bytes]:
        with contextlib.closing(SqliteStore(self.path)) as store:
            return [store.get(key) or b"" for key in store.keys("kept/")]


@settings(max_examples=60, deadline=None)
@given(hub_lives=st.lists(st.integers(1, 30), max_size=6), dcc_lives=st.lists(st.integers(1, 30), max_size=6), count=st.integers(0, 5))
@pytest.mark.requirement("CH-03")
@pytest.mark.requirement("CH-15")
def test_whatever_dies_between_two_frames_each_message_arrives_once_in_order_and_unaltered(
    tmp_path_factory: pytest.TempPathFactory,
    hub_lives: list[int],
    dcc_lives: list[int],
    count: int,
) -> None:
    folder = tmp_path_factory.mktemp("kill")
    clock = Clock(start=START, warp=True)
    up = [f"up {number}".encode() for number in range(count)]
    down = [f"down {number}".encode() for number in range(count)]

    async def main() -> tuple[list[bytes], list[bytes]]:
        wan = MemoryWan(clock, latency_s=0.01)
        hub = Process(WanSide.HUB, wan.hub, folder / "hub.db", clock)
        dcc = Process(WanSide.DCC, wan.dcc, folder / "dcc.db", clock)

        async def lives(process: Process, spans: list[int], posts: list[bytes]) -> None:
            for span in [*spans, 10**9]:
                await process.live(span, posts)

        tasks = [asyncio.create_task(lives(hub, hub_lives, up)), asyncio.create_task(lives(dcc, dcc_lives, down))]
        await clock.sleep(600)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return dcc.kept(), hub.kept()

    assert clock.run(main()) == (up, down)


def ends(
    clock: Clock,
    wan: MemoryWan,
    hub_store: Store,
    dcc_store: Store,
    hub_got: Callable[[WanFrame], None],
    dcc_got: Callable[[WanFrame], None],
    records: list[Record] | None = None,
) -> tuple[WanChannel, WanChannel]:
    trace = Trace(clock.now)
    if records is not None:
        trace.subscribe(records.append)
    hub = WanChannel(
        wan.hub, hub_store, clock, side=WanSide.HUB, name="dcc", trace=trace, hello=lambda: Hello(CHF, GPF, 3), on_frame=hub_got
    )
    dcc = WanChannel(wan.dcc, dcc_store, clock, side=WanSide.DCC, name=str(CHF), trace=trace, on_frame=dcc_got)
    return hub, dcc


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=START, warp=True))


@pytest.fixture
def wan(clock: Clock) -> MemoryWan:
    return MemoryWan(clock)


async def test_the_hub_learns_the_time_and_the_dcc_learns_who_it_is(clock: Clock, wan: MemoryWan) -> None:
    times: list[int] = []
    hellos: list[Hello] = []
    trace = Trace(clock.now)
    hub = WanChannel(
        wan.hub,
        MemoryStore(),
        clock,
        side=WanSide.HUB,
        name="dcc",
        trace=trace,
        hello=lambda: Hello(CHF, GPF, 3),
        on_frame=lambda _: None,
        on_time=times.append,
    )
    dcc = WanChannel(
        wan.dcc, MemoryStore(), clock, side=WanSide.DCC, name="hub", trace=trace, on_frame=lambda _: None, on_hello=hellos.append
    )
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(hub.run()), group.create_task(dcc.run())]
        await clock.sleep(5)
        assert (hub.in_use, dcc.in_use) == (True, True)
        for task in running:
            task.cancel()
    assert hellos == [Hello(CHF, GPF, 3)]
    assert times == [int((START - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())]


async def test_without_coverage_the_back_off_doubles_to_its_limit_and_the_outbox_waits(clock: Clock, wan: MemoryWan) -> None:
    records: list[Record] = []
    got: list[bytes] = []
    hub, dcc = ends(clock, wan, MemoryStore(), MemoryStore(), lambda _: None, lambda frame: got.append(frame.body), records)
    wan.coverage = False
    hub.post(WanKind.MESSAGE, b"waited")
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(dcc.run())]
    await clock.sleep(200)
    assert [record.detail["retry_s"] for record in records] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [frame.body for frame in hub.waiting()] == [b"waited"]
    wan.coverage = True
    await hub.drained()
    assert got == [b"waited"]
    for task in tasks:
        task.cancel()


async def test_a_far_end_that_lost_its_store_is_not_taken_for_a_repeat(clock: Clock, wan: MemoryWan) -> None:
    got: list[bytes] = []
    dcc_store = MemoryStore()
    for body in (b"before the reset", b"after the reset"):
        hub, dcc = ends(clock, wan, MemoryStore(), dcc_store, lambda _: None, lambda frame: got.append(frame.body))
        tasks = [asyncio.create_task(hub.run()), asyncio.create_task(dcc.run())]
        hub.post(WanKind.MESSAGE, body)
        await hub.drained()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert got == [b"before the reset", b"after the reset"]


class Swallowing(PassingLink):
    """A link that loses the first ``count`` frames of ``kind``."""

    def __init__(self, link: WanLink, kind: WanKind, count: int) -> None:
        super().__init__(link)
        self._kind, self._count = kind, count

    async def send(self, frame: WanFrame) -> None:
        if frame.kind is self._kind and self._count > 0:
            self._count -= 1
            return
        await self._link.send(frame)


@pytest.mark.parametrize("lost", [WanKind.MESSAGE, WanKind.ACKNOWLEDGE, WanKind.HELLO, WanKind.TIME])
async def test_a_frame_lost_in_an_open_connection_is_sent_again_and_delivered_once(clock: Clock, wan: MemoryWan, lost: WanKind) -> None:
    got: list[bytes] = []
    wan.hub, wan.dcc = Swallowing(wan.hub, lost, 2), Swallowing(wan.dcc, lost, 2)  # type: ignore[assignment]
    hub, dcc = ends(clock, wan, MemoryStore(), MemoryStore(), lambda _: None, lambda frame: got.append(frame.body))
    for number in range(3):
        hub.post(WanKind.MESSAGE, bytes([number]))
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(dcc.run())]
    await hub.drained()
    assert got == [b"\0", b"\1", b"\2"]
    for task in tasks:
        task.cancel()


async def test_a_frame_whose_keeping_fails_is_not_acknowledged_and_comes_again(clock: Clock, wan: MemoryWan) -> None:
    store, got = MemoryStore(), []

    def refuse(frame: WanFrame) -> None:
        store.put("half", frame.body)
        raise WanError("no room")

    hub, dcc = ends(clock, wan, MemoryStore(), store, lambda _: None, refuse)
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(dcc.run())]
    hub.post(WanKind.MESSAGE, b"x")
    await clock.sleep(10)
    assert [frame.body for frame in hub.waiting()] == [b"x"]
    assert store.get("half") is None
    tasks[1].cancel()
    _, dcc = ends(clock, wan, MemoryStore(), store, lambda _: None, lambda frame: got.append(frame.body))
    tasks[1] = asyncio.create_task(dcc.run())
    await hub.drained()
    assert got == [b"x"]
    for task in tasks:
        task.cancel()


class Contended(MemoryStore):
    """A store that another process has as well: it writes whenever this one has to wait for its transaction."""

    def __init__(self, other: Callable[[], None]) -> None:
        super().__init__()
        self._other: Callable[[], None] | None = other

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        if (other := self._other) is not None:
            self._other = None
            other()
        return super().transaction()


def test_a_frame_that_another_process_takes_at_the_same_time_is_handed_over_once(clock: Clock, wan: MemoryWan) -> None:
    taken: list[bytes] = []
    frame = WanFrame(WanKind.MESSAGE, 1, b"alert")
    store = Contended(lambda: channel._take(frame))
    _, channel = ends(clock, wan, MemoryStore(), store, lambda _: None, lambda one: taken.append(one.body))
    channel._take(frame)
    assert taken == [b"alert"]


def test_two_processes_that_draw_the_epoch_of_one_outbox_draw_the_same(clock: Clock, wan: MemoryWan) -> None:
    drawn: list[int] = []
    store = Contended(lambda: drawn.append(channel._epoch()))
    _, channel = ends(clock, wan, MemoryStore(), store, lambda _: None, lambda _: None)
    assert [channel._epoch()] == drawn


class Counting(MemoryStore):
    """A store that counts its transactions."""

    begun = 0

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        self.begun += 1
        return super().transaction()


async def test_what_is_posted_while_nothing_waits_is_on_its_way_and_what_waits_behind_it_can_be_withdrawn(
    clock: Clock, wan: MemoryWan
) -> None:
    got: list[bytes] = []
    store = Counting()
    hub, dcc = ends(clock, wan, MemoryStore(), store, lambda frame: got.append(frame.body), lambda _: None)
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(dcc.run())]
    await clock.sleep(5)
    begun = store.begun
    first, second = dcc.post(WanKind.MESSAGE, b"first"), dcc.post(WanKind.MESSAGE, b"second")
    assert [dcc.withdraw(one) for one in (first, second)] == [False, True]
    await dcc.drained()
    assert (got, store.begun - begun) == ([b"first"], 4)  # two of posts, two of looks
    with pytest.raises(KeyError), store.transaction():  # noqa: PT012 (the post is what is taken back)
        dcc.post(WanKind.MESSAGE, b"never")
        raise KeyError
    await clock.sleep(5)
    last = dcc.post(WanKind.MESSAGE, b"last")
    wan.cut()
    assert not dcc.withdraw(last)
    await dcc.drained()
    assert got == [b"first", b"last"]
    for task in tasks:
        task.cancel()


async def test_what_is_posted_without_a_connection_can_be_withdrawn_until_it_is_sent(clock: Clock, wan: MemoryWan) -> None:
    hub, dcc = ends(clock, wan, MemoryStore(), MemoryStore(), lambda _: None, lambda _: None)
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(dcc.run())]
    await clock.sleep(5)
    wan.coverage = False
    wan.cut()
    await clock.sleep(5)
    assert dcc.withdraw(dcc.post(WanKind.MESSAGE, b"never"))
    for task in tasks:
        task.cancel()
