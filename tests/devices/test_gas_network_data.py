"""The network operator's recording of gas: every six minutes over four hours, exact to the litre whatever happens meanwhile."""

from __future__ import annotations

from itertools import pairwise

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.metering import METERING
from tests.devices.device_home import NETWORK_OPERATOR, SUPPLIER
from tests.devices.gas_bench import GasBench

START_SAMPLING, READ_SAMPLES = 0x0080, 0x0079
SIX_MINUTES, FOUR_HOURS = 360, 14_400


@pytest.fixture
def bench(device_pki: Keystore) -> GasBench:
    """A load that is another one in each half hour."""
    return GasBench(device_pki, load=lambda half_hour: (900, 7200, 0, 1800, 3600, 5400, 360)[half_hour % 7])


def start(bench: GasBench, at: int = 0) -> None:
    """GCS31 of service 14.1, from the network operator."""
    fields = {"event": 1, "start": at, "sample_type": 0, "interval": SIX_MINUTES, "max_samples": 41}
    (answer,) = bench.ask(
        START_SAMPLING, [Component(METERING.id, 0x01, 0, 0x07, METERING.to_server[0x07].encode(fields))], NETWORK_OPERATOR
    )
    assert (answer.frame_control, answer.command, answer.payload) == (0x09, 0x0D, b"\x02\x00")


def samples(bench: GasBench) -> tuple[int, list[int]]:
    """GCS18 of service 4.10: start and volumes."""
    asked = METERING.to_server[0x08].encode({"sample": 2, "earliest": 1, "sample_type": 0, "count": 41})
    (answer,) = bench.ask(READ_SAMPLES, [Component(METERING.id, 0x01, 0, 0x08, asked)], SUPPLIER)
    if answer.command == 0x0B:
        return 0, []
    fields = METERING.to_client[0x07].decode(answer.payload)
    assert fields["interval"] == SIX_MINUTES
    found = fields["samples"]
    assert isinstance(found, tuple)
    assert isinstance(fields["start"], int)
    return fields["start"], [int(str(one["value"])) for one in found]


@pytest.mark.requirement("GPF-10")
@pytest.mark.requirement("SVC-14.1")
def test_four_hours_give_forty_intervals_whose_volumes_are_the_registers(bench: GasBench) -> None:
    bench.go(100)  # so that intervals lie across half hours
    assert samples(bench) == (0, [])
    start(bench)
    began = int(bench.gsme.now())
    totals = [bench.gsme.register.total]
    for _ in range(FOUR_HOURS // SIX_MINUTES):
        bench.go(SIX_MINUTES)
        totals.append(bench.gsme.register.total)
    at, volumes = samples(bench)
    assert at == began
    assert len(volumes) == 40
    assert volumes == [after - before for before, after in pairwise(totals)]


def test_a_recording_ends_by_itself_and_its_samples_stay(bench: GasBench) -> None:
    start(bench)
    bench.go(FOUR_HOURS)
    _, recorded = samples(bench)
    bench.go(2 * 86_400)
    _, later = samples(bench)
    assert (len(later), later[:40]) == (41, recorded)
    bench.build()
    assert samples(bench)[1] == later


def test_a_new_recording_takes_the_place_of_the_old_one(bench: GasBench) -> None:
    start(bench)
    bench.go(3 * SIX_MINUTES)
    start(bench)
    assert samples(bench) == (0, [])
    bench.go(2 * SIX_MINUTES)
    assert len(samples(bench)[1]) == 2


def test_a_valve_that_closes_within_an_interval_ends_the_flow_there(bench: GasBench) -> None:
    start(bench)
    bench.go(60)
    flowed = bench.gsme.register.total
    bench.gsme.move_valve(0)
    bench.go(600)
    assert samples(bench)[1] == [flowed]


def test_a_recording_may_start_later(bench: GasBench) -> None:
    begin = int(bench.gsme.now()) + 1000
    start(bench, begin)
    bench.go(900)
    assert samples(bench) == (0, [])
    bench.go(100 + SIX_MINUTES)
    assert (samples(bench)[0], len(samples(bench)[1])) == (begin, 1)
