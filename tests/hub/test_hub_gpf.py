"""The Gas Proxy Function: mirror on the HAN, gas reads from it, its own Device log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device import asn1_io
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import (
    DeviceLogBackupAlert,
    DeviceLogEntry,
    JoinCommand,
    RestoreDeviceLogCommand,
    RestoreDeviceLogResponse,
)
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz, numbered
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.mirror import NETWORK_KEY_ACTIVE, TIME_SYNC, TUNNEL_MESSAGE_PENDING
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import BY_NAME, AttributeRecord, ZclStatus, decode_read_response
from tests.hub.hub_bench import ACB, GPF, GSME, IHD, PPMID, SUPPLIER, Bench, GasMeter, add_device, joined_meter

DAY = 86400


class MirroringMeter(GasMeter):
    """A gas meter that has asked for its mirror and reports to it."""

    flags: int | None = None

    async def open_mirror(self) -> int:
        self.zcl.serve(1, METERING.id, self._told)
        (endpoint, *_) = await self.node.match_descriptors(GPF, METERING.id, server=False)
        answer = await self.zcl.request(GPF, endpoint, METERING.id, 0x01, to_server=False, source_endpoint=1)
        self.mirror = int.from_bytes(answer.payload, "little")
        configure = METERING.to_client[0x08].encode({"event": 1, "reporting_interval": 1800, "notification_reporting": True, "scheme": 2})
        await self.zcl.request(GPF, endpoint, METERING.id, 0x08, configure, to_server=False, source_endpoint=1)
        return self.mirror

    def _told(self, incoming: object) -> ZclStatus:
        fields = METERING.to_server[0x09].decode(incoming.frame.payload)  # type: ignore[attr-defined]
        self.flags = fields["flags"][0]["value"]  # type: ignore[index, assignment, call-overload]
        return ZclStatus.SUCCESS

    async def report(self, values: dict[int, tuple[str, int]], cluster: int = METERING.id) -> int:
        records = [AttributeRecord(identifier, BY_NAME[kind], value) for identifier, (kind, value) in values.items()]
        records.append(AttributeRecord(0xFFFE, BY_NAME["enum8"], 1))
        return await self.zcl.report_attributes(GPF, self.mirror, cluster, records, source_endpoint=1)


async def mirroring(bench: Bench) -> MirroringMeter:
    await bench.ask(add_device(bench, GSME, 1))
    meter = MirroringMeter(bench)
    await meter.join()
    assert await meter.open_mirror() != 0xFFFF
    return meter


def gas_command(bench: Bench, code: int, *parts: Component) -> bytes:
    """A supplier's Command to the GPF."""
    return bench.command(code, numbered(parts).encode(), recipient=GPF, user=None, originator=SUPPLIER)


async def gas_answer(bench: Bench, command: bytes) -> list[Component]:
    """The components of the GPF's answer, decrypted with the supplier's key."""
    counter = Message.decode(command).header.counter
    bench.send(command)
    response = await bench.wait_for(lambda: next((one for one in bench.decoded(CraFlag.RESPONSE) if one.header.counter == counter), None))
    payload = decode_payload(response)
    assert isinstance(payload, Gbz)
    z = bench.keystore.shared_secret(GPF, SUPPLIER)
    opened = []
    for part in payload.components:
        octets = part.payload
        if part.encrypted:
            octets = protect.decrypt(octets, z, originator=GPF, counter=counter, recipient=SUPPLIER)
        opened.append(Component(part.cluster, part.frame_control, part.sequence, part.command, octets, encrypted=False))
    assert any(part.encrypted for part in payload.components) or all(part.command == 0x0B for part in opened) or parts_clear(payload)
    return opened


def parts_clear(payload: Gbz) -> bool:
    return not any(part.encrypted for part in payload.components)


READ_REGISTER = Component(METERING.id, 0x00, 0, 0x00, bytes.fromhex("0203010300030000"))
"""GCS13a as in the RTDS."""


@pytest.mark.requirement("GPF-01")
@pytest.mark.requirement("GPF-02")
@pytest.mark.requirement("GPF-09")
@pytest.mark.clause("RTDS GCS13a")
async def test_a_gas_read_is_answered_from_the_mirror_while_the_meter_sleeps(bench: Bench) -> None:
    meter = await mirroring(bench)
    status = await meter.report({0x0000: ("uint48", 1234567), 0x0300: ("enum8", 1), 0x0301: ("uint24", 1), 0x0302: ("uint24", 1000)})
    assert status == 0
    meter.node.awake = False
    (part,) = await gas_answer(bench, gas_command(bench, 0x0074, READ_REGISTER))
    records = {record.attribute: record.value for record in decode_read_response(part.payload)}
    assert records[0x0000] == 1234567
    assert records[0x0302] == 1000


