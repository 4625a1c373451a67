"""The live part of an ESME's object model: registers, balances, prices, clock, load switch and voltage behind ``objects.csv``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from firmware_emu.clock import EPOCH
from firmware_emu.device import firmware
from firmware_emu.device.object_model import Key, ObjectModel
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import (
    Array,
    Boolean,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    Null,
    OctetString,
    Structure,
    Unsigned,
)
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from hil.devices.esme.controls import Controls
from hil.devices.esme.metering import PHASE_OBIS
from hil.devices.esme.part import EsmePart
from hil.devices.metering.billing import balances
from hil.devices.metering.part import MeterPart
from hil.devices.metering.registers import watt_hours
from hil.devices.metering.tariff import randomised_offset

_WATT_HOURS, _VAR_HOURS, _WATTS, _COUNT, _PRICE = 30, 32, 27, 255, 254
"""Units of DLMS enum 'unit' (RTDS ECS17b, ECS17c, ECS23, ECS24)."""
_PRICE_SCALE = -5
_CLOCK = parse_obis("0-0:1.0.0")
RELIABLE, INVALID, UNRELIABLE = 0, 1, 2


def load(esme: MeterPart) -> ObjectModel:
    """The model as declared, without what is live."""
    model = ObjectModel(esme.store, esme.gbcs.prefix)
    model.load("hil.devices.esme", "objects.csv")
    return model


def install(esme: EsmePart, model: ObjectModel, controls: Controls) -> None:
    """Put the live values of ``esme`` behind its attributes."""
    _registers(esme, model)
    _balances(esme, model)
    _clock(esme, model)
    _voltage(esme, model)
    _demand(esme, model)
    read = model.readers
    read[1, parse_obis("0-0:0.2.1"), 2] = lambda: OctetString(firmware.running_version(esme.gbcs))
    read[1, parse_obis("0-0:96.1.1"), 2] = lambda: OctetString(esme.eui64.octets)
    read[1, parse_obis("0-0:96.1.2"), 2] = lambda: OctetString(esme.variant.letter.encode())
    read[70, parse_obis("0-0:96.3.10"), 3] = lambda: DlmsEnum(esme.load_switch)
    read[1, parse_obis("0-0:94.44.0.0"), 2] = lambda: LongUnsigned(randomised_offset(esme))
    read[1, parse_obis("0-0:94.44.0.2"), 2] = lambda: LongUnsigned(esme.offset_number)
    for number in controls.switches:
        read[70, parse_obis(f"0-{number}:96.3.10"), 2] = partial(_closed, controls, number)


def _closed(controls: Controls, number: int) -> Data:
    return Boolean(controls.level(number) > 0)


def scaler_unit(unit: int, scale: int = 0) -> Structure:
    """Scaler and unit of a register."""
    return Structure((Integer(scale), DlmsEnum(unit)))


def moment(seconds: float) -> OctetString:
    """Bench seconds since 2000 as a 12-octet date-time."""
    return OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=int(seconds))))


def _unsigned(values: list[int]) -> Array:
    return Array(tuple(DoubleLongUnsigned(watt_hours(value)) for value in values))


def _registers(esme: EsmePart, model: ObjectModel) -> None:
    registers = esme.registers
    twin = esme.variant.elements > 1

    def up_to_date(read: Callable[[], Data]) -> Callable[[], Data]:
        def run() -> Data:
            esme.update()
            return read()

        return run

    def energy() -> Data:
        imported, reactive = registers.active_import.total, registers.reactive_import.total
        secondary = (DoubleLongUnsigned(registers.secondary_import.total),) if twin else ()
        return Structure(
            (
                DoubleLongUnsigned(imported),
                scaler_unit(_WATT_HOURS),
                DoubleLongUnsigned(reactive),
                scaler_unit(_VAR_HOURS),
                *secondary,
            )
        )

    def power() -> Data:
        total, secondary = registers.active_import.rate(esme.now()), registers.secondary_import.rate(esme.now())
        return Structure((DoubleLongUnsigned(total), scaler_unit(_WATTS), DoubleLongUnsigned(total - secondary)))

    def rates() -> Data:
        secondary = (_unsigned(esme.metering.rates.secondary),) if twin else ()
        return Structure((_unsigned(esme.metering.rates.tou), *secondary))

    def blocks() -> Data:
        counted = esme.metering.rates
        rows = [value for row, counters in zip(counted.blocks, counted.counters, strict=True) for value in (*row, *counters)]
        return Structure((_unsigned(rows),))

    def price(element: int) -> Data:
        tariff = esme.metering.settings.tariff
        script = (tariff.table if element == 1 else tariff.secondary_table).at(int(esme.now()))[0]
        value = esme.metering.rates.price(tariff, script)
        return DoubleLongUnsigned(max(0, value.numerator // value.denominator))

    live: dict[Key, Callable[[], Data]] = {
        (1, parse_obis("0-0:94.44.34.10"), 2): energy,
        (1, parse_obis("0-0:94.44.34.20"), 2): power,
        (1, parse_obis("0-0:94.44.34.1"), 2): rates,
        (1, parse_obis("0-0:94.44.34.2"), 2): blocks,
        (3, parse_obis("1-0:2.8.0"), 2): lambda: DoubleLongUnsigned(registers.active_export.total),
        (3, parse_obis("1-0:4.8.0"), 2): lambda: DoubleLongUnsigned(registers.reactive_export.total),
        (3, parse_obis("0-0:94.44.42"), 2): lambda: DoubleLongUnsigned(esme.metering.limiter.counter),
        (3, parse_obis("0-0:94.44.1.7"), 2): partial(price, 1),
        (3, parse_obis("0-0:94.44.1.8"), 2): partial(price, 2),
    }
    for key, read in live.items():
        model.readers[key] = up_to_date(read)
    units = (("1-0:2.8.0", _WATT_HOURS), ("1-0:4.8.0", _VAR_HOURS), ("0-0:94.44.42", _COUNT))
    for obis, unit in units:
        model.readers[3, parse_obis(obis), 3] = partial(scaler_unit, unit)
    for obis in ("0-0:94.44.1.7", "0-0:94.44.1.8"):
        model.readers[3, parse_obis(obis), 3] = partial(scaler_unit, _PRICE, _PRICE_SCALE)


def _balances(esme: EsmePart, model: ObjectModel) -> None:
    def collection() -> Data:
        esme.update()
        accumulated, emergency, balance, payment, first, second = balances(esme.metering.account)
        return Structure(tuple(DoubleLong(value) for value in (emergency, accumulated, payment, first, second, balance)))

    def meter_balance() -> Data:
        esme.update()
        return DoubleLong(balances(esme.metering.account)[2])

    model.readers[1, parse_obis("0-0:94.44.34.30"), 2] = collection
    model.readers[112, parse_obis("0-0:19.10.0"), 2] = meter_balance


def _demand(esme: EsmePart, model: ObjectModel) -> None:
    places = {"import": ("1-0:1.6.0", "0-0:94.44.5.1"), "window": ("1-0:1.6.1", "0-0:94.44.5.0"), "export": ("1-0:2.6.0", "0-0:94.44.5.2")}

    def watts(name: str) -> Data:
        esme.update()
        return DoubleLongUnsigned(esme.metering.demands[name].watts)

    def captured(name: str) -> Data:
        esme.update()
        return moment(esme.metering.demands[name].at)

    def reset(name: str) -> Data:
        return moment(esme.metering.demands[name].reset_at)

    for name, (register, last_reset) in places.items():
        model.readers[4, parse_obis(register), 2] = partial(watts, name)
        model.readers[4, parse_obis(register), 3] = partial(scaler_unit, _WATTS)
        model.readers[4, parse_obis(register), 5] = partial(captured, name)
        model.readers[1, parse_obis(last_reset), 2] = partial(reset, name)


def _voltage(esme: EsmePart, model: ObjectModel) -> None:
    def counter(place: int, over: bool) -> Data:
        esme.update()
        phases = esme.metering.phases
        if place >= len(phases):
            return DoubleLongUnsigned(0)
        return DoubleLongUnsigned(phases[place].over_counter if over else phases[place].under_counter)

    for place, group in enumerate(PHASE_OBIS):
        for part, over in ((32, False), (36, True)):
            obis = parse_obis(f"1-0:{group}.{part}.0.4")
            model.readers[3, obis, 2] = partial(counter, place, over)
            model.readers[3, obis, 3] = partial(scaler_unit, _COUNT)


def _clock(esme: EsmePart, model: ObjectModel) -> None:
    """ECS70: preset_adjusting_time (method 5) stores the interval, adjust_to_preset_time (method 4) adopts the hub's time."""
    interval: list[tuple[float, float]] = []

    def preset(parameter: Data) -> AccessResult | Data:
        match parameter:
            case Structure(elements=(OctetString(), OctetString(octets=start), OctetString(octets=end))):
                first, last = seconds(start), seconds(end)
                if first is None or last is None:
                    return AccessResult.OTHER_REASON
                interval[:] = [(first, last)]
                return Null()
        return AccessResult.TYPE_UNMATCHED

    def adjust(parameter: Data) -> AccessResult | Data:
        if not interval:
            return AccessResult.OTHER_REASON
        first, last = interval.pop()
        return Null() if esme.set_clock(first, last) else AccessResult.OTHER_REASON

    model.methods[8, _CLOCK, 5] = preset
    model.methods[8, _CLOCK, 4] = adjust
    model.readers[8, _CLOCK, 2] = lambda: moment(esme.now())
    model.readers[8, _CLOCK, 4] = lambda: Unsigned(RELIABLE if esme.clock_reliable else UNRELIABLE)


def seconds(octets: bytes) -> float | None:
    """Seconds since 2000 of a date-time, None where it is no single moment."""
    at = cosem_time.decode_date_time(octets) if len(octets) == 12 else None
    return None if at is None else (at - EPOCH).total_seconds()
