"""Stand-ins of a supply and a multimeter in a process of their own, on pseudo-terminals or TCP ports, with faults and a latency as asked.

The lines are the modem lines of a network serial port (a pseudo-terminal has none). In the socket is a modelled unit, or whoever emulates
the hub attaches its input stage to the socket's TCP port (:mod:`ichis.hub_end`); until then it is empty: nothing draws current. Messages
on that port are lines of JSON: a request with a number, and the answer with the same number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError
from firmware_emu.ownership import Owner, ServedPort
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from ichis.bench_link import BenchLinkServer
from ichis.condition import Condition
from ichis.connector import Level, signal
from ichis.instrument.fault import InstrumentFault
from ichis.instrument.stand_in import Behind, StandIn
from ichis.instrument.stand_in import serve as serve_stand_in
from ichis.jig import OPEN_OHM
from ichis.measuring.dialect import named
from ichis.measuring.reading import Reading
from ichis.served_lines import MOST_UNREAD, Drive, Read, ServedLines
from ichis.simulated_jig import HubSocket, SeatModel, SourceModel
from ichis.wires import PtyWire

Attach = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LONGEST_LINE = 4096
_MOST_VOLTS, _MOST_AMPERES = 30.0, 5.0
_ANSWER_S = 10.0


class HubSocketPort:
    """The hub's socket: one input stage at a time, asked over TCP."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._number = 0
        self.source: tuple[float, float, bool] = (0.0, _MOST_AMPERES, False)

    async def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one input stage until it goes away. A second one is turned away."""
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        try:
            while line := await reader.readline():
                answer = json.loads(line)
                waiting = self._waiting.pop(int(answer["number"]), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(float(answer.get("value", 0.0)))
        except (ValueError, KeyError, TypeError, ConnectionError, asyncio.LimitOverrunError):
            pass  # what is attached does not speak this protocol: as if it had been taken out
        finally:
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(0.0)
            self._waiting.clear()
            writer.close()

    async def ask(self, what: str, empty: float, **keys: object) -> float:
        """The answer of what is attached; ``empty`` where nothing is. Raises JigError where it does not answer."""
        if self._writer is None:
            return empty
        self._number += 1
        number = self._number
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"number": number, "do": what, **keys}).encode() + b"\n")
        try:
            async with asyncio.timeout(_ANSWER_S):
                value: float = await waiting
                return value
        except TimeoutError:
            raise JigError(f"what is in the hub's socket does not answer {what}") from None

    async def drive(self, symbol: str, level: Level) -> None:
        """A line of the host's end goes to this level."""
        await self.ask("drive", 0.0, line=symbol, high=level is Level.HIGH)

    async def level(self, symbol: str) -> Level:
        """The level of a line; an empty socket shows the pull-up."""
        return Level.HIGH if await self.ask("level", 1.0, line=symbol) else Level.LOW

    async def give(self) -> None:
        """Tell what is attached what the supply's output is."""
        volts, limit_a, on = self.source
        await self.ask("source", 0.0, volts=volts, limit=limit_a, on=on)


class ServedSupply:
    """The supply instrument's own state; its output goes to the socket."""

    least_step_s = least_software_step_s = 0.0
    acted = (0.0, 0.0)

    def __init__(self, port: HubSocketPort) -> None:
        self._port = port
        self._volts, self._limit_a, self._on = port.source

    async def identity(self) -> str:
        return "simulated supply"

    async def set_voltage(self, volts: float) -> None:
        self._volts = volts
        await self._give()

    async def set_current_limit(self, amperes: float) -> None:
        self._limit_a = amperes
        await self._give()

    async def output(self, on: bool) -> None:
        self._on = on
        await self._give()

    async def confirm(self) -> None:
        """Whoever speaks to the instrument in front of it confirms."""

    async def measure_voltage(self) -> Reading:
        return Reading(await self._port.ask("terminal volts", self._volts if self._on else 0.0))

    async def measure_current(self) -> Reading:
        return Reading(await self._port.ask("amperes", 0.0))

    async def measure_peak_current(self) -> Reading:
        return Reading(await self._port.ask("peak amperes", 0.0))

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        """The list is played by whoever has the time: the far end if there is one, else nobody sees it."""
        await self._port.ask("play", 0.0, points=[list(point) for point in points])
        if points:
            self._volts = points[-1][0]
            self._port.source = (self._volts, self._limit_a, self._on)

    async def _give(self) -> None:
        self._port.source = (self._volts, self._limit_a, self._on)
        await self._port.give()


