"""Attacks over the air: an outsider with a radio and no key (MAC, NWK), and a Device of the home that turned (APS, ZCL, tunnels, keys)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from firmware_emu.errors import DecodeError
from firmware_emu.han.base import ApsFrame
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters import BY_ID
from firmware_emu.zse.declare import Cluster
from firmware_emu.zse.zcl import GeneralCommand
from hil.attacks.arena import Arena, Attack, AttackOutcome, expects
from hil.attacks.mutations import flipped, truncated
from hil.radio.air.air import Link
from hil.radio.air.frames import Address, ApsCommand, ApsKind, ApsPdu, FragmentHeader, MacCommand, MacKind, MacPdu, NwkPdu
from hil.radio.stack.nwk import Auxiliary, KeyId, protect

HUB, METER = "hub, HAN", "ESME, HAN"
WELL_KNOWN = b"ZigBeeAlliance09"
STRANGER = Eui64.parse("02bad00000000002")
_SILENT = expects(AttackOutcome.SILENCE)
_INSIDE = expects(AttackOutcome.SILENCE, AttackOutcome.REFUSED, AttackOutcome.NOT_TAKEN, AttackOutcome.ANSWERED)


class RogueRadio:
    """A radio that hears nothing and sends what it likes."""

    def __init__(self, channel: int) -> None:
        self.eui64 = STRANGER
        self.channel: int | None = channel
        self.listening = False

    def hears(self, pan: int | None, destination: Address | None) -> bool:
        return False

    def pending_for(self, source: Address | None) -> bool:
        return False

    def receive(self, frame: MacPdu, link: Link) -> None:
        """Nothing is heard."""


def _rogue(arena: Arena) -> RogueRadio:
    return RogueRadio(arena.station.board.hub.channel)


def _captured(arena: Arena) -> list[bytes]:
    """Honest frames that carried data: those that were sealed with the network key."""
    found = []
    for seen in arena.air:
        try:
            frame = MacPdu.decode(seen.octets)
            if frame.kind is MacKind.DATA and NwkPdu.decode(frame.payload).secured:
                found.append(seen.octets)
        except DecodeError:
            continue
    return found


def _replayed(arena: Arena) -> Iterator[bytes]:
    yield from _captured(arena)[:60]


def _replayed_renumbered(arena: Arena) -> Iterator[bytes]:
    """With other MAC sequence numbers, so that the MAC does not take them for repeats."""
    for octets in _captured(arena)[:60]:
        yield octets[:2] + bytes([octets[2] + 101 & 0xFF]) + octets[3:]


def _cut(arena: Arena) -> Iterator[bytes]:
    octets = max(_captured(arena), key=len)
    yield from truncated(octets, range(len(octets)))


def _flips(arena: Arena) -> Iterator[bytes]:
    octets = max(_captured(arena), key=len)
    for bit in (0, 7):
        yield from flipped(octets, range(len(octets)), bit)


def _long(arena: Arena) -> Iterator[bytes]:
    octets = max(_captured(arena), key=len)
    yield octets + bytes(300)
    yield b"\xff" * 2000


def _addresses(arena: Arena) -> tuple[int, int, int]:
    """PAN, short address of the meter, and of the hub."""
    stack = arena.stack_of(arena.esme)
    return stack.tokens.pan, stack.tokens.short, 0


def _npdu(arena: Arena, nwk: NwkPdu, to_hub: bool) -> bytes:
    pan, meter, hub = _addresses(arena)
    return MacPdu(MacKind.DATA, 0x77, pan, hub if to_hub else meter, None, meter if to_hub else hub, True, False, nwk.encode()).encode()


def _in_clear(to_hub: bool) -> Callable[[Arena], Iterator[bytes]]:
    def make(arena: Arena) -> Iterator[bytes]:
        _, meter, hub = _addresses(arena)
        aps = ApsPdu(
            ApsKind.DATA,
            9,
            ack_request=True,
            destination_endpoint=1,
            cluster=0x0704,
            profile=0x0109,
            source_endpoint=1,
            payload=bytes.fromhex("0101020000ff"),
        ).encode()
        leave, rejoin = b"\x04\x40", b"\x06\x80"
        for command, payload in ((False, aps), (True, leave), (True, rejoin), (True, b"\x0a" + bytes(20))):
            nwk = NwkPdu(hub if to_hub else meter, meter if to_hub else hub, 5, 9, command, secured=False, payload=payload)
            yield _npdu(arena, nwk, to_hub)

    return make


def _from_elsewhere(arena: Arena) -> Iterator[bytes]:
    """In the meter's name and in clear, from a short address that is not the meter's: data, rejoins, a leave."""
    pan = _addresses(arena)[0]
    payloads = ((False, b"\x40\x01\x04\x07\x09\x01\x01\x09"), (True, b"\x06\x8e"), (True, b"\x06\x80"), (True, b"\x04\x00"))
    for number, (command, payload) in enumerate(payloads):
        nwk = NwkPdu(0, 0x4242, 5, 9 + number, command, secured=False, source_eui=arena.esme.eui64, payload=payload)
        yield MacPdu(MacKind.DATA, 0x50 + number, pan, 0, None, 0x4242, True, False, nwk.encode()).encode()


def _strangers(arena: Arena) -> Iterator[bytes]:
    """Rejoins in clear of Devices that nobody knows, the first under the meter's own short address, the others under one each."""
    pan, meter, _ = _addresses(arena)
    for number in range(40):
        short = 0x6000 + number if number else meter
        eui = Eui64(STRANGER.octets[:4] + number.to_bytes(4, "big"))
        nwk = NwkPdu(0, short, 5, 60 + number, True, secured=False, source_eui=eui, payload=b"\x06\x80")
        yield MacPdu(MacKind.DATA, 0x20 + number, pan, 0, None, short, True, False, nwk.encode()).encode()


