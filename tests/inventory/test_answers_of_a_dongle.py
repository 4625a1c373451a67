"""The probe of a dongle octet by octet, with each answer cut off, damaged or late; and the board that its answers make."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import zigpy_znp.commands as c
from zigpy_znp.commands.sys import BootloaderBuildType
from zigpy_znp.frames import TransportFrame
from zigpy_znp.types.commands import MTCapabilities

from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from hil.inventory import usb
from hil.inventory.dongle_board import DongleVerdict, asked_pair, board_text, candidate, verdict_by_name
from hil.inventory.firmware_probe import Firmware, ask_ezsp, ask_znp, cpc, hdlc, judge_ezsp, judge_znp, probe, questions
from hil.inventory.usb import FoundPort, UsbDevice, UsbIdentity, known_devices
from hil.radio.ncp import ash
from ichis.uart import LineProfile
from tests.radio.radio_bench import METER


@dataclass
class Far:
    """A far end that gives the next of ``answers`` after each write that is no acknowledgement, ``late`` reads after it."""

    answers: list[bytes]
    late: int = 0
    written: list[bytes] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    lines: list[LineProfile] = field(default_factory=list)
    _coming: bytes = b""
    _reads: int = 0

    async def write(self, octets: bytes) -> None:
        self.written.append(octets)
        if octets[:1] not in (b"\x81", b"\x82", b"\x83"):  # an ASH acknowledgement (UG101 3.1)
            self._coming, self._reads = self.answers.pop(0) if self.answers else b"", 0

    async def read(self, count: int, timeout_s: float) -> bytes:
        self.waited.append(timeout_s)
        self._reads += 1
        if self._reads <= self.late:
            return b""
        taken, self._coming = self._coming[:count], self._coming[count:]
        return taken

    async def set_line(self, line: LineProfile) -> None:
        self.lines.append(line)


# -- EZSP over ASH (Silicon Labs UG100 and UG101)

RSTACK = bytes.fromhex("1ac1020b0a527e")
"""UG101 3.2's own example: version 2, reset by software."""
VERSION_13 = bytes((0, 0x80, 0x00, 13, 2, 0x40, 0x74))
VERSION_4 = bytes((0, 0x80, 0x00, 4, 2, 0x12, 0x46))


def data(number: int, reply: bytes) -> bytes:
    """A data frame of the dongle that acknowledges the host's frame of the same number."""
    return ash.frame(number << 4 | (number + 1), ash.randomise(reply))


def eui_reply(sequence: int, address: bytes, *, legacy: bool = False) -> bytes:
    return bytes((sequence, 0x80, 0x26) if legacy else (sequence, 0x80, 0x01, 0x26, 0x00)) + address


def ezsp_13(version: bytes = VERSION_13, address: bytes = METER.zigbee) -> list[bytes]:
    return [RSTACK, data(0, version), data(1, bytes((1, 0x80, 0x01, 0, 0)) + version[3:]), data(2, eui_reply(2, address))]


def commands(far: Far) -> list[tuple[int, bytes]]:
    """Control octet and content of each frame but the reset."""
    frames = [ash.unstuff(octets[:-1]) for octets in far.written[1:]]
    assert None not in frames
    return [(frame[0], ash.randomise(frame[1:])) for frame in frames if frame]


async def test_a_dongle_of_version_13_is_asked_in_the_form_of_version_13() -> None:
    far = Far(ezsp_13())
    assert await ask_ezsp(far, 57600) == Firmware("EmberZNet NCP", "7.4.4.0", 57600, 13, "ezsp", METER)
    assert far.written[0] == b"\x1a" * 32 + bytes.fromhex("c038bc7e")  # cancel, and the reset of UG101 3.1
    told = commands(far)
    assert [control for control, _ in told] == [0x00, 0x81, 0x11, 0x82, 0x22, 0x83]
    assert [content for control, content in told if control < 0x80] == [
        bytes((0, 0, 0, 4)),
        bytes((1, 0, 1, 0, 0, 13)),
        bytes((2, 0, 1, 0x26, 0)),
    ]


