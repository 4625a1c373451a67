"""A bench from a board file: a home and the DCC at the other end of its SM WAN, in one process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from firmware_emu.board import Board, DeviceTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.virtual import ShapedLink, SmWanSite, memory_pair
from hil.bench.dcc_board import ROLES, dcc_of, hold_and_register, user_of
from hil.bench.home import Home
from hil.bench.keys import load_keys
from hil.dcc.base.results import Outcome
from hil.dcc.duis.document import Content
from hil.dcc.parties.users import User
from hil.devices.base.han_device import HanDevice


class Station(Home):
    """Everything on one bench. Made by :func:`open_station`."""

    def __init__(self, board: Board, clock: Clock, trace: Trace, folder: Path, keystore: Keystore, seed: int) -> None:
        told = board.wan
        site = None if told.variant is None else SmWanSite(told.variant == "dual mode", told.signal, told.neighbour)
        hub_wan, self.dcc_wan = memory_pair(clock, site=site)
        self.dcc = dcc_of(board, keystore, clock, trace, folder / "dcc.sqlite")  # first: it may be another's, and the home has a terminal
        try:
            super().__init__(board, clock, trace, folder, keystore, seed, wan=hub_wan)
        except BaseException:
            self.dcc.store.close()
            raise
        self.supplier = user_of(board, "supplier", keystore)
        self.gas_supplier = user_of(board, "gas_supplier", keystore)
        self.other_supplier = user_of(board, "other_supplier", keystore)
        self.network_operator = user_of(board, "network_operator", keystore)
        self.other_user = user_of(board, "other_user", keystore)
        everybody = (self.supplier, self.gas_supplier, self.other_supplier, self.network_operator, self.other_user)
        others = (user_of(board, name, keystore) for name in ROLES if getattr(board.parties, name) is not None)
        self._users = {user.eui64: user for user in others} | {user.eui64: user for user in everybody}

    @property
    def sm_wan(self) -> ShapedLink:
        """The hub's end of the link to the DCC, which can lose coverage."""
        assert self.wan is not None
        return self.wan

    @property
    def formed(self) -> bool:
        """True if the hub runs on its HAN."""
        return self.hub is not None and self.hub.status.network is not None

    async def power_up(self) -> None:
        """Supply on."""
        await self.host.power_up()

    def emulated(self, row: DeviceTable) -> HanDevice:
        """The Device with that label."""
        return self.device(row.name)

    @property
    def users(self) -> Mapping[Eui64, User]:
        """Every user of the board by identity."""
        return self._users

    def user(self, eui: Eui64) -> User:
        """The user of that identity. Raises KeyError."""
        return self._users[eui]

    async def bring_up(self) -> None:
        """The home, and the DCC with its users and what it must know of them; nothing has power yet."""
        await super().bring_up()
        await self._open_dcc()

    async def _open_dcc(self) -> None:
        for user in self._users.values():
            self.dcc.add_user(user)
        hold_and_register(self.dcc, self.board)
        await self.dcc.start()
        self.dcc.attach_hub(self.dcc_wan, self.board.hub.chf)

    async def restart_dcc(self) -> None:
        """The DCC ends wherever it is, and the next one goes on from its store."""
        await self.dcc.close()
        self.dcc = dcc_of(self.board, self.keystore, self.clock, self.trace, self.folder / "dcc.sqlite")
        await self._open_dcc()

    async def ask(
        self,
        user: User,
        variant: str,
        target: Eui64 | None = None,
        body: Mapping[str, Content] | None = None,
        *,
        wait_s: float | None = None,
    ) -> Outcome:
        """Send a service request and wait for its end."""
        return await self.dcc.send(user, self.dcc.request(user, variant, target, body), wait_s=wait_s)

    async def tear_down(self) -> None:
        """The home is switched off, then the DCC closed."""
        try:
            await super().tear_down()
        finally:
            await self.dcc.close()


@contextlib.asynccontextmanager
async def open_station(
    board: Board,
    clock: Clock,
    trace: Trace,
    folder: Path,
    *,
    seed: int | None = None,
    record: Path | None = None,
) -> AsyncIterator[Station]:
    """A bench that is brought up, and torn down at the end. State of hub, dongle and DCC is kept in ``folder``; what hub and dongle say
    to each other goes into the file ``record``.

    Raises NotAvailable (a part is not there), KeystoreError, BoardError.
    """
    station = Station(board, clock, trace, folder, load_keys(board), board.seed if seed is None else seed)
    station.record = record
    try:
        await station.bring_up()
        yield station
    finally:
        await station.tear_down()
