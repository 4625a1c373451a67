"""A hub whose dongle has a radio below 1 GHz: duty cycle states, suspended clients, moves, and the gas meter that is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.device.event_log import EventLog, LogName
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.axdr import BitString, OctetString, Structure, Unsigned
from firmware_emu.gbcs.dlms import Choice, DataNotification, Specification, parse_obis
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.hub.device_log import RegisteredType
from firmware_emu.hub.profile import standard_profile
from firmware_emu.hub.second_band import SecondBand
from firmware_emu.hub.sub_ghz import DutyState, ScanOutcome, ScanTrigger
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


def band(bench: Bench) -> SecondBand:
    assert bench.hub._running is not None
    assert bench.hub._running.second_band is not None
    return bench.hub._running.second_band


def suspended(bench: Bench) -> list[str]:
    """Devices that were suspended, in their order."""
    return [str(record.target) for record in bench.records if record.event == "suspended"]


async def test_a_state_begins_at_its_threshold_and_not_below(bench: Bench) -> None:
    """The factory's configuration has 1.5 and 2.2 %; the profile's regulated share is 2.8 %."""
    found = []
    for hundredths in (0, 149, 150, 219, 220, 279, 280, 279, 220, 219, 150, 149):
        await spends(bench, hundredths, {})
        band(bench)._asked.set()  # a Device that joins has it look at once
        await bench.clock.sleep(1)
        found.append(band(bench).state.name)
    rising = ["NORMAL"] * 2 + ["LIMITED"] * 2 + ["CRITICAL"] * 2 + ["REGULATED"]
    assert found == rising + rising[-2:0:-1]
    codes = [code for code in logged(bench) if code in range(0x8F20, 0x8F26)]
    assert codes == [0x8F22, 0x8F24, 0x8F25, 0x8F23, 0x8F21], "each is told when it begins or ends, and not while it lasts"


@pytest.mark.clause("RTDS DBCH10")
async def test_messages_are_discarded_in_the_regulated_state_for_devices_of_the_band_alone(bench: Bench) -> None:
    made = band(bench)
    made.children = frozenset({GSME})
    found = []
    for state in DutyState:
        made.state = state
        found.append([made.discards(device, bytes(25)) for device in (GSME, ESME)])
    assert found == [[False, False]] * 3 + [[True, False]]
    await bench.clock.sleep(1)
    assert body(bench, 0x8F2C) == [OctetString(bytes(25))]


async def test_the_meter_that_moves_are_told_to_is_a_gas_meter_of_this_band(bench: Bench) -> None:
    for device, kind in ((ESME, RegisteredType.ESME), (GSME, RegisteredType.GSME)):
        assert codes(await bench.ask(add_device(bench, device, kind))) == [0, 0, 0]
    made, found = band(bench), []
    for children in ((), (ESME,), (GSME,), (ESME, GSME), (PPMID,)):
        made.children = frozenset(children)
        found.append(made._meter)
    assert found == [None, None, GSME, GSME, None]


@pytest.mark.clause("GBCS 10.6")
async def test_in_the_limited_state_one_client_after_the_other_is_suspended_and_in_the_critical_all_but_the_gas_meter(bench: Bench) -> None:
    """Reference gbcs-spec-notes 10.6: the most talkative that is not yet suspended; critical: all. A suspension is of five minutes."""
    for device in (GSME, ESME, PPMID):
        await below(bench, device)
    await spends(bench, 150, {PPMID: 60, ESME: 50, GSME: 40})
    assert suspended(bench)[:1] == [str(PPMID)]
    await spends(bench, 100, {})
    bench.records.clear()
    await spends(bench, 230, {PPMID: 60, ESME: 50, GSME: 40})
    assert sorted(suspended(bench)[-2:]) == sorted([str(ESME), str(PPMID)])
    assert band(bench).suspended_min(GSME) == 0


@pytest.mark.parametrize(("seconds", "minutes"), [(-1, 0), (0, 0), (1, 1), (60, 1), (61, 2), (240, 4), (241, 5), (300, 5)])
async def test_whoever_is_suspended_is_told_the_minutes_that_are_left_rounded_up(bench: Bench, seconds: int, minutes: int) -> None:
    band(bench)._suspended[ESME] = bench.clock.now() + seconds
    assert (band(bench).suspended_min(ESME), band(bench).refuses(ESME)) == (minutes, minutes > 0)
    assert band(bench).suspended_min(PPMID) == 0


async def test_the_next_to_be_suspended_is_the_most_talkative_that_is_free_and_else_the_one_with_least_time_left(bench: Bench) -> None:
    made = band(bench)
    assert made._next_to_suspend() is None
    made.children = frozenset({GSME, ESME, PPMID})
    made._spent = {GSME: 10, ESME: 30, PPMID: 20}
    order = []
    for late in range(4):
        chosen = made._next_to_suspend()
        assert chosen is not None
        order.append(chosen)
        made._suspended[chosen] = bench.clock.now() + 300 + late
    assert order == [ESME, PPMID, GSME, ESME]


async def lasts(bench: Bench, flags: int) -> float:
    """Seconds for which the gas meter has these flags to read."""
    began = bench.clock.now()
    while band(bench).flags() == flags:
        assert bench.clock.now() < began + DAY_S
        await bench.clock.sleep(1)
    return bench.clock.now() - began


async def announced(bench: Bench) -> tuple[Meter, int]:
    """A gas meter below 1 GHz, the endpoint that it asks, and a hub that wants to go to a quieter channel than the present."""
    meter = await below(bench, GSME)
    await bench.clock.sleep(HOUR_S)  # joining is over
    (endpoint,) = await meter.node.match_descriptors(GPF, SUB_GHZ.id, server=True)
    bench.radio.energy = {(28, 0): -60}  # type: ignore[attr-defined]
    assert band(bench).flags() == 0
    assert band(bench).ask_for_scan(ScanTrigger.FAILURES) is ScanOutcome.ACCEPTED
    return meter, endpoint


@pytest.mark.clause("GBCS 10.6")
async def test_a_move_waits_for_a_gas_meter_that_sleeps_one_wake_for_the_scan_and_two_for_the_channel(bench: Bench) -> None:
    """Reference gbcs-spec-notes 10.6; a meter wakes every half hour, and has 20 s more to end what it was about."""
    await announced(bench)
    assert await lasts(bench, 1 << 25) == pytest.approx(1800, abs=5)
    assert await lasts(bench, 1 << 26) == pytest.approx(3600 + 20, abs=5)
    await bench.clock.sleep(5)
    assert body(bench, 0x8F26) == [Structure((BitString(bytes.fromhex("e0000002"), 32), OctetString(b"\x04")))], "failures"


@pytest.mark.clause("GBCS 10.6")
async def test_a_move_goes_on_as_soon_as_the_gas_meter_has_read_of_it(bench: Bench) -> None:
    async def told() -> object:
        return (await meter.zcl.read_attributes(GPF, endpoint, SUB_GHZ.id, (0,), source_endpoint=2))[0]

    meter, endpoint = await announced(bench)
    assert await told() == 0
    band(bench).notified()
    assert await lasts(bench, 1 << 25) < 10
    band(bench).notified()
    await bench.clock.sleep(HOUR_S)
    assert band(bench).flags() == 1 << 26, "the flag alone does not tell which channel it is"
    assert await told() == 28 << 27 | 1 << 1
    assert await lasts(bench, 1 << 26) == pytest.approx(20, abs=5)
    assert band(bench)._objects.channel == (28, 1)


@pytest.mark.parametrize(("quieter_by", "moves"), [(0, False), (2, False), (3, True)])
async def test_a_channel_is_left_for_one_that_is_quieter_by_the_threshold(bench: Bench, quieter_by: int, moves: bool) -> None:
    """The factory's configuration has 3 as noisier threshold. Of channels that are as quiet as another the first is taken."""
    present = band(bench)._objects.channel
    bench.radio.energy = {present: -95 + quieter_by}  # type: ignore[attr-defined]
    assert band(bench).ask_for_scan(ScanTrigger.RETRIES) is ScanOutcome.ACCEPTED
    await bench.clock.sleep(60)
    assert logged(bench).count(0x8F2B) == (0 if moves else 1)
    assert len(body(bench, 0x8F26)) == (1 if moves else 0)
    assert band(bench)._objects.channel == ((28, 1) if moves else present)
    assert band(bench).flags() == 0


