"""Common parts of every Device of the rig: a radio node, credentials, a join over the air, a keep-alive watch, and a power switch.

After the keep-alive limit it looks for its hub again: on a network under another key, or another hub in its place. That one lets it in
by the hash of its old link key, which the DCC holds too; so the Device agrees a link key of its own with it at once, as a ZigBee trust
centre swap-out has it (engineering knowledge; the text is not stored).
Not modelled: battery wear, radio sensitivity, sub-GHz.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import ClassVar, Protocol, Self, runtime_checkable

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.joining import KeepAliveWatch, Membership, ServedTime, join_han, read_time
from firmware_emu.errors import CommsHubError, RadioError
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.han.key_establishment import establish
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.basic import BASIC
from hil.devices.base.place import Place

MANUFACTURER_NAME = b"CHUB BENCH"
_MAINS, _BATTERY = 0x01, 0x03


POLL_S = 5.0
"""Pause between two polls of a Device whose radio sleeps, though it is there at any time: below the 7.68 s for which a parent holds a
message (macTransactionPersistenceTime, IEEE 802.15.4-2006). The bench's own figure."""
RESUME_AGAIN_S = 5.0
"""First pause of a Device whose parent did not take it back, since it starts itself perhaps; each that follows is twice as long, up to
SEARCH_S. The bench's own figure."""
SEARCH_S = 300.0
"""Pause between two searches for a hub that does not answer. The bench's own figure."""


@runtime_checkable
class RejoiningNode(Protocol):
    """A radio that can come back to its network by its link key."""

    async def rejoin(self, *, timeout_s: float = 60.0) -> Eui64:
        """Returns the trust centre, which may be another than before. Raises RadioError."""
        ...


@runtime_checkable
class MovingNode(Protocol):
    """A radio that can go to another channel of its band."""

    def move(self, mask: int) -> None:
        """``mask``: page in the upper 5 bits, one bit for the channel."""
        ...