@pytest.mark.requirement("GPF-06")
async def test_an_empty_gpf_answers_that_it_has_no_such_attribute(bench: Bench) -> None:
    (part,) = await gas_answer(bench, gas_command(bench, 0x0074, READ_REGISTER))
    assert {record.status for record in decode_read_response(part.payload)} == {0x86}


async def test_each_report_is_answered_with_the_flags_and_a_waiting_message_shows_in_them(bench: Bench) -> None:
    meter = await mirroring(bench)
    await meter.report({0x0000: ("uint48", 1)})
    await bench.wait_for(lambda: meter.flags is not None)
    assert meter.flags is not None
    assert not meter.flags & TUNNEL_MESSAGE_PENDING
    await meter.tunnel.open()
    bench.send(bench.command(0x0013, b"\x05\x00", recipient=GSME))
    await bench.wait_for(lambda: bench.hub.status.mailbox == {GSME: 1})
    await meter.report({0x0000: ("uint48", 2)})
    await bench.wait_for(lambda: meter.flags is not None and meter.flags & TUNNEL_MESSAGE_PENDING)
    await meter.mailbox.fetch()
    await meter.report({0x0000: ("uint48", 3)})
    await bench.wait_for(lambda: meter.flags is not None and not meter.flags & TUNNEL_MESSAGE_PENDING)


async def test_the_meter_is_told_once_that_the_clock_was_set_and_that_a_new_network_key_is_in_use(bench: Bench) -> None:
    meter = await mirroring(bench)
    mirror = bench.hub._running.gpf.mirror
    await meter.report({0x0000: ("uint48", 1)})
    await bench.wait_for(lambda: meter.flags is not None and meter.flags & TIME_SYNC)
    await bench.wait_for(lambda: not mirror.flags(GSME) & TIME_SYNC)
    mirror.announce(NETWORK_KEY_ACTIVE)
    await meter.report({0x0000: ("uint48", 2)})
    await bench.wait_for(lambda: meter.flags is not None and meter.flags & NETWORK_KEY_ACTIVE and not meter.flags & TIME_SYNC)
    await bench.wait_for(lambda: not mirror.flags(GSME) & NETWORK_KEY_ACTIVE)


async def test_only_a_gas_meter_of_the_log_gets_the_mirror_and_reports_to_it(bench: Bench) -> None:
    meter = await mirroring(bench)
    ppmid = await joined_meter(bench, PPMID, 132)
    (endpoint, *_) = await ppmid.node.match_descriptors(GPF, METERING.id, server=False)
    answer = await ppmid.zcl.request(GPF, endpoint, METERING.id, 0x01, to_server=False, source_endpoint=1)
    assert answer.payload == b"\xff\xff"
    record = AttributeRecord(0, BY_NAME["uint48"], 5)
    assert await ppmid.zcl.report_attributes(GPF, meter.mirror, METERING.id, [record], source_endpoint=1) == ZclStatus.NOT_AUTHORIZED
    assert bench.hub.status.mirror_owner == GSME


def join_command(bench: Bench, device: Eui64, kind: int, code: int, method: int) -> bytes:
    payload = asn1_io.write("JoinCommand", JoinCommand(method, device, kind))
    if code == 0x00AF:
        message = Message.decode(bench.command(code, payload, recipient=GPF, user=None, originator=SUPPLIER))
        signed = protect.with_signature(
            Message(message.header, payload, b""), bench.keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE)
        )
        return protect.with_mac(signed, bench.keystore.shared_secret(ACB, GPF)).encode()
    return bench.command(code, payload, recipient=GPF, user=None, originator=SUPPLIER)


