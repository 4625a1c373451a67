"""A DCC for the time of one command: its store, its users, and the hubs that connect to it over TCP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import IdentifierError, KeystoreError
from firmware_emu.hub.from_board import parties_of
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.tcp import TcpWanServer
from firmware_emu.wan.tls import files_of
from hil.bench.dcc_board import settings_of, supplier_of
from hil.bench.keys import adopted_pki, pki_folder
from hil.bench.owing_link import OwingLink
from hil.dcc.base.profile import DccProfile
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.parties.cos_party import CosParty
from hil.dcc.parties.users import User
from hil.dcc.service.faults import BoundaryFaults

QUIET_S = 0.4
"""A hub that has connected first hands over what it kept; so long without a frame means it has no more. The bench's own figure."""


@dataclass(frozen=True, slots=True)
class BenchKeys:
    """The keys of a bench: a folder of them, and the board they belong to, where one was named."""

    folder: Path
    keystore: Keystore
    board: Board | None = None

    @classmethod
    def of(cls, keys: Path | None, board_name: str | None) -> BenchKeys:
        """From ``--keys`` or ``--board``; a board names its own folder unless one is given. Raises BoardError, KeystoreError."""
        board = None if board_name is None else load_board(board_name)
        if keys is None and board is None:
            raise KeystoreError("no folder", "name the bench's keys: --keys FOLDER or --board NAME")
        if board is None:
            assert keys is not None
            folder = keys
        elif keys is None:
            folder = pki_folder(board)
        else:
            # A bench's own folder has the SM WAN's credentials; a published keystore has organisations alone.
            folder = keys if (keys / "tls").is_dir() else adopted_pki(board, keys)
        return cls(folder, Keystore.load(folder), board)

    def parties(self) -> dict[RemotePartyRole, Eui64]:
        """One party a role, as new Devices hold them: the board's, else the first of each role in the keystore."""
        if self.board is not None:
            return parties_of(self.board, DeviceType.ESME)
        authorities = (RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY)
        found = {role: self.keystore.find(role) for role in RemotePartyRole if role not in authorities}
        return {role: euis[0] for role, euis in found.items() if euis}

    def device(self, text: str) -> Eui64:
        """An EUI-64, or with a board the name of a Device of it (``chf`` and ``gpf`` too). Raises IdentifierError."""
        names = (
            {}
            if self.board is None
            else {
                "chf": self.board.hub.chf,
                "gpf": self.board.hub.gpf,
                **{row.name: row.eui for row in self.board.device},
            }
        )
        if text in names:
            return names[text]
        try:
            return Eui64.parse(text)
        except IdentifierError:
            also = f" or one of {', '.join(names)}" if names else "; with --board a Device may be named"
            raise IdentifierError("a Device", text, "an EUI-64 as 02-C4-B0-00-00-00-00-01" + also) from None

    def sender(self, target: Eui64 | None, role: UserRole) -> Eui64:
        """Sender of a request that names nobody: with a board the supplier that the target holds, else the first party of the role."""
        if self.board is not None and role.party is RemotePartyRole.SUPPLIER and target is not None:
            return supplier_of(self.board, target)
        found = self.keystore.find(role.party)
        if not found:
            raise KeystoreError(self.keystore.source, f"holds no {role.party.name.lower().replace('_', ' ')}: say who sends (--as)")
        return found[0]


