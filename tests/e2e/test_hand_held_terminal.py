"""A home without SM WAN is brought into service by a hand-held terminal, and nobody without the right gains or harms by its way in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, RadioError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.han.inter_pan import InterPanFrame, InterPanReceiver, InterPanSender
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from hil.bench.dcc_board import addition, certify, list_hub, notification
from hil.bench.station import Station, open_station
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.base.services import schedule
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant
from hil.devices.esme.esme import Esme
from hil.devices.esme.metering import LoadSwitch
from hil.devices.hand_held import HandHeldTerminal, certify_terminal
from hil.radio.nodes.node import StackNode

TERMINAL = Eui64.parse("024847000000f001")
STRANGER = Eui64.parse("024847000000f0f1")
CODE = InstallCode.parse("A1A2A3A4A5A6A7A8A9AAABACADAEAFB0")
WINDOW_S = standard_profile().hand_held_window_s
INTRODUCTION, KEYS, TUNNELS = standard_profile().hand_held_cluster, 0x0800, 0x0704
JOIN_TIME_S = 600
_BOARD = """
name = "visited"
extends = "simulated"

[[device]]
name = "esme"
type = "ESME"
eui = "02-E5-3E-00-00-00-00-01"
install_code = "0102030405060708090A0B0C0D0E0F10"
mpxn = "1200012345678"
"""


def make_terminal(station: Station, eui: Eui64) -> HandHeldTerminal:
    certify_terminal(station.keystore, eui)
    return HandHeldTerminal(
        eui, CODE, station.keystore, StackNode(station.air, eui), station.clock, station.trace, hub=station.board.hub.gpf
    )


@dataclass
class Visit:
    """A home without SM WAN whose hub has just been switched on, its supplier, and an installer with a terminal."""

    station: Station
    records: list[Record]
    terminal: HandHeldTerminal

    @property
    def chf(self) -> Eui64:
        return self.station.board.hub.chf

    @property
    def esme(self) -> Esme:
        return self.station.one(Esme)

    async def ask_local(self, variant: str, target: Eui64, body: Mapping[str, Content] | None = None) -> tuple[Outcome, bytes]:
        """A request for local delivery and the Command that its user gets."""
        dcc, user = self.station.dcc, self.station.supplier
        request = dcc.request(user, variant, target, body, command_variant=None if schedule()[variant].critical else 2)
        outcome = await dcc.send(user, request, returns=CommandVariant.SIGNED_RETURN)
        assert outcome.verdict is Verdict.RETURNED, outcome.why
        return outcome, next(one.octets for one in outcome.messages if one.kind == "d")

    async def bring_back(self, response: bytes) -> Outcome:
        """8.13."""
        return await self.station.ask(self.station.supplier, "8.13", None, {"DeviceGBCSResponse": response})

    async def locally(self, variant: str, target: Eui64, body: Mapping[str, Content] | None = None) -> tuple[bytes, bytes]:
        """A request for local delivery, handed over by the terminal, brought back: Command and Response."""
        asked, command = await self.ask_local(variant, target, body)
        self.terminal.load(command)
        (response,) = await self.terminal.deliver()
        brought = await self.bring_back(response)
        assert brought.ok, f"8.13 for {variant}: {brought.why}"
        assert brought.result["request"] == asked.request
        return command, response

    async def install_meter(self) -> None:
        """Pre-notified by the SM WAN's far end, listed in the hub by the terminal, joined."""
        row = self.station.board.find("esme")
        certify(self.station.dcc, row)
        assert (await self.station.ask(self.station.supplier, "12.2", None, notification(row))).ok
        await self.locally("8.11", self.chf, addition(row, JOIN_TIME_S))
        await self.esme.join()

    def status(self, eui: Eui64) -> str:
        return str(self.station.dcc.inventory.listed(eui).status)

    def refused(self, since: int) -> list[str]:
        """Reasons for which the hub refused something."""
        return [str(one.detail["reason"]) for one in self.records[since:] if one.event == "refused" and one.source in ("hub", "chf", "gpf")]

    def log(self) -> list[Eui64]:
        assert self.station.hub is not None
        return [entry.device for entry in self.station.hub.status.device_log]

    async def hub_lives(self) -> None:
        """The meter reads the hub's time under its own link key."""
        assert self.station.hub_trouble is None
        self.esme.hub_time = None
        await self.esme.refresh_hub_time()
        assert self.esme.hub_time is not None


