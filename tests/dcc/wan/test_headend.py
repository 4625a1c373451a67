"""The DCC's end of the SM WAN: hubs named by their HELLO, many hubs, frames that mean nothing."""

from __future__ import annotations

import asyncio

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import StoreTrouble, WanError
from firmware_emu.ids import Eui64
from firmware_emu.wan.base import WanKind
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import memory_pair
from hil.dcc.base.results import Verdict
from tests.dcc.far_end import CHF, ESME, GPF, FarEnd
from tests.dcc.messages import send

SECOND_CHF, SECOND_GPF = Eui64.parse("00db1234567890e2"), Eui64.parse("00db1234567890e3")


async def test_a_hub_that_nobody_named_is_known_by_its_hello(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.dcc.start()
    far_end.dcc.attach_hub(far_end.wan.dcc)
    far_end.home.connect()
    await far_end.clock.sleep(1)
    assert far_end.dcc.head_end.connected(CHF)
    assert far_end.dcc.inventory.listed(CHF).status == "Commissioned"
    far_end.put_in_service()
    far_end.wan.cut()
    await far_end.clock.sleep(30)
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS


@pytest.mark.requirement("CH-04")
async def test_a_connecting_hub_brings_its_gas_proxy_with_it(far_end: FarEnd) -> None:
    far_end.notify()
    await far_end.connect()
    assert far_end.dcc.inventory.hub_of(GPF) == CHF
    assert far_end.dcc.inventory.listed(GPF).status == "InstalledNotCommissioned"


async def test_an_unlisted_hub_is_not_commissioned_and_the_trace_says_why(far_end: FarEnd) -> None:
    await far_end.connect()
    assert far_end.dcc.inventory.device(CHF) is None
    assert [record for record in far_end.records if record.event == "refused" and "pre-notify it" in str(record.detail["reason"])]


async def test_two_hubs_are_served_and_kept_apart(far_end: FarEnd) -> None:
    await far_end.in_service()
    hub, dcc = memory_pair(far_end.clock)
    seen: list[bytes] = []
    channel = WanChannel(
        hub,
        MemoryStore(),
        far_end.clock,
        side=WanSide.HUB,
        name="dcc",
        trace=far_end.trace,
        hello=lambda: Hello(SECOND_CHF, SECOND_GPF, 1),
        on_frame=lambda frame: seen.append(frame.body),
    )
    far_end.dcc.pre_notify(SECOND_CHF, DeviceType.CHF)
    far_end.dcc.attach_hub(dcc)
    task = asyncio.create_task(channel.run())
    await far_end.clock.sleep(1)
    assert far_end.dcc.inventory.listed(SECOND_CHF).status == "Commissioned"
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS
    assert seen == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_message_for_a_hub_without_a_link_is_refused_with_what_to_do(far_end: FarEnd) -> None:
    with pytest.raises(WanError, match="attach it first"):
        far_end.dcc.head_end.post(CHF, b"\x00")


async def test_frames_that_mean_nothing_are_refused_and_the_channel_goes_on(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.channel.post(WanKind.POWER_LOST, b"\x01")
    far_end.home.channel.post(WanKind.IMAGE, b"\x01")
    await far_end.clock.sleep(1)
    refused = [record for record in far_end.records if record.area == "wan" and record.event == "refused"]
    assert [record.detail["kind"] for record in refused] == ["power_lost", "image"]
    assert (await send(far_end, "11.2", ESME)).verdict is Verdict.SUCCESS


async def test_a_hub_is_served_again_when_the_medium_of_the_dcc_has_room_again(far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    await far_end.in_service()

    def full() -> None:
        raise StoreTrouble("the DCC's store", "disk I/O error: make room on the medium")

    far_end.wan.cut()
    with monkeypatch.context() as medium:
        medium.setattr(far_end.dcc.store._file, "begin", full)
        await far_end.clock.sleep(60)
    assert {record.detail["reason"].split(":")[0] for record in far_end.records if record.event == "waiting"} == {f"the SM WAN of {CHF}"}
    await far_end.clock.sleep(120)
    assert (await send(far_end, "11.2")).verdict is Verdict.SUCCESS


async def test_other_processes_are_told_to_look_when_a_hubs_connection_is_lost(far_end: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have to send what was posted here while it was dead and nobody knew."""
    await far_end.in_service()
    told: list[str] = []
    monkeypatch.setattr(far_end.dcc.store, "tell", told.append)
    far_end.wan.cut()
    await far_end.clock.sleep(1)
    assert told == [f"hub {CHF}"]
