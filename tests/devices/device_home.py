"""A home for one Device: a hub's side in memory, and a supplier that sends Commands and checks answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import JoinCommand
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from hil.devices import Gsme, Ihd
from hil.devices.base.han_device import HanDevice
from tests.devices.hub_in_memory import HubSide, MemoryHan, MemoryNode

ACB = Eui64.parse("90b3d51f30000002")
SUPPLIER = Eui64.parse("90b3d51f30010000")
NETWORK_OPERATOR = Eui64.parse("90b3d51f30020000")
PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90b3d51f30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90b3d51f30000004"),
    RemotePartyRole.WAN_PROVIDER: Eui64.parse("90b3d51f30000007"),
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
}
CODE = InstallCode(bytes(range(16)))


@dataclass
class Home:
    """A hub's side, a HAN in memory, and a way to talk to a Device as its supplier does."""

    keystore: Keystore
    clock: Clock
    han: MemoryHan
    hub: HubSide
    trace: Trace
    records: list[Record] = field(default_factory=list)
    counter: int = 1000

    def parts(self, device_type: DeviceType) -> tuple[Eui64, InstallCode, Keystore, MemoryNode, Clock, Trace, dict[RemotePartyRole, Eui64]]:
        """Parts that a Device is made of."""
        eui64 = next(entity for entity, kind in DEFAULT_DEVICES.items() if kind is device_type)
        return eui64, CODE, self.keystore, self.han.node(eui64), self.clock, self.trace, PARTIES

    def command(self, target: Eui64, code: int, payload: bytes, *, signed: bool = False, originator: Eui64 = SUPPLIER) -> bytes:
        """A protected Command with the next counter; the access control broker's is for the supplier."""
        self.counter += 1
        other = OtherInformation(code, SUPPLIER, self.counter) if originator == ACB else OtherInformation(code)
        message = Message(GroupingHeader(CraFlag.COMMAND, self.counter, originator, target, other), payload)
        if signed:
            message = protect.with_signature(message, self.keystore.private_key(originator, KeyUsage.DIGITAL_SIGNATURE))
        return replace(message, mac=protect.mac_of(message, self.keystore.shared_secret(ACB, target))).encode()

    async def answer(self) -> Message:
        """The next message a Device sends, its protection checked."""
        async with asyncio.timeout(3600):
            message = Message.decode(await self.hub.received.get())
        header = message.header
        if message.signature:
            protect.check_signature(message, self.keystore.public_key(header.originator, KeyUsage.DIGITAL_SIGNATURE))
        else:
            protect.check_mac(message, self.keystore.shared_secret(header.originator, header.recipient))
        return message


def join(method: int, other: HanDevice) -> bytes:
    return Asn1Payload("JoinCommand", JoinCommand(method, other.eui64, other.device_type.value)).encode()


async def at_hub(home: Home, device: HanDevice) -> None:
    await device.start()
    await device.join()
    if not isinstance(device, Ihd):
        await home.hub.open(device.eui64)


async def joined(home: Home) -> Gsme:
    gsme = Gsme(*home.parts(DeviceType.GSME))
    await gsme.start()
    await gsme.join()
    return gsme