def _foreign_key(to_hub: bool) -> Callable[[Arena], Iterator[bytes]]:
    def make(arena: Arena) -> Iterator[bytes]:
        _, meter, hub = _addresses(arena)
        for key in (bytes(16), WELL_KNOWN):
            nwk = NwkPdu(hub if to_hub else meter, meter if to_hub else hub, 5, 9)
            source = arena.esme.eui64 if to_hub else arena.journey.gpf
            auxiliary = Auxiliary(KeyId.NETWORK, 0x7FFFFFFF, source, 0)
            sealed = protect(key, nwk.header(), auxiliary, source, b"\x40\x01\x04\x07\x09\x01\x01\x09" + bytes(8))
            yield _npdu(arena, NwkPdu(nwk.destination, nwk.source, 5, 9, payload=sealed), to_hub)

    return make


def _transport_key(arena: Arena) -> Iterator[bytes]:
    """A network key for the meter, under the key that everybody knows and under none."""
    _, meter, hub = _addresses(arena)
    key = bytes([ApsCommand.TRANSPORT_KEY, 1]) + bytes(range(16)) + b"\x01" + arena.esme.eui64.zigbee + arena.journey.gpf.zigbee
    plain = ApsPdu(ApsKind.COMMAND, 9, payload=key).encode()
    yield _npdu(arena, NwkPdu(meter, hub, 5, 9, secured=False, payload=plain), False)
    header = ApsPdu(ApsKind.COMMAND, 10, secured=True).header()
    auxiliary = Auxiliary(KeyId.TRANSPORT, 0x7FFFFFFF, arena.journey.gpf)
    yield _npdu(
        arena,
        NwkPdu(meter, hub, 5, 9, secured=False, payload=header + protect(WELL_KNOWN, header, auxiliary, arena.journey.gpf, key)),
        False,
    )
    for command in (ApsCommand.REMOVE_DEVICE, ApsCommand.SWITCH_KEY, ApsCommand.UPDATE_DEVICE):
        octets = ApsPdu(ApsKind.COMMAND, 11, payload=bytes([command]) + bytes(9)).encode()
        yield _npdu(arena, NwkPdu(meter, hub, 5, 9, secured=False, payload=octets), False)


def _knocks(arena: Arena) -> Iterator[bytes]:
    """Association requests and data requests without end, from addresses that nobody has."""
    pan = _addresses(arena)[0]
    for number in range(40):
        who = Eui64(bytes([2, 0xBA, 0xD0, 0, 0, 0, 1, number]))
        command = MacCommand.ASSOCIATION_REQUEST if number % 2 else MacCommand.DATA_REQUEST
        yield MacPdu(MacKind.COMMAND, number, pan, 0, 0xFFFF, who, True, False, bytes([command, 0x8E])).encode()


