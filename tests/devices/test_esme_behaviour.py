"""Load limit, voltage, maximum demand, switches, boost, privacy and billing of the electricity meter."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.event_log import LogName
from firmware_emu.device.joining import ServedTime
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.axdr import Array, Boolean, CompactArray, DoubleLongUnsigned, Integer, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessResult, Choice, DataNotification, Protected, open_protected
from firmware_emu.gbcs.envelope import Message
from hil.devices import Esme, LoadSwitch
from hil.devices.esme.variant import POLYPHASE, VARIANTS, EsmeVariant
from hil.devices.metering.registers import DAY_S, HOUR_S
from tests.devices.device_home import SUPPLIER, Home
from tests.devices.meter_bench import Bench, Item, at_once, entry, flat, limit, octets, put, run
from tests.devices.prepaying_meter import adjust, prepayment_mode


def test_power_above_the_limit_opens_the_switch_for_the_restoration_period(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 8000 if half_hour == 2 else 1000)
    bench.do(0x0043, limit(6900, 300, 30, disables=True))
    bench.go(HOUR_S + 299)
    assert bench.esme.load_switch is LoadSwitch.ENABLED
    bench.go(1)
    assert (bench.esme.load_switch, bench.told) == (LoadSwitch.ARMED, [0x8F01, 0x8F33])
    bench.go(30)
    assert (bench.esme.load_switch, bench.told[-1]) == (LoadSwitch.ENABLED, 0x8F34)
    bench.go(3 * HOUR_S)
    # 1800 s above the limit: trips after 300 s, rests for 30 s, and so on: 330 s a turn, five turns
    assert bench.read(3, "0-0:94.44.42") == DoubleLongUnsigned(5)
    assert bench.esme.registers.active_import.parts == 1000 * (HOUR_S + 3 * HOUR_S + 330 - 1800) + 8000 * (1800 - 5 * 30)
    bench.do(0x0044, [run(3, "0-0:94.44.42", 1, Integer(0))])
    assert bench.read(3, "0-0:94.44.42") == DoubleLongUnsigned(0)


def test_a_limit_that_leaves_supply_unchanged_only_counts_and_tells(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 8000 if half_hour == 2 else 1000)
    bench.do(0x0043, limit(6900, 300, 30, disables=False))
    bench.go(2 * HOUR_S)
    assert (bench.esme.load_switch, bench.told) == (LoadSwitch.ENABLED, [0x8F01])


def test_a_supply_that_somebody_disabled_meanwhile_is_not_restored(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 8000)
    bench.do(0x0043, limit(6900, 300, 60, disables=True))
    bench.go(310)
    assert bench.esme.load_switch is LoadSwitch.ARMED
    bench.do(0x0050, [run(9, "0-0:10.0.106", 1, LongUnsigned(0x34))])
    bench.go(HOUR_S)
    assert bench.esme.load_switch is LoadSwitch.DISABLED


def voltage_settings(group: int = 32) -> list[Item]:
    extremes = ((1, 260, 30), (2, 190, 30), (3, 207, 60), (4, 253, 60))
    return [
        put(7, f"1-0:{group}.24.0", 4, DoubleLongUnsigned(600)),
        put(1, f"1-0:{group}.35.0.4", 2, DoubleLongUnsigned(250)),
        put(1, f"1-0:{group}.31.0.4", 2, DoubleLongUnsigned(210)),
        *(put(71, f"0-0:17.0.{place}", 4, DoubleLongUnsigned(volts)) for place, volts, _ in extremes),
        *(put(71, f"0-0:17.0.{place}", 6, DoubleLongUnsigned(seconds)) for place, _, seconds in extremes),
    ]


def test_a_swell_is_told_after_its_period_and_again_on_return(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x0045, voltage_settings())
    bench.go(100)
    bench.esme.set_voltage(255)
    bench.go(59)
    assert bench.told == []
    bench.go(1)
    assert bench.told == [0x8024]
    bench.esme.set_voltage(230)
    bench.go(61)
    assert bench.told == [0x8024, 0x8091]
    assert bench.esme.log_codes(LogName.POWER) == [0x8024, 0x8091]


def test_a_dip_shorter_than_the_period_is_nothing(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x0045, voltage_settings())
    bench.esme.set_voltage(200)
    bench.go(59)
    bench.esme.set_voltage(230)
    bench.go(600)
    assert bench.told == []


def test_averages_are_logged_counted_on_crossing_and_told(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.do(0x0045, voltage_settings())
    bench.go(600)
    bench.esme.set_voltage(252)
    bench.go(1500)
    bench.esme.set_voltage(240)
    bench.go(900)
    log = [record[1] for record in bench.esme.metering.phases[0].log]
    assert log == [230, 252, 252, 246, 240]
    assert bench.told == [0x8002, 0x8085]
    assert bench.read(3, "1-0:32.36.0.4") == DoubleLongUnsigned(1)
    bench.do(0x00D3, [run(3, "1-0:32.36.0.4", 1, Integer(0))])
    assert bench.read(3, "1-0:32.36.0.4") == DoubleLongUnsigned(0)


def test_a_polyphase_meter_tells_which_phase_it_was(device_pki: Keystore) -> None:
    bench = Bench(device_pki, variant=POLYPHASE)
    bench.do(0x0045, voltage_settings(52))
    bench.esme.set_voltage(180, phase=2)
    bench.go(30)
    assert bench.told == [0x802A]
    bench.go(570)
    assert bench.told[1:] == [0x802E, 0x8008]


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_meter_has_the_objects_of_its_elements_and_phases_alone(device_pki: Keystore, variant: EsmeVariant) -> None:
    bench = Bench(device_pki, variant=variant)

    def get(class_id: int, obis: str, attribute: int) -> Item:
        return Choice.GET, class_id, obis, attribute, Null()

    reads = (get(113, "0-0:19.20.5", 5), get(3, "0-0:94.44.1.8", 2), get(20, "0-0:13.0.1", 5), get(3, "1-0:52.32.0.4", 2))
    there = [bench.do(0x00BD, [one]) == [AccessResult.SUCCESS] for one in reads]
    assert there == [variant.elements > 1] * 3 + [variant.phases > 1]
    assert bench.do(0x00BD, [get(3, "1-0:32.32.0.4", 2), get(3, "0-0:94.44.1.7", 2)]) == [AccessResult.SUCCESS] * 2


def test_maximum_demand_is_the_largest_half_hour_all_day_and_in_its_window(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: {10: 5000, 30: 3000}.get(half_hour, 500))
    window = Array((entry(1, "0-0:10.0.100", 1, 12), entry(2, "0-0:10.0.100", 2, 20)))
    assert bench.do(0x004A, [put(10, "0-0:12.0.0", 2, window)]) == [AccessResult.SUCCESS]
    start = bench.now
    bench.go(DAY_S)
    assert bench.read(4, "1-0:1.6.0") == DoubleLongUnsigned(5000)
    assert bench.read(4, "1-0:1.6.0", 5) == octets(start + 11 * 1800)
    assert bench.read(4, "1-0:1.6.1") == DoubleLongUnsigned(3000)
    bench.do(0x004B, [run(4, "1-0:1.6.0", 1, Integer(0)), run(4, "1-0:1.6.1", 1, Integer(0))])
    assert bench.read(4, "1-0:1.6.0") == DoubleLongUnsigned(0)
    assert bench.read(1, "0-0:94.44.5.1") == octets(bench.now)
    bench.go(HOUR_S)
    assert bench.read(4, "1-0:1.6.0") == DoubleLongUnsigned(500)


def test_switches_follow_their_calendar_overrides_and_limits(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    calendar = Array((entry(1, "0-0:10.0.103", 0x101, 1), entry(2, "0-0:10.0.103", 0x102, 5)))
    bench.do(
        0x0054,
        [
            put(11, "0-1:11.0.3", 2, Array(())),
            put(10, "0-1:12.0.2", 2, calendar),
            put(9000, "0-0:94.44.128.26", 6, at_once()),
            put(9000, "0-0:94.44.128.35", 6, at_once()),
        ],
    )
    assert bench.read(70, "0-1:96.3.10") == Boolean(False)
    bench.go(2 * HOUR_S)
    assert bench.read(70, "0-1:96.3.10") == Boolean(True)
    bench.do(0x0055, [put(1, "0-0:94.44.117.2", 2, LongUnsigned(30)), run(9, "0-0:10.0.103", 1, LongUnsigned(0x112))])
    assert bench.read(70, "0-1:96.3.10") == Boolean(False)
    bench.go(1800)
    assert bench.read(70, "0-1:96.3.10") == Boolean(True)
    bench.do(0x0055, [put(1, "0-0:94.44.117.2", 2, LongUnsigned(600)), run(9, "0-0:10.0.103", 1, LongUnsigned(0x112))])
    assert bench.do(0x0055, [run(9, "0-0:10.0.103", 1, LongUnsigned(0x120))]) == [AccessResult.SUCCESS]
    assert bench.read(70, "0-1:96.3.10") == Boolean(True)
    bench.go(3 * HOUR_S)
    assert bench.read(70, "0-1:96.3.10") == Boolean(False)
    codes = (0x111, 0x112, 0x111, 0x112, 0x111, 0x112)
    log = bench.read(7, "0-17:99.98.2")
    assert isinstance(log, CompactArray)
    assert [one[1] for one in log.elements] == [LongUnsigned(code) for code in codes]  # type: ignore[index]
    assert bench.do(0x0055, [run(9, "0-0:10.0.103", 1, LongUnsigned(0x911))]) == [AccessResult.OBJECT_UNAVAILABLE]


def test_a_controller_holds_its_level_in_its_period_and_no_more_than_its_limit(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    start, end = octets(bench.now + HOUR_S), octets(bench.now + 3 * HOUR_S)
    bench.do(
        0x011E,
        [
            put(1, "0-0:94.44.121.1", 2, start),
            put(1, "0-0:94.44.121.2", 2, end),
            run(9, "0-0:10.0.103", 1, LongUnsigned(0x1500 + 70)),
        ],
    )
    bench.do(
        0x011F,
        [
            put(1, "0-0:94.44.121.3", 2, octets(bench.now + 2 * HOUR_S)),
            put(1, "0-0:94.44.121.4", 2, end),
            run(9, "0-0:10.0.107", 1, LongUnsigned(0x1500 + 25)),
        ],
    )
    levels = []
    for _ in range(4):
        levels.append(bench.esme.controls.level(5))
        bench.go(HOUR_S)
    assert levels == [0, 70, 25, 0]
    assert bench.esme.outbox.first() is not None


def test_boost_closes_what_it_controls_and_is_logged(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    assert bench.esme.controls.boost(15) is False
    bench.do(0x005F, [put(1, f"0-0:94.44.6.{number}", 2, Boolean(number < 3)) for number in range(1, 6)])
    assert bench.esme.controls.boost(61) is False
    assert bench.esme.controls.boost(15)
    assert [bench.esme.controls.level(number) for number in range(1, 6)] == [100, 100, 0, 0, 0]
    assert bench.esme.controls.boost(15) is False
    bench.go(15 * 60)
    assert bench.esme.controls.level(1) == 0
    for _ in range(30):
        bench.esme.controls.boost(1)
        bench.go(120)
    assert len(bench.read(7, "0-0:99.98.20").elements) == 25  # type: ignore[attr-defined]


def test_a_change_of_tenancy_hides_what_came_before_from_the_consumer_alone(device_pki: Keystore) -> None:
    bench = Bench(device_pki, load=lambda half_hour: 1000)
    bench.go(3 * DAY_S)
    assert (len(bench.esme.consumer.days()), len(bench.esme.consumer.half_hours())) == (3, 144)
    bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(bench.now - DAY_S - HOUR_S))])
    assert (len(bench.esme.consumer.days()), len(bench.esme.consumer.half_hours())) == (1, 50)
    bench.do(0x0022, [put(1, "0-0:94.44.3.2", 2, octets(bench.now))])
    assert (bench.esme.consumer.days(), bench.esme.consumer.half_hours()) == ([], [])
    assert len(bench.read(7, "0-0:99.1.0").elements) == 144  # type: ignore[attr-defined]


def test_the_supplier_takes_the_consumer_s_pin_away(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    bench.esme.set_privacy_pin("1234")
    bench.build()
    assert bench.esme.pin_protected
    assert bench.do(0x0023, [put(1, "0-0:94.44.3.1", 2, OctetString(b""))]) == [AccessResult.SUCCESS]
    assert not bench.esme.pin_protected


@pytest.mark.parametrize(
    ("date", "ends"),
    [
        ("ffffffffff", ["01-01 02", "01-02 02", "01-03 02"]),
        ("ffffffff05", ["01-02 02", "01-09 02", "01-16 02"]),
        ("ffffff01ff", ["01-01 02", "02-01 02", "03-01 02"]),
    ],
)
def test_a_billing_calendar_fills_the_billing_log(device_pki: Keystore, date: str, ends: list[str]) -> None:
    bench = Bench(device_pki)
    calendar = Array((Structure((OctetString(bytes((2, 0, 0, 0))), OctetString(bytes.fromhex(date)))),))
    bench.do(0x0046, [put(22, "0-0:15.0.0", 4, calendar)])
    bench.go(75 * DAY_S, DAY_S)
    moments = [EPOCH + timedelta(seconds=record[0]) for record in bench.esme.metering.logs.billing]
    days = [moment.strftime("%m-%d %H") for moment in moments]
    assert days == ends if date == "ffffff01ff" else len(days) in (11, 12)
    assert len({b - a for a, b in pairwise(moments)}) == (2 if date == "ffffff01ff" else 1)


async def test_the_supplier_is_told_of_the_end_of_a_billing_period_with_its_entry(home: Home) -> None:
    esme = Esme(*home.parts(DeviceType.ESME))
    await esme.start()
    await esme.join()
    await home.hub.open(esme.eui64)
    await home.answer()
    calendar = Array((Structure((OctetString(bytes((12, 0, 0, 0))), OctetString(b"\xff" * 5))),))
    esme.model.write((22, bytes.fromhex("00000f0000ff"), 4), calendar)
    esme.settings_changed()
    await home.clock.sleep(3 * HOUR_S)
    alert: Message = await home.answer()
    assert (alert.message_code, alert.header.recipient) == (0x0061, SUPPLIER)
    body = DataNotification.decode(alert.payload).body
    assert body[0] == LongUnsigned(0x8F0A)  # type: ignore[index]
    protected = Protected.of(body.elements[2:])  # type: ignore[attr-defined]
    assert protected is not None
    z = home.keystore.shared_secret(esme.eui64, SUPPLIER)
    plain = protect.decrypt(protected.octets, z, originator=esme.eui64, counter=alert.header.counter, recipient=SUPPLIER)
    log = open_protected(plain)[0]
    assert isinstance(log, CompactArray)
    assert len(log.elements) == 1
    assert log.elements[0][1] == DoubleLongUnsigned(next(iter(esme.metering.logs.billing))[1])  # type: ignore[index]
    await esme.stop()


async def test_credit_runs_out_at_its_second_while_nobody_asks(home: Home) -> None:
    bench = Bench(home.keystore)
    bench.esme = esme = Esme(*home.parts(DeviceType.ESME), load=lambda half_hour: 3600)
    await esme.start()
    bench.do(0x0019, flat(10_000))
    bench.do(0x001C, adjust(20_000))
    bench.do(0x001B, prepayment_mode())
    await home.clock.sleep(1990)
    assert esme.load_switch is LoadSwitch.ENABLED
    await home.clock.sleep(12)
    assert esme.load_switch is LoadSwitch.DISABLED
    assert esme.registers.active_import.parts == 3600 * 2001
    await esme.stop()


async def test_an_adjusted_clock_neither_makes_nor_loses_energy(home: Home) -> None:
    esme = Esme(*home.parts(DeviceType.ESME), load=lambda half_hour: 3600)
    await esme.start()
    start = home.clock.now()
    esme.hub_time = ServedTime(7, True)  # the hub's clock is 7 s ahead of the bench's
    await home.clock.sleep(100)
    assert esme.set_clock(start, start + 1000)
    await home.clock.sleep(100)
    esme.update()
    assert esme.registers.active_import.parts in (3600 * 199, 3600 * 200)
    assert esme.registers.active_import.until == int(home.clock.now()) + 7
    await esme.stop()


@pytest.mark.parametrize(
    ("limit_s", "number", "offset"), [(0, 5648, 0), (1799, 5648, 1016), (1799, 10_000, 1799), (1799, 1, 0), (1799, 3, 1)]
)
def test_the_randomised_offset_is_the_meter_s_share_of_the_limit(device_pki: Keystore, limit_s: int, number: int, offset: int) -> None:
    bench = Bench(device_pki)
    bench.esme.offset_number = number
    bench.do(0x0048, [put(1, "0-0:94.44.0.1", 2, LongUnsigned(limit_s))])
    assert bench.read(1, "0-0:94.44.0.0") == LongUnsigned(offset)
