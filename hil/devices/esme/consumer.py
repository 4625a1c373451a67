"""Values that an electricity meter shows to the consumer's Devices on the HAN, less what lies before a change of tenancy (ECS12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from firmware_emu.gbcs.axdr import Array, Number, OctetString
from firmware_emu.han.attributes import Attributes
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import Value
from hil.devices.esme.model import seconds
from hil.devices.esme.part import EsmePart
from hil.devices.metering.billing import DAYS_KEPT, MONTHS_KEPT, WEEKS_KEPT, balances
from hil.devices.metering.registers import DAY_S, HALF_HOUR_S, Period, watt_hours
from hil.devices.metering.tariff import BLOCKS, TOU_RATES

_INT32 = 0x7FFFFFFF
_UINT24, _UINT48 = 0xFFFFFE, 0xFFFFFFFFFFFE
_LOW, _MEDIUM, _HIGH = range(3)
"""Ambient consumption indicator."""
_KEPT = (("day", DAYS_KEPT, 0x0400), ("week", WEEKS_KEPT, 0x0430), ("month", MONTHS_KEPT, 0x0440))
"""Spans of the consumer, how many of them are kept, and the attribute of the first's consumption."""
_FIRST_DAY, _DAY_BEFORE, _OLDER_DAYS = 0x0401, 0x0403, 0x0420
_FIRST_COST = {"day": 0x051C, "week": 0x0530, "month": 0x0540}
_POUNDS = 826
_THOUSANDTHS_OF_A_PENNY = 0x0B
"""Currency scaling factor of 10^-5 (recalled from ZigBee)."""
_CREDIT_MODE, _PREPAYMENT_MODE = 0x0094, 0x0097
_IN_EMERGENCY = 0x0800


SUPPLY_STATES: Mapping[str, int] = {"DISABLED": 0, "ARMED": 1, "ENABLED": 2}
"""Supply status of ZigBee by the state of the load switch."""


