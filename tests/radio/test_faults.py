"""Faults of a serial line and of a firmware's room, each by itself: what it does to a frame, by its seed; and words that are no fault."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_emu.errors import RadioError
from hil.radio.port.faults import Crowd, FaultyLine, NcpFaults

FRAME = bytes(range(0x20, 0x28))
TO_HOST, FROM_HOST = ("lost", "damaged", "doubled"), ("missed", "refused", "repeated")
SHARES = (*TO_HOST, *FROM_HOST, "busy")
SECONDS = ("late_s", "rstack", "resets_after_s", "fails_after_s")


def laid(name: str, value: float) -> NcpFaults:
    facts: dict[str, Any] = {name: value}
    return NcpFaults(**facts)


@pytest.mark.parametrize("name", [*SHARES, *SECONDS])
def test_a_share_is_0_to_1_and_a_time_0_or_more(name: str) -> None:
    for value in (0.0, 1.0):
        assert getattr(laid(name, value), name) == value
    for value, bad in ((-0.001, True), (1.001, name in SHARES), (60.0, name in SHARES)):
        if bad:
            expected = "0..1" if name in SHARES else "0 or more"
            with pytest.raises(RadioError, match=rf"fault {name} of a dongle is {value:g}, expected {expected}$"):
                laid(name, value)
        else:
            assert getattr(laid(name, value), name) == value


def test_a_dongle_has_no_fault_unless_one_is_named_and_the_seed_is_none() -> None:
    sound = NcpFaults()
    assert [getattr(sound, name) for name in (*SHARES, *SECONDS)] == [0.0] * 11
    assert (sound.mute, sound.silent, sound.garbage, sound.flow) == (False, False, False, False)
    assert NcpFaults(seed=7) == sound != NcpFaults(lost=0.1)
    assert FaultyLine(NcpFaults(seed=7), len).sound
    assert not FaultyLine(NcpFaults(mute=True), len).sound


@pytest.mark.parametrize(
    ("faults", "of_ash"),
    [
        (NcpFaults(lost=1.0, mute=True, late_s=1), ()),
        (NcpFaults(rstack=2), ("rstack",)),
        (NcpFaults(garbage=True, flow=True), ("garbage", "flow")),
        (NcpFaults(resets_after_s=1, fails_after_s=1), ("resets_after_s", "fails_after_s")),
    ],
)
def test_faults_that_only_a_line_with_ash_has_are_told_by_name(faults: NcpFaults, of_ash: tuple[str, ...]) -> None:
    assert faults.of_ash == of_ash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lots=0.1", "fault 'lots=0.1' of a dongle: expected one of damaged=NUMBER, lost=NUMBER, "),
        ("lots=0.1", r"mute, silent, .*; did you mean lost\?"),
        ("mute=1", "fault 'mute=1' of a dongle: expected one of"),
        ("lost", "fault 'lost' of a dongle: expected one of"),
        ("lost=much", "fault lost of a dongle is 'much', expected a number"),
        ("seed=3", "fault 'seed=3' of a dongle: expected one of"),
    ],
)
def test_a_word_that_is_no_fault_is_told_with_those_that_are(text: str, said: str) -> None:
    with pytest.raises(RadioError, match=said):
        NcpFaults.parse(text)


@pytest.mark.parametrize("names", [TO_HOST, FROM_HOST], ids=["to the host", "from the host"])
def test_a_frame_is_lost_damaged_or_doubled_on_its_own_way_alone(names: tuple[str, str, str]) -> None:
    def passed(line: FaultyLine, way: tuple[str, str, str]) -> bytes:
        return line.to_host(FRAME) if way is TO_HOST else b"".join(line.from_host(FRAME))

    other = FROM_HOST if names is TO_HOST else TO_HOST
    lost, damaged, doubled = names
    for name, spoiled in ((lost, True), (damaged, True), (doubled, False)):
        line = FaultyLine(laid(name, 1.0), len)
        assert passed(line, other) == FRAME
        assert not line.spoiled
        arrived = passed(line, names)
        assert line.spoiled == spoiled
        if name == lost:
            assert arrived == b""
        elif name == doubled:
            assert arrived == FRAME * 2
        else:
            assert sum((one ^ before).bit_count() for one, before in zip(arrived, FRAME, strict=True)) == 1


def test_of_a_damaged_frame_any_bit_but_those_of_the_last_octet_may_be_turned() -> None:
    turned: Counter[tuple[int, int]] = Counter()
    line = FaultyLine(NcpFaults(damaged=1.0, flow=True), len)
    for _ in range(2000):
        arrived = line.to_host(FRAME)
        ((place, changed),) = [(at, arrived[at] ^ FRAME[at]) for at in range(8) if arrived[at] != FRAME[at]]
        turned[place, changed] += 1
    assert set(turned) == {(at, 1 << bit) for at in range(7) for bit in range(8)}
    assert max(turned.values()) < 5 * min(turned.values())
    assert len(line.to_host(b"\x41")) == 1


def test_a_bit_that_would_come_out_as_flow_control_gives_way_to_the_next() -> None:
    """XON 0x11 and XOFF 0x13 (reference ezsp-ncp 1)."""
    for first, octet, sound, with_flow in ((1, 0x11, 0x15, 0x13), (7, 0x91, 0x90, 0x11), (0, 0x11, 0x10, 0x10)):
        for flow, expected in ((False, sound), (True, with_flow)):
            line = FaultyLine(NcpFaults(damaged=1.0, flow=flow), len)
            line._draw = SimpleNamespace(random=lambda: 0.0, randrange=lambda most, first=first: 0 if most == 1 else first)  # type: ignore[assignment]
            assert line.to_host(bytes([octet, 0x7E])) == bytes([expected, 0x7E])


def test_frames_of_the_host_wait_until_they_are_whole_while_a_fault_is_laid_and_not_after() -> None:
    line = FaultyLine(NcpFaults(repeated=1.0), lambda octets: octets.find(b"\x7e") + 1)
    assert list(line.from_host(b"ab")) == []
    assert list(line.from_host(b"c\x7ede\x7ef")) == [b"abc\x7eabc\x7e", b"de\x7ede\x7e"]
    line.faults = NcpFaults()
    assert list(line.from_host(b"g\x7e")) == [b"fg\x7e"]
    assert list(line.from_host(b"h")) == [b"h"]


@pytest.mark.parametrize("kind", [FaultyLine, Crowd])
def test_the_seed_fixes_what_is_met(kind: type) -> None:
    def met(seed: int) -> list[object]:
        faults = NcpFaults(lost=0.5, busy=0.5, seed=seed)
        if kind is Crowd:
            crowd = Crowd(faults)
            return [crowd.status("send", ("a", "b")) for _ in range(50)]
        line = FaultyLine(faults, len)
        return [line.to_host(FRAME) for _ in range(50)]

    assert met(1) == met(1) != met(2)


def test_a_command_that_finds_no_room_gets_its_statuses_in_turn_and_each_refusal_is_counted() -> None:
    crowd = Crowd(NcpFaults(busy=1.0))
    told = [crowd.status("send", ("a", "b", "c")) for _ in range(6)]
    assert sorted(map(str, told[:3])) == ["a", "b", "c"]
    assert told[3:] == told[:3]
    assert crowd.status("other", ("a",)) == "a"
    assert crowd.refusals == {("send", one): 2 for one in "abc"} | {("other", "a"): 1}
    crowd.lay(NcpFaults(busy=0.25))
    assert crowd.refusals == {}
    refused = sum(crowd.status("send", ("a",)) is not None for _ in range(2000))
    assert 400 < refused < 600
    crowd.lay(NcpFaults())
    assert crowd.status("send", ("a",)) is None
