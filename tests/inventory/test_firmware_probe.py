"""A dongle's kind by its answers. The far ends say what real ones say, recorded or made with the makers' own encoders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.board import load_board
from hil.inventory.dongle_board import verdict_by_probe
from hil.inventory.firmware_probe import Firmware, probe, questions
from ichis.uart import LineProfile
from tests.inventory.mocked_bus import chub_ncp
from tests.patience import PATIENCE_S

MENU = b"\r\nGecko Bootloader v2.04.02\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > "
SPINEL_GET = bytes.fromhex("7e8102025e807e")
SPINEL_IS = bytes.fromhex(
    "7e810602534c2d4f50454e5448524541442f322e342e342e305f4769744875622d3730373461343365343b2045465233323b204f6374203231203230323420"
    "31343a34303a35370091f27e"
)
"""Both from zigbee-on-host 0.3.0."""
CPC_GET = bytes.fromhex("14000a00c455d30200040003000000db12")
CPC_IS = bytes.fromhex("14001600c457e50600100003000000040000000400000002000000c948")
"""Both from universal-silabs-flasher 1.2.0."""
RST = bytes.fromhex("c038bc7e")
RSTACK = bytes.fromhex("1ac1020b0a527e")
ASKED_AT_MOST = 10


class Line:
    """The far end of a serial line: at ``baudrate`` it answers each question it knows, at others with what noise makes of it."""

    def __init__(self, baudrate: int, answers: dict[bytes, bytes], noise: bytes = b"") -> None:
        self.asked: list[tuple[int, bytes]] = []
        self._right, self._answers, self._noise = baudrate, answers, noise
        self._baudrate = 0
        self._waiting = b""

    async def write(self, octets: bytes) -> None:
        self.asked.append((self._baudrate, octets))
        if self._baudrate != self._right:
            self._waiting += self._noise
            return
        for question, answer in self._answers.items():
            if question in octets:
                self._waiting += answer

    async def read(self, count: int, timeout_s: float) -> bytes:
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def set_line(self, line: LineProfile) -> None:
        self._baudrate = round(line.baud)
        self._waiting = b""


async def ask(line: Line, first: int = 115200) -> Firmware | None:
    return await probe(line, LineProfile(inverted=False), first)


@pytest.mark.parametrize(
    ("baudrate", "answers", "firmware"),
    [
        (
            115200,
            {b"\xfe\x00\x21\x01\x20": bytes.fromhex("fe02610179011a"), b"\xfe\x00\x21\x02\x23": bytes.fromhex("fe056102020102070161")},
            Firmware("Z-Stack ZNP", "2.7.1", 115200, family="znp"),
        ),
        (
            460800,
            {SPINEL_GET: SPINEL_IS},
            Firmware("OpenThread RCP", "SL-OPENTHREAD/2.4.4.0_GitHub-7074a43e4; EFR32; Oct 21 2024 14:40:57", 460800),
        ),
        (
            115200,
            {SPINEL_GET: b"\x00\x7e" + SPINEL_IS[1:]},
            Firmware("OpenThread RCP", "SL-OPENTHREAD/2.4.4.0_GitHub-7074a43e4; EFR32; Oct 21 2024 14:40:57", 115200),
        ),
        (460800, {CPC_GET: b"\x14\x00" + CPC_IS}, Firmware("multiprotocol RCP (CPC)", "4.4.2", 460800)),
        (230400, {CPC_GET: CPC_IS}, Firmware("multiprotocol RCP (CPC)", "4.4.2", 230400)),
        (115200, {b"\r\n": MENU}, Firmware("Gecko Bootloader", "2.04.02", 115200)),
        (
            115200,
            {b"version\r\n": b"stack ver. [7.4.4 GA build 0]\r\n> ", b"\r\n": b"\r\n> "},
            Firmware("Zigbee router", "7.4.4 GA build 0", 115200),
        ),
        (57600, {RST: RSTACK}, None),
    ],
)
async def test_firmware_is_told_by_what_it_answers(baudrate: int, answers: dict[bytes, bytes], firmware: Firmware | None) -> None:
    assert await ask(Line(baudrate, answers)) == firmware
    assert await ask(Line(baudrate, answers, noise=b"\xf8\x00\x7e\x14")) == firmware


async def test_the_rate_of_the_dongles_name_is_tried_first_and_each_once() -> None:
    line = Line(0, {})
    assert await ask(line, 460800) is None
    assert list(dict(line.asked)) == [460800, 115200, 230400, 57600]
    assert len(line.asked) == sum(len(questions) for questions in questions().values())


async def test_no_question_could_choose_an_upload_in_a_boot_loaders_menu() -> None:
    line = Line(0, {})
    await ask(line)
    assert not [question for _, question in line.asked if b"1" in question or b"3" in question]


@given(st.binary(max_size=80))
async def test_no_octets_of_a_dongle_break_the_probe(noise: bytes) -> None:
    found = await ask(Line(115200, {b"": noise}))
    assert found is None or isinstance(found, Firmware)


@pytest.mark.requirement("CH-33")
def test_a_virtual_dongle_on_a_pseudo_terminal_tells_its_versions_each_time_it_is_asked() -> None:
    with chub_ncp("--version", "13") as (path, _):
        for _ in range(2):
            verdict = verdict_by_probe(path, 115200)
            # A pseudo-terminal has every rate: where the dongle gets no processor for a second and a half, the next one is asked at.
            assert (verdict.serves, verdict.why) == ("yes", f"EmberZNet NCP 7.4.4.0, EZSP 13 at {verdict.baudrate} baud")


def inventory_json(tmp_path: Path, *options: str) -> dict[str, object]:
    command = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "inventory", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_two_dongles_by_url_and_by_path_make_a_board_of_a_hub_and_one_meter_with_their_addresses(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0", "--family", "znp") as (hub, _), chub_ncp("--eui", "00db1234567890a1") as (meter, _):
        inventory_json(tmp_path, "--dongle", hub, "--meter", meter, "--board-file", "mine")
        board = load_board(str(tmp_path / "mine.toml"))
    assert (str(board.hub.gpf), board.radio.kind, board.radio.path) == ("00db1234567890a0", "znp", hub)
    (row,) = board.device
    assert (str(row.eui), row.node, board.air_of(row), board.hub_air) == ("00db1234567890a1", meter, "outside", "outside")
    board.check_airs()


def told_of(where: str, tmp_path: Path) -> dict[str, object]:
    """Asked until it serves: on a busy machine a process may answer later than a dongle ever does."""
    for _ in range(ASKED_AT_MOST):
        (told,) = inventory_json(tmp_path, "--probe", "--dongle", where)["found"]  # type: ignore[misc]
        if told["serves"] == "yes":
            break
    return dict(told)


def test_row_31_a_dongle_is_asked_at_any_path_and_any_url(tmp_path: Path) -> None:
    with chub_ncp("--tcp", "127.0.0.1:0", "--family", "znp") as (url, _), chub_ncp() as (path, _):
        at_url, at_path = (told_of(where, tmp_path) for where in (url, path))
    assert (at_url["port"], at_url["serves"], at_url["firmware"]) == (url, "yes", "Z-Stack ZNP 2.7.1 at 115200 baud")
    assert (at_path["port"], at_path["serves"], at_path["firmware"]) == (path, "yes", "EmberZNet NCP 7.4.4.0, EZSP 13 at 115200 baud")
