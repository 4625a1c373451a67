"""A far end and a home for it: real Devices behind a real stored channel, with answers that a test chooses.

The home stands in for a hub: it has no HAN. Its Devices check, execute and protect as :mod:`firmware_emu.device` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.axdr import Null, OctetString
from firmware_emu.gbcs.dlms import AccessOutcome, AccessRequest, AccessResponse, AccessResult, Choice
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import UseCase, decode_payload
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.parties.cos_party import CosParty
from hil.dcc.parties.users import User

ESME, GSME, CHF, GPF, PPMID, HCALCS = (Eui64.parse(f"00db1234567890a{digit}") for digit in "012345")
ACB, COS = Eui64.parse("90b3d51f30000002"), Eui64.parse("90b3d51f30000004")
SUPPLIER, SECOND, NETWORK, OTHER = (Eui64.parse(f"90b3d51f300{digit}0000") for digit in "1324")
MPAN = "1312345678111"
PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90b3d51f30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    RemotePartyRole.TRANSITIONAL_COS: COS,
    RemotePartyRole.WAN_PROVIDER: Eui64.parse("90b3d51f30000007"),
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: NETWORK,
}
KINDS = {ESME: DeviceType.ESME, CHF: DeviceType.CHF, GPF: DeviceType.GPF}


class ReadyAnswers:
    """An executor whose Device says yes to everything in DLMS, or no when ``result`` says so."""

    def __init__(self) -> None:
        self.result = AccessResult.SUCCESS
        self.executed: list[int] = []

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        request = decode_payload(message)
        assert isinstance(request, AccessRequest)
        self.executed.append(use_case.code)
        gets = (Choice.GET, Choice.GET_WITH_SELECTION)
        data = tuple(
            OctetString(b"\x0b\x0c\x0d\x0e") if one.choice in gets and not self.result else Null() for one in request.specifications
        )
        results = tuple(AccessOutcome(Choice.GET if one.choice in gets else one.choice, self.result) for one in request.specifications)
        return AccessResponse(request.invoke_id, data, results).encode()


@dataclass
class Home:
    """One hub's end of the SM WAN with its Devices. ``change`` is applied to every message on its way to the DCC."""

    clock: Clock
    trace: Trace
    wan: MemoryWan
    keystore: Keystore
    change: Callable[[list[bytes]], list[bytes]] = lambda messages: messages
    received: list[bytes] = field(default_factory=list)
    boots: int = 1

    def __post_init__(self) -> None:
        self.store = MemoryStore()
        self.answers = {eui: ReadyAnswers() for eui in KINDS}
        self.devices = {eui: self._device(eui, kind) for eui, kind in KINDS.items()}
        self.channel = WanChannel(
            self.wan.hub,
            self.store,
            self.clock,
            side=WanSide.HUB,
            name="dcc",
            trace=self.trace,
            hello=lambda: Hello(CHF, GPF, self.boots),
            on_frame=self._take,
        )
        self._task: asyncio.Task[None] | None = None

    def _device(self, eui: Eui64, kind: DeviceType) -> GbcsDevice:
        credentials = Credentials.from_keystore(self.store, self.keystore, eui, kind, PARTIES)
        return GbcsDevice(eui, kind, credentials, self.store, self.clock.now, self.trace, STANDARD, self.answers[eui])

    def _take(self, frame: WanFrame) -> None:
        self.received.append(frame.body)
        device = self.devices[Message.decode(frame.body).header.recipient]
        for message in self.change(device.receive(frame.body)):
            self.say(message)

    def say(self, message: bytes) -> None:
        self.channel.post(WanKind.MESSAGE, message)

    def connect(self) -> None:
        self._task = asyncio.create_task(self.channel.run())

    async def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


@dataclass
class FarEnd:
    """A Dcc with three users, a network operator and an other user; the home is pre-notified."""

    keystore: Keystore
    clock: Clock
    store_path: Path | None = None

    def __post_init__(self) -> None:
        self.trace = Trace(self.clock.now)
        self.records: list[Record] = []
        self.trace.subscribe(self.records.append)
        self.supplier, self.second = User(SUPPLIER, UserRole.IS, self.keystore), User(SECOND, UserRole.IS, self.keystore)
        self.network, self.other = User(NETWORK, UserRole.ED, self.keystore), User(OTHER, UserRole.OU, self.keystore)
        self.wan = MemoryWan(self.clock)
        self.home = Home(self.clock, self.trace, self.wan, self.keystore)
        self.dcc = self.new_dcc()

    def new_dcc(self) -> Dcc:
        dcc = Dcc(self.keystore, PARTIES, self.clock, self.trace, self.store_path, cos=CosParty(COS, self.keystore, self.clock))
        for user in (self.supplier, self.second, self.network, self.other):
            dcc.add_user(user)
        return dcc

    def notify(self) -> None:
        self.dcc.pre_notify(CHF, DeviceType.CHF, gpf=GPF)
        for eui in (ESME, GPF):
            self.dcc.pre_notify(eui, KINDS[eui])
        self.dcc.register_supply(MPAN, UserRole.IS, SUPPLIER)
        self.dcc.register_supply(MPAN, UserRole.ED, NETWORK)

    async def connect(self) -> None:
        """Hub and DCC meet; the hub is Commissioned."""
        await self.dcc.start()
        self.dcc.attach_hub(self.wan.dcc, CHF)
        self.home.connect()
        await self.clock.sleep(1)

    def put_in_service(self) -> None:
        """The electricity meter joined and commissioned, its MPAN known, without the journey there."""
        inventory = self.dcc.inventory
        inventory.associate(ESME, "chf", CHF)
        inventory.describe(ESME, import_mpxn=MPAN)
        inventory.move(ESME, "joined", reason="test")
        inventory.move(ESME, "commissioned", reason="test")

    async def in_service(self) -> None:
        self.notify()
        await self.connect()
        self.put_in_service()

    async def close(self) -> None:
        await self.home.leave()
        await self.dcc.close()


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock(start=datetime(2026, 1, 5, 12, tzinfo=UTC), warp=True))


@pytest.fixture
async def far_end(keystore: Keystore, clock: Clock) -> AsyncIterator[FarEnd]:
    """A far end that nothing is connected to yet; it is closed after the test."""
    far_end = FarEnd(keystore, clock)
    yield far_end
    await far_end.close()


@pytest.fixture
def run(far_end: FarEnd) -> Callable[[Callable[[FarEnd], Awaitable[None]]], None]:
    """Run a test's coroutine on the far end's clock, and close everything after it."""

    def go(scenario: Callable[[FarEnd], Awaitable[None]]) -> None:
        far_end.clock.run(scenario(far_end))

    return go
