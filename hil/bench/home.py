"""A home from a board file: jig, hub, dongle and meters, made, wired and, at the end, switched off, whatever happened in between.

The home knows both the firmware and the rig: the jig's supply starts and stops the hub, its AC Lost line reaches the hub's
power handling, the dongle loses power with the hub, and the meters lose theirs with the mains. Who is at the other end of the
hub's SM WAN is the business of whoever makes it: :mod:`hil.bench.station` has a DCC in the same process, ``chub run home`` in another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from firmware_emu.board import Board, DeviceTable, on_open_air
from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.store import Store
from firmware_emu.errors import BoardError, CommsHubError, HubFault, NotAvailable, RadioError
from firmware_emu.han.base import HanRadio
from firmware_emu.hub.from_board import hub_config, parties_of, radio_of
from firmware_emu.hub.hub import Hub, PowerEvent
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanLink
from firmware_emu.wan.virtual import ShapedLink
from hil.bench.day import check_day, live, load_day
from hil.bench.entropy import SeededEntropy
from hil.bench.foreign import ForeignDevice, ForeignNode
from hil.bench.medium import Medium, PowerGone
from hil.bench.passages import Passages
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.base.han_device import HanDevice
from hil.devices.base.place import Place
from hil.devices.kinds import kind
from hil.radio.air import rooms
from hil.radio.air.air import Air
from hil.radio.air.timed_air import TimedAir
from hil.radio.aps_recording import ApsRecorder, beside
from hil.radio.dongles import DeviceRadio, device_radio, virtual_dongle
from hil.radio.ncp.handlers import agreement
from hil.radio.ncp.server import NcpServer
from hil.radio.nodes.node import StackNode
from hil.radio.open_air.server import OpenAir
from hil.radio.personality import of_version, with_key_establishment
from hil.radio.port.dongle_server import DongleServer
from hil.radio.recording import REPLAY, Recorder, played
from hil.radio.serial_relay import SerialRelay
from ichis.host import Host
from ichis.profile import load_profile
from ichis.simulated_jig import SimulatedJig

D = TypeVar("D", bound=HanDevice)
BACK_S = 2.0
"""From a death in the middle of a write to the next boot. The bench's own figure."""


