"""A hub whose dongle has a radio below 1 GHz: duty cycle states, suspended clients, moves, and the gas meter that is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.event_log import EventLog, LogName
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.axdr import OctetString, Structure, Unsigned
from firmware_emu.gbcs.dlms import Choice, DataNotification, Specification, parse_obis
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.hub.device_log import RegisteredType
from firmware_emu.hub.profile import standard_profile
from firmware_emu.hub.sub_ghz import ScanOutcome
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from hil.radio.air.phy import sub_ghz
from hil.radio.nodes.memory_han import DualBandRadio
from tests.hub.hub_bench import CHF, CONFIG, ESME, GPF, GSME, PPMID, Bench, GasMeter, Meter, add_device, codes

SCAN = parse_obis("0-0:94.44.10.1")
HERE, THERE = sub_ghz(28, 0), sub_ghz(28, 1)
HOUR_S, DAY_S = 3600, 86_400
LOOK_S = 400


class BusyRadio(DualBandRadio):
    """Its duty cycle is what a test says."""

    spent: tuple[int, dict[Eui64, int]] = (0, {})

    async def sub_ghz_duty_cycle(self) -> tuple[int, dict[Eui64, int]]:
        return self.spent


@pytest.fixture
async def bench(hub_keystore: Keystore, clock: Clock) -> AsyncIterator[Bench]:
    made = Bench(hub_keystore, clock, config=replace(CONFIG, profile=replace(standard_profile(), sub_ghz_devices=2)))
    made.radio = BusyRadio(made.han, GPF)
    async with made.running():
        yield made


async def below(bench: Bench, device: Eui64) -> Meter:
    """A Device of the log that joins below 1 GHz."""
    assert codes(await bench.ask(add_device(bench, device, RegisteredType.GSME if device == GSME else RegisteredType.ESME))) == [0, 0, 0]
    meter = GasMeter(bench) if device == GSME else Meter(bench, device)
    meter.zcl.add_endpoint(SimpleDescriptor(2, 0x0501, (0x0702,), (SUB_GHZ.id,)))
    meter.node.sub_ghz = HERE
    await meter.join()
    await bench.clock.sleep(LOOK_S)
    return meter


async def spends(bench: Bench, hundredths: int, by: dict[Eui64, int]) -> None:
    assert isinstance(bench.radio, BusyRadio)
    bench.radio.spent = (hundredths, by)
    await bench.clock.sleep(LOOK_S)


def body(bench: Bench, code: int) -> list[object]:
    """Contents of the alerts of that code."""
    found = []
    for alert in bench.alerts(code):
        payload = decode_payload(alert)
        assert isinstance(payload, DataNotification)
        assert isinstance(payload.body, Structure)
        found.append(payload.body.elements[2])
    return found


def logged(bench: Bench) -> list[int]:
    log = EventLog(bench.store, f"device/{CHF}/", LogName.EVENT)
    return [entry.code for entry in log.entries()]


@pytest.mark.clause("RTDS DBCH06")
async def test_over_the_first_threshold_the_most_talkative_client_is_suspended_and_its_frames_are_answered_with_for_how_long(
    bench: Bench,
) -> None:
    gas, power = await below(bench, GSME), await below(bench, ESME)
    told: list[int] = []
    power.zcl.serve(2, SUB_GHZ.id, lambda incoming: told.append(incoming.frame.payload[0]) or None, server=False)  # type: ignore[func-returns-value]
    await spends(bench, 150, {ESME: 100, GSME: 50})
    assert body(bench, 0x8F20) == [OctetString(ESME.octets)]
    (endpoint,) = await gas.node.match_descriptors(GPF, SUB_GHZ.id, server=True)
    asked = await power.zcl.request(GPF, endpoint, SUB_GHZ.id, 0x00, source_endpoint=2)
    assert 0 < asked.payload[0] <= 5
    first = len(told)
    assert first >= 1
    with pytest.raises(RadioError):
        await power.zcl.read_attributes(GPF, endpoint, 0x000A, (0,), source_endpoint=1)
    assert len(told) > first
    assert await gas.zcl.read_attributes(GPF, endpoint, 0x000A, (0,), source_endpoint=1)
    await spends(bench, 100, {})
    assert 0x8F21 in logged(bench)
    assert await power.zcl.read_attributes(GPF, endpoint, 0x000A, (0,), source_endpoint=1)


async def test_states_are_entered_and_left_one_after_the_other(bench: Bench) -> None:
    await below(bench, GSME)
    await spends(bench, 290, {GSME: 290})
    await spends(bench, 10, {})
    assert [code for code in logged(bench) if code in range(0x8F20, 0x8F26)] == [0x8F22, 0x8F24, 0x8F25, 0x8F23, 0x8F21]
    assert len(bench.alerts(0x8F20)) == 1


@pytest.mark.clause("RTDS DBCH10")
async def test_over_the_regulated_share_a_message_is_discarded_and_told(bench: Bench) -> None:
    await below(bench, GSME)
    await spends(bench, 290, {GSME: 290})
    bench.send(bench.command(0x000E, b"", recipient=GSME))
    await bench.wait_for(lambda: bench.alerts(0x8F2C) or None)
    (content,) = body(bench, 0x8F2C)
    assert isinstance(content, OctetString)
    assert (len(content.octets), content.octets[8:16]) == (25, GSME.octets)
    assert bench.hub.status.mailbox.get(GSME, 0) == 0


@pytest.mark.clause("RTDS DBCH05, DBCH07, DBCH08")
async def test_a_scan_is_refused_while_joining_is_open_and_after_three_a_day(bench: Bench) -> None:
    assert isinstance(bench.radio, BusyRadio)
    outcomes = []
    assert codes(await bench.ask(add_device(bench, ESME, 0))) == [0, 0, 0]
    for number in range(5):
        assert codes(await bench.ask(bench.dlms(0x010E, (Specification(Choice.SET, 1, SCAN, 2), Unsigned(0))))) == [0]
        await bench.clock.sleep(HOUR_S)
        bench.radio.energy = {(28, number % 2): -60}
    for content in body(bench, 0x8F28):
        assert isinstance(content, Structure)
        assert isinstance(content.elements[0], OctetString)
        outcomes.append(ScanOutcome(content.elements[0].octets[0]))
    accepted = ScanOutcome.ACCEPTED
    assert outcomes == [ScanOutcome.JOINING, accepted, accepted, accepted, ScanOutcome.SCANS_TODAY]
    moves = [content.elements[0].octets.hex() for content in body(bench, 0x8F26)]  # type: ignore[attr-defined]
    assert moves == ["e0000002", "e0000001", "e0000002"]


async def test_a_gas_meter_that_is_missing_for_a_day_is_searched_three_times(bench: Bench) -> None:
    meter = await below(bench, GSME)
    await bench.clock.sleep(HOUR_S)
    await meter.zcl.read_attributes(GPF, 3, 0x000A, (0,), source_endpoint=1)
    await bench.clock.sleep(5 * DAY_S)
    assert logged(bench).count(0x8F29) == 1


@pytest.mark.clause("RTDS DBCH11")
async def test_more_devices_below_1_ghz_than_there_is_room_for_are_told(bench: Bench) -> None:
    for device in (GSME, ESME, PPMID):
        await below(bench, device)
    (content,) = body(bench, 0x8F2D)
    assert content == OctetString(PPMID.octets)


async def test_a_device_below_1_ghz_does_not_hear_a_hub_that_has_moved(bench: Bench) -> None:
    meter = await below(bench, ESME)
    meter.node.sub_ghz = THERE
    with pytest.raises(RadioError):
        await meter.node.send(GPF, ApsFrame(0x000A, b"\x00\x00\x00\x00\x00", 1, 3))
