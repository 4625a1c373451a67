"""Attacks as values, and their arena: a commissioned home, what its parts say of an attack, and what must be true after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from firmware_emu.device import joins
from firmware_emu.device.profile import may_come_again
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record
from hil.bench.station import Station
from hil.dcc.base.results import Outcome as Answer
from hil.devices.base.han_device import HanDevice
from hil.devices.esme.esme import Esme
from hil.devices.gsme.gsme import Gsme
from hil.devices.ihd import Ihd
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps
from hil.journeys.strategy import State
from hil.radio.air.air import MacFrame
from hil.radio.nodes.node import StackNode
from hil.radio.stack.stack import Stack


class AttackOutcome(StrEnum):
    """Conduct of the target at a hostile message."""

    REFUSED = "refused"
    """It says why, in its trace: the record of the security log of whoever watches the bench."""
    ANSWERED = "answered with a status"
    """It answers with the status that the specification asks for; nothing was done."""
    SILENCE = "silence"
    """It drops the message; at most a counter of its radio tells."""
    LINK_ENDED = "link ended"
    """The link it came by is ended and made anew."""
    NOT_TAKEN = "not taken"
    """The sender is told by its own layer that nobody took it."""
    REPEATED = "taken for a repeat"
    """Acknowledged again, and not handed on."""


@dataclass(frozen=True, slots=True)
class Attack:
    """``name`` is its own among all; ``how`` says what is sent; ``expects`` are the outcomes it may have, ``act`` sends it.

    ``act`` returns how many messages it sent, and may tell the arena of statuses that the attacker itself was given.
    """

    name: str
    layer: str
    target: str
    how: str
    expects: frozenset[AttackOutcome]
    act: Callable[[Arena], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class AttackResult:
    """``outcomes``: what the target did; ``evidence``: its own words, each once; ``wrong``: what did not hold, in sentences."""

    name: str
    layer: str
    target: str
    how: str
    sent: int
    outcomes: tuple[str, ...]
    evidence: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Nothing was executed, lost or ended by it, and the outcome is one that was expected."""
        return not self.wrong


def expects(*outcomes: AttackOutcome) -> frozenset[AttackOutcome]:
    return frozenset(outcomes)


def named(attacks: Iterable[Attack], names: tuple[str, ...]) -> tuple[Attack, ...]:
    """Those whose name is, or begins with, one of ``names``; all where none is given."""
    found = tuple(attacks)
    return tuple(one for one in found if any(one.name == name or one.name.startswith(f"{name}/") for name in names)) if names else found


_SETTLES_S = 3.0
_EVENTS = {
    "refused": AttackOutcome.REFUSED,
    "lost": AttackOutcome.LINK_ENDED,
    "repeated": AttackOutcome.REPEATED,
    "undelivered": AttackOutcome.REFUSED,
    "discarded": AttackOutcome.REFUSED,
    "not established": AttackOutcome.REFUSED,
    "dropped": AttackOutcome.REFUSED,
    "failed": AttackOutcome.ANSWERED,
}
"""Events of the trace that say what became of a hostile message."""
_COUNTED = frozenset(
    {
        "aps_bad_frame",
        "aps_duplicate",
        "aps_frame_counter_failure",
        "aps_link_key_not_authorized",
        "aps_no_endpoint",
        "aps_unsecured",
        "bad_beacon",
        "bad_command",
        "nwk_bad_frame",
        "nwk_counter_failure",
        "nwk_decryption_failure",
        "zdo_bad_frame",
    }
)
"""Counters of a radio that say a frame was dropped, and for what."""
_INSIDER = frozenset({"APS", "ZCL", "tunnel", "key establishment"})
"""Layers at which the home's own IHD attacks."""
_WATCHED = frozenset({"dcc", "wan", "hub", "han", "device"})


