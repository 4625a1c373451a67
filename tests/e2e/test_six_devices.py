"""A home of one hub and six Devices lives a day on bad air, with a dongle that resets and a mains cut: everything arrives, once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.device.profile import may_come_again
from firmware_emu.gbcs.envelope import Message
from firmware_emu.trace import Record, Trace
from hil.bench.station import open_station
from hil.dcc.base.results import Outcome
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.radio.air.air import Link
from tests.e2e.home_of_six import ANSWER_S, HomeOfSix, board_of_six

DAY_S = 24 * 3600
SEED = 3
COMMANDS = 70
ALERTS = 24
LINK = Link(loss=0.2, delay_s=0.004)
DONGLE_RESETS_AT_S = (3.5 * 3600, 7 * 3600 + 720, 10 * 3600, 16.5 * 3600)
MAINS_CUTS_AT_S, MAINS_BACK_AFTER_S = (5 * 3600 + 900, 13 * 3600, 18 * 3600 + 60), 240
"""On the half hour the gas meter is awake; a cut is longer than the three minutes of CH-13."""
JUST_BEFORE_S = 0.3
"""So much earlier, at most, some Commands leave and alerts rise that the reset or the cut then meets on their way."""
ASKED = (
    ("esme", "4.1.1"),
    ("esme", "7.4"),
    ("esme", "7.3"),
    ("esme", "11.2"),
    ("esme", "7.2"),
    ("gsme", "4.1.1"),
    ("gsme", "7.4"),
    ("gsme", "11.2"),
    ("gsme", "7.2"),
    ("ppmid", "11.2"),
    ("hcalcs", "11.2"),
    ("chf", "8.9"),
    ("chf", "11.2"),
    ("gpf", "4.1.1"),
)
ALERTED = (0x8F3E, 0x8F3F)


@dataclass
class Day:
    """Events of the day, by message identifier."""

    records: list[Record] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def since(self, start: float, area: str, event: str) -> list[Record]:
        return [one for one in self.records if one.time >= start and one.area == area and one.event == event]


async def live(home: HomeOfSix, day: Day, seed: int) -> float:
    """The day; returns when it began."""
    station, draw = home.station, random.Random(f"{seed} day")
    began = station.clock.now()
    devices = [device for device in station.devices.values() if isinstance(device, GbcsHanDevice)]

    async def ask(at: float, name: str, variant: str) -> None:
        await station.clock.sleep(at)
        target = {"chf": home.chf, "gpf": home.gpf}.get(name) or home.eui(name)
        day.outcomes.append(await station.ask(home.user_for(target), variant, target, wait_s=ANSWER_S))

    async def alert(at: float, device: GbcsHanDevice, code: int) -> None:
        await station.clock.sleep(at)
        device.gbcs.raise_alert(code)

    async def reset_the_dongle(at: float) -> None:
        await station.clock.sleep(at)
        assert station.ncp is not None
        station.ncp.power(False)
        station.ncp.power(True)

    async def cut_the_mains(at: float) -> None:
        await station.clock.sleep(at)
        await station.mains_lost()
        await station.clock.sleep(MAINS_BACK_AFTER_S)
        await station.mains_restored()

    def moments(number: int) -> list[float]:
        """Half of them anywhere, the others just before something happens to the home."""
        events = (*DONGLE_RESETS_AT_S, *MAINS_CUTS_AT_S)
        just_before = [events[index % len(events)] - draw.uniform(0, JUST_BEFORE_S) for index in range(number // 2)]
        return just_before + [draw.uniform(0, DAY_S - 3600) for _ in range(number - len(just_before))]

    async with asyncio.TaskGroup() as group:
        for at in DONGLE_RESETS_AT_S:
            group.create_task(reset_the_dongle(at))
        for at in MAINS_CUTS_AT_S:
            group.create_task(cut_the_mains(at))
        for index, at in enumerate(moments(COMMANDS)):
            group.create_task(ask(at, *ASKED[index % len(ASKED)]))
        for at in moments(ALERTS):
            group.create_task(alert(at, draw.choice(devices), draw.choice(ALERTED)))
    await station.clock.sleep(max(0.0, began + DAY_S - station.clock.now()))
    return began


def identifier_of(octets: bytes) -> str:
    return str(Message.decode(octets).header.identifier)


def check(home: HomeOfSix, day: Day, began: float) -> None:
    """Each protected Command executed once, each Response and alert handed over once."""
    station = home.station
    users = (station.supplier, station.gas_supplier, station.network_operator)
    done = day.since(began, "device", "executed")
    executed = Counter(one.message for one in done if not may_come_again(one))
    sent = {identifier_of(message.octets) for one in day.outcomes for message in one.messages if message.name == "command"}
    assert len(day.outcomes) == COMMANDS
    assert {one.why for one in day.outcomes if not one.ok} == set()
    assert {one.message for one in done} == sent
    assert set(executed.values()) == {1}
    asked = {one.request for one in day.outcomes}
    responses = Counter(delivery.request for user in users for delivery in user.inbox if delivery.kind == "h" and delivery.request in asked)
    assert set(responses) == asked
    assert set(responses.values()) == {1}
    raised = Counter(one.message for one in day.since(began, "device", "alert"))
    assert len(raised) >= ALERTS
    assert set(raised.values()) == {1}
    alerts = station.dcc.alerts.records()
    taken = Counter((identifier_of(one.octets), one.party) for one in alerts if one.octets and one.time >= began)
    assert {identifier for identifier, _ in taken} == set(raised)
    assert set(taken.values()) == {1}
    told = Counter(
        (identifier_of(delivery.octets), user.eui64)
        for user in users
        for delivery in user.inbox
        if delivery.kind == "i" and delivery.octets and delivery.time >= began
    )
    assert told == Counter({one: 1 for one in taken if one[1] is not None})
    for_users = {(one.message, one.target) for one in day.since(began, "device", "alert")} & {
        (one, str(user.eui64)) for one in raised for user in users
    }
    assert for_users <= {(identifier, str(party)) for identifier, party in told}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return board_of_six(tmp_path)


@pytest.fixture
def clock(board: Board, follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=board.clock.start, warp=True))


async def test_a_home_of_six_devices_lives_a_day_on_bad_air_and_everything_arrives_once(board: Board, clock: Clock, tmp_path: Path) -> None:
    day = Day()

    trace = Trace(clock.now)
    trace.subscribe(day.records.append)
    async with open_station(board, clock, trace, tmp_path, seed=SEED) as station:
        station.air.default = LINK
        home = HomeOfSix(station)
        await home.bring_up()
        await home.join()
        await home.commission()
        began = await live(home, day, SEED)
        check(home, day, began)
        repeated = day.since(began, "device", "refused") + day.since(began, "dcc", "refused")
        assert repeated, "nothing came twice: this seed shows no suppression"
        assert station.hub is not None
        assert not any(station.hub.status.mailbox.values())
