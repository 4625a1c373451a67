"""A home whose meters something happens to, and everybody who might be told: the DCC's users, each with an inbox.

The whole chain is there: Devices on the simulated air, the hub on its virtual dongle, the SM WAN, the DCC, five users.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from firmware_emu.board import DeviceTable, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.gbcs.axdr import LongUnsigned
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, AccessResult, Choice, Specification, invoke_id, parse_obis
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz, numbered
from firmware_emu.gbcs.protect import with_mac, with_signature
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.hub.from_board import parties_of
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.metering import METERING
from hil.bench.dcc_board import addition, certify, list_hub, notification, supplier_of
from hil.bench.keys import load_keys
from hil.bench.station import Station
from hil.dcc.parties.users import User
from hil.devices import Esme, Gsme, Hcalcs
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.base.han_device import HanDevice
from hil.devices.esme.variant import POLYPHASE, SINGLE_ELEMENT
from hil.devices.kinds import device_type
from hil.radio.nodes.node import StackNode
from tests.devices.meter_bench import Item

ESME, GSME, POLY, HCALCS = "esme", "gsme", "poly", "hcalcs"
CLOSE_VALVE = numbered(
    (
        Component(
            METERING.id,
            0x01,
            0,
            0x0B,
            METERING.to_server[0x0B].encode({"provider": 0, "event": 1, "requested": 0, "implementation": 0, "status": 0, "control": 0}),
        ),
    )
).encode()
OPEN_SWITCH = AccessRequest(invoke_id(1), (Specification(Choice.ACTION, 9, parse_obis("0-0:10.0.106"), 1),), (LongUnsigned(0x34),)).encode()
Told = tuple[str, str, str]
"""User, alert code, Device."""


class TwoMeters(Station):
    """The station's home with constant loads, an HCALCS, and a second electricity meter, of three phases."""

    async def _device(self, row: DeviceTable) -> HanDevice:
        if row.type == "HCALCS":
            return await super()._device(row)
        parts = (
            row.eui,
            row.install_code,
            self.keystore,
            StackNode(self.air, row.eui),
            self.clock,
            self.trace,
            parties_of(self.board, device_type(row.type)),
        )
        made: HanDevice
        if row.type == "GSME":
            made = Gsme(*parts, load=lambda half_hour: 3600)
        else:
            made = Esme(*parts, load=lambda half_hour: 3600, variant=POLYPHASE if row.name == POLY else SINGLE_ELEMENT)
        await made.start()
        return made


