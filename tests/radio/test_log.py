"""Logs of other hosts: real ones, made by bellows and zigpy-znp against the virtual dongle, and lines as public logs have them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from bellows.zigbee.application import ControllerApplication
from click.testing import CliRunner

from firmware_emu.clock import Clock
from hil.commands.log import log as command
from hil.radio.air.air import Air
from hil.radio.log.lines import OctetForm, said
from hil.radio.log.reading import LogError, read_lines, read_log, write_replay
from hil.radio.ncp.ash import frame, randomise
from hil.radio.ncp.server import NcpServer
from hil.radio.recording import load_recording, played
from hil.radio.znp.server import ZnpServer
from tests.radio.radio_bench import HUB

VECTORS = (
    json.loads((Path(__file__).parents[2].parent / "shared" / "reference" / "ncp-real-log-vectors.json").read_text())
    if (Path(__file__).parents[2].parent / "shared" / "reference" / "ncp-real-log-vectors.json").is_file()
    else {"ash": []}
)
"""Frames of public logs, where the reference material is beside the checkout."""


class Kept(logging.Handler):
    """Log lines as Home Assistant writes them, bench time in front."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(level=0)
        self.lines: list[str] = []
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        when = self._clock.datetime().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        self.lines.append(f"{when} {record.levelname} (MainThread) [{record.name}] {record.getMessage()}")


@pytest.fixture
def kept(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Kept]:
    made: list[tuple[logging.Logger, Kept, int]] = []

    def keep(name: str, level: int) -> Kept:
        logger, handler = logging.getLogger(name), Kept(clock)
        monkeypatch.setattr(logger, "level", level)
        logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]
        logger.addHandler(handler)
        made.append((logger, handler, level))
        return handler

    yield keep  # type: ignore[misc]
    for logger, handler, _ in made:
        logger.removeHandler(handler)
    logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]


def settings(path: str) -> dict[str, object]:
    device = {"path": path, "baudrate": 115200, "flow_control": None}
    shared: dict[str, object] = {"database_path": None, "device": device, "backup_enabled": False, "startup_energy_scan": False}
    return shared | {"use_thread": False, "network": {"channel": 15}, "ota": {"enabled": False}}


async def formed_by_bellows(path: str) -> None:
    host = ControllerApplication(settings(path))
    await host.connect()
    await host.form_network()
    await host.disconnect()


@pytest.mark.parametrize("version", [8, 13, 18])
async def test_a_log_that_bellows_writes_is_read_whole_and_played_again(
    clock: Clock, kept: Callable[[str, int], Kept], tmp_path: Path, version: int
) -> None:
    handler = kept("bellows", logging.DEBUG)
    dongle = NcpServer(Air(clock, 1), HUB, version, clock=clock)
    path = str(await dongle.serve_pty())
    await formed_by_bellows(path)
    await dongle.close()
    file = tmp_path / "bellows.log"
    file.write_text("\n".join(handler.lines))
    found = read_log(file)
    assert (found.family, found.version, found.told) == ("ezsp", version, True)
    assert not [one for one in found.entries if one.name == "unknown"]
    assert not [one for one in found.wrong if one.what in ("not understood", "damaged", "sent again")], found.wrong
    up = [one for one in found.entries if one.name == "stackStatusHandler"]
    assert any("UP" in one.text for one in up), [one.text for one in up]
    assert write_replay(found, tmp_path / "replay.jsonl") > 50
    recording = load_recording(tmp_path / "replay.jsonl")
    assert recording.ezsp == version
    if version > 13:
        return
    again = played(f"replay:{tmp_path / 'replay.jsonl'}", clock)
    second = ControllerApplication(settings(str(await again.serve_pty())))
    await second.connect()
    await second.disconnect()
    await again.close()


