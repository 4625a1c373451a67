"""A whole home on the warp clock, asked while things happen to it: hub and DCC killed at any await or write, faults of WAN, air and power,
serial line, clocks that step, stores that are full or wanted by a second process.

Every request that was accepted has an end, nothing is executed twice, no counter comes twice, no task dies unheard, and hub and meter
answer at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.trace import Record, Trace
from hil.attacks.siege.search import Mutation
from hil.bench.station import Station, open_station
from hil.dcc.base.requests import ANSWERED, RequestState
from hil.dcc.base.store import DccStore
from hil.dcc.dcc import Dcc
from hil.faults.faults import Faults
from hil.journeys.power_cuts import held_at_the_end
from hil.journeys.strategy import State, Strategy

REQUESTS: Final = (("4.1.1", True), ("8.9", False), ("4.1.1", True), ("7.4", True), ("8.9", False), ("4.1.1", True))
"""Variant, and True where it is for the meter, False for the hub."""
EVERY_S: Final = 10.0
WORK_S: Final = EVERY_S * len(REQUESTS)
SETTLES_S: Final = 120.0
"""After the last fault is cleared: time for the hub to boot, to find its network and its DCC."""
END_S: Final = 3 * 86_400.0
"""Seconds by which a request has its end: the DCC waits a day for a Device, and begins anew when it was killed."""
ENDS: Final = {*ANSWERED, RequestState.UNANSWERED, RequestState.REFUSED, RequestState.CANCELLED, RequestState.DISCARDED}
_SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    "wan": (
        "wan lost in {at}s for {some}s",
        "wan cut in {at}s",
        "wan drop 30% in {at}s for {some}s",
        "wan duplicate 50% in {at}s for {some}s",
        "wan reorder 2s in {at}s for {some}s",
        "wan corrupt 10% in {at}s for {some}s",
    ),
    "air": ("han drop 30% in {at}s for {some}s", "han duplicate 50% in {at}s for {some}s", "han reorder in {at}s for {some}s"),
    "line": ("tty drop 10% in {at}s for {some}s", "tty corrupt 10% in {at}s for {some}s", "tty duplicate 10% in {at}s for {some}s"),
    "write": ("nvm torn at {some}th write", "nvm cut at {some}th write"),
    "power": ("supply dip {some}s in {at}s", "mains lost in {at}s for {some}s"),
    "dongle": ("dongle reset in {at}s", "dongle unplugged in {at}s for {some}s", "dongle stuck in {at}s for {some}s"),
    "clock": (
        "clock skew 86400s in {at}s for {some}s",
        "clock skew 4000000000s in {at}s for {some}s",
        "clock skew 3s in {at}s for {some}s",
    ),
}
BOARD: Final = "simulated"


class Homes:
    """A home of a hub and a meter, made anew for each trial."""

    kinds = (*_SENTENCES, "hub dies", "DCC dies", "owner", "full")

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        board = load_board(BOARD)
        board = board.model_copy(update={"device": board.device[:1]})
        clock = Clock(start=board.clock.start, warp=True)
        trace, records = Trace(clock.now), list[Record]()
        trace.subscribe(records.append)

        async def main(folder: Path) -> str | None:
            async with open_station(board, clock, trace, folder, seed=1) as station:
                return await _Trial(station, records, changes).run()

        disabled = logging.root.manager.disable
        logging.disable(logging.CRITICAL)  # what the parts remark of their faults is in the trace
        try:
            with TemporaryDirectory(prefix="chub-siege-") as folder:
                return clock.run(main(Path(folder)))
        finally:
            logging.disable(disabled)


class _Trial:
    """One home, what happens to it, and what is true after it."""

    def __init__(self, station: Station, records: list[Record], changes: Sequence[Mutation]) -> None:
        self._station = station
        self._records = records
        self._changes = changes
        self._asked: list[str] = []
        self._crashes: list[str] = []
        self._ended: list[Dcc] = []

    async def run(self) -> str | None:
        station = self._station
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: self._crashes.append(f"{context['message']}: {context.get('exception')!r}")
        )
        strategy = Strategy(station)
        await strategy.reach(State.COMMISSIONED)
        faults = Faults(station, 1)
        for change in self._changes:
            if change.kind in _SENTENCES:
                sentences = _SENTENCES[change.kind]
                at, some = round(change.place * WORK_S, 1), 1 + (change.number >> 4) % 20
                faults.add(sentences[change.number % len(sentences)].format(at=at, some=some).replace("1th", "1st", int(some == 1)))
        acts = [asyncio.create_task(self._act(change)) for change in self._changes if change.kind not in _SENTENCES]
        asking = []
        for variant, of_meter in REQUESTS:
            asking.append(asyncio.create_task(self._ask(variant, of_meter)))
            await station.clock.sleep(EVERY_S)
        await asyncio.gather(*acts)
        await faults.close()
        await station.clock.sleep(SETTLES_S)
        await self._told_deaths()
        broken = await self._recovered()
        if broken is not None:
            return broken
        with contextlib.suppress(CommsHubError):
            await station.until("the ends", lambda: all(self._state(name) in (None, *ENDS) for name in self._asked), END_S, every_s=60)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return next(self._broken(), None)

    def _state(self, name: str) -> RequestState | None:
        return self._station.dcc.requests.state(name)

    async def _ask(self, variant: str, of_meter: bool) -> None:
        """One request; it may end with the DCC that it was sent to, whose store then says what became of it."""
        station, dcc, board = self._station, self._station.dcc, self._station.board
        try:
            request = dcc.request(station.supplier, variant, board.device[0].eui if of_meter else board.hub.chf)
            self._asked.append(str(request.request_id))
            await dcc.send(station.supplier, request, wait_s=600)
        except CommsHubError:
            return
        except Exception as crash:
            if dcc not in self._ended:
                self._crashes.append(f"a request of {variant}: {crash!r}")

    async def _act(self, change: Mutation) -> None:
        station = self._station
        await station.clock.sleep(change.place * WORK_S)
        match change.kind:
            case "hub dies":
                if station.hub is not None:
                    station.hub_dies(lambda: None, 1 + change.number % 5)
            case "DCC dies":
                self._ended.append(station.dcc)
                while not await self._dcc_starts():
                    await station.clock.sleep(1)
            case "owner":
                opened = SqliteStore if change.number % 2 else DccStore
                with contextlib.suppress(CommsHubError):
                    opened(station.folder / ("hub.sqlite" if change.number % 2 else "dcc.sqlite")).close()
                    if change.number % 2 == 0 or station.hub is not None:
                        self._crashes.append("a second process owns a store whose owner lives")
            case "full":
                with _full(station.folder / "hub.sqlite-wal", change.number % 8192):
                    await station.clock.sleep(1 + change.number % 5)

    async def _dcc_starts(self) -> bool:
        """False where the next DCC is told in a line why it cannot start: its medium is full, and somebody starts it again."""
        try:
            await self._station.restart_dcc()
        except NotAvailable:
            return False
        return True

    async def _told_deaths(self) -> None:
        """A hub that ended by itself has told why; somebody switches it off and on."""
        station = self._station
        if station.hub is None and station.hub_trouble is not None:
            station.hub_trouble = None
            await station.jig.supply.output(False)
            await station.clock.sleep(1)
            await station.power_up()
            await station.clock.sleep(SETTLES_S)

    async def _recovered(self) -> str | None:
        """Hub and meter answer, at the latest at the third asking: the meter may need a moment to find its network."""
        station = self._station
        if station.hub is None:
            return f"the hub is dead and told: {station.hub_trouble}"
        for target, variant in ((station.board.hub.chf, "8.9"), (station.board.device[0].eui, "4.1.1")):
            why = ""
            for _try in range(3):
                outcome = await station.ask(station.supplier, variant, target, wait_s=600)
                if outcome.ok:
                    break
                why = outcome.why
                await station.clock.sleep(600)
            else:
                return f"an honest {variant} is not answered any more: {why}"
        return None

    def _broken(self) -> Iterator[str]:
        yield from self._crashes
        for name in self._asked:
            if (state := self._state(name)) is not None and state not in ENDS:
                yield f"request {name} stays {state}"
        yield from held_at_the_end(self._station, self._records)


@contextlib.contextmanager
def _full(log: Path, room: int) -> Iterator[None]:
    """No file of this process grows beyond what the log is now and ``room`` octets; where two of them overlap, until one ends."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((log.stat().st_size if log.exists() else 0) + room, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
