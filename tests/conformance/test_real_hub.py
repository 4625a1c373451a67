"""A hub that the bench cannot look into: instruments in front of it, as around a real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Trace
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.real_hub import RealHubBench
from hil.conformance.runner import CheckResult, Runner
from ichis.condition import Condition
from ichis.conformance.check import load_checks
from ichis.hub_end import HubEnd
from ichis.manual import Engineer
from ichis.port import SerialPort
from ichis.profile import load_profile
from ichis.served_jig import serve
from ichis.simulated_jig import HubSocket

PROFILE = load_profile("ichis_default")


@contextlib.asynccontextmanager
async def hub_in_a_socket(folder: Path, clock: Clock, condition: Condition) -> AsyncIterator[tuple[dict[str, str], HubSocket]]:
    """Served instruments, and in their socket a hub of which only its input stage is there: it shows itself while it has power."""
    async with serve(folder) as table:
        data = SerialPort("loop://", clock, line=PROFILE.line, inverts=True)
        socket = HubSocket(clock, Trace(clock.now), condition, data)
        socket.hub_side.listen(power=socket.hub_side.drive_device_present)
        end = await HubEnd.attach(table.pop("hub_end"), socket)
        try:
            yield table, socket
        finally:
            await end.close()
            socket.close()
            data.close()


def checked(folder: Path, wanted: tuple[str, ...], condition: Condition, *more: str) -> tuple[dict[str, CheckResult], list[str]]:
    """These checks on such a hub, and what the engineer was asked."""
    clock = Clock(warp=True)
    asked: list[str] = []

    async def main() -> list[CheckResult]:
        async with hub_in_a_socket(folder, clock, condition) as (table, socket):

            def hand(question: str) -> str:
                asked.append(question)
                if "socket" in question:  # the loop's thread has the model
                    seated = question.startswith("Put")
                    asyncio.run_coroutine_threadsafe(seat(socket, seated), loop).result(5)
                return ""

            loop = asyncio.get_running_loop()
            board = load_board("simulated", (*(f"jig.{key}={value}" for key, value in table.items()), *more))
            bench = RealHubBench(board, PROFILE, condition, clock, Trace(clock.now), folder)
            bench.engineer = Engineer(clock, hand)
            await bench.open()
            runner = Runner(bench, HUB_CHECKS)
            try:
                return [await runner.run(check) for check in load_checks() if check.id in wanted]
            finally:
                await bench.close()

    return {result.check.id: result for result in clock.run(main())}, asked


async def seat(socket: HubSocket, seated: bool) -> None:
    socket.feed.seat(seated)
    socket.lines.seated(seated)
    socket.feed.reconsider()


@pytest.mark.requirement("ICH-11")
def test_a_hub_that_shows_only_its_connector_is_measured_by_instruments(tmp_path: Path) -> None:
    results, asked = checked(tmp_path, ("MAT-01", "MAT-02", "SST-01", "SST-02"), Condition())
    assert {name: str(result.verdict) for name, result in results.items()} == {
        "MAT-01": "pass",
        "MAT-02": "pass",
        "SST-01": "pass",
        "SST-02": "pass",
    }, [result.why for result in results.values()]
    assert any("Take the hub out" in question for question in asked)


def test_a_real_hub_with_a_defect_fails_its_check(tmp_path: Path) -> None:
    results, _ = checked(tmp_path, ("SST-02",), Condition(brownout_v=11.2, recovery_v=11.4, cold_start_v=11.5))
    assert str(results["SST-02"].verdict) != "pass"


def test_what_only_the_emulated_hub_shows_is_not_tested_and_says_so(tmp_path: Path) -> None:
    outages = tuple(check.id for check in load_checks() if check.reading in ("alerts", "kept_same", "boots"))[:3]
    results, _ = checked(tmp_path, (*outages, "INS-01"), Condition())
    assert {str(result.verdict) for result in results.values()} == {"not applicable"}
    assert "a real hub does not show it at its connector" in results[outages[0]].why
    assert "a hub that has never run" in results["INS-01"].why


def test_without_a_port_the_serial_checks_name_the_key(tmp_path: Path) -> None:
    serial = next(check.id for check in load_checks() if check.reading == "echo_errors" and check.precondition == "running")
    results, _ = checked(tmp_path, (serial,), Condition())
    assert "jig.data" in results[serial].why


def test_the_example_board_of_a_real_jig_loads_and_a_missing_instrument_is_named() -> None:
    board = load_board("jig_ftdi")
    clock = Clock()

    async def main() -> None:
        await RealHubBench(board, PROFILE, Condition(), clock, Trace(clock.now), Path()).open()

    with pytest.raises(NotAvailable, match="ttyUSB0"):
        clock.run(main())
