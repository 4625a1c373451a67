"""A hub with a HAN in memory, meters on it, and the DCC's end of its WAN: what the tests of the hub stand on.

The HAN keeps what matters here: joining by key, link keys checked on secured frames, sleepy nodes, radios that are off, and a
dongle that keeps network and keys over a power cut. It has no air, no NWK layer and no loss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.joining import join_han
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.errors import RadioError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.axdr import Boolean, Data, Enum, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, Choice, Specification, invoke_id, parse_obis
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.payload import Payload, decode_payload
from firmware_emu.han.base import ApsFrame, HanEvent, HanEventKind, NetworkSettings, Receiver, SimpleDescriptor
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.tunnel import TunnelClient, TunnelServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.hub import Hub, HubConfig
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind, WanLink
from firmware_emu.wan.channel import WanChannel, WanSide
from firmware_emu.wan.memory import MemoryWan

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


class Han:
    """The medium: every radio by address."""

    def __init__(self) -> None:
        self.ports: dict[Eui64, Port] = {}
        self.coordinator: MemoryRadio | None = None


class Port:
    """An ApsPort on the medium. ``on`` False: nobody hears it and it hears nobody."""

    def __init__(self, han: Han, eui64: Eui64) -> None:
        self.han, self.eui64 = han, eui64
        self.receiver: Receiver | None = None
        self.on = True
        self.awake = True
        self.descriptors: dict[int, SimpleDescriptor] = {}
        self.link_keys: dict[Eui64, bytes] = {}
        self.held: list[tuple[Eui64, ApsFrame]] = []
        self.on_network = False
        han.ports[eui64] = self

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        self.descriptors[descriptor.endpoint] = descriptor

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        await asyncio.sleep(0.01)
        other = self.han.ports.get(destination)
        if other is None or not other.on or not self.on or not (other.on_network and self.on_network):
            raise RadioError(f"{destination} does not acknowledge", "DELIVERY_FAILED")
        if frame.secured and self.link_keys.get(destination) != other.link_keys.get(self.eui64, b"none"):
            raise RadioError(f"no common link key with {destination}", "SECURITY")
        if other.awake:
            other.deliver(self.eui64, frame)
        else:
            other.held.append((self.eui64, frame))

    def deliver(self, sender: Eui64, frame: ApsFrame) -> None:
        def arrive() -> None:
            if self.on and self.receiver is not None:
                self.receiver(sender, replace(frame, lqi=200, rssi=-50))

        asyncio.get_running_loop().call_soon(arrive)

    async def broadcast(self, frame: ApsFrame) -> None:
        for other in self.han.ports.values():
            if other is not self and other.on and other.awake:
                other.deliver(self.eui64, frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        await asyncio.sleep(0.01)
        other = self.han.ports.get(destination)
        if other is None or not other.on or not other.on_network:
            raise RadioError(f"{destination} does not answer", "TIMEOUT")
        found = other.descriptors.values()
        return tuple(one.endpoint for one in found if cluster in (one.servers if server else one.clients))

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        self.link_keys[partner] = key


class MemoryRadio(Port):
    """The hub's dongle: remembers network and link keys over ``stop`` and a power cut."""

    def __init__(self, han: Han, eui64: Eui64) -> None:
        super().__init__(han, eui64)
        self.on_event: Callable[[HanEvent], None] | None = None
        self.network: NetworkSettings | None = None
        self.permitted: dict[Eui64, tuple[bytes, float]] = {}
        self.formed = 0
        self.on = False
        han.coordinator = self

    async def start(self) -> None:
        await asyncio.sleep(0.1)
        self.on = True

    async def resume(self) -> NetworkSettings | None:
        await asyncio.sleep(0.1)
        self.on_network = self.network is not None
        return self.network

    async def form(self, settings: NetworkSettings) -> NetworkSettings:
        await asyncio.sleep(0.1)
        self.formed += 1
        key = settings.network_key or bytes([self.formed]) * 16
        self.network = replace(settings, pan_id=0x1234, network_key=key)
        self.link_keys.clear()
        self.on_network = True
        return self.network

    async def permit(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        self.permitted[device] = (link_key, asyncio.get_running_loop().time() + seconds)

    async def forbid(self) -> None:
        self.permitted.clear()

    async def remove(self, device: Eui64) -> None:
        self.permitted.pop(device, None)
        self.link_keys.pop(device, None)
        other = self.han.ports.get(device)
        if other is None or not other.on:
            raise RadioError(f"{device} does not answer", "TIMEOUT")
        other.on_network = False

    async def stop(self) -> None:
        self.on = False
        self.on_event = None

    def tell(self, kind: HanEventKind, device: Eui64, reason: str = "") -> None:
        def arrive() -> None:
            if self.on and self.on_event is not None:
                self.on_event(HanEvent(kind, device, reason))

        asyncio.get_running_loop().call_soon(arrive)


class MemoryNode(Port):
    """A Device's radio."""

    async def join(
        self, link_key: bytes, *, extended_pan_id: Eui64 | None = None, sleepy: bool = False, timeout_s: float = 30.0,
    ) -> Eui64:
        await asyncio.sleep(0.2)
        hub = self.han.coordinator
        assert hub is not None
        key, until = hub.permitted.get(self.eui64, (b"", 0.0))
        if not hub.on or not hub.on_network:
            raise RadioError("no beacon")
        if key != link_key or asyncio.get_running_loop().time() > until:
            hub.tell(HanEventKind.REFUSED, self.eui64, "no key is held for it")
            raise RadioError("no transport key", "TIMEOUT")
        self.link_keys[hub.eui64] = hub.link_keys[self.eui64] = link_key
        self.on_network = True
        hub.tell(HanEventKind.JOINED, self.eui64)
        return hub.eui64

    @property
    def joined(self) -> bool:
        return self.on_network

    async def resume(self) -> bool:
        hub = self.han.coordinator
        assert hub is not None
        if self.on_network:
            hub.tell(HanEventKind.REJOINED, self.eui64)
        return self.on_network

    async def poll(self) -> None:
        held, self.held = self.held, []
        for sender, frame in held:
            self.deliver(sender, frame)
        await asyncio.sleep(0.05)

    async def leave(self) -> None:
        self.on_network = False

    def power(self, on: bool) -> None:
        self.on = on


class Meter:
    """A tunnelled Device: tunnel server, a GBCS pipeline behind it, everything it got remembered."""

    def __init__(self, bench: Bench, device: Eui64, device_type: DeviceType = DeviceType.ESME) -> None:
        self.bench, self.device = bench, device
        self.node = MemoryNode(bench.han, device)
        self.zcl = ZclPort(self.node, bench.clock)
        self.zcl.add_endpoint(SimpleDescriptor(1, 0x0500, servers=(0x0704, 0x0800), clients=(0x0800, 0x000A, 0x0019, 0x0025, 0x0702)))
        self.server = TunnelServer(self.zcl, 1, lambda _: True, self._take)
        self.got: list[bytes] = []
        store = MemoryStore()
        credentials = Credentials.from_keystore(store, bench.keystore, device, device_type, {
            RemotePartyRole.ACCESS_CONTROL_BROKER: ACB, RemotePartyRole.SUPPLIER: SUPPLIER,
            RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR})
        self.gbcs = GbcsDevice(device, device_type, credentials, store, bench.clock.now, bench.trace)

    def _take(self, partner: Eui64, data: bytes) -> None:
        self.got.append(data)

    async def join(self) -> None:
        await join_han(
            self.node, self.zcl, CODES[self.device], self.bench.keystore.cbke(self.device), trace=self.bench.trace, name=str(self.device))

    async def send(self, message: bytes) -> None:
        await self.server.transfer(GPF, message)


class GasMeter(Meter):
    """A sleepy GSME: client of the hub's tunnel server."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, GSME, DeviceType.GSME)
        self.server.close()
        self.zcl.add_endpoint(SimpleDescriptor(1, 0x0501, servers=(0x0702, 0x0800), clients=(0x0704, 0x0800, 0x000A, 0x0025)))
        self.tunnel = TunnelClient(self.zcl, GPF)
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

    def run(self, test: Callable[[Bench], Coroutine[object, object, None]], *, powered: bool = True) -> None:
        async def main() -> None:
            self.dcc = WanChannel(
                self.wan.dcc, self.dcc_store, self.clock, side=WanSide.DCC, name=str(CHF), trace=Trace(self.clock.now), on_frame=self._take)
            self.far_end = asyncio.create_task(self.dcc.run())
            if powered:
                await self.power_on()
            try:
                await test(self)
            finally:
                await self.cut()
                self.far_end.cancel()
                await asyncio.gather(self.far_end, return_exceptions=True)

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
        self, code: int, payload: bytes, *, recipient: Eui64 = CHF, counter: int | None = None, user: Eui64 | None = SUPPLIER,
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
            lambda: next((one for one in self.decoded(CraFlag.RESPONSE) if one.header.counter == wanted), None), within_s)
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
    return bench.dlms(
        0x00FE, (Specification(Choice.ACTION, 104, LOG, 4), Null()), (Specification(Choice.ACTION, 104, HISTORIC, 4), Null()))


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
