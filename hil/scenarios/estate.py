"""Many homes and one DCC in one process: what a load, a campaign, a power cut over a district does to the far end.

A home here is the hub's own firmware, meters with all their behaviour, and an SM WAN link that takes faults. Not modelled,
unlike in :mod:`hil.bench.home`: dongle, air and jig. The HAN is in memory (:mod:`hil.radio.nodes.memory_han`), and supply transitions are
instantaneous.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.board import Board, DeviceTable, HubTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import issue
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import NotAvailable
from firmware_emu.hub.from_board import hub_config, parties_of
from firmware_emu.hub.hub import Hub, PowerEvent
from firmware_emu.ids import Eui64, InstallCode, Mpxn
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanLink
from firmware_emu.wan.virtual import MemoryWan, ShapedLink
from hil.bench.dcc_board import dcc_of, hold_and_register, list_hub, supplier_of
from hil.bench.keys import devices, organisations
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.duis.document import Content
from hil.dcc.parties.cos_party import CosParty
from hil.dcc.parties.users import User
from hil.devices.base.han_device import HanDevice
from hil.devices.base.place import Place
from hil.devices.kinds import device_type, kind
from hil.journeys.strategy import State, Strategy
from hil.radio.nodes.memory_han import Han, MemoryNode, MemoryRadio

_DCC_STORE = "dcc.sqlite"
_AT_ONCE = 8
"""Homes that are installed at the same time. The bench's own figure."""
_OBJECTS_A_COLLECTION = 50_000
"""Objects that come to be between two looks of the collector. Own choice; Python's is 700."""
_LOOKS_AGAIN, _LOOKS_AT_ALL = 100, 1000
"""Every so many of its looks the collector looks again at what it has seen once, and every so many of these at all that lives. Own choice;
Python's is 10 for both."""
_HOLD_UP_S = 0.5
"""From the mains' loss to the supply's, of each host. The bench's own figure."""


def numbered(eui: Eui64, number: int) -> Eui64:
    """The identity of the same thing in home ``number`` (1 to 32767): its fifth and sixth octets hold the number."""
    return Eui64(eui.octets[:4] + number.to_bytes(2, "big") + eui.octets[6:])


_SPARE = 0x8000
"""Added to a home's number in the identity of what it has on the shelf."""
_SPARE_CHANNELS = (15, 25)
"""The channel of a hub on the shelf: the first that the home's hub does not have."""


def spare_of(row: DeviceTable) -> DeviceTable:
    """Another Device of the same kind, with an identity and an install code of its own, for the same meter point."""
    number = int.from_bytes(row.eui.octets[4:6], "big")
    code = bytes(octet ^ 0x5A for octet in row.install_code.octets)
    return row.model_copy(
        update={"name": f"spare {row.name}", "eui": numbered(row.eui, number | _SPARE), "install_code": InstallCode(code)}
    )


def spare_hub_of(hub: HubTable) -> HubTable:
    """Another hub, with identities of its own and set to another channel."""
    number = int.from_bytes(hub.chf.octets[4:6], "big") | _SPARE
    channel = next(one for one in _SPARE_CHANNELS if one != hub.channel)
    return hub.model_copy(update={"chf": numbered(hub.chf, number), "gpf": numbered(hub.gpf, number), "channel": channel})


def board_of_home(board: Board, number: int, supplier: Eui64, kinds: Sequence[str]) -> Board:
    """The board of one home of the estate: ``kinds`` of Devices, all supplied by ``supplier`` but for gas, which has the board's own."""
    hub = board.hub.model_copy(update={"chf": numbered(board.hub.chf, number), "gpf": numbered(board.hub.gpf, number)})
    rows = tuple(
        row.model_copy(
            update={
                "name": f"{row.name}-{number}",
                "eui": numbered(row.eui, number),
                "mpxn": None if row.mpxn is None else Mpxn(row.mpxn.digits[:-5] + f"{number:05}"),
            }
        )
        for row in board.device
        if row.type in kinds
    )
    parties = board.parties.model_copy(
        update={"supplier": supplier, "gas_supplier": board.parties.gas_supplier if "GSME" in kinds else supplier}
    )
    return board.model_copy(update={"name": f"{board.name}-{number}", "hub": hub, "device": rows, "parties": parties})


