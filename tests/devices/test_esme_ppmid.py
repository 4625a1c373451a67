from __future__ import annotations

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.device.event_log import LogName
from firmware_emu.han.zcl_port import Incoming, Reply
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import ZclFrame, ZclStatus
from hil.devices import LoadSwitch
from hil.devices.metering.registers import DAY_S
from tests.devices.meter_bench import Bench, flat
from tests.devices.prepaying_meter import POUND, adjust, configuration, prepayment_mode, token

PPMID, DISPLAY, STRANGER = (Eui64.parse(f"00db1234567890b{n}") for n in range(3))


def asked(partner: Eui64, cluster: int, command: int, payload: bytes) -> Incoming:
    return Incoming(partner, 0x22, 0x41, cluster, ZclFrame.of_cluster(command, payload), True)


def credit_request(partner: Eui64) -> Incoming:
    payload = PREPAYMENT.to_server[0x00].encode({"issued": 0, "originating_device": 2})
    return asked(partner, PREPAYMENT.id, 0x00, payload)


def supply_request(partner: Eui64, status: int = 2) -> Incoming:
    return asked(partner, METERING.id, 0x0C, bytes((status,)))


def token_entry(partner: Eui64, code: str) -> Incoming:
    payload = PREPAYMENT.to_server[0x04].encode({"originating_device": 2, "code": code.encode()})
    return asked(partner, PREPAYMENT.id, 0x04, payload)


@pytest.fixture
def bench(device_pki: Keystore) -> Bench:
    """A meter without credit that has a PPMID and a display in its log."""
    bench = Bench(device_pki, load=lambda half_hour: 3600)
    joins.add(bench.esme.gbcs, PPMID, DeviceType.PPMID.value, 0)
    joins.add(bench.esme.gbcs, DISPLAY, DeviceType.TYPE_2.value, 3)
    bench.do(0x0019, flat(10_000))
    bench.do(0x001C, adjust(POUND))
    bench.do(0x001B, prepayment_mode())
    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND))
    bench.go(DAY_S)
    assert bench.esme.load_switch is LoadSwitch.DISABLED
    return bench


def test_a_ppmid_tops_up_and_enables_the_supply(bench: Bench) -> None:
    desk = bench.esme.desk
    assert desk.metering(supply_request(PPMID)) is ZclStatus.FAILURE
    answer = desk.prepayment(token_entry(PPMID, token(bench, 10, 2)))
    assert isinstance(answer, Reply)
    values = PREPAYMENT.to_client[answer.command].decode(answer.payload)
    assert (values["result"], values["credit_remaining"]) == (0, 10 * POUND - 10)
    assert bench.esme.load_switch is LoadSwitch.ARMED
    assert desk.metering(supply_request(PPMID, status=0)) is ZclStatus.INVALID_VALUE
    assert desk.metering(supply_request(PPMID)) is ZclStatus.SUCCESS
    assert bench.esme.load_switch is LoadSwitch.ENABLED
    other = [entry.other for entry in bench.esme.gbcs.logs[LogName.EVENT].entries() if entry.other[:1] == b"\x02"]
    assert [int.from_bytes(one[1:], "big") for one in other] == [0x0118, 0x0116, 0x0118]


def test_a_ppmid_activates_emergency_credit_and_arms_the_supply(bench: Bench) -> None:
    assert bench.esme.desk.prepayment(credit_request(PPMID)) is ZclStatus.SUCCESS
    assert (bench.esme.metering.account.emergency, bench.esme.load_switch) == (5 * POUND, LoadSwitch.ARMED)


def test_a_token_entered_twice_is_refused_the_second_time(bench: Bench) -> None:
    code = token(bench, 10, 2)
    bench.esme.desk.prepayment(token_entry(PPMID, code))
    answer = bench.esme.desk.prepayment(token_entry(PPMID, code))
    assert isinstance(answer, Reply)
    assert PREPAYMENT.to_client[answer.command].decode(answer.payload)["result"] == 2


@pytest.mark.parametrize("partner", [DISPLAY, STRANGER])
def test_only_a_ppmid_of_the_log_may_ask(bench: Bench, partner: Eui64) -> None:
    desk = bench.esme.desk
    assert desk.prepayment(credit_request(partner)) is ZclStatus.NOT_AUTHORIZED
    assert desk.prepayment(token_entry(partner, token(bench, 10, 2))) is ZclStatus.NOT_AUTHORIZED
    assert desk.metering(supply_request(partner)) is ZclStatus.NOT_AUTHORIZED
    assert not bench.esme.metering.account.emergency_active


def test_a_top_up_over_a_limit_or_while_entry_is_suspended_is_answered_by_its_own_result(bench: Bench) -> None:
    def entered(code: str) -> int:
        answer = bench.esme.desk.prepayment(token_entry(PPMID, code))
        assert isinstance(answer, Reply)
        fields = PREPAYMENT.to_client[answer.command].decode(answer.payload)
        return int(str(fields["result"]))

    bench.do(0x00DE, configuration(limit=5 * POUND, threshold=POUND, max_credit=20 * POUND, max_balance=30 * POUND))
    assert entered(token(bench, 21, 1000)) == 6
    assert [entered(token(bench, 20, counter)) for counter in (1001, 1002)] == [0, 4]
    wrong = str(int(token(bench, 5, 1003)) ^ 1).zfill(20)
    assert {entered(wrong) for _ in range(5)} == {1}
    assert entered(token(bench, 5, 1004)) == 5
