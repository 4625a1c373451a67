"""The live part of an ESME's object model: registers, clock, load switch and logs behind the attributes of ``esme_objects.csv``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

from firmware_emu.clock import EPOCH
from firmware_emu.device import firmware
from firmware_emu.device.dlms_server import time_range
from firmware_emu.device.event_log import LogName
from firmware_emu.device.object_model import Key, ObjectModel
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.device.top_up import check as top_up_check
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import (
    Array,
    CompactArray,
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
from hil.devices.registers import Period

if TYPE_CHECKING:
    from hil.devices.esme import Esme

Row = tuple[int, tuple[Data, ...]]
"""Time of a log entry (seconds since 2000) and its columns."""

_WATT_HOURS, _VAR_HOURS, _WATTS = 30, 32, 27
"""Units of DLMS enum 'unit' (RTDS ECS17b shows 30 and 32)."""
_CLOCK = parse_obis("0-0:1.0.0")
_LOAD_SWITCH_SCRIPTS = parse_obis("0-0:10.0.106")
_ENABLE, _DISABLE, _ARM = 0x33, 0x34, 0x36
"""Scripts of 0-0:10.0.106.255 (reference smets 4; RTDS ECS42, ECS43, ECS44)."""
RELIABLE, INVALID, UNRELIABLE = 0, 1, 2


def build(esme: Esme) -> ObjectModel:
    """The model of one ESME with its live attributes, methods and selections."""
    model = ObjectModel(esme.store, esme.gbcs.prefix)
    model.load(resources.files("hil.devices").joinpath("esme_objects.csv").read_text(encoding="utf-8"), "esme_objects.csv")
    _registers(esme, model)
    _clock(esme, model)
    _logs(esme, model)
    _load_switch(esme, model)
    _resets(model)
    _balances(esme, model)
    model.readers[1, parse_obis("0-0:0.2.1"), 2] = lambda: OctetString(firmware.running_version(esme.gbcs))
    model.readers[1, parse_obis("0-0:96.1.1"), 2] = lambda: OctetString(esme.eui64.octets)
    return model


def _scaler_unit(unit: int) -> Structure:
    return Structure((Integer(0), DlmsEnum(unit)))


def _registers(esme: Esme, model: ObjectModel) -> None:
    def energy() -> Data:
        esme.update()
        imported, reactive = esme.registers.active_import.total, esme.registers.reactive_import.total
        return Structure((
            DoubleLongUnsigned(imported), _scaler_unit(_WATT_HOURS), DoubleLongUnsigned(reactive), _scaler_unit(_VAR_HOURS),
        ))

    def power() -> Data:
        esme.update()
        return Structure((DoubleLongUnsigned(esme.registers.active_import.rate(esme.now())), _scaler_unit(_WATTS), DoubleLongUnsigned(0)))

    def rates() -> Data:
        esme.update()
        first = DoubleLongUnsigned(esme.registers.active_import.total)
        zero = DoubleLongUnsigned(0)
        return Structure((Array((first,) + (zero,) * 47), Array((zero,) * 4)))

    model.readers[1, parse_obis("0-0:94.44.34.10"), 2] = energy
    model.readers[1, parse_obis("0-0:94.44.34.20"), 2] = power
    model.readers[1, parse_obis("0-0:94.44.34.1"), 2] = rates
    for obis, unit in (("1-0:2.8.0", _WATT_HOURS), ("1-0:4.8.0", _VAR_HOURS)):
        model.readers[3, parse_obis(obis), 3] = partial(_scaler_unit, unit)


def _clock(esme: Esme, model: ObjectModel) -> None:
    """ECS70: preset_adjusting_time (method 5) stores the interval, adjust_to_preset_time (method 4) adopts the hub's time."""
    interval: list[tuple[float, float]] = []

    def preset(parameter: Data) -> AccessResult | Data:
        match parameter:
            case Structure(elements=(OctetString(), OctetString(octets=start), OctetString(octets=end))):
                first, last = _seconds(start), _seconds(end)
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
    model.readers[8, _CLOCK, 2] = lambda: OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=int(esme.now()))))
    model.readers[8, _CLOCK, 4] = lambda: Unsigned(RELIABLE if esme.clock_reliable else UNRELIABLE)


