"""The correlator finds every change of a critical pre-command, and raises no false alarm."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from hil.dcc.duis import ServiceRequest, new_request, read_request
from hil.dcc.transform import transform
from hil.dcc.transform.check import CREATED, Checker, reference_devices
from hil.parse_correlate.correlate import Correlation, Known, correlate

SUPPLIER, METER = Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0")
PRE_COMMAND = bytes.fromhex(
    "df090100000000000003e80890b3d51f300100000800db1234567890a00002005115d9200003e8000103000900000a006aff0101120036"
)


@pytest.fixture(scope="module")
def keystore(rtds: Path) -> Keystore:
    return Keystore.load(rtds / "keys")


@pytest.fixture(scope="module")
def critical(duis: Path, keystore: Keystore) -> list[tuple[str, ServiceRequest, bytes, Known]]:
    """Every critical request here with the pre-command made of it, and what its signatory knows."""
    checker = Checker(keystore, reference_devices(), names=False)
    devices = reference_devices()
    found = []
    for file in sorted((duis / "templates").glob("*.XML")):
        request = read_request(file.read_bytes())
        if request.variant.kind != "critical" and request.service_reference != "6.23":
            continue
        context = checker.context(request, 6001)
        message = transform(request, context)

        def certificate(eui: Eui64, of: object = context.certificate_of) -> bytes | None:
            return None if not callable(of) else of(eui, KeyUsage.KEY_AGREEMENT)  # type: ignore[no-any-return]

        def kind(eui: Eui64) -> DeviceType | None:
            return devices[eui].device_type if eui in devices else None

        known = Known(CREATED, message.header.originator, kind, certificate)
        found.append((file.name, request, message.encode(), known))
    return found


@pytest.mark.requirement("PC-01")
def test_no_good_pre_command_raises_an_alarm(critical: list[tuple[str, ServiceRequest, bytes, Known]]) -> None:
    assert critical
    for name, request, octets, known in critical:
        assert correlate(request, octets) == Correlation(True, ()), name
        assert correlate(request, octets, known=known).match, name


def test_every_single_octet_change_is_found(critical: list[tuple[str, ServiceRequest, bytes, Known]]) -> None:
    chooser = random.Random(20150101)
    for name, request, octets, known in critical:
        # Certificates are opaque: a sample of their octets stands for all.
        places = range(len(octets)) if len(octets) < 400 else sorted(chooser.sample(range(len(octets)), 120))
        for place in places:
            changed = bytearray(octets)
            changed[place] ^= chooser.randrange(1, 256)
            verdict = correlate(request, bytes(changed), known=known)
            assert not verdict.match, f"{name}: octet {place} was {octets[place]:02x}, is {changed[place]:02x}"


def test_without_facts_of_its_own_the_signatory_misses_creation_times_alone(
    critical: list[tuple[str, ServiceRequest, bytes, Known]],
) -> None:
    created = bytes.fromhex("804a371c")
    for name, request, octets, _ in critical:
        if request.service_reference in ("6.23", "8.7") or len(octets) > 400:
            continue
        for place in range(len(octets)):
            changed = bytearray(octets)
            changed[place] ^= 0x01
            if correlate(request, bytes(changed)).match:
                near = octets[max(0, place - 3) : place + 4]
                assert created in near, f"{name}: octet {place}"


def test_a_gas_command_created_at_another_time_than_the_users_is_found(
    critical: list[tuple[str, ServiceRequest, bytes, Known]],
) -> None:
    minute = timedelta(minutes=1)
    timed = [(request, octets, known) for _, request, octets, known in critical if bytes.fromhex("804a371c") in octets]
    assert timed
    for request, octets, known in timed:
        later = replace(known, created=CREATED + minute)
        assert not correlate(request, octets, known=later).match
        assert not correlate(request, octets, known=replace(later, created_within=timedelta(seconds=59))).match
        assert correlate(request, octets, known=replace(later, created_within=minute)).match


def test_shortened_and_lengthened_pre_commands_are_found(critical: list[tuple[str, ServiceRequest, bytes, Known]]) -> None:
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
        verdict = correlate(read_request(file.read_bytes()), bytes.fromhex(path.read_text().strip()))
        if file.name.startswith(("CS02b", "CS02g")):
            assert all("payload[1][3]" in difference.field for difference in verdict.differences), file.name
        else:
            assert verdict.match, (file.name, verdict.differences)
        checked += 1
    assert checked > 40


def test_a_pre_command_for_another_service_is_named_with_both_codes() -> None:
    verdict = correlate(new_request("7.2", SUPPLIER, METER, 1000), PRE_COMMAND)
    assert [(item.field, item.requested, item.stated) for item in verdict.differences] == [("message code", "0050 or 0081", "0051")]


def test_a_difference_names_the_field_and_both_values() -> None:
    verdict = correlate(new_request("7.3", SUPPLIER, METER, 1001), PRE_COMMAND)
    assert not verdict.match
    assert [str(item) for item in verdict.differences] == [
        "originator counter: requested 1001, the pre-command says 1000",
    ]


def test_a_trailing_signature_length_octet_is_tolerated_and_a_signature_is_not() -> None:
    request = new_request("7.3", SUPPLIER, METER, 1000)
    assert correlate(request, PRE_COMMAND).match
    assert correlate(request, PRE_COMMAND + b"\x00").match
    signed = replace(Message.decode(PRE_COMMAND), signature=bytes(64)).encode()
    assert not correlate(request, signed).match


@pytest.mark.requirement("PC-02")
def test_correlating_and_parsing_load_nothing_of_the_transform() -> None:
    program = "import sys, hil.parse_correlate.correlate, hil.parse_correlate.parse; "
    program += "print([name for name in sys.modules if name.startswith('hil.dcc.transform')])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("start", range(8))
def test_random_octets_after_the_header_raise_nothing(start: int, critical: list[tuple[str, ServiceRequest, bytes, Known]]) -> None:
    chooser = random.Random(start)
    for name, request, octets, known in critical:
        place = chooser.randrange(33, len(octets))
        noise = octets[:place] + chooser.randbytes(len(octets) - place)
        assert not correlate(request, noise, known=known).match or noise == octets, name


def test_a_non_critical_request_has_no_pre_command() -> None:
    verdict = correlate(new_request("7.4", SUPPLIER, METER, 1000), PRE_COMMAND)
    assert "no pre-command" in verdict.differences[0].requested
