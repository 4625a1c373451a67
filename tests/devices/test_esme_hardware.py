"""An electricity meter under its surroundings: hands on its case, outages, limits; and how late its switches come."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.event_log import LogName
from firmware_emu.gbcs.alert_contents import LimitEnded, LimitProcessed
from firmware_emu.gbcs.axdr import Array, Boolean, LongUnsigned, Unsigned
from firmware_emu.gbcs.dlms import AccessResult, DataNotification
from firmware_emu.gbcs.envelope import Message
from hil.devices import LoadSwitch
from hil.devices.base.tampering import Tampering
from hil.devices.metering.maker import maker as maker_of
from hil.devices.metering.maker import makers
from hil.devices.metering.registers import HOUR_S
from tests.devices.meter_bench import Bench, at_once, day, entry, octets, put, run, season, tariff, week

HALF_WAY = 5000
"""Number of a meter whose offset is half of the limit."""


def sent(bench: Bench, code: int) -> list[Message]:
    """The messages of one code that wait for the hub, oldest first."""
    keys = bench.store.keys(bench.esme.gbcs.prefix + "outbox/")
    messages = [Message.decode(octets) for key in keys if (octets := bench.store.get(key)) is not None]
    return [message for message in messages if message.message_code == code]


@pytest.mark.parametrize(("locked", "state", "told"), [(True, LoadSwitch.DISABLED, [0x81BE]), (False, LoadSwitch.ENABLED, [])])
def test_a_cover_taken_off_locks_the_supply_where_the_supply_tamper_state_says_so(
    device_pki: Keystore, locked: bool, state: LoadSwitch, told: list[int]
) -> None:
    bench = Bench(device_pki)
    assert bench.do(0x0068, [put(1, "0-0:94.44.0.4", 2, Boolean(locked))]) == [AccessResult.SUCCESS]
    bench.esme.tamper(Tampering.TERMINAL_COVER)
    assert bench.esme.load_switch is state
    assert bench.told == told
    assert bench.esme.log_codes(LogName.SECURITY)[-1] == 0x8F76
    bench.esme.restore(Tampering.TERMINAL_COVER)
    assert bench.told == [*told, 0x81C1]
    assert bench.esme.load_switch is state


@pytest.mark.parametrize(("maker", "logged"), [("standard", [0x8F57, 0x8F35]), ("maker-ride-through", [])])
def test_an_outage_is_in_the_power_log_at_the_time_at_which_it_began(device_pki: Keystore, maker: str, logged: list[int]) -> None:
    bench = Bench(device_pki, maker=maker_of(maker))
    start = bench.now
    bench.esme.store.put(bench.esme.gbcs.prefix + "outage", start.to_bytes(4, "big"))
    bench.clock.moved += 0.4 if not logged else 60
    bench.esme._restored()
    entries = bench.esme.gbcs.logs[LogName.POWER].entries()
    assert [one.code for one in entries] == logged
    assert [one.time for one in entries] == [start, start + 60][: len(logged)]


def test_a_limit_of_a_controller_that_ends_or_is_replaced_is_told_with_direction_and_level(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    start, end = bench.now + HOUR_S, bench.now + 2 * HOUR_S

    def limited(level: int) -> list[AccessResult]:
        items = [put(1, "0-0:94.44.121.3", 2, octets(start)), put(1, "0-0:94.44.121.4", 2, octets(end))]
        return bench.do(0x011F, [*items, run(9, "0-0:10.0.107", 1, LongUnsigned(0x1500 + level))])

    assert limited(25) == [AccessResult.SUCCESS] * 3
    assert limited(50) == [AccessResult.SUCCESS] * 3
    (first, second) = sent(bench, 0x0121)
    assert items_of(second) == LimitProcessed(0x15, octets(end).octets, octets(start).octets, 50).items()
    assert items_of(first)[0] == Unsigned(0x15)
    assert len(sent(bench, 0x0122)) == 1, "the one that was replaced"
    bench.go(2 * HOUR_S - 1)
    assert len(sent(bench, 0x0122)) == 1
    bench.go(1)
    assert items_of(sent(bench, 0x0122)[-1]) == LimitEnded(0x15, 0).items()


def items_of(alert: Message) -> tuple[object, ...]:
    """Items of an alert after code and time."""
    return tuple(DataNotification.decode(alert.payload).body.elements[2:])  # type: ignore[attr-defined]


@pytest.mark.parametrize(("first", "last"), [(HOUR_S, HOUR_S), (HOUR_S, 0), (0, 24 * HOUR_S + 1)])
def test_a_period_of_a_controller_that_ends_too_early_or_too_late_is_not_taken_nor_what_follows_it(
    device_pki: Keystore, first: int, last: int
) -> None:
    bench = Bench(device_pki)
    items = [
        put(1, "0-0:94.44.121.3", 2, octets(bench.now + first)),
        put(1, "0-0:94.44.121.4", 2, octets(bench.now + last)),
        run(9, "0-0:10.0.107", 1, LongUnsigned(0x1500)),
    ]
    assert bench.do(0x011F, items) == [AccessResult.SUCCESS, AccessResult.OTHER_REASON, AccessResult.OTHER_REASON]
    assert bench.esme.controls.switches[5].cap is None


@pytest.mark.parametrize(("maker", "switch_late", "tariff_late"), [("standard", True, True), ("e470", True, False)])
def test_the_randomised_offset_delays_the_calendars_that_the_maker_says(
    device_pki: Keystore, maker: str, switch_late: bool, tariff_late: bool
) -> None:
    bench = Bench(device_pki, maker=maker_of(maker), load=lambda half_hour: 3600)
    bench.esme.offset_number = HALF_WAY
    bench.do(0x0048, [put(1, "0-0:94.44.0.1", 2, LongUnsigned(600))])
    calendar = Array((entry(1, "0-0:10.0.103", 0x101, 1), entry(2, "0-0:10.0.103", 0x102, 5)))
    activations = [put(9000, f"0-0:94.44.128.{number}", 6, at_once()) for number in (26, 35)]
    bench.do(0x0054, [put(11, "0-1:11.0.3", 2, Array(())), put(10, "0-1:12.0.2", 2, calendar), *activations])
    bench.do(0x0019, tariff([day(1, {0: 1, 1: 2})], [week(1, (1,) * 7)], [season("all", "07d00101ff", 1)], {1: 10, 2: 20}))
    bench.go(HOUR_S + 299)
    assert (bench.esme.controls.level(1) == 0) is switch_late
    assert bench.esme.metering.settings.tariff.table.at(bench.now)[0] == (1 if tariff_late else 2)
    bench.go(1)
    assert bench.esme.controls.level(1) == 100
    assert bench.esme.metering.settings.tariff.table.at(bench.now)[0] == 2


def test_every_habit_of_a_maker_has_a_source_and_differs_from_the_standard_in_something() -> None:
    assert next(iter(makers())) == "standard"
    assert all(one != makers()["standard"] for name, one in makers().items() if name != "standard")
