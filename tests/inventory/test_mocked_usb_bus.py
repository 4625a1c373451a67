"""``chub inventory`` on a USB bus: umockdev's, read by the real libusb."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from tests.inventory.mocked_bus import SETPRIV, Plugged, chub_inventory, chub_ncp, found

pytestmark = pytest.mark.needs("umockdev-run")

SONOFF_E = Plugged(
    "1a86:55d4",
    "ITEAD",
    "SONOFF Zigbee 3.0 USB Dongle Plus V2",
    "20220812153849",
    ("ttyACM0",),
    ("usb-ITEAD_SONOFF_Zigbee_3.0_USB_Dongle_Plus_V2_20220812153849-if00",),
    (0x02, 0x02),
)
SONOFF_P = Plugged(
    "10c4:ea60",
    "ITead",
    "Sonoff Zigbee 3.0 USB Dongle Plus",
    "b8b49abd27a6ed11",
    ("ttyUSB0",),
    ("usb-ITead_Sonoff_Zigbee_3.0_USB_Dongle_Plus_b8b49abd27a6ed11-if00-port0",),
)
SKYCONNECT = Plugged(
    "10c4:ea60",
    "Nabu Casa",
    "SkyConnect v1.0",
    "3abe54797c91ed11",
    ("ttyUSB1",),
    ("usb-Nabu_Casa_SkyConnect_v1.0_3abe54797c91ed11-if00-port0",),
)
ZBT_1 = Plugged("10c4:ea60", "Nabu Casa", "Home Assistant Connect ZBT-1", "9e2adbd75b8beb11", ("ttyUSB4",))
ZBT_2 = Plugged("303a:831a", "Nabu Casa", "ZBT-2", "10B41DE58D6C", ("ttyACM1",), ("usb-Nabu_Casa_ZBT-2_10B41DE58D6C-if00",), (0x02, 0x02))
CONBEE_2 = Plugged("1cf1:0030", "dresden elektronik ingenieurtechnik GmbH", "ConBee II", "DE2132111", ("ttyACM2",), (), (0x02, 0x02))
SMLIGHT = Plugged("10c4:ea60", "SMLIGHT", "SMLIGHT SLZB-07", "be9faa0786e1ea11", ("ttyUSB2",))
FTDI = Plugged("0403:6001", "FTDI", "FT232R USB UART", "A50285BI", ("ttyUSB3",), ("usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0",))
TWO_PORTS = Plugged("0403:6010", "FTDI", "Dual RS232-HS", "", ("ttyUSB5", "ttyUSB6"))
RIGOL = Plugged("1ab1:0e11", "Rigol Technologies.", "DP800 Serials", "DP8C1234", ("usbtmc0",), (), (0xFE, 0x03))
SOME_METER = Plugged("0957:1745", "Agilent", "Test and Measurement Device", "MY1", (), (), (0xFE, 0x03))
BARE_BRIDGE = Plugged("10c4:ea60", "Silicon Labs", "CP2102 USB to UART Bridge Controller", "0001", ("ttyUSB7",))
UNKNOWN_SERIAL = Plugged("2341:0043", "Arduino", "Uno", "1", ("ttyACM3",), (), (0x02, 0x02))
KEYBOARD = Plugged("046d:c31c", "Logitech", "USB Keyboard", "", (), (), (0x03, 0x01))
EVERYTHING = (
    SONOFF_E,
    SONOFF_P,
    SKYCONNECT,
    ZBT_1,
    ZBT_2,
    CONBEE_2,
    SMLIGHT,
    FTDI,
    TWO_PORTS,
    RIGOL,
    SOME_METER,
    BARE_BRIDGE,
    UNKNOWN_SERIAL,
    KEYBOARD,
)


def test_each_device_of_a_full_bus_is_called_what_it_is(tmp_path: Path) -> None:
    told = found(tmp_path, EVERYTHING)
    assert told["remarks"] == []
    assert [(one["kind"], one["what"], one["usb"], one["serial"]) for one in told["found"]] == [
        ("dongle", "Sonoff ZBDongle-E (CH9102)", "1a86:55d4", "20220812153849"),
        ("dongle", "Sonoff ZBDongle-P (CC2652P)", "10c4:ea60", "b8b49abd27a6ed11"),
        ("dongle", "Home Assistant SkyConnect", "10c4:ea60", "3abe54797c91ed11"),
        ("dongle", "Home Assistant Connect ZBT-1", "10c4:ea60", "9e2adbd75b8beb11"),
        ("dongle", "Home Assistant Connect ZBT-2", "303a:831a", "10B41DE58D6C"),
        ("dongle", "ConBee II", "1cf1:0030", "DE2132111"),
        ("dongle", "SMLIGHT SLZB-07", "10c4:ea60", "be9faa0786e1ea11"),
        ("jig", "FTDI FT232R cable", "0403:6001", "A50285BI"),
        ("jig", "FTDI FT2232 cable, two ports", "0403:6010", ""),
        ("jig", "FTDI FT2232 cable, two ports", "0403:6010", ""),
        ("supply", "Rigol DP800 supply", "1ab1:0e11", "DP8C1234"),
        ("supply", "USB Test and Measurement instrument; ask it with *IDN?", "0957:1745", "MY1"),
        ("serial", "Silicon Labs CP210x serial bridge", "10c4:ea60", "0001"),
        ("serial", "serial port", "2341:0043", "1"),
    ]


def test_the_bus_is_read_through_libusb_on_a_machine_whose_system_has_none(tmp_path: Path) -> None:
    hidden = "import ctypes.util as u; was = u.find_library; u.find_library = lambda name: None if 'usb' in name else was(name); "
    told = found(tmp_path, EVERYTHING, before=hidden)
    assert told["remarks"] == []
    assert len(told["found"]) == 14


def test_sysfs_alone_tells_the_same_where_libusb_is_missing(tmp_path: Path) -> None:
    told = found(tmp_path, EVERYTHING, before="import usb.libloader as l; l.locate_library = lambda *a: None; ")
    assert told["found"] == found(tmp_path, EVERYTHING)["found"]
    assert "apt-get install libusb-1.0-0" in told["remarks"][0]


def test_a_port_is_named_by_id_where_udev_made_such_a_name(tmp_path: Path) -> None:
    ports = {one["serial"]: one["port"] for one in found(tmp_path, (SONOFF_E, SMLIGHT, RIGOL, SOME_METER))["found"]}
    assert ports == {
        "20220812153849": "/dev/serial/by-id/usb-ITEAD_SONOFF_Zigbee_3.0_USB_Dongle_Plus_V2_20220812153849-if00",
        "be9faa0786e1ea11": "/dev/ttyUSB2",
        "DP8C1234": "/dev/usbtmc0",
        "MY1": "",
    }


@pytest.mark.parametrize(
    ("dongle", "serves", "why"),
    [
        (SONOFF_E, "not known", "--probe asks it"),
        (SONOFF_P, "not known", "sold with Z-Stack ZNP firmware: --probe asks it"),
        (CONBEE_2, "no", "sold with deCONZ firmware: this bench speaks EZSP and ZNP"),
    ],
)
def test_a_dongle_is_told_whether_its_firmware_will_serve(tmp_path: Path, dongle: Plugged, serves: str, why: str) -> None:
    (one,) = found(tmp_path, (dongle,))["found"]
    assert one["serves"] == serves
    assert why in one["firmware"]


def test_every_row_tells_its_source(tmp_path: Path) -> None:
    for one in found(tmp_path, EVERYTHING)["found"]:
        if one["what"] != "serial port":
            assert one["source"]
            assert one["confidence"] in ("quoted", "recalled")


def test_what_no_source_states_is_marked_in_the_table(tmp_path: Path) -> None:
    korad = Plugged("0416:5011", "Nuvoton", "USB Virtual COM", "NT2009101400", ("ttyACM0",), (), (0x02, 0x02))
    assert "(by recollection)" in chub_inventory(tmp_path, (korad,)).stdout.replace("\n", " ")
    assert "(by recollection)" not in chub_inventory(tmp_path, (RIGOL,)).stdout


def test_an_empty_bus_is_one_line_that_says_what_to_plug_in(tmp_path: Path) -> None:
    done = chub_inventory(tmp_path, ())
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("nothing found: plug in")
    assert len(done.stdout.splitlines()) == 1
    assert found(tmp_path, ()) == {"found": [], "instruments": [], "board": "", "remarks": []}


def test_without_a_dongle_there_is_no_board_to_write(tmp_path: Path) -> None:
    done = chub_inventory(tmp_path, (FTDI, CONBEE_2), "--board-file", "mine")
    assert done.returncode == 2
    assert "plug in one with EmberZNet NCP firmware" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "mine.toml").exists()


def test_the_board_file_of_a_dongle_is_simulated_with_its_radio_and_no_device_that_cannot_hear_it(tmp_path: Path) -> None:
    done = chub_inventory(tmp_path, (SONOFF_P, FTDI, ZBT_2), "--board-file", "mine")
    assert done.returncode == 0, done.stderr
    assert "chub run demo --board mine.toml" in done.stdout
    board, simulated = load_board(str(tmp_path / "mine.toml")), load_board("simulated")
    assert board.name == "mine"
    assert board.radio.path == "/dev/serial/by-id/usb-Nabu_Casa_ZBT-2_10B41DE58D6C-if00"
    assert (board.radio.baudrate, board.radio.flow_control) == (460800, "hardware")
    assert "Home Assistant Connect ZBT-2" in board.description
    same = {"name": simulated.name, "description": simulated.description, "extends": None, "radio": simulated.radio}
    same |= {"device": simulated.device}
    assert board.device == ()
    assert board.model_copy(update=same) == simulated
    again = chub_inventory(tmp_path, (ZBT_2,), "--board-file", "mine.toml")
    assert again.returncode == 2
    assert "remove it or choose another" in again.stderr


def test_the_printed_board_is_the_one_that_would_be_written(tmp_path: Path) -> None:
    printed = chub_inventory(tmp_path, (SKYCONNECT,)).stdout
    (tmp_path / "printed.toml").write_text(printed[printed.index("# Found by chub inventory") :])
    assert load_board(str(tmp_path / "printed.toml")).radio.flow_control == "hardware"
    assert found(tmp_path, (SKYCONNECT,))["board"] in printed


def test_the_dongle_for_the_board_can_be_chosen(tmp_path: Path) -> None:
    assert 'path = "/dev/ttyUSB2"' in found(tmp_path, (SONOFF_E, SMLIGHT), "--dongle", "/dev/ttyUSB2")["board"]
    done = chub_inventory(tmp_path, (SONOFF_E,), "--dongle", "/dev/ttyUSB9")
    assert done.returncode == 2
    assert "name a serial device that is there, or a URL" in done.stderr


def test_a_port_that_a_program_holds_names_the_program(tmp_path: Path) -> None:
    with chub_ncp() as (path, process):
        (one,) = found(tmp_path, (SONOFF_E,), "--probe", shell=f"ln -sf {path} $UMOCKDEV_DIR/dev/ttyACM0")["found"]
    assert one["state"] == "in use"
    assert f"(process {process.pid})" in one["advice"]
    assert one["serves"] == "not known", "a dongle in use is not asked"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="setpriv is not here: apt-get install util-linux")
def test_a_port_without_permission_tells_which_group_to_join(tmp_path: Path) -> None:
    launcher = SETPRIV if os.geteuid() == 0 else ()
    shell = "tty=$UMOCKDEV_DIR/dev/ttyACM0; rm $tty; touch $tty; chmod 0 $tty"
    (one,) = found(tmp_path, (SONOFF_E,), "--probe", shell=shell, launcher=launcher)["found"]
    assert one["state"] == "no permission"
    assert "sudo usermod -aG" in one["advice"]


@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize(
    ("version", "serves", "why"),
    [
        (13, "yes", "EmberZNet NCP 7.4.4.0, EZSP 13 at 115200 baud"),
        (19, "yes", "long messages of Devices are lost from EZSP 14 on"),
        (8, "no", "speaks EZSP 8, expected 12 or newer: flash EmberZNet NCP 7.4 (EZSP 13)"),
    ],
)
def test_a_dongle_that_is_asked_tells_its_firmware(tmp_path: Path, version: int, serves: str, why: str) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0", "--version", str(version)) as (line, _):
        (one,) = found(tmp_path, (SONOFF_E,), "--probe", line=line)["found"]
    assert one["serves"] == serves
    assert why in one["firmware"]


def test_a_znp_dongle_that_is_asked_serves_and_gets_a_board_of_its_kind(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0", "--family", "znp") as (line, _):
        told = found(tmp_path, (SONOFF_P,), "--probe", line=line)
    assert (told["found"][0]["serves"], told["found"][0]["firmware"]) == ("yes", "Z-Stack ZNP 2.7.1 at 115200 baud")
    (tmp_path / "znp.toml").write_text(told["board"])
    assert load_board(str(tmp_path / "znp.toml")).radio.kind == "znp"


def test_a_dongle_of_an_unknown_name_is_asked_when_it_is_chosen(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0") as (line, _):
        told = found(tmp_path, (BARE_BRIDGE,), "--probe", line=line)
        assert told["board"] == "", "a serial bridge may be anything: it is not asked by itself"
        told = found(tmp_path, (BARE_BRIDGE,), "--probe", "--dongle", "/dev/ttyUSB7", line=line)
    assert told["found"][0]["serves"] == "yes"
    assert 'path = "/dev/ttyUSB7"' in told["board"]