async def test_three_scans_are_accepted_in_a_day_and_as_many_in_a_week_as_channels_may_be_changed(bench: Bench) -> None:
    """The factory's configuration has three changes a week; the day's three are the profile's."""
    asked = [(0, 3), (1, 1), (DAY_S, 1), (5 * DAY_S, 1), (DAY_S, 1)]
    found = []
    for later, times in asked:
        await bench.clock.sleep(later)
        for _ in range(times):
            found.append(band(bench).ask_for_scan(ScanTrigger.REMOTE_COMMAND))
            await bench.clock.sleep(40)
    accepted, today, week = ScanOutcome.ACCEPTED, ScanOutcome.SCANS_TODAY, ScanOutcome.SCANS_THIS_WEEK
    assert found == [accepted, accepted, accepted, today, week, week, accepted]


@pytest.mark.parametrize(
    ("ago_s", "outcome"),
    [
        (0, "SCANS_TODAY"),
        (DAY_S - 1, "SCANS_TODAY"),
        (DAY_S, "SCANS_THIS_WEEK"),
        (7 * DAY_S - 1, "SCANS_THIS_WEEK"),
        (7 * DAY_S, "ACCEPTED"),
    ],
)
async def test_a_scan_counts_for_a_day_and_for_a_week_to_the_second(bench: Bench, ago_s: int, outcome: str) -> None:
    band(bench)._scans = [bench.clock.now() - ago_s] * 3
    assert band(bench)._objection().name == outcome


