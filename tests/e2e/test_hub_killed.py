"""The hub's process is killed (SIGKILL) at seeded instants and started again: nothing is lost, nothing is done twice.

An instant is a number of events: frames on the air, records of the DCC and of the meter. A machine that is slow reaches it later.
The dongle, the meters and the DCC live on in this process: the dongle on a pseudo-terminal, the SM WAN over TCP with mutual TLS.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.profile import may_come_again
from firmware_emu.errors import CommsHubError
from firmware_emu.hub.device_log import DeviceLog
from firmware_emu.hub.from_board import parties_of
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.tcp import TcpWanServer
from firmware_emu.wan.tls import files_of
from hil.bench.keys import load_keys, pki_folder
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.parties.users import User
from hil.devices.base import gbcs_device
from hil.devices.esme.esme import Esme, LoadSwitch
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode
from tests.patience import PATIENCE_S

BOARD = load_board("simulated")
ROW = BOARD.find("esme")
KILLS = 20
JOURNEY_EVENTS = 400
"""About how many events the unkilled journey of this test makes; the instants are drawn over a little more than that."""


class Events:
    """Counts what happens, and wakes whoever waits for something to happen."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[asyncio.Future[None]] = []

    def happen(self, _: object) -> None:
        self.count += 1
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def next(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def reach(self, count: int) -> None:
        while self.count < count:
            await self.next()


@dataclass
class Home:
    """Everything but the hub. ``process`` is None while it is being killed and started again."""

    clock: Clock
    folder: Path
    dongle: str
    wan_port: int
    dcc: Dcc
    user: User
    esme: Esme
    events: Events
    records: list[Record]
    process: asyncio.subprocess.Process | None = None

    async def start_hub(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "chub"),
            "hub",
            "run",
            "--radio",
            self.dongle,
            "--wan",
            f"127.0.0.1:{self.wan_port}",
            "--pki",
            str(pki_folder(BOARD)),
            "--nvm",
            str(self.folder / "hub.sqlite"),
            "--trace",
            str(self.folder / "hub.jsonl"),
            stdout=(self.folder / "hub.out").open("ab"),
            stderr=(self.folder / "hub.err").open("ab"),
        )

    async def kill_hub(self) -> None:
        """SIGKILL, then power again."""
        assert self.process is not None
        process, self.process = self.process, None
        process.kill()
        await process.wait()
        await self.start_hub()

    async def stop_hub(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Look again at each event. A hub that ends by itself fails the test."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                gone = self.process is not None and self.process.returncode is not None
                assert not gone, f"the hub ended by itself: {(self.folder / 'hub.err').read_text()[-800:]}"
                await self.events.next()

    async def ask(self, variant: str, target: Eui64, body: dict[str, object] | None = None) -> Outcome:
        outcome = await self.dcc.send(self.user, self.dcc.request(self.user, variant, target, body), wait_s=PATIENCE_S)  # type: ignore[arg-type]
        assert outcome.ok, f"{variant}: {outcome.why}"
        return outcome


async def journey(home: Home) -> None:
    """Add the ESME, let it join, commission it, read it, open its load switch: each answered, whatever happens to the hub."""
    chf = BOARD.hub.chf
    await home.until(lambda: home.dcc.head_end.connected(chf))
    await home.ask(
        "12.2",
        home.dcc.eui,
        {
            "DeviceID": ROW.eui,
            "DeviceManufacturer": ROW.manufacturer,
            "DeviceModel": ROW.model,
            "DeviceType": "ESME",
            "SMETSCHTSVersion": "SMETS V5.2",
            "FirmwareVersion": ROW.firmware,
            "ESMEVariant": "A",
        },
    )
    await home.ask(
        "8.11",
        chf,
        {
            "DeviceID": ROW.eui,
            "RequestType": "Add",
            "AddDeviceToCHFWhitelist": {
                "JoinTimePeriod": 600,
                "InstallCode": ROW.install_code.octets.hex().upper(),
                "ImportMPxN": str(ROW.mpxn),
            },
        },
    )
    await join(home)
    await home.until(lambda: status(home) == "InstalledNotCommissioned")
    await home.ask("8.1.1", ROW.eui, {"CurrentDateTime": home.clock.datetime() - timedelta(minutes=1), "TolerancePeriod": 3600})
    await home.ask("4.1.1", ROW.eui)
    await home.ask("7.2", ROW.eui)
    await home.ask("7.4", ROW.eui)


async def join(home: Home) -> None:
    """An installer tries again while the hub is away."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await home.esme.join()
                return
            except CommsHubError:
                await home.clock.sleep(0.3)


def status(home: Home) -> str:
    device = home.dcc.inventory.device(ROW.eui)
    return "" if device is None else str(device.status)


async def run(folder: Path, kill_after: int | None) -> int:
    """The journey, with the hub killed after that many events if it still runs then; how many events there were."""
    clock = Clock()
    records: list[Record] = []
    events = Events()
    trace = Trace(clock.now)
    trace.subscribe(records.append)
    trace.subscribe(events.happen)
    keystore = load_keys(BOARD)
    air = Air(clock, seed=1)
    air.capture(events.happen)
    ncp = NcpServer(air, BOARD.hub.gpf, 13, folder / "dongle.tokens", clock)
    dongle = str(await ncp.serve_pty())
    server = TcpWanServer("127.0.0.1", 0, files_of(pki_folder(BOARD) / "tls", "dcc"))
    await server.start()
    parties = parties_of(BOARD, DeviceType.ESME)
    dcc = Dcc(keystore, parties, clock, trace, folder / "dcc.sqlite")
    user = User(BOARD.parties.supplier, UserRole.IS, keystore)
    dcc.add_user(user)
    dcc.register_supply(str(ROW.mpxn), UserRole.IS, user.eui64)
    dcc.inventory.certify(DeviceType.ESME, ROW.manufacturer, ROW.model, ROW.firmware)
    dcc.pre_notify(BOARD.hub.chf, DeviceType.CHF, gpf=BOARD.hub.gpf)
    await dcc.start()
    dcc.attach_hub(server.link(BOARD.hub.chf), BOARD.hub.chf)
    esme = Esme(ROW.eui, ROW.install_code, keystore, StackNode(air, ROW.eui), clock, trace, parties)
    await esme.start()
    home = Home(clock, folder, dongle, server.port, dcc, user, esme, events, records)
    await home.start_hub()
    try:
        work = asyncio.create_task(journey(home))
        if kill_after is not None:
            instant = asyncio.create_task(events.reach(kill_after))
            await asyncio.wait([work, instant], return_when=asyncio.FIRST_COMPLETED)
            instant.cancel()
            await home.kill_hub()
        await work
        check(home)
    finally:
        await home.stop_hub()
        await esme.stop()
        await dcc.close()
        await server.close()
        await ncp.close()
    check_nvm(home)
    return events.count


def check(home: Home) -> None:
    """Nothing lost (every request was answered, see ``ask``), nothing that is protected executed twice, one log everywhere."""
    executed = [r for r in home.records if r.area == "device" and r.event == "executed" and r.source.startswith("esme")]
    protected = [r.message for r in executed if not may_come_again(r)]
    assert len({r.message for r in executed}) == 4
    assert len(protected) == len(set(protected)) > 0
    assert home.esme.load_switch is not LoadSwitch.ENABLED
    delivered = [delivery.request for delivery in home.user.inbox if delivery.kind == "h"]
    assert len(delivered) == len(set(delivered))
    copy = home.dcc.device_log_copy.copy(BOARD.hub.chf)
    assert copy is not None
    assert len(copy.entries[ROW.eui]) == 16


def check_nvm(home: Home) -> None:
    """Compare the dead hub's memory with the DCC's copy."""
    store = SqliteStore(home.folder / "hub.sqlite")
    log = DeviceLog(store, capacity=16, historic_capacity=15, now=lambda: 0)
    (entry,) = log.entries()
    assert entry.device == ROW.eui
    store.close()


@pytest.mark.requirement("CH-05")
def test_the_journey_of_this_suite_passes_without_a_kill(tmp_path: Path) -> None:
    count = Clock().run(run(tmp_path, None))
    assert count > JOURNEY_EVENTS / 2, "the instants at which the hub is killed lie behind its journey"


@pytest.mark.requirement("CH-03")
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_hub_killed_at_any_instant_goes_on_with_nothing_lost(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gbcs_device, "SEND_RETRY_S", 0.5)  # these homes live in real time: the meter does not wait half a minute
    instant = random.Random(f"kill {seed}").randrange(JOURNEY_EVENTS)
    Clock().run(run(tmp_path, instant))
