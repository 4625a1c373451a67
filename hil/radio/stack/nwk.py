"""The NWK layer of one node: frame security and counters, addresses, next hops, broadcasts, children, leave and rejoin commands.

Neighbours are spoken to directly, an end device through its parent; where a neighbour does not answer a route is looked for
(:mod:`hil.radio.stack.tables`), and routes back are learned from what was relayed. No link status frames (no timer while idle).

AES-CCM* frame protection of the NWK and APS layers, level 5 (ENC-MIC-32).

Auxiliary header, nonce and AAD as reference zigbee-han 5: control (level bits sent as 0), counter, source EUI-64, key sequence
for the network key; nonce = EUI-64 || counter || control with level 5; AAD = frame header + auxiliary header with level 5.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import BROADCAST, BROADCAST_ROUTERS, Address, AirReader, Beacon, MacPdu, NwkCommand, NwkPdu
from hil.radio.stack.mac import Done, Mac
from hil.radio.stack.nwk_part import NwkUser
from hil.radio.stack.tables import Children, Routes
from hil.radio.stack.tokens import LAST_COUNTER, RX_ON, Tokens, ceiling

LEVEL = 5
MIC_OCTETS = 4
NWK_OVERHEAD = 14 + MIC_OCTETS
APS_OVERHEAD = 13 + MIC_OCTETS
_EXTENDED_NONCE = 0x20


class KeyId(IntEnum):
    """Key identifier of the auxiliary header's security control."""

    LINK = 0
    NETWORK = 1
    TRANSPORT = 2
    LOAD = 3


@lru_cache(maxsize=8192)
def _cipher(key: bytes) -> AESCCM:
    return AESCCM(key, tag_length=MIC_OCTETS)


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """The auxiliary header of a protected frame."""

    key_id: KeyId
    counter: int
    source: Eui64 | None
    key_sequence: int = 0

    def encode(self, level: int) -> bytes:
        control = level | self.key_id << 3 | (_EXTENDED_NONCE if self.source is not None else 0)
        out = bytes([control]) + self.counter.to_bytes(4, "little")
        if self.source is not None:
            out += self.source.zigbee
        return out + bytes([self.key_sequence]) if self.key_id is KeyId.NETWORK else out

    @classmethod
    def read(cls, read: AirReader) -> Auxiliary:
        """Raises DecodeError."""
        control = read.uint(1, "security control")
        counter = read.uint(4, "frame counter")
        source = read.eui("security source") if control & _EXTENDED_NONCE else None
        key_id = KeyId(control >> 3 & 3)
        return cls(key_id, counter, source, read.uint(1, "key sequence") if key_id is KeyId.NETWORK else 0)


def _nonce(auxiliary: Auxiliary, source: Eui64) -> bytes:
    control = LEVEL | auxiliary.key_id << 3 | (_EXTENDED_NONCE if auxiliary.source is not None else 0)
    return source.zigbee + auxiliary.counter.to_bytes(4, "little") + bytes([control])


def protect(key: bytes, header: bytes, auxiliary: Auxiliary, source: Eui64, payload: bytes) -> bytes:
    """The frame's octets after ``header``: auxiliary header, ciphertext, MIC."""
    sealed = _cipher(key).encrypt(_nonce(auxiliary, source), payload, header + auxiliary.encode(LEVEL))
    return auxiliary.encode(0) + sealed


def unprotect(key: bytes, header: bytes, auxiliary: Auxiliary, source: Eui64, sealed: bytes) -> bytes:
    """The plaintext. Raises ProtectionError where the MIC does not hold."""
    try:
        return _cipher(key).decrypt(_nonce(auxiliary, source), sealed, header + auxiliary.encode(LEVEL))
    except (InvalidTag, ValueError):
        raise ProtectionError(f"the MIC of a frame from {source} does not hold under the {auxiliary.key_id.name.lower()} key") from None


RADIUS = 30
BROADCAST_MEMORY_S, BROADCAST_MEMORY = 9.0, 32
"""nwkNetworkBroadcastDeliveryTime of stack profile 2; and how many broadcasts of one source are known (its sequence has 8 bits)."""
INTER_PAN = 3
"""NWK frame type of a frame that belongs to no network."""
COORDINATOR, ROUTER = 1, 2
_UNSECURED_COMMANDS = (bytes([NwkCommand.REJOIN_REQUEST]), bytes([NwkCommand.REJOIN_RESPONSE]))
"""Heard without the network key: a Device that rejoins by its link key has none."""
LEAVE_REJOIN, LEAVE_REQUEST = 0x20, 0x40
"""Options of a leave command: come back at once; it is a request to leave."""


