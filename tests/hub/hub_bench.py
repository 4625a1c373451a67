"""A hub with a HAN in memory, meters on it, and the DCC's end of its WAN: what the tests of the hub stand on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self, TypeVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.joining import join_han
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.gbcs import gbt, protect
from firmware_emu.gbcs.axdr import Boolean, Data, Enum, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, Choice, Specification, invoke_id, parse_obis
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import Payload, decode_payload
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.tunnel import TunnelClient, TunnelServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.hub import Hub, HubConfig
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan
from hil.radio.nodes.memory_han import Han, MemoryNode, MemoryRadio

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
ACB = Eui64.parse("90b3d51f30000002")
WAN_PROVIDER = Eui64.parse("90b3d51f30000007")
SUPPLIER = Eui64.parse("90b3d51f30010000")
NETWORK_OPERATOR = Eui64.parse("90b3d51f30020000")
ESME = Eui64.parse("00db1234567890a0")
GSME = Eui64.parse("00db1234567890a1")
CHF = Eui64.parse("00db1234567890a2")
GPF = Eui64.parse("00db1234567890a3")
PPMID = Eui64.parse("00db1234567890a4")
IHD = Eui64.parse("00db1234567890b0")
STRANGER = Eui64.parse("00db1234567890ff")
CODES = {device: InstallCode(bytes([number]) * 16) for number, device in enumerate((ESME, GSME, PPMID, IHD, STRANGER), 0x41)}
CONFIG = HubConfig(CHF, GPF, ACB, wan_provider=WAN_PROVIDER, supplier=SUPPLIER, network_operator=NETWORK_OPERATOR)
LOG, HISTORIC = parse_obis("0-0:30.3.0.255"), parse_obis("0-0:30.3.1.255")


class Meter:
    """A tunnelled Device: tunnel server, a GBCS pipeline behind it, everything it got remembered."""

    def __init__(self, bench: Bench, device: Eui64, device_type: DeviceType = DeviceType.ESME) -> None:
        self.bench, self.device = bench, device
        self.node = MemoryNode(bench.han, device)
        self.zcl = ZclPort(self.node, bench.clock)
        self.zcl.add_endpoint(SimpleDescriptor(1, 0x0500, servers=(0x0704, 0x0800), clients=(0x0800, 0x000A, 0x0019, 0x0025, 0x0702)))
        self.server = TunnelServer(self.zcl, 1, lambda _: True, self._take, blocks=gbt)
        self.got: list[bytes] = []
        store = MemoryStore()
        credentials = Credentials.from_keystore(
            store,
            bench.keystore,
            device,
            device_type,
            {
                RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
                RemotePartyRole.SUPPLIER: SUPPLIER,
                RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
            },
        )
        self.gbcs = GbcsDevice(device, device_type, credentials, store, bench.clock.now, bench.trace, STANDARD)

    def _take(self, partner: Eui64, data: bytes) -> None:
        self.got.append(data)

    async def join(self) -> None:
        await join_han(
            self.node, self.zcl, CODES[self.device], self.bench.keystore.cbke(self.device), trace=self.bench.trace, name=str(self.device)
        )

    async def send(self, message: bytes) -> None:
        await self.server.transfer(GPF, message)


class GasMeter(Meter):
    """A sleepy GSME: client of the hub's tunnel server."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, GSME, DeviceType.GSME)
        self.server.close()
        self.zcl.add_endpoint(SimpleDescriptor(1, 0x0501, servers=(0x0702, 0x0800), clients=(0x0704, 0x0800, 0x000A, 0x0025)))
        self.tunnel = TunnelClient(self.zcl, GPF, blocks=gbt)
        self.mailbox = MailboxClient(self.tunnel)