def flipped(message: bytes) -> bytes:
    """With a wrong bit in the MAC, which comes last."""
    return message[:-1] + bytes((message[-1] ^ 1,))


@pytest.fixture
def board(tmp_path: Path) -> Board:
    path = tmp_path / "visited.toml"
    path.write_text(_BOARD, encoding="utf-8")
    return load_board(str(path))


@pytest.fixture
def clock(board: Board, follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=board.clock.start, warp=True))


@pytest.fixture
async def home(board: Board, clock: Clock, tmp_path: Path) -> AsyncIterator[Visit]:
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)
    async with open_station(board, clock, trace, tmp_path) as station:
        station.sm_wan.coverage = False
        list_hub(station.dcc, board)
        await station.host.power_up()
        await station.until("the HAN", lambda: station.hub is not None and station.hub.status.network is not None)
        made = Visit(station, records, make_terminal(station, TERMINAL))
        await made.terminal.start()
        yield made
        await made.terminal.stop()


@pytest.mark.requirement("CH-22")
@pytest.mark.requirement("CH-21")
@pytest.mark.requirement("GW-16")
@pytest.mark.requirement("GW-50")
async def test_a_terminal_brings_a_home_without_sm_wan_into_service_and_its_responses_are_brought_back(home: Visit) -> None:
    station, esme, terminal = home.station, home.esme, home.terminal
    await terminal.join()
    assert home.log() == [TERMINAL]
    await home.install_meter()
    assert home.status(esme.eui64) == "Whitelisted", "the Response of 8.11 that was brought back has had no effect"

    command, _ = await home.locally("4.1.1", esme.eui64)
    assert Message.decode(command).header.originator == station.supplier.eui64
    assert esme.load_switch is LoadSwitch.ENABLED
    disable, response = await home.locally("7.2", esme.eui64)
    assert esme.load_switch is LoadSwitch.DISABLED

    again = await home.bring_back(response)
    assert not again.ok, "a Response counts once"
    executed = len([one for one in home.records if one.event == "executed"])
    terminal.load(disable)
    assert await terminal.deliver(wait_s=30) == [], "a replayed Command was answered"
    assert len([one for one in home.records if one.event == "executed"]) == executed
    terminal.loaded.clear()

    await terminal.leave()
    await station.until("the terminal out of the log", lambda: TERMINAL not in home.log())
    assert station.hub is not None
    assert station.hub.status.historic_log == (), "a hand-held terminal is never in the historic log"

    _, commission = await home.ask_local(
        "8.1.1", esme.eui64, {"CurrentDateTime": station.clock.datetime() - timedelta(minutes=1), "TolerancePeriod": 7200}
    )
    await terminal.join()
    terminal.load(commission)
    (response,) = await terminal.deliver()
    assert esme.clock_reliable
    await terminal.leave()
    assert not station.dcc.head_end.connected(home.chf), "none of it has needed the SM WAN"

    station.sm_wan.coverage = True
    await station.until("the hub's first contact", lambda: home.status(home.chf) == "Commissioned", 7200)
    brought = await home.bring_back(response)
    assert brought.ok, brought.why
    assert home.status(esme.eui64) == "Commissioned"
    enabled = await station.ask(station.supplier, "7.1", esme.eui64)
    assert enabled.ok, enabled.why


