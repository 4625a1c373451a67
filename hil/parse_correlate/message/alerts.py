"""Content of alerts behind code and time stamp (reference gbcs-messages 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from ..errors import DecodeError
from .asn1 import Asn1Alert, Asn1Content
from .dlms import DataNotification, Value
from .envelope import Entity, Octets
from .gbz import GbzAlert
from .moments import date_time, generalized_time, since_2000


@dataclass(frozen=True, slots=True)
class DelayedDlms:
    """An activation that fell due: the command it came with, and the attribute that held it."""

    message_code: int
    counter: int
    class_id: int
    obis: bytes
    attribute: int


@dataclass(frozen=True, slots=True)
class DelayedGbz:
    """The same of a gas command: cluster, frame control and command of the component."""

    message_code: int
    counter: int
    cluster: int
    frame_control: int
    command: int


@dataclass(frozen=True, slots=True)
class ImageReceived:
    """A firmware image that arrived: its hash."""

    image_hash: bytes


@dataclass(frozen=True, slots=True)
class Integrity:
    """A meter integrity warning by its number."""

    issue: int


@dataclass(frozen=True, slots=True)
class Outage:
    """Beginning and end of a supply outage, 12 octets each."""

    start: bytes
    end: bytes


@dataclass(frozen=True, slots=True)
class NotSupported:
    """A command that the Device does not support."""

    message_code: int
    counter: int


@dataclass(frozen=True, slots=True)
class LimitStarted:
    """A limit of an auxiliary controller: controller octet, end and start (12 octets each), level."""

    controller: int
    end: bytes
    start: bytes
    level: int


@dataclass(frozen=True, slots=True)
class LimitEnded:
    """The end of a limit: controller octet, level."""

    controller: int
    level: int


@dataclass(frozen=True, slots=True)
class Operational:
    """Text that a controller tells."""

    text: str


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Content that MMC has no element for, in words."""

    what: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """Code and time alone, or content that only its reader can open."""


Content: TypeAlias = (
    "DelayedDlms | DelayedGbz | ImageReceived | Integrity | Outage | NotSupported | LimitStarted | LimitEnded | Operational | Unnamed | "
    "Nothing | Asn1Content"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """Code, time (None where the stamp names no moment), content."""

    code: int
    at: datetime | None
    content: Content


def _octets(value: Value, size: int | None = None) -> bytes:
    if not isinstance(value.content, bytes) or (size is not None and len(value.content) != size):
        raise DecodeError(0, "alert content", f"read {value.text()[:60]}, expected an octet-string{'' if size is None else f' of {size}'}")
    return value.content


def _number(value: Value) -> int:
    if not isinstance(value.content, int):
        raise DecodeError(0, "alert content", f"read {value.text()[:60]}, expected a number")
    return value.content


def _delayed(values: tuple[Value, ...]) -> Content:
    source = Octets(_octets(values[0], 19))
    code, counter, class_id = source.number(2, "code"), source.number(8, "counter"), source.number(2, "class")
    return DelayedDlms(code, counter, class_id, source.take(6, "OBIS code"), source.number(1, "attribute"))


def _not_supported(values: tuple[Value, ...]) -> Content:
    octets = _octets(values[0], 10)
    return NotSupported(int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:], "big"))


def _operational(values: tuple[Value, ...]) -> Content:
    if not isinstance(values[0].content, str):
        raise DecodeError(0, "alert content", f"read {values[0].text()[:60]}, expected text")
    return Operational(values[0].content)


def _unnamed(what: str) -> Callable[[tuple[Value, ...]], Content]:
    return lambda _: Unnamed(what)


