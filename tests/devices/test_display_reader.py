"""Reads of a display over the HAN: the endpoint that answers, the scale of a total, and what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from firmware_emu.errors import RadioError
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import Value, ZclFrame
from hil.devices.base.reader import HanReader, MeteredTotal

METER = Eui64.parse("00db1234567890a0")


class Meter:
    """The other side, which has these attributes on each endpoint, and these answers to a command; it notes what it was asked."""

    def __init__(self, endpoints: dict[int, dict[int, Value]], answers: dict[int, ZclFrame] | None = None) -> None:
        self._endpoints = endpoints
        self._answers = answers or {}
        self.asked: list[tuple[int, int, tuple[int, ...]]] = []
        self.payloads: list[bytes] = []
        self.port = self

    async def match_descriptors(self, device: Eui64, cluster: int, *, server: bool) -> Sequence[int]:
        assert (device, server) == (METER, True)
        return tuple(self._endpoints)

    async def read_attributes(self, device: Eui64, endpoint: int, cluster: int, attributes: Sequence[int]) -> dict[int, Value]:
        self.asked.append((endpoint, cluster, tuple(attributes)))
        held = self._endpoints[endpoint]
        return {attribute: held[attribute] for attribute in attributes if attribute in held}

    async def request(self, device: Eui64, endpoint: int, cluster: int, command: int, payload: bytes) -> ZclFrame:
        self.asked.append((endpoint, cluster, (command,)))
        self.payloads.append(payload)
        return self._answers[endpoint]

    @property
    def reader(self) -> HanReader:
        return HanReader(cast("ZclPort", self))


@pytest.mark.parametrize(
    ("held", "total", "amount"),
    [
        ({0x0000: 5000, 0x0300: 0, 0x0301: 1, 0x0302: 1000}, MeteredTotal(5000, 0, 1, 1000), 5.0),
        ({0x0000: 7, 0x0300: 1, 0x0301: 3, 0x0302: 2}, MeteredTotal(7, 1, 3, 2), 10.5),
        ({0x0000: 7}, MeteredTotal(7, 0, 1, 1), 7.0),
        ({0x0000: 0, 0x0301: 0, 0x0302: 0}, MeteredTotal(0, 0, 1, 1), 0.0),
    ],
)
async def test_a_total_has_the_unit_multiplier_and_divisor_of_its_meter(held: dict[int, Value], total: MeteredTotal, amount: float) -> None:
    """Metering 0000, 0300, 0301 and 0302: a meter that does not tell them counts kWh by one."""
    meter = Meter({9: held})
    found = await meter.reader.metering(METER)
    assert (found, found.amount) == (total, amount)
    assert meter.asked == [(9, METERING.id, (0x0000, 0x0300, 0x0301, 0x0302))]


async def test_a_total_is_that_of_the_first_endpoint_that_lets_it_be_read() -> None:
    meter = Meter({1: {}, 2: {0x0000: None}, 3: {0x0000: 5}, 4: {0x0000: 6}})
    assert (await meter.reader.metering(METER)).total == 5
    assert [endpoint for endpoint, _, _ in meter.asked] == [1, 2, 3]
    for nothing in (Meter({}), Meter({1: {}})):
        with pytest.raises(RadioError, match="lets no metering value be read"):
            await nothing.reader.metering(METER)


async def test_values_are_read_by_their_names_off_the_first_endpoint_that_has_some() -> None:
    meter = Meter({1: {}, 2: {0x0014: 2, 0x0300: 0}, 3: {0x0000: 1}})
    assert await meter.reader.values(METER, METERING, "supply_status", "unit_of_measure", "multiplier") == {
        "supply_status": 2,
        "unit_of_measure": 0,
    }
    assert meter.asked == [(1, METERING.id, (0x0014, 0x0300, 0x0301)), (2, METERING.id, (0x0014, 0x0300, 0x0301))]
    assert await Meter({1: {}}).reader.values(METER, METERING, "supply_status") == {}
    with pytest.raises(KeyError, match="Metering has no attribute colour"):
        await meter.reader.values(METER, METERING, "supply_status", "colour")


async def test_a_publication_is_that_of_the_first_endpoint_that_does_not_refuse() -> None:
    fields: dict[str, FieldValue] = {"event": 1, "start": 2, "factor": 3, "trailing_digit": 0x50}
    refused = ZclFrame.general(0x0B, b"\x04\x8b", to_client=True)
    told = ZclFrame.of_cluster(0x02, PRICE.to_client[0x02].encode(fields), to_client=True)
    asked: dict[str, FieldValue] = {"earliest": 7, "minimum_event": 8, "count": 9}
    meter = Meter({1: {}, 2: {}, 3: {}}, {1: refused, 2: told, 3: refused})
    assert await meter.reader.published(METER, PRICE, "GetConversionFactor", asked) == fields
    assert meter.asked == [(1, PRICE.id, (0x04,)), (2, PRICE.id, (0x04,))]
    assert meter.payloads == [PRICE.to_server[0x04].encode(asked)] * 2
    assert await Meter({1: {}}, {1: refused}).reader.published(METER, PRICE, "GetConversionFactor", asked) is None
    assert await Meter({}).reader.published(METER, PRICE, "GetConversionFactor", asked) is None