class Dwelling:
    """One home of an estate. ``wan`` is the hub's end of its link, on which faults can be laid."""

    def __init__(
        self,
        board: Board,
        clock: Clock,
        trace: Trace,
        keystore: Keystore,
        medium: MemoryWan,
        spares: Sequence[DeviceTable] = (),
        link: WanLink | None = None,
    ) -> None:
        """``link``: the hub's end of its SM WAN, where that is not ``medium``."""
        self.board, self.clock, self.trace, self.keystore = board, clock, trace, keystore
        self.medium = medium
        self.wan = ShapedLink(medium.hub if link is None else link)
        self.store = MemoryStore()
        self._han = Han()
        self._radio = MemoryRadio(self._han, board.hub.gpf)
        self.rows: dict[str, DeviceTable] = {row.type: row for row in board.device} | {f"spare {row.type}": row for row in spares}
        """Labels by type; ``spare ESME`` is on the shelf."""
        self._nodes = {row.eui: MemoryNode(self._han, row.eui) for row in self.rows.values()}
        self.hub: Hub | None = None
        self._life: asyncio.Task[None] | None = None
        self.devices: dict[str, HanDevice] = {}

    async def start(self) -> None:
        """Meters made, hub powered."""
        for name, row in self.rows.items():
            made = kind(row.type).from_board(
                Place(row, self.keystore, self._nodes[row.eui], self.clock, self.trace, parties_of(self.board, device_type(row.type)))
            )
            await made.start()
            self.devices[name] = made
        self.supply(True)

    def visitor(self, eui: Eui64) -> MemoryNode:
        """The radio of something that is brought into the home and is no part of it."""
        return MemoryNode(self._han, eui)

    def supply(self, on: bool) -> None:
        """The supply of the hub."""
        if on and self._life is None:
            self.hub = Hub(hub_config(self.board), self._radio, self.wan, self.store, self.keystore, self.clock, self.trace)
            self._life = supervised(self.hub.run(), f"the hub {self.board.hub.chf}", self.trace)
        elif not on and self._life is not None:
            self._life.cancel()
            self._life, self.hub = None, None

    def put_in(self, hub: HubTable) -> None:
        """Another hub in place of the present one, fresh from the shelf and without power yet: dongle, store and SM WAN link are its own.
        The home's ``board`` has it from now on."""
        self.supply(False)
        self.board = self.board.model_copy(update={"hub": hub})
        self.store = MemoryStore()
        self._radio = MemoryRadio(self._han, hub.gpf)
        self.medium = MemoryWan(self.clock)
        self.wan = ShapedLink(self.medium.hub)

    @property
    def on_han(self) -> bool:
        """True if the hub runs and has its HAN."""
        return self.hub is not None and self.hub.status.network is not None

    async def mains_lost(self) -> None:
        """The mains goes: the meters stop, AC Lost is raised, the supply follows."""
        for device in self.devices.values():
            if not device.sleepy:
                device.power(False)
        if self.hub is not None:
            self.hub.power_event(PowerEvent.AC_LOST)
        await self.clock.sleep(_HOLD_UP_S)
        self.supply(False)

    async def mains_restored(self) -> None:
        """The mains is back."""
        self.supply(True)
        for device in self.devices.values():
            if not device.sleepy:
                device.power(True)
        if self.hub is not None:
            self.hub.power_event(PowerEvent.AC_RESTORED)

    async def close(self) -> None:
        """Everything off."""
        for device in self.devices.values():
            await device.stop()
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life


@dataclass(frozen=True, slots=True)
class Plan:
    """An estate: so many homes of these Devices, shared out among so many suppliers. ``registered``: only so many of these supply a
    home; the others are there to take over."""

    homes: int
    suppliers: int = 1
    kinds: tuple[str, ...] = ("ESME",)
    spares: tuple[str, ...] = ()
    """Types of which each home has another Device on the shelf, with keys and power and on no network."""
    spare_hub: bool = False
    """True if each home has another hub on the shelf."""
    registered: int | None = None
    coverage: bool = True
    """True if the SM WAN reaches the homes from the start."""
    first: int = 1
    """Number of the first home: homes of one number have the same identities, in whatever estate they stand."""


