"""chub dcc send, inventory and alerts, on a store that a DCC has written."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import IdentifierError, NotAvailable
from firmware_emu.trace import Trace
from firmware_emu.wan.tcp import TcpWanLink
from firmware_emu.wan.tls import files_of
from hil.commands.dcc.inventory import alerts, inventory, listen, prepare, request, send
from hil.dcc.base.services import UserRole
from hil.dcc.duis import RequestId, document, new_request, read_request, write_request
from hil.dcc.parties.users import User
from tests.dcc.far_end import ACB, CHF, ESME, SUPPLIER, FarEnd, Home
from tests.dcc.messages import alert_of


@pytest.fixture
def store(tmp_path: Path, keystore: Keystore) -> Path:
    """The store of a DCC with a home in service and one alert."""
    path = tmp_path / "dcc.sqlite"
    far_end = FarEnd(keystore, Clock(start=datetime(2026, 1, 5, 12, tzinfo=UTC), warp=True), path)

    async def scenario() -> None:
        await far_end.in_service()
        far_end.home.say(alert_of(far_end, ESME, SUPPLIER))
        await far_end.clock.sleep(1)
        await far_end.close()

    far_end.clock.run(scenario())
    return path


def test_the_inventory_is_listed_with_status_hub_and_enrolment(store: Path) -> None:
    shown = CliRunner().invoke(inventory, ["--store", str(store)])
    assert shown.exit_code == 0
    line = next(line for line in shown.output.splitlines() if line.startswith(str(ESME)))
    assert "Commissioned" in line
    assert f"hub {CHF}" in line
    assert line.endswith("enrolled")
    rows = json.loads(CliRunner().invoke(inventory, [ESME.duis, "--store", str(store), "--json"]).output)
    assert [(row["eui"], row["type"], row["status"]) for row in rows] == [(str(ESME), "ESME", "Commissioned")]


def test_the_audit_tells_every_change(store: Path) -> None:
    shown = CliRunner().invoke(inventory, [str(CHF), "--store", str(store), "--audit"])
    assert [line.split("  ")[2] for line in shown.output.splitlines()] == ["- -> Pending", "Pending -> Commissioned"]


def test_alerts_are_listed_with_their_way(store: Path) -> None:
    rows = json.loads(CliRunner().invoke(alerts, ["--store", str(store), "--json"]).output)
    assert [(row["code"], row["party"], row["state"]) for row in rows] == [("8F3F", str(SUPPLIER), "delivered")]
    assert "8F3F" in CliRunner().invoke(alerts, ["--store", str(store)]).output


def test_a_store_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="name the store"):
        CliRunner().invoke(inventory, ["--store", str(tmp_path / "none.sqlite")], catch_exceptions=False)


@pytest.mark.parametrize("spelling", [str(ESME), ESME.duis, ESME.duis.lower().replace("-", ":"), f"Z$A:{ESME}$I:00", str(ESME).upper()])
def test_a_device_is_typed_in_a_body_in_any_spelling(keys: Path, spelling: str) -> None:
    words = ["12.2", "--keys", str(keys), "--as", str(SUPPLIER), "--counter", "7", "--no-sign", "--body"]
    body = {"DeviceID": spelling, "DeviceManufacturer": "0001", "DeviceModel": "00000001", "DeviceType": "ESME"}
    made = CliRunner().invoke(request, [*words, json.dumps(body)], catch_exceptions=False)
    assert f"<sr:DeviceID>{ESME.duis}</sr:DeviceID>" in made.output


def test_several_devices_of_one_field_are_typed_in_any_spelling() -> None:
    assert document.written(f"{ESME},{CHF.duis}", "UpdateFirmware.DeviceIDList") == f"{ESME.duis},{CHF.duis}"
    assert document.written("esme", "EUI") == "esme", "the schema tells of it"


@pytest.mark.parametrize(
    "code",
    [
        "83FED3407A939723A5C639B26916D505",
        "83FED3407A939723A5C639B26916D505C3B5",
        "83FE\u2011D340\u20117A93\u20119723\u2011A5C6\u201139B2\u20116916\u2011D505\u2011C3B5",
        "83FE-D340\t7A93 9723 A5C6 39B2 6916 D505 C3B5",
        "Z$A:00DB1234567890A0$I:83FED3407A939723A5C639B26916D505C3B5",
    ],
)
def test_an_install_code_is_typed_in_a_body_as_its_label_prints_it(keys: Path, code: str) -> None:
    words = ["8.11", str(CHF), "--keys", str(keys), "--as", str(SUPPLIER), "--counter", "7", "--no-sign", "--body"]
    content = {"JoinTimePeriod": 600, "InstallCode": code, "ImportMPxN": "1200012345678"}
    body = {"DeviceID": str(ESME), "RequestType": "Add", "AddDeviceToCHFWhitelist": content}
    made = CliRunner().invoke(request, [*words, json.dumps(body)], catch_exceptions=False)
    assert "<sr:InstallCode>83FED3407A939723A5C639B26916D505</sr:InstallCode>" in made.output


def test_an_install_code_in_a_body_whose_crc_does_not_hold_is_refused_and_not_shown() -> None:
    with pytest.raises(IdentifierError, match="look at the label again") as told:
        document.written("83FED3407A939723A5C639B26916D505C3B6", "AddDeviceToCHFWhitelist.InstallCode")
    assert "7A939723" not in str(told.value)


def test_a_service_of_the_dcc_itself_is_sent_and_answered(store: Path, keys: Path) -> None:
    asked = [
        "8.2",
        "--store",
        str(store),
        "--keys",
        str(keys),
        "--as",
        str(SUPPLIER),
        "--body",
        json.dumps({"DeviceID": ESME.duis}),
        "--json",
    ]
    sent = CliRunner().invoke(send, asked)
    assert sent.exit_code == 0, sent.output
    answer = json.loads(sent.output)
    assert (answer["verdict"], answer["response_code"]) == ("success", "I0")
    assert {row["eui"] for row in answer["result"]["devices"]} >= {str(ESME), str(CHF)}


def test_a_refused_request_exits_with_1_and_says_why(store: Path, keys: Path) -> None:
    asked = ["8.9", str(ESME), "--store", str(store), "--keys", str(keys), "--as", str(SUPPLIER), "--wait", "0.2"]
    sent = CliRunner().invoke(send, asked)
    assert sent.exit_code == 1
    assert "E11" in sent.output
    assert "Next:" in sent.output


@pytest.mark.parametrize("waits", ["until 2098-01-01", "for request"])
def test_a_request_that_waits_says_for_what_and_wait_ends_it(store: Path, keys: Path, tmp_path: Path, waits: str) -> None:
    if waits == "for request":
        never = RequestId(SUPPLIER, ESME, 1)
        made = new_request("11.2", SUPPLIER, ESME, 10_000_000, {}, preceding=never)
        (tmp_path / "after.xml").write_bytes(write_request(User(SUPPLIER, UserRole.IS, Keystore.load(keys)).sign(made)))
        what = [str(tmp_path / "after.xml")]
    else:
        what = ["11.2", str(ESME), "--body", json.dumps({"ExecutionDateTime": "2098-01-01T00:00:00.00Z"})]
    options = ["--store", str(store), "--keys", str(keys), "--as", str(SUPPLIER), "--listen", "127.0.0.1:0", "--wait", "0.3"]
    sent = CliRunner().invoke(send, [*what, *options])
    assert isinstance(sent.exception, NotAvailable), sent.output
    assert f"which waits {waits}" in str(sent.exception)
    assert "chub dcc listen" in str(sent.exception)
    assert f"waits {waits}" in sent.output


@pytest.mark.parametrize(("option", "value"), [("--listen", "nowhere"), ("--body", "{"), ("--as", "12")])
def test_a_wrong_option_is_a_usage_error(store: Path, keys: Path, option: str, value: str) -> None:
    asked = ["8.2", "--store", str(store), "--keys", str(keys), option, value]
    sent = CliRunner().invoke(send, asked)
    assert sent.exit_code == 2
    assert value in sent.output or "JSON" in sent.output


def test_a_request_reaches_a_hub_over_tls_and_its_answer_is_printed(store: Path, keys: Path, keystore: Keystore) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clock = Clock()
    link = TcpWanLink.client("127.0.0.1", port, files_of(keys / "tls", str(CHF)))
    home = Home(clock, Trace(clock.now), SimpleNamespace(hub=link), keystore)  # type: ignore[arg-type]
    over = threading.Event()

    async def hub() -> None:
        home.connect()
        await asyncio.to_thread(over.wait)
        await home.leave()

    thread = threading.Thread(target=lambda: clock.run(hub()))
    thread.start()
    try:
        asked = [
            "7.3",
            str(ESME),
            "--store",
            str(store),
            "--keys",
            str(keys),
            "--as",
            str(SUPPLIER),
            "--listen",
            f"127.0.0.1:{port}",
            "--wait",
            "30",
        ]
        sent = CliRunner().invoke(send, asked)
    finally:
        over.set()
        thread.join()
    assert sent.exit_code == 0, sent.output
    assert sent.output.splitlines()[1].startswith("success  7.3  I0")
    assert home.answers[ESME].executed == [0x0051]


@pytest.fixture
def prepared(tmp_path: Path) -> list[str]:
    """The options that name a store filled from the simulated board."""
    path = tmp_path / "prepared.sqlite"
    done = CliRunner().invoke(prepare, ["--board", "simulated", "--store", str(path), "--json"], catch_exceptions=False)
    assert json.loads(done.output)["devices"] == {"02c4b00000000001": "CHF Pending", "02c4b00000000002": "GPF Pending"}
    again = CliRunner().invoke(prepare, ["--board", "simulated", "--store", str(path), "--json"], catch_exceptions=False)
    assert again.output == done.output
    return ["--board", "simulated", "--store", str(path)]


def written(folder: Path, prepared: list[str], *arguments: str) -> Path:
    """A request file made by ``chub dcc request``."""
    made = CliRunner().invoke(request, [*arguments, *prepared], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    path = folder / f"{len(list(folder.glob('*.xml')))}.xml"
    path.write_text(made.output, encoding="utf-8")
    return path


def test_request_files_are_sent_in_order_by_the_users_they_name(tmp_path: Path, prepared: list[str]) -> None:
    files = [written(tmp_path, prepared, "12.2", "--device", name) for name in ("esme", "gsme", "ppmid", "ihd")]
    senders = [read_request(path.read_bytes()).request_id.originator for path in files]
    assert [str(eui)[-2:] for eui in senders] == ["10", "18", "10", "10"]
    sent = CliRunner().invoke(send, [*map(str, files), *prepared, "--json"])
    assert sent.exit_code == 0, sent.output
    assert [outcome["verdict"] for outcome in json.loads(sent.output)] == ["success"] * 4
    rows = json.loads(CliRunner().invoke(inventory, [*prepared[2:], "--json"]).output)
    assert [row["type"] for row in rows if row["status"] == "Pending"] == ["TYPE_2", "GSME", "PPMID", "CHF", "GPF", "ESME"]


def test_a_file_without_a_signature_is_signed_as_it_is_sent(tmp_path: Path, prepared: list[str]) -> None:
    path = written(tmp_path, prepared, "12.2", "--device", "esme", "--no-sign")
    assert not read_request(path.read_bytes()).signed
    assert CliRunner().invoke(send, [str(path), *prepared]).exit_code == 0


def test_a_file_that_another_user_signed_is_refused_and_ends_the_row(tmp_path: Path, prepared: list[str]) -> None:
    path = written(tmp_path, prepared, "12.2", "--device", "esme")
    path.write_bytes(path.read_bytes().replace(b":1000<", b":1001<"))
    sent = CliRunner().invoke(send, [str(path), str(written(tmp_path, prepared, "12.2", "--device", "ihd")), *prepared])
    assert sent.exit_code == 1
    assert "CK-5 credentials" in sent.output
    assert sent.output.count("12.2  ") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["12.2", "--device", "nobody"], "--device"),
        (["7.2", "--device", "esme"], "12.2 or 8.11"),
        (["7.2", "nowhere"], "TARGET"),
        (["7.2", "esme", "--body", "[]"], "JSON object"),
        (["7.2", "esme", "--as", "12"], "--as"),
    ],
)
def test_a_request_that_cannot_be_written_says_which_word_is_wrong(prepared: list[str], arguments: list[str], said: str) -> None:
    made = CliRunner().invoke(request, [*arguments, *prepared])
    assert made.exit_code == 2
    assert said in made.output


def test_a_request_needs_a_counter_from_somewhere() -> None:
    made = CliRunner().invoke(request, ["7.2", "esme", "--board", "simulated"])
    assert made.exit_code == 2
    assert "--counter" in made.output
    made = CliRunner().invoke(request, ["7.2", "esme", "--board", "simulated", "--counter", "77"], catch_exceptions=False)
    assert read_request(made.output.encode()).request_id.counter == 77


def test_files_and_variants_are_not_mixed(tmp_path: Path, prepared: list[str]) -> None:
    path = written(tmp_path, prepared, "12.2", "--device", "esme")
    with pytest.raises(NotAvailable, match=r"none\.xml"):
        CliRunner().invoke(send, [str(path), "none.xml", *prepared], catch_exceptions=False)


def test_listening_ends_with_1_when_the_status_does_not_come(prepared: list[str]) -> None:
    heard = CliRunner().invoke(listen, [*prepared, "--until", "chf=Commissioned", "--for", "0.2"])
    assert heard.exit_code == 1
    assert CliRunner().invoke(listen, [*prepared, "--until", "chf=Pending", "--for", "5"]).exit_code == 0


def test_a_file_is_sent_as_it_is_unsigned_on_purpose(store: Path, keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "unsigned.xml"
    file.write_bytes(write_request(new_request("8.2", SUPPLIER, ACB, 90_000, {"DeviceID": ESME})))
    asked = ["--store", str(store), "--keys", str(keys), str(file), "--json"]
    done = CliRunner().invoke(send, [*asked, "--as-is"])
    assert (done.exit_code, "carries no XML signature" in done.output) == (1, True), done.output
    assert CliRunner().invoke(send, [*asked, "--auto-sign"]).exit_code == 0
