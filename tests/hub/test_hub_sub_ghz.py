"""DBCH01 to DBCH05, DBCH08 and DBCH09."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.axdr import BitString, CompactArray, DoubleLongUnsigned, LongUnsigned, Null, OctetString, Structure, Unsigned
from firmware_emu.gbcs.dlms import EVENT_LOG_CLOCK, AccessResponse, Choice, DataNotification, Specification, parse_obis, range_selection
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.hub.profile import HanVariant
from firmware_emu.hub.sub_ghz import ScanTrigger, SubGhz
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.zcl import ZclStatus
from tests.hub.hub_bench import CONFIG, GPF, Bench, codes, joined_meter

CONFIGURATION, SCAN, CHANNEL, LOG = (parse_obis(f"0-0:94.44.10.{number}") for number in range(4))


def configuration(normal: int = 130, limited: int = 220, changes: int = 5) -> Structure:
    pages = (BitString(bytes([page << 3, 0, 0, 6]), 32) for page in (28, 29, 30, 31))
    return Structure(
        (
            *pages,
            LongUnsigned(normal),
            LongUnsigned(limited),
            Unsigned(changes),
            LongUnsigned(7),
            Unsigned(7),
            Unsigned(12),
            LongUnsigned(6000),
            Unsigned(130),
            LongUnsigned(100),
            LongUnsigned(4000),
            LongUnsigned(3000),
        )
    )


def of_the_band(bench: Bench) -> SubGhz:
    """The hub's objects of its second band."""
    assert bench.hub._running is not None
    assert bench.hub._running.second_band is not None
    return bench.hub._running.second_band._objects


@pytest.mark.clause("RTDS DBCH03, DBCH04, DBCH09")
async def test_a_configuration_is_kept_read_back_and_told(bench: Bench) -> None:
    written = bench.dlms(0x010D, (Specification(Choice.SET, 1, CONFIGURATION, 2), configuration()))
    assert codes(await bench.ask(written)) == [0]
    await bench.cut()
    await bench.power_on()
    answer = await bench.ask(bench.dlms(0x010C, (Specification(Choice.GET, 1, CONFIGURATION, 2), Null())))
    assert isinstance(answer, AccessResponse)
    assert answer.data == (configuration(),)
    (alert,) = bench.alerts(0x8F2A)
    notification = decode_payload(alert)
    assert isinstance(notification, DataNotification)
    assert isinstance(notification.body, Structure)
    assert (alert.message_code, notification.body.elements[2]) == (0x0113, configuration())


@pytest.mark.parametrize(
    ("field", "outside", "inside"),
    [("normal", (49, 201), (50, 200)), ("limited", (150, 250), (151, 249)), ("changes", (0, 8), (1, 7))],
)
async def test_a_configuration_is_taken_up_to_the_ends_of_its_ranges_and_refused_beyond(
    bench: Bench, field: str, outside: tuple[int, int], inside: tuple[int, int]
) -> None:
    """Reference chts 11: 0.5 to 2.0 %, over 1.5 and under 2.5 %, 1 to 7 a week; in units of 0.01 %."""
    for values, answer in ((outside, 250), (inside, 0)):
        for value in values:
            written = configuration(**{field: value})
            assert codes(await bench.ask(bench.dlms(0x010D, (Specification(Choice.SET, 1, CONFIGURATION, 2), written)))) == [answer], value
        await bench.clock.sleep(1)
        assert len(bench.alerts(0x8F2A)) == (0 if answer else 2)


async def test_a_scan_is_asked_for_by_nought_alone(bench: Bench) -> None:
    for value, answer in ((Unsigned(1), 250), (Unsigned(255), 250), (LongUnsigned(0), 12)):
        assert codes(await bench.ask(bench.dlms(0x010E, (Specification(Choice.SET, 1, SCAN, 2), value)))) == [answer]
    assert bench.alerts(0x8F28) == []


def logged(answer: object) -> list[tuple[int, int, bytes]]:
    """Time, code, and channel with trigger of each entry of the channel log that was read."""
    assert isinstance(answer, AccessResponse)
    (log,) = answer.data
    assert isinstance(log, CompactArray)
    assert [field.tag for field in log.description.elements] == [0x06, 0x12, 0x09]
    found = []
    for entry in log.elements:
        match entry:
            case Structure(elements=(DoubleLongUnsigned(value=time), LongUnsigned(value=code), OctetString(octets=rest))):
                found.append((time, code, rest))
    assert len(found) == len(log.elements)
    return found


