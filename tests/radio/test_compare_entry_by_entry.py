"""A log put to a virtual dongle entry by entry: which answer belongs to which command, at which time, at which address."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from hil.radio.log import compare as comparison
from hil.radio.log import ezsp_words, mt_words
from hil.radio.log.compare import Comparison, compare
from hil.radio.log.lines import HOST
from hil.radio.log.reading import Entry, Log
from hil.radio.znp.mt import Parser
from tests.radio.radio_bench import HUB

DONGLE = "dongle"
Said = tuple[str, str]
"""Sender, and the octets of an EZSP frame, or those of an MT frame between length and check."""


def ezsp(*said: Said, times: tuple[float | None, ...] = ()) -> Log:
    entries = []
    for at, (sender, octets) in enumerate(said):
        data = bytes.fromhex(octets)
        time = times[at] if at < len(times) else None
        if len(data) < 3:
            entries.append(Entry(at + 1, time, sender, "ezsp", "cut off", octets=data))
            continue
        words = ezsp_words.words(data, 13, from_host=sender == HOST)
        entries.append(Entry(at + 1, time, sender, "ezsp", words.name, words.kind, fields=words.fields, octets=data))
    return Log("ezsp", 13, entries=entries)


def znp(*said: Said) -> Log:
    entries = []
    for at, (sender, octets) in enumerate(said):
        body = bytes.fromhex(octets)
        body = bytes([len(body) - 2]) + body
        data = b"\xfe" + body + bytes([reduce(xor, body)])
        (frame,) = Parser().feed(data)
        words = mt_words.words(frame, from_host=sender == HOST)
        entries.append(Entry(at + 1, None, sender, "mt", words.name, words.kind, fields=words.fields, octets=data))
    return Log("znp", entries=entries)


def told(found: Comparison) -> tuple[int, int, list[tuple[int, str, str | None, str | None]]]:
    return found.asked, found.alike, [(one.line, one.field, one.real, one.virtual) for one in found.differences]


VERSION = (HOST, "0000000d"), (DONGLE, "0080000d024074")
"""Version 13, stack type 2, stack 7.4.4.0: as the built-in personality has them."""
ADDRESS = HUB.zigbee.hex()


@pytest.mark.parametrize(
    ("log", "asked", "alike", "differences"),
    [
        (ezsp(*VERSION, (HOST, "0100012600"), (DONGLE, "0180012600" + ADDRESS)), 2, 2, []),
        (ezsp(*VERSION, (HOST, "0100012600"), (DONGLE, "0290011900" + "90"), (DONGLE, "0180012600" + ADDRESS)), 2, 2, []),
        (
            ezsp(*VERSION, (HOST, "0100012600"), (HOST, "0200012700"), (DONGLE, "0280012700feff"), (DONGLE, "0180012600" + ADDRESS)),
            3,
            3,
            [],
        ),
        (ezsp(*VERSION, (HOST, "0100012600"), (HOST, "0100012600"), (DONGLE, "0180012600" + ADDRESS)), 2, 2, []),
        (ezsp(*VERSION, (HOST, "0100012600")), 1, 1, []),
        (ezsp(*VERSION, (HOST, "0100012700"), (DONGLE, "0180012700" + "3412")), 2, 1, [(3, "nodeId", "0x1234", "0xFFFE")]),
        (ezsp(*VERSION, (HOST, "01"), (DONGLE, "0180012600" + ADDRESS)), 2, 1, [(3, "answer", "given", None)]),
    ],
    ids=["its answer", "past a callback", "two under way", "asked again", "no answer", "another answer", "cut off"],
)
def test_an_answer_belongs_to_the_command_of_its_number_up_to_the_next_of_that_number(
    log: Log, asked: int, alike: int, differences: list[tuple[int, str, str | None, str | None]]
) -> None:
    assert told(compare(log, None)) == (asked, alike, differences)


GET_ADDRESS, ITEM = (HOST, "2104"), (HOST, "2108" + "0100" + "00")
PING, NOBODYS = (HOST, "2101"), (GET_ADDRESS, (DONGLE, "6104" + "fe00000000000002"))


@pytest.mark.parametrize(
    ("log", "asked", "alike", "differences"),
    [
        (znp(GET_ADDRESS, (DONGLE, "6104" + ADDRESS)), 1, 1, []),
        (znp(ITEM, (DONGLE, "6108" + "0008" + ADDRESS)), 1, 1, []),
        (znp((HOST, "211c" + "0100" + "0000"), (DONGLE, "611c" + "0008" + ADDRESS)), 1, 1, []),
        (
            znp((HOST, "2108" + "0200" + "00"), (DONGLE, "6108" + "0008" + ADDRESS), *NOBODYS),
            2,
            1,
            [(1, "Status", "SUCCESS", "INVALID_PARAMETER"), (1, "Value", ADDRESS, "none")],
        ),
        (znp(PING, GET_ADDRESS, (DONGLE, "6104" + ADDRESS)), 1, 1, []),
        (znp(GET_ADDRESS, PING, (DONGLE, "6104" + ADDRESS)), 1, 1, []),
        (znp(GET_ADDRESS, GET_ADDRESS, (DONGLE, "6104" + ADDRESS)), 1, 1, []),
        (znp(GET_ADDRESS, (DONGLE, "6108" + "0000"), (DONGLE, "6104" + ADDRESS)), 1, 1, []),
        (znp((HOST, "4100" + "01"), (DONGLE, "4180" + "000201020701")), 0, 0, []),
        (znp((HOST, "2104")), 0, 0, []),
        (
            znp((HOST, "270a" + "0100"), (DONGLE, "670a" + "01")),
            1,
            0,
            [(1, "Status", "FAILURE", "SUCCESS")],
        ),
    ],
    ids=[
        "address",
        "item of the address",
        "extended item",
        "another item",
        "unanswered before",
        "unanswered between",
        "asked twice",
        "another's answer",
        "no answer asked",
        "no answer",
        "differs",
    ],
)
def test_an_answer_of_a_znp_is_the_next_of_its_command(
    log: Log, asked: int, alike: int, differences: list[tuple[int, str, str | None, str | None]]
) -> None:
    assert told(compare(log, None)) == (asked, alike, differences)


def test_a_dongle_whose_log_does_not_tell_its_address_is_played_at_one_of_nobody() -> None:
    found = compare(ezsp(*VERSION, (HOST, "0100012600"), (DONGLE, "0180015800" + "35")), None)
    assert [(one.field, one.virtual) for one in found.differences if one.virtual is not None] == [("eui64", "02:00:00:00:00:00:00:fe")]


@pytest.mark.parametrize(
    ("times", "passed"),
    [((), 0.0), ((1000.0, 1000.1, 1010.0, 1010.1), 10.0), ((None, 1000.0, 1000.0, 1000.1), 0.0), ((1000.0, 1000.0, 999.0, 999.1), 0.0)],
)
@pytest.mark.parametrize(("asked", "waited"), [("0100012600", 0.0), ("01", 1.0)])
def test_commands_are_put_at_the_times_of_the_log_and_an_answer_is_waited_for_one_second(
    monkeypatch: pytest.MonkeyPatch, times: tuple[float | None, ...], passed: float, asked: str, waited: float
) -> None:
    clock = Clock(warp=True)
    monkeypatch.setattr(comparison, "Clock", lambda warp: clock)
    began = clock.now()
    compare(ezsp(*VERSION, (HOST, asked), (DONGLE, "0180012600" + ADDRESS), times=times), None)
    assert clock.now() - began == pytest.approx(passed + waited, abs=0.06)


@pytest.mark.parametrize(
    ("log", "firmware", "said"),
    [
        (Log(""), None, "a comparison"),
        (Log("ezsp", 13), "cc2652-3.30", "a comparison with cc2652-3.30"),
        (Log("znp"), "zbdongle-e-7.4", "a comparison with zbdongle-e-7.4"),
    ],
)
def test_a_log_of_words_alone_or_of_another_family_is_not_compared(log: Log, firmware: str | None, said: str) -> None:
    with pytest.raises(NotAvailable, match=said):
        compare(log, firmware)


@pytest.mark.parametrize(
    ("log", "name"), [(Log("ezsp", 13), "ezsp-13"), (Log("ezsp", 8), "ezsp-8"), (Log("ezsp"), "ezsp-13"), (Log("znp"), "znp")]
)
def test_a_log_is_put_to_firmware_of_its_own_version_and_to_version_13_where_it_tells_none(log: Log, name: str) -> None:
    assert compare(log, None) == Comparison(name, 0, 0, ())


def test_a_reset_by_the_host_is_one_of_the_virtual_dongle() -> None:
    """After it the host has to say its version again."""
    for name, alike in (("RST", 1), ("NAK", 2)):
        log = ezsp(*VERSION, (HOST, "0100012600"), (DONGLE, "0180012600" + ADDRESS))
        log.entries.insert(2, Entry(9, None, HOST, "ash", name))
        assert compare(log, None).alike == alike
