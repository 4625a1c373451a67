"""Firmware for a Device: fetched block by block from the hub's own image store, checked, kept, and run by CS06 alone."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from dataclasses import dataclass, field

import pytest

from firmware_emu.crypto import primitives
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device import firmware
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import ActivateFirmwareCommand, ActivateFirmwareOutcome
from firmware_emu.gbcs.envelope import Message
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, RegisteredType
from firmware_emu.hub.ota import ImagePiece, OtaStore
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import CraFlag
from firmware_emu.zse.clusters.ota import OTA
from hil.devices import Gsme
from hil.devices.base.ota_client import BLOCK, HARDWARE, Fetched, OtaClient, image_identity
from tests.devices.device_home import ACB, PARTIES, SUPPLIER, Home

IMAGE = bytes(range(256)) * 40
VERSION = 0x02000000
TOLD_VERIFIED, TOLD_NOT_VERIFIED = 0x8F72, 0x8F1C
TRANSFERRED, NOT_TRANSFERRED = 0x8F8A, 0x8F89


def image_file(home: Home, image: bytes = IMAGE, *, good: bool = True, hardware: int = HARDWARE) -> bytes:
    """A file signed by the supplier."""
    signature = bytearray(primitives.sign(home.keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE), image))
    signature[-1] ^= not good
    maker, kind = image_identity(DeviceType.GSME)
    size = 60 + len(image) + 66
    header = struct.pack("<IHHHHHIH32sIHH", 0x0BEEF11E, 0x0100, 60, 4, maker, kind, VERSION, 2, bytes(32), size, hardware, hardware)
    return header + image + b"\x00\x40" + bytes(signature)


@dataclass
class Server:
    """The hub's image store on the HAN of the home, with the CHF that tells how transfers end."""

    home: Home
    told: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        store, keystore, clock = MemoryStore(), self.home.keystore, self.home.clock
        chf = self.home.han.coordinator
        credentials = Credentials.from_keystore(store, keystore, chf, DeviceType.CHF, PARTIES)
        self.chf = GbcsDevice(chf, DeviceType.CHF, credentials, store, clock.now, self.home.trace, STANDARD)
        self.chf.outgoing = self._tell
        log = DeviceLog(store, capacity=16, historic_capacity=15, now=lambda: int(clock.now()))
        log.add(ListedDevice(self.home.parts(DeviceType.GSME)[0], RegisteredType.GSME))
        self.home.hub.zcl.add_endpoint(SimpleDescriptor(125, 0x0508, servers=(OTA.id,), clients=()))
        self.images = OtaStore(self.chf, self.home.hub.zcl, 125, log, standard_profile(), asyncio.ensure_future)

    def _tell(self, alert: bytes) -> None:
        header = Message.decode(alert).header
        assert header.recipient == ACB
        self.told += [code for code in (TRANSFERRED, NOT_TRANSFERRED) if code.to_bytes(2, "big") in Message.decode(alert).payload]

    def hold(self, gsme: Gsme, data: bytes) -> None:
        for offset in range(0, len(data), 1000):
            self.images.take(ImagePiece(gsme.eui64, len(data), offset, data[offset : offset + 1000]).encode())


async def joined(home: Home) -> Gsme:
    gsme = Gsme(*home.parts(DeviceType.GSME))
    await gsme.start()
    await gsme.join()
    return gsme


def alerts(gsme: Gsme) -> list[int]:
    """Codes of the alerts that wait to be sent."""
    found = []
    while (waiting := gsme.outbox.first()) is not None:
        gsme.outbox.done(waiting[0])
        found.append(int.from_bytes(Message.decode(waiting[1]).payload[3:5], "big"))
    return found


def activate(image: bytes, counter: int) -> bytes:
    return Asn1Payload("ActivateFirmwareCommand", ActivateFirmwareCommand(hashlib.sha256(image).digest(), counter, None)).encode()


async def test_an_image_is_fetched_and_checked_but_runs_only_by_command(home: Home) -> None:
    server, gsme = Server(home), await joined(home)
    server.hold(gsme, image_file(home))
    assert await gsme.ota.fetch() is Fetched.KEPT
    assert alerts(gsme) == [TOLD_VERIFIED]
    assert server.told == [TRANSFERRED]
    before = firmware.running_version(gsme.gbcs)
    assert before != VERSION.to_bytes(4, "big")
    assert await gsme.ota.fetch() is Fetched.NOTHING
    for image, code in ((b"another", 2), (IMAGE, 0)):
        command = home.command(gsme.eui64, 0x0012, activate(image, home.counter + 1), signed=True)
        home.hub.mailbox.append(command)
        await gsme.wake()
        outcome = Asn1Payload.decode((await home.answer()).payload, 0x0012, CraFlag.RESPONSE).value
        assert isinstance(outcome, ActivateFirmwareOutcome)
        assert outcome.code == code
    assert firmware.running_version(gsme.gbcs) == VERSION.to_bytes(4, "big")
    await gsme.stop()


