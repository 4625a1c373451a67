"""No background task dies in silence: the trace, the terminal and the exit code tell; what keys a fault quotes stay out."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, TaskFault
from firmware_emu.supervised import called_back, supervised
from firmware_emu.trace import Record, Trace

SECRET = "00112233445566778899aabbccddeeff"
SOURCES = Path(__file__).resolve().parents[1]
AWAITED = {
    "firmware_emu/han/key_establishment.py": "awaited by the exchange that asks",
    "firmware_emu/hub/hub.py": "awaited by Hub.run",
    "firmware_emu/hub/running.py": "in the hub's task group, which ends with it",
    "firmware_emu/supervised.py": "the supervisor",
    "firmware_emu/wan/channel.py": "awaited by the exchange of frames",
    "hil/attacks/arena.py": "awaited by the attack",
    "hil/attacks/siege/homes.py": "awaited by the siege, whose find it is",
    "hil/bench/day.py": "in a task group",
    "hil/bench/home.py": "awaited by the visit it waits for",
    "hil/bench/household.py": "in a task group",
    "hil/conformance/bench.py": "awaited by the reading",
    "hil/console/breakpoints.py": "awaited by the verb that sends the message on",
    "hil/conformance/host_bench.py": "awaited by the reading",
    "hil/dcc/base/store.py": "awaited by those who may tell what is committed",
    "hil/dcc/gateway/sequence.py": "awaited by the request that waits",
    "hil/hosts/drivers/zigpy_app.py": "awaited by the step of the driver",
    "hil/hosts/matrix.py": "the driver's whole session, a process of its own",
    "hil/hosts/session.py": "awaited by the session",
    "hil/journeys/demo.py": "awaited by the step of the journey",
    "hil/journeys/kills.py": "in a task group",
    "hil/fleet/partition.py": "in a task group",
    "hil/scenarios/estate.py": "in a task group",
    "hil/scenarios/load.py": "awaited by the client of the load",
    "ichis/loop_back.py": "awaited by the measurement",
}
"""Files that start tasks without the supervisor, and who is told instead."""


def test_a_dead_task_is_told_in_the_trace_on_the_terminal_and_by_the_exit_of_the_program(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(warp=True)
    trace = Trace(clock.now)
    records: list[Record] = []
    told: list[str] = []
    trace.subscribe(records.append)

    async def dies() -> None:
        raise KeyError(SECRET)

    async def main() -> None:
        supervised(dies(), "the schedules", trace, area="dcc", told=told.append)
        await clock.sleep(3600)

    with caplog.at_level(logging.ERROR), pytest.raises(TaskFault, match="the schedules ended by a fault of its own: KeyError at"):
        clock.run(main())
    assert [(one.area, one.event) for one in records] == [("dcc", "failed")]
    assert told == [records[0].detail["reason"]] == clock.faults
    assert "the schedules ended" in caplog.text
    assert SECRET not in caplog.text + str(records)


def test_a_task_that_ends_in_order_or_is_cancelled_tells_nothing() -> None:
    clock = Clock(warp=True)

    async def ends() -> None:
        await clock.sleep(1)

    async def main() -> str:
        supervised(ends(), "short work")
        supervised(asyncio.sleep(9e9), "long work").cancel()
        await clock.sleep(2)
        return "done"

    assert clock.run(main()) == "done"
    assert clock.faults == []


def test_several_faults_are_counted_and_an_error_of_the_program_itself_goes_first() -> None:
    clock = Clock(warp=True)

    async def dies() -> None:
        raise NotAvailable("a store", "make room")

    async def main(fails: bool) -> None:
        for name in ("one", "two", "three"):
            supervised(dies(), name)
        await clock.sleep(1)
        if fails:
            raise NotAvailable("the end", "begin anew")

    with pytest.raises(TaskFault, match=r"one ended .*make room \(and 2 more"):
        clock.run(main(False))
    with pytest.raises(NotAvailable, match="begin anew"):
        clock.run(main(True))


def test_what_nobody_caught_on_the_loop_is_one_line_without_what_it_quotes(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(warp=True)

    def fails() -> None:
        raise ValueError(SECRET)

    async def main() -> None:
        asyncio.get_running_loop().call_soon(fails)
        await clock.sleep(1)

    with caplog.at_level(logging.ERROR):
        clock.run(main())
    assert "ValueError at test_supervised.py" in caplog.text
    assert SECRET not in caplog.text


def test_every_task_that_is_started_is_supervised_or_awaited_by_somebody() -> None:
    started = re.compile(r"\b(?:create_task|ensure_future)\(")
    found = {
        str(path.relative_to(SOURCES))
        for folder in ("firmware_emu", "hil", "ichis")
        for path in (SOURCES / folder).rglob("*.py")
        if started.search(path.read_text(encoding="utf-8"))
    }
    assert found == set(AWAITED)


def test_power_that_goes_in_a_callback_is_no_fault_of_the_library_and_ends_the_task_that_is_under_way_else() -> None:
    clock = Clock(warp=True)
    troubles: list[str] = []

    def power_goes() -> None:
        raise asyncio.CancelledError

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: troubles.append(context["message"]))
        loop.call_soon(called_back(power_goes))
        task = loop.create_task(asyncio.sleep(0, called_back(power_goes)))
        await asyncio.sleep(1)
        with pytest.raises(asyncio.CancelledError):
            (await task)()
        return True

    assert clock.run(main())
    assert troubles == []
