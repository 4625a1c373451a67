"""DLMS payloads: access request, access response, data notification (reference gbcs-messages 5 and 7.1)."""

from __future__ import annotations

from dataclasses import dataclass

from .axdr import Value, read_value
from .octets import Octets

ACCESS_REQUEST, ACCESS_RESPONSE, DATA_NOTIFICATION = 0xD9, 0xDA, 0x0F
CHOICES = {1: "get", 2: "set", 3: "action", 4: "get"}
_GET_WITH_SELECTION = 4
RESULTS = {
    0: "success",
    1: "hardware-fault",
    2: "temporary-failure",
    3: "read-write-denied",
    4: "object-undefined",
    9: "object-class-inconsistent",
    11: "object-unavailable",
    12: "type-unmatched",
    13: "scope-of-access-violated",
    14: "data-block-unavailable",
    15: "long-get-aborted",
    16: "no-long-get-in-progress",
    17: "long-set-aborted",
    18: "no-long-set-in-progress",
    19: "data-block-number-invalid",
    250: "other-reason",
}


def obis_text(octets: bytes) -> str:
    """``0-0:96.3.10.255``."""
    a, b, c, d, e, f = octets
    return f"{a}-{b}:{c}.{d}.{e}.{f}"


@dataclass(frozen=True, slots=True)
class Access:
    """One access of a request: ``choice`` get, set or action; ``member`` the attribute or method; ``selection`` of a range."""

    choice: str
    class_id: int
    obis: str
    member: int
    selection: Value | None
    data: Value

    @property
    def place(self) -> str:
        return f"{self.choice} {self.class_id} {self.obis} {self.member}"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Request of a DLMS command."""

    invoke_id: int
    accesses: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """One access answered: its data, the choice repeated, and the result code."""

    data: Value
    choice: str
    result: int


@dataclass(frozen=True, slots=True)
class AccessResponse:
    """Answer of a Device to a DLMS command."""

    invoke_id: int
    answers: tuple[Answered, ...]

    @property
    def data(self) -> tuple[Value, ...]:
        return tuple(answer.data for answer in self.answers)


@dataclass(frozen=True, slots=True)
class DataNotification:
    """An alert: a structure of alert code, time stamp and whatever belongs to it."""

    invoke_id: int
    body: Value


def _count(source: Octets, place: str) -> int:
    count = source.length(place)
    if count > source.left:
        source.fail(place, f"read {count}, {source.left} octets left")
    return count


def _start(payload: bytes, base: int, tag: int, place: str) -> tuple[Octets, int]:
    source = Octets(payload, base)
    source.expect(bytes((tag,)), place)
    invoke_id = source.number(4, "long-invoke-id")
    source.expect(b"\x00", "date-time")
    return source, invoke_id


def read_access_request(payload: bytes, base: int = 0) -> AccessRequest:
    """Raises DecodeError."""
    source, invoke_id = _start(payload, base, ACCESS_REQUEST, "access-request tag")
    wanted: list[tuple[str, int, str, int, Value | None]] = []
    for _ in range(_count(source, "specification count")):
        choice = source.number(1, "choice")
        if choice not in CHOICES:
            source.fail("choice", f"read {choice:02x}, expected 01 to 04")
        class_id, obis = source.number(2, "class"), obis_text(source.take(6, "OBIS code"))
        member = source.number(1, "attribute or method")
        selection: Value | None = None
        if choice == _GET_WITH_SELECTION:
            source.expect(b"\x01", "selector")
            selection = read_value(source)
        wanted.append((CHOICES[choice], class_id, obis, member, selection))
    count = _count(source, "data count")
    if count != len(wanted):
        source.fail("data count", f"read {count}, expected {len(wanted)}")
    accesses = tuple(Access(*specification, read_value(source)) for specification in wanted)
    source.end("access request")
    return AccessRequest(invoke_id, accesses)


def read_access_response(payload: bytes, base: int = 0) -> AccessResponse:
    """Raises DecodeError."""
    source, invoke_id = _start(payload, base, ACCESS_RESPONSE, "access-response tag")
    source.expect(b"\x00", "echo of the specifications")
    data = [read_value(source) for _ in range(_count(source, "data count"))]
    count = _count(source, "result count")
    if count != len(data):
        source.fail("result count", f"read {count}, expected {len(data)}")
    answers: list[Answered] = []
    for item in data:
        choice = source.number(1, "result choice")
        if choice not in (1, 2, 3):
            source.fail("result choice", f"read {choice:02x}, expected 01 to 03")
        result = source.number(1, "result")
        if result not in RESULTS:
            source.fail("result", f"read {result}, expected a data access result")
        answers.append(Answered(item, CHOICES[choice], result))
    source.end("access response")
    return AccessResponse(invoke_id, tuple(answers))


def read_notification(payload: bytes, base: int = 0) -> DataNotification:
    """Raises DecodeError."""
    source, invoke_id = _start(payload, base, DATA_NOTIFICATION, "data-notification tag")
    body = read_value(source)
    source.end("data notification")
    return DataNotification(invoke_id, body)
