"""Firmware images: pieces over the WAN, blocks over the HAN, CCS08 at the end."""

from __future__ import annotations

import hashlib
import struct

import pytest

from firmware_emu.crypto import primitives
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import ActivateFirmwareCommand, FirmwareTransferAlert
from firmware_emu.gbcs.axdr import Null, OctetString
from firmware_emu.gbcs.dlms import AccessResponse, Choice, Specification, parse_obis
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.han.zcl_port import Incoming
from firmware_emu.hub.ota import DISCARDED, FAILURE, HARDWARE_MISMATCH, SUCCESS, ImagePiece, _pause
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.wan.base import WanKind
from firmware_emu.zse.clusters.ota import OTA, WAIT_FOR_DATA
from firmware_emu.zse.zcl import ZclStatus
from tests.hub.hub_bench import ACB, CHF, ESME, GPF, GSME, IHD, PPMID, WAN_PROVIDER, Bench, Meter, joined_meter

WAIT = ZclStatus.WAIT_FOR_DATA
MAKER, KIND, VERSION = 0x10DB, 0x0001, 0x01020304


def ota_file(length: int = 500, *, version: int = VERSION, replace: int = 0) -> bytes:
    body = bytes(range(256)) * (length // 256 + 1)
    tail = body[:length] + bytes([replace]) + b"\x40" + bytes(64)
    return struct.pack("<IHHHHHIH32sIHH", 0x0BEEF11E, 0x100, 60, 4, MAKER, KIND, version, 2, b"", 60 + len(tail), 1, 5) + tail


async def send_image(bench: Bench, target: Eui64, image: bytes, piece: int = 128) -> None:
    for offset in range(0, len(image), piece):
        bench.dcc.post(WanKind.IMAGE, ImagePiece(target, len(image), offset, image[offset : offset + piece]).encode())
    await bench.dcc.drained()


async def ask(meter: Meter, command: int, **fields: int) -> dict[str, object]:
    (endpoint, *_) = await meter.node.match_descriptors(GPF, OTA.id, server=True)
    payload = OTA.to_server[command].encode({"manufacturer": MAKER, "image_type": KIND, **fields})
    answer = await meter.zcl.request(GPF, endpoint, OTA.id, command, payload, source_endpoint=1)
    if answer.default_response is not None:
        return {"status": answer.default_response.status}
    return dict(OTA.to_client[answer.command].decode(answer.payload))


def query(meter: Meter, version: int = 1, **fields: int):  # type: ignore[no-untyped-def]
    return ask(meter, 0x01, field_control=int("hardware_version" in fields), file_version=version, **fields)


def outcomes(bench: Bench) -> list[int]:
    found = []
    for code in (0x8F89, 0x8F8A):
        for alert in bench.alerts(code):
            payload = decode_payload(alert)
            assert isinstance(payload, Asn1Payload)
            assert isinstance(payload.value, FirmwareTransferAlert)
            assert alert.message_code == 0x0128
            found.append(payload.value.outcome)
    return found


@pytest.mark.clause("RTDS CCS08")
async def test_an_image_reaches_its_device_block_by_block_and_its_end_is_told(bench: Bench) -> None:
    meter = await joined_meter(bench)
    assert (await query(meter))["status"] == 0x7E
    image = ota_file()
    await send_image(bench, ESME, image)
    await bench.cut()
    await bench.power_on()
    found = await query(meter)
    assert (found["status"], found["file_version"], found["image_size"]) == (0, VERSION, len(image))
    got = b""
    while len(got) < len(image):
        block = await ask(meter, 0x03, field_control=0, file_version=VERSION, file_offset=len(got), maximum_data_size=48)
        assert block["file_offset"] == len(got)
        assert isinstance(block["data"], bytes)
        got += block["data"]
    assert got == image
    end = await ask(meter, 0x06, status=0, file_version=VERSION)
    assert end["upgrade_time"] == 0xFFFFFFFF
    await bench.wait_for(lambda: outcomes(bench) or None)
    assert outcomes(bench) == [SUCCESS]
    assert (await query(meter))["status"] == 0x7E


@pytest.mark.parametrize(("hardware", "manufacturer", "outcome"), [(6, MAKER, HARDWARE_MISMATCH), (3, MAKER + 1, DISCARDED)])
async def test_an_image_that_does_not_fit_its_device_is_dropped_and_told(
    bench: Bench, hardware: int, manufacturer: int, outcome: int
) -> None:
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    answer = await query(meter, hardware_version=hardware, manufacturer=manufacturer)
    assert answer["status"] == 0x98
    await bench.wait_for(lambda: outcomes(bench) or None)
    assert outcomes(bench) == [outcome]


async def test_a_transfer_that_the_device_gives_up_is_told_as_failed(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    assert (await ask(meter, 0x06, status=0x96, file_version=VERSION))["status"] == 0
    await bench.wait_for(lambda: outcomes(bench) or None)
    assert outcomes(bench) == [FAILURE]


@pytest.mark.parametrize(("replace", "version", "told"), [(0, VERSION, [DISCARDED]), (1, VERSION + 1, [])])
async def test_a_second_image_replaces_a_waiting_one_only_if_it_says_so(bench: Bench, replace: int, version: int, told: list[int]) -> None:
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    await send_image(bench, ESME, ota_file(version=VERSION + 1, replace=replace))
    assert (await query(meter))["file_version"] == version
    await bench.clock.sleep(5)
    assert outcomes(bench) == told


async def test_an_image_for_nobody_or_without_sense_is_discarded(bench: Bench) -> None:
    await send_image(bench, PPMID, ota_file())
    await joined_meter(bench)
    await send_image(bench, ESME, b"no firmware at all" * 20)
    bench.dcc.post(WanKind.IMAGE, b"short")
    await bench.wait_for(lambda: len(outcomes(bench)) == 2)
    assert outcomes(bench) == [DISCARDED, DISCARDED]


async def test_a_block_beyond_the_image_or_of_another_version_is_aborted(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    for version, offset in ((VERSION, 100_000), (VERSION + 1, 0)):
        answer = await ask(meter, 0x03, field_control=0, file_version=version, file_offset=offset, maximum_data_size=48)
        assert answer["status"] == 0x95


async def test_the_gas_meter_is_told_of_its_firmware_by_flag_0(bench: Bench) -> None:
    await joined_meter(bench, GSME, 1)
    assert bench.hub._running is not None
    assert not bench.hub._running.gpf.mirror.flags(GSME) & 1
    await send_image(bench, GSME, ota_file())
    assert bench.hub._running.gpf.mirror.flags(GSME) & 1


@pytest.mark.requirement("CH-27")
@pytest.mark.requirement("CH-28")
async def test_the_hub_s_own_image_is_stored_checked_and_activated_by_a_command_of_its_own(bench: Bench) -> None:
    async def version(bench: Bench) -> bytes:
        answer = await bench.ask(bench.dlms(0x0059, (Specification(Choice.GET, 1, parse_obis("0-0:0.2.1"), 2), Null())))
        assert isinstance(answer, AccessResponse)
        (item,) = answer.data
        assert isinstance(item, OctetString)
        return item.octets

    before = await version(bench)
    key = bench.keystore.private_key(WAN_PROVIDER, KeyUsage.DIGITAL_SIGNATURE)
    unsigned = ota_file()
    await send_image(bench, CHF, unsigned[:-64] + primitives.sign(key, unsigned[60:-66]))
    assert await version(bench) == before
    digest = hashlib.sha256(unsigned[60:-66]).digest()
    header = GroupingHeader(CraFlag.COMMAND, 5, WAN_PROVIDER, CHF, OtherInformation(0x0012))
    payload = Asn1Payload("ActivateFirmwareCommand", ActivateFirmwareCommand(digest, 5, None)).encode()
    command = protect.with_signature(Message(header, payload), key)
    bench.send(protect.with_mac(command, bench.keystore.shared_secret(ACB, CHF)).encode())
    await bench.wait_for(lambda: any(one.message_code == 0x0012 for one in bench.decoded(CraFlag.RESPONSE)))
    assert await version(bench) == VERSION.to_bytes(4, "big")


async def test_more_devices_than_transfers_wait_their_turn_and_one_that_can_pause_is_told_how_long(bench: Bench) -> None:
    meters = [await joined_meter(bench, device, kind) for device, kind in ((ESME, 0), (PPMID, 132), (IHD, 128))]
    for meter in meters:
        await send_image(bench, meter.node.eui64, ota_file())
    firsts = [await block(meter, 0) for meter in meters]
    assert [one["status"] for one in firsts] == [0, 0, WAIT]
    assert firsts[2]["request_time"] - firsts[2]["current_time"] == 60
    assert (await block(meters[0], 48, pause_ms=0))["block_request_delay"] == 50
    assert (await block(meters[0], 48, pause_ms=50))["status"] == 0
    await ask(meters[0], 0x06, status=0, file_version=VERSION)
    assert (await block(meters[2], 0))["status"] == 0
    assert (await block(meters[1], 48))["status"] == 0
    assert [one.detail["octets"] for one in bench.records if one.event == "image progress"][:1] == [0]


async def test_a_transfer_that_broke_off_gives_its_place_away(bench: Bench) -> None:
    meters = [await joined_meter(bench, device, kind) for device, kind in ((ESME, 0), (PPMID, 132), (IHD, 128))]
    for meter in meters:
        await send_image(bench, meter.node.eui64, ota_file())
    assert [(await block(meter, 0))["status"] for meter in meters] == [0, 0, WAIT]
    await bench.clock.sleep(61)
    assert (await block(meters[2], 0))["status"] == 0


async def test_a_mains_device_is_notified_when_its_image_is_complete(bench: Bench) -> None:
    meter = await joined_meter(bench)
    told: list[bytes] = []

    def notified(incoming: Incoming) -> ZclStatus:
        told.append(incoming.frame.payload)
        return ZclStatus.SUCCESS

    meter.zcl.serve(1, OTA.id, notified, server=False)
    await send_image(bench, ESME, ota_file())
    await bench.wait_for(lambda: told or None)
    assert told == [bytes((0, 100))]


async def block(meter: Meter, offset: int, *, pause_ms: int | None = None) -> dict[str, int]:
    """The answer to one block request, a wait included."""
    (endpoint, *_) = await meter.node.match_descriptors(GPF, OTA.id, server=True)
    payload = OTA.to_server[0x03].encode(
        {
            "manufacturer": MAKER,
            "image_type": KIND,
            "file_version": VERSION,
            "file_offset": offset,
            "maximum_data_size": 48,
            "field_control": 0 if pause_ms is None else 0x02,
        }
    )
    if pause_ms is not None:
        payload += pause_ms.to_bytes(2, "little")
    answer = await meter.zcl.request(GPF, endpoint, OTA.id, 0x03, payload, source_endpoint=1)
    layout = WAIT_FOR_DATA if answer.payload[0] == WAIT else OTA.to_client[0x05]
    return {name: value for name, value in layout.decode(answer.payload).items() if isinstance(value, int)}


def kept(bench: Bench, device: Eui64) -> int:
    """Octets of pieces that the hub keeps for a Device."""
    store, folder = bench.store, f"hub/ota/{device}/piece/"
    return sum(len(store.get(key) or b"") for key in store.keys(folder))


async def test_pieces_that_overlap_or_leave_a_gap_take_no_more_room_than_the_image(bench: Bench) -> None:
    await joined_meter(bench)
    for offset in (0, 1, 2, 3, 300, 0x10000):
        bench.dcc.post(WanKind.IMAGE, ImagePiece(ESME, 10_000_000, offset, bytes(128)).encode())
    await bench.dcc.drained()
    assert kept(bench, ESME) == 128
    await send_image(bench, ESME, ota_file())
    assert kept(bench, ESME) == 0
    await joined_meter(bench)
    assert outcomes(bench) == []


async def test_pieces_for_a_device_that_the_hub_does_not_know_are_not_kept(bench: Bench) -> None:
    image = ota_file()
    bench.dcc.post(WanKind.IMAGE, ImagePiece(PPMID, len(image), 0, image[:128]).encode())
    await bench.dcc.drained()
    assert kept(bench, PPMID) == 0


@pytest.mark.parametrize(("hardware", "status"), [(0, 0x98), (1, 0), (5, 0), (6, 0x98)])
async def test_an_image_fits_from_the_lowest_to_the_highest_hardware_that_it_names(bench: Bench, hardware: int, status: int) -> None:
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    assert (await query(meter, hardware_version=hardware))["status"] == status


async def test_who_runs_the_image_already_is_told_of_none_and_it_waits_on(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    assert (await query(meter, VERSION))["status"] == 0x98
    assert (await query(meter))["status"] == 0
    assert outcomes(bench) == []


async def test_the_last_block_is_what_is_left_and_the_one_behind_it_is_none(bench: Bench) -> None:
    meter = await joined_meter(bench)
    image = ota_file()
    await send_image(bench, ESME, image)
    for offset, octets in ((len(image) - 1, 1), (len(image) - 48, 48), (0, 48)):
        block = await ask(meter, 0x03, field_control=0, file_version=VERSION, file_offset=offset, maximum_data_size=48)
        assert (block["status"], block["data"]) == (0, image[offset : offset + octets])
        assert (block["manufacturer"], block["image_type"], block["file_version"]) == (MAKER, KIND, VERSION)
    answer = await ask(meter, 0x03, field_control=0, file_version=VERSION, file_offset=len(image), maximum_data_size=48)
    assert answer["status"] == 0x95


async def test_the_end_names_any_image_and_a_time_that_never_comes(bench: Bench) -> None:
    """ZCL 11.13.9.6: FFFF and FFFFFFFF for all; an upgrade time of FFFFFFFF waits for the command to activate."""
    meter = await joined_meter(bench)
    await send_image(bench, ESME, ota_file())
    end = await ask(meter, 0x06, status=0, file_version=VERSION)
    assert [end[name] for name in ("manufacturer", "image_type", "file_version", "upgrade_time")] == [
        0xFFFF,
        0xFFFF,
        0xFFFFFFFF,
        0xFFFFFFFF,
    ]
    assert end["current_time"] == int(bench.clock.now())
    assert (await ask(meter, 0x06, status=0, file_version=VERSION))["status"] == ZclStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("octets", "milliseconds"),
    [
        ("", None),
        ("00" * 14, None),
        ("01" + "00" * 13 + "11" * 8 + "e803", None),
        ("02" + "00" * 13 + "e803", 1000),
        ("03" + "00" * 13 + "11" * 8 + "e803", 1000),
        ("02" + "00" * 13 + "e8", None),
        ("03" + "00" * 13 + "11" * 7, None),
        ("02" + "00" * 13 + "e80377", 1000),
    ],
)
def test_the_pause_of_a_device_stands_behind_its_address_where_it_names_one(octets: str, milliseconds: int | None) -> None:
    """ZCL 11.13.6: field control bit 0 the node address, bit 1 the minimum block period."""
    assert _pause(bytes.fromhex(octets)) == milliseconds


@pytest.mark.parametrize("command", [0x04, 0x08, 0x7F])
async def test_a_page_or_a_file_of_its_own_cannot_be_asked_for(bench: Bench, command: int) -> None:
    """An image page request (04), a specific file (08), and a command that there is not."""
    meter = await joined_meter(bench)
    (endpoint, *_) = await meter.node.match_descriptors(GPF, OTA.id, server=True)
    answer = await meter.zcl.request(GPF, endpoint, OTA.id, command, bytes(40), source_endpoint=1)
    assert answer.default_response is not None
    assert answer.default_response.status == ZclStatus.UNSUP_CLUSTER_COMMAND
