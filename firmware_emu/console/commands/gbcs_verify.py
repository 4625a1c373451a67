"""The work of ``chub gbcs verify``: verdicts on many messages, and their wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from firmware_emu.console.commands.gbcs_input import Found
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import MAC_LENGTH, SIGNATURE_LENGTH, Message
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.gbcs.verify import EncryptedPart, ProtectionCheck, ProtectionState, check_message

_DOES_NOT_OPEN = "does not open"
"""First words of the problem of a ciphertext whose key is held; any other problem is a key that is missing."""
_COUNTED = (ProtectionState.VALID, ProtectionState.INVALID, ProtectionState.UNCHECKED)


def is_broken(part: EncryptedPart) -> bool:
    """True if the key of a ciphertext is held and does not open it."""
    return part.plaintext is None and part.problem.startswith(_DOES_NOT_OPEN)


@dataclass(frozen=True, slots=True)
class VerifyFailure:
    """Something that does not hold: in which file, at which octet, in which field, and why."""

    file: str
    offset: int
    field: str
    error: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be checked, and why."""

    file: str
    what: str
    reason: str


@dataclass(slots=True)
class VerifyTally:
    """The outcome over all messages added."""

    messages: int = 0
    parsed: int = 0
    reencoded_identical: int = 0
    mac: Counter[ProtectionState] = field(default_factory=Counter)
    signature: Counter[ProtectionState] = field(default_factory=Counter)
    encrypted: int = 0
    decrypted: int = 0
    failures: list[VerifyFailure] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing failed."""
        return not self.failures

    def add(self, found: Found, keystore: Keystore) -> None:
        """Read one message, encode it again and check everything protected in it."""
        self.messages += 1
        if found.problem:
            self.failures.append(VerifyFailure(found.name, 0, "file", found.problem))
            return
        try:
            message = Message.decode(found.octets)
            payload = decode_payload(message)
            verdict = check_message(message, keystore)
        except DecodeError as error:
            self.failures.append(VerifyFailure(found.name, error.offset, error.field, error.problem))
            return
        self.parsed += 1
        self._compare(found, replace(message, payload=payload.encode()).encode())
        end = len(found.octets) - (0 if message.mac is None else MAC_LENGTH)
        self._count(found.name, "MAC", verdict.mac, self.mac, end)
        self._count(found.name, "signature", verdict.signature, self.signature, end - SIGNATURE_LENGTH)
        for part in verdict.encrypted:
            self._count_encrypted(found.name, part)

    def _compare(self, found: Found, again: bytes) -> None:
        if again == found.octets:
            self.reencoded_identical += 1
            return
        pairs = enumerate(zip(again, found.octets, strict=False))
        offset = next((index for index, (ours, theirs) in pairs if ours != theirs), min(len(again), len(found.octets)))
        self.failures.append(
            VerifyFailure(found.name, offset, "encoding", f"encodes again to {len(again)} octets that differ from here on")
        )

    def _count(self, file: str, what: str, check: ProtectionCheck, counts: Counter[ProtectionState], offset: int) -> None:
        if check.state in _COUNTED:
            counts[check.state] += 1
        if check.state is ProtectionState.UNCHECKED:
            self.unchecked.append(Unchecked(file, what, check.reason))
        elif check.state is ProtectionState.INVALID:
            hint = f"; it holds with {check.would_hold}" if check.would_hold else "; none of the inputs tried makes it hold"
            self.failures.append(VerifyFailure(file, offset, what, check.reason + hint))

    def _count_encrypted(self, file: str, part: EncryptedPart) -> None:
        self.encrypted += 1
        if part.plaintext is None and not is_broken(part):
            self.unchecked.append(Unchecked(file, part.field, part.problem))
            return
        if part.plaintext is not None:
            self.decrypted += 1
        if part.problem:
            self.failures.append(VerifyFailure(file, part.offset, part.field, part.problem))

    def as_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "messages": self.messages,
            "parsed": self.parsed,
            "reencoded_identical": self.reencoded_identical,
            "mac": {state.value: self.mac[state] for state in _COUNTED},
            "signature": {state.value: self.signature[state] for state in _COUNTED},
            "encrypted": {"found": self.encrypted, "decrypted": self.decrypted},
            "failures": [{"file": one.file, "offset": one.offset, "field": one.field, "error": one.error} for one in self.failures],
            "unchecked_reasons": [{"file": one.file, "what": one.what, "reason": one.reason} for one in self.unchecked],
        }

    def print(self, console: Console) -> None:
        """The same for people."""
        table = Table("", "valid", "invalid", "unchecked", title=f"{self.messages} messages")
        for what, counts in (("MAC", self.mac), ("signature", self.signature)):
            invalid = f"[red]{counts[ProtectionState.INVALID]}[/]" if counts[ProtectionState.INVALID] else "0"
            table.add_row(what, str(counts[ProtectionState.VALID]), invalid, str(counts[ProtectionState.UNCHECKED]))
        console.print(table)
        console.print(f"parsed {self.parsed}, encoded again to the same octets {self.reencoded_identical}")
        console.print(f"encrypted parts {self.encrypted}, decrypted {self.decrypted}")
        for unchecked in self.unchecked:
            text = escape(f"{unchecked.file}: {unchecked.what}: {unchecked.reason}")
            console.print(f"[yellow]unchecked[/] {text}", soft_wrap=True, highlight=False)
        for failure in self.failures:
            text = escape(f"{failure.file}: at offset {failure.offset}, {failure.field}: {failure.error}")
            console.print(f"[red]failed[/] {text}", soft_wrap=True, highlight=False)


def tally(messages: Iterable[Found], keystore: Keystore) -> VerifyTally:
    """The outcome of all these messages."""
    found = VerifyTally()
    for message in messages:
        found.add(message, keystore)
    return found
