"""802.15.4, ZigBee NWK and APS frames: octets to frozen dataclasses and back, byte-exact.

Layouts: IEEE 802.15.4-2006 7.2, ZigBee PRO NWK and APS (reference zigbee-han 5 and 8). MPDUs are without FCS.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64

Address = int | Eui64
"""A short address (16 bit) or an EUI-64."""

BROADCAST = 0xFFFF
BROADCAST_RX_ON = 0xFFFD
BROADCAST_ROUTERS = 0xFFFC
MAX_MPDU = 125
"""aMaxPHYPacketSize without the FCS (IEEE 802.15.4-2006 6.4.1)."""


class AirReader:
    """Octets read from the front, each read naming its field for the error."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset = offset

    def take(self, count: int, field: str) -> bytes:
        piece = self.data[self.offset : self.offset + count]
        if len(piece) < count:
            raise DecodeError(self.offset, field, f"{len(piece)} octets left, expected {count}")
        self.offset += count
        return piece

    def uint(self, count: int, field: str) -> int:
        return int.from_bytes(self.take(count, field), "little")

    def eui(self, field: str) -> Eui64:
        return Eui64.from_zigbee(self.take(8, field))

    def rest(self) -> bytes:
        piece = self.data[self.offset :]
        self.offset = len(self.data)
        return piece


class MacKind(IntEnum):
    BEACON = 0
    DATA = 1
    ACK = 2
    COMMAND = 3


class MacCommand(IntEnum):
    ASSOCIATION_REQUEST = 1
    ASSOCIATION_RESPONSE = 2
    DISASSOCIATION = 3
    DATA_REQUEST = 4
    ORPHAN = 6
    BEACON_REQUEST = 7


_SHORT, _LONG = 2, 3


def _mode(address: Address | None) -> int:
    return 0 if address is None else _SHORT if isinstance(address, int) else _LONG


def _address_octets(address: Address) -> bytes:
    return address.to_bytes(2, "little") if isinstance(address, int) else address.zigbee


@dataclass(frozen=True, slots=True)
class MacPdu:
    """One MPDU. ``source_pan`` None with a source means intra-PAN (compressed)."""

    kind: MacKind
    sequence: int
    destination_pan: int | None = None
    destination: Address | None = None
    source_pan: int | None = None
    source: Address | None = None
    ack_request: bool = False
    pending: bool = False
    payload: bytes = b""

    def encode(self) -> bytes:
        compressed = self.source is not None and self.destination is not None and self.source_pan is None
        control = (
            self.kind
            | self.pending << 4
            | self.ack_request << 5
            | compressed << 6
            | _mode(self.destination) << 10
            | _mode(self.source) << 14
        )
        out = struct.pack("<HB", control, self.sequence)
        if self.destination is not None:
            out += (self.destination_pan or 0).to_bytes(2, "little") + _address_octets(self.destination)
        if self.source is not None:
            if not compressed:
                out += (self.source_pan or 0).to_bytes(2, "little")
            out += _address_octets(self.source)
        return out + self.payload

    @classmethod
    def decode(cls, data: bytes) -> MacPdu:
        """Raises DecodeError."""
        read = AirReader(data)
        control = read.uint(2, "MAC frame control")
        kind = control & 7
        if kind > 3:
            raise DecodeError(0, "MAC frame type", f"{kind}, expected 0..3")
        sequence = read.uint(1, "MAC sequence number")
        modes = (control >> 10 & 3, control >> 14 & 3)
        if 1 in modes:
            raise DecodeError(0, "MAC addressing mode", "1 is reserved")
        destination_pan = source_pan = None
        destination: Address | None = None
        source: Address | None = None
        if modes[0]:
            destination_pan = read.uint(2, "MAC destination PAN")
            destination = read.uint(2, "MAC destination") if modes[0] == _SHORT else read.eui("MAC destination")
        if modes[1]:
            if not (control & 0x40 and modes[0]):
                source_pan = read.uint(2, "MAC source PAN")
            source = read.uint(2, "MAC source") if modes[1] == _SHORT else read.eui("MAC source")
        return cls(
            MacKind(kind),
            sequence,
            destination_pan,
            destination,
            source_pan,
            source,
            bool(control & 0x20),
            bool(control & 0x10),
            read.rest(),
        )


