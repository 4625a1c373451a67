"""Deeds of a person, the weather or a burglar, which no message does: ``DEVICE do DEED VALUE`` at the console.

A deed is one function with a decorator: its word, what its value says, and the kinds of Device that can suffer it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.errors import CommsHubError, NotAvailable, one_of
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.ids import Eui64
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.base.han_device import HanDevice
from hil.devices.base.tampering import Tampering
from hil.devices.esme.esme import Esme
from hil.devices.gsme.gsme import Gsme
from hil.devices.gsme.hardware import Hardware
from hil.devices.hcalcs import Hcalcs
from hil.devices.ppmid import Ppmid

D = TypeVar("D", bound=HanDevice)
Done = bool | str | None
"""Outcome of a deed: a sentence, False where the Device refused it, None or True where there is nothing to say."""
_PENNY = 1000
_DEFAULT_RESPONSE = 0x0B
_TAMPERING = {how.name.lower().replace("_", "-"): how for how in Tampering}


class DeedError(CommsHubError):
    """A deed that there is not, or that cannot be done to this Device, or a value that does not fit it."""


@dataclass(frozen=True, slots=True)
class Deed:
    """``value`` says in words what its value is, empty where it has none."""

    name: str
    about: str
    value: str
    kinds: tuple[type[HanDevice], ...]
    act: Callable[[HanDevice, str], Done | Awaitable[Done]]


DEEDS: dict[str, Deed] = {}


def deed(value: str = "", *kinds: type[HanDevice]) -> Callable[[Callable[[D, str], Done | Awaitable[Done]]], None]:
    """Declare a function as a deed; its name is the word, its docstring what it does."""

    def mark(act: Callable[[D, str], Done | Awaitable[Done]]) -> None:
        name = act.__name__.strip("_").replace("_", "-")

        def checked(device: HanDevice, given: str) -> Done | Awaitable[Done]:
            return act(device, given)  # type: ignore[arg-type]  # :func:`do` has said that the Device is one of ``kinds``

        DEEDS[name] = Deed(name, (act.__doc__ or "").strip(), value, kinds, checked)

    return mark


def deeds_of(device: HanDevice) -> Mapping[str, Deed]:
    """The deeds that can be done to a Device."""
    return {name: one for name, one in DEEDS.items() if isinstance(device, one.kinds)}


async def do(device: HanDevice, name: str, value: str) -> Done:
    """Do it. Raises DeedError."""
    known = deeds_of(device)
    if name not in known:
        raise DeedError(f"read {name!r}, expected what can be done to {device.name}, {one_of(name, known)}")
    try:
        done = known[name].act(device, value)
        return await done if inspect.isawaitable(done) else done
    except (ValueError, KeyError):
        raise DeedError(f"{name}: read {value!r}, expected {known[name].value or 'no value'}") from None


# --- loads and supply


@deed("watts, or litres an hour of a gas meter", Esme, Gsme)
def load(meter: Esme | Gsme, value: str) -> Done:
    """From now on so much flows, whatever the hour."""
    units = int(value)
    meter.update()
    register = meter.registers.active_import if isinstance(meter, Esme) else meter.register
    register.load = lambda _: units
    _stir(meter)
    return None


@deed("watts", Esme)
def export(meter: Esme, value: str) -> Done:
    """From now on so much flows out of the home."""
    units = int(value)
    meter.update()
    meter.registers.active_export.load = lambda _: units
    _stir(meter)
    return None


def _stir(meter: Esme | Gsme) -> None:
    """Something changed at its terminals: the next event may come earlier now."""
    meter.metering.look()
    meter.stir()


@deed("volts, or PHASE:VOLTS", Esme)
def voltage(meter: Esme, value: str) -> Done:
    """The mains has this RMS voltage from now on."""
    phase, _, volts = value.rpartition(":")
    meter.set_voltage(int(volts), int(phase or 1))
    return None


@deed("pence, less than 0 for a debt", Esme, Gsme)
def credit(meter: Esme | Gsme, value: str) -> Done:
    """The meter balance is so much: as if it had been used up or topped up before."""
    meter.update()
    meter.metering.account.balance = Fraction(int(value) * _PENNY)
    meter.metering.look()
    return None


@deed("on or off", Esme, Gsme, Hcalcs)
def stuck(device: Esme | Gsme | Hcalcs, value: str) -> Done:
    """The contactor, valve or switch sticks where it is."""
    is_stuck = {"on": True, "off": False}[value]
    if isinstance(device, Esme):
        device.contactor_stuck = is_stuck
    elif isinstance(device, Gsme):
        device.valve_stuck = is_stuck
    else:
        device.stuck = is_stuck
    return None


# --- keypad and buttons


@deed("20 digits", Esme, Gsme)
def token(meter: Esme | Gsme, value: str) -> Done:
    """Type a prepayment token in at the meter."""
    return meter.enter_token(value)


@deed("", Esme, Gsme)
def enable(meter: Esme | Gsme, value: str) -> Done:
    """Press the button that switches an armed supply on."""
    return meter.enable_supply()


@deed("", Esme, Gsme)
def emergency_credit(meter: Esme | Gsme, value: str) -> Done:
    """Ask for emergency credit at the meter."""
    return meter.activate_emergency_credit()


@deed("four digits", Esme)
def pin(meter: Esme, value: str) -> Done:
    """Set a privacy PIN at the meter."""
    meter.set_privacy_pin(value)
    return None


@deed("minutes", Esme)
def boost(meter: Esme, value: str) -> Done:
    """Press the boost button."""
    meter.update()
    return meter.controls.boost(int(value))


# --- case and battery


@deed(f"one of {', '.join(_TAMPERING)}", Esme, Gsme)
def _tamper(meter: Esme | Gsme, value: str) -> Done:
    """Tamper with the meter."""
    _case(meter).tamper(_TAMPERING[value])
    return None


@deed(f"one of {', '.join(_TAMPERING)}", Esme, Gsme)
def restore(meter: Esme | Gsme, value: str) -> Done:
    """Undo what was done to the case."""
    _case(meter).restore(_TAMPERING[value])
    return None


def _case(meter: Esme | Gsme) -> Esme | Hardware:
    return meter.hardware if isinstance(meter, Gsme) else meter


@deed("days", Gsme)
def battery(meter: Gsme, value: str) -> Done:
    """The battery will last so long from now on."""
    meter.hardware.wear(int(value))
    return None


@deed("", Gsme)
def new_battery(meter: Gsme, value: str) -> Done:
    """Put a new battery in."""
    meter.hardware.change_battery()
    return None


# --- clock


@deed("seconds, less than 0 for a clock that is behind", Esme, Gsme)
def clock(meter: Esme | Gsme, value: str) -> Done:
    """The meter's own clock has run away by so much."""
    meter.update()
    meter.clock_offset += float(value)
    meter.update()
    return None


