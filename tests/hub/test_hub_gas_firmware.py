"""Firmware for the sleepy gas meter, from the WAN to its activation: the mirror's flag tells of it, and only CS06 runs it."""

from __future__ import annotations

import hashlib
import struct

import pytest

from firmware_emu.crypto import primitives
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device import firmware
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import ActivateFirmwareCommand, ActivateFirmwareOutcome
from firmware_emu.hub.ota import ImagePiece
from firmware_emu.ids import CraFlag
from firmware_emu.wan.base import WanKind
from hil.devices.base.ota_client import HARDWARE, image_identity
from tests.hub.gas_home import ask, command, gas_meter
from tests.hub.hub_bench import ACB, GSME, SUPPLIER, Bench

IMAGE, VERSION, ACTIVATE = b"a gas meter's firmware " * 150, 0x02000000, 0x0012


@pytest.mark.requirement("CH-28")
async def test_an_image_from_the_wan_reaches_the_sleepy_meter_and_runs_when_commanded(bench: Bench) -> None:
    gsme = await gas_meter(bench, lambda half_hour: 1800)
    signature = primitives.sign(bench.keystore.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE), IMAGE)
    size = 60 + len(IMAGE) + 66
    header = struct.pack(
        "<IHHHHHIH32sIHH", 0x0BEEF11E, 0x0100, 60, 4, *image_identity(DeviceType.GSME), VERSION, 2, bytes(32), size, HARDWARE, HARDWARE
    )
    data = header + IMAGE + b"\x00\x40" + signature
    for offset in range(0, len(data), 500):
        bench.dcc.post(WanKind.IMAGE, ImagePiece(GSME, len(data), offset, data[offset : offset + 500]).encode())
    await bench.dcc.drained()
    assert not gsme.mirror.told_of_firmware
    await bench.clock.sleep(3600)
    (transferred,) = bench.alerts(0x8F8A)
    assert (transferred.message_code, transferred.header.recipient) == (0x0128, ACB)
    (receipt,) = bench.alerts(0x8F72)
    assert (receipt.message_code, receipt.header.originator, receipt.header.recipient) == (0x00CF, GSME, SUPPLIER)
    assert hashlib.sha256(IMAGE).digest() in receipt.payload
    assert not gsme.mirror.told_of_firmware
    assert int.from_bytes(firmware.running_version(gsme.gbcs), "big") != VERSION
    order = ActivateFirmwareCommand(hashlib.sha256(IMAGE).digest(), bench.counter + 1, None)
    response = await ask(bench, gsme, command(bench, ACTIVATE, Asn1Payload("ActivateFirmwareCommand", order).encode(), GSME))
    outcome = Asn1Payload.decode(response.payload, ACTIVATE, CraFlag.RESPONSE).value
    assert outcome == ActivateFirmwareOutcome(0, VERSION.to_bytes(4, "big"))
    assert int.from_bytes(firmware.running_version(gsme.gbcs), "big") == VERSION
    await gsme.stop()