@dataclass
class FarEnd:
    """An open DCC; :meth:`listen` lets the hubs of its inventory in."""

    bench: BenchKeys
    dcc: Dcc
    clock: Clock
    trace: Trace
    stays_up: bool = False
    """It lives longer than one command: its users are where their receiving services are, not in the command that sends for them."""
    _server: TcpWanServer | None = None
    _heard: float = field(default=0.0)

    def user(self, eui: Eui64, role: UserRole | None = None) -> User:
        """The user of that identifier, in the role it was entered with (else in ``role``, IS by default). Raises UserEntryError."""
        user = User(eui, role or self.dcc.context.users.role(eui) or UserRole.IS, self.bench.keystore)
        if self.stays_up:
            self.dcc.gateway.enter_user(user.eui64, user.role)
        else:
            self.dcc.add_user(user)
        return user

    def add_known_users(self) -> None:
        """The receiving services of all users whose keys are here, so that what comes in for them is taken and proven."""
        for one in () if self.stays_up else self.dcc.context.users.all():
            if one.suspended is None and self.bench.keystore.has_private_key(one.eui, KeyUsage.DIGITAL_SIGNATURE):
                self.user(one.eui)

    async def listen(self, host: str, port: int) -> int:
        """Let the hubs of the inventory connect, once, and do from now on what the store says is due: deferred requests, schedules,
        firmware campaigns, deadlines, outages. Returns the port. Raises WanError, KeystoreError."""
        if self._server is None:
            self._server = TcpWanServer(host, port, files_of(self.bench.folder / "tls", "dcc"))
            await self._server.start()
            self.trace.subscribe(self._note)
            for hub in self.dcc.inventory.devices(DeviceType.CHF):
                self.dcc.attach_hub(OwingLink(self._server.link(hub.eui), self.clock), hub.eui)
            await self.dcc.start()
        return self._server.port

    def watch(self, subscriber: Callable[[Record], None]) -> Callable[[], None]:
        """Call ``subscriber`` with each record, in the context of the command that asks: it writes there and not where the DCC runs.
        Returns the function that ends it."""
        context = copy_context()
        return self.trace.subscribe(lambda record: context.copy().run(subscriber, record))

    def _note(self, record: Record) -> None:
        if record.area == "wan" and record.event in ("received", "connected"):
            self._heard = self.clock.elapsed()

    async def reach(self, hub: Eui64, wait_s: float) -> bool:
        """Wait until ``hub`` is connected and has handed over what it kept, at most ``wait_s``. Whether it is connected."""
        deadline = self.clock.elapsed() + wait_s
        while not self.dcc.head_end.connected(hub) or self.clock.elapsed() - self._heard < QUIET_S:
            if self.clock.elapsed() >= deadline:
                break
            await self.clock.sleep(0.05)
        return self.dcc.head_end.connected(hub)

    async def close(self) -> None:
        """Hubs away, store closed."""
        await self.dcc.close()
        if self._server is not None:
            await self._server.close()


T = TypeVar("T")


@dataclass
class Visit:
    """One command that runs in the process of a DCC that stays up, on a thread of its own; what it awaits is awaited there."""

    end: FarEnd
    loop: asyncio.AbstractEventLoop
    stop: Callable[[], None]
    """Ends the DCC, gracefully."""
    health: Callable[[], dict[str, object]]
    """State of the DCC."""
    faults: BoundaryFaults
    """Faults at its boundary to the users."""
    leave: Callable[[], object] = lambda: None
    """Gives the command up."""

    def carry_out(self, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work`` where the DCC lives."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        self.leave = future.cancel
        return future.result()


VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)
"""The visit in which a command runs, None for a command in a process of its own."""


def carry_out(clock: Clock, work: Coroutine[Any, Any, T]) -> T:
    """Await the work of a command: in the DCC that stays up on its store, else here on ``clock``."""
    visit = VISIT.get()
    return clock.run(work) if visit is None else visit.carry_out(work)


@contextlib.asynccontextmanager
async def open_far_end(
    bench: BenchKeys, store: Path, clock: Clock, trace: Trace, settings: DccProfile | None = None
) -> AsyncIterator[FarEnd]:
    """The DCC whose memory is ``store``: the one that stays up, else one of its own, closed at the end; ``settings`` None: as the board
    says. Raises KeystoreError."""
    if (visit := VISIT.get()) is not None:
        # The DCC's own keys stay; what a command signs it signs with the keys that it was given.
        yield replace(visit.end, bench=bench)
        return
    if settings is None and bench.board is not None:
        settings = settings_of(bench.board)
    found = bench.keystore.find(RemotePartyRole.TRANSITIONAL_COS)
    cos = CosParty(found[0], bench.keystore, clock) if found else None
    dcc = Dcc(bench.keystore, bench.parties(), clock, trace, store, settings=settings, cos=cos)
    if dcc.store.companions is not None:
        dcc.store.companions.hear(dcc.heard)
    end = FarEnd(bench, dcc, clock, trace)
    try:
        yield end
    finally:
        await end.close()