@dataclass(frozen=True, slots=True)
class _Premises:
    """One home of an estate and the DCC that it has at the moment."""

    estate: Estate
    dwelling: Dwelling

    @property
    def board(self) -> Board:
        return self.dwelling.board

    @property
    def clock(self) -> Clock:
        return self.dwelling.clock

    @property
    def dcc(self) -> Dcc:
        return self.estate.dcc

    @property
    def formed(self) -> bool:
        return self.dwelling.on_han

    async def power_up(self) -> None:
        self.dwelling.supply(True)

    def emulated(self, row: DeviceTable) -> HanDevice:
        return next(self.dwelling.devices[name] for name, known in self.dwelling.rows.items() if known is row)

    def user(self, eui: Eui64) -> User:
        return self.estate.users[eui]

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0) -> None:
        await self.estate.until(what, holds, timeout_s)


class Estate:
    """Made by :func:`open_estate`. The DCC can be killed and begun again on what it stored; homes live on meanwhile."""

    def __init__(self, board: Board, plan: Plan, clock: Clock, trace: Trace, folder: Path) -> None:
        self.board, self.plan, self.clock, self.trace, self.folder = board, plan, clock, trace, folder
        self.suppliers = tuple(numbered(board.parties.supplier, index) for index in range(1, plan.suppliers + 1))
        registered = plan.registered or plan.suppliers
        self.boards = tuple(
            board_of_home(board, number, self.suppliers[(number - 1) % registered], plan.kinds)
            for number in range(plan.first, plan.first + plan.homes)
        )
        self.keystore = self._keys()
        self.users: dict[Eui64, User] = {eui: User(eui, UserRole.IS, self.keystore) for eui in self.suppliers}
        if "GSME" in plan.kinds:
            gas = board.parties.gas_supplier
            self.users[gas] = User(gas, UserRole.GS, self.keystore)
        self.dwellings = tuple(Dwelling(one, clock, trace, self.keystore, MemoryWan(clock), self._spares(one)) for one in self.boards)
        self.dcc = self._dcc()

    def _spares(self, board: Board) -> tuple[DeviceTable, ...]:
        return tuple(spare_of(row) for row in board.device if row.type in self.plan.spares)

    def _keys(self) -> Keystore:
        """Fresh keys for everybody, made in memory: an estate ends with its process."""
        parties = organisations(self.board)
        parties |= {f"supplier-{index}": (RemotePartyRole.SUPPLIER, eui) for index, eui in enumerate(self.suppliers, 1)}
        everyone = {eui: kind for one in self.boards for eui, kind in devices(one).items()}
        everyone |= {row.eui: device_type(row.type) for one in self.boards for row in self._spares(one)}
        if self.plan.spare_hub:
            hubs = [spare_hub_of(one.hub) for one in self.boards]
            everyone |= {hub.chf: DeviceType.CHF for hub in hubs} | {hub.gpf: DeviceType.GPF for hub in hubs}
        return issue(parties, everyone, f"the keys of an estate of {self.plan.homes} homes")

    def _dcc(self) -> Dcc:
        cos = CosParty(self.board.parties.cos_party, self.keystore, self.clock)
        dcc = dcc_of(self.board, self.keystore, self.clock, self.trace, self.folder / _DCC_STORE, cos=cos)
        dcc.store.batch(at_once=True)
        for user in self.users.values():
            dcc.add_user(user)
        return dcc

    async def open(self) -> None:
        """The DCC with its users, and every home powered and connected."""
        with self.dcc.store.transaction():
            for one in self.boards:
                hold_and_register(self.dcc, one)
                list_hub(self.dcc, one)
        await self._begin()
        for dwelling in self.dwellings:
            dwelling.wan.coverage = self.plan.coverage
            await dwelling.start()

    async def _begin(self) -> None:
        await self.dcc.start()
        for dwelling in self.dwellings:
            self.dcc.attach_hub(dwelling.medium.dcc, dwelling.board.hub.chf)

    def user(self, dwelling: Dwelling, target: Eui64 | None = None) -> User:
        """The supplier of a home, or of that Device in it."""
        parties = dwelling.board.parties
        return self.users[parties.supplier if target is None else supplier_of(dwelling.board, target)]

    async def replace_hub(self, dwelling: Dwelling) -> None:
        """The hub on the shelf takes the place of a home's hub: listed at the DCC, connected and powered. What comes after it is a matter
        of service requests. Raises NotAvailable if it does not come into service."""
        dwelling.put_in(spare_hub_of(dwelling.board.hub))
        hold_and_register(self.dcc, dwelling.board)
        list_hub(self.dcc, dwelling.board)
        chf = dwelling.board.hub.chf
        self.dcc.attach_hub(dwelling.medium.dcc, chf)
        dwelling.supply(True)
        await self.until(f"hub {chf}", lambda: self.status(chf) == "Commissioned" and dwelling.on_han)

    async def ask(
        self,
        dwelling: Dwelling,
        variant: str,
        target: Eui64 | None = None,
        body: Mapping[str, Content] | None = None,
        *,
        wait_s: float | None = None,
        of: Eui64 | None = None,
    ) -> Outcome:
        """A request of the supplier that the target holds (``of``: that this Device holds; without either: of the home's), and its end."""
        user = self.user(dwelling, of or target)
        return await self.dcc.send(user, self.dcc.request(user, variant, target, body), wait_s=wait_s)

    async def install(self, done: Callable[[Dwelling], None] = lambda _: None) -> None:
        """Every home: its Devices pre-notified, listed, joined and commissioned. Raises NotReached, or what a step raises."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(dwelling: Dwelling) -> None:
            async with gate:
                await self.install_home(dwelling)
                done(dwelling)

        await self.each(one)

    async def install_home(self, dwelling: Dwelling) -> None:
        """As :meth:`install`, one home."""
        strategy = self.strategy(dwelling)
        await strategy.reach(State.FORMED)
        for row in dwelling.board.device:
            await strategy.bring(row, State.COMMISSIONED)

    async def install_device(self, dwelling: Dwelling, name: str) -> None:
        """One Device of a home: pre-notified, listed, joined, and a meter commissioned. Raises NotReached, or what a step raises."""
        await self.strategy(dwelling).bring(dwelling.rows[name], State.COMMISSIONED)

    def strategy(self, dwelling: Dwelling) -> Strategy:
        """Whoever brings a home of this estate into service."""
        return Strategy(_Premises(self, dwelling))

    def status(self, eui: Eui64) -> str:
        """Status of a Device in the inventory."""
        device = self.dcc.inventory.device(eui)
        return "" if device is None else str(device.status)

    async def each(self, work: Callable[[Dwelling], Awaitable[None]], homes: Sequence[Dwelling] | None = None) -> None:
        """The same in every home, or in some, at the same time. The first failure ends all."""
        async with asyncio.TaskGroup() as group:
            for dwelling in self.dwellings if homes is None else homes:
                group.create_task(_awaited(work(dwelling)))

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.05) -> None:
        """Wait bench time until ``holds()``. Raises NotAvailable naming ``what``."""
        deadline = self.clock.now() + timeout_s
        while not holds():
            if self.clock.now() >= deadline:
                raise NotAvailable(what, f"it did not happen within {timeout_s:g} s of bench time")
            await self.clock.sleep(every_s)

    async def kill_dcc(self) -> None:
        """The DCC's process is gone at this instant: the next one has what the store's files hold now, and not what is done to end this
        one in order. Its users and the homes live on."""
        store = self.folder / _DCC_STORE
        files = {path: path.read_bytes() for path in (store, Path(f"{store}-wal")) if path.exists()}
        for dwelling in self.dwellings:
            dwelling.medium.cut()
        await self.dcc.close()
        for path in (store, Path(f"{store}-wal"), Path(f"{store}-shm")):
            path.unlink(missing_ok=True)
        for path, octets in files.items():
            path.write_bytes(octets)

    async def begin_dcc_again(self) -> None:
        """A new DCC on what the dead one had stored."""
        self.dcc = self._dcc()
        await self._begin()

    async def close(self) -> None:
        for dwelling in self.dwellings:
            await dwelling.close()
        await self.dcc.close()


async def _awaited(work: Awaitable[None]) -> None:
    await work


@contextlib.asynccontextmanager
async def open_estate(board: Board, plan: Plan, clock: Clock, trace: Trace, folder: Path) -> AsyncIterator[Estate]:
    """An estate whose homes have power and are connected, and nothing is installed yet. Raises KeystoreError, NotAvailable."""
    with _few_collections():
        estate = Estate(board, plan, clock, trace, folder)
        try:
            await estate.open()
            yield estate
        finally:
            await estate.close()


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Python's collector of cycles looks at everything that lives, and an estate's homes live until its end: it looks less often."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_A_COLLECTION, _LOOKS_AGAIN, _LOOKS_AT_ALL)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
