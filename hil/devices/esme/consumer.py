"""Values that an electricity meter shows to the consumer's Devices on the HAN, less what lies before a change of tenancy (ECS12)."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.han.attributes import Attributes
from firmware_emu.zse.clusters.metering import METERING
from hil.devices.esme.model import seconds
from hil.devices.esme.part import EsmePart
from hil.devices.metering.tariff import DAY_S, HALF_HOUR_S, Period


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

    def attributes(self) -> Attributes:
        """The metering attributes: total, day under way, day before (0 if it may not be seen), present power."""
        esme = self._esme

        def delivered() -> int:
            esme.update()
            return esme.registers.active_import.total

        def today() -> int:
            esme.update()
            return esme.registers.active_import.today

        def yesterday() -> int:
            days = self.days()
            midnight = int(esme.now()) // DAY_S * DAY_S
            return days[-1].amount if days and days[-1].end == midnight else 0

        def demand() -> int:
            return esme.registers.active_import.rate(esme.now())

        return Attributes(
            METERING,
            {
                0x0000: delivered,
                0x0300: 0,
                0x0301: 1,
                0x0302: 1000,
                0x0303: 0,
                0x0306: 0,
                0x0400: demand,
                0x0401: today,
                0x0403: yesterday,
            },
        )
