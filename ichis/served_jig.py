"""A supply and a multimeter simulated in a process of their own: SCPI on pseudo-terminals, lines as the modem lines of a network
serial port (a pseudo-terminal has none), the hub's socket on a TCP port.

Whoever emulates the hub attaches its input stage to the socket (:mod:`ichis.hub_end`); until then the socket is empty: nothing draws
current. Messages on that port are lines of JSON: a request with a number, and the answer with the same number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tty
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from firmware_emu.errors import JigError
from ichis.connector import Level
from ichis.jig import OPEN_OHM
from ichis.scpi_interpreter import ScpiInterpreter
from ichis.served_lines import ServedLines

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

    def __init__(self, port: HubSocketPort) -> None:
        self._port = port
        self._volts, self._limit_a, self._on = port.source

    async def identity(self) -> str:
        return "simulated supply"

    async def set_voltage(self, volts: float) -> None:
        if not 0 <= volts <= _MOST_VOLTS:
            raise JigError(f"{volts} V is outside 0 to {_MOST_VOLTS:g} V")
        self._volts = volts
        await self._give()

    async def set_current_limit(self, amperes: float) -> None:
        if not 0 <= amperes <= _MOST_AMPERES:
            raise JigError(f"{amperes} A is outside 0 to {_MOST_AMPERES:g} A")
        self._limit_a = amperes
        await self._give()

    async def output(self, on: bool) -> None:
        self._on = on
        await self._give()

    async def measure_voltage(self) -> float:
        return await self._port.ask("terminal volts", self._volts if self._on else 0.0)

    async def measure_current(self) -> float:
        return await self._port.ask("amperes", 0.0)

    async def measure_peak_current(self) -> float:
        return await self._port.ask("peak amperes", 0.0)

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

    async def volts(self, pin: int) -> float:
        return await self._port.ask("volts", 0.0, pin=pin)

    async def ripple(self, pin: int) -> float:
        return await self._port.ask("ripple", 0.0, pin=pin)

    async def ohms(self, one: int, other: int) -> float:
        return await self._port.ask("ohms", OPEN_OHM, one=one, other=other)


class ScpiTerminal:
    """A SCPI instrument on a pseudo-terminal; ``path`` is a link to it with a name that stays."""

    def __init__(self, interpreter: ScpiInterpreter, path: Path) -> None:
        self._interpreter, self.path = interpreter, path
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        path.unlink(missing_ok=True)
        path.symlink_to(os.ttyname(self._slave))
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._buffer = bytearray()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._buffer += os.read(self._master, LONGEST_LINE)
        while (end := self._buffer.find(b"\n")) >= 0:
            self._lines.put_nowait(bytes(self._buffer[:end]))
            del self._buffer[: end + 1]
        if len(self._buffer) > LONGEST_LINE:
            self._buffer.clear()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            line = await self._lines.get()
            answer = await self._interpreter.line(line.decode("ascii", "replace").strip())
            if answer is not None:
                os.write(self._master, answer.encode() + b"\n")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self.path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def serve(folder: Path, port: int = 0) -> AsyncIterator[dict[str, str]]:
    """Serve supply (``folder/supply``) and multimeter (``folder/probes``); gives the ``[jig]`` table of a board that uses them."""
    socket_port = HubSocketPort()
    supply = ServedSupply(socket_port)
    identity = "CHUB BENCH,SIMULATED {},0001,1.0"
    terminals = [
        ScpiTerminal(ScpiInterpreter(identity.format("SUPPLY"), supply, ServedProbes(socket_port)), folder / "supply"),
        ScpiTerminal(ScpiInterpreter(identity.format("METER"), supply, ServedProbes(socket_port)), folder / "probes"),
    ]
    server = await asyncio.start_server(socket_port.attach, "127.0.0.1", port, limit=1 << 20)
    lines = ServedLines(socket_port.drive, socket_port.level)
    lines_server = await asyncio.start_server(lines.attach, "127.0.0.1", 0)
    tasks = [asyncio.create_task(terminal.run()) for terminal in terminals]
    try:
        yield {
            "kind": "instruments",
            "supply": f"ASRL{folder / 'supply'}::INSTR",
            "probes": f"ASRL{folder / 'probes'}::INSTR",
            "hub_end": f"127.0.0.1:{server.sockets[0].getsockname()[1]}",
            "lines": f"rfc2217://127.0.0.1:{lines_server.sockets[0].getsockname()[1]}",
        }
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        lines_server.close()
        for terminal in terminals:
            terminal.close()