async def test_a_dongle_of_version_4_keeps_its_form_and_is_asked_its_version_once() -> None:
    far = Far([RSTACK, data(0, VERSION_4), data(1, eui_reply(2, METER.zigbee, legacy=True))])
    assert await ask_ezsp(far, 115200) == Firmware("EmberZNet NCP", "4.6.1.2", 115200, 4, "ezsp", METER)
    assert [content for control, content in commands(far) if control < 0x80] == [bytes((0, 0, 0, 4)), bytes((2, 0, 0x26))]


@pytest.mark.parametrize(
    ("number", "answer", "found"),
    [
        (0, b"", False),
        (0, RSTACK[:-1], False),
        (0, RSTACK[:-2] + b"\x53\x7e", False),
        (0, b"noise" + RSTACK, True),
        (1, data(0, VERSION_13[:6]), False),
        (1, data(0, bytes((0, 0x80, 0x01)) + VERSION_13[3:]), False),
        (1, ash.frame(0x81, ash.randomise(VERSION_13)), False),
        (1, b"\x81\x60\x59\x7e" + data(0, VERSION_13), True),
    ],
    ids=["silence", "no flag", "wrong CRC", "noise before it", "short version", "no version", "no data frame", "acknowledged first"],
)
async def test_what_is_no_answer_to_a_reset_or_a_version_is_no_dongle(number: int, answer: bytes, found: bool) -> None:
    answers = ezsp_13()
    answers[number] = answer
    assert (await ask_ezsp(Far(answers), 115200) is not None) == found


@pytest.mark.parametrize(
    ("reply", "address"),
    [
        (data(2, eui_reply(2, METER.zigbee)), METER),
        (data(2, eui_reply(2, METER.zigbee + b"\x00")), METER),
        (data(2, eui_reply(2, METER.zigbee[:7])), None),
        (data(2, bytes((2, 0x80, 1, 0x27, 0)) + METER.zigbee), None),
        (ash.frame(0xA3), None),
        (ash.frame(0x93, ash.randomise(eui_reply(2, METER.zigbee))), None),
    ],
    ids=["its address", "more than it", "seven octets", "another command", "refused", "no data frame"],
)
async def test_an_address_is_read_from_eight_octets_of_its_own_answer(reply: bytes, address: Eui64 | None) -> None:
    found = await ask_ezsp(Far([*ezsp_13()[:3], reply]), 115200)
    assert found is not None
    assert found.eui64 == address


async def test_a_dongle_has_a_second_and_a_half_for_a_reset_and_less_for_the_rest() -> None:
    """Bellows waits for a reset too: a dongle restarts first (reference ezsp-ncp 1)."""
    far = Far([])
    assert await ask_ezsp(far, 115200) is None
    assert sum(far.waited) == pytest.approx(1.5)
    far = Far([RSTACK])
    assert await ask_ezsp(far, 115200) is None
    assert sum(far.waited[1:]) == pytest.approx(0.4)


@pytest.mark.parametrize(("late", "found"), [(7, True), (8, False)])
async def test_an_answer_counts_in_the_last_of_the_time_and_not_after_it(late: int, found: bool) -> None:
    assert (await ask_znp(Far(znp(), late), 115200) is not None) == found


@pytest.mark.parametrize(
    ("version", "serves", "words"),
    [
        (11, False, "speaks EZSP 11, expected 12 or newer: flash EmberZNet NCP 7.4"),
        (12, True, "EmberZNet NCP 7.4.4.0, EZSP 12 at 115200 baud"),
        (13, True, "EmberZNet NCP 7.4.4.0, EZSP 13 at 115200 baud"),
        (14, True, "EZSP 14 at 115200 baud; long messages of Devices are lost from EZSP 14 on: better flash 7.4"),
    ],
)
def test_a_dongle_serves_from_version_12_on_and_best_with_13(version: int, serves: bool, words: str) -> None:
    judged = judge_ezsp(Firmware("EmberZNet NCP", "7.4.4.0", 115200, version, "ezsp"), "/dev/ttyUSB0")
    assert (judged.serves, judged.why.endswith(words) or words in judged.why) == (serves, True)
    assert ("better flash" in judged.why) == (version > 13)


