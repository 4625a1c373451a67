"""Logs line by line: what each ASH, EZSP and MT frame of a log says, when it counts as a fault, and what is played again of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.log import ezsp_words
from hil.radio.log.compare import NOBODY, compare
from hil.radio.log.lines import DONGLE, HOST, OctetForm, said
from hil.radio.log.reading import Log, plain, read_lines, write_replay
from hil.radio.ncp.ash import frame, randomise
from hil.radio.ncp.ezsp import Ncp, encode_frame, schemas
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.personality import of_version, personality
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.recording import load_recording
from hil.radio.stack.tokens import Tokens
from hil.radio.znp.firmware import Znp
from hil.radio.znp.handlers import HANDLERS as ZNP_HANDLERS
from hil.radio.znp.mt import MtFrame, MtKind
from hil.radio.znp.secrets import blank
from tests.radio.radio_bench import HUB, METER

VERSION_13 = bytes.fromhex("0080000d023074")


def at(seconds: float, text: str) -> str:
    return f"2026-01-05 10:00:{seconds:06.3f} {text}"


def wire(seconds: float, sender: str, octets: bytes) -> str:
    return at(seconds, f"{'-->' if sender == HOST else '<--'} [{octets.hex()}]")


def data(sender: str, ezsp: bytes, seconds: float = 1, control: int = 0x00) -> str:
    return wire(seconds, sender, frame(control, randomise(ezsp)))


VERSION = [data(HOST, b"\x00\x00\x00\x0d", 0.5), data(DONGLE, VERSION_13, 0.6)]


def read(*lines: str) -> Log:
    return read_lines([*VERSION, *lines], "a log")


def wrong(log: Log) -> list[tuple[int, str, str]]:
    return [(one.line, one.what, one.why) for one in log.wrong]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-05T10:00:01.250 --> [c0]", 1767607201.25),
        ("2026-01-05 10:00:01,5 --> [c0]", 1767607201.5),
        ("2026-01-05 10:00:01 --> [c0]", 1767607201.0),
        ("at 01:02:03.750 --> [c0]", 3723.75),
        ("23:59:59 --> [c0]", 86399.0),
        ("--> [c0]", None),
        ("--> [c0] 10:00:01", None),
    ],
)
def test_a_line_has_the_time_that_stands_before_it(text: str, seconds: float | None) -> None:
    (line,) = said(["nothing", text])
    assert (line.line, line.time, line.sender, line.octets, line.form) == (2, seconds, HOST, b"\xc0", OctetForm.WIRE)


@pytest.mark.parametrize(
    ("octets", "name", "text", "code", "faults"),
    [
        (frame(0xC0), "RST", "", 0, []),
        (frame(0x83), "ACK", "", 0, []),
        (frame(0xC1, b"\x02\x0b"), "RSTACK", "software", 0x0B, []),
        (frame(0xC1, b"\x02\x01"), "RSTACK", "external", 0x01, []),
        (frame(0xC1, b"\x02\x02"), "RSTACK", "power-on", 0x02, []),
        (frame(0xC1, b"\x02\x03"), "RSTACK", "watchdog", 0x03, []),
        (frame(0xC1, b"\x02\x06"), "RSTACK", "assert", 0x06, []),
        (frame(0xC1, b"\x02\x09"), "RSTACK", "boot loader", 0x09, []),
        (frame(0xC1, b"\x02\x77"), "RSTACK", "77", 0x77, []),
        (
            frame(0xC2, b"\x02\x51"),
            "ERROR",
            "ack time-outs exceeded",
            0x51,
            [("ERROR", "the dongle has failed and waits for a reset: code 0x51, ack time-outs exceeded")],
        ),
        (
            frame(0xC2, b"\x02\x78"),
            "ERROR",
            "78",
            0x78,
            [("ERROR", "the dongle has failed and waits for a reset: code 0x78, not known")],
        ),
        (frame(0xA5), "NAK", "", 0, [("rejected", "the dongle rejects what came and expects DATA 5 again (NAK)")]),
    ],
)
def test_a_frame_of_the_link_is_named_with_its_code(octets: bytes, name: str, text: str, code: int, faults: list[tuple[str, str]]) -> None:
    log = read(wire(1, DONGLE, octets))
    entry = log.entries[-1]
    assert (entry.line, entry.sender, entry.layer, entry.name, entry.text, entry.code) == (3, DONGLE, "ash", name, text, code)
    assert wrong(log) == [(3, *one) for one in faults]


def test_frames_are_parted_wherever_the_lines_are_cut_and_what_was_cancelled_is_none() -> None:
    whole = frame(0xC0) + b"\x01\x02\x1a" + frame(0x83) + b"\x7e"
    log = read(*[wire(1, HOST, whole[at : at + 1]) for at in range(len(whole))])
    assert [one.name for one in log.entries[2:]] == ["RST", "ACK"]
    broken = bytearray(frame(0x83, b"\x05"))
    broken[0] ^= 1
    log = read(wire(1, DONGLE, bytes(broken)))
    assert wrong(log) == [(3, "damaged", "a frame of the dongle whose check fails: 8205")]
    assert plain(frame(0x83, b"\x11")[:-1]) == (b"\x83\x11", True)
    assert plain(b"\x83") == (b"", False)


def test_data_sent_once_more_is_told_with_its_number_and_counts_once() -> None:
    nop = b"\x01\x00\x01\x05\x00"
    log = read(data(HOST, nop, 1, 0x20), data(HOST, nop, 2, 0x28), data(HOST, b"\x02" + nop[1:], 3, 0x38))
    assert wrong(log) == [
        (4, "sent again", "the host sends DATA 2 once more: it was not acknowledged in time"),
        (5, "sent again", "the host sends DATA 3 once more: it was not acknowledged in time"),
    ]
    assert [(one.line, one.name, one.kind) for one in log.entries[2:]] == [(3, "nop", "command"), (5, "nop", "command")]


@pytest.mark.parametrize(("seconds", "silence"), [(2.9, False), (3.0, False), (3.1, True)])
def test_an_answer_after_more_than_three_seconds_is_a_silence(seconds: float, silence: bool) -> None:
    log = read(data(HOST, b"\x01\x00\x01\x05\x00", 1), data(DONGLE, b"\x01\x80\x01\x05\x00", 1 + seconds))
    assert wrong(log) == [(4, "silence", f"nop was answered after {seconds:.1f} s")] * silence
    other = read(data(HOST, b"\x01\x00\x01\x05\x00", 1), data(DONGLE, b"\x02\x80\x01\x05\x00", 1 + seconds))
    assert not other.wrong, "an answer to another"
    reset = read(
        data(HOST, b"\x01\x00\x01\x05\x00", 1), wire(2, DONGLE, frame(0xC1, b"\x02\x0b")), data(DONGLE, b"\x01\x80\x01\x05\x00", 9)
    )
    assert wrong(reset) == [(4, "reset", "the dongle was reset (software) while nop waited")]


def reply(name: str, parameters: bytes, control: int = 0x80) -> str:
    return data(DONGLE, encode_frame(1, schemas(13)[name].frame_id, parameters, 13, control=control))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (reply("leaveNetwork", b"\x00"), []),
        (reply("leaveNetwork", b"\x70"), [("failed", "leaveNetwork: INVALID_CALL")]),
        (reply("leaveNetwork", b"\x93"), []),
        (reply("sendUnicast", b"\x72\x00"), [("full", "sendUnicast: MAX_MESSAGE_LIMIT_REACHED")]),
        (reply("sendUnicast", b"\x18\x00"), [("full", "sendUnicast: NO_BUFFERS")]),
        (reply("nop", b"", control=0x81), [("full", "the dongle ran out of memory and has lost callbacks (overflow bit)")]),
    ],
)
def test_a_status_that_tells_of_a_failure_is_a_fault_and_one_for_want_of_room_is_full(line: str, told: list[tuple[str, str]]) -> None:
    assert [(what, why) for _, what, why in wrong(read(line))] == told


def test_what_no_version_knows_is_told_as_not_understood() -> None:
    log = read(data(HOST, b"\x01\x00\x01\xff\x7f"))
    assert wrong(log) == [(3, "not understood", "at offset 2, EZSP frame id: read 7fff, expected a command of version 13")]
    assert (log.entries[-1].name, log.entries[-1].text) == ("unknown", "010001ff7f")


@pytest.mark.parametrize(
    ("octets", "version"),
    [
        ("00800007023074", 7),
        ("0080ff000007023074"[:4], None),
        ("0080ff000007023074", 7),
        ("00800100000d023074", 13),
        ("00800100000d02307400", None),
        ("00800063023074", None),
        ("0080010d023074", None),
    ],
)
def test_the_version_is_read_from_the_answer_in_each_of_its_forms(octets: str, version: int | None) -> None:
    assert ezsp_words.version_told(bytes.fromhex(octets)) == version


def test_without_an_answer_the_newest_version_that_explains_most_is_taken() -> None:
    log = read_lines([data(HOST, b"\x01\x00\x01\x05\x00")], "a log")
    assert (log.told, log.version) == (False, max(ezsp_words.VERSIONS))
    old = read_lines([data(HOST, b"\x01\x00\x05"), data(HOST, b"\x02\x00\x26")], "a log")
    assert old.version in (4, 5, 6, 7)


@pytest.mark.parametrize(
    ("octets", "kind", "version", "told"),
    [
        (b"\x00", "st", 13, ("SUCCESS", True)),
        (b"\x70", "st", 13, ("INVALID_CALL", False)),
        (b"\x00", "es", 13, ("SUCCESS", True)),
        (b"\x36", "es", 13, ("ERROR_INVALID_VALUE", False)),
        (b"\x00\x00\x00\x00", "st", 14, ("OK", True)),
        (b"\x2d\x00\x00\x00", "sl", 13, ("NOT_FOUND", False)),
        (b"\x2d\x00\x00\x00", "es", 14, ("NOT_FOUND", False)),
    ],
)
def test_a_status_is_named_by_kind_and_version(octets: bytes, kind: str, version: int, told: tuple[str, bool]) -> None:
    assert ezsp_words.status_name(octets, kind, version) == told


def mt(seconds: float, sender: str, one: MtFrame) -> str:
    return wire(seconds, sender, one.encode())


PING, PONG = MtFrame(MtKind.SREQ, 1, 1, b""), MtFrame(MtKind.SRSP, 1, 1, b"\x59\x06")


@pytest.mark.parametrize(("seconds", "silence"), [(2.9, False), (3.1, True)])
def test_a_log_of_a_z_stack_dongle_is_read_frame_by_frame(seconds: float, silence: bool) -> None:
    lines = [mt(1, HOST, PING), mt(1 + seconds, DONGLE, PONG), wire(9, DONGLE, b"\xfe\x00\x21\x01\x21")]
    log = read_lines(lines, "a log")
    assert (log.family, [(one.line, one.name, one.kind) for one in log.entries]) == (
        "znp",
        [(1, "SYS.Ping.Req", "command"), (2, "SYS.Ping.Rsp", "response")],
    )
    expected = [(2, "silence", f"SYS.Ping.Req was answered after {seconds:.1f} s")] * silence
    assert wrong(log) == [*expected, (3, "damaged", "octets of the dongle that are no frame")]


@pytest.mark.parametrize(
    ("status", "told"),
    [(0x00, []), (0x09, []), (0x01, [("failed", "FAILURE")]), (0xC7, [("full", "NWK_TABLE_FULL")]), (0x1A, [("full", "MAC_NO_RESOURCES")])],
)
def test_a_status_of_z_stack_is_judged_by_its_name(status: int, told: list[tuple[str, str]]) -> None:
    log = read_lines([mt(1, HOST, PING), mt(2, DONGLE, MtFrame(MtKind.SRSP, 4, 1, bytes([status])))], "a log")
    assert [(what, why) for _, what, why in wrong(log)] == [(what, f"AF.DataRequest.Rsp: {why}") for what, why in told]


def test_a_log_is_played_again_from_its_first_frame_on_with_its_keys_as_zeros(tmp_path: Path) -> None:
    key = bytes(range(0x40, 0x50))
    imported = encode_frame(2, schemas(13)["importLinkKey"].frame_id, b"\x01" + METER.zigbee + key, 13, control=0)
    log = read_lines(
        [
            wire(0.25, HOST, frame(0xC0)),
            wire(0.5, DONGLE, frame(0xC1, b"\x02\x0b")),
            *VERSION,
            data(HOST, imported, 2),
            wire(3, DONGLE, frame(0x81)),
        ],
        "a log",
    )
    assert write_replay(log, tmp_path / "replay") == 5
    told = load_recording(tmp_path / "replay").spoken
    assert [(round(one.time, 3), one.sender, one.other, one.code) for one in told] == [
        (0.0, HOST, "rst", 0),
        (0.25, DONGLE, "rstack", 0x0B),
        (0.25, HOST, "", 0),
        (0.35, DONGLE, "", 0),
        (1.75, HOST, "", 0),
    ]
    assert key not in told[-1].frame
    assert told[-1].frame.endswith(METER.zigbee + bytes(16))
    with pytest.raises(NotAvailable, match="it holds no octets of the line"):
        write_replay(Log(""), tmp_path / "none")
    with pytest.raises(NotAvailable, match="name a file that can be written"):
        write_replay(log, tmp_path / "no folder" / "replay")


KEY = bytes(range(0x40, 0x50))


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (MtFrame(MtKind.SREQ, 5, 0x23, b"\x34\x12" + METER.zigbee + KEY), b"\x34\x12" + METER.zigbee + bytes(16)),
        (MtFrame(MtKind.SRSP, 5, 0x25, b"\x00" + METER.zigbee + KEY), b"\x00" + METER.zigbee + bytes(16)),
        (MtFrame(MtKind.SRSP, 5, 0x25, b"\x00" + METER.zigbee + KEY[:9]), b"\x00" + METER.zigbee + bytes(9)),
        (MtFrame(MtKind.SREQ, 1, 0x09, b"\x62\x00\x00\x10" + KEY), b"\x62\x00\x00\x10" + bytes(16)),
        (MtFrame(MtKind.SREQ, 1, 0x09, b"\x62\x00\x00\x0f" + KEY[:15]), b"\x62\x00\x00\x0f" + KEY[:15]),
        (MtFrame(MtKind.SRSP, 1, 0x08, b"\x00\x11" + KEY + b"x"), b"\x00\x11" + bytes(17)),
        (MtFrame(MtKind.SREQ, 1, 0x1D, b"\x62\x00\x00\x00\x10\x00" + KEY), b"\x62\x00\x00\x00\x10\x00" + bytes(16)),
        (
            MtFrame(MtKind.SREQ, 4, 0x01, b"\x34\x12\x01\x02\x02\x07\x4d\x00\x1e\x10" + KEY),
            b"\x34\x12\x01\x02\x02\x07\x4d\x00\x1e\x10" + KEY,
        ),
        (MtFrame(MtKind.AREQ, 5, 0x85, b"\x34\x12" + KEY), b"\x34\x12" + KEY),
        (MtFrame(MtKind.SREQ, 1, 0x7F, KEY), bytes(16)),
    ],
)
def test_what_may_be_a_key_in_an_mt_frame_is_left_out(one: MtFrame, kept: bytes) -> None:
    """A value of memory of 16 octets and more may hold a key; an item of another length, and a message, do not."""
    assert blank(one.encode()) == MtFrame(one.kind, one.subsystem, one.command, kept).encode()
    assert blank(b"\xfe\x00") == b""


def test_of_the_network_information_base_the_spare_keys_alone_are_left_out() -> None:
    """The NIB of zigpy-znp has 116 octets, its spare network keys in one place."""
    nib = bytes(range(1, 117))
    told = blank(MtFrame(MtKind.SRSP, 1, 0x08, b"\x00\x74" + nib).encode())
    shown = told[6:-1]
    gone = [at for at in range(116) if shown[at] != nib[at]]
    assert shown != nib
    assert gone == list(range(gone[0], gone[-1] + 1))
    assert len(gone) < 60
    assert not any(shown[at] for at in gone)


class Dongle:
    """A virtual dongle whose talk with a host becomes a log."""

    def __init__(self, clock: Clock) -> None:
        self.heard: list[bytes] = []
        self.ncp = Ncp(Air(clock), Tokens(HUB), of_version(13), self.heard.append, HANDLERS, Crowd(NcpFaults()))
        self.lines: list[str] = []
        self.sequence = 0

    def ask(self, name: str, parameters: bytes = b"") -> None:
        self.sequence += 1
        octets = encode_frame(self.sequence, schemas(13)[name].frame_id, parameters, 13, control=0)
        self.talk(octets)

    def talk(self, octets: bytes) -> None:
        self.heard.clear()
        self.ncp.receive(octets)
        self.lines.append(data(HOST, octets, len(self.lines)))
        self.lines += [data(DONGLE, one, len(self.lines)) for one in self.heard]


def test_a_virtual_dongle_differs_from_a_log_where_the_log_was_changed(clock: Clock) -> None:
    dongle = Dongle(clock)
    dongle.talk(b"\x00\x00\x00\x0d")
    for name, parameters in (("getEui64", b""), ("nop", b""), ("getConfigurationValue", b"\x05"), ("echo", b"\x02hi")):
        dongle.ask(name, parameters)
    log = read_lines(dongle.lines, "a log")
    same = compare(log, None)
    assert (same.asked, same.alike, same.differences) == (5, 5, ())
    changed = [*dongle.lines]
    changed[7] = data(DONGLE, encode_frame(3, schemas(13)["getConfigurationValue"].frame_id, b"\x00\x63\x00", 13, control=0x80), 7)
    found = compare(read_lines(changed, "a log"), "ezsp-13")
    assert (found.firmware, found.asked, found.alike) == ("ezsp-13", 5, 4)
    (one,) = found.differences
    assert (one.line, one.command, one.field, one.real) == (7, "getConfigurationValue", "value", "99")
    assert one.as_json() == {"line": 7, "command": one.command, "field": "value", "real": "99", "virtual": one.virtual}
    assert found.as_json()["differences"] == [one.as_json()]
    unanswered = compare(read_lines([*dongle.lines[:6], *dongle.lines[8:]], "a log"), None)
    assert (unanswered.asked, unanswered.alike) == (4, 4)
    with pytest.raises(NotAvailable, match="the log is of a dongle of family ezsp"):
        compare(log, "znp")
    with pytest.raises(NotAvailable, match="holds no octets of the line"):
        compare(Log(""), None)


def test_a_virtual_z_stack_dongle_has_the_address_that_the_log_tells(clock: Clock) -> None:
    said_by: list[MtFrame] = []
    znp = Znp(Air(clock), Tokens(METER), said_by.append, lambda: None, personality("znp"), ZNP_HANDLERS, Crowd(NcpFaults()))
    lines: list[str] = []
    for one in (PING, MtFrame(MtKind.SREQ, 1, 4, b""), MtFrame(MtKind.AREQ, 1, 0, b"\x01"), MtFrame(MtKind.SREQ, 1, 2, b"")):
        said_by.clear()
        if one.kind is MtKind.SREQ:
            znp.receive(one)
        lines.append(mt(len(lines), HOST, one))
        lines += [mt(len(lines), DONGLE, answer) for answer in said_by]
    same = compare(read_lines(lines, "a log"), None)
    assert (same.asked, same.alike) == (3, 3), same.differences
    lines[1] = mt(1, DONGLE, MtFrame(MtKind.SRSP, 1, 1, b"\x01\x00"))
    found = compare(read_lines(lines, "a log"), "znp")
    assert [(one.line, one.command, one.field) for one in found.differences] == [(1, "SYS.Ping.Req", "Capabilities")]
    without = compare(read_lines(lines[:2], "a log"), "znp")
    assert (without.asked, NOBODY) == (1, Eui64.parse("02000000000000fe"))
