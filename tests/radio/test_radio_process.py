"""``chub ncp`` in a process of its own, driven by a plain script that knows bellows only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_emu.cli import main
from tests.patience import PATIENCE_S
from tests.radio.dongle_process import CHUB, SCRIPT, dongle, drive


@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize("options", [("--pty",), ("--tcp", "127.0.0.1:0"), ("--version", "18")])
def test_another_program_forms_restarts_resumes_permits_and_reads_counters(options: tuple[str, ...]) -> None:
    with dongle(*options, "--eui", "00-DB-12-34-56-78-90-A0") as process:
        assert process.stdout is not None
        path = process.stdout.readline().strip()
        assert path.startswith("socket://" if "--tcp" in options else "/dev/")
        seen = drive(path)
    assert seen["formed"] == seen["resumed"]
    assert (seen["channel"], seen["ieee"]) == (20, "00:db:12:34:56:78:90:a0")
    assert seen["version"] == (18 if "18" in options else 13)
    assert seen["counters"] == 41


def test_the_token_file_carries_the_network_to_another_process(tmp_path: Path) -> None:
    tokens = tmp_path / "dongle.json"
    with dongle("--tokens", str(tokens), "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["version"] == 13
        formed = drive(told["path"])["formed"]
    with dongle("--tokens", str(tokens)) as process:
        assert process.stdout is not None
        resumed = drive(process.stdout.readline().strip(), SCRIPT.replace("await app.form_network()", "await app.start_network()"))
    assert resumed["resumed"] == formed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--eui", "hello"), "is not an EUI-64"),
        (("--version", "15"), "expected one of 4, 5, 6, 7, 8"),
        (("--personality", "toaster"), "expected a .toml file, or one of cc2531-1.2"),
        (("--tcp", "8888"), "expected HOST:PORT"),
        (("--tcp", "127.0.0.1:x"), "expected HOST:PORT"),
        (("--tcp", "127.0.0.1:65535", "--count", "2"), "expected at most 65535"),
        (("--pty", "--tcp", "127.0.0.1:0"), "exclude each other"),
        (("--keys", "keys"), "give --capture FILE too"),
        (("--family", "znp", "--fault", "rstack=2,flow"), "fault rstack, flow of a dongle without ASH"),
        (("--family", "znp", "--version", "8"), "leave it out with --family znp"),
        (("--personality", "zbt-1-7.4", "--family", "ezsp"), "leave out --family"),
    ],
)
def test_wrong_options_are_one_line_and_exit_code_two(
    options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chub", "ncp", *options])
    with pytest.raises(SystemExit) as left:
        main()
    shown = capsys.readouterr()
    assert left.value.code == 2
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_a_port_in_use_is_one_line_and_exit_code_two() -> None:
    with dongle("--tcp", "127.0.0.1:0") as process:
        assert process.stdout is not None
        where = process.stdout.readline().strip().removeprefix("socket://")
        done = subprocess.run([*CHUB, "ncp", "--tcp", where], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert f"process {process.pid} has it" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.needs("tshark")
def test_a_capture_with_its_keys_opens_in_wireshark(tmp_path: Path) -> None:
    capture, keys = tmp_path / "han.pcapng", tmp_path / "zigbee_pc_keys"
    with dongle("--capture", str(capture), "--keys", str(keys)) as process:
        assert process.stdout is not None
        drive(process.stdout.readline().strip())
    assert keys.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["tshark", "-r", str(capture), "-Y", "zbee_aps.zdp_cluster == 0x0036", "-T", "fields", "-e", "zbee_aps.zdp_cluster"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        env={**os.environ, "WIRESHARK_CONFIG_DIR": str(tmp_path)},
    )
    assert shown.stdout.split()


def test_several_dongles_are_served_at_once() -> None:
    with dongle("--count", "3", "--json") as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [one["eui64"] for one in told] == ["00db1234567890a0", "00db1234567890a1", "00db1234567890a2"]
    assert len({one["path"] for one in told}) == 3