async def test_an_image_that_its_supplier_did_not_sign_is_discarded_and_both_sides_tell(home: Home) -> None:
    server, gsme = Server(home), await joined(home)
    server.hold(gsme, image_file(home, good=False))
    assert await gsme.ota.fetch() is Fetched.DISCARDED
    assert alerts(gsme) == [TOLD_NOT_VERIFIED]
    assert server.told == [NOT_TRANSFERRED]
    assert gsme.store.get(gsme.gbcs.prefix + "firmware/pending") is None
    await gsme.stop()


async def test_a_transfer_goes_on_where_a_power_cut_broke_it_off(home: Home) -> None:
    server, gsme = Server(home), await joined(home)
    server.hold(gsme, image_file(home))
    assert await gsme.ota.fetch(blocks=150) is Fetched.PART
    await gsme.stop()
    again = Gsme(gsme.eui64, gsme.install_code, home.keystore, gsme.node, home.clock, home.trace, PARTIES, store=gsme.store)
    await again.start()
    again.coordinator = gsme.coordinator
    left = -(-(len(image_file(home)) - 150 * BLOCK) // BLOCK)
    assert await again.ota.fetch(blocks=left - 1) is Fetched.PART
    assert await again.ota.fetch(blocks=1) is Fetched.KEPT
    assert not again.ota.under_way
    await again.stop()


async def test_an_end_that_did_not_reach_the_hub_is_told_at_the_next_try(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    server, gsme = Server(home), await joined(home)
    server.hold(gsme, image_file(home))
    real = gsme.zcl.request

    async def deaf(partner: object, endpoint: int, cluster: int, command: int, *rest: object, **options: object) -> object:
        if (cluster, command) == (OTA.id, 0x06):
            raise RadioError("the hub is away", "TIMEOUT")
        return await real(partner, endpoint, cluster, command, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(gsme.zcl, "request", deaf)
    with pytest.raises(RadioError):
        await gsme.ota.fetch()
    assert alerts(gsme) == [TOLD_VERIFIED]
    assert (server.told, gsme.ota.under_way) == ([], True)
    monkeypatch.setattr(gsme.zcl, "request", real)
    assert await gsme.ota.fetch() is Fetched.NOTHING
    assert alerts(gsme) == []
    assert (server.told, gsme.ota.under_way) == ([TRANSFERRED], False)
    await gsme.stop()


async def test_an_image_for_other_hardware_is_not_taken(home: Home) -> None:
    server, gsme = Server(home), await joined(home)
    server.hold(gsme, image_file(home, hardware=HARDWARE + 1))
    assert await gsme.ota.fetch() is Fetched.NOTHING
    assert server.told == [NOT_TRANSFERRED]
    await gsme.stop()


async def test_a_sleepy_meter_fetches_over_several_wakes_once_the_flags_say_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.devices.gsme.gsme.BLOCKS_A_WAKE", 100)

    server, gsme = Server(home), await joined(home)
    server.hold(gsme, image_file(home))
    await gsme.wake()
    assert not gsme.ota.under_way
    gsme.mirror.flags = (1, 0, 0, 0, 0)
    for _ in range(2):
        await gsme.wake()
        assert gsme.ota.under_way
    await gsme.wake()
    assert server.told == [TRANSFERRED]
    alert = await home.answer()
    assert alert.header.cra is CraFlag.ALERT
    assert alert.message_code == 0x00CF
    await gsme.stop()


async def test_a_mains_device_asks_again_when_the_hub_notifies_it(home: Home) -> None:
    server, gsme = Server(home), await joined(home)
    follower = OtaClient(gsme)
    gsme.zcl.serve(gsme.descriptors[0].endpoint, OTA.id, follower._notified, server=False)
    gsme.spawn(follower.follow())
    await home.clock.sleep(10)
    assert server.told == []
    server.hold(gsme, image_file(home))
    notify = OTA.to_client[0x00].encode({"payload_type": 0, "query_jitter": 100})
    await home.hub.zcl.command(gsme.eui64, gsme.descriptors[0].endpoint, OTA.id, 0x00, notify, source_endpoint=125, to_server=False)
    await home.clock.sleep(300)
    assert server.told == [TRANSFERRED]
    await gsme.stop()
