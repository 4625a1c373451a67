"""Mistakes of a user are answered in one line that says what to do, with exit code 2 and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]


def chub(folder: Path, *arguments: str) -> tuple[int, list[str], str]:
    done = subprocess.run(
        [*CHUB, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, "CHUB_RUNS": str(folder / "runs")},
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("chub:")]
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, said, done.stderr


def refused(folder: Path, *arguments: str) -> str:
    code, said, everything = chub(folder, *arguments)
    assert code == 2, everything
    assert len(said) == 1, everything
    return said[0]


def board(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text('name = "mine"\nextends = "simulated"\n' + text)
    return str(path)


def test_a_wrong_board_key_is_named_with_the_keys_there_are(tmp_path: Path) -> None:
    line = refused(tmp_path, "run", "demo", "--board", board(tmp_path, "[radio]\nbaud = 9600\n"))
    assert "radio.baud" in line
    assert "baudrate" in line


def test_a_board_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    assert "simulated" in refused(tmp_path, "run", "demo", "--board", "simulatde")


def test_a_missing_dongle_is_named_with_what_to_do(tmp_path: Path) -> None:
    line = refused(tmp_path, "run", "demo", "--set", "radio.path=/dev/serial/by-id/usb-none", "--set", "device=[]")
    assert "/dev/serial/by-id/usb-none" in line
    assert "plug" in line


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_named(tmp_path: Path, taken_port: int) -> None:
    line = refused(tmp_path, "ncp", "--tcp", f"127.0.0.1:{taken_port}")
    assert str(taken_port) in line


def test_a_pki_folder_that_is_not_there_is_named_with_how_to_make_one(tmp_path: Path) -> None:
    line = refused(tmp_path, "run", "demo", "--board", board(tmp_path, f'pki = "{tmp_path / "nowhere"}"\n'))
    assert str(tmp_path / "nowhere") in line
    assert "chub pki make" in line


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    folder.mkdir()
    (folder / "02d0000000000010-ds.key").write_text("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n")
    line = refused(tmp_path, "run", "demo", "--board", board(tmp_path, f'pki = "{folder}"\n'))
    assert "02d0000000000010-ds.key" in line


def test_a_wrong_crc_of_an_install_code_is_answered_with_the_right_one(tmp_path: Path) -> None:
    device = (
        '[[device]]\nname = "esme"\ntype = "ESME"\neui = "02-E5-3E-00-00-00-00-01"\ninstall_code = "0102030405060708090A0B0C0D0E0F10FFFF"\n'
    )
    line = refused(tmp_path, "run", "demo", "--board", board(tmp_path, device))
    assert "CRC 90FD" in line
    assert "0506070809" not in line


def test_an_unknown_noun_is_one_line_too(tmp_path: Path) -> None:
    code, _, everything = chub(tmp_path, "humb")
    assert code == 2
    assert "No such command 'humb'" in everything
