"""Steps of a stimulus on a bench that keeps what it is told: volts, seconds and doubts, each at, below and above its limit; the count that
outlives a run, and the verdict on several boards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, NotAvailable
from hil.conformance.boards import BoardRun, exit_code_of, verdict_of
from hil.conformance.checkpoint import Checkpoint
from hil.conformance.steps import STEPS, _sure_side
from ichis.connector import Level
from ichis.measuring.reading import Plain, Reading
from ichis.uart import LineProfile

LINE = LineProfile(115200, 8, "none", 1)


class Profile(dict[str, float]):
    """Values of a profile, and the settings of its line."""

    line = LINE


@dataclass
class Supply:
    """A supply that keeps what it is told, and when."""

    clock: Clock
    took_s: float = 0.0
    least_step_s: float = 0.0
    least_software_step_s: float = 0.0
    told: list[Any] = field(default_factory=list)
    acted: tuple[float, float] = (0.0, 0.0)

    async def set_voltage(self, volts: float) -> None:
        self.told.append(volts)

    async def measure_voltage(self) -> Reading:
        return Reading(self.told[-1])

    async def play(self, points: list[tuple[float, float]]) -> None:
        self.told.append([(round(volts, 6), round(seconds, 6)) for volts, seconds in points])

    async def output(self, on: bool) -> None:
        before = self.clock.now()
        await self.clock.sleep(self.took_s)
        self.acted = (before, self.clock.now())
        self.told.append(on)


class Bench:
    """A bench of a supply, lines and a clock. ``pins``: volts lost on the way to the pins; ``runs_at``: the hub runs from there on."""

    def __init__(self, clock: Clock, *, lost_v: float = 0.0, lost_again_v: float = 0.0, runs_at: float = 10.0) -> None:
        self.clock, self.supply = clock, Supply(clock)
        self.began = clock.now()
        self.profile = Profile(
            supply_nominal=12.0, power_on_delay_after_presence=0.5, host_holdup_time=2.0, outage_threshold=180.0, ac_lost_release_time=1.0
        )
        self.values: dict[str, Any] = {}
        self.doubts: list[str] = []
        self.asked: list[tuple[str, float, float]] = []
        self.lines: list[tuple[str, Any]] = []
        self.set_lines: list[LineProfile] = []
        self.sent = b""
        self.runs = iter([True, False, True, True, True, True])
        self._lost = iter((lost_v, lost_again_v, lost_again_v))
        self.jig = SimpleNamespace(
            supply=self.supply,
            probes=SimpleNamespace(volts=self._volts),
            lines=SimpleNamespace(read=self._read, drive=self._drive),
            data=SimpleNamespace(set_line=self._set_line, write=self._write, read=self._nothing),
        )
        self._runs_at = runs_at

    def seconds(self) -> float:
        return round(self.clock.now() - self.began, 6)

    async def _volts(self, pin: int) -> Reading:
        assert pin == 1
        lost = next(self._lost)
        return Reading(self.supply.told[-1] - lost)

    async def _read(self, line: str) -> Level:
        assert line == "CH_PR"
        return Level.LOW if self.supply.told[-1] >= self._runs_at else Level.HIGH

    async def _drive(self, line: str, active: bool) -> None:
        self.lines.append((line, active, self.seconds()))  # type: ignore[arg-type]

    async def _set_line(self, line: LineProfile) -> None:
        self.set_lines.append(line)

    async def _write(self, octets: bytes) -> None:
        self.sent += octets

    async def _nothing(self, count: int, seconds: float) -> bytes:
        return b""

    async def switch(self, on: bool) -> Reading:
        await self.supply.output(on)
        self.lines.append(("supply", on, self.seconds()))  # type: ignore[arg-type]
        return Reading(self.clock.now())

    async def drive(self, line: str, active: bool) -> Reading:
        await self._drive(line, active)
        return Reading(self.clock.now())

    async def is_running(self) -> bool:
        return next(self.runs)

    def lasted(self, what: str, asked: float, began: tuple[float, float], ended: tuple[float, float]) -> None:
        self.asked.append((what, asked, round(ended[1] - began[1], 6)))


async def step(bench: Bench, verb: str, value: Any) -> None:
    await STEPS[verb](bench, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, False, None, {"a": 1}])
async def test_what_is_no_number_is_refused_as_one(clock: Clock, value: object) -> None:
    with pytest.raises(BoardError, match="expected a number or an expression over profile values"):
        await step(Bench(clock), "supply", value)


@pytest.mark.parametrize("value", [5, {"from": 1, "to": 2}, {"from": 1, "to": 2, "seconds": 3, "more": 4}])
async def test_a_ramp_needs_exactly_its_three_values(clock: Clock, value: object) -> None:
    with pytest.raises(BoardError, match="expected a table with from, to, seconds"):
        await step(Bench(clock), "ramp", value)


async def test_a_ramp_goes_in_steps_of_50_ms_to_its_end(clock: Clock) -> None:
    bench = Bench(clock)
    await step(bench, "ramp", {"from": 10, "to": 11, "seconds": 0.25})
    assert bench.supply.told == [[(10.2, 0.05), (10.4, 0.05), (10.6, 0.05), (10.8, 0.05), (11.0, 0.05)]]
    bench = Bench(clock)
    await step(bench, "ramp", {"from": 1.1, "to": 1, "seconds": 0.01})
    assert bench.supply.told == [[(1.0, 0.01)]]


@pytest.mark.parametrize(("to", "given"), [(11.0, True), (9.0, True), (11.01, False), (8.99, False)])
async def test_a_ramp_in_steps_of_more_than_a_quarter_of_a_volt_is_not_given(clock: Clock, to: float, given: bool) -> None:
    bench = Bench(clock)
    bench.supply.least_step_s = 0.5
    ramp = {"from": 10, "to": to, "seconds": 2}
    if given:
        await step(bench, "ramp", ramp)
        assert len(bench.supply.told[0]) == 4
    else:
        with pytest.raises(
            NotAvailable, match=r"a ramp of 2 s is not available: this supply would give it in 4 steps, of more than 0.25 V"
        ):
            await step(bench, "ramp", ramp)


@pytest.mark.parametrize(
    ("lost", "again", "told", "doubts"),
    [
        (0.0, 0.0, [12, 12], []),
        (0.5, 0.5, [12, 12.5], []),
        (0.5, 0.625, [12, 12.5], []),
        (0.5, 0.75, [12, 12.5], ["12 V were asked for at the pins, there are 11.75 V"]),
        (0.5, 0.25, [12, 12.5], ["12 V were asked for at the pins, there are 12.25 V"]),
        (11.5, 0.0, [12, 23.5], ["12 V were asked for at the pins, there are 23.5 V"]),
        (12.0, 0.0, [12], []),
    ],
    ids=["nothing lost", "lost the same", "nearly", "more lost", "less lost", "half a volt there", "no volts at all"],
)
async def test_volts_at_the_pins_are_corrected_once_and_doubted_then(
    clock: Clock, lost: float, again: float, told: list[float], doubts: list[str]
) -> None:
    bench = Bench(clock, lost_v=lost, lost_again_v=again)
    await step(bench, "pin_volts", 12)
    assert (bench.supply.told, bench.doubts) == (told, doubts)


async def test_a_rise_ends_where_the_hub_runs_and_finds_the_middle_of_the_last_step(clock: Clock) -> None:
    bench = Bench(clock, runs_at=10.0)
    await step(bench, "rise", {"from": 9, "to": 11, "step": 0.5})
    assert bench.supply.told == [9, 9.5, 10]
    assert bench.seconds() == 3.0  # twice the delay of the profile at each
    assert (bench.values["found"].value, bench.values["found"].u) == (9.75, Reading(9.75).widened(0.25).u)


@pytest.mark.parametrize(("end", "runs"), [(10.0, True), (9.9, False)])
async def test_a_rise_tries_its_end_and_nothing_above(clock: Clock, end: float, runs: bool) -> None:
    bench = Bench(clock, runs_at=10.0)
    await step(bench, "rise", {"from": 9, "to": end, "step": 0.5})
    assert isinstance(bench.values["found"], Reading) == runs
    if not runs:
        assert bench.values["found"] == Plain(False, "the hub did not run up to 9.9 V")


async def test_a_dip_adds_what_is_lost_on_the_way_and_ends_at_the_nominal_volts(clock: Clock) -> None:
    bench = Bench(clock, lost_v=2.0)
    bench.supply.told.append(12.0)
    await step(bench, "dip", {"to": 5, "seconds": 0.25})
    assert bench.supply.told[1:] == [[(6.0, 0.25), (12.0, 0.0)]]
    bench = Bench(clock, lost_v=12.0)  # no volts there: as from one volt
    bench.supply.told.append(12.0)
    await step(bench, "dip", {"to": 0.5, "seconds": 0.25})
    assert bench.supply.told[1:] == [[(6.0, 0.25), (12.0, 0.0)]]


@pytest.mark.parametrize(("shortest", "switched"), [(0.5, True), (0.51, False)])
async def test_an_interruption_that_software_cannot_time_is_played_by_the_supply(clock: Clock, shortest: float, switched: bool) -> None:
    bench = Bench(clock)
    bench.supply.least_software_step_s = shortest
    await step(bench, "interrupt", [2, 0.5])
    if switched:
        assert bench.lines == [("supply", False, 0.0), ("supply", True, 2.0), ("supply", False, 5.0), ("supply", True, 5.5)]
        assert bench.asked == [("an interruption", 2, 2.0), ("an interruption", 0.5, 0.5)]
        assert bench.seconds() == 8.5
    else:
        assert bench.supply.told == [[(0.0, 2), (12.0, 3.0), (0.0, 0.5), (12.0, 3.0)]]


async def test_cycles_count_the_hubs_that_run_where_no_time_with_supply_is_given(clock: Clock) -> None:
    bench = Bench(clock)
    await step(bench, "cycles", {"times": 3, "off": 2, "on": 0})
    assert bench.supply.told == [False, True] * 3
    assert bench.values["reached"].value == 2.0
    assert bench.seconds() == 3 * (2 + 1)
    assert bench.asked == [("a time without supply", 2, 2.0)] * 3
    bench = Bench(clock)
    await step(bench, "cycles", {"times": 2, "off": 0.99, "on": 4})
    assert (bench.values["reached"].value, bench.seconds(), bench.asked) == (0.0, 9.98, [])


@pytest.mark.parametrize(("took", "doubted"), [(0.125, False), (0.25, False), (0.375, True)])
async def test_cycles_that_a_supply_stretches_by_more_than_a_quarter_are_doubted(clock: Clock, took: float, doubted: bool) -> None:
    """2 cycles of 1 s off and 1 s on are 4 s; each is two actions of the supply, of which the first takes the time of the second's wait."""
    bench = Bench(clock)
    bench.supply.took_s = took
    await step(bench, "cycles", {"times": 2, "off": 1, "on": 1})
    assert bench.seconds() == 4 + 4 * took
    assert bool(bench.doubts) == doubted
    if doubted:
        assert bench.doubts == ["2 cycles of 4 s in all took 5.5 s with this supply"]


