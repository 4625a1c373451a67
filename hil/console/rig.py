"""Common ground of the rig's nouns: the station behind the bench, and service requests by the user that a Device holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar

from firmware_emu.clock import span_text
from firmware_emu.console.core import Core, Noun
from firmware_emu.console.declare import WordError
from firmware_emu.console.records import halted
from firmware_emu.console.result import Result
from firmware_emu.console.why import earliest
from firmware_emu.errors import one_of
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record
from hil.bench.home import Home
from hil.bench.station import Station
from hil.dcc.base.results import Outcome
from hil.dcc.duis import new_request
from hil.dcc.duis.document import Content
from hil.dcc.parties.users import User
from hil.devices import kinds

_LONG_MS = 10_000
WAIT_S = 7200.0
"""Waiting time for a Device: a sleepy gas meter wakes every half hour."""


class RigNoun(Noun):
    """A noun that knows the rig. ``needs`` is what the bench must be for it: a home, or a station with its DCC."""

    needs: ClassVar[type[Home]] = Home

    @classmethod
    def on(cls, bench: Core) -> Iterable[Noun]:
        """None on a bench that is not what the noun needs."""
        return (cls(bench),) if isinstance(bench.station, cls.needs) else ()

    @property
    def station(self) -> Station:
        """The station. Raises WordError where the DCC is in another process."""
        station = self.bench.station
        if not isinstance(station, Station):
            raise WordError(f"{self.name}: the DCC is in another process; ask it with `chub dcc`")
        return station

    @property
    def home(self) -> Home:
        """The home, with a DCC in this process or without."""
        assert isinstance(self.bench.station, Home)
        return self.bench.station

    def target(self, name: str) -> Eui64:
        """The identity of ``chf``, ``gpf`` or a Device of the board. Raises WordError."""
        known = self.targets()
        if name not in known:
            raise WordError(f"read {name!r}, expected {one_of(name, known)}")
        return known[name]

    def targets(self) -> dict[str, Eui64]:
        """Possible targets of a service request."""
        board = self.bench.board
        return {"chf": board.hub.chf, "gpf": board.hub.gpf, **{row.name: row.eui for row in board.device}}

    def kind_of(self, name: str) -> str:
        """The type of ``chf``, ``gpf`` or a Device of the board."""
        return next((kinds.duis_type(row) for row in self.bench.board.device if row.name == name), name.upper())

    async def ask(
        self,
        variant: str,
        target: Eui64 | None,
        body: Mapping[str, Content] | None = None,
        *,
        about: Eui64 | None = None,
        by: str = "",
        counter: int = 0,
        wait_s: float = WAIT_S,
    ) -> Outcome:
        """A service request by a party of the board; without ``by``, by the supplier that the target (or the Device it is about) holds;
        without ``counter``, under its next one."""
        dcc, user = self.station.dcc, self.sender(about or target, by)
        with self._told_of_the_wait(wait_s):
            if not counter:
                return await self.station.ask(user, variant, target, body, wait_s=wait_s)
            return await dcc.send(user, new_request(variant, user.eui64, target or dcc.eui, counter, body), wait_s=wait_s)

    @contextlib.contextmanager
    def _told_of_the_wait(self, wait_s: float) -> Iterator[None]:
        """Tell after a halt how long the DCC goes on waiting, and how to stop, on a clock that does not jump there."""
        clock, trace = self.bench.clock, self.bench.trace
        until, told = clock.now() + wait_s, False

        def tell(record: Record) -> None:
            nonlocal told
            if told or clock.warp or not halted(record):
                return
            told = True
            left = span_text(round(until - record.time))
            reason = f"no end yet: the DCC waits for the answer for up to {left} more; Ctrl-C ends this wait, `why` tells the cause"
            asyncio.get_running_loop().call_soon(partial(trace.emit, "bench", "dcc", "waiting", reason=reason))

        end = trace.subscribe(tell)
        try:
            yield
        finally:
            end()

    def verdict(self, outcome: Outcome, name: str) -> Result:
        """A service request's end; where it began to end before the hop that its verdict names, with that cause."""
        done = told(outcome, name)
        cause = "" if outcome.ok else earliest(self.bench.records, outcome.request)
        return replace(done, values={**done.values, "cause": cause}) if "; in the end" in cause or "on this message" in cause else done

    def sender(self, target: Eui64 | None, by: str = "") -> User:
        """The user of a party of the board, as ``network_operator``, or the supplier of a Device. Raises WordError."""
        station = self.station
        if by:
            parties = {name: eui for name, eui in self.bench.board.parties if isinstance(eui, Eui64) and eui in station.users}
            if by not in parties:
                raise WordError(f"by: read {by!r}, expected {one_of(by, parties)}")
            return station.user(parties[by])
        gas = target in (self.bench.board.hub.gpf, *(row.eui for row in self.bench.board.device if kinds.duis_type(row) == "GSME"))
        return station.gas_supplier if gas else station.supplier


def told(outcome: Outcome, name: str) -> Result:
    """A service request's end as a result; its messages are in ``raw``."""
    values: dict[str, object] = {"request": outcome.request}
    if outcome.response_code:
        values["code"] = outcome.response_code
    if outcome.legs:
        ms = sum(outcome.legs.values())
        values["took"] = f"{ms:.1f} ms" if ms < _LONG_MS else span_text(round(ms / 1000))
    values |= outcome.result
    said = f"{outcome.variant} {name}: {outcome.verdict}"
    return Result(said if outcome.ok else f"{said}. {outcome.why}", values, ok=outcome.ok, raw=outcome)
