"""A day as data: a home under it uses and suffers what it says."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.event_log import LogName
from firmware_emu.errors import BoardError
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.bench.day import Day, check_day, live, load_day, read_day
from hil.devices import Gsme, LoadSwitch
from hil.devices.metering.registers import DAY_S, HOUR_S
from tests.devices.hub_in_memory import MemoryHan
from tests.devices.meter_bench import PARTIES, Bench
from tests.devices.prepaying_meter import POUND, prepaying

GSME = Eui64.parse("00db1234567890a1")


def a_day_of(bench: Bench, gsme: Gsme, day: Day) -> None:
    """The meters live for a day, and are switched off."""

    async def main() -> None:
        devices = {"esme": bench.esme, "gsme": gsme}
        check_day(day, devices)
        for device in devices.values():
            await device.start()
        life = asyncio.create_task(live(day, devices, bench.clock))
        await bench.clock.sleep(DAY_S)
        life.cancel()
        bench.esme.update()
        gsme.update()
        for device in devices.values():
            await device.stop()

    bench.clock.run(main())


def test_a_day_of_trouble_does_to_the_meters_what_it_says(device_pki: Keystore) -> None:
    day = load_day("trouble")
    bench = prepaying(device_pki, 100 * POUND, price=10_000)
    load = day.load("esme")
    assert load is not None
    bench.esme.registers.active_import.load = load
    gsme = Gsme(GSME, InstallCode(bytes(16)), device_pki, MemoryHan(GSME).node(GSME), bench.clock, Trace(bench.clock.now), PARTIES)
    a_day_of(bench, gsme, day)
    # a kilowatt flows until half past three and a second, when five pence at ten pence a kWh are used up; but for five minutes' outage
    assert bench.esme.registers.active_import.parts == 1000 * (15 * HOUR_S + 1801 - 300)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    assert bench.told.count(0x8F0F) == 1
    assert 0x8F76 in bench.esme.log_codes(LogName.SECURITY)
    assert 0x8F1F in [code for name in LogName for code in gsme.log_codes(name)]
    told = [record.detail["what"] for record in bench.records if record.event == "happened"]
    assert told == ["voltage", "terminal cover removed", "outage", "credit"]


def test_an_ordinary_day_is_the_sum_of_its_half_hours(device_pki: Keystore) -> None:
    day = load_day("weekday")
    load, flow = day.load("esme"), day.load("gsme")
    assert load is not None
    assert flow is not None
    bench = Bench(device_pki, load=load, start=datetime(2026, 1, 5, tzinfo=UTC))
    node, trace = MemoryHan(GSME).node(GSME), Trace(bench.clock.now)
    gsme = Gsme(GSME, InstallCode(bytes(16)), device_pki, node, bench.clock, trace, PARTIES, load=flow)
    a_day_of(bench, gsme, day)
    assert [period.amount for period in bench.esme.registers.active_import.profile] == [load(half_hour) // 2 for half_hour in range(48)]
    assert gsme.register.parts == sum(flow(half_hour) * 1800 for half_hour in range(48))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[esme]\nimport = [1]", "source"),
        ('source = "x"\n[esme]\nimport = [1, 2]', "esme.import"),
        ('source = "x"\n[esme]\nheat = [1]', "esme.heat"),
        ('source = "x"\n[[event]]\nat = "12:00"\ndevice = "esme"\nwhat = "earthquake"', "event.0.what"),
        ('source = "x"\n[[event]]\nat = "noon"\ndevice = "esme"\nwhat = "tampering"', "event.0.at"),
        ('source = "x"\n[[event]]\nat = "12:00"\ndevice = "esme"\nwhat = "outage"', "event.0.minutes"),
        ('source = "x"\nevent = 3', "event"),
        ("nonsense", ""),
    ],
)
def test_a_day_that_makes_no_sense_is_refused_by_file_and_key(text: str, key: str) -> None:
    with pytest.raises(BoardError) as refused:
        read_day(text, "mine.toml")
    assert (refused.value.file, refused.value.key) == ("mine.toml", key)


def test_an_event_must_have_a_device_that_can_suffer_it(device_pki: Keystore, tmp_path: Path) -> None:
    path = tmp_path / "day.toml"
    path.write_text('source = "x"\n[[event]]\nat = "12:00"\ndevice = "toaster"\nwhat = "voltage"\nvalue = 250\n')
    with pytest.raises(BoardError, match="'toaster': expected esme"):
        check_day(load_day(str(path)), {"esme": Bench(device_pki).esme})
    with pytest.raises(BoardError, match="expected a path, or one of trouble, weekday"):
        load_day("doomsday")


def _day(event: str) -> Day:
    return read_day(f'source = "x"\n[[event]]\n{event}', "d")


def test_an_event_is_at_its_second_of_the_day_and_lasts_its_minutes() -> None:
    first, last = _day(
        'at = "13:05:07"\ndevice = "esme"\nwhat = "outage"\nminutes = 2\n'
        '[[event]]\nat = "00:01"\ndevice = "esme"\nwhat = "voltage"\nvalue = 253'
    ).events
    assert (last.at, last.lasts, last.value) == (13 * 3600 + 5 * 60 + 7, 120, 0)
    assert (first.at, first.lasts, first.value, first.what, first.device) == (60, None, 253, "voltage", "esme")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ('at = "1:00"\ndevice = "esme"\nwhat = "credit"', "event.0.at"),
        ('at = "01:00"\ndevice = "esme"\nwhat = "outage"', "missing: an outage ends"),
        ('at = "01:00"\ndevice = "esme"\nwhat = "outage"\nminutes = 0', "minutes 1 or more"),
        ('at = "01:00"\ndevice = "esme"\nwhat = "credit"\nvalue = true', "whole numbers"),
        ('at = "01:00"\ndevice = "esme"\nwhat = "credit"\nmore = 1', "expected a table of at, device, minutes, value, what"),
        ('at = "01:00"\ndevice = "esme"\nwhat = "flood"', "read 'flood'"),
    ],
)
def test_an_event_that_is_none_is_told_with_its_key(event: str, told: str) -> None:
    with pytest.raises(BoardError, match=re.escape(told)):
        _day(event)


@pytest.mark.parametrize(("figures", "good"), [([0] * 48, True), ([0] * 47, False), ([0] * 49, False), ([-1] + [0] * 47, False)])
def test_a_load_has_48_figures_of_nought_or_more(figures: list[int], good: bool) -> None:
    text = f'source = "x"\n[esme]\nimport = {figures}'
    if good:
        load = read_day(text, "d").load("esme")
        assert load is not None
        assert load(47) == 0
        assert read_day(text, "d").load("esme", "export") is None
    else:
        with pytest.raises(BoardError, match="expected 48 whole figures of 0 or more"):
            read_day(text, "d")


def test_an_event_is_refused_where_its_device_cannot_suffer_it(device_pki: Keystore) -> None:
    bench = Bench(device_pki)
    gsme = Gsme(GSME, InstallCode(bytes(16)), device_pki, MemoryHan(GSME).node(GSME), bench.clock, Trace(bench.clock.now), PARTIES)
    devices = {"esme": bench.esme, "gsme": gsme}
    check_day(_day('at = "01:00"\ndevice = "gsme"\nwhat = "credit"'), devices)
    for event, told in (
        ('device = "gsme"\nwhat = "voltage"', "voltage cannot happen to 'gsme': expected esme"),
        ('device = "ppmid"\nwhat = "credit"', "credit cannot happen to 'ppmid': expected esme, gsme"),
    ):
        with pytest.raises(BoardError, match=told):
            check_day(_day('at = "01:00"\n' + event), devices)
    with pytest.raises(BoardError, match="expected none here"):
        check_day(_day('at = "01:00"\ndevice = "gsme"\nwhat = "credit"'), {})
