"""SCPI over pseudo-terminals through pyvisa-py: a supply and a multimeter served, and what they may answer that no one expects."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_emu.board import JigTable
from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, JigError, NotAvailable
from firmware_emu.trace import Trace
from ichis.bench_jig import InstrumentJig, open_jig
from ichis.condition import Condition
from ichis.connector import Level
from ichis.hub_side import HubSide
from ichis.jig import OPEN_OHM
from ichis.profile import load_profile
from ichis.scpi import ScpiInstrument, ScpiSupply
from ichis.served_jig import serve
from tests.patience import PATIENCE_S

PROFILE = load_profile("ichis_default")


@contextlib.asynccontextmanager
async def served(folder: Path, clock: Clock, **more: object) -> AsyncIterator[InstrumentJig]:
    async with serve(folder) as table:
        given = {key: value for key, value in table.items() if key != "lines"} | more
        jig = await open_jig(JigTable.model_validate(given), PROFILE, clock, Trace(clock.now), Condition())
        assert isinstance(jig, InstrumentJig)
        jig.hub_side.on_power = jig.hub_side.drive_device_present
        try:
            yield jig
        finally:
            await jig.close()


@pytest.mark.requirement("ICH-11")
async def test_a_supply_by_scpi_powers_the_hub_and_reads_what_it_draws(tmp_path: Path) -> None:
    async with served(tmp_path, Clock()) as jig:
        assert "SIMULATED SUPPLY" in await jig.supply.identity()
        await jig.supply.set_current_limit(1.5)
        await jig.supply.set_voltage(12)
        await jig.supply.output(True)
        assert jig.hub_side.powered
        assert await jig.supply.measure_current() == pytest.approx(0.2, abs=0.001)
        assert await jig.supply.measure_peak_current() == pytest.approx(1.1)
        assert await jig.probes.volts(1) == pytest.approx(11.97)
        assert await jig.probes.ohms(1, 2) < 0.1
        assert await jig.probes.ohms(1, 3) == OPEN_OHM
        await jig.supply.output(False)
        assert await jig.supply.measure_voltage() == 0


@pytest.mark.parametrize("lists", [False, True])
async def test_a_dip_is_played_in_bench_time_by_list_or_step_by_step(clock: Clock, tmp_path: Path, lists: bool) -> None:
    async with served(tmp_path, clock, supply_lists=lists) as jig:
        await jig.supply.set_voltage(12)
        await jig.supply.output(True)
        began = clock.now()
        await jig.supply.play([(6.0, 1.0), (12.0, 0.5)])
        assert clock.now() - began == pytest.approx(1.5, abs=0.05)
        low = [when for when, volts in jig.waveform() if 5.9 < volts < 6.1]
        assert max(low) - min(low) == pytest.approx(1.0, abs=0.05)
        assert jig.hub_side.powered


async def test_lines_travel_as_modem_lines_of_the_served_port(tmp_path: Path) -> None:
    async with serve(tmp_path) as table, contextlib.AsyncExitStack() as stack:
        jig = await open_jig(JigTable.model_validate(table), PROFILE, Clock(), Trace(lambda: 0.0), Condition())
        stack.push_async_callback(jig.close)
        side = jig.hub_side

        async def until(holds: Callable[[HubSide], bool]) -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not holds(side):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        await jig.lines.drive("MT_PR", True)
        await until(lambda side: side.host_present)
        await jig.lines.drive("AC LO", False)
        await until(lambda side: not side.ac_lost)
        await jig.lines.release("AC LO")
        await until(lambda side: side.ac_lost)
        assert await jig.lines.read("CH_PR") is Level.HIGH
        side.drive_device_present(True)
        changes = await jig.lines.watch("CH_PR", 1.0)
        assert changes[-1][1] is Level.LOW
        with pytest.raises(JigError, match="read by this end on CTS"):
            await jig.lines.drive("CH_PR", True)


@contextlib.asynccontextmanager
async def peer(answer: Callable[[str], bytes]) -> AsyncIterator[ScpiInstrument]:
    """A SCPI peer on a pseudo-terminal that answers what ``answer`` says."""
    master, slave = os.openpty()
    tty.setraw(slave)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, lambda: os.write(master, answer(os.read(master, 4096).decode())))
    instrument = ScpiInstrument(f"ASRL{os.ttyname(slave)}::INSTR", Clock(), timeout_ms=300)
    try:
        yield instrument
    finally:
        loop.remove_reader(master)
        instrument.close()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"banana\n", "answered 'banana', expected a number"),
        (b"1e99\n", "no usable answer|cannot be"),
        (b"nan\n", "cannot be"),
        (b"\xff\xfe\xfd\n", "no usable answer|expected a number"),
        (b"-5000\n", "cannot be"),
        (b"\n", "expected a number"),
        (b"", "no usable answer"),
    ],
)
async def test_nonsense_for_a_measurement_is_refused_with_the_question_and_the_answer(answer: bytes, problem: str) -> None:
    async with peer(lambda _: answer) as instrument:
        supply = ScpiSupply(instrument, Clock(), list_mode=False, peak_query=":MEAS:CURR:HIGH?")
        with pytest.raises(JigError, match=problem) as caught:
            await supply.measure_voltage()
        assert "MEAS:VOLT?" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b'1;-222,"Data out of range"\n', "refused: -222"),
        (b"0;0\n", "expected 1"),
        (b"hello\n", "expected 1"),
        (b"", "no usable answer"),
    ],
)
async def test_a_command_that_is_not_confirmed_is_an_error(answer: bytes, problem: str) -> None:
    async with peer(lambda _: answer) as instrument:
        supply = ScpiSupply(instrument, Clock(), list_mode=False, peak_query="")
        with pytest.raises(JigError, match=problem):
            await supply.output(True)


GONE = JigTable(kind="instruments", supply="ASRL/dev/none-such::INSTR", hub_end="127.0.0.1:9")


async def test_an_instrument_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(NotAvailable, match="is it on, connected"):
        ScpiInstrument("ASRL/dev/none-such::INSTR", Clock())
    with pytest.raises(NotAvailable, match="chub ichis serve"):
        await open_jig(GONE, PROFILE, Clock(), Trace(lambda: 0.0), Condition())
    with pytest.raises(BoardError, match="needs supply"):
        await open_jig(JigTable(kind="instruments"), PROFILE, Clock(), Trace(lambda: 0.0), Condition())


async def test_the_served_supply_tells_wrong_commands_in_its_error_queue(tmp_path: Path) -> None:
    async with served(tmp_path, Clock()) as jig:
        supply = jig.supply
        assert isinstance(supply, ScpiSupply)
        with pytest.raises(JigError, match=r"-200.*outside"):
            await supply.set_voltage(99)
        with pytest.raises(JigError, match="-113"):
            await supply._instrument.tell(":FROBNICATE 1")
        await supply.set_voltage(5)
