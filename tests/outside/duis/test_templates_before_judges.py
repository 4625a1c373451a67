"""The published templates posted to a running DCC, its answers before the judges."""

from __future__ import annotations

import json
import re
from collections import Counter
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
from hil.dcc.duis.simplified import simplified
from tests.dcc.service.templates import in_order
from tests.outside.duis.judges import Judge, RunningDcc, holds_for_xmlsec

pytestmark = [
    pytest.mark.needs("npm", "javac", "xmlsec1"),
]

DCC = Eui64.parse("90b3d51f30000002")
WITHOUT_KEY = {"ECS47e_7.16_APC_INPUT_SUCCESS_REQUEST_DUIS", "ECS47e_7.16_APC_OUTPUT_SUCCESS_REQUEST_DUIS"}
"""Templates of the load controller, whose XML key the tool does not have."""


OTHER_SCHEMA = {"12.1_REQUEST_WAN_MATRIX_ADDRESS_REQUEST_DUIS.answer.xml"}
"""The answer whose form the tool does not know: it has the schema of DUIS 5.1."""


def plain(content: object) -> object:
    """The simplified form with plain texts for leaves, and for the objects and big numbers of duis-parser's output."""
    if isinstance(content, dict):
        told = content.get("number", content.get("Service Reference Variant"))
        return str(told) if told is not None else {name: plain(value) for name, value in content.items()}
    return [plain(one) for one in content] if isinstance(content, list) else str(content)


def variant_of(octets: bytes) -> CommandVariant:
    found = re.search(rb"CommandVariant>(\d)", octets)
    assert found is not None
    return CommandVariant(int(found[1]))


def test_our_json_of_every_template_is_that_of_the_published_parser_which_reads_it_too(judge: Judge, duis: Path, tmp_path: Path) -> None:
    templates, schema = in_order(duis), load_schema(duis / "xsd" / "DUIS.xsd")
    ours = {template: simplified(template.read_bytes()) for template in templates}
    theirs = judge.parse(templates)
    assert [one.name for one in templates if plain(theirs[one]) != plain(ours[one])] == []
    for template in templates:
        (tmp_path / f"{template.stem}.json").write_text(json.dumps(ours[template]))
    written = judge.construct(sorted(tmp_path.glob("*.json")))
    for template in templates:
        document = written[tmp_path / f"{template.stem}.json"]["document"]
        assert isinstance(document, str)
        assert schema.validate(etree.fromstring(document.encode())), template.name
        assert simplified(document.encode()) == ours[template], template.name


def test_every_template_is_answered_and_the_answers_hold_before_schema_parser_and_xmlsec(
    dcc_up: Callable[..., RunningDcc], judge: Judge, duis: Path, boxed_keys: Path, tmp_path: Path
) -> None:
    running = dcc_up()
    certificate = tmp_path / "dcc.pem"
    certificate.write_text(certificate_text(Keystore.load(boxed_keys).xml_signing_certificate(DCC)))
    schema = load_schema(duis / "xsd" / "DUIS.xsd")
    templates = in_order(duis)
    answers = []
    with httpx.Client(timeout=None) as client:
        for template in templates:
            octets = template.read_bytes()
            answer = running.post(octets, variant_of(octets), client)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml"), template.name
            answers.append(tmp_path / f"{template.stem}.answer.xml")
            answers[-1].write_bytes(answer.content)
    valid = [one for one in answers if schema.validate(etree.parse(str(one)))]
    parsed = {one: said for one, said in judge.parse(answers).items() if "error" not in said}
    same = [one for one, said in parsed.items() if plain(said) == plain(simplified(one.read_bytes()))]
    signed = [one for one in answers if holds_for_xmlsec(one, certificate)]
    figures = {
        "posted": len(templates),
        "answered": len(answers),
        "XSD-valid": len(valid),
        "parsed by duis-parser": len(parsed),
        "its JSON and ours are the same": len(same),
        "signature valid for xmlsec1": len(signed),
    }
    print(figures)
    assert set(figures.values()) == {len(templates)}, figures


def test_what_the_field_s_own_tool_signs_is_taken_and_it_finds_every_answer_s_signature_valid(
    dcc_up: Callable[..., RunningDcc], judge: Judge, duis: Path, tmp_path: Path
) -> None:
    running = dcc_up("--signatures")
    requests = [tmp_path / path.name for path in in_order(duis)]
    for request in requests:
        request.write_bytes((duis / "templates" / request.name).read_bytes())
    signed = {file: said.octets for file, said in judge.tool("sign", requests).items() if said.code == 0}
    assert {file.stem for file in requests} - {file.stem for file in signed} == WITHOUT_KEY
    answers, codes = [], Counter[str | None]()
    with httpx.Client(timeout=None) as client:
        for file, octets in signed.items():
            answers.append(tmp_path / f"{file.stem}.answer.xml")
            answers[-1].write_bytes(running.post(octets, variant_of(octets), client).content)
            codes[etree.parse(str(answers[-1])).findtext(".//{*}ResponseCode")] += 1
    refused = {file.name: said.why for file, said in judge.tool("validate", answers).items() if said.code}
    figures = {"signed by duis-sign-wrap": len(signed), "answered": len(answers), "valid for duis-sign-wrap": len(answers) - len(refused)}
    print(figures, dict(codes))
    assert set(refused) == OTHER_SCHEMA, refused
    assert all("failed xsd validation" in why for why in refused.values()), "no signature is found wrong"
    assert codes["I0"] + codes["I99"] > 200, "the signatures of the tool hold"


def test_a_request_that_was_changed_after_the_tool_signed_it_is_refused(
    dcc_up: Callable[..., RunningDcc], judge: Judge, duis: Path, tmp_path: Path
) -> None:
    running = dcc_up("--signatures")
    request = tmp_path / "8.2_READ_INVENTORY_REQUEST_DUIS.XML"
    request.write_bytes((duis / "templates" / request.name).read_bytes())
    octets = judge.tool("sign", [request])[request].octets.replace(b"78-90-A2</", b"78-90-A0</")
    with httpx.Client(timeout=None) as client:
        answer = running.post(octets, variant_of(octets), client)
    assert etree.fromstring(answer.content).findtext(".//{*}ResponseCode") == "E100"