# -- ZNP, in zigpy-znp's own frames


def mt(command: Any) -> bytes:
    octets: bytes = TransportFrame(command.to_frame()).serialize()
    return octets


PONG = mt(c.SYS.Ping.Rsp(Capabilities=MTCapabilities.SYS))
NOT_ITS_OWN = BootloaderBuildType.NON_BOOTLOADER_BUILD
RELEASE = {"MajorRel": 2, "MinorRel": 7, "MaintRel": 1}
TOLD = mt(c.SYS.Version.Rsp(TransportRev=2, ProductId=1, **RELEASE, CodeRevision=1, BootloaderBuildType=NOT_ITS_OWN, BootloaderRevision=0))


def znp(*, pong: bytes = PONG, version: bytes = TOLD, address: bytes = b"") -> list[bytes]:
    return [pong, version, address]


async def test_zigpy_znp_reads_each_question_of_the_probe() -> None:
    far = Far(znp())
    await ask_znp(far, 115200)
    assert far.written[:2] == [mt(c.SYS.Ping.Req()), mt(c.SYS.Version.Req())]
    frame, rest = TransportFrame.deserialize(far.written[2])
    assert rest == b""
    assert (frame.payload.header.subsystem.name, frame.payload.header.id, frame.payload.data) == ("SYS", 4, b"")  # SYS_GET_EXTADDR


@pytest.mark.parametrize(
    ("answers", "version", "address"),
    [
        (znp(address=b"\xfe\x08\x61\x04" + METER.zigbee + bytes((0,))), "2.7.1", None),
        (znp(version=b""), "of unknown version", None),
        (znp(version=b"\xfe" + PONG + TOLD), "2.7.1", None),
        (znp(pong=b"\xfe\x00" + PONG), "2.7.1", None),
        (znp(pong=b"\xfe" + PONG + b"\x00"), "2.7.1", None),
    ],
    ids=["wrong check octet", "no version", "another answer first", "noise that looks like a start", "noise around it"],
)
async def test_a_coordinator_is_told_by_intact_frames_alone(answers: list[bytes], version: str, address: Eui64 | None) -> None:
    assert await ask_znp(Far(answers), 115200) == Firmware("Z-Stack ZNP", version, 115200, None, "znp", address)


def extended(address: bytes) -> bytes:
    body = bytes((len(address), 0x61, 0x04)) + address
    check = 0
    for octet in body:
        check ^= octet
    return b"\xfe" + body + bytes((check,))


@pytest.mark.parametrize(("octets", "address"), [(METER.zigbee, METER), (METER.zigbee[:7], None), (METER.zigbee + b"\x00", None)])
async def test_an_address_has_eight_octets(octets: bytes, address: Eui64 | None) -> None:
    found = await ask_znp(Far(znp(address=extended(octets))), 115200)
    assert found is not None
    assert found.eui64 == address


@pytest.mark.parametrize("missing", range(1, len(PONG)))
async def test_an_answer_that_is_cut_off_is_none(missing: int) -> None:
    assert await ask_znp(Far([PONG[:-missing]]), 115200) is None


@pytest.mark.parametrize(
    ("version", "serves"),
    [
        ("2.6.3", False),
        ("2.7.0", True),
        ("2.9.9", True),
        ("2.10.0", True),
        ("3.0.0", True),
        ("1.9.9", False),
        ("of unknown version", False),
    ],
)
def test_a_coordinator_serves_from_2_7_on_which_is_z_stack_3_30(version: str, serves: bool) -> None:
    judged = judge_znp(Firmware("Z-Stack ZNP", version, 115200, family="znp"), "/dev/ttyUSB0")
    assert judged.serves == serves
    assert ("expected 2.7 or newer, which is Z-Stack 3.30" in judged.why) == (not serves)


# -- others


