"""The second opinion: values of two answers side by side."""

from __future__ import annotations

from firmware_emu.console.result import Result
from hil.book import load_book
from hil.book.second import EndsDifference, compare, differences


def test_a_value_that_differs_or_that_one_end_lacks_is_a_difference() -> None:
    meter = Result("", {"divisor": 1000, "unit": "m3", "request": "a"})
    proxy = Result("", {"divisor": 100, "request": "b", "more": 1})
    assert differences("read", meter, proxy) == [
        EndsDifference("read", "divisor", "1000", "100"),
        EndsDifference("read", "unit", "m3", "-"),
        EndsDifference("read", "more", "-", "1"),
    ]


def test_two_answers_that_agree_have_none_whatever_their_headers() -> None:
    assert differences("read", Result("", {"a": 1, "OriginatorCounter": 5}), Result("", {"a": 1, "OriginatorCounter": 6})) == []


def test_the_gas_meter_and_its_proxy_tell_the_same() -> None:
    found = compare(load_book())
    assert found.asked >= 7
    assert found.differences == ()
