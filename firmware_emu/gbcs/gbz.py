"""GBZ payloads: ZigBee commands carried in a GBCS message, profile 0109 (reference gbcs-messages 7A).

The octets inside :attr:`Component.payload` are ZCL (little-endian fields); their layouts are :mod:`.zcl_layouts`'.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Self

from firmware_emu.errors import IdentifierError, TooLong
from firmware_emu.gbcs.envelope import MAX_LENGTH, Reader
from firmware_emu.gbcs.protect import ENCRYPTED_HEADER

PROFILE = b"\x01\x09"
_SMALLEST_CIPHER = len(ENCRYPTED_HEADER) + 12


class Control(IntFlag):
    """Extended header control field of a component."""

    LAST = 0x01
    ENCRYPTED = 0x02
    FROM_DATE_TIME = 0x10


# The members as plain numbers: an operation on an IntFlag costs more than the rest of reading a component.
_LAST, _ENCRYPTED, _FROM_DATE_TIME = int(Control.LAST), int(Control.ENCRYPTED), int(Control.FROM_DATE_TIME)
_CONTROLS = frozenset((0x00, 0x01, 0x02, 0x03, 0x10, 0x11))


def _length(octets: bytes) -> bytes:
    if len(octets) > MAX_LENGTH:
        raise TooLong("a length", len(octets), MAX_LENGTH)
    return len(octets).to_bytes(2, "big")


CLUSTER_COMMAND = 0x01
"""Low two bits of the ZCL frame control: 0 is a profile-wide command, 1 a command of the cluster."""
SERVER_TO_CLIENT = 0x08
DISABLE_DEFAULT_RESPONSE = 0x10


@dataclass(frozen=True, slots=True)
class Component:
    """One ZCL command.

    ``payload`` is the ZCL payload; where ``encrypted``, it is ``31 00000000 || ciphertext || tag`` instead, and ``frame_counter``
    counts the encrypted components of the message from 0. ``from_date_time`` is in seconds since 2000 (the activation
    time or the start of a read).
    ``sequence`` numbers a command's components from 0 and names the one answered in a response.
    """

    cluster: int
    frame_control: int
    sequence: int
    command: int
    payload: bytes = b""
    from_date_time: int | None = None
    encrypted: bool = False
    frame_counter: int = 0
    header_control: int = 0

    @property
    def profile_wide(self) -> bool:
        return self.frame_control & 0x03 == 0

    @property
    def from_server(self) -> bool:
        return bool(self.frame_control & SERVER_TO_CLIENT)

    def encode(self, last: bool) -> bytes:
        """Raises IdentifierError where both encryption and a from date time are asked for, or the payload is not in encrypted form,
        TooLong where its octets are more than a component can say."""
        control = _LAST if last else 0
        extra = b""
        payload = self.payload
        if self.encrypted:
            if self.from_date_time is not None or payload[:5] != ENCRYPTED_HEADER or len(payload) < _SMALLEST_CIPHER:
                raise IdentifierError("an encrypted component", self, "31 00000000, ciphertext and tag, and no from date time")
            control |= _ENCRYPTED
            extra = bytes((self.header_control, self.frame_counter))
            payload = _length(payload) + payload
        elif self.from_date_time is not None:
            control |= _FROM_DATE_TIME
            extra = self.from_date_time.to_bytes(4, "big")
        body = b"".join((extra, bytes((self.frame_control, self.sequence, self.command)), payload))
        return b"".join((bytes((control,)), self.cluster.to_bytes(2, "big"), _length(body), body))

    @classmethod
    def read(cls, reader: Reader, last: bool) -> Self:
        """Read one component; ``last`` says whether its control field must. Raises DecodeError."""
        control = reader.u8("extended header control field")
        if control not in _CONTROLS:
            reader.fail("extended header control field", f"read {control:02x}, expected 00, 01, 02, 03, 10 or 11", back=1)
        if (control & _LAST != 0) is not last:
            reader.fail("extended header control field", f"read {control:02x}: the last component and no other is marked so", back=1)
        cluster = reader.uint(2, "cluster id")
        inner = reader.sized(reader.uint(2, "component length"), "component")
        from_date_time: int | None = None
        frame_counter = header_control = 0
        encrypted = control & _ENCRYPTED != 0
        if encrypted:
            header_control = inner.u8("additional header control")
            frame_counter = inner.u8("additional header frame counter")
        elif control & _FROM_DATE_TIME:
            from_date_time = inner.uint(4, "from date time")
        frame_control = inner.u8("ZCL frame control")
        sequence = inner.u8("ZCL sequence number")
        command = inner.u8("ZCL command id")
        if encrypted:
            length = inner.uint(2, "ciphered information length")
            if length != inner.remaining or length < _SMALLEST_CIPHER:
                inner.fail("ciphered information length", f"read {length}, {inner.remaining} octets follow", back=2)
            if inner.data[inner.position : inner.position + 5] != ENCRYPTED_HEADER:
                inner.fail("ciphered information", f"expected to start with {ENCRYPTED_HEADER.hex()}")
        payload = inner.rest()
        return cls(cluster, frame_control, sequence, command, payload, from_date_time, encrypted, frame_counter, header_control)


@dataclass(frozen=True, slots=True)
class Gbz:
    """The components of a GBZ command or response, at most 255."""

    components: tuple[Component, ...]

    def encode(self) -> bytes:
        count = len(self.components)
        if not 1 <= count <= 255:
            raise IdentifierError("a GBZ payload", f"{count} components", "1 to 255 components")
        parts = (component.encode(number == count) for number, component in enumerate(self.components, 1))
        return b"".join((PROFILE, bytes((count,)), *parts))

    @classmethod
    def decode(cls, octets: bytes, offset: int = 0) -> Self:
        """Raises DecodeError."""
        reader = Reader(octets, offset)
        reader.expect(PROFILE, "ZigBee profile id")
        count = reader.u8("number of components")
        if not count:
            reader.fail("number of components", "read 0, expected at least 1", back=1)
        components = tuple([Component.read(reader, number == count) for number in range(1, count + 1)])
        reader.finish("GBZ payload")
        return cls(components)


def numbered(components: tuple[Component, ...]) -> Gbz:
    """A command's components with their sequence numbers set to their place (reference gbcs-messages 7A)."""
    return Gbz(
        tuple(
            Component(part.cluster, part.frame_control, number, part.command, part.payload, part.from_date_time)
            for number, part in enumerate(components)
        )
    )
