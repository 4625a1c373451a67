"""Responses and alerts in names and values, and as MMC XML."""

from __future__ import annotations

import base64
import csv
import decimal
import json
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hil.commands.dcc.dcc import dcc
from hil.dcc.base.store import DccStore
from hil.dcc.duis.document import load_schema
from hil.parse_correlate import DecodeError, KeyFolder, MmcError, ParseCorrelateError, Parsed, gaps, parse, to_mmc
from hil.parse_correlate.command import main
from hil.parse_correlate.message.asn1 import Asn1Alert, Asn1Response
from hil.parse_correlate.parse.mmc.tree import NAMESPACE

RA = f"{{{NAMESPACE}}}"


@pytest.fixture(scope="module")
def keys(rtds: Path) -> KeyFolder:
    return KeyFolder.load(rtds / "keys")


@pytest.fixture(scope="module")
def answers(rtds: Path, keys: KeyFolder) -> dict[str, Parsed]:
    """Every response and alert of the reference set, by file name."""
    files = [path for path in rtds.rglob("*.HEX") if "COMMAND" not in path.name]
    return {path.name: parse(bytes.fromhex(path.read_text().strip()), keys) for path in files}


def named(answers: dict[str, Parsed], start: str) -> Parsed:
    return next(parsed for name, parsed in sorted(answers.items()) if name.startswith(start) and "ERROR" not in name)


def texts(document: bytes, name: str) -> list[str | None]:
    return [element.text for element in etree.fromstring(document).iter(f"{RA}{name}")]


def test_every_response_and_alert_gives_mmc_that_validates(answers: dict[str, Parsed], duis: Path) -> None:
    schema = load_schema(duis / "xsd" / "MMC.xsd")
    assert answers
    for name, parsed in answers.items():
        document = etree.fromstring(to_mmc(parsed))
        assert schema.validate(document), f"{name}: {schema.error_log}"


def test_what_the_schema_lacks_is_told_and_travels_as_octets(answers: dict[str, Parsed]) -> None:
    lacking = {parsed.use_case: text for parsed in answers.values() if (text := gaps(parsed))}
    assert "CS14" in lacking
    assert "DeviceAlertMessagePayload has no element" in lacking["CS14"]
    assert lacking["ECS46d"] == "SMETSData has no element for service 6.14.3"
    assert "ECS17b" not in lacking


def test_the_original_octets_stand_first_in_every_document(answers: dict[str, Parsed]) -> None:
    for parsed in answers.values():
        first = etree.fromstring(to_mmc(parsed)).find(f".//{RA}GBCSData")
        assert first is not None
        assert base64.b64decode(first.text or "") == parsed.octets
        assert parsed.as_json()["octets"] == parsed.octets.hex()


def test_an_encrypted_register_is_read_with_the_users_key_and_not_without(answers: dict[str, Parsed], rtds: Path) -> None:
    opened = named(answers, "ECS17b_4.1.1_SINGLE")
    assert texts(to_mmc(opened), "Value") == ["10", "10"]
    assert texts(to_mmc(opened), "ActiveEnergyUnit") == ["Wh"]
    closed = parse(opened.octets)
    assert texts(to_mmc(closed), "Value") == []
    assert closed.mac == "unchecked"
    assert opened.mac == "valid"


@pytest.mark.requirement("PC-03")
@pytest.mark.parametrize(
    ("start", "element", "expected"),
    [
        ("ECS19_4.3", "MeterBalance", ["46000"]),
        ("ECS45_7.4", "SupplyState", ["Enabled"]),
        ("ECS52_11.2", "FirmwareVersion", ["0123ABCD"]),
        ("ECS70_6.11", "DeviceTime", ["2015-01-01T00:00:00Z"]),
        ("ECS40_6.2.7_TWIN", "SecondaryImportMPAN", ["1312345678222"]),
        ("GCS13a_4.1.1_SUCCESS_RELIABLE_GPF", "Value", ["12.345"]),
        ("GCS33_7.4", "SupplyState", ["Enabled"]),
        ("GCS21k_6.2.3", "Periodicity", ["SixMonthly"]),
        ("GCS60a_4.18", "MeterBalance", ["3500000"]),
        ("CS07_8.9", "DeviceType", ["GPF", "GPF", "PPMID"]),
        ("DBCH01_6.31", "Channel0", [None]),
    ],
)
def test_values_have_their_place_in_mmc(answers: dict[str, Parsed], start: str, element: str, expected: list[str | None]) -> None:
    assert texts(to_mmc(named(answers, start)), element) == expected