class Arena:
    """One commissioned home with an honest and a hostile side."""

    def __init__(self, station: Station, records: list[Record]) -> None:
        self.station = station
        self.records = records
        self.journey = HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records)
        self.esme, self.gsme, self.ihd = station.one(Esme), station.one(Gsme), station.one(Ihd)
        self.air: list[MacFrame] = []
        self.honest: dict[str, bytes] = {}
        """An honest command to each target, executed already."""
        self.answers: dict[str, bytes] = {}
        """An honest response of each target."""
        self.told: list[tuple[AttackOutcome, str]] = []
        """Answers that the attacker itself got, for the attack under way."""
        self.crashes: list[str] = []

    async def prepare(self) -> None:
        """Install and commission the home, and gather honest messages."""
        asyncio.get_running_loop().set_exception_handler(self._crashed)
        await self.journey.reach(State.PAIRED)
        leave = self.station.air.capture(self.air.append)
        for target in self.targets:
            outcome = await self.ask(target)
            if not outcome.ok:
                raise CommsHubError(f"the honest message to {target} is not answered: {outcome.why}")
            for message in outcome.messages:
                if message.name == "command":
                    self.honest[target] = message.octets
                elif message.name == "response":
                    self.answers[target] = message.octets
        leave()

    @property
    def targets(self) -> dict[str, Eui64]:
        """The Devices that take GBCS messages, by what they are called in tables."""
        board = self.station.board
        return {"CHF": board.hub.chf, "GPF": board.hub.gpf, "ESME": self.esme.eui64, "GSME": self.gsme.eui64}

    def _crashed(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A task or callback of the bench ended with an exception that nobody caught."""
        problem = context.get("exception")
        self.crashes.append(f"{type(problem).__name__}: {problem}" if problem is not None else str(context["message"]))

    # --- the honest side

    async def ask(self, target: str) -> Answer:
        """An honest service request that the target has to answer."""
        if target == "GSME":
            asking = asyncio.create_task(self.journey.ask("4.1.1", self.gsme.eui64, wait_s=7200))
            for _ in range(4):
                await self.station.clock.sleep(1)
                await self.gsme.wake()
                if asking.done():
                    break
            return await asking
        return await self.journey.ask("8.9" if target == "CHF" else "4.1.1", self.targets[target])

    def state(self) -> dict[str, object]:
        """State that no attack may change."""
        hub = self.station.hub
        assert hub is not None
        return {
            "the load switch": self.esme.load_switch,
            "the valve": self.gsme.valve,
            "the CHF Device Log": {entry.device: entry.key_hash for entry in hub.status.device_log},
            "the network": (hub.status.network.pan_id, hub.status.network.network_key) if hub.status.network is not None else None,
            "the meter's joins": tuple(entry.device_id for entry in joins.entries(self.esme.gbcs)),
        }

    @staticmethod
    def stack_of(device: HanDevice) -> Stack:
        """The simulated radio of a Device."""
        assert isinstance(device.node, StackNode)
        return device.node.stack

    def counted(self) -> dict[str, int]:
        """Counters of the radios of hub and meter so far: a frame that is dropped below the firmware leaves no other trace."""
        ncp = self.station.ncp
        stacks = {"hub's radio": ncp.ncp.stack if ncp is not None else None, "meter's radio": self.stack_of(self.esme)}
        return {
            f"{who}: {name}": count
            for who, stack in stacks.items()
            if stack is not None
            for name, count in stack.nwk.mac.counters.items()
            if name in _COUNTED
        }

    def fresh(self, originator: Eui64) -> int:
        """The next counter of an originator."""
        return self.station.dcc.counters.next(originator)

    # --- the hostile side

    def post(self, octets: bytes) -> None:
        """A message to the hub down the SM WAN, as the DCC's head end or somebody in its place would send it."""
        self.station.dcc.head_end.post(self.journey.chf, octets)

    def tell(self, outcome: AttackOutcome, evidence: str) -> None:
        """The attacker's own layer told it something."""
        self.told.append((outcome, evidence))

    async def try_to(self, work: Awaitable[object]) -> None:
        """Something that the attacker's own layer may say no to."""
        try:
            async with asyncio.timeout(30):
                await work
        except (CommsHubError, TimeoutError) as problem:
            self.tell(AttackOutcome.NOT_TAKEN, str(problem) or type(problem).__name__)

    # --- judging

    async def run(self, attack: Attack) -> AttackResult:
        """Carry out an attack, look at what came of it, and have the target answer an honest message."""
        before, first, counted = self.state(), len(self.records), self.counted()
        self.told.clear()
        self.crashes.clear()
        sent = await attack.act(self)
        await self.station.clock.sleep(_SETTLES_S)
        if attack.target == "GSME":
            await self.gsme.wake()
            await self.gsme.wake()
            await self.station.clock.sleep(_SETTLES_S)
        wrong: list[str] = []
        found = self._found(first, by_insider=attack.layer in _INSIDER)
        rose = {name: count - counted.get(name, 0) for name, count in self.counted().items() if count > counted.get(name, 0)}
        outcomes = {outcome for outcome, _ in found} or {AttackOutcome.SILENCE}
        if unexpected := outcomes - attack.expects:
            wrong.append(f"came to {', '.join(sorted(unexpected))}: expected {', '.join(sorted(attack.expects))}")
        wrong += [f"executed: {record.source} {record.message}" for record in self.records[first:] if self._executed(record)]
        wrong += await self._still_well(attack, before)
        return AttackResult(
            attack.name,
            attack.layer,
            attack.target,
            attack.how,
            sent,
            tuple(sorted(outcomes)),
            tuple(dict.fromkeys(evidence for _, evidence in found))[:6] + tuple(f"{name} +{count}" for name, count in sorted(rose.items())),
            tuple(wrong),
        )

    @staticmethod
    def _executed(record: Record) -> bool:
        done = record.area == "device" and record.event == "executed" and record.detail.get("success") is not False
        return done and not may_come_again(record)

    async def _still_well(self, attack: Attack, before: dict[str, object]) -> list[str]:
        station = self.station
        try:
            await station.until("the hub", lambda: station.hub is not None and station.hub.status.network is not None, 300)
            await station.until("the SM WAN", lambda: station.dcc.head_end.connected(self.journey.chf), 300)
        except CommsHubError as problem:
            return [f"the hub does not go on: {problem}"]
        after = self.state()
        wrong = [f"{name} changed" for name in before if before[name] != after[name]]
        wrong += [f"crashed: {crash}" for crash in self.crashes]
        for target in {"ESME", attack.target} & set(self.targets):
            answer = await self.ask(target)
            if not answer.ok:
                wrong.append(f"the next honest message to {target} was not answered: {answer.why}")
        return wrong

    def _found(self, first: int, *, by_insider: bool) -> list[tuple[AttackOutcome, str]]:
        """Outcomes of hostile messages in the trace since that record, and the attacker's answers; the IHD, if it is the attacker."""
        found = list(self.told)
        for record in self.records[first:]:
            outcome = _EVENTS.get(record.event)
            said_by_hub = record.area == "han" and record.source == "hub" and record.event == "sent"
            if by_insider and said_by_hub and record.target == str(self.ihd.eui64):
                what = f"{record.detail.get('cluster')} {record.detail.get('command')}"
                found.append((AttackOutcome.ANSWERED, f"hub answered {what} {(record.data or b'').hex()[:24]}"))
            if record.event == "executed" and (record.detail.get("success") is False or may_come_again(record)):
                outcome = AttackOutcome.ANSWERED
            if outcome is None or record.area not in _WATCHED:
                continue
            words = [str(record.detail[key]) for key in ("step", "reason", "rule", "value") if record.detail.get(key)]
            found.append((outcome, f"{record.source.split()[0]}: {' '.join(words) or record.event}"))
        return found


async def arena_of(station: Station, records: list[Record]) -> Arena:
    """An arena that is prepared."""
    arena = Arena(station, records)
    await arena.prepare()
    return arena


Each = Callable[[Arena], Awaitable[int]]


def counter_of(octets: bytes) -> int:
    """The originator counter of a message."""
    return Message.decode(octets).header.counter
