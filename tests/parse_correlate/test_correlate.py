"""The correlator finds every change of a critical pre-command, raises no false alarm, and says what it could not check."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from hil.dcc.duis import new_request, read_request, write_request
from hil.dcc.parties.users import HeldKeys
from hil.dcc.transform import transform
from hil.dcc.transform.check import CREATED, Checker, reference_devices
from hil.parse_correlate import Entity, Known, RequestError, correlate

SUPPLIER, METER = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")
PRE_COMMAND = bytes.fromhex(
    "df090100000000000003e80890b3d51f300100000800db1234567890a00002005115d9200003e8000103000900000a006aff0101120036"
)
Case = tuple[str, bytes, bytes, Known]


def asked(variant: str, counter: int) -> bytes:
    return write_request(new_request(variant, SUPPLIER, METER, counter))


@pytest.fixture(scope="module")
def critical(duis: Path, rtds: Path) -> list[Case]:
    """Every critical request here with the pre-command made of it, and what its signatory knows."""
    keystore = Keystore.load(rtds / "keys")
    devices = reference_devices()
    checker = Checker(keystore, devices, names=False)
    held = HeldKeys(keystore)
    found = []
    for file in sorted((duis / "templates").glob("*.XML")):
        octets = file.read_bytes()
        request = read_request(octets)
        if request.variant.kind != "critical" and request.service_reference != "6.23":
            continue
        message = transform(request, checker.context(request, 6001))

        def kind(entity: Entity) -> int | None:
            device = devices.get(Eui64(entity.octets))
            return None if device is None else int(device.device_type)

        def certificates(entity: Entity) -> Sequence[bytes]:
            return held.agreement_certificates(entity)

        device = devices[request.request_id.target]
        originator, counter = Entity(message.header.originator.octets), message.header.counter
        found.append(
            (file.name, octets, message.encode(), Known(CREATED, originator, counter, kind, certificates, elements=device.profile.elements))
        )
    return found


@pytest.mark.requirement("PC-01")
def test_no_good_pre_command_raises_an_alarm(critical: list[Case]) -> None:
    assert critical
    for name, request, octets, known in critical:
        assert correlate(request, octets).match, name
        assert correlate(request, octets, known=known).match, name


def test_with_every_fact_known_a_match_leaves_nothing_but_the_edition_of_the_use_case_open(critical: list[Case]) -> None:
    for name, request, octets, known in critical:
        verdict = correlate(request, octets, known=known)
        # No command carries the meter points of a change of supplier; a tariff counts its thresholds itself (RTDS GCS01a).
        left = {one.field for one in verdict.not_checked if not one.field.endswith(("MPxN", "NumberOfThresholds"))}
        assert left <= {"message code"}, (name, verdict.as_text())
    assert sum(correlate(request, octets, known=known).verdict == "match" for _, request, octets, known in critical) > 60


def test_every_single_octet_change_is_found(critical: list[Case]) -> None:
    chooser = random.Random(20150101)
    for name, request, octets, known in critical:
        # Certificates are opaque: a sample of their octets stands for all.
        places = range(len(octets)) if len(octets) < 400 else sorted(chooser.sample(range(len(octets)), 120))
        for place in places:
            changed = bytearray(octets)
            changed[place] ^= chooser.randrange(1, 256)
            verdict = correlate(request, bytes(changed), known=known)
            assert not verdict.match, f"{name}: octet {place} was {octets[place]:02x}, is {changed[place]:02x}"


def test_a_change_that_the_inputs_cannot_prove_is_told_as_not_checked(critical: list[Case]) -> None:
    chooser = random.Random(7)
    told = 0
    for name, request, octets, _ in critical:
        before = correlate(request, octets)
        for place in sorted(chooser.sample(range(len(octets)), min(len(octets), 60))):
            changed = bytearray(octets)
            changed[place] ^= 1 << chooser.randrange(8)
            verdict = correlate(request, bytes(changed))
            if verdict.match:
                assert verdict.not_checked != before.not_checked, f"{name}: octet {place}"
                told += 1
    assert told, "creation times and certificates are among the octets"


def test_a_gas_command_created_at_another_time_than_the_users_is_found(
    critical: list[Case],
) -> None:
    minute = timedelta(minutes=1)
    timed = [(request, octets, known) for _, request, octets, known in critical if bytes.fromhex("804a371c") in octets]
    assert timed
    for request, octets, known in timed:
        later = replace(known, created=CREATED + minute)
        assert not correlate(request, octets, known=later).match
        assert not correlate(request, octets, known=replace(later, created_within=timedelta(seconds=59))).match
        assert correlate(request, octets, known=replace(later, created_within=minute)).match


def test_shortened_and_lengthened_pre_commands_are_found(critical: list[Case]) -> None:
    for name, request, octets, known in critical:
        assert not correlate(request, octets[:-1], known=known).match, name
        assert not correlate(request, octets + b"\x01", known=known).match, name


def test_the_reference_pre_commands_correlate_unless_their_certificates_are_others(duis: Path, rtds: Path) -> None:
    messages = {path.name: path for path in rtds.rglob("*_PRECOMMAND_GBCS.HEX")}
    checked = 0
    for file in sorted((duis / "templates").glob("*.XML")):
        path = messages.get(file.name.replace("_REQUEST_DUIS.XML", "_PRECOMMAND_GBCS.HEX"))
        if path is None:
            continue
        verdict = correlate(file.read_bytes(), bytes.fromhex(path.read_text().strip()))
        if file.name.startswith(("CS02b", "CS02g")):
            assert all("payload[1][3]" in difference.field for difference in verdict.differences), file.name
        else:
            assert verdict.match, (file.name, verdict.differences)
        checked += 1
    assert checked > 40


def test_a_pre_command_for_another_service_is_named_with_both_codes() -> None:
    verdict = correlate(asked("7.2", 1000), PRE_COMMAND)
    assert [(item.field, item.requested, item.stated) for item in verdict.differences] == [("message code", "0050 or 0081", "0051")]


def test_a_difference_names_the_field_and_both_values() -> None:
    verdict = correlate(asked("7.3", 1001), PRE_COMMAND)
    assert not verdict.match
    assert [str(item) for item in verdict.differences] == [
        "originator counter: requested 1001, the pre-command says 1000",
    ]


def test_a_trailing_signature_length_octet_is_tolerated_and_a_signature_is_not() -> None:
    request = asked("7.3", 1000)
    assert correlate(request, PRE_COMMAND).match
    assert correlate(request, PRE_COMMAND + b"\x00").match
    signed = replace(Message.decode(PRE_COMMAND), signature=bytes(64)).encode()
    assert not correlate(request, signed).match


@pytest.mark.parametrize("start", range(8))
def test_random_octets_after_the_header_raise_nothing(start: int, critical: list[Case]) -> None:
    chooser = random.Random(start)
    for name, request, octets, known in critical:
        place = chooser.randrange(33, len(octets))
        noise = octets[:place] + chooser.randbytes(len(octets) - place)
        assert not correlate(request, noise, known=known).match or noise == octets, name


def test_a_non_critical_request_has_no_pre_command() -> None:
    verdict = correlate(asked("7.4", 1000), PRE_COMMAND)
    assert "no pre-command" in verdict.differences[0].requested


@pytest.mark.requirement("PC-02")
def test_correlating_and_parsing_load_nothing_of_the_product_they_check() -> None:
    program = "import sys, hil.parse_correlate.command; "
    program += "print([name for name in sys.modules if name.startswith(('hil.dcc', 'firmware_emu', 'ichis'))])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_damaged_certificate_of_a_join_is_a_difference_and_no_traceback(critical: list[Case]) -> None:
    name, request, octets, _ = next(case for case in critical if case[0].startswith("CS03CCritical"))
    extensions = octets.index(bytes.fromhex("0603551d"))
    twice = bytearray(octets)
    for place in range(extensions, len(octets) - 5):
        if octets[place : place + 4] == bytes.fromhex("0603551d"):
            twice[place + 4] = octets[extensions + 4]  # every extension is now the first one again
    verdict = correlate(request, bytes(twice))
    assert [one.field for one in verdict.differences][:1] in (["certificate"], ["certificate of"]), (name, verdict.as_text())


TARIFF = b"<sr:DebtRecoveryPerPayment>"


def template(duis: Path, stem: str) -> bytes:
    return (duis / "templates" / f"{stem}_REQUEST_DUIS.XML").read_bytes()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"12<!-- -->00", "comment"),
        (b"12<?x?>00", "processing instruction"),
        (b"1_200", "whole number"),
        ("\u0661\u0662".encode(), "whole number"),
        (b"12<sr:DebtRecoveryPerPayment>00</sr:DebtRecoveryPerPayment>", "text between"),
    ],
)
def test_a_value_that_two_readers_could_read_differently_is_refused(duis: Path, rtds: Path, written: bytes, why: str) -> None:
    head, _, rest = template(duis, "ECS07_2.3_SUCCESS").partition(TARIFF)
    request = head + TARIFF + written + b"<" + rest.partition(b"<")[2]
    pre_command = bytes.fromhex(next(rtds.rglob("ECS07_2.3_SUCCESS_PRECOMMAND_GBCS.HEX")).read_text())
    told = []
    try:
        told = [one.requested for one in correlate(request, pre_command).differences]
    except RequestError as trouble:
        told = [str(trouble)]
    assert any(why in line for line in told)


def test_an_element_that_occurs_twice_is_a_difference_and_not_the_first_of_the_two(duis: Path, rtds: Path) -> None:
    request = template(duis, "ECS07_2.3_SUCCESS")
    head, _, rest = request.partition(TARIFF)
    twice = head + TARIFF + b"0</sr:DebtRecoveryPerPayment>" + TARIFF + rest
    pre_command = bytes.fromhex(next(rtds.rglob("ECS07_2.3_SUCCESS_PRECOMMAND_GBCS.HEX")).read_text())
    assert correlate(request, pre_command).match
    assert "occurs 2 times" in str(correlate(twice, pre_command).differences[0])


def test_a_document_type_is_refused(duis: Path) -> None:
    request = template(duis, "ECS44_7.3_SUCCESS")
    declared = request.replace(b"<sr:Request", b'<!DOCTYPE x [<!ENTITY e "1">]><sr:Request', 1)
    with pytest.raises(RequestError, match="document type"):
        correlate(declared, PRE_COMMAND)


def test_what_the_request_says_and_nothing_was_held_against_is_told(duis: Path) -> None:
    request = template(duis, "ECS44_7.3_SUCCESS").replace(b"/>", b">7</sr:EnableSupply>", 1)
    if b"EnableSupply>7" in request:
        assert any("says '7'" in str(one) for one in correlate(request, PRE_COMMAND).not_checked)


@pytest.mark.parametrize("disabled", [True, False])
@pytest.mark.parametrize("emergency", [True, False])
@pytest.mark.parametrize("twin", [True, False])
def test_the_rows_of_the_charge_configuration_depend_on_both_suspensions_and_the_elements(
    duis: Path, rtds: Path, disabled: bool, emergency: bool, twin: bool
) -> None:
    octets = template(duis, "ECS03_1.6_FUTURE_DATED_TWIN_SUCCESS")
    for name, value in (("Disabled", disabled), ("Emergency", emergency)):
        head, tag, rest = octets.partition(f"<sr:SuspendDebt{name}>".encode())
        octets = head + tag + str(value).lower().encode() + b"<" + rest.partition(b"<")[2]
    request = read_request(octets)
    checker = Checker(Keystore.load(rtds / "keys"), reference_devices(), names=False)
    context = checker.context(request, 0)
    made = transform(request, replace(context, profile=replace(context.profile, elements=2 if twin else 1)))
    assert correlate(octets, made.encode(), known=Known(elements=2 if twin else 1)).match
    assert not correlate(octets, made.encode(), known=Known(elements=1 if twin else 2)).match
    rows = 10 + 3 * emergency + 2 * twin
    assert made.payload.count(bytes.fromhex("020309060000130a")) == rows
    for other in (b"true", b"false"):
        changed = octets.replace(f"<sr:SuspendDebtDisabled>{str(disabled).lower()}".encode(), b"<sr:SuspendDebtDisabled>" + other)
        assert correlate(changed, made.encode(), known=Known(elements=2 if twin else 1)).match is (changed == octets)
