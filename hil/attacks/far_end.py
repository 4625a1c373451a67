"""Attacks on the DCC: messages that a meter which turned sends through its own tunnel, and service requests that no user's system makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_signature
from firmware_emu.ids import CraFlag, Eui64
from hil.attacks.arena import Arena, Attack, AttackOutcome, expects
from hil.attacks.mutations import field_offsets, flipped, spread, truncated
from hil.dcc.base.results import Refusal

DCC, GATEWAY = "DCC, head end", "DCC, gateway"
_DROPS = expects(AttackOutcome.REFUSED, AttackOutcome.SILENCE)


def _alert(arena: Arena) -> Message:
    """An honest alert of the meter, made with its own key and a fresh counter; it is not sent."""
    octets = arena.esme.gbcs.alert(0x8F1F)
    return Message.decode(octets)


def _cut(arena: Arena) -> Iterator[bytes]:
    octets = _alert(arena).encode()
    yield from truncated(octets, field_offsets(octets)[1:])


def _flips(arena: Arena) -> Iterator[bytes]:
    octets = _alert(arena).encode()
    yield from flipped(octets, field_offsets(octets))


def _signed_by_gas_meter(arena: Arena) -> Iterator[bytes]:
    key = arena.station.keystore.private_key(arena.gsme.eui64, KeyUsage.DIGITAL_SIGNATURE)
    yield with_signature(replace(_alert(arena), signature=None), key).encode()


def _of_another(arena: Arena) -> Iterator[bytes]:
    alert = _alert(arena)
    for originator in (arena.gsme.eui64, arena.journey.chf, Eui64.parse("02bad00000000003")):
        yield replace(alert, header=replace(alert.header, originator=originator)).encode()


def _response_unasked(arena: Arena) -> Iterator[bytes]:
    """An honest response, again; with a counter that nobody asked with; a bit flipped in its MAC."""
    octets = arena.answers["ESME"]
    yield octets
    message = Message.decode(octets)
    yield replace(message, header=replace(message.header, counter=message.header.counter + 5_000)).encode()
    yield from flipped(octets, range(len(octets) - 12, len(octets)))


def _command(arena: Arena) -> Iterator[bytes]:
    """A command upwards: to the DCC, and to another Device of the home by way of it."""
    message = Message.decode(arena.honest["ESME"])
    broker = arena.station.board.parties.access_control_broker
    for recipient in (broker, arena.gsme.eui64):
        header = replace(message.header, cra=CraFlag.COMMAND, originator=arena.esme.eui64, recipient=recipient)
        yield replace(message, header=header).encode()


_MESSAGES: tuple[tuple[str, str, frozenset[AttackOutcome], Callable[[Arena], Iterator[bytes]]], ...] = (
    ("alert-cut", "an alert cut at each field", _DROPS, _cut),
    ("alert-flipped", "a bit flipped in each field of an alert", _DROPS, _flips),
    ("alert-mis-signed", "an alert of the meter, signed by the gas meter", expects(AttackOutcome.REFUSED), _signed_by_gas_meter),
    ("alert-of-another", "an alert in the name of another Device, or of none", expects(AttackOutcome.REFUSED), _of_another),
    ("response-unasked", "a response again, one that nobody asked for, one with a wrong MAC", _DROPS, _response_unasked),
    ("command-upwards", "a command to the DCC, and one to the gas meter by way of the hub", _DROPS, _command),
)


def _xml(arena: Arena) -> bytes:
    return arena.station.dcc.gateway.accepted()[-1][1]


def _xml_cut(arena: Arena) -> Iterator[bytes]:
    xml = _xml(arena)
    yield from truncated(xml, spread(xml, 20)[:-1])


def _xml_changed(arena: Arena) -> Iterator[bytes]:
    xml = _xml(arena)
    for old, new in ((b"<sr:CommandVariant>1<", b"<sr:CommandVariant>2<"), (b"SignatureValue>", b"SignatureValue>A")):
        yield xml.replace(old, new, 1)


def _xml_replayed(arena: Arena) -> Iterator[bytes]:
    yield _xml(arena)


def _xml_bomb(arena: Arena) -> Iterator[bytes]:
    yield b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><r>&b;</r>'
    yield b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
    yield b"<a>" * 5_000 + b"</a>" * 5_000
    yield b""
    yield b"\x00\xff\xfe"


def _xml_split(arena: Arena) -> Iterator[bytes]:
    """Comments and instructions inside values, which a signature does not see, and text that stands beside elements."""
    xml = _xml(arena)
    value = re.compile(rb">[^<>\s]{3,}(?=</)")
    for found in list(value.finditer(xml))[:8]:
        for inside in (b"<!---->", b"<?x y?>"):
            at = found.start() + 2
            yield xml[:at] + inside + xml[at:]


def _xml_wrapped(arena: Arena) -> Iterator[bytes]:
    """The signature of another request, a reference to a part, an object beside it, a schema version that is not served."""
    xml = _xml(arena)
    others = [one for _, one in arena.station.dcc.gateway.accepted() if one != xml]
    cut = xml.index(b"<ds:Signature")
    for other in others[-2:]:
        yield xml[:cut] + other[other.index(b"<ds:Signature") :]
    yield xml.replace(b'URI=""', b'URI="#x"', 1)
    yield xml.replace(b"</ds:Signature>", b"<ds:Object/></ds:Signature>", 1)
    for version in (b"5.3", b"99.9"):
        yield xml.replace(b'schemaVersion="5.4"', b'schemaVersion="' + version + b'"', 1)


_REQUESTS: tuple[tuple[str, str, Callable[[Arena], Iterator[bytes]]], ...] = (
    ("xml-cut", "a signed request cut at twenty places", _xml_cut),
    ("xml-changed", "a signed request with a value changed, with its signature changed", _xml_changed),
    ("xml-split", "a comment or an instruction inside a value of a signed request", _xml_split),
    ("xml-wrapped", "a signature of another request or over something else, another schema version", _xml_wrapped),
    ("xml-replayed", "an accepted request, again", _xml_replayed),
    ("xml-bomb", "entities that grow or point to files, nesting without end, no XML at all", _xml_bomb),
)


def attacks() -> Iterator[Attack]:
    """By the meter, then by somebody at the gateway."""
    for name, how, outcomes, make in _MESSAGES:

        async def tunnel(arena: Arena, make: Callable[[Arena], Iterator[bytes]] = make) -> int:
            count = 0
            for octets in make(arena):
                await arena.try_to(arena.esme.transfer(octets))
                count += 1
            return count

        yield Attack(f"dcc/{name}", "GBCS to the DCC", DCC, how, outcomes | {AttackOutcome.NOT_TAKEN}, tunnel)
    for name, how, requests in _REQUESTS:

        async def ask(arena: Arena, requests: Callable[[Arena], Iterator[bytes]] = requests) -> int:
            count, gateway = 0, arena.station.dcc.gateway
            for octets in requests(arena):
                try:
                    request = gateway.read(octets)
                    found = request if isinstance(request, Refusal) else gateway.receive(request)
                except CommsHubError as problem:
                    arena.tell(AttackOutcome.REFUSED, f"gateway: {problem}")
                else:
                    if isinstance(found, Refusal):
                        arena.tell(AttackOutcome.REFUSED, f"gateway: {found.check} {found.code}: {found.value}"[:160])
                    else:
                        arena.tell(AttackOutcome.ANSWERED, "gateway: accepted")
                count += 1
            return count

        yield Attack(f"dcc/{name}", "DUIS", GATEWAY, how, expects(AttackOutcome.REFUSED), ask)
