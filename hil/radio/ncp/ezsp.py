"""The co-processor's EZSP layer: frames and schemas of each version, one frame from the host in, one reply out, callbacks.

Octets become named fields and back (reference ezsp-ncp 2 and 4); a callback goes out when the stack has something to tell.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import tomllib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import AirReader, DeliveryMode, MacPdu
from hil.radio.personality import Personality
from hil.radio.port.dongle_server import Fields
from hil.radio.port.faults import Crowd
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import EzspStatus, Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy

VERSIONS = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19)
FIRST_SL_STATUS = 14
REPLY, CALLBACK = 0x80, 0x90
_FIXED = {
    "aps": 11,
    "net": 20,
    "ctx12": 17,
    "ctx": 18,
    "meta": 12,
    "duty": 134,
    "key": 16,
    "bind": 14,
    "near": 14,
    "way": 8,
    "tok": 8,
    "pub1": 22,
    "pub2": 37,
    "priv1": 21,
    "cert": 48,
    "cert2": 74,
}
_UINT = {"u8": 1, "u16": 2, "u32": 4}

Value = int | bytes | Eui64 | Status | EzspStatus


@dataclass(frozen=True, slots=True)
class Schema:
    """One command of one version; fields as (name, type)."""

    name: str
    frame_id: int
    request: tuple[tuple[str, str], ...]
    response: tuple[tuple[str, str], ...]


def _fields(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (one.split(":") for one in text.split())
    return tuple((name, kind) for name, kind in pairs)


@cache
def schemas(version: int) -> Mapping[str, Schema]:
    """The commands and callbacks of ``version``, by name."""
    table: dict[str, Schema] = {}
    layers = tomllib.loads(files("hil.radio.ncp").joinpath("commands.toml").read_text("utf-8"))
    for level, layer in sorted(layers.items(), key=lambda item: int(item[0])):
        if int(level) > version:
            break
        for name, entry in layer.items():
            if entry == "-":
                table.pop(name, None)
            else:
                table[name] = Schema(name, entry[0], _fields(entry[1]), _fields(entry[2]))
    return table


@cache
def schemas_by_id(version: int) -> Mapping[int, Schema]:
    return {schema.frame_id: schema for schema in schemas(version).values()}


def _read(read: AirReader, name: str, kind: str) -> Value:
    if kind in _UINT:
        return read.uint(_UINT[kind], name)
    if kind == "bool":
        return read.uint(1, name)
    if kind == "s8":
        return struct.unpack("b", read.take(1, name))[0]  # type: ignore[no-any-return]
    if kind == "eui":
        return read.eui(name)
    if kind == "L":
        return read.take(read.uint(1, f"length of {name}"), name)
    if kind == "D":
        return read.take(read.uint(4, f"length of {name}"), name)
    if kind == "W":
        return read.take(2 * read.uint(1, f"count of {name}"), name)
    if kind == "raw":
        return read.rest()
    return read.take(_FIXED[kind], name)


def decode_request(schema: Schema, parameters: bytes) -> Fields:
    """Raises DecodeError. Octets after the last field are left alone, as firmware does."""
    read = AirReader(parameters)
    return Fields({name: _read(read, name, kind) for name, kind in schema.request})


def field_spans(fields: tuple[tuple[str, str], ...], parameters: bytes, version: int) -> list[tuple[str, int, int]]:
    """Type, first and last + 1 octet of each field. Octets that no field takes, or that end in the middle of one, are of type ``?``."""
    read, spans = AirReader(parameters), list[tuple[str, int, int]]()
    status = 4 if version >= FIRST_SL_STATUS else 1
    try:
        for name, kind in fields:
            before = read.offset
            if kind in ("st", "es", "sl"):
                read.take(4 if kind == "sl" else status, name)
            elif kind not in _OPTIONAL or before < len(parameters):
                _read(read, name, _OPTIONAL.get(kind, kind))
            spans.append((kind, before, read.offset))
    except DecodeError:
        pass
    last = spans[-1][2] if spans else 0
    return [*spans, ("?", last, len(parameters))] if last < len(parameters) else spans


def _write(value: Value, kind: str, version: int) -> bytes:
    if isinstance(value, Status | EzspStatus):
        wide = kind == "sl" or version >= FIRST_SL_STATUS
        return value.sl.to_bytes(4, "little") if wide else bytes([value.ember])
    if isinstance(value, Eui64):
        return value.zigbee
    if isinstance(value, bytes):
        return len(value).to_bytes(_PREFIX[kind], "little") + value if kind in _PREFIX else value
    if kind == "s8":
        return struct.pack("b", max(-128, min(127, value)))
    return int(value).to_bytes(_UINT.get(kind, 1), "little")


_EMPTY: dict[str, Value] = {"L": b"", "raw": b"", "eui": Eui64(bytes(8))}
_OPTIONAL = {"L?": "L", "D?": "D"}
"""Not in a reply that has failed."""
_PREFIX = {"L": 1, "L?": 1, "D": 4, "D?": 4}
"""Octets of a length in front."""


def encode_response(schema: Schema, values: Mapping[str, Value], version: int) -> bytes:
    """Fields in wire order; one that ``values`` does not name is zero, as firmware answers beside a failure."""
    out = b""
    for name, kind in schema.response:
        value = values.get(name)
        if value is None:
            if kind in _OPTIONAL:
                continue
            value = _EMPTY.get(kind, bytes(_FIXED[kind]) if kind in _FIXED else 0)
        out += _write(value, kind, version)
    return out


@dataclass(frozen=True, slots=True)
class Request:
    """One EZSP frame from the host."""

    sequence: int
    frame_id: int
    parameters: bytes
    legacy: bool
    control: int = 0
    """Low octet of the frame control."""

    @property
    def length(self) -> int:
        """Octets of the frame, as if in the form of version 8 and later."""
        return 5 + len(self.parameters)


def decode_frame(data: bytes, version: int) -> Request:
    """Raises DecodeError. ``version`` always may come in the legacy form (reference ezsp-ncp 2)."""
    if len(data) < 3:
        raise DecodeError(0, "EZSP frame", f"{len(data)} octets, expected 3 or more")
    if len(data) == 4 and data[2] == 0 and data[1] == 0:
        return Request(data[0], 0, data[3:], True, data[1])
    if version < 8:
        if version > 4 and data[2] == 0xFF and len(data) >= 5:
            return Request(data[0], data[4], data[5:], False, data[1])
        return Request(data[0], data[2], data[3:], True, data[1])
    if len(data) < 5:
        raise DecodeError(len(data), "EZSP frame id", f"{len(data)} octets, expected 5 or more")
    return Request(data[0], int.from_bytes(data[3:5], "little"), data[5:], False, data[1])


def encode_frame(sequence: int, frame_id: int, parameters: bytes, version: int, *, control: int = REPLY, legacy: bool = False) -> bytes:
    """One EZSP frame to the host."""
    if legacy or version < 5:
        return bytes([sequence, control, frame_id]) + parameters
    if version < 8:
        return bytes([sequence, control, 0xFF, 0x00, frame_id]) + parameters
    return bytes([sequence, control, 0x01]) + frame_id.to_bytes(2, "little") + parameters


@dataclass(frozen=True, slots=True)
class ApsHead:
    """EmberApsFrame, 11 octets."""

    profile: int
    cluster: int
    source_endpoint: int
    destination_endpoint: int
    options: int
    group: int
    sequence: int

    def encode(self) -> bytes:
        return struct.pack(
            "<HHBBHHB", self.profile, self.cluster, self.source_endpoint, self.destination_endpoint, self.options, self.group, self.sequence
        )

    @classmethod
    def decode(cls, octets: bytes) -> ApsHead:
        return cls(*struct.unpack("<HHBBHHB", octets))


@dataclass(frozen=True, slots=True)
class NetworkParameters:
    """EmberNetworkParameters, 20 octets."""

    extended_pan: Eui64
    pan: int
    power: int
    channel: int
    method: int
    manager: int
    update_id: int
    channels: int

    def encode(self) -> bytes:
        return self.extended_pan.zigbee + struct.pack(
            "<HBBBHBI", self.pan, self.power, self.channel, self.method, self.manager, self.update_id, self.channels
        )

    @classmethod
    def decode(cls, octets: bytes) -> NetworkParameters:
        return cls(Eui64.from_zigbee(octets[:8]), *struct.unpack("<HBBBHBI", octets[8:]))


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
        self,
        air: Air,
        tokens: Tokens,
        personality: Personality,
        send: Callable[[bytes], None],
        handlers: Mapping[str, Handler],
        crowd: Crowd,
    ) -> None:
        self.personality = personality
        self.version = personality.version
        self.stack = Stack(air, tokens, self)
        self.stack.any_endpoint = personality.has("any_endpoint")
        self._send = send
        self._handlers = handlers
        self.crowd = crowd
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
        self.agreement: object | None = None
        """Temporary data of a key establishment in the dongle."""
        self.curve_busy = False

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
        self._scan = supervised(scan, "a scan of the dongle")

    def stop_scan(self) -> None:
        if self._scan is not None:
            self._scan.cancel()
            self._scan = None

    def start_polling(self, polling: Coroutine[object, object, None]) -> None:
        if self._polling is not None:
            self._polling.cancel()
        self._polling = supervised(polling, "the polling of the dongle")

    # from the stack

    def stack_status(self, status: Status) -> None:
        if status is Status.NETWORK_DOWN:
            self.security_set = False
        self.callback("stackStatusHandler", {"status": status})

    def incoming(self, message: IncomingApdu) -> None:
        """incomingMessageHandler, for an endpoint, group or ZDO that the host is to see."""
        pdu = message.pdu
        group = pdu.group
        options = (ENCRYPTION if pdu.secured else 0) | (RETRY if pdu.ack_request else 0)
        kind = (
            _INCOMING_MULTICAST if pdu.delivery is DeliveryMode.GROUP else _INCOMING_BROADCAST if message.broadcast else _INCOMING_UNICAST
        )
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
