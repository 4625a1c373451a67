"""Instruments in their dialects over pseudo-terminals and sockets: what they may answer that no one expects voids, and never shifts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import AsyncIterator, Callable, Sequence
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
from ichis.instrument.drivers import InstrumentLoad, InstrumentRecord, InstrumentSupply
from ichis.instrument.fault import read_fault
from ichis.instrument.link import InstrumentLink
from ichis.instrument.session import CommandRefused, InstrumentGivenUp, InstrumentSession, InstrumentTrouble
from ichis.instrument.stand_in import Behind, StandIn, StandInLink
from ichis.jig import OPEN_OHM
from ichis.measuring.dialect import dialects, named, recognise
from ichis.measuring.reading import Sample
from ichis.profile import load_profile
from ichis.served_jig import Serving, serve
from ichis.simulated_jig import SimulatedJig
from tests.patience import PATIENCE_S

PROFILE = load_profile("ichis_default")
SUPPLIES = [name for one in dialects().values() if one.kind == "supply" for name in one.models]


@contextlib.asynccontextmanager
async def served(folder: Path, clock: Clock, serving: Serving | None = None, **more: object) -> AsyncIterator[InstrumentJig]:
    async with serve(folder, 0, serving) as table:
        given = {key: value for key, value in table.items() if key != "lines"} | more
        jig = await open_jig(JigTable.model_validate(given), PROFILE, clock, Trace(clock.now), Condition())
        assert isinstance(jig, InstrumentJig)
        jig.hub_side.listen(power=jig.hub_side.drive_device_present)
        try:
            yield jig
        finally:
            await jig.close()


@pytest.mark.requirement("ICH-11")
@pytest.mark.parametrize("tcp", [False, True], ids=["terminal", "socket"])
async def test_a_supply_by_its_dialect_powers_the_hub_and_reads_what_it_draws(tmp_path: Path, tcp: bool) -> None:
    async with served(tmp_path, Clock(), Serving(tcp=tcp)) as jig:
        assert "SIMULATED SUPPLY" in await jig.supply.identity()
        await jig.supply.set_current_limit(1.5)
        await jig.supply.set_voltage(12)
        await jig.supply.output(True)
        await jig.supply.confirm()
        assert jig.hub_side.powered
        amperes = await jig.supply.measure_current()
        assert amperes.value == pytest.approx(0.2, abs=0.001)
        assert 0 < amperes.u < 0.002
        assert (await jig.supply.measure_peak_current()).value == pytest.approx(1.1)
        assert (await jig.probes.volts(1)).value == pytest.approx(11.97)
        assert (await jig.probes.ohms(1, 2)).value < 0.1
        assert (await jig.probes.ohms(1, 3)).value == OPEN_OHM
        await jig.supply.output(False)
        await jig.supply.confirm()
        assert (await jig.supply.measure_voltage()).value == 0


@pytest.mark.parametrize("model", ["scpi-supply", "rigol-dp832", "keysight-e36313a"])
async def test_a_dip_is_played_in_bench_time_by_list_or_step_by_step(clock: Clock, model: str) -> None:
    async with modelled(clock, model, latency_s=0.005) as (jig, supply):
        await supply.set_current_limit(2)
        await supply.set_voltage(12)
        await supply.output(True)
        began = clock.now()
        await supply.play([(6.0, 1.0), (12.0, 0.5)])
        assert clock.now() - began == pytest.approx(1.5, abs=0.2)
        low = [when for when, volts in jig.waveform() if 5.9 < volts < 6.1]
        assert max(low) - min(low) == pytest.approx(1.0, abs=0.05)
        assert jig.hub_side.powered
        with pytest.raises(NotAvailable, match=r"0\.0001 s"):
            await supply.play([(6.0, 0.0001)])


async def test_a_list_that_another_process_plays_has_begun_before_the_next_line_is_answered(clock: Clock) -> None:
    begun: list[list[tuple[float, float]]] = []

    async def begin(points: Sequence[tuple[float, float]]) -> None:
        await clock.sleep(3)
        begun.append(list(points))

    supply = SimulatedJig(PROFILE, clock, Trace(clock.now)).supply
    stand_in = StandIn(*named("scpi-supply"), Behind(supply=supply, begin_list=begin))
    for line in (":LIST:VOLT 6,12", ":LIST:DWEL 1,0.5", ":VOLT:MODE LIST", ":INIT"):
        assert await stand_in.line(line) == []
    assert begun == [[(6.0, 1.0), (12.0, 0.5)]]


@contextlib.asynccontextmanager
async def modelled(clock: Clock, model: str, *faults: str, latency_s: float = 0.0) -> AsyncIterator[tuple[SimulatedJig, InstrumentSupply]]:
    """The stand-in of a supply in front of the simulated jig."""
    jig = SimulatedJig(PROFILE, clock, Trace(clock.now))
    stand_in = StandIn(*named(model), Behind(supply=jig.supply, probes=jig.probes), [read_fault(one) for one in faults], latency_s)
    link = StandInLink(stand_in, clock)
    try:
        supply = InstrumentSupply(await InstrumentSession.open(link, clock, "supply"), clock)
        await supply.open()
        yield jig, supply
    finally:
        link.close()
        await jig.close()


@pytest.mark.parametrize("model", SUPPLIES)
async def test_every_supply_of_a_dialect_is_recognised_set_read_back_measured_and_switched_off(clock: Clock, model: str) -> None:
    async with modelled(clock, model, latency_s=0.01) as (jig, supply):
        assert recognise(await supply.identity()) is named(model)[0]
        await supply.set_current_limit(1.0)
        await supply.set_voltage(12)
        await supply.output(True)
        await supply.confirm()
        assert (await supply.measure_voltage()).value == pytest.approx(12, abs=0.01)
        assert (await supply.measure_current()).value == pytest.approx(0.2, abs=0.01)
        with pytest.raises(JigError, match=r"outside|refused|-222|119"):
            await supply.set_voltage(2000)
        await supply.output(False)
        await supply.confirm()
        assert not jig.socket.feed.feeding


RECORDING = [name for one in dialects().values() if one.record is not None for name in one.models]


@pytest.mark.parametrize("model", RECORDING)
async def test_an_instrument_that_keeps_a_record_of_volts_gives_every_point_of_it(clock: Clock, model: str) -> None:
    """Supply or load, on 12 V: it tells 120 s in which they were gone from the 60th to the 80th, in more than one answer."""
    jig = SimulatedJig(PROFILE, clock, Trace(clock.now))
    dialect, of_model = named(model)
    load = SeesVolts(jig)
    stand_in = StandIn(dialect, of_model, Behind(supply=jig.supply, load=load))
    link = StandInLink(stand_in, clock)
    session = await InstrumentSession.open(link, clock, dialect.kind)
    driver = InstrumentSupply(session, clock) if dialect.kind == "supply" else InstrumentLoad(session, clock)
    await jig.supply.set_voltage(12)
    await jig.supply.output(True)
    assert driver.record is not None
    assert await driver.record.fetch() == [], "none was begun"
    await driver.record.begin()
    await clock.sleep(5)  # of a check that was broken off: forgotten when the next one begins
    await driver.record.begin()
    began = clock.now()
    for seconds, on in ((60, False), (20, True), (40, True)):
        await clock.sleep(seconds)
        await jig.supply.output(on)
    points = await driver.record.fetch()
    period_s = dialect.record.period_s if dialect.record is not None else 0
    assert len(points) == pytest.approx(120 / period_s, abs=2)
    gone = [when - began for when, volts in points if volts < 1]
    assert (min(gone), max(gone)) == pytest.approx((60, 80), abs=2 * period_s)
    assert all(volts == pytest.approx(12, abs=0.1) for when, volts in points if not 59 < when - began < 81)
    assert await driver.record.fetch() == []
    link.close()
    await jig.close()


class SeesVolts:
    """A load across the terminals of the jig's supply, as far as a record asks for it."""

    resolution_s = 0.0

    def __init__(self, jig: SimulatedJig) -> None:
        self.measure_voltage, self.measure_current, self.confirm = (
            jig.supply.measure_voltage,
            jig.supply.measure_current,
            jig.supply.confirm,
        )
        self.identity = jig.supply.identity

    async def draw(self, amperes: float) -> None: ...

    async def observe(self, seconds: float) -> list[Sample]:
        return []


