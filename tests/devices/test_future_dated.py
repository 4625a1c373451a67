from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import KeystoreError
from firmware_emu.gbcs import cosem_time, protect
from firmware_emu.gbcs.axdr import Data, DoubleLong, LongUnsigned, OctetString
from firmware_emu.gbcs.dlms import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataNotification,
    Specification,
    invoke_id,
    parse_obis,
)
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices import Esme, Gsme
from tests.devices.device_home import ACB, PARTIES, SUPPLIER
from tests.devices.hub_in_memory import MemoryHan

ESME, GSME = Eui64.parse("00db1234567890a0"), Eui64.parse("00db1234567890a1")
THRESHOLD = parse_obis("0-0:94.44.2.10")
EMERGENCY_LIMIT = (0x0705, 0x0010)


class Bench:
    """One meter and the time it lives in."""

    def __init__(self, pki: Keystore, kind: type[Esme] | type[Gsme], eui64: Eui64) -> None:
        self.pki = pki
        clock = Clock(start=datetime(2026, 1, 1, tzinfo=UTC), warp=True)
        self.meter = kind(eui64, InstallCode(bytes(16)), pki, MemoryHan(eui64).node(eui64), clock, Trace(clock.now), PARTIES)
        self.counter = 0

    def ask(self, code: int, payload: bytes) -> Message:
        self.counter += 1
        header = GroupingHeader(CraFlag.COMMAND, self.counter, SUPPLIER, self.meter.eui64, OtherInformation(code))
        message = protect.with_signature(Message(header, payload), self.pki.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
        message = protect.with_mac(message, self.pki.shared_secret(ACB, self.meter.eui64))
        return Message.decode(self.meter.gbcs.receive(message.encode())[0])

    def later(self, seconds: float) -> list[Message]:
        """Let the meter's clock move on and do what is due."""
        self.meter.clock_offset += seconds
        return [Message.decode(alert) for alert in self.meter.gbcs.run_due()]


def threshold(value: int, when: bytes) -> bytes:
    items: tuple[tuple[int, Data], ...] = ((4, DoubleLong(value)), (6, OctetString(when)))
    specifications = tuple(Specification(Choice.SET, 9000, THRESHOLD, attribute) for attribute, _ in items)
    return AccessRequest(invoke_id(1), specifications, tuple(data for _, data in items)).encode()


def in_an_hour(meter: Esme | Gsme) -> bytes:
    return cosem_time.encode_date_time(EPOCH + timedelta(seconds=int(meter.now()) + 3600))


def test_a_passive_value_becomes_active_at_its_time_and_an_alert_names_the_instruction(device_pki: Keystore) -> None:
    bench = Bench(device_pki, Esme, ESME)
    assert isinstance(bench.meter, Esme)
    response = bench.ask(0x001F, threshold(700, in_an_hour(bench.meter)))
    assert [result.code for result in AccessResponse.decode(response.payload).results] == [AccessResult.SUCCESS] * 2
    active = (9000, THRESHOLD, 2)
    assert bench.meter.model.read(active) != DoubleLong(700)
    assert bench.later(3599) == []
    alert = bench.later(2)[0]
    assert bench.meter.model.read(active) == DoubleLong(700)
    body = DataNotification.decode(alert.payload).body.elements  # type: ignore[attr-defined]
    named = bytes.fromhex("001f0000000000000001") + (9000).to_bytes(2, "big") + THRESHOLD + b"\x06"
    assert (alert.message_code, body[0], body[2]) == (0x00CC, LongUnsigned(0x8F66), OctetString(named))
    assert alert.header.recipient == SUPPLIER


@pytest.mark.parametrize(("when", "expected"), [(cosem_time.NOW, 700), (cosem_time.NEVER, 0)])
def test_now_acts_at_once_and_never_cancels(device_pki: Keystore, when: bytes, expected: int) -> None:
    bench = Bench(device_pki, Esme, ESME)
    assert isinstance(bench.meter, Esme)
    bench.ask(0x001F, threshold(700, in_an_hour(bench.meter)))
    bench.ask(0x001F, threshold(700, when))
    assert bench.meter.model.read((9000, THRESHOLD, 2)) == DoubleLong(expected)
    if when == cosem_time.NEVER:
        assert bench.later(7200) == []


def emergency_credit(limit: int, start: int) -> bytes:
    payload = b"".join(value.to_bytes(4, "little") for value in (1, start, limit, 5))
    return Gbz((Component(0x0705, 0x01, 0, 0x03, payload),)).encode()


def test_a_gas_setting_waits_for_its_time_and_its_alert_has_the_published_layout(device_pki: Keystore) -> None:
    bench = Bench(device_pki, Gsme, GSME)
    assert isinstance(bench.meter, Gsme)
    start = int(bench.meter.now()) + 3600
    bench.ask(0x006F, emergency_credit(900, start))
    assert bench.meter.model.number(*EMERGENCY_LIMIT) == 0
    alert = bench.later(3601)[0]
    assert bench.meter.model.number(*EMERGENCY_LIMIT) == 900
    assert alert.message_code == 0x00CD
    assert alert.payload == bytes.fromhex("0109018f66") + (start + 1).to_bytes(4, "big") + bytes.fromhex("0e006f000000000000000107050103")


def test_a_cancelled_gas_setting_never_acts(device_pki: Keystore) -> None:
    bench = Bench(device_pki, Gsme, GSME)
    assert isinstance(bench.meter, Gsme)
    bench.ask(0x006F, emergency_credit(900, int(bench.meter.now()) + 3600))
    bench.ask(0x006F, emergency_credit(900, 0xFFFFFFFF))
    assert bench.later(7200) == []
    assert bench.meter.model.number(*EMERGENCY_LIMIT) == 0


def test_a_future_dated_setting_that_fails_changes_nothing_and_is_told_by_8f67(device_pki: Keystore) -> None:
    bench = Bench(device_pki, Esme, ESME)
    assert isinstance(bench.meter, Esme)
    bench.ask(0x001F, threshold(700, in_an_hour(bench.meter)))
    bench.meter.model.broken[9000, THRESHOLD, 6] = AccessResult.HARDWARE_FAULT
    (alert,) = bench.later(3601)
    body = DataNotification.decode(alert.payload).body.elements  # type: ignore[attr-defined]
    assert body[0] == LongUnsigned(0x8F67)
    assert bench.meter.model.read((9000, THRESHOLD, 2)) != DoubleLong(700)


@pytest.mark.parametrize("later", [False, True])
def test_a_meter_forgets_what_it_counted_and_was_set_in_a_command_or_a_later_action_that_was_undone(
    device_pki: Keystore, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    bench = Bench(device_pki, Esme, ESME)
    meter = bench.meter
    assert isinstance(meter, Esme)
    meter.update()
    before = meter.metering.settings.terms

    def fail() -> None:
        assert meter.metering.settings.terms != before
        meter.metering.cut_off = True
        raise KeystoreError("the meter", "out of order")

    when = in_an_hour(meter) if later else cosem_time.NOW
    if later:
        bench.ask(0x001F, threshold(700, when))
    with monkeypatch.context() as patch:
        patch.setattr(meter.metering, "look", fail)
        if later:
            assert bench.later(3600) == []
        else:
            (result, _) = AccessResponse.decode(bench.ask(0x001F, threshold(700, when)).payload).results
            assert result.code is AccessResult.OTHER_REASON
    meter.clock_offset += 1
    meter.update()
    assert (meter.metering.settings.terms, meter.metering.cut_off) == (before, False)