class ServedProbes:
    """A multimeter whose channels are the contacts of the socket."""

    def __init__(self, port: HubSocketPort) -> None:
        self._port = port

    async def identity(self) -> str:
        return "simulated multimeter"

    async def volts(self, pin: int, *, moving: bool = False) -> Reading:
        return Reading(await self._port.ask("volts", 0.0, pin=pin))

    async def ripple(self, pin: int) -> Reading:
        return Reading(await self._port.ask("ripple", 0.0, pin=pin))

    async def ohms(self, one: int, other: int) -> Reading:
        return Reading(await self._port.ask("ohms", 0.0 if one == other else OPEN_OHM, one=one, other=other))


MOST_LINES = 1000
"""Lines that wait for a stand-in on a pseudo-terminal; what is said beyond them is lost (own limit)."""


class TerminalStandIn:
    """A stand-in on a pseudo-terminal; ``path`` is a link to it with a name that stays."""

    def __init__(self, stand_in: StandIn, path: Path) -> None:
        self._stand_in, self.path = stand_in, path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._slave))
        self.address = f"ASRL{path}::INSTR"
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._buffer = bytearray()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._read)
        self._task = supervised(serve_stand_in(stand_in, self._lines.get, self._say), "a served stand-in")

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._buffer += os.read(self._master, LONGEST_LINE)
        while (end := self._buffer.find(b"\n")) >= 0:
            if self._lines.qsize() < MOST_LINES:
                self._lines.put_nowait(bytes(self._buffer[:end]).decode("ascii", "replace").strip())
            del self._buffer[: end + 1]
        if len(self._buffer) > LONGEST_LINE:
            self._buffer.clear()

    def _say(self, line: str) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: what does not go onto the line is lost, as on a serial one
            os.write(self._master, (line + self._stand_in.dialect.answer_end).encode("latin-1"))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._stand_in.close()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self.path.unlink(missing_ok=True)


MOST_CLIENTS = 4
"""Clients of a stand-in on a TCP port at once; one more is turned away. Instruments have such a limit, no source states it: own figure."""


