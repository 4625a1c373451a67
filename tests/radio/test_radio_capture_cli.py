"""``chub capture``: a run's capture, passed on while it grows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import NotAvailable
from firmware_emu.han.capture import CaptureWriter
from hil.commands.capture import capture
from hil.radio.air.air import MacFrame
from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "capture"]
FRAME = MacFrame(1.0, 15, b"\x02\x00\x07", -50, 200)
KEYS = '"00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f","Normal","nwk"\n'


def test_frames_written_after_the_reader_came_reach_it_through_a_fifo(tmp_path: Path) -> None:
    file, fifo = tmp_path / "han.pcapng", tmp_path / "live"
    with CaptureWriter(file) as writer:
        writer(FRAME)
        first = file.stat().st_size
        with subprocess.Popen([*CHUB, str(tmp_path), "--to", str(fifo)]) as chub:
            while not fifo.exists():
                assert chub.poll() is None
            with fifo.open("rb") as live:
                assert live.read(first) == file.read_bytes()
                writer(FRAME)
                grown = file.read_bytes()
                assert live.read(len(grown) - first) == grown[first:]
            writer(FRAME)  # into a pipe without a reader: the end
            assert chub.wait(timeout=PATIENCE_S) == 0
    assert not fifo.exists()


def test_the_newest_run_and_its_keys_are_taken_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHUB_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("20260101-1", "20260102-1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "han.pcapng").write_bytes(b"\n\r\r\n" + name.encode())
    (tmp_path / "runs" / "20260102-1" / "zigbee_pc_keys").write_text(KEYS)
    done = CliRunner().invoke(capture, ["--no-follow", "--keys", "wireshark"], catch_exceptions=False)
    assert done.output_bytes == b"\n\r\r\n20260102-1"
    copied = tmp_path / "wireshark" / "zigbee_pc_keys"
    assert (copied.read_text(), copied.stat().st_mode & 0o777) == (KEYS, 0o600)
    with pytest.raises(NotAvailable, match="export them"):
        CliRunner().invoke(capture, ["runs/20260101-1", "--no-follow", "--keys", "w"], catch_exceptions=False)


def test_a_file_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no frames here")
    with pytest.raises(NotAvailable, match="no pcapng file"):
        CliRunner().invoke(capture, [str(tmp_path / "notes.txt")], catch_exceptions=False)


def test_without_a_run_it_is_told_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHUB_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAvailable, match="chub run demo"):
        CliRunner().invoke(capture, [], catch_exceptions=False)
