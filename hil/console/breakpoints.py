"""``break``: messages that stop on the SM WAN until somebody has looked at them.

A message that matches a breakpoint stands between hub and DCC; the verb that waits for it is left under way, and bench time stands still
where the clock warps. On a wall clock time goes on, and whoever waits may give up.
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
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs import protect, use_cases
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.verify import mac_secret
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.virtual import ShapedLink
from hil.console.rig import RigNoun

To = Literal["dcc", "hub", "any"]
Protection = Literal["left", "anew"]
Target = Annotated[str, WordKind("chf, gpf or a Device of the board", str, "targets")]
Octets = Annotated[bytes, WordKind("octets in hex", bytes.fromhex)]


@dataclass(slots=True)
class Breakpoint:
    """One condition; ``stopped`` counts the messages that stood at it."""

    number: int
    to: To
    party: Eui64 | None
    code: str
    said: str
    stopped: int = 0

    def holds(self, to: str, message: Message) -> bool:
        """True for a message that is to stop."""
        header = message.header
        if self.to not in ("any", to) or (self.party is not None and self.party not in (header.originator, header.recipient)):
            return False
        use_case = use_cases.find(message.message_code)
        names = [f"{message.message_code:04x}"]
        if use_case is not None:
            names += [use_case.name.lower(), *use_case.service_references]
        return not self.code or self.code.lower() in names


@dataclass(slots=True)
class Stopped:
    """A message at a breakpoint; ``onward`` is done with what goes on."""

    at: Breakpoint
    to: str
    frame: WanFrame
    onward: asyncio.Future[Sequence[WanFrame]]

    def __str__(self) -> str:
        message = Message.decode(self.frame.body)
        return f"{message.header.identifier} to the {self.to}, at break {self.at.number} ({self.at.said})"


class Break(RigNoun):
    """Breakpoints of the SM WAN."""

    name = "break"
    about: ClassVar[str] = "messages that stop on the SM WAN: look, change, drop, double, send on"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        self._set: list[Breakpoint] = []
        self._numbers = 0
        self._stands: list[Stopped] = []
        self._came = asyncio.Event()
        self._left: list[asyncio.Task[Result]] = []
        """Verbs that wait for a message which stands, the last one last."""

    async def close(self) -> None:
        """Let go on what stands, and end the verbs that waited for it."""
        for task in self._left:
            task.cancel()
        await asyncio.gather(*self._left, return_exceptions=True)
        for stopped in self._stands:
            if not stopped.onward.done():
                stopped.onward.set_result((stopped.frame,))

    @verb()
    async def add(self, to: To = "any", device: Target | None = None, code: str = "") -> Result:
        """Stop messages: on their way to the dcc or the hub, of or for a Device, of a service request or use case."""
        said = " ".join(word for word in (f"to {to}", device or "", code) if word)
        if code and not any(code.lower() in _names(one) for one in use_cases.catalogue().values()):
            raise WordError(f"code: read {code!r}, expected a service request (4.1.1), a use case (ECS17b) or a message code in hex (0033)")
        self._numbers += 1
        self._set.append(Breakpoint(self._numbers, to, None if device is None else self.target(device), code, said))
        self._wan().gate, self.bench.stops = self._gate, self
        return Result(f"break {self._numbers}: {said}", {"number": self._numbers})

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
            raise WordError(
                f"number: read {number}, expected one of {', '.join(str(one.number) for one in self._set) or 'none: none is set'}"
            )
        self._set = kept
        return Result("all breakpoints cleared" if number is None else f"break {number} cleared")

    @verb(looks=True)
    async def show(self) -> Result:
        """Show the message that stands, field by field."""
        stopped = self._standing()
        found = explain_any(stopped.frame.body, LayerKnowledge(keystore=self.bench.station.keystore), "gbcs")
        return Result(str(stopped), picture=TreeTable(found.tree), raw=stopped.frame.body)

    @verb()
    async def change(self, offset: int, octets: Octets, protection: Protection = "left") -> Result:
        """Put octets into the message that stands, and leave its MAC and signature as they are or make them anew."""
        stopped = self._standing()
        body = stopped.frame.body
        if not octets or not 0 <= offset <= len(body) - len(octets):
            raise WordError(f"offset: read {offset} for {count(len(octets), 'octet')}, expected a place in the {len(body)} of the message")
        before = body[offset : offset + len(octets)]
        body = body[:offset] + octets + body[offset + len(octets) :]
        if protection == "anew":
            body = self._protected(body)
        stopped.frame = replace(stopped.frame, body=body)
        self.bench.trace.emit("bench", f"break {stopped.at.number}", "changed", target="wan", offset=offset, octets=octets.hex())
        values = {"before": before, "after": octets, "protection": protection}
        return Result(f"changed at {offset}: {stopped}", values, raw=body)

    @verb()
    async def go(self, times: int = 1) -> Result:
        """Send the message on, once or more often, and go on with the verb that waited for it."""
        if times < 1:
            raise WordError(f"times: read {times}, expected 1 or more; `break drop` loses the message")
        stopped = self._standing()
        return await self._onward(stopped, [stopped.frame] * times, f"{stopped}: sent on" + ("" if times == 1 else f" {times} times"))

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
        return Result(f"stopped: {self._stands[-1]}; `break show`, change, go, drop", raw=self._stands[-1].frame.body)

    async def _onward(self, stopped: Stopped, frames: Sequence[WanFrame], said: str) -> Result:
        self._stands.remove(stopped)
        stopped.onward.set_result(frames)
        self.bench.trace.emit("bench", f"break {stopped.at.number}", "sent on" if frames else "dropped", target="wan", times=len(frames))
        if not self._left:
            return Result(said)
        waiting = self._left.pop()

        async def rest() -> Result:
            return await waiting

        return await self.watch(rest()) if self._set else await waiting

    async def _gate(self, to: str, frame: WanFrame) -> Sequence[WanFrame]:
        if frame.kind is not WanKind.MESSAGE:
            return (frame,)
        try:
            message = Message.decode(frame.body)
        except DecodeError:
            return (frame,)  # whoever takes it says so
        at = next((one for one in self._set if one.holds(to, message)), None)
        if at is None:
            return (frame,)
        at.stopped += 1
        stopped = Stopped(at, to, frame, asyncio.get_running_loop().create_future())
        self._stands.append(stopped)
        self.bench.trace.emit("bench", f"break {at.number}", "stopped", target="wan", message=str(message.header.identifier), to=to)
        self._came.set()
        return await stopped.onward

    def _standing(self) -> Stopped:
        if not self._stands:
            raise WordError("no message stands at a breakpoint: `break add`, and let one be sent")
        return self._stands[0]

    def _protected(self, body: bytes) -> bytes:
        """The message with a signature, where it has one, and a MAC, where it has one, that hold. Raises WordError, KeystoreError."""
        keystore = self.bench.station.keystore
        try:
            message = Message.decode(body)
        except DecodeError as wrong:
            raise WordError(f"octets: the message cannot be read any more, so nothing can protect it: {wrong}") from None
        maced = message.mac is not None
        if message.signature:
            key = keystore.private_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE)
            message = protect.with_signature(message, key)
        if maced:
            message = protect.with_mac(message, mac_secret(message.header, keystore))
        return message.encode()

    def _wan(self) -> ShapedLink:
        if self.home.wan is None:
            raise WordError("break: this home has no hub of its own, its messages pass elsewhere")
        return self.home.wan


def _names(use_case: use_cases.UseCase) -> list[str]:
    code = [] if use_case.code is None else [f"{use_case.code:04x}"]
    return [use_case.name.lower(), *use_case.service_references, *code]