@dataclass(frozen=True, slots=True)
class Beacon:
    """Content of a ZigBee beacon (superframe specification and ZigBee beacon payload)."""

    pan: int
    source: int
    permit: bool
    extended_pan: Eui64
    coordinator: bool
    depth: int = 0
    router_capacity: bool = True
    end_device_capacity: bool = True
    update_id: int = 0
    stack_profile: int = 2

    def payload(self) -> bytes:
        """Everything after the MAC header."""
        superframe = 0x0FFF | self.coordinator << 14 | self.permit << 15
        flags = self.stack_profile | 2 << 4 | self.router_capacity << 10 | self.depth << 11 | self.end_device_capacity << 15
        return (
            struct.pack("<HBBB", superframe, 0, 0, 0)
            + struct.pack("<H", flags)
            + self.extended_pan.zigbee
            + b"\xff\xff\xff"
            + bytes([self.update_id])
        )

    @classmethod
    def decode(cls, frame: MacPdu) -> Beacon:
        """From a beacon MPDU. Raises DecodeError."""
        read = AirReader(frame.payload)
        superframe = read.uint(2, "superframe specification")
        if read.uint(1, "GTS specification") or read.uint(1, "pending addresses"):
            raise DecodeError(2, "GTS and pending addresses", "not 0, expected a beaconless PAN")
        if read.uint(1, "protocol id"):
            raise DecodeError(4, "protocol id", "not 0, expected ZigBee")
        flags = read.uint(2, "stack profile and capacity")
        extended_pan = read.eui("extended PAN id")
        read.take(3, "tx offset")
        update_id = read.uint(1, "update id")
        if not isinstance(frame.source, int) or frame.source_pan is None:
            raise DecodeError(0, "beacon source", "no short address and PAN")
        return cls(
            frame.source_pan,
            frame.source,
            bool(superframe & 0x8000),
            extended_pan,
            bool(superframe & 0x4000),
            flags >> 11 & 0xF,
            bool(flags & 0x400),
            bool(flags & 0x8000),
            update_id,
            flags & 0xF,
        )


class NwkCommand(IntEnum):
    ROUTE_REQUEST = 0x01
    ROUTE_REPLY = 0x02
    NETWORK_STATUS = 0x03
    ROUTE_RECORD = 0x05
    LEAVE = 0x04
    REJOIN_REQUEST = 0x06
    REJOIN_RESPONSE = 0x07
    END_DEVICE_TIMEOUT_REQUEST = 0x0B
    END_DEVICE_TIMEOUT_RESPONSE = 0x0C


@dataclass(frozen=True, slots=True)
class NwkPdu:
    """One NPDU. ``payload`` is everything after the header: with ``secured``, auxiliary header, ciphertext and MIC."""

    destination: int
    source: int
    radius: int
    sequence: int
    command: bool = False
    secured: bool = True
    destination_eui: Eui64 | None = None
    source_eui: Eui64 | None = None
    relays: bytes | None = None
    discover_route: bool = False
    payload: bytes = b""

    def header(self) -> bytes:
        control = (
            (1 if self.command else 0)
            | 2 << 2
            | self.discover_route << 6
            | self.secured << 9
            | (self.relays is not None) << 10
            | (self.destination_eui is not None) << 11
            | (self.source_eui is not None) << 12
        )
        out = struct.pack("<HHHBB", control, self.destination, self.source, self.radius, self.sequence)
        if self.destination_eui is not None:
            out += self.destination_eui.zigbee
        if self.source_eui is not None:
            out += self.source_eui.zigbee
        return out + (self.relays or b"")

    def encode(self) -> bytes:
        return self.header() + self.payload

    @classmethod
    def decode(cls, data: bytes) -> NwkPdu:
        """Raises DecodeError."""
        read = AirReader(data)
        control = read.uint(2, "NWK frame control")
        if control & 3 > 1:
            raise DecodeError(0, "NWK frame type", f"{control & 3}, expected 0 (data) or 1 (command)")
        if control >> 2 & 0xF != 2:
            raise DecodeError(0, "NWK protocol version", f"{control >> 2 & 0xF}, expected 2")
        if control & 0x100:
            raise DecodeError(0, "NWK multicast flag", "set, which is not in use here")
        destination, source = read.uint(2, "NWK destination"), read.uint(2, "NWK source")
        radius, sequence = read.uint(1, "NWK radius"), read.uint(1, "NWK sequence")
        destination_eui = read.eui("NWK destination EUI-64") if control & 0x800 else None
        source_eui = read.eui("NWK source EUI-64") if control & 0x1000 else None
        relays = None
        if control & 0x400:
            count = read.take(2, "source route")
            relays = count + read.take(2 * count[0], "relays")
        return cls(
            destination,
            source,
            radius,
            sequence,
            bool(control & 3),
            bool(control & 0x200),
            destination_eui,
            source_eui,
            relays,
            bool(control & 0x40),
            read.rest(),
        )