class HanDevice:
    """A Device on the HAN without GBCS: the base of all, and what a Type 2 Device is."""

    device_type: ClassVar[DeviceType] = DeviceType.TYPE_2
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = ()
    sleepy: ClassVar[bool] = False
    """True for a type that runs on a battery and wakes by a rhythm of its own."""
    variants: ClassVar[tuple[str, ...]] = ()
    """The variants of this type by name, the ordinary one first."""
    makers: ClassVar[tuple[str, ...]] = ()
    """Profiles of makers' habits that this type may have, the standard one first."""
    duis_type: ClassVar[str] = ""
    """The device type in service requests, where that is not the type's name in a board."""

    def __init__(
        self,
        eui64: Eui64,
        install_code: InstallCode,
        keystore: Keystore,
        node: HanNode,
        clock: Clock,
        trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None,
    ) -> None:
        self.eui64 = eui64
        self.install_code = install_code
        self.keystore = keystore
        self.node = node
        self.clock = clock
        self.trace = trace
        self.parties = dict(parties or {})
        self.name = f"{self.device_type.name.lower()} {eui64}"
        self.zcl = ZclPort(node, clock, trace=trace, source=self.name)
        self.coordinator: Eui64 | None = None
        self.powered = True
        self.radio_sleeps = self.sleepy
        """True: its radio is off between polls of its parent. One that is not :attr:`sleepy` polls each POLL_S."""
        self.key_borrowed = False
        """True while the link key with the hub is the hash of the one with its predecessor."""
        self.hub_time: ServedTime | None = None
        self._hub_time_read_at = 0.0
        self.watch: KeepAliveWatch | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._poller: asyncio.Task[None] | None = None
        self._coming_back = asyncio.Lock()
        """One way back to the network at a time: by what the radio holds, or by the link key."""

    @classmethod
    def from_board(cls, place: Place) -> Self:
        """The Device that a board puts at a place."""
        return cls(place.row.eui, place.row.install_code, place.keystore, place.node, place.clock, place.trace, place.parties)

    def display(self) -> dict[str, int | str]:
        """Values on the Device's own display."""
        return {}

    # --- life

    async def start(self) -> None:
        """Register the endpoints; the Device is switched on and knows no network yet."""
        for descriptor in self.descriptors:
            self.zcl.add_endpoint(descriptor)
        first = self.descriptors[0].endpoint
        power_source = _BATTERY if self.sleepy else _MAINS
        basic = Attributes(BASIC, {0x0000: 2, 0x0004: MANUFACTURER_NAME.decode(), 0x0005: self.device_type.name, 0x0007: power_source})
        self.zcl.serve(first, BASIC.id, None, attributes=basic)

    async def join(self) -> None:
        """Join the HAN once. Raises RadioError or ProtectionError with the reason; the caller decides about another try."""
        membership = await join_han(
            self.node,
            self.zcl,
            self.install_code,
            self.keystore.cbke(self.eui64),
            trace=self.trace,
            name=self.name,
            sleepy=self.radio_sleeps,
            on_key=self._trust,
        )
        self._note_time(membership.time)
        self._poll_if_asleep()
        await self.joined(membership)

    def _trust(self, coordinator: Eui64) -> None:
        self.coordinator, self.key_borrowed = coordinator, False

    async def joined(self, membership: Membership) -> None:
        """First actions of this Device on a network it has just joined or come back to."""
        self.watch_hub()

    async def stop(self) -> None:
        """Stop every task of this Device and its radio port."""
        await self._cancel_tasks()
        await self.zcl.close()

    def power(self, on: bool) -> None:
        """Mains or battery off and on. RAM and the radio's RAM are lost; the Device's store and the radio's tokens stay."""
        if on == self.powered:
            return
        self.powered = on
        self.trace.emit("power", self.name, "powered" if on else "unpowered")
        self.node.power(on)
        if on:
            self.spawn(self._come_back())
        else:
            for task in tuple(self._tasks):
                task.cancel()

    async def _come_back(self) -> None:
        if self.coordinator is None:
            return
        try:
            await self._resume()
        except RadioError:
            self.spawn(self._resume_later())
        await self.joined(Membership(self.coordinator, self.hub_time))

    async def _resume(self) -> None:
        try:
            async with self._coming_back:
                resumed = await self.node.resume()
        except RadioError as problem:
            self.trace.emit("han", self.name, "not resumed", reason=str(problem))
            raise
        self.trace.emit("han", self.name, "resumed" if resumed else "not resumed", target=str(self.coordinator))
        self._poll_if_asleep()
        await self.refresh_hub_time()

    async def _resume_later(self) -> None:
        """Ask again until the parent takes this Device back, or the watch takes the hub for lost and :meth:`_search` begins."""
        pause = RESUME_AGAIN_S
        while not self.node.joined and not (self.watch is not None and self.watch.lost):
            await self.clock.sleep(pause)
            pause = min(2 * pause, SEARCH_S)
            if not self.node.joined:
                with contextlib.suppress(RadioError):
                    await self._resume()

    # --- the hub's time and presence

    async def refresh_hub_time(self) -> None:
        """Read the hub's time, if it answers."""
        if self.coordinator is not None:
            self._note_time(await read_time(self.zcl, self.coordinator))

    def _note_time(self, time: ServedTime | None) -> None:
        if time is not None:
            self.hub_time = time
            self._hub_time_read_at = self.clock.now()

    def hub_now(self) -> float | None:
        """The hub's time now, by the last reading, seconds since 2000; None if it never served one."""
        if self.hub_time is None:
            return None
        return self.hub_time.seconds + self.clock.now() - self._hub_time_read_at

    def watch_hub(self) -> None:
        """Start the keep-alive watch, unless it runs."""
        if self.watch is not None or self.coordinator is None:
            return
        self.watch = KeepAliveWatch(
            self.zcl,
            self.coordinator,
            self.clock,
            on_lost=self._hub_lost,
            on_found=self._hub_found,
            seed=str(self.eui64),
        )
        self.spawn(self._run_watch(self.watch))
        if self.key_borrowed:
            self.spawn(self._search())

    async def _run_watch(self, watch: KeepAliveWatch) -> None:
        try:
            await watch.run()
        finally:
            self.watch = None

    def _hub_lost(self) -> None:
        self.trace.emit("han", self.name, "hub lost", target=str(self.coordinator))
        self.spawn(self._search())

    async def _search(self) -> None:
        """As long as the hub is lost, or no key of its own is agreed with the one that took over: look whether the network goes on under
        another key, or another hub."""
        while self.watch is not None and (self.watch.lost or self.key_borrowed):
            if await self.search_hub() and await self.watch.check():
                await self.refresh_hub_time()
                return
            await self.clock.sleep(SEARCH_S)

    async def search_hub(self) -> bool:
        """Come back by the link key, after a missed network key or to a hub that was swapped. Whether there is a network again, and a link
        key of its own with the hub."""
        node: object = self.node
        if not isinstance(node, RejoiningNode):  # it goes back to the network that it holds, and to no other
            if not self.node.joined:
                with contextlib.suppress(RadioError):
                    await self._resume()
            return self.node.joined
        async with self._coming_back:
            try:
                centre = await node.rejoin()
            except RadioError as problem:
                self.trace.emit("han", self.name, "not rejoined", reason=str(problem))
                with contextlib.suppress(RadioError):  # the network as it was, in case the hub comes back to it
                    await self.node.resume()
                return False
        self.trace.emit("han", self.name, "rejoined", target=str(centre), swapped=centre != self.coordinator)
        if centre != self.coordinator:
            self.swapped(centre)
        return not self.key_borrowed or await self._renew_key(centre)

    def swapped(self, centre: Eui64) -> None:
        """Another hub is the trust centre now; ``coordinator`` is still the old one when this is called."""
        self.coordinator, self.key_borrowed = centre, True
        if self.watch is not None:
            self.watch.move_to(centre)

    async def _renew_key(self, centre: Eui64) -> bool:
        try:
            key = await establish(self.zcl, centre, self.keystore.cbke(self.eui64))
            await self.node.import_link_key(centre, key)
        except CommsHubError as problem:
            self.trace.emit("han", self.name, "not established", target=str(centre), reason=str(problem))
            return False
        self.key_borrowed = False
        self.trace.emit("han", self.name, "key established", target=str(centre))
        return True

    def _hub_found(self) -> None:
        self.trace.emit("han", self.name, "hub found", target=str(self.coordinator))

    async def wake(self) -> None:
        """Switch the HAN interface on now; a Device that does not sleep has it on."""

    def _poll_if_asleep(self) -> None:
        if self.radio_sleeps and not self.sleepy and (self._poller is None or self._poller.done()):
            self._poller = self.spawn(self._poll())

    async def _poll(self) -> None:
        while True:
            await self.clock.sleep(POLL_S)
            with contextlib.suppress(RadioError):  # a parent that does not answer is what the watch for the hub looks after
                await self.node.poll()

    # --- tasks

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run ``work`` beside the Device; it ends with the Device's power. A failure on purpose is recorded, not lost."""
        task = supervised(self._guarded(work), f"work of {self.name}", self.trace, area="device")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step, nobody has awaited it
        return task

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except CommsHubError as problem:
            self.trace.emit("device", self.name, "failed", reason=str(problem))

    async def _cancel_tasks(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
