"""Messages of every payload kind, made with the bench's own keys: commands, answers and alerts, signed and MACed as their use case asks.

Parties and devices are the default ones of ``firmware_emu.crypto.pki``. ``python tools/benchmarks/gbcs_samples.py FOLDER`` writes them, one
binary file a message; that is how the seeds in ``tests/fuzz/corpus/gbcs`` were made.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, DEFAULT_ORGANISATIONS, make_pki
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.gbcs import asn1_types as asn1
from firmware_emu.gbcs import axdr, protect
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.alerts import delivery_failure, dlms_alert, gbz_alert
from firmware_emu.gbcs.asn1 import Asn1Payload, LengthForm
from firmware_emu.gbcs.build import alert_message, build_command, respond
from firmware_emu.gbcs.cosem_time import encode_date_time
from firmware_emu.gbcs.dlms import (
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    Protected,
    ProtectionParameters,
    invoke_id,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import by_name, decode_payload
from firmware_emu.gbcs.verify import mac_secret, reading_party
from firmware_emu.gbcs.zcl_layouts import Given, LayoutValue, encode_zcl
from firmware_emu.ids import CraFlag, Eui64

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
PERIOD = (datetime(2026, 1, 1, tzinfo=UTC), AT)
DEVICES = {kind: eui for eui, kind in DEFAULT_DEVICES.items()}
ESME, GSME, CHF, GPF = (DEVICES[kind] for kind in (DeviceType.ESME, DeviceType.GSME, DeviceType.CHF, DeviceType.GPF))
SUPPLIER = DEFAULT_ORGANISATIONS["supplier"][1]
BROKER = DEFAULT_ORGANISATIONS["access-control-broker"][1]
STRANGER = DEFAULT_ORGANISATIONS["other-user"][1]
READ_ANSWER = 0x01
"""ZCL read-attributes-response."""


def command_header(name: str, target: Eui64, counter: int, *, stranger: bool = False, certificate: bytes | None = None) -> GroupingHeader:
    """A command's header: from the supplier, or through the broker for a stranger to the device."""
    code = by_name(name).code
    assert code is not None
    if not stranger:
        return GroupingHeader(CraFlag.COMMAND, counter, SUPPLIER, target, OtherInformation(code))
    other = OtherInformation(code, STRANGER, counter + 7, None, certificate)
    return GroupingHeader(CraFlag.COMMAND, counter, BROKER, target, other)


def set_clock() -> dict[int, axdr.Data]:
    """The data items of ECS70."""
    cosem = axdr.OctetString(encode_date_time(AT))
    return {0: axdr.Enum(1), 1: axdr.Structure((cosem, cosem, cosem))}


def _commands(keystore: Keystore) -> Iterator[tuple[str, Message]]:
    joining: dict[int, axdr.Data] = {
        0: axdr.Structure((axdr.OctetString(ESME.octets), axdr.Enum(1), axdr.OctetString(bytes(range(16))), axdr.Enum(0))),
        1: axdr.LongUnsigned(3600),
        2: axdr.Boolean(True),
    }
    yield "ecs70-command", build_command(by_name("ECS70"), command_header("ECS70", ESME, 1000), data=set_clock())
    yield "ccs01-command", build_command(by_name("CCS01"), command_header("CCS01", CHF, 1300, stranger=True), data=joining)
    yield "ecs17b-command", build_command(by_name("ECS17b"), command_header("ECS17b", ESME, 1001))
    yield "ecs24-command", build_command(by_name("ECS24"), command_header("ECS24", ESME, 1002))
    yield "ecs20a-command", build_command(by_name("ECS20a"), command_header("ECS20a", ESME, 1003), period=PERIOD)
    yield "gcs13a-command", build_command(by_name("GCS13a"), command_header("GCS13a", GPF, 1004))
    yield "gcs05-command", build_command(by_name("GCS05"), command_header("GCS05", GSME, 1005), components=_prepayment(), period=PERIOD)
    top_up: Mapping[str, Given] = {"originating_device": 0, "top_up_code": "73946144332040217315"}
    yield "cs01b-command", build_command(by_name("CS01b"), command_header("CS01b", GSME, 3 << 32), components=[top_up])
    yield "gcs28-command", build_command(by_name("GCS28"), command_header("GCS28", GSME, 1006), value=asn1.SetTimeCommand(PERIOD[0], AT))
    firmware = asn1.ActivateFirmwareCommand(bytes(range(32)), 1007, AT)
    yield "cs06-command", build_command(by_name("CS06"), command_header("CS06", ESME, 1007), value=firmware)
    yield "cs07-command", build_command(by_name("CS07"), command_header("CS07", GPF, 1008))
    asked = asn1.ProvideCredentialsCommand(asn1.TrustAnchorCell(2, KeyUsage.DIGITAL_SIGNATURE), (2, 3))
    yield "cs02a-command", build_command(by_name("CS02a"), command_header("CS02a", GSME, 1009), value=asked)
    own = "CS02bSupplierBySupplier"
    yield "cs02b-command", build_command(by_name(own), command_header(own, ESME, 1010), value=_handover(keystore))


