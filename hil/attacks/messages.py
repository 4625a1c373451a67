"""Attacks with GBCS messages: envelope, protection and payload, at each Device that takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbt import TransferBlock
from firmware_emu.gbcs.protect import with_mac, with_signature
from firmware_emu.ids import CraFlag, Eui64
from hil.attacks.arena import Arena, Attack, AttackOutcome, expects
from hil.attacks.mutations import field_offsets, flipped, spread, truncated

TARGETS = ("CHF", "GPF", "ESME", "GSME")
STRANGER = Eui64.parse("02bad00000000001")
_LONGEST = 20_000
_DROPS = expects(AttackOutcome.REFUSED, AttackOutcome.SILENCE)
_REFUSES = expects(AttackOutcome.REFUSED)
_COMES_AGAIN = expects(AttackOutcome.REFUSED, AttackOutcome.ANSWERED)
"""A read has no protection against replay: it is answered again and changes nothing (reference gbcs-text 1)."""


def _macced(arena: Arena, message: Message) -> bytes:
    """With a MAC that holds, as the Access Control Broker makes it."""
    header = message.header
    broker = arena.station.board.parties.access_control_broker
    return with_mac(replace(message, mac=None), arena.station.keystore.shared_secret(broker, header.recipient)).encode()


def _fresh(arena: Arena, target: str) -> Message:
    """The honest command to ``target`` with a counter that was not used."""
    message = Message.decode(arena.honest[target])
    header = message.header
    return replace(message, header=replace(header, counter=arena.fresh(header.originator)))


def _truncated(arena: Arena, target: str) -> Iterator[bytes]:
    octets = arena.honest[target]
    return truncated(octets, field_offsets(octets)[1:])


def _flipped(arena: Arena, target: str) -> Iterator[bytes]:
    octets = arena.honest[target]
    return flipped(octets, field_offsets(octets))


def _replayed(arena: Arena, target: str) -> Iterator[bytes]:
    yield arena.honest[target]
    yield arena.honest[target]


def _old_counter(arena: Arena, target: str) -> Iterator[bytes]:
    message = Message.decode(arena.honest[target])
    yield _macced(arena, replace(message, header=replace(message.header, counter=1)))


def _wrong_mac(arena: Arena, target: str) -> Iterator[bytes]:
    octets = _macced(arena, _fresh(arena, target))
    yield from flipped(octets, range(len(octets) - 12, len(octets)))


def _foreign_mac(arena: Arena, target: str) -> Iterator[bytes]:
    """MACed with the secret of another Device."""
    other = arena.gsme.eui64 if target == "ESME" else arena.esme.eui64
    secret = arena.station.keystore.shared_secret(arena.station.board.parties.access_control_broker, other)
    yield with_mac(replace(_fresh(arena, target), mac=None), secret).encode()


def _no_mac(arena: Arena, target: str) -> Iterator[bytes]:
    yield replace(_fresh(arena, target), mac=None).encode()


def _signed_by_stranger(arena: Arena, target: str) -> Iterator[bytes]:
    station = arena.station
    key = station.keystore.private_key(station.other_supplier.eui64, KeyUsage.DIGITAL_SIGNATURE)
    yield _macced(arena, with_signature(replace(_fresh(arena, target), mac=None), key))


def _to_another(arena: Arena, target: str) -> Iterator[bytes]:
    """The recipient is a Device that is nobody's, or another one than the MAC is for."""
    message = _fresh(arena, target)
    others = [eui for name, eui in arena.targets.items() if name != target]
    for recipient in (STRANGER, Eui64(bytes(8)), Eui64(bytes([255] * 8)), *others):
        yield replace(message, header=replace(message.header, recipient=recipient)).encode()


def _from_another(arena: Arena, target: str) -> Iterator[bytes]:
    message = _fresh(arena, target)
    for originator in (STRANGER, message.header.recipient, arena.station.other_supplier.eui64):
        yield _macced(arena, replace(message, header=replace(message.header, originator=originator)))


def _not_a_command(arena: Arena, target: str) -> Iterator[bytes]:
    message = _fresh(arena, target)
    for cra in (CraFlag.RESPONSE, CraFlag.ALERT):
        yield _macced(arena, replace(message, header=replace(message.header, cra=cra)))


def _oversized(arena: Arena, target: str) -> Iterator[bytes]:
    message = _fresh(arena, target)
    yield _macced(arena, replace(message, payload=message.payload + bytes(_LONGEST)))


