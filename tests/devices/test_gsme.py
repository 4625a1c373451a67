from __future__ import annotations

from datetime import timedelta

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import JoinCommand, SetTimeCommand, SetTimeResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.han.zcl_port import Incoming
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.zcl import ZclFrame, ZclStatus, decode_read_response, encode_attribute_ids
from hil.devices import Gsme, Valve
from tests.devices.device_home import SUPPLIER, Home, joined

GPF_OF_ANOTHER_HUB = Eui64.parse("00db1234567890e3")
SUMMATION = (METERING.id, 0x0000)


async def ask(home: Home, gsme: Gsme, code: int, payload: bytes, *, signed: bool = False) -> Message:
    """Put a Command into the mailbox and let the meter fetch it."""
    home.hub.mailbox.append(home.command(gsme.eui64, code, payload, signed=signed))
    await gsme.wake()
    return await home.answer()


def supply(state: int) -> bytes:
    payload = METERING.to_server[0x0B].encode(
        {"provider": 0, "event": 1, "requested": 0, "implementation": 0, "status": state, "control": 0},
    )
    return Gbz((Component(METERING.id, 0x01, 0, 0x0B, payload),)).encode()


async def join_gpf(home: Home, gsme: Gsme, gpf: Eui64 | None = None) -> None:
    """With the GPF of its hub, or another."""
    gpf = gpf or gsme.coordinator
    assert gpf is not None
    response = await ask(home, gsme, 0x000E, Asn1Payload("JoinCommand", JoinCommand(2, gpf, 3)).encode())
    assert response.payload == bytes.fromhex("020100")


async def test_a_waking_meter_fetches_its_mailbox_until_it_is_empty_and_puts_an_answer_for_each(home: Home) -> None:
    gsme = await joined(home)
    read = Gbz((Component(METERING.id, 0x00, 0, 0x00, encode_attribute_ids((0x0014,))),)).encode()
    home.hub.mailbox += [home.command(gsme.eui64, 0x0082, read) for _ in range(3)]
    await gsme.wake()
    counters = [(await home.answer()).header.counter for _ in range(3)]
    assert counters == [1001, 1002, 1003]
    assert home.hub.mailbox == []
    await gsme.stop()


async def test_the_meter_wakes_every_half_hour_by_itself(home: Home) -> None:
    gsme = await joined(home)
    read = Gbz((Component(METERING.id, 0x00, 0, 0x00, encode_attribute_ids((0x0014,))),)).encode()
    home.hub.mailbox.append(home.command(gsme.eui64, 0x0082, read))
    before = home.clock.now()
    await home.answer()
    assert home.clock.now() - before <= 1810
    assert len([record for record in home.records if record.event == "awake"]) == 2
    await gsme.stop()


async def test_no_metering_data_is_mirrored_before_the_meter_knows_the_gpf_of_its_hub(home: Home) -> None:
    gsme = await joined(home)
    assert SUMMATION not in home.hub.mirrored
    assert home.hub.mirrored[0x0000, 0x0004] == "CHUB BENCH"
    await join_gpf(home, gsme, GPF_OF_ANOTHER_HUB)
    await gsme.wake()
    assert SUMMATION not in home.hub.mirrored
    await join_gpf(home, gsme)
    await home.clock.sleep(1)
    await gsme.wake()
    assert home.hub.mirrored[SUMMATION] == gsme.register.total
    await gsme.stop()


async def test_a_push_carries_what_has_changed_since_the_mirror_took_it_and_everything_once_a_day(home: Home) -> None:
    gsme = await joined(home)
    await join_gpf(home, gsme)
    seen = len(home.records)
    await home.clock.sleep(25 * 3600)
    told = [
        int(record.detail["attributes"] or 0)
        for record in home.records[seen:]
        if record.event == "mirrored" and record.detail["cluster"] == "0702"
    ]
    whole = len(gsme.model.records(METERING.id))
    assert whole in told
    assert sum(count < whole / 2 for count in told) >= 46
    await gsme.wake()
    assert home.hub.mirrored[SUMMATION] == gsme.register.total
    await gsme.stop()


async def test_consumption_is_read_encrypted_and_equals_the_register(home: Home) -> None:
    gsme = await joined(home)
    await home.clock.sleep(3600)
    ids = (0x0302, 0x0301, 0x0300, 0x0000)
    payload = Gbz((Component(METERING.id, 0x00, 0, 0x00, encode_attribute_ids(ids)),)).encode()
    response = await ask(home, gsme, 0x0074, payload)
    part = Gbz.decode(response.payload).components[0]
    assert (part.encrypted, part.frame_control) == (True, 0x18)
    z = home.keystore.shared_secret(gsme.eui64, SUPPLIER)
    plain = protect.decrypt(part.payload, z, originator=gsme.eui64, counter=response.header.counter, recipient=SUPPLIER)
    values = {record.attribute: record.value for record in decode_read_response(plain)}
    assert values[0x0000] == gsme.register.total > 0
    assert len(response.header.date_time) == 12
    await gsme.stop()


