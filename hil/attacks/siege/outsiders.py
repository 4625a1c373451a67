"""Radio frames of somebody without a key, on the air of a hub and a meter: nothing that the two know of each other changes by them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Final

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.attacks.radio import RogueRadio
from hil.attacks.siege.search import Mutation, octets_changed
from hil.radio.air.air import Air, Link, MacFrame
from hil.radio.air.frames import ApsCommand, ApsKind, ApsPdu, MacCommand, MacKind, MacPdu, NwkCommand, NwkPdu
from hil.radio.nodes.node import StackNode
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy

HUB: Final = Eui64.parse("02c4b00000000002")
METER: Final = Eui64.parse("02e53e0000000001")
LINK_KEY: Final = bytes(range(16))
CHANNEL: Final = 20
_START: Final = datetime(2026, 1, 5, tzinfo=UTC)
_COMMANDS: Final = tuple(bytes([one]) for one in (*NwkCommand, 0, 0x0A, 0x20))
_TAILS: Final = (b"\x8e", b"\x80", b"\x00", b"\x40", b"\x60", b"\x00\x00\x01\x42\x42\x00", b"\x01\x42\x42", b"\x42\x42\x00")
_KEY: Final = bytes([ApsCommand.TRANSPORT_KEY, 1]) + bytes(16) + b"\x01" + METER.zigbee + HUB.zigbee
_PAYLOADS: Final = (
    b"\x40\x01\x04\x07\x09\x01\x01\x09",
    b"\x40\x01\x02\x07\x09\x01\x01\x09",
    b"\x01\x09" + _KEY,
    b"\x01\x0a" + bytes([ApsCommand.REMOVE_DEVICE]) + METER.zigbee,
    b"\x01\x0b" + bytes([ApsCommand.UPDATE_DEVICE]) + METER.zigbee + b"\x42\x42\x03",
    b"\x01\x0c" + bytes([ApsCommand.SWITCH_KEY, 1]),
    b"\x00\x00\x13\x00\x00\x00\x00\x01\x00" + b"\x42\x42" + METER.zigbee + b"\x8e",
    b"\x00\x00\x13\x00\x00\x00\x00\x01\x00" + b"\x42\x42" + HUB.zigbee + b"\x8e",
)
"""Data, a network key, a removal, an update, a switch of keys, announcements in the names of meter and hub: all in clear."""


class BesiegedCentre:
    """The user of the hub's stack; what it is told is not asked for here."""

    def __init__(self, air: Air) -> None:
        self.stack = Stack(air, Tokens(HUB), self)
        self.stack.endpoints[1] = SimpleDescriptor(1, 0x0508, (0x000A, 0x0019), (0x0702,))
        self.heard: list[bytes] = []

    def incoming(self, message: IncomingApdu) -> None:
        if message.pdu.profile:
            self.heard.append(message.pdu.payload)

    def key_told(self, partner: Eui64, status: int) -> None:
        """Not looked at, as all that follow."""

    def stack_status(self, status: Status) -> None: ...

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None: ...

    def child_join(self, device: Eui64, child: Child, joining: bool) -> None: ...

    def polled(self, short: int) -> None: ...

    def inter_pan(self, frame: MacPdu, link: Link) -> None: ...

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None: ...

    def key_switched(self, sequence: int) -> None: ...


class Outsiders:
    """Frames of an outsider between honest ones."""

    kinds = ("payload", "command", "short", "name", "meter", "mac", "octet", "replay", "again", "sealed", "knock", "sleepy")

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        return Clock(start=_START, warp=True).run(_Trial(changes).run())


