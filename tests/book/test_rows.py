"""The book itself: what its rows must have, and how one that cannot be read is told."""

from __future__ import annotations

import pytest

from firmware_emu.gbcs.alerts import alert_codes
from hil.book.rows import PROFILE, BookError, BookSetting, load_book, read_rows
from hil.devices.metering.maker import makers

BENCHES = {"home": BookSetting("home", "simulated", (), ())}
ROW = """
[[row]]
number = 1
behaviour = "it does"
device = "ESME"
clause = "GBCS 1"
certainty = "quoted"
source = "a source"
bench = "home"
steps = ["esme status"]
"""


def test_the_book_can_be_read_and_its_numbers_stand_in_order() -> None:
    rows = load_book().rows
    assert len(rows) >= 300
    assert list(rows) == sorted(rows)


def test_no_two_rows_say_the_same() -> None:
    rows = load_book().rows.values()
    assert len({row.behaviour for row in rows}) == len(rows)


def test_an_alert_that_a_row_expects_has_a_code_that_there_is() -> None:
    codes = {f"{code:04X}" for code in alert_codes()}
    for row in load_book().rows.values():
        for step in row.steps:
            named = {code for code in (*step.alerts, *step.no_alerts) if code[0] in "08"}
            assert named <= codes, f"row {row.number}"


def test_a_row_that_no_source_establishes_names_its_profile_value() -> None:
    assert all(bool(row.profile) is (row.certainty == PROFILE) for row in load_book().rows.values())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('certainty = "quoted"', 'certainty = "sure"'), 'certainty "sure", expected one of quoted'),
        (('certainty = "quoted"', 'certainty = "not established"'), "names the profile value"),
        (('device = "ESME"', 'device = "KETTLE"'), 'device "KETTLE", expected one of CHF'),
        (('bench = "home"', 'bench = "house"'), "bench 'house', expected one of home"),
        (('source = "a source"\n', ""), "source is missing"),
        (('steps = ["esme status"]', "steps = []"), "no step"),
        (('steps = ["esme status"]', 'steps = [{ say = "esme status", sees = "it" }]'), "read 'sees' in a step"),
        (('source = "a source"', 'source = "a source"\ncolour = "red"'), "read 'colour'"),
        (("[[row]]", "[[row"), "not TOML"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_in_one_line(change: tuple[str, str], told: str) -> None:
    with pytest.raises(BookError, match="rows") as wrong:
        read_rows({"rows.toml": ROW.replace(*change)}, BENCHES)
    assert told in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_variant_names_a_profile_of_the_meters() -> None:
    named = {variant.maker for row in load_book().rows.values() for variant in row.variants}
    assert named
    assert named <= set(makers())


def test_a_number_is_given_once() -> None:
    with pytest.raises(BookError, match="taken by 'it does'"):
        read_rows({"rows.toml": ROW + ROW}, BENCHES)