async def test_an_outage_has_the_hosts_hold_up_within_it_and_ac_restored_after_it(clock: Clock) -> None:
    bench = Bench(clock)
    await step(bench, "outage", {"seconds": 30, "apart": 10})
    assert bench.lines == [("AC LO", True, 10.0), ("supply", False, 12.0), ("supply", True, 40.0), ("AC LO", False, 41.0)]
    assert (bench.seconds(), bench.doubts) == (46.0, [])
    bench = Bench(clock)
    await step(bench, "outage", 30)
    assert bench.lines[0] == ("AC LO", True, 60.0)
    bench = Bench(clock)
    await step(bench, "outage", {"seconds": 30, "apart": 10, "phase": 0.25})
    assert (bench.began + bench.lines[0][2]) % 1.0 == pytest.approx(0.25, abs=1e-4)  # type: ignore[misc]
    bench = Bench(clock)
    await step(bench, "outages", {"times": 2, "seconds": 30})
    assert [row[2] for row in bench.lines if row[:2] == ("AC LO", True)] == [1.0, 38.0]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("began", "ended", "doubted"),
    [
        ((0.0, 0.0), (180.0, 180.0), True),
        ((0.0, 0.0), (179.0, 179.998), False),
        ((0.0, 0.0), (180.002, 181.0), False),
        ((0.0, 0.0), (179.5, 180.5), True),
        ((0.0, 0.5), (180.25, 180.25), True),
        ((0.0, 0.5), (180.75, 181.0), False),
    ],
    ids=["at the threshold", "below it", "above it", "ended within a time", "begun within a time", "begun late"],
)
def test_an_outage_that_may_be_on_either_side_of_the_threshold_is_doubted(
    clock: Clock, began: tuple[float, float], ended: tuple[float, float], doubted: bool
) -> None:
    bench = Bench(clock)
    _sure_side(bench, 180.0, began, ended)  # type: ignore[arg-type]
    assert bool(bench.doubts) == doubted
    assert all(text.startswith("the outage of 180 s lasted from 179.") and text.endswith("of 180 s?") for text in bench.doubts)


