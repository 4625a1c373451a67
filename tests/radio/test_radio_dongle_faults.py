"""A dongle with faults on its line and in its firmware, under unmodified bellows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import bellows.ash
import bellows.types as t
import pytest
from bellows.ezsp import EZSP
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from hil.radio.air.air import Air
from hil.radio.ncp.ash import Code
from hil.radio.ncp.server import NcpServer
from hil.radio.port.faults import FaultyLine, NcpFaults
from tests.radio.radio_bench import HUB

COMMANDS = 60


class Bench:
    def __init__(self, clock: Clock, faults: NcpFaults) -> None:
        self.clock = clock
        self.dongle = NcpServer(Air(self.clock, 1), HUB, clock=self.clock, faults=faults)
        self.lost: list[BaseException | None] = []
        self.told = asyncio.Event()

    @contextlib.asynccontextmanager
    async def host(self) -> AsyncIterator[EZSP]:
        path = await self.dongle.serve_pty()
        ezsp = EZSP({"path": str(path), "baudrate": 115200, "flow_control": None}, self)
        await ezsp.connect(use_thread=False)
        try:
            yield ezsp
        finally:
            await ezsp.disconnect()
            await self.dongle.close()

    def connection_lost(self, problem: BaseException | None) -> None:
        """As bellows tells its application."""
        self.lost.append(problem)
        self.told.set()


async def talk(ezsp: EZSP) -> None:
    for number in range(COMMANDS):
        (answer,) = await ezsp.echo(data=bytes([number] * 40))
        assert bytes(answer) == bytes([number] * 40)


@pytest.mark.parametrize(
    "faults",
    [
        NcpFaults(damaged=0.15, seed=1),
        NcpFaults(lost=0.15, seed=2),
        NcpFaults(doubled=0.3, seed=3),
        NcpFaults(refused=0.15, seed=4),
        NcpFaults(missed=0.15, seed=5),
        NcpFaults(repeated=0.3, seed=6),
        NcpFaults(damaged=0.05, lost=0.05, doubled=0.1, refused=0.05, missed=0.05, repeated=0.1, seed=7),
    ],
    ids=lambda faults: f"seed {faults.seed}",
)
async def test_the_host_gets_every_answer_once_and_in_order_over_a_faulty_line(
    clock: Clock, faults: NcpFaults, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(clock, NcpFaults())
    async with bench.host() as ezsp:
        before = bench.dongle.ncp.commands
        with caplog.at_level(logging.DEBUG, bellows.ash.__name__):
            bench.dongle.faults = faults
            await talk(ezsp)
        assert bench.dongle.ncp.commands - before == COMMANDS
        assert bench.lost == []
        bench.dongle.faults = NcpFaults()
    if faults.damaged:
        assert "NakFrame" in caplog.text
    if faults.lost:
        assert bench.dongle.ash.counters["timeouts"] > 0
    if faults.refused:
        assert bench.dongle.ash.counters["framing"] > 0


def test_the_same_seed_hits_the_same_frames_and_another_seed_others() -> None:
    faults = NcpFaults(damaged=0.3, lost=0.3, doubled=0.3, seed=9)
    frames = [bytes([number] * 9) + b"\x7e" for number in range(40)]
    first, again, other = (FaultyLine(one, NcpServer._frame_length) for one in (faults, faults, replace(faults, seed=10)))
    arrived = [first.to_host(frame) for frame in frames]
    assert b"" in arrived
    assert any(len(one) == 20 for one in arrived)
    assert arrived == [again.to_host(frame) for frame in frames]
    assert arrived != [other.to_host(frame) for frame in frames]


async def test_a_slow_dongle_answers_late_and_acknowledges_at_once(clock: Clock) -> None:
    bench = Bench(clock, NcpFaults())
    async with bench.host() as ezsp:
        bench.dongle.faults = NcpFaults(late_s=3.0)
        began = bench.clock.now()
        await ezsp.nop()
        assert 3.0 <= bench.clock.now() - began < 3.5
        assert bench.lost == []


async def test_a_dongle_that_acknowledges_and_never_answers_times_out_at_the_host(clock: Clock) -> None:
    bench = Bench(clock, NcpFaults())
    async with bench.host() as ezsp:
        bench.dongle.faults = NcpFaults(mute=True)
        with pytest.raises(TimeoutError):
            await ezsp.nop()
        bench.dongle.faults = NcpFaults()
        await ezsp.nop()


async def test_a_hung_dongle_is_given_up_and_serves_again_after_its_plug_was_pulled(clock: Clock) -> None:
    bench = Bench(clock, NcpFaults())
    async with bench.host() as ezsp:
        bench.dongle.faults = NcpFaults(silent=True)
        with pytest.raises((bellows.ash.NcpFailure, TimeoutError)):
            await ezsp.nop()
        assert bench.lost
        await ezsp.disconnect()
        bench.dongle.faults = NcpFaults()
        bench.dongle.power(False)
        bench.dongle.power(True)
        await ezsp.connect(use_thread=False)
        await ezsp.nop()


@pytest.mark.parametrize("how", ["reset", "error"])
async def test_the_host_is_told_of_a_dongle_that_resets_or_fails_by_itself(clock: Clock, how: str) -> None:
    bench = Bench(clock, NcpFaults())
    async with bench.host():
        if how == "reset":
            bench.dongle.reset()
        else:
            bench.dongle.fail(Code.ASSERT)
        async with asyncio.timeout(5):
            await bench.told.wait()
        code = t.NcpResetCode.RESET_WATCHDOG if how == "reset" else t.NcpResetCode.RESET_ASSERT
        assert isinstance(bench.lost[0], bellows.ash.NcpFailure)
        assert bench.lost[0].code is code


def test_faults_are_read_from_a_line_of_text() -> None:
    assert NcpFaults.parse("lost=0.1, late_s=2,mute", 5) == NcpFaults(lost=0.1, late_s=2.0, mute=True, seed=5)
    assert NcpFaults.parse("") == NcpFaults()


@pytest.mark.parametrize("text", ["lost", "mute=1", "lost=much", "lost=1.5", "late_s=-1", "seed=3", "gone=1"])
def test_a_fault_that_is_none_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(RadioError, match=text.partition("=")[0]):
        NcpFaults.parse(text)


@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(1, 7))
def test_frames_are_found_in_pieces_of_any_size(frames: list[bytes], size: int) -> None:
    line = FaultyLine(NcpFaults(repeated=1.0), NcpServer._frame_length)
    sent = [bytes(octet for octet in frame if octet != 0x7E) + b"\x7e" for frame in frames]
    stream = b"".join(sent)
    arrived = b"".join(piece for at in range(0, len(stream), size) for piece in line.from_host(stream[at : at + size]))
    assert arrived == b"".join(frame + frame for frame in sent)


@pytest.mark.parametrize("faults", [NcpFaults(rstack=2), NcpFaults(rstack=9), NcpFaults(garbage=True)])
async def test_rows_21_and_22_a_host_starts_on_other_reset_codes_and_behind_a_boot_loader_s_text(clock: Clock, faults: NcpFaults) -> None:
    async with Bench(clock, faults).host() as ezsp:
        (answer,) = await ezsp.echo(data=b"hello")
        assert bytes(answer) == b"hello"


@pytest.mark.parametrize("faults", [NcpFaults(resets_after_s=5), NcpFaults(fails_after_s=5)])
async def test_rows_24_and_25_a_dongle_that_resets_or_gives_up_by_itself_is_told_to_the_host(clock: Clock, faults: NcpFaults) -> None:
    bench = Bench(clock, faults)
    async with bench.host():
        async with asyncio.timeout(30):
            await bench.told.wait()
    assert bench.lost


@given(seed=st.integers(0, 999), frame=st.binary(min_size=2, max_size=40))
def test_a_damaged_octet_never_comes_out_as_flow_control_unless_it_is_asked_for(seed: int, frame: bytes) -> None:
    line = FaultyLine(NcpFaults(damaged=1.0, seed=seed), len)
    damaged = line.to_host(frame)
    (changed,) = [new for old, new in zip(frame, damaged, strict=True) if old != new]
    assert changed not in (0x11, 0x13)


@pytest.mark.parametrize("fault", ["lost", "damaged", "doubled"])
def test_of_frames_to_a_host_the_share_that_is_laid_is_met_by_its_fault_and_by_no_other(fault: str) -> None:
    frame = bytes(range(10))
    line = FaultyLine(NcpFaults(seed=5, **{fault: 0.1}), len)
    met = [line.to_host(frame) for _ in range(1000)]
    found = {"lost": met.count(b""), "doubled": met.count(frame + frame), "damaged": sum(len(one) == 10 and one != frame for one in met)}
    assert {name for name, count in found.items() if count} == {fault}
    assert 50 < found[fault] < 150
