"""Every message of the Reference Test Data Set 4.5.0: read, written back, checked, decrypted, explained, rebuilt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs import protect, verify
from firmware_emu.gbcs.alerts import GbzAlert, dlms_alert, gbz_alert, read_alert
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.build import build_command, respond
from firmware_emu.gbcs.cosem_time import decode_date_time, decode_utc_seconds
from firmware_emu.gbcs.dlms import AccessRequest, Array, Choice, DataNotification, DoubleLongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.use_cases import AccessList, UseCaseKind, by_code, decode_payload, find
from firmware_emu.gbcs.verify import ProtectionState
from firmware_emu.gbcs.zcl_layouts import Given, decode_zcl, encode_zcl, given
from firmware_emu.ids import CraFlag

UNCHECKABLE = ("PCS01", "PCS02")
"""PPMID to GSME: no private key of either is published (reference gbcs-messages 10)."""


def test_every_message_reads_and_writes_back_identically(messages: dict[str, bytes]) -> None:
    assert messages
    for name, data in messages.items():
        message = Message.decode(data)
        payload = decode_payload(message)
        assert payload.encode() == message.payload, name
        assert replace(message).encode() == data, name


def test_every_message_code_is_in_the_catalogue_with_the_protection_seen(messages: dict[str, bytes]) -> None:
    for name, data in messages.items():
        message = Message.decode(data)
        use_case = by_code(message.message_code)
        alert = message.header.cra is CraFlag.ALERT
        assert (use_case.kind is UseCaseKind.ALERT) is alert, name
        if message.header.cra is CraFlag.RESPONSE and use_case.critical is not None:
            assert bool(message.signature) is use_case.response_signed, name
        assert bool(message.header.date_time) <= use_case.header_date_time, name


def test_every_mac_and_signature_holds_but_those_without_published_keys(messages: dict[str, bytes], rtds_keys: Keystore) -> None:
    for name, data in messages.items():
        verdict = verify.check(data, rtds_keys)
        if name.startswith(UNCHECKABLE):
            assert verdict.mac.state is ProtectionState.UNCHECKED, name
            continue
        assert verdict.mac.state is (ProtectionState.ABSENT if verdict.message.mac is None else ProtectionState.VALID), name
        assert verdict.signature.state is (ProtectionState.VALID if verdict.message.signature else ProtectionState.ABSENT), name
        assert verdict.ok is (verdict.message.signature is not None), name


def test_every_ciphertext_opens_and_reads_by_its_layout(messages: dict[str, bytes], rtds_keys: Keystore) -> None:
    opened = 0
    for name, data in messages.items():
        parts = verify.check(data, rtds_keys).encrypted
        assert len(parts) == data.count(protect.ENCRYPTED_HEADER), name
        for part in parts:
            assert part.values is not None, (name, part)
            assert data[part.offset : part.offset + len(part.octets)] == part.octets, name
            opened += 1
    assert opened >= 40


def test_a_pre_command_is_the_signed_part_of_its_command(messages: dict[str, bytes]) -> None:
    pairs = 0
    for name, data in messages.items():
        command = messages.get(name.replace("_PRECOMMAND_", "_COMMAND_")) if "_PRECOMMAND_" in name else None
        if command is not None:
            pairs += 1
            assert Message.decode(command).signed_bytes == Message.decode(data).signed_bytes == data[1:], name
    assert pairs


@pytest.mark.parametrize(
    ("control", "wanted"),
    [
        ("direction", "u octet"),
        ("prefix", "without the prefix"),
        ("supplier key", "shared secret"),
        ("counter", "counter"),
    ],
)
def test_a_mac_made_the_wrong_way_fails_and_the_verdict_says_how(
    messages: dict[str, bytes], rtds_keys: Keystore, control: str, wanted: str
) -> None:
    message = Message.decode(next(data for name, data in messages.items() if name.startswith("ECS44") and "_COMMAND" in name))
    header = message.header
    z = verify.mac_secret(header, rtds_keys)
    prefix, use, counter = protect.MAC_AAD_PREFIX, int(header.cra), header.counter
    if control == "direction":
        use = 2
    elif control == "prefix":
        prefix = b""
    elif control == "counter":
        counter += 1
    else:
        z = rtds_keys.shared_secret(header.originator, header.recipient)
    key = protect.primitives.derive_key(z, protect.other_info(header.originator, use, counter, header.recipient))
    mac = protect.primitives.tag(key, header.originator.octets + bytes(4), prefix + message.signing_block)
    verdict = verify.check(replace(message, mac=mac).encode(), rtds_keys)
    assert verdict.mac.state is ProtectionState.INVALID
    assert wanted in verdict.mac.would_hold
    assert not verdict.ok


def test_a_response_answers_its_command(messages: dict[str, bytes]) -> None:
    pairs = 0
    for name, data in messages.items():
        answer = messages.get(name.replace("_COMMAND_", "_RESPONSE_")) if "_COMMAND_" in name else None
        if answer is None:
            continue
        response = Message.decode(answer)
        made = respond(
            Message.decode(data),
            response.payload,
            date_time=response.header.date_time,
            originator_counter=response.header.other.supplementary_originator_counter,
        )
        assert made.signed_bytes == response.signed_bytes, name
        pairs += 1
    assert pairs


def test_every_alert_is_read_and_built_again(messages: dict[str, bytes]) -> None:
    kinds: Counter[str] = Counter()
    for name, data in messages.items():
        message = Message.decode(data)
        if message.header.cra is not CraFlag.ALERT:
            continue
        payload = decode_payload(message)
        assert isinstance(payload, DataNotification | GbzAlert | Asn1Payload), name
        alert = read_alert(message.message_code, payload, message.payload_offset)
        kinds[type(alert.content).__name__] += 1
        assert alert.at is not None
        if isinstance(payload, DataNotification):
            made = dlms_alert(message.header.counter, alert.alert_code, alert.at, alert.content)  # type: ignore[arg-type]
            assert made.encode() == message.payload, name
        elif isinstance(payload, GbzAlert):
            assert gbz_alert(alert.alert_code, alert.at, alert.content).encode() == message.payload, name  # type: ignore[arg-type]
        declared = find(message.message_code)
        assert declared is not None
        assert alert.alert_code in declared.alert_codes, name
    assert len(kinds) >= 20


def test_an_explanation_holds_every_octet_exactly_once(messages: dict[str, bytes], rtds_keys: Keystore) -> None:
    for name, data in messages.items():
        place = opened = 0
        for _, node in explain(data, rtds_keys).walk():
            assert node.offset == place, (name, node)
            place += len(node.octets)
            if node.decrypted:
                opened += 1
                inside = [part for top in node.decrypted for _, part in top.walk()]
                assert sum(len(part.octets) for part in inside) <= len(node.octets), name
                assert inside[0].offset >= node.offset, name
        assert place == len(data), name
        assert opened == data.count(protect.ENCRYPTED_HEADER), name


def _period(request: AccessRequest, chosen: AccessList) -> tuple[object, object] | None:
    for specification in request.specifications:
        match specification.selection:
            case Structure(elements=(_, DoubleLongUnsigned(value=start), DoubleLongUnsigned(value=end), _)):
                return decode_utc_seconds(start), decode_utc_seconds(end)
    for item, data in zip(chosen.items, request.data, strict=True):
        if item.protected:
            match data:
                case Structure(
                    elements=(Array(elements=(Structure(elements=(*_, Structure(elements=(_, Structure(elements=ends))))), *_)), _)
                ):
                    first, last = (decode_date_time(end.octets) for end in ends if isinstance(end, OctetString))
                    return first, last
    return None


def _rebuilt(message: Message) -> bool:
    """True if one of the catalogue's forms rebuilds a command from its values."""
    use_case = by_code(message.message_code)
    payload = decode_payload(message)
    if isinstance(payload, AccessRequest):
        for chosen in use_case.access_lists:
            if [item.obis for item in chosen.items] != [part.obis for part in payload.specifications]:
                continue
            data = {
                place: item
                for place, item in enumerate(payload.data)
                if payload.specifications[place].choice in (Choice.SET, Choice.ACTION)
                and not chosen.items[place].protected
                and chosen.items[place].constant is None
                and not (isinstance(item, Null) and chosen.items[place].shape == "null")
            }
            period = _period(payload, chosen)
            made = build_command(use_case, message.header, variant=chosen.variant, data=data, period=period)  # type: ignore[arg-type]
            if made.payload == message.payload:
                return (made.signature is None) is (message.signature != b"")
        return False
    if isinstance(payload, Gbz):
        for listed in use_case.gbz_lists:
            if len(listed.items) != len(payload.components):
                continue
            fields: list[dict[str, Given]] = []
            for component, item in zip(payload.components, listed.items, strict=True):
                command = decode_zcl(component, component.payload)
                assert command is not None
                values = {} if item.attributes else given(command.fields)
                if component.from_date_time is not None:
                    values["from_date_time"] = component.from_date_time
                fields.append(values)
            if build_command(use_case, message.header, variant=listed.variant, components=fields).payload == message.payload:
                return True
        return build_command(use_case, message.header, components=payload.components).payload == message.payload
    assert isinstance(payload, Asn1Payload)
    return build_command(use_case, message.header, value=payload.value).payload == message.payload


