"""Content of alerts after their code and time stamp (reference gbcs-messages 7.2), one dataclass a layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.axdr import Array, BitString, Data, OctetString, Structure, Unsigned, Utf8String
from firmware_emu.gbcs.dlms import Protected
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier


class DlmsContent(Protocol):
    """Content of a DLMS alert: the data items after alert code and time stamp."""

    def items(self) -> tuple[Data, ...]:
        """The data items."""
        ...

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        """From the data items of the alert whose payload is at ``offset``. Raises DecodeError."""
        ...


def _octets(items: tuple[Data, ...], index: int, size: int | None, offset: int, field: str) -> bytes:
    item = items[index] if index < len(items) else None
    if not isinstance(item, OctetString) or (size is not None and len(item.octets) != size):
        wanted = "an octet-string" if size is None else f"an octet-string of {size}"
        raise DecodeError(offset, field, f"expected {wanted} as item {index + 1} after the time stamp")
    return item.octets


def _unsigned(items: tuple[Data, ...], index: int, offset: int, field: str) -> int:
    item = items[index] if index < len(items) else None
    if not isinstance(item, Unsigned):
        raise DecodeError(offset, field, f"expected an unsigned as item {index + 1} after the time stamp")
    return item.value


def _count(items: tuple[Data, ...], count: int, offset: int) -> None:
    if len(items) != count:
        raise DecodeError(offset, "alert", f"{len(items)} items after the time stamp, expected {count}")


def _structure(items: tuple[Data, ...], offset: int, count: int, field: str) -> tuple[Data, ...]:
    _count(items, 1, offset)
    if not isinstance(items[0], Structure) or len(items[0].elements) != count:
        raise DecodeError(offset, field, f"expected a structure of {count} after the time stamp")
    return items[0].elements


@dataclass(frozen=True, slots=True)
class FutureDatedDlms:
    """00CC: the activation item that fell due."""

    message_code: int
    counter: int
    class_id: int
    obis: bytes
    attribute: int

    def items(self) -> tuple[Data, ...]:
        head = self.message_code.to_bytes(2, "big") + self.counter.to_bytes(8, "big")
        return (OctetString(head + self.class_id.to_bytes(2, "big") + self.obis + bytes((self.attribute,))),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        octets = _octets(items, 0, 19, offset, "future dated instruction")
        numbers = [int.from_bytes(octets[start:stop], "big") for start, stop in ((0, 2), (2, 10), (10, 12))]
        return cls(numbers[0], numbers[1], numbers[2], octets[12:18], octets[18])


@dataclass(frozen=True, slots=True)
class FirmwareReceipt:
    """00CE (DLMS) and 00CF (GBZ): SHA-256 of the manufacturer image received."""

    image_hash: bytes

    def items(self) -> tuple[Data, ...]:
        return (OctetString(self.image_hash),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        return cls(_octets(items, 0, 32, offset, "image hash"))


@dataclass(frozen=True, slots=True)
class MeterIntegrity:
    """00F0 (DLMS) and 00F2 (GBZ): what may be wrong with the meter, see :data:`INTEGRITY_ISSUES`."""

    issue: int

    def items(self) -> tuple[Data, ...]:
        return (OctetString(self.issue.to_bytes(2, "big")),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        return cls(int.from_bytes(_octets(items, 0, 2, offset, "meter integrity issue"), "big"))


INTEGRITY_ISSUES = (
    *("other", "non-volatile memory", "program execution", "program storage", "RAM", "unexpected reset", "watchdog"),
    *("metrology firmware verification", "measurement", "unspecified"),
)
"""Meaning of :attr:`MeterIntegrity.issue` 0 to 9."""


@dataclass(frozen=True, slots=True)
class BillingData:
    """0061 ECS68: protected billing data, as in a protected read."""

    protected: Protected

    def items(self) -> tuple[Data, ...]:
        return self.protected.parameters.data(), OctetString(self.protected.octets)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        protected = Protected.of(items)
        if protected is None:
            raise DecodeError(offset, "billing data", "expected protection parameters and an encrypted octet-string")
        return cls(protected)


@dataclass(frozen=True, slots=True)
class SupplyOutage:
    """0067 ECS80: start of the outage and restoration, 12-octet date-times."""

    start: bytes
    restored: bytes

    def items(self) -> tuple[Data, ...]:
        return OctetString(self.start), OctetString(self.restored)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 2, offset)
        return cls(_octets(items, 0, 12, offset, "outage start"), _octets(items, 1, 12, offset, "restoration"))


@dataclass(frozen=True, slots=True)
class WhitelistBackup:
    """0018 CS14: the CHF device log; the hash of the TC link key is empty until one is established."""

    date_time: bytes
    extended_pan_id: bytes
    devices: tuple[tuple[Eui64, bytes], ...]

    def structure(self) -> Structure:
        """As CS14, CCS03 and CCS07 carry it (CCS03 without the date-time)."""
        entries = tuple(Structure((OctetString(device.octets), OctetString(link_hash))) for device, link_hash in self.devices)
        return Structure((OctetString(self.date_time), OctetString(self.extended_pan_id), Array(entries)))

    def items(self) -> tuple[Data, ...]:
        return (self.structure(),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        parts = _structure(items, offset, 3, "backup")
        entries = parts[2]
        if not isinstance(entries, Array):
            raise DecodeError(offset, "device log", "expected an array of devices")
        devices = tuple(cls._device(entry, offset) for entry in entries.elements)
        return cls(_octets(parts, 0, 12, offset, "backup date-time"), _octets(parts, 1, 8, offset, "extended PAN id"), devices)

    @staticmethod
    def _device(entry: Data, offset: int) -> tuple[Eui64, bytes]:
        if not isinstance(entry, Structure) or len(entry.elements) != 2:
            raise DecodeError(offset, "device log entry", "expected a structure of device and hash")
        device = _octets(entry.elements, 0, 8, offset, "device id")
        return Eui64(device), _octets(entry.elements, 1, None, offset, "hashed link key")


@dataclass(frozen=True, slots=True)
class SubGhzDevice:
    """0110 DBCH06 and 0115 DBCH11: the device concerned."""

    device: Eui64

    def items(self) -> tuple[Data, ...]:
        return (OctetString(self.device.octets),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        return cls(Eui64(_octets(items, 0, 8, offset, "device id")))


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """0111 DBCH07: the new channel as page and one channel bit, and what set the change off."""

    channel: BitString
    trigger: int

    def items(self) -> tuple[Data, ...]:
        return (Structure((self.channel, OctetString(bytes((self.trigger,))))),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        parts = _structure(items, offset, 2, "channel change")
        if not isinstance(parts[0], BitString) or parts[0].size != 32:
            raise DecodeError(offset, "channel", "expected a bit-string of 32")
        return cls(parts[0], _octets(parts, 1, 1, offset, "trigger")[0])


@dataclass(frozen=True, slots=True)
class ScanAssessed:
    """0112 DBCH08: how a request for a channel scan was judged."""

    outcome: int
    trigger: int

    def items(self) -> tuple[Data, ...]:
        return (Structure((OctetString(bytes((self.outcome,))), OctetString(bytes((self.trigger,))))),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        parts = _structure(items, offset, 2, "scan assessment")
        return cls(_octets(parts, 0, 1, offset, "outcome")[0], _octets(parts, 1, 1, offset, "trigger")[0])


@dataclass(frozen=True, slots=True)
class SubGhzConfiguration:
    """0113 DBCH09: the 15-element configuration structure, as DBCH03 reads and DBCH04 sets it."""

    structure: Structure

    def items(self) -> tuple[Data, ...]:
        return (self.structure,)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        return cls(Structure(_structure(items, offset, 15, "sub-GHz configuration")))


@dataclass(frozen=True, slots=True)
class MessageDiscarded:
    """0114 DBCH10: which message was dropped."""

    identifier: MessageIdentifier

    def items(self) -> tuple[Data, ...]:
        return (OctetString(bytes(self.identifier)),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        return cls(read_identifier(_octets(items, 0, 25, offset, "message identifier"), offset))


def read_identifier(octets: bytes, offset: int) -> MessageIdentifier:
    """25 octets: originator, recipient, CRA flag, counter. Raises DecodeError."""
    if octets[16] not in {flag.value for flag in CraFlag}:
        raise DecodeError(offset, "CRA flag", f"read {octets[16]}, expected 1 command, 2 response or 3 alert")
    return MessageIdentifier(Eui64(octets[:8]), Eui64(octets[8:16]), CraFlag(octets[16]), int.from_bytes(octets[17:25], "big"))


@dataclass(frozen=True, slots=True)
class CommandNotSupported:
    """0120 ECS100: which command the device does not know."""

    message_code: int
    counter: int

    def items(self) -> tuple[Data, ...]:
        return (OctetString(self.message_code.to_bytes(2, "big") + self.counter.to_bytes(8, "big")),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        octets = _octets(items, 0, 10, offset, "unsupported command")
        return cls(int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:], "big"))


@dataclass(frozen=True, slots=True)
class LimitProcessed:
    """0121 ECS101: direction (1 output, 2 input) and number of the controller, end and start of the period, resulting level."""

    controller: int
    end: bytes
    start: bytes
    level: int

    def items(self) -> tuple[Data, ...]:
        return Unsigned(self.controller), OctetString(self.end), OctetString(self.start), Unsigned(self.level)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 4, offset)
        end, start = _octets(items, 1, 12, offset, "end"), _octets(items, 2, 12, offset, "start")
        return cls(_unsigned(items, 0, offset, "controller"), end, start, _unsigned(items, 3, offset, "level"))


@dataclass(frozen=True, slots=True)
class LimitEnded:
    """0122 ECS102: direction and number of the controller, resulting level."""

    controller: int
    level: int

    def items(self) -> tuple[Data, ...]:
        return Unsigned(self.controller), Unsigned(self.level)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 2, offset)
        return cls(_unsigned(items, 0, offset, "controller"), _unsigned(items, 1, offset, "level"))


@dataclass(frozen=True, slots=True)
class OperationalUpdate:
    """0123 ECS200: a small JSON text."""

    text: str

    def items(self) -> tuple[Data, ...]:
        return (Utf8String(self.text),)

    @classmethod
    def of(cls, items: tuple[Data, ...], offset: int) -> Self:
        _count(items, 1, offset)
        if not isinstance(items[0], Utf8String):
            raise DecodeError(offset, "operational update", "expected a utf8-string")
        return cls(items[0].text)


DLMS_CONTENTS: dict[int, type[DlmsContent]] = {
    0x0018: WhitelistBackup,
    0x0061: BillingData,
    0x0067: SupplyOutage,
    0x00CC: FutureDatedDlms,
    0x00CE: FirmwareReceipt,
    0x00F0: MeterIntegrity,
    0x0110: SubGhzDevice,
    0x0111: ChannelChanged,
    0x0112: ScanAssessed,
    0x0113: SubGhzConfiguration,
    0x0114: MessageDiscarded,
    0x0115: SubGhzDevice,
    0x0120: CommandNotSupported,
    0x0121: LimitProcessed,
    0x0122: LimitEnded,
    0x0123: OperationalUpdate,
}
"""Layout of the DLMS alerts by message code; 1000 and 1001 have none."""


@dataclass(frozen=True, slots=True)
class FutureDatedGbz:
    """00CD: the component that fell due."""

    message_code: int
    counter: int
    cluster: int
    frame_control: int
    command: int
