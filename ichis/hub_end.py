"""The emulated hub's input stage, attached to a socket that another process serves (:mod:`ichis.served_jig`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping

from firmware_emu.errors import JigError, NotAvailable, in_words
from firmware_emu.supervised import supervised
from ichis.connector import Level, signal
from ichis.measuring.reading import Reading
from ichis.simulated_jig import HubSocket

Row = Mapping[str, object]


class HubEnd:
    """Answers what the served instruments ask about the hub in their socket. Bench time is that of this process."""

    def __init__(self, socket: HubSocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._socket, self._reader, self._writer = socket, reader, writer
        self._task = supervised(self._run(), "the hub's end of the served socket")
        feed, probes = socket.feed, socket.probes
        self._answers: dict[str, Callable[[Row], Awaitable[float]]] = {
            "source": self._source,
            "play": self._play,
            "terminal volts": lambda _: _value(feed.terminal_volts()),
            "amperes": lambda _: _value(feed.amperes()),
            "peak amperes": lambda _: _value(feed.peak_a),
            "volts": lambda row: _of(probes.volts(_int(row, "pin"))),
            "ripple": lambda row: _of(probes.ripple(_int(row, "pin"))),
            "drive": self._drive,
            "level": self._level,
            "ohms": lambda row: _of(probes.ohms(_int(row, "one"), _int(row, "other"))),
        }

    @classmethod
    async def attach(cls, address: str, socket: HubSocket) -> HubEnd:
        """Put ``socket``'s hub into the socket served at ``host:port``. Raises NotAvailable."""
        host, _, port = address.rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError) as wrong:
            remedy = f"{in_words(wrong)}: start it with `chub ichis serve`, and give jig.hub_end as that says"
            raise NotAvailable(f"the served socket {address}", remedy) from wrong
        return cls(socket, reader, writer)

    async def _run(self) -> None:
        while line := await self._reader.readline():
            row: Row = json.loads(line)
            value = 0.0
            with contextlib.suppress(JigError, KeyError):  # asked for what is not there: the instrument reads nothing
                value = await self._answers[str(row["do"])](row)
            self._writer.write(json.dumps({"number": row["number"], "value": value}).encode() + b"\n")

    async def _source(self, row: Row) -> float:
        volts, limit_a = row["volts"], row["limit"]
        assert isinstance(volts, int | float)
        assert isinstance(limit_a, int | float)
        self._socket.feed.source(float(volts), float(limit_a), bool(row["on"]))
        return 0.0

    async def _drive(self, row: Row) -> float:
        pin = signal(str(row["line"]))
        await self._socket.lines.drive(pin.symbol, (Level.HIGH if row["high"] else Level.LOW) is pin.active)
        return 0.0

    async def _level(self, row: Row) -> float:
        return float(await self._socket.lines.read(str(row["line"])) is Level.HIGH)

    async def _play(self, row: Row) -> float:
        points = row["points"]
        assert isinstance(points, list)
        self._socket.feed.play([(float(volts), float(seconds)) for volts, seconds in points])
        return 0.0

    async def close(self) -> None:
        """Take the hub out of the socket."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, ValueError):
            await self._task
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


async def _value(value: float) -> float:
    return value


async def _of(reading: Awaitable[Reading]) -> float:
    return (await reading).value


def _int(row: Row, key: str) -> int:
    value = row[key]
    if not isinstance(value, int):
        raise KeyError(key)
    return value
