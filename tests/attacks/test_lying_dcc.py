"""A DCC that lies scores whoever is to sign: the bench's user, a program, and a client of the transform service."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from lxml import etree

from firmware_emu.crypto.keystore import Keystore
from hil.attacks.lying_service import LyingService
from hil.commands.dcc.dcc import dcc
from hil.commands.dcc.lie import Liar
from hil.dcc.duis import read_request, signed_pre_command, write_request
from hil.dcc.duis.document import load_schema
from hil.dcc.duis.request import SERVICE_NAMESPACE
from hil.parse_correlate import correlate

STEM = "ECS07_2.3_SUCCESS_REQUEST_DUIS.XML"


def lie(duis: Path, rtds: Path, *options: str) -> dict[str, dict[str, int]]:
    told = CliRunner().invoke(dcc, ["lie", str(duis / "templates" / STEM), "--keys", str(rtds / "keys"), "--json", *options])
    assert told.exit_code in (0, 1), told.output
    found: dict[str, dict[str, int]] = json.loads(told.stdout)
    assert told.exit_code == int(bool(found["told"]))
    return found


def test_the_user_of_the_bench_notices_every_lie_and_signs_the_truth(duis: Path, rtds: Path) -> None:
    assert lie(duis, rtds, "--random", "--count", "20")["reactions"] == {"noticed": 20, "signed the truth": 1}
    assert lie(duis, rtds, "--field", "originator counter")["reactions"] == {"noticed": 1, "signed the truth": 1}
    assert lie(duis, rtds, "--flip", "777")["reactions"] == {"noticed": 1, "signed the truth": 1}


@pytest.mark.parametrize(
    ("program", "reactions"),
    [
        ("import sys; sys.exit(0)", {"signed anyway": 1, "signed the truth": 1}),
        ("import sys; sys.exit(1)", {"noticed": 1, "refused the truth": 1}),
        ("1 / 0", {"crashed": 2}),
    ],
)
def test_a_program_that_signs_refuses_or_breaks_at_everything_earns_nothing(
    duis: Path, rtds: Path, program: str, reactions: dict[str, int]
) -> None:
    command = f"{sys.executable} -c '{program}' {{request}} {{precommand}}"
    found = lie(duis, rtds, "--random", "--count", "1", "--adapter", command)
    assert found["reactions"] == reactions
    assert found["told"]


def test_a_field_that_is_not_there_and_a_choice_that_was_not_made_are_told_in_a_line(duis: Path, rtds: Path) -> None:
    request, keys = str(duis / "templates" / STEM), str(rtds / "keys")
    assert "choose one of" in CliRunner().invoke(dcc, ["lie", request, "--keys", keys]).output
    missing = CliRunner().invoke(dcc, ["lie", request, "--keys", keys, "--field", "moon phase"])
    assert "--field list" in str(missing.exception)
    assert "originator counter" in CliRunner().invoke(dcc, ["lie", request, "--keys", keys, "--field", "list"]).output


async def test_a_client_of_the_transform_service_is_scored_by_what_it_sends_back(duis: Path, rtds: Path) -> None:
    liar = Liar(Keystore.load(rtds / "keys"), None, None, 5, 3)
    service = LyingService(liar.turn)
    octets = (duis / "templates" / STEM).read_bytes()
    schema = load_schema(duis / "xsd" / "DUIS.xsd")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app()), base_url="http://lie") as client:
        for counter in range(1001, 1007):
            request = re.sub(rb":[0-9]+</sr:RequestID>", f":{counter}</sr:RequestID>".encode(), octets)
            answer = await client.post("/api/v1/serviceT", content=request, headers={"Content-Type": "application/xml"})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
            document = etree.fromstring(answer.content)
            assert schema.validate(document), schema.error_log
            payload = base64.b64decode(document.findtext(f".//{{{SERVICE_NAMESPACE}}}GBCSPayload") or "")
            if correlate(request, payload).match or counter == 1002:  # the second is signed although it is a lie
                signed = signed_pre_command(read_request(request), payload + bytes((0x40,)) + bytes(64))
                assert b"I99" in (await client.post("/api/v1/serviceS", content=write_request(signed))).content
        assert (await client.post("/api/v1/serviceT", content=b"<x/>")).status_code == 400
    assert service.score().reactions == {"signed the truth": 3, "noticed": 2, "signed anyway": 1}
