"""Responses, alerts and commands as readable trees, with the original octets kept (reference gbcs-messages 4 to 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.cosem_time import describe_date_time
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.payload import Payload, decode_payload
from firmware_emu.gbcs.tree import Node
from firmware_emu.gbcs.use_cases import find
from firmware_emu.gbcs.verify import EncryptedPart, State, check_message

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message, read. ``octets`` are the original ones; ``content`` the named fields of the payload, decrypted ones below their
    ciphertext; ``opened`` the decrypted parts; ``mac`` and ``signature`` what became of the protection (``unchecked`` without keys)."""

    octets: bytes
    message: Message
    payload: Payload
    use_case: str
    title: str
    content: tuple[Node, ...]
    opened: tuple[EncryptedPart, ...]
    mac: str
    signature: str

    def as_json(self) -> dict[str, Json]:
        """For people and programs: header in words, content as nested fields, the original octets in hexadecimal."""
        header = self.message.header
        result: dict[str, Json] = {
            "use_case": self.use_case,
            "title": self.title,
            "kind": header.cra.name.lower(),
            "message_code": f"{header.message_code:04x}",
            "originator": str(header.originator),
            "recipient": str(header.recipient),
            "counter": header.counter,
        }
        if header.date_time:
            result["time"] = describe_date_time(header.date_time)
        other = header.other
        if other.supplementary_party is not None:
            result["for"] = str(other.supplementary_party)
            result["for_counter"] = other.supplementary_counter
        result["mac"], result["signature"] = self.mac, self.signature
        result["content"] = [_field(node) for node in self.content]
        result["octets"] = self.octets.hex()
        return result

    def as_text(self) -> str:
        """The same for reading in a terminal: one field a line, indented."""
        lines = [f"{self.use_case} {self.title}".strip()]
        for key, value in self.as_json().items():
            if key not in ("use_case", "title", "content", "octets"):
                lines.append(f"  {key}: {value}")
        for node in self.content:
            _lines(node, 1, lines)
        return "\n".join(lines)


def _lines(node: Node, depth: int, lines: list[str]) -> None:
    shown = " ".join(part for part in (node.value, f"({node.meaning})" if node.meaning else "") if part)
    lines.append(f"{'  ' * depth}{node.field}{': ' if shown else ''}{shown}")
    for child in (*node.children, *node.decrypted):
        _lines(child, depth + 1, lines)


def parse(data: bytes, keystore: Keystore | None = None) -> Parsed:
    """Read one message to its last octet. Raises DecodeError; a ciphertext that no key of ``keystore`` opens stays closed and says why."""
    tree = explain(data, keystore)
    message = Message.decode(data)
    content = next((node.children for node in tree.nodes if node.field == "content"), ())
    verdict = None if keystore is None else check_message(message, keystore)
    use_case = find(message.message_code)
    unchecked = State.UNCHECKED.value
    return Parsed(
        octets=data,
        message=message,
        payload=decode_payload(message),
        use_case=use_case.name if use_case else f"{message.message_code:04x}",
        title=use_case.title if use_case else "",
        content=content,
        opened=verdict.encrypted if verdict else (),
        mac=verdict.mac.state.value if verdict else unchecked if message.mac else State.ABSENT.value,
        signature=verdict.signature.state.value if verdict else unchecked if message.signature else State.ABSENT.value,
    )


def _field(node: Node) -> dict[str, Json]:
    result: dict[str, Json] = {"field": node.field}
    if node.value:
        result["value"] = node.value
    if node.meaning:
        result["meaning"] = node.meaning
    if node.children:
        result["items"] = [_field(child) for child in node.children]
    if node.decrypted:
        result["decrypted"] = [_field(child) for child in node.decrypted]
    return result
