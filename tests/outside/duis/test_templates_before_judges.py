"""The published templates posted to a running DCC, its answers before the judges."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from lxml import etree

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.keystore_files import certificate_text
from firmware_emu.ids import Eui64
from hil.dcc.duis.document import load_schema
from hil.dcc.duis.request import CommandVariant
from tests.outside.duis.judges import Judge, RunningDcc, holds_for_xmlsec

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here: apt-get install npm"),
    pytest.mark.skipif(shutil.which("java") is None, reason="java is not here: apt-get install default-jre-headless"),
    pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not here: apt-get install xmlsec1"),
]

DCC = Eui64.parse("90b3d51f30000002")
SIGNED = ("ECS43_7.2_SUCCESS_REQUEST_DUIS.XML", "ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS.XML", "8.2_READ_INVENTORY_REQUEST_DUIS.XML")
"""A critical request, one that is not, and one for the DCC: each signing and each check starts a Java machine."""


def variant_of(octets: bytes) -> CommandVariant:
    found = re.search(rb"CommandVariant>(\d)", octets)
    assert found is not None
    return CommandVariant(int(found[1]))


def test_every_template_is_answered_and_the_answers_hold_before_schema_parser_and_xmlsec(
    dcc_up: Callable[..., RunningDcc], judge: Judge, duis: Path, boxed_keys: Path, tmp_path: Path
) -> None:
    running = dcc_up()
    certificate = tmp_path / "dcc.pem"
    certificate.write_text(certificate_text(Keystore.load(boxed_keys).xml_signing_certificate(DCC)))
    schema = load_schema(duis / "xsd" / "DUIS.xsd")
    templates = sorted((duis / "templates").glob("*.XML"))
    answers = []
    with httpx.Client(timeout=None) as client:
        for template in templates:
            octets = template.read_bytes()
            answer = running.post(octets, variant_of(octets), client)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml"), template.name
            answers.append(tmp_path / f"{template.stem}.answer.xml")
            answers[-1].write_bytes(answer.content)
    valid = [one for one in answers if schema.validate(etree.parse(str(one)))]
    parsed = [one for one, said in judge.say("parse", answers).items() if "error" not in said]
    signed = [one for one in answers if holds_for_xmlsec(one, certificate)]
    figures = {
        "posted": len(templates),
        "answered": len(answers),
        "XSD-valid": len(valid),
        "parsed by duis-parser": len(parsed),
        "signature valid for xmlsec1": len(signed),
    }
    print(figures)
    assert set(figures.values()) == {len(templates)}, figures


def test_what_the_field_s_own_tool_signs_is_taken_and_it_finds_the_answers_signatures_valid(
    dcc_up: Callable[..., RunningDcc], judge: Judge, duis: Path, tmp_path: Path
) -> None:
    running = dcc_up("--signatures")
    requests = judge.say("sign", [duis / "templates" / name for name in SIGNED])
    answers = []
    with httpx.Client(timeout=None) as client:
        for template, said in requests.items():
            assert "error" not in said, said
            octets = str(said["xml"]).encode()
            answers.append(tmp_path / f"{template.stem}.answer.xml")
            answers[-1].write_bytes(running.post(octets, variant_of(octets), client).content)
    codes = [etree.parse(str(one)).findtext(".//{*}ResponseCode") for one in answers]
    assert codes == ["I0", "I99", "I0"]
    assert [said.get("error") for said in judge.say("validate", answers).values()] == [None] * len(answers)


def test_a_request_that_was_changed_after_the_tool_signed_it_is_refused(
    dcc_up: Callable[..., RunningDcc], judge: Judge, duis: Path
) -> None:
    running = dcc_up("--signatures")
    said = judge.say("sign", [duis / "templates" / SIGNED[2]])
    octets = str(next(iter(said.values()))["xml"]).encode().replace(b"78-90-A2</", b"78-90-A0</")
    with httpx.Client(timeout=None) as client:
        answer = running.post(octets, variant_of(octets), client)
    assert etree.fromstring(answer.content).findtext(".//{*}ResponseCode") == "E100"