def test_a_failed_access_says_so_in_success_and_debug_information(answers: dict[str, Parsed]) -> None:
    accepted = ("CS02g",)  # a future-dated command is accepted first, and fails when it falls due
    for name, parsed in answers.items():
        found = [element.get("MessageSuccess") for element in etree.fromstring(to_mmc(parsed)).iter() if element.get("MessageSuccess")]
        if found and not name.startswith(accepted):
            assert found == ["false" if "_ERROR_" in name else "true"], name
    failed = next(parsed for name, parsed in answers.items() if name.startswith("ECS0") and "_ERROR_" in name)
    assert "success" not in (texts(to_mmc(failed), "ActionResult") + texts(to_mmc(failed), "DataAccessResult"))[-1:]


def test_the_service_of_the_request_decides_between_elements_of_one_message_code(answers: dict[str, Parsed]) -> None:
    clock = named(answers, "ECS70_6.11")
    assert etree.fromstring(to_mmc(clock, "8.1.1")).find(f".//{RA}CommissionDeviceSynchroniseClockRsp") is not None
    assert etree.fromstring(to_mmc(clock)).find(f".//{RA}SynchroniseClockRsp") is not None


def test_a_command_is_no_mmc_document(rtds: Path) -> None:
    path = next(rtds.rglob("ECS44*_PRECOMMAND_GBCS.HEX"))
    with pytest.raises(MmcError, match="command"):
        to_mmc(parse(bytes.fromhex(path.read_text().strip())))


def test_damaged_answers_are_refused_or_mapped_and_raise_nothing_else(answers: dict[str, Parsed]) -> None:
    chooser = random.Random(11)
    for name, parsed in answers.items():
        if isinstance(parsed.payload, Asn1Response | Asn1Alert):
            continue
        damaged = bytearray(parsed.octets)
        start = parsed.message.payload_offset
        damaged[start + chooser.randrange(len(parsed.message.payload))] = chooser.randrange(256)
        octets = bytes(damaged)
        try:
            assert etree.fromstring(to_mmc(parse(octets))) is not None, name
        except ParseCorrelateError:
            continue


