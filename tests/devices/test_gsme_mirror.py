"""Answers of a gas meter to its proxy, and when a question is wholly answered; the flags that the proxy tells."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.han.zcl_port import Incoming, Reply
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import ZclFrame, ZclStatus
from hil.devices.gsme.mirror import MirrorPusher
from tests.devices.gas_bench import GasBench
from tests.source_numbers import to_client, to_server

HUB, STRANGER = Eui64.parse("00db1234567890a3"), Eui64.parse("00db1234567890ff")
SNAPSHOT, SAMPLES = to_server(METERING, "GetSnapshot"), to_server(METERING, "GetSampledData")
PREPAY, TOP_UPS = to_server(PREPAYMENT, "GetPrepaySnapshot"), to_server(PREPAYMENT, "GetTopUpLog")
DEBTS = to_server(PREPAYMENT, "GetDebtRepaymentLog")
REPORT_RESPONSE = to_server(METERING, "MirrorReportAttributeResponse")


def head(cluster: Cluster, command: int, found: int) -> bytes:
    fields: dict[str, FieldValue] = {"snapshot": 0, "time": 0, "total_found": found, "command_index": 0, "command_count": 1, "cause": 1}
    return cluster.to_client[command].encode(fields | {"payload_type": 0})


def samples(count: int) -> bytes:
    values: FieldValue = tuple({"value": 1} for _ in range(count))
    fields: dict[str, FieldValue] = {"sample": 0, "start": 0, "sample_type": 0, "interval": 1800, "count": count, "samples": values}
    return METERING.to_client[0x07].encode(fields)


def snapshot(cause: int, offset: int) -> dict[str, FieldValue]:
    return {"from": 0, "to": 0xFFFFFFFF, "offset": offset, "cause": cause}


LOG: dict[str, FieldValue] = {"latest_end": 0xFFFFFFFF, "count": 5}


@pytest.mark.parametrize(
    ("cluster", "command", "asked", "answer", "last"),
    [
        (METERING, SAMPLES, {"sample": 0, "earliest": 0, "sample_type": 0, "count": 3}, samples(3), False),
        (METERING, SAMPLES, {"sample": 0, "earliest": 0, "sample_type": 0, "count": 3}, samples(2), True),
        (METERING, SAMPLES, {"sample": 0, "earliest": 0, "sample_type": 0, "count": 3}, None, True),
        (METERING, SNAPSHOT, snapshot(1, 0), head(METERING, 0x06, 1), True),
        (METERING, SNAPSHOT, snapshot(1, 0), head(METERING, 0x06, 2), False),
        (METERING, SNAPSHOT, snapshot(1, 1), head(METERING, 0x06, 2), True),
        (METERING, SNAPSHOT, snapshot(1, 7), None, True),
        (METERING, SNAPSHOT, snapshot(2, 0), head(METERING, 0x06, 1), False),
        (METERING, SNAPSHOT, snapshot(0xFFFFFFFE, 0), None, False),
        (METERING, SNAPSHOT, snapshot(3, 0), None, True),
        (PREPAYMENT, PREPAY, snapshot(1, 0), head(PREPAYMENT, 0x01, 1), True),
        (PREPAYMENT, PREPAY, snapshot(1, 0), head(PREPAYMENT, 0x01, 3), False),
        (PREPAYMENT, PREPAY, snapshot(2, 0), None, False),
        (PREPAYMENT, TOP_UPS, LOG, b"", True),
        (PREPAYMENT, TOP_UPS, LOG, None, True),
        (PREPAYMENT, DEBTS, LOG | {"debt_type": 2}, b"", True),
    ],
)
def test_a_question_is_wholly_answered_by_fewer_than_asked_for_the_last_midnight_or_a_whole_log(
    cluster: Cluster, command: int, asked: dict[str, FieldValue], answer: bytes | None, last: bool
) -> None:
    """The proxy asks for snapshots of bills (any cause but general) before it asks for the midnights'."""
    assert MirrorPusher._last((cluster.id, command), cluster.to_server[command].encode(asked), answer) is last


