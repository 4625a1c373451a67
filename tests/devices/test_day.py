"""A day as data: a home under it uses and suffers what it says."""

from __future__ import annotations

import asyncio
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