@pytest.mark.requirement("GPF-03")
@pytest.mark.requirement("CH-30")
async def test_type_1_and_type_2_devices_read_the_mirror_once_they_are_joined_with_the_gpf(bench: Bench) -> None:
    meter = await mirroring(bench)
    await meter.report({0x0000: ("uint48", 42)})
    for device, kind, code, method, type_code in ((IHD, 128, 0x00AF, 3, 6), (PPMID, 132, 0x000E, 2, 5)):
        reader = await joined_meter(bench, device, kind)
        (endpoint, *_) = await reader.node.match_descriptors(GPF, METERING.id, server=True)
        assert await reader.zcl.read_attributes(GPF, endpoint, METERING.id, (0,)) == {}
        bench.send(join_command(bench, device, type_code, code, method))
        await bench.wait_for(lambda device=device: device in bench.hub._running.gpf.mirror._readers)  # type: ignore[misc, union-attr]
        assert await reader.zcl.read_attributes(GPF, endpoint, METERING.id, (0,)) == {0: 42}
    await bench.wait_for(lambda: len(bench.alerts(0x8071)) == 2)


@pytest.mark.clause("RTDS GCS62")
async def test_each_change_of_the_gpf_log_is_backed_up_to_the_acb_and_an_unjoin_closes_the_mirror(bench: Bench) -> None:
    bench.send(join_command(bench, PPMID, 5, 0x000E, 2))
    await bench.wait_for(lambda: bench.alerts(0x8071) or None)
    alert = bench.alerts(0x8071)[0]
    assert (alert.header.recipient, alert.header.originator, alert.message_code) == (ACB, GPF, 0x00B2)
    backup = decode_payload(alert)
    assert isinstance(backup, Asn1Payload)
    assert isinstance(backup.value, DeviceLogBackupAlert)
    assert backup.value.entries == (DeviceLogEntry(PPMID, 5),)
    unjoin = bench.command(0x0010, asn1_io.write("UnjoinCommand", PPMID), recipient=GPF, user=None, originator=SUPPLIER)
    bench.send(unjoin)
    await bench.wait_for(lambda: len(bench.alerts(0x8071)) == 2)


@pytest.mark.clause("RTDS GCS59")
async def test_a_restored_gpf_log_gives_one_result_an_entry_and_one_backup(bench: Bench) -> None:
    entries = (DeviceLogEntry(IHD, 6), DeviceLogEntry(PPMID, 5))
    restore = bench.command(0x008C, asn1_io.write("RestoreDeviceLogCommand", RestoreDeviceLogCommand(entries)), recipient=GPF, user=None)
    answer = await bench.ask(restore)
    assert isinstance(answer, Asn1Payload)
    assert isinstance(answer.value, RestoreDeviceLogResponse)
    assert [outcome.join_code for outcome in answer.value.outcomes] == [0, 0]
    await bench.wait_for(lambda: bench.alerts(0x8071) or None)
    assert len(bench.alerts(0x8071)) == 1