class SocketStandIn:
    """A stand-in on a TCP port, as a LAN instrument's raw socket; clients come and go, its state stays."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._server: asyncio.Server
        self.clients = 0

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        return self._served.port

    async def open(self) -> str:
        """Listen; the VISA name."""
        self._served = ServedPort("127.0.0.1", 0, f"the port of {self._stand_in.model.name}")
        self._server = await asyncio.start_server(self._serve, sock=self._served.socket, limit=LONGEST_LINE)
        return f"TCPIP::127.0.0.1::{self._served.port}::SOCKET"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def next_line() -> str:
            line = await reader.readline()
            if not line:
                raise ConnectionError("the client is gone")
            return line.decode("ascii", "replace").strip()

        def say(line: str) -> None:
            if writer.transport.get_write_buffer_size() > MOST_UNREAD:
                writer.transport.abort()  # closing would wait until it reads
                raise ConnectionError("the client asks and never reads")
            writer.write((line + self._stand_in.dialect.answer_end).encode("latin-1"))

        if self.clients == MOST_CLIENTS:
            writer.close()
            return
        self.clients += 1
        try:
            with contextlib.suppress(ConnectionError, ValueError):  # how every client ends; ValueError: a line without an end
                await serve_stand_in(self._stand_in, next_line, say)
        finally:
            self.clients -= 1
            writer.close()

    async def close(self) -> None:
        self._stand_in.close()
        self._server.close()
        self._served.close()


@dataclass(frozen=True, slots=True)
class Serving:
    """Served parts: models by name, faults of them, a latency, and the unit in the socket (None: whoever attaches)."""

    supply: str = "scpi-supply"
    probes: str = "scpi-scanner"
    faults: tuple[InstrumentFault, ...] = ()
    latency_s: float = 0.0
    unit: Condition | None = None
    tcp: bool = False
    clock: Clock = field(default_factory=Clock)
    """Time of the unit in the socket."""


class ServedHand:
    """Puts the unit of this process into its socket and takes it out. Implements :class:`ichis.jig.Mains`: on is in."""

    def __init__(self, socket: HubSocket, clock: Clock) -> None:
        self._seat = SeatModel(socket, Trace(clock.now))

    async def switch(self, on: bool) -> None:
        await (self._seat.insert() if on else self._seat.withdraw())


class ServedUnit:
    """A modelled unit in the socket of this process: it shows itself while it runs, and answers the bench link."""

    def __init__(self, condition: Condition, path: Path, clock: Clock) -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        self._slave, self._path = slave, path
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(slave))
        self._wire = PtyWire(master, clock, condition.uart)
        self.socket = HubSocket(clock, Trace(clock.now), condition, self._wire)
        self._condition = condition
        self._server: asyncio.Task[None] | None = None
        self.socket.hub_side.listen(power=self._power)

    def _power(self, on: bool) -> None:
        self.socket.hub_side.drive_device_present(on)
        if self._server is not None:
            self._server.cancel()
            self._server = None
        if on:
            feed = self.socket.feed
            identity = f"modelled unit {self._condition.told_eui or 'without an EUI-64'}"
            server = BenchLinkServer(
                self._wire,
                identity,
                lambda: feed.pin_volts() * self._condition.hub_reading_gain,
                self.socket.hub_side.hold_space,
                lambda _: "no console",
                self._condition,
            )
            self._server = supervised(server.run(), "the bench link of the served unit")

    async def close(self) -> None:
        self._power(False)
        self.socket.close()
        self._wire.close()
        os.close(self._slave)
        self._path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def serve(folder: Path, port: int = 0, serving: Serving | None = None) -> AsyncIterator[dict[str, str]]:
    """Serve supply (``folder/supply``) and multimeter (``folder/probes``); gives the ``[jig]`` table of a board that uses them.

    Raises BoardError for a model that no dialect has, OwnedElsewhere where another process serves in ``folder``.
    """
    wanted = serving or Serving()
    table = {"kind": "instruments"}
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(Owner.of_file(folder / "jig", f"the served jig in {folder}").release)
        socket_port = HubSocketPort()
        drive: Drive = socket_port.drive
        read: Read = socket_port.level
        if wanted.unit is None:
            supply = ServedSupply(socket_port)
            behind = Behind(supply=supply, probes=ServedProbes(socket_port), begin_list=supply.play)
            at = await _listen(socket_port.attach, port, "the port of the hub's end", stack)
            table["hub_end"] = f"127.0.0.1:{at}"
        else:
            unit = ServedUnit(wanted.unit, folder / "data", wanted.clock)
            stack.push_async_callback(unit.close)
            behind = Behind(supply=SourceModel(unit.socket.feed, wanted.clock), probes=unit.socket.probes)
            table["data"] = str(folder / "data")
            hand = StandIn(*named("scpi-relay"), Behind(mains=ServedHand(unit.socket, wanted.clock)))
            table["mating"] = await _put(hand, folder / "hand", wanted.tcp, stack)
            lines = unit.socket.lines

            async def drive_unit(symbol: str, level: Level) -> None:
                await lines.drive(symbol, level is signal(symbol).active)

            drive, read = drive_unit, lines.read
        for role, name in (("supply", wanted.supply), ("probes", wanted.probes)):
            stand_in = StandIn(*named(name), behind, wanted.faults, wanted.latency_s)
            table[role] = await _put(stand_in, folder / role, wanted.tcp, stack)
        served = ServedLines(drive, read)
        table["lines"] = f"rfc2217://127.0.0.1:{await _listen(served.attach, 0, 'the port of the lines', stack)}"
        yield table


async def _listen(attach: Attach, port: int, what: str, stack: contextlib.AsyncExitStack) -> int:
    served = ServedPort("127.0.0.1", port, what)
    stack.callback(served.close)
    server = await asyncio.start_server(attach, sock=served.socket, limit=1 << 20)
    stack.callback(server.close)
    return served.port


async def _put(stand_in: StandIn, path: Path, tcp: bool, stack: contextlib.AsyncExitStack) -> str:
    if tcp:
        at = SocketStandIn(stand_in)
        address = await at.open()
        stack.push_async_callback(at.close)
        return address
    terminal = TerminalStandIn(stand_in, path)
    stack.push_async_callback(terminal.close)
    return terminal.address