def _unknown_code(arena: Arena, target: str) -> Iterator[bytes]:
    message = _fresh(arena, target)
    for code in (0xFFFF, 0x0000):
        other = replace(message.header.other, message_code=code)
        yield _macced(arena, replace(message, header=replace(message.header, counter=message.header.counter, other=other)))


def _payload_cut(arena: Arena, target: str) -> Iterator[bytes]:
    """Lawful in every other way: the payload ends early."""
    for length in spread(Message.decode(arena.honest[target]).payload, 8)[:-1]:
        message = _fresh(arena, target)
        yield _macced(arena, replace(message, payload=message.payload[:length]))


def _payload_of_another_kind(arena: Arena, target: str) -> Iterator[bytes]:
    """Lawful in every other way: DLMS, GBZ and DER that this use case does not have, lengths that lie, nesting without an end."""
    for payload in (
        b"",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x05" * 200,
        bytes.fromhex("d9200000010001") + b"\x02\x01" * 300,
        bytes.fromhex("0109ffff") + b"\xff" * 40,
        b"\x00" * 64,
        b"\xff" * 64,
    ):
        yield _macced(arena, replace(_fresh(arena, target), payload=payload))


def _fragments(arena: Arena, target: str) -> Iterator[bytes]:
    """General block transfer that is none: pieces out of order, from nought, without an end, of nothing."""
    octets = arena.honest[target]
    for number, last in ((2, False), (0, False), (65535, True), (1, True)):
        yield TransferBlock(number, octets[:40], last).encode()


_KINDS: tuple[tuple[str, str, str, frozenset[AttackOutcome], Callable[[Arena, str], Iterator[bytes]]], ...] = (
    ("truncated", "GBCS envelope", "cut at the beginning of each field", _DROPS, _truncated),
    ("flipped", "GBCS envelope", "one bit flipped in each field", _DROPS, _flipped),
    ("replayed", "GBCS envelope", "an executed read, twice again", _COMES_AGAIN, _replayed),
    ("old-counter", "GBCS envelope", "a read with a counter below the last one, with a MAC that holds", _COMES_AGAIN, _old_counter),
    ("to-another", "GBCS envelope", "recipients that are nobody, everybody, another Device", _DROPS, _to_another),
    ("from-another", "GBCS envelope", "originators that are strangers, or the Device itself", _DROPS, _from_another),
    ("not-a-command", "GBCS envelope", "a command that says it is a response or an alert", _DROPS, _not_a_command),
    ("oversized", "GBCS envelope", f"{_LONGEST} octets more, with a MAC that holds", expects(*_DROPS, AttackOutcome.ANSWERED), _oversized),
    ("unknown-code", "GBCS envelope", "message codes that no use case has, with a MAC that holds", _DROPS, _unknown_code),
    ("wrong-mac", "GBCS protection", "a bit flipped in each octet of the MAC", _REFUSES, _wrong_mac),
    ("foreign-mac", "GBCS protection", "MACed with the secret of another Device", _REFUSES, _foreign_mac),
    ("no-mac", "GBCS protection", "without its MAC", _DROPS, _no_mac),
    ("mis-signed", "GBCS protection", "signed by a supplier that the Device does not hold", _REFUSES, _signed_by_stranger),
    ("payload-cut", "GBCS payload", "lawful, but the payload ends early", expects(*_DROPS, AttackOutcome.ANSWERED), _payload_cut),
    (
        "payload-kind",
        "GBCS payload",
        "lawful, but the payload is of another kind, lies about lengths or nests without end",
        expects(*_DROPS, AttackOutcome.ANSWERED),
        _payload_of_another_kind,
    ),
    ("fragments", "GBCS block transfer", "blocks out of order, numbered from nought, of a message that has none", _DROPS, _fragments),
)


def _attack(
    kind: str,
    layer: str,
    target: str,
    how: str,
    outcomes: frozenset[AttackOutcome],
    make: Callable[[Arena, str], Iterator[bytes]],
) -> Attack:
    async def act(arena: Arena) -> int:
        count = 0
        for octets in make(arena, target):
            arena.post(octets)
            count += 1
            if target == "GSME" and count % 4 == 0:
                await arena.station.clock.sleep(1)
                await arena.gsme.wake()
        return count

    return Attack(f"gbcs/{kind}/{target.lower()}", layer, target, how, outcomes, act)


def attacks() -> Iterator[Attack]:
    """Each kind at each target."""
    for kind, layer, how, outcomes, make in _KINDS:
        for target in TARGETS:
            yield _attack(kind, layer, target, how, outcomes, make)
