"""The hub's OTA store: firmware images for Devices on the HAN, and for the hub itself (reference chts 10, zigbee-han 9).

The DCC sends an image in pieces over the WAN; a piece is durable before it is acknowledged. The image then waits for its
Device, which asks for it block by block; CCS08 tells the ACB how the transfer ended. Activation is a Command of its own (CS06).

A mains Device is notified when its image is complete. So many transfers at a time as the profile says keep the air usable for the rest: a
Device over that is told to wait, and a Device that can pause between its requests is told for how long (block request delay).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.device import asn1_io, firmware
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.asn1_types import FirmwareTransferAlert
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.hub.delivery import fetches
from firmware_emu.hub.device_log import DeviceLog
from firmware_emu.hub.profile import HubProfile
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.ota import OTA, WAIT_FOR_DATA
from firmware_emu.zse.zcl import ZclStatus

Spawn = Callable[[Coroutine[object, object, None]], object]
TRANSFER_FAILED, TRANSFER_SUCCEEDED = 0x8F89, 0x8F8A
TRANSFER_ALERT = 0x0128
"""CCS08."""
SUCCESS, DISCARDED, HARDWARE_MISMATCH, FAILURE = range(4)
_PREFIX = "hub/ota/"
_PIECE = struct.Struct(">8sII")
_OTA_HEADER = struct.Struct("<IHHHHHIH32sIHH")
_NOTIFY, _QUERY, _BLOCK, _END = 0x00, 0x01, 0x03, 0x06
_NAMES_NODE, _CAN_PAUSE = 0x01, 0x02
"""Field control of a block request: the address of the Device follows; the pause between its requests does."""
_BLOCK_REQUEST, _NODE = 14, 8
"""Octets of a block request without what its field control announces, and of an address."""
_EVERYBODY = 100
"""Query jitter of a notification to one Device: it is to ask at once."""
_QUERY_ANSWER, _BLOCK_ANSWER, _END_ANSWER = 0x02, 0x05, 0x07
_UNTIL_COMMANDED = 0xFFFFFFFF
"""Upgrade time: wait for the GBCS activation Command."""
_ANY = 0xFFFF
_PROGRESS = 10
"""A record for each so manieth part of a transfer."""
_LONGEST_IMAGE = 10_240_000
"""Octets, DUIS 11.1."""


@dataclass(frozen=True, slots=True)
class ImagePiece:
    """The body of an IMAGE frame, this bench's own layout: target, octets of the whole file, offset of this piece, data."""

    target: Eui64
    total: int
    offset: int
    data: bytes

    def encode(self) -> bytes:
        return _PIECE.pack(self.target.octets, self.total, self.offset) + self.data

    @classmethod
    def decode(cls, body: bytes) -> ImagePiece:
        """Raises DecodeError."""
        if len(body) <= _PIECE.size:
            raise DecodeError(0, "IMAGE", f"{len(body)} octets, expected target, total, offset and data")
        target, total, offset = _PIECE.unpack_from(body)
        data = body[_PIECE.size :]
        if not 0 < total <= _LONGEST_IMAGE or offset + len(data) > total:
            raise DecodeError(8, "IMAGE total", f"{offset} and {len(data)} octets of {total}, expected to fit in at most {_LONGEST_IMAGE}")
        return cls(Eui64(target), total, offset, data)


@dataclass(frozen=True, slots=True)
class HeldImage:
    """Header of an OTA file."""

    manufacturer: int
    image_type: int
    version: int
    size: int
    hardware: tuple[int, int]

    @classmethod
    def of(cls, data: bytes) -> HeldImage:
        firmware.OtaImage.decode(data)
        _, _, _, _, manufacturer, image_type, version, _, _, size, lowest, highest = _OTA_HEADER.unpack_from(data)
        return cls(manufacturer, image_type, version, size, (lowest, highest))