def test_the_check_of_an_hdlc_frame_is_that_of_the_crc_catalogue() -> None:
    """CRC-16/IBM-SDLC (X-25) of "123456789" is 0x906E."""
    assert hdlc(b"123456789") == b"\x7e123456789\x6e\x90\x7e"


@pytest.mark.parametrize(
    ("octet", "reserved"), [(0x7E, True), (0x7D, True), (0x11, True), (0x13, True), (0xF8, True), (0x12, False), (0x7F, False)]
)
def test_reserved_octets_of_hdlc_are_escaped(octet: int, reserved: bool) -> None:
    assert hdlc(bytes((octet,)))[1:3].startswith(bytes((0x7D, octet ^ 0x20)) if reserved else bytes((octet,)))


def versions(major: int, minor: int, patch: int) -> bytes:
    return b"".join(part.to_bytes(4, "little") for part in (major, minor, patch))


async def asked_last(answer: bytes, *, rate: int = 230400) -> Firmware | None:
    """At this rate CPC is asked after EZSP, which has no answer."""
    return await questions()[rate][-1](Far([answer]), rate)


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (cpc(0x06, versions(4, 5, 6)), "4.5.6"),
        (b"\x14\x14" + cpc(0x06, versions(4, 5, 0x010203)), "4.5.66051"),
        (b"\x14" + cpc(0x06, versions(4, 5, 6)) + b"\x14", "4.5.6"),
        (cpc(0x06, versions(4, 5, 6))[:-1], None),
        (cpc(0x06, versions(4, 5, 6)[:11]), None),
        (cpc(0x02, versions(4, 5, 6)), None),
        (cpc(0x06, versions(4, 5, 6))[:5] + b"\x00\x00" + cpc(0x06, versions(4, 5, 6))[7:], None),
    ],
    ids=["whole", "noise that looks like a start", "noise around it", "cut off", "short", "another command", "wrong check of the header"],
)
async def test_a_cpc_version_is_read_from_a_whole_frame(answer: bytes, version: str | None) -> None:
    found = await asked_last(answer)
    assert (found and found.version) == version


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (hdlc(b"\x81\x06\x02OPENTHREAD \x11\x13\0more"), "OPENTHREAD \x11\x13"),
        (hdlc(b"\x81\x06\x03OPENTHREAD\0"), None),
        (hdlc(b"\x81\x06\x02OPENTHREAD\0")[:-3] + b"\x00\x00\x7e", None),
    ],
    ids=["whole", "another property", "wrong check"],
)
async def test_an_openthread_version_ends_at_its_nought(answer: bytes, version: str | None) -> None:
    found = await questions()[460800][1](Far([answer]), 460800)
    assert (found and found.version) == version


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([b"\r\nSerial Bootloader v1.9\r\nBL > "], ("Gecko Bootloader", "1.9")),
        ([b"\r\nrouter> \r\n", b"stack ver. [7.4]\r\n> "], ("Zigbee router", "7.4")),
        ([b"\r\nrouter> \r\n", b"no such command\r\n> "], None),
        ([b"\r\nlogin: "], None),
    ],
    ids=["boot loader", "router", "prompt of something else", "no prompt"],
)
async def test_a_prompt_is_that_of_a_boot_loader_a_router_or_of_no_dongle(answers: list[bytes], told: tuple[str, str] | None) -> None:
    found = await questions()[115200][1](Far(answers), 115200)
    assert (found and (found.name, found.version)) == told


async def test_a_probe_keeps_the_settings_of_the_line_but_its_rate() -> None:
    far = Far([])
    assert await probe(far, LineProfile(9600, 7, "even", 2, inverted=True), 230400) is None
    assert far.lines == [
        LineProfile(rate, 7, "even", 2, inverted=True) for rate in (230400, *(one for one in questions() if one != 230400))
    ]


# -- the board


