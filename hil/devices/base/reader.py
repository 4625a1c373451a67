"""Reads over the HAN, as a display makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_emu.errors import RadioError
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import Value


@dataclass(frozen=True, slots=True)
class MeteredTotal:
    """A total as metered: ``total`` in units, to be multiplied and divided for the unit of measure (0 kWh, 1 m3)."""

    total: int
    unit: int
    multiplier: int
    divisor: int

    @property
    def amount(self) -> float:
        """In kWh or m3."""
        return self.total * self.multiplier / self.divisor


class HanReader:
    """Reader of a display: metering values, and publications of suppliers."""

    def __init__(self, zcl: ZclPort) -> None:
        self._zcl = zcl

    async def metering(self, device: Eui64) -> MeteredTotal:
        """The total of an ESME, or of a gas meter through the hub's mirror: the first endpoint that lets this Device read.

        Raises RadioError if the other side does not answer or lets nothing be read.
        """
        endpoints = await self._zcl.port.match_descriptors(device, METERING.id, server=True)
        for endpoint in endpoints:
            values = await self._zcl.read_attributes(device, endpoint, METERING.id, (0x0000, 0x0300, 0x0301, 0x0302))
            numbers = [_number(values.get(attribute)) for attribute in (0x0000, 0x0300, 0x0301, 0x0302)]
            if numbers[0] is not None:
                return MeteredTotal(numbers[0], numbers[1] or 0, numbers[2] or 1, numbers[3] or 1)
        raise RadioError(f"{device} lets no metering value be read", "NOT_AUTHORIZED")

    async def values(self, device: Eui64, cluster: Cluster, *names: str) -> dict[str, Value]:
        """Attributes of a cluster by their declared names, off the first endpoint that lets this Device read; those that it has.

        Raises RadioError if the other side does not answer, KeyError for a name that is not declared.
        """
        ids = {cluster.attribute_named(name).id: name for name in names}
        for endpoint in await self._zcl.port.match_descriptors(device, cluster.id, server=True):
            found = await self._zcl.read_attributes(device, endpoint, cluster.id, tuple(ids))
            if found:
                return {ids[attribute]: value for attribute, value in found.items()}
        return {}

    async def published(
        self,
        device: Eui64,
        cluster: Cluster,
        command: str,
        fields: Mapping[str, FieldValue] | None = None,
    ) -> dict[str, FieldValue] | None:
        """Publication of a supplier, by the name of the command that asks for it (``GetTariffInformation``): price, calendar, message,
        supplier's contact. None if there is nothing. Raises RadioError if the other side does not answer."""
        asked = cluster.command_named(command)
        for endpoint in await self._zcl.port.match_descriptors(device, cluster.id, server=True):
            answer = await self._zcl.request(device, endpoint, cluster.id, asked.id, asked.encode(fields))
            if answer.default_response is None:
                return cluster.to_client[answer.command].decode(answer.payload)
        return None


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) else None