def _handover(keystore: Keystore) -> asn1.UpdateCredentialsCommand:
    cell = asn1.TrustAnchorCell(2, KeyUsage.DIGITAL_SIGNATURE)
    certificate = Asn1Payload.decode_as("Certificate", _der(keystore, SUPPLIER)).encode()
    control = asn1.AuthorisingRemotePartyControl(0, None, 1, cell, 1010, 1010, (asn1.SpecialistSeq(0, 5),), None)
    return asn1.UpdateCredentialsCommand(control, (asn1.TrustAnchorReplacement(certificate, cell),), (certificate,), None)


def _der(keystore: Keystore, eui: Eui64, usage: KeyUsage = KeyUsage.DIGITAL_SIGNATURE) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return keystore.certificate(eui, usage).public_bytes(Encoding.DER)


def _prepayment() -> list[Mapping[str, Given]]:
    """The fields of the components of GCS05."""
    calendar: dict[str, Given] = {"provider_id": 1, "issuer_event_id": 2, "calendar_id": 3}
    start: dict[str, Given] = {"issuer_event_id": 2, "start_time": 0}
    day: dict[str, Given] = {
        **calendar,
        "total_entries": 2,
        "command_index": 0,
        "total_commands": 1,
        "calendar_type": 3,
        "entries": [{"start_minutes": 0, "tier_or_enable": 1}, {"start_minutes": 960, "tier_or_enable": 0}],
    }
    week: dict[str, Given] = {**calendar, "days": [{"day_id": 1} for _ in range(7)]}
    date = bytes.fromhex("7e0c19ff")
    return [
        {**start, "emergency_credit_limit": 500, "emergency_credit_threshold": 100},
        {"provider_id": 1, "issuer_event_id": 2, "implementation_time": 0, "overall_debt_cap": 10000},
        {"low_credit_warning_level": 200},
        {"provider_id": 1, "issuer_event_id": 2, "implementation_time": 0, "maximum_credit_level": 9, "maximum_credit_per_top_up": 5},
        {**calendar, "start_time": 0, "calendar_type": 3, "time_reference": 0, "calendar_name": "friendly", "number_of_seasons": 1,
         "number_of_week_profiles": 2, "number_of_day_profiles": 3},
        *({**day, "day_id": number} for number in (1, 2, 3)),
        *({**week, "week_id": number} for number in (1, 2)),
        {**calendar, "command_index": 0, "total_commands": 1, "entries": [{"season_start": date, "week_id": 1}]},
        {**calendar, "start_time": 0, "calendar_type": 3, "total_special_days": 1, "command_index": 0, "total_commands": 1,
         "entries": [{"date": date, "day_id": 3}]},
    ]  # fmt: skip


def _answers(commands: Mapping[str, Message], keystore: Keystore) -> Iterator[tuple[str, Message]]:
    moment = encode_date_time(AT)
    for name in ("ecs70", "ccs01", "ecs24", "ecs20a"):
        command = commands[f"{name}-command"]
        request = decode_payload(command)
        assert isinstance(request, AccessRequest)
        choices = [Choice.GET if item.choice is Choice.GET_WITH_SELECTION else item.choice for item in request.specifications]
        data = tuple(_value(index) if choice is Choice.GET else axdr.Null() for index, choice in enumerate(choices))
        results = tuple(AccessOutcome(choice, AccessResult(0)) for choice in choices)
        yield f"{name}-response", respond(command, AccessResponse(invoke_id(command.header.counter), data, results).encode())
    command = commands["ecs17b-command"]
    answer = respond(command, b"", date_time=moment)
    party, counter = reading_party(answer.header)
    values = axdr.Structure((axdr.Structure((axdr.DoubleLongUnsigned(10), axdr.Structure((axdr.Integer(0), axdr.Enum(30))))),))
    sealed = protect.encrypt(values.encode(), keystore.shared_secret(ESME, party), originator=ESME, counter=counter, recipient=party)
    item = Protected(ProtectionParameters(counter, ESME, party), sealed).data()
    access = AccessResponse(invoke_id(counter), (item,), (AccessOutcome(Choice.ACTION, AccessResult(0)),))
    yield "ecs17b-response", respond(command, access.encode(), date_time=moment)
    command = commands["gcs13a-command"]
    found: list[dict[str, Given]] = [
        {"attribute": 0x0302, "status": 0, "value": LayoutValue(0x22, 1000)},
        {"attribute": 0x0301, "status": 0x86},
        {"attribute": 0x0000, "status": 0, "value": LayoutValue(0x25, 123456)},
    ]
    plain = encode_zcl(0x0702, 0x08, READ_ANSWER, {"attributes": found})
    party, counter = reading_party(respond(command, b"").header)
    sealed = protect.encrypt(plain, keystore.shared_secret(GPF, party), originator=GPF, counter=counter, recipient=party)
    parts = (Component(0x0702, 0x08, 0, READ_ANSWER, sealed, encrypted=True), Component(0x0702, 0x08, 1, READ_ANSWER, plain))
    yield "gcs13a-response", respond(command, Gbz(parts).encode(), date_time=moment)
    done = [Component(0x0705, 0x18, index, 0x0B, bytes((index, 0))) for index in range(12)]
    yield "gcs05-response", respond(commands["gcs05-command"], Gbz(tuple(done)).encode())
    log = tuple(asn1.DeviceLogEntry(eui, int(kind)) for eui, kind in DEFAULT_DEVICES.items())
    payload = Asn1Payload("ReadDeviceLogResponse", asn1.ReadDeviceLogResponse(0, log * 2), LengthForm.DEVICE)
    yield "cs07-response", respond(commands["cs07-command"], payload.encode())