def _seconds(octets: bytes) -> float | None:
    moment = cosem_time.decode_date_time(octets) if len(octets) == 12 else None
    return None if moment is None else (moment - EPOCH).total_seconds()


def _load_switch(esme: Esme, model: ObjectModel) -> None:
    from hil.devices.esme import LoadSwitch  # the enumeration stands beside the Device

    states = {_ENABLE: LoadSwitch.ENABLED, _DISABLE: LoadSwitch.DISABLED, _ARM: LoadSwitch.ARMED}

    def execute(parameter: Data) -> AccessResult | Data:
        if not isinstance(parameter, LongUnsigned):
            return AccessResult.TYPE_UNMATCHED
        state = states.get(parameter.value)
        if state is None:
            return AccessResult.OBJECT_UNAVAILABLE
        return Null() if esme.move_load_switch(state) else AccessResult.HARDWARE_FAULT

    model.methods[9, _LOAD_SWITCH_SCRIPTS, 1] = execute
    model.readers[70, parse_obis("0-0:96.3.10"), 3] = lambda: DlmsEnum(esme.load_switch)


def _resets(model: ObjectModel) -> None:
    """Method 1 of registers (class 3) and demand registers (class 4): back to zero."""
    def reset(key: Key) -> Callable[[Data], AccessResult | Data]:
        def run(parameter: Data) -> AccessResult | Data:
            value = model.attributes.get(key)
            if value is not None:
                model.write(key, value.initial)
            return Null()
        return run

    for class_id, obis, attribute in tuple(model.attributes):
        if class_id in (3, 4) and attribute == 2:
            model.methods[class_id, obis, 1] = reset((class_id, obis, 2))
    for obis_text in ("0-0:10.0.100", "0-0:10.0.103", "0-0:10.0.107"):
        model.methods[9, parse_obis(obis_text), 1] = lambda parameter: Null()
        model.classes.setdefault(parse_obis(obis_text), set()).add(9)


def _balances(esme: Esme, model: ObjectModel) -> None:
    """Credit (class 112): 1 adds to the amount, 2 sets it, 3 invokes emergency credit. Charge (113): 2, 4. Token gateway (115): enter.

    A token that is refused answers hardware fault, as the RTDS error example of CS01a does.
    """
    def amount(key: Key) -> int:
        value = model.read(key) if key in model.attributes else DoubleLong(0)
        return value.value if isinstance(value, DoubleLong) else 0

    def change(key: Key, add: bool) -> Callable[[Data], AccessResult | Data]:
        def run(parameter: Data) -> AccessResult | Data:
            if not isinstance(parameter, DoubleLong):
                return AccessResult.TYPE_UNMATCHED
            model.write(key, DoubleLong(amount(key) + parameter.value if add else parameter.value))
            return Null()
        return run

    for text in ("0-0:19.10.0", "0-0:19.10.1", "0-0:19.10.2"):
        key = (112, parse_obis(text), 2)
        model.classes.setdefault(key[1], set()).add(112)
        model.methods[112, key[1], 1] = change(key, add=True)
        model.methods[112, key[1], 2] = change(key, add=False)
    model.methods[112, parse_obis("0-0:19.10.1"), 3] = lambda parameter: Null()
    def top_up(parameter: Data) -> AccessResult | Data:
        if not isinstance(parameter, OctetString):
            return AccessResult.TYPE_UNMATCHED
        result, value = top_up_check(esme.gbcs, parameter.octets.decode("ascii", "replace"), esme.counter)
        if result is not TopUpResult.ACCEPTED:
            return AccessResult.HARDWARE_FAULT
        model.write(balance, DoubleLong(amount(balance) + value))
        return Null()

    balance = (112, parse_obis("0-0:19.10.0"), 2)
    model.methods[115, parse_obis("0-0:19.40.0"), 1] = top_up
    model.classes.setdefault(parse_obis("0-0:19.40.0"), set()).add(115)
    for text in ("0-0:19.20.1", "0-0:19.20.2", "0-0:19.20.3"):
        key = (113, parse_obis(text), 2)
        model.classes.setdefault(key[1], set()).add(113)
        model.methods[113, key[1], 2] = lambda parameter: Null()
        model.methods[113, key[1], 4] = change(key, add=False)


