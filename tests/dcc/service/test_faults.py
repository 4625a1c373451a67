"""Faults at the boundary to the users, laid on as sentences."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest
from lxml import etree

from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_signature
from firmware_emu.trace import Trace
from hil.bench.standing_dcc import seeded
from hil.dcc.duis import signed_pre_command
from hil.dcc.parties.users import NotCorrelated
from hil.dcc.service.faults import PATTERNS, BoundaryFaults, BoundarySentenceError, read_sentence
from tests.dcc.far_end import ESME, SUPPLIER, FarEnd
from tests.dcc.service.duis_client import Client, texts


@pytest.fixture
async def client(far_end: FarEnd) -> AsyncIterator[Client]:
    await far_end.in_service()
    client = Client(far_end)
    yield client
    await client.exchange.pusher.close()


def effects(client: Client) -> list[int]:
    return [one.effects for one in client.faults.all()]


async def read(client: Client) -> tuple[str, str]:
    """A read: its RequestID and the code of its acknowledgement."""
    request = client.request("4.1.1", ESME)
    return str(request.request_id), texts(await client.say(request))["ResponseCode"]


def taken(client: Client) -> list[str]:
    return [texts(etree.fromstring(octets))["RequestID"] for octets in client.taken]


async def test_a_delayed_response_comes_so_much_later_and_holds_up_no_other(client: Client) -> None:
    number = client.faults.add("duis response delayed 10m of 4.1.1")
    late, _ = await read(client)
    await client.far_end.clock.sleep(5)
    client.faults.clear(number)
    soon, _ = await read(client)
    await client.far_end.clock.sleep(60)
    assert taken(client) == [soon]
    await client.far_end.clock.sleep(600)
    assert taken(client) == [soon, late]


async def test_a_response_comes_twice(client: Client) -> None:
    client.faults.add("duis response twice")
    name, _ = await read(client)
    await client.far_end.clock.sleep(10)
    assert (taken(client), effects(client)) == ([name, name], [1])


async def test_an_acknowledgement_comes_after_its_response(client: Client) -> None:
    client.faults.add("duis acknowledgement after the response")
    name, code = await read(client)
    assert (code, taken(client), effects(client)) == ("I99", [name], [1]), "the Response was taken before the acknowledgement came"


async def test_an_endpoint_that_is_down_for_an_hour_loses_nothing(client: Client) -> None:
    client.faults.add("receive endpoint down 1h")
    names = [(await read(client))[0] for _ in range(3)]
    await client.far_end.clock.sleep(3500)
    assert client.taken == []
    await client.far_end.clock.sleep(300)
    assert taken(client) == names
    assert effects(client)[0] > 5


async def test_a_share_of_the_requests_of_a_service_is_refused_with_a_code(client: Client) -> None:
    client.faults.add("E20 for 30% of 4.1.1")
    codes = [(await read(client))[1] for _ in range(40)]
    assert set(codes) == {"E20", "I99"}
    assert 5 <= codes.count("E20") == effects(client)[0] <= 20
    assert texts(await client.say(client.request("8.2", body={"DeviceID": ESME})))["ResponseCode"] == "I0", "another service"


@pytest.mark.requirement("GW-07")
async def test_one_schema_version_alone_is_taken_and_answered(client: Client) -> None:
    client.faults.add("schema 5.3 only")
    document = await client.say(client.request("4.1.1", ESME))
    assert (texts(document)["ResponseCode"], document.get("schemaVersion")) == ("E100", "5.3")
    client.faults.clear()
    assert (await client.say(client.request("4.1.1", ESME))).get("schemaVersion") == "5.4"


async def test_a_wrong_pre_command_is_refused_when_it_comes_back_signed(client: Client) -> None:
    request = client.request("7.2", ESME)
    client.faults.add("pre-command wrong in counter of 7.2")
    pre_command = base64.b64decode(texts(await client.say(request))["GBCSPayload"])
    assert effects(client) == [1]
    true = client.far_end.dcc.requests.get(str(request.request_id)).pre_command
    assert true is not None
    differ = [at for at, (one, other) in enumerate(zip(true, pre_command, strict=False)) if one != other]
    assert len(differ) == 1
    with pytest.raises(NotCorrelated, match="originator counter"):
        client.signed(request, pre_command)
    key = client.far_end.keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE)
    blind = signed_pre_command(request, with_signature(Message.decode(pre_command), key).encode())
    assert texts(await client.say(blind))["ResponseCode"].startswith("E")


def test_the_same_seed_gives_the_same_faults() -> None:
    def drawn(seed: int) -> list[bool]:
        clock = Clock(warp=True)
        faults = BoundaryFaults(clock, Trace(clock.now), seeded(seed))
        faults.add("duis response twice 50%")
        return [faults.twice("4.1.1", "") for _ in range(50)]

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("duis response delayed", "duis response delayed DURATION"),
        ("E999 for 30% of 7.2", "a response code of DUIS 5.4 in place of E999"),
        ("duis response twice of 77.2", "a service reference variant of DUIS 5.4 in place of 77.2"),
    ],
)
def test_a_sentence_that_cannot_be_read_is_told_with_what_may_stand_there(sentence: str, expected: str) -> None:
    with pytest.raises(BoundarySentenceError, match=expected.replace(".", r"\.")):
        read_sentence(sentence)


def test_every_sentence_of_the_table_can_be_read() -> None:
    values = {"DURATION": "10m", "PERCENT": "30%", "VARIANT": "7.2", "VERSION": "5.3", "FIELD": "counter", "CODE": "E20"}
    for kind, pattern, _ in PATTERNS:
        words = " ".join(values.get(word, word) for word in pattern.replace("[", "").replace("]", "").split())
        assert read_sentence(words)[0] == kind
