"""``time``: bench time is a command."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated

from firmware_emu.clock import EPOCH, Clock, moment_text, span_text
from firmware_emu.console.core import Core, Noun
from firmware_emu.console.declare import Moment, Seconds, WordError, WordKind, verb
from firmware_emu.console.records import alert_code
from firmware_emu.console.result import Result
from firmware_emu.errors import nearest
from firmware_emu.gbcs.alerts import alert_codes
from firmware_emu.trace import Record

_LOOK_S = 0.05
DAY_S = 86400.0
_ISO = "%Y-%m-%dT%H:%M:%S"


@cache
def events() -> frozenset[str]:
    """Every word that a record of the trace has for its event (``events.txt``)."""
    return frozenset((resources.files(__package__) / "events.txt").read_text(encoding="utf-8").splitlines())


def _event(text: str) -> str:
    """Raises WordError: what no record is ever called would be waited for in vain."""
    if text not in events():
        raise WordError(f"event: read {text!r}, expected alert, or an event of the trace such as joined{nearest(text, events())}")
    return text


Event = Annotated[
    str,
    WordKind(
        "alert, or an event of the trace such as joined",
        _event,
        ("alert", "joined", "left", "executed", "refused", "delivered", "boot", "formed", "mirrored", "asleep", "connected", "lost"),
    ),
]
What = Annotated[str, WordKind("an alert code such as 8F36, or a part of a source, target or message", str, "alert codes")]


def set_pace(clock: Clock, speed: float | None) -> None:
    """So many bench seconds per real second from now on; None: warp."""
    if speed is None:
        clock.elapsed()
        clock.warp = True
        return
    if clock.warp:
        clock.speed = 1e-12  # the real time that went by while it warped does not count
        clock.warp = False
    clock.elapsed()
    clock.speed = speed


class TimeNoun(Noun):
    """Bench time. It stands still at the prompt where the clock warps, and runs where it does not."""

    name = "time"
    about = "bench time: let it pass, speed it up, wait for something"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        bench.offers["alert codes"] = lambda given: (
            {f"{code:04X}": one.name for code, one in alert_codes().items()} if given[:1] == ["alert"] else self._devices()
        )

    def _devices(self) -> dict[str, str]:
        return {str(row.eui): row.name for row in self.bench.board.device}

    @verb(looks=True)
    async def now(self) -> Result:
        """Tell the bench's time, how it passes, and the seed."""
        clock = self.bench.clock
        return Result(
            f"{self._text()}, {self._pace()}, seed {self.bench.seed}",
            {"time": clock.datetime(), "warp": clock.warp, "speed": clock.speed, "seed": self.bench.seed},
        )

    @verb(plain="go")
    async def go(self, span: Seconds) -> Result:
        """Let so much bench time pass: hub, Devices, air and DCC together."""
        first = len(self.bench.records)
        await self.bench.clock.sleep(span)
        return Result(f"{self._text()}: {span_text(span)} went by, {len(self.bench.records) - first} records")

    @verb(plain="speed")
    async def speed(self, factor: str) -> Result:
        """Let time pass so many times as fast as outside, or as fast as the work allows: ``warp``."""
        clock = self.bench.clock
        if factor == "warp":
            set_pace(clock, None)
        else:
            try:
                wanted = float(factor)
            except ValueError:
                wanted = 0.0
            if wanted <= 0:
                raise WordError(f"factor: read {factor!r}, expected a number above 0, or warp")
            set_pace(clock, wanted)
        return Result(f"{self._text()}, {self._pace()}")

    @verb()
    async def set(self, to: Moment) -> Result:
        """Let bench time pass until it is so late; it does not go backwards."""
        clock = self.bench.clock
        wanted = (to - EPOCH).total_seconds() - clock.now()
        if wanted < 0:
            raise WordError(f"to: read {to:{_ISO}}, expected a time after {clock.datetime():{_ISO}}: time goes forward")
        await clock.sleep(wanted)
        return Result(self._text())

    @verb(plain="until")
    async def until(self, event: Event, what: What | None = None, within: Seconds = 7 * DAY_S) -> Result:
        """Let bench time pass until something is recorded: an event by its name, or ``alert CODE``."""
        found: list[Record] = []
        code = None if event != "alert" or what is None else alert_code(what)

        def look(record: Record) -> None:
            if code is not None:
                if alert_code(str(record.detail.get("code", ""))) == code:
                    found.append(record)
            elif record.event == event and (what is None or what in f"{record.source} {record.target} {record.message}"):
                found.append(record)

        clock = self.bench.clock
        first, deadline = clock.now(), clock.now() + within
        leave = self.bench.trace.subscribe(look)
        try:
            while not found and clock.now() < deadline:
                await clock.sleep(min(_LOOK_S * (1 + (clock.now() - first) // 10), 1.0))
        finally:
            leave()
        name = event if what is None else f"{event} {what}"
        if not found:
            return Result(f"{self._text()}: no {name} within {span_text(within)}", ok=False)
        hop = found[0]
        return Result(
            f"{self._text()}: {hop.source} {hop.event} {hop.target or ''}".rstrip(),
            {"after": span_text(round(clock.now() - first)), "record": f"@{hop.number}", **hop.detail},
            raw=hop,
        )

    def _text(self) -> str:
        return moment_text(self.bench.clock.now())

    def _pace(self) -> str:
        return "time stands still until asked" if self.bench.clock.warp else f"{self.bench.clock.speed:g} times as fast as outside"