@dataclass
class AlertHome:
    """The station, and what its users were told."""

    station: Station
    users: dict[str, User] = field(default_factory=dict)
    counter: int = 1 << 40

    def __post_init__(self) -> None:
        station = self.station
        self.users = {
            "supplier": station.supplier,
            "gas supplier": station.gas_supplier,
            "other supplier": station.other_supplier,
            "network operator": station.network_operator,
            "other user": station.other_user,
        }

    @property
    def esme(self) -> Esme:
        return self._esme(ESME)

    @property
    def poly(self) -> Esme:
        return self._esme(POLY)

    def _esme(self, name: str) -> Esme:
        found = self.station.device(name)
        assert isinstance(found, Esme)
        return found

    @property
    def gsme(self) -> Gsme:
        return self.station.one(Gsme)

    @property
    def hcalcs(self) -> Hcalcs:
        return self.station.one(Hcalcs)

    def meter(self, name: str) -> GbcsHanDevice:
        return {ESME: self.esme, POLY: self.poly, GSME: self.gsme}[name]

    # --- commissioning

    async def bring_up(self) -> None:
        """From supply on to meters in service."""
        station = self.station
        board, chf = station.board, station.board.hub.chf
        list_hub(station.dcc, board)
        await station.host.power_up()
        await station.until("the SM WAN", lambda: station.dcc.head_end.connected(chf))
        await station.until("the CHF's status Commissioned", lambda: self.status(chf) == "Commissioned")
        await station.until("the HAN", lambda: station.hub is not None and station.hub.status.network is not None)
        for row in board.device:
            certify(station.dcc, row)
            user = self.user_for(row.eui)
            for variant, target, body in (("12.2", None, notification(row)), ("8.11", chf, addition(row, 600))):
                outcome = await station.ask(user, variant, target, body)
                assert outcome.ok, outcome.why
        for row in board.device:
            await station.device(row.name).join()
        for row in board.device[:3]:
            body = {"CurrentDateTime": station.clock.datetime() - timedelta(minutes=1), "TolerancePeriod": 7200}
            outcome = await station.ask(self.user_for(row.eui), "8.1.1", row.eui, body, wait_s=7200)
            assert outcome.ok, outcome.why
        outcome = await station.ask(station.gas_supplier, "8.7.2", self.gsme.eui64, {"OtherDeviceID": board.hub.gpf}, wait_s=7200)
        assert outcome.ok, outcome.why
        for meter, switch in ((self.esme.eui64, self.hcalcs.eui64), (self.hcalcs.eui64, self.esme.eui64)):
            outcome = await station.ask(self.user_for(meter), "8.7.1", meter, {"OtherDeviceID": switch})
            assert outcome.ok, outcome.why

    def status(self, eui: Eui64) -> str:
        device = self.station.dcc.inventory.device(eui)
        return "" if device is None else str(device.status)

    def user_for(self, target: Eui64) -> User:
        party = supplier_of(self.station.board, target)
        return next(user for user in self.users.values() if user.eui64 == party)

    # --- what is set on a meter beforehand

    def set(self, esme: Esme, code: int, items: Iterable[Item]) -> None:
        """Settings that the meter's supplier has made, as the meter's executor gets them."""
        listed = list(items)
        self.counter += 1
        specifications = tuple(Specification(choice, number, parse_obis(obis), attribute) for choice, number, obis, attribute, _ in listed)
        request = AccessRequest(invoke_id(1), specifications, tuple(data for *_, data in listed))
        answer = AccessResponse.decode(esme.execute(by_code(code), self._message(esme, code, request.encode())))
        assert [result.code for result in answer.results] == [AccessResult.SUCCESS] * len(listed), answer.results

    def set_gas(self, code: int, *parts: Component) -> None:
        """The same at the gas meter."""
        self.counter += 1
        gsme = self.gsme
        for part in Gbz.decode(gsme.execute(by_code(code), self._message(gsme, code, numbered(parts).encode()))).components:
            assert part.command != 0x0B or part.payload[1] == 0, part

    def _message(self, device: GbcsHanDevice, code: int, payload: bytes) -> Message:
        supplier = device.parties[RemotePartyRole.SUPPLIER]
        return Message(GroupingHeader(CraFlag.COMMAND, self.counter, supplier, device.eui64, OtherInformation(code)), payload)

    # --- Commands that must be refused

    def forged(
        self,
        meter: str,
        signer: User | None = None,
        *,
        recipient: Eui64 | None = None,
        flip: bool = False,
        cra: CraFlag = CraFlag.COMMAND,
    ) -> bytes:
        """A critical Command that closes the supply, with the faults asked for; everything else about it holds."""
        device = self.meter(meter)
        keystore: Keystore = self.station.keystore
        broker = self.station.board.parties.access_control_broker
        signer = signer or self.user_for(device.eui64)
        code = 0x0081 if isinstance(device, Gsme) else 0x0050
        counter = self.station.dcc.counters.next(signer.eui64)
        header = GroupingHeader(cra, counter, signer.eui64, recipient or device.eui64, OtherInformation(code))
        payload = CLOSE_VALVE if isinstance(device, Gsme) else OPEN_SWITCH
        message = with_signature(Message(header, payload), keystore.private_key(signer.eui64, KeyUsage.DIGITAL_SIGNATURE))
        octets = with_mac(message, keystore.shared_secret(broker, recipient or device.eui64)).encode()
        return octets[:-1] + bytes([octets[-1] ^ flip])

    async def inject(self, octets: bytes) -> None:
        """Round the gateway, straight to the head end."""
        self.station.dcc.head_end.post(self.station.board.hub.chf, octets)
        await self.station.clock.sleep(5)

    # --- who was told what

    async def told(self, cause: Callable[[AlertHome], object], expected: set[Told], *, within_s: float = 600) -> list[Told]:
        """Let something happen and see what every user hears; waits for what is expected, then for what should not come."""
        before = {name: len(user.inbox) for name, user in self.users.items()}

        def heard() -> list[Told]:
            found = []
            for name, user in self.users.items():
                for delivery in user.inbox[before[name] :]:
                    if delivery.kind != "i" or delivery.octets is None:
                        continue
                    user.read(delivery.octets)  # verified by the user's own keys
                    device = Message.decode(delivery.octets).header.originator
                    found.append((name, delivery.code, self._name(device)))
            return sorted(found)

        done = cause(self)
        if asyncio.iscoroutine(done):
            await done
        deadline = self.station.clock.now() + within_s
        while not expected <= set(heard()) and self.station.clock.now() < deadline:
            await self.gsme.wake()
            await self.station.clock.sleep(10)
        await self.station.clock.sleep(10)
        return heard()

    def _name(self, eui: Eui64) -> str:
        return next((row.name for row in self.station.board.device if row.eui == eui), str(eui))


@contextlib.asynccontextmanager
async def alert_home(clock: Clock, folder: Path) -> AsyncIterator[AlertHome]:
    """The home, in service."""
    board = load_board("simulated")
    esme, gsme, *_ = board.device
    poly = esme.model_copy(
        update={"name": POLY, "eui": Eui64.parse("02e53e0000000003"), "mpxn": type(esme.mpxn)("1200012345679") if esme.mpxn else None}
    )
    hcalcs = esme.model_copy(
        update={
            "name": HCALCS,
            "type": "HCALCS",
            "eui": Eui64.parse("02ca1c0000000001"),
            "mpxn": None,
            "install_code": InstallCode.parse("4142434445464748494A4B4C4D4E4F50"),
        }
    )
    board = board.model_copy(update={"name": "alerts", "device": (esme, gsme, poly, hcalcs)})
    station = TwoMeters(board, clock, Trace(clock.now), folder, load_keys(board), board.seed)
    try:
        await station.bring_up()
        home = AlertHome(station)
        await home.bring_up()
        yield home
    finally:
        await station.tear_down()