async def test_set_clock_answers_the_meters_time_and_its_status(home: Home) -> None:
    gsme = await joined(home)
    now = EPOCH + timedelta(seconds=int(home.clock.now()))
    command = SetTimeCommand(now - timedelta(seconds=60), now + timedelta(seconds=60))
    response = await ask(home, gsme, 0x007F, Asn1Payload("SetTimeCommand", command).encode(), signed=True)
    value = Asn1Payload.decode(response.payload, 0x007F, CraFlag.RESPONSE).value
    assert isinstance(value, SetTimeResponse)
    assert value.status == 0
    assert abs((value.device_time - now).total_seconds()) < 30
    await gsme.stop()


async def test_a_signed_command_closes_the_valve_and_gas_stops(home: Home) -> None:
    gsme = await joined(home)
    response = await ask(home, gsme, 0x0081, supply(0), signed=True)
    part = Gbz.decode(response.payload).components[0]
    assert (part.command, part.payload[-1]) == (0x0C, 0)
    assert gsme.valve is Valve.OFF
    total = gsme.register.total
    await home.clock.sleep(7200)
    gsme.update()
    assert gsme.register.total == total
    await gsme.stop()


async def test_gas_cannot_be_enabled_remotely(home: Home) -> None:
    gsme = await joined(home)
    await ask(home, gsme, 0x0081, supply(0), signed=True)
    response = await ask(home, gsme, 0x0081, supply(2), signed=True)
    assert Gbz.decode(response.payload).components[0].command == 0x0B
    assert gsme.valve is Valve.OFF
    await gsme.stop()


@pytest.mark.requirement("CH-16")
async def test_a_command_with_a_flipped_mac_bit_leaves_the_valve_alone(home: Home) -> None:
    gsme = await joined(home)
    command = bytearray(home.command(gsme.eui64, 0x0081, supply(0), signed=True))
    command[-1] ^= 1
    home.hub.mailbox.append(bytes(command))
    await gsme.wake()
    alert = await home.answer()
    assert alert.header.cra is CraFlag.ALERT
    assert alert.payload[3:5] == bytes.fromhex("8f3d")
    assert gsme.valve is Valve.ON
    await gsme.stop()


async def test_a_published_site_id_is_what_a_read_gives_back(home: Home) -> None:
    gsme = await joined(home)
    payload = bytes(4) + bytes(4) + bytes(4) + b"\x0a1234567890"
    response = await ask(home, gsme, 0x0087, Gbz((Component(0x0708, 0x09, 0, 0x03, payload),)).encode())
    assert Gbz.decode(response.payload).components[0].payload == b"\x03\x00"
    read = await ask(home, gsme, 0x0089, Gbz((Component(METERING.id, 0x00, 0, 0x00, encode_attribute_ids((0x0307,))),)).encode())
    assert decode_read_response(Gbz.decode(read.payload).components[0].payload)[0].value == b"1234567890"
    await gsme.stop()


async def test_a_meter_that_is_told_to_be_quiet_sleeps_through_its_wakes_until_the_minutes_are_over(home: Home) -> None:
    """Reference gbcs-spec-notes 10.6: a suspension is of 1 to 255 minutes, and 0 ends it; only the hub may tell."""
    gsme = await joined(home)
    assert gsme.coordinator is not None

    def told(minutes: int, partner: Eui64) -> ZclStatus:
        frame = ZclFrame.of_cluster(0x00, SUB_GHZ.to_client[0x00].encode({"minutes": minutes}), to_client=True)
        return gsme._told_to_be_quiet(Incoming(partner, 1, 1, SUB_GHZ.id, frame, False))

    async def wakes() -> bool:
        before = len(home.records)
        await gsme.wake()
        return any(record.event == "awake" for record in home.records[before:])

    assert told(255, Eui64(bytes(8))) is ZclStatus.NOT_AUTHORIZED
    assert await wakes()
    assert told(5, gsme.coordinator) is ZclStatus.SUCCESS
    began = home.clock.now()
    found = []
    for second in (1, 299, 300):
        await home.clock.go(began + second - home.clock.now())
        found.append(await wakes())
    assert found == [False, False, True]
    assert told(255, gsme.coordinator) is ZclStatus.SUCCESS
    assert not await wakes()
    assert told(0, gsme.coordinator) is ZclStatus.SUCCESS
    assert await wakes()
    await gsme.stop()