PORT = FoundPort("Sonoff", "dongle", "10c4:ea60", "ITead", "Sonoff Zigbee 3.0", "1", "/dev/ttyUSB0", "free", "", None)
YES, NO, UNKNOWN = (DongleVerdict(serves, "") for serves in ("yes", "no", "not known"))
BUSY, SERIAL, NOWHERE = replace(PORT, state="in use"), replace(PORT, kind="serial"), replace(PORT, port="")


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        ([], None),
        ([(PORT, NO), (SERIAL, YES), (NOWHERE, YES)], None),
        ([(PORT, UNKNOWN), (BUSY, YES)], 1),
        ([(BUSY, YES), (PORT, YES)], 1),
        ([(PORT, replace(YES, family="znp")), (PORT, YES)], 1),
        ([(PORT, replace(YES, family="znp")), (BUSY, YES)], 0),
        ([(PORT, YES), (PORT, YES)], 0),
    ],
    ids=[
        "none",
        "none that may serve",
        "what serves before what may",
        "free before busy",
        "EZSP before ZNP",
        "free before EZSP",
        "the first",
    ],
)
def test_a_board_is_for_the_dongle_that_serves_best(found: list[tuple[FoundPort, DongleVerdict]], taken: int | None) -> None:
    chosen = candidate(found, None)
    assert chosen is (None if taken is None else found[taken])


def test_a_chosen_dongle_is_taken_whatever_it_is_and_one_that_is_not_listed_is_refused() -> None:
    far = replace(SERIAL, port="socket://far:1")
    assert candidate([(PORT, YES), (far, NO)], "socket://far:1") == (far, NO)
    with pytest.raises(NotAvailable, match="--dongle socket://else:1 is not available: name a port that `chub inventory` lists"):
        candidate([(PORT, YES), (far, NO)], "socket://else:1")


def test_a_dongle_whose_address_is_known_or_that_is_busy_is_not_asked_again() -> None:
    known = replace(YES, eui64=METER)
    assert asked_pair(PORT, known) == (PORT, known)
    assert asked_pair(BUSY, UNKNOWN) == (BUSY, UNKNOWN)


KNOWN = UsbIdentity("10c4:ea60", "sonoff", "Sonoff", "dongle", "ezsp", 57600, "hardware", "", "")


@pytest.mark.parametrize(
    ("one", "judged", "radio"),
    [
        (PORT, YES, {"kind": "ezsp", "path": "/dev/ttyUSB0", "baudrate": 115200, "flow_control": "none"}),
        (replace(PORT, known=KNOWN), YES, {"kind": "ezsp", "path": "/dev/ttyUSB0", "baudrate": 57600, "flow_control": "hardware"}),
        (
            replace(PORT, known=KNOWN),
            replace(YES, baudrate=230400, family="znp"),
            {"kind": "znp", "path": "/dev/ttyUSB0", "baudrate": 230400, "flow_control": "hardware"},
        ),
    ],
    ids=["by nothing", "by its name", "by its answer"],
)
def test_a_board_names_the_line_by_the_answer_else_by_the_name(one: FoundPort, judged: DongleVerdict, radio: dict[str, object]) -> None:
    read = tomllib.loads(board_text(one, judged, "mine"))
    assert read == {"name": "mine", "description": "a hub on a Sonoff", "extends": "simulated", "device": [], "radio": radio}


def test_a_board_of_two_dongles_has_their_addresses_and_one_meter() -> None:
    text = board_text(
        replace(PORT, serial=""), replace(YES, eui64=METER), "mine", (replace(PORT, port="/dev/ttyUSB1"), replace(YES, eui64=METER))
    )
    read = tomllib.loads(text)
    assert text.startswith("# Found by chub inventory: Sonoff, serial number not told.\n")
    assert (read["description"], read["hub"]["gpf"]) == ("a hub on a Sonoff, an ESME on a Sonoff", METER.duis)
    (row,) = read["device"]
    assert (row["name"], row["type"], row["eui"], row["node"]) == ("esme", "ESME", METER.duis, "/dev/ttyUSB1")