class _Trial:
    """One network, one hostile frame and its repeats, and what is true after it."""

    def __init__(self, changes: Sequence[Mutation]) -> None:
        self._changes = changes

    async def run(self) -> str | None:
        loop, crashes = asyncio.get_running_loop(), list[str]()
        loop.set_exception_handler(lambda _, context: crashes.append(repr(context.get("exception") or context["message"])))
        self._air = Air(Clock(warp=True), 1)
        hub = self._hub = BesiegedCentre(self._air)
        meter = self._meter = StackNode(self._air, METER, channels=(CHANNEL,))
        meter.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0702,), (0x000A,)))
        read: list[bytes] = []
        meter.receiver = lambda sender, frame: read.append(frame.payload)
        hub.stack.form(HUB, 0x1234, CHANNEL, 8, 0)
        hub.stack.trust.policy = Policy.ALLOW_JOINS | Policy.JOINS_USE_INSTALL_CODE_KEY
        hub.stack.trust.permit_key(METER, LINK_KEY)
        hub.stack.permit(60)
        sleepy = any(change.kind == "sleepy" for change in self._changes)
        await meter.join(LINK_KEY, extended_pan_id=HUB, sleepy=sleepy)
        hub.stack.permit(0)
        self._seen: list[MacFrame] = []
        leave = self._air.capture(self._seen.append)
        await meter.send(HUB, ApsFrame(0x0702, b"reading", 1, 1, True))
        await asyncio.sleep(1)
        leave()
        before = self._state()
        rogue = RogueRadio(CHANNEL)
        for octets in self._hostile():
            self._air.inject(rogue, octets)
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        wrong = [f"{name} changed from {before[name]} to {now}" for name, now in self._state().items() if before[name] != now]
        if wrong:
            return wrong[0]
        hub.heard.clear()
        await meter.send(HUB, ApsFrame(0x0702, b"after", 1, 1, True))
        await asyncio.sleep(1)
        if b"after" not in hub.heard:
            return "the meter's next message does not arrive"
        if await self._sent(b"command") is not Status.SUCCESS:
            return "the hub's next message does not arrive"
        await asyncio.sleep(8 if sleepy else 1)
        if read != [b"command"]:
            return f"the meter read {read}"
        return f"crashed: {crashes[0]}" if crashes else None

    def _state(self) -> dict[str, object]:
        """Knowledge that hub and meter have of each other and of their network; counters go on, so they are not here."""
        found: dict[str, object] = {}
        for who, stack, partner in (("hub", self._hub.stack, METER), ("meter", self._meter.stack, HUB)):
            nwk, tokens = stack.nwk, stack.nwk.tokens
            short = nwk.shorts.get(partner)
            found |= {
                f"the {who}'s address of the other": (short, nwk.addresses.get(short if short is not None else -1)),
                f"the {who}'s own address": (tokens.pan, tokens.short, tokens.channel, tokens.parent, tokens.parent_short),
                f"the {who}'s network key": (tokens.network_key, tokens.key_sequence, tokens.alternate_key),
                f"the {who}'s link keys": tuple(sorted((str(eui), key) for eui, key in tokens.link_keys.values())),
                f"the {who}'s children": tuple(
                    (str(eui), child.short, child.capability) for eui, child in tokens.children.items() if child.authenticated
                ),
                f"the {who}'s route to the other": nwk.first_hop(short) if short is not None else None,
            }
        return found

    async def _sent(self, payload: bytes) -> Status:
        ended: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        stack = self._hub.stack
        pdu = ApsPdu(
            ApsKind.DATA,
            stack.aps.next_sequence(),
            secured=True,
            ack_request=True,
            destination_endpoint=1,
            cluster=0x0702,
            profile=0x0109,
            source_endpoint=1,
            payload=payload,
        )
        status = stack.aps.send(stack.nwk.shorts[METER], pdu, ended.set_result)
        return status if status is not Status.SUCCESS else await asyncio.wait_for(ended, 60)

    def _hostile(self) -> list[bytes]:
        """The frame in the meter's name, in clear and from another short address, with the changes made; and its repeats."""
        tokens = self._meter.stack.nwk.tokens
        npdu = NwkPdu(0, 0x4242, 5, 9, command=False, secured=False, source_eui=METER, payload=_PAYLOADS[0])
        mac = MacPdu(MacKind.DATA, 77, tokens.pan, 0, None, 0x4242, True, False)
        times, whole, last = 1, b"", list[Mutation]()
        for change in self._changes:
            number = change.number
            match change.kind:
                case "payload":
                    npdu = replace(npdu, command=False, payload=_PAYLOADS[number % len(_PAYLOADS)])
                case "command":
                    command = _COMMANDS[number % len(_COMMANDS)] + _TAILS[int(change.place * len(_TAILS))]
                    npdu = replace(npdu, command=True, payload=command)
                case "short":
                    short = (tokens.short, 0, 0x4242, 0xFFFF, 0xFFFD, number)[int(change.place * 6)]
                    npdu, mac = (replace(npdu, source=short), mac) if number % 3 else (npdu, replace(mac, source=short))
                case "name":
                    npdu = replace(npdu, source_eui=(HUB, METER, None)[number % 3], destination_eui=(METER, None)[number % 2])
                case "meter":  # to the meter, as if from the hub
                    npdu = replace(npdu, destination=tokens.short, source=(0, 0x4242)[number % 2], source_eui=HUB)
                    mac = replace(mac, destination=tokens.short, source=npdu.source)
                case "mac":
                    mac = replace(
                        mac, destination=(0xFFFF, 0, METER, HUB)[number % 4], source=(METER, HUB, 0, tokens.short)[number >> 2 & 3]
                    )
                case "sealed":
                    npdu = replace(npdu, secured=True, payload=_auxiliary(number) + npdu.payload)
                case "knock":
                    knock = bytes([tuple(MacCommand)[number % len(MacCommand)]]) + b"\x8e\x42\x42\x00"
                    whole = replace(mac, kind=MacKind.COMMAND, source=(METER, HUB)[number >> 8 & 1], payload=knock).encode()
                case "replay":
                    whole = self._seen[number % len(self._seen)].octets
                case "again":
                    times += 1 + number % 3
                case "octet":
                    last.append(change)
        octets = whole or replace(mac, payload=npdu.encode()).encode()
        sent = []
        for number in range(times):
            out = octets[:2] + bytes([octets[2] + 101 * number & 0xFF]) + octets[3:]  # else the MAC takes it for a repeat
            for change in last:
                out = octets_changed(out, replace(change, kind=("set", "flip", "drop", "put")[change.number >> 8 & 3]))
            sent.append(out)
        return sent


def _auxiliary(number: int) -> bytes:
    """A security header that says the network key was used, with a counter far ahead."""
    random = Random(number)
    return b"\x28" + random.choice((b"\xff\xff\xff\x7f", bytes(4))) + random.choice((METER, HUB)).zigbee + bytes([number & 1])