@pytest.mark.requirement("CH-21")
async def test_what_a_terminal_hands_over_is_believed_only_as_far_as_its_own_protection_goes(home: Visit) -> None:
    station, esme, terminal = home.station, home.esme, home.terminal
    await terminal.join()
    await home.install_meter()
    _, disable = await home.ask_local("7.2", esme.eui64)
    _, read = await home.ask_local("4.1.1", esme.eui64)
    response = terminal.responses[0]
    since = len(home.records)
    stray = read.replace(esme.eui64.octets, STRANGER.octets)
    for octets in (flipped(disable), flipped(read), response, stray, bytes(40), disable[:60]):
        await terminal.put(octets)
    with pytest.raises(RadioError):
        await terminal.put(b"")
    await station.clock.sleep(60)
    answer = await (await terminal._open()).fetch_one()
    assert answer.message == b"", "something of it was answered"
    assert esme.load_switch is LoadSwitch.ENABLED
    assert not any(one.event == "executed" for one in home.records[since:])
    refused = home.refused(since)
    assert any("is of kind RESPONSE" in reason for reason in refused), refused
    assert any(f"{STRANGER} is neither this hub nor a Device" in reason for reason in refused), refused
    over_wan = [one for one in home.records[since:] if one.event == "stored for wan" and one.data in (response, stray, read, disable)]
    assert over_wan == [], "the SM WAN got something of a terminal"
    terminal.load(disable)
    assert len(await terminal.deliver()) == 1
    assert esme.load_switch is LoadSwitch.DISABLED


@pytest.mark.requirement("CH-21")
async def test_outside_its_hour_a_terminal_is_refused_and_put_out_and_the_next_power_on_lets_it_in(home: Visit) -> None:
    station, terminal = home.station, home.terminal
    await terminal.join()
    await home.install_meter()
    second = make_terminal(home.station, STRANGER)
    await second.start()
    since = len(home.records)
    with pytest.raises(CommsHubError):
        await second.join()
    assert "another hand-held terminal is on the HAN" in home.refused(since)

    _, read = await home.ask_local("4.1.1", home.esme.eui64)
    await terminal.put(read)
    before = len(home.records)
    await station.clock.sleep(WINDOW_S)
    assert home.log() == [home.esme.eui64]
    over_wan = [one.message for one in home.records[before:] if one.event == "stored for wan"]
    asked = Message.decode(read).header
    assert f"{asked.recipient}:{asked.originator}:response:{asked.counter}" in over_wan, "a Response that was not fetched is lost"
    await station.until("the terminal off the HAN", lambda: not terminal.node.joined)
    with pytest.raises(RadioError):
        await terminal.put(b"anything")
    since = len(home.records)
    with pytest.raises(CommsHubError):
        await terminal.join()
    assert "a hand-held terminal may come in the first 60 minutes from power-on" in home.refused(since)
    await home.hub_lives()

    await station.jig.supply.output(False)
    await station.clock.sleep(60)
    await station.host.power_up()
    await station.until("the HAN again", lambda: station.hub is not None and station.hub.status.network is not None)
    await terminal.join()
    assert TERMINAL in home.log()
    await second.stop()


@pytest.mark.requirement("CH-21")
async def test_octets_of_a_stranger_get_no_answer_and_do_no_harm(home: Visit) -> None:
    station, terminal = home.station, home.terminal
    await terminal.join()
    await home.install_meter()
    await terminal.leave()
    await station.until("the terminal out of the log", lambda: TERMINAL not in home.log())
    node, heard = StackNode(station.air, STRANGER), list[tuple[InterPanSender, InterPanFrame]]()
    found = next(one for one in await node.beacons() if one.beacon.coordinator)
    receiver: InterPanReceiver = lambda sender, frame: heard.append((sender, frame))  # noqa: E731
    node.inter_pan_receiver = receiver
    node.listen_inter_pan(found.channel)
    hub, pan, log = station.board.hub.gpf, found.beacon.pan, home.log()
    for cluster in (INTRODUCTION, KEYS, TUNNELS, 0x0019, 0x0000):
        for payload in (b"", b"\x01", bytes(95), bytes(range(61)), b"\x01\x00\x00", b"\x01\x07\x09\xff", b"\x00\x01\x0b\x00\x86"):
            await node.send_inter_pan(hub, pan, InterPanFrame(cluster, payload))
            await node.send_inter_pan(0xFFFF, pan, InterPanFrame(cluster, payload))
            await node.send_inter_pan(hub, pan, InterPanFrame(cluster, payload, profile=0xC05E))
    await station.clock.sleep(60)
    assert heard == []
    assert home.log() == log
    await home.hub_lives()
    await terminal.join()
    await home.locally("4.1.1", home.esme.eui64)
