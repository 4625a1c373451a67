"""An ESME with the identity of the Reference Test Data Set takes its real commands: their MACs, signatures and access lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.joining import ServedTime
from firmware_emu.device.object_model import same_type
from firmware_emu.device.profile import standard_profile
from firmware_emu.gbcs.axdr import Null
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, AccessResult
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from hil.devices import Esme
from hil.devices.esme.variant import SINGLE_ELEMENT, VARIANTS, EsmeVariant
from tests.devices.hub_in_memory import MemoryHan

ESME = Eui64.parse("00db1234567890a0")
CONTINGENCY, PROTECTION = 0x0109, 30
PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90b3d51f30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90b3d51f30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90b3d51f30000004"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90b3d51f30010000"),
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90b3d51f30020000"),
    RemotePartyRole.LOAD_CONTROLLER: Eui64.parse("90b3d51f30010008"),
}


def commands(rtds: Path) -> Iterator[tuple[Path, Message]]:
    for path in sorted((rtds / "4.5.0").rglob("*_COMMAND_GBCS.HEX")):
        message = Message.decode(bytes.fromhex(path.read_text().strip()))
        if message.header.recipient == ESME:
            yield path, message


def meter(keystore: Keystore, records: list[Record], variant: EsmeVariant = SINGLE_ELEMENT) -> Esme:
    """A fresh meter; the published keys hold its key agreement key alone, so it checks everything and signs nothing."""
    clock = Clock(start=datetime(2015, 1, 1, tzinfo=UTC), warp=True)
    trace = Trace(clock.now)
    esme = Esme(ESME, InstallCode(bytes(16)), keystore, MemoryHan(ESME).node(ESME), clock, trace, PARTIES, variant=variant)
    esme.hub_time = ServedTime(0, True)  # the hub's clock is the bench's
    trace.subscribe(records.append)
    return esme


def test_every_published_command_to_the_esme_passes_every_check(rtds: Path) -> None:
    keystore = Keystore.load(rtds / "keys")
    seen = 0
    for path, message in commands(rtds):
        records: list[Record] = []
        meter(keystore, records).gbcs.receive(message.encode())
        assert [record.detail.get("reason") for record in records if record.event in ("refused", "crashed")] == [], path.name
        seen += 1
    assert seen >= 200


def test_every_published_command_with_protection_against_replay_is_refused_the_second_time(rtds: Path) -> None:
    keystore = Keystore.load(rtds / "keys")
    profile = standard_profile()
    protected = [one for one in commands(rtds) if one[1].message_code not in profile.replayable_codes | profile.top_up_codes]
    for path, message in protected[::5]:
        records: list[Record] = []
        esme = meter(keystore, records)
        esme.gbcs.receive(message.encode())
        assert esme.gbcs.receive(message.encode()) == [], path.name
        assert records[-1].detail["step"] == "counter"


def test_published_reads_are_answered_with_the_types_of_the_published_responses(rtds: Path) -> None:
    keystore = Keystore.load(rtds / "keys")
    meters = [meter(keystore, [], variant) for variant in VARIANTS.values()]
    compared = 0
    for path, message in commands(rtds):
        answer = path.with_name(path.name.replace("_COMMAND_", "_RESPONSE_"))
        if message.payload[:1] != b"\xd9" or not answer.exists():
            continue
        published = Message.decode(bytes.fromhex(answer.read_text().strip()))
        request, theirs = AccessRequest.decode(message.payload), AccessResponse.decode(published.payload)
        answers = [AccessResponse.decode(esme.execute(by_code(message.message_code), message)) for esme in meters]
        ours = next(one for one in answers if all(result.code is not AccessResult.OBJECT_UNDEFINED for result in one.results))
        for item, mine, yours, result in zip(request.specifications, ours.data, theirs.data, theirs.results, strict=True):
            if result.code is not AccessResult.SUCCESS or item.class_id == PROTECTION or yours == Null():
                continue
            where = f"{path.name} {item.class_id} {item.obis_text} {item.attribute}"
            assert mine.tag == yours.tag, where
            assert same_type(mine, yours) or same_type(yours, mine), where
            compared += 1
    assert compared >= 190
