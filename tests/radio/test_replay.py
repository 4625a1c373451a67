"""Talk between hub and dongle is recorded without keys, and plays as a dongle that cannot be told from the recorded one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, RadioError
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from hil.bench.station import Station, open_station
from hil.commands.run import run
from hil.journeys.demo import HomeJourney
from hil.journeys.steps import Steps
from hil.journeys.strategy import State
from hil.radio.air.air import Air
from hil.radio.ncp.ash import FLAG, frame, randomise
from hil.radio.ncp.ezsp import decode_frame, encode_frame, schemas
from hil.radio.ncp.server import NcpServer
from hil.radio.recording import PlayedDongle, Recorder, Recording, RecordingError, blank_keys, conversation, load_recording
from hil.radio.serial_relay import SerialRelay

KEY = bytes(range(16))


def on_a_station(
    board: Board,
    folder: Path,
    work: Callable[[Station, HomeJourney], Coroutine[object, object, None]],
    record: Path | None = None,
) -> list[Record]:
    clock = Clock(start=board.clock.start, warp=True)
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)

    async def main() -> None:
        async with open_station(board, clock, trace, folder, record=record) as station:
            await work(station, HomeJourney(station, Steps(records, lambda _: None, lambda _: None), records))

    folder.mkdir()
    clock.run(main())
    return records


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], list[Record]]:
    """A recording of a home that is formed and joined; its keys; its trace."""
    folder, keys = tmp_path_factory.mktemp("recorded"), dict[str, bytes]()

    async def work(station: Station, journey: HomeJourney) -> None:
        await journey.reach(State.JOINED)
        keys.update(station.han_keys())

    records = on_a_station(load_board("simulated"), folder / "home", work, folder / "field.jsonl")
    return folder / "field.jsonl", keys, records


def played_board(file: Path) -> Board:
    return load_board("simulated", (f"radio.path=replay:{file}", "clock.mode=warp"))


def formed(records: list[Record]) -> dict[str, object]:
    return dict(next(record for record in records if record.source == "radio" and record.event == "formed").detail)


def test_a_hub_forms_the_recorded_network_on_the_played_dongle(
    recorded: tuple[Path, dict[str, bytes], list[Record]],
    tmp_path: Path,
) -> None:
    file, _, before = recorded

    async def work(station: Station, journey: HomeJourney) -> None:
        await journey.reach(State.FORMED)
        assert isinstance(station.ncp, PlayedDongle)
        assert station.ncp.ncp.unanswered == []
        assert station.hub is not None
        network = station.hub.status.network
        assert network is not None
        assert network.network_key == bytes(16)  # blanked in the recording

    assert formed(on_a_station(played_board(file), tmp_path / "home", work)) == formed(before)


def test_a_dongle_that_refused_in_the_field_refuses_in_a_test(
    recorded: tuple[Path, dict[str, bytes], list[Record]],
    tmp_path: Path,
) -> None:
    whole = load_recording(recorded[0])
    identifier = schemas(whole.ezsp)["formNetwork"].frame_id
    spoken = list(whole.spoken)
    at = next(
        at
        for at, one in enumerate(spoken)
        if one.sender == "dongle" and one.frame and one.frame[2] and decode_frame(one.frame, whole.ezsp).frame_id == identifier
    )
    spoken[at] = replace(spoken[at], frame=spoken[at].frame[:-1] + b"\x70")  # EMBER_INVALID_CALL
    head = json.dumps({"format": "chub-recording", "version": 1, "kind": "serial", "ezsp": whole.ezsp, "secrets": False})
    changed = tmp_path / "refused.jsonl"
    changed.write_text("\n".join([head, *(one.as_json() for one in spoken)]) + "\n")

    async def work(station: Station, journey: HomeJourney) -> None:
        await station.host.power_up()
        with pytest.raises(RadioError, match="did not form a network"):
            await station.until("the network", lambda: False, 60)

    records = on_a_station(played_board(changed), tmp_path / "home", work)
    assert not [record for record in records if record.event == "formed"]
    assert any("did not form a network" in str(record.detail.get("reason")) for record in records)


def test_no_key_of_the_home_is_in_a_recording(recorded: tuple[Path, dict[str, bytes], list[Record]]) -> None:
    file, keys, _ = recorded
    text = file.read_text()
    assert {label.split()[0] for label in keys} == {"network", "link", "install"}
    for key in keys.values():
        assert key.hex() not in text
    assert "importTransientKey" in " ".join(conversation(load_recording(file)))


def test_keys_are_kept_where_secrets_are_asked_for_and_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    clock = Clock(warp=True)
    octets = encode_frame(3, schemas(13)["setInitialSecurityState"].frame_id, b"\x04\x03" + KEY + KEY + b"\x00" + bytes(8), 13, control=0)
    for secrets in (False, True):
        recorder = Recorder(tmp_path / f"{secrets}.jsonl", clock, 13, secrets=secrets)
        recorder.heard("host", frame(0x00, randomise(octets)))
        recorder.close()
    assert KEY.hex() not in (tmp_path / "False.jsonl").read_text()
    assert (tmp_path / "True.jsonl").read_text().count(KEY.hex()) == 2
    assert (tmp_path / "True.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_answer_that_carries_a_key_and_a_frame_of_no_known_layout_are_blanked() -> None:
    answer = encode_frame(1, schemas(13)["exportKey"].frame_id, KEY + bytes(4), 13)
    assert blank_keys(answer, 13, answer=True) == answer[:5] + bytes(20)
    strange = encode_frame(1, 0x3FFF, KEY, 13)
    assert blank_keys(strange, 13, answer=True) == strange[:5] + bytes(16)
    cut = encode_frame(1, schemas(13)["exportKey"].frame_id, KEY[:9], 13)
    assert KEY[:9] not in blank_keys(cut, 13, answer=True)
    assert blank_keys(b"\x01\x00", 13, answer=True) == b""


def test_repeats_and_damaged_frames_are_not_recorded_and_resets_are(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r.jsonl", Clock(warp=True), 13)
    data = frame(0x00, randomise(b"\x00\x00\x01\x05\x00"))
    damaged = bytes([data[0], data[1] ^ 1]) + data[2:]
    for octets in (b"\x1a" + frame(0xC0), data[:3], data[3:], data, damaged, frame(0x81), bytes([FLAG])):
        recorder.heard("host", octets)
    recorder.heard("dongle", frame(0xC1, b"\x02\x0b") + frame(0xC2, b"\x02\x51"))
    recorder.close()
    told = [(one.sender, one.other, one.code) for one in load_recording(tmp_path / "r.jsonl").spoken]
    assert told == [("host", "rst", 0), ("host", "", 0), ("dongle", "rstack", 0x0B), ("dongle", "error", 0x51)]


HEAD = '{"format": "chub-recording", "version": 1, "kind": "serial", "ezsp": 13, "secrets": false}\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: expected a line of a recording"),
        ('{"format": "something"}', "line 1: expected the head of a chub-recording, version 1"),
        ('{"format": "chub-recording", "version": 2, "ezsp": 13}', "line 1: expected the head"),
        (HEAD + '{"t": 1}', "line 2: expected a line of a recording"),
        (HEAD + '{"t": 1, "from": "x", "frame": ""}', "line 2"),
        (HEAD + '{"t": 1, "from": "host", "frame": "0"}', "line 2"),
    ],
)
def test_a_file_that_is_no_recording_is_told_by_its_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(RecordingError, match=why):
        load_recording(tmp_path / "x.jsonl")


async def test_a_command_that_the_recording_does_not_hold_is_named(clock: Clock) -> None:
    said: list[bytes] = []
    dongle = PlayedDongle(Recording(13, False, ()), clock)
    dongle.ncp._say = said.append
    dongle.ncp.receive(bytes.fromhex("00000100000d"))
    assert dongle.ncp.unanswered == ["version"]


async def test_a_relay_passes_the_octets_of_a_real_port_and_hears_them(clock: Clock) -> None:
    heard: list[str] = []
    dongle = NcpServer(Air(clock), Eui64.parse("02c4b00000000002"), clock=clock)
    relay = SerialRelay(str(await dongle.serve_pty()), 115200, clock, lambda sender, octets: heard.append(sender))
    host = relay.path.open("r+b", buffering=0)
    host.write(b"\x1a" + frame(0xC0))
    answered = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(host, lambda: answered.done() or answered.set_result(host.read(100)))
    assert await asyncio.wait_for(answered, 5) == b"\x1a" + frame(0xC1, b"\x02\x0b")
    asyncio.get_running_loop().remove_reader(host)
    host.close()
    relay.close()
    await dongle.close()
    with pytest.raises(NotAvailable, match="the port /dev/no-such-port is not available"):
        SerialRelay("/dev/no-such-port", 115200, clock, lambda sender, octets: None)
    assert heard == ["host", "dongle"]


def test_a_recording_that_is_not_there_ends_the_run_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path))
    result = CliRunner().invoke(run, ["demo", "--set", "radio.path=replay:nowhere.jsonl"])
    assert isinstance(result.exception, RecordingError)
    assert str(result.exception).startswith("nowhere.jsonl: cannot be read")
    result = CliRunner().invoke(run, ["demo", "--record", str(tmp_path / "no" / "folder.jsonl")])
    assert isinstance(result.exception, NotAvailable)
