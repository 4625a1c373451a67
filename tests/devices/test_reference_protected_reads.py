"""Encrypted reads of the Reference Test Data Set, asked again under the bench's keys: what opens has the published types."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device.object_model import same_type
from firmware_emu.gbcs import cosem_time, protect
from firmware_emu.gbcs.axdr import CompactArray, Structure
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, AccessResult, Protected, open_protected
from firmware_emu.gbcs.envelope import Message, OtherInformation
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices import Esme
from hil.devices.esme.variant import SINGLE_ELEMENT, TWIN_ELEMENT, EsmeVariant
from hil.devices.metering.registers import Period
from tests.devices.device_home import ACB, PARTIES, SUPPLIER
from tests.devices.hub_in_memory import MemoryHan

ESME = Eui64.parse("00db1234567890a0")
OTHER_USER = Eui64.parse("90b3d51f30040000")


def meter(pki: Keystore, variant: EsmeVariant = SINGLE_ELEMENT) -> Esme:
    clock = Clock(start=datetime(2015, 1, 1, tzinfo=UTC), warp=True)
    return Esme(ESME, InstallCode(bytes(16)), pki, MemoryHan(ESME).node(ESME), clock, Trace(clock.now), PARTIES, variant=variant)


def opened(response: Message, keystore: Keystore) -> Structure | None:
    """The decrypted values of a protected read, by the key of the party that may read."""
    answer = AccessResponse.decode(response.payload)
    if answer.results[0].code is not AccessResult.SUCCESS or not isinstance(answer.data[0], Structure):
        return None
    protected = Protected.of(answer.data[0].elements)
    if protected is None:
        return None
    header = response.header
    reader = header.other.supplementary_party or header.recipient
    counter = header.other.supplementary_originator_counter or header.counter
    plain = protect.decrypt(protected.octets, keystore.shared_secret(ESME, reader), originator=ESME, counter=counter, recipient=reader)
    return open_protected(plain)


def protected_reads(rtds: Path) -> list[tuple[str, Message, Message]]:
    found = []
    for path in sorted((rtds / "4.5.0").rglob("*SUCCESS_COMMAND_GBCS.HEX")):
        command = Message.decode(bytes.fromhex(path.read_text().strip()))
        answer = path.with_name(path.name.replace("_COMMAND_", "_RESPONSE_"))
        if command.header.recipient == ESME and command.payload[:1] == b"\xd9" and answer.exists():
            items = AccessRequest.decode(command.payload).specifications
            if len(items) == 1 and items[0].class_id == 30 and command.header.other.supplementary_party is None:
                found.append((path.name, command, Message.decode(bytes.fromhex(answer.read_text().strip()))))
    return found


def test_protected_reads_open_to_the_published_types(rtds: Path, device_pki: Keystore) -> None:
    published = Keystore.load(rtds / "keys")
    reads = protected_reads(rtds)
    for name, command, answer in reads:
        esme = meter(device_pki, TWIN_ELEMENT if "TWIN" in name else SINGLE_ELEMENT)
        fresh = protect.with_mac(Message(command.header, command.payload), device_pki.shared_secret(ACB, ESME))
        ours = opened(Message.decode(esme.gbcs.receive(fresh.encode())[0]), device_pki)
        theirs = opened(answer, published)
        assert ours is not None, name
        assert theirs is not None, name
        for mine, yours in zip(ours.elements, theirs.elements, strict=True):
            if isinstance(mine, CompactArray) and isinstance(yours, CompactArray):
                assert mine.description == yours.description, name
            else:
                assert same_type(yours, mine), name
    assert len(reads) >= 9


@pytest.mark.requirement("CH-16")
def test_an_unknown_party_reads_encrypted_with_the_certificate_it_sends_along(rtds: Path, device_pki: Keystore) -> None:
    _, command, _ = next(read for read in protected_reads(rtds) if read[1].message_code == 0x0033)
    certificate = device_pki.certificate(OTHER_USER, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER)
    other = OtherInformation(0x0033, OTHER_USER, 77, None, certificate)
    header = replace(command.header, originator=ACB, other=other)
    esme = meter(device_pki)
    message = protect.with_mac(Message(header, command.payload), device_pki.shared_secret(ACB, ESME))
    response = Message.decode(esme.gbcs.receive(message.encode())[0])
    protect.check_mac(response, device_pki.shared_secret(ACB, ESME))
    assert response.header.other.supplementary_party == OTHER_USER
    assert response.header.other.supplementary_counter == 77
    assert response.header.other.supplementary_originator_counter is not None
    assert opened(response, device_pki) is not None


def test_a_certificate_of_another_party_opens_nothing(rtds: Path, device_pki: Keystore) -> None:
    _, command, _ = next(read for read in protected_reads(rtds) if read[1].message_code == 0x0033)
    certificate = device_pki.certificate(SUPPLIER, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER)
    header = replace(command.header, originator=ACB, other=OtherInformation(0x0033, OTHER_USER, 77, None, certificate))
    esme = meter(device_pki)
    message = protect.with_mac(Message(header, command.payload), device_pki.shared_secret(ACB, ESME))
    response = Message.decode(esme.gbcs.receive(message.encode())[0])
    assert AccessResponse.decode(response.payload).results[0].code is AccessResult.OTHER_REASON


def test_a_whole_import_profile_is_more_than_one_message_and_a_part_of_it_is_not(rtds: Path, device_pki: Keystore) -> None:
    _, command, _ = next(read for read in protected_reads(rtds) if read[1].message_code == 0x0037)
    esme = meter(device_pki)
    start = int(esme.now())
    for number in range(17_520):
        esme.registers.active_import.profile.append(Period(start + 1800 * number, 110))

    def read(seconds: int, counter: int) -> Message:
        limits = [cosem_time.encode_date_time(EPOCH + timedelta(seconds=moment)) for moment in (start - 60, start + seconds)]
        published = [bytes.fromhex("07de0c1fff000000008000ff"), bytes.fromhex("07df0101ff000000008000ff")]
        payload = command.payload
        for printed, wanted in zip(published, limits, strict=True):
            payload = payload.replace(printed, wanted)
        message = protect.with_mac(Message(replace(command.header, counter=counter), payload), device_pki.shared_secret(ACB, ESME))
        return Message.decode(esme.gbcs.receive(message.encode())[0])

    heard: list[str] = []
    esme.trace.subscribe(lambda record: heard.append(record.event))
    whole, part = read(1800 * 20_000, 5001), read(86_400, 5002)
    assert [one.code for one in AccessResponse.decode(whole.payload).results] == [AccessResult.LONG_GET_OR_ACTION_ABORTED]
    assert ("too long" in heard, "crashed" in heard) == (True, False)
    assert opened(part, device_pki) is not None