@given(st.binary(max_size=200))
def test_arbitrary_octets_raise_nothing_but_a_decode_error(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        parse(octets)


def test_the_command_line_parses_correlates_and_transforms(rtds: Path, duis: Path) -> None:
    keys = ["--keys", str(rtds / "keys")]
    response = next(rtds.rglob("ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX"))
    read = CliRunner().invoke(dcc, ["parse", str(response), *keys, "--json"])
    assert json.loads(read.output)["use_case"] == "ECS17b"
    assert b"ReadInstantaneousImportRegistersRsp" in CliRunner().invoke(dcc, ["parse", str(response), *keys, "--mmc"]).output.encode()
    request = str(duis / "templates" / "ECS44_7.3_SUCCESS_REQUEST_DUIS.XML")
    pre_command = str(next(rtds.rglob("ECS44_7.3_SUCCESS_PRECOMMAND_GBCS.HEX")))
    other = str(next(rtds.rglob("ECS44_7.3_ERROR_PRECOMMAND_GBCS.HEX")))
    told = CliRunner().invoke(dcc, ["correlate", request, pre_command])
    assert told.exit_code == 0
    assert told.output.startswith("match of all that could be checked\nnot checked: message code (0051)")
    known = CliRunner().invoke(dcc, ["correlate", request, pre_command, "--device", "00db1234567890a0=ESME", "--strict"])
    assert (known.output, known.exit_code) == ("match\n", 0)
    assert CliRunner().invoke(dcc, ["correlate", request, pre_command, "--strict"]).exit_code == 1
    assert CliRunner().invoke(dcc, ["correlate", request, other]).exit_code == 1
    made = CliRunner().invoke(dcc, ["transform", request, *keys, "--schema", str(duis / "xsd"), "--json"])
    assert json.loads(made.output)["message"] == Path(pre_command).read_text().strip().lower()


@pytest.mark.requirement("PC-08")
@pytest.mark.clause("SEC consultation 165")
def test_a_user_who_asks_for_it_gets_an_incident_where_a_pre_command_differs(rtds: Path, duis: Path, tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    store = DccStore(path)
    store.execute("INSERT INTO users (eui, role) VALUES (?, 'IS')", ("90b3d51f30010000",))
    store.close()
    request = str(duis / "templates" / "ECS44_7.3_SUCCESS_REQUEST_DUIS.XML")
    good, other = (str(next(rtds.rglob(f"ECS44_7.3_{kind}_PRECOMMAND_GBCS.HEX"))) for kind in ("SUCCESS", "ERROR"))
    assert CliRunner().invoke(dcc, ["correlate", request, good, "--incident", str(path)]).exit_code == 0
    told = CliRunner().invoke(dcc, ["correlate", request, other, "--incident", str(path)])
    assert (told.exit_code, told.output.splitlines()[-1]) == (1, "incident 1 raised")
    listed = json.loads(CliRunner().invoke(dcc, ["incidents", "list", "--store", str(path), "--json"]).output)
    assert [(one["area"], "differs from the request: originator counter" in one["summary"]) for one in listed] == [
        ("parse and correlate", True)
    ]


@pytest.mark.requirement("PC-02")
def test_correlate_tells_a_wrong_pre_command_with_every_module_of_the_dcc_taken_away(
    rtds: Path, duis: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("hil.dcc", "firmware_emu", "ichis"))]:
        monkeypatch.setitem(sys.modules, name, None)  # whoever imports it now fails
    request = str(duis / "templates" / "ECS44_7.3_SUCCESS_REQUEST_DUIS.XML")
    good, other = (str(next(rtds.rglob(f"ECS44_7.3_{kind}_PRECOMMAND_GBCS.HEX"))) for kind in ("SUCCESS", "ERROR"))
    device = ("--device", "00db1234567890a0=ESME")
    assert [main(["correlate", request, one, *device]) for one in (good, other)] == [0, 1]
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "match"
    assert told[1].startswith("differs: ")


def surroundings() -> tuple[object, ...]:
    """State of this process and of its folder that other software in it relies on."""
    return (
        (list(sys.path), dict(os.environ), os.getcwd(), sorted(os.listdir()), sys.getrecursionlimit(), sys.getswitchinterval()),
        (logging.root.level, list(logging.root.handlers), list(warnings.filters), logging.raiseExceptions),
        (locale.setlocale(locale.LC_ALL), decimal.getcontext().prec, csv.field_size_limit(), socket.getdefaulttimeout()),
        (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook, random.getstate(), threading.active_count()),
    )


@pytest.mark.requirement("PC-06")
def test_other_software_in_the_same_process_and_folder_finds_everything_as_it_was(
    rtds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    response = str(next(rtds.rglob("ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX")))
    before = surroundings()
    for words in (["--mmc"], ["--json"], []):
        assert main(["parse", response, "--keys", str(rtds / "keys"), *words]) == 0
    assert main(["parse", "nowhere.hex", "--keys", str(rtds / "keys")]) == 2
    assert main(["--verify-self"]) in (0, 1)
    assert surroundings() == before


@pytest.mark.requirement("PC-04")
def test_the_mapping_catalogue_gives_a_response_its_place_in_xml(rtds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    response = next(rtds.rglob("ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX"))
    assert main(["parse", str(response), "--keys", str(rtds / "keys"), "--mmc"]) == 0
    document = etree.fromstring(capsys.readouterr().out.encode())
    assert [etree.QName(one).localname for one in document.iter() if etree.QName(one).localname.endswith("Rsp")] == [
        "ReadInstantaneousImportRegistersRsp"
    ]