async def test_a_log_that_zigpy_znp_writes_is_read_whole(
    clock: Clock, kept: Callable[[str, int], Kept], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zigpy_znp", reason="needs zigpy-znp (pip install zigpy-znp)")
    monkeypatch.setattr("zigpy_znp.logger.TRACE", 5)
    handler = kept("zigpy_znp", 1)
    dongle = ZnpServer(Air(clock, 1), HUB, clock=clock)
    application = pytest.importorskip("zigpy_znp.zigbee.application", reason="needs zigpy-znp (pip install zigpy-znp)")
    host = application.ControllerApplication(settings(str(await dongle.serve_pty())))
    await host.connect()
    await host.form_network()
    await host.start_network()
    await host.disconnect()
    await dongle.close()
    found = read_lines(handler.lines, "zigpy-znp")
    assert found.family == "znp"
    names = {one.name for one in found.entries}
    assert {"SYS.Ping.Rsp", "SYS.Version.Req"} <= names
    assert not [one for one in found.wrong if one.what in ("not understood", "damaged")], found.wrong
    key = bytes(host.state.network_info.network_key.key).hex()
    assert key not in json.dumps(found.as_json()), "no key is shown"
    assert write_replay(found, tmp_path / "znp.jsonl") > 50
    assert key not in (tmp_path / "znp.jsonl").read_text()


def ash(control: int, ezsp: str) -> str:
    return frame(control, randomise(bytes.fromhex(ezsp))).hex()


def test_each_end_counts_once_in_the_form_nearest_the_wire() -> None:
    lines = [
        "2024-01-05 10:00:00.100 DEBUG (MainThread) [bellows.uart] Sending data  " + ash(0x00, "00000004"),
        "2024-01-05 10:00:00.200 DEBUG (MainThread) [bellows.ash] Received data " + ash(0x01, "0080000d024074")[:10],
        "2024-01-05 10:00:00.201 DEBUG (MainThread) [bellows.ash] Received data " + ash(0x01, "0080000d024074")[10:],
        "2024-01-05 10:00:00.202 DEBUG [bellows.ash] Received frame DataFrame(frm_num=0, re_tx=False, ack_num=1, ezsp_frame=b'\\x00\\x80')",
    ]
    found = read_lines(lines, "lines")
    assert [(one.sender, one.name, one.kind) for one in found.entries] == [
        ("host", "version", "command"),
        ("dongle", "version", "response"),
    ]
    assert found.version == 13


def test_the_status_network_up_is_no_failure_and_a_v14_message_that_was_not_sent_is_one() -> None:
    up = read_lines([f"<== Frame: {frame}" for frame in ("0180ff000007023066", "2f90ff001990")], "lines")
    assert up.version == 7
    assert up.entries[-1].text == "status NETWORK_UP"
    assert up.wrong == []
    sent = "0a90013f00" + "020c0000" + "00" + "3412" + "09010207010100010000" + "22" + "0100" + "00"
    failed = read_lines([f"<== Frame: {frame}" for frame in ("018001000000"[:10] + "0e021080", sent)], "lines")
    assert failed.version == 14
    assert [(one.what, one.why) for one in failed.wrong] == [("failed", "messageSentHandler: ZIGBEE_DELIVERY_FAILED")]


def test_retransmissions_silences_and_errors_are_listed_with_their_lines() -> None:
    def line(second: str, text: str) -> str:
        return f"[2024-05-01 12:00:{second}] debug: zh:ezsp:uart: {text}"

    lines = [
        line("00.000", f"--> [{ash(0x00, '00000004')}]"),
        line("01.700", f"--> [{ash(0x08, '00000004')}]"),
        line("05.000", f"<-- [{ash(0x01, '0080000d024074')}]"),
        line("06.000", "<-- [c20203d20a7e]"),
    ]
    told = [(one.line, one.what) for one in read_lines(lines, "lines").wrong]
    assert told == [(2, "sent again"), (3, "silence"), (4, "ERROR")]


def test_a_log_without_a_version_exchange_is_read_by_what_fits_and_says_so() -> None:
    found = read_lines(["<== Frame: 0a8001530035"], "lines")
    assert not found.told
    assert found.entries[0].name == "setConfigurationValue"
    assert found.entries[0].text == "status ERROR_OUT_OF_MEMORY"


WORDS = (
    (
        'debug: zh:ember:ezsp: ===> [FRAME: ID=82:"GET_CONFIGURATION_VALUE" Seq=17 Len=6]',
        ("getConfigurationValue", "command", "sequence 17, octets 6"),
        (),
    ),
    ("debug: zh:ember:uart:ash: ---> [FRAME type=NAK frmRx=1](ackRx=1)", ("NAK", "", "frmRx 1, ackRx 1"), (("the link", "NAK: rejected"),)),
    (
        'debug: zh:ember:ezsp: ezspMessageSentHandler: status=ZIGBEE_DELIVERY_FAILED type=DIRECT apsFrame={"clusterId":0}',
        ("messageSentHandler", "callback", 'status ZIGBEE_DELIVERY_FAILED, type DIRECT, apsFrame {"clusterId":0}'),
        (("failed", "messageSentHandler: ZIGBEE_DELIVERY_FAILED"),),
    ),
    ("debug: zh:ember:ezsp: ezspStackStatusHandler: status=NETWORK_UP", ("stackStatusHandler", "callback", "status NETWORK_UP"), ()),
    (
        "debug: zh:ember: [EzspConfigId] SET 'PACKET_BUFFER_COUNT' TO '255' with status=ALLOCATION_FAILED.",
        ("outcome", "", "what SET 'PACKET_BUFFER_COUNT' TO '255', status ALLOCATION_FAILED"),
        (("full", "outcome: ALLOCATION_FAILED"),),
    ),
    ('debug: zh:zstack:znp: <-- SRSP: AF - dataRequestExt - {"status":26}', ("AF.dataRequestExt", "response", "status 26"), None),
    ('debug: zh:zstack:znp: <-- AREQ: APP_CNF - bdbComissioningNotifcation - {"status":13}', None, ()),
    (
        'debug: zh:zstack:znp: --> SREQ: ZDO - extUpdateNwkKey - {"key":{"type":"Buffer","data":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}}',
        ("ZDO.extUpdateNwkKey", "command", "key 16 octets, not shown"),
        (),
    ),
    (
        "DEBUG (MainThread) [zigpy_znp.api] Received command: SYS.OSALNVReadExt.Rsp(Status=<Status.SUCCESS: 0>, "
        "Value=b'\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08')",
        ("SYS.OSALNVReadExt.Rsp", "response", "Status SUCCESS, Value 16 octets, not shown"),
        (),
    ),
    (
        "DEBUG (MainThread) [zigpy_znp.api] Received command: ZDO.BindReq.Rsp(Status=<Status.MAC_NO_RESOURCES: 26>, Dst=(1, 2))",
        ("ZDO.BindReq.Rsp", "response", "Status MAC_NO_RESOURCES, Dst (1, 2)"),
        (("full", "ZDO.BindReq.Rsp: MAC_NO_RESOURCES"),),
    ),
)
"""Lines without octets, what is read of them (None: not looked at here), and what went wrong in them."""


@pytest.mark.parametrize(("line", "told", "wrong"), WORDS)
def test_words_without_octets_give_name_fields_and_failures_and_no_key(
    line: str, told: tuple[str, str, str] | None, wrong: tuple[tuple[str, str], ...] | None
) -> None:
    (one,) = said([line])
    assert one.form is OctetForm.WORDS
    found = read_lines([line], "lines")
    assert found.family == ""
    (entry,) = found.entries
    assert told is None or (entry.name, entry.kind, entry.text) == told
    assert [(one.what, one.why) for one in found.wrong] == list(wrong) if wrong is not None else found.wrong


@pytest.mark.parametrize("vector", VECTORS["ash"], ids=lambda vector: vector["on_wire_or_log"][:16])
def test_a_frame_of_a_public_log_is_read_stuffed_or_not(vector: dict[str, str]) -> None:
    form = "Sending: b'{}'" if vector["direction"] == "host to NCP" and vector["stuffed"] else "Data frame: b'{}'"
    found = read_lines([form.format(vector["on_wire_or_log"])], "vector")
    clear = vector["clear_ezsp"]
    if clear is not None and form.startswith("Sending") is (vector["direction"] == "host to NCP"):
        assert found.entries[0].octets.hex() == clear


def test_a_file_that_is_no_log_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "no.log"
    file.write_text("hello\n")
    with pytest.raises(LogError, match="expected a debug log of bellows, ZHA, Zigbee2MQTT or zigpy-znp"):
        read_log(file)


def test_the_command_prints_frames_and_json_and_its_exit_code_tells_of_trouble(tmp_path: Path) -> None:
    file = tmp_path / "z2m.log"
    file.write_text("<== Frame: 0180ff000007023066\n<== Frame: 2f90ff001990\n")
    plain = CliRunner().invoke(command, [str(file)])
    assert plain.exit_code == 0
    assert "stackStatusHandler callback status NETWORK_UP" in plain.output
    file.write_text("<== Frame: 0180ff000007023066\n<== Frame: 2f90ff003f0034120901020701010001000022016600\n")
    told = CliRunner().invoke(command, [str(file), "--json"])
    assert told.exit_code == 1
    assert json.loads(told.output)["version"] == 7
    assert json.loads(told.output)["wrong"] == [{"line": 2, "what": "failed", "why": "messageSentHandler: DELIVERY_FAILED"}]
