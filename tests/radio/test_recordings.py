"""Recordings of a ZNP's line, and of the messages at the APS level beside those of any dongle's line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from firmware_emu.han.base import ApsFrame
from hil.radio.air.air import Air
from hil.radio.aps_recording import ApsRecorder, beside, load_messages
from hil.radio.log.mt_words import words
from hil.radio.log.reading import read_log
from hil.radio.recording import PlayedZnpDongle, Recorder, load_recording, played
from hil.radio.znp.mt import MtFrame, MtKind, Parser
from hil.radio.znp.secrets import blank
from hil.radio.znp.server import ZnpServer
from hil.radio.znp.structures import NIB
from tests.radio.radio_bench import HUB, METER


async def test_a_znp_is_recorded_without_its_key_and_plays_as_a_dongle_that_answers_all(clock: Clock, tmp_path: Path) -> None:
    application = pytest.importorskip("zigpy_znp.zigbee.application", reason="needs zigpy-znp (pip install zigpy-znp)")

    def settings(path: object) -> dict[str, object]:
        device = {"path": str(path), "baudrate": 115200, "flow_control": None}
        return {"database_path": None, "device": device, "backup_enabled": False, "startup_energy_scan": False, "network": {"channel": 15}}

    file = tmp_path / "znp.jsonl"
    dongle = ZnpServer(Air(clock, 1), HUB, clock=clock)
    recorder = Recorder(file, clock, 0, family="znp")
    dongle.tap = recorder.heard
    host = application.ControllerApplication(settings(await dongle.serve_pty()))
    await host.connect()
    await host.form_network()
    await host.start_network()
    key = bytes(host.state.network_info.network_key.key).hex()
    await host.disconnect()
    await dongle.close()
    recorder.close()
    assert load_recording(file).family == "znp"
    assert key not in file.read_text()
    assert not [one for one in read_log(file).wrong if one.what in ("not understood", "damaged")]
    again = played(f"replay:{file}", clock)
    assert isinstance(again, PlayedZnpDongle)
    second = application.ControllerApplication(settings(await again.serve_pty()))
    await second.connect()
    await second.disconnect()
    await again.close()
    assert again.ncp.unanswered == []


def test_a_key_in_an_mt_frame_is_zeros_and_its_check_is_made_anew() -> None:
    key = bytes(range(1, 17))
    link_key = MtFrame(MtKind.SREQ, 5, 0x23, b"\x00\x00" + bytes(8) + key).encode()
    memory = MtFrame(MtKind.SRSP, 1, 0x08, b"\x00\x10" + key).encode()
    unknown = MtFrame(MtKind.SREQ, 9, 0x77, key).encode()
    for octets in (link_key, memory, unknown):
        assert key not in blank(octets)
        assert len(blank(octets)) == len(octets)
    harmless = MtFrame(MtKind.SRSP, 1, 0x02, bytes(range(9))).encode()
    assert blank(harmless) == harmless


def test_of_the_nib_the_places_of_its_keys_alone_are_zeros() -> None:
    nib = bytearray(range(1, 1 + NIB.sizeof()))
    memory = MtFrame(MtKind.SRSP, 1, 0x1C, b"\x00" + bytes([len(nib)]) + bytes(nib)).encode()
    told = NIB.parse(next(iter(Parser().feed(blank(memory)))).data[2:])
    before = NIB.parse(bytes(nib))
    assert told.spare_keys == bytes(34)
    assert {name for name in before if name != "_io" and before[name] != told[name]} == {"spare_keys"}


def test_a_long_message_whose_data_follow_in_frames_of_their_own_is_read() -> None:
    sent = MtFrame(MtKind.SREQ, 4, 0x02, bytes.fromhex("02d9d000000000000021000003040725501e") + b"\xee\x00")
    whole = MtFrame(MtKind.SREQ, 4, 0x02, bytes.fromhex("02d9d000000000000021000003040725501e") + b"\x02\x00\xaa\xbb")
    came = MtFrame(MtKind.AREQ, 4, 0x82, bytes(4) + bytes.fromhex("02d9d0000000000000") + bytes(12) + b"\xee\x00" + bytes(3))
    assert dict(words(sent, from_host=True).fields)["Data"] == "238 octets, in frames of their own"
    assert dict(words(whole, from_host=True).fields)["Data"] == "aabb"
    assert dict(words(came, from_host=False).fields)["Data"] == "238 octets, in frames of their own"


def test_messages_are_written_beside_the_line_and_read_as_a_log(clock: Clock, tmp_path: Path) -> None:
    file = beside(tmp_path / "field.jsonl")
    assert file.name == "field.aps.jsonl"
    recorder = ApsRecorder(file, clock)
    recorder.heard(HUB, METER, ApsFrame(0x0702, bytes.fromhex("0001000000"), 1, 1))
    recorder.heard(METER, None, ApsFrame(0x0702, b"\xff", 1, 0xFF, secured=False))
    recorder.close()
    first, second = load_messages(file)
    assert (first.sender, first.destination, first.frame.payload.hex(), first.frame.secured) == (str(HUB), str(METER), "0001000000", True)
    assert second.destination is None
    told = read_log(file)
    assert [one.layer for one in told.entries] == ["aps", "aps"]
    assert "Read Attributes" in told.entries[0].text or "read" in told.entries[0].text.lower()
    assert "everybody" in told.entries[1].text


@pytest.mark.parametrize(
    "head", ['{"format": "chub-recording", "version": 1, "kind": "aps"}\n{}', '{"format": "chub-recording", "version": 9, "kind": "aps"}']
)
def test_a_file_that_is_no_such_recording_is_refused_with_its_line(head: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.aps.jsonl"
    file.write_text(head)
    with pytest.raises(CommsHubError, match="line"):
        load_messages(file)


def test_a_recording_of_messages_does_not_play_as_a_dongle_and_says_so(clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "field.aps.jsonl"
    file.write_text(json.dumps({"format": "chub-recording", "version": 1, "kind": "aps"}) + "\n")
    with pytest.raises(CommsHubError, match="expected the head"):
        played(f"replay:{file}", clock)
