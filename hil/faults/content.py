"""Messages and frames by their content: the conditions of a sentence, and the faults that need to know what a message is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs import protect, use_cases
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.verify import mac_secret
from firmware_emu.ids import CraFlag, Eui64
from hil.bench.passages import Passing
from hil.faults.grammar import CLUSTERS, Sentence, codes
from hil.faults.values import Arrival

_FLAGS = {"response": CraFlag.RESPONSE, "command": CraFlag.COMMAND, "alert": CraFlag.ALERT}


def has_code(message: Message, code: str) -> bool:
    """True for a message of that service request, use case or message code; of any for ``any`` and nothing."""
    use_case = use_cases.find(message.message_code)
    return code in ("", "any") or code in (codes(use_case) if use_case is not None else [f"{message.message_code:04x}"])


@dataclass(frozen=True, slots=True)
class Condition:
    """Conditions that a sentence lays on a message or a frame. ``sender`` and ``receiver`` are radios; the hub's stands for the hub.

    ``kind`` and ``code`` are a message's; ``cluster`` is a frame's.
    """

    messages: bool
    sender: Eui64 | None = None
    receiver: Eui64 | None = None
    kind: str = "message"
    code: str = ""
    cluster: int | None = None

    def holds(self, passing: Passing) -> bool:
        """True for what the sentence says, its number apart."""
        if self.sender not in (None, passing.sender) or self.receiver not in (None, passing.receiver):
            return False
        if not self.messages:
            return passing.cluster is not None and self.cluster in (None, passing.cluster)
        message = passing.message
        if message is None or (self.kind != "message" and message.header.cra is not _FLAGS[self.kind]):
            return False
        return has_code(message, self.code)


def condition(sentence: Sentence, radios: dict[str, Eui64]) -> Condition:
    """The condition of a sentence; ``radios`` are the Devices' addresses by name, and ``hub``."""
    if sentence.area == "han":
        cluster = sentence.qualifiers.get("CLUSTER", sentence.qualifiers.get("of"))
        ends = (radios.get(sentence.word("from") or ""), radios.get(sentence.word("to") or ""))
        return Condition(False, *ends, cluster=None if cluster is None else int(cluster))
    if "NAME" in sentence.values:  # "esme answers ...": its responses, to a command of that code
        return Condition(True, radios[str(sentence.values["NAME"])], None, "response", sentence.word("to") or "")
    sender, receiver = (radios.get(sentence.word(end) or "") for end in ("from", "to"))
    code = str(sentence.values.get("CODE", sentence.qualifiers.get("code", "")))
    return Condition(True, sender, receiver, str(sentence.values.get("KIND", "message")), code)


def cluster_name(number: int) -> str:
    """A cluster by its name in one word, or in hex."""
    return next((name for name, one in CLUSTERS.items() if one == number), f"{number:04x}")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One part of a message's protection does not hold: ``part`` is MAC, signature or counter. ``keystore`` makes what holds again."""

    part: str
    keystore: Keystore
    share: float = 1.0
    verb: str = "made wrong"

    def apply(self, octets: bytes, draw: Random) -> tuple[Arrival, ...]:
        """A message without that part passes as it is."""
        change: Callable[[Message, Random], Message] = {"MAC": _wrong_mac, "signature": _wrong_signature, "counter": self._wrong_counter}[
            self.part
        ]
        return ((0.0, change(Message.decode(octets), draw).encode()),)

    def _wrong_counter(self, message: Message, draw: Random) -> Message:
        header = replace(message.header, counter=max(0, message.header.counter - 1))
        return protected(replace(message, header=header), self.keystore)


def _wrong_mac(message: Message, draw: Random) -> Message:
    return message if message.mac is None else replace(message, mac=_flipped(message.mac, draw))


def _wrong_signature(message: Message, draw: Random) -> Message:
    return replace(message, signature=_flipped(message.signature, draw)) if message.signature else message


def _flipped(octets: bytes, draw: Random) -> bytes:
    changed = bytearray(octets)
    bit = draw.randrange(8 * len(octets))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def protected(message: Message, keystore: Keystore) -> Message:
    """The message with a signature, where it has one, and a MAC, where it has one, that hold. Raises KeystoreError."""
    maced = message.mac is not None
    if message.signature:
        message = protect.with_signature(message, keystore.private_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE))
    return protect.with_mac(message, mac_secret(message.header, keystore)) if maced else message


def protected_octets(octets: bytes, keystore: Keystore) -> bytes:
    """The same of a message's octets. Raises CommsHubError for octets that are no message any more."""
    try:
        return protected(Message.decode(octets), keystore).encode()
    except DecodeError as wrong:
        raise CommsHubError(f"the message cannot be read any more, so nothing can protect it: {wrong}") from None
