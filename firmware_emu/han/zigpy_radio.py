"""The hub's radio on a USB dongle, real or virtual: unmodified bellows and zigpy behind :class:`~firmware_emu.han.base.HanRadio`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable, RadioError
from firmware_emu.han import zdo
from firmware_emu.han.addresses import AddressBook
from firmware_emu.han.application import KEY_TABLE_SIZE, HanApplication
from firmware_emu.han.base import (
    ZDO_PROFILE,
    ApsFrame,
    HanEvent,
    HanEventKind,
    NetworkSettings,
    Receiver,
    SimpleDescriptor,
)
from firmware_emu.han.ezsp import (
    OPENING_ERRORS,
    RECOMMENDED_VERSION,
    ApsSender,
    check_version,
    command,
    device_config,
    eui64_of,
    ezsp_eui64,
    import_link_key,
    opening_problem,
    radio_call,
)
from firmware_emu.han.permits import Permits
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace

LOGGER = logging.getLogger(__name__)

WATCHDOG_S = 10.0
"""bellows' own period; an hour on a warp clock, where a virtual day must not consist of watchdogs."""
_WARP_WATCHDOG_S = 3600.0
_RECOVERY_PAUSES_S = (0.5, 1, 2, 5, 10, 30, 60, 300, 600)
_READY_TIMEOUT_S = 30.0
"""How long a send waits for a dongle that is being opened again."""


