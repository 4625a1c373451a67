"""A home from nothing to service: states to reach, the steps between them, and the first failure remembered.

``off -> powered -> formed`` is the hub's way; each Device then goes ``notified -> listed -> joined -> commissioned -> paired`` by service
requests of the supplier that it holds (SR 12.2, 8.11, 8.1.1, 8.7) and its own join. Whoever needs a home in some state says which.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Protocol, TypeVar

from firmware_emu.board import Board, DeviceTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.bench.dcc_board import addition, certify, joined_by, list_hub, notification, supplier_of
from hil.dcc.base.results import Outcome
from hil.dcc.dcc import Dcc
from hil.dcc.duis.document import Content
from hil.dcc.inventory.inventory import COMMISSIONED, METERS
from hil.dcc.parties.users import User
from hil.devices.base.han_device import HanDevice
from hil.devices.kinds import device_type

JOIN_TIME_S = 600
"""Seconds for which an addition lets a Device join. The bench's own figure."""
CLOCK_SLACK = timedelta(minutes=1)
"""The interval of a Set Clock begins this much before now: the hub serves whole seconds."""
TOLERANCE_S = 7200
DEVICE_WAIT_S = 7200.0
"""Waiting time for a Device: a sleepy gas meter wakes every half hour."""
T = TypeVar("T")
_IN_THE_LOG = ("InstalledNotCommissioned", COMMISSIONED)


class State(IntEnum):
    """States of a home and of its Devices, in the order in which they are reached."""

    OFF = 0
    POWERED = 1
    FORMED = 2
    NOTIFIED = 3
    LISTED = 4
    JOINED = 5
    COMMISSIONED = 6
    PAIRED = 7


_DEVICES_OWN = tuple(state for state in State if state > State.FORMED)
_SELF, _METER, _GPF = "self", "meter", "gpf"
_PAIRS: Mapping[DeviceType, tuple[tuple[str, str, str], ...]] = {
    DeviceType.PPMID: (("8.7.1", _METER, _SELF), ("8.7.1", _SELF, _METER)),
    DeviceType.GSME: (("8.7.2", _SELF, _GPF),),
    DeviceType.TYPE_2: (("8.7.2", _METER, _SELF),),
}
"""Joins of a Device by its GBCS type: service, target, other Device. The electricity meter must be commissioned first."""


class NotReached(CommsHubError):
    """A service request on the way to a state did not succeed; ``outcome`` says why."""

    def __init__(self, state: State, what: str, outcome: Outcome) -> None:
        super().__init__(f"{what} is not {state.name.lower()}: {outcome.variant}: {outcome.why}")
        self.outcome = outcome


class Premises(Protocol):
    """A home and the DCC at the other end of its SM WAN."""

    @property
    def board(self) -> Board:
        """Board that the home is made from."""
        ...

    @property
    def clock(self) -> Clock:
        """Bench time."""
        ...

    @property
    def dcc(self) -> Dcc:
        """The far end."""
        ...

    @property
    def formed(self) -> bool:
        """True if the hub runs on its HAN."""
        ...

    async def power_up(self) -> None:
        """Supply on."""
        ...

    def emulated(self, row: DeviceTable) -> HanDevice:
        """The Device with that label."""
        ...

    def user(self, eui: Eui64) -> User:
        """The user of that identity."""
        ...

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0) -> None:
        """Wait bench time until ``holds()``. Raises NotAvailable naming ``what``."""
        ...


