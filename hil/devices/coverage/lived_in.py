"""The lived-in state of a Device (``lived_in.toml``): what weeks in a home leave in its registers, logs and lists."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import BoardError, NotAvailable
from firmware_emu.hub.device_log import DeviceLog, RegisteredType
from firmware_emu.hub.device_log import LogEntry as Member
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.mirror import MIRRORED
from firmware_emu.ids import Eui64
from hil.devices import Esme, Gsme
from hil.devices.gbcs_device import GbcsHanDevice
from hil.devices.registers import DAY_S, HALF_HOUR_S

_LOGS = {"event": LogName.EVENT, "security": LogName.SECURITY, "power": LogName.POWER, "alcs": LogName.ALCS}


@dataclass(frozen=True, slots=True)
class Life:
    """One table of the file: days of running; log entries as code and age in seconds."""

    days: int
    logs: Mapping[LogName, tuple[tuple[int, int], ...]] = field(default_factory=dict)


@cache
def _lives() -> dict[DeviceType, Life]:
    name = "lived_in.toml"
    tables = tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
    found = {}
    for kind, table in tables.items():
        try:
            logs = {_LOGS[log]: tuple((int(code, 16), int(age)) for code, age in table[log]) for log in table if log in _LOGS}
            found[DeviceType[kind]] = Life(int(table["days"]), logs)
        except (KeyError, ValueError, TypeError) as problem:
            raise BoardError(name, kind, str(problem)) from problem
    return found


def life_of(device_type: DeviceType) -> Life:
    """The life of a type of Device. Raises NotAvailable."""
    life = _lives().get(device_type)
    if life is None:
        raise NotAvailable(f"the life of a {device_type.name}", "lived_in.toml has no table of that name")
    return life


def furnish(device: GbcsHanDevice, life: Life) -> None:
    """What a Device is given at the start of its life."""


def age(device: GbcsHanDevice, life: Life) -> None:
    """Bring what accumulates up to now."""
    if isinstance(device, Esme | Gsme):
        device.update()


def remember(device: GbcsDevice, life: Life, home: Mapping[Eui64, DeviceType]) -> None:
    """Log entries by their age, and the Devices that this one is joined with."""
    now = int(device.now())
    for log, rows in life.logs.items():
        for code, seconds in rows:
            device.logs[log].add(LogEntry(now - seconds, code, b""))
    for other, kind in home.items():
        joins.add(device, other, kind.value, 2 if DeviceType.GPF in (kind, device.device_type) else 0)


def admit(log: DeviceLog, home: Mapping[Eui64, DeviceType]) -> None:
    """The Devices of the home in a hub's log."""
    for eui64, kind in home.items():
        if kind.name in RegisteredType.__members__:
            log.add(Member(eui64, RegisteredType[kind.name]))


def meter_of(home: Mapping[Eui64, DeviceType]) -> Eui64:
    """The gas meter of a home. Raises NotAvailable."""
    for eui64, kind in home.items():
        if kind is DeviceType.GSME:
            return eui64
    raise NotAvailable("a gas meter", "a GPF mirrors one: the home has none")


async def mirror(gsme: Gsme, gas: GasStore, clock: Clock, days: int) -> None:
    """Let the meter push each half hour for so many days."""
    for _ in range(days * DAY_S // HALF_HOUR_S):
        await clock.go(HALF_HOUR_S)
        gsme.update()
        for cluster in MIRRORED:
            gas.report(cluster.id, gsme.model.records(cluster.id), int(clock.now()))