_DLMS: dict[int, tuple[int, Callable[[tuple[Value, ...]], Content]]] = {
    0x00CC: (1, _delayed),
    0x00CE: (1, lambda values: ImageReceived(_octets(values[0], 32))),
    0x00F0: (1, lambda values: Integrity(int.from_bytes(_octets(values[0], 2), "big"))),
    0x0067: (2, lambda values: Outage(_octets(values[0], 12), _octets(values[1], 12))),
    0x0018: (1, _unnamed("the hub's device log with hashed link keys (CS14)")),
    0x0110: (1, _unnamed("a Device at sub-GHz (DBCH06, DBCH11)")),
    0x0115: (1, _unnamed("a Device at sub-GHz (DBCH06, DBCH11)")),
    0x0111: (1, _unnamed("the new sub-GHz channel (DBCH07)")),
    0x0112: (1, _unnamed("the outcome of a channel scan request (DBCH08)")),
    0x0113: (1, _unnamed("the new sub-GHz configuration (DBCH09)")),
    0x0114: (1, _unnamed("the message that was discarded (DBCH10)")),
    0x0120: (1, _not_supported),
    0x0121: (4, lambda v: LimitStarted(_number(v[0]), _octets(v[1], 12), _octets(v[2], 12), _number(v[3]))),
    0x0122: (2, lambda values: LimitEnded(_number(values[0]), _number(values[1]))),
    0x0123: (1, _operational),
}
"""Message code: how many values follow code and time, and their reader."""


def _dlms(message_code: int, notification: DataNotification) -> Alert:
    values = notification.body.values
    if notification.body.kind != "structure" or len(values) < 2 or values[0].kind != "long-unsigned":
        raise DecodeError(0, "alert", f"read {notification.body.text()[:60]}, expected a structure of alert code, time stamp and content")
    count, reader = _DLMS.get(message_code, (0, None))
    at = date_time(_octets(values[1], 12))
    if reader is None:
        return Alert(_number(values[0]), at, Nothing())
    if len(values) != 2 + count:
        raise DecodeError(0, "alert", f"{len(values) - 2} values behind code and time, expected {count}")
    return Alert(_number(values[0]), at, reader(values[2:]))


def _gbz(message_code: int, alert: GbzAlert) -> Alert:
    source = Octets(alert.rest, alert.offset)
    content: Content = Nothing()
    if message_code == 0x00CD:
        source.expect(b"\x0e", "length of the delayed command")
        code, counter, cluster = source.number(2, "message code"), source.number(8, "originator counter"), source.number(2, "cluster")
        content = DelayedGbz(code, counter, cluster, source.number(1, "frame control"), source.number(1, "command"))
        source.end("alert content")
    elif message_code == 0x00CF:
        source.expect(b"\x09\x20", "octet-string of 32")
        content = ImageReceived(source.take(32, "image hash"))
        source.end("alert content")
    elif message_code == 0x00F2:
        content = Integrity(source.number(2, "integrity warning"))
        source.end("alert content")
    return Alert(alert.code, since_2000(alert.seconds), content)


def _asn1(alert: Asn1Alert) -> Alert:
    return Alert(alert.code, alert.at, alert.content)


AlertPayload: TypeAlias = "DataNotification | GbzAlert | Asn1Alert | Undelivered"


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Alert 00D5: bare octets in a sequence. Its layout is not seen in the reference set (reference gbcs-messages 7.2)."""

    code: int
    at: datetime | None
    originator: Entity
    recipient: Entity
    kind: int
    counter: int


def read_undelivered(payload: bytes, base: int = 0) -> Undelivered:
    """Raises DecodeError."""
    source = Octets(payload, base)
    source.expect(b"\x30", "SEQUENCE")
    if source.length("SEQUENCE length") != source.left:
        source.fail("SEQUENCE length", "is not that of the rest")
    source.expect(b"\x02\x03\x00", "alert code")
    code = source.number(2, "alert code")
    source.expect(b"\x18\x0f", "alert time stamp")
    stamp = source.take(15, "alert time stamp")
    source.expect(b"\x30\x19", "message identifier")
    originator, recipient = Entity(source.take(8, "originator")), Entity(source.take(8, "recipient"))
    kind, counter = source.number(1, "CRA flag"), source.number(8, "counter")
    source.end("alert")
    return Undelivered(code, generalized_time(stamp), originator, recipient, kind, counter)


def read_alert(message_code: int, payload: AlertPayload) -> Alert:
    """Raises DecodeError."""
    match payload:
        case DataNotification():
            return _dlms(message_code, payload)
        case GbzAlert():
            return _gbz(message_code, payload)
        case Asn1Alert():
            return _asn1(payload)
        case Undelivered():
            return Alert(payload.code, payload.at, Unnamed("the message that was not delivered (8F84)"))
