"""DUIS documents as JSON, in the published parser's simplified form, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from hil.commands.dcc.dcc import dcc
from hil.dcc.duis import RequestError, read_request
from hil.dcc.duis.document import load_schema
from hil.dcc.duis.simplified import document_of, simplified


def test_every_template_goes_to_json_and_back_and_says_the_same(duis: Path) -> None:
    schema = load_schema(duis / "xsd" / "DUIS.xsd")
    for path in sorted((duis / "templates").glob("*.XML")):
        before = simplified(path.read_bytes())
        document = document_of(json.loads(json.dumps(before)), "5.4")
        assert simplified(document) == before, path.name
        assert schema.validate(etree.fromstring(document)), path.name
        assert read_request(document).request_id == read_request(path.read_bytes()).request_id


def test_a_counter_beyond_what_json_readers_keep_is_text_and_objects_of_the_parser_are_read(duis: Path) -> None:
    template = (duis / "templates" / "ECS43_7.2_SUCCESS_REQUEST_DUIS.XML").read_bytes()
    told = simplified(template.replace(b":1000<", b":18446744073709551614<"))
    header = told["header"]
    assert isinstance(header, dict)
    assert header["requestId"]["counter"] == "18446744073709551614"
    header |= {"commandVariant": {"number": 4, "description": "x"}, "serviceReferenceVariant": {"Service Reference Variant": "7.2"}}
    request = read_request(document_of(told, "5.4"))
    assert (request.request_id.counter, request.service_reference_variant) == (18446744073709551614, "7.2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body": {"a": 1}}, "body.a: read 1, expected text or an object: every leaf is text"),
        ({"body": {"a b": "1"}}, 'body.a b: read "1", expected what XML can hold'),
        ({"header": {"type": ["request"]}}, 'header.type: read ["request"], expected request or response'),
        ({"header": {"type": "alert"}}, 'header.type: read "alert", expected request or response'),
        ({"body": None}, "body: read null, expected an object"),
        ({"body": {"a": {"b": [True]}}}, "body.a.b: read true, expected text or an object"),
    ],
)
def test_what_is_not_the_simplified_form_is_told_by_its_place(duis: Path, change: dict[str, object], said: str) -> None:
    told = simplified((duis / "templates" / "ECS43_7.2_SUCCESS_REQUEST_DUIS.XML").read_bytes())
    with pytest.raises(RequestError) as error:
        document_of(told | change, "5.4")
    assert said in str(error.value)


def test_the_command_turns_either_form_into_the_other(duis: Path, tmp_path: Path) -> None:
    template = duis / "templates" / "ECS43_7.2_SUCCESS_REQUEST_DUIS.XML"
    there = CliRunner().invoke(dcc, ["convert", str(template)])
    assert json.loads(there.output)["header"]["serviceReferenceVariant"] == "7.2"
    back = CliRunner().invoke(dcc, ["convert", "-"], input=there.output)
    assert read_request(back.output.encode()).service_reference_variant == "7.2"
    wrong = CliRunner().invoke(dcc, ["convert", "-"], input="{}")
    assert "header" in str(wrong.exception)


def test_a_request_in_json_is_handed_to_the_gateway_as_one_in_xml_is(duis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    template = duis / "templates" / "ECS43_7.2_SUCCESS_REQUEST_DUIS.XML"
    asked = tmp_path / "request.json"
    asked.write_text(json.dumps(simplified(template.read_bytes())))
    place = ["--store", str(tmp_path / "dcc.sqlite"), "--board", "boxed"]
    done = CliRunner().invoke(dcc, ["send", "--as-is", str(asked), *place, "--json"])
    assert done.exit_code == 1
    assert "E1" in done.output, "the store knows no user yet"
