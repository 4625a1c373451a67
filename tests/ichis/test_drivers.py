"""Supply, load, meter and relay against an instrument that answers what the test says: each limit of belief at and beside its figure."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable
from ichis.instrument.drivers import (
    InstrumentLoad,
    InstrumentMating,
    InstrumentProbes,
    InstrumentRecord,
    InstrumentRelay,
    InstrumentSupply,
    NotObeyed,
    Standards,
)
from ichis.instrument.session import InstrumentTrouble, Statistics
from ichis.jig import OPEN_OHM
from ichis.measuring.dialect import ListWords, Model, RecordWords
from ichis.measuring.latency import OffLatency
from ichis.measuring.reading import Accuracy, Basis, Reading, Sample, Span, between, highest, lowest, reading

LIST = ListWords("VOLTS {points}", "SECONDS {points}", ("GO {channel}",), ("STOP",), "AMPERES {points}", ("BEFORE",))
RECORD = RecordWords(("KEEP {channel} {seconds:g} {period:g}",), ("END",), "FETCH {count}", 0.5, 600.0)


@dataclass
class Words:
    """As much of a dialect as drivers look at."""

    family: str = "a family"
    words: dict[str, str] = field(default_factory=lambda: {"peak": "PEAK?"})
    least_step_s: float = 0.01
    renewal_s: float = 0.0
    first_channel: int = 100
    playing: ListWords | None = None
    record: RecordWords | None = None


class Session:
    """An instrument that answers from lists: the last answer is given on and on. Each exchange takes ``takes_s``."""

    def __init__(self, clock: Clock, **answers: Any) -> None:
        self.clock, self.answers = clock, {action: list(many) if isinstance(many, tuple) else [many] for action, many in answers.items()}
        self.dialect, self.seen, self.resource, self.idn = Words(), Statistics(), "INSTR", "MAKER,MODEL,1,1"
        self.model = Model("model", self.idn, (1, 2), 30.0, 3.0, {})
        self.told: list[tuple[Any, ...]] = []
        self.takes_s = 0.0
        self.closed = False

    def _next(self, action: str) -> Any:
        many = self.answers[action]
        return many.pop(0) if len(many) > 1 else many[0]

    async def number(self, action: str, low: float, high: float, *, overrange: float | None = None, **keys: int) -> float:
        await self.clock.sleep(self.takes_s)
        assert low < high
        answer = self._next(action)
        return float(answer(keys) if callable(answer) else answer)

    async def figures(self, question: str) -> list[float]:
        self.told.append((question,))
        return list(self._next("figures"))

    async def switch(self, channel: int) -> bool:
        return bool(self._next("switch"))

    async def tell(self, line: str) -> None:
        self.told.append((line,))

    async def command(self, action: str, **keys: float) -> None:
        self.told.append((action, keys.get("channel"), *([keys["value"]] if "value" in keys and action.startswith("set") else [])))

    def close(self) -> None:
        self.closed = True


def supply(clock: Clock, *, on: bool = True, volts: float = 12.0, limit_a: float = 1.0, **answers: Any) -> InstrumentSupply:
    """A supply that was set so, and answers as it is given."""
    given = {"volts": volts, "amperes": 0.2, "ask_volts": volts, "ask_amperes": limit_a, "switch": on, "peak": 1.0} | answers
    one = InstrumentSupply(Session(clock, **given), clock)  # type: ignore[arg-type]
    one._volts, one._limit_a, one._on = volts, limit_a, on
    return one


def session(one: Any) -> Session:
    found = one.session
    assert isinstance(found, Session)
    return found


ACCURATE = Accuracy((Span(100.0, 0.01, 0.0, 0.0),), Basis.DATASHEET)


# readings


def test_uncertainties_of_independent_terms_add_by_their_squares_and_the_worst_basis_counts() -> None:
    one, other = Reading(3.0, 0.3, Basis.CALIBRATED), Reading(4.0, 0.4, Basis.ESTIMATE)
    assert (one + other, one - other) == (Reading(7.0, 0.5, Basis.ESTIMATE), Reading(-1.0, 0.5, Basis.ESTIMATE))
    product, quotient = one * other, one / other
    assert product.value == 12.0
    assert product.u == pytest.approx(math.hypot(1.2, 1.2))
    assert quotient.value == 0.75
    assert quotient.u == pytest.approx(math.hypot(0.3 / 4, 3 * 0.4 / 16))
    assert abs(Reading(-3.0, 0.3)) == Reading(3.0, 0.3)
    assert one + 1 == Reading(4.0, 0.3, Basis.CALIBRATED)
    assert reading(2) == Reading(2.0, 0.0, Basis.EXACT)
    wide = one.widened(0.5)
    assert (wide.value, wide.basis) == (3.0, Basis.ESTIMATE)
    assert wide.u == pytest.approx(math.hypot(0.3, 2 * 0.5 / math.sqrt(3)))
    assert between(1.0, 1.0) == Reading(1.0)
    moment = between(1.0, 2.0)
    assert moment.value == 1.5
    assert moment.u == pytest.approx(2 * 0.5 / math.sqrt(3))
    assert Sample(1.0, 2.0, one).when == 1.5
    assert (highest([one, other]), lowest([one, other])) == (other, one)
    assert [int(basis) for basis in Basis] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("value", "u", "basis"), [(5.0, 0.06, 2), (10.0, 0.11, 2), (-10.0, 0.11, 2), (10.1, 0.30, 2), (20.0, 0.5, 2), (20.1, 0, 4)]
)
def test_the_accuracy_of_a_range_holds_up_to_its_end(value: float, u: float, basis: int) -> None:
    """Limit of error: 1 % of the reading and 0.01 up to 10, 2 % and 0.1 up to 20; k = 2 of a rectangular distribution."""
    accuracy = Accuracy((Span(10.0, 0.01, 0.01, 0.0), Span(20.0, 0.02, 0.1, 0.0)), Basis.DATASHEET)
    found = accuracy.of(value)
    assert found.value == value
    assert found.basis == basis
    assert found.u == pytest.approx(2 * u / math.sqrt(3), rel=0.01)
    digit = Accuracy((Span(10.0, 0.0, 0.0, 0.1),), Basis.DATASHEET).of(1.0)
    assert digit.u == pytest.approx(2 * 0.05 / math.sqrt(3))


@pytest.mark.parametrize(
    ("ended", "acted"), [(10.29, (10.03, 10.07)), (10.31, (10.0, 10.31)), (10.05, (10.03, 10.05)), (10.02, (10.02, 10.02))]
)
def test_a_measured_latency_says_when_an_output_went_off(ended: float, acted: tuple[float, float]) -> None:
    latency = OffLatency(50, 0.04, 0.05, 0.06, 0.005, 0.3)
    assert latency.acted(10.0, ended) == pytest.approx(acted)
    assert OffLatency(50, 0.005, 0.05, 0.06, 0.005, 0.3).acted(10.0, 10.3)[0] == 10.0


# the supply


@pytest.mark.parametrize(("back", "obeyed"), [(12.0, True), (12.011, True), (11.989, True), (12.012, False), (11.98, False)])
async def test_a_setting_is_read_back_to_a_hundredth(clock: Clock, back: float, obeyed: bool) -> None:
    one = supply(clock, ask_volts=back)
    if obeyed:
        await one.set_voltage(12.0)
        assert session(one).told == [("set_volts", 1, 12.0)]
    else:
        with pytest.raises(NotObeyed, match=f"INSTR: told set volts 12, it says {back:g}"):
            await one.set_voltage(12.0)


@pytest.mark.parametrize(("volts", "given"), [(0.0, True), (30.0, True), (-0.01, False), (30.01, False)])
async def test_a_supply_takes_volts_within_what_it_gives_and_a_limit_as_far_as_it_reaches(clock: Clock, volts: float, given: bool) -> None:
    one = supply(clock, ask_volts=volts, ask_amperes=3.0)
    if given:
        await one.set_voltage(volts)
    else:
        with pytest.raises(JigError, match=f"{volts:g} V is outside what this supply gives: 0 to 30 V"):
            await one.set_voltage(volts)
    session(one).told.clear()
    await one.set_current_limit(5.0)
    assert session(one).told == [("set_amperes", 1, 3.0)]


@pytest.mark.parametrize(
    ("on", "volts", "amperes", "problem"),
    [
        (False, 0.0, 0.01, ""),
        (False, 12.0, 0.0, ""),
        (False, 12.0, 0.011, "told to switch off, it still gives 12 V and 0.011 A"),
        (False, 12.0, -0.02, "told to switch off, it still gives 12 V and -0.02 A"),
        (True, 12.6, 0.2, ""),
        (True, 11.4, 0.2, ""),
        (True, 12.61, 0.2, "set to 12 V and switched on, it gives 12.6 V and 0.2 A"),
        (True, 11.39, 0.2, "set to 12 V and switched on, it gives 11.4 V and 0.2 A"),
        (True, 5.0, 0.8, ""),
        (True, 5.0, 0.79, "set to 12 V and switched on, it gives 5 V and 0.79 A"),
        (True, 12.0, 1.07, ""),
        (True, 12.0, 1.071, "it says 1.07 A above its limit of 1 A"),
    ],
)
async def test_an_output_that_is_not_what_it_was_told_is_told_so_after_a_second(
    clock: Clock, on: bool, volts: float, amperes: float, problem: str
) -> None:
    one = supply(clock, on=on)
    session(one).answers |= {"volts": [volts], "amperes": [amperes]}
    began = clock.now()
    if not problem:
        await one.output(on)
        assert one.acted == (began, began)
        return
    with pytest.raises(NotObeyed) as refused:
        await one.output(on)
    assert str(refused.value) == f"INSTR: {problem}"
    assert 1.0 < clock.now() - began <= 1.06


@pytest.mark.parametrize("on", [True, False])
async def test_an_output_has_a_second_to_get_there_and_its_state_is_asked_for(clock: Clock, on: bool) -> None:
    one = supply(clock, on=on, amperes=(2.0,) * 15 + (0.2 if on else 0.0,))
    began = clock.now()
    await one.output(on)
    assert clock.now() - began == pytest.approx(15 * 0.05)
    assert one.acted == (began, clock.now())
    assert session(one).told == [("switch_on" if on else "switch_off", 1)]
    session(one).answers["switch"] = [not on]
    with pytest.raises(NotObeyed, match=f"told to switch {'on' if on else 'off'}, it says that it did not"):
        await one.output(on)


async def test_what_was_switched_or_set_by_nobody_is_noticed(clock: Clock) -> None:
    await supply(clock).confirm()
    for answers, said in (
        ({"switch": False}, "its output is not on any more, and nobody switched it"),
        ({"ask_volts": 12.02}, "set to 12, it says 12.02, and nobody set it so"),
        ({"ask_amperes": 0.98}, "set to 1, it says 0.98, and nobody set it so"),
    ):
        with pytest.raises(NotObeyed, match=said):
            await supply(clock, **answers).confirm()
    with pytest.raises(NotObeyed, match="its output is not off any more"):
        await supply(clock, on=False, switch=True, amperes=0.0).confirm()


@pytest.mark.parametrize(
    ("quantity", "first", "second", "agree"),
    [
        ("volts", 12.0, 12.239, True),
        ("volts", 12.0, 12.241, False),
        ("amperes", 0.2, 0.22, True),
        ("amperes", 0.2, 0.221, False),
        ("amperes", 0.2, 0.179, False),
    ],
)
async def test_two_readings_agree_to_two_hundredths(clock: Clock, quantity: str, first: float, second: float, agree: bool) -> None:
    one = supply(clock)
    session(one).answers[quantity] = [first, second]
    if agree:
        found = await (one.measure_voltage() if quantity == "volts" else one.measure_current())
        assert found.value == second
    else:
        unit = "V" if quantity == "volts" else "A"
        with pytest.raises(InstrumentTrouble, match=f"two readings disagree: {first:g} and {second:g} {unit}"):
            await one.measure_voltage()


async def test_readings_may_be_as_far_apart_as_their_uncertainty_and_are_proved_by_the_setting(clock: Clock) -> None:
    one = supply(clock)
    one.accuracy = {"amperes": Accuracy((Span(100.0, 0.5, 0.0, 0.0),), Basis.DATASHEET)}
    session(one).answers["amperes"] = [0.2, 0.4]
    assert (await one.measure_current()).value == 0.4
    session(one).answers["volts"] = [11.0]
    with pytest.raises(NotObeyed, match="set to 12 V and switched on, it gives 11 V"):
        await one.measure_voltage()


@pytest.mark.parametrize(("again", "agree"), [(1.019, True), (0.981, True), (1.021, False)])
async def test_a_peak_is_asked_for_twice_where_there_is_a_word_for_it(clock: Clock, again: float, agree: bool) -> None:
    one = supply(clock, peak=(1.0, again))
    if agree:
        assert (await one.measure_peak_current()).value == again
    else:
        with pytest.raises(InstrumentTrouble, match=f"two readings of the peak disagree: 1 and {again:g} A"):
            await one.measure_peak_current()
    for without in (supply(clock), supply(clock)):
        without._peak = False
        with pytest.raises(NotAvailable, match="the peak of the current"):
            await without.measure_peak_current()
    session(one).dialect.words.clear()
    with pytest.raises(NotAvailable, match="MAKER,MODEL,1,1 does not tell it"):
        await one.measure_peak_current()


async def test_steps_are_timed_by_software_where_there_is_time_for_five_settings(clock: Clock) -> None:
    one = supply(clock, ask_volts=(9.0, 12.0, 12.0), volts=12.0)
    session(one).seen.longest_s = 0.02
    assert one.least_step_s == one.least_software_step_s == pytest.approx(0.1)
    with pytest.raises(NotAvailable, match=r"a step of 0.09 s.*software needs 0.1 s on MAKER"):
        await one.play([(9.0, 0.09)])
    began = clock.now()
    await one.play([])
    session(one).takes_s = 0.05
    await one.play([(9.0, 0.1), (12.0, 0.25), (12.0, 0.0)])
    assert [told for told in session(one).told if told[0] == "set_volts"] == [
        ("set_volts", 1, 9.0),
        ("set_volts", 1, 12.0),
        ("set_volts", 1, 12.0),
    ]
    assert clock.now() - began == pytest.approx(0.4)
    assert one.least_software_step_s == pytest.approx(0.25, abs=1e-4), "a setting takes 0.05 s"


async def test_a_list_is_loaded_started_waited_for_and_stopped(clock: Clock) -> None:
    one = supply(clock, ask_volts=12.0)
    session(one).dialect.playing = LIST
    with pytest.raises(NotAvailable, match=r"its list's shortest step is 0.01 s"):
        await one.play([(9.0, 0.009)])
    began = clock.now()
    await one.play([(9.0, 0.5), (12.0, 0.0)])
    assert session(one).told == [
        ("BEFORE",),
        ("VOLTS 9.0000,12.0000",),
        ("AMPERES 1.0000,1.0000",),
        ("SECONDS 0.5000,0.0100",),
        ("GO 1",),
        ("STOP",),
        ("set_volts", 1, 12.0),
    ]
    assert clock.now() - began == pytest.approx(0.51)


async def test_a_supply_asks_for_its_limits_where_it_has_words_for_them_and_begins_off(clock: Clock) -> None:
    one = supply(clock, on=False, amperes=0.0, most_volts=20.0, most_amperes=2.0)
    await one.open()
    assert session(one).told == [("switch_off", 1)]
    session(one).dialect.words |= {"most_volts": "MOST?"}
    await one.open()
    with pytest.raises(JigError, match="0 to 20 V"):
        await one.set_voltage(20.1)
    assert await one.identity() == "MAKER,MODEL,1,1"
    one.close()
    assert session(one).closed
    with pytest.raises(NotAvailable, match=r"channel 3 of MAKER,MODEL,1,1.*expected one of 1, 2"):
        InstrumentSupply(session(one), clock, channel=3)  # type: ignore[arg-type]


# the record


async def test_a_record_is_fetched_in_pieces_of_500_a_point_each_period(clock: Clock) -> None:
    one = Session(clock, figures=([1.0] * 500, [2.0] * 500, [3.0] * 7))
    one.dialect.record = RECORD
    kept = InstrumentRecord(one, clock, 2)  # type: ignore[arg-type]
    assert await kept.fetch() == []
    await kept.begin()
    began = clock.now()
    await clock.sleep(510.3)
    points = await kept.fetch()
    assert [told for (told,) in one.told] == ["KEEP 2 600 0.5", "END", "FETCH 500", "FETCH 500", "FETCH 20"]
    assert [volts for _, volts in points] == [1.0] * 500 + [2.0] * 500 + [3.0] * 7
    assert [at - began for at, _ in points[:3]] == pytest.approx([0.5, 1.0, 1.5])
    assert await kept.fetch() == [], "once"
    await kept.begin()
    await clock.sleep(1000)
    one.answers["figures"] = [[1.0] * 500, [1.0] * 500, [1.0] * 400]
    assert len(await kept.fetch()) == 1200, "it keeps 600 s"


# the load


def load(clock: Clock, drawn: float = 0.5, **answers: Any) -> InstrumentLoad:
    given = {"volts": 12.0, "amperes": drawn, "ask_amperes": drawn, "switch": bool(drawn)} | answers
    one = InstrumentLoad(Session(clock, **given), clock)  # type: ignore[arg-type]
    one._drawn_a = drawn
    return one


@pytest.mark.parametrize(
    ("drawn", "volts", "amperes", "wrong"),
    [
        (0.5, 12.0, 0.549, False),
        (0.5, 12.0, 0.551, True),
        (0.5, 12.0, 0.449, True),
        (2.0, 12.0, 2.099, False),
        (2.0, 12.0, 2.11, True),
        (0.5, 1.0, 0.0, False),
        (0.5, 1.01, 0.0, True),
        (0.5, 1.0, 0.6, True),
    ],
)
async def test_a_load_draws_what_it_was_told_where_there_is_anything(
    clock: Clock, drawn: float, volts: float, amperes: float, wrong: bool
) -> None:
    one = load(clock, drawn, volts=volts, amperes=amperes)
    if wrong:
        with pytest.raises(NotObeyed, match=f"told to draw {drawn:g} A, it draws {amperes:.3g} A"):
            await one.confirm()
    else:
        await one.confirm()


async def test_a_load_is_told_and_asked(clock: Clock) -> None:
    one = load(clock, 3.0)
    await one.draw(3.0)
    with pytest.raises(NotAvailable, match=r"a load of 3.01 A.*draws at most 3 A"):
        await one.draw(3.01)
    assert session(one).told == [("set_amperes", 1, 3.0), ("switch_on", 1)]
    session(one).answers |= {"ask_amperes": [0.0], "switch": [False]}
    await one.draw(0.0)
    assert session(one).told[-1] == ("switch_off", 1)
    session(one).answers["switch"] = [True]
    with pytest.raises(NotObeyed, match="told to switch off, it says that it did not"):
        await one.draw(0.0)
    with pytest.raises(NotObeyed, match="its input is not off any more"):
        await load(clock, 0.0, switch=True).confirm()
    with pytest.raises(NotObeyed, match=r"set to 0.5 A, it says 0.52 A"):
        await load(clock, ask_amperes=0.52).confirm()
    session(one).dialect.renewal_s, session(one).seen.longest_s = 0.1, 0.05
    assert one.resolution_s == pytest.approx(0.075)
    session(one).seen.longest_s = 0.01
    assert one.resolution_s == pytest.approx(0.05)


@pytest.mark.parametrize(("second", "agree"), [(12.479, True), (11.521, True), (12.49, False)])
async def test_volts_at_a_load_agree_to_four_hundredths(clock: Clock, second: float, agree: bool) -> None:
    one = load(clock, volts=(12.0, 12.0, second))
    if agree:
        assert (await one.measure_voltage()).value == second
    else:
        with pytest.raises(InstrumentTrouble, match=f"two readings disagree: 12 and {second:g} V"):
            await one.measure_voltage()


async def test_a_course_is_a_reading_after_another_two_milliseconds_apart(clock: Clock) -> None:
    one = load(clock)
    session(one).takes_s = 0.01
    session(one).dialect.renewal_s = 0.005
    began = clock.now()
    seen = await one.observe(0.1)
    assert [(round(sample.began - began, 4), round(sample.ended - began, 4)) for sample in seen[:2]] == [(-0.005, 0.01), (0.007, 0.022)]
    assert len(seen) == 9
    assert [volts for _, volts in one.curve] == [12.0] * 9
    assert (await one.measure_current()).value == 0.5


# the meter


def probes(clock: Clock, answer: Callable[[str, int, int], float], standards: Standards | None = None) -> InstrumentProbes:
    """A meter that answers by quantity and contacts."""

    def of(quantity: str) -> Callable[[dict[str, int]], float]:
        return lambda keys: answer(quantity, keys["contact"] - 100, keys.get("other", 100) - 100)

    one = Session(clock, volts=of("volts"), ripple=of("ripple"), ohms=of("ohms"))
    return InstrumentProbes(one, standards or Standards(21, 5.0, (22, 23), 100.0))  # type: ignore[arg-type]


def sound(quantity: str, contact: int, other: int) -> float:
    if contact == 3 and (quantity == "volts" or other == 3):
        return 0.0
    return {(21, 0): 5.0, (22, 23): 100.0}.get((contact, other), {"volts": 11.9, "ripple": 0.03, "ohms": 47.0}[quantity])


@pytest.mark.parametrize(
    ("contact", "value", "said"),
    [
        (3, 0.05, ""),
        (3, -0.05, ""),
        (3, 0.051, "Common to itself reads 0.051 V"),
        (3, -0.051, "Common to itself reads -0.051 V"),
        (21, 5.1, ""),
        (21, 4.9, ""),
        (21, 5.101, "the check standard of 5 V reads 5.101 V"),
        (21, 4.899, "the check standard of 5 V reads 4.899 V"),
    ],
)
async def test_volts_stand_between_readings_that_are_known(clock: Clock, contact: int, value: float, said: str) -> None:
    one = probes(clock, lambda quantity, at, other: value if (quantity, at) == ("volts", contact) else sound(quantity, at, other))
    for moving in (False, True):
        for ask in (lambda: one.volts(1, moving=moving), lambda: one.ripple(1), one.proved):  # noqa: B023
            if said:
                with pytest.raises(InstrumentTrouble, match=said):
                    await ask()
            else:
                await ask()


@pytest.mark.parametrize(
    ("contacts", "value", "said"),
    [
        ((3, 3), 0.1, ""),
        ((3, 3), 0.11, "Common to itself reads 0.11 ohm"),
        ((22, 23), 102.0, ""),
        ((22, 23), 102.1, "the check standard of 100 ohm reads 102.1 ohm"),
        ((22, 23), 97.9, "the check standard of 100 ohm reads 97.9 ohm"),
    ],
)
async def test_ohms_stand_between_readings_that_are_known(clock: Clock, contacts: tuple[int, int], value: float, said: str) -> None:
    one = probes(clock, lambda quantity, at, other: value if (at, other) == contacts else sound(quantity, at, other))
    if said:
        with pytest.raises(InstrumentTrouble, match=said):
            await one.ohms(1, 2)
    else:
        assert (await one.ohms(1, 2)).value == 47.0


async def test_a_meter_that_reads_two_things_or_nothing_is_found_out_and_open_is_open(clock: Clock) -> None:
    values = iter([11.9, 12.2, 0.03, 0.051, 47.0, 48.0])
    one = probes(clock, lambda quantity, at, other: next(values) if at == 1 else sound(quantity, at, other))
    asked: list[tuple[Callable[[], Awaitable[Reading]], str]] = [
        (lambda: one.volts(1), "11.9 and 12.2 V"),
        (lambda: one.ripple(1), "0.03 and 0.051 V"),
        (lambda: one.ohms(1, 2), "47 and 48 ohm"),
    ]
    for ask, said in asked:
        with pytest.raises(InstrumentTrouble, match=f"two readings disagree: {said}"):
            await ask()
    far = probes(clock, lambda quantity, at, other: 1e11 if at == 1 else sound(quantity, at, other))
    assert (await far.ohms(1, 2)).value == OPEN_OHM
    bare = probes(clock, lambda quantity, at, other: 7.0 if at > 20 else sound(quantity, at, other), Standards())
    assert ((await bare.volts(1)).value, (await bare.ohms(1, 2)).value) == (11.9, 47.0)
    assert (await bare.moving(1)).value == 11.9


# the relay


async def test_a_relay_obeys_and_an_actuator_moves_the_whole_connector(clock: Clock) -> None:
    relay = InstrumentRelay(Session(clock, switch=(True, True, False)), clock, None, None)  # type: ignore[arg-type]
    mating = InstrumentMating(relay)
    await relay.switch(True)
    await mating.insert()
    await mating.withdraw()
    assert session(relay).told == [("switch_on", 1), ("switch_on", 1), ("switch_off", 1)]
    await mating.wire_data(True)
    with pytest.raises(NotAvailable, match="open the pair by hand"):
        await mating.wire_data(False)
