"""Values of DLMS commands that one line cannot say: credit and charge, event settings, switches, controllers, clock, hub (RTDS)."""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.dlms import (
    Array,
    BitString,
    Boolean,
    Choice,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Integer,
    LongUnsigned,
    OctetString,
    Specification,
    Structure,
    Unsigned,
    VisibleString,
    parse_obis,
)
from hil.dcc.duis.request import Node
from hil.dcc.transform.dlms_schedules import controller_selector
from hil.dcc.transform.dlms_tariff import clock_octets, single_charge
from hil.dcc.transform.source import Source

Access = tuple[Specification, Data]

_METER_BALANCE, _EMERGENCY_CREDIT, _ACCUMULATED_DEBT = (parse_obis(f"0-0:19.10.{n}.255") for n in range(3))
_IMPORT, _DEBT_1, _DEBT_2, _PAYMENT_DEBT, _STANDING, _SECONDARY = (parse_obis(f"0-0:19.20.{n}.255") for n in range(6))
_EVENTS = 256
_REGISTERED_ESME = 0
_PERIOD_SECONDS = {"HOURLY": 3600, "DAILY": 86400}


def _set(obis: str, data: Data, class_id: int = 1, attribute: int = 2) -> Access:
    return Specification(Choice.SET, class_id, parse_obis(obis), attribute), data


def _execute(obis: str, selector: int) -> Access:
    return Specification(Choice.ACTION, 9, parse_obis(obis), 1), LongUnsigned(selector)


def adjustment(source: Source, _: str) -> Data:
    """The amount by which the balance changes, in whichever mode the request names."""
    mode = "PrepaymentMode" if source.body.has("PrepaymentMode") else "CreditMode"
    return DoubleLong(source.body.integer(f"{mode}/AdjustMeterBalance"))


def credit_charges(source: Source, _: str) -> Data:
    """Which charges each credit pays (RTDS ECS02, ECS03). Time debts are not taken while supply is disabled if SuspendDebtDisabled; what
    emergency credit is not to pay gathers in the accumulated debt if SuspendDebtEmergency; a second element adds its tariff at the end."""
    twin = source.context.profile.elements == 2
    pairs = [(_METER_BALANCE, _IMPORT, "111"), (_METER_BALANCE, _STANDING, "111")]
    payers = [_METER_BALANCE]
    if not source.body.has("Credit"):
        bits = "110" if source.body.boolean("Prepayment/SuspendDebtDisabled") else "111"
        debts = [_DEBT_1, _DEBT_2]
        payers.append(_EMERGENCY_CREDIT)
        pairs += [(_METER_BALANCE, debt, bits) for debt in debts]
        pairs += [(credit, _PAYMENT_DEBT, "111") for credit in payers]
        pairs += [(_EMERGENCY_CREDIT, _IMPORT, "111"), (_EMERGENCY_CREDIT, _STANDING, "111")]
        pairs += [(_EMERGENCY_CREDIT, debt, bits) for debt in debts]
        if source.body.boolean("Prepayment/SuspendDebtEmergency"):
            pairs += [(_ACCUMULATED_DEBT, charge, "111") for charge in (_STANDING, *debts)]
    if twin:
        pairs += [(credit, _SECONDARY, "111") for credit in payers]
    return Array(tuple(Structure((OctetString(credit), OctetString(charge), BitString.of(bits))) for credit, charge, bits in pairs))


def debt_rate(source: Source, path: str) -> Data:
    """The recovery rate of a time debt as a unit charge."""
    node = source.body.node(path)
    return single_charge(node.integer("DebtRecoveryRatePriceScale"), node.integer("DebtRecoveryRate"))


def debt_period(source: Source, path: str) -> Data:
    """The recovery period of a time debt in seconds."""
    return DoubleLongUnsigned(_PERIOD_SECONDS[source.body.text(f"{path}/DebtRecoveryRatePeriod")])


