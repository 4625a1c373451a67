"""A package of another maker brings a Device type and a dongle family: no file of the project names either."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.dongles import virtual_dongle

ENTRY_POINTS = """
[commshub.device]
THERMOSTAT = othermaker:Thermostat

[commshub.radio]
otherdongle = othermaker:FAMILY
"""

PACKAGE = '''
"""A thermostat that shows what gas was used, and a dongle that speaks EZSP under a name of its own."""

from __future__ import annotations

from typing import ClassVar

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.han.family import DongleFamily
from hil.devices.base.han_device import HanDevice
from hil.inventory.firmware_probe import Firmware, Judgement


class Thermostat(HanDevice):
    """A Type 2 Device that service requests call a CAD."""

    device_type: ClassVar[DeviceType] = DeviceType.TYPE_2
    duis_type: ClassVar[str] = "CAD"
    variants: ClassVar[tuple[str, ...]] = ("wall", "floor")
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(0x62, 0x0502, servers=(0x0000, 0x0800), clients=(0x0800, 0x000A, 0x0025, 0x0702)),
    )

    def display(self) -> dict[str, int | str]:
        return {"degrees": 19}


async def ask(link, baudrate):
    await link.write(b"?")
    return Firmware("Other firmware", "7", baudrate, family="otherdongle") if await link.read(1, 0.1) == b"!" else None


def judge(firmware, port):
    return Judgement(True, f"{firmware} serves")


FAMILY = DongleFamily(
    name="otherdongle",
    firmware="Other firmware",
    dongle="firmware_emu.han.ezsp_dongle:EzspDongle",
    virtual="hil.radio.ncp.server:NcpServer",
    ask="othermaker:ask",
    judge="othermaker:judge",
    rates=(9600,),
)
'''

BOARD = """
extends = "{simulated}"
name = "other-makers"
seed = 3

[radio]
kind = "otherdongle"
path = "virtual"

{devices}
[[device]]
name = "thermostat"
type = "THERMOSTAT"
variant = "wall"
eui = "02-7E-30-00-00-00-00-01"
install_code = "A1A2A3A4A5A6A7A8A9AAABACADAEAFB0"
"""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder like site-packages, with the package of the other maker in it as pip leaves it."""
    folder = tmp_path / "site-packages"
    (folder / "othermaker-1.0.dist-info").mkdir(parents=True)
    (folder / "othermaker.py").write_text(PACKAGE)
    (folder / "othermaker-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: othermaker\nVersion: 1.0\n")
    (folder / "othermaker-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The simulated home with a thermostat, and the other maker's dongle under the hub."""
    simulated = ROOT / "board_configs" / "simulated.toml"
    devices = simulated.read_text().partition("[[device]]")
    path = tmp_path / "other-makers.toml"
    path.write_text(BOARD.format(simulated=simulated, devices=devices[1] + devices[2]))
    return path


def _run(installed: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"},
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def _chub(installed: Path, *words: str, code: int = 0) -> str:
    return _run(installed, "-c", "from firmware_emu.cli import main; main()", *words, code=code)


def test_a_home_with_the_device_and_the_dongle_of_another_maker_passes_the_demo(installed: Path, board: Path) -> None:
    told = json.loads(_chub(installed, "run", "demo", "--board", str(board), "--json").splitlines()[0])
    steps = {step["name"]: step["verdict"] for step in told["steps"]}
    assert told["verdict"] == "pass"
    assert [steps[f"{what} thermostat"] for what in ("12.2 pre-notify", "8.11 add")] == ["pass", "pass"]
    assert steps["thermostat joins"] == "pass"


def test_the_console_has_a_noun_for_it_that_shows_its_display(installed: Path, board: Path) -> None:
    told = _chub(installed, "console", "--board", str(board), "-c", "thermostat status")
    assert "THERMOSTAT thermostat" in told
    assert "19" in told


def test_the_schema_of_boards_and_the_choice_of_dongles_offer_them(installed: Path) -> None:
    schema = json.loads(_chub(installed, "board", "schema"))
    assert "THERMOSTAT" in json.dumps(schema["$defs"]["DeviceTable"]["properties"]["type"])
    assert "otherdongle" in json.dumps(schema["$defs"]["RadioTable"]["properties"]["kind"])
    assert "otherdongle" in _chub(installed, "ncp", "--help")


def test_a_variant_that_the_device_does_not_declare_is_refused(installed: Path, board: Path) -> None:
    board.write_text(board.read_text().replace('variant = "wall"', 'variant = "ceiling"'))
    told = _chub(installed, "board", "show", str(board), code=2)
    assert "expected one of wall, floor" in told


def test_an_unknown_dongle_is_asked_for_the_other_makers_firmware_too(installed: Path) -> None:
    program = "from hil.inventory.firmware_probe import questions; print(questions()[9600][0].__module__)"
    assert _run(installed, "-c", program).strip() == "othermaker"


def test_a_board_that_names_what_is_not_installed_is_told_what_is(board: Path, tmp_path: Path) -> None:
    told = _chub(tmp_path, "board", "show", str(board), code=2)
    assert "expected one of ezsp, znp" in told


def test_a_virtual_dongle_of_a_family_that_there_is_not_names_those_there_are() -> None:
    with pytest.raises(NotAvailable, match="expected one of ezsp, znp"):
        virtual_dongle("typo", Air(None), Eui64(bytes(8)), 13, None)  # type: ignore[arg-type]
