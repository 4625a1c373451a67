"""A Device that is away does not fill the hub's memory."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.hub.profile import standard_profile
from tests.hub.hub_bench import CONFIG, ESME, Bench, add_device


async def test_more_messages_for_one_device_than_the_mailbox_holds_are_refused_with_the_reason(
    hub_keystore: Keystore, clock: Clock
) -> None:
    config = replace(CONFIG, profile=replace(standard_profile(), mailbox_capacity=5))
    async with Bench(hub_keystore, clock, config=config).running() as bench:
        bench.send(add_device(bench, ESME))
        await bench.clock.sleep(5)
        for _ in range(9):
            bench.send(bench.command(0x0052, b"\x00", recipient=ESME))
        await bench.clock.sleep(20)
        assert bench.hub.status.mailbox == {ESME: 5}
        assert sum("5 messages wait" in reason for reason in bench.refusals()) == 4
