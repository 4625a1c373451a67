"""The journey of a display: an IHD that the DCC joined with the electricity meter shows what the meter serves, before and after a hub swap.

It reads under a link key that the trust centre gave the two of them. tshark, which nobody here wrote, judges the capture.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import BoardError, RadioError
from firmware_emu.hub.hub import Hub
from firmware_emu.ids import Eui64
from firmware_emu.trace import Scalar
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster
from hil.bench.dcc_board import hold_and_register, list_hub
from hil.bench.spare_hub import spare_hub
from hil.bench.station import Station
from hil.dcc.duis.document import Content
from hil.dcc.inventory.inventory import COMMISSIONED
from hil.dcc.parties.users import User
from hil.devices.esme.esme import Esme
from hil.devices.ihd import Ihd
from hil.devices.kinds import device_type
from hil.journeys.steps import Steps, expect
from hil.journeys.strategy import State, Strategy
from hil.radio.log import tshark
from hil.radio.nodes.node import StackNode

MESSAGE = "Tea is at four"
_KEY_WAIT_S, _MISSED_S, _ANSWER_S = 600.0, 7200.0, 7200.0
"""Bench's own figures: a link key is asked for at once; a Device that misses its hub looks for one within two hours."""
_HALF_HOUR_S = 1800.0
RATE = 28_500
_PRICE: Content = {
    "StandingCharge": 0,
    "StandingChargeScale": -5,
    "PriceScale": -5,
    "TOUTariff": {"TOUPrice": [{"@index": 1, "#": str(RATE)}]},
}
"""28.5 pence a kWh in the meter's first rate."""
_CONSUMPTION = ("current_summation_delivered", "instantaneous_demand", "current_day_consumption_delivered")
_BALANCE = ("payment_control_configuration", "credit_remaining")
_LINK_KEY = 3
"""Key type of a Transport-Key that carries an application link key (ZigBee PRO r21 4.4.9)."""


def home_of_displays(board: Board) -> Board:
    """``board`` with its first electricity meter and its Type 2 Devices alone. Raises BoardError where it has none."""
    meters = [row for row in board.device if device_type(row.type) is DeviceType.ESME][:1]
    displays = [row for row in board.device if device_type(row.type) is DeviceType.TYPE_2]
    if not meters or not displays:
        raise BoardError(board.name, "device", "this journey needs an ESME and an IHD")
    return board.model_copy(update={"device": (*meters, *displays)})


