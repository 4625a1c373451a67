"""Settings of the suppliers of the year, as bodies of service requests; and their prices, for the sum that the test makes itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hil.dcc.duis.document import Content

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NEVER = 4_294_967_295


def _week(number: int, days: Sequence[int]) -> Content:
    return {"WeekName": number, "ReferencedDayName": [{"@index": place, "#": str(day)} for place, day in enumerate(days, start=1)]}


def _date(month: int, day: int, gas: str = "") -> Content:
    names = {name: f"Gas{name}WithWildcards" if gas else name for name in ("Year", "Month", "DayOfMonth", "DayOfWeek")}
    return {
        names["Year"]: {"NonSpecifiedYear": None},
        names["Month"]: {"SpecifiedMonth": f"{month:02d}"},
        names["DayOfMonth"]: {"SpecifiedDayOfMonth": f"{day:02d}"},
        names["DayOfWeek"]: {"NonSpecifiedDayOfWeek": None},
    }


def _indexed(values: Sequence[int]) -> list[Content]:
    return [{"@index": place, "#": str(value)} for place, value in enumerate(values, start=1)]


def power_tariff(when: datetime, rates: Sequence[int], blocks: Sequence[int], threshold_wh: int, standing: int) -> dict[str, Content]:
    """1.1.1 on the ESME: in winter rate 1 by night, 2 by day and 3 at week ends; in summer rate 1 by night and two blocks by day."""

    def at(hour: int, action: str, number: int) -> Content:
        return {"StartTime": f"{hour:02d}:00:00.00Z", action: number}

    rate, block = "TOUTariffAction", "BlockTariffAction"
    days = {1: [at(0, rate, 1), at(7, rate, 2)], 2: [at(0, rate, 1), at(7, rate, 3)], 3: [at(0, rate, 1), at(6, block, 1)]}
    thresholds: list[Content] = [
        {"@index": place, "BlockThreshold": _indexed([threshold_wh, NEVER] if place == 1 else [NEVER])} for place in range(1, 9)
    ]
    return {
        "ExecutionDateTime": when,
        "ElecTariffElements": {
            "CurrencyUnits": "GBP",
            "SwitchingTable": {
                "DayProfiles": {"DayProfile": [{"DayName": number, "ProfileSchedule": schedule} for number, schedule in days.items()]},
                "WeekProfiles": {"WeekProfile": [_week(1, [1] * 5 + [2] * 2), _week(2, [3] * 7)]},
                "Seasons": {
                    "Season": [
                        {"SeasonName": "summer", "SeasonStartDate": _date(4, 1), "ReferencedWeekName": 2},
                        {"SeasonName": "winter", "SeasonStartDate": _date(10, 1), "ReferencedWeekName": 1},
                    ]
                },
            },
            "SpecialDays": {},
            "ThresholdMatrix": {"Thresholds": thresholds},
        },
        "PriceElements": {
            "ElectricityPriceElements": {
                "StandingCharge": standing,
                "StandingChargeScale": -5,
                "PriceScale": -5,
                "HybridTariff": {"BlockPrices": {"@index": 1, "BlockPrice": _indexed(blocks)}, "TOUPrice": _indexed(rates)},
            }
        },
    }


def gas_tariff(when: datetime, prices: Sequence[int], standing: int, threshold: int | None = None) -> dict[str, Content]:
    """1.1.1 on the GSME: rate 1 on week days and 2 at week ends, or two blocks where there is a threshold."""
    week, season = [1] * 5 + [2] * 2, {"SeasonStartDate": _date(1, 1, "Gas"), "ReferencedWeekName": 1}
    if threshold is None:
        days: list[Content] = [{"DayName": number, "TOUTariffAction": number} for number in (1, 2)]
        price: dict[str, Content] = {"TOUTariff": {"TOUPrice": _indexed(prices)}}
    else:
        days, week = [{"DayName": 1, "BlockTariff": None}], [1] * 7
        price = {"BlockTariff": {"BlockPrice": _indexed(prices), "NumberOfThresholds": 1}}
    return {
        "ExecutionDateTime": when,
        "GasTariffElements": {
            "SwitchingTable": {
                "DayProfiles": {"DayProfile": days},
                "WeekProfiles": {"WeekProfile": _week(1, week)},
                "Seasons": {"Season": season},
            },
            "SpecialDays": {},
            "ThresholdMatrix": {"BlockThreshold": _indexed([threshold or 0])},
        },
        "PriceElements": {"GasPriceElements": {"CurrencyUnits": "GBP", "StandingCharge": standing, **price}},
    }


def prepayment(when: datetime) -> dict[str, Content]:
    """1.6."""
    terms: dict[str, Content] = {"SuspendDebtDisabled": True, "SuspendDebtEmergency": False, "DisablementThreshold": 0}
    return {"ExecutionDateTime": when, "Prepayment": terms}


def debts(kind: str, time_debt: int, rate: int, payment_debt: int, share: int) -> dict[str, Content]:
    """2.3: one debt a day of ``rate`` (millipence), and a share (hundredths of a per cent) of each top-up. ``kind``: Elec or Gas."""
    scale: dict[str, Content] = {"DebtRecoveryRatePriceScale": -5} if kind == "Elec" else {}
    daily: dict[str, Content] = {**scale, "DebtRecoveryRatePeriod": "DAILY"}
    return {
        "TimeDebtRegister1": time_debt,
        "TimeDebtRegister2": 0,
        "PaymentDebtRegister": payment_debt,
        "DebtRecoveryPerPayment": share,
        f"{kind}DebtRecovery1": {"DebtRecoveryRate": rate, **daily},
        f"{kind}DebtRecovery2": {"DebtRecoveryRate": 0, **daily},
    }


def power_limits(cap_pounds: int) -> dict[str, Content]:
    """2.1 on the ESME: what a week's top-ups may pay off the debt, a calendar that is over, and limits out of reach."""
    return {
        "UpdatePrepayConfigElectricity": {
            "DebtRecoveryRateCap": cap_pounds,
            "EmergencyCreditLimit": 0,
            "EmergencyCreditThreshold": 0,
            "LowCreditThreshold": 0,
            "ElectricityNonDisablementCalendar": {
                "ElectricitySpecialDays": {},
                "ElectricityNonDisablementSchedule": {
                    "NonDisablementScript": "STOP",
                    "SpecialDaysApplicability": None,
                    "DaysOfWeekApplicability": {"DayOfWeekApplicability": {"DayOfWeekID": "Sunday"}},
                    "ScheduleDatesAndTime": {"SwitchTime": "09:00:00.00Z", "StartDate": "2014-10-27Z", "EndDate": "2015-03-28Z"},
                },
            },
            "MaxMeterBalance": 2_000_000_000,
            "MaxCreditThreshold": 2_000_000_000,
        }
    }


