from __future__ import annotations

from datetime import timedelta

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.gbcs import cosem_time, protect
from firmware_emu.gbcs.axdr import Data, DoubleLongUnsigned, Integer, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import (
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    DataNotification,
    Protected,
    ProtectedAttribute,
    ProtectionParameters,
    Specification,
    invoke_id,
    open_protected,
    parse_obis,
    protected_request,
)
from firmware_emu.gbcs.envelope import Message
from hil.devices import Esme, LoadSwitch
from tests.devices.device_home import NETWORK_OPERATOR, SUPPLIER, Home


def request(choice: Choice, class_id: int, obis: str, attribute: int, data: Data | None = None) -> bytes:
    return AccessRequest(invoke_id(1), (Specification(choice, class_id, parse_obis(obis), attribute),), (data or Null(),)).encode()


async def joined(home: Home) -> Esme:
    esme = Esme(*home.parts(DeviceType.ESME))
    await esme.start()
    await esme.join()
    await home.hub.open(esme.eui64)
    commissioned = await home.answer()
    assert (commissioned.message_code, commissioned.header.recipient) == (0x1000, SUPPLIER)
    await home.clock.sleep(1)
    return esme


async def ask(home: Home, esme: Esme, code: int, payload: bytes, *, signed: bool = False) -> Message:
    await home.hub.clients[esme.eui64].transfer(home.command(esme.eui64, code, payload, signed=signed))
    answer: Message = await home.answer()
    return answer


def set_clock(home: Home, start: float, end: float) -> bytes:
    def at(seconds: float) -> OctetString:
        return OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=int(seconds))))

    clock = parse_obis("0-0:1.0.0")
    items = (
        (Specification(Choice.SET, 8, clock, 9), DlmsEnum(5)),
        (Specification(Choice.ACTION, 8, clock, 5), Structure((OctetString(cosem_time.NEVER), at(start), at(end)))),
        (Specification(Choice.ACTION, 8, clock, 4), Integer(0)),
        (Specification(Choice.GET, 8, clock, 2), Null()),
        (Specification(Choice.GET, 8, clock, 4), Null()),
    )
    return AccessRequest(invoke_id(1), tuple(item for item, _ in items), tuple(data for _, data in items)).encode()


async def test_set_clock_in_the_interval_makes_the_meter_s_time_reliable(home: Home) -> None:
    esme = await joined(home)
    now = home.clock.now()
    response = await ask(home, esme, 0x0062, set_clock(home, now - 60, now + 60), signed=True)
    answer = AccessResponse.decode(response.payload)
    assert [result.code for result in answer.results] == [AccessResult.SUCCESS] * 5
    assert esme.clock_reliable
    await esme.stop()


async def test_set_clock_outside_the_interval_changes_nothing_and_raises_8f0c(home: Home) -> None:
    esme = await joined(home)
    response = await ask(home, esme, 0x0062, set_clock(home, 100, 200), signed=True)
    assert AccessResponse.decode(response.payload).results[2].code is AccessResult.OTHER_REASON
    alert = DataNotification.decode((await home.answer()).payload).body
    assert alert[0] == LongUnsigned(0x8F0C)  # type: ignore[index]
    assert not esme.clock_reliable
    await esme.stop()


async def test_import_registers_are_read_encrypted_and_equal_what_the_meter_counted(home: Home) -> None:
    esme = await joined(home)
    await home.clock.sleep(3 * 3600)
    wanted = ProtectedAttribute(1, parse_obis("0-0:94.44.34.10"), 2)
    parameter = protected_request((wanted,), ProtectionParameters(1, SUPPLIER, esme.eui64))
    response = await ask(home, esme, 0x0027, request(Choice.ACTION, 30, "0-0:43.2.8", 1, parameter))
    item = AccessResponse.decode(response.payload).data[0]
    protected = Protected.of(item.elements)
    assert protected is not None
    z = home.keystore.shared_secret(esme.eui64, SUPPLIER)
    plain = protect.decrypt(protected.octets, z, originator=esme.eui64, counter=response.header.counter, recipient=SUPPLIER)
    value = open_protected(plain)[0]
    esme.update()
    assert value[0] == DoubleLongUnsigned(esme.registers.active_import.total)  # type: ignore[index]
    assert esme.registers.active_import.total > 500
    assert len(response.header.date_time) == 12
    await esme.stop()


@pytest.mark.requirement("CH-17")
async def test_a_signed_command_opens_the_load_switch_and_nothing_flows_any_more(home: Home) -> None:
    esme = await joined(home)
    response = await ask(home, esme, 0x0050, request(Choice.ACTION, 9, "0-0:10.0.106", 1, LongUnsigned(0x34)), signed=True)
    assert AccessResponse.decode(response.payload).results[0].code is AccessResult.SUCCESS
    assert esme.load_switch is LoadSwitch.DISABLED
    before = esme.registers.active_import.total
    await home.clock.sleep(7200)
    esme.update()
    assert esme.registers.active_import.total == before
    state = await ask(home, esme, 0x0052, request(Choice.GET, 70, "0-0:96.3.10", 3))
    assert AccessResponse.decode(state.payload).data == (DlmsEnum(0),)
    await esme.stop()


async def test_a_stuck_contactor_answers_hardware_fault(home: Home) -> None:
    esme = await joined(home)
    esme.contactor_stuck = True
    response = await ask(home, esme, 0x0050, request(Choice.ACTION, 9, "0-0:10.0.106", 1, LongUnsigned(0x34)), signed=True)
    assert AccessResponse.decode(response.payload).results[0].code is AccessResult.HARDWARE_FAULT
    assert esme.load_switch is LoadSwitch.ENABLED
    await esme.stop()


@pytest.mark.parametrize(("seconds", "code"), [(20, 0x8F35), (179, 0x8F35), (181, 0x8F36)])
@pytest.mark.requirement("CH-20")
async def test_an_outage_is_told_to_the_network_operator_when_supply_returns(home: Home, seconds: int, code: int) -> None:
    esme = await joined(home)
    start = home.clock.now()
    esme.power(False)
    await home.clock.sleep(seconds)
    esme.power(True)
    alert: Message = await home.answer()
    body = DataNotification.decode(alert.payload).body
    assert (alert.message_code, alert.header.recipient) == (0x0067, NETWORK_OPERATOR)
    assert body[0] == LongUnsigned(code)  # type: ignore[index]
    times = [cosem_time.decode_date_time(item.octets) for item in body.elements[2:]]
    assert times == [EPOCH + timedelta(seconds=int(start)), EPOCH + timedelta(seconds=int(start + seconds))]
    await esme.stop()


async def test_a_replay_is_still_refused_after_an_outage(home: Home) -> None:
    esme = await joined(home)
    command = home.command(esme.eui64, 0x0044, request(Choice.ACTION, 3, "0-0:94.44.42", 1, Null()))
    await home.hub.clients[esme.eui64].transfer(command)
    await home.answer()
    await home.clock.sleep(1)
    esme.power(False)
    await home.clock.sleep(30)
    esme.power(True)
    await home.answer()
    await home.hub.clients[esme.eui64].transfer(command)
    await home.clock.sleep(5)
    assert home.hub.received.empty()
    refused = [record for record in home.records if record.event == "refused"]
    assert [record.detail["step"] for record in refused] == ["counter"]
    await esme.stop()