@dataclass
class Bench:
    """Everything in one place; ``run`` runs a test against a powered hub under the warp clock."""

    keystore: Keystore
    clock: Clock = field(default_factory=lambda: Clock(start=START, warp=True))
    store: Store = field(default_factory=MemoryStore)
    config: HubConfig = CONFIG

    def __post_init__(self) -> None:
        self.records: list[Record] = []
        self.trace = Trace(self.clock.now)
        self.trace.subscribe(self.records.append)
        self.han = Han()
        self.radio = MemoryRadio(self.han, GPF)
        self.wan = MemoryWan(self.clock, latency_s=0.05)
        self.dcc_store: Store = MemoryStore()
        self.from_hub: list[bytes] = []
        self.frames: list[tuple[float, WanFrame]] = []
        self.counter = 1000
        self.hub = self.new_hub()

    def new_hub(self, wan: WanLink | None = None) -> Hub:
        return Hub(self.config, self.radio, wan or self.wan.hub, self.store, self.keystore, self.clock, self.trace)

    @contextlib.asynccontextmanager
    async def running(self, *, powered: bool = True) -> AsyncIterator[Self]:
        """The far end listens, and the hub has power unless ``powered`` is false; in the end both are gone."""
        self.dcc = WanChannel(
            self.wan.dcc, self.dcc_store, self.clock, side=WanSide.DCC, name=str(CHF), trace=Trace(self.clock.now), on_frame=self._take
        )
        self.far_end = asyncio.create_task(self.dcc.run())
        if powered:
            await self.power_on()
        try:
            yield self
        finally:
            await self.cut()
            self.far_end.cancel()
            await asyncio.gather(self.far_end, return_exceptions=True)

    def run(self, test: Callable[[Bench], Coroutine[object, object, None]], *, powered: bool = True) -> None:
        """One test on a loop of its own, for tests that hypothesis calls more than once."""

        async def main() -> None:
            async with self.running(powered=powered):
                await test(self)

        self.clock.run(main())

    def _take(self, frame: WanFrame) -> None:
        self.frames.append((self.clock.now(), frame))
        if frame.kind is WanKind.MESSAGE:
            self.from_hub.append(frame.body)
        elif frame.kind is WanKind.ALERT:
            self.from_hub.append(frame.body[4:])

    async def power_on(self) -> None:
        """A new hub over the same store, until it has its network and its WAN (or 5 s have passed)."""
        self.hub = self.new_hub()
        self.task = asyncio.create_task(self.hub.run())
        await self.clock.sleep(5)
        if self.task.done():
            self.task.result()

    async def cut(self) -> None:
        """A power cut: only the store and what the dongle keeps survive."""
        if hasattr(self, "task"):
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    # --- the DCC

    def command(
        self,
        code: int,
        payload: bytes,
        *,
        recipient: Eui64 = CHF,
        counter: int | None = None,
        user: Eui64 | None = SUPPLIER,
        originator: Eui64 = ACB,
    ) -> bytes:
        """A non-critical Command under the ACB's MAC."""
        if counter is None:
            self.counter += 1
            counter = self.counter
        other = OtherInformation(code) if user is None else OtherInformation(code, user, counter)
        message = Message(GroupingHeader(CraFlag.COMMAND, counter, originator, recipient, other), payload)
        return protect.with_mac(message, self.keystore.shared_secret(ACB, recipient)).encode()

    def dlms(self, code: int, *items: tuple[Specification, Data], recipient: Eui64 = CHF) -> bytes:
        self.counter += 1
        request = AccessRequest(invoke_id(self.counter), tuple(item for item, _ in items), tuple(data for _, data in items))
        return self.command(code, request.encode(), recipient=recipient, counter=self.counter)

    def send(self, message: bytes) -> None:
        self.dcc.post(WanKind.MESSAGE, message)

    async def ask(self, message: bytes, within_s: float = 30) -> Payload:
        """Send and wait for the response, its MAC checked; returns its payload."""
        wanted = Message.decode(message).header.counter
        self.send(message)
        response = await self.wait_for(
            lambda: next((one for one in self.decoded(CraFlag.RESPONSE) if one.header.counter == wanted), None), within_s
        )
        protect.check_mac(response, self.keystore.shared_secret(response.header.originator, ACB))
        return decode_payload(response)

    def decoded(self, cra: CraFlag) -> list[Message]:
        found = [Message.decode(data) for data in self.from_hub]
        return [message for message in found if message.header.cra is cra]

    def alerts(self, code: int) -> list[Message]:
        return [message for message in self.decoded(CraFlag.ALERT) if code.to_bytes(2, "big") in message.payload[:16]]

    async def wait_for(self, look: Callable[[], T | None], within_s: float = 30) -> T:
        """Poll in bench time until ``look`` gives something."""
        until = self.clock.now() + within_s
        while (found := look()) is None or found is False:
            assert self.clock.now() < until, "it did not happen in time"
            await self.clock.sleep(max(0.1, within_s / 300))
        return found

    def refusals(self) -> list[str]:
        return [str(record.detail["reason"]) for record in self.records if record.event == "refused"]


# --- Commands of the CHF (reference gbcs-messages 9)


def add_device(bench: Bench, device: Eui64, kind: int = 0, seconds: int = 600, code: InstallCode | None = None) -> bytes:
    """CCS01."""
    key = (code or CODES[device]).octets
    return bench.dlms(
        0x0001,
        (Specification(Choice.ACTION, 104, LOG, 1), Structure((OctetString(device.octets), Enum(1), OctetString(key), Enum(kind)))),
        (Specification(Choice.SET, 104, LOG, 3), LongUnsigned(seconds)),
        (Specification(Choice.SET, 104, LOG, 2), Boolean(True)),
    )


def remove_device(bench: Bench, device: Eui64) -> bytes:
    """CCS02."""
    return bench.dlms(0x0002, (Specification(Choice.ACTION, 104, LOG, 2), OctetString(device.octets)))


def read_logs(bench: Bench) -> bytes:
    """CCS07."""
    return bench.dlms(0x00FE, (Specification(Choice.ACTION, 104, LOG, 4), Null()), (Specification(Choice.ACTION, 104, HISTORIC, 4), Null()))


def codes(payload: object) -> list[int]:
    """The results of an access response."""
    assert isinstance(payload, AccessResponse)
    return [int(result.code) for result in payload.results]


async def joined_meter(bench: Bench, device: Eui64 = ESME, kind: int = 0) -> Meter:
    """A Device added by CCS01, joined, with its key established."""
    assert codes(await bench.ask(add_device(bench, device, kind))) == [0, 0, 0]
    meter = GasMeter(bench) if device == GSME else Meter(bench, device)
    await meter.join()
    return meter
