"""A prepayment interface Device: mains powered, reached by the hub's tunnel, reads meters over the HAN once they know it.

It sends GBCS commands of its own to a gas meter it is joined with (PCS01, PCS02), which the hub passes on.
An electricity meter takes its tokens, and its requests for credit and supply, without GBCS (PECS01 to PECS03).
Not modelled: display and keypad.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import firmware
from firmware_emu.device.pipeline import UseCases
from firmware_emu.device.store import Store
from firmware_emu.errors import DecodeError, ProtectionError, RadioError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation, message_of
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import ZclFrame, ZclStatus
from hil.devices.base.firmware_version import FIRMWARE_VERSION, READ_FIRMWARE, read_firmware
from hil.devices.base.gbcs_device import TunnelServerDevice
from hil.devices.base.reader import HanReader

_TOP_UP, _EMERGENCY_CREDIT = 0x009B, 0x0090
_SUPPLY_ON = 0x02
_ORIGINATING_DEVICE = 2
"""Originating device that RTDS PCS01 and PCS02 write."""
GSME_ANSWER_S = 3600.0
"""Waiting time for an answer: a gas meter fetches its mailbox every half hour."""


class Ppmid(TunnelServerDevice):
    """A PPMID on the HAN. ``reader`` reads the mirror and the ESME as its display would."""

    device_type: ClassVar[DeviceType] = DeviceType.PPMID
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(
            0x41,
            0x0506,
            servers=(0x0000, 0x0800, 0x0704),
            clients=(0x0800, 0x000A, 0x0025, 0x0019, 0x0700, 0x0702, 0x0703, 0x0705, 0x0707, 0x0708, 0x0709),
        ),
    )

    def __init__(
        self,
        eui64: Eui64,
        install_code: InstallCode,
        keystore: Keystore,
        node: HanNode,
        clock: Clock,
        trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None,
        *,
        store: Store | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties, store=store)
        firmware.set_running_version(self.gbcs, FIRMWARE_VERSION)
        self.reader = HanReader(self.zcl)
        self._asked: dict[int, asyncio.Future[Message]] = {}

    def use_cases(self) -> UseCases:
        return super().use_cases().plus({READ_FIRMWARE: read_firmware})

    async def top_up_gas(self, gsme: Eui64, utrn: str) -> Gbz:
        """PCS01: enter a token for a gas meter; returns the meter's answer. Raises ProtectionError if it is not joined, RadioError."""
        payload = PREPAYMENT.to_server[0x04].encode({"originating_device": _ORIGINATING_DEVICE, "code": utrn.encode("ascii")})
        return await self._ask(gsme, _TOP_UP, Component(PREPAYMENT.id, 0x01, 0, 0x04, payload))

    async def activate_gas_emergency_credit(self, gsme: Eui64) -> Gbz:
        """PCS02: ask a gas meter for emergency credit. Raises as :meth:`top_up_gas`."""
        payload = PREPAYMENT.to_server[0x00].encode({"issued": 0, "originating_device": _ORIGINATING_DEVICE})
        return await self._ask(gsme, _EMERGENCY_CREDIT, Component(PREPAYMENT.id, 0x01, 0, 0x00, payload))

    async def top_up_electricity(self, esme: Eui64, utrn: str) -> dict[str, FieldValue]:
        """PECS01: enter a token for an electricity meter; returns result, value and credit remaining. Raises RadioError."""
        payload = PREPAYMENT.to_server[0x04].encode({"originating_device": _ORIGINATING_DEVICE, "code": utrn.encode("ascii")})
        answer = await self._request(esme, PREPAYMENT, 0x04, payload)
        if answer.default_response is not None:
            raise RadioError(f"{esme} did not take a token from here", f"ZCL 0x{answer.default_response.status:02X}")
        return PREPAYMENT.to_client[answer.command].decode(answer.payload)

    async def activate_electricity_emergency_credit(self, esme: Eui64) -> ZclStatus:
        """PECS02: ask an electricity meter for emergency credit; how it answers. Raises RadioError."""
        payload = PREPAYMENT.to_server[0x00].encode({"issued": 0, "originating_device": _ORIGINATING_DEVICE})
        return _status(await self._request(esme, PREPAYMENT, 0x00, payload))

    async def enable_electricity_supply(self, esme: Eui64) -> ZclStatus:
        """PECS03: ask an electricity meter to switch an armed supply on; how it answers. Raises RadioError."""
        payload = METERING.to_server[0x0C].encode({"status": _SUPPLY_ON})
        return _status(await self._request(esme, METERING, 0x0C, payload))

    async def _request(self, esme: Eui64, cluster: Cluster, command: int, payload: bytes) -> ZclFrame:
        """One request that a meter takes under the link key of both, without GBCS (PECS01 to PECS03)."""
        endpoint = await self.zcl.find_endpoint(esme, cluster.id)
        return await self.zcl.request(esme, endpoint, cluster.id, command, payload)

    async def _ask(self, gsme: Eui64, code: int, part: Component) -> Gbz:
        """One GBCS command under the key agreed from both Devices' certificates, and its response with its MAC checked."""
        counter = self.credentials.next_counter()
        header = GroupingHeader(CraFlag.COMMAND, counter, self.eui64, gsme, OtherInformation(code))
        command = self.gbcs.protect(Message(header, Gbz((part,)).encode()), signed=False)
        answer = self._asked[counter] = asyncio.get_running_loop().create_future()
        try:
            self.send(command.encode())
            async with asyncio.timeout(GSME_ANSWER_S):
                return Gbz.decode((await answer).payload)
        except TimeoutError:
            raise RadioError(f"{gsme} did not answer within {GSME_ANSWER_S:g} s", "TIMEOUT") from None
        finally:
            del self._asked[counter]

    def receive(self, data: bytes) -> None:
        """A response to one of this Device's own commands is taken if its MAC holds; everything else is a Command or refused."""
        try:
            message = message_of(data)
            waiting = self._asked.get(message.header.counter) if message.header.cra is CraFlag.RESPONSE else None
            if waiting is not None and not waiting.done():
                protect.check_mac(message, self.credentials.z(message.header.originator))
                waiting.set_result(message)
                return
        except (DecodeError, ProtectionError) as problem:
            self.trace.emit("device", self.name, "response not taken", reason=str(problem))
        super().receive(data)


def _status(answer: ZclFrame) -> ZclStatus:
    return ZclStatus.SUCCESS if answer.default_response is None else ZclStatus(answer.default_response.status)
