"""The CHF's own Commands, from the DCC's end of the WAN."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.aes_mmo import aes_mmo, install_code_link_key
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.axdr import Array, CompactArray, Data, DoubleLongUnsigned, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.dlms import (
    EVENT_LOG_CLOCK,
    AccessResponse,
    Choice,
    DataNotification,
    Specification,
    parse_obis,
    range_selection,
)
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.hub.device_log import ListedState
from firmware_emu.ids import Eui64
from tests.hub.hub_bench import (
    CHF,
    CODES,
    ESME,
    GPF,
    GSME,
    HISTORIC,
    IHD,
    LOG,
    PPMID,
    STRANGER,
    Bench,
    Meter,
    add_device,
    codes,
    joined_meter,
    read_logs,
    remove_device,
)


def backed_up(backup: Data) -> dict[Eui64, bytes]:
    """Devices and key hashes of a log backup structure."""
    assert isinstance(backup, Structure)
    _, _, rows = backup.elements
    assert isinstance(rows, Array)
    found = {}
    for row in rows.elements:
        match row:
            case Structure(elements=(OctetString(octets=device), OctetString(octets=key_hash))):
                found[Eui64(device)] = key_hash
            case _:
                raise AssertionError(row)
    return found


def last_backup(bench: Bench) -> dict[Eui64, bytes]:
    """Content of the last CS14."""
    notification = decode_payload(bench.alerts(0x8F12)[-1])
    assert isinstance(notification, DataNotification)
    assert isinstance(notification.body, Structure)
    return backed_up(notification.body.elements[2])


@pytest.mark.requirement("CH-05")
@pytest.mark.requirement("CH-06")
@pytest.mark.requirement("SVC-8.11")
@pytest.mark.clause("RTDS CCS01, CS14")
async def test_an_added_device_is_in_the_log_and_in_a_backup_with_an_empty_hash(bench: Bench) -> None:
    answer = await bench.ask(add_device(bench, ESME))
    assert isinstance(answer, AccessResponse)
    assert answer.data == (Null(), Null(), Null())
    assert codes(answer) == [0, 0, 0]
    await bench.wait_for(lambda: bench.alerts(0x8F12) or None)
    alert = bench.alerts(0x8F12)[0]
    assert alert.message_code == 0x0018
    assert last_backup(bench) == {ESME: b""}
    assert [entry.device for entry in bench.hub.status.device_log] == [ESME]


@pytest.mark.requirement("CH-02")
@pytest.mark.requirement("CH-05")
async def test_a_joined_device_gets_a_key_of_its_own_whose_hash_is_backed_up(bench: Bench) -> None:
    meter = await joined_meter(bench)
    key = meter.node.link_keys[GPF]
    assert key != install_code_link_key(CODES[ESME])
    await bench.wait_for(lambda: len(bench.alerts(0x8F12)) == 2)
    assert last_backup(bench) == {ESME: aes_mmo(key)}
    assert bench.hub.status.network is not None
    assert bench.hub.status.network.extended_pan_id == GPF


async def test_adding_a_device_that_is_there_keeps_its_keys_and_succeeds(bench: Bench) -> None:
    meter = await joined_meter(bench)
    key = meter.node.link_keys[GPF]
    await bench.clock.sleep(5)
    alerts = len(bench.alerts(0x8F12))
    assert codes(await bench.ask(add_device(bench, ESME, code=CODES[STRANGER]))) == [0, 0, 0]
    assert bench.radio.link_keys[ESME] == key
    assert len(bench.alerts(0x8F12)) == alerts


async def test_a_device_that_is_not_in_the_log_is_refused_and_the_reason_recorded(bench: Bench) -> None:
    class MemoryMeter(Meter):
        def __init__(self, bench: Bench) -> None:
            super().__init__(bench, PPMID)

    stranger = MemoryMeter(bench)
    with pytest.raises(RadioError):
        await stranger.node.join(install_code_link_key(CODES[STRANGER]))
    await bench.clock.sleep(1)
    assert "no key is held for it" in bench.refusals()
    assert bench.hub.status.device_log == ()


async def test_the_window_closes_after_the_join_time(bench: Bench) -> None:
    await bench.ask(add_device(bench, ESME, seconds=90))
    meter = Meter(bench, ESME)
    await bench.clock.sleep(100)
    with pytest.raises(RadioError):
        await meter.join()
    assert bench.radio.permitted == {}


@pytest.mark.requirement("SVC-8.11")
async def test_a_removed_device_leaves_the_han_and_goes_to_the_historic_log_with_its_key(bench: Bench) -> None:
    meter = await joined_meter(bench)
    key = meter.node.link_keys[GPF]
    assert codes(await bench.ask(remove_device(bench, ESME))) == [0]
    assert not meter.node.on_network
    assert ESME not in bench.radio.link_keys
    answer = await bench.ask(read_logs(bench))
    assert isinstance(answer, AccessResponse)
    assert backed_up(answer.data[0]) == {}
    assert backed_up(answer.data[1]) == {ESME: aes_mmo(key)}
    assert last_backup(bench) == {}
    assert codes(await bench.ask(remove_device(bench, ESME))) == [250]


async def test_a_returning_device_may_use_its_old_key_in_the_first_half_and_its_install_code_in_the_second(bench: Bench) -> None:
    meter = await joined_meter(bench)
    key = meter.node.link_keys[GPF]
    await bench.ask(remove_device(bench, ESME))
    await bench.ask(add_device(bench, ESME, seconds=200))
    assert bench.radio.permitted[ESME][0] == key
    await bench.clock.sleep(101)
    assert bench.radio.permitted[ESME][0] == install_code_link_key(CODES[ESME])
    await meter.join()
    assert meter.node.link_keys[GPF] != key


async def test_traffic_with_the_old_key_brings_it_back_into_use_and_into_a_backup(bench: Bench) -> None:
    meter = await joined_meter(bench)
    key = meter.node.link_keys[GPF]
    await bench.ask(remove_device(bench, ESME))
    await bench.ask(add_device(bench, ESME, seconds=200))
    assert await meter.node.join(key) == GPF
    await bench.wait_for(lambda: last_backup(bench) == {ESME: aes_mmo(key)} or None)
    assert bench.hub.status.device_log[0].membership is ListedState.ESTABLISHED


async def test_the_log_holds_sixteen_devices_and_refuses_a_seventeenth(bench: Bench) -> None:
    for number in range(16):
        device = Eui64(bytes(7) + bytes([number + 1]))
        assert codes(await bench.ask(add_device(bench, device, code=CODES[ESME]))) == [0, 0, 0]
    assert codes(await bench.ask(add_device(bench, ESME))) == [250, 250, 250]
    assert len(bench.hub.status.device_log) == 16


async def test_the_sixteenth_removal_overwrites_the_oldest_historic_entry(bench: Bench) -> None:
    devices = [Eui64(bytes(7) + bytes([number + 1])) for number in range(16)]
    for device in devices:
        await bench.ask(add_device(bench, device, code=CODES[ESME]))
        await bench.ask(remove_device(bench, device))
    assert [entry.device for entry in bench.hub.status.historic_log] == devices[1:]


@pytest.mark.parametrize("seconds", [0, 3601])
async def test_a_join_time_out_of_range_opens_no_window(bench: Bench, seconds: int) -> None:
    assert codes(await bench.ask(add_device(bench, ESME, seconds=seconds))) == [0, 250, 250]
    assert bench.radio.permitted == {}


@pytest.mark.requirement("CH-07")
@pytest.mark.requirement("SVC-8.12")
@pytest.mark.clause("RTDS CCS03")
async def test_a_restored_log_forms_the_network_of_the_old_hub_and_lets_its_devices_in_by_their_hash(bench: Bench) -> None:
    old_pan, old_key = Eui64.parse("00db1234567890e3"), bytes(range(16))

    rows = Array((Structure((OctetString(ESME.octets), OctetString(aes_mmo(old_key)))),))
    restore = bench.dlms(0x0003, (Specification(Choice.ACTION, 104, LOG, 5), Structure((OctetString(old_pan.octets), rows))))
    assert codes(await bench.ask(restore)) == [0]
    await bench.clock.sleep(2)
    assert bench.radio.network is not None
    assert bench.radio.network.extended_pan_id == old_pan
    assert last_backup(bench) == {ESME: aes_mmo(old_key)}
    assert bench.radio.permitted[ESME][0] == aes_mmo(old_key)
    meter = Meter(bench, ESME)
    assert await meter.node.join(aes_mmo(old_key)) == GPF
    await bench.cut()
    await bench.power_on()
    assert bench.radio.formed == 2
    assert bench.radio.network.extended_pan_id == old_pan


@pytest.mark.requirement("CH-07")
async def test_a_device_of_a_restored_log_may_rejoin_by_its_hash_after_the_join_time_and_on_another_dongle(bench: Bench) -> None:
    key_hash = aes_mmo(bytes(range(16)))

    rows = Array(tuple(Structure((OctetString(one.octets), OctetString(known))) for one, known in ((ESME, key_hash), (PPMID, b""))))
    pan = OctetString(Eui64.parse("00db1234567890e3").octets)
    restore = bench.dlms(0x0003, (Specification(Choice.ACTION, 104, LOG, 5), Structure((pan, rows))))
    assert codes(await bench.ask(restore)) == [0]
    await bench.clock.sleep(2 * 3600)
    assert bench.radio.link_keys == {ESME: key_hash}
    assert bench.radio.admits(ESME, key_hash)
    assert not bench.radio.permitted
    await bench.cut()
    bench.radio.network = None
    bench.radio.link_keys.clear()
    await bench.power_on()
    assert bench.radio.link_keys == {ESME: key_hash}


@pytest.mark.requirement("SVC-8.9")
@pytest.mark.parametrize("code", [0x0004, 0x010F])
async def test_the_log_is_read_with_the_time_of_last_communication(bench: Bench, code: int) -> None:
    await joined_meter(bench)
    answer = await bench.ask(bench.dlms(code, (Specification(Choice.GET, 104, LOG, 4), Null())))
    assert isinstance(answer, AccessResponse)
    match answer.data[0]:
        case Array(elements=(Structure(elements=(OctetString(octets=device), *_, last, _, _, _, _, _) as fields),)):
            assert device == ESME.octets
            assert len(fields) == 14
            assert isinstance(last, OctetString)
            assert last.octets[:4] == bytes.fromhex("07ea0101")
        case other:
            raise AssertionError(other)


@pytest.mark.requirement("CH-04")
async def test_identity_and_firmware_are_read(bench: Bench) -> None:
    def get(obis: str) -> tuple[Specification, Data]:
        return Specification(Choice.GET, 1, parse_obis(obis), 2), Null()

    identity = await bench.ask(bench.dlms(0x0092, get("0-0:96.1.1"), get("0-0:96.1.4"), get("0-0:96.1.6")))
    assert isinstance(identity, AccessResponse)
    assert identity.data == (OctetString(CHF.octets), OctetString(b"COMMSHUB"), OctetString(b"BNCH"))
    firmware = await bench.ask(bench.dlms(0x0059, get("0-0:0.2.1")))
    assert isinstance(firmware, AccessResponse)
    assert firmware.data == (OctetString(b"\0\1\0\0"),)


async def test_the_event_log_tells_of_commands_done_within_the_range(bench: Bench) -> None:
    start = int(bench.clock.now())
    await bench.ask(add_device(bench, ESME))
    for begin, end, expected in ((start, start + 60, 1), (start + 1000, start + 2000, 0)):
        selection = range_selection(1, EVENT_LOG_CLOCK, 2, DoubleLongUnsigned(begin), DoubleLongUnsigned(end))
        read = Specification(Choice.GET_WITH_SELECTION, 7, parse_obis("0-0:99.98.0"), 2, 1, selection)
        answer = await bench.ask(bench.dlms(0x0093, (read, Null())))
        assert isinstance(answer, AccessResponse)
        log = answer.data[0]
        assert isinstance(log, CompactArray)
        assert len(log.elements) >= expected
        if expected:
            first = log.elements[0]
            assert isinstance(first, Structure)
            assert first.elements[1:] == (LongUnsigned(0x8154), OctetString(b"\x00\x01"))


@pytest.mark.requirement("CH-05")
async def test_a_malformed_registration_changes_nothing(bench: Bench) -> None:
    bad = bench.dlms(0x0001, (Specification(Choice.ACTION, 104, LOG, 1), OctetString(b"12345678")))
    assert codes(await bench.ask(bad)) == [12]
    assert codes(await bench.ask(bench.dlms(0x0002, (Specification(Choice.ACTION, 104, HISTORIC, 2), Null())))) == [11]
    assert bench.hub.status.device_log == ()
    assert bench.alerts(0x8F12) == []


async def test_neither_install_code_nor_link_key_gets_into_the_trace(bench: Bench) -> None:
    meter = await joined_meter(bench)
    secrets = [CODES[ESME].octets, install_code_link_key(CODES[ESME]), meter.node.link_keys[GPF]]
    written = "\n".join(record.as_json() for record in bench.records if record.source != str(ESME))
    assert not [secret for secret in secrets if secret.hex() in written]
    assert not [secret for secret in secrets if secret.hex() in repr(bench.hub.status)]


@pytest.mark.requirement("CH-08")
async def test_a_type_2_device_joins_the_han_and_gets_no_tunnel(bench: Bench) -> None:
    await joined_meter(bench, IHD, 128)
    await bench.clock.sleep(10)
    assert bench.hub.status.device_log[0].membership is ListedState.ESTABLISHED
    assert bench.hub.status.tunnels == ()


async def test_a_gas_meter_is_not_asked_for_a_tunnel(bench: Bench) -> None:
    await joined_meter(bench, GSME, 1)
    await bench.clock.sleep(10)
    assert bench.hub.status.tunnels == ()