# --- a display's own requests


@deed("20 digits", Ppmid)
async def gas_token(ppmid: Ppmid, value: str) -> Done:
    """Type a token for the gas meter in at the display (PCS01)."""
    return _answered(await ppmid.top_up_gas(_joined(ppmid, DeviceType.GSME), value))


@deed("", Ppmid)
async def gas_emergency_credit(ppmid: Ppmid, value: str) -> Done:
    """Ask the gas meter for emergency credit at the display (PCS02)."""
    return _answered(await ppmid.activate_gas_emergency_credit(_joined(ppmid, DeviceType.GSME)))


@deed("20 digits", Ppmid)
async def electricity_token(ppmid: Ppmid, value: str) -> Done:
    """Type a token for the electricity meter in at the display (PECS01)."""
    answer = await ppmid.top_up_electricity(_joined(ppmid, DeviceType.ESME), value)
    return answer["result"] == 0


@deed("", Ppmid)
async def electricity_emergency_credit(ppmid: Ppmid, value: str) -> Done:
    """Ask the electricity meter for emergency credit at the display (PECS02)."""
    return await ppmid.activate_electricity_emergency_credit(_joined(ppmid, DeviceType.ESME)) is ZclStatus.SUCCESS


@deed("", Ppmid)
async def electricity_enable(ppmid: Ppmid, value: str) -> Done:
    """Ask the electricity meter at the display to switch an armed supply on (PECS03)."""
    return await ppmid.enable_electricity_supply(_joined(ppmid, DeviceType.ESME)) is ZclStatus.SUCCESS


def _answered(answer: Gbz) -> Done:
    """The gas meter's own words: refused, or the octets of its answer."""
    (part,) = answer.components
    failed = part.profile_wide and part.command == _DEFAULT_RESPONSE and part.payload[-1] != 0
    return False if failed else f"answered with {part.command:02x} {part.payload.hex()}"


def _joined(ppmid: Ppmid, kind: DeviceType) -> Eui64:
    for entry in joins.entries(ppmid.gbcs):
        if entry.device_type == kind:
            return entry.device_id
    raise NotAvailable(f"a Device of type {kind.name}", f"{ppmid.name} is joined with none: `{ppmid.name} pair` a meter")
