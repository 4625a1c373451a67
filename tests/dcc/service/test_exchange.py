"""The DUIS web service from a user's side: what is posted, what is answered, what is pushed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree
from signxml.exceptions import InvalidDigest
from signxml.verifier import SignatureConfiguration, XMLVerifier

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import StoreTrouble
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from hil.dcc.duis import write_request
from hil.dcc.duis.document import load_schema
from hil.dcc.duis.request import CANCELLATION, VARIANTS, CommandVariant
from hil.dcc.duis.simplified import simplified
from hil.dcc.service.exchange import WebService
from hil.dcc.service.response import Signer
from tests.dcc.far_end import CHF, ESME, SUPPLIER, FarEnd
from tests.dcc.messages import alert_of
from tests.dcc.service.duis_client import SR, Client, texts


@pytest.fixture
async def client(far_end: FarEnd) -> AsyncIterator[Client]:
    await far_end.in_service()
    client = Client(far_end)
    yield client
    await client.exchange.pusher.close()


@pytest.mark.requirement("GW-13")
@pytest.mark.requirement("GW-14")
@pytest.mark.requirement("GW-19")
@pytest.mark.requirement("GW-20")
@pytest.mark.requirement("GW-37")
async def test_a_read_is_acknowledged_and_its_response_is_pushed_after_the_gap(client: Client, duis: Path) -> None:
    request = client.request("4.1.1", ESME)
    acknowledged = texts(await client.say(request))
    assert (acknowledged["ResponseCode"], acknowledged["RequestID"]) == ("I99", str(request.request_id))
    assert client.taken == []
    await client.far_end.clock.sleep(5)
    (octets,) = client.taken
    document = etree.fromstring(octets)
    response = texts(document)
    target, originator, counter = ESME.duis, SUPPLIER.duis, request.request_id.counter
    assert (response["ResponseCode"], response["ResponseID"]) == ("I0", f"{target}:{originator}:{counter}")
    assert Message.decode(base64.b64decode(response["GBCSPayload"])).header.originator == ESME
    assert load_schema(duis / "xsd" / "DUIS.xsd").validate(document)
    assert b">\n<" not in octets.partition(b"?>\n")[2]


@pytest.mark.requirement("GW-15")
@pytest.mark.requirement("GW-36")
@pytest.mark.requirement("GW-18")
async def test_a_critical_request_stops_at_its_pre_command_and_goes_on_when_that_comes_back_signed(client: Client) -> None:
    request = client.request("7.2", ESME)
    answer = texts(await client.say(request))
    assert (answer["ResponseCode"], answer["ServiceReferenceVariant"]) == ("I0", "7.2")
    pre_command = base64.b64decode(answer["GBCSPayload"])
    assert client.far_end.home.received == []
    again = texts(await client.say(client.signed(request, pre_command)))
    assert again["ResponseCode"] == "I99"
    await client.far_end.clock.sleep(5)
    assert [texts(etree.fromstring(octets))["RequestID"] for octets in client.taken] == [str(request.request_id)]


async def test_a_signed_pre_command_that_was_changed_is_refused_and_may_come_again(client: Client) -> None:
    request = client.request("7.2", ESME)
    pre_command = base64.b64decode(texts(await client.say(request))["GBCSPayload"])
    signed = client.signed(request, pre_command)
    payload = signed.body[0]
    right, wrong = payload.text or "", bytearray(base64.b64decode(payload.text or ""))
    wrong[-1] ^= 1
    payload.text = base64.b64encode(wrong).decode()
    assert texts(await client.say(signed))["ResponseCode"].startswith("E")
    payload.text = right
    assert texts(await client.say(signed))["ResponseCode"] == "I99"


async def test_a_pre_command_has_its_end_after_a_day_and_is_refused_when_it_comes_back_then(client: Client) -> None:
    request = client.request("7.2", ESME)
    pre_command = base64.b64decode(texts(await client.say(request))["GBCSPayload"])
    await client.far_end.clock.sleep(86_460)
    (told,) = (texts(etree.fromstring(octets)) for octets in client.taken)
    assert (told["RequestID"], told["ResponseCode"][0]) == (str(request.request_id), "E")
    assert texts(await client.say(client.signed(request, pre_command)))["ResponseCode"].startswith("E")
    refusals = [record.detail.get("refusal") for record in client.far_end.records if record.event == "refused"]
    assert refusals == ["ck8-pre-command-late"] * 2


@pytest.mark.requirement("GW-16")
@pytest.mark.requirement("GW-49")
async def test_a_command_for_local_delivery_comes_back_in_the_exchange(client: Client) -> None:
    request = client.request("7.2", ESME)
    pre_command = base64.b64decode(texts(await client.say(request))["GBCSPayload"])
    document = await client.say(client.signed(request, pre_command, CommandVariant.SIGNED_RETURN))
    assert texts(document)["ResponseCode"] == "I0"
    found = document.findtext(f".//{SR}LocalCommand/{SR}GBCSPayload")
    assert Message.decode(base64.b64decode(found or "")).mac is not None
    assert client.far_end.home.received == []


@pytest.mark.requirement("SVC-8.2")
async def test_the_inventory_is_answered_in_the_exchange_in_the_form_of_the_schema(client: Client, duis: Path) -> None:
    document = await client.say(client.request("8.2", body={"DeviceID": ESME}))
    assert texts(document)["ResponseCode"] == "I0"
    devices = {one.findtext(f"{SR}DeviceID"): one.findtext(f"{SR}DeviceStatus") for one in document.iter(f"{SR}Device")}
    assert devices[ESME.duis] == "Commissioned"
    assert load_schema(duis / "xsd" / "DUIS.xsd").validate(document)


@pytest.mark.parametrize(("address", "code"), [("serviceS", "E13"), ("serviceD", "E13"), ("serviceT", "I0")])
async def test_each_command_variant_has_its_address(client: Client, address: str, code: str) -> None:
    signed = client.far_end.supplier.sign(client.request("7.2", ESME))
    answer = await client.post(write_request(signed), address)
    assert texts(etree.fromstring(answer.content))["ResponseCode"] == code


@pytest.mark.requirement("GW-31")
async def test_a_device_that_is_not_listed_and_a_signature_that_does_not_hold_are_answered_with_codes(client: Client, duis: Path) -> None:
    unknown = await client.say(client.request("4.1.1", Eui64.parse("00db123456789099")))
    assert texts(unknown)["ResponseCode"] == "E19"
    signed = write_request(client.far_end.supplier.sign(client.request("8.2", body={"DeviceID": ESME})))
    answer = await client.post(signed.replace(ESME.duis.encode(), CHF.duis.encode()), "serviceD")
    document = etree.fromstring(answer.content)
    assert texts(document)["ResponseCode"] == "E100"
    assert load_schema(duis / "xsd" / "DUIS.xsd").validate(document)


@pytest.mark.requirement("GW-70")
@pytest.mark.requirement("GW-23")
async def test_a_parameter_that_a_service_does_not_have_is_refused_by_its_name_at_each_of_the_services(client: Client) -> None:
    plain = write_request(client.request("7.4", ESME))
    header, body = b"Reference>7.4<", b"<sr:ReadSupplyStatus/>"
    assert (header in plain, body in plain) == (True, True)
    for name, variant in VARIANTS.items():
        client.far_end.records.clear()
        named = plain.replace(header, f"Reference>{variant.service}<".encode()).replace(b"Variant>7.4<", f"Variant>{name}<".encode())
        wrong = f"<sr:{variant.element}><sr:Nonsense/></sr:{variant.element}>".encode()
        answer = await client.exchange.answer(WebService.SEND_COMMAND, named.replace(body, wrong))
        assert texts(etree.fromstring(answer))["ResponseCode"] == "E100", name
        (refusal,) = (one for one in client.far_end.records if one.event == "refused")
        assert re.search(f"{variant.element}/Nonsense|{variant.element}: attribute", str(refusal.detail["value"])), name


@pytest.mark.parametrize(
    ("octets", "kind", "status", "said"),
    [
        (b"hello", "application/xml", 400, "no DUIS document"),
        (b"<Response/>", "application/xml", 400, "expected Request of"),
        (b"<a/>", "text/plain", 415, "expected application/xml"),
        (b"[" * 100_000, "application/json", 400, "nested deeper"),
    ],
)
async def test_what_is_no_request_is_told_in_a_sentence(client: Client, octets: bytes, kind: str, status: int, said: str) -> None:
    answer = await client.post(octets, "serviceS", kind)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_a_request_in_json_is_answered_in_json(client: Client) -> None:
    request = client.request("8.2", body={"DeviceID": ESME})
    told = json.dumps(simplified(write_request(request))).encode()
    context = client.far_end.dcc.context
    object.__setattr__(context, "profile", replace(context.profile, request_signatures=0.0))  # JSON has no signature
    answer = await client.post(told, "serviceD", "application/json")
    said = answer.json()
    assert said["header"]["responseCode"] == "I0", said
    devices = said["body"]["ResponseMessage"]["DSPInventory"]["Device"]
    assert ESME.duis in [one["DeviceID"] for one in devices]
    wrong = await client.post(b"{}", "serviceD", "application/json")
    assert (wrong.status_code, "header" in wrong.text) == (400, True)


@pytest.mark.requirement("GW-23")
@pytest.mark.requirement("GW-79")
async def test_acknowledgement_response_and_alert_are_signed_xml_of_the_schema(client: Client, duis: Path) -> None:
    acknowledgement = await client.say(client.request("4.1.1", ESME))
    client.far_end.home.say(alert_of(client.far_end, ESME, SUPPLIER))
    await client.far_end.clock.sleep(5)
    documents = [acknowledgement, *map(etree.fromstring, client.taken)]
    certificate = Signer.of(client.far_end.keystore, client.far_end.dcc.eui).certificate
    expected = SignatureConfiguration(location="./", verification_time=certificate.not_valid_before_utc)
    codes = [texts(one).get("AlertCode") or texts(one)["ResponseCode"] for one in documents]
    assert sorted(codes) == ["8F3F", "I0", "I99"]
    for one in documents:
        assert load_schema(duis / "xsd" / "DUIS.xsd").validate(one)
        XMLVerifier().verify(etree.tostring(one), x509_cert=certificate, expect_config=expected)
        changed = etree.tostring(one).replace(b"ResponseDateTime>2", b"ResponseDateTime>3", 1)
        assert changed != etree.tostring(one)
        with pytest.raises(InvalidDigest):
            XMLVerifier().verify(changed, x509_cert=certificate, expect_config=expected)


async def test_device_alerts_are_pushed(client: Client, duis: Path) -> None:
    client.far_end.home.say(alert_of(client.far_end, ESME, SUPPLIER))
    await client.far_end.clock.sleep(5)
    document = etree.fromstring(client.taken[0])
    alert = texts(document)
    assert (alert["AlertCode"], alert["ResponseCode"], "RequestID" in alert) == ("8F3F", "I0", False)
    assert load_schema(duis / "xsd" / "DUIS.xsd").validate(document)


@pytest.mark.requirement("GW-22")
async def test_a_silent_device_is_told_as_a_dcc_alert(client: Client, duis: Path) -> None:
    client.far_end.home.change = lambda messages: []
    request = client.request("4.1.1", ESME)
    await client.say(request)
    await client.far_end.clock.sleep(3600)
    (octets,) = client.taken
    document = etree.fromstring(octets)
    assert (texts(document)["DCCAlertCode"], texts(document)["CommandRequestID"]) == ("N13", str(request.request_id))
    assert load_schema(duis / "xsd" / "DUIS.xsd").validate(document)


async def test_nothing_is_lost_while_a_receiving_service_is_away_and_each_is_told_once_in_order(client: Client) -> None:
    client.status = 503
    requests = [client.request("4.1.1", ESME) for _ in range(3)]
    for request in requests:
        await client.say(request)
    await client.far_end.clock.sleep(3600)
    assert (client.taken, client.tried > 10) == ([], True)
    client.status = 204
    await client.far_end.clock.sleep(120)
    assert [texts(etree.fromstring(octets))["RequestID"] for octets in client.taken] == [str(one.request_id) for one in requests]


async def test_a_document_that_will_never_be_taken_is_put_aside_and_the_next_one_follows(client: Client) -> None:
    client.status = 400
    await client.say(client.request("4.1.1", ESME))
    await client.far_end.clock.sleep(10)
    client.status = 204
    second = client.request("4.1.1", ESME)
    await client.say(second)
    await client.far_end.clock.sleep(10)
    assert [texts(etree.fromstring(octets))["RequestID"] for octets in client.taken] == [str(second.request_id)]
    assert [one.problem for one in client.exchange.outbox.all(state="refused")] == ["answered 400"]


async def test_a_request_of_later_is_acknowledged_now_and_answered_then(client: Client) -> None:
    at = client.far_end.clock.datetime() + timedelta(hours=2)
    request = client.request("11.2", ESME, {"ExecutionDateTime": at})
    assert texts(await client.say(request))["ResponseCode"] == "I99"
    await client.far_end.clock.sleep(7000)
    assert client.taken == []
    await client.far_end.clock.sleep(300)
    assert [texts(etree.fromstring(octets))["ResponseCode"] for octets in client.taken] == ["I0"]


async def test_a_request_of_later_whose_user_lost_its_rights_is_refused_then(client: Client) -> None:
    at = client.far_end.clock.datetime() + timedelta(hours=2)
    await client.say(client.request("11.2", ESME, {"ExecutionDateTime": at}))
    client.far_end.dcc.gateway.suspend(SUPPLIER, "M8")
    await client.far_end.clock.sleep(7300)
    assert [texts(etree.fromstring(octets))["ResponseCode"] for octets in client.taken] == ["E3"]


async def test_what_was_waiting_outlives_a_restart_with_the_address_away_and_each_end_is_told_once(
    clock: Clock, keystore: Keystore, tmp_path: Path
) -> None:
    far_end = FarEnd(keystore, clock, tmp_path / "dcc.sqlite")
    await far_end.in_service()
    client = Client(far_end)
    client.status = 503
    dated = client.request("11.2", ESME, {"ExecutionDateTime": clock.datetime() + timedelta(days=9)})
    after = client.request("4.1.1", ESME, preceding=dated.request_id)
    read = client.request("4.1.1", ESME)
    for request in (dated, after, read):
        assert texts(await client.say(request))["ResponseCode"] == "I99"
    await clock.sleep(60)
    await client.exchange.pusher.close()
    await far_end.dcc.close()
    far_end.dcc = far_end.new_dcc()
    client.exchange, client.addresses = client.new_service()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc, CHF)
    assert texts(await client.say(client.request("11.2", ESME, {"ExecutionDateTime": CANCELLATION})))["ResponseCode"][0] == "I"
    await clock.sleep(3600)
    assert client.taken == []
    client.status = 204
    await clock.sleep(600)
    told = [texts(etree.fromstring(octets))["RequestID"] for octets in client.taken]
    assert told[0] == str(read.request_id)
    assert sorted(told) == sorted(map(str, (dated.request_id, after.request_id, read.request_id)))
    await client.exchange.pusher.close()
    await far_end.close()


async def test_a_request_that_a_full_medium_cannot_take_is_told_so_and_may_come_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = client.far_end.supplier.sign(client.request("4.1.1", ESME))

    def full() -> None:
        raise StoreTrouble("the DCC's store", "database or disk is full: make room on the medium")

    with monkeypatch.context() as medium:
        medium.setattr(client.far_end.dcc.store._file, "begin", full)
        answer = await client.post(write_request(request), WebService.SEND_COMMAND)
    assert (answer.status_code, answer.text) == (
        503,
        "the DCC's store is not available: database or disk is full: make room on the medium\n",
    )
    again = await client.post(write_request(request), WebService.SEND_COMMAND)
    assert texts(etree.fromstring(again.content))["ResponseCode"] == "I99"
