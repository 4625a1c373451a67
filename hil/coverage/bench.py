"""Devices of every type in one process, without a radio, that have lived before the command comes (``history.toml``)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from firmware_emu.board import DeviceTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.joining import ServedTime
from firmware_emu.device.pipeline import GbcsDevice, UseCases
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import NotAvailable
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.chf import ChfExecutor
from firmware_emu.hub.delivery import Mailbox
from firmware_emu.hub.device_log import DeviceLog
from firmware_emu.hub.endpoints import declare_endpoints
from firmware_emu.hub.gpf import USE_CASES, Gpf
from firmware_emu.hub.profile import HubConfig
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from hil.coverage import history as lived_in
from hil.devices import Gsme
from hil.devices.base.gbcs_device import GbcsHanDevice, Model
from hil.devices.base.han_device import HanDevice
from hil.devices.base.place import Place
from hil.devices.kinds import kind
from hil.devices.metering.registers import DAY_S
from hil.radio.air.air import Air
from hil.radio.nodes.node import StackNode

USERS = (RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR, RemotePartyRole.LOAD_CONTROLLER, RemotePartyRole.OTHER)
_INSTALL_CODE = InstallCode(bytes(range(16)))


@dataclass(frozen=True, slots=True)
class Identity:
    """A Device of the bench: itself, its type, the parties it is to know, and the other Devices of the home by identity.

    ``held_by_dcc``: the cells of its users hold the access control broker's certificates, since it has not been handed over yet.
    ``variant`` is one of those of its type; None: the usual one.
    """

    eui64: Eui64
    device_type: DeviceType
    parties: Mapping[RemotePartyRole, Eui64]
    home: Mapping[Eui64, DeviceType]
    held_by_dcc: bool = False
    variant: str | None = None

    @property
    def cells(self) -> Mapping[RemotePartyRole, Eui64]:
        """Parties in the Device's cells."""
        broker = self.parties[RemotePartyRole.ACCESS_CONTROL_BROKER]
        return {role: broker if self.held_by_dcc and role in USERS else party for role, party in self.parties.items()}


def exchange(
    identity: Identity,
    keystore: Keystore,
    at: datetime,
    data: bytes,
    prepare: Callable[[GbcsDevice, Model], None],
    *,
    new: bool = False,
) -> tuple[list[bytes], list[Record]]:
    """Messages that a Device that has lived until ``at`` sends when it receives ``data`` then, and its records meanwhile.

    ``prepare`` is called with the Device and its model just before. ``new``: one that has not lived. Raises NotAvailable for a type
    that is not emulated.
    """
    life = lived_in.NONE if new else lived_in.life_of(identity.device_type)
    clock = Clock(start=at - timedelta(days=life.days), warp=True)
    trace = Trace(clock.now)
    records: list[Record] = []

    async def live() -> list[bytes]:
        device, model = await grown(identity, keystore, clock, trace, life)
        prepare(device, model)
        trace.subscribe(records.append)
        return device.receive(data)

    return clock.run(live()), records


async def grown(identity: Identity, keystore: Keystore, clock: Clock, trace: Trace, life: lived_in.Life) -> tuple[GbcsDevice, Model]:
    """A Device that has lived ``life`` on ``clock``, and its model. Raises NotAvailable for a type that is not emulated."""
    if identity.device_type is DeviceType.CHF:
        return await _chf(identity, keystore, clock, trace, life)
    if identity.device_type is DeviceType.GPF:
        return await _gpf(identity, keystore, clock, trace, life)
    return await _on_the_han(kind(identity.device_type.name), identity, keystore, clock, trace, life)


async def _on_the_han(
    cls: type[HanDevice],
    identity: Identity,
    keystore: Keystore,
    clock: Clock,
    trace: Trace,
    life: lived_in.Life,
) -> tuple[GbcsDevice, Model]:
    name = identity.device_type.name
    row = DeviceTable(
        name=name.lower(), type=name, eui=identity.eui64, install_code=_INSTALL_CODE, variant=identity.variant if cls.variants else None
    )
    device = cls.from_board(Place(row, keystore, StackNode(Air(clock), identity.eui64), clock, trace, identity.parties))
    if not isinstance(device, GbcsHanDevice):
        raise NotAvailable(f"a lived-in {name}", "it takes no GBCS Commands")
    device.hub_time = ServedTime(0, True)  # the hub's clock is the bench's; as read when bench time began
    await lived_in.live(device, keystore, clock, life)
    lived_in.remember(device.gbcs, keystore, life, identity.home)
    return device.gbcs, device.served_model


async def _chf(identity: Identity, keystore: Keystore, clock: Clock, trace: Trace, life: lived_in.Life) -> tuple[GbcsDevice, Model]:
    store = MemoryStore()
    config = _config(identity)
    device = _hub_device(identity, keystore, store, clock, trace)
    log = DeviceLog(
        store,
        capacity=config.profile.device_log_capacity,
        historic_capacity=config.profile.historic_log_capacity,
        now=lambda: int(clock.now()),
    )
    executor = device.executor = ChfExecutor(device, log, config, lambda: None)
    lived_in.admit(log, identity.home)
    await clock.go(life.days * DAY_S)
    lived_in.remember(device, keystore, life, {})
    return device, executor.model


async def _gpf(identity: Identity, keystore: Keystore, clock: Clock, trace: Trace, life: lived_in.Life) -> tuple[GbcsDevice, Model]:
    store = MemoryStore()
    config = _config(identity)
    device = _hub_device(identity, keystore, store, clock, trace, USE_CASES)
    log = DeviceLog(
        store,
        capacity=config.profile.device_log_capacity,
        historic_capacity=config.profile.historic_log_capacity,
        now=lambda: int(clock.now()),
    )
    air = Air(clock)
    zcl = ZclPort(StackNode(air, config.chf), clock, trace=trace, source="hub")
    declare_endpoints(zcl)
    gpf = Gpf(device, zcl, log, Mailbox(store), config, _refuse_task, has_image=lambda _: False)
    meter = lived_in.meter_of(identity.home)
    gsme = Gsme(meter, _INSTALL_CODE, keystore, StackNode(air, meter), clock, trace, identity.parties)
    gas_life = replace(lived_in.life_of(DeviceType.GSME), days=life.days)
    await lived_in.live(gsme, keystore, clock, gas_life, lambda: lived_in.push(gsme, gpf.gas, int(clock.now())))
    lived_in.remember(device, keystore, life, identity.home)
    return device, gpf.model


def _refuse_task(work: Coroutine[object, object, None]) -> None:
    """Nothing is joined, so nothing is to be done on the HAN."""
    work.close()


def _hub_device(
    identity: Identity, keystore: Keystore, store: MemoryStore, clock: Clock, trace: Trace, use_cases: UseCases = STANDARD
) -> GbcsDevice:
    credentials = Credentials.from_keystore(store, keystore, identity.eui64, identity.device_type, identity.cells)
    return GbcsDevice(identity.eui64, identity.device_type, credentials, store, clock.now, trace, use_cases)


def _config(identity: Identity) -> HubConfig:
    others = {kind: eui64 for eui64, kind in identity.home.items()} | {identity.device_type: identity.eui64}
    return HubConfig(
        others.get(DeviceType.CHF, identity.eui64),
        others.get(DeviceType.GPF, identity.eui64),
        identity.parties[RemotePartyRole.ACCESS_CONTROL_BROKER],
    )
