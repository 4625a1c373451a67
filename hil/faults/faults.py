"""Faults on a home, added by sentence, numbered, counted, listed, cleared and saved.

Each fault draws from a stream of its own, fixed by the seed, its number and its sentence: the same run gives the same faults.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from firmware_emu.board import Board
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, NotAvailable, WanError
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Scalar
from firmware_emu.wan.base import WanFrame, WanKind
from hil.bench.home import Home
from hil.bench.passages import Passing
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.faults import installed
from hil.faults.content import Wrong, cluster_name, condition
from hil.faults.effects import EFFECTS, LASTS_S, dongle_of
from hil.faults.grammar import HOOK_PATTERNS, Sentence, Value, read_sentence
from hil.faults.installed import Hook
from hil.faults.values import Arrival, Corrupt, Delay, Drop, Duplicate, FrameFault, Reorder, Schedule
from hil.radio.port.faults import NcpFaults
from ichis.jig import DataLink
from ichis.uart import LineProfile

_UTC = struct.Struct(">I")
_HELD_S = {"han": 0.02, "wan": 2.0, "message": 2.0}
_FRAME_AREAS = frozenset({"han", "wan", "pair", "message"})
_TTY = {
    ("drop", "hub"): "lost",
    ("corrupt", "hub"): "damaged",
    ("duplicate", "hub"): "doubled",
    ("drop", "dongle"): "missed",
    ("corrupt", "dongle"): "refused",
    ("duplicate", "dongle"): "repeated",
}
"""Kind and end of a ``tty`` sentence -> the share of :class:`NcpFaults`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as it is listed; ``effects`` counts what it did so far."""

    number: int
    sentence: str
    effects: int


class _Active:
    """A fault in force."""

    def __init__(self, home: Home, number: int, sentence: Sentence, seed: int, do: Hook | None = None) -> None:
        self.home = home
        self.do = do
        self.number = number
        self.sentence = sentence
        self.draw = Random(f"{seed}:{number}:{sentence.text}")
        self.began = home.clock.now()
        self.effects = 0
        self.seen = 0
        self.schedule = _schedule(sentence)
        self.frame = _frame_fault(sentence, home.keystore)
        self.task: asyncio.Task[None] | None = None
        names = {row.name: row.eui for row in home.board.device} | {"hub": home.board.hub.gpf}
        by_content = sentence.area == "message" or do is not None or {"of", "on"} & set(sentence.qualifiers)
        self.condition = condition(sentence, names) if by_content else None
        """Condition of a fault that knows what passes; None: it is one of frames as the medium carries them, or of a whole part."""
        names = names if sentence.area == "han" else {}
        self.source, self.target = names.get(sentence.word("from") or ""), names.get(sentence.word("to") or "")

    def told(self, verb: str, *, message: str | None = None, **detail: Scalar) -> None:
        self.effects += 1
        said: dict[str, Scalar] = {"sentence": self.sentence.text, **detail}
        self.home.trace.emit("bench", f"fault {self.number}", verb, target=self.sentence.area, message=message, **said)  # type: ignore[arg-type]

    def applies(self) -> bool:
        """True if the fault applies to this frame; counts it."""
        if not self.schedule.works(self.home.clock.now() - self.began):
            return False
        self.seen += 1
        if self.schedule.nth is not None and self.seen != self.schedule.nth:
            return False
        return self.frame is None or self.frame.share >= 1 or self.draw.random() < self.frame.share

    async def act(self, octets: bytes, passing: Passing) -> tuple[Arrival, ...]:
        """Arrivals of what passes, by the fault or the hook. A fault of the hook's own is told, and it passes as it is."""
        message = passing.message
        name = None if message is None else str(message.header.identifier)
        try:
            arrivals = await self._done(replace(passing, octets=octets))
        except Exception as wrong:  # code of a user, and a home that goes on
            reason = f"{type(wrong).__name__}: {wrong}"
            self.home.trace.emit("bench", f"fault {self.number}", "failed", target=self.sentence.area, message=name, reason=reason)
            return ((0.0, octets),)
        if arrivals != ((0.0, octets),):
            ends = {"sender": str(passing.sender), "receiver": str(passing.receiver)}
            cluster = {} if passing.cluster is None else {"cluster": cluster_name(passing.cluster)}
            verb = "hooked" if self.frame is None else self.frame.verb
            self.told(verb, message=name, octets=len(octets), **ends, **cluster, **_shown(arrivals))
        return arrivals

    async def _done(self, passing: Passing) -> tuple[Arrival, ...]:
        if self.do is None:
            assert self.frame is not None, "what has a condition is a fault of frames, or a hook"
            return self.frame.apply(passing.octets, self.draw)
        given = self.do(passing)
        answer = await given if inspect.isawaitable(given) else given
        if answer is None:
            return ((0.0, passing.octets),)
        return ((0.0, answer),) if isinstance(answer, bytes) else tuple(answer)


