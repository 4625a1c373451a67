"""A gas meter answers the payloads of the Reference Test Data Set's gas commands, protected anew with the bench's keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices import Gsme
from tests.devices.device_home import PARTIES
from tests.devices.hub_in_memory import MemoryHan

GSME = Eui64.parse("00db1234567890a1")
ACB = Eui64.parse("90b3d51f30000002")
DEFAULT_RESPONSE, READ_RESPONSE = 0x0B, 0x01
UNSUPPORTED = {0x81, 0x82, 0x85, 0x86}


def gas_commands(rtds: Path) -> Iterator[tuple[str, Message]]:
    for path in sorted((rtds / "4.5.0").rglob("*_COMMAND_GBCS.HEX")):
        message = Message.decode(bytes.fromhex(path.read_text().strip()))
        if message.header.recipient == GSME and message.payload[:2] == b"\x01\x09" and message.header.originator in PARTIES.values():
            yield path.name, message


def again(message: Message, keystore: Keystore) -> bytes:
    """The same message under the bench's keys. A published certificate of an unknown party is left out with its message."""
    fresh = Message(message.header, message.payload)
    if message.signature:
        fresh = protect.with_signature(fresh, keystore.private_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE))
    return protect.with_mac(fresh, keystore.shared_secret(ACB, GSME)).encode()


def test_every_published_gas_command_is_executed_and_nothing_of_it_is_unsupported(rtds: Path, device_pki: Keystore) -> None:
    clock = Clock(start=datetime(2015, 1, 1, tzinfo=UTC), warp=True)
    answered = 0
    for name, message in gas_commands(rtds):
        gsme = Gsme(GSME, InstallCode(bytes(16)), device_pki, MemoryHan(GSME).node(GSME), clock, Trace(clock.now), PARTIES)
        answers = gsme.gbcs.receive(again(message, device_pki))
        assert answers, name
        response = Message.decode(answers[0])
        parts = Gbz.decode(response.payload).components
        for part in parts:
            if part.command == DEFAULT_RESPONSE and part.profile_wide:
                assert part.payload[1] not in UNSUPPORTED, f"{name}: cluster {part.cluster:04x} command {part.payload[0]:02x}"
            elif part.command == READ_RESPONSE and part.profile_wide and not part.encrypted:
                assert b"\x86" not in part.payload[2:3], name
        asked = Gbz.decode(message.payload).components
        assert {part.sequence for part in parts} == {part.sequence for part in asked}, name
        answered += 1
    assert answered >= 85