@pytest.mark.clause("RTDS DBCH01, DBCH02, DBCH05, DBCH08")
async def test_a_scan_is_assessed_told_and_logged(bench: Bench) -> None:
    async def between(start: int, end: int) -> list[tuple[int, int, bytes]]:
        selection = range_selection(1, EVENT_LOG_CLOCK, 2, DoubleLongUnsigned(start), DoubleLongUnsigned(end))
        read = Specification(Choice.GET_WITH_SELECTION, 7, LOG, 2, 1, selection)
        return logged(await bench.ask(bench.dlms(0x010B, (read, Null()))))

    assert codes(await bench.ask(bench.dlms(0x010E, (Specification(Choice.SET, 1, SCAN, 2), Unsigned(0))))) == [0]
    (alert,) = await bench.wait_for(lambda: bench.alerts(0x8F28) or None)
    notification = decode_payload(alert)
    assert isinstance(notification, DataNotification)
    assert isinstance(notification.body, Structure)
    assert notification.body.elements[2] == Structure((OctetString(b"\x00"), OctetString(b"\x00"))), "accepted; a remote command"
    assert alert.message_code == 0x0112
    now = int(bench.clock.now())
    (entry,) = await between(now - 60, now + 60)
    assert entry[1:] == (0x8F27, bytes.fromhex("e0000001") + b"\x00"), "page 28, channel 0; a remote command"
    time = entry[0]
    assert [await between(*limits) for limits in ((time, time), (time + 1, now), (0, time - 1))] == [[entry], [], []]
    assert logged(await bench.ask(bench.dlms(0x010B, (Specification(Choice.GET, 7, LOG, 2), Null())))) == [entry]
    channel = await bench.ask(bench.dlms(0x010A, (Specification(Choice.GET, 1, CHANNEL, 2), Null())))
    assert isinstance(channel, AccessResponse)
    assert channel.data == (BitString(bytes.fromhex("e0000001"), 32),)


@pytest.mark.clause("RTDS DBCH02")
async def test_the_channel_log_keeps_its_last_hundred_entries(bench: Bench) -> None:
    """Reference chts 11: up to 100 entries of time, code, channel and trigger."""
    objects = of_the_band(bench)
    for number in range(102):
        objects.moved((28 + number % 4, number % 27), ScanTrigger.FAILURES)
    answer = await bench.ask(bench.dlms(0x010B, (Specification(Choice.GET, 7, LOG, 2), Null())))
    assert [rest for _, _, rest in logged(answer)] == [
        ((28 + number % 4) << 27 | 1 << number % 27).to_bytes(4, "big") + b"\x04" for number in range(2, 102)
    ]
    assert objects.channel == (29, 20)


@pytest.mark.requirement("CH-24")
async def test_a_single_band_hub_has_no_sub_ghz_objects(hub_keystore: Keystore, clock: Clock) -> None:
    async with Bench(hub_keystore, clock, config=replace(CONFIG, variant=HanVariant.SINGLE_BAND)).running() as bench:
        for code, obis in ((0x010A, CHANNEL), (0x010C, CONFIGURATION)):
            assert codes(await bench.ask(bench.dlms(code, (Specification(Choice.GET, 1, obis, 2), Null())))) == [4]


async def test_the_cluster_tells_the_configured_masks_and_that_nothing_is_suspended(bench: Bench) -> None:
    meter = await joined_meter(bench)
    written = bench.dlms(0x010D, (Specification(Choice.SET, 1, CONFIGURATION, 2), configuration()))
    assert codes(await bench.ask(written)) == [0]
    (endpoint,) = await meter.node.match_descriptors(GPF, SUB_GHZ.id, server=True)
    masks = await meter.zcl.read_attributes(GPF, endpoint, SUB_GHZ.id, range(5), source_endpoint=1)
    assert masks == {0: 0, 1: 28 << 27 | 6, 2: 29 << 27 | 6, 3: 30 << 27 | 6, 4: 31 << 27 | 6}
    answer = await meter.zcl.request(GPF, endpoint, SUB_GHZ.id, 0x00, source_endpoint=1)
    assert (answer.command, answer.payload) == (0x00, b"\x00")
    unknown = await meter.zcl.request(GPF, endpoint, SUB_GHZ.id, 0x01, source_endpoint=1)
    assert unknown.default_response is not None
    assert unknown.default_response.status == ZclStatus.UNSUP_CLUSTER_COMMAND


@pytest.mark.clause("RTDS DBCH03")
async def test_the_radio_goes_by_the_fields_of_the_configuration(bench: Bench) -> None:
    """Order: reference gbcs-spec-notes 10.6. A page without channels is not scanned."""
    pages = (bytes.fromhex("e0000006"), bytes.fromhex("e8000000"), bytes.fromhex("f0000001"), bytes.fromhex("f8000000"))
    written = replace(configuration(), elements=tuple(BitString(page, 32) for page in pages) + configuration().elements[4:])
    assert codes(await bench.ask(bench.dlms(0x010D, (Specification(Choice.SET, 1, CONFIGURATION, 2), written)))) == [0]
    objects = of_the_band(bench)
    assert objects.masks == (0xE0000006, 0xF0000001)
    assert (objects.thresholds, objects.changes_a_week, objects.noisier_db) == ((130, 220), 5, 12)