def _shown(arrivals: Sequence[Arrival]) -> dict[str, Scalar]:
    """Times of the arrivals, where they tell something."""
    late = [seconds for seconds, _ in arrivals if seconds]
    return {"late_s": max(late)} if late else {}


def _schedule(sentence: Sentence) -> Schedule:
    def given(name: str) -> float | None:
        value = sentence.qualifiers.get(name)
        return None if value is None else float(value)

    nth = sentence.qualifiers.get("at", sentence.qualifiers.get("on"))
    last = given("for")
    if last is None and sentence.kind != "skew" and given("every") is not None and sentence.area in _FRAME_AREAS:
        last = 1.0  # "every 10s": one second of it each time
    return Schedule(given("in") or 0.0, last, given("every"), None if nth is None else int(nth))


def _frame_fault(sentence: Sentence, keystore: Keystore) -> FrameFault | None:
    if sentence.area not in _FRAME_AREAS or (sentence.area, sentence.kind) in EFFECTS:
        return None
    share = sentence.number("PERCENT", 1.0)
    match sentence.kind:
        case "drop":
            return Drop(share)
        case "delay":
            return Delay(sentence.number("DURATION", 0), share)
        case "duplicate":
            return Duplicate(share)
        case "corrupt":
            return Corrupt(int(sentence.number("BITS", 1)), share)
        case "wrong":
            return Wrong(str(sentence.values["PART"]), keystore, share)
        case "stop":
            return None  # a hook: what happens is not the sentence's
        case _:
            return Reorder(sentence.number("DURATION", _HELD_S[sentence.area]), share)


def check_sentences(board: Board, sentences: Sequence[str]) -> None:
    """Read sentences against a board before anything is brought up. Raises SentenceError."""
    for sentence in sentences:
        installed.read(sentence, [row.name for row in board.device])


