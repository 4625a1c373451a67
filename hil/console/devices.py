"""A noun for each Device of the board: ``esme``, ``gsme``, ``ppmid`` ... as the board names them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from firmware_emu.board import DeviceTable
from firmware_emu.clock import moment_text
from firmware_emu.console.core import Core, Noun
from firmware_emu.console.declare import Switch, WordError, WordKind, verb
from firmware_emu.console.frames import AttributeName, CommandName, read_attribute, send_command
from firmware_emu.console.result import Result, plain
from firmware_emu.device.event_log import LogName
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from hil.bench import deeds
from hil.bench.dcc_board import joined_by
from hil.bench.home import Home
from hil.bench.station import Station
from hil.console.inside import event_name, inside
from hil.console.rig import RigNoun
from hil.dcc.base.results import Outcome
from hil.devices import kinds
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.base.han_device import HanDevice
from hil.journeys.strategy import NotReached, State, Strategy

_ON_THE_HAN, _JOINED = "is on the HAN", "joined the HAN"
_ADDING = (
    ("12.2 pre-notify", State.NOTIFIED),
    ("8.11 add", State.LISTED),
    ("join", State.JOINED),
    ("8.1.1 commission", State.COMMISSIONED),
    ("8.7 pair", State.PAIRED),
)
"""Steps of an installation, and the state that each brings a Device to."""

LAST = 20
Deed = Annotated[str, WordKind("a deed such as load (tab lists them)", str, "deeds")]
Item = Annotated[str, WordKind("CLASS:OBIS:ATTRIBUTE as 3:0-0:94.44.42:2, CLUSTER:ATTRIBUTE in hex as 0702:0000, or clock", str)]
Other = Annotated[str, WordKind("gpf or a Device of the board", str, "targets")]


class DeviceNoun(RigNoun):
    """Any Device of the home."""

    about = "a Device of the home"
    title: ClassVar[str | None] = "device"

    def __init__(self, bench: Core, row: DeviceTable) -> None:
        super().__init__(bench)
        self.name = row.name
        self.table = row
        bench.offers["deeds"] = lambda _: {name: one.about for name, one in deeds.DEEDS.items()}

    @classmethod
    def on(cls, bench: Core) -> Iterable[Noun]:
        """One noun for each Device of the board."""
        if not isinstance(bench.station, Home):
            return ()
        return [(Sleeper if kinds.kind(row.type).sleepy else DeviceNoun)(bench, row) for row in bench.board.device]

    @property
    def device(self) -> HanDevice:
        """The simulated Device."""
        return self.home.device(self.name)

    @verb()
    async def add(self) -> Result:
        """Install it: pre-notify (12.2), add to the hub's log (8.11), join the HAN; a meter is commissioned (8.1.1) and all are paired."""
        done: list[tuple[str, str]] = []
        strategy = self._strategy()
        for name, state in _ADDING:
            there = strategy.where(self.table) >= State.JOINED
            try:
                outcome = await strategy.bring(self.table, state)
            except NotReached as failed:
                said = f"{name} {self.name}: {failed.outcome.why}"
                return Result(said, columns=("step", "result"), rows=done, ok=False, raw=failed.outcome)
            if outcome is not None:
                done.append((name, str(outcome.verdict)))
            elif state is State.JOINED:
                done.append((name, _ON_THE_HAN if there else _JOINED))
        status = self._status()
        return Result(f"{self.name} added: {status}", {"status": status}, ("step", "result"), done)

    @verb()
    async def join(self) -> Result:
        """Let it try to join the HAN once."""
        return Result(f"{self.name} {await self._join()}", {"coordinator": self.device.coordinator})

    @verb()
    async def remove(self) -> Result:
        """Remove it from the hub's log (8.11)."""
        outcome = await self.ask(
            "8.11", self.bench.board.hub.chf, {"DeviceID": self.table.eui, "RequestType": "Remove"}, about=self._sender()
        )
        said = f"{self.name} removed" if outcome.ok else outcome.why
        return Result(said, {"status": self._status()}, ok=outcome.ok, raw=outcome)

    @verb()
    async def pair(self, other: Other) -> Result:
        """Join it with another Device or the GPF (8.7.1 for a PPMID and its meter, else 8.7.2)."""
        variant = "8.7.1" if "PPMID" in (kinds.duis_type(self.table), self.kind_of(other)) else "8.7.2"
        outcome = await self._associate(variant, self.name, other)
        return Result(f"{self.name} with {other}: {outcome.verdict}" if outcome.ok else outcome.why, ok=outcome.ok, raw=outcome)

    @verb()
    async def power(self, to: Switch) -> Result:
        """Switch its mains or battery off or on."""
        self.device.power(to)
        return Result(f"{self.name} {'on' if to else 'off'}")

    @verb(looks=True)
    async def status(self) -> Result:
        """Tell what it is and, as its own display would, what it shows."""
        device = self.device
        values: dict[str, object] = {
            "EUI-64": str(self.table.eui),
            "type": self.table.type,
            "powered": device.powered,
            "joined": device.node.joined,
            **({"at the DCC": self._status() or None} if isinstance(self.home, Station) else {}),
        }
        values |= device.display()
        return Result(f"{self.table.type} {self.name}", values, raw=device)

    @verb()
    async def read(self, attribute: AttributeName, of: Other = "") -> Result:
        """Let it read an attribute over the air, by cluster and name: of the hub, or of the Device that is named."""
        partner = self.target(of) if of else self._coordinator()
        return await read_attribute(self.device.zcl, partner, attribute)

    @verb()
    async def send(self, command: CommandName, *, of: Other = "", **fields: str) -> Result:
        """Let it send a ZCL command to the hub, or to the Device that is named, and show the answer."""
        return await send_command(self.device.zcl, self.target(of) if of else self._coordinator(), command, fields)

    @verb()
    async def do(self, what: Deed, value: str = "") -> Result:
        """Do something to it by hand: a load, a voltage, a token, a button, a magnet."""
        done = await deeds.do(self.device, what, value)
        said = done if isinstance(done, str) else "refused" if done is False else "done"
        return Result(f"{self.name} {what} {value}".rstrip() + f": {said}", ok=done is not False)

    @verb(looks=True)
    async def events(self, log: Literal["event", "security", "power", "alcs"] = "event", last: int = LAST) -> Result:
        """Show the last entries of one of its logs as they stand, oldest first."""
        entries = self._gbcs().gbcs.logs[LogName(log)].entries()[-last:]
        rows = [(moment_text(one.time), f"{one.code:04X}", event_name(one.code), one.other.hex()) for one in entries]
        return Result(f"the last {len(rows)} of the {log} log", columns=("time", "code", "name", "other"), rows=rows)

    @verb(looks=True)
    async def look(self, item: Item) -> Result:
        """Look at a value inside it, as it stands: an attribute of its DLMS objects, or of its ZCL attributes, or `clock`."""
        value = inside(self._gbcs(), item)
        return Result(f"{self.name} {item}: {plain(value)}", {"value": value})

    def _gbcs(self) -> GbcsHanDevice:
        if not isinstance(self.device, GbcsHanDevice):
            raise WordError(f"{self.name}: a {self.table.type} has no logs and no objects of its own")
        return self.device

    # --- steps

    def _coordinator(self) -> Eui64:
        if self.device.coordinator is None:
            raise NotAvailable(f"the hub for {self.name}", f"it is not on the HAN: `{self.name} add` or `{self.name} join`")
        return self.device.coordinator

    def _status(self) -> str:
        found = self.station.dcc.inventory.device(self.table.eui)
        return "" if found is None else str(found.status)

    def _strategy(self) -> Strategy:
        return Strategy(self.station, lambda row: self._sender())

    def _sender(self) -> Eui64:
        """The Device whose supplier sends this hub request: this one or, where it is no meter, a meter of its hub."""
        rows = {row.eui: kinds.duis_type(row) for row in self.bench.board.device}
        if rows[self.table.eui] in ("ESME", "GSME"):
            return self.table.eui
        on_hub = self.station.dcc.inventory.on_hub(self.bench.board.hub.chf)
        meters = [eui for kind in ("ESME", "GSME") for eui in on_hub if rows.get(eui) == kind]
        return meters[0] if meters else self.table.eui

    async def _join(self) -> str:
        if self.device.node.joined:
            return _ON_THE_HAN
        if isinstance(self.home, Station):
            await self._strategy().join_device(self.table)
        else:
            await self.device.join()
        return _JOINED

    async def _associate(self, variant: str, target: str, other: str) -> Outcome:
        one, two = self.target(target), self.target(other)
        return await self.ask(variant, one, {"OtherDeviceID": two}, about=joined_by(self.bench.board, one, two))


class Sleeper(DeviceNoun):
    """A Device that sleeps, as a gas meter does, and can be woken."""

    title = "gsme"

    @verb()
    async def wake(self) -> Result:
        """Wake it now, instead of at its next half hour: it fetches what waits for it and pushes its data."""
        await self.device.wake()
        return Result(f"{self.name} was awake", dict(self.device.display()))
