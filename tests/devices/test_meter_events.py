"""Events of the electricity meter that the alert rows name: a phase that is out, a supply that is armed, and when they are noticed."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs.axdr import DoubleLongUnsigned
from hil.devices import Esme, LoadSwitch
from hil.devices.esme.variant import POLYPHASE
from hil.devices.metering.registers import DAY_S
from tests.devices.device_home import Home
from tests.devices.meter_bench import Bench, put
from tests.devices.prepaying_meter import POUND, adjust, configuration, prepaying, top_up


@pytest.mark.parametrize(
    ("phase", "seconds", "codes"),
    [
        (1, 60, [0x8F58, 0x8F37]),
        (1, 180, [0x8F58, 0x8F38]),
        (2, 179, [0x8F59, 0x8F39]),
        (2, 600, [0x8F59, 0x8F3A]),
        (3, 1, [0x8F5A, 0x8F3B]),
        (3, 200, [0x8F5A, 0x8F3C]),
    ],
)
def test_a_phase_that_was_out_is_logged_and_its_return_told_by_the_length_of_the_outage(
    device_pki: Keystore,
    phase: int,
    seconds: int,
    codes: list[int],
) -> None:
    bench = Bench(device_pki, variant=POLYPHASE)
    bench.esme.set_voltage(0, phase)
    bench.build()
    bench.go(seconds)
    bench.esme.set_voltage(230, phase)
    assert bench.esme.log_codes(LogName.POWER) == codes


def test_a_meter_of_one_phase_has_no_outage_of_a_phase(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.esme.set_voltage(0)
    bench.go(60)
    bench.esme.set_voltage(230)
    assert bench.told == []


def test_credit_arms_the_supply_and_tells_it_and_emergency_credit_by_its_own_event(device_pki: Keystore) -> None:
    bench = prepaying(device_pki, POUND)
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=2 * POUND))
    bench.go(DAY_S)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    assert bench.esme.activate_emergency_credit()
    assert bench.told[-1] == 0x8168
    assert 0x8F32 not in bench.told
    bench.do(0x001C, adjust(-20 * POUND))
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    top_up(bench, 40, 3)
    assert (bench.esme.load_switch, bench.told[-1]) == (LoadSwitch.ARMED, 0x8F32)


async def test_a_swell_is_told_after_its_period_although_nobody_asks_the_meter(home: Home) -> None:
    bench = Bench(home.keystore)
    bench.esme = esme = Esme(*home.parts(DeviceType.ESME))
    bench.do(0x0045, [put(71, "0-0:17.0.4", 4, DoubleLongUnsigned(253)), put(71, "0-0:17.0.4", 6, DoubleLongUnsigned(60))])
    await esme.start()
    await home.clock.sleep(10)
    esme.set_voltage(255)
    await home.clock.sleep(59)
    assert esme.log_codes(LogName.POWER) == []
    await home.clock.sleep(2)
    assert esme.log_codes(LogName.POWER) == [0x8024]
    await esme.stop()
