"""A home whose radios are virtual dongles of two other processes on one air: the hub's in one, its Devices' in the other."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
DEVICES = (
    ("esme", "ESME", "0102030405060708090A0B0C0D0E0F10", 'mpxn = "1200012345678"'),
    ("gsme", "GSME", "1112131415161718191A1B1C1D1E1F20", 'mpxn = "7400012345"'),
    ("ppmid", "PPMID", "2122232425262728292A2B2C2D2E2F30", ""),
    ("ihd", "IHD", "3132333435363738393A3B3C3D3E3F40", ""),
)
NAMES = tuple(device[0] for device in DEVICES)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """``board``: file of the home's board. ``hub`` and ``devices``: the processes of the dongles."""

    board: Path
    hub: subprocess.Popen[str]
    devices: subprocess.Popen[str]


@contextlib.contextmanager
def _dongles(*options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*CHUB, "ncp", "--json", *options], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


@contextlib.contextmanager
def elsewhere(folder: Path, family: str, speed: float = 1.0, *, sleepy: bool = False, only: Collection[str] = NAMES) -> Iterator[Elsewhere]:
    """The dongles, and in ``folder`` the board that has its radios on them; ``speed`` is that of both processes and of the board.

    ``sleepy``: every Device's radio sleeps, the gas meter's alone without it. ``only``: the Devices that there are.
    """
    with _dongles("--family", family, "--air", "127.0.0.1:0", "--speed", str(speed)) as hub:
        radio, air = _told(hub), str(_told(hub)["air"]).removeprefix("socket:")
        first = "00db1234567890a1"
        there = [device for device in DEVICES if device[0] in only]
        with _dongles("--count", str(len(there)), "--eui", first, "--on", air, "--speed", str(speed)) as devices:
            rows = [
                f'[[device]]\nname = "{name}"\ntype = "{kind}"\neui = "{at["eui64"]}"\n'
                f'install_code = "{code}"\nnode = "{at["path"]}"\nsleepy = {str(sleepy).lower()}\n{more}\n'
                for (name, kind, code, more), at in ((device, _told(devices)) for device in there)
            ]
            board = folder / "elsewhere.toml"
            board.write_text(
                f'name = "elsewhere"\nextends = "simulated"\n[clock]\nmode = "wall"\nspeed = {speed}\n'
                f'[hub]\ngpf = "{radio["eui64"]}"\n[radio]\nkind = "{family}"\npath = "{radio["path"]}"\n' + "".join(rows),
                encoding="utf-8",
            )
            yield Elsewhere(board, hub, devices)
