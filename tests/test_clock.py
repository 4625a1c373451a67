"""Bench time: warp jumps only when nothing is ready and nobody holds."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firmware_emu.clock import EPOCH, Clock, _ClockSelector, iso_text, moment_text, span_text

START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def test_a_warp_day_takes_no_day() -> None:
    clock = Clock(start=START, warp=True)
    began = time.monotonic()
    clock.run(clock.sleep(86400))
    assert time.monotonic() - began < 5
    assert (clock.datetime() - START).total_seconds() == pytest.approx(86400)


def test_timers_fire_in_order_at_their_own_time() -> None:
    clock = Clock(start=START, warp=True)
    fired: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        fired.append((name, clock.elapsed()))

    async def main() -> None:
        await asyncio.gather(sleeper("c", 300), sleeper("a", 1), sleeper("b", 20.5))

    clock.run(main())
    assert [name for name, _ in fired] == ["a", "b", "c"]
    assert [when for _, when in fired] == pytest.approx([1, 20.5, 300])


def test_a_timeout_of_any_library_follows_bench_time() -> None:
    clock = Clock(start=START, warp=True)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()

    clock.run(main())
    assert clock.elapsed() == pytest.approx(3600)


def test_warp_time_stands_still_while_held() -> None:
    clock = Clock(start=START, warp=True, grace_s=0)
    reader, writer = os.pipe()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[float] = loop.create_future()
        loop.add_reader(reader, lambda: arrived.done() or arrived.set_result(clock.elapsed()))
        timer = asyncio.create_task(asyncio.sleep(1000))
        with clock.hold("octets on a pipe"):
            loop.call_soon(lambda: loop.run_in_executor(None, lambda: (time.sleep(0.05), os.write(writer, b"x"))))
            when = await arrived
        loop.remove_reader(reader)
        await timer
        return when

    assert clock.run(main()) == 0
    assert clock.elapsed() == pytest.approx(1000)


def test_a_hold_that_is_excused_lets_warp_time_pass_and_others_do_not() -> None:
    clock = Clock(start=START, warp=True, grace_s=0)

    async def main() -> float:
        with clock.hold("a command"):
            again = clock.excuse("a command")
            await asyncio.sleep(1000)
            with clock.hold("octets on a pipe"):
                await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)
                passed = clock.elapsed()
            again()
            assert clock._held()
        return passed

    assert clock.run(main()) == 1000


def test_a_hold_with_a_limit_ends_when_the_loop_has_waited_so_long_and_time_without_a_processor_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(start=START, warp=True, grace_s=0)
    real, polls = itertools.count(0, 10), list[float | None]()  # each look at the real clock is ten seconds later
    monkeypatch.setattr("firmware_emu.clock.time", SimpleNamespace(monotonic=lambda: float(next(real))))
    select = _ClockSelector.really_select

    def counted(selector: _ClockSelector, timeout: float | None) -> Any:
        if timeout and selector._clock is clock:  # another test's loop may still end in a thread
            polls.append(timeout)
        return select(selector, timeout)

    monkeypatch.setattr(_ClockSelector, "really_select", counted)

    async def main() -> None:
        with clock.hold("octets that are lost", 0.1), clock.hold("octets on a pipe", 0.2):
            await asyncio.sleep(1000)
            assert not clock._held()
            assert 10 <= len(polls) <= 11  # the last share of a limit may be lost in its fractions
        with clock.hold("octets that come"):
            assert clock._held()

    clock.run(main())
    assert clock.elapsed() == 1000


def test_a_thread_at_work_holds_warp_time_by_itself() -> None:
    clock = Clock(start=START, warp=True, grace_s=0)

    async def main() -> float:
        timer = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)
        passed = clock.elapsed()
        await timer
        return passed

    assert clock.run(main()) == 0


def test_threads_that_end_with_the_loop_hold_warp_time() -> None:
    clock = Clock(warp=True)
    held: list[bool] = []

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            held.append(bool(clock._holds))
            super().shutdown(wait, cancel_futures=cancel_futures)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(Pool())
        await loop.run_in_executor(None, threading.get_ident)

    clock.run(main())
    assert held[0], "the loop ended while a thread might still run"
    assert not clock._holds


def test_go_lets_exactly_that_much_time_pass_and_no_more() -> None:
    clock = Clock(start=START, warp=True)

    async def main() -> float:
        late = asyncio.create_task(asyncio.sleep(5000))
        await clock.go(1800)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, time.sleep, 0.05)
        passed = clock.elapsed()
        late.cancel()
        return passed

    assert clock.run(main()) == pytest.approx(1800)


def test_a_clock_of_the_wall_hurries_over_a_day_in_order_and_goes_on_as_before() -> None:
    clock = Clock(start=START)
    fired: list[tuple[str, float]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        release = clock.take("a hub's answer")
        loop.call_later(7200, lambda: fired.append(("late", clock.elapsed())))
        loop.call_later(3600, lambda: fired.append(("early", clock.elapsed())))
        waiting = asyncio.create_task(clock.hurry(86400))
        await asyncio.sleep(0)
        assert await loop.run_in_executor(None, lambda: list(fired)) == [], "time stands still while somebody owes an answer"
        release()
        await waiting

    clock.run(main())
    assert [name for name, _ in fired] == ["early", "late"]
    assert [at for _, at in fired] == pytest.approx([3600, 7200], abs=60)
    assert (clock.warp, clock.horizon) == (False, None)
    assert 86400 <= clock.elapsed() < 2 * 86400


def test_scaled_time_runs_at_its_speed() -> None:
    clock = Clock(start=START, speed=1000)
    began = time.monotonic()
    clock.run(clock.sleep(30))
    assert time.monotonic() - began < 5
    assert clock.elapsed() >= 30


def test_now_counts_from_the_zero_of_gbcs_times() -> None:
    clock = Clock(start=datetime(2015, 1, 1, tzinfo=UTC), warp=True)
    assert int(clock.now()) == 0x1C374A80
    assert datetime(2000, 1, 1, tzinfo=UTC) == EPOCH


def test_a_speed_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Clock(speed=0)


def test_a_jump_after_a_stir_waits_for_octets_in_the_kernel_and_none_else_does() -> None:
    clock = Clock(start=START, warp=True, grace_s=5)
    reader, writer = os.pipe()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[float] = loop.create_future()
        loop.add_reader(reader, lambda: arrived.done() or arrived.set_result(clock.elapsed()))
        await asyncio.sleep(10)
        clock.stir()
        threading.Timer(0.05, os.write, (writer, b"x")).start()
        loop.call_later(20, lambda: None)
        return await arrived

    began = time.monotonic()
    assert clock.run(main()) == pytest.approx(10)
    assert time.monotonic() - began < 4
    os.close(reader)
    os.close(writer)


def test_timers_still_run_after_a_year() -> None:
    clock = Clock(start=START, warp=True, grace_s=0)

    async def main() -> int:
        await asyncio.sleep(365 * 86_400)
        ran = 0
        for _ in range(5):
            asyncio.get_running_loop().call_later(0, lambda: None)
            await asyncio.sleep(1e-10)
            await asyncio.sleep(0.1)
            ran += 1
        return ran

    assert clock.run(main()) == 5


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set() -> None:
    clock = Clock(start=START, warp=True)
    fired: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        late = [loop.call_later(delay, lambda: None) for delay in (7.0, 3.0, 9.0, 1.0)]
        for number in range(200):
            loop.call_at(5.0, fired.append, number)
            if number % 7 == 0:
                late.append(loop.call_later(number / 100, lambda: None))
        late[1].cancel()
        await asyncio.sleep(10)

    clock.run(main())
    assert fired == list(range(200))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (34.4, "34.4 s"),
        (90, "1 min 30 s"),
        (86400, "1 d"),
        (93784.5, "1 d 2 h 3 min 4.5 s"),
        (59.9999, "1 min"),
    ],
)
def test_a_duration_has_one_form_in_texts(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_a_time_has_one_form_in_texts_and_one_in_json() -> None:
    assert moment_text(820911690.9) == "2026-01-05 07:01:30"
    assert iso_text(datetime(2026, 1, 5, 8, 1, 30, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-05T07:01:30Z"


def test_no_text_makes_a_time_or_a_duration_in_a_form_of_its_own() -> None:
    own = re.compile(r"str\(timedelta|\{timedelta|(?<!%Y-)%m-%d %H")
    root = Path(__file__).resolve().parents[1]
    found = [
        f"{path}:{number}"
        for folder in ("firmware_emu", "hil", "ichis")
        for path in sorted((root / folder).rglob("*.py"))
        if path.name != "clock.py"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if own.search(line)
    ]
    assert found == []
