"""A whole home over other dongles than the usual one: a hub on a ZNP, meters behind dongles of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError
from hil.radio.air.air import Air
from hil.radio.dongles import device_radio
from hil.radio.nodes.joiner import EzspNode
from tests.patience import PATIENCE_S

CHUB = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
SECOND_DONGLES = """
name = "second_dongles"
extends = "simulated"
"""


def board(folder: Path) -> Path:
    """``simulated`` with the electricity meter behind a dongle as router, the gas meter behind one as sleepy end device."""
    text = SECOND_DONGLES
    for row in load_board().device:
        code = row.install_code.octets.hex()
        text += f'[[device]]\nname = "{row.name}"\ntype = "{row.type}"\neui = "{row.eui}"\ninstall_code = "{code}"\n'
        text += f'mpxn = "{row.mpxn}"\nnode = "virtual-dongle"\n' if row.mpxn else ""
    path = folder / "second_dongles.toml"
    path.write_text(text, encoding="utf-8")
    return path


def demo(folder: Path, *options: str) -> dict[str, object]:
    run = subprocess.run(
        [*CHUB, "run", "demo", "--json", *options], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    told: dict[str, object] = json.loads(run.stdout)
    return told


@pytest.mark.parametrize("over", ["znp", "second dongles"])
def test_the_journey_of_the_demo_passes(tmp_path: Path, over: str) -> None:
    told = demo(tmp_path, *(("--set", "radio.kind=znp") if over == "znp" else ("--board", str(board(tmp_path)))))
    assert told["verdict"] == "pass"


async def test_a_dongle_that_is_not_the_device_of_its_row_is_told_with_what_to_write(clock: Clock, tmp_path: Path) -> None:
    air = Air(clock)
    esme, gsme = (row for row in load_board(str(board(tmp_path))).device if row.mpxn)

    own = await device_radio(esme, air, clock, tmp_path)
    assert isinstance(own.node, EzspNode)
    await own.check()
    await own.node.stop()
    other = await device_radio(gsme.model_copy(update={"node": own.node.path}), air, clock, tmp_path)
    with pytest.raises(BoardError, match=f'eui = "{esme.eui}"'):
        await other.check()
    await own.close()
