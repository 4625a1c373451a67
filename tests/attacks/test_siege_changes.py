"""Changes of the search, and the thing that each makes of the honest one, layer by layer (siege_changes.txt)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_emu.console.layers import LayerKnowledge, explain_any
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from hil.attacks.siege import commands as commands_module
from hil.attacks.siege.meanings import _changed as meaning_changed
from hil.attacks.siege.outsiders import Outsiders, _Trial
from hil.attacks.siege.requests import SignedRequests
from hil.attacks.siege.search import Mutation, octets_changed
from hil.attacks.siege.siege import Siege

HONEST = bytes.fromhex("00112233445566778899")
XML = b'<sr:Request schemaVersion="5"><sr:A>first</sr:A><sr:B/><sr:C>42</sr:C><ds:Signature URI=""><x>abc</x></ds:Signature></sr:Request>'
OTHER = b'<sr:Request schemaVersion="5"><sr:D>other</sr:D><ds:Signature URI=""><x>def</x></ds:Signature></sr:Request>'
SEEN = ("020011", "41880f34120000a1b248020000a1b21e09")


def octets(changes: Sequence[Mutation]) -> Iterator[str]:
    changed = HONEST
    for change in changes:
        changed = octets_changed(changed, change)
    yield changed.hex()


def empty(changes: Sequence[Mutation]) -> Iterator[str]:
    yield octets_changed(b"", changes[0]).hex() or "nothing"


def frame(changes: Sequence[Mutation]) -> Iterator[str]:
    """Frames of an outsider, and their titles."""
    trial: Any = _Trial(changes)
    tokens = SimpleNamespace(pan=0x1234, short=0xB2A1)
    trial._meter = SimpleNamespace(stack=SimpleNamespace(nwk=SimpleNamespace(tokens=tokens)))
    trial._seen = [SimpleNamespace(octets=bytes.fromhex(one)) for one in SEEN]
    for sent in trial._hostile():
        try:
            title = explain_any(sent, LayerKnowledge(), "mac").tree.title
        except DecodeError as wrong:
            title = str(wrong)
        yield f"{sent.hex()} {title}"


def request(changes: Sequence[Mutation]) -> Iterator[str]:
    layer = object.__new__(SignedRequests)
    layer._other = OTHER
    changed = XML
    for change in changes:
        changed = layer._changed(changed, change)
    yield repr(changed.decode())


def meaning(changes: Sequence[Mutation]) -> Iterator[str]:
    changed = XML
    for change in changes:
        changed = meaning_changed(changed, change)
    yield repr(changed.decode())


LAYERS: dict[str, Callable[[Sequence[Mutation]], Iterator[str]]] = {one.__name__: one for one in (octets, empty, frame, request, meaning)}


def _written() -> dict[str, list[str]]:
    text = Path(__file__).with_name("siege_changes.txt").read_text(encoding="utf-8")
    return {asked: lines for asked, *lines in (section.rstrip("\n").splitlines() for section in text.split("\n# ")[1:])}


def changes_in(words: str) -> list[Mutation]:
    """Kind, place and number of each change."""
    parts = (one.strip().rsplit(" ", 2) for one in words.split(","))
    return [Mutation(kind, float(place), int(number)) for kind, place, number in parts]


WRITTEN = _written()


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    return Siege(tmp_path_factory.mktemp("siege"))


@pytest.mark.parametrize("asked", WRITTEN)
def test_a_change_makes_of_the_honest_thing_what_is_written(asked: str) -> None:
    layer, _, words = asked.partition(": ")
    assert list(LAYERS[layer](changes_in(words))) == WRITTEN[asked]


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ("code 0 0", ["0007 1000 of SUPPLIER, MAC"]),
        ("originator 0 0", ["0044 1000 of ROLE-0, MAC"]),
        ("originator 0 1", ["0044 1000 of ROLE-1, MAC"]),
        ("originator 0 -1", ["0044 1000 of STRANGER, MAC"]),
        ("another 0.9 4", ["0044 1000 of ACCESS_CONTROL_BROKER for STRANGER 4 4, MAC"]),
        ("another 0.8 3", ["0044 1000 of SUPPLIER for STRANGER 3 None, MAC"]),
        ("counter 0 7", ["0044 7 of SUPPLIER, MAC"]),
        ("counter 0.5 7", ["0044 117440512 of SUPPLIER, MAC"]),
        ("counter 0.999 65535", ["0044 9223231299366420480 of SUPPLIER, MAC"]),
        ("date 0 0", ["0044 1000 of SUPPLIER at 07ea010105000000ff800000, MAC"]),
        ("again 0 0", ["0044 1000 of SUPPLIER, MAC"] * 2),
        ("older 0 0, older 0 4", ["0044 1000 of SUPPLIER, MAC", "0044 999 of SUPPLIER, MAC", "0044 998 of SUPPLIER, MAC"]),
        ("counter 0 0, older 0 2", ["0044 0 of SUPPLIER, MAC", "0044 0 of SUPPLIER, MAC"]),
        ("sign 0 0", ["0044 1000 of SUPPLIER, signed, MAC"]),
        ("sign 0 0, bare 0 0", ["0044 1000 of SUPPLIER, signed"]),
        ("bare 0 0", ["0044 1000 of SUPPLIER"]),
        ("octet 0 0", ["not readable"]),
        ("bit 0.2 0", ["0044 16778216 of SUPPLIER, MAC"]),
    ],
)
def test_a_meter_is_sent_the_command_that_the_changes_say(
    siege: Siege, monkeypatch: pytest.MonkeyPatch, changes: str, messages: list[str]
) -> None:
    layer, heard = siege.commands(), list[str]()
    parties = list(layer.parties.items())
    names = {eui: role.name for role, eui in parties} | {commands_module.STRANGER: "STRANGER"}
    for number, (_, eui) in enumerate(parties[:2]):
        messages = [one.replace(f"ROLE-{number}", names[eui]) for one in messages]

    def told(sent: bytes) -> str:
        try:
            message = Message.decode(sent)
        except DecodeError:
            return "not readable"
        head = message.header
        other = head.other
        behalf = f" for {names[other.supplementary_party]} {other.supplementary_counter} " if other.supplementary_party else ""
        behalf += str(other.supplementary_originator_counter) if behalf else ""
        at = f" at {head.date_time.hex()}" if head.date_time else ""
        ends = (", signed" if message.signature else "") + (", MAC" if message.mac else "")
        return f"{other.message_code:04x} {head.counter} of {names[head.originator]}{behalf}{at}{ends}"

    device = SimpleNamespace(receive=lambda sent: heard.append(told(sent)))
    monkeypatch.setattr(commands_module, "GbcsDevice", lambda *_: device)
    layer.judge(changes_in(changes))
    assert heard == messages


def test_each_kind_of_change_of_an_outsider_is_written() -> None:
    written = {change.kind for asked in WRITTEN if asked.startswith("frame: ") for change in changes_in(asked.partition(": ")[2])}
    assert written >= set(Outsiders.kinds) - {"sleepy"}
