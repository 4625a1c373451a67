"""Effects of settings and methods of an electricity meter's object model: activation of passive values, credit and charge, scripts,
resets."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from importlib import resources

from firmware_emu.device.object_model import Key, ObjectModel
from firmware_emu.gbcs.axdr import Array, Data, DoubleLong, DoubleLongUnsigned, LongUnsigned, Null, OctetString, Structure, decode_data
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from hil.devices.esme.controls import Controls
from hil.devices.esme.part import EsmePart
from hil.devices.metering.tariff import NO_THRESHOLD

Method = Callable[[Data], "AccessResult | Data"]

_SCRIPTS = {"tariff": "0-0:10.0.100", "switches": "0-0:10.0.103", "supply": "0-0:10.0.106", "limits": "0-0:10.0.107"}
_RESET_COUNTERS = 0x63
"""Script of 0-0:10.0.100 that resets the block counters (reference smets 11, ECS05)."""
_ACTIVE_STATUS = 2
"""Account status of an active account (RTDS ECS26j)."""
_THRESHOLDS = 3


def install(esme: EsmePart, model: ObjectModel, controls: Controls) -> None:
    """Give the model of ``esme`` its methods and activations."""
    _initial_values(model)
    _activations(esme, model)
    _scripts(esme, model, controls)
    _credit(esme, model)
    _charges(esme, model)
    _resets(esme, model)
    _privacy(esme, model)
    for number in controls.switches:
        for first in (1, 3):
            end = _key(1, f"0-0:94.44.{116 + number}.{first + 1}")
            if end in model.attributes:
                model.writers[end] = controls.check_period(number, first)


def _key(class_id: int, obis: str, attribute: int = 2) -> Key:
    return class_id, parse_obis(obis), attribute


def _initial_values(model: ObjectModel) -> None:
    for key, value in _initial().items():
        model.attributes[key] = replace(model.attributes[key], initial=value)


@cache
def _initial() -> Mapping[Key, Data]:
    text = resources.files(__package__).joinpath("initial.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {_key(int(row["class"]), row["obis"], int(row["attribute"])): decode_data(bytes.fromhex(row["value"])) for row in rows}


# --- passive values


@cache
def _copies() -> Mapping[Key, Sequence[tuple[Key, Key]]]:
    """Source and target of the values that an activation copies, by its key."""
    copies: dict[Key, list[tuple[Key, Key]]] = {}
    text = resources.files(__package__).joinpath("activations.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        class_id, obis = int(row["class"]), row["obis"]
        at = _key(class_id, obis, 13 if class_id == 111 else 6)
        source = _key(int(row["from_class"]), row["from_obis"], int(row["from_attribute"]))
        target = _key(int(row["to_class"]), row["to_obis"], int(row["to_attribute"]))
        copies.setdefault(at, []).append((source, target))
    return copies


_PASSIVE = {20: 10, 111: 13, 113: 7, 9000: 6}
"""Attribute that holds when the passive values of an object are activated, by class."""


def _activations(esme: EsmePart, model: ObjectModel) -> None:
    def activate(key: Key) -> Callable[[], None]:
        def run() -> None:
            for source, target in _copies().get(key, ()):
                model.write(target, _fitted(model.read(source), target))
            if key[0] == 111:
                mode = model.read(_key(111, "0-1:19.0.0"))
                if isinstance(mode, Structure):
                    model.write(_key(111, "0-0:19.0.0"), Structure((mode[0], DlmsEnum(_ACTIVE_STATUS))))
            esme.settings_changed()
            if key[0] in (20, 111):
                esme.metering.changed()

        return run

    for key in tuple(model.attributes):
        if key[2] == _PASSIVE.get(key[0]):
            model.activations[key] = activate(key)
    balance = "0-0:94.44.2.20"

    def also_passive(value: Data) -> AccessResult:
        """ECS08 writes the maximum balance to the active value and activates the passive one (RTDS): keep both alike."""
        model.write(_key(9000, balance, 4), value)
        return AccessResult.SUCCESS

    model.writers[_key(9000, balance)] = also_passive


def _fitted(value: Data, target: Key) -> Data:
    """``value`` in the form of ``target``: thresholds are three, the disablement threshold stands in an array."""
    if target[0] != 21:
        return value
    if isinstance(value, DoubleLong):
        return Array((value,))
    if isinstance(value, Array):
        return Array((*value.elements, *(DoubleLongUnsigned(NO_THRESHOLD),) * (_THRESHOLDS - len(value))))
    return value


# --- scripts


def _scripts(esme: EsmePart, model: ObjectModel, controls: Controls) -> None:
    def tariff(parameter: Data) -> AccessResult | Data:
        if parameter != LongUnsigned(_RESET_COUNTERS):
            return AccessResult.OTHER_REASON
        esme.metering.rates.reset_counters()
        return Null()

    methods: dict[str, Method] = {
        "tariff": tariff,
        "switches": controls.execute,
        "supply": esme.supply_script,
        "limits": controls.limit,
    }
    for name, method in methods.items():
        obis = parse_obis(_SCRIPTS[name])
        model.methods[9, obis, 1] = method
        model.classes.setdefault(obis, set()).add(9)


# --- credit and charge


def _amount(run: Callable[[int], None], parameter: Data) -> AccessResult | Data:
    if not isinstance(parameter, DoubleLong):
        return AccessResult.TYPE_UNMATCHED
    run(parameter.value)
    return Null()


def _credit(esme: EsmePart, model: ObjectModel) -> None:
    """Credit (class 112): 1 adds to the amount, 2 sets it, 3 invokes emergency credit. Token gateway (115): enter."""
    account = esme.metering.account

    def adjust(value: int) -> None:
        account.balance += value

    def set_balance(value: int) -> None:
        account.balance = Fraction(value)

    def set_emergency(value: int) -> None:
        account.emergency = Fraction(value)
        account.emergency_active = value > 0

    def set_accumulated(value: int) -> None:
        account.accumulated = Fraction(value)

    setters = {"0-0:19.10.0": set_balance, "0-0:19.10.1": set_emergency, "0-0:19.10.2": set_accumulated}
    for obis, setter in setters.items():
        model.classes.setdefault(parse_obis(obis), set()).add(112)
        model.methods[_key(112, obis)] = partial(_amount, setter)
    model.methods[_key(112, "0-0:19.10.0", 1)] = partial(_amount, adjust)

    def invoke(parameter: Data) -> AccessResult | Data:
        return Null() if esme.activate_emergency_credit() else AccessResult.OTHER_REASON

    def enter(parameter: Data) -> AccessResult | Data:
        if not isinstance(parameter, OctetString):
            return AccessResult.TYPE_UNMATCHED
        return Null() if esme.token_by_command(parameter.octets.decode("ascii", "replace")) else AccessResult.HARDWARE_FAULT

    model.methods[_key(112, "0-0:19.10.1", 3)] = invoke
    model.methods[_key(115, "0-0:19.40.0", 1)] = enter
    model.classes.setdefault(parse_obis("0-0:19.40.0"), set()).add(115)


def _charges(esme: EsmePart, model: ObjectModel) -> None:
    """Charge (class 113) of the debts: 2 activates the passive rate, 4 adjusts what is owed (ECS07, reference smets 11, 5.6.3.5)."""
    account = esme.metering.account

    def activate(obis: str) -> Method:
        def run(parameter: Data) -> AccessResult | Data:
            model.write(_key(113, obis, 5), model.read(_key(113, obis, 6)))
            esme.settings_changed()
            return Null()

        return run

    def adjust_time_debt(place: int) -> Callable[[int], None]:
        def run(value: int) -> None:
            account.time_debts[place] = max(account.time_debts[place] + value, Fraction(0))

        return run

    def adjust_payment_debt(value: int) -> None:
        account.payment_debt = max(account.payment_debt + value, 0)

    adjusters = {
        "0-0:19.20.1": adjust_time_debt(0),
        "0-0:19.20.2": adjust_time_debt(1),
        "0-0:19.20.3": adjust_payment_debt,
    }
    for obis, adjust in adjusters.items():
        model.classes.setdefault(parse_obis(obis), set()).add(113)
        model.methods[_key(113, obis, 4)] = partial(_amount, adjust)
        if _key(113, obis, 6) in model.attributes:
            model.methods[_key(113, obis, 2)] = activate(obis)


# --- counters


def _resets(esme: EsmePart, model: ObjectModel) -> None:
    """Method 1 of counters (class 3) and maximum demands (class 4)."""
    metering = esme.metering

    def reset_load_limit() -> None:
        metering.limiter.counter = 0

    def reset_demand(name: str) -> None:
        metering.demands[name].reset(int(esme.now()))

    runs: dict[Key, Callable[[], None]] = {_key(3, "0-0:94.44.42"): reset_load_limit}
    for name, obis in (("import", "1-0:1.6.0"), ("window", "1-0:1.6.1"), ("export", "1-0:2.6.0")):
        runs[_key(4, obis)] = partial(reset_demand, name)
    for place, group in enumerate((32, 52, 72)):
        runs[_key(3, f"1-0:{group}.32.0.4")] = partial(metering.reset_voltage, place, over=False)
        runs[_key(3, f"1-0:{group}.36.0.4")] = partial(metering.reset_voltage, place, over=True)

    def reset(run: Callable[[], None]) -> Method:
        def method(parameter: Data) -> AccessResult | Data:
            run()
            return Null()

        return method

    for key, run in runs.items():
        model.methods[key[0], key[1], 1] = reset(run)


def _privacy(esme: EsmePart, model: ObjectModel) -> None:
    """ECS14 writes an empty value to take the consumer's PIN away."""

    def disable(value: Data) -> AccessResult:
        esme.disable_privacy_pin()
        return AccessResult.SUCCESS

    model.writers[_key(1, "0-0:94.44.3.1")] = disable