def _value(index: int) -> axdr.Data:
    """Values of every A-XDR type, one after the other."""
    row = axdr.TypeDescription(2, (axdr.TypeDescription(6), axdr.TypeDescription(0x12), axdr.TypeDescription(9)))
    rows = tuple(axdr.Structure((axdr.DoubleLongUnsigned(n), axdr.LongUnsigned(n * 2), axdr.OctetString(b"\x01\x02"))) for n in range(12))
    values: tuple[axdr.Data, ...] = (
        axdr.CompactArray(row, rows),
        axdr.Structure((axdr.OctetString(encode_date_time(AT)), axdr.Integer(-3), axdr.Long(-300), axdr.Long64(-(1 << 40)))),
        axdr.Array(tuple(axdr.DoubleLong(n - 4) for n in range(8))),
        axdr.Structure((axdr.BitString.of("1010011"), axdr.Boolean(True), axdr.Bcd(0x42), axdr.Long64Unsigned(1 << 60), axdr.DontCare())),
        axdr.VisibleString("GBCS"),
        axdr.Utf8String("£ prepaid"),
        axdr.Structure((axdr.Float32.of(1.5), axdr.Float64.of(-2.25), axdr.Date(bytes(5)), axdr.Time(bytes(4)), axdr.DateTime(bytes(12)))),
        axdr.Unsigned(7),
    )
    return values[index % len(values)]


def _alerts() -> Iterator[tuple[str, Message]]:
    entries = tuple((eui, bytes(range(16))) for eui in DEFAULT_DEVICES)
    backup = WhitelistBackup(encode_date_time(AT), bytes(8), entries)
    code = by_name("CS14").code
    assert code is not None
    yield "cs14-alert", alert_message(code, 4000, CHF, BROKER, dlms_alert(4000, 0x8F12, AT, backup).encode())
    yield "generic-dlms-alert", alert_message(0x1000, 2000, ESME, SUPPLIER, dlms_alert(2000, 0x8F3F, AT).encode())
    yield "generic-gbz-alert", alert_message(0x1000, 3000, GSME, SUPPLIER, gbz_alert(0x81A0, AT).encode())
    image = Asn1Payload("FirmwareTransferAlert", asn1.FirmwareTransferAlert(0x8F8A, AT, ESME, bytes(4), 0))
    yield "ccs08-alert", alert_message(0x0128, 4001, CHF, BROKER, image.encode())
    lost = GroupingHeader(CraFlag.COMMAND, 1000, SUPPLIER, ESME, OtherInformation(0x00D5)).identifier
    yield "delivery-failure-alert", alert_message(0x00D5, 4002, CHF, BROKER, delivery_failure(0x8F84, AT, lost).encode())


def samples(keystore: Keystore) -> dict[str, bytes]:
    """Name -> message, protected as its use case asks; pre-commands stand beside the commands made of them."""
    commands = dict(_commands(keystore))
    made: dict[str, bytes] = {}
    for name, message in commands.items():
        if message.signature is None:
            made[name.replace("command", "precommand")] = message.encode()
            message = protect.with_signature(message, keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
        made[name] = _maced(message, keystore)
    certificate = _der(keystore, STRANGER, KeyUsage.KEY_AGREEMENT)
    reading = build_command(by_name("ECS17b"), command_header("ECS17b", ESME, 1301, stranger=True, certificate=certificate))
    made["ecs17b-stranger-command"] = _maced(reading, keystore)
    for name, message in (*_answers(commands, keystore), *_alerts()):
        signed = name.startswith(("ecs70", "gcs05", "generic", "ccs08"))
        key = keystore.private_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE)
        made[name] = protect.with_signature(message, key).encode() if signed else _maced(message, keystore)
    return made


def _maced(message: Message, keystore: Keystore) -> bytes:
    return protect.with_mac(message, mac_secret(message.header, keystore)).encode()


def with_test_keys() -> tuple[Keystore, dict[str, bytes]]:
    """A new test PKI in memory and the samples made with it."""
    with tempfile.TemporaryDirectory() as folder:
        keystore = make_pki(Path(folder) / "keys", organisations=None, devices=DEFAULT_DEVICES)
    return keystore, samples(keystore)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for label, octets in with_test_keys()[1].items():
        (target / f"{label}.bin").write_bytes(octets)
