"""A coordinator bound directly to the stack, and a capture in memory, for tests of the nodes around it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable
from pathlib import Path

import pytest

from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link, MacFrame
from hil.radio.air.frames import ApsKind, ApsPdu, MacPdu
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy

HUB = Eui64.parse("00db1234567890a0")
METER = Eui64.parse("0011223344556677")
DISPLAY = Eui64.parse("0011223344556688")
LINK_KEY = bytes.fromhex("66B6900981E1EE3CA4206B6B861C02BB")
"""Hash of install code 83FED3407A939723A5C639B26916D505 (reference zigbee-han 5)."""
OTHER_KEY = bytes(range(16))
EXTENDED_PAN = Eui64.parse("00db1234567890a0")


class Coordinator:
    """A formed network and its trust centre; remembers what it is told."""

    def __init__(self, air: Air, eui64: Eui64 = HUB, endpoints: tuple[int, ...] = (1,)) -> None:
        from firmware_emu.han.base import SimpleDescriptor

        self.stack = Stack(air, Tokens(eui64), self)
        self.received: list[IncomingApdu] = []
        self.joins: list[tuple[Eui64, int, int]] = []
        self.children: list[tuple[Eui64, bool]] = []
        self.statuses: list[Status] = []
        self.inter_pan_frames: list[MacPdu] = []
        self.key_sequences: list[int] = []
        self.keys_told: list[tuple[Eui64, int]] = []
        self.records: list[tuple[Eui64, tuple[int, ...]]] = []
        for endpoint in endpoints:
            self.stack.endpoints[endpoint] = SimpleDescriptor(endpoint, 0x0508, (0x000A, 0x0019), (0x0704,))

    def form(self, channel: int = 15) -> None:
        assert self.stack.form(EXTENDED_PAN, 0xFFFF, channel, 8, 0) is Status.SUCCESS

    def permit(self, device: Eui64, key: bytes = LINK_KEY, seconds: int = 60) -> None:
        self.stack.trust.policy = Policy.ALLOW_JOINS | Policy.JOINS_USE_INSTALL_CODE_KEY
        self.stack.trust.permit_key(device, key)
        assert self.stack.permit(seconds) is Status.SUCCESS

    async def send(self, device: Eui64, payload: bytes, *, secured: bool = True, endpoint: int = 1) -> Status:
        ended: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        pdu = ApsPdu(
            ApsKind.DATA,
            self.stack.aps.next_sequence(),
            secured=secured,
            ack_request=True,
            destination_endpoint=endpoint,
            cluster=0x0702,
            profile=0x0109,
            source_endpoint=1,
            payload=payload,
        )
        status = self.stack.aps.send(self.stack.nwk.shorts[device], pdu, ended.set_result)
        return status if status is not Status.SUCCESS else await ended

    @property
    def payloads(self) -> list[bytes]:
        return [message.pdu.payload for message in self.received if message.pdu.profile]

    def key_told(self, partner: Eui64, status: int) -> None:
        self.keys_told.append((partner, status))

    def stack_status(self, status: Status) -> None:
        self.statuses.append(status)

    def incoming(self, message: IncomingApdu) -> None:
        self.received.append(message)

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None:
        self.joins.append((device, update, decision))

    def child_join(self, device: Eui64, child: Child, joining: bool) -> None:
        self.children.append((device, joining))

    def polled(self, short: int) -> None:
        pass

    def inter_pan(self, frame: MacPdu, link: Link) -> None:
        self.inter_pan_frames.append(frame)

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None:
        self.records.append((device, relays))

    def key_switched(self, sequence: int) -> None:
        self.key_sequences.append(sequence)


async def refused(call: Awaitable[object]) -> tuple[str, str | None]:
    """Sentence and status of the RadioError that a call ends with."""
    with pytest.raises(RadioError) as failed:
        await call
    return str(failed.value).removesuffix(f" (status {failed.value.status})"), failed.value.status


class Pcap:
    """Frames of an air as a classic pcap of link type 230 (802.15.4 without FCS)."""

    def __init__(self, air: Air) -> None:
        self.frames: list[MacFrame] = []
        air.capture(self.frames.append)

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 230))
            for frame in self.frames:
                at = int(frame.time * 1e6)
                file.write(struct.pack("<IIII", at // 1_000_000, at % 1_000_000, len(frame.octets), len(frame.octets)) + frame.octets)
