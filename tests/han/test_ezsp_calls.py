"""Errors of bellows when a dongle breaks off become the HAN's own, so that nobody above has to know bellows."""

from __future__ import annotations

import asyncio
import gc

import bellows.ash
import bellows.exception
import bellows.uart
import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.ezsp import HeldEzsp, _heard_out, radio_call


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (bellows.ash.NcpFailure("Transport is closed, cannot send frame"), "RESET"),
        (bellows.ash.NotAcked(frame=bellows.ash.NakFrame(res=0, ncp_ready=0, ack_num=0)), "RESET"),
        (bellows.exception.EzspError("no"), None),
        (TimeoutError(), "TIMEOUT"),
        (AttributeError("no line", name="send_data", obj=None), "RESET"),
    ],
)
async def test_whatever_ends_a_command_is_a_radio_error(broken: Exception, status: str | None) -> None:
    async def call() -> None:
        raise broken

    with pytest.raises(RadioError) as told:
        await radio_call(call())
    assert told.value.status == status


async def test_a_reset_of_a_line_that_is_closed_is_told_as_a_dongle_that_is_gone(clock: Clock) -> None:
    ezsp = HeldEzsp(clock, {})
    ezsp._gw = bellows.uart.Gateway(ezsp)  # its line is gone, as connection_lost leaves it
    with pytest.raises(RadioError) as told:
        await radio_call(ezsp.reset())
    assert told.value.status == "RESET"


async def test_a_task_that_bellows_leaves_and_that_fails_is_heard_out() -> None:
    """Else Python tells, when it collects the task, of an exception that nobody has retrieved, as of a fault of the program."""
    told = list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fails() -> None:
        raise bellows.ash.NcpFailure("Transport is closed, cannot send frame")

    task = asyncio.ensure_future(_heard_out(fails)())
    await asyncio.wait({task})
    del task
    gc.collect()
    assert told == []


async def test_a_mistake_of_our_own_is_not_told_as_the_dongle_s() -> None:
    async def call() -> None:
        raise AttributeError("typing error", name="send_unicats", obj=object())

    with pytest.raises(AttributeError, match="typing error"):
        await radio_call(call())


async def test_a_command_that_waits_when_the_line_is_closed_is_told_as_a_dongle_that_is_gone() -> None:
    link = bellows.ash.AshProtocol(None)
    waiting = link._pending_data_frames[0] = asyncio.get_running_loop().create_future()
    link.close()

    async def call() -> None:
        await waiting

    with pytest.raises(RadioError, match="closed while a command was on its way") as told:
        await radio_call(call())
    assert told.value.status == "RESET"

    async def ours() -> None:
        raise RuntimeError("Connection has been closed")

    with pytest.raises(RuntimeError):
        await radio_call(ours())
