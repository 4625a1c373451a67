"""An attack sends what it says: each octet of it, with its title in the words of ``explain`` (hostile_octets.txt)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from firmware_emu.clock import Clock
from firmware_emu.console.layers import LayerKnowledge, explain_any
from firmware_emu.errors import DecodeError
from firmware_emu.han.base import ApsFrame
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanFrame, WanKind
from hil.attacks import radio, serial, wan
from hil.attacks.arena import Arena, Attack
from hil.radio.air.frames import ApsPdu

METER, HUB, DISPLAY = (Eui64.parse(text) for text in ("00124b0000000e01", "00124b0000000b01", "00124b0000000d01"))
HONEST = (
    "008077341200 00ff4f0000",  # a beacon, which is no data
    "41880d34120000a1b248000000a1b21e074001",  # data without security
    "41880e34120000a1b248020000a1b21e08280500000001",  # sealed, and cut where the longer one is not
    "41880f34120000a1b248020000a1b21e092806000000010e0000004b120000aabbccddeeff",
)
SHOWN = 36
"""Messages of an attack that are told one by one."""


class Home:
    """The doors of a home that an attack knocks at; each message is written down as it comes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.esme, self.gsme = SimpleNamespace(eui64=METER), SimpleNamespace(eui64=Eui64(bytes(8)))
        self.ihd = SimpleNamespace(eui64=DISPLAY, descriptors=(SimpleNamespace(endpoint=1),), node=SimpleNamespace(send=self._aps))
        self.journey = SimpleNamespace(gpf=HUB, chf=HUB)
        self.air = [SimpleNamespace(octets=bytes.fromhex(text)) for text in HONEST]
        head_end = SimpleNamespace(post_image=lambda chf, body: self._wan(WanFrame(WanKind.IMAGE, 0, body)))
        self.station = SimpleNamespace(
            board=SimpleNamespace(hub=SimpleNamespace(channel=20)),
            air=SimpleNamespace(inject=self._injected),
            keystore=SimpleNamespace(cbke=lambda eui: SimpleNamespace(certificate=eui.octets * 6)),
            clock=Clock(warp=True),
            dcc_wan=SimpleNamespace(send=self._sent),
            dcc=SimpleNamespace(head_end=head_end),
        )

    def stack_of(self, device: object) -> object:
        aps = SimpleNamespace(next_sequence=lambda: 33, send=self._pdu)
        return SimpleNamespace(tokens=SimpleNamespace(pan=0x1234, short=0xB2A1), aps=aps)

    async def try_to(self, work: Awaitable[object]) -> None:
        await work

    def post(self, octets: bytes) -> None:
        self._wan(WanFrame(WanKind.MESSAGE, 0, octets))

    def tell(self, outcome: str, evidence: str) -> None:
        self.lines.append(f"told: {outcome}, {evidence}")

    def say(self, octets: bytes, way: str, layer: str, cluster: int | None = None) -> None:
        try:
            title = "longer than any frame" if len(octets) > 256 else explain_any(octets, LayerKnowledge(cluster=cluster), layer).tree.title
        except DecodeError:
            title = "not readable"
        mark = "" if len(octets) <= 64 else f"... {len(octets)} octets, {hashlib.sha256(octets).hexdigest()[:8]}"
        self.lines.append(f"{way}{octets[:64].hex()}{mark} {title}")

    def _injected(self, rogue: radio.RogueRadio, octets: bytes) -> None:
        assert (rogue.channel, rogue.listening, rogue.hears(0x1234, 0), rogue.pending_for(0)) == (20, False, False, False)
        self.say(octets, "", "mac")

    async def _aps(self, to: Eui64, frame: ApsFrame) -> None:
        ends = f"{frame.cluster:04x} {frame.source_endpoint} to {frame.destination_endpoint} of {to}{' secured' if frame.secured else ''} "
        self.say(frame.payload, ends, "zcl", frame.cluster)

    def _pdu(self, to: int, pdu: ApsPdu, done: Callable[[object], None]) -> None:
        done(None)
        self.say(pdu.encode(), f"{to:04x} ", "aps")

    def _wan(self, frame: WanFrame) -> None:
        self.lines.append(f"{frame.kind.name} {frame.sequence} {frame.body[:24].hex()} {len(frame.body)} octets")

    async def _sent(self, frame: WanFrame) -> None:
        self._wan(frame)


def attacks() -> dict[str, Attack]:
    """The attacks of the three doors by name, made anew."""
    return {one.name: one for module in (radio, serial, wan) for one in module.attacks()}


async def sent(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The attack's own words, and what comes to the doors."""
    home = Home()
    dongle = SimpleNamespace(
        say=lambda octets: home.say(octets, "to the hub ", "ash"),
        octets=lambda octets: home.say(octets, "to the dongle ", "ash"),
        say_frame=lambda octets: home.say(octets, "in a frame to the hub ", "ezsp"),
    )
    monkeypatch.setattr(serial, "dongle_of", lambda station: dongle)
    count = await attack.act(cast(Arena, home))
    more = [f"and {len(home.lines) - SHOWN} more"] if len(home.lines) > SHOWN else []
    expected = ", ".join(sorted(attack.expects))
    return [f"{attack.layer} at {attack.target}: {attack.how}", f"{count} sent, expects {expected}", *home.lines[:SHOWN], *more]


def _written() -> dict[str, list[str]]:
    text = Path(__file__).with_name("hostile_octets.txt").read_text(encoding="utf-8")
    return {name: lines for name, *lines in (section.rstrip().splitlines() for section in text.split("\n# ")[1:])}


WRITTEN = _written()


def test_every_attack_over_air_line_and_wan_is_written_down() -> None:
    assert list(WRITTEN) == list(attacks())


@pytest.mark.parametrize("name", WRITTEN)
async def test_an_attack_sends_what_it_says(name: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await sent(attacks()[name], monkeypatch) == WRITTEN[name]
