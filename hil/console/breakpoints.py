"""``break``: messages that stop on the HAN or the SM WAN until somebody has looked at them.

A message that matches a breakpoint stands where it is; the verb that waits for it is left under way, and bench time stands still where
the clock warps. On a wall clock time goes on, and whoever waits may give up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError, WordKind, verb
from firmware_emu.console.layers import LayerKnowledge, explain_any
from firmware_emu.console.result import Result, count
from firmware_emu.console.tree_table import TreeTable
from firmware_emu.errors import CommsHubError, DecodeError, one_of
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.virtual import ShapedLink
from hil.bench.passages import Arrival, Passing
from hil.console.rig import RigNoun
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.faults.content import Condition, cluster_name, condition, has_code, protected_octets
from hil.faults.grammar import STOP_PATTERNS, Sentence, SentenceError, next_words, read_sentence

Protection = Literal["left", "anew"]
Words = Annotated[str, WordKind("what is to stop, as a sentence", str, "stops")]
Octets = Annotated[bytes, WordKind("octets in hex", bytes.fromhex)]


@dataclass(slots=True)
class Breakpoint:
    """One condition, of the HAN or of the SM WAN; ``stopped`` counts what stood at it."""

    number: int
    said: str
    condition: Condition | None
    """Of what passes on the HAN; None: it is one of the SM WAN."""
    to: str = ""
    party: Eui64 | None = None
    code: str = ""
    stopped: int = 0

    def holds_on_wan(self, to: str, message: Message) -> bool:
        """True for a message between hub and DCC that is to stop."""
        if self.condition is not None or self.to not in ("", to):
            return False
        header = message.header
        return self.party in (None, header.originator, header.recipient) and has_code(message, self.code)


@dataclass(slots=True)
class Stopped:
    """Octets at a breakpoint. ``layer`` reads them; ``onward`` is done with what goes on in their place."""

    at: Breakpoint
    way: str
    layer: str
    octets: bytes
    onward: asyncio.Future[Sequence[bytes]]
    cluster: int | None = None

    def __str__(self) -> str:
        what = f"a frame of {cluster_name(self.cluster)}" if self.cluster is not None else str(_identifier(self.octets))
        return f"{what} {self.way}, at break {self.at.number} ({self.at.said})"


class Break(RigNoun):
    """Breakpoints of the HAN and the SM WAN."""

    name = "break"
    about: ClassVar[str] = "messages that stop on the HAN or the SM WAN: look, change, drop, double, send on"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        self._set: list[Breakpoint] = []
        self._numbers = 0
        self._stands: list[Stopped] = []
        self._came = asyncio.Event()
        self._left: list[asyncio.Task[Result]] = []
        """Verbs that wait for a message which stands, the last one last."""
        bench.offers["stops"] = self._offers

    async def close(self) -> None:
        """Let go on what stands, and end the verbs that waited for it."""
        self.home.passages.lift(self._passing)
        for task in self._left:
            task.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)
        for stopped in self._stands:
            if not stopped.onward.done():
                stopped.onward.set_result((stopped.octets,))

    @verb()
    async def han(self, *which: Words) -> Result:
        """Stop what passes on the HAN: messages at a Device, or with ``frame`` first, ZCL frames at the hub's radio."""
        sentence = self._read("han", which)
        radios = {row.name: row.eui for row in self.bench.board.device} | {"hub": self.bench.board.hub.gpf}
        for name in (sentence.word("to"), sentence.word("from")):
            if sentence.area == "message" and name is not None and not isinstance(self.home.device(name), GbcsHanDevice):
                raise WordError(f"{name} has no GBCS, or runs elsewhere: stop its frames, as `break han frame to {name}`")
        self.home.passages.lift(self._passing)
        self.home.passages.lay(self._passing)
        return self._added(sentence, Breakpoint(0, "", condition(sentence, radios)))

    @verb()
    async def wan(self, *which: Words) -> Result:
        """Stop messages between hub and DCC."""
        sentence = self._read("wan", which)
        of, code = sentence.word("of"), sentence.word("code") or ""
        link = self._wan()
        made = Breakpoint(0, "", None, sentence.word("to") or "", None if of is None else self.target(of), code)
        link.gate = self._gate
        return self._added(sentence, made)

    def _read(self, seam: str, which: Sequence[str]) -> Sentence:
        try:
            return read_sentence(" ".join((seam, *which)), self._devices(), STOP_PATTERNS)
        except SentenceError as wrong:
            raise WordError(str(wrong).replace("fault ", "break ", 1)) from None

    def _devices(self) -> list[str]:
        return [row.name for row in self.bench.board.device]

    def _offers(self, given: Sequence[str]) -> list[str]:
        return [word for seam in ("han", "wan") for word in next_words([seam, *given], self._devices(), STOP_PATTERNS)]

    def _added(self, sentence: Sentence, made: Breakpoint) -> Result:
        self._numbers += 1
        made.number, made.said = self._numbers, sentence.text
        self._set.append(made)
        self.bench.stops = self
        return Result(f"break {made.number}: {made.said}", {"number": made.number})

    @verb(looks=True)
    async def list(self) -> Result:
        """Show the breakpoints, and what stands at one."""
        rows = [(one.number, one.said, one.stopped) for one in self._set]
        standing = {"stands": str(self._stands[0])} if self._stands else {}
        return Result(count(len(rows), "breakpoint"), standing, ("number", "stops", "stopped"), rows)

    @verb()
    async def clear(self, number: int | None = None) -> Result:
        """Take one away by its number, or all."""
        kept = [one for one in self._set if number is not None and one.number != number]
        if number is not None and len(kept) == len(self._set):
            raise WordError(f"number: read {number}, expected {one_of(number, [one.number for one in self._set])}")
        self._set = kept
        return Result("all breakpoints cleared" if number is None else f"break {number} cleared")

    @verb(looks=True)
    async def show(self) -> Result:
        """Show the message that stands, field by field."""
        stopped = self._standing()
        known = LayerKnowledge(keystore=self.bench.station.keystore, cluster=stopped.cluster)
        found = explain_any(stopped.octets, known, stopped.layer)
        return Result(str(stopped), picture=TreeTable(found.tree), raw=stopped.octets)

    @verb()
    async def change(self, offset: int, octets: Octets, protection: Protection = "left") -> Result:
        """Put octets into the message that stands, and leave its MAC and signature as they are or make them anew."""
        stopped = self._standing()
        body = stopped.octets
        if not octets or not 0 <= offset <= len(body) - len(octets):
            raise WordError(f"offset: read {offset} for {count(len(octets), 'octet')}, expected a place in the {len(body)} of the message")
        before = body[offset : offset + len(octets)]
        body = body[:offset] + octets + body[offset + len(octets) :]
        if protection == "anew":
            if stopped.cluster is not None:
                raise WordError("protection: the radio makes that of a frame when it goes on; expected left")
            try:
                body = protected_octets(body, self.bench.station.keystore)
            except CommsHubError as wrong:
                raise WordError(f"octets: {wrong}") from None
        stopped.octets = body
        self.bench.trace.emit(
            "bench", f"break {stopped.at.number}", "changed", message=_identifier(body), offset=offset, octets=octets.hex()
        )
        values = {"before": before, "after": octets, "protection": protection}
        return Result(f"changed at {offset}: {stopped}", values, raw=body)

    @verb()
    async def go(self, times: int = 1) -> Result:
        """Send the message on, once or more often, and go on with the verb that waited for it."""
        if times < 1:
            raise WordError(f"times: read {times}, expected 1 or more; `break drop` loses the message")
        stopped = self._standing()
        return await self._onward(stopped, [stopped.octets] * times, f"{stopped}: sent on" + ("" if times == 1 else f" {times} times"))

    @verb()
    async def drop(self) -> Result:
        """Lose the message, and go on with the verb that waited for it."""
        stopped = self._standing()
        return await self._onward(stopped, [], f"{stopped}: dropped")

    async def watch(self, work: Coroutine[object, object, Result]) -> Result:
        """The work's result; that of a stop where one comes first: the work then stays under way."""
        task = asyncio.create_task(work)
        self._came.clear()
        came = asyncio.create_task(self._came.wait())
        try:
            await asyncio.wait({task, came}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            came.cancel()
        if task.done():
            return task.result()
        self._left.append(task)
        return Result(f"stopped: {self._stands[-1]}; `break show`, change, go, drop", raw=self._stands[-1].octets)

    async def _onward(self, stopped: Stopped, octets: Sequence[bytes], said: str) -> Result:
        self._stands.remove(stopped)
        stopped.onward.set_result(octets)
        self.bench.trace.emit("bench", f"break {stopped.at.number}", "sent on" if octets else "dropped", times=len(octets))
        if not self._left:
            return Result(said)
        waiting = self._left.pop()

        async def rest() -> Result:
            return await waiting

        return await self.watch(rest()) if self._set else await waiting

    async def _gate(self, to: str, frame: WanFrame) -> Sequence[WanFrame]:
        message = _message(frame.body) if frame.kind is WanKind.MESSAGE else None
        if message is None:
            return (frame,)
        at = next((one for one in self._set if one.holds_on_wan(to, message)), None)
        if at is None:
            return (frame,)
        return [replace(frame, body=octets) for octets in await self._stop(at, f"to the {to}", "gbcs", frame.body)]

    async def _passing(self, passing: Passing) -> Sequence[Arrival]:
        at = next((one for one in self._set if one.condition is not None and one.condition.holds(passing)), None)
        if at is None:
            return ((0.0, passing.octets),)
        names = {row.eui: row.name for row in self.bench.board.device}
        way = f"from {names.get(passing.sender, 'hub')} to {names.get(passing.receiver, 'hub')}"
        layer = "gbcs" if passing.cluster is None else "zcl"
        return [(0.0, octets) for octets in await self._stop(at, way, layer, passing.octets, passing.cluster)]

    async def _stop(self, at: Breakpoint, way: str, layer: str, octets: bytes, cluster: int | None = None) -> Sequence[bytes]:
        """Octets that go on in place of ``octets``, when somebody has let it."""
        at.stopped += 1
        stopped = Stopped(at, way, layer, octets, asyncio.get_running_loop().create_future(), cluster)
        self._stands.append(stopped)
        self.bench.trace.emit("bench", f"break {at.number}", "stopped", target=at.said.split()[0], message=_identifier(octets), way=way)
        self._came.set()
        return await stopped.onward

    def _standing(self) -> Stopped:
        if not self._stands:
            raise WordError("no message stands at a breakpoint: `break han` or `break wan`, and let one be sent")
        return self._stands[0]

    def _wan(self) -> ShapedLink:
        if self.home.wan is None:
            raise WordError("break: this home has no hub of its own, its messages pass elsewhere")
        return self.home.wan


def _message(octets: bytes) -> Message | None:
    """The message, None for octets that are none: whoever takes them says so."""
    try:
        return Message.decode(octets)
    except DecodeError:
        return None


def _identifier(octets: bytes) -> str | None:
    message = _message(octets)
    return None if message is None else str(message.header.identifier)