class OtaStore:
    """Images by target Device, and the OTA server that hands them out on ``endpoint``."""

    def __init__(self, chf: GbcsDevice, zcl: ZclPort, endpoint: int, log: DeviceLog, profile: HubProfile, spawn: Spawn) -> None:
        self._chf = chf
        self._zcl = zcl
        self._profile = profile
        self._spawn = spawn
        self._under_way: dict[Eui64, float] = {}
        """When each Device whose transfer is under way asked last."""
        self._store = chf.store
        self._log = log
        self._open: tuple[Eui64, HeldImage, bytes] | None = None
        """The image that was read last: a transfer asks for thousands of blocks of one file."""
        self.quiet: Callable[[Eui64], bool] = lambda device: False
        """True for a Device whose band must not be sent on now."""
        zcl.serve(endpoint, OTA.id, self._asked)

    def held(self, device: Eui64) -> HeldImage | None:
        """The image that waits for ``device``."""
        found = self._read(device)
        return None if found is None else found[0]

    def _read(self, device: Eui64) -> tuple[HeldImage, bytes] | None:
        if self._open is None or self._open[0] != device:
            data = self._store.get(f"{_PREFIX}{device}/image")
            if data is None:
                return None
            self._open = (device, HeldImage.of(data), data)
        return self._open[1:]

    def _keep(self, device: Eui64, data: bytes | None) -> None:
        """Store the image of ``device``, or forget it (None)."""
        self._open = None
        if data is None:
            self._store.delete(f"{_PREFIX}{device}/image")
        else:
            self._store.put(f"{_PREFIX}{device}/image", data)

    # --- from the WAN

    def take(self, body: bytes) -> None:
        """Keep one piece; call in the transaction that records its receipt. The last piece completes the image."""
        try:
            piece = ImagePiece.decode(body)
        except DecodeError as error:
            self._chf.trace.emit("hub", "chf", "refused", reason=str(error))
            return
        folder, end = f"{_PREFIX}{piece.target}/piece/", piece.offset + len(piece.data)
        last = end == piece.total
        with self._store.transaction():
            if not self._serves(piece.target) and len(piece.data) < piece.total:  # a whole one in a piece is told of with its version
                if last:
                    self._tell(piece.target, 0, DISCARDED)
                return
            if piece.offset == 0:
                self._forget(piece.target, folder)
            held = self._octets(piece.target, folder)
            if piece.offset != held:  # in their order a file has no more room than its size
                if end > held:
                    why = f"a piece at {piece.offset} of an image of which {held} octets are here"
                    self._chf.trace.emit("hub", "chf", "refused", target=str(piece.target), reason=why)
                return
            self._store.put(f"{folder}{piece.offset:08d}", piece.data)
            self._store.put(f"{_PREFIX}{piece.target}/octets", end.to_bytes(4, "big"))
            if last:
                data = b"".join(self._store.get(key) or b"" for key in self._store.keys(folder))
                self._forget(piece.target, folder)
                self._complete(piece.target, data)

    def _serves(self, target: Eui64) -> bool:
        return target == self._chf.eui64 or self._log.get(target) is not None

    def _octets(self, target: Eui64, folder: str) -> int:
        """Number of octets of a file that are here, from its first on."""
        known = self._store.get(f"{_PREFIX}{target}/octets")
        if known is not None:
            return int.from_bytes(known, "big")
        return sum(len(self._store.get(key) or b"") for key in self._store.keys(folder))  # pieces of an earlier release, or none

    def _complete(self, target: Eui64, data: bytes) -> None:
        self._chf.trace.emit("hub", "chf", "image complete", target=str(target), octets=len(data))
        if target == self._chf.eui64:
            firmware.receive_image(self._chf, data)
            return
        try:
            image = HeldImage.of(data)
        except DecodeError as error:
            self._chf.trace.emit("hub", "chf", "refused", target=str(target), reason=str(error))
            self._tell(target, 0, DISCARDED)
            return
        replace = data[-66] != 0
        if self._log.get(target) is None or (self.held(target) is not None and not replace):
            self._tell(target, image.version, DISCARDED)
            return
        self._keep(target, data)
        self._notify(target)

    def _notify(self, target: Eui64) -> None:
        """Tell a Device that listens; a sleepy one is told by the flags of its mirror. Who is not reached asks by itself."""
        entry = self._log.get(target)
        if entry is not None and not fetches(entry):
            self._spawn(self._tell_device(target))

    async def _tell_device(self, target: Eui64) -> None:
        payload = OTA.to_client[_NOTIFY].encode({"payload_type": 0, "query_jitter": _EVERYBODY})
        try:
            endpoint = await self._zcl.find_endpoint(target, OTA.id, server=False)
            await self._zcl.command(target, endpoint, OTA.id, _NOTIFY, payload, to_server=False)
        except CommsHubError as error:
            self._chf.trace.emit("han", "chf", "not notified", target=str(target), reason=str(error))

    def _forget(self, target: Eui64, folder: str) -> None:
        self._store.delete(f"{_PREFIX}{target}/octets")
        for key in self._store.keys(folder):
            self._store.delete(key)

    # --- to the HAN

    def _asked(self, incoming: Incoming) -> Answer:
        command = OTA.to_server.get(incoming.frame.command)
        if command is None or command.id not in (_QUERY, _BLOCK, _END):
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        payload = incoming.frame.payload
        pause_ms = None
        if command.id == _BLOCK:
            payload, pause_ms = payload[:_BLOCK_REQUEST], _pause(payload)
        fields = {name: value for name, value in command.decode(payload).items() if isinstance(value, int)}
        if command.id == _QUERY:
            return self._query(incoming.partner, fields)
        if command.id == _BLOCK:
            return self._block(incoming.partner, fields, pause_ms)
        return self._end(incoming.partner, fields)

    def _query(self, device: Eui64, fields: dict[str, int]) -> Reply:
        image = self.held(device)
        hardware = fields.get("hardware_version")
        if image is None:
            return _answer(_QUERY_ANSWER, {"status": int(ZclStatus.NOT_AUTHORIZED)})
        if (fields["manufacturer"], fields["image_type"]) != (image.manufacturer, image.image_type):
            return self._drop(device, image, DISCARDED)
        if hardware is not None and not image.hardware[0] <= hardware <= image.hardware[1]:
            return self._drop(device, image, HARDWARE_MISMATCH)
        if fields["file_version"] == image.version:
            return _answer(_QUERY_ANSWER, {"status": int(ZclStatus.NO_IMAGE_AVAILABLE)})
        return _answer(
            _QUERY_ANSWER,
            {
                "status": 0,
                "manufacturer": image.manufacturer,
                "image_type": image.image_type,
                "file_version": image.version,
                "image_size": image.size,
            },
        )

    def _drop(self, device: Eui64, image: HeldImage, outcome: int) -> Reply:
        with self._store.transaction():
            self._keep(device, None)
            self._tell(device, image.version, outcome)
        return _answer(_QUERY_ANSWER, {"status": int(ZclStatus.NO_IMAGE_AVAILABLE)})

    def _block(self, device: Eui64, fields: dict[str, int], pauses_ms: int | None) -> Reply:
        found, offset = self._read(device), fields["file_offset"]
        if found is None or fields["file_version"] != found[0].version or offset >= found[0].size:
            return _answer(_BLOCK_ANSWER, {"status": int(ZclStatus.ABORT)})
        image, octets = found
        pause_ms = self._profile.ota_block_delay_ms
        if self.quiet(device) or not self._admits(device):
            return _wait(int(self._chf.now()), self._profile.ota_wait_s, pause_ms)
        if pauses_ms is not None and pauses_ms < pause_ms:
            return _wait(int(self._chf.now()), 0, pause_ms)
        if offset == 0 or offset * _PROGRESS // image.size != (offset + fields["maximum_data_size"]) * _PROGRESS // image.size:
            self._chf.trace.emit("hub", "chf", "image progress", target=str(device), octets=offset, of=image.size)
        data = octets[offset : offset + fields["maximum_data_size"]]
        return _answer(
            _BLOCK_ANSWER,
            {
                "status": 0,
                "manufacturer": image.manufacturer,
                "image_type": image.image_type,
                "file_version": image.version,
                "file_offset": offset,
                "data": data,
            },
        )

    def _admits(self, device: Eui64) -> bool:
        """True if ``device`` may go on: its transfer is under way, or not too many others are."""
        now = self._chf.now()
        self._under_way = {one: last for one, last in self._under_way.items() if now - last < self._profile.ota_wait_s}
        if device not in self._under_way and len(self._under_way) >= self._profile.ota_transfers_at_once:
            return False
        self._under_way[device] = now
        return True

    def _end(self, device: Eui64, fields: dict[str, int]) -> Answer:
        image = self.held(device)
        if image is None:
            return ZclStatus.NOT_FOUND
        self._under_way.pop(device, None)
        success = fields["status"] == ZclStatus.SUCCESS
        with self._store.transaction():
            self._keep(device, None)
            self._tell(device, image.version, SUCCESS if success else FAILURE)
        if not success:
            return ZclStatus.SUCCESS
        return _answer(
            _END_ANSWER,
            {
                "manufacturer": _ANY,
                "image_type": _ANY,
                "file_version": _UNTIL_COMMANDED,
                "current_time": int(self._chf.now()),
                "upgrade_time": _UNTIL_COMMANDED,
            },
        )

    def _tell(self, device: Eui64, version: int, outcome: int) -> None:
        """CCS08 to the ACB."""
        code = TRANSFER_SUCCEEDED if outcome == SUCCESS else TRANSFER_FAILED
        at = EPOCH + timedelta(seconds=int(self._chf.now()))
        payload = asn1_io.write("FirmwareTransferAlert", FirmwareTransferAlert(code, at, device, version.to_bytes(4, "big"), outcome))
        self._chf.raise_alert(code, payload=payload, message_code=TRANSFER_ALERT)


def _pause(request: bytes) -> int | None:
    """Milliseconds that the Device pauses between its block requests, None for one that does not tell."""
    control, rest = request[:1], request[_BLOCK_REQUEST:]
    if not control or not control[0] & _CAN_PAUSE:
        return None
    rest = rest[_NODE:] if control[0] & _NAMES_NODE else rest
    return int.from_bytes(rest[:2], "little") if len(rest) >= 2 else None


def _wait(now: int, seconds: int, pause_ms: int) -> Reply:
    """Not now: ask again in ``seconds``, and then at most once in ``pause_ms``."""
    return Reply(
        _BLOCK_ANSWER,
        WAIT_FOR_DATA.encode(
            {"status": int(ZclStatus.WAIT_FOR_DATA), "current_time": now, "request_time": now + seconds, "block_request_delay": pause_ms}
        ),
    )


def _answer(command: int, fields: dict[str, int | bytes]) -> Reply:
    return Reply(command, OTA.to_client[command].encode(fields))
