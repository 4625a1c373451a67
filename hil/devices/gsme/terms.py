"""The prepayment terms of a gas meter, read off its ZCL attributes for the account of :mod:`.prepayment`; and who is told of its events.

A gas meter's amounts of money are millipence. Its debt recovery rate cap has no period of its own: it counts the 7 x 24 h before a payment
(SMETS 5.7.4.13, reference gbcs-text 6). A cap or limit of 0 is one that was never set.
"""

from __future__ import annotations

from fractions import Fraction

from firmware_emu.device.event_log import route
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from hil.devices.gsme.part import GasSettings
from hil.devices.metering.billing import ACCUMULATED_DEBT, EMERGENCY_CREDIT, METER_BALANCE, STANDING, TIME_DEBTS, Terms
from hil.devices.metering.part import MeterPart
from hil.devices.metering.registers import DAY_S, HOUR_S

PREPAYMENT_MODE, SUSPEND_DEBT_DISABLED, COLLECT_DEBT_IN_EMERGENCY = 0x0002, 0x0400, 0x0800
"""Bits of PaymentControlConfiguration, by comparison of 0497, 0097, 0C97 and 0897 (reference gbcs-messages 7A)."""
DEBT_PERIODS = {0: HOUR_S, 1: DAY_S}
"""Debt recovery frequency to seconds: hourly or daily is all that SMETS knows (reference smets 3)."""
_WEEK_S = 7 * DAY_S
_LOG_ID, _PUSH_WAN, _PUSH_HAN, _ALARM = 0x07, 0x08, 0x10, 0x60
"""Bits of an event configuration, recalled from ZigBee and in line with RTDS GCS20 (08, 43, 4B, 5B)."""
_CONFIGURABLE = (0x80, 0x81)


def read_terms(settings: GasSettings) -> Terms:
    """From the attributes in force. In credit mode no debt is collected, and the standing charge goes to the bill."""

    def number(attribute: int) -> int:
        return settings.number(PREPAYMENT.id, attribute)

    configuration = number(0x0000)
    prepayment = bool(configuration & PREPAYMENT_MODE)
    taken = {(METER_BALANCE, STANDING)}
    if prepayment:
        taken |= {(EMERGENCY_CREDIT, STANDING), (ACCUMULATED_DEBT, STANDING)} | {(METER_BALANCE, debt) for debt in TIME_DEBTS}
        if configuration & COLLECT_DEBT_IN_EMERGENCY:
            taken |= {(EMERGENCY_CREDIT, debt) for debt in TIME_DEBTS}
        if not configuration & SUSPEND_DEBT_DISABLED:
            taken |= {(ACCUMULATED_DEBT, debt) for debt in TIME_DEBTS}
    cap = number(0x0006)
    return Terms(
        prepayment,
        frozenset(taken),
        disablement=number(0x0040),
        emergency_limit=number(0x0010),
        emergency_threshold=number(0x0011),
        low_credit=number(0x0031),
        max_credit=number(0x0022),
        max_balance=number(0x0021),
        cap=cap,
        cap_period=_WEEK_S if cap else 0,
        debt_rates=(Fraction(number(0x0217)), Fraction(number(0x0227))),
        debt_periods=(DEBT_PERIODS.get(number(0x0216), 0), DEBT_PERIODS.get(number(0x0226), 0)),
        proportion=number(0x0239),
        suspend_emergency=prepayment and not configuration & COLLECT_DEBT_IN_EMERGENCY,
    )


def tell(gsme: MeterPart, code: int, configured: int | None) -> None:
    """One event: log, alert, notice and alarm as GCS20 ``configured`` it (None: it is logged alone). Critical ones always alert."""
    if code >> 8 not in _CONFIGURABLE:
        gsme.gbcs.raise_alert(code)
        return
    if configured is None or configured & _LOG_ID:
        gsme.gbcs.log(code)
    if configured is None:
        return
    for bits, what in ((_PUSH_HAN, "told on the HAN"), (_ALARM, "alarm")):
        if configured & bits:
            gsme.trace.emit("device", gsme.name, what, code=f"{code:04x}")
    if configured & _PUSH_WAN and route(code, gsme.device_type).alert is not None:
        try:
            gsme.send(gsme.gbcs.alert(code))
        except (KeystoreError, ProtectionError) as problem:
            gsme.trace.emit("device", gsme.name, "alert not sent", code=f"{code:04x}", reason=str(problem))
