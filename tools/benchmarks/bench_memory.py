"""Memory of a home and a DCC over many messages: each alone, or both in this process; the slope over the later two thirds.

Alone, the other end of the SM WAN is as small as it can be, so that 50,000 requests are cheap and what grows is the part's own. For the
home it is a channel that posts one Command again and again, each time under its next counter and with its own MAC. For the DCC it is a
channel behind which a meter without a HAN answers at once.
"""

import asyncio
import contextlib
import gc
import logging
import math
import os
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from statistics import linear_regression

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks.timing import Timing, report
from firmware_emu.board import Board, DeviceTable, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_mac
from firmware_emu.han.base import HanRadio
from firmware_emu.hub.from_board import parties_of
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan
from hil.bench.dcc_board import dcc_of, prepare, user_of
from hil.bench.keys import load_keys
from hil.bench.station import Station, open_station
from hil.dcc.dcc import Dcc
from hil.dcc.parties.users import User
from hil.devices.base.han_device import HanDevice
from hil.devices.base.place import Place
from hil.devices.esme.esme import Esme
from hil.journeys.demo import need
from hil.journeys.strategy import State, Strategy
from hil.radio.nodes.memory_han import Han, MemoryNode, MemoryRadio

SAMPLES = 60
LEAST_SAMPLES = 6
MOST_BETWEEN = 500
"""Requests between two samples at most, so that a measurement which ends by the clock has enough of them."""
READING = "4.1.1"
ANSWERED_WITHIN_S = 120.0
"""Bench seconds that a Command may take at the home; the bench's own figure."""
SLOPE_BUDGET = 100.0
"""Octets a request under which there is no slope: 50,000 requests are then within 5 MB, which the allocator's own pools move."""
PAUSE_S = 1.0
"""Bench seconds between two requests: on the warp clock none would pass, and what a layer remembers for some seconds would never go."""
LARGEST = 8
"""Places of the code that are told with --where."""


def resident() -> int:
    """Octets of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def slope(samples: Sequence[tuple[int, int]]) -> float:
    """Octets a request, by least squares over the later two thirds of ``(requests, octets)``: what is filled once is full by then."""
    later = samples[len(samples) // 3 :]
    return linear_regression([count for count, _ in later], [octets for _, octets in later]).slope


Ask = Callable[[], Awaitable[None]]
"""One request and its answer. Raises StepFailed where there is none."""
Part = Callable[[Clock, Board, Path], AbstractAsyncContextManager[Ask]]
"""The part that is measured, with what asks it."""


@contextlib.asynccontextmanager
async def chain(clock: Clock, board: Board, folder: Path) -> AsyncIterator[Ask]:
    """Home and DCC: a service request of the user, its Command, its Response."""
    async with open_station(board, clock, Trace(clock.now), folder) as station:
        await Strategy(station).reach(State.COMMISSIONED)
        yield lambda: _read(station.dcc, station.supplier, board)


async def _read(dcc: Dcc, user: User, board: Board) -> None:
    need(await dcc.send(user, dcc.request(user, READING, board.device[0].eui)))
    user.inbox.clear()  # a user keeps what it likes: here nothing


@contextlib.asynccontextmanager
async def home(clock: Clock, board: Board, folder: Path) -> AsyncIterator[Ask]:
    """Hub, dongle and meter on the air: the DCC that commissioned them is closed, its end of the SM WAN posts a Command again and again."""
    async with open_station(board, clock, Trace(clock.now), folder) as station:
        yield await _alone(station)


@contextlib.asynccontextmanager
async def memory_home(clock: Clock, board: Board, folder: Path) -> AsyncIterator[Ask]:
    """The same hub and meter, with a HAN in memory."""
    station = HanInMemory(board, clock, folder)
    try:
        await station.bring_up()
        yield await _alone(station)
    finally:
        await station.tear_down()


async def _alone(station: Station) -> Ask:
    board = station.board
    await Strategy(station).reach(State.COMMISSIONED)
    await _read(station.dcc, station.supplier, board)
    command = next(one.command for one in station.dcc.requests.all() if one.variant == READING)
    assert command is not None, "it was answered"
    memory, far_end = MemoryStore(), station.dcc.store.named("headend/")
    for name in far_end.keys("wan/"):
        memory.put(name, far_end.get(name) or b"")
    await station.dcc.close()
    z = station.keystore.shared_secret(board.parties.access_control_broker, board.device[0].eui)
    return Pen(station.clock, station.dcc_wan, memory, str(board.hub.chf), Message.decode(command), z).ask


class HanInMemory(Station):
    """A station whose hub and meter hand each other their frames: no dongle, no air."""

    def __init__(self, board: Board, clock: Clock, folder: Path) -> None:
        super().__init__(board, clock, Trace(clock.now), folder, load_keys(board), board.seed)
        self.han = Han()

    def _coordinator(self) -> HanRadio:
        return MemoryRadio(self.han, self.board.hub.gpf)

    async def _device(self, row: DeviceTable) -> HanDevice:
        node = MemoryNode(self.han, row.eui)
        made = Esme.from_board(Place(row, self.keystore, node, self.clock, self.trace, parties_of(self.board, Esme.device_type)))
        await made.start()
        return made


class Pen:
    """The DCC's end of the SM WAN without a DCC: ``command`` again and again, each time under its next counter and with its own MAC."""

    def __init__(self, clock: Clock, link: WanLink, memory: MemoryStore, name: str, command: Message, z: bytes) -> None:
        self.command, self.z = replace(command, mac=None), z
        self.answered = asyncio.Event()
        self.channel = WanChannel(
            link, memory, clock, side=WanSide.DCC, name=name, trace=Trace(clock.now), on_frame=self._take, on_hello=lambda _: None
        )
        self.life = asyncio.create_task(self.channel.run())

    def _take(self, frame: WanFrame) -> None:
        if frame.kind is WanKind.MESSAGE and Message.decode(frame.body).header.counter == self.command.header.counter:
            self.answered.set()

    async def ask(self) -> None:
        header = self.command.header
        self.command = replace(self.command, header=replace(header, counter=header.counter + 1))
        self.answered.clear()
        self.channel.post(WanKind.MESSAGE, with_mac(self.command, self.z).encode())
        await asyncio.wait_for(self.answered.wait(), ANSWERED_WITHIN_S)


