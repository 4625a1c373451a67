"""The co-processor's EZSP layer: one frame from the host in, one reply out, callbacks when the stack has something to tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import Delivery, MacPdu
from hil.radio.ncp.commands import (
    CALLBACK,
    REPLY,
    ApsHead,
    Request,
    Value,
    decode_frame,
    decode_request,
    encode_frame,
    encode_response,
    schemas,
    schemas_by_id,
)
from hil.radio.personality import Personality
from hil.radio.port.fields import Fields
from hil.radio.stack.aps import Incoming
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import EzspStatus, Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy

LOGGER = logging.getLogger(__name__)

TRUST_CENTRE_POLICY, POLL_POLICY, POLL_CALLBACK = 0x00, 0x03, 0x31
PACKET_BUFFERS, BROADCAST_TABLE = 0x01, 0x2B
PASSTHROUGH_FLAGS, SE_INTER_PAN = 0x01, 0x01
COMPONENTS = dict.fromkeys(("getTokenCount", "getTokenInfo", "getTokenData", "setTokenData"), "token_interface")
"""Commands of components that not every build has, by the trait of its personality."""
STACK_TOKEN = "stack:{:04x}:{}"
"""Name of a stack token by creator code and index."""
RESTORED_EUI, CUSTOM_EUI, ERASED_EUI = STACK_TOKEN.format(0xE12A, 0), "mfg:0c", b"\xff" * 8
"""Tokens where hosts write another EUI-64: as often as they like, or once (reference ncp-real 6)."""
ENCRYPTION, RETRY, FRAGMENT, LOOPBACK = 0x0020, 0x0040, 0x8000, 0x0140
"""APS options; the last are those of what a node sent to itself (bellows#259 and #468)."""
_INCOMING_UNICAST, _INCOMING_MULTICAST, _INCOMING_BROADCAST = 0, 2, 4
_NO_EUI, _UNKNOWN = Eui64(bytes(8)), Eui64(b"\xff" * 8)


Reply = Mapping[str, Value]
Handler = Callable[["Ncp", Fields], Reply]
"""Function of a command: from the co-processor and the fields of the request to those of the response."""


class Ncp:
    """One dongle's firmware above ASH. ``send`` takes whole EZSP frames for the host; ``handlers`` are its commands by name."""

    def __init__(
        self, air: Air, tokens: Tokens, personality: Personality, send: Callable[[bytes], None], handlers: Mapping[str, Handler]
    ) -> None:
        self.personality = personality
        self.version = personality.version
        self.stack = Stack(air, tokens, self)
        self.stack.any_endpoint = personality.has("any_endpoint")
        self._send = send
        self._handlers = handlers
        self._sequence = 0
        self._scan: asyncio.Task[None] | None = None
        self._polling: asyncio.Task[None] | None = None
        self.serving = ""
        self.negotiated = False
        self.commands = 0
        self._fresh()

    def _fresh(self) -> None:
        self.negotiated = False
        self.configuration = {one.id: one.value for one in self.personality.settings.values()}
        self.policies = {one.id: one.value for one in self.personality.policies.values()}
        self.stack.trust.policy = Policy(self.policies.get(TRUST_CENTRE_POLICY, 0))
        self.values: dict[int, bytes] = {}
        self.security_set = False
        """True if the host has said with which keys it forms or joins, since the start or the last leave."""
        self.in_flight = 0
        self.life = getattr(self, "life", 0) + 1
        self._broadcasts: list[float] = []
        self.sniffed_channel = 0
        self.sniffing: Callable[[], None] | None = None
        """Ends what mfglibStart began."""
        self.address_table: dict[int, tuple[Eui64, int, bool]] = {}
        self.multicast_table: dict[int, bytes] = {}
        self.bindings: dict[int, bytes] = {}
        self.drawn = 0

    def reset(self) -> None:
        """Reset or power off: RAM is lost, tokens stay, the network is down until the host brings it up."""
        self.stop_scan()
        self.end_sniffing()
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        self._fresh()
        self.stack.power_off()
        self._identity()

    def _identity(self) -> None:
        """A written EUI-64 comes into force."""
        tokens = self.stack.tokens
        written = (tokens.data.get(name, ERASED_EUI) for name in (RESTORED_EUI, CUSTOM_EUI))
        tokens.eui64 = next((Eui64.from_zigbee(one) for one in written if one != ERASED_EUI), tokens.factory)

    # frames

    def receive(self, data: bytes) -> None:
        """One EZSP frame. Whatever it is, the host gets an answer."""
        try:
            request = decode_frame(data, self.version)
        except DecodeError as problem:
            LOGGER.warning("EZSP frame dropped: %s", problem)
            return
        self._sequence = request.sequence
        self._send(self._answer(request))

    def _answer(self, request: Request) -> bytes:
        self.commands += 1
        if request.length > self.personality.limits["frame_octets"]:
            return self._invalid(request, EzspStatus.ERROR_COMMAND_TOO_LONG)
        if request.control & REPLY:
            return self._invalid(request, EzspStatus.ERROR_WRONG_DIRECTION)
        schema = schemas_by_id(self.version).get(request.frame_id)
        handler = self._handlers.get(schema.name) if schema is not None else None
        if schema is None or handler is None:
            return self._invalid(request, EzspStatus.ERROR_INVALID_FRAME_ID)
        if not self.negotiated and schema.name != "version":
            return self._invalid(request, EzspStatus.ERROR_VERSION_NOT_SET)
        component = COMPONENTS.get(schema.name)
        if component is not None and not self.personality.has(component):
            return self._invalid(request, EzspStatus.ERROR_INVALID_FRAME_ID)
        self.serving = schema.name
        try:
            values = handler(self, decode_request(schema, request.parameters))
        except DecodeError as problem:
            LOGGER.warning("EZSP command %s: %s", schema.name, problem)
            return self._invalid(request, EzspStatus.ERROR_TRUNCATED)
        except Exception:  # a fault in one command is reported and answered; the link and the other commands go on
            LOGGER.exception("EZSP command %s failed", schema.name)
            return self._invalid(request, EzspStatus.ERROR_INVALID_CALL)
        parameters = encode_response(schema, values, self.version)
        return encode_frame(request.sequence, schema.frame_id, parameters, self.version, legacy=request.legacy)

    def _invalid(self, request: Request, reason: EzspStatus) -> bytes:
        schema = schemas(self.version)["invalidCommand"]
        parameters = encode_response(schema, {"reason": reason}, self.version)
        return encode_frame(request.sequence, schema.frame_id, parameters, self.version, legacy=request.legacy)

    def callback(self, name: str, values: Mapping[str, Value]) -> None:
        """Tell the host, if it speaks EZSP yet and its version knows the callback."""
        schema = schemas(self.version).get(name)
        if schema is not None and self.negotiated:
            parameters = encode_response(schema, values, self.version)
            self._send(encode_frame(self._sequence, schema.frame_id, parameters, self.version, control=CALLBACK))

    # what it has room for

    @property
    def free_buffers(self) -> int:
        """Packet buffers that are left; each message on its way takes one."""
        return min(255, self.configuration[PACKET_BUFFERS]) - 1 - self.in_flight - len(self._broadcasts)

    def broadcasts_full(self) -> bool:
        """True if the broadcast table has no room for an own one: entries live some seconds, and room comes back in lumps."""
        limits, now = self.personality.limits, asyncio.get_running_loop().time()
        lump = limits["broadcast_lump_s"]
        swept = now // lump * lump - limits["broadcast_life_s"]
        self._broadcasts = [at for at in self._broadcasts if at > swept]
        return len(self._broadcasts) >= self.configuration[BROADCAST_TABLE] - limits["broadcast_reserve"]

    def broadcast_sent(self) -> None:
        self._broadcasts.append(asyncio.get_running_loop().time())

    def end_sniffing(self) -> None:
        if self.sniffing is not None:
            self.sniffing()
            self.sniffing = None

    # work that takes time

    @property
    def scanning(self) -> bool:
        return self._scan is not None and not self._scan.done()

    def start_scan(self, scan: Coroutine[object, object, None]) -> None:
        self._scan = asyncio.get_running_loop().create_task(scan)

    def stop_scan(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None

    def start_polling(self, polling: Coroutine[object, object, None]) -> None:
        if self._polling is not None:
            self._polling.cancel()
        self._polling = asyncio.get_running_loop().create_task(polling)

    # from the stack

    def stack_status(self, status: Status) -> None:
        if status is Status.NETWORK_DOWN:
            self.security_set = False
        self.callback("stackStatusHandler", {"status": status})

    def incoming(self, message: Incoming) -> None:
        """incomingMessageHandler, for an endpoint, group or ZDO that the host is to see."""
        pdu = message.pdu
        group = pdu.group
        options = (ENCRYPTION if pdu.secured else 0) | (RETRY if pdu.ack_request else 0)
        kind = _INCOMING_MULTICAST if pdu.delivery is Delivery.GROUP else _INCOMING_BROADCAST if message.broadcast else _INCOMING_UNICAST
        if kind == _INCOMING_MULTICAST and not any(entry[:2] == group.to_bytes(2, "little") for entry in self.multicast_table.values()):
            return
        if pdu.block is not None:
            options |= FRAGMENT
            group = pdu.block.number << 8 if pdu.block.first else pdu.block.number
        if message.source == self.stack.tokens.short and kind == _INCOMING_UNICAST:
            options |= LOOPBACK
        head = ApsHead(pdu.profile, pdu.cluster, pdu.source_endpoint, pdu.destination_endpoint, options, group, pdu.counter)
        self.callback(
            "incomingMessageHandler",
            {
                "type": kind,
                "aps": head.encode(),
                "lqi": message.link.lqi,
                "rssi": message.link.rssi,
                "sender": message.source,
                "eui64": message.eui64 or _UNKNOWN,
                "binding": 0xFF,
                "address": 0xFF,
                "timestamp": 0,
                "message": pdu.payload,
            },
        )

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None:
        self.callback("trustCenterJoinHandler", {"id": short, "eui64": device, "update": update, "decision": decision, "parent": parent})

    def child_join(self, device: Eui64, child: Child, joining: bool) -> None:
        index = next((at for at, known in enumerate(self.stack.tokens.children) if known == device), 0)
        self.callback("childJoinHandler", {"index": index, "joining": joining, "id": child.short, "eui64": device, "type": child.node_type})

    def inter_pan(self, frame: MacPdu, link: Link) -> None:
        if int.from_bytes(self.values.get(PASSTHROUGH_FLAGS, b""), "little") & SE_INTER_PAN:
            source = frame.source if isinstance(frame.source, Eui64) else _NO_EUI
            self.callback(
                "macPassthroughMessageHandler",
                {
                    "type": SE_INTER_PAN,
                    "lqi": link.lqi,
                    "rssi": link.rssi,
                    "eui64": source,
                    "sender": 0xFFFF,
                    "binding": 0xFF,
                    "address": 0xFF,
                    "timestamp": 0,
                    "message": frame.encode(),
                },
            )

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None:
        listed = bytes([len(relays)]) + b"".join(one.to_bytes(2, "little") for one in relays)
        self.callback(
            "incomingRouteRecordHandler",
            {
                "source": short,
                "eui64": device,
                "lqi": link.lqi,
                "rssi": link.rssi,
                "relays": listed,
            },
        )

    def key_told(self, partner: Eui64, status: int) -> None:
        self.callback("zigbeeKeyEstablishmentHandler", {"partner": partner, "status": status})

    def key_switched(self, sequence: int) -> None:
        self.callback("switchNetworkKeyHandler", {"sequence": sequence})

    def polled(self, short: int) -> None:
        if self.policies.get(POLL_POLICY) == POLL_CALLBACK:
            self.callback("pollHandler", {"id": short, "expected": False})
