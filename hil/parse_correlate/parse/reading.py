"""Responses, alerts and commands as named fields, with the original octets kept."""

from __future__ import annotations

from dataclasses import dataclass

from ..keys import Keys
from ..message.envelope import KINDS, Message, read_message
from ..message.moments import date_time_text
from ..message.payload import Payload, read_payload
from ..names.tables import use_case
from ..protection import ABSENT, UNCHECKED, mac_state, signature_state
from .fields import Field, Json, fields_of
from .opened import Opened, opened_parts


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message, read. ``octets`` are the original ones; ``content`` the named fields of the payload, decrypted ones below their
    ciphertext; ``opened`` the encrypted parts; ``mac`` and ``signature`` are ``valid``, ``invalid``, ``absent``, or ``unchecked``
    without keys."""

    octets: bytes
    message: Message
    payload: Payload
    use_case: str
    title: str
    content: tuple[Field, ...]
    opened: tuple[Opened, ...]
    mac: str
    signature: str

    def as_json(self) -> dict[str, Json]:
        """For people and programs: header in words, content as nested fields, the original octets in hexadecimal."""
        header = self.message.header
        result: dict[str, Json] = {
            "use_case": self.use_case,
            "title": self.title,
            "kind": KINDS[header.kind],
            "message_code": f"{header.message_code:04x}",
            "originator": str(header.originator),
            "recipient": str(header.recipient),
            "counter": header.counter,
        }
        if header.date_time:
            result["time"] = date_time_text(header.date_time)
        if header.party is not None:
            result["for"] = str(header.party)
            result["for_counter"] = header.party_counter
        result["mac"], result["signature"] = self.mac, self.signature
        result["content"] = [field.as_json() for field in self.content]
        result["octets"] = self.octets.hex()
        return result

    def as_text(self) -> str:
        """The same for reading in a terminal: one field a line, indented."""
        lines = [f"{self.use_case} {self.title}".strip()]
        for key, value in self.as_json().items():
            if key not in ("use_case", "title", "content", "octets"):
                lines.append(f"  {key}: {value}")
        for field in self.content:
            _lines(field, 1, lines)
        return "\n".join(lines)


def _lines(field: Field, depth: int, lines: list[str]) -> None:
    shown = " ".join(part for part in (field.value, f"({field.meaning})" if field.meaning else "") if part)
    lines.append(f"{'  ' * depth}{field.field}{': ' if shown else ''}{shown}")
    for child in (*field.children, *field.decrypted):
        _lines(child, depth + 1, lines)


def parse(octets: bytes, keys: Keys | None = None) -> Parsed:
    """Read one message to its last octet. Raises DecodeError; a ciphertext that no key opens stays closed and says why."""
    message = read_message(octets)
    payload = read_payload(message)
    case = use_case(message.header.message_code)
    opened = opened_parts(message, payload, keys)
    return Parsed(
        octets=octets,
        message=message,
        payload=payload,
        use_case=case.name,
        title=case.title,
        content=fields_of(payload, message.header.message_code, opened),
        opened=opened,
        mac=mac_state(message, keys) if keys is not None else UNCHECKED if message.mac else ABSENT,
        signature=signature_state(message, keys) if keys is not None else UNCHECKED if message.signature else ABSENT,
    )
