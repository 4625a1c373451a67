"""One worker of a siege: how long it tries, which finds it tells, and when its memory has climbed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import pytest

from hil.attacks.siege import worker
from hil.attacks.siege.search import Mutation
from hil.attacks.siege.worker import LEAST_SAMPLES, Worker

MIB = 1 << 20


class Weak:
    """A layer that breaks in one way."""

    kinds = ("flip",)

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        return "octet 7 was taken"


def made(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> tuple[Worker, list[dict[str, object]]]:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(os, "write", lambda file, line: told.append(json.loads(line)))
    return Worker("weak", Weak(), "1", seconds), told


def test_it_tries_once_at_least_and_its_time_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    one, _ = made(monkeypatch, 5)
    now[0] = 106.0
    assert not one.over
    one.make("1")
    assert one.over
    now[0] = 105.0
    assert one.over
    now[0] = 104.9
    assert not one.over


def test_a_find_of_a_kind_is_told_once_and_the_count_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    one, told = made(monkeypatch)
    one.make("1")
    one.make("2")
    (find,) = told
    assert (find["trials"], find["find"]["broken"]) == (1, "octet 7 was taken")  # type: ignore[index]
    now[0] = 1.0
    one.make("3")
    assert (told[1]["trials"], told[1]["find"], len(one.memory)) == (3, None, 1)
    assert told[1]["mib"] == pytest.approx(one.memory[0] / MIB, abs=20)
    one.make("4")
    assert len(told) == 2


def test_memory_climbs_where_its_last_quarter_is_far_above_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    one, told = made(monkeypatch)
    one.memory = [MIB * size for size in (400, 400, 400, 400, 100, 100, 100, 100, 0, 0, 0, 0, 149, 149, 149)]
    assert one.climb() is None, f"fewer than {LEAST_SAMPLES} samples"
    one.memory.append(MIB * 149)
    assert one.climb() == "memory climbs from 100 to 149 MiB"
    one.end()
    assert told[-1]["find"]["broken"] == "memory climbs from 100 to 149 MiB"  # type: ignore[index]
    one.memory[-4:] = [MIB * 148] * 4
    assert one.climb() is None, "caches fill as much"
    one.end()
    assert told[-1]["find"] is None
