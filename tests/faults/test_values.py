"""Faults of frames as values: what arrives of a frame, and how they compose."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hil.faults.values import Corrupt, Delay, Drop, Duplicate, Reorder, Schedule, in_turn


def draw() -> Random:
    return Random(1)


@given(octets=st.binary(min_size=1, max_size=60), bits=st.integers(0, 500))
def test_each_fault_does_to_a_frame_what_it_is_named_for(octets: bytes, bits: int) -> None:
    assert Drop().apply(octets, draw()) == ()
    assert Delay(1.5).apply(octets, draw()) == ((1.5, octets),)
    assert Duplicate().apply(octets, draw()) == ((0.0, octets), (0.0, octets))
    ((late, damaged),) = Corrupt(bits).apply(octets, draw())
    assert late == 0
    assert sum((one ^ other).bit_count() for one, other in zip(octets, damaged, strict=True)) == min(bits, 8 * len(octets))
    ((late, whole),) = Reorder(2.0).apply(octets, draw())
    assert 0 <= late <= 2.0
    assert whole == octets


def test_a_frame_that_is_held_back_is_overtaken() -> None:
    source = draw()
    arrivals = sorted(Reorder(1.0).apply(bytes([number]), source)[0] for number in range(20))
    assert [octets[0] for _, octets in arrivals] != list(range(20))


def test_faults_befall_one_after_the_other_what_the_one_before_left() -> None:
    assert in_turn([Duplicate(), Delay(1.0), Duplicate()], b"x", draw()) == ((1.0, b"x"),) * 4
    assert in_turn([Duplicate(), Drop()], b"x", draw()) == ()
    assert in_turn([Delay(1.0), Delay(0.5)], b"x", draw()) == ((1.5, b"x"),)
    assert in_turn([], b"x", draw()) == ((0.0, b"x"),)


def test_a_schedule_begins_lasts_and_comes_again() -> None:
    assert [Schedule().works(at) for at in (-1, 0, 1e6)] == [False, True, True]
    assert [Schedule(begin_s=5, last_s=2).works(at) for at in (4.9, 5, 6.9, 7)] == [False, True, True, False]
    again = Schedule(begin_s=5, last_s=2, every_s=10)
    assert [again.works(at) for at in (5, 8, 15, 16.9, 17, 25)] == [True, False, True, True, False, True]