def test_every_command_is_built_again_from_its_catalogue_row(messages: dict[str, bytes]) -> None:
    for name, data in messages.items():
        message = Message.decode(data)
        if message.header.cra is CraFlag.COMMAND:
            assert _rebuilt(message), name


def test_every_zcl_payload_follows_its_layout(messages: dict[str, bytes], rtds_keys: Keystore) -> None:
    seen = set()
    for name, data in messages.items():
        message = Message.decode(data)
        payload = decode_payload(message)
        if not isinstance(payload, Gbz):
            continue
        plain = {part.octets: part.plaintext for part in verify.open_encrypted(message, rtds_keys)}
        for component in payload.components:
            octets = plain[component.payload] if component.encrypted else component.payload
            assert octets is not None, name
            command = decode_zcl(component, octets)
            assert command is not None, name
            seen.add(command.layout.name)
            assert encode_zcl(component.cluster, component.frame_control, component.command, given(command.fields)) == octets, name
    assert len(seen) >= 40


def test_every_truncation_of_a_message_is_refused(messages: dict[str, bytes]) -> None:
    for name, data in list(messages.items())[::25]:
        for length in range(0, len(data), 7):
            try:
                decode_payload(Message.decode(data[:length]))
            except DecodeError:
                continue
            # What is left of a signed-only message without its signature is a pre-command.
            assert data[0] == 0xDF, (name, length)