@pytest.mark.parametrize("judged", [replace(YES, family="znp", eui64=METER), YES], ids=["ZNP", "no address"])
def test_a_meter_needs_a_dongle_of_ezsp_that_tells_its_address(judged: DongleVerdict) -> None:
    with pytest.raises(NotAvailable, match="a meter on /dev/ttyUSB1 is not available: a meter's dongle speaks EZSP and tells its address"):
        board_text(PORT, YES, "mine", (replace(PORT, port="/dev/ttyUSB1"), judged))


@pytest.mark.parametrize(
    ("firmware", "serves", "words"),
    [
        (None, "not known", "--probe --dongle PORT"),
        ("", "not known", "--probe --dongle PORT"),
        ("znp", "not known", "--probe asks it"),
        ("ezsp", "not known", "--probe asks it"),
        ("deconz", "no", "sold with deCONZ firmware: this bench speaks EZSP and ZNP"),
    ],
)
def test_a_name_alone_says_what_a_dongle_was_sold_with(firmware: str | None, serves: str, words: str) -> None:
    told = verdict_by_name(replace(PORT, known=None if firmware is None else replace(KNOWN, firmware=firmware)))
    assert (told.serves, words in told.why) == (serves, True)
    assert told.family == ("znp" if firmware == "znp" else "ezsp")


# -- USB


DEVICE = UsbDevice(0x10C4, 0xEA60, "ITead", "Sonoff Zigbee 3.0", "1", ("ff:00", "fe:03"), ())


@pytest.mark.parametrize(
    ("named", "text", "fits"),
    [
        ("10c4:ea60", "sonoff", True),
        ("10c4:ea60", "itead sonoff", True),
        ("10c4:ea60", "conbee", False),
        ("10c4:ea61", "", False),
        ("10c5:ea60", "", False),
        ("10c5:*", "", False),
        ("10c4:*", "", True),
        ("class:fe:03", "", True),
        ("class:fe:04", "", False),
        ("class:fe:03", "conbee", False),
    ],
)
def test_a_row_fits_a_device_by_number_or_class_and_by_its_text(named: str, text: str, fits: bool) -> None:
    assert replace(KNOWN, usb=named, text=text).fits(DEVICE) == fits


def test_a_row_that_tells_no_rate_has_115200_baud_without_flow_control() -> None:
    rows = {one.what: one for one in known_devices()}
    silent = [row for row in usb.table()["known"] if "baudrate" not in row and "flow_control" not in row]
    assert silent
    assert {(rows[str(row["what"])].baudrate, rows[str(row["what"])].flow_control) for row in silent} == {(115200, "none")}


def test_a_port_has_the_name_that_stays_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "by-id").mkdir()
    for name in ("ttyUSB0", "ttyUSB1"):
        (tmp_path / name).touch()
    (tmp_path / "by-id" / "a-gone").symlink_to(tmp_path / "ttyUSB9")
    (tmp_path / "by-id" / "usb-one").symlink_to(tmp_path / "ttyUSB1")
    monkeypatch.setattr(usb, "_BY_ID", tmp_path / "by-id")
    assert usb.by_id(str(tmp_path / "ttyUSB1")) == str(tmp_path / "by-id" / "usb-one")
    assert usb.by_id(str(tmp_path / "ttyUSB0")) == str(tmp_path / "ttyUSB0")
    assert usb.by_id("") == ""
    monkeypatch.setattr(usb, "_BY_ID", tmp_path / "none")
    assert usb.by_id(str(tmp_path / "ttyUSB1")) == str(tmp_path / "ttyUSB1")


def test_the_state_of_a_port_is_told_with_what_to_do(tmp_path: Path) -> None:
    port = tmp_path / "ttyUSB0"
    assert usb.port_state(str(port)) == ("gone", f"{port} is not there any more: plug it in again")
    port.touch()
    with port.open():  # by this program itself
        assert usb.port_state(str(port)) == ("free", "")
    assert not usb.is_serial(str(port))
    assert not usb.is_serial("/dev/null")  # a character device of memory, not of a line
    ours, theirs = os.openpty()
    assert usb.is_serial(os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)
    assert usb.read_text(tmp_path / "none") == ""
