"""The station of a conformance run: it notes what the connector did and when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import JigError, NotAvailable
from firmware_emu.han.base import HanRadio
from firmware_emu.hub.hub import Hub
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from hil.bench.keys import load_keys
from hil.bench.station import Station
from hil.radio.nodes.memory_han import Han, MemoryRadio
from ichis.bench_jig import BenchJig, open_jig
from ichis.bench_link import BenchLinkServer
from ichis.condition import Condition
from ichis.host import Host
from ichis.profile import InterfaceProfile


@dataclass(frozen=True, slots=True)
class ConnectorEvent:
    """Something the hub's end of the connector saw: ``power``, ``ac lost`` or ``host present``, at bench time ``time``."""

    time: float
    kind: str
    value: bool


class ConformanceStation(Station):
    """A station with the first ESME of the board only, so that outages concern somebody; nothing joins over the air."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        trace: Trace,
        folder: Path,
        keystore: Keystore,
        profile: InterfaceProfile,
        condition: Condition,
        *,
        han: Han | None = None,
        firmware: type[Hub] = Hub,
    ) -> None:
        """``han``: a HAN in memory in place of the board's dongle, for thousands of boots; a simulated jig's serial pair is so too."""
        meters = tuple(row for row in board.device if row.type == "ESME")[:1]
        super().__init__(board.model_copy(update={"device": meters}), clock, trace, folder, keystore, board.seed)
        self.profile, self.condition = profile, condition
        self.firmware = firmware
        self.events: list[ConnectorEvent] = []
        self._memory = None if han is None else MemoryRadio(han, board.hub.gpf)
        self._server: asyncio.Task[None] | None = None
        self._bench_jig: BenchJig | None = None

    @property
    def bench_jig(self) -> BenchJig:
        """The jig that the board names. Raises NotAvailable before it is open."""
        if self._bench_jig is None:
            raise NotAvailable("the jig", "it is not open")
        return self._bench_jig

    def _coordinator(self) -> HanRadio:
        return super()._coordinator() if self._memory is None else self._memory

    async def bring_up(self) -> None:
        made = self.jig
        in_memory = self._memory is not None
        self._bench_jig = await open_jig(self.board.jig, self.profile, self.clock, self.trace, self.condition, in_memory=in_memory)
        await made.close()
        self.jig = self.bench_jig  # type: ignore[assignment]
        self.host = Host(self.bench_jig, self.profile)
        await super().bring_up()
        self.bench_jig.hub_side.listen(host_present=lambda present: self._note("host present", present))
        self.dcc.pre_notify(self.board.hub.chf, DeviceType.CHF, gpf=self.board.hub.gpf)
        if self.dcc.inventory.device(self.board.hub.gpf) is None:
            self.dcc.pre_notify(self.board.hub.gpf, DeviceType.GPF)

    def _note(self, kind: str, value: bool) -> None:
        self.events.append(ConnectorEvent(self.clock.now(), kind, value))

    def _power(self, on: bool) -> None:
        self._note("power", on)
        super()._power(on)
        if self._server is not None:
            self._server.cancel()
            self._server = None
        if on:
            self._server = supervised(self._serve_bench_link(), "the bench link")

    def _ac_lost(self, lost: bool) -> None:
        self._note("ac lost", lost)
        super()._ac_lost(lost)

    async def _serve_bench_link(self) -> None:
        side = self.bench_jig.hub_side
        assert side.data is not None
        await BenchLinkServer(
            side.data,
            f"emulated hub {self.condition.told_eui or self.board.hub.chf}",
            lambda: self.bench_jig.pin_volts() * self.condition.hub_reading_gain,
            side.hold_space,
            self._console,
            self.condition,
        ).run()

    def _console(self, line: str) -> str:
        status = None if self.hub is None else self.hub.status
        if line.strip() == "status" and status is not None:
            return f"{status.power.value}, boot {status.boots} ({status.boot_reason.value})"
        return "known lines: status"

    async def _end_hub(self) -> None:
        """End the hub's life. How it ended (a full disk breaks its store) is recorded and does not keep the rest from being let go."""
        life, self._hub_life = self._hub_life, None
        if life is None:
            return
        life.cancel()
        await asyncio.wait({life})
        if not life.cancelled() and (wrong := life.exception()) is not None:
            self.trace.emit("hub", "hub", "failed", reason=str(wrong))

    async def tear_down(self) -> None:
        if self._server is not None:
            self._server.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._server
        if self._bench_jig is None:  # it did not open: the simulated one of every home is still there to be let go of
            await super().tear_down()
            return
        trouble: JigError | None = None
        try:
            await self.bench_jig.supply.output(False)
        except JigError as wrong:  # the rest is let go of all the same, and the caller hears of the supply
            trouble = wrong
            self.jig = _LetGo(self.bench_jig)  # type: ignore[assignment]
        await self._end_hub()
        await super().tear_down()
        if trouble is not None:
            raise JigError(f"the supply was told to switch off and did not confirm it: {trouble}")


class _LetGo:
    """A jig whose supply does not answer any more: what is left to do is to let go of it."""

    def __init__(self, jig: BenchJig) -> None:
        self._jig = jig
        self.supply = self
        self.hub_side = jig.hub_side
        self.pin_volts = jig.pin_volts

    async def output(self, on: bool) -> None:
        """Nothing hears it."""

    async def close(self) -> None:
        with contextlib.suppress(JigError):  # said already: the supply did not confirm that it is off
            await self._jig.close()


@contextlib.asynccontextmanager
async def open_conformance_station(
    board: Board,
    profile: InterfaceProfile,
    condition: Condition,
    clock: Clock,
    trace: Trace,
    folder: Path,
    han: Han | None = None,
    *,
    keystore: Keystore | None = None,
    firmware: type[Hub] = Hub,
) -> AsyncIterator[ConformanceStation]:
    """Up at the beginning, torn down at the end, whatever happened; ``keystore``: the board's, where it was read already.

    Raises NotAvailable, JigError, BoardError.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    keys = keystore or load_keys(board)
    station = ConformanceStation(board, clock, trace, folder, keys, profile, condition, han=han, firmware=firmware)
    try:
        await station.bring_up()
        yield station
    finally:
        await station.tear_down()
