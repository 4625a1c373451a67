"""``explain``: octets of every layer, each octet told exactly once, with what they were taken for."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.layers import LayerKnowledge, explain_any, layers
from firmware_emu.console.offers import offers
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.tree import Tree
from firmware_emu.zse.zcl import ZclFrame
from hil.dcc.duis import write_request
from hil.radio.air.frames import ApsKind, ApsPdu, NwkPdu
from hil.radio.ncp.ash import frame, randomise
from hil.radio.ncp.ezsp import encode_frame, schemas


def octets_of(tree: Tree) -> bytes:
    """The octets of all nodes in order: the message, if each is told exactly once."""
    return b"".join(node.octets for _, node in tree.walk())


def fields(tree: Tree) -> dict[str, str]:
    return {node.field: node.value for _, node in tree.walk()}


def taken(octets: bytes, known: LayerKnowledge | None = None) -> tuple[str, Tree]:
    found = explain_any(octets, known or LayerKnowledge())
    return found.layer.name, found.tree


@pytest.fixture(scope="module")
def air() -> list[bytes]:
    """Every frame on the air while a meter joins, is commissioned and read, and the keys that open them."""
    heard: list[bytes] = []
    with Bench.open("simulated", seed=3) as bench:
        leave = bench.station.air.capture(lambda one: heard.append(one.octets))
        bench.hub.form()
        bench.esme.add()
        bench.dcc.read("esme")
        leave()
        KEYS.extend(bench.call(lambda station: station.han_keys().values()))
    return heard


KEYS: list[bytes] = []


def test_every_frame_on_the_air_is_known_as_one_and_each_of_its_octets_is_told_once(air: list[bytes]) -> None:
    assert len(air) > 50
    known = LayerKnowledge(han_keys=tuple(KEYS))
    for octets in air:
        name, tree = taken(octets, known)
        assert name == "mac", octets.hex()
        assert octets_of(tree) == octets


def test_the_benchs_keys_open_a_frame_down_to_the_gbcs_message_in_its_tunnel(air: list[bytes]) -> None:
    known = LayerKnowledge(han_keys=tuple(KEYS))
    titles = [taken(octets, known)[1].title for octets in air]
    assert any("beacon" in title for title in titles)
    assert any("association request" in title for title in titles)
    assert any("KeyEstablishment" in title.replace(" ", "") for title in titles), titles
    assert any("Tunneling TransferData" in title for title in titles), titles
    closed = [taken(octets)[1].title for octets in air]
    assert not any("Tunneling" in title for title in closed)


def test_a_key_is_not_among_what_is_told(air: list[bytes]) -> None:
    known = LayerKnowledge(han_keys=tuple(KEYS))
    assert all(key.hex() not in repr(known) for key in KEYS)


def test_an_nwk_and_an_aps_frame_alone_are_known_too(air: list[bytes]) -> None:
    inner = ZclFrame.of_cluster(0x00, bytes.fromhex("06ffff00dc05"), sequence=5).encode()
    ends = {"destination_endpoint": 1, "cluster": 0x0704, "profile": 0x0109, "source_endpoint": 2}
    aps = ApsPdu(ApsKind.DATA, 9, ack_request=True, payload=inner, **ends)
    nwk = NwkPdu(0x1234, 0x0000, 30, 7, secured=False, payload=aps.encode())
    name, tree = taken(aps.encode())
    assert (name, octets_of(tree)) == ("aps", aps.encode())
    assert "Tunneling RequestTunnel" in tree.title
    assert fields(tree)["max incoming"] == "1500"
    name, tree = taken(nwk.encode())
    assert (name, octets_of(tree)) == ("nwk", nwk.encode())
    assert "NWK data 0000 to 1234" in tree.title


def test_an_ash_frame_is_opened_down_to_its_ezsp_command() -> None:
    version = encode_frame(1, schemas(13)["networkState"].frame_id, b"", 13, control=0)
    wire = frame(0x25, randomise(version))
    name, tree = taken(wire)
    assert name == "ash"
    assert octets_of(tree) == wire
    assert tree.title == "DATA 2, EZSP networkState command"
    told = {node.field: node.meaning for _, node in tree.walk()}
    assert told["control"] == "frame 2, expects 5"
    assert told["check sequence"] == "valid"
    assert taken(bytes.fromhex("1ac038bc7e"))[1].title == "RST"


def test_a_damaged_ash_frame_says_that_its_check_does_not_hold() -> None:
    wire = bytearray(frame(0x81))
    wire[1] ^= 0x40
    told = {node.field: node.meaning for _, node in explain_any(bytes(wire), LayerKnowledge(), "ash").tree.walk()}
    assert told["check sequence"] == "invalid: the frame is damaged"


def test_an_ezsp_response_shows_each_field_by_its_name() -> None:
    schema = schemas(13)["getNetworkParameters"]
    parameters = bytes([0, 1]) + bytes.fromhex("02000000 0000b0c4c402 341203 14 00 0000 00 00f8ff07".replace(" ", ""))[:20].ljust(20, b"\0")
    octets = encode_frame(4, schema.frame_id, parameters, 13)
    name, tree = taken(octets)
    assert (name, octets_of(tree)) == ("ezsp", octets)
    assert "getNetworkParameters response" in tree.title


def test_a_key_in_an_ezsp_command_is_not_shown_as_a_value() -> None:
    keyed = next(
        one
        for one in schemas(13).values()
        if one.request
        and all(kind in ("key", "eui", "u8", "u16") for _, kind in one.request)
        and any(kind == "key" for _, kind in one.request)
    )
    sizes = {"key": 16, "eui": 8, "u8": 1, "u16": 2}
    body = b"".join(bytes([0xA7]) * sizes[kind] for _, kind in keyed.request)
    tree = explain_any(encode_frame(1, keyed.frame_id, body, 13, control=0), LayerKnowledge(), "ezsp").tree
    assert "a key" in [node.value for _, node in tree.walk()]


@pytest.mark.parametrize(
    ("octets", "cluster", "title"),
    [
        ("1105020000df", 0x0704, "Tunneling TransferDataClient, client to server"),
        ("0001000000", None, "ZCL read attributes, client to server"),
        ("18020b0081", 0x0702, "Metering default response, server to client"),
        ("080301000000 23 10270000".replace(" ", ""), 0x0702, "Metering read attributes response, server to client"),
    ],
)
def test_a_zcl_frame_is_told_field_by_field(octets: str, cluster: int | None, title: str) -> None:
    found = explain_any(bytes.fromhex(octets), LayerKnowledge(cluster=cluster), "zcl")
    assert found.tree.title == title
    assert octets_of(found.tree) == bytes.fromhex(octets)


def test_a_certificate_is_told_as_der_and_by_whose_it_is(home: BlockingBench) -> None:
    station = home.station
    certificate = station.keystore.certificate(station.board.parties.supplier, KeyUsage.DIGITAL_SIGNATURE)
    octets = certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)
    name, tree = taken(octets)
    assert (name, octets_of(tree)) == ("der", octets)
    assert str(station.board.parties.supplier) in tree.title
    assert "digital_signature" in tree.title


def sent_by_the_meter(home: BlockingBench) -> bytes:
    """The last GBCS message of the electricity meter."""
    return next(record.data for record in reversed(home.records) if record.area == "device" and record.event == "sent" and record.data)


def test_a_gas_meters_mailbox_message_is_known_with_the_gbcs_message_behind_its_header(home: BlockingBench) -> None:
    message = sent_by_the_meter(home)
    for octets, waiting in ((b"\x03" + message, None), (b"\x02\x01" + message, "1")):
        name, tree = taken(octets)
        assert (name, octets_of(tree)) == ("tunnel", octets)
        assert fields(tree).get("messages that still wait") == waiting
    name, tree = taken(message)
    assert (name, octets_of(tree)) == ("gbcs", message)


def test_the_payload_of_a_message_is_known_as_dlms(home: BlockingBench) -> None:
    home.dcc.read("esme")
    payload = Message.decode(sent_by_the_meter(home)).payload
    name, tree = taken(payload)
    assert (name, octets_of(tree)) == ("dlms", payload)
    assert tree.title == "DLMS access response"


def test_a_service_request_is_told_by_who_asks_whom_and_shows_no_install_code(home: BlockingBench, tmp_path: Path) -> None:
    station = home.station
    row = station.board.find("gsme")
    body = {
        "DeviceID": row.eui,
        "RequestType": "Add",
        "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 600, "InstallCode": row.install_code.octets.hex().upper()},
    }
    path = tmp_path / "8.11.xml"
    path.write_bytes(home.call(lambda station: write_request(station.dcc.request(station.supplier, "8.11", station.board.hub.chf, body))))
    told = home.explain(str(path))
    assert told["layer"] == "xml"
    assert "service request 8.11" in told.as_text()
    assert "not signed" in told.as_text()
    assert row.install_code.octets.hex() not in told.as_text(200).lower()


def test_what_octets_were_taken_for_is_said_with_what_else_they_could_be(home: BlockingBench) -> None:
    told = home.explain("18020b0081")
    assert told.said == "5 octets: read as zcl, a ZigBee cluster frame; cluster=0x0702 names its commands"
    assert home.explain("18020b0081", as_="zcl", cluster=0x0702).raw.title.startswith("Metering default response")
    refused = home.say("explain 18020b0081 as=gbcs")
    assert not refused.ok
    assert "at offset 0" in refused.said


def test_octets_that_no_layer_begins_with_are_refused_in_one_line(home: BlockingBench) -> None:
    told = home.explain("ff" * 9)
    assert not told.ok
    assert "no layer begins like this" in told.said


def test_a_record_is_explained_by_its_number_and_the_last_by_minus_one(home: BlockingBench) -> None:
    record = [one for one in home.records if one.data is not None][-1]
    assert home.explain(f"@{record.number}").as_json()["said"] == home.explain("@-1").as_json()["said"]


def test_layers_and_records_are_offered_while_it_is_typed(home: BlockingBench) -> None:
    core = home.handle.core
    assert {one.word for one in offers(core, "explain df as=")} == {f"as={layer.name}" for layer in layers()}
    assert all(one.word.startswith("@") for one in offers(core, "explain @"))


@given(st.binary(max_size=80))
def test_no_octets_make_it_fail_otherwise_than_by_saying_where(octets: bytes) -> None:
    for layer in (None, *(one.name for one in layers())):
        with contextlib.suppress(DecodeError):
            found = explain_any(octets, LayerKnowledge(han_keys=(bytes(16),)), layer)
            assert found.layer.name in ("xml", "gbcs") or octets_of(found.tree) == octets


@pytest.mark.parametrize(
    ("octets", "layer", "title", "shown"),
    [
        ("0142a1a8592855c6a6c87e", "ash", "EZSP version response", {}),
        ("0080000d024074", "ezsp", "EZSP version response", {"protocol version": "13", "stack version": "4074"}),
        (
            "1390013f00020c000000341204010600010140010000d3340000",
            "ezsp",
            "EZSP messageSentHandler callback (version 14, not 13)",
            {"status": "00000c02"},
        ),
        ("225b215754780489647e", "ash", "EZSP getConfigurationValue command (version 7, not 13)", {}),
        ("009001190090", "ezsp", "EZSP stackStatusHandler callback", {"status": "90"}),
    ],
    ids=["row 4", "row 4, in the clear", "row 5", "row 6", "row 7"],
)
def test_rows_4_to_7_a_frame_is_read_as_of_the_version_that_explains_it(octets: str, layer: str, title: str, shown: dict[str, str]) -> None:
    tree = explain_any(bytes.fromhex(octets), LayerKnowledge(), layer).tree
    nodes = {node.field: node for _, node in tree.walk()}
    assert title in tree.title
    assert {name: nodes[name].value for name in shown} == shown
    if "stack version" in shown:
        assert nodes["stack version"].meaning == "7.4.4.0"
    elif layer == "ezsp":
        assert nodes["status"].meaning == {"00000c02": "ZIGBEE_DELIVERY_FAILED", "90": "NETWORK_UP"}[shown["status"]]


@pytest.mark.parametrize(
    ("octets", "title"),
    [("1900ff005211", "getConfigurationValue command"), ("1980ff0052003400", "getConfigurationValue response")],
)
def test_row_6_a_frame_of_ezsp_5_to_7_is_known_by_its_mark_without_a_layer(octets: str, title: str) -> None:
    told = explain_any(bytes.fromhex(octets), LayerKnowledge())
    assert (told.layer.name, told.tree.title) == ("ezsp", f"EZSP {title} (version 7, not 13)")


@pytest.mark.parametrize(
    ("octets", "title"),
    [
        ("2f901990", "stackStatusHandler callback (version 4, not 13)"),
        ("00000004", "version"),
        ("0080000d024074", "version response"),
    ],
)
def test_a_frame_of_ezsp_4_is_known_without_a_layer_and_so_is_the_question_for_the_version(octets: str, title: str) -> None:
    told = explain_any(bytes.fromhex(octets), LayerKnowledge())
    assert (told.layer.name, told.tree.title) == ("ezsp", f"EZSP {title}")
    assert octets_of(told.tree) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("octets", "title"), [("19005211", "getConfigurationValue command"), ("198052003400", "getConfigurationValue response")]
)
def test_a_frame_of_ezsp_4_that_may_be_another_layers_is_named_as_another_reading(octets: str, title: str) -> None:
    assert "ezsp" in explain_any(bytes.fromhex(octets), LayerKnowledge()).others
    told = explain_any(bytes.fromhex(octets), LayerKnowledge(), "ezsp")
    assert told.tree.title == f"EZSP {title} (version 4, not 13)"


@pytest.mark.parametrize(
    ("layer", "frame", "cluster"),
    [
        ("zcl", "18 09 01 00 00 00 20 0a 01 00 00 21 2c 01", 0x0025),
        ("zcl", "01 02 02 00 00 dd", 0x0704),
        ("mac", "61 88 7d 9b 13 00 00 34 12 08 00 00 00 34 12 1e 01 00 01 02 07 09 01 01 05 00 05 00 00 00", None),
        ("nwk", "08 00 00 00 34 12 1e 01 00 01 02 07 09 01 01 05 00 05 00 00 00", None),
        ("aps", "00 01 02 07 09 01 01 05 00 05 00 00 00", None),
        ("ezsp", "00 00 01 00 00 0d", None),
        ("ash", "25 42 21 a8 56 a6 09 7e", None),
        ("mt", "fe 03 45 c4 b2 2d 00 1d fe 00 21 01 20", None),
    ],
)
def test_a_frame_that_is_cut_off_is_told_up_to_there_at_whichever_octet(layer: str, frame: str, cluster: int | None) -> None:
    octets, known, cut = bytes.fromhex(frame), LayerKnowledge(cluster=cluster), 0
    assert explain_any(octets, known, layer).fault is None
    for length in range(1, len(octets)):
        told = explain_any(octets[:length], known, layer)
        assert sum(node.length for node in told.tree.nodes) == length
        assert (told.fault is None) == (told.tree.nodes[-1].field != "fault")
        cut += told.fault is not None
    assert cut


def test_a_field_that_hangs_on_octets_that_are_not_there_is_told_with_all_it_may_mean() -> None:
    told = explain_any(bytes.fromhex("00 01 02 07"), LayerKnowledge(), "aps")
    cluster = next(node for _, node in told.tree.walk() if node.field == "cluster")
    assert cluster.meaning == "Metering or ZDP"
    whole = explain_any(bytes.fromhex("00 01 02 07 09 01 01 05 00 05 00 00 00"), LayerKnowledge(), "aps")
    assert next(node for _, node in whole.tree.walk() if node.field == "cluster").meaning == "Metering"