class Faults:
    """The faults on one home (a :class:`hil.bench.station.Station` is one). Make it once the home is brought up, on its event loop."""

    def __init__(self, home: Home, seed: int, sentences: Sequence[str] = ()) -> None:
        """Raises SentenceError for a sentence that cannot be read, NotAvailable for one that this bench cannot do."""
        self._home = home
        self._seed = seed
        self._active: dict[int, _Active] = {}
        self._over: list[_Active] = []
        self._next = 1
        self._pair = home.jig.data
        for sentence in sentences:
            self.add(sentence)

    def read(self, sentence: str) -> tuple[Hook | None, Sentence]:
        """Meaning of a sentence on this home's board, without adding it, and a package's function. Raises SentenceError, NotAvailable."""
        do, found = installed.read(sentence, [row.name for row in self._home.board.device])
        if found.area in ("dongle", "tty"):
            dongle_of(self._home)
        self._check_content(found)
        if found.area in ("wan", "clock") and self._home.wan is None:
            raise NotAvailable("a fault of the SM WAN", "this home has no hub, and so no WAN: run one with its hub")
        return do, found

    def add(self, sentence: str) -> Fault:
        """Lay a fault on, from now. Raises SentenceError, NotAvailable."""
        do, found = self.read(sentence)
        return self._lay(_Active(self._home, self._next, found, self._seed, do))

    def hook(self, do: Hook, sentence: str) -> Fault:
        """Call ``do`` with every message or frame that ``sentence`` is of, as ``response 4.1.1 from esme``. Raises SentenceError."""
        found = read_sentence(sentence, [row.name for row in self._home.board.device], HOOK_PATTERNS)
        return self._lay(_Active(self._home, self._next, found, self._seed, do))

    def _lay(self, active: _Active) -> Fault:
        self._next += 1
        self._active[active.number] = active
        if active.frame is None and active.do is None:
            active.task = supervised(self._play(active), f"fault {active.number}", self._home.trace)
        self._hook()
        self._home.trace.emit("bench", f"fault {active.number}", "added", target=active.sentence.area, sentence=active.sentence.text)
        return self._shown(active)

    def list(self) -> tuple[Fault, ...]:
        """Those in force, by number, with what they did so far."""
        return tuple(self._shown(active) for active in self._active.values())

    def clear(self, number: int | None = None) -> None:
        """Take one off, or all. Raises CommsHubError for a number that is not in force."""
        if number is not None and number not in self._active:
            known = ", ".join(map(str, self._active)) or "none"
            raise CommsHubError(f"no fault has the number {number}: in force are {known}")
        for one in tuple(self._active) if number is None else (number,):
            active = self._active.pop(one)
            self._over.append(active)
            if active.task is not None:
                active.task.cancel()
            self._home.trace.emit(
                "bench", f"fault {one}", "cleared", target=active.sentence.area, sentence=active.sentence.text, effects=active.effects
            )
        self._hook()

    async def close(self) -> None:
        """Clear all faults, and undo their effects."""
        tasks = [active.task for active in self._active.values() if active.task is not None]
        self.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def as_json(self) -> tuple[dict[str, Scalar], ...]:
        """Every fault that was ever on, with its count: what ``faults.json`` of a run holds."""
        return tuple(
            {
                "number": one.number,
                "sentence": one.sentence.text,
                "effects": one.effects,
                "added": round(one.began, 6),
                "in_force": one.number in self._active,
            }
            for one in sorted([*self._active.values(), *self._over], key=lambda one: one.number)
        )

    def save(self, folder: Path) -> None:
        """Write ``faults.json`` into a run's folder."""
        text = json.dumps({"seed": self._seed, "faults": self.as_json()}, indent=2)
        (folder / "faults.json").write_text(text + "\n", encoding="utf-8")

    def _check_content(self, sentence: Sentence) -> None:
        """Raises NotAvailable for messages of a Device that this bench does not run."""
        named = {sentence.word(name) for name in ("from", "to")} | {sentence.values.get("NAME")}
        if sentence.area == "message":
            for name in named & set(self._home.devices):
                if not isinstance(self._home.devices[str(name)], GbcsHanDevice):
                    raise NotAvailable(f"messages of {name}", "it has no GBCS, or runs elsewhere: take its frames, as `han drop of Price`")

    def _shown(self, active: _Active) -> Fault:
        return Fault(active.number, active.sentence.text, active.effects)

    # --- what lasts

    async def _play(self, active: _Active) -> None:
        sentence, schedule = active.sentence, active.schedule
        await self._home.clock.sleep(schedule.begin_s)
        while True:
            began = self._home.clock.now()
            last = schedule.last_s if schedule.last_s is not None else LASTS_S.get((sentence.area, sentence.kind))
            effect = EFFECTS.get((sentence.area, sentence.kind))
            if effect is None:
                await self._state(active, last)
            else:
                async with effect(self._home, sentence, active.told):
                    if sentence.area == "line" and last is None:
                        await asyncio.get_running_loop().create_future()
                    elif last:
                        await self._home.clock.sleep(last)
            if schedule.every_s is None:
                return
            await self._home.clock.sleep(max(0.0, began + schedule.every_s - self._home.clock.now()))

    async def _state(self, active: _Active, last: float | None) -> None:
        """A state of the dongle, its line or the time: in force while ``active.seen`` is 1."""
        active.told("laid on")
        active.seen = 1
        self._hook()
        try:
            if last is None:
                await asyncio.get_running_loop().create_future()
            else:
                await self._home.clock.sleep(last)
        finally:
            active.seen = 0
            self._hook()

    # --- the seams

    def _of(self, *areas: str) -> tuple[_Active, ...]:
        return tuple(active for active in self._active.values() if active.sentence.area in areas)

    def _hook(self) -> None:
        """Put on each seam what is in force there, and nothing where nothing is."""
        home = self._home
        frames = {active.sentence.area for active in self._active.values() if active.frame is not None and active.condition is None}
        home.passages.lift(self._passing)
        if any(active.condition is not None for active in self._active.values()):
            home.passages.lay(self._passing)
        home.air.disturbance = self._han if "han" in frames else None
        if home.wan is not None:
            home.wan.shape = self._wan if "wan" in frames or self._of("clock") else None
        home.jig.data = _FaultyPair(self._pair, self) if "pair" in frames else self._pair
        if home.ncp is not None:
            faults = self._dongle()
            if faults != home.ncp.faults:
                home.ncp.faults = faults

    def _dongle(self) -> NcpFaults:
        shares: dict[str, float] = {}
        late, mute, silent = 0.0, False, False
        for active in self._of("tty", "dongle"):
            sentence = active.sentence
            if not active.seen:
                continue
            if sentence.area == "tty":
                end = sentence.word("to")
                for one in ("hub", "dongle") if end is None else (end,):
                    name = _TTY[sentence.kind, one]
                    shares[name] = max(shares.get(name, 0.0), sentence.number("PERCENT", 1.0))
            late = max(late, sentence.number("DURATION", 0.0) if sentence.kind == "late" else 0.0)
            mute, silent = mute or sentence.kind == "mute", silent or sentence.kind == "stuck"
        # The shares are numbers of fields that are numbers.
        return NcpFaults(**shares, late_s=late, mute=mute, silent=silent, seed=self._seed)  # type: ignore[arg-type]

    def arrivals(
        self,
        area: str,
        octets: bytes,
        source: Eui64 | None = None,
        target: Eui64 | None = None,
        to: str | None = None,
    ) -> tuple[Arrival, ...]:
        """Arrivals of a frame of ``area`` after every fault that applies to it."""
        arriving: tuple[Arrival, ...] = ((0.0, octets),)
        for active in self._of(area):
            fault = active.frame
            if fault is None or active.condition is not None or active.source not in (None, source) or active.target not in (None, target):
                continue
            end: Value | None = active.sentence.word("to") if area == "wan" else None
            if (end is not None and end != to) or not active.applies():
                continue
            active.told(
                fault.verb,
                octets=len(octets),
                sender=None if source is None else str(source),
                receiver=to if target is None else str(target),
            )
            arriving = tuple((late + more, out) for late, before in arriving for more, out in fault.apply(before, active.draw))
        return arriving

    async def _passing(self, passing: Passing) -> Sequence[Arrival]:
        """Arrivals of a message or frame after every fault and hook whose condition it fulfils."""
        arriving: tuple[Arrival, ...] = ((0.0, passing.octets),)
        for active in tuple(self._active.values()):
            if active.condition is not None and active.condition.holds(passing) and active.applies():
                acted = [(late, await active.act(before, passing)) for late, before in arriving]
                arriving = tuple((late + more, out) for late, each in acted for more, out in each)
        return arriving

    def _han(self, source: Eui64, target: Eui64, octets: bytes) -> Sequence[Arrival]:
        return self.arrivals("han", octets, source, target)

    def _wan(self, to: str, frame: WanFrame) -> Sequence[tuple[float, WanFrame]]:
        for active in self._of("clock"):
            if active.seen and frame.kind is WanKind.TIME:
                ahead = active.sentence.number("DURATION", 0)
                active.told("told a skewed time", seconds=ahead)
                frame = WanFrame(
                    frame.kind, frame.sequence, _UTC.pack((_UTC.unpack(frame.body)[0] + int(ahead)) % (1 << 32))
                )  # as its 32 bits go round
        arrived = []
        for late_s, body in self.arrivals("wan", frame.body or b"\x00", to=to):
            if body != (frame.body or b"\x00"):
                raise WanError("a record of the SM WAN connection does not verify")
            arrived.append((late_s, frame))
        return arrived


class _FaultyPair:
    """The host's end of the serial pair, over a line with faults."""

    def __init__(self, pair: DataLink, faults: Faults) -> None:
        self._pair, self._faults = pair, faults

    async def write(self, octets: bytes) -> None:
        for _, one in self._faults.arrivals("pair", octets):
            await self._pair.write(one)

    async def read(self, count: int, timeout_s: float) -> bytes:
        return await self._pair.read(count, timeout_s)

    async def set_line(self, line: LineProfile) -> None:
        await self._pair.set_line(line)
