from __future__ import annotations

import asyncio

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.roles import CellUsage, DeviceType, KeyUsage
from firmware_emu.device import joins
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.utrn import make_utrn
from hil.devices import Gsme, Ppmid
from hil.devices.base.han_device import HanDevice
from tests.devices.device_home import SUPPLIER, Home


async def carry(home: Home, gsme: Gsme, ppmid: Ppmid) -> None:
    """Pass each of the two Devices' messages on to the other, as a hub does."""
    while True:
        data = await home.hub.received.get()
        if Message.decode(data).header.originator == ppmid.eui64:
            home.hub.mailbox.append(data)
            await gsme.wake()
        else:
            await home.hub.clients[ppmid.eui64].transfer(data)


def know(home: Home, device: Gsme | Ppmid, other: HanDevice) -> None:
    certificate = home.keystore.certificate(other.eui64, KeyUsage.KEY_AGREEMENT).public_bytes(Encoding.DER)
    assert joins.add(device.gbcs, other.eui64, other.device_type.value, 3, certificate) == 0


async def test_a_display_tops_up_the_gas_meter_it_is_joined_with_and_only_once_per_token(home: Home) -> None:
    gsme, ppmid = Gsme(*home.parts(DeviceType.GSME)), Ppmid(*home.parts(DeviceType.PPMID))
    for device in (gsme, ppmid):
        await device.start()
        await device.join()
    await home.hub.open(ppmid.eui64)
    z = home.keystore.shared_secret(gsme.eui64, SUPPLIER, CellUsage.PREPAYMENT_TOP_UP)
    utrn = make_utrn(z, supplier=SUPPLIER, meter=gsme.eui64, counter=5 << 32, value=12)
    with pytest.raises(ProtectionError):
        await ppmid.top_up_gas(gsme.eui64, utrn)
    know(home, gsme, ppmid)
    know(home, ppmid, gsme)
    carrier = asyncio.create_task(carry(home, gsme, ppmid))
    answers = [(await ppmid.top_up_gas(gsme.eui64, utrn)).components[0] for _ in range(2)]
    assert [part.payload[0] for part in answers] == [0, 2]
    assert gsme.model.number(0x0705, 0x0001) == 1_200_000
    refused = await ppmid.activate_gas_emergency_credit(gsme.eui64)
    assert refused.components[0].payload == b"\x00\x01", "credit mode lends nothing"
    for attribute, value in ((0x0000, 0x0C97), (0x0010, 500_000), (0x0011, 2_000_000)):
        gsme.model.set(0x0705, attribute, value)
    emergency = await ppmid.activate_gas_emergency_credit(gsme.eui64)
    assert emergency.components[0].payload == b"\x00\x00"
    assert gsme.model.number(0x0705, 0x0002) == 500_000
    carrier.cancel()
    await asyncio.gather(gsme.stop(), ppmid.stop(), carrier, return_exceptions=True)
