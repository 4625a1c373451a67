"""The limits of a code of connection at, below and above their value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Refusal
from hil.dcc.base.store import DccStore
from hil.dcc.gateway.connections import CodeOfConnection, Connections

USER = Eui64.parse("90b3d51f30010000")
PLAIN = CodeOfConnection("bench", 1, "2026-01-01", "first edition")


async def told(clock: Clock, code: CodeOfConnection, gaps: tuple[float, ...]) -> list[str | None]:
    """Name of the refusal, None where there is none, of a message after each gap; the first is after none."""
    made = Connections(DccStore(None), clock)
    made.add_code(code)
    made.notify(USER, "bench")
    found: list[Refusal | None] = []
    for gap in gaps:
        await clock.sleep(gap)
        found.append(await made.admit(USER, lambda: 10))
    return [None if one is None else one.name for one in found]


async def test_as_many_messages_as_allowed_come_in_a_window(clock: Clock) -> None:
    code = replace(PLAIN, messages=2, window_s=60.0)
    assert await told(clock, code, (0.0, 1.0, 1.0)) == [None, None, "connection-rate"]
    assert await told(clock, code, (0.0, 1.0, 58.9, 0.2, 0.1)) == [None, None, "connection-rate", None, "connection-rate"]
    assert await told(clock, PLAIN, (0.0,) * 5) == [None] * 5


async def test_messages_keep_their_distance_or_wait(clock: Clock) -> None:
    code = replace(PLAIN, spacing_s=10.0)
    assert await told(clock, code, (0.0, 9.0, 1.5)) == [None, "connection-spacing", None]
    began = clock.now()
    assert await told(clock, replace(code, smoothing=True), (0.0, 4.0, 1.0)) == [None, None, None]
    assert clock.now() - began == pytest.approx(20.0)


async def test_a_peak_above_the_average_lasts_as_long_as_it_may(clock: Clock) -> None:
    """Two a minute on average: from the third message in a minute on it is a peak."""
    code = replace(PLAIN, average_a_minute=2, peak_s=30.0)
    assert await told(clock, code, (0.0, 1.0, 1.0, 14.0, 15.9, 0.2)) == [None] * 5 + ["connection-peak"]
    assert await told(clock, code, (100.0, 40.0, 40.0, 40.0, 40.0)) == [None] * 5


async def test_a_load_counts_a_day_and_tells_what_is_over(clock: Clock) -> None:
    made = Connections(DccStore(None), clock)
    made.add_code(replace(PLAIN, expected=2, volumes={"in": 20, "out": 5}))
    connection = made.notify(USER, "bench")
    await made.admit(USER, lambda: 10)
    await made.admit(USER, lambda: 10)
    load = made.load(connection)
    assert (dict(load.messages), dict(load.octets), load.in_window, load.over) == ({"in": 2}, {"in": 20}, 2, ())
    await made.admit(USER, lambda: 1)
    assert made.load(connection).over == ("21 octets in in a day, 20 expected", "3 messages in 60 s, 2 expected")
    await clock.sleep(86400.0)
    later = made.load(connection)
    assert (dict(later.messages), later.in_window, later.over) == ({}, 0, ())
    assert await made.admit(Eui64(bytes(8)), lambda: 10) is None
    assert await made.admit(USER, lambda: 10, 99) is None, "no such connection, no limit"