async def test_a_supply_that_refuses_to_keep_a_record_says_so(clock: Clock) -> None:
    async with modelled(clock, "rigol-dp832") as (_, supply):
        assert supply.record is None
        with pytest.raises(NotAvailable, match="rigol-dp800 has no words for it"):
            await InstrumentRecord(supply.session, clock, 1).begin()


async def twice(supply: InstrumentSupply) -> None:
    for _ in range(2):
        await supply.measure_current()


@pytest.mark.parametrize("model", ["scpi-supply", "tti-ql355", "siglent-spd3303x"])
@pytest.mark.parametrize("sentence", ["3s late", "no answer", "answers twice", "garbage", "half an answer", "unasked line", "error queued"])
@pytest.mark.parametrize("number", [5, 6, 7, 8])
async def test_after_any_trouble_the_next_answers_are_those_of_their_questions(
    clock: Clock, model: str, sentence: str, number: int
) -> None:
    async with modelled(clock, model, f"{sentence} at {number}th", latency_s=0.02) as (_, supply):
        await supply.set_current_limit(1.0)
        await supply.set_voltage(12)
        await supply.output(True)
        with pytest.raises(InstrumentTrouble):
            await twice(supply)
        assert (await supply.measure_voltage()).value == pytest.approx(12, abs=0.01)
        assert (await supply.measure_current()).value == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("sentence", ["hangs from 5th", "reads 20% high from 5th", "resets from 30th", "set ignored from 3rd"])
async def test_an_instrument_that_lies_is_found_out_by_what_must_be_so(clock: Clock, sentence: str) -> None:
    async with modelled(clock, "rigol-dp832", sentence, latency_s=0.01) as (_, supply):
        with pytest.raises(JigError):  # noqa: PT012  which of them finds it depends on what it does
            await supply.set_current_limit(1.0)
            await supply.set_voltage(12)
            await supply.output(True)
            await supply.confirm()
            await supply.set_voltage(9)
            await supply.measure_current()