class ConsumerView:
    """The consumer's side of one meter."""

    def __init__(self, esme: EsmePart) -> None:
        self._esme = esme

    @property
    def restricted_before(self) -> int:
        """Entries that begin before this moment are hidden (seconds since 2000; reference smets 6, change of tenancy)."""
        value = self._esme.read(1, "0-0:94.44.3.2", 2)
        moment = seconds(value.octets) if isinstance(value, OctetString) and any(value.octets) else None
        return 0 if moment is None else int(moment)

    @property
    def thresholds(self) -> tuple[int, int]:
        """Active power in watts from which a display shows medium and high consumption (ECS34)."""
        value = self._esme.read(21, "0-0:16.0.0", 2)
        limits = [int(one) for one in value.elements if isinstance(one, Number)] if isinstance(value, Array) else []
        return (limits[0], limits[1]) if len(limits) == 2 else (0, 0)

    def half_hours(self) -> list[Period]:
        """The import profile as the consumer may see it, oldest first."""
        self._esme.update()
        return self._after_restriction(self._esme.registers.active_import.profile, HALF_HOUR_S)

    def days(self) -> list[Period]:
        """The daily consumption log as the consumer may see it, oldest first."""
        self._esme.update()
        return self._after_restriction(self._esme.registers.active_import.days, DAY_S)

    def _after_restriction(self, periods: Iterable[Period], length: int) -> list[Period]:
        first = self.restricted_before
        return [period for period in periods if period.end - length >= first]

    # --- metering

    def attributes(self) -> Attributes:
        """Metering: totals, rates and blocks, present power and its level, days, weeks and months by local time, supply, bill."""
        esme = self._esme
        metering = esme.metering

        def counted(read: Callable[[], int]) -> Callable[[], Value]:
            def now() -> int:
                esme.update()
                return max(0, min(read(), _UINT48))

            return now

        values: dict[int | str, Value | Callable[[], Value]] = {
            "current_summation_delivered": counted(lambda: esme.registers.active_import.total),
            "current_summation_received": counted(lambda: esme.registers.active_export.total),
            "current_max_demand_delivered": counted(lambda: metering.demands["import"].watts),
            "current_max_demand_delivered_time": counted(lambda: metering.demands["import"].at),
            "reading_snapshot_time": lambda: int(esme.now()),
            "supply_status": counted(lambda: SUPPLY_STATES[esme.load_switch.name]),
            "active_register_tier_delivered": counted(self._tier),
            "status": 0,
            "ambient_consumption_indicator": counted(self._level),
            "unit_of_measure": 0,
            "multiplier": 1,
            "divisor": 1000,
            "summation_formatting": 0,
            "metering_device_type": 0,
            "site_id": lambda: self._octets("0-0:94.44.34.11")[:13],
            "meter_serial_number": esme.eui64.octets,
            "customer_id_number": lambda: self._octets("0-3:96.13.1"),
            "instantaneous_demand": counted(lambda: esme.registers.active_import.rate(esme.now())),
            "bill_to_date_delivered": counted(lambda: -balances(metering.account)[2]),
            "bill_to_date_timestamp_delivered": lambda: int(esme.now()),
        }
        for rate in range(TOU_RATES):
            values[0x0100 + 2 * rate] = counted(lambda rate=rate: watt_hours(metering.rates.tou[rate]))  # type: ignore[misc]
        for block in range(BLOCKS):
            values[0x0700 + block] = counted(lambda block=block: sum(map(watt_hours, metering.rates.blocks[block])))  # type: ignore[misc]
        for span, kept, first in _KEPT:
            for number in range(kept + 1):
                values[_consumption(span, number, first)] = self._energy(span, number)
        return Attributes(METERING, values)

    def _tier(self) -> int:
        script = self._esme.metering.settings.tariff.table.at(int(self._esme.now()))[0]
        return script if script <= TOU_RATES else 0

    def _level(self) -> int:
        watts, (medium, high) = self._esme.registers.active_import.rate(self._esme.now()), self.thresholds
        return _HIGH if high and watts >= high else _MEDIUM if medium and watts >= medium else _LOW

    def _octets(self, obis: str) -> bytes:
        value = self._esme.read(1, obis, 2)
        return value.octets.rstrip(b"\0 ") if isinstance(value, OctetString) else b""

    def _energy(self, span: str, number: int) -> Callable[[], int]:
        def energy() -> int:
            self._esme.update()
            return min(watt_hours(self._esme.metering.past.before(span, number, self._since(number)).energy), _UINT24)

        return energy

    def _since(self, number: int) -> int:
        """From when on a span must have begun to be shown; the one under way always is."""
        return self.restricted_before if number else 0

    # --- prepayment

    def prepayment(self) -> Attributes:
        """Mode, credit, debts, limits and what days, weeks and months have cost, in thousandths of a penny."""
        metering = self._esme.metering

        def at(place: int) -> Callable[[], int]:
            def balance() -> int:
                self._esme.update()
                return max(-_INT32, min(_INT32, balances(metering.account)[place]))

            return balance

        def term(name: str) -> Callable[[], int]:
            return lambda: max(-_INT32, min(_INT32, int(getattr(metering.settings.terms, name))))

        values: dict[int | str, Value | Callable[[], Value]] = {
            "payment_control_configuration": self._mode,
            "credit_remaining": at(2),
            "emergency_credit_remaining": at(1),
            "accumulated_debt": at(0),
            "overall_debt_cap": term("cap"),
            "emergency_credit_limit": term("emergency_limit"),
            "emergency_credit_threshold": term("emergency_threshold"),
            "max_credit_limit": term("max_balance"),
            "max_credit_per_top_up": term("max_credit"),
            "low_credit_warning_level": term("low_credit"),
            "cut_off_value": term("disablement"),
            "debt_amount_1": at(4),
            "debt_amount_2": at(5),
            "debt_amount_3": at(3),
            "debt_recovery_amount_1": lambda: int(metering.settings.terms.debt_rates[0]),
            "debt_recovery_amount_2": lambda: int(metering.settings.terms.debt_rates[1]),
            "debt_recovery_top_up_percentage_3": term("proportion"),
            "consumption_unit_of_measurement": 0,
            "currency_scaling_factor": _THOUSANDTHS_OF_A_PENNY,
            "currency": _POUNDS,
        }
        for span, kept, _ in _KEPT:
            for number in range(kept + 1):
                values[_FIRST_COST[span] + 2 * number] = self._cost(span, number)
        return Attributes(PREPAYMENT, values)

    def _mode(self) -> int:
        """PaymentControlConfiguration as a gas meter has it (reference gbcs-messages 7A)."""
        terms = self._esme.metering.settings.terms
        if not terms.prepayment:
            return _CREDIT_MODE
        return _PREPAYMENT_MODE | (0 if terms.suspend_emergency else _IN_EMERGENCY)

    def _cost(self, span: str, number: int) -> Callable[[], int]:
        def cost() -> int:
            self._esme.update()
            return max(0, int(self._esme.metering.past.before(span, number, self._since(number)).cost))

        return cost


def _consumption(span: str, number: int, first: int) -> int:
    """Attribute of what was delivered in the span so many before the one under way (SE 1.4 table of historical consumption, recalled)."""
    if span != "day":
        return first + 2 * number
    return (_FIRST_DAY, _DAY_BEFORE)[number] if number < 2 else _OLDER_DAYS + 2 * (number - 2)