class Home:
    """Everything on one bench but the far end.

    ``wan`` is the hub's end of the SM WAN; None: this home has no hub of its own, its dongle waits for one that runs elsewhere.
    State of hub and dongle is kept in ``folder``.
    """

    firmware: type[Hub] = Hub
    """The hub's firmware: another one where a rig puts a hub with a known fault under test."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        trace: Trace,
        folder: Path,
        keystore: Keystore,
        seed: int,
        *,
        wan: WanLink | None,
    ) -> None:
        self.board = board
        self.clock = clock
        self.trace = trace
        self.folder = folder
        self.entropy: Entropy = SeededEntropy(seed) if board.radio.path == "virtual" else SYSTEM
        """Source of fresh keys: the seed where the dongle is virtual, so that a run can be repeated to the octet."""
        self.keystore = keystore.drawing_from(self.entropy)
        self.air = TimedAir(clock, seed) if board.air.timing else Air(clock, seed)
        rooms.lay(board, self.air)
        self.ncp: DongleServer | None = None
        self.day = load_day(board.day) if board.day is not None else None
        """The meters' day: loads and mishaps; None: their own ordinary load."""
        profile = load_profile(board.jig.profile)
        self.jig = SimulatedJig(profile, clock, trace)
        self.host = Host(self.jig, profile)
        self.hub: Hub | None = None
        self.hub_trouble: CommsHubError | None = None
        """Why the hub ended by itself, if it did."""
        self._hub_life: asyncio.Task[None] | None = None
        self._lives: set[asyncio.Task[None]] = set()
        """Those of the hub that have not ended: an earlier one may be closing what it had open."""
        self.on_gone: Callable[[CommsHubError], None] | None = None
        """Called when a dongle on a port goes away while it is used."""
        self.radio_path = board.radio.path
        """Path of the dongle: a serial device, also of the virtual one once it is there."""
        self.wan = None if wan is None else ShapedLink(wan)
        """The hub's end of the SM WAN; WAN faults are injected here."""
        self.medium = Medium()
        """Medium of the hub's store."""
        self._revival: asyncio.Task[None] | None = None
        self._dead: asyncio.Task[None] | None = None
        self.record: Path | None = None
        """File that records what hub and dongle say to each other, with the messages beside it; set it before :meth:`bring_up`."""
        self._recorder: Recorder | None = None
        self._messages: ApsRecorder | None = None
        self._relay: SerialRelay | None = None
        self.devices: dict[str, HanDevice] = {}
        self.passages = Passages(clock, board.hub.gpf, self.devices)
        """Messages and frames of the HAN by their content: breakpoints and faults are laid on here."""
        self._open_airs: list[OpenAir] = []
        self.open_air: list[str] = []
        """Addresses at which programs of third parties join the air, HOST:PORT."""
        self._radios: list[DeviceRadio] = []
        self._stores: list[SqliteStore] = []
        self._day_life: asyncio.Task[None] | None = None

    # --- bring up

    async def bring_up(self) -> None:
        """Make the virtual dongle where the board asks for one, and the meters; nothing has power yet.

        Raises BoardError where the hub and a Device cannot hear each other.
        """
        if self.wan is not None:
            self.board.check_airs()
        if self.radio_path == "virtual":
            radio, gpf = self.board.radio, self.board.hub.gpf
            firmware = with_key_establishment(of_version(radio.ezsp_version)) if radio.cbke else None
            self.ncp = virtual_dongle(
                radio.kind, self.air, gpf, radio.ezsp_version, self.folder / "dongle.tokens", self.clock, firmware=firmware
            )
            if radio.cbke:
                assert isinstance(self.ncp, NcpServer), "a board with another kind is refused"
                agreement.write(self.ncp.ncp, self.keystore.cbke(gpf))
            self.radio_path = str(await self.ncp.serve_pty())
            self.ncp.power(False)
        elif self.radio_path.startswith(REPLAY):
            self.ncp = played(self.radio_path, self.clock)
            self.radio_path = str(await self.ncp.serve_pty())
            self.ncp.power(False)
        elif self.wan is not None:
            await self._probe()
            self.trace.subscribe(self._look_for_dongle)
        if self.record is not None:
            await self._record(self.record)
        for host, port in sorted(self.board.open_addresses()):
            self._open_airs.append(OpenAir(self.air, self.clock))
            self.open_air.append(f"{host}:{await self._open_airs[-1].serve(host, port)}")
            self.trace.emit("bench", "air", "open", target=self.open_air[-1])
        for row in self.board.device:
            self.devices[row.name] = await self._device(row)
        if self.day is not None:
            check_day(self.day, self.devices)
            self._day_life = supervised(live(self.day, self.devices, self.clock), "the day of the home", self.trace)
        self.jig.hub_side.listen(power=self._power, ac_lost=self._ac_lost)

    async def _record(self, file: Path) -> None:
        """Write what hub and dongle say to each other into ``file``, from now until the end. Raises NotAvailable."""
        kind = self.board.radio.kind
        if kind not in ("ezsp", "znp"):
            raise NotAvailable(f"a recording of a dongle of kind {kind}", "what is recorded is EZSP or ZNP: take such a dongle")
        self._recorder = Recorder(file, self.clock, self.board.radio.ezsp_version, family=kind)
        self._messages = ApsRecorder(beside(file), self.clock)
        if self.ncp is not None:
            self.ncp.tap = self._recorder.heard
        else:
            self._relay = SerialRelay(self.radio_path, self.board.radio.baudrate, self.clock, self._recorder.heard)
            self.radio_path = str(self._relay.path)

    async def _probe(self) -> None:
        """Open the dongle once before anything starts. Raises NotAvailable or RadioError; BoardError for another's EUI-64."""
        radio = radio_of(self.board, self.radio_path, self.clock, self.trace)
        try:
            await radio.start()
            if radio.eui64 != self.board.hub.gpf:
                raise BoardError(
                    self.board.name, "hub.gpf", f'the dongle at {self.radio_path} is {radio.eui64}: write gpf = "{radio.eui64}"'
                )
        finally:
            await radio.stop()

    async def _device(self, row: DeviceTable) -> HanDevice:
        if on_open_air(row.node):
            node = ForeignNode(row.eui, self.trace)
            foreign = ForeignDevice(row.eui, row.install_code, self.keystore, node, self.clock, self.trace)
            foreign.visited = lambda: self._visited(row.eui)
            return foreign
        radio = await device_radio(row, self.air, self.clock, self.folder)
        radio.on_lost = lambda problem: self._gone(f"{row.name}: {problem}")
        self._radios.append(radio)
        cls, day = kind(row.type), self.day
        load = (lambda what: None) if day is None else (lambda what: day.load(row.name, what))
        store = self._store(row) if issubclass(cls, GbcsHanDevice) else None
        parties = parties_of(self.board, cls.device_type)
        made = cls.from_board(Place(row, self.keystore, radio.node, self.clock, self.trace, parties, store, load))
        made.radio_sleeps = made.sleepy or row.sleepy
        await made.start()
        await radio.check()
        return made

    async def _visited(self, eui64: Eui64) -> None:
        """Wait until a radio of that address is on the open air; a warp clock stands still for it."""
        waiting = {asyncio.ensure_future(open_air.visited(eui64)) for open_air in self._open_airs}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _look_for_dongle(self, record: Record) -> None:
        if record.area == "han" and record.source == "radio" and record.event == "gone":
            self._gone(f"the hub's radio: {record.detail['reason']}")

    def _gone(self, problem: str) -> None:
        self.trace.emit("bench", "home", "gone", reason=problem)
        if self.on_gone is not None:
            self.on_gone(RadioError(problem, "CLOSED"))

    def _store(self, row: DeviceTable) -> Store | None:
        """The Device's non-volatile memory: None for one in this process; a file is found again by the next home in the same folder."""
        if row.store == "memory":
            return None
        self._stores.append(SqliteStore(self.folder / f"{row.name}.sqlite"))
        return self._stores[-1]

    def device(self, name: str) -> HanDevice:
        """The Device of that name. Raises BoardError."""
        self.board.find(name)
        return self.devices[name]

    def one(self, kind: type[D]) -> D:
        """The home's only Device of that kind. Raises BoardError."""
        found = [device for device in self.devices.values() if isinstance(device, kind)]
        if len(found) != 1:
            raise BoardError(self.board.name, "device", f"{len(found)} Devices are {kind.__name__}: this journey needs exactly one")
        return found[0]

    # --- power

    def _power(self, on: bool) -> None:
        """The supply at the hub's pins: it starts the hub, and its loss really stops it."""
        self.trace.emit("ichis", "supply", "powered" if on else "unpowered", target="hub", volts=round(self.jig.pin_volts(), 3))
        if self.ncp is not None:
            self.ncp.power(on)
        if on and self.wan is not None:
            self._hub_life = supervised(self._live(self.wan), "the hub", self.trace)
            self._lives.add(self._hub_life)
            self._hub_life.add_done_callback(self._lives.discard)
        elif self._hub_life is not None:
            self._hub_life.cancel()

    def _coordinator(self) -> HanRadio:
        """The radio of the hub's coordinator, as the board names it."""
        made = radio_of(self.board, self.radio_path, self.clock, self.trace, self.entropy.stream("radio"), self.folder / "backups")
        if self._messages is not None:
            made.tap = self._messages.heard
        self.passages.radio, made.passage = made, self.passages.frames
        return made

    async def _live(self, wan: WanLink) -> None:
        try:
            store = SqliteStore(self.folder / "hub.sqlite", self.medium)
        except CommsHubError as trouble:  # another process's, damaged, full: there is no hub without its memory
            self.hub_trouble = trouble
            self.trace.emit("hub", "hub", "failed", reason=str(trouble))
            return
        radio = self._coordinator()
        hub = self.hub = self.firmware(hub_config(self.board), radio, wan, store, self.keystore, self.clock, self.trace)
        self.jig.hub_side.drive_device_present(True)
        try:
            await hub.run()
        except CommsHubError as trouble:
            if asyncio.current_task() is not self._dead:  # what a hub that is dead meets on its way is no trouble
                self.hub_trouble = trouble
                if not isinstance(trouble, HubFault):  # which the hub has told itself
                    self.trace.emit("hub", "hub", "failed", reason=str(trouble))
        finally:
            store.close()
            try:
                if self.hub is hub:  # else the supply is back already, and another life has begun
                    self.hub = None
                    self.jig.hub_side.drive_device_present(False)
            finally:
                await radio.stop()

    def hub_dies(self, before_boot: Callable[[], None], back_s: float = BACK_S) -> None:
        """The hub is dead in this instant, as when its store runs empty in the middle of a write, and boots again after ``back_s``.

        ``before_boot`` is called when everything of the old life has ended. A supply that comes back before that boots it too.
        """
        self._dead, self.hub = self._hub_life, None
        self.jig.hub_side.drive_device_present(False)
        self._power(False)
        self._revival = supervised(self._revive(self._hub_life, back_s, before_boot), "the revival of the hub", self.trace)

    async def _revive(self, dead: asyncio.Task[None] | None, back_s: float, before_boot: Callable[[], None]) -> None:
        if dead is not None:
            await asyncio.wait({dead})
        if self._hub_life is dead:
            before_boot()
        await self.clock.sleep(back_s)
        if self._hub_life is dead and self.jig.hub_side.powered:
            self._power(True)

    def _ac_lost(self, lost: bool) -> None:
        if self.hub is not None:
            with contextlib.suppress(PowerGone):  # a hub that dies at what it writes now takes nobody at the host's end with it
                self.hub.power_event(PowerEvent.AC_LOST if lost else PowerEvent.AC_RESTORED)

    async def mains_lost(self) -> None:
        """The mains of the home goes: the meters on it stop, AC Lost is raised, the hub's supply follows."""
        self._mains(False)
        await self.host.mains_lost()

    async def mains_restored(self) -> None:
        """The mains is back for meters and hub alike."""
        self._mains(True)
        await self.host.mains_restored()

    def _mains(self, on: bool) -> None:
        for device in self.devices.values():
            if not device.sleepy:
                device.power(on)

    # --- waiting

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.05) -> None:
        """Wait bench time until ``holds()`` is true. Raises NotAvailable naming ``what`` after ``timeout_s``."""
        deadline = self.clock.now() + timeout_s
        while not holds():
            if self.hub_trouble is not None:
                raise self.hub_trouble
            if self.clock.now() >= deadline:
                raise NotAvailable(what, f"it did not happen within {timeout_s:g} s of bench time; the trace tells how far it came")
            await self.clock.sleep(every_s)

    def profile_notes(self) -> list[str]:
        """Values that the bench took from profiles because no source states them; every report shows them."""
        limits = self.jig.profile.limits
        supplied = ", ".join(f"{key} = {limit.value:g} {limit.unit}" for key, limit in limits.items() if limit.profile_supplied)
        return [f"Profile-supplied, not limits of ICHIS ({self.jig.profile.name}; {self.jig.profile.version}): {supplied}."]

    def han_keys(self) -> dict[str, bytes]:
        """The keys of this test HAN by label, for reading its capture: network key, per Device the joining and the link keys.

        Secrets: only :meth:`hil.bench.run_folder.RunFolder.export_keys` writes them, where the run was asked to.
        """
        keys: dict[str, bytes] = {}
        if self.hub is not None:
            status = self.hub.status
            if status.network is not None and status.network.network_key is not None:
                keys["network"] = status.network.network_key
            for entry in (*status.device_log, *status.historic_log):
                if entry.link_key:
                    keys[f"link {entry.device}"] = entry.link_key
        for row in self.board.device:
            keys[f"install code {row.name}"] = install_code_link_key(row.install_code)
        for name, device in self.devices.items():
            if isinstance(device.node, StackNode):
                keys |= {f"link {name} {partner}": key for partner, key in device.node.stack.tokens.link_keys.values()}
        return keys

    async def tear_down(self) -> None:
        """Supply off, every task ended, every file closed; what one of these meets keeps none of the others from it."""
        async with contextlib.AsyncExitStack() as last_to_first:
            for recorder in (self._recorder, self._messages):
                if recorder is not None:
                    last_to_first.callback(recorder.close)
            if self.ncp is not None:
                last_to_first.push_async_callback(self.ncp.close)
            if self._relay is not None:
                last_to_first.callback(self._relay.close)
            for open_air in self._open_airs:
                last_to_first.push_async_callback(open_air.close)
            for store in self._stores:
                last_to_first.callback(store.close)
            for radio in self._radios:
                last_to_first.push_async_callback(radio.close)
            last_to_first.push_async_callback(self.jig.close)
            last_to_first.push_async_callback(self._hub_ends)
            if self._revival is not None:
                last_to_first.callback(self._revival.cancel)
            for device in self.devices.values():
                last_to_first.push_async_callback(device.stop)
            if self._day_life is not None:
                self._day_life.cancel()
                await asyncio.wait({self._day_life})

    async def _hub_ends(self) -> None:
        try:
            await self.jig.supply.output(False)
        finally:
            for life in self._lives:
                if not life.cancelling():  # a second time would keep it from closing what it has open
                    life.cancel()
            if self._lives:
                await asyncio.wait(self._lives)
            if self._hub_life is not None and not self._hub_life.cancelled():
                self._hub_life.result()
