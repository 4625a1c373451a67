"""Events at a gas meter by itself or by hand, and its alerts: billing, tampering, the battery, wrong tokens, an armed valve."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, KeyUsage
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.utrn import ValueClass, make_utrn
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.clusters.price import PRICE
from hil.devices import Valve
from hil.devices.base.tampering import Tampering
from hil.devices.gsme.hardware import LOW_BATTERY_DAYS, NEW_BATTERY_DAYS
from hil.devices.metering.keypad import PAUSE_S, TRIES
from tests.devices.device_home import SUPPLIER
from tests.devices.gas_bench import GSME, GasBench, part, tell

DAY_S = 86_400


@pytest.fixture
def bench(device_pki: Keystore) -> GasBench:
    return GasBench(device_pki, load=lambda half_hour: 1800)


@pytest.mark.clause("RTDS GCS53")
def test_the_end_of_a_billing_period_is_pushed_to_the_supplier_with_its_snapshot(bench: GasBench) -> None:
    bench.ask(0x007E, [part(PRICE, "PublishBillingPeriod", provider=0, event=1, start=0, duration=1, duration_type=0x22, tariff_type=0)])
    bench.go(8 * DAY_S, DAY_S)
    waiting = bench.gsme.outbox.first()
    assert waiting is not None
    alert = Message.decode(waiting[1])
    assert (alert.message_code, alert.header.recipient) == (0x008B, SUPPLIER)
    protect.check_signature(alert, bench.keystore.public_key(GSME, KeyUsage.DIGITAL_SIGNATURE))
    octets = alert.payload
    assert octets[:5] == bytes.fromhex("0109018f0a")
    assert octets[9:21] == bytes.fromhex("030702006000001900060059"), "one encrypted component, as the reference has it"
    z = bench.keystore.shared_secret(GSME, SUPPLIER)
    plain = protect.decrypt(octets[21:], z, originator=GSME, counter=alert.header.counter, recipient=SUPPLIER)
    head = METERING.to_client[0x06].decode(plain)
    assert head["cause"] == 2
    snapshot = GB_SNAPSHOT.decode(plain[16:])
    days = (int(str(head["time"])) - int(bench.start.timestamp() - 946_684_800)) // DAY_S
    assert snapshot["summation"] == days * 24 * 1800
    assert len(bench.alerts()) == 1


@pytest.mark.parametrize(("state", "valve", "told"), [(0, Valve.OFF, [0x8F74, 0x81BE]), (3, Valve.ON, [0x8F74])])
def test_a_cover_taken_off_is_told_and_locks_the_valve_where_the_supply_tamper_state_says_so(
    bench: GasBench,
    state: int,
    valve: Valve,
    told: list[int],
) -> None:
    tell(bench, 0x81BE, 0x81B9)
    bench.ask(0x007D, [part(METERING, "SetSupplyStatus", event=1, tamper=state, depletion=3, uncontrolled_flow=0, load_limit=0)])
    bench.gsme.hardware.tamper(Tampering.METER_COVER)
    assert (bench.gsme.valve, bench.alerts()) == (valve, told)
    assert 0x8F74 in bench.gsme.log_codes(LogName.SECURITY)
    bench.gsme.hardware.restore(Tampering.METER_COVER)
    assert (bench.gsme.valve, bench.alerts()) == (valve, [0x81B9])


def test_a_low_battery_is_told_once_and_read_in_days(bench: GasBench) -> None:
    hardware = bench.gsme.hardware
    assert bench.gsme.model.number(0x0702, 0x0205) == NEW_BATTERY_DAYS
    for days in (LOW_BATTERY_DAYS, LOW_BATTERY_DAYS - 1, LOW_BATTERY_DAYS - 2):
        hardware.wear(days)
    assert bench.alerts() == [0x8F1F]
    bench.build()
    assert bench.gsme.model.number(0x0702, 0x0205) == LOW_BATTERY_DAYS - 2
    bench.gsme.hardware.change_battery()
    assert bench.gsme.model.number(0x0702, 0x0205) == NEW_BATTERY_DAYS
    assert bench.gsme.log_codes(LogName.SECURITY)[-1] == 0x8F82


def token(bench: GasBench, counter: int, pounds: int = 5) -> str:
    z = bench.keystore.shared_secret(SUPPLIER, GSME, CellUsage.PREPAYMENT_TOP_UP)
    return make_utrn(z, supplier=SUPPLIER, meter=GSME, counter=counter << 32, value=pounds, value_class=ValueClass.POUNDS)


def test_wrong_tokens_suspend_the_keypad_for_a_while_and_a_good_one_counts_anew(bench: GasBench) -> None:
    tell(bench, 0x81C4, 0x81C5, 0x810E)
    wrong = make_utrn(bytes(32), supplier=SUPPLIER, meter=GSME, counter=9 << 32, value=5)
    for _ in range(TRIES - 1):
        assert not bench.gsme.enter_token(wrong)
    assert bench.gsme.enter_token(token(bench, 3))
    assert bench.alerts() == [0x810E]
    for _ in range(TRIES):
        assert not bench.gsme.enter_token(wrong)
    assert bench.alerts() == [0x81C4]
    bench.build()
    assert not bench.gsme.enter_token(token(bench, 4))
    assert bench.alerts() == [0x81C5]
    bench.go(PAUSE_S)
    assert bench.gsme.enter_token(token(bench, 4))
    assert bench.gsme.model.number(0x0705, 0x0001) == 1_000_000


def test_an_armed_valve_is_told_and_a_closed_one_is_not(bench: GasBench) -> None:
    def supply(code: int, state: int) -> None:
        bench.ask(code, [part(METERING, "ChangeSupply", provider=0, event=1, requested=0, implementation=0, status=state, control=0)])

    supply(0x0081, 0)
    assert bench.alerts() == []
    supply(0x0085, 1)
    assert (bench.gsme.valve, bench.alerts()) == (Valve.ARMED, [0x8F32])


def test_of_a_token_over_a_limit_nothing_is_credited_and_the_supplier_is_not_told_of_credit(bench: GasBench) -> None:
    tell(bench, 0x810E)
    bench.gsme.model.set(0x0705, 0x0022, 100_000)
    assert not bench.gsme.enter_token(token(bench, 3))
    assert bench.alerts() == []
    assert bench.gsme.log_codes(LogName.SECURITY)[-1] == 0x8F5B