# --- logs

def _logs(esme: Esme, model: ObjectModel) -> None:
    def log(name: LogName, columns: Callable[[int, bytes], tuple[Data, ...]]) -> Callable[[], Iterable[Row]]:
        return lambda: ((entry.time, columns(entry.code, entry.other)) for entry in esme.gbcs.logs[name].entries())

    def periods(source: Callable[[], Iterable[Period]], spare: int = 0) -> Callable[[], Iterable[Row]]:
        def rows() -> Iterable[Row]:
            esme.update()
            for period in source():
                yield period.end, (DoubleLongUnsigned(period.amount),) + (DoubleLongUnsigned(0),) * spare
        return rows

    registers = esme.registers
    sources: dict[str, Callable[[], Iterable[Row]]] = {
        "0-0:99.98.0": log(LogName.EVENT, lambda code, other: (LongUnsigned(code), OctetString(other))),
        "0-0:99.98.1": log(LogName.SECURITY, lambda code, other: (LongUnsigned(code),)),
        "0-0:99.98.4": log(LogName.POWER, lambda code, other: (LongUnsigned(code), DoubleLongUnsigned(0))),
        "0-0:99.1.0": periods(lambda: tuple(registers.active_import.profile)),
        "0-0:99.1.2": periods(lambda: tuple(registers.reactive_import.profile)),
        "0-0:99.1.3": periods(lambda: tuple(registers.active_import.days)),
        "0-0:98.1.9": lambda: _daily_reads(esme),
    }
    for class_id, obis, attribute in tuple(model.attributes):
        if class_id == 7 and attribute == 2:
            text = "{}-{}:{}.{}.{}".format(*obis[:5])
            _profile(model, (class_id, obis, attribute), sources.get(text, lambda: ()))
    for obis_text, name in (("0-0:99.98.0", LogName.EVENT), ("0-17:99.98.2", LogName.ALCS)):
        model.methods[7, parse_obis(obis_text), 1] = _clear(esme, name)


def _daily_reads(esme: Esme) -> Iterable[Row]:
    """Total import, reactive import, 48 TOU registers, 4 of the second element, 4 blocks of 8, as the RTDS packs them."""
    esme.update()
    zero = DoubleLongUnsigned(0)
    for active, reactive in zip(esme.registers.active_import.snapshots, esme.registers.reactive_import.snapshots, strict=False):
        rates = Array((DoubleLongUnsigned(active.amount),) + (zero,) * 47)
        blocks = (Array((zero,) * 8),) * 4
        yield active.end, (DoubleLongUnsigned(active.amount), DoubleLongUnsigned(reactive.amount), rates, Array((zero,) * 4), *blocks)


def _clear(esme: Esme, name: LogName) -> Callable[[Data], AccessResult | Data]:
    def run(parameter: Data) -> AccessResult | Data:
        esme.gbcs.logs[name].clear()
        esme.gbcs.log(0x8F52)
        return Null()
    return run


def _profile(model: ObjectModel, key: Key, rows: Callable[[], Iterable[Row]]) -> None:
    """Make the buffer of a profile a compact array of ``rows`` (whole, or those in a time range)."""
    declared = model.attributes[key].initial
    description = declared.description if isinstance(declared, CompactArray) else None

    def packed(first: float, last: float) -> Data:
        if description is None:
            return declared
        found = (Structure((DoubleLongUnsigned(time), *columns)) for time, columns in rows() if first <= time <= last)
        return CompactArray(description, tuple(found))

    def select(selector: int, selection: Data) -> AccessResult | Data:
        limits = time_range(selection)
        if limits is None:
            return AccessResult.TYPE_UNMATCHED
        first, last = (_limit(limit) for limit in limits)
        if first is None or last is None:
            return AccessResult.TYPE_UNMATCHED
        return packed(first, last)

    model.readers[key] = lambda: packed(0, 0xFFFFFFFF)
    model.selections[key] = select


def _limit(value: Data) -> float | None:
    if isinstance(value, DoubleLongUnsigned):
        return value.value
    return _seconds(value.octets) if isinstance(value, OctetString) else None