@pytest.mark.parametrize("sentence", ["off ignored", "off 30s late"])
async def test_a_supply_that_says_it_is_off_and_is_not_is_found_by_measuring(clock: Clock, sentence: str) -> None:
    async with modelled(clock, "rigol-dp832", sentence) as (_, supply):
        await supply.set_current_limit(1.0)
        await supply.set_voltage(12)
        await supply.output(True)
        with pytest.raises(JigError, match="told to switch off, it still gives 12 V"):
            await supply.output(False)


async def test_an_instrument_that_is_gone_is_given_up_and_stays_so(clock: Clock) -> None:
    async with modelled(clock, "scpi-supply", "gone from 60th") as (_, supply):
        for _ in range(20):
            with contextlib.suppress(InstrumentTrouble):
                await supply.measure_voltage()
                continue
            break
        with pytest.raises(InstrumentGivenUp, match="could not be brought together"):
            await supply.measure_voltage()
        with pytest.raises(InstrumentGivenUp):
            await supply.output(False)


def test_a_sentence_that_no_instrument_does_is_refused_with_those_there_are() -> None:
    with pytest.raises(BoardError, match="off ignored, on ignored"):
        read_fault("dances at midnight")
    assert read_fault("probe 3s late at 12th").strikes(12)
    assert not read_fault("probe 3s late at 12th").strikes(13)
    assert read_fault("reads 20 % high from 2nd").amount == 20


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


IDN = "CHUB BENCH,SIMULATED SUPPLY,7,1.0"
GOOD = {"*IDN?": IDN, ":SYST:ERR?": '0,"No error"', ":MEAS:VOLT?": "12.0", ":OUTP?": "1"}


@contextlib.asynccontextmanager
async def peer(**answers: bytes) -> AsyncIterator[InstrumentSession]:
    """A peer on a pseudo-terminal that answers as an instrument but for what is given, by question."""
    master, slave = os.openpty()
    tty.setraw(slave)
    loop = asyncio.get_running_loop()
    said: dict[str, bytes] = {question: f"{answer}\n".encode() for question, answer in GOOD.items()}

    def answer() -> None:
        for line in os.read(master, 4096).decode().splitlines():
            os.write(master, said.get(line, b""))

    loop.add_reader(master, answer)
    session = await InstrumentSession.open(InstrumentLink(f"ASRL{os.ttyname(slave)}::INSTR", Clock()), Clock(), "supply", timeout_s=0.3)
    said |= {question.replace("_", ":") + "?": text for question, text in answers.items()}
    try:
        yield session
    finally:
        loop.remove_reader(master)
        session.close()
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    "answer",
    [b"banana\n", b"1e99\n", b"nan\n", b"\xff\xfe\xfd\n", b"-5000\n", b"\n", b"", b"12.0\n12.0\n", b'0,"No error"\n', b"12.0A;1\n"],
)
async def test_nonsense_for_a_measurement_is_refused_with_the_question(answer: bytes) -> None:
    async with peer(_MEAS_VOLT=answer) as session:
        with pytest.raises(InstrumentTrouble, match="MEAS:VOLT"):
            await session.number("volts", -1, 1000, channel=1)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(b'-222,"Data out of range"\n', "refused|error queue does not"), (b"0.5\n", "not an error queue's"), (b"", "no usable answer")],
)
async def test_a_command_that_is_not_confirmed_is_an_error(answer: bytes, problem: str) -> None:
    async with peer(_SYST_ERR=answer) as session:
        with pytest.raises(JigError, match=problem):
            await session.command("switch_on", channel=1)


GONE = JigTable(kind="instruments", supply="ASRL/dev/none-such::INSTR", hub_end="127.0.0.1:9")


async def test_an_instrument_that_is_not_there_or_not_known_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="is it on, connected"):
        InstrumentLink("ASRL/dev/none-such::INSTR", Clock())
    with pytest.raises(NotAvailable, match="chub ichis serve"):
        await open_jig(GONE, PROFILE, Clock(), Trace(lambda: 0.0), Condition())
    with pytest.raises(BoardError, match="needs supply"):
        await open_jig(JigTable(kind="instruments"), PROFILE, Clock(), Trace(lambda: 0.0), Condition())
    async with serve(tmp_path) as table:
        with pytest.raises(NotAvailable, match="no supply of any dialect"):
            await open_jig(JigTable.model_validate(table | {"supply": table["probes"]}), PROFILE, Clock(), Trace(lambda: 0.0), Condition())


async def test_the_served_supply_tells_wrong_commands_in_its_error_queue(tmp_path: Path) -> None:
    async with served(tmp_path, Clock()) as jig:
        supply = jig.supply
        assert isinstance(supply, InstrumentSupply)
        with pytest.raises(CommandRefused, match="-113"):
            await supply.session.tell(":FROBNICATE 1")
        with pytest.raises(CommandRefused, match="-222"):
            await supply.session.tell(":VOLT 99")
        await supply.set_voltage(5)
