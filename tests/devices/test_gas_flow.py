"""A valve that the consumer opens is watched for gas that flows as if a pipe were open."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.zse.clusters.metering import METERING
from hil.devices import Valve
from tests.devices.gas_bench import GasBench, part, tell

SETTLING_TENTHS, MEASURING_S, LITRES_AN_HOUR = 50, 60, 3600


@pytest.fixture
def bench(device_pki: Keystore) -> GasBench:
    """A litre a second flows whenever the valve lets it."""
    return GasBench(device_pki, load=lambda half_hour: LITRES_AN_HOUR)


def threshold(bench: GasBench, ten_thousandths: int) -> None:
    """GCS24: cubic metres an hour."""
    bench.ask(
        0x007D,
        [
            part(
                METERING,
                "SetUncontrolledFlowThreshold",
                provider=0,
                event=1,
                threshold=ten_thousandths,
                unit=1,
                multiplier=1,
                divisor=10_000,
                stabilisation_period=SETTLING_TENTHS,
                measurement_period=MEASURING_S,
            )
        ],
    )


def opened(bench: GasBench) -> None:
    """The supplier closes and arms the valve, the consumer opens it."""
    for code, state in ((0x0081, 0), (0x0085, 1)):
        bench.ask(code, [part(METERING, "ChangeSupply", provider=0, event=1, requested=0, implementation=0, status=state, control=0)])
    assert bench.gsme.enable_supply()
    bench.alerts()


@pytest.mark.parametrize(
    ("ten_thousandths", "valve", "told"),
    [
        (35_999, Valve.ARMED, [0x81BF]),
        (36_000, Valve.ON, []),
        (0, Valve.ON, []),
    ],
)
def test_flow_above_the_threshold_closes_and_arms_the_valve_again(
    bench: GasBench,
    ten_thousandths: int,
    valve: Valve,
    told: list[int],
) -> None:
    tell(bench, 0x81BF)
    threshold(bench, ten_thousandths)
    opened(bench)
    before = bench.gsme.register.total
    bench.go(SETTLING_TENTHS // 10 + MEASURING_S - 1)
    assert bench.gsme.valve is Valve.ON
    bench.build()
    bench.go(3600)
    assert (bench.gsme.valve, bench.alerts()) == (valve, told)
    if valve is Valve.ARMED:
        assert bench.gsme.register.total - before == SETTLING_TENTHS // 10 + MEASURING_S


def test_a_valve_that_was_open_all_along_is_not_watched(bench: GasBench) -> None:
    tell(bench, 0x81BF)
    threshold(bench, 1)
    bench.go(3600)
    assert (bench.gsme.valve, bench.alerts()) == (Valve.ON, [])