def event_settings(source: Source, path: str) -> Data:
    """512 bits: which events are set, then to what; event 8xnn is bit nn from the end of each half. Settings for polyphase meters go to
    polyphase meters alone."""
    mask = values = 0
    for group in source.body.node(path).children():
        if group.name.endswith("PolyPhase") and source.context.profile.phases != 3:
            continue
        for event in group.children():
            bit = 1 << (int(event.name[1:], 16) & 0xFF)
            mask |= bit
            values |= bit if event.text() == "Enable" else 0
    return BitString((mask << _EVENTS | values).to_bytes(_EVENTS // 4, "big"), 2 * _EVENTS)


def phase(source: Source, operand: str) -> Data:
    """A voltage setting of one phase: ``NUMBER NAME``."""
    number, name = operand.split()
    single = source.body.find("SinglePhaseVoltageSettings")
    if single is not None:
        return DoubleLongUnsigned(single.integer(name))
    for node in source.body.nodes("PolyPhaseVoltageSettings"):
        if node.integer("Phase") == int(number):
            return DoubleLongUnsigned(node.integer(f"PhaseVoltageSettings/{name}"))
    raise source.fail(f"PolyPhaseVoltageSettings lack phase {number}")


def billing_calendar(source: Source, _: str) -> Data:
    """When a billing period ends: time, and a date for each period of the year."""
    calendar = source.body.node("ElectricityBillingCalendar")
    at = OctetString(clock_octets(calendar.clock("BillingTime")))
    dates = _billing_dates(source, calendar)
    return Array(tuple(Structure((at, OctetString(b"\xff\xff" + bytes(date)))) for date in dates))


def _billing_dates(source: Source, calendar: Node) -> list[tuple[int, int, int]]:
    any_ = 0xFF
    if calendar.has("Daily"):
        return [(any_, any_, any_)]
    if calendar.has("Weekly"):
        return [(any_, any_, calendar.integer("Weekly"))]
    if calendar.has("Monthly"):
        return [(any_, calendar.integer("Monthly"), any_)]
    for name, months in (("Quarterly", 3), ("SixMonthly", 6), ("Yearly", 12)):
        if calendar.has(name):
            day, first = calendar.integer(f"{name}/DayOfMonth"), calendar.integer(f"{name}/BillingPeriodStartMonth")
            return [((first - 1 + step) % 12 + 1, day, any_) for step in range(0, 12, months)]
    raise source.fail("ElectricityBillingCalendar names no periodicity")


def daily_reset(source: Source, _: str) -> Data:
    """Midnight of every day, or nothing."""
    if not source.body.boolean("DailyTariffBlockCounterMatrixReset"):
        return Array(())
    return Array((Structure((OctetString(bytes(4)), OctetString(b"\xff" * 5))),))


def import_mpans(source: Source, _: str) -> Data:
    """The import MPAN, followed by the secondary one where there is one."""
    mpans = [source.body.text("ImportMPANs/ImportMPAN")]
    if source.body.has("ImportMPANs/SecondaryImportMPAN"):
        mpans.append(source.body.text("ImportMPANs/SecondaryImportMPAN"))
    return OctetString("".join(mpans).encode("ascii", "strict"))


def customer_identification_number(source: Source, _: str) -> Data:
    return OctetString(source.customer_identification_number().encode())


def clock_preset(source: Source, _: str) -> Data:
    """Preset time never, validity from the current time for the tolerance period (RTDS ECS70)."""
    window = source.body.window("CurrentDateTime", "TolerancePeriod")
    validity = (OctetString(cosem_time.encode_date_time(moment)) for moment in window)
    return Structure((OctetString(cosem_time.NEVER), *validity))


def registered_type(source: Source, path: str) -> Data:
    """Type of Device that is added to the CHF device log (reference chts-notes 3); an ESME unless the inventory knows better."""
    lookup = source.context.registered_type_of
    known = lookup(source.body.eui(path)) if lookup else None
    return Enum(_REGISTERED_ESME if known is None else known)


def stored_device_log(source: Source, path: str) -> Data:
    """The CHF device log that the DCC kept: extended PAN id and entries with hashed link keys."""
    lookup = source.context.device_log
    log = lookup(source.body.eui(path)) if lookup else None
    if log is None:
        raise source.fail(f"needs the stored device log of {source.body.eui(path)}")
    entries = tuple(Structure((OctetString(entry.device.octets), OctetString(entry.key_hash))) for entry in log.entries)
    return Structure((OctetString(log.extended_pan_id), Array(entries)))


def _channels(source: Source, path: str, page: int, first: int, last: int) -> Data:
    node = source.body.node(path)
    bits = sum(1 << (channel - first) for channel in range(first, last + 1) if node.has(f"Channel{channel}"))
    return BitString((page << 27 | bits).to_bytes(4, "big"), 32)


def sub_ghz_configuration(source: Source, _: str) -> Data:
    """The 15 settings of sub-GHz operation: channel masks of pages 28 to 31, then thresholds (RTDS DBCH04)."""
    body = source.body
    return Structure(
        (
            _channels(source, "LowerBandSubGHzChannels0To26", 28, 0, 26),
            _channels(source, "LowerBandSubGHzChannels27To34", 29, 27, 34),
            _channels(source, "LowerBandSubGHzChannels35To61", 30, 35, 61),
            _channels(source, "UpperBandSubGHzChannels0To26", 31, 0, 26),
            LongUnsigned(body.scaled("NormalLimitedDutyCycleThreshold", 100)),
            LongUnsigned(body.scaled("LimitedCriticalDutyCycleThreshold", 100)),
            Unsigned(body.integer("MaximumSubGHzChannelChangesPerWeek")),
            LongUnsigned(body.integer("GSMECurfew")),
            Unsigned(body.integer("ChannelQuieterThreshold")),
            Unsigned(body.integer("ChannelNoisierThreshold")),
            LongUnsigned(body.scaled("NonGSMEPoorCommsPercentageThreshold", 100)),
            Unsigned(body.integer("NonGSMEPoorCommsMeasurementPeriods")),
            LongUnsigned(body.integer("LocalCHNoiseMeasurementPeriod")),
            LongUnsigned(body.scaled("LocalCHFailurePercentage", 100)),
            LongUnsigned(body.scaled("LocalCHRetryPercentage", 100)),
        )
    )


def switch_labels(source: Source) -> list[Access]:
    """One label a switch named, in the order of the switches."""
    nodes = sorted(source.body.nodes("ALCSHCALCSDescription"), key=lambda node: node.attribute("index"))
    return [_set(f"0-0:94.44.0.{10 + node.attribute('index')}", VisibleString(node.text("SwitchDescription"))) for node in nodes]


def switch_types(source: Source) -> list[Access]:
    """Kind of each switch named: eight zero octets for one inside the meter, else the EUI-64 of the HCALCS."""
    nodes = sorted(source.body.nodes("SwitchTypeAndId"), key=lambda node: node.attribute("index"))
    return [
        _set(
            f"0-0:94.44.0.{20 + node.attribute('index')}",
            OctetString(node.eui("HCALCS").octets if node.has("HCALCS") else bytes(8)),
        )
        for node in nodes
    ]


def _timed_switch(source: Source, path: str, attribute: int, action: int) -> list[Access]:
    node = source.body.node(path)
    number = node.attribute("index")
    duration = _set(f"0-0:94.44.{116 + number}.{attribute}", LongUnsigned(node.integer("Duration")))
    return [duration, _execute("0-0:10.0.103.255", number << 8 | action)]


def activate_switch(source: Source) -> list[Access]:
    return _timed_switch(source, "ActivateALCSHCALCS", 1, 0x11)


def deactivate_switch(source: Source) -> list[Access]:
    return _timed_switch(source, "DeactivateALCSHCALCS", 2, 0x12)


def reset_switch(source: Source) -> list[Access]:
    return [_execute("0-0:10.0.103.255", source.body.node("ResetALCSHCALCS").attribute("index") << 8 | 0x20)]


def _controller(source: Source, first: int, scripts: str) -> list[Access]:
    number = source.body.attribute("auxiliaryControllerN")
    selector = controller_selector(number, source.body.integer("CommandedStateLevel"), source.body.has("InputFromControlledLoad"), False)
    return [
        *(
            _set(f"0-0:94.44.{116 + number}.{first + place}", OctetString(source.date_time(path)))
            for place, path in enumerate(("StartDateTime", "EndDateTime"))
        ),
        _execute(scripts, selector),
    ]


def controller_state(source: Source) -> list[Access]:
    return _controller(source, 1, "0-0:10.0.103.255")


def controller_limit(source: Source) -> list[Access]:
    return _controller(source, 3, "0-0:10.0.107.255")


def demand_resets(source: Source) -> list[Access]:
    """A reset of each maximum demand register that the request names."""
    registers = (
        ("MaxDemandActivePowerImportValue", "1-0:1.6.0.255"),
        ("MaxDemandConfigTimeActivePowerImportValue", "1-0:1.6.1.255"),
        ("MaxDemandActivePowerExportValue", "1-0:2.6.0.255"),
    )
    return [(Specification(Choice.ACTION, 4, parse_obis(obis), 1), Integer(0)) for name, obis in registers if source.body.has(name)]


def _boost(source: Source, name: str, linked: bool) -> list[Access]:
    nodes = sorted(source.body.nodes(name), key=lambda node: node.attribute("index"))
    return [_set(f"0-0:94.44.6.{node.attribute('index')}", Boolean(linked)) for node in nodes if node.boolean()]


def boost_additions(source: Source) -> list[Access]:
    return _boost(source, "AddToBoostButton", True)


def boost_removals(source: Source) -> list[Access]:
    return _boost(source, "RemoveFromBoostButton", False)


FUNCTIONS: dict[str, Callable[[Source, str], Data]] = {
    function.__name__: function
    for function in (
        *(adjustment, credit_charges, debt_rate, debt_period, event_settings, phase, billing_calendar, daily_reset),
        *(import_mpans, customer_identification_number, clock_preset, registered_type, stored_device_log),
        *(sub_ghz_configuration,),
    )
}
LISTS: dict[str, Callable[[Source], list[Access]]] = {
    function.__name__: function
    for function in (
        *(switch_labels, switch_types, activate_switch, deactivate_switch, reset_switch, controller_state, controller_limit),
        *(demand_resets, boost_additions, boost_removals),
    )
}