def switch_calendar() -> dict[str, Content]:
    """6.14.3: the first auxiliary switch closes at one and opens at five each night."""

    def entry(hour: int, level: int) -> Content:
        anything: Content = {
            "Year": {"NonSpecifiedYear": None},
            "Month": {"NonSpecifiedMonth": None},
            "DayOfMonth": {"NonSpecifiedDayOfMonth": None},
            "DayOfWeek": {"NonSpecifiedDayOfWeek": None},
        }
        return {
            "AuxiliaryControllerAction": {"@auxiliaryControllerN": 1, "CommandedStateLevel": level},
            "DaysOfWeekApplicability": {"DayOfWeekApplicability": [{"DayOfWeekID": day} for day in DAYS]},
            "AuxiliaryControllerSchedulePeriodAndTime": {"SwitchTime": f"{hour:02d}:00:00.00Z", "StartDate": anything, "EndDate": anything},
        }

    return {"AuxiliaryControllerSpecialDayDefinitions": {}, "AuxiliaryControllerSchedule": [entry(1, 100), entry(5, 0)]}


VOLTAGE: dict[str, Content] = {
    "RMSVoltageSettings": {
        f"RMS{name}{what}": value
        for name, limit in (("ExtremeOverVoltage", 287), ("ExtremeUnderVoltage", 180), ("VoltageSag", 207), ("VoltageSwell", 253))
        for what, value in (("MeasurementPeriod", 30), ("Threshold", limit))
    },
    "SinglePhaseVoltageSettings": {
        "AverageRMSOverVoltageThreshold": 250,
        "AverageRMSUnderVoltageThreshold": 200,
        "AverageRMSVoltageMeasurementPeriod": 1800,
    },
}
"""6.5: averages of half hours; an extreme is told when it has lasted for half a minute."""


def period(start: datetime, end: datetime) -> dict[str, Content]:
    """The period of a log to be read."""
    return {"ReadLogPeriod": {"StartDateTime": start, "EndDateTime": end}}