class ApsKind(IntEnum):
    DATA = 0
    COMMAND = 1
    ACK = 2


class DeliveryMode(IntEnum):
    UNICAST = 0
    BROADCAST = 2
    GROUP = 3


class Update(IntEnum):
    """EmberDeviceUpdate, the status of an Update-Device command."""

    SECURED_REJOIN = 0
    UNSECURED_JOIN = 1
    LEFT = 2
    UNSECURED_REJOIN = 3


class ApsCommand(IntEnum):
    TRANSPORT_KEY = 0x05
    UPDATE_DEVICE = 0x06
    REMOVE_DEVICE = 0x07
    REQUEST_KEY = 0x08
    SWITCH_KEY = 0x09
    TUNNEL = 0x0E


@dataclass(frozen=True, slots=True)
class FragmentHeader:
    """Extended header of a fragment: first carries the number of pieces, others their index; an ack carries ``acked`` bits."""

    first: bool
    number: int
    acked: int | None = None

    def encode(self) -> bytes:
        head = bytes([1 if self.first else 2, self.number])
        return head if self.acked is None else head + bytes([self.acked])


@dataclass(frozen=True, slots=True)
class ApsPdu:
    """One APDU. ``payload`` is everything after the header (and extended header): with ``secured``, auxiliary header on."""

    kind: ApsKind
    counter: int
    delivery: DeliveryMode = DeliveryMode.UNICAST
    secured: bool = False
    ack_request: bool = False
    destination_endpoint: int = 0
    group: int = 0
    cluster: int = 0
    profile: int = 0
    source_endpoint: int = 0
    block: FragmentHeader | None = None
    addressed: bool = True
    """False: an acknowledgement of a command (ack format bit), or a command: no endpoints, cluster and profile."""
    payload: bytes = b""

    def header(self) -> bytes:
        control = (
            self.kind
            | self.delivery << 2
            | self.secured << 5
            | self.ack_request << 6
            | (self.block is not None) << 7
            | (self.kind is ApsKind.ACK and not self.addressed) << 4
        )
        out = bytes([control])
        if self.kind is not ApsKind.COMMAND and self.addressed:
            if self.delivery is DeliveryMode.GROUP:
                out += self.group.to_bytes(2, "little")
            else:
                out += bytes([self.destination_endpoint])
            out += struct.pack("<HHB", self.cluster, self.profile, self.source_endpoint)
        out += bytes([self.counter])
        return out + self.block.encode() if self.block else out

    def encode(self) -> bytes:
        return self.header() + self.payload

    @classmethod
    def decode(cls, data: bytes) -> ApsPdu:
        """Raises DecodeError."""
        read = AirReader(data)
        control = read.uint(1, "APS frame control")
        if control & 3 == 3:
            raise DecodeError(0, "APS frame type", "3 (inter-PAN), expected data, command or ack")
        kind = ApsKind(control & 3)
        if control >> 2 & 3 == 1:
            raise DecodeError(0, "APS delivery mode", "1 (indirect), expected unicast, broadcast or group")
        delivery = DeliveryMode(control >> 2 & 3)
        addressed = kind is not ApsKind.COMMAND and not (kind is ApsKind.ACK and control & 0x10)
        endpoint = group = cluster = profile = source_endpoint = 0
        if addressed:
            if delivery is DeliveryMode.GROUP:
                group = read.uint(2, "APS group")
            else:
                endpoint = read.uint(1, "APS destination endpoint")
            cluster, profile = read.uint(2, "APS cluster"), read.uint(2, "APS profile")
            source_endpoint = read.uint(1, "APS source endpoint")
        counter = read.uint(1, "APS counter")
        block = None
        if control & 0x80:
            fragmentation = read.uint(1, "APS extended control") & 3
            if fragmentation:
                number = read.uint(1, "APS block number")
                block = FragmentHeader(fragmentation == 1, number, read.uint(1, "APS ack bits") if kind is ApsKind.ACK else None)
        return cls(
            kind,
            counter,
            delivery,
            bool(control & 0x20),
            bool(control & 0x40),
            endpoint,
            group,
            cluster,
            profile,
            source_endpoint,
            block,
            addressed,
            read.rest(),
        )