@contextlib.asynccontextmanager
async def dcc(clock: Clock, board: Board, folder: Path) -> AsyncIterator[Ask]:
    """The DCC and its user: behind a hub's end of the SM WAN a meter without a HAN answers at once."""
    trace, keystore, row = Trace(clock.now), load_keys(board), board.device[0]
    parties = parties_of(board, DeviceType.ESME)
    meter = Esme.from_board(Place(row, keystore, MemoryNode(Han(), row.eui), clock, trace, parties))
    wan, memory = MemoryWan(clock), MemoryStore()

    def take(frame: WanFrame) -> None:
        for message in meter.gbcs.receive(frame.body):
            hub.post(WanKind.MESSAGE, message)

    hub = WanChannel(
        wan.hub,
        memory,
        clock,
        side=WanSide.HUB,
        name="dcc",
        trace=trace,
        hello=lambda: Hello(board.hub.chf, board.hub.gpf, 1),
        on_frame=take,
    )
    far_end, user = dcc_of(board, keystore, clock, trace, folder / "dcc.sqlite"), user_of(board, "supplier", keystore)
    prepare(far_end, board)
    far_end.add_user(user)
    await far_end.start()
    far_end.attach_hub(wan.dcc, board.hub.chf)
    life = asyncio.create_task(hub.run())
    try:
        yield lambda: _read(far_end, user, board)
    finally:
        life.cancel()
        await far_end.close()


PARTS: Mapping[str, Part] = {"chain": chain, "home": home, "memory-home": memory_home, "dcc": dcc}


async def measure(
    part: Part, clock: Clock, board: Board, folder: Path, requests: int, minutes: float, where: bool
) -> tuple[list[tuple[int, int]], list[str]]:
    """``(requests so far, octets in memory)``, and where what was added lies. Raises StepFailed where a request is not answered."""
    samples, found = [], list[str]()
    until = time.monotonic() + minutes * 60
    async with part(clock, board, folder) as ask:
        every = min(MOST_BETWEEN, max(1, requests // SAMPLES))
        before = None
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("requests", total=requests)
            for count in range(1, requests + 1):
                await ask()
                await clock.sleep(PAUSE_S)
                if count % every == 0:
                    samples.append((count, resident()))
                    progress.update(task, completed=count)
                    if time.monotonic() > until and len(samples) >= LEAST_SAMPLES:
                        break
                if where and count == requests // 3:
                    tracemalloc.start(4)
                    before = tracemalloc.take_snapshot()
        if before is not None:
            grown = tracemalloc.take_snapshot().compare_to(before, "lineno")
            found = [str(one) for one in grown[:LARGEST]]
    return samples, found


@click.command()
@click.option(
    "--part",
    type=click.Choice(list(PARTS)),
    default="chain",
    show_default=True,
    help="Home and DCC, or one of them alone; memory-home: its HAN is in memory, without dongle and air.",
)
@click.option("--requests", type=click.IntRange(30), default=50_000, show_default=True, help="Requests to the meter, whole chain.")
@click.option("--minutes", type=float, default=math.inf, help="End after so many, with the requests that were made by then.")
@click.option("--where", is_flag=True, help="Also tell which lines hold what was added (slower).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def benchmark(part: str, requests: int, minutes: float, where: bool, as_json: bool) -> None:
    """Growth of hub, meter and DCC with the messages that pass: octets in memory over so many requests and their answers.

    One home of a hub and an electricity meter with its DCC in this process, everything virtual, on the warp clock. The user keeps no
    answer. Each request is a message down and one up at the home: 25,000 are 50,000 messages.
    """
    logging.disable(logging.CRITICAL)  # what the parts remark is in the trace
    board = load_board("simulated", ("service.in_service=true",) if part == "dcc" else ())
    board = board.model_copy(update={"device": board.device[:1]})
    clock = Clock(start=board.clock.start, warp=True)
    with tempfile.TemporaryDirectory() as folder:
        samples, found = clock.run(measure(PARTS[part], clock, board, Path(folder), requests, minutes, where))
    grown = slope(samples)
    mib = 1 << 20
    timings = [
        Timing("in memory after the first third", samples[len(samples) // 3][1] / mib, "MiB"),
        Timing("in memory at the end", samples[-1][1] / mib, "MiB"),
        Timing("slope", grown, "octets a request", budget=f"under {SLOPE_BUDGET:g}", met=grown < SLOPE_BUDGET),
    ]
    more: dict[str, object] = {"samples": samples, "where": found} if as_json else {}
    report(timings, as_json, {"board": board.name, "part": part, "requests": samples[-1][0], **more})
    if not as_json:
        for line in found:
            click.echo(line)