class Nwk:
    """One node's NWK layer over its :class:`Mac`."""

    __slots__ = (
        "_counter",
        "_incoming",
        "_random",
        "_seen",
        "_sequence",
        "addresses",
        "children",
        "mac",
        "neighbours",
        "routes",
        "shorts",
        "tokens",
        "user",
    )

    def __init__(self, air: Air, tokens: Tokens, user: NwkUser) -> None:
        self.user = user
        self._random = air.random(f"{tokens.eui64} nwk {tokens.nwk_counter}")
        self.tokens = tokens
        self.mac = Mac(air, tokens.eui64, self)
        self.addresses: dict[int, Eui64] = {}
        self.shorts: dict[Eui64, int] = {}
        self.children = Children(self, user)
        self._incoming: dict[Eui64, int] = {}
        self.routes = Routes(self)
        self.neighbours: dict[int, Link] = {}
        """Last hearing of each node that was heard directly."""
        self._seen: dict[int, dict[int, float]] = {}
        self._sequence = self._random.randrange(256)
        self._counter = 0

    # life

    def start(self) -> None:
        """Radio on with what the tokens say; counters go on beyond what was used before."""
        tokens = self.tokens
        self._counter = tokens.nwk_counter
        self.mac.eui64, self.mac.pan, self.mac.short = tokens.eui64, tokens.pan, tokens.short
        self.mac.start(tokens.channel, rx_on=tokens.node_type not in (4, 5))
        self.learn(tokens.short, tokens.eui64)
        if tokens.parent is not None:
            self.learn(tokens.parent_short, tokens.parent)
        for device, child in tokens.children.items():
            self.learn(child.short, device)
            self.children.watch(device, child)

    def stop(self) -> None:
        """Radio off and RAM lost."""
        self.children.stop()
        self.mac.stop()
        self.routes.clear()
        for table in (self.addresses, self.shorts, self._incoming, self._seen, self.neighbours):
            table.clear()

    @property
    def routes_for_others(self) -> bool:
        return self.tokens.node_type in (COORDINATOR, ROUTER)

    def learn(self, short: int, device: Eui64) -> None:
        """Remember an address pair; the latest word counts."""
        if short >= 0xFFF8:
            return
        known = self.addresses.get(short)
        if known == device and self.shorts.get(device) == short:
            return
        old = self.shorts.get(device)
        if old is not None:
            self.addresses.pop(old, None)
        if known is not None:
            self.shorts.pop(known, None)
        self.addresses[short] = device
        self.shorts[device] = short

    def expect(self, short: int, device: Eui64) -> None:
        """Expect a Device at ``short``, where nobody is known: enough to answer it, and nothing is taken from what was proven."""
        self.addresses.setdefault(short, device)

    def expect_no_more(self, short: int, device: Eui64) -> None:
        """Forget a Device that was expected there and has proven nothing: there are no more than 65,527 addresses to give."""
        if self.addresses.get(short) == device and self.shorts.get(device) != short:
            del self.addresses[short]

    def free_short(self) -> int:
        while True:
            short = self._random.randrange(1, 0xFFF7)
            if short not in self.addresses:
                return short

    def next_counter(self) -> int:
        """The outgoing frame counter, kept ahead in the tokens. Raises ProtectionError at its end: no frame bears it."""
        value = self._counter
        if value >= LAST_COUNTER:
            raise ProtectionError(f"the NWK frame counter of {self.tokens.eui64} is at its end, {LAST_COUNTER}: form the network afresh")
        self._counter += 1
        if self._counter > self.tokens.nwk_counter:
            self.tokens.nwk_counter = ceiling(value)
            self.tokens.save()
        return value

    @property
    def counter(self) -> int:
        return self._counter if self.mac.channel is not None else self.tokens.nwk_counter

    # sending

    def send(
        self,
        destination: int,
        payload: bytes,
        done: Done | None = None,
        *,
        command: bool = False,
        secured: bool = True,
        radius: int = RADIUS,
        destination_eui: Eui64 | None = None,
        source_eui: bool = False,
        neighbour: int | None = None,
    ) -> None:
        """One NPDU; ``done`` tells whether the first hop took it (broadcast: that it was sent). ``neighbour``: that hop, if it is given."""
        self._sequence = self._sequence + 1 & 0xFF
        frame = NwkPdu(
            destination,
            self.tokens.short,
            radius or RADIUS,
            self._sequence,
            command,
            secured,
            destination_eui,
            self.tokens.eui64 if source_eui else None,
            payload=payload,
        )
        if destination >= BROADCAST_ROUTERS - 4:
            self._repeated(frame)
            self._broadcast(frame, done)
        elif destination == self.tokens.short:
            asyncio.get_running_loop().call_soon(self._loop_back, frame, done)
        else:
            if not command:
                self.routes.before_sending(destination)
            relays = self.routes.source.get(destination)
            if relays and neighbour is None:
                head = bytes([len(relays), len(relays) - 1])
                frame = replace(frame, relays=head + b"".join(one.to_bytes(2, "little") for one in relays))
                neighbour = relays[-1]
            self._forward(frame, done, via=neighbour)

    def _loop_back(self, frame: NwkPdu, done: Done | None) -> None:
        if self.mac.channel is not None:
            self.user.nwk_data(frame, Link(rssi=0), True)
            if done is not None:  # behind what the node answers itself
                asyncio.get_running_loop().call_soon(done, True)

    def _seal(self, frame: NwkPdu) -> bytes:
        key = self.tokens.network_key
        if not frame.secured or key is None:
            return replace(frame, secured=False).encode()
        header = frame.header()
        auxiliary = Auxiliary(KeyId.NETWORK, self.next_counter(), self.tokens.eui64, self.tokens.key_sequence)
        return header + protect(key, header, auxiliary, self.tokens.eui64, frame.payload)

    def _transmit(self, frame: NwkPdu, hop: int, done: Done | None = None, *, held: bool = False) -> None:
        """Give a frame to the MAC layer, to send or to hold; where the frame counter is at its end it is dropped and fails."""
        try:
            octets = self._seal(frame)
        except ProtectionError:
            self.mac.count("nwk_counter_end")
            if done is not None:
                asyncio.get_running_loop().call_soon(done, False)
            return
        (self.mac.hold if held else self.mac.send)(octets, hop, done)

    def _broadcast(self, frame: NwkPdu, done: Done | None) -> None:
        if not self.routes_for_others:
            self._transmit(frame, self.tokens.parent_short, done)
            return
        self._transmit(frame, BROADCAST, done)
        if frame.destination == BROADCAST:
            for child in self.tokens.children.values():
                if not child.capability & RX_ON and child.authenticated:
                    self._transmit(frame, child.short, held=True)

    def _hop(self, destination: int) -> int:
        if not self.routes_for_others:
            return self.tokens.parent_short
        return self.routes.hop(destination)

    def first_hop(self, destination: int) -> int:
        """The neighbour that frames to ``destination`` go to first."""
        return self._hop(destination)

    def has_end_device(self, short: int) -> bool:
        """True if ``short`` is an end device of this node, which answers for it."""
        device = self.addresses.get(short)
        child = self.tokens.children.get(device) if device is not None else None
        return child is not None and not child.router and child.authenticated

    def relay_broadcast(self, frame: NwkPdu, payload: bytes) -> None:
        """A broadcast of another node, changed on its way."""
        self._broadcast(replace(frame, radius=frame.radius - 1, payload=payload), None)

    def _forward(self, frame: NwkPdu, done: Done | None, *, searched: bool = False, via: int | None = None) -> None:
        hop = self._hop(frame.destination) if via is None else via
        device = self.addresses.get(hop)
        child = self.tokens.children.get(device) if device is not None else None
        if child is not None and not child.capability & RX_ON and (child.authenticated or not frame.secured):
            # Who has not proven the network key yet is waited for with what it needs to get it, and takes nothing else off its way.
            self._transmit(frame, hop, done, held=True)
            return

        def sent(ok: bool) -> None:
            if not ok:
                self.routes.forget(frame.destination)
            if not ok and self.routes_for_others and frame.secured and not frame.command and not searched and self.mac.channel is not None:
                self.routes.discover(frame.destination, found)
            elif done is not None:
                done(ok)

        def found(ok: bool) -> None:
            if ok and self.mac.channel is not None:
                self._forward(frame, done, searched=True)
            elif done is not None:
                done(False)

        self._transmit(frame, hop, sent)

    # receiving

    def mac_data(self, frame: MacPdu, link: Link) -> None:
        if frame.payload[:1] and frame.payload[0] & 3 == INTER_PAN:
            self.user.inter_pan(frame, link)
            return
        try:
            npdu = NwkPdu.decode(frame.payload)
            if npdu.secured:
                opened = self._open(npdu, frame, link)
                if opened is None:
                    return
                npdu = opened
        except DecodeError:
            self.mac.count("nwk_bad_frame")
            return
        except ProtectionError:
            self.mac.count("nwk_decryption_failure")
            return
        self._take(npdu, frame, link)

    def _open(self, npdu: NwkPdu, frame: MacPdu, link: Link) -> NwkPdu | None:
        """Raises DecodeError, ProtectionError; None for what is not to be heard."""
        tokens = self.tokens
        read = AirReader(npdu.payload)
        auxiliary = Auxiliary.read(read)
        if auxiliary.key_id is not KeyId.NETWORK or auxiliary.source is None or auxiliary.source == tokens.eui64:
            return None
        device = auxiliary.source
        key = (
            tokens.network_key
            if auxiliary.key_sequence == tokens.key_sequence
            else (tokens.alternate_key if auxiliary.key_sequence == tokens.alternate_sequence else None)
        )
        if key is None:
            return None
        plain = unprotect(key, npdu.header(), auxiliary, device, read.rest())
        if auxiliary.counter < self._incoming.get(device, 0):
            self.mac.count("nwk_counter_failure")
            return None
        self._incoming[device] = auxiliary.counter + 1
        if auxiliary.key_sequence != tokens.key_sequence and tokens.new_key_sequence():
            self.user.key_switched()
        if isinstance(frame.source, int):
            self.learn(frame.source, device)
            self.neighbours[frame.source] = link
        self.children.heard(device)
        return replace(npdu, payload=plain)

    def _take(self, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
        tokens = self.tokens
        if npdu.source == tokens.short:
            return
        if npdu.secured:  # nothing is learned from a frame whose sender did not prove the network key
            if npdu.source_eui is not None:
                self.learn(npdu.source, npdu.source_eui)
            if frame.source == npdu.source:
                self.routes.forget(npdu.source)
            elif isinstance(frame.source, int) and frame.destination != BROADCAST and self.routes_for_others:
                self.routes.set(npdu.source, frame.source)
        if npdu.destination >= BROADCAST_ROUTERS - 4:
            self._take_broadcast(npdu, frame, link)
        elif npdu.destination == tokens.short:
            self._up(npdu, frame, link)
        elif self.routes_for_others and npdu.secured and npdu.radius > 1:
            self._relay(replace(npdu, radius=npdu.radius - 1))

    def _relay(self, npdu: NwkPdu) -> None:
        self.mac.count("relayed")
        if npdu.command and npdu.payload[:1] == bytes([NwkCommand.ROUTE_RECORD]) and len(npdu.payload) >= 2:
            npdu = replace(npdu, payload=self.routes.passing(npdu.payload))
        via = None
        if npdu.relays:
            at = npdu.relays[1]
            via = int.from_bytes(npdu.relays[2 * at : 2 * at + 2], "little") if at else npdu.destination
            npdu = replace(npdu, relays=npdu.relays[:1] + bytes([max(0, at - 1)]) + npdu.relays[2:])
        self._forward(npdu, None, via=via)

    def _repeated(self, frame: NwkPdu) -> bool:
        """True if this broadcast was known; it is now."""
        now = asyncio.get_running_loop().time()
        seen = self._seen.setdefault(frame.source, {})
        before = seen.pop(frame.sequence, None)
        seen[frame.sequence] = now
        if len(seen) > BROADCAST_MEMORY:
            del seen[next(iter(seen))]
        return before is not None and now - before < BROADCAST_MEMORY_S

    def _take_broadcast(self, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
        if not npdu.secured:
            return
        if npdu.command and npdu.payload[:1] == bytes([NwkCommand.ROUTE_REQUEST]):
            try:
                self.routes.request(npdu, frame, link)
            except DecodeError:
                self.mac.count("nwk_bad_frame")
            return
        if self._repeated(npdu):
            return
        if self.routes_for_others and npdu.radius > 1:
            self._broadcast(replace(npdu, radius=npdu.radius - 1), None)
        if npdu.destination != BROADCAST_ROUTERS or self.routes_for_others:
            self._up(npdu, frame, link)

    def _up(self, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
        if not npdu.command:
            self.user.nwk_data(npdu, link, npdu.secured)
        elif npdu.secured or npdu.payload[:1] in _UNSECURED_COMMANDS:
            try:
                _received(self, npdu, frame, link)
            except DecodeError:
                self.mac.count("nwk_bad_frame")

    # commands

    def leave(self, target: int | None = None, *, rejoin: bool = False, done: Done | None = None) -> None:
        """Say that this node leaves, or (``target``) tell another to."""
        if target is None:
            payload = bytes([NwkCommand.LEAVE, 0])
            self.send(0xFFFD, payload, done, command=True, radius=1, source_eui=True)
        else:
            payload = bytes([NwkCommand.LEAVE, LEAVE_REQUEST | (LEAVE_REJOIN if rejoin else 0)])
            self.send(target, payload, done, command=True, radius=1, source_eui=True)

    # the MAC asks

    def beacon(self) -> Beacon | None:
        tokens = self.tokens
        if not self.routes_for_others or tokens.network_key is None:
            return None
        coordinator = tokens.node_type == COORDINATOR
        capacity = self.children.capacity
        return Beacon(
            tokens.pan,
            tokens.short,
            self.children.permitting,
            tokens.extended_pan,
            coordinator,
            tokens.depth,
            capacity,
            capacity,
            tokens.update_id,
        )

    def associate(self, device: Eui64, capability: int) -> tuple[int, int] | None:
        return self.children.associate(device, capability)

    def association_sent(self, device: Eui64, ok: bool) -> None:
        self.children.association_sent(device, ok)

    def associated(self, short: int, status: int) -> None:
        self.user.associated(short, status)

    def mac_poll(self, source: Address) -> None:
        device = source if isinstance(source, Eui64) else self.addresses.get(source)
        if device in self.tokens.children:
            self.children.heard(device, authentic=False)
        elif isinstance(source, int) and self.routes_for_others and self.tokens.network_key is not None:
            self._sequence = self._sequence + 1 & 0xFF
            orphan = NwkPdu(
                source,
                self.tokens.short,
                1,
                self._sequence,
                True,
                True,
                None,
                self.tokens.eui64,
                payload=bytes([NwkCommand.LEAVE, LEAVE_REQUEST | LEAVE_REJOIN]),
            )
            self._transmit(orphan, source, held=True)
        if isinstance(source, int):
            self.user.polled(source)

    def mac_unknown_child(self, source: Address) -> bool:
        return isinstance(source, int) and self.routes_for_others and self.addresses.get(source) not in self.tokens.children

    def incoming_counter(self, device: Eui64) -> int | None:
        """The counter of the last frame of a node; None where none was heard."""
        known = self._incoming.get(device)
        return None if known is None else known - 1

    def forget_counter(self, device: Eui64) -> None:
        """A Device that joins afresh counts its frames from anywhere."""
        self._incoming.pop(device, None)


def _received(nwk: Nwk, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
    """One command, out of ``frame``. Raises DecodeError."""
    read = AirReader(npdu.payload)
    command = read.uint(1, "NWK command")
    device = npdu.source_eui or nwk.addresses.get(npdu.source)
    if command == NwkCommand.LEAVE:
        options = read.uint(1, "leave options")
        if options & LEAVE_REQUEST:
            if npdu.source in (0, nwk.tokens.parent_short):
                nwk.user.told_to_leave(bool(options & LEAVE_REJOIN))
        elif device is not None:
            nwk.user.device_left(device, npdu.source)
            if not options & LEAVE_REJOIN:
                nwk.children.forget(device)
    elif command == NwkCommand.REJOIN_REQUEST and device is not None and nwk.routes_for_others:
        if npdu.secured or npdu.source_eui is not None:
            nwk.children.rejoin(device, npdu.source, read.uint(1, "capability"), secured=npdu.secured)
    elif command == NwkCommand.ROUTE_RECORD and device is not None:
        nwk.user.route_recorded(npdu.source, device, nwk.routes.recorded(npdu), link)
    elif command == NwkCommand.ROUTE_REPLY and isinstance(frame.source, int):
        nwk.routes.reply(npdu, frame.source)
    elif command == NwkCommand.REJOIN_RESPONSE:
        nwk.user.associated(read.uint(2, "short address"), read.uint(1, "rejoin status"))
    elif command == NwkCommand.END_DEVICE_TIMEOUT_REQUEST and device in nwk.tokens.children:
        nwk.children.grant_timeout(device, npdu.source, read.uint(1, "timeout enumeration"))