@pytest.mark.requirement("GPF-09")
@pytest.mark.clause("RTDS GCS61")
async def test_the_daily_consumption_log_is_made_from_what_the_meter_pushed(bench: Bench) -> None:
    meter = await mirroring(bench)
    total = 100
    for _ in range(48 * 3):
        total += 2
        await meter.report({0x0000: ("uint48", total)})
        await bench.clock.sleep(1800)
    read = Component(
        METERING.id, 0x01, 0, 0x08, METERING.to_server[0x08].encode({"sample": 1, "earliest": 0, "sample_type": 0, "count": 11})
    )
    (part,) = await gas_answer(bench, gas_command(bench, 0x00A0, read))
    fields = METERING.to_client[0x07].decode(part.payload)
    start = int((datetime(2026, 1, 1, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds())
    assert fields["start"] == start
    assert fields["interval"] == 0xFFFF
    assert [one["value"] for one in fields["samples"]] == [94, 96]  # type: ignore[union-attr, index]


async def test_the_mirror_outlives_a_power_cut_and_a_read_of_nothing_answers_not_found(bench: Bench) -> None:
    meter = await mirroring(bench)
    await meter.report({0x0000: ("uint48", 99)})
    await bench.cut()
    await bench.power_on()
    (part,) = await gas_answer(bench, gas_command(bench, 0x0074, READ_REGISTER))
    assert decode_read_response(part.payload)[-1].value == 99
    read = Component(
        METERING.id, 0x01, 0, 0x08, METERING.to_server[0x08].encode({"sample": 1, "earliest": 0, "sample_type": 0, "count": 11})
    )
    (part,) = await gas_answer(bench, gas_command(bench, 0x00A0, read))
    assert (part.command, part.payload) == (0x0B, b"\x08\x8b")


def report(gas: GasStore, total: int, at: int, cluster: int = METERING.id) -> None:
    gas.report(cluster, [AttributeRecord(0, BY_NAME["uint48"], total)], at)


def test_the_profile_log_holds_differences_and_overwrites_its_oldest() -> None:
    gas = GasStore(MemoryStore(), replace(standard_profile(), profile_data_log_capacity=5))
    for number in range(10):
        report(gas, number * number, number * 1800)
    assert [(one.start, one.volume) for one in gas.samples(gas.profile_data, 0, 0)] == [
        (number * 1800, 2 * number + 1) for number in range(4, 9)
    ]
    assert [one.volume for one in gas.samples(gas.profile_data, 6 * 1800, 2)] == [13, 15]


def test_of_several_readings_in_a_half_hour_the_profile_log_has_one_entry() -> None:
    gas = GasStore(MemoryStore(), standard_profile())
    for at, total in ((0, 10), (600, 12), (1200, 15), (1800, 20), (2400, 26), (3600, 40)):
        report(gas, total, at)
    assert [(one.start, one.volume) for one in gas.samples(gas.profile_data, 0, 0)] == [(0, 10), (1800, 20)]


def test_midnight_takes_the_snapshot_of_the_last_push_before_it() -> None:
    gas = GasStore(MemoryStore(), standard_profile())
    report(gas, 10, DAY - 1800)
    report(gas, 12, DAY - 60)
    report(gas, 15, DAY + 1740)
    (entry,) = gas.daily_read.newest_first()
    assert int.from_bytes(entry[:4], "big") == DAY
    assert int.from_bytes(entry[4:10], "little") == 12
    assert len(entry) == 4 + 6 + 1 + 24 + 1 + 24
    assert len(gas.prepayment_daily_read) == 0


def test_prepayment_snapshots_are_taken_in_prepayment_mode_only() -> None:
    gas = GasStore(MemoryStore(), standard_profile())
    gas.report(PREPAYMENT.id, [AttributeRecord(0, BY_NAME["bitmap16"], 0x0497), AttributeRecord(1, BY_NAME["int32"], -50)], 0)
    report(gas, 10, DAY - 60)
    report(gas, 11, DAY + 60)
    (entry,) = gas.prepayment_daily_read.newest_first()
    assert int.from_bytes(entry[-4:], "little", signed=True) == -50


@pytest.mark.requirement("GPF-14")
async def test_after_a_change_of_tenancy_a_device_on_the_han_sees_nothing_from_before_it(bench: Bench) -> None:
    meter = await mirroring(bench)
    for number in range(4):
        await meter.report({0x0000: ("uint48", number * 10)})
        await bench.clock.sleep(1800)
    reader = await joined_meter(bench, PPMID, 132)
    bench.send(join_command(bench, PPMID, 5, 0x000E, 2))
    await bench.wait_for(lambda: bench.alerts(0x8071) or None)
    (endpoint, *_) = await reader.node.match_descriptors(GPF, METERING.id, server=True)
    read = METERING.to_server[0x08].encode({"sample": 0, "earliest": 0, "sample_type": 0, "count": 0})

    async def samples() -> int:
        answer = await reader.zcl.request(GPF, endpoint, METERING.id, 0x08, read)
        if answer.default_response is not None:
            return 0
        return int(METERING.to_client[0x07].decode(answer.payload)["count"])  # type: ignore[call-overload, no-any-return]

    assert await samples() == 3
    since = int(bench.clock.now()) - 3600 - 600
    octets = bytes(4) + bytes.fromhex("804a371c") + bytes(1) + since.to_bytes(4, "little") + bytes(4)
    (part,) = await gas_answer(bench, gas_command(bench, 0x0072, Component(0x0708, 0x09, 0, 0x00, octets)))
    assert (part.command, part.payload) == (0x0B, bytes(2))
    assert await samples() == 1


async def test_a_meter_that_sleeps_through_the_flags_is_told_after_its_next_report(bench: Bench) -> None:
    meter = await mirroring(bench)
    assert await meter.report({0x0000: ("uint48", 1)}) == 0
    meter.node.on = False
    await bench.clock.sleep(60)
    meter.node.on = True
    meter.flags = None
    await meter.report({0x0000: ("uint48", 2)})
    await bench.wait_for(lambda: meter.flags is not None)
