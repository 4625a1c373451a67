from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from pcapng import FileScanner
from pcapng.blocks import EnhancedPacket, InterfaceDescription

from firmware_emu.han.capture import LINKTYPE_TAP, CaptureWriter, KeyFile

BEACON_REQUEST = bytes.fromhex("030801ffffffff07")


@dataclass(frozen=True)
class Frame:
    time: float
    channel: int
    octets: bytes
    rssi: int
    lqi: int


def write(path: Path) -> None:
    with CaptureWriter(path) as capture:
        capture(Frame(820540800.25, 15, BEACON_REQUEST, -45, 255))
        capture(Frame(820540801.0, 26, BEACON_REQUEST, -90, 3))


def test_an_independent_reader_finds_time_channel_signal_and_octets(tmp_path: Path) -> None:
    write(tmp_path / "han.pcapng")
    with (tmp_path / "han.pcapng").open("rb") as file:
        blocks = list(FileScanner(file))
    interface = next(block for block in blocks if isinstance(block, InterfaceDescription))
    packets = [block for block in blocks if isinstance(block, EnhancedPacket)]
    assert interface.link_type == LINKTYPE_TAP
    assert [packet.timestamp for packet in packets] == pytest.approx([946684800 + 820540800.25, 946684800 + 820540801.0])
    tap, octets = packets[1].packet_data[:36], packets[1].packet_data[36:]
    assert octets == BEACON_REQUEST
    assert int.from_bytes(tap[2:4], "little") == 36
    assert tap[12:16] == bytes.fromhex("01000400")
    assert tap[24:27] == bytes.fromhex("1a0000")
    assert tap[32] == 3


@pytest.mark.needs("tshark")
def test_tshark_reads_channel_and_signal(tmp_path: Path) -> None:
    write(tmp_path / "han.pcapng")
    fields = ["-e", "wpan-tap.ch_num", "-e", "wpan-tap.rss", "-e", "wpan-tap.lqi", "-e", "wpan.cmd"]
    told = subprocess.run(
        ["tshark", "-r", tmp_path / "han.pcapng", "-T", "fields", *fields],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "WIRESHARK_CONFIG_DIR": str(tmp_path)},
    ).stdout
    assert told.splitlines()[0].split("\t")[:3] == ["15", "-45", "255"]


def test_the_key_file_is_for_its_owner_alone_and_names_each_key_once(tmp_path: Path) -> None:
    (tmp_path / "zigbee_pc_keys").write_text("old")
    (tmp_path / "zigbee_pc_keys").chmod(0o644)
    keys = KeyFile(tmp_path)
    keys.add(bytes(range(16)), "nwk")
    keys.add(bytes(range(16)), "again")
    assert keys.path.read_text() == '"00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f","Normal","nwk"\n'
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="16 octets"):
        keys.add(b"short", "x")