class DisplayJourney:
    """Plays it on a station of :func:`home_of_displays`. ``new``: the board of the hub that takes over. ``keys`` grows: the keys that
    open the capture."""

    def __init__(self, station: Station, new: Board, steps: Steps, capture: Path) -> None:
        self.station, self.new, self.steps, self.capture = station, new, steps, capture
        self.strategy = Strategy(station)
        self.keys: dict[str, bytes] = {}
        self.partner_keys: dict[str, bytes] = {}
        """Link keys of meter and display, by display and hub."""

    @property
    def meter(self) -> Esme:
        return self.station.one(Esme)

    @property
    def displays(self) -> Mapping[str, Ihd]:
        return {name: one for name, one in self.station.devices.items() if isinstance(one, Ihd)}

    async def run(self) -> None:
        """All steps in order. Raises StepFailed at the first that does not show what it must."""
        step = self.steps.step
        async with step("hub, meter and displays are on the HAN, the meter in service"):
            await self.strategy.reach(State.COMMISSIONED)
        for name, display in self.displays.items():
            async with step(f"refused: {name} reads a meter that it is not joined with") as values:
                values["reason"] = await _refused(display, self.meter.eui64)
        async with step("8.7.2 joins meter and displays: the trust centre gives each pair a link key") as values:
            await self.strategy.reach(State.PAIRED)
            await self._paired("first hub")
            values["link keys"] = len(self.partner_keys)
        async with step("1.2.1 and 3.1: the supplier's price and message; half an hour goes by"):
            await self._ask("1.2.1", self.meter.eui64, {"PriceElements": {"ElectricityPriceElements": _PRICE}})
            await self._ask("3.1", self.meter.eui64, {"SupplierMessage": MESSAGE})
            await self.station.clock.sleep(_HALF_HOUR_S)
        await self._reads("first hub")
        store = MemoryStore()
        async with step("the hub dies for good; it is decommissioned"):
            self.keys |= {f"first hub, {label}": key for label, key in self.station.han_keys().items()}
            await self._old_hub_dies()
        async with spare_hub(self.station, self.new, store) as hub:
            await self._swap(hub)
            await self._reads("second hub")
        await self._judge()

    # --- reading

    async def _reads(self, hub: str) -> None:
        for name, display in self.displays.items():
            async with self.steps.step(f"{name} shows consumption, price, balance and message of the meter, {hub}") as values:
                await self._read(display, values)

    async def _read(self, display: Ihd, values: dict[str, Scalar]) -> None:
        meter, reader = self.meter, display.reader
        meter.update()
        before = meter.registers.active_import.total
        shown = await _all(display, meter.eui64, METERING, _CONSUMPTION)
        meter.update()
        total, own = shown["current_summation_delivered"], meter.registers.active_import.total
        assert isinstance(total, int)
        expect(before <= total <= own, f"the display shows {total} Wh, the meter's own register {before} Wh before and {own} Wh after")
        values |= {"total, Wh": total, "demand, W": shown["instantaneous_demand"], "today, Wh": shown["current_day_consumption_delivered"]}
        money = await _all(display, meter.eui64, PRICE, ("currency", "price_trailing_digits"))
        price = await reader.published(meter.eui64, PRICE, "GetCurrentPrice", {"options": 0})
        shown_price = None if price is None else price["price"]
        expect(shown_price == RATE, f"the display shows the price {shown_price!r}, the supplier's is {RATE}")
        values |= {"currency": money["currency"], "price": RATE}
        balance = await _all(display, meter.eui64, PREPAYMENT, _BALANCE)
        values["balance"] = balance["credit_remaining"]
        message = await reader.published(meter.eui64, MESSAGING, "GetLastMessage")
        text = None if message is None else message["text"]
        expect(text == MESSAGE, f"the display shows the message {text!r}, the supplier's is {MESSAGE!r}")
        values["message"] = MESSAGE

    # --- the swap

    async def _old_hub_dies(self) -> None:
        station, old = self.station, self.station.board.hub
        await station.jig.supply.output(False)
        await station.clock.sleep(_MISSED_S)
        for eui in (old.chf, old.gpf):
            await self._ask("8.3", None, {"DeviceID": eui})

    async def _swap(self, hub: Hub) -> None:
        station, new = self.station, self.new
        async with self.steps.step("another hub takes its place and is given the log of the old one (8.12.1)") as values:
            list_hub(station.dcc, new)
            hold_and_register(station.dcc, new)
            await station.until(
                "the second hub", lambda: self.strategy.status(new.hub.chf) == COMMISSIONED and hub.status.network is not None
            )
            await self._ask("8.12.1", new.hub.chf, {"OldCHFID": station.board.hub.chf})
            values["Devices in its log"] = len(hub.status.device_log)
        async with self.steps.step("meter and displays come back by themselves, and get link keys from the new trust centre") as values:
            await station.until(
                "every Device's own key with the second hub",
                lambda: all(one.coordinator == new.hub.gpf and not one.key_borrowed for one in station.devices.values()),
                _MISSED_S,
                5,
            )
            first = set(self.partner_keys.values())
            await self._paired("second hub")
            self.keys |= {f"second hub, {label}": key for label, key in self._keys_now(hub).items()}
            fresh = set(self.partner_keys.values()) - first
            expect(len(fresh) == len(self.displays), "a link key of the first hub is still in use")
            values["new link keys"] = len(fresh)

    def _keys_now(self, hub: Hub) -> dict[str, bytes]:
        keys = self.station.han_keys()
        network = hub.status.network
        if network is not None and network.network_key is not None:
            keys["network"] = network.network_key
        return keys | {f"hub's link {entry.device}": entry.link_key for entry in hub.status.device_log if entry.link_key}

    async def _paired(self, hub: str) -> None:
        """Wait until meter and displays hold the same link keys."""
        for name, display in self.displays.items():
            await self.station.until(f"the link key of {name} and the meter", partial(self._share, display), _KEY_WAIT_S)
            key = self._shared(display)
            assert key is not None
            self.partner_keys[f"{name}, {hub}"] = key

    def _share(self, display: Ihd) -> bool:
        return self._shared(display) is not None

    def _shared(self, display: Ihd) -> bytes | None:
        nodes = self.meter.node, display.node
        keys = [
            one.stack.link_key(other)
            for one, other in zip(nodes, (display.eui64, self.meter.eui64), strict=True)
            if isinstance(one, StackNode)
        ]
        return keys[0] if len(set(keys)) == 1 else None

    async def _ask(self, variant: str, target: Eui64 | None, body: Mapping[str, Content]) -> None:
        outcome = await self.station.ask(self._user, variant, target, body, wait_s=_ANSWER_S)
        expect(outcome.ok, f"{variant}: {outcome.why}")

    @property
    def _user(self) -> User:
        return self.station.supplier

    # --- the judge

    async def _judge(self) -> None:
        """tshark reads the capture with the keys: the transports of link keys, and what was said under them."""
        name = "tshark: link keys are transported encrypted, and the displays' reads open under them alone"
        if not tshark.installed():
            self.steps.skip(name, "tshark is not installed: apt-get install tshark")
            return
        async with self.steps.step(name) as values:
            columns = ("zbee_aps.cmd.key_type", "zbee_aps.cmd.key", "zbee_aps.cluster", "zbee.sec.key", "_ws.malformed")
            rows = await tshark.fields(self.capture, self.keys, "zbee_aps.cmd.id == 0x05 || zbee_zcl", columns)
            moved = {_octets(key) for kind, key, _, _, malformed in rows if int(kind or "0", 0) == _LINK_KEY and not malformed}
            values["link keys transported"] = len(moved)
            missing = set(self.partner_keys.values()) - moved
            expect(not missing, f"{len(missing)} link keys of meter and display are in no Transport-Key that tshark can open")
            wanted = {f"0x{one.id:04x}" for one in (METERING, PRICE, MESSAGING, PREPAYMENT)}
            for label, key in self.partner_keys.items():
                under = [row for row in rows if any(_octets(one) == key for one in row[3].split(",") if one)]
                values[f"frames under the key of {label}"] = len(under)
                unseen = wanted - {row[2] for row in under}
                expect(not unseen, f"{label}: no frame of cluster {', '.join(sorted(unseen))} opens under the link key")
                expect(not any(row[4] for row in under), f"{label}: tshark calls a frame malformed")


async def _refused(display: Ihd, meter: Eui64) -> str:
    """The reason for which the display cannot read the meter. Raises StepFailed where it can."""
    try:
        shown = await display.reader.metering(meter)
    except RadioError as refused:
        return str(refused)
    expect(False, f"it reads {shown.total}")
    return ""


async def _all(display: Ihd, meter: Eui64, cluster: Cluster, names: tuple[str, ...]) -> dict[str, Scalar]:
    """Every one of the attributes. Raises StepFailed where one is missing."""
    found = await display.reader.values(meter, cluster, *names)
    missing = [name for name in names if name not in found]
    expect(not missing, f"{cluster.name}: the meter does not serve {', '.join(missing)}")
    return {name: _scalar(value) for name, value in found.items()}


def _scalar(value: object) -> Scalar:
    return value if isinstance(value, str | int | float) else str(value)


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
