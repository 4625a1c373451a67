"""A day of a home as data: what its meters carry each half hour, and the mishaps they have, each at its time; it repeats itself.

A day is a TOML file, of ``hil/devices/days`` by its name or any by its path::

    source = "where the figures come from"
    [esme]                  # by the names of the board's Devices
    import = [48 figures]   # watts of each half hour from midnight UTC, litres an hour for a gas meter; also secondary and export
    [[event]]
    at = "13:05"
    device = "esme"
    what = "voltage"        # voltage (value: volts), credit (value: pence), outage, or a way to tamper (:data:`TAMPER`)
    value = 270
    minutes = 10            # how long it lasts; without it, for good
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from fractions import Fraction
from importlib import resources
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, in_words, one_of
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.base.han_device import HanDevice
from hil.devices.esme.esme import Esme
from hil.devices.esme.metering import NOMINAL_V
from hil.devices.gsme.gsme import Gsme
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, LoadProfile

HALF_HOURS = DAY_S // HALF_HOUR_S
TAMPER: Mapping[str, int] = {
    "low battery": 0x8F1F,
    "tampering": 0x8F3F,
    "battery cover removed": 0x8F73,
    "meter cover removed": 0x8F74,
    "strong magnetic field": 0x8F75,
    "terminal cover removed": 0x8F76,
}
"""Tampering with a meter, and its event (reference alert-codes.csv)."""
_SUFFERS: Mapping[str, tuple[type[HanDevice], ...]] = {"voltage": (Esme,), "credit": (Esme, Gsme), "outage": (HanDevice,)}
_LOADS = ("import", "secondary", "export")
_KEYS = frozenset({"at", "device", "what", "value", "minutes"})
_PENNY = 1000


@dataclass(frozen=True, slots=True)
class DayEvent:
    """Something that happens each day ``at`` so many seconds after midnight, and lasts for ``lasts`` seconds (None: for good)."""

    at: int
    device: str
    what: str
    value: int = 0
    lasts: int | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """The loads by Device and kind (48 figures each), and the events in their order."""

    loads: Mapping[tuple[str, str], tuple[int, ...]]
    events: tuple[DayEvent, ...]

    def load(self, device: str, kind: str = "import") -> LoadProfile | None:
        """Load of a Device; None where the day says nothing of it."""
        figures = self.loads.get((device, kind))
        return None if figures is None else figures.__getitem__


def load_day(name: str) -> Day:
    """The day of that name or path. Raises BoardError naming file and key."""
    folder = resources.files(__package__).joinpath("days")
    names = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir())
    try:
        text = folder.joinpath(f"{name}.toml").read_text("utf-8") if name in names else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BoardError(name, "day", f"cannot be read ({in_words(problem)}): expected a path, or {one_of(name, names)}") from problem
    return read_day(text, name)


def read_day(text: str, name: str) -> Day:
    """A day's TOML text. Raises BoardError naming file and key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BoardError(name, "", f"not TOML: {problem}") from problem
    if not isinstance(table.pop("source", None), str):
        raise BoardError(name, "source", "missing: say where the figures come from")
    rows = table.pop("event", [])
    if not isinstance(rows, list):
        raise BoardError(name, "event", "expected [[event]] tables")
    events = [_event(row, f"event.{number}", name) for number, row in enumerate(rows)]
    loads: dict[tuple[str, str], tuple[int, ...]] = {}
    for device, kinds in table.items():
        if not isinstance(kinds, dict):
            raise BoardError(name, device, "expected a table of a Device's loads")
        for kind, figures in kinds.items():
            if kind not in _LOADS:
                raise BoardError(name, f"{device}.{kind}", f"no such load: expected {one_of(kind, _LOADS)}")
            loads[device, kind] = _figures(figures, f"{device}.{kind}", name)
    return Day(loads, tuple(sorted(events, key=lambda event: event.at)))


def _figures(found: object, key: str, name: str) -> tuple[int, ...]:
    if not isinstance(found, list) or len(found) != HALF_HOURS or any(type(one) is not int or one < 0 for one in found):
        raise BoardError(name, key, f"expected {HALF_HOURS} whole figures of 0 or more, one for each half hour")
    return tuple(found)


def _event(row: object, key: str, name: str) -> DayEvent:
    if not isinstance(row, dict) or not row.keys() <= _KEYS:
        raise BoardError(name, key, f"expected a table of {', '.join(sorted(_KEYS))}")
    what, value, minutes = row.get("what"), row.get("value", 0), row.get("minutes")
    if what not in ("voltage", "credit", "outage", *TAMPER):
        raise BoardError(name, f"{key}.what", f"read {what!r}, expected {one_of(what, ('voltage', 'credit', 'outage', *TAMPER))}")
    if type(value) is not int or (minutes is not None and (type(minutes) is not int or minutes < 1)):
        raise BoardError(name, key, "value and minutes are whole numbers, minutes 1 or more")
    if what == "outage" and minutes is None:
        raise BoardError(name, f"{key}.minutes", "missing: an outage ends")
    try:
        at = time.fromisoformat(str(row.get("at")))
    except ValueError:
        raise BoardError(name, f"{key}.at", f"read {row.get('at')!r}, expected a time of day as 13:05") from None
    return DayEvent(
        at.hour * 3600 + at.minute * 60 + at.second, str(row.get("device")), str(what), value, None if minutes is None else minutes * 60
    )


async def live(day: Day, devices: Mapping[str, HanDevice], clock: Clock) -> None:
    """Have the events happen to the Devices, day after day, until cancelled. :func:`check_day` has said that they can."""
    async with asyncio.TaskGroup() as group:
        for event in day.events:
            group.create_task(_repeat(event, devices[event.device], clock))


async def _repeat(event: DayEvent, device: HanDevice, clock: Clock) -> None:
    while True:
        await clock.sleep((event.at - clock.now()) % DAY_S or DAY_S)
        device.trace.emit("device", device.name, "happened", what=event.what, value=event.value)
        _begin(event, device)
        if event.lasts is not None:
            await clock.sleep(event.lasts)
            _end(event, device)


def check_day(day: Day, devices: Mapping[str, HanDevice]) -> None:
    """Raises BoardError for an event whose Device is not there or cannot suffer it."""
    for event in day.events:
        _check(event, devices)


def _check(event: DayEvent, devices: Mapping[str, HanDevice]) -> None:
    device = devices.get(event.device)
    suits = _SUFFERS.get(event.what, (GbcsHanDevice,))
    if device is None or not isinstance(device, suits):
        known = ", ".join(name for name, one in devices.items() if isinstance(one, suits)) or "none here"
        raise BoardError("day", "event.device", f"{event.what} cannot happen to {event.device!r}: expected {known}")


def _begin(event: DayEvent, device: HanDevice) -> None:
    if event.what == "outage":
        device.power(False)
    elif event.what == "voltage" and isinstance(device, Esme):
        device.set_voltage(event.value)
    elif event.what == "credit" and isinstance(device, Esme | Gsme):
        device.update()
        device.metering.account.balance = Fraction(event.value * _PENNY)
        device.metering.look()
    elif isinstance(device, GbcsHanDevice):
        device.gbcs.raise_alert(TAMPER[event.what])


def _end(event: DayEvent, device: HanDevice) -> None:
    if event.what == "outage":
        device.power(True)
    elif event.what == "voltage" and isinstance(device, Esme):
        device.set_voltage(NOMINAL_V)