@pytest.fixture
def bench(device_pki: Keystore) -> GasBench:
    return GasBench(device_pki, load=lambda half_hour: 1800)


def hears(bench: GasBench, command: int, fields: dict[str, FieldValue], *, cluster: Cluster = METERING, partner: Eui64 = HUB) -> object:
    frame = ZclFrame.of_cluster(command, cluster.to_server[command].encode(fields))
    return bench.gsme.mirror._from_gpf(Incoming(partner, 1, 1, cluster.id, frame, True))


def flagged(*values: int) -> dict[str, FieldValue]:
    return {"scheme": 2, "flags": tuple({"value": value} for value in values)}


@pytest.mark.parametrize(
    ("flags", "firmware", "channel"),
    [
        ((), False, False),
        ((1,), True, False),
        ((1 << 26,), False, True),
        (((1 << 26) - 2,), False, False),
        ((0, 1 | 1 << 26), False, False),
    ],
)
def test_flags_of_the_proxy_tell_of_firmware_and_of_another_channel(
    bench: GasBench, flags: tuple[int, ...], firmware: bool, channel: bool
) -> None:
    """Reference zigbee-han 6: bit 0 new OTA firmware; gbcs-spec-notes 10.6: bit 26 channel change; in the first attribute of the flags."""
    bench.gsme.coordinator = HUB
    mirror = bench.gsme.mirror
    assert hears(bench, REPORT_RESPONSE, flagged(*flags)) is ZclStatus.SUCCESS
    assert (mirror.flags, mirror.told_of_firmware, mirror.told_of_channel) == (flags, firmware, channel)
    mirror.forget()
    assert mirror.flags == ()


@pytest.mark.parametrize(
    ("command", "cluster", "fields"),
    [
        (SNAPSHOT, METERING, snapshot(1, 0)),
        (SAMPLES, METERING, {"sample": 0, "earliest": 0, "sample_type": 0, "count": 3}),
        (PREPAY, PREPAYMENT, snapshot(1, 0)),
        (TOP_UPS, PREPAYMENT, LOG),
        (DEBTS, PREPAYMENT, LOG | {"debt_type": 2}),
    ],
    ids=["GetSnapshot", "GetSampledData", "GetPrepaySnapshot", "GetTopUpLog", "GetDebtRepaymentLog"],
)
def test_the_logs_are_for_the_hub_of_the_meter_alone_and_once_the_supplier_has_joined_its_proxy(
    bench: GasBench, monkeypatch: pytest.MonkeyPatch, command: int, cluster: Cluster, fields: dict[str, FieldValue]
) -> None:
    bench.gsme.coordinator = HUB
    bench.go(3600)
    assert hears(bench, command, fields, cluster=cluster) is ZclStatus.NOT_AUTHORIZED
    monkeypatch.setattr(bench.gsme, "knows_gpf", lambda: True)
    answer = hears(bench, command, fields, cluster=cluster)
    assert answer is ZclStatus.NOT_FOUND or isinstance(answer, Reply)
    if command == SAMPLES and isinstance(answer, Reply):
        assert answer.command == to_client(METERING, "GetSampledDataResponse")
        assert METERING.to_client[answer.command].decode(answer.payload)["samples"] == ({"value": 900}, {"value": 900})
    assert hears(bench, command, fields, cluster=cluster, partner=STRANGER) is ZclStatus.NOT_AUTHORIZED


def test_other_commands_are_none_of_the_mirrors(bench: GasBench) -> None:
    bench.gsme.coordinator = HUB
    for cluster, command, fields in ((METERING, 0x0C, {"status": 1}), (PREPAYMENT, REPORT_RESPONSE, {"level": 1})):
        assert hears(bench, command, fields, cluster=cluster) is ZclStatus.UNSUP_CLUSTER_COMMAND  # type: ignore[arg-type]