_AIR: tuple[tuple[str, str, str, str, frozenset[AttackOutcome], Callable[[Arena], Iterator[bytes]]], ...] = (
    ("mac/truncated", "MAC", HUB, "an honest frame cut at each octet", _SILENT, _cut),
    ("mac/flipped", "MAC", HUB, "two bits of each octet of an honest frame flipped, one at a time", _SILENT, _flips),
    ("mac/oversized", "MAC", HUB, "frames longer than 127 octets", _SILENT, _long),
    (
        "mac/knocks",
        "MAC",
        HUB,
        "association and data requests from 40 strangers",
        expects(AttackOutcome.SILENCE, AttackOutcome.REFUSED),
        _knocks,
    ),
    ("nwk/replayed", "NWK", HUB, "captured frames, sent again", _SILENT, _replayed),
    ("nwk/replayed-renumbered", "NWK", HUB, "captured frames with other MAC sequences", _SILENT, _replayed_renumbered),
    ("nwk/in-clear/hub", "NWK", HUB, "tunnel data, leave and rejoin without security, as if from the meter", _SILENT, _in_clear(True)),
    ("nwk/in-clear/esme", "NWK", METER, "tunnel data, leave and rejoin without security, as if from the hub", _SILENT, _in_clear(False)),
    ("nwk/from-elsewhere", "NWK", METER, "in the meter's name from another short address, without security", _SILENT, _from_elsewhere),
    (
        "nwk/strangers",
        "NWK",
        METER,
        "rejoins without security of 40 strangers, one under the meter's address",
        expects(AttackOutcome.SILENCE, AttackOutcome.REFUSED),
        _strangers,
    ),
    ("nwk/foreign-key/hub", "NWK", HUB, "sealed with keys that are not the network's, the well-known one too", _SILENT, _foreign_key(True)),
    ("nwk/foreign-key/esme", "NWK", METER, "sealed with keys that are not the network's", _SILENT, _foreign_key(False)),
    ("aps/transport-key", "APS", METER, "a network key under no key and the well-known one; remove, switch key", _SILENT, _transport_key),
)

Insider = Callable[[Arena], Awaitable[int]]


async def _say(arena: Arena, cluster: int, octets: bytes, endpoint: int, *, secured: bool, to: Eui64 | None = None) -> None:
    """One ZCL frame from the home's IHD, which turned."""
    frame = ApsFrame(cluster, octets, arena.ihd.descriptors[0].endpoint, endpoint, secured=secured)
    await arena.try_to(arena.ihd.node.send(to or arena.journey.gpf, frame))


def _zcl_frames(cluster: Cluster) -> Iterator[bytes]:
    """From the cluster's declarations: every command it takes with nothing, with its layout's octets cut, with far too many."""
    for number in cluster.to_server:
        whole = bytes([0x01, 0x40, number]) + bytes(24)
        for end in (3, 4, 7, 12):
            yield whole[:end]
        yield bytes([0x01, 0x41, number]) + b"\xff" * 70
    yield bytes([0x01, 0x42, 0xEE])


def _commands(cluster: Cluster, endpoint: int, *, secured: bool) -> Insider:
    async def act(arena: Arena) -> int:
        count = 0
        for octets in _zcl_frames(cluster):
            await _say(arena, cluster.id, octets, endpoint, secured=secured)
            count += 1
        return count

    return act


def _general(endpoint: int, cluster: int) -> Insider:
    async def act(arena: Arena) -> int:
        frames = [
            b"",
            b"\x00",
            b"\x00\x01",
            bytes([0x00, 1, GeneralCommand.READ_ATTRIBUTES, 0x00]),
            bytes([0x00, 2, GeneralCommand.WRITE_ATTRIBUTES]) + bytes.fromhex("0000e2ffffff00"),
            bytes([0x00, 3, GeneralCommand.WRITE_ATTRIBUTES]) + bytes.fromhex("000041ff41"),
            bytes([0x00, 4, GeneralCommand.READ_ATTRIBUTES]) + bytes(range(70)),
            bytes([0x00, 5, 0xEE]),
            bytes([0x04, 0xFF, 0xFF, 6, 0, 0, 0]),
            bytes([0x00, 7, GeneralCommand.WRITE_ATTRIBUTES]) + bytes.fromhex("00004c" + "ff" * 20),
        ]
        for octets in frames:
            await _say(arena, cluster, octets, endpoint, secured=True)
        return len(frames)

    return act


def _fragments(blocks: tuple[tuple[bool, int], ...]) -> Insider:
    async def act(arena: Arena) -> int:
        stack = arena.stack_of(arena.ihd)
        counter = stack.aps.next_sequence()
        for first, number in blocks:
            pdu = ApsPdu(
                ApsKind.DATA,
                counter,
                secured=True,
                ack_request=True,
                destination_endpoint=3,
                cluster=0x0704,
                profile=0x0109,
                source_endpoint=1,
                block=FragmentHeader(first, number),
                payload=bytes(40),
            )
            stack.aps.send(0, pdu, lambda status: None)
            await asyncio.sleep(0.2)
        return len(blocks)

    return act