async def test_the_bit_clock_is_off_by_percent_and_noise_comes_at_a_third_of_it(clock: Clock) -> None:
    bench = Bench(clock)
    for percent in (2, -2):
        await step(bench, "line", percent)
    assert [line.baud for line in bench.set_lines] == pytest.approx([117504, 112896])
    bench = Bench(clock)
    await step(bench, "noise", 5)
    assert bench.set_lines == [LineProfile(38400, 8, "none", 1), LINE]
    assert bench.sent == bytes(5)


async def test_steps_of_the_hand_and_of_the_line_do_what_they_are_named_after(clock: Clock) -> None:
    bench, seated, cut = Bench(clock), [], []

    async def seat(into: bool) -> None:
        seated.append(into)

    async def cut_off(why: str) -> None:
        cut.append(why)

    wan = SimpleNamespace(coverage=None, cut=cut_off)
    more = {"seat": seat, "station": SimpleNamespace(sm_wan=wan)}
    for name, one in more.items():
        setattr(bench, name, one)
    await step(bench, "insert", True)
    await step(bench, "withdraw", True)
    assert seated == [True, False]
    await step(bench, "coverage", True)
    assert (wan.coverage, cut) == (True, [])
    await step(bench, "coverage", False)
    assert (wan.coverage, cut) == (False, ["no SM WAN coverage"])


