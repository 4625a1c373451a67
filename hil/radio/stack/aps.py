"""The APS layer of one node: link key security, acknowledgements and retransmission, duplicates, fragments, key transport.

Fragments are one APDU each on the way. An EZSP host cuts and joins itself (reference ezsp-ncp 3); firmware that does it for its host
sends with :meth:`Aps.send_whole` and joins with :class:`Reassembly` (reference zigbee-han 8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from firmware_emu.crypto.aes_mmo import load_key, transport_key
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import AirReader, ApsKind, ApsPdu, DeliveryMode, FragmentHeader, NwkPdu
from hil.radio.stack.mac import resolve
from hil.radio.stack.nwk import APS_OVERHEAD, Auxiliary, KeyId, Nwk, protect, unprotect
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import LAST_COUNTER, RX_ON, ceiling

MGMT_NWK_UPDATE = 0x0038
"""The ZDO request that a node obeys although it came from itself."""
MAX_PAYLOAD = 82
"""Octets of ASDU in one frame with NWK security and without APS security (reference zigbee-han 5)."""
ACK_WAIT_S = 1.6
TRIES = 3
"""apscMaxFrameRetries; the wait is EmberZNet's default of 1,600 ms a hop."""
FAILED_WAIT_S = 0.3
DUPLICATE_S, DUPLICATES = 8.0, 32
"""A repeated frame is known for so long, and among the last so many of its sender (the counter has 8 bits and comes round)."""


PIECE = 61
"""Octets of a fragment (GBCS hubs' constant, reference zigbee-han 8)."""
REASSEMBLY_S = 10.0
"""bellows gives up after this time; so does this."""


@dataclass(frozen=True, slots=True)
class IncomingApdu:
    """One received APDU of data, decrypted: ``pdu.payload`` is the ASDU, or a fragment of it where ``pdu.block`` is set."""

    source: int
    eui64: Eui64 | None
    pdu: ApsPdu
    broadcast: bool
    link: Link


class _OldCounter(ProtectionError):
    """The frame opens, and its counter is not above the last one."""


class ApsUser(Protocol):
    """The layer above."""

    def aps_data(self, message: IncomingApdu) -> bool: ...
    def aps_command(self, source: Eui64 | None, pdu: ApsPdu, key_id: KeyId | None, nwk_secured: bool) -> None: ...
    def link_key(self, partner: Eui64) -> bytes | None: ...
    def link_keys(self, partner: Eui64 | None) -> tuple[bytes, ...]: ...


Sent = Callable[[Status], None]


@dataclass(slots=True)
class _Outgoing:
    destination: int
    pdu: ApsPdu
    sent: Sent
    tries: int = 0
    timer: asyncio.TimerHandle | None = None


_OutKey = tuple[int, int, int]