@pytest.mark.parametrize(("state", "outcome"), [(149, "ACCEPTED"), (219, "ACCEPTED"), (220, "DUTY_CYCLE"), (280, "DUTY_CYCLE")])
async def test_no_scan_begins_while_the_duty_cycle_is_critical(bench: Bench, state: int, outcome: str) -> None:
    await spends(bench, state, {})
    band(bench)._asked.set()
    await bench.clock.sleep(1)
    assert band(bench).ask_for_scan(ScanTrigger.REMOTE_COMMAND).name == outcome


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
    assert told[:1] == [5], "minutes; the profile's"
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
    heard = bench.clock.now()
    await bench.clock.sleep(DAY_S - LOOK_S)
    assert searches(bench) == []
    await bench.clock.sleep(5 * DAY_S)
    began = [round((time - heard) / DAY_S, 1) for time, _ in searches(bench)]
    assert (began, {trigger for _, trigger in searches(bench)}) == ([1.0, 2.0, 3.0], {ScanTrigger.METER_MISSING})
    assert logged(bench).count(0x8F29) == 1
    await meter.zcl.read_attributes(GPF, 3, 0x000A, (0,), source_endpoint=1)
    await bench.clock.sleep(LOOK_S)
    await bench.clock.sleep(5 * DAY_S)
    assert logged(bench).count(0x8F29) == 2, "it was heard in between: three more"


def searches(bench: Bench) -> list[tuple[int, int]]:
    """Time and trigger of each scan in the channel log that nobody's Command asked for."""
    entries = band(bench)._objects._log.entries()
    return [(entry.time, entry.other[4]) for entry in entries if entry.code == 0x8F27]


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
