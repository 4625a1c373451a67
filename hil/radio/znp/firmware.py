"""Firmware of a virtual ZNP: the effect of each command, and what it tells the host of the network.

Not modelled: green power, touchlink, bindings, groups, inter-PAN (its stub APS is not in coordinator
builds of Z-Stack 3), another EUI-64 than the one of the dongle, the key change of Zigbee 3 (Smart Energy has key establishment).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode, MacPdu, Update
from hil.radio.personality import Personality
from hil.radio.port.dongle_server import Fields
from hil.radio.port.faults import Crowd
from hil.radio.stack import zdo
from hil.radio.stack.aps import IncomingApdu, Reassembly
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy
from hil.radio.znp.commands import MtCommand, Value, commands, decode, encode, requests
from hil.radio.znp.mt import MtFrame, MtKind
from hil.radio.znp.nvram import Nvram

LOGGER = logging.getLogger(__name__)

SUCCESS, FAILURE, INVALID_PARAMETER, NOT_AVAILABLE = 0x00, 0x01, 0x02, 0x04
STATUS = {
    Status.SUCCESS: SUCCESS,
    Status.DELIVERY_FAILED: 0xE9,
    Status.APS_ENCRYPTION_ERROR: 0xA1,
    Status.MESSAGE_TOO_LONG: INVALID_PARAMETER,
    Status.NETWORK_DOWN: 0xC2,
}
"""The stack's words in Z-Stack's: no MAC acknowledgement, no key, an invalid parameter, an invalid request."""
NO_ROOM, NOT_SENT = (0x10, 0x11, 0x1A), (0xC7, 0xF1)
"""Refusals of a message for want of room, in the reply (no memory, buffer full, MAC without resources) and in the confirmation (table
full, too many transactions): reference ncp-real 11; which of them comes where is inferred."""
ACK, SECURITY = 0x10, 0x40
MODE_GROUP, MODE_SHORT, MODE_EUI, MODE_BROADCAST = 1, 2, 3, 15
MESSAGE_DATA, RESERVED_MESSAGES = 220, 8
"""Octets of a message that go in one indication; longer ones are fetched with AF_DATA_RETRIEVE, so many are kept."""
COORDINATOR_STARTED, COORDINATOR_STARTING, IDLE = 9, 8, 0
FORMATION, FORMATION_FAILED, RESTORED = 4, 8, 13
GLOBAL_KEY = b"ZigBeeAlliance09"
"""The default global trust centre link key of ZigBee 3.0."""

_ZDO = 5
_CAPABILITY = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 15: 10, 21: 9}
"""Subsystem to its bit of the capabilities that SYS_PING tells."""
_TOLD_APART = frozenset({zdo.MGMT_NWK_UPDATE | zdo.ANSWER, zdo.MGMT_PERMIT_JOINING | zdo.ANSWER})
"""Answers that have an indication with fields of its own here."""
Reply = Mapping[str, Value]
Handler = Callable[["Znp", Fields], Reply]
"""Function of a command: from the firmware and the fields of the request to those of the response."""


class Znp:
    """One dongle's firmware above its MT frames. ``send`` takes frames for the host, ``restart`` is called for a reset by command;
    ``handlers`` are its commands by name."""

    version = "Z-Stack 3.30"

    def __init__(
        self,
        air: Air,
        tokens: Tokens,
        send: Callable[[MtFrame], None],
        restart: Callable[[], None],
        firmware: Personality,
        handlers: Mapping[str, Handler],
        crowd: Crowd,
    ) -> None:
        self.personality = firmware
        self.stack = Stack(air, tokens, self)
        self.stack.rules = zdo.Z_STACK
        self.stack.trust.application_keys = True
        self.nvram = Nvram(self.stack, firmware)
        self.restart = restart
        self.commands = 0
        self.serving = ""
        self._send = send
        self._handlers = handlers
        self.crowd = crowd
        self._tasks: set[asyncio.Task[None]] = set()
        self._fresh()

    def _fresh(self) -> None:
        self.reassembly = Reassembly()
        self.groups: set[tuple[int, int]] = set()
        self.zdo_to_host = False
        self.channels = 0
        self.stored = b""
        self.storing: Fields | None = None
        self.kept: dict[int, bytes] = {}
        self.stamp = 0
        self.restored = False

    def release(self) -> dict[str, Value]:
        """Release that SYS_VERSION tells."""
        major, minor, maintenance, _ = (int(one) for one in self.personality.stack.split("."))
        return {
            "transport": 2,
            "product": self.personality.traits["product"],
            "major": major,
            "minor": minor,
            "maintenance": maintenance,
            "revision": self.personality.traits["revision"],
        }

    def reset(self) -> None:
        """Reset or power off: RAM is lost, the network is down until the host starts it."""
        for task in self._tasks:
            task.cancel()
        self._fresh()
        if self.stack.running:  # as firmware that writes each change at once
            self.nvram.write_network()
            self.stack.tokens.save()
        self.stack.power_off()

    # frames

    def receive(self, frame: MtFrame) -> None:
        """One frame of the host; a synchronous one is answered whatever it is."""
        command = requests().get((frame.subsystem, frame.command))
        handler = self._handlers.get(command.name) if command is not None else None
        self.commands += 1
        if command is None or handler is None or not self._announced(frame.subsystem):
            if frame.kind is MtKind.SREQ:
                self._not_recognised(frame, 2)
            return
        self.serving = command.name
        try:
            values = handler(self, decode(command.fields, frame.data))
        except DecodeError as problem:
            LOGGER.warning("MT command %s: %s", command.name, problem)
            self._not_recognised(frame, 4)
            return
        if command.kind == "S":
            self._send(MtFrame(MtKind.SRSP, command.subsystem, command.number, encode(command.response, values)))

    def _announced(self, subsystem: int) -> bool:
        """Commands of a subsystem that SYS_PING does not tell of are not recognised (reference ncp-real 11)."""
        bit = _CAPABILITY.get(subsystem)
        return bit is None or bool(self.personality.traits["capabilities"] >> bit & 1)

    def _not_recognised(self, frame: MtFrame, why: int) -> None:
        """RPC error: 2 an unknown command, 4 a wrong length."""
        self._send(MtFrame(MtKind.SRSP, 0, 0, bytes([why, frame.kind << 5 | frame.subsystem, frame.command])))

    def tell(self, name: str, values: Mapping[str, Value]) -> None:
        """An indication to the host."""
        command: MtCommand = commands()[name]
        self._send(MtFrame(MtKind.AREQ, command.subsystem, command.number, encode(command.fields, values)))

    def later(self, name: str, values: Mapping[str, Value]) -> None:
        """An indication after the response that is being made."""
        asyncio.get_running_loop().call_soon(self.tell, name, values)

    # sending

    def transmit(self, destination: int, delivery: DeliveryMode, fields: Fields, data: bytes) -> None:
        """AF data; AF_DATA_CONFIRM tells what became of it."""
        profile = self.stack.endpoints[fields.u("from")].profile if fields.u("from") in self.stack.endpoints else 0
        options = fields.u("options")
        unicast = delivery is DeliveryMode.UNICAST
        pdu = ApsPdu(
            ApsKind.DATA,
            self.stack.aps.next_sequence(),
            delivery,
            bool(options & SECURITY) and unicast,
            bool(options & ACK) and unicast,
            fields.u("to"),
            destination if delivery is DeliveryMode.GROUP else 0,
            fields.u("cluster"),
            profile,
            fields.u("from"),
            payload=data,
        )
        if len(data) > self.stack.aps.capacity(pdu.secured, False):
            pdu = replace(pdu, ack_request=unicast)
        task = supervised(
            self._transmit(0xFFFD if delivery is DeliveryMode.GROUP else destination, pdu, fields), "a transmission of the dongle"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _transmit(self, short: int, pdu: ApsPdu, fields: Fields) -> None:
        told = self.crowd.status("AF_DATA_CONFIRM", NOT_SENT)
        if told is None:
            told = STATUS.get(await self.stack.aps.send_whole(short, pdu), FAILURE)
        self.tell("AF_DATA_CONFIRM", {"status": told, "endpoint": fields.u("from"), "tsn": fields.u("tsn")})

    # from the stack

    def stack_status(self, status: Status) -> None:
        """Told by the indications of what brought it about."""

    def incoming(self, message: IncomingApdu) -> None:
        pdu = message.pdu
        if pdu.profile == 0 and pdu.destination_endpoint == 0:
            self._zdo(message)
            return
        if pdu.block is not None:
            self.stack.aps.acknowledge(message.source, pdu)
            whole = self.reassembly.add(message)
            if whole is None:
                return
            pdu = replace(pdu, block=None, payload=whole)
        self.stamp += 1
        told: dict[str, Value] = {
            "group": pdu.group if pdu.delivery is DeliveryMode.GROUP else 0,
            "cluster": pdu.cluster,
            "source": message.source,
            "address": bytes([MODE_SHORT]) + message.source.to_bytes(8, "little"),
            "from": pdu.source_endpoint,
            "to": pdu.destination_endpoint,
            "broadcast": int(message.broadcast),
            "lqi": message.link.lqi,
            "security": int(pdu.secured),
            "stamp": self.stamp,
            "tsn": pdu.counter,
            "data": pdu.payload,
            "length": len(pdu.payload),
            "relay": message.source,
            "radius": 30,
        }
        if len(pdu.payload) <= MESSAGE_DATA:
            self.tell("AF_INCOMING_MSG", told)
            return
        self.kept[self.stamp] = pdu.payload
        if len(self.kept) > RESERVED_MESSAGES:
            del self.kept[next(iter(self.kept))]
        self.tell("AF_INCOMING_MSG_EXT", told | {"data": b""})

    def _zdo(self, message: IncomingApdu) -> None:
        payload = message.pdu.payload
        if not payload:
            return
        if message.pdu.cluster == zdo.DEVICE_ANNCE:
            short, device, capabilities = zdo.read_announce(payload)
            self.tell("ZDO_END_DEVICE_ANNCE_IND", {"source": message.source, "id": short, "eui64": device, "capabilities": capabilities})
        if message.pdu.cluster == zdo.MGMT_NWK_UPDATE | zdo.ANSWER and len(payload) >= 11:
            self._energy_told(message.source, payload)
        if message.pdu.cluster & zdo.ANSWER and message.pdu.cluster not in _TOLD_APART:
            self._answer_told(message.source, message.pdu.cluster, payload)
        if self.zdo_to_host:
            self.tell(
                "ZDO_MSG_CB_INCOMING",
                {
                    "source": message.source,
                    "broadcast": int(message.broadcast),
                    "cluster": message.pdu.cluster,
                    "security": int(message.pdu.secured),
                    "tsn": payload[0],
                    "destination": self.stack.tokens.short,
                    "data": payload[1:],
                },
            )

    def _answer_told(self, source: int, cluster: int, payload: bytes) -> None:
        """An answer as an indication of its own: 0x80 and the low octet of its cluster (reference ncp-real 12)."""
        head = b"" if cluster & 0x7FFF in (zdo.NWK_ADDR, zdo.IEEE_ADDR) else source.to_bytes(2, "little")
        tail = b"\x00\x00" if not head and not payload[1] else b""  # no list of associated Devices
        self._send(MtFrame(MtKind.AREQ, _ZDO, 0x80 | cluster & 0x7F, head + payload[1:] + tail))

    def _energy_told(self, source: int, payload: bytes) -> None:
        channels, total, failures = int.from_bytes(payload[2:6], "little"), payload[6:8], payload[8:10]
        self.tell(
            "ZDO_MGMT_NWK_UPDATE_NOTIFY",
            {
                "source": source,
                "status": payload[1],
                "channels": channels,
                "total": int.from_bytes(total, "little"),
                "failures": int.from_bytes(failures, "little"),
                "energy": payload[11:],
            },
        )

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None:
        if update == Update.LEFT:
            self.tell("ZDO_LEAVE_IND", {"id": short, "eui64": device})
        elif decision != 2:
            self.tell("ZDO_TC_DEV_IND", {"id": short, "eui64": device, "parent": parent})

    def child_join(self, device: Eui64, child: Child, joining: bool) -> None:
        """Told by ZDO_TC_DEV_IND, and in the tables."""

    def polled(self, short: int) -> None:
        """Z-Stack does not tell."""

    def inter_pan(self, frame: MacPdu, link: Link) -> None:
        """Not for this build."""

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None:
        self.tell("ZDO_SRC_RTG_IND", {"id": short, "relays": relays})

    def key_told(self, partner: Eui64, status: int) -> None:
        """Z-Stack does not tell."""

    def key_switched(self, sequence: int) -> None:
        """Read from the items."""

    # the network

    def start(self) -> None:
        """BDB commissioning: the network of the items, else a new one of their settings."""
        self.restored = self.nvram.formed
        self.later("ZDO_STATE_CHANGE_IND", {"state": COORDINATOR_STARTING})
        if self.restored:
            self.nvram.read_network()
            started = self.stack.initialise() is Status.SUCCESS
        else:
            started = self._form()
        if started:
            self.nvram.write_network()
            self.stack.tokens.save()
            self._rules()
            self.later("ZDO_STATE_CHANGE_IND", {"state": COORDINATOR_STARTED})
        if self.restored:
            self.later("APP_CNF_BDB_COMMISSIONING_NOTIFICATION", {"status": RESTORED, "mode": 0, "remaining": FORMATION})
        status = SUCCESS if started and not self.restored else FORMATION_FAILED
        self.later("APP_CNF_BDB_COMMISSIONING_NOTIFICATION", {"status": status, "mode": 2, "remaining": 0})

    def _form(self) -> bool:
        nvram, tokens = self.nvram, self.stack.tokens
        key = nvram.get(0, 0x62) or bytes(16)
        tokens.network_key, tokens.key_sequence = key if any(key) else None, 0
        tokens.link_keys.clear()
        extended = Eui64.from_zigbee(nvram.get(0, 0x47) or bytes(8))
        mask = self.channels or nvram.number(0x84)
        channel = next((one for one in range(11, 27) if mask >> one & 1), 11)
        return self.stack.form(extended if any(extended.octets) else tokens.eui64, nvram.number(0x83), channel, 8, 0) is Status.SUCCESS

    def _rules(self) -> None:
        """Z-Stack 3 lets in who holds the default global link key until a host asks for install codes (bdbJoinUsesInstallCodeKey is FALSE
        by default, BDB 1.0 table 1; zigpy-znp sets it for a permission by install code alone, and back)."""
        self.stack.trust.policy = Policy.ALLOW_JOINS | Policy.ALLOW_UNSECURED_REJOINS
        self.stack.trust.global_key = GLOBAL_KEY