async def _wrong_tunnels(arena: Arena) -> int:
    """Data on tunnels that are another's, requests of protocols that there are not, all from a Device that has no tunnel."""
    frames = [bytes([0x01, 0x50 + number, 0x02]) + number.to_bytes(2, "little") + b"\xdf\x09\x01" for number in range(6)]
    frames += [bytes.fromhex("016000" + tail) for tail in ("0006ffff0000", "06ffff01dc05", "63000000dc05", "06ffff00dc05")]
    frames += [bytes([0x01, 0x70 + number, 0x01]) + number.to_bytes(2, "little") for number in range(4)]
    for octets in frames:
        await _say(arena, 0x0704, octets, 3, secured=True)
    return len(frames)


async def _key_establishment(arena: Arena) -> int:
    """Out of order, cut, with another's certificate."""
    other = arena.station.keystore.cbke(arena.esme.eui64).certificate
    own = arena.station.keystore.cbke(arena.ihd.eui64).certificate
    messages = (
        b"\x01" + bytes(37),
        b"\x02" + bytes(16),
        b"\x00",
        b"\x00\x02\x00\x08\x08" + own[:30],
        b"\x00\x01\x00\x08\x08" + bytes(48),
        b"\x00\x02\x00\x08\x08" + other,
        b"\x00\xff\xff\x08\x08" + own,
        b"\x00\x02\x00\x08\x08" + own,
        b"\x01" + b"\xff" * 37,
        b"\x02" + bytes(16),
        b"\x03\x03\x00\x02\x00",
    )
    for number, message in enumerate(messages):
        await _say(arena, 0x0800, bytes([0x01, 0x10 + number]) + message, 3, secured=False)
        await asyncio.sleep(0.3)
    await arena.station.clock.sleep(30)
    return len(messages)


async def _long_asdu(arena: Arena) -> int:
    await _say(arena, 0x0704, bytes([0x01, 0x20, 0x02, 0, 0]) + bytes(4000), 3, secured=True)
    await _say(arena, 0x0702, bytes(15_000), 3, secured=True)
    return 2


def _insiders() -> Iterator[tuple[str, str, str, str, Insider]]:
    served = ((0x0704, 3), (0x0800, 3), (0x0019, 3), (0x000A, 1), (0x0702, 1), (0x0705, 1), (0x0025, 3), (0x0000, 1))
    for number, endpoint in served:
        cluster = BY_ID.get(number)
        assert cluster is not None
        name = cluster.name.lower()
        if cluster.to_server:
            how = f"every command of {cluster.name} cut, empty and too long, from the IHD"
            yield f"zcl/{name}", "ZCL", HUB, how, _commands(cluster, endpoint, secured=number != 0x0800)
        yield f"zcl/{name}-general", "ZCL", HUB, f"reads and writes of {cluster.name} that lie", _general(endpoint, number)
    for number in (0x0704, 0x0702):
        cluster = BY_ID.get(number)
        assert cluster is not None
        yield (
            f"aps/unsecured-{cluster.name.lower()}",
            "APS",
            HUB,
            f"commands of {cluster.name} under the network key alone",
            _commands(cluster, 3, secured=False),
        )
    yield "aps/no-endpoint", "APS", HUB, "a cluster at endpoints that there are not", _general(77, 0x0702)
    yield (
        "aps/fragments-backwards",
        "APS",
        HUB,
        "pieces without a first one, from the last",
        _fragments(((False, 3), (False, 2), (False, 1))),
    )
    yield (
        "aps/fragments-lying",
        "APS",
        HUB,
        "a first piece that says 0, then pieces beyond the end",
        _fragments(((True, 0), (False, 9), (False, 200), (True, 2), (True, 255))),
    )
    yield (
        "aps/fragments-endless",
        "APS",
        HUB,
        "255 pieces announced, two sent, again and again",
        _fragments(tuple((number % 2 == 0, 255 if number % 2 == 0 else 1) for number in range(12))),
    )
    yield "aps/oversized", "APS", HUB, "ASDUs of 4,000 and 15,000 octets", _long_asdu
    yield "tunnel/foreign", "tunnel", HUB, "data on and closing of tunnels that are another's, protocols that there are not", _wrong_tunnels
    yield "keys/establishment", "key establishment", HUB, "out of order, cut, with the certificate of another Device", _key_establishment


def attacks() -> Iterator[Attack]:
    """By the outsider, then by the insider."""
    for name, layer, target, how, outcomes, make in _AIR:

        async def send(arena: Arena, make: Callable[[Arena], Iterator[bytes]] = make) -> int:
            rogue, count = _rogue(arena), 0
            for octets in make(arena):
                arena.station.air.inject(rogue, octets)
                count += 1
                await asyncio.sleep(0.01)
            return count

        yield Attack(name, layer, target, how, outcomes, send)
    for name, layer, target, how, act in _insiders():
        yield Attack(name, layer, target, how, _INSIDE, act)
