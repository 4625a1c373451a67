"""The hub dies before or after any commit to its store, again and again; nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, RadioError
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import CraFlag, Eui64
from tests.hub.hub_bench import CODES, ESME, SUPPLIER, Bench, Meter, add_device, remove_device

DEVICES = [Eui64(bytes(7) + bytes([number])) for number in range(1, 4)]


class Killed(BaseException):
    """The power went here."""


class DiesAtCommit:
    """Cuts the power at the n-th place of a life: before or after a commit."""

    def __init__(self, bench: Bench, places: int) -> None:
        self.bench, self.left = bench, places

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.bench.task.cancel()
            raise Killed

    def before_commit(self, path: Path) -> None:
        self.step()

    def after_commit(self, path: Path) -> None:
        self.step()


async def lives(bench: Bench, path: Path, spans: list[int]) -> None:
    """Boot again after each death, the last time for good."""
    for span in [*spans, 10**9]:
        bench.store = store = SqliteStore(path, DiesAtCommit(bench, span) if span < 10**9 else None)
        try:
            bench.hub = bench.new_hub()
            bench.task = asyncio.create_task(bench.hub.run())
            await asyncio.wait({bench.task})
            if not bench.task.cancelled():
                bench.task.exception()
        except Killed:
            pass
        finally:
            store.close()
        await bench.clock.sleep(1)


def passing(counter: int, cra: CraFlag) -> bytes:
    originator, recipient = (SUPPLIER, ESME) if cra is CraFlag.COMMAND else (ESME, SUPPLIER)
    return Message(GroupingHeader(cra, counter, originator, recipient, OtherInformation(0x0062)), bytes(30), bytes(64)).encode()


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])  # shrinking would take minutes
@given(spans=st.lists(st.integers(1, 60), max_size=6))
@pytest.mark.requirement("CH-03")
def test_each_command_is_executed_and_answered_once_and_each_change_backed_up_once(
    hub_keystore: Keystore,
    tmp_path_factory: pytest.TempPathFactory,
    spans: list[int],
) -> None:
    bench = Bench(hub_keystore)
    path = tmp_path_factory.mktemp("hub") / "nvm"

    async def test(bench: Bench) -> None:
        running = asyncio.create_task(lives(bench, path, spans))
        sent = [add_device(bench, device, code=CODES[ESME]) for device in (*DEVICES, ESME)]
        sent += [remove_device(bench, device) for device in DEVICES]
        for one in sent:
            bench.send(one)
        await bench.dcc.drained()
        meter = Meter(bench, ESME)
        for _ in range(20):
            try:
                await meter.join()
                break
            except CommsHubError:
                await bench.clock.sleep(10)
        commands = [passing(number, CraFlag.COMMAND) for number in range(1, 4)]
        alerts = [passing(number, CraFlag.ALERT) for number in range(1, 4)]
        for one in commands:
            bench.send(one)
        for one in alerts:
            while True:
                try:
                    await meter.send(one)
                    break
                except RadioError:
                    await bench.clock.sleep(20)
        await bench.dcc.drained()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bench.cut()
        bench.store = SqliteStore(path)
        await bench.power_on()
        await bench.clock.sleep(300)
        wanted = [Message.decode(one).header.counter for one in sent]
        assert [one.header.counter for one in bench.decoded(CraFlag.RESPONSE)] == wanted
        own = [one.header.counter for one in bench.decoded(CraFlag.ALERT) if one.header.originator == bench.config.chf]
        assert len(own) == len(set(own))
        assert len(bench.alerts(0x8F12)) >= 8  # four added, three removed, one key; a key more for each join that was cut short
        assert [entry.device for entry in bench.hub.status.device_log] == [ESME]
        assert [entry.device for entry in bench.hub.status.historic_log] == DEVICES
        assert list(dict.fromkeys(meter.got)) == commands  # a repeat, where the confirmation was lost, is stopped by the counter
        assert list(dict.fromkeys(one for one in bench.from_hub if one in alerts)) == alerts
        assert bench.hub.status.mailbox == {}

    bench.run(test, powered=False)
