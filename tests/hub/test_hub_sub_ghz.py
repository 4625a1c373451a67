"""DBCH01 to DBCH05, DBCH08 and DBCH09."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.gbcs.axdr import BitString, CompactArray, DoubleLongUnsigned, LongUnsigned, Null, Structure, Unsigned
from firmware_emu.gbcs.dlms import EVENT_LOG_CLOCK, AccessResponse, Choice, DataNotification, Specification, parse_obis, range_selection
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.hub.profile import HanVariant
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
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
    "wrong", [configuration(normal=49), configuration(normal=201), configuration(limited=150), configuration(changes=8)]
)
async def test_a_configuration_out_of_range_is_refused(bench: Bench, wrong: Structure) -> None:
    assert codes(await bench.ask(bench.dlms(0x010D, (Specification(Choice.SET, 1, CONFIGURATION, 2), wrong)))) == [250]
    assert bench.alerts(0x8F2A) == []


@pytest.mark.clause("RTDS DBCH01, DBCH02, DBCH05, DBCH08")
async def test_a_scan_is_assessed_told_and_logged(bench: Bench) -> None:
    assert codes(await bench.ask(bench.dlms(0x010E, (Specification(Choice.SET, 1, SCAN, 2), Unsigned(0))))) == [0]
    await bench.wait_for(lambda: bench.alerts(0x8F28) or None)
    now = int(bench.clock.now())
    selection = range_selection(1, EVENT_LOG_CLOCK, 2, DoubleLongUnsigned(now - 60), DoubleLongUnsigned(now + 60))
    read = Specification(Choice.GET_WITH_SELECTION, 7, LOG, 2, 1, selection)
    answer = await bench.ask(bench.dlms(0x010B, (read, Null())))
    assert isinstance(answer, AccessResponse)
    (log,) = answer.data
    assert isinstance(log, CompactArray)
    (entry,) = log.elements
    assert isinstance(entry, Structure)
    assert entry.elements[1] == LongUnsigned(0x8F27)
    assert [value.type_name for value in entry.elements] == ["double-long-unsigned", "long-unsigned", "octet-string"]
    channel = await bench.ask(bench.dlms(0x010A, (Specification(Choice.GET, 1, CHANNEL, 2), Null())))
    assert isinstance(channel, AccessResponse)
    assert isinstance(channel.data[0], BitString)


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
