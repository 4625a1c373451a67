"""The counters of originators: a value that is told late lowers nothing, top-ups count apart."""

from __future__ import annotations

from pathlib import Path

from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.parties.acb import OriginatorCounters

USER = Eui64.parse("90b3d51f30010000")


def test_a_counter_that_was_seen_late_does_not_lower_the_next(tmp_path: Path) -> None:
    counters = OriginatorCounters(DccStore(tmp_path / "dcc.sqlite"), 1)
    counters.saw(USER, 10)
    counters.saw(USER, 3)
    assert counters.last(USER) == 10
    assert counters.next(USER) == 11


def test_top_ups_step_apart_from_the_other_counters(tmp_path: Path) -> None:
    counters = OriginatorCounters(DccStore(tmp_path / "dcc.sqlite"), 1)
    assert counters.next(USER, top_up=True) == 1 << 32
    assert counters.next(USER) == 1
    assert counters.next(USER, top_up=True) == 2 << 32