class Aps:
    """One node's APS layer over its :class:`Nwk`."""

    __slots__ = ("_counter", "_incoming", "_life", "_nwk", "_outgoing", "_seen", "_sequence", "_user", "extended")

    def __init__(self, nwk: Nwk, user: ApsUser, sequence: int) -> None:
        self._nwk = nwk
        self._user = user
        self._sequence = sequence
        self._counter = 0
        self._incoming: dict[tuple[Eui64, bytes], int] = {}
        self._outgoing: dict[_OutKey, _Outgoing] = {}
        self._seen: dict[int, dict[tuple[int, int], tuple[float, ApsPdu | None]]] = {}
        self._life = 0
        self.extended: set[Eui64] = set()

    def start(self) -> None:
        self._counter = self._nwk.tokens.aps_counter

    def stop(self) -> None:
        """RAM lost: what waited for an acknowledgement fails."""
        self._life += 1
        waiting = list(self._outgoing.values())
        self._outgoing.clear()
        self._incoming.clear()
        self._seen.clear()
        for one in waiting:
            if one.timer is not None:
                one.timer.cancel()
            one.sent(Status.NETWORK_DOWN)

    def reset_counters(self, partner: Eui64) -> None:
        """A new key with ``partner``: its frames count from anywhere again."""
        for known in [known for known in self._incoming if known[0] == partner]:
            del self._incoming[known]

    def incoming_counter(self, partner: Eui64) -> int:
        return max((count for (device, _), count in self._incoming.items() if device == partner), default=0)

    @property
    def counter(self) -> int:
        """Outgoing frame counter of the link keys."""
        return max(self._counter, self._nwk.tokens.aps_counter if self._nwk.mac.channel is None else 0)

    def next_sequence(self) -> int:
        self._sequence = self._sequence + 1 & 0xFF
        return self._sequence

    @property
    def waiting(self) -> bool:
        """True while an acknowledgement is awaited."""
        return bool(self._outgoing)

    @staticmethod
    def capacity(secured: bool, fragment: bool) -> int:
        """Octets of ASDU that one frame takes."""
        return MAX_PAYLOAD - (APS_OVERHEAD if secured else 0) - (2 if fragment else 0)

    # sending

    def _next_counter(self) -> int:
        value, tokens = self._counter, self._nwk.tokens
        if value >= LAST_COUNTER:
            raise ProtectionError(f"the APS frame counter of {tokens.eui64} is at its end, {LAST_COUNTER}: form the network afresh")
        self._counter += 1
        if self._counter > tokens.aps_counter:
            tokens.aps_counter = ceiling(value)
            tokens.save()
        return value

    def seal(self, pdu: ApsPdu, key: bytes, key_id: KeyId) -> bytes:
        """``pdu`` with its payload protected by ``key`` (already derived for ``key_id``). Raises ProtectionError at the counter's end."""
        pdu = replace(pdu, secured=True)
        header = pdu.header()
        me = self._nwk.tokens.eui64
        auxiliary = Auxiliary(key_id, self._next_counter(), me)
        return header + protect(key, header, auxiliary, me, pdu.payload)

    def sealed(self, pdu: ApsPdu, key: bytes, key_id: KeyId) -> bytes | None:
        """As :meth:`seal`; None, and counted, where the frame counter is at its end."""
        try:
            return self.seal(pdu, key, key_id)
        except ProtectionError:
            self._nwk.mac.count("aps_counter_end")
            return None

    def _octets(self, destination: int, pdu: ApsPdu) -> bytes | None:
        if not pdu.secured:
            return pdu.encode()
        partner = self._nwk.addresses.get(destination)
        key = self._user.link_key(partner) if partner is not None else None
        return None if key is None else self.sealed(pdu, key, KeyId.LINK)

    def send(self, destination: int, pdu: ApsPdu, sent: Sent, radius: int = 0) -> Status:
        """One data APDU. SUCCESS: on its way, and ``sent`` is called once with how it ended."""
        if len(pdu.payload) > self.capacity(pdu.secured, pdu.block is not None):
            return Status.MESSAGE_TOO_LONG
        if pdu.secured and destination != self._nwk.tokens.short and self._octets_missing(destination):
            return Status.APS_ENCRYPTION_ERROR
        one = _Outgoing(destination, pdu, sent)
        if destination >= 0xFFF8 or destination == self._nwk.tokens.short:
            if destination >= 0xFFF8:
                pdu = replace(pdu, ack_request=False)
            plain = replace(pdu, secured=False, ack_request=False)
            life = self._life

            def gone(ok: bool) -> None:
                sent(Status.SUCCESS if ok else Status.DELIVERY_FAILED)
                if ok and destination >= 0xFFF8 and life == self._life and not plain.profile and plain.cluster == MGMT_NWK_UPDATE:
                    # firmware obeys its own word to all (zigpy#1190)
                    tokens = self._nwk.tokens
                    self._user.aps_data(IncomingApdu(tokens.short, tokens.eui64, plain, True, Link(rssi=0)))

            self._nwk.send(destination, plain.encode(), gone, radius=radius)
            return Status.SUCCESS
        if pdu.ack_request:
            self._outgoing[self._key(destination, pdu)] = one
        self._try(one)
        return Status.SUCCESS

    async def send_whole(self, destination: int, whole: ApsPdu, before: Callable[[], None] = lambda: None) -> Status:
        """One unicast of any size: in one frame, or piece after piece, each acknowledged. ``before`` is called ahead of each wait."""
        payload = whole.payload
        if len(payload) <= self.capacity(whole.secured, False):
            return await self._sent(destination, whole, before)
        pieces = [payload[at : at + PIECE] for at in range(0, len(payload), PIECE)]
        if len(pieces) > 255:
            return Status.MESSAGE_TOO_LONG
        for index, piece in enumerate(pieces):
            block = FragmentHeader(index == 0, index or len(pieces))
            status = await self._sent(destination, replace(whole, block=block, payload=piece), before)
            if status is not Status.SUCCESS:
                return status
        return Status.SUCCESS

    async def _sent(self, destination: int, pdu: ApsPdu, before: Callable[[], None]) -> Status:
        ended: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        status = self.send(destination, pdu, resolve(ended))
        if status is not Status.SUCCESS:
            return status
        before()
        return await ended

    def _octets_missing(self, destination: int) -> bool:
        partner = self._nwk.addresses.get(destination)
        return partner is None or self._user.link_key(partner) is None

    @staticmethod
    def _key(destination: int, pdu: ApsPdu) -> _OutKey:
        return destination, pdu.counter, (0 if pdu.block.first else pdu.block.number) if pdu.block else -1

    def _try(self, one: _Outgoing) -> None:
        one.timer = None
        octets = self._octets(one.destination, one.pdu)
        if octets is None:
            self._finish(one, Status.APS_ENCRYPTION_ERROR)
            return
        one.tries += 1
        if one.tries > 1:
            self._nwk.mac.count("aps_tx_retry")
        life = self._life
        self._nwk.send(one.destination, octets, lambda ok: self._gone(one, ok, life))

    def _gone(self, one: _Outgoing, ok: bool, life: int) -> None:
        if life != self._life:
            return
        if not one.pdu.ack_request:
            self._finish(one, Status.SUCCESS if ok else Status.DELIVERY_FAILED)
            return
        if self._outgoing.get(self._key(one.destination, one.pdu)) is not one or one.timer is not None:
            return
        device = self._nwk.addresses.get(one.destination)
        child = self._nwk.tokens.children.get(device) if device is not None else None
        if not ok and child is not None and not child.capability & RX_ON:
            self._finish(one, Status.DELIVERY_FAILED)
            return
        wait = FAILED_WAIT_S if not ok else ACK_WAIT_S * (4 if device in self.extended else 1)
        one.timer = asyncio.get_running_loop().call_later(wait, self._waited, one)

    def _waited(self, one: _Outgoing) -> None:
        if one.tries < TRIES:
            self._try(one)
        else:
            self._finish(one, Status.DELIVERY_FAILED)

    def _finish(self, one: _Outgoing, status: Status) -> None:
        if one.timer is not None:
            one.timer.cancel()
            one.timer = None
        key = self._key(one.destination, one.pdu)
        if self._outgoing.get(key) is one:
            del self._outgoing[key]
        self._nwk.mac.count("aps_tx_success" if status is Status.SUCCESS else "aps_tx_failed")
        one.sent(status)

    def acknowledge(self, destination: int, received: ApsPdu) -> None:
        """Acknowledge a data APDU; a fragment's acknowledgement tells its block."""
        block = received.block
        number = 0 if block is None or block.first else block.number
        ack = ApsPdu(
            ApsKind.ACK,
            received.counter,
            secured=received.secured,
            destination_endpoint=received.source_endpoint,
            cluster=received.cluster,
            profile=received.profile,
            source_endpoint=received.destination_endpoint,
            block=FragmentHeader(True, number, 1) if block is not None else None,
        )
        self._remember(destination, received, ack)
        octets = self._octets(destination, ack)
        if octets is not None:
            self._nwk.send(destination, octets)

    # receiving

    def _remember(self, source: int, pdu: ApsPdu, ack: ApsPdu | None) -> None:
        seen = self._seen.setdefault(source, {})
        key = self._key(source, pdu)[1:]
        seen.pop(key, None)
        seen[key] = (asyncio.get_running_loop().time(), ack)
        if len(seen) > DUPLICATES:
            del seen[next(iter(seen))]

    def _repeated(self, source: int, pdu: ApsPdu) -> bool:
        """True if it came before; a repeated one is acknowledged again where it was acknowledged."""
        known = self._seen.get(source, {}).get(self._key(source, pdu)[1:])
        if known is None or asyncio.get_running_loop().time() - known[0] >= DUPLICATE_S:
            return False
        ack = known[1]
        if ack is not None:
            octets = self._octets(source, ack)
            if octets is not None:
                self._nwk.send(source, octets)
        return ack is not None or pdu.block is None

    def receive(self, frame: NwkPdu, link: Link, nwk_secured: bool) -> None:
        """An APDU out of an NPDU. Nothing is raised: what does not hold is counted and dropped."""
        try:
            pdu = ApsPdu.decode(frame.payload)
            device = frame.source_eui or self._nwk.addresses.get(frame.source)
            key_id = None
            if pdu.secured:
                pdu, device, key_id = self._open(pdu, device)
                if nwk_secured:
                    self._nwk.learn(frame.source, device)
        except DecodeError:
            self._nwk.mac.count("aps_bad_frame")
            return
        except _OldCounter:
            self._nwk.mac.count("aps_frame_counter_failure")
            return
        except ProtectionError:
            self._nwk.mac.count("aps_decryption_failure")
            return
        if pdu.kind is ApsKind.COMMAND:
            self._user.aps_command(device, pdu, key_id, nwk_secured)
        elif not nwk_secured:
            self._nwk.mac.count("aps_unsecured")
        elif pdu.kind is ApsKind.ACK:
            self._acked(frame.source, pdu)
        else:
            self._data(frame, pdu, device, link)

    def _data(self, frame: NwkPdu, pdu: ApsPdu, device: Eui64 | None, link: Link) -> None:
        broadcast = frame.destination >= 0xFFF8
        if frame.source != self._nwk.tokens.short:
            if self._repeated(frame.source, pdu):
                self._nwk.mac.count("aps_duplicate")
                return
            self._remember(frame.source, pdu, None)
        self._nwk.mac.count("aps_rx_broadcast" if broadcast else "aps_rx_unicast")
        taken = self._user.aps_data(IncomingApdu(frame.source, device, pdu, broadcast or pdu.delivery is not DeliveryMode.UNICAST, link))
        if taken and pdu.ack_request and not broadcast and pdu.block is None:
            self.acknowledge(frame.source, pdu)

    def _acked(self, source: int, ack: ApsPdu) -> None:
        number = -1 if ack.block is None else ack.block.number
        one = self._outgoing.get((source, ack.counter, number))
        if one is not None:
            self._finish(one, Status.SUCCESS)

    def _open(self, pdu: ApsPdu, device: Eui64 | None) -> tuple[ApsPdu, Eui64, KeyId]:
        """Raises DecodeError, ProtectionError (no key held opens it, or the counter is not above the last)."""
        read = AirReader(pdu.payload)
        auxiliary = Auxiliary.read(read)
        source = auxiliary.source or device
        sealed = read.rest()
        if source is None:
            raise ProtectionError("the sender of an APS secured frame is not known")
        derive = {KeyId.TRANSPORT: transport_key, KeyId.LOAD: load_key}.get(auxiliary.key_id)
        problem: ProtectionError | None = None
        for link_key in self._user.link_keys(source):
            key = derive(link_key) if derive is not None else link_key
            try:
                plain = unprotect(key, pdu.header(), auxiliary, source, sealed)
            except ProtectionError as wrong:
                problem = wrong
                continue
            if auxiliary.counter < self._incoming.get((source, key), 0):
                raise _OldCounter("the counter of an APS frame is not above the last one")
            self._incoming[source, key] = auxiliary.counter + 1
            return replace(pdu, payload=plain), source, auxiliary.key_id
        raise problem or ProtectionError(f"no link key is held with {source}")


class Reassembly:
    """The messages of which not all fragments have come. Fragments of one message are alike in all but number and content: one that came
    without APS security is none of a message with it."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[int, Eui64 | None, ApsPdu], tuple[float, int, dict[int, bytes]]] = {}

    def clear(self) -> None:
        self._pieces.clear()

    def add(self, message: IncomingApdu) -> bytes | None:
        """The whole message, when ``message`` was its last fragment."""
        pdu = message.pdu
        assert pdu.block is not None, "only fragments are added"
        now = asyncio.get_running_loop().time()
        self._pieces = {known: value for known, value in self._pieces.items() if now - value[0] < REASSEMBLY_S}
        key = (message.source, message.eui64, replace(pdu, block=None, payload=b"", ack_request=False))
        _, total, pieces = self._pieces.get(key, (now, 0, {}))
        if pdu.block.first:
            total, pieces[0] = pdu.block.number, pdu.payload
        else:
            pieces[pdu.block.number] = pdu.payload
        self._pieces[key] = (now, total, pieces)
        if not total or any(index not in pieces for index in range(total)):
            return None
        del self._pieces[key]
        return b"".join(pieces[index] for index in range(total))