# -- the count

FACTS = {"board SHA-256": "b", "profile SHA-256": "p", "checks SHA-256": "c", "user": "anybody"}


def test_a_count_goes_on_where_it_was_and_knows_its_misses(tmp_path: Path) -> None:
    count = Checkpoint(tmp_path / "checkpoint.json", FACTS)
    for reached in (True, False, True):
        count.note(reached)
    assert Checkpoint.resumed(count.path, FACTS) == Checkpoint(count.path, FACTS, 3, 2, [2])
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.json"]
    assert Checkpoint.resumed(count.path, {**FACTS, "user": "another"}).done == 3


@pytest.mark.parametrize("fact", ["board SHA-256", "profile SHA-256", "checks SHA-256"])
def test_a_count_of_another_board_profile_or_checks_is_refused(tmp_path: Path, fact: str) -> None:
    count = Checkpoint(tmp_path / "checkpoint.json", FACTS)
    count.note(True)
    with pytest.raises(BoardError, match="it is not the one of this run: go on with the same board, profile and release"):
        Checkpoint.resumed(count.path, {**FACTS, fact: "another"})


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"done": 1, "reached": 1, "misses": []})])
def test_a_file_that_is_no_count_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "checkpoint.json").write_text(text)
    with pytest.raises(BoardError, match="name the folder of a run that counted power cycles"):
        Checkpoint.resumed(tmp_path / "checkpoint.json", FACTS)
    with pytest.raises(NotAvailable, match="name the folder of a run that counted power cycles"):
        Checkpoint.resumed(tmp_path / "none.json", FACTS)


# -- several boards


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "fail"], "fail"),
        (["inconclusive", "fail"], "fail"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass", None], "inconclusive"),
        ([None], "inconclusive"),
    ],
)
def test_boards_pass_together_only_where_each_passed(verdicts: list[str | None], verdict: str) -> None:
    assert verdict_of([BoardRun("one", 0, {} if one is None else {"verdict": one}) for one in verdicts]) == verdict


@pytest.mark.parametrize(("codes", "code"), [([0, 0], 0), ([0, 1], 1), ([1, 2], 2), ([0, -9], 1), ([-9, 2], 2), ([-9, 1], 1)])
def test_a_board_that_could_not_begin_gives_2_and_one_that_was_killed_1(codes: list[int], code: int) -> None:
    assert exit_code_of([BoardRun("one", one, {}) for one in codes]) == code