class Strategy:
    """Brings one home from state to state. After a failure every further wish fails with that same, first one."""

    def __init__(self, premises: Premises, sender: Callable[[DeviceTable], Eui64] | None = None) -> None:
        """``sender``: the Device whose supplier lists a Device; the hub, and so the electricity supplier, where nothing is said."""
        self.premises = premises
        self.state = State.OFF
        """The state that the whole home has reached through this strategy."""
        self.failure: CommsHubError | None = None
        self._sender = sender
        self._listed: set[Eui64] = set()

    @property
    def chf(self) -> Eui64:
        """The hub."""
        return self.premises.board.hub.chf

    @property
    def gpf(self) -> Eui64:
        """The hub's gas proxy."""
        return self.premises.board.hub.gpf

    # --- states

    async def reach(self, state: State) -> None:
        """Bring the whole home to ``state``, one state after the other. Raises what ended the first step that failed, now or before."""
        hub: dict[State, Callable[[], Awaitable[None]]] = {State.POWERED: self.power, State.FORMED: self.form}
        while self.state < state:
            following = State(self.state + 1)
            if following in hub:
                await self._first_failure(hub[following]())
            else:
                for row in self.in_order(following):
                    await self.bring(row, following)
            self.state = following

    def in_order(self, state: State) -> Sequence[DeviceTable]:
        """The Devices of the home, as they take the step to ``state``: as the board has them, joins by the order of :data:`_PAIRS`."""
        rows = self.premises.board.device
        if state is not State.PAIRED:
            return rows
        return [row for kind in _PAIRS for row in rows if device_type(row.type) is kind]

    async def bring(self, row: DeviceTable, state: State) -> Outcome | None:
        """Bring one Device to ``state`` from where it is; the outcome of the last service request, if there was one."""
        steps: dict[State, Callable[[DeviceTable], Awaitable[Outcome | None]]] = {
            State.NOTIFIED: self.notify,
            State.LISTED: self.list_device,
            State.JOINED: self.join_device,
            State.COMMISSIONED: self.commission_device,
            State.PAIRED: self.pair_device,
        }
        outcome: Outcome | None = None
        for following in _DEVICES_OWN:
            if self.where(row) < following <= state:
                outcome = await self._first_failure(steps[following](row))
        return outcome

    async def _first_failure(self, step: Awaitable[T]) -> T:
        """Do a step, unless one has failed before; remember if it is the first that fails."""
        if self.failure is not None:
            if inspect.iscoroutine(step):
                step.close()
            raise self.failure
        try:
            return await step
        except CommsHubError as failure:
            self.failure = failure
            raise

    def where(self, row: DeviceTable) -> State:
        """The state of a Device as the DCC and the Device itself show it; a join window that this strategy opened counts."""
        found = self.premises.dcc.inventory.device(row.eui)
        if found is None:
            return State.FORMED
        if not self.premises.emulated(row).node.joined:
            return State.LISTED if row.eui in self._listed else State.NOTIFIED
        return State.COMMISSIONED if found.status == COMMISSIONED else State.JOINED

    def status(self, eui: Eui64) -> str:
        """Status of a Device in the inventory, "" where it is not there."""
        device = self.premises.dcc.inventory.device(eui)
        return "" if device is None else str(device.status)

    # --- steps of the hub

    async def power(self) -> None:
        """List the hub at the DCC and switch its supply on."""
        list_hub(self.premises.dcc, self.premises.board)
        await self.premises.power_up()

    async def form(self) -> None:
        """Wait for the hub: connected, which commissions it, and on its HAN."""
        await self.premises.until(f"hub {self.chf}", lambda: self.status(self.chf) == COMMISSIONED and self.premises.formed)

    # --- steps of a Device

    async def notify(self, row: DeviceTable) -> Outcome | None:
        """12.2, and what a maker and an installer do before: the model is certified, a meter holds its supplier."""
        dcc = self.premises.dcc
        certify(dcc, row)
        if device_type(row.type) in METERS:
            dcc.hold(row.eui, RemotePartyRole.SUPPLIER, supplier_of(self.premises.board, row.eui))
        return self._need(State.NOTIFIED, row, await self.send(row.eui, "12.2", None, notification(row)))

    async def list_device(self, row: DeviceTable) -> Outcome | None:
        """8.11: the hub lets the Device join."""
        about = self.chf if self._sender is None else self._sender(row)
        outcome = self._need(State.LISTED, row, await self.send(about, "8.11", self.chf, addition(row, JOIN_TIME_S)))
        self._listed.add(row.eui)
        return outcome

    async def join_device(self, row: DeviceTable) -> Outcome | None:
        """The Device joins the HAN, and the DCC hears of it from the hub."""
        await self.premises.emulated(row).join()
        await self.premises.until(f"{row.name} in the log", lambda: self.status(row.eui) in _IN_THE_LOG)
        return None

    async def commission_device(self, row: DeviceTable) -> Outcome | None:
        """8.1.1 for a meter; other Devices are in service once they have joined."""
        if device_type(row.type) not in METERS:
            return None
        body: dict[str, Content] = {
            "CurrentDateTime": self.premises.clock.datetime() - CLOCK_SLACK,
            "TolerancePeriod": TOLERANCE_S,
        }
        outcome = await self.send(row.eui, "8.1.1", row.eui, body, wait_s=DEVICE_WAIT_S)
        return self._need(State.COMMISSIONED, row, outcome)

    async def pair_device(self, row: DeviceTable) -> Outcome | None:
        """The joins that its type has with the GPF and with the home's electricity meter, once that is commissioned."""
        outcome: Outcome | None = None
        for variant, target, other in self.pairs(row):
            outcome = self._need(State.PAIRED, row, await self.associate(variant, target, other))
        return outcome

    def pairs(self, row: DeviceTable) -> list[tuple[str, Eui64, Eui64]]:
        """The joins of a Device as things are: service, target, other Device."""
        meters = (one.eui for one in self.premises.board.device if device_type(one.type) is DeviceType.ESME)
        meter = next((eui for eui in meters if self.status(eui) == COMMISSIONED), None)
        known = {_SELF: row.eui, _METER: meter, _GPF: self.gpf}
        named = [(variant, known[target], known[other]) for variant, target, other in _PAIRS.get(device_type(row.type), ())]
        return [(variant, target, other) for variant, target, other in named if target is not None and other is not None]

    async def associate(self, variant: str, target: Eui64, other: Eui64) -> Outcome:
        """8.7: join ``target`` with another Device."""
        about = joined_by(self.premises.board, target, other)
        return await self.send(about, variant, target, {"OtherDeviceID": other}, wait_s=DEVICE_WAIT_S)

    # --- service requests

    async def send(
        self, about: Eui64, variant: str, target: Eui64 | None, body: Mapping[str, Content], wait_s: float | None = None
    ) -> Outcome:
        """A service request by the supplier that the Device ``about`` holds."""
        user, dcc = self.premises.user(supplier_of(self.premises.board, about)), self.premises.dcc
        return await dcc.send(user, dcc.request(user, variant, target, body), wait_s=wait_s)

    @staticmethod
    def _need(state: State, row: DeviceTable, outcome: Outcome) -> Outcome:
        if not outcome.ok:
            raise NotReached(state, row.name, outcome)
        return outcome
