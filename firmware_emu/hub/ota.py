"""The hub's OTA store: firmware images for Devices on the HAN, and for the hub itself (reference chts 10, zigbee-han 9).

The DCC sends an image in pieces over the WAN; a piece is durable before it is acknowledged. The image then waits for its
Device, which asks for it block by block; CCS08 tells the ACB how the transfer ended. Activation is a Command of its own (CS06).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.device import asn1_io, firmware
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.asn1_types import FirmwareTransferAlert
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.hub.device_log import DeviceLog
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.ota import OTA
from firmware_emu.zse.zcl import ZclStatus

TRANSFER_FAILED, TRANSFER_SUCCEEDED = 0x8F89, 0x8F8A
TRANSFER_ALERT = 0x0128
"""CCS08."""
SUCCESS, DISCARDED, HARDWARE_MISMATCH, FAILURE = range(4)
_PREFIX = "hub/ota/"
_PIECE = struct.Struct(">8sII")
_OTA_HEADER = struct.Struct("<IHHHHHIH32sIHH")
_QUERY, _BLOCK, _END = 0x01, 0x03, 0x06
_QUERY_ANSWER, _BLOCK_ANSWER, _END_ANSWER = 0x02, 0x05, 0x07
_UNTIL_COMMANDED = 0xFFFFFFFF
"""Upgrade time: wait for the GBCS activation Command."""
_ANY = 0xFFFF
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
    """What an OTA file's header says of the file."""

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

    def __init__(self, chf: GbcsDevice, zcl: ZclPort, endpoint: int, log: DeviceLog) -> None:
        self._chf = chf
        self._store = chf.store
        self._log = log
        self._open: tuple[Eui64, HeldImage, bytes] | None = None
        """The image that was read last: a transfer asks for thousands of blocks of one file."""
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
        folder = f"{_PREFIX}{piece.target}/piece/"
        with self._store.transaction():
            if piece.offset == 0:
                self._forget(folder)
            self._store.put(f"{folder}{piece.offset:08d}", piece.data)
            keys = self._store.keys(folder)
            data = b"".join(self._store.get(key) or b"" for key in keys) if piece.offset + len(piece.data) == piece.total else b""
            if len(data) == piece.total:
                self._forget(folder)
                self._complete(piece.target, data)

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

    def _forget(self, folder: str) -> None:
        for key in self._store.keys(folder):
            self._store.delete(key)

    # --- to the HAN

    def _asked(self, incoming: Incoming) -> Answer:
        command = OTA.to_server.get(incoming.frame.command)
        if command is None or command.id not in (_QUERY, _BLOCK, _END):
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields = {name: value for name, value in command.decode(incoming.frame.payload).items() if isinstance(value, int)}
        if command.id == _QUERY:
            return self._query(incoming.partner, fields)
        if command.id == _BLOCK:
            return self._block(incoming.partner, fields)
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
        return _answer(_QUERY_ANSWER, {
            "status": 0, "manufacturer": image.manufacturer, "image_type": image.image_type, "file_version": image.version,
            "image_size": image.size,
        })

    def _drop(self, device: Eui64, image: HeldImage, outcome: int) -> Reply:
        with self._store.transaction():
            self._keep(device, None)
            self._tell(device, image.version, outcome)
        return _answer(_QUERY_ANSWER, {"status": int(ZclStatus.NO_IMAGE_AVAILABLE)})

    def _block(self, device: Eui64, fields: dict[str, int]) -> Reply:
        found, offset = self._read(device), fields["file_offset"]
        if found is None or fields["file_version"] != found[0].version or offset >= found[0].size:
            return _answer(_BLOCK_ANSWER, {"status": int(ZclStatus.ABORT)})
        image, octets = found
        data = octets[offset : offset + fields["maximum_data_size"]]
        return _answer(_BLOCK_ANSWER, {
            "status": 0, "manufacturer": image.manufacturer, "image_type": image.image_type, "file_version": image.version,
            "file_offset": offset, "data": data,
        })

    def _end(self, device: Eui64, fields: dict[str, int]) -> Answer:
        image = self.held(device)
        if image is None:
            return ZclStatus.NOT_FOUND
        success = fields["status"] == ZclStatus.SUCCESS
        with self._store.transaction():
            self._keep(device, None)
            self._tell(device, image.version, SUCCESS if success else FAILURE)
        if not success:
            return ZclStatus.SUCCESS
        return _answer(_END_ANSWER, {
            "manufacturer": _ANY, "image_type": _ANY, "file_version": _UNTIL_COMMANDED, "current_time": int(self._chf.now()),
            "upgrade_time": _UNTIL_COMMANDED,
        })

    def _tell(self, device: Eui64, version: int, outcome: int) -> None:
        """CCS08 to the ACB."""
        code = TRANSFER_SUCCEEDED if outcome == SUCCESS else TRANSFER_FAILED
        at = EPOCH + timedelta(seconds=int(self._chf.now()))
        payload = asn1_io.write(
            "FirmwareTransferAlert", FirmwareTransferAlert(code, at, device, version.to_bytes(4, "big"), outcome))
        self._chf.raise_alert(code, payload=payload, message_code=TRANSFER_ALERT)


def _answer(command: int, fields: dict[str, int | bytes]) -> Reply:
    return Reply(command, OTA.to_client[command].encode(fields))