class ZigpyRadio:
    """HanRadio over a dongle at ``path`` (a serial port or ``socket://host:port``).

    ``kind``: ``ezsp``, the one this radio drives. ``watchdog_s``: seconds between checks of an idle dongle; None: 10 s, an hour on a
    warp clock; 0: none. A dongle that resets or goes away is opened again and its network resumed; sends wait for that a while.
    """

    def __init__(
        self, path: str, *, baudrate: int = 115200, flow_control: str | None = None, clock: Clock, trace: Trace, kind: str = "ezsp",
        watchdog_s: float | None = None,
    ) -> None:
        if kind != "ezsp":
            raise NotAvailable(f"a radio of kind {kind!r}", "use a dongle with EmberZNet NCP firmware and kind = 'ezsp'")
        self.path = path
        self.clock = clock
        self.endpoints: list[SimpleDescriptor] = []
        self._config = device_config(path, baudrate, flow_control)
        self._trace = trace
        self._watchdog_s = (_WARP_WATCHDOG_S if clock.warp else WATCHDOG_S) if watchdog_s is None else watchdog_s
        self._app: HanApplication | None = None
        self._eui64: Eui64 | None = None
        self._receiver: Receiver | None = None
        self._on_event: Callable[[HanEvent], None] | None = None
        self._sender = ApsSender(self._ezsp, lambda: int(self._running().get_sequence()))
        self._book = AddressBook(self)
        self._permits = Permits(clock)
        self._joining: dict[Eui64, HanEventKind] = {}
        self._ready = asyncio.Event()
        self._formed = False
        self._tasks: set[asyncio.Task[None]] = set()

    # -- ApsPort ---------------------------------------------------------------------------------------------------------------

    @property
    def eui64(self) -> Eui64:
        """The dongle's address. Raises RadioError before :meth:`start`."""
        if self._eui64 is None:
            raise RadioError(f"the dongle at {self.path} is not open: call start() first")
        return self._eui64

    @property
    def receiver(self) -> Receiver | None:
        return self._receiver

    @receiver.setter
    def receiver(self, receiver: Receiver | None) -> None:
        self._receiver = receiver

    @property
    def on_event(self) -> Callable[[HanEvent], None] | None:
        return self._on_event

    @on_event.setter
    def on_event(self, handler: Callable[[HanEvent], None] | None) -> None:
        self._on_event = handler

    @property
    def ezsp_version(self) -> int:
        """EZSP version of the dongle. Raises RadioError when it is not open."""
        return int(self._ezsp().ezsp_version)

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Register an endpoint, before :meth:`start`. Raises RadioError after it."""
        if self._app is not None:
            raise RadioError(f"the dongle at {self.path} is open: add endpoint {descriptor.endpoint} before start()")
        self.endpoints.append(descriptor)

    async def send(self, destination: Eui64, frame: ApsFrame) -> None:
        await self._wait_ready()
        short = await self._book.short_of(destination)
        try:
            await self._sender.send(short, destination, frame)
        except RadioError:
            self._book.doubt(destination)
            raise

    async def broadcast(self, frame: ApsFrame) -> None:
        await self._wait_ready()
        await self._sender.broadcast(frame)

    async def match_descriptors(self, destination: Eui64, cluster: int, *, server: bool) -> tuple[int, ...]:
        await self._wait_ready()
        short = await self._book.short_of(destination)
        answer = await self._book.ask(
            short, zdo.MATCH_DESCRIPTOR_REQUEST, lambda sequence: zdo.encode_match(sequence, short, cluster, server=server)
        )
        return zdo.decode_match_response(answer)

    async def import_link_key(self, partner: Eui64, key: bytes) -> None:
        await self._wait_ready()
        await import_link_key(self._ezsp(), partner, key)

    # -- HanRadio --------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open and configure the dongle. Raises NotAvailable or RadioError, one sentence that says what to do."""
        if self._app is not None:
            return
        await self._open()
        version = self.ezsp_version
        self._trace.emit("han", "radio", "opened", target=str(self.eui64), path=self.path, ezsp=version)
        if version > RECOMMENDED_VERSION:
            self._trace.emit(
                "han", "radio", "warned", reason=f"EZSP {version}: bellows does not reassemble long messages, use firmware 7.4 (EZSP 13)"
            )
        if self._watchdog_s:
            self._spawn(self._watch())

    async def resume(self) -> NetworkSettings | None:
        settings = await self._running().resume()
        if settings is not None:
            await self._network_up()
            self._trace.emit("han", "radio", "resumed", channel=settings.channel, pan=settings.pan_id)
        return settings

    async def form(self, settings: NetworkSettings) -> NetworkSettings:
        app = self._running()
        self._ready.clear()
        self._book.clear()
        if self._formed:
            # bellows listens once more at each start of a network: after one, another needs an application of its own.
            self._app = self._permits.app = None
            await app.close()
            await self._open()
            app = self._running()
        await app.form(settings)
        await self._network_up()
        formed = app.settings
        self._trace.emit("han", "radio", "formed", channel=formed.channel, pan=formed.pan_id, extended_pan=str(formed.extended_pan_id))
        return formed

    async def permit(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        await self._wait_ready()
        self._permits.add(device, link_key, seconds)
        await self._permits.renew()
        self._trace.emit("han", "radio", "permitted", target=str(device), seconds=seconds)

    async def forbid(self) -> None:
        await self._wait_ready()
        await self._permits.close()

    async def remove(self, device: Eui64) -> None:
        await self._wait_ready()
        ezsp = self._ezsp()
        self._permits.drop(device)
        address = ezsp_eui64(device)
        try:
            short = await self._book.short_of(device)
            await command(ezsp.removeDevice(destShort=short, destLong=address, targetLong=address), f"remove {device}")
        finally:
            (index,) = await radio_call(ezsp.findKeyTableEntry(address=address, linkKey=True))
            if index != 0xFF:
                await command(ezsp.eraseKeyTableEntry(index=index), f"forget the link key of {device}")
            self._book.forget(device)

    async def stop(self) -> None:
        self._ready.clear()
        self._formed = False
        self._permits.stop()
        self._book.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sender.abandon("CLOSED")
        app, self._app = self._app, None
        self._permits.app = None
        if app is not None:
            await app.close()

    # -- what the application tells --------------------------------------------------------------------------------------------

    def callback(self, version: int, name: str, args: list[Any]) -> None:
        """A callback of the dongle."""
        self._sender.handle(version, name, args)

    def packet_received(self, packet: Any) -> None:
        """A packet of the HAN (zigpy's ZigbeePacket), reassembled."""
        short, payload = int(packet.src.address), packet.data.serialize()
        if packet.profile_id == ZDO_PROFILE:
            self._zdo_received(short, int(packet.cluster_id), payload)
            return
        unicast = packet.dst.addr_mode.name == "NWK"
        frame = ApsFrame(
            int(packet.cluster_id), payload, int(packet.src_ep), int(packet.dst_ep) if unicast else 0xFF,
            secured="APS_Encryption" in str(packet.tx_options), profile=int(packet.profile_id),
            lqi=None if packet.lqi is None else int(packet.lqi), rssi=None if packet.rssi is None else int(packet.rssi),
        )
        self._book.with_device(short, lambda device: self._deliver(device, frame))

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int) -> None:
        """trustCenterJoinHandler: update 0 secured rejoin, 1 unsecured join, 2 left, 3 unsecured rejoin; decision 2 deny."""
        if update == 2:
            self._book.forget(device)
            self._tell(HanEvent(HanEventKind.LEFT, device))
        elif decision == 2:
            self._tell(HanEvent(HanEventKind.REFUSED, device, "no link key is held for it, or joining is closed"))
        else:
            # Only the announcement shows that it could read the network key, so that its link key was the right one.
            self._book.learn(device, short)
            self._joining[device] = HanEventKind.JOINED if update == 1 else HanEventKind.REJOINED

    def connection_lost(self, problem: BaseException | None) -> None:
        """The dongle reset by itself or went away."""
        if self._app is None or self._eui64 is None:
            return
        app, self._app = self._app, None
        self._permits.app = None
        self._ready.clear()
        self._sender.abandon("RESET")
        self._tell(HanEvent(HanEventKind.RESET, self._eui64, f"the dongle reset or went away: {problem!r}"))
        self._spawn(self._recover(app))

    # -- what the address book needs -------------------------------------------------------------------------------------------

    async def send_zdo(self, short: int | None, cluster: int, payload: bytes) -> None:
        """A ZDO frame to a short address; None: broadcast."""
        frame = ApsFrame(cluster, payload, 0, 0, secured=False, profile=ZDO_PROFILE)
        if short is None:
            await self._sender.broadcast(frame)
        else:
            await self._sender.send(short, self.eui64, frame)

    async def lookup(self, call: str, **arguments: object) -> list[Any]:
        """A table look-up of the dongle."""
        result: list[Any] = await radio_call(getattr(self._ezsp(), call)(**arguments))
        return result

    # -- below -----------------------------------------------------------------------------------------------------------------

    def _running(self) -> HanApplication:
        if self._app is None:
            raise RadioError(f"the dongle at {self.path} is not open: call start() first, or wait for it to come back", "RESET")
        return self._app

    def _ezsp(self) -> Any:
        return self._running().ezsp

    async def _wait_ready(self) -> None:
        if self._ready.is_set():
            return
        if not self._formed:
            raise RadioError("there is no network: form or resume one first", "NETWORK_DOWN")
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await self._ready.wait()
        except TimeoutError:
            raise RadioError(f"the dongle at {self.path} has not come back after its reset: plug it in again", "RESET") from None

    async def _open(self) -> None:
        app = HanApplication(self, {
            "database_path": None, "device": self._config, "backup_enabled": False, "startup_energy_scan": False, "use_thread": False,
            "ota": {"enabled": False}, "ezsp_config": {"CONFIG_KEY_TABLE_SIZE": KEY_TABLE_SIZE},
        })
        try:
            await app.connect()
            check_version(app.ezsp.ezsp_version, self.path)
            (address,) = await app.ezsp.getEui64()
        except OPENING_ERRORS as error:
            await app.close()
            raise opening_problem(error, self.path) from error
        except BaseException:
            await app.close()
            raise
        self._eui64 = eui64_of(address)
        self._app = self._permits.app = app

    async def _network_up(self) -> None:
        self._formed = True
        self._book.learn(self.eui64, 0)
        await self._permits.renew()
        if not self._permits.open:
            await self._permits.close()
        self._ready.set()

    async def _recover(self, lost: HanApplication) -> None:
        await lost.close()
        attempt = 0
        while True:
            await self.clock.sleep(_RECOVERY_PAUSES_S[min(attempt, len(_RECOVERY_PAUSES_S) - 1)])
            attempt += 1
            try:
                await self._open()
                if self._formed and await self.resume() is None:
                    raise RadioError("the dongle has lost its network")
                return
            except CommsHubError as error:
                self._trace.emit("han", "radio", "failed", reason=str(error), attempt=attempt)
                app, self._app = self._app, None
                self._permits.app = None
                if app is not None:
                    await app.close()

    async def _watch(self) -> None:
        while True:
            await self.clock.sleep(self._watchdog_s)
            if self._app is None:
                continue
            try:
                await radio_call(self._app.ezsp.nop())
            except RadioError as error:
                self.connection_lost(error)

    def _zdo_received(self, short: int, cluster: int, payload: bytes) -> None:
        if cluster != zdo.DEVICE_ANNOUNCE:
            self._book.answered(short, cluster, payload)
            return
        with contextlib.suppress(DecodeError):
            device, announced = zdo.decode_announce(payload)
            self._book.learn(device, announced)
            self._joining.setdefault(device, HanEventKind.REJOINED)
            self._arrived(device)

    def _deliver(self, device: Eui64, frame: ApsFrame) -> None:
        self._arrived(device)
        if self._receiver is not None:
            self._receiver(device, frame)

    def _arrived(self, device: Eui64) -> None:
        kind = self._joining.pop(device, None)
        if kind is not None:
            self._tell(HanEvent(kind, device))

    def _tell(self, event: HanEvent) -> None:
        self._trace.emit("han", "radio", event.kind.value, target=str(event.device), reason=event.reason or None)
        if self._on_event is not None:
            self._on_event(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), CommsHubError):
            LOGGER.warning("the radio could not go on with a task of its own: %s", error)
